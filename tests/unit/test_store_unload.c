/* Sealed chunks on disk: what is read of them, when they go there, and what happens when they cannot. */
#include <errno.h>
#include <sys/syscall.h>

#include "history_world.h"

enum { MANY = 300, LONG = 900, EVERY_S = 5 };

static bool disk_is_full; /* but says so only when it is asked to have it all */

/* The program's own name wins over the library's. */
int fdatasync(int fd)
{
	if (!disk_is_full)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

/* Numbers of many digits, nine bytes a sample. */
static double value_at(int series, int i)
{
	return (series * 1000 + i) / 7.0;
}

static void append(struct world *w, int series, int from, int to)
{
	char labels[16];

	snprintf(labels, sizeof labels, "m s=%d", series);
	for (int i = from; i < to; i++)
		assert_true(put(&w->f, labels, MS(i * EVERY_S), value_at(series, i)));
	commit(&w->f);
	arena_reset(&w->f.arena);
}

static void check(struct world *w, int series, int n)
{
	char matcher[16];
	struct selection *s;
	struct samples got;

	snprintf(matcher, sizeof matcher, "s = %d", series);
	s = pick(&w->f, matcher);
	assert_int_equal(s->n, 1);
	got = read_all(&w->f, s, 0);
	assert_int_equal(got.n, n);
	for (int i = 0; i < n; i++)
		assert_true(got.t_ms[i] == MS(i * EVERY_S) && got.v[i] == value_at(series, i));
	drop(&w->f, s);
	arena_reset(&w->f.arena);
}

static struct store_series *find(struct world *w, const char *labels)
{
	struct store_series *s = store_series_find(w->f.store, parse_labels(&w->f.arena, labels));

	assert_non_null(s);
	store_series_unref(w->f.store, s);
	return s;
}

static bool is_unloaded(const struct store_series *s, uint32_t i)
{
	return i < s->n_sealed && spool_has(series_sealed(s, i));
}

/* They go when there are enough of them, stay readable, and the file goes with the flush that takes them. */
static void test_enough(void **state)
{
	struct world w;
	struct err e = { 0 };

	(void)state;
	begin(&w, MS(0));
	append(&w, 0, 0, 300);
	store_maintain(w.f.store);
	assert_int_equal(spool_files(), 0);
	for (int s = 1; s < MANY; s++)
		append(&w, s, 0, LONG);
	let_pass(&w, LONG * EVERY_S);
	store_maintain(w.f.store);
	assert_int_equal(spool_files(), 1);
	for (int s = 0; s < MANY; s++) {
		char labels[16];

		snprintf(labels, sizeof labels, "m s=%d", s);
		assert_true(is_unloaded(find(&w, labels), 0));
		check(&w, s, s == 0 ? 300 : LONG);
	}
	assert_true(store_flush(w.f.store, &e));
	assert_int_equal(spool_files(), 0);
	check(&w, 1, LONG);
	end(&w);
}

/* What a reader holds stays although the store has let go of it. */
static void test_reader(void **state)
{
	struct store_series *s;
	struct chunk *held;
	struct world w;
	struct err e = { 0 };

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 200);
	s = find(&w, "m s=1");
	held = series_sealed(s, 0);
	chunk_ref(held); /* in memory … */
	unload(&w.f);
	assert_true(is_unloaded(s, 0) && !spool_has(held) && held->n == CHUNK_SAMPLES);
	chunk_unref(held);
	held = series_sealed(s, 0);
	chunk_ref(held); /* … and on disk */
	assert_true(store_flush(w.f.store, &e));
	assert_int_equal(spool_files(), 1);
	assert_true(held->n == CHUNK_SAMPLES && held->min_ms == MS(0));
	chunk_unref(held);
	assert_int_equal(spool_files(), 0);
	end(&w);
}

/* The open chunk of a series that ended goes too, a minute later; one that goes on begins another. */
static void test_ended(void **state)
{
	struct selection *all;
	struct store_series *s;
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 10);
	s = find(&w, "m s=1");
	let_pass(&w, 10 * EVERY_S);
	store_append_end(w.f.app, s, w.f.clock.wall, SERIES_GONE);
	commit(&w.f);
	let_pass(&w, 30);
	unload(&w.f);
	assert_true(series_open(s) != NULL && s->n_sealed == 0);
	let_pass(&w, 60);
	unload(&w.f);
	assert_true(series_open(s) == NULL && is_unloaded(s, 0));
	assert_true(put(&w.f, "m s=1", w.f.clock.wall, 5));
	commit(&w.f);
	all = pick(&w.f, "s = 1");
	assert_int_equal(read_all(&w.f, all, 0).n, 12);
	drop(&w.f, all);
	end(&w);
}

