/* The journal: what was committed is there after a start without a flush, whatever its kind; torn at every byte, damaged, full disk,
 * checkpoints. */
#include "journal_world.h"

/* ---- Every kind of sample ---- */

enum { MODEL_SERIES = 40, MODEL_MAX = 900 };

struct model {
	int64_t t[MODEL_SERIES][MODEL_MAX];
	uint64_t v[MODEL_SERIES][MODEL_MAX];
	size_t n[MODEL_SERIES];
	double last[MODEL_SERIES];
};

static double random_value(double before, size_t kind)
{
	static const double odd[] = { -0.0, (double)INFINITY, -(double)INFINITY, (double)NAN, 1e300, 5e-324, 4503599627370496.5, 0 };

	if (rand() % 50 == 0)
		return value_stale();
	if (rand() % 50 == 0)
		return odd[(size_t)rand() % ARRAY_LEN(odd)];
	if (!(before == before) || isinf(before))
		before = 0;
	switch (kind % 5) {
	case 0:
		return 42;
	case 1:
		return before + rand() % 1000;
	case 2:
		return rand() * 1e-3;
	case 3:
		return before + rand() % 3 * 100000.0;
	default:
		return rand() / 7.0;
	}
}

static void model_round(struct world *w, struct model *m, int64_t t_ms)
{
	char text[64];

	for (size_t i = 0; i < MODEL_SERIES; i++) {
		int64_t at_ms = i % 11 == 3 ? t_ms + rand() % 5 : t_ms;
		double v = random_value(m->last[i], i);

		if (rand() % 20 == 0 || m->n[i] == MODEL_MAX)
			continue;
		snprintf(text, sizeof text, "model i=%zu other=%c", i, (int)('a' + i % 3));
		assert_true(put(&w->f, text, at_ms, v));
		m->last[i] = v;
		m->t[i][m->n[i]] = at_ms;
		memcpy(&m->v[i][m->n[i]++], &v, sizeof v);
	}
	commit(&w->f);
}

static void model_compare(struct world *w, const struct model *m)
{
	struct selection *s = pick(&w->f, "__name__ = model");

	assert_in_range(s->n, MODEL_SERIES - 1, MODEL_SERIES); /* one may have been deleted */
	for (size_t k = 0; k < s->n; k++) {
		size_t i = (size_t)atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w->f, s, k);

		assert_int_equal(got.n, m->n[i]);
		for (size_t j = 0; j < got.n; j++) {
			uint64_t bits;

			memcpy(&bits, &got.v[j], sizeof bits);
			assert_int_equal(got.t_ms[j], m->t[i][j]);
			assert_int_equal(bits, m->v[i][j]);
		}
	}
	drop(&w->f, s);
	arena_reset(&w->f.arena);
}

static void test_model(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct world w;

	(void)state;
	srand(7);
	begin(&w);
	for (int i = 0; i < 800; i++) {
		model_round(&w, m, MS(i * 5));
		w.f.clock = clock_manual(MS(i * 5));
		if (rand() % 60 == 0)
			restart(&w, MS(i * 5));
		if (rand() % 60 == 0) {
			struct err e = { 0 };

			assert_true(store_flush(w.f.store, &e));
		}
		if (rand() % 60 == 0)
			restart_from_checkpoint(&w, MS(i * 5));
		if (i % 40 == 39)
			model_compare(&w, m);
	}
	restart(&w, MS(4000));
	model_compare(&w, m);
	free(m);
	end(&w);
}

/* More chunks than one record of a checkpoint takes, full ones and others. */
static void test_many_chunks(void **state)
{
	struct selection *s;
	struct samples got;
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 3000; i++)
		put1(&w, "m", MS(i), i % 500 < 130 ? i : i / 7.0);
	restart_from_checkpoint(&w, MS(3001));
	s = pick(&w.f, "__name__ = m");
	got = read_all(&w.f, s, 0);
	assert_int_equal(got.n, 3000);
	for (int i = 0; i < 3000; i++)
		assert_true(got.v[i] == (i % 500 < 130 ? i : i / 7.0));
	drop(&w.f, s);
	end(&w);
}

