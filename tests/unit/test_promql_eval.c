/* The evaluator beyond what Prometheus's own scripts cover: lost series held, data that does not reach back, budgets, what is
 * remembered when series come and go, names dropped at once. Scripts of ours are in the same dialect. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "promql/script/notation.h"
#include "promql/script/ram.h"
#include "promql/script/script.h"

struct world {
	struct ram *ram;
	struct arena arena;
	struct promql_options options;
	struct promql_query *query;
};

static struct labels read_labels(struct world *w, const char *text)
{
	struct str s = str_of(text);
	struct labels l;
	struct err e = { 0 };

	if (!notation_read_labels(&w->arena, &s, &l, &e))
		fail_msg("%s: %s", text, e.msg);
	return l;
}

/* Samples of <line> from <from_ms> on, 10 s apart. */
static void load(struct world *w, const char *line, int64_t from_ms)
{
	struct str s = str_of(line);
	struct notation_value *v;
	struct labels l;
	struct err e = { 0 };
	size_t n;

	if (!notation_read_labels(&w->arena, &s, &l, &e) || !notation_read_values(&w->arena, s, &v, &n, &e))
		fail_msg("%s: %s", line, e.msg);
	for (size_t i = 0; i < n; i++)
		if (v[i].kind != NOTATION_NONE)
			ram_append(w->ram, l, from_ms + (int64_t)i * 10000, v[i].v, v[i].h, 0);
}

static struct world world_new(void)
{
	return (struct world){ .ram = ram_new() };
}

static void world_free(struct world *w)
{
	promql_query_free(w->query);
	ram_free(w->ram);
	arena_fini(&w->arena);
}

static void prepare(struct world *w, const char *text)
{
	struct err e = { 0 };

	promql_query_free(w->query);
	w->query = promql_query_new(str_of(text), &w->options, &e);
	if (w->query == NULL)
		fail_msg("%s: %s", text, e.msg);
}

static struct promql_result *instant(struct world *w, int64_t t_ms)
{
	struct err e = { 0 };
	struct promql_result *r = promql_instant(w->query, &w->arena, ram_querier(w->ram), t_ms, &e);

	if (r == NULL)
		fail_msg("%s", e.msg);
	return r;
}

/* The vector as text, elements apart by spaces. */
static const char *shown(struct world *w, const struct promql_result *r)
{
	struct str out = { "", 0 };

	for (size_t i = 0; i < r->n_vector; i++) {
		struct buf b = { 0 };

		labels_print(&b, r->vector[i].labels);
		out = arena_printf(&w->arena, STR_FMT "%s" STR_FMT "=%g", STR_ARG(out), i == 0 ? "" : " ", STR_ARG(buf_str(&b)), r->vector[i].v);
		buf_fini(&b);
	}
	return arena_strz(&w->arena, out);
}

