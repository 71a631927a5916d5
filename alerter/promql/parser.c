/* The parser's state: tokens one ahead, the sticky error and what it says about the token at fault, depth, nodes. */
#include "parse.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "functions.h"

static struct token next_token(struct parser *p)
{
	struct token tok = lex_next(&p->lex);

	if (p->lex.failed)
		tok.kind = TOK_END;
	return tok;
}

void parser_init(struct parser *p, struct arena *arena, struct str text, const struct promql_options *options, struct err *e)
{
	*p = (struct parser){ .arena = arena, .options = options, .err = e, .lex = { .text = text, .err = e } };
	p->tok = next_token(p);
}

bool parser_failed(const struct parser *p)
{
	return p->lex.failed;
}

static struct node *placeholder(struct parser *p)
{
	p->lex.failed = true;
	p->tok = lex_next(&p->lex);
	return ARENA_NEW(p->arena, struct node);
}

struct node *parser_fail(struct parser *p, int pos, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (!p->lex.failed)
		err_set(p->err, ERR_SYNTAX, pos, "%s", text);
	return placeholder(p);
}

/* The current token for people: 'x' for signs, the text itself for the rest. */
static void describe(const struct parser *p, char out[80])
{
	struct str text = p->tok.text;
	const char *cut = text.n > 40 ? "…" : "";
	int n = text.n > 40 ? 40 : (int)text.n;

	while (n < (int)text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;                            /* not through a character */
	switch (p->tok.kind) {
	case TOK_END:
		snprintf(out, 80, "end of query");
		return;
	case TOK_NUMBER:
		snprintf(out, 80, "number %.*s%s", n, text.p, cut);
		return;
	case TOK_DURATION:
		snprintf(out, 80, "duration %.*s%s", n, text.p, cut);
		return;
	case TOK_STRING:
		snprintf(out, 80, "string %.*s%s", n, text.p, cut);
		return;
	default:
		snprintf(out, 80, "'%.*s%s'", n, text.p, cut);
		return;
	}
}

/* A message is one line, whatever the token was. */
static void on_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

struct node *parser_unexpected(struct parser *p, const char *fmt, ...)
{
	char found[80], text[320];
	va_list args;

	describe(p, found);
	on_one_line(found);
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return parser_fail(p, p->tok.beg, "unexpected %s: %s", found, text);
}

bool parser_bound(struct parser *p, size_t n, size_t limit, const char *what)
{
	if (n < limit)
		return true;
	if (!p->lex.failed)
		err_set(p->err, ERR_LIMIT, p->tok.beg, "the query has more than %zu %s (limit %s)", limit, what, what);
	placeholder(p);
	return false;
}

struct node *parser_too_deep(struct parser *p, int pos)
{
	if (!p->lex.failed)
		err_set(p->err, ERR_LIMIT, pos, DEPTH_MESSAGE, p->options->limits.max_depth);
	return placeholder(p);
}

bool parser_enter(struct parser *p)
{
	p->depth++;
	return p->depth <= p->options->limits.max_depth;
}

void parser_leave(struct parser *p)
{
	assert(p->depth > 0);
	p->depth--;
}

struct token parser_take(struct parser *p)
{
	p->last = p->tok;
	p->tok = next_token(p);
	return p->last;
}

bool parser_accept(struct parser *p, enum token_kind kind)
{
	if (p->tok.kind != kind)
		return false;
	parser_take(p);
	return true;
}

bool parser_at_word(const struct parser *p, const char *word)
{
	return p->tok.kind == TOK_WORD && str_eq_nocase(p->tok.text, str_of(word));
}

bool parser_accept_word(struct parser *p, const char *word)
{
	if (!parser_at_word(p, word))
		return false;
	parser_take(p);
	return true;
}

struct token parser_peek(const struct parser *p)
{
	struct err ignored = { 0 };
	struct lexer ahead = p->lex;

	ahead.err = &ignored;
	return lex_next(&ahead);
}

struct node *parser_node(struct parser *p, enum node_kind kind, int beg)
{
	struct node *n = ARENA_NEW(p->arena, struct node);

	if (parser_bound(p, (size_t)p->n_nodes, PARSE_NODES, "nodes"))
		n->id = p->n_nodes++;
	n->kind = kind;
	n->beg = beg;
	n->end = p->last.end;
	return n;
}

void regex_list_free(struct regex_list *list)
{
	for (; list != NULL; list = list->next)
		regex_free(list->regex);
}

enum { ADVICE_BYTES = 200 };

static bool names_operation(struct str word)
{
	for (int i = 0; i < N_AGGRS; i++)
		if (str_eq_nocase(aggregators[i].text, word))
			return true;
	return function_find(word) != NULL;
}

/* Why a token that stands behind a whole expression does not belong there; NULL when there is nothing special to say. */
static const char *stray_advice(const struct parser *p, char buf[ADVICE_BYTES])
{
	static const struct {
		const char *word, *advice;
	} words[] = {
		{ "by", "'by' belongs to an aggregation: sum by (job) (x)" },
		{ "without", "'without' belongs to an aggregation: sum without (job) (x)" },
		{ "on", "'on' belongs behind an operator: a / on (job) b" },
		{ "ignoring", "'ignoring' belongs behind an operator: a / ignoring (job) b" },
		{ "group_left", "'group_left' belongs behind an operator: a / on (job) group_left b" },
		{ "group_right", "'group_right' belongs behind an operator: a / on (job) group_right b" },
		{ "bool", "'bool' belongs behind a comparison operator: a > bool b" },
		{ "in", "PromQL has no 'in': match labels with {job=~\"a|b\"}" },
		{ "like", "PromQL has no 'like': match labels with {job=~\"a.*\"}" },
		{ "is", "compare with '=='" },
		{ "for", "'for' stands beside 'expr' in the rule, not in the query" },
		{ "where", "filter with label matchers in braces, or with a comparison" },
		{ "group", "write sum by (job) (x)" },
	};

	switch (p->tok.kind) {
	case TOK_EQ:
		return "'==' compares; a single '=' only stands in braces: up{job=\"api\"}";
	case TOK_EQ_RE:
	case TOK_NE_RE:
		return "regular expressions match labels, in braces: up{job=~\"api.*\"}";
	case TOK_LBRACE:
		return p->last.kind == TOK_RBRACE ? "all label matchers stand in one pair of braces" : NULL;
	case TOK_WORD:
		if (p->last.kind == TOK_NUMBER && p->tok.text.n < 3 && memchr("smhdwy", p->tok.text.p[0], 6) != NULL) {
			snprintf(buf, ADVICE_BYTES, "a duration has no space: write %.*s%.*s",
				 (int)(p->last.text.n > 40 ? 40 : p->last.text.n), p->last.text.p, (int)p->tok.text.n,
				 p->tok.text.p);
			return buf;
		}
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (parser_at_word(p, words[i].word))
				return words[i].advice;
		if (p->last.kind == TOK_WORD && names_operation(p->last.text)) {
			snprintf(buf, ADVICE_BYTES, STR_FMT " takes parentheses: " STR_FMT "(%.*s)", STR_ARG(p->last.text),
			         STR_ARG(p->last.text), (int)(p->tok.text.n > 40 ? 40 : p->tok.text.n), p->tok.text.p);
			return buf;
		}
		return NULL;
	default:
		return NULL;
	}
}

void parser_close(struct parser *p, enum token_kind kind, struct token open)
{
	char close = kind == TOK_RPAREN ? ')' : kind == TOK_RBRACE ? '}' : ']';
	char buf[ADVICE_BYTES];
	const char *advice;
	struct text_place at;

	if (parser_accept(p, kind) || p->lex.failed)
		return;
	advice = stray_advice(p, buf);
	at = text_place(p->lex.text, open.beg);
	if (advice != NULL)
		parser_unexpected(p, "%s", advice);
	else
		parser_unexpected(p, "expected '%c' to close '" STR_FMT "' at %d:%d", close, STR_ARG(open.text), at.line,
				  at.column);
}

void parser_finish(struct parser *p)
{
	char buf[ADVICE_BYTES];
	const char *advice = stray_advice(p, buf);

	switch (p->tok.kind) {
	case TOK_END:
		return;
	case TOK_RPAREN:
	case TOK_RBRACKET:
	case TOK_RBRACE:
		parser_unexpected(p, "nothing is open that it could close");
		return;
	default:
		parser_unexpected(p, "%s", advice != NULL ? advice : "expected an operator or the end of the query");
	}
}
