/* A start of which several threads do a part. A journal so long that one appends what another reads: every sample is there afterwards,
 * whatever its kind, and each series is in the state it was left in. Blocks so large that two look up their series. */
#include "journal_world.h"

enum { SERIES = 400, ROUNDS = 2200, WARM_ROUNDS = 40 };

struct model {
	uint64_t sum; /* of times and values */
	size_t n;
	double last;
	enum series_state state;
};

static void add_up(struct model *m, int64_t t_ms, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	m->sum = (m->sum ^ bits ^ (uint64_t)t_ms) * 0x9e3779b97f4a7c15;
	m->n++;
}

static double next_value(const struct model *m, size_t series)
{
	double before = m->state == SERIES_FRESH ? m->last : 0;

	switch (series % 5) {
	case 0:
		return 42;
	case 1:
		return before + rand() % 1000;
	case 2:
		return rand() % 100000 * 1e-3;
	case 3:
		return rand() % 100 == 0 ? (double)NAN : before + rand() % 3 * 1e5;
	default:
		return rand() % 9 == 0 ? rand() / 7.0 : rand() % 100;
	}
}

static void append(struct world *w, struct model *m, struct store_series *s, size_t series, int64_t t_ms)
{
	int chance = rand() % 1000;

	if (chance < 2) { /* it is gone, or its target is; it comes back with the next round */
		m->state = chance == 0 ? SERIES_GONE : SERIES_LOST;
		store_append_end(w->f.app, s, t_ms, m->state);
		add_up(m, t_ms, value_stale());
	} else if (chance == 2) {
		m->state = SERIES_LOST;
		store_append_state(w->f.app, s, SERIES_LOST);
	} else if (chance > 5) {
		m->last = next_value(m, series);
		m->state = SERIES_FRESH;
		assert_int_equal(store_append_ref(w->f.app, s, t_ms, m->last, NULL), STORE_OK);
		add_up(m, t_ms, m->last);
	}
}

/* <fresh>: what those are that had a good sample last. */
static void expect(struct world *w, const struct model *all, enum series_state fresh)
{
	struct selection *s = pick(&w->f, "__name__ = m");

	assert_int_equal(s->n, SERIES);
	for (size_t k = 0; k < s->n; k++) {
		size_t i = (size_t)atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w->f, s, k);
		struct model seen = { 0 };

		for (size_t j = 0; j < got.n; j++)
			add_up(&seen, got.t_ms[j], got.v[j]);
		assert_int_equal(seen.n, all[i].n);
		assert_int_equal(seen.sum, all[i].sum);
		assert_int_equal(s->v[k].state, all[i].state == SERIES_FRESH ? fresh : all[i].state);
	}
	drop(&w->f, s);
	arena_reset(&w->f.arena);
}

static void test_long_journal(void **state)
{
	static struct model all[SERIES];
	struct store_series *series[SERIES];
	struct world w;
	struct err e = { 0 };
	char text[32];

	(void)state;
	srand(11);
	begin(&w);
	for (size_t i = 0; i < SERIES; i++) {
		snprintf(text, sizeof text, "m i=%zu", i);
		series[i] = store_series_ref(w.f.store, parse_labels(&w.f.arena, text), &e);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < SERIES; i++)
			if (round >= WARM_ROUNDS || i < SERIES / 2)
				append(&w, &all[i], series[i], i, MS(round * 5));
		commit(&w.f);
	}
	for (size_t i = 0; i < SERIES; i++)
		store_series_unref(w.f.store, series[i]);
	w.f.clock = clock_manual(MS(ROUNDS * 5));
	expect(&w, all, SERIES_FRESH);
	restart(&w, MS(ROUNDS * 5));
	expect(&w, all, SERIES_LOST); /* nobody read them since */
	end(&w);
}

enum { READ = 5000, TIMES = 170, OWNED = 30 };

/* Most take eight bytes: then few series are in a frame of a checkpoint. */
static double value_of(int series, int round)
{
	return (series * 7919 + round * round * 31) % 100003 / (series % 4 == 0 ? 1 : 7.0);
}

static void expect_many(struct world *w)
{
	struct selection *s = pick(&w->f, "__name__ = m");

	assert_int_equal(s->n, READ);
	for (size_t k = 0; k < s->n; k++) {
		int i = atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w->f, s, k);

		assert_int_equal(got.n, TIMES);
		for (size_t j = 0; j < got.n; j++)
			assert_true(got.t_ms[j] == MS(j) && got.v[j] == value_of(i, (int)j));
		arena_reset(&w->f.arena);
	}
	drop(&w->f, s);
}

