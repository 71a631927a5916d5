/* One tick of one group: evaluate each rule in order, step its alerts, write its series, then tell the sink once.
 * Nothing allocated in <scratch> survives a rule. A failed query leaves alert state alone: not knowing is neither firing nor
 * resolved. */
#include "rules/run.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "rules/expand.h"
#include "tocsin/log.h"
#include "tocsin/num.h"

#define LEFT_OUT_ANNOTATION "tocsin_left_out"   /* no rule can send one of this name: it would be a directive */
#define CHANGE_TOLD_MS 60000    /* EDGE_CHANGED at most this often an alert: texts with a value in them change all the time */

struct tick {
	const struct eval_env *env;
	struct group_run *group;
	struct rule_run *run;
	struct expand_env expand;
	struct arena once;              /* reset before each alert */
	int64_t now_ms, query_ms;
	bool on_arrival;                /* of a target, between two ticks */
	bool early;                     /* the rule reads what was not asked yet since the start */
	bool behind;                    /* the clock was set back to before what the rule reads */
};

/* ---- reasons, for people ---- */

static struct str clock_text(struct arena *a, int64_t ms)
{
	char z[32];

	clock_format_rfc3339(z, ms);
	return arena_printf(a, "%.8s UTC", z + 11);
}

/* <fired>: before the step. */
static struct str hit_reason(const struct tick *t, enum alert_edge edge, bool fired, const struct promql_sample *s)
{
	char value[NUM_MAX] = "a histogram", held[NUM_MAX];

	if (s->h == NULL)
		num_format(value, s->v);
	if (edge == EDGE_PENDING && t->early)
		return arena_printf(t->env->scratch, "returned %s, waits until every target it reads was asked: " STR_FMT, value,
		                    STR_ARG(t->run->def->id.expr));
	if (t->run->def->for_ms == 0)
		return arena_printf(t->env->scratch, "returned %s: " STR_FMT, value, STR_ARG(t->run->def->id.expr));
	num_format_duration(held, t->run->def->for_ms);
	if (edge == EDGE_PENDING && fired)
		return arena_printf(t->env->scratch, "for was raised to %s, and it has not lasted so long: pending again", held);
	return arena_printf(t->env->scratch, "returned %s%s %s: " STR_FMT, value, edge == EDGE_PENDING ? ", fires after" : " for", held,
	                    STR_ARG(t->run->def->id.expr));
}

static struct str unknown_reason(const struct tick *t, enum alert_edge edge, int64_t since_ms, bool by_error)
{
	struct str since = clock_text(t->env->scratch, since_ms);
	const char *policy = edge == EDGE_NO_DATA ? "" : by_error ? "; on_error: resolve" : "; on_no_data: resolve";

	if (by_error)
		return arena_printf(t->env->scratch, "evaluation fails since " STR_FMT ": %s%s", STR_ARG(since), t->run->last_error.msg, policy);
	return arena_printf(t->env->scratch, "%s since " STR_FMT "%s", t->behind ? "the clock was set back, nothing is known" : "no data", STR_ARG(since), policy);
}

/* ---- alerts ---- */

static void update_texts(struct alert *a, const struct promql_sample *s, struct labels annotations, struct arena *scratch)
{
	struct labels said = labels_copy(scratch, annotations);
	struct str value = rule_value_text(s, scratch);

	arena_reset(&a->said);
	a->record.annotations = labels_copy(&a->said, said);
	a->record.value_text = arena_str(&a->said, value);
	a->record.value_is_histogram = s->h != NULL;
	a->record.value = s->h != NULL ? NAN : s->v;
}

/* Who is told of some of them has to know that there are more. */
static struct labels with_left_out(struct tick *t, struct labels annotations)
{
	size_t n = t->run->n_over_limit;

	if (n == 0)
		return annotations;
	return labels_with(&t->once, annotations, STR(LEFT_OUT_ANNOTATION),
	                   arena_printf(&t->once, "%zu more %s of this rule %s left out: the group's limit is %zu", n, n == 1 ? "alert" : "alerts",
	                                n == 1 ? "is" : "are", t->group->def->limit));
}

/* They live until the next alert's. */
static struct labels annotations_once(struct tick *t, const struct promql_sample *s)
{
	struct expand_env expand = t->expand;

