/* What the keys global, route and receivers say, ready for use. Immutable; everything lives in the configuration's arena and
 * goes with it. A configuration is counted: an old one stays while something it sent must still be ended. */
#ifndef NOTIFY_CONFIG_H
#define NOTIFY_CONFIG_H

#include "notify/notify.h"
#include "notify/time_interval.h"
#include "tocsin/connection.h"
#include "tocsin/querier.h"

struct notifier_settings;
struct receiver_kind;
struct setting_tree;
struct template;

struct severity_rank {                  /* a severity label's value, and what it means on a status page; the first is the worst */
	struct str severity;
	int impact, status;             /* statuspage_impacts, statuspage_statuses */
};

struct component_rule {                 /* which alerts concern a component of the page */
	struct str id;
	const struct matcher *matchers;
	size_t n_matchers;
	int status;                     /* statuspage_statuses; -1: by severity */
};

#define WEBHOOK_MAX_KEYS 4

struct webhook_settings {
	struct str url;
	int64_t max_alerts;             /* 0: all */
	struct str keys[WEBHOOK_MAX_KEYS];      /* signing_secret, decoded */
	size_t n_keys;
	const struct setting_tree *payload;     /* what is sent instead; NULL: Alertmanager's own form */
};

struct statuspage_settings {
	struct str api_url, page_id, api_key;
	struct str severity_label;
	struct template *name, *body, *identified_body, *monitoring_body;
	struct str maintenance_prefix;  /* of the comments of silences that are told; empty: none */
	struct template *maintenance_name, *maintenance_body;
	const struct severity_rank *ranks;
	size_t n_ranks;
	const struct component_rule *components;
	size_t n_components;
};

struct aws_settings {                   /* sigv4 */
	struct str region, access_key, secret_key, session_token, none;
};

struct integration {                    /* one entry under a receiver: where messages go */
	struct str name;                /* "team-a/webhook[0]" */
	const struct receiver_kind *kind;
	uint64_t identity;              /* of the place it sends to, without what lets one in: what was told there ends there */
	struct str destination;         /* integrations that share a rate share this */
	bool send_resolved;
	int64_t timeout_ms;
	int64_t bad_ms, good_ms, identified_ms;         /* phase.c; 0 but for status pages */
	struct connection_settings http;
	struct webhook_settings webhook;
	struct statuspage_settings statuspage;
	const struct notifier_settings *notifier;       /* of a kind in notifiers.c */
	struct aws_settings aws;
};

struct receiver {
	struct str name;
	struct integration *integrations;
	size_t n;
};

struct matchers {
	const struct matcher *v;
	size_t n;
};

struct inhibit_rule {                   /* a firing source keeps targets with the same values of <equal> from being told */
	struct matchers source, target;
	struct conf_strs equal;
};

struct interval_refs {
	const struct named_interval **v;
	size_t n;
};

struct escalation_step {
	int64_t after_ms;               /* the first page */
	const struct receiver *receiver;
};
#define ROUTE_MAX_STEPS 16

struct route_label {                    /* what a route says of all it tells */
	struct str name;
	struct template *text;
};

struct route {
	struct str key;                 /* matchers of the routes from the root, joined by '/': Alertmanager's */
	const struct matcher *matchers;
	size_t n_matchers;
	const struct receiver *receiver;
	const struct str *group_by;
	size_t n_group_by;
	bool group_by_all;
	bool go_on;                     /* continue */
	int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
	struct interval_refs mute, active;      /* told in none of <mute>, and in one of <active> when there are any */
	const struct escalation_step *steps;    /* escalation: who else is told while nobody has acknowledged */
	size_t n_steps;
	const struct route_label *labels;       /* those of the routes above too; one's own counts */
	size_t n_labels;
	struct route *routes;
	size_t n_routes;
};

struct manager_source {                 /* an entry of alerting.alertmanagers */
	struct connection_settings http;
	struct str scheme, path_prefix;
	int64_t timeout_ms;
	struct conf_list relabel, alert_relabel;        /* of struct relabel_rule; the second after those of all */
};

