/* http_config as libcurl wants it. */
#include "tocsin/connection.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define MAX_REDIRECTS 9 /* as Go: ten requests */

static struct curl_slist *append(struct curl_slist *list, struct str name, const char *between, struct str value)
{
	struct buf line = { 0 };

	buf_printf(&line, STR_FMT "%s" STR_FMT, STR_ARG(name), between, STR_ARG(value));
	list = curl_slist_append(list, buf_z(&line));
	explicit_bzero(line.p, line.n);
	buf_fini(&line);
	return list;
}

void connection_add_header(struct connection_lists *l, struct str name, struct str value)
{
	/* libcurl's way of saying a header with nothing behind it. */
	l->headers = append(l->headers, name, value.n > 0 ? ": " : ";", value);
}

void connection_lists_free(struct connection_lists *l)
{
	curl_slist_free_all(l->headers);
	curl_slist_free_all(l->proxy_headers);
	curl_slist_free_all(l->connect_to);
	*l = (struct connection_lists){ 0 };
}

void connection_set_text(CURL *easy, CURLoption option, struct str s)
{
	char *z;

	if (s.n == 0)
		return;
	z = mem_strndup(s.p, s.n);
	curl_easy_setopt(easy, option, z);
	explicit_bzero(z, s.n);
	free(z);
}

static void set_blob(CURL *easy, CURLoption option, struct str pem)
{
	char *copy;
	struct curl_blob blob = { NULL, pem.n, CURL_BLOB_COPY };

	if (pem.n == 0)
		return;
	blob.data = copy = mem_strndup(pem.p, pem.n);
	curl_easy_setopt(easy, option, &blob);
	explicit_bzero(copy, pem.n);
	free(copy);
}

/* When the one of <path> was changed last, or <than> if that is later. */
static time_t later_change(const char *path, time_t than)
{
	struct stat st;

	return path != NULL && stat(path, &st) == 0 && st.st_ctime > than ? st.st_ctime : than;
}

/* A CURLM reads the roots once, or each connection would: a system's take 30 ms and 2 MB. It reads them again when what it has is as old as
 * the files' last change; after an hour anyway, as what a link leads to may change and be older. A connection as old stands for what the
 * files held before: libcurl knows only their names. */
void connection_watch_files(CURL *easy, const struct connection_settings *h)
{
	enum { OLDEST_S = 3600, SECONDS_OFF = 2 };      /* ages of whole seconds are compared */
	const char *roots = h->tls.ca_file.p;
	int64_t age_s;

	if (h->tls.ca_file.n == 0)
		curl_easy_getinfo(easy, CURLINFO_CAINFO, &roots);
	age_s = clock_now_ms(&clock_system) / 1000 - later_change(h->tls.key_file.p, later_change(h->tls.cert_file.p, later_change(roots, 0)));
	age_s = age_s - SECONDS_OFF < 1 ? 1 : age_s - SECONDS_OFF;
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)(age_s < OLDEST_S ? age_s : OLDEST_S));
	curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)(age_s < OLDEST_S ? age_s : 0));
}

static void set_tls(CURL *easy, const struct connection_settings *h)
{
	static const long least[] = { CURL_SSLVERSION_DEFAULT, CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
	    CURL_SSLVERSION_TLSv1_2,
				      CURL_SSLVERSION_TLSv1_3 },
			  most[] = { CURL_SSLVERSION_MAX_NONE, CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
				     CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3 };

	connection_set_text(easy, CURLOPT_CAINFO, h->tls.ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);   /* a ca_file is all that is trusted; and no cache with it */
	connection_watch_files(easy, h);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);        /* one that is resumed stands for the certificates of then, on both sides */
	connection_set_text(easy, CURLOPT_SSLCERT, h->tls.cert_file);
	connection_set_text(easy, CURLOPT_SSLKEY, h->tls.key_file);
	set_blob(easy, CURLOPT_CAINFO_BLOB, h->tls.ca);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, h->tls.cert);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, h->tls.key);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, least[h->tls.min_version] | most[h->tls.max_version]);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, h->tls.insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, h->tls.insecure_skip_verify ? 0L : 2L);
}

