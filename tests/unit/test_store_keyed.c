/* Sorting by keys: random ones of few and of many bytes, with twins, against their order by comparison. */
#include <stdlib.h>

#include "store/keyed.h"
#include "tests.h"

enum { MOST = 3000, ROUNDS = 60 };

static int by_key_and_place(const void *a, const void *b)
{
	const struct keyed *l = a, *r = b;

	if (l->key != r->key)
		return l->key < r->key ? -1 : 1;
	return (l->value > r->value) - (l->value < r->value);
}

static void test_against_qsort(void **state)
{
	static struct keyed got[MOST], want[MOST];

	(void)state;
	srand(4);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t n = round < 3 ? round : (size_t)rand() % MOST;
		uint64_t kept = round % 4 == 0 ? 3 : ~UINT64_C(0) << round % 64;

		for (size_t i = 0; i < n; i++)
			got[i] = want[i] = (struct keyed){ (uint64_t)rand() * UINT64_C(0x9e3779b97f4a7c15) & kept, i };
		keyed_sort(got, n);
		if (n > 0)
			qsort(want, n, sizeof *want, by_key_and_place);
		assert_memory_equal(got, want, n * sizeof *got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_qsort) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
