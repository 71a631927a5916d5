/* Reading YAML by tables, and above all what people are told when it is wrong: the texts are pinned here. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tocsin/conf.h"
#include "tocsin/regex.h"

struct target {
	struct str name, url, password;
	int64_t interval_ms;
	bool enabled;
	int level;
	double ratio;
	int64_t limit_bytes;
	int64_t count;
};

struct file {
	struct target defaults;
	struct target *maybe;
	struct conf_list targets;
	struct conf_strs rule_files;
	struct conf_labels labels;
	struct regex *pattern;
	const struct conf_node *raw;
};

static const char *const levels[] = { "debug", "info", "warn", NULL };
static const struct conf_range interval_range = { 1000, 3600000 };

static const struct conf_key target_keys[] = {
	CONF_KEY(struct target, "name", name, conf_str, NULL, CONF_REQUIRED, "How it is called."),
	CONF_KEY(struct target, "url", url, conf_url, "http://localhost", CONF_RELOAD, "Where it is."),
	CONF_KEY(struct target, "password", password, conf_str, NULL, CONF_SECRET | CONF_ENV, "Lets us in."),
	CONF_KEY_ARG(struct target, "interval", interval_ms, conf_duration_ms, "15s", 0, "How often.", &interval_range),
	CONF_KEY(struct target, "enabled", enabled, conf_bool, "true", 0, "Whether it is read."),
	CONF_KEY_ARG(struct target, "level", level, conf_enum, "info", 0, "How loud.", levels),
	CONF_KEY(struct target, "ratio", ratio, conf_double, "0.5", 0, "A share."),
	CONF_KEY(struct target, "limit", limit_bytes, conf_bytes, "1MB", 0, "Bytes."),
	CONF_KEY(struct target, "count", count, conf_int, "3", 0, "Pieces."),
};
static const struct conf_table target_table = { target_keys, ARRAY_LEN(target_keys), sizeof(struct target), NULL, NULL };
static const struct conf_key file_keys[] = {
	CONF_KEY_ARG(struct file, "defaults", defaults, conf_sub, NULL, 0, "For all.", &target_table),
	CONF_KEY_ARG(struct file, "maybe", maybe, conf_sub_ptr, NULL, 0, "If it is there.", &target_table),
	CONF_KEY_ARG(struct file, "targets", targets, conf_sub_list, NULL, 0, "What to read.", &target_table),
	CONF_KEY(struct file, "rule_files", rule_files, conf_path_list, NULL, 0, "Rules."),
	CONF_KEY(struct file, "labels", labels, conf_labels, NULL, 0, "Labels."),
	CONF_KEY(struct file, "pattern", pattern, conf_regex, NULL, 0, "A pattern."),
	CONF_KEY(struct file, "raw", raw, conf_raw, NULL, 0, "Anything."),
	CONF_KEY(struct file, "silent", raw, conf_raw, NULL, 0, NULL),
};
static const struct conf_table file_table = { file_keys, ARRAY_LEN(file_keys), sizeof(struct file), NULL, NULL };

struct fixture {
	struct arena arena;
	struct conf_report report;
	struct conf_reader reader;
	struct file file;
	struct conf_node *root;
	struct buf text;        /* of the report */
};

static void read_text(struct fixture *f, const char *yaml)
{
	*f = (struct fixture){ 0 };
	f->reader = (struct conf_reader){ .arena = &f->arena, .report = &f->report };
	f->root = conf_load_text(&f->arena, STR("/etc/t/t.yml"), str_of(yaml), &f->report);
	if (f->root != NULL)
		conf_read(&f->reader, &file_table, f->root, &f->file);
	conf_report_print(&f->report, &f->text);
}

static void done(struct fixture *f)
{
	conf_release(f->reader.held);
	conf_report_fini(&f->report);
	arena_fini(&f->arena);
	buf_fini(&f->text);
}

