/* Discovery: what file_sd, http_sd and dns_sd name, kept up to date by one thread that never waits for any of them. What failed is
 * kept as it was last known; what was never known since the start is said, since nobody saw yet what stands behind it (semantics, 1).
 * Private to scrape. Source: Prometheus documentation, "file_sd_config", "http_sd_config", "dns_sd_config".
 *
 * One lock guards everything: the thread holds it while it works (it never waits then), the owner while it reads or reconfigures. */
#ifndef TOCSIN_SCRAPE_DISCOVERY_H
#define TOCSIN_SCRAPE_DISCOVERY_H

#include <curl/curl.h>

#include "scrape/scrape.h"
#include "tocsin/complain.h"

/* ---- For the loop ---- */

struct discovery;

struct discovery_options {
	const struct clock *clock;
	const char *dns_servers; /* "127.0.0.1:5353"; NULL: those of the system */
	/* On the discovery's thread, under its lock: what it knows has changed. */
	void (*changed)(void *ctx);
	void *ctx;
};

struct discovery *discovery_new(const struct discovery_options *);
void discovery_free(struct discovery *); /* stops the thread */
bool discovery_start(struct discovery *, struct err *e);

void discovery_lock(struct discovery *);
void discovery_unlock(struct discovery *);
/* Under the lock, as all below. <config> is borrowed until the next call. Files are read at once; what stays keeps what is known. */
void discovery_configure(struct discovery *, const struct scrape_config *);
/* Every group that discoveries of <job> named; false when one of them never answered. */
bool discovery_groups(const struct discovery *, const struct scrape_job *job,
                      void (*take)(void *ctx, const struct scrape_static *group), void *ctx);

struct discovery_stats {
	uint64_t refreshes, failures;
	size_t failing; /* now */
};
struct discovery_stats discovery_stats(struct discovery *); /* takes the lock itself */

/* ---- For the kinds ---- */

enum { SD_BODY_MAX = 32 << 20, SD_TARGETS_MAX = 1000000 };

/* What one file, URL or name said. */
struct sd_source {
	struct arena arena;
	struct str name;
	struct scrape_static *groups;
	size_t n;
	bool known, stays; /* answered once; still named by the refresh under way */
	struct complaint complaint;
};

/* One item of a *_sd_configs list. */
struct sd {
	struct discovery *of;
	const struct scrape_job *job;
	const struct scrape_sd *config;
	char *key; /* what makes it the same after a reload */
	struct sd_source **sources;
	size_t n, cap;
	int64_t due_mono_ms;
	int64_t stirred_mono_ms; /* since when something happens in the files' folders, if <stirred> */
	int watch;     /* of files: the youngest, of the kernel */
	void *running; /* the kind's request; NULL: none */
	bool known, found, stirred; /* answered in full once since the start; named by the reload under way */
};

/* Groups on their way in; <arena> becomes the source's. */
struct sd_answer {
	struct arena arena;
	struct scrape_static *groups;
	size_t n, cap, targets;
};

/* The source <name>, made when there is none; marked to stay. */
struct sd_source *sd_source(struct sd *, struct str name);
/* Takes the answer over and empties it. */
void sd_source_found(struct sd *, struct sd_source *, struct sd_answer *);
void sd_source_failed(struct sd *, struct sd_source *, const struct err *);
/* Before and after a refresh that looks for its sources anew: those that do not stay are dropped. */
void sd_sources_begin(struct sd *);
void sd_sources_end(struct sd *);

struct scrape_static *sd_answer_group(struct sd_answer *);
/* [{"targets": ["host:port"], "labels": {"name": "value"}}], as JSON or YAML; each group gets the label <meta>=<name>. */
bool sd_answer_json(struct sd_answer *, struct str text, const char *meta, struct str name, struct err *e);
bool sd_answer_yaml(struct sd_answer *, struct str text, const char *meta, struct str name, struct err *e);

void sd_file_refresh(struct sd *);
/* Watches what <config> names; whatever changes there makes it due. */
/* Watches its folders, a second time too; returns the number of the youngest watch, which grows when a folder is new at its place. */
int sd_file_watch(const struct scrape_sd *config, int inotify_fd);

bool sd_http_start(struct sd *, CURLM *multi, struct tokens *);
/* False when there is more to come. */
bool sd_http_done(struct sd *, CURLM *multi, struct tokens *, CURLcode code);
void sd_http_cancel(struct sd *, CURLM *multi);

bool sd_dns_start(struct sd *, const char *servers);
/* Reads what has come; true when everything was answered. */
bool sd_dns_step(struct sd *);
size_t sd_dns_fds(const struct sd *, struct curl_waitfd *fds, size_t room);
void sd_dns_cancel(struct sd *);

#endif
