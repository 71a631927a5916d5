/* Signs of life: those of others come in here, with a token and without logging in, for what sends them is a line in somebody's crontab. */
#include "internal.h"

void api_heartbeats(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct notify_snapshot *n = notify_snapshot(api->deps.notify, q->arena);
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_heartbeats; i++) {
		const struct notify_heartbeat *h = &n->heartbeats[i];

		json_out_open(&j, '{');
		json_out_key(&j, "name");
		json_out_str(&j, h->name);
		json_out_key(&j, "direction");
		json_out_strz(&j, h->expected ? "in" : "out");
		json_out_key(&j, "missed");
		json_out_bool(&j, h->missed);
		envelope_put_time(&j, "last", h->last_ms);
		envelope_put_time(&j, "due", h->due_ms);
		json_out_key(&j, "lastError");
		json_out_str(&j, h->last_error);
		json_out_close(&j, '}');
	}
	json_out_close(&j, ']');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

struct sign {
	struct str name, token;
};

static void run_heartbeat(struct api *api, struct http_request *q, void *job)
{
	const struct sign *s = job;
	struct err e = { 0 };

	if (notify_heartbeat(api->deps.notify, s->name, s->token, &e))
		http_reply_text(q, 200, "OK\n");
	else
		http_reply_text(q, 403, "%s\n", e.msg);
}

/* The token: behind the name, as ?token=, or as Authorization: Bearer. */
void api_heartbeat(struct http_request *q)
{
	struct sign *s = ARENA_NEW(q->arena, struct sign);
	struct str rest = q->rest, bearer = http_header(q, "Authorization");

	str_cut(&rest, '/', &s->name);
	s->token = rest.n > 0 ? rest : http_param(q, "token");
	if (s->token.n == 0 && str_starts(bearer, STR("Bearer ")))
		s->token = arena_str(q->arena, str_trim((struct str){ bearer.p + 7, bearer.n - 7 }));
	pool_submit(((struct api *)q->ctx)->pool, q, run_heartbeat, s);
}

void page_put_heartbeats(struct buf *b, const struct notify_snapshot *n, int64_t now_ms)
{
	if (n->n_heartbeats == 0)
		return;
	buf_putz(b, "<h2 id=\"heartbeats\">Heartbeats</h2>");
	HTML_TABLE(b, "State", "Name", "Last");
	for (size_t i = 0; i < n->n_heartbeats; i++) {
		const struct notify_heartbeat *h = &n->heartbeats[i];
		const char *state = h->missed ? "missed" : h->last_ms == 0 ? "waiting" : h->expected ? "alive" : "sent";

		buf_printf(b, "<tr><td><span class=\"state %s\">%s</span></td><td>%s <b>", h->missed ? "down" : h->last_ms == 0 ? "pending" : "up",
		           state, h->expected ? "from" : "to");
		html_text(b, h->name);
		buf_putz(b, "</b>");
		if (h->last_error.n > 0) {
			buf_putz(b, "<br><small class=\"down\">");
			html_text(b, h->last_error);
			buf_putz(b, "</small>");
		}
		buf_putz(b, "</td><td>");
		html_since(b, now_ms, h->last_ms);
		buf_putz(b, h->last_ms != 0 ? " ago</td></tr>\n" : "</td></tr>\n");
	}
	buf_putz(b, "</table>");
}
