/* From text to tokens. One switch on the first byte; every message says what would have been right. */
#include "lex.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str rest_of(const struct lexer *l)
{
	return (struct str){ l->text.p + l->pos, l->text.n - l->pos };
}

static char byte_at(const struct lexer *l, size_t ahead)
{
	return l->pos + ahead < l->text.n ? l->text.p[l->pos + ahead] : '\0';
}

static struct token end_token(const struct lexer *l)
{
	return (struct token){.kind = TOK_END, .beg = (int)l->text.n, .end = (int)l->text.n, .text = {l->text.p + l->text.n, 0}};
}

#define FAIL(l, pos, ...) ((l)->failed = true, (void)err_set((l)->err, ERR_SYNTAX, (int)(pos), __VA_ARGS__), end_token(l))

static struct token take(struct lexer *l, enum token_kind kind, size_t n)
{
	struct token tok = { .kind = kind, .beg = (int)l->pos, .end = (int)(l->pos + n), .text = { l->text.p + l->pos, n } };

	l->pos += n;
	return tok;
}

static void skip_blank(struct lexer *l)
{
	while (l->pos < l->text.n) {
		char c = l->text.p[l->pos];

		if (c == '#') {
			while (l->pos < l->text.n && l->text.p[l->pos] != '\n' && l->text.p[l->pos] != '\r')
				l->pos++;
		} else if (is_space(c)) {
			l->pos++;
		} else {
			return;
		}
	}
}

static bool too_large(struct str run)
{
	char text[64], *end;

	if (run.n >= sizeof text || memchr(run.p, 'x', run.n) != NULL)
		return false;
	memcpy(text, run.p, run.n);
	text[run.n] = '\0';
	return isinf(strtod(text, &end)) && *end == '\0';
}

/* What is wrong with a word that begins like a number, and what would be right. */
static struct token bad_number(struct lexer *l, struct str run)
{
	static const struct {
		const char *wrong, *right;
	} units[] = { { "sec", "s" }, { "secs", "s" }, { "second", "s" }, { "seconds", "s" }, { "min", "m" }, { "mins", "m" },
		      { "minute", "m" }, { "minutes", "m" }, { "M", "m" }, { "hour", "h" }, { "hours", "h" }, { "hr", "h" },
		      { "hrs", "h" }, { "H", "h" }, { "day", "d" }, { "days", "d" }, { "D", "d" }, { "week", "w" },
		      { "weeks", "w" }, { "W", "w" }, { "year", "y" }, { "years", "y" }, { "Y", "y" }, { "S", "s" },
		      { "msec", "ms" }, { "MS", "ms" } };
	size_t digits = 0;
	struct str unit;

	while (digits < run.n && (is_digit(run.p[digits]) || run.p[digits] == '.'))
		digits++;
	unit = (struct str){ run.p + digits, run.n - digits };
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_eq(unit, str_of(units[i].wrong)))
			return FAIL(l, l->pos, "bad duration " STR_FMT ": write %.*s%s", STR_ARG(run), (int)digits, run.p,
				    units[i].right);
	if (memchr(run.p, '.', run.n) != NULL && unit.n > 0 && memchr("smhdwy", unit.p[0], 6) != NULL)
		return FAIL(l, l->pos, "bad duration " STR_FMT ": durations are made of whole numbers, such as 1h30m",
			    STR_ARG(run));
	if (unit.n > 0 && memchr("smhdwy", unit.p[0], 6) != NULL)
		return FAIL(l, l->pos,
			    "bad duration " STR_FMT
			    ": the units are y w d h m s ms, in this order, each at most once, up to 292y in all",
			    STR_ARG(run));
	if (too_large(run))
		return FAIL(l, l->pos, "number " STR_FMT " is out of range: the largest is 1.7976931348623157e308", STR_ARG(run));
	return FAIL(l, l->pos,
		    "bad number or duration " STR_FMT ": expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m",
		    STR_ARG(run));
}

