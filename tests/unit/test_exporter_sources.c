/* The exporter's file: what it makes of good ones, and every word it says about bad ones. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "sources.h"
#include "gauges/gauges.h"
#include "postgres/postgres.h"

static struct sources *load(const char *yaml, struct buf *messages)
{
	struct conf_report r = { 0 };
	struct sources *c = sources_load_text(STR("x.yml"), str_of(yaml), &r);

	conf_report_print(&r, messages);
	conf_report_fini(&r);
	return c;
}

static void many_sources_of_each_kind(void **state)
{
	struct buf messages = { 0 };
	struct sources *c = load("postgres:\n"
	                        "  - { name: main, url: 'postgres://u:secret@h:5433/shop', disable: [locks] }\n"
	                        "  - { name: copy, url: 'host=h2 dbname=shop', timeout: 2s }\n"
	                        "gauges:\n"
	                        "  - name: business\n"
	                        "    postgres: main\n"
	                        "    queries:\n"
	                        "      - sql: SELECT tier, count(*) AS n FROM t GROUP BY 1\n"
	                        "        metrics: [{ name: subscribers, help: Who pays., value: n, labels: [tier] }]\n", &messages);
	const struct gauges_settings *g;
	struct arena a = { 0 };

	(void)state;
	assert_string_equal(buf_z(&messages), "");
	assert_non_null(c);
	assert_int_equal(c->n, 3);
	assert_int_equal(c->v[0].settings->timeout_ms, 5000);
	assert_int_equal(c->v[1].settings->timeout_ms, 2000);
	assert_string_equal(c->v[0].kind->describe(&a, c->v[0].settings).p, "h:5433/shop");
	g = sources_find(c, "gauges", STR("business"));
	assert_ptr_equal(g->pg, sources_find(c, "postgres", STR("main")));
	assert_string_equal(((const struct gauge_query *)g->queries.v)[0].name.p, "subscribers");
	assert_string_equal(c->v[2].kind->describe(&a, g).p, "h:5433/shop");
	sources_unref(c);
	arena_fini(&a);
	buf_fini(&messages);
}

static void every_mistake_its_messages(void **state)
{
	static const char want[] =
	    "x.yml:2:26: no collector \"lcoks\": did you mean \"locks\"?\n";
	struct buf messages = { 0 };
	struct sources *c = load("postgres:\n"
	                        "  - { name: a, disable: [lcoks], url: 'host=h' }\n"
	                        "  - { name: b, urll: x }\n"
	                        "  - name: c\n"
	                        "    url: 'postgres://u:hush@h:port/%zz'\n"
	                        "gauges:\n"
	                        "  - { name: g, postgres: nowhere, timeout: soon, queries: [] }\n"
	                        "rediss: []\n", &messages);

	(void)state;
	assert_null(c);
	assert_non_null(strstr(buf_z(&messages), want));
	assert_non_null(strstr(buf_z(&messages), "x.yml:3:16: "));
	assert_non_null(strstr(buf_z(&messages),
	    "x.yml:5:10: not an address of a Postgres server: postgres://user:password@host:5432/database\n"));
	assert_non_null(strstr(buf_z(&messages), "x.yml:7:44: "));
	assert_non_null(strstr(buf_z(&messages), "x.yml:8:1: "));
	assert_null(strstr(buf_z(&messages), "hush"));
	buf_fini(&messages);
}

static void names_are_unique_and_links_are_checked(void **state)
{
	struct buf messages = { 0 };

	(void)state;
	assert_null(load("postgres:\n  - { name: a, url: host=h }\n  - { name: a, url: host=h }\n", &messages));
	assert_non_null(strstr(buf_z(&messages), "x.yml:3:5: a second source named \"a\""));
	buf_reset(&messages);
	assert_null(load("gauges:\n  - { name: g, postgres: none, queries: [{ sql: q, metrics: [{ name: m, help: h }] }] }\n", &messages));
	assert_non_null(strstr(buf_z(&messages), "x.yml:2:26: no source \"none\" under postgres"));
	buf_reset(&messages);
	assert_null(load("redis:\n  - { name: '', url: 'redis://h' }\n", &messages));
	assert_non_null(strstr(buf_z(&messages), "x.yml:2:5: name is empty"));
	buf_fini(&messages);
}

/* Who wrote them believes that they do something. */
static void settings_that_would_do_nothing(void **state)
{
	static const struct { const char *yaml, *want; } cases[] = {
		{ "redis: [{ name: a, url: 'redis://h', tls: { ca_file: /x } }]", "x.yml:1:43: tls has settings, and the url has no TLS: write rediss://\n" },
		{ "redis: [{ name: a, url: 'rediss://h', tls: { ca_file: /x } }]", "" },
		{ "modules: [{ name: a, allow: [x], redis: { url: 'redis://{target}', tls: { insecure_skip_verify: true } } }]",
		    "x.yml:1:73: tls has settings, and the url has no TLS: write rediss://\n" },
		{ "modules: [{ name: a, allow: [x], redis: { url: '{target}', tls: { ca_file: /x } } }]", "" },
		{ "redis: [{ name: a, url: 'redis://h', cluster_discover_hostnames: true }]",
		    "x.yml:1:66: only nodes of a cluster are looked for: write cluster: true\n" },
		{ "postgres: [{ name: a, url: host=h, enable: [wal, locks], disable: [roles, locks] }]",
		    "x.yml:1:75: collector \"locks\" is under enable and under disable: leave it in one\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf messages = { 0 };
		struct sources *c = load(cases[i].yaml, &messages);

		if (*cases[i].want == '\0')
			assert_string_equal(buf_z(&messages), "");
		else
			assert_non_null(strstr(buf_z(&messages), cases[i].want));
		assert_int_equal(c != NULL, *cases[i].want == '\0');
		if (c != NULL)
			sources_unref(c);
		buf_fini(&messages);
	}
}

/* One state file has many spellings. */
static void state_files_are_told_apart(void **state)
{
	static const struct { const char *first, *second; bool same; } cases[] = {
		{ "s", "s", true }, { "s", "t", false }, { "/tmp/s", "/tmp/../tmp/./s", true }, { "/proc/self/s", "/proc/thread-self/../../s", true },
		{ "/nowhere/s", "/nowhere/s", true }, { "/dev/stdin", "/proc/self/fd/0", true },
	};

	(void)state;
	assert_non_null(freopen("/dev/null", "r", stdin)); /* a pipe has no path */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 }, messages = { 0 };
		struct sources *c;

		print_message("  %s, %s\n", cases[i].first, cases[i].second);
		buf_printf(&yaml, "logs:\n  - { name: a, files: x, state: %s, metrics: [{ name: m, help: h }] }\n"
		           "  - { name: b, files: x, state: %s, metrics: [{ name: m, help: h }] }\n", cases[i].first, cases[i].second);
		c = load(buf_z(&yaml), &messages);
		assert_int_equal(c == NULL, cases[i].same);
		if (c != NULL)
			sources_unref(c);
		else
			assert_non_null(strstr(buf_z(&messages), "x.yml:3:33: state is that of \"a\" too"));
		buf_fini(&yaml);
		buf_fini(&messages);
	}
}

