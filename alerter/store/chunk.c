/* Encoding and decoding of chunks. Sizes are bounded by construction: CHUNK_SAMPLES times the worst case of one sample. */
#include "store/chunk.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "store/bits.h"
#include "tocsin/mem.h"
#include "tocsin/querier.h"

enum { FIRST_CAP = 32, SAMPLE_MAX_BYTES = 2 * 9 + 2, STEPS = 6, ESCAPE_PREFIX = STEPS };

/* Step k: k ones and a zero, then so many bits; behind STEPS ones come 64 raw bits. */
static const uint8_t step_bits[STEPS] = { 0, 7, 13, 20, 34, 54 };

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t u)
{
	return (int64_t)(u >> 1 ^ (0 - (u & 1)));
}

static int64_t wrapping_sub(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t wrapping_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static uint64_t bits_of(double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof u);
	return u;
}

static double of_bits(uint64_t u)
{
	double v;

	memcpy(&v, &u, sizeof v);
	return v;
}

/* Beyond 2^50 the difference of differences could outgrow the last step. */
static bool is_whole(double v)
{
	return fabs(v) < 0x1p50 && bits_of((double)(int64_t)v) == bits_of(v);
}

static void put(struct chunk *c, uint64_t value, unsigned n)
{
	bits_put(c->data, c->bits, value, n);
	c->bits += n;
}

static void put_escape(struct chunk *c, uint64_t raw)
{
	put(c, (1u << ESCAPE_PREFIX) - 1, ESCAPE_PREFIX);
	put(c, raw, 64);
}

static void put_step(struct chunk *c, int64_t v)
{
	uint64_t u = zigzag(v);
	unsigned k = 0;

	if (u >> step_bits[STEPS - 1] != 0) {
		put_escape(c, u);
		return;
	}
	while (u >> step_bits[k] != 0)
		k++;
	put(c, (2ull << k) - 2, k + 1);
	put(c, u, step_bits[k]);
}

static void put_xor(struct chunk_writer *w, uint64_t bits)
{
	uint64_t x = bits ^ w->v_bits;
	unsigned lead, trail, n;

	put(w->open, x != 0, 1);
	if (x == 0)
		return;
	lead = (unsigned)__builtin_clzll(x);
	trail = (unsigned)__builtin_ctzll(x);
	if (lead > 31)
		lead = 31;
	if (w->lead != 0xff && lead >= w->lead && trail >= w->trail) {
		put(w->open, 0, 1);
		put(w->open, x >> w->trail, 64u - w->lead - w->trail);
		return;
	}
	n = 64 - lead - trail;
	put(w->open, 1, 1);
	put(w->open, lead, 5);
	put(w->open, n - 1, 6);
	put(w->open, x >> trail, n);
	w->lead = (uint8_t)lead;
	w->trail = (uint8_t)trail;
}

static struct chunk *chunk_new(enum chunk_kind kind, size_t cap)
{
	struct chunk *c = mem_alloc(sizeof *c + cap);

	c->refs = 1;
	c->cap = (uint32_t)cap;
	c->kind = (uint8_t)kind;
	return c;
}

struct chunk *chunk_seal(struct chunk_writer *w)
{
	struct chunk *c = w->open;

	w->open = NULL;
	if (c == NULL || c->kind == CHUNK_HIST)
		return c;
	c->cap = (c->bits + 7) / 8 + BITS_SLACK;
	return mem_realloc(c, sizeof *c + c->cap);
}

void chunk_unref(struct chunk *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->kind == CHUNK_HIST)
		for (unsigned i = 0; i < c->n; i++)
			free(((struct chunk_hist *)(void *)c->data)[i].h);
	free(c);
}

static size_t histogram_bytes(const struct histogram *h)
{
	return sizeof *h + (h->pos.n_spans + h->neg.n_spans) * sizeof(struct histogram_span) +
	       (h->pos.n_buckets + h->neg.n_buckets + h->n_custom) * sizeof(double);
}

size_t chunk_bytes(const struct chunk *c)
{
	size_t bytes = sizeof *c + c->cap;

	if (c->kind == CHUNK_HIST)
		for (unsigned i = 0; i < c->n; i++) {
			const struct histogram *h = ((const struct chunk_hist *)(const void *)c->data)[i].h;

			bytes += h != NULL ? histogram_bytes(h) : 0;
		}
	return bytes;
}

