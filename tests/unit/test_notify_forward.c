/* Alerts to Alertmanagers on a clock wound by hand: when each hears, what endsAt says, and that none waits for another. */
#include "notify_world.h"

static const char two[]
	= "alerting: { alert_relabel_configs: [ { action: labeldrop, regex: instance } ],\n"
	  "  alertmanagers: [ { static_configs: [ { targets: ['a:1', 'b:1'] } ], path_prefix: /am,\n"
	  "    alert_relabel_configs: [ { source_labels: [alertname], regex: Private, action: drop } ] } ] }\n";

static struct asked *asked_of(struct world *w, const char *host, size_t nth)
{
	for (size_t i = 0; i < w->n; i++)
		if (has(w->asked[i].url, host) && nth-- == 0)
			return &w->asked[i];
	return NULL;
}

static void answer_one(struct world *w, struct asked *a, enum http_fate fate, int status)
{
	assert_non_null(a);
	answer_with(w, (size_t)(a - w->asked), fate, status, -1, "");
	world_run(w);
}

static struct str time_text(struct world *w, int64_t ms)
{
	char text[32];
	size_t n = clock_format_rfc3339(text, ms);

	return arena_str(&w->arena, (struct str){ text, n });
}

static bool says(struct world *w, const struct asked *a, const char *key, int64_t ms)
{
	return has(a->body, arena_printf(&w->arena, "\"%s\":\"" STR_FMT "\"", key, STR_ARG(time_text(w, ms))).p);
}

static void each_hears_at_once_and_again(void **state)
{
	struct world *w = world_new(two);
	struct asked *a;

	(void)state;
	fire(w, "Down", "x");
	fire(w, "Private", "x");
	assert_int_equal(w->n, 2);
	a = asked_of(w, "http://a:1/am/api/v2/alerts", 0);
	assert_non_null(a);
	assert_true(has(a->body, "\"labels\":{\"alertname\":\"Down\",\"severity\":\"critical\"}"));
	assert_true(says(w, a, "startsAt", T0) && says(w, a, "endsAt", T0 + 240000));
	answer_one(w, a, HTTP_ANSWERED, 200);
	answer_one(w, asked_of(w, "http://b", 0), HTTP_ANSWERED, 200);
	assert_int_equal(w->n, 2);                      /* Private goes to nobody */
	world_pass(w, 59000);
	assert_int_equal(w->n, 2);
	world_pass(w, 1000);
	assert_int_equal(w->n, 4);
	assert_true(says(w, asked_of(w, "http://a", 1), "endsAt", T0 + 60000 + 240000));
	world_free(w);
}

static void one_that_hangs_or_fails_holds_up_no_other(void **state)
{
	struct world *w = world_new(two);

	(void)state;
	fire(w, "Down", "x");
	answer_one(w, asked_of(w, "http://b", 0), HTTP_ANSWERED, 200);
	for (size_t minute = 1; minute <= 3; minute++) {        /* a never answers, and is asked nothing else meanwhile */
		world_pass(w, 60000);
		assert_int_equal(w->n, 2 + minute);
		answer_one(w, asked_of(w, "http://b", minute), HTTP_ANSWERED, 200);
	}
	answer_one(w, asked_of(w, "http://a", 0), HTTP_NOT_SENT, 0);
	world_pass(w, 1000);
	assert_non_null(asked_of(w, "http://a", 1));            /* soon again, with the endsAt of now */
	assert_true(says(w, asked_of(w, "http://a", 1), "endsAt", w->clock.wall + 240000));
	answer_one(w, asked_of(w, "http://a", 1), HTTP_ANSWERED, 500);
	world_pass(w, 2000);
	answer_one(w, asked_of(w, "http://a", 2), HTTP_ANSWERED, 400);  /* it kept what it could read */
	world_pass(w, 30000);
	assert_null(asked_of(w, "http://a", 3));
	world_free(w);
}

static void an_end_is_told_for_a_while(void **state)
{
	struct world *w = world_new(two);
	size_t told = 0;

	(void)state;
	fire(w, "Down", "x");
	answer_one(w, asked_of(w, "http://a", 0), HTTP_ANSWERED, 200);
	world_pass(w, 10000);
	resolve(w, "Down", "x");
	assert_true(says(w, asked_of(w, "http://a", 1), "endsAt", T0 + 10000));
	answer_one(w, asked_of(w, "http://a", 1), HTTP_ANSWERED, 200);
	world_pass(w, 300000);
	answer_one(w, asked_of(w, "http://a", 2), HTTP_ANSWERED, 200);
	world_crash(w);                                         /* it forgets what it sent, not what ended */
	world_run(w);
	for (; asked_of(w, "http://a", told) != NULL; told++)
		continue;
	assert_int_equal(told, 4);
	assert_true(says(w, asked_of(w, "http://a", 3), "endsAt", T0 + 10000));
	answer_one(w, asked_of(w, "http://a", 3), HTTP_ANSWERED, 200);
	world_pass(w, 600000);
	world_pass(w, 60000);
	assert_null(asked_of(w, "http://a", 4));
	assert_int_equal(w->core->alerts.n, 0);
	world_free(w);
}

