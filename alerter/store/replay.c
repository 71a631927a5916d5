/* Reading the journal into the head, at the start, before anybody else knows the store: so nothing is locked here. A series read here is
 * marked FROM_JOURNAL until something is appended to it: what it was is known, what it is not yet. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/aside.h"
#include "store/backlog.h"
#include "store/bits.h"
#include "store/claims.h"
#include "store/internal.h"
#include "store/slab.h"
#include "tocsin/file.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

enum { REPLAY_MAX_FILE = 1 << 30 };

/* ---- The folder ---- */

enum file_kind { FILE_LOG, FILE_CUT, FILE_CHECKPOINT, FILE_TEMPORARY, FILE_KINDS };
static const char *const suffixes[FILE_KINDS] = { ".log", ".cut", ".checkpoint", ".tmp" };

struct file {
	const struct journal *journal;
	uint64_t number;
	enum file_kind kind;
	int fd; /* -1: to be opened when it is read */
	/* Once it was: */
	bool was_read;
	unsigned char *bytes; /* NULL: it could not be, and <e> */
	size_t n;
	struct err e;
};

struct files {
	struct file *v;
	size_t n, cap;
};

static int by_number(const void *a, const void *b)
{
	const struct file *l = a, *r = b;

	if (l->number != r->number)
		return l->number < r->number ? -1 : 1;
	return (int)r->kind - (int)l->kind; /* the checkpoint before the log of its number */
}

static void list(const struct journal *j, struct files *out)
{
	DIR *d = opendir(j->dir);

	for (struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
		char *end;
		uint64_t number = strtoull(f->d_name, &end, 10);

		for (unsigned k = 0; k < FILE_KINDS && end != f->d_name; k++) {
			if (strcmp(end, suffixes[k]) != 0)
				continue;
			out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
			out->v[out->n++] = (struct file){ .journal = j, .number = number, .kind = (enum file_kind)k, .fd = -1 };
		}
	}
	if (d != NULL)
		closedir(d);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_number);
}

void journal_clean(struct store *st, uint64_t below)
{
	struct files files = { 0 };
	struct buf path = { 0 };

	list(&st->journal, &files);
	for (size_t i = 0; i < files.n; i++) {
		if (files.v[i].number >= below)
			continue;
		journal_path(&st->journal, files.v[i].number, suffixes[files.v[i].kind], &path);
		unlink(path.p);
	}
	buf_fini(&path);
	free(files.v);
}

/* A copy stays: what could be read of it is in the head, and the next checkpoint removes the file itself. */
static void set_aside(struct store *st, const char *path, const char *why)
{
	struct buf to = { 0 };

	COUNT(st, journal_damaged, 1);
	if (st->read_only) {
		log_event(LOG_WARN, "a file of the journal is damaged: samples are missing", "file", path, "err", why, NULL);
		return;
	}
	buf_printf(&to, "%s.damaged", path);
	log_event(LOG_ERROR, "a file of the journal is damaged: samples are missing", "file", path, "kept_as", buf_z(&to), "err", why, NULL);
	unlink(to.p);
	if (link(path, to.p) != 0)
		log_event(LOG_ERROR, "a damaged file of the journal cannot be kept", "file", path, "err", strerror(errno), NULL);
	buf_fini(&to);
}

static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The bytes and BITS_SLACK behind them; NULL and <e>. Closes it. */
static unsigned char *read_file(int fd, size_t *n, struct err *e)
{
	unsigned char *bytes = NULL;
	struct stat info = { 0 };

	*n = 0;
	if (fd >= 0 && fstat(fd, &info) == 0 && !S_ISREG(info.st_mode)) {
		err_set(e, ERR_IO, -1, FILE_NOT_REGULAR);
		close(fd);
		return NULL;
	}
	if (fd >= 0 && info.st_size <= REPLAY_MAX_FILE) {
		bytes = mem_alloc((size_t)info.st_size + BITS_SLACK);
		mem_populate(bytes, (size_t)info.st_size);
		for (ssize_t got = 1; got > 0 && *n < (size_t)info.st_size; *n += got > 0 ? (size_t)got : 0)
			got = read(fd, bytes + *n, (size_t)info.st_size - *n);
	}
	if (bytes == NULL || *n < (size_t)info.st_size) {
		err_set(e, ERR_IO, -1, "cannot read it: %s", errno != 0 ? strerror(errno) : "it is longer than 1 GiB (journal_file)");
		free(bytes);
		bytes = NULL;
	}
	if (fd >= 0)
		close(fd);
	return bytes;
}

