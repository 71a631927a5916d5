/* Certificates are looked at while they are verified, so that the expiry of one that was refused is known too. */
#include "probe/transfer.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "curl_need.h"
#include "tocsin/connection.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

#define HEADERS_MAX (256u << 10)
#define REDIRECTS_MAX 10L

/* ---- What arrives ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	buf_put(&t->body, p, size * n);
	return t->body.overflow ? CURL_WRITEFUNC_ERROR : size * n;
}

/* These three lead to a page that is to be fetched, whatever the method was (as browsers do it, and blackbox_exporter); curl does
 * so with POST alone. */
static void fetch_what_follows(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 301 && status <= 303)
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct str line = { p, size * n };

	if (str_starts(line, STR("HTTP/")))     /* of a redirect's target, or behind 100 Continue */
		buf_reset(&t->headers);
	fetch_what_follows(t);
	buf_puts(&t->headers, line);
	connection_take_header(p, size, n, &t->headed);
	return t->headers.overflow ? CURL_WRITEFUNC_ERROR : size * n;
}

static int64_t expiry_of(const X509 *cert)
{
	struct tm tm = { 0 };

	return cert != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void note_expiry(struct transfer *t, const X509 *cert)
{
	int64_t s = expiry_of(cert);

	if (s > 0 && (t->cert_expiry_s == 0 || s < t->cert_expiry_s))
		t->cert_expiry_s = s;
}

/* OpenSSL hands out a number once a process. */
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot;

static void make_slot(void)
{
	slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int transfer_slot(void)
{
	pthread_once(&slot_once, make_slot);
	return slot;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct transfer *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), transfer_slot());
	STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(store);

	note_expiry(t, X509_STORE_CTX_get0_cert(store));
	for (int i = 0; i < sk_X509_num(shown); i++)
		note_expiry(t, sk_X509_value(shown, i));
	return ok;
}

/* "TLSv1.3" as "TLS 1.3", "TLSv1" as "TLS 1.0", as blackbox_exporter writes it. */
static void put_version(struct transfer *t, const char *openssl)
{
	if (strncmp(openssl, "TLSv", 4) == 0)
		snprintf(t->tls_version, sizeof t->tls_version, "TLS %s%s", openssl + 4, strchr(openssl, '.') != NULL ? "" : ".0");
	else
		snprintf(t->tls_version, sizeof t->tls_version, "%s", openssl);
}

static void on_handshake(const SSL *ssl, int where, int ret)
{
	struct transfer *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), transfer_slot());

	(void)ret;
	if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
		put_version(t, SSL_get_version(ssl));
}

static CURLcode on_tls(CURL *easy, void *ctx, void *arg)
{
	struct transfer *t = arg;

	(void)easy;
	t->cert_expiry_s = 0;                   /* those before it redirected */
	t->tls_version[0] = '\0';
	SSL_CTX_set_ex_data(ctx, transfer_slot(), arg);
	SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), on_verify);
	SSL_CTX_set_info_callback(ctx, on_handshake);
	return CURLE_OK;
}

/* ---- Postgres: TLS is asked for before the handshake, which curl cannot ---- */

static bool wait_for(int fd, short what, const struct source_ask *ask)
{
	struct pollfd p[] = { { .fd = fd, .events = what }, { .fd = ask->stop_fd, .events = POLLIN } };

	for (;;) {
		int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock);
		int n = left > 0 ? poll(p, ARRAY_LEN(p), left > 1000 ? 1000 : (int)left) : 0;

		if (n > 0 || left <= 0)
			return n > 0 && p[0].revents != 0;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool is_willing(int fd, const struct curl_sockaddr *to, const struct source_ask *ask)
{
	static const unsigned char ssl_request[] = { 0, 0, 0, 8, 4, 210, 22, 47 };
	int failed = 0;
	socklen_t n = sizeof failed;
	char answer = 0;

	if (connect(fd, &to->addr, to->addrlen) != 0 && (errno != EINPROGRESS || !wait_for(fd, POLLOUT, ask)))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) != 0 || failed != 0)
		return false;
	if (send(fd, ssl_request, sizeof ssl_request, MSG_NOSIGNAL) != (ssize_t)sizeof ssl_request || !wait_for(fd, POLLIN, ask))
		return false;
	return recv(fd, &answer, 1, 0) == 1 && answer == 'S';
}

