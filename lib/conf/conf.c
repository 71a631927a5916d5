/* Reading a map by a table of keys: every row gets its value, its default or a complaint, every key of the file gets a row.
 * Reading goes on after errors; what a failed row leaves in its field is never used, since the report then has errors. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/conf.h"

enum { SECRET_FILE_MAX = 64 * 1024, NAME_MAX_COMPARED = 48, NAMES_SHOWN = 12 };

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein, two rows of the table at a time. */
static size_t distance(struct str a, struct str b)
{
	size_t row[NAME_MAX_COMPARED + 1];

	if (a.n > NAME_MAX_COMPARED || b.n > NAME_MAX_COMPARED)
		return SIZE_MAX;
	for (size_t k = 0; k <= b.n; k++)
		row[k] = k;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= b.n; k++) {
			size_t above = row[k];

			row[k] = smallest(above + 1, row[k - 1] + 1, diagonal + (a.p[i - 1] != b.p[k - 1]));
			diagonal = above;
		}
	}
	return row[b.n];
}

const char *conf_nearest(struct str wrong, const char *const *names, size_t n)
{
	size_t best = wrong.n / 3 + 2;
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(wrong, str_of(names[i]));

		if (d >= best)
			continue;
		best = d;
		nearest = names[i];
	}
	return nearest;
}

static void list_names(struct buf *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
		buf_printf(out, i ? ", %s" : "%s", names[i]);
	if (n > NAMES_SHOWN)
		buf_putz(out, ", …");
}

static const char **key_names(struct conf_reader *rd, const struct conf_table *t)
{
	const char **names = ARENA_ARRAY(rd->arena, t->n, const char *);

	for (size_t i = 0; i < t->n; i++)
		names[i] = t->keys[i].name;
	return names;
}

static void report_unknown(struct conf_reader *rd, const struct conf_table *t, const struct conf_node *key)
{
	const char **names = key_names(rd, t), *nearest = conf_nearest(key->text, names, t->n);
	struct buf list = { 0 };

	list_names(&list, names, t->n);
	if (nearest != NULL)
		conf_error(rd->report, key, "unknown key \"" STR_FMT "\": did you mean \"%s\"?", STR_ARG(key->text), nearest);
	else
		conf_error(rd->report, key, "unknown key \"" STR_FMT "\": known here are %s", STR_ARG(key->text), buf_z(&list));
	buf_fini(&list);
}

/* Whether <name> is "<key>_file" of a secret key. */
static bool is_file_form(const struct conf_key *key, struct str name)
{
	struct str base = str_of(key->name);

	return (key->flags & CONF_SECRET) != 0 && name.n == base.n + 5 && str_starts(name, base) && str_ends(name, STR("_file"));
}

static bool is_known(const struct conf_table *t, struct str name)
{
	for (size_t k = 0; k < t->n; k++)
		if (str_eq(name, str_of(t->keys[k].name)) || is_file_form(&t->keys[k], name))
			return true;
	return false;
}

static void check_keys_known(struct conf_reader *rd, const struct conf_table *t, const struct conf_node *map)
{
	for (size_t i = 0; i < map->n; i++)
		if (!is_known(t, map->pairs[i].key->text))
			report_unknown(rd, t, map->pairs[i].key);
}

/* Whether an unknown key was reported as a misspelt <key>: that it is missing is then no news. */
static bool is_misspelt(struct conf_reader *rd, const struct conf_table *t, const struct conf_key *key, const struct conf_node *map)
{
	for (size_t i = 0; i < map->n; i++)
		if (!is_known(t, map->pairs[i].key->text) && conf_nearest(map->pairs[i].key->text, key_names(rd, t), t->n) == key->name)
			return true;
	return false;
}

/* ---- Secrets and environment. ---- */

