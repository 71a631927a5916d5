/* Errors a rule author reads: for each query that is not PromQL the column and the message, both pinned; which syntax needs which
 * feature; and that all the queries people really write are taken. */
#include "tests.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "promql/promql.h"

static const struct {
	const char *text;
	int column;
	const char *message;
} errors[] = {
    {"", 1, "the query is empty: expected an expression such as up == 0"},
    {"   ", 1, "the query is empty: expected an expression such as up == 0"},
    {"rate(http_requests_total)", 6,
     "rate() needs a range vector, not an instant vector: did you mean rate(http_requests_total[5m])?"},
    {"rate(http_requests_total{job=\"api\"} offset 5m)", 6,
     "rate() needs a range vector, not an instant vector: did you mean rate(http_requests_total{job=\"api\"}[5m] offset 5m)?"},
    {"rate(sum(x))", 6, "rate() needs a range vector, not an instant vector: aggregate afterwards, as in sum(rate(x[5m]))"},
    {"rate(a + b)", 6,
     "rate() needs a range vector, not an instant vector: of an expression take a subquery, as in rate((x)[5m:1m])"},
    {"sum(x[5m])", 5,
     "sum() needs an instant vector, not a range vector: drop the range, or apply a function such as rate(x[5m]) first"},
    {"sum x", 5, "unexpected 'x': sum takes parentheses: sum(x)"},
    {"sum by job (x)", 8, "unexpected 'job': expected '(' and label names after 'by'"},
    {"sum by (job) x", 14, "unexpected 'x': expected '(' and the vector to aggregate: sum by (\342\200\246) (\342\200\246)"},
    {"sum(x) by job", 11, "unexpected 'job': expected '(' and label names after 'by'"},
    {"sum(x, y)", 1, "sum() takes 1 argument, not 2: group by labels with by (\342\200\246), join vectors with 'or'"},
    {"topk(x)", 1, "topk() takes 2 arguments, a number and the vector, not 1"},
    {"topk(x, y)", 6,
     "topk() needs a scalar as its first argument, not an instant vector: scalar(x) makes one of a vector with one element"},
    {"topk(\"5\", x)", 6, "topk() needs a scalar as its first argument, not a string"},
    {"count_values(version, x)", 14,
     "count_values() needs a string as its first argument, not an instant vector: put it in quotes: \"version\""},
    {"quantile(0.9)", 1, "quantile() takes 2 arguments, a number and the vector, not 1"},
    {"rate(x[5m]", 11, "unexpected end of query: expected ')' to close '(' at 1:5"},
    {"sum(rate(x[5m])", 16, "unexpected end of query: expected ')' to close '(' at 1:4"},
    {"x{job=\"a\"", 10, "unexpected end of query: expected '}' to close '{' at 1:2"},
    {"x[5m", 5, "unexpected end of query: expected ']' to close '[' at 1:2"},
    {"(a + b", 7, "unexpected end of query: expected ')' to close '(' at 1:1"},
    {"a + b)", 6, "unexpected ')': nothing is open that it could close"},
    {"x]", 2, "unexpected ']': nothing is open that it could close"},
    {"x}", 2, "unexpected '}': nothing is open that it could close"},
    {"a = 1", 3, "unexpected '=': '==' compares; a single '=' only stands in braces: up{job=\"api\"}"},
    {"up{job=\"api\"} = 0", 15, "unexpected '=': '==' compares; a single '=' only stands in braces: up{job=\"api\"}"},
    {"a && b", 3, "unexpected '&&': PromQL writes 'and'"},
    {"a || b", 3, "unexpected '||': PromQL writes 'or'"},
    {"a & b", 3, "unexpected '&': PromQL writes 'and'"},
    {"!a", 1, "unexpected '!': expected '!=' or, in braces, '!~'; PromQL has no 'not': use 'unless', or compare with == 0"},
    {"a ! b", 3, "unexpected '!': expected '!=' or, in braces, '!~'; PromQL has no 'not': use 'unless', or compare with == 0"},
    {"a <> b", 3, "unexpected '<>': PromQL writes '!='"},
    {"a => b", 3, "unexpected '=>': write '>='"},
    {"a =< b", 3, "unexpected '=<': write '<='"},
    {"up{job==\"api\"}", 7, "unexpected '==': a label is matched with a single '='"},
    {"up{job=api}", 8, "unexpected 'api': a label's value is quoted: \"api\""},
    {"up{job=5}", 8, "unexpected number 5: a label's value is quoted: \"5\""},
    {"up{job}", 7, "unexpected '}': expected '=', '!=', '=~' or '!~' behind label job"},
    {"up{job<\"a\"}", 7, "unexpected '<': labels are matched with '=', '!=', '=~' or '!~'"},
    {"up{job!\"a\"}", 7,
     "unexpected '!': expected '!=' or, in braces, '!~'; PromQL has no 'not': use 'unless', or compare with == 0"},
    {"up{job~\"a\"}", 7, "unexpected '~': expected '=~' or '!~', in braces: {job=~\"api.*\"}"},
    {"up{=\342\200\234a\342\200\235}", 4, "unexpected '=': expected a label name or '}'"},
    {"up{job=\"a\" instance=\"b\"}", 12, "unexpected 'instance': expected '}' to close '{' at 1:3"},
    {"up{job=\"a\"}{instance=\"b\"}", 12, "unexpected '{': all label matchers stand in one pair of braces"},
    {"up{a.b=\"c\"}", 5, "unexpected '.': names with dots are quoted in braces: {\"http.requests\"}"},
    {"http.requests", 5, "unexpected '.': names with dots are quoted in braces: {\"http.requests\"}"},
    {"up =~ \"a\"", 4, "unexpected '=~': regular expressions match labels, in braces: up{job=~\"api.*\"}"},
    {"{}", 1, "the selector would read every series: it needs a metric name, or one matcher that an empty value does not pass"},
    {"{job=~\".*\"}", 1,
     "the selector would read every series: it needs a metric name, or one matcher that an empty value does not pass"},
    {"{job=\"\"}", 1,
     "the selector would read every series: it needs a metric name, or one matcher that an empty value does not pass"},
    {"x{__name__=\"y\"}", 1, "the metric name is set twice: 'x' and 'y'"},
    {"x[5min]", 3, "bad duration 5min: write 5m"},
    {"x[5M]", 3, "bad duration 5M: write 5m"},
    {"x[1.5h]", 3, "bad duration 1.5h: durations are made of whole numbers, such as 1h30m"},
    {"x[30m1h]", 3, "bad duration 30m1h: the units are y w d h m s ms, in this order, each at most once, up to 292y in all"},
    {"x[5 m]", 5, "unexpected 'm': a duration has no space: write 5m"},
    {"x 5", 3, "unexpected number 5: expected an operator or the end of the query"},
    {"5 m", 3, "unexpected 'm': a duration has no space: write 5m"},
    {"x[5m] offset", 13, "unexpected end of query: expected a duration such as 5m as offset"},
    {"x offset", 9, "unexpected end of query: expected a duration such as 5m as offset"},
    {"x offset 5m offset 1h", 13, "'offset' is set twice"},
    {"x offset 5m[5m]", 12, "the range comes first, then 'offset': x[5m] offset 1h"},
    {"x @ 5[5m]", 6, "the range comes first, then '@': x[5m] @ end()"},
    {"sum(x) offset 5m", 8, "'offset' follows a selector or a subquery directly: sum(x offset 5m), not sum(x) offset 5m"},
    {"sum(x) @ 5", 8, "'@' follows a selector or a subquery directly: sum(x @ end()), not sum(x) @ end()"},
    {"sum(x)[5m]", 7, "a range follows a selector, as in rate(x[5m]); of other expressions take a subquery, [5m:1m]"},
    {"x[5m][5m]", 6, "a range follows a selector, as in rate(x[5m]); of other expressions take a subquery, [5m:1m]"},
    {"x[5m][1h:]", 1, "a subquery is taken of an instant vector, not of a range vector"},
    {"x[]", 3, "unexpected ']': expected a duration such as 5m as range"},
    {"x[:5m]", 3, "unexpected ':': expected a duration such as 5m as range"},
    {"x[0s]", 3, "duration must be greater than 0"},
    {"x[-5m]", 3, "duration must be greater than 0"},
    {"x[\"5m\"]", 3, "unexpected string \"5m\": a duration has no quotes: write [5m]"},
    {"x[$__rate_interval]", 3,
     "unexpected '$': variables such as $__rate_interval are filled in by Grafana, not by PromQL; write a duration such as 5m"},
    {"x[5m/0]", 3, "division by zero in a duration"},
    {"x @ foo", 5, "unexpected 'foo': expected a number in '@', seconds since 1970, or start() or end()"},
    {"x @ 1 @ 2", 7, "'@' is set twice"},
    {"x @ Inf", 3, "the time of '@' is out of range"},
    {"rte(x[5m])", 1, "unknown function rte: did you mean rate?"},
    {"RATE(x[5m])", 1, "unknown function RATE: did you mean rate?"},
    {"summ(x)", 1, "unknown function summ: did you mean sum?"},
    {"if(x)", 1, "unknown function if: PromQL has no 'if': filter with a comparison, and join with 'and' or 'unless'"},
    {"frobnicate(x)", 1, "unknown function frobnicate"},
    {"abs()", 1, "abs() takes 1 argument, not 0: abs(instant-vector) instant-vector"},
    {"abs(x, y)", 1, "abs() takes 1 argument, not 2: abs(instant-vector) instant-vector"},
    {"round(x, 1, 2)", 1, "round() takes 1 to 2 arguments, not 3: round(instant-vector[, scalar]) instant-vector"},
    {"label_join(x)", 1,
     "label_join() takes at least 3 arguments, not 1: label_join(instant-vector, string, string[, string\342\200\246]) "
     "instant-vector"},
    {"clamp(x, 1)", 1, "clamp() takes 3 arguments, not 2: clamp(instant-vector, scalar, scalar) instant-vector"},
    {"abs(1)", 5, "abs() needs an instant vector, not a scalar: vector(1) makes one of it"},
    {"vector(x)", 8, "vector() needs a scalar, not an instant vector: scalar(x) makes one of a vector with one element"},
    {"label_replace(x, dst, \"a\", \"b\", \"c\")", 18,
     "label_replace() needs a string, not an instant vector: put it in quotes: \"dst\""},
    {"1 > 2", 3, "two scalars are compared with bool: write '> bool'"},
    {"1 == bool 1 and x", 1, "'and' joins instant vectors, not a scalar: vector(1 == bool 1) makes one of it"},
    {"x and 1", 7, "'and' joins instant vectors, not a scalar: vector(1) makes one of it"},
    {"x and on(a) group_left(b) y", 3, "'and' takes no group_left or group_right: it joins many to many"},
    {"x + on(a) group_left(a) y", 3, "label 'a' must not occur in both on and group_left"},
    {"x + group_left(a) y", 5, "'group_left' needs on(\342\200\246) or ignoring(\342\200\246) before it"},
    {"x + bool y", 5, "'bool' only follows a comparison operator, and '+' is none"},
    {"x + on y", 8, "unexpected 'y': expected '(' and label names after 'on'"},
    {"x + on(a) 1", 3, "'on' matches instant vectors, and one side here is a scalar"},
    {"x + rate(y)", 10, "rate() needs a range vector, not an instant vector: did you mean rate(y[5m])?"},
    {"x[5m] + 1", 1, "'+' takes scalars and instant vectors, not a range vector: apply a function first, such as rate(x[5m])"},
    {"\"a\" + 1", 1, "'+' takes scalars and instant vectors, not a string"},
    {"-\"a\"", 1, "a sign stands before a scalar or an instant vector, not before a string"},
    {"-x[5m]", 1, "a sign stands before a scalar or an instant vector, not before a range vector"},
    {"x + ", 5, "unexpected end of query: expected an expression after '+'"},
    {"+", 2, "unexpected end of query: expected an expression after '+'"},
    {"x by (job)", 3, "unexpected 'by': 'by' belongs to an aggregation: sum by (job) (x)"},
    {"x on (job) y", 3, "unexpected 'on': 'on' belongs behind an operator: a / on (job) b"},
    {"sum(x) for 5m", 8, "unexpected 'for': 'for' stands beside 'expr' in the rule, not in the query"},
    {"\"abc", 1, "string has no closing \""},
    {"'abc", 1, "string has no closing '"},
    {"`abc", 1, "string has no closing `"},
    {"\"a\\qb\"", 3,
     "bad escape \\q in a string: allowed are \\a \\b \\f \\n \\r \\t \\v \\\\, the quote, \\x41, \\101, \\u00e9 and \\U0001F514; "
     "in a regular expression write \\\\d, or use `raw` quotes"},
    {"\"\\d+\"", 2,
     "bad escape \\d in a string: allowed are \\a \\b \\f \\n \\r \\t \\v \\\\, the quote, \\x41, \\101, \\u00e9 and \\U0001F514; "
     "in a regular expression write \\\\d, or use `raw` quotes"},
    {"x{a=~\"(\"}", 7, "bad regular expression: missing ) for this group"},
    {"x{a=~\"a(?=b)\"}", 8,
     "bad regular expression: lookahead is not part of RE2: match the text itself, or use two matchers"},
    {"1_", 1, "bad number or duration 1_: expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m"},
    {"1__0", 1, "bad number or duration 1__0: expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m"},
    {"0x", 1, "bad number or duration 0x: expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m"},
    {"1e", 1, "bad number or duration 1e: expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m"},
    {"1e999", 1, "number 1e999 is out of range: the largest is 1.7976931348623157e308"},
    {".", 1, "unexpected '.': names with dots are quoted in braces: {\"http.requests\"}"},
    {"1.2.3", 1, "bad number or duration 1.2.3: expected a number such as 1.5, 1e3 or 0x1f, or a duration such as 5m"},
    {"x;", 2, "unexpected ';': a query is one expression, without an end mark"},
    {"x ? y : z", 3, "unexpected '?': PromQL has no ?: operator; filter with a comparison and join with 'or'"},
    {"x.y", 2, "unexpected '.': names with dots are quoted in braces: {\"http.requests\"}"},
    {"\303\274nit", 1,
     "unexpected character '\303\274': names with other letters than a-z are quoted in braces: {\"caf\303\251\"}"},
    {"\342\200\234x\342\200\235", 1, "unexpected a curly quote: write a plain \""},
    {"foo bar", 5, "unexpected 'bar': expected an operator or the end of the query"},
    {"on", 1, "unexpected 'on': expected an expression; to read a metric of that name write {\"on\"}"},
    {"a + on", 7, "unexpected end of query: expected '(' and label names after 'on'"},
    {"bool + 1", 1, "unexpected 'bool': expected an expression; to read a metric of that name write {\"bool\"}"},
    {"sum(x,)", 6, "unexpected ',': no comma after the last argument of sum()"},
    {"x{,}", 3, "unexpected ',': expected a label name or '}'"},
    {"x{a=\"b\",,}", 9, "unexpected ',': expected a label name or '}'"},
    {"x{\"a\" \"b\"}", 7, "unexpected string \"b\": expected '=', '!=', '=~' or '!~' behind label a"},
    {"by (x)", 1, "unknown function by"},
    {"limitk(1, x)", 1, "limitk() is experimental: it needs the feature promql-experimental-functions"},
    {"info(x)", 1, "info() is experimental: it needs the feature promql-experimental-functions"},
    {"x smoothed", 3, "'smoothed' is experimental: it needs the feature promql-extended-range-selectors"},
    {"a + fill(1) b", 5, "fill modifiers are experimental: they need the feature promql-binop-fill-modifiers"},
    {"info(x, y)", 1, "info() is experimental: it needs the feature promql-experimental-functions"},
    {"info(x, sum(y))", 1, "info() is experimental: it needs the feature promql-experimental-functions"},
    {"time(1)", 1, "time() takes 0 arguments, not 1: time() scalar"},
    {"a and bool b", 7, "'bool' only follows a comparison operator, and 'and' is none"},
    {"start_timestamp(x)", 1, "start_timestamp() is experimental: it needs the feature promql-experimental-functions"},
    {"x[5m:1m] smoothed", 10, "'smoothed' is experimental: it needs the feature promql-extended-range-selectors"},
};