static curl_socket_t postgres_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	const struct transfer *t = arg;
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);

	(void)purpose;
	if (fd < 0 || is_willing(fd, to, t->ask))
		return fd;
	close(fd);
	return CURL_SOCKET_BAD;
}

static int is_connected(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* ---- The request ---- */

static struct curl_slist *headers_new(const struct probe_settings *s)
{
	struct curl_slist *list = NULL;
	struct buf b = { 0 };
	bool has_type = false;

	buf_printf(&b, "User-Agent: tocsin-exporter/%s", version_text());
	list = curl_slist_append(list, buf_z(&b));
	for (size_t i = 0; i < s->headers.n; i++) {
		buf_reset(&b);
		buf_puts(&b, str_trim(s->headers.v[i]));
		list = curl_slist_append(list, buf_z(&b));
		has_type |= b.n > 13 && str_eq_nocase((struct str){ b.p, 13 }, STR("Content-Type:"));
	}
	if (s->body.n > 0 && !has_type)
		list = curl_slist_append(list, "Content-Type: application/json");
	buf_fini(&b);
	return list;
}

static void set_method(CURL *easy, const struct probe_settings *s)
{
	const char *method = probe_methods[s->method];

	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (s->body.n > 0 || strcmp(method, "POST") == 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)s->body.n);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, s->body.n > 0 ? s->body.p : "");
	}
	if (strcmp(method, "HEAD") != 0 && strcmp(method, "POST") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_certificates(CURL *easy, const struct probe_settings *s, struct transfer *t)
{
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, s->insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, s->insecure_skip_verify ? 0L : 2L);
	if (s->ca_file.n > 0)
		curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file.p);
	if (s->cert_file.n > 0) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, s->cert_file.p);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, s->key_file.p);
	}
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t);
}

static void set_starttls(CURL *easy, const struct probe_settings *s, struct transfer *t)
{
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	if (s->starttls == STARTTLS_POSTGRES) {
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, postgres_socket);
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
		curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, is_connected);
	} else if (s->starttls != STARTTLS_NONE) {
		curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	}
}

static CURL *easy_new(const struct probe_settings *s, struct curl_slist *headers, struct transfer *t)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		mem_abort(1);
	curl_easy_setopt(easy, CURLOPT_URL, s->curl_url.p);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,smtp,imap,pop3,ftp");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	connection_guard_lookup(easy);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, s->follow_redirects ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	set_certificates(easy, s, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->detail);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	if (probe_speaks_http(s))
		set_method(easy, s);
	else
		set_starttls(easy, s, t);
	return easy;
}

/* ---- What came of it ---- */

static const char *reason_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "dns";
	case CURLE_COULDNT_CONNECT:
		return "connect";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
		return "tls";
	default:
		return "protocol";
	}
}

static double seconds_of(CURL *easy, CURLINFO what)
{
	curl_off_t us = 0;

	curl_easy_getinfo(easy, what, &us);
	return (double)us / 1e6;
}

static double between(double from, double to)
{
	return to > from ? to - from : 0;
}

static void read_times(CURL *easy, struct transfer *t)
{
	const double resolved = seconds_of(easy, CURLINFO_NAMELOOKUP_TIME_T), connected = seconds_of(easy, CURLINFO_CONNECT_TIME_T),
	    secured = seconds_of(easy, CURLINFO_APPCONNECT_TIME_T), first = seconds_of(easy, CURLINFO_STARTTRANSFER_TIME_T);

	t->total = seconds_of(easy, CURLINFO_TOTAL_TIME_T);
	t->seconds[PHASE_RESOLVE] = resolved;
	t->seconds[PHASE_CONNECT] = between(resolved, connected);
	t->seconds[PHASE_TLS] = secured > 0 ? between(connected, secured) : 0;
	t->seconds[PHASE_PROCESSING] = between(secured > 0 ? secured : connected, first);
	t->seconds[PHASE_TRANSFER] = first > 0 ? between(first, t->total) : 0;
}

