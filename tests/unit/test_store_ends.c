/* The ends of windows against the samples themselves: whatever ends() claims to know, samples() must say too, be they in the head, in blocks
 * or on a shelf. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"
#include "tests.h"

enum { KINDS = 9, ENDING = 7, SERIES = 5 * KINDS, SAMPLES = 400, WINDOWS = 200 };
#define T0 INT64_C(1700000000000)

/* Kinds of series: what the next value is. */
static double next_value(int kind, double v)
{
	switch (kind) {
	case 0: return v + rand() % 50;                                 /* a counter */
	case 1: return rand() % 100 == 0 ? 0 : v + rand() % 50;         /* one that is reset */
	case 2: return (rand() % 2000 - 1000) / 100.0;                  /* a gauge of two decimals */
	case 3: return rand() % 40 == 0 ? value_stale() : rand() % 10;  /* one that goes and comes */
	case 4: return rand() * 1.2345e-7;                              /* one that no chunk packs */
	case 5: return 7;
	case 6: return (double)rand() * rand();
	case 7: return rand() % 150 == 0 ? value_stale() : v + rand() % 50;     /* a counter that ends */
	default: return v + 0.25;
	}
}

struct world {
	struct clock clock;
	struct store *store;
	struct querier *q;
	struct arena arena;
	struct selection *sel;
};