	arena_reset(&t->once);
	expand.arena = &t->once;
	return with_left_out(t, rule_alert_annotations(t->run->def, s, &expand));
}

static void alert_hit(struct tick *t, struct alert *a, const struct promql_sample *s)
{
	struct labels annotations = annotations_once(t, s);
	bool changed = !labels_eq(annotations, a->record.annotations), fired = a->record.state == ALERT_FIRING;
	enum alert_edge edge = alert_step(a, t->run->def, t->early ? VERDICT_EARLY : VERDICT_HIT, t->now_ms);
	struct str reason = edge == EDGE_DATA_BACK ? STR("data is back") : hit_reason(t, edge, fired, s);

	a->touched = true;
	update_texts(a, s, annotations, &t->once);
	rule_run_tell(t->run, a, edge, t->now_ms, reason);
	if (edge == EDGE_FIRING)
		a->change_told_ms = t->now_ms;
	if (edge != EDGE_NONE || !changed || a->record.state != ALERT_FIRING)
		return;
	a->changed = true;
	if (t->now_ms - a->change_told_ms >= CHANGE_TOLD_MS) {
		a->change_told_ms = t->now_ms;
		rule_run_tell(t->run, a, EDGE_CHANGED, t->now_ms, reason);
	}
}

/* The samples of a result with their final labels; false when two have the same. */
struct finals {
	struct labels *labels;
	const struct promql_sample *samples;
	size_t n;
	struct map keys;                /* label key -> its entry in <labels> */
};

static bool finals_make(const struct tick *t, const struct promql_result *r, struct finals *f, struct err *e)
{
	struct arena *scratch = t->env->scratch;
	bool scalar = r->type == PROMQL_SCALAR;

	*f = (struct finals){ .samples = scalar ? &r->scalar : r->vector, .n = scalar ? 1 : r->n_vector };
	f->labels = ARENA_ARRAY(scratch, f->n, struct labels);
	for (size_t i = 0; i < f->n; i++) {
		const struct promql_sample *s = &f->samples[i];

		f->labels[i] = t->run->def->recording ? rule_record_labels(t->run->def, s, scratch) :
		                                        rule_alert_labels(t->run->def, s, &t->expand);
		if (map_put(&f->keys, labels_key(scratch, f->labels[i]), &f->labels[i]) != NULL)
			return err_set(e, ERR_EXEC, -1, "vector contains metrics with the same labelset after applying %s labels",
			               t->run->def->recording ? "rule" : "alert");
	}
	return true;
}

/* How it stands now with what the rule measures: what stopped firing has a value that its expression no longer shows. */
struct measured {
	bool asked;
	struct str text;
	struct finals finals;
};

static void measure(const struct tick *t, struct measured *m)
{
	struct promql_query *query = NULL;
	struct promql_result *r = NULL;
	struct err e = { 0 };

	m->asked = true;
	m->text = promql_query_measured(t->run->def->query, t->env->scratch);
	if (m->text.n > 0)
		query = promql_query_new(m->text, &t->env->options->promql, &e);
	if (query != NULL)
		r = promql_instant(query, t->env->scratch, t->env->querier, t->query_ms, &e);
	if (r == NULL || !finals_make(t, r, &m->finals, &e))
		m->finals.n = 0;
	promql_query_free(query);
}

static struct str end_reason(const struct tick *t, struct alert *a, struct measured *m)
{
	const struct promql_sample *s;
	const struct labels *found;
	char value[NUM_MAX];

	if (!m->asked)
		measure(t, m);
	found = m->finals.n > 0 ? map_get(&m->finals.keys, a->key) : NULL;
	s = found != NULL ? &m->finals.samples[found - m->finals.labels] : NULL;
	if (s == NULL || s->h != NULL)
		return STR("no longer returned");
	a->record.value = s->v;
	a->record.value_text = arena_str(&a->said, rule_value_text(s, t->env->scratch));
	num_format(value, s->v);
	return arena_printf(t->env->scratch, "no longer returned: " STR_FMT " is %s now", STR_ARG(m->text), value);
}

