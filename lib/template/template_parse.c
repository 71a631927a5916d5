/* From text to tree, by recursive descent. The tree borrows from the copy of the text that the template owns. */
#include "tocsin/template.h"

#include <stdlib.h>

#include "template_lex.h"
#include "tocsin/mem.h"

static void skip_space(struct parser *p)
{
	while (p->token == TOKEN_SPACE)
		template_next(p);
}

static void next_solid(struct parser *p)
{
	template_next(p);
	skip_space(p);
}

static void unexpected(struct parser *p, const char *in)
{
	struct str shown = p->token == TOKEN_CLOSE ? STR("}}") : p->lexeme;

	if (!p->failed)
		err_set(p->e, ERR_SYNTAX, (int)(p->lexeme.p - p->t->text.p), "unexpected \"" STR_FMT "\" in %s", STR_ARG(shown), in);
	p->failed = true;
	template_fail(p, p->end, in, STR_NULL);
}

static bool is_name(struct parser *p, const char *word)
{
	return p->token == TOKEN_WORD && str_eq(p->lexeme, str_of(word));
}

/* ---- pipelines ---- */

static struct pipeline *pipeline(struct parser *p, const char *in, enum token closer);

static const struct template_func *find_func(const struct template_func *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of(v[i].name), name))
			return &v[i];
	return NULL;
}

static void word(struct parser *p, struct operand *o)
{
	const struct template_env *env = p->t->env;

	if (is_name(p, "nil"))
		o->kind = OPERAND_NIL;
	else if (is_name(p, "true") || is_name(p, "false")) {
		o->kind = OPERAND_CONSTANT;
		o->constant = template_bool(is_name(p, "true"));
	} else {
		o->kind = OPERAND_FUNCTION;
		o->name = p->lexeme;
		o->func = find_func(env->funcs, env->n_funcs, p->lexeme);
		if (o->func == NULL)
			o->func = find_func(template_go_funcs, template_n_go_funcs, p->lexeme);
		if (o->func == NULL && !p->failed) {
			err_set(p->e, ERR_SYNTAX, (int)(p->lexeme.p - p->t->text.p), "function \"" STR_FMT "\" not defined",
			        STR_ARG(p->lexeme));
			template_fail(p, p->end, "", STR_NULL);
			p->failed = true;
		}
	}
}

static bool variable_known(const struct parser *p, struct str name)
{
	for (size_t i = p->scope.n; i-- > 0; )
		if (str_eq(p->scope.names[i], name))
			return true;
	return name.n == 1;
}

static void variable(struct parser *p, struct operand *o)
{
	o->kind = OPERAND_VARIABLE;
	o->name = p->lexeme;
	if (!variable_known(p, p->lexeme))
		template_fail(p, p->lexeme.p, "undefined variable", p->lexeme);
}

static void add_field(struct parser *p, struct operand *o, size_t *cap)
{
	o->fields = arena_grow(&p->t->arena, o->fields, o->n_fields, cap, o->n_fields + 1, sizeof *o->fields);
	o->fields[o->n_fields++] = (struct str){ p->lexeme.p + 1, p->lexeme.n - 1 };
}

/* operand = ( "." | nil | constant | $var | function | "(" pipeline ")" | .Field ) { .Field } ; false: none stands here. */
static bool operand(struct parser *p, struct operand *o)
{
	const char *beg = p->lexeme.p;
	size_t cap = 0;

	*o = (struct operand){ 0 };
	switch (p->token) {
	case TOKEN_DOT:
		o->kind = OPERAND_DOT;
		break;
	case TOKEN_FIELD:
		o->kind = OPERAND_DOT;
		add_field(p, o, &cap);
		break;
	case TOKEN_VARIABLE:
		variable(p, o);
		break;
	case TOKEN_WORD:
		word(p, o);
		break;
	case TOKEN_NUMBER:
	case TOKEN_CHAR:
	case TOKEN_STRING:
	case TOKEN_RAW:
		template_constant(p, o);
		break;
	case TOKEN_OPEN_PAREN:
		next_solid(p);
		o->kind = OPERAND_PIPELINE;
		o->pipeline = pipeline(p, "parenthesized pipeline", TOKEN_CLOSE_PAREN);
		break;
	default:
		return false;
	}
	if (p->failed)
		return false;
	template_next(p);
	while (p->token == TOKEN_FIELD) {
		if (o->kind == OPERAND_CONSTANT || o->kind == OPERAND_NIL)
			template_fail(p, beg, "unexpected . after term", str_between(beg, p->lexeme.p));
		else
			add_field(p, o, &cap);
		if (!p->failed)
			template_next(p);
	}
	o->source = str_between(beg, p->failed ? beg : p->lexeme.p);
	return true;
}

