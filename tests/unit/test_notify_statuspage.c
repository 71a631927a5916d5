/* The conversation with Statuspage, request by request, the page played by the test: opened once, also after doubt; people's changes
 * left alone; components at the worst of what is open. */
#include "notify_world.h"

static const char page[]
	= "route: { receiver: page, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 1h }\n"
	  "receivers:\n"
	  "- name: page\n"
	  "  statuspage_configs:\n"
	  "  - api_url: http://page/v1/\n"
	  "    page_id: pg1\n"
	  "    api_key: sesame-key\n"
	  "    components:\n"
	  "    - { id: db, matchers: [ 'alertname=~\"Down|Slow\"' ] }\n"
	  "    - { id: web, matchers: [ instance=\"web\" ], status: partial_outage }\n";

#define LIST(db, web) "[{\"id\":\"db\",\"status\":\"" db "\"},{\"id\":\"web\",\"status\":\"" web "\"}]"

/* Answers the last request, and lets the writer's second pass. */
static void reply(struct world *w, const char *method, const char *path, int status, const char *body)
{
	assert_string_equal(LAST(w).method.p, method);
	if (!has(LAST(w).url, path))
		fail_msg("asked for %s, not %s", LAST(w).url.p, path);
	answer(w, status, body);
	world_pass(w, 1050);
}

static const char *incident(struct world *w, const char *status, const char *key, const char *impact)
{
	return arena_printf(&w->arena,
			    "{\"id\":\"inc1\",\"status\":\"%s\",\"impact_override\":\"%s\",\"metadata\":{\"tocsin\":{\"episode\":"
			    "\"%.36s\","
			    "\"message\":\"%s\",\"impact\":\"%s\"}}}",
			    status, impact, key, key, impact)
		.p;
}

/* The key of the message under way, as the page would keep it. */
static const char *key_now(struct world *w)
{
	return w->core->first->key.p;
}

static const char *opened(struct world *w)
{
	const char *key;

	fire(w, "Down", "a");
	key = arena_strz(&w->arena, w->core->first->key);
	assert_string_equal(LAST(w).url.p, "http://page/v1/pages/pg1/components?page=1&per_page=100");
	reply(w, "GET", "/components", 200, LIST("operational", "operational"));
	assert_true(has(LAST(w).body, "\"status\":\"investigating\""));
	assert_true(has(LAST(w).body, "\"impact_override\":\"critical\""));
	assert_true(has(LAST(w).body, "\"name\":\"Down\""));
	assert_true(has(LAST(w).body, "\"body\":\"a is bad\""));
	assert_true(has(LAST(w).body, "\"component_ids\":[\"db\"]"));
	assert_true(has(LAST(w).body, "\"components\":{\"db\":\"major_outage\"}"));
	reply(w, "POST", "/incidents", 201, incident(w, "investigating", key, "critical"));
	return key;
}

static const char slow_page[]
	= "route: { receiver: page, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 1h }\n"
	  "receivers:\n"
	  "- name: page\n"
	  "  statuspage_configs:\n"
	  "  - { api_url: http://page/v1/, page_id: pg1, api_key: sesame-key, bad_for: 2m, identified_after: 10m, good_for: 5m,\n"
	  "      monitoring_body: 'watching {{ .GroupLabels.alertname }}', components: [ { id: db } ] }\n";

#define DB(status) "[{\"id\":\"db\",\"status\":\"" status "\"}]"

/* The update that is asked for now. */
static void moves(struct world *w, const char *key, const char *from, const char *to, const char *body)
{
	reply(w, "GET", "/components", 200, DB("major_outage"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, from, key, "critical"));
	assert_true(has(LAST(w).body, arena_printf(&w->arena, "\"status\":\"%s\"", to).p));
	if (!has(LAST(w).body, body))
		fail_msg("no \"%s\" in %s", body, LAST(w).body.p);
	reply(w, "PATCH", "/incidents/inc1", 200, incident(w, to, key, "critical"));
}

