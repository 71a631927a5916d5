/* /api/v1/targets and /api/v1/metadata: what is scraped, how that went, and what the targets say of their metrics. */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/num.h"

static const char *const health_names[] = { [SCRAPE_UNKNOWN] = "unknown", [SCRAPE_UP] = "up", [SCRAPE_DOWN] = "down" };

const char *api_health_name(enum scrape_health h)
{
	assert((size_t)h < ARRAY_LEN(health_names));
	return health_names[h];
}

static void put_duration(struct json_out *j, int64_t ms)
{
	char text[NUM_MAX];

	num_format_duration(text, ms);
	json_out_strz(j, text);
}

static void put_active(struct json_out *j, const struct scrape_target_info *t)
{
	json_out_open(j, '{');
	json_out_key(j, "discoveredLabels");
	json_out_labels(j, t->discovered);
	json_out_key(j, "labels");
	json_out_labels(j, t->labels);
	json_out_key(j, "scrapePool");
	json_out_str(j, t->job);
	json_out_key(j, "scrapeUrl");
	json_out_str(j, t->url);
	json_out_key(j, "globalUrl");
	json_out_str(j, t->url);
	json_out_key(j, "lastError");
	json_out_str(j, t->last_error);
	json_out_key(j, "lastScrape");
	json_out_time(j, t->last_scrape_ms);
	json_out_key(j, "lastScrapeDuration");
	json_out_num(j, t->last_duration_s);
	json_out_key(j, "health");
	json_out_strz(j, api_health_name(t->health));
	json_out_key(j, "scrapeInterval");
	put_duration(j, t->interval_ms);
	json_out_key(j, "scrapeTimeout");
	put_duration(j, t->timeout_ms);
	json_out_close(j, '}');
}

static void put_dropped(struct json_out *j, const struct scrape_target_info *t)
{
	json_out_open(j, '{');
	json_out_key(j, "discoveredLabels");
	json_out_labels(j, t->discovered);
	json_out_key(j, "scrapePool");
	json_out_str(j, t->job);
	json_out_close(j, '}');
}

/* One of the two lists; empty when ?state= asks for the other. */
static void put_list(struct json_out *j, const char *key, bool shown, const struct scrape_target_info *t, size_t n, bool dropped)
{
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < n && shown; i++) {
		if (t[i].dropped != dropped)
			continue;
		if (dropped)
			put_dropped(j, &t[i]);
		else
			put_active(j, &t[i]);
	}
	json_out_close(j, ']');
}

void api_targets(struct http_request *q)
{
	struct api *api = q->ctx;
	struct str state = http_param(q, "state");
	struct buf b = { 0 };
	struct json_out j;
	size_t n;
	const struct scrape_target_info *t = scrape_targets(api->deps.scrape, q->arena, &n);

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	put_list(&j, "activeTargets", !str_eq(state, STR("dropped")), t, n, false);
	put_list(&j, "droppedTargets", !str_eq(state, STR("active")), t, n, true);
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

static bool same_metadata(const struct scrape_metadata *a, const struct scrape_metadata *b)
{
	return str_eq(a->metric, b->metric) && str_eq(a->type, b->type) && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

static int by_metric(const void *va, const void *vb)
{
	const struct scrape_metadata *a = va, *b = vb;
	int c = str_cmp(a->metric, b->metric);

	if (c == 0)
		c = str_cmp(a->type, b->type);
	if (c == 0)
		c = str_cmp(a->help, b->help);
	return c != 0 ? c : str_cmp(a->unit, b->unit);
}

static void put_metadata(struct json_out *j, const struct scrape_metadata *m)
{
	json_out_open(j, '{');
	json_out_key(j, "type");
	json_out_str(j, m->type);
	json_out_key(j, "help");
	json_out_str(j, m->help);
	json_out_key(j, "unit");
	json_out_str(j, m->unit);
	json_out_close(j, '}');
}

/* {"metric": [{type, help, unit} …]}, each distinct description once; targets usually agree. */
void api_metadata(struct http_request *q)
{
	struct api *api = q->ctx;
	struct buf b = { 0 };
	struct json_out j;
	struct scrape_metadata *m;
	size_t n, limit, metrics = 0;

	if (!param_size(q, "limit", 0, &limit))
		return;
	m = scrape_metadata(api->deps.scrape, http_param(q, "metric"), q->arena, &n);
	if (n > 1)
		qsort(m, n, sizeof *m, by_metric);
	envelope_open(&j, &b);
	json_out_open(&j, '{');
	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || !str_eq(m[i].metric, m[i - 1].metric);

		if (!first && same_metadata(&m[i], &m[i - 1]))
			continue;
		if (first && limit != 0 && metrics == limit)
			break;
		if (first) {
			if (metrics++ > 0)
				json_out_close(&j, ']');
			json_out_key_str(&j, m[i].metric);
			json_out_open(&j, '[');
		}
		put_metadata(&j, &m[i]);
	}
	if (metrics > 0)
		json_out_close(&j, ']');
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}