static char *fake_getenv(const char *name)
{
	static char url[] = "postgres://u:p@h/db";

	return strcmp(name, "DATABASE_URL") == 0 ? url : NULL;
}

static void environment_makes_sources(void **state)
{
	struct conf_report r = { 0 };
	struct sources *c;

	(void)state;
	setenv("DATABASE_URL", fake_getenv("DATABASE_URL"), 1);
	c = sources_load_environment(fake_getenv, &r);
	assert_int_equal(r.n_errors, 0);
	assert_int_equal(c->n, 1);
	assert_string_equal(c->v[0].settings->name.p, "postgres");
	assert_string_equal(((const struct pg_settings *)(const void *)c->v[0].settings)->url.p, "postgres://u:p@h/db");
	sources_unref(c);
	conf_report_fini(&r);
}

/* A reload leaves alone what has not changed, and renews what names something that has. */
static void fingerprints(void **state)
{
	static const char shape[] = "postgres: [{ name: main, url: 'host=%s' }, { name: other, url: 'host=b' }]\n"
	    "gauges: [{ name: g, postgres: main, queries: [{ sql: q, metrics: [{ name: m, help: h }] }] }]\n";
	struct buf text = { 0 }, messages = { 0 };
	struct sources *c[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		buf_reset(&text);
		buf_printf(&text, shape, i == 0 ? "a" : "changed");
		c[i] = load(buf_z(&text), &messages);
		assert_non_null(c[i]);
	}
	assert_false(str_eq(c[0]->v[0].fingerprint, c[1]->v[0].fingerprint));
	assert_true(str_eq(c[0]->v[1].fingerprint, c[1]->v[1].fingerprint));
	assert_false(str_eq(c[0]->v[2].fingerprint, c[1]->v[2].fingerprint));
	sources_unref(c[0]);
	sources_unref(c[1]);
	buf_fini(&text);
	buf_fini(&messages);
}

static void kinds_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; source_kinds[i] != NULL; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(source_kinds[i]->name, source_kinds[j]->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_sources_of_each_kind),
		cmocka_unit_test(every_mistake_its_messages),
		cmocka_unit_test(names_are_unique_and_links_are_checked), cmocka_unit_test(state_files_are_told_apart),
		cmocka_unit_test(settings_that_would_do_nothing),
		cmocka_unit_test(environment_makes_sources),
		cmocka_unit_test(fingerprints),
		cmocka_unit_test(kinds_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
