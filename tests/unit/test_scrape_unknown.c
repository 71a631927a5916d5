/* "Not knowing", the scrapes' part of it: each row of semantics 1 that says when a series is fresh, lost or gone, as a story of replies. What
 * rules make of it is test_rules_unknown.c's. */
#include <unistd.h>

#include "scrape_world.h"

#define FAIL    "(the scrape fails)"
#define RESTART "(the alerter starts again)"
#define BACK    "(likewise, a minute later)"

/* After each reply: what m{x="1"} is. */
static const struct row {
	const char *name;
	struct {
		const char *reply, *state;
	} steps[9];
} rows[] = {
	{ "no longer carried: gone", { { "m{x='1'} 1\n", "fresh" }, { "n 1\n", "gone" } } },
	{ "the scrape failed: lost; a good one decides",
	  { { "m{x='1'} 1\n", "fresh" }, { FAIL, "lost" }, { FAIL, "lost" }, { "n 1\n", "gone" } } },
	{ "not scraped since the start: lost; the first good scrape decides",
	  { { "m{x='1'} 1\n", "fresh" }, { RESTART, "lost" }, { FAIL, "lost" }, { "n 1\n", "gone" } } },
	{ "a health gauge turned 0 with it: lost until the gauge is up again",
	  { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "r_up 0\n", "lost" }, { "r_up 0\n", "lost" }, { "r_up 1\n", "gone" } } },
	{ "likewise over a failed scrape", { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { FAIL, "lost" }, { "r_up 0\n", "lost" }, { "r_up 1\n", "gone" } } },
	{ "a health gauge vanished with it: lost until it is there and up",
	  { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "n 1\n", "lost" }, { "r_up 0\n", "lost" }, { "r_up 1\n", "gone" } } },
	{ "a gauge was 0, and vanishes later: lost still", { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "r_up 0\n", "lost" }, { "n 1\n", "lost" } } },
	{ "a gauge that contradicts it says nothing", { { "r_up{x='2'} 1\nm{x='1'} 1\n", "fresh" }, { "r_up{x='2'} 0\n", "gone" } } },
	{ "of two sources its own is down", { { "r_up{x='1'} 1\nr_up{x='2'} 1\nm{x='1'} 1\n", "fresh" }, { "r_up{x='1'} 0\nr_up{x='2'} 1\n", "lost" } } },
	{ "a gauge that was never up explains nothing", { { "r_up 0\nm{x='1'} 1\n", "fresh" }, { "r_up 0\n", "gone" } } },
	{ "nor when it vanishes", { { "r_up 0\nm{x='1'} 1\n", "fresh" }, { "n 1\n", "gone" } } },
	{ "the source is down, its figures go a few scrapes later: lost",
	  { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "r_up 0\nm{x='1'} 1\n", "fresh" }, { "r_up 0\nm{x='1'} 1\n", "fresh" }, { "r_up 0\nm{x='1'} 1\n", "fresh" },
	    { "r_up 0\n", "lost" }, { "r_up 1\n", "gone" } } },
	{ "a flapping gauge is one that turns 0",
	  { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "r_up 0\n", "lost" }, { "r_up 1\nm{x='1'} 1\n", "fresh" }, { "r_up 0\n", "lost" } } },
	{ "a device that is always down explains nothing",
	  { { "node_network_up{device='lo'} 0\nm{x='1'} 1\n", "fresh" }, { "node_network_up{device='lo'} 0\n", "gone" } } },
	{ "nor does one that goes down beside it", { { "node_network_up{device='a'} 1\nm{x='1'} 1\n", "fresh" }, { "node_network_up{device='a'} 0\n", "gone" } } },
	{ "nor one that is taken away with it", { { "node_network_up{x='1'} 1\nm{x='1'} 1\n", "fresh" }, { "n 1\n", "gone" } } },
	{ "its own that goes down does", { { "node_network_up{x='1'} 1\nm{x='1'} 1\n", "fresh" }, { "node_network_up{x='1'} 0\n", "lost" } } },
	{ "a collector that always fails explains nothing",
	  { { "node_scrape_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" }, { "node_scrape_collector_success{collector='a'} 0\n", "gone" } } },
	{ "one that fails with it does",
	  { { "node_scrape_collector_success{collector='a'} 1\nm{x='1'} 1\n", "fresh" },
	    { "node_scrape_collector_success{collector='a'} 0\n", "lost" },
	    { "node_scrape_collector_success{collector='a'} 0\n", "lost" },
	    { "node_scrape_collector_success{collector='a'} 1\n", "gone" } } },
	{ "a scrape or two later too",
	  { { "c_collector_success{collector='a'} 1\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\n", "lost" } } },
	{ "one that failed long before does not",
	  { { "c_collector_success{collector='a'} 1\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\n", "gone" } } },
	{ "a slow task of our own exporter is shown longer: lost",
	  { { "tocsin_exporter_collector_success{collector='a'} 1\nm{x='1'} 1\n", "fresh" },
	    { "tocsin_exporter_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "tocsin_exporter_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "tocsin_exporter_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "tocsin_exporter_collector_success{collector='a'} 0\n", "lost" } } },
	{ "the gauge turned 0 while we were away: lost, and so after the next start",
	  { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { RESTART, "lost" }, { "r_up 0\n", "lost" }, { BACK, "lost" }, { "r_up 0\n", "lost" }, { "r_up 1\n", "gone" } } },
	{ "it vanished while we were away: lost", { { "r_up 1\nm{x='1'} 1\n", "fresh" }, { BACK, "lost" }, { "n 1\n", "lost" } } },
	{ "it failed with the series before the start, and fails on: lost",
	  { { "c_collector_success{collector='a'} 1\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\n", "lost" },
	    { BACK, "lost" },
	    { "c_collector_success{collector='a'} 0\n", "lost" } } },
	{ "always 0, before the start and after: gone",
	  { { "r_up 0\nm{x='1'} 1\n", "fresh" }, { RESTART, "lost" }, { "r_up 0\n", "gone" } } },
	{ "a collector that failed long before the start: gone",
	  { { "c_collector_success{collector='a'} 1\n", "gone" },
	    { "c_collector_success{collector='a'} 0\n", "gone" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { BACK, "lost" },
	    { "c_collector_success{collector='a'} 0\nm{x='1'} 1\n", "fresh" },
	    { "c_collector_success{collector='a'} 0\n", "gone" } } },
	{ "probe_success", { { "probe_success 1\nm{x='1'} 1\n", "fresh" }, { "probe_success 0\n", "lost" }, { "probe_success 1\n", "gone" } } },
};

/* ' for ", which a table can do without. */
static const char *unquoted(struct fixture *f, const char *reply)
{
	char *text = arena_strz(&f->arena, str_of(reply));

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return text;
}

static void take_step(struct fixture *f, const char *reply, int *at)
{
	*at += 15;
	if (strcmp(reply, FAIL) == 0)
		assert_false(feed_failure(f, *at));
	else if (strcmp(reply, RESTART) == 0)
		restart(f, *at, SIMPLE);
	else if (strcmp(reply, BACK) == 0)
		restart(f, *at += 60, SIMPLE);
	else
		assert_true(feed(f, *at, unquoted(f, reply)));
}

/* The last word of what is shown. */
static const char *state_of(struct fixture *f, const char *metric)
{
	struct str shown = str_trim(str_of(dump(f, metric)));

	while (str_chr(shown, ' ') < shown.n)
		shown = str_between(shown.p + str_chr(shown, ' ') + 1, shown.p + shown.n);
	return shown.n > 0 ? arena_strz(&f->arena, shown) : "gone";
}

static void test_rows(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
		char dir[] = "/tmp/tocsin-unit-XXXXXX", command[64];
		struct fixture f;
		int at = 0;

		assert_non_null(mkdtemp(dir));
		setup_in(&f, SIMPLE, dir);
		for (size_t i = 0; r->steps[i].reply != NULL; i++) {
			const char *got;

			take_step(&f, r->steps[i].reply, &at);
			got = state_of(&f, "m");
			if (strcmp(got, r->steps[i].state) != 0)
				fail_msg("%s: after step %zu it is %s, not %s", r->name, i + 1, got, r->steps[i].state);
		}
		teardown(&f);
		snprintf(command, sizeof command, "rm -r %s", dir);
		assert_int_equal(system(command), 0);
	}
}

/* What the next configuration says of the target that had m, and of up: at once, after a scrape that fails, and after one with m. */
static const struct {
	const char *name, *config, *at_once, *failed, *good;
} configs[] = {
	{ "the same", SIMPLE, "lost", "lost", "fresh" },
	{ "no target any more: gone", "- job_name: j\n  static_configs: []\n", "gone", NULL, NULL },
	{ "the job is gone", "- job_name: other\n  static_configs: [{targets: ['h:1']}]\n", "gone", NULL, NULL },
	{ "another target", "- job_name: j\n  static_configs: [{targets: ['h:2']}]\n", "gone", NULL, NULL },
	{ "another path: the new target decides", SIMPLE "  metrics_path: /new\n", "lost", "lost", "fresh" },
	{ "a job that takes any labels decides", "- job_name: k\n  honor_labels: true\n  static_configs: [{targets: ['h:2']}]\n", "lost", "lost", NULL },
	{ "the discovery of its job failed: lost", "- job_name: j\n  file_sd_configs: [{files: [/nowhere/x.json]}]\n", "lost", NULL, NULL },
	{ "the discovery of another job failed: gone",
	  "- job_name: j\n  static_configs: []\n- job_name: k\n  file_sd_configs: [{files: [/nowhere/x.json]}]\n", "gone", NULL, NULL },
};

static void test_configurations_after_a_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
		char dir[] = "/tmp/tocsin-unit-XXXXXX", command[64];
		struct fixture f;

		assert_non_null(mkdtemp(dir));
		setup_in(&f, SIMPLE, dir);
		feed(&f, 0, "m 1\n");
		restart(&f, 15, configs[i].config);
		print_message("%s\n", configs[i].name);
		assert_string_equal(state_of(&f, "m"), configs[i].at_once);
		assert_string_equal(state_of(&f, "up"), configs[i].at_once);
		if (configs[i].failed != NULL) {
			feed_failure(&f, 30);
			assert_string_equal(state_of(&f, "m"), configs[i].failed);
		}
		if (configs[i].good != NULL) {
			feed(&f, 45, "m 1\n");
			assert_string_equal(state_of(&f, "m"), configs[i].good);
			assert_string_equal(state_of(&f, "up"), configs[i].good);
		}
		teardown(&f);
		snprintf(command, sizeof command, "rm -r %s", dir);
		assert_int_equal(system(command), 0);
	}
}