static void read_ahead(void *ctx)
{
	struct file *f = ctx;
	struct buf path = { 0 };

	journal_path(f->journal, f->number, suffixes[f->kind], &path);
	errno = 0;
	f->bytes = read_file(f->fd >= 0 ? f->fd : open_file(path.p), &f->n, &f->e);
	f->fd = -1;
	f->was_read = true;
	buf_fini(&path);
}

/* ---- Into the head ---- */

/* A series that was told of and not looked up yet: what the index has of some is asked for together. */
struct told {
	struct labels labels;
	uint64_t owner;
	uint32_t number;                    /* of a definition */
	const struct record_series *series; /* of a checkpoint; NULL: a definition */
};

enum { TOLD_AT_ONCE = 1024, WARM_AT_ONCE = 64, TELLINGS = 3 };

struct telling {
	struct replaying *r;
	struct told v[TOLD_AT_ONCE];
	uint64_t hash[TOLD_AT_ONCE]; /* of the labels */
	size_t n;
	struct arena arena; /* of what was told */
};

struct replaying {
	struct store *st;
	struct replay *out;
	struct numbered series;
	bool checkpoint; /* it is one that is read: chunks that were told lie in it, and it stays until they are in */
	bool ended; /* the checkpoint is complete */
	struct aside *aside;
	struct backlog *backlog;
	struct telling told[TELLINGS];   /* one is filled, the others go into the head meanwhile */
	unsigned telling;                /* which one is filled */
	size_t frame, upto[TELLINGS];    /* where in the file the frame at hand begins; of the last ones handed over, where it began then */
};

static struct store_series *find_or_make(struct store *st, struct labels labels, uint64_t hash)
{
	struct store_series *s = index_find(&st->index, labels, hash);

	if (s == NULL && st->index.n_series < st->options.max_series) {
		s = store_series_make(st, labels, hash);
		s->state = SERIES_GONE;
	}
	if (s == NULL)
		COUNT(st, series_refused, 1);
	else
		s->from_history = FROM_JOURNAL;
	return s;
}

static void take_chunk(struct replaying *r, struct store_series *s, const struct chunk_view *c)
{
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	const struct histogram *h[CHUNK_SAMPLES] = { 0 };
	struct arena a = { 0 };

	if (chunk_view_decode(c, t, v, h, &a) && !store_replay_chunk(r->st, s, c, t, v))
		for (unsigned i = 0; i < c->n; i++)
			store_replay_sample(r->st, series_shard(r->st, s), s, t[i], v[i], c->kind == CHUNK_HIST ? h[i] : NULL);
	arena_fini(&a);
}

static void put_series(struct replaying *r, struct store_series *s, const struct record_series *series)
{
	int64_t good_ms;

	for (uint32_t i = 0; i < series->n_chunks; i++)
		take_chunk(r, s, &series->chunks[i]);
	good_ms = series_good_ms(s);
	store_set_owner(r->st, s, series->owner);
	s->state = (unsigned char)series->state;
	if (series->good_ms > r->out->newest_ms)
		r->out->newest_ms = series->good_ms;
	if (series_open(s) == NULL) /* otherwise there its last sample is, or others of its chunks are in the next record */
		series_set_last(s, series->last_ms, series->v_bits, series->v_bits == STALE_NAN_BITS);
	if (series->good_ms > good_ms)
		good_ms = series->good_ms;
	series_set_good(s, good_ms);
}

/* What was told before has its numbers. */
static void give_number(struct numbered *series, struct store_series *s, uint32_t number)
{
	series->v[number] = s;
	if (s == NULL)
		return;
	series->twice |= s->journal_number < number && series->v[s->journal_number] == s;
	s->journal_number = number & NUMBER_NONE;
}

