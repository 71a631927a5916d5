/* What becomes of replies, without network: samples, reports, staleness, what is lost, limits, relabelling, reloads. */
#include "scrape/discover.h"
#include "scrape_world.h"

#define FORTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"       /* of them */

static void test_reports(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE "  metric_relabel_configs: [{source_labels: [__name__], regex: 'drop.*', action: drop}]\n");
	assert_true(feed(&f, 0, "a 1\nb 2\ndrop_me 3\n"));
	assert_true(feed(&f, 15, "a 1\nb 2\nc 3\ndrop_me 3\n"));
	assert_false(feed_failure(&f, 30));
	assert_string_equal(dump(&f, "up"), "up" AT " 0:1 15:1 30:0 fresh\n");
	assert_string_equal(dump(&f, "scrape_samples_scraped"), "scrape_samples_scraped" AT " 0:3 15:4 30:0 fresh\n");
	assert_string_equal(dump(&f, "scrape_samples_post_metric_relabeling"),
	                    "scrape_samples_post_metric_relabeling" AT " 0:2 15:3 30:0 fresh\n");
	assert_string_equal(dump(&f, "scrape_series_added"), "scrape_series_added" AT " 0:2 15:1 30:0 fresh\n");
	assert_string_equal(dump(&f, NULL),
	                    "a" AT " 0:1 15:1 30:stale lost\nb" AT " 0:2 15:2 30:stale lost\nc" AT " 15:3 30:stale lost\n");
	teardown(&f);
}

static void test_extra_reports(void **state)
{
	static const char extra[] = SIMPLE "  extra_scrape_metrics: true\n  sample_limit: 7\n  scrape_timeout: 2500ms\n  body_size_limit: 9B\n";
	struct scrape_config plain, with;
	struct fixture f;

	(void)state;
	setup(&f, extra);
	plain = read_config(&f, SIMPLE);
	with = read_config(&f, extra);
	assert_true(feed(&f, 0, "a 1\n"));
	assert_false(feed(&f, 15, "a 1\nb 2\nc 3\n"));
	assert_false(feed_failure(&f, 30));
	scrape_reload(f.loop, &plain);
	assert_true(feed(&f, 45, "a 1\n"));
	assert_true(feed(&f, 60, "a 1\n"));
	assert_string_equal(dump(&f, "scrape_body_size_bytes"), "scrape_body_size_bytes" AT " 0:4 15:-1 30:0 45:stale gone\n");
	scrape_reload(f.loop, &with);
	assert_true(feed(&f, 75, "a 1\n"));
	assert_string_equal(dump(&f, "scrape_timeout_seconds"), "scrape_timeout_seconds" AT " 0:2.5 15:2.5 30:2.5 45:stale 75:2.5 fresh\n");
	assert_string_equal(dump(&f, "scrape_sample_limit"), "scrape_sample_limit" AT " 0:7 15:7 30:7 45:stale 75:7 fresh\n");
	teardown(&f);
}

static void test_order_of_lines(void **state)
{
	static const char *const bodies[] = {
		"# TYPE a gauge\na 0\nb 0\nc 0\nd 0\n",
		"# TYPE a gauge\na 1\nb 1\nc 1\nd 1\n",
		"a 2\nb 2\nx 2\nc 2\nd 2\n",
		"d 3\nc 3\nb 3\na 3\nx 3\n",
		"d 4\nb 4\na 4\nx 4\nc 4\n",
		"d 5\nb 5\na 5\nx 5\nc 5\n",
	};
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	for (int i = 0; i < (int)ARRAY_LEN(bodies); i++)
		assert_true(feed(&f, i, bodies[i]));
	assert_string_equal(dump(&f, NULL), "a" AT " 0:0 1:1 2:2 3:3 4:4 5:5 fresh\nb" AT " 0:0 1:1 2:2 3:3 4:4 5:5 fresh\nc" AT
	                                    " 0:0 1:1 2:2 3:3 4:4 5:5 fresh\nd" AT " 0:0 1:1 2:2 3:3 4:4 5:5 fresh\nx" AT
	                                    " 2:2 3:3 4:4 5:5 fresh\n");
	teardown(&f);
}

static void test_staleness(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, "a 1\nb 1\nt 1 1700000000000\n");
	feed(&f, 15, "a 2\n");
	feed(&f, 30, "a 3\nb 3\n");
	assert_string_equal(dump(&f, NULL), "a" AT " 0:1 15:2 30:3 fresh\nb" AT " 0:1 15:stale 30:3 fresh\nt" AT " 0:1 gone\n");
	assert_false(feed(&f, 45, "a 4\nb 4\nbad line\n")); /* all or nothing */
	feed(&f, 60, "b 5\n");
	feed(&f, 75, "");
	assert_string_equal(dump(&f, NULL), "a" AT " 0:1 15:2 30:3 45:stale gone\nb" AT
	                                    " 0:1 15:stale 30:3 45:stale 60:5 75:stale gone\nt" AT " 0:1 gone\n");
	assert_string_equal(dump(&f, "up"), "up" AT " 0:1 15:1 30:1 45:0 60:1 75:1 fresh\n");
	teardown(&f);
}

