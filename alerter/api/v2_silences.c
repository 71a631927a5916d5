/* Silences of the Alertmanager API, version 2. Source: Alertmanager's OpenAPI description of /api/v2. */
#include <ctype.h>

#include "v2_json.h"

static void put_text(struct json_out *j, const char *key, struct str value)
{
	json_out_key(j, key);
	json_out_str(j, value);
}

static void put_silence(struct json_out *j, const struct notify_silence *s)
{
	static const char *const states[] = {
	    [SILENCE_PENDING] = "pending", [SILENCE_ACTIVE] = "active", [SILENCE_EXPIRED] = "expired"};
	const struct {
		const char *key;
		int64_t ms;
	} times[] = {{"startsAt", s->starts_ms}, {"endsAt", s->ends_ms}, {"updatedAt", s->updated_ms}};

	json_out_open(j, '{');
	put_text(j, "id", s->id);
	json_out_key(j, "status");
	json_out_open(j, '{');
	put_text(j, "state", str_of(states[s->state]));
	json_out_close(j, '}');
	json_out_key(j, "matchers");
	json_out_open(j, '[');
	for (size_t i = 0; i < s->n_matchers; i++) {
		json_out_open(j, '{');
		put_text(j, "name", s->matchers[i].name);
		put_text(j, "value", s->matchers[i].value);
		json_out_key(j, "isRegex");
		json_out_bool(j, s->matchers[i].is_regex);
		json_out_key(j, "isEqual");
		json_out_bool(j, s->matchers[i].is_equal);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		json_out_key(j, times[i].key);
		json_out_time(j, times[i].ms);
	}
	put_text(j, "createdBy", s->author);
	put_text(j, "comment", s->comment);
	json_out_close(j, '}');
}

/* ---- Reading them. ---- */

struct wanted {
	const struct str *filters;
	size_t n_filters;
	bool show[3];  /* by state */
	struct str id; /* one; empty: a list */
};

static void run_get(struct api *api, struct http_request *q, void *job)
{
	const struct wanted *w = job;
	const struct notify_silence *v;
	struct err e = {0};
	struct buf b = {0};
	struct json_out j = {&b, false};
	size_t n, found = 0;

	if (!notify_silences(api->deps.notify, w->filters, w->n_filters, q->arena, &v, &n, &e)) {
		v2_refuse(q, &e);
		return;
	}
	if (w->id.n == 0)
		json_out_open(&j, '[');
	for (size_t i = 0; i < n; i++)
		if (w->id.n == 0 ? w->show[v[i].state] : str_eq(w->id, v[i].id)) {
			put_silence(&j, &v[i]);
			found++;
		}
	if (w->id.n == 0)
		json_out_close(&j, ']');
	if (w->id.n == 0 || found > 0)
		http_reply_buf(q, 200, "application/json", &b);
	else
		http_reply(q, 404, NULL, STR(""));
	buf_fini(&b);
}

static void get_list(struct http_request *q)
{
	static const char *const states[] = {
	    [SILENCE_PENDING] = "pending", [SILENCE_ACTIVE] = "active", [SILENCE_EXPIRED] = "expired"};
	struct wanted *w = ARENA_NEW(q->arena, struct wanted);
	struct err e = {0};
	bool ok = v2_filters(q, &w->filters, &w->n_filters, &e);

	for (size_t i = 0; ok && i < ARRAY_LEN(states); i++)
		ok = v2_query_flag(q, states[i], &w->show[i], &e);
	if (ok)
		pool_submit(((struct api *)q->ctx)->pool, q, run_get, w);
	else
		v2_refuse(q, &e);
}

/* ---- Changing them. ---- */

