/* Groups, episodes and the outbox on a clock wound by hand: what is told, when, to whom, once; and what each crash leaves. */
#include "notify_world.h"

#include <sqlite3.h>

static const char basic[]
	= "route: { receiver: team, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h }\n"
	  "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/secret-token' } ] } ]\n";

static void waits_then_tells_the_group(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 5000);
	fire(w, "Down", "b");
	assert_int_equal(w->n, 0);
	world_pass(w, 5000);
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, "\"status\":\"firing\""));
	assert_true(has(LAST(w).body, "\"groupKey\":\"{}:{alertname=\\\"Down\\\"}\""));
	assert_true(has(LAST(w).body, "\"receiver\":\"team\""));
	assert_true(has(LAST(w).body, "\"instance\":\"a\""));
	assert_true(has(LAST(w).body, "\"instance\":\"b\""));
	assert_true(has(LAST(w).body, "\"groupLabels\":{\"alertname\":\"Down\"}"));
	assert_true(has(LAST(w).body, "\"commonLabels\":{\"alertname\":\"Down\",\"severity\":\"critical\"}"));
	assert_true(has(LAST(w).body, "\"endsAt\":\"0001-01-01T00:00:00Z\""));
	assert_true(has(LAST(w).body, "\"version\":\"4\""));
	assert_true(has(LAST(w).body, "\"truncatedAlerts\":0"));
	assert_int_equal(LAST(w).key.n, 38);
	answer(w, 200, "");
	world_free(w);
}

/* Each row: what happens, then how many requests there have been in all. */
static void tells_news_at_the_interval(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 200, "");
	world_pass(w, 60000);
	assert_int_equal(w->n, 1);                      /* nothing new */
	fire(w, "Down", "b");
	world_pass(w, 59000);
	assert_int_equal(w->n, 1);
	world_pass(w, 1000);
	assert_int_equal(w->n, 2);                      /* b is new */
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 3);                      /* a ended */
	assert_true(has(LAST(w).body, "\"status\":\"firing\",\"alerts\""));
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"labels\""));
	answer(w, 200, "");
	world_pass(w, 3600000 - 60000);
	assert_int_equal(w->n, 3);
	world_pass(w, 60000);
	assert_int_equal(w->n, 4);                      /* repeat_interval */
	assert_false(has(LAST(w).body, "resolved"));
	answer(w, 200, "");
	resolve(w, "Down", "b");
	world_pass(w, 60000);
	assert_int_equal(w->n, 5);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	answer(w, 200, "");
	assert_int_equal(w->core->episodes.n, 0);
	assert_int_equal(w->core->alerts.n, 0);
	world_pass(w, 7200000);
	assert_int_equal(w->n, 5);
	assert_int_equal(w->core->groups.n, 0);
	world_free(w);
}

static void key_names_episode_and_message(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_memory_equal(w->asked[0].key.p, w->asked[1].key.p, 36);
	assert_string_equal(w->asked[0].key.p + 36, "-1");
	assert_string_equal(w->asked[1].key.p + 36, "-2");
	answer(w, 200, "");
	fire(w, "Down", "a");
	world_pass(w, 70000);
	assert_int_equal(w->n, 3);
	assert_memory_not_equal(w->asked[0].key.p, w->asked[2].key.p, 36);      /* a new episode */
	world_free(w);
}

static void fired_and_gone_before_anyone_was_told(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	resolve(w, "Down", "a");
	world_pass(w, 3600000);
	assert_int_equal(w->n, 0);
	assert_int_equal(w->core->alerts.n, 0);
	world_free(w);
}

