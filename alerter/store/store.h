/* The store: samples of every series, compressed, the recent ones in memory and older ones in blocks on disk (store_open_history); a
 * <struct querier> to read them, <struct appender>s to write.
 *
 * Locks, in the order they may be taken:
 *   maintain one maintenance at a time: retention, blocks; nobody else waits for it;
 *   commit   one batch, or a piece of a large one, is applied at a time; its number is published when all of it is in (readers see batches whole);
 *   index    readers and writers: symbols, postings, the table of series, remembered selections. Appending to a series one holds
 *            a reference to never takes it;
 *   shard    one mutex for each of STORE_SHARDS groups of series: their chunks and states. Held while a batch is applied or
 *            chunks are collected, never while samples are decoded. Never two at once.
 *
 * Every function may be called from any thread, but an appender belongs to one. */
#ifndef TOCSIN_STORE_H
#define TOCSIN_STORE_H

#include "tocsin/appender.h"
#include "tocsin/clock.h"
#include "tocsin/querier.h"

enum { STORE_MAX_LABELS = 1024, STORE_MAX_LABEL_BYTES = 1 << 20 }; /* of a series; files hold no more either */

struct store;
struct store_series;

struct store_options {             /* 0: the default */
	int64_t retention_ms;      /* older samples are dropped and refused; 15 days */
	int64_t lookback_ms;       /* a series nothing was accepted of for so long is lost; 5 minutes */
	size_t max_series;         /* new ones are refused beyond; 2,000,000 */
	size_t max_bytes;          /* of chunks; the oldest are dropped beyond; 256 MiB */
	size_t retention_bytes;    /* on disk; the oldest blocks are dropped beyond; no limit */
	bool has_no_past;          /* nobody ran here before: no journal means that there is nothing to know */
	const struct clock *clock; /* NULL: the system's */
};

struct store *store_new(const struct store_options *);
/* Every selection must have been released, every appender and reference given back. */
void store_free(struct store *);
struct querier *store_querier(struct store *);

/* Keeps history in the folder <path>/blocks and serves what is there. Once, before anything is appended. False and <e> when there can be no
 * such folder; a damaged block is set aside (renamed *.damaged), logged and counted. A series known from blocks only is LOST until
 * the store is lookback_ms old and while an unseen target may carry it, then GONE. */
bool store_open_history(struct store *, const char *path, struct err *e);
/* Keeps a journal of what is in memory in the folder <path>/journal, and reads what is there: after a crash no more is missing than the
 * last second. Once, after store_open_history and before anything is appended. False and <e> when there can be no such folder. A damaged
 * file is set aside (*.damaged), logged and counted. Every series is as it was, but LOST if it was FRESH: until it is appended to,
 * or ended, or nobody may carry it. */
bool store_open_journal(struct store *, const char *path, struct err *e);
/* Reads blocks and journal of <path> and changes nothing there, for tools beside a running alerter; instead of the two above. */
bool store_open_read(struct store *, const char *path, struct err *e);
/* Returns when all that was committed is in the journal, on disk, if there is one and it works. */
void store_sync(struct store *);
/* Moves everything from memory to disk, for a clean stop. True without history. */
bool store_flush(struct store *, struct err *e);
/* Every two hours, or when the journal or what is sealed has grown, moves what is sealed to disk; merges blocks; drops what left the retention, or exceeds
 * max_bytes, then series without samples, and those that ended and are in blocks alone, until somebody asks for their time. Call it every minute or so. It may take a while. */
void store_maintain(struct store *);
/* Takes in blocks that somebody else put into the folder, by an import. Cheap when there are none. */
void store_take_in(struct store *);
/* Deletes the samples from <min_ms> to <max_ms> of every series that matches, in memory and on disk, at once and for good. False and <e>: the disk,
 * or a regex that hit its limit; some may be deleted already, and the same again deletes the rest. */
bool store_delete(struct store *, const struct matcher *, size_t n, int64_t min_ms, int64_t max_ms, struct err *e);
/* The program is about to stop: what maintenance can leave, it leaves. */
void store_hasten(struct store *);
/* Samples that are older than the last one of their series are taken when they are no older than this; 0, as it is at first: refused. */
void store_set_late_window(struct store *, int64_t window_ms);
/* Data is held from here on without a gap of our own making: the store's birth, or earlier by blocks that join it. */
void store_set_held_from(struct store *, int64_t t_ms);

/* A configured target of which nothing was scraped since the start, or the part of one behind a health gauge that was never up since;
 * select() says so where it may matter. */
struct store_unseen {
	struct labels labels; /* of the target, or of the gauge without its name */
	bool attempted;       /* a scrape failed: then up and scrape_* are known all the same */
	bool part;            /* fresh series of it prove that it is seen */
	struct str family;    /* of a part: its metrics begin so ("redis_"); empty: any */
};
/* Replaces the whole list. Copied. */
void store_set_unseen(struct store *, const struct store_unseen *, size_t n);
/* Who asks targets looked at <now_ms>, and does each second: so the list holds. When that is not so any more, nobody knows who was asked. */
void store_note_asking(struct store *, int64_t now_ms);

