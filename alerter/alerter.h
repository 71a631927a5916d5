/* The running alerter: what main.c starts and stops. */
#ifndef TOCSIN_ALERTER_H
#define TOCSIN_ALERTER_H

#include "tocsin/err.h"
#include "promql/promql.h"
#include "tocsin/flags.h"

struct alerter;

struct alerter_options {
	struct str config_file, alertmanager_config_file;       /* the second may be empty */
	struct flag_list listen, hosts;
	struct str web_config_file, external_url;               /* may be empty */
	struct str storage_path;
	int64_t retention_ms, resend_delay_ms;
	int64_t retention_bytes;                                /* 0: no limit */
	struct promql_options promql;                           /* of rules and of what is asked over HTTP */
	bool admin_api;
	unsigned max_concurrency;               /* of long queries */
	const struct flag *flags;               /* the command line, to be shown */
	size_t n_flags;
};

/* Reads the configuration, opens the state, starts everything. NULL when something is wrong: it has been said on stderr. */
struct alerter *alerter_start(const struct alerter_options *) MUST_CHECK;
/* Reads everything again; what is bad changes nothing, is logged, and told in <said>: false then. From any thread. */
bool alerter_reload(struct alerter *, struct buf *said);
/* Once in a while, from the main thread: what was replaced without a reload is taken over. */
void alerter_maintain(struct alerter *);
/* Nothing is resolved by it: the next start goes on where this one stopped. */
void alerter_stop(struct alerter *);

#endif
