/* Functions that look for a trend in a gauge: deriv() and predict_linear() by least squares, and double exponential
 * smoothing (Holt's linear method). */
#include "eval_range.h"
#include "functions_bodies.h"
#include "notes.h"
#include "numeric.h"

/* At least two floats; histograms beside floats are ignored, and that is told. */
static bool enough_floats(struct eval_call *c, const struct window *w)
{
	if (w->f.n > 0 && w->h.n > 0)
		note_add(c->ev, NOTE_HISTOGRAM_IGNORED_IN_RANGE, w->labels, c->range_arg->beg);
	return w->f.n >= 2;
}

struct line {
	double slope, at_zero;
};

static bool is_constant(const struct float_points *f)
{
	for (size_t i = 1; i < f->n; i++)
		if (f->v[i] != f->v[0])
			return false;
	return true;
}

/* Time counts in seconds from <zero_ms>, which should be near the samples: else the squares drown the differences. */
static struct line fit_line(struct eval *ev, const struct float_points *f, int64_t zero_ms)
{
	struct sum x = { 0 }, y = { 0 }, xy = { 0 }, xx = { 0 };
	double n = (double)f->n, slope;

	if (is_constant(f))
		return isinf(f->v[0]) ? (struct line){ NAN, NAN } : (struct line){ 0, f->v[0] };
	for (size_t i = 0; i < f->n && eval_works(ev, 1); i++) {
		double t = (double)(f->t_ms[i] - zero_ms) / 1000;

		sum_add(&x, t);
		sum_add(&y, f->v[i]);
		sum_add(&xy, t * f->v[i]);
		sum_add(&xx, t * t);
	}
	double sx = x.v + x.c, sy = y.v + y.c, sxy = xy.v + xy.c, sxx = xx.v + xx.c;

	slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
	return (struct line){ slope, sy / n - slope * sx / n };
}

static bool deriv(struct eval_call *c, const struct window *w, struct point *out)
{
	if (!enough_floats(c, w))
		return false;
	out->v = fit_line(c->ev, &w->f, w->f.t_ms[0]).slope;
	return true;
}

void fn_deriv(struct eval_call *c)
{
	call_windows(c, false, deriv);
}

static bool predict(struct eval_call *c, const struct window *w, struct point *out)
{
	struct line line;

	if (!enough_floats(c, w))
		return false;
	line = fit_line(c->ev, &w->f, step_at(&c->ev->steps, w->step));
	out->v = line.slope * call_scalar(c, 1, w->step) + line.at_zero;
	return true;
}

void fn_predict_linear(struct eval_call *c)
{
	call_windows(c, false, predict);
}

static bool factor_fits(struct eval_call *c, size_t arg, double v, const char *name, const char *sign)
{
	if (v > 0 && v < 1)
		return true;
	return eval_fail(c->ev, ERR_EXEC, call_arg_pos(c, arg), "invalid %s factor. Expected: 0 < %s < 1, got: %f", name, sign, v);
}

static bool smooth(struct eval_call *c, const struct window *w, struct point *out)
{
	double smoothing = call_scalar(c, 1, w->step), trend = call_scalar(c, 2, w->step), level, before, slope;

	if (!factor_fits(c, 1, smoothing, "smoothing", "sf") || !factor_fits(c, 2, trend, "trend", "tf") || !enough_floats(c, w))
		return false;
	level = w->f.v[0];
	before = 0;
	slope = w->f.v[1] - w->f.v[0];
	for (size_t i = 1; i < w->f.n && eval_works(c->ev, 1); i++) {
		double next;

		if (i > 1)
			slope = trend * (level - before) + (1 - trend) * slope;
		next = smoothing * w->f.v[i] + (1 - smoothing) * (level + slope);
		before = level;
		level = next;
	}
	out->v = level;
	return true;
}

void fn_double_exponential_smoothing(struct eval_call *c)
{
	call_windows(c, false, smooth);
}
