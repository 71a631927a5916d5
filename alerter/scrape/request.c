/* Settings of a configuration onto a curl handle. */
#include "scrape/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/version.h"

void request_add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer == NULL)
		mem_abort(0);
	*headers = longer;
}

void request_set_text(CURL *easy, CURLoption option, struct str s)
{
	char *z = mem_strndup(s.p, s.n);

	if (s.n > 0)
		curl_easy_setopt(easy, option, z);
	free(z);
}

void request_set_common(CURL *easy, struct str url, bool follow_redirects, int64_t timeout_ms)
{
	char agent[80];

	snprintf(agent, sizeof agent, "tocsin-alerter/%s", version_text());
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, follow_redirects ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
	request_set_text(easy, CURLOPT_URL, url);
}

void request_set_tls(CURL *easy, const struct scrape_tls *t)
{
	request_set_text(easy, CURLOPT_CAINFO, t->ca_file);
	request_set_text(easy, CURLOPT_SSLCERT, t->cert_file);
	request_set_text(easy, CURLOPT_SSLKEY, t->key_file);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, t->insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, t->insecure_skip_verify ? 0L : 2L);
}

static void set_login(CURL *easy, struct curl_slist **headers, const struct scrape_auth *a, struct str secret)
{
	struct buf line = { 0 };

	if (a->username.n > 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		request_set_text(easy, CURLOPT_USERNAME, a->username);
		request_set_text(easy, CURLOPT_PASSWORD, secret);
	} else if (secret.n > 0) {
		buf_printf(&line, "Authorization: %.*s ", STR_ARG(a->type));
		buf_puts(&line, secret);
		request_add_header(headers, buf_z(&line));
		conf_secret_wipe(&line);
	}
}

bool request_set_auth(CURL *easy, struct curl_slist **headers, const struct scrape_auth *a, struct err *e)
{
	struct buf secret = { 0 };
	bool ok;

	if (a->secret_file.n == 0) {
		set_login(easy, headers, a, a->username.n > 0 ? a->password : a->credentials);
		return true;
	}
	ok = conf_secret_read(a->secret_file.p, &secret, e);
	if (ok && str_chr(buf_str(&secret), '\n') < secret.n)
		ok = err_set(e, ERR_BAD_INPUT, -1, "%s holds more than one line", a->secret_file.p);
	if (ok)
		set_login(easy, headers, a, buf_str(&secret));
	conf_secret_wipe(&secret);
	return ok;
}

bool request_media_type_is(struct str type, const char *name)
{
	size_t n = str_chr(type, ';');

	return str_eq_nocase(str_trim((struct str){ type.p, n }), str_of(name));
}
