/* A million evaluations in one process, after half a million: all kinds of queries at changing times, kept ones, new ones and such as
 * fail. Prints the resident memory in kB before and after it. */
#include <stdio.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "promql/script/notation.h"
#include "promql/script/ram.h"

enum { EVALUATIONS = 1500000, WARM_UP = 500000, MINUTE_MS = 60000 };

static const char *const series[] = {
	"a{x=\"1\", y=\"p\"} 0+1x20",
	"a{x=\"2\", y=\"q\"} 5 4 _ 3 NaN stale 7 Inf -Inf 0 1",
	"b_total{x=\"1\"} 0+10x9 3+7x9",
	"h_bucket{le=\"0.1\"} 0+1x20",
	"h_bucket{le=\"+Inf\"} 0+4x20",
	"n {{schema:0 sum:5 count:4 buckets:[1 2 1]}}x20",
	"m {{schema:-53 count:4 custom_values:[1 2] buckets:[2 2]}}x3 {{schema:-53 count:8 sum:8 custom_values:[2 3] buckets:[4 4]}}x9",
	"target_info{version=\"7\", instance=\"i\", job=\"j\"} 1x20",
	"d{instance=\"i\", job=\"j\"} 1+2x20",
};

static const char *const texts[] = {
	"sum by (x) (rate(b_total[5m]))", "histogram_quantile(0.9, rate(h_bucket[5m]))", "histogram_quantile(0.9, n)", "sum(rate(n[3m])) + 1",
	"topk(1, a)", "count_values(\"v\", a)", "label_replace(a, \"z\", \"$1\", \"x\", \"(.*)\")", "a + on (x) group_left a", "a or b_total",
	"a unless b_total", "max_over_time(rate(b_total[2m])[5m:1m])", "quantile_over_time(0.5, a[5m])", "info(d)", "sort_desc(a)",
	"limitk(1, a)", "increase(b_total[3m] anchored)", "increase(b_total[3m] smoothed)", "sum by (x) (a) + fill(0) sum by (x) (b_total)",
	"absent(nosuch)", "m + m", "rate(b_total[1m1s]) or b_total", "timestamp(a) - time()", "a{x=~\"1|2\"} > 1", "a + on () a", "topk(NaN, a)",
	"sum(a[5m]", "label_replace(a, \"z\", \"$1\", \"x\", \"(\")",
};

static struct ram *filled(void)
{
	struct ram *r = ram_new();
	struct arena a = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(series); i++) {
		struct str text = str_of(series[i]);
		struct notation_value *v;
		struct labels labels;
		struct err e = { 0 };
		size_t n;

		if (!notation_read_labels(&a, &text, &labels, &e) || !notation_read_values(&a, text, &v, &n, &e))
			exit(2);
		for (size_t k = 0; k < n; k++)
			if (v[k].kind != NOTATION_NONE)
				ram_append(r, labels, (int64_t)k * MINUTE_MS, v[k].v, v[k].h, 0);
	}
	arena_fini(&a);
	return r;
}

static long resident_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "VmRSS: %ld", &kb);
	if (f != NULL)
		fclose(f);
	return kb;
}

/* Each fiftieth is parsed anew, each twentieth asks for a range. */
static void evaluate(struct ram *r, struct promql_query **kept, unsigned n, unsigned random)
{
	static const struct promql_options options = { .features = PROMQL_ALL_FEATURES };
	size_t i = random / 64 % ARRAY_LEN(texts);
	int64_t t_ms = random % (25 * MINUTE_MS);
	struct arena a = { 0 };
	struct err e = { 0 };

	if (n % 50 == 0) {
		promql_query_free(kept[i]);
		kept[i] = NULL;
	}
	if (kept[i] == NULL)
		kept[i] = promql_query_new(str_of(texts[i]), &options, &e);
	if (kept[i] != NULL && n % 20 == 0)
		(void)!promql_range(kept[i], &a, ram_querier(r), t_ms, t_ms + 10 * MINUTE_MS, MINUTE_MS, &e);
	else if (kept[i] != NULL)
		(void)!promql_instant(kept[i], &a, ram_querier(r), t_ms, &e);
	arena_fini(&a);
}

int main(void)
{
	static struct promql_query *kept[ARRAY_LEN(texts)];
	struct ram *r = filled();
	unsigned random = 1;

	for (unsigned n = 0; n < EVALUATIONS; n++) {
		if (n == WARM_UP)
			printf("%ld ", resident_kb());
		evaluate(r, kept, n, (random = random * 1664525u + 1013904223u) >> 4);
	}
	printf("%ld\n", resident_kb());
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		promql_query_free(kept[i]);
	ram_free(r);
	return 0;
}
