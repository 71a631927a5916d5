/* Streams, their groups and the groups' consumers, in three pipelined round trips: what type each key is (asking anything else of
 * what is no stream would leave an error in the server's statistics), XINFO STREAM and GROUPS, XINFO CONSUMERS. The first can
 * share a pipeline. */
#ifndef TOCSIN_REDIS_STREAMS_H
#define TOCSIN_REDIS_STREAMS_H

#include "redis/conn.h"
#include "redis/settings.h"

struct stream_round {
	const struct redis_settings *settings;
	const struct redis_key_spec *specs;     /* sorted by database, or with few changes of it */
	size_t n;
	bool *is_stream;                        /* made by stream_round_ask() */
	size_t n_consumers;                     /* shown; settings' max_stream_consumers ends it */
};

/* Queues the first trip. */
void stream_round_ask(struct stream_round *r, struct redis_conn *c, struct arena *a);
/* Reads its replies in the place of the pipeline where it was queued. A stream that does not exist has length 0. */
bool stream_round_read(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct expo_set *set,
                       struct err *e) MUST_CHECK;
/* The other trips, and the samples. */
bool stream_round_finish(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait,
    struct expo_set *set,
                         struct err *e) MUST_CHECK;

#endif
