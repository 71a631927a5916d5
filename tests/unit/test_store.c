/* The store against its contract: order of samples, selections and their generations, what is lost, retention, batches. */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/chunk.h"
#include "store/internal.h"
#include "store_world.h"

static void test_matching(void **state)
{
	static const struct {
		const char *matchers;
		size_t expect;
	} cases[] = {
		{ "__name__ = up", 3 },
		{ "__name__ = up job = a", 1 },
		{ "job = a", 2 },
		{ "__name__ =~ up|down", 4 },
		{ "__name__ =~ up|up", 3 },
		{ "__name__ =~ .+", 4 },
		{ "__name__ =~ u.*", 3 },
		{ "job =~ .*", 4 },
		{ "__name__ = up job != a", 2 },
		{ "__name__ = up job !~ a|b", 1 },
		{ "__name__ = up job =", 1 },
		{ "__name__ = up job !=", 2 },
		{ "__name__ = up nosuch = x", 0 },
		{ "__name__ = up nosuch =", 3 },
		{ "__name__ = up job =~ |b", 2 },
		{ "nosuch =~ x.+", 0 },
		{ "__name__ = other", 0 },
	};
	struct fixture f;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	put(&f, "up job=a", MS(0), 1);
	put(&f, "up job=b", MS(0), 1);
	put(&f, "up", MS(0), 1);
	put(&f, "down job=a", MS(0), 1);
	commit(&f);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct selection *s = pick(&f, cases[i].matchers);

			if (s->n != cases[i].expect)
				fail_msg("%s: %zu series, expected %zu", cases[i].matchers, s->n, cases[i].expect);
			drop(&f, s);
		}
	assert_int_equal(store_stats(f.store).selections_remembered, ARRAY_LEN(cases));
	teardown(&f);
}

/* Each compiles to megabytes: the first ones are forgotten for the later ones. */
static void test_large_regexes_are_forgotten(void **state)
{
	enum { ASKED = 24, NAMES = 3000 };
	struct fixture f;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	put(&f, "up job=a", MS(0), 1);
	commit(&f);
	for (int i = 0; i <= ASKED; i++) {
		struct buf text = { 0 };

		buf_printf(&text, "__name__ = up job !~ (?i)z%d", i % ASKED);
		for (int k = 0; k < NAMES; k++)
			buf_printf(&text, "|a long name of a host %d", k);
		for (size_t k = strlen("__name__ = up job !~ "); k < text.n; k++)
			if (text.p[k] == ' ')
				text.p[k] = '-';
		drop(&f, pick(&f, buf_z(&text)));
		buf_fini(&text);
	}
	assert_int_equal(store_stats(f.store).selections, ASKED + 1);
	assert_int_equal(store_stats(f.store).selections_remembered, 0);
	teardown(&f);
}

static void test_order_of_samples(void **state)
{
	struct fixture f;
	struct selection *s;
	struct samples got;
	struct store_stats st;

	(void)state;
	setup(&f, (struct store_options){ .retention_ms = 3600000 });
	assert_true(put(&f, "m", MS(0), 1));
	commit(&f);
	assert_true(put(&f, "m", MS(0), 1)); /* the same again is fine */
	assert_false(put(&f, "m", MS(0), 2));
	assert_false(put(&f, "m", MS(-1), 1));
	assert_false(put(&f, "m", MS(-7200), 1));
	assert_true(put(&f, "m", MS(15), 2.5));
	assert_true(put(&f, "m", MS(15), 3)); /* within one batch: found at commit */
	commit(&f);
	s = pick(&f, "__name__ = m");
	got = read_all(&f, s, 0);
	assert_int_equal(got.n, 2);
	assert_true(got.v[0] == 1 && got.v[1] == 2.5 && got.t_ms[1] == MS(15));
	drop(&f, s);
	st = store_stats(f.store);
	assert_int_equal(st.samples_appended, 2);
	assert_int_equal(st.samples_same, 1);
	assert_int_equal(st.samples_duplicate, 2);
	assert_int_equal(st.samples_out_of_order, 1);
	assert_int_equal(st.samples_too_old, 1);
	teardown(&f);
}

