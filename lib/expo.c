/* Sample sets and the pages made of them. A sample is kept as the text that will be written (name, labels, value), so writing a
 * page is copying; it is rendered once, when it is emitted. Invariant: no two samples of a set have the same name and labels. */
#include "tocsin/expo.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "tocsin/http.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { LABELS_MAX = 64 };

struct sample {
	struct sample *next;
	uint32_t name_n, labels_n, value_n;
	char text[];            /* name, then labels without braces, then the value */
};

struct family {
	struct family *next;
	const struct expo_family *row;
	struct str name;
	struct sample *first, *last;
};

struct label_name {
	struct label_name *next;
	struct str name;
};

struct expo_set {
	struct arena arena;
	struct map by_name;             /* -> struct family */
	struct map seen;                /* name and labels -> struct sample */
	struct family *first, *last;
	struct family *latest;          /* samples of a family come in a row */
	struct label_name *label_names; /* every one that occurs: tells whether a page's labels collide */
	struct expo_stats stats;
	size_t n_families;
	struct buf scratch;
};

/* ---- Filling a set. ---- */

struct expo_set *expo_set_new(void)
{
	return mem_alloc(sizeof(struct expo_set));
}

void expo_set_free(struct expo_set *s)
{
	if (s == NULL)
		return;
	map_fini(&s->by_name);
	map_fini(&s->seen);
	buf_fini(&s->scratch);
	arena_fini(&s->arena);
	free(s);
}

struct arena *expo_set_arena(struct expo_set *s)
{
	return &s->arena;
}

struct expo_stats expo_set_stats(const struct expo_set *s)
{
	return s->stats;
}

/* NULL when the name is none. */
static struct family *family_of(struct expo_set *s, const struct expo_family *row)
{
	struct family *f = s->latest;

	if (f != NULL && f->row == row)
		return f;
	f = map_get(&s->by_name, str_of(row->name));
	if (f == NULL) {
		if (!labels_metric_is_plain(str_of(row->name)))
			return NULL;
		f = ARENA_NEW(&s->arena, struct family);
		f->row = row;
		f->name = str_of(row->name);
		map_put(&s->by_name, f->name, f);
		*(s->last ? &s->last->next : &s->first) = f;
		s->last = f;
		s->n_families++;
	}
	s->latest = f;
	return f;
}

static void remember_label(struct expo_set *s, struct str name)
{
	struct label_name *l = s->label_names;

	while (l != NULL && !str_eq(l->name, name))
		l = l->next;
	if (l != NULL)
		return;
	l = ARENA_NEW(&s->arena, struct label_name);
	*l = (struct label_name){ s->label_names, arena_str(&s->arena, name) };
	s->label_names = l;
}

/* Sorted by name, empty values dropped; false when a name is none or comes twice. */
static bool sort_labels(struct expo_set *s, struct label *out, size_t *n)
{
	struct labels sorted;

	if (!labels_from(out, *n, &sorted, NULL))
		return false;
	for (size_t i = 0; i < sorted.n; i++) {
		if (!labels_name_is_plain(out[i].name) || str_eq(out[i].name, STR(LABEL_NAME)))
			return false;
		remember_label(s, out[i].name);
	}
	*n = sorted.n;
	return true;
}

static void put_value(struct buf *b, struct str value)
{
	struct buf clean = { 0 };

	if (str_is_utf8(value)) {
		labels_escape(b, value);
		return;
	}
	buf_put_utf8(&clean, value);
	labels_escape(b, buf_str(&clean));
	buf_fini(&clean);
}

static void put_labels(struct buf *b, const struct label *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		buf_puts(b, v[i].name);
		buf_put(b, "=\"", 2);
		put_value(b, v[i].value);
		buf_putc(b, '"');
	}
}

static bool add_rendered(struct expo_set *s, struct family *f, size_t name_n, double v)
{
	struct buf *b = &s->scratch;
	size_t key_n = b->n;
	struct sample *sample;

	if (map_get(&s->seen, buf_str(b)) != NULL) {
		s->stats.duplicates++;
		return false;
	}
	buf_num(b, v);
	sample = arena_alloc_raw(&s->arena, sizeof *sample + b->n);
	*sample = (struct sample){ NULL, (uint32_t)name_n, (uint32_t)(key_n - name_n), (uint32_t)(b->n - key_n) };
	memcpy(sample->text, b->p, b->n);
	map_put(&s->seen, (struct str){ sample->text, key_n }, sample);
	*(f->last ? &f->last->next : &f->first) = sample;
	f->last = sample;
	s->stats.samples++;
	return true;
}