/* A NULL <h> and a NaN that is no stale marker, -0 or a fraction want XOR. */
static bool suits(const struct chunk *c, double v, const struct histogram *h)
{
	if ((h != NULL) != (c->kind == CHUNK_HIST))
		return h == NULL && value_is_stale(v);
	return c->kind != CHUNK_INT || value_is_stale(v) || is_whole(v);
}

static void open_chunk(struct chunk_writer *w, int64_t t_ms, double v, const struct histogram *h)
{
	enum chunk_kind kind = h != NULL ? CHUNK_HIST : is_whole(v) ? CHUNK_INT : CHUNK_XOR;

	w->open = chunk_new(kind, kind == CHUNK_HIST ? CHUNK_SAMPLES * sizeof(struct chunk_hist) : FIRST_CAP);
	w->open->min_ms = t_ms;
	w->t_ms = t_ms;
	w->dt = w->i = w->di = 0;
	w->v_bits = 0;
	w->lead = 0xff;
}

static void make_room(struct chunk_writer *w)
{
	struct chunk *c = w->open;
	size_t need = c->bits / 8 + SAMPLE_MAX_BYTES + BITS_SLACK, cap = c->cap;

	if (need <= cap)
		return;
	while (cap < need)
		cap += cap / 2;
	c = mem_realloc(c, sizeof *c + cap);
	memset(c->data + c->cap, 0, cap - c->cap);
	c->cap = (uint32_t)cap;
	w->open = c;
}

static void put_whole(struct chunk_writer *w, double v)
{
	int64_t d;

	if (value_is_stale(v)) {
		put_escape(w->open, bits_of(v));
		return;
	}
	d = (int64_t)v - w->i;
	put_step(w->open, d - w->di);
	w->i = (int64_t)v;
	w->di = w->open->n == 0 ? 0 : d;
}

static void put_hist(struct chunk *c, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk_hist *entry = &((struct chunk_hist *)(void *)c->data)[c->n];

	*entry = (struct chunk_hist){ t_ms, h != NULL ? histogram_dup(h) : NULL };
	assert(h != NULL || value_is_stale(v));
}

struct chunk *chunk_append(struct chunk_writer *w, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk *sealed = NULL;
	int64_t dt;

	if (w->open != NULL && (w->open->n == CHUNK_SAMPLES || !suits(w->open, v, h)))
		sealed = chunk_seal(w);
	if (w->open == NULL)
		open_chunk(w, t_ms, v, h);
	if (w->open->kind == CHUNK_HIST) {
		put_hist(w->open, t_ms, v, h);
	} else {
		make_room(w);
		dt = wrapping_sub(t_ms, w->t_ms);
		put_step(w->open, wrapping_sub(dt, w->dt));
		w->dt = dt;
		if (w->open->kind == CHUNK_INT)
			put_whole(w, v);
		else
			put_xor(w, bits_of(v));
	}
	w->t_ms = w->open->max_ms = t_ms;
	w->v_bits = bits_of(v);
	w->open->n++;
	return sealed;
}

struct chunk *chunk_copy(const struct chunk *c, struct arena *a)
{
	size_t used = sizeof *c + (c->bits + 7) / 8;
	struct chunk *copy;

	assert(c->kind != CHUNK_HIST);
	copy = arena_alloc_raw(a, used + BITS_SLACK);
	memcpy(copy, c, used);
	memset((char *)copy + used, 0, BITS_SLACK);
	return copy;
}

/* True and the raw bits when it was an escape. */
static bool get_step(struct bits_reader *r, int64_t *v, uint64_t *raw)
{
	unsigned ones = (unsigned)__builtin_clzll(~bits_peek(r) | 1);

	if (ones >= ESCAPE_PREFIX) {
		bits_skip(r, ESCAPE_PREFIX);
		*raw = bits_get(r, 64);
		return true;
	}
	bits_skip(r, ones + 1);
	*v = unzigzag(bits_get(r, step_bits[ones]));
	return false;
}

static uint64_t get_xor(struct bits_reader *r, uint64_t before, unsigned *lead, unsigned *width)
{
	if (bits_get(r, 1) == 0)
		return before;
	if (bits_get(r, 1) == 1) {
		*lead = (unsigned)bits_get(r, 5);
		*width = (unsigned)bits_get(r, 6) + 1;
	}
	if (*lead + *width > 64 || *width == 0) {
		r->overrun = true;
		return before;
	}
	return before ^ bits_get(r, *width) << (64 - *lead - *width);
}

