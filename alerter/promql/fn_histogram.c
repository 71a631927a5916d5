/* Functions of native histograms: one number of each. Floats are left out. */
#include "fn_histogram.h"

#include "eval_histogram.h"
#include "fn_rate.h"
#include "functions_bodies.h"

static void call_histograms(struct eval_call *c, double (*fn)(const struct histogram *))
{
	struct value *x = c->args[0];

	for (size_t i = 0; i < value_cells(x); i++) {
		const struct histogram *h = value_histogram(x, i);

		x->has[i] &= h != NULL;
		if (x->has[i])
			x->v[i] = fn(h);
	}
	x->h = NULL;
	c->result = value_drop_names(c->ev, c->node, x);
}

static double count(const struct histogram *h)
{
	return h->count;
}

static double sum(const struct histogram *h)
{
	return h->sum;
}

static double avg(const struct histogram *h)
{
	return h->sum / h->count;
}

static double stdvar(const struct histogram *h)
{
	(void)h;
	return NAN;
}

static double stddev(const struct histogram *h)
{
	return sqrt(stdvar(h));
}

#define BODY(name) \
	void fn_histogram_##name(struct eval_call *c) \
	{ \
		call_histograms(c, name); \
	}

BODY(count)
BODY(sum)
BODY(avg)
BODY(stdvar)
BODY(stddev)

/* ---- waiting for histogram_ops: their bodies are written (here and in fn_rate_histogram.c) and land right behind it, with the
 * new callers of histogram_reset_since() in fn_changes.c and script/ram.c ---- */

double native_quantile(struct eval *ev, double q, const struct histogram *h, struct labels l, int pos)
{
	(void)ev, (void)q, (void)h, (void)l, (void)pos;
	return NAN;
}

double native_fraction(struct eval *ev, double lower, double upper, const struct histogram *h, struct labels l, int pos)
{
	(void)ev, (void)lower, (void)upper, (void)h, (void)l, (void)pos;
	return NAN;
}

bool histogram_sum_over_time(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c, (void)w, (void)out;
	return false;
}

bool histogram_avg_over_time(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c, (void)w, (void)out;
	return false;
}

bool histogram_increase(struct eval_call *c, const struct window *w, struct rate_kind kind, double range_s, struct point *out)
{
	(void)c, (void)w, (void)kind, (void)range_s, (void)out;
	return false;
}

bool histogram_last_step(struct eval_call *c, const struct window *w, struct rate_kind kind, struct point *out)
{
	(void)c, (void)w, (void)kind, (void)out;
	return false;
}

bool histogram_extended(struct eval_call *c, const struct window *w, struct rate_kind kind, bool smoothed, struct point *out)
{
	(void)c, (void)w, (void)kind, (void)smoothed, (void)out;
	return false;
}

bool smooth_histogram_at(struct eval *ev, const struct window *w, int64_t at_ms, int pos, struct point *out)
{
	(void)ev, (void)w, (void)at_ms, (void)pos, (void)out;
	return false;
}
