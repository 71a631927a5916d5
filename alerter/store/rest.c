/* Which series rest is told by a bit a series in each block (history.h): those that are not in the index. A waker holds the index lock for
 * writing a few series at a time, and looks at the list of blocks as it is then; so maintenance changes bits of a block only before it is in
 * the list, after it left it, or under that lock. */
#include "store/rest.h"

#include <stdlib.h>

#include "store/internal.h"
#include "store/join.h"
#include "tocsin/mem.h"

enum { SETTLED_MS = 60000, SERIES_AT_ONCE = 1024 };

uint64_t rest_no(const struct store *st)
{
	return atomic_load(&st->rest_no);
}

void rest_count(struct store *st)
{
	atomic_fetch_add(&st->rest_no, 1);
}

/* ---- To rest ---- */

struct tired {
	struct store_series **v; /* by slot */
	size_t n, cap;
	int64_t after_ms, until_ms; /* of their last samples */
};

/* What the head knows lets it go: it ended long ago, properly, nobody holds it, and its samples are in blocks. Under the shard lock. */
static bool is_over(const struct store_series *s, const struct tired *t)
{
	return !series_is_pinned(s) && s->state == SERIES_GONE && series_in_blocks(s) > 0 && s->n_sealed == 0 && series_open(s) == NULL &&
	       s->block_last_ms > t->after_ms && s->block_last_ms < t->until_ms && series_last_ms(s) <= s->block_last_ms;
}

static void add_tired(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	struct tired *t = ctx;

	(void)st, (void)shard;
	if (!is_over(s, t))
		return;
	t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof(struct store_series *));
	t->v[t->n++] = s;
}

static int64_t last_in(const struct block *b, uint32_t i)
{
	uint32_t n = block_n_entries(b, i);

	return n > 0 ? block_entry(b, block_first(b, i) + n - 1).max_ms : INT64_MIN;
}

/* Of all blocks those that have samples of it: <at> has room for them. True when the last one is a stale marker. */
static bool find_in_blocks(const struct block_list *l, struct labels labels, uint64_t hash, uint32_t *at)
{
	int64_t last_ms = INT64_MIN;
	bool ended = false;

	for (size_t i = 0; i < l->n; i++) {
		at[i] = block_find(l->v[i], labels, hash);
		if (at[i] == BLOCK_NONE || last_in(l->v[i], at[i]) < last_ms)
			continue;
		last_ms = last_in(l->v[i], at[i]);
		ended = block_good_ms(l->v[i], at[i]) < last_ms;
	}
	return ended;
}

static void note_resting(struct store *st, int64_t last_ms)
{
	int64_t until_ms = atomic_load(&st->rest_until_ms);

	while (last_ms > until_ms && !atomic_compare_exchange_weak(&st->rest_until_ms, &until_ms, last_ms))
		;
}

static void leave_block(struct block *b, uint32_t i, struct store_series *s)
{
	if (!block_is_joined(b, i))
		return;
	b->joined[i / 8] ^= (unsigned char)(1u << i % 8);
	b->n_joined--;
	atomic_fetch_sub(&s->blocks, BLOCKS_ONE);
}

static bool is_still_over(struct store *st, const struct store_series *s, const struct tired *t)
{
	struct shard *shard = series_shard(st, s);
	bool over;

	pthread_mutex_lock(&shard->lock);
	over = is_over(s, t);
	pthread_mutex_unlock(&shard->lock);
	return over;
}

/* Some of <t> from <beg> on, under the index lock. <at>: room for a list of places. */
static void put_some(struct store *st, const struct tired *t, size_t beg, const struct block_list *l, uint32_t *at)
{
	struct slots gone = { 0 };
	struct label v[STORE_MAX_LABELS];

	for (size_t i = beg; i < t->n && i < beg + SERIES_AT_ONCE; i++) {
		struct store_series *s = t->v[i];

		struct labels labels = index_labels(&st->index, s, v);

		if (!is_still_over(st, s, t) || !find_in_blocks(l, labels, series_hash(labels), at))
			continue;
		note_resting(st, s->block_last_ms);
		for (size_t k = 0; k < l->n; k++)
			if (at[k] != BLOCK_NONE)
				leave_block(l->v[k], at[k], s);
		if (series_in_blocks(s) > 0)
			continue;
		gone.v = mem_grow(gone.v, &gone.cap, gone.n + 1, sizeof *gone.v);
		gone.v[gone.n++] = index_slot(&st->index, s);
	}
	store_drop_series(st, &gone);
	COUNT(st, series_rested, gone.n);
	free(gone.v);
}

