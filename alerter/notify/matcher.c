/* Alertmanager's matcher language, the newer (UTF-8) one: what is not a space and none of {}!=~,\"'` may stand bare.
 * Source: Alertmanager documentation, "Matchers"; matcher_classic.c has the older form. */
#include "notify/matcher.h"

#include <stdlib.h>

#include "tocsin/mem.h"

struct scan {
	struct str text;
	size_t at;
	struct arena *arena;
	struct err *e;
};

static void skip_space(struct scan *s)
{
	while (s->at < s->text.n && strchr(" \t\r\n", s->text.p[s->at]) != NULL)
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->text.n || s->text.p[s->at] != c)
		return false;
	s->at++;
	return true;
}

static bool fail(const struct scan *s, const char *wanted)
{
	if (s->at == s->text.n)
		return err_set(s->e, ERR_SYNTAX, (int)s->at, "end of the matcher: expected %s", wanted);
	return err_set(s->e, ERR_SYNTAX, (int)s->at, "unexpected '%c' in a matcher: expected %s", s->text.p[s->at], wanted);
}

/* op := '=' | '!=' | '=~' | '!~' */
static bool operator(struct scan *s, enum match_op *op)
{
	static const struct {
		const char *text;
		enum match_op op;
	} ops[] = { { "=~", MATCH_RE }, { "!~", MATCH_NRE }, { "!=", MATCH_NE }, { "=", MATCH_EQ } };
	struct str rest;

	skip_space(s);
	rest = (struct str){ s->text.p + s->at, s->text.n - s->at };
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_starts(rest, str_of(ops[i].text))) {
			s->at += strlen(ops[i].text);
			*op = ops[i].op;
			return true;
		}
	return fail(s, "one of = != =~ !~");
}

static char unescape(char c)
{
	static const char from[] = "nrtabfv\\\"'", to[] = "\n\r\t\a\b\f\v\\\"'";
	const char *p = strchr(from, c);

	return c != '\0' && p != NULL ? to[p - from] : '\0';
}

/* \n \t … as in Go; a \x or \u escape is refused by name rather than passed on. */
static bool quoted(struct scan *s, struct str *out)
{
	struct buf b = { 0 };
	size_t beg = s->at++;
	bool ok = true;

	while (ok && s->at < s->text.n && s->text.p[s->at] != '"') {
		char c = s->text.p[s->at++];

		if (c == '\\') {
			c = s->at < s->text.n ? unescape(s->text.p[s->at]) : '\0';
			if (c == '\0')
				ok = err_set(
					s->e, ERR_SYNTAX, (int)s->at - 1,
					"unknown escape in a matcher: only \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' are known");
			s->at++;
		}
		buf_putc(&b, c);
	}
	if (ok && s->at++ == s->text.n)
		ok = err_set(s->e, ERR_SYNTAX, (int)beg, "a quote is not closed: expected \" at the end of the value");
	*out = arena_str(s->arena, buf_str(&b));
	buf_fini(&b);
	return ok;
}

static bool word(struct scan *s, const char *wanted, struct str *out)
{
	size_t beg;

	skip_space(s);
	if (s->at < s->text.n && s->text.p[s->at] == '"')
		return quoted(s, out);
	for (beg = s->at; s->at < s->text.n && strchr(" \t\r\n{}!=~,\\\"'`", s->text.p[s->at]) == NULL; s->at++)
		;
	if (beg == s->at)
		return fail(s, wanted);
	*out = arena_str(s->arena, (struct str){ s->text.p + beg, s->at - beg });
	return true;
}

void matcher_list_free_regexes(struct matcher_list *l)
{
	for (size_t i = 0; i < l->n_regexes; i++)
		regex_free(l->regexes[i]);
	free(l->regexes);
	l->regexes = NULL;
	l->n_regexes = l->cap_regexes = 0;
}

bool matcher_add(struct matcher_list *l, enum match_op op, struct str name, struct str value, struct err *e)
{
	struct matcher m = { .op = op, .name = name, .value = value };

	if (op == MATCH_RE || op == MATCH_NRE) {
		struct regex *re = regex_new(value, REGEX_MATCHER, e);

		if (re == NULL)
			return false;
		l->regexes = mem_grow(l->regexes, &l->cap_regexes, l->n_regexes + 1, sizeof *l->regexes);
		l->regexes[l->n_regexes++] = re;
		m.re = re;
	}
	if (l->n == l->cap)
		l->v = arena_grow(l->arena, l->v, l->n, &l->cap, l->n + 1, sizeof *l->v);
	l->v[l->n++] = m;
	return true;
}

/* matcher := name op value */
static bool one(struct scan *s, struct matcher_list *l)
{
	struct str name, value = STR("");
	enum match_op op = MATCH_EQ;
	size_t beg;

	if (!word(s, "a label name", &name) || !operator(s, &op))
		return false;
	skip_space(s);
	beg = s->at;
	if (s->at < s->text.n && s->text.p[s->at] != ',' && s->text.p[s->at] != '}' && !word(s, "a value", &value))
		return false;
	if (matcher_add(l, op, name, value, s->e))
		return true;
	s->e->pos = (int)beg;
	return false;
}

static bool parse_newer(struct matcher_list *l, struct str text, struct err *e)
{
	struct scan s = { text, 0, l->arena, e };
	bool brace = take(&s, '{');

	for (;;) {
		skip_space(&s);
		if (s.at == text.n || text.p[s.at] == '}')
			break;
		if (!one(&s, l))
			return false;
		if (!take(&s, ','))
			break;
	}
	if (brace && !take(&s, '}'))
		return fail(&s, "',' or '}'");
	skip_space(&s);
	return s.at == text.n || fail(&s, "',' or the end");
}

bool matcher_parse(struct matcher_list *l, struct str text, struct err *e)
{
	size_t n = l->n;
	struct err unused = { 0 };

	if (matcher_parse_classic(l, text, &unused))
		return true;
	l->n = n;
	return parse_newer(l, text, e);
}

bool matcher_parse_filter(struct matcher_list *l, struct str text, struct err *e)
{
	size_t n = l->n;

	if (!matcher_parse(l, text, e))
		return err_context(e, "bad matcher format: " STR_FMT, STR_ARG(text));
	return l->n == n + 1 || err_set(e, ERR_SYNTAX, -1, "bad matcher format: " STR_FMT ": a filter is one matcher, such as team=\"db\"", STR_ARG(text));
}

static int compare(const void *a, const void *b)
{
	const struct matcher *x = a, *y = b;
	int order = str_cmp(x->name, y->name);

	if (order == 0)
		order = str_cmp(x->value, y->value);
	return order != 0 ? order : (x->op > y->op) - (x->op < y->op);
}

void matcher_sort(struct matcher_list *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, compare);
}

void matcher_print(struct buf *b, const struct matcher *m, size_t n)
{
	static const char *const ops[] = { [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~" };

	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s" STR_FMT "%s\"", i > 0 ? "," : "", STR_ARG(m[i].name), ops[m[i].op]);
		labels_escape(b, m[i].value);
		buf_putc(b, '"');
	}
	buf_putc(b, '}');
}
