/* Native histograms alone: bounds, texts, sums of what is laid out differently, resets, estimates, trimming. What Prometheus's own
 * scripts show (promqltest) is not repeated; here are the edges they leave out. Histograms are written in test notation. */
#include "tests.h"

#include <float.h>
#include <math.h>

#include "promql/histogram_buckets.h"
#include "promql/histogram_ops.h"
#include "promql/histogram_tally.h"
#include "promql/promql.h"
#include "promql/script/notation.h"
#include "tocsin/num.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

static const struct histogram *read(const char *text)
{
	struct notation_value *v;
	struct err e = { 0 };
	size_t n;

	if (!notation_read_values(&arena, str_of(text), &v, &n, &e) || n != 1)
		fail_msg("%s: %s", text, e.msg);
	return v[0].h;
}

static const char *shown(const struct histogram *h)
{
	static const char *const hints[] = { "", " reset", " not_reset", " gauge" };
	struct buf b = { 0 };
	const char *out;

	if (h == NULL)
		return "none";
	promql_histogram_print(&b, h);
	buf_putz(&b, hints[h->reset]);
	out = arena_strz(&arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* Equal to within rounding of the last digits; the text names the case. */
static void check_near(const char *name, double got, double want)
{
	if (!(fabs(got - want) <= 1e-14 * fabs(want)) && !(isnan(got) && isnan(want)) && got != want)
		fail_msg("%s: expected %.17g, got %.17g", name, want, got);
}

static void check_text(const char *name, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s:\n expected %s\n got      %s", name, want, got);
}

/* ---- bounds ---- */

static void test_bounds(void **state)
{
	static const struct {
		int32_t schema;
		int64_t index;
		const char *upper;
	} cases[] = {
		{ 0, 0, "1" }, { 0, 1, "2" }, { 0, -1, "0.5" }, { -1, 1, "4" },
		{ -4, 1, "65536" }, { -4, 0, "1" }, { -4, -1, "1.52587890625e-05" },
		{ 1, 1, "1.414213562373095" }, { 1, -1, "0.7071067811865475" }, { 1, 2, "2" }, { 2, 3, "1.6817928305074288" },
		{ 3, 5, "1.5422108254079407" }, { 5, 31, "1.9571441241753997" }, { 7, 127, "1.9891988469672657" },
		{ 8, 1, "1.0027112750502025" },
		{ 8, 129, "1.4180478843204152" }, { 8, 173, "1.597461597908627" }, { 8, -256, "0.5" },
		/* the last finite bound, and what is behind it */
		{ 0, 1023, "8.98846567431158e+307" }, { 0, 1024, "1.7976931348623157e+308" }, { 0, 1025, "+Inf" },
		{ -4, 64, "1.7976931348623157e+308" }, { -4, 65, "+Inf" },
		{ 8, 262144, "1.7976931348623157e+308" }, { 8, 262145, "+Inf" },
		{ 0, -1074, "5e-324" }, { 0, -1075, "0" }, { 0, 40000000000, "+Inf" }, { 8, -40000000000, "0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str name = arena_printf(&arena, "schema %d bucket %lld", cases[i].schema, (long long)cases[i].index);
		char text[NUM_MAX];

		num_format(text, exponential_bound(cases[i].schema, cases[i].index));
		check_text(name.p, text, cases[i].upper);
	}
}

static void test_all_bounds_rise(void **state)
{
	(void)state;
	for (int32_t schema = HISTOGRAM_SCHEMA_MIN; schema <= HISTOGRAM_SCHEMA_MAX; schema++) {
		int64_t far = schema >= 0 ? 1024LL << schema : 1024 >> -schema;

		for (int64_t i = -far; i <= far; i++)
			if (!(exponential_bound(schema, i) < exponential_bound(schema, i + 1)))
				fail_msg("schema %d: bucket %lld is empty", schema, (long long)i + 1);
	}
}

/* ---- texts ---- */

static const struct {
	const char *name, *histogram, *text, *json;     /* JSON with ' for " */
} texts[] = {
	{ "nothing", "{{}}", "{count:0, sum:0}", "{'count':'0','sum':'0'}" },
	{ "both sides and zero", "{{schema:0 count:9 sum:-3.5 z_bucket:2 z_bucket_w:0.25 buckets:[1 0 2] n_buckets:[3 1]}}",
	  "{count:9, sum:-3.5, [-2,-1):1, [-1,-0.5):3, [-0.25,0.25]:2, (0.5,1]:1, (2,4]:2}",
	  "{'count':'9','sum':'-3.5','buckets':[[1,'-2','-1','1'],[1,'-1','-0.5','3'],[3,'-0.25','0.25','2'],"
	  "[0,'0.5','1','1'],[0,'2','4','2']]}" },
	{ "zero bucket within a bucket", "{{schema:0 count:2 z_bucket:1 z_bucket_w:0.75 buckets:[1] n_buckets:[1]}}",
	  "{count:2, sum:0, [-1,-0.5):1, [-0.75,0.75]:1, (0.5,1]:1}",
	  "{'count':'2','sum':'0','buckets':[[1,'-1','-0.75','1'],[3,'-0.75','0.75','1'],[0,'0.75','1','1']]}" },
	{ "custom", "{{schema:-53 count:6 sum:1e-7 custom_values:[-1 2.5] buckets:[1 2 3]}}",
	  "{count:6, sum:1e-07, [-Inf,-1]:1, (-1,2.5]:2, (2.5,+Inf]:3}",
	  "{'count':'6','sum':'1e-07','buckets':[[3,'-Inf','-1','1'],[0,'-1','2.5','2'],[0,'2.5','+Inf','3']]}" },
	{ "no custom bounds", "{{schema:-53 count:1 sum:NaN buckets:[1]}}", "{count:1, sum:NaN, [-Inf,+Inf]:1}",
	  "{'count':'1','sum':'NaN','buckets':[[3,'-Inf','+Inf','1']]}" },
	{ "large and small", "{{schema:0 count:1e6 sum:1e21 buckets:[0.00001 1e6]}}",
	  "{count:1e+06, sum:1e+21, (0.5,1]:1e-05, (1,2]:1e+06}",
	  "{'count':'1000000','sum':'1e+21','buckets':[[0,'0.5','1','0.00001'],[0,'1','2','1000000']]}" },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct histogram *h = read(texts[i].histogram);
		struct buf json = { 0 };

		promql_histogram_json(&json, h);
		for (size_t k = 0; k < json.n; k++)
			json.p[k] = json.p[k] == '"' ? '\'' : json.p[k];
		check_text(texts[i].name, shown(h), texts[i].text);
		check_text(texts[i].name, buf_z(&json), texts[i].json);
		buf_fini(&json);
	}
}

static void test_walk_down(void **state)
{
	const struct histogram *h = read("{{schema:0 count:9 z_bucket:2 z_bucket_w:0.25 buckets:[1 2] n_buckets:[3 4] offset:3}}");
	static const double counts[] = { 2, 1, 2, 3, 4 }, lowers[] = { 8, 4, -0.25, -1, -2 };
	struct histogram_walk walk = histogram_walk_down(h);
	struct histogram_bucket b;
	size_t n = 0;

	(void)state;
	for (; histogram_next(&walk, &b); n++) {
		assert_true(n < ARRAY_LEN(counts));
		assert_true(b.count == counts[n]);
		assert_true(b.lower == lowers[n]);
	}
	assert_int_equal(n, ARRAY_LEN(counts));
}

/* ---- sums ---- */

static const struct {
	const char *name, *left, *right;
	bool minus;
	const char *out;
} sums[] = {
	{ "same layout", "{{count:3 sum:1 buckets:[1 2]}}", "{{count:3 sum:2 buckets:[2 1]}}", false,
	  "{count:6, sum:3, (0.5,1]:3, (1,2]:3}" },
	{ "before, between, behind", "{{count:2 buckets:[1 0 0 1] offset:1}}", "{{count:4 buckets:[1 0 1 1 0 1]}}", false,
	  "{count:6, sum:0, (0.5,1]:1, (1,2]:1, (2,4]:1, (4,8]:1, (8,16]:1, (16,32]:1}" },
	{ "empty buckets go", "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1]}}", true, "{count:0, sum:0}" },
	{ "minus below zero", "{{}}", "{{count:1 sum:2 z_bucket:1 n_buckets:[1]}}", true,
	  "{count:-1, sum:-2, [-1,-0.5):-1, [-0,0]:-1}" },
	{ "finer right", "{{schema:-1 count:1 buckets:[1]}}",
	  "{{schema:1 count:4 buckets:[1 1 1 1] offset:1 n_buckets:[1] n_offset:-1}}", false,
	  "{count:5, sum:0, [-1,-0.25):1, (0.25,1]:1, (1,4]:4}" },
	{ "finer left", "{{schema:2 count:4 buckets:[1 1 1 1 1] offset:-3}}", "{{schema:0 count:1 buckets:[1]}}", false,
	  "{count:5, sum:0, (0.5,1]:5, (1,2]:1}" },
	{ "wider zero on the right", "{{count:7 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[1 2]}}",
	  "{{count:1 z_bucket:1 z_bucket_w:1}}", false, "{count:8, sum:0, [-2,-1):2, [-1,1]:4, (1,2]:2}" },
	{ "wider zero cuts a bucket", "{{count:3 z_bucket_w:0.1 buckets:[1 2]}}",
	  "{{count:6 z_bucket:1 z_bucket_w:1.5 buckets:[0 4 5]}}",
	  false, "{count:9, sum:0, [-2,2]:8, (2,4]:5}" },
	{ "a cut bucket that is empty stays out", "{{count:3 z_bucket_w:0.1 buckets:[3 0 0]}}",
	  "{{count:1 z_bucket:1 z_bucket_w:1.5}}", false,
	  "{count:4, sum:0, [-1.5,1.5]:4}" },
	{ "each widens the other", "{{count:2 z_bucket_w:0.75 buckets:[0 1] n_buckets:[0 1]}}",
	  "{{count:2 z_bucket_w:1.25 buckets:[0 0 1]}}",
	  false, "{count:4, sum:0, [-2,2]:2, (2,4]:1}" },
	{ "custom, same bounds", "{{schema:-53 count:1 custom_values:[1 2] buckets:[1]}}",
	  "{{schema:-53 count:2 custom_values:[1 2] buckets:[0 1 1]}}", false,
	  "{count:3, sum:0, [-Inf,1]:1, (1,2]:1, (2,+Inf]:1}" },
	{ "custom, some in common", "{{schema:-53 count:4 custom_values:[1 2 3] buckets:[1 1 1 1]}}",
	  "{{schema:-53 count:5 custom_values:[0 2 4 5] buckets:[1 1 1 1 1]}}", false, "{count:9, sum:0, [-Inf,2]:4, (2,+Inf]:5}" },
	{ "custom, none in common", "{{schema:-53 count:2 custom_values:[1] buckets:[1 1]}}",
	  "{{schema:-53 count:2 custom_values:[2] buckets:[1 1]}}",
	  true, "{count:0, sum:0}" },
	{ "custom and exponential", "{{count:1 buckets:[1]}}", "{{schema:-53 count:1 custom_values:[1] buckets:[1]}}", false,
	  "none" },
	{ "gauge and counter", "{{count:1 counter_reset_hint:gauge}}", "{{count:1 counter_reset_hint:reset}}", false,
	  "{count:2, sum:0} gauge" },
	{ "unknown and known", "{{count:1}}", "{{count:1 counter_reset_hint:not_reset}}", false, "{count:2, sum:0}" },
	{ "agreed", "{{count:1 counter_reset_hint:not_reset}}", "{{count:1 counter_reset_hint:not_reset}}", false,
	  "{count:2, sum:0} not_reset" },
	{ "opposite hints", "{{count:1 counter_reset_hint:reset}}", "{{count:1 counter_reset_hint:not_reset}}", false,
	  "{count:2, sum:0}" },
	{ "infinite", "{{count:Inf sum:Inf buckets:[Inf]}}", "{{count:1 sum:-Inf buckets:[1]}}", false,
	  "{count:+Inf, sum:NaN, (0.5,1]:+Inf}" },
};

static void test_sums(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sums); i++)
		check_text(sums[i].name, shown(histogram_stepped(&arena, read(sums[i].left), read(sums[i].right), sums[i].minus)),
		           sums[i].out);
}

