/* Matchers as text, the routing tree, and what a wrong configuration says. */
#include "notify_world.h"

#include "notify/matcher.h"
#include "notify/route.h"
#include "tocsin/regex.h"

static void matchers_are_read(void **state)
{
	static const struct {
		const char *text, *shown;       /* <shown> NULL: refused, <error> says why */
		const char *error;
		int pos;
	} cases[] = {
		{ "a=b", "{a=\"b\"}", NULL, 0 },
		{ " a = \"b c\" ", "{a=\"b c\"}", NULL, 0 },
		{ "{a=b, c!=\"d\",}", "{a=\"b\",c!=\"d\"}", NULL, 0 },
		{ "sev=~\"a|b\",x!~y.*", "{sev=~\"a|b\",x!~\"y.*\"}", NULL, 0 },
		{ "a=", "{a=\"\"}", NULL, 0 },
		{ "a=\"q\\\"uote\"", "{a=\"q\\\"uote\"}", NULL, 0 },
		{ "\xc3\xa4=b", "{\xc3\xa4=\"b\"}", NULL, 0 },
		{ "", "{}", NULL, 0 },
		{ "a", NULL, "end of the matcher: expected one of = != =~ !~", 1 },
		{ " a = b c , d = \" e\"", "{a=\"b c\",d=\" e\"}", NULL, 0 },
		{ "a=~b{2}|\\.c\\n", "{a=~\"b{2}|\\\\.c\\n\"}", NULL, 0 },      /* a backslash is one; \n is a line */
		{ "a=~\"\\d,x\\\\.\"", "{a=~\"\\\\d,x\\\\.\"}", NULL, 0 },
		{ "\xc3\xa4=\"\\tc\"", "{\xc3\xa4=\"\tc\"}", NULL, 0 },         /* a name that only the newer form has, and its escapes */
		{ "\"a b\"=c d", NULL, "unexpected 'd' in a matcher: expected ',' or the end", 8 },
		{ "a=b\"c", NULL, "unexpected '\"' in a matcher: expected ',' or the end", 3 },
		{ "a=~\"(\"", NULL, "missing ) for this group", 3 },
		{ "=b", NULL, "unexpected '=' in a matcher: expected a label name", 0 },
		{ "{a=b", "{a=\"b\"}", NULL, 0 },
		{ "a=critical}", "{a=\"critical\"}", NULL, 0 },
		{ "a=\\,b=c", "{a=\"\\\\\",b=\"c\"}", NULL, 0 },
		{ "a=\"b", NULL, "a quote is not closed: expected \" at the end of the value", 2 },
		{ "a==b", NULL, "unexpected '=' in a matcher: expected a value", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct matcher_list l = { .arena = &a };
		struct buf shown = { 0 };
		struct err e = { 0 };
		bool ok = matcher_parse(&l, str_of(cases[i].text), &e);

		print_message("  %s\n", cases[i].text);
		if (cases[i].shown != NULL) {
			assert_true(ok);
			matcher_print(&shown, l.v, l.n);
			assert_string_equal(buf_z(&shown), cases[i].shown);
		} else {
			assert_false(ok);
			assert_string_equal(e.msg, cases[i].error);
			assert_int_equal(e.pos, cases[i].pos);
		}
		for (size_t k = 0; k < l.n_regexes; k++)
			regex_free(l.regexes[k]);
		free(l.regexes);
		buf_fini(&shown);
		arena_fini(&a);
	}
}

static const char tree[] = "route:\n"
			   "  receiver: default\n"
			   "  group_by: [job]\n"
			   "  routes:\n"
			   "  - { match: { team: db }, receiver: db, routes: [ { matchers: [ severity=critical ], receiver: pager, "
			   "group_by: ['...'] } ] }\n"
			   "  - { matchers: [ 'env=~\"prod|live\"' ], receiver: audit, group_by: [], continue: true }\n"
			   "  - { match_re: { team: 'web.*' }, receiver: web, group_wait: 5s }\n"
			   "receivers: [ { name: default }, { name: db }, { name: pager }, { name: audit }, { name: web } ]\n";

static void routes_are_taken(void **state)
{
	static const struct {
		struct label labels[3];
		const char *receivers, *key;    /* of the last one */
	} cases[] = {
		{ { { { "team", 4 }, { "other", 5 } } }, "default", "{}:{}" },
		{ { { { "job", 3 }, { "api", 3 } } }, "default", "{}:{job=\"api\"}" },
		{ { { { "team", 4 }, { "db", 2 } } }, "db", "{}/{team=\"db\"}:{}" },
		{ { { { "severity", 8 }, { "critical", 8 } }, { { "team", 4 }, { "db", 2 } } }, "pager",
		  "{}/{team=\"db\"}/{severity=\"critical\"}:{severity=\"critical\", team=\"db\"}" },
		{ { { { "env", 3 }, { "prod", 4 } }, { { "team", 4 }, { "web1", 4 } } }, "audit,web", "{}/{team=~\"^(?:web.*)$\"}:{}" },
		{ { { { "env", 3 }, { "live", 4 } }, { { "job", 3 }, { "api", 3 } } }, "audit", "{}/{env=~\"prod|live\"}:{job=\"api\"}" },
	};
	struct notify_config *c = world_config(tree);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct labels labels = { cases[i].labels, 1 + (cases[i].labels[1].name.n > 0) };
		struct route_list found = route_match(c->root, labels);
		const struct route *last = found.v[found.n - 1];
		struct str receivers = notify_config_route(c, &a, labels);

		print_message("  %s\n", cases[i].receivers);
		assert_string_equal(arena_strz(&a, receivers), cases[i].receivers);
		assert_string_equal(route_group_key(last, route_group_labels(last, labels, &a), &a).p,
				    cases[i].key);
		free(found.v);
		arena_fini(&a);
	}
	assert_int_equal(c->root->group_interval_ms, 300000);
	assert_int_equal(c->root->routes[2].group_wait_ms, 5000);
	assert_int_equal(c->root->routes[2].repeat_interval_ms, 4 * 3600000);
	notify_config_free(c);
}

