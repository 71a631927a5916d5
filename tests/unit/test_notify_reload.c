/* What a new configuration does to what was told: groups that form no more, receivers that go and come back, places in a list, and
 * integrations that send elsewhere. Nobody is paged again for what he knows, and what was told somewhere ends there. */
#include "notify_world.h"

#include <sqlite3.h>

#define TEAM(route, entries)                                                                                                       \
	"route: { receiver: team, " route ", repeat_interval: 1h }\n"                                                              \
	"receivers: [ { name: team, " entries " } ]\n"
#define GROUPED(label, wait, interval)                                                                                             \
	TEAM("group_by: [" label "], group_wait: " wait ", group_interval: " interval,                                             \
	     "webhook_configs: [ { url: 'http://hook/secret-token' } ]")
#define OTHER                                                                                                                      \
	"route: { receiver: other, group_wait: 10s }\n"                                                                            \
	"receivers: [ { name: other, webhook_configs: [ { url: 'http://other/' } ] } ]\n"
#define BY(label) GROUPED(label, "10s", "1m")
#define SENDS(entries) TEAM("group_by: [alertname], group_wait: 10s, group_interval: 1m", entries)
#define ONE "{ url: 'http://one/' }"
#define TWO "{ url: 'http://two/' }"
#define HOOKS(list) SENDS("webhook_configs: [ " list " ]")

static void reload(struct world *w, const char *yaml)
{
	core_configure(w->core, world_config(yaml));
	world_run(w);
}

static void answer_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered)
			answer_with(w, i, HTTP_ANSWERED, 200, -1, "{\"ok\":true}");
	world_run(w);
}

/* Down on a fires, is told and answered. */
static struct world *told(const char *yaml)
{
	struct world *w = world_new(yaml);

	fire(w, "Down", "a");
	world_pass(w, 10000);
	answer_all(w);
	return w;
}

/* Requests that have <what> in address, key or body. */
static size_t sent(const struct world *w, const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].url, what) || has(w->asked[i].auth, what) || has(w->asked[i].body, what);
	return n;
}

static size_t told_ends(const struct world *w, const char *url)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].url, url) && has(w->asked[i].body, "\"status\":\"resolved\",\"alerts\"");
	return n;
}

/* ---- Groups. ---- */

static void a_reload_that_regroups_pages_nobody_again(void **state)
{
	struct world *w = told(BY("alertname"));

	(void)state;
	reload(w, BY("instance"));
	world_pass(w, 120000);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->core->n_retired, 1);
	world_crash(w);                                 /* back to the old configuration: the group is formed again */
	world_pass(w, 120000);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->core->n_retired, 0);
	resolve(w, "Down", "a");
	world_pass(w, 120000);
	assert_int_equal(w->n, 2);
	assert_memory_equal(w->asked[0].key.p, w->asked[1].key.p, 36);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

/* Formed again, it keeps its route's interval: what it told ends no later for having been retired. */
static void a_reload_and_back_delays_no_end(void **state)
{
	struct world *w = world_new(GROUPED("alertname", "0s", "2s"));

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 1000);
	answer(w, 200, "");
	reload(w, GROUPED("instance", "0s", "2s"));
	world_pass(w, 1000);
	reload(w, GROUPED("alertname", "0s", "2s"));
	world_pass(w, 1000);
	assert_int_equal(w->core->n_retired, 0);
	resolve(w, "Down", "a");
	world_pass(w, 2000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

/* Told by the old group, so its end comes from there, once: the new one speaks of what is new. */
static void what_a_retired_group_told_is_not_told_beside_it(void **state)
{
	struct world *w = told(BY("alertname"));
	size_t about_a = 0;

	(void)state;
	reload(w, BY("severity"));
	fire(w, "Slow", "b");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "Slow") && !has(LAST(w).body, "Down"));
	answer(w, 200, "");
	resolve(w, "Down", "a");
	for (int i = 0; i < 20; i++) {
		world_pass(w, 15000);
		if (!LAST(w).answered)
			answer(w, 200, "");
	}
	for (size_t i = 1; i < w->n; i++)
		about_a += has(w->asked[i].body, "Down");
	assert_int_equal(about_a, 1);
	resolve(w, "Slow", "b");
	world_pass(w, 60000);
	assert_true(has(LAST(w).body, "Slow") && has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	answer(w, 200, "");
	assert_int_equal(w->core->alerts.n, 0);
	world_free(w);
}

