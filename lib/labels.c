/* Label sets: sorted arrays of borrowed text. */
#include "tocsin/labels.h"

#include <assert.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct str labels_get(struct labels l, struct str name)
{
	for (size_t i = 0; i < l.n; i++)
		if (str_eq(l.v[i].name, name))
			return l.v[i].value;
	return STR("");
}

bool labels_has(struct labels l, struct str name)
{
	for (size_t i = 0; i < l.n; i++)
		if (str_eq(l.v[i].name, name))
			return true;
	return false;
}

bool labels_eq(struct labels a, struct labels b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (!str_eq(a.v[i].name, b.v[i].name) || !str_eq(a.v[i].value, b.v[i].value))
			return false;
	return true;
}

int labels_cmp(struct labels a, struct labels b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int c = str_cmp(a.v[i].name, b.v[i].name);

		if (c == 0)
			c = str_cmp(a.v[i].value, b.v[i].value);
		if (c != 0)
			return c;
	}
	return (a.n > b.n) - (a.n < b.n);
}

/* Each text's hash is chained with its length, so ("ab","c") and ("a","bc") differ. */
uint64_t labels_hash(struct labels l)
{
	uint64_t h = l.n;

	for (size_t i = 0; i < l.n; i++) {
		h = XXH3_64bits_withSeed(l.v[i].name.p, l.v[i].name.n, h + l.v[i].name.n);
		h = XXH3_64bits_withSeed(l.v[i].value.p, l.v[i].value.n, h + l.v[i].value.n);
	}
	return h;
}

static struct str put_text(char **p, struct str s)
{
	char *at = *p;

	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	*p += s.n + 1;
	return (struct str){ at, s.n };
}

/* One piece: sets are kept by the ten thousand. */
struct labels labels_copy(struct arena *a, struct labels l)
{
	size_t bytes = l.n * sizeof(struct label);
	struct label *v;
	char *p;

	for (size_t i = 0; i < l.n; i++)
		bytes += l.v[i].name.n + l.v[i].value.n + 2;
	v = arena_alloc_raw(a, bytes);
	p = (char *)(v + l.n);
	for (size_t i = 0; i < l.n; i++)
		v[i] = (struct label){ put_text(&p, l.v[i].name), put_text(&p, l.v[i].value) };
	return (struct labels){ v, l.n };
}

enum { SORT_FEW = 16 };

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Few, and nearly in order, as they mostly are: qsort() would take longer to begin. */
static void sort(struct label *v, size_t n)
{
	if (n > SORT_FEW) {
		qsort(v, n, sizeof *v, by_name);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct label l = v[i];
		size_t k = i;

		for (; k > 0 && str_cmp(v[k - 1].name, l.name) > 0; k--)
			v[k] = v[k - 1];
		v[k] = l;
	}
}

bool labels_from(struct label *v, size_t n, struct labels *out, struct str *dup)
{
	size_t kept = 0;

	sort(v, n);
	for (size_t i = 0; i + 1 < n; i++)
		if (str_eq(v[i].name, v[i + 1].name)) {
			if (dup != NULL)
				*dup = v[i].name;
			return false;
		}
	for (size_t i = 0; i < n; i++)
		if (v[i].value.n > 0)
			v[kept++] = v[i];
	*out = (struct labels){ v, kept };
	return true;
}

struct labels labels_with(struct arena *a, struct labels l, struct str name, struct str value)
{
	struct label *v = ARENA_ARRAY(a, l.n + 1, struct label);
	size_t n = 0, i = 0;

	while (i < l.n && str_cmp(l.v[i].name, name) < 0)
		v[n++] = l.v[i++];
	if (value.n > 0)
		v[n++] = (struct label){ name, value };
	if (i < l.n && str_eq(l.v[i].name, name))
		i++;
	while (i < l.n)
		v[n++] = l.v[i++];
	return (struct labels){ v, n };
}

struct labels labels_without(struct arena *a, struct labels l, struct str name)
{
	return labels_has(l, name) ? labels_with(a, l, name, STR("")) : l;
}

void labels_escape(struct buf *b, struct str value)
{
	size_t beg = 0;

	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c != '\\' && c != '"' && c != '\n')
			continue;
		buf_put(b, value.p + beg, i - beg);
		buf_put(b, c == '\n' ? "\\n" : (char[]){ '\\', c }, 2);
		beg = i + 1;
	}
	if (beg < value.n)
		buf_put(b, value.p + beg, value.n - beg);
}

static bool is_plain(struct str name, bool colon)
{
	if (name.n == 0)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return true;
}

bool labels_name_is_plain(struct str name)
{
	return is_plain(name, false);
}

bool labels_metric_is_plain(struct str name)
{
	return is_plain(name, true);
}

static void put_quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	labels_escape(b, s);
	buf_putc(b, '"');
}

void labels_print(struct buf *b, struct labels l)
{
	struct str metric = labels_get(l, STR(LABEL_NAME));
	bool bare = labels_metric_is_plain(metric);
	const char *sep = "";

	if (bare)
		buf_puts(b, metric);
	if (bare && l.n == 1)
		return;
	buf_putc(b, '{');
	if (metric.n > 0 && !bare) {
		put_quoted(b, metric);
		sep = ", ";
	}
	for (size_t i = 0; i < l.n; i++) {
		if (str_eq(l.v[i].name, STR(LABEL_NAME)))
			continue;
		buf_putz(b, sep);
		if (labels_name_is_plain(l.v[i].name))
			buf_puts(b, l.v[i].name);
		else
			put_quoted(b, l.v[i].name);
		buf_putc(b, '=');
		put_quoted(b, l.v[i].value);
		sep = ", ";
	}
	buf_putc(b, '}');
}
