/* The alert state machine. No clock, no I/O, no allocation: the case table of tests/unit/test_alert_step.c is its specification. */
#include "rules/alert_step.h"

#include <assert.h>
#include <stdlib.h>

/* Known again: the unknown span is taken out of what `for` and keep_firing_for measure. */
static void thaw(struct alert_record *r, int64_t now_ms)
{
	int64_t span = now_ms - r->unknown_since_ms;

	if (r->unknown_since_ms == 0)
		return;
	r->unknown_since_ms = 0;
	if (span <= 0)
		return;
	if (r->state == ALERT_PENDING)
		r->active_at_ms += span;
	if (r->keep_firing_since_ms != 0)
		r->keep_firing_since_ms += span;
}

static enum alert_edge resolve(struct alert *a, int64_t now_ms)
{
	a->record.state = ALERT_INACTIVE;
	a->record.resolved_at_ms = now_ms;
	a->record.keep_firing_since_ms = 0;
	a->record.unknown_since_ms = 0;
	a->no_data_told = false;
	return EDGE_RESOLVED;
}

static enum alert_edge drop(struct alert *a, int64_t now_ms)
{
	resolve(a, now_ms);
	return EDGE_DROPPED;
}

static enum alert_edge data_back(struct alert *a)
{
	bool told = a->no_data_told;

	a->no_data_told = false;
	return told ? EDGE_DATA_BACK : EDGE_NONE;
}

/* `for` was raised by a reload, and it took less to fire. A clock that was set back is no reason: it does not change what it took. */
static bool fires_too_early(const struct alert_record *r, int64_t for_ms, int64_t now_ms)
{
	return r->fired_at_ms - r->active_at_ms < for_ms && now_ms - r->active_at_ms < for_ms;
}

static enum alert_edge fall_back(struct alert *a)
{
	a->record.state = ALERT_PENDING;
	a->record.fired_at_ms = 0;
	a->no_data_told = false;
	return EDGE_PENDING;
}

static enum alert_edge hit(struct alert *a, const struct rule *rule, bool early, int64_t now_ms)
{
	struct alert_record *r = &a->record;
	int64_t for_ms = a->synthetic ? 0 : rule->for_ms;
	enum alert_edge edge = EDGE_NONE;

	thaw(r, now_ms);
	r->seen_ms = now_ms;
	r->keep_firing_since_ms = 0;
	if (r->state == ALERT_FIRING)
		return fires_too_early(r, for_ms, now_ms) ? fall_back(a) : data_back(a);
	if (r->state == ALERT_INACTIVE) {
		r->state = ALERT_PENDING;
		r->active_at_ms = now_ms;
		r->fired_at_ms = r->resolved_at_ms = 0;
		edge = EDGE_PENDING;
	}
	if (!early && now_ms - r->active_at_ms >= for_ms) {
		r->state = ALERT_FIRING;
		r->fired_at_ms = now_ms;
		edge = EDGE_FIRING;
	}
	return edge;
}

static enum alert_edge miss(struct alert *a, const struct rule *rule, int64_t now_ms)
{
	struct alert_record *r = &a->record;

	thaw(r, now_ms);
	r->seen_ms = now_ms;
	if (r->state == ALERT_PENDING)
		return drop(a, now_ms);
	if (a->synthetic || rule->keep_firing_for_ms == 0)
		return resolve(a, now_ms);
	if (r->keep_firing_since_ms == 0)
		r->keep_firing_since_ms = now_ms;
	if (now_ms - r->keep_firing_since_ms >= rule->keep_firing_for_ms)
		return resolve(a, now_ms);
	return data_back(a);
}

static enum alert_edge unknown(struct alert *a, const struct rule *rule, int64_t now_ms)
{
	struct alert_record *r = &a->record;
	enum rule_policy policy = a->by_error ? rule->policy.on_error : rule->policy.on_no_data;

	if (r->unknown_since_ms == 0)
		r->unknown_since_ms = r->seen_ms != 0 ? r->seen_ms : now_ms;
	if (now_ms - r->unknown_since_ms < rule->policy.no_data_after_ms)
		return EDGE_NONE;
	if (policy == RULE_RESOLVE && now_ms - a->resumed_ms >= rule->policy.no_data_after_ms)
		return r->state == ALERT_FIRING ? resolve(a, now_ms) : drop(a, now_ms);
	if (policy == RULE_RESOLVE || r->state != ALERT_FIRING || a->no_data_told)
		return EDGE_NONE;
	a->no_data_told = true;
	return EDGE_NO_DATA;
}

enum alert_edge alert_step(struct alert *a, const struct rule *rule, enum verdict verdict, int64_t now_ms)
{
	if (a->record.state == ALERT_INACTIVE && (verdict == VERDICT_MISS || verdict == VERDICT_UNKNOWN))
		return EDGE_NONE;
	switch (verdict) {
	case VERDICT_HIT:
	case VERDICT_EARLY:
		return hit(a, rule, verdict == VERDICT_EARLY, now_ms);
	case VERDICT_MISS:
		return miss(a, rule, now_ms);
	case VERDICT_UNKNOWN:
		return unknown(a, rule, now_ms);
	}
	abort();
}

void alert_shift(struct alert *a, int64_t by_ms)
{
	struct alert_record *r = &a->record;
	int64_t *const since[] = { &r->active_at_ms, &r->fired_at_ms, &r->keep_firing_since_ms, &r->unknown_since_ms, &r->seen_ms,
	                           &a->resumed_ms, &a->told_ms, &a->change_told_ms };

	for (size_t i = 0; i < ARRAY_LEN(since); i++)
		if (*since[i] != 0)
			*since[i] += by_ms;
}

void alert_resume(struct alert *a, int64_t interval_ms, int64_t now_ms)
{
	struct alert_record *r = &a->record;
	int64_t since = r->seen_ms + interval_ms;

	a->resumed_ms = now_ms;
	if (r->state != ALERT_INACTIVE && r->unknown_since_ms == 0 && since < now_ms)
		r->unknown_since_ms = since;
}