static void lost_series_are_held(void **state)
{
	static const struct {
		const char *name, *query, *now, *held;
		bool read_lost;
	} cases[] = {
		{ "an instant value", "up", "up{i=\"b\"}=1", "up{i=\"a\"}=0 up{i=\"b\"}=1", true },
		{ "a comparison", "up == 0", "", "up{i=\"a\"}=0", true },
		{ "a rate keeps its window", "rate(c_total[1m])", "", "{}=1", true },
		{ "so does an offset", "c_total offset 20s", "", "c_total=110", true },
		{ "and a subquery", "max_over_time(c_total[1m:10s])", "", "{}=110", true },
		{ "absence is not known", "absent(c_total)", "{}=1", "", true },
		{ "another series does not matter", "gone", "", "", false },
		{ "nor a fresh one", "up{i=\"b\"}", "up{i=\"b\"}=1", "up{i=\"b\"}=1", false },
	};
	struct world w = world_new();
	struct err e = { 0 };

	(void)state;
	/* a: lost at 110 s; b: alive; gone: properly ended. Asked at 600 s. */
	load(&w, "up{i=\"a\"} 0x11 stale", 0);
	load(&w, "up{i=\"b\"} 1x60", 0);
	load(&w, "c_total 0+10x11 stale", 0);
	load(&w, "gone 7x11 stale", 0);
	ram_set_lost(w.ram, read_labels(&w, "up{i=\"a\"}"), 110000);
	ram_set_lost(w.ram, read_labels(&w, "c_total"), 110000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct promql_result *r, *held;

		prepare(&w, cases[i].query);
		r = instant(&w, 600000);
		held = promql_instant_held(w.query, &w.arena, ram_querier(w.ram), 600000, PROMQL_HOLD_LAST, &e);
		assert_non_null(held);
		if (strcmp(shown(&w, r), cases[i].now) != 0)
			fail_msg("%s: now %s", cases[i].name, shown(&w, r));
		if (strcmp(shown(&w, held), cases[i].held) != 0)
			fail_msg("%s: held %s", cases[i].name, shown(&w, held));
		assert_int_equal(r->read_lost, cases[i].read_lost);
	}
	world_free(&w);
}