/* Bad for 2 min, good for 5 min, and through all statuses in between; a relapse goes back; a kill in between changes nothing. */
static void moves_slowly_through_its_statuses(void **state)
{
	struct world *w = world_new(slow_page);
	const char *key;

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 100000);
	resolve(w, "Down", "a");                        /* a blip: nobody reads of it */
	world_pass(w, 600000);
	assert_int_equal(w->n, 0);
	fire(w, "Down", "a");
	world_pass(w, 119999);
	assert_int_equal(w->n, 0);
	world_pass(w, 1);
	key = arena_strz(&w->arena, w->core->first->key);
	reply(w, "GET", "/components", 200, DB("operational"));
	assert_true(has(LAST(w).body, "\"status\":\"investigating\""));
	reply(w, "POST", "/incidents", 201, incident(w, "investigating", key, "critical"));
	world_pass(w, 590000);
	assert_int_equal(w->n, 2);
	world_crash(w);
	world_pass(w, 60000);
	moves(w, key, "investigating", "identified", statuspage_default_identified);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	moves(w, key, "identified", "monitoring", "watching Down");
	fire(w, "Down", "a");
	world_pass(w, 60000);
	moves(w, key, "monitoring", "identified", statuspage_default_identified);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	moves(w, key, "identified", "monitoring", "watching Down");
	world_pass(w, 180000);
	assert_int_equal(w->n, 14);
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, DB("major_outage"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "monitoring", key, "critical"));
	assert_true(has(LAST(w).body, "\"status\":\"resolved\"") && has(LAST(w).body, "\"components\":{\"db\":\"operational\"}"));
	reply(w, "PATCH", "/incidents/inc1", 200, incident(w, "resolved", key, "critical"));
	assert_int_equal(w->core->episodes.n, 0);
	assert_int_equal(w->core->alerts.n, 0);
	world_free(w);
}

/* bad_for and good_for are time that passed, whatever the clock shows. */
static void a_step_of_the_clock_damps_as_before(void **state)
{
	static const int64_t steps[] = { 3600000, -3600000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct world *w = world_new(slow_page);
		const char *key;

		fire(w, "Down", "a");
		world_pass(w, 5000);
		w->clock.wall += steps[i];
		world_run(w);
		world_pass(w, 114000);
		assert_int_equal(w->n, 0);
		world_pass(w, 1000);
		key = arena_strz(&w->arena, w->core->first->key);
		reply(w, "GET", "/components", 200, DB("operational"));
		reply(w, "POST", "/incidents", 201, incident(w, "investigating", key, "critical"));
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		moves(w, key, "investigating", "monitoring", "watching Down");
		w->clock.wall += steps[i];
		world_run(w);
		world_pass(w, 230000);
		assert_int_equal(w->n, 5);
		world_pass(w, 10000);
		assert_int_equal(w->n, 6);
		world_free(w);
	}
}

/* Between two flushes of a group that are hours apart, and over a start in between. */
static void damping_waits_for_its_own_time_alone(void **state)
{
	char *yaml = strdup(slow_page), *interval = strstr(yaml, "group_interval: 1m");

	(void)state;
	memcpy(interval, "group_interval: 9h", 18);
	for (int crash = 0; crash < 2; crash++) {
		struct world *w = world_new(yaml);
		const char *key;

		fire(w, "Down", "a");
		world_pass(w, 60000);
		if (crash)
			world_crash(w);
		world_pass(w, 59000);
		assert_int_equal(w->n, 0);
		world_pass(w, 1000);
		assert_int_equal(w->n, 1);
		key = arena_strz(&w->arena, w->core->first->key);
		reply(w, "GET", "/components", 200, DB("operational"));
		reply(w, "POST", "/incidents", 201, incident(w, "investigating", key, "critical"));
		resolve(w, "Down", "a");
		if (crash) {
			world_crash(w);
			world_run(w);           /* looks, and finds it well: told at once */
			moves(w, key, "investigating", "monitoring", "watching Down");
		}
		world_pass(w, 290000);
		assert_int_equal(w->n, crash ? 5 : 2);
		world_pass(w, 10000);
		assert_int_equal(w->n, crash ? 6 : 3);
		world_free(w);
	}
	free(yaml);
}