static void choose(struct world *w)
{
	struct matcher m = { .op = MATCH_EQ, .name = STR("job"), .value = STR("a") };
	struct err e = { 0 };

	if (w->sel != NULL)
		w->q->ops->release(w->q, w->sel);
	w->sel = w->q->ops->select(w->q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	assert_non_null(w->sel);
	assert_int_equal(w->sel->n, SERIES);
}

/* <dir> NULL: no blocks. */
static void begin(struct world *w, const char *dir)
{
	struct err e = { 0 };

	srand(11);
	*w = (struct world){ .clock = clock_manual(T0) };
	w->store = store_new(&(struct store_options){ .clock = &w->clock });
	w->q = store_querier(w->store);
	assert_true(dir == NULL || store_open_history(w->store, dir, &e));
}

static void fill(struct world *w, const char *dir)
{
	struct appender *app;
	struct err e = { 0 };

	begin(w, dir);
	app = store_appender_new(w->store);
	for (int s = 0; s < SERIES; s++) {
		char name[16];
		int64_t t = T0 + rand() % 5000;
		double v = 0;

		snprintf(name, sizeof name, "m%d", s);
		struct label label[] = { { STR(LABEL_NAME), str_of(name) }, { STR("job"), STR("a") } };
		for (int i = 0; i < SAMPLES; i++) {
			v = next_value(s % KINDS, value_is_stale(v) ? 0 : v);
			t += s % 3 == 0 ? 5000 : s % 3 == 1 ? 4900 + rand() % 200 : 1 + rand() % 30000;
			assert_true(app->ops->append(app, (struct labels){ label, 2 }, t, v, NULL, &e));
			if (s % KINDS == ENDING && value_is_stale(v))
				break;
		}
	}
	assert_true(app->ops->commit(app, &e));
	store_appender_free(app);
	choose(w);
}

static void end(struct world *w)
{
	w->q->ops->release(w->q, w->sel);
	store_free(w->store);
	arena_fini(&w->arena);
}

static size_t n_ended;

static void compare(struct world *w, size_t row, int64_t min_ms, int64_t max_ms, const struct window_ends *e)
{
	struct samples s;
	struct err err = { 0 };
	bool falls = false, ended;
	size_t n = 0, first = 0, last = 0;

	assert_true(w->q->ops->samples(w->q, w->sel, row, min_ms, max_ms, false, &w->arena, &s, &err));
	if (!e->known)
		return;
	ended = s.n > 0 && value_is_stale(s.v[s.n - 1]);
	for (size_t i = 0; i < s.n; i++) {
		if (value_is_stale(s.v[i]))
			continue;
		falls |= n > 0 && s.v[i] < s.v[last];
		first = n++ == 0 ? i : first;
		last = i;
	}
	assert_int_equal(e->n, n);
	assert_int_equal(e->ended, ended);
	n_ended += ended;
	if (n == 0)
		return;
	assert_true(e->first_ms == s.t_ms[first] && e->last_ms == s.t_ms[last] && e->first == s.v[first] && e->last == s.v[last]);
	assert_true(e->falls || !falls);
}

static void test_ends_are_those_of_the_samples(void **state)
{
	struct window_ends e[SERIES];
	size_t known = 0;
	struct world w;

	(void)state;
	fill(&w, NULL);
	for (int i = 0; i < WINDOWS; i++) {
		int64_t max_ms = T0 + rand() % (SAMPLES * 6000), min_ms = max_ms - rand() % 900000;

		w.q->ops->ends(w.q, w.sel, 0, SERIES, min_ms, max_ms, false, e);
		for (size_t row = 0; row < SERIES; row++) {
			compare(&w, row, min_ms, max_ms, &e[row]);
			known += e[row].known;
		}
		arena_reset(&w.arena);
	}
	assert_true(known > SERIES * WINDOWS / 2);
	assert_true(n_ended > WINDOWS / 10);
	end(&w);
}

static void test_counters_are_known_to_rise(void **state)
{
	struct window_ends e[SERIES];
	struct world w;

	(void)state;
	fill(&w, NULL);
	w.q->ops->ends(w.q, w.sel, 0, SERIES, T0, T0 + 600000, false, e);
	for (size_t row = 0; row < SERIES; row++) {
		struct str name = labels_get(w.sel->v[row].labels, STR(LABEL_NAME));
		int kind = atoi(name.p + 1) % KINDS;

		if (kind == 0)
			assert_true(e[row].known && e[row].n > 0 && !e[row].falls);
		if (kind == 4)
			assert_false(e[row].known);
	}
	end(&w);
}

/* All windows of this length that end within a minute of <at_ms>; returns how many are known. */
static size_t compare_near(struct world *w, int64_t at_ms, int64_t range_ms)
{
	struct window_ends e[SERIES], last[SERIES];
	size_t known = 0;

	for (int64_t max_ms = at_ms - 60000; max_ms < at_ms + 60000; max_ms += 7777) {
		choose(w);
		w->q->ops->ends(w->q, w->sel, 0, SERIES, max_ms - range_ms, max_ms, false, e);
		w->q->ops->ends(w->q, w->sel, 0, SERIES, max_ms - range_ms, max_ms, true, last);
		for (size_t row = 0; row < SERIES; row++) {
			compare(w, row, max_ms - range_ms, max_ms, &e[row]);
			assert_true(!e[row].known || (last[row].n == e[row].n && last[row].ended == e[row].ended));
			assert_true(!e[row].known || e[row].n == 0 || last[row].last == e[row].last);
			known += e[row].known;
		}
		arena_reset(&w->arena);
	}
	return known;
}

static void put_late(struct world *w, int64_t t_ms)
{
	struct label label[] = { { STR(LABEL_NAME), STR("m0") }, { STR("job"), STR("a") } };
	struct appender *app = store_appender_new(w->store);
	struct err e = { 0 };

	store_set_late_window(w->store, INT64_C(3600000) * 24);
	assert_true(app->ops->append(app, (struct labels){ label, 2 }, t_ms, 4711, NULL, &e) && app->ops->commit(app, &e));
	store_appender_free(app);
}

static void flush(struct world *w)
{
	struct err e = { 0 };

	assert_true(store_flush(w->store, &e));
	store_maintain(w->store);
}

static uint64_t n_shelves(struct world *w)
{
	return store_stats(w->store).shelves_made;
}

/* Each is made anew where time has moved on, where a block came, and not used where the head has something. */
static void test_a_shelf_tells_what_blocks_do(void **state)
{
	const int64_t at_ms = T0 + 900000;
	char dir[] = "/tmp/test-shelf-XXXXXX", command[64];
	struct world w;
	uint64_t made;
	size_t known;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fill(&w, dir);
	w.clock = clock_manual(T0 + 6000000);
	flush(&w);
	known = compare_near(&w, at_ms, 60000);
	assert_int_equal(n_shelves(&w), 1);
	assert_true(known > 0);
	assert_int_equal(compare_near(&w, at_ms, 60000), known);
	assert_int_equal(n_shelves(&w), 1);
	compare_near(&w, at_ms + 900000, 300000);
	assert_true(n_shelves(&w) > 1);
	made = n_shelves(&w);
	put_late(&w, at_ms + 900001);
	compare_near(&w, at_ms + 900000, 300000);
	flush(&w);
	compare_near(&w, at_ms + 900000, 300000);
	assert_true(n_shelves(&w) > made);
	end(&w);
	snprintf(command, sizeof command, "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_are_those_of_the_samples),
		cmocka_unit_test(test_counters_are_known_to_rise),
		cmocka_unit_test(test_a_shelf_tells_what_blocks_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
