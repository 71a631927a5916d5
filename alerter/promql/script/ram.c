/* Series in the order of their first sample. */
#include "ram.h"

#include <stdlib.h>

#include "../eval_histogram.h"
#include "../memory.h"
#include "tocsin/mem.h"

struct ram_series {
	int64_t *t, *st;
	double *v;
	const struct histogram **h;
	size_t n, cap;
	bool any_histogram, any_start;
	enum series_state state;
	int64_t lost_since_ms;
};

struct ram {
	struct querier querier;
	struct arena arena;
	struct label_table labels;
	struct ram_series *series;
	size_t cap_series;
	uint64_t generation;
};

struct ram_selection {
	struct selection sel;
	size_t *index;          /* of each series in the ram */
};

static struct selection *ram_select(struct querier *q, const struct matcher *m, size_t n, struct select_hints hints, struct err *e)
{
	struct ram *r = (struct ram *)q;
	struct ram_selection *out = mem_alloc(sizeof *out);
	struct series *v = mem_alloc((r->labels.n + 1) * sizeof *v);

	(void)hints;
	out->index = mem_alloc((r->labels.n + 1) * sizeof *out->index);
	for (size_t i = 0; i < r->labels.n; i++) {
		if (!matchers_test(m, n, r->labels.v[i], e))
			continue;
		out->index[out->sel.n] = i;
		v[out->sel.n++] = (struct series){ .id = i + 1, .labels = r->labels.v[i], .state = r->series[i].state,
		                                   .lost_since_ms = r->series[i].lost_since_ms };
	}
	out->sel.v = v;
	out->sel.generation = r->generation;
	out->sel.held_from_ms = INT64_MIN;
	if (e->code == ERR_NONE)
		return &out->sel;
	q->ops->release(q, &out->sel);
	return NULL;
}

static size_t first_after(const struct ram_series *s, int64_t ms)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->t[mid] > ms)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool ram_samples(struct querier *q, const struct selection *sel, size_t i, int64_t min_ms, int64_t max_ms, bool before,
                        struct arena *a, struct samples *out, struct err *e)
{
	const struct ram_selection *rs = (const struct ram_selection *)sel;
	const struct ram_series *s = &((struct ram *)q)->series[rs->index[i]];
	size_t beg = first_after(s, min_ms), end = first_after(s, max_ms);

	(void)a, (void)e;
	if (before && beg > 0)
		beg--;
	*out = (struct samples){ .n = end > beg ? end - beg : 0 };
	if (out->n == 0)
		return true;
	out->t_ms = s->t + beg;
	out->v = s->v + beg;
	out->h = s->any_histogram ? s->h + beg : NULL;
	out->st_ms = s->any_start ? s->st + beg : NULL;
	return true;
}

static void ram_release(struct querier *q, struct selection *sel)
{
	struct ram_selection *rs = (struct ram_selection *)sel;

	(void)q;
	free((void *)(uintptr_t)sel->v);
	free(rs->index);
	free(rs);
}

static struct window_ends ends_of(const struct ram_series *s, int64_t min_ms, int64_t max_ms)
{
	size_t beg = first_after(s, min_ms), end = first_after(s, max_ms);
	struct window_ends e = { .known = true };

	for (size_t i = beg; i < end; i++) {
		if (s->h[i] != NULL || value_is_stale(s->v[i]))
			return (struct window_ends){ 0 };
		e.falls |= i > beg && s->v[i] < s->v[i - 1];
	}
	if (beg < end) {
		e.n = (uint32_t)(end - beg);
		e.first_ms = s->t[beg];
		e.last_ms = s->t[end - 1];
		e.first = s->v[beg];
		e.last = s->v[end - 1];
	}
	return e;
}

static void ram_ends(struct querier *q, const struct selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms,
                     bool last_only, struct window_ends *out)
{
	const struct ram_selection *rs = (const struct ram_selection *)sel;

	(void)last_only;
	for (size_t i = 0; i < n; i++)
		out[i] = ends_of(&((struct ram *)q)->series[rs->index[row + i]], min_ms, max_ms);
}

