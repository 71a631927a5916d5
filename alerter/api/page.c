/* The page: what is wrong now, who was told, what is watched. Rendered here, without scripts; it refreshes itself. Everything that
 * came from outside goes through html_text(). */
#include "internal.h"

#include <stdio.h>

#include "tocsin/num.h"
#include "web/web.h"

#define PAGE_HISTORY 30

static void put_state(struct buf *b, struct str name)
{
	buf_putz(b, "<span class=\"state ");
	html_text(b, name);
	buf_putz(b, "\">");
	html_text(b, name);
	buf_putz(b, "</span>");
}

struct counts {
	size_t firing, pending, unknown, rules, rules_bad, targets, targets_down;
};

static void count_rules(const struct rules_snapshot *s, struct counts *c)
{
	for (size_t g = 0; g < s->n_groups; g++)
		for (size_t r = 0; r < s->groups[g]->n_rules; r++) {
			const struct rule_view *rule = &s->groups[g]->rules[r];

			c->rules++;
			c->rules_bad += rule->health == RULE_HEALTH_ERR;
			for (size_t i = 0; i < rule->n_alerts; i++) {
				c->firing += rule->alerts[i].state == ALERT_FIRING;
				c->pending += rule->alerts[i].state == ALERT_PENDING;
				c->unknown += rule->alerts[i].unknown_since_ms != 0;
			}
		}
}

static void count_targets(const struct scrape_target_info *t, size_t n, struct counts *c)
{
	for (size_t i = 0; i < n; i++) {
		c->targets += !t[i].dropped;
		c->targets_down += t[i].health == SCRAPE_DOWN;
	}
}

static void put_tile(struct buf *b, size_t n, const char *class_name, const char *what)
{
	buf_printf(b, "<div class=\"tile\"><b class=\"%s\">%zu</b>%s</div>", n > 0 ? class_name : "", n, what);
}

static void put_tiles(struct buf *b, const struct counts *c, const struct notify_snapshot *n)
{
	buf_putz(b, "<div class=\"tiles\">");
	put_tile(b, c->firing, "firing", "alerts firing");
	put_tile(b, c->pending, "pending", "pending");
	put_tile(b, c->unknown, "unknown", "not known at present");
	put_tile(b, c->targets_down, "down", c->targets == 1 ? "of 1 target down" : "targets down");
	put_tile(b, c->rules_bad, "err", "rules with an error");
	put_tile(b, n->n_unfinished, "late", "messages on their way");
	put_tile(b, n->dead_kept, "dead", "messages given up");
	buf_putz(b, "</div>");
}

static void put_alert_row(struct buf *b, const struct rule_view *r, const struct alert_record *a, int64_t now_ms)
{
	buf_putz(b, "<tr><td>");
	put_state(b, str_of(alert_state_name(a->state)));
	if (a->unknown_since_ms != 0) {
		buf_putz(b, "<br><small class=\"unknown\">no data for ");
		html_since(b, now_ms, a->unknown_since_ms);
		buf_putz(b, "</small>");
	}
	buf_putz(b, "</td><td><b>");
	html_text(b, r->id->name);
	buf_putz(b, "</b> ");
	html_labels(b, a->labels, "alertname");
	buf_putz(b, "<br>");
	html_text(b, labels_get(a->annotations, STR("summary")));
	buf_putz(b, "</td><td class=\"number\">");
	if (a->value_is_histogram)
		html_text(b, a->value_text);
	else
		buf_num(b, a->value);
	buf_putz(b, "</td><td>");
	html_since(b, now_ms, a->active_at_ms);
	buf_putz(b, "</td></tr>\n");
}

