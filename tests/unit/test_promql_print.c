/* The canonical text: what promtool would make of each query, and that it stays as it is when parsed and printed again. */
#include "tests.h"

#include "promql/promql.h"

static const struct {
	const char *text, *canonical;   /* NULL: the text is canonical */
} cases[] = {
    {"1", NULL},
    {"1.50", "1.5"},
    {"0x1F", "31"},
    {"1e3", "1000"},
    {"1e-7", "0.0000001"},
    {"1e21", "1000000000000000000000"},
    {"-1", NULL},
    {"- - 1", "1"},
    {"+Inf", "+Inf"},
    {"inf", "+Inf"},
    {"Inf ^ a", "Inf ^ a"},
    {"a + +Inf ^ b", "a + +Inf ^ b"},
    {"-inf", "-Inf"},
    {"nan", "NaN"},
    {"5m", NULL},
    {"60m", "1h"},
    {"8d", NULL},
    {"14d", "2w"},
    {"36h", "1d12h"},
    {"a[1y2w5m]", "a[379d5m]"},
    {"-5m", NULL},
    {"\"a\"", NULL},
    {"'a\"b'", "\"a\\\"b\""},
    {"`a\\d`", "\"a\\\\d\""},
    {"\"\\u00e9\\xff\\x01\\n\"", "\"\xc3\xa9\\xff\\x01\\n\""},
    {"up", NULL},
    {"up { }", "up"},
    {"sum", NULL},
    {"offset", NULL},
    {"by + and", "by + and"},
    {"a:b:c", NULL},
    {"up{b=\"2\",a=\"1\",}", "up{a=\"1\",b=\"2\"}"},
    {"up{a!=\"1\", a=~'2|3', a!~`4`}", "up{a!=\"1\",a!~\"4\",a=~\"2|3\"}"},
    {"{\"a.b\"}", "{__name__=\"a.b\"}"},
    {"{\"a.b\", \"c.d\"=\"e\"}", "{\"c.d\"=\"e\",__name__=\"a.b\"}"},
    {"{__name__=\"up\"}", NULL},
    {"up{sum=\"a\",by=\"b\",inf=\"c\"}", "up{by=\"b\",inf=\"c\",sum=\"a\"}"},
    {"up[300]", "up[5m]"},
    {"up[5m] offset 1h", NULL},
    {"up offset -1h", NULL},
    {"up offset 0s", "up"},
    {"up offset 5m @ 10", "up @ 10.000 offset 5m"},
    {"up @ -1.5", "up @ -1.500"},
    {"up @ start()", NULL},
    {"up[5m] @ End()", "up[5m] @ end()"},
    {"up smoothed", NULL},
    {"rate(up[5m] anchored)", NULL},
    {"up @ 100 smoothed", "up @ 100.000 smoothed"},
    {"rate(up[5m]smoothed offset 1m@1)", "rate(up[5m] smoothed @ 1.000 offset 1m)"},
    {"up[5m*2]", "up[5m * 2]"},
    {"up[(5m+1)]", "up[(5m + 1)]"},
    {"up[-5m+10m]", "up[-5m + 10m]"},
    {"up[STEP()]", "up[step()]"},
    {"up[min_of(step(),5m)^2]", "up[min_of(step(), 5m) ^ 2]"},
    {"up offset -(step())", NULL},
    {"up offset (1h/2)", "up offset (1h / 2)"},
    {"up offset 100 + 2", "up offset 1m40s + 2"},
    {"up offset -2^2", "up offset -2s ^ 2"},
    {"up[1d:]", NULL},
    {"(up+1)[1h:5m] offset 1m", "(up + 1)[1h:5m] offset 1m"},
    {"rate(up[5m])[1h:] @ 1", "rate(up[5m])[1h:] @ 1.000"},
    {"up[1h:5s+5s]", "up[1h:5s + 5s]"},
    {"a+b*c^d", "a + b * c ^ d"},
    {"-a^b", "-a ^ b"},
    {"a-b-c", "a - b - c"},
    {"a-(b-c)", "a - (b - c)"},
    {"2^-1", "2 ^ -1"},
    {"- - up", "--up"},
    {"+up", NULL},
    {"a atan2 b % c", NULL},
    {"a AND b Or c UNLESS d", "a and b or c unless d"},
    {"a >bool b", "a > bool b"},
    {"1 == bool 2", NULL},
    {"a </ b >/ c", NULL},
    {"a + on() b", "a + on () b"},
    {"a + ignoring() b", "a + b"},
    {"a and ignoring(x) b", "a and ignoring (x) b"},
    {"a / on(x,\"y.z\",) group_left b", "a / on (x, \"y.z\") group_left () b"},
    {"a / ignoring(x) group_right(y) b", "a / ignoring (x) group_right (y) b"},
    {"a + on() 1", "a + 1"},
    {"a + fill(0) b", "a + fill (0) b"},
    {"a + fill_left(1) fill_right(-Inf) b", "a + fill_left (1) fill_right (-Inf) b"},
    {"a + fill(NaN) b", "a + fill (NaN) b"},
    {"a + fill_right(2) fill_left(2) b", "a + fill (2) b"},
    {"a == bool on(x) fill(0) b", "a == bool on (x) fill (0) b"},
    {"fill + fill", NULL},
    {"sum(a)", NULL},
    {"SUM BY(x)(a)", "sum by (x) (a)"},
    {"sum(a)by(x,y)", "sum by (x, y) (a)"},
    {"sum without() (a)", "sum without () (a)"},
    {"sum by() (a)", "sum(a)"},
    {"sum by (\"a.b\", on) (a)", NULL},
    {"topk(5,a)", "topk(5, a)"},
    {"count_values without(x)('v', a)", "count_values without (x) (\"v\", a)"},
    {"quantile(0.9,a)by(bool)", "quantile by (bool) (0.9, a)"},
    {"abs( a )", "abs(a)"},
    {"time()", NULL},
    {"round(a,0.1)", "round(a, 0.1)"},
    {"label_join(a,\"b\",\",\",\"c\",\"d\")", "label_join(a, \"b\", \",\", \"c\", \"d\")"},
    {"start() + end ( )", "start() + end()"},
    {"step", NULL},
    {"((a))", NULL},
    {"info(a, {x=~\".*\"})", NULL},
    {"info(a, {})", NULL},
    {"a # comment\n + # another\r b", "a + b"},
    {"absent(a{x=\"1\",x=\"2\"})", NULL},
};

