/* receivers: a list under a receiver is a row: which table reads an entry, and what kind it becomes. */
#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "notify/config/config.h"
#include "notify/config/config_values.h"
#include "notify/receivers/notifier.h"
#include "tocsin/mem.h"
#include "tocsin/template.h"

#define TIMEOUT_MS 30000

const char *const statuspage_statuses[]
	= { "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage", NULL };
const char *const statuspage_impacts[] = { "none", "maintenance", "minor", "major", "critical", NULL };

/* ---- Receivers. ---- */

struct rank_file {
	struct str severity;
	int impact, status;
};

struct component_file {
	struct str id;
	const struct conf_node *matchers;
	int status;
};

struct metric_file {
	struct str id, query;
	int64_t interval_ms;
};

struct maintenance_file {
	struct str prefix;
	const struct conf_node *name, *body;
};

struct entry_file {                     /* an entry under a receiver, of any kind */
	bool send_resolved;
	struct connection_settings *http;
	int64_t timeout_ms;
	struct str url, signing_secret;
	int64_t max_alerts;
	const struct conf_node *payload;
	struct str api_url, page_id, api_key, severity_label;
	const struct conf_node *name, *body, *identified_body, *monitoring_body;
	int64_t bad_ms, good_ms, identified_ms;
	struct maintenance_file *maintenance;
	struct conf_list metrics;
	struct conf_list severities, components;
};

static const struct conf_range count_range = { 0, INT64_MAX }, timeout_range = { 0, 600000 }, damping_range = { 0, 7 * 86400000LL };

#define ENTRY(name, field, parse, fallback, flags, arg, help)                                                                      \
	CONF_KEY_ARG(struct entry_file, name, field, parse, fallback, (flags) | CONF_RELOAD, help, arg)
static const struct conf_key webhook_keys[] = {
	ENTRY("url", url, conf_url, NULL, CONF_SECRET | CONF_REQUIRED, NULL, "Where to POST."),
	ENTRY("send_resolved", send_resolved, conf_bool, "true", 0, NULL, "Tell ends too."),
	ENTRY("signing_secret", signing_secret, conf_str, NULL, CONF_SECRET, NULL, "whsec_…: signs as Standard Webhooks says; not Alertmanager's."),
	ENTRY("max_alerts", max_alerts, config_whole, "0", 0, &count_range, "Alerts in one message; 0 for all."),
	ENTRY("payload", payload, conf_raw, NULL, 0, NULL, "What is sent instead: a tree of templates, as JSON."),
	ENTRY("timeout", timeout_ms, config_duration_ms, "0s", 0, &timeout_range, "How long a request may take; 0 for 30s."),
	ENTRY("http_config", http, conf_sub_ptr, NULL, 0, &connection_table, "How to connect; by default as global."),
};
static void component_init(void *to)
{
	((struct component_file *)to)->status = -1;
}
static const struct conf_key rank_keys[] = {
	CONF_KEY(struct rank_file, "severity", severity, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD,
		 "Value of the severity label."),
	CONF_KEY_ARG(struct rank_file, "impact", impact, conf_enum, "minor", CONF_RELOAD, "Impact of the incident.",
		     statuspage_impacts),
	CONF_KEY_ARG(struct rank_file, "status", status, conf_enum, "degraded_performance", CONF_RELOAD,
		     "Status of its components.", statuspage_statuses),
};
static const struct conf_table rank_table = { rank_keys, ARRAY_LEN(rank_keys), sizeof(struct rank_file), NULL, NULL };
static const struct conf_key component_keys[] = {
	CONF_KEY(struct component_file, "id", id, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "The component's id."),
	CONF_KEY(struct component_file, "matchers", matchers, conf_raw, NULL, CONF_RELOAD,
		 "Which alerts concern it; by default all."),
	CONF_KEY_ARG(struct component_file, "status", status, conf_enum, NULL, CONF_RELOAD,
		     "Its status then; by default by severity.", statuspage_statuses),
};
static const struct conf_table component_table
	= { component_keys, ARRAY_LEN(component_keys), sizeof(struct component_file), component_init, NULL };
