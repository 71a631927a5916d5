/* Chunks of a checkpoint taken as they are: what is appended to one is as if it had never been in a file; what is made up is
 * refused, or does no harm. */
#include "store/bits.h"
#include "store/chunk.h"
#include "store_world.h"
#include "tocsin/mem.h"

enum { ROUNDS = 2000, T0_MS = 1700000000 };

struct decoded {
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
};

static bool decode(const struct chunk_view *c, struct decoded *out)
{
	const struct histogram *h[CHUNK_SAMPLES];

	return chunk_view_decode(c, out->t, out->v, h, NULL);
}

/* Its bytes as a file has them, with their slack, to be freed. */
static struct chunk_view as_file(const struct chunk *c)
{
	struct buf bytes = { 0 };
	struct chunk_view view = { .min_ms = c->min_ms, .n = c->n, .kind = c->kind };

	view.bits = chunk_write(c, &bytes);
	buf_put(&bytes, (char[BITS_SLACK]){ 0 }, BITS_SLACK);
	view.data = (const unsigned char *)bytes.p;
	return view;
}

static double next_value(int kind, double before)
{
	if (kind < 2 && rand() % 40 == 0)
		return value_stale();
	if (value_is_stale(before))
		before = 0;
	return kind == 0 ? before + rand() % 400 : kind == 1 ? (rand() % 100000) / 100.0 : kind == 2 ? 7 : before - rand() % 9;
}

/* False when it would be another chunk's. */
static bool append(struct chunk_writer *w, int64_t t_ms, double v)
{
	struct chunk *sealed = chunk_append(w, t_ms, v, NULL);

	chunk_unref(sealed);
	return sealed == NULL;
}

static void expect_same(const struct chunk *a, const struct chunk *b)
{
	struct decoded of_a, of_b;
	struct chunk_view va = as_file(a), vb = as_file(b);

	assert_int_equal(a->n, b->n);
	assert_int_equal(a->min_ms, b->min_ms);
	assert_int_equal(a->span_ms, b->span_ms);
	assert_true(decode(&va, &of_a) && decode(&vb, &of_b));
	assert_memory_equal(of_a.t, of_b.t, a->n * sizeof *of_a.t);
	assert_memory_equal(of_a.v, of_b.v, a->n * sizeof *of_a.v);
	free((void *)(uintptr_t)va.data);
	free((void *)(uintptr_t)vb.data);
}

/* <view> is of an open chunk; appends to what is made of it, if it can be had. */
static bool append_to_adopted(const struct chunk_view *view, struct chunk_writer *other)
{
	struct decoded d;
	struct chunk_writer w = { .open = decode(view, &d) ? chunk_adopt(view, d.t, d.v) : NULL };
	int64_t t_ms = view->min_ms;

	if (w.open == NULL)
		return false;
	w.v_bits = bits_of(d.v[view->n - 1]);
	t_ms = d.t[view->n - 1];
	for (unsigned i = view->n; i < CHUNK_SAMPLES; i++) {
		double v = next_value(rand() % 4, i);

		t_ms += 4990 + rand() % 20;
		if (other != NULL && !append(other, t_ms, v))
			break;
		if (!append(&w, t_ms, v))
			break;
	}
	if (other != NULL)
		expect_same(w.open, other->open);
	chunk_unref(w.open);
	return true;
}

static void test_as_if_never_written(void **state)
{
	(void)state;
	srand(5);
	for (int round = 0; round < ROUNDS; round++) {
		struct chunk_writer w = { 0 };
		struct chunk_view view;
		double v = 0;

		for (int i = 0, n = 1 + rand() % CHUNK_SAMPLES; i < n; i++)
			append(&w, T0_MS + i * INT64_C(5000) + rand() % 9, v = next_value(round % 4, v));
		view = as_file(w.open);
		assert_true(append_to_adopted(&view, &w));
		free((void *)(uintptr_t)view.data);
		chunk_unref(w.open);
	}
}

static void test_made_up(void **state)
{
	size_t refused = 0;

	(void)state;
	srand(6);
	for (int round = 0; round < ROUNDS; round++) {
		struct chunk_writer w = { 0 };
		struct chunk_view view;

		for (int i = 0; i < 40; i++)
			append(&w, T0_MS + i * INT64_C(5000), i);
		view = as_file(w.open);
		for (int i = rand() % 3; i >= 0; i--) {
			int within = rand() % 2 ? 10 : (int)view.bits / 8;

			((unsigned char *)(uintptr_t)view.data)[rand() % within] ^= (unsigned char)(1 << rand() % 8);
		}
		refused += !append_to_adopted(&view, NULL);
		free((void *)(uintptr_t)view.data);
		chunk_unref(w.open);
	}
	assert_in_range(refused, 100, ROUNDS - 100);
}

/* Not what a checkpoint's chunks are, or not to be appended to. */
static void test_refused(void **state)
{
	struct chunk_writer w = { 0 };
	struct chunk_view view;
	struct decoded d;

	(void)state;
	append(&w, T0_MS, 1.0 / 3);
	view = as_file(w.open);
	assert_true(decode(&view, &d));
	assert_null(chunk_adopt(&view, d.t, d.v)); /* floats whose state no file has */
	free((void *)(uintptr_t)view.data);
	chunk_unref(w.open);
	w = (struct chunk_writer){ 0 };
	append(&w, T0_MS, 1);
	append(&w, T0_MS + 1, 2);
	view = as_file(w.open);
	view.min_ms++;
	assert_true(decode(&view, &d));
	d.t[1] = d.t[0];
	assert_null(chunk_adopt(&view, d.t, d.v)); /* times that do not rise */
	free((void *)(uintptr_t)view.data);
	chunk_unref(w.open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_never_written),
		cmocka_unit_test(test_made_up),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