static void take_told(struct replaying *r, const struct told *t, uint64_t hash)
{
	struct store_series *s = find_or_make(r->st, t->labels, hash);

	if (t->series == NULL)
		give_number(&r->series, s, t->number);
	if (s != NULL && t->series == NULL)
		store_set_owner(r->st, s, t->owner);
	else if (s != NULL)
		put_series(r, s, t->series);
}

static void take_all(void *ctx)
{
	struct telling *x = ctx;
	struct replaying *r = x->r;

	for (size_t i = 0; i < x->n; i++) {
		if (i % WARM_AT_ONCE == 0)
			index_warm(&r->st->index, x->hash + i, x->n - i < WARM_AT_ONCE ? x->n - i : WARM_AT_ONCE);
		take_told(r, &x->v[i], x->hash[i]);
	}
	x->n = 0;
	arena_reset(&x->arena);
}

/* When this returns the next one is in, if it ever was handed over, and with it whatever was told before that one's frame. */
static void hand_over(struct replaying *r)
{
	r->upto[r->telling] = r->frame;
	aside_do(r->aside, take_all, &r->told[r->telling]);
	r->telling = (r->telling + 1) % TELLINGS;
}

/* Everything that was told is in. */
static void look_up(void *ctx)
{
	struct replaying *r = ctx;

	if (r->told[r->telling].n > 0)
		hand_over(r);
	aside_wait(r->aside);
}

static void tell(struct replaying *r, struct told t)
{
	struct telling *x = &r->told[r->telling];

	t.labels = labels_copy(&x->arena, t.labels);
	x->hash[x->n] = series_hash(t.labels);
	x->v[x->n++] = t;
	if (x->n == TOLD_AT_ONCE)
		hand_over(r);
}

static void take_head(void *ctx, const struct record_head *head)
{
	struct replaying *r = ctx;

	r->out->head = *head;
}

static void take_definition(void *ctx, uint32_t number, struct labels labels, uint64_t owner)
{
	struct replaying *r = ctx;

	if (number >= r->series.cap) {
		aside_wait(r->aside);
		r->series.v = mem_grow(r->series.v, &r->series.cap, number + 1u, sizeof(struct store_series *));
	}
	r->series.n = number + 1u;
	tell(r, (struct told){ .labels = labels, .owner = owner, .number = number });
}

static void take_series(void *ctx, const struct record_series *series)
{
	struct replaying *r = ctx;
	struct arena *a = &r->told[r->telling].arena;
	struct record_series *copy;
	struct chunk_view *chunks;

	if (series->n_chunks == 0 && series->last_ms == INT64_MIN) /* older versions wrote such, too */
		return;
	copy = ARENA_NEW(a, struct record_series);
	chunks = ARENA_ARRAY(a, series->n_chunks, struct chunk_view);
	for (uint32_t i = 0; i < series->n_chunks; i++)
		chunks[i] = series->chunks[i];
	*copy = *series;
	copy->chunks = chunks;
	tell(r, (struct told){ .labels = series->labels, .series = copy });
	if (!r->checkpoint)     /* nobody writes such */
		look_up(r);
}

static void take_floats(void *ctx, uint32_t number, int64_t t_ms, const double *v, uint32_t n)
{
	backlog_add(((struct replaying *)ctx)->backlog, number, t_ms, v, n);
}

static void take_sample(void *ctx, uint32_t number, const struct record_sample *sample)
{
	struct replaying *r = ctx;

	if (sample->h == NULL) {
		backlog_add_one(r->backlog, number, sample);
		return;
	}
	backlog_empty(r->backlog);
	if (r->series.v[number] == NULL)
		return;
	backlog_append(r->st, series_shard(r->st, r->series.v[number]), r->series.v[number], sample);
	if (sample->state == SERIES_FRESH && sample->t_ms > r->out->newest_ms)
		r->out->newest_ms = sample->t_ms;
}

static void take_state(void *ctx, uint32_t number, enum series_state state)
{
	struct replaying *r = ctx;

	backlog_empty(r->backlog);
	if (r->series.v[number] != NULL)
		r->series.v[number]->state = (unsigned char)state;
}

