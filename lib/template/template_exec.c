/* Expanding: a walk over the tree that appends to the caller's buffer. The first error stops the walk; limits are checked
 * where work grows: at each node, each write and each nested template. */
#include "tocsin/template.h"

#include <assert.h>
#include <stdlib.h>

#include "template_ast.h"

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

struct variable {
	struct str name;
	struct template_value value;
};

struct exec {
	const struct template *t;
	const struct template *root;    /* whose names count */
	bool html;
	struct str running;             /* name of the template being walked */
	struct arena *arena;
	struct buf *out;
	size_t start;
	void *user;
	struct variable *vars;
	size_t n_vars, cap_vars;
	size_t steps, held_bytes;       /* <held_bytes>: of the arena when it began */
	int depth;
	struct err *e;
	bool failed;
};

static void fail_at(struct exec *x, struct str source, const char *what, struct str detail)
{
	struct str shown = source;
	int line, col;

	if (x->failed)
		return;
	x->failed = true;
	template_position(x->t, source, &line, &col);
	if (shown.n > 20)
		shown.n = 20;
	err_set(x->e, ERR_EXEC, (int)(source.p - x->t->text.p),
	        "template: " STR_FMT ":%d:%d: executing \"" STR_FMT "\" at <" STR_FMT "%s>: %s" STR_FMT, STR_ARG(x->t->name), line, col,
	        STR_ARG(x->running), STR_ARG(shown), shown.n < source.n ? "..." : "", what, STR_ARG(detail));
}

#define OUTPUT_TOO_LONG "output is too long (limit TEMPLATE_MAX_OUTPUT_BYTES)"

/* The failures that less data mends. */
static void too_much(struct exec *x, struct str source, const char *what)
{
	bool first = !x->failed;

	fail_at(x, source, what, STR_NULL);
	if (first)
		x->e->code = ERR_LIMIT;
}

static void write_text(struct exec *x, struct str s, struct str source)
{
	if (x->failed)
		return;
	buf_puts(x->out, s);
	if (x->out->overflow || x->out->n - x->start > TEMPLATE_MAX_OUTPUT_BYTES)
		too_much(x, source, OUTPUT_TOO_LONG);
}

static bool step(struct exec *x, struct str source)
{
	if (++x->steps > TEMPLATE_MAX_STEPS)
		fail_at(x, source, "too much work (limit TEMPLATE_MAX_STEPS)", STR_NULL);
	if (x->arena->total_bytes > x->held_bytes + TEMPLATE_MAX_MEMORY_BYTES)
		too_much(x, source, "too much memory (limit TEMPLATE_MAX_MEMORY_BYTES)");
	return !x->failed;
}

static const struct template_value nil = { .kind = TEMPLATE_NIL };

/* ---- fields and functions ---- */

static const struct template_type *type_of(struct template_value v)
{
	switch (v.kind) {
	case TEMPLATE_LIST:
		return v.list->type;
	case TEMPLATE_MAP:
	case TEMPLATE_RECORD:
		return v.map->type;
	case TEMPLATE_TIME:
		return &template_time_type;
	case TEMPLATE_DURATION:
		return &template_duration_type;
	default:
		return NULL;
	}
}

static struct template_value call_body(struct exec *x, const struct template_func *f, struct template_call *c, struct str source,
                                       bool method)
{
	struct err e = { 0 };

	c->arena = x->arena;
	c->user = x->user;
	c->e = &e;
	if (c->n_args < (size_t)f->min_args || (f->max_args >= 0 && c->n_args > (size_t)f->max_args)) {
		fail_at(x, source, "wrong number of args for ", arena_printf(x->arena, "%s: want %s%d got %zu", f->name,
		        f->max_args == f->min_args ? "" : "at least ", f->min_args, c->n_args));
		return nil;
	}
	if (!f->call(c)) {
		assert(e.code != ERR_NONE);
		fail_at(x, source, method ? "" : "error calling ",
		        arena_printf(x->arena, "%s%s%s", method ? "" : f->name, method ? "" : ": ", e.msg));
		return nil;
	}
	return c->out;
}

static const struct template_field *find_field(const struct template_map *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].name, name))
			return &m->v[i];
	return NULL;
}

