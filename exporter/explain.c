/* Paragraphs: a heading a source, below it what happens when, below that what is asked. */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/regex.h"

#define WIDTH 132u

/* Words of <text>, the first line behind <first>, the next ones below it. */
static void put_folded(struct buf *out, const char *first, struct str text)
{
	size_t indent = strlen(first), column = indent;
	bool begun = false;

	buf_putz(out, first);
	while (text.n > 0) {
		size_t n = 0;

		while (n < text.n && strchr(" \t\r\n", text.p[n]) == NULL)
			n++;
		if (n > 0 && begun && column + 1 + n > WIDTH) {
			buf_printf(out, "\n%*s", (int)indent + 2, "");
			column = indent + 2;
		} else if (n > 0 && begun) {
			buf_putc(out, ' ');
			column++;
		}
		buf_put(out, text.p, n);
		column += n;
		begun |= n > 0;
		n += n < text.n;
		text = str_between(text.p + n, text.p + text.n);
	}
	buf_putc(out, '\n');
}

static void put_line(struct buf *out, const char *first, const char *fmt, va_list ap) PRINTF(3, 0);
static void put_line(struct buf *out, const char *first, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		mem_abort(1);
	put_folded(out, first, str_of(text));
	free(text);
}

void explain_when(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(out, "  * ", fmt, ap);
	va_end(ap);
}

void explain_ask(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(out, "      ", fmt, ap);
	va_end(ap);
}

void explain_note(struct buf *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(out, "  needs ", fmt, ap);
	va_end(ap);
}

struct explain_time explain_time(int64_t ms)
{
	struct explain_time t;

	num_format_duration(t.text, ms);
	return t;
}

static void explain_module(struct buf *out, const struct sources_module *m)
{
	buf_printf(out, "\nmodule \"" STR_FMT "\": what /probe?module=" STR_FMT "&target=… names is asked as a source of kind %s\n",
	    STR_ARG(m->name), STR_ARG(m->name), m->kind->name);
	explain_when(out, "at most %lld targets have a connection at once (max_targets); it is closed when nobody asked for %s (idle); "
	    "allowed are", (long long)m->max_targets, EXPLAIN_MS(m->idle_ms));
	for (size_t i = 0; i < m->allow.n; i++)
		explain_ask(out, STR_FMT, STR_ARG(regex_pattern(m->allow.v[i])));
}

void explain_sources(struct buf *out, const struct sources *c)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		const struct sources_entry *s = &c->v[i];
		struct str address = s->kind->describe != NULL ? s->kind->describe(&a, s->settings) : STR("");

		buf_printf(out, "%s%s \"" STR_FMT "\"%s" STR_FMT "%s: %s; at most %s each time (timeout)\n", i > 0 ? "\n" : "",
		    s->kind->name, STR_ARG(s->settings->name), address.n ? " (" : "", STR_ARG(address), address.n ? ")"
		        : "", s->kind->up_family,
		    EXPLAIN_MS(s->settings->timeout_ms));
		s->kind->explain(out, s->settings);
	}
	for (size_t i = 0; i < c->n_modules; i++)
		explain_module(out, &c->modules[i]);
	arena_fini(&a);
}
