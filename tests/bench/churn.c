/* What new series cost a query that is asked every second: a store of the bench's 100,500 series, each scraped every five seconds,
 * and the same minutes twice, without churn and with a tenth of the series replaced each minute, some every second:
 *     churn SECONDS < QUERIES
 * A line of the output is the mean CPU time of an evaluation without churn and with it, in nanoseconds: the mean, because what is
 * rebuilt now and then must count; CPU time, because a busy machine would count as churn. */
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "promql/promql.h"
#include "store/store.h"

enum { SERIES = DATA_TARGETS * DATA_SERIES, CHURN_PER_MINUTE = SERIES / 10, QUERIES_MAX = 16, LABELS_MAX = 8, SPREAD = 7919 };

struct live {
	struct store_series *series;
	struct labels labels;
	double v, rise;
};

struct world {
	struct clock clock;
	struct store *store;
	struct appender *app;
	struct arena arena;
	struct live *v;
	size_t n, replaced;
	struct promql_query *query[QUERIES_MAX];
	size_t n_queries;
};

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "churn: %s\n", what);
	exit(1);
}

static void refer(struct world *w, struct live *l)
{
	struct err e = { 0 };

	l->series = store_series_ref(w->store, l->labels, &e);
	if (l->series == NULL)
		die(e.msg);
}

static void commit(struct world *w)
{
	struct err e = { 0 };

	if (!w->app->ops->commit(w->app, &e))
		die(e.msg);
}

static void add(void *ctx, const struct data_series *s)
{
	struct world *w = ctx;
	struct live *l = &w->v[w->n++];
	struct label v[LABELS_MAX] = { { STR(LABEL_NAME), str_of(s->name) } };
	struct labels labels;
	size_t n = 1;

	for (size_t i = 0; i < s->n_labels; i++)
		v[n++] = (struct label){ str_of(s->labels[i].name), str_of(s->labels[i].value) };
	if (!labels_from(v, n, &labels, NULL))
		die("a label comes twice");
	l->labels = labels_copy(&w->arena, labels);
	l->v = floor(s->v[DATA_SAMPLES - 1]);
	l->rise = strcmp(s->type, "gauge") == 0 ? 0 : floor((s->v[DATA_SAMPLES - 1] - s->v[0]) / DATA_SAMPLES);
	refer(w, l);
	for (size_t i = 0; i < DATA_SAMPLES; i++)
		(void)!store_append_ref(w->app, l->series, s->t_ms[i], s->v[i], NULL);
	commit(w);
}

/* The series ends, and one that differs in a label begins. */
static void replace(struct world *w, struct live *l, int64_t now_ms)
{
	char pod[32];
	int n = snprintf(pod, sizeof pod, "pod-%zu", w->replaced);

	store_append_end(w->app, l->series, now_ms, SERIES_GONE);
	commit(w);
	store_series_unref(w->store, l->series);
	l->labels = labels_with(&w->arena, l->labels, STR("pod"), arena_str(&w->arena, (struct str){ pod, (size_t)n }));
	refer(w, l);
	(void)!store_append_ref(w->app, l->series, now_ms, l->v, NULL);
}

static void one_second(struct world *w, size_t second, bool churn)
{
	int64_t now_ms = w->clock.wall += 1000;
	size_t upto = churn ? w->replaced + CHURN_PER_MINUTE / 60 : 0;

	w->clock.mono += 1000;
	for (size_t i = second % 5; i < SERIES; i += 5) {
		w->v[i].v += w->v[i].rise;
		(void)!store_append_ref(w->app, w->v[i].series, now_ms - 100, w->v[i].v, NULL);
	}
	for (; w->replaced < upto; w->replaced++)
		replace(w, &w->v[w->replaced * SPREAD % SERIES], now_ms);
	commit(w);
	if (second % 60 == 59)
		store_maintain(w->store);
}

static void minutes(struct world *w, size_t seconds, bool churn, int64_t *took_ns)
{
	for (size_t second = 0; second < seconds; second++) {
		one_second(w, second, churn);
		for (size_t i = 0; i < w->n_queries; i++) {
			struct arena a = { 0 };
			struct err e = { 0 };
			int64_t begun = cpu_ns();

			if (promql_instant(w->query[i], &a, store_querier(w->store), w->clock.wall, &e) == NULL)
				die(e.msg);
			took_ns[i] += cpu_ns() - begun;
			arena_fini(&a);
		}
	}
}

static void read_queries(struct world *w)
{
	char line[1024];

	while (w->n_queries < QUERIES_MAX && fgets(line, sizeof line, stdin) != NULL) {
		struct err e = { 0 };

		line[strcspn(line, "\n")] = '\0';
		w->query[w->n_queries] = promql_query_new(str_of(line), NULL, &e);
		if (w->query[w->n_queries++] == NULL)
			die(e.msg);
	}
}

int main(int argc, char **argv)
{
	size_t seconds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct world *w = calloc(1, sizeof *w);
	int64_t still_ns[QUERIES_MAX] = { 0 }, churn_ns[QUERIES_MAX] = { 0 }, begun_ms = (int64_t)1700000000000;

	if (seconds == 0)
		die("usage: churn SECONDS < QUERIES");
	if (w == NULL || (w->v = calloc(SERIES, sizeof *w->v)) == NULL)
		die("no memory");
	w->clock = clock_manual(begun_ms);
	w->store = store_new(&(struct store_options){ .clock = &w->clock });
	w->app = store_appender_new(w->store);
	data_each(begun_ms, add, w);
	read_queries(w);
	minutes(w, 5, false, churn_ns);                 /* what is remembered is built */
	memset(churn_ns, 0, sizeof churn_ns);
	minutes(w, seconds, false, still_ns);
	minutes(w, seconds, true, churn_ns);
	for (size_t i = 0; i < w->n_queries; i++)
		printf("%lld %lld\n", (long long)(still_ns[i] / (int64_t)seconds), (long long)(churn_ns[i] / (int64_t)seconds));
	for (size_t i = 0; i < w->n_queries; i++)
		promql_query_free(w->query[i]);
	for (size_t i = 0; i < w->n; i++)
		store_series_unref(w->store, w->v[i].series);
	store_appender_free(w->app);
	store_free(w->store);
	arena_fini(&w->arena);
	free(w->v);
	free(w);
	return 0;
}
