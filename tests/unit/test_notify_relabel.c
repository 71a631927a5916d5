/* global: external_labels change, by a reload or while we are away, and alerts fire: Alertmanagers hear that what they know has ended and what fires
 * now; people are told nothing for that alone, and hear of the end of all they were told. */
#include "notify_world.h"

#define MANAGER "alerting: { alertmanagers: [ { static_configs: [ { targets: ['a:1'] } ] } ] }\n"
#define HOOK(route)                                                                                                                \
	"route: { receiver: t, group_wait: 0s, group_interval: 1m, repeat_interval: 4h, " route " }\n"                             \
	"receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"
#define OLD "\"labels\":{\"alertname\":\"Down\",\"instance\":\"x\",\"severity\":\"critical\",\"site\":\"here\"}"
#define NEW "\"labels\":{\"alertname\":\"Down\",\"instance\":\"x\",\"severity\":\"critical\",\"site\":\"there\"}"

static void set_external(struct world *w, const struct label *v, size_t n)
{
	struct notify_config *config = world_config(w->yaml);

	notify_config_set_external_labels(config, (struct labels){ v, n });
	core_configure(w->core, config);
	world_run(w);
}

static void set_site(struct world *w, const char *site)
{
	const struct label label = { STR("site"), str_of(site) };

	set_external(w, &label, 1);
}

static struct world *told_here(const char *yaml)
{
	struct world *w = world_new(yaml);

	set_site(w, "here");
	fire(w, "Down", "x");
	assert_int_equal(w->n, 1);
	assert_true(has(LAST(w).body, OLD));
	answer(w, 200, "");
	return w;
}

/* The entry of the labels in a body, to the end of its times. */
static struct str entry(struct world *w, struct str body, const char *labels)
{
	size_t at = str_find(body, str_of(labels));
	struct str rest = { body.p + at, body.n - at };

	return at < body.n ? arena_str(&w->arena, (struct str){ rest.p, str_chr(rest, '}') + 1 + str_find((struct str){ rest.p + str_chr(rest, '}') + 1,
				       rest.n - str_chr(rest, '}') - 1 }, STR("generatorURL")) }) : STR("");
}

static size_t entries(const struct world *w, const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].body, what);
	return n;
}

static void pass_minutes(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		world_pass(w, 60000);
		if (!LAST(w).answered)
			answer(w, 200, "");
	}
}

static void an_alertmanager_hears_of_both(void **state)
{
	struct world *w = told_here(MANAGER);
	size_t ends;

	(void)state;
	w->clock.wall += 1000;
	w->clock.mono += 1000;
	set_site(w, "there");
	assert_int_equal(w->n, 2);
	assert_true(has(entry(w, LAST(w).body, OLD), "\"endsAt\":\"2023-11-14T22:13:21.000Z\""));
	assert_true(has(entry(w, LAST(w).body, NEW), "\"startsAt\":\"2023-11-14T22:13:20.000Z\""));
	assert_true(has(entry(w, LAST(w).body, NEW), "\"endsAt\":\"2023-11-14T22:17:21.000Z\""));
	answer(w, 200, "");
	world_crash(w);
	set_site(w, "there");           /* a start without it, and a reload: each is a change */
	answer(w, 200, "");
	pass_minutes(w, 20);
	ends = entries(w, OLD);
	pass_minutes(w, 5);
	assert_int_equal(entries(w, OLD), ends);
	assert_true(has(LAST(w).body, NEW));
	resolve(w, "Down", "x");
	assert_true(has(LAST(w).body, NEW));
	world_free(w);
}

/* While we were away, with Alertmanagers that discovery names. */
static void an_alertmanager_hears_of_both_after_a_start(void **state)
{
	static const struct str address = { "b:1", 3 };
	struct world *w = world_new("alerting: { alertmanagers: [ { file_sd_configs: [ { files: ['x.json'] } ] } ] }\n");
	const struct notify_found_group found = { &address, 1, NULL, 0 };

	(void)state;
	set_site(w, "here");
	fire(w, "Down", "x");
	world_crash(w);
	world_run(w);
	forward_found(w->core, w->core->config, 0, &found, 1);
	world_run(w);
	assert_int_equal(w->n, 1);
	assert_true(has(entry(w, LAST(w).body, OLD), "\"endsAt\":\"2023-11-14T22:13:20.000Z\""));
	assert_true(has(LAST(w).body, "\"labels\":{\"alertname\":\"Down\",\"instance\":\"x\",\"severity\":\"critical\"}"));
	world_free(w);
}

static void a_label_of_its_own_wins(void **state)
{
	static const struct label labels[] = { { { "severity", 8 }, { "none", 4 } }, { { "site", 4 }, { "here", 4 } } };
	struct world *w = told_here(MANAGER);

	(void)state;
	set_external(w, labels, 2);
	assert_int_equal(entries(w, "\"severity\":\"none\""), 0);
	assert_true(has(entry(w, LAST(w).body, OLD), "\"endsAt\":\"2023-11-14T22:17:20.000Z\""));
	assert_int_equal(w->core->alerts.n, 1);
	world_free(w);
}

