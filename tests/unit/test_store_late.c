/* Samples that come late (out_of_order_time_window): the rules, and random ones between flushes, merges and crashes against plain sorted
 * arrays. */
#include <stdio.h>
#include <unistd.h>

#include "store_world.h"

struct world {
	struct fixture f;
	char dir[64];
	int64_t window_ms;
};

static void start(struct world *w, int64_t now_ms)
{
	struct store_options o = { .clock = &w->f.clock };
	struct err e = { 0 };

	w->f = (struct fixture){ .clock = clock_manual(now_ms) };
	w->f.store = store_new(&o);
	store_set_late_window(w->f.store, w->window_ms);
	if (!store_open_history(w->f.store, w->dir, &e) || !store_open_journal(w->f.store, w->dir, &e))
		fail_msg("%s", e.msg);
	w->f.app = store_appender_new(w->f.store);
	w->f.q = store_querier(w->f.store);
}

static void begin(struct world *w, int64_t window_ms)
{
	*w = (struct world){ .dir = "/tmp/test-late-XXXXXX", .window_ms = window_ms };
	assert_non_null(mkdtemp(w->dir));
	start(w, MS(0));
}

/* As kill -9 a moment later. */
static void restart(struct world *w, int64_t now_ms)
{
	store_sync(w->f.store);
	teardown(&w->f);
	start(w, now_ms);
}

