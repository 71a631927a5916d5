/* Tokens, and the values of literals: numbers as Go reads them, durations, escapes. */
#include "tests.h"

#include <math.h>

#include "promql/lex.h"

static const struct {
	const char *text, *tokens;      /* one letter a token, below */
} streams[] = {
	{ "", "." },
	{ " \t\r\n# all comment", "." },
	{ "up", "w." },
	{ ":a:b", "w." },
	{ "a:b[1h:5m]", "w[d:d]." },
	{ "a[1h:step()]", "w[d:w()]." },
	{ "a{b=\"c\",d!~'e',f=~`g`,h!=\"i\"}", "w{w=s,wNs,wRs,wos}." },
	{ "a{# }\n}", "w{}." },
	{ "a</b>/c<=d>=e==f!=g<h>i", "wowowowowowowowow." },
	{ "-1+2*3/4%5^6", "onononononon." },
	{ "1e5 1E+5 .5 2. 0x1F 0_7 1_000", "nnnnnnn." },
	{ "5m 1h30m 1y2w3d4h5m6s7ms 0s", "dddd." },
	{ "a@1,(b)", "w@n,(w)." },
	{ "Inf NaN", "ww." },
	{ "\"a\\\"b\" 'c\"d' `e\\`", "sss." },
	{ "`a\nb`", "s." },
	{ "a &", "w!" },
	{ "\"\xff\"", "!" },
	{ "\"a\nb\"", "!" },
};

static char letter(struct token tok, const struct lexer *l)
{
	static const char letters[] = {
		[TOK_NUMBER] = 'n', [TOK_DURATION] = 'd', [TOK_STRING] = 's', [TOK_WORD] = 'w', [TOK_OP] = 'o', [TOK_EQ] = '=',
		[TOK_EQ_RE] = 'R', [TOK_NE_RE] = 'N', [TOK_AT] = '@', [TOK_COMMA] = ',', [TOK_COLON] = ':', [TOK_LPAREN] = '(',
		[TOK_RPAREN] = ')', [TOK_LBRACE] = '{', [TOK_RBRACE] = '}', [TOK_LBRACKET] = '[', [TOK_RBRACKET] = ']',
	};

	return tok.kind == TOK_END ? (l->failed ? '!' : '.') : letters[tok.kind];
}

static void tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct err e = { 0 };
		struct lexer l = { .text = str_of(streams[i].text), .err = &e };
		char got[100];
		size_t n = 0;
		struct token tok;

		do {
			tok = lex_next(&l);
			got[n++] = letter(tok, &l);
		} while (tok.kind != TOK_END && n < sizeof got - 1);
		got[n] = '\0';
		if (strcmp(got, streams[i].tokens) != 0)
			fail_msg("%s: %s, expected %s %s", streams[i].text, got, streams[i].tokens, e.msg);
		assert_int_equal(lex_next(&l).kind, TOK_END);
		assert_true(l.failed == (e.code != ERR_NONE));
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		double value;
	} cases[] = {
	    {"0", 0},
	    {"1", 1},
	    {"017", 15},
	    {"08", 8},
	    {"0_7", 7},
	    {"0x1f", 31},
	    {"0X_FF", 255},
	    {"0xdead_beef", 0xdeadbeef},
	    {"1_000", 1000},
	    {"1_0.0_1", 10.01},
	    {"1e3", 1000},
	    {"1.5E-3", 0.0015},
	    {".5", 0.5},
	    {"2.", 2},
	    {"0.5", 0.5},
	    {"00.5", 0.5},
	    {"9223372036854775808", 9223372036854775808.0},
	    {"inf", INFINITY},
	    {"INF", INFINITY},
	    {"1e308", 1e308},
	};
	static const char *const bad[] = {"",         ".",    "1e",    "1e+",   "_1",
					  "1_",       "1__0", "1_.5",  "1._5",  "0x",
					  "0x_",      "0xg",  "0x1p4", "1e999", "0x8000000000000000",
					  "1.2.3",    "5m",   "0b1",   "+1",    "-1",
					  "infinity", "0x1.8"};
	double v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (!literal_number(str_of(cases[i].text), &v) || v != cases[i].value)
			fail_msg("%s", cases[i].text);
	assert_true(literal_number(STR("nAn"), &v) && isnan(v));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (literal_number(str_of(bad[i]), &v))
			fail_msg("%s is no number", bad[i]);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
	    {"5m", 300000},   {"1h30m", 5400000},      {"1y", 31536000000}, {"1w", 604800000},
	    {"1d", 86400000}, {"250ms", 250},          {"0s", 0},           {"1y2w3d4h5m6s7ms", 33019506007},
	    {"90m", 5400000}, {"292y", 9208512000000},
	};
	static const char *const bad[] = {
	    "5", "5M", "m", "1.5h", "30m1h", "1m1m", "5mm", "1h_30m", "293y", "", "0", "0x5m", "99999999999999999999s"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (!literal_duration_ms(str_of(cases[i].text), &ms) || ms != cases[i].ms)
			fail_msg("%s", cases[i].text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (literal_duration_ms(str_of(bad[i]), &ms))
			fail_msg("%s is no duration", bad[i]);
}

static void strings(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
	    {"\"\"", ""},
	    {"\"a\"", "a"},
	    {"'a\"b'", "a\"b"},
	    {"`a\\nb`", "a\\nb"},
	    {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\a\b\f\n\r\t\v\\\""},
	    {"'\\''", "'"},
	    {"\"\\x41\\101\"", "AA"},
	    {"\"\\xff\\377\"", "\xff\xff"},
	    {"\"\\u00e9\"", "\xc3\xa9"},
	    {"\"\\u20ac\"", "\xe2\x82\xac"},
	    {"\"\\U0001F514\"", "\xf0\x9f\x94\x94"},
	    {"\"\xc3\xa9\"", "\xc3\xa9"},
	};
	static const struct {
		const char *text;
		int pos;
	} bad[] = {
	    {"\"\\q\"", 1},   {"\"a\\'\"", 2}, {"'\\\"'", 1},      {"\"\\x4\"", 1},        {"\"\\x4g\"", 1},
	    {"\"\\400\"", 1}, {"\"\\18\"", 1}, {"\"\\ud800\"", 1}, {"\"\\U00110000\"", 1}, {"\"ab\\u12\"", 3},
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct token tok = { .kind = TOK_STRING, .text = str_of(cases[i].text) };
		struct err e = { 0 };
		struct str out;

		if (!literal_string(&a, tok, &out, &e) || !str_eq(out, str_of(cases[i].value)))
			fail_msg("%s: %s", cases[i].text, e.msg);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct token tok = { .kind = TOK_STRING, .text = str_of(bad[i].text) };
		struct err e = { 0 };
		struct str out;

		if (literal_string(&a, tok, &out, &e) || e.pos != bad[i].pos)
			fail_msg("%s at %d", bad[i].text, e.pos);
	}
	arena_fini(&a);
}

static void places(void **state)
{
	struct str text = STR("ab\nc\xc3\xa9" "d\n");

	(void)state;
	assert_int_equal(text_place(text, 0).column, 1);
	assert_int_equal(text_place(text, 2).column, 3);
	assert_int_equal(text_place(text, 3).line, 2);
	assert_int_equal(text_place(text, 6).column, 3);
	assert_int_equal(text_place(text, 100).line, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens), cmocka_unit_test(numbers), cmocka_unit_test(durations), cmocka_unit_test(strings),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests_name("promql lex", tests, NULL, NULL);
}
