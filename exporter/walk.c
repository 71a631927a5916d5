/* A folder is gone through once, for all parts of the pattern that may match in it, and only where one of them has wildcards. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/buf.h"

struct walk {
	char parts[WALK_MAX_DEPTH][NAME_MAX + 1];
	size_t n_parts;
	const struct walk_bounds *bounds;
	walk_found *found;
	void *ctx;
	struct err *e;
	struct buf path;
	size_t entries;
	int depth;                      /* folders that ** went down */
};

static bool has_wildcard(const char *part)
{
	return strpbrk(part, "*?[\\") != NULL;
}

static bool is_any_depth(const char *part)
{
	return strcmp(part, "**") == 0;
}

static bool split(struct walk *w, struct str pattern, struct err *e)
{
	struct str part;

	while (str_cut(&pattern, '/', &part)) {
		if (part.n == 0)
			continue;
		if (w->n_parts == WALK_MAX_DEPTH)
			return err_set(e, ERR_LIMIT, -1, "a path of more than %d parts (WALK_MAX_DEPTH)", WALK_MAX_DEPTH);
		if (part.n > NAME_MAX)
			return err_set(e, ERR_LIMIT, -1, "a file name of more than %d bytes (NAME_MAX)", NAME_MAX);
		memcpy(w->parts[w->n_parts++], part.p, part.n);
	}
	return w->n_parts > 0 || err_set(e, ERR_BAD_INPUT, -1, "a path that names no file");
}

/* Behind the ']' of the bracket <p> is in; NULL: there is none. */
static const char *bracket_end(const char *p)
{
	p += *p == '!' || *p == '^';
	p += *p == ']';
	for (; *p != '\0' && *p != ']'; p++) {
		if (p[0] == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {       /* [:digit:] */
			const char end[] = { p[1], ']', '\0' }, *found = strstr(p + 2, end);

			p = found != NULL ? found + 1 : p;
		} else if (*p == '\\' && p[1] != '\0') {
			p++;
		}
	}
	return *p == ']' ? p + 1 : NULL;
}

/* What other shells write for several patterns. */
static bool is_brace_list(const char *p)
{
	const char *comma = *p == '{' ? strchr(p, ',') : NULL;

	return comma != NULL && strchr(comma, '}') != NULL;
}

/* What fnmatch() takes, and never matches. */
static bool check_part(const char *part, struct err *e)
{
	const char *p = part;

	while (p != NULL && *p != '\0') {
		if (is_brace_list(p))
			return err_set(e, ERR_BAD_INPUT, -1, "\"%s\": braces are not expanded: write a pattern for each; \\{ stands for the "
			               "character", part);
		if (*p == '\\' && p[1] == '\0')
			return err_set(e, ERR_BAD_INPUT, -1, "\"%s\" ends in a backslash: two stand for one", part);
		p = *p == '[' ? bracket_end(p + 1) : p + (*p == '\\' ? 2 : 1);
	}
	if (p == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "\"%s\" has a [ without ]: \\[ stands for the character", part);
	return true;
}

bool walk_pattern_check(struct str pattern, struct err *e)
{
	struct walk w = { 0 };

	if (!split(&w, pattern, e))
		return false;
	if (str_ends(pattern, STR("/")))
		return err_set(e, ERR_BAD_INPUT, -1, "a path that ends in / names a folder: write /* behind it for the files in it");
	for (size_t i = 0; i < w.n_parts; i++)
		if (!check_part(w.parts[i], e))
			return false;
	return true;
}

static bool push(struct walk *w, const char *name)
{
	buf_putc(&w->path, '/');
	buf_putz(&w->path, name);
	return w->path.n < PATH_MAX || err_set(w->e, ERR_LIMIT, -1, "a path of more than %d bytes (PATH_MAX)", PATH_MAX);
}

static bool count_entry(struct walk *w)
{
	const struct walk_bounds *b = w->bounds;

	if (++w->entries > b->max_entries)
		return err_set(w->e, ERR_LIMIT, -1, "more than %zu directory entries (max_entries)", b->max_entries);
	if (w->entries % 64 == 0 && clock_mono_ms(b->clock) >= b->deadline_mono_ms)
		return err_set(w->e, ERR_TIMEOUT, -1, "not through within the deadline after %zu directory entries", w->entries);
	return true;
}

static bool is_gone(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static bool report(struct walk *w)
{
	struct stat st;

	if (stat(buf_z(&w->path), &st) != 0)
		return is_gone(errno) || err_set(w->e, ERR_IO, -1, "%s: %s", buf_z(&w->path), strerror(errno));
	return !S_ISREG(st.st_mode) || w->found(w->ctx, buf_z(&w->path), &st, w->e);
}

static bool is_folder(struct walk *w, const struct dirent *d, bool follow)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN && !(d->d_type == DT_LNK && follow))
		return d->d_type == DT_DIR;
	return (follow ? stat(buf_z(&w->path), &st) : lstat(buf_z(&w->path), &st)) == 0 && S_ISDIR(st.st_mode);
}

