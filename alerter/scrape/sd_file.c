/* file_sd: files are read when they change, which the kernel tells, and every refresh_interval in case it does not. */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "scrape/discovery.h"
#include "tocsin/file.h"
#include "tocsin/glob.h"

static struct str folder_of(struct str path, struct arena *a)
{
	size_t n = path.n;

	while (n > 0 && path.p[n - 1] != '/')
		n--;
	return n == 0 ? STR(".") : arena_str(a, (struct str){ path.p, n });
}

int sd_file_watch(const struct scrape_sd *config, int inotify_fd)
{
	struct arena a = { 0 };
	int youngest = 0;

	for (size_t i = 0; i < config->names.n; i++) {
		int watch = inotify_add_watch(inotify_fd, folder_of(config->names.v[i], &a).p,
		                              IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM);

		youngest = watch > youngest ? watch : youngest;
	}
	arena_fini(&a);
	return youngest;
}

static bool read_file(const char *path, struct buf *out, struct err *e)
{
	bool odd = access(path, F_OK) == 0 && !file_is_regular(path);
	FILE *f = odd ? NULL : fopen(path, "re");
	size_t n = 1;

	if (odd)
		return err_set(e, ERR_IO, -1, FILE_NOT_REGULAR);
	if (f == NULL)
		return err_set(e, ERR_IO, -1, "cannot be opened: %s", strerror(errno));
	while (n > 0 && out->n <= SD_BODY_MAX) {
		n = fread(buf_reserve(out, 65536), 1, 65536, f);
		out->n += n;
	}
	if (ferror(f))
		err_set(e, ERR_IO, -1, "cannot be read: %s", strerror(errno));
	else if (out->n > SD_BODY_MAX)
		err_set(e, ERR_LIMIT, -1, "is larger than %d bytes", SD_BODY_MAX);
	fclose(f);
	return e->code == ERR_NONE;
}

static void refresh_path(struct sd *sd, struct str path)
{
	struct sd_source *s = sd_source(sd, path);
	struct sd_answer answer = { 0 };
	struct buf text = { 0 };
	struct err e = { 0 };
	bool ok = read_file(s->name.p, &text, &e);

	if (ok)
		ok = (path.n > 5 && str_eq_nocase((struct str){ path.p + path.n - 5, 5 }, STR(".json")) ? sd_answer_json : sd_answer_yaml)(&answer, buf_str(&text), "__meta_filepath", path, &e);
	if (ok)
		sd_source_found(sd, s, &answer);
	else
		sd_source_failed(sd, s, &e);
	arena_fini(&answer.arena);
	buf_fini(&text);
}

/* A folder that cannot be read does not mean that its files are gone. */
static bool folder_is_there(struct str pattern)
{
	struct arena a = { 0 };
	bool there = access(folder_of(pattern, &a).p, R_OK | X_OK) == 0;

	arena_fini(&a);
	return there;
}

/* What the pattern found before stays. */
static void keep_found(struct sd *sd, struct str pattern)
{
	for (size_t i = 0; i < sd->n; i++)
		if (sd->sources[i]->known && glob_matches(pattern.p, sd->sources[i]->name.p))
			sd->sources[i]->stays = true;
}

static void refresh_glob(struct sd *sd, struct str pattern)
{
	glob_t found;
	int rc = glob_files(pattern.p, &found);
	struct err e = { 0 };

	if (rc != 0) {
		keep_found(sd, pattern);
		err_set(&e, ERR_IO, -1, "%s", rc == GLOB_NOMATCH && folder_is_there(pattern) ? "no file is there: one with [] says that there are no targets"
		                                                                             : "the folder cannot be read");
		sd_source_failed(sd, sd_source(sd, pattern), &e);
	}
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		refresh_path(sd, str_of(found.gl_pathv[i]));
	globfree(&found);
}

/* A path without signs of a pattern that is not there is a failure; a file that a pattern no longer finds was taken away. But
 * all of them at once, or none at the start, is what a mount that is away looks like. */
void sd_file_refresh(struct sd *sd)
{
	sd_sources_begin(sd);
	for (size_t i = 0; i < sd->config->names.n; i++) {
		struct str path = sd->config->names.v[i];

		if (glob_is_pattern(path.p))
			refresh_glob(sd, path);
		else
			refresh_path(sd, path);
	}
	sd_sources_end(sd);
}
