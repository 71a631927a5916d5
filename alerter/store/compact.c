/* Which blocks are merged: as Prometheus does it, those that begin in one window of two hours, then of six, eighteen and so on, up to a
 * tenth of the retention. So their number stays small, however long the history and however often the head is flushed. A window is left
 * alone until it is over. */
#include <stdlib.h>

#include "store/internal.h"

enum { FIRST_RANGE_MS = 7200000, SETTLED_MS = 600000, RETRY_MS = 600000 };
#define LAST_RANGE_MS   (31 * INT64_C(86400000))
#define MERGE_MAX_BYTES (INT64_C(16) << 30)

static int64_t window_of(const struct block *b, int64_t range_ms)
{
	int64_t t = b->header->min_ms;

	return t / range_ms - (t % range_ms < 0);
}

/* The first window of that size with several blocks; they lie side by side. */
static size_t find_window(const struct block_list *l, int64_t range_ms, int64_t now_ms, size_t *beg)
{
	for (size_t i = 0, n; i < l->n; i += n) {
		int64_t window = window_of(l->v[i], range_ms);
		uint64_t bytes = l->v[i]->n_bytes;
		bool sound = block_is_whole(l->v[i]);

		for (n = 1; i + n < l->n && window_of(l->v[i + n], range_ms) == window; n++) {
			bytes += l->v[i + n]->n_bytes;
			sound = sound && block_is_whole(l->v[i + n]);
		}
		*beg = i;
		if (n > 1 && sound && bytes <= MERGE_MAX_BYTES && (window + 1) * range_ms + SETTLED_MS <= now_ms)
			return n;
	}
	return 0;
}

static size_t find_blocks(const struct store *st, const struct block_list *l, int64_t now_ms, size_t *beg)
{
	int64_t last_ms = st->options.retention_ms / 10;
	size_t n = 0;

	if (last_ms > LAST_RANGE_MS)
		last_ms = LAST_RANGE_MS;
	for (int64_t range_ms = FIRST_RANGE_MS; n == 0 && (range_ms == FIRST_RANGE_MS || range_ms <= last_ms); range_ms *= 3)
		n = find_window(l, range_ms, now_ms, beg);
	return n;
}

void history_compact(struct store *st, int64_t now_ms)
{
	struct history *h = &st->history;
	struct block_list *l = history_take(h);
	struct err e = { 0 };
	char *path = NULL;
	size_t beg = 0, n = l != NULL && !history_waits(h->compact_ms, now_ms, RETRY_MS) ? find_blocks(st, l, now_ms, &beg) : 0;

	if (n > 0 && block_merge(l->v + beg, n, NULL, h->dir, &st->hasten, &path, &e) && history_swap(st, l->v + beg, n, path)) {
		COUNT(st, blocks_merged, n);
		complain_works(&h->merging, "merging blocks", h->dir, now_ms);
	} else if (n > 0 && e.code != ERR_CANCELED) {
		h->compact_ms = now_ms + RETRY_MS;
		complain_failed(&h->merging, "merging blocks", h->dir, &e, now_ms);
	}
	free(path);
	block_list_unref(l);
}