/* Retention does not look at what is on disk, and drops it in its time. */
static void test_retention(void **state)
{
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 150);
	unload(&w.f);
	assert_int_equal(spool_files(), 1);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).oldest_ms, MS(0));
	for (int days = 0; days < 17; days++) {
		let_pass(&w, 24 * HOUR_S);
		w.f.store->history.flushed_ms = w.f.clock.wall; /* no flush takes it */
		store_maintain(w.f.store);
	}
	assert_int_equal(spool_files(), 0);
	assert_int_equal(store_stats(w.f.store).chunks, 0);
	end(&w);
}

/* What is written and never arrives stays in memory. */
static void test_lost_on_the_way(void **state)
{
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 200);
	disk_is_full = true;
	unload(&w.f);
	disk_is_full = false;
	assert_int_equal(spool_files(), 0);
	check(&w, 1, 200);
	unload(&w.f);
	assert_int_equal(spool_files(), 1);
	check(&w, 1, 200);
	end(&w);
}

static void append_histograms(struct world *w, int n)
{
	enum { BUCKETS = 100 };
	static const struct histogram_span span = { 1, BUCKETS };
	double buckets[BUCKETS] = { 1 };
	const struct histogram h = { .schema = 3, .count = 1, .pos = { &span, buckets, 1, BUCKETS } };
	struct err e = { 0 };

	for (int i = 0; i < n; i++)
		assert_true(w->f.app->ops->append(w->f.app, parse_labels(&w->f.arena, "h"), MS(i * EVERY_S), 0, &h, &e));
	commit(&w->f);
	arena_reset(&w->f.arena);
}

/* They stay, so they are no reason to move the little else there is: of such files there is room for few. */
static void test_histograms(void **state)
{
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append_histograms(&w, LONG);
	let_pass(&w, LONG * EVERY_S);
	for (int i = 1; i <= 4; i++) {
		append(&w, i, 0, 200);
		store_maintain(w.f.store);
	}
	assert_int_equal(spool_files(), 0);
	end(&w);
}

/* Without a disk they stay where they are. */
static void test_no_disk(void **state)
{
	char blocks[96], away[96];
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 200);
	snprintf(blocks, sizeof blocks, "%s/blocks", w.dir);
	snprintf(away, sizeof away, "%s/away", w.dir);
	assert_int_equal(rename(blocks, away), 0);
	unload(&w.f);
	assert_int_equal(spool_files(), 0);
	check(&w, 1, 200);
	assert_int_equal(rename(away, blocks), 0);
	unload(&w.f);
	assert_int_equal(spool_files(), 1);
	check(&w, 1, 200);
	end(&w);
}

/* What failed while the clock was a day ahead is not put off for a day when it is put back. */
static void test_clock_put_back(void **state)
{
	enum { DAY_MS = 24 * HOUR_S * 1000 };
	char blocks[96], away[96];
	struct world w;

	(void)state;
	begin(&w, MS(0));
	append(&w, 1, 0, 200);
	snprintf(blocks, sizeof blocks, "%s/blocks", w.dir);
	snprintf(away, sizeof away, "%s/away", w.dir);
	assert_int_equal(rename(blocks, away), 0);
	w.f.clock.wall += DAY_MS;
	store_maintain(w.f.store);
	unload(&w.f);
	assert_int_equal(store_stats(w.f.store).flushes_failed, 1);
	assert_int_equal(rename(away, blocks), 0);
	w.f.clock.wall -= DAY_MS;
	let_pass(&w, 200 * EVERY_S);
	w.f.store->loaded_bytes = SIZE_MAX;
	unload_when_due(w.f.store, w.f.clock.wall);
	assert_int_equal(spool_files(), 1);
	let_pass(&w, 3 * HOUR_S);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_written, 1);
	check(&w, 1, 200);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enough),    cmocka_unit_test(test_reader),  cmocka_unit_test(test_ended),
		cmocka_unit_test(test_retention), cmocka_unit_test(test_no_disk), cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_lost_on_the_way), cmocka_unit_test(test_clock_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
