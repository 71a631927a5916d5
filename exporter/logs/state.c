/* Written beside, synced, renamed: after any crash there is the old one or the new one. */
#include "logs/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VERSION 1
#define STATE_BYTES_MAX (64u << 20)

static bool failed(const struct state_file *f, const char *what, struct err *e)
{
	return err_set(e, ERR_IO, -1, "state file " STR_FMT ": %s: %s", STR_ARG(f->path), what, strerror(errno));
}

bool state_file_lock(struct state_file *f, struct err *e)
{
	struct buf path = { 0 };
	bool ok;

	if (f->lock_fd >= 0)
		return true;
	buf_printf(&path, STR_FMT ".lock", STR_ARG(f->path));
	f->lock_fd = open(buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	buf_fini(&path);
	if (f->lock_fd < 0)
		return failed(f, "cannot make its lock", e);
	ok = flock(f->lock_fd, LOCK_EX | LOCK_NB) == 0;
	if (!ok) {
		err_set(e, ERR_UPSTREAM, -1, "state file " STR_FMT ": another exporter or source uses it", STR_ARG(f->path));
		state_file_unlock(f);
	}
	return ok;
}

void state_file_unlock(struct state_file *f)
{
	if (f->lock_fd >= 0)
		close(f->lock_fd);
	f->lock_fd = -1;
}

static void load_stats(struct lines_stats *stats, const json_t *from)
{
#define X(name, help) stats->name += (uint64_t)json_integer_value(json_object_get(from, #name));
	LINES_STATS(X)
#undef X
}

static bool load_root(const json_t *root, struct tail *t, struct counts *c, struct lines_stats *stats, struct err *e)
{
	if (json_integer_value(json_object_get(root, "version")) != VERSION)
		return err_set(e, ERR_BAD_INPUT, -1, "version is not %d", VERSION);
	load_stats(stats, json_object_get(root, "stats"));
	return tail_load(t, json_object_get(root, "files"), e) && counts_load(c, json_object_get(root, "counts"), e);
}

/* The text of the file; empty when there is none. */
static bool read_all(const struct state_file *f, struct buf *out, struct err *e)
{
	int fd = open(f->path.p, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT || failed(f, "cannot be read", e);
	out->limit = STATE_BYTES_MAX;
	while (n > 0) {
		char *room = buf_reserve(out, 65536);

		if (room == NULL) {
			close(fd);
			return err_set(e, ERR_LIMIT, -1, "state file " STR_FMT ": over %u bytes (STATE_BYTES_MAX)", STR_ARG(f->path),
			    STATE_BYTES_MAX);
		}
		n = read(fd, room, 65536);
		out->n += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return n == 0 || failed(f, "cannot be read", e);
}

bool state_file_load(struct state_file *f, struct tail *t, struct counts *c, struct lines_stats *stats, struct err *e)
{
	struct buf text = { 0 };
	json_error_t where;
	json_t *root = NULL;
	bool ok = read_all(f, &text, e);

	if (ok && text.n > 0) {
		root = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &where);
		ok = root != NULL ? load_root(root, t, c, stats, e) : err_set(e, ERR_BAD_INPUT, -1, "%s", where.text);
		if (!ok)
			err_context(e, "state file " STR_FMT " is damaged (remove it to begin anew)", STR_ARG(f->path));
	}
	json_decref(root);
	buf_fini(&text);
	f->loaded = ok;
	return ok;
}

static void put_state(struct buf *out, const struct tail *t, const struct counts *c, const struct lines_stats *stats)
{
	struct json_out j = { out, false };

	json_out_open(&j, '{');
	json_out_key(&j, "version");
	json_out_int(&j, VERSION);
	json_out_key(&j, "files");
	tail_save(t, &j);
	json_out_key(&j, "counts");
	counts_save(c, &j);
	json_out_key(&j, "stats");
	json_out_open(&j, '{');
#define X(name, help) json_out_key(&j, #name); json_out_int(&j, (int64_t)stats->name);
	LINES_STATS(X)
#undef X
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	buf_putc(out, '\n');
}

static bool write_all(int fd, struct str text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			text = str_between(text.p + n, text.p + text.n);
	}
	return true;
}

/* The name too must be on disk. */
static bool sync_folder(struct str path)
{
	size_t slash = path.n;
	struct buf folder = { 0 };
	int fd;
	bool ok;

	while (slash > 0 && path.p[slash - 1] != '/')
		slash--;
	if (slash == 0)
		buf_putc(&folder, '.');
	buf_put(&folder, path.p, slash);
	fd = open(buf_z(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	buf_fini(&folder);
	return ok;
}

bool state_file_save(const struct state_file *f, const struct tail *t, const struct counts *c, const struct lines_stats *stats,
                     struct err *e)
{
	struct buf text = { 0 }, path = { 0 };
	int fd;
	bool ok;

	put_state(&text, t, c, stats);
	buf_printf(&path, STR_FMT ".new", STR_ARG(f->path));
	fd = open(buf_z(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ok = fd >= 0 && write_all(fd, buf_str(&text)) && fdatasync(fd) == 0;
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	ok = ok && rename(buf_z(&path), f->path.p) == 0 && sync_folder(f->path);
	if (!ok)
		failed(f, "cannot be written", e);
	buf_fini(&text);
	buf_fini(&path);
	return ok;
}
