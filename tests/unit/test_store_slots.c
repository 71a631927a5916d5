/* Sets of slots against an array of flags: few and many of them, in and out of order, across the border between lists and bits. */
#include "tests.h"

#include <stdlib.h>
#include <string.h>

#include "store/slot_set.h"

enum { MOST = 3 << 16, STEPS = 300000 };

struct model {
	struct slot_set set;
	bool in[MOST];
	size_t n;
	unsigned random;
};

static void flip(struct model *m, uint32_t slot)
{
	if (m->in[slot])
		slot_set_remove(&m->set, slot);
	else
		slot_set_add(&m->set, slot);
	m->n += m->in[slot] ? (size_t)-1 : 1;
	m->in[slot] = !m->in[slot];
}

static void check(const struct model *m)
{
	struct slots all = { 0 };
	size_t at = 0;

	slot_set_list(&m->set, &all);
	assert_int_equal(m->set.n, m->n);
	assert_int_equal(all.n, m->n);
	for (uint32_t slot = 0; slot < MOST; slot++)
		if (m->in[slot])
			assert_int_equal(all.v[at++], slot);
	free(all.v);
}

static uint32_t next(struct model *m, uint32_t below)
{
	m->random = m->random * 1664525 + 1013904223;
	return (m->random >> 8) % below;
}

static void empty(struct model *m)
{
	for (uint32_t slot = 0; slot < MOST; slot++)
		if (m->in[slot])
			flip(m, slot);
	check(m);
	assert_int_equal(m->set.n_parts, 0);
}

static void test_model(void **state)
{
	static const uint32_t reach[] = { 5, 900, 9000, MOST };
	static struct model m = { .random = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reach); i++) {
		for (int step = 0; step < STEPS; step++)
			flip(&m, MOST - 1 - next(&m, reach[i]));
		check(&m);
		empty(&m);
	}
	for (uint32_t slot = 0; slot < MOST; slot += 3)
		flip(&m, slot);
	check(&m);
	for (uint32_t slot = 0; slot < MOST; slot += 6)
		flip(&m, slot);
	check(&m);
	slot_set_fini(&m.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