struct manager {                        /* an Alertmanager that gets our alerts */
	struct str url;                 /* where to POST */
	const struct manager_source *of;
};

struct heartbeat_out {                  /* heartbeats: send: */
	struct str name, url;
	bool post;
	int64_t interval_ms, timeout_ms;
	struct connection_settings http;
};

struct heartbeat_in {                   /* heartbeats: expect: */
	struct str name, token;
	int64_t every_ms, grace_ms;
	struct labels labels;
	struct str summary, description;
};

struct notify_config {
	struct arena arena;
	struct conf_held *held;         /* regexes of the matchers */
	struct regex **regexes;
	size_t n_regexes, cap_regexes;
	struct template **templates;
	size_t n_templates, cap_templates;
	const struct template *library; /* all that settings may name: the newest of a chain of bases, each one of <templates> */
	struct tz **zones;
	size_t n_zones, cap_zones;
	struct named_interval *intervals;
	size_t n_intervals;
	const struct inhibit_rule *inhibit_rules;
	size_t n_inhibit_rules;
	struct receiver *receivers;
	size_t n_receivers;
	struct notify_point_source *points;
	size_t n_points, cap_points;
	int64_t resolve_timeout_ms;
	struct route *root;             /* NULL: nobody is told */
	struct labels external_labels;
	struct manager_source *sources;
	size_t n_sources;
	struct manager *managers;       /* those that are written down; discoveries name others */
	size_t n_managers;
	struct conf_list alert_relabel;
	struct heartbeat_out *beats_out;
	size_t n_beats_out;
	struct heartbeat_in *beats_in;
	size_t n_beats_in;
};

/* What Statuspage knows, from good to bad; ended by NULL. */
extern const char *const statuspage_statuses[], *const statuspage_impacts[];

/* Between the files of config*.c; their reader's <user> is the configuration. */
bool config_read_receivers(struct conf_reader *, struct notify_config *, const struct conf_node *list,
			   const struct conf_node *global, const struct connection_settings *fallback);
bool config_read_matchers(struct conf_reader *, const struct conf_node *list, const struct matcher **v, size_t *n);
/* The three forms: a map of labels, a map of regular expressions, a list of matchers; each may be NULL. */
bool config_read_match(struct conf_reader *, const struct conf_node *const forms[3], struct matchers *out);
void config_read_alerting(struct conf_reader *, const struct conf_node *);
bool config_is_address(struct str);     /* host:port */
/* Where to POST for <address>, found with <labels>; false: relabelling dropped it. */
bool config_manager_url(const struct manager_source *, struct arena *, struct str address, const struct label *, size_t n,
			struct str *url);
void config_read_heartbeats(struct conf_reader *, const struct conf_node *, const struct connection_settings *fallback);
void config_read_intervals(struct conf_reader *, const struct conf_node *root);
const struct named_interval *config_find_interval(const struct notify_config *, struct str name);
void config_read_inhibition(struct conf_reader *, const struct conf_node *list);
void config_read_templates(struct conf_reader *, const struct conf_node *list);
struct template *config_keep_template(struct notify_config *, struct template *);       /* freed with it; returns it */
/* A template that sees the library; NULL after having reported. <node> is where its text stood. */
struct template *config_template(struct conf_reader *, const struct conf_node *node, struct str name, struct str text);
conf_parse config_not_honoured;         /* a setting of Alertmanager that is known and not built: says so */

const struct integration *notify_config_find(const struct notify_config *, struct str name);    /* NULL: none is called so */
/* The integration that sends to <identity>: the one called <name>, else one of the same list, else, <anywhere>, any; else NULL. */
const struct integration *notify_config_find_place(const struct notify_config *, struct str name, uint64_t identity, bool anywhere);
/* An identity: stable across runs. */
uint64_t notify_config_identity(struct str a, struct str b);

#endif
