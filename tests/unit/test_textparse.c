/* The exposition parser: what each format takes and refuses, with the message. */
#include "scrape/textparse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests.h"

/* Every sample as "labels value [timestamp];", comments as "#metric type|help|unit;", then the error. */
static void run(struct buf *out, const char *text, bool openmetrics)
{
	struct arena a = { 0 };
	char *copy = strdup(text); /* on the heap, so that ASan sees overruns */
	struct textparse p;
	enum textparse_kind kind;

	textparse_init(&p, str_of(copy), openmetrics);
	while ((kind = textparse_next(&p)) != TEXTPARSE_END) {
		struct textparse_sample s = { 0 };
		struct textparse_meta m;
		struct labels l;
		struct str series;

		if (kind == TEXTPARSE_COMMENT) {
			if (textparse_comment(&p, &a, &m) && m.metric.n > 0)
				buf_printf(out, "#%.*s %.*s%.*s%.*s;", STR_ARG(m.metric), STR_ARG(m.type), STR_ARG(m.help),
				           STR_ARG(m.unit));
			continue;
		}
		if (!textparse_series(&p, &series) || !textparse_value(&p, &s) || !textparse_labels(series, &a, &l, NULL, &p.err))
			break;
		labels_print(out, l);
		buf_printf(out, " %.17g", s.v);
		if (s.has_t)
			buf_printf(out, " %lld", (long long)s.t_ms);
		buf_putc(out, ';');
	}
	buf_putz(out, p.err.msg);
	free(copy);
	arena_fini(&a);
}

struct parse_case {
	const char *text, *expect;
};

static void check(const struct parse_case *cases, size_t n, bool openmetrics)
{
	for (size_t i = 0; i < n; i++) {
		struct buf out = { 0 };

		run(&out, cases[i].text, openmetrics);
		if (strcmp(buf_z(&out), cases[i].expect) != 0)
			fail_msg("case %zu: %s\n got      %s\n expected %s", i, cases[i].text, buf_z(&out), cases[i].expect);
		buf_fini(&out);
	}
}

static void test_text(void **state)
{
	static const struct parse_case cases[] = {
		{ "", "" },
		{ "a 1\n", "a 1;" },
		{ "a 1", "a 1;" },
		{ "a 1\r\nb 2\r\n", "a 1;b 2;" },
		{ "\n  a\t1  \n\n", "a 1;" },
		{ "a{} 1\n", "a 1;" },
		{ "a{b=\"c\",} 1.5 1700000000123\n", "a{b=\"c\"} 1.5 1700000000123;" },
		{ "a { b = \"c\" , d=\"e\"} 1\n", "a{b=\"c\", d=\"e\"} 1;" },
		{ "a{b=\"x\\\\y\\\"z\\nw\"} 1\n", "a{b=\"x\\\\y\\\"z\\nw\"} 1;" },
		{ "a{b=\"}\"} 1\n", "a{b=\"}\"} 1;" },
		{ "a{b=\"\"} 1\n", "a 1;" },
		{ "{\"a.b\",\"c.d\"=\"e\"} 1\n", "{\"a.b\", \"c.d\"=\"e\"} 1;" },
		{ "a NaN\nb +Inf\nc -Inf\nd inf\n", "a nan;b inf;c -inf;d inf;" },
		{ "a 1e3\nb -0.25\nc 123456789012345678\nd 0.1\n",
		  "a 1000;b -0.25;c 1.2345678901234568e+17;d 0.10000000000000001;" },
		{ "a 1 -5\n", "a 1 -5;" },
		{ "# HELP a some \\\\ text\\nmore\n# TYPE a counter\n# anything\na 1\n", "#a some \\ text\nmore;#a counter;a 1;" },
		{ "# HELP a\n# TYPE a untyped\n", "#a ;#a unknown;" },
		{ "a 1\nb\n", "a 1;line 2: expected a value" },
		{ "a 1\n\nb x\n", "a 1;line 3: the value is not a number" },
		{ "a 1 2 3\n", "line 1: unexpected text behind the sample" },
		{ "a 1 2.5\n", "line 1: the timestamp is not a whole number of milliseconds" },
		{ "a{b=\"c 1\n", "line 1: labels are not closed by '}'" },
		{ "a{b=\"c\"\n", "line 1: labels are not closed by '}'" },
		{ "a{b=\"c\"", "line 1: labels are not closed by '}'" },
		{ "a{b=\"c\"}1\n", "a{b=\"c\"} 1;" },
		{ "a 0x10\n", "line 1: the value is not a number" },
		{ "a 1e400\n", "line 1: the value is not a number" },
		{ "# HELP\na 1\n", "a 1;" },
		{ "1a 1\n", "line 1: expected a metric name" },
		{ "a{1b=\"c\"} 1\n", "expected a label name in a{1b=\"c\"}" },
		{ "a{b=c} 1\n", "expected '\"' before a label value in a{b=c}" },
		{ "a{b} 1\n", "expected '=' behind a label name in a{b}" },
		{ "a{b=\"1\",b=\"2\"} 1\n", "a label name that occurs twice in a{b=\"1\",b=\"2\"}" },
		{ "a{b=\"1\" c=\"2\"} 1\n", "expected ',' or '}' behind a label in a{b=\"1\" c=\"2\"}" },
		{ "a{b=\"\xff\"} 1\n", "text that is not UTF-8 in a{b=\"\xff\"}" },
		{ "{b=\"1\"} 1\n", "no metric name in {b=\"1\"}" },
		{ "# TYPE a nonsense\n", "line 1: unknown metric type" },
		{ "a 1 \n", "a 1;" },
	};

	(void)state;
	check(cases, ARRAY_LEN(cases), false);
}

