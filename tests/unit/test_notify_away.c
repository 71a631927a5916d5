/* A start after a time away: what fired before may be over, so nothing that fell due meanwhile goes out before its rule knows; and a clock that
 * was wrong meanwhile holds up nothing. */
#include "notify_world.h"

static const char yaml[]
	= "route: { receiver: call, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h,\n"
	  "  escalation: [ { after: 15m, receiver: lead } ] }\n"
	  "receivers: [ { name: call, webhook_configs: [ { url: 'http://call/' } ] }, { name: lead, webhook_configs: [ { url: 'http://lead/' } ] } ]\n";

static struct str known[4];
static size_t n_known;
static bool all_known;

static bool settled(void *ctx, int64_t since_ms, struct arena *a, struct str **keys, size_t *n)
{
	(void)ctx;
	(void)since_ms;
	(void)a;
	*keys = known;
	*n = n_known;
	return all_known;
}

/* The alerter is away; at the start no rule knows anything. */
static void away(struct world *w, int64_t ms)
{
	n_known = 0;
	all_known = false;
	w->rules_run = true;
	w->clock.wall += ms;
	w->clock.mono += ms;
	world_crash(w);
	world_run(w);
	core_watch_rules(w->core, settled, NULL, 60000);
	world_run(w);
}

/* The same without a start: the process was stopped. */
static void stopped(struct world *w, int64_t ms)
{
	n_known = 0;
	all_known = true;
	core_watch_rules(w->core, settled, NULL, 60000);
	world_pass(w, 1000);
	all_known = false;
	w->clock.wall += ms;
	w->clock.mono += ms;
	core_was_away(w->core);
	world_run(w);
}

static void (*const ways[])(struct world *, int64_t) = { away, stopped };

static void evaluated(struct world *w, const char *key)
{
	known[n_known++] = str_of(key);
	world_pass(w, 1000);
}

static void answer_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered)
			answer_with(w, i, HTTP_ANSWERED, 200, -1, "");
	world_run(w);
}

static struct world *paged(void)
{
	struct world *w = world_new(yaml);

	fire(w, "Down", "a");
	world_pass(w, 30000);
	answer_all(w);
	assert_int_equal(w->n, 1);
	return w;
}

static void assert_told(struct world *w, size_t i, const char *host, const char *status)
{
	assert_int_equal(w->n, i + 1);
	assert_true(has(w->asked[i].url, host));
	assert_true(has(w->asked[i].body, arena_printf(&w->arena, "\"status\":\"%s\",\"alerts\"", status).p));
	answer_all(w);
}

/* An hour away: a step and a repeat are overdue. */
static void what_is_over_is_told_to_who_knows_of_it_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct world *w = paged();

		ways[i](w, 3600000);
		world_pass(w, 5000);
		assert_int_equal(w->n, 1);
		resolve(w, "Down", "a");
		assert_told(w, 1, "call", "resolved");
		evaluated(w, "f;g;Down");
		world_pass(w, 7200000);
		assert_int_equal(w->n, 2);
		world_free(w);
	}
}

static void what_fires_on_is_told_once_that_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct world *w = paged();

		ways[i](w, 3600000);
		evaluated(w, "f;g;Other");
		assert_int_equal(w->n, 1);
		evaluated(w, "f;g;Down");
		answer_all(w);
		assert_int_equal(w->n, 3);
		assert_true(has(w->asked[1].url, "call") != has(w->asked[2].url, "call"));
		assert_true(has(w->asked[1].url, "lead") != has(w->asked[2].url, "lead"));
		world_free(w);
	}
}

/* Killed again and again in that time: nothing is lost, and nothing comes too early. */
static void nothing_is_lost_by_a_kill_meanwhile(void **state)
{
	struct world *w = paged();

	(void)state;
	for (int i = 0; i < 3; i++) {
		away(w, 3600000);
		world_pass(w, 5000);
		assert_int_equal(w->n, 1);
	}
	world_pass(w, 54000);
	assert_int_equal(w->n, 1);
	world_pass(w, 2000);                    /* nobody knows for a minute: rather told */
	answer_all(w);
	assert_int_equal(w->n, 3);
	world_free(w);
}

static void a_first_page_waits_too(void **state)
{
	struct world *w = world_new(yaml);

	(void)state;
	fire(w, "Down", "a");
	fire(w, "Full", "a");
	away(w, 600000);
	world_pass(w, 5000);
	resolve(w, "Full", "a");
	world_pass(w, 5000);
	assert_int_equal(w->n, 0);
	evaluated(w, "f;g;Down");
	assert_told(w, 0, "call", "firing");
	world_pass(w, 40000);
	assert_int_equal(w->n, 1);
	world_free(w);
}

