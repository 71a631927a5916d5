/* Writing blocks: chunks go to a temporary file as they come, series by series; those that come in any order wait in a file without
 * a name until the commit. What describes them is kept in such a file too, but for what is said once a series. Invariant: the file
 * bears its name only when it is whole and on the disk. */
#include "store/block.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bits.h"
#include "store/block_columns.h"
#include "store/block_names.h"
#include "store/block_same.h"
#include "store/block_scratch.h"
#include "store/packed.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TEMPORARY ".tmp"

/* As the scratch of the entries has it. */
struct new_entry {
	uint64_t at;
	uint32_t column, kind;
};

/* A chunk that waits. */
struct pending_chunk {
	int64_t min_ms;
	uint64_t at; /* in the scratch of chunks */
	uint32_t series, column, bytes, kind;
};

struct pending_series {
	uint64_t hash;
	int64_t good_ms, last_ms;
	uint32_t first_name, name_bytes, first_entry, n_entries;
};

struct block_writer {
	char *dir, *temporary;
	int fd;
	uint64_t written; /* bytes in the file */
	struct buf out;   /* bytes behind them */
	struct block_names names;
	struct buf added; /* of each series, what block_names_add() says */
	struct block_columns columns;
	struct block_same same;
	struct pending_series *series;
	struct pending_chunk *pending;
	size_t n_series, cap_series, n_pending, cap_pending, n_entries;
	uint32_t record_bytes;          /* of all series */
	bool sorted;                    /* nothing waits */
	struct scratch entries, chunks; /* chunks: of those that wait */
	uint64_t group_at;              /* where the first chunk of the last group lies */
	uint64_t at_span;               /* how far the last of any group lies behind its first */
	struct block_header header;
};

static char *join_path(const char *dir, const char *name)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s/%s", dir, name);
	(void)buf_z(&b);
	return b.p;
}

/* The lock tells block_sweep() of another process that this file is being written. */
static bool open_temporary(struct block_writer *w, struct err *e)
{
	char name[64];

	for (unsigned n = 0; w->fd < 0; n++) {
		snprintf(name, sizeof name, "%ld-%u" TEMPORARY, (long)getpid(), n);
		free(w->temporary);
		w->temporary = join_path(w->dir, name);
		w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (w->fd < 0 && errno != EEXIST)
			return scratch_cannot(e, "make", w->temporary);
	}
	return flock(w->fd, LOCK_EX | LOCK_NB) == 0 || scratch_cannot(e, "lock", w->temporary);
}

struct block_writer *block_writer_new(const char *dir, struct err *e)
{
	struct block_writer *w = mem_alloc(sizeof *w);

	w->dir = mem_strndup(dir, strlen(dir));
	w->fd = w->entries.fd = w->chunks.fd = -1;
	block_names_init(&w->names);
	memcpy(w->header.magic, BLOCK_MAGIC, sizeof w->header.magic);
	w->header.version = BLOCK_VERSION;
	w->header.n_sections = BLOCK_SECTIONS;
	w->header.min_ms = INT64_MAX;
	w->header.max_ms = INT64_MIN;
	w->header.section[BLOCK_CHUNKS].at = sizeof w->header;
	buf_put(&w->out, &w->header, sizeof w->header);
	if (open_temporary(w, e))
		return w;
	block_writer_free(w);
	return NULL;
}

void block_writer_free(struct block_writer *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0) {
		unlink(w->temporary);
		close(w->fd);
	}
	scratch_fini(&w->entries);
	scratch_fini(&w->chunks);
	block_names_fini(&w->names);
	buf_fini(&w->out);
	buf_fini(&w->added);
	block_columns_fini(&w->columns);
	block_same_fini(&w->same);
	free(w->series);
	free(w->pending);
	free(w->temporary);
	free(w->dir);
	free(w);
}

static bool spill(struct block_writer *w, struct err *e)
{
	bool ok = scratch_write_at(w->fd, w->temporary, w->out.p, w->out.n, w->written, e);

	w->written += w->out.n;
	buf_reset(&w->out);
	return ok;
}