static void test_windows(void **state)
{
	static const struct {
		int from, to;
		bool before;
		size_t n;
		int first;
	} cases[] = {
		{ -1, 5990, false, 600, 0 },    { 0, 5990, false, 599, 10 },   { 0, 5990, true, 600, 0 },
		{ 1205, 1235, false, 3, 1210 }, { 1205, 1235, true, 4, 1200 }, { 1200, 1200, true, 1, 1200 },
		{ 5990, 9999, true, 1, 5990 },  { 5990, 9999, false, 0, 0 },   { 1195, 1200, false, 1, 1200 },
		{ 1195, 1199, true, 1, 1190 },  { -100, -50, true, 0, 0 },
	};
	struct fixture f;
	struct selection *s;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	for (int i = 0; i < 600; i++)
		assert_true(put(&f, "m", MS(10 * i), i % 7 == 0 ? i + 0.25 : i));
	commit(&f);
	s = pick(&f, "__name__ = m");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct samples got;
		struct err e = { 0 };

		assert_true(f.q->ops->samples(f.q, s, 0, MS(cases[i].from), MS(cases[i].to), cases[i].before, &f.arena, &got, &e));
		if (got.n != cases[i].n || (got.n > 0 && got.t_ms[0] != MS(cases[i].first)))
			fail_msg("case %zu: %zu samples", i, got.n);
		for (size_t k = 1; k < got.n; k++)
			assert_true(got.t_ms[k] == got.t_ms[k - 1] + 10000);
	}
	drop(&f, s);
	teardown(&f);
}

static void test_generation(void **state)
{
	struct fixture f;
	struct selection *a, *b, *c, *d;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	put(&f, "up job=a", MS(0), 1);
	commit(&f);
	a = pick(&f, "__name__ = up job =~ a.*");
	put(&f, "other job=a", MS(0), 1); /* another metric: nothing changes */
	put(&f, "up job=b", MS(0), 1);    /* same metric, does not match */
	put(&f, "up job=a", MS(15), 1);
	commit(&f);
	b = pick(&f, "__name__ = up job =~ a.*");
	assert_true(a->generation == b->generation);
	put(&f, "up job=ab", MS(0), 1);
	commit(&f);
	c = pick(&f, "__name__ = up job =~ a.*");
	assert_true(c->generation == b->generation); /* a new one comes behind the others */
	assert_int_equal(c->n, 2);
	assert_int_equal(c->v[0].id, a->v[0].id);
	assert_int_equal(a->n, 1); /* a selection stays what it was */
	f.clock.wall = MS(86400 * 20);
	f.clock.mono += 86400 * INT64_C(20000);
	put(&f, "up job=ab", f.clock.wall, 1);
	commit(&f);
	store_maintain(f.store); /* job=a is dropped */
	d = pick(&f, "__name__ = up job =~ a.*");
	assert_true(d->generation != c->generation);
	assert_int_equal(d->n, 1);
	assert_int_equal(read_all(&f, c, 0).n, 0); /* and may still be asked for */
	assert_string_equal(labels_get(c->v[0].labels, STR("job")).p, "a");
	drop(&f, a), drop(&f, b), drop(&f, c), drop(&f, d);
	store_maintain(f.store);
	assert_int_equal(store_stats(f.store).series, 1);
	teardown(&f);
}

static void test_states(void **state)
{
	struct fixture f;
	struct selection *s;
	struct store_series *up;
	struct err e = { 0 };

	(void)state;
	setup(&f, (struct store_options){ 0 });
	put(&f, "m", MS(0), 7);
	commit(&f);
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_FRESH);
	drop(&f, s);
	f.app->ops->mark_lost(f.app, parse_labels(&f.arena, "m"), MS(15));
	f.app->ops->mark_lost(f.app, parse_labels(&f.arena, "nobody"), MS(15));
	commit(&f);
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_LOST);
	assert_true(s->v[0].lost_since_ms == MS(0));
	assert_int_equal(read_all(&f, s, 0).n, 1); /* no marker of its own */
	drop(&f, s);
	put(&f, "m", MS(15), value_stale());
	commit(&f);
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_GONE);
	assert_true(value_is_stale(read_all(&f, s, 0).v[1]));
	drop(&f, s);
	put(&f, "m", MS(30), 8);
	commit(&f);
	f.clock.wall = MS(30 + 300);
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_FRESH);
	drop(&f, s);
	f.clock.wall++; /* nothing accepted within the lookback */
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_LOST);
	assert_true(s->v[0].lost_since_ms == MS(30));
	drop(&f, s);
	f.clock.wall = MS(30 - 301);                    /* the clock jumped back */
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->v[0].state, SERIES_LOST);
	drop(&f, s);
	up = store_series_ref(f.store, parse_labels(&f.arena, "up"), &e);
	store_series_never_lost(f.store, up);
	assert_int_equal(store_append_ref(f.app, up, MS(0), 1, NULL), STORE_OK);
	commit(&f);
	s = pick(&f, "__name__ = up");
	assert_int_equal(s->v[0].state, SERIES_FRESH);
	drop(&f, s);
	f.clock.wall = MS(301);                         /* it jumped: nobody has looked since */
	s = pick(&f, "__name__ = up");
	assert_int_equal(s->v[0].state, SERIES_LOST);
	drop(&f, s);
	f.clock.wall = MS(-20);                         /* set back, and then the target leaves the configuration */
	store_append_end(f.app, up, MS(-10), SERIES_GONE);
	commit(&f);
	s = pick(&f, "__name__ = up");
	assert_int_equal(s->v[0].state, SERIES_GONE);
	drop(&f, s);
	store_series_unref(f.store, up);
	teardown(&f);
}

