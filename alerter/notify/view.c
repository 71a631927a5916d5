/* What people may see of all this: stored alerts, a snapshot. Reads only. */
#include "notify/core.h"

#include "notify/text.h"

bool core_load(struct core *c, struct str rule, struct arena *a, struct alert_record **out, size_t *n, struct err *e)
{
	struct db_rows *s = DB_SELECT(c->db, "SELECT * FROM alert_state WHERE rule=? ORDER BY labels", e, DB_T(rule));
	size_t cap = 0;

	*out = NULL;
	*n = 0;
	while (db_next(s, e)) {
		if (*n == cap)
			*out = arena_grow(a, *out, *n, &cap, *n + 1, sizeof **out);
		(*out)[(*n)++] = (struct alert_record){
			.labels = db_labels(s, 1, a),
			.annotations = db_labels(s, 2, a),
			.state = db_int(s, 3) == ALERT_FIRING ? ALERT_FIRING : ALERT_PENDING,
			.active_at_ms = db_int(s, 4),
			.fired_at_ms = db_int(s, 5),
			.resolved_at_ms = db_int(s, 6),
			.keep_firing_since_ms = db_int(s, 7),
			.unknown_since_ms = db_int(s, 8),
			.seen_ms = db_int(s, 9),
			.value = db_double(db_int(s, 10)),
			.value_is_histogram = db_int(s, 11) != 0,
			.value_text = db_text_copy(s, 12, a),
		};
	}
	db_rows_free(s);
	return e->code == ERR_NONE;
}

/* ---- The snapshot. ---- */

#define MAX_UNFINISHED 1000
#define MAX_DEAD_SHOWN 100

static struct str receiver_of(struct str integration)
{
	for (size_t i = integration.n; i-- > 0;)
		if (integration.p[i] == '/')
			return (struct str){ integration.p, i };
	return integration;
}

static struct notify_message view_message(const struct message *m, struct arena *a)
{
	return (struct notify_message){
		.id = m->id,
		.state = m->state,
		.receiver = arena_str(a, receiver_of(m->integration)),
		.integration = arena_str(a, m->integration),
		.key = arena_str(a, m->key),
		.group_key = arena_str(a, m->group_key),
		.created_ms = m->created_ms,
		.next_ms = m->next_ms,
		.attempts = m->attempts,
		.last_status = m->last_status,
		.last_error = arena_str(a, m->last_error),
		.resolved = m->resolved,
	};
}

static void view_unfinished(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct notify_message *list = ARENA_ARRAY(a, MAX_UNFINISHED, struct notify_message);

	v->unfinished = list;
	for (const struct message *m = c->first; m != NULL; m = m->next) {
		if (v->n_unfinished < MAX_UNFINISHED)
			list[v->n_unfinished++] = view_message(m, a);
		v->by_state[m->state]++;
		if (v->oldest_unfinished_ms == 0 || m->created_ms < v->oldest_unfinished_ms)
			v->oldest_unfinished_ms = m->created_ms;
	}
}

static void view_dead(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct err e = { 0 };
	struct notify_message *list = ARENA_ARRAY(a, MAX_DEAD_SHOWN, struct notify_message);
	struct db_rows *s = DB_SELECT(c->db,
				      "SELECT id,integration,episode,seq,group_key,resolved,created,attempts,last_status,last_error,"
				      "count(*) OVER () FROM outbox WHERE state=? ORDER BY id DESC LIMIT ?",
				      &e, DB_I(OUTBOX_DEAD), DB_I(MAX_DEAD_SHOWN));

	v->dead = list;
	while (db_next(s, &e)) {
		v->dead_kept = (size_t)db_int(s, 10);
		list[v->n_dead++] = (struct notify_message){
			.id = db_int(s, 0),
			.state = OUTBOX_DEAD,
			.receiver = arena_str(a, receiver_of(db_text(s, 1))),
			.integration = db_text_copy(s, 1, a),
			.key = arena_printf(a, STR_FMT "-%lld", STR_ARG(db_text(s, 2)), (long long)db_int(s, 3)),
			.group_key = db_text_copy(s, 4, a),
			.resolved = db_int(s, 5) != 0,
			.created_ms = db_int(s, 6),
			.attempts = (unsigned)db_int(s, 7),
			.last_status = (int)db_int(s, 8),
			.last_error = db_text_copy(s, 9, a),
		};
	}
	db_rows_free(s);
}

