/* Two batches: one is filled, the other one is appended meanwhile, half of its series by a further thread. Invariant: then a series belongs to the
 * one who appends to it, and the index and the definitions of series to the reader. What is left at the end the reader appends itself. */
#include "store/backlog.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/aside.h"
#include "store/halves.h"
#include "store/internal.h"
#include "tocsin/mem.h"

struct waiting {
	double v;
	int32_t after_ms;                /* behind the first one of the batch */
	uint32_t number : 24, state : 8; /* number: of its series, in the file */
};

enum { BATCH_SAMPLES = 3 << 18, READY_AT_ONCE = 1 << 16, RUN = 64 };
_Static_assert(RECORD_MAX_SERIES <= 1 << 24 && sizeof(struct waiting) == 16, "there are many");

struct batch {
	struct waiting *v;
	size_t n, n_ready; /* n_ready: so many have memory */
	int64_t first_ms;
	struct numbered series; /* when it is handed over: a copy */
};

struct backlog {
	struct store *st;
	const struct numbered *series;
	void (*complete)(void *ctx);
	void *ctx;
	struct batch filling;
	_Atomic int64_t newest_ms;
	uint32_t *order, *at; /* of who appends a batch; room for BATCH_SAMPLES, and for <at_cap> */
	size_t at_cap;
	struct aside *aside; /* borrowed */
	struct batch handed; /* its own while it is busy */
};

/* ---- Into the head ---- */

void backlog_append(struct store *st, struct shard *counts, struct store_series *s, const struct record_sample *x)
{
	if (x->state == SERIES_FRESH && s->state == SERIES_LOST)
		store_note_return(st, s, x->t_ms, 0);
	store_replay_sample(st, counts, s, x->t_ms, x->v, x->h);
	atomic_store_explicit(&s->state, (unsigned char)x->state, memory_order_relaxed);
}

/* Samples of one series. */
struct run {
	int64_t t_ms[RUN];
	double v[RUN];
	unsigned n;
	unsigned char state; /* of the last one */
};

static int64_t time_of(const struct batch *in, const struct waiting *w)
{
	return in->first_ms + w->after_ms;
}

static void note_newest(struct backlog *b, const struct batch *in, const struct waiting *w)
{
	int64_t newest_ms = atomic_load_explicit(&b->newest_ms, memory_order_relaxed);

	while (w->state == SERIES_FRESH && time_of(in, w) > newest_ms &&
	       !atomic_compare_exchange_weak(&b->newest_ms, &newest_ms, time_of(in, w)))
		;
}

/* As many of <n> as follow what there is, one after the other, while nothing was lost. */
static void take_run(struct backlog *b, const struct store_series *s, const struct batch *in, const uint32_t *order, size_t n,
                     struct run *out)
{
	int64_t last_ms = series_last_ms(s);

	out->n = 0;
	for (size_t i = 0; i < n && out->n < RUN && s->state != SERIES_LOST; i++) {
		const struct waiting *w = &in->v[order[i]];

		if (time_of(in, w) <= last_ms || w->state == SERIES_LOST)
			break;
		note_newest(b, in, w);
		last_ms = out->t_ms[out->n] = time_of(in, w);
		out->v[out->n++] = w->v;
		out->state = w->state;
	}
}

static void append_one(struct backlog *b, struct shard *counts, struct store_series *s, const struct batch *in, const struct waiting *w)
{
	if (s == NULL)
		return;
	note_newest(b, in, w);
	backlog_append(b->st, counts, s, &(struct record_sample){ time_of(in, w), w->v, NULL, (enum series_state)w->state });
}

static void append_series(struct backlog *b, struct shard *counts, struct store_series *s, const struct batch *in, const uint32_t *order,
                          size_t n)
{
	struct run run;

	for (size_t i = 0; i < n; i += run.n) {
		take_run(b, s, in, order + i, n - i, &run);
		if (run.n > 0) {
			store_replay_run(b->st, counts, s, run.t_ms, run.v, run.n);
			atomic_store_explicit(&s->state, run.state, memory_order_relaxed);
		} else {
			append_one(b, counts, s, in, &in->v[order[i]]);
			run.n = 1;
		}
	}
}

/* Those of one series in the order they came: <at> is where those of each end. */
static void sort(struct backlog *b, const struct batch *in, size_t n_series)
{
	if (b->order == NULL) {
		b->order = mem_alloc(BATCH_SAMPLES * sizeof *b->order);
		mem_populate(b->order, in->n * sizeof *b->order);
	}
	b->at = mem_grow(b->at, &b->at_cap, n_series + 1, sizeof *b->at);
	memset(b->at, 0, (n_series + 1) * sizeof *b->at);
	for (size_t i = 0; i < in->n; i++)
		b->at[in->v[i].number + 1]++;
	for (size_t i = 0; i < n_series; i++)
		b->at[i + 1] += b->at[i];
	for (size_t i = 0; i < in->n; i++)
		b->order[b->at[in->v[i].number]++] = (uint32_t)i;
}

/* Memory of what comes is asked for in time: samples, then their series, then that one's chunk. */
enum { NEAR = 4, FARTHER = 10, FARTHEST = 64 };
static void warm(const struct numbered *series, size_t number)
{
	if (number + FARTHER < series->n && series->v[number + FARTHER] != NULL)
		for (size_t at = 0; at <= 128; at += 64)
			mem_warm((const char *)series->v[number + FARTHER] + at);
	if (number + NEAR < series->n && series->v[number + NEAR] != NULL) {
		const char *open = (const char *)series_open(series->v[number + NEAR]);

		for (size_t at = 0; open != NULL && at <= 192; at += 64)
			mem_warm(open + at);
	}
}

