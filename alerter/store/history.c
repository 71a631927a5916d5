/* Blocks of a running store: loading, reading, retention. Only maintenance changes the list (one thread at a time, under maintain_lock).
 * Joining them with the index is join.c, moving chunks from the head into blocks flush.c. */
#include "store/history.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/arrivals.h"
#include "store/flush.h"
#include "store/internal.h"
#include "store/join.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

enum { RESTART_MS = 60000, SETTLE_MS = 3000 }; /* a gap of our own this short is none */
#define DAMAGED ".damaged"

/* ---- The list ---- */

void history_init(struct history *h)
{
	*h = (struct history){ .max_ms = INT64_MIN };
	pthread_mutex_init(&h->lock, NULL);
}

void block_list_unref(struct block_list *l)
{
	if (l == NULL || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	for (size_t i = 0; i < l->n; i++)
		block_unref(l->v[i]);
	free(l);
}

void history_fini(struct history *h)
{
	block_list_unref(h->list);
	for (struct map_slot *s = NULL; (s = map_next(&h->left_alone, s)) != NULL;)
		free(s->value);
	map_fini(&h->left_alone);
	free(h->dir);
	pthread_mutex_destroy(&h->lock);
}

struct block_list *history_take(struct history *h)
{
	struct block_list *l;

	pthread_mutex_lock(&h->lock);
	l = h->list;
	if (l != NULL)
		atomic_fetch_add(&l->refs, 1);
	pthread_mutex_unlock(&h->lock);
	return l;
}

/* Takes over <l>, which may be empty. */
static void replace(struct history *h, struct block_list *l)
{
	struct block_list *old;
	int64_t max_ms = INT64_MIN;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i]->header->max_ms > max_ms)
			max_ms = l->v[i]->header->max_ms;
	pthread_mutex_lock(&h->lock);
	old = h->list;
	h->list = l;
	pthread_mutex_unlock(&h->lock);
	atomic_store(&h->max_ms, max_ms);
	atomic_fetch_add(&h->changes, 1);
	block_list_unref(old);
}

static struct block_list *list_new(size_t n)
{
	struct block_list *l = mem_alloc(sizeof *l + n * sizeof(struct block *));

	l->refs = 1;
	return l;
}

static size_t list_size(const struct history *h)
{
	return h->list != NULL ? h->list->n : 0;
}

/* A copy of the list with room for one more. */
static struct block_list *copy_list(const struct history *h)
{
	struct block_list *l = list_new(list_size(h) + 1);

	for (size_t i = 0; i < list_size(h); i++) {
		l->v[l->n++] = h->list->v[i];
		atomic_fetch_add(&h->list->v[i]->refs, 1);
	}
	return l;
}

/* The list has room. */
static void insert(struct block_list *l, struct block *b)
{
	size_t at = l->n++;

	for (; at > 0 && l->v[at - 1]->header->min_ms > b->header->min_ms; at--)
		l->v[at] = l->v[at - 1];
	l->v[at] = b;
}

static void add(struct history *h, struct block *b)
{
	struct block_list *l = copy_list(h);

	insert(l, b);
	replace(h, l);
}

static void take_out(struct history *h, const struct block *b)
{
	struct block_list *l = list_new(h->list->n);

	for (size_t i = 0; i < h->list->n; i++)
		if (h->list->v[i] != b) {
			l->v[l->n++] = h->list->v[i];
			atomic_fetch_add(&h->list->v[i]->refs, 1);
		}
	replace(h, l);
}

/* ---- Taking in and dropping ---- */

static void join(struct store *st, struct block *b, struct resting resting)
{
	size_t refused = join_block(st, b, resting);
	char count[24];

	if (refused == 0)
		return;
	COUNT(st, series_refused, refused);
	snprintf(count, sizeof count, "%zu", refused);
	log_event(LOG_WARN, "series of a block are not served: the store takes no more (max_series)", "block", b->path, "series", count,
	          NULL);
}

static void set_aside(struct store *st, const char *path, const char *why)
{
	struct buf to = { 0 };

	COUNT(st, blocks_damaged, 1);
	if (st->read_only) {
		log_event(LOG_WARN, "a block is damaged: what it holds is missing", "block", path, "err", why, NULL);
		return;
	}
	buf_printf(&to, "%s" DAMAGED, path);
	log_event(LOG_ERROR, "a block is set aside: what it holds is not served", "block", path, "renamed", buf_z(&to), "err", why, NULL);
	if (rename(path, buf_z(&to)) != 0)
		log_event(LOG_ERROR, "a damaged block cannot be renamed", "block", path, "err", strerror(errno), NULL);
	buf_fini(&to);
}