static void take_end(void *ctx)
{
	((struct replaying *)ctx)->ended = true;
}

/* ---- Files ---- */

/* What was read, as far as <at>, when it is much: meanwhile the head grows. Returns how much is gone. */
static size_t let_go(unsigned char *bytes, size_t gone, size_t at)
{
	enum { ENOUGH = 1 << 20 };

	if (at - gone < ENOUGH)
		return gone;
	mem_let_go(bytes + gone, at - gone);
	return at;
}

/* NULL when all of it was good, but perhaps for a torn end of a log, which is read up to <*at>, and no farther than to what is wrong. A
 * checkpoint's frames stand alone. */
static const char *read_frames(struct replaying *r, struct record_reader *reader, unsigned char *bytes, size_t n, bool checkpoint, size_t *at)
{
	const char *why = NULL;
	struct str payload;
	size_t gone = 0;

	memset(r->upto, 0, sizeof r->upto);
	r->checkpoint = checkpoint;
	for (*at = 0;; gone = let_go(bytes, gone, checkpoint ? r->upto[r->telling] : *at)) {
		r->frame = *at;
		switch (record_next(bytes, n, at, &payload)) {
		case RECORD_GOOD:
			if (record_read(reader, payload))
				break;
			if (reader->foreign)
				return "a program of another version wrote it";
			why = "a record makes no sense";
			if (checkpoint)
				break;
			return why;
		case RECORD_END:
			return why;
		case RECORD_TORN:
			return checkpoint ? "its end is missing" : why;
		case RECORD_DAMAGED:
			why = "a checksum does not fit";
			if (checkpoint)
				break;
			return why;
		}
	}
}

/* A kill tears the end of the newest log, and no other's: what is torn is cut off before there is a newer one. */
static const char *judge_end(const struct replaying *r, const char *path, bool newest, size_t n, size_t whole)
{
	int fd;

	if (whole == n && (n > 0 || newest))
		return NULL;
	if (!newest)
		return n == 0 ? "it is empty" : "its end is missing";
	fd = r->st->read_only ? -1 : open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && (ftruncate(fd, (off_t)whole) != 0 || fsync(fd) != 0))
		log_event(LOG_WARN, "the torn end of a journal cannot be cut off", "file", path, "err", strerror(errno), NULL);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void replay_file(struct replaying *r, struct file *f, bool newest)
{
	static const struct record_sink calls = { NULL, take_head, take_definition, take_sample, take_floats, take_state, take_series, take_end };
	struct record_sink sink = calls;
	struct record_reader *reader = mem_alloc(sizeof *reader);
	const char *why = NULL;
	struct buf path = { 0 };
	size_t whole = 0;

	sink.ctx = r;
	reader->sink = &sink;
	r->series.n = 0;
	r->series.twice = false;
	r->ended = false;
	journal_path(&r->st->journal, f->number, suffixes[f->kind], &path);
	if (!f->was_read)
		read_ahead(f);
	slab_expect(f->kind == FILE_CHECKPOINT ? f->n : 0); /* it is chunks, mostly */
	if (f->bytes != NULL)
		why = read_frames(r, reader, f->bytes, f->n, f->kind == FILE_CHECKPOINT, &whole);
	if (f->bytes != NULL && why == NULL && f->kind == FILE_LOG)
		why = judge_end(r, path.p, newest, f->n, whole);
	backlog_empty(r->backlog);
	if (f->bytes == NULL || why != NULL || (f->kind == FILE_CHECKPOINT && !r->ended)) {
		set_aside(r->st, path.p, f->bytes == NULL ? f->e.msg : why != NULL ? why : "its end is missing");
		r->out->damaged++;
	}
	if (f->bytes != NULL && newest && whole == 0)
		r->out->last = f->number - 1; /* nothing is in it: the next one takes its place */
	r->out->files++;
	r->out->bytes += f->n;
	free(f->bytes);
	record_reader_fini(reader);
	free(reader);
	buf_fini(&path);
}

/* Where to begin: the newest checkpoint, or all there is. */
static uint64_t find_begin(const struct files *files)
{
	uint64_t begin = 0;

	for (size_t i = 0; i < files->n; i++)
		if (files->v[i].kind == FILE_CHECKPOINT)
			begin = files->v[i].number;
	return begin;
}