/* An active alert that this evaluation did not return. */
static void alert_silent(struct tick *t, struct alert *a, enum verdict verdict, bool by_error, struct measured *now)
{
	int64_t since = a->record.unknown_since_ms != 0 ? a->record.unknown_since_ms : a->record.seen_ms;
	enum alert_edge edge;
	struct str reason;

	a->by_error = by_error;
	edge = alert_step(a, t->run->def, verdict, t->now_ms);
	if (verdict == VERDICT_UNKNOWN) {
		t->run->unknown = true;
		reason = unknown_reason(t, edge, since, by_error);
	} else if (edge == EDGE_RESOLVED)
		reason = end_reason(t, a, now);
	else
		reason = edge == EDGE_DATA_BACK ? STR("data is back") : STR("no longer returned");
	rule_run_tell(t->run, a, edge, t->now_ms, reason);
}

/* What the rule would return if lost series had held their values: those alerts cannot be told to have ended. Asked only when
 * something did not return, for it costs a second evaluation. */
struct held {
	bool asked, failed;
	struct finals finals, still;    /* at their last good values; all as it stood when they were lost, where that differs */
};

static bool uncertain(const struct promql_result *r)
{
	return r->read_lost || r->incomplete || r->n_unseen > 0;
}

static bool looks_back(const struct promql_query *query)
{
	const struct promql_selector *s;
	size_t n = promql_query_selectors(query, &s);

	for (size_t i = 0; i < n; i++)
		if (s[i].offset_ms > 0)
			return true;
	return false;
}

static bool ask(const struct tick *t, enum promql_hold hold, struct finals *f)
{
	struct err e = { 0 };
	struct promql_result *r = promql_instant_held(t->run->def->query, t->env->scratch, t->env->querier, t->query_ms, hold, &e);

	return r != NULL && finals_make(t, r, f, &e);
}

static struct held ask_held(const struct tick *t, const struct promql_result *r, bool silent)
{
	struct held h = { .asked = silent && uncertain(r) };

	if (!h.asked)
		return h;
	h.failed = !ask(t, PROMQL_HOLD_LAST, &h.finals) ||
	           (looks_back(t->run->def->query) && !ask(t, PROMQL_HOLD_STILL, &h.still));
	return h;
}

static void held_fini(struct held *h)
{
	map_fini(&h->finals.keys);
	map_fini(&h->still.keys);
}

/* True when a label both have keeps <target> from having had a part in <of>; labels the rule itself sets say nothing. */
static bool contradicts(const struct rule *def, struct labels target, struct labels of)
{
	for (size_t i = 0; i < target.n; i++) {
		struct str name = target.v[i].name;

		if (labels_has(of, name) && !labels_has(def->raw_labels, name) && !str_eq(labels_get(of, name), target.v[i].value))
			return true;
	}
	return false;
}

/* An unseen target may carry what <of> is made of. */
static bool unseen_matters(const struct tick *t, const struct promql_result *r, struct labels of)
{
	bool keeps = r->n_unseen > 0 && promql_query_keeps_labels(t->run->def->query);

	for (size_t i = 0; i < r->n_unseen; i++)
		if (!keeps || !contradicts(t->run->def, r->unseen[i], of))
			return true;
	return false;
}

/* What no longer returns <of> is known to have ended: nothing that could have returned it is missing. */
static bool knows_end(const struct tick *t, const struct promql_result *r, const struct held *h, struct labels of, struct str key)
{
	if (!h->asked)
		return true;
	return !h->failed && !r->incomplete && map_get(&h->finals.keys, key) == NULL && map_get(&h->still.keys, key) == NULL &&
	       !unseen_matters(t, r, of);
}

/* ---- series of an alert rule ---- */

static struct labels series_of(const struct alert *a, struct arena *arena, const char *name)
{
	struct labels l = labels_with(arena, a->record.labels, STR(LABEL_NAME), str_of(name));

	return strcmp(name, "ALERTS") == 0 ? labels_with(arena, l, STR("alertstate"), str_of(alert_state_name(a->record.state))) : l;
}

/* A sample that cannot be written is the rule's trouble, not the end of the tick. */
static void append(struct tick *t, struct labels l, double v, const struct histogram *h)
{
	struct err e = { 0 };

	if (t->env->appender->ops->append(t->env->appender, l, t->query_ms, v, h, &e) || value_is_stale(v))
		return;
	t->run->health = RULE_HEALTH_ERR;
	err_set(&t->run->last_error, e.code, -1, "a result could not be written: %s", e.msg);
}