static struct str from_environment(const char *large, const char *small)
{
	const char *z = getenv(large);

	if (z == NULL || *z == '\0')
		z = getenv(small);
	return str_of(z != NULL ? z : "");
}

/* Whether localhost is asked, or what <list> excepts as host:port or *. Its names, whose subdomains are meant too, addresses and networks are
 * left to libcurl. As Go's httpproxy. */
static bool is_excepted(struct str url, struct str list)
{
	char *z = mem_strndup(url.p, url.n), *host = NULL, *port = NULL;
	CURLU *u = curl_url();
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, z, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	bool found = ok && str_eq_nocase(str_of(host), STR("localhost"));
	struct buf full = { 0 };
	struct str one;

	buf_printf(&full, "%s:%s", ok ? host : "", ok ? port : "");
	while (ok && !found && str_cut(&list, ',', &one))
		found = str_eq(str_trim(one), STR("*")) || str_eq_nocase(str_trim(one), buf_str(&full));
	buf_fini(&full);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	free(z);
	return found;
}

#define LOOPBACK "127.0.0.0/8,::1"

/* As in Prometheus: exceptions and the environment leave out whatever runs on this machine, proxy_url alone does not. libcurl looks at
 * the environment nowhere. */
static void set_proxy(CURL *easy, struct str url, const struct connection_settings *h, struct connection_lists *l)
{
	struct str proxy = h->proxy_url, except = h->no_proxy;
	struct buf text = { 0 };

	if (h->proxy_from_environment) {
		proxy = str_starts(url, STR("https:")) ? from_environment("HTTPS_PROXY", "https_proxy") : from_environment("HTTP_PROXY", "http_proxy");
		except = from_environment("NO_PROXY", "no_proxy");
	}
	if ((h->proxy_from_environment || except.n > 0) && is_excepted(url, except))
		proxy = STR("");
	if (str_starts(proxy, STR("socks5://")))        /* the proxy looks names up, as for Go */
		buf_printf(&text, "socks5h" STR_FMT, (int)proxy.n - 6, proxy.p + 6);
	else
		buf_puts(&text, proxy);
	curl_easy_setopt(easy, CURLOPT_PROXY, buf_z(&text));
	if (str_starts(proxy, STR("http://")) || str_find(proxy, STR("://")) == proxy.n)
		curl_easy_setopt(easy, CURLOPT_PROXYPORT, 80L);         /* where none is written: Go's, not libcurl's */
	conf_secret_wipe(&text);
	buf_printf(&text, STR_FMT "%s", STR_ARG(except), h->proxy_from_environment || except.n > 0 ? "," LOOPBACK : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, buf_z(&text));
	buf_fini(&text);
	for (size_t i = 0; i < h->n_proxy_headers; i++)
		l->proxy_headers = append(l->proxy_headers, h->proxy_headers[i].name, ": ", h->proxy_headers[i].value);
	if (l->proxy_headers == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_PROXYHEADER, l->proxy_headers);
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

/* tls_config's server_name: the address is asked under that name, and Host stays what it was. */
static bool set_other_name(CURL *easy, struct str url, const struct connection_settings *h, struct connection_lists *l)
{
	char *z = mem_strndup(url.p, url.n), *host = NULL, *port = NULL, *renamed = NULL, *name = mem_strndup(h->tls.server_name.p,
	    h->tls.server_name.n);
	CURLU *u = curl_url();
	struct buf b = { 0 };
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, z, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK
		&& curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_URL, &renamed, 0) == CURLUE_OK;

	if (ok) {
		buf_printf(&b, "%s:%s:%s:%s", name, port, host, port);
		l->connect_to = curl_slist_append(l->connect_to, buf_z(&b));
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, l->connect_to);
		curl_easy_setopt(easy, CURLOPT_URL, renamed);
		buf_reset(&b);
		buf_printf(&b, "%s:%s", host, port);
		if (str_starts(url, STR("http")))
			connection_add_header(l, STR("Host"), buf_str(&b));
	}
	buf_fini(&b);
	curl_free(host);
	curl_free(port);
	curl_free(renamed);
	curl_url_cleanup(u);
	free(name);
	free(z);
	return ok;
}

