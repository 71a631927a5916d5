/* Series at rest: they ended, blocks have all of them, and the index has not; so they take no memory. A selection that reaches back to
 * their time wakes those that match: they are in the index again, as after a start. Invariant: a series at rest has a stale marker as its
 * last sample in the newest of its blocks, so what it is when it wakes is what it was: gone. Private to the store. */
#ifndef TOCSIN_STORE_REST_H
#define TOCSIN_STORE_REST_H

#include "store/index.h"
#include "tocsin/arena.h"
#include "tocsin/map.h"

struct store;
struct block;

/* What ended before that time may rest. */
int64_t rest_until_ms(const struct store *st, int64_t now_ms);
/* Whether the <i>th series of <b> goes on resting, as it did before a start: it ended before <until_ms>, or rests in one of the <n> blocks
 * <later>, the latest first. The index does not know it, though all series of those are in it that do not rest. */
bool rest_goes_on(struct store *st, struct block *const *later, size_t n, const struct block *b, uint32_t i, int64_t until_ms);
/* Behind a flush, puts what ended a while ago to rest; and once more, but for who was woken, as soon as what ended just before that flush may rest too:
 * until the next one there would be as many again beside it. Under maintain_lock. */
void rest_put_when_due(struct store *st, int64_t now_ms, bool flushed);
/* Every matching series that has samples from min_ms to max_ms is in the index, until <*no> is not rest_no() any more. False and <e>: a regex
 * that hit its limit, or the index is full (max_series). */
bool rest_wake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t *no, struct err *e);
/* Counts whenever a series may have left the index while blocks have it. */
uint64_t rest_no(const struct store *st);
void rest_count(struct store *st);
/* Adds the label names of those at rest, or with <name> its values; they live in <a>. */
void rest_add_texts(struct store *st, const struct str *name, struct map *texts, struct arena *a);

#endif
