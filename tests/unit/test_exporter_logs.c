/* Lines to counts; and that no line is counted twice or lost, whatever becomes of the files and of us. */
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "logs/counts.h"
#include "logs/logs.h"
#include "sources.h"

static char folder[] = "/tmp/tocsin-logs-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	return chdir(folder);
}

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int tear_down(void **state)
{
	(void)state;
	shell("rm -rf \"$PWD\"");
	return 0;
}

/* Before each test: one that failed has left its files, and the lock of its state, which the next would wait for. */
static int clean(void **state)
{
	(void)state;
	shell("find . -mindepth 1 -delete");
	return 0;
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* ---- A source at work ---- */

struct world {
	struct sources *config;
	struct clock clock;
	void *logs;
};

static void world_init(struct world *w, const char *yaml)
{
	struct conf_report r = { 0 };
	struct buf messages = { 0 };

	*w = (struct world){ .clock = clock_manual(1000000) };
	w->clock.mono = 5000;
	w->config = sources_load_text(STR("x.yml"), str_of(yaml), &r);
	conf_report_print(&r, &messages);
	assert_string_equal(buf_z(&messages), "");
	conf_report_fini(&r);
	buf_fini(&messages);
	w->logs = logs_source_kind.open(w->config->v[0].settings, &w->clock);
}

static void world_fini(struct world *w)
{
	logs_source_kind.close(w->logs);
	sources_unref(w->config);
	shell("rm -rf -- *");
}

static void restart(struct world *w)
{
	logs_source_kind.close(w->logs);
	w->logs = logs_source_kind.open(w->config->v[0].settings, &w->clock);
}

/* As if killed behind the last scrape: nothing it would have done at its end happens. */
static void crash(struct world *w)
{
	shell("[ ! -e state ] || cp state kept");
	logs_source_kind.close(w->logs);
	shell("if [ -e kept ]; then mv kept state; else rm -f state; fi");
	w->logs = logs_source_kind.open(w->config->v[0].settings, &w->clock);
}

static bool scrape(struct world *w, int64_t budget_ms, struct buf *page, struct err *e)
{
	struct source_ask ask = { w->clock.mono + budget_ms, -1, &w->clock };
	struct expo_set *out = expo_set_new();
	struct expo_part part = { out, NULL, 0 };
	bool ok = logs_source_kind.collect(w->logs, &ask, out, e);

	buf_reset(page);
	if (ok)
		expo_write(page, &part, 1, EXPO_TEXT);
	expo_set_unref(out);
	return ok;
}

static double value(struct buf *page, const char *series)
{
	struct buf line = { 0 };
	const char *at;
	double v = -1;

	buf_printf(&line, "\n%s ", series);
	at = strstr(buf_z(page), buf_z(&line));
	if (at != NULL)
		v = strtod(at + line.n, NULL);
	buf_fini(&line);
	return v;
}

/* ---- Lines ---- */

#define GROUPS_10 "(a)?(b)?(c)?(d)?(e)?(f)?(g)?(h)?(i)?(j)?"
#define GROUPS_40 GROUPS_10 GROUPS_10 GROUPS_10 GROUPS_10

static void lines_become_counts(void **state)
{
	static const struct { const char *name, *rule, *lines, *want[4]; } cases[] = {
		{ "born at 0", "match: nothing", "a\n", { "m_total 0" } },
		{ "a pattern anywhere", "match: 'database connection'", "x database connection lost\nother\ndatabase connection\n",
		    { "m_total 2" } },
		{ "a constant label, born at 0", "match: x, labels: { kind: db }", "y\n", { "m_total{kind=\"db\"} 0" } },
		{ "a group as label", "match: 'status=(\\d+) path=(?P<path>\\S+)', labels: { code: $1, path: '${path}' }",
		    "status=500 path=/a\nstatus=500 path=/a\nstatus=404 path=/b\n",
		    { "m_total{code=\"500\",path=\"/a\"} 2", "m_total{code=\"404\",path=\"/b\"} 1" } },
		{ "the last of many groups", "match: '" GROUPS_40 "=(\\w+)', labels: { g: $41 }", "=end\n", { "m_total{g=\"end\"} 1" } },
		{ "a number added", "match: 'sent (\\d+)', value: $1", "sent 10\nsent 5\nsent many\n", { "m_total 15" } },
		{ "JSON fields", "where: { level: ERROR|CRITICAL }, labels: { service: /service }",
		    "{\"level\":\"ERROR\",\"service\":\"api\"}\n{\"level\":\"INFO\",\"service\":\"api\"}\nno json\n{\"level\":\"CRITICAL\"}\n",
		    { "m_total{service=\"api\"} 1", "m_total 1", "tocsin_logs_lines_not_json_total 1" } },
		{ "a pattern in a field", "field: /msg, match: '^cache_miss key=(\\w+)', labels: { key: $1 }",
		    "{\"msg\":\"cache_miss key=odds\"}\n{\"msg\":\"no\",\"x\":\"cache_miss key=odds\"}\n", { "m_total{key=\"odds\"} 1" } },
		{ "numbers and booleans as labels", "labels: { code: /code, ok: /ok }", "{\"code\":500,\"ok\":true}\n",
		    { "m_total{code=\"500\",ok=\"true\"} 1" } },
		{ "a negative count is bad", "match: 'n=(\\S+)', value: $1", "n=-1\nn=nan\nn=2\nn=0x10\n", { "m_total 2",
		    "tocsin_logs_values_bad_total 3" } },
		{ "JSON as it comes", "labels: { id: /id }", "\xef\xbb\xbf{\"id\":1}\n{\"id\":36893488147419103232}\n{\"id\":\"a\",\"z\":\"\\u0000\"}\n",
		    { "m_total{id=\"1\"} 1", "m_total{id=\"3.6893488147419103e+19\"} 1", "m_total{id=\"a\"} 1", "tocsin_logs_lines_not_json_total 0" } },
		{ "carriage returns are no part", "match: 'x$'", "x\r\n", { "m_total 1" } },
		{ "malformed UTF-8", "match: 'u=(.*)', labels: { u: $1 }", "u=a\xff\n", { "m_total{u=\"a\xef\xbf\xbd\"} 1" } },
		{ "a line too long is cut, its rest no line", "match: tail|head", "head 0123456789 tail\nhead\n",
		    { "m_total 2", "tocsin_logs_lines_total 2" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 }, page = { 0 };
		struct err e = { 0 };
		struct world w;

		print_message("  %s\n", cases[i].name);
		buf_printf(&yaml, "logs: [{ name: x, files: a.log, state: state, first: beginning, max_line: 256, metrics: ["
		           "{ name: m_total, help: h, %s }] }]\n", cases[i].rule);
		world_init(&w, buf_z(&yaml));
		append("a.log", cases[i].lines);
		assert_true(scrape(&w, 1000, &page, &e));
		for (size_t k = 0; k < 4 && cases[i].want[k] != NULL; k++)
			if (strstr(buf_z(&page), cases[i].want[k]) == NULL)
				fail_msg("no %s in:\n%s", cases[i].want[k], buf_z(&page));
		world_fini(&w);
		buf_fini(&yaml);
		buf_fini(&page);
	}
}

static void histograms(void **state)
{
	struct buf page = { 0 };
	struct err e = { 0 };
	struct world w;

	(void)state;
	world_init(&w, "logs: [{ name: x, files: a.log, state: state, first: beginning, metrics: ["
	           "{ name: slow_query_seconds, help: h, unit: seconds, type: histogram,"
	           " match: 'Slow query: ([\\d.]+)s', value: $1, buckets: [1, 2] },"
	           "{ name: request_seconds, help: h, type: histogram, value: /duration_ms, scale: 0.001, buckets: [0.1] }] }]\n");
	append("a.log", "Slow query: 1.5s - SELECT 1\nSlow query: 7s\n{\"duration_ms\":50}\nSlow query: s\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "slow_query_seconds_bucket{le=\"1\"}") == 0);
	assert_true(value(&page, "slow_query_seconds_bucket{le=\"2\"}") == 1);
	assert_true(value(&page, "slow_query_seconds_count") == 2 && value(&page, "slow_query_seconds_sum") == 8.5);
	assert_true(value(&page, "request_seconds_sum") == 0.05);
	crash(&w);
	append("a.log", "Slow query: 0.5s\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "slow_query_seconds_bucket{le=\"1\"}") == 1 && value(&page, "slow_query_seconds_sum") == 9);
	world_fini(&w);
	buf_fini(&page);
}

/* ---- The busiest label sets ---- */

static void the_busiest_are_shown(void **state)
{
	struct buf page = { 0 };
	struct err e = { 0 };
	struct world w;
	double total = 0;

	(void)state;
	world_init(&w, "logs: [{ name: x, files: a.log, state: state, first: beginning, metrics: ["
	           "{ name: m_total, help: h, match: 'ip=(\\S+)', labels: { ip: $1 }, top: 2 }] }]\n");
	append("a.log", "ip=a\nip=a\nip=a\nip=b\nip=c\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "m_total{ip=\"a\"}") == 3 && value(&page, "m_total{ip=\"b\"}") == 1);
	assert_true(value(&page, "m_total{ip=\"other\"}") == 1);
	for (int i = 0; i < 20; i++)
		append("a.log", "ip=d\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "m_total{ip=\"a\"}") == 3 && value(&page, "m_total{ip=\"b\"}") == -1);
	/* b's lines went with it; d's first lines are other's */
	total = value(&page, "m_total{ip=\"d\"}") + value(&page, "m_total{ip=\"other\"}");
	assert_true(total == 21 && value(&page, "m_total{ip=\"d\"}") >= 17);
	for (int i = 0; i < 3000; i++) {
		char line[32];

		snprintf(line, sizeof line, "ip=many%d\n", i);
		append("a.log", line);
	}
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "m_total{ip=\"a\"}") == 3 || value(&page, "m_total{ip=\"d\"}") >= 17);
	restart(&w);
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "m_total{ip=\"other\"}") > 0);
	world_fini(&w);
	buf_fini(&page);
}