/* A program of another version may want it. Told once. */
static void leave_alone(struct store *st, const char *path, const struct err *e)
{
	char *name = mem_strndup(path, strlen(path));

	map_put(&st->history.left_alone, str_of(name), name);
	COUNT(st, blocks_left, 1);
	log_event(LOG_WARN, "a block is left as it is: what it holds is not served", "block", path, "err", e->msg, NULL);
}

static void refuse(struct store *st, const char *path, const struct err *e)
{
	if (e->code == ERR_BAD_INPUT)
		leave_alone(st, path, e);
	else
		set_aside(st, path, e->msg);
}

static void take_in(struct store *st, struct block *b, struct resting resting)
{
	join(st, b, resting);
	block_cool(b);
	add(&st->history, b);
}

bool history_add_file(struct store *st, const char *path)
{
	struct err e = { 0 };
	struct block *b = block_open(path, &e);

	if (b != NULL)
		take_in(st, b, (struct resting){ .until_ms = INT64_MIN });
	else
		refuse(st, path, &e);
	return b != NULL;
}

static bool is_known(const struct history *h, const char *path)
{
	if (map_get(&h->left_alone, str_of(path)) != NULL)
		return true;
	for (size_t i = 0; i < list_size(h); i++)
		if (strcmp(h->list->v[i]->path, path) == 0)
			return true;
	return false;
}

/* Data is held from where an unbroken chain of blocks that ends at what we hold begins. */
static void follow_chain(struct store *st)
{
	int64_t held_ms = atomic_load(&st->held_from_ms), before_ms, oldest_ms = store_oldest_kept_ms(st);

	do {
		before_ms = held_ms;
		for (size_t i = 0; i < list_size(&st->history); i++) {
			const struct block_header *b = st->history.list->v[i]->header;

			if (b->until_ms >= held_ms - RESTART_MS && b->from_ms < held_ms)
				held_ms = b->from_ms;
		}
	} while (held_ms < before_ms);
	atomic_store(&st->held_from_ms, held_ms > oldest_ms ? held_ms : oldest_ms);
}

/* What changes once more within a tick of the disk's clock shows no other time: so a time is believed only when it is past. */
static bool is_settled(const struct timespec *changed)
{
	return clock_now_ms(&clock_system) - changed->tv_sec * INT64_C(1000) > SETTLE_MS;
}

static void add_arrival(struct store *st, struct arrivals *out, const char *path)
{
	struct err e = { 0 };
	struct block *b = block_map(path, &e);

	if (b != NULL)
		arrivals_add(out, b);
	else
		refuse(st, path, &e);
}

/* What is new in the folder. */
static void find_arrivals(struct store *st, struct arrivals *out)
{
	DIR *d = opendir(st->history.dir);

	for (struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
		struct buf path = { 0 };

		buf_printf(&path, "%s/%s", st->history.dir, f->d_name);
		if (str_ends(str_of(f->d_name), STR(".blk")) && !is_known(&st->history, buf_z(&path)))
			add_arrival(st, out, buf_z(&path));
		buf_fini(&path);
	}
	if (d != NULL)
		closedir(d);
}

/* <taken>: those before it. */
static void take_arrival(struct store *st, const struct arrival *x, struct block_list *taken, int64_t resting_ms)
{
	if (!x->whole) {
		refuse(st, x->block->path, &x->e);
		block_unref(x->block);
		return;
	}
	take_in(st, x->block, (struct resting){ .later = taken->v, .n_later = taken->n, .until_ms = resting_ms });
	taken->v[taken->n++] = x->block;
}

/* Reads the folder when it changed. The order in which files come does not matter. Series that ended before <resting_ms> go on resting;
 * INT64_MIN: none does. */
static void scan(struct store *st, int64_t resting_ms)
{
	struct history *h = &st->history;
	struct arrivals all = { 0 };
	struct block_list *taken;
	struct stat info;

	if (stat(h->dir, &info) != 0 || memcmp(&info.st_mtim, &h->scanned, sizeof h->scanned) == 0)
		return;
	h->scanned = is_settled(&info.st_mtim) ? info.st_mtim : (struct timespec){ 0 };
	find_arrivals(st, &all);
	taken = list_new(all.n);
	arrivals_begin(&all);
	for (size_t i = 0; i < all.n; i++)
		take_arrival(st, arrivals_checked(&all, i), taken, resting_ms);
	arrivals_fini(&all);
	free(taken); /* the references are the history's now */
	follow_chain(st);
}

