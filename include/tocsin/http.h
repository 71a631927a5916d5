/* A small HTTP server for metrics, APIs and the page. Handlers run on the server's own few threads and must not wait: what takes
 * time calls http_suspend() and is answered by another thread with http_reply().
 *
 * The server answers by itself: 404, 405, 400, 401, 403, 413, 414, HEAD, gzip. */
#ifndef TOCSIN_HTTP_H
#define TOCSIN_HTTP_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/conf.h"
#include "tocsin/err.h"

struct http_server;

enum {                                  /* http_route.methods, a set; GET answers HEAD too */
	HTTP_GET = 1,
	HTTP_POST = 2,
	HTTP_PUT = 4,
	HTTP_DELETE = 8,
	HTTP_OPTIONS = 16,
};

enum {                                  /* http_route.flags */
	HTTP_PREFIX = 1,                /* every path that begins with <path>; the longest one wins, exact ones first */
	HTTP_CHANGES = 2,               /* changes something: an Origin or Referer of another host is refused, and so is a Host that is
	                                 * not ours (403), none or no host (400), and a Content-Type that is neither a form's nor, with HTTP_JSON, JSON's (415) */
	HTTP_FORM = 4,                  /* a form body's fields join the parameters */
	HTTP_JSON = 8,                  /* its body is JSON */
	HTTP_OPEN = 16,                 /* nobody needs to log in: the handler checks a token itself */
};

struct http_param {
	struct str name, value;         /* decoded */
};

struct http_request {
	unsigned method;                /* one of the bits; HTTP_GET for HEAD */
	struct str path;                /* decoded, without the query */
	struct str rest;                /* HTTP_PREFIX: the path behind the route's */
	struct str query;               /* as it came, without '?' */
	const struct http_param *params;        /* of the query, then of the form, in order */
	size_t n_params;
	struct str body;
	struct str user;                /* who logged in; empty when nobody needs to */
	void *ctx;                      /* of the routes */
	struct arena *arena;            /* lives until the reply was handed in; one thread at a time */
};

typedef void http_handler(struct http_request *);

struct http_route {
	unsigned methods;
	const char *path;
	http_handler *handle;           /* replies or suspends before it returns */
	unsigned flags;
	size_t body_limit;              /* bytes; 0: no body is taken */
	const char *help;               /* NULL: not listed */
};

/* First value of a parameter; p == NULL when it is absent. */
struct str http_param(const struct http_request *q, const char *name);
/* Value of a header, names without case; p == NULL when it is absent. Only before the handler returns. */
struct str http_header(const struct http_request *q, const char *name);

/* Before the reply: one more header. Both are copied. */
void http_reply_header(struct http_request *q, const char *name, struct str value);
/* Answers, once. <type> a content type, NULL for an empty body. The body is copied; of a buf it is taken over (<b> is empty then).
 * From any thread; the request is gone afterwards. */
void http_reply(struct http_request *q, int status, const char *type, struct str body);
void http_reply_buf(struct http_request *q, int status, const char *type, struct buf *b);
void http_reply_text(struct http_request *q, int status, const char *fmt, ...) PRINTF(3, 4);

/* A body for several requests, which is kept once and packed once. <b> is taken over; closed when all were replied to. From any thread. */
struct http_body;
struct http_body *http_body_new(struct buf *b);
void http_body_close(struct http_body *body);
void http_reply_body(struct http_request *q, int status, const char *type, struct http_body *body);

/* A body that is too large to be held: made piece by piece as the client takes it, so that one who does not read holds no more than what
 * it is made from. Packed where the client takes that. */
struct http_stream {
	bool (*more)(void *arg, struct buf *out);       /* appends a piece; false: that was the last. On the server's threads, one at
	                                                 * a time: it must not wait */
	void (*end)(void *arg);                         /* once, from any thread: sent, or the client is gone */
	void *arg;
	int64_t deadline_ms;                            /* who has not taken all by then, from now on, is cut off */
};
void http_reply_stream(struct http_request *q, int status, const char *type, const struct http_stream *stream);