static const struct conf_range metric_range = { 1000, 300000 };
static const struct conf_key metric_keys[] = {
	CONF_KEY(struct metric_file, "id", id, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "The metric's id on the page."),
	CONF_KEY(struct metric_file, "query", query, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "PromQL that gives one number."),
	CONF_KEY_ARG(struct metric_file, "interval", interval_ms, conf_duration_ms, "1m", CONF_RELOAD, "How often; at most 5m, or the page's graph has gaps.",
		     &metric_range),
};
static const struct conf_table metric_table = { metric_keys, ARRAY_LEN(metric_keys), sizeof(struct metric_file), NULL, NULL };
static const struct conf_key maintenance_keys[] = {
	CONF_KEY(struct maintenance_file, "prefix", prefix, conf_str, "maintenance:", CONF_RELOAD,
		 "How the comments of such silences begin."),
	CONF_KEY(struct maintenance_file, "name", name, conf_raw, NULL, CONF_RELOAD, "The maintenance's name, a template."),
	CONF_KEY(struct maintenance_file, "body", body, conf_raw, NULL, CONF_RELOAD, "Its text, a template."),
};
static const struct conf_table maintenance_table
	= { maintenance_keys, ARRAY_LEN(maintenance_keys), sizeof(struct maintenance_file), NULL, NULL };
static const struct conf_key statuspage_keys[] = {
	ENTRY("api_url", api_url, conf_url, "https://api.statuspage.io/v1", 0, NULL, "The API."),
	ENTRY("page_id", page_id, conf_str, NULL, CONF_REQUIRED, NULL, "The page."),
	ENTRY("api_key", api_key, conf_str, NULL, CONF_SECRET | CONF_REQUIRED, NULL, "A key that may write to it."),
	ENTRY("send_resolved", send_resolved, conf_bool, "true", 0, NULL, "Resolve the incident."),
	ENTRY("timeout", timeout_ms, config_duration_ms, "0s", 0, &timeout_range, "How long a request may take; 0 for 30s."),
	ENTRY("name", name, conf_raw, NULL, 0, NULL, "The incident's name, a template."),
	ENTRY("body", body, conf_raw, NULL, 0, NULL, "The text of an update, a template."),
	ENTRY("identified_body", identified_body, conf_raw, NULL, 0, NULL, "The update when it moves to identified, a template."),
	ENTRY("monitoring_body", monitoring_body, conf_raw, NULL, 0, NULL, "The update when it moves to monitoring, a template."),
	ENTRY("bad_for", bad_ms, conf_duration_ms, "0s", 0, &damping_range, "How long an alert must fire to be shown."),
	ENTRY("identified_after", identified_ms, conf_duration_ms, "0s", 0, &damping_range,
	      "The incident moves to identified after this long; 0: never."),
	ENTRY("good_for", good_ms, conf_duration_ms, "0s", 0, &damping_range,
	      "Well again, it is monitored this long before it is resolved."),
	ENTRY("severity_label", severity_label, conf_str, "severity", 0, NULL, "The label that holds the severity."),
	ENTRY("severities", severities, conf_sub_list, NULL, 0, &rank_table, "What severities mean, the worst first."),
	ENTRY("components", components, conf_sub_list, NULL, 0, &component_table, "Components of the page, and their alerts."),
	ENTRY("metrics", metrics, conf_sub_list, NULL, 0, &metric_table, "Metrics of the page, and the queries that feed them."),
	ENTRY("maintenance", maintenance, conf_sub_ptr, NULL, 0, &maintenance_table, "Silences that are scheduled maintenance."),
	ENTRY("http_config", http, conf_sub_ptr, NULL, 0, &connection_table, "How to connect; by default as global."),
};
static const struct conf_table webhook_table = { webhook_keys, ARRAY_LEN(webhook_keys), sizeof(struct entry_file), NULL, NULL };
static const struct conf_table statuspage_table
	= { statuspage_keys, ARRAY_LEN(statuspage_keys), sizeof(struct entry_file), NULL, NULL };

#define MAX_NOTIFIERS 24

struct receiver_file {
	struct str name;
	struct conf_list webhooks, statuspages, notifiers[MAX_NOTIFIERS];
};

#define LIST(name, field, table, help)                                                                                             \
	CONF_KEY_ARG(struct receiver_file, name, field, conf_sub_list, NULL, CONF_RELOAD, help, table)
