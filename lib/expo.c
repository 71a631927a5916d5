/* Sample sets and the pages made of them. A sample is kept as the text that will be written (labels, value), so writing a page is
 * copying; it is rendered once, when it is emitted. Invariant: no two samples of a set have the same name and labels. */
#include "tocsin/expo.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "tocsin/http.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { LABELS_MAX = 64, RECENT = 64 };

/* Rendered without braces. Samples share it: those of a row of a table, and neighbours with the same labels. */
struct expo_labels {
	uint64_t hash;
	size_t n;
	char text[];
};

struct sample {
	struct sample *next;
	const struct family *family;
	const struct expo_labels *labels;
	uint8_t suffix, value_n;        /* index into suffixes */
	char value[];
};

enum suffix { NONE, BUCKET, SUM, COUNT };
static const struct str suffixes[] = {
	[NONE] = { "", 0 }, [BUCKET] = { "_bucket", 7 }, [SUM] = { "_sum", 4 }, [COUNT] = { "_count", 6 },
};

struct family {
	struct family *next;
	const struct expo_family *row;
	struct str name;
	uint64_t hash;
	struct sample *first, *last;
};

struct label_name {
	struct label_name *next;
	struct str name;
};

/* Open addressing, at most three quarters used: which samples there are, by family, suffix and labels. */
struct seen {
	struct { uint64_t hash; const struct sample *sample; } *slots;
	size_t n, cap;
};

struct expo_set {
	struct arena arena;
	struct map by_name;             /* -> struct family */
	struct seen seen;
	struct family *first, *last;
	struct family *recent[RECENT];  /* by address of their row: spares looking up the name */
	const struct expo_labels *latest;       /* rendered by expo_emit() */
	struct label_name *label_names; /* every one that occurs: tells whether a page's labels collide */
	struct expo_stats stats;
	size_t n_families;
	struct buf scratch;
	const struct label *base;
	size_t n_base;
	bool closed;
};

/* ---- Filling a set. ---- */

struct expo_set *expo_set_new(void)
{
	return mem_alloc(sizeof(struct expo_set));
}

void expo_set_close(struct expo_set *s)
{
	map_fini(&s->by_name);
	free(s->seen.slots);
	s->seen = (struct seen){ 0 };
	buf_fini(&s->scratch);
	s->closed = true;
}

void expo_set_free(struct expo_set *s)
{
	if (s == NULL)
		return;
	expo_set_close(s);
	arena_fini(&s->arena);
	free(s);
}

struct arena *expo_set_arena(struct expo_set *s)
{
	return &s->arena;
}

void expo_set_base(struct expo_set *s, const struct label *labels, size_t n)
{
	assert(n <= EXPO_BASE_MAX);
	s->base = labels;
	s->n_base = n;
}

struct expo_stats expo_set_stats(const struct expo_set *s)
{
	return s->stats;
}

bool expo_set_has(const struct expo_set *s, const struct expo_family *row, double v)
{
	const struct family *f = s->first;
	char value[NUM_MAX];
	const struct str want = { value, num_format(value, v) };

	while (f != NULL && !str_eq(f->name, str_of(row->name)))
		f = f->next;
	for (const struct sample *x = f != NULL ? f->first : NULL; x != NULL; x = x->next)
		if (str_eq((struct str){ x->value, x->value_n }, want))
			return true;
	return false;
}

static struct family *family_by_name(struct expo_set *s, const struct expo_family *row)
{
	struct family *f = map_get(&s->by_name, str_of(row->name));

	if (f != NULL || !labels_metric_is_plain(str_of(row->name)))
		return f;
	f = ARENA_NEW(&s->arena, struct family);
	f->row = row;
	f->name = str_of(row->name);
	f->hash = str_hash(f->name);
	map_put(&s->by_name, f->name, f);
	*(s->last ? &s->last->next : &s->first) = f;
	s->last = f;
	s->n_families++;
	return f;
}

/* NULL when the name is none. */
static struct family *family_of(struct expo_set *s, const struct expo_family *row)
{
	struct family **at = &s->recent[((uintptr_t)row * 0x9e3779b97f4a7c15u) >> 58];

