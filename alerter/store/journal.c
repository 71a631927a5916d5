/* Keeping the journal: batches into memory, memory into files, files one after the other. Invariant: frames in memory are whole whenever
 * the commit lock is free, and those of one file are written to that file. */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"
#include "store/slab.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

enum { WRITE_EVERY_MS = 400, SYNC_EVERY_MS = 1000, HEAD_EVERY_MS = 10000, RESTART_MS = 60000 };
enum { FILE_BYTES = 16 << 20, PENDING_BYTES = 128 << 20, CHECKPOINT_BYTES = 16 << 20 };

void journal_init(struct journal *j)
{
	*j = (struct journal){ .fd = -1, .file = 1 };
	pthread_mutex_init(&j->file_lock, NULL);
	pthread_mutex_init(&j->lock, NULL);
	wait_cond_init(&j->wake);
}

void journal_fini(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	record_writer_fini(&j->writer);
	buf_fini(&j->spare);
	free(j->dir);
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	pthread_mutex_destroy(&j->file_lock);
}

/* ---- Within a commit ---- */

void journal_begin(struct store *st, int64_t t_ms)
{
	if (st->journal.on)
		record_begin(&st->journal.writer, t_ms);
}

void journal_define(struct store *st, struct store_series *s)
{
	struct journal *j = &st->journal;
	struct label v[STORE_MAX_LABELS];
	uint32_t number = NUMBER_NONE;

	if (!j->on || atomic_load_explicit(&s->journal_file, memory_order_relaxed) == j->file)
		return;
	atomic_store_explicit(&s->journal_file, j->file, memory_order_relaxed);
	s->journal_told = 0;
	pthread_rwlock_rdlock(&st->index_lock);
	if (index_n_pairs(&st->index, s) > STORE_MAX_LABELS || !record_define(&j->writer, index_labels(&st->index, s, v), store_owner_of(st, s), &number))
		number = NUMBER_NONE;
	s->journal_number = number & NUMBER_NONE;
	pthread_rwlock_unlock(&st->index_lock);
}

/* A definition that was asked for meanwhile (store_series_own) comes with the next batch. */
static bool is_defined(const struct journal *j, const struct store_series *s)
{
	return j->on && s->journal_number != NUMBER_NONE;
}

void journal_sample(struct store *st, struct store_series *s, const struct record_sample *sample, uint64_t last_bits)
{
	if (!is_defined(&st->journal, s))
		return;
	record_put_sample(&st->journal.writer, s->journal_number, sample, s->journal_told ? last_bits : 0);
	s->journal_told = 1;
}

void journal_state(struct store *st, struct store_series *s, enum series_state state)
{
	if (is_defined(&st->journal, s))
		record_put_state(&st->journal.writer, s->journal_number, state);
}

/* Nothing of this batch can be taken back; when it is too much the thread ends it all. */
void journal_end(struct store *st)
{
	struct journal *j = &st->journal;

	if (!j->on)
		return;
	record_end(&j->writer);
	if (j->writer.out.n < PENDING_BYTES)
		return;
	j->trouble = "the disk takes too little: 128 MiB are waiting (journal_pending)";
	j->on = false;
}

/* ---- Files ---- */

void journal_path(const struct journal *j, uint64_t number, const char *suffix, struct buf *out)
{
	buf_reset(out);
	buf_printf(out, "%s/%08" PRIu64 "%s", j->dir, number, suffix);
	(void)buf_z(out);
}

void journal_head(struct store *st, struct record_writer *w)
{
	record_put_head(w, &(struct record_head){ clock_now_ms(st->options.clock), atomic_load(&st->held_from_ms),
	                                          atomic_load(&st->journal.covered_ms) });
}

static bool write_all(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_set(e, ERR_IO, -1, "cannot write the journal: %s", strerror(errno));
		p += done, n -= (size_t)done;
	}
	return true;
}

/* When all numbers were used no series may carry one, or it would pass for one of that file again. Under the commit lock. */
static void count_file(struct store *st)
{
	if (++st->journal.file != 0)
		return;
	st->journal.file = 1;
	pthread_rwlock_rdlock(&st->index_lock);
	for (size_t i = 0; i < st->index.n_slots; i++)
		if (index_at(&st->index, i) != NULL)
			atomic_store(&index_at(&st->index, i)->journal_file, 0);
	pthread_rwlock_unlock(&st->index_lock);
}

/* Takes what was committed out of the commits' way. With <anew> what comes from here on is for another file. */
static bool take(struct store *st, bool anew, struct err *e)
{
	struct journal *j = &st->journal;
	struct buf full;
	bool ok;

	pthread_mutex_lock(&st->commit_lock);
	full = j->writer.out;
	j->writer.out = j->spare;
	j->spare = full;
	if (anew) {
		record_writer_restart(&j->writer);
		count_file(st);
	}
	ok = j->trouble == NULL || err_set(e, ERR_LIMIT, -1, "%s", j->trouble);
	pthread_mutex_unlock(&st->commit_lock);
	return ok;
}

