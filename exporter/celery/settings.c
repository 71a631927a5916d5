/* The table of settings, and what has to be made of texts. */
#include "celery/settings.h"

#define KEY(name, field, parse, fallback, help) CONF_KEY(struct celery_settings, name, field, parse, fallback, CONF_RELOAD, help)
#define KEY_ARG(name, field, parse, fallback, help, arg) \
	CONF_KEY_ARG(struct celery_settings, name, field, parse, fallback, CONF_RELOAD, help, arg)

static const struct conf_range interval_range = { 1000, 86400000 }, speed_range = { 100, 10000000 };
static const struct conf_range retention_range = { 60000, 30LL * 86400000 }, count_range = { 100, 1000000 };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct celery_settings),
	REDIS_ENDPOINT_KEYS(struct celery_settings, broker),
	CONF_KEY(struct celery_settings, "result_backend", result_backend_text, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "Address of the result backend, where it is not the broker."),
	KEY("queues", queues, conf_str_list, NULL, "Queues to show besides those found in the broker."),
	KEY("default_queue", default_queue, conf_str, "celery", "Queue of tasks of which nobody said it; always shown."),
	KEY("failed_list", failed_list, conf_str, "celery_failed", "List the application keeps failed tasks in."),
	KEY("priority_steps", priority_steps_texts, conf_str_list, NULL,
	    "broker_transport_options: priority_steps; 0, 3, 6, 9 when absent."),
	KEY("separator", separator, conf_str, NULL, "broker_transport_options: sep."),
	KEY("key_prefix", key_prefix, conf_str, NULL, "broker_transport_options: global_keyprefix."),
	KEY("result_prefix", result_prefix, conf_str, NULL, "result_backend_transport_options: global_keyprefix."),
	KEY("control", control, conf_bool, "true", "Ask workers (ping, stats, active) and turn their events on; writes to the broker."),
	KEY("generic_hostname", generic_hostname, conf_bool, "false", "One series for all hosts: hostname=\"generic\" on task metrics."),
	KEY_ARG("poll_interval", poll_interval_ms, conf_duration_ms, "5s", "How often queues are looked at.", &interval_range),
	KEY_ARG("control_interval", control_interval_ms, conf_duration_ms, "15s", "How often workers are asked.", &interval_range),
	KEY_ARG("discovery_interval", discovery_interval_ms, conf_duration_ms, "5m", "How often new queues are looked for.",
	        &interval_range),
	KEY_ARG("results_interval", results_interval_ms, conf_duration_ms, "5m", "How often kept results are counted.", &interval_range),
	KEY_ARG("scan_keys_per_second", scan_keys_per_second, conf_int, "20000", "Keys passed over a second while counting.",
	        &speed_range),
	KEY_ARG("worker_retention", worker_retention_ms, conf_duration_ms, "24h", "How long a lost worker is shown as down.",
	        &retention_range),
	KEY_ARG("offline_retention", offline_retention_ms, conf_duration_ms, "10m",
	        "How long a worker that said goodbye is shown as down.", &retention_range),
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

static bool read_result_backend(struct conf_reader *rd, const struct conf_node *at, struct celery_settings *s)
{
	struct err e = { 0 };

	s->result_backend = s->broker.url;
	if (s->result_backend_text.n == 0 || redis_url_parse(rd->arena, s->result_backend_text, &s->result_backend, &e))
		return true;
	return conf_error(rd->report, conf_get(at, "result_backend"), "%s", e.msg);
}

static bool check(struct conf_reader *rd, const struct conf_node *at, void *to)
{
	struct celery_settings *s = to;
	bool ok = redis_endpoint_check(rd, at, &s->broker);

	if (s->separator.n == 0)
		s->separator = STR("\x06\x16");
	ok = read_steps(rd, at, s) && ok;
	return read_result_backend(rd, at, s) && ok;
}

const struct conf_table celery_settings_table = {
	.keys = keys, .n = ARRAY_LEN(keys), .bytes = sizeof(struct celery_settings), .check = check,
};
