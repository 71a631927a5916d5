/* What the parts of the HTTP server share: listening sockets, routes, TLS, the web configuration, bodies. */
#ifndef TOCSIN_HTTP_PRIVATE_H
#define TOCSIN_HTTP_PRIVATE_H

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <sys/types.h>
#include <time.h>

#include "tocsin/http.h"

enum http_client_auth { CLIENT_NONE, CLIENT_REQUEST, CLIENT_REQUIRE_ANY, CLIENT_VERIFY_IF_GIVEN, CLIENT_VERIFY };

enum { WEB_FILES = 4 };

struct http_web_file {
	const char *path;
	struct timespec changed;                /* 0: it was not there */
	off_t size;
	ino_t ino;
};

struct http_web_config {
	int refs;                               /* atomic */
	struct arena arena;
	struct http_web_file files[WEB_FILES];  /* what it was read from; the following thread's alone */
	size_t n_files;
	struct str cert, key, client_ca;        /* PEM; cert.n 0: no TLS */
	struct str priority;                    /* GnuTLS's name for the versions allowed */
	enum http_client_auth client_auth;
	struct conf_labels users;               /* name -> bcrypt hash */
	struct conf_labels headers;
	struct http_logins *logins;             /* who was let in lately; NULL without users */
	gnutls_certificate_credentials_t credentials;   /* NULL without TLS, as is <versions> */
	gnutls_priority_t versions;
};

struct http_web_config *http_web_config_ref(struct http_web_config *w);
/* Whether a file it was read from is another than when this was last asked. */
bool http_web_config_has_changed(struct http_web_config *w);

/* Whether <user> may come in with <password>. From any thread. */
bool http_web_login(const struct http_web_config *w, struct str user, struct str password);

/* Makes credentials and versions of <w>'s texts. */
bool http_tls_load(struct http_web_config *w, struct err *e) MUST_CHECK;
void http_tls_unload(struct http_web_config *w);
/* Whether the client's certificate is what client_auth_type asks for. */
bool http_tls_client_is_good(const struct http_web_config *w, struct MHD_Connection *conn);
/* A connection begins: it gets the certificates of <w>, which must outlive it, and is asked for one if <w> says so. */
void http_tls_begin(const struct http_web_config *w, struct MHD_Connection *conn);

/* Bytes of a body before it is packed, and a response that sends them; it need not be open until they are sent. */
size_t http_body_size(const struct http_body *body);
struct MHD_Response *http_body_response(struct http_body *body, bool packed);

/* Bodies that are made as their clients take them, and who takes too long. */
struct http_streams;
struct http_streams *http_streams_new(void);
void http_streams_free(struct http_streams *ss);
/* Takes over <stream>. The response is for <conn> alone. */
struct MHD_Response *http_stream_response(struct http_streams *ss, struct MHD_Connection *conn, const struct http_stream *stream,
    bool packed);
/* Cuts off the connections of streams whose time is over. */
void http_streams_expire(struct http_streams *ss);

struct http_routes {                    /* as they were added; what each request compares lies together */
	struct http_place {
		struct str path;
		bool prefix;
		const struct http_route *route;
		void *ctx;
	} *v;
	size_t n, cap;
};
void http_routes_fini(struct http_routes *all);
void http_routes_add(struct http_routes *all, const struct http_route *v, size_t n, void *ctx);
/* Exact before prefix, longer before shorter, earlier before later; one that takes the method before one that does not. NULL:
 * none. */
const struct http_route *http_routes_find(const struct http_routes *all, struct str path, unsigned method, void **ctx);
/* Those with a help text, a line each. */
void http_routes_print(const struct http_routes *all, struct buf *out);
unsigned http_method_of(const char *name);      /* its bit, 0 for one that no route takes */
void http_put_methods(struct buf *out, unsigned set);   /* "GET, HEAD" */

struct http_hosts {                     /* host[:port] each: ours are those the caller names, and those it listens on */
	struct str *v;
	size_t n, n_sites;              /* pages of the first <n_sites> are ours under whatever name we are asked */
};

/* Whether no page of another site asks. Only before the handler returns. */
enum http_origin { HTTP_FROM_HERE, HTTP_FROM_ELSEWHERE, HTTP_BY_ANOTHER_NAME, HTTP_WITHOUT_HOST };
enum http_origin http_origin_of(const struct http_request *q, const struct http_hosts *ours);
size_t http_header_count(const struct http_request *q, const char *name);
struct str http_content_type(const struct http_request *q);    /* without parameters */
bool http_takes_type(const struct http_request *q, unsigned flags);     /* of the route; by the headers */

/* A listening socket, -1 and <e> on failure; <bound> gets its address as text. */
int http_listen(struct str address, char bound[80], struct err *e);

#endif
