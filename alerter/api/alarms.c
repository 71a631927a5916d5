/* What people were told of and who takes care: as JSON, on the page, and the page behind the signed link of a message. That page
 * changes nothing when it is only looked at, for programs that read mail follow links; its button does. */
#include "internal.h"

enum { MAX_BY = 100 };

/* ---- JSON. ---- */

static void put_group(struct json_out *j, const struct notify_group *g)
{
	json_out_open(j, '{');
	json_out_key(j, "id");
	json_out_str(j, g->id);
	json_out_key(j, "groupKey");
	json_out_str(j, g->key);
	json_out_key(j, "receiver");
	json_out_str(j, g->receiver);
	json_out_key(j, "labels");
	json_out_labels(j, g->labels);
	json_out_key(j, "alerts");
	json_out_int(j, (int64_t)g->n_alerts);
	json_out_key(j, "firing");
	json_out_int(j, (int64_t)g->n_firing);
	envelope_put_time(j, "since", g->since_ms);
	json_out_key(j, "escalationSteps");
	json_out_int(j, g->steps);
	envelope_put_time(j, "nextStepAt", g->next_step_ms);
	json_out_key(j, "nextReceiver");
	json_out_str(j, g->next_receiver);
	json_out_key(j, "acknowledgedBy");
	json_out_str(j, g->ack_by);
	envelope_put_time(j, "acknowledgedAt", g->ack_ms);
	json_out_close(j, '}');
}

void api_groups(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct notify_snapshot *n = notify_snapshot(api->deps.notify, q->arena);
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_groups; i++)
		if (!n->groups[i].retired)
			put_group(&j, &n->groups[i]);
	json_out_close(&j, ']');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

/* Who logged in, else who they say they are. */
static struct str who(const struct http_request *q)
{
	struct str by = q->user.n > 0 ? q->user : http_param(q, "by");

	return by.n > MAX_BY ? (struct str){ by.p, MAX_BY } : by;
}

static void run_acknowledge(struct api *api, struct http_request *q, void *job)
{
	struct err e = { 0 };

	(void)job;
	if (notify_acknowledge(api->deps.notify, http_param(q, "id"), who(q), &e))
		http_reply_text(q, 200, "acknowledged\n");
	else
		envelope_error(q, &e);
}

void api_acknowledge(struct http_request *q)
{
	pool_submit(((struct api *)q->ctx)->pool, q, run_acknowledge, NULL);
}

/* ---- The page behind a link. ---- */

static void put_head(struct buf *b)
{
	buf_putz(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
	            "<meta name=\"referrer\" content=\"same-origin\"><title>Tocsin</title><link rel=\"stylesheet\" href=\"style.css\"></head><body>"
	            "<header><h1>Tocsin</h1></header><main>\n");
}