static bool read_small_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t got = 1;

	out->limit = SECRET_FILE_MAX;
	while (f != NULL && got > 0 && !out->overflow) {
		char chunk[4096];

		got = fread(chunk, 1, sizeof chunk, f);
		buf_put(out, chunk, got);
	}
	if (f == NULL)
		return false;
	if (out->overflow)
		errno = EFBIG;
	got = (size_t)ferror(f);
	fclose(f);
	return got == 0 && !out->overflow;
}

/* A scalar at the same place with another text. */
static const struct conf_node *with_text(struct conf_reader *rd, const struct conf_node *at, struct str text)
{
	struct conf_node *n = ARENA_NEW(rd->arena, struct conf_node);

	*n = *at;
	n->text = arena_str(rd->arena, text);
	n->quoted = true;
	n->block = false;
	return n;
}

bool conf_secret_read(const char *path, struct buf *out, struct err *e)
{
	if (!read_small_file(path, out))
		return err_set(e, ERR_IO, -1, "cannot read the secret from %s: %s", path, strerror(errno));
	while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
	return true;
}

void conf_secret_wipe(struct buf *secret)
{
	if (secret->p != NULL)
		explicit_bzero(secret->p, secret->cap);
	buf_fini(secret);
}

/* The secret a "<key>_file" node names, as if it had been written there. NULL after having reported. */
static const struct conf_node *read_secret_file(struct conf_reader *rd, const struct conf_node *file)
{
	const struct conf_key path_key = { .name = "file" };
	const struct conf_node *n = NULL;
	struct buf text = { 0 };
	struct err e = { 0 };
	struct str path;

	if (!conf_path(rd, &path_key, file, &path))
		return NULL;
	if (!conf_secret_read(path.p, &text, &e))
		conf_error(rd->report, file, "%s", e.msg);
	else
		n = with_text(rd, file, buf_str(&text));
	conf_secret_wipe(&text);
	return n;
}

static const struct conf_node *empty_text(struct conf_reader *rd, const struct conf_node *at)
{
	struct conf_node *n = ARENA_NEW(rd->arena, struct conf_node);

	*n = *at;
	n->kind = CONF_SCALAR;
	n->text = STR("");
	return n;
}

static const struct conf_node *find_value(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *map, bool *ok)
{
	const struct conf_node *n = conf_get(map, key->name), *file = NULL;

	for (size_t i = 0; map != NULL && i < map->n && file == NULL; i++)
		if (is_file_form(key, map->pairs[i].key->text))
			file = map->pairs[i].value;
	if (n != NULL && n->kind == CONF_NULL)
		n = (key->flags & CONF_NULL_EMPTY) != 0 ? empty_text(rd, n) : NULL;
	if (file == NULL || file->kind == CONF_NULL)
		return n;
	if (n != NULL) {
		*ok = conf_error(rd->report, file, "both %s and %s_file are set: remove one", key->name, key->name);
		return NULL;
	}
	n = read_secret_file(rd, file);
	*ok = n != NULL;
	return n;
}

/* "${NAME}" from the environment. */
static const struct conf_node *expand_env(struct conf_reader *rd, const struct conf_node *n)
{
	struct buf out = { 0 };
	struct str rest = n->text;
	const struct conf_node *expanded = NULL;

	while (rest.n > 0) {
		size_t at = str_find(rest, STR("${")), end;
		const char *value;

		buf_put(&out, rest.p, at);
		rest = (struct str){ rest.p + at, rest.n - at };
		if (rest.n == 0)
			break;
		end = str_chr(rest, '}');
		value = end < rest.n ? getenv(arena_strz(rd->arena, (struct str){ rest.p + 2, end - 2 })) : NULL;
		if (value == NULL) {
			conf_error_at(rd->report, n, (size_t)(rest.p - n->text.p), end < rest.n
			              ? "the environment has no variable of this name: set it, or give the value itself"
			              : "missing } behind ${: write ${NAME}");
			goto out;
		}
		buf_putz(&out, value);
		rest = (struct str){ rest.p + end + 1, rest.n - end - 1 };
	}
	expanded = with_text(rd, n, buf_str(&out));
out:
	buf_fini(&out);
	return expanded;
}

