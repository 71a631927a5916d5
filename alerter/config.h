/* The alerter's configuration: a prometheus.yml, or our own tocsin.yml, which is the union of prometheus.yml, alertmanager.yml and
 * our keys (semantics, 4). Read, checked and only then handed over; a configuration is immutable and replaced whole. */
#ifndef TOCSIN_ALERTER_CONFIG_H
#define TOCSIN_ALERTER_CONFIG_H

#include "notify/notify.h"
#include "rules/rules.h"
#include "scrape/scrape.h"
#include "tocsin/conf.h"

struct config_global {                          /* `global:`, the part that is not scraping's or notify's */
	int64_t evaluation_interval_ms, rule_query_offset_ms;
	struct conf_labels external_labels;
};

struct config_storage { /* `storage:` */
	int64_t late_window_ms;
	int64_t max_exemplars;
};

struct config {
	struct arena arena;
	struct conf_held *held;
	struct str path;
	struct config_global global;
	struct labels external_labels;
	struct conf_strs rule_files;            /* paths and globs, joined to the file's folder */
	struct scrape_config scrape;
	struct rule_defaults rule_defaults;
	struct config_storage storage;
	struct notify_config *notify;           /* owned until config_take_notify() */
	struct buf redacted;                    /* the files as read, secrets hidden */
	struct buf alertmanager_redacted;       /* the part of it that is alertmanager.yml's */
};

struct config_options {
	const char *path;                       /* prometheus.yml or tocsin.yml */
	const char *alertmanager_path;          /* --alertmanager.config.file; NULL: none */
};

/* NULL when <report> holds an error; every mistake of every file is in it. */
struct config *config_load(const struct config_options *, struct conf_report *report);
void config_free(struct config *);
struct notify_config *config_take_notify(struct config *);
/* Every key of our own file, with its default and its meaning. */
void config_print_help(struct buf *out);

#endif
