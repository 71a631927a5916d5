/* Importing: samples of any series in any order, but those of one series in time order, into a block a window of time. Chunks are
 * written as they fill up; what stays in memory is one open chunk a series and some 50 bytes for each chunk written, hence the limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/block.h"
#include "store/store.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

enum { IMPORT_MAX_SERIES = 2000000, IMPORT_MAX_CHUNKS = 8000000, IMPORT_MAX_WINDOWS = 400 };

struct import_window {
	int64_t number; /* of window_ms since 1970 */
	struct block_writer *writer;
};

struct store_import_series {
	struct labels labels;
	struct chunk_writer writer;
	struct import_window *window; /* NULL: no sample yet */
	uint32_t number;              /* in the window's block */
	int64_t last_ms, good_ms;     /* good_ms: in this window */
};

struct store_import {
	struct arena arena;
	char *dir;
	int64_t window_ms;
	struct map by_labels;
	struct store_import_series **series;
	size_t cap_series, n_chunks;
	struct import_window windows[IMPORT_MAX_WINDOWS];
	size_t n_windows;
	struct store_import_stats stats;
};

static bool make_folder(const char *path, struct err *e)
{
	return mkdir(path, 0750) == 0 || errno == EEXIST || err_set(e, ERR_IO, -1, "cannot make the folder %s: %s", path, strerror(errno));
}

struct store_import *store_import_new(const char *path, int64_t window_ms, struct err *e)
{
	struct store_import *im = mem_alloc(sizeof *im);
	struct buf dir = { 0 };

	buf_printf(&dir, "%s/blocks", path);
	(void)buf_z(&dir);
	im->dir = dir.p;
	im->window_ms = window_ms;
	im->stats = (struct store_import_stats){ .min_ms = INT64_MAX, .max_ms = INT64_MIN };
	if (make_folder(path, e) && make_folder(im->dir, e))
		return im;
	store_import_free(im);
	return NULL;
}

void store_import_free(struct store_import *im)
{
	if (im == NULL)
		return;
	for (size_t i = 0; i < im->stats.series; i++)
		chunk_unref(chunk_seal(&im->series[i]->writer));
	for (size_t i = 0; i < im->n_windows; i++)
		block_writer_free(im->windows[i].writer);
	map_fini(&im->by_labels);
	free(im->series);
	free(im->dir);
	arena_fini(&im->arena);
	free(im);
}

struct store_import_series *store_import_series(struct store_import *im, struct labels labels, struct err *e)
{
	struct store_import_series *s;
	struct buf key = { 0 };

	labels_print(&key, labels);
	s = map_get(&im->by_labels, buf_str(&key));
	if (s == NULL && im->stats.series == IMPORT_MAX_SERIES) {
		err_set(e, ERR_LIMIT, -1, "more than %d series (max_series of an import)", IMPORT_MAX_SERIES);
	} else if (s == NULL && store_labels_fit(labels, e)) {
		s = ARENA_NEW(&im->arena, struct store_import_series);
		s->labels = labels_copy(&im->arena, labels);
		s->last_ms = INT64_MIN;
		map_put(&im->by_labels, arena_str(&im->arena, buf_str(&key)), s);
		im->series = mem_grow(im->series, &im->cap_series, im->stats.series + 1, sizeof(struct store_import_series *));
		im->series[im->stats.series++] = s;
	}
	buf_fini(&key);
	return s;
}

/* Writes what <c> holds and lets go of it; NULL is nothing. */
static bool put_chunk(struct store_import *im, struct store_import_series *s, struct chunk *c, struct err *e)
{
	bool ok = true;

	if (c == NULL)
		return true;
	if (++im->n_chunks > IMPORT_MAX_CHUNKS)
		ok = err_set(e, ERR_LIMIT, -1, "more than %d chunks of up to %d samples (max_chunks of an import): cut the file in two",
		             IMPORT_MAX_CHUNKS, CHUNK_SAMPLES);
	ok = ok && block_writer_chunk(s->window->writer, s->number, c, s->good_ms, e);
	chunk_unref(c);
	return ok;
}

