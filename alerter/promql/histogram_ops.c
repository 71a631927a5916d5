/* Native histograms as values. */
#include "histogram_ops.h"

#include <string.h>

#include "histogram_buckets.h"
#include "histogram_tally.h"

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

static double times(double v, double by)
{
	return v * by;
}

static double over(double v, double by)
{
	return v / by;
}

typedef double (*change_fn)(double v, double by);

static struct histogram_side side_changed(struct arena *a, const struct histogram_side *s, change_fn change, double by)
{
	struct histogram_side out = *s;
	double *buckets = ARENA_ARRAY(a, s->n_buckets, double);

	for (size_t i = 0; i < s->n_buckets; i++)
		buckets[i] = change(s->buckets[i], by);
	out.buckets = buckets;
	return out;
}

static struct histogram *changed(struct arena *a, const struct histogram *h, change_fn change, double by)
{
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->count = change(h->count, by);
	out->zero_count = change(h->zero_count, by);
	out->sum = change(h->sum, by);
	out->pos = side_changed(a, &h->pos, change, by);
	out->neg = side_changed(a, &h->neg, change, by);
	if (by < 0)
		out->reset = RESET_GAUGE;
	return out;
}

const struct histogram *histogram_times(struct arena *a, const struct histogram *h, double factor)
{
	return changed(a, h, times, factor);
}

const struct histogram *histogram_divided(struct arena *a, const struct histogram *h, double by)
{
	struct histogram *out = changed(a, h, over, by);

	if (by == 0)
		out->pos = out->neg = (struct histogram_side){ 0 };     /* infinite in every bucket tells nothing */
	return out;
}

static struct histogram_side side_compacted(struct arena *a, const struct histogram_side *s)
{
	struct side_maker m = side_maker_new(a, s->n_buckets);
	struct side_walk walk = side_walk_up(s);
	int64_t index;
	double count;

	while (side_next(&walk, &index, &count))
		side_put(&m, index, count);
	return side_made(&m);
}

const struct histogram *histogram_compacted(struct arena *a, const struct histogram *h)
{
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->pos = side_compacted(a, &h->pos);
	out->neg = side_compacted(a, &h->neg);
	return out;
}

const struct histogram *histogram_stepped(struct arena *a, const struct histogram *h, const struct histogram *step, bool minus)
{
	struct tally t;

	tally_init(&t, a, true);
	tally_add(&t, h, 1);
	return tally_add(&t, step, minus ? -1 : 1) == TALLY_ADDED ? tally_histogram(&t, a) : NULL;
}

static bool same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_side(const struct histogram_side *a, const struct histogram_side *b)
{
	struct side_walk x = side_walk_up(a), y = side_walk_up(b);
	int64_t i, k;
	double p, q;

	for (;;) {
		bool more = side_next(&x, &i, &p);

		if (more != side_next(&y, &k, &q))
			return false;
		if (!more)
			return true;
		if (i != k || !same_bits(p, q))
			return false;
	}
}

bool histogram_same(const struct histogram *a, const struct histogram *b)
{
	return a->schema == b->schema && same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
	       bounds_same(a->custom, a->n_custom, b->custom, b->n_custom) && a->zero_threshold == b->zero_threshold &&
	       same_bits(a->zero_count, b->zero_count) && same_side(&a->neg, &b->neg) && same_side(&a->pos, &b->pos);
}

bool histogram_reset_since(struct arena *scratch, const struct histogram *before, const struct histogram *now)
{
	if (now->reset == RESET_YES || now->reset == RESET_NO)
		return now->reset == RESET_YES;
	return tally_shows_reset(scratch, before, now);
}