int64_t rest_until_ms(const struct store *st, int64_t now_ms)
{
	return now_ms - st->options.lookback_ms - SETTLED_MS;
}

/* <last_ms>: of its last sample. */
static bool has_ended(const struct block *b, uint32_t i, int64_t last_ms, int64_t until_ms)
{
	return last_ms < until_ms && block_good_ms(b, i) < last_ms;
}

/* Whether it rests as the last of <later> says that has something as late. */
static bool rests_later(struct block *const *later, size_t n, const struct block *b, uint32_t i, int64_t last_ms, int64_t until_ms)
{
	struct label v[STORE_MAX_LABELS];
	struct labels labels = n > 0 ? block_labels(b, i, v) : (struct labels){ 0 };
	uint64_t hash = series_hash(labels);

	while (n-- > 0) {
		uint32_t at = block_find(later[n], labels, hash);
		int64_t its_last_ms = at != BLOCK_NONE ? last_in(later[n], at) : INT64_MIN;

		if (at != BLOCK_NONE && its_last_ms >= last_ms)
			return has_ended(later[n], at, its_last_ms, until_ms);
	}
	return false;
}

bool rest_goes_on(struct store *st, struct block *const *later, size_t n, const struct block *b, uint32_t i, int64_t until_ms)
{
	int64_t last_ms = last_in(b, i);

	if (last_ms >= until_ms || !(has_ended(b, i, last_ms, until_ms) || rests_later(later, n, b, i, last_ms, until_ms)))
		return false;
	note_resting(st, last_ms);
	return true;
}

static void put(struct store *st, int64_t after_ms, int64_t until_ms)
{
	struct tired t = { .after_ms = after_ms, .until_ms = until_ms };
	struct block_list *l = history_take(&st->history);
	uint32_t *at;

	if (l == NULL)
		return;
	at = mem_alloc((l->n + 1) * sizeof *at);
	store_each_series(st, add_tired, &t);
	for (size_t beg = 0; beg < t.n; beg += SERIES_AT_ONCE) {
		pthread_rwlock_wrlock(&st->index_lock);
		put_some(st, &t, beg, l, at);
		pthread_rwlock_unlock(&st->index_lock);
	}
	for (size_t i = 0; i < l->n && t.n > 0; i++)
		block_cool(l->v[i]);
	free(at);
	free(t.v);
	block_list_unref(l);
}

void rest_put_when_due(struct store *st, int64_t now_ms, bool flushed)
{
	int64_t until_ms = rest_until_ms(st, now_ms);

	if (flushed) {
		put(st, INT64_MIN, until_ms);
		st->rest_again_ms = now_ms + (now_ms - until_ms);
	} else if (now_ms >= st->rest_again_ms) {
		put(st, atomic_load(&st->rest_until_ms), until_ms); /* who was woken ended no later than all that rest */
		st->rest_again_ms = INT64_MAX;
	}
}

/* ---- Awake ---- */

/* A series that was found at rest in a block. */
struct sleeper {
	struct block *block;
	uint32_t series;
};

struct sleepers {
	struct sleeper *v;
	size_t n, cap;
};

static bool has_any(const struct block *b, uint32_t i, struct select_hints reach)
{
	uint32_t n = block_n_entries(b, i);

	return n > 0 && block_entry(b, block_first(b, i)).min_ms <= reach.max_ms && last_in(b, i) >= reach.min_ms;
}

/* A copy of its bits; NULL when none of its series rests. */
static unsigned char *copy_joined(struct store *st, const struct block *b)
{
	unsigned char *bits = NULL;

	pthread_rwlock_rdlock(&st->index_lock);
	if (b->n_joined < b->n_series) {
		bits = mem_alloc(b->n_series / 8 + 1);
		memcpy(bits, b->joined, b->n_series / 8 + 1);
	}
	pthread_rwlock_unlock(&st->index_lock);
	return bits;
}

static bool look_in_block(struct store *st, struct block *b, const struct matcher *m, size_t n, struct select_hints reach, struct sleepers *out,
                          struct err *e)
{
	unsigned char *bits = copy_joined(st, b);
	struct label v[STORE_MAX_LABELS];
	struct err limit = { 0 };

	for (uint32_t i = 0; bits != NULL && i < b->n_series && limit.code == ERR_NONE; i++) {
		if ((bits[i / 8] >> i % 8 & 1) != 0 || !has_any(b, i, reach) || !matchers_test(m, n, block_labels(b, i, v), &limit))
			continue;
		out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
		out->v[out->n++] = (struct sleeper){ b, i };
	}
	free(bits);
	if (limit.code != ERR_NONE)
		*e = limit;
	return limit.code == ERR_NONE;
}