uint32_t block_writer_series(struct block_writer *w, struct labels labels)
{
	struct pending_series s = { .hash = series_hash(labels), .good_ms = INT64_MIN, .last_ms = INT64_MIN };

	assert(w->n_series < BLOCK_NONE && w->added.n <= UINT32_MAX);
	s.first_name = (uint32_t)w->added.n;
	block_names_add(&w->names, labels, &w->added);
	s.name_bytes = (uint32_t)(w->added.n - s.first_name);
	w->series = mem_grow_tight(w->series, &w->cap_series, w->n_series + 1, sizeof *w->series);
	w->series[w->n_series] = s;
	return (uint32_t)w->n_series++;
}

void block_writer_sorted(struct block_writer *w)
{
	assert(w->n_entries == 0 && w->n_pending == 0);
	w->sorted = true;
}

static uint64_t chunk_bytes_so_far(const struct block_writer *w)
{
	return w->written + w->out.n - sizeof w->header;
}

/* Where the next chunk lies: of a row, how far behind the first of its group. */
static void note_place(struct block_writer *w, uint64_t at)
{
	if (w->n_entries % BLOCK_GROUP == 0)
		w->group_at = at;
	else if (at - w->group_at > w->at_span)
		w->at_span = at - w->group_at;
}

/* Its bytes as they were written; false when they cannot be read. */
static bool is_written(const struct block_writer *w, uint64_t at, struct str bytes)
{
	char had[DENSE_MAX_BYTES];
	uint64_t place = at + sizeof w->header;
	struct err e = { 0 };

	if (bytes.n > sizeof had)
		return false;
	if (place >= w->written)
		return memcmp(w->out.p + (place - w->written), bytes.p, bytes.n) == 0;
	return place + bytes.n <= w->written && scratch_read_at(w->fd, w->temporary, had, bytes.n, place, &e) &&
	       memcmp(had, bytes.p, bytes.n) == 0;
}

/* Behind the others; one that is there already by its number. */
static bool put_chunk(struct block_writer *w, uint32_t column, uint32_t kind, struct str bytes, struct err *e)
{
	struct new_entry entry = { chunk_bytes_so_far(w), column, kind };
	uint64_t hash = XXH64(bytes.p, bytes.n, 0);
	struct block_same_place *same = kind == CHUNK_DENSE ? block_same_find(&w->same, hash, bytes.n) : NULL;
	uint32_t number;
	uint16_t check;

	if (same != NULL && block_same_bytes(same) == bytes.n && is_written(w, same->place >> 16, bytes)) {
		number = same->entry;
		bytes = (struct str){ (const char *)&number, sizeof number };
		hash = XXH64(bytes.p, bytes.n, 0);
		entry.kind = BLOCK_SAME;
	} else if (same != NULL) {
		same->place = (entry.at + sizeof check) << 16 | bytes.n;
		same->hash = (uint32_t)(hash >> 32);
		same->entry = (uint32_t)w->n_entries;
	}
	if (entry.at >> 46 != 0)
		return err_set(e, ERR_LIMIT, -1, "a block holds less than 64 TiB of samples");
	note_place(w, entry.at);
	w->n_entries++;
	check = (uint16_t)hash;
	buf_put(&w->out, &check, sizeof check);
	buf_puts(&w->out, bytes);
	return scratch_put(&w->entries, w->temporary, &entry, sizeof entry, e) && (w->out.n < SPILL_BYTES || spill(w, e));
}

static bool keep_chunk(struct block_writer *w, const struct pending_chunk *p, const unsigned char *data, struct err *e)
{
	w->pending = mem_grow(w->pending, &w->cap_pending, w->n_pending + 1, sizeof *w->pending);
	w->pending[w->n_pending++] = *p;
	return scratch_put(&w->chunks, w->temporary, data, p->bytes, e);
}