static void a_removed_receiver_still_tells_its_ends(void **state)
{
	struct world *w = told(BY("alertname"));

	(void)state;
	reload(w, OTHER);
	world_pass(w, 10000);
	assert_int_equal(w->n, 2);                      /* the new receiver has not heard of it */
	assert_true(has(LAST(w).url, "other"));
	answer(w, 200, "");
	resolve(w, "Down", "a");                        /* at once: nobody else looks after it */
	assert_int_equal(w->n, 3);
	assert_string_equal(LAST(w).url.p, "http://hook/secret-token");
	assert_memory_equal(w->asked[0].key.p, LAST(w).key.p, 36);
	answer(w, 200, "");
	world_pass(w, 300000);
	assert_int_equal(w->n, 4);
	assert_true(has(LAST(w).url, "other"));
	answer(w, 200, "");
	world_pass(w, 300000);
	assert_int_equal(w->core->n_old, 0);
	assert_int_equal(w->core->episodes.n, 0);
	world_free(w);
}

static void a_receiver_removed_while_we_were_away(void **state)
{
	struct world *w = told(BY("alertname"));

	(void)state;
	w->yaml = OTHER;
	world_crash(w);                                 /* its secrets went with the configuration */
	world_pass(w, 10000);
	assert_true(has(LAST(w).url, "other"));
	answer(w, 200, "");
	resolve(w, "Down", "a");
	world_pass(w, 30000);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	world_pass(w, 300000);
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered)
			answer_with(w, i, HTTP_ANSWERED, 200, -1, "");
	assert_true(has(LAST(w).body, "TocsinEndNotTold"));
	assert_true(has(LAST(w).body, "\"integration\":\"team/webhook[0]\""));
	world_crash(w);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	reload(w, BY("alertname"));
	assert_string_equal(LAST(w).url.p, "http://hook/secret-token");
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	assert_memory_equal(w->asked[0].key.p, LAST(w).key.p, 36);
	answer(w, 200, "");
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 0);
	world_free(w);
}

/* A message that waits for a receiver goes out when that is configured, not a minute later. */
static void a_receiver_that_is_back_gets_what_waits(void **state)
{
	struct world *w = world_new(BY("alertname"));

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 10000);
	w->yaml = "route: { receiver: none }\nreceivers: [ { name: none } ]\n";
	world_crash(w);
	world_run(w);
	assert_int_equal(w->n, 1);
	reload(w, BY("alertname"));
	assert_int_equal(w->n, 2);
	assert_true(str_eq(w->asked[1].key, w->asked[0].key));
	world_free(w);
}

static void the_same_configuration_again_changes_nothing(void **state)
{
	struct world *w = world_new(BY("alertname"));

	(void)state;
	fire(w, "Down", "a");
	world_pass(w, 5000);
	reload(w, BY("alertname"));
	world_pass(w, 4999);
	assert_int_equal(w->n, 0);
	world_pass(w, 1);
	assert_int_equal(w->n, 1);
	world_free(w);
}

/* ---- Places in a list. ---- */

/* One put before it takes nothing over, whether the list changed at a reload or while we were away. */
static void a_place_in_the_list_is_no_identity(void **state)
{
	static const char *const after[] = { HOOKS(TWO ", " ONE), HOOKS(ONE ", " TWO) };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(after); i++) {
		struct world *w = told(HOOKS(ONE));

		w->yaml = after[i / 2];
		if (i % 2 == 0)
			reload(w, w->yaml);
		else
			world_crash(w);
		world_pass(w, 60000);
		assert_int_equal(sent(w, "http://one/"), 1);
		assert_int_equal(sent(w, "http://two/"), 1);
		answer_all(w);
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		answer_all(w);
		assert_int_equal(told_ends(w, "http://one/"), 1);
		assert_int_equal(told_ends(w, "http://two/"), 1);
		assert_int_equal(w->n, 4);
		assert_int_equal(w->core->episodes.n + w->core->alerts.n, 0);
		world_free(w);
	}
}

