/* Damage to blocks: in every section, in a chunk, files cut short. */
#include "history_world.h"
#include "promql/promql.h"

struct damage {
	enum block_section section; /* BLOCK_SECTIONS: the header */
};

static void damage_file(const char *path, void *ctx)
{
	const struct damage *d = ctx;
	struct block_header h;
	int fd = open(path, O_RDWR);
	uint64_t at = 16;
	unsigned char byte;

	assert_int_equal(pread(fd, &h, sizeof h, 0), sizeof h);
	if (d->section < BLOCK_SECTIONS)
		at = h.section[d->section].at + h.section[d->section].bytes / 3;
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void set_version(const char *path, void *ctx)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, ctx, sizeof(uint32_t), offsetof(struct block_header, version)), sizeof(uint32_t));
	close(fd);
}

static void cut_file(const char *path, void *ctx)
{
	struct stat st;

	(void)ctx;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 8), 0);
}

static void empty_file(const char *path, void *ctx)
{
	(void)ctx;
	assert_int_equal(truncate(path, 0), 0);
}

static void fill(struct world *w)
{
	for (int i = 0; i < 300; i++) {
		put(&w->f, "m a=b", MS(i), i);
		put(&w->f, "other", MS(i), i);
	}
	commit(&w->f);
	restart(w, MS(310));
}

static void expect_damaged(struct world *w, const char *what)
{
	if (store_stats(w->f.store).blocks_damaged != 1 || store_stats(w->f.store).blocks != 1)
		fail_msg("%s: %zu blocks, %zu damaged", what, store_stats(w->f.store).blocks, (size_t)store_stats(w->f.store).blocks_damaged);
	assert_int_equal(each_file(w, ".damaged", NULL, NULL), 1);
	assert_int_equal(each_file(w, ".blk", NULL, NULL), 1);
}

/* Of two blocks the first is damaged: the second serves. */
static void test_damage(void **state)
{
	static const int later_s[] = { 305 };
	static const double later_v[] = { 7 };

	(void)state;
	for (unsigned i = BLOCK_CHUNKS + 1; i <= BLOCK_SECTIONS + 1; i++) {
		struct damage d = { (enum block_section)i };
		struct world w;
		struct selection *s;
		char what[32];

		begin(&w, MS(0));
		fill(&w);
		teardown(&w.f);
		assert_int_equal(each_file(&w, ".blk", i <= BLOCK_SECTIONS ? damage_file : cut_file, &d), 1);
		setup(&w.f, (struct store_options){ 0 });
		import(&w, "m a=b", later_s, later_v, 1);
		teardown(&w.f);
		start(&w, MS(310));
		snprintf(what, sizeof what, "section %u", i);
		expect_damaged(&w, what);
		s = pick(&w.f, "__name__ =~ .+");
		assert_int_equal(s->n, 1);
		assert_int_equal(read_all(&w.f, s, 0).n, 1);
		drop(&w.f, s);
		end(&w);
	}
}

/* Samples of the two series that fill() made, and how many of them lack some. */
static size_t count_samples(struct world *w, size_t *lacking)
{
	struct selection *s = pick(&w->f, "__name__ =~ .+");
	size_t n = 0;

	*lacking = 0;
	assert_int_equal(s->n, 2);
	for (size_t i = 0; i < s->n; i++) {
		struct samples got = read_all(&w->f, s, i);

		n += got.n;
		*lacking += got.missing != NULL;
		for (size_t k = 0; k < got.n; k++)
			assert_true(got.v[k] == (double)(got.t_ms[k] / 1000 - T0));
	}
	drop(&w->f, s);
	return n;
}

/* What a rule would have had from it is unknown, and people are warned. */
static void expect_told(struct world *w)
{
	struct promql_options options = { 0 };
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(STR("max_over_time({__name__=~\".+\"}[4m]) > 1e9"), &options, &e);
	struct promql_result *r = promql_instant(q, &w->f.arena, w->f.q, MS(300), &e);

	assert_non_null(r);
	assert_int_equal(r->n_vector, 0);
	assert_int_equal(r->n_unseen, 1);
	assert_int_equal(r->n_notes, 1);
	assert_true(r->notes[0].warning);
	promql_query_free(q);
}

