/* Remembered selections: the same matchers again get the same snapshot. A series that comes is tested against the entries of its
 * metric name only, and put behind the others. One that ends stays, until many have: then it is left out of the snapshot of those who ask
 * for nothing so old. An entry outlives its snapshots, so that its regexes are compiled once. Bounded by MEMORY_ENTRIES, MEMORY_BYTES
 * and MEMORY_SERIES, least recently used first out.
 * Callers hold the index lock, but for memory_leave_out, memory_leave and memory_revive; hence no series can come between the last one that
 * a gathering was told of and memory_remember. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"
#include "tocsin/regex.h"

enum { MEMORY_ENTRIES = 2048, MEMORY_SERIES = 2000000, MEMORY_BYTES = 64 << 20, ENTRY_FIRST = 256 };

/* An entry has two snapshots for those who look back far and those who do not: the second begins later than the first. */
enum { FAR, NEAR, N_REACHES };

/* The entries of one metric. */
struct family {
	struct buf metric; /* empty: those that name none */
	struct remembered **v;
	size_t n, cap;
};

struct remembered {
	struct buf text;    /* the key */
	struct arena arena; /* of the matchers */
	struct matcher *matchers;
	struct regex **regexes;
	size_t n, at;      /* at: place in memory.v */
	struct str metric; /* empty: any */
	struct family *family;
	size_t at_family;
	size_t bytes;
	uint64_t used;
	struct select_hints awake;             /* series at rest that it selects were woken from there to there … */
	uint64_t awake_no;                     /* … as of this rest_no() */
	bool far_used;                         /* since something was last left out of the near one */
	struct snapshot *snapshot[N_REACHES];  /* NULL: none, or stale */
};

void memory_init(struct memory *m)
{
	*m = (struct memory){ 0 };
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->revived_lock, NULL);
}

static void put_text(struct buf *b, struct str s)
{
	buf_put(b, &s.n, sizeof s.n);
	buf_puts(b, s);
}

static void put_key(struct buf *b, const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_putc(b, (char)m[i].op);
		put_text(b, m[i].name);
		put_text(b, m[i].value);
	}
}

static void forget_snapshot(struct store *st, struct remembered *r, int reach)
{
	if (r->snapshot[reach] == NULL)
		return;
	st->memory.n_series -= r->snapshot[reach]->n;
	snapshot_unref(st, r->snapshot[reach]);
	r->snapshot[reach] = NULL;
}

static void forget_both(struct store *st, struct remembered *r)
{
	forget_snapshot(st, r, FAR);
	forget_snapshot(st, r, NEAR);
}

/* ---- Families ---- */

static void family_join(struct memory *m, struct remembered *r)
{
	struct family *f = map_get(&m->by_metric, r->metric);

	if (f == NULL) {
		f = mem_alloc(sizeof *f);
		buf_puts(&f->metric, r->metric);
		map_put(&m->by_metric, buf_str(&f->metric), f);
	}
	r->family = f;
	r->at_family = f->n;
	f->v = mem_grow(f->v, &f->cap, f->n + 1, sizeof(struct remembered *));
	f->v[f->n++] = r;
}

static void family_leave(struct memory *m, struct remembered *r)
{
	struct family *f = r->family;

	f->v[r->at_family] = f->v[--f->n];
	f->v[r->at_family]->at_family = r->at_family;
	if (f->n > 0)
		return;
	map_del(&m->by_metric, buf_str(&f->metric));
	buf_fini(&f->metric);
	free(f->v);
	free(f);
}

/* Calls <fn> for each entry that <labels> belong to, or may. */
typedef void (*entry_fn)(struct store *, struct remembered *, struct store_series *, struct labels);

static void each_entry_of(struct store *st, const struct family *f, struct store_series *s, struct labels labels, entry_fn fn)
{
	for (size_t i = 0; f != NULL && i < f->n; i++) {
		struct remembered *r = f->v[i];
		struct err limit = { 0 };

		if (r->snapshot[FAR] == NULL && r->snapshot[NEAR] == NULL)
			continue;
		COUNT(st, selectors_tested, 1);
		if (matchers_test(r->matchers, r->n, labels, &limit))
			fn(st, r, s, labels);
		else if (limit.code != ERR_NONE)
			forget_both(st, r);
	}
}

static void each_entry(struct store *st, struct store_series *s, struct labels labels, entry_fn fn)
{
	struct str metric = labels_get(labels, STR(LABEL_NAME));

	if (metric.n > 0)
		each_entry_of(st, map_get(&st->memory.by_metric, metric), s, labels, fn);
	each_entry_of(st, map_get(&st->memory.by_metric, STR("")), s, labels, fn);
}

/* ---- Entries ---- */