static void test_histograms(void **state)
{
	double buckets[3] = { 1, 2, 3.5 };
	struct histogram_span span = { 0, 3 };
	struct histogram h = { .schema = 3, .zero_threshold = 0.001, .zero_count = 2, .count = 8.5, .sum = 17.25 };
	struct selection *s;
	struct samples got;
	struct err e = { 0 };
	struct world w;

	(void)state;
	h.pos = (struct histogram_side){ .n_spans = 1, .n_buckets = 3, .spans = &span, .buckets = buckets };
	begin(&w);
	for (int i = 0; i < 5; i++) {
		h.count += i;
		assert_true(w.f.app->ops->append(w.f.app, parse_labels(&w.f.arena, "h a=b"), MS(i), 0, &h, &e));
		commit(&w.f);
	}
	put1(&w, "h a=b", MS(5), value_stale());
	put1(&w, "h a=b", MS(6), 12);
	for (int round = 0; round < 2; round++) { /* the journal, then a checkpoint */
		restart(&w, MS(7));
		s = pick(&w.f, "__name__ = h");
		got = read_all(&w.f, s, 0);
		assert_int_equal(got.n, 7);
		assert_true(got.h[4] != NULL && got.h[4]->count == 18.5 && got.h[4]->pos.buckets[2] == 3.5);
		assert_true(got.h[5] == NULL && value_is_stale(got.v[5]) && got.v[6] == 12);
		drop(&w.f, s);
		crash(&w);
		each_file(&w, "journal", ".cut", remove_file, NULL);
		start(&w, MS(8));
	}
	end(&w);
}

/* ---- Deleting ---- */

static void model_delete(struct world *w, struct model *m, size_t series, int64_t min_ms, int64_t max_ms)
{
	char text[64];
	struct matcher matchers[2];
	struct regex *re[2];
	struct err e = { 0 };
	size_t n, kept = 0;

	snprintf(text, sizeof text, "__name__ = model i = %zu", series);
	n = parse_matchers(&w->f.arena, text, matchers, re);
	assert_true(store_delete(w->f.store, matchers, n, min_ms, max_ms, &e));
	for (size_t i = 0; i < m->n[series]; i++) {
		if (m->t[series][i] >= min_ms && m->t[series][i] <= max_ms)
			continue;
		m->t[series][kept] = m->t[series][i];
		m->v[series][kept++] = m->v[series][i];
	}
	m->n[series] = kept;
}

/* Random samples, deletions, flushes, merges and crashes against plain arrays. */
static void test_deleting(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct world w;

	(void)state;
	srand(23);
	begin(&w);
	for (int i = 0; i < 700; i++) {
		int64_t now_ms = MS(i * 60);

		w.f.clock.wall = now_ms;
		model_round(&w, m, now_ms);
		if (rand() % 40 == 0)
			restart(&w, now_ms);
		if (rand() % 30 == 0) {
			struct err e = { 0 };

			assert_true(store_flush(w.f.store, &e));
			store_maintain(w.f.store);
		}
		if (rand() % 10 == 0)
			unload(&w.f);
		if (i > 10 && rand() % 8 == 0) {
			int64_t beg_ms = MS(rand() % (i * 60)), end_ms = beg_ms + rand() % 4000000;

			model_delete(&w, m, (size_t)rand() % MODEL_SERIES, beg_ms, end_ms);
		}
		if (i % 40 == 39)
			model_compare(&w, m);
	}
	model_delete(&w, m, 3, INT64_MIN, INT64_MAX);
	assert_int_equal(m->n[3], 0);
	model_compare(&w, m);
	restart(&w, MS(700 * 60));
	model_compare(&w, m);
	assert_true(store_stats(w.f.store).blocks > 0);
	free(m);
	end(&w);
}

/* ---- Torn, damaged, full ---- */

static void copy_path(const char *path, void *ctx)
{
	struct stat s, best;
	char *to = ctx;

	if (stat(path, &s) == 0 && (to[0] == 0 || (stat(to, &best) == 0 && s.st_size > best.st_size)))
		snprintf(to, 512, "%s", path);
}

/* The largest file of the journal that ends so. */
static void largest(struct world *w, const char *suffix, char path[512])
{
	path[0] = 0;
	each_file(w, "journal", suffix, copy_path, path);
	assert_true(path[0] != 0);
}

static size_t read_bytes(const char *path, char *bytes, size_t room)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, room, f);
	fclose(f);
	return n;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void write_rounds(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		put(&w->f, "a", MS(i), i);
		put(&w->f, "b x=y", MS(i), i / 3.0);
		commit(&w->f);
	}
}