/* A new file begins with every series' definition: what that needed is not kept. */
static bool put(struct journal *j, struct err *e)
{
	enum { KEPT_BYTES = 64 << 10, MOSTLY_EMPTY = 4 };
	bool ok = write_all(j->fd, j->spare.p, j->spare.n, e), large = j->spare.cap > KEPT_BYTES && j->spare.cap / MOSTLY_EMPTY > j->spare.n;

	if (ok) {
		j->written += j->spare.n;
		j->bytes += j->spare.n;
		j->dirty |= j->spare.n > 0;
	}
	buf_reset(&j->spare);
	if (large)
		buf_fini(&j->spare);
	return ok;
}

static bool put_head(struct store *st, struct err *e)
{
	struct journal *j = &st->journal;
	struct record_writer w = { 0 };
	bool ok;

	journal_head(st, &w);
	ok = write_all(j->fd, w.out.p, w.out.n, e);
	j->written += w.out.n;
	j->head_ms = clock_mono_ms(&clock_system);
	j->dirty = true;
	record_writer_fini(&w);
	return ok;
}

static bool open_file(struct store *st, struct err *e)
{
	struct journal *j = &st->journal;
	struct buf path = { 0 };

	journal_path(j, ++j->number, ".log", &path);
	j->written = 0;
	j->fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
	if (j->fd < 0)
		err_set(e, ERR_IO, -1, "cannot make %s: %s", path.p, strerror(errno));
	buf_fini(&path);
	return j->fd >= 0 && put_head(st, e) && journal_sync_folder(j, e);
}

/* The journal is off from here on. The name says so to the next start, and needs no room on the disk. */
static void fail(struct store *st, const struct err *e)
{
	struct journal *j = &st->journal;
	struct buf from = { 0 }, to = { 0 };

	pthread_mutex_lock(&st->commit_lock);
	j->on = false;
	j->trouble = NULL;
	buf_fini(&j->writer.out);
	record_writer_restart(&j->writer);
	pthread_mutex_unlock(&st->commit_lock);
	journal_path(j, j->number, ".log", &from);
	journal_path(j, j->number, ".cut", &to);
	if (j->fd >= 0) {
		(void)!ftruncate(j->fd, (off_t)j->written);
		close(j->fd);
	}
	(void)!rename(from.p, to.p);
	j->fd = -1;
	COUNT(st, journal_failures, 1);
	complain_failed(&j->complaint, "writing the journal", j->dir, e, clock_now_ms(st->options.clock));
	buf_fini(&from);
	buf_fini(&to);
}

/* The file at hand gets what is its own, and the next one is begun. */
static bool next_file(struct store *st, struct err *e)
{
	struct journal *j = &st->journal;
	bool ok = take(st, true, e);

	if (j->fd >= 0) {
		ok = ok && put(j, e) && (fdatasync(j->fd) == 0 || err_set(e, ERR_IO, -1, "cannot sync the journal: %s", strerror(errno)));
		if (!ok)
			return false;
		close(j->fd);
		j->fd = -1;
	}
	return ok && open_file(st, e);
}

static void write_pending(struct store *st)
{
	struct journal *j = &st->journal;
	struct err e = { 0 };

	pthread_mutex_lock(&j->file_lock);
	if (j->fd >= 0) {
		bool ok = take(st, false, &e) && put(j, &e);

		if (ok && j->written >= FILE_BYTES)
			ok = next_file(st, &e);
		if (ok && clock_mono_ms(&clock_system) - j->head_ms >= HEAD_EVERY_MS)
			ok = put_head(st, &e);
		if (!ok)
			fail(st, &e);
	}
	pthread_mutex_unlock(&j->file_lock);
}

/* Writing goes on meanwhile. With <always> also what another thread may be syncing at the moment. */
static void sync_file(struct store *st, bool always)
{
	struct journal *j = &st->journal;
	int fd;

	pthread_mutex_lock(&j->file_lock);
	fd = j->fd >= 0 && (atomic_exchange(&j->dirty, false) || always) ? fcntl(j->fd, F_DUPFD_CLOEXEC, 0) : -1;
	pthread_mutex_unlock(&j->file_lock);
	if (fd < 0)
		return;
	if (fdatasync(fd) != 0) {
		struct err e = { 0 };

		err_set(&e, ERR_IO, -1, "cannot sync the journal: %s", strerror(errno));
		pthread_mutex_lock(&j->file_lock);
		fail(st, &e);
		pthread_mutex_unlock(&j->file_lock);
	}
	close(fd);
}

void store_sync(struct store *st)
{
	if (!st->journal.on)
		return;
	write_pending(st);
	sync_file(st, true);
}

/* ---- Threads ---- */

/* True when it is time to stop. */
static bool wait_ms(struct journal *j, int64_t ms)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + ms;
	bool stop;

	pthread_mutex_lock(&j->lock);
	while (!j->stop && wait_until(&j->wake, &j->lock, until_ms))
		;
	stop = j->stop;
	pthread_mutex_unlock(&j->lock);
	return stop;
}

static void *run_writer(void *arg)
{
	struct store *st = arg;

	while (!wait_ms(&st->journal, WRITE_EVERY_MS))
		write_pending(st);
	return NULL;
}

