/* What keeps an alert from being told: inhibition, time intervals; and that what was told before still gets its end. */
#include "notify_world.h"

#include "tocsin/clock.h"

#define HOOK "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"
#define ROUTE "route: { receiver: t, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 10m }\n"

static const char inhibited[] = ROUTE HOOK
	"inhibit_rules: [ { source_match: { severity: critical }, target_matchers: [ 'severity=~\"warning|info\"' ], equal: [instance] } ]\n";

static void raise_as(struct world *w, const char *name, const char *instance, const char *severity)
{
	world_edge(w, name, instance, severity, EDGE_FIRING, 1);
	world_run(w);
}

static void end_as(struct world *w, const char *name, const char *instance, const char *severity)
{
	world_edge(w, name, instance, severity, EDGE_RESOLVED, 1);
	world_run(w);
}

static void inhibited_while_the_source_fires(void **state)
{
	struct world *w = world_new(inhibited);

	(void)state;
	raise_as(w, "Down", "a", "critical");
	answer(w, 200, "");
	raise_as(w, "Slow", "a", "warning");
	raise_as(w, "Slow", "b", "warning");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_false(has(LAST(w).body, "\"instance\":\"a\""));
	assert_true(has(LAST(w).body, "\"instance\":\"b\""));
	answer(w, 200, "");
	end_as(w, "Down", "a", "critical");
	world_pass(w, 60000);
	assert_int_equal(w->n, 4);                      /* the end of one, the beginning of the other */
	assert_true(has(w->asked[2].body, "Slow") || has(w->asked[3].body, "Slow"));
	world_free(w);
}

static void source_and_target_in_one_batch(void **state)
{
	struct world *w = world_new(inhibited);

	(void)state;
	world_edge(w, "Slow", "a", "warning", EDGE_FIRING, 1);
	world_edge(w, "Down", "a", "critical", EDGE_FIRING, 1);
	world_run(w);
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, "Down"));
	world_free(w);
}

