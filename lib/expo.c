/* Sample sets. A sample is kept as the text that will be written (labels, value), so writing a page is copying; it is rendered once,
 * when it is emitted. A set made like another one is compared with it sample by sample as it is filled, and shares its shape for as
 * long as they agree; where they differ it makes one of its own. Invariant: no two samples of a set have the same name and labels. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "expo_private.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

enum { RECENT = 64 };

const struct str expo_suffixes[] = {
	[EXPO_NONE] = { "", 0 }, [EXPO_BUCKET] = { "_bucket", 7 }, [EXPO_SUM] = { "_sum", 4 }, [EXPO_COUNT] = { "_count", 6 },
};

/* Open addressing, at most three quarters used: which samples there are, by family, suffix and labels. */
struct seen {
	struct { uint64_t hash; uint32_t sample; } *slots;      /* EXPO_NO_SAMPLE: free */
	size_t n, cap;
};

struct label_list {
	struct label v[EXPO_LABELS_MAX + 1 + EXPO_BASE_MAX];
	size_t n;
};

struct expo_set {
	int refs;                       /* atomic */
	struct arena arena;             /* the caller's */
	struct expo_shape *shape;
	struct expo_value *values;
	size_t n, cap;                  /* samples */
	size_t duplicates, invalid;
	struct buf scratch;
	const struct label *base;
	size_t n_base;
	bool closed;

	/* While it follows another set: */
	struct expo_set *before;        /* counted; NULL: the shape is its own */
	struct expo_shape *left;        /* that it followed: labels the caller was given may lie in it */
	struct expo_label_name *label_names;    /* of labels that were none of the shape's */

	/* While it is filled and the shape is its own: */
	struct map by_name;             /* -> struct expo_shape_family */
	struct seen seen;
	struct { const struct expo_family *row; struct expo_shape_family *family; } recent[RECENT];     /* spares looking up the name */
	const struct expo_labels *latest;       /* rendered */
};

/* ---- Shapes. ---- */

static struct expo_shape *shape_new(void)
{
	struct expo_shape *shape = mem_alloc(sizeof *shape);

	shape->refs = 1;
	return shape;
}

static void shape_unref(struct expo_shape *shape)
{
	if (shape == NULL || __atomic_sub_fetch(&shape->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	arena_fini(&shape->arena);
	free(shape->samples);
	free(shape->sorted);
	free(shape);
}

/* The 8 bytes from <at> on as a number that orders as they do; what is missing counts as zero. */
static uint64_t prefix_of(struct str name, size_t at)
{
	uint64_t v = 0;

	for (size_t i = at; i < at + 8; i++)
		v = v << 8 | (i < name.n ? (unsigned char)name.p[i] : 0);
	return v;
}

/* What the row says is copied: a shape outlives the sets whose rows it was made of. */
static struct expo_shape_family *shape_add_family(struct expo_shape *shape, const struct expo_family *row)
{
	struct expo_shape_family *f = ARENA_NEW(&shape->arena, struct expo_shape_family);
	struct buf head = { 0 };

	f->name = arena_str(&shape->arena, str_of(row->name));
	f->help = row->help != NULL ? arena_str(&shape->arena, str_of(row->help)) : STR_NULL;
	f->unit = row->unit != NULL ? arena_strz(&shape->arena, str_of(row->unit)) : NULL;
	f->type = row->type;
	expo_put_head(&head, f->name, f->help, false, expo_type_text(f->type));
	f->head = arena_str(&shape->arena, buf_str(&head));
	buf_fini(&head);
	f->hash = str_hash(f->name);
	for (size_t i = 0; i < ARRAY_LEN(f->prefix); i++)
		f->prefix[i] = prefix_of(f->name, i * 8);
	f->first = f->last = EXPO_NO_SAMPLE;
	*(shape->last_family ? &shape->last_family->next : &shape->families) = f;
	shape->last_family = f;
	shape->n_families++;
	return f;
}

static void shape_add_sample(struct expo_shape *shape, const struct expo_sample *sample)
{
	const uint32_t at = (uint32_t)shape->n;
	struct expo_shape_family *f = sample->family;

	assert(shape->n < EXPO_NO_SAMPLE);
	shape->samples = mem_grow_tight(shape->samples, &shape->cap, shape->n + 1, sizeof *shape->samples);
	shape->samples[shape->n++] = *sample;
	*(f->last != EXPO_NO_SAMPLE ? &shape->samples[f->last].next : &f->first) = at;
	f->last = at;
}

int expo_compare_families(const struct expo_shape_family *a, const struct expo_shape_family *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->prefix); i++)
		if (a->prefix[i] != b->prefix[i])
			return a->prefix[i] < b->prefix[i] ? -1 : 1;
	return str_cmp(a->name, b->name);
}

