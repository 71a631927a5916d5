/* The table of settings, and what has to be made of texts. */
#include "celery/settings.h"

#include <math.h>

#define KEY(name, field, parse, fallback, help) CONF_KEY(struct celery_settings, name, field, parse, fallback, CONF_RELOAD, help)
#define KEY_ARG(name, field, parse, fallback, help, arg) \
	CONF_KEY_ARG(struct celery_settings, name, field, parse, fallback, CONF_RELOAD, help, arg)

static const struct conf_range interval_range = { 1000, 86400000 }, speed_range = { 100, 10000000 };
static const struct conf_range zero_range = { 0, 3600000 }, retention_range = { 60000, 30LL * 86400000 }, count_range = { 100, 1000000 };
static const struct conf_range inspect_range = { 0, 100000 }, visibility_range = { 0, 365LL * 86400000 };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct celery_settings),
	CONF_KEY(struct celery_settings, "url", broker.text, conf_str, NULL, CONF_REQUIRED | CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "broker_url: redis://user:password@host:port/db, rediss://, unix:///path, sentinel://host;sentinel://host/db, "
	         "amqp://user:password@host:port/vhost, amqps://."),
	KEY("user", broker.user, conf_str, NULL, "User, in place of the one in the address."),
	CONF_KEY(struct celery_settings, "password", broker.password, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "In place of the one in the address."),
	KEY("use_ssl", use_ssl, conf_bool, "false", "broker_use_ssl: TLS where the address does not say so."),
	KEY_ARG("tls", broker.tls, conf_sub, NULL, "Certificates for TLS.", &redis_endpoint_tls_table),
	KEY("master_name", sentinels.master_name, conf_str, NULL, "broker_transport_options: master_name; for sentinel://."),
	KEY("sentinel_user", sentinels.user, conf_str, NULL, "User at the Sentinels themselves."),
	CONF_KEY(struct celery_settings, "sentinel_password", sentinels.password, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "Password at the Sentinels themselves."),
	KEY("sentinel_use_ssl", sentinels.use_ssl, conf_bool, "false", "TLS to the Sentinels."),
	CONF_KEY(struct celery_settings, "management_url", amqp.management_url, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "RabbitMQ's management API, http://user:password@host:15672: finds queues, tells priorities and what is not "
	         "acknowledged. Without a user that of the broker."),
	CONF_KEY(struct celery_settings, "result_backend", result_backend_text, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "Address of a Redis with the results, where it is not the broker."),
	KEY("queues", queues, conf_str_list, NULL, "Queues to show besides those found in the broker."),
	KEY("default_queue", default_queue, conf_str, "celery", "Queue of tasks of which nobody said it; always shown."),
	KEY("failed_list", failed_list, conf_str, "celery_failed", "List the application keeps failed tasks in, on a Redis broker."),
	KEY("priority_steps", priority_steps_texts, conf_str_list, NULL,
	    "broker_transport_options: priority_steps; 0, 3, 6, 9 when absent."),
	KEY("sent_headers", sent_headers, conf_str_list, NULL,
	    "Headers in which applications say when a task was sent (unix time or RFC 3339), for "
	    "celery_queue_head_age_seconds on a Redis broker; enqueued_at and sentry-task-enqueued-time when absent."),
	KEY("separator", separator, conf_str, NULL, "broker_transport_options: sep."),
	KEY("key_prefix", key_prefix, conf_str, NULL, "broker_transport_options: global_keyprefix."),
	KEY("result_prefix", result_prefix, conf_str, NULL, "result_backend_transport_options: global_keyprefix."),
	KEY_ARG("visibility_timeout", visibility_timeout_ms, conf_duration_ms, "1h",
	        "broker_transport_options: visibility_timeout; a Redis broker hands out again what is not acknowledged for so long.",
	        &visibility_range),
	KEY("control", control, conf_bool, "true", "Ask workers (ping, stats, active) and turn their events on; writes to the broker."),
	KEY_ARG("inspect_max", inspect_max, conf_int, "1000",
	        "Workers are asked what they have reserved and scheduled while no more messages than this are unacknowledged: their "
	        "answers hold every argument. 0: never.", &inspect_range),
	KEY("generic_hostname", generic_hostname, conf_bool, "false",
	    "One series for all hosts: hostname=\"generic\" on task metrics."),
	KEY("runtime_buckets", runtime_texts, conf_str_list, NULL, "Bounds of celery_task_runtime, in seconds."),
	KEY("queue_wait_buckets", wait_texts, conf_str_list, NULL, "Bounds of celery_task_queue_wait_time, in seconds."),
	KEY_ARG("poll_interval", poll_interval_ms, conf_duration_ms, "5s", "How often queues are looked at.", &interval_range),
	KEY_ARG("control_interval", control_interval_ms, conf_duration_ms, "15s", "How often workers are asked.", &interval_range),
	KEY_ARG("discovery_interval", discovery_interval_ms, conf_duration_ms, "5m", "How often a Redis is searched for new queues.",
	        &interval_range),
	KEY_ARG("results_interval", results_interval_ms, conf_duration_ms, "5m", "How often kept results are counted.",
	    &interval_range),
	KEY_ARG("scan_keys_per_second", scan_keys_per_second, conf_int, "20000", "Keys passed over a second while counting.",
	        &speed_range),
	KEY_ARG("worker_retention", worker_retention_ms, conf_duration_ms, "24h", "How long a lost worker is shown as down.",
	        &retention_range),
	KEY_ARG("offline_retention", offline_retention_ms, conf_duration_ms, "10m",
	        "How long a worker that said goodbye is shown as down.", &retention_range),
	KEY_ARG("zero_for", zero_ms, conf_duration_ms, "1m",
	        "How long a new series of tasks is shown as 0, from the first scrape that shows it; at least the longest scrape_interval.",
	        &zero_range),
	KEY_ARG("max_tasks", max_tasks, conf_int, "20000", "Tasks remembered by id at once.", &count_range),
	KEY_ARG("max_series", max_series, conf_int, "2000", "Combinations of task name, host and queue.", &count_range),
};

