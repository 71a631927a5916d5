/* From alert to page: state on disk, routing, grouping, a durable outbox, and the receivers. The one public header of the folder.
 * Rules know it as a struct alert_sink; main and the API as what is below.
 *
 *	struct notify_config *c = notify_config_parse(root, report);     NULL: the report says why
 *	struct notify *n = notify_open(&options, c, &err);               opens the database, goes on where the last run stopped
 *	… rules run with notify_sink(n) …
 *	notify_configure(n, c2);                                         reload
 *	notify_close(n);                                                 nothing is sent for it: the next run goes on
 *
 * Every function here may be called from any thread. What is returned lives in the caller's arena. */
#ifndef TOCSIN_NOTIFY_H
#define TOCSIN_NOTIFY_H

#include "tocsin/alert.h"
#include "tocsin/clock.h"

struct conf_node;
struct conf_report;
struct expo_set;
struct notify;
struct notify_config;

/* The keys global, route and receivers of alertmanager.yml or tocsin.yml. Every mistake goes to <report>; a setting of
 * Alertmanager that is not honoured is a mistake that names it. NULL when there was one. Keys it does not own are left alone. */
struct notify_config *notify_config_parse(const struct conf_node *root, struct conf_report *report);
/* A configuration without receivers: alerts are kept and shown, nobody is told. */
struct notify_config *notify_config_empty(void);
void notify_config_free(struct notify_config *);
/* What global: external_labels adds to an alert as it leaves, where the alert has no label of that name. Copied. */
void notify_config_set_external_labels(struct notify_config *, struct labels);
/* The receivers <labels> would reach, in order, as `config routes test` prints them: "a,b". */
struct str notify_config_route(const struct notify_config *, struct arena *, struct labels);
/* The top-level keys notify_config_parse() reads, for the caller that tells which keys nobody knows. */
extern const char *const notify_config_keys[];
extern const size_t notify_config_key_count;
/* Those of them that are not Alertmanager's: of prometheus.yml, or ours. */
extern const char *const notify_own_keys[];
extern const size_t notify_own_key_count;
/* The keys of `global:` it reads (resolve_timeout, smtp_*, http_config …). Others in that map belong to scraping and rules: they are
 * left alone here, and the caller reports what nobody knows. */
extern const char *const notify_global_keys[];
extern const size_t notify_global_key_count;

/* A query whose value is a metric of a status page. */
struct notify_point_source {
	struct str integration, metric, query;
	int64_t interval_ms;
	const struct conf_node *at;     /* of the query; while notify_config_parse()'s tree lives */
};
size_t notify_config_points(const struct notify_config *, const struct notify_point_source **out);

struct notify_options {
	const char *database_path;      /* created when absent; its folder must exist */
	const struct clock *clock;      /* NULL: the system's */
	const char *external_url;       /* without a slash at its end; "" allowed */
	int64_t history_retention_ms;   /* 0: 30 days. Events, attempts and finished messages */
	const char *key_path;           /* of the key that signs links; made when absent. NULL: links end with the run */
	int64_t resend_delay_ms;        /* 0: 1 m. How often an Alertmanager hears of an alert */
	bool rules_run;                 /* notify_watch_rules() will be called */
};

/* Takes <config> when it succeeds. A database of a newer version, or one that is damaged, is an error. */
struct notify *notify_open(const struct notify_options *, struct notify_config *config, struct err *e) MUST_CHECK;
/* Waits for requests under way (at most 2 s, then they are of unknown outcome, as after a crash). */
void notify_close(struct notify *);
struct alert_sink *notify_sink(struct notify *);
/* Takes <config>. Groups that the new routes form again go on; others tell the end of what they told, through the receiver
 * that heard it (kept as it was until then). */
void notify_configure(struct notify *, struct notify_config *config);
/* What discoveries of entry <i> of alerting.alertmanagers have found; replaces what they had found. It counts while <of>, only compared, is
 * the configuration in force: it may come before that. */
