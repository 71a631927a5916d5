/* The hot path of the event stream: two walks over bytes (envelope, body) and one base64 decoding an event, nothing else. */
#include "celery/event.h"

#include <math.h>

#include "celery/base64.h"
#include "celery/jscan.h"
#include "tocsin/clock.h"

#define EXCEPTION_MAX 80        /* bytes of a class name */

static const struct {
	struct str name;
	enum celery_event_type type;
} types[] = {
	{ { "task-received", 13 }, EVENT_TASK_RECEIVED },   { { "task-started", 12 }, EVENT_TASK_STARTED },
	{ { "task-succeeded", 14 }, EVENT_TASK_SUCCEEDED }, { { "task-sent", 9 }, EVENT_TASK_SENT },
	{ { "task-failed", 11 }, EVENT_TASK_FAILED },       { { "task-rejected", 13 }, EVENT_TASK_REJECTED },
	{ { "task-revoked", 12 }, EVENT_TASK_REVOKED },     { { "task-retried", 12 }, EVENT_TASK_RETRIED },
	{ { "worker-heartbeat", 16 }, EVENT_WORKER_HEARTBEAT }, { { "worker-online", 13 }, EVENT_WORKER_ONLINE },
	{ { "worker-offline", 14 }, EVENT_WORKER_OFFLINE },
};

static enum celery_event_type type_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(name, types[i].name))
			return types[i].type;
	return EVENT_OTHER;
}

/* ---- Envelope ---- */

struct envelope {
	struct str body, content_type, body_encoding, compression, ticket;
};

static void take_member(struct jscan *j, struct arena *a, struct str key, const char *name, struct str *to, bool *taken)
{
	if (*taken || !str_eq(key, str_of(name)))
		return;
	jscan_text(j, a, to);
	*taken = true;
}

static void read_inner(struct jscan *j, struct arena *a, struct envelope *env)
{
	struct str key;

	if (!jscan_enter(j))
		return;
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		bool taken = false;
		take_member(j, a, key, "body_encoding", &env->body_encoding, &taken);
		take_member(j, a, key, "compression", &env->compression, &taken);
		take_member(j, a, key, "ticket", &env->ticket, &taken);
		if (!taken)
			jscan_skip(j);
	}
}

static bool read_envelope(struct arena *a, struct str message, struct envelope *env)
{
	struct jscan j = jscan_of(message);
	struct str key;

	if (!jscan_open(&j, '{'))
		return false;
	for (bool first = true; jscan_member(&j, first, &key); first = false) {
		bool taken = false;
		take_member(&j, a, key, "body", &env->body, &taken);
		take_member(&j, a, key, "content-type", &env->content_type, &taken);
		if (!taken && (str_eq(key, STR("headers")) || str_eq(key, STR("properties"))))
			read_inner(&j, a, env);
		else if (!taken)
			jscan_skip(&j);
	}
	return !j.bad;
}

bool celery_envelope_open(struct arena *a, struct str message, struct str *body, struct str *ticket, struct err *e)
{
	struct envelope env = { .body = STR("") };

	if (!read_envelope(a, message, &env))
		return err_set(e, ERR_UPSTREAM, -1, "message is not JSON");
	if (!str_eq(env.content_type, STR("application/json")))
		return err_set(e, ERR_UPSTREAM, -1, "content-type of the message is not application/json");
	if (env.compression.n != 0)
		return err_set(e, ERR_UPSTREAM, -1, "message is compressed");
	if (ticket != NULL)
		*ticket = env.ticket;
	*body = env.body;
	if (str_eq(env.body_encoding, STR("base64")) && !base64_decode(a, env.body, body))
		return err_set(e, ERR_UPSTREAM, -1, "body of the message is not base64");
	return true;
}

/* ---- Messages of tasks ---- */

struct task_headers {
	struct conf_strs names;
	struct str id;
	double sent_s;
};

static bool read_time(struct str text, double *s)
{
	int64_t ms;

	if (str_to_double(text, s))
		return true;
	if (!clock_parse_rfc3339(text.p, text.n, &ms))
		return false;
	*s = (double)ms * 1e-3;
	return true;
}

static void take_sent(struct jscan *j, struct arena *a, struct task_headers *h)
{
	struct str text = STR("");
	double s = NAN;

	if (jscan_peek(j) == '"') {
		jscan_text(j, a, &text);
		if (!read_time(text, &s))
			return;
	} else {
		jscan_number(j, &s);
	}
	if (celery_is_time(s))
		h->sent_s = s;
}

static bool is_sent_header(const struct task_headers *h, struct str key)
{
	for (size_t i = 0; i < h->names.n; i++)
		if (str_eq(key, h->names.v[i]))
			return true;
	return false;
}

static void read_task_headers(struct jscan *j, struct arena *a, struct task_headers *h)
{
	struct str key;

	if (!jscan_enter(j))
		return;
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		if (str_eq(key, STR("id")) || str_eq(key, STR("correlation_id")))
			jscan_text(j, a, &h->id);
		else if (is_sent_header(h, key))
			take_sent(j, a, h);
		else
			jscan_skip(j);
	}
}

