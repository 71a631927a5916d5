/* Rule files other people wrote: each loads, each expression parses, each text expands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <glob.h>
#include <cmocka.h>

#include "rules/expand.h"

#define CORPUS "../shared/rules-corpus/*.yml"

static const struct rules_options options = { .external_url = { "http://t", 8 } };

static size_t expand_rule(const struct rule *rule)
{
	static const struct label labels[] = { { { "instance", 8 }, { "h:9100", 6 } }, { { "job", 3 }, { "j", 1 } } };
	struct arena a = { 0 };
	struct promql_sample s = { .labels = { labels, 2 }, .v = 1234.5 };
	struct expand_env env = { NULL, &options, 0, 0, &a };
	size_t bad = 0;

	for (size_t i = 0; i < rule->n_annotations + rule->n_labels; i++) {
		const struct rule_text *t = i < rule->n_annotations ? &rule->annotations[i] : &rule->labels[i - rule->n_annotations];
		struct str text = rule_expand_text(rule, t, &s, &env);

		if (str_starts(text, STR("<error expanding")) || str_find(text, STR("{{")) < text.n) {
			print_error(STR_FMT " " STR_FMT ": " STR_FMT "\n", STR_ARG(rule->id.name), STR_ARG(t->name), STR_ARG(text));
			bad++;
		}
	}
	arena_fini(&a);
	return bad;
}

static size_t expand_file(const struct rule_file *f, size_t *n_rules)
{
	size_t bad = 0;

	for (size_t g = 0; g < f->n_groups; g++)
		for (size_t i = 0; i < f->groups[g].n_rules; i++, ++*n_rules)
			bad += expand_rule(&f->groups[g].rules[i]);
	return bad;
}

static void test_corpus(void **state)
{
	struct conf_report report = { 0 };
	struct buf b = { 0 };
	glob_t files = { 0 };
	size_t bad = 0, n_rules = 0;

	(void)state;
	if (glob(CORPUS, 0, NULL, &files) != 0) {
		print_message("SKIPPED: %s is not here\n", CORPUS);
		skip();
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct rule_file *f = rule_file_load(files.gl_pathv[i], &options, &report);

		bad += f == NULL || expand_file(f, &n_rules) > 0;
		if (f != NULL)
			rule_file_unref(f);
	}
	if (bad > 0 || report.n_errors > 0) {
		conf_report_print(&report, &b);
		print_error("%s\n", buf_z(&b));
	}
	print_message("%zu files, %zu rules, %zu warnings\n", files.gl_pathc, n_rules, report.n_warnings);
	assert_int_equal(bad, 0);
	assert_int_equal(report.n_errors, 0);
	assert_true(n_rules > 300);
	buf_fini(&b);
	conf_report_fini(&report);
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_corpus) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