/* command = operand { space operand } ; ends at "|" or what closes the pipeline. */
static struct command *command(struct parser *p, const char *in)
{
	struct command *c = ARENA_NEW(&p->t->arena, struct command);
	const char *beg = p->lexeme.p;
	struct operand o;
	size_t cap = 0;

	for (;;) {
		skip_space(p);
		if (!operand(p, &o))
			break;
		c->args = arena_grow(&p->t->arena, c->args, c->n, &cap, c->n + 1, sizeof *c->args);
		c->args[c->n++] = o;
		c->source = str_between(beg, o.source.p + o.source.n);
		if (p->token != TOKEN_SPACE)
			break;
	}
	if (!p->failed && c->n == 0) {
		if (p->token == TOKEN_CLOSE || p->token == TOKEN_PIPE || p->token == TOKEN_CLOSE_PAREN)
			template_fail(p, beg, "missing value for", str_of(in));
		else
			unexpected(p, in);
	}
	return c;
}

static void declare(struct parser *p, struct str name)
{
	if (p->scope.n == ARRAY_LEN(p->scope.names))
		template_fail(p, name.p, "too many variables: at", name);
	else
		p->scope.names[p->scope.n++] = name;
}

static bool declares(const struct parser *p, bool range)
{
	const char *s = p->p;

	while (s < p->end && template_is_blank(*s))
		s++;
	return s < p->end && (*s == '=' || (*s == ':' && s + 1 < p->end && s[1] == '=') || (range && *s == ','));
}

/* [ $v [ "," $w ] ( ":=" | "=" ) ] */
static void declarations(struct parser *p, struct pipeline *pipe, bool range)
{
	while (p->token == TOKEN_VARIABLE && declares(p, range)) {
		pipe->vars[pipe->n_vars++] = p->lexeme;
		next_solid(p);
		if (p->token == TOKEN_COMMA && pipe->n_vars < 2) {
			next_solid(p);
			if (p->token != TOKEN_VARIABLE)
				unexpected(p, "range");
			continue;
		}
		if (p->token != TOKEN_DECLARE && p->token != TOKEN_ASSIGN)
			unexpected(p, range ? "range" : "declaration");
		pipe->assign = p->token == TOKEN_ASSIGN;
		if (!p->failed)
			next_solid(p);
		break;
	}
	if (pipe->assign)
		for (size_t i = 0; i < pipe->n_vars; i++)
			if (!variable_known(p, pipe->vars[i]))
				template_fail(p, pipe->vars[i].p, "undefined variable", pipe->vars[i]);
}

/* pipeline = [ declarations ] command { "|" command } closer ; the closer is the current token afterwards. */
static struct pipeline *pipeline(struct parser *p, const char *in, enum token closer)
{
	struct pipeline *pipe = ARENA_NEW(&p->t->arena, struct pipeline);
	struct command **tail = &pipe->first;
	const char *beg;

	if (++p->depth > TEMPLATE_MAX_DEPTH)
		template_fail(p, p->lexeme.p, "nested too deeply (limit TEMPLATE_MAX_DEPTH)", STR_NULL);
	skip_space(p);
	beg = p->lexeme.p;
	if (closer == TOKEN_CLOSE)
		declarations(p, pipe, strcmp(in, "range") == 0);
	for (;;) {
		*tail = command(p, in);
		if (tail != &pipe->first && !p->failed && (*tail)->args[0].kind != OPERAND_FUNCTION && (*tail)->args[0].n_fields == 0)
			template_fail(p, (*tail)->source.p, "non executable command in pipeline:", (*tail)->source);
		tail = &(*tail)->next;
		skip_space(p);
		if (p->token != TOKEN_PIPE)
			break;
		next_solid(p);
	}
	if (!p->failed && p->token != closer)
		unexpected(p, in);
	pipe->source = p->failed ? STR("") : str_trim(str_between(beg, p->lexeme.p));
	for (size_t i = 0; i < pipe->n_vars && !pipe->assign; i++)
		declare(p, pipe->vars[i]);
	p->depth--;
	return pipe;
}

/* ---- control structures ---- */

enum stop { STOP_EOF, STOP_END, STOP_ELSE };

static struct node *list(struct parser *p, enum stop *stop);

static struct node *new_node(struct parser *p, enum node_kind kind, struct str source)
{
	struct node *n = ARENA_NEW(&p->t->arena, struct node);