static void no_ends_without_send_resolved(void **state)
{
	struct world *w
		= world_new("route: { receiver: t, group_wait: 0s }\n"
			    "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/', send_resolved: false } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	assert_int_equal(w->n, 1);
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 300000);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

/* ---- Retries. ---- */

struct refusal {
	const char *name;
	enum http_fate fate;
	int status;
	int64_t retry_after_ms;
	int64_t quiet_ms, until_ms;     /* nothing before, something by then; until 0: never again at all */
	bool repeat;
};

static void asks_again_as_told(void **state)
{
	static const struct refusal cases[] = {
		{ "500", HTTP_ANSWERED, 500, -1, 400, 1100, false },
		{ "429 with Retry-After", HTTP_ANSWERED, 429, 20000, 19000, 20000, false },
		{ "420 as 429", HTTP_ANSWERED, 420, 20000, 19000, 20000, false },
		{ "503 with Retry-After", HTTP_ANSWERED, 503, 30000, 29000, 30000, false },
		{ "no connection", HTTP_NOT_SENT, 0, -1, 400, 1100, false },
		{ "reset after it was sent", HTTP_LOST, 0, -1, 400, 1100, true },
		{ "wrong key", HTTP_ANSWERED, 401, -1, 59000, 61000, false },
		{ "refused for good", HTTP_ANSWERED, 400, -1, 9000, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct refusal *c = &cases[i];
		struct world *w = world_new(basic);

		print_message("  %s\n", c->name);
		fire(w, "Down", "a");
		world_pass(w, 10000);
		answer_with(w, 0, c->fate, c->status, c->retry_after_ms, "no");
		world_run(w);
		world_pass(w, c->quiet_ms);
		assert_int_equal(w->n, 1);
		if (c->until_ms > 0) {
			world_pass(w, c->until_ms - c->quiet_ms);
			assert_int_equal(w->n, 2);
			assert_string_equal(w->asked[0].key.p, w->asked[1].key.p);
			assert_string_equal(w->asked[0].body.p, w->asked[1].body.p);
			assert_int_equal(w->asked[1].repeat, c->repeat);
			answer(w, 200, "");
			world_pass(w, 600000);
			assert_int_equal(w->n, 2);
		}
		world_free(w);
	}
}

/* Retry-After is of the place, not of the message: what comes after a restart waits too. */
static void a_place_that_asked_to_be_spared_is_spared_over_a_crash(void **state)
{
	struct world *w = world_new("route: { receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"
				    "receivers: [ { name: team, opsgenie_configs: [ { api_key: K } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	answer_with(w, 0, HTTP_ANSWERED, 429, 300000, "slow down");
	world_run(w);
	world_pass(w, 60000);
	world_crash(w);
	fire(w, "Slow", "a");
	world_pass(w, 239000);
	assert_int_equal(w->n, 1);
	world_pass(w, 1000);
	assert_int_equal(w->n, 3);
	world_free(w);
}

static const char quiet_about_ourselves[]
	= "route: { receiver: team, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h,\n"
	  "  routes: [ { matchers: ['alertname=~\"Tocsin.*\"'], receiver: own } ] }\n"
	  "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] }, { name: own } ]\n";

static void a_message_given_up_is_an_alert(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 400, "bad \"body\"");
	world_pass(w, 10000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"alertname\":\"TocsinMessageGivenUp\",\"integration\":\"team/webhook[0]\",\"severity\":\"critical\""));
	assert_true(has(LAST(w).body, "HTTP 400: bad"));
	answer(w, 200, "");                             /* that it was told is no sign that others arrive */
	world_crash(w);
	world_pass(w, 50000);
	assert_int_equal(w->n, 3);
	assert_true(has(LAST(w).body, "\"alertname\":\"Down\""));
	answer(w, 200, "");
	world_pass(w, 60000);
	assert_int_equal(w->n, 4);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"labels\":{\"alertname\":\"TocsinMessageGivenUp\""));
	world_free(w);
}

static void a_dead_page_is_told_again_at_the_next_flush(void **state)
{
	struct world *w = world_new(quiet_about_ourselves);
	struct err e = { 0 };

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 400, "bad");
	assert_int_equal(w->core->finished[OUTBOX_DEAD], 1);
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	answer(w, 200, "");
	world_pass(w, 600000);
	assert_int_equal(w->n, 2);
	assert_true(core_resend(w->core, 1, &e));
	world_run(w);
	assert_int_equal(w->n, 3);
	assert_string_equal(w->asked[0].key.p, w->asked[2].key.p);
	assert_false(core_resend(w->core, 77, &e));
	world_free(w);
}

/* The page is told again at each flush; that it was refused is told the one who refuses once. */
static void a_refusal_goes_not_round_in_circles(void **state)
{
	struct world *w = world_new("route: { receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"
				    "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] } ]\n");
	size_t pages = 0, refusals = 0;

	(void)state;
	fire(w, "Down", "a");
	for (int minute = 0; minute < 30; minute++) {
		for (size_t i = 0; i < w->n; i++)
			if (!w->asked[i].answered)
				answer_with(w, i, HTTP_ANSWERED, 400, -1, "no");
		world_run(w);
		world_pass(w, 60000);
	}
	for (size_t i = 0; i < w->n; i++) {
		pages += has(w->asked[i].body, "\"alertname\":\"Down\"");
		refusals += has(w->asked[i].body, "\"alertname\":\"TocsinMessageGivenUp\"");
	}
	assert_true(pages >= 29);
	assert_int_equal(refusals, 1);
	world_free(w);
}

