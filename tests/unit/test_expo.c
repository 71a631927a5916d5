/* Pages as people's Prometheus will read them, byte for byte. */
#include "tests.h"

#include <math.h>

#include "tocsin/expo.h"

static const struct expo_family up = { "redis_up", EXPO_GAUGE, "Whether it answers.", NULL };
static const struct expo_family commands = { "redis_commands_total", EXPO_COUNTER, "Commands.", NULL };
static const struct expo_family odd = { "redis_commands", EXPO_COUNTER, "A counter\nwith an \"odd\" \\ name.", NULL };
static const struct expo_family info = { "redis_instance_info", EXPO_INFO, "About it.", NULL };
static const struct expo_family lag = { "lag_seconds", EXPO_UNTYPED, "Lag.", "seconds" };
static const struct expo_family up_too = { "redis_up", EXPO_COUNTER, "Another help.", NULL };
static const struct expo_family times = { "times_seconds", EXPO_HISTOGRAM, "Times.", "seconds" };
static const struct expo_family parts = { "parts", EXPO_SUMMARY, "Parts.", NULL };
static const struct expo_family times_sum = { "times_seconds_sum", EXPO_COUNTER, "Not the histogram's.", NULL };
static const struct expo_family bad = { "not-a-name", EXPO_GAUGE, "Bad.", NULL };

static void assert_page(const struct expo_part *p, size_t n, enum expo_format format, const char *want)
{
	struct buf out = { 0 };

	expo_write(&out, p, n, format);
	assert_string_equal(buf_z(&out), want);
	buf_fini(&out);
}

static void one_set_in_both_formats(void **state)
{
	struct expo_set *s = expo_set_new();
	const struct expo_part p = { s, NULL, 0 };
	const double bounds[] = { 0.1, 1 }, q[] = { 0.5 }, qv[] = { 3 };
	const uint64_t counts[] = { 1, 2, 4 };

	(void)state;
	EXPO_EMIT0(s, &up, 1);
	EXPO_EMIT(s, &commands, 1e21, { STR("z"), STR("a\"b\\c\nd\xff") }, { STR("a"), STR("1") }, { STR("empty"), STR("") });
	EXPO_EMIT0(s, &commands, NAN);
	EXPO_EMIT(s, &info, 1, { STR("v"), STR("7") });
	EXPO_EMIT0(s, &lag, 0.30000000000000004);
	expo_emit_histogram(s, &times, bounds, 2, counts, 5.5, NULL, 0);
	expo_emit_summary(s, &parts, q, qv, 1, 6, 2, &(struct label){ STR("zone"), STR("x") }, 1);
	assert_page(&p, 1, EXPO_TEXT,
	            "# HELP lag_seconds Lag.\n# TYPE lag_seconds untyped\nlag_seconds 0.30000000000000004\n"
	            "# HELP parts Parts.\n# TYPE parts summary\nparts{quantile=\"0.5\",zone=\"x\"} 3\nparts_sum{zone=\"x\"} 6\nparts_count{zone=\"x\"} 2\n"
	            "# HELP redis_commands_total Commands.\n# TYPE redis_commands_total counter\n"
	            "redis_commands_total{a=\"1\",z=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1e+21\nredis_commands_total NaN\n"
	            "# HELP redis_instance_info About it.\n# TYPE redis_instance_info gauge\nredis_instance_info{v=\"7\"} 1\n"
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up 1\n"
	            "# HELP times_seconds Times.\n# TYPE times_seconds histogram\n"
	            "times_seconds_bucket{le=\"0.1\"} 1\ntimes_seconds_bucket{le=\"1\"} 3\ntimes_seconds_bucket{le=\"+Inf\"} 7\n"
	            "times_seconds_sum 5.5\ntimes_seconds_count 7\n");
	assert_page(&p, 1, EXPO_OPENMETRICS,
	            "# HELP lag_seconds Lag.\n# TYPE lag_seconds unknown\n# UNIT lag_seconds seconds\nlag_seconds 0.30000000000000004\n"
	            "# HELP parts Parts.\n# TYPE parts summary\nparts{quantile=\"0.5\",zone=\"x\"} 3\nparts_sum{zone=\"x\"} 6\nparts_count{zone=\"x\"} 2\n"
	            "# HELP redis_commands Commands.\n# TYPE redis_commands counter\n"
	            "redis_commands_total{a=\"1\",z=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1e+21\nredis_commands_total NaN\n"
	            "# HELP redis_instance About it.\n# TYPE redis_instance info\nredis_instance_info{v=\"7\"} 1\n"
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up 1\n"
	            "# HELP times_seconds Times.\n# TYPE times_seconds histogram\n# UNIT times_seconds seconds\n"
	            "times_seconds_bucket{le=\"0.1\"} 1\ntimes_seconds_bucket{le=\"1\"} 3\ntimes_seconds_bucket{le=\"+Inf\"} 7\n"
	            "times_seconds_sum 5.5\ntimes_seconds_count 7\n# EOF\n");
	expo_set_unref(s);
}

