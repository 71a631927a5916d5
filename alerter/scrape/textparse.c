/* The exposition parser. What costs is measured: a known series is compared by memcmp, and numbers of up to 19 digits never reach
 * strtod. Errors carry the line, counted only then. */
#include "scrape/textparse.h"

#include <math.h>
#include <stdlib.h>

void textparse_init(struct textparse *p, struct str text, bool openmetrics)
{
	*p = (struct textparse){ .p = text.p, .begin = text.p, .end = text.p + text.n, .openmetrics = openmetrics };
}

static bool fail(struct textparse *p, const char *at, const char *what)
{
	int line = 1;

	for (const char *q = p->begin; q < at && (q = memchr(q, '\n', (size_t)(at - q))) != NULL; q++)
		line++;
	p->problem = what;
	err_set(&p->err, ERR_SYNTAX, (int)(at - p->begin), "line %d: %s", line, what);
	p->p = p->end;
	return false;
}

static void skip_blanks(struct textparse *p)
{
	while (p->p < p->end && (*p->p == ' ' || *p->p == '\t'))
		p->p++;
}

enum textparse_kind textparse_next(struct textparse *p)
{
	while (p->err.code == ERR_NONE && p->p < p->end) {
		if (p->saw_eof) {
			fail(p, p->p, "data after # EOF");
			break;
		}
		if (!p->openmetrics)
			skip_blanks(p);
		if (*p->p == '#')
			return TEXTPARSE_COMMENT;
		if (p->p < p->end && (*p->p != '\n' || p->openmetrics))
			return TEXTPARSE_SERIES;
		p->p += p->p < p->end;
	}
	if (p->err.code == ERR_NONE && p->openmetrics && !p->saw_eof)
		fail(p, p->end, "data does not end with # EOF");
	return TEXTPARSE_END;
}

/* ---- Series ---- */

static inline bool is_letter(char c)
{
	return (unsigned char)((c | 32) - 'a') < 26 || c == '_';
}

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* <colon>: ':' is a letter, as in the name of a metric. */
static inline const char *skip_name(const char *p, const char *end, bool colon)
{
	if (p < end && (is_letter(*p) || (colon && *p == ':')))
		for (p++; p < end && (is_letter(*p) || is_digit(*p) || (colon && *p == ':'));)
			p++;
	return p;
}

/* Behind the closing quote of the string that opens at <p>; NULL when it is not closed on its line. */
static inline const char *skip_quoted(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\n' || (*p == '\\' && (++p == end || *p == '\n' || *p == '\0')))
			return NULL;
	}
	return NULL;
}

bool textparse_series(struct textparse *p, struct str *series)
{
	const char *q = skip_name(p->p, p->end, true);

	if (q == p->p && *q != '{')
		return fail(p, q, "expected a metric name");
	if (*q == ' ' || *q == '\t') { /* "name {": blanks before the brace are legal in the text format */
		const char *brace = q;

		while (brace < p->end && (*brace == ' ' || *brace == '\t'))
			brace++;
		q = !p->openmetrics && *brace == '{' ? brace : q;
	}
	if (q < p->end && *q == '{')
		while (*q != '}') {
			if (p->openmetrics && (*q == ' ' || *q == '\t'))
				return fail(p, q, "a blank between labels");
			q = *q == '"' ? skip_quoted(q, p->end) : q + 1;
			if (q == NULL || q >= p->end || *q == '\n')
				return fail(p, p->p, "labels are not closed by '}'");
		}
	if (q < p->end && *q == '}')
		q++;
	*series = str_between(p->p, q);
	p->p = q;
	if (!p->openmetrics && q < p->end && q[-1] == '}' && *q != '\n')
		return true;
	if (q == p->end || (*q != ' ' && *q != '\t'))
		return fail(p, q, q == p->end || *q == '\n' ? "expected a value" : "expected a blank before the value");
	return true;
}

/* ---- Numbers ---- */

