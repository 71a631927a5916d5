/* Trees over trees. Nodes keep the file and position they came from, so messages stay true after a merge. */
#include "config_merge.h"

static struct conf_node *like(struct arena *a, const struct conf_node *from, size_t room)
{
	struct conf_node *n = ARENA_NEW(a, struct conf_node);

	*n = *from;
	n->items = from->kind == CONF_SEQ ? ARENA_ARRAY(a, room, struct conf_node *) : NULL;
	n->pairs = from->kind == CONF_MAP ? ARENA_ARRAY(a, room, struct conf_pair) : NULL;
	n->n = 0;
	return n;
}

static struct str name_of(const struct conf_node *item)
{
	const struct conf_node *name = conf_get(item, "name");

	return name != NULL && name->kind == CONF_SCALAR ? name->text : STR("");
}

/* The item of <list> that bears <name>; -1 when there is none, or nothing to go by. */
static long find_named(const struct conf_node *list, struct str name)
{
	for (size_t i = 0; i < list->n && name.n > 0; i++)
		if (str_eq(name_of(list->items[i]), name))
			return (long)i;
	return -1;
}

static struct conf_node *merge_lists(struct arena *a, struct conf_node *base, struct conf_node *over, bool by_name)
{
	struct conf_node *out = like(a, over, base->n + over->n);

	for (size_t i = 0; i < base->n; i++)
		out->items[out->n++] = base->items[i];
	for (size_t i = 0; i < over->n; i++) {
		long at = by_name ? find_named(out, name_of(over->items[i])) : -1;

		if (at >= 0)
			out->items[at] = config_merge(a, out->items[at], over->items[i]);
		else
			out->items[out->n++] = over->items[i];
	}
	return out;
}

static struct conf_node *merge_maps(struct arena *a, struct conf_node *base, struct conf_node *over)
{
	struct conf_node *out = like(a, over, base->n + over->n);

	for (size_t i = 0; i < base->n; i++)
		out->pairs[out->n++] = base->pairs[i];
	for (size_t i = 0; i < over->n; i++) {
		size_t at = 0;

		while (at < base->n && !str_eq(base->pairs[at].key->text, over->pairs[i].key->text))
			at++;
		if (at < base->n && str_eq(over->pairs[i].key->text, STR("receivers")) && base->pairs[at].value->kind == CONF_SEQ &&
		    over->pairs[i].value->kind == CONF_SEQ)
			out->pairs[at].value = merge_lists(a, base->pairs[at].value, over->pairs[i].value, true);
		else if (at < base->n)
			out->pairs[at].value = config_merge(a, base->pairs[at].value, over->pairs[i].value);
		else
			out->pairs[out->n++] = over->pairs[i];
	}
	return out;
}

struct conf_node *config_merge(struct arena *a, struct conf_node *base, struct conf_node *over)
{
	if (base == NULL || base->kind == CONF_NULL)
		return over;
	if (over == NULL || over->kind == CONF_NULL)
		return base;
	if (base->kind == CONF_MAP && over->kind == CONF_MAP)
		return merge_maps(a, base, over);
	if (base->kind == CONF_SEQ && over->kind == CONF_SEQ)
		return merge_lists(a, base, over, false);
	return over;
}

/* Keys whose value is a secret wherever they stand; "*x" matches the end of a key. A key in _file names a file, which is none. */
static const char *const secret_keys[] = { "*password", "*secret", "*token", "*key", "*credentials", "url", "*_url" };
static const char *const not_secret[] = { "api_url", "external_url" };
/* Where a key means something else than elsewhere. */
static const struct {
	const char *list, *key;
	bool secret;
} exceptions[] = { { "slack_configs", "api_url", true }, { "pagerduty_configs", "url", false } };

static bool key_matches(struct str key, const char *pattern)
{
	return pattern[0] == '*' ? str_ends(key, str_of(pattern + 1)) : str_eq(key, str_of(pattern));
}

static bool is_secret(struct str list, struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (str_eq(list, str_of(exceptions[i].list)) && str_eq(key, str_of(exceptions[i].key)))
			return exceptions[i].secret;
	for (size_t i = 0; i < ARRAY_LEN(not_secret); i++)
		if (key_matches(key, not_secret[i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(secret_keys); i++)
		if (key_matches(key, secret_keys[i]))
			return true;
	return false;
}

/* An address stays one, so that programs that check the text still take it. */
static struct conf_node *hidden(struct arena *a, const struct conf_node *node, struct str key)
{
	struct conf_node *n = ARENA_NEW(a, struct conf_node);

	*n = *node;
	n->text = str_ends(key, STR("url")) ? STR("http://<secret>") : STR("<secret>");
	return n;
}

/* <list>: the key of the list or map that <node> stands in. */
static struct conf_node *redact(struct arena *a, const struct conf_node *node, struct str list)
{
	struct conf_node *out = like(a, node, node->n);

	for (size_t i = 0; i < node->n && node->kind == CONF_SEQ; i++) {
		bool hide = node->items[i]->kind == CONF_SCALAR && str_eq(list, STR("secrets"));

		out->items[out->n++] = hide ? hidden(a, node->items[i], list) : redact(a, node->items[i], list);
	}
	for (size_t i = 0; i < node->n && node->kind == CONF_MAP; i++) {
		const struct conf_pair *p = &node->pairs[i];
		bool hide = p->value->kind == CONF_SCALAR && is_secret(list, p->key->text);

		out->pairs[out->n++] = (struct conf_pair){ p->key, hide ? hidden(a, p->value, p->key->text)
									: redact(a, p->value, p->key->text) };
	}
	return out;
}

struct conf_node *config_redact(struct arena *a, const struct conf_node *node)
{
	return redact(a, node, STR(""));
}

static bool is_among(struct str key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(key, str_of(names[i])))
			return true;
	return false;
}

struct conf_node *config_pick(struct arena *a, const struct conf_node *map, const char *const *names, size_t n, bool those)
{
	struct conf_node *out = like(a, map, map->n);

	if (map->kind != CONF_MAP)
		*out = *map;
	for (size_t i = 0; i < map->n && map->kind == CONF_MAP; i++)
		if (is_among(map->pairs[i].key->text, names, n) == those)
			out->pairs[out->n++] = map->pairs[i];
	return out;
}