/* Takes all that could belong to it and then looks whether it is one: so 5min is one mistake and not a number and a name. */
static struct token lex_number(struct lexer *l)
{
	struct str rest = rest_of(l);
	bool decimal = true;
	size_t n = 0;
	double v;
	int64_t ms;

	while (n < rest.n && (is_alpha(rest.p[n]) || is_digit(rest.p[n]) || rest.p[n] == '.')) {
		bool exponent = decimal && n > 0 && (rest.p[n] == 'e' || rest.p[n] == 'E');

		decimal = decimal && (!is_alpha(rest.p[n]) || rest.p[n] == '_');
		n++;
		if (exponent && n < rest.n && (rest.p[n] == '+' || rest.p[n] == '-'))
			n++;
	}
	if (literal_number((struct str){ rest.p, n }, &v))
		return take(l, TOK_NUMBER, n);
	if (literal_duration_ms((struct str){ rest.p, n }, &ms))
		return take(l, TOK_DURATION, n);
	return bad_number(l, (struct str){ rest.p, n < 40 ? n : 40 });
}

static struct token lex_string(struct lexer *l)
{
	struct str rest = rest_of(l);
	char quote = rest.p[0];

	for (size_t i = 1; i < rest.n; i++) {
		if (rest.p[i] == quote) {
			if (!str_is_utf8((struct str){ rest.p, i }))
				return FAIL(l, l->pos, "string is not valid UTF-8: write other bytes as \\x41 in double quotes");
			return take(l, TOK_STRING, i + 1);
		}
		if (quote == '`')
			continue;
		if (rest.p[i] == '\n')
			return FAIL(l, l->pos, "string has no closing %c on its line: close it, or write a newline as \\n", quote);
		if (rest.p[i] == '\\' && i + 1 < rest.n && rest.p[i + 1] != '\n')
			i++;
	}
	return FAIL(l, l->pos, "string has no closing %c", quote);
}

static struct token lex_word(struct lexer *l)
{
	struct str rest = rest_of(l);
	bool colons = !l->in_brackets && !l->in_braces;
	size_t n = 0;

	while (n < rest.n && (is_alpha(rest.p[n]) || is_digit(rest.p[n]) || (colons && rest.p[n] == ':')))
		n++;
	return take(l, TOK_WORD, n);
}

/* The longest operator in signs that stands here; false when there is none. */
static bool lex_sign(struct lexer *l, struct token *out)
{
	static const struct str ops[] = {
#define X(id, text, left, right) [id] = { text, sizeof(text) - 1 },
		OP_LIST(X)
#undef X
	};
	struct str rest = rest_of(l);
	int best = -1;

	for (int i = 0; i < N_BINOPS; i++)
		if (!is_alpha(ops[i].p[0]) && str_starts(rest, ops[i]) && (best < 0 || ops[i].n > ops[best].n))
			best = i;
	if (best < 0)
		return false;
	*out = take(l, TOK_OP, ops[best].n);
	out->op = (enum binop)best;
	return true;
}

static const struct {
	const char *found, *advice;
} strange[] = {
	{ "&&", "'&&': PromQL writes 'and'" },
	{ "&", "'&': PromQL writes 'and'" },
	{ "||", "'||': PromQL writes 'or'" },
	{ "|", "'|': PromQL writes 'or'; alternatives in a regular expression stand in the string: {job=~\"a|b\"}" },
	{ "!", "'!': expected '!=' or, in braces, '!~'; PromQL has no 'not': use 'unless', or compare with == 0" },
	{ "~", "'~': expected '=~' or '!~', in braces: {job=~\"api.*\"}" },
	{ "$", "'$': variables such as $__rate_interval are filled in by Grafana, not by PromQL; write a duration such as 5m" },
	{ ";", "';': a query is one expression, without an end mark" },
	{ "?", "'?': PromQL has no ?: operator; filter with a comparison and join with 'or'" },
	{ ".", "'.': names with dots are quoted in braces: {\"http.requests\"}" },
	{ "\\", "'\\': outside strings there are no escapes" },
	{ "\xe2\x80\x9c", "a curly quote: write a plain \"" },
	{ "\xe2\x80\x9d", "a curly quote: write a plain \"" },
	{ "\xe2\x80\x98", "a curly quote: write a plain '" },
	{ "\xe2\x80\x99", "a curly quote: write a plain '" },
	{ "\xe2\x80\x93", "a dash: write a plain -" },
	{ "\xe2\x88\x92", "a minus sign that is not ASCII: write a plain -" },
	{ "\xc2\xa0", "a no-break space: write a plain space" },
};

