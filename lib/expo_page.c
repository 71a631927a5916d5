/* Pages: the shapes of several sets merged, their values copied in between. */
#include <assert.h>
#include <stdlib.h>

#include "expo_private.h"
#include "tocsin/http.h"
#include "tocsin/mem.h"

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
	const struct expo_shape *shape;
	const struct expo_value *values;
	struct buf extra;       /* rendered */
	bool collides;
};

struct ref {
	const struct expo_shape_family *family;
	const struct part *part;
};

struct page {
	struct buf *out;
	enum expo_format format;
	struct part *parts;
	struct ref *refs;       /* sorted by family name, then by part */
	size_t n_refs;
};

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

const char *expo_type_text(enum expo_type type)
{
	return types[type].text;
}

/* OpenMetrics names families without the suffix. Where that is not possible the samples keep their names and the type goes. */
static const char *open_type(const struct page *p, const struct expo_shape_family *f, struct str *name)
{
	struct str suffix = types[f->type].suffix, base;

	*name = f->name;
	if (suffix.n == 0)
		return types[f->type].open;
	base = (struct str){ f->name.p, f->name.n - suffix.n };
	if (f->name.n <= suffix.n || !str_ends(f->name, suffix) || has_family(p, base))
		return types[EXPO_UNTYPED].open;
	*name = base;
	return types[f->type].open;
}