static void not_knowing_ends_nothing(void **state)
{
	struct world *w = world_new(two);

	(void)state;
	fire(w, "Down", "x");
	for (size_t i = 0; i < 30; i++) {                       /* nothing more is heard of the rule */
		answer_one(w, asked_of(w, "http://a", i), HTTP_ANSWERED, 200);
		world_pass(w, 60000);
	}
	assert_true(says(w, asked_of(w, "http://a", 30), "endsAt", w->clock.wall + 240000));
	world_edge(w, "Down", "x", "critical", EDGE_NO_DATA, 3);
	answer_one(w, asked_of(w, "http://a", 30), HTTP_ANSWERED, 200);
	world_pass(w, 60000);
	assert_true(has(asked_of(w, "http://a", 31)->body, "tocsin_reason"));
	assert_true(says(w, asked_of(w, "http://a", 31), "endsAt", w->clock.wall + 240000));
	world_free(w);
}

static void many_go_in_batches(void **state)
{
	struct world *w = world_new(two);

	(void)state;
	for (int i = 0; i < 600; i++)
		world_edge(w, "Down", arena_printf(&w->arena, "%d", i).p, "critical", EDGE_FIRING, 1);
	world_run(w);
	for (size_t i = 0; i < 3; i++)
		answer_one(w, asked_of(w, "http://a", i), HTTP_ANSWERED, 200);
	assert_null(asked_of(w, "http://a", 3));
	world_free(w);
}

static void a_reload_changes_who_hears(void **state)
{
	struct world *w = world_new(two);

	(void)state;
	fire(w, "Down", "x");
	core_configure(w->core, world_config("alerting: { alertmanagers: [ { scheme: https, static_configs: [ { targets: [c] } ] } ] }\n"));
	world_run(w);
	assert_true(has(LAST(w).url, "https://c/api/v2/alerts"));
	answer_one(w, asked_of(w, "http://a", 0), HTTP_LOST, 0);        /* of an Alertmanager that is none of ours any more */
	answer_one(w, asked_of(w, "http://b", 0), HTTP_ANSWERED, 200);
	assert_int_equal(w->core->n_old, 0);
	assert_int_equal(w->n, 3);
	world_free(w);
}

static void found(struct world *w, const void *of, size_t entry, const char *address, const char *tier)
{
	const struct str addresses[] = { str_of(address) };
	const struct label labels[] = { { STR("tier"), str_of(tier) } };

	forward_found(w->core, of, entry, &(struct notify_found_group){ addresses, 1, labels, 1 }, 1);
	world_run(w);
}

/* Those that discoveries name come and go beside those that are written down, each with the settings of its entry. */
static void those_that_are_found(void **state)
{
	static const char some[]
		= "alerting: { alertmanagers: [ { static_configs: [ { targets: ['a:1'] } ] },\n"
		  "  { file_sd_configs: [ { files: [ 'x.json' ] } ], scheme: https, path_prefix: am,\n"
		  "    relabel_configs: [ { source_labels: [tier], regex: test, action: drop } ] } ] }\n";
	struct world *w = world_new(some);
	struct notify_config *next = world_config(some);

	(void)state;
	fire(w, "Down", "x");
	assert_int_equal(w->n, 1);
	found(w, w->core->config, 1, "b:1", "test");
	assert_null(asked_of(w, "b:1", 0));
	found(w, w->core->config, 1, "b:1", "prod");
	assert_non_null(asked_of(w, "https://b:1/am/api/v2/alerts", 0));
	answer_one(w, asked_of(w, "b:1", 0), HTTP_ANSWERED, 200);
	found(w, w->core->config, 1, "b:1", "prod");            /* nothing new */
	world_pass(w, 1000);
	assert_null(asked_of(w, "b:1", 1));
	found(w, w->core->config, 1, "c:1", "prod");
	assert_non_null(asked_of(w, "c:1", 0));
	world_pass(w, 60000);
	assert_null(asked_of(w, "b:1", 1));
	found(w, next, 1, "d:1", "prod");                       /* of a configuration that is not in force yet */
	assert_null(asked_of(w, "d:1", 0));
	core_configure(w->core, next);
	world_run(w);
	assert_non_null(asked_of(w, "d:1", 0));
	answer_one(w, asked_of(w, "c:1", 0), HTTP_ANSWERED, 200);
	world_pass(w, 60000);
	assert_null(asked_of(w, "c:1", 1));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hears_at_once_and_again),
		cmocka_unit_test(one_that_hangs_or_fails_holds_up_no_other),
		cmocka_unit_test(an_end_is_told_for_a_while),
		cmocka_unit_test(not_knowing_ends_nothing),
		cmocka_unit_test(many_go_in_batches),
		cmocka_unit_test(a_reload_changes_who_hears),
		cmocka_unit_test(those_that_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