/* Each of them is told, however many there are. */
static void many_routes_are_taken(void **state)
{
	static const struct labels none = { NULL, 0 };
	struct buf yaml = { 0 };
	struct arena a = { 0 };
	struct notify_config *c;
	struct route_list found;

	(void)state;
	buf_putz(&yaml, "receivers: [ { name: r } ]\nroute:\n  receiver: r\n  routes:\n");
	for (int i = 0; i < 200; i++)
		buf_putz(&yaml, "  - { receiver: r, continue: true }\n");
	c = world_config(buf_z(&yaml));
	found = route_match(c->root, none);
	assert_int_equal(found.n, 200);
	assert_ptr_equal(found.v[199], &c->root->routes[199]);
	assert_int_equal(notify_config_route(c, &a, none).n, 2 * 200 - 1);
	free(found.v);
	notify_config_free(c);
	buf_fini(&yaml);
	arena_fini(&a);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{ "route: { receiver: nobody }\nreceivers: [ { name: a } ]\n",
		  "tocsin.yml:1:20: receiver \"nobody\" is not defined: add it under receivers" },
		{ "route: { receiver: a, group_by: [x, x] }\nreceivers: [ { name: a } ]\n", "group_by names \"x\" twice" },
		{ "route: { receiver: a, group_by: [x, '...'] }\nreceivers: [ { name: a } ]\n", "'...' alone means all labels" },
		{ "route: { receiver: a, matchers: [ x=y ] }\nreceivers: [ { name: a } ]\n", "the root route has matchers" },
		{ "route: { receiver: a, group_interval: 0s }\nreceivers: [ { name: a } ]\n", "group_interval is out of range" },
		{ "route: { receiver: a, group_wiat: 1s }\nreceivers: [ { name: a } ]\n",
		  "unknown key \"group_wiat\": did you mean \"group_wait\"?" },
		{ "route:\n  receiver: a\n  routes:\n  - { receiver: a, matchers: [ 'x=~\"(\"' ] }\nreceivers: [ { name: a } ]\n",
		  "tocsin.yml:4:" },
		{ "route: { receiver: a, routes: [ { mute_time_intervals: [ nights ] } ] }\nreceivers: [ { name: a } ]\n",
		  "time interval \"nights\" is not defined" },
		{ "route: { receiver: a, mute_time_intervals: [ n ] }\nreceivers: [ { name: a } ]\ntime_intervals: [ { name: n } ]\n",
		  "the root route has time intervals" },
		{ "time_intervals: [ { name: n, time_intervals: [ { weekdays: [ 'monday:freitag' ] } ] } ]\n",
		  "\"monday:freitag\" is not understood: write a weekday such as monday" },
		{ "time_intervals: [ { name: n, time_intervals: [ { times: [ { start_time: '22:00', end_time: '06:00' } ] } ] } ]\n",
		  "write two ranges when it goes over midnight" },
		{ "time_intervals: [ { name: n, time_intervals: [ { days_of_month: [ '-3:5' ] } ] } ]\n", "an end that counts as the beginning" },
		{ "time_intervals: [ { name: n, time_intervals: [ { location: Mars/Olympus } ] } ]\n", "is no time zone this system knows" },
		{ "time_intervals: [ { name: n }, { name: n } ]\n", "time interval \"n\" is defined twice" },
		{ "route: { receiver: a }\nreceivers: [ { name: a }, { name: a } ]\n", "receiver \"a\" is defined twice" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, sns_configs: [ { topic_arn: x, sigv4: { role_arn: y, region: r, access_key: a, secret_key: b } } ] } ]\n",
		  "role_arn is a setting of Alertmanager that is not honoured yet" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, sns_configs: [ { topic_arn: x } ] } ]\n", "sigv4 is missing region" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { channel: x } ] } ]\n",
		  "slack_configs is missing api_url|app_token: add it" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { api_url: 'http://x/', update_message: true } ] } ]\n",
		  "messages can only be updated or answered with a bot's token" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { app_token: x, threaded_options: {} } ] } ]\n",
		  "threaded_options is there and message_strategy is not thread" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { app_token: x, message_strategy: thread, threaded_options: { "
		  "use_summary_header: false, summary_header: { resolve_color: good } } } ] } ]\n",
		  "summary_header is there and use_summary_header is false" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { app_token: x, message_strategy: thread, threaded_options: { "
		  "resolve_emojis: x } } ] } ]\n",
		  "did you mean \"resolve_emoji\"" },
		{ "route: { receiver: a, labels: { x: '{{ .X' } }\nreceivers: [ { name: a } ]\n", "tocsin.yml:1:" },
		{ "route: { receiver: a, labels: [ x ] }\nreceivers: [ { name: a } ]\n", "labels is a list: write name: text" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { url: 'http://x/{{.Status}}' } ] } ]\n",
		  "url holds a template, which is not honoured" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { app_token: x, message_strategy: news } ] } ]\n",
		  "message_strategy" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, discord_configs: [ { webhook_url: 'http://x/', title: '{{ .X' } ] } ]\n",
		  "tocsin.yml:2:" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { send_resolved: true } ] } ]\n",
		  "the key \"url\" is missing" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, webhook_configs: [ { url: 'ftp://x/' } ] } ]\n", "url is no" },
		{ "inhibit_rules: [ { source_matchers: [ 'a=~\"(\"' ] } ]\n", "tocsin.yml:1:" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, email_configs: [ { to: a@b, from: a@b, smarthost: 'h:25', threading: { enabled: true, "
		  "thread_by_date: weekly } } ] } ]\n",
		  "thread_by_date" },
		{ "global: { smtp_tls_config: { ca_fil: x } }\nroute: { receiver: a }\nreceivers: [ { name: a, email_configs: [ { to: a@b, from: a@b, "
		  "smarthost: 'h:25' } ] } ]\n",
		  "ca_fil" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, incidentio_configs: [ { url: 'http://x/', max_alerts: few } ] } ]\n",
		  "max_alerts is \"few\", which is no whole number" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, statuspage_configs: [ { page_id: p/q, api_key: k } ] } ]\n",
		  "\"p/q\" is no page_id" },
		{ "route: { receiver: a }\nreceivers: [ { name: a, statuspage_configs: [ { page_id: p, api_key: k, name: '{{ .X' } "
		  "] } ]\n",
		  "tocsin.yml:2:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct conf_report report = { 0 };
		struct buf text = { 0 };

		assert_null(notify_config_parse(conf_load_text(&a, STR("tocsin.yml"), str_of(cases[i].yaml), &report), &report));
		conf_report_print(&report, &text);
		if (!has(buf_str(&text), cases[i].says) || report.n_errors != 1)
			fail_msg("wanted only: %s\ngot: %s", cases[i].says, buf_z(&text));
		buf_fini(&text);
		conf_report_fini(&report);
		arena_fini(&a);
	}
}

