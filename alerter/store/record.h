/* What the journal's files are made of. Private to the store; no I/O here.
 *
 * A file is frames, each whole or not at all: a magic number, the payload's length, its checksum, the payload. The payload's first byte is
 * its kind:
 *	head     the time, and from when on data is held; at the beginning and now and then
 *	batch    series and samples, as operations: a sample of the next series that is as its last one takes a share of a byte, one
 *	         that moved by a small whole number two bytes; series are numbered as they are defined, which is as scrapes carry them
 *	series   series with their states and chunks (a checkpoint)
 *	end      a checkpoint is complete
 * Numbers of series and last values hold within one file, so each file can be read without the others. What is read may be hostile: every
 * count is held against the bytes that are there. */
#ifndef TOCSIN_STORE_RECORD_H
#define TOCSIN_STORE_RECORD_H

#include "store/chunk.h"
#include "store/store.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"
#include "tocsin/querier.h"

enum { RECORD_VERSION = 3, RECORD_MAX_FRAME = 64 << 20, RECORD_MAX_SERIES = 8 << 20, RECORD_MAX_TEXT = STORE_MAX_LABEL_BYTES };

struct record_head {
	int64_t now_ms;       /* the program ran then */
	int64_t held_from_ms; /* as the store's */
	int64_t covered_ms;   /* samples before are in blocks */
};

/* A series as a checkpoint has it. */
struct record_series {
	struct labels labels;
	uint64_t owner, v_bits;   /* v_bits: its last value */
	int64_t last_ms, good_ms; /* INT64_MIN: none */
	enum series_state state;
	uint32_t n_chunks;
	const struct chunk_view *chunks; /* in time order */
};

/* ---- Writing. {0} is a writer; one thread. ---- */

struct record_writer {
	struct buf out;         /* whole frames, and the one that is being written */
	struct buf text, other; /* the last series defined, in bytes; room for the next */
	size_t frame;           /* where the open frame begins */
	bool open;
	unsigned char kind;
	uint32_t n_series, next, run; /* run: samples as their last ones, not yet written */
	uint64_t owner;
	int64_t t_ms;
};

void record_writer_fini(struct record_writer *w);
/* For a new file: no series is defined. */
void record_writer_restart(struct record_writer *w);
void record_put_head(struct record_writer *w, const struct record_head *head);
void record_put_series(struct record_writer *w, const struct record_series *s); /* between record_begin_series and record_end */
void record_put_end(struct record_writer *w);

/* A batch; <t_ms> is the time of most of its samples. */
void record_begin(struct record_writer *w, int64_t t_ms);
void record_begin_series(struct record_writer *w);
void record_end(struct record_writer *w);
/* Gives a series a number. False when its labels are too much for a record: nothing of it is kept then. */
bool record_define(struct record_writer *w, struct labels labels, uint64_t owner, uint32_t *number);

struct record_sample {
	int64_t t_ms;
	double v;
	const struct histogram *h; /* NULL: a float */
	enum series_state state;   /* of the series from then on */
};
/* Of a series behind a sample, if nothing else is said. */
static inline enum series_state record_usual_state(double v, const struct histogram *h)
{
	return h == NULL && value_is_stale(v) ? SERIES_GONE : SERIES_FRESH;
}

/* <last_bits>: of the value of its last sample in this file, 0 before the first. */
void record_put_sample(struct record_writer *w, uint32_t number, const struct record_sample *s, uint64_t last_bits);
void record_put_state(struct record_writer *w, uint32_t number, enum series_state state);

/* ---- Reading ---- */

enum record_frame { RECORD_GOOD, RECORD_END, RECORD_TORN, RECORD_DAMAGED };

/* The frame at <*at> of a file; moves <*at> behind it. TORN: neither it nor anything behind it is whole. DAMAGED: it is not, but others
 * behind it are, and <*at> is the first of them. */
enum record_frame record_next(const unsigned char *file, size_t n, size_t *at, struct str *payload);

struct record_sink { /* what is passed is borrowed for the call */
	void *ctx;
	void (*head)(void *ctx, const struct record_head *head);
	void (*define)(void *ctx, uint32_t number, struct labels labels, uint64_t owner);
	void (*sample)(void *ctx, uint32_t number, const struct record_sample *s);
	void (*floats)(void *ctx, uint32_t number, int64_t t_ms, const double *v, uint32_t n); /* of <n> series from <number> on, with their usual states */
	void (*state)(void *ctx, uint32_t number, enum series_state state);
	void (*series)(void *ctx, const struct record_series *s);
	void (*end)(void *ctx);
};

struct record_reader {
	const struct record_sink *sink;
	uint64_t *last; /* value of each series */
	size_t n_series, cap;
	uint64_t owner;
	struct buf text, other;
	struct arena arena;
	struct label labels[STORE_MAX_LABELS];
	bool foreign; /* a program of another version wrote the file */
};

void record_reader_fini(struct record_reader *r);
/* Hands everything in a payload to the sink. BITS_SLACK bytes behind it are readable. False when it makes no sense; what came before was handed
 * over, and nothing else of the file should be read. */
bool record_read(struct record_reader *r, struct str payload);

#endif
