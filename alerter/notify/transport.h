/* One HTTP request, or one e-mail, and what became of it: the seam between deciding what to send and sending it. Tests put a double here. */
#ifndef NOTIFY_TRANSPORT_H
#define NOTIFY_TRANSPORT_H

#include "notify/config/config.h"

struct mail {                           /* instead of an HTTP request: <body> goes to the server at <url> (smtp:// or smtps://) */
	struct str from;                /* NUL behind it, as behind each of <to> */
	const struct str *to;
	size_t n_to;
	struct str user, password, identity;    /* empty: none */
	bool require_tls;
};

struct http_call {                      /* lives with the delivery that makes it, until its answer came */
	const char *method;
	struct str url;
	const struct label *headers;    /* beside those of <http> */
	size_t n_headers;
	struct str body;
	const struct connection_settings *http;
	int64_t timeout_ms;
	const struct aws_settings *aws; /* NULL: none; signs with AWS's version 4 */
	const struct mail *mail;        /* NULL: HTTP. SMTP's answers come as the HTTP status that means the same */
};

enum http_fate {
	HTTP_ANSWERED,
	HTTP_NOT_SENT,                  /* it cannot have been acted on: no name, no connection, no TLS */
	HTTP_LOST,                      /* it went out, or may have; nobody knows what became of it */
};

#define HTTP_MAX_ANSWER (4u << 20)      /* bytes of an answer's body that are kept */

struct http_answer {
	enum http_fate fate;
	int status;                     /* HTTP_LOST: of an answer that broke off behind it; else 0 */
	int64_t retry_after_ms;         /* -1: the header was absent */
	struct str body;                /* at most HTTP_MAX_ANSWER */
	bool body_cut;
	struct str error;               /* without an answer: why */
	double seconds;
	struct str later;               /* of a mail others got: addresses that were refused for now, with commas between them */
};

struct core;

struct asker {                          /* whose request it is: the tag of each begins with one */
	void (*answered)(struct core *, struct asker *, const struct http_answer *);
};

struct transport {
	const struct transport_ops *ops;
};

struct transport_ops {
	/* Never waits. The answer comes back through whatever the transport was made with, with <tag>. */
	void (*start)(struct transport *, const struct http_call *, void *tag);
};

#endif
