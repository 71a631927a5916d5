/* Where alerts go besides the outbox: Alertmanagers. */
#include "internal.h"

/* As Prometheus's, with what became of the last attempt besides. */
void api_alertmanagers(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct notify_snapshot *n = notify_snapshot(api->deps.notify, q->arena);
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "activeAlertmanagers");
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_managers; i++) {
		const struct notify_manager *m = &n->managers[i];

		json_out_open(&j, '{');
		json_out_key(&j, "url");
		json_out_str(&j, m->url);
		json_out_key(&j, "lastError");
		json_out_str(&j, m->last_error);
		envelope_put_time(&j, "lastSuccess", m->last_success_ms);
		json_out_key(&j, "waiting");
		json_out_int(&j, (int64_t)m->waiting);
		json_out_close(&j, '}');
	}
	json_out_close(&j, ']');
	json_out_key(&j, "droppedAlertmanagers");
	json_out_open(&j, '[');
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}