/* <part>: the label that tells histogram buckets and quantiles apart, or NULL. */
static bool add_sample(struct expo_set *s, const struct expo_family *row, const char *suffix, double v, const struct label *labels, size_t n,
                       const struct label *part)
{
	struct family *f = family_of(s, row);
	struct label sorted[LABELS_MAX + 1];
	size_t name_n;

	if (f == NULL || n > LABELS_MAX) {
		s->stats.invalid++;
		return false;
	}
	if (n > 0)
		memcpy(sorted, labels, n * sizeof *labels);
	if (part != NULL)
		sorted[n++] = *part;
	if (!sort_labels(s, sorted, &n)) {
		s->stats.invalid++;
		return false;
	}
	buf_reset(&s->scratch);
	buf_puts(&s->scratch, f->name);
	buf_putz(&s->scratch, suffix);
	name_n = s->scratch.n;
	put_labels(&s->scratch, sorted, n);
	return add_rendered(s, f, name_n, v);
}

bool expo_emit(struct expo_set *s, const struct expo_family *f, double v, const struct label *labels, size_t n)
{
	return add_sample(s, f, "", v, labels, n, NULL);
}

static bool add_part(struct expo_set *s, const struct expo_family *f, const char *suffix, const char *name, double bound, double v,
                     const struct label *labels, size_t n)
{
	char text[NUM_MAX];
	struct label part = { str_of(name), { text, num_format(text, bound) } };

	return add_sample(s, f, suffix, v, labels, n, &part);
}

bool expo_emit_histogram(struct expo_set *s, const struct expo_family *f, const double *bounds, size_t n_bounds, const uint64_t *counts,
                         double sum, const struct label *labels, size_t n)
{
	uint64_t total = 0;
	bool ok = true;

	for (size_t i = 0; i <= n_bounds; i++) {
		total += counts[i];
		ok = add_part(s, f, "_bucket", "le", i < n_bounds ? bounds[i] : (double)INFINITY, (double)total, labels, n) && ok;
	}
	ok = add_sample(s, f, "_sum", sum, labels, n, NULL) && ok;
	return add_sample(s, f, "_count", (double)total, labels, n, NULL) && ok;
}

bool expo_emit_summary(struct expo_set *s, const struct expo_family *f, const double *quantiles, const double *values, size_t n_quantiles,
                       double sum, double count, const struct label *labels, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n_quantiles; i++)
		ok = add_part(s, f, "", "quantile", quantiles[i], values[i], labels, n) && ok;
	ok = add_sample(s, f, "_sum", sum, labels, n, NULL) && ok;
	return add_sample(s, f, "_count", count, labels, n, NULL) && ok;
}

/* ---- Formats. ---- */

enum expo_format expo_negotiate(struct str accept)
{
	int open = http_accept_q(accept, STR("application/openmetrics-text;version=1.0.0"));
	int unversioned = http_accept_q(accept, STR("application/openmetrics-text;version="));
	int text = http_accept_q(accept, STR("text/plain")), any = http_accept_q(accept, STR("*/*"));

	if (open < unversioned)
		open = unversioned;
	if (text < 0)
		text = any;
	return open > 0 && open >= text ? EXPO_OPENMETRICS : EXPO_TEXT;
}

