/* The one sender behind all rows of notifiers.c. A template that fails takes its default, and the message goes out. */
#include "notify/receivers/notifier.h"

#include <jansson.h>
#include <stdlib.h>

#include "notify/config/config_values.h"
#include "notify/text.h"
#include "tocsin/log.h"
#include "tocsin/version.h"

/* ---- The message as the outbox keeps it: texts, no secrets. ---- */

struct rendering {
	const struct notice *notice;
	struct template_value data;
	bool html;
};

static bool try_expand(const struct rendering *r, const struct template *t, struct buf *out, struct err *e)
{
	struct notice n = *r->notice;

	return r->html ? template_expand_html(t, r->data, &n, n.arena, out, e) : template_expand(t, r->data, &n, n.arena, out, e);
}

/* With the first half of the alerts, or of these the half, until the text is not too long. */
static bool expand_shorter(const struct rendering *r, const struct template *t, struct buf *out)
{
	struct notice less = *r->notice;

	for (less.n /= 2; less.n > 0; less.n /= 2) {
		const struct rendering own = {&less, notice_template_data(&less), r->html};
		struct err e = {0};

		if (try_expand(&own, t, out, &e)) {
			buf_printf(out, "\n(of %zu alerts the first %zu: the text would be too long)", r->notice->n, less.n);
			return true;
		}
	}
	return false;
}

static bool expand_one(const struct rendering *r, const struct template *t, struct buf *out)
{
	struct err e = {0};

	if (try_expand(r, t, out, &e) || (e.code == ERR_LIMIT && expand_shorter(r, t, out)))
		return true;
	log_event(LOG_WARN, "a template failed; its default is sent", "integration", r->notice->integration->name.p, "err", e.msg,
		  NULL);
	return false;
}

static void make_text(struct buf *text, const struct rendering *r, const struct template *t, const struct template *fallback)
{
	if (!expand_one(r, t, text) && (fallback == NULL || !expand_one(r, fallback, text)))
		buf_puts(text, labels_get(r->notice->group->labels, STR("alertname")));
}

static void put_text(struct json_out *j, const struct rendering *r, const struct template *t, const struct template *fallback)
{
	struct buf text = {0};

	make_text(&text, r, t, fallback);
	json_out_str(j, str_trim(buf_str(&text)));
	buf_fini(&text);
}

/* A list or an object that a template writes is one; anything else is a text. */
static void put_text_or_json(struct json_out *j, const struct rendering *r, const struct template *t)
{
	struct buf text = {0};
	json_t *o;

	make_text(&text, r, t, NULL);
	o = json_loadb(text.n > 0 ? text.p : "", text.n, 0, NULL);
	if (o != NULL)
		json_out_raw(j, str_trim(buf_str(&text)));
	else
		json_out_str(j, buf_str(&text));
	json_decref(o);
	buf_fini(&text);
}

static void put_tree(struct json_out *j, const struct rendering *r, const struct setting_tree *t)
{
	bool map = t->kind == CONF_MAP;

	if (t->text != NULL && t->json) {
		put_text_or_json(j, r, t->text);
		return;
	}
	if (t->text != NULL) {
		put_text(j, r, t->text, NULL);
		return;
	}
	if (t->kind != CONF_SEQ && !map) {
		json_out_raw(j, t->plain);
		return;
	}
	json_out_open(j, map ? '{' : '[');
	for (size_t i = 0; i < t->n; i++) {
		if (map)
			json_out_key_str(j, t->names[i]);
		put_tree(j, r, &t->items[i]);
	}
	json_out_close(j, map ? '}' : ']');
}

void notifier_put_tree(struct json_out *j, const struct notice *n, const struct setting_tree *t)
{
	put_tree(j, &(struct rendering){n, notice_template_data(n), false}, t);
}

static void put_plain(struct json_out *j, const struct setting_row *row, const struct setting *s)
{
	if (row->value != NULL && row->value->bare && s->plain.n > 0)
		json_out_raw(j, s->plain);
	else
		json_out_str(j, s->plain);
}

