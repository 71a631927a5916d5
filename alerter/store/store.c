/* The store as a whole: its life, its series, retention, and the figures about it. Writing is append.c, reading select.c. */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "store/flush.h"
#include "store/internal.h"
#include "store/slab.h"
#include "store/spool.h"
#include "store/unload.h"
#include "tocsin/mem.h"

enum { RETENTION_MS = 15 * 86400000, LOOKBACK_MS = 300000, MAX_SERIES = 2000000, MAX_BYTES = 256 << 20, SEALED_BYTES = 8 << 20,
	SHELF_IDLE_MS = 60000, SLOTS_AT_ONCE = 512 };

static void set_defaults(struct store_options *o)
{
	if (o->retention_ms == 0)
		o->retention_ms = RETENTION_MS;
	if (o->lookback_ms == 0)
		o->lookback_ms = LOOKBACK_MS;
	if (o->max_series == 0)
		o->max_series = MAX_SERIES;
	if (o->max_bytes == 0)
		o->max_bytes = MAX_BYTES;
	if (o->clock == NULL)
		o->clock = &clock_system;
}

/* Without this glibc lets a stream of readers starve the writer. */
static void init_index_lock(struct store *st)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&st->index_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

struct store *store_new(const struct store_options *options)
{
	struct store *st = aligned_alloc(_Alignof(struct store), sizeof *st);

	if (st == NULL)
		mem_abort(sizeof *st);
	memset(st, 0, sizeof *st);
	st->querier.ops = &store_querier_ops;
	if (options != NULL)
		st->options = *options;
	set_defaults(&st->options);
	pthread_mutex_init(&st->maintain_lock, NULL);
	pthread_mutex_init(&st->commit_lock, NULL);
	pthread_mutex_init(&st->commit_turn, NULL);
	pthread_mutex_init(&st->pieces_lock, NULL);
	pthread_mutex_init(&st->unseen_lock, NULL);
	exemplars_init(&st->exemplars);
	pthread_mutex_init(&st->unused_lock, NULL);
	for (size_t i = 0; i < STORE_SHARDS; i++)
		pthread_mutex_init(&st->shards[i].lock, NULL);
	init_index_lock(st);
	index_init(&st->index);
	memory_init(&st->memory);
	gaps_init(&st->gaps);
	shelves_init(&st->shelves);
	history_init(&st->history);
	journal_init(&st->journal);
	pthread_mutex_init(&st->claims_lock, NULL);
	pthread_mutex_init(&st->owners_lock, NULL);
	symbols_init(&st->owners);
	st->born_ms = clock_now_ms(st->options.clock);
	atomic_store(&st->published, 1); /* 0 asks for what is newest */
	st->held_from_ms = st->steady_ms = st->born_ms;
	st->steady_mono_ms = clock_mono_ms(st->options.clock);
	st->oldest_ms = st->lately_oldest_ms = INT64_MAX;
	st->rest_until_ms = INT64_MIN;
	st->rest_again_ms = INT64_MAX;
	return st;
}

static size_t series_bytes(const struct store *st, const struct store_series *s)
{
	return offsetof(struct store_series, pairs) + index_pairs_bytes(&st->index, s);
}

static void series_free(struct store_series *s, size_t bytes)
{
	for (uint32_t i = 0; i < s->n_sealed; i++)
		chunk_unref(series_sealed(s, i));
	chunk_unref(series_seal(s));
	store_free_sealed(series_all_sealed(s), s->n_sealed);
	slab_free(s, bytes);
}

void store_free(struct store *st)
{
	if (st == NULL)
		return;
	journal_stop(st);
	journal_fini(&st->journal);
	claims_fini(st);
	pthread_mutex_destroy(&st->claims_lock);
	pthread_mutex_destroy(&st->owners_lock);
	symbols_fini(&st->owners);
	memory_fini(st);
	gaps_fini(&st->gaps);
	shelves_fini(&st->shelves);
	history_fini(&st->history);
	while (st->unused != NULL) {
		struct store_series *s = st->unused;

		st->unused = s->next_unused;
		series_free(s, series_bytes(st, s));
	}
	for (size_t i = 0; i < st->index.n_slots; i++)
		if (index_at(&st->index, i) != NULL)
			series_free(index_at(&st->index, i), series_bytes(st, index_at(&st->index, i)));
	index_fini(&st->index);
	arena_fini(&st->unseen_arena);
	pthread_rwlock_destroy(&st->index_lock);
	for (size_t i = 0; i < STORE_SHARDS; i++)
		pthread_mutex_destroy(&st->shards[i].lock);
	pthread_mutex_destroy(&st->unused_lock);
	pthread_mutex_destroy(&st->unseen_lock);
	exemplars_fini(&st->exemplars);
	pthread_mutex_destroy(&st->pieces_lock);
	pthread_mutex_destroy(&st->commit_turn);
	pthread_mutex_destroy(&st->commit_lock);
	pthread_mutex_destroy(&st->maintain_lock);
	free(st);
}