static void opens_and_resolves(void **state)
{
	struct world *w = world_new(page);
	const char *key = opened(w);

	(void)state;
	world_pass(w, 7200000);
	assert_int_equal(w->n, 2);                      /* repeat_interval is nothing to a page */
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "investigating", key, "critical"));
	assert_true(has(LAST(w).body, "\"status\":\"resolved\""));
	assert_true(has(LAST(w).body, "\"components\":{\"db\":\"operational\"}"));
	assert_true(has(LAST(w).body, "This incident has been resolved."));
	reply(w, "PATCH", "/incidents/inc1", 200, incident(w, "resolved", key, "critical"));
	assert_int_equal(w->n, 5);
	assert_int_equal(w->core->episodes.n, 0);
	assert_int_equal(core_component(w->core, STR("pg1"), STR("db")).n, 0);
	world_free(w);
}

/* The answer to POST is lost. */
static void looks_twice_before_it_opens_again(void **state)
{
	static const char *const cases[]
		= { "it had arrived", "it had not", "it had, seen at the second look", "crash instead of a lost answer" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = world_new(page);
		const char *ours, *key;

		print_message("  %s\n", cases[i]);
		fire(w, "Down", "a");
		key = arena_strz(&w->arena, w->core->first->key);
		ours = arena_printf(&w->arena, "[{\"id\":\"inc0\",\"status\":\"investigating\",\"metadata\":{}},%s]",
		                    incident(w, "investigating", key, "critical")).p;
		reply(w, "GET", "/components", 200, LIST("operational", "operational"));
		if (i == 3) {
			world_crash(w);
		} else {
			answer_with(w, w->n - 1, HTTP_LOST, 0, -1, "");
			world_run(w);
		}
		world_pass(w, 2000);
		reply(w, "GET", "/components", 200,
		      i == 1 ? LIST("operational", "operational") : LIST("major_outage", "operational"));
		if (i == 1 || i == 2) {
			reply(w, "GET", "/incidents/unresolved?page=1&per_page=100", 200, "[]");
			reply(w, "GET", "/incidents?limit=100&page=1", 200, "[]");
			assert_int_equal(w->n, 5);
			world_pass(w, 5000);
		}
		reply(w, "GET", "/incidents/unresolved", 200, i == 1 ? "[]" : ours);
		if (i == 1) {
			reply(w, "GET", "/incidents?limit", 200, "[]");
			assert_string_equal(LAST(w).method.p, "POST");
			reply(w, "POST", "/incidents", 201, incident(w, "investigating", key, "critical"));
		}
		assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 1);
		assert_string_equal(core_component(w->core, STR("pg1"), STR("db")).p, "major_outage");
		world_free(w);
	}
}

/* It arrived, and by the time that is known the alert has ended: the component follows what is true now. */
static void found_again_when_it_is_over(void **state)
{
	struct world *w = world_new(page);
	const char *key;

	(void)state;
	fire(w, "Down", "a");
	key = arena_strz(&w->arena, w->core->first->key);
	reply(w, "GET", "/components", 200, LIST("operational", "operational"));
	world_crash(w);
	resolve(w, "Down", "a");
	world_pass(w, 2000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	reply(w, "GET", "/incidents/unresolved", 200, arena_printf(&w->arena, "[%s]", incident(w, "investigating", key, "critical")).p);
	assert_string_equal(LAST(w).body.p, "{\"component\":{\"status\":\"operational\"}}");
	reply(w, "PATCH", "/components/db", 200, "{}");
	assert_int_equal(core_component(w->core, STR("pg1"), STR("db")).n, 0);
	world_free(w);
}

static void a_persons_component_is_left_alone(void **state)
{
	struct world *w = world_new(page);
	const char *key = opened(w);

	(void)state;
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, LIST("under_maintenance", "operational"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "investigating", key, "critical"));
	assert_true(has(LAST(w).body, "\"status\":\"resolved\""));
	assert_false(has(LAST(w).body, "\"db\""));
	reply(w, "PATCH", "/incidents/inc1", 200, incident(w, "resolved", key, "critical"));
	fire(w, "Down", "a");
	reply(w, "GET", "/components", 200, LIST("under_maintenance", "operational"));
	assert_true(has(LAST(w).body, "\"components\":{}"));
	world_free(w);
}