static void test_own_times(void **state)
{
	static const char tracked[] = SIMPLE "  track_timestamps_staleness: true\n";
	struct scrape_config none;
	struct fixture f;

	(void)state;
	setup(&f, tracked);
	feed(&f, 0, "s 1 1700000000000\nt 1 1700000000000\n");
	feed(&f, 15, "s 2 1700000015000\n");
	f.clock.wall = MS(20);
	none = read_config(&f, "[]");
	scrape_reload(f.loop, &none);
	scrape_finish_ended(f.loop, MS(3600));
	assert_string_equal(dump(&f, "t"), "t" AT " 0:1 15:stale gone\n");
	assert_non_null(strstr(dump(&f, "s"), ":stale gone"));
	teardown(&f);
}

static void test_lost(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, "redis_up{source=\"a\"} 1\nredis_up{source=\"b\"} 1\nm{source=\"a\"} 1\nm{source=\"b\"} 1\nother 1\n");
	feed(&f, 15, "redis_up{source=\"a\"} 0\nredis_up{source=\"b\"} 1\n");
	/* a is down: what contradicts it is gone; what does not name a source may be its own */
	assert_string_equal(dump(&f, "m"), "m{instance=\"h:1\", job=\"j\", source=\"a\"} 0:1 15:stale lost\n"
	                                   "m{instance=\"h:1\", job=\"j\", source=\"b\"} 0:1 15:stale gone\n");
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale lost\n");
	feed(&f, 30, "redis_up{source=\"a\"} 0\nredis_up{source=\"b\"} 1\n");
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale lost\n");
	feed(&f, 45, "redis_up{source=\"b\"} 1\n"); /* the gauge vanished too */
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale lost\n");
	feed(&f, 60, "redis_up{source=\"a\"} 1\nredis_up{source=\"b\"} 1\nother 2\n");
	assert_string_equal(dump(&f, "m"), "m{instance=\"h:1\", job=\"j\", source=\"a\"} 0:1 15:stale gone\n"
	                                   "m{instance=\"h:1\", job=\"j\", source=\"b\"} 0:1 15:stale gone\n");
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale 60:2 fresh\n");
	feed_failure(&f, 75);
	feed_failure(&f, 90);
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale 60:2 75:stale lost\n");
	feed(&f, 105, "redis_up{source=\"a\"} 1\nredis_up{source=\"b\"} 1\n");
	assert_string_equal(dump(&f, "other"), "other" AT " 0:1 15:stale 60:2 75:stale gone\n");
	teardown(&f);
}

/* A line keeps half of the number of the scrape that saw it last. */
static void test_a_round_of_scrapes(void **state)
{
	enum { ROUND = UINT16_MAX }; /* 0 is no scrape's */
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, "redis_up 1\nm 1\n");
	for (int i = 1; i < ROUND; i++)
		feed(&f, i, "redis_up 0\n");
	assert_string_equal(dump(&f, "m"), "m" AT " 0:1 1:stale lost\n");
	feed(&f, ROUND, "redis_up 1\n");
	assert_string_equal(dump(&f, "m"), "m" AT " 0:1 1:stale gone\n");
	teardown(&f);
}

/* Of a text longer than a line can say. */
static void put_long(struct buf *out, char end, int value)
{
	buf_putz(out, "m{x=\"");
	for (int i = 0; i < UINT16_MAX + 9; i++)
		buf_putc(out, 'x');
	buf_printf(out, "%c\"} %d\n", end, value);
}

static void test_long_lines(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	for (int i = 0; i < 3; i++) {
		struct buf body = { 0 };

		put_long(&body, i < 2 ? 'a' : 'b', 1 + i);
		buf_printf(&body, "n %d\n", 1 + i);
		put_long(&body, i < 2 ? 'b' : 'a', 4 + i);
		assert_true(feed(&f, i, buf_z(&body)));
		buf_fini(&body);
	}
	assert_non_null(strstr(dump(&f, "m"), "xa\"} 0:1 1:2 2:6 fresh\n"));
	assert_non_null(strstr(dump(&f, "m"), "xb\"} 0:4 1:5 2:3 fresh\n"));
	assert_string_equal(dump(&f, "n"), "n" AT " 0:1 1:2 2:3 fresh\n");
	teardown(&f);
}