/* With every feature on. */
static const struct {
	const char *text;
	int column;
	const char *message;
} feature_errors[] = {
    {"x[5m:1m] smoothed", 10, "'smoothed' follows a selector, not a subquery"},
    {"sum(x) anchored", 8, "'anchored' follows a selector, not an expression"},
    {"x[5m] anchored smoothed", 16, "'anchored' and 'smoothed' cannot be used together"},
    {"deriv(x[5m] smoothed)", 7, "smoothed modifier can only be used with: delta, increase, rate - not with deriv"},
    {"deriv((x[5m] anchored))", 8,
     "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with deriv"},
    {"a + fill(1) 2", 3, "'fill' works between instant vectors, and one side here is a scalar"},
    {"a and fill(1) b", 3, "'and' takes no fill modifier"},
    {"a + fill(1) fill_left(2) b", 13, "a side is filled twice"},
    {"a + fill(x) b", 10, "unexpected 'x': expected a number in fill"},
    {"info(x, y)", 9, "the second argument of info() is label matchers alone: {version=~\".+\"}"},
    {"info(x, sum(y))", 9, "the second argument of info() is label matchers alone: {version=~\".+\"}"},
    {"histogram_quantiles(x, \"q\")", 1,
     "histogram_quantiles() takes 3 to 12 arguments, not 2: histogram_quantiles(instant-vector, string, scalar[, "
     "scalar\342\200\246]) "
     "instant-vector"},
};