CURLM *connection_multi_new(void)
{
	CURLM *multi = curl_multi_init();

	if (multi == NULL)
		mem_abort(0);
	curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1L);
	return multi;
}

/* Behind a redirect libcurl may name the connection before it, which another request has by now. */
void connection_hang_up(CURL *easy, CURLcode code)
{
	curl_socket_t s = CURL_SOCKET_BAD;
	long redirects = 0;

	if (code != CURLE_OPERATION_TIMEDOUT || curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects) != CURLE_OK || redirects > 0)
		return;
	if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &s) == CURLE_OK && s != CURL_SOCKET_BAD)
		shutdown(s, SHUT_RDWR);
}

size_t connection_take_header(char *line, size_t size, size_t n, void *ended)
{
	struct str text = { line, size * n };

	if (str_starts(text, STR("HTTP/")))     /* not a trailer */
		*(bool *)ended = false;
	else if (str_trim(text).n == 0)
		*(bool *)ended = true;
	return text.n;
}

/* Memory that is out ends the process, so this is what curl calls its limit of 100 KB a header by. */
const char *connection_failure(CURL *easy, CURLcode code, const char *detail)
{
	const char *lookup = connection_lookup_failed(easy, code, detail);

	if (lookup != NULL)
		return lookup;
	if (code == CURLE_OUT_OF_MEMORY)
		return "a header is larger than 100 KB";
	return detail[0] != '\0' ? detail : curl_easy_strerror(code);
}

void connection_apply(CURL *easy, struct str url, const struct connection_settings *h, struct connection_lists *l)
{
	if (h->tls.server_name.n == 0 || !set_other_name(easy, url, h, l))
		connection_set_text(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	set_tls(easy, h);
	set_proxy(easy, url, h, l);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, h->follow_redirects ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, h->enable_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	connection_guard_lookup(easy);
}

/* ---- Who asks. ---- */

static void set_authorization(struct connection_lists *l, struct str type, struct str credentials)
{
	struct buf value = { 0 };

	buf_printf(&value, STR_FMT " " STR_FMT, STR_ARG(type), STR_ARG(credentials));
	connection_add_header(l, STR("Authorization"), buf_str(&value));
	conf_secret_wipe(&value);
}

/* What the file holds now, when it is one line; else what it held. */
static struct str secret_now(struct str held, struct str file, struct buf *b, struct err *e)
{
	struct err why = { 0 };

	if (file.n == 0)
		return held;
	if (conf_secret_read(file.p, b, &why) && str_chr(buf_str(b), '\n') < b->n)
		err_set(&why, ERR_BAD_INPUT, -1, "%s holds more than one line", file.p);
	if (why.code == ERR_NONE)
		return buf_str(b);
	if (held.n == 0)
		*e = why;
	return held;
}

bool connection_login(CURL *easy, const struct connection_settings *h, struct tokens *tokens, struct connection_lists *l,
    struct err *e)
{
	struct buf secret = { 0 };
	struct str credentials;

	for (size_t i = 0; i < h->n_headers; i++)
		connection_add_header(l, h->headers[i].name, h->headers[i].value);
	if (h->basic.user.n > 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		connection_set_text(easy, CURLOPT_USERNAME, h->basic.user);
		connection_set_text(easy, CURLOPT_PASSWORD, secret_now(h->basic.password, h->basic.password_file, &secret, e));
	} else if (h->oauth2 != NULL) {
		set_authorization(l, STR("Bearer"), tokens_get(tokens, h->oauth2));
	} else {
		credentials = secret_now(h->auth.credentials, h->auth.credentials_file, &secret, e);
		if (credentials.n > 0)
			set_authorization(l, h->auth.type, credentials);
	}
	conf_secret_wipe(&secret);
	return e->code == ERR_NONE;
}

bool connection_login_changes(const struct connection_settings *h)
{
	return h->oauth2 != NULL || h->basic.password_file.n > 0 || h->auth.credentials_file.n > 0;
}