static bool decode_floats(const struct chunk_view *c, int64_t *t_ms, double *v)
{
	struct bits_reader r = { c->data, 0, c->bits, false };
	int64_t t = c->min_ms, dt = 0, i = 0, di = 0, step = 0;
	uint64_t bits = 0, raw;
	unsigned lead = 0, width = 0;

	for (unsigned k = 0; k < c->n && !r.overrun; k++) {
		if (get_step(&r, &step, &raw))
			step = unzigzag(raw);
		dt = wrapping_add(dt, step);
		t = wrapping_add(t, dt);
		t_ms[k] = t;
		if (c->kind == CHUNK_XOR) {
			bits = get_xor(&r, bits, &lead, &width);
			v[k] = of_bits(bits);
		} else if (get_step(&r, &step, &raw)) {
			v[k] = of_bits(raw);
		} else {
			di = wrapping_add(di, step);
			i = wrapping_add(i, di);
			v[k] = (double)i;
			di = k == 0 ? 0 : di;
		}
	}
	return !r.overrun;
}

static const void *carve(char **p, const void *from, size_t bytes)
{
	void *to = *p;

	if (bytes > 0)
		memcpy(to, from, bytes);
	*p += bytes;
	return to;
}

/* Into one block of histogram_bytes(): header, doubles, spans, so that everything is aligned. */
static struct histogram *copy_histogram(const struct histogram *h, char *p)
{
	struct histogram *to = (struct histogram *)(void *)p;

	*to = *h;
	p += sizeof *to;
	to->pos.buckets = carve(&p, h->pos.buckets, h->pos.n_buckets * sizeof(double));
	to->neg.buckets = carve(&p, h->neg.buckets, h->neg.n_buckets * sizeof(double));
	to->custom = carve(&p, h->custom, h->n_custom * sizeof(double));
	to->pos.spans = carve(&p, h->pos.spans, h->pos.n_spans * sizeof(struct histogram_span));
	to->neg.spans = carve(&p, h->neg.spans, h->neg.n_spans * sizeof(struct histogram_span));
	return to;
}

struct histogram *histogram_dup(const struct histogram *h)
{
	return copy_histogram(h, mem_alloc(histogram_bytes(h)));
}

bool chunk_decode(const struct chunk *c, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a)
{
	const struct chunk_hist *entry = (const struct chunk_hist *)(const void *)c->data;

	if (c->kind != CHUNK_HIST)
		return decode_floats(&(struct chunk_view){ c->min_ms, c->data, c->bits, c->n, c->kind }, t_ms, v);
	for (unsigned i = 0; i < c->n; i++) {
		t_ms[i] = entry[i].t_ms;
		v[i] = entry[i].h != NULL ? (double)NAN : value_stale();
		h[i] = entry[i].h != NULL ? copy_histogram(entry[i].h, arena_alloc_raw(a, histogram_bytes(entry[i].h))) : NULL;
	}
	return true;
}

uint32_t chunk_write(const struct chunk *c, struct buf *out)
{
	size_t before = out->n;

	if (c->kind != CHUNK_HIST) {
		buf_put(out, c->data, (c->bits + 7) / 8);
		return c->bits;
	}
	chunk_hist_write((const struct chunk_hist *)(const void *)c->data, c->n, out);
	return (uint32_t)(out->n - before) * 8;
}

bool chunk_view_decode(const struct chunk_view *c, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a)
{
	if (c->kind != CHUNK_HIST)
		return decode_floats(c, t_ms, v);
	return chunk_hist_read((struct str){ (const char *)c->data, c->bits / 8 }, c->n, t_ms, v, h, a);
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_side(const struct histogram_side *a, const struct histogram_side *b)
{
	return a->n_spans == b->n_spans && a->n_buckets == b->n_buckets &&
	       same_bytes(a->spans, b->spans, a->n_spans * sizeof *a->spans) &&
	       same_bytes(a->buckets, b->buckets, a->n_buckets * sizeof(double));
}

bool chunk_histogram_same(const struct histogram *a, const struct histogram *b)
{
	return a->schema == b->schema && bits_of(a->zero_threshold) == bits_of(b->zero_threshold) &&
	       bits_of(a->zero_count) == bits_of(b->zero_count) && bits_of(a->count) == bits_of(b->count) &&
	       bits_of(a->sum) == bits_of(b->sum) && a->n_custom == b->n_custom &&
	       same_bytes(a->custom, b->custom, a->n_custom * sizeof(double)) && same_side(&a->pos, &b->pos) &&
	       same_side(&a->neg, &b->neg);
}