static void canonical_text(void **state)
{
	struct promql_options o = { .features = PROMQL_ALL_FEATURES };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str want = str_of(cases[i].canonical != NULL ? cases[i].canonical : cases[i].text);
		struct err e = { 0 };
		struct promql_query *q = promql_query_new(str_of(cases[i].text), &o, &e), *again;

		if (q == NULL)
			fail_msg("%s: %s", cases[i].text, e.msg);
		if (!str_eq(promql_query_text(q), want))
			fail_msg("%s: " STR_FMT ", expected " STR_FMT, cases[i].text, STR_ARG(promql_query_text(q)), STR_ARG(want));
		assert_true(promql_query_is(q, str_of(cases[i].text), &o));
		again = promql_query_new(promql_query_text(q), &o, &e);
		if (again == NULL || !str_eq(promql_query_text(again), want))
			fail_msg("%s: printed again: %s", cases[i].text, e.msg);
		promql_query_free(again);
		promql_query_free(q);
	}
}

/* As Prometheus 2.42 lays them out. */
static void long_ones_on_several_lines(void **state)
{
	static const struct {
		const char *text, *lines;
	} long_ones[] = {
		{ "sum(a)", "sum(a)" },
		{ "sum(rate(a_very_long_name_of_a_counter_total{status=~\"4..\"}[3m])) by (instance) / "
		  "sum(rate(a_very_long_name_of_a_counter_total[3m])) by (instance) * 100 > 5 and on (instance) up",
		  "        sum by (instance) (rate(a_very_long_name_of_a_counter_total{status=~\"4..\"}[3m]))\n"
		  "      /\n"
		  "        sum by (instance) (rate(a_very_long_name_of_a_counter_total[3m]))\n"
		  "    *\n"
		  "      100\n"
		  "  >\n"
		  "    5\n"
		  "and on (instance)\n"
		  "  up" },
		{ "topk(3, sum by (job, instance) (rate(thanos_objstore_bucket_operation_failures_total{job=~\".*thanos-sidecar.*\"}[5m])))",
		  "topk(\n"
		  "  3,\n"
		  "  sum by (job, instance) (\n"
		  "    rate(thanos_objstore_bucket_operation_failures_total{job=~\".*thanos-sidecar.*\"}[5m])\n"
		  "  )\n"
		  ")" },
		{ "-(max_over_time(thanos_query_concurrent_gate_queries_max[5m]) - avg_over_time(thanos_query_concurrent_gate_queries_in_flight[5m]) < bool 1)",
		  "-(\n"
		  "      max_over_time(thanos_query_concurrent_gate_queries_max[5m])\n"
		  "    -\n"
		  "      avg_over_time(thanos_query_concurrent_gate_queries_in_flight[5m])\n"
		  "  < bool\n"
		  "    1\n"
		  ")" },
		{ "clamp(pg_stat_user_tables_n_tup_del + pg_stat_user_tables_n_tup_upd + pg_stat_user_tables_n_tup_hot_upd, 1, 2)",
		  "clamp(\n"
		  "  pg_stat_user_tables_n_tup_del + pg_stat_user_tables_n_tup_upd + pg_stat_user_tables_n_tup_hot_upd,\n"
		  "  1,\n"
		  "  2\n"
		  ")" },
		{ "(pg_stat_user_tables_n_tup_del + pg_stat_user_tables_n_tup_upd + pg_stat_user_tables_n_tup_hot_upd_x + a)[1h:5m] offset 5m",
		  "(\n"
		  "    pg_stat_user_tables_n_tup_del + pg_stat_user_tables_n_tup_upd + pg_stat_user_tables_n_tup_hot_upd_x\n"
		  "  +\n"
		  "    a\n"
		  ")[1h:5m] offset 5m" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(long_ones); i++) {
		struct err e = { 0 };
		struct promql_query *q = promql_query_new(str_of(long_ones[i].text), NULL, &e);
		struct buf b = { 0 };

		if (q == NULL)
			fail_msg("%s: %s", long_ones[i].text, e.msg);
		promql_query_lines(q, &b);
		assert_string_equal(buf_z(&b), long_ones[i].lines);
		buf_fini(&b);
		promql_query_free(q);
	}
}

/* Each operator of a chain is further in than the next: at some depth the rest stays on one line. */
static void a_long_chain_does_not_become_a_wide_one(void **state)
{
	struct buf text = { 0 }, lines = { 0 };
	struct err e = { 0 };
	struct promql_query *q;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%sx", i > 0 ? " + " : "");
	q = promql_query_new(buf_str(&text), NULL, &e);
	assert_non_null(q);
	promql_query_lines(q, &lines);
	assert_true(lines.n < 3 * text.n);
	buf_fini(&text);
	buf_fini(&lines);
	promql_query_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_text),
		cmocka_unit_test(long_ones_on_several_lines),
		cmocka_unit_test(a_long_chain_does_not_become_a_wide_one),
	};

	return cmocka_run_group_tests_name("promql print", tests, NULL, NULL);
}
