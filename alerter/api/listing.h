/* The series of match[] parameters as a long text, one behind the other: made piece by piece as the client reads, while the
 * selections are held. What clients read is bounded with the answers of queries (answer.c). Private to api/. */
#ifndef TOCSIN_API_LISTING_H
#define TOCSIN_API_LISTING_H

#include "internal.h"

/* Every match[] parameter as one selection. */
struct found {
	struct querier *querier;
	struct select_hints hints;
	struct selection **v;
	size_t n, cap;
	struct str at;                  /* the parameter at hand */
};
/* By match[], start and end; without match[] all series, or an error. False has replied already. */
bool found_by(struct http_request *q, bool match_required, struct found *f);
/* By match[] within <hints>; without it nothing. False and <e>. */
bool found_within(struct http_request *q, struct select_hints hints, struct found *f, struct err *e);
void found_release(struct found *f);

struct listed {
	struct labels labels;           /* the selection's */
	double v;                       /* for who needs a sample */
	int64_t t_ms;
};

/* <before>: NULL for the first. */
typedef void listing_put(struct buf *out, const struct listed *l, const struct listed *before, const void *ctx);

struct listing {
	struct found found;
	struct arena arena;             /* lives as long as it */
	struct listed *v;               /* at first the rows of each selection, one selection behind the other */
	size_t n;
	struct buf head;                /* what stands before the first, to be filled, and what is made ahead */
	const char *end;                /* what stands behind the last */
	listing_put *put;
	const void *ctx;                /* of <put>; in <arena> */
	struct answers *all;            /* NULL: nothing is taken of them */
	size_t at;
};

/* Takes over <f>. */
struct listing *listing_new(struct found *f);
void listing_free(void *listing);
/* By metric name, then by labels, each once; so many of them, 0: all. False: there were more. */
bool listing_sort(struct listing *l, size_t limit);
/* Replies, and frees it. */
void listing_reply(struct answers *, struct http_request *q, struct listing *l, const char *type);

#endif
