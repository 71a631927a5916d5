/* Floats of a journal on their way into the head, while nobody else knows the store. Those of many scrapes are gathered, and appended
 * series by series by another thread, while the next ones are read. Those of one series go in in the order they came. Private to the
 * store. */
#ifndef TOCSIN_STORE_BACKLOG_H
#define TOCSIN_STORE_BACKLOG_H

#include "store/record.h"

/* By their number in the file; NULL: refused, its samples go nowhere. */
struct numbered {
	struct store_series **v;
	size_t n, cap;
	bool twice; /* some series has several */
};

struct aside;
struct backlog;
struct shard;

/* <complete> is called before <series> are looked at. The thread is the caller's, and outlives it. */
struct backlog *backlog_new(struct store *, struct aside *, const struct numbered *series, void (*complete)(void *ctx), void *ctx);
/* Of <n> of the series, from <number> on, a float each with its usual state; some hundred at most. */
void backlog_add(struct backlog *, uint32_t number, int64_t t_ms, const double *v, uint32_t n);
void backlog_add_one(struct backlog *, uint32_t number, const struct record_sample *);
/* All of them are in. */
void backlog_empty(struct backlog *);
/* Time of the newest good sample that went in; INT64_MIN: none. */
int64_t backlog_newest_ms(const struct backlog *);
/* What waits is not appended any more. */
void backlog_free(struct backlog *);

/* One sample that was accepted once, of any kind. The state counts even if the sample is there already: a checkpoint may be ahead of
 * the samples it lies before. */
void backlog_append(struct store *, struct shard *counts, struct store_series *, const struct record_sample *);

#endif
