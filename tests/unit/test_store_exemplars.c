/* Exemplars: the newest of all series stay, the same one is one, what is too long is none; and how they get there from a reply. */
#include "scrape_world.h"

/* "a{s="1"}: id=0 1@5, …" by series, sorted by nothing: tests have one series at a time, or look for parts. */
static void print_series_of(void *ctx, struct labels series, const struct store_exemplar *v, size_t n)
{
	struct buf *out = ctx;

	labels_print(out, series);
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, ' ');
		labels_print(out, v[i].labels);
		buf_printf(out, "=%g@%lld", v[i].v, (long long)(v[i].t_ms / 1000 - T0));
	}
	buf_putc(out, '\n');
}

static const char *shown(struct fixture *f)
{
	struct buf b = { 0 };
	const char *text;

	store_each_exemplars(f->store, print_series_of, &b);
	text = arena_strz(&f->arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

static bool feed_openmetrics(struct fixture *f, int at, const char *body)
{
	const struct scrape_reply r = { .http_status = 200, .content_type = STR("application/openmetrics-text; version=1.0.0"), .body = str_of(body) };

	f->clock.wall = MS(at);
	return scrape_ingest(f->loop, 0, &r, MS(at));
}

static void test_from_replies(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SIMPLE);
	assert_true(feed_openmetrics(&f, 0, "a_total 1 # {id=\"x\"} 0.5\n# EOF\n"));
	assert_string_equal(shown(&f), ""); /* nobody wants any */
	store_set_max_exemplars(f.store, 10);
	assert_true(feed_openmetrics(&f, 15, "a_total 1 # {id=\"x\"} 0.5\n# EOF\n"));
	assert_true(feed_openmetrics(&f, 30, "a_total 2 # {id=\"x\"} 0.5\n# EOF\n"));
	assert_true(feed_openmetrics(&f, 45, "a_total 3 # {id=\"y\",b=\"1\\\"\"} 2 1700000044.5\n# EOF\n"));
	assert_true(feed_openmetrics(&f, 60, "a_total 4 # {id=\"y\",b=\"1\\\"\"} 2 1700000044.5\n# EOF\n"));
	assert_true(feed_openmetrics(&f, 75, "a_total 5 # {id=\"old\"} 2 1700000040\n# EOF\n"));
	assert_true(feed_openmetrics(&f, 90, "a_total 5 # {} 7\n# EOF\n"));
	assert_false(feed_openmetrics(&f, 105, "a_total 6 # {id=\"z\"} 3\nb 1 2 3\n# EOF\n"));
	assert_string_equal(shown(&f), "a_total" AT " {id=\"x\"}=0.5@15 {b=\"1\\\"\", id=\"y\"}=2@44 {}=7@90\n");
	teardown(&f);
}

static void add(struct fixture *f, struct store_series *s, int number)
{
	char text[16];
	struct label label = { STR("id"), { text, (size_t)snprintf(text, sizeof text, "%d", number) } };
	const struct store_exemplar e = { .labels = { &label, 1 }, .v = number, .t_ms = MS(number), .own_time = true };

	store_add_exemplar(f->store, s, &e);
}

/* Numbers rise, series take turns at random: what stays are the last <max> of all. */
static void expect_newest(struct fixture *f, const int *series_of, int n, int max)
{
	const char *text = shown(f);
	int n_lines = 0, any[3] = { 0 };

	for (int i = n - max > 0 ? n - max : 0; i < n; i++) {
		char part[48];

		any[series_of[i]] = 1;
		snprintf(part, sizeof part, " {id=\"%d\"}=%d@%d", i, i, i);
		assert_non_null(strstr(text, part));
	}
	for (const char *p = text; *p != '\0'; p++)
		n_lines += *p == '\n';
	assert_int_equal(n_lines, any[0] + any[1] + any[2]);
	if (n > max) {
		char part[24];

		snprintf(part, sizeof part, "{id=\"%d\"}", n - max - 1);
		assert_null(strstr(text, part));
	}
}

static void test_ring(void **state)
{
	struct store_series *series[3];
	int series_of[256], max = 5;
	struct fixture f;
	struct err e = { 0 };

	(void)state;
	setup(&f, SIMPLE);
	srand(7);
	for (int i = 0; i < 3; i++)
		series[i] = store_series_ref(f.store, labels_with(&f.arena, (struct labels){ 0 }, STR(LABEL_NAME), arena_printf(&f.arena, "m%d", i)), &e);
	store_set_max_exemplars(f.store, (size_t)max);
	for (int i = 0; i < 200; i++) {
		series_of[i] = rand() % 3;
		add(&f, series[series_of[i]], i);
		expect_newest(&f, series_of, i + 1, max);
		if (i % 40 == 39) {
			int smaller = max > 5 ? 3 : 9;

			store_set_max_exemplars(f.store, (size_t)smaller);
			expect_newest(&f, series_of, i + 1, smaller < max ? smaller : max);
			for (int k = 0; k < 9 && smaller > max; k++, i++) { /* until there are as many as there may be */
				series_of[i + 1] = rand() % 3;
				add(&f, series[series_of[i + 1]], i + 1);
			}
			max = smaller;
		}
	}
	store_set_max_exemplars(f.store, 0);
	assert_string_equal(shown(&f), "");
	for (int i = 0; i < 3; i++)
		store_series_unref(f.store, series[i]);
	teardown(&f);
}

static void test_too_long(void **state)
{
	struct fixture f;
	char body[400], value[130];

	(void)state;
	setup(&f, SIMPLE);
	store_set_max_exemplars(f.store, 10);
	memset(value, 'v', sizeof value);
	snprintf(body, sizeof body, "a_total 1 # {id=\"%.126s\"} 1\n# EOF\n", value);
	assert_true(feed_openmetrics(&f, 0, body));
	assert_int_equal(store_stats(f.store).exemplars_appended, 1);
	snprintf(body, sizeof body, "a_total 1 # {id=\"%.127s\"} 1\n# EOF\n", value);
	assert_true(feed_openmetrics(&f, 15, body));
	assert_int_equal(store_stats(f.store).exemplars_appended, 1);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_replies),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
