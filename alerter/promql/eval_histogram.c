/* Native histograms as values of the evaluator. */
#include "eval_histogram.h"

static void *copied(struct arena *a, const void *p, size_t n, size_t item_bytes)
{
	void *out = arena_array(a, n, item_bytes);

	if (n > 0)
		memcpy(out, p, n * item_bytes);
	return out;
}

static struct histogram_side side_keep(struct arena *a, const struct histogram_side *s)
{
	return (struct histogram_side){ copied(a, s->spans, s->n_spans, sizeof *s->spans),
	                                copied(a, s->buckets, s->n_buckets, sizeof *s->buckets), s->n_spans, s->n_buckets };
}

const struct histogram *histogram_keep(struct arena *a, const struct histogram *h)
{
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->pos = side_keep(a, &h->pos);
	out->neg = side_keep(a, &h->neg);
	out->custom = copied(a, h->custom, h->n_custom, sizeof *h->custom);
	return out;
}

static struct histogram_side side_times(struct arena *a, const struct histogram_side *s, double factor)
{
	struct histogram_side out = *s;
	double *buckets = copied(a, s->buckets, s->n_buckets, sizeof *s->buckets);

	for (size_t i = 0; i < s->n_buckets; i++)
		buckets[i] *= factor;
	out.buckets = buckets;
	return out;
}

const struct histogram *histogram_times(struct arena *a, const struct histogram *h, double factor)
{
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->count *= factor;
	out->zero_count *= factor;
	out->sum *= factor;
	out->pos = side_times(a, &h->pos, factor);
	out->neg = side_times(a, &h->neg, factor);
	return out;
}

/* ---- waiting for histogram_ops ---- */

const struct histogram *histogram_divided(struct arena *a, const struct histogram *h, double by)
{
	return histogram_times(a, h, 1 / by);
}

const struct histogram *histogram_compacted(struct arena *a, const struct histogram *h)
{
	(void)a;
	return h;
}

const struct histogram *histogram_cut(struct arena *a, const struct histogram *h, double at, bool upper)
{
	(void)a, (void)at, (void)upper;
	return h;
}

const struct histogram *histogram_combined(struct eval *ev, const struct histogram *l, const struct histogram *r, bool subtract, int pos)
{
	(void)ev, (void)l, (void)r, (void)subtract, (void)pos;
	return NULL;
}

bool histogram_same(const struct histogram *l, const struct histogram *r)
{
	return l == r;
}

bool histogram_reset_since(const struct histogram *before, const struct histogram *now)
{
	return now->count < before->count;
}

void histogram_print(struct buf *b, const struct histogram *h)
{
	(void)b, (void)h;
}

struct histogram_mean {
	bool mean;
};

struct histogram_mean *histogram_mean_new(struct arena *a, bool mean)
{
	struct histogram_mean *m = ARENA_NEW(a, struct histogram_mean);

	m->mean = mean;
	return m;
}

void histogram_mean_add(struct eval *ev, struct histogram_mean *m, const struct histogram *h, struct labels l, int pos)
{
	(void)ev, (void)m, (void)h, (void)l, (void)pos;
}

const struct histogram *histogram_mean_end(struct eval *ev, struct histogram_mean *m, int pos)
{
	(void)ev, (void)m, (void)pos;
	return NULL;
}

const struct histogram *histogram_stepped(struct arena *a, const struct histogram *h, const struct histogram *step, bool minus)
{
	(void)a, (void)step, (void)minus;
	return h;
}