/* So many that two threads append. */
static void read_many(bool owned)
{
	static struct store_series *series[READ];
	struct err e = { 0 };
	struct world w;
	char text[32];

	begin(&w);
	for (int i = 0; i < READ; i++) {
		snprintf(text, sizeof text, "m i=%d", i);
		series[i] = store_series_ref(w.f.store, parse_labels(&w.f.arena, text), &e);
	}
	for (int round = 0; round < TIMES; round++) {
		for (int i = 0; i < READ; i++) {
			if (owned && i % 2 == 0)
				store_series_own(w.f.store, series[i], (uint64_t)(round / OWNED + 1));
			assert_int_equal(store_append_ref(w.f.app, series[i], MS(round), value_of(i, round), NULL), STORE_OK);
		}
		commit(&w.f);
	}
	for (int i = 0; i < READ; i++)
		store_series_unref(w.f.store, series[i]);
	restart(&w, MS(TIMES));
	expect_many(&w);
	restart_from_checkpoint(&w, MS(TIMES)); /* of some megabytes */
	expect_many(&w);
	end(&w);
}

static void test_many_series(void **state)
{
	(void)state;
	read_many(false);
}

/* Half of them have another owner now and then, and with it another number: samples of one series lie under several in what is appended at
 * once. */
static void test_many_numbers(void **state)
{
	(void)state;
	read_many(true);
}

/* Every other one ended long ago: it rests until it is asked for. */
static void test_large_blocks(void **state)
{
	enum { MANY = 6000, SAMPLES = 4, APART_S = 1800 };
	struct selection *s;
	struct err e = { 0 };
	struct world w;
	char text[32];

	(void)state;
	begin(&w);
	for (int round = 0; round < SAMPLES; round++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(text, sizeof text, "m i=%d", i);
			assert_true(put(&w.f, text, MS(round * APART_S), round == SAMPLES - 1 && i % 2 == 0 ? value_stale() : i));
		}
		commit(&w.f);
		w.f.clock = clock_manual(MS(round * APART_S));
		arena_reset(&w.f.arena);
		if (round % 2 == 1)
			assert_true(store_flush(w.f.store, &e));
	}
	restart(&w, MS(SAMPLES * APART_S));
	assert_int_equal(store_stats(w.f.store).blocks, 2);
	assert_int_equal(store_stats(w.f.store).series, MANY / 2);
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->n, MANY);
	for (size_t k = 0; k < s->n; k++)
		assert_int_equal(read_all(&w.f, s, k).n, SAMPLES);
	drop(&w.f, s);
	end(&w);
}

/* Each block has other series, and so other numbers for the same texts; some series are in several, some bring a label nobody else has. */
static void test_blocks_of_other_texts(void **state)
{
	enum { MANY = 5000, BLOCKS = 4 };
	struct selection *s;
	struct err e = { 0 };
	struct world w;
	char text[48];
	size_t n = 0;

	(void)state;
	begin(&w);
	for (int round = 0; round < BLOCKS; round++) {
		for (int i = round % 2 == 0 ? 0 : MANY - 1; i >= 0 && i < MANY; i += round % 2 == 0 ? 1 : -1) {
			bool own = i % 5 == 0;

			if (!own && (i + round) % 3 == 0)
				continue;
			snprintf(text, sizeof text, own ? "m i=%d own%d=%d" : "m i=%d", i, round, i / 100);
			assert_true(put(&w.f, text, MS(round * 60), i));
			n += own;
		}
		commit(&w.f);
		w.f.clock = clock_manual(MS(round * 60));
		arena_reset(&w.f.arena);
		assert_true(store_flush(w.f.store, &e));
	}
	restart(&w, MS(BLOCKS * 60));
	assert_int_equal(store_stats(w.f.store).blocks, BLOCKS);
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->n, n + MANY * 4 / 5);
	for (size_t k = 0; k < s->n; k++) {
		int i = atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w.f, s, k);

		assert_int_equal(s->v[k].labels.n, i % 5 == 0 ? 3 : 2);
		assert_int_equal(got.n, i % 5 == 0 ? 1 : BLOCKS - 1 - (i % 3 == 0 ? 1 : 0));
		assert_true(got.v[0] == i);
	}
	drop(&w.f, s);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_long_journal), cmocka_unit_test(test_many_series),
		                            cmocka_unit_test(test_many_numbers), cmocka_unit_test(test_large_blocks),
		                            cmocka_unit_test(test_blocks_of_other_texts) };

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
