/* Samples that come late: older than the last one of their series, within the window that is allowed. Such a one is put where it belongs among
 * the samples in memory, in time order: the chunk it falls into is written anew, or it becomes a chunk of its own. So readers, flushes and
 * checkpoints see nothing special, but that a chunk may overlap a block, as imported ones do. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

/* What a chunk becomes: sealed pieces, and the one that is open. */
struct rewrite {
	struct chunk *pieces[CHUNK_SAMPLES + 1];
	uint32_t n;
	struct chunk_writer w;
};

struct late {
	int64_t t_ms;
	double v;
	const struct histogram *h;
};

static void put(struct rewrite *r, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk *full = chunk_append(&r->w, t_ms, v, h);

	if (full != NULL)
		r->pieces[r->n++] = full;
}

static bool same(const struct late *late, double v, const struct histogram *h)
{
	if (late->h != NULL || h != NULL)
		return late->h != NULL && h != NULL && chunk_histogram_same(late->h, h);
	return memcmp(&late->v, &v, sizeof v) == 0;
}

/* <c> with the sample in it, into <r>; NULL: the sample alone. Anything but STORE_OK: it cannot be, and <r> is empty. */
static enum store_verdict rewrite(const struct chunk *c, const struct late *late, struct rewrite *r)
{
	const struct histogram *h[CHUNK_SAMPLES] = { 0 };
	enum store_verdict verdict = STORE_OK;
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	struct arena a = { 0 };
	unsigned n = c != NULL ? c->n : 0, at = 0;

	if (c != NULL && !chunk_decode(c, t, v, h, &a))
		verdict = STORE_OUT_OF_ORDER;
	while (verdict == STORE_OK && at < n && t[at] < late->t_ms)
		at++;
	if (verdict == STORE_OK && at < n && t[at] == late->t_ms)
		verdict = same(late, v[at], h[at]) ? STORE_SAME : STORE_DUPLICATE;
	for (unsigned i = 0; verdict == STORE_OK && i <= n; i++) {
		if (i == at)
			put(r, late->t_ms, late->v, late->h);
		if (i < n)
			put(r, t[i], v[i], h[i]);
	}
	arena_fini(&a);
	return verdict;
}

static void count_bytes(struct shard *shard, const struct rewrite *r, const struct chunk *old)
{
	for (uint32_t i = 0; i < r->n; i++)
		shard->chunk_bytes += chunk_bytes(r->pieces[i]);
	shard->n_chunks += r->n;
	if (old == NULL)
		return;
	shard->chunk_bytes -= chunk_bytes(old);
	shard->n_chunks--;
}

/* The pieces take the place of the sealed chunk <i>, or stand in front of it when that one stays. */
static void replace(struct shard *shard, struct store_series *s, uint32_t i, bool stays, const struct rewrite *r)
{
	union sealed all = series_all_sealed(s);
	uint32_t n = s->n_sealed;
	struct chunk **old = sealed_at(&all, n);

	count_bytes(shard, r, stays ? NULL : old[i]);
	s->n_sealed = 0;
	for (uint32_t k = 0; k < i; k++)
		store_keep_sealed(s, old[k]);
	for (uint32_t k = 0; k < r->n; k++)
		store_keep_sealed(s, r->pieces[k]);
	for (uint32_t k = stays ? i : i + 1; k < n; k++)
		store_keep_sealed(s, old[k]);
	if (!stays)
		chunk_unref(old[i]);
	store_free_sealed(all, n);
}

static enum store_verdict into_sealed(struct shard *shard, struct store_series *s, uint32_t i, bool stays, const struct late *late)
{
	struct rewrite r = { .n = 0 };
	enum store_verdict verdict = rewrite(stays ? NULL : series_sealed(s, i), late, &r);

	if (verdict != STORE_OK)
		return verdict;
	r.pieces[r.n++] = chunk_seal(&r.w);
	replace(shard, s, i, stays, &r);
	return STORE_OK;
}

/* The last value stays what it was: it is what comes next that is judged by it. */
static enum store_verdict into_open(struct shard *shard, struct store_series *s, const struct late *late)
{
	struct chunk *old = series_open(s);
	struct rewrite r = { .n = 0 };
	enum store_verdict verdict = rewrite(old, late, &r);

	if (verdict != STORE_OK)
		return verdict;
	count_bytes(shard, &r, old);
	shard->chunk_bytes += chunk_bytes(r.w.open);
	shard->n_chunks++;
	for (uint32_t i = 0; i < r.n; i++)
		store_keep_sealed(s, r.pieces[i]);
	series_set_open(s, r.w.open);
	chunk_unref(old);
	return STORE_OK;
}

/* A gap belongs to the chunk before it as long as there is room. */
static bool fits_behind(const struct store_series *s, uint32_t i, const struct late *late)
{
	const struct chunk *c = i > 0 ? series_sealed(s, i - 1) : NULL;

	return c != NULL && c->n < CHUNK_SAMPLES && (c->kind == CHUNK_HIST) == (late->h != NULL);
}

enum store_verdict store_put_late(struct store *st, struct shard *shard, struct store_series *s, int64_t t_ms, double v,
                                  const struct histogram *h)
{
	const struct late late = { t_ms, v, h };
	const struct chunk *open = series_open(s);
	uint32_t i = store_first_chunk(s, t_ms - 1, false);
	enum store_verdict verdict;

	if (i < s->n_sealed && series_sealed(s, i)->min_ms <= t_ms)
		verdict = into_sealed(shard, s, i, false, &late);
	else if (i == s->n_sealed && open != NULL && open->min_ms <= t_ms)
		verdict = into_open(shard, s, &late);
	else if (fits_behind(s, i, &late))
		verdict = into_sealed(shard, s, i - 1, false, &late);
	else
		verdict = into_sealed(shard, s, i, true, &late);
	if (verdict == STORE_OK)
		store_note_oldest(st, t_ms);
	return verdict;
}

void store_set_late_window(struct store *st, int64_t window_ms)
{
	atomic_store(&st->late_window_ms, window_ms);
}
