/* Whatever two native histograms look like, spans that overlap or promise too much included: operations give histograms that are
 * well formed, in which nothing is lost that can be kept, and estimates do not crash. */
#include <assert.h>
#include <string.h>

#include "promql/histogram_buckets.h"
#include "promql/histogram_ops.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 8 };

struct input {
	const uint8_t *p;
	size_t n;
};

static uint8_t byte(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static double number(struct input *in)
{
	double v;

	if ((byte(in) & 7) != 0 || in->n < sizeof v)
		return byte(in) - 8;
	memcpy(&v, in->p, sizeof v);
	in->p += sizeof v;
	in->n -= sizeof v;
	return v;
}

static struct histogram_side side(struct input *in, struct arena *a)
{
	struct histogram_side s = { .n_spans = byte(in) % 4, .n_buckets = byte(in) % MOST };
	struct histogram_span *spans = ARENA_ARRAY(a, s.n_spans, struct histogram_span);
	double *buckets = ARENA_ARRAY(a, s.n_buckets, double);

	for (uint32_t i = 0; i < s.n_spans; i++) {
		spans[i] = (struct histogram_span){ byte(in) - 128, byte(in) % MOST };
		if (byte(in) == 255)
			spans[i].offset = byte(in) & 1 ? INT32_MAX : INT32_MIN;
	}
	for (uint32_t i = 0; i < s.n_buckets; i++)
		buckets[i] = number(in);
	s.spans = spans;
	s.buckets = buckets;
	return s;
}

/* Bounds rise, as whoever lets custom ones in sees to. */
static struct histogram *histogram(struct input *in, struct arena *a)
{
	struct histogram *h = ARENA_NEW(a, struct histogram);
	double *custom = ARENA_ARRAY(a, MOST, double), bound = byte(in) - 128;
	bool is_custom = byte(in) & 1;

	*h = (struct histogram){ .schema = is_custom ? HISTOGRAM_CUSTOM : byte(in) % 13 - 4, .reset = byte(in) % 4, .count = number(in),
	                         .sum = number(in), .pos = side(in, a) };
	if (!is_custom) {
		h->zero_threshold = byte(in) / 16.0;
		h->zero_count = number(in);
		h->neg = side(in, a);
		return h;
	}
	h->n_custom = byte(in) % MOST;
	for (uint32_t i = 0; i < h->n_custom; i++)
		custom[i] = bound += 1 + byte(in) % 3;
	h->custom = custom;
	return h;
}

static void check_side(const struct histogram_side *s)
{
	uint64_t buckets = 0;

	for (uint32_t i = 0; i < s->n_spans; i++)
		buckets += s->spans[i].length;
	assert(buckets == s->n_buckets);
	for (uint32_t i = 0; i < s->n_buckets; i++)
		assert(s->buckets[i] != 0);
}

static void check(const struct histogram *h)
{
	struct buf text = { 0 };
	bool beyond;

	check_side(&h->pos);
	check_side(&h->neg);
	promql_histogram_json(&text, h);
	promql_histogram_print(&text, h);
	histogram_quantile(0.3, h, &beyond);
	histogram_quantile(0.8, h, &beyond);
	histogram_fraction(-1.5, 3, h);
	histogram_variance(h);
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = { data, n };
	struct arena a = { 0 };
	const struct histogram *l = histogram(&in, &a), *r = histogram(&in, &a), *sum = histogram_stepped(&a, l, r, byte(&in) & 1);

	assert((sum == NULL) == (histogram_is_custom(l) != histogram_is_custom(r)));
	if (sum != NULL)
		check(sum);
	check(histogram_compacted(&a, l));
	check(histogram_compacted(&a, histogram_trimmed(&a, l, number(&in), byte(&in) & 1)));
	assert(histogram_same(l, histogram_keep(&a, l)));
	histogram_reset_since(&a, l, r);
	arena_fini(&a);
	return 0;
}