static bool texts_are_html(const struct notice *n, const struct notifier_settings *s)
{
	struct template_field v[NOTIFIER_MAX_SETTINGS];
	struct template_map m = {v, 0, &template_string_map};
	struct buf out = {0};
	struct err e = {0};
	bool html;

	if (s->html == NULL)
		return false;
	for (size_t i = 0; i < s->notifier->n_settings; i++)
		v[m.n++] = (struct template_field){str_of(s->notifier->settings[i].name), template_str(s->v[i].plain)};
	html = template_expand(s->html, (struct template_value){.kind = TEMPLATE_MAP, .map = &m}, NULL, n->arena, &out, &e) &&
	       str_eq(str_trim(buf_str(&out)), STR("true"));
	buf_fini(&out);
	return html;
}

static void put_settings(struct json_out *j, const struct rendering *r, const struct notifier_settings *s)
{
	json_out_key(j, "settings");
	json_out_open(j, '{');
	for (size_t i = 0; i < s->notifier->n_settings; i++) {
		const struct setting_row *row = &s->notifier->settings[i];
		const struct setting *v = &s->v[i];
		struct rendering own = *r;

		own.html = r->html || (row->flags & SETTING_HTML) != 0;
		if ((row->flags & (SETTING_SECRET | SETTING_LATE | SETTING_REFUSED)) != 0 ||
		    ((row->flags & SETTING_TREE) != 0 && v->tree == NULL))
			continue;
		json_out_key(j, row->name);
		if (v->tree != NULL)
			put_tree(j, &own, v->tree);
		else if (v->text != NULL)
			put_text(j, &own, v->text, v->fallback);
		else
			put_plain(j, row, v);
	}
	json_out_close(j, '}');
}

void notifier_render(const struct notice *n, struct buf *out)
{
	const struct notifier_settings *s = n->integration->notifier;
	const struct rendering r = {n, notice_template_data(n), texts_are_html(n, s)};
	struct json_out j = {out, false};

	json_out_open(&j, '{');
	json_out_key(&j, "status");
	json_out_strz(&j, n->n_firing > 0 ? "firing" : "resolved");
	json_out_key(&j, "labels");
	json_out_labels(&j, notice_common(n->arena, n->alerts, n->n, false));
	if (s->notifier->wants_webhook) {
		struct buf body = {0};

		receiver_webhook.render(n, &body);
		json_out_key(&j, "webhook");
		json_out_str(&j, buf_str(&body));
		buf_fini(&body);
	}
	put_settings(&j, &r, s);
	json_out_close(&j, '}');
}

/* ---- The request. ---- */

struct str notifier_setting(const struct delivery *d, const struct json_t *texts, const char *name)
{
	const struct notifier_settings *s = d->integration->notifier;
	json_t *text = json_object_get(texts, name);

	if (json_is_string(text))
		return (struct str){json_string_value(text), json_string_length(text)};
	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (str_eq(str_of(s->notifier->settings[i].name), str_of(name)))
			return s->v[i].plain;
	return STR("");
}

static struct template_value from_json(struct arena *a, json_t *v)
{
	struct template_value *items;
	struct template_field *fields;
	struct template_map *m;
	const char *name;
	size_t n = 0, i;
	json_t *one;

