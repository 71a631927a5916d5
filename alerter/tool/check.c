/* check config, check rules: everything that is wrong, all of it, as file:line:col. Warnings exit 0. */
#include <stdio.h>

#include "commands.h"
#include "config.h"

static int verdict(const struct conf_report *r, const char *file, const char *found)
{
	struct buf b = { 0 };

	conf_report_print(r, &b);
	fputs(buf_z(&b), stderr);
	buf_fini(&b);
	if (r->n_errors > 0)
		printf("%s: %zu error%s\n", file, r->n_errors, r->n_errors == 1 ? "" : "s");
	else
		printf("%s: good: %s%s\n", file, found, r->n_warnings > 0 ? ", with warnings" : "");
	return r->n_errors > 0;
}

static size_t check_rule_files(const struct str *patterns, size_t n, const struct config *c, unsigned features,
                               struct conf_report *report)
{
	struct rules_options options = { .promql = { .features = features } };
	struct rules_plan *plan;
	size_t rules;

	if (c != NULL) {
		options.interval_ms = c->global.evaluation_interval_ms;
		options.defaults = c->rule_defaults;
		options.external_labels = c->external_labels;
	}
	plan = rules_plan_new(NULL, &options, patterns, n, report);
	rules = rules_plan_rule_count(plan);
	rules_plan_free(plan);
	return rules;
}

static int check_one_config(const char *path, unsigned features)
{
	struct conf_report report = { 0 };
	struct config *c = config_load(&(struct config_options){ .path = path }, &report);
	size_t rules = 0;
	char found[96] = "";
	int bad;

	if (c != NULL)
		rules = check_rule_files(c->rule_files.v, c->rule_files.n, c, features, &report);
	if (c != NULL)
		snprintf(found, sizeof found, "%zu scrape jobs, %zu rules", c->scrape.n, rules);
	bad = verdict(&report, path, found);
	config_free(c);
	conf_report_fini(&report);
	return bad;
}

static int check_one_rule_file(const char *path, unsigned features)
{
	struct conf_report report = { 0 };
	const struct str pattern = str_of(path);
	char found[48];
	int bad;

	snprintf(found, sizeof found, "%zu rules", check_rule_files(&pattern, 1, NULL, features, &report));
	bad = verdict(&report, path, found);
	conf_report_fini(&report);
	return bad;
}

static int check_all(int argc, char **argv, int (*check)(const char *, unsigned features), const char *what)
{
	const struct str flag = STR("--enable-feature=");
	unsigned features = PROMQL_DURATION_EXPRESSIONS;
	struct err e = { 0 };
	int bad = 0;

	for (; argc > 0 && str_starts(str_of(argv[0]), flag); argc--, argv++)
		if (!promql_features_add(str_of(argv[0] + flag.n), &features, &e)) {
			fprintf(stderr, "tocsin-alerter check %s: %s\n", what, e.msg);
			return 2;
		}
	if (argc == 0) {
		fprintf(stderr, "tocsin-alerter check %s: which file? check %s [--enable-feature=NAME] FILE…\n", what, what);
		return 2;
	}
	for (int i = 0; i < argc; i++)
		bad |= check(argv[i], features);
	return bad;
}

int check_config(int argc, char **argv)
{
	return check_all(argc, argv, check_one_config, "config");
}

int check_rules(int argc, char **argv)
{
	return check_all(argc, argv, check_one_rule_file, "rules");
}
