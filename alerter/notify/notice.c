/* A notice as templates see it: Alertmanager's Data. The functions are in notice_funcs.c.
 * Source: Alertmanager documentation, "Notification template reference". */
#include "notify/receivers/receiver.h"

#include "tocsin/log.h"

struct template_value notice_record(struct arena *a, const struct template_field *v, size_t n, const struct template_type *type)
{
	struct template_map *m = ARENA_NEW(a, struct template_map);
	struct template_field *copy = ARENA_ARRAY(a, n, struct template_field);

	memcpy(copy, v, n * sizeof *v);
	*m = (struct template_map){ copy, n, type };
	return (struct template_value){ .kind = TEMPLATE_RECORD, .map = m };
}

static bool with_status(struct template_call *c, const char *status)
{
	const struct template_list *all = c->self.list;
	struct template_value *v = ARENA_ARRAY(c->arena, all->n + 1, struct template_value);
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].map->v[0].value.s, str_of(status)))
			v[n++] = all->v[i];
	c->out = template_list_of(c->arena, v, n, all->type);
	return true;
}

static bool firing(struct template_call *c)
{
	return with_status(c, "firing");
}

static bool resolved(struct template_call *c)
{
	return with_status(c, "resolved");
}

static const struct template_func alerts_methods[] = { { "Firing", 0, 0, firing }, { "Resolved", 0, 0, resolved } };
static const struct template_type alerts_type = { "template.Alerts", { 0 }, alerts_methods, ARRAY_LEN(alerts_methods) };
static const struct template_type alert_type = { "template.Alert", { 0 }, NULL, 0 },
				  data_type = { "*template.Data", { 0 }, NULL, 0 };

static struct template_value view_alert(struct arena *a, const struct page_alert *p)
{
	const struct template_field v[] = {
		{ STR("Status"),
		  template_str(p->ends_ms == 0 ? STR("firing") : STR("resolved")) }, /* first: with_status reads it */
		{ STR("Labels"), template_labels(a, p->labels, &notice_kv_type) },
		{ STR("Annotations"), template_labels(a, p->annotations, &notice_kv_type) },
		{ STR("StartsAt"), template_time_utc(p->starts_ms) },
		{ STR("EndsAt"), template_time_utc(p->ends_ms != 0 ? p->ends_ms : TEMPLATE_ZERO_TIME_MS) },
		{ STR("GeneratorURL"), template_str(p->generator_url) },
		{ STR("Fingerprint"), template_str(arena_printf(a, "%016llx", (unsigned long long)p->fingerprint)) },
		{ STR("Value"), template_float(p->value) },
		{ STR("Reason"), template_str(p->reason) },
	};

	return notice_record(a, v, ARRAY_LEN(v), &alert_type);
}

struct template_value notice_template_data(const struct notice *n)
{
	struct arena *a = n->arena;
	struct template_value *alerts = ARENA_ARRAY(a, n->n + 1, struct template_value);

	for (size_t i = 0; i < n->n; i++)
		alerts[i] = view_alert(a, n->alerts[i]);
	return notice_record(a, (const struct template_field[]){
		{ STR("Receiver"), template_str(n->receiver) },
		{ STR("Status"), template_str(n->n_firing > 0 ? STR("firing") : STR("resolved")) },
		{ STR("Alerts"), template_list_of(a, alerts, n->n, &alerts_type) },
		{ STR("NotificationReason"), template_str(str_of(n->reason)) },
		{ STR("GroupLabels"), template_labels(a, n->group->labels, &notice_kv_type) },
		{ STR("CommonLabels"), template_labels(a, notice_common(a, n->alerts, n->n, false), &notice_kv_type) },
		{ STR("CommonAnnotations"), template_labels(a, notice_common(a, n->alerts, n->n, true), &notice_kv_type) },
		{ STR("RouteLabels"), template_labels(a, n->route_labels, &notice_kv_type) },
		{ STR("ExternalURL"), template_str(n->external_url) },
		{ STR("AckURL"), template_str(n->n_firing > 0 ? n->ack_url : STR("")) },
		{ STR("AcknowledgedBy"), template_str(n->group->alarm.ack_by) },
		{ STR("AcknowledgedAt"), template_time_utc(n->group->alarm.ack_ms) },
		{ STR("EscalationStep"), template_int(n->group->alarm.steps) },
	}, 13, &data_type);
}

struct labels notice_route_labels(const struct notice *n)
{
	const struct route *r = n->group->route;
	struct labels all = { 0 };
	struct notice plain = *n;

	for (size_t i = 0; r != NULL && i < r->n_labels; i++) {
		struct buf text = { 0 };
		struct err e = { 0 };

		if (template_expand(r->labels[i].text, notice_template_data(n), &plain, n->arena, &text, &e))
			all = labels_with(n->arena, all, r->labels[i].name, arena_str(n->arena, buf_str(&text)));
		else
			log_event(LOG_WARN, "a label of a route failed; it is left out", "route", r->key.p, "err", e.msg, NULL);
		buf_fini(&text);
	}
	return all;
}
