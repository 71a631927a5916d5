/* What the journal says of series beside their samples: fresh, lost or gone, whose they are, and from when on data is held. */
#include "journal_world.h"

static void append_end(struct world *w, const char *labels, int64_t t_ms, enum series_state why)
{
	struct err e = { 0 };
	struct store_series *s = store_series_ref(w->f.store, parse_labels(&w->f.arena, labels), &e);

	store_append_end(w->f.app, s, t_ms, why);
	commit(&w->f);
	store_series_unref(w->f.store, s);
}

static void set_state(struct world *w, const char *labels, enum series_state state)
{
	struct err e = { 0 };
	struct store_series *s = store_series_ref(w->f.store, parse_labels(&w->f.arena, labels), &e);

	store_append_state(w->f.app, s, state);
	commit(&w->f);
	store_series_unref(w->f.store, s);
}

static void own(struct world *w, const char *labels, uint64_t owner)
{
	struct err e = { 0 };
	struct store_series *s = store_series_ref(w->f.store, parse_labels(&w->f.arena, labels), &e);

	store_series_own(w->f.store, s, owner);
	store_series_unref(w->f.store, s);
}

static size_t claim(struct world *w, uint64_t owner, size_t *n_lost)
{
	struct arena a = { 0 };
	size_t n;
	struct store_claim *v = store_claim(w->f.store, owner, &a, &n);

	*n_lost = 0;
	for (size_t i = 0; i < n; i++) {
		*n_lost += v[i].lost;
		store_series_unref(w->f.store, v[i].series);
	}
	arena_fini(&a);
	return n;
}

static bool is_of(void *ctx, uint64_t owner)
{
	return owner == *(uint64_t *)ctx;
}

static bool is_nobodys(void *ctx, const struct store_series *s)
{
	(void)ctx, (void)s;
	return false;
}

/* How many series are given up when only <owner> may claim. */
static size_t abandon(struct world *w, uint64_t owner)
{
	const struct store_keeper keeper = { is_of, is_nobodys, &owner };
	struct arena a = { 0 };
	struct store_abandoning at = { 0 };
	struct store_series **v;
	size_t n, all = 0;

	do {
		(void)store_abandon(w->f.store, &at, 1, &keeper, &a, &v, &n);
		for (size_t i = 0; i < n; i++)
			store_series_unref(w->f.store, v[i]);
		all += n;
	} while (at.owner != 0);
	arena_fini(&a);
	return all;
}

/* How it stops: by a crash, or as it should. */
static void states(bool flush)
{
	struct err e = { 0 };
	size_t n_lost;
	struct world w;

	begin(&w);
	own(&w, "fresh a=1", 7);
	own(&w, "lost a=1", 7);
	own(&w, "gone a=1", 7);
	own(&w, "other a=1", 8);
	put(&w.f, "fresh a=1", MS(0), 1);
	put(&w.f, "lost a=1", MS(0), 1);
	put(&w.f, "gone a=1", MS(0), 1);
	put(&w.f, "marked", MS(0), 1);
	put1(&w, "other a=1", MS(0), 1);
	append_end(&w, "lost a=1", MS(5), SERIES_LOST);
	append_end(&w, "gone a=1", MS(5), SERIES_GONE);
	w.f.app->ops->mark_lost(w.f.app, parse_labels(&w.f.arena, "marked"), MS(5));
	commit(&w.f);
	for (int round = 0; round < 3; round++) {
		if (flush)
			assert_true(store_flush(w.f.store, &e));
		restart(&w, MS(10 + round));
		assert_true(store_knows_past(w.f.store));
		assert_int_equal(state_of(&w, "fresh"), SERIES_LOST);
		assert_int_equal(state_of(&w, "lost"), SERIES_LOST);
		assert_int_equal(state_of(&w, "marked"), SERIES_LOST);
		assert_int_equal(state_of(&w, "gone"), SERIES_GONE);
	}
	assert_int_equal(claim(&w, 7, &n_lost), 2);
	assert_int_equal(n_lost, 1);
	assert_int_equal(claim(&w, 7, &n_lost), 0);
	w.f.clock = clock_manual(MS(1000)); /* the others came back, or nobody knows of them any more */
	assert_int_equal(state_of(&w, "lost"), SERIES_LOST);
	assert_int_equal(state_of(&w, "fresh"), SERIES_GONE);
	assert_int_equal(state_of(&w, "marked"), SERIES_GONE);
	assert_int_equal(state_of(&w, "other"), SERIES_LOST); /* while its owner may claim it */
	assert_int_equal(abandon(&w, 8), 0);
	assert_int_equal(abandon(&w, 7), 1);
	assert_int_equal(claim(&w, 8, &n_lost), 0);
	end(&w);
}

