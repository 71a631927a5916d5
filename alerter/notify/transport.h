/* One HTTP request and what became of it: the seam between deciding what to send and sending it. Tests put a double here. */
#ifndef NOTIFY_TRANSPORT_H
#define NOTIFY_TRANSPORT_H

#include "notify/config.h"

struct http_call {                      /* lives with the delivery that makes it, until its answer came */
	const char *method;
	struct str url;
	const struct label *headers;    /* beside those of <http> */
	size_t n_headers;
	struct str body;
	const struct http_settings *http;
	int64_t timeout_ms;
};

enum http_fate {
	HTTP_ANSWERED,
	HTTP_NOT_SENT,                  /* it cannot have been acted on: no name, no connection, no TLS */
	HTTP_LOST,                      /* it went out, or may have; nobody knows what became of it */
};

#define HTTP_MAX_ANSWER (4u << 20)      /* bytes of an answer's body that are kept */

struct http_answer {
	enum http_fate fate;
	int status;
	int64_t retry_after_ms;         /* -1: the header was absent */
	struct str body;                /* at most HTTP_MAX_ANSWER */
	bool body_cut;
	struct str error;               /* without an answer: why */
	double seconds;
};

struct transport {
	const struct transport_ops *ops;
};

struct transport_ops {
	/* Never waits. The answer comes back through whatever the transport was made with, with <tag>. */
	void (*start)(struct transport *, const struct http_call *, void *tag);
};

#endif
