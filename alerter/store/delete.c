/* Deleting samples. There are no tombstones: chunks in memory and blocks that hold any are written anew without them, and the journal
 * begins with a checkpoint, so that nothing comes back. All of it under maintain_lock; ingest and readers go on. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

static bool overlaps(int64_t beg_ms, int64_t end_ms, const struct block_except *x)
{
	return beg_ms <= x->max_ms && end_ms >= x->min_ms;
}

/* ---- Memory ---- */

static bool head_has_any(const struct store_series *s, const struct block_except *x)
{
	for (uint32_t i = 0; i < s->n_sealed; i++)
		if (overlaps(series_sealed(s, i)->min_ms, chunk_max_ms(series_sealed(s, i)), x))
			return true;
	return series_open(s) != NULL && overlaps(series_open(s)->min_ms, chunk_max_ms(series_open(s)), x);
}

static void take_chunk(struct shard *shard, struct store_series *s, struct chunk *c)
{
	shard->n_chunks++;
	store_keep_sealed(s, c);
	shard->chunk_bytes += chunk_bytes(c);
}

/* What stays of a chunk goes behind the others. */
static void keep_rest(struct store *st, struct shard *shard, struct store_series *s, struct chunk *c, const struct block_except *x)
{
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	const struct histogram *h[CHUNK_SAMPLES] = { 0 };
	struct chunk_writer w = { 0 };
	struct chunk *full;
	struct arena a = { 0 };
	unsigned kept = 0;

	if (!overlaps(c->min_ms, chunk_max_ms(c), x)) {
		take_chunk(shard, s, c);
		return;
	}
	if (chunk_decode(c, t, v, h, &a))
		for (unsigned i = 0; i < c->n; i++) {
			if (t[i] >= x->min_ms && t[i] <= x->max_ms)
				continue;
			full = chunk_append(&w, t[i], v[i], c->kind == CHUNK_HIST ? h[i] : NULL);
			if (full != NULL) /* another kind suits what is left */
				take_chunk(shard, s, full);
			kept++;
		}
	COUNT(st, samples_deleted, c->n - kept);
	if (w.open != NULL)
		take_chunk(shard, s, chunk_seal(&w));
	arena_fini(&a);
	chunk_unref(c);
}

/* The last value and time stay known: what comes next is judged by them. */
static void cut_head(struct store *st, struct shard *shard, struct store_series *s, const struct block_except *x)
{
	uint32_t n = s->n_sealed;
	union sealed old;

	if (!head_has_any(s, x))
		return;
	if (series_open(s) != NULL) {
		shard->chunk_bytes -= chunk_bytes(series_open(s));
		store_keep_sealed(s, series_seal(s));
		shard->chunk_bytes += chunk_bytes(series_sealed(s, n++));
	}
	old = series_all_sealed(s);
	s->n_sealed = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct chunk *c = sealed_at(&old, n)[i];

		shard->n_chunks--;
		shard->chunk_bytes -= chunk_bytes(c);
		keep_rest(st, shard, s, c, x);
	}
	store_free_sealed(old, n);
}

static bool delete_in_head(struct store *st, const struct block_except *x, struct err *e)
{
	struct gathering *g;
	struct view view;

	pthread_rwlock_rdlock(&st->index_lock);
	g = gather_begin(st, x->matchers, x->n, e);
	pthread_rwlock_unlock(&st->index_lock);
	if (g == NULL || !gather_all(st, g, NULL, 0, &view, e))
		return false;
	for (size_t i = 0; i < view.n; i++) {
		struct shard *shard = series_shard(st, view.series[i]);

		pthread_mutex_lock(&shard->lock);
		cut_head(st, shard, view.series[i], x);
		pthread_mutex_unlock(&shard->lock);
	}
	snapshot_unref(st, view.snapshot);
	return true;
}

/* ---- Disk ---- */

static bool block_has_any(struct block *b, const struct block_except *x)
{
	struct label v[STORE_MAX_LABELS];

	if (!overlaps(b->header->min_ms, b->header->max_ms, x))
		return false;
	for (uint32_t i = 0; i < b->n_series; i++) {
		uint32_t first = block_first(b, i), n = block_n_entries(b, i);

		if (n > 0 && overlaps(block_entry(b, first).min_ms, block_entry(b, first + n - 1).max_ms, x) &&
		    block_excepts(x, block_labels(b, i, v)))
			return true;
	}
	return false;
}

static bool delete_in_blocks(struct store *st, const struct block_except *x, struct err *e)
{
	struct block_list *l = history_take(&st->history);
	bool ok = true;

	for (size_t i = 0; ok && l != NULL && i < l->n; i++) {
		char *path = NULL;

		if (!block_has_any(l->v[i], x))
			continue;
		ok = block_merge(&l->v[i], 1, x, st->history.dir, &st->hasten, &path, e);
		if (ok && !history_swap(st, &l->v[i], 1, path))
			ok = err_set(e, ERR_IO, -1, "the block just written is damaged: %s", path);
		free(path);
	}
	block_list_unref(l);
	return ok;
}

bool store_delete(struct store *st, const struct matcher *m, size_t n, int64_t min_ms, int64_t max_ms, struct err *e)
{
	const struct block_except x = { m, n, min_ms, max_ms };
	bool ok;

	pthread_mutex_lock(&st->maintain_lock);
	if (st->history.dir != NULL) /* what was imported a moment ago too */
		history_scan(st);
	ok = delete_in_head(st, &x, e) && delete_in_blocks(st, &x, e);
	journal_checkpoint(st);
	pthread_mutex_unlock(&st->maintain_lock);
	return ok;
}
