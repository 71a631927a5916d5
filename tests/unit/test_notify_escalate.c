/* Who is told next while nobody acknowledges, on a clock wound by hand; and what links are good for. */
#include "notify_world.h"

static const char steps[]
	= "route: { receiver: call, group_by: [alertname], group_wait: 10s, group_interval: 5m, repeat_interval: 12h,\n"
	  "  escalation: [ { after: 15m, receiver: lead }, { after: 1h, receiver: owner } ] }\n"
	  "receivers: [ { name: call, webhook_configs: [ { url: 'http://call/' } ] }, { name: lead, webhook_configs: [ { url: 'http://lead/' } ] },\n"
	  "  { name: owner, webhook_configs: [ { url: 'http://owner/' } ] } ]\n";

static size_t told(const struct world *w, const char *host)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].url, host);
	return n;
}

static void answer_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered)
			answer_with(w, i, HTTP_ANSWERED, 200, -1, "");
	world_run(w);
}

static void pass(struct world *w, int minutes)
{
	for (int i = 0; i < minutes; i++) {
		world_pass(w, 60000);
		answer_all(w);
	}
}

static struct notify_group alarm_of(struct world *w)
{
	const struct notify_snapshot *s = core_snapshot(w->core, &w->arena);

	assert_int_equal(s->n_groups, 1);
	return s->groups[0];
}

static struct world *paged(const char *yaml)
{
	struct world *w = world_new(yaml);

	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer_all(w);
	return w;
}

static bool acknowledge(struct world *w, const char *by)
{
	struct err e = { 0 };
	bool ok = core_acknowledge(w->core, alarm_of(w).id, str_of(by), &e);

	world_run(w);
	return ok;
}

static void each_step_in_its_time_and_its_end(void **state)
{
	struct world *w = paged(steps);

	(void)state;
	pass(w, 14);
	assert_int_equal(told(w, "lead"), 0);
	pass(w, 1);
	assert_int_equal(told(w, "lead"), 1);
	assert_true(has(LAST(w).body, "\"receiver\":\"lead\"") && has(LAST(w).body, "\"escalationStep\":1"));
	world_crash(w);                                         /* it does not begin anew */
	pass(w, 44);
	assert_int_equal(told(w, "owner"), 0);
	pass(w, 1);
	assert_int_equal(told(w, "owner"), 1);
	assert_int_equal(told(w, "call"), 1);
	resolve(w, "Down", "a");
	pass(w, 5);
	assert_int_equal(told(w, "call"), 2);
	assert_int_equal(told(w, "lead"), 2);
	assert_int_equal(told(w, "owner"), 2);
	assert_int_equal(w->core->groups.n, 0);
	world_free(w);
}

static void what_stops_it(void **state)
{
	struct world *w = paged(steps);
	struct notify_group g;

	(void)state;
	pass(w, 5);
	assert_true(acknowledge(w, " Ann "));
	assert_true(acknowledge(w, "Bob"));                     /* the first one stays */
	world_crash(w);
	world_run(w);
	g = alarm_of(w);
	assert_string_equal(g.ack_by.p, "Ann");
	assert_int_equal(g.ack_ms, T0 + 10000 + 300000);
	assert_int_equal(g.ack_url.n, 0);
	pass(w, 120);
	assert_int_equal(w->n, 1);
	fire(w, "Down", "b");                                   /* news is told, with who takes care */
	pass(w, 5);
	assert_int_equal(told(w, "call"), 2);
	assert_true(has(LAST(w).body, "\"acknowledgedBy\":\"Ann\",\"acknowledgedAt\":\"2023-11-14T22:18:30.000Z\""));
	assert_false(has(LAST(w).body, "ackURL"));
	resolve(w, "Down", "a");
	resolve(w, "Down", "b");
	pass(w, 5);
	fire(w, "Down", "a");                                   /* another alarm: nobody has acknowledged it */
	pass(w, 16);
	assert_int_equal(told(w, "lead"), 1);
	world_free(w);
}

static void reload(struct world *w, const char *from, const char *to)
{
	struct str yaml = str_of(w->yaml);
	size_t at = str_find(yaml, str_of(from));

	assert_true(at < yaml.n);
	w->yaml = arena_printf(&w->arena, "%.*s%s%s", (int)at, yaml.p, to, yaml.p + at + strlen(from)).p;
	core_configure(w->core, world_config(w->yaml));
	world_run(w);
	answer_all(w);
}