static const struct conf_key receiver_keys[] = {
	CONF_KEY(struct receiver_file, "name", name, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "Routes name it."),
	LIST("webhook_configs", webhooks, &webhook_table, "POST as Alertmanager does."),
	LIST("statuspage_configs", statuspages, &statuspage_table, "Incidents and components of a status page."),
};
/* With a row for each notifier. */
static const struct conf_table *receiver_table(struct conf_reader *rd)
{
	struct conf_key *keys = ARENA_ARRAY(rd->arena, ARRAY_LEN(receiver_keys) + notifier_count, struct conf_key);
	struct conf_table *t = ARENA_NEW(rd->arena, struct conf_table);

	assert(notifier_count <= MAX_NOTIFIERS);
	memcpy(keys, receiver_keys, sizeof receiver_keys);
	*t = (struct conf_table){ keys, ARRAY_LEN(receiver_keys), sizeof(struct receiver_file), NULL, NULL };
	for (size_t i = 0; i < notifier_count; i++)
		keys[t->n++] = (struct conf_key){ notifiers[i].list, conf_sub_list,
						  offsetof(struct receiver_file, notifiers) + i * sizeof(struct conf_list), NULL,
						  CONF_RELOAD, "As Alertmanager's.",
						  config_notifier_table(rd, &notifiers[i], &connection_table, &connection_tls_table) };
	return t;
}

/* ---- From what is written to what is used. ---- */

/* "whsec_<base64>", several with spaces between them while one takes over from another. */
static void read_signing_secret(struct conf_reader *rd, struct str text, const struct conf_node *node, struct webhook_settings *w)
{
	struct str rest = str_trim(text), one;

	while (str_cut(&rest, ' ', &one) && one.n > 0) {
		struct str base64 = str_starts(one, STR("whsec_")) ? (struct str){ one.p + 6, one.n - 6 } : one;
		unsigned char *key = arena_alloc(rd->arena, base64.n + 4);
		int bytes = base64.n > 0 && base64.n < 256 ? EVP_DecodeBlock(key, (const unsigned char *)base64.p, (int)base64.n) : -1;

		while (bytes > 0 && base64.n > 0 && base64.p[base64.n - 1] == '=') {
			base64.n--;
			bytes--;
		}
		if (w->n_keys == WEBHOOK_MAX_KEYS || bytes < 24 || bytes > 64) {
			conf_error(rd->report, node, "signing_secret is not one of Standard Webhooks: whsec_ and base64 of 24 to 64 bytes, at most %d of them",
				   WEBHOOK_MAX_KEYS);
			return;
		}
		w->keys[w->n_keys++] = (struct str){ (const char *)key, (size_t)bytes };
	}
}

/* The address without a user's name and password. */
static struct str without_user(struct arena *a, struct str url)
{
	size_t host = str_find(url, STR("://")) + 3, at = host;

	while (at < url.n && strchr("@/?#", url.p[at]) == NULL)
		at++;
	if (at >= url.n || url.p[at] != '@')
		return url;
	return arena_printf(a, "%.*s%.*s", (int)host, url.p, (int)(url.n - at - 1), url.p + at + 1);
}

static void make_webhook(struct conf_reader *rd, const struct entry_file *f, const struct conf_node *node, struct integration *in)
{
	in->webhook = (struct webhook_settings){ .url = f->url, .max_alerts = f->max_alerts };
	if (str_find(f->url, STR("{{")) < f->url.n)
		conf_error(rd->report, node, "url holds a template, which is not honoured: write an address, and a receiver for each");
	read_signing_secret(rd, f->signing_secret, node, &in->webhook);
	if (f->payload != NULL && f->payload->kind != CONF_NULL)
		in->webhook.payload = config_setting_tree(rd, "payload", NULL, f->payload, SETTING_JSON);
	in->identity = notify_config_identity(STR("webhook"), without_user(rd->arena, f->url));
	in->destination = arena_printf(rd->arena, STR_FMT " %016llx", STR_ARG(in->name), (unsigned long long)in->identity);
}

static struct template *read_template(struct conf_reader *rd, const struct conf_node *node, const char *what, const char *fallback)
{
	return config_template(rd, node, str_of(what), node != NULL ? node->text : str_of(fallback));
}

static const struct severity_rank default_ranks[] = {
	{ { "critical", 8 }, 4, 4 },
	{ { "error", 5 }, 3, 3 },
	{ { "warning", 7 }, 2, 2 },
	{ { "info", 4 }, 0, 0 },
};

static void make_ranks(struct conf_reader *rd, const struct conf_list *files, struct statuspage_settings *s)
{
	const struct rank_file *f = files->v;
	struct severity_rank *v = ARENA_ARRAY(rd->arena, files->n + 1, struct severity_rank);

	for (size_t i = 0; i < files->n; i++)
		v[i] = (struct severity_rank){ f[i].severity, f[i].impact, f[i].status };
	s->ranks = files->n > 0 ? v : default_ranks;
	s->n_ranks = files->n > 0 ? files->n : ARRAY_LEN(default_ranks);
}