static void put_alerts(struct buf *b, const struct rules_snapshot *s, const struct counts *c, int64_t now_ms)
{
	buf_putz(b, "<h2 id=\"alerts\">Alerts</h2>");
	if (c->firing + c->pending == 0) {
		buf_putz(b, "<div class=\"empty\">Nothing is firing and nothing is pending.</div>");
		return;
	}
	HTML_TABLE(b, "State", "Alert", "#Value", "For");
	for (size_t g = 0; g < s->n_groups; g++)
		for (size_t r = 0; r < s->groups[g]->n_rules; r++)
			for (size_t i = 0; i < s->groups[g]->rules[r].n_alerts; i++)
				put_alert_row(b, &s->groups[g]->rules[r], &s->groups[g]->rules[r].alerts[i], now_ms);
	buf_putz(b, "</table>");
}

static void put_message_row(struct buf *b, const struct notify_message *m, int64_t now_ms)
{
	buf_printf(b, "<tr><td><span class=\"state %s\">%s</span></td><td>", m->state == OUTBOX_DEAD ? "dead" : "late", outbox_state_name(m->state));
	html_text(b, m->integration);
	buf_printf(b, "</td><td>%s</td><td class=\"number\">%u</td><td>", m->resolved ? "end" : "firing", m->attempts);
	html_text(b, m->last_error);
	buf_putz(b, "</td><td>");
	html_since(b, now_ms, m->created_ms);
	buf_putz(b, " ago");
	if (m->state == OUTBOX_DEAD)
		buf_printf(b, "<form method=\"post\" action=\"api/v1/outbox/resend\"><input type=\"hidden\" name=\"page\" value=\"1\">"
		           "<button name=\"id\" value=\"%lld\">Send again</button> "
		           "<button name=\"id\" value=\"%lld\" formaction=\"api/v1/outbox/discard\">Discard</button></form>", (long long)m->id,
		           (long long)m->id);
	buf_putz(b, "</td></tr>\n");
}

static void put_messages(struct buf *b, const struct notify_snapshot *n, int64_t now_ms)
{
	buf_printf(b, "<h2 id=\"deliveries\">Deliveries <small>%llu delivered, %llu given up since the start</small></h2>",
	           (unsigned long long)n->by_state[OUTBOX_DELIVERED], (unsigned long long)n->by_state[OUTBOX_DEAD]);
	if (n->not_durable_since_ms != 0)
		buf_putz(b, "<div class=\"problem\">Alert state cannot be written to disk: messages are sent from memory and may be repeated. Free some space.</div>");
	for (size_t i = 0; i < n->n_stranded; i++) {
		buf_printf(b, "<div class=\"problem\">The end of %zu alerts cannot be sent to <b>", n->stranded[i].n);
		html_text(b, n->stranded[i].integration);
		buf_putz(b, "</b>: where it was told is configured no more. Configure it again and it is.</div>");
	}
	if (n->n_unfinished + n->n_dead == 0) {
		buf_putz(b, "<div class=\"empty\">No message is waiting.</div>");
		return;
	}
	HTML_TABLE(b, "State", "To", "Tells", "#Attempts", "Last problem", "Created");
	for (size_t i = 0; i < n->n_unfinished; i++)
		put_message_row(b, &n->unfinished[i], now_ms);
	for (size_t i = 0; i < n->n_dead; i++)
		put_message_row(b, &n->dead[i], now_ms);
	buf_putz(b, "</table>");
}

static void put_managers(struct buf *b, const struct notify_snapshot *n, int64_t now_ms)
{
	if (n->n_managers == 0)
		return;
	HTML_TABLE(b, "Alertmanager", "#Alerts sent", "#Wait", "Last took some");
	for (size_t i = 0; i < n->n_managers; i++) {
		const struct notify_manager *m = &n->managers[i];

		buf_putz(b, "<tr><td><code>");
		html_text(b, m->url);
		buf_putz(b, "</code>");
		if (m->last_error.n > 0) {
			buf_putz(b, "<br><small class=\"down\">");
			html_text(b, m->last_error);
			buf_putz(b, "</small>");
		}
		buf_printf(b, "</td><td class=\"number\">%llu</td><td class=\"number\">%zu</td><td>", (unsigned long long)m->sent, m->waiting);
		html_since(b, now_ms, m->last_success_ms);
		buf_putz(b, "</td></tr>\n");
	}
	buf_putz(b, "</table>");
}