/* An acknowledgement outlives a reload that groups otherwise, and so does the link. */
static void a_reload_that_regroups_keeps_the_alarm(void **state)
{
	static const char *const changes[][2] = {
		{ "group_by: [alertname], group_wait: 10s", "group_wait: 10s" },
		{ "escalation:", "routes: [ { receiver: call, matchers: [ instance=a ], escalation: [ { after: 15m, receiver: lead } ] } ], escalation:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct world *w = paged(steps);
		struct str id = alarm_of(w).id;

		fire(w, "Down", "b");
		pass(w, 6);
		assert_true(acknowledge(w, "Ann"));
		reload(w, changes[i][0], changes[i][1]);
		if (i == 0)
			reload(w, "group_wait: 10s", "group_by: [instance], group_wait: 10s");
		pass(w, 120);
		assert_int_equal(told(w, "lead"), 0);
		world_free(w);

		w = paged(steps);
		id = alarm_of(w).id;
		reload(w, changes[i][0], changes[i][1]);
		world_crash(w);
		pass(w, 13);
		assert_int_equal(told(w, "lead"), 0);
		assert_true(core_acknowledge(w->core, id, STR("Ann"), &(struct err){ 0 }));
		pass(w, 120);
		assert_int_equal(told(w, "lead"), 0);
		world_free(w);

		w = paged(steps);                               /* nobody acknowledges: the time goes on */
		pass(w, 10);
		reload(w, changes[i][0], changes[i][1]);
		pass(w, 4);
		assert_int_equal(told(w, "lead"), 0);
		pass(w, 1);
		assert_int_equal(told(w, "lead"), 1);
		resolve(w, "Down", "a");
		pass(w, 6);
		assert_int_equal(told(w, "call"), 2);
		assert_int_equal(told(w, "lead"), 2);
		world_free(w);
	}
}

static void resolved_or_muted_escalates_nothing(void **state)
{
	struct world *w = paged(steps);
	const struct notify_matcher m = { STR("alertname"), STR("Down"), false, true };
	const struct notify_silence silence = { .matchers = &m, .n_matchers = 1, .starts_ms = T0, .ends_ms = T0 + 30 * 60000,
						.author = STR("me"), .comment = STR("c") };
	struct str id;
	struct err e = { 0 };

	(void)state;
	assert_true(silence_set(w->core, &silence, &w->arena, &id, &e));
	pass(w, 29);
	assert_int_equal(told(w, "lead"), 0);
	world_pass(w, 49000);                                   /* the silence ends; the step is due at once */
	assert_int_equal(told(w, "lead"), 0);
	world_pass(w, 1000);
	answer_all(w);
	assert_int_equal(told(w, "lead"), 1);
	resolve(w, "Down", "a");
	pass(w, 60);
	assert_int_equal(told(w, "owner"), 0);
	world_free(w);
}

static void links(void **state)
{
	struct world *w = paged(steps);
	struct str url = alarm_of(w).ack_url, id = alarm_of(w).id, until, signature;
	struct err e = { 0 };

	(void)state;
	assert_true(str_starts(url, STR("http://tocsin/ack?id=")));
	assert_true(has(w->asked[0].body, "\"ackURL\":\"http://tocsin/ack?id="));
	until = (struct str){ url.p + str_find(url, STR("&until=")) + 7, 10 };
	signature = (struct str){ url.p + str_find(url, STR("&sig=")) + 5, 32 };
	assert_true(core_check_link(w->core, id, until, signature, &e));
	assert_false(core_check_link(w->core, STR("0123456789abcdef"), until, signature, &e));
	assert_false(core_check_link(w->core, id, STR("2700000000"), signature, &e));
	assert_false(core_check_link(w->core, id, until, STR("00000000000000000000000000000000"), &e));
	assert_false(core_check_link(w->core, id, until, STR(""), &e));
	assert_false(core_check_link(w->core, id, STR("99999999999999999999999999999"), signature, &e));
	e = (struct err){ 0 };
	world_pass(w, 7 * 86400000LL);
	assert_true(core_check_link(w->core, id, until, signature, &e));
	world_pass(w, 86400000LL);
	assert_false(core_check_link(w->core, id, until, signature, &e));
	assert_string_equal(e.msg, "this link is too old");
	world_free(w);
}

static void a_reload_may_change_the_steps(void **state)
{
	struct world *w = paged(steps);

	(void)state;
	pass(w, 15);
	assert_int_equal(told(w, "lead"), 1);
	core_configure(w->core, world_config("route: { receiver: call, group_by: [alertname], group_wait: 10s, group_interval: 5m }\n"
					     "receivers: [ { name: call, webhook_configs: [ { url: 'http://call/' } ] } ]\n"));
	pass(w, 60);
	assert_int_equal(told(w, "owner"), 0);
	resolve(w, "Down", "a");
	pass(w, 5);
	assert_int_equal(told(w, "lead"), 2);
	assert_int_equal(told(w, "call"), 2);
	world_free(w);
}

static void mistakes(void **state)
{
	static const struct {
		const char *route, *message;
	} cases[] = {
		{ "escalation: [ { after: 1m, receiver: nobody } ]", "receiver \"nobody\" is not defined" },
		{ "escalation: [ { after: 1m, receiver: call } ]", "is told before this step" },
		{ "escalation: [ { after: 2m, receiver: lead }, { after: 2m, receiver: owner } ]", "not after the one before it" },
		{ "escalation: [ { after: 1m, receiver: lead }, { after: 2m, receiver: lead } ]", "is told before this step" },
		{ "escalation: [ { receiver: lead } ]", "after" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct conf_report report = { 0 };
		struct str text = arena_printf(&a, "route: { receiver: call, %s }\nreceivers: [ {name: call}, {name: lead}, {name: owner} ]\n",
					       cases[i].route);

		assert_null(notify_config_parse(conf_load_text(&a, STR("t.yml"), text, &report), &report));
		if (report.n != 1 || !has(report.v[0].message, cases[i].message))
			fail_msg("%s: %s", cases[i].route, report.n > 0 ? report.v[0].message.p : "no mistake");
		conf_report_fini(&report);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_in_its_time_and_its_end),
		cmocka_unit_test(what_stops_it),
		cmocka_unit_test(a_reload_that_regroups_keeps_the_alarm),
		cmocka_unit_test(resolved_or_muted_escalates_nothing),
		cmocka_unit_test(links),
		cmocka_unit_test(a_reload_may_change_the_steps),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
