/* Histogram samples as bytes, for block files: an entry a sample, its arrays behind it, nothing aligned. What is read may be hostile:
 * every count is held against the bytes that are there. Numbers are the host's, as in the rest of the file. */
#include <math.h>

#include "store/chunk.h"
#include "tocsin/querier.h"

struct hist_entry {
	int64_t t_ms;
	double zero_threshold, zero_count, count, sum;
	int32_t schema;
	uint32_t reset, is_histogram; /* 0: a stale marker, and no arrays */
	uint32_t n_custom, pos_spans, pos_buckets, neg_spans, neg_buckets;
};

static void put_array(struct buf *out, const void *p, size_t n, size_t item)
{
	if (n > 0)
		buf_put(out, p, n * item);
}

void chunk_hist_write_one(const struct histogram *h, int64_t t_ms, struct buf *out)
{
	struct hist_entry e;

	memset(&e, 0, sizeof e);
	e.t_ms = t_ms;
	if (h == NULL) {
		buf_put(out, &e, sizeof e);
		return;
	}
	e.is_histogram = 1;
	e.zero_threshold = h->zero_threshold, e.zero_count = h->zero_count, e.count = h->count, e.sum = h->sum;
	e.schema = h->schema, e.reset = h->reset;
	e.n_custom = h->n_custom;
	e.pos_spans = h->pos.n_spans, e.pos_buckets = h->pos.n_buckets;
	e.neg_spans = h->neg.n_spans, e.neg_buckets = h->neg.n_buckets;
	buf_put(out, &e, sizeof e);
	put_array(out, h->custom, h->n_custom, sizeof(double));
	put_array(out, h->pos.buckets, h->pos.n_buckets, sizeof(double));
	put_array(out, h->neg.buckets, h->neg.n_buckets, sizeof(double));
	put_array(out, h->pos.spans, h->pos.n_spans, sizeof(struct histogram_span));
	put_array(out, h->neg.spans, h->neg.n_spans, sizeof(struct histogram_span));
}

void chunk_hist_write(const struct chunk_hist *entry, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++)
		chunk_hist_write_one(entry[i].h, entry[i].t_ms, out);
}

/* A copy of the next <n> items in <a>; NULL and the rest made empty when there are fewer. */
static void *take(struct str *rest, size_t n, size_t item, struct arena *a, bool *ok)
{
	size_t bytes = n * item;
	void *copy;

	if (!*ok || bytes > rest->n) {
		*ok = false;
		return NULL;
	}
	copy = arena_alloc_raw(a, bytes + 1);
	if (bytes > 0)
		memcpy(copy, rest->p, bytes);
	*rest = (struct str){ rest->p + bytes, rest->n - bytes };
	return copy;
}

static bool side_is_sound(const struct histogram_side *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n_spans; i++)
		n += s->spans[i].length;
	return n == s->n_buckets;
}

static struct histogram *read_one(struct str *rest, const struct hist_entry *e, struct arena *a)
{
	struct histogram *h = ARENA_NEW(a, struct histogram);
	bool ok = (e->schema >= HISTOGRAM_SCHEMA_MIN && e->schema <= HISTOGRAM_SCHEMA_MAX) || e->schema == HISTOGRAM_CUSTOM;

	h->schema = e->schema;
	h->reset = e->reset <= RESET_GAUGE ? (enum histogram_reset)e->reset : RESET_UNKNOWN;
	h->zero_threshold = e->zero_threshold, h->zero_count = e->zero_count, h->count = e->count, h->sum = e->sum;
	h->n_custom = e->n_custom;
	h->pos.n_spans = e->pos_spans, h->pos.n_buckets = e->pos_buckets;
	h->neg.n_spans = e->neg_spans, h->neg.n_buckets = e->neg_buckets;
	h->custom = take(rest, e->n_custom, sizeof(double), a, &ok);
	h->pos.buckets = take(rest, e->pos_buckets, sizeof(double), a, &ok);
	h->neg.buckets = take(rest, e->neg_buckets, sizeof(double), a, &ok);
	h->pos.spans = take(rest, e->pos_spans, sizeof(struct histogram_span), a, &ok);
	h->neg.spans = take(rest, e->neg_spans, sizeof(struct histogram_span), a, &ok);
	return ok && side_is_sound(&h->pos) && side_is_sound(&h->neg) ? h : NULL;
}

bool chunk_hist_read(struct str rest, unsigned n, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a)
{
	for (unsigned i = 0; i < n; i++) {
		struct hist_entry e;

		if (rest.n < sizeof e)
			return false;
		memcpy(&e, rest.p, sizeof e);
		rest = (struct str){ rest.p + sizeof e, rest.n - sizeof e };
		t_ms[i] = e.t_ms;
		v[i] = e.is_histogram != 0 ? (double)NAN : value_stale();
		h[i] = e.is_histogram != 0 ? read_one(&rest, &e, a) : NULL;
		if (e.is_histogram != 0 && h[i] == NULL)
			return false;
	}
	return rest.n == 0;
}
