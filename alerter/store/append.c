/* Writing. An appender stages its samples and applies them at commit: each shard locked once for a run of neighbouring series; then
 * the batch's number is published, from which on selections see it. One batch at a time, but a large one goes in by pieces, between
 * which others may come: its number is ahead of theirs until all of it is in. What can be refused at once is
 * (by the series' last time); the rest is judged again when it is applied, since another writer may have been quicker. What went in is told
 * to the journal, still in memory: nobody waits for the disk here. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "store/bits.h"
#include "store/internal.h"
#include "store/slab.h"
#include "tocsin/mem.h"

enum { COMMIT_PIECE = 4096 }; /* samples that go in under the commit lock at once */

enum staged_what { STAGED_SAMPLE, STAGED_LATE, STAGED_END, STAGED_STATE };

struct staged {
	struct store_series *series;
	int64_t t_ms;
	double v;
	struct histogram *h;       /* own copy */
	unsigned char what, state; /* enum staged_what, enum series_state */
	bool pinned;               /* by us, until it is applied */
};

struct store_appender {
	struct appender pub; /* first */
	struct store *store;
	struct staged *v;
	size_t n, cap;
	int64_t oldest_ms, late_ms; /* retention, and what may come late, as of the batch's first sample; late_ms INT64_MAX: nothing may */
	size_t n_late;
};

struct appender *store_appender_new(struct store *st)
{
	struct store_appender *a = mem_alloc(sizeof *a);

	a->pub.ops = &store_appender_ops;
	a->store = st;
	return &a->pub;
}

static struct store_appender *own(struct appender *pub)
{
	assert(pub->ops == &store_appender_ops);
	return (struct store_appender *)pub;
}

static void forget(struct store_appender *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].h != NULL)
			free(a->v[i].h);
		if (a->v[i].pinned)
			store_series_unref(a->store, a->v[i].series);
	}
	a->n = a->n_late = 0;
}

void store_appender_rollback(struct appender *pub)
{
	forget(own(pub));
}

void store_appender_free(struct appender *pub)
{
	struct store_appender *a;

	if (pub == NULL)
		return;
	a = own(pub);
	forget(a);
	free(a->v);
	free(a);
}

/* ---- One sample against its series, under the shard lock ---- */

static bool same_value(const struct store_series *s, double v, const struct histogram *h)
{
	const struct chunk *c = series_open(s);
	const struct histogram *last = NULL;
	uint64_t bits;

	if (c != NULL && c->kind == CHUNK_HIST)
		last = chunk_entries(c)[c->n - 1].h;
	if (h != NULL || last != NULL)
		return h != NULL && last != NULL && chunk_histogram_same(h, last);
	memcpy(&bits, &v, sizeof bits);
	return bits == series_v_bits(s);
}

static enum store_verdict judge(const struct store_series *s, int64_t t_ms, double v, const struct histogram *h)
{
	int64_t last_ms = series_last_ms(s);

	if (t_ms > last_ms)
		return STORE_OK;
	if (t_ms < last_ms)
		return STORE_OUT_OF_ORDER;
	return same_value(s, v, h) ? STORE_SAME : STORE_DUPLICATE;
}

/* Bytes of an array of <n> chunks, two at least. */
static size_t sealed_bytes(uint32_t n)
{
	return sizeof(struct chunk *) << (32 - __builtin_clz(n - 1));
}

void store_free_sealed(union sealed sealed, uint32_t n)
{
	if (n > 1)
		slab_free(sealed.many, sealed_bytes(n));
}

/* Room for <n>, with the <kept> of <from>. */
static struct chunk **new_sealed(struct chunk *const *from, uint32_t kept, uint32_t n)
{
	return memcpy(slab_alloc(sealed_bytes(n)), from, kept * sizeof *from);
}

void store_keep_sealed(struct store_series *s, struct chunk *c)
{
	uint32_t n = s->n_sealed++;
	union sealed all = series_all_sealed(s);

	assert(n < SEALED_MOST); /* a chunk takes some fifty bytes */
	if (n == 0) {
		s->sealed = near_to(c);
		return;
	}
	if ((n & (n - 1)) == 0) {
		struct chunk **more = new_sealed(sealed_at(&all, n), n, n + 1);

		store_free_sealed(all, n);
		all.many = more;
		s->sealed = near_to(more);
	}
	all.many[n] = c;
}