struct querier *store_querier(struct store *st)
{
	return &st->querier;
}

void store_set_held_from(struct store *st, int64_t t_ms)
{
	atomic_store(&st->held_from_ms, t_ms);
}

void store_set_unseen(struct store *st, const struct store_unseen *v, size_t n)
{
	pthread_mutex_lock(&st->unseen_lock);
	arena_reset(&st->unseen_arena);
	st->unseen = ARENA_ARRAY(&st->unseen_arena, n, struct store_unseen);
	for (size_t i = 0; i < n; i++)
		st->unseen[i] = (struct store_unseen){ labels_copy(&st->unseen_arena, v[i].labels), v[i].attempted, v[i].part,
			                                  arena_str(&st->unseen_arena, v[i].family) };
	st->n_unseen = n;
	pthread_mutex_unlock(&st->unseen_lock);
}

void store_note_asking(struct store *st, int64_t now_ms)
{
	pthread_mutex_lock(&st->unseen_lock);
	st->asking_ms = now_ms;
	pthread_mutex_unlock(&st->unseen_lock);
}

/* ---- Series ---- */

/* <pairs>: its labels, as the index encoded them. */
static struct store_series *make_series(struct store *st, const unsigned char *pairs, size_t bytes, uint64_t hash)
{
	struct store_series *s = slab_alloc(offsetof(struct store_series, pairs) + bytes);

	memcpy(s->pairs, pairs, bytes);
	s->id = ++st->next_id & ID_MOST; /* a thousand new ones a second reach it after thirty years */
	s->hash = index_hash(hash) & INDEX_HASH_MOST;
	s->refs = 1;
	s->block_last_ms = INT64_MIN;
	s->end = SERIES_NO_END;
	s->kept = (uint64_t)INT64_MIN;
	index_add(&st->index, s);
	memory_add(st, s);
	COUNT(st, series_created, 1);
	return s;
}

struct store_series *store_series_make(struct store *st, struct labels labels, uint64_t hash)
{
	unsigned char pairs[INDEX_ENCODED_MOST];

	return make_series(st, pairs, index_encode(&st->index, labels, pairs), hash);
}

struct store_series *store_series_make_pairs(struct store *st, const struct symbol_pair *v, size_t n, uint64_t hash)
{
	unsigned char pairs[INDEX_ENCODED_MOST];

	return make_series(st, pairs, index_encode_pairs(&st->index, v, n, pairs), hash);
}

static struct store_series *find_pinned(struct store *st, struct labels labels, uint64_t hash)
{
	struct store_series *s = index_find(&st->index, labels, hash);

	if (s != NULL)
		atomic_fetch_add(&s->pins, 1);
	return s;
}

struct store_series *store_series_find(struct store *st, struct labels labels)
{
	struct store_series *s;

	pthread_rwlock_rdlock(&st->index_lock);
	s = find_pinned(st, labels, series_hash(labels));
	pthread_rwlock_unlock(&st->index_lock);
	return s;
}

/* As they are written down, each with its length. */
bool store_labels_fit(struct labels labels, struct err *e)
{
	enum { LENGTHS = 6 };
	size_t bytes = 0;

	if (labels.n > STORE_MAX_LABELS)
		return err_set(e, ERR_LIMIT, -1, "a series with more than %d labels", STORE_MAX_LABELS);
	for (size_t i = 0; i < labels.n; i++)
		bytes += labels.v[i].name.n + labels.v[i].value.n + LENGTHS;
	return bytes <= STORE_MAX_LABEL_BYTES || err_set(e, ERR_LIMIT, -1, "a series whose labels are longer than %d bytes", STORE_MAX_LABEL_BYTES);
}

static struct store_series *series_ref(struct store *st, struct labels labels, size_t most, struct err *e)
{
	uint64_t hash = series_hash(labels);
	struct store_series *s = store_series_find(st, labels);

