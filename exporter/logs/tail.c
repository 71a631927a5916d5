/* Reading what was found. */
#include "logs/tail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tocsin/mem.h"

#define CHUNK_BYTES (256u << 10)

/* ---- Life ---- */

void tail_init(struct tail *t, const struct logs_settings *s, const struct clock *clock, struct counts *counts,
               struct lines_stats *stats)
{
	*t = (struct tail){ .settings = s, .clock = clock, .counts = counts, .stats = stats };
	t->chunk_bytes = (size_t)s->max_line + CHUNK_BYTES;
	t->chunk = mem_alloc(t->chunk_bytes);
}

static void file_free(struct tail_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->left_path);
	free(f);
}

void tail_fini(struct tail *t)
{
	for (size_t i = 0; i < t->n; i++)
		file_free(t->files[i]);
	free(t->files);
	free(t->chunk);
}

struct tail_file *tail_add(struct tail *t, const char *path, const struct stat *st)
{
	struct tail_file *f = mem_alloc(sizeof *f);

	*f = (struct tail_file){ .path = mem_strndup(path, strlen(path)), .dev = st->st_dev, .ino = st->st_ino, .fd = -1 };
	t->files = mem_grow(t->files, &t->cap, t->n + 1, sizeof(struct tail_file *));
	t->files[t->n++] = f;
	t->changed = true;
	return f;
}

void tail_drop(struct tail *t, struct tail_file *f)
{
	size_t i = 0;

	while (t->files[i] != f)
		i++;
	memmove(&t->files[i], &t->files[i + 1], (t->n - i - 1) * sizeof(struct tail_file *));
	t->n--;
	t->changed = true;
	file_free(f);
}

/* ---- What stands before a position ---- */

