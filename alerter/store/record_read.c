/* Reading frames: finding them in a file that may be torn or damaged, and handing over what they say. */
#include "store/record_ops.h"

#include <stdlib.h>

#include "store/bits.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { RECORD_MAGIC = 0x314a4354 }; /* "TCJ1" */

struct record_frame_head record_frame_head(const char *payload, size_t n)
{
	return (struct record_frame_head){ RECORD_MAGIC, (uint32_t)n, XXH3_64bits_withSeed(payload, n, n) };
}

/* ---- Frames ---- */

static bool is_frame(const unsigned char *file, size_t n, size_t at, struct str *payload)
{
	struct record_frame_head head, right;

	if (n - at < sizeof head)
		return false;
	memcpy(&head, file + at, sizeof head);
	at += sizeof head;
	if (head.magic != RECORD_MAGIC || head.bytes == 0 || head.bytes > RECORD_MAX_FRAME || head.bytes > n - at)
		return false;
	*payload = (struct str){ (const char *)file + at, head.bytes };
	right = record_frame_head(payload->p, payload->n);
	return right.check == head.check;
}

enum record_frame record_next(const unsigned char *file, size_t n, size_t *at, struct str *payload)
{
	static const uint32_t magic = RECORD_MAGIC;
	struct str other;

	if (*at == n)
		return RECORD_END;
	if (is_frame(file, n, *at, payload)) {
		*at += sizeof(struct record_frame_head) + payload->n;
		return RECORD_GOOD;
	}
	for (const unsigned char *p = file + *at + 1; p < file + n; p++) {
		p = memmem(p, (size_t)(file + n - p), &magic, sizeof magic);
		if (p == NULL)
			break;
		if (is_frame(file, n, (size_t)(p - file), &other)) {
			*at = (size_t)(p - file);
			return RECORD_DAMAGED;
		}
	}
	return RECORD_TORN;
}

/* ---- Numbers ---- */

struct cursor {
	const unsigned char *p, *end;
	bool bad;
};

