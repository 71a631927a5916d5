/* Functions that make one number of all samples in the range. Those for floats only ignore histograms, and say so when there
 * are both. */
#include "eval_histogram.h"
#include "eval_range.h"
#include "fn_histogram.h"
#include "functions_bodies.h"
#include "notes.h"
#include "numeric.h"
#include "slide.h"

/* False: no float. */
static bool floats_only(struct eval_call *c, const struct window *w)
{
	if (w->f.n > 0 && w->h.n > 0)
		note_add(c->ev, NOTE_HISTOGRAM_IGNORED_IN_RANGE, w->labels, c->range_arg->beg);
	return w->f.n > 0;
}

static bool is_mixed(struct eval_call *c, const struct window *w)
{
	if (w->f.n == 0 || w->h.n == 0)
		return false;
	note_add(c->ev, NOTE_MIXED_FLOATS_HISTOGRAMS, w->labels, c->range_arg->beg);
	return true;
}

static bool sum(struct eval_call *c, const struct window *w, struct point *out)
{
	struct sum s = { 0 };

	if (is_mixed(c, w))
		return false;
	if (w->f.n == 0)
		return histogram_sum_over_time(c, w, out);
	if (w->slide != NULL && slide_sum(w->slide, w->f.n, &out->v))
		return true;
	for (size_t i = 0; i < w->f.n; i++)
		sum_add(&s, w->f.v[i]);
	out->v = sum_value(&s);
	return true;
}

static bool avg(struct eval_call *c, const struct window *w, struct point *out)
{
	if (is_mixed(c, w))
		return false;
	if (w->f.n == 0)
		return histogram_avg_over_time(c, w, out);
	if (w->slide != NULL && slide_sum(w->slide, w->f.n, &out->v))
		out->v /= (double)w->f.n;
	else
		out->v = mean_of(w->f.v, w->f.n);
	return true;
}

static bool count(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c;
	out->v = (double)(w->f.n + w->h.n);
	return true;
}

/* A NaN gives way to anything. <or_equal>: the last of equals. */
static size_t index_of_max(const struct float_points *f, bool or_equal)
{
	size_t best = 0;

	for (size_t i = 1; i < f->n; i++)
		if (f->v[i] > f->v[best] || isnan(f->v[best]) || (or_equal && f->v[i] == f->v[best]))
			best = i;
	return best;
}

static size_t index_of_min(const struct float_points *f, bool or_equal)
{
	size_t best = 0;

	for (size_t i = 1; i < f->n; i++)
		if (f->v[i] < f->v[best] || isnan(f->v[best]) || (or_equal && f->v[i] == f->v[best]))
			best = i;
	return best;
}

static bool max(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = w->slide != NULL ? slide_greatest(w->slide, w->f.n) : w->f.v[index_of_max(&w->f, false)];
	return true;
}

static bool min(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = w->slide != NULL ? slide_least(w->slide, w->f.n) : w->f.v[index_of_min(&w->f, false)];
	return true;
}

static bool ts_of_max(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = (double)w->f.t_ms[index_of_max(&w->f, true)] / 1000;
	return true;
}

static bool ts_of_min(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = (double)w->f.t_ms[index_of_min(&w->f, true)] / 1000;
	return true;
}

/* The histogram wins when both have the same time. */
static bool first_is_float(const struct window *w)
{
	return w->h.n == 0 || (w->f.n > 0 && w->f.t_ms[0] < w->h.t_ms[0]);
}

static bool last_is_float(const struct window *w)
{
	return w->h.n == 0 || (w->f.n > 0 && w->f.t_ms[w->f.n - 1] > w->h.t_ms[w->h.n - 1]);
}

static bool first(struct eval_call *c, const struct window *w, struct point *out)
{
	*out = first_is_float(w) ? (struct point){ .v = w->f.v[0] } : (struct point){ .h = histogram_keep(c->ev->arena, w->h.h[0]) };
	return true;
}

static bool last(struct eval_call *c, const struct window *w, struct point *out)
{
	*out = last_is_float(w) ? (struct point){ .v = w->f.v[w->f.n - 1] }
	                        : (struct point){ .h = histogram_keep(c->ev->arena, w->h.h[w->h.n - 1]) };
	return true;
}

static bool ts_of_first(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c;
	out->v = (double)(first_is_float(w) ? w->f.t_ms[0] : w->h.t_ms[0]) / 1000;
	return true;
}

static bool ts_of_last(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c;
	out->v = (double)(last_is_float(w) ? w->f.t_ms[w->f.n - 1] : w->h.t_ms[w->h.n - 1]) / 1000;
	return true;
}

/* Welford's method, compensated. */
static double variance(struct eval *ev, const struct float_points *f)
{
	struct sum mean = { 0 }, squares = { 0 };

	for (size_t i = 0; i < f->n && eval_works(ev, 1); i++) {
		double off = f->v[i] - (mean.v + mean.c);

		sum_add(&mean, off / (double)(i + 1));
		sum_add(&squares, off * (f->v[i] - (mean.v + mean.c)));
	}
	return (squares.v + squares.c) / (double)f->n;
}

static bool stdvar(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = variance(c->ev, &w->f);
	return true;
}

static bool stddev(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!floats_only(c, w))
		return false;
	out->v = sqrt(variance(c->ev, &w->f));
	return true;
}

/* The window's floats sorted, in the scratch arena. */
static double *sorted(struct eval_call *c, const struct window *w)
{
	double *v = arena_alloc_raw(c->ev->scratch, w->f.n * sizeof *v);

	memcpy(v, w->f.v, w->f.n * sizeof *v);
	sort_in_time(c->ev, v, w->f.n);
	return v;
}

static bool quantile(struct eval_call *c, const struct window *w, struct point *out)
{
	double q = call_scalar(c, 0, w->step);

	if (w->f.n == 0)
		return false;
	note_quantile(c->ev, q, call_arg_pos(c, 0));
	if (w->h.n > 0)
		note_add(c->ev, NOTE_HISTOGRAM_IGNORED_IN_RANGE, w->labels, call_arg_pos(c, 0));
	out->v = quantile_of_sorted(q, w->slide != NULL ? slide_sorted(w->slide, w->f.n) : sorted(c, w), w->f.n);
	return true;
}

/* Median of the distances from the median. */
static bool mad(struct eval_call *c, const struct window *w, struct point *out)
{
	double *v, median;

	if (!floats_only(c, w))
		return false;
	v = sorted(c, w);
	if (isnan(v[0])) {              /* NaN sorts first */
		out->v = NAN;
		return true;
	}
	median = quantile_of_sorted(0.5, v, w->f.n);
	for (size_t i = 0; i < w->f.n; i++)
		v[i] = fabs(v[i] - median);
	sort_in_time(c->ev, v, w->f.n);
	out->v = quantile_of_sorted(0.5, v, w->f.n);
	return true;
}

#define BODY(name, keep_names, fn) \
	void fn_##name##_over_time(struct eval_call *c) \
	{ \
		call_windows(c, keep_names, fn); \
	}

BODY(sum, false, sum)
BODY(avg, false, avg)
BODY(count, false, count)
BODY(max, false, max)
BODY(min, false, min)
BODY(first, true, first)
BODY(last, true, last)
BODY(stddev, false, stddev)
BODY(stdvar, false, stdvar)
BODY(quantile, false, quantile)
BODY(mad, false, mad)
BODY(ts_of_first, false, ts_of_first)
BODY(ts_of_last, false, ts_of_last)
BODY(ts_of_max, false, ts_of_max)
BODY(ts_of_min, false, ts_of_min)
