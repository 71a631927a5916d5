/* Cells to samples: maps, NULLs, labels, caps; and JSON pointers. */
#include "tests.h"

#include <stdlib.h>

#include "document.h"
#include "pointer.h"
#include "gauges/rows.h"
#include "sources.h"

struct text_row {
	const char *k, *value;
};

/* Rows of two columns, "k" and "value"; "-" is NULL, "absent" absent. */
static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const struct text_row *row = (const struct text_row *)rows->data + i;
	const char *text = str_eq(key, STR("value")) ? row->value : row->k;

	(void)a;
	if (strcmp(text, "absent") == 0)
		return (struct cell){ .kind = CELL_ABSENT };
	return (struct cell){ .kind = strcmp(text, "-") == 0 ? CELL_NULL : CELL_TEXT, .text = str_of(text) };
}

static void cells_become_samples(void **state)
{
	static const struct {
		const char *name;
		struct text_row rows[3];
		size_t n;
		int null;
		bool labels;
		const char *want;               /* lines of m */
		int success;
	} cases[] = {
		{ "numbers with labels", { { "a", "1" }, { "b", "2.5" } }, 2, GAUGE_NULL_DROP, true, "m{k=\"a\"} 2\nm{k=\"b\"} 5\n", 1 },
		{ "mapped text", { { "a", "OPEN" } }, 1, GAUGE_NULL_DROP, true, "m{k=\"a\"} 2\n", 1 },
		{ "booleans", { { "a", "t" }, { "b", "false" } }, 2, GAUGE_NULL_DROP, true, "m{k=\"a\"} 2\nm{k=\"b\"} 0\n", 1 },
		{ "unknown text fails the query, other rows too", { { "a", "1" }, { "b", "HALF" } }, 2, GAUGE_NULL_DROP, true, "", 0 },
		{ "null drops", { { "a", "-" }, { "b", "1" } }, 2, GAUGE_NULL_DROP, true, "m{k=\"b\"} 2\n", 1 },
		{ "null is zero", { { "a", "-" } }, 1, GAUGE_NULL_ZERO, true, "m{k=\"a\"} 0\n", 1 },
		{ "absent is zero", { { "a", "absent" } }, 1, GAUGE_NULL_ZERO, true, "m{k=\"a\"} 0\n", 1 },
		{ "null is NaN", { { "a", "-" } }, 1, GAUGE_NULL_NAN, true, "m{k=\"a\"} NaN\n", 1 },
		{ "null is an error", { { "a", "1" }, { "b", "-" } }, 2, GAUGE_NULL_ERROR, true, "", 0 },
		{ "no row, zero, no labels", { { NULL, NULL } }, 0, GAUGE_NULL_ZERO, false, "m 0\n", 1 },
		{ "no row, zero, but whose labels?", { { NULL, NULL } }, 0, GAUGE_NULL_ZERO, true, "", 1 },
		{ "no row, error", { { NULL, NULL } }, 0, GAUGE_NULL_ERROR, false, "", 0 },
		{ "a series twice", { { "a", "1" }, { "a", "2" } }, 2, GAUGE_NULL_DROP, true, "", 0 },
		{ "two rows, no labels", { { "a", "1" }, { "b", "2" } }, 2, GAUGE_NULL_DROP, false, "", 0 },
		{ "twice, but one is no series", { { "a", "-" }, { "a", "2" } }, 2, GAUGE_NULL_DROP, true, "m{k=\"a\"} 4\n", 1 },
		{ "over max_series", { { "a", "1" }, { "b", "1" }, { "c", "1" } }, 3, GAUGE_NULL_DROP, true, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct label label = { STR("k"), STR("k") }, map = { STR("OPEN"), STR("1") };
		struct gauge_metric m = { .name = STR("m"), .value = STR("value"), .scale = 2, .family = { "m", EXPO_GAUGE, "h", NULL },
		    .labels = { &label, cases[i].labels ? 1 : 0 }, .map = { &map, 1 } };
		struct gauge_query q = { .name = STR("q"), .metrics = { &m, 1, NULL } };
		struct gauges_settings s = { .max_series = 2, .null = cases[i].null, .queries = { &q, 1, NULL } };
		struct gauge_query_state st = { .failed = true };
		struct gauge_round round = { &s, &st, "test", 1000, 0, expo_set_new(), { 0 }, { 0 } };
		struct gauge_rows rows = { cases[i].n, get, cases[i].rows, NULL };
		struct expo_part part = { round.out, NULL, 0 };
		struct buf page = { 0 }, want = { 0 };

		print_message("  %s\n", cases[i].name);
		gauge_round_take(&round, 0, &rows);
		gauge_round_end(&round);
		expo_write(&page, &part, 1, EXPO_TEXT);
		if (*cases[i].want != '\0')
			buf_printf(&want, "# HELP m h\n# TYPE m gauge\n%s", cases[i].want);
		buf_printf(&want, "# HELP tocsin_gauges_collector_success Whether the query gave its figures last time.\n"
		           "# TYPE tocsin_gauges_collector_success gauge\ntocsin_gauges_collector_success{query=\"q\"} %d\n", cases[i].success);
		assert_string_equal(buf_z(&page), buf_z(&want));
		expo_set_unref(round.out);
		gauge_round_fini(&round);
		buf_fini(&page);
		buf_fini(&want);
	}
}

/* Loads <yaml>; <says> is part of the messages, NULL: it is good. */
static void assert_says(struct str yaml, const char *says)
{
	struct conf_report r = { 0 };
	struct buf messages = { 0 };
	struct sources *c = sources_load_text(STR("x.yml"), yaml, &r);

	conf_report_print(&r, &messages);
	if (c != NULL)
		sources_unref(c);
	if ((c != NULL) != (says == NULL) || (says != NULL && strstr(buf_z(&messages), says) == NULL))
		fail_msg("no \"%s\" in: %s", says, buf_z(&messages));
	conf_report_fini(&r);
	buf_fini(&messages);
}

/* Of two queries the first is shown; but one that failed has shown nothing. */
static void one_series_of_two_queries(void **state)
{
	static const struct text_row good[] = { { "a", "1" } }, bad[] = { { "a", "1" }, { "b", "HALF" } };
	struct label label = { STR("k"), STR("k") };
	struct gauge_metric m = { .name = STR("m"), .value = STR("value"), .scale = 1, .family = { "m", EXPO_GAUGE, "h", NULL },
	    .labels = { &label, 1 } };
	struct gauge_query q[] = { { .name = STR("q"), .metrics = { &m, 1, NULL } }, { .name = STR("p"), .metrics = { &m, 1, NULL } } };
	struct gauges_settings s = { .max_series = 10, .queries = { q, 2, NULL } };

	(void)state;
	for (int first_fails = 0; first_fails < 2; first_fails++) {
		struct gauge_query_state st[2] = { { .failed = true }, { .failed = true } };
		struct gauge_round round = { &s, st, "test", 1000, 0, expo_set_new(), { 0 }, { 0 } };

		gauge_round_take(&round, 0, &(struct gauge_rows){ first_fails ? 2 : 1, get, first_fails ? bad : good, NULL });
		gauge_round_take(&round, 1, &(struct gauge_rows){ 1, get, good, NULL });
		assert_true(st[0].failed == first_fails && st[1].failed == !first_fails);
		expo_set_unref(round.out);
		gauge_round_fini(&round);
	}
}

static void mistakes(void **state)
{
	static const struct { const char *first, *second, *says; } cases[] = {
		{ "name: a", "name: b", NULL },
		{ "name: a, labels: [x]", "name: a", NULL },
		{ "name: a", "name: a, type: counter", "x.yml:2:36: \"a\" is of type gauge and of type counter: a name has one" },
		{ "name: a", "name: a", "x.yml:2:36: \"a\" twice: tell them apart by a label" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 };

		print_message("  %s, %s\n", cases[i].first, cases[i].second);
		buf_printf(&yaml, "gauges: [{ name: g, url: 'postgres://h/d', queries: [{ sql: a, metrics: [{ help: h, %s }] },\n"
		           "               { sql: b, metrics: [{ help: h, %s }] }] }]\n", cases[i].first, cases[i].second);
		assert_says(buf_str(&yaml), cases[i].says);
		buf_fini(&yaml);
	}
}

/* All queries of a Redis go over one connection. */
static void commands(void **state)
{
	static const struct { const char *command, *says; } cases[] = {
		{ "GET, s", NULL }, { "XREAD, COUNT, 1, STREAMS, s, 0", NULL }, { "CLIENT, INFO", NULL }, { "LLEN, select", NULL },
		{ "SELECT, '3'", "SELECT is no query" }, { "select, '3'", "SELECT is no query" }, { "MULTI", "MULTI is no query" },
		{ "HELLO, '3'", "HELLO is no query" }, { "CLIENT, REPLY, 'OFF'", "CLIENT REPLY is no query" },
		{ "blpop, l, '0'", "BLPOP is no query" }, { "XREAD, Block, '0', STREAMS, s, $", "XREAD BLOCK is no query" },
		{ "SUBSCRIBE, x", "SUBSCRIBE is no query" }, { "QUIT", "QUIT is no query" }, { "MONITOR", "MONITOR is no query" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 };

		print_message("  %s\n", cases[i].command);
		buf_printf(&yaml, "redis: [{ name: r, url: 'redis://h' }]\ngauges: [{ name: g, redis: r, queries: [{ command: [%s], "
		           "metrics: [{ name: a, help: h }] }] }]\n", cases[i].command);
		assert_says(buf_str(&yaml), cases[i].says);
		buf_fini(&yaml);
	}
}

/* What would have no effect, or not the one that is meant. */
static void idle_settings(void **state)
{
	static const struct { const char *server, *query, *metric, *says; } cases[] = {
		{ "url: 'http://h'", "path: /x, rows: /y", "value: z, labels: [a, b], scale: -2", NULL },
		{ "url: 'http://h'", "path: '?x=y'", "value: z", NULL },
		{ "url: 'http://h/x'", "path: y", "value: z", NULL },
		{ "url: 'http://hush:8080'", "path: health", "value: z", "path is put behind the host of url as it is: begin it with /" },
		{ "url: 'http://h'", "path: /x", "labels: [a, a]", "the label \"a\" twice" },
		{ "url: 'http://h'", "path: /x", "scale: 0", "scale: a number other than 0" },
		{ "url: 'http://h'", "path: /x", "scale: NaN", "scale: a number other than 0" },
		{ "redis: r", "command: [LLEN, x]", "value: n", "on Redis a row has nothing but value and @key" },
		{ "redis: r", "command: [LLEN, x]", "labels: [queue]", "on Redis a row has nothing but value and @key" },
		{ "redis: r", "command: [LLEN, x]", "labels: { queue: '@key' }", NULL },
		{ "redis: r", "command: [HGETALL, x], rows: paris", "unit: ''", "rows is `pairs` on Redis" },
		{ "redis: r", "command: [LLEN, x], path: /x", "unit: ''", "path is for http://" },
		{ "redis: r, headers: ['a: b']", "command: [LLEN, x]", "unit: ''", "headers and insecure_skip_verify are for http" },
		{ "url: 'postgres://h/d'", "sql: a, rows: /x", "unit: ''", "rows is for JSON and Redis" },
		{ "url: 'postgres://h/d', insecure_skip_verify: true", "sql: a", "unit: ''", "headers and insecure_skip_verify are for http" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 };

		print_message("  %s %s %s\n", cases[i].server, cases[i].query, cases[i].metric);
		buf_printf(&yaml, "redis: [{ name: r, url: 'redis://h' }]\ngauges: [{ name: g, %s, queries: [{ %s, metrics: [{ name: m, help: h, %s }] "
		           "}] }]\n", cases[i].server, cases[i].query, cases[i].metric);
		assert_says(buf_str(&yaml), cases[i].says);
		buf_fini(&yaml);
	}
}

/* Between sources, and with what the exporter has itself. */
static void names(void **state)
{
	static const char head[] = "gauges:\n  - { name: g, url: 'postgres://h/d', queries: [{ sql: a, metrics: [{ help: h, name: first }] }] }\n"
	    "  - { name: k, url: 'postgres://h/d', queries: [{ sql: a, metrics: [{ help: h, ";
	static const struct { const char *metric, *more, *says; } cases[] = {
		{ "name: first", "", NULL },
		{ "name: first, type: counter", "", "x.yml:3:86: \"first\" is of type counter, and of type gauge in the source \"g\": a name has one" },
		{ "name: tocsin_gauges_up", "", "x.yml:3:86: \"tocsin_gauges_up\": names that begin with tocsin_ are the exporter's own" },
		{ "name: pg_up", "", "\"pg_up\" is a metric of the exporter's own, of type gauge: give it another name" },
		{ "name: redis_connected_clients", "", "is a metric of the exporter's own" },
		{ "name: celery_queue_length", "", "is a metric of the exporter's own" },
		{ "name: pg_stat_user_tables_n_live_tup", "", "is a metric of the exporter's own" },
		{ "name: node_load1", "", "names that begin with node_ are" },
		{ "name: pg_shop_orders", "", NULL },
		{ "name: other", "logs: [{ name: l, files: [/x], state: /y, metrics: [{ name: first, help: h, match: x }] }]\n",
		    "x.yml:4:61: \"first\" is of type counter, and of type gauge in the source \"g\"" },
		{ "name: other", "probe: [{ name: p, url: 'http://h', metrics: [{ name: probe_success, help: h }] }]\n",
		    "x.yml:4:55: \"probe_success\": names that begin with probe_ are" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 };

		print_message("  %s %s\n", cases[i].metric, cases[i].more);
		buf_printf(&yaml, "%s%s }] }] }\n%s", head, cases[i].metric, cases[i].more);
		assert_says(buf_str(&yaml), cases[i].says);
		buf_fini(&yaml);
	}
}

/* One mistake does not hide the next, and what is empty is one. */
static void many_mistakes(void **state)
{
	static const struct { const char *yaml, *says[5]; } cases[] = {
		{ "gauges: [{ name: g, url: 'http://h', ca_file: /x, cert_file: /y, interval: often, colour: red, queries: [{ sql: a, metrics: [\n"
		  "  { name: 'a b', help: h, scale: much, map: { a: b }, labels: [source] }] }] }]\n",
		  { "interval", "\"colour\"", "are for https", "belong together", "neither sql nor command" } },
		{ "gauges: [{ name: g, url: 'http://h', queries: [{ metrics: [\n  { name: 'a b', help: h, scale: much, map: { a: b }, labels: [source] }] }] }]\n",
		  { "is no metric name", "\"much\"", "write a number", "cannot be a label" } },
		{ "gauges: [{ name: g, url: 'http://h', queries: [] }]\n", { "queries is empty: What is asked." } },
		{ "gauges: [{ name: g, url: 'http://h', queries: [{ metrics: [] }] }]\n", { "metrics is empty: What becomes of the rows." } },
		{ "logs: [{ name: l, files: [], state: /s, metrics: [] }]\n", { "files is empty: Patterns of files", "metrics is empty: What lines become." } },
		{ "logs: [{ name: l, files: [''], state: /s, metrics: [{ name: 'a b', help: h, match: '[', labels: { le: $1 } }] }]\n",
		  { "files is empty", "is no metric name", "cannot be a label", "x.yml:1:85" } },
		{ "files: [{ name: f, max_entries: x, sets: [{ glob: '' }, { glob: 'a**b/c' }] }]\n", { "glob is empty: Which files", "max_entries", "**" } },
		{ "gauges:\n- { name: a, url: 'http://h', colour: red, queries: [{ metrics: [{ name: n, help: h, value: v }] }] }\n"
		  "- { name: a, postgres: nobody, queries: [{ sql: s, metrics: [{ name: n, help: h, value: v, type: counter }] }] }\n",
		  { "\"colour\"", "a second source named \"a\"", "no source \"nobody\" under postgres", "of type counter, and of type gauge" } },
		{ "logs: [{ name: l }, { name: m }]\n", { "\"state\" is missing", "\"files\" is missing", "x.yml:1:21" } },
		{ "gauges: [null, { name: a }]\nprobe: 3\nredis: [~, x]\n", { "an empty item", "what is to be asked", "probe is a single value", "this is a single value" } },
		{ "celery: [{ poll_interval: x }]\nredis: [{ db: 3 }]\n", { "poll_interval", "\"url\" is missing", "x.yml:2", "\"db\"" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("  %s", cases[i].yaml);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].says) && cases[i].says[k] != NULL; k++)
			assert_says(str_of(cases[i].yaml), cases[i].says[k]);
	}
}

