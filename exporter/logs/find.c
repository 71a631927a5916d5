/* Which files there are. A file is new, known (by inode, whatever its name), or a copy of one that is still written; when another
 * file has taken a name, the one before was moved, and those that came and went in between lie beside it. */
#include "logs/tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tocsin/mem.h"

#define ENTRIES_MAX 100000

static bool is_file(const struct tail_file *f, const struct stat *st)
{
	return f->dev == st->st_dev && f->ino == st->st_ino;
}

static struct tail_file *known(const struct tail *t, const struct stat *st)
{
	for (size_t i = 0; i < t->n; i++)
		if (is_file(t->files[i], st))
			return t->files[i];
	return NULL;
}

static struct tail_file *at_path(const struct tail *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if ((!t->files[i]->moved || t->files[i]->unreplaced) && strcmp(t->files[i]->path, path) == 0)
			return t->files[i];
	return NULL;
}

/* The file that was called <path> until it was found under another name. */
static struct tail_file *left(const struct tail *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->files[i]->left_path != NULL && strcmp(t->files[i]->left_path, path) == 0)
			return t->files[i];
	return NULL;
}

static void forget_left_path(struct tail_file *f)
{
	free(f->left_path);
	f->left_path = NULL;
}

/* One that is moved is rotated, whatever it is called; of another it shows when somebody takes its old name. */
static void set_path(struct tail *t, struct tail_file *f, const char *path)
{
	if (strcmp(f->path, path) == 0)
		return;
	if (f->left_path == NULL && !f->moved)
		f->left_path = f->path;
	else
		free(f->path);
	f->path = mem_strndup(path, strlen(path));
	if (f->left_path != NULL && strcmp(f->left_path, path) == 0)
		forget_left_path(f);
	t->changed = true;
}

