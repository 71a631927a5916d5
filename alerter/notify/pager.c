/* Alerts as people may hear of them: born by a firing edge, ended by a resolved one (or by the record that says so, should the
 * edge have been lost). Owns struct page_alert; every change is in the log before the step ends. */
#include "notify/core.h"

#include <assert.h>
#include <stdlib.h>

#include "notify/text.h"
#include "tocsin/mem.h"

#define POSTED "api"    /* where a rule's key would stand; who posts has put external labels on already */
#define RELABELLED "relabelled"  /* and of what has ended because its external labels changed */

static struct str alert_key(struct core *c, struct str rule, struct labels labels)
{
	struct str text = db_labels_text(&c->scratch, labels);
	char *p = arena_alloc(&c->scratch, rule.n + 1 + text.n);

	memcpy(p, rule.p, rule.n);
	memcpy(p + rule.n + 1, text.p, text.n);
	return (struct str){ p, rule.n + 1 + text.n };
}

struct page_alert *pager_find(struct core *c, struct str rule, struct labels own)
{
	return map_get(&c->alerts, alert_key(c, rule, own));
}

void pager_save(struct core *c, const struct page_alert *a)
{
	DB_ADD(c->db, DB_PUT_ALERT, DB_I(a->id), DB_T(a->rule), DB_T(db_labels_text(&c->scratch, a->own)),
	       DB_T(db_labels_text(&c->scratch, a->annotations)), DB_T(a->generator_url), DB_I(db_bits(a->value)),
	       DB_T(a->value_text), DB_T(a->reason), DB_I(a->starts_ms), DB_I(a->ends_ms), DB_I(a->no_data_since_ms),
	       DB_T(db_labels_text(&c->scratch, a->external)), DB_I(a->expires_ms), DB_I(a->heard_end_ms));
}

/* An external label gives way to the alert's own of that name. */
static struct labels with_external(struct core *c, struct labels own, struct labels external)
{
	struct labels all = own;

	for (size_t i = 0; i < external.n; i++)
		if (!labels_has(own, external.v[i].name))
			all = labels_with(&c->scratch, all, external.v[i].name, external.v[i].value);
	return all;
}

static struct str labels_key(const struct page_alert *a)
{
	return (struct str){ (const char *)&a->fingerprint, sizeof a->fingerprint };
}

static void join_twins(struct core *c, struct page_alert *a)
{
	struct page_alert *other = map_add(&c->by_labels, labels_key(a), a);

	a->twin = a;
	if (other == NULL || other == a || !labels_eq(other->labels, a->labels))
		return;
	a->twin = other->twin;
	other->twin = a;
}

static void leave_twins(struct core *c, struct page_alert *a)
{
	struct page_alert *before = a;

	while (before->twin != a)
		before = before->twin;
	before->twin = a->twin;
	if (map_get(&c->by_labels, labels_key(a)) != a)
		return;
	map_del(&c->by_labels, labels_key(a));
	if (before != a)
		map_put(&c->by_labels, labels_key(before), before);
}

struct page_alert *pager_firing_twin(const struct page_alert *a)
{
	for (struct page_alert *t = a->twin; t != a; t = t->twin)
		if (t->ends_ms == 0)
			return t;
	return NULL;
}

bool pager_is_first(const struct page_alert *a)
{
	for (const struct page_alert *t = a->twin; t != a; t = t->twin)
		if ((t->ends_ms != 0) < (a->ends_ms != 0) || ((t->ends_ms != 0) == (a->ends_ms != 0) && t->id < a->id))
			return false;
	return true;
}

struct page_alert *pager_new(struct core *c, int64_t id, struct str rule, struct labels own, struct labels external)
{
	struct page_alert *a = mem_alloc(sizeof *a);

	a->id = id;
	a->key = text_dup(alert_key(c, rule, own));
	a->rule = text_dup(rule);
	a->own = text_dup_labels(own);
	a->external = text_dup_labels(external);
	a->labels = external.n > 0 ? text_dup_labels(with_external(c, own, external)) : a->own;
	a->annotations = text_dup_labels((struct labels){ 0 });
	a->generator_url = text_dup(STR(""));
	a->value_text = text_dup(STR(""));
	a->reason = text_dup(STR(""));
	a->fingerprint = alert_fingerprint(a->labels);
	map_put(&c->alerts, a->key, a);
	join_twins(c, a);
	return a;
}

void pager_free(struct page_alert *a)
{
	text_free(a->key);
	text_free(a->rule);
	if (a->labels.v != a->own.v)
		text_free_labels(a->labels);
	text_free_labels(a->own);
	text_free_labels(a->external);
	text_free_labels(a->annotations);
	text_free(a->generator_url);
	text_free(a->value_text);
	text_free(a->reason);
	free(a->groups);
	free(a->marks);
	free(a);
}