static void budgets_end_a_query(void **state)
{
	static const struct {
		const char *query, *message;
		struct promql_limits limits;
	} cases[] = {
		{ "x", "query selects more than max_series=2 series: 3", { .max_series = 2 } },
		{ "x", "query needs more than max_samples=2 samples: 3 series at 1 steps, and 0 before", { .max_samples = 2 } },
		{ "max_over_time(x[1m:1s])", "query needs more than max_samples=100 samples: 3 series at 1 steps, and 99 before",
		  { .max_samples = 100 } },
		{ "absent_over_time((absent(nothing))[290y:1ms])", "subquery needs more than max_samples=50000000 steps: 9145440000000",
		  { .max_samples = 0 } },
		{ "sum(x)", NULL, { .max_samples = 4 } },
		{ "sum_over_time(x[1h])", "query needs more than max_samples=5 samples: one series has 11", { .max_samples = 5 } },
		{ "h", "query needs more than max_samples=5 samples: a native histogram counts by its size", { .max_samples = 5 } },
		{ "rate(h[10m])", "query needs more than max_samples=5 samples: a native histogram counts by its size",
		  { .max_samples = 5 } },
		{ "histogram_count(h)", NULL, { .max_samples = 30 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w = world_new();
		struct err e = { 0 };
		struct promql_result *r;

		for (int k = 0; k < 3; k++) {
			char line[64];

			snprintf(line, sizeof line, "x{k=\"%d\"} 0+1x10", k);
			load(&w, line, 0);
		}
		load(&w, "h {{count:3 buckets:[1 2]}}x3", 0);
		w.options.limits = cases[i].limits;
		prepare(&w, cases[i].query);
		r = promql_instant(w.query, &w.arena, ram_querier(w.ram), 100000, &e);
		if (cases[i].message == NULL)
			assert_non_null(r);
		else
			assert_string_equal(e.msg, cases[i].message);
		world_free(&w);
	}
}

static void a_range_query_has_its_own_budget(void **state)
{
	struct world w = world_new();
	struct err e = { 0 };

	(void)state;
	w.options.limits.max_points = 10;
	prepare(&w, "x");
	assert_null(promql_range(w.query, &w.arena, ram_querier(w.ram), 0, 11000, 1000, &e));
	assert_string_equal(e.msg, "exceeded maximum resolution of max_points=10 points per timeseries: try a larger step");
	assert_int_equal(e.code, ERR_BAD_INPUT);
	e = (struct err){ 0 };
	assert_null(promql_range(w.query, &w.arena, ram_querier(w.ram), 10, 0, 1000, &e));
	assert_string_equal(e.msg, "end time is before start time");
	e = (struct err){ 0 };
	prepare(&w, "x[5m]");
	assert_null(promql_range(w.query, &w.arena, ram_querier(w.ram), 0, 10, 1000, &e));
	assert_string_equal(e.msg, "invalid expression type \"range vector\" for range query, must be scalar or instant vector");
	world_free(&w);
}

static void a_deadline_ends_a_query(void **state)
{
	struct clock clock = clock_manual(0);
	struct world w = world_new();
	struct err e = { 0 };

	(void)state;
	w.options.clock = &clock;
	w.options.limits.timeout_ms = -1;       /* the manual clock stands still: past already */
	prepare(&w, "x");
	assert_null(promql_instant(w.query, &w.arena, ram_querier(w.ram), 0, &e));
	assert_int_equal(e.code, ERR_TIMEOUT);
	world_free(&w);
}

static size_t times_asked;

static int64_t counts_asking(const struct clock *c)
{
	times_asked++;
	return c->mono;
}

/* Every operation that looks at many samples looks at the clock meanwhile. */
static void a_deadline_is_looked_at_meanwhile(void **state)
{
	static const struct {
		const char *query;
		bool instant;
		size_t least;   /* half of what its samples come to; for the instant ones, those of nodes and selectors and one more */
	} cases[] = {
		{ "topk(3, x)", false, 30 }, { "limitk(3, x)", false, 30 }, { "limit_ratio(0.5, x)", false, 30 }, { "sum(x)", false, 30 },
		{ "quantile(0.5, x)", false, 30 }, { "count_values(\"a\", x)", false, 30 }, { "x + on (i) x", false, 30 }, { "x and x", false, 30 },
		{ "x or x", false, 30 }, { "max_over_time(x[10s])", false, 30 }, { "rate(x[10s])", false, 30 },
		{ "histogram_quantile(0.5, label_replace(x, \"le\", \"+Inf\", \"\", \"\"))", false, 30 },
		{ "sort(label_replace(x, \"a\", \"b\", \"\", \"\") or x)", true, 15 }, { "sort_by_label_desc(x)", true, 6 },
		/* one row of many steps: half of them by 65,536 for time() and for each further look at them */
		{ "count_over_time(vector(time())[1000000s:1s])", true, 20 }, { "count_over_time(sin(vector(time()))[1000000s:1s])", true, 27 },
		{ "count_over_time(hour(vector(time()))[1000000s:1s])", true, 27 }, { "count_over_time(hour()[1000000s:1s])", true, 20 },
		{ "count_over_time(round(vector(time()))[1000000s:1s])", true, 27 }, { "count_over_time((-vector(time()))[1000000s:1s])", true, 27 },
		{ "count_over_time(clamp(vector(time()), 1, 2)[1000000s:1s])", true, 40 },
		{ "count_over_time((vector(time()) > 3)[1000000s:1s])", true, 27 },
		{ "count_over_time(vector(time() * 2)[1000000s:1s])", true, 27 },
		{ "count_over_time(vector(scalar(vector(time())))[1000000s:1s])", true, 27 },
		{ "count_over_time(timestamp(vector(time()))[1000000s:1s])", true, 27 },
		{ "mad_over_time(vector(time())[1000000s:1s])", true, 60 }, { "quantile_over_time(0.5, vector(time())[1000000s:1s])", true, 35 },
		{ "stdvar_over_time(vector(time())[1000000s:1s])", true, 27 }, { "deriv(vector(time())[1000000s:1s])", true, 27 },
		{ "mad_over_time(x[10s:1ms])", true, 300 },
	};
	struct clock clock = clock_manual(0);
	struct world w = world_new();
	struct err e = { 0 };
	char line[64];
	size_t n_series = 3000;
	int64_t steps = 500;

	(void)state;
	clock.mono_ms = counts_asking;
	w.options.clock = &clock;
	w.options.features = PROMQL_ALL_FEATURES;
	for (size_t i = 0; i < n_series; i++) {
		snprintf(line, sizeof line, "x{i=\"%zu\"} %zu", i, i % 2);
		load(&w, line, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		prepare(&w, cases[i].query);
		times_asked = 0;
		if (cases[i].instant)
			assert_non_null(promql_instant(w.query, &w.arena, ram_querier(w.ram), 0, &e));
		else
			assert_non_null(promql_range(w.query, &w.arena, ram_querier(w.ram), 0, 2 * steps, 2, &e));
		if (times_asked < cases[i].least)
			fail_msg("%s: asked %zu times", cases[i].query, times_asked);
		arena_reset(&w.arena);
	}
	world_free(&w);
}

/* What a query needed once for a long row is not kept until it is asked again. */
static void scratch_goes(void **state)
{
	struct world w = world_new();

	(void)state;
	prepare(&w, "sum(count_over_time(vector(time())[1000000s:1s]))");
	assert_string_equal(shown(&w, instant(&w, 0)), "{}=1e+06");
	assert_true(promql_query_bytes(w.query) < 1 << 20);
	world_free(&w);
}

/* A subquery's table goes when its function is done: of twelve, each of 9 MB, one is held at a time. */
static void subqueries_go_when_they_are_read(void **state)
{
	const char *one = "sum_over_time(vector(time())[1000000s:1s])";
	struct buf text = { 0 };
	struct world w = world_new();

	(void)state;
	w.options.limits.max_samples = 1000100;
	for (int i = 0; i < 12; i++)
		buf_printf(&text, "%s%s", i > 0 ? " + " : "", one);
	prepare(&w, buf_z(&text));
	assert_string_equal(shown(&w, instant(&w, 0)), "{}=-5.99999e+12");
	buf_fini(&text);
	world_free(&w);
}

/* Rules come by the thousand, most of them over few series. */
static void little_is_remembered_of_little(void **state)
{
	struct world w = world_new();

	(void)state;
	load(&w, "x{i=\"0\"} 2x20", 0);
	load(&w, "x{i=\"1\"} 3x20", 0);
	prepare(&w, "sum by (i) (rate(x[1m])) / sum by (i) (rate(x[2m])) + x + x + x + x + x + x + x + x > 100");
	assert_string_equal(shown(&w, instant(&w, 100000)), "");
	assert_true(promql_query_bytes(w.query) < 100000);
	world_free(&w);
}

/* What generated rules look like: a chain is long, not deep. */
static void chains_are_not_deep(void **state)
{
	static const struct {
		const char *first, *piece, *shown;
		size_t n_selectors;
		bool keeps_labels, only_adds;
	} cases[] = {
		{ "vector(0)", " + 1", "{}=10000", 0, false, true },
		{ "x", " + x", "{i=\"0\"}=20002", 10001, true, true },
		{ "x", " or x", "x{i=\"0\"}=2", 10001, true, true },
		{ "x", " or on (i) x", "x{i=\"0\"}=2", 10001, false, false },
		{ "x", " and on (i) x", "x{i=\"0\"}=2", 10001, false, true },
		{ "x", " * 1 - 0", "{i=\"0\"}=2", 1, true, true },
		{ "x", " unless y", "x{i=\"0\"}=2", 10001, true, false },
		{ "max by (i) (x)", " or x", "{i=\"0\"}=2", 10001, true, false },
		{ "info(x", " or x", "x{i=\"0\"}=2", 10001, false, false },
	};
	struct world w = world_new();

	(void)state;
	w.options.features = PROMQL_ALL_FEATURES;
	load(&w, "x{i=\"0\"} 2x20", 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct promql_selector *selectors;
		struct buf text = { 0 };

		buf_putz(&text, cases[i].first);
		for (int k = 0; k < 10000; k++)
			buf_putz(&text, cases[i].piece);
		buf_putz(&text, strchr(cases[i].first, '(') != NULL && strchr(cases[i].first, ')') == NULL ? ")" : "");
		prepare(&w, buf_z(&text));
		assert_string_equal(shown(&w, instant(&w, 100000)), cases[i].shown);
		assert_int_equal(promql_query_selectors(w.query, &selectors), cases[i].n_selectors);
		assert_int_equal(promql_query_keeps_labels(w.query), cases[i].keeps_labels);
		assert_int_equal(promql_query_only_adds(w.query), cases[i].only_adds);
		assert_true(str_eq(promql_query_text(w.query), buf_str(&text)));
		arena_reset(&w.arena);
		buf_fini(&text);
	}
	world_free(&w);
}

/* Nor may a chain add up to more memory than the samples of one value. */
static void chains_are_bounded(void **state)
{
	struct world w = world_new();
	struct buf text = { 0 };
	struct err e = { 0 };

	(void)state;
	w.options.limits.max_samples = 20000;
	for (int i = 0; i < 100; i++) {
		char line[64];

		snprintf(line, sizeof line, "x{i=\"%d\"} 2x20", i);
		load(&w, line, 0);
	}
	buf_putz(&text, "x");
	for (int k = 0; k < 10000; k++)
		buf_putz(&text, " or x");
	prepare(&w, buf_z(&text));
	assert_null(promql_instant(w.query, &w.arena, ram_querier(w.ram), 100000, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "max_samples=20000"));
	memset(&e, 0, sizeof e);
	prepare(&w, "x");               /* what others hold in the arena is not the query's */
	arena_alloc(&w.arena, 100 << 20);
	assert_non_null(promql_instant(w.query, &w.arena, ram_querier(w.ram), 100000, &e));
	buf_fini(&text);
	world_free(&w);
}

/* The same query object while series come and go: what it remembers must never show. */
static void memory_follows_the_series(void **state)
{
	static const char *const queries[] = {
		"sum by (j) (x)", "x + on (i) group_left (j) y", "x or y", "x unless on (i) y", "label_replace(x, \"z\", \"$1\", \"i\", \"(.)\")",
		"rate(x[1m])", "topk(2, x)", "histogram_quantile(0.5, x)", "absent(x{i=\"3\"})", "count_values(\"v\", x)", "-x", "quantile(0.5, x)",
	};

	(void)state;
	for (size_t q = 0; q < ARRAY_LEN(queries); q++) {
		struct world w = world_new();
		struct promql_query *kept;

		prepare(&w, queries[q]);
		kept = w.query;
		w.query = NULL;
		for (int round = 0; round < 4; round++) {
			char line[96];
			const char *fresh, *old;

			snprintf(line, sizeof line, "x{i=\"%d\", j=\"%d\", le=\"%d\"} 0+%dx20", round, round % 2, round, round + 1);
			load(&w, line, 0);
			snprintf(line, sizeof line, "y{i=\"%d\", j=\"q%d\"} 5x20", round, round);
			load(&w, line, 0);
			prepare(&w, queries[q]);
			fresh = shown(&w, instant(&w, 100000));
			promql_query_free(w.query);
			w.query = kept;
			old = shown(&w, instant(&w, 100000));
			assert_string_equal(old, shown(&w, instant(&w, 100000)));
			if (strcmp(fresh, old) != 0)
				fail_msg("%s, round %d: remembered %s, anew %s", queries[q], round, old, fresh);
			w.query = NULL;
		}
		promql_query_free(kept);
		world_free(&w);
	}
}

/* A member that comes later takes the name from a group that was there before. */
static void names_follow_the_series(void **state)
{
	struct world w = world_new();

	(void)state;
	w.options.features = PROMQL_DELAYED_NAME_REMOVAL;
	prepare(&w, "max by (__name__) (x{i=\"0\"} or -x{i=\"1\"})");
	load(&w, "x{i=\"0\"} 7x20", 0);
	assert_string_equal(shown(&w, instant(&w, 100000)), "x=7");
	load(&w, "x{i=\"1\"} 7x20", 0);
	assert_string_equal(shown(&w, instant(&w, 100000)), "{}=7");
	world_free(&w);
}

/* More groups times steps than are held at once. */
static void aggregations_work_in_blocks(void **state)
{
	struct world w = world_new();
	struct err e = { 0 };
	struct promql_result *r;

	(void)state;
	for (int k = 0; k < 300; k++) {
		char line[64];

		snprintf(line, sizeof line, "x{k=\"%03d\"} %d+1x10", k, k);
		load(&w, line, 0);
	}
	prepare(&w, "sum by (k) (x)");
	r = promql_range(w.query, &w.arena, ram_querier(w.ram), 0, 100000, 100, &e);
	assert_non_null(r);
	assert_int_equal(r->n_matrix, 300);
	for (size_t i = 0; i < r->n_matrix; i++) {
		assert_int_equal(r->matrix[i].n, 1001);
		for (size_t k = 0; k < r->matrix[i].n; k++)
			assert_true(r->matrix[i].v[k] == (double)(i + k / 100));
	}
	world_free(&w);
}

static void run_script(const char *text, unsigned features)
{
	struct promql_options o = { .features = features };
	struct script_report report = { 0 };

	script_run(STR("script"), str_of(text), &o, &report);
	if (report.failed > 0 || report.passed == 0)
		fail_msg("%zu passed: %s", report.passed, buf_z(&report.text));
	buf_fini(&report.text);
}

static void names_are_dropped_at_once(void **state)
{
	(void)state;
	run_script("load 1m\n"
	           "  a_total{x=\"1\"} 0+60x10\n"
	           "  b_total{x=\"1\"} 0+120x10\n"
	           "  b_total{x=\"2\"} 0+180x10\n"
	           "\n"
	           "eval instant at 5m rate(a_total[5m])\n"
	           "  {x=\"1\"} 1\n"
	           "\n"
	           "eval instant at 5m rate({__name__=~\".+_total\"}[5m])\n"
	           "  expect fail msg: vector cannot contain metrics with the same labelset\n"
	           "\n"
	           "eval instant at 5m -{__name__=~\".+_total\"}\n"
	           "  expect fail\n"
	           "\n"
	           "eval instant at 5m sum by (__name__) (b_total) * 2\n"
	           "  {} 3000\n"
	           "\n"
	           "eval instant at 5m b_total > bool 700\n"
	           "  {x=\"1\"} 0\n"
	           "  {x=\"2\"} 1\n"
	           "\n"
	           "eval instant at 5m label_replace(rate(b_total[5m]), \"__name__\", \"r_$1\", \"x\", \"(.)\")\n"
	           "  r_1{x=\"1\"} 2\n"
	           "  r_2{x=\"2\"} 3\n"
	           "\n"
	           "eval instant at 5m label_replace(b_total, \"x\", \"same\", \"x\", \".*\")\n"
	           "  expect fail\n", PROMQL_DURATION_EXPRESSIONS);
}

/* Where names go at once, notes about histograms cannot tell them. */
static void notes_tell_no_names_that_are_gone(void **state)
{
	(void)state;
	run_script("load 1m\n"
	           "  a_bucket{le=\"x\\\"y\"} 1\n"
	           "  odd {{schema:0 sum:NaN count:4 buckets:[1]}}\n"
	           "  mix {{schema:0 sum:1 count:1 buckets:[1]}}\n"
	           "  mix{le=\"1\"} 1\n"
	           "  mix{le=\"+Inf\"} 1\n"
	           "  falls{le=\"1\"} 2\n"
	           "  falls{le=\"+Inf\"} 1\n"
	           "\n"
	           "eval instant at 0m histogram_quantile(0.5, a_bucket)\n"
	           "  expect warn msg: PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\\\"y\" (1:25)\n"
	           "\n"
	           "eval instant at 0m histogram_quantile(0.5, odd)\n"
	           "  expect info msg: PromQL info: input to histogram_quantile has NaN observations, result is NaN (1:25)\n"
	           "  {} NaN\n"
	           "\n"
	           "eval instant at 0m histogram_fraction(0, 8, odd)\n"
	           "  expect info msg: PromQL info: input to histogram_fraction has NaN observations, which are excluded from all fractions (1:26)\n"
	           "  {} 0.25\n"
	           "\n"
	           "eval instant at 0m histogram_quantile(0.5, mix)\n"
	           "  expect warn msg: PromQL warning: vector contains a mix of classic and native histograms (1:25)\n"
	           "\n"
	           "eval instant at 0m histogram_quantile(0.5, falls)\n"
	           "  expect info regex: PromQL info: .*/#histogram_quantile\\), from buckets \\+Inf to \\+Inf, .*Z \\(1:25\\)\n"
	           "  {} 0.5\n", 0);
}

static void functions_of_native_histograms_keep_type_and_unit(void **state)
{
	static const char text[] = "load 1m\n"
	                           "  h{__type__=\"histogram\", __unit__=\"s\", x=\"1\"} {{schema:0 sum:2 count:1 buckets:[1]}}\n"
	                           "  g{__type__=\"gauge\", Z=\"1\"} 1\n"
	                           "\n"
	                           "eval instant at 0m histogram_count(h)\n"
	                           "  {__type__=\"histogram\", __unit__=\"s\", x=\"1\"} 1\n"
	                           "\n"
	                           "eval instant at 0m histogram_sum({__name__=\"h\"})\n"
	                           "  {__type__=\"histogram\", __unit__=\"s\", x=\"1\"} 2\n"
	                           "\n"
	                           "eval instant at 0m histogram_fraction(0, 4, h)\n"
	                           "  {x=\"1\"} 1\n"
	                           "\n"
	                           "eval instant at 0m abs(g)\n"
	                           "  {Z=\"1\"} 1\n";

	(void)state;
	run_script(text, 0);
	run_script(text, PROMQL_TYPE_AND_UNIT_LABELS);
}

static void staleness_and_lookback(void **state)
{
	(void)state;
	run_script("load 10s\n"
	           "  metric 0 1 stale 2\n"
	           "\n"
	           "eval instant at 10s metric\n"
	           "  metric 1\n"
	           "\n"
	           "eval instant at 20s metric\n"
	           "\n"
	           "eval instant at 30s metric\n"
	           "  metric 2\n"
	           "\n"
	           "eval instant at 329s metric\n"
	           "  metric 2\n"
	           "\n"
	           "eval instant at 330s metric\n"
	           "\n"
	           "eval instant at 30s count_over_time(metric[1m])\n"
	           "  {} 3\n"
	           "\n"
	           "eval instant at 10s count_over_time(metric[10s])\n"
	           "  {} 1\n"
	           "\n"
	           "eval range from 0 to 30s step 10s metric\n"
	           "  metric 0 1 _ 2\n", PROMQL_ALL_FEATURES);
}

static void subqueries_stand_on_their_grid(void **state)
{
	(void)state;
	run_script("load 10s\n"
	           "  metric 1 2 3 4 5 6\n"
	           "  other_total 0+10x100\n"
	           "\n"
	           "eval instant at 10s sum_over_time(metric[50s:10s])\n"
	           "  {} 3\n"
	           "\n"
	           "eval instant at 20s sum_over_time(metric[20s:5s])\n"
	           "  {} 8\n"
	           "\n"
	           "eval instant at 33s count_over_time(metric[30s:10s] offset 3s)\n"
	           "  {} 3\n"
	           "\n"
	           "eval instant at 1000s rate(other_total[5m:])\n"
	           "  {} 1\n"
	           "\n"
	           "eval instant at 1000s max_over_time(rate(other_total[1m])[5m:1m])\n"
	           "  {} 1\n"
	           "\n"
	           "eval instant at 50s metric[30s:10s]\n"
	           "  expect range vector from 30s to 50s step 10s\n"
	           "  metric 4 5 6\n"
	           "\n"
	           "eval instant at 50s metric[20s]\n"
	           "  expect range vector from 40s to 50s step 10s\n"
	           "  metric 5 6\n", PROMQL_ALL_FEATURES);
}

static void members_are_picked(void **state)
{
	(void)state;
	run_script("load 1m\n"
	           "  m{i=\"0\", j=\"a\"} 5x10\n"
	           "  m{i=\"1\", j=\"a\"} 3x10\n"
	           "  m{i=\"2\", j=\"b\"} NaNx10\n"
	           "  m{i=\"3\", j=\"b\"} 9x10\n"
	           "\n"
	           "eval instant at 1m topk(2, m)\n"
	           "  expect ordered\n"
	           "  m{i=\"3\", j=\"b\"} 9\n"
	           "  m{i=\"0\", j=\"a\"} 5\n"
	           "\n"
	           "eval instant at 1m bottomk by (j) (1, m)\n"
	           "  m{i=\"1\", j=\"a\"} 3\n"
	           "  m{i=\"3\", j=\"b\"} 9\n"
	           "\n"
	           "eval instant at 1m count(limitk(3, m))\n"
	           "  {} 3\n"
	           "\n"
	           "eval instant at 1m count(limit_ratio(0.4, m) or limit_ratio(-0.6, m))\n"
	           "  {} 4\n"
	           "\n"
	           "eval instant at 1m limit_ratio(0.4, m) and limit_ratio(-0.6, m)\n"
	           "\n"
	           "eval instant at 1m count(limit_ratio(1.1, m))\n"
	           "  expect warn msg: PromQL warning: ratio value should be between -1 and 1, got 1.1, capping to 1 (1:19)\n"
	           "  {} 4\n"
	           "\n"
	           "eval range from 1m to 3m step 1m sort(m{j=\"a\"})\n"
	           "  expect warn\n"
	           "  m{i=\"0\", j=\"a\"} 5 5 5\n"
	           "  m{i=\"1\", j=\"a\"} 3 3 3\n", PROMQL_ALL_FEATURES);
}

static void a_script_reports_its_lines(void **state)
{
	struct script_report report = { 0 };

	(void)state;
	script_run(STR("f"), STR("load 1m\n  a 1 2\n\neval instant at 1m a\n  a 3\n\nnonsense\n\neval instant at 1m a\n  a 2\n"), NULL, &report);
	assert_int_equal(report.passed, 1);
	assert_int_equal(report.failed, 2);
	assert_string_equal(buf_z(&report.text), "f:4: a: expected a 3, got 2\nf:7: nonsense: unknown command\n");
	buf_fini(&report.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_series_are_held),
		cmocka_unit_test(budgets_end_a_query),
		cmocka_unit_test(a_range_query_has_its_own_budget),
		cmocka_unit_test(a_deadline_ends_a_query),
		cmocka_unit_test(chains_are_not_deep),
		cmocka_unit_test(chains_are_bounded),
		cmocka_unit_test(names_follow_the_series),
		cmocka_unit_test(memory_follows_the_series),
		cmocka_unit_test(aggregations_work_in_blocks),
		cmocka_unit_test(names_are_dropped_at_once),
		cmocka_unit_test(notes_tell_no_names_that_are_gone),
		cmocka_unit_test(functions_of_native_histograms_keep_type_and_unit),
		cmocka_unit_test(staleness_and_lookback),
		cmocka_unit_test(subqueries_stand_on_their_grid),
		cmocka_unit_test(members_are_picked),
		cmocka_unit_test(a_deadline_is_looked_at_meanwhile),
		cmocka_unit_test(scratch_goes),
		cmocka_unit_test(little_is_remembered_of_little),
		cmocka_unit_test(subqueries_go_when_they_are_read),
		cmocka_unit_test(a_script_reports_its_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
