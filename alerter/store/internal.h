/* What the files of the store share. Who may touch what: see store.h. */
#ifndef TOCSIN_STORE_INTERNAL_H
#define TOCSIN_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/carriers.h"
#include "store/chunk.h"
#include "store/gaps.h"
#include "store/claims.h"
#include "store/exemplars.h"
#include "store/history.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/rest.h"
#include "store/shelf.h"
#include "store/store.h"

enum { STORE_SHARDS = 16, SHARD_RUN = 64 };

/* Where a series is known from of which nothing was scraped or computed since the start. FROM_OWNER: the journal, and its owner has not claimed
 * it yet. */
enum { FROM_NOWHERE, FROM_BLOCKS, FROM_JOURNAL, FROM_OWNER };

/* Sealed chunks of a series, in time order. */
union sealed {
	struct chunk *one;   /* when there is one, as mostly */
	struct chunk **many; /* room for the power of two that holds them, in a slab */
};

enum { ID_BITS = 40, SEALED_BITS = 22, NUMBER_BITS = 23, SEALED_MOST = (1 << SEALED_BITS) - 1, NUMBER_NONE = (1 << NUMBER_BITS) - 1 };
#define ID_MOST ((UINT64_C(1) << ID_BITS) - 1)

/* There are many: what is here is paid for by each, and lies so that there is no gap. What every selection reads comes first. Bits of one lock
 * never lie beside those of another, since they are written together. */
struct store_series {
	uint64_t id : ID_BITS, hash : INDEX_HASH_BITS; /* immutable; hash: what index_hash() says of its labels */
	_Atomic unsigned char state;        /* enum series_state. Written under the shard lock */
	_Atomic unsigned char from_history; /* FROM_…: nothing was appended since the start. Likewise */
	_Atomic uint16_t refs; /* memory: the index holds one, every snapshot one */
	/* Under the shard lock: */
	uint32_t n_sealed : SEALED_BITS;
	uint32_t left_out : 1; /* of some snapshot, since it ended: what comes next is told by memory_revive */
	uint32_t apart : 1;    /* its first chunk was cut short, see append.c */
	_Atomic unsigned char journal_file; /* of which it has journal_number; 0, by anybody: none. Under the commit lock */
	_Atomic int64_t end;           /* enum series_end. Written under it, by series_set_last() */
	_Atomic uint64_t kept;         /* bits of the last value; of a SERIES_ENDED: time of its last sample that is no stale marker, INT64_MIN: none. Likewise */
	_Atomic int64_t block_last_ms; /* of those in blocks; likewise */
	/* Not under it: */
	union {
		_Atomic uint64_t blocks;          /* see series_in_blocks() */
		struct store_series *next_unused; /* graveyard */
	};
	_Atomic uint32_t owner;      /* its number + 1, 0: nobody. Written under the lock of the owners */
	_Atomic uint32_t last_batch; /* lower half of the number of the batch its last sample came with. Written under the shard lock */
	_Atomic uint32_t pins;       /* holders outside, staged samples: not dropped; and SERIES_NEVER_LOST */
	struct near open, sealed;    /* series_open(), series_all_sealed(). Under the shard lock */
	uint32_t journal_number : NUMBER_BITS, journal_told : 1; /* told: its last value is in that file. Under the commit lock */
	unsigned char pairs[];         /* its labels, sorted, as index_encode() wrote them; immutable */
};

_Static_assert(offsetof(struct store_series, pairs) == 75, "there is no gap");
_Static_assert((int)RECORD_MAX_SERIES <= (int)NUMBER_NONE + 1, "numbers of the journal fit");

/* Time of its last sample in the head, twice, and whether that is a stale marker, or there is none: then <kept> is a time. So both have room in
 * eight bytes each, and who holds no lock still finds the two that belong together. */
enum series_end { SERIES_ENDED = 1 };
#define SERIES_NO_END (INT64_MIN | SERIES_ENDED)

/* INT64_MIN: none. */
static inline int64_t series_last_ms(const struct store_series *s)
{
	int64_t end = atomic_load_explicit(&s->end, memory_order_acquire);

	return end == SERIES_NO_END ? INT64_MIN : end >> 1;
}

/* Its last sample in the head is a stale marker, or there is none. */
static inline bool series_has_ended(const struct store_series *s)
{
	return (atomic_load_explicit(&s->end, memory_order_acquire) & SERIES_ENDED) != 0;
}