void store_forget_sealed(struct store_series *s, uint32_t n)
{
	union sealed old = series_all_sealed(s);
	uint32_t had = s->n_sealed;

	if (n == 0)
		return;
	s->n_sealed = (had - n) & SEALED_MOST;
	if (s->n_sealed > 1 && sealed_bytes(s->n_sealed) == sealed_bytes(had)) {
		memmove(old.many, old.many + n, s->n_sealed * sizeof(struct chunk *));
		return;
	}
	if (s->n_sealed > 1)
		s->sealed = near_to(new_sealed(old.many + n, s->n_sealed, s->n_sealed));
	else if (s->n_sealed == 1)
		s->sealed = near_to(old.many[n]);
	store_free_sealed(old, had);
}

/* Series that came together would fill their chunks together, and all of them would lie in memory until the next flush. So, where there are many,
 * the first chunk of each is cut at another length. */
enum { FEW_SERIES = 4096, FIRST_AT_LEAST = 24, SCATTER = 37 };

/* How many samples the chunk may have that is to be cut; UINT_MAX: none is. */
static unsigned cut_at(const struct store *st, const struct store_series *s)
{
	if (s->apart || s->id <= FEW_SERIES || st->history.dir == NULL)
		return UINT_MAX;
	return FIRST_AT_LEAST + (unsigned)(s->id * SCATTER % (CHUNK_SAMPLES - FIRST_AT_LEAST));
}

static void put_sample(struct store *st, struct shard *shard, struct store_series *s, int64_t t_ms, double v, const struct histogram *h)
{
	struct chunk_writer w = { series_open(s), series_v_bits(s) };
	size_t before = w.open != NULL ? chunk_bytes(w.open) : 0, after;
	struct chunk *opened = w.open, *sealed = NULL, *full;

	if (opened != NULL && opened->n >= cut_at(st, s)) {
		sealed = chunk_seal(&w);
		s->apart = 1;
	}
	full = chunk_append(&w, t_ms, v, h);
	series_set_open(s, w.open);
	sealed = full != NULL ? full : sealed;
	after = chunk_bytes(w.open);
	if (sealed != NULL) {
		store_keep_sealed(s, sealed);
		after += chunk_bytes(sealed);
	}
	if (sealed != NULL || opened == NULL)
		store_note_oldest(st, t_ms);
	shard->n_chunks += sealed != NULL || opened == NULL;
	shard->chunk_bytes += after - before;
	series_set_last(s, t_ms, w.v_bits, h == NULL && value_is_stale(v));
}

void store_note_return(struct store *st, const struct store_series *s, int64_t t_ms, uint64_t batch)
{
	const int64_t good_ms = series_good_ms(s);
	const unsigned char state = atomic_load(&s->state);
	/* what only the journal knows was not read while nobody ran: see stopped_ms */
	bool stalled = state == SERIES_FRESH && good_ms < t_ms - st->options.lookback_ms && !atomic_load(&s->from_history);

	if (good_ms != INT64_MIN && t_ms > good_ms && !series_is_never_lost(s) && (state == SERIES_LOST || stalled))
		gaps_put(&st->gaps, (struct gap){ s->id, good_ms, t_ms, batch });
}

void store_replay_sample(struct store *st, struct shard *counts, struct store_series *s, int64_t t_ms, double v, const struct histogram *h)
{
	int64_t last_ms = series_last_ms(s);

	if (t_ms < last_ms)
		(void)store_put_late(st, counts, s, t_ms, v, h);
	if (t_ms > last_ms)
		put_sample(st, counts, s, t_ms, v, h);
}

/* <n> floats are in, one at least. */
static void set_last_of(struct store_series *s, const int64_t *t_ms, const double *v, unsigned n)
{
	unsigned good = n;

	while (good > 0 && value_is_stale(v[good - 1]))
		good--;
	if (good > 0)
		series_set_last(s, t_ms[good - 1], bits_of(v[good - 1]), false);
	if (good < n)
		series_set_last(s, t_ms[n - 1], 0, true);
}