static void test_sums_are_compensated_unless_plain(void **state)
{
	static const char *const items[] = { "{{sum:1 buckets:[1]}}", "{{sum:1e100 buckets:[1e100]}}", "{{sum:1 buckets:[1]}}",
	                                     "{{sum:-1e100 buckets:[-1e100]}}" };

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct tally t;

		tally_init(&t, &arena, plain);
		for (size_t i = 0; i < ARRAY_LEN(items); i++)
			assert_int_equal(tally_add(&t, read(items[i]), 1), TALLY_ADDED);
		check_text(plain ? "plain" : "compensated", shown(tally_histogram(&t, &arena)),
		           plain ? "{count:0, sum:0}" : "{count:0, sum:2, (0.5,1]:2}");
	}
}

static void test_careful_sums_refuse_to_overflow(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t, &arena, false);
	t.careful = true;
	assert_int_equal(tally_add(&t, read("{{count:1 buckets:[1e308]}}"), 1), TALLY_ADDED);
	assert_int_equal(tally_add(&t, read("{{count:1 buckets:[1e308]}}"), 1), TALLY_OVERFLOW);
	assert_int_equal(tally_add(&t, read("{{count:1 buckets:[0 1e308]}}"), 1), TALLY_ADDED);
	assert_int_equal(tally_add(&t, read("{{schema:-53}}"), 1), TALLY_UNLIKE);
	check_text("what was taken", shown(tally_histogram(&t, &arena)), "{count:2, sum:0, (0.5,1]:1e+308, (1,2]:1e+308}");
}

