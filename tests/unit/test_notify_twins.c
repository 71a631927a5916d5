/* Alerts with the same labels, whoever raises them, are told as one: it fires while one of them does, and ends when all have. */
#include "notify_world.h"

static const char config[]
	= "route: { receiver: team, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h }\n"
	  "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] } ]\n";

static const struct label down[] = { { { "alertname", 9 }, { "Down", 4 } }, { { "job", 3 }, { "web", 3 } } };

static struct labels note(struct world *w, const char *text)
{
	struct label *v = ARENA_NEW(&w->arena, struct label);

	*v = (struct label){ STR("summary"), str_of(text) };
	return (struct labels){ v, 1 };
}

/* Down begins, or ends, for rule <key>. */
static void rule(struct world *w, const char *key, bool firing)
{
	struct alert_record r = { .labels = { down, 2 },
				  .annotations = note(w, key),
				  .state = firing ? ALERT_FIRING : ALERT_INACTIVE,
				  .active_at_ms = w->clock.wall,
				  .fired_at_ms = w->clock.wall,
				  .resolved_at_ms = firing ? 0 : w->clock.wall };
	struct alert_event ev = { firing ? EDGE_FIRING : EDGE_RESOLVED, &r, w->clock.wall, STR("because") };
	struct rule_identity id = { .key = str_of(key), .file = STR("f"), .group = STR("g"), .name = STR("Down"), .expr = STR("x") };
	struct err e = { 0 };

	assert_true(core_batch(w->core, &(struct alert_batch_rule){ &id, &r, 1, &ev, 1 }, 1, &e));
	world_run(w);
}

static void post(struct world *w, bool firing)
{
	struct notify_posted p = { .labels = { down, 2 }, .annotations = note(w, "posted"), .ends_ms = firing ? 0 : w->clock.wall };
	struct err e = { 0 };

	assert_true(core_post(w->core, &p, 1, &e));
	world_run(w);
}

static void known(struct world *w, const char *key)
{
	struct str keys[] = { str_of(key) };

	core_rules_known(w->core, &(struct notify_known){ .keys = keys, .n_keys = 1 });
	world_run(w);
}

enum act { FIRST, FIRST_ENDS, SECOND, SECOND_ENDS, POST, POST_ENDS, SECOND_IS_KNOWN, CRASH, MINUTE, ACTS_END };

/* What happens after the first was told, with a minute behind each; one page and, when <ends>, one end are told in all. */
struct story {
	const char *name;
	enum act acts[8];
	bool ends;
};

static const struct story stories[] = {
	{ "two rules", { SECOND, MINUTE, FIRST_ENDS, MINUTE, SECOND_ENDS, ACTS_END }, true },
	{ "the first ends last", { SECOND, MINUTE, SECOND_ENDS, MINUTE, FIRST_ENDS, ACTS_END }, true },
	{ "back and forth", { SECOND, FIRST_ENDS, MINUTE, FIRST, SECOND_ENDS, MINUTE, ACTS_END }, false },
	{ "over crashes", { SECOND, CRASH, FIRST_ENDS, CRASH, MINUTE, SECOND_ENDS, CRASH, ACTS_END }, true },
	{ "a rule and a post", { POST, MINUTE, FIRST_ENDS, MINUTE, POST_ENDS, ACTS_END }, true },
	{ "the post goes first", { POST, MINUTE, POST_ENDS, MINUTE, FIRST_ENDS, ACTS_END }, true },
	{ "renamed, the new one fires first", { SECOND, SECOND_IS_KNOWN, MINUTE, ACTS_END }, false },
	{ "renamed, the old one ends first", { SECOND_IS_KNOWN, SECOND, MINUTE, SECOND_ENDS, ACTS_END }, true },
	{ "renamed and crashed", { SECOND_IS_KNOWN, CRASH, SECOND, CRASH, MINUTE, ACTS_END }, false },
};

static void act(struct world *w, enum act what)
{
	switch (what) {
	case FIRST:
	case FIRST_ENDS:
		rule(w, "f;g;Down", what == FIRST);
		return;
	case SECOND:
	case SECOND_ENDS:
		rule(w, "f;other;Down", what == SECOND);
		return;
	case POST:
	case POST_ENDS:
		post(w, what == POST);
		return;
	case SECOND_IS_KNOWN:
		known(w, "f;other;Down");
		return;
	case CRASH:
		world_crash(w);
		return;
	case MINUTE:
		world_pass(w, 60000);
		return;
	case ACTS_END:
		break;
	}
	abort();
}

