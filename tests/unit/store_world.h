/* A world for tests of the store: a store, an appender, a clock that stands still, and label sets and matchers as short texts. */
#ifndef TOCSIN_TESTS_STORE_WORLD_H
#define TOCSIN_TESTS_STORE_WORLD_H

#include <stdlib.h>

#include "store/internal.h"
#include "store/slab.h"
#include "store/spool.h"
#include "store/unload.h"
#include "tests.h"
#include "tocsin/regex.h"

enum { T0 = 1700000000 };
#define MS(s) ((int64_t)(T0 + (s)) * 1000)

struct fixture {
	struct clock clock;
	struct store *store;
	struct appender *app;
	struct querier *q;
	struct arena arena;
};

static inline void setup(struct fixture *f, struct store_options o)
{
	*f = (struct fixture){ .clock = clock_manual(MS(0)) };
	o.clock = &f->clock;
	f->store = store_new(&o);
	f->app = store_appender_new(f->store);
	f->q = store_querier(f->store);
}

static inline void teardown(struct fixture *f)
{
	store_appender_free(f->app);
	store_free(f->store);
	arena_fini(&f->arena);
}

/* As the end of a group of tests: what the sanitizers do not see of small pieces and mapped files. */
static inline int no_piece_is_left(void **state)
{
	(void)state;
	return slab_pieces() == 0 && spool_files() == 0 ? 0 : -1;
}

/* What is sealed goes to disk, however little it is. */
static inline void unload(struct fixture *f)
{
	pthread_mutex_lock(&f->store->maintain_lock);
	unload_all(f->store, clock_now_ms(&f->clock));
	pthread_mutex_unlock(&f->store->maintain_lock);
}

/* "name a=b c=d" */
static inline struct labels parse_labels(struct arena *a, const char *text)
{
	struct label *v = ARENA_ARRAY(a, 8, struct label);
	struct str rest = str_of(text), part;
	struct labels out;
	size_t n = 0;

	while (str_cut(&rest, ' ', &part)) {
		size_t eq = str_chr(part, '=');

		if (eq == part.n)
			v[n++] = (struct label){ STR(LABEL_NAME), part };
		else
			v[n++] = (struct label){ { part.p, eq }, { part.p + eq + 1, part.n - eq - 1 } };
	}
	assert_true(labels_from(v, n, &out, NULL));
	return out;
}

static inline bool put(struct fixture *f, const char *labels, int64_t t_ms, double v)
{
	struct err e = { 0 };

	return f->app->ops->append(f->app, parse_labels(&f->arena, labels), t_ms, v, NULL, &e);
}

static inline void commit(struct fixture *f)
{
	struct err e = { 0 };

	assert_true(f->app->ops->commit(f->app, &e));
}

/* "name op value" triples, space-separated: "__name__ = up job =~ a|b" */
static inline size_t parse_matchers(struct arena *a, const char *text, struct matcher *m, struct regex **re)
{
	struct str rest = str_of(text), name, op, value;
	size_t n = 0;

	while (str_cut(&rest, ' ', &name) && str_cut(&rest, ' ', &op)) {
		struct err e = { 0 };

		if (!str_cut(&rest, ' ', &value))
			value = STR("");
		m[n] = (struct matcher){ MATCH_EQ, arena_str(a, name), arena_str(a, value), NULL };
		m[n].op = str_eq(op, STR("="))    ? MATCH_EQ
		          : str_eq(op, STR("!=")) ? MATCH_NE
		          : str_eq(op, STR("=~")) ? MATCH_RE
		                                  : MATCH_NRE;
		re[n] = m[n].op >= MATCH_RE ? regex_new(m[n].value, REGEX_ANCHORED, &e) : NULL;
		m[n].re = re[n];
		n++;
	}
	return n;
}

static inline struct selection *pick_as_of(struct fixture *f, const char *text, uint64_t as_of)
{
	struct matcher m[4];
	struct regex *re[4];
	struct err e = { 0 };
	size_t n = parse_matchers(&f->arena, text, m, re);
	struct selection *s = f->q->ops->select(f->q, m, n, (struct select_hints){ 0, INT64_MAX, as_of }, &e);

	assert_non_null(s);
	for (size_t i = 0; i < n; i++)
		regex_free(re[i]);
	return s;
}

static inline struct selection *pick(struct fixture *f, const char *text)
{
	return pick_as_of(f, text, 0);
}

static inline struct samples read_all(struct fixture *f, const struct selection *s, size_t i)
{
	struct samples out;
	struct err e = { 0 };

	assert_true(f->q->ops->samples(f->q, s, i, INT64_MIN, INT64_MAX, false, &f->arena, &out, &e));
	return out;
}

static inline void drop(struct fixture *f, struct selection *s)
{
	f->q->ops->release(f->q, s);
}

#endif