static const struct {
	const char *text;
	unsigned features;      /* without it the text is refused, with it alone it is taken */
} gated[] = {
	{ "limitk(1, x)", PROMQL_EXPERIMENTAL_FUNCTIONS },
	{ "limit_ratio(0.1, x)", PROMQL_EXPERIMENTAL_FUNCTIONS },
	{ "info(x)", PROMQL_EXPERIMENTAL_FUNCTIONS },
	{ "sort_by_label(x, \"a\")", PROMQL_EXPERIMENTAL_FUNCTIONS },
	{ "rate(x[5m] anchored)", PROMQL_EXTENDED_RANGE_SELECTORS },
	{ "x smoothed", PROMQL_EXTENDED_RANGE_SELECTORS },
	{ "a + fill(0) b", PROMQL_BINOP_FILL },
	{ "a + on(x) group_left fill_right(-1) b", PROMQL_BINOP_FILL },
};

static bool parses(struct str text, unsigned features, struct err *e)
{
	struct promql_options o = { .features = features };
	struct promql_query *q = promql_query_new(text, &o, e);

	promql_query_free(q);
	return q != NULL;
}

static void check_error(const char *text, unsigned features, int column, const char *message)
{
	struct err e = { 0 };
	char want[1200], got[1200];
	struct buf b = { 0 };
	const char *end;

	if (parses(str_of(text), features, &e))
		fail_msg("%s: taken, expected %s", text, message);
	promql_error_show(&b, str_of(text), &e);
	buf_z(&b);
	end = strchr(b.p, '\n');
	snprintf(got, sizeof got, "%s => %.*s", text, (int)(end - b.p), b.p);
	snprintf(want, sizeof want, "%s => 1:%d: %s", text, column, message);
	assert_string_equal(got, want);
	buf_fini(&b);
}

