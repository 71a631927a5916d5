/* The Alertmanager API, version 2, so that amtool, Grafana and any Prometheus take us for one. What waits for the database runs on
 * the pool. Source: Alertmanager's OpenAPI description of /api/v2. */
#include "v2_json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/version.h"

enum { MAX_POSTED = 10000 };

/* ---- Alerts in. ---- */

struct posted {
	struct notify_posted *v;
	size_t n;
	json_error_t where;
	struct err e; /* of those that are refused; the others are taken */
};

/* "/graph?…" or "http://…". */
static bool is_uri(struct str s)
{
	size_t scheme = 0;

	while (scheme < s.n && (isalnum((unsigned char)s.p[scheme]) || strchr("+-.", s.p[scheme]) != NULL))
		scheme++;
	return s.n == 0 || s.p[0] == '/' || (scheme > 0 && scheme < s.n && s.p[scheme] == ':');
}

/* False: nothing of the body is taken. */
static bool read_posted(struct http_request *q, json_t *o, struct notify_posted *out, struct err *e)
{
	if (!json_is_object(o))
		return err_set(e, ERR_BAD_INPUT, -1, "it is no object");
	if (!v2_labels(o, "labels", true, q->arena, &out->labels, e) || !v2_labels(o, "annotations", false, q->arena, &out->annotations, e) ||
	    !v2_time(o, "startsAt", false, &out->starts_ms, e) || !v2_time(o, "endsAt", false, &out->ends_ms, e) ||
	    !v2_text(o, "generatorURL", false, q->arena, &out->generator_url, e))
		return false;
	return is_uri(out->generator_url) || err_set(e, ERR_EXEC, -1, "generatorURL in body must be of type uri");
}

static bool has_nameless(json_t *o, const char *key)
{
	return json_object_get(json_object_get(o, key), "") != NULL;
}

/* False: this one is not taken, others of the body are, as in Alertmanager. */
static bool check_posted(json_t *o, const struct notify_posted *p, struct err *e)
{
	if (has_nameless(o, "labels") || has_nameless(o, "annotations"))
		return err_set(e, ERR_BAD_INPUT, -1, "a label or an annotation has no name");
	if (p->labels.n == 0)
		return err_set(e, ERR_BAD_INPUT, -1, "an alert has at least one label");
	if (p->starts_ms != 0 && p->ends_ms != 0 && p->ends_ms < p->starts_ms)
		return err_set(e, ERR_BAD_INPUT, -1, "an alert ends before it starts");
	return true;
}

/* An empty body, null and [] have no alerts; but the first is a mistake. */
static bool read_alerts(struct http_request *q, json_t *list, struct posted *p)
{
	struct err *e = &p->e;
	json_t *one;
	size_t i;

	if (q->body.n == 0)
		return err_set(e, ERR_EXEC, -1, "alerts in body is required");
	if (!json_is_array(list) && !json_is_null(list))
		return err_set(e, ERR_BAD_INPUT, -1, "the body is no list of alerts: %s", list == NULL ? p->where.text : "it is another value");
	if (json_array_size(list) > MAX_POSTED)
		return err_set(e, ERR_BAD_INPUT, -1, "more than %d alerts at once (limit MAX_POSTED)", MAX_POSTED);
	p->v = ARENA_ARRAY(q->arena, json_array_size(list) + 1, struct notify_posted);
	json_array_foreach(list, i, one)
	{
		struct notify_posted *to = &p->v[p->n];

		if (!read_posted(q, one, to, e))
			return err_context(e, "alert %zu", i);
		p->n += check_posted(one, to, e);
	}
	return true;
}

static void run_post_alerts(struct api *api, struct http_request *q, void *job)
{
	struct posted *p = job;

	if (notify_post(api->deps.notify, p->v, p->n, &p->e) && p->e.code == ERR_NONE)
		http_reply(q, 200, NULL, STR(""));
	else
		v2_refuse(q, &p->e);
}