static bool read_steps(struct conf_reader *rd, const struct conf_node *at, struct celery_settings *s)
{
	static const int usual[] = { 0, 3, 6, 9 };
	const struct conf_strs texts = s->priority_steps_texts;
	int64_t v;

	s->n_priority_steps = texts.n != 0 ? texts.n : ARRAY_LEN(usual);
	if (texts.n > CELERY_STEPS_MAX)
		return conf_error(rd->report, conf_get(at, "priority_steps"), "%zu steps: at most %d", texts.n, CELERY_STEPS_MAX);
	for (size_t i = 0; i < s->n_priority_steps; i++) {
		v = texts.n == 0 ? usual[i] : -1;
		if (texts.n != 0 && (!str_to_int64(texts.v[i], &v) || v < 0 || v > 255))
			return conf_error(rd->report, conf_get(at, "priority_steps"), "a step is no number: 0 to 255");
		s->priority_steps[i] = (int)v;
	}
	return true;
}

static bool read_buckets(struct conf_reader *rd, const struct conf_node *at, const char *key, struct conf_strs texts,
                         struct celery_buckets *out)
{
	if (texts.n == 0)
		return true;
	if (texts.n > CELERY_BUCKETS_MAX)
		return conf_error(rd->report, conf_get(at, key), "%zu bounds: at most %d", texts.n, CELERY_BUCKETS_MAX);
	for (out->n = 0; out->n < texts.n; out->n++) {
		double *v = &out->v[out->n];
		if (!str_to_double(texts.v[out->n], v) || !isfinite(*v))
			return conf_error(rd->report, conf_get(at, key), "a bound is no number: write seconds");
		if (out->n != 0 && v[-1] >= *v)
			return conf_error(rd->report, conf_get(at, key), "bounds do not grow: write them from small to great");
	}
	return true;
}

/* What celery-exporter has, and beyond it for tasks that take longer. */
const struct celery_buckets celery_usual_runtime = {
	{ .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600, 1800 }, 20,
};
const struct celery_buckets celery_usual_wait = { { .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800 }, 14 };

static bool read_result_backend(struct conf_reader *rd, const struct conf_node *at, struct celery_settings *s)
{
	struct err e = { 0 };

	s->result_backend = s->broker.url;
	s->counts_results = s->amqp.n == 0 || s->result_backend_text.n != 0;
	if (s->result_backend_text.n == 0 || redis_url_parse(rd->arena, s->result_backend_text, &s->result_backend, &e))
		return true;
	return conf_error(rd->report, conf_get(at, "result_backend"), "%s", e.msg);
}

static bool read_management(struct conf_reader *rd, const struct conf_node *at, const struct celery_settings *s)
{
	const struct str url = s->amqp.management_url;

	if (url.n == 0 || str_starts(url, STR("http://")) || str_starts(url, STR("https://")))
		return true;
	return conf_error(rd->report, conf_get(at, "management_url"), "management_url: begins with http:// or https://");
}

static bool check(struct conf_reader *rd, const struct conf_node *at, void *to)
{
	static const struct str usual[] = { { "enqueued_at", 11 }, { "sentry-task-enqueued-time", 25 } };
	struct celery_settings *s = to;
	bool ok = celery_address_check(rd, at, s);

	if (s->sent_headers.n == 0)
		s->sent_headers = (struct conf_strs){ usual, ARRAY_LEN(usual) };

	if (s->separator.n == 0)
		s->separator = STR("\x06\x16");
	s->runtime_buckets = celery_usual_runtime;
	s->wait_buckets = celery_usual_wait;
	ok &= read_steps(rd, at, s);
	ok &= read_buckets(rd, at, "runtime_buckets", s->runtime_texts, &s->runtime_buckets);
	ok &= read_buckets(rd, at, "queue_wait_buckets", s->wait_texts, &s->wait_buckets);
	ok &= read_management(rd, at, s);
	return read_result_backend(rd, at, s) && ok;
}

const struct conf_table celery_settings_table = {
	.keys = keys, .n = ARRAY_LEN(keys), .bytes = sizeof(struct celery_settings), .check = check,
};
