/* Settings of one Celery source, `celery:` in the configuration. What Celery or kombu call differently in an application's settings
 * (prefixes, separators, names of keys) can be said here too. */
#ifndef TOCSIN_CELERY_SETTINGS_H
#define TOCSIN_CELERY_SETTINGS_H

#include "redis/endpoint.h"
#include "source.h"

#define CELERY_STEPS_MAX 10

struct celery_settings {
	struct source_settings common;
	struct redis_endpoint broker;
	struct str result_backend_text; /* empty: the broker */
	struct redis_url result_backend;
	struct conf_strs queues, priority_steps_texts;
	int priority_steps[CELERY_STEPS_MAX];
	size_t n_priority_steps;
	struct str separator, key_prefix, result_prefix, failed_list, default_queue;
	bool control, generic_hostname;
	int64_t poll_interval_ms, control_interval_ms, discovery_interval_ms, results_interval_ms, scan_keys_per_second;
	int64_t worker_retention_ms, offline_retention_ms;
	int64_t max_tasks, max_series;
};

extern const struct conf_table celery_settings_table;

#endif