static void who_hangs_stops_no_other(void **state)
{
	struct world *w = world_new(
		"route: { receiver: t, group_wait: 0s }\n"
		"receivers: [ { name: t, webhook_configs: [ { url: 'http://hangs/' }, { url: 'http://works/' } ] } ]\n");

	(void)state;
	fire(w, "Down", "a");
	assert_int_equal(w->n, 2);
	assert_true(has(w->asked[1].url, "works"));
	answer_with(w, 1, HTTP_ANSWERED, 200, -1, "");
	world_run(w);
	fire(w, "Down", "b");
	world_pass(w, 300000);
	assert_int_equal(w->n, 3);
	assert_true(has(w->asked[2].url, "works"));      /* the other one waits: its messages keep their order */
	world_free(w);
}

static void discarded(void **state)
{
	struct world *w = world_new("route: { receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1h }\n"
				    "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] } ]\n");
	struct err e = { 0 };

	(void)state;
	fire(w, "Down", "a");
	answer(w, 400, "");                             /* and TocsinMessageGivenUp */
	assert_int_equal(w->n, 2);
	answer(w, 400, "");
	assert_int_equal(core_snapshot(w->core, &w->arena)->dead_kept, 2);
	assert_true(core_discard(w->core, 1, &e));
	world_run(w);
	assert_false(core_discard(w->core, 1, &e));
	assert_true(has(str_of(e.msg), "no dead letter 1"));
	assert_int_equal(core_snapshot(w->core, &w->arena)->dead_kept, 1);
	world_crash(w);
	assert_int_equal(core_snapshot(w->core, &w->arena)->dead_kept, 1);
	world_free(w);
}

/* As long as the page says the same. */
static void one_refusal_stands_for_all_before_it(void **state)
{
	struct world *w = world_new(quiet_about_ourselves);

	(void)state;
	for (int i = 0; i < 20; i++) {
		if (i == 0 || i == 10)
			fire(w, "Down", i == 0 ? "a" : "b");
		world_pass(w, 60000);
		assert_false(LAST(w).answered);
		answer(w, 400, "");
	}
	assert_int_equal(w->core->finished[OUTBOX_DEAD], 20);
	assert_int_equal(core_snapshot(w->core, &w->arena)->dead_kept, 3);      /* the first, a's, and a's with b's */
	assert_true(str_eq(core_snapshot(w->core, &w->arena)->dead[0].key, LAST(w).key));
	world_free(w);
}

/* One that refuses every minute for hours pushes out nobody else's. */
static void dead_letters_are_bounded_each(void **state)
{
	struct world *w = world_new(quiet_about_ourselves);

	(void)state;
	for (int i = 0; i < 130; i++) {
		fire(w, "Down", arena_printf(&w->arena, "i%d", i).p);
		world_pass(w, 60000);
		if (!LAST(w).answered)
			answer(w, 400, "");
	}
	assert_true(w->core->finished[OUTBOX_DEAD] > 110);
	world_pass(w, 60000);
	answer(w, 200, "");
	world_pass(w, 3600000);
	assert_int_equal(core_snapshot(w->core, &w->arena)->dead_kept, 100);
	world_free(w);
}

/* ---- Crashes. ---- */

/* Whoever reads them in order knows how things stand. */
static void a_page_waits_for_the_end_before_it(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer_with(w, 1, HTTP_ANSWERED, 503, 600000, "");      /* the end waits for ten minutes */
	world_run(w);
	fire(w, "Down", "a");
	world_pass(w, 60000);
	world_crash(w);
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	world_pass(w, 480000);
	assert_int_equal(w->n, 3);
	assert_true(str_eq(w->asked[2].key, w->asked[1].key));
	answer(w, 200, "");
	assert_int_equal(w->n, 4);
	assert_true(has(LAST(w).body, "\"status\":\"firing\""));
	world_free(w);
}

static void a_crash_loses_nothing_and_repeats_only_with_the_key(void **state)
{
	static const char *const points[] = { "in group_wait", "asked, no answer", "answered, not recorded", "recorded" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		struct world *w = world_new(basic);

		print_message("  %s\n", points[i]);
		fire(w, "Down", "a");
		world_pass(w, i == 0 ? 4000 : 10000);
		if (i == 2)
			answer_with(w, 0, HTTP_ANSWERED, 200, -1, "");
		if (i == 3)
			answer(w, 200, "");
		world_crash(w);
		world_run(w);
		if (i == 0) {
			assert_int_equal(w->n, 0);
			world_pass(w, 5900);
			assert_int_equal(w->n, 0);      /* the wait goes on where it was */
			world_pass(w, 100);
		}
		assert_int_equal(w->n, i == 0 || i == 3 ? 1 : 2);
		if (i == 1 || i == 2) {
			assert_string_equal(w->asked[0].key.p, w->asked[1].key.p);
			assert_string_equal(w->asked[0].body.p, w->asked[1].body.p);
			assert_true(w->asked[1].repeat);
		}
		if (i != 3)
			answer(w, 200, "");
		resolve(w, "Down", "a");
		world_crash(w);
		world_pass(w, 60000);
		assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
		answer(w, 200, "");
		world_crash(w);
		world_pass(w, 7200000);
		assert_int_equal(w->n, i == 1 || i == 2 ? 3 : 2);
		assert_int_equal(w->core->episodes.n + w->core->alerts.n, 0);
		world_free(w);
	}
}