	n->kind = kind;
	n->source = source;
	return n;
}

static void close_action(struct parser *p, const char *in)
{
	skip_space(p);
	if (!p->failed && p->token != TOKEN_CLOSE)
		unexpected(p, in);
}

/* if | range | with: pipeline }} list [ {{else}} list | {{else if …}} … ] {{end}} ; what it declares ends with it. */
static struct node *control(struct parser *p, enum node_kind kind, const char *word_of)
{
	struct node *n = new_node(p, kind, p->lexeme);
	size_t names = p->scope.n, inner;
	enum stop stop;

	if (++p->depth > TEMPLATE_MAX_DEPTH)
		template_fail(p, p->lexeme.p, "nested too deeply (limit TEMPLATE_MAX_DEPTH)", STR_NULL);
	next_solid(p);
	n->pipeline = pipeline(p, word_of, TOKEN_CLOSE);
	inner = p->scope.n;
	p->loops += kind == NODE_RANGE;
	n->body = list(p, &stop);
	p->loops -= kind == NODE_RANGE;
	p->scope.n = inner;
	if (stop == STOP_ELSE) {
		skip_space(p);
		if (kind != NODE_RANGE && (is_name(p, "if") || is_name(p, "with"))) {
			bool with = is_name(p, "with");

			if (with != (kind == NODE_WITH))
				unexpected(p, "else");
			n->otherwise = control(p, kind, word_of);        /* shares this {{end}} */
			stop = STOP_END;
		} else {
			close_action(p, "else");
			n->otherwise = list(p, &stop);
			if (stop == STOP_ELSE)
				template_fail(p, p->lexeme.p, "expected end; found {{else}}", STR_NULL);
			else
				close_action(p, "end");
		}
	} else if (stop == STOP_END)
		close_action(p, "end");
	if (stop == STOP_EOF)
		template_fail(p, n->source.p, "no {{end}} for", str_of(word_of));
	p->scope.n = names;
	p->depth--;
	return n;
}

static struct str quoted_name(struct parser *p, const char *in)
{
	struct operand o = { 0 };

	if (p->token != TOKEN_STRING && p->token != TOKEN_RAW) {
		unexpected(p, in);
		return STR_NULL;
	}
	template_constant(p, &o);
	if (!p->failed)
		next_solid(p);
	return o.constant.s;
}

static void define(struct parser *p, struct str name, const char *at, const char *in)
{
	struct definition *d = ARENA_NEW(&p->t->arena, struct definition);
	struct scope outer = p->scope;
	int loops = p->loops;
	enum stop stop;

	p->scope.n = 0;
	p->loops = 0;
	d->name = name;
	if (++p->depth > TEMPLATE_MAX_DEPTH)
		template_fail(p, at, "nested too deeply (limit TEMPLATE_MAX_DEPTH)", STR_NULL);
	d->body = list(p, &stop);
	p->depth--;
	if (stop != STOP_END)
		template_fail(p, at, "no {{end}} for", str_of(in));
	close_action(p, in);
	p->scope = outer;
	p->loops = loops;
	d->next = p->t->definitions;
	p->t->definitions = d;
}

/* template "name" [pipeline] }} ; block "name" pipeline }} list {{end}} */
static struct node *invocation(struct parser *p, bool block)
{
	const char *in = block ? "block clause" : "template clause";
	struct node *n = new_node(p, NODE_TEMPLATE, p->lexeme);

	next_solid(p);
	n->text = quoted_name(p, in);
	if (p->token != TOKEN_CLOSE || block)
		n->pipeline = pipeline(p, in, TOKEN_CLOSE);
	if (block)
		define(p, n->text, n->source.p, "block");
	return n;
}

static struct node *definition(struct parser *p)
{
	const char *at = p->lexeme.p;
	struct str name;

	next_solid(p);
	name = quoted_name(p, "define clause");
	close_action(p, "define clause");
	define(p, name, at, "define");
	return NULL;
}

static struct node *loop_word(struct parser *p, enum node_kind kind)
{
	struct node *n = new_node(p, kind, p->lexeme);

	if (p->loops == 0)
		template_fail(p, p->lexeme.p, kind == NODE_BREAK ? "{{break}} outside {{range}}"
		    : "{{continue}} outside {{range}}", STR_NULL);
	else {
		template_next(p);
		close_action(p, kind == NODE_BREAK ? "break" : "continue");
	}
	return n;
}

/* What stands behind {{ ; NULL: nothing to keep (a definition), or <*stop> is set. */
static struct node *action(struct parser *p, enum stop *stop)
{
	struct node *n;

