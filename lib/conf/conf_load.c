/* YAML into a tree of nodes that know where they stood. libyaml reads events; this builds, bounds and refuses: depth, nodes
 * (an alias counts as much as it stands for), duplicate keys, keys that are no scalars. Aliases share nodes; a node is never
 * changed after it was built. */
#include <errno.h>
#include <stdio.h>
#include <yaml.h>

#include "tocsin/conf.h"
#include "tocsin/map.h"

struct loader {
	struct arena *arena;
	struct conf_report *report;
	const struct conf_file *file;
	yaml_parser_t yaml;
	struct map anchors;             /* name -> node, once it is complete */
	size_t total;                   /* nodes, aliases expanded */
	size_t cursor_chars, cursor;    /* the last mark, in characters and bytes */
	bool failed;
};

static struct conf_node *load_node(struct loader *l, yaml_event_t *ev, int depth);

/* Marks count characters. They hardly ever go back, so walking from the last one is cheap. */
static size_t byte_offset(struct loader *l, size_t chars)
{
	struct str s = l->file->text;

	if (chars < l->cursor_chars)
		l->cursor = l->cursor_chars = 0;
	for (; l->cursor_chars < chars && l->cursor < s.n; l->cursor_chars++) {
		l->cursor++;
		while (l->cursor < s.n && (s.p[l->cursor] & 0xc0) == 0x80)
			l->cursor++;
	}
	return l->cursor;
}

static struct conf_node *node_new(struct loader *l, enum conf_kind kind, yaml_mark_t mark)
{
	struct conf_node *n = ARENA_NEW(l->arena, struct conf_node);

	n->kind = kind;
	n->file = l->file;
	n->line = (int)mark.line + 1;
	n->col = (int)mark.column + 1;
	n->beg = byte_offset(l, mark.index);
	n->weight = 1;
	l->total++;
	return n;
}

static void *give_up(struct loader *l, const struct conf_node *at, const char *what)
{
	if (!l->failed)
		conf_error(l->report, at, "%s", what);
	l->failed = true;
	return NULL;
}

static bool within_budget(struct loader *l, const struct conf_node *at)
{
	if (l->total > CONF_MAX_NODES)
		give_up(l, at, "the file has more than 1000000 values, aliases expanded: split it, or use fewer aliases");
	return !l->failed;
}

/* What libyaml found wrong, with the advice people most often need. */
static void report_yaml_error(struct loader *l)
{
	const yaml_parser_t *y = &l->yaml;
	struct conf_node at = { .file = l->file, .line = (int)y->problem_mark.line + 1, .col = (int)y->problem_mark.column + 1 };
	const char *problem = y->problem ? y->problem : "this is no YAML", *advice = "check the indentation and the quotes here";
	struct str text = l->file->text;

	at.beg = byte_offset(l, y->problem_mark.index);
	if (at.beg < text.n && text.p[at.beg] == '\t')
		advice = "indent with spaces, YAML allows no tabs";
	else if (y->error == YAML_READER_ERROR)
		advice = "remove the control character";
	else if (strstr(problem, "mapping values are not allowed") != NULL)
		advice = "quote a text that holds \": \", or check the indentation";
	conf_error(l->report, &at, "%s: %s", problem, advice);
	l->failed = true;
}

static bool next_event(struct loader *l, yaml_event_t *ev)
{
	if (l->failed)
		return false;
	if (yaml_parser_parse(&l->yaml, ev))
		return true;
	report_yaml_error(l);
	return false;
}

static struct str yaml_str(const yaml_char_t *z)
{
	return str_of((const char *)z);
}

static bool is_null_text(struct str s)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(s, str_of(words[i])))
			return true;
	return false;
}

/* !!int, !!bool and the like: a value of that type even in quotes. */
static bool is_core_tag(struct str tag)
{
	return str_starts(tag, STR("tag:yaml.org,2002:")) && !str_ends(tag, STR(":str"));
}

static struct conf_node *load_scalar(struct loader *l, const yaml_event_t *ev)
{
	struct conf_node *n = node_new(l, CONF_SCALAR, ev->start_mark);
	yaml_scalar_style_t style = ev->data.scalar.style;

	n->text = arena_str(l->arena, (struct str){ (const char *)ev->data.scalar.value, ev->data.scalar.length });
	n->quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	n->block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
	n->is_text = ev->data.scalar.tag == NULL ? n->quoted || n->block : !is_core_tag(yaml_str(ev->data.scalar.tag));
	if (!n->quoted && !n->block && ev->data.scalar.plain_implicit && is_null_text(n->text))
		n->kind = CONF_NULL;
	return n;
}

static struct conf_node *load_seq(struct loader *l, const yaml_event_t *start, int depth)
{
	struct conf_node *n = node_new(l, CONF_SEQ, start->start_mark);
	size_t cap = 0;
	yaml_event_t ev;

