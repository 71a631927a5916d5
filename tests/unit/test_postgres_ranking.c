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

/* That is asked in a round. */
struct server {
	double began_s, now_s;
};

/* <servers>: of each round; NULL: always the same. */
static void take_rounds(const struct round *rounds, const struct server *servers, size_t n_rounds)
{
	struct ranking r = { 0 };

	for (size_t i = 0; i < n_rounds; i++) {
		struct ranking_entry rows[16];
		size_t n = rows_of(rounds[i].rows, rows);
		char shown[17] = "";

		print_message("  %s\n", rounds[i].name);
		if (servers != NULL)
			ranking_meet(&r, servers[i].began_s, servers[i].now_s);
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
	take_rounds(cases, NULL, ARRAY_LEN(cases));
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
	take_rounds(cases, NULL, ARRAY_LEN(cases));
}

static void another_server(void **state)
{
	static const struct round cases[] = {
		{ "the first", "a10 b8 c3", "ab", 0, false },
		{ "grows", "a10 b8 c5", "ab", 2, false },
		{ "its standby, whose totals are no growth", "a900 b800 c700 d9", "ab", 2, false },
		{ "grows from there", "a900 b800 c701 d9", "ab", 3, false },
		{ "back to the first", "a10 b8 c6", "ab", 3, false },
		{ "which starts anew and has kept what it knew", "a10 b8 c8", "ab", 5, false },
		{ "which starts anew and has forgotten", "a1 b1 c1", "ab", 6, false },
	};
	static const struct server servers[] = { { 100, 200 }, { 100, 260 }, { 50, 320 }, { 50, 380 }, { 100, 440 }, { 450, 500 }, { 510, 560 } };

	(void)state;
	take_rounds(cases, servers, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rounds), cmocka_unit_test(rows_beyond_the_cut), cmocka_unit_test(another_server) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