static void test_openmetrics(void **state)
{
	static const struct parse_case cases[] = {
		{ "# EOF", "" },
		{ "# EOF\n", "" },
		{ "a_total 1\n# EOF\n", "a_total 1;" },
		{ "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds x \\\"y\\\"\na_seconds_total 1 1700000000.5\n# EOF\n",
		  "#a_seconds counter;#a_seconds seconds;#a_seconds x \"y\";a_seconds_total 1 1700000000500;" },
		{ "a_bucket{le=\"1\"} 2 # {trace_id=\"x\"} 0.5 1700000000.25\n# EOF\n", "a_bucket{le=\"1\"} 2;" },
		{ "a_bucket{le=\"1\"} 2 1700000000 # {} 0.5\n# EOF\n", "a_bucket{le=\"1\"} 2 1700000000000;" },
		{ "# TYPE a stateset\n# TYPE b info\n# TYPE c gaugehistogram\n# TYPE d unknown\n# EOF\n",
		  "#a stateset;#b info;#c gaugehistogram;#d unknown;" },
		{ "a 1\n", "a 1;line 2: data does not end with # EOF" },
		{ "", "line 1: data does not end with # EOF" },
		{ "# EOF\na 1\n", "line 2: data after # EOF" },
		{ "a 1\n\n# EOF\n", "a 1;line 2: expected a metric name" },
		{ "a  1\n# EOF\n", "line 1: expected a value" },
		{ "# anything\n# EOF\n", "line 1: a comment that is no HELP, TYPE, UNIT or EOF" },
		{ "# TYPE a untyped\n# EOF\n", "line 1: unknown metric type" },
		{ "a 1 # x\n# EOF\n", "line 1: expected '{' of an exemplar behind '# '" },
		{ "a 1 1e300\n# EOF\n", "line 1: the timestamp is out of range" },
	};

	(void)state;
	check(cases, ARRAY_LEN(cases), true);
}

/* Every number the quick path takes must be what strtod says. */
static void test_numbers(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < 200000; i++) {
		char text[64], line[80];
		struct textparse_sample s;
		struct textparse p;
		struct str series;
		double expect;

		snprintf(text, sizeof text, "%s%0*lld.%0*d", i % 3 == 0 ? "-" : "", rand() % 12,
		         (long long)rand() * (rand() % 4000), rand() % 8 + 1, rand() % 1000);
		if (i % 4 == 0)
			*strchr(text, '.') = '\0';
		snprintf(line, sizeof line, "a %s\n", text);
		textparse_init(&p, str_of(line), false);
		assert_true(textparse_series(&p, &series) && textparse_value(&p, &s));
		expect = strtod(text, NULL);
		if (memcmp(&expect, &s.v, sizeof expect) != 0)
			fail_msg("%s read as %.17g", text, s.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