/* As many of them as the open chunk takes. */
static unsigned put_some(struct store *st, struct shard *counts, struct store_series *s, const int64_t *t_ms, const double *v, unsigned n)
{
	const struct chunk *open = series_open(s);
	struct chunk_writer w = { series_open(s), 0 }; /* the last value is nothing to those that come by several */
	unsigned most = open != NULL ? cut_at(st, s) : 0;
	size_t before;

	if (most == 0 || most <= open->n)
		return 0;
	before = chunk_bytes(open);
	n = chunk_append_some(&w, t_ms, v, n < most - open->n ? n : most - open->n);
	series_set_open(s, w.open);
	counts->chunk_bytes += chunk_bytes(w.open) - before;
	if (n > 0)
		set_last_of(s, t_ms, v, n);
	return n;
}

void store_replay_run(struct store *st, struct shard *counts, struct store_series *s, const int64_t *t_ms, const double *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		i += put_some(st, counts, s, t_ms + i, v + i, n - i);
		if (i < n)
			put_sample(st, counts, s, t_ms[i], v[i], NULL);
	}
}

/* The head was cut into chunks before, and stays so: a series' first one is not cut again. */
bool store_replay_chunk(struct store *st, struct store_series *s, const struct chunk_view *c, const int64_t *t_ms, const double *v)
{
	struct chunk *open = c->min_ms > series_last_ms(s) ? chunk_adopt(c, t_ms, v) : NULL, *sealed;
	struct shard *shard = series_shard(st, s);

	if (open == NULL)
		return false;
	shard->chunk_bytes -= series_open(s) != NULL ? chunk_bytes(series_open(s)) : 0;
	sealed = series_seal(s);
	if (sealed != NULL) {
		shard->chunk_bytes += chunk_bytes(sealed);
		store_keep_sealed(s, sealed);
	}
	shard->n_chunks++;
	shard->chunk_bytes += chunk_bytes(open);
	store_note_oldest(st, c->min_ms);
	s->apart = sealed != NULL || series_in_blocks(s) > 0;
	series_set_open(s, open);
	set_last_of(s, t_ms, v, c->n);
	return true;
}

static void count(struct store *st, enum store_verdict verdict)
{
	switch (verdict) {
	case STORE_OK:
		break;
	case STORE_SAME:
		COUNT(st, samples_same, 1);
		break;
	case STORE_DUPLICATE:
		COUNT(st, samples_duplicate, 1);
		break;
	case STORE_OUT_OF_ORDER:
		COUNT(st, samples_out_of_order, 1);
		break;
	case STORE_TOO_OLD:
		COUNT(st, samples_too_old, 1);
		break;
	}
}

/* Its target was away, and it is known now that it went meanwhile: for who does not see the batch yet it is still away. */
static void note_gone(struct store *st, const struct store_series *s, uint64_t batch)
{
	const unsigned char state = atomic_load(&s->state);
	bool lost = state == SERIES_LOST || (state == SERIES_FRESH && atomic_load(&s->from_history));
	int64_t good_ms = series_good_ms(s);

	if (lost && good_ms != INT64_MIN && !series_is_never_lost(s))
		gaps_put(&st->gaps, (struct gap){ s->id, good_ms, clock_now_ms(st->options.clock), batch });
}

/* A good sample of the same batch knows better. */
static void apply_state(struct store *st, const struct staged *g, uint64_t batch)
{
	struct store_series *s = g->series;
	bool told = atomic_load(&s->state) == g->state && !atomic_load(&s->from_history);

	if (g->state == SERIES_GONE)
		note_gone(st, s, batch);
	atomic_store_explicit(&s->from_history, FROM_NOWHERE, memory_order_relaxed);
	if (told || (atomic_load_explicit(&s->last_batch, memory_order_relaxed) == (uint32_t)batch && !series_has_ended(s)))
		return;
	atomic_store(&s->state, g->state);
	journal_state(st, s, (enum series_state)g->state);
}

