/* Remembered selections: the same matchers again, and no series of theirs came or went, get the same snapshot. A series that comes
 * or goes is tested against the entries of its metric name only. An entry outlives its snapshot, so that its regexes are compiled
 * once. Bounded by MEMORY_ENTRIES and MEMORY_SERIES, least recently used first out.
 * Callers hold the index lock; hence no series can come between reading the index and memory_remember. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"
#include "tocsin/regex.h"

enum { MEMORY_ENTRIES = 2048, MEMORY_SERIES = 2000000 };

struct remembered {
	struct buf text;    /* the key */
	struct arena arena; /* of the matchers */
	struct matcher *matchers;
	struct regex **regexes;
	size_t n, at;      /* at: place in memory.v */
	struct str metric; /* empty: any */
	uint64_t used;
	struct snapshot *snapshot; /* NULL: stale */
};

void memory_init(struct memory *m)
{
	*m = (struct memory){ 0 };
	pthread_mutex_init(&m->lock, NULL);
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

static void forget_snapshot(struct store *st, struct remembered *r)
{
	if (r->snapshot == NULL)
		return;
	st->memory.n_series -= r->snapshot->n;
	snapshot_unref(st, r->snapshot);
	r->snapshot = NULL;
}

static void drop(struct store *st, struct remembered *r)
{
	struct memory *m = &st->memory;

	forget_snapshot(st, r);
	map_del(&m->by_text, buf_str(&r->text));
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
	while (st->memory.n > 0)
		drop(st, st->memory.v[0]);
	free(st->memory.v);
	map_fini(&st->memory.by_text);
	pthread_mutex_destroy(&st->memory.lock);
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

struct snapshot *memory_find(struct store *st, const struct matcher *m, size_t n)
{
	struct remembered *r;
	struct snapshot *s = NULL;

	pthread_mutex_lock(&st->memory.lock);
	r = lookup(st, m, n);
	if (r != NULL && r->snapshot != NULL) {
		s = r->snapshot;
		atomic_fetch_add(&s->refs, 1);
	}
	pthread_mutex_unlock(&st->memory.lock);
	return s;
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
		own->re = r->regexes[r->n] = regex_new(own->value, REGEX_ANCHORED, &e);
		if (own->re == NULL)
			break;
	}
	if (r->n == n)
		return r;
	for (size_t i = 0; i < r->n; i++)
		regex_free(r->regexes[i]);
	arena_fini(&r->arena);
	buf_fini(&r->text);
	free(r);
	return NULL;
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
		map_put(&mem->by_text, buf_str(&r->text), r);
		r->used = ++mem->clock;
	}
	if (r != NULL) {
		forget_snapshot(st, r);
		atomic_fetch_add(&s->refs, 1);
		r->snapshot = s;
		mem->n_series += s->n;
	}
	while (mem->n > MEMORY_ENTRIES || (mem->n_series > MEMORY_SERIES && mem->n > 1))
		drop_oldest(st);
	pthread_mutex_unlock(&mem->lock);
}

void memory_touch(struct store *st, struct labels labels)
{
	struct str metric = labels_get(labels, STR(LABEL_NAME));

	pthread_mutex_lock(&st->memory.lock);
	for (size_t i = 0; i < st->memory.n; i++) {
		struct remembered *r = st->memory.v[i];
		struct err limit = { 0 };

		if (r->snapshot == NULL || (r->metric.n > 0 && !str_eq(r->metric, metric)))
			continue;
		if (matchers_test(r->matchers, r->n, labels, &limit) || limit.code != ERR_NONE)
			forget_snapshot(st, r);
	}
	pthread_mutex_unlock(&st->memory.lock);
}