/* ---- Files and crashes ---- */

enum op { END, WRITE, MOVE, COPY, TRUNCATE, DELETE, SCRAPE, ROTATED, RESTART, CRASH, LATER };

struct step {
	enum op op;
	const char *a, *b;
	double want;                    /* SCRAPE: lines counted so far; ROTATED: rotations until the last scrape */
};

static void run_step(struct world *w, const struct step *s, struct buf *page)
{
	struct buf command = { 0 };
	struct err e = { 0 };

	switch (s->op) {
	case END:
		break;
	case WRITE:
		append(s->a, s->b);
		break;
	case MOVE:
		assert_int_equal(rename(s->a, s->b), 0);
		break;
	case COPY:
		buf_printf(&command, "cp %s %s", s->a, s->b);
		shell(buf_z(&command));
		break;
	case TRUNCATE:
		assert_int_equal(truncate(s->a, 0), 0);
		break;
	case DELETE:
		assert_int_equal(unlink(s->a), 0);
		break;
	case SCRAPE:
		if (!scrape(w, 1000, page, &e))
			fail_msg("%s", e.msg);
		if (value(page, "lines_total") != s->want)
			fail_msg("%g lines, not %g", value(page, "lines_total"), s->want);
		break;
	case ROTATED:
		if (value(page, "tocsin_logs_rotations_total") != s->want)
			fail_msg("%g rotations, not %g", value(page, "tocsin_logs_rotations_total"), s->want);
		break;
	case RESTART:
		restart(w);
		break;
	case CRASH:
		crash(w);
		break;
	case LATER:
		w->clock.mono += 61000;
		w->clock.wall += 61000;
		break;
	}
	buf_fini(&command);
}