static void write_alert_series(struct tick *t)
{
	const struct outputs *before = &t->run->outputs[t->run->current];
	struct outputs *now = outputs_begin(t->run);

	for (struct map_slot *s = NULL; (s = map_next(&t->run->alerts, s)) != NULL; ) {
		const struct alert *a = s->value;
		struct labels alerts, since;

		arena_reset(&t->once);
		alerts = series_of(a, &t->once, "ALERTS");
		since = series_of(a, &t->once, "ALERTS_FOR_STATE");
		if (a->record.state == ALERT_INACTIVE)
			continue;
		outputs_put(now, alerts, false);
		outputs_put(now, since, false);
		append(t, alerts, 1, NULL);
		append(t, since, (double)(a->record.active_at_ms / 1000), NULL);
	}
	for (size_t i = 0; i < before->n; i++) {
		arena_reset(&t->once);
		if (!outputs_has(now, before->v[i].labels, &t->once))
			append(t, before->v[i].labels, value_stale(), NULL);
	}
}

/* ---- on_no_data: fire, on_error: fire ---- */

static void raise_synthetic(struct tick *t, bool by_error)
{
	const struct rule *rule = t->run->def;
	struct promql_sample none = { .v = NAN, .t_ms = t->query_ms };
	struct str reason = unknown_reason(t, EDGE_NO_DATA, t->run->unknown_since_ms, by_error);
	struct labels l = labels_with(t->env->scratch, rule_alert_labels(rule, &none, &t->expand), STR(SYNTHETIC_LABEL),
	                              by_error ? STR(SYNTHETIC_ERROR) : STR(SYNTHETIC_NO_DATA));
	struct alert *a = rule_run_add(t->run, l, t->env->scratch);
	enum alert_edge edge;

	a->synthetic = a->touched = true;
	edge = alert_step(a, rule, VERDICT_HIT, t->now_ms);
	update_texts(a, &none, rule_alert_annotations(rule, &none, &t->expand), t->env->scratch);
	rule_run_tell(t->run, a, edge, t->now_ms, reason);
}

static enum rule_policy policy_of(const struct rule *rule, bool by_error)
{
	return by_error ? rule->policy.on_error : rule->policy.on_no_data;
}

/* The one that is raised already, also by the run before. */
static const struct alert *find_synthetic(const struct rule_run *run)
{
	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		const struct alert *a = s->value;

		if (a->synthetic && a->record.state != ALERT_INACTIVE && policy_of(run->def, rule_synthetic_by_error(a->record.labels)) == RULE_FIRE)
			return a;
	}
	return NULL;
}

/* The whole rule: it returned nothing and we cannot know, or it failed. What was raised for the one stands through the other. */
static void note_unknown_rule(struct tick *t, bool unknown, bool by_error)
{
	struct rule_run *run = t->run;
	const struct alert *standing;

	if (!unknown) {
		run->unknown_since_ms = 0;
		return;
	}
	if (run->unknown_since_ms == 0)
		run->unknown_since_ms = t->now_ms;
	standing = find_synthetic(run);
	if (standing != NULL)
		raise_synthetic(t, rule_synthetic_by_error(standing->record.labels));
	else if (policy_of(run->def, by_error) == RULE_FIRE && t->now_ms - run->unknown_since_ms >= run->def->policy.no_data_after_ms)
		raise_synthetic(t, by_error);
}

static enum verdict verdict_of_silent(const struct tick *t, const struct promql_result *r, const struct held *h,
                                      const struct alert *a)
{
	return a->synthetic || knows_end(t, r, h, a->record.labels, a->key) ? VERDICT_MISS : VERDICT_UNKNOWN;
}

static size_t count_active(const struct rule_run *run)
{
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; )
		n += ((const struct alert *)s->value)->record.state != ALERT_INACTIVE;
	return n;
}

/* Pending since an arrival and well at a later one: what no tick has seen begins anew. */
static void begin_again(const struct tick *t, struct alert *a)
{
	if (a->interrupted && a->record.state == ALERT_PENDING && a->record.active_at_ms > t->group->last_evaluation_ms)
		a->record.active_at_ms = t->now_ms;
	a->interrupted = false;
}

static bool is_active(const struct alert *a)
{
	return a != NULL && a->record.state != ALERT_INACTIVE;
}