	switch (json_typeof(v)) {
	case JSON_STRING:
		return template_str(arena_str(a, (struct str){json_string_value(v), json_string_length(v)}));
	case JSON_INTEGER:
		return template_int(json_integer_value(v));
	case JSON_REAL:
		return template_float(json_real_value(v));
	case JSON_TRUE:
	case JSON_FALSE:
		return template_bool(json_is_true(v));
	case JSON_NULL:
		return (struct template_value){.kind = TEMPLATE_NIL};
	case JSON_ARRAY:
		items = ARENA_ARRAY(a, json_array_size(v) + 1, struct template_value);
		json_array_foreach(v, i, one) items[n++] = from_json(a, one);
		return template_list_of(a, items, n, NULL);
	case JSON_OBJECT:
		break;
	}
	fields = ARENA_ARRAY(a, json_object_size(v) + 1, struct template_field);
	m = ARENA_NEW(a, struct template_map);
	json_object_foreach(v, name, one) fields[n++] = (struct template_field){arena_str(a, str_of(name)), from_json(a, one)};
	*m = (struct template_map){fields, n, &template_string_map};
	return (struct template_value){.kind = TEMPLATE_MAP, .map = m};
}

static struct template_value text_of(json_t *o, const char *key)
{
	json_t *s = json_object_get(o, key);

	return template_str(json_is_string(s) ? (struct str){json_string_value(s), json_string_length(s)} : STR(""));
}

static bool expand(struct delivery *d, const struct template *t, struct template_value data, struct str *out, struct err *e)
{
	struct buf b = {0};
	bool ok = template_expand(t, data, NULL, &d->arena, &b, e);

	*out = arena_str(&d->arena, buf_str(&b));
	buf_fini(&b);
	return ok;
}

/* Whether the messages of its episode are one. */
static bool is_edited(struct delivery *d, json_t *kept)
{
	const struct template *t = d->integration->notifier->edits;
	struct str text = STR("");
	struct err e = {0};

	return t != NULL && expand(d, t, from_json(&d->arena, json_object_get(kept, "settings")), &text, &e) && str_eq(text, STR("true"));
}

static struct template_value late_value(const struct setting_row *row, const struct setting *s)
{
	int64_t number;

	return row->value == &value_whole && str_to_int64(s->plain, &number) ? template_int(number) : template_str(s->plain);
}

/* What was kept, and what is not: secrets, whether it may be a repeat, the episode. */
static struct template_value request_data(struct delivery *d, json_t *kept)
{
	const struct notifier_settings *s = d->integration->notifier;
	struct template_value settings = from_json(&d->arena, json_object_get(kept, "settings"));
	size_t n = settings.map->n;
	struct template_field *v = ARENA_ARRAY(&d->arena, n + NOTIFIER_MAX_SETTINGS + 12, struct template_field);
	struct template_map *m = ARENA_NEW(&d->arena, struct template_map);
	bool edited = is_edited(d, kept);

	memcpy(v, settings.map->v, n * sizeof *v);
	for (size_t i = 0; i < s->notifier->n_settings; i++)
		if (s->notifier->settings[i].flags & (SETTING_SECRET | SETTING_LATE))
			v[n++] = (struct template_field){str_of(s->notifier->settings[i].name), late_value(&s->notifier->settings[i], &s->v[i])};
	v[n++] = (struct template_field){STR("status"), text_of(kept, "status")};
	v[n++] = (struct template_field){STR("webhook"), text_of(kept, "webhook")};
	v[n++] = (struct template_field){STR("labels"), from_json(&d->arena, json_object_get(kept, "labels"))};
	v[n++] = (struct template_field){STR("region"), template_str(d->integration->aws.region)};
	v[n++] = (struct template_field){STR("key"), template_str(d->message->key)};
	v[n++] = (struct template_field){STR("episode"), template_str(str_of(d->message->episode->id))};
	v[n++] = (struct template_field){STR("plain"), template_bool(d->state != NULL)};
	v[n++] = (struct template_field){STR("again"), template_bool(d->message->seq > 1)};
	v[n++] = (struct template_field){STR("remote"), template_str(edited ? d->message->episode->remote : STR(""))};
	v[n++] = (struct template_field){STR("remote_channel"), template_str(edited ? d->message->episode->remote_status : STR(""))};
	v[n++] = (struct template_field){STR("repeat"), template_str(d->message->doubtful ? STR(" (possible repeat)") : STR(""))};
	v[n++] = (struct template_field){STR("repeat_escaped"), template_str(d->message->doubtful ? STR(" \\(possible repeat\\)") : STR(""))};
	*m = (struct template_map){v, n, &template_string_map};
	return (struct template_value){.kind = TEMPLATE_MAP, .map = m};
}