static void connections_are_read(void **state)
{
	struct notify_config *c = world_config(
		"global: { resolve_timeout: 5m, scrape_interval: 15s, http_config: { proxy_url: 'http://proxy:3128' } }\n"
		"route: { receiver: a }\n"
		"receivers:\n"
		"- name: a\n"
		"  webhook_configs:\n"
		"  - { url: 'http://x/', timeout: 5s, http_config: { authorization: { credentials: token }, tls_config: { ca_file: "
		"ca.pem } } }\n"
		"  - { url: 'http://y/', http_config: { basic_auth: { username: u, password: p }, follow_redirects: false, "
		"http_headers: { X-A: { values: [b], secrets: [c] } } } }\n"
		"  - { url: 'http://z/' }\n");
	const struct integration *in = c->receivers[0].integrations;

	(void)state;
	assert_string_equal(in[0].http.auth.type.p, "Bearer");
	assert_string_equal(in[0].http.auth.credentials.p, "token");
	assert_string_equal(in[0].http.tls.ca_file.p, "ca.pem");
	assert_int_equal(in[0].timeout_ms, 5000);
	assert_int_equal(in[0].http.proxy_url.n, 0);
	assert_true(in[0].http.follow_redirects);
	assert_string_equal(in[1].http.basic.user.p, "u");
	assert_string_equal(in[1].http.basic.password.p, "p");
	assert_false(in[1].http.follow_redirects);
	assert_int_equal(in[1].http.n_headers, 2);
	assert_string_equal(in[2].http.proxy_url.p, "http://proxy:3128");
	assert_string_equal(in[2].name.p, "a/webhook[2]");
	assert_int_equal(in[2].timeout_ms, 30000);
	notify_config_free(c);
}

