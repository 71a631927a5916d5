/* http_sd: one request each refresh_interval. */
#include <stdlib.h>

#include "scrape/discovery.h"
#include "scrape/request.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { TIMEOUT_MS = 60000 };

bool sd_http_start(struct sd *sd, CURLM *multi, struct tokens *tokens)
{
	const struct scrape_sd *c = sd->config;
	char seconds[NUM_MAX];
	const struct request_call call = {
		.http = &c->http,
		.url = c->url,
		.timeout_ms = c->refresh_ms < TIMEOUT_MS ? c->refresh_ms : TIMEOUT_MS,
		.limit = SD_BODY_MAX,
		.headers = { { STR("X-Prometheus-Refresh-Interval-Seconds"), { seconds, num_format_seconds(seconds, c->refresh_ms) } },
		             { STR("Accept"), STR("application/json") } },
	};
	struct request *r = mem_alloc(sizeof *r);
	struct err e = { 0 };

	request_init(r);
	if (request_start(r, multi, tokens, &call, sd, &e)) {
		sd->running = r;
		return true;
	}
	sd_source_failed(sd, sd_source(sd, c->url), &e);
	request_fini(r, multi);
	free(r);
	return false;
}

/* Only a whole, well-formed answer is one. */
static bool check(const struct request *r, struct err *e)
{
	struct str type = request_content_type(r);

	if (e->code != ERR_NONE)
		return false;
	if (r->over_limit)
		return err_set(e, ERR_LIMIT, -1, "the answer is larger than %d bytes", SD_BODY_MAX);
	if (request_status(r) != 200)
		return err_set(e, ERR_UPSTREAM, -1, "server returned HTTP status %d", request_status(r));
	if (!request_media_type_is(type, "application/json"))
		return err_set(e, ERR_BAD_INPUT, -1, "Content-Type is \"%.*s\", not application/json", (int)(type.n < 80 ? type.n : 80),
		               type.n > 0 ? type.p : "");
	return true;
}

bool sd_http_done(struct sd *sd, CURLM *multi, struct tokens *tokens, CURLcode code)
{
	struct request *r = sd->running;
	struct sd_answer answer = { 0 };
	struct sd_source *s;
	struct err e = { 0 };

	if (request_goes_on(r, multi, tokens, code, &e))
		return false;
	s = sd_source(sd, sd->config->url);
	if (check(r, &e) && sd_answer_json(&answer, buf_str(&r->body), "__meta_url", sd->config->url, &e))
		sd_source_found(sd, s, &answer);
	else
		sd_source_failed(sd, s, &e);
	arena_fini(&answer.arena);
	sd_http_cancel(sd, multi);
	return true;
}

void sd_http_cancel(struct sd *sd, CURLM *multi)
{
	request_fini(sd->running, multi);
	free(sd->running);
	sd->running = NULL;
}
