/* Range queries that are too dense to be evaluated at once, over series that come and go: in slices they say the same. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "promql/script/notation.h"
#include "promql/script/ram.h"

/* Each series lives through LIFE samples 10 s apart, one after the other, but for a time in the middle that has none. */
enum { SERIES = 40, LIFE = 10, STEP_MS = 10000, STEPS = SERIES * LIFE, GAP = 20, LIMIT = 2400 };

static void load(struct ram *ram, struct arena *a, const char *line, int64_t from_ms)
{
	struct str s = str_of(line);
	struct notation_value *v;
	struct labels l;
	struct err e = { 0 };
	size_t n;

	if (!notation_read_labels(a, &s, &l, &e) || !notation_read_values(a, s, &v, &n, &e))
		fail_msg("%s: %s", line, e.msg);
	for (size_t i = 0; i < n; i++)
		if (v[i].kind != NOTATION_NONE)
			ram_append(ram, l, from_ms + (int64_t)i * STEP_MS, v[i].v, v[i].h, 0);
}

static struct ram *series_that_come_and_go(void)
{
	struct ram *ram = ram_new();
	struct arena a = { 0 };

	for (int i = 0; i < SERIES; i++) {
		int64_t from_ms = (int64_t)i * LIFE * STEP_MS;
		char line[256];

		if (i == GAP)
			continue;
		snprintf(line, sizeof line, "c_total{i=\"%d\", j=\"%d\"} %d+%dx%d stale", i, i % 3, i, i % 7 + 1, LIFE - 1);
		load(ram, &a, line, from_ms);
		snprintf(line, sizeof line, "info{i=\"%d\", v=\"v%d\"} 1x%d stale", i, i % 4, LIFE - 1);
		load(ram, &a, line, from_ms);
		snprintf(line, sizeof line, "h{i=\"%d\"} {{count:%d sum:5 buckets:[1 2 %d]}}+{{count:2 sum:1 buckets:[0 1 1]}}x%d stale",
		         i, i + 3, i, LIFE - 1);
		load(ram, &a, line, from_ms);
		snprintf(line, sizeof line, "falling_bucket{i=\"%d\", le=\"%d\"} %dx%d stale", i, i + 1, i + 9, LIFE - 1);
		load(ram, &a, line, from_ms);
		snprintf(line, sizeof line, "falling_bucket{i=\"%d\", le=\"+Inf\"} 4x%d stale", i, LIFE - 1);
		load(ram, &a, line, from_ms);
	}
	arena_fini(&a);
	return ram;
}

static void print_series(struct buf *b, const struct promql_series *s)
{
	labels_print(b, s->labels);
	for (size_t i = 0; i < s->n; i++) {
		buf_printf(b, " %lld:", (long long)s->t_ms[i]);
		if (s->h != NULL && s->h[i] != NULL)
			promql_histogram_print(b, s->h[i]);
		else
			buf_printf(b, "%.17g", s->v[i]);
	}
	buf_putz(b, "\n");
}

static struct promql_result *ask_with(struct ram *ram, const char *text, bool range, size_t limit, struct arena *a, struct err *e)
{
	struct promql_options o = { .features = PROMQL_ALL_FEATURES & ~(unsigned)PROMQL_TYPE_AND_UNIT_LABELS,
	                            .limits.max_samples = limit };
	struct promql_query *q = promql_query_new(str_of(text), &o, e);
	struct promql_result *r;

	if (q == NULL)
		fail_msg("%s: %s", text, e->msg);
	if (range)
		r = promql_range(q, a, ram_querier(ram), 0, STEPS * STEP_MS, STEP_MS, e);
	else
		r = promql_instant(q, a, ram_querier(ram), STEPS * STEP_MS, e);
	promql_query_free(q);
	return r;
}

static struct promql_result *ask(struct ram *ram, const char *text, size_t limit, struct arena *a, struct err *e)
{
	return ask_with(ram, text, true, limit, a, e);
}

static void print(struct buf *b, const struct promql_result *r)
{
	buf_printf(b, "type %d, read_lost %d, incomplete %d, unseen %zu\n", r->type, r->read_lost, r->incomplete, r->n_unseen);
	for (size_t i = 0; i < r->n_notes; i++)
		buf_printf(b, STR_FMT "\n", STR_ARG(r->notes[i].text));
	for (size_t i = 0; i < r->n_vector; i++) {
		const struct promql_sample *s = &r->vector[i];

		print_series(b, &(struct promql_series){ s->labels, 1, &s->t_ms, &s->v, &s->h });
	}
	for (size_t i = 0; i < r->n_matrix; i++)
		print_series(b, &r->matrix[i]);
}