static const struct querier_ops ops = { ram_select, ram_samples, ram_release, ram_ends };

struct ram *ram_new(void)
{
	struct ram *r = mem_alloc(sizeof *r);

	r->querier.ops = &ops;
	label_table_init(&r->labels, &r->arena, 16);
	return r;
}

void ram_clear(struct ram *r)
{
	for (size_t i = 0; i < r->labels.n; i++) {
		free(r->series[i].t);
		free(r->series[i].st);
		free(r->series[i].v);
		free(r->series[i].h);
	}
	free(r->series);
	r->series = NULL;
	r->cap_series = 0;
	arena_reset(&r->arena);
	label_table_init(&r->labels, &r->arena, 16);
	r->generation++;
}

void ram_free(struct ram *r)
{
	if (r == NULL)
		return;
	ram_clear(r);
	arena_fini(&r->arena);
	free(r);
}

struct querier *ram_querier(struct ram *r)
{
	return &r->querier;
}

static struct ram_series *series_of(struct ram *r, struct labels l)
{
	size_t i = label_table_find(&r->labels, l);

	if (i == SIZE_MAX) {
		i = label_table_add(&r->labels, labels_copy(&r->arena, l), NULL);
		r->series = mem_grow(r->series, &r->cap_series, i + 1, sizeof *r->series);
		r->series[i] = (struct ram_series){ 0 };
	}
	return &r->series[i];
}

static void make_room(struct ram_series *s, size_t at)
{
	size_t caps[4] = { s->cap, s->cap, s->cap, s->cap }, behind = s->n - at;

	s->t = mem_grow(s->t, &caps[0], s->n + 1, sizeof *s->t);
	s->st = mem_grow(s->st, &caps[1], s->n + 1, sizeof *s->st);
	s->v = mem_grow(s->v, &caps[2], s->n + 1, sizeof *s->v);
	s->h = mem_grow(s->h, &caps[3], s->n + 1, sizeof *s->h);
	s->cap = caps[0];
	memmove(s->t + at + 1, s->t + at, behind * sizeof *s->t);
	memmove(s->st + at + 1, s->st + at, behind * sizeof *s->st);
	memmove(s->v + at + 1, s->v + at, behind * sizeof *s->v);
	memmove(s->h + at + 1, s->h + at, behind * sizeof *s->h);
	s->n++;
}

/* As Prometheus's storage gives them back: a gauge stays one; of counters it only knows which ones follow another without a
 * reset. */
static enum histogram_reset hint_of(struct arena *a, const struct ram_series *s, size_t at, const struct histogram *h)
{
	const struct histogram *before = at == 0 ? NULL : s->h[at - 1];

	if (h->reset == RESET_GAUGE)
		return RESET_GAUGE;
	if (before == NULL || before->reset == RESET_GAUGE || histogram_reset_since(a, before, h))
		return RESET_UNKNOWN;
	return RESET_NO;
}

void ram_append(struct ram *r, struct labels l, int64_t t_ms, double v, const struct histogram *h, int64_t st_ms)
{
	struct ram_series *s = series_of(r, l);
	size_t at = first_after(s, t_ms);

	if (at > 0 && s->t[at - 1] == t_ms)
		at--;
	else
		make_room(s, at);
	s->t[at] = t_ms;
	s->st[at] = st_ms;
	s->v[at] = h != NULL ? NAN : v;
	s->h[at] = NULL;
	if (h != NULL) {
		struct histogram *copy = ARENA_NEW(&r->arena, struct histogram);

		*copy = *histogram_keep(&r->arena, h);
		copy->reset = hint_of(&r->arena, s, at, h);
		s->h[at] = copy;
	}
	s->any_histogram |= h != NULL;
	s->any_start |= st_ms != 0;
}

void ram_set_lost(struct ram *r, struct labels l, int64_t since_ms)
{
	struct ram_series *s = series_of(r, l);

	s->state = SERIES_LOST;
	s->lost_since_ms = since_ms;
}