static int by_name(const void *a, const void *b)
{
	return expo_compare_families(*(struct expo_shape_family *const *)a, *(struct expo_shape_family *const *)b);
}

void expo_sort_families(const struct expo_shape *shape, struct expo_shape_family **sorted)
{
	size_t n = 0;

	for (struct expo_shape_family *f = shape->families; f != NULL; f = f->next)
		sorted[n++] = f;
	qsort(sorted, n, sizeof *sorted, by_name);
}

/* ---- Life of a set. ---- */

struct expo_set *expo_set_new(void)
{
	struct expo_set *s = mem_alloc(sizeof *s);

	s->refs = 1;
	s->shape = shape_new();
	return s;
}

struct expo_set *expo_set_ref(struct expo_set *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

struct expo_set *expo_set_like(struct expo_set *before)
{
	struct expo_set *s = mem_alloc(sizeof *s);

	assert(before->closed);
	s->refs = 1;
	s->before = expo_set_ref(before);
	s->shape = before->shape;
	__atomic_add_fetch(&s->shape->refs, 1, __ATOMIC_RELAXED);
	s->cap = s->shape->n;
	s->values = mem_realloc(NULL, s->cap * sizeof *s->values);
	return s;
}

static void follow_nobody(struct expo_set *s)
{
	struct expo_set *before = s->before;

	s->before = NULL;
	expo_set_unref(before);
}

static void forget_filling(struct expo_set *s)
{
	follow_nobody(s);
	map_fini(&s->by_name);
	free(s->seen.slots);
	s->seen = (struct seen){ 0 };
	buf_fini(&s->scratch);
	shape_unref(s->left);
	s->left = NULL;
}

void expo_set_unref(struct expo_set *s)
{
	if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	forget_filling(s);
	shape_unref(s->shape);
	arena_fini(&s->arena);
	free(s->values);
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
	return (struct expo_stats){ s->n, s->duplicates, s->invalid };
}

const struct expo_shape *expo_set_shape(const struct expo_set *s)
{
	assert(s->before == NULL);
	return s->shape;
}

const struct expo_value *expo_set_values(const struct expo_set *s)
{
	return s->values;
}

bool expo_set_has(const struct expo_set *s, const struct expo_family *row, double v)
{
	const struct expo_shape *shape = expo_set_shape(s);
	const struct expo_shape_family *f = shape->families;

	while (f != NULL && !str_eq(f->name, str_of(row->name)))
		f = f->next;
	for (uint32_t i = f != NULL ? f->first : EXPO_NO_SAMPLE; i != EXPO_NO_SAMPLE; i = shape->samples[i].next)
		if (s->values[i].v == v)
			return true;
	return false;
}

/* ---- Labels. ---- */

struct str expo_labels_text(const struct expo_labels *l)
{
	return (struct str){ l->text, l->n };
}

static void remember_label(struct expo_label_name **names, struct arena *a, struct str name)
{
	struct expo_label_name *l = *names;

	while (l != NULL && !str_eq(l->name, name))
		l = l->next;
	if (l != NULL)
		return;
	l = ARENA_NEW(a, struct expo_label_name);
	*l = (struct expo_label_name){ *names, arena_str(a, name) };
	*names = l;
}

static void remember_labels(struct expo_set *s, const struct label_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (s->before == NULL)
			remember_label(&s->shape->label_names, &s->shape->arena, list->v[i].name);
		else
			remember_label(&s->label_names, &s->arena, list->v[i].name);
}

/* Sorted by name, empty values dropped; false when a name is none or comes twice. */
static bool sort_labels(struct label *out, size_t *n)
{
	struct labels sorted;

	if (!labels_from(out, *n, &sorted, NULL))
		return false;
	for (size_t i = 0; i < sorted.n; i++)
		if (!labels_name_is_plain(out[i].name) || str_eq(out[i].name, STR(LABEL_NAME)))
			return false;
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

void expo_put_labels(struct buf *b, const struct label *v, size_t n)
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

/* <labels>, <part> (may be NULL) and the set's own. */
static bool gather_labels(const struct expo_set *s, const struct label *labels, size_t n, const struct label *part,
    struct label_list *out)
{
	if (n > EXPO_LABELS_MAX)
		return false;
	if (n > 0)
		memcpy(out->v, labels, n * sizeof *labels);
	if (part != NULL)
		out->v[n++] = *part;
	for (size_t i = 0; i < s->n_base; i++)
		out->v[n++] = s->base[i];
	out->n = n;
	return true;
}

static bool gather_sorted(const struct expo_set *s, const struct label *labels, size_t n, const struct label *part,
    struct label_list *out)
{
	return gather_labels(s, labels, n, part, out) && sort_labels(out->v, &out->n);
}

/* The scratch, which holds <n_labels>. */
static const struct expo_labels *labels_new(struct expo_set *s, struct arena *a, size_t n_labels)
{
	struct str text = buf_str(&s->scratch);
	struct expo_labels *l = arena_alloc_raw(a, sizeof *l + text.n);

	*l = (struct expo_labels){ .home = a == &s->arena ? NULL : s->shape, .hash = str_hash(text), .n = text.n,
	    .n_labels = (uint32_t)n_labels, .escaped = str_chr(text, '\\') < text.n };
	if (text.n > 0)
		memcpy(l->text, text.p, text.n);
	return l;
}

/* The scratch with the shape's lifetime: a text that comes again at once is kept once. */
static const struct expo_labels *keep_labels(struct expo_set *s, size_t n_labels)
{
	if (s->latest == NULL || !str_eq(expo_labels_text(s->latest), buf_str(&s->scratch)))
		s->latest = labels_new(s, &s->shape->arena, n_labels);
	return s->latest;
}

/* NULL: they are none. */
static const struct expo_labels *render_labels(struct expo_set *s, const struct label *labels, size_t n)
{
	struct label_list list;

	if (!gather_sorted(s, labels, n, NULL, &list))
		return NULL;
	buf_reset(&s->scratch);
	expo_put_labels(&s->scratch, list.v, list.n);
	remember_labels(s, &list);
	if (s->before != NULL)          /* nobody knows yet whether they will be needed */
		return labels_new(s, &s->arena, list.n);
	return keep_labels(s, list.n);
}

/* ---- Filling a shape of its own. ---- */

/* NULL when the name is none. */
static struct expo_shape_family *family_by_name(struct expo_set *s, const struct expo_family *row)
{
	struct expo_shape_family *f = map_get(&s->by_name, str_of(row->name));

	if (f != NULL || !labels_metric_is_plain(str_of(row->name)))
		return f;
	f = shape_add_family(s->shape, row);
	map_put(&s->by_name, f->name, f);
	return f;
}

static struct expo_shape_family *family_of(struct expo_set *s, const struct expo_family *row)
{
	const size_t i = ((uintptr_t)row * 0x9e3779b97f4a7c15u) >> 58;

	if (s->recent[i].row != row) {
		s->recent[i].row = row;
		s->recent[i].family = family_by_name(s, row);
	}
	return s->recent[i].family;
}

/* Whether the family's bare name is what the other's makes with its suffix. */
static bool is_spelled(const struct expo_sample *bare, const struct expo_sample *other)
{
	struct str name = bare->family->name, base = other->family->name, suffix = expo_suffixes[other->suffix];

	return bare->suffix == EXPO_NONE && name.n == base.n + suffix.n && str_starts(name, base) && str_ends(name, suffix);
}

static bool same_name(const struct expo_sample *a, const struct expo_sample *b)
{
	return a->family == b->family ? a->suffix == b->suffix : is_spelled(a, b) || is_spelled(b, a);
}

/* Over the whole name, whoever's it is, and the labels. */
static uint64_t sample_hash(struct expo_set *s, const struct expo_sample *x)
{
	uint64_t name = x->family->hash;

	if (x->suffix != EXPO_NONE) {
		buf_reset(&s->scratch);
		buf_puts(&s->scratch, x->family->name);
		buf_puts(&s->scratch, expo_suffixes[x->suffix]);
		name = str_hash(buf_str(&s->scratch));
	}
	return name * 0x9e3779b97f4a7c15u ^ x->labels->hash;
}

/* Where <key>'s like is, or belongs. */
static size_t seen_at(const struct expo_set *s, uint64_t hash, const struct expo_sample *key)
{
	const struct seen *t = &s->seen;
	size_t i = hash & (t->cap - 1);

	for (; t->slots[i].sample != EXPO_NO_SAMPLE; i = (i + 1) & (t->cap - 1)) {
		const struct expo_sample *x = &s->shape->samples[t->slots[i].sample];

		if (t->slots[i].hash == hash && same_name(x, key) &&
		    (x->labels == key->labels || str_eq(expo_labels_text(x->labels), expo_labels_text(key->labels))))
			break;
	}
	return i;
}

/* Room for <n>. */
static void seen_reserve(struct expo_set *s, size_t n)
{
	struct seen *t = &s->seen, old = *t;

	if (n * 4 <= old.cap * 3)
		return;
	for (t->cap = old.cap ? old.cap : 16; n * 4 > t->cap * 3;)
		t->cap *= 2;
	t->slots = mem_realloc(NULL, t->cap * sizeof *t->slots);
	for (size_t i = 0; i < t->cap; i++)
		t->slots[i].sample = EXPO_NO_SAMPLE;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].sample != EXPO_NO_SAMPLE)
			t->slots[seen_at(s, old.slots[i].hash, &s->shape->samples[old.slots[i].sample])] = old.slots[i];
	free(old.slots);
}