static void drop(struct store *st, struct remembered *r)
{
	struct memory *m = &st->memory;

	forget_both(st, r);
	family_leave(m, r);
	map_del(&m->by_text, buf_str(&r->text));
	m->bytes -= r->bytes;
	m->v[r->at] = m->v[--m->n];
	m->v[r->at]->at = r->at;
	for (size_t i = 0; i < r->n; i++)
		regex_free(r->regexes[i]);
	arena_fini(&r->arena);
	buf_fini(&r->text);
	free(r);
}

void memory_fini(struct store *st)
{
	struct memory *m = &st->memory;

	while (m->n > 0)
		drop(st, m->v[0]);
	free(m->v);
	for (size_t i = 0; i < m->n_revived; i++)
		store_series_release(st, m->revived[i]);
	free(m->revived);
	map_fini(&m->by_text);
	map_fini(&m->by_metric);
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->revived_lock);
}

static struct remembered *lookup(struct store *st, const struct matcher *m, size_t n)
{
	struct buf key = { 0 };
	struct remembered *r;

	put_key(&key, m, n);
	r = map_get(&st->memory.by_text, buf_str(&key));
	buf_fini(&key);
	if (r != NULL)
		r->used = ++st->memory.clock;
	return r;
}

/* Where a series is among those of a snapshot, which rise by id; SIZE_MAX when it is not. */
static size_t place_in(const struct snapshot *s, const struct store_series *series)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->series[mid]->id < series->id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->series[lo] == series ? lo : SIZE_MAX;
}

static void forget_without(struct store *st, struct remembered *r, struct store_series *s, struct labels labels)
{
	(void)labels;
	for (int reach = 0; reach < N_REACHES; reach++)
		if (r->snapshot[reach] != NULL && place_in(r->snapshot[reach], s) == SIZE_MAX)
			forget_snapshot(st, r, reach);
}

static void forget_with(struct store *st, struct remembered *r, struct store_series *s, struct labels labels)
{
	(void)labels;
	for (int reach = 0; reach < N_REACHES; reach++)
		if (r->snapshot[reach] != NULL && place_in(r->snapshot[reach], s) != SIZE_MAX)
			forget_snapshot(st, r, reach);
}

void memory_revive(struct store *st, struct store_series *s)
{
	struct memory *m = &st->memory;

	s->left_out = 0;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_lock(&m->revived_lock);
	m->revived = mem_grow(m->revived, &m->revived_cap, m->n_revived + 1, sizeof(struct store_series *));
	m->revived[m->n_revived] = s;
	atomic_fetch_add(&m->n_revived, 1);
	pthread_mutex_unlock(&m->revived_lock);
}

/* Who was left out and lives again is missing in what was made without it. */
static void take_revived(struct store *st)
{
	struct memory *m = &st->memory;
	struct store_series **v;
	size_t n;

	pthread_mutex_lock(&m->revived_lock);
	v = m->revived;
	n = m->n_revived;
	m->revived = NULL;
	m->revived_cap = 0;
	atomic_store(&m->n_revived, 0);
	pthread_mutex_unlock(&m->revived_lock);
	for (size_t i = 0; i < n; i++) {
		struct label *labels = mem_alloc(index_n_pairs(&st->index, v[i]) * sizeof *labels);

		each_entry(st, v[i], index_labels(&st->index, v[i], labels), forget_without);
		free(labels);
		store_series_release(st, v[i]);
	}
	free(v);
}

static bool any_unseen(struct store *st)
{
	bool any;

	pthread_mutex_lock(&st->unseen_lock);
	any = st->n_unseen > 0;
	pthread_mutex_unlock(&st->unseen_lock);
	return any;
}

static bool serves(struct store *st, const struct snapshot *s, int64_t min_ms)
{
	return s != NULL && (s->floor_ms == INT64_MIN || (min_ms > s->floor_ms && !(s->left_history && any_unseen(st))));
}

bool memory_find(struct store *st, const struct matcher *m, size_t n, int64_t min_ms, struct view *out)
{
	struct remembered *r;
	bool found = false;

	pthread_mutex_lock(&st->memory.lock);
	if (atomic_load(&st->memory.n_revived) > 0)
		take_revived(st);
	r = lookup(st, m, n);
	for (int reach = N_REACHES - 1; r != NULL && reach >= 0 && !found; reach--) {
		if (!serves(st, r->snapshot[reach], min_ms))
			continue;
		*out = snapshot_view(r->snapshot[reach]);
		r->far_used |= reach == FAR;
		found = true;
	}
	pthread_mutex_unlock(&st->memory.lock);
	return found;
}

static void drop_oldest(struct store *st)
{
	struct remembered *oldest = st->memory.v[0];

	for (size_t i = 1; i < st->memory.n; i++)
		if (st->memory.v[i]->used < oldest->used)
			oldest = st->memory.v[i];
	drop(st, oldest);
}