/* Of its last sample that is no stale marker, in the head or, while nothing came since the start, in blocks; INT64_MIN: none. */
static inline int64_t series_good_ms(const struct store_series *s)
{
	int64_t end = atomic_load_explicit(&s->end, memory_order_acquire), before;
	uint64_t kept;

	do {
		if ((end & SERIES_ENDED) == 0)
			return end >> 1;
		kept = atomic_load_explicit(&s->kept, memory_order_acquire);
		before = end;
		end = atomic_load_explicit(&s->end, memory_order_acquire);
	} while (end != before);
	return (int64_t)kept;
}

/* The last value as it was given; 0: none. Under the shard lock. */
static inline uint64_t series_v_bits(const struct store_series *s)
{
	if (!series_has_ended(s))
		return atomic_load_explicit(&s->kept, memory_order_relaxed);
	return series_last_ms(s) == INT64_MIN ? 0 : STALE_NAN_BITS;
}

/* A sample was put behind the others. Whoever reads <kept> as a time sees in <end> whether it still is one. Under the shard lock. */
static inline void series_set_last(struct store_series *s, int64_t t_ms, uint64_t v_bits, bool stale)
{
	int64_t end = t_ms < INT64_MIN / 2 ? INT64_MIN : t_ms > INT64_MAX / 2 ? INT64_MAX - 1 : t_ms * 2;

	if (stale || t_ms == INT64_MIN) {
		atomic_store_explicit(&s->kept, (uint64_t)series_good_ms(s), memory_order_release);
		atomic_store_explicit(&s->end, end | SERIES_ENDED, memory_order_release);
	} else {
		atomic_store_explicit(&s->end, end, memory_order_release);
		atomic_store_explicit(&s->kept, v_bits, memory_order_release);
	}
}

/* A good sample before its last one, if that is none. Likewise. */
static inline void series_set_good(struct store_series *s, int64_t good_ms)
{
	if (series_has_ended(s))
		atomic_store_explicit(&s->kept, (uint64_t)good_ms, memory_order_release);
}

#define SERIES_NEVER_LOST (UINT32_C(1) << 31)

static inline bool series_is_pinned(const struct store_series *s)
{
	return (atomic_load(&s->pins) & ~SERIES_NEVER_LOST) != 0;
}

static inline bool series_is_never_lost(const struct store_series *s)
{
	return (atomic_load(&s->pins) & SERIES_NEVER_LOST) != 0;
}

/* NULL: none. Under the shard lock. */
static inline struct chunk *series_open(const struct store_series *s)
{
	return near_get(s->open);
}

static inline void series_set_open(struct store_series *s, const struct chunk *open)
{
	s->open = near_to(open);
}

/* Takes its open chunk away, sealed; NULL when there is none. Likewise. */
static inline struct chunk *series_seal(struct store_series *s)
{
	struct chunk_writer w = { .open = series_open(s) };

	series_set_open(s, NULL);
	return chunk_seal(&w);
}

/* <blocks> of a series: how many hold it, 16 bits; and where it is in the newest of them, 0: not told: 24 bits of that one's serial number, and
 * which of its series, if 24 bits can say it. */
enum { PLACE_BITS = 24, PLACE_MOST = (1 << PLACE_BITS) - 1, BLOCKS_BITS = 16, BLOCKS_MOST = (1 << BLOCKS_BITS) - 1 };
#define BLOCKS_ONE (UINT64_C(1) << (2 * PLACE_BITS))

/* It is not dropped while there are any. */
static inline uint32_t series_in_blocks(const struct store_series *s)
{
	return (uint32_t)(atomic_load(&s->blocks) / BLOCKS_ONE);
}

static inline uint64_t series_place(const struct store_series *s)
{
	return atomic_load_explicit(&s->blocks, memory_order_relaxed) % BLOCKS_ONE;
}

/* True when it is known to be the block's <i>th. */
static inline bool series_is_at(const struct store_series *s, const struct block *b, uint32_t *i)
{
	uint64_t place = series_place(s);

	*i = (uint32_t)place & PLACE_MOST;
	return place != 0 && place >> PLACE_BITS == (b->serial & PLACE_MOST);
}

/* The block has it as its <i>th. Under the shard lock. */
static inline void series_set_place(struct store_series *s, const struct block *b, uint32_t i)
{
	uint64_t place = i > PLACE_MOST ? 0 : (uint64_t)(b->serial & PLACE_MOST) << PLACE_BITS | i;

	atomic_fetch_xor(&s->blocks, series_place(s) ^ place);
}

