/* JSON over HTTP: the queries' documents are fetched together. */
#include <jansson.h>
#include <stdlib.h>

#include "document.h"
#include "fetch.h"
#include "gauges/rows.h"
#include "pointer.h"
#include "tocsin/mem.h"

#define BODY_MAX (8u << 20)

struct documents {
	const struct gauges_settings *settings;
	struct fetcher *fetcher;        /* a document each query */
};

static const char *or_null(struct str path)
{
	return path.n > 0 ? path.p : NULL;
}

static void *documents_open(const struct gauges_settings *s)
{
	struct documents *d = mem_alloc(sizeof *d);
	const struct gauge_query *queries = s->queries.v;
	struct arena a = { 0 };
	const char **urls = ARENA_ARRAY(&a, s->queries.n, const char *);

	for (size_t i = 0; i < s->queries.n; i++)
		urls[i] = arena_printf(&a, STR_FMT STR_FMT, STR_ARG(s->url), STR_ARG(queries[i].path)).p;
	d->settings = s;
	d->fetcher = fetcher_new(urls, s->queries.n, &(struct fetch_options){ .headers = s->headers, .body_max = BODY_MAX,
	    .ca_file = or_null(s->ca_file), .cert_file = or_null(s->cert_file), .key_file = or_null(s->key_file),
	    .no_verify = s->insecure_skip_verify });
	arena_fini(&a);
	return d;
}

static void documents_close(void *state)
{
	struct documents *d = state;

	fetcher_free(d->fetcher);
	free(d);
}

/* ---- Reading ---- */

static struct cell json_cell(const json_t *v, struct arena *a)
{
	if (v == NULL)
		return (struct cell){ .kind = CELL_ABSENT };
	if (json_is_integer(v))
		return cell_of_integer(json_integer_value(v), a);
	if (json_is_real(v))
		return (struct cell){ .kind = CELL_NUMBER, .number = json_real_value(v) };
	if (json_is_boolean(v))
		return (struct cell){ .kind = CELL_TEXT, .text = json_is_true(v) ? STR("true") : STR("false") };
	if (json_is_string(v))
		return (struct cell){ .kind = CELL_TEXT, .text = { json_string_value(v), json_string_length(v) } };
	return (struct cell){ .kind = json_is_null(v) ? CELL_NULL : CELL_LIST };
}

struct json_row {
	const json_t *value;
	const char *key;                /* NULL: an element of an array */
};

static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const struct json_row *row = (const struct json_row *)rows->data + i;

	if (!str_eq(key, STR("@key")))
		return json_cell(pointer_get(row->value, key), a);
	if (row->key != NULL)
		return (struct cell){ .kind = CELL_TEXT, .text = str_of(row->key) };
	return cell_of_integer((int64_t)i, a);
}

/* The rows of a document, which is the one row without a pointer; SIZE_MAX when there is neither array nor object where they
 * should be. */
static size_t split(const json_t *document, struct str rows_pointer, struct json_row **out)
{
	const json_t *at = pointer_get(document, rows_pointer);
	size_t n = 0;
	void *i;

	if (rows_pointer.p == NULL) {
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

/* Names of members, where the document is an array: each would be absent, and nobody would know why. */
static bool is_list_of_rows(const json_t *document, const struct gauge_query *q)
{
	const struct gauge_metric *m = q->metrics.v;

	if (q->rows.p != NULL || !json_is_array(document))
		return false;
	for (size_t i = 0; i < q->metrics.n; i++)
		if (!m[i].is_info && m[i].value.n > 0 && m[i].value.p[0] != '/')
			return true;
	return false;
}

void gauge_json_take(struct gauge_round *round, size_t i, const json_t *document)
{
	const struct gauge_query *q = (const struct gauge_query *)round->settings->queries.v + i;
	struct json_row *v = NULL;
	struct gauge_rows rows = { .n = split(document, q->rows, &v), .get = get, .data = v };
	struct err e = { 0 };

	rows.data = v;
	if (rows.n == SIZE_MAX)
		err_set(&e, ERR_BAD_INPUT, -1, "no array or object at \"" STR_FMT "\"", STR_ARG(q->rows));
	else if (is_list_of_rows(document, q))
		err_set(&e, ERR_BAD_INPUT, -1, "the document is an array: rows: '' makes a row of each element");
	if (e.code != ERR_NONE)
		gauge_round_fail(round, i, &e);
	else
		gauge_round_take(round, i, &rows);
	free(v);
}

/* False when there was no HTTP answer at all. */
static bool take_document(struct gauge_round *round, size_t i, const struct fetcher *fetcher, struct err *e)
{
	json_error_t where;
	json_t *document;
	struct str body;
	long status;

	if (!fetcher_body(fetcher, i, &body, &status, e)) {
		gauge_round_fail(round, i, e);
		return status != 0;
	}
	document = document_read(body, &where);
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
	const size_t n = d->settings->queries.n;
	bool answered = n == 0;

	if (!fetcher_run(d->fetcher, ask->deadline_mono_ms, ask->stop_fd, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct err one = { 0 };

		if (take_document(round, i, d->fetcher, &one))
			answered = true;
		else
			*e = one;
	}
	return answered;
}

const struct gauge_backend gauge_json = { "metrics", documents_open, documents_ask, documents_close };
