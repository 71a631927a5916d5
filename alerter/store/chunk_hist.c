/* Histogram samples as bytes, for files. A sample:
 *	flags; the time since the sample before;
 *	unless it has the shape of the histogram before: schema, zero threshold, custom bounds, spans;
 *	counts, all whole: each as the difference from the histogram before when that has this shape and is whole too, else buckets as
 *	differences from their neighbours; not all whole: as they are;
 *	the sum: as it is, or the bytes that differ from the one before.
 * A stale marker has flags 0 and a time. What is read may be hostile: every count is held against the bytes that are there. */
#include <math.h>

#include "store/bits.h"
#include "store/chunk.h"
#include "store/varint.h"
#include "tocsin/querier.h"

enum { IS_HISTOGRAM = 1, AS_BEFORE = 2, WHOLE = 4, RESET_SHIFT = 3, FLAGS = 0x1f };

/* What the next sample is told by. {0}: nothing. */
struct before {
	int64_t t_ms;
	const struct histogram *h;
	bool whole;
};

/* ---- Counts, one behind the other: of zero, of all, positive and negative buckets ---- */

static size_t n_counts(const struct histogram *h)
{
	return 2 + (size_t)h->pos.n_buckets + h->neg.n_buckets;
}

static double count_at(const struct histogram *h, size_t i)
{
	if (i < 2)
		return i == 0 ? h->zero_count : h->count;
	return i - 2 < h->pos.n_buckets ? h->pos.buckets[i - 2] : h->neg.buckets[i - 2 - h->pos.n_buckets];
}

static bool all_whole(const struct histogram *h)
{
	for (size_t i = 0; i < n_counts(h); i++) {
		double v = count_at(h, i);

		if (!(fabs(v) < 0x1p53) || bits_of((double)(int64_t)v) != bits_of(v))
			return false;
	}
	return true;
}

/* From what count <i> differs, of those that are whole: <before> has its shape, or is NULL. */
static int64_t base_of(const struct histogram *h, size_t i, const struct histogram *before)
{
	if (before != NULL)
		return (int64_t)count_at(before, i);
	return i > 2 ? (int64_t)count_at(h, i - 1) : 0;
}

/* ---- Writing ---- */