static bool read_matchers(struct http_request *q, json_t *list, struct notify_silence *out, struct err *e)
{
	struct notify_matcher *v = ARENA_ARRAY(q->arena, json_array_size(list) + 1, struct notify_matcher);
	json_t *one;
	size_t i;

	if (list == NULL || json_is_null(list))
		return err_set(e, ERR_EXEC, -1, "matchers in body is required");
	if (!json_is_array(list))
		return err_set(e, ERR_BAD_INPUT, -1, "matchers must be a list");
	if (json_array_size(list) == 0)
		return err_set(e, ERR_EXEC, -1, "matchers in body should have at least 1 items");
	out->matchers = v;
	json_array_foreach(list, i, one)
	{
		struct notify_matcher *m = &v[out->n_matchers++];

		m->is_equal = true;
		if (!json_is_object(one))
			return err_set(e, ERR_BAD_INPUT, -1, "matcher %zu is no object", i);
		if (!v2_text(one, "name", true, q->arena, &m->name, e) || !v2_text(one, "value", true, q->arena, &m->value, e) ||
		    !v2_flag(one, "isRegex", true, &m->is_regex, e) || !v2_flag(one, "isEqual", false, &m->is_equal, e))
			return err_context(e, "matcher %zu", i);
	}
	return true;
}

static bool read_silence(struct http_request *q, json_t *o, struct notify_silence *out, struct err *e)
{
	if (q->body.n == 0 || json_is_null(o))
		return err_set(e, ERR_EXEC, -1, "silence in body is required");
	if (!json_is_object(o))
		return err_set(e, ERR_BAD_INPUT, -1, "the body is no silence");
	return read_matchers(q, json_object_get(o, "matchers"), out, e) && v2_text(o, "id", false, q->arena, &out->id, e) &&
	       v2_text(o, "createdBy", true, q->arena, &out->author, e) && v2_text(o, "comment", true, q->arena, &out->comment, e) &&
	       v2_time(o, "startsAt", true, &out->starts_ms, e) && v2_time(o, "endsAt", true, &out->ends_ms, e);
}

static void run_post(struct api *api, struct http_request *q, void *job)
{
	struct err e = {0};
	struct buf b = {0};
	struct json_out j = {&b, false};
	struct str id;

	if (!notify_silence_set(api->deps.notify, job, q->arena, &id, &e)) {
		v2_refuse(q, &e);
		return;
	}
	json_out_open(&j, '{');
	put_text(&j, "silenceID", id);
	json_out_close(&j, '}');
	http_reply_buf(q, 200, "application/json", &b);
	buf_fini(&b);
}

static void post(struct http_request *q)
{
	struct notify_silence *s = ARENA_NEW(q->arena, struct notify_silence);
	json_t *o = json_loadb(q->body.n > 0 ? q->body.p : "", q->body.n, JSON_DECODE_ANY, NULL);
	struct err e = {0};
	bool ok = read_silence(q, o, s, &e);

	json_decref(o);
	if (ok)
		pool_submit(((struct api *)q->ctx)->pool, q, run_post, s);
	else
		v2_refuse(q, &e);
}

static void run_delete(struct api *api, struct http_request *q, void *job)
{
	struct err e = {0};

	if (notify_silence_expire(api->deps.notify, *(const struct str *)job, &e))
		http_reply(q, 200, NULL, STR(""));
	else
		v2_refuse(q, &e);
}

void api_v2_silences(struct http_request *q)
{
	if (q->method == HTTP_POST)
		post(q);
	else
		get_list(q);
}

static bool is_uuid(struct str s)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-' && !isxdigit((unsigned char)s.p[i]))
			return false;
		else
			digits += s.p[i] != '-';
	return digits == 32;
}

void api_v2_silence(struct http_request *q)
{
	struct wanted *w = ARENA_NEW(q->arena, struct wanted);
	struct err e = {0};

	w->id = q->rest;
	if (!is_uuid(w->id)) {
		err_set(&e, ERR_EXEC, -1, "the id of a silence is a UUID, not \"" STR_FMT "\"", STR_ARG(w->id));
		v2_refuse(q, &e);
		return;
	}
	pool_submit(((struct api *)q->ctx)->pool, q, q->method == HTTP_DELETE ? run_delete : run_get,
		    q->method == HTTP_DELETE ? (void *)&w->id : w);
}
