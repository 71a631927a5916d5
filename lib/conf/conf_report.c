/* Diagnostics: collecting them, finding where in the file an offset into a scalar lies, printing them with a caret.
 * A report owns copies of all it shows, so it outlives the files. A source line is cut before anything that may be a secret. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/conf.h"

enum { SOURCE_MAX = 240 };

/* Where a diagnostic points: <at> is a byte offset into the file's text. */
struct place {
	const struct conf_file *file;
	size_t at;
	int line, col;
};

void conf_report_fini(struct conf_report *r)
{
	arena_fini(&r->arena);
	*r = (struct conf_report){ 0 };
}

/* ---- From a scalar's text to its file. ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t utf8_bytes(uint32_t rune)
{
	return rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
}

/* An escape of a double-quoted scalar: how long it is, and how many bytes that are no space it stands for. */
static size_t measure_escape(struct str s, size_t *bytes)
{
	static const char spaces[] = "ntr \t\n\r";
	char c = s.n > 1 ? s.p[1] : ' ';
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;

	*bytes = 1;
	if (digits > 0 && s.n >= 2 + digits) {
		char hex[9] = { 0 };
		uint32_t rune;

		memcpy(hex, s.p + 2, digits);
		rune = (uint32_t)strtoul(hex, NULL, 16);
		*bytes = rune < 0x80 && is_space((char)rune) ? 0 : utf8_bytes(rune);
		return 2 + digits;
	}
	if (strchr(spaces, c) != NULL)
		*bytes = 0;
	else if (c == 'N' || c == '_')
		*bytes = 2;
	else if (c == 'L' || c == 'P')
		*bytes = 3;
	return s.n > 1 ? 2 : 1;
}

/* Anchors and tags stand before the text proper. */
static size_t skip_properties(struct str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == '&' || s.p[i] == '!')) {
		while (i < s.n && !is_space(s.p[i]))
			i++;
		while (i < s.n && is_space(s.p[i]))
			i++;
	}
	return i;
}

static size_t skip_line(struct str s, size_t i)
{
	while (i < s.n && s.p[i] != '\n')
		i++;
	return i < s.n ? i + 1 : i;
}

/* Skips one piece of source; sets how many bytes of the text that are no space it stands for. */
static size_t step(struct str src, size_t i, char quote, size_t *bytes)
{
	if (quote == '"' && src.p[i] == '\\')
		return i + measure_escape((struct str){ src.p + i, src.n - i }, bytes);
	*bytes = !is_space(src.p[i]);
	return i + (quote == '\'' && src.p[i] == '\'' ? 2 : 1);
}

/* Indentation and folding change only spaces, so the bytes that are no space lead the way. */
static size_t source_offset(const struct conf_node *n, size_t offset)
{
	struct str src = { n->file->text.p + n->beg, n->file->text.n - n->beg };
	size_t i = skip_properties(src), need = 0, spaces = 0, bytes;
	char quote = n->quoted && i < src.n ? src.p[i] : '\0';

	for (size_t k = 0; k < offset && k < n->text.n; k++) {
		need += !is_space(n->text.p[k]);
		spaces = n->text.p[k] == ' ' ? spaces + 1 : 0;
	}
	i = n->block ? skip_line(src, i) : i + (quote != '\0');
	for (; i < src.n && need > 0; need -= bytes < need ? bytes : need)
		i = step(src, i, quote, &bytes);
	if (offset < n->text.n && !is_space(n->text.p[offset])) {
		while (i < src.n && step(src, i, quote, &bytes) <= src.n && bytes == 0)
			i = step(src, i, quote, &bytes);
	} else {
		for (; spaces > 0 && i < src.n && src.p[i] == ' '; spaces--)
			i++;
	}
	return n->beg + (i < src.n ? i : src.n);
}

static struct place place_in(const struct conf_node *n, size_t offset)
{
	struct place at = { n->file, n->beg, n->line, n->col };
	const char *text;

	if (n->file == NULL || n->kind != CONF_SCALAR)
		return at;
	at.at = source_offset(n, offset);
	text = n->file->text.p;
	for (size_t i = n->beg; i < at.at; i++) {
		if (text[i] == '\n') {
			at.line++;
			at.col = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			at.col++;
		}
	}
	return at;
}