static void told_before_it_was_inhibited_gets_its_end(void **state)
{
	struct world *w = world_new(inhibited);

	(void)state;
	raise_as(w, "Slow", "a", "warning");
	answer(w, 200, "");
	raise_as(w, "Down", "a", "critical");
	answer(w, 200, "");
	world_pass(w, 3600000);
	while (w->n > 0 && !LAST(w).answered)
		answer(w, 200, "");
	for (size_t i = 2; i < w->n; i++)
		assert_false(has(w->asked[i].body, "Slow"));    /* not repeated */
	end_as(w, "Slow", "a", "warning");
	world_pass(w, 60000);
	assert_true(has(LAST(w).body, "Slow"));
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

static void both_sides_do_not_inhibit_each_other(void **state)
{
	struct world *w = world_new(ROUTE HOOK "inhibit_rules: [ { source_matchers: [ 'severity=~\"critical|warning\"' ], "
					       "target_matchers: [ 'severity=~\"critical|info\"' ], equal: [instance] } ]\n");

	(void)state;
	raise_as(w, "Down", "a", "critical");
	raise_as(w, "Lost", "a", "critical");
	assert_int_equal(w->n, 2);
	raise_as(w, "Odd", "a", "info");                /* a source that is a target too inhibits what is only a target */
	assert_int_equal(w->n, 2);
	raise_as(w, "Slow", "a", "warning");            /* only a source: from now on the two are inhibited, and told already */
	assert_int_equal(w->n, 3);
	world_free(w);
}

/* One of a group is muted after it was told, another one ends: the message does not say that all is over. */
static void what_is_muted_has_not_ended(void **state)
{
	struct world *w = world_new(inhibited);

	(void)state;
	world_edge(w, "Slow", "a", "warning", EDGE_FIRING, 1);
	world_edge(w, "Slow", "b", "warning", EDGE_FIRING, 1);
	world_run(w);
	answer(w, 200, "");
	raise_as(w, "Down", "a", "critical");
	answer(w, 200, "");
	end_as(w, "Slow", "b", "warning");
	world_pass(w, 60000);
	assert_true(has(LAST(w).body, "\"status\":\"firing\",\"alerts\""));
	assert_true(has(LAST(w).body, "\"instance\":\"a\""));
	answer(w, 200, "");
	world_free(w);
}

static void time_intervals_hold(void **state)
{
	static const struct {
		const char *interval, *at;
		bool holds;
	} cases[] = {
		{ "times: [ { start_time: '09:00', end_time: '17:00' } ]", "2026-11-23T08:59:59Z", false },
		{ "times: [ { start_time: '09:00', end_time: '17:00' } ]", "2026-11-23T09:00:00Z", true },
		{ "times: [ { start_time: '09:00', end_time: '17:00' } ]", "2026-11-23T17:00:00Z", false },
		{ "times: [ { start_time: '22:00', end_time: '24:00' }, { start_time: '00:00', end_time: '06:00' } ]",
		  "2026-11-23T05:00:00Z", true },
		{ "weekdays: [ 'monday:friday' ]", "2026-11-22T12:00:00Z", false },
		{ "weekdays: [ 'monday:friday' ]", "2026-11-23T12:00:00Z", true },
		{ "weekdays: [ saturday, Sunday ]", "2026-11-22T12:00:00Z", true },
		{ "days_of_month: [ '1:5', '-1' ]", "2028-02-29T12:00:00Z", true },
		{ "days_of_month: [ '1:5', '-1' ]", "2028-02-28T12:00:00Z", false },
		{ "days_of_month: [ '-31:-30' ]", "2026-11-01T12:00:00Z", true },
		{ "days_of_month: [ '31' ]", "2026-11-30T12:00:00Z", false },
		{ "days_of_month: [ '1:-1' ]", "2026-11-30T12:00:00Z", true },
		{ "days_of_month: [ '10:-5' ]", "2026-11-26T12:00:00Z", true },
		{ "days_of_month: [ '10:-5' ]", "2026-11-27T12:00:00Z", false },
		{ "months: [ 'november:december' ]", "2026-11-30T12:00:00Z", true },
		{ "months: [ '1:3', may ]", "2026-04-30T12:00:00Z", false },
		{ "years: [ '2027:2028' ]", "2026-12-31T23:59:59Z", false },
		{ "weekdays: [ monday ], months: [ november ]", "2026-11-24T12:00:00Z", false },
		{ "times: [ { start_time: '09:00', end_time: '10:00' } ], location: America/New_York", "2026-11-23T14:30:00Z", true },
		{ "weekdays: [ monday ], location: Asia/Tokyo", "2026-11-22T15:00:00Z", true },
		{ "weekdays: [ monday ], location: Asia/Tokyo", "2026-11-22T14:59:59Z", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct str yaml = arena_printf(&a, "time_intervals: [ { name: n, time_intervals: [ { %s } ] } ]\n", cases[i].interval);
		struct notify_config *c = world_config(yaml.p);
		int64_t ms;

		print_message("  %s at %s\n", cases[i].interval, cases[i].at);
		assert_true(clock_parse_rfc3339(cases[i].at, strlen(cases[i].at), &ms));
		assert_int_equal(time_interval_holds(&c->intervals[0], ms), cases[i].holds);
		notify_config_free(c);
		arena_fini(&a);
	}
}

/* T0 is 2023-11-14T22:13:20Z, a Tuesday. */
static void a_muted_route_tells_later(void **state)
{
	static const char *const lists[] = { "mute_time_intervals: [ late ]", "active_time_intervals: [ early ]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena a = { 0 };
		struct str yaml = arena_printf(
			&a,
			"route: { receiver: t, routes: [ { receiver: t, group_wait: 0s, group_interval: 10m, %s } ] }\n" HOOK
			"time_intervals:\n"
			"- { name: late, time_intervals: [ { times: [ { start_time: '22:00', end_time: '23:00' } ] } ] }\n"
			"- { name: early, time_intervals: [ { times: [ { start_time: '23:00', end_time: '24:00' } ] } ] }\n",
			lists[i]);
		struct world *w = world_new(yaml.p);

		print_message("  %s\n", lists[i]);
		fire(w, "Down", "a");
		for (int k = 0; k < 4; k++)
			world_pass(w, 600000);
		assert_int_equal(w->n, 0);
		world_pass(w, 600000);
		assert_int_equal(w->n, 1);
		world_free(w);
		arena_fini(&a);
	}
}

/* ---- Silences. ---- */

static struct str silence(struct world *w, const char *name, const char *value, int64_t from_ms, int64_t for_ms)
{
	const struct notify_matcher m = { str_of(name), str_of(value), false, true };
	const struct notify_silence s = { .matchers = &m,
					  .n_matchers = 1,
					  .starts_ms = w->clock.wall + from_ms,
					  .ends_ms = w->clock.wall + from_ms + for_ms,
					  .author = STR("me"),
					  .comment = STR("why") };
	struct err e = { 0 };
	struct str id;

	assert_true(silence_set(w->core, &s, &w->arena, &id, &e));
	world_run(w);
	return id;
}

static void a_silence_outlives_a_crash_and_ends(void **state)
{
	struct world *w = world_new(ROUTE HOOK);

	(void)state;
	silence(w, "instance", "a", 0, 300000);
	world_crash(w);
	fire(w, "Down", "a");
	fire(w, "Down", "b");
	world_pass(w, 60000);
	assert_int_equal(w->n, 1);
	assert_false(has(LAST(w).body, "\"instance\":\"a\""));
	answer(w, 200, "");
	world_pass(w, 239000);
	assert_int_equal(w->n, 1);
	world_pass(w, 61000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"instance\":\"a\""));
	world_free(w);
}

static void a_silenced_page_gets_its_end(void **state)
{
	struct world *w = world_new(ROUTE HOOK);

	(void)state;
	fire(w, "Down", "a");
	answer(w, 200, "");
	silence(w, "alertname", "Down", 0, 36000000);
	world_pass(w, 3600000);
	assert_int_equal(w->n, 1);                      /* no repeat */
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	assert_memory_equal(w->asked[0].key.p, LAST(w).key.p, 36);
	world_free(w);
}

static void a_silence_of_everything_is_refused(void **state)
{
	const struct {
		struct notify_matcher v[2];
		size_t n;
		bool taken;
	} cases[] = {
		{ { { STR("foo"), STR(".*"), true, true } }, 1, false },
		{ { { STR("foo"), STR(""), false, true }, { STR("bar"), STR("b|"), true, true } }, 2, false },
		{ { { STR("foo"), STR("a"), false, false } }, 1, true },
		{ { { STR("foo"), STR("a|"), true, true }, { STR("bar"), STR("b"), true, false } }, 2, true },
		{ { { STR("foo"), STR(".*"), true, true }, { STR("bar"), STR(""), false, false } }, 2, true },
		{ { { STR("foo"), STR(".+"), true, true } }, 1, true },
	};
	struct world *w = world_new(ROUTE HOOK);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notify_silence s = { .matchers = cases[i].v, .n_matchers = cases[i].n, .starts_ms = w->clock.wall,
					    .ends_ms = w->clock.wall + 1000 };
		struct err e = { 0 };
		struct str id;

		print_message("  %zu\n", i);
		assert_int_equal(silence_set(w->core, &s, &w->arena, &id, &e), cases[i].taken);
		assert_int_equal(e.code, cases[i].taken ? ERR_NONE : ERR_BAD_INPUT);
	}
	world_free(w);
}