static void names_never_change_with_the_format(void **state)
{
	struct expo_set *s = expo_set_new();
	const struct expo_part p = { s, NULL, 0 };

	(void)state;
	EXPO_EMIT0(s, &commands, 1);
	EXPO_EMIT0(s, &odd, 2);
	assert_page(&p, 1, EXPO_OPENMETRICS,
	            "# HELP redis_commands A counter\\nwith an \\\"odd\\\" \\\\ name.\n# TYPE redis_commands unknown\nredis_commands 2\n"
	            "# HELP redis_commands_total Commands.\n# TYPE redis_commands_total unknown\nredis_commands_total 1\n# EOF\n");
	expo_set_unref(s);
}

static void sets_merge_into_one_family(void **state)
{
	struct expo_set *a = expo_set_new(), *b = expo_set_new();
	const struct label source_a = { STR("source"), STR("a\"") }, source_b = { STR("source"), STR("b") };
	const struct expo_part p[] = { { a, &source_a, 1 }, { b, &source_b, 1 } };

	(void)state;
	EXPO_EMIT0(a, &up, 1);
	EXPO_EMIT0(a, &lag, 1);
	EXPO_EMIT(b, &up_too, 0, { STR("source"), STR("x,y=\"\\") }, { STR("t"), STR("1") });
	assert_page(p, 2, EXPO_TEXT,
	            "# HELP lag_seconds Lag.\n# TYPE lag_seconds untyped\nlag_seconds{source=\"a\\\"\"} 1\n"
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up{source=\"a\\\"\"} 1\n"
	            "redis_up{source=\"b\",exported_source=\"x,y=\\\"\\\\\",t=\"1\"} 0\n");
	expo_set_unref(a);
	expo_set_unref(b);
}

static void a_row_is_rendered_once(void **state)
{
	struct expo_set *s = expo_set_new();
	const struct expo_part p = { s, NULL, 0 };
	const struct expo_labels *row = expo_labels(s, (struct label[]){ { STR("t"), STR("1") }, { STR("a"), STR("") } }, 2);
	const struct expo_labels *other = expo_labels(s, &(struct label){ STR("t"), STR("2") }, 1);

	(void)state;
	assert_true(expo_emit_at(s, &up, 1, row));
	assert_true(expo_emit_at(s, &lag, 2, row));
	assert_true(expo_emit_at(s, &up, 3, other));
	assert_false(expo_emit_at(s, &up, 4, row));
	assert_false(EXPO_EMIT(s, &lag, 4, { STR("t"), STR("1") }));
	assert_null(expo_labels(s, &(struct label){ STR("b-c"), STR("2") }, 1));
	assert_false(expo_emit_at(s, &up, 4, NULL));
	assert_int_equal(expo_set_stats(s).invalid, 1);
	assert_page(&p, 1, EXPO_TEXT,
	            "# HELP lag_seconds Lag.\n# TYPE lag_seconds untyped\nlag_seconds{t=\"1\"} 2\n"
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up{t=\"1\"} 1\nredis_up{t=\"2\"} 3\n");
	expo_set_unref(s);
}

static void drops_and_counts(void **state)
{
	struct expo_set *s = expo_set_new();
	struct expo_stats st;

	(void)state;
	assert_true(EXPO_EMIT(s, &up, 1, { STR("a"), STR("1") }, { STR("b"), STR("2") }));
	assert_false(EXPO_EMIT(s, &up, 2, { STR("b"), STR("2") }, { STR("a"), STR("1") }));
	assert_false(EXPO_EMIT(s, &up, 2, { STR("b"), STR("2") }, { STR("b"), STR("1") }));
	assert_false(EXPO_EMIT(s, &up, 2, { STR("b-c"), STR("2") }));
	assert_false(EXPO_EMIT(s, &up, 2, { STR("__name__"), STR("2") }));
	assert_true(expo_emit_histogram(s, &times, NULL, 0, (const uint64_t[]){ 1 }, 1, NULL, 0));
	assert_false(EXPO_EMIT0(s, &times_sum, 2));
	assert_true(EXPO_EMIT(s, &times_sum, 2, { STR("a"), STR("1") }));
	assert_false(expo_emit_histogram(s, &times, NULL, 0, (const uint64_t[]){ 1 }, 1, &(struct label){ STR("a"), STR("1") }, 1));
	assert_false(EXPO_EMIT0(s, &bad, 2));
	st = expo_set_stats(s);
	assert_int_equal(st.samples, 7);
	assert_int_equal(st.duplicates, 3);
	assert_int_equal(st.invalid, 4);
	expo_set_unref(s);
}

static void negotiates(void **state)
{
	static const struct {
		const char *accept;
		enum expo_format want;
	} cases[] = {
		{ "", EXPO_TEXT }, { "*/*", EXPO_TEXT }, { "text/html,*/*;q=0.8", EXPO_TEXT },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		  EXPO_OPENMETRICS },
		{ "application/openmetrics-text", EXPO_OPENMETRICS }, { "application/openmetrics-text;q=0.1,text/plain", EXPO_TEXT },
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8", EXPO_OPENMETRICS }, { "application/openmetrics-text;version=2.0.0", EXPO_TEXT },
		{ "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9", EXPO_TEXT },
		{ "application/openmetrics-text;version=1.0.0;q=0,*/*;q=0.1", EXPO_TEXT },
		{ "application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.4",
		  EXPO_OPENMETRICS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (expo_negotiate(str_of(cases[i].accept)) != cases[i].want)
			fail_msg("%s", cases[i].accept);
}

/* ---- Sets made like others ---- */

/* Something that is emitted; <variant> makes small changes: other values, other labels, more, less. */
typedef void emission(struct expo_set *s, unsigned variant);

static void emit_plain(struct expo_set *s, unsigned variant)
{
	EXPO_EMIT0(s, &up, variant % 3);
}

static void emit_labelled(struct expo_set *s, unsigned variant)
{
	const struct label a = { STR("a"), STR("1") }, b = { STR("b"), variant % 2 ? STR("2") : STR("22") }, none = { STR("c"), STR("") };

	expo_emit(s, &commands, 5, variant % 4 < 2 ? (struct label[]){ a, b, none } : (struct label[]){ none, b, a }, 3);
}

/* What would look the same if nobody minded where a label ends. */
static void emit_quotes(struct expo_set *s, unsigned variant)
{
	switch (variant % 6) {
	case 0:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("x") }, { STR("b"), STR("y") });
		break;
	case 1:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("x\",b=\"y") });
		break;
	case 2:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("x\",b=\"y") }, { STR("b"), STR("y") });
		break;
	case 3:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("x\\\\y") });
		break;
	case 4:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("x\\y") });
		break;
	default:
		EXPO_EMIT(s, &lag, 1, { STR("a"), STR("\n\xff") });
		break;
	}
}