static const unsigned char *take(struct cursor *c, uint64_t n)
{
	const unsigned char *p = c->p;

	if (n > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

static unsigned take_byte(struct cursor *c)
{
	const unsigned char *p = take(c, 1);

	return p != NULL ? *p : 0;
}

static uint64_t take_u64(struct cursor *c)
{
	const unsigned char *p = take(c, 8);
	uint64_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t take_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned byte = take_byte(c);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	c->bad = true;
	return 0;
}

static int64_t take_signed(struct cursor *c)
{
	uint64_t u = take_varint(c);

	return (int64_t)(u >> 1 ^ (0 - (u & 1)));
}

static enum series_state take_state(struct cursor *c, unsigned state)
{
	c->bad |= state > SERIES_LOST;
	return c->bad ? SERIES_LOST : (enum series_state)state;
}

/* ---- Labels ---- */

static bool unfold(struct record_reader *r, struct cursor *c)
{
	uint64_t head = take_varint(c), tail = take_varint(c), n = take_varint(c);
	const unsigned char *middle = take(c, n);
	struct buf before = r->text;

	if (c->bad || head > before.n || tail > before.n - head || n > RECORD_MAX_TEXT - (head + tail))
		return false;
	buf_reset(&r->other);
	buf_put(&r->other, before.p, head);
	buf_put(&r->other, middle, n);
	buf_put(&r->other, before.n > 0 ? before.p + before.n - tail : NULL, tail);
	r->text = r->other;
	r->other = before;
	return true;
}

static struct str take_text(struct cursor *c)
{
	uint64_t n = take_varint(c);
	const unsigned char *p = take(c, n);

	return p != NULL ? (struct str){ (const char *)p, n } : STR("");
}

/* Texts are borrowed from the reader until the next ones are read. */
static bool take_labels(struct record_reader *r, struct cursor *c, struct labels *out)
{
	struct cursor text;
	struct label *v = r->labels;
	size_t n = 0;

	if (!unfold(r, c))
		return false;
	text = (struct cursor){ (const unsigned char *)r->text.p, (const unsigned char *)r->text.p + r->text.n, false };
	while (text.p < text.end && n < STORE_MAX_LABELS) {
		v[n].name = take_text(&text);
		v[n].value = take_text(&text);
		n++;
	}
	return !text.bad && text.p == text.end && n > 0 && labels_from(v, n, out, NULL) && out->n == n;
}

static uint64_t take_owner(struct cursor *c, uint64_t *owner)
{
	if (take_byte(c) != 0)
		*owner = take_u64(c);
	return *owner;
}

/* ---- Batches ---- */

enum { RUN = 256 };

struct batch {
	struct record_reader *r;
	struct cursor c;
	uint64_t number;
	struct record_sample next; /* t_ms and what was said of the next sample */
	bool has_state;
	double run[RUN]; /* floats of the series before <number>, not yet handed over */
	uint32_t n_run;
};

static void end_run(struct batch *b)
{
	if (b->n_run > 0)
		b->r->sink->floats(b->r->sink->ctx, (uint32_t)b->number - b->n_run, b->next.t_ms, b->run, b->n_run);
	b->n_run = 0;
}

static void hand_over_one(struct batch *b, double v)
{
	struct record_sample s = b->next;

	end_run(b);
	s.v = v;
	if (!b->has_state)
		s.state = record_usual_state(v, s.h);
	b->r->sink->sample(b->r->sink->ctx, (uint32_t)b->number++, &s);
	b->next.h = NULL;
	b->has_state = false;
}

static void hand_over(struct batch *b, uint64_t bits)
{
	struct record_reader *r = b->r;
	double v;

	if (b->number >= r->n_series) {
		b->c.bad = true;
		return;
	}
	memcpy(&v, &bits, sizeof v);
	r->last[b->number] = bits;
	if (b->has_state || b->next.h != NULL) {
		hand_over_one(b, v);
		return;
	}
	b->run[b->n_run++] = v;
	b->number++;
	if (b->n_run == RUN)
		end_run(b);
}

static uint64_t last_bits(struct batch *b)
{
	b->c.bad |= b->number >= b->r->n_series;
	return b->c.bad ? 0 : b->r->last[b->number];
}

/* <n>: 1, 2 or 4 bytes. */
static int32_t take_step(struct cursor *c, unsigned n)
{
	const unsigned char *p = take(c, n);
	int16_t two;
	int32_t four;

	if (p == NULL)
		return 0;
	if (n == 1)
		return (int8_t)*p;
	memcpy(&two, p, sizeof two);
	if (n == 2)
		return two;
	memcpy(&four, p, sizeof four);
	return four;
}

static void read_step(struct batch *b, unsigned n)
{
	int32_t step = take_step(&b->c, n);
	uint64_t bits = last_bits(b);
	double v;

	if (b->c.bad)
		return;
	memcpy(&v, &bits, sizeof v);
	v += step;
	memcpy(&bits, &v, sizeof bits);
	hand_over(b, bits);
}

static void read_xor(struct batch *b)
{
	unsigned what = take_byte(&b->c), lead = what >> 4, n = what & 15;
	const unsigned char *p = take(&b->c, n);
	uint64_t x = 0;

	b->c.bad |= n == 0 || lead + n > 8;
	if (b->c.bad)
		return;
	memcpy(&x, p, n);
	hand_over(b, last_bits(b) ^ x << (8 - lead - n) * 8);
}

static void read_definition(struct batch *b)
{
	struct record_reader *r = b->r;
	struct labels labels;

	if (r->n_series == RECORD_MAX_SERIES || !take_labels(r, &b->c, &labels)) {
		b->c.bad = true;
		return;
	}
	take_owner(&b->c, &r->owner);
	if (b->c.bad)
		return;
	r->last = mem_grow(r->last, &r->cap, r->n_series + 1, sizeof *r->last);
	r->last[r->n_series] = 0;
	b->number = r->n_series++;
	r->sink->define(r->sink->ctx, (uint32_t)b->number, labels, r->owner);
}

static void read_histogram(struct batch *b)
{
	struct str bytes = take_text(&b->c);
	const struct histogram *h = NULL;
	int64_t t_ms;
	double v;

	arena_reset(&b->r->arena);
	b->c.bad |= !chunk_hist_read(bytes, 1, &t_ms, &v, &h, &b->r->arena) || h == NULL;
	b->next.h = b->c.bad ? NULL : h;
}

static void read_op(struct batch *b, unsigned op)
{
	if (op < OP_RUN_MAX) {
		for (unsigned i = 0; i <= op && !b->c.bad; i++)
			hand_over(b, last_bits(b));
	} else if (op == OP_STEP || op == OP_STEP + 1 || op == OP_STEP + 3) {
		read_step(b, op - OP_STEP + 1);
	} else if (op == OP_XOR) {
		read_xor(b);
	} else if (op == OP_NUMBER) {
		b->number = take_varint(&b->c);
	} else if (op == OP_TIME) {
		b->next.t_ms = (int64_t)((uint64_t)b->next.t_ms + (uint64_t)take_signed(&b->c));
	} else if (op == OP_DEFINE) {
		read_definition(b);
	} else if (op == OP_HISTOGRAM) {
		read_histogram(b);
	} else if (op >= OP_STATE && op <= OP_STATE + SERIES_LOST) {
		b->next.state = (enum series_state)(op - OP_STATE);
		b->has_state = true;
	} else if (op >= OP_ONLY_STATE && op <= OP_ONLY_STATE + SERIES_LOST && b->number < b->r->n_series) {
		b->r->sink->state(b->r->sink->ctx, (uint32_t)b->number++, (enum series_state)(op - OP_ONLY_STATE));
	} else {
		b->c.bad = true;
	}
}

static bool read_batch(struct record_reader *r, struct cursor c)
{
	struct batch b = { .r = r, .c = c, .number = RECORD_MAX_SERIES };

	b.next.t_ms = (int64_t)take_u64(&b.c);
	while (!b.c.bad && b.c.p < b.c.end) {
		unsigned op = *b.c.p++;

		if (op >= OP_NUMBER)
			end_run(&b);
		read_op(&b, op);
	}
	end_run(&b);
	return !b.c.bad;
}

/* ---- Checkpoints and heads ---- */

static void take_chunks(struct cursor *c, struct record_series *s, struct arena *a)
{
	uint64_t n = take_varint(c);
	struct chunk_view *v;

	if (c->bad || n > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		return;
	}
	v = ARENA_ARRAY(a, n, struct chunk_view);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t samples, bits;

		v[i].min_ms = (int64_t)take_u64(c);
		v[i].kind = (uint8_t)take_byte(c);
		samples = take_varint(c);
		bits = take_varint(c);
		c->bad |= v[i].kind > CHUNK_HIST || samples == 0 || samples > CHUNK_SAMPLES || bits > UINT32_MAX - 7;
		v[i].n = (uint16_t)samples;
		v[i].bits = (uint32_t)bits;
		v[i].data = take(c, (bits + 7) / 8);
		if (c->bad)
			return;
	}
	s->n_chunks = (uint32_t)n;
	s->chunks = v;
}

static bool read_series(struct record_reader *r, struct cursor c)
{
	uint64_t owner = 0;

	buf_reset(&r->text);
	while (c.p < c.end && !c.bad) {
		struct record_series s = { 0 };

		arena_reset(&r->arena);
		if (!take_labels(r, &c, &s.labels))
			return false;
		s.owner = take_owner(&c, &owner);
		s.state = take_state(&c, take_byte(&c));
		s.v_bits = take_u64(&c);
		s.last_ms = (int64_t)take_u64(&c);
		s.good_ms = (int64_t)take_u64(&c);
		take_chunks(&c, &s, &r->arena);
		if (!c.bad)
			r->sink->series(r->sink->ctx, &s);
	}
	return !c.bad;
}

static bool read_head(struct record_reader *r, struct cursor c)
{
	struct record_head head;
	uint64_t version = take_u64(&c);

	head.now_ms = (int64_t)take_u64(&c);
	head.held_from_ms = (int64_t)take_u64(&c);
	head.covered_ms = (int64_t)take_u64(&c);
	r->foreign |= !c.bad && version != RECORD_VERSION;
	if (c.bad || r->foreign)
		return false;
	r->sink->head(r->sink->ctx, &head);
	return true;
}

bool record_read(struct record_reader *r, struct str payload)
{
	struct cursor c = { (const unsigned char *)payload.p, (const unsigned char *)payload.p + payload.n, false };

	switch (take_byte(&c)) {
	case RECORD_HEAD:
		return read_head(r, c);
	case RECORD_BATCH:
		return read_batch(r, c);
	case RECORD_SERIES:
		return read_series(r, c);
	case RECORD_COMPLETE:
		r->sink->end(r->sink->ctx);
		return c.p == c.end;
	default:
		return false;
	}
}

void record_reader_fini(struct record_reader *r)
{
	free(r->last);
	buf_fini(&r->text);
	buf_fini(&r->other);
	arena_fini(&r->arena);
}
