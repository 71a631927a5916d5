/* Series at rest: random lives of series against plain arrays, through flushes, merges, deletes and restarts; who is woken, and who is not. */
#include "history_world.h"

enum { SERIES = 60, STEPS = 1500, STEP_S = 60, MOST = STEPS + 8 };

/* What one series ever had. */
struct life {
	int64_t t[MOST];
	size_t n;
	bool alive;
	bool ended[MOST]; /* a stale marker */
};

struct model {
	struct life v[SERIES];
	int64_t now_ms;
};

static const char *name_of(char text[48], int i)
{
	snprintf(text, 48, "m i=%d half=%c", i, i % 2 ? 'b' : 'a');
	return text;
}

static void add(struct world *w, struct model *m, int i, bool end)
{
	struct life *l = &m->v[i];
	char text[48];

	assert_true(l->n < MOST);
	assert_true(put(&w->f, name_of(text, i), m->now_ms, end ? value_stale() : (double)(l->n * 3)));
	l->t[l->n] = m->now_ms;
	l->ended[l->n++] = end;
	l->alive = !end;
}

/* Few are alive at a time; who ended may come back. */
static void live(struct world *w, struct model *m)
{
	m->now_ms += STEP_S * 1000;
	w->f.clock.wall = m->now_ms;
	for (int i = 0; i < SERIES; i++)
		if (m->v[i].alive)
			add(w, m, i, rand() % 25 == 0);
		else if (rand() % 250 == 0)
			add(w, m, i, false);
	commit(&w->f);
}

static struct selection *reach(struct world *w, const char *text, int64_t min_ms, int64_t max_ms)
{
	struct matcher m[4];
	struct regex *re[4];
	struct err e = { 0 };
	size_t n = parse_matchers(&w->f.arena, text, m, re);
	struct selection *s = w->f.q->ops->select(w->f.q, m, n, (struct select_hints){ min_ms, max_ms, 0 }, &e);

	for (size_t i = 0; i < n; i++)
		regex_free(re[i]);
	if (s == NULL)
		fail_msg("%s", e.msg);
	return s;
}

static size_t number_of(struct labels l)
{
	int64_t i = -1;

	assert_true(str_to_int64(labels_get(l, STR("i")), &i) && i >= 0 && i < SERIES);
	return (size_t)i;
}

/* What the model has of (min_ms, max_ms], against what is read. */
static void compare_row(struct world *w, const struct selection *s, size_t row, const struct life *l, int64_t min_ms, int64_t max_ms)
{
	struct samples got;
	struct err e = { 0 };
	size_t beg = 0, end = 0;

	while (end < l->n && l->t[end] <= max_ms)
		end++;
	while (beg < end && l->t[beg] <= min_ms)
		beg++;
	assert_true(w->f.q->ops->samples(w->f.q, s, row, min_ms, max_ms, false, &w->f.arena, &got, &e));
	assert_int_equal(got.n, end - beg);
	for (size_t i = 0; i < got.n; i++)
		assert_true(got.t_ms[i] == l->t[beg + i] && value_is_stale(got.v[i]) == l->ended[beg + i]);
}

static bool has_any(const struct life *l, int64_t min_ms, int64_t max_ms)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->t[i] >= min_ms && l->t[i] <= max_ms)
			return true;
	return false;
}

/* Everything that has samples in the window is there, with all of them; what ended is gone. */
static void compare(struct world *w, const struct model *m, const char *text, int modulo, int64_t min_ms, int64_t max_ms)
{
	struct selection *s = reach(w, text, min_ms, max_ms);
	bool seen[SERIES] = { 0 };

	for (size_t row = 0; row < s->n; row++) {
		size_t i = number_of(s->v[row].labels);
		const struct life *l = &m->v[i];

		assert_false(seen[i]);
		seen[i] = true;
		compare_row(w, s, row, l, min_ms > INT64_MIN ? min_ms - 1 : min_ms, max_ms);
		if (l->n > 0 && l->ended[l->n - 1])
			assert_int_equal(s->v[row].state, SERIES_GONE);
	}
	for (int i = 0; i < SERIES; i++)
		if ((modulo < 0 || i % 2 == modulo) && has_any(&m->v[i], min_ms, max_ms) && !seen[i])
			fail_msg("series %d is missing in [%lld, %lld]", i, (long long)min_ms, (long long)max_ms);
	drop(&w->f, s);
	arena_reset(&w->f.arena);
}

static void compare_random(struct world *w, const struct model *m)
{
	int64_t begin_ms = MS(0), span = m->now_ms - begin_ms;

	for (int k = 0; k < 6; k++) {
		int64_t min_ms = begin_ms + rand() % span, max_ms = min_ms + rand() % (k % 2 ? span : 3600000);

		compare(w, m, k % 3 == 0 ? "__name__ = m" : k % 3 == 1 ? "half = a" : "i =~ .+ half != b", k % 3 == 0 ? -1 : 0, min_ms, max_ms);
	}
}

