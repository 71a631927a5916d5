/* /api/v1/rules and /api/v1/alerts: the rules' snapshot as JSON. Beside Prometheus's fields: unknownSince on an alert that nothing is
 * known of at present. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Go's FormatFloat(v, 'e', -1, 64), as these two endpoints print values. */
static void put_exponent_value(struct json_out *j, double v)
{
	char text[40];

	if (v != v || v - v != 0) {
		json_out_num_text(j, v);
		return;
	}
	for (int precision = 0; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	json_out_strz(j, text);
}

static void put_alert(struct json_out *j, const struct alert_record *a)
{
	json_out_open(j, '{');
	json_out_key(j, "labels");
	json_out_labels(j, a->labels);
	json_out_key(j, "annotations");
	json_out_labels(j, a->annotations);
	json_out_key(j, "state");
	json_out_strz(j, alert_state_name(a->state));
	json_out_key(j, "activeAt");
	json_out_time(j, a->active_at_ms);
	if (a->keep_firing_since_ms != 0) {
		json_out_key(j, "keepFiringSince");
		json_out_time(j, a->keep_firing_since_ms);
	}
	if (a->unknown_since_ms != 0) {
		json_out_key(j, "unknownSince");
		json_out_time(j, a->unknown_since_ms);
	}
	json_out_key(j, "value");
	if (a->value_is_histogram)
		json_out_str(j, a->value_text);
	else
		put_exponent_value(j, a->value);
	json_out_close(j, '}');
}

static void put_alerts(struct json_out *j, const struct rule_view *r)
{
	for (size_t i = 0; i < r->n_alerts; i++)
		put_alert(j, &r->alerts[i]);
}

static void put_alerting_fields(struct json_out *j, const struct rule_view *r, bool with_alerts)
{
	json_out_key(j, "state");
	json_out_strz(j, alert_state_name(r->state));
	json_out_key(j, "duration");
	json_out_num(j, (double)r->for_ms / 1000);
	json_out_key(j, "keepFiringFor");
	json_out_num(j, (double)r->keep_firing_for_ms / 1000);
	json_out_key(j, "annotations");
	json_out_labels(j, r->annotations);
	json_out_key(j, "alerts");
	json_out_open(j, '[');
	if (with_alerts)
		put_alerts(j, r);
	json_out_close(j, ']');
}

static void put_rule(struct json_out *j, const struct rule_view *r, bool with_alerts)
{
	json_out_open(j, '{');
	json_out_key(j, "name");
	json_out_str(j, r->id->name);
	json_out_key(j, "query");
	json_out_str(j, r->id->expr);
	json_out_key(j, "labels");
	json_out_labels(j, r->labels);
	if (!r->recording)
		put_alerting_fields(j, r, with_alerts);
	json_out_key(j, "health");
	json_out_strz(j, rule_health_name(r->health));
	if (r->last_error.n > 0) {
		json_out_key(j, "lastError");
		json_out_str(j, r->last_error);
	}
	json_out_key(j, "evaluationTime");
	json_out_num(j, r->evaluation_seconds);
	json_out_key(j, "lastEvaluation");
	json_out_time(j, r->last_evaluation_ms);
	json_out_key(j, "type");
	json_out_strz(j, r->recording ? "recording" : "alerting");
	json_out_close(j, '}');
}

/* Repeated parameter <name>: absent lets everything through. */
static bool wanted(const struct http_request *q, const char *name, struct str value)
{
	bool any = false;

	for (size_t i = 0; i < q->n_params; i++) {
		if (!str_eq(q->params[i].name, str_of(name)))
			continue;
		if (str_eq(q->params[i].value, value))
			return true;
		any = true;
	}
	return !any;
}

static bool wanted_rule(const struct http_request *q, const struct rule_view *r)
{
	struct str type = http_param(q, "type");

	if (type.n > 0 && r->recording != str_eq(type, STR("record")))
		return false;
	return wanted(q, "rule_name[]", r->id->name);
}

static void put_group(struct json_out *j, const struct http_request *q, const struct rule_group_view *g)
{
	bool with_alerts = !str_eq(http_param(q, "exclude_alerts"), STR("true"));

	json_out_open(j, '{');
	json_out_key(j, "name");
	json_out_str(j, g->name);
	json_out_key(j, "file");
	json_out_str(j, g->file);
	json_out_key(j, "rules");
	json_out_open(j, '[');
	for (size_t i = 0; i < g->n_rules; i++)
		if (wanted_rule(q, &g->rules[i]))
			put_rule(j, &g->rules[i], with_alerts);
	json_out_close(j, ']');
	json_out_key(j, "interval");
	json_out_num(j, (double)g->interval_ms / 1000);
	json_out_key(j, "limit");
	json_out_int(j, (int64_t)g->limit);
	json_out_key(j, "evaluationTime");
	json_out_num(j, g->evaluation_seconds);
	json_out_key(j, "lastEvaluation");
	json_out_time(j, g->last_evaluation_ms);
	json_out_close(j, '}');
}

void api_rules(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct rules_snapshot *s;
	struct str type = http_param(q, "type");
	struct err e = { 0 };
	struct buf b = { 0 };
	struct json_out j;

	if (type.n > 0 && !str_eq(type, STR("alert")) && !str_eq(type, STR("record"))) {
		err_set(&e, ERR_BAD_INPUT, -1, "invalid parameter \"type\": not supported value \"" STR_FMT "\": alert or record", STR_ARG(type));
		envelope_error(q, &e);
		return;
	}
	s = rules_snapshot_get(api->deps.rules);
	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "groups");
	json_out_open(&j, '[');
	for (size_t i = 0; i < s->n_groups; i++)
		if (wanted(q, "rule_group[]", s->groups[i]->name) && wanted(q, "file[]", s->groups[i]->file))
			put_group(&j, q, s->groups[i]);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	rules_snapshot_release(s);
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

void api_alerts(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct rules_snapshot *s = rules_snapshot_get(api->deps.rules);
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "alerts");
	json_out_open(&j, '[');
	for (size_t i = 0; i < s->n_groups; i++)
		for (size_t r = 0; r < s->groups[i]->n_rules; r++)
			put_alerts(&j, &s->groups[i]->rules[r]);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	rules_snapshot_release(s);
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}
