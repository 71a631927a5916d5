/* The ends of windows, of many series at once: what rate() and lookups need is two samples of packed chunks, found without
 * decoding. Chunks of the head are read where they are, under the lock of their shard, which neighbours share: it is taken once for a run of
 * them. Blocks come first here; should a flush have moved chunks there meanwhile, nothing is known. Whatever is out of the ordinary
 * (histograms, stale markers but one that ends a series, floats of many digits, parts that overlap) is left to samples(). */
#include <assert.h>

#include "store/internal.h"
#include "store/packed.h"
#include "tocsin/mem.h"

enum { STORE_ENDS_ROWS = 64 };

/* Adds what the chunk has of the window. False: this is for samples(). */
static bool add_chunk(struct window_ends *e, const struct chunk_view *c, int64_t min_ms, int64_t max_ms)
{
	struct packed p;
	unsigned beg, end;
	double v[2];

	if ((c->kind != CHUNK_PACKED && c->kind != CHUNK_DENSE) || !chunk_open(c, &p) || !packed_at_most_ended(&p))
		return false;
	beg = c->min_ms > min_ms ? 0 : packed_until(&p, min_ms);
	end = packed_until(&p, max_ms);
	if (beg >= end)
		return true;
	e->ended = p.head.n_stale > 0 && end == p.n;
	if (e->ended && beg == --end)
		return true;
	packed_ends(&p, beg, end - 1, v);
	if (e->n == 0) {
		e->first_ms = packed_time(&p, beg);
		e->first = v[0];
	} else if (packed_time(&p, beg) <= e->last_ms) {
		return false;
	}
	e->falls |= p.head.n_falls > 0 || (e->n > 0 && v[0] < e->last);
	e->last_ms = packed_time(&p, end - 1);
	e->last = v[1];
	e->n += end - beg;
	return true;
}

static bool add_block(struct window_ends *e, struct block *b, uint32_t series, int64_t min_ms, int64_t max_ms)
{
	uint32_t first = block_first(b, series), n = block_n_entries(b, series);

	for (uint32_t i = first; i < first + n && block_entry(b, i).min_ms <= max_ms; i++) {
		struct chunk_view c;

		if (block_entry(b, i).max_ms > min_ms && !(block_chunk(b, i, &c) && add_chunk(e, &c, min_ms, max_ms)))
			return false;
	}
	return true;
}

static bool add_blocks(struct window_ends *e, const struct block_list *list, const struct store_series *s, struct labels labels,
                       int64_t min_ms, int64_t max_ms)
{
	for (size_t i = 0; i < list->n; i++) {
		struct block *b = list->v[i];
		uint32_t series;

		if (b->header->min_ms > max_ms || b->header->max_ms <= min_ms)
			continue;
		if (!series_is_at(s, b, &series))
			series = block_find(b, labels, series_hash(labels));
		if ((series != BLOCK_NONE && !add_block(e, b, series, min_ms, max_ms)) || atomic_load_explicit(&b->cut, memory_order_relaxed))
			return false;
	}
	return true;
}

/* Under the shard lock. <batch>: the last one to be seen. */
static bool add_head(struct window_ends *e, const struct store_series *s, uint64_t batch, int64_t min_ms, int64_t max_ms)
{
	const struct chunk *open = series_open(s);
	unsigned char room[PACKED_MAX_BYTES];
	struct chunk_view seen;

	for (uint32_t i = store_first_chunk(s, min_ms, false); i < s->n_sealed && series_sealed(s, i)->min_ms <= max_ms; i++) {
		const struct chunk *c = series_sealed(s, i);

		seen = (struct chunk_view){ .min_ms = c->min_ms, .data = c->data, .bits = c->bits, .n = c->n, .kind = c->kind };
		if (!add_chunk(e, &seen, min_ms, max_ms))
			return false;
	}
	if (open == NULL || open->min_ms > max_ms || chunk_max_ms(open) <= min_ms)
		return true;
	seen = chunk_view_open(open, open->n - series_is_later(s, batch), room);
	return add_chunk(e, &seen, min_ms, max_ms);
}

