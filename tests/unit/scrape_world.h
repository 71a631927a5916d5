/* A scrape loop without network: replies are fed by hand, and what the store has of them is printed. */
#ifndef TOCSIN_SCRAPE_WORLD_H
#define TOCSIN_SCRAPE_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "scrape/scrape.h"
#include "tests.h"
#include "tocsin/num.h"

enum { T0 = 1700000000 };
#define MS(s) ((int64_t)(T0 + (s)) * 1000)

struct fixture {
	const char *dir; /* of the store; NULL: it is in memory only */
	bool type_and_unit;
	size_t max_series; /* 0: the default */
	struct clock clock;
	struct store *store;
	struct scrape_loop *loop;
	struct conf_report report;
	struct arena arena;
	struct conf_reader rd;
	struct scrape_config config;
};

static inline struct scrape_config read_config(struct fixture *f, const char *yaml)
{
	const struct scrape_defaults defaults = { .interval_ms = 15000, .timeout_ms = 10000 };
	struct scrape_config out;
	struct conf_node *node = conf_load_text(&f->arena, STR("test.yml"), str_of(yaml), &f->report);

	if (!scrape_config_read(&f->rd, node, &defaults, &out)) {
		struct buf b = { 0 };

		conf_report_print(&f->report, &b);
		fail_msg("%s", buf_z(&b));
	}
	return out;
}

static inline void begin(struct fixture *f)
{
	struct store_options store_options = { .clock = &f->clock, .max_series = f->max_series };
	struct scrape_options options = { .clock = &f->clock, .type_and_unit = f->type_and_unit };
	struct err e = { 0 };

	f->store = store_new(&store_options);
	if (f->dir != NULL)
		assert_true(store_open_history(f->store, f->dir, &e) && store_open_journal(f->store, f->dir, &e));
	options.store = f->store;
	f->loop = scrape_new(&options);
	scrape_reload(f->loop, &f->config);
}

static inline void setup_in(struct fixture *f, const char *yaml, const char *dir)
{
	*f = (struct fixture){ .clock = clock_manual(MS(0)), .dir = dir };
	f->rd = (struct conf_reader){ .arena = &f->arena, .report = &f->report };
	f->config = read_config(f, yaml);
	begin(f);
}

static inline void setup(struct fixture *f, const char *yaml)
{
	setup_in(f, yaml, NULL);
}

/* The alerter stops and comes back <at> seconds, with <yaml>. */
static inline void restart(struct fixture *f, int at, const char *yaml)
{
	scrape_free(f->loop);
	store_sync(f->store);
	store_free(f->store);
	f->clock.wall = MS(at);
	f->config = read_config(f, yaml);
	begin(f);
}

static inline void teardown(struct fixture *f)
{
	scrape_free(f->loop);
	store_free(f->store);
	conf_release(f->rd.held);
	conf_report_fini(&f->report);
	arena_fini(&f->arena);
}

static inline bool feed(struct fixture *f, int at, const char *body)
{
	const struct scrape_reply r = { .http_status = 200,
		                        .content_type = STR("text/plain; version=0.0.4"),
		                        .body = str_of(body) };

	f->clock.wall = MS(at);
	return scrape_ingest(f->loop, 0, &r, MS(at));
}

static inline bool feed_failure(struct fixture *f, int at)
{
	const struct scrape_reply r = { .transport_error = "connection refused" };

	f->clock.wall = MS(at);
	return scrape_ingest(f->loop, 0, &r, MS(at));
}

/* schema/count/sum and the buckets, by index. */
static inline void print_side(struct buf *out, const char *name, const struct histogram_side *s)
{
	int64_t index = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n_spans; i++) {
		index += s->spans[i].offset;
		for (uint32_t k = 0; k < s->spans[i].length; k++) {
			buf_printf(out, " %s%lld=", name, (long long)index++);
			buf_num(out, s->buckets[at++]);
		}
	}
}

static inline void print_histogram(struct buf *out, const struct histogram *h)
{
	buf_printf(out, "[%d n=", h->schema);
	buf_num(out, h->count);
	buf_putz(out, " sum=");
	buf_num(out, h->sum);
	for (uint32_t i = 0; i < h->n_custom; i++) {
		buf_putz(out, i > 0 ? "," : " to ");
		buf_num(out, h->custom[i]);
	}
	print_side(out, "-", &h->neg);
	print_side(out, "", &h->pos);
	buf_putc(out, ']');
}

static inline void print_series(struct fixture *f, struct querier *q, const struct selection *s, size_t i, struct buf *out)
{
	static const char *const states[] = { "fresh", "gone", "lost" };
	struct samples got;
	struct err e = { 0 };

	assert_true(q->ops->samples(q, s, i, INT64_MIN, INT64_MAX, false, &f->arena, &got, &e));
	labels_print(out, s->v[i].labels);
	for (size_t k = 0; k < got.n; k++) {
		buf_printf(out, " %lld:", (long long)(got.t_ms[k] / 1000 - T0));
		if (got.h != NULL && got.h[k] != NULL)
			print_histogram(out, got.h[k]);
		else if (value_is_stale(got.v[k]))
			buf_putz(out, "stale");
		else
			buf_num(out, got.v[k]);
	}
	buf_printf(out, " %s\n", states[s->v[i].state]);
}

/* Every series of <metric> (all but reports when NULL), one a line, in order of creation. */
static inline const char *dump(struct fixture *f, const char *metric)
{
	struct querier *q = store_querier(f->store);
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), str_of(metric), NULL };
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, metric != NULL, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	struct buf out = { 0 };
	const char *text;

	for (size_t i = 0; i < s->n; i++) {
		struct str name = labels_get(s->v[i].labels, STR(LABEL_NAME));

		if (metric != NULL || !(str_eq(name, STR("up")) || str_starts(name, STR("scrape_"))))
			print_series(f, q, s, i, &out);
	}
	q->ops->release(q, s);
	text = arena_strz(&f->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

#define SIMPLE "- job_name: j\n  static_configs: [{targets: ['h:1']}]\n"
#define AT     "{instance=\"h:1\", job=\"j\"}"

#endif