static void reads_everything(void **state)
{
	struct fixture f;
	const struct target *t;

	(void)state;
	setenv("TEST_CONF_PW", "from env", 1);
	read_text(&f, "targets:\n"
	              "- name: a\n"
	              "  url: https://h:1/x\n"
	              "  password: \"<${TEST_CONF_PW}>\"\n"
	              "  interval: 1m30s\n"
	              "  enabled: no\n"
	              "  level: warn\n"
	              "  limit: 2KiB\n"
	              "- &b {name: b}\n"
	              "- <<: *b\n"
	              "  count: 7\n"
	              "rule_files: [/abs.yml, rel/*.yml]\n"
	              "labels: {z: '1', a: , m: x y}\n"
	              "pattern: a.*\n"
	              "raw: [1, {x: 2}]\n"
	              "maybe: null\n");
	assert_string_equal(buf_z(&f.text), "");
	assert_int_equal(f.file.targets.n, 3);
	t = f.file.targets.v;
	assert_string_equal(t[0].password.p, "<from env>");
	assert_int_equal(t[0].interval_ms, 90000);
	assert_false(t[0].enabled);
	assert_int_equal(t[0].level, 2);
	assert_int_equal(t[0].limit_bytes, 2048);
	assert_string_equal(t[1].url.p, "http://localhost");
	assert_int_equal(t[1].interval_ms, 15000);
	assert_true(t[1].enabled);
	assert_string_equal(t[2].name.p, "b");
	assert_int_equal(t[2].count, 7);
	assert_string_equal(f.file.rule_files.v[0].p, "/abs.yml");
	assert_string_equal(f.file.rule_files.v[1].p, "/etc/t/rel/*.yml");
	assert_string_equal(f.file.labels.v[0].name.p, "z");
	assert_int_equal(f.file.labels.v[1].value.n, 0);
	assert_int_equal(regex_match(f.file.pattern, STR("abc")), REGEX_YES);
	assert_int_equal(f.file.raw->kind, CONF_SEQ);
	assert_null(f.file.maybe);
	assert_int_equal(f.file.defaults.interval_ms, 15000);
	done(&f);
}

static const struct {
	const char *name, *yaml, *report;
} complaints[] = {
	{ "all errors, in order", "targets:\n- nam: a\n  interval: 5x\n  level: wrn\nruel_files: []\n",
	  "/etc/t/t.yml:2:3: unknown key \"nam\": did you mean \"name\"?\n    - nam: a\n      ^\n"
	  "/etc/t/t.yml:3:13: \"5x\" is no duration: write one such as 30s or 1h30m (units y w d h m s ms, in this order)\n"
	  "      interval: 5x\n                ^\n"
	  "/etc/t/t.yml:4:10: \"wrn\" is no level: did you mean \"warn\"?\n      level: wrn\n             ^\n"
	  "/etc/t/t.yml:5:1: unknown key \"ruel_files\": did you mean \"rule_files\"?\n    ruel_files: []\n    ^\n" },
	{ "missing", "targets:\n- levl: info\n",
	  "/etc/t/t.yml:2:3: unknown key \"levl\": did you mean \"level\"?\n    - levl: info\n      ^\n"
	  "/etc/t/t.yml:2:3: the key \"name\" is missing: add it (How it is called.)\n    - levl: info\n      ^\n" },
	{ "range", "defaults: {name: a, interval: 10ms}\n",
	  "/etc/t/t.yml:1:31: interval is out of range: write 1s to 1h\n    defaults: {name: a, interval: 10ms}\n" "                                  ^\n" },
	{ "wrong kinds", "targets: {}\nlabels: x\nrule_files: {a: b}\ndefaults: [1]\n",
	  "/etc/t/t.yml:1:10: targets is a map: write a list, each item behind \"- \"\n    targets: {}\n             ^\n"
	  "/etc/t/t.yml:2:9: labels is a single value: write a map of names to texts\n    labels: x\n            ^\n"
	  "/etc/t/t.yml:3:13: rule_files is a map: write a list\n    rule_files: {a: b}\n                ^\n"
	  "/etc/t/t.yml:4:11: this is a list: a map of keys is wanted\n    defaults: [1]\n              ^\n" },
	{ "duplicate key", "labels: {a: 1, a: 2}\n",
	  "/etc/t/t.yml:1:16: the key \"a\" occurs twice (first in line 1): remove one\n    labels: {a: 1, a: 2}\n                   ^\n" },
	{ "tab", "targets:\n\t- name: x\n",
	  "/etc/t/t.yml:2:1: found character that cannot start any token: indent with spaces, YAML allows no tabs\n    \t- name: x\n    ^\n" },
	{ "a secret is not shown", "defaults:\n  name: a\n  password: {a: hunter2}\n",
	  "/etc/t/t.yml:3:13: password is a map: write a text\n" },
	{ "nor beside an error", "defaults: {nam: a, password: hunter2}\n",
	  "/etc/t/t.yml:1:12: unknown key \"nam\": did you mean \"name\"?\n    defaults: {nam: a, password: <secret>\n               ^\n" },
	{ "nor an address in flow style", "defaults: {nam: a, url: 'redis://:hunter2@h', name: b}\n",
	  "/etc/t/t.yml:1:12: unknown key \"nam\": did you mean \"name\"?\n    defaults: {nam: a, url: <secret>\n               ^\n"
	  "/etc/t/t.yml:1:25: url is no URL: write one such as http://host:9090/path\n    defaults: {nam: a, url: <secret>\n                            ^\n" },
	{ "nor a secret below its key", "defaults: {password:\n    hunter2, nam: a,\n    name: b}\n",
	  "/etc/t/t.yml:2:14: unknown key \"nam\": did you mean \"name\"?\n" },
	{ "environment", "defaults: {name: a, password: '${TEST_CONF_NONE}'}\n",
	  "/etc/t/t.yml:1:32: the environment has no variable of this name: set it, or give the value itself\n" },
	{ "both forms", "defaults: {name: a, password: x, password_file: y}\n",
	  "/etc/t/t.yml:1:49: both password and password_file are set: remove one\n    defaults: {name: a, password: <secret>\n" },
	{ "second document", "labels: {}\n---\nlabels: x\n",
	  "/etc/t/t.yml:2:1: warning: a second document begins here: only the first one is read\n    ---\n    ^\n" },
	{ "regex position", "pattern: \"a(?=b)\"\n",
	  "/etc/t/t.yml:1:12: lookahead is not part of RE2: match the text itself, or use two matchers\n    pattern: \"a(?=b)\"\n               ^\n" },
	{ "alias to itself", "labels: &a {x: *a}\n",
	  "/etc/t/t.yml:1:16: this alias names no complete anchor before it: define it with & first\n    labels: &a {x: *a}\n                   ^\n" },
	{ "no UTF-8", "labels:\n  a: \xff\n", "/etc/t/t.yml:2:6: this is no UTF-8: save the file as UTF-8\n    " "  a: \xff\n" "         ^\n" },
	{ "not a map", "just text\n", "/etc/t/t.yml:1:1: this is a single value: a map of keys is wanted\n    just text\n    ^\n" },
	{ "empty file", "", "" },
	{ "only a comment", "# nothing\n", "" },
};