static void *run_syncer(void *arg)
{
	struct store *st = arg;

	while (!wait_ms(&st->journal, SYNC_EVERY_MS))
		sync_file(st, false);
	return NULL;
}

static bool start_threads(struct store *st, struct err *e)
{
	struct journal *j = &st->journal;

	if (pthread_create(&j->threads[0], NULL, run_writer, st) != 0)
		return err_set(e, ERR_IO, -1, "cannot start the journal's thread");
	if (pthread_create(&j->threads[1], NULL, run_syncer, st) != 0) {
		pthread_mutex_lock(&j->lock);
		j->stop = true;
		pthread_cond_broadcast(&j->wake);
		pthread_mutex_unlock(&j->lock);
		pthread_join(j->threads[0], NULL);
		return err_set(e, ERR_IO, -1, "cannot start the journal's thread");
	}
	j->running = true;
	return true;
}

void journal_stop(struct store *st)
{
	struct journal *j = &st->journal;

	if (!j->running)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->threads[0], NULL);
	pthread_join(j->threads[1], NULL);
	j->running = false;
	write_pending(st);
	sync_file(st, false);
}

/* ---- Checkpoints ---- */

bool journal_wants_checkpoint(const struct store *st)
{
	const struct journal *j = &st->journal;

	return j->dir != NULL && (!j->on || (j->bytes > CHECKPOINT_BYTES && j->bytes > j->checkpoint_bytes));
}

static bool begin_file(struct store *st, struct err *e)
{
	struct journal *j = &st->journal;
	bool ok;

	pthread_mutex_lock(&j->file_lock);
	ok = next_file(st, e);
	if (ok) {
		pthread_mutex_lock(&st->commit_lock);
		j->on = true;
		pthread_mutex_unlock(&st->commit_lock);
		j->bytes = 0;
	} else {
		fail(st, e);
	}
	pthread_mutex_unlock(&j->file_lock);
	return ok;
}

void journal_checkpoint(struct store *st)
{
	struct journal *j = &st->journal;
	struct err e = { 0 };
	uint64_t number;
	size_t bytes = 0;

	if (j->dir == NULL || !begin_file(st, &e))
		return;
	number = j->number; /* the thread may begin further ones: they come after the checkpoint */
	if (checkpoint_write(st, number, &bytes, &e)) {
		j->checkpoint_bytes = bytes;
		journal_clean(st, number);
		pthread_mutex_lock(&j->file_lock);
		complain_works(&j->complaint, "writing the journal", j->dir, clock_now_ms(st->options.clock));
		pthread_mutex_unlock(&j->file_lock);
		return;
	}
	pthread_mutex_lock(&j->file_lock);
	fail(st, &e);
	pthread_mutex_unlock(&j->file_lock);
}

/* ---- Opening ---- */

/* What the time before the start says about what is held: see follow_chain(). */
static void join_past(struct store *st, const struct replay *r)
{
	int64_t oldest_ms = st->born_ms - st->options.retention_ms, held_ms = r->head.held_from_ms;

	atomic_store(&st->latest_ms, r->head.now_ms);
	if (!r->complete || r->head.now_ms < st->born_ms - RESTART_MS || r->head.now_ms > st->born_ms + RESTART_MS)
		return;
	if (held_ms < oldest_ms)
		held_ms = oldest_ms;
	if (held_ms < atomic_load(&st->held_from_ms))
		atomic_store(&st->held_from_ms, held_ms);
	if (r->newest_ms < st->born_ms)
		st->stopped_ms = r->newest_ms;
	if (r->head.covered_ms < st->history.covered_ms)
		st->history.covered_ms = r->head.covered_ms;
}

static bool make_folder(struct store *st, const char *path, struct err *e)
{
	struct buf dir = { 0 };

	buf_printf(&dir, "%s/journal", path);
	if (mkdir(buf_z(&dir), 0750) != 0 && errno != EEXIST) {
		err_set(e, ERR_IO, -1, "cannot make the folder %s: %s", dir.p, strerror(errno));
		buf_fini(&dir);
		return false;
	}
	st->journal.dir = dir.p;
	return true;
}

bool store_open_journal(struct store *st, const char *path, struct err *e)
{
	struct journal *j = &st->journal;
	struct replay r = { 0 };
	struct err trouble = { 0 };
	bool ok = true;

	pthread_mutex_lock(&st->maintain_lock);
	if (!make_folder(st, path, e)) {
		pthread_mutex_unlock(&st->maintain_lock);
		return false;
	}
	journal_replay(st, &r);
	join_past(st, &r);
	atomic_store(&st->knows_past, r.complete || (st->options.has_no_past && r.files == 0 && r.damaged == 0));
	atomic_store(&j->covered_ms, st->history.covered_ms);
	j->number = r.last;
	if (r.damaged > 0 || !r.complete)
		journal_checkpoint(st); /* so that what was read is read again, and what is damaged can go */
	else if (begin_file(st, &trouble))
		j->bytes = r.bytes;
	ok = start_threads(st, e);
	slab_trim();
	mem_trim();
	pthread_mutex_unlock(&st->maintain_lock);
	return ok;
}
