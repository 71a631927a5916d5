/* The alert state machine: pure, it alone writes an alert's state. Semantics, 1. Private to rules/. */
#ifndef TOCSIN_RULES_ALERT_STEP_H
#define TOCSIN_RULES_ALERT_STEP_H

#include "rules/rule.h"

enum verdict {
	VERDICT_HIT,
	VERDICT_EARLY,                  /* a HIT so soon after the start, or a standstill, that a target it reads was not asked yet: what is not firing waits */
	VERDICT_MISS,
	VERDICT_UNKNOWN,
};

struct alert {
	struct alert_record record;     /* labels live in <texts>, annotations and value_text in <said> */
	struct arena texts, said;
	bool by_error;                  /* the last UNKNOWN came from a failed evaluation, not from missing data */
	bool no_data_told;              /* EDGE_NO_DATA went out in this unknown span */
	bool synthetic;                 /* raised by on_no_data or on_error: fire */
	bool changed;                   /* since the sink was last told */
	bool touched;                   /* had its verdict in this tick */
	bool interrupted;               /* pending, and not returned on a later arrival: the next tick decides, no arrival */
	int64_t resumed_ms;             /* it came back from disk: the rule itself has missed no data before. 0: it did not */
	int64_t told_ms;                /* the sink last took the record */
	int64_t change_told_ms;         /* last EDGE_CHANGED */
	struct str key;                 /* of its label set, in the rule's table */
};

/* HIT and MISS as in Prometheus. UNKNOWN freezes: the time since the last verdict counts for neither `for` nor keep_firing_for. */
enum alert_edge alert_step(struct alert *, const struct rule *, enum verdict, int64_t now_ms);
/* The wall clock stepped by <by_ms>: times that mean "since" move along. */
void alert_shift(struct alert *, int64_t by_ms);
/* The alert comes back from disk: time we were away beyond one interval is unknown. */
void alert_resume(struct alert *, int64_t interval_ms, int64_t now_ms);

#endif