static void an_incident_a_person_moved_on_is_left_alone(void **state)
{
	struct world *w = world_new(page);
	const char *key = opened(w);

	(void)state;
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "identified", key, "critical"));
	assert_string_equal(LAST(w).body.p, "{\"component\":{\"status\":\"operational\"}}");
	reply(w, "PATCH", "/components/db", 200, "{}");
	assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 2);
	world_free(w);
}

static void the_worst_open_alert_rules_a_component(void **state)
{
	struct world *w = world_new(page);
	const char *key = opened(w);

	(void)state;
	world_edge(w, "Slow", "a", "warning", EDGE_FIRING, 1);
	world_run(w);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	assert_true(has(LAST(w).body, "\"impact_override\":\"minor\""));
	assert_true(has(LAST(w).body, "\"components\":{}"));
	reply(w, "POST", "/incidents", 201, "{\"id\":\"inc2\",\"status\":\"investigating\"}");
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "investigating", key, "critical"));
	assert_true(has(LAST(w).body, "\"components\":{\"db\":\"degraded_performance\"}"));
	world_free(w);
}

static void news_become_an_update_once(void **state)
{
	struct world *w = world_new(page);
	const char *key = opened(w);

	(void)state;
	fire(w, "Down", "web");
	world_pass(w, 60000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "investigating", key, "critical"));
	assert_string_equal(LAST(w).method.p, "PATCH");
	assert_false(has(LAST(w).body, "\"status\":\"investigating\""));
	assert_true(has(LAST(w).body, "\"components\":{\"web\":\"partial_outage\"}"));
	key = arena_strz(&w->arena, str_of(key_now(w)));
	answer_with(w, w->n - 1, HTTP_LOST, 0, -1, "");
	world_pass(w, 2000);
	reply(w, "GET", "/components", 200, LIST("major_outage", "partial_outage"));
	reply(w, "GET", "/incidents/inc1", 200, incident(w, "investigating", key, "critical"));
	assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 2);
	assert_string_equal(core_component(w->core, STR("pg1"), STR("web")).p, "partial_outage");
	world_free(w);
}

static void refused_for_the_rate(void **state)
{
	struct world *w = world_new(page);

	(void)state;
	fire(w, "Down", "a");
	answer_with(w, 0, HTTP_ANSWERED, 420, 30000, "{\"error\":\"slow down sesame-key\"}");
	world_run(w);
	fire(w, "Other", "a");
	world_pass(w, 29000);
	assert_int_equal(w->n, 1);                      /* neither of them: the key is what is limited */
	assert_true(has(w->core->first->last_error, "HTTP 420"));
	assert_false(has(w->core->first->last_error, "sesame-key"));
	world_pass(w, 1000);
	assert_int_equal(w->n, 2);
	world_free(w);
}

static void a_refused_incident_leaves_no_claim(void **state)
{
	struct world *w = world_new(page);

	(void)state;
	fire(w, "Down", "a");
	reply(w, "GET", "/components", 200, LIST("operational", "operational"));
	reply(w, "POST", "/incidents", 422, "{\"error\":[\"no\"]}");
	assert_int_equal(w->core->finished[OUTBOX_DEAD], 1);
	assert_int_equal(core_component(w->core, STR("pg1"), STR("db")).n, 0);
	world_free(w);
}

static const char other_page[]
	= "route: { receiver: page, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 1h }\n"
	  "receivers:\n"
	  "- name: page\n"
	  "  statuspage_configs:\n"
	  "  - { api_url: http://page/v1/, page_id: pg1, api_key: sesame-key, components: [ { id: web } ] }\n";