/* How many new ones the limit leaves room for; tells how many there are beyond. */
static size_t room_for_new(struct tick *t, const struct finals *f)
{
	size_t limit = t->group->def->limit, active, fresh = 0;

	t->run->n_over_limit = 0;
	if (limit == 0)
		return SIZE_MAX;
	active = count_active(t->run);
	for (size_t i = 0; i < f->n; i++)
		fresh += !is_active(rule_run_find(t->run, f->labels[i], t->env->scratch));
	if (active >= limit)
		t->run->n_over_limit = fresh;
	else if (fresh > limit - active)
		t->run->n_over_limit = fresh - (limit - active);
	return fresh - t->run->n_over_limit;
}

/* Alerts that are active go on; new ones are taken up to the limit, in the order of the result. */
static void step_returned(struct tick *t, const struct finals *f)
{
	size_t room = room_for_new(t, f);

	for (size_t i = 0; i < f->n; i++) {
		struct alert *a = rule_run_find(t->run, f->labels[i], t->env->scratch);

		if (!is_active(a) && room-- == 0) {
			room = 0;
			continue;
		}
		if (a == NULL)
			a = rule_run_add(t->run, f->labels[i], t->env->scratch);
		if (t->on_arrival && a->interrupted && a->record.state == ALERT_PENDING) {
			a->touched = true;
			continue;
		}
		begin_again(t, a);
		alert_hit(t, a, &f->samples[i]);
	}
}

static bool any_silent(const struct rule_run *run)
{
	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		const struct alert *a = s->value;

		if (!a->touched && a->record.state != ALERT_INACTIVE)
			return true;
	}
	return false;
}

static void apply_alerts(struct tick *t, const struct promql_result *r, const struct finals *f)
{
	struct measured now = { 0 };
	struct held h;

	step_returned(t, f);
	note_unknown_rule(t, f->n == 0 && uncertain(r), false);
	h = ask_held(t, r, any_silent(t->run));
	for (struct map_slot *s = NULL; (s = map_next(&t->run->alerts, s)) != NULL; ) {
		struct alert *a = s->value;

		if (!a->touched && a->record.state != ALERT_INACTIVE)
			alert_silent(t, a, verdict_of_silent(t, r, &h, a), false, &now);
		a->touched = false;
	}
	held_fini(&h);
	map_fini(&now.finals.keys);
	if (t->run->n_over_limit > 0) {
		t->run->health = RULE_HEALTH_ERR;
		err_set(&t->run->last_error, ERR_LIMIT, -1, "the group's limit is %zu: %zu more alerts are left out", t->group->def->limit,
		        t->run->n_over_limit);
	}
}

/* Nothing is known of the rule: its alerts stand, and none begins. */
static void freeze_alerts(struct tick *t, bool by_error)
{
	note_unknown_rule(t, true, by_error);
	for (struct map_slot *s = NULL; (s = map_next(&t->run->alerts, s)) != NULL; ) {
		struct alert *a = s->value;

		if (!a->touched && a->record.state != ALERT_INACTIVE)
			alert_silent(t, a, VERDICT_UNKNOWN, by_error, NULL);
		a->touched = false;
	}
}

/* ---- recording rules ---- */

/* What vanished with its inputs gets its stale marker, once, and is lost; after a failure only the latter. It stays ours: one
 * day it ends properly. */
static void mark_lost(struct tick *t, struct outputs *now, const struct output *o, bool vanished)
{
	if (vanished && !o->ended)
		append(t, o->labels, value_stale(), NULL);
	t->env->appender->ops->mark_lost(t->env->appender, o->labels, t->query_ms);
	outputs_put(now, o->labels, o->ended || vanished);
	t->run->unknown = true;
}

static bool any_vanished(const struct outputs *before, const struct outputs *now, struct arena *scratch)
{
	for (size_t i = 0; i < before->n; i++)
		if (!outputs_has(now, before->v[i].labels, scratch))
			return true;
	return false;
}

/* What held values would return and nobody has recorded since the start: who reads the rule cannot know of it either. */
static struct promql_result with_unrecorded(const struct tick *t, const struct promql_result *r, const struct held *h,
                                            const struct outputs *before, const struct outputs *now)
{
	struct promql_result out = *r;
	struct labels *all = ARENA_ARRAY(t->env->scratch, r->n_unseen + h->finals.n, struct labels);

	for (size_t i = 0; i < r->n_unseen; i++)
		all[i] = r->unseen[i];
	for (size_t i = 0; i < h->finals.n; i++)
		if (!outputs_has(now, h->finals.labels[i], t->env->scratch) && !outputs_has(before, h->finals.labels[i], t->env->scratch))
			all[out.n_unseen++] = h->finals.labels[i];
	out.unseen = all;
	return out;
}