/* ---- Writing. mark_lost of <struct appender> writes no stale marker: append one where Prometheus would. ---- */

struct appender *store_appender_new(struct store *);
void store_appender_free(struct appender *);
/* Forgets what was appended since the last commit. */
void store_appender_rollback(struct appender *);

/* False and <e> (LIMIT) when a series has too many labels, or their names and values are too long. */
bool store_labels_fit(struct labels, struct err *e);
/* The series of <labels>, made when there is none; not dropped while referenced. NULL and <e> (LIMIT) when they do not fit, or beyond max_series. */
struct store_series *store_series_ref(struct store *, struct labels, struct err *e);
/* One that a target brings: none is made beyond 15/16 of max_series. The rest is for what we say ourselves: up, ALERTS, recording rules. */
struct store_series *store_series_ref_scraped(struct store *, struct labels, struct err *e);
void store_series_unref(struct store *, struct store_series *);
/* Whose it is: any number but 0 that is the same after a restart. */
void store_series_own(struct store *, struct store_series *, uint64_t owner);
/* From now on lost only when nothing was accepted for lookback_ms: up and scrape_*. */
void store_series_never_lost(struct store *, struct store_series *);
/* Its labels, into <a>; texts too. */
struct labels store_series_labels(struct store *, const struct store_series *, struct arena *a);

struct store_claim {
	struct store_series *series; /* a reference for the caller */
	bool lost;                   /* else it was fresh */
};
/* The series <owner> had before the start that were not ended; once. */
struct store_claim *store_claim(struct store *, uint64_t owner, struct arena *a, size_t *n);
/* How many that would be. */
size_t store_claims_of(struct store *, uint64_t owner);
/* Who may still have what was not claimed. */
struct store_keeper {
	bool (*owner)(void *ctx, uint64_t owner);                      /* it may yet claim */
	bool (*series)(void *ctx, const struct store_series *);        /* another owner may have it: asked of the rest */
	void *ctx;
};
/* How far a look at what was not claimed has come. {0}: it begins. */
struct store_abandoning {
	uint64_t owner, id; /* of the next one to be looked at */
};
/* Takes what nobody keeps from the next <most> that were not claimed, nor appended to since: the caller is to end it, and to give the
 * references back. True while something is left to be claimed. The keeper must not call this or store_claim. */
bool store_abandon(struct store *, struct store_abandoning *, size_t most, const struct store_keeper *, struct arena *a, struct store_series ***out,
                   size_t *n);
/* Whether all series that were there before the start are known: the journal was there and whole. */
bool store_knows_past(const struct store *);

/* Time of its last good sample, INT64_MIN when there is none. */
int64_t store_series_last_ms(struct store *, struct store_series *);
/* Its samples with min_ms < t <= max_ms, in <a>, as a querier gives them. False and <e>: the disk. */
bool store_series_samples(struct store *, struct store_series *, int64_t min_ms, int64_t max_ms, struct arena *a, struct samples *out,
                          struct err *e) MUST_CHECK;

enum store_verdict { STORE_OK, STORE_SAME, STORE_DUPLICATE, STORE_OUT_OF_ORDER, STORE_TOO_OLD };
/* Appends by reference, without hashing. STORE_SAME: the sample was there already. What is refused is counted. */
enum store_verdict store_append_ref(struct appender *, struct store_series *, int64_t t_ms, double v, const struct histogram *h);
/* Asks memory for what that reads of the series, which may be NULL; for some series ahead. */
void store_append_warm(const struct store_series *);
/* Ends a series at <t_ms> with a stale marker, and says why. Nothing happens when it has a sample there or later; when that is of the future
 * (the clock was set back) there is no marker, but the state counts. */
void store_append_end(struct appender *, struct store_series *, int64_t t_ms, enum series_state why);
/* The state alone. SERIES_GONE or SERIES_LOST. */
void store_append_state(struct appender *, struct store_series *, enum series_state);

/* ---- Exemplars: the newest, in memory ---- */

struct store_exemplar {
	struct labels labels;
	double v;
	int64_t t_ms;
	bool own_time; /* it came with its time */
};
/* Keeps so many; 0, as it is at first: none. */
void store_set_max_exemplars(struct store *, size_t max);
/* Copied. What is the same as the last one of the series, older, or longer than OpenMetrics allows is passed over. */
void store_add_exemplar(struct store *, struct store_series *, const struct store_exemplar *);
/* Calls <fn> with every series that has some, in the order they came; borrowed for the call. */
typedef void store_exemplars_fn(void *ctx, struct labels series, const struct store_exemplar *v, size_t n);
void store_each_exemplars(struct store *, store_exemplars_fn *fn, void *ctx);