static void forget(struct core *c, struct page_alert *a)
{
	DB_ADD(c->db, DB_DEL_ALERT, DB_I(a->id));
	map_del(&c->alerts, a->key);
	leave_twins(c, a);
	pager_free(a);
}

void pager_free_if_done(struct core *c, struct page_alert *a)
{
	if (a->ends_ms == 0 || a->n_groups > 0 || a->told_by > 0 || forward_keeps(c, a))
		return;
	forget(c, a);
}

static void take_values(struct page_alert *a, const struct alert_record *r)
{
	text_free_labels(a->annotations);
	a->annotations = text_dup_labels(r->annotations);
	text_set(&a->value_text, r->value_text);
	a->value = r->value;
}

static bool same_values(const struct page_alert *a, const struct alert_record *r)
{
	return db_bits(a->value) == db_bits(r->value) && str_eq(a->value_text, r->value_text) && labels_eq(a->annotations, r->annotations);
}

/* <a> begins: what was told of twins that have ended, and of whose end nobody has heard, goes on. */
static void take_over(struct core *c, struct page_alert *a)
{
	for (struct page_alert *t = a->twin, *next; t != a; t = next) {
		next = t->twin;
		if (t->ends_ms == 0)
			continue;
		episode_hand_over(c, t, a);
		group_leave_all(c, t);
		pager_free_if_done(c, t);
	}
}

/* Fires, or goes on firing with new values. */
static void fire(struct core *c, const struct rule_identity *rule, const struct alert_record *r, struct str reason)
{
	struct page_alert *a = map_get(&c->alerts, alert_key(c, rule->key, r->labels));
	bool starts = a == NULL || a->ends_ms != 0;

	if (a != NULL && a->ends_ms != 0 && a->n_groups + a->told_by == 0) {    /* kept for Alertmanagers only: over and done with */
		forget(c, a);
		a = NULL;
	}
	if (a == NULL)
		a = pager_new(c, c->next_alert++, rule->key, r->labels,
			      str_eq(rule->key, STR(POSTED)) ? (struct labels){ 0 } : c->config->external_labels);
	if (starts) {
		a->in_doubt = false;
		a->starts_ms = r->fired_at_ms != 0 ? r->fired_at_ms : core_now_ms(c);
		a->ends_ms = a->heard_end_ms = a->no_data_since_ms = 0;
	}
	if (!starts && same_values(a, r) && str_eq(a->generator_url, rule->generator_url) && (reason.n == 0 || str_eq(a->reason, reason)))
		return;
	take_values(a, r);
	text_set(&a->generator_url, rule->generator_url);
	if (reason.n > 0)
		text_set(&a->reason, reason);
	pager_save(c, a);
	if (starts) {
		forward_changed(c);
		group_add_alert(c, a);
		take_over(c, a);
		group_wait_for_phases(c, a);
	}
}

/* A twin fires on: nothing has ended for who was told, and it began when the first of them did. */
static bool hand_over(struct core *c, struct page_alert *a)
{
	struct page_alert *t = pager_firing_twin(a);

	if (t == NULL)
		return false;
	episode_hand_over(c, a, t);
	group_leave_all(c, a);
	if (a->starts_ms < t->starts_ms) {
		t->starts_ms = a->starts_ms;
		pager_save(c, t);
	}
	return true;
}

void pager_end(struct core *c, struct page_alert *a, int64_t at_ms, struct str reason)
{
	if (a->ends_ms != 0)
		return;
	a->in_doubt = false;
	a->heard_end_ms = core_now_ms(c);
	a->ends_ms = at_ms != 0 ? at_ms : a->heard_end_ms;
	a->no_data_since_ms = 0;
	text_set(&a->reason, reason);
	pager_save(c, a);
	forward_changed(c);
	if (!hand_over(c, a)) {
		group_hurry_retired(c, a);
		group_wait_for_phases(c, a);
	}
	pager_free_if_done(c, a);
}

static void end(struct core *c, const struct rule_identity *rule, const struct alert_record *r, int64_t at_ms, struct str reason)
{
	struct page_alert *a = map_get(&c->alerts, alert_key(c, rule->key, r->labels));

	if (a == NULL || a->ends_ms != 0)
		return;
	take_values(a, r);
	pager_end(c, a, at_ms, reason);
}

static void set_no_data(struct core *c, const struct rule_identity *rule, const struct alert_event *ev, int64_t since_ms)
{
	struct page_alert *a = map_get(&c->alerts, alert_key(c, rule->key, ev->record->labels));

	if (a == NULL || a->ends_ms != 0)
		return;
	a->no_data_since_ms = since_ms;
	text_set(&a->reason, ev->reason);
	pager_save(c, a);
}

