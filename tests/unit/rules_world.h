/* A world for tests of rules: a folder with rule files, the real store, a sink that remembers, and a clock that stands still until
 * the test moves it. */
#ifndef TOCSIN_TESTS_RULES_WORLD_H
#define TOCSIN_TESTS_RULES_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rules/rules.h"
#include "store/store.h"
#include "tocsin/conf.h"
#include "tocsin/mem.h"

#define T0 1700000000000
#define SEC 1000
#define MIN 60000

/* ---- a sink that remembers ---- */

enum { EVENTS_MAX = 512, RECORDS_MAX = 64 };

struct heard {
	enum alert_edge edge;
	char name[64], reason[256], labels[256], summary[256];
	int64_t at_ms, active_at_ms;
	double value;
};

struct kept {
	char key[512];
	struct alert_record record;
};

struct test_sink {
	struct alert_sink sink;
	struct arena arena;
	struct heard events[EVENTS_MAX];
	size_t n_events;
	struct kept records[RECORDS_MAX];
	size_t n_records, commits;
	bool refuse;
};

static void copy_text(char *to, size_t cap, struct str s)
{
	snprintf(to, cap, STR_FMT, STR_ARG(s));
}

static void hear(struct test_sink *s, const struct alert_event *e)
{
	struct heard *h = &s->events[s->n_events++];
	struct buf b = { 0 };

	assert_true(s->n_events < EVENTS_MAX);
	h->edge = e->edge;
	h->at_ms = e->at_ms;
	h->value = e->record->value;
	h->active_at_ms = e->record->active_at_ms;
	copy_text(h->name, sizeof h->name, labels_get(e->record->labels, STR("alertname")));
	copy_text(h->reason, sizeof h->reason, e->reason);
	copy_text(h->summary, sizeof h->summary, labels_get(e->record->annotations, STR("summary")));
	labels_print(&b, e->record->labels);
	copy_text(h->labels, sizeof h->labels, buf_str(&b));
	buf_fini(&b);
}

static void keep(struct test_sink *s, struct str key, const struct alert_record *r)
{
	size_t i = 0;

	while (i < s->n_records && !(str_eq(str_of(s->records[i].key), key) && labels_eq(s->records[i].record.labels, r->labels)))
		i++;
	assert_true(i < RECORDS_MAX);
	if (r->state == ALERT_INACTIVE) {
		if (i < s->n_records)
			s->records[i] = s->records[--s->n_records];
		return;
	}
	s->n_records += i == s->n_records;
	copy_text(s->records[i].key, sizeof s->records[i].key, key);
	s->records[i].record = *r;
	s->records[i].record.labels = labels_copy(&s->arena, r->labels);
	s->records[i].record.annotations = labels_copy(&s->arena, r->annotations);
	s->records[i].record.value_text = arena_str(&s->arena, r->value_text);
}

static bool sink_commit(struct alert_sink *sink, const struct alert_batch_rule *v, size_t n, struct err *e)
{
	struct test_sink *s = (struct test_sink *)sink;

	if (s->refuse)
		return err_set(e, ERR_IO, -1, "disk full");
	s->commits++;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < v[i].n_records; j++)
			keep(s, v[i].rule->key, &v[i].records[j]);
		for (size_t j = 0; j < v[i].n_events; j++)
			hear(s, &v[i].events[j]);
	}
	return true;
}

static bool sink_load(struct alert_sink *sink, struct str key, struct arena *a, struct alert_record **out, size_t *n, struct err *e)
{
	struct test_sink *s = (struct test_sink *)sink;

	if (s->refuse)
		return err_set(e, ERR_IO, -1, "locked");
	*out = ARENA_ARRAY(a, s->n_records, struct alert_record);
	*n = 0;
	for (size_t i = 0; i < s->n_records; i++)
		if (str_eq(str_of(s->records[i].key), key))
			(*out)[(*n)++] = s->records[i].record;
	return true;
}

static const struct alert_sink_ops sink_ops = { sink_commit, sink_load };

/* ---- a world ---- */

struct world {
	char dir[64];
	const char *kept;               /* of rules_deps */
	const char *pattern;            /* of the rule files */
	struct clock clock;
	struct store *store;
	struct appender *in, *out;
	struct test_sink *sink;
	struct rules *rules;
	int64_t now_ms, set_back_ms;    /* the wall clock, by as much in all */
};

static void start_rules(struct world *w)
{
	struct rules_deps deps = { store_querier(w->store), &w->out, 1, &w->sink->sink, &w->clock, w->kept };

	w->clock.mono = w->now_ms + w->set_back_ms;
	w->rules = rules_new(&deps);
}

