/* A restarted target must know which series it had, to tell which of them vanished meanwhile. One list, sorted by owner, made after the
 * journal was read; an owner takes its part once. Under claims_lock. */
#include "store/claims.h"

#include <stdlib.h>

#include "store/internal.h"
#include "store/keyed.h"
#include "tocsin/mem.h"

static struct str text_of(const uint64_t *owner)
{
	return (struct str){ (const char *)owner, sizeof *owner };
}

/* Under the lock of the owners. */
static uint64_t owner_of(const struct store *st, uint32_t number)
{
	uint64_t owner = 0;

	if (number > 0)
		memcpy(&owner, symbols_text(&st->owners, number - 1).p, sizeof owner);
	return owner;
}

uint64_t store_owner_of(struct store *st, const struct store_series *s)
{
	uint64_t owner;

	pthread_mutex_lock(&st->owners_lock);
	owner = owner_of(st, atomic_load(&s->owner));
	pthread_mutex_unlock(&st->owners_lock);
	return owner;
}

/* Its number + 1, one reference more; likewise. Mostly it is the one that was asked for before. */
static uint32_t refer(struct store *st, uint64_t owner)
{
	if (owner == 0)
		return 0;
	if (!symbols_ref_again(&st->owners, st->owner_lately, text_of(&owner)))
		st->owner_lately = symbols_ref(&st->owners, text_of(&owner));
	return st->owner_lately + 1;
}

uint64_t store_set_owner(struct store *st, struct store_series *s, uint64_t owner)
{
	uint32_t before;
	uint64_t was;

	pthread_mutex_lock(&st->owners_lock);
	before = atomic_load(&s->owner);
	was = owner_of(st, before);
	if (was != owner)
		atomic_store(&s->owner, refer(st, owner));
	if (was != owner && before > 0)
		symbols_unref(&st->owners, before - 1);
	pthread_mutex_unlock(&st->owners_lock);
	return was;
}

static bool is_claimed(const struct store_series *s)
{
	return s != NULL && s->from_history == FROM_JOURNAL && s->owner != 0 && s->state != SERIES_GONE;
}

static size_t count_claimed(const struct index *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n_slots; i++)
		n += is_claimed(index_at(x, i));
	return n;
}

void claims_make(struct store *st)
{
	struct claims *c = &st->claims;
	struct keyed *v = mem_alloc((count_claimed(&st->index) + 1) * sizeof *v);
	size_t n = 0;

	pthread_mutex_lock(&st->owners_lock);
	for (size_t i = 0; i < st->index.n_slots; i++) {
		struct store_series *s = index_at(&st->index, i);

		if (!is_claimed(s))
			continue;
		v[n++] = (struct keyed){ owner_of(st, atomic_load(&s->owner)), i };
		s->from_history = FROM_OWNER;
		atomic_fetch_add(&s->pins, 1);
	}
	pthread_mutex_unlock(&st->owners_lock);
	keyed_sort(v, n);
	c->v = mem_grow(c->v, &c->cap, n, sizeof *c->v);
	for (; c->n < n; c->n++)
		c->v[c->n] = (struct claim){ v[c->n].key, index_at(&st->index, v[c->n].value) };
	free(v);
}

void claims_fini(struct store *st)
{
	for (size_t i = 0; i < st->claims.n; i++)
		store_series_unref(st, st->claims.v[i].series);
	free(st->claims.v);
	st->claims = (struct claims){ 0 };
}

void store_series_own(struct store *st, struct store_series *s, uint64_t owner)
{
	if (store_set_owner(st, s, owner) != owner)
		atomic_store(&s->journal_file, 0); /* to be defined again */
}

static size_t first_of(const struct claims *c, uint64_t owner)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->v[mid].owner < owner)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A claimed series that was lost is so until its owner knows better; one that was not is decided by the scrape that is going on. */
static struct store_claim claim_one(struct store *st, struct store_series *s)
{
	struct shard *shard = series_shard(st, s);
	struct store_claim out = { .series = s };