static void silences_are_changed_and_ended(void **state)
{
	struct world *w = world_new(ROUTE HOOK);
	struct str first = silence(w, "instance", "a", 0, 300000), later = silence(w, "instance", "b", 60000, 300000), id;
	const struct notify_matcher other = { STR("instance"), STR("c"), false, true };
	struct notify_silence change = { .id = first, .matchers = &other, .n_matchers = 1, .starts_ms = w->clock.wall,
					 .ends_ms = w->clock.wall + 1000 };
	const struct notify_silence *v;
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_true(silence_set(w->core, &change, &w->arena, &id, &e));
	assert_false(str_eq(id, first));                /* other matchers: another silence */
	assert_true(silence_expire(w->core, first, &e));        /* once more: as it was */
	assert_true(silence_expire(w->core, later, &(struct err){ 0 }));
	world_run(w);
	world_crash(w);
	assert_true(silence_list(w->core, NULL, 0, &w->arena, &v, &n, &e));
	assert_int_equal(n, 3);
	assert_int_equal(v[0].state, SILENCE_ACTIVE);
	assert_true(str_eq(v[0].matchers[0].value, STR("c")));
	assert_int_equal(v[1].state, SILENCE_EXPIRED);
	world_pass(w, 6 * 86400000LL);
	assert_true(silence_list(w->core, NULL, 0, &w->arena, &v, &n, &e));
	assert_int_equal(n, 0);
	world_free(w);
}

