/* Modules: sources that are made when a scraper names a target. What it names goes through the module's patterns, and can be put
 * into an address at one place only; the result is read as if it had stood in the file. */
#include "sources_private.h"

#include "tocsin/regex.h"

#define TARGET STR("{target}")

/* ---- Settings ---- */

static const struct conf_range targets_range = { 1, 1000 }, idle_range = { 1000, 86400000 };

static bool conf_allow(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct sources_allow *allow = to;
	bool ok = true;

	if (n->kind != CONF_SEQ)
		return conf_error(rd->report, n, "%s is %s: write a list of regular expressions", key->name, conf_kind_name(n->kind));
	allow->v = ARENA_ARRAY(rd->arena, n->n + 1, struct regex *);
	for (; allow->n < n->n; allow->n++)
		ok &= conf_regex(rd, key, n->items[allow->n], &allow->v[allow->n]);
	return ok;
}

/* The kinds whose sources have one server each, which can be another at every call. */
#define MODULE_KIND(position, name) \
	CONF_KEY(struct sources_module, name, by_kind[position], conf_raw, NULL, CONF_RELOAD, \
	         "Settings as of a source under " name ", without name; {target} in its url is what the scraper names.")

static const struct { const char *kind; } module_kinds[] = { { "postgres" }, { "redis" }, { "gauges" }, { "probe" } };

static const struct conf_key module_keys[] = {
	CONF_KEY(struct sources_module, "name", name, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "Name of the module."),
	CONF_KEY(struct sources_module, "allow", allow, conf_allow, NULL, CONF_REQUIRED | CONF_RELOAD,
	         "Regular expressions, one of which the whole target must match; others are refused."),
	CONF_KEY_ARG(struct sources_module, "max_targets", max_targets, conf_int, "100", CONF_RELOAD,
	             "Targets that may have a connection at once.", &targets_range),
	CONF_KEY_ARG(struct sources_module, "idle", idle_ms, conf_duration_ms, "5m", CONF_RELOAD,
	             "A target nobody asked for that long is let go, and its connection closed.", &idle_range),
	MODULE_KIND(0, "postgres"), MODULE_KIND(1, "redis"), MODULE_KIND(2, "gauges"), MODULE_KIND(3, "probe"),
};

static const struct source_kind *kind_of(const char *name)
{
	for (size_t k = 0; source_kinds[k] != NULL; k++)
		if (strcmp(source_kinds[k]->name, name) == 0)
			return source_kinds[k];
	return NULL;
}

static bool check_module(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct sources_module *m = to;
	const struct source_kind *kind = NULL;
	const struct conf_node *url;
	size_t kinds = 0;

	for (size_t i = 0; i < ARRAY_LEN(module_kinds); i++) {
		if (m->by_kind[i] == NULL)
			continue;
		kinds++;
		m->settings = m->by_kind[i];
		kind = kind_of(module_kinds[i].kind);
	}
	if (kinds != 1)
		return conf_error(rd->report, map, "a module has one of postgres, redis, gauges, probe: write one");
	url = conf_get(m->settings, "url");
	if (url == NULL || url->kind != CONF_SCALAR || str_find(url->text, TARGET) == url->text.n)
		return conf_error(rd->report, m->settings, "url must be there and hold {target}: such as redis://{target}");
	if (conf_get(m->settings, "name") != NULL)
		return conf_error(rd->report, m->settings, "a module's settings have no name: it is the target's");
	m->kind = kind;
	return true;
}

const struct conf_table modules_table = { module_keys, ARRAY_LEN(module_keys), sizeof(struct sources_module), NULL, check_module };

/* ---- From a module and a target to a source ---- */

static struct conf_node *scalar(struct arena *a, const struct conf_node *at, struct str text)
{
	struct conf_node *n = ARENA_NEW(a, struct conf_node);

	*n = (struct conf_node){ .kind = CONF_SCALAR, .quoted = true, .line = at->line, .col = at->col, .beg = at->beg, .weight = 1,
	    .file = at->file, .text = text };
	return n;
}

static struct str put_target(struct arena *a, struct str text, struct str target)
{
	struct buf b = { 0 };
	struct str made;

	while (text.n > 0) {
		size_t at = str_find(text, TARGET);

		buf_put(&b, text.p, at);
		if (at < text.n)
			buf_puts(&b, target);
		at += at < text.n ? TARGET.n : 0;
		text = str_between(text.p + at, text.p + text.n);
	}
	made = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return made;
}

/* { kind: [settings] } with a name and an address. */
static struct conf_node *tree_for(struct arena *a, const struct sources_module *m, struct str target)
{
	struct conf_node *root = ARENA_NEW(a, struct conf_node), *list = ARENA_NEW(a, struct conf_node);
	struct conf_node *map = ARENA_NEW(a, struct conf_node);
	const struct conf_node *from = m->settings;

	*map = *from;
	map->pairs = ARENA_ARRAY(a, from->n + 1, struct conf_pair);
	for (size_t i = 0; i < from->n; i++) {
		map->pairs[i] = from->pairs[i];
		if (str_eq(from->pairs[i].key->text, STR("url")))
			map->pairs[i].value = scalar(a, from->pairs[i].value, put_target(a, from->pairs[i].value->text, target));
	}
	map->pairs[map->n++] = (struct conf_pair){ scalar(a, from, STR("name")), scalar(a, from, target) };
	*list = (struct conf_node){ .kind = CONF_SEQ, .line = from->line, .col = from->col, .file = from->file, .n = 1,
	    .items = ARENA_ARRAY(a, 1, struct conf_node *) };
	list->items[0] = map;
	*root = (struct conf_node){ .kind = CONF_MAP, .line = from->line, .col = from->col, .file = from->file, .n = 1,
	    .pairs = ARENA_ARRAY(a, 1, struct conf_pair) };
	root->pairs[0] = (struct conf_pair){ scalar(a, from, str_of(m->kind->name)), list };
	return root;
}