static void compare_values(struct world *w, const struct model *m)
{
	size_t n, expected = 0;
	struct str *v = store_label_values(w->f.store, STR("i"), &w->f.arena, &n);

	for (int i = 0; i < SERIES; i++)
		expected += m->v[i].n > 0;
	assert_int_equal(n, expected);
	for (size_t i = 1; i < n; i++)
		assert_true(str_cmp(v[i - 1], v[i]) < 0);
	(void)store_label_names(w->f.store, &w->f.arena, &n);
	assert_int_equal(n, 3);
	arena_reset(&w->f.arena);
}

static bool ends_between(const struct model *m, int64_t min_ms, int64_t max_ms)
{
	for (int i = 1; i < SERIES; i += 2) {
		int64_t last_ms = m->v[i].n > 0 ? m->v[i].t[m->v[i].n - 1] : INT64_MIN;

		if (last_ms >= min_ms && last_ms <= max_ms)
			return true;
	}
	return false;
}

/* An hour of one half of them, in which none of them has its last sample: that is its state. */
static void delete_some(struct world *w, struct model *m)
{
	const struct matcher half = { MATCH_EQ, STR("half"), STR("b"), NULL };
	int64_t min_ms = MS(0), max_ms;
	struct err e = { 0 };

	do {
		min_ms += rand() % 3600000;
		max_ms = min_ms + 3600000;
	} while (ends_between(m, min_ms, max_ms));
	assert_true(store_delete(w->f.store, &half, 1, min_ms, max_ms, &e));
	for (int i = 1; i < SERIES; i += 2) {
		struct life *l = &m->v[i];
		size_t kept = 0;

		for (size_t k = 0; k < l->n; k++) {
			if (l->t[k] >= min_ms && l->t[k] <= max_ms)
				continue;
			l->t[kept] = l->t[k];
			l->ended[kept++] = l->ended[k];
		}
		l->n = kept;
	}
}

static void test_model(void **state)
{
	struct model *m = mem_alloc(sizeof *m);
	size_t fewest = SERIES, rested = 0, woken = 0;
	struct store_stats st;
	struct world w;

	(void)state;
	srand(5);
	begin(&w, MS(0));
	m->now_ms = MS(0);
	for (int step = 0; step < STEPS; step++) {
		live(&w, m);
		if (step % 10 == 9)
			store_maintain(w.f.store);
		st = store_stats(w.f.store);
		fewest = step > 600 && st.series < fewest ? st.series : fewest;
		if (rand() % 300 == 0) {
			rested += st.series_rested;
			woken += st.series_woken;
			restart(&w, m->now_ms);
		}
		if (step > 0 && rand() % 100 == 0)
			delete_some(&w, m);
		if (step % 70 == 69)
			compare_random(&w, m);
		if (step % 200 == 199)
			compare_values(&w, m);
	}
	assert_in_range(fewest, 1, SERIES / 2);
	assert_in_range(rested + st.series_rested, 100, STEPS);
	assert_in_range(woken + st.series_woken, 50, STEPS);
	compare(&w, m, "__name__ = m", -1, INT64_MIN, INT64_MAX);
	end(&w);
	free(m);
}

/* ---- One series ---- */

enum { ENDED_S = 2 * HOUR_S };

/* <ended> has two hours and a marker, and rests by now; <alive> goes on. */
static void make_one(struct world *w)
{
	begin(w, MS(0));
	for (int i = 0; i <= ENDED_S; i += 60) {
		put(&w->f, "alive i=1", MS(i), i);
		put(&w->f, "ended i=2", MS(i), i == ENDED_S ? value_stale() : i);
		commit(&w->f);
	}
	w->f.clock.wall = MS(ENDED_S + 600);
	put(&w->f, "alive i=1", MS(ENDED_S + 600), 1);
	commit(&w->f);
	store_maintain(w->f.store);
	assert_int_equal(store_stats(w->f.store).series_rested, 1);
	assert_int_equal(store_stats(w->f.store).series, 1);
}

static size_t selected(struct world *w, const char *text, int min_s, int max_s)
{
	struct selection *s = reach(w, text, MS(min_s), MS(max_s));
	size_t n = s->n;

	drop(&w->f, s);
	return n;
}

static size_t awake(struct world *w)
{
	return store_stats(w->f.store).series - 1;
}