/* Whether its last sample came with a later batch. A series whose chunk is open had one some hours ago at most, so halves can be
 * compared. */
static inline bool series_is_later(const struct store_series *s, uint64_t batch)
{
	return batch != UINT64_MAX && (int32_t)(atomic_load_explicit(&s->last_batch, memory_order_relaxed) - (uint32_t)batch) > 0;
}

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	size_t n_chunks, chunk_bytes;
};

/* Matching series of one list of matchers, shared by the selections that got it. While it is remembered new series are added behind the
 * others, under the lock of the memory; arrays that were outgrown stay, since views of it read them. */
struct snapshot {
	_Atomic uint32_t refs;
	uint64_t generation;
	size_t n, cap;
	struct store_series **series; /* by rising id */
	struct labels *labels;
	int64_t floor_ms;   /* series are left out that ended by then; INT64_MIN: none */
	bool left_history;  /* some of them are known from blocks only: they may count again while a target is unseen */
	_Atomic size_t missed; /* rows that another shelf might have told of */
	struct shelf *shelf;   /* under the lock of the shelves; NULL: none */
	struct arena arena; /* of the arrays */
};

/* A snapshot as it was at one moment, with a reference to it. */
struct view {
	struct snapshot *snapshot;
	struct store_series *const *series;
	const struct labels *labels;
	size_t n;
};

struct store_selection {
	struct selection pub; /* first */
	struct view view;
	uint64_t batch;
	struct shelf *shelf; /* a reference to it; NULL: none */
	struct shelf_cuts *cuts;
	struct carriers *carriers; /* of the unseen targets; NULL: not needed yet */
	struct arena arena;        /* they and their labels, cuts */
	struct series v[];
};

struct remembered;

struct memory { /* remembered selections; under its lock none is taken but those of a shard and of the revived */
	pthread_mutex_t lock;
	struct map by_text;
	struct map by_metric; /* struct family */
	struct remembered **v;
	size_t n, cap, n_series;
	size_t bytes;   /* of the entries: texts, matchers, compiled regexes */
	uint64_t clock; /* counts uses, for least recently used */
	pthread_mutex_t revived_lock; /* taken last */
	_Atomic size_t n_revived;
	size_t revived_cap;
	struct store_series **revived; /* left out somewhere, but alive again; a reference each */
	struct gathering *gatherings;
};

/* Somebody gathers the series of a selection (gather.c). */
struct gathering {
	struct gathering *next;
	const struct matcher *matchers;
	size_t n;
	struct index_search *search;
	struct series_list found;  /* a reference each */
	struct snapshot *snapshot; /* of them, then of those that came */
	/* What the memory tells, under the index lock for writing: */
	struct series_list came; /* a reference each */
	size_t n_tested;         /* of them; the gatherer's */
	uint64_t *gone;          /* ids of series that were dropped */
	size_t n_gone, cap_gone;
};

struct store {
	struct querier querier;
	struct store_options options;
	pthread_mutex_t commit_lock;
	pthread_mutex_t commit_turn; /* taken before it by commits */
	pthread_mutex_t pieces_lock; /* held through the commit of a large batch */
	_Atomic uint64_t published; /* number of the last batch that is in */
	uint64_t coming;            /* of a large one that is going in; 0: none. Under the commit lock */
	_Atomic int64_t held_from_ms;
	_Atomic int64_t oldest_ms; /* nothing in the head is older. Under the commit lock; at the start, several lower it at once */
	_Atomic int64_t lately_oldest_ms; /* of what came since the last census began. Likewise */
	int64_t steady_ms, steady_mono_ms; /* the wall clock when it last went on as the monotonic one does. Under maintain_lock */
	int64_t rest_again_ms; /* see rest_put_when_due(). Likewise */
	_Atomic int64_t late_window_ms;
	int64_t born_ms;
	_Atomic int64_t latest_ms; /* by the wall clock, when somebody selected last, or the journal began: earlier now, it was set back */
	int64_t stopped_ms; /* of the newest good sample of the run before, where the journal has all of it; 0: nothing is known of one */
	struct gaps gaps;
	pthread_mutex_t maintain_lock; /* taken before all others */
	struct history history;
	struct journal journal;
	pthread_mutex_t owners_lock; /* taken last */
	struct symbols owners;       /* who has series: their eight bytes as a text */
	uint32_t owner_lately;       /* a number there, of the one that was asked for last */
	pthread_mutex_t claims_lock;
	struct claims claims;
	_Atomic bool knows_past, hasten;
	bool read_only;      /* nothing on disk is changed */
	size_t sealed_bytes, loaded_bytes; /* of sealed chunks of the head; of those that can go to disk. As of the last maintenance; its own */
	pthread_rwlock_t index_lock;
	struct index index;
	_Atomic int64_t rest_until_ms; /* no series at rest has a sample later than this; INT64_MIN: none rests */
	_Atomic uint64_t rest_no;
	uint64_t next_id; /* index lock, writing */
	struct memory memory;
	struct shelves shelves;
	_Atomic uint64_t next_generation;
	struct shard shards[STORE_SHARDS];
	struct exemplars exemplars;
	pthread_mutex_t unseen_lock;
	struct arena unseen_arena;
	struct store_unseen *unseen;
	size_t n_unseen;
	int64_t asking_ms; /* wall clock; 0: nobody asks. Under the unseen lock */
	pthread_mutex_t unused_lock;
	struct store_series *unused; /* dropped series whose last snapshot went */
	struct {
#define X(name, help) _Atomic uint64_t name;
		STORE_COUNTERS(X)
#undef X
	} count;
};

