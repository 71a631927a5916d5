/* A flush: references to the chunks are gathered series by series, the block is written without any lock, taken into the list, and
 * only then the head lets go of the chunks; a reader looks at the head first and at the blocks second, so it misses nothing. Ingest waits for the
 * lock of one shard at a time, for as long as one series takes. Invariant: only maintenance takes sealed chunks away, but
 * a late sample may have replaced one meanwhile: then its successor stays, and what it shares with the block is the same twice. */
#include "store/flush.h"

#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

enum { FLUSH_EVERY_MS = 7200000, SETTLED_MS = 300000, RETRY_MS = 60000 };

struct flush_item {
	struct store_series *series; /* a reference */
	uint32_t first, n; /* of flush.chunks */
};

struct flush {
	int64_t settled_ms, open_ms; /* every sealed chunk; open ones that end by settled_ms and begin by open_ms, or whose series ended */
	int64_t remaining_ms;        /* begin of the oldest chunk that stays */
	int64_t begin_ms;            /* of the oldest chunk that goes: a late sample's may begin before what is covered */
	struct flush_item *items;
	struct chunk **chunks; /* of the items, one behind the other; a reference each */
	size_t n_items, cap_items, n_chunks, cap_chunks;
};

void flush_close_open(struct shard *shard, struct store_series *s)
{
	shard->chunk_bytes -= chunk_bytes(series_open(s));
	store_keep_sealed(s, series_seal(s));
	shard->chunk_bytes += chunk_bytes(series_sealed(s, s->n_sealed - 1));
}

bool flush_has_ended(const struct store_series *s, int64_t until_ms)
{
	return series_open(s) != NULL && chunk_max_ms(series_open(s)) <= until_ms && s->state == SERIES_GONE && series_has_ended(s);
}

static void gather(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	struct flush *f = ctx;
	const struct chunk *open = series_open(s), *stays;
	uint32_t n = 0;

	(void)st;
	if ((open != NULL && chunk_max_ms(open) <= f->settled_ms && open->min_ms <= f->open_ms) || flush_has_ended(s, f->settled_ms))
		flush_close_open(shard, s);
	for (; n < s->n_sealed; n++) {
		f->chunks = mem_grow_tight(f->chunks, &f->cap_chunks, f->n_chunks + 1, sizeof *f->chunks);
		f->chunks[f->n_chunks++] = series_sealed(s, n);
		chunk_ref(series_sealed(s, n));
	}
	stays = series_open(s);
	if (stays != NULL && stays->min_ms < f->remaining_ms)
		f->remaining_ms = stays->min_ms;
	if (n == 0)
		return;
	if (series_sealed(s, 0)->min_ms < f->begin_ms)
		f->begin_ms = series_sealed(s, 0)->min_ms;
	f->items = mem_grow_tight(f->items, &f->cap_items, f->n_items + 1, sizeof *f->items);
	f->items[f->n_items++] = (struct flush_item){ s, (uint32_t)(f->n_chunks - n), n };
	atomic_fetch_add(&s->refs, 1);
}

static void flush_fini(struct store *st, struct flush *f)
{
	for (size_t i = 0; i < f->n_chunks; i++)
		chunk_unref(f->chunks[i]);
	for (size_t i = 0; i < f->n_items; i++)
		store_series_release(st, f->items[i].series);
	free(f->chunks);
	free(f->items);
}

/* Time of the last sample that is no stale marker; INT64_MIN: none. */
static int64_t last_good(struct chunk *const *v, uint32_t n, struct arena *a)
{
	int64_t t[CHUNK_SAMPLES];
	double value[CHUNK_SAMPLES];
	const struct histogram *h[CHUNK_SAMPLES];

	while (n-- > 0) {
		if (!chunk_decode(v[n], t, value, h, a))
			continue;
		for (uint32_t i = v[n]->n; i-- > 0;)
			if (!value_is_stale(value[i]))
				return t[i];
	}
	return INT64_MIN;
}

static uint32_t begin_series(struct store *st, struct block_writer *w, const struct store_series *s)
{
	struct label v[STORE_MAX_LABELS];
	uint32_t number;

	pthread_rwlock_rdlock(&st->index_lock);
	number = block_writer_series(w, index_labels(&st->index, s, v));
	pthread_rwlock_unlock(&st->index_lock);
	return number;
}

static uint64_t whole_hash(struct store *st, const struct store_series *s)
{
	struct label v[STORE_MAX_LABELS];
	uint64_t hash;

	pthread_rwlock_rdlock(&st->index_lock);
	hash = series_hash(index_labels(&st->index, s, v));
	pthread_rwlock_unlock(&st->index_lock);
	return hash;
}

/* A series knows the upper half of its own, which is enough for nearly all. */
static int by_hash(const void *a, const void *b, void *st)
{
	const struct store_series *of_a = ((const struct flush_item *)a)->series, *of_b = ((const struct flush_item *)b)->series;
	uint64_t l = of_a->hash, r = of_b->hash;

	if (l == r) {
		l = whole_hash(st, of_a);
		r = whole_hash(st, of_b);
	}
	return (l > r) - (l < r);
}