/* The caller's regexes die with its expression: an entry compiles its own. NULL when that fails. */
static struct remembered *remembered_new(const struct matcher *m, size_t n)
{
	struct remembered *r = mem_alloc(sizeof *r);
	struct err e = { 0 };

	put_key(&r->text, m, n);
	arena_init_small(&r->arena, ENTRY_FIRST);
	r->matchers = ARENA_ARRAY(&r->arena, n, struct matcher);
	r->regexes = ARENA_ARRAY(&r->arena, n, struct regex *);
	for (r->n = 0; r->n < n; r->n++) {
		struct matcher *own = &r->matchers[r->n];

		*own = m[r->n];
		own->name = arena_str(&r->arena, m[r->n].name);
		own->value = arena_str(&r->arena, m[r->n].value);
		if (own->op == MATCH_EQ && str_eq(own->name, STR(LABEL_NAME)))
			r->metric = own->value;
		if (own->re == NULL)
			continue;
		own->re = r->regexes[r->n] = regex_new(own->value, REGEX_MATCHER, &e);
		if (own->re == NULL)
			break;
		r->bytes += regex_bytes(own->re);
	}
	r->bytes += sizeof *r + r->text.cap + r->arena.total_bytes;
	if (r->n == n)
		return r;
	for (size_t i = 0; i < r->n; i++)
		regex_free(r->regexes[i]);
	arena_fini(&r->arena);
	buf_fini(&r->text);
	free(r);
	return NULL;
}

static void put_snapshot(struct store *st, struct remembered *r, int reach, struct snapshot *s)
{
	forget_snapshot(st, r, reach);
	atomic_fetch_add(&s->refs, 1);
	r->snapshot[reach] = s;
	st->memory.n_series += s->n;
}

static void trim(struct store *st)
{
	struct memory *m = &st->memory;

	while (m->n > MEMORY_ENTRIES || ((m->n_series > MEMORY_SERIES || m->bytes > MEMORY_BYTES) && m->n > 1))
		drop_oldest(st);
}

void memory_remember(struct store *st, const struct matcher *m, size_t n, struct snapshot *s)
{
	struct memory *mem = &st->memory;
	struct remembered *r;

	pthread_mutex_lock(&mem->lock);
	r = lookup(st, m, n);
	if (r == NULL && (r = remembered_new(m, n)) != NULL) {
		r->at = mem->n;
		mem->v = mem_grow(mem->v, &mem->cap, mem->n + 1, sizeof(struct remembered *));
		mem->v[mem->n++] = r;
		mem->bytes += r->bytes;
		map_put(&mem->by_text, buf_str(&r->text), r);
		family_join(mem, r);
		r->used = ++mem->clock;
	}
	if (r != NULL) {
		r->far_used = true;
		put_snapshot(st, r, FAR, s);
	}
	trim(st);
	pthread_mutex_unlock(&mem->lock);
}

bool memory_is_awake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t no)
{
	const struct remembered *r;
	bool awake;

	pthread_mutex_lock(&st->memory.lock);
	r = lookup(st, m, n);
	awake = r != NULL && r->awake_no == no && r->awake.min_ms <= reach.min_ms && r->awake.max_ms >= reach.max_ms;
	pthread_mutex_unlock(&st->memory.lock);
	return awake;
}

static bool touch(struct select_hints a, struct select_hints b)
{
	return a.min_ms <= b.max_ms && b.min_ms <= a.max_ms;
}

void memory_note_awake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, uint64_t no)
{
	struct remembered *r;

	pthread_mutex_lock(&st->memory.lock);
	r = lookup(st, m, n);
	if (r != NULL && r->awake_no == no && touch(r->awake, reach)) {
		reach.min_ms = r->awake.min_ms < reach.min_ms ? r->awake.min_ms : reach.min_ms;
		reach.max_ms = r->awake.max_ms > reach.max_ms ? r->awake.max_ms : reach.max_ms;
	}
	if (r != NULL) {
		r->awake = reach;
		r->awake_no = no;
	}
	pthread_mutex_unlock(&st->memory.lock);
}

static void add_to_entry(struct store *st, struct remembered *r, struct store_series *s, struct labels labels)
{
	for (int reach = 0; reach < N_REACHES; reach++)
		if (r->snapshot[reach] != NULL) {
			snapshot_add(r->snapshot[reach], s, labels);
			st->memory.n_series++;
		}
}

static void tell_entries(struct store *st, struct store_series *s)
{
	struct label *own = mem_alloc(index_n_pairs(&st->index, s) * sizeof *own);

	each_entry(st, s, index_labels(&st->index, s, own), add_to_entry);
	trim(st);
	free(own);
}

