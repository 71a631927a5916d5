/* Scraping: targets from scrape_configs, one loop that reads them all on their own schedules, and what becomes of a reply: parse,
 * relabel, append, staleness, up and its companions, and what is lost (semantics, 1).
 *
 * The loop thread alone owns the targets; another looks after file_sd, http_sd and dns_sd and hands lists over. Others call scrape_reload (waits until the loop has taken it over), scrape_targets and
 * scrape_metadata (copy under a short lock). Configurations are borrowed: a <struct scrape_config> must live until the next
 * scrape_reload has returned, or scrape_free. */
#ifndef TOCSIN_SCRAPE_H
#define TOCSIN_SCRAPE_H

#include "tocsin/relabel.h"
#include "store/store.h"
#include "tocsin/connection.h"

/* ---- Configuration ---- */

enum scrape_format { SCRAPE_FORMAT_UNKNOWN, SCRAPE_FORMAT_TEXT, SCRAPE_FORMAT_OPENMETRICS, SCRAPE_FORMAT_PROTOBUF };
enum scrape_protocol {
	SCRAPE_PROTOBUF,
	SCRAPE_OPENMETRICS_1_0_0,
	SCRAPE_OPENMETRICS_0_0_1,
	SCRAPE_TEXT_1_0_0,
	SCRAPE_TEXT_0_0_4,
	SCRAPE_PROTOCOLS
};

struct scrape_protocols {
	unsigned char n, v[SCRAPE_PROTOCOLS]; /* enum scrape_protocol, the one wanted most first; n 0: the usual ones */
};

/* What becomes of histograms. */
struct scrape_histograms {
	bool native;      /* those of the protobuf format are taken */
	bool classic_too; /* classic buckets beside the native histogram they stand for */
	bool convert;     /* classic ones become native ones with custom buckets */
};

/* What `global:` says, for jobs that do not. 0: no limit. */
struct scrape_defaults {
	int64_t interval_ms, timeout_ms;
	int64_t body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit;
	struct scrape_protocols protocols;
	struct scrape_histograms histograms;
	bool extra_metrics;
};
/* The rows of `global:` that belong to scraping; fills a <struct scrape_defaults>. */
extern const struct conf_table scrape_global_table;

struct scrape_static {
	struct conf_strs targets;
	struct conf_labels labels;
};

enum scrape_sd_kind { SCRAPE_SD_FILE, SCRAPE_SD_HTTP, SCRAPE_SD_DNS };
enum scrape_dns_type { SCRAPE_DNS_SRV, SCRAPE_DNS_A, SCRAPE_DNS_AAAA, SCRAPE_DNS_MX, SCRAPE_DNS_NS };
extern const char *const scrape_dns_types[]; /* as they are written; ended by NULL */

/* A discovery: who names targets. */
struct scrape_sd {
	struct connection_settings http; /* first, as in a job; of http */
	enum scrape_sd_kind kind;
	int64_t refresh_ms;
	struct conf_strs names; /* files (the last part may hold one '*'), or names to resolve */
	struct str url;         /* http */
	int dns_type; /* enum scrape_dns_type */
	int64_t port; /* of A, AAAA, MX and NS records */
};

struct scrape_job {
	struct connection_settings http; /* first: its rows stand beside ours */
	struct str name, metrics_path, scheme; /* scheme: http or https */
	int64_t interval_ms, timeout_ms;
	bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
	bool extra_metrics;        /* of a scrape, from REPORT_EXTRA on */
	int64_t body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit;
	int fallback_format;       /* enum scrape_format: of a reply that does not say */
	struct scrape_protocols protocols;
	struct scrape_histograms histograms; /* of targets whose labels say nothing else */
	int64_t bucket_limit;                /* of a native histogram; 0: none */
	double bucket_factor;                /* its buckets grow by this at least; 0: any */
	struct conf_labels params; /* in file order; a name may repeat */
	struct conf_list statics;                 /* of struct scrape_static */
	struct conf_list file_sds, http_sds, dns_sds; /* of struct scrape_sd */
	struct conf_list relabel, metric_relabel; /* of struct relabel_rule */
};

struct scrape_config {
	const struct scrape_job *jobs;
	size_t n;
	struct conf_strs health_gauges; /* globs; n 0: *_up, probe_success, *_collector_success */
	const struct scrape_job *finders; /* only their *_sds: what is found is not scraped but told (scrape_options.found) */
	size_t n_finders;
	const void *finders_of; /* the caller's, for <found> */
};

