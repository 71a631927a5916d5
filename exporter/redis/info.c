/* Parsing only; what becomes of the pairs is decided elsewhere (info_rows.c, show.c). */
#include "redis/info.h"

#include <math.h>
#include <stdlib.h>

void info_parse(struct arena *a, struct str text, struct info *out)
{
	struct str rest = text, line;
	size_t cap = 0;

	*out = (struct info){ 0 };
	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		const size_t colon = str_chr(line, ':');
		if (colon == line.n || colon == 0 || line.p[0] == '#')
			continue;
		out->v = arena_grow(a, out->v, out->n, &cap, out->n + 1, sizeof *out->v);
		out->v[out->n++] = (struct info_pair){ { line.p, colon }, { line.p + colon + 1, line.n - colon - 1 } };
	}
	map_reserve(&out->index, out->n);
	for (size_t i = 0; i < out->n; i++)
		map_add(&out->index, out->v[i].key, &out->v[i]);
}

void info_fini(struct info *info)
{
	map_fini(&info->index);
}

struct str info_get(const struct info *info, const char *key)
{
	const struct info_pair *pair = map_get(&info->index, str_of(key));

	return pair != NULL ? pair->value : STR("");
}

bool info_number(struct str value, double *out)
{
	static const struct {
		struct str word;
		double number;
	} words[] = {
		{ { "ok", 2 }, 1 }, { { "true", 4 }, 1 }, { { "err", 3 }, 0 }, { { "fail", 4 }, 0 }, { { "false", 5 }, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(value, words[i].word)) {
			*out = words[i].number;
			return true;
		}
	}
	return str_to_double(value, out) && isfinite(*out);
}

bool info_part(struct str value, const char *key, struct str *out)
{
	const struct str name = str_of(key);
	struct str part;

	while (str_cut(&value, ',', &part)) {
		if (part.n <= name.n || part.p[name.n] != '=' || !str_starts(part, name))
			continue;
		*out = (struct str){ part.p + name.n + 1, part.n - name.n - 1 };
		return true;
	}
	return false;
}

bool info_part_number(struct str value, const char *key, double *out)
{
	struct str part;

	return info_part(value, key, &part) && info_number(part, out);
}

static int compare_field(const void *key, const void *row)
{
	const struct str *field = key;

	return str_cmp(*field, ((const struct info_row *)row)->field);
}

const struct info_row *info_row_find(struct str field)
{
	return bsearch(&field, info_rows, info_rows_n, sizeof *info_rows, compare_field);
}
