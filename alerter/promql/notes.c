/* Annotations: made, told apart, and in the end given their place in the query's text. */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>

#include "fn_histogram.h"
#include "tocsin/num.h"

static const struct {
	bool warning;
	const char *text;
} texts[] = {
#define X(id, warning, text) { warning, text },
	NOTE_LIST(X)
#undef X
};

static void add(struct eval *ev, bool warning, int pos, struct str text)
{
	for (size_t i = 0; i < ev->n_notes; i++)
		if (ev->notes[i].warning == warning && str_eq(ev->notes[i].text, text))
			return;
	ev->notes = arena_grow(ev->lasting, ev->notes, ev->n_notes, &ev->cap_notes, ev->n_notes + 1, sizeof *ev->notes);
	ev->notes[ev->n_notes++] = (struct note){ warning, pos, arena_str(ev->lasting, text) };
}

void note_add(struct eval *ev, enum note_id id, struct labels labels, int pos)
{
	struct str text = str_of(texts[id].text), name = labels_get(labels, STR(LABEL_NAME));
	size_t mark = str_chr(text, '%');
	struct buf b = { 0 };

	/* a hundred thousand series of one metric say the same */
	if (ev->last_note == id + 1 && str_eq(ev->last_note_name, name))
		return;
	ev->last_note = id + 1;
	ev->last_note_name = name;
	buf_put(&b, text.p, mark);
	if (mark < text.n && !(text.p[mark + 1] == '?' && name.n == 0)) {
		buf_putz(&b, text.p[mark + 1] == '?' ? " for metric name \"" : "\"");
		labels_escape(&b, name);
		buf_putz(&b, "\"");
	}
	add(ev, texts[id].warning, pos, buf_str(&b));
	buf_fini(&b);
}

void note_printf(struct eval *ev, bool warning, int pos, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(ev, warning, pos, (struct str){ text, n < (int)sizeof text ? (size_t)n : sizeof text - 1 });
}

void note_bad_bucket(struct eval *ev, struct labels labels, int pos)
{
	struct str name = labels_get(labels, STR(LABEL_NAME)), le = labels_get(labels, STR("le"));

	note_printf(ev, true, pos, "bucket label \"le\" is missing or has a malformed value of \"" STR_FMT "\"%s" STR_FMT "%s",
	            STR_ARG(le), name.n == 0 ? "" : " for metric name \"", STR_ARG(name), name.n == 0 ? "" : "\"");
}

void note_quantile(struct eval *ev, double q, int pos)
{
	char text[NUM_MAX];

	if (q >= 0 && q <= 1)
		return;
	num_format(text, q);
	note_printf(ev, true, pos, "quantile value should be between 0 and 1, got %s", text);
}

static void line_and_column(struct str text, int pos, int *line, int *col)
{
	*line = *col = 1;
	for (int i = 0; i < pos && (size_t)i < text.n; i++) {
		++*col;
		if (text.p[i] == '\n') {
			++*line;
			*col = 1;
		}
	}
}

const struct promql_note *notes_finish(struct eval *ev, struct arena *a)
{
	struct promql_note *out = ARENA_ARRAY(a, ev->n_notes, struct promql_note);

	for (size_t i = 0; i < ev->n_notes; i++) {
		const struct note *n = &ev->notes[i];
		int line, col;

		line_and_column(ev->query->text, n->pos, &line, &col);
		out[i].warning = n->warning;
		out[i].pos = n->pos;
		out[i].text = arena_printf(a, "PromQL %s: " STR_FMT " (%d:%d)", n->warning ? "warning" : "info", STR_ARG(n->text), line, col);
	}
	return out;
}
