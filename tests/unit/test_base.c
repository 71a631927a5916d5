/* The base: text, numbers, buffers, maps, arenas, labels, times, errors, names of alerts. */
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tocsin/alert.h"
#include "tocsin/clock.h"
#include "tocsin/connection.h"
#include "tocsin/glob.h"
#include "tocsin/json.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/process.h"

static void numbers(void **state)
{
	static const struct {
		double v;
		const char *text, *fixed;       /* <fixed> NULL: the same, "": too long to write down */
	} cases[] = {
		{ 0, "0", NULL }, { -0.0, "-0", NULL }, { 1, "1", NULL }, { -12345, "-12345", NULL }, { 999999, "999999", NULL },
		{ 1e6, "1e+06", "1000000" }, { -1234567, "-1.234567e+06", "-1234567" }, { 0.1, "0.1", NULL }, { 0.1 + 0.2, "0.30000000000000004", NULL },
		{ 1e20, "1e+20", "100000000000000000000" }, { 1e21, "1e+21", "1000000000000000000000" }, { 123456789.125, "1.23456789125e+08", "123456789.125" },
		{ 0.0001, "0.0001", NULL }, { 0.00001, "1e-05", "0.00001" }, { 1.5e-7, "1.5e-07", "0.00000015" }, { 1e15, "1e+15", "1000000000000000" },
		{ 9007199254740993.0, "9.007199254740992e+15", "9007199254740992" }, { 1.7976931348623157e308, "1.7976931348623157e+308", "" }, { 5e-324, "5e-324", "" },
		{ 100, "100", NULL }, { 1.1e22, "1.1e+22", "11000000000000000000000" }, { NAN, "NaN", NULL }, { INFINITY, "+Inf", NULL }, { -INFINITY, "-Inf", NULL },
		{ 1e23, "1e+23", "" }, { 2.5, "2.5", NULL }, { 1.0 / 3, "0.3333333333333333", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[344];

		size_t n = num_format(out, cases[i].v);

		assert_string_equal(out, cases[i].text);
		assert_int_equal(n, strlen(cases[i].text));
		num_format_fixed(out, cases[i].v);
		if (cases[i].fixed == NULL || *cases[i].fixed != '\0')
			assert_string_equal(out, cases[i].fixed ? cases[i].fixed : cases[i].text);
	}
}

/* Numbers of few digits take a short way, both ways: it must end where the long one does. */
static void numbers_read_back(void **state)
{
	uint64_t x = 88172645463325252;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char out[NUM_MAX], exact[40];
		double v, back, power = 1;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		for (uint64_t k = 0; k < x % 12; k++)
			power *= 10;
		v = (double)(x >> (20 + x % 40)) / power;
		num_format(out, v);
		if (!str_to_double(str_of(out), &back) || back != v || strtod(out, NULL) != v)
			fail_msg("%.17g became %s", v, out);
		snprintf(exact, sizeof exact, "%.*f", (int)(x % 12), v);
		if (!str_to_double(str_of(exact), &back) || back != strtod(exact, NULL))
			fail_msg("%s was read as %.17g", exact, back);
	}
}