struct notify_found_group {
	const struct str *addresses;
	size_t n;
	const struct label *labels;     /* in any order */
	size_t n_labels;
};
void notify_managers_found(struct notify *, const void *of, size_t i, const struct notify_found_group *, size_t n);
/* Which rules there are, once all have loaded. */
struct notify_known {
	const struct str *keys;         /* rule_identity.key of each */
	size_t n_keys;
	const struct str *files;        /* rule files that were read; NULL: every file there should be, but <unread> */
	size_t n_files;
	const struct str *unread;
	size_t n_unread;
	const struct notify_rule_problem {
		struct str file, problem;
		bool loaded;            /* some version of it is in use */
	} *problems;                    /* files that are not in use as they are */
	size_t n_problems;
};
/* Alerts of rules that are no more end, "rule deleted". Those of a file that was not read go on: it may only be missing for a moment. An alert
 * of our own tells of each problem. */
void notify_rules_known(struct notify *, const struct notify_known *);

struct notify_point {
	struct str integration, metric;
	int64_t at_ms;
	double value;
};
/* Sent when the page has time for them; not kept over a restart. Copied. */
void notify_points(struct notify *, const struct notify_point *, size_t n);

/* What happened, newest first. */
struct notify_history_query {
	int64_t from_ms, to_ms;         /* inclusive; to_ms 0: now */
	struct str alertname, event;    /* empty: all */
	struct str receiver;            /* attempts to reach it, or one integration of it; empty: all, and transitions */
	int64_t before_id;              /* 0: from the newest; else the id of the last entry of the page before */
	size_t limit;                   /* 0: 100; at most 1000 */
};
struct notify_history_entry {
	int64_t id, at_ms;
	struct str edge;                /* alert_edge_name(), or "delivered", "retry", "unknown", "dead" for a delivery attempt */
	struct str rule_file, rule_group, alertname, expr;      /* transitions only */
	struct labels labels;           /* of the alert; of the group for an attempt */
	double value;
	struct str reason;              /* for an attempt: "HTTP 503: try later" */
	struct str integration;         /* attempts only: "team-a/webhook[0]" */
	struct str key;                 /* attempts only: the idempotency key */
};
bool notify_history(struct notify *, const struct notify_history_query *, struct arena *, struct notify_history_entry **out,
		    size_t *n, struct err *e);
/* The same from the database file, of an alerter that runs or does not; labels must fit all <matchers>. */
bool notify_history_read(const char *database_path, const struct notify_history_query *, const struct str *matchers,
			 size_t n_matchers, struct arena *, struct notify_history_entry **out, size_t *n, struct err *e);
struct json_out;
void notify_history_put_json(struct json_out *, const struct notify_history_entry *);

enum outbox_state { OUTBOX_QUEUED, OUTBOX_IN_FLIGHT, OUTBOX_UNKNOWN, OUTBOX_DELIVERED, OUTBOX_DEAD };
#define OUTBOX_STATES 5
const char *outbox_state_name(enum outbox_state);       /* "queued", "in flight", "unknown", "delivered", "dead" */

struct notify_message {                 /* one row of the outbox */
	int64_t id;
	enum outbox_state state;
	struct str receiver, integration, key, group_key;
	int64_t created_ms, next_ms;    /* next attempt; 0 when there is none */
	unsigned attempts;
	int last_status;                /* HTTP; 0: no answer */
	struct str last_error;
	bool resolved;                  /* it tells an end */
};
struct notify_group {
	struct str key, receiver;
	struct labels labels;
	size_t n_alerts, n_firing;
	int64_t next_flush_ms;
	bool retired;                   /* no route forms it any more; it only tells ends */
	struct str id;                  /* of the alarm, from its first page to its last end; empty: nobody was told yet */
	int64_t since_ms;
	unsigned steps;                 /* of the escalation, taken */
	int64_t next_step_ms;           /* 0: none to come */
	struct str next_receiver;
	int64_t ack_ms;                 /* 0: nobody has acknowledged it */
	struct str ack_by;
	struct str ack_url;             /* a signed link; empty: nothing to acknowledge */
};
struct notify_integration_stats {
	struct str receiver, kind, integration;                 /* kind: "webhook", "statuspage" */
	uint64_t notifications, requests, requests_failed;
	uint64_t failed[6];                                     /* by notify_reason_names */
	double latency_seconds_sum;
	uint64_t latency_count;
	int64_t last_success_ms;
	size_t waiting;                                         /* messages neither delivered nor dead */
};
extern const char *const notify_reason_names[6]; /* Alertmanager's: clientError serverError authError rateLimited … other */