static int open_log(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* ---- What lies beside a file: app.log.1, app.log-20261122 beside app.log ---- */

/* Given each regular file beside; true ends the sweep. */
typedef bool beside(struct tail *t, struct tail_file *of, const char *path, const struct stat *st);

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool is_beside(const char *base, const char *name)
{
	size_t n = strlen(base);

	return strncmp(base, name, n) == 0 && name[n] != '\0' && strchr(".-_", name[n]) != NULL;
}

/* What lies beside <at>. False and <e> when the folder cannot be read. */
static bool sweep(struct tail *t, struct tail_file *of, const char *at, beside *look, struct err *e)
{
	const char *base = base_name(at);
	char *folder = mem_strndup(at, (size_t)(base - at));
	DIR *dir = opendir(folder);
	struct buf path = { 0 };
	struct dirent *d;
	size_t entries = 0;
	bool done = false;

	if (dir == NULL && errno != ENOENT)
		err_set(e, ERR_IO, -1, "%s: %s", folder, strerror(errno));
	while (dir != NULL && !done && (d = readdir(dir)) != NULL && entries++ < ENTRIES_MAX) {
		struct stat st;

		buf_reset(&path);
		buf_printf(&path, "%s%s", folder, d->d_name);
		if (is_beside(base, d->d_name) && stat(buf_z(&path), &st) == 0 && S_ISREG(st.st_mode))
			done = look(t, of, buf_z(&path), &st);
	}
	if (dir != NULL)
		closedir(dir);
	buf_fini(&path);
	free(folder);
	return e->code == ERR_NONE;
}

static bool open_if_same(struct tail *t, struct tail_file *of, const char *path, const struct stat *st)
{
	if (!is_file(of, st))
		return false;
	(void)t;
	of->fd = open_log(path);        /* its path stays what it was: the next name it is moved to lies beside that one */
	return of->fd >= 0;
}

/* Came and went between two looks: written after the one that was known, and never seen. */
static bool add_if_between(struct tail *t, struct tail_file *of, const char *path, const struct stat *st)
{
	struct tail_file *between;
	struct stat old;
	int fd;

	if (known(t, st) != NULL || fstat(of->fd, &old) != 0 || st->st_size == 0)
		return false;
	if (st->st_mtim.tv_sec < old.st_mtim.tv_sec ||
	    (st->st_mtim.tv_sec == old.st_mtim.tv_sec && st->st_mtim.tv_nsec < old.st_mtim.tv_nsec))
		return false;
	fd = open_log(path);
	if (fd < 0)
		return false;
	if (of->head.n > 0 && st->st_size >= of->offset && tail_prints_match(of, fd)) {
		close(fd);                      /* a copy of what was read */
		return false;
	}
	between = tail_add(t, of->path, st);
	between->fd = fd;
	between->moved = true;
	return false;
}

static bool add_if_copy(struct tail *t, struct tail_file *of, const char *path, const struct stat *st)
{
	struct tail_file *copy = known(t, st);
	int fd;

	if (of->offset == 0 || st->st_size < of->offset || (copy != NULL && !copy->copy))
		return false;
	fd = open_log(path);
	if (fd < 0)
		return false;
	if (!tail_prints_match(of, fd)) {
		close(fd);
		return false;
	}
	if (copy == NULL)
		copy = tail_add(t, of->path, st);
	if (copy->fd >= 0)
		close(copy->fd);
	copy->fd = fd;
	copy->offset = of->offset;
	copy->head = of->head;
	copy->tail = of->tail;
	copy->skipping = of->skipping;
	copy->copy = false;
	copy->moved = true;
	t->changed = true;
	return true;
}

bool tail_find_copy(struct tail *t, const struct tail_file *f, struct err *e)
{
	struct tail_file of = *f;

	return sweep(t, &of, of.path, add_if_copy, e);
}

/* ---- New names, new files ---- */

bool tail_open(struct tail *t, struct tail_file *f, struct err *e)
{
	char *at;
	struct stat st;

	f->fd = open_log(f->path);
	if (f->fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_set(e, ERR_IO, -1, "%s: %s", f->path, strerror(errno));
	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && is_file(f, &st))
		return true;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	at = mem_strndup(f->path, strlen(f->path));
	if (!sweep(t, f, at, open_if_same, e))
		f->fd = -1;
	free(at);
	return f->fd >= 0;
}

bool tail_is_at_path(const struct tail_file *f)
{
	struct stat st;

	return stat(f->path, &st) == 0 && is_file(f, &st);
}

/* The file begins as one that is still written did, and holds what was read of it, or less as yet: then it is a copy, and what it
 * may hold beyond counts when the other is truncated. */
enum likeness { LIKE_NONE, LIKE_COPY, LIKE_COPY_UNDER_WAY };

/* Whether <f>, which was not truncated, has fewer bytes than the other had just now: no copy has more than what it is made of. */
static bool is_outgrown(const struct tail_file *f, int64_t size)
{
	struct stat st;

	return f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_size >= f->offset && st.st_size < size && tail_prints_match(f, f->fd);
}

static enum likeness likeness_of(const struct tail_file *f, const char *path, const struct stat *st, int fd)
{
	struct tail_file head = *f;

	if (f->moved || f->copy || f->head.n == 0 || !is_beside(base_name(f->path), base_name(path)))
		return LIKE_NONE;
	head.tail.n = 0;
	if (st->st_size < (off_t)f->head.n || !tail_prints_match(&head, fd))
		return LIKE_NONE;
	if (st->st_size < f->offset)
		return LIKE_COPY_UNDER_WAY;
	return tail_prints_match(f, fd) && !is_outgrown(f, st->st_size) ? LIKE_COPY : LIKE_NONE;
}

static enum likeness likeness(const struct tail *t, const char *path, const struct stat *st, int fd)
{
	for (size_t i = 0; i < t->n; i++) {
		enum likeness l = likeness_of(t->files[i], path, st, fd);

		if (l != LIKE_NONE)
			return l;
	}
	return LIKE_NONE;
}

bool tail_is_copy(const struct tail *t, const char *path, const struct stat *st, int fd)
{
	return likeness(t, path, st, fd) != LIKE_NONE;
}

/* At the end, but not inside a line. */
static int64_t last_line_start(const struct tail *t, int fd, int64_t size)
{
	int64_t room = size < t->settings->max_line ? size : t->settings->max_line;
	ssize_t n = pread(fd, t->chunk, (size_t)room, size - room);

	while (n > 0 && t->chunk[n - 1] != '\n')
		n--;
	return n > 0 ? size - room + n : size;
}

static bool add_new(struct tail *t, const char *path, const struct stat *st, struct err *e)
{
	int fd = open_log(path);
	struct tail_file *f;
	enum likeness l;

	if (fd < 0)
		return errno == ENOENT || err_set(e, ERR_IO, -1, "%s: %s", path, strerror(errno));
	l = t->began ? likeness(t, path, st, fd) : LIKE_NONE;
	if (l == LIKE_COPY_UNDER_WAY) {
		close(fd);
		return true;
	}
	f = tail_add(t, path, st);
	f->fd = fd;
	f->found = true;
	f->copy = l == LIKE_COPY;
	if (!t->began && t->settings->first == LOGS_FIRST_END)
		f->offset = last_line_start(t, fd, st->st_size);
	return true;
}

/* Another file has its place at <path>. */
static bool take_moved(struct tail *t, struct tail_file *f, const char *path, struct err *e)
{
	forget_left_path(f);
	f->moved = true;
	f->unreplaced = false;
	t->changed = true;
	t->stats->rotations++;
	if (f->fd < 0 && !tail_open(t, f, e))
		return e->code == ERR_NONE;     /* counted as lost when it is dropped */
	return sweep(t, f, path, add_if_between, e);
}

/* The one with that inode, unless it was another file's in another life: an inode is free when its file was removed. */
static struct tail_file *known_by_text(struct tail *t, const char *path, const struct stat *st)
{
	struct tail_file *f = known(t, st);

	if (f == NULL || f->fd >= 0)
		return f;
	f->fd = open_log(path);
	if (f->fd < 0 || (st->st_size >= f->offset && tail_prints_match(f, f->fd)))
		return f;
	t->stats->files_lost += !f->copy && !f->binary;
	tail_drop(t, f);
	return NULL;
}

static bool take_found(void *ctx, const char *path, const struct stat *st, struct err *e)
{
	struct tail *t = ctx;
	struct tail_file *f, *before;

	if (!str_is_utf8(str_of(path)))
		return true;                    /* the state file could not name it */
	f = known_by_text(t, path, st);
	before = at_path(t, path);
	if (f != NULL && f != before && !f->found)
		set_path(t, f, path);
	if (before == NULL)
		before = left(t, path);
	if (before != NULL && before != f && !take_moved(t, before, path, e))
		return false;
	f = known(t, st);                       /* perhaps found beside the one before */
	if (f != NULL) {
		f->found = true;
		f->moved &= !f->unreplaced;     /* it is back */
		f->unreplaced = false;
		return true;
	}
	if (t->n >= (size_t)t->settings->max_files)
		return err_set(e, ERR_LIMIT, -1, "more than %lld files (max_files)", (long long)t->settings->max_files);
	return add_new(t, path, st, e);
}

bool tail_find_files(struct tail *t, const struct source_ask *ask, struct err *e)
{
	const struct walk_bounds bounds = { ENTRIES_MAX, ask->deadline_mono_ms, ask->clock };

	t->folder_missing = false;
	for (size_t i = 0; i < t->n; i++)
		t->files[i]->found = false;
	for (size_t i = 0; i < t->settings->files.n; i++) {
		enum walk_verdict v = walk_glob(t->settings->files.v[i], &bounds, take_found, t, e);

		if (v == WALK_FAILED)
			return false;
		t->folder_missing |= v == WALK_MISSING;
	}
	for (size_t i = 0; i < t->n && !t->folder_missing; i++) {
		struct tail_file *f = t->files[i];

		if (f->found || f->moved)
			continue;
		f->moved = f->unreplaced = true;        /* removed, or moved and not replaced yet */
		t->changed = true;
	}
	t->began = true;
	return true;
}
