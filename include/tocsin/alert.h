/* What rules tell the rest, and what they must find again after a restart. Rules hand batches to a sink; who sits behind it
 * (state on disk, routing, delivery) they do not know.
 *
 * A batch is one group's tick: the durable state of every alert that changed, and the events people may hear of. The sink makes
 * both durable in one transaction, or fails as a whole; only then is anything sent. */
#ifndef TOCSIN_ALERT_H
#define TOCSIN_ALERT_H

#include "tocsin/err.h"
#include "tocsin/labels.h"

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

/* One alert instance of one rule, as it is kept on disk. Times are wall clock, 0: not yet. */
struct alert_record {
	struct labels labels;           /* final: with alertname and rule labels; the identity within the rule */
	struct labels annotations;      /* expanded; without tocsin_ directives */
	enum alert_state state;
	int64_t active_at_ms;           /* pending since */
	int64_t fired_at_ms;
	int64_t resolved_at_ms;         /* ALERT_INACTIVE only: kept until the sink was told */
	int64_t keep_firing_since_ms;   /* the expression stopped returning it */
	int64_t unknown_since_ms;       /* 0: known */
	int64_t seen_ms;                /* last HIT or MISS */
	double value;                   /* of the last evaluation that returned it */
	bool value_is_histogram;        /* then <value_text> is what templates showed */
	struct str value_text;
};

enum alert_edge {
	EDGE_NONE,
	EDGE_PENDING,           /* inactive -> pending; or firing -> pending, when `for` was raised */
	EDGE_FIRING,            /* -> firing */
	EDGE_RESOLVED,          /* firing -> inactive */
	EDGE_DROPPED,           /* pending -> inactive: nobody was told */
	EDGE_NO_DATA,           /* firing, unknown for no_data_after: still firing, the next message says so */
	EDGE_DATA_BACK,         /* firing, known again after EDGE_NO_DATA */
	EDGE_CHANGED,           /* firing, annotations changed */
};
const char *alert_edge_name(enum alert_edge);   /* "pending", "firing", "resolved" … as history shows it */
const char *alert_state_name(enum alert_state); /* "inactive", "pending", "firing" */

struct alert_event {
	enum alert_edge edge;
	const struct alert_record *record;
	int64_t at_ms;
	struct str reason;              /* for people: "returned 3 (> 2 for 5m)", "rule deleted", "no data since 20:01" */
};

/* Stable across restarts and reloads: file, group, name and rule labels (semantics, 1). */
struct rule_identity {
	struct str key;                 /* one text that names it; what the sink files records under */
	struct str file, group, name;
	struct str expr;                /* canonical */
	struct str generator_url;
};

struct alert_batch_rule {
	const struct rule_identity *rule;
	const struct alert_record *records;     /* changed ones; an ALERT_INACTIVE record removes the stored one */
	size_t n_records;
	const struct alert_event *events;
	size_t n_events;
};

struct alert_sink {
	const struct alert_sink_ops *ops;
};

struct alert_sink_ops {
	/* Copies what it keeps. Returns when the batch is durable, or (disk full) when it is taken into memory and the sink itself
	 * raises the alarm. False and <e> only when the batch was not taken at all: the caller offers it again next tick. */
	bool (*commit)(struct alert_sink *, const struct alert_batch_rule *, size_t n, struct err *e);
	/* The stored records of a rule, into <a>. Called once a rule, when it is loaded. */
	bool (*load)(struct alert_sink *, struct str rule_key, struct arena *a, struct alert_record **out, size_t *n, struct err *e);
};

/* Prometheus's alert fingerprint: FNV-1a 64 over sorted name 0xff value 0xff. Alertmanager's API shows it as 16 hex digits. */
uint64_t alert_fingerprint(struct labels);

#endif