/* False when there is its like. */
static bool add_to_shape(struct expo_set *s, const struct expo_sample *x)
{
	const uint64_t hash = sample_hash(s, x);
	size_t i;

	seen_reserve(s, s->seen.n + 1);
	i = seen_at(s, hash, x);
	if (s->seen.slots[i].sample != EXPO_NO_SAMPLE)
		return false;
	s->seen.slots[i].hash = hash;
	s->seen.slots[i].sample = (uint32_t)s->shape->n;
	s->seen.n++;
	shape_add_sample(s->shape, x);
	return true;
}

static void set_value(struct expo_value *to, double v)
{
	char text[NUM_MAX];

	to->v = v;
	to->n = (uint8_t)num_format(text, v);
	assert(to->n <= EXPO_VALUE_MAX);
	memcpy(to->text, text, sizeof to->text);
}

/* <labels> NULL: they are none, or the name is none. */
static bool add(struct expo_set *s, const struct expo_family *row, enum expo_suffix suffix, double v, const struct expo_labels *labels)
{
	const struct expo_sample x = { family_of(s, row), labels, EXPO_NO_SAMPLE, suffix };

	assert(!s->closed && s->before == NULL);
	if (x.family == NULL || labels == NULL) {
		s->invalid++;
		return false;
	}
	if (!add_to_shape(s, &x)) {
		s->duplicates++;
		return false;
	}
	s->values = mem_grow_tight(s->values, &s->cap, s->n + 1, sizeof *s->values);
	set_value(&s->values[s->n++], v);
	return true;
}