/* ---- Rows. ---- */

static bool read_default(struct conf_reader *rd, const struct conf_key *key, void *field)
{
	struct conf_node n = { .kind = CONF_SCALAR };
	bool ok;

	if (key->fallback == NULL)
		return key->parse != conf_sub || conf_read(rd, key->arg, NULL, field);
	n.text = str_of(key->fallback);
	ok = key->parse(rd, key, &n, field);
	assert(ok);
	return ok;
}

/* <n>, or a list's items, from the environment; NULL when a name is not there. */
static const struct conf_node *from_env(struct conf_reader *rd, const struct conf_node *n)
{
	struct conf_node *list;

	if (n->kind == CONF_SCALAR && str_find(n->text, STR("${")) < n->text.n)
		return expand_env(rd, n);
	if (n->kind != CONF_SEQ)
		return n;
	list = ARENA_NEW(rd->arena, struct conf_node);
	*list = *n;
	list->items = ARENA_ARRAY(rd->arena, n->n + 1, struct conf_node *);
	for (size_t i = 0; i < n->n; i++) {
		const struct conf_node *item = from_env(rd, n->items[i]);

		if (item == NULL)
			return NULL;
		list->items[i] = ARENA_NEW(rd->arena, struct conf_node);
		*list->items[i] = *item;
	}
	return list;
}

static bool read_value(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *field)
{
	bool ok, secret = (key->flags & CONF_SECRET) != 0;

	rd->report->hide_source += secret;
	if ((key->flags & CONF_ENV) != 0)
		n = from_env(rd, n);
	ok = n != NULL && key->parse(rd, key, n, field);
	rd->report->hide_source -= secret;
	return ok;
}

static bool is_empty(const struct conf_node *n)
{
	for (size_t i = 0; n->kind == CONF_SEQ && i < n->n; i++)
		if (n->items[i]->kind != CONF_SCALAR || n->items[i]->text.n > 0)
			return false;
	return n->kind == CONF_SEQ || (n->kind == CONF_SCALAR && n->text.n == 0);
}

/* In place of a value that is wrong, for checks that look at others: false, as that was reported. */
static bool use_default(struct conf_reader *rd, const struct conf_key *key, void *field)
{
	return key->fallback != NULL && !read_default(rd, key, field);
}

static bool read_row(struct conf_reader *rd, const struct conf_table *t, const struct conf_key *key,
    const struct conf_node *map, void *to)
{
	void *field = (char *)to + key->offset;
	bool ok = true;
	const struct conf_node *n = find_value(rd, key, map, &ok);

	if (!ok)
		return false;
	if (n != NULL && (key->flags & CONF_FILLED) != 0 && is_empty(n))
		return conf_error(rd->report, n, "%s is empty: %s", key->name, key->help);
	if (n != NULL)
		return read_value(rd, key, n, field) || use_default(rd, key, field);
	if ((key->flags & CONF_REQUIRED) != 0 && map != NULL)
		return !is_misspelt(rd, t, key, map) && conf_error(rd->report, map, "the key \"%s\" is missing: add it (%s)", key->name,
		    key->help);
	return read_default(rd, key, field);
}

bool conf_read(struct conf_reader *rd, const struct conf_table *t, const struct conf_node *map, void *to)
{
	size_t errors = rd->report->n_errors;

	if (t->init != NULL)
		t->init(to);
	if (map != NULL && map->kind != CONF_MAP && map->kind != CONF_NULL)
		return conf_error(rd->report, map, "this is %s: a map of keys is wanted", conf_kind_name(map->kind));
	if (map != NULL && map->kind == CONF_MAP)
		check_keys_known(rd, t, map);
	for (size_t i = 0; i < t->n; i++)
		read_row(rd, t, &t->keys[i], map, to);
	if (t->check != NULL && map != NULL && (rd->check_always || rd->report->n_errors == errors))
		t->check(rd, map, to);
	return rd->report->n_errors == errors;
}