static bool is_unseen(struct fixture *f, const char *metric)
{
	struct querier *q = store_querier(f->store);
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), str_of(metric), NULL };
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	bool yes = s->unseen;

	q->ops->release(q, s);
	return yes;
}

static void test_unseen(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	assert_true(is_unseen(&f, "m") && is_unseen(&f, "up"));
	feed_failure(&f, 0);
	assert_true(is_unseen(&f, "m") && !is_unseen(&f, "up"));
	feed(&f, 15, "m 1\n");
	assert_true(!is_unseen(&f, "m"));
	feed_failure(&f, 30);
	assert_true(!is_unseen(&f, "m"));
	teardown(&f);
}

static void test_labels(void **state)
{
	static const struct {
		const char *config, *body, *expect;
	} cases[] = {
		{ "", "a{job=\"x\"} 1\n", "a{exported_job=\"x\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "", "a{job=\"x\",exported_job=\"y\"} 1\n",
		  "a{exported_exported_job=\"x\", exported_job=\"y\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "", "a{job=\"x\",exported_job=\"y\",instance=\"z\"} 1\n",
		  "a{exported_exported_job=\"x\", exported_instance=\"z\", exported_job=\"y\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "  honor_labels: true\n", "a{job=\"x\"} 1\n", "a{instance=\"h:1\", job=\"x\"} 0:1 fresh\n" },
		{ "  honor_labels: true\n", "a{job=\"\",instance=\"\",zone=\"\"} 1\n", "a 0:1 fresh\n" },
		{ "", "a{job=\"\",zone=\"\"} 1\n", "a{instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "",
		  "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1000000\"} 1\nh_bucket{le=\"0.25\"} "
		  "1\nh_bucket{le=\"+Inf\"} 1\n",
		  "h_bucket{instance=\"h:1\", job=\"j\", le=\"1.0\"} 0:1 fresh\nh_bucket{instance=\"h:1\", job=\"j\", "
		  "le=\"1e+06\"} 0:1 fresh\n"
		  "h_bucket{instance=\"h:1\", job=\"j\", le=\"0.25\"} 0:1 fresh\nh_bucket{instance=\"h:1\", job=\"j\", "
		  "le=\"+Inf\"} 0:1 fresh\n" },
		{ "", "# TYPE s summary\ns{quantile=\"1\"} 1\nother{quantile=\"1\"} 1\n",
		  "s{instance=\"h:1\", job=\"j\", quantile=\"1.0\"} 0:1 fresh\nother{instance=\"h:1\", job=\"j\", quantile=\"1\"} "
		  "0:1 fresh\n" },
		{ "  honor_timestamps: false\n", "a 1 5\n", "a" AT " 0:1 fresh\n" },
		{ "", "a 1 1699999990000\n", "a" AT " -10:1 fresh\n" },
		{ "", "a 1 1700000601000\n", "" },
		{ "", "a 1\na 2\n", "a" AT " 0:1 fresh\n" },
		{ "  metric_relabel_configs: [{source_labels: [b], target_label: c, action: lowercase}, {source_labels: [b], target_label: b, action: uppercase}]\n",
		  "a{b=\"ÄößΣж1\"} 1\n", "a{b=\"ÄÖßΣЖ1\", c=\"äößσж1\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "  metric_relabel_configs: [{source_labels: [b], regex: '(.+)+Q?9|a.*', action: drop}]\n", "a{b=\"" FORTY "\"} 1\n", "" },
		{ "  metric_relabel_configs: [{source_labels: [b], regex: '(.+)+Q?9|a.*', action: keep}, {regex: b, action: labeldrop}]\n",
		  "a{b=\"" FORTY "\"} 1\n", "a" AT " 0:1 fresh\n" },
		{ "  metric_relabel_configs: [{source_labels: [b], regex: '(.+)+Q?9', target_label: c}, {regex: b, action: labeldrop}]\n",
		  "a{b=\"" FORTY "\"} 1\n", "a" AT " 0:1 fresh\n" },
		{ "  metric_relabel_configs: [{regex: 'b|c', action: labeldrop}]\n", "a{b=\"1\",d=\"2\"} 1\n",
		  "a{d=\"2\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n" },
		{ "  metric_relabel_configs: [{source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: "
		  "'new_$1'}]\n",
		  "old_a 1\n", "new_a" AT " 0:1 fresh\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		char yaml[1024];
		const char *got;

		snprintf(yaml, sizeof yaml, "%s%s", SIMPLE, cases[i].config);
		setup(&f, yaml);
		assert_true(feed(&f, 0, cases[i].body));
		got = dump(&f, NULL);
		if (cases[i].expect[0] == '\0' ? strstr(got, ":1") != NULL && strstr(got, " 0:") != NULL
		                               : strcmp(got, cases[i].expect) != 0)
			fail_msg("%s\n got      %s\n expected %s", cases[i].body, got, cases[i].expect);
		teardown(&f);
	}
}

/* As labels of every series that was told of, under the name of its family or with a suffix to it. */
static void test_type_and_unit(void **state)
{
	static const char body[] = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n# TYPE c_total counter\nc_total 1\n"
	                           "# TYPE g untyped\ng{__type__=\"x\"} 1\nnever_told 1\n";
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	scrape_free(f.loop);
	store_free(f.store);
	f.type_and_unit = true;
	begin(&f);
	assert_true(feed(&f, 0, body));
	assert_string_equal(dump(&f, NULL), "h_bucket{__type__=\"histogram\", instance=\"h:1\", job=\"j\", le=\"+Inf\"} 0:1 fresh\n"
	                                    "h_sum{__type__=\"histogram\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n"
	                                    "c_total{__type__=\"counter\", instance=\"h:1\", job=\"j\"} 0:1 fresh\n"
	                                    "g" AT " 0:1 fresh\nnever_told" AT " 0:1 fresh\n");
	teardown(&f);
}

static void test_failures(void **state)
{
	static const struct {
		const char *config, *type, *body, *error;
		int status;
	} cases[] = {
		{ "", "text/plain", "a 1\nb\n", "line 2: expected a value", 200 },
		{ "", "text/plain", "a 1\n", "server returned HTTP status 500", 500 },
		{ "", "text/html", "a 1\n",
		  "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol is set", 200 },
		{ "", "", "a 1\n", "received unsupported Content-Type \"\" and no fallback_scrape_protocol is set", 200 },
		{ "", "application/openmetrics-text; version=1.0.0", "a 1\n", "line 2: data does not end with # EOF", 200 },
		{ "  fallback_scrape_protocol: PrometheusText0.0.4\n", "text/html", "a 1\n", "", 200 },
		{ "  sample_limit: 1\n", "text/plain", "a 1\nb 1\n", "sample_limit exceeded: 2 samples (limit 1)", 200 },
		{ "  body_size_limit: 8B\n", "text/plain", "a 1\nb 1\n", "body_size_limit exceeded: 8 bytes (limit 8)", 200 },
		{ "  label_limit: 3\n", "text/plain", "a{b=\"c\"} 1\n", "label_limit exceeded: 4 labels (limit 3)", 200 },
		{ "  label_value_length_limit: 4\n", "text/plain", "a{b=\"cdefg\"} 1\n",
		  "label_value_length_limit exceeded by label b", 200 },
		{ "  metric_relabel_configs: [{regex: __name__, action: labeldrop}]\n", "text/plain", "a 1\n",
		  "no metric name after relabelling of a", 200 },
		{ "  metric_relabel_configs: [{source_labels: [b], regex: '(.+)+Q?9|(.*)', target_label: c, replacement: $2}]\n", "text/plain",
		  "a{b=\"" FORTY "\"} 1\n",
		  "metric_relabel_configs: a regular expression needs more than regex_steps=5000000 of backtracking: write a simpler one", 200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scrape_reply r = { .http_status = cases[i].status,
			                  .content_type = str_of(cases[i].type),
			                  .body = str_of(cases[i].body) };
		struct scrape_target_info *info;
		struct fixture f;
		char yaml[1024];
		size_t n;

		snprintf(yaml, sizeof yaml, "%s%s", SIMPLE, cases[i].config);
		setup(&f, yaml);
		scrape_ingest(f.loop, 0, &r, MS(0));
		info = scrape_targets(f.loop, &f.arena, &n);
		assert_int_equal(n, 1);
		if (!str_eq(info[0].last_error, str_of(cases[i].error)) ||
		    (info[0].health == SCRAPE_UP) != (cases[i].error[0] == '\0'))
			fail_msg("case %zu: %.*s", i, STR_ARG(info[0].last_error));
		if (cases[i].error[0] != '\0')
			for (const char *p = dump(&f, NULL); *p != '\0'; p = strchr(p, '\n') + 1)
				assert_null(strstr(p, " 0:"));
		teardown(&f);
	}
}

static void test_targets(void **state)
{
	static const struct {
		const char *relabel, *url, *labels;
	} cases[] = {
		{ "[]", "http://h:1/metrics?a=x+y&a=z&b=1&e=", "{env=\"p\", instance=\"h:1\", job=\"j\"}" },
		{ "[{source_labels: [__address__], target_label: __param_target}, {target_label: __address__, replacement: "
		  "'probe:9115'}]",
		  "http://probe:9115/metrics?a=x+y&a=z&b=1&e=&target=h%3A1", "{env=\"p\", instance=\"probe:9115\", job=\"j\"}" },
		{ "[{source_labels: [__address__], target_label: instance, regex: '(.*):.*'}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=",
		  "{env=\"p\", instance=\"h\", job=\"j\"}" },
		{ "[{regex: '__param_.*', action: labeldrop}, {replacement: new, target_label: __param_b}]", "http://h:1/metrics?a=x+y&a=z&b=new&e=",
		  "{env=\"p\", instance=\"h:1\", job=\"j\"}" },
		{ "[{source_labels: [env], regex: p, action: drop}]", NULL, NULL },
		{ "[{source_labels: [env], regex: x, action: keep}]", NULL, NULL },
		{ "[{source_labels: [env], target_label: job, action: keepequal}]", NULL, NULL },
		{ "[{source_labels: [env], target_label: job, action: dropequal}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=",
		  "{env=\"p\", instance=\"h:1\", job=\"j\"}" },
		{ "[{source_labels: [__address__], target_label: n, modulus: 10, action: hashmod}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=",
		  "{env=\"p\", instance=\"h:1\", job=\"j\", n=\"9\"}" },
		{ "[{regex: '(e)nv', action: labelmap, replacement: 'x_${1}'}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=",
		  "{env=\"p\", instance=\"h:1\", job=\"j\", x_e=\"p\"}" },
		{ "[{regex: '__.*|job', action: labelkeep}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=", "{instance=\"h:1\", job=\"j\"}" },
		{ "[{source_labels: [env], target_label: env, action: uppercase}]", "http://h:1/metrics?a=x+y&a=z&b=1&e=",
		  "{env=\"P\", instance=\"h:1\", job=\"j\"}" },
		{ "[{source_labels: [env, job], separator: '-', target_label: both}, {source_labels: [nosuch], target_label: env, "
		  "replacement: ''}]",
		  "http://h:1/metrics?a=x+y&a=z&b=1&e=", "{both=\"p-j\", instance=\"h:1\", job=\"j\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scrape_target_info *info;
		struct buf got = { 0 };
		struct fixture f;
		char yaml[1024];
		size_t n;

		snprintf(yaml, sizeof yaml,
		         "- job_name: j\n  params: {b: ['1'], a: ['x y', z], e: ['']}\n  static_configs: [{targets: ['h:1'], labels: {env: "
		         "p, none: ~, __param_a: own, __address__: 'other:1'}}]\n"
		         "  relabel_configs: %s\n",
		         cases[i].relabel);
		setup(&f, yaml);
		info = scrape_targets(f.loop, &f.arena, &n);
		assert_int_equal(n, 1);
		assert_int_equal(info[0].dropped, cases[i].url == NULL);
		if (cases[i].url != NULL) {
			labels_print(&got, info[0].labels);
			if (!str_eq(info[0].url, str_of(cases[i].url)) || !str_eq(buf_str(&got), str_of(cases[i].labels)))
				fail_msg("%s: %.*s %s", cases[i].relabel, STR_ARG(info[0].url), buf_z(&got));
		}
		buf_fini(&got);
		teardown(&f);
	}
}

static void test_reload(void **state)
{
	struct fixture f;
	struct scrape_config two, none, renamed;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, "a 1\nb 1\n");
	two = read_config(&f, "- job_name: j\n  static_configs: [{targets: ['h:1', 'h:2']}]\n");
	scrape_reload(f.loop, &two);
	feed(&f, 15, "a 2\nb 2\n");
	assert_string_equal(dump(&f, "scrape_series_added"),
	                    "scrape_series_added" AT " 0:2 15:0 fresh\n"); /* nothing was forgotten */
	assert_true(is_unseen(&f, "a"));
	renamed = read_config(
		&f, SIMPLE
		"  metric_relabel_configs: [{source_labels: [__name__], regex: b, target_label: __name__, replacement: c}]\n");
	scrape_reload(f.loop, &renamed);
	assert_false(is_unseen(&f, "a"));
	feed(&f, 30, "a 3\nb 3\n");
	assert_string_equal(dump(&f, NULL), "a" AT " 0:1 15:2 30:3 fresh\nb" AT " 0:1 15:2 30:stale gone\nc" AT " 30:3 fresh\n");
	none = read_config(&f, "[]");
	scrape_reload(f.loop, &none);
	scrape_finish_ended(f.loop, MS(31));
	assert_string_equal(dump(&f, "a"), "a" AT " 0:1 15:2 30:3 fresh\n");
	scrape_finish_ended(f.loop, MS(30 + 15 + 15 + 2));
	assert_non_null(strstr(dump(&f, "a"), ":stale gone"));
	assert_non_null(strstr(dump(&f, "up"), ":stale gone"));
	assert_int_equal(scrape_stats(f.loop).targets, 0);
	teardown(&f);
}

/* Prometheus takes each that has a time of its own, and of those that have none the first. */
static void test_several_times(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	for (int at = 0; at < 30; at += 15) {
		char body[400];
		long long t = MS(at);

		snprintf(body, sizeof body, "a 1 %lld\na 2 %lld\na 3 %lld\nb 1\nb 2\nb 1\nc 1 %lld\nc 2 %lld\nc 3 %lld\n", t - 9000, t - 8000,
		         t - 7000, t - 5000, t - 6000, t - 4000);
		assert_true(feed(&f, at, body));
	}
	assert_string_equal(dump(&f, "a"), "a" AT " -9:1 -8:2 -7:3 6:1 7:2 8:3 fresh\n");
	assert_string_equal(dump(&f, "b"), "b" AT " 0:1 15:1 fresh\n");
	assert_string_equal(dump(&f, "c"), "c" AT " -5:1 -4:3 10:1 11:3 fresh\n");
	assert_string_equal(dump(&f, "scrape_samples_post_metric_relabeling"), "scrape_samples_post_metric_relabeling" AT " 0:9 15:9 fresh\n");
	assert_string_equal(dump(&f, "scrape_series_added"), "scrape_series_added" AT " 0:3 15:0 fresh\n");
	assert_int_equal(scrape_stats(f.loop).duplicate_timestamp, 4);
	store_set_late_window(f.store, 60000);
	feed(&f, 30, "c 1 1700000029000\nc 2 1700000028000\n");
	assert_string_equal(dump(&f, "c"), "c" AT " -5:1 -4:3 10:1 11:3 28:2 29:1 fresh\n");
	teardown(&f);
}

/* They stay targets, as Prometheus has it for target_limit: what they had is lost and not gone, and up says so. */
static void test_refused_targets(void **state)
{
	static const struct {
		const char *config, *error;
	} cases[] = {
		{ "- job_name: j\n  target_limit: 1\n  static_configs: [{targets: ['h:1', 'h:2']}]\n",
		  "target_limit exceeded (number of targets: 2, limit: 1)" },
		{ SIMPLE "  relabel_configs: [{target_label: __scrape_interval__, replacement: soon}]\n",
		  "__scrape_interval__ is not a duration above 0" },
		{ SIMPLE "  relabel_configs: [{target_label: __scrape_timeout__, replacement: 1h}]\n",
		  "__scrape_timeout__ is longer than __scrape_interval__" },
		{ "- job_name: j\n  static_configs: [{targets: ['h:1'], labels: {__x: " FORTY "}}]\n"
		  "  relabel_configs: [{source_labels: [__x], regex: '(.+)+Q?9|(.*)', target_label: c, replacement: $2}]\n",
		  "relabel_configs: a regular expression needs more than regex_steps=5000000 of backtracking: write a simpler one" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scrape_target_info *info;
		struct scrape_config refused;
		struct fixture f;
		size_t n;

		setup(&f, SIMPLE);
		feed(&f, 0, "a 1\n");
		refused = read_config(&f, cases[i].config);
		scrape_reload(f.loop, &refused);
		assert_false(feed(&f, 15, "a 2\n"));
		assert_string_equal(dump(&f, "a"), "a" AT " 0:1 15:stale lost\n");
		assert_string_equal(dump(&f, "up"), "up" AT " 0:1 15:0 fresh\n");
		info = scrape_targets(f.loop, &f.arena, &n);
		assert_int_equal(info[0].health, SCRAPE_DOWN);
		assert_string_equal(arena_strz(&f.arena, info[0].last_error), cases[i].error);
		assert_int_equal(info[0].interval_ms, 15000);
		scrape_reload(f.loop, &f.config);
		assert_true(feed(&f, 30, "a 3\n"));
		assert_string_equal(dump(&f, "a"), "a" AT " 0:1 15:stale 30:3 fresh\n");
		teardown(&f);
	}
}

/* One that was never good has up all the same. */
/* Spread over the interval, a few at a moment, never more than eight in the mean; of a fleet twice as large half stay where they were. */
static void test_offsets(void **state)
{
	static const struct {
		int64_t interval_ms, step_ms;
		size_t n_targets;
	} fleets[] = { { 5000, 256, 100 },    { 15000, 512, 10 }, { 15000, 64, 1000 }, { 15000, 1, 80000 }, { 15000, 1, SIZE_MAX >> 20 },
		       { 60000, 2048, 100 }, { 200, 8, 4 },      { 1, 1, 5 } };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(fleets); k++) {
		int64_t interval_ms = fleets[k].interval_ms, sum = 0;
		size_t stay = 0, n = 4096;

		for (size_t i = 0; i < n; i++) {
			uint64_t hash = i * UINT64_C(0x9e3779b97f4a7c15);
			int64_t offset = target_offset_ms(hash, interval_ms, fleets[k].n_targets);

			assert_int_equal(offset % fleets[k].step_ms, 0);
			assert_in_range(offset, 0, interval_ms - 1);
			stay += offset == target_offset_ms(hash, interval_ms, fleets[k].n_targets * 2);
			sum += offset;
		}
		assert_true(stay >= n * 45 / 100); /* about half, or all */
		assert_true(interval_ms < 100 || llabs(sum / (int64_t)n - interval_ms / 2) <= interval_ms / 16);
	}
}

static void test_bad_address(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE "  relabel_configs: [{target_label: __address__, replacement: 'h:1/x'}]\n");
	assert_false(feed(&f, 0, "a 1\n"));
	assert_string_equal(dump(&f, NULL), "");
	assert_string_equal(dump(&f, "up"), "up{instance=\"h:1/x\", job=\"j\"} 0:0 fresh\n");
	teardown(&f);
}

static void test_metadata(void **state)
{
	struct scrape_metadata *m;
	struct fixture f;
	size_t n;

	(void)state;
	setup(&f, SIMPLE);
	feed(&f, 0, "# HELP a What it is.\n# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n");
	feed(&f, 15, "# HELP a Now else.\n# TYPE a counter\na 1\n");
	m = scrape_metadata(f.loop, STR("a"), &f.arena, &n);
	assert_int_equal(n, 1);
	assert_true(str_eq(m[0].type, STR("counter")) && str_eq(m[0].help, STR("Now else.")) && m[0].unit.n == 0);
	scrape_metadata(f.loop, STR(""), &f.arena, &n);
	assert_int_equal(n, 2);
	teardown(&f);
}

static size_t count_metadata(struct fixture *f)
{
	size_t n;

	scrape_metadata(f->loop, STR(""), &f->arena, &n);
	return n;
}

/* Names that change all the time must not stay for ever, nor what a bad reply began with. */
static void test_metadata_goes(void **state)
{
	enum { SCRAPES = 40 };
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	for (int i = 0; i < SCRAPES; i++) {
		char body[200];

		snprintf(body, sizeof body, "# HELP same It stays.\n# TYPE same gauge\nsame 1\n# HELP other_%d It goes.\nother_%d 1\n%s", i, i, i % 2 != 0 ? "{\n" : "");
		assert_int_equal(feed(&f, i * 15, body), i % 2 == 0);
		assert_true(count_metadata(&f) <= 12);
	}
	assert_true(feed(&f, SCRAPES * 15, "# HELP same It stays.\n# TYPE same gauge\nsame 1\n"));
	for (int i = 1; i <= 20; i++)
		assert_true(feed(&f, (SCRAPES + i) * 15, "# HELP same It stays.\n# TYPE same gauge\nsame 1\n"));
	assert_int_equal(count_metadata(&f), 1);
	teardown(&f);
}

/* The journal would not take it: what is stored must be there after a restart too. */
static void test_labels_too_long(void **state)
{
	struct buf body = { 0 };
	struct scrape_target_info *info;
	struct fixture f;
	size_t n;

	(void)state;
	buf_putz(&body, "a 1\nb{x=\"");
	for (int i = 0; i < STORE_MAX_LABEL_BYTES; i++)
		buf_putc(&body, 'x');
	buf_putz(&body, "\"} 1\n");
	setup(&f, SIMPLE);
	for (int i = 0; i < 2; i++) {
		assert_true(feed(&f, i * 15, buf_z(&body)));
		info = scrape_targets(f.loop, &f.arena, &n);
		assert_string_equal(arena_strz(&f.arena, info[0].last_error),
		                    "1 of 2 samples were refused: a series whose labels are longer than 1048576 bytes");
		assert_null(strstr(dump(&f, NULL), "b{"));
	}
	assert_true(feed(&f, 30, "a 1\n"));
	assert_int_equal(scrape_targets(f.loop, &f.arena, &n)[0].last_error.n, 0);
	buf_fini(&body);
	teardown(&f);
}

/* One target that brings everything leaves room for what is said of the others. */
static void test_a_store_that_is_full(void **state)
{
	enum { MOST = 160, REPORTED = 5 };
	static const char two[] = "[{job_name: j, static_configs: [{targets: ['h:1', 'h:2']}]}]";
	const struct scrape_reply good = { .http_status = 200, .content_type = STR("text/plain"), .body = STR("a 1\n") };
	struct scrape_target_info *info;
	struct buf body = { 0 };
	struct fixture f;
	size_t n;

	(void)state;
	setup(&f, two);
	f.max_series = MOST;
	restart(&f, 0, two);
	for (int i = 0; i < MOST; i++)
		buf_printf(&body, "m{i=\"%d\"} 1\n", i);
	assert_true(feed(&f, 0, buf_z(&body)));
	assert_true(scrape_ingest(f.loop, 1, &good, MS(0)));
	assert_string_equal(dump(&f, "up"), "up{instance=\"h:1\", job=\"j\"} 0:1 fresh\nup{instance=\"h:2\", job=\"j\"} 0:1 fresh\n");
	assert_int_equal(store_stats(f.store).series, MOST - MOST / 16 + REPORTED);
	info = scrape_targets(f.loop, &f.arena, &n);
	for (size_t i = 0; i < n; i++)
		assert_true(str_find(info[i].last_error, STR("max_series")) < info[i].last_error.n);
	buf_fini(&body);
	teardown(&f);
}

/* ---- Replies at random against what they should leave behind ---- */

enum { RANDOM_SERIES = 40, RANDOM_REPLIES = 300 };

struct model {
	struct buf samples[RANDOM_SERIES]; /* as print_series prints them */
	bool live[RANDOM_SERIES], seen[RANDOM_SERIES];
	const char *state[RANDOM_SERIES];
};

static uint32_t roll(uint32_t *dice, uint32_t n)
{
	*dice = *dice * 1664525u + 1013904223u;
	return (*dice >> 8) % n;
}

/* A subset of the series, the order turned somewhere, mostly as before. */
static void make_reply(uint32_t *dice, int at, struct model *m, struct buf *body)
{
	uint32_t begin = roll(dice, 4) == 0 ? roll(dice, RANDOM_SERIES) : 0, step = roll(dice, 8) == 0 ? 7 : 1, leave = roll(dice, 12);

	buf_putz(body, roll(dice, 3) == 0 ? "# HELP s one\n" : "# TYPE s gauge\n");
	for (uint32_t i = 0; i < RANDOM_SERIES; i++) {
		uint32_t n = (begin + i * step) % RANDOM_SERIES;

		m->seen[n] = leave > 3 || roll(dice, 4) > leave;
		if (m->seen[n])
			buf_printf(body, "s{n=\"%02u\"} %d\n", n, at + (int)n);
	}
}

/* <good>: it was read to its end. <read>: it was there at all. A lost series that a torn reply carries ends once more. */
static void apply_reply(struct model *m, int at, bool good, bool read)
{
	for (int n = 0; n < RANDOM_SERIES; n++) {
		bool carried = good && m->seen[n], again = !good && read && m->seen[n] && m->state[n] != NULL && strcmp(m->state[n], "lost") == 0;

		if (carried)
			buf_printf(&m->samples[n], " %d:%d", at, at + n);
		else if (m->live[n] || again)
			buf_printf(&m->samples[n], " %d:stale", at);
		if (carried || good || m->live[n])
			m->state[n] = carried ? "fresh" : good ? "gone" : "lost";
		m->live[n] = carried;
	}
}

static void compare(struct fixture *f, struct model *m)
{
	const char *all = dump(f, "s");

	for (int n = 0; n < RANDOM_SERIES; n++) {
		struct buf line = { 0 };

		if (m->samples[n].n > 0)
			buf_printf(&line, "s{instance=\"h:1\", job=\"j\", n=\"%02d\"}%s %s\n", n, buf_z(&m->samples[n]), m->state[n]);
		if (strstr(all, buf_z(&line)) == NULL)
			fail_msg("%s is not among\n%s", line.p, all);
		buf_fini(&line);
		buf_fini(&m->samples[n]);
	}
}

static void test_random_replies(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 8; seed++) {
		struct model m = { 0 };
		uint32_t dice = seed;
		struct fixture f;

		setup(&f, SIMPLE);
		for (int at = 0; at < RANDOM_REPLIES; at++) {
			bool torn = roll(&dice, 9) == 0, read = roll(&dice, 15) > 0, good;
			struct buf body = { 0 };

			make_reply(&dice, at, &m, &body);
			if (torn)
				buf_putz(&body, "new_one 1\nnew_two{ 1\n");
			good = read ? feed(&f, at, buf_z(&body)) : feed_failure(&f, at);
			assert_int_equal(good, read && !torn);
			apply_reply(&m, at, good, read);
			buf_fini(&body);
		}
		compare(&f, &m);
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports), cmocka_unit_test(test_extra_reports),  cmocka_unit_test(test_order_of_lines), cmocka_unit_test(test_a_round_of_scrapes), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_staleness),
		cmocka_unit_test(test_own_times),
		cmocka_unit_test(test_a_store_that_is_full),
		cmocka_unit_test(test_lost),     cmocka_unit_test(test_unseen),         cmocka_unit_test(test_labels), cmocka_unit_test(test_type_and_unit),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_targets),        cmocka_unit_test(test_reload),
		cmocka_unit_test(test_several_times),
		cmocka_unit_test(test_refused_targets),
		cmocka_unit_test(test_bad_address), cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_metadata), cmocka_unit_test(test_metadata_goes), cmocka_unit_test(test_labels_too_long),
		cmocka_unit_test(test_random_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