/* <data> has the values of a packed chunk, and <times> its times; all of another, without <times>. */
static bool add_chunk(struct block_writer *w, uint32_t series, const struct chunk_view *c, int64_t max_ms, int64_t good_ms, struct err *e)
{
	struct pending_series *s = &w->series[series];
	struct block_new_column column = { .min_ms = c->min_ms, .span_ms = (uint32_t)((uint64_t)max_ms - (uint64_t)c->min_ms), .n = (uint8_t)c->n };
	struct pending_chunk p = { c->min_ms, w->chunks.written + w->chunks.out.n, series, 0, (c->bits + 7u) / 8, c->kind };

	assert(series < w->n_series && w->n_entries + w->n_pending < UINT32_MAX - 1 &&
	       (uint64_t)max_ms - (uint64_t)c->min_ms <= UINT32_MAX);
	assert(!w->sorted || series + 1 == w->n_series);
	if (!block_columns_add(&w->columns, column, c->times, &p.column, e))
		return false;
	s->good_ms = good_ms;
	s->last_ms = max_ms > s->last_ms ? max_ms : s->last_ms;
	s->n_entries++;
	w->header.n_samples += c->n;
	w->header.min_ms = c->min_ms < w->header.min_ms ? c->min_ms : w->header.min_ms;
	w->header.max_ms = max_ms > w->header.max_ms ? max_ms : w->header.max_ms;
	return w->sorted ? put_chunk(w, p.column, c->kind, (struct str){ (const char *)c->data, p.bytes }, e)
			 : keep_chunk(w, &p, c->data, e);
}

bool block_writer_chunk(struct block_writer *w, uint32_t series, const struct chunk *c, int64_t good_ms, struct err *e)
{
	struct chunk_view view = { .min_ms = c->min_ms, .n = c->n, .kind = c->kind };
	struct packed_parts parts;
	struct buf bytes = { 0 };
	bool ok;

	if (c->kind == CHUNK_PACKED) {
		packed_split(c->data, c->n, &parts);
		view.kind = CHUNK_DENSE;
		view.data = parts.values;
		view.bits = (uint32_t)parts.n_values * 8;
		view.times = (struct str){ (const char *)parts.times, parts.n_times };
	} else {
		view.bits = chunk_write(c, &bytes);
		view.data = (const unsigned char *)bytes.p;
	}
	ok = add_chunk(w, series, &view, chunk_max_ms(c), good_ms, e);
	buf_fini(&bytes);
	return ok;
}

bool block_writer_view(struct block_writer *w, uint32_t series, const struct chunk_view *c, int64_t max_ms, int64_t good_ms, struct err *e)
{
	return add_chunk(w, series, c, max_ms, good_ms, e);
}

bool block_writer_is_empty(const struct block_writer *w)
{
	return w->n_entries + w->n_pending == 0;
}

/* ---- Commit ---- */

static int by_series_and_time(const void *a, const void *b)
{
	const struct pending_chunk *l = a, *r = b;

	if (l->series != r->series)
		return l->series < r->series ? -1 : 1;
	return (l->min_ms > r->min_ms) - (l->min_ms < r->min_ms);
}

static int by_hash(const void *a, const void *b)
{
	const struct pending_series *l = a, *r = b;

	return (l->hash > r->hash) - (l->hash < r->hash);
}

/* Series came in any order, and so did their chunks. */
static void sort(struct block_writer *w)
{
	uint32_t *rank = mem_alloc(w->n_series * sizeof *rank);

	for (size_t i = 0; i < w->n_series; i++)
		w->series[i].first_entry = (uint32_t)i;
	qsort(w->series, w->n_series, sizeof *w->series, by_hash);
	for (size_t i = 0; i < w->n_series; i++)
		rank[w->series[i].first_entry] = (uint32_t)i;
	for (size_t i = 0; i < w->n_pending; i++)
		w->pending[i].series = rank[w->pending[i].series];
	qsort(w->pending, w->n_pending, sizeof *w->pending, by_series_and_time);
	free(rank);
}