void conf_position(const struct conf_node *scalar, size_t offset, int *line, int *col)
{
	struct place at = place_in(scalar, offset);

	*line = at.line;
	*col = at.col;
}

/* ---- Collecting. ---- */

/* Where the value begins behind a key that sounds secret; the line is shown up to there. An address may hold a password: where it
 * stands alone its own row knows, but a line in flow style has other keys beside it. */
static size_t secret_at(struct str line)
{
	static const char *const words[] = { "url", "result_backend", "basic_auth_users", /* in flow style */
		"password", "secret", "token", "api_key", "routing_key", "service_key", "credentials", "authorization", "user_key",
		"webhook_url", "headers", "apikey" };
	bool flow = str_chr(line, '{') < line.n || str_chr(line, ',') < line.n;
	size_t first = line.n;

	for (size_t i = flow ? 0 : 3; i < ARRAY_LEN(words); i++) {
		size_t at = str_find(line, str_of(words[i]));
		struct str rest = { line.p + at, line.n - at };
		size_t colon = str_chr(rest, ':');

		if (colon < rest.n && at + colon < first)
			first = at + colon;
	}
	return first < line.n ? first + 1 : SIZE_MAX;
}

static struct str line_around(struct str text, size_t at)
{
	size_t beg = at < text.n ? at : text.n, end = beg;

	while (beg > 0 && text.p[beg - 1] != '\n')
		beg--;
	while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
		end++;
	return str_between(text.p + beg, text.p + end);
}

static size_t indent_of(struct str line)
{
	size_t n = 0;

	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n;
}

/* A value may stand on lines below its key: then one that is indented less, above, has the key. */
static bool is_below_secret(struct str text, struct str line)
{
	size_t indent = indent_of(line), at = (size_t)(line.p - text.p);

	while (at > 0 && indent > 0) {
		struct str above = line_around(text, at - 1);

		at = (size_t)(above.p - text.p);
		if (indent_of(above) == above.n || indent_of(above) >= indent)
			continue;
		return secret_at(above) != SIZE_MAX;
	}
	return false;
}

/* Where the character begins that <at> is in the middle of; bytes that are none have no beginning to be looked for. */
static size_t char_start(struct str line, size_t at)
{
	for (int i = 0; i < 3 && at > 0 && at < line.n && (line.p[at] & 0xc0) == 0x80; i++)
		at--;
	return at;
}

/* The part of a long line around its byte <at>; <*col>: the column it begins at. */
static struct str part_around(struct str line, size_t at, int *col)
{
	size_t beg = at > SOURCE_MAX * 3 / 4 ? char_start(line, at - SOURCE_MAX / 2) : 0, end;

	for (size_t i = 0; i < beg; i++)
		*col += (line.p[i] & 0xc0) != 0x80;
	end = line.n - beg > SOURCE_MAX ? char_start(line, beg + SOURCE_MAX) : line.n;
	return (struct str){ line.p + beg, end - beg };
}

static struct str source_line(struct conf_report *r, const struct place *at, int *col)
{
	struct str line = line_around(at->file->text, at->at), shown = { line.p, secret_at(line) };

	if (is_below_secret(at->file->text, line))
		return STR("");
	if (shown.n == SIZE_MAX)
		shown.n = line.n;
	else if (str_trim((struct str){ line.p + shown.n, line.n - shown.n }).n == 0)
		shown.n = line.n;
	if (shown.n < line.n)
		return arena_printf(&r->arena, STR_FMT " <secret>", STR_ARG(shown));
	if (shown.n > SOURCE_MAX)
		shown = part_around(shown, (size_t)(at->file->text.p + at->at - line.p), col);
	return arena_str(&r->arena, shown);
}

PRINTF(5, 0)
static void add(struct conf_report *r, bool warning, struct str file, const struct place *at, const char *fmt, va_list ap)
{
	char message[1024];
	struct conf_diag *d;

	if (warning)
		r->n_warnings++;
	else
		r->n_errors++;
	if (r->n == CONF_MAX_DIAGS)
		return;
	vsnprintf(message, sizeof message, fmt, ap);
	r->v = arena_grow(&r->arena, r->v, r->n, &r->cap, r->n + 1, sizeof *r->v);
	d = &r->v[r->n++];
	d->warning = warning;
	d->file = arena_str(&r->arena, file);
	d->message = arena_str(&r->arena, str_of(message));
	if (at == NULL || at->file == NULL)
		return;
	d->line = at->line;
	d->col = at->col;
	d->source_col = 1;
	if (r->hide_source == 0)
		d->source = source_line(r, at, &d->source_col);
}