static void put_history_row(struct buf *b, const struct notify_history_entry *h)
{
	char at[32];

	clock_format_rfc3339(at, h->at_ms);
	buf_printf(b, "<tr><td><time>%s</time></td><td>", at);
	put_state(b, h->edge);
	buf_putz(b, "</td><td><b>");
	html_text(b, h->alertname);
	buf_putz(b, "</b> ");
	html_labels(b, h->labels, "alertname");
	buf_putz(b, "</td><td>");
	html_text(b, h->integration);
	buf_putz(b, h->integration.n > 0 ? ": " : "");
	html_text(b, h->reason);
	buf_putz(b, "</td></tr>\n");
}

static void put_history(struct buf *b, const struct notify_history_entry *v, size_t n)
{
	buf_printf(b, "<h2 id=\"history\">History <small>the last %d; more by <code>tocsin-alerter history</code></small></h2>", PAGE_HISTORY);
	if (n == 0) {
		buf_putz(b, "<div class=\"empty\">Nothing has happened yet.</div>");
		return;
	}
	HTML_TABLE(b, "When", "What", "Alert", "Why");
	for (size_t i = 0; i < n; i++)
		put_history_row(b, &v[i]);
	buf_putz(b, "</table>");
}

static void put_targets(struct buf *b, const struct scrape_target_info *targets, size_t n, int64_t now_ms)
{
	buf_putz(b, "<h2 id=\"targets\">Targets</h2>");
	if (n == 0) {
		buf_putz(b, "<div class=\"empty\">No target is configured: add scrape_configs.</div>");
		return;
	}
	HTML_TABLE(b, "State", "Target", "Labels", "Last scrape", "#Took", "#Samples");
	for (size_t i = 0; i < n; i++) {
		const struct scrape_target_info *t = &targets[i];

		if (t->dropped)
			continue;
		buf_putz(b, "<tr><td>");
		put_state(b, str_of(api_health_name(t->health)));
		buf_putz(b, "</td><td><code>");
		html_text(b, t->url);
		buf_putz(b, "</code>");
		if (t->last_error.n > 0) {
			buf_putz(b, "<br><small class=\"down\">");
			html_text(b, t->last_error);
			buf_putz(b, "</small>");
		}
		buf_putz(b, "</td><td>");
		html_labels(b, t->labels, "");
		buf_putz(b, "</td><td>");
		html_since(b, now_ms, t->last_scrape_ms);
		buf_printf(b, "</td><td class=\"number\">%.0f ms</td><td class=\"number\">%zu</td></tr>\n", t->last_duration_s * 1000, t->samples);
	}
	buf_putz(b, "</table>");
}

static void put_rule_row(struct buf *b, const struct rule_view *r, int64_t now_ms)
{
	buf_putz(b, "<tr><td>");
	put_state(b, str_of(r->health == RULE_HEALTH_ERR ? "err" : r->recording ? "ok" : alert_state_name(r->state)));
	buf_putz(b, "</td><td><b>");
	html_text(b, r->id->name);
	buf_putz(b, "</b><br><code>");
	html_text(b, r->id->expr);
	buf_putz(b, "</code>");
	if (r->last_error.n > 0) {
		buf_putz(b, "<br><small class=\"err\">");
		html_text(b, r->last_error);
		buf_putz(b, "</small>");
	}
	for (size_t i = 0; i < r->n_notes; i++) {
		buf_putz(b, "<br><small>");
		html_text(b, r->notes[i].text);
		buf_putz(b, "</small>");
	}
	buf_printf(b, "</td><td>%lld s</td><td>", (long long)(r->for_ms / 1000));
	html_since(b, now_ms, r->last_evaluation_ms);
	buf_printf(b, "</td><td class=\"number\">%.2f ms</td></tr>\n", r->evaluation_seconds * 1000);
}

