/* Writing blocks: chunks go to a temporary file as they come, what describes them is kept in memory until the commit. Invariant: the file
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
#include "store/packed.h"
#include "store/symbols.h"
#include "store/varint.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SPILL_BYTES = 256 << 10 };
#define TEMPORARY ".tmp"

struct pending_entry {
	int64_t min_ms;
	uint32_t series;
	struct block_packed_entry packed;
};

struct pending_series {
	uint64_t hash;
	int64_t good_ms, last_ms;
	uint32_t first_pair, pair_bytes, n_pairs, first_entry, n_entries;
};

struct block_writer {
	char *dir, *temporary;
	int fd;
	uint64_t written; /* bytes in the file */
	struct buf out;   /* bytes behind them */
	struct symbols symbols;
	struct buf pairs;
	struct block_columns columns;
	struct pending_series *series;
	struct pending_entry *entries;
	size_t n_series, cap_series, n_entries, cap_entries;
	int entries_fd;         /* block_writer_sorted(): of a file without a name, for the entries; -1: they are in memory */
	struct buf entries_out; /* on their way there */
	struct block_header header;
};

static bool cannot(struct err *e, const char *what, const char *path)
{
	return err_set(e, ERR_IO, -1, "cannot %s %s: %s", what, path, strerror(errno));
}

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
			return cannot(e, "make", w->temporary);
	}
	return flock(w->fd, LOCK_EX | LOCK_NB) == 0 || cannot(e, "lock", w->temporary);
}

struct block_writer *block_writer_new(const char *dir, struct err *e)
{
	struct block_writer *w = mem_alloc(sizeof *w);

	w->dir = mem_strndup(dir, strlen(dir));
	w->fd = w->entries_fd = -1;
	symbols_init(&w->symbols);
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
	if (w->entries_fd >= 0)
		close(w->entries_fd);
	symbols_fini(&w->symbols);
	buf_fini(&w->out);
	buf_fini(&w->entries_out);
	buf_fini(&w->pairs);
	block_columns_fini(&w->columns);
	free(w->series);
	free(w->entries);
	free(w->temporary);
	free(w->dir);
	free(w);
}

static bool write_to(int fd, const struct block_writer *w, const char *p, size_t n, uint64_t at, struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return cannot(e, "write", w->temporary);
		p += done, n -= (size_t)done, at += (uint64_t)done;
	}
	return true;
}

static bool write_at(struct block_writer *w, const char *p, size_t n, uint64_t at, struct err *e)
{
	return write_to(w->fd, w, p, n, at, e);
}

static bool spill(struct block_writer *w, struct err *e)
{
	bool ok = write_at(w, w->out.p, w->out.n, w->written, e);

	w->written += w->out.n;
	buf_reset(&w->out);
	return ok;
}

uint32_t block_writer_series(struct block_writer *w, struct labels labels)
{
	struct pending_series s = { .hash = series_hash(labels), .good_ms = INT64_MIN, .last_ms = INT64_MIN, .n_pairs = (uint32_t)labels.n };

	assert(labels.n <= STORE_MAX_LABELS && w->n_series < BLOCK_NONE && w->pairs.n <= UINT32_MAX);
	s.first_pair = (uint32_t)w->pairs.n;
	for (size_t i = 0; i < labels.n; i++) {
		varint_put(&w->pairs, symbols_ref(&w->symbols, labels.v[i].name));
		varint_put(&w->pairs, symbols_ref(&w->symbols, labels.v[i].value));
	}
	s.pair_bytes = (uint32_t)(w->pairs.n - s.first_pair);
	w->series = mem_grow(w->series, &w->cap_series, w->n_series + 1, sizeof *w->series);
	w->series[w->n_series] = s;
	return (uint32_t)w->n_series++;
}

