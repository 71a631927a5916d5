/* HTML without scripts: whatever comes from outside is escaped here. */
#include "page.h"

#include "tocsin/http.h"
#include "tocsin/version.h"

static void put_escaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '<': buf_putz(out, "&lt;"); break;
		case '>': buf_putz(out, "&gt;"); break;
		case '&': buf_putz(out, "&amp;"); break;
		case '"': buf_putz(out, "&quot;"); break;
		case '\'': buf_putz(out, "&#39;"); break;
		default: buf_putc(out, s.p[i]);
		}
	}
}

static void put_cell(struct buf *out, struct str s)
{
	buf_putz(out, "<td>");
	put_escaped(out, s);
}

static void put_source(struct buf *out, const struct source_state *s)
{
	buf_putz(out, "<tr><td><a href=\"/probe?target=");
	http_encode(out, s->name);
	buf_putz(out, "\">");
	put_escaped(out, s->name);
	buf_putz(out, "</a>");
	put_cell(out, s->kind);
	put_cell(out, s->address);
	if (s->asked)
		buf_printf(out, "<td class=%s>%s", s->up ? "up" : "down", s->up ? "up" : "down");
	else
		buf_putz(out, "<td>not asked yet");
	if (s->good_age_ms >= 0)
		buf_printf(out, "<td>%.1f s ago<td>%.1f ms<td>%zu", (double)s->good_age_ms / 1e3, (double)s->took_us / 1e3, s->samples);
	else
		buf_putz(out, "<td>never<td><td>");
	put_cell(out, s->error);
	buf_putc(out, '\n');
}

void page_put(struct buf *out, const struct publisher_state *s, const char *telemetry_path)
{
	buf_putz(out, "<!doctype html><html lang=en><meta charset=utf-8><title>Tocsin exporter</title><style>"
	         "body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:80em}table{border-collapse:collapse}"
	         "td,th{padding:.3em .8em;text-align:left;border-bottom:1px solid #ccc}"
	         ".up{color:#176d17}.down{color:#b00020;font-weight:bold}"
	         "</style><h1>Tocsin exporter</h1>\n");
	if (s->load_failed) {
		buf_putz(out, "<p class=down>The configuration on disk is not in use:</p><pre>");
		put_escaped(out, s->load_message);
		buf_putz(out, "</pre>\n");
	}
	buf_putz(out, "<p><a href=\"");
	put_escaped(out, str_of(telemetry_path));
	buf_putz(out, "\">Metrics</a> of all sources; a source's name leads to its metrics alone. <a "
	    "href=\"/-/healthy\">Health</a>.</p>\n"
	         "<table><tr><th>Source<th>Kind<th>Address<th>State<th>Last read<th>Took<th>Samples<th>Error\n");
	for (size_t i = 0; i < s->n; i++)
		put_source(out, &s->sources[i]);
	buf_putz(out, "</table>\n");
	if (s->n == 0)
		buf_putz(out, "<p>No source is configured.</p>\n");
	buf_printf(out, "<p>%s</p></html>\n", version_text());
}