	if (*at == NULL || (*at)->row != row)
		*at = family_by_name(s, row);
	return *at;
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

static struct str labels_text(const struct expo_labels *l)
{
	return (struct str){ l->text, l->n };
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

/* Whether the family's bare name is what the other's makes with its suffix. */
static bool is_spelled(const struct sample *bare, const struct sample *other)
{
	struct str name = bare->family->name, base = other->family->name, suffix = suffixes[other->suffix];

	return bare->suffix == NONE && name.n == base.n + suffix.n && str_starts(name, base) && str_ends(name, suffix);
}

static bool same_name(const struct sample *a, const struct sample *b)
{
	return a->family == b->family ? a->suffix == b->suffix : is_spelled(a, b) || is_spelled(b, a);
}

/* Over the whole name, whoever's it is. */
static uint64_t name_hash(struct expo_set *s, const struct family *f, enum suffix suffix)
{
	if (suffix == NONE)
		return f->hash;
	buf_reset(&s->scratch);
	buf_puts(&s->scratch, f->name);
	buf_puts(&s->scratch, suffixes[suffix]);
	return str_hash(buf_str(&s->scratch));
}

/* Where <key>'s like is, or belongs. */
static size_t seen_at(const struct seen *t, uint64_t hash, const struct sample *key)
{
	size_t i = hash & (t->cap - 1);

	for (; t->slots[i].sample != NULL; i = (i + 1) & (t->cap - 1)) {
		const struct sample *x = t->slots[i].sample;

		if (t->slots[i].hash == hash && same_name(x, key) &&
		    (x->labels == key->labels || str_eq(labels_text(x->labels), labels_text(key->labels))))
			break;
	}
	return i;
}

/* Room for <n>. */
static void seen_reserve(struct seen *t, size_t n)
{
	struct seen old = *t;

	if (n * 4 <= old.cap * 3)
		return;
	for (t->cap = old.cap ? old.cap : 16; n * 4 > t->cap * 3;)
		t->cap *= 2;
	t->slots = mem_alloc(t->cap * sizeof *t->slots);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].sample != NULL)
			t->slots[seen_at(t, old.slots[i].hash, old.slots[i].sample)] = old.slots[i];
	free(old.slots);
}

void expo_set_reserve(struct expo_set *s, size_t samples)
{
	seen_reserve(&s->seen, samples);
	map_reserve(&s->by_name, samples / 2);          /* about half of a Redis's or a Postgres's families have one sample */
}

static bool add_sample(struct expo_set *s, struct family *f, enum suffix suffix, double v, const struct expo_labels *labels)
{
	const struct sample key = { .family = f, .labels = labels, .suffix = (uint8_t)suffix };
	uint64_t hash = name_hash(s, f, suffix) * 0x9e3779b97f4a7c15u ^ labels->hash;
	struct sample *sample;
	char value[NUM_MAX];
	size_t i, n;

	assert(!s->closed);
	seen_reserve(&s->seen, s->seen.n + 1);
	i = seen_at(&s->seen, hash, &key);
	if (s->seen.slots[i].sample != NULL) {
		s->stats.duplicates++;
		return false;
	}
	n = num_format(value, v);
	sample = arena_alloc_raw(&s->arena, sizeof *sample + n);
	*sample = key;
	sample->value_n = (uint8_t)n;
	memcpy(sample->value, value, n);
	s->seen.slots[i].hash = hash;
	s->seen.slots[i].sample = sample;
	s->seen.n++;
	*(f->last ? &f->last->next : &f->first) = sample;
	f->last = sample;
	s->stats.samples++;
	return true;
}

/* <labels> and the set's own, as sort_labels() has them, in <sorted>. */
static bool gather_labels(struct expo_set *s, const struct label *labels, size_t n, const struct label *part,
                          struct label sorted[LABELS_MAX + 1 + EXPO_BASE_MAX], size_t *n_sorted)
{
	if (n > LABELS_MAX)
		return false;
	if (n > 0)
		memcpy(sorted, labels, n * sizeof *labels);
	if (part != NULL)
		sorted[n++] = *part;
	for (size_t i = 0; i < s->n_base; i++)
		sorted[n++] = s->base[i];
	*n_sorted = n;
	return sort_labels(s, sorted, n_sorted);
}

