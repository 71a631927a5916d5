/* Replacements as Go has them. */
#include "regex_private.h"

static bool is_name_byte(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

/* "name" or "{name}" behind a $; returns how many bytes it took, 0 when it is malformed. */
static size_t take_name(struct str s, struct str *name)
{
	size_t braced = s.n > 0 && s.p[0] == '{', n = braced;

	while (n < s.n && is_name_byte(s.p[n]))
		n++;
	*name = (struct str){ s.p + braced, n - braced };
	if (name->n == 0 || (braced && (n == s.n || s.p[n] != '}')))
		return 0;
	return n + braced;
}

/* NULL: there is no such group, or it took no part. */
static const struct regex_group *group_of(const struct regex *re, const struct regex_group *groups, size_t n, struct str name)
{
	int64_t index;

	if (name.p[0] >= '0' && name.p[0] <= '9' && (name.p[0] != '0' || name.n == 1) && str_to_int64(name, &index))
		return index <= (int64_t)re->n_groups && (size_t)index < n && groups[index].beg != SIZE_MAX ? &groups[index] : NULL;
	for (size_t i = 1; i <= re->n_groups && i < n; i++)
		if (str_eq(re->names[i], name) && groups[i].beg != SIZE_MAX)
			return &groups[i];
	return NULL;
}

void regex_expand(const struct regex *re, struct buf *out, struct str s, const struct regex_group *groups, size_t n,
                  struct str replacement)
{
	struct str rest = replacement, name;

	while (rest.n > 0) {
		size_t plain = str_chr(rest, '$'), used;
		const struct regex_group *group;

		buf_put(out, rest.p, plain);
		if (plain == rest.n)
			return;
		rest = (struct str){ rest.p + plain + 1, rest.n - plain - 1 };
		if (rest.n > 0 && rest.p[0] == '$') {
			buf_putc(out, '$');
			rest = (struct str){ rest.p + 1, rest.n - 1 };
			continue;
		}
		used = take_name(rest, &name);
		if (used == 0) {
			buf_putc(out, '$');
			continue;
		}
		group = group_of(re, groups, n, name);
		if (group != NULL && group->end > group->beg)
			buf_put(out, s.p + group->beg, group->end - group->beg);
		rest = (struct str){ rest.p + used, rest.n - used };
	}
}