/* ---- Following another set. ---- */

/* Cuts the label off the front of rendered ones without escapes. */
static bool cut_label(struct str *text, const struct label *l)
{
	const size_t value = l->name.n + 2, end = value + l->value.n;

	if (text->n <= end || text->p[end] != '"' || text->p[l->name.n] != '=' || memcmp(text->p, l->name.p, l->name.n) != 0 ||
	    memcmp(text->p + value, l->value.p, l->value.n) != 0)
		return false;
	*text = text->n > end + 1 ? (struct str){ text->p + end + 2, text->n - end - 2 } : STR("");
	return true;
}

/* How many of the list, in any order, <text> can be put together of; 0: it cannot. */
static size_t count_in(struct str text, const struct label_list *list)
{
	size_t n = 0, i = 0;

	for (; text.n > 0; n++) {
		const size_t from = i;

		while (list->v[i].value.n == 0 || !cut_label(&text, &list->v[i])) {
			i = i + 1 < list->n ? i + 1 : 0;
			if (i == from)
				return 0;
		}
		i = i + 1 < list->n ? i + 1 : 0;
	}
	return n;
}

static bool labels_are(struct expo_set *s, const struct expo_labels *rendered, const struct label *labels, size_t n,
    const struct label *part)
{
	struct label_list list;
	size_t kept = 0;

	if (n + (part != NULL) + s->n_base == 0)
		return rendered->n == 0;
	if (!gather_labels(s, labels, n, part, &list))
		return false;
	if (rendered->escaped) {
		buf_reset(&s->scratch);
		if (!sort_labels(list.v, &list.n))
			return false;
		expo_put_labels(&s->scratch, list.v, list.n);
		return str_eq(buf_str(&s->scratch), expo_labels_text(rendered));
	}
	for (size_t i = 0; i < list.n; i++)
		kept += list.v[i].value.n > 0;
	/* As many pieces as labels: none of them is one's end and another's beginning. */
	return kept == rendered->n_labels && kept == count_in(expo_labels_text(rendered), &list);
}