static void complains(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(complaints); i++) {
		struct fixture f;

		read_text(&f, complaints[i].yaml);
		if (strcmp(buf_z(&f.text), complaints[i].report) != 0)
			fail_msg("%s:\n%s--- wanted:\n%s", complaints[i].name, f.text.p, complaints[i].report);
		done(&f);
	}
}

/* The offset of "HERE" in the scalar must be found as the place of "HERE" in the file. */
static const struct {
	const char *name, *yaml;
	int line, col;
} places[] = {
	{ "plain", "raw: abc HERE", 1, 10 },
	{ "plain over lines", "raw: abc\n  def\n    HERE", 3, 5 },
	{ "double quoted", "raw: \"a\\\"b\\n\\x41 HERE\"", 1, 18 },
	{ "double quoted over lines", "raw: \"a\n  \\tb \\\n  HERE\"", 3, 3 },
	{ "single quoted", "raw: 'it''s HERE'", 1, 13 },
	{ "literal", "raw: |\n  abc\n\n   HERE", 4, 4 },
	{ "literal, keeping", "raw: |2-\n    abc HERE", 2, 9 },
	{ "folded", "raw: > # comment\n  abc\n  def HERE", 3, 7 },
	{ "anchored", "raw: &x !!str abc HERE", 1, 19 },
	{ "wide characters", "raw: \xc3\xa4\xe2\x82\xac HERE", 1, 9 },
	{ "at the beginning", "raw: HERE", 1, 6 },
	{ "block at the beginning", "raw: |\n  HERE", 2, 3 },
	{ "quoted at the beginning", "raw: 'HERE'", 1, 7 },
	{ "unicode escape", "raw: \"\\u00e4\\U0001F600 HERE\"", 1, 24 },
};

static void finds_places_inside_scalars(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct fixture f;
		int line, col;

		read_text(&f, places[i].yaml);
		conf_position(f.file.raw, str_find(f.file.raw->text, STR("HERE")), &line, &col);
		if (line != places[i].line || col != places[i].col)
			fail_msg("%s: %d:%d, not %d:%d", places[i].name, line, col, places[i].line, places[i].col);
		done(&f);
	}
}

static void laughs_are_harmless(void **state)
{
	struct fixture f;
	struct buf y = { 0 };

	(void)state;
	buf_putz(&y, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&y, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&y, "*a%d,", i - 1);
		buf_putz(&y, "]\n");
	}
	read_text(&f, buf_z(&y));
	assert_null(f.root);
	assert_non_null(strstr(f.text.p, "1000000"));
	done(&f);
	buf_reset(&y);
	for (int i = 0; i < 100; i++)
		buf_putz(&y, "[");
	read_text(&f, buf_z(&y));
	assert_null(f.root);
	assert_non_null(strstr(f.text.p, "64 levels"));
	done(&f);
	buf_fini(&y);
}

static void counts_what_it_does_not_show(void **state)
{
	struct fixture f;
	struct buf y = { 0 };

	(void)state;
	for (int i = 0; i < 150; i++)
		buf_printf(&y, "zzzzzzz%d: x\n", i);
	read_text(&f, buf_z(&y));
	assert_int_equal(f.report.n_errors, 150);
	assert_non_null(strstr(f.text.p, "… and 50 more\n"));
	done(&f);
	buf_fini(&y);
}

