/* Series that come, end, are lost, come back and are dropped while the same queries are asked again and again: what is remembered must
 * never show, and must not be made anew either. Each answer is compared with that of a query nobody asked before: its selector
 * carries a matcher that is always true and never the same, so that neither the engine nor the store remembers anything of it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "promql/promql.h"
#include "store/store.h"
#include "tests.h"

enum { STEPS = 150, LIVE_MAX = 160, RESTART_EVERY = 80, EVERY_MS = 15000 };
#define T0 INT64_C(1700000000000)

static const char *const templates[] = {
	"m{#}",
	"sum by (a) (rate(m{#}[1m]))",
	"count without (pod) (m{#})",
	"max by (b) (m{#}) / on (b) group_right sum by (a, b) (m{#})",
	"m{#} * on (a) group_left (z) n{#}",
	"m{#} and on (a) n{#}",
	"m{#} or n{#}",
	"m{#} + on (a) group_left (z) max by (a, z) (n{#})",
	"m{#} unless n{#}",
	"label_replace(m{#}, \"c\", \"$1-$2\", \"pod\", \"(.)(.*)\")",
	"histogram_quantile(0.5, sum by (le, a) (h{#}))",
	"histogram_quantile(0.5, h{#})",
	"{a=\"1\",#}",
	"max_over_time(m{b=~\"[01]\",#}[10m])",
	"topk(3, m{#})",
	"count_values(\"v\", m{#} > bool 100)",
	"m{#} offset 7m",
	"-m{#} + -n{#}",
	"rate(m{#}[1m]) or m{#}",
	"max by (__name__, a) (rate(m{#}[40s]) or m{#})",
};

struct live {
	struct labels labels;
	double v;
	bool on;
};

struct world {
	struct clock clock;
	struct store *store;
	struct appender *app;
	struct arena arena;     /* of labels */
	struct live v[LIVE_MAX];
	size_t n;
	struct promql_query *kept[ARRAY_LEN(templates)], *kept_range[ARRAY_LEN(templates)];
	char dir[64];
	unsigned features;
	int asked;
};

static void open_store(struct world *w)
{
	struct err e = { 0 };

	w->store = store_new(&(struct store_options){ .clock = &w->clock, .retention_ms = 1200000, .lookback_ms = 60000 });
	assert_true(store_open_history(w->store, w->dir, &e));
	w->app = store_appender_new(w->store);
}

static void close_store(struct world *w)
{
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		promql_query_free(w->kept[i]);
		promql_query_free(w->kept_range[i]);
		w->kept[i] = w->kept_range[i] = NULL;
	}
	assert_true(store_flush(w->store, &e));
	store_appender_free(w->app);
	store_free(w->store);
}

static void new_series(struct world *w)
{
	static const char *const names[] = { "m", "m", "m", "n", "h" };
	struct live *l = w->n < LIVE_MAX ? &w->v[w->n++] : &w->v[rand() % LIVE_MAX];
	const char *name = names[rand() % 5];
	char a[8], b[8], le[8], pod[16];
	struct label v[8] = { { STR(LABEL_NAME), str_of(name) } };
	size_t n = 1;

	snprintf(a, sizeof a, "%d", rand() % 6);
	snprintf(b, sizeof b, "%d", rand() % 3);
	snprintf(le, sizeof le, "%d", rand() % 4);
	snprintf(pod, sizeof pod, "%d", rand() % 400);
	v[n++] = (struct label){ STR("a"), str_of(a) };
	v[n++] = (struct label){ name[0] == 'n' ? STR("z") : STR("b"), str_of(b) };
	if (name[0] == 'h')
		v[n++] = (struct label){ STR("le"), rand() % 5 == 0 ? STR("+Inf") : str_of(le) };
	if (name[0] == 'm')
		v[n++] = (struct label){ STR("pod"), str_of(pod) };
	assert_true(labels_from(v, n, &l->labels, NULL));
	l->labels = labels_copy(&w->arena, l->labels);
	l->v = rand() % 1000;
	l->on = true;
}

static void end_series(struct world *w, struct live *l, enum series_state why)
{
	struct err e = { 0 };
	struct store_series *s = store_series_ref(w->store, l->labels, &e);

	store_append_end(w->app, s, w->clock.wall, why);
	assert_true(w->app->ops->commit(w->app, &e));
	store_series_unref(w->store, s);
	l->on = false;
}

static void append_all(struct world *w)
{
	struct err e = { 0 };

	for (size_t i = 0; i < w->n; i++) {
		w->v[i].v += 1 + rand() % 100 / 16.0;
		if (w->v[i].on)         /* two may be the same series: the second is refused */
			(void)!w->app->ops->append(w->app, w->v[i].labels, w->clock.wall, w->v[i].v, NULL, &e);
	}
	assert_true(w->app->ops->commit(w->app, &e));
}