static size_t count(struct str text, const char *what)
{
	size_t n = 0;

	for (struct str rest = text; has(rest, what); n++)
		rest = (struct str){ rest.p + str_find(rest, str_of(what)) + 1, rest.n - str_find(rest, str_of(what)) - 1 };
	return n;
}

static void they_are_told_as_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		const struct story *s = &stories[i];
		struct world *w = world_new(config);

		print_message("  %s\n", s->name);
		act(w, FIRST);
		world_pass(w, 10000);
		answer(w, 200, "");
		for (size_t k = 0; s->acts[k] != ACTS_END; k++) {
			assert_int_equal(w->n, 1);
			act(w, s->acts[k]);
		}
		world_pass(w, 120000);
		assert_int_equal(w->n, s->ends ? 2 : 1);
		if (s->ends) {
			assert_int_equal(count(LAST(w).body, "\"fingerprint\""), 1);
			assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
			assert_memory_equal(w->asked[0].key.p, LAST(w).key.p, 36);
			answer(w, 200, "");
			assert_int_equal(w->core->alerts.n + w->core->by_labels.n + w->core->episodes.n, 0);
		}
		world_free(w);
	}
}

static void one_line_for_both(void **state)
{
	struct world *w = world_new(config);
	const struct notify_alert_group *shown;
	struct err e = { 0 };
	size_t n;

	(void)state;
	act(w, FIRST);
	world_pass(w, 5000);
	act(w, SECOND);
	act(w, FIRST_ENDS);
	world_pass(w, 5000);
	assert_int_equal(w->n, 1);
	assert_int_equal(count(LAST(w).body, "\"fingerprint\""), 1);
	assert_true(has(LAST(w).body, "\"status\":\"firing\",\"labels\""));
	assert_true(has(LAST(w).body, "\"startsAt\":\"2023-11-14T22:13:20.000Z\""));     /* when the first of them began */
	act(w, FIRST);
	assert_true(view_alerts(w->core, &(struct notify_alert_query){ .active = true }, &w->arena, &shown, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(shown[0].n, 1);
	assert_int_equal(core_snapshot(w->core, &w->arena)->groups[0].n_firing, 1);
	world_free(w);
}

/* A reload regrouped them; where they are now others are told, and whose place was taken has nothing to say there. */
static void regrouped_they_end_once(void **state)
{
	struct world *w = world_new(config);
	size_t ends = 0;

	(void)state;
	act(w, FIRST);
	world_pass(w, 10000);
	answer(w, 200, "");
	core_configure(w->core, world_config("route: { receiver: team, group_wait: 10s, group_interval: 1m }\n"
					     "receivers: [ { name: team, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"));
	world_edge(w, "Other", "a", "page", EDGE_FIRING, 1);
	world_run(w);
	world_pass(w, 60000);
	answer(w, 200, "");
	act(w, SECOND);
	act(w, FIRST_ENDS);
	act(w, SECOND_ENDS);
	for (int i = 0; i < 5; i++) {
		world_pass(w, 60000);
		if (!LAST(w).answered)
			answer(w, 200, "");
	}
	for (size_t i = 0; i < w->n; i++)
		ends += count(w->asked[i].body, "\"status\":\"resolved\",\"labels\":{\"alertname\":\"Down\"");
	assert_int_equal(ends, 1);
	world_free(w);
}

static void an_alertmanager_hears_of_no_end(void **state)
{
	struct world *w = world_new("alerting: { alertmanagers: [ { static_configs: [ { targets: ['a:1'] } ] } ] }\n");

	(void)state;
	act(w, FIRST);
	answer(w, 200, "");
	act(w, SECOND);
	answer(w, 200, "");
	act(w, FIRST_ENDS);
	for (int i = 0; i < 20; i++) {
		size_t before = w->n;

		world_pass(w, 60000);
		assert_int_equal(w->n, before + 1);
		assert_true(has(LAST(w).body, arena_printf(&w->arena, "\"endsAt\":\"2023-11-14T22:%02d:20", 13 + 4 + i + 1).p));
		answer(w, 200, "");
	}
	act(w, SECOND_ENDS);
	assert_true(has(LAST(w).body, "\"endsAt\":\"2023-11-14T22:33:20"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_told_as_one),
		cmocka_unit_test(one_line_for_both),
		cmocka_unit_test(regrouped_they_end_once),
		cmocka_unit_test(an_alertmanager_hears_of_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