/* Memory, not arithmetic, is what takes time here: everything is asked for a pass before it is used. */
static void warm_series(struct store_series *const *series, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mem_warm(series[i]);
		mem_warm(&series[i]->open);
	}
}

static void warm_blocks(const struct block_list *list, struct store_series *const *series, size_t n)
{
	const struct block *newest = list->v[list->n - 1];
	uint32_t at[STORE_ENDS_ROWS];
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += series_is_at(series[i], newest, &at[found]);
	block_warm(newest, at, found);
}

/* <n> series of one shard. */
static void add_heads(struct shard *shard, struct store_series *const *series, size_t n, uint64_t batch, int64_t min_ms,
                      int64_t max_ms, struct window_ends *out)
{
	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < n; i++) {
		if (series[i]->n_sealed > 0)
			mem_warm(series_sealed(series[i], series[i]->n_sealed - 1));
		if (series_open(series[i]) != NULL) {
			mem_warm(series_open(series[i]));
			mem_warm(series_open(series[i])->data + 32);
		}
	}
	for (size_t i = 0; i < n; i++)
		out[i].known = out[i].known && add_head(&out[i], series[i], batch, min_ms, max_ms);
	pthread_mutex_unlock(&shard->lock);
}

static void add_all(struct store *st, const struct store_selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms,
                    const struct block_list *blocks, struct window_ends *out)
{
	struct store_series *const *series = sel->view.series + row;

	warm_series(series, n);
	if (blocks != NULL && blocks->n > 0)
		warm_blocks(blocks, series, n);
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct window_ends){ .known = true };
		if (blocks != NULL)
			out[i].known = add_blocks(&out[i], blocks, series[i], sel->view.labels[row + i], min_ms, max_ms);
	}
	for (size_t i = 0, run; i < n; i += run) {
		struct shard *shard = series_shard(st, series[i]);

		for (run = 1; i + run < n && series_shard(st, series[i + run]) == shard;)
			run++;
		add_heads(shard, series + i, run, sel->batch, min_ms, max_ms, out + i);
	}
}

/* How many of the first rows are <known>. */
static size_t run_of(const struct window_ends *out, size_t n, bool known)
{
	size_t i = 0;

	while (i < n && out[i].known == known)
		i++;
	return i;
}

static void blocks_and_heads(struct store *st, struct store_selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms,
                             struct window_ends *out)
{
	struct block_list *blocks = atomic_load(&st->history.max_ms) > min_ms ? history_take(&st->history) : NULL;

	for (size_t i = 0, some; i < n; i += some) {
		some = n - i < STORE_ENDS_ROWS ? n - i : STORE_ENDS_ROWS;
		add_all(st, sel, row + i, some, min_ms, max_ms, blocks, out + i);
	}
	block_list_unref(blocks);
}

/* Of windows before the head blocks have it all, and a shelf may have it ready. */
static void before_head(struct store *st, struct store_selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms,
                        bool last_only, struct window_ends *out)
{
	size_t i = 0;

	if (row == 0)
		shelf_attach(st, sel, min_ms, max_ms);
	shelf_ends(sel, row, n, min_ms, max_ms, last_only, out);
	while ((i += run_of(out + i, n - i, true)) < n) {
		size_t some = run_of(out + i, n - i, false);

		blocks_and_heads(st, sel, row + i, some, min_ms, max_ms, out + i);
		i += some;
	}
}

void store_ends(struct querier *q, const struct selection *pub, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only,
                struct window_ends *out)
{
	struct store *st = (struct store *)q;
	struct store_selection *sel = (struct store_selection *)(uintptr_t)pub;
	uint64_t changes = atomic_load(&st->history.changes);

	assert(row + n <= pub->n);
	if (atomic_load(&st->oldest_ms) > max_ms && atomic_load(&st->history.max_ms) > min_ms)
		before_head(st, sel, row, n, min_ms, max_ms, last_only, out);
	else
		blocks_and_heads(st, sel, row, n, min_ms, max_ms, out);
	if (atomic_load(&st->history.changes) == changes)
		return;
	for (size_t i = 0; i < n; i++)
		out[i].known = false;
}
