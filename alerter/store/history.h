/* The blocks a store serves beside its head. Private to the store.
 *
 * The list of blocks is immutable and counted: readers take it, maintenance replaces it. Every series of a block is in the store's index
 * (so selections find it) and counts its blocks, or it is at rest (rest.h); whatever the head and several blocks hold of one series is merged
 * when it is read, and where two have a sample of one time the head wins, then the later block. */
#ifndef TOCSIN_STORE_HISTORY_H
#define TOCSIN_STORE_HISTORY_H

#include <pthread.h>
#include <time.h>

#include "store/block.h"
#include "tocsin/complain.h"
#include "tocsin/map.h"

struct store;

struct block_list {
	_Atomic uint32_t refs;
	size_t n;
	struct block *v[]; /* by rising min_ms; a reference each */
};

struct history {
	char *dir; /* NULL: nothing is kept on disk */
	pthread_mutex_t lock;
	struct block_list *list; /* NULL: no blocks */
	_Atomic int64_t max_ms;  /* of the samples in all blocks, INT64_MIN: none */
	_Atomic uint64_t changes; /* of the list; counted before the head lets go of what a new block holds */
	uint32_t last_serial;    /* of the blocks so far. Of maintenance */
	/* Of maintenance: */
	struct timespec scanned; /* the folder's time of change when it was last read */
	struct map left_alone;   /* paths of files that are not ours to judge */
	int64_t flushed_ms, retry_ms, covered_ms, compact_ms, unload_ms; /* compact_ms, unload_ms: not before, after a failure */
	struct complaint flushing, merging, unloading;
	bool told_of_limit;
};

/* Whether it is not time yet, which it is after <most_ms> at the latest: the clock may have been put back. */
static inline bool history_waits(int64_t until_ms, int64_t now_ms, int64_t most_ms)
{
	return until_ms > now_ms && until_ms - now_ms <= most_ms;
}

void history_init(struct history *h);
void history_fini(struct history *h);
struct block_list *history_take(struct history *h); /* NULL: no blocks */
void block_list_unref(struct block_list *l);
/* Takes in what is new in the folder, if it changed; sets aside what is damaged. */
void history_scan(struct store *st);
/* Takes in what is new in the folder, sets aside what is damaged, drops what left the retention, moves old chunks out of the head: true
 * when a block was written. */
bool history_maintain(struct store *st, int64_t now_ms, bool hurry);

/* <path> holds what these blocks of the list held: it takes their place, and their files go; NULL: nothing does. False when it proves to be
 * damaged. */
bool history_swap(struct store *st, struct block *const *parts, size_t n, const char *path);
/* Merges what has gathered in one of the windows of time that are over, of two hours, six, eighteen …; one at a time. (compact.c) */
void history_compact(struct store *st, int64_t now_ms);

/* What blocks hold of one series. */
struct history_part {
	struct block *block;
	uint32_t first, n; /* of its entries */
};
struct history_parts {
	struct block_list *list; /* keeps the blocks: block_list_unref() it */
	struct history_part *v;
	size_t n, n_samples;
	bool has_hist;
	const struct block *cut; /* one of that time that is not all there; NULL: none is */
};
/* Chunks that may hold samples with min_ms < t <= max_ms, and with <before> also the last one at or before min_ms unless it lies at or
 * before <floor_ms>. */
void history_collect(struct store *st, struct labels labels, int64_t min_ms, int64_t max_ms, bool before, int64_t floor_ms,
                     struct arena *a, struct history_parts *out);

#endif