	if (s != NULL)
		return s;
	if (!store_labels_fit(labels, e)) {
		COUNT(st, series_refused, 1);
		return NULL;
	}
	pthread_rwlock_wrlock(&st->index_lock);
	s = find_pinned(st, labels, hash);
	if (s == NULL && st->index.n_series < most) {
		s = store_series_make(st, labels, hash);
		atomic_fetch_add(&s->pins, 1);
	}
	pthread_rwlock_unlock(&st->index_lock);
	if (s == NULL) {
		COUNT(st, series_refused, 1);
		err_set(e, ERR_LIMIT, -1, "the store holds %zu series: no new ones (max_series)", most);
	}
	return s;
}

struct store_series *store_series_ref(struct store *st, struct labels labels, struct err *e)
{
	return series_ref(st, labels, st->options.max_series, e);
}

struct store_series *store_series_ref_scraped(struct store *st, struct labels labels, struct err *e)
{
	return series_ref(st, labels, st->options.max_series - st->options.max_series / 16, e);
}

void store_series_unref(struct store *st, struct store_series *s)
{
	(void)st;
	if (s != NULL) {
		uint32_t before = atomic_fetch_sub(&s->pins, 1);

		assert((before & ~SERIES_NEVER_LOST) > 0);
	}
}

void store_series_never_lost(struct store *st, struct store_series *s)
{
	(void)st;
	atomic_fetch_or(&s->pins, SERIES_NEVER_LOST);
}

struct labels store_series_labels(struct store *st, const struct store_series *s, struct arena *a)
{
	struct label v[STORE_MAX_LABELS];
	struct labels copy;

	pthread_rwlock_rdlock(&st->index_lock);
	copy = labels_copy(a, index_labels(&st->index, s, v));
	pthread_rwlock_unlock(&st->index_lock);
	return copy;
}

int64_t store_series_last_ms(struct store *st, struct store_series *s)
{
	(void)st;
	return series_good_ms(s);
}

/* ---- Retention ---- */

/* Some from slot <beg> on. False: there are none. */
static bool each_of_some(struct store *st, size_t beg, void (*fn)(struct store *, struct shard *, struct store_series *, void *), void *ctx)
{
	size_t end = beg + SLOTS_AT_ONCE;
	bool more;

	pthread_rwlock_rdlock(&st->index_lock);
	more = beg < st->index.n_slots;
	for (size_t i = beg; i < end && i < st->index.n_slots; i++) {
		struct store_series *s = index_at(&st->index, i);
		struct shard *shard;

		if (s == NULL)
			continue;
		shard = series_shard(st, s);
		pthread_mutex_lock(&shard->lock);
		fn(st, shard, s, ctx);
		pthread_mutex_unlock(&shard->lock);
	}
	pthread_rwlock_unlock(&st->index_lock);
	return more;
}

void store_each_series(struct store *st, void (*fn)(struct store *, struct shard *, struct store_series *, void *), void *ctx)
{
	for (size_t beg = 0; each_of_some(st, beg, fn, ctx);)
		beg += SLOTS_AT_ONCE;
}

static void count_dropped(struct store *st, struct shard *shard, struct chunk *c, bool squeezed)
{
	shard->n_chunks--;
	shard->chunk_bytes -= chunk_bytes(c);
	if (squeezed)
		COUNT(st, chunks_squeezed, 1);
	else
		COUNT(st, chunks_dropped, 1);
	chunk_unref(c);
}

struct cutoff {
	int64_t t_ms;
	bool squeezed;
};

static bool is_older(const struct chunk *c, int64_t t_ms)
{
	return spool_oldest_ms(c) < t_ms && chunk_max_ms(c) < t_ms;
}

static void drop_old(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	const struct cutoff *cut = ctx;
	struct chunk *open;
	uint32_t n = 0;

	while (n < s->n_sealed && is_older(series_sealed(s, n), cut->t_ms))
		count_dropped(st, shard, series_sealed(s, n++), cut->squeezed);
	store_forget_sealed(s, n);
	if (s->n_sealed == 0 && series_open(s) != NULL && chunk_max_ms(series_open(s)) < cut->t_ms) {
		shard->chunk_bytes -= chunk_bytes(series_open(s));
		open = series_seal(s);
		shard->chunk_bytes += chunk_bytes(open);
		count_dropped(st, shard, open, cut->squeezed);
	}
}

/* Bytes of chunks by age of their last sample: finding the cutoff for max_bytes needs no list of all chunks. */
enum { AGES = 1024 };
struct ages {
	int64_t now_ms, step_ms;
	size_t bytes[AGES];
};