	pthread_mutex_lock(&shard->lock);
	out.lost = s->state == SERIES_LOST;
	if (s->from_history == FROM_OWNER)
		s->from_history = out.lost ? FROM_NOWHERE : FROM_JOURNAL;
	pthread_mutex_unlock(&shard->lock);
	return out;
}

/* Those of one owner, from <beg> on. */
static size_t end_of(const struct claims *c, uint64_t owner, size_t beg)
{
	while (beg < c->n && c->v[beg].owner == owner)
		beg++;
	return beg;
}

size_t store_claims_of(struct store *st, uint64_t owner)
{
	const struct claims *c = &st->claims;
	size_t beg, n;

	pthread_mutex_lock(&st->claims_lock);
	beg = first_of(c, owner);
	n = end_of(c, owner, beg) - beg;
	pthread_mutex_unlock(&st->claims_lock);
	return n;
}

struct store_claim *store_claim(struct store *st, uint64_t owner, struct arena *a, size_t *n)
{
	struct claims *c = &st->claims;
	struct store_claim *v = NULL;
	size_t beg, end;

	*n = 0;
	pthread_mutex_lock(&st->claims_lock);
	beg = first_of(c, owner);
	end = end_of(c, owner, beg);
	v = ARENA_ARRAY(a, end - beg, struct store_claim);
	for (size_t i = beg; i < end; i++)
		v[(*n)++] = claim_one(st, c->v[i].series);
	if (end > beg)
		memmove(c->v + beg, c->v + end, (c->n - end) * sizeof *c->v);
	c->n -= end - beg;
	pthread_mutex_unlock(&st->claims_lock);
	return v;
}

static size_t keep_owner(struct claims *c, size_t kept, size_t beg, size_t end)
{
	if (kept < beg)
		memmove(c->v + kept, c->v + beg, (end - beg) * sizeof *c->v);
	return kept + end - beg;
}

/* The place of the next one to be looked at. */
static size_t place_of(const struct claims *c, const struct store_abandoning *at)
{
	size_t i = first_of(c, at->owner), hi = end_of(c, at->owner, i);

	while (i < hi) {
		size_t mid = i + (hi - i) / 2;

		if (c->v[mid].series->id < at->id)
			i = mid + 1;
		else
			hi = mid;
	}
	return i;
}

bool store_abandon(struct store *st, struct store_abandoning *at, size_t most, const struct store_keeper *keeper, struct arena *a,
                   struct store_series ***out, size_t *n)
{
	struct claims *c = &st->claims;
	size_t first, last, kept, cap = 0;
	bool left;

	*out = NULL;
	*n = 0;
	pthread_mutex_lock(&st->claims_lock);
	first = kept = place_of(c, at);
	last = c->n - first < most ? c->n : first + most;
	*at = last < c->n ? (struct store_abandoning){ c->v[last].owner, c->v[last].series->id } : (struct store_abandoning){ 0, 0 };
	for (size_t beg = first, end; beg < last; beg = end) {
		end = end_of(c, c->v[beg].owner, beg);
		if (end > last)
			end = last;
		if (keeper->owner(keeper->ctx, c->v[beg].owner)) {
			kept = keep_owner(c, kept, beg, end);
			continue;
		}
		for (size_t i = beg; i < end; i++) {
			struct store_series *s = c->v[i].series;

			if (s->from_history != FROM_OWNER) {
				store_series_unref(st, s); /* somebody else's by now */
			} else if (keeper->series(keeper->ctx, s)) {
				c->v[kept++] = c->v[i];
			} else {
				*out = arena_grow(a, *out, *n, &cap, *n + 1, sizeof(struct store_series *));
				(*out)[(*n)++] = s;
			}
		}
	}
	if (kept < last)
		memmove(c->v + kept, c->v + last, (c->n - last) * sizeof *c->v);
	c->n -= last - kept;
	left = c->n > 0;
	pthread_mutex_unlock(&st->claims_lock);
	return left;
}

bool store_knows_past(const struct store *st)
{
	return atomic_load(&st->knows_past);
}
