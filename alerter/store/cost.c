/* What each series costs: its chunks in memory and in blocks; and whether those can be read. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

static void add(struct store_cost *c, int64_t min_ms, int64_t max_ms, size_t samples, size_t bytes)
{
	c->first_ms = min_ms < c->first_ms ? min_ms : c->first_ms;
	c->last_ms = max_ms > c->last_ms ? max_ms : c->last_ms;
	c->samples += samples;
	c->bytes += bytes;
	c->chunks++;
}

static void add_head(struct store_cost *c, const struct chunk *chunk)
{
	add(c, chunk->min_ms, chunk_max_ms(chunk), chunk->n, chunk_bytes(chunk));
}

static void add_blocks(struct store_cost *c, const struct block_list *l, uint64_t hash)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct block *b = l->v[i];
		uint32_t series = block_find(b, c->labels, hash);

		if (series == BLOCK_NONE)
			continue;
		for (uint32_t k = block_first(b, series), n = block_n_entries(b, series); n > 0; k++, n--) {
			const struct block_entry entry = block_entry(b, k);

			add(c, entry.min_ms, entry.max_ms, entry.n, block_entry_bytes(b, k));
		}
	}
}

struct costs {
	struct block_list *blocks;
	void (*fn)(void *ctx, const struct store_cost *);
	void *ctx;
};

static void count_series(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	const struct costs *to = ctx;
	struct store_cost c = { .first_ms = INT64_MAX, .last_ms = INT64_MIN };
	struct label *v = mem_alloc(index_n_pairs(&st->index, s) * sizeof *v);

	(void)shard;
	c.labels = index_labels(&st->index, s, v);
	for (uint32_t i = 0; i < s->n_sealed; i++)
		add_head(&c, series_sealed(s, i));
	if (series_open(s) != NULL)
		add_head(&c, series_open(s));
	if (to->blocks != NULL)
		add_blocks(&c, to->blocks, series_hash(c.labels));
	if (c.chunks > 0)
		to->fn(to->ctx, &c);
	free(v);
}

void store_each_cost(struct store *st, void (*fn)(void *ctx, const struct store_cost *), void *ctx)
{
	struct costs to = { history_take(&st->history), fn, ctx };

	store_each_series(st, count_series, &to);
	block_list_unref(to.blocks);
}

size_t store_check(struct store *st)
{
	struct block_list *blocks = history_take(&st->history);
	size_t bad = 0;

	for (size_t i = 0; blocks != NULL && i < blocks->n; i++) {
		for (uint32_t k = 0; k < blocks->v[i]->n_entries; k++) {
			struct chunk_view c;

			bad += !block_bytes(blocks->v[i], k, &c);
		}
		block_cool(blocks->v[i]);
	}
	block_list_unref(blocks);
	return bad;
}