/* A good sample at <t_ms> is about to go into <s>: if it was lost until now, from when to when is kept, and by which batch it is not any more. */
void store_note_return(struct store *, const struct store_series *, int64_t t_ms, uint64_t batch);

extern const struct querier_ops store_querier_ops;
extern const struct appender_ops store_appender_ops;

#define COUNT(store, name, by) atomic_fetch_add_explicit(&(store)->count.name, (by), memory_order_relaxed)

/* Neighbours share a shard, so that a batch in order of creation changes locks seldom. */
static inline struct shard *series_shard(struct store *st, const struct store_series *s)
{
	return &st->shards[s->id / SHARD_RUN % STORE_SHARDS];
}

/* A new series, under the index lock for writing; the caller saw that there is none and that there is room. */
struct store_series *store_series_make(struct store *, struct labels labels, uint64_t hash);
struct store_series *store_series_make_pairs(struct store *, const struct symbol_pair *v, size_t n, uint64_t hash);
/* A sample that was accepted once; nothing happens when it is there. Before anybody else knows the store: a series belongs to one thread, and
 * <counts> too. It is any shard, since only what all of them have counts. */
void store_replay_sample(struct store *, struct shard *counts, struct store_series *, int64_t t_ms, double v, const struct histogram *h);
/* The same of floats, each later than the one before and all later than what there is. */
void store_replay_run(struct store *, struct shard *counts, struct store_series *, const int64_t *t_ms, const double *v, unsigned n);
/* The same of a whole chunk, with its samples; false and nothing done when it must be taken sample by sample. */
bool store_replay_chunk(struct store *, struct store_series *, const struct chunk_view *, const int64_t *t_ms, const double *v);
/* A sample older than the last one of its series, into memory (late.c). STORE_SAME, STORE_DUPLICATE: there is one at that time. Under the
 * shard lock. */
enum store_verdict store_put_late(struct store *, struct shard *, struct store_series *, int64_t t_ms, double v, const struct histogram *h);
/* There are <n> of them, one at least. */
static inline struct chunk **sealed_at(union sealed *sealed, uint32_t n)
{
	return n == 1 ? &sealed->one : sealed->many;
}

static inline union sealed series_all_sealed(const struct store_series *s)
{
	return (union sealed){ near_get(s->sealed) };
}

static inline struct chunk *series_sealed(const struct store_series *s, uint32_t i)
{
	union sealed sealed = series_all_sealed(s);

	return sealed_at(&sealed, s->n_sealed)[i];
}

/* The array of <n> that are its own no more, if there is one. */
void store_free_sealed(union sealed sealed, uint32_t n);

/* 0: nobody. */
uint64_t store_owner_of(struct store *, const struct store_series *);
/* Returns who it was. */
uint64_t store_set_owner(struct store *, struct store_series *, uint64_t owner);
/* Puts a sealed chunk behind the others, under the shard lock. */
void store_keep_sealed(struct store_series *, struct chunk *);
/* The first <n> are not its own any more. Likewise. */
void store_forget_sealed(struct store_series *, uint32_t n);
/* Time of its last sample anywhere, a stale marker too; INT64_MIN: none. */
static inline int64_t series_end_ms(const struct store_series *s)
{
	int64_t head = series_last_ms(s);
	int64_t block = atomic_load_explicit(&s->block_last_ms, memory_order_relaxed);

	return head > block ? head : block;
}

