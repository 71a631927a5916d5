/* Size, value and memory of named keys, in two pipelined round trips: first the types, then what fits each type (asking a list
 * for its STRLEN would leave an error in the server's statistics every time). The first trip can share a pipeline with other
 * commands. */
#ifndef TOCSIN_REDIS_KEYS_H
#define TOCSIN_REDIS_KEYS_H

#include "redis/conn.h"
#include "redis/settings.h"

struct key_state;

struct key_round {
	const struct redis_settings *settings;
	const struct redis_key_spec *specs;     /* sorted by database, or with few changes of it */
	size_t n;
	bool zero_when_absent;                  /* a key that does not exist has size 0; else it is left out */
	struct key_state *states;               /* made by key_round_ask_types */
};

/* Queues the first trip. */
void key_round_ask_types(struct key_round *r, struct redis_conn *c, struct arena *a);
/* Reads its replies, in the place of the pipeline where it was queued. */
bool key_round_read_types(struct key_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait,
                          struct err *e) MUST_CHECK;
/* The second trip, and the samples of both. */
bool key_round_finish(struct key_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct expo_set *set,
                      struct err *e) MUST_CHECK;

#endif