/* True when a sample went in. */
static bool apply(struct store_appender *a, struct shard *shard, struct staged *g, uint64_t batch)
{
	struct store *st = a->store;
	struct store_series *s = g->series;
	uint64_t last_bits = series_v_bits(s);
	enum store_verdict verdict;

	if (g->what == STAGED_LATE)
		return false;
	if (s->left_out)
		memory_revive(st, s);
	if (g->what == STAGED_STATE) {
		apply_state(st, g, batch);
		return false;
	}
	verdict = judge(s, g->t_ms, g->v, g->h);
	if (verdict == STORE_OUT_OF_ORDER && g->what == STAGED_SAMPLE && g->t_ms >= a->late_ms) { /* later ones stand in the same batch */
		g->what = STAGED_LATE;
		a->n_late++;
		return false;
	}
	if (g->what == STAGED_SAMPLE)
		count(st, verdict);
	else if (verdict != STORE_OK && series_last_ms(s) > clock_now_ms(st->options.clock))
		apply_state(st, g, batch);      /* the clock was set back: no sample of another source's */
	if (verdict != STORE_OK)
		return false;
	if (g->state == SERIES_FRESH && (s->state != SERIES_FRESH || series_good_ms(s) < g->t_ms - st->options.lookback_ms))
		store_note_return(st, s, g->t_ms, batch);
	else if (g->state == SERIES_GONE)
		note_gone(st, s, batch);
	put_sample(st, shard, s, g->t_ms, g->v, g->h); /* not before it is known since when it was away */
	journal_sample(st, s, &(struct record_sample){ g->t_ms, g->v, g->h, (enum series_state)g->state }, last_bits);
	atomic_store_explicit(&s->last_batch, (uint32_t)batch, memory_order_release);
	atomic_store_explicit(&s->from_history, FROM_NOWHERE, memory_order_release);
	atomic_store(&s->state, g->state);
	return true;
}

/* True when it went in. It changes nothing else of its series. In the journal the series is defined anew for whatever comes after it, since
 * there each value tells how it differs from the one before. */
static bool apply_late(struct store *st, const struct staged *g)
{
	struct store_series *s = g->series;
	struct shard *shard = series_shard(st, s);
	enum store_verdict verdict;

	journal_define(st, s);
	pthread_mutex_lock(&shard->lock);
	verdict = judge(s, g->t_ms, g->v, g->h);
	if (verdict == STORE_OUT_OF_ORDER)
		verdict = store_put_late(st, shard, s, g->t_ms, g->v, g->h);
	if (verdict == STORE_OK)
		journal_sample(st, s, &(struct record_sample){ g->t_ms, g->v, g->h, s->state }, series_v_bits(s));
	atomic_store(&s->journal_file, 0);
	pthread_mutex_unlock(&shard->lock);
	count(st, verdict);
	COUNT(st, samples_late, verdict == STORE_OK);
	return verdict == STORE_OK;
}

/* A scrape's series were last touched a scrape ago, so nearly everything here waits for memory: it is asked for some series ahead. */
static void warm_series(const struct store_appender *a, size_t i)
{
	enum { AHEAD = 12, LINE = 64 };
	const char *s;

	if (i + AHEAD >= a->n)
		return;
	s = (const char *)a->v[i + AHEAD].series;
	mem_warm(s);
	mem_warm(s + LINE);
	mem_warm(s + 2 * LINE);
}

/* The open chunks of the series from <i> on that are <shard>'s, under its lock. */
static void warm_chunks(struct store *st, const struct store_appender *a, size_t i, const struct shard *shard)
{
	size_t end = i;

	for (; end < a->n && end - i < SHARD_RUN && series_shard(st, a->v[end].series) == shard; end++)
		if (series_open(a->v[end].series) != NULL) {
			mem_warm(series_open(a->v[end].series));
			mem_warm(series_open(a->v[end].series)->data + 32);
		}
	for (; i < end; i++)
		if (series_open(a->v[i].series) != NULL)
			mem_warm(series_open(a->v[i].series)->data + series_open(a->v[i].series)->bits / 8);
}

/* The samples [beg, end), under the commit lock. How many went in. */
static uint64_t apply_some(struct store_appender *a, size_t beg, size_t end, uint64_t batch)
{
	struct store *st = a->store;
	struct shard *locked = NULL;
	uint64_t appended = 0;

	journal_begin(st, beg < end ? a->v[beg].t_ms : 0);
	for (size_t i = beg; i < end; i++) {
		warm_series(a, i);
		journal_define(st, a->v[i].series);
	}
	for (size_t i = beg; i < end; i++) {
		struct shard *shard = series_shard(st, a->v[i].series);

		if (shard != locked) {
			if (locked != NULL)
				pthread_mutex_unlock(&locked->lock);
			pthread_mutex_lock(&shard->lock);
			locked = shard;
			warm_chunks(st, a, i, shard);
		}
		appended += apply(a, shard, &a->v[i], batch);
	}
	if (locked != NULL)
		pthread_mutex_unlock(&locked->lock);
	for (size_t i = beg; i < end && a->n_late > 0; i++)
		if (a->v[i].what == STAGED_LATE)
			appended += apply_late(st, &a->v[i]);
	journal_end(st);
	return appended;
}