struct notify_manager {                 /* an Alertmanager alerts are sent to */
	struct str url, last_error;             /* the error of the last attempt; empty: it took it */
	uint64_t sent, errors;                  /* alerts */
	uint64_t requests, requests_failed;
	size_t waiting;                         /* alerts it should know of and does not */
	int64_t last_success_ms;                /* 0: never */
};

struct notify_stranded {                /* ends that cannot be sent: who heard of the beginning is configured no more */
	struct str integration, episode;
	struct labels labels;                   /* of the group */
	size_t n;                               /* alerts */
};

struct notify_heartbeat {
	struct str name;
	bool expected;                          /* of somebody else; false: ours to somebody else */
	bool missed;                            /* the deadline has passed; ours: the last attempt failed */
	int64_t last_ms;                        /* 0: never */
	int64_t due_ms;                         /* the deadline; ours: when the next goes out, 0 while rules are not evaluated */
	struct str last_error;                  /* ours */
	uint64_t count;
};

struct notify_snapshot {
	const struct notify_message *unfinished;        /* queued, in flight, unknown: oldest first, at most 1000 */
	size_t n_unfinished;
	const struct notify_message *dead;              /* newest first, at most 100 */
	size_t n_dead;
	const struct notify_group *groups;
	size_t n_groups;
	const struct notify_integration_stats *integrations;
	size_t n_integrations;
	const struct notify_stranded *stranded;
	size_t n_stranded;
	const struct notify_heartbeat *heartbeats;
	size_t n_heartbeats;
	const struct notify_manager *managers;
	size_t n_managers;
	uint64_t by_state[OUTBOX_STATES];       /* queued, in flight, unknown: now; delivered, dead: since the start */
	size_t dead_kept;                       /* dead letters in the database */
	int64_t oldest_unfinished_ms;           /* 0: none */
	int64_t not_durable_since_ms;           /* 0: all is on disk */
	uint64_t commits, commit_failures;
	double commit_seconds_sum;
};
struct notify_snapshot *notify_snapshot(struct notify *, struct arena *);
/* ---- Signs of life. ---- */

/* Somebody lives. False: no such name, or another token. */
bool notify_heartbeat(struct notify *, struct str name, struct str token, struct err *e);
/* Whether rules are evaluated. */
enum notify_evaluates {
	EVALUATION_UNKNOWN,             /* none was yet: no heartbeat goes out */
	EVALUATION_BEGINS,              /* some were, with success; of others nothing is known yet: no alert about it begins or ends */
	EVALUATION_WORKS,
	EVALUATION_FAILS,               /* and <why> */
};
/* Called on the owner's thread, about once a second: it must not wait for anybody. */
typedef enum notify_evaluates notify_evaluation(void *ctx, struct err *why);
/* From now on heartbeats go out while <works> says so; NULL: none any more. */
void notify_watch_evaluation(struct notify *, notify_evaluation *works, void *ctx);

/* After a start, or when we stood still: the rules that know of all that fired, because they were evaluated when every target had been asked
 * since <since_ms>, into <a>; true: all rules know. Called on the owner's thread, a few times a second, until then: it must not wait for anybody. */
