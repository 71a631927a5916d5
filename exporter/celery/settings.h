/* Settings of one Celery source, `celery:` in the configuration. What Celery or kombu call differently in an application's settings
 * (prefixes, separators, names of keys) can be said here too. */
#ifndef TOCSIN_CELERY_SETTINGS_H
#define TOCSIN_CELERY_SETTINGS_H

#include "redis/endpoint.h"
#include "source.h"

#define CELERY_STEPS_MAX 10
#define CELERY_HOSTS_MAX 8
#define CELERY_BUCKETS_MAX 40

struct celery_transport;

/* sentinel://host;sentinel://host/db: who is asked for the broker. */
struct celery_sentinels {
	struct str master_name, user, password;
	bool use_ssl;
	struct redis_url urls[CELERY_HOSTS_MAX];
	size_t n;                       /* 0: the address is the broker's own */
};

/* redis://host/db;redis://host/db: one of them is the broker, and the next when it cannot be reached. */
struct celery_redises {
	struct redis_url urls[CELERY_HOSTS_MAX];
	size_t n;
};

/* amqp://user:password@host:port/vhost, one of several. */
struct amqp_url {
	const char *host, *user, *password, *vhost;
	int port;
};

struct celery_amqp {
	struct amqp_url urls[CELERY_HOSTS_MAX]; /* tried one after another */
	size_t n;                       /* 0: no RabbitMQ */
	struct redis_tls tls;
	struct str management_url;      /* empty: none. As configured: may hold user and password */
};

struct celery_buckets {
	double v[CELERY_BUCKETS_MAX];
	size_t n;
};

struct celery_settings {
	struct source_settings common;
	const struct celery_transport *transport;
	struct redis_endpoint broker;   /* <url> is of the Redis, the first of <redises>; with Sentinels without its host */
	struct celery_redises redises;
	struct celery_sentinels sentinels;
	struct celery_amqp amqp;
	bool use_ssl;
	struct str result_backend_text; /* empty: the broker */
	struct redis_url result_backend;
	bool counts_results;
	struct conf_strs queues, priority_steps_texts;
	struct conf_strs sent_headers;  /* of a message: when it was sent */
	int priority_steps[CELERY_STEPS_MAX];
	size_t n_priority_steps;
	struct str separator, key_prefix, result_prefix, failed_list, default_queue;
	bool control, generic_hostname;
	int64_t poll_interval_ms, control_interval_ms, discovery_interval_ms, results_interval_ms, scan_keys_per_second;
	int64_t zero_ms;
	int64_t worker_retention_ms, offline_retention_ms, visibility_timeout_ms;
	int64_t max_tasks, max_series, inspect_max;
	struct conf_strs runtime_texts, wait_texts;
	struct celery_buckets runtime_buckets, wait_buckets;
};

extern const struct conf_table celery_settings_table;
/* Bounds unless said otherwise. */
extern const struct celery_buckets celery_usual_runtime, celery_usual_wait;

/* The part of a table's check that reads the broker's address. */
bool celery_address_check(struct conf_reader *rd, const struct conf_node *at, struct celery_settings *s);
/* The address for people. In <a>. */
struct str celery_address_describe(struct arena *a, const struct celery_settings *s);

#endif
