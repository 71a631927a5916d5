/* Writing frames and their operations. A frame is begun with room for its head, which is filled in when it ends; one that grows past
 * FRAME_BYTES is ended and the next one begun. */
#include "store/record_ops.h"

#include <assert.h>

#include "store/bits.h"
#include "tocsin/mem.h"

enum { FRAME_BYTES = 256 << 10, OP_MAX_BYTES = 64 };

void record_writer_fini(struct record_writer *w)
{
	buf_fini(&w->out);
	buf_fini(&w->text);
	buf_fini(&w->other);
}

void record_writer_restart(struct record_writer *w)
{
	assert(!w->open);
	w->n_series = 0;
	w->owner = 0;
	buf_reset(&w->text);
}

/* ---- Frames ---- */

static void put_u64(struct buf *b, uint64_t v)
{
	buf_put(b, &v, sizeof v);
}

static void put_varint(struct buf *b, uint64_t v)
{
	unsigned char *to = (unsigned char *)buf_reserve(b, 10);
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = (unsigned char)(v | 0x80);
	to[n++] = (unsigned char)v;
	b->n += n;
}

static void put_signed(struct buf *b, int64_t v)
{
	put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void begin(struct record_writer *w, unsigned char kind)
{
	static const struct record_frame_head room;

	assert(!w->open);
	w->open = true;
	w->kind = kind;
	w->frame = w->out.n;
	buf_put(&w->out, &room, sizeof room);
	buf_putc(&w->out, (char)kind);
}

void record_begin(struct record_writer *w, int64_t t_ms)
{
	begin(w, RECORD_BATCH);
	w->t_ms = t_ms;
	w->next = RECORD_MAX_SERIES;
	w->run = 0;
	put_u64(&w->out, (uint64_t)t_ms);
}

/* Each frame of a checkpoint stands alone: one that is damaged takes no other with it. */
void record_begin_series(struct record_writer *w)
{
	begin(w, RECORD_SERIES);
	w->owner = 0;
	buf_reset(&w->text);
}

static void end_run(struct record_writer *w)
{
	if (w->run > 0)
		buf_putc(&w->out, (char)(w->run - 1));
	w->run = 0;
}

void record_end(struct record_writer *w)
{
	struct record_frame_head head;
	size_t at = w->frame + sizeof head;

	assert(w->open);
	end_run(w);
	head = record_frame_head(w->out.p + at, w->out.n - at);
	memcpy(w->out.p + w->frame, &head, sizeof head);
	w->open = false;
}

static void split(struct record_writer *w)
{
	if (w->out.n - w->frame < FRAME_BYTES)
		return;
	record_end(w);
	if (w->kind == RECORD_BATCH)
		record_begin(w, w->t_ms);
	else
		record_begin_series(w);
}

void record_put_head(struct record_writer *w, const struct record_head *head)
{
	begin(w, RECORD_HEAD);
	put_u64(&w->out, RECORD_VERSION);
	put_u64(&w->out, (uint64_t)head->now_ms);
	put_u64(&w->out, (uint64_t)head->held_from_ms);
	put_u64(&w->out, (uint64_t)head->covered_ms);
	record_end(w);
}

void record_put_end(struct record_writer *w)
{
	begin(w, RECORD_COMPLETE);
	record_end(w);
}

/* ---- Labels: what they share with those before at either end is not said again. ---- */

static bool label_text(struct labels l, struct buf *out)
{
	buf_reset(out);
	if (l.n > STORE_MAX_LABELS)
		return false;
	for (size_t i = 0; i < l.n; i++) {
		put_varint(out, l.v[i].name.n);
		buf_puts(out, l.v[i].name);
		put_varint(out, l.v[i].value.n);
		buf_puts(out, l.v[i].value);
	}
	return out->n <= RECORD_MAX_TEXT;
}

static bool put_labels(struct record_writer *w, struct labels l)
{
	struct buf before = w->text;
	size_t head = 0, tail = 0, room;

	if (!label_text(l, &w->other))
		return false;
	room = before.n < w->other.n ? before.n : w->other.n;
	while (head < room && before.p[head] == w->other.p[head])
		head++;
	while (tail < room - head && before.p[before.n - 1 - tail] == w->other.p[w->other.n - 1 - tail])
		tail++;
	put_varint(&w->out, head);
	put_varint(&w->out, tail);
	put_varint(&w->out, w->other.n - head - tail);
	buf_put(&w->out, w->other.p + head, w->other.n - head - tail);
	w->text = w->other;
	w->other = before;
	return true;
}

static void put_owner(struct record_writer *w, uint64_t owner)
{
	buf_putc(&w->out, owner != w->owner);
	if (owner != w->owner)
		put_u64(&w->out, owner);
	w->owner = owner;
}

bool record_define(struct record_writer *w, struct labels labels, uint64_t owner, uint32_t *number)
{
	size_t before;

	split(w);
	end_run(w);
	before = w->out.n;
	buf_putc(&w->out, (char)OP_DEFINE);
	if (w->n_series == RECORD_MAX_SERIES || !put_labels(w, labels)) {
		w->out.n = before;
		return false;
	}
	put_owner(w, owner);
	*number = w->n_series++;
	w->next = *number;
	return true;
}

/* ---- Samples ---- */

static unsigned char *put_step(unsigned char *to, int32_t step)
{
	unsigned n = step >= INT8_MIN && step <= INT8_MAX ? 1 : step >= INT16_MIN && step <= INT16_MAX ? 2 : 4;

	*to++ = (unsigned char)(OP_STEP + n - 1);
	memcpy(to, &step, n);
	return to + n;
}

static unsigned char *put_xor(unsigned char *to, uint64_t x)
{
	unsigned lead = (unsigned)__builtin_clzll(x) / 8, n = 8 - lead - (unsigned)__builtin_ctzll(x) / 8;

	x >>= (8 - lead - n) * 8;
	*to++ = OP_XOR;
	*to++ = (unsigned char)(lead << 4 | n);
	memcpy(to, &x, n);
	return to + n;
}

/* Not the same bits. */
static unsigned char *put_value(unsigned char *to, double v, uint64_t last_bits)
{
	double last = of_bits(last_bits), step = v - last;

	if (step >= INT32_MIN && step <= INT32_MAX && bits_of(last + (double)(int32_t)step) == bits_of(v))
		return put_step(to, (int32_t)step);
	return put_xor(to, bits_of(v) ^ last_bits);
}

static void go_to(struct record_writer *w, uint32_t number)
{
	if (number == w->next)
		return;
	end_run(w);
	buf_putc(&w->out, (char)OP_NUMBER);
	put_varint(&w->out, number);
	w->next = number;
}

static void put_histogram(struct record_writer *w, const struct record_sample *s)
{
	struct buf bytes = { 0 };

	chunk_hist_write_one(s->h, s->t_ms, &bytes);
	buf_putc(&w->out, (char)OP_HISTOGRAM);
	put_varint(&w->out, bytes.n);
	buf_puts(&w->out, buf_str(&bytes));
	buf_fini(&bytes);
}

void record_put_sample(struct record_writer *w, uint32_t number, const struct record_sample *s, uint64_t last_bits)
{
	unsigned char *to;

	split(w);
	go_to(w, number);
	if (s->t_ms != w->t_ms || s->h != NULL || s->state != record_usual_state(s->v, s->h)) {
		end_run(w);
		if (s->t_ms != w->t_ms) {
			buf_putc(&w->out, (char)OP_TIME);
			put_signed(&w->out, (int64_t)((uint64_t)s->t_ms - (uint64_t)w->t_ms));
			w->t_ms = s->t_ms;
		}
		if (s->state != record_usual_state(s->v, s->h))
			buf_putc(&w->out, (char)(OP_STATE + (int)s->state));
		if (s->h != NULL)
			put_histogram(w, s);
	}
	w->next++;
	if (bits_of(s->v) == last_bits) {
		if (++w->run == OP_RUN_MAX)
			end_run(w);
		return;
	}
	end_run(w);
	to = (unsigned char *)buf_reserve(&w->out, OP_MAX_BYTES);
	w->out.n += (size_t)(put_value(to, s->v, last_bits) - to);
}

void record_put_state(struct record_writer *w, uint32_t number, enum series_state state)
{
	split(w);
	go_to(w, number);
	end_run(w);
	buf_putc(&w->out, (char)(OP_ONLY_STATE + (int)state));
	w->next++;
}

/* ---- Checkpoints ---- */

void record_put_series(struct record_writer *w, const struct record_series *s)
{
	size_t before;

	split(w);
	before = w->out.n;
	if (!put_labels(w, s->labels)) {
		w->out.n = before;
		return;
	}
	put_owner(w, s->owner);
	buf_putc(&w->out, (char)s->state);
	put_u64(&w->out, s->v_bits);
	put_u64(&w->out, (uint64_t)s->last_ms);
	put_u64(&w->out, (uint64_t)s->good_ms);
	put_varint(&w->out, s->n_chunks);
	for (uint32_t i = 0; i < s->n_chunks; i++) {
		const struct chunk_view *c = &s->chunks[i];

		put_u64(&w->out, (uint64_t)c->min_ms);
		buf_putc(&w->out, (char)c->kind);
		put_varint(&w->out, c->n);
		put_varint(&w->out, c->bits);
		buf_put(&w->out, c->data, (c->bits + 7) / 8);
	}
}
