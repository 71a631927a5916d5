/* Annotations: made, told apart, and in the end given their place in the query's text. */
#include "notes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "fn_histogram.h"
#include "query.h"
#include "tocsin/clock.h"
#include "tocsin/num.h"

static const struct {
	bool warning;
	const char *text;
} texts[] = {
#define X(id, warning, text) { warning, text },
	NOTE_LIST(X)
#undef X
};

static void falls_join(struct falls *f, const struct falls *other)
{
	f->n += other->n;
	f->first_ms = other->first_ms < f->first_ms ? other->first_ms : f->first_ms;
	f->last_ms = other->last_ms > f->last_ms ? other->last_ms : f->last_ms;
	f->low = fmin(f->low, other->low);
	f->high = fmax(f->high, other->high);
	f->most = fmax(f->most, other->most);
}

void notes_join(struct notes *all, struct arena *a, const struct note *note)
{
	for (size_t i = 0; i < all->n; i++) {
		struct note *n = &all->v[i];

		if (n->warning != note->warning || !str_eq(n->text, note->text))
			continue;
		if (note->falls.n > 0)
			falls_join(&n->falls, &note->falls);
		else
			n->pos = note->pos;
		return;
	}
	all->v = arena_grow(a, all->v, all->n, &all->cap, all->n + 1, sizeof *all->v);
	all->v[all->n] = *note;
	all->v[all->n++].text = arena_str(a, note->text);
}

static void add(struct eval *ev, bool warning, int pos, struct str text, struct falls falls)
{
	notes_join(&ev->notes, ev->lasting, &(struct note){ warning, pos, text, falls });
}

static void put_quoted(struct buf *b, const char *before, struct str s)
{
	buf_printf(b, "%s\"", before);
	labels_escape(b, s);
	buf_putc(b, '"');
}

static void add_about(struct eval *ev, enum note_id id, struct str name, int pos, struct falls falls)
{
	struct str text = str_of(texts[id].text);
	size_t mark = str_chr(text, '%');
	struct buf b = { 0 };

	buf_put(&b, text.p, mark);
	if (mark < text.n && !(text.p[mark + 1] == '?' && name.n == 0))
		put_quoted(&b, text.p[mark + 1] == '?' ? " for metric name " : "", name);
	add(ev, texts[id].warning, pos, buf_str(&b), falls);
	buf_fini(&b);
}

void note_add(struct eval *ev, enum note_id id, struct labels labels, int pos)
{
	struct str name = labels_get(labels, STR(LABEL_NAME));

	/* a hundred thousand series of one metric say the same */
	if (ev->last_note == id + 1 && ev->last_note_pos == pos && str_eq(ev->last_note_name, name))
		return;
	ev->last_note = id + 1;
	ev->last_note_name = name;
	ev->last_note_pos = pos;
	add_about(ev, id, name, pos, (struct falls){ 0 });
}

void note_falls(struct eval *ev, struct labels labels, const struct falls *falls, int pos)
{
	add_about(ev, NOTE_FORCED_MONOTONIC, labels_get(labels, STR(LABEL_NAME)), pos, *falls);
}

void note_printf(struct eval *ev, bool warning, int pos, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(ev, warning, pos, (struct str){ text, n < (int)sizeof text ? (size_t)n : sizeof text - 1 }, (struct falls){ 0 });
}

void note_bad_bucket(struct eval *ev, struct labels labels, struct str le, int pos)
{
	struct str name = labels_get(labels, STR(LABEL_NAME));
	struct buf b = { 0 };

	put_quoted(&b, "bucket label \"le\" is missing or has a malformed value of ", le);
	if (name.n > 0)
		put_quoted(&b, " for metric name ", name);
	add(ev, true, pos, buf_str(&b), (struct falls){ 0 });
	buf_fini(&b);
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

static void put_second(struct buf *b, int64_t ms)
{
	char text[32];

	clock_format_rfc3339(text, ms);
	buf_printf(b, "%.19sZ", text);
}

static void put_falls(struct buf *b, const struct falls *f)
{
	buf_putz(b, ", from buckets ");
	buf_num(b, f->low);
	buf_putz(b, " to ");
	buf_num(b, f->high);
	if (isinf(f->most))
		buf_putz(b, ", with a max diff of +Inf");
	else
		buf_printf(b, ", with a max diff of %.2g", f->most);
	buf_printf(b, ", over %zu samples from ", f->n);
	put_second(b, f->first_ms);
	buf_putz(b, " to ");
	put_second(b, f->last_ms);
}

const struct promql_note *notes_finish(const struct promql_query *q, const struct notes *notes, struct arena *a)
{
	struct promql_note *out = ARENA_ARRAY(a, notes->n, struct promql_note);

	for (size_t i = 0; i < notes->n; i++) {
		const struct note *note = &notes->v[i];
		struct buf b = { 0 };
		int line, col;

		line_and_column(q->text, note->pos, &line, &col);
		buf_printf(&b, "PromQL %s: " STR_FMT, note->warning ? "warning" : "info", STR_ARG(note->text));
		if (note->falls.n > 0)
			put_falls(&b, &note->falls);
		buf_printf(&b, " (%d:%d)", line, col);
		out[i] = (struct promql_note){ note->warning, note->pos, arena_str(a, buf_str(&b)) };
		buf_fini(&b);
	}
	return out;
}
