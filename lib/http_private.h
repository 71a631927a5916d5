/* What the parts of the HTTP server share: listening sockets, TLS and the web configuration. */
#ifndef TOCSIN_HTTP_PRIVATE_H
#define TOCSIN_HTTP_PRIVATE_H

#include <microhttpd.h>

#include "tocsin/http.h"

enum http_client_auth { CLIENT_NONE, CLIENT_REQUEST, CLIENT_REQUIRE_ANY, CLIENT_VERIFY_IF_GIVEN, CLIENT_VERIFY };

struct http_web_config {
	struct str cert, key, client_ca;        /* PEM; cert.n 0: no TLS */
	struct str priority;                    /* GnuTLS's name for the versions allowed */
	enum http_client_auth client_auth;
	struct conf_labels users;               /* name -> bcrypt hash */
	struct conf_labels headers;
	struct http_logins *logins;             /* who was let in lately; NULL without users */
};

/* Whether <user> may come in with <password>. From any thread. */
bool http_web_login(const struct http_web_config *w, struct str user, struct str password);

/* Whether the client's certificate is what client_auth_type asks for. */
bool http_tls_client_is_good(const struct http_web_config *w, struct MHD_Connection *conn);
/* For MHD_OPTION_NOTIFY_CONNECTION, <ctx> points to a pointer to the web configuration, which may be NULL: asks the client for a certificate. */
void http_tls_connection(void *ctx, struct MHD_Connection *conn, void **socket_context, enum MHD_ConnectionNotificationCode code);

/* A listening socket, -1 and <e> on failure; <bound> gets its address as text. */
int http_listen(struct str address, char bound[80], struct err *e);

#endif
