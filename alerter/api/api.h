/* The alerter over HTTP: Prometheus's query API, our own state, /metrics and the page. One route table, api.c.
 * Handlers never wait: queries run on threads of their own (pool.c) unless they are known to take about a millisecond, and so does
 * what changes our state or reads files; everything else answers from snapshots. */
#ifndef TOCSIN_API_H
#define TOCSIN_API_H

#include "notify/notify.h"
#include "promql/promql.h"
#include "rules/rules.h"
#include "scrape/scrape.h"
#include "store/store.h"
#include "tocsin/flags.h"
#include "tocsin/http.h"

struct api;

/* What the program's main file alone knows. */
struct api_state {
	bool ready;
	bool reload_good;               /* the last one */
	int64_t reload_ms;              /* when a configuration was last taken over */
	int64_t start_ms;
	struct str reload_problem;      /* why it was not good; borrowed until the next call */
};

struct api_deps {                               /* all must outlive the api */
	struct store *store;
	struct scrape_loop *scrape;
	struct rules *rules;
	struct notify *notify;
	const struct clock *clock;
	struct promql_options promql;
	const _Atomic int64_t *evaluation_interval_ms;          /* the step of [5m:]; a reload may change it */
	struct str external_url;                /* "http://host:9978", no slash at its end */
	const struct flag *flags;               /* the command line */
	size_t n_flags;
	unsigned max_concurrency;               /* long queries at once; at least 1 */
	bool admin;                             /* samples may be deleted */
	void (*state)(void *ctx, struct api_state *out);
	/* Reads everything again; false and <e> when the new configuration is bad and the old one stays. */
	bool (*reload)(void *ctx, struct buf *said);            /* false: what was taken over and what was not, in lines */
	void (*config_text)(void *ctx, struct buf *out);        /* YAML, secrets hidden */
	struct labels (*external_labels)(void *ctx, struct arena *);    /* as they are now: copied */
	void (*alertmanager_config_text)(void *ctx, struct buf *out);   /* the part of it an Alertmanager would understand */
	void *ctx;
};

struct api *api_new(const struct api_deps *);
/* Puts the routes on <s>. */
void api_attach(struct api *, struct http_server *s);
/* After the server has stopped: ends the pool; queries still queued are dropped. */
void api_free(struct api *);

#endif