/* Those that waited. */
static bool put_pending(struct block_writer *w, struct err *e)
{
	struct buf bytes = { 0 };
	bool ok = w->n_pending == 0 || scratch_spill(&w->chunks, w->temporary, e);

	for (size_t i = 0; i < w->n_pending && ok; i++) {
		const struct pending_chunk *p = &w->pending[i];

		buf_reset(&bytes);
		ok = scratch_read_at(w->chunks.fd, w->temporary, buf_reserve(&bytes, p->bytes), p->bytes, p->at, e) &&
		     put_chunk(w, p->column, p->kind, (struct str){ bytes.p, p->bytes }, e);
	}
	buf_fini(&bytes);
	return ok;
}

/* Series without a chunk are left out. */
static void number_entries(struct block_writer *w)
{
	size_t kept = 0;
	uint32_t at = 0;

	for (size_t i = 0; i < w->n_series; i++) {
		w->series[i].first_entry = at;
		at += w->series[i].n_entries;
		if (w->series[i].n_entries > 0)
			w->series[kept++] = w->series[i];
	}
	w->n_series = kept;
}

static bool fits(const struct block_writer *w, struct err *e)
{
	return (uint64_t)w->header.max_ms - (uint64_t)w->header.min_ms < UINT64_C(1) << 48 ||
	       err_set(e, ERR_LIMIT, -1, "samples lie further apart than a block can say (2^48 ms)");
}

/* How long before its last sample a series' last good one was, as its record has it. */
static uint64_t gap_of(const struct pending_series *s)
{
	if (s->good_ms == INT64_MIN)
		return 1;
	return s->good_ms >= s->last_ms ? 0 : (uint64_t)s->last_ms - (uint64_t)s->good_ms + 1;
}

/* In their final order; each series learns where its own begins. */
static void put_names(struct block_writer *w)
{
	static const char slack[BITS_SLACK];
	size_t begin;

	block_names_put_tables(&w->names, &w->out);
	begin = w->out.n;
	for (size_t i = 0; i < w->n_series; i++) {
		struct pending_series *s = &w->series[i];
		struct str added = { w->added.p + s->first_name, s->name_bytes };

		s->first_name = (uint32_t)(w->out.n - begin);
		block_names_put_record(&w->names, added, gap_of(s), &w->out);
	}
	w->record_bytes = (uint32_t)(w->out.n - begin);
	buf_put(&w->out, slack, sizeof slack);
}

/* Rows of so many bits for <n>, zero, with their slack. */
static unsigned char *make_rows(struct buf *out, size_t n, unsigned bits)
{
	size_t bytes = (n * bits + 7) / 8 + BITS_SLACK;
	unsigned char *rows = (unsigned char *)buf_reserve(out, bytes);

	memset(rows, 0, bytes);
	out->n += bytes;
	return rows;
}

/* Of series <i>, or of the end of the last one. */
static struct block_group place_of(const struct block_writer *w, size_t i)
{
	if (i == w->n_series)
		return (struct block_group){ 0, (uint32_t)w->n_entries, w->record_bytes };
	return (struct block_group){ w->series[i].hash, w->series[i].first_entry, w->series[i].first_name };
}

/* How far the last of any group is from its first. */
static struct block_group spans(const struct block_writer *w)
{
	struct block_group most = { 0 }, first = { 0 };

	for (size_t i = 0; i <= w->n_series; i++) {
		struct block_group at = place_of(w, i);

		if (i % BLOCK_GROUP == 0)
			first = at;
		if (i < w->n_series && at.hash - first.hash > most.hash)
			most.hash = at.hash - first.hash;
		if (at.first_entry - first.first_entry > most.first_entry)
			most.first_entry = at.first_entry - first.first_entry;
		if (at.record - first.record > most.record)
			most.record = at.record - first.record;
	}
	return most;
}

