/* The operators </ and >/: a histogram without the observations above, or below, a value. In the bucket around it as many stay as
 * are estimated to lie on the side that stays; the sum is then estimated anew from the middles of the buckets. */
#include <math.h>

#include "histogram_buckets.h"
#include "histogram_ops.h"

/* What is left of a bucket. */
struct rest {
	double count, middle;
};

struct trim {
	const struct histogram *h;
	double at;
	bool upper;             /* what is above <at> goes */
	double count, sum;      /* of what is left */
	bool some[2];           /* observations on the positive, the negative side */
	bool changed;
};

static double middle_of(const struct trim *t, double lower, double upper, bool negative)
{
	double middle;

	if (lower == -INFINITY && upper == INFINITY)
		return 0;
	if (lower == -INFINITY)
		return upper > 0 ? upper / 2 : upper;
	if (upper == INFINITY)
		return lower;
	if (histogram_is_custom(t->h))
		return (lower + upper) / 2;
	middle = sqrt(fabs(lower * upper));
	return negative ? -middle : middle;
}

/* Of a bucket without end nobody knows where its observations are: they stay when they can all be at <at>, and go otherwise. The
 * first of custom buckets is taken to begin at zero when it reaches beyond it. */
static struct rest cut_endless(const struct trim *t, const struct histogram_bucket *b)
{
	struct rest none = { 0 };

	if (b->upper == INFINITY)
		return t->upper || b->lower == -INFINITY ? none : (struct rest){ b->count, t->at };
	if (t->upper) {
		if (t->at > 0)
			return (struct rest){ b->count * t->at / b->upper, t->at / 2 };
		return b->upper <= 0 ? (struct rest){ b->count, t->at } : none;
	}
	return t->at >= 0 ? (struct rest){ b->count * (1 - t->at / b->upper), (t->at + b->upper) / 2 } : none;
}

/* <at> lies within the bucket. */
static struct rest cut_within(const struct trim *t, const struct histogram_bucket *b)
{
	double part, below;

	if (b->lower == -INFINITY || b->upper == INFINITY)
		return cut_endless(t, b);
	part = histogram_is_custom(t->h) ? (t->at - b->lower) / (b->upper - b->lower) : exponential_part_below(b, t->at);
	below = b->count * part;
	if (t->upper)
		return (struct rest){ below, middle_of(t, b->lower, t->at, b->negative) };
	return (struct rest){ b->count - below, middle_of(t, t->at, b->upper, b->negative) };
}

static struct rest cut_bucket(const struct trim *t, const struct histogram_bucket *b)
{
	if (t->upper ? b->upper <= t->at : b->lower >= t->at)
		return (struct rest){ b->count, middle_of(t, b->lower, b->upper, b->negative) };
	if (t->upper ? b->lower < t->at : b->upper > t->at)
		return cut_within(t, b);
	return (struct rest){ 0 };
}

/* Even around zero; where there are observations on one side only, all of its own are on that side. */
static struct rest cut_zero(const struct trim *t)
{
	double lower = t->some[0] && !t->some[1] ? 0 : -t->h->zero_threshold;
	double upper = t->some[1] && !t->some[0] ? 0 : t->h->zero_threshold;
	double count = t->h->zero_count, at = t->at;

	if (t->upper ? at >= upper : at <= lower)
		return (struct rest){ count, (lower + upper) / 2 };
	if (!(at > lower && at < upper))
		return (struct rest){ 0 };
	if (t->upper)
		return (struct rest){ count * ((at - lower) / (upper - lower)), (lower + at) / 2 };
	return (struct rest){ count * ((upper - at) / (upper - lower)), (at + upper) / 2 };
}

static double keep(struct trim *t, double had, struct rest rest)
{
	t->count += rest.count;
	t->sum += rest.middle * rest.count;
	t->changed |= rest.count != had;
	return rest.count;
}

static struct histogram_side trim_side(struct arena *a, struct trim *t, const struct histogram_side *side, bool negative)
{
	struct side_maker m = side_maker_new(a, side->n_buckets);
	struct side_walk walk = side_walk_up(side);
	double count;
	int64_t index;

	while (side_next(&walk, &index, &count)) {
		struct histogram_bucket b = histogram_bucket_at(t->h, index, count, negative);

		if (count == 0)
			continue;
		t->some[negative] = true;
		side_put(&m, index, keep(t, count, cut_bucket(t, &b)));
	}
	return side_made(&m);
}

const struct histogram *histogram_trimmed(struct arena *a, const struct histogram *h, double at, bool upper)
{
	struct trim t = { .h = h, .at = at, .upper = upper };
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->pos = trim_side(a, &t, &h->pos, false);
	out->neg = trim_side(a, &t, &h->neg, true);
	if (h->zero_count > 0)
		out->zero_count = keep(&t, h->zero_count, cut_zero(&t));
	if (!t.changed)
		return h;
	out->count = t.count;
	out->sum = t.sum;
	return out;
}
