/* Classic histograms converted to native ones with custom buckets: what is one, scrape after scrape, across reloads. */
#include "scrape_world.h"

#define CONVERT SIMPLE "  convert_classic_histograms_to_nhcb: true\n"
#define X       "x{instance=\"h:1\", job=\"j\"}"

static const char good[] = "# TYPE x histogram\nx_bucket{le=\"0.5\"} 1\nx_bucket{le=\"2\"} 3\nx_bucket{le=\"+Inf\"} 4\nx_sum 9\nx_count 4\n";

static void test_converted(void **state)
{
	static const struct {
		const char *name, *text, *expect;
	} cases[] = {
		{ "whole", good, X " 0:[-53 n=4 sum=9 to 0.5,2 0=1 1=2 2=1] fresh\n" },
		{ "no bounds", "# TYPE x histogram\nx_sum 9\nx_count 4\n", X " 0:[-53 n=4 sum=9 0=4] fresh\n" },
		{ "no +Inf, an empty bucket", "# TYPE x histogram\nx_bucket{le=\"1\"} 3\nx_bucket{le=\"2\"} 3\nx_count 5\n",
		  X " 0:[-53 n=5 sum=0 to 1,2 0=3 2=2] fresh\n" },
		{ "no count", "# TYPE x histogram\nx_bucket{le=\"1\"} 3\nx_bucket{le=\"+Inf\"} 7\n",
		  X " 0:[-53 n=7 sum=0 to 1 0=3 1=4] fresh\n" },
		{ "any order", "# TYPE x histogram\nx_bucket{le=\"+Inf\"} 4\nx_count 4\nx_bucket{le=\"2\"} 3\nx_sum 9\nx_bucket{le=\"0.5\"} 1\n",
		  X " 0:[-53 n=4 sum=9 to 0.5,2 0=1 1=2 2=1] fresh\n" },
		{ "counts that fall", "# TYPE x histogram\nx_bucket{le=\"1\"} 3\nx_bucket{le=\"2\"} 2\nx_count 5\n", "" },
		{ "another count", "# TYPE x histogram\nx_bucket{le=\"+Inf\"} 3\nx_count 5\n", "" },
		{ "NaN", "# TYPE x histogram\nx_bucket{le=\"1\"} NaN\nx_count 5\n", "" },
		{ "one bound twice", "# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_bucket{le=\"1.0\"} 1\nx_count 1\n", "" },
		{ "no histogram", "# TYPE x summary\nx_sum 9\nx_count 4\n",
		  "x_sum{instance=\"h:1\", job=\"j\"} 0:9 fresh\nx_count{instance=\"h:1\", job=\"j\"} 0:4 fresh\n" },
		{ "by label", "# TYPE x histogram\nx_count{a=\"1\"} 4\nx_count{a=\"2\"} 5\nx_bucket{le=\"?\",a=\"1\"} 5\n",
		  "x_bucket{a=\"1\", instance=\"h:1\", job=\"j\", le=\"?\"} 0:5 fresh\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		setup(&f, CONVERT);
		assert_true(feed(&f, 0, cases[i].text));
		if (strncmp(dump(&f, NULL), cases[i].expect, strlen(cases[i].expect)) != 0 || (cases[i].expect[0] == '\0' && dump(&f, NULL)[0] != '\0'))
			fail_msg("%s: got\n%s", cases[i].name, dump(&f, NULL));
		teardown(&f);
	}
}

static void test_comes_and_goes(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, CONVERT);
	assert_true(feed(&f, 0, good));
	assert_true(feed(&f, 15, good));
	assert_true(feed(&f, 30, "# TYPE x histogram\nx_bucket{le=\"2\"} 9\nx_count 4\n"));
	assert_true(feed(&f, 45, good));
	assert_true(feed(&f, 60, ""));
	assert_true(feed(&f, 75, "y 1\n"));
	assert_true(feed(&f, 90, good));
	assert_false(feed_failure(&f, 105));
	assert_true(feed(&f, 120, good));
#define H "[-53 n=4 sum=9 to 0.5,2 0=1 1=2 2=1]"
	assert_string_equal(dump(&f, "x"), X " 0:" H " 15:" H " 30:stale 45:" H " 60:stale 90:" H " 105:stale 120:" H " fresh\n");
	assert_string_equal(dump(&f, "scrape_samples_scraped"),
	                    "scrape_samples_scraped" AT " 0:1 15:1 30:0 45:1 60:0 75:1 90:1 105:0 120:1 fresh\n");
	teardown(&f);
}

/* Reloads change what becomes of the same texts. */
static void test_reloads(void **state)
{
	static const char *const settings[] = { SIMPLE, CONVERT, CONVERT "  always_scrape_classic_histograms: true\n", SIMPLE, CONVERT };
	struct scrape_config configs[ARRAY_LEN(settings)];
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	for (int i = 0; i < (int)ARRAY_LEN(settings); i++) {
		configs[i] = read_config(&f, settings[i]);
		scrape_reload(f.loop, &configs[i]);
		assert_true(feed(&f, 15 * i, good));
	}
	assert_string_equal(dump(&f, "x"), X " 15:" H " 30:" H " 45:stale 60:" H " fresh\n");
	assert_string_equal(dump(&f, "x_count"), "x_count" AT " 0:4 15:stale 30:4 45:4 60:stale gone\n");
	teardown(&f);
}

static void test_limit(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, CONVERT "  native_histogram_bucket_limit: 2\n");
	assert_false(feed(&f, 0, good));
	assert_string_equal(dump(&f, NULL), "");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_converted),
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_reloads),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
