/* import openmetrics: a file of samples with timestamps becomes blocks of history. Read twice: first everything that is wrong is said
 * and the range of time found, then it is stored. Nothing of a file with a mistake is kept. The file is mapped, not read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "scrape/textparse.h"
#include "store/store.h"
#include "tocsin/clock.h"
#include "tocsin/flags.h"

enum { MAX_COMPLAINTS = 20, MAX_WINDOWS = 100, PROGRESS_BYTES = 64 << 20 };
#define DAY_MS INT64_C(86400000)

struct source {
	const char *file;
	struct str text; /* a 0 behind it */
	size_t mapped, mistakes;
	int64_t min_ms, max_ms;
	size_t samples;
};

/* ---- The file ---- */

/* A page of zeros stays behind the file. */
static bool map_text(struct source *s, int fd, size_t n, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p;

	s->mapped = (n / page + 2) * page;
	p = mmap(NULL, s->mapped, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || (n > 0 && mmap(p, n, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED))
		return err_set(e, ERR_IO, -1, "cannot map %s: %s", s->file, strerror(errno));
	s->text = (struct str){ p, n };
	return true;
}

static bool open_source(struct source *s, struct err *e)
{
	int fd = open(s->file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok;

	if (fd < 0)
		return err_set(e, ERR_IO, -1, "cannot open %s: %s", s->file, strerror(errno));
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? map_text(s, fd, (size_t)st.st_size, e)
	                                                : err_set(e, ERR_IO, -1, "%s is no file", s->file);
	close(fd);
	return ok;
}

static void close_source(struct source *s)
{
	if (s->text.p != NULL)
		munmap((void *)(uintptr_t)s->text.p, s->mapped);
}

static void complain(struct source *s, const char *at, const char *what)
{
	const char *begin = at;
	size_t line = 1;

	if (++s->mistakes > MAX_COMPLAINTS)
		return;
	while (begin > s->text.p && begin[-1] != '\n')
		begin--;
	for (const char *p = s->text.p; p < begin && (p = memchr(p, '\n', (size_t)(begin - p))) != NULL; p++)
		line++;
	fprintf(stderr, "%s:%zu:%zu: %s\n", s->file, line, (size_t)(at - begin) + 1, what);
}

static void show_progress(const struct source *s, const char *doing, const char *at, size_t *shown)
{
	size_t done = (size_t)(at - s->text.p);

	if (done - *shown < PROGRESS_BYTES)
		return;
	*shown = done;
	fprintf(stderr, "%s: %s, %zu of %zu MB\n", s->file, doing, done >> 20, s->text.n >> 20);
}

/* ---- Walking over its samples ---- */

/* What one line said; <at>: where the line begins. False: it was complained about. */
typedef bool sample_fn(struct source *s, const char *at, struct str series, const struct textparse_sample *sample, void *ctx);

static bool one_line(struct source *s, struct textparse *p, enum textparse_kind kind, struct arena *a, sample_fn *fn, void *ctx)
{
	const char *at = p->p;
	struct textparse_meta meta;
	struct textparse_sample sample = { 0 };
	struct str series;

	if (kind == TEXTPARSE_COMMENT)
		return textparse_comment(p, a, &meta);
	if (!textparse_series(p, &series) || !textparse_value(p, &sample))
		return false;
	if (!sample.has_t)
		complain(s, at, "a sample without its time: what is imported needs a timestamp behind each value");
	else
		fn(s, at, series, &sample, ctx);
	return true;
}

/* To the end or the first mistake in a line's form. */
static void walk_on(struct source *s, struct textparse *p, const char *doing, size_t *shown, sample_fn *fn, void *ctx)
{
	struct arena a = { 0 };
	enum textparse_kind kind;

	while (s->mistakes <= MAX_COMPLAINTS && (kind = textparse_next(p)) != TEXTPARSE_END && one_line(s, p, kind, &a, fn, ctx)) {
		arena_reset(&a);
		show_progress(s, doing, p->p, shown);
	}
	arena_fini(&a);
}

/* Past such a mistake it goes on in the next line. */
static void walk(struct source *s, const char *doing, sample_fn *fn, void *ctx)
{
	struct textparse p;
	size_t shown = 0;

	textparse_init(&p, s->text, true);
	for (;;) {
		const char *at, *next;

		walk_on(s, &p, doing, &shown, fn, ctx);
		if (p.err.code == ERR_NONE)
			return;
		at = p.begin + p.err.pos;
		complain(s, at, p.problem);
		next = memchr(at, '\n', (size_t)(p.end - at));
		if (next == NULL || p.saw_eof)
			return;
		textparse_init(&p, str_between(next + 1, p.end), true);
	}
}

/* ---- Checking ---- */

struct checked {
	struct str last; /* series text of the line before, which was good */
	struct arena arena;
};

static bool read_labels(struct source *s, struct str series, struct arena *a, struct labels *out)
{
	struct err e = { 0 };

	arena_reset(a);
	if (textparse_labels(series, a, out, NULL, &e))
		return true;
	complain(s, series.p + (e.pos > 0 ? e.pos : 0), e.msg);
	return false;
}

static bool check_sample(struct source *s, const char *at, struct str series, const struct textparse_sample *sample, void *ctx)
{
	struct checked *c = ctx;
	struct labels labels;

	(void)at;
	if (!str_eq(series, c->last) && !read_labels(s, series, &c->arena, &labels))
		return false;
	c->last = series;
	s->samples++;
	s->min_ms = sample->t_ms < s->min_ms ? sample->t_ms : s->min_ms;
	s->max_ms = sample->t_ms > s->max_ms ? sample->t_ms : s->max_ms;
	return true;
}

static bool check(struct source *s)
{
	struct checked c = { 0 };

	walk(s, "checked", check_sample, &c);
	arena_fini(&c.arena);
	return s->mistakes == 0;
}

/* ---- Storing ---- */

struct storing {
	struct store_import *import;
	struct store_import_series *series; /* of <last> */
	struct str last;
	struct arena arena;
};

static bool store_sample(struct source *s, const char *at, struct str text, const struct textparse_sample *sample, void *ctx)
{
	struct storing *st = ctx;
	struct labels labels;
	struct err e = { 0 };

	if (!str_eq(text, st->last)) {
		if (!read_labels(s, text, &st->arena, &labels))
			return false;
		st->series = store_import_series(st->import, labels, &e);
		st->last = text;
	}
	if (st->series != NULL && store_import_add(st->import, st->series, sample->t_ms, sample->v, &e))
		return true;
	complain(s, at, e.msg);
	if (e.code != ERR_BAD_INPUT) /* a limit or the disk: every line after this one would say the same */
		s->mistakes = MAX_COMPLAINTS + 1;
	return false;
}

/* Days, so that retention can drop what is old; more of them where that would be too many blocks. */
static int64_t window_ms(const struct source *s)
{
	return DAY_MS * ((s->max_ms - s->min_ms) / DAY_MS / MAX_WINDOWS + 1);
}

static void print_summary(const struct source *s, const struct store_import *im, struct str storage)
{
	struct store_import_stats st = store_import_stats(im);
	char from[32], until[32];

	clock_format_rfc3339(from, st.min_ms);
	clock_format_rfc3339(until, st.max_ms);
	printf("%s: %zu samples of %zu series, %s to %s, in %zu block%s of " STR_FMT "/blocks\n", s->file, st.samples, st.series, from,
	       until, st.blocks, st.blocks == 1 ? "" : "s", STR_ARG(storage));
	if (st.same_blocks > 0)
		printf("%zu of them %s there already, and nothing was added\n", st.same_blocks, st.same_blocks == 1 ? "was" : "were");
}

/* What the alerter keeps is its own setting: here only its default is known. */
static void warn_of_old(const struct source *s)
{
	enum { USUAL_DAYS = 15 };
	char from[32];

	if (s->min_ms >= clock_now_ms(&clock_system) - USUAL_DAYS * DAY_MS)
		return;
	clock_format_rfc3339(from, s->min_ms);
	fprintf(stderr,
	        "%s: warning: samples from %s on: the alerter deletes what is older than its --storage.retention, which is %d days unless set\n",
	        s->file, from, USUAL_DAYS);
}

/* The usual mistake is milliseconds. Nobody sees such samples before their time, and no retention ends them. */
static void warn_of_future(const struct source *s)
{
	char until[32];

	if (s->max_ms <= clock_now_ms(&clock_system) + DAY_MS)
		return;
	clock_format_rfc3339(until, s->max_ms);
	fprintf(stderr, "%s: warning: samples until %s lie in the future: timestamps are seconds since 1970\n", s->file, until);
}

static bool store_all(struct source *s, struct str storage, struct err *e)
{
	struct storing st = { .import = store_import_new(storage.p, window_ms(s), e) };
	bool ok = st.import != NULL;

	if (ok) {
		walk(s, "stored", store_sample, &st);
		ok = s->mistakes == 0 && store_import_commit(st.import, e);
	}
	if (ok) {
		print_summary(s, st.import, storage);
		warn_of_old(s);
		warn_of_future(s);
	}
	store_import_free(st.import);
	arena_fini(&st.arena);
	return ok;
}

static void report(const struct source *s, const struct err *e)
{
	if (e->code != ERR_NONE)
		fprintf(stderr, "tocsin-alerter import: %s\n", e->msg);
	if (s->mistakes > MAX_COMPLAINTS)
		fprintf(stderr, "%s: no more is said after %d mistakes\n", s->file, MAX_COMPLAINTS);
	fprintf(stderr, "%s: nothing was imported\n", s->file);
}

int import_openmetrics(int argc, char **argv)
{
	struct str storage;
	const struct flag flags[] = {
		{ "storage.path", FLAG_TEXT, &storage, "data", "DIR", "Where the alerter keeps its data." },
	};
	struct flag_list files = { 0 };
	struct source s = { .min_ms = INT64_MAX, .max_ms = INT64_MIN };
	struct err e = { 0 };
	bool ok;

	if (!flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv - 1, &files, &e) || files.n != 1) {
		fprintf(stderr, "tocsin-alerter import openmetrics: %s\n",
		        e.code != ERR_NONE ? e.msg : "name one file: import openmetrics FILE --storage.path=DIR");
		return 2;
	}
	s.file = files.v[0].p;
	ok = open_source(&s, &e) && check(&s);
	if (ok && s.samples == 0)
		ok = err_set(&e, ERR_BAD_INPUT, -1, "%s holds no samples", s.file);
	ok = ok && store_all(&s, storage, &e);
	if (!ok)
		report(&s, &e);
	close_source(&s);
	return ok ? 0 : 1;
}