static void put_series(struct block_writer *w)
{
	struct block_group most = spans(w), first = { 0 };
	unsigned hash_bits = bits_needed(most.hash);
	struct block_series_head head = { .n = w->n_series,
		                          .hash_shift = (uint8_t)(hash_bits > BLOCK_HASH_BITS ? hash_bits - BLOCK_HASH_BITS : 0),
		                          .entry_bits = (uint8_t)bits_needed(most.first_entry),
		                          .record_bits = (uint8_t)bits_needed(most.record) };
	unsigned bits = (unsigned)BLOCK_HASH_BITS + head.entry_bits + head.record_bits;
	unsigned char *rows;

	buf_put(&w->out, &head, sizeof head);
	for (size_t i = 0; i <= w->n_series; i += BLOCK_GROUP) {
		first = place_of(w, i);
		buf_put(&w->out, &first, sizeof first);
	}
	rows = make_rows(&w->out, w->n_series + 1, bits);
	for (size_t i = 0; i <= w->n_series; i++) {
		struct block_group at = place_of(w, i);

		if (i % BLOCK_GROUP == 0)
			first = at;
		packed_put(rows, i * bits, i < w->n_series ? (at.hash - first.hash) >> head.hash_shift : 0, BLOCK_HASH_BITS);
		packed_put(rows, i * bits + BLOCK_HASH_BITS, at.first_entry - first.first_entry, head.entry_bits);
		packed_put(rows, i * bits + BLOCK_HASH_BITS + head.entry_bits, at.record - first.record, head.record_bits);
	}
}

static void put_section(struct block_writer *w, enum block_section s)
{
	switch (s) {
	case BLOCK_TIMES:
		block_columns_put_times(&w->columns, &w->out);
		return;
	case BLOCK_COLUMNS:
		block_columns_put(&w->columns, w->header.min_ms, &w->out);
		return;
	case BLOCK_NAMES:
		put_names(w);
		return;
	case BLOCK_SERIES:
		put_series(w);
		return;
	case BLOCK_ENDS:
		block_names_put_ends(&w->names, &w->out);
		return;
	case BLOCK_SYMBOLS:
		block_names_put_texts(&w->names, &w->out);
		return;
	case BLOCK_ENTRIES:
	case BLOCK_CHUNKS:
	case BLOCK_SECTIONS:
		break;
	}
	abort();
}

static void pad(struct buf *b)
{
	while (b->n % 8 != 0)
		buf_putc(b, 0);
}

static bool end_chunks(struct block_writer *w, struct err *e)
{
	static const char slack[BITS_SLACK];

	note_place(w, chunk_bytes_so_far(w));
	buf_put(&w->out, slack, sizeof slack);
	w->header.section[BLOCK_CHUNKS].bytes = chunk_bytes_so_far(w);
	while ((w->written + w->out.n) % 8 != 0)
		buf_putc(&w->out, 0);
	return spill(w, e);
}

/* Built and hashed in memory: what describes is small beside the chunks. */
static bool write_section(struct block_writer *w, enum block_section s, struct err *e)
{
	w->header.section[s].at = w->written;
	put_section(w, s);
	w->header.section[s].bytes = w->out.n;
	w->header.section[s].check = XXH64(w->out.p, w->out.n, 0);
	pad(&w->out);
	return spill(w, e);
}

/* A section that is written piece by piece. */
struct section_writer {
	struct block_writer *w;
	XXH64_state_t *check;
	uint64_t bytes;
};

static bool put_piece(struct section_writer *s, struct err *e)
{
	XXH64_update(s->check, s->w->out.p, s->w->out.n);
	s->bytes += s->w->out.n;
	return spill(s->w, e);
}

