/* Selectors and what may follow an expression: label matchers, ranges, subqueries, offset, @, anchored, smoothed. */
#include "parse.h"

#include <math.h>

static bool add_regex(struct parser *p, struct matcher *m, struct token tok)
{
	struct regex_list *row = ARENA_NEW(p->arena, struct regex_list);
	struct err e = { 0 };

	if (!parser_bound(p, p->n_regexes++, PARSE_REGEXES, "regexes"))
		return false;
	row->regex = regex_new(m->value, REGEX_MATCHER, &e);
	if (row->regex == NULL) {
		bool verbatim = m->value.n == tok.text.n - 2; /* no escapes: positions in the pattern are positions in the query */

		parser_fail(p, verbatim && e.pos >= 0 ? tok.beg + 1 + e.pos : tok.beg, "bad regular expression: %s", e.msg);
		return false;
	}
	row->next = p->regexes;
	p->regexes = row;
	m->re = row->regex;
	return true;
}

/* op = "=" | "!=" | "=~" | "!~" */
static bool parse_match_op(struct parser *p, struct str name, enum match_op *out)
{
	switch (p->tok.kind) {
	case TOK_EQ:
		*out = MATCH_EQ;
		break;
	case TOK_EQ_RE:
		*out = MATCH_RE;
		break;
	case TOK_NE_RE:
		*out = MATCH_NRE;
		break;
	case TOK_OP:
		if (p->tok.op == OP_NEQ) {
			*out = MATCH_NE;
			break;
		}
		if (p->tok.op == OP_EQL)
			return parser_unexpected(p, "a label is matched with a single '='"), false;
		return parser_unexpected(p, "labels are matched with '=', '!=', '=~' or '!~'"), false;
	default:
		return parser_unexpected(p, "expected '=', '!=', '=~' or '!~' behind label " STR_FMT,
					 (int)(name.n > 60 ? 60 : name.n), name.p),
		       false;
	}
	parser_take(p);
	return true;
}

/* A string alone is the metric's name; a label is quoted or a plain word. */
static bool parse_match_name(struct parser *p, struct str *name, bool *quoted)
{
	struct token tok = p->tok;

	*quoted = tok.kind == TOK_STRING;
	if (!*quoted && tok.kind != TOK_WORD)
		return parser_unexpected(p, "expected a label name or '}'"), false;
	parser_take(p);
	if (!*quoted)
		*name = arena_str(p->arena, tok.text);
	else if (!literal_string(p->arena, tok, name, p->err))
		return parser_fail(p, tok.beg, "bad string"), false;
	else if (name->n == 0 || !str_is_utf8(*name))
		return parser_fail(p, tok.beg, "a name must be valid UTF-8 and not empty"), false;
	return true;
}

/* matcher = STRING | ( WORD | STRING ) op STRING */
static void parse_matcher(struct parser *p, struct matcher *m)
{
	struct token tok;
	bool quoted;

	if (!parse_match_name(p, &m->name, &quoted))
		return;
	if (quoted && (p->tok.kind == TOK_COMMA || p->tok.kind == TOK_RBRACE)) {
		*m = (struct matcher){ .op = MATCH_EQ, .name = STR(LABEL_NAME), .value = m->name };
		return;
	}
	if (!parse_match_op(p, m->name, &m->op))
		return;
	tok = p->tok;
	if (tok.kind == TOK_WORD || tok.kind == TOK_NUMBER || tok.kind == TOK_DURATION) {
		parser_unexpected(p, "a label's value is quoted: \"%.*s\"", (int)(tok.text.n > 60 ? 60 : tok.text.n), tok.text.p);
		return;
	}
	if (tok.kind != TOK_STRING) {
		parser_unexpected(p, "expected a quoted value for the label");
		return;
	}
	parser_take(p);
	if (!literal_string(p->arena, tok, &m->value, p->err))
		parser_fail(p, tok.beg, "bad string");
	else if (m->op == MATCH_RE || m->op == MATCH_NRE)
		add_regex(p, m, tok);
}

/* selector = NAME [ braces ] | braces;  braces = "{" [ matcher { "," matcher } [ "," ] ] "}" */
struct node *parse_selector(struct parser *p, struct token name)
{
	struct node *n = parser_node(p, NODE_SELECTOR, name.kind == TOK_WORD ? name.beg : p->tok.beg);
	struct matcher *v = NULL;
	size_t cap = 0, count = 0;
	struct token open = p->tok;

	if (parser_accept(p, TOK_LBRACE)) {
		while (p->tok.kind != TOK_RBRACE && parser_bound(p, count, PARSE_MATCHERS, "matchers")) {
			v = arena_grow(p->arena, v, count, &cap, count + 1, sizeof *v);
			v[count] = (struct matcher){ 0 };
			parse_matcher(p, &v[count++]);
			if (!parser_accept(p, TOK_COMMA))
				break;
		}
		parser_close(p, TOK_RBRACE, open);
	}
	if (name.kind == TOK_WORD) {
		n->selector.metric = arena_str(p->arena, name.text);
		v = arena_grow(p->arena, v, count, &cap, count + 1, sizeof *v);
		v[count++] = (struct matcher){ .op = MATCH_EQ, .name = STR(LABEL_NAME), .value = n->selector.metric };
	}
	n->selector.matchers = v;
	n->selector.n_matchers = count;
	n->end = p->last.end;
	return n;
}