/* Whoever waits for the lock comes before the one that has just let it go. */
static void lock_commits(struct store *st)
{
	pthread_mutex_lock(&st->commit_turn);
	pthread_mutex_lock(&st->commit_lock);
	pthread_mutex_unlock(&st->commit_turn);
}

/* As lock_commits(). The number of the batch to be put in; when those before a large one's are used up, that one is waited for. */
static uint64_t lock_for_batch(struct store *st)
{
	lock_commits(st);
	while (atomic_load(&st->published) + 1 == st->coming) {
		pthread_mutex_unlock(&st->commit_lock);
		pthread_mutex_lock(&st->pieces_lock);
		pthread_mutex_unlock(&st->pieces_lock);
		lock_commits(st);
	}
	return atomic_load(&st->published) + 1;
}

static uint64_t commit_whole(struct store_appender *a)
{
	struct store *st = a->store;
	uint64_t batch = lock_for_batch(st), appended;

	appended = apply_some(a, 0, a->n, batch);
	atomic_store(&st->published, batch);
	pthread_mutex_unlock(&st->commit_lock);
	return appended;
}

static bool is_state(const struct staged *g)
{
	return g->what == STAGED_STATE;
}

/* Each in its order. States have no number and are seen at once: whoever does not see what came must not see that others are gone, or
 * nothing is left of what only has another name now. How many come before them; all, if there are no others. */
static size_t put_states_last(struct store_appender *a)
{
	size_t n = 0, n_states = 0;
	struct staged *states;

	for (size_t i = 0; i < a->n; i++)
		n_states += is_state(&a->v[i]);
	if (n_states == 0 || n_states == a->n)
		return a->n;
	states = mem_alloc(n_states * sizeof *states);
	n_states = 0;
	for (size_t i = 0; i < a->n; i++)
		if (is_state(&a->v[i]))
			states[n_states++] = a->v[i];
		else
			a->v[n++] = a->v[i];
	memcpy(a->v + n, states, n_states * sizeof *states);
	free(states);
	return n;
}

/* Those that come between have the numbers up to its own. Numbers are compared by their lower halves (series_is_later), so none is wasted:
 * twenty such batches a second take more than a day for half of the range. */
static uint64_t commit_in_pieces(struct store_appender *a)
{
	enum { BETWEEN = 256 }; /* two pieces */
	struct store *st = a->store;
	size_t n_samples = put_states_last(a);
	uint64_t batch = 0, appended = 0;

	pthread_mutex_lock(&st->pieces_lock);
	for (size_t beg = 0, end; beg < a->n; beg = end) {
		size_t stop = beg < n_samples ? n_samples : a->n;

		end = stop - beg < COMMIT_PIECE ? stop : beg + COMMIT_PIECE;
		lock_commits(st);
		if (beg == 0)
			batch = st->coming = atomic_load(&st->published) + (n_samples + COMMIT_PIECE - 1) / COMMIT_PIECE * BETWEEN;
		appended += apply_some(a, beg, end, batch);
		if (end == n_samples) {
			atomic_store(&st->published, batch);
			st->coming = 0;
		}
		pthread_mutex_unlock(&st->commit_lock);
	}
	pthread_mutex_unlock(&st->pieces_lock);
	return appended;
}

static bool commit(struct appender *pub, struct err *e)
{
	struct store_appender *a = own(pub);
	uint64_t appended = a->n <= COMMIT_PIECE ? commit_whole(a) : commit_in_pieces(a);

	(void)e;
	COUNT(a->store, samples_appended, appended);
	forget(a);
	return true;
}

/* ---- Staging ---- */

static void stage(struct store_appender *a, struct staged g)
{
	a->v = mem_grow(a->v, &a->cap, a->n + 1, sizeof *a->v);
	a->v[a->n++] = g;
}

static void set_limits(struct store_appender *a)
{
	int64_t now_ms = clock_now_ms(a->store->options.clock), window_ms = atomic_load(&a->store->late_window_ms);

	a->oldest_ms = now_ms - a->store->options.retention_ms;
	a->late_ms = window_ms > 0 ? now_ms - window_ms : INT64_MAX;
}