static struct sources *build_for(struct sources *parent, const struct sources_module *m, struct str target, struct conf_report *r)
{
	struct sources *c = sources_new();

	c->parent = sources_ref(parent);
	c->reading.any_scheme = str_eq(conf_get(m->settings, "url")->text, TARGET);
	return sources_build(c, tree_for(&c->arena, m, arena_str(&c->arena, target)), r);
}

/* Settings that no target could make good are an error of the file: some target must do. */
static void try_module(struct sources *c, const struct sources_module *m, struct conf_report *r)
{
	static const char *const examples[] = { "target.invalid:1", "http://target.invalid:1", "https://target.invalid:1",
	    "tls://target.invalid:1",
		"redis://target.invalid:1", "rediss://target.invalid:1",
		"postgres://target.invalid:1/x" };
	struct sources *made = NULL;

	for (size_t i = 0; i < ARRAY_LEN(examples) && made == NULL; i++) {
		struct conf_report quiet = { 0 };

		made = build_for(c, m, str_of(examples[i]), &quiet);
		conf_report_fini(&quiet);
	}
	if (made == NULL)
		made = build_for(c, m, str_of(examples[0]), r);
	if (made != NULL)
		sources_unref(made);
}

void modules_take(struct sources *c, const struct conf_list *list, struct conf_report *r)
{
	c->modules = list->v;
	c->n_modules = list->n;
	for (size_t i = 0; i < c->n_modules; i++) {
		struct sources_module *m = &c->modules[i];

		if (m->kind == NULL)
			continue;               /* reported */
		m->fingerprint = sources_fingerprint(&c->arena, m->kind, list->nodes[i]);
		for (size_t k = 0; k < i; k++)
			if (str_eq(c->modules[k].name, m->name))
				conf_error(r, list->nodes[i], "a second module named \"" STR_FMT "\": names are unique", STR_ARG(m->name));
		try_module(c, m, r);
	}
}

const struct sources_module *sources_find_module(const struct sources *c, struct str name)
{
	for (size_t i = 0; i < c->n_modules; i++)
		if (str_eq(c->modules[i].name, name))
			return &c->modules[i];
	return NULL;
}

/* What could make another address of the template: credentials (@), variables (${), and what no address holds. */
static bool is_harmless(struct str target)
{
	for (size_t i = 0; i < target.n; i++)
		if ((unsigned char)target.p[i] <= ' ' || strchr("@$\\\"'<>{}|^`\x7f", target.p[i]) != NULL)
			return false;
	return target.n > 0 && target.n <= SOURCES_TARGET_MAX;
}

static bool is_all_of(struct str s, const char *chars)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(chars, s.p[i]) == NULL)
			return false;
	return s.n > 0;
}

/* One name, IPv4 or [IPv6], and perhaps a port. No list of hosts, no percent sign that stands for something else, and not nothing:
 * the one libpq tries in turn, the others it takes for a socket. */
static bool is_host(struct str target)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._";
	static const char digits[] = "0123456789", v6[] = "0123456789abcdefABCDEF:.";
	bool bracket = str_starts(target, STR("["));
	size_t end = str_chr(target, bracket ? ']' : ':');
	struct str host = { target.p + bracket, end - bracket }, port;

	if (bracket && end++ == target.n)
		return false;
	port = str_between(target.p + end, target.p + target.n);
	return is_all_of(host, bracket ? v6 : letters) &&
	       (port.n == 0 || (port.p[0] == ':' && port.n <= 6 && is_all_of(str_between(port.p + 1, port.p + port.n), digits)));
}

/* A target that is the whole address: scheme, one host and what is behind it, but no parameters, which could name another host or
 * turn TLS's checks off. Those of HTTP are the page's. */
static bool is_address(struct str target)
{
	bool is_page = str_starts(target, STR("http://")) || str_starts(target, STR("https://"));
	size_t at = str_find(target, STR("://")), end;

	if (at < target.n)
		target = str_between(target.p + at + 3, target.p + target.n);
	for (end = 0; end < target.n && strchr("/?#", target.p[end]) == NULL; end++)
		;
	return is_host((struct str){ target.p, end }) && (is_page || str_chr(target, '?') == target.n);
}

bool sources_module_allows(const struct sources_module *m, struct str target, struct err *e)
{
	const struct conf_node *url = conf_get(m->settings, "url");
	bool allowed = false;

	for (size_t i = 0; i < m->allow.n && !allowed; i++)
		allowed = regex_match(m->allow.v[i], target) == REGEX_YES;
	if (allowed && is_harmless(target) && (str_eq(url->text, TARGET) ? is_address(target) : is_host(target)))
		return true;
	return err_set(e, ERR_BAD_INPUT, -1, "module " STR_FMT " does not allow this target", STR_ARG(m->name));
}

struct sources *sources_for_target(struct sources *c, const struct sources_module *m, struct str target, struct err *e)
{
	struct conf_report report = { 0 };
	struct sources *made = build_for(c, m, target, &report);

	if (made == NULL)                       /* the report may show what the address holds */
		err_set(e, ERR_BAD_INPUT, -1, "target and module " STR_FMT " make no address", STR_ARG(m->name));
	else
		made->v[0].settings->title = arena_printf(&made->arena, STR_FMT "/" STR_FMT, STR_ARG(m->name), STR_ARG(target)).p;
	conf_report_fini(&report);
	return made;
}