static bool has_range(const struct node *n)
{
	return n->kind == NODE_SELECTOR && n->selector.range.set;
}

/* range = "[" duration "]" | "[" duration ":" [ duration ] "]" */
static struct node *parse_range(struct parser *p, struct node *n)
{
	struct token open = parser_take(p);
	struct node *sub;
	struct duration range = { 0 }, step = { 0 };

	parse_range_duration(p, "range", &range);
	if (parser_accept(p, TOK_COLON)) {
		if (p->tok.kind != TOK_RBRACKET)
			parse_range_duration(p, "step", &step);
		parser_close(p, TOK_RBRACKET, open);
		sub = parser_node(p, NODE_SUBQUERY, n->beg);
		sub->subquery = (struct node_subquery){ .child = n, .range = range, .step = step };
		return sub;
	}
	parser_close(p, TOK_RBRACKET, open);
	if (parser_failed(p))
		return n;
	if (n->kind != NODE_SELECTOR || has_range(n))
		return parser_fail(p, open.beg,
				   "a range follows a selector, as in rate(x[5m]); of other expressions take a subquery, [5m:1m]");
	if (n->selector.offset.set || n->selector.at != AT_NONE)
		return parser_fail(p, open.beg, "the range comes first, then %s: x[5m] %s",
				   n->selector.offset.set ? "'offset'" : "'@'", n->selector.offset.set ? "offset 1h" : "@ end()");
	n->selector.range = range;
	n->end = p->last.end;
	return n;
}

static struct node *parse_offset(struct parser *p, struct node *n)
{
	struct token word = parser_take(p);
	struct duration *offset = n->kind == NODE_SELECTOR   ? &n->selector.offset
				  : n->kind == NODE_SUBQUERY ? &n->subquery.offset
							     : NULL;

	if (offset == NULL)
		return parser_fail(p, word.beg,
				   "'offset' follows a selector or a subquery directly: sum(x offset 5m), not sum(x) offset 5m");
	if (offset->set)
		return parser_fail(p, word.beg, "'offset' is set twice");
	parse_offset_duration(p, offset);
	n->end = p->last.end;
	return n;
}

/* at = "@" ( number | "start" "(" ")" | "end" "(" ")" ) */
static struct node *parse_at(struct parser *p, struct node *n)
{
	struct token at = parser_take(p), open;
	bool start = parser_at_word(p, "start"), selector = n->kind == NODE_SELECTOR;
	enum at_kind *kind = selector ? &n->selector.at : &n->subquery.at;
	int64_t *ms = selector ? &n->selector.at_ms : &n->subquery.at_ms;
	double seconds = 0;

	if (!selector && n->kind != NODE_SUBQUERY)
		return parser_fail(p, at.beg, "'@' follows a selector or a subquery directly: sum(x @ end()), not sum(x) @ end()");
	if (*kind != AT_NONE)
		return parser_fail(p, at.beg, "'@' is set twice");
	if (start || parser_at_word(p, "end")) {
		*kind = start ? AT_START : AT_END;
		parser_take(p);
		open = p->tok;
		if (!parser_accept(p, TOK_LPAREN))
			return parser_unexpected(p, "expected '()' after '@ %s'", start ? "start" : "end");
		parser_close(p, TOK_RPAREN, open);
	} else {
		if (!parse_signed_number(p, "'@', seconds since 1970, or start() or end()", &seconds))
			return n;
		if (!(fabs(seconds) < 9e15))
			return parser_fail(p, at.beg, "the time of '@' is out of range");
		*kind = AT_TIME;
		*ms = (int64_t)round(seconds * 1000);
	}
	n->end = p->last.end;
	return n;
}

static struct node *parse_mode(struct parser *p, struct node *n)
{
	struct token word = parser_take(p);
	enum range_mode mode = str_eq_nocase(word.text, STR("anchored")) ? RANGE_ANCHORED : RANGE_SMOOTHED;

	if (!(p->options->features & PROMQL_EXTENDED_RANGE_SELECTORS))
		return parser_fail(p, word.beg,
				   "'" STR_FMT "' is experimental: it needs the feature promql-extended-range-selectors",
				   STR_ARG(word.text));
	if (n->kind != NODE_SELECTOR)
		return parser_fail(p, word.beg, "'" STR_FMT "' follows a selector, not %s", STR_ARG(word.text),
		                   n->kind == NODE_SUBQUERY ? "a subquery" : "an expression");
	if (n->selector.mode != RANGE_PLAIN && n->selector.mode != mode)
		return parser_fail(p, word.beg, "'anchored' and 'smoothed' cannot be used together");
	n->selector.mode = mode;
	n->end = p->last.end;
	return n;
}

struct node *parse_postfix(struct parser *p, struct node *n)
{
	for (;;) {
		if (p->tok.kind == TOK_LBRACKET)
			n = parse_range(p, n);
		else if (p->tok.kind == TOK_AT)
			n = parse_at(p, n);
		else if (parser_at_word(p, "offset"))
			n = parse_offset(p, n);
		else if (parser_at_word(p, "anchored") || parser_at_word(p, "smoothed"))
			n = parse_mode(p, n);
		else
			return n;
	}
}
