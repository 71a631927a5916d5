/* Walking by pattern within bounds, and what a set of files amounts to. */
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "files/files.h"
#include "walk.h"

static char folder[] = "/tmp/tocsin-files-XXXXXX";

static void put(const char *path, const char *text, int64_t mtime)
{
	struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
	struct buf b = { 0 };
	int fd;

	buf_printf(&b, "%s/%s", folder, path);
	for (char *p = b.p + strlen(folder) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		assert_true(mkdir(b.p, 0755) == 0 || errno == EEXIST);
	}
	fd = open(buf_z(&b), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	futimens(fd, times);
	close(fd);
	buf_fini(&b);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	put("daily/a.sql.gz", "12345", 1000);
	put("daily/b.sql.gz", "", 2000);
	put("daily/.hidden.sql.gz", "x", 9000);
	put("daily/note.txt", "x", 9000);
	put("deep/x/one.rdb", "1", 1500);
	put("deep/x/y/two.rdb", "22", 1600);
	put("deep/z/three.rdb", "333", 1700);
	put("void/sub/x", "", 1);
	return 0;
}

static int tear_down(void **state)
{
	struct buf b = { 0 };
	int failed;

	(void)state;
	buf_printf(&b, "rm -rf %s", folder);
	failed = system(buf_z(&b));
	buf_fini(&b);
	return failed;
}

static bool note_name(void *ctx, const char *path, const struct stat *st, struct err *e)
{
	(void)st;
	(void)e;
	buf_printf(ctx, "%s ", strrchr(path, '/') + 1);
	return true;
}

static void patterns(void **state)
{
	static const struct {
		const char *name, *pattern;
		size_t max_entries;
		enum walk_verdict verdict;
		size_t found;
		const char *says;
	} cases[] = {
		{ "a star", "daily/*.sql.gz", 100, WALK_DONE, 2, "" },
		{ "a dot by a dot only", "daily/.*.gz", 100, WALK_DONE, 1, "" },
		{ "one file", "daily/note.txt", 100, WALK_DONE, 1, "" },
		{ "one file that is not there", "daily/none.txt", 100, WALK_DONE, 0, "" },
		{ "a folder is no file", "daily", 100, WALK_DONE, 0, "" },
		{ "wildcards in folders", "deep/*/*.rdb", 100, WALK_DONE, 2, "" },
		{ "any depth", "deep/**/*.rdb", 100, WALK_DONE, 3, "" },
		{ "any depth, anything", "deep/**", 100, WALK_DONE, 3, "" },
		{ "any depth twice is any depth", "deep/**/**/*.rdb", 100, WALK_DONE, 3, "" },
		{ "every entry is looked at once", "deep/**/**/**/*.rdb", 6, WALK_DONE, 3, "" },
		{ "a folder at any depth, anything below", "**/y/**/*.rdb", 100, WALK_DONE, 1, "" },
		{ "matched in two ways", "**/x/**/*.rdb", 100, WALK_DONE, 2, "" },
		{ "a name at any depth", "deep/**/two.rdb", 100, WALK_DONE, 1, "" },
		{ "any depth but hidden", "**/*.gz", 100, WALK_DONE, 2, "" },
		{ "brackets", "deep/[xz]/t*.rdb", 100, WALK_DONE, 1, "" },
		{ "empty folder", "void/*", 100, WALK_DONE, 0, "" },
		{ "missing folder", "nowhere/*.gz", 100, WALK_MISSING, 0, "" },
		{ "folder of a file missing", "nowhere/x", 100, WALK_MISSING, 0, "" },
		{ "a file in place of the folder", "daily/note.txt/*", 100, WALK_MISSING, 0, "" },
		{ "folder behind a wildcard missing", "*/nowhere/x", 100, WALK_DONE, 0, "" },
		{ "too many entries", "daily/*", 3, WALK_FAILED, 99, "more than 3 directory entries (max_entries)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct clock clock = clock_manual(0);
		struct walk_bounds bounds = { cases[i].max_entries, 1000, &clock };
		struct buf pattern = { 0 }, names = { 0 };
		struct err e = { 0 };
		size_t n = 0;

		print_message("  %s\n", cases[i].name);
		buf_printf(&pattern, "%s/%s", folder, cases[i].pattern);
		assert_int_equal(walk_glob(buf_str(&pattern), &bounds, note_name, &names, &e), cases[i].verdict);
		assert_string_equal(e.msg, cases[i].says);
		for (size_t k = 0; k < names.n; k++)
			n += names.p[k] == ' ';
		if (cases[i].found != 99)
			assert_int_equal(n, cases[i].found);
		buf_fini(&pattern);
		buf_fini(&names);
	}
}

static void patterns_that_are_none(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_false(walk_pattern_check(STR("//"), &e));
	assert_string_equal(e.msg, "a path that names no file");
	e = (struct err){ 0 };
	assert_false(walk_pattern_check(STR("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7"), &e));
	assert_non_null(strstr(e.msg, "(WALK_MAX_DEPTH)"));
	static const struct { const char *pattern, *says; } cases[] = {         /* "": it is one */
		{ "/a/[ab", "\"[ab\" has a [ without ]" }, { "/a/[a/b]", "\"[a\" has a [ without ]" }, { "/a/[!]", "has a [ without ]" },
		{ "/a/[[:digit:]", "has a [ without ]" }, { "/a/x\\", "ends in a backslash" }, { "/a/", "names a folder: write /* behind it" },
		{ "/a/*/", "names a folder" }, { "/a/\\[ab", "" }, { "/a/[]b]*", "" }, { "/a/[!]-]x[ab]", "" }, { "/a/[[:digit:]x]", "" }, { "/a/]", "" },
		{ "/a/*.{gz,zip}", "braces are not expanded" }, { "/a/*.\\{gz,zip}", "" }, { "/a/{x}", "" }, { "/{a,b}/*", "braces are not expanded" },
		{ "/a/[a\\]b]", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("  %s\n", cases[i].pattern);
		e = (struct err){ 0 };
		assert_int_equal(walk_pattern_check(str_of(cases[i].pattern), &e), *cases[i].says == '\0');
		assert_non_null(strstr(e.msg, cases[i].says));
	}
}

static bool collect(struct files_set *sets, size_t n, struct buf *page)
{
	struct files_settings s = { .common = { STR("backups"), "backups", 1000 }, .max_entries = 4, .sets = { sets, n, NULL } };
	struct clock clock = clock_manual(3000000);
	struct source_ask ask = { 1000, -1, &clock };
	struct expo_set *out = expo_set_new();
	struct expo_part part = { out, NULL, 0 };
	struct err e = { 0 };
	void *f = files_source_kind.open(&s, &clock);
	bool ok = files_source_kind.collect(f, &ask, out, &e);

	files_source_kind.close(f);
	expo_write(page, &part, 1, EXPO_TEXT);
	expo_set_unref(out);
	return ok;
}

static void figures(void **state)
{
	static const struct { const char *glob, *want[9]; const char *absent; } cases[] = {
		{ "daily/*.sql.gz", { "count{set=\"s\"} 2", "empty_count{set=\"s\"} 1", "size_bytes{set=\"s\"} 5",
		    "newest_age_seconds{set=\"s\"} 1000",
		    "newest_size_bytes{set=\"s\"} 0", "oldest_age_seconds{set=\"s\"} 2000", "newest_timestamp_seconds{set=\"s\"} 2000",
		    "folder_exists{set=\"s\"} 1" }, "NaN" },
		{ "void/*", { "count{set=\"s\"} 0", "folder_exists{set=\"s\"} 1", "collector_success{set=\"s\"} 1" }, "newest" },
		{ "gone/*", { "count{set=\"s\"} 0", "folder_exists{set=\"s\"} 0", "collector_success{set=\"s\"} 1" }, "newest" },
		{ "**/*", { "collector_success{set=\"s\"} 0" }, "count{" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf glob = { 0 }, page = { 0 };
		struct files_set set = { STR("s"), STR_NULL };

		print_message("  %s\n", cases[i].glob);
		buf_printf(&glob, "%s/%s", folder, cases[i].glob);
		set.glob = str_of(buf_z(&glob));
		assert_true(collect(&set, 1, &page));
		for (size_t k = 0; cases[i].want[k] != NULL; k++)
			assert_non_null(strstr(buf_z(&page), cases[i].want[k]));
		assert_null(strstr(buf_z(&page), cases[i].absent));
		buf_fini(&glob);
		buf_fini(&page);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(patterns_that_are_none),
		cmocka_unit_test(figures),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