static void test_scaling(void **state)
{
	const struct histogram *h = read("{{count:3 sum:6 z_bucket:1 buckets:[2 0] counter_reset_hint:not_reset}}");

	(void)state;
	check_text("times 2", shown(histogram_times(&arena, h, 2)), "{count:6, sum:12, [-0,0]:2, (0.5,1]:4} not_reset");
	check_text("times -1", shown(histogram_times(&arena, h, -1)), "{count:-3, sum:-6, [-0,0]:-1, (0.5,1]:-2} gauge");
	check_text("by 2", shown(histogram_divided(&arena, h, 2)), "{count:1.5, sum:3, [-0,0]:0.5, (0.5,1]:1} not_reset");
	check_text("by 0", shown(histogram_divided(&arena, h, 0)), "{count:+Inf, sum:+Inf, [-0,0]:+Inf} not_reset");
	assert_int_equal(histogram_compacted(&arena, h)->pos.n_buckets, 1);
}

/* ---- resets and equality ---- */

static const struct {
	const char *name, *before, *now;
	bool reset;
} resets[] = {
	{ "the same", "{{count:3 buckets:[1 2]}}", "{{count:3 buckets:[1 2]}}", false },
	{ "lower count", "{{count:3}}", "{{count:2}}", true },
	{ "lower sum only: observations may be negative", "{{count:3 sum:5}}", "{{count:3 sum:1}}", false },
	{ "lower bucket", "{{count:3 buckets:[1 2]}}", "{{count:4 buckets:[3 1]}}", true },
	{ "lower negative bucket", "{{count:3 n_buckets:[1 2]}}", "{{count:4 n_buckets:[0 4]}}", true },
	{ "lower zero bucket", "{{count:3 z_bucket:2}}", "{{count:3 z_bucket:1}}", true },
	{ "a bucket is gone", "{{count:3 buckets:[1 2]}}", "{{count:3 buckets:[3]}}", true },
	{ "an empty bucket is gone", "{{count:1 buckets:[1 0 0]}}", "{{count:1 buckets:[1]}}", false },
	{ "a new bucket", "{{count:1 buckets:[1] offset:2}}", "{{count:3 buckets:[2 0 1]}}", false },
	{ "coarser, and no less", "{{schema:1 count:4 buckets:[1 1 1 1] offset:1}}", "{{schema:0 count:4 buckets:[2 2] offset:1}}",
	  false },
	{ "coarser, and less", "{{schema:1 count:4 buckets:[1 1 1 1] offset:1}}", "{{schema:0 count:4 buckets:[1 3] offset:1}}",
	  true },
	{ "finer", "{{schema:0 count:1 buckets:[1]}}", "{{schema:1 count:9 buckets:[9 9 9]}}", true },
	{ "wider zero holds what was", "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
	  "{{count:3 z_bucket:2 z_bucket_w:1 buckets:[0 1]}}",
	  false },
	{ "wider zero holds less", "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
	  "{{count:3 z_bucket:1 z_bucket_w:1 buckets:[0 2]}}", true },
	{ "wider zero cuts a bucket", "{{count:1 buckets:[0 1]}}", "{{count:1 z_bucket:1 z_bucket_w:1.5}}", true },
	{ "narrower zero", "{{count:1 z_bucket_w:1 buckets:[0 0 1]}}", "{{count:1 z_bucket_w:0.5 buckets:[0 0 1]}}", true },
	{ "custom, bounds in common no less", "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]}}",
	  "{{schema:-53 count:3 custom_values:[2] buckets:[2 1]}}", false },
	{ "custom, bounds in common less", "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]}}",
	  "{{schema:-53 count:3 custom_values:[2] buckets:[1 2]}}", true },
	{ "custom, one bound again and again", "{{schema:-53 count:3 custom_values:[2 2 2 2 2 2 2 2 2] buckets:[1 2]}}",
	  "{{schema:-53 count:3 custom_values:[2] buckets:[3]}}", false },
	{ "custom from exponential", "{{}}", "{{schema:-53 count:3}}", true },
	{ "exponential from custom", "{{schema:-53}}", "{{schema:-4 count:3}}", true },
	{ "told: reset", "{{count:1}}", "{{count:2 counter_reset_hint:reset}}", true },
	{ "told: none", "{{count:2}}", "{{count:1 counter_reset_hint:not_reset}}", false },
	{ "a gauge is looked at", "{{count:2}}", "{{count:1 counter_reset_hint:gauge}}", true },
};