static void test_unseen(void **state)
{
	static const struct {
		const char *matchers;
		bool never_tried, tried;
	} cases[] = {
		{ "__name__ = m", true, true },
		{ "__name__ = m job = web", true, true },
		{ "__name__ = m job = other", false, false },
		{ "__name__ = m job =~ w.*", true, true },
		{ "__name__ = m nosuch = x", true, true },
		{ "__name__ = up", true, false },
		{ "__name__ = scrape_duration_seconds", true, false },
	};
	struct fixture f;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	for (int tried = 0; tried < 2; tried++) {
		struct store_unseen u = { .labels = parse_labels(&f.arena, "job=web instance=a:1"), .attempted = tried };

		store_set_unseen(f.store, &u, 1);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct selection *s = pick(&f, cases[i].matchers);

			if (s->unseen != (tried ? cases[i].tried : cases[i].never_tried))
				fail_msg("%s: unseen %d", cases[i].matchers, s->unseen);
			assert_true(s->held_from_ms == MS(0));
			drop(&f, s);
		}
	}
	teardown(&f);
}

static void test_batch_is_seen_whole(void **state)
{
	struct fixture f;
	struct selection *before, *after, *again;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	put(&f, "m", MS(0), 1);
	commit(&f);
	put(&f, "m", MS(15), 2);
	before = pick(&f, "__name__ = m");
	commit(&f);
	after = pick(&f, "__name__ = m");
	assert_int_equal(read_all(&f, before, 0).n, 1);
	assert_int_equal(read_all(&f, after, 0).n, 2);
	again = pick_as_of(&f, "__name__ = m", before->as_of);
	assert_int_equal(read_all(&f, again, 0).n, 1);
	drop(&f, again);
	put(&f, "m", MS(30), 3);
	put(&f, "new", MS(30), 3);
	store_appender_rollback(f.app);
	commit(&f);
	assert_int_equal(read_all(&f, after, 0).n, 2);
	drop(&f, before), drop(&f, after);
	teardown(&f);
}

/* What files cannot hold is refused at the door, not when it is written out. */
static void test_labels_of_a_series_are_bounded(void **state)
{
	struct label v[STORE_MAX_LABELS + 1];
	struct fixture f;
	struct err e = { 0 };

	(void)state;
	setup(&f, (struct store_options){ 0 });
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = (struct label){ arena_printf(&f.arena, "l%04zu", i), STR("v") };
	assert_false(f.app->ops->append(f.app, (struct labels){ v, STORE_MAX_LABELS + 1 }, MS(0), 1, NULL, &e));
	assert_true(e.code == ERR_LIMIT && strstr(e.msg, "more than 1024 labels") != NULL);
	assert_int_equal(store_stats(f.store).series_refused, 1);
	assert_true(f.app->ops->append(f.app, (struct labels){ v, STORE_MAX_LABELS }, MS(0), 1, NULL, &e));
	commit(&f);
	teardown(&f);
}

/* However many they are, each is found again. */
static void test_many_labels(void **state)
{
	static const size_t counts[] = { 0, 1, 127, 128, 254, 255, 256, STORE_MAX_LABELS };
	struct store_series *series[ARRAY_LEN(counts)];
	struct label v[STORE_MAX_LABELS];
	struct fixture f;
	struct err e = { 0 };

	(void)state;
	setup(&f, (struct store_options){ 0 });
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = (struct label){ arena_printf(&f.arena, "l%04zu", i), arena_printf(&f.arena, "v%zu", i) };
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		series[i] = store_series_ref(f.store, (struct labels){ v, counts[i] }, &e);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct labels got = store_series_labels(f.store, series[i], &f.arena);

		assert_ptr_equal(store_series_ref(f.store, got, &e), series[i]);
		assert_int_equal(got.n, counts[i]);
		for (size_t k = 0; k < got.n; k++)
			assert_true(str_eq(got.v[k].name, v[k].name) && str_eq(got.v[k].value, v[k].value));
	}
	teardown(&f);
}

