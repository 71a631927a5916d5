/* Settings of probes: what they become, and what is said of mistakes. The rest is tested against real servers. */
#include "tests.h"

#include "probe/probe.h"
#include "probe/settings.h"
#include "sources.h"

static struct sources *load(const char *probe, struct buf *messages)
{
	struct conf_report r = { 0 };
	struct buf yaml = { 0 };
	struct sources *c;

	buf_printf(&yaml, "probe: [{ name: x, %s }]\n", probe);
	c = sources_load_text(STR("x.yml"), buf_str(&yaml), &r);
	conf_report_print(&r, messages);
	conf_report_fini(&r);
	buf_fini(&yaml);
	return c;
}

static void mistakes(void **state)
{
	static const struct { const char *probe, *says; } cases[] = {
		{ "url: 'ftp://h/'", "url: none of http://" },
		{ "url: 'https://'", "url: none of http://" },
		{ "url: 'tcp://h'", "url: no port: tcp://host:port" },
		{ "url: 'tcp://h:1', require_headers: [A]", "only http and https have headers and a body" },
		{ "url: 'http://h', valid_status_codes: [20]", "\"20\" is no status: a number from 100 to 599" },
		{ "url: 'http://h', headers: [hush]", "headers: header 1 is none: Name: value" },
		{ "url: 'http://h', headers: ['A: hush'], follow_redirects: true", "follow_redirects would send the headers to other hosts" },
		{ "url: 'http://h', fail_if_body_matches_regexp: ['(']", "missing" },
		{ "url: 'http://h', method: FETCH", "FETCH" },
		{ "url: 'http://h', metrics: [{ name: x, help: h, value: '/a~2' }]", "not a JSON pointer" },
		{ "url: 'http://h', metrics: [{ name: version, help: h, type: info }]", "\"version\" is of type info: name_info" },
		{ "method: GET", "url" },
		{ "url: 'https://h', starttls: smtp", "starttls goes with tls://host:port" },
		{ "url: 'tls://h:25', starttls: gopher", "gopher" },
		{ "url: 'http://h', cert_file: x", "cert_file and key_file belong together" },
		{ "url: 'http://h', require_json: [/status]", "write a map such as" },
		{ "url: 'http://h', require_json: { /a~2: x }", "not a JSON pointer" },
		{ "url: 'http://h', require_json: { /a: '(' }", "missing" },
		{ "url: 'tcp://h:1', require_json: { /a: b }", "only http and https have headers and a body" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf messages = { 0 };

		print_message("  %s\n", cases[i].probe);
		assert_null(load(cases[i].probe, &messages));
		if (strstr(buf_z(&messages), cases[i].says) == NULL)
			fail_msg("no \"%s\" in: %s", cases[i].says, buf_z(&messages));
		assert_null(strstr(buf_z(&messages), "hush"));
		buf_fini(&messages);
	}
}

static void addresses(void **state)
{
	static const struct { const char *url, *curl_url, *shown; enum probe_scheme scheme; } cases[] = {
		{ "http://u:p@h:8000/a?token=t", "http://u:p@h:8000/a?token=t", "http://h:8000", PROBE_HTTP },
		{ "https://h/#x@y", "https://h/#x@y", "https://h", PROBE_HTTPS },
		{ "tcp://h:25", "http://h:25", "tcp://h:25", PROBE_TCP },
		{ "tls://[::1]:443", "https://[::1]:443", "tls://[::1]:443", PROBE_TLS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf messages = { 0 }, probe = { 0 };
		struct arena a = { 0 };
		const struct probe_settings *s;
		struct sources *c;

		print_message("  %s\n", cases[i].url);
		buf_printf(&probe, "url: '%s'", cases[i].url);
		c = load(buf_z(&probe), &messages);
		assert_string_equal(buf_z(&messages), "");
		s = sources_find(c, "probe", STR("x"));
		assert_string_equal(s->curl_url.p, cases[i].curl_url);
		assert_int_equal(s->scheme, cases[i].scheme);
		assert_string_equal(probe_source_kind.describe(&a, s).p, cases[i].shown);
		assert_true(s->status_ok[204] && !s->status_ok[301]);
		sources_unref(c);
		arena_fini(&a);
		buf_fini(&probe);
		buf_fini(&messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
