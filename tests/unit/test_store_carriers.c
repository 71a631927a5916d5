/* Targets that may have a series: random ones of few and of many kinds, against all of them one by one. */
#include <stdlib.h>

#include "store/carriers.h"
#include "tests.h"

enum { NAMES = 6, MOST = 60, ROUNDS = 400, ASKED = 200 };

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* Each of the names in <mask> with one of <values>. */
static struct labels make(struct arena *a, unsigned mask, unsigned values)
{
	struct label *v = ARENA_ARRAY(a, NAMES, struct label);
	size_t n = 0;

	for (unsigned i = 0; i < NAMES; i++)
		if ((mask >> i & 1) != 0)
			v[n++] = (struct label){ arena_printf(a, "name%u", i), arena_printf(a, "%u", below(values)) };
	return (struct labels){ v, n };
}

static bool one_by_one(const struct labels *targets, size_t n, struct labels series)
{
	size_t i = 0;

	while (i < n && carriers_is_of_another(series, targets[i]))
		i++;
	return i < n;
}

static void test_against_one_by_one(void **state)
{
	struct arena a = { 0 };
	unsigned n_may = 0, n_may_not = 0;

	(void)state;
	srand(7);
	for (unsigned round = 0; round < ROUNDS; round++, arena_reset(&a)) {
		unsigned kinds = 1 + below(round % 3 == 0 ? 30 : 4), values = 1 + below(9), masks[30];
		size_t n = below(MOST);
		struct labels *targets = ARENA_ARRAY(&a, n + 1, struct labels);
		struct carriers *c;

		for (unsigned i = 0; i < kinds; i++)
			masks[i] = below(1 << NAMES);
		for (size_t i = 0; i < n; i++)
			targets[i] = make(&a, masks[below(kinds)], values);
		c = carriers_new(&a, targets, n);
		for (unsigned i = 0; i < ASKED; i++) {
			struct labels series = make(&a, below(3) == 0 ? below(1 << NAMES) : masks[below(kinds)] | below(1 << NAMES), values);
			bool may = one_by_one(targets, n, series);

			assert_int_equal(carriers_may_have(c, series), may);
			n_may += may;
			n_may_not += !may;
		}
	}
	assert_true(n_may > 1000 && n_may_not > 1000);
	arena_fini(&a);
}

static void test_is_of_another(void **state)
{
	struct label of_series[] = { { STR("job"), STR("a") }, { STR("n"), STR("1") } };
	struct label of_same[] = { { STR("instance"), STR("x") }, { STR("n"), STR("1") } }, of_other[] = { { STR("n"), STR("2") } };
	const struct labels series = { of_series, 2 };

	(void)state;
	assert_false(carriers_is_of_another(series, (struct labels){ of_same, 2 }));
	assert_true(carriers_is_of_another(series, (struct labels){ of_other, 1 }));
	assert_false(carriers_is_of_another(series, (struct labels){ NULL, 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_one_by_one), cmocka_unit_test(test_is_of_another) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