static void every_error_has_its_place_and_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		check_error(errors[i].text, 0, errors[i].column, errors[i].message);
	for (size_t i = 0; i < ARRAY_LEN(feature_errors); i++)
		check_error(feature_errors[i].text, PROMQL_ALL_FEATURES, feature_errors[i].column, feature_errors[i].message);
}

static void experimental_syntax_needs_its_feature(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gated); i++) {
		struct err e = { 0 };

		if (parses(str_of(gated[i].text), PROMQL_ALL_FEATURES & ~gated[i].features, &e))
			fail_msg("%s: taken without its feature", gated[i].text);
		assert_non_null(strstr(e.msg, "experimental"));
		e = (struct err){ 0 };
		if (!parses(str_of(gated[i].text), gated[i].features, &e))
			fail_msg("%s: %s", gated[i].text, e.msg);
	}
}

static void the_caret_stands_under_the_fault(void **state)
{
	const char *text = "sum by (job) (\n\trate(caf\303\251{a=\"\303\251\"}[5m])\n)";
	struct err e = { 0 };
	struct buf b = { 0 };

	(void)state;
	assert_false(parses(str_of(text), 0, &e));
	promql_error_show(&b, str_of(text), &e);
	assert_string_equal(buf_z(&b),
			    "2:10: unexpected character '\303\251': names with other letters than a-z are quoted in braces: "
			    "{\"caf\303\251\"}\n    \trate(caf\303\251{a=\"\303\251\"}[5m])\n    \t        ^\n");
	buf_fini(&b);
}