/* Of all texts that read back the shortest, and of those the nearest: what a search with printf finds. */
static void numbers_are_shortest(void **state)
{
	srand48(7);
	(void)state;
	for (int i = 0; i < 100000; i++) {
		double scale = pow(10, i % 23 - 6), power_of_two = ldexp(1, i % 60 - 16);
		double v = i % 4 == 0   ? drand48() * scale
		           : i % 4 == 1 ? (double)lrand48() / 60.0 / scale
		           : i % 4 == 2 ? nextafter(power_of_two, i % 8 == 2 ? 0 : 1e300)
		                        : power_of_two * (1 + drand48());
		char out[344], exact[40];
		const char *digits_end = out;
		int precision = 0;

		do
			snprintf(exact, sizeof exact, "%.*e", precision, v);
		while (precision++ < 16 && strtod(exact, NULL) != v);
		num_format(out, v);
		if (strtod(out, NULL) != v)
			fail_msg("%.17g became %s", v, out);
		num_format_fixed(out, v);
		for (const char *p = exact, *q = out + strspn(out, "0."); *p != 'e'; p++) {
			if (*p == '.')
				continue;
			q += *q == '.';
			if (*q != *p && !(*p == '0' && *q == '\0'))
				fail_msg("%.17g became %s, shortest is %s", v, out, exact);
			q += *q != '\0';
			digits_end = q;
		}
		if (digits_end[strspn(digits_end, "0.")] != '\0')
			fail_msg("%.17g became %s, shortest is %s", v, out, exact);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;             /* -1: refused */
		const char *back;       /* NULL: the same */
	} cases[] = {
		{ "0", 0, "0s" }, { "5m", 300000, NULL }, { "1h30m", 5400000, NULL }, { "250ms", 250, NULL }, { "1d", 86400000, NULL }, { "7d", 604800000, "1w" },
		{ "1y2w3d4h5m6s7ms", 33019506007, "382d4h5m6s7ms" }, { "36h", 129600000, "1d12h" }, { "8d", 691200000, NULL }, { "90s", 90000, "1m30s" }, { "", -1, NULL }, { "5", -1, NULL }, { "m", -1, NULL }, { "1m1h", -1, NULL },
		{ "1m1m", -1, NULL }, { "1.5h", -1, NULL }, { "-5m", -1, NULL }, { "5x", -1, NULL }, { "99999999999y", -1, NULL }, { "1 h", -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[NUM_MAX];
		int64_t ms = -1;

		if (num_parse_duration_ms(str_of(cases[i].text), &ms) != (cases[i].ms >= 0))
			fail_msg("%s", cases[i].text);
		if (cases[i].ms < 0)
			continue;
		assert_int_equal(ms, cases[i].ms);
		num_format_duration(out, ms);
		assert_string_equal(out, cases[i].back ? cases[i].back : cases[i].text);
	}
}

static void sizes_and_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = { { "10", 10 }, { "10B", 10 }, { "2KB", 2048 }, { "2KiB", 2048 }, { "1MB", 1 << 20 }, { "1GB", 1 << 30 }, { "", -1 }, { "KB", -1 }, { "1K", -1 },
		      { "9999999EB", -1 }, { "1.5GB", 3 << 29 }, { "0.5KB", 512 }, { "1.5", -1 }, { "1.GB", -1 }, { ".5GB", -1 }, { "1EB", INT64_C(1) << 60 }, { "8EB", -1 }, { "-1B", -1 } };
	char out[NUM_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t n = -1;

		if (num_parse_bytes(str_of(cases[i].text), &n) != (cases[i].bytes >= 0) || (cases[i].bytes >= 0 && n != cases[i].bytes))
			fail_msg("%s", cases[i].text);
	}
	num_format_seconds(out, 1700000000123);
	assert_string_equal(out, "1700000000.123");
	num_format_seconds(out, 1500);
	assert_string_equal(out, "1.5");
	num_format_seconds(out, -1);
	assert_string_equal(out, "-0.001");
	num_format_seconds(out, -61020);
	assert_string_equal(out, "-61.02");
	num_format_seconds(out, 2000);
	assert_string_equal(out, "2");
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *clean;
	} cases[] = {
		{ "plain ascii text that is long", true, NULL }, { "\xc3\xa4", true, NULL }, { "\xf0\x9f\x98\x80", true, NULL }, { "\xc0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, { "12345678\xff", false, "12345678\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", false, NULL }, { "a\xe2\x82", false, "a\xef\xbf\xbd\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };

		assert_int_equal(str_is_utf8(str_of(cases[i].text)), cases[i].good);
		buf_put_utf8(&b, str_of(cases[i].text));
		assert_true(str_is_utf8(buf_str(&b)));
		if (cases[i].clean != NULL)
			assert_string_equal(buf_z(&b), cases[i].clean);
		buf_fini(&b);
	}
}