static void change(struct world *w)
{
	int what = rand() % 12;
	struct live *l = w->n == 0 ? NULL : &w->v[(size_t)rand() % w->n];

	if (l == NULL || what < 5) {
		for (int i = rand() % 6; i >= 0; i--)
			new_series(w);
	} else if (what < 8) {
		end_series(w, l, SERIES_GONE);
	} else if (what == 8) {
		end_series(w, l, SERIES_LOST);
	} else if (what == 9) {         /* a whole target ends */
		for (size_t i = 0; i < w->n; i++)
			if (w->v[i].on && str_eq(labels_get(w->v[i].labels, STR("a")), labels_get(l->labels, STR("a"))))
				end_series(w, &w->v[i], SERIES_GONE);
	} else {
		l->on = true;           /* the same labels back */
	}
}

static void set_unseen(struct world *w)
{
	struct label a = { STR("a"), STR("2") };
	struct store_unseen u = { .labels = { &a, 1 } };

	store_set_unseen(w->store, &u, rand() % 4 == 0);
}

static struct promql_query *make(const struct world *w, const char *template, int number)
{
	struct promql_options o = { .lookback_ms = 60000, .features = w->features };
	struct promql_query *q;
	struct buf text = { 0 };
	struct err e = { 0 };

	for (const char *p = template; *p != '\0'; p++) {
		if (*p == '#')
			buf_printf(&text, "zz!=\"%d\"", number);
		else
			buf_putc(&text, *p);
	}
	q = promql_query_new(buf_str(&text), &o, &e);
	if (q == NULL)
		fail_msg("%s: %s", template, e.msg);
	buf_fini(&text);
	return q;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *line_of(struct arena *a, struct labels l, size_t n, const int64_t *t, const double *v)
{
	struct buf b = { 0 };
	char *out;

	labels_print(&b, l);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, " %.12g@%lld", v[i], (long long)(t[i] - T0));
	out = arena_strz(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* The result in an order that depends on nothing. */
static const char *shown(struct arena *a, const struct promql_result *r, const struct err *e)
{
	struct str out;
	char **lines;
	size_t n = 0;

	if (r == NULL)
		return arena_strz(a, str_of(e->msg));
	lines = ARENA_ARRAY(a, r->n_vector + r->n_matrix, char *);
	for (size_t i = 0; i < r->n_vector; i++)
		lines[n++] = line_of(a, r->vector[i].labels, 1, &r->vector[i].t_ms, &r->vector[i].v);
	for (size_t i = 0; i < r->n_matrix; i++)
		lines[n++] = line_of(a, r->matrix[i].labels, r->matrix[i].n, r->matrix[i].t_ms, r->matrix[i].v);
	qsort(lines, n, sizeof *lines, by_text);
	out = arena_printf(a, "lost %d incomplete %d unseen %zu", r->read_lost, r->incomplete, r->n_unseen);
	for (size_t i = 0; i < n; i++)
		out = arena_printf(a, STR_FMT "\n%s", STR_ARG(out), lines[i]);
	return arena_strz(a, out);
}

static const char *ask(struct world *w, struct promql_query *q, bool range, struct arena *a)
{
	struct querier *querier = store_querier(w->store);
	int64_t now = w->clock.wall;
	struct err e = { 0 };
	struct promql_result *r;

	if (range)
		r = promql_range(q, a, querier, now - 600000, now, 47000, &e);
	else
		r = promql_instant(q, a, querier, now, &e);
	return shown(a, r, &e);
}

/* What makes series many-to-many names one of them or the other first. */
static bool same_answer(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (strstr(a, "many-to-many") != NULL && strstr(b, "many-to-many") != NULL);
}

static void compare(struct world *w, size_t i, bool range)
{
	struct promql_query **kept = range ? &w->kept_range[i] : &w->kept[i], *anew = make(w, templates[i], ++w->asked);
	struct arena a = { 0 };
	const char *was, *is;

	if (*kept == NULL)
		*kept = make(w, templates[i], 0);
	is = ask(w, *kept, range, &a);
	was = ask(w, anew, range, &a);
	if (!same_answer(is, was))
		fail_msg("%s (%s, at %lld):\nremembered: %s\nanew: %s", templates[i], range ? "range" : "instant",
		         (long long)(w->clock.wall - T0), is, was);
	promql_query_free(anew);
	arena_fini(&a);
}

static void run(unsigned seed, unsigned features)
{
	struct world w = { .clock = clock_manual(T0), .features = features };
	struct store_stats stats;
	char rm[96];

	srand(seed);
	snprintf(w.dir, sizeof w.dir, "/tmp/test-churn-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	open_store(&w);
	for (int step = 0; step < STEPS; step++) {
		w.clock.wall += EVERY_MS;
		w.clock.mono += EVERY_MS;
		change(&w);
		append_all(&w);
		if (step % 7 == 0)
			set_unseen(&w);
		if (step % 5 == 0)
			store_maintain(w.store);
		for (size_t i = 0; i < ARRAY_LEN(templates); i++)
			if (rand() % 3 > 0)
				compare(&w, i, rand() % 4 == 0);
		if (step % RESTART_EVERY == RESTART_EVERY - 1) {
			close_store(&w);
			open_store(&w);
		}
	}
	stats = store_stats(w.store);
	assert_true(stats.selections_remembered > stats.selections / 4);
	close_store(&w);
	arena_fini(&w.arena);
	snprintf(rm, sizeof rm, "rm -r %s", w.dir);
	assert_int_equal(system(rm), 0);
}

static void what_is_remembered_never_shows(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 2; seed++)
		run(seed, seed % 2 == 0 ? PROMQL_ALL_FEATURES : 0);
}

/* ---- By counting ---- */

static void put(struct world *w, const char *name, const char *pod)
{
	struct label v[] = { { STR(LABEL_NAME), str_of(name) }, { STR("pod"), str_of(pod) } };
	struct err e = { 0 };

	assert_true(w->app->ops->append(w->app, (struct labels){ v, 2 }, w->clock.wall, 1, NULL, &e));
	assert_true(w->app->ops->commit(w->app, &e));
}

static size_t asked(struct world *w, struct promql_query *q)
{
	struct arena a = { 0 };
	struct err e = { 0 };
	struct promql_result *r = promql_instant(q, &a, store_querier(w->store), w->clock.wall, &e);
	size_t n = r == NULL ? SIZE_MAX : r->n_vector;

	arena_fini(&a);
	return n;
}

static void a_new_series_costs_one_test(void **state)
{
	struct world w = { .clock = clock_manual(T0) };
	struct promql_query *q, *other;
	struct store_stats before, after;

	(void)state;
	w.store = store_new(&(struct store_options){ .clock = &w.clock });
	w.app = store_appender_new(w.store);
	q = make(&w, "m{pod=~\"a.*\"}", 0);
	other = make(&w, "n", 0);
	put(&w, "m", "a1");
	assert_int_equal(asked(&w, q), 1);
	assert_int_equal(asked(&w, other), 0);
	before = store_stats(w.store);
	put(&w, "elsewhere", "a1");             /* of a metric nobody asked for: nothing */
	after = store_stats(w.store);
	assert_int_equal(after.selectors_tested - before.selectors_tested, 0);
	put(&w, "m", "a2");                     /* of one that a selector names: one test */
	put(&w, "m", "b");                      /* also where it does not match */
	after = store_stats(w.store);
	assert_int_equal(after.selectors_tested - before.selectors_tested, 2);
	assert_int_equal(asked(&w, q), 2);
	assert_int_equal(asked(&w, other), 0);
	after = store_stats(w.store);           /* and nothing was read from the index anew */
	assert_int_equal(after.selections - before.selections, after.selections_remembered - before.selections_remembered);
	promql_query_free(q);
	promql_query_free(other);
	store_appender_free(w.app);
	store_free(w.store);
}

static size_t selected(struct world *w, int64_t min_ms)
{
	struct matcher m = { .op = MATCH_EQ, .name = STR(LABEL_NAME), .value = STR("m") };
	struct querier *q = store_querier(w->store);
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ min_ms, w->clock.wall, 0 }, &e);
	size_t n;

