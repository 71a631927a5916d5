/* How fast an exposition is read, in bytes a second of one core: a reply of 1,005 series scraped again and again, its counters a little higher
 * each time.
 *	known   every series was there the last time: recognised, its number read; nothing is stored (relabelling drops it)
 *	stored  the same, into the store
 *	new     every line parsed to labels, as if never seen before
 * A line of the output is the name and the best of some rounds, in MB a second of CPU time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../one_target.h"
#include "scrape/textparse.h"
#include "tocsin/regex.h"
#include "tocsin/relabel.h"

enum { SERIES = 1005, BODIES = 16, REPEAT = 400, ROUNDS = 5 };

static struct buf bodies[BODIES];

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void put_histogram(struct buf *b, int i, int body)
{
	static const char *const bounds[] = { "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf" };

	for (int k = 0; k < 10; k++)
		buf_printf(b, "http_request_duration_seconds_bucket{handler=\"/api/v1/items/%d\",method=\"GET\",le=\"%s\"} %d\n", i, bounds[k],
		           1000 * i + body * (k + 1));
}

static void make_bodies(void)
{
	for (int body = 0; body < BODIES; body++) {
		struct buf *b = &bodies[body];
		int n = 0;

		buf_printf(b, "# HELP http_request_duration_seconds How long requests took.\n# TYPE http_request_duration_seconds histogram\n");
		for (int i = 0; n < 500; i++, n += 10)
			put_histogram(b, i, body);
		buf_printf(b, "# TYPE http_requests_total counter\n");
		for (int i = 0; i < 300; i++, n++)
			buf_printf(b, "http_requests_total{method=\"GET\",path=\"/api/v1/items/%d\",status=\"200\"} %d\n", i, 7919 * i + 3 * body);
		buf_printf(b, "# TYPE queue_depth gauge\n");
		for (int i = 0; n < SERIES; i++, n++)
			buf_printf(b, "queue_depth{queue=\"queue-%d\",region=\"eu-west-1\"} %g\n", i, i % 4 == 0 ? i * 1.5 + body * 0.25 : i);
		(void)buf_z(b);
	}
}

static size_t all_bytes(void)
{
	size_t n = 0;

	for (int i = 0; i < BODIES; i++)
		n += bodies[i].n;
	return n;
}

static double scrape(bool stored)
{
	struct str metric = STR(LABEL_NAME);
	struct relabel_rule drop = { .action = RELABEL_DROP, .source_labels = { &metric, 1 }, .separator = STR(";") };
	struct one_target o;
	struct err e = { 0 };
	int64_t best = INT64_MAX;

	drop.regex = regex_new(STR(".*"), REGEX_ANCHORED, &e);
	one_target_init(&o, 5000);
	if (!stored)
		o.job.metric_relabel = (struct conf_list){ &drop, 1, NULL };
	one_target_begin(&o);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t began = cpu_ns();

		for (int i = 0; i < REPEAT; i++) {
			const struct buf *b = &bodies[i % BODIES];

			if (!one_target_scrape(&o, STR("text/plain"), (struct str){ b->p, b->n }))
				exit(1);
		}
		if (cpu_ns() - began < best)
			best = cpu_ns() - began;
	}
	one_target_fini(&o);
	regex_free(drop.regex);
	return (double)all_bytes() * REPEAT / BODIES / (double)best * 1e3;
}

static void parse_body(const struct buf *b, struct arena *a)
{
	struct textparse_sample sample;
	struct textparse_meta meta;
	enum textparse_kind kind;
	struct labels labels;
	struct textparse p;
	struct err e = { 0 };
	struct str series;

	textparse_init(&p, (struct str){ b->p, b->n }, false);
	while ((kind = textparse_next(&p)) != TEXTPARSE_END) {
		arena_reset(a);
		if (kind == TEXTPARSE_COMMENT ? !textparse_comment(&p, a, &meta)
		                              : !textparse_series(&p, &series) || !textparse_labels(series, a, &labels, NULL, &e) || !textparse_value(&p, &sample))
			exit(1);
	}
}

static double parse_new(void)
{
	struct arena a = { 0 };
	int64_t best = INT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		int64_t began = cpu_ns();

		for (int i = 0; i < REPEAT; i++)
			parse_body(&bodies[i % BODIES], &a);
		if (cpu_ns() - began < best)
			best = cpu_ns() - began;
	}
	arena_fini(&a);
	return (double)all_bytes() * REPEAT / BODIES / (double)best * 1e3;
}

int main(void)
{
	make_bodies();
	printf("known %.1f\nstored %.1f\nnew %.1f\n", scrape(false), scrape(true), parse_new());
	return 0;
}
