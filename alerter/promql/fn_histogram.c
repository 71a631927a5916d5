/* Functions of native histograms: one number of each. Floats are left out. */
#include "fn_histogram.h"

#include "eval_histogram.h"
#include "functions_bodies.h"
#include "notes.h"

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
	c->result = value_drop_name_alone(c->ev, c->node, x);
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

static double stddev(const struct histogram *h)
{
	return sqrt(histogram_variance(h));
}

#define BODY(name, fn) \
	void fn_histogram_##name(struct eval_call *c) \
	{ \
		call_histograms(c, fn); \
	}

BODY(count, count)
BODY(sum, sum)
BODY(avg, avg)
BODY(stdvar, histogram_variance)
BODY(stddev, stddev)

double native_quantile(struct eval *ev, double q, const struct histogram *h, struct labels l, int pos)
{
	bool beyond;
	double v = histogram_quantile(q, h, &beyond);

	if (!isnan(h->sum) || !(q >= 0 && q <= 1) || h->count == 0)
		return v;
	if (beyond || histogram_counted(h) < h->count)
		note_add(ev, beyond ? NOTE_QUANTILE_NAN : NOTE_QUANTILE_SKEWED, l, pos);
	return beyond ? NAN : v;
}

double native_fraction(struct eval *ev, double lower, double upper, const struct histogram *h, struct labels l, int pos)
{
	if (isnan(h->sum) && h->count != 0 && lower < upper && histogram_counted(h) < h->count)
		note_add(ev, NOTE_FRACTION_NAN, l, pos);
	return histogram_fraction(lower, upper, h);
}

static bool over_time(struct eval_call *c, const struct window *w, bool mean, struct point *out)
{
	int pos = c->range_arg->beg;
	struct arena_mark mark = arena_mark(c->ev->scratch);
	struct histogram_mean *m = histogram_mean_new(c->ev->scratch, mean);

	for (size_t i = 0; i < w->h.n; i++)
		histogram_mean_add(c->ev, m, w->h.h[i], w->labels, pos);
	out->h = histogram_mean_end(c->ev, m, pos);
	arena_rewind(c->ev->scratch, mark);
	return out->h != NULL;
}

bool histogram_sum_over_time(struct eval_call *c, const struct window *w, struct point *out)
{
	return over_time(c, w, false, out);
}

bool histogram_avg_over_time(struct eval_call *c, const struct window *w, struct point *out)
{
	return over_time(c, w, true, out);
}
