/* Go's own template functions, one row each, and the helpers every function body uses for its arguments. */
#include "tocsin/template.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "template_ast.h"

const struct template_type template_string_list = { "[]string", { 0 }, NULL, 0 };
const struct template_type template_string_map = {
	.name = "map[string]string", .missing = { .kind = TEMPLATE_STRING, .s = { "", 0 } }
};

struct template_value template_labels(struct arena *a, struct labels l, const struct template_type *type)
{
	struct template_field *v = ARENA_ARRAY(a, l.n, struct template_field);
	struct template_map *m = ARENA_NEW(a, struct template_map);

	for (size_t i = 0; i < l.n; i++)
		v[i] = (struct template_field){ l.v[i].name, template_str(l.v[i].value) };
	*m = (struct template_map){ v, l.n, type != NULL ? type : &template_string_map };
	return (struct template_value){ .kind = TEMPLATE_MAP, .map = m };
}

struct template_value template_list_of(struct arena *a, const struct template_value *v, size_t n, const struct template_type *type)
{
	struct template_list *l = ARENA_NEW(a, struct template_list);

	*l = (struct template_list){ v, n, type };
	return (struct template_value){ .kind = TEMPLATE_LIST, .list = l };
}

bool template_truth(struct template_value v)
{
	switch (v.kind) {
	case TEMPLATE_NIL:
		return false;
	case TEMPLATE_BOOL:
		return v.b;
	case TEMPLATE_INT:
	case TEMPLATE_DURATION:
		return v.i != 0;
	case TEMPLATE_FLOAT:
		return v.f != 0;        /* NaN is true, as in Go */
	case TEMPLATE_STRING:
		return v.s.n > 0;
	case TEMPLATE_LIST:
		return v.list->n > 0;
	case TEMPLATE_MAP:
		return v.map->n > 0;
	case TEMPLATE_RECORD:
	case TEMPLATE_TIME:
		return true;
	}
	abort();
}

/* ---- arguments ---- */

static bool wrong_type(struct template_call *c, size_t i, const char *expected)
{
	return err_set(c->e, ERR_EXEC, -1, "wrong type for value; expected %s; got %s", expected, template_type_name(c->args[i]));
}

bool template_arg_str(struct template_call *c, size_t i, struct str *out)
{
	if (c->args[i].kind != TEMPLATE_STRING)
		return wrong_type(c, i, "string");
	*out = c->args[i].s;
	return true;
}

bool template_arg_int(struct template_call *c, size_t i, int64_t *out)
{
	if (c->args[i].kind != TEMPLATE_INT)
		return wrong_type(c, i, "int");
	*out = c->args[i].i;
	return true;
}

bool template_arg_list(struct template_call *c, size_t i, const struct template_list **out)
{
	if (c->args[i].kind != TEMPLATE_LIST)
		return wrong_type(c, i, "a list");
	*out = c->args[i].list;
	return true;
}

bool template_arg_number(struct template_call *c, size_t i, double *out)
{
	const struct template_value *v = &c->args[i];

	if (v->kind == TEMPLATE_FLOAT)
		*out = v->f;
	else if (v->kind == TEMPLATE_INT)
		*out = (double)v->i;
	else if (v->kind == TEMPLATE_DURATION)
		*out = (double)v->i / 1e9;
	else if (v->kind != TEMPLATE_STRING)
		return err_set(c->e, ERR_EXEC, -1, "can't convert %s to float", template_type_name(*v));
	else if (!str_to_double(v->s, out))
		return err_set(c->e, ERR_EXEC, -1, "parsing \"" STR_FMT "\": invalid syntax", STR_ARG(v->s));
	return true;
}

bool template_answer(struct template_call *c, struct buf *text)
{
	bool ok = !text->overflow;

	c->out = template_str(arena_str(c->arena, buf_str(text)));
	buf_fini(text);
	return ok || err_set(c->e, ERR_LIMIT, -1, "text is too long (limit TEMPLATE_MAX_OUTPUT_BYTES)");
}