static void test_states_after_a_crash(void **state)
{
	(void)state;
	states(false);
}

static void test_states_after_a_stop(void **state)
{
	(void)state;
	states(true);
}

static enum series_state state_as_of(struct world *w, uint64_t as_of, int64_t *since_ms)
{
	struct selection *s = pick_as_of(&w->f, "__name__ = m", as_of);
	enum series_state state = s->v[0].state;

	assert_int_equal(s->n, 1);
	*since_ms = s->v[0].lost_since_ms;
	drop(&w->f, s);
	return state;
}

static uint64_t now_as_of(struct world *w)
{
	struct selection *s = pick(&w->f, "__name__ = m");
	uint64_t as_of = s->as_of;

	drop(&w->f, s);
	return as_of;
}

/* Whoever does not see yet what came back does not see that it is back either. */
static void test_a_return_is_seen_with_its_sample(void **state)
{
	int64_t since_ms;
	struct world w;
	uint64_t before;

	(void)state;
	begin(&w);
	put1(&w, "m", MS(0), 1);
	append_end(&w, "m", MS(5), SERIES_LOST);
	before = now_as_of(&w);
	put1(&w, "m", MS(20), 2);
	assert_int_equal(state_as_of(&w, before, &since_ms), SERIES_LOST);
	assert_int_equal(since_ms, MS(0));
	assert_int_equal(state_as_of(&w, 0, &since_ms), SERIES_FRESH);
	for (int with_sample = 0; with_sample < 2; with_sample++) { /* or it was gone */
		int64_t t_ms = MS(100 + 100 * with_sample);

		w.f.clock = clock_manual(t_ms);
		put1(&w, "m", t_ms, 2);
		append_end(&w, "m", t_ms + MS(1) - MS(0), SERIES_LOST);
		before = now_as_of(&w);
		if (with_sample)
			append_end(&w, "m", t_ms + MS(2) - MS(0), SERIES_GONE);
		else
			set_state(&w, "m", SERIES_GONE);
		assert_int_equal(state_as_of(&w, before, &since_ms), SERIES_LOST);
		assert_int_equal(since_ms, t_ms);
		assert_int_equal(state_as_of(&w, 0, &since_ms), SERIES_GONE);
	}
	put1(&w, "m", MS(300), 2);
	before = now_as_of(&w);
	put1(&w, "m", MS(305), 3);
	assert_int_equal(state_as_of(&w, before, &since_ms), SERIES_FRESH);

	for (int flush = 0; flush < 2; flush++) { /* away ourselves for longer than the lookback */
		struct err e = { 0 };
		int64_t last_ms = MS(305 + 1000 * flush), back_ms = last_ms + MS(1000) - MS(0);

		if (flush)
			assert_true(store_flush(w.f.store, &e));
		restart(&w, back_ms);
		before = now_as_of(&w);
		put1(&w, "m", back_ms, 4);
		assert_int_equal(state_as_of(&w, before, &since_ms), SERIES_LOST);
		assert_int_equal(since_ms, last_ms);
		assert_int_equal(state_as_of(&w, 0, &since_ms), SERIES_FRESH);
	}
	end(&w);
}

static void test_rules_of_order(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w);
	put1(&w, "m", MS(10), 5);
	put1(&w, "m", MS(20), 6);
	restart(&w, MS(21));
	assert_false(put(&w.f, "m", MS(15), 1)); /* there is a later one */
	assert_false(put(&w.f, "m", MS(20), 7)); /* another value */
	assert_true(put(&w.f, "m", MS(20), 6));  /* the same */
	commit(&w.f);
	assert_int_equal(count_of(&w, "m"), 2);
	assert_true(store_flush(w.f.store, &e));
	restart(&w, MS(22));
	assert_false(put(&w.f, "m", MS(15), 1));
	assert_int_equal(count_of(&w, "m"), 2);
	end(&w);
}

static void test_held_from(void **state)
{
	struct selection *s;
	struct world w;

	(void)state;
	begin(&w);
	put1(&w, "m", MS(0), 5);
	restart(&w, MS(30));
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->held_from_ms, MS(0)); /* a short time away is none */
	drop(&w.f, s);
	restart(&w, MS(3000));
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->held_from_ms, MS(3000));
	drop(&w.f, s);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_after_a_crash),
		cmocka_unit_test(test_states_after_a_stop),
		cmocka_unit_test(test_a_return_is_seen_with_its_sample),
		cmocka_unit_test(test_rules_of_order),
		cmocka_unit_test(test_held_from),
	};

	return cmocka_run_group_tests_name("store states", tests, NULL, no_piece_is_left);
}