static void texts(void **state)
{
	struct str rest = STR("a,,b"), part;
	double d;
	int64_t n;

	(void)state;
	assert_true(str_cut(&rest, ',', &part) && str_eq(part, STR("a")));
	assert_true(str_cut(&rest, ',', &part) && part.n == 0);
	assert_true(str_cut(&rest, ',', &part) && str_eq(part, STR("b")));
	assert_false(str_cut(&rest, ',', &part));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0 && str_cmp(STR("\xff"), STR("a")) > 0);
	assert_true(str_eq(str_trim(STR(" \t x y\r\n")), STR("x y")));
	assert_true(str_to_double(STR("0x1f"), &d) && d == 31);
	assert_false(str_to_double(STR("1 "), &d) || str_to_double(STR(""), &d) || str_to_double(STR(" 1"), &d));
	assert_true(str_to_int64(STR("-9223372036854775808"), &n) && n == INT64_MIN);
	assert_false(str_to_int64(STR("9223372036854775808"), &n) || str_to_int64(STR("1x"), &n));
}

static void buffers(void **state)
{
	struct buf b = { .limit = 4 };

	(void)state;
	buf_putz(&b, "abc");
	buf_putz(&b, "de");
	assert_true(b.overflow);
	buf_putz(&b, "f");
	assert_string_equal(buf_z(&b), "abc");
	buf_reset(&b);
	buf_printf(&b, "%d", 1234);
	assert_string_equal(buf_z(&b), "1234");
	assert_false(b.overflow);
	buf_fini(&b);
}

static void maps(void **state)
{
	struct arena a = { 0 };
	struct map m = { 0 };
	size_t seen = 0;

	(void)state;
	for (uintptr_t i = 1; i <= 1000; i++)
		assert_null(map_put(&m, arena_printf(&a, "key %zu", (size_t)i), (void *)i));
	assert_ptr_equal(map_add(&m, STR("key 7"), &seen), (void *)7);
	for (uintptr_t i = 1; i <= 1000; i += 2)
		assert_ptr_equal(map_del(&m, arena_printf(&a, "key %zu", (size_t)i)), (void *)i);
	for (uintptr_t i = 1; i <= 1000; i++)
		assert_ptr_equal(map_get(&m, arena_printf(&a, "key %zu", (size_t)i)), i % 2 ? NULL : (void *)i);
	for (struct map_slot *s = NULL; (s = map_next(&m, s)) != NULL;)
		seen++;
	assert_int_equal(seen, 500);
	assert_int_equal(m.n, 500);
	map_fini(&m);
	arena_fini(&a);
}

