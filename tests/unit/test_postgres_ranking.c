/* Which rows have a series of their own, and what the others add up to. */
#include "tests.h"

#include <stdlib.h>

#include "postgres/ranking.h"
#include "tocsin/base.h"

/* "a10 b5": rows with their counter, in rank. */
static size_t rows_of(const char *text, struct ranking_entry *rows)
{
	size_t n = 0;

	for (; *text != '\0'; n++) {
		char *end;

		rows[n] = (struct ranking_entry){ .key = (uint64_t)*text };
		rows[n].values[0] = strtod(text + 1, &end);
		text = end + (*end == ' ');
	}
	return n;
}

static void rounds(void **state)
{
	static const struct {
		const char *name, *rows, *shown;
		double others;
	} cases[] = {
		{ "fewer than the limit", "a5", "a", 0 },
		{ "the first two", "a10 b8 c3 d1", "ab", 4 },
		{ "one that climbs joins, and pushes none out at once", "c20 a11 b8 d2", "cab", 5 },
		{ "one beyond twice the limit goes", "c30 d25 a12 e9 b9", "cda", 5 + 9 + 1 },
		{ "what was among the others takes nothing away", "d26 c31 a12 e9 b9", "dca", 15 },
		{ "the server forgot one", "d27 a12 b9", "da", 15 },
		{ "it comes again from nothing", "d27 a12 b9 c4", "da", 19 },
		{ "and grows", "d27 a12 b9 c6", "da", 21 },
		{ "all reset", "a1 b1 c1", "ab", 22 },
	};
	struct ranking r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ranking_entry rows[16];
		size_t n = rows_of(cases[i].rows, rows);
		char shown[17] = "";

		print_message("  %s\n", cases[i].name);
		ranking_take(&r, rows, n, 1, 2);
		for (size_t k = 0, at = 0; k < n; k++)
			if (rows[k].shown)
				shown[at++] = (char)rows[k].key;
		assert_string_equal(shown, cases[i].shown);
		assert_true(r.others[0] == cases[i].others);
		assert_int_equal(r.has_others, i > 0);
	}
	ranking_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
