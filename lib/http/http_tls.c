/* Certificates of connections, ours by what the configuration holds when one begins; clients' asked for before the handshake and
 * judged when a request is there. libmicrohttpd does neither. */
#include <gnutls/x509.h>
#include <string.h>

#include "http_private.h"

static gnutls_datum_t datum(struct str text)
{
	gnutls_datum_t d = { NULL, (unsigned)text.n };

	memcpy(&d.data, &text.p, sizeof d.data);
	return d;
}

static gnutls_session_t session_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info != NULL ? info->tls_session : NULL;
}

bool http_tls_load(struct http_web_config *w, struct err *e)
{
	gnutls_datum_t cert = datum(w->cert), key = datum(w->key), ca = datum(w->client_ca);
	int rc;

	if (w->cert.n == 0)
		return true;
	rc = gnutls_priority_init(&w->versions, w->priority.p, NULL);
	if (rc == 0)
		rc = gnutls_certificate_allocate_credentials(&w->credentials);
	if (rc == 0)
		rc = gnutls_certificate_set_x509_key_mem(w->credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return err_set(e, ERR_BAD_INPUT, -1, "certificate and key are not accepted: %s", gnutls_strerror(rc));
	rc = w->client_ca.n > 0 ? gnutls_certificate_set_x509_trust_mem(w->credentials, &ca, GNUTLS_X509_FMT_PEM) : 1;
	return rc > 0 || err_set(e, ERR_BAD_INPUT, -1, "client_ca_file holds no certificate that is accepted");
}

void http_tls_unload(struct http_web_config *w)
{
	if (w->credentials != NULL)
		gnutls_certificate_free_credentials(w->credentials);
	if (w->versions != NULL)
		gnutls_priority_deinit(w->versions);
}

/* The library gives every session the credentials it was started with; ours may be newer. By itself it asks for a certificate only
 * when it has authorities, and then names them, which some clients take for an order to send no other one: where any will do, none
 * are named. */
void http_tls_begin(const struct http_web_config *w, struct MHD_Connection *conn)
{
	gnutls_session_t session = w->credentials != NULL ? session_of(conn) : NULL;

	if (session == NULL)
		return;
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, w->credentials);
	gnutls_priority_set(session, w->versions);
	if (w->client_auth == CLIENT_NONE)
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