/* Renders <labels> into the scratch. */
static bool render_labels(struct expo_set *s, const struct label *labels, size_t n)
{
	struct label sorted[LABELS_MAX + 1 + EXPO_BASE_MAX];

	buf_reset(&s->scratch);
	if (!gather_labels(s, labels, n, NULL, sorted, &n))
		return false;
	put_labels(&s->scratch, sorted, n);
	return true;
}

/* The scratch with the set's lifetime: a text that comes again at once is kept once. */
static const struct expo_labels *keep_labels(struct expo_set *s)
{
	struct str text = buf_str(&s->scratch);
	struct expo_labels *l;

	if (s->latest != NULL && str_eq(labels_text(s->latest), text))
		return s->latest;
	l = arena_alloc_raw(&s->arena, sizeof *l + text.n);
	l->hash = str_hash(text);
	l->n = text.n;
	if (text.n > 0)
		memcpy(l->text, text.p, text.n);
	s->latest = l;
	return l;
}

/* <labels> NULL: they are none, or the name is none. */
static bool add(struct expo_set *s, const struct expo_family *row, enum suffix suffix, double v, const struct expo_labels *labels)
{
	struct family *f = family_of(s, row);

	if (f == NULL || labels == NULL) {
		s->stats.invalid++;
		return false;
	}
	return add_sample(s, f, suffix, v, labels);
}

const struct expo_labels *expo_labels(struct expo_set *s, const struct label *labels, size_t n)
{
	return render_labels(s, labels, n) ? keep_labels(s) : NULL;
}

bool expo_emit_at(struct expo_set *s, const struct expo_family *f, double v, const struct expo_labels *labels)
{
	return add(s, f, NONE, v, labels);
}

bool expo_emit(struct expo_set *s, const struct expo_family *f, double v, const struct label *labels, size_t n)
{
	return add(s, f, NONE, v, expo_labels(s, labels, n));
}

/* The labels of a histogram's buckets or a summary's quantiles differ in one: what stands around its value is rendered once. */
struct parts {
	struct buf before, after;
	bool good;
};

static struct parts parts_begin(struct expo_set *s, const char *name, const struct label *labels, size_t n)
{
	const struct label part = { str_of(name), STR("0") };
	struct label sorted[LABELS_MAX + 1 + EXPO_BASE_MAX];
	struct parts p = { .good = gather_labels(s, labels, n, &part, sorted, &n) };
	size_t at = 0;

	if (!p.good)
		return p;
	while (!str_eq(sorted[at].name, part.name))
		at++;
	put_labels(&p.before, sorted, at);
	buf_printf(&p.before, "%s%s=\"", at > 0 ? "," : "", name);
	buf_putz(&p.after, at + 1 < n ? "\"," : "\"");
	put_labels(&p.after, sorted + at + 1, n - at - 1);
	return p;
}

static void parts_end(struct parts *p)
{
	buf_fini(&p->before);
	buf_fini(&p->after);
}

static bool add_part(struct expo_set *s, const struct expo_family *f, enum suffix suffix, const struct parts *p, double bound,
    double v)
{
	char text[NUM_MAX];

	buf_reset(&s->scratch);
	buf_puts(&s->scratch, buf_str(&p->before));
	buf_put(&s->scratch, text, num_format(text, bound));
	buf_puts(&s->scratch, buf_str(&p->after));
	return add(s, f, suffix, v, p->good ? keep_labels(s) : NULL);
}

static bool add_totals(struct expo_set *s, const struct expo_family *f, double sum, double count, const struct expo_labels *labels)
{
	bool ok = add(s, f, SUM, sum, labels);

	return add(s, f, COUNT, count, labels) && ok;
}