static void apply_recording(struct tick *t, const struct promql_result *r, const struct finals *f)
{
	const struct outputs *before = &t->run->outputs[t->run->current];
	struct outputs *now = outputs_begin(t->run);
	struct promql_result told;
	struct held h;
	size_t limit = t->group->def->limit != 0 ? t->group->def->limit : SIZE_MAX;

	for (size_t i = 0; i < f->n; i++) {
		if (now->n >= limit) {
			t->run->n_over_limit = f->n - i;
			break;
		}
		outputs_put(now, f->labels[i], false);
		append(t, f->labels[i], f->samples[i].v, f->samples[i].h);
	}
	h = ask_held(t, r, r->read_lost || any_vanished(before, now, t->env->scratch));
	told = with_unrecorded(t, r, &h, before, now);
	for (size_t i = 0; i < before->n; i++) {
		const struct output *o = &before->v[i];

		if (outputs_has(now, o->labels, t->env->scratch))
			continue;
		if (!knows_end(t, r, &h, o->labels, labels_key(t->env->scratch, o->labels)))
			mark_lost(t, now, o, true);
		else
			append(t, o->labels, value_stale(), NULL);
	}
	held_fini(&h);
	rule_inputs_tell(t->run, t->env, &told, f->n > 0 || !uncertain(r));
	if (t->run->n_over_limit > 0) {
		t->run->health = RULE_HEALTH_ERR;
		err_set(&t->run->last_error, ERR_LIMIT, -1, "the group's limit is %zu: %zu more series are left out", limit,
		        t->run->n_over_limit);
	}
}

static void fail_recording(struct tick *t)
{
	const struct outputs *before = &t->run->outputs[t->run->current];
	struct outputs *now = outputs_begin(t->run);

	for (size_t i = 0; i < before->n; i++)
		mark_lost(t, now, &before->v[i], false);
}

void rule_run_end_outputs(struct rule_run *run, const struct rule_run *heir, struct appender *appender, struct arena *scratch, int64_t now_ms)
{
	const struct outputs *o = &run->outputs[run->current];
	struct err e = { 0 };

	for (size_t i = 0; i < o->n; i++) {
		if (heir != NULL && outputs_has(&heir->outputs[heir->current], o->v[i].labels, scratch))
			continue;
		if (!appender->ops->append(appender, o->v[i].labels, now_ms, value_stale(), NULL, &e))
			e = (struct err){ 0 };          /* refused: a newer sample is there, and it is stale by lookback soon */
	}
	if (o->n > 0 && !appender->ops->commit(appender, &e))
		log_event(LOG_WARN, "a deleted rule's series could not be ended", "rule", run->def->id.key.p, "err", e.msg, NULL);
}

/* ---- the tick ---- */

static void keep_notes(struct rule_run *run, const struct promql_result *r)
{
	arena_reset(&run->notes_arena);
	run->notes = ARENA_ARRAY(&run->notes_arena, r->n_notes, struct promql_note);
	run->n_notes = r->n_notes;
	for (size_t i = 0; i < r->n_notes; i++) {
		run->notes[i] = r->notes[i];
		run->notes[i].text = arena_str(&run->notes_arena, r->notes[i].text);
	}
}

static void apply(struct tick *t, const struct promql_result *r, struct err *e)
{
	struct finals f = { 0 };

	if (r != NULL)
		keep_notes(t->run, r);
	if (r != NULL && finals_make(t, r, &f, e)) {
		t->run->samples = f.n;
		if (t->run->def->recording)
			apply_recording(t, r, &f);
		else
			apply_alerts(t, r, &f);
	} else {
		t->run->health = RULE_HEALTH_ERR;
		t->run->last_error = *e;
		t->group->failures++;
		if (t->run->def->recording)
			fail_recording(t);
		else
			freeze_alerts(t, true);
	}
	map_fini(&f.keys);
	if (!t->run->def->recording)
		write_alert_series(t);
}

/* What it wrote is of later too: nothing can be written before that. */
static void stand_still(struct tick *t)
{
	t->run->unknown = true;
	if (!t->run->def->recording)
		freeze_alerts(t, false);
}