/* 10^0 … 10^22 are exact, and so is the product or quotient with a mantissa below 2^53 (Clinger's fast path). */
static const double exact_powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Digits with at most one point and no exponent, ended by a blank or newline. */
static bool quick_number(const char **pp, const char *end, double *out)
{
	const char *p = *pp, *digits;
	bool minus = p < end && *p == '-';
	uint64_t m = 0;
	long fraction = 0;

	p += minus;
	for (digits = p; (unsigned char)(*p - '0') < 10; p++)
		m = m * 10 + (uint64_t)(*p - '0');
	if (*p == '.') {
		const char *point = p++;

		for (digits++; (unsigned char)(*p - '0') < 10; p++)
			m = m * 10 + (uint64_t)(*p - '0');
		fraction = p - point - 1;
	}
	if (p <= digits || p - digits > 18 || m >> 53 != 0 || (*p != '\n' && *p != ' ' && *p != '\t'))
		return false;
	*out = fraction == 0 ? (double)m : (double)m / exact_powers[fraction];
	if (minus)
		*out = -*out;
	*pp = p;
	return true;
}

static bool is_hexadecimal(struct str s)
{
	return str_chr(s, 'x') < s.n || str_chr(s, 'X') < s.n;
}

/* As Prometheus reads them: no hexadecimal ones, none that is too large, NaN without a sign. */
static bool slow_number(struct textparse *p, double *out)
{
	static const struct {
		struct str text;
		double v;
	} special[] = {
		{ { "NaN", 3 }, (double)NAN },
		{ { "+Inf", 4 }, (double)INFINITY },
		{ { "Inf", 3 }, (double)INFINITY },
		{ { "-Inf", 4 }, -(double)INFINITY },
		{ { "Infinity", 8 }, (double)INFINITY },
		{ { "+Infinity", 9 }, (double)INFINITY },
		{ { "-Infinity", 9 }, -(double)INFINITY },
	};
	const char *beg = p->p;
	struct str word;

	while (p->p < p->end && *p->p != ' ' && *p->p != '\t' && *p->p != '\n' && *p->p != '\r')
		p->p++;
	word = str_between(beg, p->p);
	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (str_eq_nocase(word, special[i].text)) {
			*out = special[i].v;
			return true;
		}
	if (word.n == 0 || is_hexadecimal(word) || !str_to_double(word, out) || isinf(*out) || isnan(*out))
		return fail(p, beg, word.n == 0 ? "expected a value" : "the value is not a number");
	return true;
}

static bool read_number(struct textparse *p, double *out)
{
	return quick_number(&p->p, p->end, out) || slow_number(p, out);
}

static bool text_timestamp(struct textparse *p, struct textparse_sample *out)
{
	const char *beg = p->p;

	while (p->p < p->end && *p->p != ' ' && *p->p != '\t' && *p->p != '\n')
		p->p++;
	out->has_t = true;
	return str_to_int64(str_between(beg, p->p), &out->t_ms) ||
	       fail(p, beg, "the timestamp is not a whole number of milliseconds");
}

static bool openmetrics_timestamp(struct textparse *p, struct textparse_sample *out)
{
	const char *beg = p->p;
	double seconds;

	if (!read_number(p, &seconds))
		return false;
	if (!(fabs(seconds) < 1e13))
		return fail(p, beg, "the timestamp is out of range");
	out->has_t = true;
	out->t_ms = (int64_t)floor(seconds * 1000 + 0.5);
	return true;
}

/* '#' '{' labels '}' value [timestamp] */
static bool read_exemplar(struct textparse *p)
{
	struct textparse_sample time = { 0 };

	p->exemplar = (struct textparse_exemplar){ 0 };
	p->p++;
	if (p->p == p->end || *p->p++ != ' ' || p->p == p->end || *p->p != '{')
		return fail(p, p->p, "expected '{' of an exemplar behind '# '");
	if (!textparse_series(p, &p->exemplar.text))
		return false;
	p->p++;
	if (!read_number(p, &p->exemplar.v))
		return false;
	if (p->p < p->end && *p->p == ' ') {
		p->p++;
		if (!openmetrics_timestamp(p, &time))
			return false;
		p->exemplar.has_t = true;
		p->exemplar.t_ms = time.t_ms;
	}
	return true;
}