static const struct template_func *find_method(struct template_value v, struct str name)
{
	const struct template_type *type = type_of(v);

	for (size_t i = 0; type != NULL && i < type->n_methods; i++)
		if (str_eq(str_of(type->methods[i].name), name))
			return &type->methods[i];
	return NULL;
}

/* receiver.name, with arguments when it is a method. */
static struct template_value field(struct exec *x, struct template_value receiver, struct str name, struct template_call *args,
                                   struct str source)
{
	const struct template_func *method = find_method(receiver, name);
	const struct template_field *f = NULL;

	if (method != NULL) {
		struct template_call none = { 0 };
		struct template_call *c = args != NULL ? args : &none;

		c->self = receiver;
		return call_body(x, method, c, source, true);
	}
	if (receiver.kind == TEMPLATE_MAP || receiver.kind == TEMPLATE_RECORD)
		f = find_field(receiver.map, name);
	if (args != NULL && args->n_args > 0) {
		fail_at(x, source, "", arena_printf(x->arena, STR_FMT " is not a method but has arguments", STR_ARG(name)));
		return nil;
	}
	if (f != NULL)
		return f->value;
	if (receiver.kind == TEMPLATE_MAP)
		return receiver.map->type != NULL ? receiver.map->type->missing : nil;
	if (receiver.kind == TEMPLATE_NIL)
		fail_at(x, source, "nil data; no entry for key ", arena_printf(x->arena, "\"" STR_FMT "\"", STR_ARG(name)));
	else
		fail_at(x, source, "can't evaluate field ",
		        arena_printf(x->arena, STR_FMT " in type %s", STR_ARG(name), template_type_name(receiver)));
	return nil;
}

/* ---- pipelines ---- */

static struct template_value eval_pipeline(struct exec *x, struct template_value dot, const struct pipeline *p);

static struct template_value variable(struct exec *x, struct str name, struct str source)
{
	for (size_t i = x->n_vars; i-- > 0; )
		if (str_eq(x->vars[i].name, name))
			return x->vars[i].value;
	fail_at(x, source, "undefined variable: ", name);
	return nil;
}

static struct template_value eval_function(struct exec *x, struct template_value dot, const struct command *c,
                                           const struct template_value *last);

static struct template_value base_value(struct exec *x, struct template_value dot, const struct operand *o)
{
	switch (o->kind) {
	case OPERAND_DOT:
		return dot;
	case OPERAND_NIL:
		return nil;
	case OPERAND_CONSTANT:
		return o->constant;
	case OPERAND_VARIABLE:
		return variable(x, o->name, o->source);
	case OPERAND_PIPELINE:
		return eval_pipeline(x, dot, o->pipeline);
	case OPERAND_FUNCTION: {
		struct operand only = *o;
		struct command c = { .args = &only, .n = 1, .source = o->source };

		only.n_fields = 0;
		return eval_function(x, dot, &c, NULL);
	}
	}
	abort();
}

/* An operand in the place of an argument. */
static struct template_value eval_operand(struct exec *x, struct template_value dot, const struct operand *o)
{
	struct template_value v = base_value(x, dot, o);

	for (size_t i = 0; i < o->n_fields && !x->failed; i++)
		v = field(x, v, o->fields[i], NULL, o->source);
	return v;
}

/* Arguments behind the first word, then what the pipeline hands on. */
static void collect_args(struct exec *x, struct template_value dot, const struct command *c, const struct template_value *last,
                         struct template_call *call)
{
	struct template_value *args = ARENA_ARRAY(x->arena, c->n + 1, struct template_value);

	for (size_t i = 1; i < c->n && !x->failed; i++)
		args[call->n_args++] = eval_operand(x, dot, &c->args[i]);
	if (last != NULL)
		args[call->n_args++] = *last;
	call->args = args;
}

/* and, or: arguments are evaluated up to the one that decides. */
static struct template_value eval_short_circuit(struct exec *x, struct template_value dot, const struct command *c,
                                                const struct template_value *last, bool stop_at)
{
	struct template_value v = nil;
	size_t n = c->n - 1 + (last != NULL);

	if (n == 0)
		fail_at(x, c->source, "wrong number of args for ", arena_printf(x->arena, "%s: want at least 1 got 0",
		    c->args[0].func->name));
	for (size_t i = 0; i < n && !x->failed; i++) {
		v = i + 1 < c->n ? eval_operand(x, dot, &c->args[i + 1]) : *last;
		if (template_truth(v) == stop_at)
			break;
	}
	return v;
}

