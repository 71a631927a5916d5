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

struct round {
	const char *name, *rows, *shown;
	double others;
	bool is_cut;
};

static void take_rounds(const struct round *rounds, size_t n_rounds)
{
	struct ranking r = { 0 };

	for (size_t i = 0; i < n_rounds; i++) {
		struct ranking_entry rows[16];
		size_t n = rows_of(rounds[i].rows, rows);
		char shown[17] = "";

		print_message("  %s\n", rounds[i].name);
		ranking_take(&r, rows, n, rounds[i].is_cut, 1, 2);
		for (size_t k = 0, at = 0; k < n; k++)
			if (rows[k].shown)
				shown[at++] = (char)rows[k].key;
		assert_string_equal(shown, rounds[i].shown);
		assert_true(r.others[0] == rounds[i].others);
	}
	ranking_fini(&r);
}

static void rounds(void **state)
{
	static const struct round cases[] = {
		{ "the first two; what the others had before we came is not theirs", "a10 b8 c3 d1", "ab", 0, false },
		{ "one that climbs joins, pushes none out at once, and grew among the others", "c20 a11 b8 d2", "cab", 17 + 1, false },
		{ "one beyond twice the limit goes; what a new one of the others has is growth", "c30 d25 a12 e9 b9", "cda", 18 + 23 + 9 + 1, false },
		{ "what was among the others takes nothing away", "d26 c31 a12 e9 b9", "dca", 51, false },
		{ "the server forgot one", "d27 a12 b9", "da", 51, false },
		{ "it comes again from nothing", "d27 a12 b9 c4", "da", 55, false },
		{ "and grows", "d27 a12 b9 c6", "da", 57, false },
		{ "all reset: b grew by 1 while it got a series", "a1 b1 c1", "ab", 59, false },
	};

	(void)state;
	take_rounds(cases, ARRAY_LEN(cases));
}

static void rows_beyond_the_cut(void **state)
{
	static const struct round cases[] = {
		{ "one is not seen", "a10 b8 c3", "ab", 0, true },
		{ "what it had is not growth", "a10 b8 d900", "ab", 0, true },
		{ "what it grows by is", "a10 b8 d905", "ab", 5, false },
		{ "all were seen: this one is new", "a10 b8 d905 c7", "ab", 12, false },
	};

	(void)state;
	take_rounds(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rounds), cmocka_unit_test(rows_beyond_the_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