/* One that left the configuration while it was broken is set back, and the new one is set, by the reload or by the restart itself. */
static void components_follow_the_configuration(void **state)
{
	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		struct world *w = world_new(page);

		print_message("  %s\n", restart ? "restart" : "reload");
		opened(w);
		w->yaml = other_page;
		if (restart)
			world_crash(w);
		else
			core_configure(w->core, world_config(other_page));
		world_run(w);
		world_pass(w, 1050);
		reply(w, "GET", "/components", 200, LIST("major_outage", "operational"));
		assert_true(has(LAST(w).url, "/components/db"));
		assert_string_equal(LAST(w).body.p, "{\"component\":{\"status\":\"operational\"}}");
		reply(w, "PATCH", "/components/db", 200, "{}");
		assert_string_equal(LAST(w).body.p, "{\"component\":{\"status\":\"major_outage\"}}");
		reply(w, "PATCH", "/components/web", 200, "{}");
		assert_int_equal(core_component(w->core, STR("pg1"), STR("db")).n, 0);
		assert_string_equal(core_component(w->core, STR("pg1"), STR("web")).p, "major_outage");
		assert_int_equal(w->core->episodes.n, 1);
		world_free(w);
	}
}

/* What a person made of it is left to him. */
static void a_persons_component_is_left_when_it_goes(void **state)
{
	struct world *w = world_new(page);

	(void)state;
	opened(w);
	core_configure(w->core, world_config(other_page));
	world_run(w);
	reply(w, "GET", "/components", 200, LIST("under_maintenance", "major_outage"));
	assert_string_equal(LAST(w).method.p, "GET");
	assert_int_equal(core_component(w->core, STR("pg1"), STR("db")).n, 0);
	world_free(w);
}

/* One that somebody deleted there costs only itself. */
static void a_component_that_the_page_lost_is_left_out(void **state)
{
	struct world *w = world_new(page);

	(void)state;
	fire(w, "Down", "web");
	reply(w, "GET", "/components", 200, "[{\"id\":\"web\",\"status\":\"operational\"}]");
	assert_true(has(LAST(w).body, "\"component_ids\":[\"web\"]"));
	assert_true(has(LAST(w).body, "\"components\":{\"web\":\"partial_outage\"}"));
	reply(w, "POST", "/incidents", 201, incident(w, "investigating", key_now(w), "critical"));
	assert_int_equal(w->core->finished[OUTBOX_DELIVERED], 1);
	world_free(w);
}

static const char planned[]
	= "route: { receiver: page }\n"
	  "receivers:\n"
	  "- name: page\n"
	  "  statuspage_configs:\n"
	  "  - { api_url: http://page/v1/, page_id: pg1, api_key: sesame-key, maintenance: { prefix: 'planned:' },\n"
	  "      components: [ { id: db, matchers: [ service=db ] }, { id: web, matchers: [ service=web ] } ] }\n";

static const char *silence_it(struct world *w, const char *id, const char *comment, int64_t from_ms, int64_t until_ms)
{
	static const struct notify_matcher m = { { "service", 7 }, { "db", 2 }, false, true };
	const struct notify_silence s = { .id = str_of(id), .matchers = &m, .n_matchers = 1, .starts_ms = from_ms, .ends_ms = until_ms,
					  .author = STR("ann"), .comment = str_of(comment) };
	struct str out;
	struct err e = { 0 };

	assert_true(silence_set(w->core, &s, &w->arena, &out, &e));
	world_run(w);
	return arena_strz(&w->arena, out);
}

static const char *maintenance(struct world *w, const char *id, const char *status, const char *from, const char *until)
{
	return arena_printf(&w->arena, "[{\"id\":\"m1\",\"name\":\"a larger disk\",\"status\":\"%s\",\"metadata\":{\"tocsin\":{\"silence\":\"%s\","
			    "\"from\":\"%s\",\"until\":\"%s\"}}}]", status, id, from, until).p;
}

#define FROM "2023-11-14T23:13:20.000Z"         /* T0 + 1 h */
#define UNTIL "2023-11-15T00:13:20.000Z"
#define LATER "2023-11-15T01:13:20.000Z"