static void emit_histogram(struct expo_set *s, unsigned variant)
{
	const double bounds[] = { 0.5, variant % 3 ? 1 : 2 };

	expo_emit_histogram(s, &times, bounds, 2 - variant % 2, (const uint64_t[]){ 1, variant, 2 }, 3, &(struct label){ STR("z"), STR("1") }, 1);
	expo_emit_summary(s, &parts, bounds, bounds, 2, 3, variant, &(struct label){ STR("a"), STR("1") }, 1);
}

static void emit_row(struct expo_set *s, unsigned variant)
{
	const struct expo_labels *idle = expo_labels(s, &(struct label){ STR("idle"), STR("1") }, 1);
	const struct expo_labels *row = expo_labels(s, &(struct label){ STR("row"), variant % 2 ? STR("1") : STR("2") }, 1);

	expo_emit_at(s, &up, variant, row);
	if (variant % 3)
		expo_emit_at(s, &odd, 1, idle);
	expo_emit_at(s, &commands, 7, row);
	expo_emit_at(s, &lag, 7, variant % 5 ? row : NULL);
}

static void emit_twice(struct expo_set *s, unsigned variant)
{
	EXPO_EMIT0(s, &up, 1);
	if (variant % 2)
		EXPO_EMIT0(s, &up, 2);
	if (variant % 3)
		EXPO_EMIT0(s, &bad, 2);
	EXPO_EMIT0(s, &times_sum, 2);
}

static void emit_made(struct expo_set *s, unsigned variant)
{
	struct arena *a = expo_set_arena(s);
	struct expo_family *f = ARENA_NEW(a, struct expo_family);

	*f = (struct expo_family){ arena_printf(a, "made_%u", variant % 4).p, variant % 3 ? EXPO_GAUGE : EXPO_COUNTER, "Made.", NULL };
	EXPO_EMIT(s, f, 1, { STR("source"), STR("own") });
}

static void emit_based(struct expo_set *s, unsigned variant)
{
	const struct label node = { STR("node"), variant % 2 ? STR("x") : STR("y") };

	expo_set_base(s, &node, variant % 3 ? 1 : 0);
	EXPO_EMIT(s, &info, 1, { STR("v"), STR("1") });
	expo_set_base(s, NULL, 0);
}