/* A message that waits, or may have arrived, goes where it was to go, with its key. */
static void what_waits_goes_to_the_same_place(void **state)
{
	static const enum http_fate fates[] = { HTTP_NOT_SENT, HTTP_LOST };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(fates); i++) {
		struct world *w = world_new(HOOKS(ONE));

		fire(w, "Down", "a");
		world_pass(w, 10000);
		answer_with(w, 0, fates[i / 2], 0, -1, "");
		world_run(w);
		w->yaml = HOOKS(TWO ", " ONE);
		if (i % 2 == 0)
			reload(w, w->yaml);
		else
			world_crash(w);
		world_pass(w, 2000);
		assert_int_equal(w->n, 2);
		assert_string_equal(w->asked[1].url.p, "http://one/");
		assert_string_equal(w->asked[1].key.p, w->asked[0].key.p);
		world_free(w);
	}
}

/* ---- Integrations that send elsewhere. ---- */

static void an_edited_url_is_another_place(void **state)
{
	struct world *w = told(HOOKS(ONE));

	(void)state;
	reload(w, HOOKS(TWO));
	world_pass(w, 10000);                           /* group_wait, as for any group that is new to somebody */
	assert_int_equal(w->n, 2);
	assert_string_equal(LAST(w).url.p, "http://two/");
	assert_true(has(LAST(w).body, "\"status\":\"firing\",\"alerts\""));
	assert_memory_not_equal(w->asked[0].key.p, LAST(w).key.p, 36);
	answer(w, 200, "");
	world_pass(w, 600000);
	assert_int_equal(w->n, 2);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 4);
	answer_all(w);
	assert_int_equal(told_ends(w, "http://one/"), 1);
	assert_int_equal(told_ends(w, "http://two/"), 1);
	assert_int_equal(w->core->episodes.n, 0);
	world_pass(w, 300000);
	assert_int_equal(w->core->n_old, 0);
	world_free(w);
}

/* Its settings are on no disk: who was told cannot be told the end, which an alert says, until it is configured again. */
static void a_url_edited_while_we_were_away(void **state)
{
	struct world *w = told(HOOKS(ONE));

	(void)state;
	w->yaml = HOOKS(TWO);
	world_crash(w);
	world_pass(w, 10000);
	assert_int_equal(sent(w, "http://two/"), 1);
	answer_all(w);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer_all(w);
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(told_ends(w, "http://one/"), 0);
	assert_int_equal(told_ends(w, "http://two/"), 1);
	assert_true(sent(w, "TocsinEndNotTold") > 0);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	reload(w, HOOKS(TWO));
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	reload(w, HOOKS(TWO ", " ONE));
	answer_all(w);
	assert_int_equal(told_ends(w, "http://one/"), 1);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 0);
	world_pass(w, 60000);
	assert_true(has(LAST(w).body, "TocsinEndNotTold") && has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

static void post(struct world *w, int64_t ends_ms)
{
	static const struct label labels[] = { { { "alertname", 9 }, { "Posted", 6 } } };
	const struct notify_posted p = { .labels = { labels, 1 }, .ends_ms = ends_ms };
	struct err e = { 0 };

	assert_true(core_post(w->core, &p, 1, &e));
}

/* An end that lies long back is kept as long as any other: who was told has not heard of it, and we only have now. */
static void an_old_end_of_a_url_edited_while_we_were_away(void **state)
{
	struct world *w = world_new(HOOKS(ONE));

	(void)state;
	post(w, 0);
	world_pass(w, 10000);
	answer_all(w);
	w->yaml = HOOKS(TWO);
	world_crash(w);
	post(w, T0 - 365 * 86400000LL);
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	world_crash(w);
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 1);
	assert_true(sent(w, "TocsinEndNotTold") > 0);
	reload(w, HOOKS(TWO ", " ONE));
	answer_all(w);
	assert_int_equal(told_ends(w, "http://one/"), 1);
	assert_int_equal(core_snapshot(w->core, &w->arena)->n_stranded, 0);
	world_free(w);
}

/* Nothing can have arrived at the old place, so the new one gets it, at once and whatever became of the alert. */
static void what_nobody_heard_goes_to_the_new_place(void **state)
{
	(void)state;
	for (int away = 0; away < 2; away++) {
		struct world *w = world_new(HOOKS(ONE));

		fire(w, "Down", "a");
		world_pass(w, 10000);
		answer_with(w, 0, HTTP_NOT_SENT, 0, -1, "");
		world_run(w);
		w->yaml = HOOKS(TWO);
		if (away)
			world_crash(w);
		else
			reload(w, w->yaml);
		world_run(w);
		assert_int_equal(w->n, 2);
		assert_string_equal(LAST(w).url.p, "http://two/");
		assert_string_equal(w->asked[1].key.p, w->asked[0].key.p);
		answer(w, 200, "");
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		assert_int_equal(w->n, 3);
		assert_int_equal(told_ends(w, "http://two/"), 1);
		answer(w, 200, "");
		assert_int_equal(w->core->episodes.n, 0);
		world_free(w);
	}
}

