/* Hostile journal files. With the first byte 0 the rest is a file, frames and all; else payloads, each behind two bytes of length, so that
 * checksums are not in the way. Whatever it is: no crash, samples only of series that were defined, and what is read of a batch can be written
 * and read again. */
#include <stdlib.h>

#include "store/bits.h"
#include "store/record.h"
#include "tocsin/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEEN_MAX = 4096 };

struct seen {
	struct record_writer again;
	uint64_t last[SEEN_MAX];
	size_t n_series, n_samples, n_states;
	bool open, rewrite;
};

static void open_batch(struct seen *s, int64_t t_ms)
{
	if (!s->open)
		record_begin(&s->again, t_ms);
	s->open = true;
}

static void on_head(void *ctx, const struct record_head *head)
{
	(void)ctx, (void)head;
}

static void on_define(void *ctx, uint32_t number, struct labels labels, uint64_t owner)
{
	struct seen *s = ctx;
	uint32_t got = 0;

	if (number != s->n_series)
		abort();
	for (size_t i = 1; i < labels.n; i++)
		if (str_cmp(labels.v[i - 1].name, labels.v[i].name) >= 0)
			abort();
	s->n_series++;
	if (!s->rewrite || number >= SEEN_MAX)
		return;
	open_batch(s, 0);
	if (!record_define(&s->again, labels, owner, &got) || got != number)
		abort();
	s->last[number] = 0;
}

static void on_sample(void *ctx, uint32_t number, const struct record_sample *sample)
{
	struct seen *s = ctx;

	if (number >= s->n_series)
		abort();
	s->n_samples++;
	if (!s->rewrite || number >= SEEN_MAX)
		return;
	open_batch(s, sample->t_ms);
	record_put_sample(&s->again, number, sample, s->last[number]);
	s->last[number] = bits_of(sample->v);
}

static void on_floats(void *ctx, uint32_t number, int64_t t_ms, const double *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		on_sample(ctx, number + i, &(struct record_sample){ t_ms, v[i], NULL, record_usual_state(v[i], NULL) });
}

static void on_state(void *ctx, uint32_t number, enum series_state state)
{
	struct seen *s = ctx;

	if (number >= s->n_series || state > SERIES_LOST)
		abort();
	s->n_states++;
	if (!s->rewrite || number >= SEEN_MAX)
		return;
	open_batch(s, 0);
	record_put_state(&s->again, number, state);
}

/* As the head takes it, and then a sample. */
static void adopt(const struct chunk_view *c, const int64_t *t, const double *v)
{
	struct chunk_writer w = { .open = chunk_adopt(c, t, v) };

	if (w.open != NULL && t[c->n - 1] < INT64_MAX) {
		w.v_bits = bits_of(v[c->n - 1]);
		chunk_unref(chunk_append(&w, t[c->n - 1] + 1, 0.25, NULL));
	}
	chunk_unref(chunk_seal(&w));
}

static void on_series(void *ctx, const struct record_series *series)
{
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	const struct histogram *h[CHUNK_SAMPLES];
	struct arena a = { 0 };

	(void)ctx;
	for (uint32_t i = 0; i < series->n_chunks; i++)
		if (chunk_view_decode(&series->chunks[i], t, v, h, &a))
			adopt(&series->chunks[i], t, v);
	arena_fini(&a);
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static void read_file(struct record_reader *r, const unsigned char *p, size_t n)
{
	struct str payload;
	size_t at = 0, before = 0;

	for (;;) {
		enum record_frame kind = record_next(p, n, &at, &payload);

		if (kind == RECORD_END || kind == RECORD_TORN)
			return;
		if (at <= before || at > n)
			abort();
		before = at;
		if (kind == RECORD_GOOD && !record_read(r, payload))
			return;
	}
}

static void read_payloads(struct record_reader *r, const unsigned char *p, size_t n)
{
	while (n >= 2) {
		size_t length = (size_t)p[0] | (size_t)p[1] << 8;

		p += 2, n -= 2;
		if (length > n)
			length = n;
		if (!record_read(r, (struct str){ (const char *)p, length }))
			return;
		p += length, n -= length;
	}
}

/* What was written of what was read says the same. */
static void read_again(struct seen *s, const struct record_sink *sink)
{
	struct record_reader *r = mem_alloc(sizeof *r);
	struct seen second = { 0 };
	struct record_sink calls = *sink;
	unsigned char *copy;

	record_end(&s->again);
	copy = mem_alloc(s->again.out.n + BITS_SLACK);
	memcpy(copy, s->again.out.p, s->again.out.n);
	calls.ctx = &second;
	r->sink = &calls;
	read_file(r, copy, s->again.out.n);
	if (s->n_series <= SEEN_MAX &&
	    (second.n_series != s->n_series || second.n_samples != s->n_samples || second.n_states != s->n_states))
		abort();
	for (size_t i = 0; i < s->n_series && i < SEEN_MAX; i++)
		if (r->last[i] != s->last[i])
			abort();
	record_reader_fini(r);
	free(r);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_sink sink = { NULL, on_head, on_define, on_sample, on_floats, on_state, on_series, on_end };
	struct record_reader *r;
	struct seen *s;
	unsigned char *copy;

	if (size == 0 || size > 1 << 18)
		return 0;
	s = mem_alloc(sizeof *s);
	s->rewrite = true;
	sink.ctx = s;
	r = mem_alloc(sizeof *r);
	r->sink = &sink;
	copy = mem_alloc(size - 1 + BITS_SLACK);
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 0)
		read_file(r, copy, size - 1);
	else
		read_payloads(r, copy, size - 1);
	if (s->open)
		read_again(s, &sink);
	record_writer_fini(&s->again);
	record_reader_fini(r);
	free(r);
	free(s);
	free(copy);
	return 0;
}
