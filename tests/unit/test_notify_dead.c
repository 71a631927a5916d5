/* Messages given up: pages and ends alike are kept, sent again when asked for, and nothing is told of what nobody has heard. */
#include "notify_world.h"

static const char yaml[] = "route: { receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 1h,\n"
			   "  routes: [ { matchers: ['alertname=~\"Tocsin.*\"'], receiver: own } ] }\n"
			   "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] }, { name: own } ]\n";

static size_t dead(struct world *w)
{
	return core_snapshot(w->core, &w->arena)->dead_kept;
}

static void resend(struct world *w, int64_t id)
{
	struct err e = { 0 };

	if (!core_resend(w->core, id, &e))
		fail_msg("resend: %s", e.msg);
	world_run(w);
}

/* A page that arrived, and its end, message 2, that was refused. */
static struct world *with_a_dead_end(void)
{
	struct world *w = world_new(yaml);

	fire(w, "Down", "a");
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	answer(w, 400, "no");
	assert_int_equal(dead(w), 1);
	return w;
}

static void assert_end_is_sent(struct world *w)
{
	assert_int_equal(w->n, 3);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\""));
	assert_string_equal(LAST(w).key.p, w->asked[1].key.p);
	assert_int_equal(dead(w), 0);
}

static void an_end_given_up_is_sent_when_asked_for(void **state)
{
	struct world *w = with_a_dead_end();

	(void)state;
	resend(w, 2);
	assert_end_is_sent(w);
	answer(w, 200, "");
	assert_int_equal(w->core->episodes.n, 0);
	world_crash(w);
	world_pass(w, 7200000);
	assert_int_equal(w->n, 3);
	world_free(w);
}

static void it_is_so_after_a_start_and_after_a_crash_on_the_way(void **state)
{
	struct world *w = with_a_dead_end();

	(void)state;
	world_crash(w);
	world_run(w);
	world_crash(w);
	world_pass(w, 7200000);
	assert_int_equal(w->n, 2);
	resend(w, 2);
	assert_end_is_sent(w);
	world_crash(w);
	world_run(w);
	assert_int_equal(w->n, 4);
	assert_string_equal(LAST(w).key.p, w->asked[1].key.p);
	answer(w, 200, "");
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

/* As versions before this one left it: of the episode nothing is kept. */
static void an_end_is_sent_without_its_episode(void **state)
{
	struct world *w = with_a_dead_end();
	struct err e = { 0 };
	struct db_rows *s = db_select(w->core->db, "DELETE FROM episode RETURNING id", NULL, 0, &e);

	(void)state;
	assert_true(db_next(s, &e));
	db_rows_free(s);
	resend(w, 2);
	assert_end_is_sent(w);
	world_crash(w);
	world_run(w);
	assert_int_equal(w->n, 4);
	answer(w, 200, "");
	world_free(w);
}

static void refused_again_it_stays(void **state)
{
	struct world *w = with_a_dead_end();
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		resend(w, 2);
		answer(w, 400, "no");
		assert_int_equal(dead(w), 1);
	}
	assert_true(core_discard(w->core, 2, &e));
	world_pass(w, 3600000);
	world_crash(w);
	assert_int_equal(w->core->episodes.n, 0);
	assert_false(core_resend(w->core, 2, &e));
	world_free(w);
}

static size_t episodes_on_disk(struct world *w)
{
	struct err e = { 0 };
	struct db_rows *s = db_select(w->core->db, "SELECT count(*) FROM episode", NULL, 0, &e);
	size_t n;

	assert_true(db_next(s, &e));
	n = (size_t)db_int(s, 0);
	db_rows_free(s);
	return n;
}

static void what_is_discarded_leaves_nothing(void **state)
{
	struct world *w = with_a_dead_end();
	struct err e = { 0 };

	(void)state;
	assert_int_equal(episodes_on_disk(w), 1);
	assert_true(core_discard(w->core, 2, &e));
	world_pass(w, 3600000);
	assert_int_equal(episodes_on_disk(w), 0);
	world_free(w);
}

/* The page was refused, and the alert is over: there is nothing to end. The page is kept all the same. */
static void of_what_nobody_heard_no_end_is_told(void **state)
{
	struct world *w = world_new(yaml);

	(void)state;
	fire(w, "Down", "a");
	answer(w, 400, "no");
	resolve(w, "Down", "a");
	world_pass(w, 600000);
	assert_int_equal(w->n, 1);
	assert_int_equal(dead(w), 1);
	resend(w, 1);
	assert_int_equal(w->n, 2);
	assert_string_equal(LAST(w).key.p, w->asked[0].key.p);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_given_up_is_sent_when_asked_for),
		cmocka_unit_test(it_is_so_after_a_start_and_after_a_crash_on_the_way),
		cmocka_unit_test(an_end_is_sent_without_its_episode),
		cmocka_unit_test(refused_again_it_stays),
		cmocka_unit_test(what_is_discarded_leaves_nothing),
		cmocka_unit_test(of_what_nobody_heard_no_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
