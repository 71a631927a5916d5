/* Signs of life on a clock wound by hand: when ours go out, when others' are missed, and what a restart makes of it. */
#include "notify_world.h"

static const char both[]
	= "route: { receiver: t, group_wait: 0s, group_interval: 10s }\n"
	  "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"
	  "heartbeats:\n"
	  "  send: [ { name: out, url: 'http://beat/', interval: 30s } ]\n"
	  "  expect: [ { name: backup, token: open-sesame, every: 1h, grace: 5m, labels: { team: db, severity: warning } } ]\n";

static enum notify_evaluates works(void *ctx, struct err *why)
{
	enum notify_evaluates now = *(enum notify_evaluates *)ctx;

	if (now == EVALUATION_FAILS)
		err_set(why, ERR_TIMEOUT, -1, "group g hangs");
	return now;
}

static size_t sent(const struct world *w, const char *host)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].url, host);
	return n;
}

static bool told(const struct world *w, const char *what)
{
	for (size_t i = 0; i < w->n; i++)
		if (has(w->asked[i].body, what))
			return true;
	return false;
}

static void answer_all(struct world *w, int status)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered)
			answer_with(w, i, HTTP_ANSWERED, has(w->asked[i].url, "beat") ? status : 200, -1, "");
	world_run(w);
}

static void pass(struct world *w, int seconds, int status)
{
	for (int i = 0; i < seconds; i++) {
		world_pass(w, 1000);
		answer_all(w, status);
	}
}

static bool beat(struct world *w, const char *name, const char *token)
{
	struct err e = { 0 };
	bool ok = core_heartbeat(w->core, str_of(name), str_of(token), &e);

	world_run(w);
	return ok;
}

static void ours_go_out_only_while_rules_are_evaluated(void **state)
{
	struct world *w = world_new(both);
	enum notify_evaluates now = EVALUATION_FAILS;

	(void)state;
	pass(w, 60, 200);
	assert_int_equal(sent(w, "beat"), 0);                   /* nobody has said that they are */
	core_watch_evaluation(w->core, works, &now);
	pass(w, 60, 200);
	assert_int_equal(sent(w, "beat"), 0);
	assert_int_equal(sent(w, "hook"), 1);
	assert_true(has(LAST(w).body, "TocsinRulesNotEvaluated") && has(LAST(w).body, "group g hangs"));
	now = EVALUATION_WORKS;
	pass(w, 61, 200);
	assert_int_equal(sent(w, "beat"), 3);
	assert_int_equal(sent(w, "hook"), 2);
	assert_true(told(w, "rules are evaluated again"));
	now = EVALUATION_FAILS;
	pass(w, 60, 200);
	assert_int_equal(sent(w, "beat"), 3);
	now = EVALUATION_WORKS;
	pass(w, 1, 500);
	assert_int_equal(sent(w, "beat"), 4);
	pass(w, 8, 500);                                        /* again after 1, 2, 4 s */
	assert_int_equal(sent(w, "beat"), 7);
	world_free(w);
}

/* After a start nothing is known at first: that is neither the end of what failed before, nor a sign of life. */
static void a_restart_does_not_raise_it_again(void **state)
{
	struct world *w = world_new(both);
	enum notify_evaluates now = EVALUATION_FAILS;

	(void)state;
	core_watch_evaluation(w->core, works, &now);
	pass(w, 20, 200);
	assert_int_equal(w->n, 1);
	world_crash(w);
	now = EVALUATION_UNKNOWN;
	core_watch_evaluation(w->core, works, &now);
	pass(w, 20, 200);
	assert_int_equal(w->n, 1);
	now = EVALUATION_FAILS;
	pass(w, 20, 200);
	assert_int_equal(w->n, 1);
	now = EVALUATION_BEGINS;
	pass(w, 20, 200);
	assert_int_equal(sent(w, "hook"), 1);
	assert_int_equal(sent(w, "beat"), 1);
	now = EVALUATION_WORKS;
	pass(w, 20, 200);
	assert_int_equal(sent(w, "hook"), 2);
	assert_true(told(w, "\"status\":\"resolved\""));
	for (size_t i = 0; i < w->n; i++)
		if (has(w->asked[i].url, "hook"))
			assert_true(has(w->asked[i].body, "\"description\":\"group g hangs. What begins or ends meanwhile is not noticed.\""));
	world_free(w);
}

static void a_missed_one_is_an_alert(void **state)
{
	struct world *w = world_new(both);

	(void)state;
	assert_false(beat(w, "backup", "open-sesamE"));
	assert_false(beat(w, "backup", ""));
	assert_false(beat(w, "nobody", "open-sesame"));
	pass(w, 3600, 200);
	assert_true(beat(w, "backup", "open-sesame"));
	pass(w, 3899, 200);
	assert_int_equal(w->n, 0);
	pass(w, 1, 200);
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, "{\"alertname\":\"HeartbeatMissed\",\"heartbeat\":\"backup\",\"severity\":\"warning\",\"team\":\"db\"}"));
	assert_true(has(LAST(w).body, "No heartbeat of backup for 1h5m"));
	world_crash(w);
	pass(w, 60, 200);
	assert_int_equal(w->n, 1);
	assert_true(beat(w, "backup", "open-sesame"));
	pass(w, 10, 200);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\"") && has(LAST(w).body, "heard of again"));
	world_free(w);
}

static void the_time_away_is_held_against_nobody(void **state)
{
	struct world *w = world_new(both);

	(void)state;
	assert_true(beat(w, "backup", "open-sesame"));
	core_close(w->core);
	w->clock.wall += 7200000;
	w->clock.mono += 7200000;
	world_begin(w);
	pass(w, 3899, 200);
	assert_int_equal(w->n, 0);
	pass(w, 1, 200);
	assert_int_equal(w->n, 1);
	core_configure(w->core, world_config("route: { receiver: t, group_wait: 0s, group_interval: 10s }\n"
					     "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"));
	pass(w, 11, 200);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "expected no more"));
	world_free(w);
}

static void a_clock_that_steps_misses_nobody(void **state)
{
	struct world *w = world_new(both);

	(void)state;
	assert_true(beat(w, "backup", "open-sesame"));
	w->clock.wall += 86400000;
	world_run(w);
	pass(w, 3890, 200);
	assert_int_equal(w->n, 0);
	pass(w, 20, 200);
	assert_int_equal(w->n, 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_go_out_only_while_rules_are_evaluated),
		cmocka_unit_test(a_restart_does_not_raise_it_again),
		cmocka_unit_test(a_missed_one_is_an_alert),
		cmocka_unit_test(the_time_away_is_held_against_nobody),
		cmocka_unit_test(a_clock_that_steps_misses_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
