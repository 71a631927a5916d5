/* Whatever the query, over a small store of counters, gauges, histograms, gaps and resets: it gives a result or an error with a
 * message, and evaluated again, from what was remembered, the very same. */
#include <assert.h>

#include "promql/promql.h"
#include "promql/script/notation.h"
#include "promql/script/ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const lines[] = {
	"a{x=\"1\", y=\"p\"} 0+1x20",
	"a{x=\"2\", y=\"p\"} 5 4 _ 3 NaN stale 7 Inf -Inf 0 1",
	"a{x=\"2\", y=\"q\"} _x5 1 1 1 2 0 4",
	"b_total{x=\"1\"} 0+10x9 3+7x9",
	"b_total{x=\"2\"} 100-3x20",
	"h_bucket{le=\"0.1\"} 0+1x20",
	"h_bucket{le=\"1\"} 0+3x20",
	"h_bucket{le=\"+Inf\"} 0+4x20",
	"n {{schema:0 sum:5 count:4 buckets:[1 2 1]}}x10",
	"n{x=\"c\"} {{schema:-53 sum:1 count:1 custom_values:[5 10] buckets:[1]}}x10",
	"mixed 1 2 {{schema:1 sum:5 count:4 buckets:[1 2 1]}} 3 {{schema:0 sum:5 count:4 buckets:[1 2 1] counter_reset_hint:gauge}}",
	"m {{schema:-53 count:4 custom_values:[1 2] buckets:[2 2]}}x3 {{schema:-53 count:8 sum:8 custom_values:[2 3] buckets:[4 4]}}x9",
	"o {{schema:2 count:4 sum:-4 z_bucket:2 z_bucket_w:0.3 n_buckets:[0 2]}}x3 {{schema:-4 count:2 z_bucket_w:5 buckets:[0 2]}}x9",
	"target_info{x=\"1\", version=\"7\", instance=\"i\", job=\"j\"} 1x20",
	"d{instance=\"i\", job=\"j\"} 1+2x20",
};

static struct ram *filled(void)
{
	struct ram *r = ram_new();
	struct arena a = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct str text = str_of(lines[i]);
		struct notation_value *v;
		struct labels labels;
		struct err e = { 0 };
		size_t count;
		bool ok = notation_read_labels(&a, &text, &labels, &e) && notation_read_values(&a, text, &v, &count, &e);

		assert(ok);
		for (size_t k = 0; k < count; k++)
			if (v[k].kind != NOTATION_NONE)
				ram_append(r, labels, (int64_t)k * 60000, v[k].v, v[k].h, i % 2 == 0 ? 0 : (int64_t)k * 60000 - 30000);
	}
	arena_fini(&a);
	return r;
}

static bool same_number(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b) || a == b;
}

static void check_same(const struct promql_result *a, const struct promql_result *b)
{
	assert(a->type == b->type && a->n_vector == b->n_vector && a->n_matrix == b->n_matrix && a->n_notes == b->n_notes);
	for (size_t i = 0; i < a->n_vector; i++) {
		assert(labels_eq(a->vector[i].labels, b->vector[i].labels));
		assert((a->vector[i].h == NULL) == (b->vector[i].h == NULL));
		assert(a->vector[i].h != NULL || same_number(a->vector[i].v, b->vector[i].v));
	}
	for (size_t i = 0; i < a->n_matrix; i++) {
		assert(labels_eq(a->matrix[i].labels, b->matrix[i].labels) && a->matrix[i].n == b->matrix[i].n);
		assert(i == 0 || labels_cmp(a->matrix[i - 1].labels, a->matrix[i].labels) < 0);
		for (size_t k = 0; k < a->matrix[i].n; k++)
			assert(a->matrix[i].t_ms[k] == b->matrix[i].t_ms[k]);
	}
}

static struct promql_result *evaluate(struct promql_query *q, struct arena *a, struct querier *querier, bool range, struct err *e)
{
	struct promql_result *r = range ? promql_range(q, a, querier, 0, 1200000, 130000, e) : promql_instant(q, a, querier, 600000, e);

	assert((r == NULL) == (e->code != ERR_NONE) && (r != NULL || e->msg[0] != '\0'));
	return r;
}

/* Time, and memory with what was remembered last: at the edge of these one evaluation may pass and the other not. */
static bool is_of_the_moment(const struct err *e)
{
	return e->code == ERR_TIMEOUT || (e->code == ERR_LIMIT && strncmp(e->msg, "query needs more memory", 23) == 0);
}

static void run(struct promql_query *q, struct querier *querier, bool range)
{
	struct arena a = { 0 }, b = { 0 };
	struct err e = { 0 }, e2 = { 0 };
	struct promql_result *r = evaluate(q, &a, querier, range, &e), *again = evaluate(q, &b, querier, range, &e2);

	assert(e.code == e2.code || is_of_the_moment(&e) || is_of_the_moment(&e2));
	if (r != NULL && again != NULL)
		check_same(r, again);
	arena_fini(&a);
	arena_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ram *ram;
	unsigned first = n > 0 ? data[0] : 0;
	struct promql_options o = { .features = PROMQL_ALL_FEATURES, .limits = { .max_samples = 20000, .timeout_ms = 2000 } };
	struct err e = { 0 };
	struct promql_query *q;

	if (ram == NULL)
		ram = filled();
	if (first == '~')
		o.features &= ~(unsigned)PROMQL_DELAYED_NAME_REMOVAL;
	q = promql_query_new(first == '~' ? (struct str){ (const char *)data + 1, n - 1 } : (struct str){ (const char *)data, n }, &o, &e);
	if (q == NULL)
		return 0;
	run(q, ram_querier(ram), false);
	if (promql_query_type(q) == PROMQL_VECTOR || promql_query_type(q) == PROMQL_SCALAR)
		run(q, ram_querier(ram), true);
	promql_query_free(q);
	return 0;
}