static void test_who_is_woken(void **state)
{
	struct world w;

	(void)state;
	make_one(&w);
	assert_int_equal(selected(&w, "__name__ = ended", ENDED_S + 1, ENDED_S + 600), 0);
	assert_int_equal(selected(&w, "__name__ = ended", -HOUR_S, -1), 0);
	assert_int_equal(selected(&w, "__name__ = ended i = 3", 0, ENDED_S), 0);
	assert_int_equal(selected(&w, "__name__ = alive", 0, ENDED_S), 1);
	assert_int_equal(awake(&w), 0);
	assert_int_equal(selected(&w, "__name__ = ended", HOUR_S, HOUR_S + 60), 1);
	assert_int_equal(awake(&w), 1);
	w.f.clock.wall = MS(ENDED_S + 601);
	store_maintain(w.f.store); /* stays awake until the next flush */
	assert_int_equal(awake(&w), 1);
	end(&w);
}

/* What ended just before a flush rests before the next one; who was woken meanwhile stays awake until then. */
static void test_rests_between_flushes(void **state)
{
	struct world w;

	(void)state;
	make_one(&w);
	for (int i = 0; i <= ENDED_S; i += 60) {
		w.f.clock.wall = MS(2 * ENDED_S + i);
		put(&w.f, "alive i=1", MS(2 * ENDED_S + i), i);
		put(&w.f, "late i=3", MS(2 * ENDED_S + i), i == ENDED_S ? value_stale() : i);
		commit(&w.f);
	}
	w.f.clock.wall += 300000;
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_written, 2);
	assert_int_equal(selected(&w, "__name__ = ended", 0, ENDED_S), 1);
	assert_int_equal(awake(&w), 2);
	w.f.clock.wall += 359000;
	store_maintain(w.f.store);
	assert_int_equal(awake(&w), 2);
	w.f.clock.wall += 1000;
	store_maintain(w.f.store);
	assert_int_equal(awake(&w), 1);
	assert_int_equal(store_stats(w.f.store).blocks_written, 2);
	assert_int_equal(selected(&w, "__name__ =~ ended|late", 3 * ENDED_S, 3 * ENDED_S), 2);
	assert_int_equal(awake(&w), 2);
	end(&w);
}

/* Ended in this run, so it is no value of an earlier one that hides while some target is unseen. */
static void test_wakes_as_it_was(void **state)
{
	struct store_unseen any = { .attempted = true };
	struct selection *s;
	struct world w;

	(void)state;
	make_one(&w);
	any.labels = parse_labels(&w.f.arena, "instance=new");
	store_set_unseen(w.f.store, &any, 1);
	s = reach(&w, "__name__ = ended", MS(0), MS(ENDED_S));
	assert_int_equal(s->n, 1);
	assert_int_equal(s->v[0].state, SERIES_GONE);
	assert_false(s->v[0].unread);
	assert_int_equal(read_all(&w.f, s, 0).n, ENDED_S / 60 + 1);
	drop(&w.f, s);
	end(&w);
}

/* Its new samples lie in memory while the old ones rest; whoever asks gets both as one. */
static void test_comes_back(void **state)
{
	struct selection *s;
	struct world w;

	(void)state;
	make_one(&w);
	put(&w.f, "ended i=2", MS(ENDED_S + 610), 7);
	commit(&w.f);
	for (int i = 0; i < 2; i++) {
		s = reach(&w, "__name__ = ended", i == 0 ? MS(ENDED_S + 600) : MS(0), MS(ENDED_S + 700));
		assert_int_equal(s->n, 1);
		assert_int_equal(s->v[0].state, SERIES_FRESH);
		assert_int_equal(read_all(&w.f, s, 0).n, ENDED_S / 60 + 2);
		drop(&w.f, s);
	}
	assert_int_equal(awake(&w), 1);
	assert_int_equal(store_stats(w.f.store).series_woken, 0);
	end(&w);
}

/* What a selection holds stays readable, and what remembered it asks again. */
static void test_rests_while_selected(void **state)
{
	struct selection *before, *after;
	struct world w;

	(void)state;
	make_one(&w);
	before = reach(&w, "__name__ = ended", MS(0), MS(ENDED_S));
	for (int i = 0; i < ENDED_S; i += 60)
		put(&w.f, "alive i=1", MS(2 * ENDED_S + i), i);
	commit(&w.f);
	w.f.clock.wall = MS(3 * ENDED_S);
	store_maintain(w.f.store);
	assert_int_equal(awake(&w), 0);
	assert_int_equal(read_all(&w.f, before, 0).n, ENDED_S / 60 + 1);
	after = reach(&w, "__name__ = ended", MS(0), MS(ENDED_S));
	assert_int_equal(after->n, 1);
	assert_int_equal(read_all(&w.f, after, 0).n, ENDED_S / 60 + 1);
	drop(&w.f, before);
	drop(&w.f, after);
	end(&w);
}

