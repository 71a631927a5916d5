/* JSON over HTTP: the queries' documents are fetched together on curl's multi interface, connections are kept. Redirects are not
 * followed: headers that hold secrets go where they were meant to go. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>

#include "pointer.h"
#include "gauges/rows.h"
#include "curl_need.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

#define BODY_MAX (8u << 20)

struct fetch {
	CURL *easy;
	struct buf body;
	bool done;
	CURLcode code;
};

struct documents {
	const struct gauges_settings *settings;
	CURLM *multi;
	struct curl_slist *headers;
	struct fetch *fetches;          /* by query */
};

/* ---- Fetching ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	buf_put(&f->body, p, size * n);
	return f->body.overflow ? CURL_WRITEFUNC_ERROR : size * n;
}

static CURL *easy_new(const struct gauges_settings *s, const struct gauge_query *q, struct curl_slist *headers, struct fetch *f)
{
	CURL *easy = curl_easy_init();
	struct buf url = { 0 };

	if (easy == NULL)
		mem_abort(1);
	buf_puts(&url, s->url);
	buf_puts(&url, q->path);
	curl_easy_setopt(easy, CURLOPT_URL, buf_z(&url));
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);         /* no waiting for a resolver that hangs */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
	buf_fini(&url);
	return easy;
}

static struct curl_slist *headers_new(const struct gauges_settings *s)
{
	struct curl_slist *list = curl_slist_append(NULL, "Accept: application/json");
	struct buf b = { 0 };

	buf_printf(&b, "User-Agent: tocsin-exporter/%s", version_text());
	list = curl_slist_append(list, buf_z(&b));
	buf_fini(&b);
	for (size_t i = 0; i < s->headers.n; i++) {
		char *header = mem_strndup(s->headers.v[i].p, s->headers.v[i].n);

		list = curl_slist_append(list, header);
		free(header);
	}
	return list;
}

static void *documents_open(const struct gauges_settings *s)
{
	struct documents *d = mem_alloc(sizeof *d);
	const struct gauge_query *queries = s->queries.v;

	d->settings = s;
	d->multi = curl_multi_need();
	d->headers = headers_new(s);
	d->fetches = mem_alloc((s->queries.n + 1) * sizeof *d->fetches);
	for (size_t i = 0; i < s->queries.n; i++) {
		d->fetches[i].body.limit = BODY_MAX;
		d->fetches[i].easy = easy_new(s, &queries[i], d->headers, &d->fetches[i]);
	}
	return d;
}

static void documents_close(void *state)
{
	struct documents *d = state;

	for (size_t i = 0; i < d->settings->queries.n; i++) {
		curl_easy_cleanup(d->fetches[i].easy);
		buf_fini(&d->fetches[i].body);
	}
	curl_multi_cleanup(d->multi);
	curl_slist_free_all(d->headers);
	free(d->fetches);
	free(d);
}

static void note_done(CURLM *multi)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		struct fetch *f;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		f->done = true;
		f->code = m->data.result;
	}
}

/* Until all are done, the deadline has come (then those left are not) or the source is to stop. */
static bool fetch_all(const struct documents *d, const struct source_ask *ask, struct err *e)
{
	for (;;) {
		struct curl_waitfd stop = { .fd = ask->stop_fd, .events = CURL_WAIT_POLLIN };
		int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock);
		int running;

		curl_multi_perform(d->multi, &running);
		note_done(d->multi);
		if (running == 0 || left <= 0)
			return true;
		curl_multi_poll(d->multi, &stop, ask->stop_fd >= 0, left > 1000 ? 1000 : (int)left, NULL);
		if (stop.revents != 0)
			return err_set(e, ERR_CANCELED, -1, "stopped");
	}
}

/* ---- Reading ---- */

static struct cell json_cell(const json_t *v)
{
	if (v == NULL)
		return (struct cell){ .kind = CELL_ABSENT };
	if (json_is_number(v))
		return (struct cell){ .kind = CELL_NUMBER, .number = json_number_value(v) };
	if (json_is_boolean(v))
		return (struct cell){ .kind = CELL_TEXT, .text = json_is_true(v) ? STR("true") : STR("false") };
	if (json_is_string(v))
		return (struct cell){ .kind = CELL_TEXT, .text = { json_string_value(v), json_string_length(v) } };
	return (struct cell){ .kind = json_is_null(v) ? CELL_NULL : CELL_ABSENT };
}