#define LONG "a line long enough to be told from others by the bytes it begins with "

static void no_line_twice_or_lost(void **state)
{
	static const struct { const char *name, *files; double truncations; struct step steps[40]; } cases[] = {
		{ "lines as they come", "*.log", 0, { { WRITE, "a.log", "1\n2\n", 0 }, { SCRAPE, 0, 0, 2 }, { SCRAPE, 0, 0, 2 },
		    { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "a line in pieces", "*.log", 0, { { WRITE, "a.log", "1\nhal", 0 }, { SCRAPE, 0, 0, 1 }, { CRASH, 0, 0, 0 },
		    { WRITE, "a.log", "f\n3\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "restart and crash", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n", 0 },
		    { RESTART, 0, 0, 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log", "3\n", 0 }, { CRASH, 0, 0, 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "rotated by renaming, written on", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n",
		    0 },
		    { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log.1", "3\n", 0 }, { WRITE, "a.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 },
		    { WRITE, "a.log.1", "5\n", 0 }, { WRITE, "a.log", "6\n", 0 }, { SCRAPE, 0, 0, 6 }, { LATER, 0, 0, 0 }, { SCRAPE, 0, 0, 6 },
		    { WRITE, "a.log", "7\n", 0 }, { SCRAPE, 0, 0, 7 } } },
		{ "rotated mid-line", "*.log", 0, { { WRITE, "a.log", "1\nha", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "a.log.1", 0 },
		    { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log.1", "lf\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "rotated mid-line, never finished", "*.log", 0, { { WRITE, "a.log", "1\nha", 0 }, { SCRAPE, 0, 0, 1 },
		    { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 2 }, { LATER, 0, 0, 0 }, { SCRAPE, 0, 0, 3 },
		    { CRASH, 0, 0, 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "rotated while we were away", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n", 0 },
		    { CRASH, 0, 0, 0 }, { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "rotated twice while we were away", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n",
		    0 },
		    { CRASH, 0, 0, 0 }, { MOVE, "a.log", "a.log.2", 0 }, { WRITE, "a.log.1", "3\n4\n", 0 }, { WRITE, "a.log", "5\n", 0 },
		    { SCRAPE, 0, 0, 5 }, { SCRAPE, 0, 0, 5 } } },
		{ "rotated twice between scrapes", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { MOVE, "a.log", "a.log.2", 0 }, { WRITE, "a.log.1", "3\n4\n", 0 }, { WRITE, "a.log", "5\n", 0 }, { SCRAPE, 0, 0, 4 } } },
		{ "seen between two rotations", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "a.log.2", 0 },
		    { SCRAPE, 0, 0, 1 }, { WRITE, "a.log.1", "2\n3\n", 0 }, { WRITE, "a.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 }, { SCRAPE, 0, 0, 4 } } },
		{ "seen between two rotations, then away", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { MOVE, "a.log", "a.log.2", 0 }, { SCRAPE, 0, 0, 1 }, { CRASH, 0, 0, 0 }, { WRITE, "a.log.1", "2\n3\n", 0 },
		    { WRITE, "a.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 } } },
		{ "moved away and back", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "b", 0 },
		    { SCRAPE, 0, 0, 1 }, { MOVE, "b", "a.log", 0 }, { WRITE, "a.log", "2\n", 0 }, { SCRAPE, 0, 0, 2 },
		    { MOVE, "a.log", "a.log.2", 0 }, { WRITE, "a.log.1", "3\n", 0 }, { WRITE, "a.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 } } },
		{ "copied over what was moved while we were away", "*.log", 1, { { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", LONG "2\n", 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log", LONG "3\n", 0 },
		    { CRASH, 0, 0, 0 }, { COPY, "a.log", "a.log.1", 0 }, { TRUNCATE, "a.log", 0, 0 }, { SCRAPE, 0, 0, 3 },
		    { WRITE, "a.log", LONG "4\n", 0 }, { SCRAPE, 0, 0, 4 } } },
		{ "rotated, the pattern finds both", "a.log*", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n",
		    0 },
		    { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 }, { LATER, 0, 0, 0 }, { SCRAPE, 0, 0, 3 },
		    { CRASH, 0, 0, 0 }, { MOVE, "a.log.1", "a.log.2", 0 }, { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", "4\n", 0 },
		    { SCRAPE, 0, 0, 4 } } },
		{ "rotated, the pattern finds both, the old name first", "a*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { MOVE, "a.log", "a.1.log", 0 }, { WRITE, "a.log", "2\n", 0 }, { SCRAPE, 0, 0, 2 }, { ROTATED, 0, 0, 1 },
		    { WRITE, "a.1.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 }, { MOVE, "a.1.log", "a.2.log", 0 }, { MOVE, "a.log", "a.1.log", 0 },
		    { SCRAPE, 0, 0, 3 }, { ROTATED, 0, 0, 1 }, { WRITE, "a.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 }, { ROTATED, 0, 0, 2 },
		    { CRASH, 0, 0, 0 }, { SCRAPE, 0, 0, 4 }, { ROTATED, 0, 0, 2 } } },
		{ "renamed, and written on", "*.log*", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "b.log", 0 },
		    { WRITE, "b.log", "2\n", 0 }, { SCRAPE, 0, 0, 2 }, { ROTATED, 0, 0, 0 }, { MOVE, "b.log", "b.log.1", 0 },
		    { WRITE, "b.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 }, { ROTATED, 0, 0, 1 }, { MOVE, "b.log", "a.log", 0 },
		    { SCRAPE, 0, 0, 3 }, { MOVE, "a.log", "b.log", 0 }, { WRITE, "b.log", "4\n", 0 }, { SCRAPE, 0, 0, 4 },
		    { ROTATED, 0, 0, 1 } } },
		{ "begins as the one beside does", "*.log*", 0, { { WRITE, "a.log", "0\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { WRITE, "a.log.w", "0\n1\n2\n", 0 }, { SCRAPE, 0, 0, 4 }, { WRITE, "a.log.w", "3\n", 0 }, { SCRAPE, 0, 0, 5 } } },
		{ "begins as the one beside does, and grows", "*.log*", 0, { { WRITE, "a.log", "0\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { WRITE, "a.log.w", "0\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log.w", "1\n2\n", 0 }, { SCRAPE, 0, 0, 4 },
		    { WRITE, "a.log.w", "3\n", 0 }, { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 6 } } },
		{ "copied, and neither truncated", "*.log*", 0, { { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { COPY, "a.log", "a.log.kept", 0 }, { SCRAPE, 0, 0, 1 }, { LATER, 0, 0, 0 }, { WRITE, "a.log", LONG "2\n", 0 },
		    { SCRAPE, 0, 0, 2 }, { COPY, "a.log", "a.log.kept", 0 }, { SCRAPE, 0, 0, 2 }, { CRASH, 0, 0, 0 }, { SCRAPE, 0, 0, 2 } } },
		{ "copied into what was moved, which got another name, while we were away", "a.log*", 1, {
		    { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", LONG "2\n", 0 },
		    { SCRAPE, 0, 0, 2 }, { MOVE, "a.log.1", "a.log.2", 0 }, { MOVE, "a.log", "a.log.1", 0 }, { WRITE, "a.log", LONG "3\n", 0 },
		    { SCRAPE, 0, 0, 3 }, { WRITE, "a.log", LONG "4\n", 0 }, { SCRAPE, 0, 0, 4 }, { CRASH, 0, 0, 0 },
		    { WRITE, "a.log", LONG "5\n", 0 }, { COPY, "a.log", "a.log.2", 0 }, { MOVE, "a.log.1", "x", 0 },
		    { MOVE, "a.log.2", "a.log.1", 0 }, { MOVE, "x", "a.log.2", 0 }, { TRUNCATE, "a.log", 0, 0 },
		    { WRITE, "a.log", LONG "6\n", 0 }, { SCRAPE, 0, 0, 6 }, { SCRAPE, 0, 0, 6 } } },
		{ "compressed when rotated", "a.log*", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { MOVE, "a.log", "a.log.1", 0 },
		    { WRITE, "a.log", "2\n", 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log.1.gz", "\x1f\x8b\n\n\n", 0 }, { DELETE, "a.log.1", 0, 0 },
		    { SCRAPE, 0, 0, 2 }, { LATER, 0, 0, 0 }, { SCRAPE, 0, 0, 2 } } },
		{ "copied and truncated", "*.log", 1, { { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", LONG "2\n", 0 },
		    { COPY, "a.log", "a.log.1", 0 }, { TRUNCATE, "a.log", 0, 0 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 },
		    { SCRAPE, 0, 0, 3 } } },
		{ "copied and truncated while we were away", "*.log", 1, { { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { WRITE, "a.log", LONG "2\n", 0 }, { CRASH, 0, 0, 0 }, { COPY, "a.log", "a.log.1", 0 }, { TRUNCATE, "a.log", 0, 0 },
		    { SCRAPE, 0, 0, 2 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "copied and truncated, the pattern finds both", "a.log*", 1, { { WRITE, "a.log", LONG "1\n", 0 }, { SCRAPE, 0, 0, 1 },
		    { WRITE, "a.log", LONG "2\n", 0 }, { COPY, "a.log", "a.log.1", 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log", LONG "3\n", 0 },
		    { SCRAPE, 0, 0, 3 }, { TRUNCATE, "a.log", 0, 0 }, { SCRAPE, 0, 0, 3 }, { WRITE, "a.log", LONG "4\n", 0 }, { CRASH, 0, 0, 0 },
		    { SCRAPE, 0, 0, 4 } } },
		{ "truncated and grown beyond", "*.log", 1, { { WRITE, "a.log", "first 1\n", 0 }, { SCRAPE, 0, 0, 1 }, { TRUNCATE, "a.log", 0,
		    0 },
		    { WRITE, "a.log", "second 1\nsecond 2\n", 0 }, { SCRAPE, 0, 0, 3 } } },
		{ "the same banner after truncation", "*.log", 1, { { WRITE, "a.log", "ha\n1\n", 0 }, { SCRAPE, 0, 0, 2 },
		    { TRUNCATE, "a.log", 0, 0 }, { WRITE, "a.log", "ha\n2\n3\n", 0 }, { SCRAPE, 0, 0, 5 } } },
		{ "a new file beside", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "b.log", "2\n3\n", 0 },
		    { SCRAPE, 0, 0, 3 } } },
		{ "removed and made anew", "*.log", 0, { { WRITE, "a.log", "1\n", 0 }, { SCRAPE, 0, 0, 1 }, { WRITE, "a.log", "2\n", 0 },
		    { DELETE, "a.log", 0, 0 }, { SCRAPE, 0, 0, 2 }, { WRITE, "a.log", "3\n", 0 }, { SCRAPE, 0, 0, 3 } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf yaml = { 0 }, page = { 0 };
		struct world w;

		print_message("  %s\n", cases[i].name);
		buf_printf(&yaml, "logs: [{ name: x, files: '%s', state: state, first: beginning, metrics: "
		           "[{ name: lines_total, help: h, match: '[0-9]|ha' }] }]\n", cases[i].files);
		world_init(&w, buf_z(&yaml));
		for (const struct step *s = cases[i].steps; s->op != END; s++)
			run_step(&w, s, &page);
		assert_true(value(&page, "tocsin_logs_truncations_total") == cases[i].truncations);
		world_fini(&w);
		buf_fini(&yaml);
		buf_fini(&page);
	}
}

static void write_at(const char *path, const char *text, off_t at)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

/* A writer that does not append goes on where it was when the file is truncated under it: what it skips is no line, however much. */
static void holes(void **state)
{
	struct buf page = { 0 };
	struct err e = { 0 };
	struct world w;

	(void)state;
	world_init(&w, "logs: [{ name: x, files: a.log, state: state, first: beginning, max_line: 1KiB, metrics: "
	           "[{ name: lines_total, help: h, match: '^n=' }] }]\n");
	append("a.log", "n=1\nn=2\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_int_equal(truncate("a.log", 0), 0);
	write_at("a.log", "n=3\n", 8);
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 3);
	crash(&w);
	write_at("a.log", "n=4\n", 12);
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 4);
	assert_int_equal(truncate("a.log", 0), 0);
	write_at("a.log", "n=5\nn=6\n", (off_t)1 << 40);      /* not read byte by byte */
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 6);
	assert_true(value(&page, "tocsin_logs_lines_total") == 6 && value(&page, "tocsin_logs_lines_cut_total") == 0);
	world_fini(&w);
	buf_fini(&page);
}

static void begins_at_the_end(void **state)
{
	struct buf page = { 0 };
	struct err e = { 0 };
	struct world w;

	(void)state;
	world_init(&w, "logs: [{ name: x, files: '*.log', state: state, metrics: [{ name: lines_total, help: h }] }]\n");
	append("a.log", "old 1\nold 2\nhalf");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 0);
	append("a.log", " a line\n");
	append("b.log", "new\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 2);
	restart(&w);
	append("c.log", "new\n");
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 3);
	world_fini(&w);
	buf_fini(&page);
}

/* A scrape never shows what a crash could undo. */
static void faults(void **state)
{
	static const char yaml[] = "logs: [{ name: x, files: '*.log', state: s/state, first: beginning, max_files: 2, metrics: "
	    "[{ name: lines_total, help: h }] }]\n";
	struct buf page = { 0 };
	struct err e = { 0 };
	struct world w, other;

	(void)state;
	world_init(&w, yaml);
	append("a.log", "1\n");
	assert_false(scrape(&w, 1000, &page, &e));
	assert_string_equal(e.msg, "state file s/state: cannot make its lock: No such file or directory");
	shell("mkdir s; echo '{' > s/state");
	e = (struct err){ 0 };
	assert_false(scrape(&w, 1000, &page, &e));
	assert_non_null(strstr(e.msg, "state file s/state is damaged (remove it to begin anew): "));
	shell("rm s/state; mkdir s/state.new");
	e = (struct err){ 0 };
	assert_false(scrape(&w, 1000, &page, &e));
	assert_string_equal(e.msg, "state file s/state: cannot be written: Is a directory");
	shell("rmdir s/state.new");
	e = (struct err){ 0 };
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == 1);
	world_init(&other, yaml);
	assert_false(scrape(&other, 10, &page, &e));
	assert_string_equal(e.msg, "state file s/state: another exporter or source uses it");
	append("b.log", "2\n");
	append("c.log", "3\n");
	e = (struct err){ 0 };
	assert_false(scrape(&w, 1000, &page, &e));
	assert_string_equal(e.msg, "more than 2 files (max_files)");
	logs_source_kind.close(other.logs);
	sources_unref(other.config);
	world_fini(&w);
	buf_fini(&page);
}

static void catches_up_before_it_answers(void **state)
{
	struct buf page = { 0 }, text = { 0 };
	struct err e = { 0 };
	struct world w;

	(void)state;
	world_init(&w, "logs: [{ name: x, files: a.log, state: state, first: beginning, metrics: [{ name: lines_total, help: h }] }]\n");
	while (text.n < 1000000)
		buf_putz(&text, "0123456789012345678901234567890\n");
	append("a.log", buf_z(&text));
	assert_false(scrape(&w, 0, &page, &e));         /* time is up after the first piece */
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_non_null(strstr(e.msg, "catching up: "));
	crash(&w);
	e = (struct err){ 0 };
	assert_true(scrape(&w, 1000, &page, &e));
	assert_true(value(&page, "lines_total") == (double)(text.n / 32));
	world_fini(&w);
	buf_fini(&text);
	buf_fini(&page);
}

/* ---- Settings ---- */

static void mistakes(void **state)
{
	static const struct { const char *rule, *says; } cases[] = {
		{ "match: '('", "missing" },
		{ "match: 'a(b)', labels: { x: $2 }", "\"$2\" names no group of match" },
		{ "match: 'a(b)', labels: { x: '${y}z' }", "\"${y}z\" names no group of match" },
		{ "match: '" GROUPS_40 GROUPS_40 "'", "80 groups: at most 64 (LOGS_GROUPS_MAX)" },
		{ "type: histogram, match: a", "a histogram needs a value" },
		{ "match: a, buckets: [1]", "a counter has no buckets" },
		{ "type: histogram, value: /x, buckets: [2, 1]", "buckets must rise" },
		{ "match: a, labels: { source: x }", "\"source\" cannot be a label here" },
		{ "labels: { x: '/a~2' }", "is no JSON pointer" },
		{ "match: a }, { name: m_total, help: h, match: b", "\"m_total\" twice: tell them apart by a label" },
		{ "where: { level: '[' }", "missing" },
		{ "unit: seconds, name2: x", "name2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_report r = { 0 };
		struct buf yaml = { 0 }, messages = { 0 };

		print_message("  %s\n", cases[i].rule);
		buf_printf(&yaml, "logs: [{ name: x, files: a.log, state: s, metrics: [{ name: m_total, help: h, %s }] }]\n", cases[i].rule);
		assert_null(sources_load_text(STR("x.yml"), buf_str(&yaml), &r));
		conf_report_print(&r, &messages);
		if (strstr(buf_z(&messages), cases[i].says) == NULL)
			fail_msg("no \"%s\" in: %s", cases[i].says, buf_z(&messages));
		conf_report_fini(&r);
		buf_fini(&yaml);
		buf_fini(&messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_become_counts, clean),
		cmocka_unit_test_setup(histograms, clean),
		cmocka_unit_test_setup(the_busiest_are_shown, clean),
		cmocka_unit_test_setup(no_line_twice_or_lost, clean),
		cmocka_unit_test_setup(holes, clean),
		cmocka_unit_test_setup(begins_at_the_end, clean),
		cmocka_unit_test_setup(faults, clean),
		cmocka_unit_test_setup(catches_up_before_it_answers, clean),
		cmocka_unit_test_setup(mistakes, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
