/* Client certificates: asking for them before the handshake, judging them when a request is there. libmicrohttpd does neither. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "http_private.h"

static gnutls_session_t session_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info != NULL ? info->tls_session : NULL;
}

/* By itself the library asks only when it has authorities, and then names them, which some clients take for an order to send no
 * other certificate: where any will do, none are named. */
void http_tls_connection(void *ctx, struct MHD_Connection *conn, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	const struct http_web_config *w = *(const struct http_web_config *const *)ctx;
	gnutls_session_t session;

	(void)socket_context;
	if (code != MHD_CONNECTION_NOTIFY_STARTED || w == NULL || w->cert.n == 0 || w->client_auth == CLIENT_NONE)
		return;
	session = session_of(conn);
	if (session == NULL)
		return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_certificate_send_x509_rdn_sequence(session, w->client_auth == CLIENT_REQUEST || w->client_auth == CLIENT_REQUIRE_ANY);
}

/* As Go's servers: a certificate made for something else, such as a server's, is none for a client. */
static bool is_verified(gnutls_session_t session)
{
	unsigned char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st wanted = { GNUTLS_DT_KEY_PURPOSE_OID, purpose, 0 };
	unsigned status = 0;

	return gnutls_certificate_verify_peers(session, &wanted, 1, &status) == 0 && status == 0;
}

bool http_tls_client_is_good(const struct http_web_config *w, struct MHD_Connection *conn)
{
	gnutls_session_t session;
	unsigned n = 0;

	if (w == NULL || w->cert.n == 0 || w->client_auth == CLIENT_NONE || w->client_auth == CLIENT_REQUEST)
		return true;
	session = session_of(conn);
	if (session == NULL)
		return false;
	gnutls_certificate_get_peers(session, &n);
	if (n == 0)
		return w->client_auth == CLIENT_VERIFY_IF_GIVEN;
	return w->client_auth == CLIENT_REQUIRE_ANY || is_verified(session);
}