static void test_resets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(resets); i++)
		if (histogram_reset_since(&arena, read(resets[i].before), read(resets[i].now)) != resets[i].reset)
			fail_msg("%s: expected %s", resets[i].name, resets[i].reset ? "a reset" : "none");
}

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
	{ "{{count:1 sum:NaN buckets:[1]}}", "{{count:1 sum:NaN buckets:[1] counter_reset_hint:gauge}}", true },
	{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1 0]}}", false },
	{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1] offset:1}}", false },
	{ "{{count:1 buckets:[1]}}", "{{count:1 n_buckets:[1]}}", false },
	{ "{{count:1}}", "{{count:1 schema:1}}", false },
	{ "{{z_bucket_w:0.1}}", "{{z_bucket_w:0.2}}", false },
	{ "{{schema:-53 custom_values:[1 2]}}", "{{schema:-53 custom_values:[1 2]}}", true },
	{ "{{schema:-53 custom_values:[1 2]}}", "{{schema:-53 custom_values:[1 3]}}", false },
	{ "{{schema:-53 custom_values:[1 2]}}", "{{schema:-53 custom_values:[1]}}", false },
};

static void test_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (histogram_same(read(pairs[i].a), read(pairs[i].b)) != pairs[i].same)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
}

/* ---- estimates ---- */

