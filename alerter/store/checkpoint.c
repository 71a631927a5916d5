/* Writing a checkpoint: every series with its state and what the head has of it. Readers and ingest go on: the index is locked for a few
 * series at a time and a shard for one. What is committed meanwhile may be in it or not; it is in the journal's file in any case, and
 * reading that again changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/internal.h"

enum { SLOTS_AT_ONCE = 256, SPILL_BYTES = 1 << 20, CHUNKS_AT_ONCE = 8 };
#define TEMPORARY ".tmp"

struct checkpoint {
	struct record_writer writer;
	struct buf bytes; /* of chunks */
	int fd;
	size_t written;
};

static bool cannot(struct err *e, const char *what, const char *path)
{
	return err_set(e, ERR_IO, -1, "cannot %s %s: %s", what, path, strerror(errno));
}

static bool spill(struct checkpoint *c, const char *path, struct err *e)
{
	const char *p = c->writer.out.p;
	size_t n = c->writer.out.n;

	while (n > 0) {
		ssize_t done = write(c->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return cannot(e, "write", path);
		p += done, n -= (size_t)done;
	}
	c->written += c->writer.out.n;
	buf_reset(&c->writer.out);
	return true;
}

/* What blocks say is enough for a series that ended there. Of one that never had a sample (all its scrapes were refused) there is nothing to say. */
static bool is_left_out(const struct store_series *s)
{
	return s->n_sealed == 0 && series_open(s) == NULL &&
	       (s->from_history == FROM_BLOCKS || (s->state == SERIES_GONE && series_has_ended(s)) || series_last_ms(s) == INT64_MIN);
}

static void put_part(struct checkpoint *c, struct record_series *r, struct chunk *const *chunks, uint32_t n)
{
	struct chunk_view views[CHUNKS_AT_ONCE];
	size_t at[CHUNKS_AT_ONCE];

	buf_reset(&c->bytes);
	for (uint32_t i = 0; i < n; i++) {
		at[i] = c->bytes.n;
		views[i] = (struct chunk_view){ .min_ms = chunks[i]->min_ms, .bits = chunk_write(chunks[i], &c->bytes), .n = chunks[i]->n, .kind = chunks[i]->kind };
	}
	for (uint32_t i = 0; i < n; i++)
		views[i].data = (const unsigned char *)c->bytes.p + at[i];
	r->chunks = views;
	r->n_chunks = n;
	record_put_series(&c->writer, r);
}

/* Under the lock of its shard. A series with many chunks is told several times. */
static void put_series(struct store *st, struct checkpoint *c, const struct store_series *s, struct labels labels)
{
	struct record_series r = { .labels = labels,
		                   .owner = store_owner_of(st, s),
		                   .v_bits = series_v_bits(s),
		                   .last_ms = series_last_ms(s),
		                   .good_ms = series_good_ms(s),
		                   .state = (enum series_state)s->state };
	union sealed sealed = series_all_sealed(s);
	struct chunk *open = series_open(s);

	for (uint32_t i = 0; i < s->n_sealed; i += CHUNKS_AT_ONCE)
		put_part(c, &r, sealed_at(&sealed, s->n_sealed) + i, s->n_sealed - i < CHUNKS_AT_ONCE ? s->n_sealed - i : CHUNKS_AT_ONCE);
	if (open != NULL || s->n_sealed == 0)
		put_part(c, &r, &open, open != NULL);
}

/* The series in slots [beg, end). False: there are none from <beg> on. */
static bool put_slots(struct store *st, struct checkpoint *c, size_t beg, size_t end)
{
	struct label v[STORE_MAX_LABELS];
	bool more;

	record_begin_series(&c->writer);
	pthread_rwlock_rdlock(&st->index_lock);
	more = beg < st->index.n_slots;
	for (size_t i = beg; i < end && i < st->index.n_slots; i++) {
		const struct store_series *s = index_at(&st->index, i);
		struct shard *shard;

		if (s == NULL || index_n_pairs(&st->index, s) > STORE_MAX_LABELS)
			continue;
		shard = series_shard(st, s);
		pthread_mutex_lock(&shard->lock);
		if (!is_left_out(s))
			put_series(st, c, s, index_labels(&st->index, s, v));
		pthread_mutex_unlock(&shard->lock);
	}
	pthread_rwlock_unlock(&st->index_lock);
	record_end(&c->writer);
	return more;
}

static bool write_everything(struct store *st, struct checkpoint *c, const char *path, struct err *e)
{
	bool ok = true;

	journal_head(st, &c->writer);
	for (size_t at = 0; ok && put_slots(st, c, at, at + SLOTS_AT_ONCE); at += SLOTS_AT_ONCE)
		ok = c->writer.out.n < SPILL_BYTES || spill(c, path, e);
	record_put_end(&c->writer);
	return ok && spill(c, path, e) && (fsync(c->fd) == 0 || cannot(e, "sync", path));
}

bool journal_sync_folder(const struct journal *j, struct err *e)
{
	int fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = (fd >= 0 && fsync(fd) == 0) || cannot(e, "sync", j->dir);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool checkpoint_write(struct store *st, uint64_t number, size_t *bytes, struct err *e)
{
	struct checkpoint c = { 0 };
	struct buf path = { 0 }, temporary = { 0 };
	bool ok;

	journal_path(&st->journal, number, ".checkpoint", &path);
	journal_path(&st->journal, number, TEMPORARY, &temporary);
	c.fd = open(temporary.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	ok = (c.fd >= 0 || cannot(e, "make", temporary.p)) && write_everything(st, &c, temporary.p, e) &&
	     (rename(temporary.p, path.p) == 0 || cannot(e, "rename to", path.p));
	if (c.fd >= 0)
		close(c.fd);
	if (!ok)
		unlink(temporary.p);
	ok = ok && journal_sync_folder(&st->journal, e);
	*bytes = c.written;
	record_writer_fini(&c.writer);
	buf_fini(&c.bytes);
	buf_fini(&path);
	buf_fini(&temporary);
	return ok;
}