/* How groups are formed: with the label and without. */
static void people_hear_of_the_end_of_both(void **state)
{
	static const char *const routes[] = { HOOK("group_by: [alertname]"), HOOK("group_by: [site]") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct world *w = told_here(routes[i]);

		set_site(w, "there");
		pass_minutes(w, 30);
		world_crash(w);
		set_site(w, "there");
		pass_minutes(w, 30);
		assert_int_equal(w->n, 1);
		resolve(w, "Down", "x");
		pass_minutes(w, 2);
		assert_int_equal(w->n, 2);
		assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
		assert_true(has(LAST(w).body, OLD) && has(LAST(w).body, NEW));
		assert_memory_equal(w->asked[0].key.p, LAST(w).key.p, 36);
		assert_int_equal(w->core->alerts.n + w->core->by_labels.n + w->core->episodes.n, 0);
		world_free(w);
	}
}

static void there_and_back_again(void **state)
{
	struct world *w = told_here(HOOK("group_by: [site]"));

	(void)state;
	set_site(w, "there");
	set_site(w, "here");
	pass_minutes(w, 30);
	assert_int_equal(w->n, 1);
	resolve(w, "Down", "x");
	pass_minutes(w, 2);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, OLD));
	assert_int_equal(w->core->alerts.n + w->core->by_labels.n + w->core->episodes.n, 0);
	world_free(w);
}

/* And what repeats later repeats under the new ones alone. */
static void the_next_message_says_both(void **state)
{
	struct world *w = told_here(HOOK("group_by: [alertname]"));

	(void)state;
	set_site(w, "there");
	fire(w, "Down", "y");
	pass_minutes(w, 1);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "{\"status\":\"resolved\"," OLD));
	assert_true(has(LAST(w).body, "its external labels have changed"));
	assert_true(has(LAST(w).body, "{\"status\":\"firing\"," NEW));
	pass_minutes(w, 245);
	assert_int_equal(w->n, 3);
	assert_false(has(LAST(w).body, OLD));
	world_free(w);
}

/* "A message to you was given up" is told who refuses once in each repeat_interval, whatever its labels are by then. */
static void a_refusal_goes_not_round_in_circles(void **state)
{
	struct world *w = world_new("route: { receiver: t, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 12m }\n"
				    "receivers: [ { name: t, webhook_configs: [ { url: 'http://hook/' } ] } ]\n");

	(void)state;
	set_site(w, "here");
	fire(w, "Down", "x");
	answer(w, 400, "no");
	assert_int_equal(w->n, 2);
	set_site(w, "there");           /* while "given up" is under way */
	for (int minute = 0; minute < 30; minute++) {
		for (size_t i = 0; i < w->n; i++)
			if (!w->asked[i].answered)
				answer_with(w, i, HTTP_ANSWERED, 400, -1, "no");
		world_run(w);
		world_pass(w, 60000);
	}
	assert_true(entries(w, "\"alertname\":\"Down\"") >= 29);
	assert_int_equal(entries(w, "\"alertname\":\"TocsinMessageGivenUp\""), 3);
	world_free(w);
}

/* Somebody posts an alert with the labels that ours had: it fires on there, and nobody is told again. */
static void a_twin_stays_behind(void **state)
{
	static const struct label labels[] = { { { "alertname", 9 }, { "Down", 4 } }, { { "instance", 8 }, { "x", 1 } },
					       { { "severity", 8 }, { "critical", 8 } }, { { "site", 4 }, { "here", 4 } } };
	struct world *w = told_here(HOOK("group_by: [alertname]"));
	struct notify_posted p = { .labels = { labels, 4 }, .ends_ms = w->clock.wall + 3600000 };
	struct err e = { 0 };

	(void)state;
	assert_true(core_post(w->core, &p, 1, &e));
	world_run(w);
	set_site(w, "there");
	pass_minutes(w, 30);
	assert_int_equal(w->n, 1);
	resolve(w, "Down", "x");
	pass_minutes(w, 2);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "{\"status\":\"resolved\"," NEW));
	assert_true(has(LAST(w).body, "{\"status\":\"firing\"," OLD));
	world_free(w);
}

static void inhibited_by_the_new_labels(void **state)
{
	struct world *w = told_here(HOOK("group_by: [alertname]")
				    "inhibit_rules: [ { source_matchers: [alertname=Down], target_matchers: [alertname=Slow], equal: [site] } ]\n");

	(void)state;
	set_site(w, "there");
	world_edge(w, "Slow", "z", "warning", EDGE_FIRING, 1);
	pass_minutes(w, 2);
	assert_int_equal(w->n, 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alertmanager_hears_of_both),
		cmocka_unit_test(an_alertmanager_hears_of_both_after_a_start),
		cmocka_unit_test(a_label_of_its_own_wins),
		cmocka_unit_test(people_hear_of_the_end_of_both),
		cmocka_unit_test(there_and_back_again),
		cmocka_unit_test(the_next_message_says_both),
		cmocka_unit_test(a_refusal_goes_not_round_in_circles),
		cmocka_unit_test(a_twin_stays_behind),
		cmocka_unit_test(inhibited_by_the_new_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
