/* All that the PromQL engine knows of storage. A store, a test double or a remote server implements it.
 *
 * A selection is a snapshot of which series match; it stays valid until released, whatever is ingested meanwhile. Samples
 * are decoded on demand, one series at a time, into the caller's arena. */
#ifndef TOCSIN_QUERIER_H
#define TOCSIN_QUERIER_H

#include <math.h>

#include "tocsin/err.h"
#include "tocsin/histogram.h"
#include "tocsin/labels.h"

struct regex;

enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
	enum match_op op;
	struct str name, value;
	const struct regex *re;         /* compiled, for MATCH_RE and MATCH_NRE; owned by the expression */
};

/* Missing labels count as empty. False also when a regex hit its limit, with <e> set. */
bool matcher_test(const struct matcher *m, struct str value, struct err *e);
bool matchers_test(const struct matcher *m, size_t n, struct labels l, struct err *e);

/* Stale marker: a NaN with this bit pattern; any other NaN is a value. */
#define STALE_NAN_BITS 0x7ff0000000000002ULL
static inline bool value_is_stale(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits == STALE_NAN_BITS;
}
static inline double value_stale(void)
{
	const uint64_t bits = STALE_NAN_BITS;
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

/* Semantics, "Not knowing": FRESH; GONE: properly ended; LOST: we cannot know. */
enum series_state { SERIES_FRESH, SERIES_GONE, SERIES_LOST };

struct series {
	uint64_t id;                    /* of this series while it lives; never given to another */
	struct labels labels;           /* borrowed from the selection */
	enum series_state state;
	int64_t lost_since_ms;          /* SERIES_LOST: time of the last good sample; windows are held there */
	int64_t back_ms;                /* SERIES_FRESH: of its first good sample after it was lost since lost_since_ms. 0: it was not, lately */
	bool unread;                    /* all it has is of an earlier run, and a target that was not read since may have it: nothing of it is a
	                                 * value of now */
};

struct selection {
	const struct series *v;         /* in no particular order */
	size_t n;
	uint64_t as_of;                 /* for the hints of further selections of the same query; 0: it cannot tell */
	uint64_t generation;            /* equal generation of the same querier and matchers: one begins with the series of the other, in order */
	int64_t held_from_ms;           /* data is held from here on; INT64_MIN: nothing is missing */
	int64_t stopped_ms;             /* of the last good sample of the run before; nobody knows what was until began_ms. 0: there was none */
	int64_t began_ms;               /* this run began; what it has not read is no value of times from then on. 0: unknown */
	bool behind;                    /* the clock was set back, and one of them has a good sample of later: nobody knows what it is now */
	bool unseen;                    /* a target that may carry matching series was not read since the start, or its discovery failed */
	bool unasked;                   /* and has not been asked yet */
	const struct labels *unseen_targets;    /* their labels, borrowed from the selection */
	size_t n_unseen_targets;
	size_t n_strangers;             /* the first of them: nobody knows what they have. What the others had is known, and lost */
};

/* Samples in time order, as arrays of one length. Stale markers are included: the engine honours them. */
struct samples {
	size_t n;
	const int64_t *t_ms;
	const double *v;                        /* for a histogram sample: NaN, or the stale marker */
	const struct histogram *const *h;       /* NULL: all are floats; else h[i] is NULL for a float */
	const int64_t *st_ms;                   /* start timestamps (OpenMetrics created); NULL: none; 0: unknown */
	const char *missing;                    /* in <a>: why some are not there that were once; NULL: all are */
};

/* The ends of a window of one series, which is all that many functions need of it. */
struct window_ends {
	bool known;                     /* false: samples() must tell */
	bool falls;                     /* some sample may be lower than the one before it */
	bool ended;                     /* a stale marker follows the last sample, or is all there is */
	uint32_t n;                     /* samples, all floats and no stale markers; 0: what follows means nothing */
	int64_t first_ms, last_ms;
	double first, last;
};

struct select_hints {
	int64_t min_ms, max_ms;         /* all times the query can touch, inclusive; series that ended before (GONE) may be left out */
	uint64_t as_of;                 /* what came later than an earlier selection of this <as_of> is not to be seen: a query that selects
	                                 * twice has the whole of a scrape or nothing of it. 0: all there is */
};

struct querier {
	const struct querier_ops *ops;
};

struct querier_ops {
	/* NULL and <e> on failure. */
	struct selection *(*select)(struct querier *, const struct matcher *, size_t n, struct select_hints, struct err *e);
	/* Samples of series <i> with min_ms < t <= max_ms, and with <before> also the last one at or before min_ms.
	 * Arrays live in <a>. False and <e> on failure (a damaged chunk, a lost connection). */
	bool (*samples)(struct querier *, const struct selection *, size_t i, int64_t min_ms, int64_t max_ms, bool before,
	                struct arena *a, struct samples *out, struct err *e);
	void (*release)(struct querier *, struct selection *);
	/* Of the <n> series from <row> on, the ends of (min_ms, max_ms]; <last_only>: what is said of the first sample may be wrong. NULL:
	 * this querier cannot tell without samples(). */
	void (*ends)(struct querier *, const struct selection *, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only,
	             struct window_ends *out);
};

#endif