static void reads_secrets_from_files(void **state)
{
	char path[] = "/tmp/test_conf_XXXXXX", yaml[128];
	int fd = mkstemp(path);
	struct fixture f;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "s3cret\r\n", 8), 8);
	close(fd);
	snprintf(yaml, sizeof yaml, "defaults: {name: a, password_file: %s}", path);
	read_text(&f, yaml);
	assert_string_equal(buf_z(&f.text), "");
	assert_string_equal(f.file.defaults.password.p, "s3cret");
	done(&f);
	unlink(path);
	read_text(&f, yaml);
	assert_non_null(strstr(buf_z(&f.text), "cannot read the secret from /tmp/test_conf_"));
	done(&f);
}

static void prints_without_secrets(void **state)
{
	struct fixture f;
	struct buf out = { 0 };

	(void)state;
	read_text(&f, "defaults:\n  name: a b\n  password: hunter2\ntargets:\n- {name: x, url: 'http://h/'}\nraw: [1, {}]\n");
	conf_print_redacted(&out, &file_table, f.root);
	assert_string_equal(buf_z(&out), "defaults:\n  name: \"a b\"\n  password: <secret>\ntargets:\n  -\n    name: x\n    url: \"http://h/\"\n"
	                                 "raw:\n  - 1\n  - {}\n");
	buf_fini(&out);
	done(&f);
}

static void helps(void **state)
{
	struct buf out = { 0 };

	(void)state;
	conf_print_help(&out, &file_table);
	assert_non_null(strstr(buf_z(&out), "    level: <debug|info|warn> = info"));
	assert_null(strstr(buf_z(&out), "silent"));     /* a row without a help text is not for people */
	buf_fini(&out);
}

/* As YAML 1.1 has them, in which prometheus.yml is written. */
static void reads_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t count;  /* -1: refused */
	} cases[] = { { "0x1F", 31 }, { "0b11", 3 }, { "0o17", 15 }, { "017", 15 }, { "09", 9 }, { "1_000", 1000 }, { "+5", 5 }, { "1e3", 1000 }, { "2.9", 2 },
		      { "!!int '4'", 4 }, { "'4'", -1 }, { "!!str 4", -1 }, { "0x", -1 }, { "1x", -1 }, { ".inf", -1 }, { "infinity", -1 }, { "1e30", -1 },
		      { "9223372036854775808", -1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		char yaml[80];

		snprintf(yaml, sizeof yaml, "defaults: {name: a, count: %s}\n", cases[i].text);
		read_text(&f, yaml);
		if ((cases[i].count == -1) != (f.report.n_errors > 0) || (cases[i].count != -1 && f.file.defaults.count != cases[i].count))
			fail_msg("%s: %lld, %s", cases[i].text, (long long)f.file.defaults.count, buf_z(&f.text));
		done(&f);
	}
}

/* A SOCKS proxy looks names up. */
static void reads_proxies(void **state)
{
	static const struct {
		const char *text, *url; /* NULL: refused */
	} cases[] = { { "http://p", "http://p" }, { "p", "http://p" }, { "p:3128", "http://p:3128" }, { "HTTP://u:w@p/", "http://u:w@p/" },
		      { "http://[::1]:8", "http://[::1]:8" }, { "https://p", "https://p" }, { "socks5://u:w@p:1", "socks5h://u:w@p:1" },
		      { "http://p:x", NULL }, { "http://p%zz", NULL }, { "http://u:w@", NULL }, { "ftp://p", NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const struct conf_key keys[] = { CONF_KEY(struct target, "url", url, conf_proxy_url, NULL, 0, NULL) };
		static const struct conf_table table = { keys, 1, sizeof(struct target), NULL, NULL };
		struct fixture f = { .reader = { .arena = &f.arena, .report = &f.report } };
		struct target t = { 0 };
		char yaml[80];
		bool ok;

		snprintf(yaml, sizeof yaml, "url: '%s'\n", cases[i].text);
		ok = conf_read(&f.reader, &table, conf_load_text(&f.arena, STR("t.yml"), str_of(yaml), &f.report), &t);
		if (ok != (cases[i].url != NULL) || (ok && !str_eq(t.url, str_of(cases[i].url))))
			fail_msg("%s: " STR_FMT, cases[i].text, STR_ARG(t.url));
		done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_everything),
		cmocka_unit_test(complains),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_proxies),
		cmocka_unit_test(finds_places_inside_scalars),
		cmocka_unit_test(laughs_are_harmless),
		cmocka_unit_test(counts_what_it_does_not_show),
		cmocka_unit_test(reads_secrets_from_files),
		cmocka_unit_test(prints_without_secrets),
		cmocka_unit_test(helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