static void arenas(void **state)
{
	struct arena a = { 0 };
	struct arena_mark mark;
	size_t cap = 0, first;
	int *v = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		v = arena_grow(&a, v, (size_t)i, &cap, (size_t)i + 1, sizeof *v);
		v[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	mark = arena_mark(&a);
	arena_alloc(&a, 10 * 1000 * 1000);
	arena_rewind(&a, mark);
	assert_int_equal(v[999], 999);
	assert_int_equal((uintptr_t)arena_alloc(&a, 1) % 16, 0);
	arena_reset(&a);
	first = a.total_bytes;
	arena_alloc(&a, 16);
	assert_int_equal(a.total_bytes, first);
	arena_fini(&a);
}

static void label_sets(void **state)
{
	struct arena a = { 0 };
	struct label v[] = { { STR("z"), STR("1") }, { STR("__name__"), STR("up") }, { STR("e"), STR("") }, { STR("a"), STR("x\"\n\\") } };
	struct label twice[] = { { STR("a"), STR("1") }, { STR("a"), STR("2") } };
	struct labels l, m;
	struct buf b = { 0 };
	struct str dup;

	(void)state;
	assert_true(labels_from(v, 4, &l, NULL));
	assert_int_equal(l.n, 3);
	labels_print(&b, l);
	assert_string_equal(buf_z(&b), "up{a=\"x\\\"\\n\\\\\", z=\"1\"}");
	assert_false(labels_from(twice, 2, &m, &dup));
	assert_true(str_eq(dup, STR("a")));
	m = labels_with(&a, l, STR("b"), STR("2"));
	assert_true(m.n == 4 && str_eq(labels_get(m, STR("b")), STR("2")) && !labels_eq(l, m));
	m = labels_with(&a, m, STR("b"), STR(""));
	assert_true(labels_eq(l, m) && labels_hash(l) == labels_hash(m) && labels_cmp(l, m) == 0);
	m = labels_without(&a, l, STR("z"));
	assert_true(m.n == 2 && !labels_has(m, STR("z")) && labels_cmp(m, l) < 0);
	assert_true(labels_metric_is_plain(STR("a:b")) && !labels_name_is_plain(STR("a:b")) && !labels_name_is_plain(STR("1a")) && !labels_name_is_plain(STR("")));
	buf_fini(&b);
	arena_fini(&a);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;             /* INT64_MIN: refused */
	} cases[] = {
		{ "2023-11-14T22:13:20Z", 1700000000000 }, { "2023-11-14T22:13:20.123456Z", 1700000000123 }, { "2023-11-14T23:13:20+01:00", 1700000000000 },
		{ "2023-11-14T17:13:20-05:00", 1700000000000 }, { "1969-12-31T23:59:59.999Z", -1 }, { "2023-11-14", INT64_MIN }, { "2023-11-14T22:13:20", INT64_MIN },
		{ "2024-02-29T00:00:00Z", 1709164800000 }, { "2023-02-29T00:00:00Z", INT64_MIN }, { "2023-04-31T00:00:00Z", INT64_MIN }, { "2023-04-00T00:00:00Z", INT64_MIN },
		{ "2023-11-14T22:13:60Z", INT64_MIN }, { "2023-11-14 22:13:20Z", INT64_MIN }, { "2023-11-14T22:13:20+1:00", INT64_MIN }, { "+023-11-14T22:13:20Z", INT64_MIN },
		{ "2023-11-14T22:13:20+01:60", INT64_MIN }, { "2023-1-14T22:13:20Z", INT64_MIN }, { "2023-13-14T22:13:20Z", INT64_MIN }, { "2023-11-14T22:13:20Zx", INT64_MIN }, { "", INT64_MIN },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = INT64_MIN;

		if (clock_parse_rfc3339(cases[i].text, strlen(cases[i].text), &ms) != (cases[i].ms != INT64_MIN) || (cases[i].ms != INT64_MIN && ms != cases[i].ms))
			fail_msg("%s: %lld", cases[i].text, (long long)ms);
	}
	assert_int_equal(clock_format_rfc3339(out, -1), 24);
	assert_string_equal(out, "1969-12-31T23:59:59.999Z");
}

/* A step counts once; what stays under a second is slewing. */
static void clock_steps(void **state)
{
	struct clock c = clock_manual(1000000);
	struct clock_skew skew = { 0 };

	(void)state;
	assert_int_equal(clock_step_ms(&skew, &c), 0);
	c.wall += 5000, c.mono += 5000;
	assert_int_equal(clock_step_ms(&skew, &c), 0);
	c.wall += 999;
	assert_int_equal(clock_step_ms(&skew, &c), 0);
	c.wall += 3601000, c.mono += 1000;
	assert_int_equal(clock_step_ms(&skew, &c), 3600000);
	assert_int_equal(clock_step_ms(&skew, &c), 0);
	c.wall -= 1000;
	assert_int_equal(clock_step_ms(&skew, &c), -1000);
	assert_int_equal(clock_step_ms(&skew, &c), 0);
}

/* Stopped, suspended (monotonic time stands still as well) or put forward; not set back. */
static void clock_leaps(void **state)
{
	struct clock c = clock_manual(1000000);
	int64_t looked_ms = 0;

	(void)state;
	assert_false(clock_leapt(&looked_ms, &c));
	c.wall += 4999, c.mono += 4999;
	assert_false(clock_leapt(&looked_ms, &c));
	c.wall += 5000;
	assert_true(clock_leapt(&looked_ms, &c));
	assert_false(clock_leapt(&looked_ms, &c));
	c.wall -= 3600000;
	assert_false(clock_leapt(&looked_ms, &c));
	assert_int_equal(looked_ms, c.wall);
}