static bool end_of_line(struct textparse *p)
{
	if (!p->openmetrics && p->p < p->end && *p->p == '\r')
		p->p++;
	if (p->p == p->end)
		return !p->openmetrics || fail(p, p->p, "expected a newline");
	if (*p->p != '\n')
		return fail(p, p->p, "unexpected text behind the sample");
	p->p++;
	return true;
}

/* OpenMetrics: exactly one space between the parts. */
static bool openmetrics_value(struct textparse *p, struct textparse_sample *out)
{
	if (*p->p != ' ')
		return fail(p, p->p, "expected one space before the value");
	p->p++;
	if (!read_number(p, &out->v))
		return false;
	if (p->end - p->p > 1 && *p->p == ' ' && p->p[1] != '#') {
		p->p++;
		if (!openmetrics_timestamp(p, out))
			return false;
	}
	if (p->end - p->p > 1 && *p->p == ' ' && p->p[1] == '#') {
		p->p++;
		if (!read_exemplar(p))
			return false;
		out->n_exemplars = 1;
		out->exemplars = &p->exemplar;
	}
	return end_of_line(p);
}

bool textparse_value(struct textparse *p, struct textparse_sample *out)
{
	*out = (struct textparse_sample){ 0 };
	if (p->openmetrics)
		return openmetrics_value(p, out);
	skip_blanks(p);
	if (!read_number(p, &out->v))
		return false;
	if (p->p < p->end && *p->p == '\n') {
		p->p++;
		return true;
	}
	skip_blanks(p);
	if (p->p < p->end && *p->p != '\n' && *p->p != '\r' && !text_timestamp(p, out))
		return false;
	skip_blanks(p);
	return end_of_line(p);
}

/* ---- Labels ---- */

struct label_parser {
	const char *p, *end;
	struct arena *arena;
	struct err *err;
	struct str series;
};

static bool bad(struct label_parser *l, const char *what)
{
	return err_set(l->err, ERR_SYNTAX, (int)(l->p - l->series.p), "%s in %.*s", what,
	               (int)(l->series.n < 200 ? l->series.n : 200), l->series.p);
}

static void blanks(struct label_parser *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
}

static bool quoted(struct label_parser *l, struct str *out)
{
	const char *end = skip_quoted(l->p, l->end), *p = l->p + 1;
	char *text;
	size_t n = 0;

	if (end == NULL)
		return bad(l, "a string without its closing quote");
	l->p = end--;
	*out = str_between(p, end);
	if (!str_is_utf8(*out))
		return bad(l, "text that is not UTF-8");
	if (str_chr(*out, '\\') == out->n)
		return true;
	text = arena_alloc_raw(l->arena, out->n);
	for (; p < end; p++) {
		bool escaped = *p == '\\' && (p[1] == '\\' || p[1] == '"' || p[1] == 'n');

		p += escaped;
		text[n++] = escaped && *p == 'n' ? '\n' : *p;
	}
	*out = (struct str){ text, n };
	return true;
}

/* name '=' "value"; or "metric.name" alone, the quoted form of names that are not plain */
static bool one_label(struct label_parser *l, struct label *out)
{
	if (l->p < l->end && *l->p == '"') {
		if (!quoted(l, &out->name))
			return false;
		blanks(l);
		if (l->p < l->end && (*l->p == ',' || *l->p == '}')) {
			*out = (struct label){ STR(LABEL_NAME), out->name };
			return out->value.n > 0 || bad(l, "an empty metric name");
		}
	} else {
		const char *q = skip_name(l->p, l->end, false);

		out->name = str_between(l->p, q);
		l->p = q;
		if (out->name.n == 0)
			return bad(l, "expected a label name");
	}
	blanks(l);
	if (out->name.n == 0 || l->p == l->end || *l->p != '=')
		return bad(l, "expected '=' behind a label name");
	l->p++;
	blanks(l);
	if (l->p == l->end || *l->p != '"')
		return bad(l, "expected '\"' before a label value");
	return quoted(l, &out->value);
}

