/* A world for tests of history: a store over a folder that outlives it. */
#ifndef TOCSIN_TESTS_HISTORY_WORLD_H
#define TOCSIN_TESTS_HISTORY_WORLD_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "store/block.h"
#include "store_world.h"
#include "tocsin/mem.h"

enum { MINUTE_S = 60, HOUR_S = 3600 };

/* A fixture over a folder that outlives it. */
struct world {
	struct fixture f;
	char dir[64];
	struct store_options options;
};

static inline void start(struct world *w, int64_t now_ms)
{
	struct err e = { 0 };

	setup(&w->f, (struct store_options){ 0 });
	store_appender_free(w->f.app);
	store_free(w->f.store);
	w->f.clock = clock_manual(now_ms);
	w->options.clock = &w->f.clock;
	w->f.store = store_new(&w->options);
	if (!store_open_history(w->f.store, w->dir, &e))
		fail_msg("%s", e.msg);
	w->f.app = store_appender_new(w->f.store);
	w->f.q = store_querier(w->f.store);
}

static inline void begin(struct world *w, int64_t now_ms)
{
	*w = (struct world){ .dir = "/tmp/test-history-XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	start(w, now_ms);
}

static inline void restart(struct world *w, int64_t now_ms)
{
	struct err e = { 0 };

	assert_true(store_flush(w->f.store, &e));
	teardown(&w->f);
	start(w, now_ms);
}

/* Both clocks go on; one that changes <wall> alone puts it forward. */
static inline void let_pass(struct world *w, int seconds)
{
	w->f.clock.wall += (int64_t)seconds * 1000;
	w->f.clock.mono += (int64_t)seconds * 1000;
}

/* Calls <fn> with every file of blocks/; returns how many end in <suffix>. */
static inline size_t each_file(const struct world *w, const char *suffix, void (*fn)(const char *path, void *ctx), void *ctx)
{
	return files_each(w->dir, "blocks", suffix, fn, ctx);
}

static inline void end(struct world *w)
{
	char dir[96];

	teardown(&w->f);
	each_file(w, "", remove_file, NULL);
	snprintf(dir, sizeof dir, "%s/blocks", w->dir);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rmdir(w->dir), 0);
}

static inline void import(struct world *w, const char *labels, const int *seconds, const double *values, size_t n)
{
	struct err e = { 0 };
	struct store_import *im = store_import_new(w->dir, 86400000, &e);
	struct store_import_series *s = store_import_series(im, parse_labels(&w->f.arena, labels), &e);

	for (size_t i = 0; i < n; i++)
		assert_true(store_import_add(im, s, MS(seconds[i]), values[i], &e));
	assert_true(store_import_commit(im, &e));
	store_import_free(im);
}

#endif
