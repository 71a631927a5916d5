/* The alerts of a running rule and what is to be told of them. An alert enters by rule_run_add and leaves when the sink has taken
 * its end; a batch the sink refused stays and is offered again with the next one. */
#include "rules/run.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "tocsin/log.h"
#include "tocsin/mem.h"

#define REMEMBER_MS 60000       /* a firing alert's "last seen" is written at least this often */

struct str labels_key(struct arena *a, struct labels l)
{
	size_t n = 0;
	char *p, *to;

	for (size_t i = 0; i < l.n; i++)
		n += l.v[i].name.n + l.v[i].value.n + 2;
	to = p = arena_alloc_raw(a, n + 1);
	for (size_t i = 0; i < l.n; i++) {
		memcpy(to, l.v[i].name.p, l.v[i].name.n);
		to += l.v[i].name.n;
		*to++ = '\xff';
		memcpy(to, l.v[i].value.p, l.v[i].value.n);
		to += l.v[i].value.n;
		*to++ = '\xff';
	}
	return (struct str){ p, n };
}

#define TEXTS_BYTES 400 /* of an alert: there may be ten thousand */
#define SAID_BYTES 160

struct alert *rule_run_find(struct rule_run *run, struct labels l, struct arena *scratch)
{
	return map_get(&run->alerts, labels_key(scratch, l));
}

struct alert *rule_run_add(struct rule_run *run, struct labels l, struct arena *scratch)
{
	struct alert *a = rule_run_find(run, l, scratch);

	if (a != NULL)
		return a;
	a = mem_alloc(sizeof *a);
	arena_init_small(&a->texts, TEXTS_BYTES);
	arena_init_small(&a->said, SAID_BYTES);
	a->record.labels = labels_copy(&a->texts, l);
	a->key = labels_key(&a->texts, l);
	map_put(&run->alerts, a->key, a);
	return a;
}

static void free_alert(struct alert *a)
{
	arena_fini(&a->texts);
	arena_fini(&a->said);
	free(a);
}

static struct alert_record *copy_record(struct arena *a, const struct alert_record *r)
{
	struct alert_record *copy = ARENA_NEW(a, struct alert_record);

	*copy = *r;
	copy->labels = labels_copy(a, r->labels);
	copy->annotations = labels_copy(a, r->annotations);
	copy->value_text = arena_str(a, r->value_text);
	return copy;
}

void rule_run_tell(struct rule_run *run, struct alert *a, enum alert_edge edge, int64_t now_ms, struct str reason)
{
	if (edge == EDGE_NONE)
		return;
	a->changed = true;
	run->events = arena_grow(&run->told, run->events, run->n_events, &run->cap_events, run->n_events + 1, sizeof *run->events);
	run->events[run->n_events++] = (struct alert_event){
		.edge = edge, .record = copy_record(&run->told, &a->record), .at_ms = now_ms, .reason = arena_str(&run->told, reason)
	};
}

/* Edges always; while time counts (pending, kept firing) each tick, so that a restart knows how far it had come; else seldom. */
static bool worth_telling(const struct alert *a, int64_t now_ms)
{
	const struct alert_record *r = &a->record;

	if (a->changed)
		return true;
	if (r->state == ALERT_INACTIVE)
		return false;
	return r->state == ALERT_PENDING || r->keep_firing_since_ms != 0 || now_ms - a->told_ms >= REMEMBER_MS;
}

static size_t collect(struct rule_run *run, struct arena *scratch, int64_t now_ms, struct alert_batch_rule *out)
{
	struct alert_record *records = ARENA_ARRAY(scratch, run->alerts.n, struct alert_record);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		const struct alert *a = s->value;

		if (worth_telling(a, now_ms))
			records[n++] = a->record;
	}
	if (n == 0 && run->n_events == 0)
		return 0;
	*out = (struct alert_batch_rule){ &run->def->id, records, n, run->events, run->n_events };
	return 1;
}

/* The sink has it all: events go, and so do alerts that ended. */
static void taken(struct rule_run *run, struct arena *scratch, int64_t now_ms)
{
	struct alert **ended = ARENA_ARRAY(scratch, run->alerts.n, struct alert *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		struct alert *a = s->value;

		if (worth_telling(a, now_ms))
			a->told_ms = now_ms;
		a->changed = false;
		if (a->record.state == ALERT_INACTIVE)
			ended[n++] = a;
	}
	for (size_t i = 0; i < n; i++) {
		map_del(&run->alerts, ended[i]->key);
		free_alert(ended[i]);
	}
	run->events = NULL;
	run->n_events = run->cap_events = 0;
	arena_reset(&run->told);
}

bool rule_runs_commit(struct rule_run *runs, size_t n, const struct eval_env *env, int64_t now_ms)
{
	struct alert_batch_rule *batch;
	struct err e = { 0 };
	size_t n_batch = 0;
	bool ok;

	arena_reset(env->scratch);
	batch = ARENA_ARRAY(env->scratch, n, struct alert_batch_rule);
	for (size_t i = 0; i < n; i++)
		n_batch += collect(&runs[i], env->scratch, now_ms, &batch[n_batch]);
	if (n_batch > 0) {
		pthread_mutex_lock(env->sink_lock);
		ok = env->sink->ops->commit(env->sink, batch, n_batch, &e);
		pthread_mutex_unlock(env->sink_lock);
		if (!ok) {
			log_event(LOG_ERROR, "alert state was not taken, it is offered again", "group", runs[0].def->id.group.p, "err", e.msg, NULL);
			return false;
		}
	}
	for (size_t i = 0; i < n; i++)
		taken(&runs[i], env->scratch, now_ms);
	return true;
}