void history_scan(struct store *st)
{
	scan(st, INT64_MIN);
}

static bool is_among(const struct block *b, struct block *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (parts[i] == b)
			return true;
	return false;
}

/* A reader sees the list as it was, or as it is. */
bool history_swap(struct store *st, struct block *const *parts, size_t n, const char *path)
{
	struct history *h = &st->history;
	struct err e = { 0 };
	struct block *b = path != NULL ? block_open(path, &e) : NULL;
	struct block_list *l;

	if (path != NULL && b == NULL) {
		set_aside(st, path, e.msg);
		return false;
	}
	l = list_new(list_size(h) + 1);
	for (size_t i = 0; i < list_size(h); i++)
		if (!is_among(h->list->v[i], parts, n)) {
			l->v[l->n++] = h->list->v[i];
			atomic_fetch_add(&h->list->v[i]->refs, 1);
		}
	if (b != NULL) {
		(void)join_block(st, b, (struct resting){ .all = true });
		block_cool(b);
		insert(l, b);
	}
	replace(h, l);
	for (size_t i = 0; i < n; i++) {
		join_undo(st, parts[i]);
		unlink(parts[i]->path);
	}
	return true;
}

static void drop_block(struct store *st, struct block *b)
{
	atomic_fetch_add(&b->refs, 1);
	take_out(&st->history, b);
	join_undo(st, b);
	if (!block_is_whole(b)) {
		set_aside(st, b->path, "it was cut short");
	} else {
		COUNT(st, blocks_dropped, 1);
		unlink(b->path);
	}
	block_unref(b);
}

static size_t disk_bytes(const struct store *st)
{
	size_t bytes = st->journal.bytes + st->journal.checkpoint_bytes;

	for (size_t i = 0; i < list_size(&st->history); i++)
		bytes += st->history.list->v[i]->n_bytes;
	return bytes;
}

/* The journal holds what no block holds yet: it stays whatever the limit. Once, or it would be said every second. */
static void say_limit_too_low(struct store *st)
{
	char limit[32];

	if (st->history.told_of_limit)
		return;
	st->history.told_of_limit = true;
	snprintf(limit, sizeof limit, "%zu", st->options.retention_bytes);
	log_event(LOG_WARN, "storage.retention.size is less than the journal takes: no block is kept, and the disk holds more than it says",
	          "bytes", limit, NULL);
}

/* The oldest go until the rest is within the limit. */
static void drop_excess(struct store *st)
{
	const struct history *h = &st->history;

	while (list_size(h) > 0 && st->options.retention_bytes > 0 && disk_bytes(st) > st->options.retention_bytes) {
		int64_t until_ms = h->list->v[0]->header->max_ms;

		drop_block(st, h->list->v[0]);
		if (atomic_load(&st->held_from_ms) <= until_ms)
			atomic_store(&st->held_from_ms, until_ms + 1);
	}
	if (st->options.retention_bytes > 0 && disk_bytes(st) > st->options.retention_bytes)
		say_limit_too_low(st);
}

static void drop_blocks(struct store *st)
{
	int64_t oldest_ms = store_oldest_kept_ms(st);
	const struct history *h = &st->history;

	for (size_t i = list_size(h); i-- > 0;)
		if (!block_is_whole(h->list->v[i]) || h->list->v[i]->header->max_ms < oldest_ms)
			drop_block(st, h->list->v[i]);
	drop_excess(st);
}

bool store_open_history(struct store *st, const char *path, struct err *e)
{
	struct buf dir = { 0 };

	buf_printf(&dir, "%s/blocks", path);
	if (mkdir(buf_z(&dir), 0750) != 0 && errno != EEXIST) {
		err_set(e, ERR_IO, -1, "cannot make the folder %s: %s", buf_z(&dir), strerror(errno));
		buf_fini(&dir);
		return false;
	}
	pthread_mutex_lock(&st->maintain_lock);
	st->history.dir = dir.p;
	st->history.covered_ms = st->history.flushed_ms = st->born_ms;
	block_sweep(st->history.dir);
	scan(st, rest_until_ms(st, st->born_ms));
	pthread_mutex_unlock(&st->maintain_lock);
	return true;
}

