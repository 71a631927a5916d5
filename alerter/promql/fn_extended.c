/* Anchored and smoothed selectors (Prometheus proposal 52): the value at the edges of the range is that of the sample before
 * (anchored), or lies on the line between its neighbours (smoothed), so that nothing needs to be extrapolated. */
#include "eval_range.h"
#include "fn_rate.h"
#include "functions_bodies.h"
#include "notes.h"

/* On the line from sample <i> to the next. A counter that was reset between them is taken to have begun at 0 at <i>. */
static double between(const struct float_points *f, size_t i, int64_t at_ms, bool counter)
{
	double from = counter && f->v[i + 1] < f->v[i] ? 0 : f->v[i];

	return from + (f->v[i + 1] - from) * (double)(at_ms - f->t_ms[i]) / (double)(f->t_ms[i + 1] - f->t_ms[i]);
}

bool smooth_at(struct eval *ev, const struct window *w, int64_t at_ms, int pos, struct point *out)
{
	size_t next = 0;

	if (w->f.n > 0 && w->h.n > 0) {
		note_add(ev, NOTE_MIXED_FLOATS_HISTOGRAMS, w->labels, pos);
		return false;
	}
	if (w->h.n > 0)
		return smooth_histogram_at(ev, w, at_ms, pos, out);
	while (next < w->f.n && w->f.t_ms[next] <= at_ms)
		next++;
	if (next == 0)
		return false;
	*out = (struct point){ .v = next == w->f.n ? w->f.v[next - 1] : between(&w->f, next - 1, at_ms, false) };
	return true;
}

bool extended_edges(const int64_t *t_ms, size_t n, const struct window *w, bool smoothed, struct edges *e)
{
	e->last = n - 1;
	for (e->first = 0; e->first < e->last && t_ms[e->first] <= w->beg_ms; e->first++)
		;
	if (e->first > 0)
		e->first--;
	for (size_t i = 0; smoothed && i < e->last; i++)
		if (t_ms[i] >= w->end_ms)
			e->last = i;
	e->left_between = smoothed && t_ms[e->first] < w->beg_ms;
	e->right_between = smoothed && e->last > 0 && t_ms[e->last] > w->end_ms;
	return t_ms[e->last] > w->beg_ms && t_ms[e->first] <= w->end_ms;
}

static bool float_extended(const struct window *w, struct rate_kind kind, bool smoothed, struct point *out)
{
	const struct float_points *f = &w->f;
	struct edges e;
	double left, right, prev;

	if (!extended_edges(f->t_ms, f->n, w, smoothed, &e))
		return false;
	left = e.left_between ? between(f, e.first, w->beg_ms, kind.counter) : f->v[e.first];
	right = e.right_between ? between(f, e.last - 1, w->end_ms, kind.counter) : f->v[e.last];
	out->v = right - left;
	prev = left;
	for (size_t i = e.first; i <= e.last && kind.counter; i++) {
		bool inside = f->t_ms[i] > w->beg_ms && f->t_ms[i] < w->end_ms;
		double v = inside ? f->v[i] : prev;

		if (v < prev)
			out->v += prev;
		prev = v;
	}
	if (kind.counter && right < prev)
		out->v += prev;
	if (kind.per_second)
		out->v /= (double)(w->end_ms - w->beg_ms) / 1000;
	return true;
}

bool extended_rate(struct eval_call *c, const struct window *w, struct rate_kind kind, struct point *out)
{
	bool smoothed = c->range->node->selector.mode == RANGE_SMOOTHED;

	if (w->f.n > 0 && w->h.n > 0) {
		note_add(c->ev, NOTE_MIXED_FLOATS_HISTOGRAMS, w->labels, c->range_arg->beg);
		return false;
	}
	if (w->h.n > 0)
		return histogram_extended(c, w, kind, smoothed, out);
	return float_extended(w, kind, smoothed, out);
}

/* Leaves out what is older than <ms>. */
static size_t older(const int64_t *t_ms, size_t n, int64_t ms)
{
	size_t i = 0;

	while (i < n && t_ms[i] < ms)
		i++;
	return i;
}

static int64_t last_until(const int64_t *t_ms, size_t n, int64_t ms)
{
	int64_t found = INT64_MIN;

	for (size_t i = 0; i < n && t_ms[i] <= ms; i++)
		found = t_ms[i];
	return found;
}

bool anchored_from(const struct window *w, struct float_points *f, struct histogram_points *h)
{
	int64_t fa = last_until(w->f.t_ms, w->f.n, w->beg_ms), ha = last_until(w->h.t_ms, w->h.n, w->beg_ms);
	int64_t anchor = fa > ha ? fa : ha;
	size_t fs = older(w->f.t_ms, w->f.n, anchor), hs = older(w->h.t_ms, w->h.n, anchor);
	bool inside = (w->f.n > 0 && w->f.t_ms[w->f.n - 1] > w->beg_ms) || (w->h.n > 0 && w->h.t_ms[w->h.n - 1] > w->beg_ms);

	*f = w->f;
	*h = w->h;
	f->n -= fs;
	h->n -= hs;
	if (fs > 0)
		*f = (struct float_points){ f->n, f->t_ms + fs, f->v + fs, f->st_ms == NULL ? NULL : f->st_ms + fs };
	if (hs > 0)
		*h = (struct histogram_points){ h->n, h->t_ms + hs, h->h + hs, h->st_ms == NULL ? NULL : h->st_ms + hs };
	return inside;
}
