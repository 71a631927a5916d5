/* The file is a map with a list for each kind: the root table is made from source_kinds[]. */
#include "sources_private.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tocsin/map.h"
#include "tocsin/mem.h"

#define KINDS_MAX 16

struct root {
	struct conf_list lists[KINDS_MAX];      /* by position in source_kinds[] */
	struct conf_list modules;               /* struct sources_module */
};

static struct conf_table root_table(struct conf_key keys[KINDS_MAX + 1])
{
	size_t n = 0;

	for (; source_kinds[n] != NULL; n++) {
		assert(n < KINDS_MAX);
		keys[n] = (struct conf_key){ source_kinds[n]->name, conf_sub_list, offsetof(struct root,
		    lists) + n * sizeof(struct conf_list),
		    NULL, CONF_RELOAD, "List of sources of this kind.", source_kinds[n]->table };
	}
	keys[n] = (struct conf_key)CONF_KEY_ARG(struct root, "modules", modules, conf_sub_list, NULL, CONF_RELOAD,
	    "How targets are asked that a scraper names: /probe?module=NAME&target=TARGET.", &modules_table);
	return (struct conf_table){ keys, n + 1, sizeof(struct root), NULL, NULL };
}

void sources_print_help(struct buf *out)
{
	struct conf_key keys[KINDS_MAX + 1];
	const struct conf_table t = root_table(keys);

	conf_print_help(out, &t);
}

/* ---- What a source is made of, as one text ---- */