struct json_row {
	const json_t *value;
	const char *key;                /* NULL: an element of an array */
};

static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const struct json_row *row = (const struct json_row *)rows->data + i;

	(void)a;
	if (!str_eq(key, STR("@key")))
		return json_cell(pointer_get(row->value, key));
	if (row->key != NULL)
		return (struct cell){ .kind = CELL_TEXT, .text = str_of(row->key) };
	return (struct cell){ .kind = CELL_NUMBER, .number = (double)i };
}

/* The rows of a document; SIZE_MAX when there is neither array nor object where they should be. */
static size_t split(const json_t *document, struct str rows_pointer, struct json_row **out)
{
	const json_t *at = pointer_get(document, rows_pointer);
	size_t n = 0;
	void *i;

	if (rows_pointer.p == NULL || rows_pointer.n == 0) {
		*out = mem_alloc(sizeof **out);
		(*out)[0].value = document;
		return 1;
	}
	if (!json_is_array(at) && !json_is_object(at))
		return SIZE_MAX;
	*out = mem_alloc((json_array_size(at) + json_object_size(at) + 1) * sizeof **out);
	for (; n < json_array_size(at); n++)
		(*out)[n].value = json_array_get(at, n);
	for (i = json_object_iter((json_t *)(uintptr_t)at); i != NULL; i = json_object_iter_next((json_t *)(uintptr_t)at, i))
		(*out)[n++] = (struct json_row){ json_object_iter_value(i), json_object_iter_key(i) };
	return n;
}

void gauge_json_take(struct gauge_round *round, size_t i, const json_t *document)
{
	const struct gauge_query *q = (const struct gauge_query *)round->settings->queries.v + i;
	struct json_row *v = NULL;
	struct gauge_rows rows = { .n = split(document, q->rows, &v), .get = get, .data = v };
	struct err e = { 0 };

	if (rows.n == SIZE_MAX) {
		err_set(&e, ERR_BAD_INPUT, -1, "no array or object at \"" STR_FMT "\"", STR_ARG(q->rows));
		gauge_round_fail(round, i, &e);
		return;
	}
	rows.data = v;
	gauge_round_take(round, i, &rows);
	free(v);
}

/* False when there was no HTTP answer at all. */
static bool take_fetch(struct gauge_round *round, size_t i, const struct fetch *f, struct err *e)
{
	json_error_t where;
	json_t *document;
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!f->done)
		err_set(e, ERR_TIMEOUT, -1, "no answer within the deadline");
	else if (f->body.overflow)
		err_set(e, ERR_LIMIT, -1, "the body is over %u bytes (BODY_MAX)", BODY_MAX);
	else if (f->code != CURLE_OK)
		err_set(e, ERR_UPSTREAM, -1, "%s", curl_easy_strerror(f->code));
	else if (status != 200)
		err_set(e, ERR_UPSTREAM, -1, "HTTP status %ld", status);
	if (e->code != ERR_NONE) {
		gauge_round_fail(round, i, e);
		return status != 0;
	}
	document = json_loadb(f->body.p, f->body.n, JSON_DECODE_ANY, &where);
	if (document == NULL) {
		err_set(e, ERR_BAD_INPUT, where.position, "no JSON: %s at byte %d", where.text, where.position);
		gauge_round_fail(round, i, e);
		return true;
	}
	gauge_json_take(round, i, document);
	json_decref(document);
	return true;
}

static bool documents_ask(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e)
{
	struct documents *d = state;
	size_t n = d->settings->queries.n;
	bool answered = n == 0, ok;

	for (size_t i = 0; i < n; i++) {
		buf_reset(&d->fetches[i].body);
		d->fetches[i].body.overflow = d->fetches[i].done = false;
		curl_multi_add_handle(d->multi, d->fetches[i].easy);
	}
	ok = fetch_all(d, ask, e);
	for (size_t i = 0; i < n; i++) {
		struct err one = { 0 };

		if (ok && take_fetch(round, i, &d->fetches[i], &one))
			answered = true;
		else if (ok)
			*e = one;
		curl_multi_remove_handle(d->multi, d->fetches[i].easy);
	}
	return ok && answered;
}

const struct gauge_backend gauge_json = { "metrics", documents_open, documents_ask, documents_close };