static void repeats_are_counted_over_a_restart(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 200, "");
	world_pass(w, 1800000);
	world_crash(w);
	world_pass(w, 1799000);
	assert_int_equal(w->n, 1);
	world_pass(w, 61000);
	assert_int_equal(w->n, 2);
	world_free(w);
}

static void rule_deleted_while_away_but_not_when_its_file_is_missing(void **state)
{
	struct world *w = world_new(basic);
	struct str keys[] = { STR("f;g;Other") }, elsewhere = STR("other.yml");

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 200, "");
	world_crash(w);
	core_rules_known(w->core, &(struct notify_known){ .keys = keys, .n_keys = 1, .files = &elsewhere, .n_files = 1 });
	world_pass(w, 60000);
	assert_int_equal(w->n, 1);
	core_rules_known(w->core, &(struct notify_known){ .keys = keys, .n_keys = 1 });
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	assert_true(has(LAST(w).body, "\"tocsin_reason\":\"rule deleted\""));
	world_free(w);
}

static void no_data_is_said_in_the_next_message_and_only_there(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	assert_false(has(LAST(w).body, "tocsin_reason"));
	answer(w, 200, "");
	world_edge(w, "Down", "a", "critical", EDGE_NO_DATA, 3);
	world_pass(w, 600000);
	assert_int_equal(w->n, 1);
	fire(w, "Down", "b");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"firing\",\"alerts\""));
	assert_true(has(LAST(w).body, "\"tocsin_reason\""));
	assert_false(has(LAST(w).body, "\"resolved\""));
	world_free(w);
}