const char *expo_content_type(enum expo_format format)
{
	return format == EXPO_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                                  : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- Pages. ---- */

struct part {
	const struct expo_part *part;
	struct buf extra;       /* rendered */
	bool collides;
};

struct ref {
	const struct family *family;
	const struct part *part;
};

struct page {
	struct buf *out;
	enum expo_format format;
	struct part *parts;
	struct ref *refs;       /* sorted by family name, then by part */
	size_t n_refs;
};

static int by_name(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;
	int c = str_cmp(x->family->name, y->family->name);

	return c != 0 ? c : (x->part > y->part) - (x->part < y->part);
}

static bool has_family(const struct page *p, struct str name)
{
	size_t lo = 0, hi = p->n_refs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(p->refs[mid].family->name, name);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static const struct {
	const char *text, *open;
	struct str suffix;      /* of samples, that the OpenMetrics family lacks */
} types[] = {
	[EXPO_UNTYPED] = { "untyped", "unknown", { NULL, 0 } },   [EXPO_GAUGE] = { "gauge", "gauge", { NULL, 0 } },
	[EXPO_COUNTER] = { "counter", "counter", { "_total", 6 } }, [EXPO_HISTOGRAM] = { "histogram", "histogram", { NULL, 0 } },
	[EXPO_SUMMARY] = { "summary", "summary", { NULL, 0 } },   [EXPO_INFO] = { "gauge", "info", { "_info", 5 } },
};

/* OpenMetrics names families without the suffix. Where that is not possible the samples keep their names and the type goes. */
static const char *type_in(const struct page *p, const struct family *f, struct str *name)
{
	struct str suffix = types[f->row->type].suffix, base;

	*name = f->name;
	if (p->format == EXPO_TEXT)
		return types[f->row->type].text;
	if (suffix.n == 0)
		return types[f->row->type].open;
	base = (struct str){ f->name.p, f->name.n - suffix.n };
	if (f->name.n <= suffix.n || !str_ends(f->name, suffix) || has_family(p, base))
		return types[EXPO_UNTYPED].open;
	*name = base;
	return types[f->row->type].open;
}

static void put_help(struct buf *out, struct str help, bool quotes)
{
	struct buf clean = { 0 };

	buf_put_utf8(&clean, help);
	for (size_t i = 0; i < clean.n; i++) {
		if (clean.p[i] == '\n')
			buf_put(out, "\\n", 2);
		else if (clean.p[i] == '\\' || (quotes && clean.p[i] == '"'))
			buf_put(out, (char[]){ '\\', clean.p[i] }, 2);
		else
			buf_putc(out, clean.p[i]);
	}
	buf_fini(&clean);
}

static void put_head(const struct page *p, const struct family *f)
{
	struct str name;
	const char *type = type_in(p, f, &name), *unit = f->row->unit;

	if (f->row->help != NULL) {
		buf_printf(p->out, "# HELP " STR_FMT " ", STR_ARG(name));
		put_help(p->out, str_of(f->row->help), p->format == EXPO_OPENMETRICS);
		buf_putc(p->out, '\n');
	}
	buf_printf(p->out, "# TYPE " STR_FMT " %s\n", STR_ARG(name), type);
	if (p->format == EXPO_OPENMETRICS && unit != NULL && str_ends(name, str_of(unit)) && name.n > strlen(unit) + 1 &&
	    name.p[name.n - strlen(unit) - 1] == '_')
		buf_printf(p->out, "# UNIT " STR_FMT " %s\n", STR_ARG(name), unit);
}

static bool is_extra(const struct expo_part *part, struct str name)
{
	for (size_t i = 0; i < part->n_extra; i++)
		if (str_eq(part->extra[i].name, name) && part->extra[i].value.n > 0)
			return true;
	return false;
}

/* One name="value" off the front of rendered labels. */
static struct str cut_label(struct str *rest, struct str *name)
{
	size_t n = str_chr(*rest, '=');
	struct str label;

	*name = (struct str){ rest->p, n };
	for (n += 2; rest->p[n] != '"'; n++)
		n += rest->p[n] == '\\';
	label = (struct str){ rest->p, n + 1 };
	n += n + 1 < rest->n ? 2 : 1;
	*rest = (struct str){ rest->p + n, rest->n - n };
	return label;
}

static void put_own_labels(struct buf *out, const struct part *part, struct str labels)
{
	struct str name;

	if (!part->collides) {
		buf_puts(out, labels);
		return;
	}
	while (labels.n > 0) {
		struct str label = cut_label(&labels, &name);

		if (is_extra(part->part, name))
			buf_putz(out, "exported_");
		buf_puts(out, label);
		if (labels.n > 0)
			buf_putc(out, ',');
	}
}

static void put_sample(struct buf *out, const struct part *part, const struct sample *s)
{
	buf_put(out, s->text, s->name_n);
	if (s->labels_n > 0 || part->extra.n > 0) {
		buf_putc(out, '{');
		buf_put(out, part->extra.p, part->extra.n);
		if (s->labels_n > 0 && part->extra.n > 0)
			buf_putc(out, ',');
		put_own_labels(out, part, (struct str){ s->text + s->name_n, s->labels_n });
		buf_putc(out, '}');
	}
	buf_putc(out, ' ');
	buf_put(out, s->text + s->name_n + s->labels_n, s->value_n);
	buf_putc(out, '\n');
}

static void open_part(struct part *to, const struct expo_part *part)
{
	struct label kept[LABELS_MAX];
	size_t n = 0;

	assert(part->n_extra <= LABELS_MAX);
	to->part = part;
	for (size_t i = 0; i < part->n_extra; i++)
		if (part->extra[i].value.n > 0)
			kept[n++] = part->extra[i];
	put_labels(&to->extra, kept, n);
	for (const struct label_name *l = part->set->label_names; l != NULL && !to->collides; l = l->next)
		to->collides = is_extra(part, l->name);
}

static void collect(struct page *p, const struct expo_part *parts, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += parts[i].set->n_families;
	p->parts = mem_alloc(n * sizeof *p->parts);
	p->refs = mem_alloc(total * sizeof *p->refs);
	for (size_t i = 0; i < n; i++) {
		open_part(&p->parts[i], &parts[i]);
		for (const struct family *f = parts[i].set->first; f != NULL; f = f->next)
			if (f->first != NULL)
				p->refs[p->n_refs++] = (struct ref){ f, &p->parts[i] };
	}
	qsort(p->refs, p->n_refs, sizeof *p->refs, by_name);
}

void expo_write(struct buf *out, const struct expo_part *parts, size_t n, enum expo_format format)
{
	struct page p = { .out = out, .format = format };

	collect(&p, parts, n);
	for (size_t i = 0; i < p.n_refs; i++) {
		const struct family *f = p.refs[i].family;

		if (i == 0 || !str_eq(p.refs[i - 1].family->name, f->name))
			put_head(&p, f);
		for (const struct sample *s = f->first; s != NULL; s = s->next)
			put_sample(out, p.refs[i].part, s);
	}
	if (format == EXPO_OPENMETRICS)
		buf_putz(out, "# EOF\n");
	for (size_t i = 0; i < n; i++)
		buf_fini(&p.parts[i].extra);
	free(p.parts);
	free(p.refs);
}
