/* Non-blocking sockets and OpenSSL behind one read and one write. Whatever would block says which way, and waiting happens in
 * one place: stream_wait. */
#include "redis/stream.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "resolve.h"
#include "tocsin/clock.h"
#include "tocsin/mem.h"

struct stream {
	int fd;
	SSL_CTX *ctx;           /* NULL: no TLS */
	SSL *ssl;
};

static bool stream_wait(const struct stream *s, short events, struct redis_wait wait, struct err *e)
{
	struct pollfd fds[] = { { .fd = s->fd, .events = events }, { .fd = wait.stop_fd, .events = POLLIN } };

	for (;;) {
		const int64_t left_ms = wait.deadline_mono_ms - clock_mono_ms(&clock_system);
		const int n = left_ms < 0 ? 0 : poll(fds, ARRAY_LEN(fds), (int)(left_ms < 1000000 ? left_ms : 1000000));

		if (n > 0 && fds[1].revents != 0)
			return err_set(e, ERR_CANCELED, -1, "stopped while waiting for the server");
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_IO, -1, "poll: %s", strerror(errno));
		if (left_ms <= 0)
			return err_set(e, ERR_TIMEOUT, -1, "no answer within the deadline");
	}
}

/* ---- Connecting ---- */

static bool connect_address(struct stream *s, const struct sockaddr *address, socklen_t n, struct redis_wait wait, struct err *e)
{
	int failure = 0;
	socklen_t size = sizeof failure;

	s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_set(e, ERR_IO, -1, "socket: %s", strerror(errno));
	if (connect(s->fd, address, n) == 0)
		return true;
	if (errno != EINPROGRESS)
		return err_set(e, ERR_UPSTREAM, -1, "%s", strerror(errno));
	if (!stream_wait(s, POLLOUT, wait, e))
		return false;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0)
		return err_set(e, ERR_UPSTREAM, -1, "%s", strerror(failure));
	return true;
}

static void close_socket(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool connect_socket_path(struct stream *s, const char *path, struct redis_wait wait, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof un.sun_path)
		return err_set(e, ERR_BAD_INPUT, -1, "path of the socket has more than %zu bytes", sizeof un.sun_path - 1);
	memcpy(un.sun_path, path, strlen(path) + 1);
	union { const struct sockaddr_un *un; const struct sockaddr *any; } address = { .un = &un };
	return connect_address(s, address.any, sizeof un, wait, e) || err_context(e, "connect to %s", path);
}

static bool connect_numeric(struct stream *s, const char *address, const char *port, struct redis_wait wait, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *a;
	bool done;

	if (getaddrinfo(address, port, &hints, &a) != 0)
		return err_set(e, ERR_UPSTREAM, -1, "%s is no address", address);
	done = connect_address(s, a->ai_addr, a->ai_addrlen, wait, e) || err_context(e, "connect to %s:%s", address, port);
	freeaddrinfo(a);
	return done;
}

/* Each address in turn, each with an even share of the time left, so that a silent one does not use up what the next needs. */
static bool connect_tcp(struct stream *s, const struct redis_url *url, struct redis_wait wait, struct err *e)
{
	struct resolved found;
	const int yes = 1;

	if (!resolve_host(url->host, wait.deadline_mono_ms, wait.stop_fd, &found, e))
		return false;
	for (size_t i = 0; i < found.n; i++) {
		struct redis_wait part = wait;
		const int64_t now = clock_mono_ms(&clock_system);

		part.deadline_mono_ms = now + (wait.deadline_mono_ms - now) / (int64_t)(found.n - i);
		*e = (struct err){ 0 };
		if (connect_numeric(s, found.address[i], url->port, part, e)) {
			setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
			return true;
		}
		close_socket(s);
	}
	return false;
}

/* ---- TLS ---- */

static bool fail_tls(struct err *e, const char *what)
{
	char text[160] = "unknown reason";
	const unsigned long code = ERR_get_error();

	if (code != 0)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return err_set(e, ERR_UPSTREAM, -1, "TLS: %s: %s", what, text);
}

static bool load_certificates(SSL_CTX *ctx, const struct redis_tls *tls, struct err *e)
{
	if (tls->ca_file != NULL ? SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1 : SSL_CTX_set_default_verify_paths(ctx) != 1)
		return fail_tls(e, "certificate authorities cannot be read");
	if (tls->cert_file == NULL)
		return true;
	if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) != 1)
		return fail_tls(e, "client certificate cannot be read");
	if (SSL_CTX_use_PrivateKey_file(ctx, tls->key_file != NULL ? tls->key_file : tls->cert_file, SSL_FILETYPE_PEM) != 1)
		return fail_tls(e, "client key cannot be read, or is not of that certificate");
	return true;
}

/* OpenSSL's macro for it drops const. */
static bool set_sni(SSL *ssl, const char *name)
{
	union { const char *in; void *out; } text = { .in = name };

	return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, text.out) == 1;
}

