/* rate, increase, delta, irate, idelta over native histograms, bucket by bucket as fn_rate.c and fn_extended.c have it for floats.
 * A reset is one of the whole histogram, even when only one bucket shows it. */
#include "eval_histogram.h"
#include "eval_range.h"
#include "fn_rate.h"
#include "histogram_buckets.h"
#include "histogram_tally.h"
#include "notes.h"

/* A window at work: the samples and the difference that is put together from them. */
struct growth {
	struct eval *ev;
	const struct window *w;
	const struct histogram_points *h;
	int pos;                /* of what is said about it */
	bool counter;
	struct tally sum;
	bool unlike;            /* exponential and custom buckets */
};

static struct growth growth_new(struct eval *ev, const struct window *w, bool counter, int pos)
{
	struct growth g = { .ev = ev, .w = w, .h = &w->h, .counter = counter, .pos = pos };

	tally_init(&g.sum, ev->scratch, true);
	return g;
}

static void note(const struct growth *g, enum note_id id)
{
	note_add(g->ev, id, g->w->labels, g->pos);
}

/* A counter's samples must not be gauges; of others, those at the ends must be. */
static void note_kinds(const struct growth *g, size_t first, size_t last)
{
	const struct histogram *const *h = g->h->h;

	for (size_t i = first; i <= last && g->counter; i++)
		if (h[i]->reset == RESET_GAUGE)
			note(g, NOTE_NOT_COUNTER);
	if (!g->counter && (h[first]->reset != RESET_GAUGE || h[last]->reset != RESET_GAUGE))
		note(g, NOTE_NOT_GAUGE);
}

static bool is_reset(const struct growth *g, size_t i)
{
	const struct histogram_points *h = g->h;

	return start_is_reset(start_of(h->st_ms, i - 1), h->t_ms[i - 1], start_of(h->st_ms, i), h->t_ms[i]) ||
	       histogram_reset_since(g->ev->scratch, h->h[i - 1], h->h[i]);
}

/* Adds <factor> times sample <i>. */
static void add(struct growth *g, size_t i, double factor)
{
	bool reconciled = g->sum.reconciled;

	g->unlike |= tally_add(&g->sum, g->h->h[i], factor) == TALLY_UNLIKE;
	if (g->sum.reconciled && !reconciled)
		note(g, factor < 0 ? NOTE_RECONCILED_SUB : NOTE_RECONCILED_ADD);
}

static bool same_kind(const struct growth *g, size_t first, size_t last)
{
	bool custom = histogram_is_custom(g->h->h[last]);

	for (size_t i = first; i < last; i += g->counter ? 1 : last - first)    /* a gauge is read at its ends only */
		if (histogram_is_custom(g->h->h[i]) != custom)
			return false;
	return true;
}

static bool finish(struct growth *g, struct point *out)
{
	struct histogram *h;

	if (g->unlike) {
		note(g, NOTE_MIXED_SCHEMAS);
		return false;
	}
	h = tally_histogram(&g->sum, g->ev->arena);
	h->reset = RESET_GAUGE;
	out->h = h;
	return true;
}

/* What the counter grew by from the first sample to the last. Behind a reset right after the first sample, that one does not
 * matter, whatever its buckets are. */
static void add_growth(struct growth *g)
{
	size_t last = g->h->n - 1, first = g->counter && last > 0 && is_reset(g, 1) ? 1 : 0;

	g->unlike = !same_kind(g, first, last);
	if (g->unlike)
		return;
	add(g, last, 1);
	if (first == 0)
		add(g, 0, -1);
	for (size_t i = first + 1; i <= last && g->counter; i++)
		if (is_reset(g, i))
			add(g, i - 1, 1);
}

static bool histogram_growth(struct growth *g, const struct window *w, double range_s, bool per_second, struct point *out)
{
	const struct histogram_points *h = g->h;
	bool from_start = g->counter && starts_within(w, start_of(h->st_ms, 0), h->t_ms[0]);
	int64_t from = from_start ? h->st_ms[0] : h->t_ms[0], last = h->t_ms[h->n - 1];
	double zero_s = INFINITY, factor;

	if (h->n < 2 && !from_start)
		return false;
	add_growth(g);
	if (g->counter || !g->unlike)
		note_kinds(g, 0, h->n - 1);
	if (from_start)
		add(g, 0, 1);
	else if (g->counter && g->sum.all.count.v > 0 && h->h[0]->count >= 0)
		zero_s = (double)(last - from) / 1000 * (h->h[0]->count / g->sum.all.count.v);
	factor = extrapolation(w, from, h->t_ms[0], last, h->n, zero_s);
	tally_scale(&g->sum, per_second ? factor / range_s : factor);
	return finish(g, out);
}