/* The record does not say so itself. */
static bool is_synthetic(const struct rule *def, const struct alert_record *r)
{
	struct str reason = labels_get(r->labels, STR(SYNTHETIC_LABEL));

	return isnan(r->value) && ((def->policy.on_no_data == RULE_FIRE && str_eq(reason, STR(SYNTHETIC_NO_DATA))) ||
	                           (def->policy.on_error == RULE_FIRE && str_eq(reason, STR(SYNTHETIC_ERROR))));
}

bool rule_run_load(struct rule_run *run, struct alert_sink *sink, pthread_mutex_t *sink_lock, int64_t interval_ms, int64_t now_ms)
{
	struct arena a = { 0 };
	struct alert_record *records = NULL;
	struct err e = { 0 };
	size_t n = 0;

	pthread_mutex_lock(sink_lock);
	run->loaded = run->def->recording || sink->ops->load(sink, run->def->id.key, &a, &records, &n, &e);
	pthread_mutex_unlock(sink_lock);
	for (size_t i = 0; run->loaded && i < n; i++) {
		struct alert *alert = rule_run_add(run, records[i].labels, &a);
		struct labels own = alert->record.labels;

		alert->record = records[i];
		alert->record.labels = own;
		alert->record.annotations = labels_copy(&alert->said, records[i].annotations);
		alert->record.value_text = arena_str(&alert->said, records[i].value_text);
		alert->told_ms = now_ms;
		alert->synthetic = is_synthetic(run->def, &alert->record);
		alert_resume(alert, interval_ms, now_ms);
	}
	if (!run->loaded) {
		run->health = RULE_HEALTH_ERR;
		run->last_error = (struct err){ 0 };
		err_set(&run->last_error, e.code, -1, "the rule's state could not be read, it is tried again: %s", e.msg);
	}
	arena_fini(&a);
	return run->loaded;
}

static bool fires_on(struct rule_run *heir, const struct alert *a, struct arena *scratch)
{
	const struct alert *there = heir != NULL ? rule_run_find(heir, a->record.labels, scratch) : NULL;

	return there != NULL && there->record.state == ALERT_FIRING;
}

void rule_run_end(struct rule_run *run, struct rule_run *heir, struct arena *scratch, int64_t now_ms)
{
	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		struct alert *a = s->value;
		const struct rule gone = { .policy = { .no_data_after_ms = RULE_NO_DATA_AFTER_MS } };
		enum alert_edge edge = alert_step(a, &gone, VERDICT_MISS, now_ms);

		a->changed = true;
		if (!fires_on(heir, a, scratch))
			rule_run_tell(run, a, edge, now_ms, STR("rule deleted"));
	}
}

void rule_run_shift(struct rule_run *run, int64_t by_ms)
{
	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; )
		alert_shift(s->value, by_ms);
	if (run->unknown_since_ms != 0)
		run->unknown_since_ms += by_ms;
}

void outputs_fini(struct outputs *o)
{
	map_fini(&o->keys);
	arena_fini(&o->arena);
	*o = (struct outputs){ 0 };
}

static void set_text(struct str *to, struct str from)
{
	free((char *)(uintptr_t)to->p);
	*to = (struct str){ from.n > 0 ? mem_strndup(from.p, from.n) : NULL, from.n };
}

void rule_run_set_sole(struct rule_run *run, struct str job, struct str instance)
{
	set_text(&run->sole.job, job);
	set_text(&run->sole.instance, instance);
}

void rule_run_fini(struct rule_run *run)
{
	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; )
		free_alert(s->value);
	map_fini(&run->alerts);
	outputs_fini(&run->outputs[0]);
	outputs_fini(&run->outputs[1]);
	arena_fini(&run->told);
	arena_fini(&run->notes_arena);
	arena_fini(&run->unseen_arena);
	rule_run_set_sole(run, STR(""), STR(""));
}

struct outputs *outputs_begin(struct rule_run *run)
{
	struct outputs *o;

	run->current = !run->current;
	o = &run->outputs[run->current];
	map_fini(&o->keys);
	o->keys = (struct map){ 0 };
	arena_reset(&o->arena);
	o->v = NULL;
	o->n = o->cap = 0;
	return o;
}

bool outputs_put(struct outputs *o, struct labels l, bool ended)
{
	struct str key = labels_key(&o->arena, l);
	struct str *kept;

	if (map_get(&o->keys, key) != NULL)
		return false;
	kept = ARENA_NEW(&o->arena, struct str);
	*kept = key;
	map_put(&o->keys, key, kept);
	o->v = arena_grow(&o->arena, o->v, o->n, &o->cap, o->n + 1, sizeof *o->v);
	o->v[o->n++] = (struct output){ labels_copy(&o->arena, l), ended };
	return true;
}

bool outputs_has(const struct outputs *o, struct labels l, struct arena *scratch)
{
	return map_get(&o->keys, labels_key(scratch, l)) != NULL;
}
