/* Command lines: each case a line of words, and what comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "tocsin/flags.h"

static struct str file;
static struct flag_list listen_on;
static bool check;
static int64_t keep_ms;

static const struct flag flags[] = {
	{ "config.file", FLAG_TEXT, &file, "", "FILE", "What to read." },
	{ "web.listen-address", FLAG_LIST, &listen_on, "127.0.0.1:1", "ADDRESS", "Where to listen." },
	{ "check-config", FLAG_SWITCH, &check, NULL, NULL, "Only check." },
	{ "keep", FLAG_DURATION, &keep_ms, "15d", "DURATION", "How long." },
};

static const struct {
	const char *name;
	const char *words[6];
	const char *error;              /* NULL: good */
	const char *file;
	size_t n_listen;
	bool check;
	int64_t keep_ms;
} cases[] = {
	{ "defaults", { NULL }, NULL, "", 1, false, 1296000000 },
	{ "equals sign", { "--config.file=a.yml", "--keep=1h" }, NULL, "a.yml", 1, false, 3600000 },
	{ "next word", { "--config.file", "a.yml", "--check-config" }, NULL, "a.yml", 1, true, 1296000000 },
	{ "one dash", { "-config.file", "a.yml" }, NULL, "a.yml", 1, false, 1296000000 },
	{ "a list replaces its default", { "--web.listen-address=:1", "--web.listen-address=:2" }, NULL, "", 2, false, 1296000000 },
	{ "switched off", { "--check-config", "--no-check-config" }, NULL, "", 1, false, 1296000000 },
	{ "unknown", { "--confg" }, "unknown flag --confg: --help lists them", NULL, 0, false, 0 },
	{ "no value", { "--config.file" }, "--config.file needs a value: --config.file=FILE", NULL, 0, false, 0 },
	{ "bad duration", { "--keep=soon" }, "--keep=soon is no duration: write it like 30s, 15d or 1h30m", NULL, 0, false, 0 },
	{ "switch with a value", { "--check-config=1" }, "--check-config takes no value: write --check-config or --no-check-config", NULL, 0, false, 0 },
	{ "stray word", { "hello" }, "unexpected argument 'hello': --help shows how it is called", NULL, 0, false, 0 },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char words[6][64] = { { 0 } };
		char *argv[8] = { words[5] };
		int argc = 1;
		struct err e = { 0 };
		bool good;

		for (size_t w = 0; w < 5 && cases[i].words[w] != NULL; w++) {
			snprintf(words[w], sizeof words[w], "%s", cases[i].words[w]);
			argv[argc++] = words[w];
		}
		listen_on.n = 0;
		check = false;
		good = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, &e);
		if (good != (cases[i].error == NULL))
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (!good) {
			assert_string_equal(e.msg, cases[i].error);
			continue;
		}
		if (!str_eq(file, str_of(cases[i].file)) || listen_on.n != cases[i].n_listen || check != cases[i].check || keep_ms != cases[i].keep_ms)
			fail_msg("%s: other values", cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