static void end(struct world *w)
{
	char command[96];

	teardown(&w->f);
	snprintf(command, sizeof command, "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
}

static const char *dump(struct world *w)
{
	struct selection *s = pick(&w->f, "__name__ = m");
	struct buf out = { 0 };
	const char *text;

	for (size_t i = 0; i < s->n; i++) {
		struct samples got = read_all(&w->f, s, i);

		for (size_t k = 0; k < got.n; k++)
			buf_printf(&out, "%s%lld:%g", k > 0 ? " " : "", (long long)(got.t_ms[k] / 1000 - T0),
			           got.h != NULL && got.h[k] != NULL ? -got.h[k]->count : got.v[k]);
		buf_printf(&out, " %s", s->v[i].state == SERIES_FRESH ? "fresh" : "ended");
	}
	drop(&w->f, s);
	text = arena_strz(&w->f.arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

static bool put1(struct world *w, int at, double v)
{
	bool ok = put(&w->f, "m", MS(at), v);

	commit(&w->f);
	return ok;
}

static void test_rules(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 0);
	w.f.clock.wall = MS(100);
	assert_true(put1(&w, 100, 1));
	assert_false(put1(&w, 90, 2)); /* no window */
	store_set_late_window(w.f.store, 60000);
	assert_true(put1(&w, 90, 2));
	assert_true(put1(&w, 40, 3));
	assert_false(put1(&w, 39, 4)); /* before the window */
	assert_true(put1(&w, 95, 5));
	assert_true(put1(&w, 95, 5)); /* the same again */
	assert_true(put1(&w, 95, 6)); /* another value: found out and counted when it is put in */
	assert_false(put1(&w, 94, value_stale()));
	assert_true(put1(&w, 110, 7));
	assert_string_equal(dump(&w), "40:3 90:2 95:5 100:1 110:7 fresh");
	assert_int_equal(store_stats(w.f.store).samples_late, 3);
	assert_int_equal(store_stats(w.f.store).samples_same, 1);
	assert_int_equal(store_stats(w.f.store).samples_duplicate, 1);
	assert_int_equal(store_stats(w.f.store).samples_too_old, 1);
	assert_int_equal(store_stats(w.f.store).samples_out_of_order, 2);
	restart(&w, MS(120));
	assert_string_equal(dump(&w), "40:3 90:2 95:5 100:1 110:7 ended"); /* nobody has read it since */
	end(&w);
}

/* Behind the end of a series: it does not begin again. Histograms find their place too. */
static void test_others(void **state)
{
	static const double counts[] = { 3 };
	static const struct histogram_span span = { 0, 1 };
	const struct histogram h = { .count = 3, .sum = 1, .pos = { &span, counts, 1, 1 } };
	struct world w;
	struct err e = { 0 };

	(void)state;
	begin(&w, 60000);
	w.f.clock.wall = MS(100);
	for (int i = 50; i < 100; i += 10)
		assert_true(put1(&w, i, i));
	assert_true(w.f.app->ops->append(w.f.app, parse_labels(&w.f.arena, "m"), MS(75), 0, &h, &e));
	commit(&w.f);
	assert_true(put1(&w, 100, value_stale()));
	assert_true(put1(&w, 95, 9));
	assert_true(w.f.app->ops->append(w.f.app, parse_labels(&w.f.arena, "m"), MS(76), 0, &h, &e));
	commit(&w.f);
	assert_true(strncmp(dump(&w), "50:50 60:60 70:70 75:-3 76:-3 80:80 90:90 95:9 100:", 51) == 0);
	assert_true(strstr(dump(&w), "ended") != NULL);
	restart(&w, MS(100));
	assert_true(strncmp(dump(&w), "50:50 60:60 70:70 75:-3 76:-3 80:80 90:90 95:9 100:", 51) == 0);
	end(&w);
}

/* ---- Against plain arrays ---- */

enum { SERIES = 12, MOST = 4000, WINDOW_S = 3600 };

struct model {
	int64_t t[SERIES][MOST];
	double v[SERIES][MOST];
	size_t n[SERIES];
};

static void model_put(struct model *m, size_t i, int64_t t_ms, double v)
{
	size_t k = m->n[i]++;

	for (; k > 0 && m->t[i][k - 1] > t_ms; k--) {
		m->t[i][k] = m->t[i][k - 1];
		m->v[i][k] = m->v[i][k - 1];
	}
	m->t[i][k] = t_ms;
	m->v[i][k] = v;
}

static bool model_has(const struct model *m, size_t i, int64_t t_ms)
{
	for (size_t k = m->n[i]; k-- > 0 && m->t[i][k] >= t_ms;)
		if (m->t[i][k] == t_ms)
			return true;
	return false;
}

static void model_round(struct world *w, struct model *m, int64_t now_ms)
{
	char text[32];

	for (size_t i = 0; i < SERIES; i++) {
		bool late = (size_t)rand() % SERIES < i; /* some series often, the first never */
		int64_t t_ms = late ? now_ms - rand() % (WINDOW_S * 1000) : now_ms;
		double v = i % 3 == 0 ? 7 : i % 3 == 1 ? rand() % 1000 : rand() / 7.0;

		if (model_has(m, i, t_ms))
			continue;
		snprintf(text, sizeof text, "model i=%zu", i);
		assert_true(put(&w->f, text, t_ms, v));
		model_put(m, i, t_ms, v);
	}
	commit(&w->f);
}

static void model_compare(struct world *w, const struct model *m)
{
	struct selection *s = pick(&w->f, "__name__ = model");

	assert_int_equal(s->n, SERIES);
	for (size_t k = 0; k < s->n; k++) {
		size_t i = (size_t)atoi(labels_get(s->v[k].labels, STR("i")).p);
		struct samples got = read_all(&w->f, s, k);

		assert_int_equal(got.n, m->n[i]);
		for (size_t j = 0; j < got.n; j++) {
			assert_int_equal(got.t_ms[j], m->t[i][j]);
			assert_true(got.v[j] == m->v[i][j]);
		}
	}
	drop(&w->f, s);
	arena_reset(&w->f.arena);
}

static void test_model(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct world w;
	struct err e = { 0 };

	(void)state;
	srand(5);
	begin(&w, WINDOW_S * 1000);
	for (int i = 0; i < 1500; i++) {
		int64_t now_ms = MS(WINDOW_S + i * 20);

		w.f.clock.wall = now_ms;
		model_round(&w, m, now_ms);
		if (rand() % 60 == 0)
			restart(&w, now_ms);
		if (rand() % 100 == 0)
			assert_true(store_flush(w.f.store, &e));
		if (rand() % 30 == 0)
			store_maintain(w.f.store);
		if (rand() % 30 == 0)
			unload(&w.f);
		if (i % 100 == 99)
			model_compare(&w, m);
	}
	assert_true(store_stats(w.f.store).samples_late > 0);
	free(m);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
