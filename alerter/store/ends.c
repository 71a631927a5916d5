/* The ends of windows, of many series at once: what rate() and lookups need is two samples of packed chunks, found without decoding.
 * Chunks of the head are read where they are, under the lock of their shard, which neighbours share: it is taken once for a run of
 * them. Blocks come first here; should a flush have moved chunks there meanwhile, nothing is known. Whatever is out of the ordinary (histograms, stale markers, floats of many digits, parts that overlap) is left to samples(). */
#include <assert.h>

#include "store/internal.h"
#include "store/packed.h"

/* Adds what the chunk has of the window. False: this is for samples(). */
static bool add_chunk(struct window_ends *e, const struct chunk_view *c, int64_t min_ms, int64_t max_ms)
{
	struct packed p;
	unsigned beg, end;
	double first;

	if (c->kind != CHUNK_PACKED || !packed_open(&p, c->data, c->bits, c->n) || p.head.n_stale > 0)
		return false;
	beg = packed_until(&p, min_ms);
	end = packed_until(&p, max_ms);
	if (beg >= end)
		return true;
	first = packed_value(&p, beg);
	if (e->n == 0) {
		e->first_ms = packed_time(&p, beg);
		e->first = first;
	} else if (packed_time(&p, beg) <= e->last_ms) {
		return false;
	}
	e->falls |= p.head.n_falls > 0 || (e->n > 0 && first < e->last);
	e->last_ms = packed_time(&p, end - 1);
	e->last = packed_value(&p, end - 1);
	e->n += end - beg;
	return true;
}

static bool add_block(struct window_ends *e, struct block *b, uint32_t series, int64_t min_ms, int64_t max_ms)
{
	const struct block_series *s = &b->series[series];

	for (uint32_t i = s->first_entry; i < s->first_entry + s->n_entries && b->entries[i].min_ms <= max_ms; i++) {
		struct chunk_view c;

		if (b->entries[i].max_ms > min_ms && !(block_chunk(b, i, &c) && add_chunk(e, &c, min_ms, max_ms)))
			return false;
	}
	return true;
}

static bool add_blocks(struct window_ends *e, const struct block_list *list, const struct store_series *s, struct labels labels,
                       int64_t min_ms, int64_t max_ms)
{
	for (size_t i = 0; i < list->n; i++) {
		struct block *b = list->v[i];
		uint64_t place = atomic_load_explicit(&s->block_place, memory_order_relaxed);
		uint32_t series = (uint32_t)place;

		if (b->header->min_ms > max_ms || b->header->max_ms <= min_ms)
			continue;
		if (place >> 32 != b->serial)
			series = block_find(b, labels, s->hash);
		if (series != BLOCK_NONE && !add_block(e, b, series, min_ms, max_ms))
			return false;
	}
	return true;
}

/* Under the shard lock. <batch>: the last one to be seen. */
static bool add_head(struct window_ends *e, const struct store_series *s, uint64_t batch, int64_t min_ms, int64_t max_ms)
{
	const struct chunk *open = s->writer.open;

	for (uint32_t i = store_first_chunk(s, min_ms, false); i < s->n_sealed && s->sealed[i]->min_ms <= max_ms; i++) {
		const struct chunk *c = s->sealed[i];

		if (!add_chunk(e, &(struct chunk_view){ c->min_ms, c->data, c->bits, c->n, c->kind }, min_ms, max_ms))
			return false;
	}
	if (open == NULL || open->min_ms > max_ms || open->max_ms <= min_ms)
		return true;
	return add_chunk(e, &(struct chunk_view){ open->min_ms, open->data, open->bits, (uint16_t)(open->n - (s->last_batch > batch)), open->kind },
	                 min_ms, max_ms);
}

static void forget_all(struct window_ends *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i].known = false;
}

void store_ends(struct querier *q, const struct selection *pub, size_t row, size_t n, int64_t min_ms, int64_t max_ms, struct window_ends *out)
{
	enum { AHEAD = 8 };
	const struct store_selection *sel = (const struct store_selection *)pub;
	struct store *st = (struct store *)q;
	struct store_series *const *series = sel->snapshot->series;
	uint64_t changes = atomic_load(&st->history.changes);
	struct block_list *blocks = atomic_load(&st->history.max_ms) > min_ms ? history_take(&st->history) : NULL;
	struct shard *locked = NULL;

	assert(row + n <= pub->n);
	for (size_t i = row; i < row + n; i++, out++) {
		struct shard *shard = series_shard(st, series[i]);

		__builtin_prefetch(series[i + AHEAD < pub->n ? i + AHEAD : i]);
		*out = (struct window_ends){ .known = true };
		if (blocks != NULL)
			out->known = add_blocks(out, blocks, series[i], sel->snapshot->labels[i], min_ms, max_ms);
		if (shard != locked) {
			if (locked != NULL)
				pthread_mutex_unlock(&locked->lock);
			pthread_mutex_lock(&shard->lock);
			locked = shard;
		}
		out->known = out->known && add_head(out, series[i], sel->batch, min_ms, max_ms);
	}
	if (locked != NULL)
		pthread_mutex_unlock(&locked->lock);
	block_list_unref(blocks);
	if (atomic_load(&st->history.changes) != changes)
		forget_all(out - n, n);
}
