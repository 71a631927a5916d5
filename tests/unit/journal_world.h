/* A store with a journal in a temporary folder, on a clock wound by hand; crash() is what a kill leaves. */
#ifndef JOURNAL_WORLD_H
#define JOURNAL_WORLD_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "store/record_ops.h"
#include "store_world.h"

struct world {
	struct fixture f;
	char dir[64];
};

static inline void start(struct world *w, int64_t now_ms)
{
	struct store_options o = { .clock = &w->f.clock };
	struct err e = { 0 };

	w->f = (struct fixture){ .clock = clock_manual(now_ms) };
	w->f.store = store_new(&o);
	if (!store_open_history(w->f.store, w->dir, &e) || !store_open_journal(w->f.store, w->dir, &e))
		fail_msg("%s", e.msg);
	w->f.app = store_appender_new(w->f.store);
	w->f.q = store_querier(w->f.store);
}

static inline void begin(struct world *w)
{
	*w = (struct world){ .dir = "/tmp/test-journal-XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	start(w, MS(0));
}

/* As kill -9 a moment later: nothing is flushed. */
static inline void crash(struct world *w)
{
	teardown(&w->f);
}

static inline void restart(struct world *w, int64_t now_ms)
{
	crash(w);
	start(w, now_ms);
}

/* Calls <fn> with every file of <sub>/ that ends so; returns how many there are. */
static inline size_t each_file(const struct world *w, const char *sub, const char *suffix, void (*fn)(const char *path, void *ctx), void *ctx)
{
	return files_each(w->dir, sub, suffix, fn, ctx);
}

static inline void cut_name(const char *path, void *ctx)
{
	char to[512];

	(void)ctx;
	snprintf(to, sizeof to, "%s", path);
	snprintf(strrchr(to, '.'), 8, ".cut");
	assert_int_equal(rename(path, to), 0);
}

/* Twice, the second time from a checkpoint of everything: a log that bears that name makes the first start write one. */
static inline void restart_from_checkpoint(struct world *w, int64_t now_ms)
{
	crash(w);
	each_file(w, "journal", ".log", cut_name, NULL);
	start(w, now_ms);
	restart(w, now_ms);
}

static inline void remove_folder(struct world *w, const char *sub)
{
	char dir[96];

	each_file(w, sub, "", remove_file, NULL);
	snprintf(dir, sizeof dir, "%s/%s", w->dir, sub);
	assert_int_equal(rmdir(dir), 0);
}

static inline void end(struct world *w)
{
	teardown(&w->f);
	remove_folder(w, "blocks");
	remove_folder(w, "journal");
	assert_int_equal(rmdir(w->dir), 0);
}

static inline void put1(struct world *w, const char *labels, int64_t t_ms, double v)
{
	assert_true(put(&w->f, labels, t_ms, v));
	commit(&w->f);
}

static inline size_t count_of(struct world *w, const char *metric)
{
	char text[80];
	struct selection *s;
	size_t n = 0;

	snprintf(text, sizeof text, "__name__ = %s", metric);
	s = pick(&w->f, text);
	for (size_t i = 0; i < s->n; i++)
		n += read_all(&w->f, s, i).n;
	drop(&w->f, s);
	return n;
}

static inline enum series_state state_of(struct world *w, const char *metric)
{
	char text[80];
	struct selection *s;
	enum series_state state;

	snprintf(text, sizeof text, "__name__ = %s", metric);
	s = pick(&w->f, text);
	assert_int_equal(s->n, 1);
	state = s->v[0].state;
	drop(&w->f, s);
	return state;
}

#endif
