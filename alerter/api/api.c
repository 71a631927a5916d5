/* The route table, and putting it all together. */
#include "api.h"
#include "internal.h"

#include <stdlib.h>

#include "tocsin/mem.h"

enum { FORM_BYTES = 1 << 20, POST_BYTES = 16 << 20, HEARTBEAT_BYTES = 100 << 10 };

static const struct http_route routes[] = {
	{ HTTP_GET, "/", api_page, 0, 0, "What is wrong now, who was told, what is watched" },
	{ HTTP_GET, "/functions", api_functions, 0, 0, "PromQL's functions, a line each" },
	{ HTTP_GET, "/style.css", api_style, 0, 0, NULL },
	{ HTTP_GET, "/metrics", api_metrics, 0, 0, "Metrics of this program" },
	{ HTTP_GET, "/federate", api_federate, 0, 0, "The last samples of the series of match[], for a Prometheus to scrape" },
	{ HTTP_GET, "/-/healthy", api_healthy, 0, 0, "200 while the program runs" },
	{ HTTP_GET, "/-/ready", api_ready, 0, 0, "200 once rules are evaluated" },
	{ HTTP_POST | HTTP_PUT, "/-/reload", api_reload, HTTP_CHANGES, FORM_BYTES, "Reads the configuration again" },
	{ HTTP_GET | HTTP_POST, "/api/v1/query", api_query, HTTP_FORM, FORM_BYTES, "Instant query" },
	{ HTTP_GET | HTTP_POST, "/api/v1/query_range", api_query_range, HTTP_FORM, FORM_BYTES, "Range query" },
	{ HTTP_GET | HTTP_POST, "/api/v1/query_exemplars", api_query_exemplars, HTTP_FORM, FORM_BYTES, "Exemplars of the series a query reads" },
	{ HTTP_GET | HTTP_POST, "/api/v1/format_query", api_format_query, HTTP_FORM, FORM_BYTES, "A query in canonical form" },
	{ HTTP_GET | HTTP_POST, "/api/v1/parse_query", api_parse_query, HTTP_FORM, FORM_BYTES, "A query's syntax tree" },
	{ HTTP_GET | HTTP_POST, "/api/v1/series", api_series, HTTP_FORM, FORM_BYTES, "Series by match[]" },
	{ HTTP_GET | HTTP_POST, "/api/v1/labels", api_labels, HTTP_FORM, FORM_BYTES, "Label names" },
	{ HTTP_GET, "/api/v1/label/", api_label_values, HTTP_PREFIX, 0, "Values of a label: /api/v1/label/<name>/values" },
	{ HTTP_GET, "/api/v1/metadata", api_metadata, 0, 0, "HELP, TYPE and UNIT of metrics" },
	{ HTTP_GET, "/api/v1/rules", api_rules, 0, 0, "Rules and their alerts" },
	{ HTTP_GET, "/api/v1/alerts", api_alerts, 0, 0, "Pending and firing alerts" },
	{ HTTP_GET, "/api/v1/alertmanagers", api_alertmanagers, 0, 0, "Alertmanagers that get our alerts" },
	{ HTTP_GET, "/api/v1/targets", api_targets, 0, 0, "Targets and how their last scrape went" },
	{ HTTP_GET, "/api/v1/features", api_features, 0, 0, "What this program can do, for clients" },
	{ HTTP_GET, "/api/v1/status/buildinfo", api_buildinfo, 0, 0, NULL },
	{ HTTP_GET, "/api/v1/status/runtimeinfo", api_runtimeinfo, 0, 0, NULL },
	{ HTTP_GET, "/api/v1/status/flags", api_flags, 0, 0, "What the command line set" },
	{ HTTP_GET, "/api/v1/status/tsdb", api_tsdb, 0, 0, "What makes the store large: series by metric, values by label" },
	{ HTTP_GET, "/api/v1/status/config", api_config, 0, 0, "The configuration in use, secrets hidden" },
	{ HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/delete_series", api_delete_series, HTTP_CHANGES | HTTP_FORM, FORM_BYTES, "Deletes samples: match[]=, start=, end=; with --web.enable-admin-api" },
	{ HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/clean_tombstones", api_clean_tombstones, HTTP_CHANGES | HTTP_FORM, FORM_BYTES, NULL },
	{ HTTP_GET, "/api/v1/history", api_history, 0, 0, "Every transition and delivery attempt, newest first" },
	{ HTTP_GET, "/api/v1/outbox", api_outbox, 0, 0, "Messages that wait, and those given up" },
	{ HTTP_POST, "/api/v1/outbox/discard", api_discard, HTTP_CHANGES | HTTP_FORM, FORM_BYTES, "Forgets a message that was given up: id=" },
	{ HTTP_POST, "/api/v1/outbox/resend", api_resend, HTTP_CHANGES | HTTP_FORM, FORM_BYTES, "Sends a message that was given up again: id=" },
	{ HTTP_GET, "/api/v1/heartbeats", api_heartbeats, 0, 0, "Signs of life: expected ones and ours" },
	{ HTTP_GET | HTTP_POST | HTTP_PUT, "/api/v1/heartbeats/", api_heartbeat, HTTP_PREFIX | HTTP_OPEN, HEARTBEAT_BYTES, "Somebody lives: /api/v1/heartbeats/<name>, with its token" },
	{ HTTP_GET, "/api/v1/groups", api_groups, 0, 0, "What people were told of: since when, who next, who has acknowledged it" },
	{ HTTP_POST, "/api/v1/groups/ack", api_acknowledge, HTTP_CHANGES | HTTP_FORM, FORM_BYTES, "Acknowledges: id=, by=" },
	{ HTTP_GET | HTTP_POST, "/ack", api_ack_page, HTTP_OPEN | HTTP_CHANGES | HTTP_FORM, FORM_BYTES, NULL },
	{ HTTP_GET, "/api/v2/status", api_v2_status, 0, 0, "Alertmanager's API, for amtool and Grafana" },
	{ HTTP_GET, "/api/v2/receivers", api_v2_receivers, 0, 0, NULL },
	{ HTTP_GET | HTTP_POST, "/api/v2/alerts", api_v2_alerts, HTTP_CHANGES | HTTP_JSON, POST_BYTES, "Firing alerts; POST takes a Prometheus's" },
	{ HTTP_GET, "/api/v2/alerts/groups", api_v2_groups, 0, 0, NULL },
	{ HTTP_GET | HTTP_POST, "/api/v2/silences", api_v2_silences, HTTP_CHANGES | HTTP_JSON, FORM_BYTES, "Silences; POST makes one" },
	{ HTTP_GET | HTTP_DELETE, "/api/v2/silence/", api_v2_silence, HTTP_PREFIX | HTTP_CHANGES, 0, NULL },
};

struct api *api_new(const struct api_deps *deps)
{
	struct api *api = mem_alloc(sizeof *api);

	api->deps = *deps;
	api->budget.most = promql_most_bytes(&deps->promql);
	api->answers = answers_new();
	api->kept = kept_new(deps->clock);
	api->pool = pool_new(api, deps->max_concurrency);
	return api;
}

void api_attach(struct api *api, struct http_server *s)
{
	http_server_add(s, routes, ARRAY_LEN(routes), api);
}

void api_free(struct api *api)
{
	pool_free(api->pool);
	kept_free(api->kept);
	answers_free(api->answers);
	free(api);
}