static void post_alerts(struct http_request *q)
{
	struct api *api = q->ctx;
	struct posted *p = ARENA_NEW(q->arena, struct posted);
	json_t *list = json_loadb(q->body.n > 0 ? q->body.p : "", q->body.n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &p->where);
	bool ok = read_alerts(q, list, p);

	json_decref(list);
	if (ok)
		pool_submit(api->pool, q, run_post_alerts, p);
	else
		v2_refuse(q, &p->e);
}

/* ---- Alerts out. ---- */

static void put_texts(struct json_out *j, const char *key, const struct str *v, size_t n)
{
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_out_str(j, v[i]);
	json_out_close(j, ']');
}

static void put_named(struct json_out *j, struct str name)
{
	json_out_open(j, '{');
	json_out_key(j, "name");
	json_out_str(j, name);
	json_out_close(j, '}');
}

static void put_time(struct json_out *j, const char *key, int64_t ms)
{
	json_out_key(j, key);
	json_out_time(j, ms);
}

static void put_alert(struct json_out *j, const struct notify_alert *a, int64_t now_ms)
{
	bool suppressed = a->n_silenced_by + a->n_inhibited_by + a->n_muted_by > 0;
	char fingerprint[17];

	snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)a->fingerprint);
	json_out_open(j, '{');
	json_out_key(j, "labels");
	json_out_labels(j, a->labels);
	json_out_key(j, "annotations");
	json_out_labels(j, a->annotations);
	json_out_key(j, "receivers");
	json_out_open(j, '[');
	for (size_t i = 0; i < a->n_receivers; i++)
		put_named(j, a->receivers[i]);
	json_out_close(j, ']');
	json_out_key(j, "fingerprint");
	json_out_strz(j, fingerprint);
	json_out_key(j, "generatorURL");
	json_out_str(j, a->generator_url);
	put_time(j, "startsAt", a->starts_ms);
	put_time(j, "updatedAt", now_ms);
	put_time(j, "endsAt", a->ends_ms != 0 ? a->ends_ms : now_ms + 300000);
	json_out_key(j, "status");
	json_out_open(j, '{');
	json_out_key(j, "state");
	json_out_strz(j, suppressed ? "suppressed" : "active");
	put_texts(j, "silencedBy", a->silenced_by, a->n_silenced_by);
	put_texts(j, "inhibitedBy", a->inhibited_by, a->n_inhibited_by);
	put_texts(j, "mutedBy", a->muted_by, a->n_muted_by);
	json_out_close(j, '}');
	json_out_close(j, '}');
}

struct wanted {
	struct notify_alert_query query;
	bool groups;
};

/* An alert in several groups is listed once. */
static int by_labels(const void *a, const void *b)
{
	const struct notify_alert *x = *(const struct notify_alert *const *)a, *y = *(const struct notify_alert *const *)b;

	return labels_cmp(x->labels, y->labels);
}

static void put_alerts(struct json_out *j, struct arena *a, const struct notify_alert_group *g, size_t n, int64_t now_ms)
{
	const struct notify_alert **all;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		total += g[i].n;
	all = ARENA_ARRAY(a, total + 1, const struct notify_alert *);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < g[i].n; k++)
			all[at++] = &g[i].alerts[k];
	qsort(all, total, sizeof(const struct notify_alert *), by_labels);
	json_out_open(j, '[');
	for (size_t i = 0; i < total; i++)
		if (i == 0 || !labels_eq(all[i - 1]->labels, all[i]->labels))
			put_alert(j, all[i], now_ms);
	json_out_close(j, ']');
}