void celery_message_sent(struct arena *a, struct str message, struct conf_strs headers, struct str *id, double *sent_s)
{
	struct task_headers h = { .names = headers, .id = *id, .sent_s = *sent_s };
	struct jscan j = jscan_of(message);
	struct str key;

	if (!jscan_open(&j, '{'))
		return;
	for (bool first = true; jscan_member(&j, first, &key); first = false) {
		if (str_eq(key, STR("headers")) || str_eq(key, STR("properties")))
			read_task_headers(&j, a, &h);
		else
			jscan_skip(&j);
	}
	if (j.bad)
		return;
	*id = h.id;
	*sent_s = h.sent_s;
}

/* ---- Events ---- */

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOL, FIELD_TYPE };

static const struct field {
	struct str name;
	enum field_kind kind;
	size_t offset;
} fields[] = {
	{ { "type", 4 }, FIELD_TYPE, 0 },
	{ { "uuid", 4 }, FIELD_TEXT, offsetof(struct celery_event, uuid) },
	{ { "hostname", 8 }, FIELD_TEXT, offsetof(struct celery_event, hostname) },
	{ { "timestamp", 9 }, FIELD_NUMBER, offsetof(struct celery_event, timestamp) },
	{ { "name", 4 }, FIELD_TEXT, offsetof(struct celery_event, name) },
	{ { "runtime", 7 }, FIELD_NUMBER, offsetof(struct celery_event, runtime) },
	{ { "exception", 9 }, FIELD_TEXT, offsetof(struct celery_event, exception) },
	{ { "queue", 5 }, FIELD_TEXT, offsetof(struct celery_event, queue) },
	{ { "eta", 3 }, FIELD_TEXT, offsetof(struct celery_event, eta) },
	{ { "requeue", 7 }, FIELD_BOOL, offsetof(struct celery_event, requeue) },
	{ { "freq", 4 }, FIELD_NUMBER, offsetof(struct celery_event, freq) },
	{ { "active", 6 }, FIELD_NUMBER, offsetof(struct celery_event, active) },
	{ { "processed", 9 }, FIELD_NUMBER, offsetof(struct celery_event, processed) },
	{ { "pid", 3 }, FIELD_NUMBER, offsetof(struct celery_event, pid) },
};

static void take_field(struct jscan *j, struct arena *a, const struct field *f, struct celery_event *ev)
{
	void *to = (char *)ev + f->offset;
	struct str type = STR("");

	switch (f->kind) {
	case FIELD_TEXT:
		jscan_text(j, a, to);
		return;
	case FIELD_NUMBER:
		jscan_number(j, to);
		return;
	case FIELD_BOOL:
		jscan_bool(j, to);
		return;
	case FIELD_TYPE:
		jscan_text(j, a, &type);
		ev->type = type_of(type);
		return;
	}
}

static const struct field *find_field(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(key, fields[i].name))
			return &fields[i];
	return NULL;
}

static bool read_event(struct jscan *j, struct arena *a, celery_event_fn *fn, void *user)
{
	struct celery_event ev = { .timestamp = NAN, .runtime = NAN, .freq = NAN, .active = NAN, .processed = NAN, .pid = NAN };
	struct str key;

	if (!jscan_open(j, '{'))
		return false;
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		const struct field *f = find_field(key);
		if (f != NULL)
			take_field(j, a, f, &ev);
		else
			jscan_skip(j);
	}
	if (!j->bad)
		fn(user, &ev);
	return !j->bad;
}

bool celery_events_decode(struct arena *a, struct str body, celery_event_fn *fn, void *user, struct err *e)
{
	struct jscan j = jscan_of(body);
	bool ok = true;

	if (jscan_peek(&j) != '[')
		return read_event(&j, a, fn, user) || err_set(e, ERR_UPSTREAM, -1, "event is not JSON");
	jscan_open(&j, '[');
	for (bool first = true; ok && jscan_item(&j, first); first = false)
		ok = read_event(&j, a, fn, user);
	return (ok && !j.bad) || err_set(e, ERR_UPSTREAM, -1, "events are not JSON");
}

bool celery_message_decode(struct arena *a, struct str message, celery_event_fn *fn, void *user, struct err *e)
{
	struct str body;

	return celery_envelope_open(a, message, &body, NULL, e) && celery_events_decode(a, body, fn, user, e);
}

static bool is_name_byte(char c)
{
	return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct str celery_exception_class(struct str repr)
{
	size_t n = 0, beg = 0;

	while (n < repr.n && is_name_byte(repr.p[n])) {
		if (repr.p[n] == '.')
			beg = n + 1;
		n++;
	}
	if (n == beg || n - beg > EXCEPTION_MAX || (n < repr.n && repr.p[n] != '('))
		return STR("UnknownException");
	return (struct str){ repr.p + beg, n - beg };
}
