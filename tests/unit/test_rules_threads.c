/* Workers, reloads, snapshots and arrivals at once, for the thread sanitizer. Time is an atomic that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rules/rules.h"
#include "store/store.h"
#include "tocsin/conf.h"

enum { GROUPS = 6, WORKERS = 3, ROUNDS = 20 };

static _Atomic int64_t now = 1700000000000;
static atomic_size_t firing, commits;

static int64_t read_now(const struct clock *c)
{
	(void)c;
	return atomic_load(&now);
}

static bool commit(struct alert_sink *s, const struct alert_batch_rule *v, size_t n, struct err *e)
{
	(void)s;
	(void)e;
	atomic_fetch_add(&commits, 1);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < v[i].n_events; j++)
			if (v[i].events[j].edge == EDGE_FIRING)
				atomic_fetch_add(&firing, 1);
	return true;
}

static bool load(struct alert_sink *s, struct str key, struct arena *a, struct alert_record **out, size_t *n, struct err *e)
{
	(void)s;
	(void)key;
	(void)a;
	(void)e;
	*out = NULL;
	*n = 0;
	return true;
}

static void write_rules(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "groups:\n");
	for (int i = 0; i < GROUPS; i++)
		fprintf(f, "- name: g%d\n  interval: 1s\n  rules:\n  - record: r%d\n    expr: m{job=\"j\",instance=\"i\"} + %d\n"
		        "  - alert: A%d\n    expr: m{job=\"j\",instance=\"i\"} > 0\n", i, i, i, i);
	assert_int_equal(fclose(f), 0);
}

static uint64_t look(struct rules *r)
{
	const struct rules_snapshot *s = rules_snapshot_get(r);
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < s->n_groups; i++)
		if (s->groups[i]->iterations < least)
			least = s->groups[i]->iterations;
	rules_snapshot_release(s);
	return least;
}

static void reload(struct rules *r, const char *path)
{
	const struct rules_options options = { .interval_ms = 1000 };
	struct conf_report report = { 0 };
	struct str pattern = str_of(path);
	struct rules_plan *p = rules_plan_new(r, &options, &pattern, 1, &report);

	assert_true(rules_plan_is_good(p));
	rules_apply(r, p);
	conf_report_fini(&report);
}

static void test_together(void **state)
{
	static const struct alert_sink_ops ops = { commit, load };
	static const struct label series[] = { { { "__name__", 8 }, { "m", 1 } }, { { "instance", 8 }, { "i", 1 } }, { { "job", 3 }, { "j", 1 } } };
	const struct clock clock = { .now_ms = read_now, .mono_ms = read_now };
	const struct store_options store_options = { .clock = &clock };
	struct alert_sink sink = { &ops };
	struct store *store = store_new(&store_options);
	struct appender *in = store_appender_new(store), *out[WORKERS];
	struct rules_deps deps = { store_querier(store), out, WORKERS, &sink, &clock, NULL };
	char path[] = "/tmp/test_rules_threads.XXXXXX";
	struct rules *r;
	struct err e = { 0 };

	(void)state;
	close(mkstemp(path));
	write_rules(path);
	for (size_t i = 0; i < WORKERS; i++)
		out[i] = store_appender_new(store);
	store_set_held_from(store, 0);
	r = rules_new(&deps);
	reload(r, path);
	rules_start(r);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t before = look(r);

		assert_true(in->ops->append(in, (struct labels){ series, 3 }, atomic_load(&now), 1, NULL, &e) && in->ops->commit(in, &e));
		atomic_fetch_add(&now, 1000);
		rules_on_scrape(r, (struct labels){ series + 1, 2 }, atomic_load(&now));
		reload(r, path);
		while (look(r) <= before)
			sched_yield();
	}
	rules_stop(r);
	assert_int_equal(atomic_load(&firing), GROUPS);         /* each once, whatever happened around it */
	assert_true(atomic_load(&commits) >= GROUPS);
	rules_free(r);
	for (size_t i = 0; i < WORKERS; i++)
		store_appender_free(out[i]);
	store_appender_free(in);
	store_free(store);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_together) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