static void pointers(void **state)
{
	static const char text[] = "{\"a\":{\"b/c\":[10,{\"~\":20}]},\"x/y\":30,\"\":40}";
	static const struct { const char *pointer; int want; } cases[] = {
		{ "/a/b~1c/0", 10 }, { "/a/b~1c/1/~0", 20 }, { "x/y", 30 }, { "/x~1y", 30 }, { "/", 40 }, { "/a/b~1c/01", -1 },
		{ "/a/b~1c/2", -1 }, { "/a/b~1c/-1", -1 }, { "/nothing/here", -1 },
	};
	json_t *root = json_loads(text, 0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const json_t *v = pointer_get(root, str_of(cases[i].pointer));

		print_message("  %s\n", cases[i].pointer);
		assert_int_equal(v != NULL ? json_integer_value(v) : -1, cases[i].want);
	}
	assert_ptr_equal(pointer_get(root, STR("")), root);
	assert_false(pointer_is_valid(STR("/a~2")));
	assert_false(pointer_is_valid(STR("/a~")));
	assert_true(pointer_is_valid(STR("a~")));
	json_decref(root);
}

/* Rows of documents as they come. */
static void documents(void **state)
{
	static const struct { const char *text, *rows, *want; } cases[] = {
		{ "\xef\xbb\xbf[{\"k\":\"a\",\"value\":1},{\"k\":\"b\",\"value\":2}]", "", "m{k=\"a\"} 1\nm{k=\"b\"} 2\n" },
		{ "[{\"k\":\"a\",\"value\":1}]", NULL, NULL },
		{ "{\"k\":\"a\",\"value\":1}", NULL, "m{k=\"a\"} 1\n" },
		{ "{\"x\":{\"k\":\"a\",\"value\":1}}", "", "m{k=\"a\"} 1\n" },
		{ "{\"k\":1234567890123456789,\"value\":36893488147419103232}", NULL, "m{k=\"1234567890123456789\"} 3.6893488147419103e+19\n" },
		{ "{\"k\":\"99999999999999999999\\\" 1\",\"value\":-99999999999999999999,\"z\":[18446744073709551616,1e3,-1.5]}", NULL,
		    "m{k=\"99999999999999999999\\\" 1\"} -1e+20\n" },
		{ "99999999999999999999", "", NULL },
		{ "{\"k\":1234567890123456789,\"value\":2}", NULL, "m{k=\"1234567890123456789\"} 2\n" },
		{ "{\"z\":\"\\u0000\",\"k\":\"a\",\"value\":\"10\"}", NULL, "m{k=\"a\"} 10\n" },
		{ "{\"k\":\"a\",\"value\":\"0x10\"}", NULL, NULL },
		{ "{\"k\":\"a\",\"value\":[\"disk\"]}", NULL, NULL },
		{ "{\"k\":\"a\",\"value\":{}}", NULL, NULL },
		{ "{\"k\":{\"x\":1},\"value\":1}", NULL, NULL },
		{ "{\"k\":null,\"value\":1}", NULL, "m 1\n" },
		{ "{\"k\":\"a\",\"value\":null}", NULL, "m{k=\"a\"} 0\n" },
		{ "3", "", NULL },
	};
	json_error_t where;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct label label = { STR("k"), STR("k") };
		struct gauge_metric m = { .name = STR("m"), .value = STR("value"), .scale = 1, .family = { "m", EXPO_GAUGE, "h", NULL },
		    .labels = { &label, 1 } };
		struct gauge_query q = { .name = STR("q"), .rows = str_of(cases[i].rows), .metrics = { &m, 1, NULL } };
		struct gauges_settings s = { .max_series = 9, .null = GAUGE_NULL_ZERO, .queries = { &q, 1, NULL } };
		struct gauge_query_state st = { 0 };
		struct gauge_round round = { &s, &st, "test", 1000, 0, expo_set_new(), { 0 }, { 0 } };
		struct expo_part part = { round.out, NULL, 0 };
		json_t *document = document_read(str_of(cases[i].text), NULL);
		struct buf page = { 0 };

		print_message("  %s\n", cases[i].text);
		assert_non_null(document);
		gauge_json_take(&round, 0, document);
		expo_write(&page, &part, 1, EXPO_TEXT);
		assert_int_equal(st.failed, cases[i].want == NULL);
		if (cases[i].want != NULL)
			assert_non_null(strstr(buf_z(&page), cases[i].want));
		json_decref(document);
		expo_set_unref(round.out);
		gauge_round_fini(&round);
		buf_fini(&page);
	}
	assert_null(document_read(STR(""), NULL));
	assert_null(document_read(STR("\xef\xbb\xbf"), NULL));
	assert_null(document_read(STR("[99999999999999999999, 99999999999999999999, x]"), &where));
	assert_int_equal(where.column, 46);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_become_samples), cmocka_unit_test(one_series_of_two_queries),
		cmocka_unit_test(documents), cmocka_unit_test(commands), cmocka_unit_test(mistakes), cmocka_unit_test(idle_settings),
		cmocka_unit_test(names), cmocka_unit_test(many_mistakes), cmocka_unit_test(pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