static struct labels empty_ones(const struct label *v, size_t n, struct arena *a)
{
	struct label *out = ARENA_ARRAY(a, n, struct label);
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].value.n == 0)
			out[n_out++] = v[i];
	return (struct labels){ out, n_out };
}

static bool read_labels(struct str series, struct arena *a, struct labels *out, struct labels *empty, struct err *e)
{
	struct label_parser l = { series.p, series.p + series.n, a, e, series };
	const char *name_end = skip_name(l.p, l.end, true);
	struct label *v = ARENA_ARRAY(a, 8, struct label);
	size_t n = 0, cap = 8;
	struct str dup;

	if (name_end > l.p)
		v[n++] = (struct label){ STR(LABEL_NAME), str_between(l.p, name_end) };
	l.p = name_end;
	blanks(&l);
	if (l.p < l.end && *l.p++ == '{')
		for (blanks(&l); l.p < l.end && *l.p != '}'; blanks(&l)) {
			if (n == TEXTPARSE_MAX_LABELS)
				return bad(&l, "more than 1024 labels");
			v = arena_grow(a, v, n, &cap, n + 1, sizeof *v);
			if (!one_label(&l, &v[n++]))
				return false;
			blanks(&l);
			if (l.p < l.end && *l.p != ',' && *l.p != '}')
				return bad(&l, "expected ',' or '}' behind a label");
			l.p += l.p < l.end && *l.p == ',';
		}
	if (empty != NULL)
		*empty = empty_ones(v, n, a);
	if (!labels_from(v, n, out, &dup))
		return bad(&l, "a label name that occurs twice");
	return true;
}

bool textparse_labels(struct str series, struct arena *a, struct labels *out, struct labels *empty, struct err *e)
{
	struct label_parser l = { series.p + series.n, series.p + series.n, a, e, series };

	return read_labels(series, a, out, empty, e) && (labels_has(*out, STR(LABEL_NAME)) || bad(&l, "no metric name"));
}

bool textparse_exemplar_labels(struct str text, struct arena *a, struct labels *out, struct err *e)
{
	return read_labels(text, a, out, NULL, e);
}

/* ---- Comments ---- */

static struct str unescape_help(struct str s, bool quotes, struct arena *a)
{
	char *text;
	size_t n = 0;

	if (str_chr(s, '\\') == s.n)
		return s;
	text = arena_alloc_raw(a, s.n);
	for (size_t i = 0; i < s.n; i++) {
		bool escaped =
			s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '\\' || s.p[i + 1] == 'n' || (quotes && s.p[i + 1] == '"'));

		i += escaped;
		text[n++] = escaped && s.p[i] == 'n' ? '\n' : s.p[i];
	}
	return (struct str){ text, n };
}

/* The next word of <*rest>, blanks before it skipped. */
static struct str word(struct str *rest)
{
	const char *p = rest->p, *end = rest->p + rest->n, *beg;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (beg = p; p < end && *p != ' ' && *p != '\t';)
		p++;
	*rest = str_between(p, end);
	return str_between(beg, p);
}

/* The same of a metric's name, plain or in quotes; empty where there is none. */
static struct str metric_name(struct str *rest)
{
	const char *beg = rest->p, *end = rest->p + rest->n, *p;
	bool quotes;

	while (beg < end && (*beg == ' ' || *beg == '\t'))
		beg++;
	quotes = beg < end && *beg == '"';
	p = quotes ? skip_quoted(beg, end) : skip_name(beg, end, true);
	if (p == NULL)
		return STR("");
	*rest = str_between(p, end);
	return quotes ? str_between(beg + 1, p - 1) : str_between(beg, p);
}