static void test_limits(void **state)
{
	struct fixture f;
	struct store_stats st;

	(void)state;
	setup(&f, (struct store_options){ .max_series = 2, .max_bytes = 20000 });
	assert_true(put(&f, "a", MS(0), 1));
	assert_true(put(&f, "b", MS(0), 1));
	assert_false(put(&f, "c", MS(0), 1));
	assert_int_equal(store_stats(f.store).series_refused, 1);
	for (int i = 1; i < 5000; i++)
		put(&f, "a", MS(i), rand() * 1e-3);
	commit(&f);
	f.clock.wall = MS(5000);
	st = store_stats(f.store);
	assert_true(st.bytes > 20000);
	store_maintain(f.store);
	st = store_stats(f.store);
	assert_true(st.bytes <= 20000 && st.bytes > 10000 && st.chunks_squeezed > 0 && st.oldest_ms > MS(0));
	f.clock.wall = MS(86400 * 30);
	f.clock.mono += 86400 * INT64_C(30000);
	store_maintain(f.store);
	st = store_stats(f.store);
	assert_true(st.bytes == 0 && st.chunks == 0 && st.series == 0);
	store_maintain(f.store);
	assert_int_equal(store_stats(f.store).symbols, 0);
	teardown(&f);
}

static void test_histograms(void **state)
{
	static const struct histogram_span span = { 1, 2 };
	double buckets[2] = { 1, 2 };
	struct histogram h = { .schema = 3, .count = 3, .sum = 4.5, .pos = { &span, buckets, 1, 2 } };
	struct fixture f;
	struct selection *s;
	struct samples got;
	struct err e = { 0 };
	struct labels l;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	l = parse_labels(&f.arena, "h");
	for (int i = 0; i < 130; i++) {
		buckets[0] = i;
		h.reset = (enum histogram_reset)(i % 4);
		assert_true(f.app->ops->append(f.app, l, MS(i), 0, &h, &e));
	}
	assert_true(put(&f, "h", MS(130), value_stale()));
	assert_true(put(&f, "h", MS(131), 5));
	commit(&f);
	s = pick(&f, "__name__ = h");
	got = read_all(&f, s, 0);
	assert_int_equal(got.n, 132);
	assert_true(got.h[129]->pos.buckets[0] == 129 && got.h[0]->pos.buckets[1] == 2 && got.h[129]->sum == 4.5);
	assert_true(got.h[1]->reset == RESET_YES && got.h[2]->reset == RESET_UNKNOWN && got.h[3]->reset == RESET_GAUGE);
	assert_true(value_is_stale(got.v[130]) && got.h[130] == NULL && got.v[131] == 5);
	drop(&f, s);
	teardown(&f);
}

/* Random values of several kinds against plain arrays. */
static void test_chunk_model(void **state)
{
	enum { N = 4000 };
	int64_t *t = calloc(N, sizeof *t), *got_t = calloc(N, sizeof *t), at = 0;
	double *v = calloc(N, sizeof *v), *got_v = calloc(N, sizeof *v);
	struct arena a = { 0 };

	(void)state;
	srand(7);
	for (int kind = 0; kind < 8; kind++) {
		struct chunk_writer w = { 0 };
		size_t got = 0;
		double x = 0;

		at = kind == 7 ? -(INT64_C(1) << 60) : MS(0);
		for (int i = 0; i < N; i++) {
			struct chunk *c;

			at += kind == 7 ? INT64_C(1) << (rand() % 46) : rand() % 3 == 0 ? 15000 + rand() % 40 : 15000;
			x = kind == 0   ? 1
			    : kind == 1 ? x + rand() % 1000
			    : kind == 2 ? rand() * 1e-5
			    : kind == 3 ? x + 0.25
			    : kind == 4 ? -x
			                : x;
			if (kind >= 5) {
				uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

				memcpy(&x, &bits, sizeof x);
				if (rand() % 2 == 0)
					x = (double)((int64_t)bits >> (rand() % 60));
			}
			t[i] = at;
			v[i] = rand() % 50 == 0 ? value_stale() : x;
			c = chunk_append(&w, t[i], v[i], NULL);
			if (i == N - 1) {
				assert_true(c == NULL || chunk_decode(c, got_t + got, got_v + got, NULL, &a));
				got += c != NULL ? c->n : 0u;
				chunk_unref(c);
				c = chunk_seal(&w);
			}
			if (c == NULL)
				continue;
			assert_true(chunk_decode(c, got_t + got, got_v + got, NULL, &a));
			got += c->n;
			chunk_unref(c);
		}
		assert_int_equal(got, N);
		assert_memory_equal(t, got_t, N * sizeof *t);
		assert_memory_equal(v, got_v, N * sizeof *v);
	}
	arena_fini(&a);
	free(t), free(v), free(got_t), free(got_v);
}