struct notify_group view_group(const struct core *c, const struct group *g, struct arena *a)
{
	struct notify_group v = { .key = arena_str(a, g->key),
				  .receiver = arena_str(a, g->receiver),
				  .labels = labels_copy(a, g->labels),
				  .next_flush_ms = g->next_flush_ms,
				  .retired = g->route == NULL,
				  .id = arena_str(a, str_of(g->alarm.id)),
				  .since_ms = g->alarm.since_ms,
				  .steps = g->alarm.steps,
				  .ack_ms = g->alarm.ack_ms,
				  .ack_by = arena_str(a, g->alarm.ack_by),
				  .ack_url = core_ack_link(c, g, a) };
	int64_t next_ms = alarm_next_step_ms(g);

	if (next_ms != INT64_MAX) {
		v.next_step_ms = next_ms;
		v.next_receiver = arena_str(a, g->route->steps[g->alarm.steps].receiver->name);
	}

	for (size_t i = 0; i < g->n; i++) {
		bool first = pager_is_first(g->members[i]);

		v.n_alerts += first;
		v.n_firing += first && g->members[i]->ends_ms == 0;
	}
	return v;
}

static void view_groups(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct notify_group *list = ARENA_ARRAY(a, c->groups.n + c->n_retired + 1, struct notify_group);

	v->groups = list;
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;)
		list[v->n_groups++] = view_group(c, s->value, a);
	for (size_t i = 0; i < c->n_retired; i++)
		list[v->n_groups++] = view_group(c, c->retired[i], a);
}

static void view_stranded(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct notify_stranded *list = ARENA_ARRAY(a, c->episodes.n + 1, struct notify_stranded);

	v->stranded = list;
	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		const struct episode *e = s->value;
		size_t n = e->group != NULL ? episode_ended(e) : 0;

		if (n > 0 && core_integration(c, e) == NULL)
			list[v->n_stranded++] = (struct notify_stranded){ arena_str(a, e->integration), arena_str(a, str_of(e->id)),
									  labels_copy(a, e->group->labels), n };
	}
}

static void view_integrations(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct notify_integration_stats *list;

	for (size_t i = 0; i < c->config->n_receivers; i++)
		for (size_t k = 0; k < c->config->receivers[i].n; k++)
			outbox_stats(c, c->config->receivers[i].integrations[k].name);
	v->integrations = list = ARENA_ARRAY(a, c->stats.n + 1, struct notify_integration_stats);
	for (struct map_slot *s = NULL; (s = map_next(&c->stats, s)) != NULL;) {
		struct notify_integration_stats *one = &list[v->n_integrations++];

		*one = ((struct integration_stats *)s->value)->s;
		one->receiver = arena_str(a, one->receiver);
		one->kind = arena_str(a, one->kind);
		one->integration = arena_str(a, one->integration);
		for (const struct message *m = c->first; m != NULL; m = m->next)
			one->waiting += str_eq(m->integration, one->integration);
	}
}

struct notify_snapshot *core_snapshot(struct core *c, struct arena *a)
{
	struct notify_snapshot *v = ARENA_NEW(a, struct notify_snapshot);

	view_unfinished(c, a, v);
	view_dead(c, a, v);
	view_groups(c, a, v);
	view_integrations(c, a, v);
	view_stranded(c, a, v);
	forward_view(c, a, v);
	heartbeats_view(c, a, v);
	v->by_state[OUTBOX_DELIVERED] = c->finished[OUTBOX_DELIVERED];
	v->by_state[OUTBOX_DEAD] = c->finished[OUTBOX_DEAD];
	v->not_durable_since_ms = c->not_durable_since_ms;
	v->commits = c->commits;
	v->commit_failures = c->commit_failures;
	v->commit_seconds_sum = c->commit_seconds;
	return v;
}