static void put_field(struct buf *b, struct http_request *q, const char *name)
{
	buf_printf(b, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	html_text(b, http_param(q, name));
	buf_putz(b, "\">");
}

static void put_alarm(struct buf *b, const struct notify_group *g, int64_t now_ms)
{
	buf_putz(b, "<h2>");
	html_labels(b, g->labels, "");
	buf_printf(b, "</h2><p>%zu firing, for ", g->n_firing);
	html_since(b, now_ms, g->since_ms);
	buf_putz(b, ", told to ");
	html_text(b, g->receiver);
	if (g->next_step_ms != 0) {
		buf_putz(b, "; <b>");
		html_text(b, g->next_receiver);
		buf_printf(b, "</b> is told in %lld min unless somebody acknowledges", (long long)((g->next_step_ms - now_ms + 59999) / 60000));
	}
	buf_putz(b, ".</p>");
}

static void put_acknowledged(struct buf *b, const struct notify_group *g, int64_t now_ms)
{
	buf_putz(b, "<div class=\"empty\">Acknowledged by <b>");
	html_text(b, g->ack_by);
	buf_putz(b, "</b>, ");
	html_since(b, now_ms, g->ack_ms);
	buf_putz(b, " ago. Nobody else will be told, but of what is new and of the end.</div>");
}

static void reply_page(struct http_request *q, int status, struct buf *b)
{
	buf_putz(b, "</main></body></html>\n");
	http_reply_header(q, "Referrer-Policy", STR("same-origin"));
	http_reply_header(q, "Cache-Control", STR("no-store"));
	html_reply(q, status, b);
}

static void refuse(struct http_request *q, const struct err *e)
{
	struct buf b = { 0 };

	put_head(&b);
	buf_putz(&b, "<div class=\"problem\">");
	html_text(&b, str_of(e->msg));
	buf_putz(&b, "</div>");
	reply_page(q, e->code == ERR_BAD_INPUT ? 403 : err_http_status(e->code), &b);
	buf_fini(&b);
}

static bool check(struct api *api, struct http_request *q, struct notify_group *g, struct err *e)
{
	return notify_check_link(api->deps.notify, http_param(q, "id"), http_param(q, "until"), http_param(q, "sig"), q->arena, g, e);
}

static void run_page(struct api *api, struct http_request *q, void *job)
{
	struct notify_group g = { 0 };
	int64_t now_ms = clock_now_ms(api->deps.clock);
	struct err e = { 0 };
	struct buf b = { 0 };

	(void)job;
	if (!check(api, q, &g, &e)
	    || (q->method == HTTP_POST && (!notify_acknowledge(api->deps.notify, g.id, who(q), &e) || !check(api, q, &g, &e)))) {
		refuse(q, &e);
		return;
	}
	put_head(&b);
	put_alarm(&b, &g, now_ms);
	if (g.ack_ms != 0) {
		put_acknowledged(&b, &g, now_ms);
	} else {
		buf_putz(&b, "<form method=\"post\" action=\"ack\">");
		put_field(&b, q, "id");
		put_field(&b, q, "until");
		put_field(&b, q, "sig");
		buf_printf(&b, "<label>Who: <input name=\"by\" maxlength=\"%d\" autofocus></label> <button>Acknowledge</button></form>", MAX_BY);
	}
	reply_page(q, 200, &b);
	buf_fini(&b);
}

void api_ack_page(struct http_request *q)
{
	pool_submit(((struct api *)q->ctx)->pool, q, run_page, NULL);
}

/* ---- On the main page. ---- */

static void put_row(struct buf *b, const struct notify_group *g, int64_t now_ms)
{
	buf_putz(b, "<tr><td>");
	html_labels(b, g->labels, "");
	buf_putz(b, "</td><td>");
	html_text(b, g->receiver);
	buf_printf(b, "</td><td class=\"number\">%zu</td><td>", g->n_firing);
	html_since(b, now_ms, g->since_ms);
	buf_putz(b, "</td><td>");
	if (g->next_step_ms != 0) {
		html_text(b, g->next_receiver);
		buf_printf(b, " in %lld min", (long long)((g->next_step_ms - now_ms + 59999) / 60000));
	}
	buf_putz(b, "</td><td>");
	if (g->ack_ms != 0) {
		html_text(b, g->ack_by);
		buf_putz(b, ", ");
		html_since(b, now_ms, g->ack_ms);
		buf_putz(b, " ago");
	} else {
		buf_putz(b, "<a href=\"");
		html_text(b, g->ack_url);
		buf_putz(b, "\">acknowledge</a>");
	}
	buf_putz(b, "</td></tr>\n");
}

void page_put_alarms(struct buf *b, const struct notify_snapshot *n, int64_t now_ms)
{
	size_t shown = 0;

	for (size_t i = 0; i < n->n_groups; i++) {
		if (n->groups[i].retired || n->groups[i].since_ms == 0)
			continue;
		if (shown++ == 0) {
			buf_putz(b, "<h2 id=\"told\">People were told</h2>");
			HTML_TABLE(b, "Group", "Receiver", "#Firing", "For", "Next", "Acknowledged");
		}
		put_row(b, &n->groups[i], now_ms);
	}
	if (shown > 0)
		buf_putz(b, "</table>");
}