/* Or it may have arrived, or did once. */
static void what_somebody_may_have_heard_ends_there(void **state)
{
	(void)state;
	for (int crash = 0; crash < 2; crash++) {
		struct world *w = world_new(HOOKS(ONE));

		fire(w, "Down", "a");
		world_pass(w, 10000);
		answer_with(w, 0, HTTP_LOST, 0, -1, "");
		world_run(w);
		if (crash)
			world_crash(w);
		reload(w, HOOKS(TWO));
		world_pass(w, 10000);
		assert_int_equal(w->n, 3);
		assert_int_equal(sent(w, "http://one/"), 2);
		assert_string_equal(w->asked[1].key.p, w->asked[0].key.p);
		answer_all(w);
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		answer_all(w);
		assert_int_equal(told_ends(w, "http://one/"), 1);
		assert_int_equal(told_ends(w, "http://two/"), 1);
		world_free(w);
	}
}

/* What an integration is edited to, a text only the old one sends, one only the new one sends. */
struct edit {
	const char *name, *before, *after, *old, *new;
	bool moves;
};
#define EDIT(what, before, after, old, new, moves) { what, SENDS(before), SENDS(after), old, new, moves }
#define HOOK(more) "webhook_configs: [ { url: 'http://one/', " more " } ]"
#define PAGERDUTY(more) "pagerduty_configs: [ { " more " } ]"
#define SLACK(more) "slack_configs: [ { send_resolved: true, " more " } ]"
#define TELEGRAM(more) "telegram_configs: [ { " more " } ]"
#define OPSGENIE(more) "opsgenie_configs: [ { " more " } ]"
#define MAIL(more) "email_configs: [ { from: me@x, send_resolved: true, " more " } ]"

static const struct edit edits[] = {
	EDIT("bearer token", HOOK("http_config: { authorization: { credentials: old } }"),
	     HOOK("http_config: { authorization: { credentials: new } }"), "Bearer old", "Bearer new", false),
	EDIT("password in the address", "webhook_configs: [ { url: 'http://me:old@one/' } ]",
	     "webhook_configs: [ { url: 'http://me:new@one/' } ]", "me:old@", "me:new@", false),
	EDIT("timeout and proxy", HOOK("timeout: 1s"),
	     HOOK("timeout: 9s, http_config: { proxy_url: 'http://proxy/' }"), NULL, NULL, false),
	EDIT("signing_secret", HOOK("max_alerts: 0"),
	     HOOK("signing_secret: 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz'"), NULL, NULL, false),
	EDIT("routing_key", PAGERDUTY("routing_key: K1"), PAGERDUTY("routing_key: K2"), "\"K1\"", "\"K2\"", true),
	EDIT("description", PAGERDUTY("routing_key: K1, description: 'old'"),
	     PAGERDUTY("routing_key: K1, description: 'new'"), "\"old\"", "\"new\"", false),
	EDIT("slack's channel", SLACK("api_url: 'http://slack/', channel: '#old'"),
	     SLACK("api_url: 'http://slack/', channel: '#new'"), "#old", "#new", true),
	EDIT("slack's token", SLACK("app_token: old, channel: C"),
	     SLACK("app_token: new, channel: C"), "Bearer old", "Bearer new", false),
	EDIT("slack's address", SLACK("api_url: 'http://slack/old'"),
	     SLACK("api_url: 'http://slack/new'"), "slack/old", "slack/new", true),
	EDIT("chat", TELEGRAM("bot_token: T, chat_id: -1"),
	     TELEGRAM("bot_token: T, chat_id: -2"), "\"chat_id\":-1", "\"chat_id\":-2", true),
	EDIT("bot_token", TELEGRAM("bot_token: old, chat_id: -1"),
	     TELEGRAM("bot_token: new, chat_id: -1"), "botold/", "botnew/", false),
	EDIT("api_key", OPSGENIE("api_key: old"), OPSGENIE("api_key: new"), "GenieKey old", "GenieKey new", false),
	EDIT("api_url", OPSGENIE("api_key: K"),
	     OPSGENIE("api_key: K, api_url: 'https://api.eu.opsgenie.com/'"), "api.opsgenie", "api.eu.", true),
	EDIT("to", MAIL("to: old@x, smarthost: 'mail:25'"),
	     MAIL("to: new@x, smarthost: 'mail:25'"), "To: old@x", "To: new@x", true),
	EDIT("smarthost", MAIL("to: you@x, smarthost: 'old:25'"),
	     MAIL("to: you@x, smarthost: 'new:25'"), "//old:25", "//new:25", false),
};