void pager_event(struct core *c, const struct rule_identity *rule, const struct alert_event *ev)
{
	const struct alert_record *r = ev->record;

	DB_ADD(c->db, DB_ADD_EVENT, DB_I(ev->at_ms), DB_T(str_of(alert_edge_name(ev->edge))), DB_T(rule->file), DB_T(rule->group),
	       DB_T(labels_get(r->labels, STR("alertname"))), DB_T(rule->expr), DB_T(db_labels_text(&c->scratch, r->labels)),
	       DB_I(db_bits(r->value)), DB_T(ev->reason), DB_T(STR("")), DB_T(STR("")));
	switch (ev->edge) {
	case EDGE_FIRING:
	case EDGE_CHANGED:
		fire(c, rule, r, ev->reason);
		return;
	case EDGE_RESOLVED:
		end(c, rule, r, r->resolved_at_ms != 0 ? r->resolved_at_ms : ev->at_ms, ev->reason);
		return;
	case EDGE_NO_DATA:
		set_no_data(c, rule, ev, r->unknown_since_ms != 0 ? r->unknown_since_ms : ev->at_ms);
		return;
	case EDGE_DATA_BACK:
		set_no_data(c, rule, ev, 0);
		return;
	case EDGE_PENDING:              /* it may have fired, before its `for` was raised */
		end(c, rule, r, ev->at_ms, ev->reason);
		return;
	case EDGE_NONE:
	case EDGE_DROPPED:
		return;
	}
	abort();
}

void pager_record(struct core *c, const struct rule_identity *rule, const struct alert_record *r)
{
	struct str labels = db_labels_text(&c->scratch, r->labels);

	if (r->state == ALERT_INACTIVE)
		DB_ADD(c->db, DB_DEL_STATE, DB_T(rule->key), DB_T(labels));
	else
		DB_ADD(c->db, DB_PUT_STATE, DB_T(rule->key), DB_T(labels), DB_T(db_labels_text(&c->scratch, r->annotations)),
		       DB_I(r->state), DB_I(r->active_at_ms), DB_I(r->fired_at_ms), DB_I(r->resolved_at_ms),
		       DB_I(r->keep_firing_since_ms), DB_I(r->unknown_since_ms), DB_I(r->seen_ms), DB_I(db_bits(r->value)),
		       DB_I(r->value_is_histogram), DB_T(r->value_text));
	if (r->state == ALERT_FIRING)
		fire(c, rule, r, STR(""));
	else
		end(c, rule, r, r->resolved_at_ms, STR("no longer firing"));
}

/* ---- After a change of external labels. ---- */

/* An alert that has ended, with the labels <a> had until now. */
static struct page_alert *leave_behind(struct core *c, const struct page_alert *a)
{
	struct str rule = own_is_ours(a) ? STR(OWN_LEFT_BEHIND) : STR(RELABELLED);
	struct page_alert *old = pager_find(c, rule, a->labels);

	if (old == NULL)
		old = pager_new(c, c->next_alert++, rule, a->labels, (struct labels){ 0 });
	text_free_labels(old->annotations);
	old->annotations = text_dup_labels(a->annotations);
	text_set(&old->value_text, a->value_text);
	text_set(&old->generator_url, a->generator_url);
	text_set(&old->reason, STR("its external labels have changed"));
	old->value = a->value;
	old->starts_ms = a->starts_ms;
	old->ends_ms = old->heard_end_ms = core_now_ms(c);
	pager_save(c, old);
	return old;
}

static void set_external(struct core *c, struct page_alert *a, struct labels external)
{
	struct labels labels = external.n > 0 ? text_dup_labels(with_external(c, a->own, external)) : a->own;

	if (a->labels.v != a->own.v)
		text_free_labels(a->labels);
	text_free_labels(a->external);
	a->external = text_dup_labels(external);
	a->labels = labels;
	a->fingerprint = alert_fingerprint(labels);
	pager_save(c, a);
}

/* To who was told <a> goes on. What has ended is <old>, unless a twin of it fires on. */
static void relabel(struct core *c, struct page_alert *a, struct labels external)
{
	struct page_alert *old, *twin;

	if (labels_eq(with_external(c, a->own, external), a->labels)) {
		set_external(c, a, external);
		return;
	}
	leave_twins(c, a);
	old = leave_behind(c, a);
	twin = pager_firing_twin(old);
	episode_share(c, a, twin != NULL ? twin : old);
	set_external(c, a, external);
	join_twins(c, a);
	take_over(c, a);
	pager_free_if_done(c, old);
}

bool pager_is_left_behind(const struct page_alert *a)
{
	return str_eq(a->rule, STR(RELABELLED)) || str_eq(a->rule, STR(OWN_LEFT_BEHIND));
}