bool expo_emit_histogram(struct expo_set *s, const struct expo_family *f, const double *bounds, size_t n_bounds,
    const uint64_t *counts,
                         double sum, const struct label *labels, size_t n)
{
	struct parts p = parts_begin(s, "le", labels, n);
	uint64_t total = 0;
	bool ok = true;

	for (size_t i = 0; i <= n_bounds; i++) {
		total += counts[i];
		ok = add_part(s, f, BUCKET, &p, i < n_bounds ? bounds[i] : (double)INFINITY, (double)total) && ok;
	}
	parts_end(&p);
	return add_totals(s, f, sum, (double)total, expo_labels(s, labels, n)) && ok;
}

bool expo_emit_summary(struct expo_set *s, const struct expo_family *f, const double *quantiles, const double *values,
    size_t n_quantiles,
                       double sum, double count, const struct label *labels, size_t n)
{
	struct parts p = parts_begin(s, "quantile", labels, n);
	bool ok = true;

	for (size_t i = 0; i < n_quantiles; i++)
		ok = add_part(s, f, NONE, &p, quantiles[i], values[i]) && ok;
	parts_end(&p);
	return add_totals(s, f, sum, count, expo_labels(s, labels, n)) && ok;
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
	uint64_t prefix[3];     /* of the name, so that most comparisons are of integers */
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

/* The 8 bytes from <at> on as a number that orders as they do; what is missing counts as zero. */
static uint64_t prefix_of(struct str name, size_t at)
{
	uint64_t v = 0;

	for (size_t i = at; i < at + 8; i++)
		v = v << 8 | (i < name.n ? (unsigned char)name.p[i] : 0);
	return v;
}

static int by_name(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;
	int c;

	for (size_t i = 0; i < ARRAY_LEN(x->prefix); i++)
		if (x->prefix[i] != y->prefix[i])
			return x->prefix[i] < y->prefix[i] ? -1 : 1;
	c = str_cmp(x->family->name, y->family->name);
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

static void put_head(const struct page *p, const struct family *f)
{
	struct str name;
	const char *type = type_in(p, f, &name), *unit = f->row->unit;

	if (f->row->help != NULL) {
		buf_put(p->out, "# HELP ", 7);
		buf_puts(p->out, name);
		buf_putc(p->out, ' ');
		put_help(p->out, str_of(f->row->help), p->format == EXPO_OPENMETRICS);
		buf_putc(p->out, '\n');
	}
	buf_put(p->out, "# TYPE ", 7);
	buf_puts(p->out, name);
	buf_putc(p->out, ' ');
	buf_putz(p->out, type);
	buf_putc(p->out, '\n');
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

/* A sample with a label of the page's own name. */
static void put_colliding(struct buf *out, const struct part *part, const struct family *f, const struct sample *s)
{
	struct str labels = labels_text(s->labels), name;

	buf_puts(out, f->name);
	buf_puts(out, suffixes[s->suffix]);
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
	buf_put(out, s->value, s->value_n);
	buf_putc(out, '\n');
}

static char *copy(char *to, const void *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/* One reservation a line: this is where a page's time goes. */
static void put_sample(struct buf *out, const struct part *part, const struct family *f, const struct sample *s)
{
	struct str suffix = suffixes[s->suffix], labels = labels_text(s->labels), extra = buf_str(&part->extra);
	char *at, *beg;

	if (part->collides && labels.n > 0) {
		put_colliding(out, part, f, s);
		return;
	}
	beg = at = buf_reserve(out, f->name.n + suffix.n + extra.n + labels.n + s->value_n + 5);
	if (beg == NULL)
		return;
	at = copy(at, f->name.p, f->name.n);
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
	at = copy(at, s->value, s->value_n);
	*at++ = '\n';
	out->n += (size_t)(at - beg);
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
				p->refs[p->n_refs++] = (struct ref){ { prefix_of(f->name, 0), prefix_of(f->name, 8), prefix_of(f->name, 16) }, f,
				    &p->parts[i] };
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
			put_sample(out, p.refs[i].part, f, s);
	}
	if (format == EXPO_OPENMETRICS)
		buf_putz(out, "# EOF\n");
	for (size_t i = 0; i < n; i++)
		buf_fini(&p.parts[i].extra);
	free(p.parts);
	free(p.refs);
}