/* Calls <fn> with the entries, so many at a time, and with the place behind the last one. */
enum { PIECE = SPILL_BYTES / sizeof(struct new_entry) };
static bool each_piece(struct section_writer *s,
		       void (*fn)(struct block_writer *, size_t first, const struct new_entry *, size_t n), struct err *e)
{
	struct block_writer *w = s->w;
	struct new_entry *v = mem_alloc(PIECE * sizeof *v);
	size_t total = w->n_entries + 1;
	bool ok = true;

	for (size_t i = 0; i < total && ok; i += PIECE) {
		size_t n = total - i < PIECE ? total - i : PIECE;
		bool last = i + n == total;

		ok = scratch_read_at(w->entries.fd, w->temporary, v, (n - last) * sizeof *v, i * sizeof *v, e);
		if (last)
			v[n - 1] = (struct new_entry){ .at = w->header.section[BLOCK_CHUNKS].bytes - BITS_SLACK };
		if (ok)
			fn(w, i, v, n);
		ok = ok && put_piece(s, e);
	}
	free(v);
	return ok;
}

static void put_groups(struct block_writer *w, size_t first, const struct new_entry *v, size_t n)
{
	(void)first;
	for (size_t i = 0; i < n; i += BLOCK_GROUP)
		buf_put(&w->out, &v[i].at, sizeof v[i].at);
}

static unsigned column_bits(const struct block_writer *w)
{
	return bits_needed(w->columns.n - 1);
}

/* A piece is a multiple of eight rows, so each begins with a byte of its own. */
static void put_rows(struct block_writer *w, size_t first, const struct new_entry *v, size_t n)
{
	unsigned columns = column_bits(w), places = bits_needed(w->at_span), bits = BLOCK_KIND_BITS + columns + places;
	unsigned char *rows = make_rows(&w->out, n, bits);
	uint64_t group = 0;

	for (size_t i = 0; i < n; i++) {
		if (i % BLOCK_GROUP == 0)
			group = v[i].at;
		packed_put(rows, i * bits, v[i].kind, BLOCK_KIND_BITS);
		packed_put(rows, i * bits + BLOCK_KIND_BITS, v[i].column, columns);
		packed_put(rows, i * bits + BLOCK_KIND_BITS + columns, v[i].at - group, places);
	}
	if (first + n <= w->n_entries)
		w->out.n -= BITS_SLACK;
}

_Static_assert(PIECE % BLOCK_GROUP == 0 && BLOCK_GROUP % 8 == 0, "groups are in one piece, and pieces begin with a byte");

/* From the file they are in. */
static bool write_entries(struct block_writer *w, struct err *e)
{
	struct block_entries_head head = { .n = w->n_entries };
	struct section_writer s = { .w = w, .check = XXH64_createState() };
	bool ok;

	if (s.check == NULL)
		return err_set(e, ERR_LIMIT, -1, "no memory for a checksum");
	XXH64_reset(s.check, 0);
	head.column_bits = (uint8_t)column_bits(w);
	head.at_bits = (uint8_t)bits_needed(w->at_span);
	w->header.section[BLOCK_ENTRIES].at = w->written;
	buf_put(&w->out, &head, sizeof head);
	ok = scratch_spill(&w->entries, w->temporary, e) && put_piece(&s, e) && each_piece(&s, put_groups, e) &&
	     each_piece(&s, put_rows, e);
	w->header.section[BLOCK_ENTRIES].bytes = s.bytes;
	w->header.section[BLOCK_ENTRIES].check = XXH64_digest(s.check);
	XXH64_freeState(s.check);
	while ((w->written + w->out.n) % 8 != 0)
		buf_putc(&w->out, 0);
	return ok && spill(w, e);
}

static bool write_header(struct block_writer *w, struct err *e)
{
	w->header.check = XXH64(&w->header, offsetof(struct block_header, check), 0);
	return scratch_write_at(w->fd, w->temporary, (const char *)&w->header, sizeof w->header, 0, e);
}

static bool sync_folder(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		scratch_cannot(e, "sync", dir);
	if (fd >= 0)
		close(fd);
	return ok;
}

static char *name_of(const struct block_writer *w, unsigned n)
{
	char name[96];

	snprintf(name, sizeof name, "%" PRId64 "-%" PRId64 "-%u.blk", w->header.min_ms, w->header.max_ms, n);
	return join_path(w->dir, name);
}