static bool make_headers(struct delivery *d, struct template_value data, struct err *e)
{
	const struct notifier_settings *s = d->integration->notifier;
	const char *type = s->notifier->content_type != NULL ? s->notifier->content_type : "application/json";
	struct label *h = ARENA_ARRAY(&d->arena, NOTIFIER_MAX_HEADERS + 2, struct label);
	size_t n = 0;

	h[n++] = (struct label){STR("Content-Type"), str_of(type)};
	h[n++] = (struct label){STR("User-Agent"), arena_printf(&d->arena, "tocsin-alerter/%s", version_text())};
	for (size_t i = 0; i < NOTIFIER_MAX_HEADERS && s->headers[i] != NULL; i++) {
		struct str value;

		if (!expand(d, s->headers[i], data, &value, e))
			return false;
		if (value.n > 0)
			h[n++] = (struct label){str_of(s->notifier->headers[i].name), value};
	}
	d->call.headers = h;
	d->call.n_headers = n;
	return true;
}

static bool make_call(struct delivery *d, struct template_value data, struct err *e)
{
	const struct notifier_settings *s = d->integration->notifier;
	const char *method = d->step > 0 ? s->notifier->more[d->step - 1].method : "POST";

	d->call = (struct http_call){.method = method, .http = &d->integration->http, .timeout_ms = d->integration->timeout_ms};
	d->call.aws = s->notifier->signs_aws ? &d->integration->aws : NULL;
	d->call_changes = true;
	return expand(d, d->step > 0 ? s->more_urls[d->step - 1] : s->url, data, &d->call.url, e) &&
	       expand(d, d->step > 0 ? s->more_bodies[d->step - 1] : s->body, data, &d->call.body, e) && make_headers(d, data, e);
}

/* The request number <step>; those behind the first may not be wanted. */
static enum deliver_next ask(struct delivery *d, int step)
{
	const struct notifier_settings *s = d->integration->notifier;
	json_t *kept = json_loadb(d->message->payload.p, d->message->payload.n, JSON_ALLOW_NUL, NULL);
	struct err e = {0};
	bool ok = json_is_object(json_object_get(kept, "settings")) && json_is_object(json_object_get(kept, "labels"));

	d->call.url = STR("");
	for (d->step = step; ok && d->call.url.n == 0 && d->step <= NOTIFIER_MAX_MORE; d->step++)
		if (d->step == 0 || s->more_urls[d->step - 1] != NULL)
			ok = make_call(d, request_data(d, kept), &e);
	json_decref(kept);
	if (ok && d->call.url.n > 0)
		return DELIVER_ASK;
	if (ok && step > 0)
		return DELIVER_DONE;
	d->note = "the message cannot be made into a request";
	log_event(LOG_ERROR, d->note, "integration", d->integration->name.p, "err", e.msg, NULL);
	return DELIVER_DEAD;
}

/* ---- The answer. ---- */

static double retry_after(json_t *o)
{
	json_t *direct = json_object_get(o, "retry_after"),
	       *inner = json_object_get(json_object_get(o, "parameters"), "retry_after");

	return json_number_value(direct != NULL ? direct : inner);
}

static void set_remote(struct delivery *d, struct str ts, struct str channel)
{
	struct episode *e = d->message->episode;

	text_set(&e->remote, ts);
	text_set(&e->remote_status, channel);
	episode_save(d->core, e);
}

static void keep_remote(struct delivery *d, json_t *answer)
{
	const char *ts = json_string_value(json_object_get(answer, "ts")), *channel = json_string_value(json_object_get(answer, "channel"));
	json_t *kept = json_loadb(d->message->payload.p, d->message->payload.n, JSON_ALLOW_NUL, NULL);

	if (ts != NULL && channel != NULL && d->message->episode->remote.n == 0 && is_edited(d, kept))
		set_remote(d, str_of(ts), str_of(channel));
	json_decref(kept);
}

