/* Histogram samples as bytes: whatever came, the same comes back, to the last bit; and what changes little takes little. */
#include <math.h>
#include <stdlib.h>

#include "store/chunk.h"
#include "tests.h"
#include "tocsin/querier.h"

enum { SPANS = 3, MOST = 4, BUCKETS = SPANS * MOST, SAMPLES = CHUNK_SAMPLES };

/* One histogram with room for its arrays. */
struct made {
	struct histogram h;
	struct histogram_span pos[SPANS], neg[SPANS];
	double up[BUCKETS], down[BUCKETS], custom[BUCKETS];
};

static double odd_number(void)
{
	static const double odd[] = { 0, -0.0, 0.5, -3, 0x1p53, -0x1p53, 0x1p53 - 1, 1e300, INFINITY, -INFINITY, NAN };

	return odd[(size_t)rand() % (sizeof odd / sizeof *odd)];
}

static void make_side(struct histogram_side *side, struct histogram_span *spans, double *buckets)
{
	*side = (struct histogram_side){ .spans = spans, .buckets = buckets, .n_spans = (uint32_t)rand() % (SPANS + 1) };
	for (uint32_t i = 0; i < side->n_spans; i++) {
		spans[i] = (struct histogram_span){ rand() % 9 - (i == 0 ? 4 : 0), (uint32_t)rand() % (MOST + 1) };
		side->n_buckets += spans[i].length;
	}
}

/* Another shape. */
static void make(struct made *m)
{
	bool custom = rand() % 4 == 0;

	*m = (struct made){ .h = { .schema = custom ? HISTOGRAM_CUSTOM : rand() % 13 - 4, .zero_threshold = rand() % 2 ? 0x1p-128 : 0.1 } };
	make_side(&m->h.pos, m->pos, m->up);
	if (!custom)
		make_side(&m->h.neg, m->neg, m->down);
	m->h.custom = m->custom;
	m->h.n_custom = custom ? BUCKETS : 0;
	for (uint32_t i = 0; i < m->h.n_custom; i++)
		m->custom[i] = i * 0.1;
}

static void step(double *v)
{
	*v = rand() % 200 == 0 ? odd_number() : *v + rand() % 5;
}

static void change(struct made *m)
{
	if (rand() % 20 == 0)
		make(m);
	step(&m->h.count);
	step(&m->h.zero_count);
	for (uint32_t i = 0; i < BUCKETS; i++) {
		step(&m->up[i]);
		step(&m->down[i]);
	}
	m->h.sum = rand() % 3 == 0 ? m->h.sum : rand() % 50 == 0 ? odd_number() : m->h.sum + 0.1 * (rand() % 7);
	m->h.reset = (enum histogram_reset)(rand() % 4);
}

static void test_round_trip(void **state)
{
	int64_t t[SAMPLES];
	double v[SAMPLES];
	const struct histogram *h[SAMPLES];

	(void)state;
	for (unsigned seed = 0; seed < 400; seed++) {
		struct made now = { .h = { .schema = 0 } };
		struct chunk_hist in[SAMPLES];
		struct buf out = { 0 };
		struct arena a = { 0 };
		unsigned n = 1 + seed % SAMPLES;

		srand(seed);
		make(&now);
		for (unsigned i = 0; i < n; i++) {
			change(&now);
			in[i] = (struct chunk_hist){ (int64_t)i * 5000 + rand() % 3 - (int64_t)seed, rand() % 30 == 0 ? NULL : histogram_dup(&now.h) };
		}
		chunk_hist_write(in, n, &out);
		assert_true(chunk_hist_read(buf_str(&out), n, t, v, h, &a));
		for (unsigned i = 0; i < n; i++) {
			assert_true(t[i] == in[i].t_ms && (h[i] == NULL) == (in[i].h == NULL) && value_is_stale(v[i]) == (h[i] == NULL));
			assert_true(h[i] == NULL || (chunk_histogram_same(h[i], in[i].h) && h[i]->reset == in[i].h->reset));
			free(in[i].h);
		}
		for (size_t cut = 0; cut < out.n; cut += 1 + out.n / 50) /* whatever is cut off is missed */
			assert_false(chunk_hist_read((struct str){ out.p, cut }, n, t, v, h, &a));
		buf_fini(&out);
		arena_fini(&a);
	}
}

/* Twenty buckets, some of which rise by a few: they took 240 bytes. */
static void test_little_changes(void **state)
{
	enum { MANY = 20 };
	static const struct histogram_span span = { 0, MANY };
	double buckets[MANY] = { 0 };
	struct histogram h = { .schema = 3, .pos = { &span, buckets, 1, MANY } };
	struct chunk_hist in[SAMPLES];
	struct buf out = { 0 };

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		for (unsigned k = 0; k < MANY; k++) {
			buckets[k] += (i * k) % 5;
			h.count += (i * k) % 5;
		}
		h.sum += 0.3 * i;
		in[i] = (struct chunk_hist){ (int64_t)i * 15000, histogram_dup(&h) };
	}
	chunk_hist_write(in, SAMPLES, &out);
	assert_in_range(out.n, SAMPLES * 20, SAMPLES * 36);
	for (unsigned i = 0; i < SAMPLES; i++)
		free(in[i].h);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_little_changes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