/* In the order of the block: then the writer keeps little in memory. */
static bool write_all(struct store *st, struct block_writer *w, struct flush *f, struct err *e)
{
	struct arena a = { 0 };
	bool ok = true;

	block_writer_sorted(w);
	if (f->n_items > 1)
		qsort_r(f->items, f->n_items, sizeof *f->items, by_hash, st);
	for (size_t i = 0; i < f->n_items && ok; i++) {
		struct chunk **at = f->chunks + f->items[i].first;
		uint32_t number = begin_series(st, w, f->items[i].series);
		int64_t good_ms = last_good(at, f->items[i].n, &a);

		for (uint32_t k = 0; k < f->items[i].n && ok; k++)
			ok = block_writer_chunk(w, number, *at++, good_ms, e);
		arena_reset(&a);
	}
	arena_fini(&a);
	return ok;
}

/* Of the series' chunks those that are among <v>; both in time order. */
static void take_out(struct shard *shard, struct store_series *s, struct chunk *const *v, uint32_t n)
{
	union sealed all = series_all_sealed(s);
	uint32_t had = s->n_sealed, k = 0;
	struct chunk **old = sealed_at(&all, had);

	s->n_sealed = 0;
	for (uint32_t i = 0; i < had; i++) {
		while (k < n && v[k] != old[i] && chunk_max_ms(v[k]) < old[i]->min_ms)
			k++;
		if (k == n || v[k] != old[i]) {
			store_keep_sealed(s, old[i]);
			continue;
		}
		shard->n_chunks--;
		shard->chunk_bytes -= chunk_bytes(old[i]);
		chunk_unref(old[i]);
	}
	store_free_sealed(all, had);
}

static void let_go(struct store *st, const struct flush *f)
{
	for (size_t i = 0; i < f->n_items; i++) {
		struct chunk *const *at = f->chunks + f->items[i].first;
		struct store_series *s = f->items[i].series;
		struct shard *shard = series_shard(st, s);
		uint32_t n = f->items[i].n;

		pthread_mutex_lock(&shard->lock);
		take_out(shard, s, at, n);
		pthread_mutex_unlock(&shard->lock);
	}
}

static bool flush(struct store *st, struct flush *f, int64_t now_ms, struct err *e)
{
	struct history *h = &st->history;
	struct block_writer *w;
	char *path = NULL;
	bool ok;

	store_each_series(st, gather, f);
	if (f->n_items == 0)
		return true;
	if (f->remaining_ms > now_ms)
		f->remaining_ms = now_ms;
	w = block_writer_new(h->dir, e);
	ok = w != NULL && write_all(st, w, f, e) && block_writer_commit(w, f->begin_ms < h->covered_ms ? f->begin_ms : h->covered_ms, f->remaining_ms, &path, e);
	block_writer_free(w);
	if (ok && !history_add_file(st, path))
		ok = err_set(e, ERR_IO, -1, "the block just written is damaged: %s", path);
	free(path);
	if (!ok)
		return false;
	let_go(st, f);
	h->covered_ms = f->remaining_ms;
	atomic_store(&st->journal.covered_ms, h->covered_ms);
	COUNT(st, blocks_written, 1);
	return true;
}

bool flush_when_due(struct store *st, int64_t now_ms, bool hurry)
{
	struct history *h = &st->history;
	struct flush f = { .settled_ms = now_ms - SETTLED_MS, .open_ms = now_ms - FLUSH_EVERY_MS, .remaining_ms = INT64_MAX, .begin_ms = INT64_MAX };
	struct err e = { 0 };
	bool ok;

	if (h->flushed_ms > now_ms) /* the clock jumped back */
		h->flushed_ms = now_ms;
	if ((!hurry && now_ms - h->flushed_ms < FLUSH_EVERY_MS) || history_waits(h->retry_ms, now_ms, RETRY_MS))
		return false;
	ok = flush(st, &f, now_ms, &e);
	if (ok) {
		h->flushed_ms = now_ms;
		complain_works(&h->flushing, "writing a block", h->dir, now_ms);
	} else {
		COUNT(st, flushes_failed, 1);
		complain_failed(&h->flushing, "writing a block", h->dir, &e, now_ms);
	}
	h->retry_ms = now_ms + RETRY_MS;
	ok = ok && f.n_items > 0;
	flush_fini(st, &f);
	return ok;
}

bool flush_all(struct store *st, int64_t now_ms, struct err *e)
{
	struct flush f = { .settled_ms = INT64_MAX, .open_ms = INT64_MAX, .remaining_ms = INT64_MAX, .begin_ms = INT64_MAX };
	bool ok = flush(st, &f, now_ms, e);

	if (!ok)
		COUNT(st, flushes_failed, 1);
	flush_fini(st, &f);
	return ok;
}