/* What we would edit is gone or too old: then it is told anew. */
static bool forget_remote(struct delivery *d, struct str answer)
{
	static const char *const gone[] = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found",
					   "cannot_reply_to_message"};

	for (size_t i = 0; i < ARRAY_LEN(gone) && d->message->episode->remote.n > 0; i++)
		if (str_find(answer, str_of(gone[i])) < answer.n) {
			set_remote(d, STR(""), STR(""));
			return true;
		}
	return false;
}

/* Some say with 200 that they refuse. */
static enum deliver_next judge_body(struct delivery *d, const struct http_answer *a, enum deliver_next next)
{
	json_t *o = json_loadb(a->body.p != NULL ? a->body.p : "", a->body.n, 0, NULL);
	double wish_s = retry_after(o);

	if (next == DELIVER_RETRY && d->retry_after_ms < 0 && wish_s > 0 && wish_s < 86400)
		d->retry_after_ms = (int64_t)(wish_s * 1000) + 1;
	if (next == DELIVER_DONE && (json_is_false(json_object_get(o, "ok")) || json_is_false(json_object_get(o, "success")))) {
		d->note = "refused";
		next = str_find(a->body, STR("ratelimited")) < a->body.n ? DELIVER_RETRY : DELIVER_DEAD;
		if (next == DELIVER_DEAD && forget_remote(d, a->body))
			next = DELIVER_RETRY;
	} else if (next == DELIVER_DONE)
		keep_remote(d, o);
	if (next == DELIVER_DONE && str_find(a->body, STR("HTTP error 429")) < a->body.n) {
		d->note = "accepted, but not passed on";
		next = DELIVER_RETRY;
	}
	json_decref(o);
	return next;
}

/* What was cut, or was written by hand, may be no valid markup: better read as it is than not at all. Once an attempt. */
static bool becomes_plain(struct delivery *d, const struct http_answer *a)
{
	if (d->state != NULL || a->status != 400 || str_find(a->body, STR("can't parse entities")) >= a->body.n)
		return false;
	d->state = ARENA_NEW(&d->arena, bool);
	return true;
}

/* Of the request that was answered: what stands behind the first is behind by one. */
static bool is_optional(const struct delivery *d)
{
	return d->step > 1 && d->integration->notifier->notifier->more[d->step - 2].optional;
}

enum deliver_next notifier_advance(struct delivery *d, const struct http_answer *answer)
{
	enum deliver_next next;

	if (answer == NULL)
		return ask(d, 0);
	next = receiver_judge(d, answer);
	next = answer->fate == HTTP_ANSWERED ? judge_body(d, answer, next) : next;
	if (next == DELIVER_DEAD && becomes_plain(d, answer))
		return ask(d, 0);
	if (next != DELIVER_DONE && is_optional(d)) {
		log_event(LOG_WARN, "the message was taken, what goes with it was not", "integration", d->integration->name.p, "err",
			  arena_strz(&d->arena, outbox_describe(d, answer)), NULL);
		next = DELIVER_DONE;
	}
	return next == DELIVER_DONE ? ask(d, d->step) : next;
}

void notifier_secrets(const struct integration *in, struct str *out, size_t *n)
{
	const struct notifier_settings *s = in->notifier;

	if (in->aws.secret_key.n > 0)
		out[(*n)++] = in->aws.secret_key;
	for (size_t i = 0, found = in->aws.secret_key.n > 0; i < s->notifier->n_settings && found < RECEIVER_MAX_SECRETS; i++)
		if ((s->notifier->settings[i].flags & SETTING_SECRET) && s->v[i].plain.n > 0) {
			out[(*n)++] = s->v[i].plain;
			found++;
		}
}
