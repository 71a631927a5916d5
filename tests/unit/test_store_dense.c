/* Values as blocks have them: every way of telling them, to the last bit; what is made up is refused; and blocks that earlier
 * versions wrote. */
#include "history_world.h"
#include "store/chunk.h"
#include "store/packed.h"

enum { ROUNDS = 3000, OLD_SAMPLES = 5 * 200 + 150 };

static double uniform(void)
{
	return rand() / (RAND_MAX + 1.0);
}

/* Counters, gauges, what seldom changes, decimals, large and negative numbers. */
static double next_value(int kind, double before)
{
	switch (kind) {
	case 0:
		return before + floor(400 * uniform());
	case 1:
		return floor(21 * uniform()) - 10;
	case 2:
		return uniform() < 0.04 ? floor(1000 * uniform()) : before;
	case 3:
		return (double)(rand() % 100000) / 100;
	case 4:
		return floor((uniform() - 0.5) * 0x1p48);
	case 5:
		return before + (uniform() < 0.5);
	default:
		return before;
	}
}

/* How many of <n> samples got in, a few at a time: the others are for another chunk. */
static unsigned fill(unsigned char *data, const double *v, unsigned n)
{
	unsigned char out[PACKED_MAX_BYTES];
	int64_t t[PACKED_MAX];
	unsigned i = 0;

	for (unsigned k = 0; k < n; k++)
		t[k] = 33 + k * 5000;
	memset(data, 0, PACKED_MAX_BYTES);
	while (i < n) {
		unsigned some = 1 + (unsigned)rand() % 9, done;

		some = some < n - i ? some : n - i;
		i += done = packed_append(data, i, 33, t + i, v + i, some);
		if (done == some)
			continue;
		memset(out, 0, sizeof out);
		done = packed_rewrite(data, i, 33, t + i, v + i, some - done, out);
		assert_true((done > 0) == (value_is_stale(v[i]) || packed_takes(data, i, v[i])));
		if (done == 0)
			return i;
		memcpy(data, out, sizeof out);
		i += done;
	}
	return n;
}

static void expect_same(struct packed *p, const double *v, unsigned n)
{
	unsigned char rows[PACKED_MAX_BYTES];
	int64_t t[PACKED_MAX];
	double got[PACKED_MAX], ends[2];
	bool ended = value_is_stale(v[n - 1]);

	packed_decode(p, t, got);
	for (unsigned i = 0; i < n; i++)
		assert_true(t[i] == 77 + i * 5000 && memcmp(&got[i], &v[i], sizeof v[i]) == 0);
	if (!packed_at_most_ended(p))
		return;
	assert_true(p->head.n_stale == ended);
	for (unsigned i = 0; i < n - ended; i++) {
		unsigned last = i + (unsigned)rand() % (n - ended - i);

		packed_ends(p, i, last, ends);
		assert_true(memcmp(&ends[0], &v[i], sizeof v[i]) == 0 && memcmp(&ends[1], &v[last], sizeof v[i]) == 0);
		assert_true(i == 0 || v[i] >= v[i - 1] || p->head.n_falls > 0);
	}
	packed_widen(p, rows);
	assert_true(!p->is_dense && packed_at_most_ended(p) && p->head.n_stale == ended);
	for (unsigned i = 0; i < n - ended; i++) {
		ends[0] = packed_value(p, i);
		assert_memory_equal(&ends[0], &v[i], sizeof v[i]);
	}
}

/* Stale markers nowhere, at the end, or anywhere. */
static void test_every_way(void **state)
{
	static unsigned char data[PACKED_MAX_BYTES];
	static struct packed_parts parts;
	double v[PACKED_MAX];

	(void)state;
	srand(5);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned n = round % 3 == 0 ? PACKED_MAX : 1 + (unsigned)rand() % PACKED_MAX;
		struct packed p;

		for (unsigned i = 0; i < n; i++)
			v[i] = next_value(round % 7, i > 0 && !value_is_stale(v[i - 1]) ? v[i - 1] : floor(1e6 * uniform()));
		for (unsigned i = 0; i < n && round % 5 == 1; i++)
			v[i] = rand() % 20 == 0 ? value_stale() : v[i];
		if (round % 5 == 2)
			v[n - 1] = value_stale();
		n = fill(data, v, n);
		if (n == 0)
			continue;
		packed_split(data, n, &parts);
		assert_true(packed_open_parts(&p, (struct str){ (char *)parts.times, parts.n_times }, (struct str){ (char *)parts.values, parts.n_values },
		                              true, n, 77));
		expect_same(&p, v, n);
	}
}

/* What a chunk of 120 samples takes, at most. */
static void test_sizes(void **state)
{
	static const struct {
		const char *name;
		int kind;
		size_t most;
	} cases[] = { { "steps of 400", 0, 141 }, { "a gauge of 21", 1, 74 }, { "seldom changes", 2, 40 }, { "one or none", 5, 25 }, { "constant", 6, 6 } };
	static unsigned char data[PACKED_MAX_BYTES];
	static struct packed_parts parts;
	double v[PACKED_MAX];

	(void)state;
	srand(6);
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		for (unsigned i = 0; i < PACKED_MAX; i++)
			v[i] = next_value(cases[c].kind, i > 0 ? v[i - 1] : 1000000);
		assert_int_equal(fill(data, v, PACKED_MAX), PACKED_MAX);
		packed_split(data, PACKED_MAX, &parts);
		if (parts.n_values > cases[c].most)
			fail_msg("%s: %zu bytes", cases[c].name, parts.n_values);
	}
}