static void put_file_state(struct buf *b, const struct conf_node *path)
{
	struct buf name = { 0 };
	struct stat st;

	if (path->kind != CONF_SCALAR)
		return;
	if (!str_starts(path->text, STR("/")) && path->file != NULL && path->file->dir.n > 0)
		buf_printf(&name, STR_FMT "/", STR_ARG(path->file->dir));
	buf_puts(&name, path->text);
	if (stat(buf_z(&name), &st) == 0)
		buf_printf(b, "@%lld.%09ld/%lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size);
	buf_fini(&name);
}

/* Unambiguous: texts carry their length. A secret file counts with its time of change. */
static void put_node(struct buf *b, const struct conf_node *n)
{
	buf_printf(b, "%d:%zu:" STR_FMT "(", (int)n->kind, n->text.n, STR_ARG(n->text));
	for (size_t i = 0; n->kind == CONF_SEQ && i < n->n; i++)
		put_node(b, n->items[i]);
	for (size_t i = 0; n->kind == CONF_MAP && i < n->n; i++) {
		put_node(b, n->pairs[i].key);
		put_node(b, n->pairs[i].value);
		if (str_ends(n->pairs[i].key->text, STR("_file")))
			put_file_state(b, n->pairs[i].value);
	}
	buf_putc(b, ')');
}

struct str sources_fingerprint(struct arena *a, const struct source_kind *kind, const struct conf_node *node)
{
	struct buf b = { 0 };
	struct str s;

	buf_printf(&b, "%s ", kind->name);
	put_node(&b, node);
	s = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return s;
}

/* ---- Loading ---- */

static void take_sources(struct sources *c, const struct root *root, struct conf_report *r)
{
	struct map names = { 0 };
	size_t total = 0;

	for (size_t k = 0; source_kinds[k] != NULL; k++)
		total += root->lists[k].n;
	c->v = ARENA_ARRAY(&c->arena, total, struct sources_entry);
	for (size_t k = 0; source_kinds[k] != NULL; k++) {
		const struct conf_list *list = &root->lists[k];

		for (size_t i = 0; i < list->n; i++) {
			void *settings = (char *)list->v + i * source_kinds[k]->table->bytes;
			struct sources_entry *s = &c->v[c->n++];

			*s = (struct sources_entry){ source_kinds[k], settings, list->nodes[i], sources_fingerprint(&c->arena, source_kinds[k],
			    list->nodes[i]) };
			s->settings->title = arena_strz(&c->arena, s->settings->name);
			if (s->settings->name.n == 0 && conf_get(list->nodes[i], "name") != NULL)
				conf_error(r, list->nodes[i], "name is empty: it is the label `source`");
			if (s->settings->name.n > 0 && map_put(&names, s->settings->name, s) != NULL)
				conf_error(r, list->nodes[i], "a second source named \"" STR_FMT "\": names are unique over all kinds",
				    STR_ARG(s->settings->name));
		}
	}
	map_fini(&names);
	if (c->n > SOURCES_MAX)
		conf_error(r, NULL, "%zu sources: at most %d (SOURCES_MAX)", c->n, SOURCES_MAX);
}

static const struct sources_entry *find_source(const struct sources *all, const char *kind, struct str name)
{
	for (const struct sources_entry *s = all->v; s < all->v + all->n; s++)
		if (strcmp(s->kind->name, kind) == 0 && str_eq(s->settings->name, name))
			return s;
	return NULL;
}

/* A source that names another ("postgres: main") changes with it. */
static void link_source(struct sources *c, struct sources_entry *s, struct conf_report *r)
{
	s->kind->link(s->settings, c, s->node, r);
	for (size_t k = 0; source_kinds[k] != NULL; k++) {
		const struct conf_node *name = conf_get(s->node, source_kinds[k]->name);
		const struct sources_entry *other = name != NULL ? find_source(c, source_kinds[k]->name, name->text) : NULL;

		if (other != NULL)
			s->fingerprint = arena_printf(&c->arena, STR_FMT " " STR_FMT, STR_ARG(s->fingerprint), STR_ARG(other->fingerprint));
	}
}

static void link_sources(struct sources *c, struct conf_report *r)
{
	for (struct sources_entry *s = c->v; s < c->v + c->n; s++)
		if (s->kind->link != NULL)
			link_source(c, s, r);
}

struct sources *sources_new(void)
{
	struct sources *c = mem_alloc(sizeof *c);

	c->refs = 1;
	return c;
}

struct sources *sources_build(struct sources *c, const struct conf_node *tree, struct conf_report *r)
{
	struct conf_reader rd = { .arena = &c->arena, .report = r, .user = &c->reading, .check_always = true };
	struct conf_key keys[KINDS_MAX + 1];
	const struct conf_table t = root_table(keys);
	struct root root = { 0 };

	if (tree != NULL) {
		(void)conf_read(&rd, &t, tree, &root);         /* what could be read is judged in any case */
		take_sources(c, &root, r);
		link_sources(c, r);
		sources_check_names(c, r);
	}
	modules_take(c, &root.modules, r);
	c->held = rd.held;
	if (r->n_errors == 0)
		return c;
	sources_unref(c);
	return NULL;
}

struct sources *sources_load(const char *path, struct conf_report *r)
{
	struct sources *c = sources_new();

	return sources_build(c, conf_load(&c->arena, path, r), r);
}

struct sources *sources_load_text(struct str name, struct str text, struct conf_report *r)
{
	struct sources *c = sources_new();

	return sources_build(c, conf_load_text(&c->arena, name, text, r), r);
}

struct sources *sources_load_environment(char *(*getenv_)(const char *), struct conf_report *r)
{
	struct buf text = { 0 };
	struct sources *c;

	for (size_t k = 0; source_kinds[k] != NULL; k++) {
		const char *name = source_kinds[k]->env, *value = name != NULL ? getenv_(name) : NULL;

		if (value != NULL && *value != '\0')
			buf_printf(&text, "%s: [{ name: %s, url: '${%s}' }]\n", source_kinds[k]->name, source_kinds[k]->name, name);
	}
	c = sources_load_text(STR("environment"), buf_str(&text), r);
	buf_fini(&text);
	return c;
}

struct sources *sources_ref(struct sources *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void sources_unref(struct sources *c)
{
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	conf_release(c->held);
	if (c->parent != NULL)
		sources_unref(c->parent);
	arena_fini(&c->arena);
	free(c);
}

const void *sources_find(const struct sources *all, const char *kind, struct str name)
{
	const struct sources_entry *s = find_source(all, kind, name);

	return s != NULL ? s->settings : NULL;
}
