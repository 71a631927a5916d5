/* Tables as help, and trees as YAML again without their secrets. */
#include "tocsin/conf.h"
#include "tocsin/json.h"

static const struct {
	conf_parse *parse;
	const char *kind;
	bool has_table;
} kinds[] = {
	{ conf_str, "text", false },           { conf_bool, "true|false", false },   { conf_int, "number", false },
	{ conf_double, "number", false },      { conf_duration_ms, "duration", false }, { conf_bytes, "size", false },
	{ conf_size, "size", false },          { conf_enum, "word", false },          { conf_url, "url", false },           { conf_path, "path", false },
	{ conf_path_list, "paths", false },    { conf_path_seq, "paths", false },    { conf_str_seq, "texts", false },
	{ conf_regex, "regex", false },        { conf_enum_nocase, "word", false },  { conf_proxy_url, "url", false },
	{ conf_regex_search, "regex", false }, { conf_regex_pcre, "regex", false },  { conf_str_list, "texts", false },
	{ conf_labels, "name: text", false },  { conf_raw, "yaml", false },          { conf_sub, "map", true },
	{ conf_sub_ptr, "map", true },         { conf_sub_list, "list", true },
};

static const char *kind_of(const struct conf_key *key, const struct conf_table **sub)
{
	*sub = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].parse != key->parse)
			continue;
		*sub = kinds[i].has_table ? key->arg : NULL;
		return kinds[i].kind;
	}
	return "value";
}

static void print_row(struct buf *out, const struct conf_key *key, const char *kind, int depth)
{
	size_t beg = out->n;

	buf_printf(out, "%*s%s: <", 2 * depth, "", key->name);
	if (key->parse == conf_enum || key->parse == conf_enum_nocase)
		for (const char *const *name = key->arg; *name != NULL; name++)
			buf_printf(out, name == key->arg ? "%s" : "|%s", *name);
	else
		buf_putz(out, kind);
	buf_putc(out, '>');
	if (key->fallback != NULL && *key->fallback != '\0')
		buf_printf(out, " = %s", key->fallback);
	while (out->n < beg + 44)
		buf_putc(out, ' ');
	buf_printf(out, "  %s%s\n", key->help, (key->flags & CONF_REQUIRED) != 0 ? " Required." : "");
}

/* Tables may hold themselves (routes have routes); four levels say it all. A row without help is not for people: left out. */
static void print_table(struct buf *out, const struct conf_table *t, int depth)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_table *sub;
		const char *kind = kind_of(&t->keys[i], &sub);

		if (t->keys[i].help == NULL)
			continue;
		print_row(out, &t->keys[i], kind, depth);
		if (sub != NULL && sub != t && depth < 4)
			print_table(out, sub, depth + 1);
	}
}

void conf_print_help(struct buf *out, const struct conf_table *t)
{
	print_table(out, t, 1);
}

/* ---- YAML again. ---- */

static void print_node(struct buf *out, const struct conf_table *t, const struct conf_node *n, int depth);

/* Quoted as JSON where a plain scalar could be read as something else; JSON strings are YAML. */
static void print_scalar(struct buf *out, const struct conf_node *n)
{
	static const char harmless[] = "_-./";
	bool plain = !n->quoted && !n->block && n->text.n > 0 && n->text.p[0] != '-' && n->text.p[0] != '.';

	for (size_t i = 0; i < n->text.n && plain; i++) {
		char c = n->text.p[i];

		plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != 0 && strchr(harmless, c));
	}
	if (plain) {
		buf_puts(out, n->text);
		return;
	}
	buf_putc(out, '"');
	json_escape(out, n->text);
	buf_putc(out, '"');
}

static const struct conf_key *find_key(const struct conf_table *t, struct str name)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		if (str_eq(name, str_of(t->keys[i].name)))
			return &t->keys[i];
	return NULL;
}

static void print_pair(struct buf *out, const struct conf_table *t, const struct conf_pair *p, int depth)
{
	const struct conf_key *key = find_key(t, p->key->text);
	const struct conf_table *sub = NULL;

	if (key != NULL)
		kind_of(key, &sub);
	print_scalar(out, p->key);
	buf_putc(out, ':');
	if (key != NULL && (key->flags & CONF_SECRET) != 0 && p->value->kind != CONF_NULL)
		buf_putz(out, " <secret>\n");
	else
		print_node(out, sub, p->value, depth + 1);
}

static void indent(struct buf *out, int depth)
{
	buf_printf(out, "%*s", 2 * depth, "");
}

/* The place is behind "key:" or "-". */
static void print_node(struct buf *out, const struct conf_table *t, const struct conf_node *n, int depth)
{
	switch (n->kind) {
	case CONF_NULL:
		buf_putz(out, " null\n");
		return;
	case CONF_SCALAR:
		buf_putc(out, ' ');
		print_scalar(out, n);
		buf_putc(out, '\n');
		return;
	case CONF_SEQ:
		buf_putz(out, n->n ? "\n" : " []\n");
		for (size_t i = 0; i < n->n; i++) {
			indent(out, depth);
			buf_putc(out, '-');
			print_node(out, t, n->items[i], depth + 1);
		}
		return;
	case CONF_MAP:
		buf_putz(out, n->n ? "\n" : " {}\n");
		for (size_t i = 0; i < n->n; i++) {
			indent(out, depth);
			print_pair(out, t, &n->pairs[i], depth);
		}
		return;
	}
}

void conf_print_redacted(struct buf *out, const struct conf_table *t, const struct conf_node *node)
{
	for (size_t i = 0; node->kind == CONF_MAP && i < node->n; i++)
		print_pair(out, t, &node->pairs[i], 0);
}
