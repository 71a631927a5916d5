/* Encoding and decoding of chunks; packed samples are in packed.c. Sizes are bounded by construction: CHUNK_SAMPLES times the worst
 * case of one sample. */
#include "store/chunk.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "store/packed.h"
#include "store/slab.h"
#include "store/spool.h"
#include "tocsin/mem.h"
#include "tocsin/querier.h"

_Static_assert((int)CHUNK_SAMPLES == (int)PACKED_MAX && (int)PACKED_SLACK <= (int)BITS_SLACK, "a chunk is full when its data is");

enum { FIRST_CAP = 14, SAMPLE_MAX_BYTES = 2 * 9 + 2, STEPS = 6, ESCAPE_PREFIX = STEPS };

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

static void put(struct chunk *c, uint64_t value, unsigned n)
{
	bits_put(c->data, c->bits, value, n);
	c->bits = (uint16_t)(c->bits + n);
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

/* What goes on from sample to sample in CHUNK_XOR. While the chunk is open it lies behind its data. */
struct xor_state {
	int64_t dt;
	uint8_t lead, trail; /* window of the last bits written; lead 0xff: none */
};

static void put_xor(struct chunk_writer *w, struct xor_state *state, uint64_t bits)
{
	uint64_t x = bits ^ (w->open->n > 0 ? w->v_bits : 0);
	unsigned lead, trail, n;

	put(w->open, x != 0, 1);
	if (x == 0)
		return;
	lead = (unsigned)__builtin_clzll(x);
	trail = (unsigned)__builtin_ctzll(x);
	if (lead > 31)
		lead = 31;
	if (state->lead != 0xff && lead >= state->lead && trail >= state->trail) {
		put(w->open, 0, 1);
		put(w->open, x >> state->trail, 64u - state->lead - state->trail);
		return;
	}
	n = 64 - lead - trail;
	put(w->open, 1, 1);
	put(w->open, lead, 5);
	put(w->open, n - 1, 6);
	put(w->open, x >> trail, n);
	state->lead = (uint8_t)lead;
	state->trail = (uint8_t)trail;
}

/* Bytes behind the data of an open chunk. */
static size_t behind(enum chunk_kind kind)
{
	return kind == CHUNK_XOR ? sizeof(struct xor_state) : 0;
}

/* All of one that is open. */
static size_t open_bytes(const struct chunk *c)
{
	return CHUNK_FIXED + chunk_data_bytes(c) + behind((enum chunk_kind)c->kind);
}

static struct chunk *chunk_new(enum chunk_kind kind, size_t cap)
{
	struct chunk *c = slab_alloc_movable(CHUNK_FIXED + cap + behind(kind));

	c->cap = (uint16_t)cap;
	c->kind = kind & 0x7f;
	return c;
}

/* Samples that are packed lie without slack in an open chunk, where it would be a quarter of what most take: they are read, and put, in a copy. */
static unsigned char *with_slack(const struct chunk *c, unsigned char *to)
{
	memcpy(to, c->data, (c->bits + 7u) / 8);
	memset(to + (c->bits + 7u) / 8, 0, PACKED_SLACK);
	return to;
}

struct chunk_view chunk_view_open(const struct chunk *c, unsigned n, unsigned char *room)
{
	const unsigned char *data = c->kind == CHUNK_PACKED ? with_slack(c, room) : c->data;

	return (struct chunk_view){ .min_ms = c->min_ms, .data = data, .bits = c->bits, .n = (uint16_t)n, .kind = c->kind };
}

/* The same as a sealed one has them: with slack, and without room for more. */
static void put_tight(struct chunk *c, unsigned char *to)
{
	unsigned char tight[PACKED_MAX_BYTES];
	uint32_t bits;

	packed_tighten(with_slack(c, to), c->n, tight);
	bits = packed_bits(tight, c->n);
	if (bits >= c->bits)
		return;
	c->bits = (uint16_t)bits;
	memcpy(to, tight, (bits + 7) / 8);
	memset(to + (bits + 7) / 8, 0, PACKED_SLACK);
}

/* Of one that is open, where sealed ones lie. */
static struct chunk *keep_packed(struct chunk *c)
{
	_Alignas(struct chunk) unsigned char bytes[CHUNK_FIXED + PACKED_MAX_BYTES];

	put_tight(c, bytes + CHUNK_FIXED);
	memcpy(bytes, c, CHUNK_FIXED);
	return slab_keep(bytes, CHUNK_FIXED + chunk_data_bytes(c));
}

struct chunk *chunk_seal(struct chunk_writer *w)
{
	struct chunk *c = w->open, *kept;
	size_t bytes;

	w->open = NULL;
	if (c == NULL)
		return NULL;
	bytes = open_bytes(c);
	c->sealed = true;
	c->refs = 1;
	if (c->kind == CHUNK_HIST)
		return c;
	kept = c->kind == CHUNK_PACKED ? keep_packed(c) : slab_keep(c, CHUNK_FIXED + chunk_data_bytes(c));
	slab_free(c, bytes);
	return kept;
}

void chunk_ref(struct chunk *c)
{
	if (spool_has(c))
		spool_ref(c);
	else
		atomic_fetch_add(&c->refs, 1);
}

void chunk_unref(struct chunk *c)
{
	if (spool_has(c)) {
		spool_unref(c);
		return;
	}
	if (c == NULL || (c->sealed && atomic_fetch_sub(&c->refs, 1) != 1))
		return;
	if (c->kind == CHUNK_HIST)
		for (unsigned i = 0; i < c->n; i++)
			free(chunk_entries(c)[i].h);
	slab_free(c, c->sealed ? CHUNK_FIXED + chunk_data_bytes(c) : open_bytes(c));
}

struct chunk *chunk_move(struct chunk *c)
{
	size_t bytes = c != NULL ? open_bytes(c) : 0;
	struct chunk *moved;

	if (c == NULL || !slab_is_sparse(c, bytes))
		return c;
	moved = memcpy(slab_alloc_movable(bytes), c, bytes);
	slab_free(c, bytes);
	return moved;
}

static size_t histogram_bytes(const struct histogram *h)
{
	return sizeof *h + (h->pos.n_spans + h->neg.n_spans) * sizeof(struct histogram_span) +
	       (h->pos.n_buckets + h->neg.n_buckets + h->n_custom) * sizeof(double);
}

size_t chunk_bytes(const struct chunk *c)
{
	size_t bytes = CHUNK_FIXED + chunk_data_bytes(c);

	if (c->kind == CHUNK_HIST)
		for (unsigned i = 0; i < c->n; i++) {
			const struct histogram *h = chunk_entries(c)[i].h;

			bytes += h != NULL ? histogram_bytes(h) : 0;
		}
	return bytes;
}

/* What packed samples do not take wants XOR: NaN, -0, fractions of many digits. */
static bool suits(const struct chunk *c, int64_t t_ms, double v, const struct histogram *h)
{
	unsigned char room[PACKED_MAX_BYTES];

	if (wrapping_sub(t_ms, c->min_ms) > UINT32_MAX || wrapping_sub(t_ms, c->min_ms) < 0)
		return false;
	if ((h != NULL) != (c->kind == CHUNK_HIST))
		return h == NULL && value_is_stale(v);
	return c->kind != CHUNK_PACKED || value_is_stale(v) || packed_takes(with_slack(c, room), c->n, v);
}

static void open_chunk(struct chunk_writer *w, int64_t t_ms, double v, const struct histogram *h)
{
	enum chunk_kind kind = h != NULL ? CHUNK_HIST : value_is_stale(v) || packed_takes(NULL, 0, v) ? CHUNK_PACKED : CHUNK_XOR;

	w->open = chunk_new(kind, kind == CHUNK_HIST ? CHUNK_HIST_BYTES : FIRST_CAP);
	w->open->min_ms = t_ms;
	if (kind == CHUNK_XOR)
		memcpy(w->open->data + w->open->cap, &(struct xor_state){ .lead = 0xff }, sizeof(struct xor_state));
}

/* Few sizes, so that what one leaves suits another. */
static size_t cap_for(size_t need)
{
	enum { GROWTH = 16 }; /* half of it leaves more holes than it fills */

	return need <= FIRST_CAP ? FIRST_CAP : FIRST_CAP + (need - FIRST_CAP + GROWTH - 1) / GROWTH * GROWTH;
}

static size_t slack(enum chunk_kind kind)
{
	return kind == CHUNK_PACKED ? 0 : BITS_SLACK;
}

/* For so many bits of data. */
static void make_room(struct chunk_writer *w, size_t bits)
{
	struct chunk *c = w->open;
	size_t need = (bits + 7) / 8 + slack((enum chunk_kind)c->kind), cap = cap_for(need), last;
	struct xor_state state;

	if (need <= c->cap)
		return;
	assert(cap <= UINT16_MAX);
	last = behind((enum chunk_kind)c->kind);
	memcpy(&state, c->data + c->cap, last);
	memset(c->data + c->cap, 0, last);
	c = w->open = slab_grow(c, open_bytes(c), CHUNK_FIXED + cap + last);
	c->cap = (uint16_t)cap;
	memcpy(c->data + cap, &state, last);
}

static void behind_the_others(struct chunk_writer *w, int64_t t_ms, double v, unsigned n)
{
	w->open->span_ms = (uint32_t)wrapping_sub(t_ms, w->open->min_ms);
	w->v_bits = bits_of(v);
	w->open->n = (uint8_t)(w->open->n + n);
}

/* As many as fit the lines and widths there are. */
static unsigned put_as_they_are(struct chunk_writer *w, const int64_t *t_ms, const double *v, unsigned n)
{
	unsigned char data[PACKED_MAX_BYTES];
	uint32_t bits;

	if (w->open->n == 0)
		return 0;
	bits = packed_row_bits(w->open->data);
	n = packed_append(with_slack(w->open, data), w->open->n, w->open->min_ms, t_ms, v, n);
	if (n == 0)
		return 0;
	bits = w->open->bits + bits * n;
	make_room(w, bits);
	memcpy(w->open->data, data, (bits + 7) / 8);
	w->open->bits = (uint16_t)bits;
	behind_the_others(w, t_ms[n - 1], v[n - 1], n);
	return n;
}

/* As many as there are numbers for. */
static unsigned put_anew(struct chunk_writer *w, const int64_t *t_ms, const double *v, unsigned n)
{
	unsigned char wider[PACKED_MAX_BYTES], data[PACKED_MAX_BYTES];
	uint32_t bits;

	n = packed_rewrite(with_slack(w->open, data), w->open->n, w->open->min_ms, t_ms, v, n, wider);
	if (n == 0)
		return 0;
	bits = packed_bits(wider, w->open->n + n);
	make_room(w, bits);
	memcpy(w->open->data, wider, (bits + 7) / 8);
	w->open->bits = (uint16_t)bits;
	behind_the_others(w, t_ms[n - 1], v[n - 1], n);
	return n;
}

static void put_float(struct chunk_writer *w, int64_t t_ms, double v)
{
	int64_t dt = wrapping_sub(t_ms, chunk_max_ms(w->open));
	struct xor_state state;

	make_room(w, w->open->bits + 8 * SAMPLE_MAX_BYTES);
	memcpy(&state, w->open->data + w->open->cap, sizeof state);
	put_step(w->open, wrapping_sub(dt, state.dt));
	put_xor(w, &state, bits_of(v));
	state.dt = dt;
	memcpy(w->open->data + w->open->cap, &state, sizeof state);
}

static void put_hist(struct chunk *c, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk_hist *entry = &chunk_entries(c)[c->n];

	*entry = (struct chunk_hist){ t_ms, h != NULL ? histogram_dup(h) : NULL };
	assert(h != NULL || value_is_stale(v));
}

/* How many of them can lie in the open chunk: numbers behind numbers, as nearly every sample is. */
static unsigned within_reach(const struct chunk *c, const int64_t *t_ms, unsigned n)
{
	if (c == NULL || c->kind != CHUNK_PACKED)
		return 0;
	if (n > (unsigned)CHUNK_SAMPLES - c->n)
		n = (unsigned)CHUNK_SAMPLES - c->n;
	while (n > 0 && (uint64_t)wrapping_sub(t_ms[n - 1], c->min_ms) > UINT32_MAX)
		n--;
	return n;
}

unsigned chunk_append_some(struct chunk_writer *w, const int64_t *t_ms, const double *v, unsigned n)
{
	unsigned done;

	n = within_reach(w->open, t_ms, n);
	if (n == 0)
		return 0;
	done = put_as_they_are(w, t_ms, v, n);
	return done < n ? done + put_anew(w, t_ms + done, v + done, n - done) : done;
}

struct chunk *chunk_append(struct chunk_writer *w, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk *sealed = NULL;

	if (h == NULL && within_reach(w->open, &t_ms, 1) == 1 && put_as_they_are(w, &t_ms, &v, 1) == 1)
		return NULL;
	if (w->open != NULL && (w->open->n == CHUNK_SAMPLES || !suits(w->open, t_ms, v, h)))
		sealed = chunk_seal(w);
	if (w->open == NULL)
		open_chunk(w, t_ms, v, h);
	if (w->open->kind == CHUNK_PACKED) {
		put_anew(w, &t_ms, &v, 1);
		return sealed;
	}
	if (w->open->kind == CHUNK_HIST)
		put_hist(w->open, t_ms, v, h);
	else
		put_float(w, t_ms, v);
	behind_the_others(w, t_ms, v, 1);
	return sealed;
}

static bool could_be_ours(const struct chunk_view *c, const int64_t *t_ms, const double *v)
{
	struct packed p;

	if (c->kind != CHUNK_PACKED || !chunk_open(c, &p) || packed_bits(c->data, c->n) != c->bits || t_ms[0] != c->min_ms ||
	    (uint64_t)wrapping_sub(t_ms[c->n - 1], c->min_ms) > UINT32_MAX)
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if ((i > 0 && t_ms[i] <= t_ms[i - 1]) || (!value_is_stale(v[i]) && !(fabs(v[i]) * p.unit < PACKED_MOST)))
			return false;
	return true;
}

struct chunk *chunk_adopt(const struct chunk_view *c, const int64_t *t_ms, const double *v)
{
	size_t bytes = (c->bits + 7u) / 8;
	struct chunk *out;

	if (!could_be_ours(c, t_ms, v))
		return NULL;
	out = chunk_new(CHUNK_PACKED, cap_for(bytes));
	memcpy(out->data, c->data, bytes);
	out->min_ms = c->min_ms;
	out->span_ms = (uint32_t)wrapping_sub(t_ms[c->n - 1], c->min_ms);
	out->bits = (uint16_t)c->bits;
	out->n = (uint8_t)c->n;
	return out;
}

struct chunk *chunk_copy(const struct chunk *c, struct arena *a)
{
	size_t used = CHUNK_FIXED + (c->bits + 7u) / 8;
	struct chunk *copy;

	assert(c->kind != CHUNK_HIST);
	copy = arena_alloc_raw(a, used + BITS_SLACK);
	memcpy(copy, c, used);
	memset((char *)copy + used, 0, BITS_SLACK);
	return copy;
}

static int64_t get_step(struct bits_reader *r)
{
	unsigned ones = (unsigned)__builtin_clzll(~bits_peek(r) | 1);

	if (ones >= ESCAPE_PREFIX) {
		bits_skip(r, ESCAPE_PREFIX);
		return unzigzag(bits_get(r, 64));
	}
	bits_skip(r, ones + 1);
	return unzigzag(bits_get(r, step_bits[ones]));
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

bool chunk_open(const struct chunk_view *c, struct packed *p)
{
	if (c->times.p == NULL && c->kind == CHUNK_PACKED)
		return packed_open(p, c->data, c->bits, c->n, c->min_ms);
	return packed_open_parts(p, c->times, (struct str){ (const char *)c->data, c->bits / 8 }, c->kind == CHUNK_DENSE, c->n, c->min_ms);
}

static bool decode_packed(const struct chunk_view *c, int64_t *t_ms, double *v)
{
	struct packed p;

	if (!chunk_open(c, &p))
		return false;
	packed_decode(&p, t_ms, v);
	return true;
}

static bool decode_xor(const struct chunk_view *c, int64_t *t_ms, double *v)
{
	struct bits_reader r = { c->data, 0, c->bits, false };
	int64_t t = c->min_ms, dt = 0;
	uint64_t bits = 0;
	unsigned lead = 0, width = 0;

	for (unsigned k = 0; k < c->n && !r.overrun; k++) {
		dt = wrapping_add(dt, get_step(&r));
		t = wrapping_add(t, dt);
		t_ms[k] = t;
		bits = get_xor(&r, bits, &lead, &width);
		v[k] = of_bits(bits);
	}
	return !r.overrun;
}

static bool decode_floats(const struct chunk_view *c, int64_t *t_ms, double *v)
{
	return c->kind == CHUNK_XOR ? decode_xor(c, t_ms, v) : decode_packed(c, t_ms, v);
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
	const struct chunk_hist *entry = chunk_entries(c);
	unsigned char room[PACKED_MAX_BYTES];
	struct chunk_view view;

	if (c->kind != CHUNK_HIST) {
		view = chunk_view_open(c, c->n, room);
		return decode_floats(&view, t_ms, v);
	}
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
		buf_put(out, c->data, (c->bits + 7u) / 8);
		return c->bits;
	}
	chunk_hist_write(chunk_entries(c), c->n, out);
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