	while (next_event(l, &ev)) {
		struct conf_node *item;

		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return n;
		}
		item = load_node(l, &ev, depth + 1);
		if (item == NULL)
			return NULL;
		n->items = arena_grow(l->arena, n->items, n->n, &cap, n->n + 1, sizeof(struct conf_node *));
		n->items[n->n++] = item;
		n->weight += item->weight;
	}
	return NULL;
}

static void add_pair(struct loader *l, struct conf_node *map, size_t *cap, struct conf_node *key, struct conf_node *value)
{
	map->pairs = arena_grow(l->arena, map->pairs, map->n, cap, map->n + 1, sizeof *map->pairs);
	map->pairs[map->n++] = (struct conf_pair){ key, value };
	map->weight += key->weight + value->weight;
}

/* "<<: *defaults": pairs of <from> whose keys <map> lacks. */
static void merge_map(struct loader *l, struct conf_node *map, size_t *cap, struct map *keys, const struct conf_node *from)
{
	if (from->kind != CONF_MAP) {
		conf_error(l->report, from, "<< merges maps, this is %s: give it a map, or a list of maps", conf_kind_name(from->kind));
		return;
	}
	for (size_t i = 0; i < from->n; i++) {
		if (map_get(keys, from->pairs[i].key->text) != NULL)
			continue;
		map_put(keys, from->pairs[i].key->text, from->pairs[i].key);
		add_pair(l, map, cap, from->pairs[i].key, from->pairs[i].value);
		l->total += 2;
	}
}

static void merge(struct loader *l, struct conf_node *map, size_t *cap, struct map *keys, const struct conf_node *from)
{
	if (from->kind != CONF_SEQ) {
		merge_map(l, map, cap, keys, from);
		return;
	}
	for (size_t i = 0; i < from->n; i++)
		merge_map(l, map, cap, keys, from->items[i]);
}

static struct conf_node *load_key(struct loader *l, yaml_event_t *ev, int depth)
{
	struct conf_node *key = load_node(l, ev, depth);

	if (key == NULL)
		return NULL;
	if (key->kind == CONF_NULL)
		key->kind = CONF_SCALAR;
	return key->kind == CONF_SCALAR ? key : give_up(l, key, "a key is a list or a map: keys must be plain names");
}

/* Fills <n> and <keys>; merges come last, since what the map itself says wins. */
static bool load_pairs(struct loader *l, struct conf_node *n, struct map *keys, int depth)
{
	const struct conf_node *merges = NULL;
	size_t cap = 0;
	yaml_event_t ev;

	while (next_event(l, &ev)) {
		struct conf_node *key, *value;
		const struct conf_node *before;

		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			if (merges != NULL)
				merge(l, n, &cap, keys, merges);
			return within_budget(l, n);
		}
		key = load_key(l, &ev, depth + 1);
		if (key == NULL || !next_event(l, &ev) || (value = load_node(l, &ev, depth + 1)) == NULL)
			return false;
		if (!key->quoted && str_eq(key->text, STR("<<")) && merges == NULL) {
			merges = value;
			continue;
		}
		before = map_put(keys, key->text, key);
		if (before != NULL)
			conf_error(l->report, key, "the key \"" STR_FMT "\" occurs twice (first in line %d): remove one", STR_ARG(key->text),
			           before->line);
		else
			add_pair(l, n, &cap, key, value);
	}
	return false;
}

static struct conf_node *load_map(struct loader *l, const yaml_event_t *start, int depth)
{
	struct conf_node *n = node_new(l, CONF_MAP, start->start_mark);
	struct map keys = { 0 };
	bool ok = load_pairs(l, n, &keys, depth);

	map_fini(&keys);
	return ok ? n : NULL;
}

static struct conf_node *load_alias(struct loader *l, const yaml_event_t *ev)
{
	struct conf_node at = { .file = l->file, .line = (int)ev->start_mark.line + 1, .col = (int)ev->start_mark.column + 1 };
	struct conf_node *n = map_get(&l->anchors, yaml_str(ev->data.alias.anchor));

	at.beg = byte_offset(l, ev->start_mark.index);
	if (n == NULL)
		return give_up(l, &at, "this alias names no complete anchor before it: define it with & first");
	l->total += n->weight;
	return within_budget(l, &at) ? n : NULL;
}

static struct conf_node *load_by_type(struct loader *l, const yaml_event_t *ev, int depth)
{
	struct conf_node at = { .file = l->file, .line = (int)ev->start_mark.line + 1, .col = (int)ev->start_mark.column + 1 };

	if (depth > CONF_MAX_DEPTH) {
		at.beg = byte_offset(l, ev->start_mark.index);
		return give_up(l, &at, "nested deeper than 64 levels: flatten it");
	}
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return load_alias(l, ev);
	case YAML_SCALAR_EVENT:
		return load_scalar(l, ev);
	case YAML_SEQUENCE_START_EVENT:
		return load_seq(l, ev, depth);
	case YAML_MAPPING_START_EVENT:
		return load_map(l, ev, depth);
	default:
		return give_up(l, &at, "a value is missing here");
	}
}