static const struct {
	const char *name, *histogram;
	double q, value;
	bool beyond;
} quantiles[] = {
	{ "none seen", "{{}}", 0.5, NAN, false },
	{ "not a number", "{{count:1 buckets:[1]}}", NAN, NAN, false },
	{ "below 0", "{{count:1 buckets:[1]}}", -0.1, -INFINITY, false },
	{ "above 1", "{{count:1 buckets:[1]}}", 1.1, INFINITY, false },
	{ "logarithmic", "{{count:1 buckets:[0 0 1]}}", 0.25, 2.378414230005442, false },
	{ "mirrored", "{{count:1 n_buckets:[0 0 1]}}", 0.75, -2.378414230005442, false },
	{ "zero bucket, positive", "{{count:2 z_bucket:1 z_bucket_w:0.1 buckets:[1]}}", 0.25, 0.05, false },
	{ "zero bucket alone", "{{count:1 z_bucket:1 z_bucket_w:0.1}}", 0.75, 0.05, false },
	{ "count does not add up", "{{count:10 buckets:[1]}}", 0.3, 1, true },
	{ "NaN observations", "{{count:2 sum:NaN buckets:[1]}}", 0.75, 1, true },
	{ "NaN observations, below them", "{{count:2 sum:NaN buckets:[0 1]}}", 0.25, 1.4142135623730951, false },
	{ "custom, from zero", "{{schema:-53 count:1 custom_values:[4] buckets:[1]}}", 0.25, 1, false },
	{ "custom, first below zero", "{{schema:-53 count:2 custom_values:[-4 0] buckets:[1 1]}}", 0.25, -4, false },
	{ "custom, linear over zero", "{{schema:-53 count:1 custom_values:[-4 4] buckets:[0 1]}}", 0.75, 2, false },
	{ "custom, the last", "{{schema:-53 count:1 custom_values:[4] buckets:[0 1]}}", 0.75, 4, false },
};