static void test_torn_at_every_byte(void **state)
{
	char path[512], bytes[8192];
	size_t n, before = 0;
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 6);
	crash(&w);
	largest(&w, ".log", path);
	n = read_bytes(path, bytes, sizeof bytes);
	for (size_t cut = 0; cut <= n; cut++) {
		size_t a, b;

		each_file(&w, "journal", "", remove_file, NULL);
		write_bytes(path, bytes, cut);
		start(&w, MS(10));
		a = count_of(&w, "a");
		b = count_of(&w, "b");
		assert_true(a == b && a >= before && a <= before + 1); /* whole batches */
		assert_int_equal(store_stats(w.f.store).journal_damaged, 0);
		before = a;
		crash(&w);
	}
	assert_int_equal(before, 6);
	start(&w, MS(10));
	end(&w);
}

/* What was synced is in the file, whatever the threads do. */
static void test_sync(void **state)
{
	char path[512], bytes[8192];
	size_t n;
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 1; i <= 20; i++) {
		put1(&w, "a", MS(i), i);
		store_sync(w.f.store);
		largest(&w, ".log", path);
		n = read_bytes(path, bytes, sizeof bytes);
	}
	crash(&w);
	each_file(&w, "journal", "", remove_file, NULL);
	write_bytes(path, bytes, n);
	start(&w, MS(21));
	assert_int_equal(count_of(&w, "a"), 20);
	end(&w);
}

static void test_damaged_middle(void **state)
{
	char path[512], bytes[8192];
	size_t n;
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 6);
	restart(&w, MS(6)); /* a second file */
	put1(&w, "a", MS(7), 1);
	crash(&w);
	largest(&w, ".log", path);
	n = read_bytes(path, bytes, sizeof bytes);
	bytes[n / 2] ^= 1;
	write_bytes(path, bytes, n);
	start(&w, MS(10));
	assert_int_equal(store_stats(w.f.store).journal_damaged, 1);
	assert_false(store_knows_past(w.f.store));
	assert_in_range(count_of(&w, "a"), 2, 6); /* what was before it, and the other file */
	assert_int_equal(each_file(&w, "journal", ".damaged", NULL, NULL), 1);
	restart(&w, MS(11));
	assert_int_equal(store_stats(w.f.store).journal_damaged, 0);
	assert_true(store_knows_past(w.f.store));
	assert_in_range(count_of(&w, "a"), 2, 6);
	end(&w);
}

/* A file that is not the newest was whole when the next one was begun: one that lacks its end, or all, was damaged, and so is a journal that
 * lacks a file. What a kill tears is cut off before it is not the newest any more. */
static void test_lacking(void **state)
{
	static const char *const hows[] = { "the end", "all", "the file", "nothing: a kill tore it" };

	(void)state;
	for (size_t how = 0; how < ARRAY_LEN(hows); how++) {
		bool kill = how == 3;
		char path[512], bytes[8192];
		struct world w;
		size_t n;

		begin(&w);
		write_rounds(&w, 6);
		crash(&w);
		largest(&w, ".log", path);
		n = read_bytes(path, bytes, sizeof bytes);
		if (kill)
			write_bytes(path, bytes, n - 5);
		start(&w, MS(6));
		put1(&w, "a", MS(7), 1);
		crash(&w);
		if (how == 2)
			assert_int_equal(unlink(path), 0);
		else if (!kill)
			write_bytes(path, bytes, how == 0 ? n - 5 : 0);
		start(&w, MS(10));
		assert_int_equal(store_stats(w.f.store).journal_damaged, !kill);
		assert_int_equal(store_knows_past(w.f.store), kill);
		assert_int_equal(count_of(&w, "a"), how == 1 || how == 2 ? 1 : 6);
		assert_int_equal(each_file(&w, "journal", ".damaged", NULL, NULL), how < 2);
		restart(&w, MS(11));
		assert_int_equal(store_stats(w.f.store).journal_damaged, 0);
		assert_true(store_knows_past(w.f.store));
		end(&w);
	}
}