static void test_rests_through_a_merge(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i <= HOUR_S; i += 60) {
		put(&w.f, "ended", MS(i), i == HOUR_S ? value_stale() : i);
		commit(&w.f);
		if (i == HOUR_S / 2)
			assert_true(store_flush(w.f.store, &e));
	}
	restart(&w, MS(HOUR_S + 600));
	w.f.clock.wall = MS(3 * HOUR_S);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_merged, 2);
	assert_int_equal(store_stats(w.f.store).series, 0);
	assert_int_equal(selected(&w, "__name__ = ended", 0, HOUR_S), 1);
	end(&w);
}

/* Whether it rests after a start is for the latest of its blocks to say. */
static void test_ends_in_several_blocks(void **state)
{
	static const int last_s[2] = { HOUR_S, 2 * HOUR_S };
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	for (int block = 0, t = 0; block < 2; block++) {
		for (; t <= last_s[block]; t += 60) {
			put(&w.f, "back", MS(t), t == HOUR_S ? value_stale() : t);
			put(&w.f, "later", MS(t), t == 2 * HOUR_S ? value_stale() : t);
			put(&w.f, "twice", MS(t), t == last_s[block] ? value_stale() : t);
			commit(&w.f);
		}
		assert_true(store_flush(w.f.store, &e));
	}
	restart(&w, MS(5 * HOUR_S));
	assert_int_equal(store_stats(w.f.store).blocks, 2);
	assert_int_equal(store_stats(w.f.store).series, 1);
	assert_int_equal(store_stats(w.f.store).series_created, 1);
	assert_int_equal(selected(&w, "__name__ = back", 0, HOUR_S), 1);
	assert_int_equal(store_stats(w.f.store).series, 1);
	assert_int_equal(selected(&w, "__name__ =~ later|twice", 0, HOUR_S), 2);
	assert_int_equal(selected(&w, "__name__ =~ later|twice", 2 * HOUR_S + 1, 3 * HOUR_S), 2); /* awake by now */
	restart(&w, MS(5 * HOUR_S));
	assert_int_equal(selected(&w, "__name__ =~ later|twice", 2 * HOUR_S + 1, 3 * HOUR_S), 0);
	end(&w);
}

/* After a start it rests at once, and without its blocks nothing is left. */
static void test_restart_and_retention(void **state)
{
	struct world w;

	(void)state;
	make_one(&w);
	restart(&w, MS(ENDED_S + 700));
	assert_int_equal(store_stats(w.f.store).series, 1);
	assert_int_equal(selected(&w, "__name__ = ended", 0, ENDED_S), 1);
	restart(&w, MS(ENDED_S + 800));
	let_pass(&w, 86400 * 16);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks, 0);
	assert_int_equal(selected(&w, "i =~ .+", 0, 86400 * 16), 0);
	assert_int_equal(store_stats(w.f.store).series, 0);
	end(&w);
}

/* No query takes the room of what is scraped. */
static void test_no_room(void **state)
{
	const struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("ended"), NULL };
	struct err e = { 0 };
	char text[32];
	struct world w;

	(void)state;
	make_one(&w);
	teardown(&w.f);
	w.options.max_series = 16;
	start(&w, MS(ENDED_S + 700));
	for (int i = 0; i < 13; i++) {
		snprintf(text, sizeof text, "other i=%d", i);
		assert_true(put(&w.f, text, MS(ENDED_S + 700), 1));
	}
	commit(&w.f);
	assert_null(w.f.q->ops->select(w.f.q, &m, 1, (struct select_hints){ MS(0), MS(ENDED_S), 0 }, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "max_series"));
	assert_int_equal(selected(&w, "__name__ = other", 0, ENDED_S + 700), 13);
	end(&w);
}

/* Gone, but its blocks do not say so: it would wake as another. */
static void test_without_marker_it_stays(void **state)
{
	struct store_series *s;
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	s = store_series_ref(w.f.store, parse_labels(&w.f.arena, "m"), &e);
	for (int i = 0; i < CHUNK_SAMPLES; i++)
		assert_int_equal(store_append_ref(w.f.app, s, MS(i), i, NULL), STORE_OK);
	commit(&w.f);
	store_append_state(w.f.app, s, SERIES_GONE);
	commit(&w.f);
	store_series_unref(w.f.store, s);
	w.f.clock.wall = MS(2 * HOUR_S + 600);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_written, 1);
	assert_int_equal(store_stats(w.f.store).chunks, 0);
	assert_int_equal(store_stats(w.f.store).series, 1);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_who_is_woken),
		cmocka_unit_test(test_rests_between_flushes),
		cmocka_unit_test(test_wakes_as_it_was),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_rests_while_selected),
		cmocka_unit_test(test_ends_in_several_blocks),
		cmocka_unit_test(test_restart_and_retention),
		cmocka_unit_test(test_rests_through_a_merge),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_without_marker_it_stays),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