/* The name the certificate must carry, and which one is asked for (SNI holds names only, no addresses). */
static bool set_server_name(SSL *ssl, const struct redis_url *url, struct err *e)
{
	const char *name = url->tls.server_name != NULL ? url->tls.server_name : url->host;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (name == NULL || url->tls.no_verify)
		return true;
	if (url->tls.no_name_check)
		return set_sni(ssl, name) || fail_tls(e, "server name");
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return true;
	ERR_clear_error();
	if (!set_sni(ssl, name) || SSL_set1_host(ssl, name) != 1)
		return fail_tls(e, "server name");
	return true;
}

/* Which way an SSL call that returned <result> wants to wait: POLLIN, POLLOUT, or 0: it failed. */
static short tls_wants(SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	default:
		return 0;
	}
}

static bool tls_handshake(struct stream *s, const struct redis_url *url, struct redis_wait wait, struct err *e)
{
	for (;;) {
		ERR_clear_error();
		const int result = SSL_connect(s->ssl);
		if (result == 1)
			return true;
		const short events = tls_wants(s->ssl, result);
		const long verdict = SSL_get_verify_result(s->ssl);
		if (events == 0 && verdict != X509_V_OK && !url->tls.no_verify)
			return err_set(e, ERR_UPSTREAM, -1, "TLS: certificate refused: %s", X509_verify_cert_error_string(verdict));
		if (events == 0)
			return fail_tls(e, "handshake");
		if (!stream_wait(s, events, wait, e))
			return false;
	}
}

static bool tls_open(struct stream *s, const struct redis_url *url, struct redis_wait wait, struct err *e)
{
	s->ctx = SSL_CTX_new(TLS_client_method());
	if (s->ctx == NULL)
		return fail_tls(e, "cannot start");
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(s->ctx, url->tls.no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(s->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!load_certificates(s->ctx, &url->tls, e))
		return false;
	s->ssl = SSL_new(s->ctx);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		return fail_tls(e, "cannot start");
	return set_server_name(s->ssl, url, e) && tls_handshake(s, url, wait, e);
}

struct stream *stream_open(const struct redis_url *url, struct redis_wait wait, struct err *e)
{
	struct stream *s = mem_alloc(sizeof *s);
	bool connected;

	s->fd = -1;
	connected = url->socket_path != NULL ? connect_socket_path(s, url->socket_path, wait, e) : connect_tcp(s, url, wait, e);
	if (connected && (!url->tls.on || tls_open(s, url, wait, e)))
		return s;
	stream_close(s);
	return NULL;
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	close_socket(s);
	free(s);
}

/* ---- Reading and writing ---- */

int stream_fd(const struct stream *s)
{
	return s->fd;
}

/* Bytes moved; 0: closed by the server; -1: <*events> says what to wait for, or 0 when it failed. */
static ssize_t read_some(struct stream *s, void *buf, size_t cap, short *events)
{
	if (s->ssl == NULL) {
		const ssize_t n = recv(s->fd, buf, cap, 0);
		*events = n < 0 && (errno == EAGAIN || errno == EINTR) ? POLLIN : 0;
		return n;
	}
	ERR_clear_error();
	const int n = SSL_read(s->ssl, buf, cap > INT32_MAX ? INT32_MAX : (int)cap);
	if (n > 0)
		return n;
	*events = tls_wants(s->ssl, n);
	return *events == 0 && SSL_get_error(s->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t write_some(struct stream *s, const void *p, size_t n, short *events)
{
	if (s->ssl == NULL) {
		const ssize_t sent = send(s->fd, p, n, MSG_NOSIGNAL);
		*events = sent < 0 && (errno == EAGAIN || errno == EINTR) ? POLLOUT : 0;
		return sent;
	}
	ERR_clear_error();
	const int sent = SSL_write(s->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
	*events = sent > 0 ? 0 : tls_wants(s->ssl, sent);
	return sent > 0 ? sent : -1;
}

bool stream_read(struct stream *s, void *buf, size_t cap, size_t *n, struct redis_wait wait, struct err *e)
{
	for (;;) {
		short events = 0;
		const ssize_t got = read_some(s, buf, cap, &events);

		if (got > 0) {
			*n = (size_t)got;
			return true;
		}
		if (got == 0)
			return err_set(e, ERR_UPSTREAM, -1, "the server closed the connection");
		if (events == 0)
			return s->ssl != NULL ? fail_tls(e, "read") : err_set(e, ERR_UPSTREAM, -1, "read: %s", strerror(errno));
		if (!stream_wait(s, events, wait, e))
			return false;
	}
}

bool stream_write(struct stream *s, const void *p, size_t n, struct redis_wait wait, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		short events = 0;
		const ssize_t sent = write_some(s, from, n, &events);

		if (sent > 0) {
			from += sent;
			n -= (size_t)sent;
		} else if (events == 0) {
			return s->ssl != NULL ? fail_tls(e, "write") : err_set(e, ERR_UPSTREAM, -1, "write: %s", strerror(errno));
		} else if (!stream_wait(s, events, wait, e)) {
			return false;
		}
	}
	return true;
}

size_t stream_write_now(struct stream *s, const void *p, size_t n)
{
	short events;
	const ssize_t sent = write_some(s, p, n, &events);

	return sent > 0 ? (size_t)sent : 0;
}

bool stream_has_input(const struct stream *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };

	return poll(&fd, 1, 0) != 0;
}