static struct template_value eval_function(struct exec *x, struct template_value dot, const struct command *c,
                                           const struct template_value *last)
{
	const struct template_func *f = c->args[0].func;
	struct template_call call = { 0 };

	if (f->call == template_go_and || f->call == template_go_or)
		return eval_short_circuit(x, dot, c, last, f->call == template_go_or);
	collect_args(x, dot, c, last, &call);
	return x->failed ? nil : call_body(x, f, &call, c->source, false);
}

static struct template_value eval_command(struct exec *x, struct template_value dot, const struct command *c,
                                          const struct template_value *last)
{
	const struct operand *first = &c->args[0];
	struct template_call call = { 0 };
	struct template_value v;
	bool with_args = c->n > 1 || last != NULL;

	if (!step(x, c->source))
		return nil;
	if (first->kind == OPERAND_FUNCTION && first->n_fields == 0)
		return eval_function(x, dot, c, last);
	if (first->n_fields == 0) {
		if (with_args)
			fail_at(x, c->source, "can't give argument to non-function ", first->source);
		else if (first->kind == OPERAND_NIL)
			fail_at(x, c->source, "nil is not a command", STR_NULL);
		return x->failed ? nil : base_value(x, dot, first);
	}
	v = base_value(x, dot, first);
	for (size_t i = 0; i + 1 < first->n_fields && !x->failed; i++)
		v = field(x, v, first->fields[i], NULL, first->source);
	if (with_args && !x->failed)
		collect_args(x, dot, c, last, &call);
	return x->failed ? nil : field(x, v, first->fields[first->n_fields - 1], with_args ? &call : NULL, first->source);
}

static void push_variable(struct exec *x, struct str name, struct template_value v)
{
	x->vars = arena_grow(x->arena, x->vars, x->n_vars, &x->cap_vars, x->n_vars + 1, sizeof *x->vars);
	x->vars[x->n_vars++] = (struct variable){ name, v };
}

static void set_variable(struct exec *x, struct str name, struct template_value v)
{
	for (size_t i = x->n_vars; i-- > 0; )
		if (str_eq(x->vars[i].name, name)) {
			x->vars[i].value = v;
			return;
		}
}

static struct template_value pipeline_value(struct exec *x, struct template_value dot, const struct pipeline *p)
{
	struct template_value v = nil;

	for (const struct command *c = p->first; c != NULL && !x->failed; c = c->next)
		v = eval_command(x, dot, c, c == p->first ? NULL : &v);
	return v;
}

static void bind(struct exec *x, const struct pipeline *p, size_t i, struct template_value v)
{
	if (p->assign)
		set_variable(x, p->vars[i], v);
	else
		push_variable(x, p->vars[i], v);
}

static struct template_value eval_pipeline(struct exec *x, struct template_value dot, const struct pipeline *p)
{
	struct template_value v = pipeline_value(x, dot, p);

	for (size_t i = 0; i < p->n_vars && !x->failed; i++)
		bind(x, p, i, v);
	return v;
}

/* ---- nodes ---- */

static enum flow walk(struct exec *x, struct template_value dot, const struct node *n);

static enum flow walk_scoped(struct exec *x, struct template_value dot, const struct node *body)
{
	size_t mark = x->n_vars;
	enum flow flow = walk(x, dot, body);

	x->n_vars = mark;
	return flow;
}

static enum flow walk_branch(struct exec *x, struct template_value dot, const struct node *n)
{
	size_t mark = x->n_vars;
	struct template_value v = eval_pipeline(x, dot, n->pipeline);
	enum flow flow = FLOW_FAILED;

	if (!x->failed)
		flow = template_truth(v) ? walk_scoped(x, n->kind == NODE_WITH ? v : dot, n->body) : walk_scoped(x, dot, n->otherwise);
	x->n_vars = mark;
	return flow;
}

static enum flow walk_item(struct exec *x, const struct node *n, struct template_value key, struct template_value item)
{
	const struct pipeline *p = n->pipeline;
	size_t mark = x->n_vars;
	enum flow flow;