/* ---- logic and comparison ---- */

bool template_go_and(struct template_call *c)
{
	return err_set(c->e, ERR_EXEC, -1, "not callable");     /* the evaluator does it */
}

bool template_go_or(struct template_call *c)
{
	return err_set(c->e, ERR_EXEC, -1, "not callable here");
}

static bool go_not(struct template_call *c)
{
	c->out = template_bool(!template_truth(c->args[0]));
	return true;
}

static int kind_of_comparison(enum template_kind k)
{
	return k == TEMPLATE_DURATION ? TEMPLATE_INT : (int)k;
}

static bool comparable(const struct template_value *a, const struct template_value *b, struct err *e)
{
	bool basic = a->kind <= TEMPLATE_DURATION && b->kind <= TEMPLATE_DURATION;

	if (a->kind == TEMPLATE_NIL || b->kind == TEMPLATE_NIL)
		return true;
	if (!basic && !(a->kind == TEMPLATE_TIME && b->kind == TEMPLATE_TIME))
		return err_set(e, ERR_EXEC, -1, "non-comparable type %s", template_type_name(basic ? *b
		    : a->kind > TEMPLATE_DURATION ? *a : *b));
	if (kind_of_comparison(a->kind) != kind_of_comparison(b->kind))
		return err_set(e, ERR_EXEC, -1, "incompatible types for comparison");
	return true;
}

static bool equal(const struct template_value *a, const struct template_value *b)
{
	if (kind_of_comparison(a->kind) != kind_of_comparison(b->kind))
		return false;
	switch (a->kind) {
	case TEMPLATE_NIL:
		return true;
	case TEMPLATE_BOOL:
		return a->b == b->b;
	case TEMPLATE_INT:
	case TEMPLATE_DURATION:
		return a->i == b->i;
	case TEMPLATE_FLOAT:
		return a->f == b->f;
	case TEMPLATE_STRING:
		return str_eq(a->s, b->s);
	case TEMPLATE_TIME:
		return a->t.ms == b->t.ms;
	default:
		return false;
	}
}

/* eq a b c: a == b || a == c. */
static bool go_eq(struct template_call *c)
{
	bool hit = false;

	for (size_t i = 1; i < c->n_args && !hit; i++) {
		if (!comparable(&c->args[0], &c->args[i], c->e))
			return false;
		hit = equal(&c->args[0], &c->args[i]);
	}
	c->out = template_bool(hit);
	return true;
}

static bool go_ne(struct template_call *c)
{
	if (!comparable(&c->args[0], &c->args[1], c->e))
		return false;
	c->out = template_bool(!equal(&c->args[0], &c->args[1]));
	return true;
}

static bool less(struct template_call *c, const struct template_value *a, const struct template_value *b, bool *out)
{
	if (!comparable(a, b, c->e))
		return false;
	switch (a->kind) {
	case TEMPLATE_INT:
	case TEMPLATE_DURATION:
		*out = a->i < b->i;
		return true;
	case TEMPLATE_FLOAT:
		*out = a->f < b->f;
		return true;
	case TEMPLATE_STRING:
		*out = str_cmp(a->s, b->s) < 0;
		return true;
	default:
		return err_set(c->e, ERR_EXEC, -1, "invalid type for comparison");
	}
}

static bool go_lt(struct template_call *c)
{
	bool lt = false;

	if (!less(c, &c->args[0], &c->args[1], &lt))
		return false;
	c->out = template_bool(lt);
	return true;
}

static bool go_le(struct template_call *c)
{
	if (!go_lt(c))
		return false;
	c->out.b |= equal(&c->args[0], &c->args[1]);
	return true;
}

static bool go_gt(struct template_call *c)
{
	if (!go_le(c))
		return false;
	c->out.b = !c->out.b;
	return true;
}

