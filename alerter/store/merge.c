/* Several blocks become one: series by rising hash, as they lie in each; a chunk is copied as it is unless those of its series overlap or
 * are small, then they are made anew. Memory: what describes the series, not the chunks. */
#include <assert.h>
#include <stdlib.h>

#include "store/block.h"
#include "store/run.h"
#include "tocsin/mem.h"

enum { RESTART_MS = 60000, SMALL_CHUNK = CHUNK_SAMPLES / 2 };

struct merge_part {
	struct block *block;
	uint32_t at;     /* the next series */
	uint64_t hash;   /* its own; computing it takes long */
	uint32_t series; /* of the one at hand; BLOCK_NONE: it has nothing of it */
};

struct merge {
	struct merge_part *parts;
	size_t n;
	struct block_writer *writer;
	const struct block_except *except; /* NULL: nothing */
	struct arena arena;                /* of one series */
};

/* Which series of the part it is, BLOCK_NONE: none. They are sorted alike, so none before the next one is. */
static uint32_t find(const struct merge_part *p, struct block *of, uint32_t i, uint64_t hash)
{
	struct label v[STORE_MAX_LABELS];

	if (p->at == p->block->n_series || p->hash > hash)
		return BLOCK_NONE;
	return block_find(p->block, block_labels(of, i, v), hash);
}

/* ---- One series ---- */

struct tally {
	size_t chunks, samples;
	int64_t good_ms;
	bool overlap, has_hist, except;
};

static struct tally look(const struct merge *m)
{
	struct tally t = { .good_ms = INT64_MIN };
	int64_t last_ms = INT64_MIN, good_ms;

	for (size_t i = 0; i < m->n; i++) {
		const struct block *b = m->parts[i].block;
		uint32_t series = m->parts[i].series;

		if (series == BLOCK_NONE)
			continue;
		good_ms = block_good_ms(b, series);
		t.good_ms = good_ms > t.good_ms ? good_ms : t.good_ms;
		for (uint32_t k = block_first(b, series), n = block_n_entries(b, series); n > 0; k++, n--) {
			struct block_entry c = block_entry(b, k);

			t.overlap |= t.chunks > 0 && c.min_ms <= last_ms;
			t.has_hist |= c.kind == CHUNK_HIST;
			last_ms = c.max_ms;
			t.samples += c.n;
			t.chunks++;
		}
	}
	return t;
}

/* What is damaged is left out: nothing can be read from it any more. */
static bool copy_chunks(struct merge *m, uint32_t number, int64_t good_ms, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		struct block *b = m->parts[i].block;
		uint32_t series = m->parts[i].series;

		if (series == BLOCK_NONE)
			continue;
		for (uint32_t k = block_first(b, series), n = block_n_entries(b, series); n > 0; k++, n--) {
			struct chunk_view view;

			if (block_bytes(b, k, &view) &&
			    !block_writer_view(m->writer, number, &view, block_entry(b, k).max_ms, good_ms, e))
				return false;
		}
	}
	return true;
}

static void read_all(struct merge *m, struct run *r)
{
	for (size_t i = 0; i < m->n; i++) {
		struct block *b = m->parts[i].block;
		uint32_t series = m->parts[i].series;
		size_t seam = r->n;

		if (series == BLOCK_NONE)
			continue;
		for (uint32_t k = block_first(b, series), n = block_n_entries(b, series); n > 0; k++, n--)
			if (block_read(b, k, r->t + r->n, r->v + r->n, r->h != NULL ? r->h + r->n : NULL, &m->arena))
				r->n += block_entry(b, k).n;
		run_mend(r, seam, &m->arena);
	}
}

static bool put(struct merge *m, uint32_t number, struct chunk *c, int64_t good_ms, struct err *e)
{
	bool ok = c == NULL || block_writer_chunk(m->writer, number, c, good_ms, e);

	chunk_unref(c);
	return ok;
}

/* Without what is excepted. */
static void thin(const struct merge *m, struct run *r, struct tally *t)
{
	size_t n = 0;

	t->good_ms = INT64_MIN;
	for (size_t i = 0; i < r->n; i++) {
		if (r->t[i] >= m->except->min_ms && r->t[i] <= m->except->max_ms)
			continue;
		if (!value_is_stale(r->v[i]))
			t->good_ms = r->t[i];
		run_set(r, n++, r, i);
	}
	r->n = n;
}

static bool make_anew(struct merge *m, uint32_t number, struct tally *t, struct err *e)
{
	struct run r = run_new(t->samples, t->has_hist, &m->arena);
	struct chunk_writer w = { 0 };
	bool ok = true;

	read_all(m, &r);
	if (t->except)
		thin(m, &r, t);
	for (size_t i = 0; ok && i < r.n; i++)
		ok = put(m, number, chunk_append(&w, r.t[i], r.v[i], r.h != NULL ? r.h[i] : NULL), t->good_ms, e);
	if (!ok) {
		chunk_unref(chunk_seal(&w));
		return false;
	}
	return put(m, number, chunk_seal(&w), t->good_ms, e);
}

