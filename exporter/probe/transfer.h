/* One request over curl, on a connection of its own, so that every phase happens and is measured. */
#ifndef TOCSIN_PROBE_TRANSFER_H
#define TOCSIN_PROBE_TRANSFER_H

#include "probe/settings.h"

enum probe_phase { PHASE_RESOLVE, PHASE_CONNECT, PHASE_TLS, PHASE_PROCESSING, PHASE_TRANSFER, PHASES };

struct transfer {
	const struct source_ask *ask;   /* while it is under way */
	void *easy;                     /* curl's handle, likewise */
	struct buf body, headers;       /* headers of the last answer, a line each */
	bool headed;                    /* they came to their end */
	long status;                    /* 0: no answer */
	long redirects, http_version;   /* curl's CURL_HTTP_VERSION_… */
	double content_length;          /* as the server announced it; -1: it did not; 0: no answer */
	int64_t modified_s;             /* Last-Modified; -1: not said */
	double seconds[PHASES], total;
	bool ipv6, connected;
	int64_t cert_expiry_s;          /* the earliest of those shown by the last server; 0: none seen, or it speaks no TLS */
	char tls_version[16];           /* of the last server */
	const char *reason;             /* NULL: it came to its end; else "dns", "connect", "tls", "timeout", "body", "protocol" */
	struct err e;                   /* why, without secrets */
	char detail[256];               /* of libcurl, CURL_ERROR_SIZE */
};

/* False and <e> only when it was stopped (ERR_CANCELED). <t> is to be ended with transfer_fini() either way. */
bool transfer_run(const struct probe_settings *s, const struct source_ask *ask, struct transfer *t, struct err *e) MUST_CHECK;
void transfer_fini(struct transfer *t);

#endif