static void errors(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_false(err_set(&e, ERR_SYNTAX, 3, "first %d", 1));
	assert_false(err_set(&e, ERR_IO, 4, "second"));
	assert_false(err_context(&e, "in %s", "x"));
	assert_string_equal(e.msg, "in x: first 1");
	assert_int_equal(e.pos, 3);
	assert_int_equal(err_http_status(e.code), 400);
	assert_string_equal(err_api_type(ERR_EXEC), "execution");
	assert_true(err_is_retryable(ERR_UPSTREAM) && !err_is_retryable(ERR_SYNTAX));
}

/* FNV-1a over nothing is the offset basis; the other was computed by Alertmanager's rule by hand. */
static void fingerprints(void **state)
{
	const struct label l = { STR("a"), STR("b") };
	uint64_t h = 0xcbf29ce484222325ULL;
	const unsigned char bytes[] = { 'a', 0xff, 'b', 0xff };

	(void)state;
	assert_int_equal(alert_fingerprint((struct labels){ NULL, 0 }), h);
	for (size_t i = 0; i < sizeof bytes; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ULL;
	assert_int_equal(alert_fingerprint((struct labels){ &l, 1 }), h);
}

/* Each byte at each place of texts of many lengths is written as by json_escape(), which goes byte by byte. */
static void json_bytes(void **state)
{
	char text[24];

	(void)state;
	for (size_t at = 0; at < sizeof text * sizeof text * 256; at++) {
		size_t n = at % sizeof text + 1, odd = at / sizeof text % sizeof text;
		struct buf whole = { 0 }, escaped = { 0 };

		memset(text, 'a', sizeof text);
		text[odd] = (char)(at / sizeof text / sizeof text);
		json_out_str(&(struct json_out){ &whole, false }, (struct str){ text, n });
		json_escape(&escaped, (struct str){ text, n });
		if (whole.n != escaped.n + 2 || memcmp(whole.p + 1, escaped.p, escaped.n) != 0 || whole.p[0] != '"' ||
		    whole.p[whole.n - 1] != '"')
			fail_msg("byte %d at %zu of %zu", text[odd], odd, n);
		buf_fini(&whole);
		buf_fini(&escaped);
	}
}

static void json(void **state)
{
	const struct label l = { STR("a"), STR("x\"\x01\xff\n\xe2\x80\xa8\xc2\x85\xc3\xa4") };
	struct buf b = { 0 };
	struct json_out j = { &b, false };

	(void)state;
	json_out_open(&j, '{');
	json_out_key(&j, "l");
	json_out_labels(&j, (struct labels){ &l, 1 });
	json_out_key(&j, "v");
	json_out_open(&j, '[');
	json_out_seconds(&j, 1500);
	json_out_num_fixed(&j, 1e21);
	json_out_num_text(&j, -1e21);
	json_out_num_text(&j, 1e20);
	json_out_num_text(&j, 1e-6);
	json_out_num_text(&j, 1.5e-7);
	json_out_num(&j, NAN);
	json_out_num_text(&j, INFINITY);
	json_out_bool(&j, true);
	json_out_strz(&j, NULL);
	json_out_time(&j, 0);
	json_out_raw(&j, STR("{}"));
	json_out_int(&j, -7);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	assert_string_equal(buf_z(&b), "{\"l\":{\"a\":\"x\\\"\\u0001\xef\xbf\xbd\\n\\u2028\\u0085\xc3\xa4\"},\"v\":[1.5,\"1000000000000000000000\",\"-1e+21\",\"100000000000000000000\",\"0.000001\",\"1.5e-07\",null,\"+Inf\",true,null,"
	                               "\"1970-01-01T00:00:00.000Z\",{},-7]}");
	buf_fini(&b);
}

static long resident_file_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident, shared;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld %ld", &size, &resident, &shared), 3);
	fclose(f);
	return shared;
}

static void number_texts(char out[2][344])
{
	num_format(out[0], 5e-324);
	num_format(out[1], 9007199254740993.0);
}

/* Code, constants and what the loader put into tables of addresses are what they were; only pages of files that nobody needs now are gone. */
static void start_forgotten(void **state)
{
	static char *(*const volatile relocated[])(const char *, size_t) = { mem_strndup };
	char before[2][344] = { 0 }, after[2][344] = { 0 };
	long pages;
	char *copy;

	(void)state;
	number_texts(before);
	pages = resident_file_pages();
	process_forget_start();
	assert_true(resident_file_pages() < pages);
	number_texts(after);
	assert_memory_equal(before, after, sizeof before);
	copy = relocated[0]("text", 4);
	assert_string_equal(copy, "text");
	free(copy);
}