/* One bit costs one chunk, and nothing else: of queries, when blocks are merged, when something is deleted. */
static void test_damaged_chunk(void **state)
{
	struct damage d = { BLOCK_CHUNKS };
	struct world w;
	size_t lacking, n;
	struct matcher nothing = { MATCH_EQ, STR(LABEL_NAME), STR("other"), NULL };
	struct err e = { 0 };

	(void)state;
	for (int merged = 0; merged < 2; merged++) {
		begin(&w, MS(0));
		fill(&w);
		each_file(&w, ".blk", damage_file, &d);
		n = count_samples(&w, &lacking);
		assert_in_range(n, 600 - CHUNK_SAMPLES, 599);
		assert_int_equal(lacking, 1);
		assert_int_equal(count_samples(&w, &lacking), n);
		expect_told(&w);
		assert_int_equal(store_stats(w.f.store).chunks_damaged, 1);
		store_maintain(w.f.store);
		assert_int_equal(store_stats(w.f.store).blocks_damaged, 0);
		assert_int_equal(each_file(&w, ".blk", NULL, NULL), 1);
		if (merged) {
			assert_true(put(&w.f, "m a=b", MS(400), 400));
			commit(&w.f);
			restart(&w, MS(3 * HOUR_S));
			assert_int_equal(store_check(w.f.store), 1);
			store_maintain(w.f.store);
			assert_int_equal(store_stats(w.f.store).blocks_merged, 2);
			assert_int_equal(count_samples(&w, &lacking), n + 1);
		} else {
			assert_true(store_delete(w.f.store, &nothing, 1, MS(0), MS(9), &e));
			assert_int_equal(count_samples(&w, &lacking), n - 10);
		}
		assert_int_equal(lacking, 0);
		assert_int_equal(store_check(w.f.store), 0);
		end(&w);
	}
}

/* Somebody cuts a file while it is mapped: an error, not a crash, and the rest serves. */
static void test_cut_while_it_is_read(void **state)
{
	static const int later_s[] = { 305 };
	static const double later_v[] = { 7 };
	struct world w;
	struct selection *s;
	struct window_ends ends;
	struct samples got;
	struct err e = { 0 };
	size_t failed = 0;

	(void)state;
	begin(&w, MS(0));
	fill(&w);
	each_file(&w, ".blk", empty_file, NULL);
	import(&w, "m a=b", later_s, later_v, 1);
	s = pick(&w.f, "__name__ =~ .+");
	for (size_t i = 0; i < s->n; i++) {
		w.f.q->ops->ends(w.f.q, s, i, 1, MS(0), MS(300), false, &ends);
		failed += !ends.known && !w.f.q->ops->samples(w.f.q, s, i, INT64_MIN, INT64_MAX, false, &w.f.arena, &got, &e);
	}
	assert_int_equal(failed, 2);
	assert_non_null(strstr(e.msg, "cut short"));
	drop(&w.f, s);
	store_maintain(w.f.store);
	expect_damaged(&w, "cut");
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->n, 1);
	assert_int_equal(read_all(&w.f, s, 0).n, 1);
	drop(&w.f, s);
	end(&w);
}

/* Another program may want what this one cannot read; and what is no file at all holds nobody up. */
static void test_left_alone(void **state)
{
	uint32_t version = BLOCK_VERSION + 1;
	struct world w;
	struct selection *s;
	char path[96];

	(void)state;
	begin(&w, MS(0));
	fill(&w);
	teardown(&w.f);
	each_file(&w, ".blk", set_version, &version);
	snprintf(path, sizeof path, "%s/blocks/1-2-1.blk", w.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof path, "%s/blocks/1-0.tmp", w.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	start(&w, MS(310));
	store_take_in(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_left, 2);
	assert_int_equal(store_stats(w.f.store).blocks_damaged, 0);
	assert_int_equal(each_file(&w, ".blk", NULL, NULL), 2);
	s = pick(&w.f, "__name__ =~ .+");
	assert_int_equal(s->n, 0);
	drop(&w.f, s);
	end(&w);
}

/* More often than it can be counted for: it is no block of ours, however whole. */
static void test_a_series_again_and_again(void **state)
{
	enum { TIMES = 70000 };
	struct block_writer *bw;
	struct arena a = { 0 };
	struct err e = { 0 };
	char dir[128], *path = NULL;
	struct world w;

	(void)state;
	begin(&w, MS(0));
	snprintf(dir, sizeof dir, "%s/blocks", w.dir);
	bw = block_writer_new(dir, &e);
	assert_non_null(bw);
	for (int i = 0; i < TIMES; i++) {
		struct chunk_writer c = { 0 };
		uint32_t series = block_writer_series(bw, parse_labels(&a, "m a=b"));
		struct chunk *chunk;

		chunk_append(&c, MS(0), i, NULL);
		chunk = chunk_seal(&c);
		assert_true(block_writer_chunk(bw, series, chunk, MS(0), &e));
		chunk_unref(chunk);
		arena_reset(&a);
	}
	assert_true(block_writer_commit(bw, MS(0), MS(1), &path, &e));
	free(path);
	block_writer_free(bw);
	arena_fini(&a);
	restart(&w, MS(5));
	assert_int_equal(store_stats(w.f.store).blocks_damaged, 1);
	assert_int_equal(each_file(&w, ".damaged", NULL, NULL), 1);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_damaged_chunk),
		cmocka_unit_test(test_cut_while_it_is_read),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_a_series_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
