/* Rules end to end on an injected clock: files, groups, alerts and a sink, over the real store. Nothing here sleeps. */
#include <sys/stat.h>

#include "rules_world.h"

#define SEED "../shared/seeds/002_85d0b39ea99c5d85.txt"

/* ---- the seed's six rules, verbatim ---- */

/* The fenced block behind <heading>. */
static struct str fenced(struct str text, const char *heading)
{
	size_t at = str_find(text, str_of(heading));
	struct str rest = { text.p + at, text.n - at };
	size_t open = str_find(rest, STR("```yaml\n"));

	rest = (struct str){ rest.p + open + 8, rest.n - open - 8 };
	return (struct str){ rest.p, str_find(rest, STR("```")) };
}

static char *read_seed(size_t *n)
{
	FILE *f = fopen(SEED, "r");
	char *text;

	if (f == NULL)
		return NULL;
	text = mem_alloc(1 << 20);
	*n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static void feed_seed(struct world *w, bool bad, double *errors, double *requests)
{
	static const struct histogram_span span_slow = { 3, 1 }, span_fast = { -2, 1 };
	static const double hundred = 100;
	struct histogram h = { .count = 100, .sum = 300, .zero_threshold = 1e-9, .pos = { bad ? &span_slow : &span_fast, &hundred, 1, 1 } };

	*errors += bad ? 15 : 0;
	put(w, "up{job=\"fairedge-api\",instance=\"a\"}", bad ? 0 : 1, NULL);
	put(w, "http_requests_total{status=\"500\"}", *errors, NULL);
	put(w, "fairedge_database_health", bad ? 0 : 1, NULL);
	put(w, "http_request_duration_seconds", 0, &h);
	*requests += 15;
	put(w, "http_request_duration_seconds_bucket{le=\"1\"}", bad ? 0 : *requests, NULL);
	put(w, "http_request_duration_seconds_bucket{le=\"4\"}", *requests, NULL);
	put(w, "http_request_duration_seconds_bucket{le=\"+Inf\"}", *requests, NULL);
	put(w, "fairedge_opportunities_count", bad ? 5 : 20, NULL);
	put(w, "node_memory_MemAvailable_bytes", bad ? 5 : 50, NULL);
	put(w, "node_memory_MemTotal_bytes", 100, NULL);
}

static const struct {
	const char *name;
	int64_t for_ms;
	const char *severity;
} seed_rules[] = {
	{ "ServiceDown", MIN, "severity=\"critical\"" },          { "HighErrorRate", 2 * MIN, "severity=\"critical\"" },
	{ "DatabaseDown", 30 * SEC, "severity=\"critical\"" },    { "HighResponseTime", 5 * MIN, "severity=\"warning\"" },
	{ "LowOpportunityCount", 10 * MIN, "severity=\"warning\"" }, { "HighMemoryUsage", 5 * MIN, "severity=\"warning\"" },
	{ "HighResponseTimeClassic", 5 * MIN, "" },
};

/* As the lint warning corrects it. */
static const char CLASSIC[] = "- alert: HighResponseTimeClassic\n"
	"  expr: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 2\n  for: 5m\n";

static void check_seed_rule(const struct world *w, const char *name, int64_t for_ms, const char *severity)
{
	expect(w, name, "pending firing resolved");
	for (size_t i = 0; i < w->sink->n_events; i++) {
		const struct heard *h = &w->sink->events[i];

		if (strcmp(h->name, name) == 0 && h->edge == EDGE_FIRING) {
			assert_int_equal(h->at_ms - h->active_at_ms, for_ms);
			assert_non_null(strstr(h->labels, severity));
		}
	}
}

static void test_seed(void **state)
{
	struct conf_report report = { 0 };
	struct buf printed = { 0 };
	struct world w;
	double errors = 0, requests = 0;
	bool histograms = false;
	size_t n = 0;
	char *text = read_seed(&n);

	(void)state;
	if (text == NULL) {
		print_message("SKIPPED: %s is not here\n", SEED);
		skip();
	}
	world_init(&w);
	write_file(&w, "critical.yml", fenced((struct str){ text, n }, "#### Critical Alerts"));
	write_file(&w, "warning.yml", fenced((struct str){ text, n }, "#### Warning Alerts"));
	write_file(&w, "z.yml", str_of(CLASSIC));
	free(text);
	assert_true(reload(&w, &report));
	conf_report_print(&report, &printed);
	buf_z(&printed);
	assert_int_equal(report.n_warnings, 8);
	assert_non_null(strstr(printed.p, "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"));
	assert_non_null(strstr(printed.p, "sum(rate(http_requests_total{status=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m])) > 0.01"));
	for (int i = 0; i < 240; i++) {
		feed_seed(&w, i >= 20 && i < 100, &errors, &requests);
		histograms |= i == 50 && ask(&w, "histogram_quantile(0.95, http_request_duration_seconds)") > 2;
		tick(&w);
	}
	if (!histograms)
		print_message("SKIPPED: HighResponseTime verbatim: the engine does not evaluate native histograms yet\n");
	for (size_t i = 0; i < ARRAY_LEN(seed_rules); i++)
		if (histograms || strcmp(seed_rules[i].name, "HighResponseTime") != 0)
			check_seed_rule(&w, seed_rules[i].name, seed_rules[i].for_ms, seed_rules[i].severity);
	buf_fini(&printed);
	conf_report_fini(&report);
	world_fini(&w);
}

/* ---- not knowing ---- */

static const char DOWN[] = "- alert: Down\n  expr: health == 0\n  annotations: {summary: '{{ $labels.host }} is {{ $value }}'}\n";

static void test_lost_is_unknown_gone_resolves(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health{host=\"a\"}", 0, NULL);
	put(&w, "health{host=\"b\"}", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing firing");
	lose(&w, "health{host=\"a\"}");
	put(&w, "health{host=\"b\"}", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing firing");
	put(&w, "health{host=\"b\"}", 1, NULL);         /* b is known to be well, though a is still lost */
	tick(&w);
	expect(&w, NULL, "firing firing resolved");
	assert_string_equal(w.sink->events[2].labels, "{alertname=\"Down\", host=\"b\"}");
	put(&w, "health{host=\"a\"}", 0, NULL);
	tick(&w);
	put(&w, "health{host=\"a\"}", value_stale(), NULL);     /* properly gone */
	tick(&w);
	expect(&w, NULL, "firing firing resolved resolved");
	world_fini(&w);
}

/* Target b was not read since the start: its alert waits, that of a ends. */
static void test_unseen_target_holds_its_own(void **state)
{
	static const struct label b[] = { { { "instance", 8 }, { "b", 1 } } };
	const struct store_unseen unseen = { .labels = { b, 1 } };
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health{instance=\"a\"}", 0, NULL);
	put(&w, "health{instance=\"b\"}", 0, NULL);
	tick(&w);
	store_set_unseen(w.store, &unseen, 1);
	put(&w, "health{instance=\"a\"}", 1, NULL);
	put(&w, "health{instance=\"b\"}", value_stale(), NULL);
	tick(&w);
	expect(&w, NULL, "firing firing resolved");
	assert_string_equal(w.sink->events[2].labels, "{alertname=\"Down\", instance=\"a\"}");
	store_set_unseen(w.store, NULL, 0);
	tick(&w);
	expect(&w, NULL, "firing firing resolved resolved");
	world_fini(&w);
}

static void test_no_data_is_told_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health == 0\n  annotations: {tocsin_no_data_after: 1m, summary: s}\n");
	put(&w, "health", 0, NULL);
	tick(&w);
	lose(&w, "health");
	for (int i = 0; i < 10; i++)
		tick(&w);
	expect(&w, NULL, "firing no data");
	assert_non_null(strstr(w.sink->events[1].reason, "no data since "));
	put(&w, "health", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing no data data back");
	world_fini(&w);
}

static void test_on_no_data_fire(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health == 0\n  for: 1m\n  labels: {severity: page}\n"
	         "  annotations: {tocsin_on_no_data: fire, tocsin_no_data_after: 30s}\n");
	put(&w, "health", 1, NULL);
	tick(&w);
	lose(&w, "health");
	for (int i = 0; i < 4; i++)
		tick(&w);
	expect(&w, NULL, "firing");
	assert_string_equal(w.sink->events[0].labels, "{alertname=\"Down\", reason=\"no data\", severity=\"page\"}");
	put(&w, "health", 1, NULL);
	tick(&w);
	expect(&w, NULL, "firing resolved");
	world_fini(&w);
}

static void test_failure_freezes(void **state)
{
	const struct rules_snapshot *s;
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Twice\n  expr: label_replace(health == 0, 'host', 'x', 'host', '[ab]') or x{}\n");
	put(&w, "health{host=\"a\"}", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing");
	put(&w, "health{host=\"b\"}", 0, NULL);         /* now two have the same labels: the evaluation fails */
	tick(&w);
	tick(&w);
	expect(&w, NULL, "firing");
	s = rules_snapshot_get(w.rules);
	assert_int_equal(s->groups[0]->rules[0].health, RULE_HEALTH_ERR);
	assert_true(s->groups[0]->rules[0].unknown);
	assert_int_equal(s->groups[0]->rules[0].n_alerts, 1);
	assert_int_not_equal(s->groups[0]->rules[0].last_error.n, 0);
	rules_snapshot_release(s);
	world_fini(&w);
}

/* Results of a rule are seen by the next in the same cycle; a lost input makes the output lost, and its alert unknown. */
static void test_recording_chain(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "groups:\n- name: g\n  rules:\n  - record: half\n    expr: raw / 2\n    labels: {by: rule}\n"
	         "  - alert: Low\n    expr: half < 5\n");
	put(&w, "raw{host=\"a\"}", 4, NULL);
	tick(&w);
	expect(&w, NULL, "firing");
	assert_true(ask(&w, "half{by=\"rule\"}") == 2);
	assert_true(ask(&w, "ALERTS{alertname=\"Low\",alertstate=\"firing\"}") == 1);
	lose(&w, "raw{host=\"a\"}");
	tick(&w);
	tick(&w);
	assert_true(ask(&w, "half") == -1);
	assert_true(ask(&w, "ALERTS{alertname=\"Low\",alertstate=\"firing\"}") == 1);
	expect(&w, NULL, "firing");
	put(&w, "raw{host=\"a\"}", 40, NULL);
	tick(&w);
	expect(&w, NULL, "firing resolved");
	assert_true(ask(&w, "ALERTS") == -1);
	world_fini(&w);
}

/* What ended says how it stands now, where its expression compares something; its texts stay those of the page. */
static void test_the_value_at_the_end(void **state)
{
	static const struct {
		const char *expr, *reason;
		double value;
	} cases[] = {
		{ "jobs > 10", "no longer returned: jobs is 3 now", 3 },
		{ "10 < (jobs)", "no longer returned: (jobs) is 3 now", 3 },
		{ "(jobs * 2 > 20) and jobs > 0 unless jobs < 0", "no longer returned: jobs * 2 is 6 now", 6 },
		{ "jobs > 10 or jobs < 0", "no longer returned", 12 },
		{ "jobs > bool 10 == 1", "no longer returned: jobs > bool 10 is 0 now", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char file[256];
		struct world w;

		print_message("  %s\n", cases[i].expr);
		world_init(&w);
		snprintf(file, sizeof file, "- alert: Jobs\n  expr: %s\n  annotations: {summary: '{{ $value }} jobs'}\n", cases[i].expr);
		load(&w, file);
		put(&w, "jobs{queue=\"a\"}", 12, NULL);
		put(&w, "jobs{queue=\"b\"}", 5, NULL);
		tick(&w);
		put(&w, "jobs{queue=\"a\"}", 3, NULL);
		tick(&w);
		expect(&w, NULL, "firing resolved");
		assert_string_equal(w.sink->events[1].reason, cases[i].reason);
		assert_true(w.sink->events[1].value == cases[i].value);
		assert_string_equal(w.sink->events[1].summary, w.sink->events[0].summary);
		world_fini(&w);
	}
}

/* ---- telling ---- */

static void test_refused_commit_is_offered_again(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health", 0, NULL);
	w.sink->refuse = true;
	tick(&w);
	put(&w, "health", 1, NULL);
	tick(&w);
	expect(&w, NULL, "");
	w.sink->refuse = false;
	put(&w, "health", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing resolved firing");
	put(&w, "health", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing resolved firing");
	world_fini(&w);
}

static void test_restart(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Now\n  expr: health == 0\n- alert: Later\n  expr: health == 0\n  for: 2m\n");
	put(&w, "health", 0, NULL);
	tick(&w);
	rules_free(w.rules);
	start_rules(&w);
	w.now_ms += 10 * MIN;                           /* away */
	store_set_held_from(w.store, w.now_ms);
	load(&w, "- alert: Now\n  expr: health == 0\n- alert: Later\n  expr: health == 0\n  for: 2m\n");
	tick(&w);                                       /* nothing scraped yet: nothing resolves */
	expect(&w, NULL, "firing pending");
	for (int i = 0; i < 7; i++) {                   /* the interval up to the restart counts, the time away does not */
		put(&w, "health", 0, NULL);
		tick(&w);
	}
	expect(&w, NULL, "firing pending");
	put(&w, "health", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing pending firing");
	world_fini(&w);
}

static void test_unread_state_is_no_state(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health", 0, NULL);
	tick(&w);
	rules_free(w.rules);
	start_rules(&w);
	w.sink->refuse = true;
	load(&w, DOWN);
	tick(&w);
	w.sink->refuse = false;
	put(&w, "health", 0, NULL);
	tick(&w);
	expect(&w, NULL, "firing");                     /* not again */
	world_fini(&w);
}

static void test_deleted_rule_resolves(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: A\n  expr: health == 0\n- alert: B\n  expr: health == 0\n- alert: C\n  expr: health == 0\n  for: 5m\n");
	put(&w, "health", 0, NULL);
	tick(&w);
	load(&w, "- alert: B\n  expr: health < 1\n");  /* its expression changed: the same rule still */
	expect(&w, "A", "firing resolved");
	expect(&w, "B", "firing");
	expect(&w, "C", "pending dropped");
	assert_string_equal(w.sink->events[w.sink->n_events - 1].reason, "rule deleted");
	assert_int_equal(w.sink->n_records, 1);
	assert_true(ask(&w, "ALERTS{alertname=\"A\"}") == -1);
	put(&w, "health", 1, NULL);
	tick(&w);
	expect(&w, "B", "firing resolved");
	world_fini(&w);
}

static void test_limit(void **state)
{
	const struct rules_snapshot *s;
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "groups:\n- name: g\n  limit: 2\n  rules:\n  - alert: Down\n    expr: health == 0\n");
	for (int i = 0; i < 5; i++) {
		char series[32];

		snprintf(series, sizeof series, "health{host=\"%d\"}", i);
		put(&w, series, 0, NULL);
	}
	tick(&w);
	expect(&w, NULL, "firing firing");
	s = rules_snapshot_get(w.rules);
	assert_int_equal(s->groups[0]->rules[0].n_over_limit, 3);
	assert_non_null(strstr(s->groups[0]->rules[0].last_error.p, "3 more alerts"));
	for (size_t i = 0; i < 2; i++)                  /* who is told of two has to know that there are five */
		assert_string_equal(labels_get(s->groups[0]->rules[0].alerts[i].annotations, STR("tocsin_left_out")).p,
		                    "3 more alerts of this rule are left out: the group's limit is 2");
	rules_snapshot_release(s);
	for (int i = 2; i < 4; i++)
		put(&w, i == 2 ? "health{host=\"2\"}" : "health{host=\"3\"}", 1, NULL);
	tick(&w);
	expect(&w, NULL, "firing firing");              /* that their text changed is no news yet */
	s = rules_snapshot_get(w.rules);
	assert_string_equal(labels_get(s->groups[0]->rules[0].alerts[0].annotations, STR("tocsin_left_out")).p,
	                    "1 more alert of this rule is left out: the group's limit is 2");
	rules_snapshot_release(s);
	world_fini(&w);
}

static void test_texts(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health == 0\n  labels: {host: 'H-{{ $labels.host }}', was: '{{ $labels.__name__ }}'}\n"
	         "  annotations:\n    summary: '{{ with query \"other\" }}{{ . | first | value | humanize }}{{ end }} {{ eq $value 0 }}'\n"
	         "    tocsin_runbook_graph: x\n");
	put(&w, "health{host=\"a\"}", 0, NULL);
	put(&w, "other", 12345, NULL);
	tick(&w);
	assert_string_equal(w.sink->events[0].labels, "{alertname=\"Down\", host=\"H-a\", was=\"health\"}");
	assert_string_equal(w.sink->events[0].summary, "<error expanding template: error executing template __alert_Down: template: __alert_Down:1:71: "
	                    "executing \"__alert_Down\" at <eq $value 0>: error calling eq: incompatible types for comparison>");
	assert_int_equal(w.sink->records[0].record.annotations.n, 1);
	world_fini(&w);
}

/* ---- files ---- */

static const char MISTAKES[] =
	"groups:\n"
	"- name: g\n"
	"  interval: soon\n"
	"  rules:\n"
	"  - alert: A\n"
	"    exprr: up == 0\n"
	"    expr: up ==\n"
	"  - alert: B\n"
	"    expr: |\n"
	"      sum(up)\n"
	"        by (job) > rat(x[5m])\n"
	"    for: 5 minutes\n"
	"    annotations:\n"
	"      summary: 'a {{ $nope }}'\n"
	"      tocsin_on_error: perhaps\n"
	"  - record: c\n"
	"    expr: up[5m]\n"
	"    for: 1m\n"
	"  - expr: up\n";

static void test_mistakes(void **state)
{
	static const char *const wanted[] = { "r.yml:3:13: ", "r.yml:6:5: ", "r.yml:7:16: ", "r.yml:11:20: ", "r.yml:12:10: ", "r.yml:14:22: ",
	                                      "r.yml:15:24: ", "r.yml:17:11: ", "r.yml:18:10: ", "r.yml:19:5: " };
	struct conf_report report = { 0 };
	struct buf b = { 0 };
	struct world w;
	int bad = 0;

	(void)state;
	world_init(&w);
	write_file(&w, "r.yml", str_of(MISTAKES));
	assert_false(reload(&w, &report));
	conf_report_print(&report, &b);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (strstr(buf_z(&b), wanted[i]) == NULL) {
			print_error("missing: %s\n", wanted[i]);
			bad++;
		}
	if (bad > 0)
		print_error("%s\n", buf_z(&b));
	assert_int_equal(bad, 0);
	buf_fini(&b);
	conf_report_fini(&report);
	world_fini(&w);
}

static size_t count_rules(struct world *w, const char **problem)
{
	const struct rules_snapshot *s = rules_snapshot_get(w->rules);
	size_t n = 0;

	for (size_t i = 0; i < s->n_groups; i++)
		n += s->groups[i]->n_rules;
	*problem = s->n_files > 0 && s->files[0].problem.n > 0 ? "yes" : "no";
	rules_snapshot_release(s);
	return n;
}

static void test_bad_file_keeps_last_good(void **state)
{
	struct conf_report report = { 0 };
	const char *problem;
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health", 0, NULL);
	tick(&w);
	write_file(&w, "r.yml", STR("- alert: Down\n  expr: health ==\n"));
	assert_false(reload(&w, &report));
	put(&w, "health", 0, NULL);
	tick(&w);
	assert_int_equal(count_rules(&w, &problem), 1);
	assert_string_equal(problem, "yes");
	expect(&w, NULL, "firing");
	conf_report_fini(&report);
	world_fini(&w);
}

static void test_vanished_file_needs_two_reloads(void **state)
{
	struct conf_report report = { 0 };
	const char *problem;
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, DOWN);
	put(&w, "health", 0, NULL);
	tick(&w);
	remove_file(&w, "r.yml");
	assert_true(reload(&w, &report));
	assert_int_equal(count_rules(&w, &problem), 1);
	assert_string_equal(problem, "yes");
	expect(&w, NULL, "firing");
	assert_true(reload(&w, &report));
	assert_int_equal(count_rules(&w, &problem), 0);
	expect(&w, NULL, "firing resolved");
	conf_report_fini(&report);
	world_fini(&w);
}

/* ---- what is kept over a restart ---- */

static void start_again(struct world *w)
{
	struct conf_report report = { 0 };

	rules_free(w->rules);
	start_rules(w);
	(void)!reload(w, &report);
	conf_report_fini(&report);
}

/* What stands on disk at a start, and how many rules there are then, after a tick. Each goes on where the one before ended. */
static void test_starts_with_bad_files(void **state)
{
	static const struct {
		const char *text;       /* NULL: no file */
		size_t rules;
		const char *problem, *heard;
	} starts[] = {
		{ "- alert: Down\n  expr: health ==\n", 0, "yes", "" },
		{ DOWN, 1, "no", "firing" },
		{ "- alert: Down\n  expr: health ==\n", 1, "yes", "firing" },
		{ "- alert: Down\n  expr: health ==\n", 1, "yes", "firing" },
		{ NULL, 1, "yes", "firing" },
		{ DOWN, 1, "no", "firing" },
		{ NULL, 1, "yes", "firing" },
		{ NULL, 1, "yes", "firing" },
	};
	struct conf_report report = { 0 };
	const char *problem;
	char kept[128];
	struct world w;

	(void)state;
	world_init(&w);
	path_of(&w, "kept.json", kept);
	w.kept = kept;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (starts[i].text != NULL)
			write_file(&w, "r.yml", str_of(starts[i].text));
		else
			remove_file(&w, "r.yml");
		print_message("start %zu\n", i + 1);
		start_again(&w);
		assert_int_equal(count_rules(&w, &problem), starts[i].rules);
		assert_string_equal(problem, starts[i].problem);
		put(&w, "health", 0, NULL);
		tick(&w);
		expect(&w, NULL, starts[i].heard);
	}
	assert_true(reload(&w, &report));       /* only this confirms it */
	assert_int_equal(count_rules(&w, &problem), 0);
	conf_report_fini(&report);
	world_fini(&w);
}

static void test_damaged_kept_versions(void **state)
{
	const char *problem;
	char kept[128];
	struct world w;

	(void)state;
	world_init(&w);
	path_of(&w, "kept.json", kept);
	w.kept = kept;
	write_file(&w, "r.yml", str_of("- alert: Down\n  expr: health ==\n"));
	write_file(&w, "kept.json", STR("[{\"path\": 5, \"text\": []}, 7, {\"path\": \"x\", \"text\": \"- alert:\"}"));
	start_again(&w);
	assert_int_equal(count_rules(&w, &problem), 0);
	write_file(&w, "kept.json", STR("[{\"path\": 5, \"text\": []}, 7, {\"path\": \"x\", \"text\": \"- alert:\"}]"));
	start_again(&w);
	assert_int_equal(count_rules(&w, &problem), 0);
	assert_int_equal(unlink(kept), 0);
	assert_int_equal(mkfifo(kept, 0600), 0);
	start_again(&w); /* nobody ever writes into it */
	assert_int_equal(count_rules(&w, &problem), 0);
	world_fini(&w);
}

/* ---- Evaluation on arrival ---- */

static void health(struct world *w, const char *instance, double v)
{
	struct arena a = { 0 };

	put(w, arena_printf(&a, "health{job=\"j\",instance=\"%s\"}", instance).p, v, NULL);
	arena_fini(&a);
}

/* A scrape of that target has been stored. */
static void arrives(struct world *w, const char *instance)
{
	struct arena a = { 0 };

	rules_on_scrape(w->rules, parse_series(&a, arena_printf(&a, "{job=\"j\",instance=\"%s\"}", instance).p), w->now_ms);
	rules_tick(w->rules, w->now_ms);
	arena_fini(&a);
}


/* A target was scraped between two ticks: its alert is raised at once, and not ended before a tick. */
static void test_on_arrival(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health{job=\"j\",instance=\"i\"} == 0\n");
	health(&w, "i", 1);
	tick(&w);
	w.now_ms -= 12 * SEC;
	health(&w, "i", 0);
	arrives(&w, "i");
	expect(&w, NULL, "firing");
	w.now_ms += 2 * SEC;
	health(&w, "i", 1);
	arrives(&w, "i");
	expect(&w, NULL, "firing");
	w.now_ms += 10 * SEC;
	tick(&w);
	tick(&w);
	expect(&w, NULL, "firing resolved");
	world_fini(&w);
}

/* Between two ticks it was bad, good and bad again: `for` counts no good time, and only the next tick says whether it fires. */
static void test_for_counts_no_good_time_between_ticks(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health{job=\"j\",instance=\"i\"} == 0\n  for: 3s\n");
	health(&w, "i", 1);
	tick(&w);
	w.now_ms -= 14 * SEC;
	for (int i = 0; i < 3; i++) {           /* bad, good, bad: two seconds apart */
		health(&w, "i", i == 1);
		arrives(&w, "i");
		w.now_ms += 2 * SEC;
	}
	expect(&w, NULL, "pending");
	w.now_ms += 8 * SEC;
	tick(&w);
	expect(&w, NULL, "pending");
	health(&w, "i", 0);
	tick(&w);
	expect(&w, NULL, "pending firing");
	world_fini(&w);
}

/* The same without matchers, as long as only one target has such series. */
static void test_on_arrival_of_the_only_target(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	load(&w, "- alert: Down\n  expr: health == 0\n");
	health(&w, "i", 1);
	tick(&w);
	w.now_ms -= 12 * SEC;
	health(&w, "i", 0);
	arrives(&w, "other");
	expect(&w, NULL, "");
	arrives(&w, "i");
	expect(&w, NULL, "firing");
	w.now_ms += 2 * SEC;
	health(&w, "i", 1);
	health(&w, "k", 1);     /* now two do */
	w.now_ms += 10 * SEC;
	tick(&w);
	tick(&w);
	expect(&w, NULL, "firing resolved");
	w.now_ms -= 12 * SEC;
	health(&w, "i", 0);
	arrives(&w, "i");
	expect(&w, NULL, "firing resolved");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_lost_is_unknown_gone_resolves),
		cmocka_unit_test(test_unseen_target_holds_its_own),
		cmocka_unit_test(test_no_data_is_told_once),
		cmocka_unit_test(test_on_no_data_fire),
		cmocka_unit_test(test_failure_freezes),
		cmocka_unit_test(test_recording_chain),
		cmocka_unit_test(test_the_value_at_the_end),
		cmocka_unit_test(test_refused_commit_is_offered_again),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_unread_state_is_no_state),
		cmocka_unit_test(test_deleted_rule_resolves),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_bad_file_keeps_last_good),
		cmocka_unit_test(test_vanished_file_needs_two_reloads),
		cmocka_unit_test(test_starts_with_bad_files),
		cmocka_unit_test(test_damaged_kept_versions),
		cmocka_unit_test(test_on_arrival),
		cmocka_unit_test(test_for_counts_no_good_time_between_ticks),
		cmocka_unit_test(test_on_arrival_of_the_only_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