static void add_age(struct ages *g, const struct chunk *c)
{
	int64_t age = (g->now_ms - chunk_max_ms(c)) / g->step_ms;

	g->bytes[age < 0 ? 0 : age >= AGES ? AGES - 1 : age] += chunk_bytes(c);
}

static void add_ages(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	(void)st, (void)shard;
	for (uint32_t i = 0; i < s->n_sealed; i++)
		add_age(ctx, series_sealed(s, i));
	if (series_open(s) != NULL)
		add_age(ctx, series_open(s));
}

static size_t total_bytes(struct store *st, size_t *n_chunks)
{
	size_t bytes = 0;

	*n_chunks = 0;
	for (size_t i = 0; i < STORE_SHARDS; i++) {
		pthread_mutex_lock(&st->shards[i].lock);
		bytes += st->shards[i].chunk_bytes;
		*n_chunks += st->shards[i].n_chunks;
		pthread_mutex_unlock(&st->shards[i].lock);
	}
	return bytes;
}

/* Drops the oldest chunks until an eighth of max_bytes is free again, but never the youngest age. */
static void squeeze(struct store *st, int64_t now_ms)
{
	struct ages *g = mem_alloc(sizeof *g);
	size_t kept = 0, age = 0;
	int64_t oldest_ms = now_ms - atomic_load(&st->oldest_ms), cut_ms;

	g->now_ms = now_ms;
	g->step_ms = oldest_ms > AGES ? oldest_ms / AGES + 1 : 1;
	store_each_series(st, add_ages, g);
	while (age < AGES && (age == 0 || kept + g->bytes[age] <= st->options.max_bytes - st->options.max_bytes / 8))
		kept += g->bytes[age++];
	cut_ms = now_ms - (int64_t)age * g->step_ms + 1;
	store_each_series(st, drop_old, &(struct cutoff){ cut_ms, true });
	if (atomic_load(&st->held_from_ms) < cut_ms)
		store_set_held_from(st, cut_ms);
	free(g);
}

void store_drop_series(struct store *st, const struct slots *slots)
{
	for (size_t i = 0; i < slots->n; i++) {
		struct store_series *s = index_at(&st->index, slots->v[i]);

		memory_drop(st, s);
		store_series_release(st, s);
	}
	index_remove(&st->index, slots);
	if (slots->n > 0)
		rest_count(st);
}

static bool has_samples(struct store *st, const struct store_series *s)
{
	struct shard *shard = series_shard(st, s);
	bool any;

	pthread_mutex_lock(&shard->lock);
	any = s->n_sealed > 0 || series_open(s) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return any;
}

static bool is_dead(struct store *st, size_t slot)
{
	const struct store_series *s = index_at(&st->index, slot);

	return s != NULL && !series_is_pinned(s) && series_in_blocks(s) == 0 && !has_samples(st, s);
}

static void drop_dead_of(struct store *st, size_t beg, size_t end)
{
	struct slots dead = { 0 };

	pthread_rwlock_wrlock(&st->index_lock);
	for (size_t slot = beg; slot < end; slot++)
		if (is_dead(st, slot))
			slots_push(&dead, (uint32_t)slot);
	store_drop_series(st, &dead);
	pthread_rwlock_unlock(&st->index_lock);
	COUNT(st, series_dropped, dead.n);
	free(dead.v);
}

/* Most are not; so first they are looked for while others read. False: there are no slots from <beg> on. */
static bool drop_some_dead(struct store *st, size_t beg)
{
	size_t end = beg + SLOTS_AT_ONCE;
	bool any = false, more;

	pthread_rwlock_rdlock(&st->index_lock);
	more = beg < st->index.n_slots;
	if (end > st->index.n_slots)
		end = st->index.n_slots;
	for (size_t slot = beg; slot < end && !any; slot++)
		any = is_dead(st, slot);
	pthread_rwlock_unlock(&st->index_lock);
	if (any)
		drop_dead_of(st, beg, end);
	return more;
}

static void drop_dead(struct store *st)
{
	for (size_t beg = 0; drop_some_dead(st, beg);)
		beg += SLOTS_AT_ONCE;
}

void store_bury_unused(struct store *st)
{
	struct store_series *s, *next;

	pthread_mutex_lock(&st->unused_lock);
	s = st->unused;
	st->unused = NULL;
	pthread_mutex_unlock(&st->unused_lock);
	while (s != NULL) {
		pthread_rwlock_wrlock(&st->index_lock);
		for (size_t i = 0; i < SLOTS_AT_ONCE && s != NULL; i++, s = next) {
			size_t bytes = series_bytes(st, s);

			next = s->next_unused;
			index_forget(&st->index, s);
			store_set_owner(st, s, 0);
			series_free(s, bytes);
		}
		pthread_rwlock_unlock(&st->index_lock);
	}
}

