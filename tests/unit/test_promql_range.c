/* A range query is the instant queries at its steps: to the last bit, though windows that slide over a series share their work. */
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "promql/script/ram.h"

enum { SERIES = 10, SAMPLES = 400, ROUNDS = 3 };

/* Kinds of series: what the next value is. */
static double next_value(int kind, double v)
{
	switch (kind) {
	case 0: return v + rand() % 50;                                         /* a counter */
	case 1: return rand() % 30 == 0 ? rand() % 3 : v + rand() % 50;         /* with resets */
	case 2: return rand() % 100 / 7.0;                                      /* no sum of them is exact */
	case 3: return rand() % 8 == 0 ? (double)NAN : rand() % 20 - 10;
	case 4: return rand() % 20 == 0 ? value_stale() : rand() % 5;
	case 5: return rand() % 15 == 0 ? (rand() % 2 ? (double)INFINITY : -INFINITY) : rand() % 5;
	case 6: return (double)(rand() % 3) * 0x1p52 + rand() % 2;      /* sums leave what is exact */
	case 7: return rand() % 2 ? -0.0 : 0.0;
	case 8: return NAN;
	default: return 1e308 * (rand() % 3 - 1);                               /* sums overflow */
	}
}

static void fill(struct ram *ram)
{
	for (int s = 0; s < SERIES; s++) {
		char i[8];
		struct label v[] = { { STR(LABEL_NAME), STR("x_total") }, { STR("i"), { i, (size_t)snprintf(i, sizeof i, "%d", s) } } };
		int64_t t = rand() % 5000;
		double value = 0;

		for (int k = 0; k < SAMPLES; k++) {
			value = next_value(s, isfinite(value) ? value : 0);
			ram_append(ram, (struct labels){ v, 2 }, t, value, NULL, 0);
			t += rand() % 40 == 0 ? 90000 : 4000 + rand() % 2000;
		}
	}
}

static bool same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* The value of that series at <t_ms> in an instant query. */
static bool at_instant(const struct promql_result *r, struct labels l, double *v)
{
	for (size_t i = 0; i < r->n_vector; i++)
		if (labels_eq(r->vector[i].labels, l)) {
			*v = r->vector[i].v;
			return true;
		}
	return false;
}

static struct promql_query *query(const char *text)
{
	struct promql_options o = { .features = PROMQL_ALL_FEATURES };
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(str_of(text), &o, &e);

	if (q == NULL)
		fail_msg("%s: %s", text, e.msg);
	return q;
}

static void compare(struct ram *ram, const char *text, int64_t start_ms, int64_t step_ms)
{
	struct promql_query *over = query(text), *one = query(text);
	struct arena a = { 0 }, b = { 0 };
	struct err e = { 0 };
	struct promql_result *range = promql_range(over, &a, ram_querier(ram), start_ms, start_ms + 60 * step_ms, step_ms, &e), *instant;
	size_t points = 0, found = 0;

	assert_non_null(range);
	for (size_t s = 0; s < range->n_matrix; s++)
		points += range->matrix[s].n;
	for (int64_t t = start_ms; t <= start_ms + 60 * step_ms; t += step_ms, arena_reset(&b)) {
		instant = promql_instant(one, &b, ram_querier(ram), t, &e);
		assert_non_null(instant);
		found += instant->n_vector;
		for (size_t s = 0; s < range->n_matrix; s++)
			for (size_t i = 0; i < range->matrix[s].n; i++) {
				double v = 0;

				if (range->matrix[s].t_ms[i] != t)
					continue;
				if (!at_instant(instant, range->matrix[s].labels, &v) || !same_bits(v, range->matrix[s].v[i]))
					fail_msg("%s at %lld: %.17g in the range query, %.17g alone", text, (long long)t,
					         range->matrix[s].v[i], v);
			}
	}
	assert_int_equal(points, found);
	promql_query_free(over);
	promql_query_free(one);
	arena_fini(&a);
	arena_fini(&b);
}

static void ranges_are_their_instants(void **state)
{
	static const char *const queries[] = {
		"sum_over_time(x_total[1m])", "avg_over_time(x_total[2m])", "min_over_time(x_total[1m])", "max_over_time(x_total[3m])",
		"quantile_over_time(0.3, x_total[2m])", "count_over_time(x_total[1m])", "stddev_over_time(x_total[1m])", "rate(x_total[1m])",
		"increase(x_total[5m])", "delta(x_total[1m])", "rate(x_total[20s])", "irate(x_total[1m])", "last_over_time(x_total[1m])",
		"max_over_time(x_total[1m] @ 700)", "quantile_over_time(0.9, x_total[2m] @ 700)", "sum_over_time(x_total[1m] offset 3m)",
		"max_over_time(rate(x_total[1m])[3m:10s])", "avg_over_time(x_total[2m:7s])",
		"mad_over_time(x_total[1m])", "changes(x_total[1m])", "x_total", "increase(x_total[1m] anchored)",
		"rate(x_total[1m] smoothed)", "ts_of_max_over_time(x_total[1m])",
	};

	(void)state;
	srand(5);
	for (int round = 0; round < ROUNDS; round++) {
		struct ram *ram = ram_new();

		fill(ram);
		for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
			compare(ram, queries[i], rand() % 300000, 1 + rand() % 40000);
			compare(ram, queries[i], rand() % 1000000, 100000 + rand() % 100000);
		}
		ram_free(ram);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ranges_are_their_instants) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
