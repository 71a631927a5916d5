/* The alert state machine, row by row: each case names the sentence of the semantics it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "rules/alert_step.h"

#define MIN 60000
#define HIT VERDICT_HIT
#define EARLY VERDICT_EARLY
#define MISS VERDICT_MISS
#define UNKNOWN VERDICT_UNKNOWN

enum { STEPS = 12 };

struct move {
	int64_t at_ms;
	enum verdict verdict;
	enum alert_edge edge;
};

struct step_case {
	const char *name;
	int64_t for_ms, keep_ms, no_data_after_ms;
	enum rule_policy on_no_data, on_error;
	bool by_error, synthetic;
	struct move moves[STEPS];               /* up to the first with at_ms 0 behind the first */
	enum alert_state last;
};

static const struct step_case cases[] = {
	{ "without for: fires at once", .moves = { { 1, HIT, EDGE_FIRING }, { 2, HIT, EDGE_NONE } }, .last = ALERT_FIRING },
	{ "fires only after for", .for_ms = MIN,
	  .moves = { { 1, HIT, EDGE_PENDING }, { MIN, HIT, EDGE_NONE }, { MIN + 1, HIT, EDGE_FIRING } }, .last = ALERT_FIRING },
	{ "pending and gone is dropped: nobody was told", .for_ms = MIN, .moves = { { 1, HIT, EDGE_PENDING },
	             { 2, MISS, EDGE_DROPPED } } },
	{ "dropped starts over", .for_ms = 10,
	  .moves = { { 1, HIT, EDGE_PENDING }, { 5, MISS, EDGE_DROPPED }, { 11, HIT, EDGE_PENDING }, { 20, HIT, EDGE_NONE },
	             { 21, HIT, EDGE_FIRING } }, .last = ALERT_FIRING },
	{ "a miss resolves", .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_RESOLVED }, { 3, MISS, EDGE_NONE } } },
	{ "resolved and back is new", .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_RESOLVED }, { 3, HIT, EDGE_FIRING } },
	  .last = ALERT_FIRING },
	{ "keep_firing_for holds it, then resolves", .keep_ms = MIN,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_NONE }, { MIN + 1, MISS, EDGE_NONE }, { MIN + 2, MISS, EDGE_RESOLVED } } },
	{ "a hit ends keep_firing_for", .keep_ms = 10,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_NONE }, { 8, HIT, EDGE_NONE }, { 13, MISS, EDGE_NONE },
	             { 22, MISS, EDGE_NONE },
	             { 23, MISS, EDGE_RESOLVED } } },
	{ "unknown: pending stays pending, for does not advance", .for_ms = MIN,
	  .moves = { { 1, HIT, EDGE_PENDING }, { MIN + 1, UNKNOWN, EDGE_NONE }, { 5 * MIN, UNKNOWN, EDGE_NONE },
	             { 5 * MIN + 1, HIT, EDGE_NONE },
	             { 6 * MIN, HIT, EDGE_NONE }, { 6 * MIN + 1, HIT, EDGE_FIRING } }, .last = ALERT_FIRING },
	{ "unknown: firing stays firing", .moves = { { 1, HIT, EDGE_FIRING }, { 2, UNKNOWN, EDGE_NONE }, { 3, HIT, EDGE_NONE } },
	  .last = ALERT_FIRING },
	{ "unknown then a miss resolves", .moves = { { 1, HIT, EDGE_FIRING }, { 2, UNKNOWN, EDGE_NONE }, { 3, MISS, EDGE_RESOLVED } } },
	{ "unknown: keep_firing_for does not advance", .keep_ms = 10,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_NONE }, { 5, UNKNOWN, EDGE_NONE }, { 20, UNKNOWN, EDGE_NONE },
	             { 22, MISS, EDGE_NONE },
	             { 31, MISS, EDGE_NONE }, { 32, MISS, EDGE_RESOLVED } } },
	{ "unknown never creates an alert", .moves = { { 1, UNKNOWN, EDGE_NONE }, { 2, MISS, EDGE_NONE } } },
	{ "no data is told once, then data is back", .no_data_after_ms = 15 * MIN,
	  .moves = { { 1, HIT, EDGE_FIRING }, { MIN, UNKNOWN, EDGE_NONE }, { 15 * MIN, UNKNOWN, EDGE_NONE },
	             { 15 * MIN + 1, UNKNOWN, EDGE_NO_DATA },
	             { 16 * MIN, UNKNOWN, EDGE_NONE }, { 17 * MIN, HIT, EDGE_DATA_BACK },
	             { 18 * MIN, HIT, EDGE_NONE } }, .last = ALERT_FIRING },
	{ "no data is told again in a new span", .no_data_after_ms = 10,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 11, UNKNOWN, EDGE_NO_DATA }, { 12, HIT, EDGE_DATA_BACK }, { 22, UNKNOWN, EDGE_NO_DATA } },
	  .last = ALERT_FIRING },
	{ "no data is not told of a pending alert", .for_ms = MIN, .no_data_after_ms = 10,
	  .moves = { { 1, HIT, EDGE_PENDING }, { 11, UNKNOWN, EDGE_NONE } }, .last = ALERT_PENDING },
	{ "told no data, then a miss: resolved, not data back", .no_data_after_ms = 10,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 11, UNKNOWN, EDGE_NO_DATA }, { 12, MISS, EDGE_RESOLVED } } },
	{ "told no data, then a miss within keep_firing_for: data back", .keep_ms = 10, .no_data_after_ms = 10,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 11, UNKNOWN, EDGE_NO_DATA }, { 12, MISS, EDGE_DATA_BACK }, { 22, MISS, EDGE_RESOLVED } } },
	{ "on_no_data resolve: after no_data_after", .no_data_after_ms = 10, .on_no_data = RULE_RESOLVE,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 10, UNKNOWN, EDGE_NONE }, { 11, UNKNOWN, EDGE_RESOLVED } } },
	{ "on_no_data resolve says nothing of errors", .no_data_after_ms = 10, .on_no_data = RULE_RESOLVE, .by_error = true,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 11, UNKNOWN, EDGE_NO_DATA } }, .last = ALERT_FIRING },
	{ "on_error resolve: after no_data_after", .no_data_after_ms = 10, .on_error = RULE_RESOLVE, .by_error = true,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 11, UNKNOWN, EDGE_RESOLVED } } },
	{ "on_no_data resolve: pending is dropped", .for_ms = MIN, .no_data_after_ms = 10, .on_no_data = RULE_RESOLVE,
	  .moves = { { 1, HIT, EDGE_PENDING }, { 11, UNKNOWN, EDGE_DROPPED } } },
	{ "early: what is not firing waits, and its time counts", .for_ms = 10,
	  .moves = { { 1, EARLY, EDGE_PENDING }, { 11, EARLY, EDGE_NONE }, { 12, HIT, EDGE_FIRING }, { 13, EARLY, EDGE_NONE } }, .last = ALERT_FIRING },
	{ "early, and not so: nobody was told", .moves = { { 1, EARLY, EDGE_PENDING }, { 2, MISS, EDGE_DROPPED } } },
	{ "an alert of on_no_data: fire knows no for", .for_ms = MIN, .keep_ms = MIN, .synthetic = true,
	  .moves = { { 1, HIT, EDGE_FIRING }, { 2, MISS, EDGE_RESOLVED } } },
};