/* What goes into a path of the API. */
static void check_id(struct conf_reader *rd, const struct conf_node *node, const char *what, struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", id.p[i]) == NULL) {
			conf_error(rd->report, node, "\"" STR_FMT "\" is no %s: letters and digits, as the status page shows it",
				   STR_ARG(id), what);
			return;
		}
}

static void make_components(struct conf_reader *rd, const struct conf_list *files, struct statuspage_settings *s)
{
	const struct component_file *f = files->v;
	struct component_rule *v = ARENA_ARRAY(rd->arena, files->n + 1, struct component_rule);

	for (size_t i = 0; i < files->n; i++) {
		v[i] = (struct component_rule){ .id = f[i].id, .status = f[i].status };
		config_read_matchers(rd, f[i].matchers, &v[i].matchers, &v[i].n_matchers);
		check_id(rd, files->nodes[i], "component id", f[i].id);
	}
	s->components = v;
	s->n_components = files->n;
}

static void make_metrics(struct conf_reader *rd, const struct conf_list *files, const struct integration *in)
{
	struct notify_config *c = rd->user;
	const struct metric_file *f = files->v;

	for (size_t i = 0; i < files->n; i++) {
		check_id(rd, files->nodes[i], "metric id", f[i].id);
		c->points = arena_grow(&c->arena, c->points, c->n_points, &c->cap_points, c->n_points + 1, sizeof *c->points);
		c->points[c->n_points++]
			= (struct notify_point_source){ in->name, f[i].id, f[i].query, f[i].interval_ms, conf_get(files->nodes[i], "query") };
	}
}

size_t notify_config_points(const struct notify_config *c, const struct notify_point_source **out)
{
	*out = c->points;
	return c->n_points;
}

static void make_maintenance(struct conf_reader *rd, const struct maintenance_file *f, const struct conf_node *node,
			     struct statuspage_settings *s)
{
	if (f->prefix.n == 0)
		conf_error(rd->report, node, "an empty prefix would publish every silence");
	s->maintenance_prefix = f->prefix;
	s->maintenance_name = read_template(rd, f->name, "name", statuspage_default_maintenance_name);
	s->maintenance_body = read_template(rd, f->body, "body", statuspage_default_maintenance_body);
}

static void make_statuspage(struct conf_reader *rd, const struct entry_file *f, const struct conf_node *node,
			    struct integration *in)
{
	struct statuspage_settings *s = &in->statuspage;
	struct str api = f->api_url;

	while (api.n > 0 && api.p[api.n - 1] == '/')
		api.n--;
	s->api_url = api;
	s->page_id = f->page_id;
	check_id(rd, conf_get(node, "page_id"), "page_id", s->page_id);
	s->api_key = f->api_key;
	s->severity_label = f->severity_label;
	s->name = read_template(rd, f->name, "name", statuspage_default_name);
	s->body = read_template(rd, f->body, "body", statuspage_default_body);
	s->identified_body = read_template(rd, f->identified_body, "identified_body", statuspage_default_identified);
	s->monitoring_body = read_template(rd, f->monitoring_body, "monitoring_body", statuspage_default_monitoring);
	make_metrics(rd, &f->metrics, in);
	if (f->maintenance != NULL)
		make_maintenance(rd, f->maintenance, conf_get(node, "maintenance"), s);
	in->bad_ms = f->bad_ms;
	in->good_ms = f->good_ms;
	in->identified_ms = f->identified_ms;
	make_ranks(rd, &f->severities, s);
	make_components(rd, &f->components, s);
	in->identity = notify_config_identity(s->api_url, s->page_id);
	in->destination = arena_printf(rd->arena, "%016llx", (unsigned long long)notify_config_identity(s->api_url, s->api_key));
}

static const struct {
	size_t list;            /* of struct receiver_file */
	const struct receiver_kind *kind;
	void (*make)(struct conf_reader *, const struct entry_file *, const struct conf_node *, struct integration *);
} kinds[] = {
	{ offsetof(struct receiver_file, webhooks), &receiver_webhook, make_webhook },
	{ offsetof(struct receiver_file, statuspages), &receiver_statuspage, make_statuspage },
};

static const struct conf_list *list_of(const struct receiver_file *f, size_t kind)
{
	return (const void *)((const char *)f + kinds[kind].list);
}