/* Series <i> of part <first>, of which no part before has anything. */
static bool merge_series(struct merge *m, size_t first, uint32_t i, uint64_t hash, struct err *e)
{
	struct block *of = m->parts[first].block;
	struct label v[STORE_MAX_LABELS];
	struct tally t;
	uint32_t number;
	bool ok;

	for (size_t k = 0; k < m->n; k++)
		m->parts[k].series = k < first ? BLOCK_NONE : k == first ? i : find(&m->parts[k], of, i, hash);
	t = look(m);
	t.except = m->except != NULL && block_excepts(m->except, block_labels(of, i, v));
	number = block_writer_series(m->writer, block_labels(of, i, v));
	ok = t.overlap || t.except || t.samples < t.chunks * SMALL_CHUNK ? make_anew(m, number, &t, e) : copy_chunks(m, number, t.good_ms, e);
	arena_reset(&m->arena);
	return ok;
}

/* ---- All of them ---- */

static bool had_before(const struct merge *m, size_t part, uint32_t i, uint64_t hash)
{
	for (size_t k = 0; k < part; k++)
		if (find(&m->parts[k], m->parts[part].block, i, hash) != BLOCK_NONE)
			return true;
	return false;
}

/* False: there are no more. */
static bool lowest_hash(const struct merge *m, uint64_t *hash)
{
	bool any = false;

	for (size_t i = 0; i < m->n; i++) {
		const struct merge_part *p = &m->parts[i];

		if (p->at == p->block->n_series)
			continue;
		if (!any || p->hash < *hash)
			*hash = p->hash;
		any = true;
	}
	return any;
}

static uint64_t hash_of(const struct block *b, uint32_t series)
{
	struct label v[STORE_MAX_LABELS];

	return series_hash(block_labels(b, series, v));
}

static void go_to(struct merge_part *p, uint32_t series)
{
	p->at = series;
	p->hash = series < p->block->n_series ? hash_of(p->block, series) : 0;
}

/* Every series with that hash. Parts move on only when all is done, since find() looks at where they are. */
static bool merge_hash(struct merge *m, uint64_t hash, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct merge_part *p = &m->parts[i];

		for (uint32_t k = p->at; k < p->block->n_series && (k == p->at ? p->hash : hash_of(p->block, k)) == hash; k++)
			if (!had_before(m, i, k, hash) && !merge_series(m, i, k, hash, e))
				return false;
	}
	for (size_t i = 0; i < m->n; i++) {
		struct merge_part *p = &m->parts[i];

		while (p->at < p->block->n_series && p->hash == hash)
			go_to(p, p->at + 1);
	}
	return true;
}

static bool merge_all(struct merge *m, const _Atomic bool *stop, struct err *e)
{
	uint64_t hash = 0;

	while (lowest_hash(m, &hash)) {
		if (atomic_load_explicit(stop, memory_order_relaxed))
			return err_set(e, ERR_CANCELED, -1, "the program stops");
		if (!merge_hash(m, hash, e))
			return false;
	}
	return true;
}

/* Nothing is missing behind the last gap between the parts. */
static void covers(struct block *const *parts, size_t n, int64_t *from_ms, int64_t *until_ms)
{
	*from_ms = parts[0]->header->from_ms;
	*until_ms = parts[0]->header->until_ms;
	for (size_t i = 1; i < n; i++) {
		const struct block_header *h = parts[i]->header;

		if (h->from_ms > *until_ms + RESTART_MS)
			*from_ms = h->from_ms;
		*until_ms = h->until_ms > *until_ms ? h->until_ms : *until_ms;
	}
}

/* What was read of one that was cut short meanwhile may be wrong. */
static bool all_whole(struct block *const *parts, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!block_is_whole(parts[i]))
			return err_set(e, ERR_IO, -1, "%s was cut short: it will be set aside", parts[i]->path);
	return true;
}

bool block_excepts(const struct block_except *x, struct labels l)
{
	struct err limit = { 0 };

	return matchers_test(x->matchers, x->n, l, &limit);
}

bool block_merge(struct block *const *parts, size_t n, const struct block_except *except, const char *dir, const _Atomic bool *stop,
                 char **path, struct err *e)
{
	struct merge m = { .n = n, .parts = mem_alloc(n * sizeof *m.parts), .writer = block_writer_new(dir, e), .except = except };
	int64_t from_ms, until_ms;
	bool ok;

	assert(n > 0);
	for (size_t i = 0; i < n; i++) {
		m.parts[i].block = parts[i];
		go_to(&m.parts[i], 0);
	}
	if (m.writer != NULL)
		block_writer_sorted(m.writer);
	*path = NULL;
	covers(parts, n, &from_ms, &until_ms);
	ok = m.writer != NULL && merge_all(&m, stop, e) && all_whole(parts, n, e) &&
	     (block_writer_is_empty(m.writer) || block_writer_commit(m.writer, from_ms, until_ms, path, e));
	block_writer_free(m.writer);
	arena_fini(&m.arena);
	free(m.parts);
	return ok;
}