static void put_rules(struct buf *b, const struct rules_snapshot *s, int64_t now_ms)
{
	buf_putz(b, "<h2 id=\"rules\">Rules</h2>");
	if (s->n_groups == 0)
		buf_putz(b, "<div class=\"empty\">No rule is loaded: name files in rule_files.</div>");
	for (size_t i = 0; i < s->n_files; i++) {
		if (s->files[i].problem.n == 0)
			continue;
		buf_putz(b, "<div class=\"problem\">");
		html_text(b, s->files[i].path);
		buf_putz(b, ": ");
		html_text(b, s->files[i].problem);
		buf_putz(b, "</div>");
	}
	for (size_t g = 0; g < s->n_groups; g++) {
		buf_putz(b, "<h2><small>");
		html_text(b, s->groups[g]->name);
		buf_putz(b, " &middot; ");
		html_text(b, s->groups[g]->file);
		buf_putz(b, "</small></h2>");
		HTML_TABLE(b, "State", "Rule", "For", "Evaluated", "#Took");
		for (size_t r = 0; r < s->groups[g]->n_rules; r++)
			put_rule_row(b, &s->groups[g]->rules[r], now_ms);
		buf_putz(b, "</table>");
	}
}

static void put_head(struct buf *b, const struct api_state *s)
{
	buf_putz(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">"
	            "<meta name=\"viewport\" content=\"width=device-width\"><title>Tocsin</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body>"
	            "<header><h1>Tocsin</h1><nav><a href=\"#alerts\">Alerts</a><a href=\"#deliveries\">Deliveries</a><a href=\"#history\">History</a><a href=\"#targets\">Targets</a>"
	            "<a href=\"#rules\">Rules</a><a href=\"/functions\">Functions</a><a href=\"/metrics\">Metrics</a></nav></header><main>\n");
	if (s->reload_good)
		return;
	buf_putz(b, "<div class=\"problem\">");
	html_text(b, s->reload_problem);
	buf_putz(b, "</div>");
}

void api_page(struct http_request *q)
{
	struct api *api = q->ctx;
	int64_t now_ms = clock_now_ms(api->deps.clock);
	const struct rules_snapshot *rules = rules_snapshot_get(api->deps.rules);
	size_t n_targets;
	const struct scrape_target_info *targets = scrape_targets(api->deps.scrape, q->arena, &n_targets);
	const struct notify_snapshot *notify = notify_snapshot(api->deps.notify, q->arena);
	const struct notify_history_query last = { .limit = PAGE_HISTORY };
	struct notify_history_entry *happened;
	size_t n_happened = 0;
	struct err e = { 0 };
	struct counts c = { 0 };
	struct api_state state = { 0 };
	struct buf b = { 0 };

	api->deps.state(api->deps.ctx, &state);
	count_rules(rules, &c);
	count_targets(targets, n_targets, &c);
	put_head(&b, &state);
	put_tiles(&b, &c, notify);
	put_alerts(&b, rules, &c, now_ms);
	page_put_alarms(&b, notify, now_ms);
	put_messages(&b, notify, now_ms);
	put_managers(&b, notify, now_ms);
	page_put_heartbeats(&b, notify, now_ms);
	if (notify_history(api->deps.notify, &last, q->arena, &happened, &n_happened, &e))
		put_history(&b, happened, n_happened);
	put_targets(&b, targets, n_targets, now_ms);
	put_rules(&b, rules, now_ms);
	buf_putz(&b, "</main></body></html>\n");
	rules_snapshot_release(rules);
	html_reply(q, 200, &b);
	buf_fini(&b);
}

void api_style(struct http_request *q)
{
	http_reply(q, 200, "text/css; charset=utf-8", str_between(web_style_begin, web_style_end));
}
