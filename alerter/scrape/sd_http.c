/* http_sd: one request each refresh_interval. */
#include <stdio.h>
#include <stdlib.h>

#include "scrape/discovery.h"
#include "scrape/request.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/version.h"

enum { TIMEOUT_MS = 60000 };

struct http_run {
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	char error[CURL_ERROR_SIZE];
};

static void run_free(struct http_run *r)
{
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	buf_fini(&r->body);
	free(r);
}

static size_t receive(char *data, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, data, size * n);
	return b->overflow ? 0 : size * n;
}

static bool set_up(struct http_run *r, const struct scrape_sd *c, struct err *e)
{
	char line[96], seconds[NUM_MAX];
	int64_t timeout_ms = c->refresh_ms < TIMEOUT_MS ? c->refresh_ms : TIMEOUT_MS;

	r->body.limit = SD_BODY_MAX;
	request_set_common(r->easy, c->url, c->follow_redirects, timeout_ms);
	request_set_tls(r->easy, &c->tls);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, &r->body);
	num_format_seconds(seconds, c->refresh_ms);
	snprintf(line, sizeof line, "X-Prometheus-Refresh-Interval-Seconds: %s", seconds);
	request_add_header(&r->headers, line);
	request_add_header(&r->headers, "Accept: application/json");
	if (!request_set_auth(r->easy, &r->headers, &c->auth, e))
		return false;
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	return true;
}

bool sd_http_start(struct sd *sd, CURLM *multi)
{
	struct http_run *r = mem_alloc(sizeof *r);
	struct err e = { 0 };

	r->easy = curl_easy_init();
	if (r->easy == NULL)
		mem_abort(0);
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, sd);
	if (set_up(r, sd->config, &e) && curl_multi_add_handle(multi, r->easy) == CURLM_OK) {
		sd->running = r;
		return true;
	}
	if (e.code == ERR_NONE)
		err_set(&e, ERR_UPSTREAM, -1, "curl refuses the request");
	sd_source_failed(sd, sd_source(sd, sd->config->url), &e);
	run_free(r);
	return false;
}

/* Only a whole, well-formed answer is one. */
static bool check(struct http_run *r, CURLcode code, struct err *e)
{
	char *type = NULL;
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	if (r->body.overflow)
		return err_set(e, ERR_LIMIT, -1, "the answer is larger than %d bytes", SD_BODY_MAX);
	if (code != CURLE_OK)
		return err_set(e, ERR_UPSTREAM, -1, "%s", r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
	if (status != 200)
		return err_set(e, ERR_UPSTREAM, -1, "server returned HTTP status %ld", status);
	if (!request_media_type_is(str_of(type), "application/json"))
		return err_set(e, ERR_BAD_INPUT, -1, "Content-Type is \"%.80s\", not application/json", type != NULL ? type : "");
	return true;
}

void sd_http_done(struct sd *sd, CURLM *multi, CURLcode code)
{
	struct http_run *r = sd->running;
	struct sd_source *s = sd_source(sd, sd->config->url);
	struct sd_answer answer = { 0 };
	struct err e = { 0 };

	curl_multi_remove_handle(multi, r->easy);
	if (check(r, code, &e) && sd_answer_json(&answer, buf_str(&r->body), "__meta_url", sd->config->url, &e))
		sd_source_found(sd, s, &answer);
	else
		sd_source_failed(sd, s, &e);
	arena_fini(&answer.arena);
	run_free(r);
	sd->running = NULL;
}

void sd_http_cancel(struct sd *sd, CURLM *multi)
{
	struct http_run *r = sd->running;

	curl_multi_remove_handle(multi, r->easy);
	run_free(r);
	sd->running = NULL;
}