void pager_relabel(struct core *c)
{
	struct labels external = c->config->external_labels;
	struct page_alert **v = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct page_alert *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->ends_ms == 0 && !str_eq(a->rule, STR(POSTED)) && !labels_eq(a->external, external))
			v[n++] = a;
	}
	for (size_t i = 0; i < n; i++)
		relabel(c, v[i], external);
}

/* ---- Alerts that others post, as to an Alertmanager. ---- */

static const struct rule_identity posted_rule
	= { .key = { POSTED, 3 }, .file = { POSTED, 3 }, .group = { POSTED, 3 } };

static void post_event(struct core *c, const struct page_alert *a, enum alert_edge edge, struct str reason)
{
	DB_ADD(c->db, DB_ADD_EVENT, DB_I(core_now_ms(c)), DB_T(str_of(alert_edge_name(edge))), DB_T(posted_rule.file),
	       DB_T(posted_rule.group), DB_T(labels_get(a->labels, STR("alertname"))), DB_T(STR("")),
	       DB_T(db_labels_text(&c->scratch, a->labels)), DB_I(db_bits(0)), DB_T(reason), DB_T(STR("")), DB_T(STR("")));
}

static void end_posted(struct core *c, struct page_alert *a, int64_t at_ms, struct str reason)
{
	post_event(c, a, EDGE_RESOLVED, reason);
	pager_end(c, a, at_ms, reason);
}

/* Of two ends that lie ahead the later one stands, unless it was only supposed. */
static void set_expiry(struct core *c, struct page_alert *a, int64_t given_ms)
{
	int64_t ends_ms = given_ms != 0 ? given_ms : core_now_ms(c) + c->config->resolve_timeout_ms;

	if (ends_ms >= a->expires_ms || (given_ms != 0 && !a->expiry_given)) {
		a->expires_ms = ends_ms;
		a->expiry_given = given_ms != 0;
	}
	if (a->expires_ms < c->next_expiry_ms)
		c->next_expiry_ms = a->expires_ms;
}

void pager_post(struct core *c, const struct notify_posted *p)
{
	struct page_alert *a = map_get(&c->alerts, alert_key(c, posted_rule.key, p->labels));
	int64_t now_ms = core_now_ms(c);
	bool ended = p->ends_ms != 0 && p->ends_ms <= now_ms, fired = a != NULL && a->ends_ms == 0;
	struct rule_identity rule = posted_rule;
	const struct alert_record r = { .labels = p->labels,
					.annotations = p->annotations,
					.state = ALERT_FIRING,
					.fired_at_ms = p->starts_ms != 0 ? p->starts_ms : now_ms };

	if (ended) {
		if (fired)
			end_posted(c, a, p->ends_ms, STR("its sender says that it is over"));
		return;
	}
	rule.generator_url = p->generator_url;
	fire(c, &rule, &r, STR(""));
	a = map_get(&c->alerts, alert_key(c, posted_rule.key, p->labels));
	doubt_settle(c, a);
	if (p->starts_ms != 0 && p->starts_ms < a->starts_ms)
		a->starts_ms = p->starts_ms;
	if (!fired)
		a->expires_ms = 0;
	set_expiry(c, a, p->ends_ms);
	pager_save(c, a);
	if (!fired)
		post_event(c, a, EDGE_FIRING, STR("posted"));
}

int64_t pager_expire(struct core *c)
{
	int64_t now_ms = core_now_ms(c), next_ms = INT64_MAX;
	struct page_alert **over = NULL;
	size_t n = 0;

	if (c->next_expiry_ms > now_ms)
		return c->next_expiry_ms;
	over = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct page_alert *);
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->expires_ms == 0 || a->ends_ms != 0)
			continue;
		if (a->expires_ms <= now_ms)
			over[n++] = a;
		else if (a->expires_ms < next_ms)
			next_ms = a->expires_ms;
	}
	for (size_t i = 0; i < n; i++)
		end_posted(c, over[i], over[i]->expires_ms, STR("its sender was not heard of any more"));
	return c->next_expiry_ms = next_ms;
}

void pager_shift(struct core *c, int64_t step_ms)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;
		int64_t *const times[] = { &a->starts_ms, &a->ends_ms, &a->heard_end_ms, &a->no_data_since_ms, &a->expires_ms };

		for (size_t i = 0; i < ARRAY_LEN(times); i++)
			*times[i] += *times[i] != 0 ? step_ms : 0;
		pager_save(c, a);
	}
}

void pager_extend(struct core *c)
{
	int64_t least_ms = core_now_ms(c) + c->config->resolve_timeout_ms;

	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->expires_ms != 0 && a->ends_ms == 0 && a->expires_ms < least_ms) {
			a->expires_ms = least_ms;
			pager_save(c, a);
		}
	}
}
