/* Native histograms as classic ones, for texts that have no others: name_bucket with le, name_sum, name_count. A series' buckets are bounded
 * alike at all its times: by every bound one of its histograms has. Where a bound lies within a bucket of another resolution nothing
 * is known, and nothing said. */
#include "classic.h"

#include <math.h>
#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/num.h"

struct bucket {
	double lower, upper, count;
};

struct buckets {
	struct bucket *v;
	size_t n;
};

/* Upper bound of the bucket with that index. */
static double bound_of(const struct histogram *h, int64_t index)
{
	if (h->schema == HISTOGRAM_CUSTOM)
		return index < 0 ? -(double)INFINITY : index < (int64_t)h->n_custom ? h->custom[index] : (double)INFINITY;
	return exp2(ldexp((double)index, -h->schema));
}

static void add_side(struct buckets *b, const struct histogram *h, const struct histogram_side *s, bool negative)
{
	int64_t index = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n_spans; i++) {
		index += s->spans[i].offset;
		for (uint32_t k = 0; k < s->spans[i].length; k++, index++, at++) {
			double lower = bound_of(h, index - 1), upper = bound_of(h, index);

			b->v[b->n++] = negative ? (struct bucket){ -upper, -lower, s->buckets[at] } : (struct bucket){ lower, upper, s->buckets[at] };
		}
	}
}

static struct buckets buckets_of(const struct histogram *h, struct arena *a)
{
	struct buckets b = { ARENA_ARRAY(a, (size_t)h->pos.n_buckets + h->neg.n_buckets + 1, struct bucket), 0 };

	add_side(&b, h, &h->neg, true);
	if (h->zero_count != 0)
		b.v[b.n++] = (struct bucket){ -h->zero_threshold, h->zero_threshold, h->zero_count };
	add_side(&b, h, &h->pos, false);
	return b;
}

static int by_value(const void *a, const void *b)
{
	double l = *(const double *)a, r = *(const double *)b;

	return (l > r) - (l < r);
}

/* Every bound of them, rising, each once, and +Inf. */
static double *all_bounds(const struct buckets *b, size_t n, struct arena *a, size_t *n_bounds)
{
	size_t cap = 0, kept = 0;
	double *v = arena_grow(a, NULL, 0, &cap, 1, sizeof *v);

	*n_bounds = 0;
	v[(*n_bounds)++] = (double)INFINITY;
	for (size_t i = 0; i < n; i++) {
		v = arena_grow(a, v, *n_bounds, &cap, *n_bounds + b[i].n, sizeof *v);
		for (size_t k = 0; k < b[i].n; k++)
			v[(*n_bounds)++] = b[i].v[k].upper;
		qsort(v, *n_bounds, sizeof *v, by_value);
		kept = 0;
		for (size_t k = 0; k < *n_bounds; k++)
			if (kept == 0 || v[k] != v[kept - 1])
				v[kept++] = v[k];
		*n_bounds = kept;
	}
	return v;
}

/* How many observations are at most <bound>; false: unknown. */
static bool count_until(const struct buckets *b, double bound, double *count)
{
	*count = 0;
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].upper <= bound)
			*count += b->v[i].count;
		else if (b->v[i].lower < bound && b->v[i].count != 0)
			return false;
	}
	return true;
}

static struct labels with_suffix(struct arena *a, struct labels l, const char *suffix)
{
	struct str name = labels_get(l, STR(LABEL_NAME));

	return labels_with(a, l, STR(LABEL_NAME), arena_printf(a, STR_FMT "%s", STR_ARG(name), suffix));
}

/* As OpenMetrics wants bounds: 1.0, not 1. */
static struct str bound_text(struct arena *a, double bound)
{
	char text[NUM_MAX + 2];
	size_t n = num_format(text, bound);

	if (strcspn(text, ".eEIN") == n)
		memcpy(text + n, ".0", 3);
	return arena_str(a, str_of(text));
}

size_t classic_put(struct labels l, const struct samples *s, struct arena *a, classic_sample *put, void *ctx)
{
	struct labels sums = with_suffix(a, l, "_sum"), counts = with_suffix(a, l, "_count"), bucket = with_suffix(a, l, "_bucket");
	struct buckets *b = ARENA_ARRAY(a, s->n, struct buckets);
	size_t n = 0, n_bounds, *at = ARENA_ARRAY(a, s->n, size_t);
	double *bounds;

	for (size_t i = 0; i < s->n; i++)
		if (s->h[i] != NULL && !value_is_stale(s->v[i])) {
			b[n] = buckets_of(s->h[i], a);
			at[n++] = i;
		}
	bounds = all_bounds(b, n, a, &n_bounds);
	for (size_t k = 0; n > 0 && k < n_bounds; k++) {
		struct labels own = labels_with(a, bucket, STR("le"), bound_text(a, bounds[k]));

		for (size_t i = 0; i < n; i++) {
			double count = s->h[at[i]]->count;

			if (isinf(bounds[k]) || count_until(&b[i], bounds[k], &count))
				put(ctx, own, s->t_ms[at[i]], count);
		}
	}
	for (size_t i = 0; i < n; i++)
		put(ctx, counts, s->t_ms[at[i]], s->h[at[i]]->count);
	for (size_t i = 0; i < n; i++)
		put(ctx, sums, s->t_ms[at[i]], s->h[at[i]]->sum);
	return n;
}