/* The text <piece>, <n> times over, between <before> and <after>. */
static struct str repeated(const char *before, const char *piece, size_t n, const char *after, struct buf *b)
{
	buf_reset(b);
	buf_putz(b, before);
	for (size_t i = 0; i < n; i++)
		buf_putz(b, piece);
	buf_putz(b, after);
	return buf_str(b);
}

static void depth_and_size_are_bounded(void **state)
{
	static const struct {
		const char *before, *piece, *after, *limit;
	} cases[] = {
		{ "", "(", "1", "max_depth" },          { "1", "+1+1", "", "nodes" },           { "x", "[1m:]", "", "max_depth" },
		{ "", "-", "x", "max_depth" },          { "x[1", "+1", "]", "max_depth" },      { "x[", "(", "1", "max_depth" },
		{ "x[", "-", "1]", "max_depth" },       { "", "abs(", "x", "max_depth" },       { "1", "^1", "", "max_depth" },
		{ "x offset ", "min_of(", "1", "max_depth" }, { "sum by (", "a,", "b) (x)", "labels" },
		{ "x{", "a=\"b\",", "}", "matchers" },        { "1", "+x{a=~\"b\"}", "", "regexes" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		assert_false(parses(repeated(cases[i].before, cases[i].piece, 40000, cases[i].after, &b), 0, &e));
		assert_int_equal(e.code, ERR_LIMIT);
		assert_non_null(strstr(e.msg, cases[i].limit));
	}
	for (size_t i = 0; i < 2; i++) {
		struct err e = { 0 };

		assert_false(parses(repeated("absent(", i == 0 ? "1," : " ", i == 0 ? 200000 : 2 << 20, "1)", &b), 0, &e));
		assert_int_equal(e.code, ERR_LIMIT);
		assert_non_null(strstr(e.msg, i == 0 ? "nodes" : "text"));
	}
	buf_fini(&b);
}

/* Reads a whole file; empty when there is none. */
static struct str read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	char *p;

	buf_reset(b);
	while (f != NULL && !feof(f)) {
		p = buf_reserve(b, 65536);
		b->n += fread(p, 1, 65536, f);
	}
	if (f != NULL)
		fclose(f);
	return buf_str(b);
}