static bool go_ge(struct template_call *c)
{
	if (!go_lt(c))
		return false;
	c->out.b = !c->out.b;
	return true;
}

/* ---- collections ---- */

static bool go_len(struct template_call *c)
{
	const struct template_value *v = &c->args[0];

	if (v->kind == TEMPLATE_STRING)
		c->out = template_int((int64_t)v->s.n);
	else if (v->kind == TEMPLATE_LIST)
		c->out = template_int((int64_t)v->list->n);
	else if (v->kind == TEMPLATE_MAP)
		c->out = template_int((int64_t)v->map->n);
	else
		return err_set(c->e, ERR_EXEC, -1, "len of type %s", template_type_name(*v));
	return true;
}

static bool index_one(struct template_call *c, struct template_value v, struct template_value at, struct template_value *out)
{
	size_t n = v.kind == TEMPLATE_LIST ? v.list->n : v.kind == TEMPLATE_STRING ? v.s.n : 0;

	if (v.kind == TEMPLATE_MAP) {
		if (at.kind != TEMPLATE_STRING)
			return err_set(c->e, ERR_EXEC, -1, "value has type %s; should be string", template_type_name(at));
		*out = v.map->type != NULL ? v.map->type->missing : (struct template_value){ .kind = TEMPLATE_NIL };
		for (size_t i = 0; i < v.map->n; i++)
			if (str_eq(v.map->v[i].name, at.s))
				*out = v.map->v[i].value;
		return true;
	}
	if (v.kind == TEMPLATE_NIL)
		return err_set(c->e, ERR_EXEC, -1, "index of untyped nil");
	if (v.kind != TEMPLATE_LIST && v.kind != TEMPLATE_STRING)
		return err_set(c->e, ERR_EXEC, -1, "can't index item of type %s", template_type_name(v));
	if (at.kind != TEMPLATE_INT)
		return err_set(c->e, ERR_EXEC, -1, "cannot index slice/array with type %s", template_type_name(at));
	if (at.i < 0 || (uint64_t)at.i >= n)
		return err_set(c->e, ERR_EXEC, -1, "index out of range: %lld", (long long)at.i);
	*out = v.kind == TEMPLATE_LIST ? v.list->v[at.i] : template_int((unsigned char)v.s.p[at.i]);
	return true;
}

static bool go_index(struct template_call *c)
{
	c->out = c->args[0];
	for (size_t i = 1; i < c->n_args; i++)
		if (!index_one(c, c->out, c->args[i], &c->out))
			return false;
	return true;
}

static bool go_slice(struct template_call *c)
{
	struct template_value v = c->args[0];
	size_t n = v.kind == TEMPLATE_LIST ? v.list->n : v.kind == TEMPLATE_STRING ? v.s.n : 0;
	int64_t at[3] = { 0, (int64_t)n, (int64_t)n };

	if (v.kind != TEMPLATE_LIST && v.kind != TEMPLATE_STRING)
		return err_set(c->e, ERR_EXEC, -1, "can't slice item of type %s", template_type_name(v));
	if (c->n_args == 4 && v.kind == TEMPLATE_STRING)
		return err_set(c->e, ERR_EXEC, -1, "cannot 3-index slice a string");
	for (size_t i = 1; i < c->n_args; i++) {
		if (!template_arg_int(c, i, &at[i - 1]))
			return false;
		if (at[i - 1] < 0 || at[i - 1] > (int64_t)n)
			return err_set(c->e, ERR_EXEC, -1, "index out of range: %lld", (long long)at[i - 1]);
	}
	if (at[0] > at[1] || at[1] > at[2])
		return err_set(c->e, ERR_EXEC, -1, "invalid slice index: %lld > %lld", (long long)at[0], (long long)at[1]);
	if (v.kind == TEMPLATE_STRING)
		c->out = template_str((struct str){ v.s.p + at[0], (size_t)(at[1] - at[0]) });
	else
		c->out = template_list_of(c->arena, v.list->v + at[0], (size_t)(at[1] - at[0]), v.list->type);
	return true;
}