/* An import may write beside us: whoever comes second takes another name. File systems that cannot tell are told nothing. */
static bool rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	return errno == EINVAL && access(to, F_OK) != 0 && rename(from, to) == 0;
}

/* The first name of this range that is not taken. */
static bool give_name(struct block_writer *w, char **path, struct err *e)
{
	char *final = name_of(w, 1);
	bool ok;

	for (unsigned n = 2; !(ok = rename_new(w->temporary, final)) && access(final, F_OK) == 0; n++) {
		free(final);
		final = name_of(w, n);
	}
	if (!ok)
		scratch_cannot(e, "rename to", final);
	if (ok) {
		close(w->fd);
		w->fd = -1;
		ok = sync_folder(w->dir, e);
	}
	if (ok && path != NULL)
		*path = final;
	else
		free(final);
	return ok;
}

static bool same_bytes(int a, int b)
{
	char x[16384], y[16384];
	struct stat of_a, of_b;
	ssize_t n = 1;

	if (fstat(a, &of_a) != 0 || fstat(b, &of_b) != 0 || !S_ISREG(of_b.st_mode) || of_a.st_size != of_b.st_size)
		return false;
	for (off_t at = 0; at < of_a.st_size && n > 0; at += n) {
		n = pread(a, x, sizeof x, at);
		if (n > 0 && (pread(b, y, (size_t)n, at) != n || memcmp(x, y, (size_t)n) != 0))
			return false;
	}
	return n > 0;
}

static bool is_file(const struct block_writer *w, const char *name)
{
	char *path = join_path(w->dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool same = fd >= 0 && same_bytes(w->fd, fd);

	if (fd >= 0)
		close(fd);
	free(path);
	return same;
}

bool block_writer_is_there(const struct block_writer *w)
{
	DIR *d = opendir(w->dir);
	char range[64];
	bool same = false;

	snprintf(range, sizeof range, "%" PRId64 "-%" PRId64 "-", w->header.min_ms, w->header.max_ms);
	for (struct dirent *f; d != NULL && !same && (f = readdir(d)) != NULL;)
		same = str_starts(str_of(f->d_name), str_of(range)) && str_ends(str_of(f->d_name), STR(".blk")) && is_file(w, f->d_name);
	if (d != NULL)
		closedir(d);
	return same;
}

bool block_writer_finish(struct block_writer *w, int64_t from_ms, int64_t until_ms, struct err *e)
{
	bool ok;

	assert(!block_writer_is_empty(w));
	w->header.from_ms = from_ms;
	w->header.until_ms = until_ms;
	if (!w->sorted)
		sort(w);
	number_entries(w);
	ok = fits(w, e) && put_pending(w, e) && end_chunks(w, e);
	for (unsigned s = BLOCK_CHUNKS + 1; s < BLOCK_SECTIONS && ok; s++)
		ok = s == BLOCK_ENTRIES ? write_entries(w, e) : write_section(w, (enum block_section)s, e);
	if (!ok || !write_header(w, e))
		return false;
	return fsync(w->fd) == 0 || scratch_cannot(e, "sync", w->temporary);
}

bool block_writer_commit(struct block_writer *w, int64_t from_ms, int64_t until_ms, char **path, struct err *e)
{
	return block_writer_finish(w, from_ms, until_ms, e) && give_name(w, path, e);
}

bool block_writer_publish(struct block_writer *w, struct err *e)
{
	return give_name(w, NULL, e);
}

void block_sweep(const char *dir)
{
	DIR *d = opendir(dir);

	for (struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
		char *path;
		int fd;

		if (!str_ends(str_of(f->d_name), STR(TEMPORARY)))
			continue;
		path = join_path(dir, f->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlink(path);
		if (fd >= 0)
			close(fd);
		free(path);
	}
	if (d != NULL)
		closedir(d);
}
