/* Rules: files are read and checked, groups evaluated on a clock, alerts stepped and handed to a sink. The one public header of
 * the folder. Rules know a querier, an appender and an alert sink; not the store, nor who is told.
 *
 *	struct rules *r = rules_new(&deps);
 *	struct rules_plan *p = rules_plan_new(r, &options, patterns, n, report);     parse and check; changes nothing
 *	rules_apply(r, p);                                                           swap; state is kept by rule identity
 *	rules_start(r);                                                              workers; or rules_tick() on a clock of your own
 */
#ifndef TOCSIN_RULES_H
#define TOCSIN_RULES_H

#include "promql/promql.h"
#include "tocsin/alert.h"
#include "tocsin/appender.h"
#include "tocsin/clock.h"
#include "tocsin/querier.h"

struct conf_report;
struct rules;
struct rules_plan;

/* Semantics, 1: what happens to a firing alert nothing is known of. */
enum rule_policy { RULE_KEEP, RULE_FIRE, RULE_RESOLVE };

struct rule_defaults {                  /* rule_defaults: of tocsin.yml; tocsin_ annotations of a rule override */
	enum rule_policy on_no_data;
	enum rule_policy on_error;
	int64_t no_data_after_ms;       /* 0: 15 m */
};
/* "keep", "fire", "resolve". */
bool rule_policy_parse(struct str, enum rule_policy *out) MUST_CHECK;
const char *rule_policy_name(enum rule_policy);

struct rules_options {                  /* copied */
	int64_t interval_ms;            /* global.evaluation_interval; 0: 1 m */
	int64_t query_offset_ms;        /* global.rule_query_offset */
	int64_t settle_ms;              /* after rules_new(), and when we stood still: what begins while a target it reads was not asked yet waits so long at most; 0: not */
	struct rule_defaults defaults;
	struct labels external_labels;
	struct str external_url;        /* without a slash at its end */
	struct promql_options promql;
};

struct rules_deps {                     /* all must outlive the rules */
	struct querier *querier;                /* used by all workers at once */
	struct appender *const *appenders;      /* one a worker */
	size_t n_appenders;                     /* how many workers rules_start() makes; at least 1 */
	struct alert_sink *sink;                /* called by one worker at a time */
	const struct clock *clock;
	const char *kept_path;                  /* where the last good version of each file is kept for the next start; NULL: nowhere */
};

struct rules *rules_new(const struct rules_deps *);
/* Stops the workers. Nothing is resolved: state stays with the sink for the next start. */
void rules_free(struct rules *);

/* Reads every file that <patterns> (paths or globs) name; each mistake and lint warning goes to <report> as file:line:col.
 * Changes nothing. <r> may be NULL (check rules). A file with a mistake keeps the version <r> has of it; a file that vanished,
 * and a glob that became empty, keep theirs until a second reload in a row confirms it. At the start <r> has what was kept. Never NULL. */
struct rules_plan *rules_plan_new(struct rules *r, const struct rules_options *, const struct str *patterns, size_t n_patterns,
                                  struct conf_report *report);
void rules_plan_free(struct rules_plan *);
/* No mistake in any file (warnings do not count). */
bool rules_plan_is_good(const struct rules_plan *);
size_t rules_plan_rule_count(const struct rules_plan *);
/* Swaps the plan in, waiting for evaluations under way; takes the plan. Rules that stay keep their alerts; new ones load theirs
 * from the sink; firing alerts of deleted ones get EDGE_RESOLVED, "rule deleted". */
void rules_apply(struct rules *, struct rules_plan *);

void rules_start(struct rules *);
void rules_stop(struct rules *);
/* Evaluates every group that is due at <now_ms>, in this thread: tests, simulation. Not together with rules_start(). */
void rules_tick(struct rules *, int64_t now_ms);
/* When the next group is due, INT64_MAX without groups. */
int64_t rules_next_due_ms(struct rules *, int64_t now_ms);
/* Evaluation on arrival (semantics, 2): <target> has just been scraped. It only raises. */
void rules_on_scrape(struct rules *, struct labels target, int64_t now_ms);

/* What the API and the page show: immutable, counted, taken without waiting for any evaluation. */
enum rule_health { RULE_HEALTH_UNKNOWN, RULE_HEALTH_OK, RULE_HEALTH_ERR };
const char *rule_health_name(enum rule_health);         /* "unknown", "ok", "err" */

struct rule_view {
	const struct rule_identity *id;         /* file, group, name, canonical expr, generator_url */
	bool recording;
	int64_t for_ms, keep_firing_for_ms;
	struct rule_defaults policy;            /* in effect */
	struct labels labels, annotations;      /* as written: templates; directives among the annotations */
	enum alert_state state;                 /* the worst of its alerts */
	const struct alert_record *alerts;      /* pending and firing */
	size_t n_alerts;
	size_t n_over_limit;                    /* alerts left out by the group's limit */
	enum rule_health health;
	struct str last_error;
	bool unknown;                           /* the last evaluation left at least one alert unknown */
	int64_t last_evaluation_ms;             /* 0: never */
	double evaluation_seconds;
	size_t samples;                         /* the last evaluation returned */
	const struct promql_note *notes;        /* PromQL warnings and infos of the last evaluation */
	size_t n_notes;
};

struct rule_group_view {
	struct str file, name;
	int64_t interval_ms, query_offset_ms;
	size_t limit;                           /* 0: none */
	int64_t last_evaluation_ms;
	double evaluation_seconds;
	uint64_t iterations, iterations_missed, evaluations, failures;
	const struct rule_view *rules;
	size_t n_rules;
};

struct rule_file_view {
	struct str path;
	struct str problem;                     /* why an older version is in use, or none; empty: the file is as it is on disk */
	bool loaded;                            /* some version is in use */
	bool gone;                              /* not there any more, as two reloads found */
};

struct rules_snapshot {
	const struct rule_group_view *const *groups;    /* by file, then as written */
	size_t n_groups;
	const struct rule_file_view *files;
	size_t n_files;
};

const struct rules_snapshot *rules_snapshot_get(struct rules *);
void rules_snapshot_release(const struct rules_snapshot *);

#endif