/* The sample that comes next if all stays as it was; NULL: it is not of this name. */
static const struct expo_sample *expected(const struct expo_set *s, const struct expo_family *row, enum expo_suffix suffix)
{
	const struct expo_sample *x = &s->shape->samples[s->n];

	if (s->n == s->shape->n || x->suffix != suffix || x->family->type != row->type || !str_eq(x->family->name, str_of(row->name)))
		return NULL;
	return x;
}

/* What it was is what it is mostly: then its text is too. */
static void take_expected(struct expo_set *s, double v)
{
	const struct expo_value *before = &s->before->values[s->n];
	struct expo_value *to = &s->values[s->n++];

	if (memcmp(&before->v, &v, sizeof v) == 0)
		*to = *before;
	else
		set_value(to, v);
}

/* A shape of its own, like the one that is left. */
static void begin_shape(struct expo_set *s)
{
	struct expo_shape *shape = shape_new();
	const struct expo_label_name *const known[] = { s->shape->label_names, s->label_names };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		for (const struct expo_label_name *l = known[i]; l != NULL; l = l->next)
			remember_label(&shape->label_names, &shape->arena, l->name);
	shape->samples = mem_grow_tight(NULL, &shape->cap, s->shape->n, sizeof *shape->samples);
	s->left = s->shape;
	s->shape = shape;
	follow_nobody(s);
	seen_reserve(s, s->left->n);
	map_reserve(&s->by_name, s->left->n_families);
}

/* What was emitted so far is now in a shape of its own. */
static void leave(struct expo_set *s)
{
	struct expo_shape *old = s->shape;
	const struct expo_labels *from = NULL, *to = NULL;

	begin_shape(s);
	for (size_t i = 0; i < s->n; i++) {
		const struct expo_sample *x = &old->samples[i];
		const struct expo_shape_family *f = x->family;
		bool added;

		if (x->labels != from) {
			from = x->labels;
			buf_reset(&s->scratch);
			buf_puts(&s->scratch, expo_labels_text(from));
			to = keep_labels(s, from->n_labels);
		}
		added = add_to_shape(s, &(struct expo_sample){ family_by_name(s, &(struct expo_family){ f->name.p, f->type, f->help.p, f->unit }),
		    to, EXPO_NO_SAMPLE, x->suffix });
		assert(added);
		(void)added;
	}
}

/* Whether the sample was the expected one, and is taken; else the set follows nobody any more. */
static bool followed(struct expo_set *s, const struct expo_family *row, enum expo_suffix suffix, double v, const struct label *labels,
    size_t n, const struct label *part)
{
	const struct expo_sample *x;

	if (s->before == NULL)
		return false;
	x = expected(s, row, suffix);
	if (x != NULL && labels_are(s, x->labels, labels, n, part)) {
		take_expected(s, v);
		return true;
	}
	leave(s);
	return false;
}

/* Labels the caller was given, for a shape of its own. */
static const struct expo_labels *own_labels(struct expo_set *s, const struct expo_labels *l)
{
	if (l == NULL || l->home == s->shape)
		return l;
	buf_reset(&s->scratch);
	buf_puts(&s->scratch, expo_labels_text(l));
	return keep_labels(s, l->n_labels);
}

void expo_set_close(struct expo_set *s)
{
	if (s->closed)
		return;
	if (s->before != NULL && s->n < s->shape->n)
		leave(s);
	forget_filling(s);
	if (s->shape->sorted == NULL) {
		s->shape->sorted = mem_alloc(s->shape->n_families * sizeof *s->shape->sorted);
		expo_sort_families(s->shape, s->shape->sorted);
	}
	s->closed = true;
}

/* ---- Emitting. ---- */

const struct expo_labels *expo_labels(struct expo_set *s, const struct label *labels, size_t n)
{
	if (s->before != NULL && s->n < s->shape->n && labels_are(s, s->shape->samples[s->n].labels, labels, n, NULL))
		return s->shape->samples[s->n].labels;
	return render_labels(s, labels, n);
}

