/* scrape_configs that are read, and what is said of those that make no sense. */
#include "scrape_world.h"

static void test_global_timeout(void **state)
{
	static const struct {
		const char *yaml;
		int64_t timeout_ms; /* 0: an error */
	} cases[] = {
		{ "scrape_interval: 30s\n", 10000 },
		{ "scrape_interval: 5s\n", 5000 },
		{ "scrape_interval: 5s\nscrape_timeout: 3s\n", 3000 },
		{ "scrape_interval: 5s\nscrape_timeout: 6s\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scrape_defaults d = { 0 };
		struct conf_report report = { 0 };
		struct arena a = { 0 };
		struct conf_reader rd = { .arena = &a, .report = &report };
		bool ok = conf_read(&rd, &scrape_global_table, conf_load_text(&a, STR("t.yml"), str_of(cases[i].yaml), &report), &d);

		if (ok != (cases[i].timeout_ms > 0) || (ok && d.timeout_ms != cases[i].timeout_ms))
			fail_msg("%s: %d, %lld ms", cases[i].yaml, ok, (long long)d.timeout_ms);
		conf_report_fini(&report);
		arena_fini(&a);
	}
}

static void test_config_errors(void **state)
{
	static const struct {
		const char *yaml, *message;
	} cases[] = {
		{ "- job_name: j\n  consul_sd_configs: []\n",
		  "consul_sd_configs is not supported yet: use file_sd_configs, http_sd_configs or static_configs" },
		{ "- job_name: j\n  file_sd_configs: [{files: [a.txt]}]\n",
		  "file_sd_configs: a.txt: the name must end in .json, .yml or .yaml" },
		{ "- job_name: j\n  file_sd_configs: [{files: ['*/a.json']}]\n",
		  "file_sd_configs: */a.json: only the last part of a path may hold a '*'" },
		{ "- job_name: ''\n", "job_name is empty: give the job a name" },
		{ "- job_name: j\n  dns_sd_configs: [{names: []}]\n", "names is empty: name one at least" },
		{ "- job_name: j\n  file_sd_configs: [{files: []}]\n", "files is empty: name one at least" },
		{ "- job_name: j\n  scrape_protocols: PrometheusText0.0.4\n", "scrape_protocols is a single value: write a list" },
		{ "- job_name: j\n  params: {a: b}\n", "params is a single value: write a list" },
		{ "- job_name: j\n  static_configs: [{targets: 'h:1'}]\n", "targets is a single value: write a list" },
		{ "- job_name: j\n  static_configs: [null]\n", "static_configs has an empty item: fill it, or remove it" },
		{ "- job_name: j\n  static_configs: [{targets: ['']}]\n", "a target is empty: write host:port" },
		{ "- job_name: j\n  static_configs: [{targets: ['http://h/x']}]\n",
		  "target \"http://h/x\" is no host:port: scheme and path have keys of their own" },
		{ "- job_name: j\n  relabel_configs: [{action: keepequal, source_labels: [a], target_label: b, regex: x}]\n",
		  "relabel action keepequal takes only source_labels and target_label: remove regex" },
		{ "- job_name: j\n  dns_sd_configs: [{names: [a], type: A}]\n",
		  "a dns_sd_config of type A has no port: write the one its targets listen on" },
		{ "- job_name: j\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
		  "scrape_timeout is longer than scrape_interval: shorten it" },
		{ "- job_name: j\n- job_name: j\n", "job_name j occurs twice: give each job its own" },
		{ "- job_name: j\n  body_size_limit: 10\n", "body_size_limit has no unit: write a size such as 512MB" },
		{ "- job_name: j\n  honor_labels: 'true'\n", "honor_labels is a text: write true or false, without quotes" },
		{ "- job_name: j\n  sample_limit: '5'\n", "sample_limit is a text: write a whole number, without quotes" },
		{ "- job_name: j\n  no_proxy: a\n", "no_proxy is set without a proxy_url: remove it" },
		{ "- job_name: j\n  proxy_url: http://p\n  proxy_from_environment: true\n", "proxy_url and proxy_from_environment are both set: remove one" },
		{ "- job_name: j\n  proxy_connect_header: {a: [b]}\n", "proxy_connect_header is set without a proxy: remove it" },
		{ "- job_name: j\n  relabel_configs: [{action: labelmap, replacement: ''}]\n",
		  "relabel action labelmap has an empty replacement: write the labels' new name" },
		{ "- job_name: j\n  relabel_configs: [{source_labels: [''], target_label: b}]\n", "a label of source_labels has no name: write one" },
		{ "- job_name: j\n  relabel_configs: [{action: hashmod, target_label: x}]\n",
		  "relabel action hashmod has no modulus: write a number above 0" },
		{ "- job_name: j\n  relabel_configs: [{source_labels: [a]}]\n",
		  "relabel action replace has no target_label: name the label it writes or compares" },
		{ "- job_name: j\n  relabel_configs: [{action: labeldrop, target_label: x}]\n",
		  "relabel action labeldrop takes only regex: remove target_label" },
		{ "- job_name: j\n  basic_auth: {username: a}\n  authorization: {credentials: b}\n",
		  "more than one of basic_auth, authorization, bearer_token and oauth2: keep one" },
		{ "- job_name: j\n  authorization: {credentials: a}\n  bearer_token: b\n",
		  "more than one of basic_auth, authorization, bearer_token and oauth2: keep one" },
		{ "- job_name: j\n  relabel_configs: [{action: Lowercase, source_labels: [a], target_label: b, replacement: x}]\n",
		  "relabel action lowercase has no replacement: remove it" },
		{ "- job_name: j\n  static_configs: [{targets: ['h:1'], labels: {'': x}}]\n", "a label has no name: write one" },
		{ "- job_name: j\n  authorization: {type: basic}\n", "authorization type is Basic: use basic_auth" },
		{ "- job_name: j\n  tls_config: {cert_file: a}\n", "a certificate and its key go together: set both or none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct scrape_defaults defaults = { .interval_ms = 15000, .timeout_ms = 10000 };
		struct conf_report report = { 0 };
		struct arena a = { 0 };
		struct conf_reader rd = { .arena = &a, .report = &report };
		struct scrape_config out;

		assert_false(
			scrape_config_read(&rd, conf_load_text(&a, STR("t.yml"), str_of(cases[i].yaml), &report), &defaults, &out));
		if (report.n != 1 || !str_eq(report.v[0].message, str_of(cases[i].message)) || report.v[0].line == 0)
			fail_msg("case %zu: %zu, %.*s", i, report.n, STR_ARG(report.v[0].message));
		conf_release(rd.held);
		conf_report_fini(&report);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_global_timeout),
		cmocka_unit_test(test_config_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