static bool go_call(struct template_call *c)
{
	return err_set(c->e, ERR_EXEC, -1, "non-function of type %s", template_type_name(c->args[0]));
}

/* ---- text ---- */

/* Sprint puts a space between operands when neither is a string. */
static bool go_print(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };

	for (size_t i = 0; i < c->n_args; i++) {
		if (i > 0 && c->args[i].kind != TEMPLATE_STRING && c->args[i - 1].kind != TEMPLATE_STRING)
			buf_putc(&b, ' ');
		template_print_arg(&b, c->args[i]);
	}
	return template_answer(c, &b);
}

static bool go_println(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };

	for (size_t i = 0; i < c->n_args; i++) {
		if (i > 0)
			buf_putc(&b, ' ');
		template_print_arg(&b, c->args[i]);
	}
	buf_putc(&b, '\n');
	return template_answer(c, &b);
}

static bool go_printf(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str format;

	if (!template_arg_str(c, 0, &format))
		return false;
	template_printf(&b, format, c->args + 1, c->n_args - 1);
	return template_answer(c, &b);
}

/* All arguments as one text, as the escapers take them. */
static struct str joined(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str s;

	for (size_t i = 0; i < c->n_args; i++)
		template_print_arg(&b, c->args[i]);
	s = arena_str(c->arena, buf_str(&b));
	buf_fini(&b);
	return s;
}

void template_escape_html(struct buf *b, struct str s)
{
	static const char from[] = "&<>\"'", *const to[] = { "&amp;", "&lt;", "&gt;", "&#34;", "&#39;" };

	for (size_t i = 0; i < s.n; i++) {
		const char *hit = memchr(from, s.p[i], sizeof from - 1);

		if (hit != NULL)
			buf_putz(b, to[hit - from]);
		else
			buf_putc(b, s.p[i]);
	}
}

static bool go_html(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	bool ok;

	template_escape_html(&b, joined(c));
	ok = template_answer(c, &b);
	c->out.safe = true;
	return ok;
}

static bool go_js(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str s = joined(c);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch == '\\' || ch == '\'' || ch == '"')
			buf_printf(&b, "\\%c", ch);
		else if (ch < 0x20 || memchr("<>&=", ch, 4) != NULL)
			buf_printf(&b, "\\u%04X", ch);
		else
			buf_putc(&b, (char)ch);
	}
	return template_answer(c, &b);
}

bool template_fn_query_escape(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str s = joined(c);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
		             (ch != '\0' && strchr("-_.~", ch) != NULL);

		if (plain)
			buf_putc(&b, (char)ch);
		else if (ch == ' ')
			buf_putc(&b, '+');
		else
			buf_printf(&b, "%%%02X", ch);
	}
	return template_answer(c, &b);
}

const struct template_func template_go_funcs[] = {
	{ "and", 1, -1, template_go_and },
	{ "call", 1, -1, go_call },
	{ "eq", 2, -1, go_eq },
	{ "ge", 2, 2, go_ge },
	{ "gt", 2, 2, go_gt },
	{ "html", 0, -1, go_html },
	{ "index", 1, -1, go_index },
	{ "js", 0, -1, go_js },
	{ "le", 2, 2, go_le },
	{ "len", 1, 1, go_len },
	{ "lt", 2, 2, go_lt },
	{ "ne", 2, 2, go_ne },
	{ "not", 1, 1, go_not },
	{ "or", 1, -1, template_go_or },
	{ "print", 0, -1, go_print },
	{ "printf", 1, -1, go_printf },
	{ "println", 0, -1, go_println },
	{ "slice", 1, 4, go_slice },
	{ "urlquery", 0, -1, template_fn_query_escape },
};
const size_t template_n_go_funcs = ARRAY_LEN(template_go_funcs);