static const yaml_char_t *anchor_of(const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return ev->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return ev->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return ev->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

/* Builds the node that begins with <ev>, which is used up. NULL when loading has failed. */
static struct conf_node *load_node(struct loader *l, yaml_event_t *ev, int depth)
{
	struct conf_node *n = load_by_type(l, ev, depth);
	const yaml_char_t *anchor = anchor_of(ev);

	if (n != NULL && !within_budget(l, n))
		n = NULL;
	if (n != NULL && anchor != NULL)
		map_put(&l->anchors, arena_str(l->arena, yaml_str(anchor)), n);
	yaml_event_delete(ev);
	return n;
}

static struct conf_node *load_first_document(struct loader *l)
{
	struct conf_node *root = NULL;
	yaml_event_t ev;

	while (next_event(l, &ev)) {
		yaml_event_type_t type = ev.type;

		if (type == YAML_DOCUMENT_START_EVENT && root != NULL) {
			struct conf_node at = { .file = l->file, .line = (int)ev.start_mark.line + 1, .col = 1 };

			at.beg = byte_offset(l, ev.start_mark.index);
			conf_warn(l->report, &at, "a second document begins here: only the first one is read");
			yaml_event_delete(&ev);
			return root;
		}
		if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT ||
		    type == YAML_STREAM_END_EVENT) {
			if (type == YAML_STREAM_END_EVENT && root == NULL)
				root = node_new(l, CONF_NULL, ev.start_mark);
			yaml_event_delete(&ev);
		} else {
			root = load_node(l, &ev, 1);
		}
		if (type == YAML_STREAM_END_EVENT)
			return root;
	}
	return NULL;
}

static struct str folder_of(struct str path)
{
	size_t n = path.n;

	while (n > 0 && path.p[n - 1] != '/')
		n--;
	return (struct str){ path.p, n };
}

static bool check_text(const struct conf_file *f, struct conf_report *r)
{
	struct conf_node at = { .file = f, .line = 1, .col = 1 };

	if (f->text.n > CONF_MAX_BYTES)
		return conf_error_in(r, f->name, "the file is larger than %u bytes: split it", CONF_MAX_BYTES);
	if (str_is_utf8(f->text))
		return true;
	for (size_t len; (len = str_utf8_len((struct str){ f->text.p + at.beg, f->text.n - at.beg })) > 0; at.beg += len) {
		at.col = f->text.p[at.beg] == '\n' ? 1 : at.col + 1;
		at.line += f->text.p[at.beg] == '\n';
	}
	return conf_error(r, &at, "this is no UTF-8: save the file as UTF-8");
}

struct conf_node *conf_load_text(struct arena *a, struct str name, struct str text, struct conf_report *r)
{
	struct conf_file *f = ARENA_NEW(a, struct conf_file);
	struct loader l = { .arena = a, .report = r, .file = f };
	struct conf_node *root = NULL;

	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = (struct str){ text.p + 3, text.n - 3 };
	*f = (struct conf_file){ .name = arena_str(a, name), .dir = arena_str(a, folder_of(name)), .text = text };
	if (!check_text(f, r))
		return NULL;
	f->text = arena_str(a, text);
	if (!yaml_parser_initialize(&l.yaml))
		return give_up(&l, NULL, "no memory for the YAML parser");
	yaml_parser_set_encoding(&l.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.yaml, (const unsigned char *)f->text.p, f->text.n);
	root = load_first_document(&l);
	yaml_parser_delete(&l.yaml);
	map_fini(&l.anchors);
	return l.failed ? NULL : root;
}

struct conf_node *conf_load(struct arena *a, const char *path, struct conf_report *r)
{
	struct conf_node *root = NULL;
	struct buf text = { .limit = CONF_MAX_BYTES + 1 };
	FILE *f = fopen(path, "re");
	size_t got = 1;

	while (f != NULL && got > 0 && text.n <= CONF_MAX_BYTES) {
		size_t room = CONF_MAX_BYTES + 1 - text.n < 65536 ? CONF_MAX_BYTES + 1 - text.n : 65536;

		got = fread(buf_reserve(&text, room), 1, room, f);
		text.n += got;
	}
	if (f == NULL || ferror(f))
		conf_error_in(r, str_of(path), "cannot be read: %s", strerror(errno));
	else
		root = conf_load_text(a, str_of(path), buf_str(&text), r);
	if (f != NULL)
		fclose(f);
	buf_fini(&text);
	return root;
}

const struct conf_node *conf_get(const struct conf_node *map, const char *name)
{
	if (map == NULL || map->kind != CONF_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->pairs[i].key->text, str_of(name)))
			return map->pairs[i].value;
	return NULL;
}

const char *conf_kind_name(enum conf_kind kind)
{
	static const char *const names[] = { "nothing", "a single value", "a list", "a map" };

	return names[kind];
}