/* What Go's filepath.Match says of each. */
static void globs(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool hit;
	} cases[] = { { "a[!b]c", "a!c", true }, { "a[!b]c", "abc", true }, { "a[!b]c", "axc", false }, { "a[^b]c", "axc", true }, { "a[^b]c", "abc", false },
		      { "a[b!]c", "a!c", true }, { "a[a-c]c", "abc", true }, { "*.yml", ".x.yml", true }, { "?.yml", "/.yml", false }, { "*", "a/b", false },
		      { "a\\[!b]", "a[!b]", true }, { "[[:alpha:]]", "x", false }, { "[[:alpha:]]", "a]", true }, { "[\\]!]x", "!x", true } };
	char folder[] = "/tmp/tocsin-unit-XXXXXX", path[64];
	glob_t found;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (glob_matches(cases[i].pattern, cases[i].path) != cases[i].hit)
			fail_msg("%s %s", cases[i].pattern, cases[i].path);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/*", folder);
	assert_int_equal(glob_files(path, &found), GLOB_NOMATCH);
	assert_int_equal(found.gl_pathc, 0);
	globfree(&found);
	snprintf(path, sizeof path, "%s/.b", folder);
	fclose(fopen(path, "w"));
	snprintf(path, sizeof path, "%s/[!.]*", folder);
	assert_int_equal(glob_files(path, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	globfree(&found);
	assert_int_equal(rmdir(folder), 0);
}

/* One name waits 5 s; when many are silent a minute; from CONNECTION_LOOKUPS_MAX on, whoever is not known waits too. */
static void lookups_are_bounded(void **state)
{
	static struct connection_lookups l;
	int64_t now_ms = 1000000;

	(void)state;
	connection_lookups_add(&l, 1, now_ms);
	assert_non_null(connection_lookups_refuse(&l, 1, now_ms + 4999));
	assert_null(connection_lookups_refuse(&l, 1, now_ms + 5000));
	assert_null(connection_lookups_refuse(&l, 2, now_ms));
	for (uint64_t name = 2; name <= 65; name++)
		connection_lookups_add(&l, name, now_ms);
	assert_non_null(connection_lookups_refuse(&l, 1, now_ms + 59999));
	assert_null(connection_lookups_refuse(&l, 1, now_ms + 60000));
	for (uint64_t name = 66; name < CONNECTION_LOOKUPS_MAX; name++)
		connection_lookups_add(&l, name, now_ms);
	assert_null(connection_lookups_refuse(&l, 9999, now_ms));
	connection_lookups_add(&l, CONNECTION_LOOKUPS_MAX, now_ms);
	assert_int_equal(connection_lookups_hang(&l, now_ms), CONNECTION_LOOKUPS_MAX);
	assert_non_null(strstr(connection_lookups_refuse(&l, 9999, now_ms), "CONNECTION_LOOKUPS_MAX"));
	assert_null(connection_lookups_refuse(&l, 0, now_ms));
	assert_null(connection_lookups_refuse(&l, 9999, now_ms + 60000));
	assert_int_equal(connection_lookups_hang(&l, now_ms + 60000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_read_back), cmocka_unit_test(numbers_are_shortest),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes_and_seconds),
		cmocka_unit_test(utf8),
		cmocka_unit_test(texts),
		cmocka_unit_test(buffers),
		cmocka_unit_test(globs),
		cmocka_unit_test(lookups_are_bounded),
		cmocka_unit_test(maps),
		cmocka_unit_test(arenas),
		cmocka_unit_test(label_sets),
		cmocka_unit_test(times),
		cmocka_unit_test(clock_steps),
		cmocka_unit_test(clock_leaps),
		cmocka_unit_test(errors),
		cmocka_unit_test(fingerprints),
		cmocka_unit_test(json),
		cmocka_unit_test(start_forgotten),
		cmocka_unit_test(json_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
