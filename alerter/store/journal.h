/* The journal of the head: <storage>/journal/NUMBER.log, one file after the other, and NUMBER.checkpoint, the whole head as it was when the
 * file of that number was begun. A start reads the newest checkpoint and the files from its number on (replay.c). Private to the store.
 *
 * A commit puts its batch into memory, under the commit lock; a thread writes that to the file a few times a second, another one syncs the
 * file every second. Nobody who ingests or reads waits for the disk. When something cannot be written the journal is off: the file is cut
 * behind its last whole frame and named *.cut, and maintenance begins again with a new file and a checkpoint.
 * Locks: <file_lock> before the commit lock; both after maintain_lock. */
#ifndef TOCSIN_STORE_JOURNAL_H
#define TOCSIN_STORE_JOURNAL_H

#include <pthread.h>

#include "store/record.h"
#include "tocsin/complain.h"

struct store;
struct store_series;

struct journal {
	char *dir; /* NULL: there is no journal */
	/* Under the commit lock: */
	struct record_writer writer; /* what is not yet handed to the thread */
	uint8_t file;                /* of the series that carry this number, the number in the file is known; never 0 */
	_Atomic bool on;
	const char *trouble; /* why it must go off; NULL: nothing */
	/* Under file_lock: */
	pthread_mutex_t file_lock;
	int fd; /* -1: off */
	uint64_t number;
	size_t written;
	struct buf spare; /* on its way into the file */
	struct complaint complaint;
	int64_t head_ms; /* when the last head was written */
	_Atomic bool dirty;
	_Atomic size_t bytes, checkpoint_bytes; /* since the last checkpoint, and of it */
	_Atomic int64_t covered_ms;             /* see struct record_head */
	/* The threads: */
	pthread_t threads[2];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stop;
};

void journal_init(struct journal *j);
/* Stops the threads; what was committed is written. */
void journal_stop(struct store *st);
void journal_fini(struct journal *j);

/* ---- Within a commit, under its lock ---- */

/* Defines the series unless that was done in this file; before any shard is locked. */
void journal_define(struct store *st, struct store_series *s);
void journal_begin(struct store *st, int64_t t_ms);
/* Of a series, under its shard's lock: this went in. <last_bits>: of the value before. */
void journal_sample(struct store *st, struct store_series *s, const struct record_sample *sample, uint64_t last_bits);
void journal_state(struct store *st, struct store_series *s, enum series_state state);
void journal_end(struct store *st);

/* ---- Of maintenance ---- */

/* A new file, a checkpoint, and what was before goes. */
void journal_checkpoint(struct store *st);
/* Whether it has grown so much that reading it would take long, or is off and must begin anew. */
bool journal_wants_checkpoint(const struct store *st);

/* checkpoint.c: the file of that number, whole or not at all. */
bool checkpoint_write(struct store *st, uint64_t number, size_t *bytes, struct err *e);
bool journal_sync_folder(const struct journal *j, struct err *e);
void journal_path(const struct journal *j, uint64_t number, const char *suffix, struct buf *out);
void journal_head(struct store *st, struct record_writer *w);

/* replay.c: reads what is there into the head. */
struct replay {
	uint64_t last;          /* highest number there is, 0: none */
	size_t files, damaged, bytes;
	bool complete;          /* nothing is known to be missing */
	struct record_head head; /* the last one; now_ms INT64_MIN: none */
	int64_t newest_ms;       /* of the good samples; 0: none */
};
void journal_replay(struct store *st, struct replay *out);
/* Files of numbers below go. */
void journal_clean(struct store *st, uint64_t below);

#endif