	if (!step(x, n->source))
		return FLOW_FAILED;
	if (p->n_vars == 1)
		bind(x, p, 0, item);
	if (p->n_vars == 2) {
		bind(x, p, 0, key);
		bind(x, p, 1, item);
	}
	flow = walk_scoped(x, item, n->body);
	x->n_vars = mark;
	return flow;
}

static size_t range_length(struct exec *x, struct template_value v, struct str source)
{
	switch (v.kind) {
	case TEMPLATE_LIST:
		return v.list->n;
	case TEMPLATE_MAP:
		return v.map->n;
	case TEMPLATE_INT:
		return v.i > 0 ? (size_t)v.i : 0;
	case TEMPLATE_NIL:
		return 0;
	default:
		fail_at(x, source, "range can't iterate over ", STR_NULL);
		return 0;
	}
}

static enum flow walk_range(struct exec *x, struct template_value dot, const struct node *n)
{
	struct template_value v = pipeline_value(x, dot, n->pipeline);
	size_t count = x->failed ? 0 : range_length(x, v, n->pipeline->source);

	if (x->failed)
		return FLOW_FAILED;
	if (count == 0)
		return walk_scoped(x, dot, n->otherwise);
	for (size_t i = 0; i < count; i++) {
		struct template_value key = template_int((int64_t)i), item = key;
		enum flow flow;

		if (v.kind == TEMPLATE_LIST)
			item = v.list->v[i];
		else if (v.kind == TEMPLATE_MAP) {
			key = template_str(v.map->v[i].name);
			item = v.map->v[i].value;
		}
		flow = walk_item(x, n, key, item);
		if (flow == FLOW_FAILED)
			return flow;
		if (flow == FLOW_BREAK)
			break;
	}
	return FLOW_ON;
}

static const struct definition *own_definition(const struct template *t, struct str name)
{
	for (const struct definition *d = t->definitions; d != NULL; d = d->next)
		if (str_eq(d->name, name))
			return d;
	return NULL;
}

bool template_defines(const struct template *t, struct str name)
{
	return own_definition(t, name) != NULL;
}

static const struct definition *find_definition(const struct template *t, struct str name, const struct template **owner)
{
	const struct definition *d = NULL;

	for (; t != NULL && d == NULL; t = t->base) {
		*owner = t;
		d = own_definition(t, name);
	}
	return d;
}

/* The first node that names a template nobody defines. */
static const struct node *find_missing(const struct template *root, const struct node *n)
{
	const struct template *owner;
	const struct node *found = NULL;

	for (; n != NULL && found == NULL; n = n->next) {
		if (n->kind == NODE_TEMPLATE && find_definition(root, n->text, &owner) == NULL)
			return n;
		found = find_missing(root, n->body);
		if (found == NULL)
			found = find_missing(root, n->otherwise);
	}
	return found;
}

bool template_missing(const struct template *t, const struct template *root, struct str *name, size_t *pos)
{
	const struct node *n = find_missing(root, t->body);

	for (const struct definition *d = t->definitions; n == NULL && d != NULL; d = d->next)
		n = find_missing(root, d->body);
	if (n == NULL)
		return false;
	*name = n->text;
	*pos = n->source.p >= t->text.p && n->source.p < t->text.p + t->text.n ? (size_t)(n->source.p - t->text.p) : 0;
	return true;
}

static void enter(struct exec *x, const struct template *owner, struct str name, const struct node *body, struct template_value dot)
{
	const struct template *t = x->t;
	struct str running = x->running;
	struct variable *vars = x->vars;
	size_t n_vars = x->n_vars, cap_vars = x->cap_vars;

	x->t = owner;
	x->running = name;
	x->vars = NULL;
	x->n_vars = x->cap_vars = 0;
	push_variable(x, STR("$"), dot);
	walk(x, dot, body);
	x->t = t;
	x->running = running;
	x->vars = vars;
	x->n_vars = n_vars;
	x->cap_vars = cap_vars;
}

static enum flow walk_template(struct exec *x, struct template_value dot, const struct node *n)
{
	const struct template *owner = NULL;
	const struct definition *d = find_definition(x->root, n->text, &owner);
	struct template_value v = n->pipeline != NULL ? eval_pipeline(x, dot, n->pipeline) : nil;