/* Keeps the request beyond the handler's return; call it before another thread can see the request. Deadlines are the caller's.
 * Every suspended request must be replied to, also after http_server_stop (the client was answered 503; the reply then only
 * frees the request) and before http_server_free. */
void http_suspend(struct http_request *q);
/* True when nobody waits for the answer any more: the server stops, or the client hung up. */
bool http_is_gone(const struct http_request *q);

/* web.config.file, in the format of Prometheus's exporter-toolkit, with the certificates it names. Immutable and counted; NULL after
 * having reported. */
struct http_web_config;
struct http_web_config *http_web_config_load(const char *path, struct conf_report *r);
void http_web_config_unref(struct http_web_config *w);  /* NULL is fine */
bool http_web_config_has_tls(const struct http_web_config *w);  /* so is NULL */

struct http_options {
	const struct str *listen;               /* "127.0.0.1:9977", "[::1]:0", ":9977" */
	size_t n_listen;
	unsigned threads;                       /* per address; 0: 1 */
	unsigned max_connections;               /* per address; 0: 512 */
	unsigned idle_timeout_s;                /* 0: 60 */
	struct http_web_config *web;            /* may be NULL; the server takes a reference of its own */
	const struct str *hosts;                /* host[:port] we are found at, as pages' too; their texts must outlive the server */
	size_t n_hosts;
};

/* host[:port] of "https://host:port/…"; empty when it is no URL. */
struct str http_url_host(struct str url);
/* Whether each is a name alone, as --web.host takes it. */
bool http_check_hosts(const struct str *hosts, size_t n, struct err *e) MUST_CHECK;

struct http_server *http_server_new(void);
/* Before the start; <routes> and <ctx> must outlive the server. May be called several times; the first match wins. */
void http_server_add(struct http_server *s, const struct http_route *routes, size_t n, void *ctx);
/* Whether a route is <path>. */
bool http_server_has(const struct http_server *s, struct str path);
/* Takes the addresses and answers nobody yet. False and <e> when one cannot be had; nothing listens then. */
bool http_server_bind(struct http_server *s, const struct http_options *o, struct err *e);
/* Binds unless that was done, and serves. False and <e>: nothing listens then. */
bool http_server_start(struct http_server *s, const struct http_options *o, struct err *e);
/* From here on new connections get the certificates of <web>, and all requests its users and headers. False when it says otherwise
 * than before whether TLS is spoken: that needs a restart. Any thread. */
bool http_server_set_web(struct http_server *s, struct http_web_config *web, struct err *e) MUST_CHECK;
/* For now and then, from one thread at a time: reads the web configuration again when its file or a certificate it names has changed
 * since. False: none has. True: it is in use, or stays as it was where <r> holds errors. */
bool http_server_follow_web(struct http_server *s, struct conf_report *r);
/* Address number <i> as bound, "127.0.0.1:43211": says which port 0 became. */
struct str http_server_address(const struct http_server *s, size_t i);
/* Stops listening, answers suspended requests 503, ends the threads. */
void http_server_stop(struct http_server *s);
void http_server_free(struct http_server *s);
/* Every route with a help text, a line each: for a landing page. */
void http_server_print_routes(const struct http_server *s, struct buf *out);

struct http_stats {
	uint64_t requests, rejected;            /* rejected: answered by the server itself with 4xx */
	uint64_t connections;                   /* open now */
};
struct http_stats http_server_stats(const struct http_server *s);

/* Decoding, for whoever meets such text elsewhere. "a=1&b=2&b=3" with %XX and '+'; appends to <*v>. False when %XX is malformed. */
bool http_parse_form(struct arena *a, struct str text, struct http_param **v, size_t *n, struct err *e);
bool http_decode(struct arena *a, struct str text, bool plus_is_space, struct str *out);
/* Percent-encodes everything but unreserved characters. */
void http_encode(struct buf *out, struct str text);
/* The preference (0 … 1000) an Accept or Accept-Encoding header gives <item>; -1 when it does not name it. */
int http_accept_q(struct str header, struct str item);

#endif