/* Words up to and with the <n>th space dropped. */
static struct str behind_words(struct str s, size_t n)
{
	struct str word;

	while (n > 0 && s.n > 0) {
		str_cut(&s, ' ', &word);
		n -= word.n > 0;
	}
	return str_trim(s);
}

/* eval instant at 5m Q, eval range from 0 to 1m step 10s Q: Prometheus's scripts hold only what its parser takes, but for what it
 * refuses while evaluating and we refuse at once. */
static size_t check_script(struct str text, const char *path)
{
	struct str line;
	size_t n = 0;

	while (str_cut(&text, '\n', &line)) {
		struct err e = { 0 };
		bool range = str_starts(line, STR("eval range"));

		if (!str_starts(line, STR("eval instant")) && !range)
			continue;
		n++;
		line = behind_words(line, range ? 8 : 4);
		if (!parses(line, PROMQL_ALL_FEATURES, &e) && strstr(e.msg, "modifier can only be used with") == NULL)
			fail_msg("%s: " STR_FMT ": %s", path, STR_ARG(line), e.msg);
	}
	return n;
}

static void prometheus_scripts_parse(void **state)
{
	struct buf b = { 0 };
	size_t n = 0;
	glob_t g;

	(void)state;
	if (glob("../shared/promql/*.test", 0, NULL, &g) != 0) {
		print_message("SKIPPED: ../shared/promql is absent\n");
		skip();
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += check_script(read_file(g.gl_pathv[i], &b), g.gl_pathv[i]);
	assert_true(n >= 2000);
	globfree(&g);
	buf_fini(&b);
}

/* The value of "expr:" on one line, quoted or not; block scalars give their lines, joined. Returns false at the end of <*text>. */
static bool next_expr(struct str *text, struct buf *out)
{
	struct str line;

	buf_reset(out);
	while (str_cut(text, '\n', &line)) {
		size_t at = str_find(line, STR("expr: "));
		struct str value;

		if (at == line.n)
			continue;
		value = str_trim((struct str){ line.p + at + 6, line.n - at - 6 });
		if (value.n > 0 && (value.p[0] == '|' || value.p[0] == '>')) {
			struct str rest = *text, more;

			while (str_cut(&rest, '\n', &more) && (str_trim(more).n == 0 || str_starts(more, STR("          ")))) {
				buf_puts(out, more);
				buf_putc(out, '\n');
				*text = rest;
			}
			return true;
		}
		if (value.n > 1 && (value.p[0] == '\'' || value.p[0] == '"') && value.p[value.n - 1] == value.p[0]) {
			char quote = value.p[0];

			for (size_t i = 1; i + 1 < value.n; i++) {
				if ((quote == '\'' && value.p[i] == '\'') || (quote == '"' && value.p[i] == '\\'))
					i++;
				buf_putc(out, value.p[i]);
			}
			return true;
		}
		buf_puts(out, value);
		return true;
	}
	return false;
}

static void rules_people_write_parse(void **state)
{
	struct buf file = { 0 }, expr = { 0 };
	size_t n = 0;
	glob_t g;

	(void)state;
	if (glob("../shared/rules-corpus/*.yml", 0, NULL, &g) != 0) {
		print_message("SKIPPED: ../shared/rules-corpus is absent\n");
		skip();
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct str text = read_file(g.gl_pathv[i], &file);

		while (next_expr(&text, &expr)) {
			struct err e = { 0 };

			if (!parses(buf_str(&expr), 0, &e))
				fail_msg("%s: %.*s: %s", g.gl_pathv[i], (int)expr.n, expr.p, e.msg);
			n++;
		}
	}
	assert_true(n >= 300);
	globfree(&g);
	buf_fini(&file);
	buf_fini(&expr);
}

static void matchers_of_a_bare_selector(void **state)
{
	static const struct {
		const char *text, *error;
		size_t n;
	} cases[] = {
	    {"up", NULL, 1},
	    {"up{a=\"b\",c=~\"d|e\"}", NULL, 3},
	    {"{__name__!=\"\"}", NULL, 1},
	    {"{\"a.b\"}", NULL, 1},
	    {"up[5m]", "expected a selector alone", 0},
	    {"up offset 5m", "expected a selector alone", 0},
	    {"sum(up)", "expected a selector alone", 0},
	    {"{a=~\".*\"}", "every series", 0},
	    {"{a=~\"(\"}", "missing )", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct err e = { 0 };
		struct matcher *v;
		size_t n;
		bool ok = promql_parse_matchers(&a, str_of(cases[i].text), &v, &n, &e);

		if (ok != (cases[i].error == NULL))
			fail_msg("%s: %s", cases[i].text, ok ? "taken" : e.msg);
		if (ok) {
			assert_int_equal(n, cases[i].n);
			promql_free_matchers(v, n);
		} else {
			assert_non_null(strstr(e.msg, cases[i].error));
		}
		arena_fini(&a);
	}
}

static void selectors_know_what_they_reach(void **state)
{
	const struct promql_selector *v;
	struct err e = { 0 };
	struct promql_query *q =
	    promql_query_new(STR("rate(a[5m] offset 1m) + max_over_time(sum(b)[1h:] offset 1h) + topk(scalar(c), d)"), NULL, &e);

	(void)state;
	assert_non_null(q);
	assert_int_equal(promql_query_selectors(q, &v), 4);
	assert_int_equal(v[0].range_ms, 300000);
	assert_int_equal(v[0].offset_ms, 60000);
	assert_int_equal(v[1].range_ms, 3600000);
	assert_int_equal(v[1].offset_ms, 3600000);
	assert_int_equal(v[2].range_ms, 0);
	assert_true(str_eq(v[3].matchers[0].value, STR("d")));
	promql_query_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_its_place_and_advice),
		cmocka_unit_test(experimental_syntax_needs_its_feature),
		cmocka_unit_test(the_caret_stands_under_the_fault),
		cmocka_unit_test(depth_and_size_are_bounded),
		cmocka_unit_test(prometheus_scripts_parse),
		cmocka_unit_test(rules_people_write_parse),
		cmocka_unit_test(matchers_of_a_bare_selector),
		cmocka_unit_test(selectors_know_what_they_reach),
	};

	return cmocka_run_group_tests_name("promql parse", tests, NULL, NULL);
}