static bool same_bytes(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_spans(const struct histogram_side *a, const struct histogram_side *b)
{
	return a->n_spans == b->n_spans && same_bytes(a->spans, b->spans, a->n_spans * sizeof *a->spans);
}

static bool same_shape(const struct histogram *a, const struct histogram *b)
{
	return a->schema == b->schema && bits_of(a->zero_threshold) == bits_of(b->zero_threshold) && a->n_custom == b->n_custom &&
	       same_bytes(a->custom, b->custom, a->n_custom * sizeof(double)) && same_spans(&a->pos, &b->pos) && same_spans(&a->neg, &b->neg);
}

static void put_double(struct buf *out, double v)
{
	buf_put(out, &v, sizeof v);
}

static void put_spans(struct buf *out, const struct histogram_side *s)
{
	varint_put(out, s->n_spans);
	for (uint32_t i = 0; i < s->n_spans; i++) {
		varint_put_signed(out, s->spans[i].offset);
		varint_put(out, s->spans[i].length);
	}
}

static void put_shape(struct buf *out, const struct histogram *h)
{
	varint_put_signed(out, h->schema);
	put_double(out, h->zero_threshold);
	varint_put(out, h->n_custom);
	if (h->n_custom > 0)
		buf_put(out, h->custom, h->n_custom * sizeof(double));
	put_spans(out, &h->pos);
	put_spans(out, &h->neg);
}

/* How many bytes at the front are the same, and the others. */
static void put_sum(struct buf *out, double sum, double before)
{
	uint64_t x = __builtin_bswap64(bits_of(sum) ^ bits_of(before));
	unsigned same = x == 0 ? 8 : (unsigned)__builtin_ctzll(x) / 8;

	buf_putc(out, (char)same);
	if (same < 8)
		buf_put(out, (const char *)&x + same, 8 - same);
}

static void put_one(struct buf *out, const struct histogram *h, int64_t t_ms, struct before *b)
{
	bool as_before = h != NULL && b->h != NULL && same_shape(h, b->h), whole = h != NULL && all_whole(h);
	const struct histogram *base = as_before && b->whole ? b->h : NULL;
	unsigned flags = h == NULL ? 0 : IS_HISTOGRAM | (as_before ? AS_BEFORE : 0u) | (whole ? WHOLE : 0u) | (unsigned)h->reset << RESET_SHIFT;

	buf_putc(out, (char)flags);
	varint_put_signed(out, (int64_t)((uint64_t)t_ms - (uint64_t)b->t_ms));
	b->t_ms = t_ms;
	if (h == NULL)
		return;
	if (!as_before)
		put_shape(out, h);
	for (size_t i = 0; i < n_counts(h); i++)
		if (whole)
			varint_put_signed(out, (int64_t)count_at(h, i) - base_of(h, i, base));
		else
			put_double(out, count_at(h, i));
	put_sum(out, h->sum, as_before ? b->h->sum : 0);
	b->h = h;
	b->whole = whole;
}

void chunk_hist_write_one(const struct histogram *h, int64_t t_ms, struct buf *out)
{
	put_one(out, h, t_ms, &(struct before){ 0 });
}

void chunk_hist_write(const struct chunk_hist *entry, unsigned n, struct buf *out)
{
	struct before b = { 0 };

	for (unsigned i = 0; i < n; i++)
		put_one(out, entry[i].h, entry[i].t_ms, &b);
}

/* ---- Reading ---- */

static bool take(struct str *rest, void *to, size_t bytes)
{
	if (bytes > rest->n)
		return false;
	if (bytes > 0)
		memcpy(to, rest->p, bytes);
	*rest = (struct str){ rest->p + bytes, rest->n - bytes };
	return true;
}

/* The buckets are not there yet. Each takes a byte at least. */
static bool take_spans(struct str *rest, struct histogram_side *side, struct arena *a)
{
	struct histogram_span *spans;
	uint64_t n, length, sum = 0;
	int64_t offset;

	if (!varint_take(rest, &n) || n > rest->n / 2)
		return false;
	spans = ARENA_ARRAY(a, n, struct histogram_span);
	for (uint64_t i = 0; i < n; i++) {
		if (!varint_take_signed(rest, &offset) || !varint_take(rest, &length) || offset < INT32_MIN || offset > INT32_MAX || length > rest->n)
			return false;
		spans[i] = (struct histogram_span){ (int32_t)offset, (uint32_t)length };
		sum += length;
		if (sum > rest->n)
			return false;
	}
	side->spans = spans;
	side->n_spans = (uint32_t)n;
	side->n_buckets = (uint32_t)sum;
	return sum <= UINT32_MAX;
}

static bool take_shape(struct str *rest, struct histogram *h, struct arena *a)
{
	int64_t schema;
	uint64_t n_custom;
	double *custom;

	if (!varint_take_signed(rest, &schema) || ((schema < HISTOGRAM_SCHEMA_MIN || schema > HISTOGRAM_SCHEMA_MAX) && schema != HISTOGRAM_CUSTOM) ||
	    !take(rest, &h->zero_threshold, sizeof h->zero_threshold) || !varint_take(rest, &n_custom) || n_custom > rest->n / sizeof(double))
		return false;
	custom = ARENA_ARRAY(a, n_custom, double);
	h->schema = (int32_t)schema;
	h->custom = custom;
	h->n_custom = (uint32_t)n_custom;
	return take(rest, custom, n_custom * sizeof(double)) && take_spans(rest, &h->pos, a) && take_spans(rest, &h->neg, a);
}

static bool take_count(struct str *rest, bool whole, int64_t base, double *v)
{
	int64_t off;

	if (!whole)
		return take(rest, v, sizeof *v);
	if (!varint_take_signed(rest, &off))
		return false;
	off = (int64_t)((uint64_t)off + (uint64_t)base);
	*v = (double)off;
	return off < INT64_C(1) << 53 && off > -(INT64_C(1) << 53);
}

static bool take_counts(struct str *rest, struct histogram *h, bool whole, const struct histogram *base, struct arena *a)
{
	size_t n = n_counts(h), n_pos = h->pos.n_buckets;
	double *v;

	if (n > rest->n)
		return false;
	v = ARENA_ARRAY(a, n, double);
	h->pos.buckets = v + 2;
	h->neg.buckets = v + 2 + n_pos;
	for (size_t i = 0; i < n; i++) {
		if (!take_count(rest, whole, whole ? base_of(h, i, base) : 0, &v[i]))
			return false;
		h->zero_count = v[0];
		h->count = v[1];
	}
	return true;
}

static bool take_sum(struct str *rest, double before, double *sum)
{
	unsigned char same = 9;
	uint64_t x = 0;

	if (!take(rest, &same, 1) || same > 8 || !take(rest, (char *)&x + same, 8u - same))
		return false;
	*sum = of_bits(__builtin_bswap64(x) ^ bits_of(before));
	return true;
}

static struct histogram *take_histogram(struct str *rest, unsigned flags, struct before *b, struct arena *a)
{
	struct histogram *h = ARENA_NEW(a, struct histogram);
	bool as_before = (flags & AS_BEFORE) != 0, whole = (flags & WHOLE) != 0;

	if (as_before && b->h == NULL)
		return NULL;
	if (as_before)
		*h = *b->h;
	else if (!take_shape(rest, h, a))
		return NULL;
	h->reset = (enum histogram_reset)(flags >> RESET_SHIFT);
	if (!take_counts(rest, h, whole, as_before && b->whole ? b->h : NULL, a) || !take_sum(rest, as_before ? b->h->sum : 0, &h->sum))
		return NULL;
	b->h = h;
	b->whole = whole;
	return h;
}

bool chunk_hist_read(struct str rest, unsigned n, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a)
{
	struct before b = { 0 };

	for (unsigned i = 0; i < n; i++) {
		unsigned char flags = 0;
		int64_t since_ms;

		if (!take(&rest, &flags, 1) || flags > FLAGS || ((flags & IS_HISTOGRAM) == 0 && flags != 0) || !varint_take_signed(&rest, &since_ms))
			return false;
		t_ms[i] = b.t_ms = (int64_t)((uint64_t)b.t_ms + (uint64_t)since_ms);
		v[i] = flags != 0 ? (double)NAN : value_stale();
		h[i] = flags != 0 ? take_histogram(&rest, flags, &b, a) : NULL;
		if (flags != 0 && h[i] == NULL)
			return false;
	}
	return rest.n == 0;
}