static void only_another_place_is_told_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		const struct edit *edit = &edits[i];
		struct world *w = told(edit->before);
		size_t each = edit->moves ? 2 : 1;

		print_message("  %s\n", edit->name);
		assert_int_equal(w->n, 1);
		reload(w, edit->after);
		world_pass(w, 120000);
		assert_int_equal(w->n, each);
		answer_all(w);
		resolve(w, "Down", "a");
		world_pass(w, 60000);
		answer_all(w);
		world_pass(w, 2000);                    /* some want a pause between two */
		answer_all(w);
		assert_int_equal(w->n, 2 * each);
		if (edit->old != NULL) {
			assert_int_equal(sent(w, edit->old), each);
			assert_int_equal(sent(w, edit->new), each);
		}
		assert_int_equal(w->core->episodes.n, 0);
		world_free(w);
	}
}

/* A database that says of no episode where it was told: where its integration sends now. */
static void an_older_database_is_taken_up(void **state)
{
	struct world *w = told(SENDS(PAGERDUTY("routing_key: K1")));
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(w->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "UPDATE episode SET identity=0", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	world_crash(w);
	world_pass(w, 120000);
	assert_int_equal(w->n, 1);
	reload(w, SENDS(PAGERDUTY("routing_key: K2")));
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	assert_int_equal(w->n, 2);
	assert_true(has(LAST(w).body, "\"K1\""));
	world_free(w);
}

/* Whatever interval a group waits in, it waits as its route says now. */
static void a_shortened_wait_is_for_groups_that_stand_too(void **state)
{
	struct world *w = told(GROUPED("alertname", "10s", "12h"));

	(void)state;
	fire(w, "Down", "b");
	reload(w, BY("alertname"));
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(w->n, 2);
	reload(w, GROUPED("alertname", "12h", "12h"));
	fire(w, "Full", "a");
	resolve(w, "Down", "a");
	resolve(w, "Down", "b");
	reload(w, BY("alertname"));
	world_pass(w, 9000);
	assert_int_equal(w->n, 2);
	world_pass(w, 1000);
	assert_int_equal(w->n, 3);
	assert_true(has(LAST(w).body, "Full"));
	world_pass(w, 50000);
	assert_int_equal(w->n, 4);
	assert_true(has(LAST(w).body, "\"status\":\"resolved\",\"alerts\""));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reload_that_regroups_pages_nobody_again),
		cmocka_unit_test(a_reload_and_back_delays_no_end),
		cmocka_unit_test(what_a_retired_group_told_is_not_told_beside_it),
		cmocka_unit_test(a_removed_receiver_still_tells_its_ends),
		cmocka_unit_test(a_receiver_removed_while_we_were_away),
		cmocka_unit_test(a_receiver_that_is_back_gets_what_waits),
		cmocka_unit_test(the_same_configuration_again_changes_nothing),
		cmocka_unit_test(a_place_in_the_list_is_no_identity),
		cmocka_unit_test(what_waits_goes_to_the_same_place),
		cmocka_unit_test(an_edited_url_is_another_place),
		cmocka_unit_test(a_url_edited_while_we_were_away),
		cmocka_unit_test(an_old_end_of_a_url_edited_while_we_were_away),
		cmocka_unit_test(what_nobody_heard_goes_to_the_new_place),
		cmocka_unit_test(what_somebody_may_have_heard_ends_there),
		cmocka_unit_test(only_another_place_is_told_again),
		cmocka_unit_test(an_older_database_is_taken_up),
		cmocka_unit_test(a_shortened_wait_is_for_groups_that_stand_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