/* A selection sees no batch that came later, where the number of batches outgrows the half that a series keeps of it. */
static void test_batches_of_large_numbers(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	atomic_store(&f.store->published, UINT32_MAX - 2);
	for (size_t i = 0; i < 6; i++) {
		struct selection *before = i > 0 ? pick(&f, "__name__ = m") : NULL, *after;

		assert_true(put(&f, "m", MS(5 * (int64_t)i), 1));
		commit(&f);
		after = pick(&f, "__name__ = m");
		assert_int_equal(read_all(&f, after, 0).n, i + 1);
		drop(&f, after);
		if (before != NULL) {
			assert_int_equal(read_all(&f, before, 0).n, i);
			drop(&f, before);
		}
	}
	teardown(&f);
}

/* Nearly all chunks outgrow their first place: maintenance moves the few that did not, and they say the same there. */
static void test_holes_are_closed(void **state)
{
	enum { SERIES = 20000, SAMPLES = 40, STILL = 10 };
	struct store_series **series = calloc(SERIES, sizeof *series);
	const struct chunk *before;
	struct selection *s;
	struct samples got;
	struct fixture f;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	for (int i = 0; i < SERIES; i++) {
		struct err e = { 0 };
		char labels[16];

		snprintf(labels, sizeof labels, "m i=%d", i);
		series[i] = store_series_ref(f.store, parse_labels(&f.arena, labels), &e);
		assert_non_null(series[i]);
		if (i % 1000 == 0)
			arena_reset(&f.arena);
	}
	for (int k = 0; k < SAMPLES; k++) {
		for (int i = 0; i < SERIES; i++)
			assert_int_equal(store_append_ref(f.app, series[i], MS(k), i % STILL == 0 ? i : i + k * k % 13, NULL), STORE_OK);
		commit(&f);
	}
	before = series_open(series[0]);
	store_maintain(f.store);
	assert_ptr_not_equal(series_open(series[0]), before);
	s = pick(&f, "__name__ = m i =~ 0|1|19990|19999");
	assert_int_equal(s->n, 4);
	for (size_t i = 0; i < s->n; i++) {
		int number = atoi(labels_get(s->v[i].labels, STR("i")).p);

		got = read_all(&f, s, i);
		assert_int_equal(got.n, SAMPLES);
		for (int k = 0; k < SAMPLES; k++)
			assert_true(got.t_ms[k] == MS(k) && got.v[k] == (number % STILL == 0 ? number : number + k * k % 13));
	}
	drop(&f, s);
	for (int i = 0; i < SERIES; i++)
		store_series_unref(f.store, series[i]);
	free(series);
	teardown(&f);
}

/* Batches of many samples, twenty a second: a day later who was silent meanwhile is still there with all it had. */
static void test_large_batches_for_a_day(void **state)
{
	enum { LARGE = 5000, HALF_AN_HOUR = 20 * 1800, A_DAY = 48 };
	struct fixture f;
	uint64_t numbers;

	(void)state;
	setup(&f, (struct store_options){ 0 });
	assert_true(put(&f, "silent", MS(0), 1));
	commit(&f);
	numbers = f.store->published;
	for (int i = 0; i < LARGE; i++)
		assert_true(put(&f, "m", MS(0) + i, i));
	commit(&f);
	numbers = f.store->published - numbers;
	for (int i = 0; i < A_DAY; i++) {
		struct selection *s = pick(&f, "__name__ = silent");

		assert_int_equal(read_all(&f, s, 0).n, 1);
		drop(&f, s);
		f.store->published += numbers * HALF_AN_HOUR;
	}
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_of_large_numbers), cmocka_unit_test(test_large_batches_for_a_day),
		cmocka_unit_test(test_chunk_model),      cmocka_unit_test(test_matching),
		cmocka_unit_test(test_large_regexes_are_forgotten),
		cmocka_unit_test(test_order_of_samples), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_generation),       cmocka_unit_test(test_states),
		cmocka_unit_test(test_unseen),           cmocka_unit_test(test_batch_is_seen_whole),
		cmocka_unit_test(test_labels_of_a_series_are_bounded),
		cmocka_unit_test(test_many_labels),
		cmocka_unit_test(test_limits),           cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_holes_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
