/* A list of matchers that nobody asked for lately: all series that match, as one snapshot. The index lock is taken for a few series at a time,
 * so that new ones come in between. Those, and what is dropped meanwhile, the memory of selections tells to whoever gathers; what
 * was there when the search began is found by it. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

enum { AT_ONCE = 1024 };

struct gathering *gather_begin(struct store *st, const struct matcher *m, size_t n, struct err *e)
{
	struct index_search *search = index_search_new(&st->index, m, n, st->next_id, e);
	struct gathering *g;

	if (search == NULL)
		return NULL;
	g = mem_alloc(sizeof *g);
	*g = (struct gathering){ .matchers = m, .n = n, .search = search };
	memory_join(st, g);
	return g;
}

static void release_all(struct store *st, struct series_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_series_release(st, l->v[i]);
	free(l->v);
	*l = (struct series_list){ 0 };
}

static void gathering_free(struct store *st, struct gathering *g)
{
	memory_leave(st, g);
	release_all(st, &g->found);
	release_all(st, &g->came);
	free(g->gone);
	index_search_free(g->search);
	if (g->snapshot != NULL)
		snapshot_unref(st, g->snapshot);
	free(g);
}

static bool search(struct store *st, struct gathering *g, struct err *e)
{
	bool ok = true;

	while (ok && !index_search_is_over(g->search)) {
		size_t had = g->found.n;

		pthread_rwlock_rdlock(&st->index_lock);
		ok = index_search_step(&st->index, g->search, AT_ONCE, &g->found, e);
		for (size_t i = had; i < g->found.n; i++)
			atomic_fetch_add(&g->found.v[i]->refs, 1);
		pthread_rwlock_unlock(&st->index_lock);
	}
	return ok;
}

static int by_id(const void *a, const void *b)
{
	uint64_t l = (*(struct store_series *const *)a)->id, r = (*(struct store_series *const *)b)->id;

	return (l > r) - (l < r);
}

/* As slots are, unless some were used again. */
static void sort_by_id(struct store_series **v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i - 1]->id > v[i]->id) {
			qsort(v, n, sizeof(struct store_series *), by_id);
			return;
		}
}

static void take_in(struct store *st, struct gathering *g)
{
	struct label v[STORE_MAX_LABELS];

	sort_by_id(g->found.v, g->found.n);
	g->snapshot = snapshot_new(st, g->found.n);
	for (size_t i = 0; i < g->found.n;) {
		pthread_rwlock_rdlock(&st->index_lock);
		for (size_t end = i + AT_ONCE; i < end && i < g->found.n; i++)
			snapshot_add(g->snapshot, g->found.v[i], index_labels(&st->index, g->found.v[i], v));
		pthread_rwlock_unlock(&st->index_lock);
	}
	release_all(st, &g->found);
}

/* Some of those that came, in the order they did, which is that of their ids; under the index lock. */
static bool take_new(struct store *st, struct gathering *g, struct err *e)
{
	struct label v[STORE_MAX_LABELS];
	struct err limit = { 0 };

	for (size_t i = 0; i < AT_ONCE && limit.code == ERR_NONE && g->n_tested < g->came.n; i++) {
		struct store_series *s = g->came.v[g->n_tested++];
		struct labels labels = index_labels(&st->index, s, v);

		if (matchers_test(g->matchers, g->n, labels, &limit))
			snapshot_add(g->snapshot, s, labels);
	}
	if (limit.code != ERR_NONE)
		*e = limit;
	return limit.code == ERR_NONE;
}

static int by_number(const void *a, const void *b)
{
	uint64_t l = *(const uint64_t *)a, r = *(const uint64_t *)b;

	return (l > r) - (l < r);
}

static void leave_gone(struct store *st, struct gathering *g)
{
	struct snapshot *s = g->snapshot;
	size_t kept = 0;

	if (g->n_gone == 0)
		return;
	qsort(g->gone, g->n_gone, sizeof *g->gone, by_number);
	for (size_t i = 0; i < s->n; i++) {
		uint64_t id = s->series[i]->id;

		if (bsearch(&id, g->gone, g->n_gone, sizeof id, by_number) != NULL) {
			store_series_release(st, s->series[i]);
			continue;
		}
		s->series[kept] = s->series[i];
		s->labels[kept++] = s->labels[i];
	}
	s->n = kept;
}

/* When nothing is left that came, it is remembered: from then on new series are put into it. <rest>: if it matters,
 * nothing may have been put to rest since that rest_no(). True when all is done. */
static bool finish(struct store *st, struct gathering *g, const uint64_t *rest, struct view *out, struct err *e)
{
	bool done;

	pthread_rwlock_rdlock(&st->index_lock);
	done = take_new(st, g, e) && g->n_tested == g->came.n && (rest == NULL || *rest == rest_no(st));
	if (done) {
		leave_gone(st, g);
		memory_remember(st, g->matchers, g->n, g->snapshot);
		*out = snapshot_view(g->snapshot);
	}
	pthread_rwlock_unlock(&st->index_lock);
	return done;
}

bool gather_all(struct store *st, struct gathering *g, const struct select_hints *reach, uint64_t rest, struct view *out, struct err *e)
{
	struct err failed = { 0 };
	bool ok = search(st, g, &failed);

	if (ok)
		take_in(st, g);
	while (ok && !finish(st, g, reach != NULL ? &rest : NULL, out, &failed))
		ok = failed.code == ERR_NONE &&
		     (reach == NULL || rest == rest_no(st) || rest_wake(st, g->matchers, g->n, *reach, &rest, &failed));
	gathering_free(st, g);
	if (!ok)
		*e = failed;
	return ok;
}