bool block_writer_sorted(struct block_writer *w, struct err *e)
{
	struct buf path = { 0 };

	assert(w->n_entries == 0);
	buf_printf(&path, "%s.entries", w->temporary);
	w->entries_fd = open(buf_z(&path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->entries_fd < 0)
		cannot(e, "make", path.p);
	else
		unlink(path.p);
	buf_fini(&path);
	return w->entries_fd >= 0;
}

static bool spill_entries(struct block_writer *w, struct err *e)
{
	bool ok = write_to(w->entries_fd, w, w->entries_out.p, w->entries_out.n, w->n_entries * sizeof(struct block_packed_entry) - w->entries_out.n, e);

	buf_reset(&w->entries_out);
	return ok;
}

static bool keep_entry(struct block_writer *w, const struct pending_entry *p, struct err *e)
{
	if (w->entries_fd < 0) {
		w->entries = mem_grow(w->entries, &w->cap_entries, w->n_entries + 1, sizeof *w->entries);
		w->entries[w->n_entries++] = *p;
		return true;
	}
	assert(p->series + 1 == w->n_series);
	buf_put(&w->entries_out, &p->packed, sizeof p->packed);
	w->n_entries++;
	return w->entries_out.n < SPILL_BYTES || spill_entries(w, e);
}

static struct block_packed_entry pack(uint32_t column, uint64_t at, uint8_t kind)
{
	return (struct block_packed_entry){ .column_low = (uint16_t)column,
		                            .column_high = (uint16_t)(column >> 16),
		                            .at_low = (uint16_t)at,
		                            .at_mid = (uint16_t)(at >> 16),
		                            .at_high = (uint16_t)(at >> 32 | (uint64_t)kind << 14) };
}

/* Behind the others. */
static uint64_t put_bytes(struct block_writer *w, struct str bytes)
{
	uint64_t at = block_writer_bytes(w);
	uint32_t check = (uint32_t)XXH64(bytes.p, bytes.n, 0);

	buf_put(&w->out, &check, sizeof check);
	varint_put(&w->out, bytes.n);
	buf_puts(&w->out, bytes);
	return at;
}

/* <data> has the values of a packed chunk, and <times> its times; all of another, without <times>. */
static bool add_chunk(struct block_writer *w, uint32_t series, const struct chunk_view *c, int64_t max_ms, int64_t good_ms, struct err *e)
{
	struct pending_series *s = &w->series[series];
	struct block_new_column column = { .min_ms = c->min_ms, .span_ms = (uint32_t)((uint64_t)max_ms - (uint64_t)c->min_ms), .n = (uint8_t)c->n };
	struct pending_entry p = { .min_ms = c->min_ms, .series = series };
	uint32_t number;
	uint64_t at;

	assert(series < w->n_series && w->n_entries < UINT32_MAX && (uint64_t)max_ms - (uint64_t)c->min_ms <= UINT32_MAX);
	if (!block_columns_add(&w->columns, column, c->times, &number, e))
		return false;
	at = put_bytes(w, (struct str){ (const char *)c->data, (c->bits + 7u) / 8 });
	if (at >> 46 != 0)
		return err_set(e, ERR_LIMIT, -1, "a block holds less than 64 TiB of samples");
	p.packed = pack(number, at, c->kind);
	s->good_ms = good_ms;
	s->last_ms = max_ms > s->last_ms ? max_ms : s->last_ms;
	s->n_entries++;
	w->header.n_samples += c->n;
	w->header.min_ms = c->min_ms < w->header.min_ms ? c->min_ms : w->header.min_ms;
	w->header.max_ms = max_ms > w->header.max_ms ? max_ms : w->header.max_ms;
	return keep_entry(w, &p, e) && (w->out.n < SPILL_BYTES || spill(w, e));
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

size_t block_writer_bytes(const struct block_writer *w)
{
	return w->written + w->out.n - sizeof w->header;
}

bool block_writer_is_empty(const struct block_writer *w)
{
	return w->n_entries == 0;
}

/* ---- Commit ---- */

static int by_series_and_time(const void *a, const void *b)
{
	const struct pending_entry *l = a, *r = b;

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
static void sort_all(struct block_writer *w)
{
	uint32_t *rank = mem_alloc(w->n_series * sizeof *rank);

	for (size_t i = 0; i < w->n_series; i++)
		w->series[i].first_entry = (uint32_t)i;
	qsort(w->series, w->n_series, sizeof *w->series, by_hash);
	for (size_t i = 0; i < w->n_series; i++)
		rank[w->series[i].first_entry] = (uint32_t)i;
	for (size_t i = 0; i < w->n_entries; i++)
		w->entries[i].series = rank[w->entries[i].series];
	qsort(w->entries, w->n_entries, sizeof *w->entries, by_series_and_time);
	free(rank);
}

/* Series without a chunk are left out. */
static void sort(struct block_writer *w)
{
	size_t kept = 0;
	uint32_t at = 0;

	if (w->entries_fd < 0)
		sort_all(w);
	for (size_t i = 0; i < w->n_series; i++) {
		w->series[i].first_entry = at;
		at += w->series[i].n_entries;
		if (w->series[i].n_entries > 0)
			w->series[kept++] = w->series[i];
	}
	w->n_series = kept;
}

static void put_ends(struct block_writer *w)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < w->symbols.n; i++) {
		end += symbols_text(&w->symbols, i).n;
		buf_put(&w->out, &end, sizeof end);
	}
}

static bool fits(const struct block_writer *w, struct err *e)
{
	return (uint64_t)w->header.max_ms - (uint64_t)w->header.min_ms < UINT64_C(1) << 48 ||
	       err_set(e, ERR_LIMIT, -1, "samples lie further apart than a block can say (2^48 ms)");
}

/* How long before its last sample a series' last good one was, as the pairs have it. */
static uint64_t gap_of(const struct pending_series *s)
{
	if (s->good_ms == INT64_MIN)
		return 1;
	return s->good_ms >= s->last_ms ? 0 : (uint64_t)s->last_ms - (uint64_t)s->good_ms + 1;
}

/* In their final order; each series learns where its own begin. */
static void put_pairs(struct block_writer *w)
{
	for (size_t i = 0; i < w->n_series; i++) {
		struct pending_series *s = &w->series[i];
		uint32_t first = (uint32_t)w->out.n;

		varint_put(&w->out, s->n_pairs);
		varint_put(&w->out, gap_of(s));
		if (s->pair_bytes > 0)
			buf_put(&w->out, w->pairs.p + s->first_pair, s->pair_bytes);
		s->first_pair = first;
	}
}

static void put_series(struct block_writer *w)
{
	const struct block_series end = { .first_entry = (uint32_t)w->n_entries };

	for (size_t i = 0; i < w->n_series; i++)
		buf_put(&w->out, &(struct block_series){ w->series[i].hash, w->series[i].first_pair, w->series[i].first_entry }, sizeof end);
	buf_put(&w->out, &end, sizeof end);
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
	case BLOCK_ENTRIES:
		for (size_t i = 0; i < w->n_entries; i++)
			buf_put(&w->out, &w->entries[i].packed, sizeof w->entries[i].packed);
		return;
	case BLOCK_PAIRS:
		put_pairs(w);
		return;
	case BLOCK_SERIES:
		put_series(w);
		return;
	case BLOCK_ENDS:
		put_ends(w);
		return;
	case BLOCK_SYMBOLS:
		for (uint32_t i = 0; i < w->symbols.n; i++)
			buf_puts(&w->out, symbols_text(&w->symbols, i));
		return;
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

	buf_put(&w->out, slack, sizeof slack);
	w->header.section[BLOCK_CHUNKS].bytes = block_writer_bytes(w);
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

static bool read_back(const struct block_writer *w, void *to, size_t n, uint64_t at, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(w->entries_fd, (char *)to + done, n - done, (off_t)(at + done));

		if (got <= 0)
			return cannot(e, "read back what describes", w->temporary);
		done += (size_t)got;
	}
	return true;
}

/* From the file they are in. */
static bool write_entries(struct block_writer *w, struct err *e)
{
	XXH64_state_t *check = XXH64_createState();
	bool ok = check != NULL && spill_entries(w, e);
	uint64_t bytes = w->n_entries * sizeof(struct block_packed_entry);

	w->header.section[BLOCK_ENTRIES].at = w->written;
	w->header.section[BLOCK_ENTRIES].bytes = bytes;
	if (check != NULL)
		XXH64_reset(check, 0);
	for (uint64_t at = 0, n; ok && at < bytes; at += n) {
		n = bytes - at < SPILL_BYTES ? bytes - at : SPILL_BYTES;
		ok = read_back(w, buf_reserve(&w->out, n), n, at, e);
		w->out.n += ok ? n : 0;
		XXH64_update(check, w->out.p, w->out.n);
		if (at + n == bytes)
			pad(&w->out);
		ok = ok && spill(w, e);
	}
	if (ok)
		w->header.section[BLOCK_ENTRIES].check = XXH64_digest(check);
	XXH64_freeState(check);
	return ok;
}

static bool write_header(struct block_writer *w, struct err *e)
{
	w->header.check = XXH64(&w->header, offsetof(struct block_header, check), 0);
	return write_at(w, (const char *)&w->header, sizeof w->header, 0, e);
}

static bool sync_folder(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		cannot(e, "sync", dir);
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
		cannot(e, "rename to", final);
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

	assert(w->n_entries > 0);
	w->header.from_ms = from_ms;
	w->header.until_ms = until_ms;
	sort(w);
	ok = fits(w, e) && end_chunks(w, e);
	for (unsigned s = BLOCK_CHUNKS + 1; s < BLOCK_SECTIONS && ok; s++)
		ok = s == BLOCK_ENTRIES && w->entries_fd >= 0 ? write_entries(w, e) : write_section(w, (enum block_section)s, e);
	if (!ok || !write_header(w, e))
		return false;
	return fsync(w->fd) == 0 || cannot(e, "sync", w->temporary);
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
