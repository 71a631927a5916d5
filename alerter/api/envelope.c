/* The envelope of the Prometheus HTTP API: status, data, errorType, error, warnings, infos. */
#include "internal.h"

#include <stdio.h>

void envelope_open(struct json_out *j, struct buf *b)
{
	*j = (struct json_out){ .to = b };
	json_out_open(j, '{');
	json_out_key(j, "status");
	json_out_strz(j, "success");
	json_out_key(j, "data");
}

enum { NOTES_SHOWN = 10 };

const struct promql_note envelope_truncated = { true, -1, { ENVELOPE_TRUNCATED, sizeof ENVELOPE_TRUNCATED - 1 } };

/* As Prometheus: ten of a kind, then how many more there were. */
static void put_notes(struct json_out *j, const char *key, bool warnings, const struct promql_note *notes, size_t n)
{
	size_t found = 0;
	char more[64];

	for (size_t i = 0; i < n; i++) {
		if (notes[i].warning != warnings)
			continue;
		if (found++ == 0) {
			json_out_key(j, key);
			json_out_open(j, '[');
		}
		if (found <= NOTES_SHOWN)
			json_out_str(j, notes[i].text);
	}
	if (found == 0)
		return;
	if (found > NOTES_SHOWN) {
		snprintf(more, sizeof more, "%zu more %s annotations omitted", found - NOTES_SHOWN, warnings ? "warning" : "info");
		json_out_strz(j, more);
	}
	json_out_close(j, ']');
}

void envelope_close(struct json_out *j, const struct promql_note *notes, size_t n_notes)
{
	put_notes(j, "warnings", true, notes, n_notes);
	put_notes(j, "infos", false, notes, n_notes);
	json_out_close(j, '}');
}

void envelope_reply(struct http_request *q, struct json_out *j, const struct promql_note *notes, size_t n_notes)
{
	envelope_close(j, notes, n_notes);
	http_reply_buf(q, 200, "application/json", j->to);
}

void envelope_put_time(struct json_out *j, const char *key, int64_t ms)
{
	json_out_key(j, key);
	if (ms != 0)
		json_out_time(j, ms);
	else
		json_out_null(j);
}

static void reply_error(struct http_request *q, const struct err *e, struct str text)
{
	struct buf b = { 0 };
	struct json_out j = { .to = &b };

	json_out_open(&j, '{');
	json_out_key(&j, "status");
	json_out_strz(&j, "error");
	json_out_key(&j, "errorType");
	json_out_strz(&j, err_api_type(e->code));
	json_out_key(&j, "error");
	json_out_str(&j, text);
	json_out_close(&j, '}');
	http_reply_buf(q, err_http_status(e->code), "application/json", &b);
	buf_fini(&b);
}

void envelope_error(struct http_request *q, const struct err *e)
{
	reply_error(q, e, str_of(e->msg));
}

void envelope_query_error(struct http_request *q, const char *param, struct str query, const struct err *e)
{
	bool syntax = e->code == ERR_SYNTAX;
	struct err shown = *e;
	struct buf text = { 0 };

	if (syntax) {
		buf_printf(&text, "invalid parameter \"%s\": ", param);
		err_context(&shown, "parse error");
	}
	promql_error_show(&text, query, &shown);
	text.n -= text.n > 0 && text.p[text.n - 1] == '\n';
	reply_error(q, e, buf_str(&text));
	buf_fini(&text);
}