/* What a target that was not asked yet has could take away what the rule returns. */
static bool is_early(const struct tick *t, const struct promql_result *r)
{
	return r != NULL && t->env->settling && r->unasked && !promql_query_only_adds(t->run->def->query);
}

static void eval_rule(struct tick *t)
{
	struct promql_result *r;
	struct err e = { 0 };
	int64_t began_us = clock_mono_us();

	arena_reset(t->env->scratch);
	t->run->health = RULE_HEALTH_OK;
	t->run->last_error = (struct err){ 0 };
	t->run->unknown = false;
	t->run->n_over_limit = 0;
	t->run->samples = 0;
	t->group->evaluations++;
	r = promql_instant(t->run->def->query, t->env->scratch, t->env->querier, t->query_ms, &e);
	if (r != NULL)
		rule_inputs_read(t->run, t->env, r);
	t->early = is_early(t, r);
	t->behind = r != NULL && r->behind;
	if (t->behind)
		stand_still(t);
	else
		apply(t, r, &e);
	if (!t->env->appender->ops->commit(t->env->appender, &e)) {
		t->run->health = RULE_HEALTH_ERR;
		err_set(&t->run->last_error, e.code, -1, "the results could not be written: %s", e.msg);
	}
	if (!t->run->def->recording)
		rule_find_sole(t->run, t->env->querier, t->query_ms, t->env->scratch);
	t->run->last_evaluation_ms = t->now_ms;
	t->run->seconds = (double)(clock_mono_us() - began_us) / 1e6;
}

static struct tick tick_at(struct group_run *g, const struct eval_env *env, int64_t now_ms)
{
	struct tick t = { .env = env, .group = g, .now_ms = now_ms, .query_ms = now_ms - g->def->query_offset_ms };

	t.expand = (struct expand_env){ env->querier, env->options, t.query_ms, now_ms, env->scratch };
	return t;
}

void rules_group_eval(struct group_run *g, const struct eval_env *env, int64_t now_ms)
{
	struct tick t = tick_at(g, env, now_ms);
	int64_t began_us = clock_mono_us();

	for (size_t i = 0; i < g->def->n_rules; i++) {
		t.run = &g->rules[i];
		if (t.run->loaded || rule_run_load(t.run, env->sink, env->sink_lock, g->def->interval_ms, now_ms))
			eval_rule(&t);
	}
	arena_fini(&t.once);
	if (g->def->n_rules > 0)
		rule_runs_commit(g->rules, g->def->n_rules, env, now_ms);
	g->iterations++;
	g->last_evaluation_ms = now_ms;
	g->seconds = (double)(clock_mono_us() - began_us) / 1e6;
}

bool rules_group_reads(const struct group_run *g, struct labels target)
{
	for (size_t i = 0; i < g->def->n_rules; i++)
		if (!g->def->rules[i].recording && g->def->query_offset_ms == 0 && rule_reads_only(&g->rules[i], target))
			return true;
	return false;
}

static void raise_rule(struct tick *t)
{
	struct finals f = { 0 };
	struct err e = { 0 };
	struct promql_result *r;
	bool known;

	arena_reset(t->env->scratch);
	r = promql_instant(t->run->def->query, t->env->scratch, t->env->querier, t->query_ms, &e);
	known = r != NULL && !r->behind && finals_make(t, r, &f, &e);
	t->early = is_early(t, r);
	if (known)
		step_returned(t, &f);
	map_fini(&f.keys);
	for (struct map_slot *s = NULL; (s = map_next(&t->run->alerts, s)) != NULL; ) {
		struct alert *a = s->value;

		a->interrupted |= known && !a->touched && a->record.state == ALERT_PENDING;
		a->touched = false;
	}
}

void rules_group_raise(struct group_run *g, const struct eval_env *env, struct labels target, int64_t now_ms)
{
	struct tick t = tick_at(g, env, now_ms);
	bool any = false;

	t.on_arrival = true;
	for (size_t i = 0; i < g->def->n_rules; i++) {
		t.run = &g->rules[i];
		if (t.run->def->recording || !t.run->loaded || g->def->query_offset_ms != 0 || !rule_reads_only(t.run, target))
			continue;
		raise_rule(&t);
		any = true;
	}
	if (any)
		rule_runs_commit(g->rules, g->def->n_rules, env, now_ms);
	arena_fini(&t.once);
}
