/* One malloc a text, one a label set: labels first, their bytes behind. */
#include "notify/text.h"

#include <stdlib.h>

#include "tocsin/mem.h"

struct str text_dup(struct str s)
{
	return (struct str){ mem_strndup(s.n != 0 ? s.p : "", s.n), s.n };
}

static void release(const void *p)
{
	free((void *)(uintptr_t)p);
}

void text_free(struct str s)
{
	release(s.p);
}

void text_set(struct str *to, struct str s)
{
	struct str old = *to;

	*to = text_dup(s);
	text_free(old);
}

static struct str put(char **at, struct str s)
{
	struct str copy = { *at, s.n };

	if (s.n != 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

struct labels text_dup_labels(struct labels l)
{
	size_t bytes = l.n * sizeof(struct label) + 1;
	struct label *v;
	char *at;

	for (size_t i = 0; i < l.n; i++)
		bytes += l.v[i].name.n + l.v[i].value.n;
	v = mem_alloc(bytes);
	at = (char *)(v + l.n);
	for (size_t i = 0; i < l.n; i++)
		v[i] = (struct label){ put(&at, l.v[i].name), put(&at, l.v[i].value) };
	return (struct labels){ v, l.n };
}

void text_free_labels(struct labels l)
{
	release(l.v);
}

struct str text_clean(struct arena *a, struct str s, size_t max)
{
	char *copy;
	bool valid;

	s = str_trim(s);
	if (s.n > max)
		for (s.n = max; s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80; s.n--)
			;
	valid = str_is_utf8(s);
	copy = arena_strz(a, s);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f || (!valid && (unsigned char)copy[i] >= 0x80))
			copy[i] = (unsigned char)copy[i] < 0x20 ? ' ' : '?';
	return (struct str){ copy, s.n };
}