static void put_groups(struct json_out *j, const struct notify_alert_group *g, size_t n, int64_t now_ms)
{
	json_out_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_out_open(j, '{');
		json_out_key(j, "labels");
		json_out_labels(j, g[i].labels);
		json_out_key(j, "routeLabels");
		json_out_labels(j, g[i].route_labels);
		json_out_key(j, "receiver");
		put_named(j, g[i].receiver);
		json_out_key(j, "alerts");
		json_out_open(j, '[');
		for (size_t k = 0; k < g[i].n; k++)
			put_alert(j, &g[i].alerts[k], now_ms);
		json_out_close(j, ']');
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

static void run_get_alerts(struct api *api, struct http_request *q, void *job)
{
	const struct wanted *w = job;
	const struct notify_alert_group *groups;
	int64_t now_ms = clock_now_ms(api->deps.clock);
	struct err e = {0};
	struct buf b = {0};
	struct json_out j = {&b, false};
	size_t n;

	if (!notify_alerts(api->deps.notify, &w->query, q->arena, &groups, &n, &e)) {
		v2_refuse(q, &e);
		return;
	}
	if (w->groups)
		put_groups(&j, groups, n, now_ms);
	else
		put_alerts(&j, q->arena, groups, n, now_ms);
	http_reply_buf(q, 200, "application/json", &b);
	buf_fini(&b);
}

static void get_alerts(struct http_request *q, bool groups)
{
	struct api *api = q->ctx;
	struct wanted *w = ARENA_NEW(q->arena, struct wanted);
	struct err e = {0};

	w->groups = groups;
	w->query.receiver = http_param(q, "receiver");
	if (v2_filters(q, &w->query.filters, &w->query.n_filters, &e) && v2_query_flag(q, "active", &w->query.active, &e) &&
	    v2_query_flag(q, "silenced", &w->query.silenced, &e) && v2_query_flag(q, "inhibited", &w->query.inhibited, &e) &&
	    v2_query_flag(q, "muted", &w->query.muted, &e))
		pool_submit(api->pool, q, run_get_alerts, w);
	else
		v2_refuse(q, &e);
}

void api_v2_alerts(struct http_request *q)
{
	if (q->method == HTTP_POST)
		post_alerts(q);
	else
		get_alerts(q, false);
}

void api_v2_groups(struct http_request *q)
{
	get_alerts(q, true);
}

/* ---- Status and receivers. ---- */

static void run_receivers(struct api *api, struct http_request *q, void *job)
{
	struct buf b = {0};
	struct json_out j = {&b, false};
	size_t n;
	const struct str *names = notify_receivers(api->deps.notify, q->arena, &n);

	(void)job;
	json_out_open(&j, '[');
	for (size_t i = 0; i < n; i++)
		put_named(&j, names[i]);
	json_out_close(&j, ']');
	http_reply_buf(q, 200, "application/json", &b);
	buf_fini(&b);
}

void api_v2_receivers(struct http_request *q)
{
	pool_submit(((struct api *)q->ctx)->pool, q, run_receivers, NULL);
}

static void put_pair(struct json_out *j, const char *key, const char *value)
{
	json_out_key(j, key);
	json_out_strz(j, value);
}

void api_v2_status(struct http_request *q)
{
	struct api *api = q->ctx;
	struct api_state state = {0};
	struct buf b = {0}, config = {0};
	struct json_out j = {&b, false};

	api->deps.state(api->deps.ctx, &state);
	api->deps.alertmanager_config_text(api->deps.ctx, &config);
	json_out_open(&j, '{');
	json_out_key(&j, "cluster");
	json_out_open(&j, '{');
	put_pair(&j, "status", "disabled");
	put_texts(&j, "peers", NULL, 0);
	json_out_close(&j, '}');
	json_out_key(&j, "config");
	json_out_open(&j, '{');
	json_out_key(&j, "original");
	json_out_str(&j, buf_str(&config));
	json_out_close(&j, '}');
	put_time(&j, "uptime", state.start_ms);
	json_out_key(&j, "versionInfo");
	json_out_open(&j, '{');
	put_pair(&j, "version", version_text());
	put_pair(&j, "revision", "");
	put_pair(&j, "branch", "");
	put_pair(&j, "buildUser", "");
	put_pair(&j, "buildDate", "");
	put_pair(&j, "goVersion", version_compiler());
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	http_reply_buf(q, 200, "application/json", &b);
	buf_fini(&config);
	buf_fini(&b);
}
