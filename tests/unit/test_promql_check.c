/* Types of results, the table of functions, and names that are nearly right. */
#include "tests.h"

#include <stdio.h>

#include "promql/duration.h"
#include "promql/functions.h"
#include "promql/near.h"
#include "promql/query.h"

static void result_types(void **state)
{
	static const struct {
		const char *text;
		enum promql_type type;
	} cases[] = {
	    {"1", PROMQL_SCALAR},         {"1 + 2 * -3", PROMQL_SCALAR}, {"1 < bool 2", PROMQL_SCALAR}, {"(time())", PROMQL_SCALAR},
	    {"scalar(x)", PROMQL_SCALAR}, {"x", PROMQL_VECTOR},          {"x + 1", PROMQL_VECTOR},      {"1 > x", PROMQL_VECTOR},
	    {"-x", PROMQL_VECTOR},        {"sum(x)", PROMQL_VECTOR},     {"vector(1)", PROMQL_VECTOR},  {"x and y", PROMQL_VECTOR},
	    {"x[5m]", PROMQL_MATRIX},     {"(x[5m])", PROMQL_MATRIX},    {"x[5m:]", PROMQL_MATRIX},     {"\"a\"", PROMQL_STRING},
	    {"((\"a\"))", PROMQL_STRING}, {"month()", PROMQL_VECTOR},    {"pi()", PROMQL_SCALAR},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct promql_query *q = promql_query_new(str_of(cases[i].text), NULL, &e);

		if (q == NULL || promql_query_type(q) != cases[i].type)
			fail_msg("%s: %s %s", cases[i].text, q != NULL ? promql_type_name(promql_query_type(q)) : "refused", e.msg);
		promql_query_free(q);
	}
}

static void function_table(void **state)
{
	const struct promql_function_info *infos;
	size_t experimental = 0;

	(void)state;
	assert_int_equal(n_functions, 90);
	assert_int_equal(promql_functions(&infos), n_functions);
	for (size_t i = 0; i < n_functions; i++) {
		struct str name = str_of(functions[i].name);

		if (i > 0 && str_cmp(str_of(functions[i - 1].name), name) >= 0)
			fail_msg("%s is out of order", functions[i].name);
		assert_ptr_equal(function_find(name), &functions[i]);
		assert_string_equal(infos[i].name, functions[i].name);
		assert_true(infos[i].experimental == functions[i].experimental);
		assert_true(str_starts(str_of(infos[i].signature), name));
		assert_true(functions[i].help[0] != '\0' && str_ends(str_of(functions[i].help), STR(".")));
		experimental += functions[i].experimental;
	}
	assert_int_equal(experimental, 17);
	assert_null(function_find(STR("")));
	assert_null(function_find(STR("rat")));
	assert_null(function_find(STR("rates")));
}

static void nearest_names(void **state)
{
	static const struct {
		const char *wrong, *near;
	} cases[] = {
	    {"rat", "rate"},
	    {"raet", "rate"},
	    {"RATE", "rate"},
	    {"increse", "increase"},
	    {"histogram_quantil", "histogram_quantile"},
	    {"avg_overtime", "avg_over_time"},
	    {"x", NULL},
	    {"frobnicate", NULL},
	    {"label_repalce", "label_replace"},
	};

	(void)state;
	assert_int_equal(near_distance(STR("abc"), STR("abc")), 0);
	assert_int_equal(near_distance(STR("abc"), STR("acb")), 1);
	assert_int_equal(near_distance(STR(""), STR("abc")), 3);
	assert_int_equal(near_distance(STR("kitten"), STR("sitting")), 3);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct function *fn = function_nearest(str_of(cases[i].wrong));

		if (cases[i].near == NULL ? fn != NULL : fn == NULL || strcmp(fn->name, cases[i].near) != 0)
			fail_msg("%s: %s", cases[i].wrong, fn != NULL ? fn->name : "nothing");
	}
}

static void durations_wait_for_the_query(void **state)
{
	static const struct {
		const char *text;
		int64_t step_ms, length_ms, want_ms;    /* 0: an error */
	} cases[] = {
		{ "x[5m]", 1000, 0, 300000 }, { "x[0.0015]", 0, 0, 1 }, { "x[1.5]", 0, 0, 1500 }, { "x[step()]", 5000, 0, 5000 },
		{ "x[step()]", 0, 0, 0 }, { "x[range()]", 0, 60000, 60000 }, { "x[max_of(step(), 1m)]", 5000, 0, 60000 },
		{ "x[min_of(step(), 1m) * 2]", 5000, 0, 10000 }, { "x[1h % step()]", 0, 0, 0 }, { "x[2 ^ 3]", 0, 0, 8000 },
		{ "x[5m - step()]", 300000, 0, 0 }, { "x[1y * step()]", 1000000, 0, 0 }, { "x[-(-5m)]", 0, 0, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct promql_query *q = promql_query_new(str_of(cases[i].text), NULL, &e);
		int64_t ms = 0;

		if (q == NULL)
			fail_msg("%s: %s", cases[i].text, e.msg);
		if (!duration_resolve(&q->root->selector.range, cases[i].step_ms, cases[i].length_ms, true, &ms, &e))
			ms = 0;
		if (ms != cases[i].want_ms)
			fail_msg("%s: %lld %s", cases[i].text, (long long)ms, e.msg);
		promql_query_free(q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_types), cmocka_unit_test(function_table), cmocka_unit_test(nearest_names),
		cmocka_unit_test(durations_wait_for_the_query),
	};

	return cmocka_run_group_tests_name("promql check", tests, NULL, NULL);
}
