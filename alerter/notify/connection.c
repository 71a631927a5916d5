/* http_config as libcurl wants it. */
#include <stdlib.h>

#include "notify/send_private.h"
#include "tocsin/mem.h"

#define MAX_REDIRECTS 5

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

static void set_tls(CURL *easy, const struct http_settings *h)
{
	static const long least[] = { CURL_SSLVERSION_DEFAULT, CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
				      CURL_SSLVERSION_TLSv1_3 },
			  most[] = { CURL_SSLVERSION_MAX_NONE, CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
				     CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3 };

	connection_set_text(easy, CURLOPT_CAINFO, h->tls.ca_file);
	connection_set_text(easy, CURLOPT_SSLCERT, h->tls.cert_file);
	connection_set_text(easy, CURLOPT_SSLKEY, h->tls.key_file);
	set_blob(easy, CURLOPT_CAINFO_BLOB, h->tls.ca);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, h->tls.cert);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, h->tls.key);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, least[h->tls.min_version] | most[h->tls.max_version]);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, h->tls.insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, h->tls.insecure_skip_verify ? 0L : 2L);
}

static void set_proxy(CURL *easy, const struct http_settings *h, struct connection_lists *l)
{
	connection_set_text(easy, CURLOPT_NOPROXY, h->no_proxy);
	if (!h->proxy_from_environment)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	connection_set_text(easy, CURLOPT_PROXY, h->proxy_url);
	for (size_t i = 0; i < h->n_proxy_headers; i++)
		l->proxy_headers = append(l->proxy_headers, h->proxy_headers[i].name, ": ", h->proxy_headers[i].value);
	if (l->proxy_headers == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_PROXYHEADER, l->proxy_headers);
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

/* tls_config's server_name: the address is asked under that name, and Host stays what it was. */
static bool set_other_name(CURL *easy, struct str url, const struct http_settings *h, struct connection_lists *l)
{
	char *z = mem_strndup(url.p, url.n), *host = NULL, *port = NULL, *renamed = NULL, *name = mem_strndup(h->tls.server_name.p, h->tls.server_name.n);
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

void connection_apply(CURL *easy, struct str url, const struct http_settings *h, struct connection_lists *l)
{
	if (h->tls.server_name.n == 0 || !set_other_name(easy, url, h, l))
		connection_set_text(easy, CURLOPT_URL, url);
	connection_set_text(easy, CURLOPT_USERNAME, h->basic.user);
	connection_set_text(easy, CURLOPT_PASSWORD, h->basic.password);
	set_tls(easy, h);
	set_proxy(easy, h, l);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, h->follow_redirects ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, h->enable_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}
