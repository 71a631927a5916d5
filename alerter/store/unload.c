/* References to the chunks are gathered series by series, copies of them are written without any lock, and then each takes the
 * place of its original, unless a late sample replaced that meanwhile. A reader has the one or the other. Histograms stay: they
 * are pieces of their own. */
#include "store/unload.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/block_scratch.h"
#include "store/flush.h"
#include "store/internal.h"
#include "store/slab.h"
#include "store/spool.h"
#include "tocsin/mem.h"

enum { WORTH_BYTES = 512 << 10, ENDED_MS = 60000, RETRY_MS = 60000, ALIGN = 8 };

struct piece {
	struct store_series *series; /* a reference */
	struct chunk *chunk;         /* likewise */
	uint32_t at;                 /* in the file */
};

struct load {
	struct piece *v;
	size_t n, cap, bytes;
	int64_t oldest_ms, ended_ms;
};

static size_t in_file(const struct chunk *c)
{
	return (CHUNK_FIXED + chunk_data_bytes(c) + ALIGN - 1) / ALIGN * ALIGN;
}

bool unload_takes(const struct chunk *c)
{
	return !spool_has(c) && c->kind != CHUNK_HIST;
}

static void gather(struct store *st, struct shard *shard, struct store_series *s, void *ctx)
{
	struct load *l = ctx;

	(void)st;
	if (flush_has_ended(s, l->ended_ms))
		flush_close_open(shard, s);
	for (uint32_t i = 0; i < s->n_sealed; i++) {
		struct chunk *c = series_sealed(s, i);

		if (!unload_takes(c) || l->bytes + in_file(c) > SPOOL_FILE_BYTES)
			continue;
		l->v = mem_grow_tight(l->v, &l->cap, l->n + 1, sizeof *l->v);
		l->v[l->n++] = (struct piece){ s, c, (uint32_t)l->bytes };
		atomic_fetch_add(&s->refs, 1);
		chunk_ref(c);
		l->bytes += in_file(c);
		if (c->min_ms < l->oldest_ms)
			l->oldest_ms = c->min_ms;
	}
}

/* Nobody writes to a sealed chunk, but its references are counted in it. */
static bool write_chunk(struct scratch *file, const char *path, const struct chunk *c, struct err *e)
{
	static const char zeros[ALIGN];
	const struct chunk head = { .min_ms = c->min_ms, .span_ms = c->span_ms, .bits = c->bits, .n = c->n, .kind = c->kind,
		                    .sealed = true };
	size_t bytes = chunk_data_bytes(c);

	return scratch_put(file, path, &head, CHUNK_FIXED, e) && scratch_put(file, path, c->data, bytes, e) &&
	       scratch_put(file, path, zeros, in_file(c) - CHUNK_FIXED - bytes, e);
}

/* What the system finds no room for later would be read back as zeros: so it is asked before memory is given away. */
static bool sync_file(int fd, const char *path, struct err *e)
{
	return fdatasync(fd) == 0 || scratch_cannot(e, "sync", path);
}

/* Where the file is mapped; NULL: it is not. */
static char *write_file(struct store *st, const struct load *l, struct err *e)
{
	struct scratch file = { .fd = -1 };
	struct buf path = { 0 };
	char *mapped = NULL;
	bool ok = true;

	buf_printf(&path, "%s/sealed", st->history.dir);
	for (size_t i = 0; i < l->n && ok; i++)
		ok = write_chunk(&file, buf_z(&path), l->v[i].chunk, e);
	if (ok && scratch_spill(&file, buf_z(&path), e) && sync_file(file.fd, buf_z(&path), e)) {
		mapped = spool_map(file.fd, l->bytes, (uint32_t)l->n, l->oldest_ms);
		if (mapped == NULL)
			err_set(e, ERR_LIMIT, -1, "%d files are mapped already, or the system maps no more", SPOOL_FILES);
	}
	scratch_fini(&file);
	buf_fini(&path);
	return mapped;
}

static void put_copy(struct store *st, const struct piece *p, struct chunk *copy)
{
	struct shard *shard = series_shard(st, p->series);
	struct chunk *unused = copy;
	union sealed all;

	pthread_mutex_lock(&shard->lock);
	all = series_all_sealed(p->series);
	for (uint32_t i = 0; i < p->series->n_sealed; i++) {
		struct chunk **at = &sealed_at(&all, p->series->n_sealed)[i];

		if (*at != p->chunk)
			continue;
		*at = copy;
		unused = p->chunk;
		if (p->series->n_sealed == 1)
			p->series->sealed = near_to(copy);
		break;
	}
	pthread_mutex_unlock(&shard->lock);
	chunk_unref(unused);
}

static void load_fini(struct store *st, struct load *l)
{
	for (size_t i = 0; i < l->n; i++) {
		chunk_unref(l->v[i].chunk);
		store_series_release(st, l->v[i].series);
	}
	free(l->v);
}

/* True when there may be more. */
static bool unload_some(struct store *st, int64_t now_ms)
{
	struct load l = { .oldest_ms = INT64_MAX, .ended_ms = now_ms - ENDED_MS };
	struct history *h = &st->history;
	struct err e = { 0 };
	char *mapped = NULL;

	store_each_series(st, gather, &l);
	if (l.n > 0)
		mapped = write_file(st, &l, &e);
	for (size_t i = 0; i < l.n && mapped != NULL; i++)
		put_copy(st, &l.v[i], (struct chunk *)(void *)(mapped + l.v[i].at));
	if (mapped != NULL) {
		complain_works(&h->unloading, "moving sealed chunks to disk", h->dir, now_ms);
	} else if (l.n > 0) {
		complain_failed(&h->unloading, "moving sealed chunks to disk", h->dir, &e, now_ms);
		h->unload_ms = now_ms + RETRY_MS;
	}
	load_fini(st, &l);
	return mapped != NULL && l.bytes > SPOOL_FILE_BYTES - WORTH_BYTES;
}

void unload_all(struct store *st, int64_t now_ms)
{
	while (st->history.dir != NULL && unload_some(st, now_ms))
		;
	slab_trim();
}

void unload_when_due(struct store *st, int64_t now_ms)
{
	spool_cool();
	if (st->loaded_bytes >= WORTH_BYTES && !history_waits(st->history.unload_ms, now_ms, RETRY_MS))
		unload_all(st, now_ms);
}
