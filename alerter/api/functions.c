/* /functions: PromQL's functions, a line each, from the engine's own table. */
#include "internal.h"

void api_functions(struct http_request *q)
{
	const struct promql_function_info *f;
	size_t n = promql_functions(&f);
	struct buf b = { 0 };

	buf_putz(&b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
	             "<title>PromQL functions - Tocsin</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body>"
	             "<header><h1>PromQL functions</h1><nav><a href=\"/\">Tocsin</a></nav></header><main>\n");
	HTML_TABLE(&b, "Function", "What it gives");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "<tr id=\"%s\"><td><code>", f[i].name);
		html_text(&b, str_of(f[i].signature));
		buf_putz(&b, "</code></td><td>");
		html_text(&b, str_of(f[i].help));
		buf_putz(&b, f[i].experimental ? " <small>Experimental.</small></td></tr>\n" : "</td></tr>\n");
	}
	buf_putz(&b, "</table></main></body></html>\n");
	html_reply(q, 200, &b);
	buf_fini(&b);
}
