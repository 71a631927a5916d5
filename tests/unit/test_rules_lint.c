/* What the lint says about rules that are valid and surely not meant so. A suggestion must be one a person can paste. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/rules.h"
#include "tocsin/buf.h"
#include "tocsin/conf.h"

static const struct {
	const char *name, *rule;
	const char *says;       /* NULL: nothing */
} cases[] = {
	{ "a rate that is called a ratio", "- alert: ErrorRate\n  expr: rate(x_total{status=~\"5..\"}[5m]) > 0.01\n",
	  "write sum(rate(x_total{status=~\"5..\"}[5m])) / sum(rate(x_total[5m])) > 0.01" },
	{ "its window as written", "- alert: ErrorRate\n  expr: rate(x_total{code=\"500\",job=\"a\"}[300s]) > 0.01\n",
	  "write sum(rate(x_total{code=\"500\",job=\"a\"}[300s])) / sum(rate(x_total{job=\"a\"}[300s])) > 0.01" },
	{ "its offset too", "- alert: ErrorRate\n  expr: rate(x_total{code=\"500\"}[5m] offset 60s) > 0.01\n",
	  "write sum(rate(x_total{code=\"500\"}[5m] offset 60s)) / sum(rate(x_total[5m] offset 60s)) > 0.01" },
	{ "a rate by its name", "- alert: Errors\n  expr: rate(x_total{code=\"500\"}[5m]) > 0.01\n", NULL },
	{ "no comparison", "- alert: A\n  expr: x_total\n", "the expression compares nothing" },
	{ "a misspelt directive", "- alert: A\n  expr: up == 0\n  annotations: {tocsin_on_nodata: fire}\n",
	  "tocsin_on_nodata is no directive and has no effect: did you mean tocsin_on_no_data?" },
	{ "an unknown one", "- alert: A\n  expr: up == 0\n  annotations: {tocsin_colour: red}\n", "tocsin_colour is no directive and has no effect: there are" },
	{ "those there are", "- alert: A\n  expr: up == 0\n  annotations: {tocsin_on_error: fire, tocsin_runbook_graph: x, tocsins: y}\n", NULL },
	{ "absent is a condition", "- alert: A\n  expr: absent(x_total)\n", NULL },
};

/* What `check rules` prints for a file of <rule>. */
static char *lint(const char *rule, size_t *n_warnings)
{
	char path[] = "/tmp/tocsin-lint-XXXXXX";
	const struct rules_options options = { 0 };
	const struct str pattern = str_of(path);
	struct conf_report report = { 0 };
	struct buf printed = { 0 };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, rule, strlen(rule)), strlen(rule));
	close(fd);
	rules_plan_free(rules_plan_new(NULL, &options, &pattern, 1, &report));
	unlink(path);
	assert_int_equal(report.n_errors, 0);
	*n_warnings = report.n_warnings;
	conf_report_print(&report, &printed);
	conf_report_fini(&report);
	buf_z(&printed);
	return printed.p;
}

static void says_what_would_be_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n;
		char *said = lint(cases[i].rule, &n);

		print_message("  %s\n", cases[i].name);
		assert_int_equal(n, cases[i].says != NULL ? 1 : 0);
		if (cases[i].says != NULL && strstr(said, cases[i].says) == NULL)
			fail_msg("said: %s", said);
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_would_be_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