/* An eighth is kept for what is scraped. */
static bool has_room(const struct store *st, struct err *e)
{
	size_t most = st->options.max_series - st->options.max_series / 8;

	return st->index.n_series < most ||
	       err_set(e, ERR_LIMIT, -1, "it reaches back to series that ended: with them the store would hold more than %zu (7/8 of max_series)", most);
}

/* Into the index, and known to every block that has it; under the index lock. What ended since the start is as if it had been here. */
static bool wake(struct store *st, const struct block_list *l, struct labels labels, struct err *e)
{
	uint64_t hash = series_hash(labels);
	struct store_series *s = index_find(&st->index, labels, hash);
	bool made = s == NULL;

	if (made && !has_room(st, e))
		return false;
	if (made) {
		s = store_series_make(st, labels, hash);
		s->from_history = FROM_BLOCKS;
	}
	for (size_t i = 0; i < l->n; i++) {
		uint32_t at = block_find(l->v[i], labels, hash);

		if (at != BLOCK_NONE && !block_is_joined(l->v[i], at))
			join_series(st, s, l->v[i], at);
	}
	if (made && s->state == SERIES_GONE && s->block_last_ms >= st->born_ms)
		s->from_history = FROM_NOWHERE;
	COUNT(st, series_woken, made);
	return true;
}

static bool wake_all(struct store *st, const struct sleepers *them, struct err *e)
{
	struct label v[STORE_MAX_LABELS];
	bool ok = true;

	for (size_t beg = 0; beg < them->n && ok; beg += SERIES_AT_ONCE) {
		struct block_list *l;

		pthread_rwlock_wrlock(&st->index_lock);
		l = history_take(&st->history);
		for (size_t i = beg; i < them->n && i < beg + SERIES_AT_ONCE && l != NULL && ok; i++) {
			ok = wake(st, l, block_labels(them->v[i].block, them->v[i].series, v), e);
		}
		pthread_rwlock_unlock(&st->index_lock);
		block_list_unref(l);
	}
	return ok;
}

static bool wake_matching(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, struct err *e)
{
	struct block_list *l = history_take(&st->history);
	struct sleepers them = { 0 };
	bool ok = true;

	for (size_t i = 0; ok && l != NULL && i < l->n; i++)
		if (l->v[i]->header->min_ms <= reach.max_ms && l->v[i]->header->max_ms >= reach.min_ms)
			ok = look_in_block(st, l->v[i], m, n, reach, &them, e);
	ok = ok && wake_all(st, &them, e);
	free(them.v);
	block_list_unref(l);
	return ok;
}

bool rest_wake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t *no, struct err *e)
{
	int64_t until_ms = atomic_load(&st->rest_until_ms);

	*no = rest_no(st);
	if (reach.min_ms > until_ms)
		return true;
	if (reach.max_ms > until_ms)
		reach.max_ms = until_ms;
	if (memory_is_awake(st, m, n, reach, *no))
		return true;
	if (!wake_matching(st, m, n, reach, e))
		return false;
	memory_note_awake(st, m, n, reach, *no);
	return true;
}

/* ---- Looking around ---- */

/* Neighbours share most texts, each of which a block has once: what the one before had is passed over. */
static void add_labels(struct labels l, struct labels before, const struct str *name, struct map *texts, struct arena *a)
{
	if (name != NULL) {
		struct str value = labels_get(l, *name);

		if (value.p != labels_get(before, *name).p)
			index_add_text(texts, value, a);
		return;
	}
	for (size_t i = 0; i < l.n; i++)
		if (i >= before.n || before.v[i].name.p != l.v[i].name.p)
			index_add_text(texts, l.v[i].name, a);
}

static void add_block(struct store *st, const struct block *b, const struct str *name, struct map *texts, struct arena *a)
{
	unsigned char *bits = copy_joined(st, b);
	struct label v[2][STORE_MAX_LABELS];
	struct labels before = { 0 };
	unsigned at = 0;

	for (uint32_t i = 0; bits != NULL && i < b->n_series; i++) {
		struct labels l;

		if ((bits[i / 8] >> i % 8 & 1) != 0)
			continue;
		l = block_labels(b, i, v[at]);
		add_labels(l, before, name, texts, a);
		before = l;
		at ^= 1;
	}
	free(bits);
}

void rest_add_texts(struct store *st, const struct str *name, struct map *texts, struct arena *a)
{
	struct block_list *l = atomic_load(&st->rest_until_ms) != INT64_MIN ? history_take(&st->history) : NULL;

	for (size_t i = 0; l != NULL && i < l->n; i++)
		add_block(st, l->v[i], name, texts, a);
	block_list_unref(l);
}
