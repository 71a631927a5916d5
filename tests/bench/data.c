/* Generates the bench's data, and prints it as OpenMetrics text: data END_MS > FILE */
#include "data.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const statuses[DATA_STATUSES] = { "200", "204", "400", "404", "500", "503" };
static const double busy[DATA_STATUSES] = { 400, 40, 12, 25, 3, 0.4 };  /* requests in five seconds */
static const char *const bounds[DATA_BUCKETS] = {
	"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf",
};
static const double spread[DATA_BUCKETS] = { 90, 80, 70, 60, 40, 20, 10, 5, 2, 0.5, 0.1, 0.02 };

struct maker {
	struct data_series s;
	int64_t end_ms;
	unsigned target;
	void (*fn)(void *, const struct data_series *);
	void *ctx;
};

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* In [0, 1), by what is counted, where and when. */
static double chance(const struct maker *m, unsigned what, unsigned i)
{
	return (double)(mix(((uint64_t)what << 40) ^ ((uint64_t)m->target << 20) ^ i) >> 11) * 0x1p-53;
}

/* How much a counter that rises by about <mean> a step rises at step <i>. */
static double rise(const struct maker *m, unsigned what, unsigned i, double mean)
{
	return floor(mean * (0.5 + chance(m, what, i)) + chance(m, what + 1, i));
}

__attribute__((format(printf, 3, 4))) static void put_label(struct data_series *s, const char *name, const char *format, ...)
{
	struct data_label *l = &s->labels[s->n_labels++];
	va_list ap;

	l->name = name;
	va_start(ap, format);
	vsnprintf(l->value, sizeof l->value, format, ap);
	va_end(ap);
}

static struct data_series *begin(struct maker *m, const char *family, const char *type, const char *name)
{
	struct data_series *s = &m->s;

	s->family = family;
	s->type = type;
	s->name = name;
	s->n_labels = 0;
	put_label(s, "job", "service-%u", m->target / 10);
	put_label(s, "instance", "host-%02u:9100", m->target);
	return s;
}

static void end(struct maker *m)
{
	m->fn(m->ctx, &m->s);
}

static void counters(struct maker *m, unsigned handler)
{
	for (unsigned status = 0; status < DATA_STATUSES; status++) {
		struct data_series *s = begin(m, "http_requests", "counter", "http_requests_total");
		unsigned what = 1000 + (handler * DATA_STATUSES + status) * 2;
		double v = floor(1e6 * chance(m, what, 999)), mean = busy[status];

		if (statuses[status][0] == '5')
			mean *= 1 + 0.3 * (m->target / 10);     /* some jobs fail more than others */

		put_label(s, "handler", "/api/v1/handler%u", handler);
		put_label(s, "status", "%s", statuses[status]);
		for (unsigned i = 0; i < DATA_SAMPLES; i++)
			s->v[i] = v += rise(m, what, i, mean);
		end(m);
	}
}

static void histogram(struct maker *m, unsigned handler)
{
	double count[DATA_SAMPLES] = { 0 }, sum[DATA_SAMPLES] = { 0 }, total = 0;
	struct data_series *s;

	for (unsigned b = 0; b < DATA_BUCKETS; b++) {
		unsigned what = 10000 + (handler * DATA_BUCKETS + b) * 2;
		double seen = floor(1e5 * chance(m, what, 999));

		s = begin(m, "http_request_duration_seconds", "histogram", "http_request_duration_seconds_bucket");
		put_label(s, "handler", "/api/v1/handler%u", handler);
		put_label(s, "le", "%s", bounds[b]);
		for (unsigned i = 0; i < DATA_SAMPLES; i++) {
			seen += rise(m, what, i, spread[b]);
			count[i] += seen;
			sum[i] += 0.017 * (b + 1) * seen;
			s->v[i] = count[i];
		}
		total += seen;
		end(m);
	}
	s = begin(m, "http_request_duration_seconds", "histogram", "http_request_duration_seconds_sum");
	put_label(s, "handler", "/api/v1/handler%u", handler);
	memcpy(s->v, sum, sizeof sum);
	end(m);
	s->name = "http_request_duration_seconds_count";
	memcpy(s->v, count, sizeof count);
	end(m);
}

static void queues(struct maker *m, unsigned queue)
{
	struct data_series *s = begin(m, "queue_depth", "gauge", "queue_depth");
	double v = 50;

	put_label(s, "queue", "queue-%u", queue);
	for (unsigned i = 0; i < DATA_SAMPLES; i++) {
		v = fmin(110, fmax(0, v + floor(21 * chance(m, 500 + queue, i)) - 10));
		s->v[i] = v;
	}
	end(m);
}

static void set_times(struct maker *m)
{
	int64_t offset = (m->target * 47 + 13) % (DATA_STEP_MS - 10);

	if (offset % 1000 == 0)
		offset++;
	for (unsigned i = 0; i < DATA_SAMPLES; i++)
		m->s.t_ms[i] = m->end_ms - (int64_t)(DATA_SAMPLES - i) * DATA_STEP_MS + offset;
}

void data_each(int64_t end_ms, void (*fn)(void *ctx, const struct data_series *), void *ctx)
{
	static const struct {
		void (*make)(struct maker *, unsigned);
		unsigned n;
	} families[] = { { counters, DATA_HANDLERS }, { histogram, DATA_HANDLERS }, { queues, DATA_QUEUES } };
	struct maker m = { .end_ms = end_ms, .fn = fn, .ctx = ctx };

	for (size_t f = 0; f < sizeof families / sizeof *families; f++)
		for (m.target = 0; m.target < DATA_TARGETS; m.target++) {
			set_times(&m);
			for (unsigned i = 0; i < families[f].n; i++)
				families[f].make(&m, i);
		}
}

#ifndef DATA_ONLY
static const char *open_family = "";

static void print_series(void *ctx, const struct data_series *s)
{
	char head[256];
	int n = 0;

	(void)ctx;
	if (strcmp(open_family, s->family) != 0)
		printf("# TYPE %s %s\n", s->family, s->type);
	open_family = s->family;
	for (size_t i = 0; i < s->n_labels; i++)
		n += snprintf(head + n, sizeof head - (size_t)n, "%c%s=\"%s\"", i == 0 ? '{' : ',', s->labels[i].name, s->labels[i].value);
	for (unsigned i = 0; i < DATA_SAMPLES; i++)
		printf("%s%s} %.15g %lld.%03lld\n", s->name, head, s->v[i], (long long)(s->t_ms[i] / 1000), (long long)(s->t_ms[i] % 1000));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: data END_MS\n");
		return 2;
	}
	data_each(strtoll(argv[1], NULL, 10), print_series, NULL);
	puts("# EOF");
	return fflush(stdout) == 0 ? 0 : 1;
}
#endif
