/* Replies of a Redis server, decoded: hiredis's reader with objects of our own, made in the caller's arena and bounded in
 * bytes, elements and depth, so that whatever a server sends costs at most the limits.
 *
 * Bytes go in with resp_feed, replies come out of resp_next. A reply may span many feeds: until resp_next has returned it
 * (or failed) the same arena must be passed and not be reset. */
#ifndef TOCSIN_REDIS_RESP_H
#define TOCSIN_REDIS_RESP_H

#include "tocsin/arena.h"
#include "tocsin/err.h"

enum resp_type { RESP_STRING, RESP_ARRAY, RESP_INTEGER, RESP_NIL, RESP_STATUS, RESP_ERROR };

struct resp_reply {
	enum resp_type type;
	int64_t integer;                /* RESP_INTEGER */
	struct str text;                /* RESP_STRING, RESP_STATUS, RESP_ERROR; NUL behind its end */
	struct resp_reply **items;      /* RESP_ARRAY */
	size_t n_items;
};

struct resp_limits {
	size_t reply_bytes;             /* of one reply, as sent */
	size_t reply_elements;          /* of one reply, all levels */
};
#define RESP_LIMITS_DEFAULT ((struct resp_limits){ .reply_bytes = 32 << 20, .reply_elements = 1 << 20 })

struct resp;

struct resp *resp_new(struct resp_limits limits);
void resp_free(struct resp *r);

/* Takes <n> bytes from the server. False and <e> when the reply under way is over reply_bytes, by what has come or by what
 * its header announces. */
bool resp_feed(struct resp *r, const void *p, size_t n, struct err *e) MUST_CHECK;

enum resp_status { RESP_MORE, RESP_DONE, RESP_BROKEN };
/* The next whole reply into <*out>, in <a>; RESP_MORE: feed first; RESP_BROKEN and <e>: not RESP, or over a limit. A reader that
 * was broken stays so. */
enum resp_status resp_next(struct resp *r, struct arena *a, const struct resp_reply **out, struct err *e) MUST_CHECK;

#endif