static void mails_take_the_tls_of_global(void **state)
{
	struct notify_config *c = world_config("global: { smtp_tls_config: { ca_file: all.pem }, smtp_force_implicit_tls: true, smtp_smarthost: 'h:465', smtp_from: a@b }\n"
					       "route: { receiver: a }\n"
					       "receivers: [ { name: a, email_configs: [ { to: a@b }, { to: a@b, tls_config: { ca_file: own.pem } } ] } ]\n");

	(void)state;
	assert_string_equal(c->receivers[0].integrations[0].http.tls.ca_file.p, "all.pem");
	assert_string_equal(c->receivers[0].integrations[1].http.tls.ca_file.p, "own.pem");
	notify_config_free(c);
}

/* Alertmanager finds out when something fires. */
static void templates_nobody_defines_are_warned_of(void **state)
{
	static const struct {
		const char *title, *says;
	} cases[] = {
		{ "{{ template \"slack.default.title\" . }}", NULL },
		{ "{{ define \"x\" }}y{{ end }}{{ template \"x\" }}", NULL },
		{ "{{ if .Status }}{{ else }}{{ template \"slack.custom\" . }}{{ end }}", "tocsin.yml:2:115: warning: template \"slack.custom\" is not defined" },
		{ "{{ define \"x\" }}{{ template \"y\" }}{{ end }}", "template \"y\" is not defined" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = { 0 };
		struct conf_report report = { 0 };
		struct buf text = { 0 };
		struct str yaml = arena_printf(&a, "route: { receiver: a }\nreceivers: [ { name: a, slack_configs: [ { channel: x, api_url: 'http://x/', "
						   "title: '%s' } ] } ]\n", cases[i].title);
		struct notify_config *c = notify_config_parse(conf_load_text(&a, STR("tocsin.yml"), yaml, &report), &report);

		assert_non_null(c);
		conf_report_print(&report, &text);
		if (report.n_warnings != (cases[i].says != NULL) || (cases[i].says != NULL && !has(buf_str(&text), cases[i].says)))
			fail_msg("%s: %s", cases[i].title, buf_z(&text));
		notify_config_free(c);
		buf_fini(&text);
		conf_report_fini(&report);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matchers_are_read),
		cmocka_unit_test(routes_are_taken),
		cmocka_unit_test(many_routes_are_taken),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(connections_are_read),
		cmocka_unit_test(mails_take_the_tls_of_global),
		cmocka_unit_test(templates_nobody_defines_are_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