static void slices_say_the_same(void **state)
{
	static const struct {
		const char *query;
		size_t limit;
	} cases[] = {
		{ "c_total", LIMIT }, { "-c_total", LIMIT }, { "rate(c_total[1m])", LIMIT }, { "sum by (j) (rate(c_total[1m]))", LIMIT },
		{ "topk(2, c_total)", LIMIT }, { "count_values(\"n\", c_total % 3)", LIMIT }, { "quantile by (j) (0.3, c_total)", LIMIT },
		{ "c_total * on (i) group_left (v) info", LIMIT }, { "c_total and on (i) info{v=\"v1\"}", LIMIT },
		{ "c_total or info", LIMIT }, { "c_total unless on (i) info{v=\"v2\"}", LIMIT }, { "c_total @ end()", LIMIT },
		{ "sum(c_total) - on () sum(c_total @ start())", LIMIT },
		{ "c_total + on () group_left () vector(end() - start() + time())", LIMIT },
		{ "c_total offset 130s", LIMIT }, { "max_over_time(rate(c_total[1m])[2m:10s])", LIMIT },
		{ "max_over_time(count(c_total)[5m:10s])", LIMIT },
		{ "histogram_quantile(0.5, falling_bucket)", LIMIT }, { "rate(info[1m]) + rate(info[2m])", LIMIT },
		{ "h", LIMIT }, { "sum(rate(h[1m]))", LIMIT }, { "histogram_quantile(0.7, h)", LIMIT }, { "h or c_total", LIMIT },
		{ "rate(info[1m])", LIMIT }, { "rate(h[1m]) or rate(info[1m]) or rate(c_total[1m])", LIMIT }, { "absent(c_total)", LIMIT },
		{ "absent_over_time(c_total[30s])", LIMIT }, { "scalar(c_total)", LIMIT },
		{ "label_replace(c_total, \"i\", \"same\", \"\", \"\")", LIMIT },
		{ "timestamp(c_total)", LIMIT }, { "info(c_total, {__name__=\"info\"})", LIMIT }, { "nosuch", LIMIT },
		{ "sort(c_total > 90)", 75 }, { "sort_desc(c_total > 90)", 75 },        /* a step at a time */
	};
	struct ram *ram = series_that_come_and_go();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct buf whole = { 0 }, sliced = { 0 };
		struct err e = { 0 };
		struct promql_result *r = ask(ram, cases[i].query, 0, &a, &e);

		assert_non_null(r);
		if (strcmp(cases[i].query, "nosuch") != 0)
			assert_true(r->peak_samples > cases[i].limit);
		print(&whole, r);
		r = ask(ram, cases[i].query, cases[i].limit, &a, &e);
		if (r == NULL)
			fail_msg("%s: %s", cases[i].query, e.msg);
		assert_true(r->peak_samples <= cases[i].limit);
		print(&sliced, r);
		if (strcmp(buf_z(&whole), buf_z(&sliced)) != 0)
			fail_msg("%s\nat once: %s\nin slices: %s", cases[i].query, buf_z(&whole), buf_z(&sliced));
		buf_fini(&whole);
		buf_fini(&sliced);
		arena_fini(&a);
	}
	ram_free(ram);
}

/* What a result itself has of samples counts, and errors that are no limits stay what they are. */
static void slices_are_bounded(void **state)
{
	static const struct {
		const char *query, *message;
		size_t limit;
	} cases[] = {
		{ "c_total", "query needs more than max_samples=350 samples: 39 series at 1 steps, and ", 350 },
		{ "c_total @ 0 + on () group_left () vector(1)", "query needs more than max_samples=390 samples: ", 390 },
		{ "c_total", "query needs more than max_samples=38 samples: 39 series at 1 steps, and 0 before", 38 },
		{ "c_total / on () group_left () {__name__=~\"c_total|info\"}", "found duplicate series for the match group", LIMIT },
	};
	struct ram *ram = series_that_come_and_go();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct err e = { 0 };

		if (ask(ram, cases[i].query, cases[i].limit, &a, &e) != NULL)
			fail_msg("%s: there is a result", cases[i].query);
		if (strstr(e.msg, cases[i].message) == NULL)
			fail_msg("%s: %s", cases[i].query, e.msg);
		arena_fini(&a);
	}
	ram_free(ram);
}