/* ---- Alerts that others post. ---- */

static void post(struct world *w, int64_t ends_in_ms)
{
	const struct label labels[] = { { STR("alertname"), STR("Theirs") } };
	const struct notify_posted p = { .labels = { labels, 1 },
					 .starts_ms = w->clock.wall,
					 .ends_ms = ends_in_ms != 0 ? w->clock.wall + ends_in_ms : 0 };
	struct err e = { 0 };

	assert_true(core_post(w->core, &p, 1, &e));
	world_run(w);
}

static void posted_alerts_end_when_nobody_posts_them(void **state)
{
	struct world *w = world_new(ROUTE HOOK);

	(void)state;
	post(w, 240000);
	assert_int_equal(w->n, 1);
	answer(w, 200, "");
	world_pass(w, 200000);
	post(w, 240000);                                /* again: it goes on */
	world_pass(w, 200000);
	assert_int_equal(w->n, 1);
	world_pass(w, 100000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	assert_true(has(LAST(w).body, "its sender was not heard of any more"));
	world_free(w);
}

/* Posted, a minute later posted again: of two ends that lie ahead the later one stands, unless resolve_timeout (5 m) supposed it. */
static void the_later_end_given_stands(void **state)
{
	enum { MINUTE = 60000, NONE = 0, OVER = -1 };
	static const struct {
		int64_t first, second, third, lasts;
	} cases[] = {
		{ 60 * MINUTE, NONE, NONE, 58 * MINUTE },   { 60 * MINUTE, 10 * MINUTE, NONE, 58 * MINUTE },
		{ NONE, 3 * MINUTE, 3 * MINUTE, 3 * MINUTE }, { 3 * MINUTE, 60 * MINUTE, NONE, 59 * MINUTE },
		{ 60 * MINUTE, OVER, NONE, 5 * MINUTE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(ROUTE HOOK);
		const struct map_slot *s;

		print_message("  %zu\n", i);
		post(w, cases[i].first);
		world_pass(w, MINUTE);
		post(w, cases[i].second);
		world_pass(w, MINUTE);
		post(w, cases[i].third);
		s = map_next(&w->core->alerts, NULL);
		world_pass(w, cases[i].lasts - 1);
		assert_int_equal(((struct page_alert *)s->value)->ends_ms, 0);
		world_pass(w, 1);
		assert_int_equal(((struct page_alert *)s->value)->ends_ms, w->clock.wall);
		world_free(w);
	}
}

/* Away for an hour: who posts had no chance to. */
static void our_absence_ends_no_posted_alert(void **state)
{
	struct world *w = world_new(ROUTE HOOK);

	(void)state;
	post(w, 240000);
	answer(w, 200, "");
	w->clock.wall += 3600000;
	w->clock.mono += 3600000;
	world_crash(w);
	world_pass(w, 240000);
	for (size_t i = 0; i < w->n; i++)
		assert_false(has(w->asked[i].body, "\"resolved\""));
	answer(w, 200, "");                             /* the repeat */
	post(w, -1);
	world_pass(w, 60000);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inhibited_while_the_source_fires),
		cmocka_unit_test(source_and_target_in_one_batch),
		cmocka_unit_test(told_before_it_was_inhibited_gets_its_end),
		cmocka_unit_test(both_sides_do_not_inhibit_each_other),
		cmocka_unit_test(what_is_muted_has_not_ended),
		cmocka_unit_test(time_intervals_hold),
		cmocka_unit_test(a_muted_route_tells_later),
		cmocka_unit_test(a_silence_outlives_a_crash_and_ends),
		cmocka_unit_test(a_silenced_page_gets_its_end),
		cmocka_unit_test(a_silence_of_everything_is_refused),
		cmocka_unit_test(silences_are_changed_and_ended),
		cmocka_unit_test(posted_alerts_end_when_nobody_posts_them),
		cmocka_unit_test(the_later_end_given_stands),
		cmocka_unit_test(our_absence_ends_no_posted_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