	if (x->failed)
		return FLOW_FAILED;
	if (d == NULL)
		fail_at(x, n->source, "no such template: ", n->text);
	else if (x->depth >= TEMPLATE_MAX_DEPTH)
		fail_at(x, n->source, "nested too deeply (limit TEMPLATE_MAX_DEPTH)", STR_NULL);
	else {
		x->depth++;
		enter(x, owner, n->text, d->body, v);
		x->depth--;
	}
	return x->failed ? FLOW_FAILED : FLOW_ON;
}

static void walk_action(struct exec *x, struct template_value dot, const struct node *n)
{
	struct template_value v = eval_pipeline(x, dot, n->pipeline);
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES }, escaped = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str text = v.s;

	if (x->failed || n->pipeline->n_vars > 0)
		return;
	if (v.kind != TEMPLATE_STRING) {
		template_print(&b, v);
		text = buf_str(&b);
	}
	if (x->html && !(v.kind == TEMPLATE_STRING && v.safe)) {
		template_escape_html(&escaped, text);
		text = buf_str(&escaped);
	}
	if (b.overflow || escaped.overflow)
		too_much(x, n->source, OUTPUT_TOO_LONG);
	write_text(x, text, n->source);
	buf_fini(&b);
	buf_fini(&escaped);
}

static enum flow walk_node(struct exec *x, struct template_value dot, const struct node *n)
{
	switch (n->kind) {
	case NODE_TEXT:
		write_text(x, n->text, n->source);
		break;
	case NODE_ACTION:
		walk_action(x, dot, n);
		break;
	case NODE_IF:
	case NODE_WITH:
		return walk_branch(x, dot, n);
	case NODE_RANGE:
		return walk_range(x, dot, n);
	case NODE_TEMPLATE:
		return walk_template(x, dot, n);
	case NODE_BREAK:
		return FLOW_BREAK;
	case NODE_CONTINUE:
		return FLOW_CONTINUE;
	}
	return x->failed ? FLOW_FAILED : FLOW_ON;
}

static enum flow walk(struct exec *x, struct template_value dot, const struct node *n)
{
	enum flow flow = FLOW_ON;

	for (; n != NULL && flow == FLOW_ON; n = n->next)
		flow = step(x, n->source) ? walk_node(x, dot, n) : FLOW_FAILED;
	return flow;
}

static bool expand(const struct template *t, const struct template *owner, struct str name, const struct node *body, bool html,
                   struct template_value data, void *user, struct arena *a, struct buf *out, struct err *e)
{
	struct exec x = { .t = owner, .root = t, .html = html, .running = name, .arena = a, .out = out, .start = out->n,
	    .held_bytes = a->total_bytes, .user = user, .e = e };
	struct arena_mark mark = arena_mark(a);

	push_variable(&x, STR("$"), data);
	for (size_t i = 0; i < t->env->n_variables; i++) {
		const struct template_variable *v = &t->env->variables[i];

		push_variable(&x, str_of(v->name), field(&x, data, str_of(v->field), NULL, STR_NULL));
	}
	walk(&x, data, body);
	arena_rewind(a, mark);
	if (x.failed)
		out->n = x.start;
	return !x.failed;
}

bool template_expand(const struct template *t, struct template_value data, void *user, struct arena *a, struct buf *out,
                     struct err *e)
{
	return expand(t, t, t->name, t->body, false, data, user, a, out, e);
}

bool template_expand_html(const struct template *t, struct template_value data, void *user, struct arena *a, struct buf *out,
                          struct err *e)
{
	return expand(t, t, t->name, t->body, true, data, user, a, out, e);
}

bool template_expand_named(const struct template *t, struct str name, struct template_value data, void *user, struct arena *a,
                           struct buf *out, struct err *e)
{
	const struct template *owner = NULL;
	const struct definition *d = find_definition(t, name, &owner);

	if (d == NULL)
		return err_set(e, ERR_NOT_FOUND, -1, "no such template: \"" STR_FMT "\"", STR_ARG(name));
	return expand(t, owner, name, d->body, false, data, user, a, out, e);
}