/* What the two sets hold is the same, whatever they were made like. */
static void assert_same_sets(const struct expo_set *a, const struct expo_set *b)
{
	const struct label source = { STR("source"), STR("s") };
	const struct expo_stats x = expo_set_stats(a), y = expo_set_stats(b);
	struct buf want = { 0 };

	assert_int_equal(x.samples, y.samples);
	assert_int_equal(x.duplicates, y.duplicates);
	assert_int_equal(x.invalid, y.invalid);
	for (int format = EXPO_TEXT; format <= EXPO_OPENMETRICS; format++) {
		buf_reset(&want);
		expo_write(&want, &(struct expo_part){ a, &source, 1 }, 1, (enum expo_format)format);
		assert_page(&(struct expo_part){ b, &source, 1 }, 1, (enum expo_format)format, buf_z(&want));
	}
	buf_fini(&want);
}

/* A thousand scrapes one after the other: each set, made like the one before, is what it would be without it. */
static void one_like_another(void **state)
{
	static emission *const all[] = { emit_plain, emit_labelled, emit_quotes, emit_histogram, emit_row, emit_twice, emit_made, emit_based };
	struct expo_set *before = expo_set_new();
	uint32_t dice = 1;

	(void)state;
	expo_set_close(before);
	for (int round = 0; round < 1000; round++) {
		struct expo_set *like = expo_set_like(before), *fresh = expo_set_new();

		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			dice = dice * 1664525u + 1013904223u;
			const unsigned variant = dice >> 28 < 12 ? 1 : dice >> 20;

			if (dice >> 27 == 3)
				continue;
			all[i](like, variant);
			all[i](fresh, variant);
		}
		expo_set_close(like);
		expo_set_close(fresh);
		assert_same_sets(fresh, like);
		expo_set_unref(before);
		expo_set_unref(fresh);
		before = like;
	}
	expo_set_unref(before);
}

static void half_like_another(void **state)
{
	struct expo_set *before = expo_set_new(), *like;

	(void)state;
	EXPO_EMIT(before, &up, 1, { STR("a"), STR("1") });
	EXPO_EMIT0(before, &lag, 1);
	expo_set_close(before);
	like = expo_set_like(before);
	EXPO_EMIT(like, &up, 2, { STR("a"), STR("1") });
	expo_set_unref(like);                            /* of a collection that failed */
	like = expo_set_like(before);
	EXPO_EMIT(like, &up, 2, { STR("a"), STR("1") });
	expo_set_close(like);
	expo_set_unref(before);
	assert_page(&(struct expo_part){ like, NULL, 0 }, 1, EXPO_TEXT,
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up{a=\"1\"} 2\n");
	assert_true(expo_set_has(like, &up, 2));
	assert_false(expo_set_has(like, &up, 1));
	expo_set_unref(like);
}

static void many_sets_on_a_page(void **state)
{
	struct expo_set *sets[5];
	struct expo_part p[ARRAY_LEN(sets)];
	struct label sources[ARRAY_LEN(sets)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		sets[i] = expo_set_new();
		EXPO_EMIT0(sets[i], i % 2 ? &up : &lag, (double)i);
		if (i == 3)
			EXPO_EMIT0(sets[i], &commands, 9);
		if (i % 3)
			expo_set_close(sets[i]);
		sources[i] = (struct label){ STR("s"), { &"01234"[i], 1 } };
		p[i] = (struct expo_part){ sets[i], &sources[i], 1 };
	}
	assert_page(p, ARRAY_LEN(p), EXPO_TEXT,
	            "# HELP lag_seconds Lag.\n# TYPE lag_seconds untyped\nlag_seconds{s=\"0\"} 0\nlag_seconds{s=\"2\"} 2\nlag_seconds{s=\"4\"} 4\n"
	            "# HELP redis_commands_total Commands.\n# TYPE redis_commands_total counter\nredis_commands_total{s=\"3\"} 9\n"
	            "# HELP redis_up Whether it answers.\n# TYPE redis_up gauge\nredis_up{s=\"1\"} 1\nredis_up{s=\"3\"} 3\n");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		expo_set_unref(sets[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_set_in_both_formats),
		cmocka_unit_test(names_never_change_with_the_format),
		cmocka_unit_test(sets_merge_into_one_family),
		cmocka_unit_test(a_row_is_rendered_once),
		cmocka_unit_test(drops_and_counts),
		cmocka_unit_test(negotiates),
		cmocka_unit_test(one_like_another),
		cmocka_unit_test(half_like_another),
		cmocka_unit_test(many_sets_on_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