static struct import_window *find_window(struct store_import *im, int64_t number, struct err *e)
{
	struct import_window *w;

	for (size_t i = im->n_windows; i-- > 0;)
		if (im->windows[i].number == number)
			return &im->windows[i];
	if (im->n_windows == IMPORT_MAX_WINDOWS) {
		err_set(e, ERR_LIMIT, -1, "samples in more than %d windows of time (max_windows of an import): cut the file in two",
		        IMPORT_MAX_WINDOWS);
		return NULL;
	}
	w = &im->windows[im->n_windows];
	*w = (struct import_window){ number, block_writer_new(im->dir, e) };
	if (w->writer == NULL)
		return NULL;
	im->n_windows++;
	return w;
}

static int64_t window_number(const struct store_import *im, int64_t t_ms)
{
	return t_ms / im->window_ms - (t_ms % im->window_ms < 0);
}

static bool enter_window(struct store_import *im, struct store_import_series *s, int64_t number, struct err *e)
{
	if (s->window != NULL && !put_chunk(im, s, chunk_seal(&s->writer), e))
		return false;
	s->window = find_window(im, number, e);
	if (s->window == NULL)
		return false;
	s->number = block_writer_series(s->window->writer, s->labels);
	s->good_ms = INT64_MIN;
	return true;
}

static bool not_later(const struct store_import_series *s, int64_t t_ms, double v, struct err *e)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	if (t_ms < s->last_ms)
		return err_set(e, ERR_BAD_INPUT, -1, "out of order: the series has a later sample above (at %lld.%03lld)",
		               (long long)(s->last_ms / 1000), (long long)(s->last_ms % 1000));
	return bits == s->writer.v_bits || err_set(e, ERR_BAD_INPUT, -1, "the series has another value at that time above");
}

bool store_import_add(struct store_import *im, struct store_import_series *s, int64_t t_ms, double v, struct err *e)
{
	int64_t number = window_number(im, t_ms);
	struct chunk *full;

	if (s->window != NULL && t_ms <= s->last_ms)
		return not_later(s, t_ms, v, e);
	if ((s->window == NULL || s->window->number != number) && !enter_window(im, s, number, e))
		return false;
	full = chunk_append(&s->writer, t_ms, v, NULL);
	if (!put_chunk(im, s, full, e)) /* before good_ms moves on */
		return false;
	s->last_ms = t_ms;
	s->good_ms = value_is_stale(v) ? s->good_ms : t_ms;
	im->stats.samples++;
	im->stats.min_ms = t_ms < im->stats.min_ms ? t_ms : im->stats.min_ms;
	im->stats.max_ms = t_ms > im->stats.max_ms ? t_ms : im->stats.max_ms;
	return true;
}

bool store_import_commit(struct store_import *im, struct err *e)
{
	for (size_t i = 0; i < im->stats.series; i++)
		if (im->series[i]->window != NULL && !put_chunk(im, im->series[i], chunk_seal(&im->series[i]->writer), e))
			return false;
	for (size_t i = 0; i < im->n_windows; i++) { /* all of them, before there is one to be seen */
		int64_t beg = im->windows[i].number * im->window_ms, end = beg + im->window_ms;

		if (!block_writer_finish(im->windows[i].writer, beg < im->stats.min_ms ? im->stats.min_ms : beg,
		                         end > im->stats.max_ms ? im->stats.max_ms : end, e))
			return false;
	}
	for (size_t i = 0; i < im->n_windows; i++) {
		struct block_writer *w = im->windows[i].writer;

		if (block_writer_is_there(w))
			im->stats.same_blocks++;
		else if (!block_writer_publish(w, e))
			return false;
		im->stats.blocks++;
	}
	return true;
}

struct store_import_stats store_import_stats(const struct store_import *im)
{
	return im->stats;
}
