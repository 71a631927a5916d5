/* Memory of small pieces against a plain array: what was written into a piece is there until it is freed, whatever happens around. */
#include "tests.h"

#include <stdlib.h>
#include <string.h>

#include "store/slab.h"

enum { PIECES = 3000, STEPS = 60000, LONGEST = 1200 };

struct piece {
	unsigned char *p;
	size_t bytes;
	unsigned char mark;
	bool movable;
};

static struct piece pieces[PIECES];

static void fill(struct piece *x, size_t bytes, unsigned char mark)
{
	unsigned char zero[LONGEST] = { 0 }, text[LONGEST];

	x->bytes = bytes;
	x->mark = mark;
	memset(text, mark, bytes);
	if (mark % 2 == 0) {
		x->p = slab_keep(text, bytes);
		return;
	}
	x->movable = mark % 4 == 1;
	x->p = x->movable ? slab_alloc_movable(bytes) : slab_alloc(bytes);
	assert_memory_equal(x->p, zero, bytes);
	memcpy(x->p, text, bytes);
}

static void check_and_free(struct piece *x)
{
	for (size_t i = 0; i < x->bytes; i++)
		assert_int_equal(x->p[i], x->mark);
	slab_free(x->p, x->bytes);
	*x = (struct piece){ 0 };
}

static void grow(struct piece *x, size_t bytes)
{
	x->p = slab_grow(x->p, x->bytes, bytes);
	for (size_t i = x->bytes; i < bytes; i++)
		assert_int_equal(x->p[i], 0);
	memset(x->p + x->bytes, x->mark, bytes - x->bytes);
	x->bytes = bytes;
}

/* Out of slabs with many holes. How many were moved. */
static size_t move_all(struct piece *v, size_t n)
{
	size_t moved = 0;

	if (!slab_begin_moving())
		return 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char *old = v[i].p;

		if (old == NULL || !v[i].movable || !slab_is_sparse(old, v[i].bytes))
			continue;
		v[i].p = slab_alloc_movable(v[i].bytes);
		assert_false(slab_is_sparse(v[i].p, v[i].bytes));
		memcpy(v[i].p, old, v[i].bytes);
		slab_free(old, v[i].bytes);
		moved++;
	}
	slab_end_moving();
	return moved;
}

static void test_model(void **state)
{
	unsigned r = 1;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		struct piece *x = &pieces[(r = r * 1103515245 + 12345) / 65536 % PIECES];

		if (x->movable && r / 65536 % 3 > 0 && x->bytes < LONGEST - 200)
			grow(x, x->bytes + 1 + r / 7 % 200);
		else if (x->p != NULL)
			check_and_free(x);
		else
			fill(x, 2 + r / 7 % (r / 65536 % 4 == 0 ? LONGEST - 2 : 200), (unsigned char)(r >> 8));
		if (step % 10000 == 0)
			slab_trim();
		if (step % 5000 == 0)
			(void)move_all(pieces, PIECES);
	}
	for (size_t i = 0; i < PIECES; i++)
		if (pieces[i].p != NULL)
			check_and_free(&pieces[i]);
	assert_int_equal(slab_pieces(), 0);
	slab_trim();
}

/* What was freed is used again, for pieces of another size too: all that is ever needed at a time fits into one megabyte. */
static void test_room_is_used_again(void **state)
{
	uintptr_t first = UINTPTR_MAX, last = 0;

	(void)state;
	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < PIECES; i++) {
			uintptr_t at;

			fill(&pieces[i], 100 + round * 8, (unsigned char)(round + 1));
			at = (uintptr_t)pieces[i].p;
			first = at < first ? at : first;
			last = at > last ? at : last;
		}
		for (size_t i = 0; i < PIECES; i++)
			check_and_free(&pieces[i]);
	}
	assert_int_equal(slab_pieces(), 0);
	assert_true(last - first < 1 << 20);
}

/* Of many pieces three of four go: the others are moved together, and then nothing is left to be moved. */
static void test_moving(void **state)
{
	enum { MANY = 24000, BYTES = 40 };
	struct piece *v = calloc(MANY, sizeof *v);

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		fill(&v[i], BYTES, 1);
	assert_int_equal(move_all(v, MANY), 0);
	for (size_t i = 0; i < MANY; i++)
		if (i % 4 != 0)
			check_and_free(&v[i]);
	assert_int_equal(move_all(v, MANY), MANY / 4);
	assert_int_equal(move_all(v, MANY), 0);
	for (size_t i = 0; i < MANY; i += 4)
		check_and_free(&v[i]);
	assert_int_equal(slab_pieces(), 0);
	slab_trim();
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_is_used_again),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_moving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