struct census {
	int64_t oldest_ms;
	size_t open_bytes, loaded_bytes;
};

/* What lies on disk is not looked at, and histograms never go there. */
static void add_to_census(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	struct census *all = ctx;
	const struct chunk *c = s->n_sealed > 0 ? series_sealed(s, 0) : series_open(s);
	int64_t oldest_ms = c == NULL ? INT64_MAX : spool_has(c) ? spool_oldest_ms(c) : c->min_ms;

	(void)st, (void)shard;
	if (oldest_ms < all->oldest_ms)
		all->oldest_ms = oldest_ms;
	all->open_bytes += series_open(s) != NULL ? chunk_bytes(series_open(s)) : 0;
	for (uint32_t i = 0; i < s->n_sealed; i++)
		all->loaded_bytes += unload_takes(series_sealed(s, i)) ? chunk_bytes(series_sealed(s, i)) : 0;
}

static void lower(_Atomic int64_t *least_ms, int64_t t_ms)
{
	int64_t was_ms = atomic_load_explicit(least_ms, memory_order_relaxed);

	while (t_ms < was_ms && !atomic_compare_exchange_weak(least_ms, &was_ms, t_ms))
		;
}

void store_note_oldest(struct store *st, int64_t t_ms)
{
	lower(&st->lately_oldest_ms, t_ms);
	lower(&st->oldest_ms, t_ms);
}

/* What comes meanwhile may belong to a series that was counted already. */
static void take_census(struct store *st)
{
	struct census all = { .oldest_ms = INT64_MAX };
	size_t n_chunks, bytes;

	pthread_mutex_lock(&st->commit_lock);
	st->lately_oldest_ms = INT64_MAX;
	pthread_mutex_unlock(&st->commit_lock);
	store_each_series(st, add_to_census, &all);
	pthread_mutex_lock(&st->commit_lock);
	atomic_store(&st->oldest_ms, all.oldest_ms < st->lately_oldest_ms ? all.oldest_ms : st->lately_oldest_ms);
	pthread_mutex_unlock(&st->commit_lock);
	bytes = total_bytes(st, &n_chunks);
	st->sealed_bytes = bytes > all.open_bytes ? bytes - all.open_bytes : 0;
	st->loaded_bytes = all.loaded_bytes;
}

static void move_open(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	(void)st, (void)shard, (void)ctx;
	series_set_open(s, chunk_move(series_open(s)));
}

/* Chunks grow, and leave holes where they were. */
static void close_holes(struct store *st)
{
	if (!slab_begin_moving())
		return;
	store_each_series(st, move_open, NULL);
	slab_end_moving();
	slab_trim();
}

/* Each block costs the next start some time, and each flush a checkpoint of all the rest: so it must be worth it. <checkpoint>: there is
 * one anyhow. */
static bool flush_is_worth_it(const struct store *st, size_t bytes, bool checkpoint)
{
	if (bytes > st->options.max_bytes || (checkpoint && !st->journal.on))
		return true;
	return st->sealed_bytes > SEALED_BYTES && (checkpoint || st->sealed_bytes > bytes / 3);
}

int64_t store_oldest_kept_ms(struct store *st)
{
	enum { STEP_MS = 60000, BELIEVED_MS = 3600000 };
	int64_t now_ms = clock_now_ms(st->options.clock), mono_ms = clock_mono_ms(st->options.clock), passed_ms = mono_ms - st->steady_mono_ms;

	if (now_ms - (st->steady_ms + passed_ms) > STEP_MS && passed_ms < BELIEVED_MS)
		return st->steady_ms + passed_ms - st->options.retention_ms;
	st->steady_ms = now_ms;
	st->steady_mono_ms = mono_ms;
	return now_ms - st->options.retention_ms;
}