static struct token bad_character(struct lexer *l)
{
	struct str rest = rest_of(l);
	unsigned char c = (unsigned char)rest.p[0];
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		if (str_starts(rest, str_of(strange[i].found)))
			return FAIL(l, l->pos, "unexpected %s", strange[i].advice);
	if (c < 0x80)
		return c >= ' ' && c < 0x7f ? FAIL(l, l->pos, "unexpected character '%c'", c) :
					      FAIL(l, l->pos, "unexpected control character \\x%02x", c);
	while (n < rest.n && n < 4 && ((unsigned char)rest.p[n] & 0xc0) == 0x80)
		n++;
	if (!str_is_utf8((struct str){ rest.p, n }))
		return FAIL(l, l->pos, "the query is not valid UTF-8");
	return FAIL(l, l->pos,
		    "unexpected character '%.*s': names with other letters than a-z are quoted in braces: {\"caf\xc3\xa9\"}",
		    (int)n, rest.p);
}

static struct token lex_equals(struct lexer *l)
{
	struct token tok;

	if (byte_at(l, 1) == '~')
		return take(l, TOK_EQ_RE, 2);
	if (byte_at(l, 1) == '=' && lex_sign(l, &tok))
		return tok;
	if (!l->in_braces && byte_at(l, 1) == '>')
		return FAIL(l, l->pos, "unexpected '=>': write '>='");
	if (!l->in_braces && byte_at(l, 1) == '<')
		return FAIL(l, l->pos, "unexpected '=<': write '<='");
	return take(l, TOK_EQ, 1);
}

struct token lex_next(struct lexer *l)
{
	struct token tok;
	char c;

	assert(l->pos <= l->text.n);
	skip_blank(l);
	if (l->failed || l->pos == l->text.n)
		return end_token(l);
	c = l->text.p[l->pos];
	if (is_digit(c) || (c == '.' && is_digit(byte_at(l, 1))))
		return lex_number(l);
	if (is_alpha(c) || (c == ':' && !l->in_brackets && !l->in_braces))
		return lex_word(l);
	switch (c) {
	case '"':
	case '\'':
	case '`':
		return lex_string(l);
	case '(':
		return take(l, TOK_LPAREN, 1);
	case ')':
		return take(l, TOK_RPAREN, 1);
	case '{':
		l->in_braces = true;
		return take(l, TOK_LBRACE, 1);
	case '}':
		l->in_braces = false;
		return take(l, TOK_RBRACE, 1);
	case '[':
		l->in_brackets = true;
		return take(l, TOK_LBRACKET, 1);
	case ']':
		l->in_brackets = false;
		return take(l, TOK_RBRACKET, 1);
	case ',':
		return take(l, TOK_COMMA, 1);
	case ':':
		return take(l, TOK_COLON, 1);
	case '@':
		return take(l, TOK_AT, 1);
	case '=':
		return lex_equals(l);
	case '!':
		if (byte_at(l, 1) == '~')
			return take(l, TOK_NE_RE, 2);
		break;
	case '<':
		if (byte_at(l, 1) == '>')
			return FAIL(l, l->pos, "unexpected '<>': PromQL writes '!='");
		break;
	default:
		break;
	}
	return lex_sign(l, &tok) ? tok : bad_character(l);
}

struct text_place text_place(struct str text, int pos)
{
	struct text_place at = { 1, 1 };

	for (int i = 0; i < pos && (size_t)i < text.n; i++) {
		if (text.p[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}
