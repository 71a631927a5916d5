/* A handle of each document lives as long as the fetcher, so that its connection does. */
#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "curl_need.h"
#include "tocsin/clock.h"
#include "tocsin/connection.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

struct fetch {
	CURL *easy;
	struct buf body;
	bool done;
	CURLcode code;
	char detail[CURL_ERROR_SIZE];
};

struct fetcher {
	CURLM *multi;
	struct curl_slist *headers;
	struct fetch *v;
	size_t n;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	buf_put(&f->body, p, size * n);
	return f->body.overflow ? CURL_WRITEFUNC_ERROR : size * n;
}

static void set_tls(CURL *easy, const struct fetch_options *o)
{
	if (o->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
	if (o->cert_file != NULL)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, o->cert_file);
	if (o->key_file != NULL)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, o->key_file);
	if (o->no_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static CURL *easy_new(const char *url, const struct fetch_options *o, struct curl_slist *headers, struct fetch *f)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		mem_abort(1);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	connection_guard_lookup(easy);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->detail);
	if (o->user != NULL) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, o->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, o->password);
	}
	set_tls(easy, o);
	return easy;
}

static struct curl_slist *headers_new(const struct fetch_options *o)
{
	struct curl_slist *list = curl_slist_append(NULL, "Accept: application/json");
	struct buf b = { 0 };

	buf_printf(&b, "User-Agent: tocsin-exporter/%s", version_text());
	list = curl_slist_append(list, buf_z(&b));
	for (size_t i = 0; i < o->headers.n; i++) {
		buf_reset(&b);
		buf_puts(&b, o->headers.v[i]);
		list = curl_slist_append(list, buf_z(&b));
	}
	buf_fini(&b);
	return list;
}

struct fetcher *fetcher_new(const char *const *urls, size_t n, const struct fetch_options *o)
{
	struct fetcher *f = mem_alloc(sizeof *f);

	f->multi = curl_multi_need();
	f->headers = headers_new(o);
	f->v = mem_alloc((n + 1) * sizeof *f->v);
	f->n = n;
	for (size_t i = 0; i < n; i++) {
		f->v[i].body.limit = o->body_max;
		f->v[i].easy = easy_new(urls[i], o, f->headers, &f->v[i]);
	}
	return f;
}

void fetcher_free(struct fetcher *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		curl_easy_cleanup(f->v[i].easy);
		buf_fini(&f->v[i].body);
	}
	curl_multi_cleanup(f->multi);
	curl_slist_free_all(f->headers);
	free(f->v);
	free(f);
}

static void note_done(CURLM *multi)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		struct fetch *one;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &one);
		one->done = true;
		one->code = m->data.result;
	}
}

static bool run(const struct fetcher *f, int64_t deadline_mono_ms, int stop_fd, struct err *e)
{
	for (;;) {
		struct curl_waitfd stop = { .fd = stop_fd, .events = CURL_WAIT_POLLIN };
		const int64_t left_ms = deadline_mono_ms - clock_mono_ms(&clock_system);
		int running;

		curl_multi_perform(f->multi, &running);
		note_done(f->multi);
		if (running == 0 || left_ms <= 0)
			return true;
		curl_multi_poll(f->multi, &stop, stop_fd >= 0, left_ms > 1000 ? 1000 : (int)left_ms, NULL);
		if (stop.revents != 0)
			return err_set(e, ERR_CANCELED, -1, "stopped");
	}
}

bool fetcher_run(struct fetcher *f, int64_t deadline_mono_ms, int stop_fd, struct err *e)
{
	bool ok;

	for (size_t i = 0; i < f->n; i++) {
		buf_reset(&f->v[i].body);
		f->v[i].detail[0] = '\0';
		f->v[i].body.overflow = f->v[i].done = false;
		curl_multi_add_handle(f->multi, f->v[i].easy);
	}
	ok = run(f, deadline_mono_ms, stop_fd, e);
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].done)
			connection_given_up(f->v[i].easy);
		curl_multi_remove_handle(f->multi, f->v[i].easy);
	}
	return ok;
}

bool fetcher_body(const struct fetcher *f, size_t i, struct str *body, long *status, struct err *e)
{
	const struct fetch *one = &f->v[i];

	*status = 0;
	curl_easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, status);
	if (!one->done)
		return err_set(e, ERR_TIMEOUT, -1, "no answer within the deadline");
	if (one->body.overflow)
		return err_set(e, ERR_LIMIT, -1, "the body is over %zu bytes (body_max)", one->body.limit);
	if (one->code != CURLE_OK)
		return err_set(e, ERR_UPSTREAM, -1, "%s", connection_failure(one->easy, one->code, one->detail));
	if (*status != 200)
		return err_set(e, ERR_UPSTREAM, -1, "HTTP status %ld", *status);
	*body = buf_str(&one->body);
	return true;
}