void store_maintain(struct store *st)
{
	int64_t now_ms = clock_now_ms(st->options.clock);
	size_t n_chunks, bytes;
	bool checkpoint, flushed;

	pthread_mutex_lock(&st->maintain_lock);
	store_each_series(st, drop_old, &(struct cutoff){ store_oldest_kept_ms(st), false });
	checkpoint = journal_wants_checkpoint(st);
	bytes = total_bytes(st, &n_chunks);
	flushed = history_maintain(st, now_ms, flush_is_worth_it(st, bytes, checkpoint));
	if (flushed || checkpoint)
		journal_checkpoint(st);
	if (total_bytes(st, &n_chunks) > st->options.max_bytes)
		squeeze(st, now_ms);
	rest_put_when_due(st, now_ms, flushed);
	drop_dead(st);
	store_bury_unused(st);
	take_census(st);
	unload_when_due(st, now_ms);
	close_holes(st);
	memory_clear_shelves(st, now_ms - SHELF_IDLE_MS);
	gaps_prune(&st->gaps, now_ms);
	if (flushed) {
		slab_trim();
		mem_trim();
	}
	pthread_mutex_unlock(&st->maintain_lock);
}

void store_hasten(struct store *st)
{
	atomic_store(&st->hasten, true);
}

bool store_flush(struct store *st, struct err *e)
{
	bool ok = true;

	pthread_mutex_lock(&st->maintain_lock);
	if (st->history.dir != NULL)
		ok = flush_all(st, clock_now_ms(st->options.clock), e);
	if (ok)
		journal_checkpoint(st);
	pthread_mutex_unlock(&st->maintain_lock);
	return ok;
}

/* ---- Figures ---- */

struct store_stats store_stats(struct store *st)
{
	struct store_stats out = { .oldest_ms = atomic_load(&st->oldest_ms) };
	struct block_list *blocks = history_take(&st->history);

#define X(name, help) out.name = atomic_load_explicit(&st->count.name, memory_order_relaxed);
	STORE_COUNTERS(X)
#undef X
	out.bytes = total_bytes(st, &out.chunks);
	out.blocks = blocks != NULL ? blocks->n : 0;
	for (size_t i = 0; i < out.blocks; i++)
		out.block_bytes += blocks->v[i]->n_bytes;
	block_list_unref(blocks);
	out.journal_bytes = st->journal.bytes + st->journal.checkpoint_bytes;
	out.journal_works = st->journal.on;
	pthread_rwlock_rdlock(&st->index_lock);
	out.series = st->index.n_series;
	out.symbols = st->index.symbols.by_text.n;
	pthread_rwlock_unlock(&st->index_lock);
	return out;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Of series in the index. False: some were removed since that rest_no(). */
static bool add_texts(struct store *st, const struct str *name, uint64_t no, struct map *texts, struct arena *a)
{
	bool same = true, more = true;

	for (size_t at = 0; same && more; at += SLOTS_AT_ONCE) {
		pthread_rwlock_rdlock(&st->index_lock);
		same = rest_no(st) == no;
		if (name == NULL)
			index_add_names(&st->index, texts, a);
		more = name != NULL && index_add_values(&st->index, *name, at, SLOTS_AT_ONCE, texts, a);
		pthread_rwlock_unlock(&st->index_lock);
	}
	return same;
}

/* Label names, or with <name> its values, of series in the index and of those at rest. */
static struct str *label_texts(struct store *st, const struct str *name, struct arena *a, size_t *n)
{
	struct map texts = { 0 };
	struct str *v;
	uint64_t no;

	do {
		no = rest_no(st);
		rest_add_texts(st, name, &texts, a);
	} while (!add_texts(st, name, no, &texts, a));
	v = ARENA_ARRAY(a, texts.n, struct str);
	*n = 0;
	for (struct map_slot *s = NULL; (s = map_next(&texts, s)) != NULL;)
		v[(*n)++] = s->key;
	if (*n > 1)
		qsort(v, *n, sizeof *v, by_text);
	map_fini(&texts);
	return v;
}

struct str *store_label_names(struct store *st, struct arena *a, size_t *n)
{
	return label_texts(st, NULL, a, n);
}

struct str *store_label_values(struct store *st, struct str name, struct arena *a, size_t *n)
{
	return label_texts(st, &name, a, n);
}

int64_t store_each_pair(struct store *st, void (*fn)(void *ctx, struct str name, struct str value, size_t n), void *ctx)
{
	int64_t newest_ms = INT64_MIN;

	pthread_rwlock_rdlock(&st->index_lock);
	index_each_pair(&st->index, fn, ctx);
	for (size_t i = 0; i < st->index.n_slots; i++) {
		int64_t end_ms = index_at(&st->index, i) != NULL ? series_end_ms(index_at(&st->index, i)) : INT64_MIN;

		newest_ms = end_ms > newest_ms ? end_ms : newest_ms;
	}
	pthread_rwlock_unlock(&st->index_lock);
	return newest_ms;
}
