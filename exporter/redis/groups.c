/* All keys of all databases, put into groups by what a regular expression captures of their names: how many there are and what
 * memory they take. SCAN and MEMORY USAGE in portions, at most scan_keys_per_second; no script runs on the server. */
#include <stdlib.h>

#include "redis/families.h"
#include "redis/info.h"
#include "redis/scanner.h"

#define CAPTURES_MAX 8
#define GROUPS_MAX 10000         /* of one database; what is over counts as one, "overflow" */

struct group {
	struct str name;
	double count, memory;
};

struct grouping {
	struct redis_scanner *scanner;
	struct map by_name;
	struct arena arena;             /* of a database's groups */
};

/* What the expression captures, joined; "unclassified" when it does not match. */
static struct str group_name(const struct grouping *g, struct arena *a, struct str key)
{
	const struct regex *re = g->scanner->settings->check_key_groups;
	struct regex_group found[CAPTURES_MAX + 1];
	const size_t n = regex_group_count(re) < CAPTURES_MAX ? regex_group_count(re) : CAPTURES_MAX;
	struct str name = STR("");

	if (regex_find(re, key, 0, found, n + 1) != REGEX_YES)
		return STR("unclassified");
	for (size_t i = n == 0 ? 0 : 1; i <= n; i++)
		if (found[i].beg != SIZE_MAX)
			name = arena_printf(a, STR_FMT STR_FMT, STR_ARG(name), (int)(found[i].end - found[i].beg), key.p + found[i].beg);
	return name;
}

static struct group *find_group(struct grouping *g, struct str name)
{
	struct group *group = map_get(&g->by_name, name);

	if (group == NULL && g->by_name.n >= GROUPS_MAX)
		group = map_get(&g->by_name, name = STR("overflow"));
	if (group != NULL)
		return group;
	group = ARENA_NEW(&g->arena, struct group);
	group->name = arena_str(&g->arena, name);
	map_put(&g->by_name, group->name, group);
	return group;
}

static bool add_portion(void *user, struct arena *a, const struct resp_reply *keys, struct err *e)
{
	struct grouping *g = user;
	struct redis_scanner *s = g->scanner;

	for (size_t i = 0; i < keys->n_items; i++)
		redis_conn_send(s->conn, (struct str[]){ STR("MEMORY"), STR("USAGE"), keys->items[i]->text }, 3);
	for (size_t i = 0; i < keys->n_items; i++) {
		struct group *group = find_group(g, group_name(g, a, keys->items[i]->text));
		const struct resp_reply *memory;

		if (!redis_conn_reply(s->conn, a, redis_scanner_wait(s), &memory, e))
			return err_context(e, "MEMORY USAGE");
		group->count++;
		group->memory += memory->type == RESP_INTEGER ? (double)memory->integer : 0;
	}
	return true;
}

static int by_memory(const void *a, const void *b)
{
	const struct group *const *x = a, *const *y = b;

	return ((*x)->memory < (*y)->memory) - ((*x)->memory > (*y)->memory);
}

static void show_group(struct redis_scanner *s, struct str db, const struct group *g)
{
	const struct label labels[] = { { STR("db"), db }, { STR("key_group"), g->name } };

	expo_emit(s->set, &redis_families[RF_KEY_GROUP_COUNT], g->count, labels, 2);
	expo_emit(s->set, &redis_families[RF_KEY_GROUP_MEMORY], g->memory, labels, 2);
}

/* The largest, and the rest as one. */
static void show_groups(struct grouping *g, struct str db)
{
	struct redis_scanner *s = g->scanner;
	const size_t shown = (size_t)s->settings->max_distinct_key_groups, n = g->by_name.n;
	struct group **groups = ARENA_ARRAY(&g->arena, n, struct group *), rest = { .name = STR("overflow") };
	size_t i = 0;

	for (struct map_slot *slot = NULL; (slot = map_next(&g->by_name, slot)) != NULL;)
		groups[i++] = slot->value;
	if (n > 0)
		qsort(groups, n, sizeof *groups, by_memory);
	for (i = 0; i < n; i++) {
		if (i < shown && !str_eq(groups[i]->name, rest.name)) {
			show_group(s, db, groups[i]);
			continue;
		}
		rest.count += groups[i]->count;
		rest.memory += groups[i]->memory;
	}
	if (rest.count > 0)
		show_group(s, db, &rest);
	EXPO_EMIT(s->set, &redis_families[RF_KEY_GROUPS], (double)n, { STR("db"), db });
}

static bool group_database(struct redis_scanner *s, struct str name, struct err *e)
{
	struct grouping g = { .scanner = s };
	bool ok = true;
	int64_t db;

	if (!str_starts(name, STR("db")) || !str_to_int64((struct str){ name.p + 2, name.n - 2 }, &db) || db < 0 || db > INT32_MAX)
		return true;
	for (size_t i = 0; ok && redis_scanner_turn(s, i); i++) {
		const struct redis_scan scan = { s->conn, s->loop, s->settings->scan_keys_per_second, STR("") };
		ok = redis_scanner_select(s, (int)db, e) && redis_scan_pass(&scan, add_portion, &g, e);
	}
	if (ok)
		show_groups(&g, name);
	map_fini(&g.by_name);
	arena_fini(&g.arena);
	return ok;
}

bool redis_scan_groups(struct redis_scanner *s, struct err *e)
{
	const struct resp_reply *reply;
	struct info databases;
	bool ok = true;

	if (s->settings->check_key_groups == NULL)
		return true;
	if (s->cluster != NULL)         /* which has one */
		return group_database(s, STR("db0"), e);
	redis_scanner_turn(s, 0);
	redis_conn_sendz(s->conn, "INFO", "keyspace", NULL);
	if (!redis_conn_reply(s->conn, &s->arena, redis_scanner_wait(s), &reply, e))
		return err_context(e, "INFO");
	info_parse(&s->arena, reply->text, &databases);
	for (size_t i = 0; ok && i < databases.n; i++)
		ok = group_database(s, databases.v[i].key, e);
	info_fini(&databases);
	return ok && redis_scanner_select(s, s->settings->endpoint.url.db, e);
}