static void test_damaged_checkpoint(void **state)
{
	char path[512], bytes[1 << 17], labels[32];
	size_t n;
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 600; i++) {
		snprintf(labels, sizeof labels, "m i=%d", i);
		put(&w.f, labels, MS(0), i);
	}
	commit(&w.f);
	crash(&w);
	largest(&w, ".log", path); /* cut, so that a checkpoint is made of it */
	n = read_bytes(path, bytes, sizeof bytes);
	unlink(path);
	snprintf(strrchr(path, '.'), 8, ".cut");
	write_bytes(path, bytes, n);
	start(&w, MS(1));
	assert_int_equal(count_of(&w, "m"), 600);
	assert_false(store_knows_past(w.f.store));
	crash(&w);
	largest(&w, ".checkpoint", path);
	n = read_bytes(path, bytes, sizeof bytes);
	bytes[n / 2] ^= 1;
	write_bytes(path, bytes, n);
	start(&w, MS(2));
	assert_int_equal(store_stats(w.f.store).journal_damaged, 1);
	assert_in_range(count_of(&w, "m"), 200, 599); /* its other frames are good */
	end(&w);
}

/* The head's version made another one. */
static void make_foreign(const char *path, void *ctx)
{
	char bytes[1 << 17];
	size_t n = read_bytes(path, bytes, sizeof bytes);
	struct record_frame_head head;

	(void)ctx;
	memcpy(&head, bytes, sizeof head);
	bytes[sizeof head + 1]++;
	head = record_frame_head(bytes + sizeof head, head.bytes);
	memcpy(bytes, &head, sizeof head);
	write_bytes(path, bytes, n);
}

static void test_another_version(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 6);
	restart_from_checkpoint(&w, MS(6));
	put1(&w, "a", MS(7), 1);
	crash(&w);
	each_file(&w, "journal", ".log", make_foreign, NULL);
	each_file(&w, "journal", ".checkpoint", make_foreign, NULL);
	start(&w, MS(10));
	assert_true(store_stats(w.f.store).journal_damaged >= 2);
	assert_int_equal(store_stats(w.f.store).series, 0); /* nothing of what it does not understand */
	assert_false(store_knows_past(w.f.store));
	end(&w);
}

static void wait_until(struct world *w, bool works)
{
	for (int i = 0; i < 6000 && store_stats(w->f.store).journal_works != works; i++)
		usleep(10000);
	assert_int_equal(store_stats(w->f.store).journal_works, works);
}

/* A limit on the size of files stands for a full disk. */
static void test_full_disk(void **state)
{
	struct rlimit before, small;
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 3);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put1(&w, "a", MS(5), 1);
	wait_until(&w, false);
	store_maintain(w.f.store); /* still full */
	put1(&w, "a", MS(6), 1);
	assert_false(store_stats(w.f.store).journal_works);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	store_maintain(w.f.store);
	assert_true(store_stats(w.f.store).journal_works);
	put1(&w, "a", MS(7), 1);
	assert_int_equal(count_of(&w, "a"), 6);
	restart(&w, MS(8));
	assert_int_equal(count_of(&w, "a"), 6);
	assert_true(store_knows_past(w.f.store));
	assert_int_equal(each_file(&w, "journal", ".cut", NULL, NULL), 0);
	end(&w);
}

static void test_gone_with_a_full_disk(void **state)
{
	struct rlimit before, small;
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 3);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put1(&w, "a", MS(5), 1);
	wait_until(&w, false);
	crash(&w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	start(&w, MS(8));
	assert_false(store_knows_past(w.f.store)); /* series may have come since */
	end(&w);
}

/* What a flush moved to a block leaves the journal. */
static void test_flush_shortens_it(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w);
	write_rounds(&w, 500);
	assert_true(store_flush(w.f.store, &e));
	assert_in_range(store_stats(w.f.store).journal_bytes, 1, 1000);
	assert_int_equal(each_file(&w, "journal", ".checkpoint", NULL, NULL), 1);
	assert_int_equal(each_file(&w, "journal", ".log", NULL, NULL), 1);
	restart(&w, MS(600));
	assert_int_equal(count_of(&w, "a"), 500);
	end(&w);
}