static void world_init(struct world *w)
{
	struct store_options options = { .clock = &w->clock };

	*w = (struct world){ .dir = "/tmp/test_rules.XXXXXX", .pattern = "*.yml", .now_ms = T0 };
	assert_non_null(mkdtemp(w->dir));
	w->clock = clock_manual(T0);
	w->store = store_new(&options);
	store_set_held_from(w->store, T0 - 60 * MIN);
	w->in = store_appender_new(w->store);
	w->out = store_appender_new(w->store);
	w->sink = mem_alloc(sizeof *w->sink);
	w->sink->sink.ops = &sink_ops;
	start_rules(w);
}

static void path_of(const struct world *w, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", w->dir, name);
}

static void write_file(const struct world *w, const char *name, struct str text)
{
	char path[128];
	FILE *f;

	path_of(w, name, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

static inline void remove_file(const struct world *w, const char *name)
{
	char path[128];

	path_of(w, name, path);
	unlink(path);
}

static void world_fini(struct world *w)
{
	char command[128];

	rules_free(w->rules);
	store_appender_free(w->in);
	store_appender_free(w->out);
	store_free(w->store);
	arena_fini(&w->sink->arena);
	free(w->sink);
	snprintf(command, sizeof command, "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
}

static const struct rules_options options = { .interval_ms = 15 * SEC, .settle_ms = 50 * SEC, .external_url = { "http://t", 8 } };

/* Reloads the rule files; true when the plan was good. */
static bool reload(struct world *w, struct conf_report *report)
{
	char path[128];
	struct str pattern;
	struct rules_plan *p;
	bool good;

	path_of(w, w->pattern, path);
	pattern = str_of(path);
	w->clock.wall = w->now_ms;
	p = rules_plan_new(w->rules, &options, &pattern, 1, report);
	good = rules_plan_is_good(p);
	rules_apply(w->rules, p);
	if (rules_next_due_ms(w->rules, w->now_ms) != INT64_MAX)
		w->now_ms = rules_next_due_ms(w->rules, w->now_ms);     /* a group's slots have an offset of their own */
	return good;
}

static void load(struct world *w, const char *text)
{
	struct conf_report report = { 0 };
	struct buf b = { 0 };

	write_file(w, "r.yml", str_of(text));
	if (!reload(w, &report)) {
		conf_report_print(&report, &b);
		fail_msg("%s", buf_z(&b));
	}
	conf_report_fini(&report);
}

static struct labels parse_series(struct arena *a, const char *text)
{
	struct matcher *m = NULL;
	struct err e = { 0 };
	struct label *v;
	struct labels l;
	size_t n = 0;

	assert_true(promql_parse_matchers(a, str_of(text), &m, &n, &e));
	v = ARENA_ARRAY(a, n, struct label);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct label){ m[i].name, m[i].value };
	assert_true(labels_from(v, n, &l, NULL));
	return l;
}

static void put(struct world *w, const char *series, double v, const struct histogram *h)
{
	struct arena a = { 0 };
	struct err e = { 0 };

	if (!w->in->ops->append(w->in, parse_series(&a, series), w->now_ms - SEC, v, h, &e))
		fail_msg("%s: %s", series, e.msg);
	assert_true(w->in->ops->commit(w->in, &e));
	arena_fini(&a);
}

static inline void lose(struct world *w, const char *series)
{
	struct arena a = { 0 };
	struct err e = { 0 };

	put(w, series, value_stale(), NULL);
	w->in->ops->mark_lost(w->in, parse_series(&a, series), w->now_ms - SEC);
	assert_true(w->in->ops->commit(w->in, &e));
	arena_fini(&a);
}

static void tick(struct world *w)
{
	w->clock.wall = w->now_ms;
	w->clock.mono = w->now_ms + w->set_back_ms;
	rules_tick(w->rules, w->now_ms);
	w->now_ms += 15 * SEC;
}

/* Events of an alert as "firing resolved", and of all when <name> is NULL. */
static void expect(const struct world *w, const char *name, const char *want)
{
	char got[2048] = "";

	for (size_t i = 0; i < w->sink->n_events; i++) {
		const struct heard *h = &w->sink->events[i];
		size_t n = strlen(got);

		if (name == NULL || strcmp(h->name, name) == 0)
			snprintf(got + n, sizeof got - n, "%s%s", n > 0 ? " " : "", alert_edge_name(h->edge));
	}
	assert_string_equal(got, want);
}

static inline double ask(struct world *w, const char *expr)
{
	const struct promql_options o = { 0 };
	struct arena a = { 0 };
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(str_of(expr), &o, &e);
	struct promql_result *r = q != NULL ? promql_instant(q, &a, store_querier(w->store), w->now_ms, &e) : NULL;
	double v;

	if (r == NULL)
		fail_msg("%s: %s", expr, e.msg);
	v = r->n_vector == 1 ? r->vector[0].v : r->n_vector == 0 ? -1 : -2;
	arena_fini(&a);
	promql_query_free(q);
	return v;
}

#endif
