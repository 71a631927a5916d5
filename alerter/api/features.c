/* /api/v1/features: what this program can do, for clients that would otherwise guess it from a version. Source: Prometheus documentation,
 * "HTTP API", features; the names are Prometheus's, and what is not named is not there. */
#include "internal.h"

#include "tocsin/template.h"

static const struct {
	const char *category, *name;
} always[] = {
	{ "api", "exclude_alerts" },
	{ "api", "label_values_match" },
	{ "api", "lifecycle" },
	{ "api", "query_warnings" },
	{ "api", "time_range_labels" },
	{ "api", "time_range_series" },
	{ "rules", "keep_firing_for" },
	{ "rules", "query_offset" },
	{ "service_discovery_providers", "dns" },
	{ "service_discovery_providers", "file" },
	{ "service_discovery_providers", "http" },
	{ "service_discovery_providers", "static" },
	{ "tsdb", "exemplar_storage" },
	{ "tsdb", "isolation" },
	{ "tsdb", "native_histograms" },
};

/* Categories come one after the other. */
struct writer {
	struct json_out json;
	const char *category;           /* the open one; NULL: none yet */
};

static void put(void *ctx, const char *category, const char *name, bool on)
{
	struct writer *w = ctx;

	if (w->category == NULL || strcmp(w->category, category) != 0) {
		if (w->category != NULL)
			json_out_close(&w->json, '}');
		json_out_key(&w->json, category);
		json_out_open(&w->json, '{');
		w->category = category;
	}
	json_out_key(&w->json, name);
	json_out_bool(&w->json, on);
}

void api_features(struct http_request *q)
{
	struct api *api = q->ctx;
	struct writer w = { .category = NULL };
	struct buf b = { 0 };

	envelope_open(&w.json, &b);
	json_out_open(&w.json, '{');
	put(&w, "api", "admin", api->deps.admin);
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		put(&w, always[i].category, always[i].name, true);
	promql_each_ability(&api->deps.promql, put, &w);
	for (size_t i = 0; i < TEMPLATE_PROMETHEUS_FUNCS; i++)
		put(&w, "templating_functions", template_prometheus_funcs[i].name, true);
	json_out_close(&w.json, '}');
	json_out_close(&w.json, '}');
	envelope_reply(q, &w.json, NULL, 0);
	buf_fini(&b);
}