typedef bool notify_settled(void *ctx, int64_t since_ms, struct arena *a, struct str **keys, size_t *n);
/* Once rules run. What fired before the start is not told of again (no first page, step or repeat) until its rule knows, for <longest_ms> at most. */
void notify_watch_rules(struct notify *, notify_settled *, void *ctx, int64_t longest_ms);

/* ---- Acknowledging: no further steps of the escalation; it ends with the alarm. ---- */

/* <by> may be empty. An alarm that is acknowledged stays as it is. */
bool notify_acknowledge(struct notify *, struct str id, struct str by, struct err *e);
/* Whether a link is one of ours and not too old; then <*out> is its alarm. False too when that has ended. */
bool notify_check_link(struct notify *, struct str id, struct str until, struct str signature, struct arena *, struct notify_group *out,
		       struct err *e);

/* Families alertmanager_notifications_*, tocsin_outbox_* and tocsin_state_*. */
void notify_metrics(struct notify *, struct expo_set *out);
/* ---- Silences. A silenced alert is not told; one that was told before still gets its end. ---- */

struct notify_matcher {
	struct str name, value;
	bool is_regex, is_equal;
};
enum silence_state { SILENCE_PENDING, SILENCE_ACTIVE, SILENCE_EXPIRED };
struct notify_silence {
	struct str id;                  /* empty: a new one */
	const struct notify_matcher *matchers;
	size_t n_matchers;
	int64_t starts_ms, ends_ms;
	struct str author, comment;
	int64_t updated_ms;             /* out */
	enum silence_state state;       /* out */
};
#define NOTIFY_MAX_SILENCES 10000
/* Makes one, or changes the one it names; a change of matchers ends that one and makes another. <*id> lives in <a>. */
bool notify_silence_set(struct notify *, const struct notify_silence *, struct arena *a, struct str *id, struct err *e);
bool notify_silence_expire(struct notify *, struct str id, struct err *e);
/* All of the last days that <filters> (matchers, each of which a silence must have) fit, the next to end first. */
bool notify_silences(struct notify *, const struct str *filters, size_t n_filters, struct arena *, const struct notify_silence **out,
		     size_t *n, struct err *e);

/* ---- Alerts, our own rules' and others'. ---- */

struct notify_posted {                  /* from a Prometheus, or from a person */
	struct labels labels, annotations;
	struct str generator_url;
	int64_t starts_ms, ends_ms;     /* 0: now; after resolve_timeout */
};
/* False and <e>: a restart would not know of them, so whoever posted them is to do so again. */
bool notify_post(struct notify *, const struct notify_posted *, size_t n, struct err *e);

struct notify_alert {
	struct labels labels, annotations;
	struct str generator_url;
	uint64_t fingerprint;
	int64_t starts_ms, ends_ms;     /* ends 0: nobody knows */
	const struct str *receivers, *silenced_by, *inhibited_by, *muted_by;
	size_t n_receivers, n_silenced_by, n_inhibited_by, n_muted_by;
};
struct notify_alert_group {
	struct labels labels, route_labels;
	struct str receiver;
	const struct notify_alert *alerts;
	size_t n;
};
struct notify_alert_query {
	const struct str *filters;      /* matchers, all of which fit */
	size_t n_filters;
	struct str receiver;            /* a regular expression; empty: all */
	bool active, silenced, inhibited, muted;        /* which to show */
};
/* Firing ones; as they are grouped, each group once. */
bool notify_alerts(struct notify *, const struct notify_alert_query *, struct arena *, const struct notify_alert_group **out, size_t *n,
		   struct err *e);
const struct str *notify_receivers(struct notify *, struct arena *, size_t *n);

/* Queues a dead letter again, with the same key. */
bool notify_resend(struct notify *, int64_t message_id, struct err *e);
/* Forgets a dead letter. */
bool notify_discard(struct notify *, int64_t message_id, struct err *e);

#endif