	if (is_name(p, "end") || is_name(p, "else")) {
		*stop = is_name(p, "end") ? STOP_END : STOP_ELSE;
		template_next(p);
		return NULL;
	}
	if (is_name(p, "if"))
		return control(p, NODE_IF, "if");
	if (is_name(p, "range"))
		return control(p, NODE_RANGE, "range");
	if (is_name(p, "with"))
		return control(p, NODE_WITH, "with");
	if (is_name(p, "template") || is_name(p, "block"))
		return invocation(p, is_name(p, "block"));
	if (is_name(p, "define"))
		return definition(p);
	if (is_name(p, "break") || is_name(p, "continue"))
		return loop_word(p, is_name(p, "break") ? NODE_BREAK : NODE_CONTINUE);
	n = new_node(p, NODE_ACTION, p->lexeme);
	n->pipeline = pipeline(p, "command", TOKEN_CLOSE);
	return n;
}

/* {{/ * … * /}}: true when one stands here; <p> is then behind it. */
static bool comment(struct parser *p)
{
	struct str rest = str_between(p->p, p->end);
	size_t close;

	if (!str_starts(rest, STR("/*")))
		return false;
	close = str_find(rest, STR("*/"));
	if (close == rest.n) {
		template_fail(p, p->p, "unclosed comment", STR_NULL);
		return true;
	}
	p->p += close + 2;
	template_next(p);
	if (p->token != TOKEN_CLOSE)
		template_fail(p, p->p, "comment ends before closing delimiter", STR_NULL);
	return true;
}

static struct str trimmed(struct str s, bool left, bool right)
{
	while (left && s.n > 0 && template_is_blank(s.p[0]))
		s = (struct str){ s.p + 1, s.n - 1 };
	while (right && s.n > 0 && template_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* list = { text | {{ action }} } up to {{end}}, {{else}} or the end; the stopping word has been read. */
static struct node *list(struct parser *p, enum stop *stop)
{
	struct node *first = NULL, **tail = &first;

	*stop = STOP_EOF;
	while (p->p < p->end) {
		struct str rest = str_between(p->p, p->end), text;
		size_t open = str_find(rest, STR("{{"));
		bool marker = open + 3 < rest.n && rest.p[open + 2] == '-' && template_is_blank(rest.p[open + 3]);
		enum stop inner = STOP_EOF;
		struct node *n;

		text = trimmed((struct str){ rest.p, open }, p->trim_next, marker);
		p->trim_next = false;
		if (text.n > 0) {
			*tail = new_node(p, NODE_TEXT, text);
			(*tail)->text = text;
			tail = &(*tail)->next;
		}
		if (open == rest.n) {
			p->p = p->end;
			break;
		}
		p->p += open + (marker ? 3 : 2);
		while (marker && p->p < p->end && template_is_blank(*p->p))
			p->p++;
		if (comment(p))
			continue;
		next_solid(p);
		n = action(p, &inner);
		if (inner != STOP_EOF) {
			*stop = inner;
			break;
		}
		if (n != NULL) {
			*tail = n;
			tail = &n->next;
		}
	}
	return first;
}

struct template *template_new(struct str name, struct str text, const struct template_env *env, const struct template *base,
                              struct err *e)
{
	struct template *t = mem_alloc(sizeof *t);
	struct parser p = { .t = t, .e = e };
	enum stop stop;

	t->name = arena_str(&t->arena, name);
	t->text = arena_str(&t->arena, text);
	t->env = env;
	t->base = base;
	p.p = t->text.p;
	p.end = t->text.p + t->text.n;
	for (size_t i = 0; i < env->n_variables; i++)
		declare(&p, str_of(env->variables[i].name));
	t->body = list(&p, &stop);
	if (stop != STOP_EOF)
		template_fail(&p, p.lexeme.p, stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}", STR_NULL);
	if (!p.failed)
		return t;
	template_free(t);
	return NULL;
}

void template_free(struct template *t)
{
	if (t == NULL)
		return;
	arena_fini(&t->arena);
	free(t);
}

bool template_is_plain(const struct template *t)
{
	const struct node *body = t->body;

	return t->text.n == 0 || (body != NULL && body->kind == NODE_TEXT && body->text.n == t->text.n);
}

void template_position(const struct template *t, struct str source, int *line, int *col)
{
	const char *start = t->text.p;

	*line = 1;
	for (const char *s = t->text.p; s < source.p && s < t->text.p + t->text.n; s++)
		if (*s == '\n') {
			++*line;
			start = s + 1;
		}
	*col = (int)(source.p - start);
}