void memory_add(struct store *st, struct store_series *s)
{
	pthread_mutex_lock(&st->memory.lock);
	if (st->memory.n > 0)
		tell_entries(st, s);
	for (struct gathering *g = st->memory.gatherings; g != NULL; g = g->next) {
		g->came.v = mem_grow(g->came.v, &g->came.cap, g->came.n + 1, sizeof(struct store_series *));
		g->came.v[g->came.n++] = s;
		atomic_fetch_add(&s->refs, 1);
	}
	pthread_mutex_unlock(&st->memory.lock);
}

void memory_drop(struct store *st, struct store_series *s)
{
	struct label *own = mem_alloc(index_n_pairs(&st->index, s) * sizeof *own);

	pthread_mutex_lock(&st->memory.lock);
	each_entry(st, s, index_labels(&st->index, s, own), forget_with);
	for (struct gathering *g = st->memory.gatherings; g != NULL; g = g->next) {
		g->gone = mem_grow(g->gone, &g->cap_gone, g->n_gone + 1, sizeof *g->gone);
		g->gone[g->n_gone++] = s->id;
	}
	pthread_mutex_unlock(&st->memory.lock);
	free(own);
}

void memory_join(struct store *st, struct gathering *g)
{
	pthread_mutex_lock(&st->memory.lock);
	g->next = st->memory.gatherings;
	st->memory.gatherings = g;
	pthread_mutex_unlock(&st->memory.lock);
}

void memory_leave(struct store *st, struct gathering *g)
{
	struct gathering **at = &st->memory.gatherings;

	pthread_mutex_lock(&st->memory.lock);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	pthread_mutex_unlock(&st->memory.lock);
}

void memory_clear_shelves(struct store *st, int64_t since_ms)
{
	pthread_mutex_lock(&st->memory.lock);
	for (size_t i = 0; i < st->memory.n; i++)
		for (int reach = 0; reach < N_REACHES; reach++)
			if (st->memory.v[i]->snapshot[reach] != NULL)
				shelf_drop(st, st->memory.v[i]->snapshot[reach], since_ms);
	pthread_mutex_unlock(&st->memory.lock);
}

/* ---- Leaving out ---- */

/* True when the series ended before <min_ms>, and not because it is lost: nothing that is asked of later times depends on it. It is
 * marked, so that its next sample is told. <end_ms>: raised to its end. */
static bool leave_series_out(struct store *st, struct store_series *s, int64_t min_ms, int64_t *end_ms)
{
	struct shard *shard = series_shard(st, s);
	enum series_state state;
	int64_t last_ms;
	bool over;

	pthread_mutex_lock(&shard->lock);
	state = atomic_load(&s->state);
	last_ms = series_end_ms(s);
	over = last_ms < min_ms && (state == SERIES_GONE || (state == SERIES_LOST && series_is_never_lost(s)) ||
	                            (state == SERIES_FRESH && atomic_load(&s->from_history)));
	if (over) {
		s->left_out = 1;
		*end_ms = last_ms > *end_ms ? last_ms : *end_ms;
	}
	pthread_mutex_unlock(&shard->lock);
	return over;
}

static struct snapshot *snapshot_without(struct store *st, const struct snapshot *old, const struct store_selection *sel,
                                         int64_t min_ms)
{
	struct snapshot *s = snapshot_new(st, old->n);

	s->floor_ms = old->floor_ms;
	s->left_history = old->left_history;
	for (size_t i = 0; i < old->n; i++) {
		bool history = atomic_load(&old->series[i]->from_history);

		if (i < sel->pub.n && sel->pub.v[i].state == SERIES_GONE && !(history && sel->pub.unseen) &&
		    leave_series_out(st, old->series[i], min_ms, &s->floor_ms))
			s->left_history |= history;
		else
			snapshot_add(s, old->series[i], old->labels[i]);
	}
	return s;
}

void memory_leave_out(struct store *st, const struct matcher *m, size_t n, const struct store_selection *sel, int64_t min_ms)
{
	struct remembered *r;
	struct snapshot *s;
	int from;

	pthread_mutex_lock(&st->memory.lock);
	r = lookup(st, m, n);
	for (from = 0; r != NULL && from < N_REACHES && r->snapshot[from] != sel->view.snapshot;)
		from++;
	if (r != NULL && from < N_REACHES) {
		s = snapshot_without(st, r->snapshot[from], sel, min_ms);
		if (from == NEAR && !r->far_used)
			forget_snapshot(st, r, FAR);
		r->far_used = false;
		put_snapshot(st, r, from == FAR && r->snapshot[NEAR] != NULL ? FAR : NEAR, s);
		snapshot_unref(st, s);
	}
	pthread_mutex_unlock(&st->memory.lock);
}
