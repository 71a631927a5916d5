/* Texts, label sets and spans of time as HTML: the one place that escapes; and pages of it. */
#include "internal.h"

/* There are buttons on our pages: nobody puts them into a frame of his own. And no script is ours. */
void html_reply(struct http_request *q, int status, struct buf *b)
{
	http_reply_header(q, "X-Frame-Options", STR("DENY"));
	http_reply_header(q, "Content-Security-Policy", STR("script-src 'none'; frame-ancestors 'none'"));
	http_reply_buf(q, status, "text/html; charset=utf-8", b);
}

void html_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_putz(b, "&amp;");
			break;
		case '<':
			buf_putz(b, "&lt;");
			break;
		case '>':
			buf_putz(b, "&gt;");
			break;
		case '"':
			buf_putz(b, "&quot;");
			break;
		default:
			buf_putc(b, s.p[i]);
		}
	}
}

void html_labels(struct buf *b, struct labels l, const char *but)
{
	for (size_t i = 0; i < l.n; i++) {
		if (str_eq(l.v[i].name, str_of(but)))
			continue;
		buf_putz(b, "<span class=\"label\">");
		html_text(b, l.v[i].name);
		buf_putz(b, "=");
		html_text(b, l.v[i].value);
		buf_putz(b, "</span>");
	}
}

void html_since(struct buf *b, int64_t now_ms, int64_t ms)
{
	long long s = (now_ms - ms) / 1000;

	if (ms == 0)
		buf_putz(b, "never");
	else if (s < 60)
		buf_printf(b, "%lld s", s < 0 ? 0 : s);
	else if (s < 3600)
		buf_printf(b, "%lld min %lld s", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(b, "%lld h %lld min", s / 3600, s / 60 % 60);
	else
		buf_printf(b, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

void html_table(struct buf *b, const char *const *heads, size_t n)
{
	buf_putz(b, "<table><tr>");
	for (size_t i = 0; i < n; i++) {
		bool number = heads[i][0] == '#';

		buf_printf(b, "<th%s>%s</th>", number ? " class=\"number\"" : "", heads[i] + number);
	}
	buf_putz(b, "</tr>\n");
}