static void test_quantiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		bool beyond;

		check_near(quantiles[i].name, histogram_quantile(quantiles[i].q, read(quantiles[i].histogram), &beyond),
		           quantiles[i].value);
		assert_int_equal(beyond, quantiles[i].beyond);
	}
}

static const struct {
	const char *name, *histogram;
	double lower, upper, value;
} fractions[] = {
	{ "none seen", "{{}}", 0, 1, NAN },
	{ "not a number", "{{count:1 buckets:[1]}}", NAN, 1, NAN },
	{ "nothing between", "{{count:1 buckets:[1]}}", 1, 1, 0 },
	{ "all", "{{count:4 z_bucket:2 buckets:[1] n_buckets:[1]}}", -INFINITY, INFINITY, 1 },
	{ "half a bucket", "{{count:4 buckets:[0 4]}}", 1, 1.4142135623730951, 0.5 },
	{ "half a negative bucket", "{{count:4 n_buckets:[0 4]}}", -1.4142135623730951, -1, 0.5 },
	{ "NaN observations", "{{count:4 sum:NaN buckets:[3]}}", -INFINITY, INFINITY, 0.75 },
	{ "custom, the last is nowhere", "{{schema:-53 count:4 custom_values:[1] buckets:[1 3]}}", 0, 100, 0.25 },
	{ "custom, the last is all above", "{{schema:-53 count:4 custom_values:[1] buckets:[1 3]}}", 1, INFINITY, 0.75 },
	{ "custom, first below zero", "{{schema:-53 count:4 custom_values:[-1 1] buckets:[1 3]}}", -INFINITY, -5, 0.25 },
	{ "custom, over zero: from zero on", "{{schema:-53 count:4 custom_values:[-4 4] buckets:[0 4]}}", -INFINITY, 2, 0.5 },
	{ "more than the buckets hold", "{{count:8 buckets:[4]}}", -INFINITY, 100, 1 },
};

static void test_fractions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fractions); i++)
		check_near(fractions[i].name, histogram_fraction(fractions[i].lower, fractions[i].upper,
		           read(fractions[i].histogram)),
		           fractions[i].value);
}

static void test_variance(void **state)
{
	(void)state;
	check_near("none seen", histogram_variance(read("{{}}")), NAN);
	check_near("two at 4^±1/2", histogram_variance(read("{{schema:-1 count:2 sum:2.5 buckets:[1 1]}}")), 0.5625);
	check_near("zero bucket at 0", histogram_variance(read("{{count:4 z_bucket:4 z_bucket_w:0.5}}")), 0);
	check_near("custom in the middle",
	           histogram_variance(read("{{schema:-53 count:2 sum:6 custom_values:[2 4 6] buckets:[0 1 1]}}")), 2);
}

/* ---- trimming ---- */