bool store_open_read(struct store *st, const char *path, struct err *e)
{
	struct buf dir = { 0 };
	struct replay r;
	struct stat info;

	if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
		return err_set(e, ERR_IO, -1, "%s is no folder", path);
	st->read_only = true;
	buf_printf(&dir, "%s/journal", path);
	(void)buf_z(&dir);
	st->journal.dir = dir.p;
	dir = (struct buf){ 0 };
	buf_printf(&dir, "%s/blocks", path);
	(void)buf_z(&dir);
	st->history.dir = dir.p;
	journal_replay(st, &r); /* first: what leaves it meanwhile is in a block */
	history_scan(st);
	return true;
}

void store_take_in(struct store *st)
{
	pthread_mutex_lock(&st->maintain_lock);
	if (st->history.dir != NULL)
		history_scan(st);
	pthread_mutex_unlock(&st->maintain_lock);
}

bool history_maintain(struct store *st, int64_t now_ms, bool hurry)
{
	bool flushed;

	if (st->history.dir == NULL)
		return false;
	history_scan(st);
	drop_blocks(st);
	flushed = flush_when_due(st, now_ms, hurry);
	history_compact(st, now_ms);
	return flushed;
}

/* ---- Reading ---- */

static bool may_hold(const struct block *b, int64_t min_ms, int64_t max_ms, bool before, int64_t floor_ms)
{
	const struct block_header *h = b->header;

	return h->min_ms <= max_ms && (h->max_ms > min_ms || (before && h->max_ms > floor_ms));
}

/* Entries first to last that may hold samples of (min_ms, max_ms], one earlier for the sample before. */
static struct history_part pick(struct block *b, uint32_t series, int64_t min_ms, int64_t max_ms, bool before,
                                int64_t floor_ms)
{
	uint32_t beg = block_first(b, series), end = beg + block_n_entries(b, series), first = beg, last;

	while (first < end && block_entry(b, first).max_ms <= min_ms)
		first++;
	if (before && first > beg && block_entry(b, first - 1).max_ms > floor_ms &&
	    (first == end || block_entry(b, first).min_ms > min_ms))
		first--;
	for (last = first; last < end && block_entry(b, last).min_ms <= max_ms;)
		last++;
	return (struct history_part){ b, first, last - first };
}

static void collect_parts(struct labels labels, uint64_t hash, int64_t min_ms, int64_t max_ms, bool before, int64_t floor_ms,
                          struct history_parts *out)
{
	for (size_t i = out->list->n; i-- > 0;) { /* the newest first: what they have of the time before raises the floor */
		struct block *b = out->list->v[i];
		uint32_t series = may_hold(b, min_ms, max_ms, before, floor_ms) ? block_find(b, labels, hash) : BLOCK_NONE;
		struct history_part part;
		int64_t begin_ms;

		if (series == BLOCK_NONE)
			continue;
		part = pick(b, series, min_ms, max_ms, before, floor_ms);
		if (part.n == 0)
			continue;
		begin_ms = block_entry(b, part.first).min_ms;
		if (begin_ms <= min_ms && begin_ms > floor_ms)
			floor_ms = begin_ms;
		out->v[out->n++] = part;
		for (uint32_t k = 0; k < part.n; k++) {
			out->n_samples += block_entry(b, part.first + k).n;
			out->has_hist |= block_entry(b, part.first + k).kind == CHUNK_HIST;
		}
	}
}

void history_collect(struct store *st, struct labels labels, int64_t min_ms, int64_t max_ms, bool before, int64_t floor_ms,
                     struct arena *a, struct history_parts *out)
{
	*out = (struct history_parts){ 0 };
	if (atomic_load(&st->history.max_ms) <= (before && floor_ms < min_ms ? floor_ms : min_ms))
		return;
	out->list = history_take(&st->history);
	if (out->list == NULL)
		return;
	out->v = ARENA_ARRAY(a, out->list->n, struct history_part);
	collect_parts(labels, series_hash(labels), min_ms, max_ms, before, floor_ms, out);
	for (size_t i = 0; i < out->list->n; i++)
		if (atomic_load(&out->list->v[i]->cut) && may_hold(out->list->v[i], min_ms, max_ms, before, floor_ms))
			out->cut = out->list->v[i];
}
