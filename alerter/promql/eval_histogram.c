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