/* Whether the index knows it as one of the block's; under the index lock. */
static inline bool block_is_joined(const struct block *b, uint32_t series)
{
	return (b->joined[series / 8] >> series % 8 & 1) != 0;
}

/* Calls <fn> with every series, under the index lock for reading and the lock of its shard. Between some of them the index may change: a
 * series that comes meanwhile may be left out. */
void store_each_series(struct store *, void (*fn)(struct store *, struct shard *, struct store_series *, void *), void *ctx);
/* Takes a block's file in; false when it was damaged and set aside. Under maintain_lock. */
bool history_add_file(struct store *, const char *path);
/* First sealed chunk that can hold anything of (min_ms, …], one earlier when the sample before is wanted. Under the shard lock. */
uint32_t store_first_chunk(const struct store_series *s, int64_t min_ms, bool before);
void store_ends(struct querier *, const struct selection *, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only,
                struct window_ends *out);
/* Takes series (slots, sorted) out of the index and forgets selections that have them; under the index lock, for writing. */
void store_drop_series(struct store *, const struct slots *);
/* Frees the memory of dropped series that no snapshot has any more. */
void store_bury_unused(struct store *);
/* Drops a reference to the memory of a series; the last one puts it on the graveyard. */
void store_series_release(struct store *, struct store_series *);
/* Pinned; NULL when there is none. */
struct store_series *store_series_find(struct store *, struct labels labels);

void memory_init(struct memory *m);
void memory_fini(struct store *st);
/* What is remembered for these matchers and has every series that matters from <min_ms> on, a reference more. Under the index lock. */
bool memory_find(struct store *st, const struct matcher *m, size_t n, int64_t min_ms, struct view *out);
/* From here on it is told what comes and goes. Under the index lock, as long as it takes to begin its search; until memory_leave. */
void memory_join(struct store *st, struct gathering *g);
void memory_leave(struct store *st, struct gathering *g);
/* Under the index lock: begins to gather what these matchers select. NULL and <e>: a regex hit its limit. */
struct gathering *gather_begin(struct store *st, const struct matcher *m, size_t n, struct err *e);
/* Every matching series, remembered; frees <g>. With <reach>, for which series were woken as of that rest_no(), what is put to rest
 * meanwhile is woken again. False and <e>: a regex hit its limit, or the store takes no more series. Under no lock. */
bool gather_all(struct store *st, struct gathering *g, const struct select_hints *reach, uint64_t rest, struct view *out, struct err *e);
/* <s> has every matching series. */
void memory_remember(struct store *st, const struct matcher *m, size_t n, struct snapshot *s);
/* From now on without the series of <sel> that ended, properly, before <min_ms>: a snapshot of its own, for those who ask for no
 * earlier time. */
void memory_leave_out(struct store *st, const struct matcher *m, size_t n, const struct store_selection *sel, int64_t min_ms);
/* Whether the series at rest that these matchers select were woken, as of rest_no() <no>, from reach.min_ms to reach.max_ms. */
bool memory_is_awake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t no);
void memory_note_awake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t no);
/* A series came: behind the others of each selection it belongs to. It is tested against those of its metric name, and of none. */
void memory_add(struct store *st, struct store_series *s);
/* A series goes: forgets every selection that has it. */
void memory_drop(struct store *st, struct store_series *s);
/* Something is appended to a series that was left out. Under the lock of its shard. */
void memory_revive(struct store *st, struct store_series *s);
/* Drops the shelves of remembered selections that nobody used after <since_ms>, or that serve no more. */
void memory_clear_shelves(struct store *st, int64_t since_ms);
/* A sample went into the head, older than those in its chunks, or the first of one. Under the commit lock, or before anybody knows the store. */
void store_note_oldest(struct store *st, int64_t t_ms);
/* Before this time nothing is kept. What is dropped is gone for good, and a wall clock that was put forward may be wrong: such a step counts
 * an hour later. Under maintain_lock. */
int64_t store_oldest_kept_ms(struct store *st);
/* An empty snapshot with room for <n>. */
struct snapshot *snapshot_new(struct store *st, size_t n);
/* Behind the others. <labels> may borrow: the array is copied, the texts are the symbols'. */
void snapshot_add(struct snapshot *s, struct store_series *series, struct labels labels);
struct view snapshot_view(struct snapshot *s);
void snapshot_unref(struct store *st, struct snapshot *s);

#endif