static bool run_case(const struct step_case *c)
{
	int64_t after = c->no_data_after_ms != 0 ? c->no_data_after_ms : RULE_NO_DATA_AFTER_MS;
	struct rule rule = { .for_ms = c->for_ms, .keep_firing_for_ms = c->keep_ms, .policy = { c->on_no_data, c->on_error, after } };
	struct alert a = { .by_error = c->by_error, .synthetic = c->synthetic };

	for (size_t i = 0; i < STEPS && c->moves[i].at_ms != 0; i++) {
		enum alert_edge got = alert_step(&a, &rule, c->moves[i].verdict, c->moves[i].at_ms);

		if (got != c->moves[i].edge) {
			print_error("%s: step %zu: want %s, got %s\n", c->name, i, alert_edge_name(c->moves[i].edge), alert_edge_name(got));
			return false;
		}
	}
	if (a.record.state != c->last)
		print_error("%s: ends %s\n", c->name, alert_state_name(a.record.state));
	return a.record.state == c->last;
}

static void test_cases(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		bad += !run_case(&cases[i]);
	assert_int_equal(bad, 0);
}

/* The clock jumped an hour ahead: `for` is not over because of that. */
static void test_clock_step(void **state)
{
	const struct rule rule = { .for_ms = 10 * MIN, .policy = { .no_data_after_ms = 15 * MIN } };
	struct alert a = { 0 };

	(void)state;
	assert_int_equal(alert_step(&a, &rule, HIT, MIN), EDGE_PENDING);
	alert_shift(&a, 60 * MIN);
	assert_int_equal(alert_step(&a, &rule, HIT, 62 * MIN), EDGE_NONE);
	assert_int_equal(alert_step(&a, &rule, HIT, 71 * MIN), EDGE_FIRING);
	alert_shift(&a, -60 * MIN);
	assert_int_equal(a.record.fired_at_ms, 11 * MIN);
	assert_int_equal(a.record.resolved_at_ms, 0);
}

/* Back after a restart: away time does not count, a restart within one interval costs nothing. */
static void test_downtime(void **state)
{
	const struct rule rule = { .for_ms = 10 * MIN, .policy = { .no_data_after_ms = 15 * MIN } };
	struct alert a = { .record = { .state = ALERT_PENDING, .active_at_ms = MIN, .seen_ms = 9 * MIN } };
	struct alert b = a;

	(void)state;
	alert_resume(&a, MIN, 60 * MIN);
	assert_int_equal(alert_step(&a, &rule, HIT, 60 * MIN), EDGE_NONE);
	assert_int_equal(a.record.active_at_ms, 51 * MIN);
	assert_int_equal(alert_step(&a, &rule, HIT, 61 * MIN), EDGE_FIRING);
	alert_resume(&b, MIN, 10 * MIN);
	assert_int_equal(b.record.unknown_since_ms, 0);
	assert_int_equal(alert_step(&b, &rule, HIT, 11 * MIN), EDGE_FIRING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_clock_step),
		cmocka_unit_test(test_downtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