/* Each bit of each byte the other way, and cut short: refused or read, never out of bounds. */
static void test_made_up(void **state)
{
	static unsigned char data[PACKED_MAX_BYTES];
	static struct packed_parts parts;
	double v[PACKED_MAX], got[PACKED_MAX], ends[2];
	size_t refused = 0;

	(void)state;
	for (int kind = 0; kind < 6; kind++) {
		for (unsigned i = 0; i < 50; i++)
			v[i] = next_value(kind, i > 0 ? v[i - 1] : 7);
		packed_split(data, fill(data, v, 50), &parts);
		for (size_t bit = 0; bit < parts.n_values * 8; bit++) {
			struct dense d;
			bool good;

			parts.values[bit / 8] ^= (unsigned char)(1u << bit % 8);
			good = dense_open(&d, (struct str){ (char *)parts.values, parts.n_values }, 50);
			if (good)
				dense_decode(&d, got);
			if (good && d.n == 50)
				dense_ends(&d, 3, 49, ends);
			refused += !good;
			parts.values[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
		for (size_t n = 0; n < parts.n_values; n++)
			assert_false(dense_open(&(struct dense){ 0 }, (struct str){ (char *)parts.values, n }, 50));
	}
	assert_in_range(refused, 100, 2000);
}

/* Bytes of the block when the second series has what the first has, or something else. */
static size_t bytes_of_two(bool same)
{
	struct world w;
	struct selection *s;
	size_t bytes;

	begin(&w, MS(0));
	for (int i = 0; i < CHUNK_SAMPLES; i++) {
		put(&w.f, "m_bucket le=+Inf", MS(i), i * 1000 + i * i % 997);
		put(&w.f, "m_count", MS(i), i * 1000 + i * i % 997 + (same ? 0 : i * 7 % 13));
		commit(&w.f);
	}
	restart(&w, MS(CHUNK_SAMPLES));
	s = pick(&w.f, "__name__ =~ .+");
	assert_int_equal(s->n, 2);
	for (size_t i = 0; i < 2; i++) {
		struct samples got = read_all(&w.f, s, i);

		assert_int_equal(got.n, CHUNK_SAMPLES);
		for (int k = 0; k < CHUNK_SAMPLES && (same || i == 0); k++)
			assert_true(got.v[k] == k * 1000 + k * k % 997);
	}
	drop(&w.f, s);
	bytes = store_stats(w.f.store).block_bytes;
	end(&w);
	return bytes;
}

/* A histogram's count is its last bucket: it is kept once. */
static void test_same_chunks(void **state)
{
	(void)state;
	assert_in_range(bytes_of_two(true), 300, bytes_of_two(false) - 100);
}

/* ---- Blocks of versions before ---- */

static void copy_file(const char *from, const char *to)
{
	char bytes[8192];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(in, bytes, sizeof bytes);

	assert_in_range(n, 1, sizeof bytes - 1);
	assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

/* What the samples of the blocks in tests/unit/blocks are. */
static double old_value(struct str name, int i)
{
	if (str_eq(name, STR("requests_total")))
		return 1000.0 * i + i * i % 37;
	if (str_eq(name, STR("cents")))
		return (double)(i * i % 1000) / 100;
	if (str_eq(name, STR("roots")))
		return i % 50 == 49 ? value_stale() : 1.0 / (i + 1);
	if (str_eq(name, STR("gauge")))
		return i == 149 ? value_stale() : i * 7 % 16 - 7;
	return i == 0 ? -0.0 : i;
}

static void expect_old(struct world *w, size_t samples)
{
	struct selection *s = pick(&w->f, "__name__ =~ .+");
	size_t n = 0;

	assert_int_equal(s->n, 12);
	for (size_t i = 0; i < s->n; i++) {
		struct str name = labels_get(s->v[i].labels, STR(LABEL_NAME));
		struct samples got = read_all(&w->f, s, i);

		n += got.n;
		for (size_t k = 0; k < got.n; k++) {
			int at = (int)(got.t_ms[k] / 1000 - T0);
			double want = old_value(name, at);

			if (str_eq(name, STR("sizes")))
				assert_true(got.h[k]->pos.buckets[1] == at && got.h[k]->sum == 4.5);
			else
				assert_memory_equal(&got.v[k], &want, sizeof want);
		}
	}
	assert_int_equal(n, samples);
	drop(&w->f, s);
}

static void read_version(const char *path, void *to)
{
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, to, sizeof(uint32_t), offsetof(struct block_header, version)), sizeof(uint32_t));
	close(fd);
}

/* It is read as it is; deleting from it makes one of today's version. */
static void expect_readable(const char *block)
{
	struct matcher cents = { MATCH_EQ, STR(LABEL_NAME), STR("cents"), NULL };
	uint32_t version = 0;
	struct world w;
	char path[128];
	struct err e = { 0 };

	begin(&w, MS(0));
	teardown(&w.f);
	snprintf(path, sizeof path, "%s/blocks/%lld-%lld-1.blk", w.dir, (long long)MS(0), (long long)MS(199));
	copy_file(block, path);
	start(&w, MS(200));
	expect_old(&w, OLD_SAMPLES);
	assert_int_equal(store_check(w.f.store), 0);
	assert_true(store_delete(w.f.store, &cents, 1, MS(10), MS(12), &e));
	expect_old(&w, OLD_SAMPLES - 3);
	each_file(&w, ".blk", read_version, &version);
	assert_int_equal(version, BLOCK_VERSION);
	restart(&w, MS(201));
	expect_old(&w, OLD_SAMPLES - 3);
	end(&w);
}

static void test_blocks_of_versions_before(void **state)
{
	(void)state;
	expect_readable("tests/unit/blocks/version4.blk");
	expect_readable("tests/unit/blocks/version5.blk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_made_up),
		cmocka_unit_test(test_same_chunks),
		cmocka_unit_test(test_blocks_of_versions_before),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