static bool known_type(struct str type, bool openmetrics)
{
	static const struct {
		struct str name;
		bool text;
	} types[] = {
		{ { "counter", 7 }, true }, { { "gauge", 5 }, true },     { { "histogram", 9 }, true },
		{ { "summary", 7 }, true }, { { "untyped", 7 }, true },   { { "unknown", 7 }, false },
		{ { "info", 4 }, false },   { { "stateset", 8 }, false }, { { "gaugehistogram", 14 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(type, types[i].name))
			return types[i].text != openmetrics || i < 4;
	return false;
}

static bool one_blank(struct str rest)
{
	return rest.n > 1 && rest.p[0] == ' ' && rest.p[1] != ' ' && rest.p[1] != '\t';
}

static bool unit_fits(struct str metric, struct str unit)
{
	return unit.n == 0 || (metric.n > unit.n && str_ends(metric, unit) && metric.p[metric.n - unit.n - 1] == '_');
}

static bool read_keyword(struct textparse *p, struct str keyword, struct str rest, struct arena *a, struct textparse_meta *out)
{
	struct str value;

	if (p->openmetrics && !one_blank(rest))
		return fail(p, out->line.p, "expected one space before the metric's name");
	out->metric = metric_name(&rest);
	value = rest.n > 0 ? (struct str){ rest.p + 1, rest.n - 1 } : STR("");
	if (out->metric.n == 0)
		return fail(p, out->line.p, "expected a metric name");
	if (p->openmetrics && (rest.n == 0 || *rest.p != ' '))
		return fail(p, out->line.p, "expected a space behind the metric's name");
	if (!str_is_utf8(rest) || str_chr(rest, '\0') < rest.n)
		return fail(p, out->line.p, "text that is not UTF-8, or holds a NUL");
	if (str_eq(keyword, STR("HELP"))) {
		out->help = unescape_help(value, p->openmetrics, a);
		return true;
	}
	if (str_eq(keyword, STR("UNIT"))) {
		out->unit = value;
		return unit_fits(out->metric, value) || fail(p, out->line.p, "a unit that is no suffix of the metric's name");
	}
	out->type = p->openmetrics ? value : str_trim(value);
	if (!known_type(out->type, p->openmetrics))
		return fail(p, out->line.p, "unknown metric type");
	if (str_eq(out->type, STR("untyped")))
		out->type = STR("unknown");
	return true;
}

bool textparse_comment(struct textparse *p, struct arena *a, struct textparse_meta *out)
{
	const char *newline = memchr(p->p, '\n', (size_t)(p->end - p->p)), *end = newline != NULL ? newline : p->end;
	struct str rest = str_between(p->p + 1, end), keyword;

	*out = (struct textparse_meta){ .line = str_between(p->p, newline != NULL ? newline + 1 : end) };
	if (!p->openmetrics && rest.n > 0 && rest.p[rest.n - 1] == '\r')
		rest.n--;
	if (p->openmetrics && str_eq(rest, STR(" EOF"))) {
		p->saw_eof = true;
		p->p = out->line.p + out->line.n;
		return true;
	}
	if (p->openmetrics && (newline == NULL || !one_blank(rest)))
		return fail(p, p->p, "a comment that is no HELP, TYPE, UNIT or EOF");
	keyword = word(&rest);
	if (!p->openmetrics && rest.n == 0) /* "# HELP" alone is a remark */
		keyword = STR("");
	if (str_eq(keyword, STR("HELP")) || str_eq(keyword, STR("TYPE")) || (p->openmetrics && str_eq(keyword, STR("UNIT")))) {
		if (!read_keyword(p, keyword, rest, a, out))
			return false;
	} else if (p->openmetrics) {
		return fail(p, p->p, "a comment that is no HELP, TYPE, UNIT or EOF");
	}
	p->p = out->line.p + out->line.n;
	return true;
}