static const struct {
	const char *name, *histogram;
	double at;
	bool upper;
	const char *out;
} cuts[] = {
	{ "all is below", "{{count:9 sum:7 buckets:[1 2 0]}}", 2, true, "{count:9, sum:7, (0.5,1]:1, (1,2]:2}" },
	{ "on a bound", "{{schema:-1 count:3 sum:9 buckets:[1 2]}}", 1, true, "{count:1, sum:0.5, (0.25,1]:1}" },
	{ "within a bucket", "{{schema:-1 count:2 sum:9 buckets:[0 2]}}", 2, false, "{count:1, sum:2.8284271247461903, (1,4]:1}" },
	{ "hints stay", "{{schema:-1 count:3 buckets:[1 2] counter_reset_hint:gauge}}", 1, true,
	  "{count:1, sum:0.5, (0.25,1]:1} gauge" },
	{ "negative side too", "{{schema:-1 count:6 buckets:[1 2] n_buckets:[1 2]}}", -1, true, "{count:2, sum:-4, [-4,-1):2}" },
	{ "half of the zero bucket", "{{count:8 z_bucket:4 z_bucket_w:0.5 buckets:[2] n_buckets:[2]}}", 0, false,
	  "{count:4, sum:1.9142135623730951, [-0.5,0.5]:2, (0.5,1]:2}" },
	{ "zero bucket leans to where the others are", "{{count:6 z_bucket:4 z_bucket_w:0.5 buckets:[2]}}", 0.25, true,
	  "{count:2, sum:0.25, [-0.5,0.5]:2}" },
	{ "but not to empty ones", "{{count:4 z_bucket:4 z_bucket_w:0.5 buckets:[0]}}", 0, true,
	  "{count:2, sum:-0.5, [-0.5,0.5]:2}" },
	{ "the next bucket is whole, though zero overlaps it", "{{count:7 z_bucket:3 z_bucket_w:0.75 buckets:[4]}}", 0.5, false,
	  "{count:5, sum:3.4534271247461903, [-0.75,0.75]:1, (0.5,1]:4}" },
	{ "first custom bucket from zero on", "{{schema:-53 count:4 custom_values:[4] buckets:[4]}}", 1, false,
	  "{count:3, sum:7.5, [-Inf,4]:3}" },
	{ "not a number", "{{schema:-1 count:3 buckets:[1 2]}}", NAN, true, "{count:0, sum:0}" },
	{ "not a number, zero bucket", "{{count:3 z_bucket:3}}", NAN, false, "{count:0, sum:0}" },
};

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		check_text(cuts[i].name, shown(histogram_trimmed(&arena, read(cuts[i].histogram), cuts[i].at, cuts[i].upper)),
		           cuts[i].out);
}

/* ---- what must not be there ---- */

static void test_hostile_spans(void **state)
{
	static const struct histogram_span overlapping[] = { { 5, 2 }, { -4, 2 }, { INT32_MAX, 1 }, { INT32_MAX, 3 } },
	                                   short_of[] = { { 0, 1 } };
	static const double buckets[] = { 1, 2, 3, 4, 5 };
	const struct histogram wild = { .count = 15, .pos = { overlapping, buckets, 4, 5 }, .neg = { short_of, buckets, 1, 5 } };
	const struct histogram *tame = read("{{count:3 buckets:[1 1 1] n_buckets:[1 1 1]}}");
	bool beyond;

	(void)state;
	for (int minus = 0; minus < 2; minus++) {
		assert_non_null(histogram_stepped(&arena, tame, &wild, minus));
		assert_non_null(histogram_stepped(&arena, &wild, tame, minus));
	}
	assert_true(histogram_reset_since(&arena, &wild, tame));
	assert_true(histogram_same(&wild, &wild));
	histogram_quantile(0.5, &wild, &beyond);
	histogram_fraction(-1, 100, &wild);
	assert_non_null(histogram_trimmed(&arena, &wild, 1.5, true));
	assert_non_null(shown(&wild));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bounds, setup),
		cmocka_unit_test_setup(test_all_bounds_rise, setup),
		cmocka_unit_test_setup(test_texts, setup),
		cmocka_unit_test_setup(test_walk_down, setup),
		cmocka_unit_test_setup(test_sums, setup),
		cmocka_unit_test_setup(test_sums_are_compensated_unless_plain, setup),
		cmocka_unit_test_setup(test_careful_sums_refuse_to_overflow, setup),
		cmocka_unit_test_setup(test_scaling, setup),
		cmocka_unit_test_setup(test_resets, setup),
		cmocka_unit_test_setup(test_same, setup),
		cmocka_unit_test_setup(test_quantiles, setup),
		cmocka_unit_test_setup(test_fractions, setup),
		cmocka_unit_test_setup(test_variance, setup),
		cmocka_unit_test_setup(test_cuts, setup),
		cmocka_unit_test_setup(test_hostile_spans, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_fini(&arena);
	return failed;
}
