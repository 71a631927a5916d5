/* Health, readiness, reload, and what programs ask to learn who we are. */
#include "internal.h"

#include "tocsin/version.h"

void api_healthy(struct http_request *q)
{
	http_reply_text(q, 200, "Tocsin is healthy.\n");
}

void api_ready(struct http_request *q)
{
	struct api *api = q->ctx;
	struct api_state s = { 0 };

	api->deps.state(api->deps.ctx, &s);
	if (s.ready)
		http_reply_text(q, 200, "Tocsin is ready.\n");
	else
		http_reply_text(q, 503, "Tocsin is starting.\n");
}

static void run_reload(struct api *api, struct http_request *q, void *job)
{
	struct buf said = { 0 }, answer = { 0 };

	(void)job;
	if (api->deps.reload(api->deps.ctx, &said)) {
		http_reply(q, 200, NULL, STR(""));
	} else {
		buf_printf(&answer, "failed to reload config: " STR_FMT, STR_ARG(buf_str(&said)));
		http_reply_buf(q, 500, "text/plain; charset=utf-8", &answer);
	}
	buf_fini(&said);
	buf_fini(&answer);
}

void api_reload(struct http_request *q)
{
	struct api *api = q->ctx;

	pool_submit(api->pool, q, run_reload, NULL);
}

/* No "features" key: Grafana takes a server that has one for Mimir. */
void api_buildinfo(struct http_request *q)
{
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "version");
	json_out_strz(&j, version_text());
	json_out_key(&j, "revision");
	json_out_strz(&j, version_text());
	json_out_key(&j, "application");
	json_out_strz(&j, "tocsin-alerter");
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

void api_runtimeinfo(struct http_request *q)
{
	struct api *api = q->ctx;
	struct api_state s = { 0 };
	struct buf b = { 0 };
	struct json_out j;

	api->deps.state(api->deps.ctx, &s);
	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "startTime");
	json_out_time(&j, s.start_ms);
	json_out_key(&j, "reloadConfigSuccess");
	json_out_bool(&j, s.reload_good);
	json_out_key(&j, "lastConfigTime");
	json_out_time(&j, s.reload_ms);
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

void api_flags(struct http_request *q)
{
	struct api *api = q->ctx;
	struct buf b = { 0 }, value = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	for (const struct flag *f = api->deps.flags; f < api->deps.flags + api->deps.n_flags; f++) {
		if (str_eq(str_of(f->name), STR("help")) || str_eq(str_of(f->name), STR("version")))
			continue;
		value.n = 0;
		flag_print_value(&value, f);
		json_out_key(&j, f->name);
		json_out_str(&j, buf_str(&value));
	}
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&value);
	buf_fini(&b);
}

void api_config(struct http_request *q)
{
	struct api *api = q->ctx;
	struct buf b = { 0 }, text = { 0 };
	struct json_out j;

	api->deps.config_text(api->deps.ctx, &text);
	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "yaml");
	json_out_str(&j, buf_str(&text));
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&text);
	buf_fini(&b);
}