bool expo_emit_at(struct expo_set *s, const struct expo_family *f, double v, const struct expo_labels *labels)
{
	if (s->before != NULL) {
		const struct expo_sample *x = expected(s, f, EXPO_NONE);

		if (x != NULL && labels != NULL && (x->labels == labels || str_eq(expo_labels_text(x->labels), expo_labels_text(labels)))) {
			take_expected(s, v);
			return true;
		}
		leave(s);
	}
	return add(s, f, EXPO_NONE, v, own_labels(s, labels));
}

bool expo_emit(struct expo_set *s, const struct expo_family *f, double v, const struct label *labels, size_t n)
{
	return followed(s, f, EXPO_NONE, v, labels, n, NULL) || add(s, f, EXPO_NONE, v, render_labels(s, labels, n));
}

/* The labels of a histogram's buckets or a summary's quantiles differ in one: what stands around its value is rendered once. */
struct parts {
	const char *name;
	const struct label *labels;
	size_t n;
	struct buf before, after;
	size_t n_rendered;
	bool begun, good;
};

static void parts_begin(struct parts *p, struct expo_set *s)
{
	const struct label part = { str_of(p->name), STR("0") };
	struct label_list list;
	size_t at = 0;

	p->begun = true;
	p->good = gather_sorted(s, p->labels, p->n, &part, &list);
	if (!p->good)
		return;
	remember_labels(s, &list);
	while (!str_eq(list.v[at].name, part.name))
		at++;
	p->n_rendered = list.n;
	expo_put_labels(&p->before, list.v, at);
	buf_printf(&p->before, "%s%s=\"", at > 0 ? "," : "", p->name);
	buf_putz(&p->after, at + 1 < list.n ? "\"," : "\"");
	expo_put_labels(&p->after, list.v + at + 1, list.n - at - 1);
}

static void parts_end(struct parts *p)
{
	buf_fini(&p->before);
	buf_fini(&p->after);
}

static bool add_part(struct expo_set *s, const struct expo_family *f, enum expo_suffix suffix, struct parts *p, double bound, double v)
{
	char text[NUM_MAX];
	const struct label part = { str_of(p->name), { text, num_format(text, bound) } };

	if (followed(s, f, suffix, v, p->labels, p->n, &part))
		return true;
	if (!p->begun)
		parts_begin(p, s);
	buf_reset(&s->scratch);
	buf_puts(&s->scratch, buf_str(&p->before));
	buf_puts(&s->scratch, part.value);
	buf_puts(&s->scratch, buf_str(&p->after));
	return add(s, f, suffix, v, p->good ? keep_labels(s, p->n_rendered) : NULL);
}

static bool add_totals(struct expo_set *s, const struct expo_family *f, double sum, double count, const struct label *labels, size_t n)
{
	bool ok = followed(s, f, EXPO_SUM, sum, labels, n, NULL) || add(s, f, EXPO_SUM, sum, render_labels(s, labels, n));

	return (followed(s, f, EXPO_COUNT, count, labels, n, NULL) || add(s, f, EXPO_COUNT, count, render_labels(s, labels, n))) && ok;
}

bool expo_emit_histogram(struct expo_set *s, const struct expo_family *f, const double *bounds, size_t n_bounds,
    const uint64_t *counts,
                         double sum, const struct label *labels, size_t n)
{
	struct parts p = { .name = "le", .labels = labels, .n = n };
	uint64_t total = 0;
	bool ok = true;

	for (size_t i = 0; i <= n_bounds; i++) {
		total += counts[i];
		ok = add_part(s, f, EXPO_BUCKET, &p, i < n_bounds ? bounds[i] : (double)INFINITY, (double)total) && ok;
	}
	parts_end(&p);
	return add_totals(s, f, sum, (double)total, labels, n) && ok;
}

bool expo_emit_summary(struct expo_set *s, const struct expo_family *f, const double *quantiles, const double *values,
    size_t n_quantiles,
                       double sum, double count, const struct label *labels, size_t n)
{
	struct parts p = { .name = "quantile", .labels = labels, .n = n };
	bool ok = true;

	for (size_t i = 0; i < n_quantiles; i++)
		ok = add_part(s, f, EXPO_NONE, &p, quantiles[i], values[i]) && ok;
	parts_end(&p);
	return add_totals(s, f, sum, count, labels, n) && ok;
}
