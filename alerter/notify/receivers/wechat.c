/* WeChat Work: a token first, then the message with it. Source: WeChat Work developer documentation, "gettoken" and "message/send". */
#include <jansson.h>

#include "notify/receivers/markup.h"
#include "notify/receivers/notifier.h"
#include "tocsin/http.h"

#define MAX_BYTES 2048

enum { STEP_TOKEN = 1, STEP_MESSAGE };

static void ask(struct delivery *d, const char *method, struct str url, struct str body, bool changes)
{
	struct label *headers = ARENA_ARRAY(&d->arena, 1, struct label);

	headers[0] = (struct label){ STR("Content-Type"), STR("application/json") };
	d->call = (struct http_call){ .method = method, .url = url, .headers = headers, .n_headers = 1, .body = body,
				      .http = &d->integration->http, .timeout_ms = d->integration->timeout_ms };
	d->call_changes = changes;
}

static void put_encoded(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "%s=", name);
	http_encode(b, value);
}

/* The address of a call: base with one slash, path, and what follows. */
static struct str make_url(struct delivery *d, json_t *texts, const char *path, const char *name, struct str value, struct str secret)
{
	struct str base = notifier_setting(d, texts, "api_url"), out;
	struct buf b = { 0 };

	buf_printf(&b, STR_FMT "%s%s?", STR_ARG(base), str_ends(base, STR("/")) ? "" : "/", path);
	put_encoded(&b, name, value);
	if (secret.n > 0) {
		buf_putc(&b, '&');
		put_encoded(&b, "corpsecret", secret);
	}
	out = arena_str(&d->arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

static struct str make_body(struct delivery *d, json_t *texts)
{
	bool markdown = str_eq(notifier_setting(d, texts, "message_type"), STR("markdown"));
	const char *type = markdown ? "markdown" : "text";
	static const char *const to[][2] = { { "touser", "to_user" }, { "toparty", "to_party" }, { "totag", "to_tag" }, { "agentid", "agent_id" } };
	struct str text = notifier_setting(d, texts, "message"), out;
	struct buf b = { 0 };
	struct json_out j = { &b, false };

	json_out_open(&j, '{');
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		json_out_key(&j, to[i][0]);
		json_out_str(&j, notifier_setting(d, texts, to[i][1]));
	}
	json_out_key(&j, "msgtype");
	json_out_strz(&j, type);
	json_out_key(&j, "safe");
	json_out_strz(&j, "0");
	json_out_key(&j, type);
	json_out_open(&j, '{');
	json_out_key(&j, "content");
	json_out_str(&j, markup_cut(&d->arena, text, &(struct markup_limit){ .max = MAX_BYTES, .bytes = true }));
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	out = arena_str(&d->arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* 200, and in the body whether it was meant so. */
static enum deliver_next judge(struct delivery *d, const struct http_answer *a, json_t *o)
{
	static const int tokens[] = { 40014, 42001, 41001 }, later[] = { -1, 45009, 45033 };
	json_int_t code = json_integer_value(json_object_get(o, "errcode"));
	enum deliver_next next = receiver_judge(d, a);

	if (next != DELIVER_DONE || code == 0)
		return next;
	d->note = "refused";
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		if (code == tokens[i] || code == later[i])
			return DELIVER_RETRY;
	return DELIVER_DEAD;
}

enum deliver_next wechat_advance(struct delivery *d, const struct http_answer *answer)
{
	json_t *kept = json_loadb(d->message->payload.p, d->message->payload.n, JSON_ALLOW_NUL, NULL), *texts = json_object_get(kept, "settings");
	json_t *o = answer != NULL && answer->fate == HTTP_ANSWERED ? json_loadb(answer->body.n > 0 ? answer->body.p : "", answer->body.n, 0, NULL) : NULL;
	const char *token = json_string_value(json_object_get(o, "access_token"));
	enum deliver_next next = DELIVER_ASK;

	if (answer == NULL) {
		d->step = STEP_TOKEN;
		ask(d, "GET", make_url(d, texts, "gettoken", "corpid", notifier_setting(d, texts, "corp_id"), notifier_setting(d, texts, "api_secret")),
		    STR(""), false);
	} else if ((next = judge(d, answer, o)) == DELIVER_DONE && d->step == STEP_TOKEN) {
		d->step = STEP_MESSAGE;
		next = token != NULL ? DELIVER_ASK : DELIVER_RETRY;
		ask(d, "POST", make_url(d, texts, "message/send", "access_token", str_of(token != NULL ? token : ""), STR("")), make_body(d, texts), true);
	}
	json_decref(o);
	json_decref(kept);
	return next;
}