/* Reads the *_sd_configs of each map in <list> (NULL: none), whose other keys are somebody else's, as finders. */
void scrape_config_read_finders(struct conf_reader *rd, const struct conf_node *list, struct scrape_config *out);
/* Reads the list under `scrape_configs:` (NULL: none) into rd->arena; health gauges are the caller's to set. False when an error was reported. */
bool scrape_config_read(struct conf_reader *rd, const struct conf_node *list, const struct scrape_defaults *,
                        struct scrape_config *out);

/* ---- The loop ---- */

struct scrape_loop;

struct scrape_options {
	struct store *store;
	const struct clock *clock;       /* NULL: the system's */
	uint64_t offset_seed;            /* spreads targets differently on different hosts: hash of host name and external labels */
	int64_t retention_ms;            /* a lost series is forgotten after so long; 0: 15 days */
	bool type_and_unit;      /* every series gets the labels __type__ and __unit__ of its family */
	const char *dns_servers; /* of dns_sd: "127.0.0.1:5353,…"; NULL: the system's */
	/* Called on the loop thread after the samples of a scrape, or of its failure, are in the store; it must not wait. May be
	 * NULL. */
	void (*scraped)(void *ctx, struct labels target, bool up, int64_t t_ms);
	/* What finder number <i> of the configuration with these finders_of has found; at a reload, and when any discovery has found something
	 * else. From the thread that reloads or the discovery's, one at a time. May be NULL. */
	void (*found)(void *ctx, const void *finders_of, size_t i, const struct scrape_static *groups, size_t n);
	void *ctx;
};

struct scrape_loop *scrape_new(const struct scrape_options *);
/* Stops the thread; writes no stale markers. */
void scrape_free(struct scrape_loop *);
/* The first call too. Targets that stay keep their state; those that went end two ticks later, as in Prometheus. */
void scrape_reload(struct scrape_loop *, const struct scrape_config *);
bool scrape_start(struct scrape_loop *, struct err *e);

enum scrape_health { SCRAPE_UNKNOWN, SCRAPE_UP, SCRAPE_DOWN };

struct scrape_target_info {
	struct labels labels, discovered;
	struct str job, url;
	enum scrape_health health;
	struct str last_error;
	int64_t last_scrape_ms; /* 0: never */
	double last_duration_s;
	int64_t interval_ms, timeout_ms;
	size_t samples, series; /* of the last good scrape */
	bool dropped;           /* by relabelling: only <discovered> and <job> are set */
};
/* Every target, jobs in order of configuration. */
struct scrape_target_info *scrape_targets(struct scrape_loop *, struct arena *a, size_t *n);

struct scrape_metadata {
	struct labels target;
	struct str metric, type, help, unit;
};
/* HELP, TYPE and UNIT as the targets last gave them; <metric> empty: all. */
struct scrape_metadata *scrape_metadata(struct scrape_loop *, struct str metric, struct arena *a, size_t *n);

#define SCRAPE_COUNTERS(X) /* name, help */ \
	X(scrapes, "Scrapes that were finished.") \
	X(failures, "Scrapes that failed.") \
	X(samples_parsed, "Samples read from replies.") \
	X(body_bytes, "Bytes of replies, after decompression.") \
	X(exceeded_sample_limit, "Scrapes refused by sample_limit.") \
	X(exceeded_body_size_limit, "Scrapes refused by body_size_limit.") \
	X(exceeded_label_limits, "Scrapes refused by a label limit.") \
	X(duplicate_timestamp, "Samples refused: another value at that time.") \
	X(out_of_order, "Samples refused: older than the last one.") \
	X(out_of_bounds, "Samples refused: too far in the future or past the retention.") \
	X(series_refused, "Samples left out because the store takes no more series.") \
	X(reloads, "Target lists taken over.") \
	X(sd_refreshes, "Answers of discoveries (files, URLs, DNS names).") \
	X(sd_failures, "Failures of discoveries; what was known is kept.")

struct scrape_stats {
	size_t targets, dropped, sd_failing; /* discoveries that fail now */
#define X(name, help) uint64_t name;
	SCRAPE_COUNTERS(X)
#undef X
};
struct scrape_stats scrape_stats(struct scrape_loop *);

/* ---- Without network and thread, for tests: what the loop does with a reply, at time <t_ms>. Target number <i> of the list. ----
 */

struct scrape_reply {
	int http_status; /* 200 */
	struct str content_type, body;
	double duration_s;
	const char *transport_error; /* not NULL: nothing was received */
};
/* True when the scrape was good (up 1). */
bool scrape_ingest(struct scrape_loop *, size_t target, const struct scrape_reply *, int64_t t_ms);
/* What the loop does when the time of ended targets has come. */
void scrape_finish_ended(struct scrape_loop *, int64_t now_ms);

#endif
