/* A scrape's request. The easy handle is set up anew each time, so that a reloaded job takes effect; its connection
 * stays with the multi handle. Bodies are bounded while they are received. */
#include "scrape/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "scrape/request.h"
#include "tocsin/gzip.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { BODY_MAX = 64 << 20 };

struct fetch {
	CURL *easy;
	struct curl_slist *headers;
	struct buf body, plain; /* as received; decompressed */
	size_t limit;
	bool busy, over_limit;
	int64_t started_us;
	char error[CURL_ERROR_SIZE];
};

struct fetch *fetch_new(void *owner)
{
	struct fetch *f = mem_alloc(sizeof *f);

	f->easy = curl_easy_init();
	if (f->easy == NULL)
		mem_abort(0);
	curl_easy_setopt(f->easy, CURLOPT_PRIVATE, owner);
	return f;
}

void fetch_free(struct fetch *f, CURLM *multi)
{
	if (f->busy)
		curl_multi_remove_handle(multi, f->easy);
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->headers);
	buf_fini(&f->body);
	buf_fini(&f->plain);
	free(f);
}

bool fetch_is_busy(const struct fetch *f)
{
	return f->busy;
}

/* One byte past the limit is enough to know. */
static size_t receive(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	size_t room = f->limit - f->body.n;

	n *= size;
	if (n >= room) {
		buf_put(&f->body, data, room);
		f->over_limit = true;
		return 0;
	}
	buf_put(&f->body, data, n);
	return n;
}

static void set_headers(struct fetch *f, const struct target *t)
{
	char line[96], seconds[NUM_MAX];

	num_format_seconds(seconds, t->timeout_ms);
	snprintf(line, sizeof line, "X-Prometheus-Scrape-Timeout-Seconds: %s", seconds);
	request_add_header(&f->headers, line);
	request_add_header(&f->headers, "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	              "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
	              "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
}

static void set_request(struct fetch *f, const struct target *t)
{
	request_set_common(f->easy, t->url, t->job->follow_redirects, t->timeout_ms);
	request_set_tls(f->easy, &t->job->tls);
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
	request_add_header(&f->headers, t->job->enable_compression ? "Accept-Encoding: gzip" : "Accept-Encoding: identity");
}

bool fetch_start(struct fetch *f, CURLM *multi, const struct target *t, struct err *e)
{
	void *owner = NULL;

	curl_easy_getinfo(f->easy, CURLINFO_PRIVATE, &owner);
	curl_easy_reset(f->easy);
	curl_easy_setopt(f->easy, CURLOPT_PRIVATE, owner);
	curl_slist_free_all(f->headers);
	f->headers = NULL;
	buf_reset(&f->body);
	buf_reset(&f->plain);
	f->limit = t->job->body_size_limit > 0 ? (size_t)t->job->body_size_limit : BODY_MAX;
	f->over_limit = false;
	f->error[0] = '\0';
	f->started_us = clock_mono_us();
	set_headers(f, t);
	set_request(f, t);
	if (!request_set_auth(f->easy, &f->headers, &t->job->auth, e))
		return false;
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
	if (curl_multi_add_handle(multi, f->easy) != CURLM_OK)
		return err_set(e, ERR_UPSTREAM, -1, "curl refuses the request");
	f->busy = true;
	return true;
}

/* By ourselves: to curl a compressed body that ends too early is a whole one, and what it lacks would be gone. */
static struct str decompress(struct fetch *f, struct scrape_reply *r)
{
	struct curl_header *coding = NULL;
	struct err e = { 0 };

	if (curl_easy_header(f->easy, "Content-Encoding", 0, CURLH_HEADER, -1, &coding) != CURLHE_OK ||
	    str_eq_nocase(str_of(coding->value), STR("identity")))
		return buf_str(&f->body);
	if (!str_eq_nocase(str_of(coding->value), STR("gzip"))) {
		snprintf(f->error, sizeof f->error, "Content-Encoding \"%.100s\" was not asked for", coding->value);
		r->transport_error = f->error;
	} else if (!gzip_read(&f->plain, buf_str(&f->body), f->limit, &e)) {
		f->over_limit = e.code == ERR_LIMIT;
		snprintf(f->error, sizeof f->error, "%.255s", e.msg);
		r->transport_error = f->over_limit ? NULL : f->error;
	}
	(void)buf_z(&f->plain);
	return buf_str(&f->plain);
}

struct scrape_reply fetch_finish(struct fetch *f, CURLM *multi, CURLcode code)
{
	struct scrape_reply r = { .duration_s = (double)(clock_mono_us() - f->started_us) * 1e-6 };
	char *type = NULL;
	long status = 0;

	curl_multi_remove_handle(multi, f->easy);
	f->busy = false;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	if (code != CURLE_OK && !f->over_limit)
		r.transport_error = f->error[0] != '\0' ? f->error : curl_easy_strerror(code);
	r.http_status = (int)status;
	r.content_type = str_of(type);
	(void)buf_z(&f->body);
	r.body = r.transport_error == NULL && !f->over_limit ? decompress(f, &r) : buf_str(&f->body);
	if (f->over_limit && f->limit == BODY_MAX) {
		snprintf(f->error, sizeof f->error, "the reply is larger than %d bytes: set body_size_limit, or split the target", BODY_MAX);
		r.transport_error = f->error;
	}
	return r;
}