static void a_silence_is_a_maintenance(void **state)
{
	struct world *w = world_new(planned);
	const char *id;
	struct err e = { 0 };

	(void)state;
	silence_it(w, "", "just for me", T0, T0 + 3600000);
	assert_int_equal(w->n, 0);                              /* nobody's business */
	id = silence_it(w, "", "planned: a larger disk", T0 + 3600000, T0 + 7200000);
	reply(w, "GET", "/incidents/upcoming?per_page=100&page=1", 200, "[]");
	reply(w, "GET", "/incidents/active_maintenance", 200, "[]");
	reply(w, "GET", "/incidents?limit=100&page=1", 200, "[]");
	reply(w, "GET", "/components?page=1&per_page=100", 200, "[{\"id\":\"db\"},{\"id\":\"web\"}]");
	assert_true(has(LAST(w).body, "\"name\":\"a larger disk\",\"status\":\"scheduled\""));
	assert_true(has(LAST(w).body, "\"body\":\"From 2023-11-14 23:13 UTC to 2023-11-15 00:13 UTC.\""));
	assert_true(has(LAST(w).body, "\"scheduled_for\":\"" FROM "\",\"scheduled_until\":\"" UNTIL "\""));
	assert_true(has(LAST(w).body, "\"component_ids\":[\"db\"],\"metadata\""));
	answer_with(w, w->n - 1, HTTP_LOST, 0, -1, "");         /* it had been carried out */
	world_run(w);
	world_pass(w, 2000);
	reply(w, "GET", "/incidents/upcoming", 200, maintenance(w, id, "scheduled", FROM, UNTIL));
	assert_int_equal(w->n, 6);
	assert_int_equal(w->core->episodes.n, 0);

	silence_it(w, id, "planned: a larger disk", T0 + 3600000, T0 + 10800000);
	world_crash(w);
	world_pass(w, 1);
	reply(w, "GET", "/incidents/upcoming", 200, maintenance(w, id, "scheduled", FROM, UNTIL));
	assert_true(has(LAST(w).body, "\"scheduled_until\":\"" LATER "\""));
	reply(w, "PATCH", "/incidents/m1", 200, "{\"id\":\"m1\"}");

	world_pass(w, 3600000);
	assert_true(silence_expire(w->core, str_of(id), &e));
	world_run(w);
	reply(w, "GET", "/incidents/upcoming", 200, "[]");
	reply(w, "GET", "/incidents/active_maintenance", 200, maintenance(w, id, "in_progress", FROM, LATER));
	reply(w, "GET", "/components", 200, "[{\"id\":\"db\"},{\"id\":\"web\"}]");
	assert_true(has(LAST(w).body, "\"status\":\"completed\",\"component_ids\":[\"db\"],\"components\":{\"db\":\"operational\"}"));
	reply(w, "PATCH", "/incidents/m1", 200, "{\"id\":\"m1\"}");
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

/* Somebody deleted it there: the maintenance of what is left is told all the same, and ended. */
static void a_component_the_page_lost_stops_no_maintenance(void **state)
{
	struct world *w = world_new(planned);
	const char *id = silence_it(w, "", "planned: a larger disk", T0, T0 + 3600000);
	struct err e = { 0 };

	(void)state;
	reply(w, "GET", "/incidents/upcoming?per_page=100&page=1", 200, "[]");
	reply(w, "GET", "/incidents/active_maintenance", 200, "[]");
	reply(w, "GET", "/incidents?limit=100&page=1", 200, "[]");
	reply(w, "GET", "/components", 200, "[{\"id\":\"web\"}]");
	assert_true(has(LAST(w).body, "\"component_ids\":[],\"components\":{}"));
	reply(w, "POST", "/incidents", 201, "{\"id\":\"m1\"}");
	assert_true(silence_expire(w->core, str_of(id), &e));
	world_run(w);
	reply(w, "GET", "/incidents/upcoming", 200, "[]");
	reply(w, "GET", "/incidents/active_maintenance", 200, maintenance(w, id, "in_progress", FROM, UNTIL));
	reply(w, "GET", "/components", 200, "[]");
	assert_true(has(LAST(w).body, "\"status\":\"completed\",\"component_ids\":[],\"components\":{}"));
	reply(w, "PATCH", "/incidents/m1", 200, "{\"id\":\"m1\"}");
	assert_int_equal(w->core->finished[OUTBOX_DEAD], 0);
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

static void a_comment_that_is_edited_is_the_maintenances(void **state)
{
	struct world *w = world_new(planned);
	const char *id = silence_it(w, "", "planned: a larger disk", T0 + 3600000, T0 + 7200000);

	(void)state;
	reply(w, "GET", "/incidents/upcoming", 200, maintenance(w, id, "scheduled", FROM, UNTIL));
	assert_int_equal(w->core->episodes.n, 0);
	silence_it(w, id, "planned: two disks", T0 + 3600000, T0 + 7200000);
	reply(w, "GET", "/incidents/upcoming", 200, maintenance(w, id, "scheduled", FROM, UNTIL));
	assert_true(has(LAST(w).body, "\"name\":\"two disks\",\"scheduled_for\":\"" FROM "\""));
	reply(w, "PATCH", "/incidents/m1", 200, "{\"id\":\"m1\"}");
	silence_it(w, id, "x", T0 + 3600000, T0 + 7200000);     /* nobody's business any more */
	reply(w, "GET", "/incidents/upcoming", 200, maintenance(w, id, "scheduled", FROM, UNTIL));
	assert_true(has(LAST(w).body, "\"status\":\"completed\""));
	reply(w, "PATCH", "/incidents/m1", 200, "{\"id\":\"m1\"}");
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

/* Its first message could not be delivered before the silence was over: nothing is announced any more. */
static void a_maintenance_that_is_over_is_not_announced(void **state)
{
	struct world *w = world_new(planned);
	const char *id = silence_it(w, "", "planned: a larger disk", T0, T0 + 3600000);
	struct err e = { 0 };

	(void)state;
	reply(w, "GET", "/incidents/upcoming", 503, "");
	assert_true(silence_expire(w->core, str_of(id), &e));
	for (int i = 0; i < 40 && w->core->first != NULL; i++) {
		world_pass(w, 2000);
		if (!LAST(w).answered)
			reply(w, "GET", "/incidents", 200, "[]");
	}
	assert_null(w->core->first);
	world_free(w);
}

/* The page counts characters, and readers see that something is missing. */
static void a_name_has_as_many_characters_as_it_may(void **state)
{
	static const char yaml[] = "route: { receiver: page, group_by: [alertname], group_wait: 0s }\n"
				   "receivers: [ { name: page, statuspage_configs: [ { api_url: 'http://page/v1/', page_id: pg1, api_key: sesame-key,\n"
				   "  name: '{{ range .Alerts }}{{ .Labels.instance }}{{ end }}' } ] } ]\n";

	(void)state;
	for (size_t n = 255; n <= 256; n++) {
		struct world *w = world_new(yaml);
		struct buf instance = { 0 }, name = { 0 };

		for (size_t i = 0; i < n; i++)
			buf_putz(&instance, "\xc3\xa9");
		buf_printf(&name, "\"name\":\"%.*s%s\"", n == 255 ? 510 : 508, buf_z(&instance), n == 255 ? "" : "\xe2\x80\xa6");
		fire(w, "Down", buf_z(&instance));
		assert_true(has(LAST(w).body, buf_z(&name)));
		buf_fini(&instance);
		buf_fini(&name);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_resolves),
		cmocka_unit_test(a_name_has_as_many_characters_as_it_may),
		cmocka_unit_test(moves_slowly_through_its_statuses),
		cmocka_unit_test(a_step_of_the_clock_damps_as_before),
		cmocka_unit_test(damping_waits_for_its_own_time_alone),
		cmocka_unit_test(a_silence_is_a_maintenance),
		cmocka_unit_test(a_component_the_page_lost_stops_no_maintenance),
		cmocka_unit_test(a_comment_that_is_edited_is_the_maintenances),
		cmocka_unit_test(a_maintenance_that_is_over_is_not_announced),
		cmocka_unit_test(looks_twice_before_it_opens_again),
		cmocka_unit_test(found_again_when_it_is_over),
		cmocka_unit_test(a_persons_component_is_left_alone),
		cmocka_unit_test(an_incident_a_person_moved_on_is_left_alone),
		cmocka_unit_test(the_worst_open_alert_rules_a_component),
		cmocka_unit_test(news_become_an_update_once),
		cmocka_unit_test(refused_for_the_rate),
		cmocka_unit_test(a_refused_incident_leaves_no_claim),
		cmocka_unit_test(components_follow_the_configuration),
		cmocka_unit_test(a_persons_component_is_left_when_it_goes),
		cmocka_unit_test(a_component_that_the_page_lost_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