PRINTF(5, 0)
static void add_at_node(struct conf_report *r, bool warning, const struct conf_node *n, size_t offset, const char *fmt, va_list ap)
{
	struct place at = { 0 };

	if (n != NULL)
		at = offset > 0 ? place_in(n, offset) : (struct place){ n->file, n->beg, n->line, n->col };
	if (n != NULL && offset == 0 && n->block)
		at = place_in(n, 0);
	add(r, warning, at.file ? at.file->name : STR(""), &at, fmt, ap);
}

bool conf_error(struct conf_report *r, const struct conf_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_at_node(r, false, at, 0, fmt, ap);
	va_end(ap);
	return false;
}

void conf_warn(struct conf_report *r, const struct conf_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_at_node(r, true, at, 0, fmt, ap);
	va_end(ap);
}

bool conf_error_at(struct conf_report *r, const struct conf_node *scalar, size_t offset, const char *fmt, ...)
{
	struct place at = place_in(scalar, offset);
	va_list ap;

	va_start(ap, fmt);
	add(r, false, at.file ? at.file->name : STR(""), &at, fmt, ap);
	va_end(ap);
	return false;
}

void conf_warn_at(struct conf_report *r, const struct conf_node *scalar, size_t offset, const char *fmt, ...)
{
	struct place at = place_in(scalar, offset);
	va_list ap;

	va_start(ap, fmt);
	add(r, true, at.file ? at.file->name : STR(""), &at, fmt, ap);
	va_end(ap);
}

bool conf_error_in(struct conf_report *r, struct str file, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, false, file, NULL, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- Printing. ---- */

static int by_place(const void *a, const void *b)
{
	const struct conf_diag *x = *(const struct conf_diag *const *)a, *y = *(const struct conf_diag *const *)b;
	int c = str_cmp(x->file, y->file);

	if (c == 0)
		c = x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (x->col > y->col) - (x->col < y->col);
	return c != 0 ? c : (x > y) - (x < y);
}

/* Tabs are repeated so that the caret stands where the terminal puts the character. None where the line was cut before it. */
static void print_caret(struct buf *out, const struct conf_diag *d)
{
	size_t beg = out->n;
	int col = d->source_col;

	buf_putz(out, "    ");
	for (size_t i = 0; i < d->source.n && col < d->col; i++) {
		if ((d->source.p[i] & 0xc0) == 0x80)
			continue;
		buf_putc(out, d->source.p[i] == '\t' ? '\t' : ' ');
		col++;
	}
	if (col == d->col)
		buf_putz(out, "^\n");
	else
		out->n = beg;
}

static void print_diag(struct buf *out, const struct conf_diag *d)
{
	if (d->file.n > 0)
		buf_printf(out, STR_FMT ":", STR_ARG(d->file));
	if (d->line > 0)
		buf_printf(out, "%d:%d:", d->line, d->col);
	buf_printf(out, "%s%s" STR_FMT "\n", out->n > 0 && out->p[out->n - 1] == ':' ? " " : "", d->warning ? "warning: " : "",
	           STR_ARG(d->message));
	if (d->source.n == 0)
		return;
	buf_printf(out, "    " STR_FMT "\n", STR_ARG(d->source));
	print_caret(out, d);
}

void conf_report_print(const struct conf_report *r, struct buf *out)
{
	const struct conf_diag *sorted[CONF_MAX_DIAGS];
	size_t all = r->n_errors + r->n_warnings;

	for (size_t i = 0; i < r->n; i++)
		sorted[i] = &r->v[i];
	qsort(sorted, r->n, sizeof sorted[0], by_place);
	for (size_t i = 0; i < r->n; i++)
		print_diag(out, sorted[i]);
	if (all > r->n)
		buf_printf(out, "… and %zu more\n", all - r->n);
}