/* A mail's own tls_config, else that of global. */
static struct connection_settings tls_of(struct conf_reader *rd, const struct notifier_file *entry, const struct conf_node *node,
					 const struct conf_node *global)
{
	const struct conf_node *shared = conf_get(global, "smtp_tls_config");
	struct connection_settings tls = {0};

	if (conf_get(node, "tls_config") != NULL || shared == NULL || shared->kind == CONF_NULL)
		return entry->tls;
	conf_read(rd, &connection_tls_table, shared, &tls);
	return tls;
}

static void make_notifiers(struct conf_reader *rd, const struct receiver_file *f, const struct conf_node *global,
			   const struct connection_settings *fallback, struct receiver *r)
{
	for (size_t k = 0; k < notifier_count; k++)
		for (size_t i = 0; i < f->notifiers[k].n; i++) {
			const struct notifier_file *entry = (const struct notifier_file *)f->notifiers[k].v + i;
			struct integration *in = &r->integrations[r->n++];

			in->name = arena_printf(rd->arena, STR_FMT "/%s[%zu]", STR_ARG(f->name), notifiers[k].kind.name, i);
			in->kind = &notifiers[k].kind;
			in->http = notifiers[k].is_mail  ? tls_of(rd, entry, f->notifiers[k].nodes[i], global)
				   : entry->http != NULL ? *entry->http
							 : *fallback;
			config_make_notifier(rd, &notifiers[k], entry, f->notifiers[k].nodes[i], global, in);
		}
}

static void make_receiver(struct conf_reader *rd, const struct receiver_file *f, const struct conf_node *global,
			  const struct connection_settings *fallback, struct receiver *r)
{
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		n += list_of(f, k)->n;
	for (size_t k = 0; k < notifier_count; k++)
		n += f->notifiers[k].n;
	r->name = f->name;
	r->integrations = ARENA_ARRAY(rd->arena, n + 1, struct integration);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < list_of(f, k)->n; i++) {
			const struct entry_file *entry = (const struct entry_file *)list_of(f, k)->v + i;
			struct integration *in = &r->integrations[r->n++];

			in->name = arena_printf(rd->arena, STR_FMT "/%s[%zu]", STR_ARG(f->name), kinds[k].kind->name, i);
			in->kind = kinds[k].kind;
			in->send_resolved = entry->send_resolved;
			in->timeout_ms = entry->timeout_ms > 0 ? entry->timeout_ms : TIMEOUT_MS;
			in->http = entry->http != NULL ? *entry->http : *fallback;
			kinds[k].make(rd, entry, list_of(f, k)->nodes[i], in);
		}
	make_notifiers(rd, f, global, fallback, r);
}

/* After a mistake among receivers: their names, so that routes are not blamed for it too. */
static void names_only(struct conf_reader *rd, struct notify_config *c, const struct conf_node *list)
{
	c->receivers = ARENA_ARRAY(rd->arena, list->n + 1, struct receiver);
	for (size_t i = 0; list->kind == CONF_SEQ && i < list->n; i++) {
		const struct conf_node *name = conf_get(list->items[i], "name");

		if (name != NULL && name->kind == CONF_SCALAR)
			c->receivers[c->n_receivers++].name = name->text;
	}
}

bool config_read_receivers(struct conf_reader *rd, struct notify_config *c, const struct conf_node *list,
			   const struct conf_node *global, const struct connection_settings *fallback)
{
	const struct conf_node *shared = config_read_globals(rd, global);
	const struct conf_key key = { "receivers", conf_sub_list, 0, NULL, 0, NULL, receiver_table(rd) };
	struct conf_list files = { 0 };

	if (list == NULL || list->kind == CONF_NULL)
		return true;
	if (!conf_sub_list(rd, &key, list, &files)) {
		names_only(rd, c, list);
		return false;
	}
	c->receivers = ARENA_ARRAY(rd->arena, files.n + 1, struct receiver);
	for (size_t i = 0; i < files.n; i++) {
		const struct receiver_file *f = (const struct receiver_file *)files.v + i;

		for (size_t k = 0; k < i; k++)
			if (str_eq(c->receivers[k].name, f->name))
				conf_error(rd->report, files.nodes[i],
					   "receiver \"" STR_FMT "\" is defined twice: give it another name", STR_ARG(f->name));
		make_receiver(rd, f, shared, fallback, &c->receivers[c->n_receivers++]);
	}
	return true;
}