bool histogram_increase(struct eval_call *c, const struct window *w, struct rate_kind kind, double range_s, struct point *out)
{
	struct arena_mark mark = arena_mark(c->ev->scratch);
	struct growth g = growth_new(c->ev, w, kind.counter, c->range_arg->beg);
	bool done = histogram_growth(&g, w, range_s, kind.per_second, out);

	arena_rewind(c->ev->scratch, mark);
	return done;
}

bool histogram_last_step(struct eval_call *c, const struct window *w, struct rate_kind kind, struct point *out)
{
	struct arena_mark mark = arena_mark(c->ev->scratch);
	struct growth g = growth_new(c->ev, w, kind.counter, c->range_arg->beg);
	size_t last = w->h.n - 1;
	double seconds = (double)(w->h.t_ms[last] - w->h.t_ms[last - 1]) / 1000;
	bool done;

	if (seconds == 0)
		return false;
	note_kinds(&g, last - 1, last);
	add(&g, last, 1);
	if (!kind.counter || !is_reset(&g, last))
		add(&g, last - 1, -1);
	if (kind.per_second)
		tally_divide(&g.sum, seconds);
	done = finish(&g, out);
	arena_rewind(c->ev->scratch, mark);
	return done;
}

/* ---- anchored and smoothed ---- */

/* Adds <factor> times the value on the line from sample <i> to the next. A counter that was reset between them is taken to have
 * begun at 0 at <i>. */
static void add_between(struct growth *g, size_t i, int64_t at_ms, double factor)
{
	double part = (double)(at_ms - g->h->t_ms[i]) / (double)(g->h->t_ms[i + 1] - g->h->t_ms[i]);

	add(g, i + 1, factor * part);
	if (!g->counter || !is_reset(g, i + 1))
		add(g, i, factor * (1 - part));
}

static void add_extended(struct growth *g, const struct edges *e)
{
	if (e->right_between)
		add_between(g, e->last - 1, g->w->end_ms, 1);
	else
		add(g, e->last, 1);
	if (e->left_between)
		add_between(g, e->first, g->w->beg_ms, -1);
	else
		add(g, e->first, -1);
	/* the line on the left already knows of a reset */
	for (size_t i = e->first + (e->left_between ? 2 : 1); i <= e->last && g->counter; i++)
		if (is_reset(g, i))
			add(g, i - 1, 1);
}

bool histogram_extended(struct eval_call *c, const struct window *w, struct rate_kind kind, bool smoothed, struct point *out)
{
	struct arena_mark mark = arena_mark(c->ev->scratch);
	struct growth g = growth_new(c->ev, w, kind.counter, c->range_arg->beg);
	struct edges e;
	bool done;

	if (!extended_edges(w->h.t_ms, w->h.n, w, smoothed, &e))
		return false;
	note_kinds(&g, e.first, e.last);
	g.unlike = e.first < e.last && !same_kind(&g, e.first, e.last);
	if (!g.unlike)
		add_extended(&g, &e);
	if (kind.per_second)
		tally_divide(&g.sum, (double)(w->end_ms - w->beg_ms) / 1000);
	done = finish(&g, out);
	arena_rewind(c->ev->scratch, mark);
	return done;
}

bool smooth_histogram_at(struct eval *ev, const struct window *w, int64_t at_ms, int pos, struct point *out)
{
	struct growth g = growth_new(ev, w, true, pos);
	size_t next = 0;

	while (next < w->h.n && w->h.t_ms[next] <= at_ms)
		next++;
	if (next == 0)
		return false;
	if (next == w->h.n || w->h.t_ms[next - 1] == at_ms) {
		out->h = histogram_keep(ev->arena, w->h.h[next - 1]);
		return true;
	}
	if (!same_kind(&g, next - 1, next)) {
		note(&g, NOTE_MIXED_SCHEMAS);
		return false;
	}
	g.counter = w->h.h[next - 1]->reset != RESET_GAUGE && w->h.h[next]->reset != RESET_GAUGE;
	add_between(&g, next - 1, at_ms, 1);
	out->h = tally_histogram(&g.sum, ev->arena);
	return true;
}