/* What a target that was not read yet is known to give its series: no label that a reply or a rule may give them. */
static void test_labels_of_unseen(void **state)
{
	static const struct {
		const char *settings, *labels;
	} kinds[] = {
		{ "", "{instance=\"h:1\", job=\"j\"}" },
		{ "  honor_labels: true\n", "{}" },
		{ "  metric_relabel_configs: [{target_label: instance, source_labels: [x]}]\n", "{job=\"j\"}" },
		{ "  metric_relabel_configs: [{regex: a, action: labeldrop}]\n", "{}" },
		{ "  metric_relabel_configs: [{regex: a, source_labels: [x], action: drop}]\n", "{instance=\"h:1\", job=\"j\"}" },
		{ "  metric_relabel_configs: [{target_label: '$1', source_labels: [x]}]\n", "{}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m"), NULL };
		struct err e = { 0 };
		struct buf config = { 0 }, labels = { 0 };
		struct selection *s;
		struct fixture f;

		buf_printf(&config, "%s%s", SIMPLE, kinds[i].settings);
		setup(&f, buf_z(&config));
		s = store_querier(f.store)->ops->select(store_querier(f.store), &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
		assert_int_equal(s->n_unseen_targets, 1);
		assert_true(s->unasked);
		labels_print(&labels, s->unseen_targets[0]);
		assert_string_equal(buf_z(&labels), kinds[i].labels);
		store_querier(f.store)->ops->release(store_querier(f.store), s);
		buf_fini(&labels);
		buf_fini(&config);
		teardown(&f);
	}
}

/* Which gauges count may change while they are read. */
static void test_reload_of_gauges(void **state)
{
	static const struct str mine[] = { { "shop_reachable", 14 } };
	const char *up = "shop_reachable 1\nr_up 1\nm{x=\"1\"} 1\n";
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, up);
	feed(&f, 15, "shop_reachable 0\nr_up 1\n");
	assert_string_equal(state_of(&f, "m"), "gone");
	feed(&f, 30, up);
	f.config.health_gauges = (struct conf_strs){ mine, 1 };
	scrape_reload(f.loop, &f.config);
	feed(&f, 45, "shop_reachable 0\nr_up 1\n");
	assert_string_equal(state_of(&f, "m"), "lost");
	feed(&f, 60, up);
	f.config.health_gauges = (struct conf_strs){ 0 };
	scrape_reload(f.loop, &f.config);
	feed(&f, 75, "shop_reachable 0\nr_up 1\n");
	assert_string_equal(state_of(&f, "m"), "gone");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_configurations_after_a_start),
		cmocka_unit_test(test_labels_of_unseen), cmocka_unit_test(test_reload_of_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