/* A batch that was sorted. */
struct appending {
	struct backlog *b;
	const struct batch *in;
	const struct numbered *series;
};

static void add_counts(struct store *st, const struct shard *counts)
{
	struct shard *to = &st->shards[0];

	pthread_mutex_lock(&to->lock);
	to->n_chunks += counts->n_chunks;
	to->chunk_bytes += counts->chunk_bytes;
	pthread_mutex_unlock(&to->lock);
}

/* What takes time here is memory, and a scrape touches all of it. */
static void append_half(void *ctx, size_t first, size_t last)
{
	const struct appending *x = ctx;
	const uint32_t *order = x->b->order, *at = x->b->at;
	uint32_t beg = first > 0 ? at[first - 1] : 0;
	struct shard counts = { .n_chunks = 0 };

	for (size_t number = first; number < last; beg = at[number++]) {
		warm(x->series, number);
		for (size_t i = beg; i < at[number]; i++)
			if (i + FARTHER < x->in->n)
				mem_warm(&x->in->v[order[i + FARTHER]]);
		if (at[number] > beg && x->series->v[number] != NULL)
			append_series(x->b, &counts, x->series->v[number], x->in, order + beg, at[number] - beg);
	}
	add_counts(x->b->st, &counts);
}

static void append_sorted(struct backlog *b, const struct batch *in, const struct numbered *series)
{
	struct appending x = { b, in, series };

	sort(b, in, series->n);
	if (series->twice)
		append_half(&x, 0, series->n);
	else
		halves_do(series->n, 1, append_half, &x);
}

static void append_few(struct backlog *b, const struct batch *in, const struct numbered *series)
{
	for (size_t i = 0; i < in->n; i++)
		append_one(b, &b->st->shards[0], series->v[in->v[i].number], in, &in->v[i]);
}

static void append_all(struct backlog *b, struct batch *in, const struct numbered *series)
{
	enum { FEW = 8 };

	if (in->n > series->n / FEW)
		append_sorted(b, in, series);
	else
		append_few(b, in, series);
	in->n = 0;
}

/* ---- The thread ---- */

static void append_handed(void *ctx)
{
	struct backlog *b = ctx;

	append_all(b, &b->handed, &b->handed.series);
}

static void copy_series(struct numbered *to, const struct numbered *from)
{
	to->v = mem_grow(to->v, &to->cap, from->n, sizeof(struct store_series *));
	to->n = from->n;
	to->twice = from->twice;
	memcpy(to->v, from->v, from->n * sizeof(struct store_series *));
}

static void hand_over(struct backlog *b)
{
	struct numbered series;
	struct batch empty;

	b->complete(b->ctx);
	aside_wait(b->aside);
	copy_series(&b->handed.series, b->series);
	series = b->handed.series;
	empty = (struct batch){ .v = b->handed.v, .n_ready = b->handed.n_ready };
	b->handed = b->filling;
	b->handed.series = series;
	b->filling = empty;
	aside_do(b->aside, append_handed, b);
}

/* ---- The reader ---- */

struct backlog *backlog_new(struct store *st, struct aside *aside, const struct numbered *series, void (*complete)(void *ctx), void *ctx)
{
	struct backlog *b = mem_alloc(sizeof *b);

	b->st = st;
	b->series = series;
	b->complete = complete;
	b->ctx = ctx;
	b->newest_ms = INT64_MIN;
	b->aside = aside;
	return b;
}

/* Room in the batch for <n> of <t_ms>. */
static struct waiting *make_room(struct backlog *b, int64_t t_ms, uint32_t n, int32_t *after_ms)
{
	struct batch *to = &b->filling;
	int64_t after;

	if (n > BATCH_SAMPLES - to->n)
		hand_over(b);
	if (to->n > 0 && (__builtin_sub_overflow(t_ms, to->first_ms, &after) || after != (int32_t)after))
		backlog_empty(b);
	if (to->v == NULL)
		to->v = mem_alloc(BATCH_SAMPLES * sizeof *to->v);
	if (to->n + n > to->n_ready) {
		mem_populate(to->v + to->n_ready, READY_AT_ONCE * sizeof *to->v);
		to->n_ready += READY_AT_ONCE;
	}
	if (to->n == 0)
		to->first_ms = t_ms;
	*after_ms = (int32_t)(t_ms - to->first_ms);
	to->n += n;
	return to->v + to->n - n;
}

void backlog_add(struct backlog *b, uint32_t number, int64_t t_ms, const double *v, uint32_t n)
{
	int32_t after_ms;
	struct waiting *to = make_room(b, t_ms, n, &after_ms);

	for (uint32_t i = 0; i < n; i++)
		to[i] = (struct waiting){ v[i], after_ms, (number + i) & 0xffffff, record_usual_state(v[i], NULL) };
}

void backlog_add_one(struct backlog *b, uint32_t number, const struct record_sample *s)
{
	int32_t after_ms;
	struct waiting *to = make_room(b, s->t_ms, 1, &after_ms);

	*to = (struct waiting){ s->v, after_ms, number & 0xffffff, s->state & 0xff };
}

void backlog_empty(struct backlog *b)
{
	b->complete(b->ctx);
	aside_wait(b->aside);
	append_all(b, &b->filling, b->series);
}

int64_t backlog_newest_ms(const struct backlog *b)
{
	return b->newest_ms;
}

void backlog_free(struct backlog *b)
{
	aside_wait(b->aside);
	free(b->order);
	free(b->at);
	free(b->filling.v);
	free(b->handed.v);
	free(b->handed.series.v);
	free(b);
}