/* ---- Beside one who writes it ---- */

static void files_fini(struct files *files)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->v[i].fd >= 0)
			close(files->v[i].fd);
	free(files->v);
	*files = (struct files){ 0 };
}

/* False when one is there no more. */
static bool open_all(const struct journal *j, struct files *files)
{
	struct buf path = { 0 };
	bool all = true;

	errno = 0;
	for (size_t i = 0; i < files->n && all; i++) {
		journal_path(j, files->v[i].number, suffixes[files->v[i].kind], &path);
		files->v[i].fd = open_file(path.p);
		all = files->v[i].fd >= 0 || errno != ENOENT;
	}
	buf_fini(&path);
	return all;
}

static bool is_same(const struct files *a, const struct files *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++)
		same = a->v[i].number == b->v[i].number && a->v[i].kind == b->v[i].kind;
	return same;
}

/* What is there at one moment: a checkpoint may come while the folder is listed, and what was before it goes. */
static void list_open(const struct journal *j, struct files *out)
{
	enum { ATTEMPTS = 1000 };
	bool same = false;

	for (int i = 0; i < ATTEMPTS && !same; i++) {
		struct files again = { 0 };

		files_fini(out);
		list(j, out);
		if (!open_all(j, out))
			continue;
		list(j, &again);
		same = is_same(out, &again);
		files_fini(&again);
	}
}

/* ---- All of it ---- */

static bool is_log(const struct file *f)
{
	return f->kind == FILE_LOG || f->kind == FILE_CUT;
}

static bool has_newer_log(const struct files *files, size_t i)
{
	while (++i < files->n)
		if (is_log(&files->v[i]))
			return true;
	return false;
}

/* Logs follow one another by their numbers, from the checkpoint's on. */
static void tell_missing(struct replaying *r, uint64_t number)
{
	struct buf path = { 0 };

	journal_path(&r->st->journal, number, suffixes[FILE_LOG], &path);
	log_event(LOG_ERROR, "a file of the journal is missing, and its samples with it", "file", path.p, NULL);
	COUNT(r->st, journal_damaged, 1);
	r->out->damaged++;
	buf_fini(&path);
}

void journal_replay(struct store *st, struct replay *out)
{
	struct replaying r = { .st = st, .out = out };
	struct files files = { 0 };
	struct aside *reader = aside_new();
	uint64_t begin, next;
	bool cut = false;

	*out = (struct replay){ .head.now_ms = INT64_MIN };
	if (st->read_only)
		list_open(&st->journal, &files);
	else
		list(&st->journal, &files);
	for (size_t i = 0; i < TELLINGS; i++)
		r.told[i].r = &r;
	r.aside = aside_new();
	r.backlog = backlog_new(st, r.aside, &r.series, look_up, &r);
	begin = find_begin(&files);
	next = begin > 0 ? begin : 1;
	for (size_t i = 0; i < files.n; i++) {
		struct file *f = &files.v[i];

		out->last = f->number;
		if (f->number < begin || f->kind == FILE_TEMPORARY)
			continue;
		cut |= f->kind == FILE_CUT;
		if (is_log(f) && f->number > next && !cut && !st->read_only) /* while somebody writes it a listing may lack some */
			tell_missing(&r, next);
		next = is_log(f) ? f->number + 1 : next;
		if (f->kind == FILE_CHECKPOINT && i + 1 < files.n && is_log(f + 1))
			aside_do(reader, read_ahead, f + 1);
		replay_file(&r, f, f->kind == FILE_LOG && !has_newer_log(&files, i));
		aside_wait(reader);
	}
	out->complete = out->files > 0 && out->damaged == 0 && !cut;
	if (backlog_newest_ms(r.backlog) > out->newest_ms)
		out->newest_ms = backlog_newest_ms(r.backlog);
	backlog_free(r.backlog);
	aside_free(r.aside);
	aside_free(reader);
	for (size_t i = 0; i < TELLINGS; i++)
		arena_fini(&r.told[i].arena);
	free(r.series.v);
	files_fini(&files);
	claims_make(st);
}