/* Parts of the pattern, a bit each, that may match what is in a folder: a part, and behind ** what ** may stand for nothing before. */
static uint32_t parts_from(const struct walk *w, size_t part)
{
	uint32_t parts = 1u << part;

	for (; is_any_depth(w->parts[part]) && part + 1 < w->n_parts; part++)
		parts |= 2u << part;
	return parts;
}

/* What an entry of a folder is to the parts that are looked for there. */
struct match {
	bool found;                     /* as a file it is one */
	bool deeper;                    /* ** goes down */
	uint32_t below;                 /* parts to look for in it, as a folder */
};

static void match_part(struct walk *w, size_t part, const struct dirent *d, struct match *m)
{
	const char *pattern = w->parts[part];
	const bool last = part + 1 == w->n_parts;

	if (!is_any_depth(pattern)) {
		if (fnmatch(pattern, d->d_name, FNM_PERIOD) != 0)
			return;
		if (last)
			m->found = true;
		else if (is_folder(w, d, true))
			m->below |= parts_from(w, part + 1);
	} else if (d->d_name[0] != '.') {
		if (!is_folder(w, d, false)) {
			m->found |= last;
		} else {
			m->deeper = true;
			m->below |= parts_from(w, part);
		}
	}
}

static bool walk_folder(struct walk *w, uint32_t parts);

/* The path is an entry's. It is looked at once, in however many ways the pattern leads to it. */
static bool take_entry(struct walk *w, uint32_t parts, const struct dirent *d)
{
	struct match m = { 0 };
	bool ok;

	for (size_t part = 0; part < w->n_parts; part++)
		if (parts >> part & 1)
			match_part(w, part, d, &m);
	if (m.found && !report(w))
		return false;
	if (m.below == 0)
		return true;
	w->depth += m.deeper;
	if (w->depth > WALK_MAX_DEPTH)
		return err_set(w->e, ERR_LIMIT, -1, "folders more than %d deep below ** (WALK_MAX_DEPTH)", WALK_MAX_DEPTH);
	ok = walk_folder(w, m.below);
	w->depth -= m.deeper;
	return ok;
}

static bool list_folder(struct walk *w, uint32_t parts)
{
	const char *folder = w->path.n > 0 ? buf_z(&w->path) : "/";
	DIR *dir = opendir(folder);
	size_t n = w->path.n;
	struct dirent *d;
	bool ok = true;

	if (dir == NULL)
		return is_gone(errno) || err_set(w->e, ERR_IO, -1, "%s: %s", folder, strerror(errno));
	while (ok && (errno = 0, d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		ok = count_entry(w) && push(w, d->d_name) && take_entry(w, parts, d);
		w->path.n = n;
	}
	if (ok && errno != 0)
		ok = err_set(w->e, ERR_IO, -1, "%s: %s", buf_z(&w->path), strerror(errno));
	closedir(dir);
	return ok;
}

/* A single part that is a name needs no list of the folder, which one may have no right to. */
static bool walk_folder(struct walk *w, uint32_t parts)
{
	size_t n = w->path.n, part = (size_t)__builtin_ctz(parts);
	bool ok;

	if (parts != 1u << part || has_wildcard(w->parts[part]))
		return list_folder(w, parts);
	ok = push(w, w->parts[part]) && (part + 1 == w->n_parts ? report(w) : walk_folder(w, parts_from(w, part + 1)));
	w->path.n = n;
	return ok;
}

/* The folder the wildcards begin in, or the one the file should be in. Leaves its path. */
static enum walk_verdict enter(struct walk *w, size_t *part)
{
	struct stat st;

	for (*part = 0; *part + 1 < w->n_parts && !has_wildcard(w->parts[*part]); ++*part)
		if (!push(w, w->parts[*part]))
			return WALK_FAILED;
	if (w->path.n == 0)
		return WALK_DONE;
	if (stat(buf_z(&w->path), &st) != 0) {
		if (is_gone(errno))
			return WALK_MISSING;
		err_set(w->e, ERR_IO, -1, "%s: %s", buf_z(&w->path), strerror(errno));
		return WALK_FAILED;
	}
	return S_ISDIR(st.st_mode) ? WALK_DONE : WALK_MISSING;
}

enum walk_verdict walk_glob(struct str pattern, const struct walk_bounds *bounds, walk_found *found, void *ctx, struct err *e)
{
	struct walk w = { .bounds = bounds, .found = found, .ctx = ctx, .e = e };
	enum walk_verdict v = WALK_FAILED;
	size_t part;

	if (pattern.n > 0 && pattern.p[0] != '/')
		buf_putc(&w.path, '.');
	if (split(&w, pattern, e))
		v = enter(&w, &part);
	if (v == WALK_DONE && !walk_folder(&w, parts_from(&w, part)))
		v = WALK_FAILED;
	buf_fini(&w.path);
	return v;
}