static void records_come_back_as_they_were(void **state)
{
	struct world *w = world_new(basic);
	struct arena a = { 0 };
	struct alert_record *v;
	struct err e = { 0 };
	size_t n;

	(void)state;
	world_edge(w, "Down", "a", "critical", EDGE_FIRING, 0.1);
	world_run(w);
	world_crash(w);
	assert_true(core_load(w->core, STR("f;g;Down"), &a, &v, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(v[0].state, ALERT_FIRING);
	assert_true(v[0].value == 0.1);
	assert_int_equal(v[0].fired_at_ms, T0);
	assert_string_equal(labels_get(v[0].labels, STR("instance")).p, "a");
	assert_string_equal(labels_get(v[0].annotations, STR("summary")).p, "a is bad");
	resolve(w, "Down", "a");
	assert_true(core_load(w->core, STR("f;g;Down"), &a, &v, &n, &e));
	assert_int_equal(n, 0);
	arena_fini(&a);
	world_free(w);
}

/* ---- The world around. ---- */

static void a_locked_database_loses_no_page(void **state)
{
	struct world *w = world_new("route: { receiver: t, group_wait: 0s, group_by: [alertname] }\n"
	                            "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n");
	sqlite3 *other;
	struct arena a = { 0 };
	struct alert_record *v;
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(sqlite3_open(w->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	fire(w, "Down", "a");
	assert_int_equal(w->n, 2);
	assert_true(has(w->asked[0].body, "Down"));
	assert_true(has(w->asked[1].body, "TocsinStateNotDurable"));
	answer_with(w, 0, HTTP_ANSWERED, 200, -1, "");
	answer_with(w, 1, HTTP_ANSWERED, 200, -1, "");
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	world_pass(w, 2000);
	assert_int_equal(w->core->not_durable_since_ms, 0);
	world_crash(w);
	world_run(w);
	assert_int_equal(w->n, 2);                      /* all that memory knew is on disk */
	assert_true(core_load(w->core, STR("f;g;Down"), &a, &v, &n, &e));
	assert_int_equal(n, 1);
	world_pass(w, 300000);
	assert_int_equal(w->n, 3);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	assert_true(has(LAST(w).body, "TocsinStateNotDurable"));
	arena_fini(&a);
	world_free(w);
}

static void a_step_of_the_clock_is_no_time(void **state)
{
	static const int64_t steps[] = { 3600000, -3600000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct world *w = world_new(basic);

		fire(w, "Down", "a");
		w->clock.wall += steps[i];
		world_run(w);
		assert_int_equal(w->n, 0);
		world_pass(w, 9999);
		assert_int_equal(w->n, 0);
		world_pass(w, 1);
		assert_int_equal(w->n, 1);
		world_free(w);
	}
}

static void a_step_of_the_clock_is_no_time_over_a_crash(void **state)
{
	struct world *w = world_new(basic);

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 5000);
	w->clock.wall -= 3600000;
	world_run(w);
	world_crash(w);
	world_pass(w, 5000);
	assert_int_equal(w->n, 1);
	answer_with(w, 0, HTTP_NOT_SENT, 0, -1, "");
	world_run(w);
	w->clock.wall -= 3600000;
	world_run(w);
	world_crash(w);
	world_pass(w, 2000);
	assert_int_equal(w->n, 2);
	answer(w, 200, "");
	w->clock.wall += 4 * 3600000;
	world_run(w);
	world_crash(w);
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);                      /* that was no repeat_interval */
	world_free(w);
}

static void history_tells_and_hides(void **state)
{
	struct world *w = world_new(basic);
	struct arena a = { 0 };
	struct notify_history_query q = { .alertname = STR("Down") };
	struct notify_history_entry *v;
	struct err e = { 0 };
	size_t n;

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer(w, 503, "no route http://hook/secret-token\ntry\tlater");
	assert_true(core_history(w->core, &q, &a, &v, &n, &e));
	assert_int_equal(n, 2);
	assert_string_equal(v[0].edge.p, "retry");
	assert_string_equal(v[0].reason.p, "HTTP 503: no route <secret> try later");
	assert_string_equal(v[0].integration.p, "team/webhook[0]");
	assert_string_equal(v[1].edge.p, "firing");
	assert_string_equal(v[1].reason.p, "returned 3 (> 2)");
	assert_true(v[1].value == 3);
	q.before_id = v[0].id;
	q.limit = 1;
	assert_true(core_history(w->core, &q, &a, &v, &n, &e));
	assert_int_equal(n, 1);
	assert_string_equal(v[0].edge.p, "firing");
	arena_fini(&a);
	world_free(w);
}

static void many_alerts_in_many_groups(void **state)
{
	struct world *w = world_new("route: { receiver: t, group_wait: 10s, group_by: [alertname] }\n"
	                            "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n");
	char name[16], instance[16];
	size_t answered = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "A%d", i % 100);
		snprintf(instance, sizeof instance, "i%d", i);
		world_edge(w, name, instance, "critical", EDGE_FIRING, 1);
	}
	world_run(w);
	world_pass(w, 10000);
	while (answered < w->n) {
		answer_with(w, answered++, HTTP_ANSWERED, 200, -1, "");
		world_run(w);
	}
	assert_int_equal(w->n, 100);
	assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 100);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_then_tells_the_group),
		cmocka_unit_test(tells_news_at_the_interval),
		cmocka_unit_test(key_names_episode_and_message),
		cmocka_unit_test(fired_and_gone_before_anyone_was_told),
		cmocka_unit_test(no_ends_without_send_resolved),
		cmocka_unit_test(asks_again_as_told),
		cmocka_unit_test(a_place_that_asked_to_be_spared_is_spared_over_a_crash),
		cmocka_unit_test(a_message_given_up_is_an_alert),
		cmocka_unit_test(a_dead_page_is_told_again_at_the_next_flush),
		cmocka_unit_test(a_refusal_goes_not_round_in_circles),
		cmocka_unit_test(who_hangs_stops_no_other),
		cmocka_unit_test(discarded),
		cmocka_unit_test(one_refusal_stands_for_all_before_it),
		cmocka_unit_test(dead_letters_are_bounded_each),
		cmocka_unit_test(a_page_waits_for_the_end_before_it),
		cmocka_unit_test(a_crash_loses_nothing_and_repeats_only_with_the_key),
		cmocka_unit_test(repeats_are_counted_over_a_restart),
		cmocka_unit_test(rule_deleted_while_away_but_not_when_its_file_is_missing),
		cmocka_unit_test(no_data_is_said_in_the_next_message_and_only_there),
		cmocka_unit_test(records_come_back_as_they_were),
		cmocka_unit_test(a_locked_database_loses_no_page),
		cmocka_unit_test(a_step_of_the_clock_is_no_time),
		cmocka_unit_test(a_step_of_the_clock_is_no_time_over_a_crash),
		cmocka_unit_test(history_tells_and_hides),
		cmocka_unit_test(many_alerts_in_many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