/* ---- Importing: blocks of a storage path are written without a store; a running one takes them in. ---- */

struct store_import;
struct store_import_series;

/* Samples go into blocks of <window_ms> each. NULL and <e> when the folder cannot be made. */
struct store_import *store_import_new(const char *path, int64_t window_ms, struct err *e);
/* Gives up what was not committed. */
void store_import_free(struct store_import *);
/* The series of <labels>, while the import lives. NULL and <e> (LIMIT). */
struct store_import_series *store_import_series(struct store_import *, struct labels, struct err *e);
/* A sample of it, later than those before; the same one again is passed over. False and <e>: out of order, another value at that time, a
 * limit, the disk. */
bool store_import_add(struct store_import *, struct store_import_series *, int64_t t_ms, double v, struct err *e);
/* Makes it all seen; a block that is there already is no second time. False and <e>: the disk; blocks that were already named stay, and the same
 * import again adds nothing to them. */
bool store_import_commit(struct store_import *, struct err *e);

struct store_import_stats {
	size_t samples, series, blocks;
	size_t same_blocks; /* of <blocks>: were there already, and are not stored again */
	int64_t min_ms, max_ms;
};
struct store_import_stats store_import_stats(const struct store_import *);

/* ---- Looking around, for the API. Sorted; texts live in <a>. ---- */

struct str *store_label_names(struct store *, struct arena *a, size_t *n);
struct str *store_label_values(struct store *, struct str name, struct arena *a, size_t *n);

/* Calls <fn> with every pair of the series in memory, those of one name together, and how many have it; new series wait. Texts are borrowed for the call.
 * Returns the time of the newest sample, INT64_MIN: none. */
int64_t store_each_pair(struct store *, void (*fn)(void *ctx, struct str name, struct str value, size_t n), void *ctx);

/* What a series costs. */
struct store_cost {
	struct labels labels; /* borrowed for the call */
	size_t samples, chunks, bytes;
	int64_t first_ms, last_ms; /* of its samples */
};
/* Reads every chunk of the blocks: how many are damaged. The first ones of each block are named in the log. */
size_t store_check(struct store *);
/* Calls <fn> with every series that has samples. */
void store_each_cost(struct store *, void (*fn)(void *ctx, const struct store_cost *), void *ctx);

#define STORE_COUNTERS(X) /* name, help */ \
	X(samples_appended, "Samples accepted.") \
	X(samples_same, "Samples ignored because the same one was there.") \
	X(samples_duplicate, "Samples refused: another value at that time.") \
	X(samples_late, "Samples accepted although they are older than the last one of their series.") \
	X(samples_out_of_order, "Samples refused: older than the last one of their series.") \
	X(samples_too_old, "Samples refused: older than the retention, or than what may come late.") \
	X(exemplars_appended, "Exemplars kept, each in the place of an older one once there are max_exemplars.") \
	X(series_created, "Series created.") \
	X(series_dropped, "Series dropped after their last sample left the retention.") \
	X(series_rested, "Series taken out of memory because they ended: blocks of history have all of them.") \
	X(series_woken, "Series that had ended taken back into memory because a selection reaches back to them.") \
	X(series_refused, "Series refused: max_series was reached.") \
	X(chunks_dropped, "Chunks in memory dropped because they left the retention.") \
	X(chunks_squeezed, "Chunks in memory dropped before their time because max_bytes was reached.") \
	X(blocks_written, "Blocks of history written.") \
	X(blocks_merged, "Blocks of history merged into larger ones.") \
	X(samples_deleted, "Samples in memory deleted because somebody asked for it; those on disk are not counted.") \
	X(blocks_dropped, "Blocks of history dropped because they left the retention.") \
	X(blocks_damaged, "Blocks of history set aside because they are damaged.") \
	X(blocks_left, "Blocks of history left as they are, and not served: a program of another version wrote them, or they are no regular files.") \
	X(chunks_damaged, "Chunks in blocks of history found damaged: what they hold is missing, the rest of their block serves.") \
	X(flushes_failed, "Failures to write a block of history.") \
	X(journal_failures, "Times the journal went off because it could not be written.") \
	X(journal_damaged, "Files of the journal set aside because they are damaged.") \
	X(selections, "Selections answered.") \
	X(selections_remembered, "Selections answered without reading the index.") \
	X(shelves_made, "Times what blocks hold of a selection was put side by side, since it was asked for again and again.") \
	X(selectors_tested, "Tests of series that came or went against remembered selections.")

struct store_stats {
	size_t series, symbols, chunks, bytes; /* now, in memory */
	size_t blocks, block_bytes;            /* on disk */
	size_t journal_bytes;                  /* likewise */
	bool journal_works;
	int64_t oldest_ms;                     /* begin of the oldest chunk in memory as of the last maintenance, INT64_MAX: none */
#define X(name, help) uint64_t name;
	STORE_COUNTERS(X)
#undef X
};
struct store_stats store_stats(struct store *);

#endif