/* One of 16 MiB is followed by a checkpoint, and by no block that would hold next to nothing. */
static void test_it_stays_short(void **state)
{
	enum { SERIES = 9000, LONG = 2000 };
	char text[LONG + 16];
	struct world w;

	(void)state;
	srand(3);
	begin(&w);
	for (int i = 0; i < SERIES; i++) {
		int n = snprintf(text, sizeof text, "long i=%d_", i);

		while (n < LONG)
			text[n++] = (char)('a' + rand() % 26);
		text[n] = 0;
		put1(&w, text, MS(0), i);
		arena_reset(&w.f.arena);
	}
	store_sync(w.f.store);
	assert_in_range(store_stats(w.f.store).journal_bytes, 16 << 20, 20 << 20);
	store_maintain(w.f.store);
	assert_int_equal(each_file(&w, "journal", ".checkpoint", NULL, NULL), 1);
	assert_int_equal(each_file(&w, "journal", ".log", NULL, NULL), 1);
	assert_int_equal(each_file(&w, "blocks", ".blk", NULL, NULL), 0);
	restart(&w, MS(1));
	assert_int_equal(count_of(&w, "long"), SERIES);
	end(&w);
}

/* A series tells by the number of a file whether it is defined there, and numbers come again. */
static void test_a_round_of_files(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w);
	put1(&w, "a", MS(0), 1);
	w.f.store->journal.file = UINT8_MAX;
	put1(&w, "b", MS(0), 1);
	assert_true(store_flush(w.f.store, &e));
	put1(&w, "b", MS(1), 2);
	put1(&w, "a", MS(1), 3);
	store_sync(w.f.store);
	restart(&w, MS(2));
	assert_int_equal(count_of(&w, "a"), 2);
	assert_int_equal(count_of(&w, "b"), 2);
	end(&w);
}

/* What a refused scrape brought has no sample: a start does not bring it back. */
static void test_never_sampled(void **state)
{
	struct selection *s;
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w);
	put1(&w, "m", MS(0), 1);
	assert_true(put(&w.f, "refused", MS(1), 1));
	store_appender_rollback(w.f.app);
	assert_true(store_flush(w.f.store, &e));
	assert_int_equal(each_file(&w, "journal", ".checkpoint", NULL, NULL), 1);
	restart(&w, MS(2));
	s = pick(&w.f, "__name__ = refused");
	assert_int_equal(s->n, 0);
	drop(&w.f, s);
	assert_int_equal(count_of(&w, "m"), 1);
	end(&w);
}

static void call_it_a_log(const char *path, void *ctx)
{
	char to[512];

	(void)ctx;
	snprintf(to, sizeof to, "%.*s.log", (int)(strrchr(path, '.') - path), path);
	assert_int_equal(rename(path, to), 0);
}

/* A log's pages go while it is read; chunks that should be in no log are taken in before theirs do. */
static void test_a_checkpoint_as_a_log(void **state)
{
	enum { SERIES = 8000, SAMPLES = 110 };
	struct selection *s;
	struct world w;
	char text[64];

	(void)state;
	begin(&w);
	for (int k = 0; k < SAMPLES; k++) {
		for (int i = 0; i < SERIES; i++) {
			snprintf(text, sizeof text, "m i=%d", i);
			assert_true(put(&w.f, text, MS(k), (i * 7919 + k * 104729) % 1000003));
		}
		commit(&w.f);
		arena_reset(&w.f.arena);
	}
	restart_from_checkpoint(&w, MS(SAMPLES));
	crash(&w);
	each_file(&w, "journal", ".log", remove_file, NULL);
	each_file(&w, "journal", ".cut", remove_file, NULL);
	assert_int_equal(each_file(&w, "journal", ".checkpoint", call_it_a_log, NULL), 1);
	start(&w, MS(SAMPLES));
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->n, SERIES);
	for (size_t k = 0; k < s->n; k++) {
		int i = atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w.f, s, k);

		assert_int_equal(got.n, SAMPLES);
		for (size_t j = 0; j < got.n; j++)
			assert_true(got.v[j] == (i * 7919 + (int)j * 104729) % 1000003);
		arena_reset(&w.f.arena);
	}
	drop(&w.f, s);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_deleting),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_damaged_middle),
		cmocka_unit_test(test_lacking),
		cmocka_unit_test(test_damaged_checkpoint),
		cmocka_unit_test(test_another_version),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_gone_with_a_full_disk),
		cmocka_unit_test(test_flush_shortens_it),
		cmocka_unit_test(test_it_stays_short), cmocka_unit_test(test_a_round_of_files),
		cmocka_unit_test(test_never_sampled), cmocka_unit_test(test_a_checkpoint_as_a_log),
	};

	return cmocka_run_group_tests_name("store journal", tests, NULL, no_piece_is_left);
}