static enum store_verdict judge_early(struct store_appender *a, struct store_series *s, int64_t t_ms, double v,
                                      const struct histogram *h)
{
	enum store_verdict verdict;
	struct shard *shard;

	if (a->n == 0)
		set_limits(a);
	if (t_ms < a->oldest_ms)
		return STORE_TOO_OLD;
	if (t_ms > series_last_ms(s))
		return STORE_OK;
	shard = series_shard(a->store, s);
	pthread_mutex_lock(&shard->lock);
	verdict = judge(s, t_ms, v, h);
	pthread_mutex_unlock(&shard->lock);
	return verdict;
}

/* Whether a sample out of order is one that may come late; without a window none may. */
static enum store_verdict judge_late(const struct store_appender *a, int64_t t_ms, bool ends)
{
	if (a->late_ms == INT64_MAX || ends)
		return STORE_OUT_OF_ORDER;
	return t_ms >= a->late_ms ? STORE_OK : STORE_TOO_OLD;
}

/* "Not reset" is said of the samples that a value was computed from, not of this series: a rule's sum of counters says it even when
 * a member left. Readers compare for themselves. */
static struct histogram *own_copy(const struct histogram *h)
{
	struct histogram *copy = histogram_dup(h);

	if (copy->reset == RESET_NO)
		copy->reset = RESET_UNKNOWN;
	return copy;
}

void store_append_warm(const struct store_series *s)
{
	mem_warm((const void *)((uintptr_t)s + offsetof(struct store_series, end)));
}

enum store_verdict store_append_ref(struct appender *pub, struct store_series *s, int64_t t_ms, double v, const struct histogram *h)
{
	struct store_appender *a = own(pub);
	enum store_verdict verdict = judge_early(a, s, t_ms, v, h);
	bool ends = h == NULL && value_is_stale(v), late = verdict == STORE_OUT_OF_ORDER;

	if (late)
		verdict = judge_late(a, t_ms, ends);
	if (verdict != STORE_OK) {
		count(a->store, verdict);
		return verdict;
	}
	stage(a, (struct staged){ s, t_ms, v, h != NULL ? own_copy(h) : NULL, late ? STAGED_LATE : STAGED_SAMPLE, ends ? SERIES_GONE : SERIES_FRESH,
	                          false });
	a->n_late += late;
	return STORE_OK;
}

void store_append_end(struct appender *pub, struct store_series *s, int64_t t_ms, enum series_state why)
{
	stage(own(pub), (struct staged){ s, t_ms, value_stale(), NULL, STAGED_END, (unsigned char)why, false });
}

void store_append_state(struct appender *pub, struct store_series *s, enum series_state state)
{
	stage(own(pub), (struct staged){ s, 0, 0, NULL, STAGED_STATE, (unsigned char)state, false });
}

static bool refuse(enum store_verdict verdict, struct labels labels, int64_t t_ms, struct err *e)
{
	static const char *const why[] = {
		[STORE_DUPLICATE] = "it has another value at that time",
		[STORE_OUT_OF_ORDER] = "it has later samples",
		[STORE_TOO_OLD] = "that is older than the retention",
	};
	struct buf b = { .limit = 300 };

	labels_print(&b, labels);
	err_set(e, ERR_BAD_INPUT, -1, "cannot append to %s at %lld ms: %s", buf_z(&b), (long long)t_ms, why[verdict]);
	buf_fini(&b);
	return false;
}

static bool append(struct appender *pub, struct labels labels, int64_t t_ms, double v, const struct histogram *h, struct err *e)
{
	struct store_appender *a = own(pub);
	struct store_series *s = store_series_ref(a->store, labels, e);
	enum store_verdict verdict;

	if (s == NULL)
		return false;
	verdict = store_append_ref(pub, s, t_ms, v, h);
	if (verdict == STORE_OK) {
		a->v[a->n - 1].pinned = true;
		return true;
	}
	store_series_unref(a->store, s);
	return verdict == STORE_SAME || refuse(verdict, labels, t_ms, e);
}

static void mark_lost(struct appender *pub, struct labels labels, int64_t t_ms)
{
	struct store_appender *a = own(pub);
	struct store_series *s = store_series_find(a->store, labels);

	if (s == NULL)
		return;
	stage(a, (struct staged){ s, t_ms, 0, NULL, STAGED_STATE, SERIES_LOST, true });
}

const struct appender_ops store_appender_ops = { append, mark_lost, commit };