static int by_line(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Rows of a vector come in no particular order. */
static void print_sorted(struct buf *out, const struct promql_result *r)
{
	struct str lines[4 * SERIES * LIFE], rest, line;
	struct buf b = { 0 };
	size_t n = 0;

	print(&b, r);
	rest = buf_str(&b);
	while (str_cut(&rest, '\n', &line) && n < ARRAY_LEN(lines))
		lines[n++] = line;
	qsort(lines, n, sizeof *lines, by_line);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, STR_FMT "\n", STR_ARG(lines[i]));
	buf_fini(&b);
}

/* An instant query cannot be sliced: the subquery is, with a limit of so many samples. */
static void subqueries_in_slices_say_the_same(void **state)
{
	static const struct {
		const char *query;
		size_t limit;
	} cases[] = {
		{ "max_over_time(count by (i) (c_total)[70m:10s])", 2400 }, { "rate(c_total[70m:10s])", 2400 },
		{ "sum_over_time(rate(info[1m])[70m:10s])", 2400 }, { "sum_over_time(h[70m:10s])", 17000 },
		{ "max_over_time(sum_over_time(c_total[1m:10s])[70m:10s])", 2400 }, { "c_total[70m:10s]", 2400 },
		{ "last_over_time(count_values(\"n\", c_total % 3)[70m:10s])", 2400 },
		{ "sum by (j) (max_over_time(c_total[70m:10s])) + on (j) sum by (j) (min_over_time(c_total[70m:10s]))", 3500 },
		{ "last_over_time((c_total % 2 == 0 or -c_total)[70m:10s])", 4000 }, { "first_over_time((c_total > 9 or -c_total)[70m:10s])", 4000 },
		{ "last_over_time((h or -info)[70m:10s])", 17000 }, { "(c_total % 2 == 0 or -c_total)[70m:10s]", 4000 },
		{ "count_over_time((c_total or info)[70m:10s] offset 1m)", 4000 }, { "absent_over_time(c_total[70m:10s])", 2400 },
	};
	struct ram *ram = series_that_come_and_go();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct buf whole = { 0 }, sliced = { 0 };
		struct err e = { 0 };
		struct promql_result *r = ask_with(ram, cases[i].query, false, 0, &a, &e);

		assert_non_null(r);
		assert_true(r->peak_samples > cases[i].limit);
		print_sorted(&whole, r);
		r = ask_with(ram, cases[i].query, false, cases[i].limit, &a, &e);
		if (r == NULL)
			fail_msg("%s: %s", cases[i].query, e.msg);
		assert_true(r->peak_samples <= cases[i].limit);
		print_sorted(&sliced, r);
		if (strcmp(buf_z(&whole), buf_z(&sliced)) != 0)
			fail_msg("%s\nat once: %s\nin slices: %s", cases[i].query, buf_z(&whole), buf_z(&sliced));
		buf_fini(&whole);
		buf_fini(&sliced);
		arena_fini(&a);
	}
	ram_free(ram);
}

/* A query that runs beside others of a thread of its own finds what they leave it, and gives back all it took, however it ends. */
static void queries_share_a_budget(void **state)
{
	const struct promql_options o = { .limits.max_samples = 400000 };
	struct promql_budget budget = { .most = promql_most_bytes(&o) };
	struct ram *ram = series_that_come_and_go();
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(STR("c_total + on (i) c_total"), &o, &e);

	(void)state;
	assert_non_null(q);
	assert_true(budget.most > 400000 * 16 && budget.most < 1 << 30);
	promql_query_budget(q, &budget);
	for (size_t others = 0; others <= budget.most; others += budget.most) {
		struct arena a = { 0 };
		struct promql_result *r;

		budget.bytes = others;
		r = promql_range(q, &a, ram_querier(ram), 0, 2500 * STEP_MS, STEP_MS, &e);
		assert_int_equal(r == NULL, others > 0);
		assert_int_equal(budget.bytes, others);
		arena_fini(&a);
	}
	assert_int_equal(e.code, ERR_TIMEOUT);
	if (strstr(e.msg, "queries under way need more memory than max_samples=400000 samples may take") == NULL)
		fail_msg("%s", e.msg);
	promql_query_free(q);
	ram_free(ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(slices_say_the_same), cmocka_unit_test(slices_are_bounded),
		                            cmocka_unit_test(subqueries_in_slices_say_the_same),
		                            cmocka_unit_test(queries_share_a_budget) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