	assert_non_null(s);
	n = s->n;
	q->ops->release(q, s);
	return n;
}

static void series_that_ended_are_left_out(void **state)
{
	struct world w = { .clock = clock_manual(T0) };
	struct promql_query *q;
	enum { N = 200, SCRAPED = 10 };

	(void)state;
	w.store = store_new(&(struct store_options){ .clock = &w.clock });
	w.app = store_appender_new(w.store);
	q = make(&w, "m", 0);
	for (int i = 0; i < N; i++) {
		char pod[16];

		snprintf(pod, sizeof pod, "p%d", i);
		put(&w, "m", pod);
	}
	assert_int_equal(asked(&w, q), N);
	w.clock.wall += 1;
	for (int i = SCRAPED; i < N; i++) {
		char pod[16];
		struct label v[] = { { STR(LABEL_NAME), STR("m") }, { STR("pod"), { pod, (size_t)snprintf(pod, sizeof pod, "p%d", i) } } };
		struct live l = { .labels = { v, 2 } };

		end_series(&w, &l, SERIES_GONE);
	}
	w.clock.wall += 600000;
	put(&w, "m", "p0");
	assert_int_equal(asked(&w, q), 1);
	assert_int_equal(selected(&w, w.clock.wall - 60000), SCRAPED);
	put(&w, "m", "p77");                    /* back again */
	assert_int_equal(asked(&w, q), 2);
	assert_int_equal(selected(&w, w.clock.wall - 60000), SCRAPED + 1);
	assert_int_equal(selected(&w, T0), N);  /* who looks further back sees all */
	assert_int_equal(selected(&w, w.clock.wall - 60000), SCRAPED + 1);
	promql_query_free(q);
	store_appender_free(w.app);
	store_free(w.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_remembered_never_shows),
		cmocka_unit_test(a_new_series_costs_one_test),
		cmocka_unit_test(series_that_ended_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