/* In a group of its own, and in one that is held. */
static void what_begins_now_waits_for_nothing(void **state)
{
	struct world *w = paged();

	(void)state;
	fire(w, "Down", "c");                   /* not told yet */
	away(w, 600000);
	fire(w, "Down", "b");
	assert_told(w, 1, "call", "firing");
	assert_true(has(w->asked[1].body, "\"instance\":\"b\"") && !has(w->asked[1].body, "\"instance\":\"c\""));
	fire(w, "New", "b");
	world_pass(w, 30000);
	answer_all(w);
	assert_true(has(LAST(w).body, "\"New\"") || has(w->asked[w->n - 2].body, "\"New\""));
	evaluated(w, "f;g;Down");
	assert_true(has(LAST(w).body, "\"instance\":\"c\""));
	world_free(w);
}

static void post(struct world *w, int64_t ends_ms)
{
	const struct label l = { STR("alertname"), STR("Posted") };
	const struct notify_posted p = { .labels = { &l, 1 }, .starts_ms = w->clock.wall, .ends_ms = ends_ms };
	struct err e = { 0 };

	assert_true(core_post(w->core, &p, 1, &e));
	world_run(w);
}

/* Its endsAt passed while we were away: whoever posts says, or its new one does. */
static void what_was_posted_waits_for_its_sender(void **state)
{
	struct world *w = world_new(yaml);

	(void)state;
	post(w, w->clock.wall + 300000);
	world_pass(w, 30000);
	answer_all(w);
	away(w, 1000000);
	world_pass(w, 100000);
	assert_int_equal(w->n, 1);
	post(w, w->clock.wall + 300000);
	world_pass(w, 1000);
	assert_told(w, 1, "lead", "firing");
	away(w, 3700000);
	world_pass(w, 290000);
	assert_int_equal(w->n, 2);
	world_pass(w, 600000);
	answer_all(w);
	assert_int_equal(w->n, 4);
	assert_true(has(w->asked[2].body, "\"status\":\"resolved\",\"alerts\""));
	assert_true(has(w->asked[3].body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

/* Who posted it said that it goes on until then. */
static void what_was_posted_for_long_goes_on(void **state)
{
	struct world *w = world_new(yaml);

	(void)state;
	post(w, w->clock.wall + 86400000);
	world_pass(w, 30000);
	answer_all(w);
	away(w, 1000000);
	world_pass(w, 1000);
	assert_told(w, 1, "lead", "firing");
	world_free(w);
}

/* ---- The clock was wrong meanwhile. ---- */

/* At the start it is five hours behind, or in 1970; NTP sets it right 20 s later. */
static void a_clock_behind_at_the_start_holds_up_nothing(void **state)
{
	static const int64_t behind[] = { 0, 5 * 3600000LL, T0 - 1000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct world *w = world_new(yaml);

		fire(w, "Down", "a");
		w->clock.wall -= behind[i];
		world_crash(w);
		world_pass(w, 20000);
		assert_int_equal(w->n, 0);
		w->clock.wall += behind[i];
		world_run(w);
		world_pass(w, 10000);
		assert_told(w, 0, "call", "firing");
		resolve(w, "Down", "a");
		w->clock.wall -= behind[i];
		world_crash(w);
		world_pass(w, 20000);
		w->clock.wall += behind[i];
		world_run(w);
		world_pass(w, 280000);
		assert_told(w, 1, "call", "resolved");
		world_free(w);
	}
}

/* Its next attempt was in ten seconds. */
static void nor_does_it_hold_up_a_message(void **state)
{
	struct world *w = world_new(yaml);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 30000);
	answer_with(w, 0, HTTP_ANSWERED, 503, 10000, "");
	world_run(w);
	w->clock.wall -= 5 * 3600000LL;
	world_crash(w);
	world_pass(w, 15 * 60000);
	assert_int_equal(w->n, 3);              /* and the step to the lead */
	assert_true(str_eq(w->asked[0].key, w->asked[1].key) || str_eq(w->asked[0].key, w->asked[2].key));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_over_is_told_to_who_knows_of_it_alone),
		cmocka_unit_test(what_fires_on_is_told_once_that_is_known),
		cmocka_unit_test(nothing_is_lost_by_a_kill_meanwhile),
		cmocka_unit_test(a_first_page_waits_too),
		cmocka_unit_test(what_begins_now_waits_for_nothing),
		cmocka_unit_test(what_was_posted_waits_for_its_sender),
		cmocka_unit_test(what_was_posted_for_long_goes_on),
		cmocka_unit_test(a_clock_behind_at_the_start_holds_up_nothing),
		cmocka_unit_test(nor_does_it_hold_up_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