/* The last hop may speak no TLS though one before it did. */
static void forget_tls(CURL *easy, const struct probe_settings *s, struct transfer *t)
{
	const char *scheme = NULL;

	curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme);
	if (!probe_speaks_http(s) || scheme == NULL || str_eq_nocase(str_of(scheme), STR("https")))
		return;
	t->cert_expiry_s = 0;
	t->tls_version[0] = '\0';
}

static void read_answer(CURL *easy, struct transfer *t)
{
	const char *address = NULL;
	curl_off_t length = -1, modified = -1;

	read_times(easy, t);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->status);
	curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	t->content_length = t->status > 0 ? (double)length : 0;
	curl_easy_getinfo(easy, CURLINFO_FILETIME_T, &modified);
	t->modified_s = modified;
	curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &t->redirects);
	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &t->http_version);
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
	t->connected = address != NULL && *address != '\0';
	t->ipv6 = address != NULL && strchr(address, ':') != NULL;
}

static void judge(const struct probe_settings *s, struct transfer *t, bool done, CURLcode code)
{
	if (!done) {
		t->reason = "timeout";
		err_set(&t->e, ERR_TIMEOUT, -1, "no answer within the deadline");
	} else if (t->body.overflow || t->headers.overflow) {
		t->reason = "body";
		err_set(&t->e, ERR_LIMIT, -1, "the %s over %lld bytes (%s)", t->body.overflow ? "body is" : "headers are",
		    t->body.overflow ? (long long)s->max_body : (long long)HEADERS_MAX, t->body.overflow ? "max_body" : "HEADERS_MAX");
	} else if (code != CURLE_OK) {
		t->reason = reason_of(code);
		err_set(&t->e, ERR_UPSTREAM, -1, "%s", connection_failure(t->easy, code, t->detail));
	} else if (probe_speaks_http(s) && !t->headed) {
		t->reason = "protocol";
		err_set(&t->e, ERR_UPSTREAM, -1, "the answer ends within its headers");
	}
}

/* Whether it ended by itself; then <*code> is how. False too when it was stopped: <*stopped>. */
static bool perform(CURLM *multi, const struct source_ask *ask, CURLcode *code, bool *stopped)
{
	for (;;) {
		struct curl_waitfd stop = { .fd = ask->stop_fd, .events = CURL_WAIT_POLLIN };
		int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock);
		const CURLMsg *m;
		int running, more;

		curl_multi_perform(multi, &running);
		m = curl_multi_info_read(multi, &more);
		if (m != NULL && m->msg == CURLMSG_DONE) {
			*code = m->data.result;
			return true;
		}
		if (left <= 0)
			return false;
		curl_multi_poll(multi, &stop, ask->stop_fd >= 0, left > 1000 ? 1000 : (int)left, NULL);
		if (stop.revents != 0) {
			*stopped = true;
			return false;
		}
	}
}

bool transfer_run(const struct probe_settings *s, const struct source_ask *ask, struct transfer *t, struct err *e)
{
	struct curl_slist *headers = headers_new(s);
	CURLM *multi = curl_multi_need();
	CURL *easy;
	CURLcode code = CURLE_OK;
	bool done, stopped = false;

	*t = (struct transfer){ .ask = ask, .body = { .limit = (size_t)s->max_body }, .headers = { .limit = HEADERS_MAX } };
	easy = t->easy = easy_new(s, headers, t);
	curl_multi_add_handle(multi, easy);
	done = perform(multi, ask, &code, &stopped);
	read_answer(easy, t);
	forget_tls(easy, s, t);
	judge(s, t, done, code);
	if (!done)
		connection_given_up(easy);
	curl_multi_remove_handle(multi, easy);
	t->easy = NULL;
	curl_easy_cleanup(easy);
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	return !stopped || err_set(e, ERR_CANCELED, -1, "stopped");
}

void transfer_fini(struct transfer *t)
{
	buf_fini(&t->body);
	buf_fini(&t->headers);
}