static void put_help(struct buf *out, struct str help, bool quotes)
{
	struct buf clean = { 0 };

	if (memchr(help.p, '\n', help.n) == NULL && memchr(help.p, '\\', help.n) == NULL && memchr(help.p, '"', help.n) == NULL
	    && str_is_utf8(help)) {
		buf_puts(out, help);
		return;
	}
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

void expo_put_head(struct buf *b, struct str name, struct str help, bool quotes, const char *type)
{
	if (help.p != NULL) {
		buf_put(b, "# HELP ", 7);
		buf_puts(b, name);
		buf_putc(b, ' ');
		put_help(b, help, quotes);
		buf_putc(b, '\n');
	}
	buf_put(b, "# TYPE ", 7);
	buf_puts(b, name);
	buf_putc(b, ' ');
	buf_putz(b, type);
	buf_putc(b, '\n');
}

static void put_head(const struct page *p, const struct expo_shape_family *f)
{
	struct str name;
	const char *type, *unit = f->unit;

	if (p->format == EXPO_TEXT) {
		buf_puts(p->out, f->head);
		return;
	}
	type = open_type(p, f, &name);
	expo_put_head(p->out, name, f->help, true, type);
	if (unit != NULL && str_ends(name, str_of(unit)) && name.n > strlen(unit) + 1 &&
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

/* A sample with a label of the page's own name. */
static void put_colliding(struct buf *out, const struct part *part, const struct expo_sample *s, const struct expo_value *v)
{
	struct str labels = expo_labels_text(s->labels), name;

	buf_puts(out, s->family->name);
	buf_puts(out, expo_suffixes[s->suffix]);
	buf_putc(out, '{');
	buf_put(out, part->extra.p, part->extra.n);
	while (labels.n > 0) {
		struct str label = cut_label(&labels, &name);

		buf_putc(out, ',');
		if (is_extra(part->part, name))
			buf_putz(out, "exported_");
		buf_puts(out, label);
	}
	buf_put(out, "} ", 2);
	buf_put(out, v->text, v->n);
	buf_putc(out, '\n');
}

static char *copy(char *to, const void *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/* One reservation a line: this is where a page's time goes. */
static void put_sample(struct buf *out, const struct part *part, const struct expo_sample *s, const struct expo_value *v)
{
	struct str name = s->family->name, suffix = expo_suffixes[s->suffix], labels = expo_labels_text(s->labels),
	           extra = buf_str(&part->extra);
	char *at, *beg;

	if (part->collides && labels.n > 0) {
		put_colliding(out, part, s, v);
		return;
	}
	beg = at = buf_reserve(out, name.n + suffix.n + extra.n + labels.n + sizeof v->text + 5);
	if (beg == NULL)
		return;
	at = copy(at, name.p, name.n);
	if (suffix.n > 0)
		at = copy(at, suffix.p, suffix.n);
	if (labels.n + extra.n > 0) {
		*at++ = '{';
		if (extra.n > 0)
			at = copy(at, extra.p, extra.n);
		if (extra.n > 0 && labels.n > 0)
			*at++ = ',';
		at = copy(at, labels.p, labels.n);
		*at++ = '}';
	}
	*at++ = ' ';
	copy(at, v->text, sizeof v->text);      /* more than there is: quicker than as much */
	at += v->n;
	*at++ = '\n';
	out->n += (size_t)(at - beg);
}

static void open_part(struct part *to, const struct expo_part *part)
{
	struct label kept[EXPO_LABELS_MAX];
	size_t n = 0;

	assert(part->n_extra <= EXPO_LABELS_MAX);
	to->part = part;
	to->shape = expo_set_shape(part->set);
	to->values = expo_set_values(part->set);
	for (size_t i = 0; i < part->n_extra; i++)
		if (part->extra[i].value.n > 0)
			kept[n++] = part->extra[i];
	expo_put_labels(&to->extra, kept, n);
	for (const struct expo_label_name *l = to->shape->label_names; l != NULL && !to->collides; l = l->next)
		to->collides = is_extra(part, l->name);
}

static void add_refs(struct page *p, const struct part *part)
{
	const size_t n = part->shape->n_families;
	struct expo_shape_family **own = NULL, **sorted = part->shape->sorted;

	if (sorted == NULL) {
		own = sorted = mem_alloc(n * sizeof *own);
		expo_sort_families(part->shape, own);
	}
	for (size_t i = 0; i < n; i++)
		if (sorted[i]->first != EXPO_NO_SAMPLE)
			p->refs[p->n_refs++] = (struct ref){ sorted[i], part };
	free(own);
}

/* Two sorted runs, [0, half) and [half, n), into <to>. */
static void merge(const struct ref *from, size_t half, size_t n, struct ref *to)
{
	size_t a = 0, b = half;

	while (a < half && b < n)
		*to++ = expo_compare_families(from[b].family, from[a].family) < 0 ? from[b++] : from[a++];
	while (a < half)
		*to++ = from[a++];
	while (b < n)
		*to++ = from[b++];
}

/* <ends>: of the sorted runs that the refs are made of. */
static void merge_runs(struct page *p, size_t *ends, size_t n_runs)
{
	struct ref *spare = mem_alloc(p->n_refs * sizeof *spare), *swap;

	while (n_runs > 1) {
		size_t beg = 0, n = 0;

		for (size_t i = 0; i < n_runs; i += 2) {
			const size_t half = ends[i], end = i + 1 < n_runs ? ends[i + 1] : half;

			merge(p->refs + beg, half - beg, end - beg, spare + beg);
			ends[n++] = beg = end;
		}
		n_runs = n;
		swap = p->refs;
		p->refs = spare;
		spare = swap;
	}
	free(spare);
}

static void collect(struct page *p, const struct expo_part *parts, size_t n)
{
	size_t *ends = mem_alloc(n * sizeof *ends), total = 0;

	p->parts = mem_alloc(n * sizeof *p->parts);
	for (size_t i = 0; i < n; i++) {
		open_part(&p->parts[i], &parts[i]);
		total += p->parts[i].shape->n_families;
	}
	p->refs = mem_alloc(total * sizeof *p->refs);
	for (size_t i = 0; i < n; i++) {
		add_refs(p, &p->parts[i]);
		ends[i] = p->n_refs;
	}
	merge_runs(p, ends, n);
	free(ends);
}

static void put_family(struct buf *out, const struct ref *ref)
{
	const struct part *part = ref->part;

	for (uint32_t i = ref->family->first; i != EXPO_NO_SAMPLE; i = part->shape->samples[i].next)
		put_sample(out, part, &part->shape->samples[i], &part->values[i]);
}

void expo_write(struct buf *out, const struct expo_part *parts, size_t n, enum expo_format format)
{
	struct page p = { .out = out, .format = format };

	collect(&p, parts, n);
	for (size_t i = 0; i < p.n_refs; i++) {
		if (i == 0 || expo_compare_families(p.refs[i - 1].family, p.refs[i].family) != 0)
			put_head(&p, p.refs[i].family);
		put_family(out, &p.refs[i]);
	}
	if (format == EXPO_OPENMETRICS)
		buf_putz(out, "# EOF\n");
	for (size_t i = 0; i < n; i++)
		buf_fini(&p.parts[i].extra);
	free(p.parts);
	free(p.refs);
}