/* FNV-1a: it is written to disk, so it must not change. */
static bool print_read(int fd, int64_t at, uint32_t n, struct tail_print *out)
{
	unsigned char bytes[TAIL_HEAD_BYTES];
	uint64_t h = 14695981039346656037u;

	assert(n <= sizeof bytes);
	if (pread(fd, bytes, n, at) != (ssize_t)n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * 1099511628211u;
	*out = (struct tail_print){ n, h };
	return true;
}

static bool print_is(const struct tail_print *p, int fd, int64_t at)
{
	struct tail_print now;

	return p->n == 0 || (print_read(fd, at, p->n, &now) && now.hash == p->hash);
}

bool tail_prints_match(const struct tail_file *f, int fd)
{
	return print_is(&f->head, fd, 0) && print_is(&f->tail, fd, f->offset - f->tail.n);
}

static void remember_prints(struct tail_file *f)
{
	const uint32_t head = f->offset < TAIL_HEAD_BYTES ? (uint32_t)f->offset : TAIL_HEAD_BYTES;
	const uint32_t tail = f->offset < TAIL_TAIL_BYTES ? (uint32_t)f->offset : TAIL_TAIL_BYTES;

	/* A file truncated meanwhile keeps its old ones, and is noticed in the next round. */
	if (head != f->head.n)
		print_read(f->fd, 0, head, &f->head);
	print_read(f->fd, f->offset - tail, tail, &f->tail);
}

/* ---- Lines ---- */

static void take_line(struct tail *t, struct tail_file *f, struct str line)
{
	if (f->skipping)
		f->skipping = false;
	else
		lines_take(t->settings, t->counts, t->stats, line, clock_now_ms(t->clock));
}

/* A writer that did not notice that its file was truncated goes on where it was, and leaves a hole, which reads as zeros: no line
 * begins with one. */
static struct str without_hole(struct str rest)
{
	size_t n = 0;

	while (n < rest.n && rest.p[n] == '\0')
		n++;
	return str_between(rest.p + n, rest.p + rest.n);
}

/* The whole lines of <text>; returns how much of it was used. */
static size_t take_lines(struct tail *t, struct tail_file *f, struct str text)
{
	const size_t max = (size_t)t->settings->max_line;
	struct str rest = text;

	while (rest.n > 0) {
		size_t end;

		if (!f->skipping && rest.p[0] == '\0') {
			struct str data = without_hole(rest);

			if (data.n == 0 && rest.n <= max)
				break;          /* over NFS zeros may still become a line */
			rest = data;
			continue;
		}
		end = str_chr(rest, '\n');
		if (end == rest.n && end <= max && !f->skipping)
			break;
		if (end > max && !f->skipping) {
			t->stats->lines_cut++;
			take_line(t, f, (struct str){ rest.p, max });
			f->skipping = true;
			end = max - 1;
		} else if (end == rest.n) {
			end--;                  /* all of it belongs to a line that was cut */
		} else {
			take_line(t, f, (struct str){ rest.p, end });
		}
		rest = str_between(rest.p + end + 1, rest.p + rest.n);
	}
	return text.n - rest.n;
}

static bool is_stopped(const struct source_ask *ask)
{
	struct pollfd p = { .fd = ask->stop_fd, .events = POLLIN };

	return ask->stop_fd >= 0 && poll(&p, 1, 0) > 0;
}

static bool check_time(const struct tail *t, const struct tail_file *f, const struct source_ask *ask, int64_t end, struct err *e)
{
	if (is_stopped(ask))
		return err_set(e, ERR_CANCELED, -1, "stopped");
	if (clock_mono_ms(t->clock) < ask->deadline_mono_ms)
		return true;
	return err_set(e, ERR_TIMEOUT, -1, "catching up: %lld bytes of %s are still to be read", (long long)(end - f->offset), f->path);
}

/* A hole may be larger than anybody wants to read. */
static void skip_hole(struct tail *t, struct tail_file *f, int64_t end)
{
	off_t data = f->skipping ? -1 : lseek(f->fd, f->offset, SEEK_DATA);

	if (data <= f->offset)
		return;
	f->offset = data < end ? data : end;
	t->changed = true;
}

/* Up to <end>. */
static bool read_lines(struct tail *t, struct tail_file *f, const struct source_ask *ask, int64_t end, struct err *e)
{
	for (skip_hole(t, f, end); f->offset < end; skip_hole(t, f, end)) {
		int64_t left = end - f->offset;
		size_t want = left < (int64_t)t->chunk_bytes ? (size_t)left : t->chunk_bytes, used;
		ssize_t got = pread(f->fd, t->chunk, want, f->offset);

		if (got < 0)
			return err_set(e, ERR_IO, -1, "%s: %s", f->path, strerror(errno));
		used = take_lines(t, f, (struct str){ t->chunk, (size_t)got });
		if (used == 0)
			return true;
		f->offset += (int64_t)used;
		t->changed = true;
		remember_prints(f);
		if (!check_time(t, f, ask, end, e))
			return false;
	}
	return true;
}

/* The file will not be read again: what stands behind its last newline is a line too. */
static void take_last_line(struct tail *t, struct tail_file *f)
{
	ssize_t got = f->fd >= 0 ? pread(f->fd, t->chunk, (size_t)t->settings->max_line, f->offset) : 0;

	if (got <= 0)
		return;
	take_line(t, f, (struct str){ t->chunk, (size_t)got });
	f->offset += got;
	t->changed = true;
}

/* ---- Files ---- */

/* Begins anew in a file that is not what it was. */
static bool take_truncated(struct tail *t, struct tail_file *f, struct err *e)
{
	if (!tail_find_copy(t, f, e))
		return false;
	t->stats->truncations++;
	t->changed = true;
	f->offset = 0;
	f->head = f->tail = (struct tail_print){ 0 };
	f->skipping = f->binary = false;
	return true;
}

static bool is_compressed(const struct tail_file *f)
{
	static const struct str magics[] = { { "\x1f\x8b", 2 }, { "\xfd" "7zXZ", 5 }, { "\x28\xb5\x2f\xfd", 4 }, { "BZh", 3 } };
	char head[5];
	ssize_t n = pread(f->fd, head, sizeof head, 0);

	for (size_t i = 0; i < ARRAY_LEN(magics) && n > 0; i++)
		if (str_starts((struct str){ head, (size_t)n }, magics[i]))
			return true;
	return false;
}

/* A copy that grew beyond what it is like has a writer of its own. */
static void take_grown_copy(struct tail *t, struct tail_file *f, const struct stat *st)
{
	if (!f->copy || f->grew_mono_ms == 0 || st->st_size <= f->size || tail_is_copy(t, f->path, st, f->fd))
		return;
	f->copy = false;
	t->changed = true;
}

/* Whether there may be more than was read; false and <e> when it cannot be told. */
static bool has_more(struct tail *t, struct tail_file *f, const struct stat *st, struct err *e)
{
	const int64_t written_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
	const bool same = f->grew_mono_ms != 0 && st->st_size == f->size && written_ms == f->written_ms;

	take_grown_copy(t, f, st);
	f->written_ms = written_ms;
	f->size = st->st_size;
	if (!same)
		f->grew_mono_ms = clock_mono_ms(t->clock);
	if (f->copy || (same && f->offset == f->size))
		return false;
	if (f->offset > 0 && f->tail.n == 0)    /* begun at the end */
		remember_prints(f);
	if ((st->st_size < f->offset || !tail_prints_match(f, f->fd)) && !take_truncated(t, f, e))
		return false;
	if (f->offset == 0 && st->st_size > 0)
		f->binary = is_compressed(f);
	return st->st_size > f->offset && !f->binary;
}

static bool read_file(struct tail *t, struct tail_file *f, const struct source_ask *ask, struct err *e)
{
	struct stat st;

	if (f->fd < 0 && !tail_open(t, f, e))
		return e->code == ERR_NONE;
	if (fstat(f->fd, &st) != 0)
		return err_set(e, ERR_IO, -1, "%s: %s", f->path, strerror(errno));
	if (!has_more(t, f, &st, e))
		return e->code == ERR_NONE;
	return read_lines(t, f, ask, st.st_size, e);
}

/* An inode that was free while nobody held it may be another file's by now: one that was moved, and does not begin as it did, is
 * gone. What took its inode is looked at as if it had none. */
static bool verify_files(struct tail *t, struct err *e)
{
	for (size_t i = t->n; i-- > 0;) {
		struct tail_file *f = t->files[i];
		struct stat st;

		if (!tail_open(t, f, e)) {
			if (e->code != ERR_NONE)
				return false;
			continue;
		}
		if ((!f->moved && tail_is_at_path(f)) || (fstat(f->fd, &st) == 0 && st.st_size >= f->offset && tail_prints_match(f, f->fd)))
			continue;
		t->stats->files_lost++;
		tail_drop(t, f);
	}
	t->verified = true;
	return true;
}

/* Moved, and nobody writes to it any more. While a pattern finds it, it must be remembered: it would be a new file otherwise. */
static bool is_over(const struct tail *t, const struct tail_file *f)
{
	return f->moved && !f->found && clock_mono_ms(t->clock) - f->grew_mono_ms >= TAIL_KEEP_MS;
}

bool tail_round(struct tail *t, const struct source_ask *ask, struct err *e)
{
	if ((!t->verified && !verify_files(t, e)) || !tail_find_files(t, ask, e))
		return false;
	for (size_t i = 0; i < t->n; i++)       /* a copy that is found on the way is added behind */
		if (!read_file(t, t->files[i], ask, e))
			return false;
	for (size_t i = t->n; i-- > 0;) {
		struct tail_file *f = t->files[i];

		if (f->fd >= 0 ? !is_over(t, f) : t->folder_missing)
			continue;
		if (f->fd < 0)
			t->stats->files_lost += !f->copy && !f->binary;
		else if (!f->copy && !f->binary)
			take_last_line(t, f);
		tail_drop(t, f);
	}
	return true;
}

/* ---- The state file ---- */

static void save_print(struct json_out *to, const char *key, const struct tail_print *p)
{
	char text[40];

	snprintf(text, sizeof text, "%u:%016llx", p->n, (unsigned long long)p->hash);
	json_out_key(to, key);
	json_out_strz(to, text);
}

static bool load_print(const json_t *from, const char *key, uint32_t max, struct tail_print *out)
{
	const char *text = json_string_value(json_object_get(from, key));
	unsigned long long hash;

	if (text == NULL || sscanf(text, "%u:%llx", &out->n, &hash) != 2 || out->n > max)
		return false;
	out->hash = hash;
	return true;
}

void tail_save(const struct tail *t, struct json_out *to)
{
	json_out_open(to, '[');
	for (size_t i = 0; i < t->n; i++) {
		const struct tail_file *f = t->files[i];

		json_out_open(to, '{');
		json_out_key(to, "path");
		json_out_strz(to, f->path);
		json_out_key(to, "dev");
		json_out_int(to, (int64_t)f->dev);
		json_out_key(to, "ino");
		json_out_int(to, (int64_t)f->ino);
		json_out_key(to, "offset");
		json_out_int(to, f->offset);
		save_print(to, "head", &f->head);
		save_print(to, "tail", &f->tail);
		json_out_key(to, "skipping");
		json_out_bool(to, f->skipping);
		json_out_key(to, "moved");
		json_out_bool(to, f->moved);
		json_out_key(to, "unreplaced");
		json_out_bool(to, f->unreplaced);
		json_out_key(to, "copy");
		json_out_bool(to, f->copy);
		json_out_close(to, '}');
	}
	json_out_close(to, ']');
}

static bool load_file(struct tail *t, const json_t *from)
{
	const char *path = json_string_value(json_object_get(from, "path"));
	const struct stat st = { .st_dev = (dev_t)json_integer_value(json_object_get(from, "dev")),
	    .st_ino = (ino_t)json_integer_value(json_object_get(from, "ino")) };
	struct tail_file *f;

	if (path == NULL)
		return false;
	f = tail_add(t, path, &st);
	f->offset = json_integer_value(json_object_get(from, "offset"));
	f->skipping = json_is_true(json_object_get(from, "skipping"));
	f->moved = json_is_true(json_object_get(from, "moved"));
	f->unreplaced = json_is_true(json_object_get(from, "unreplaced"));
	f->copy = json_is_true(json_object_get(from, "copy"));
	return load_print(from, "head", TAIL_HEAD_BYTES, &f->head) && load_print(from, "tail", TAIL_TAIL_BYTES, &f->tail) &&
	    f->offset >= f->head.n && f->offset >= f->tail.n;
}

bool tail_load(struct tail *t, const json_t *from, struct err *e)
{
	for (size_t i = 0; i < json_array_size(from); i++)
		if (!load_file(t, json_array_get(from, i)))
			return err_set(e, ERR_BAD_INPUT, -1, "file %zu is damaged", i);
	t->began = true;
	t->changed = false;
	return true;
}
