/* A line a connection: "id=3 addr=127.0.0.1:42 laddr=… fd=8 name= age=1 idle=0 flags=N db=0 sub=0 … user=default
 * lib-name=redis-py". Values hold no spaces. */
#include "redis/clients.h"

#include "redis/families.h"

static struct str part(struct str line, const char *name)
{
	const struct str wanted = str_of(name);
	struct str word;

	while (str_cut(&line, ' ', &word))
		if (word.n > wanted.n && word.p[wanted.n] == '=' && str_starts(word, wanted))
			return (struct str){ word.p + wanted.n + 1, word.n - wanted.n - 1 };
	return STR("");
}

/* An IPv6 address has colons, too: the port is behind the last. */
static void cut_address(struct str address, struct str *host, struct str *port)
{
	size_t colon = address.n;

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	*host = colon > 0 ? (struct str){ address.p, colon - 1 } : address;
	*port = colon > 0 ? (struct str){ address.p + colon, address.n - colon } : STR("");
}

/* ---- Each connection ---- */

static void show_client(const struct redis_shown *sh, struct str line)
{
	static const struct {
		const char *field;
		enum redis_family family;
		bool ago;               /* seconds before now, shown as a moment */
	} rows[] = {
		{ "omem", RF_CLIENT_OMEM, false }, { "tot-mem", RF_CLIENT_TOTMEM, false }, { "age", RF_CLIENT_CREATED, true },
		{ "idle", RF_CLIENT_IDLE_SINCE, true }, { "sub", RF_CLIENT_SUB, false }, { "psub", RF_CLIENT_PSUB, false },
		{ "qbuf", RF_CLIENT_QBUF, false }, { "qbuf-free", RF_CLIENT_QBUF_FREE, false }, { "obl", RF_CLIENT_OBL, false },
		{ "oll", RF_CLIENT_OLL, false }, { "ssub", RF_CLIENT_SSUB, false }, { "watch", RF_CLIENT_WATCH, false },
	};
	const struct label labels[] = { { STR("id"), part(line, "id") }, { STR("name"), part(line, "name") } };
	struct str host, port;
	double v;

	cut_address(part(line, "addr"), &host, &port);
	EXPO_EMIT(sh->set, &redis_families[RF_CLIENT_INFO], 1, labels[0], labels[1], { STR("flags"), part(line, "flags") },
	          { STR("db"), part(line, "db") }, { STR("host"), host },
	          { STR("port"), sh->settings->export_client_port ? port : STR("") }, { STR("user"), part(line, "user") },
	          { STR("resp"), part(line, "resp") });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (info_number(part(line, rows[i].field), &v))
			expo_emit(sh->set, &redis_families[rows[i].family], rows[i].ago ? (double)(sh->now_ms / 1000) - v : v, labels, 2);
}

/* ---- What they have in common ---- */

struct client_group {
	struct str values[REDIS_CLIENT_FIELDS];
	double connections, memory, output, idle;
};

static struct str group_value(struct str line, struct str field)
{
	struct str host, port;

	if (!str_eq(field, STR("host"))) {
		static const struct { const char *setting, *part; } names[] = {
			{ "name", "name" }, { "user", "user" }, { "db", "db" }, { "library", "lib-name" },
		};
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (str_eq(field, str_of(names[i].setting)))
				return part(line, names[i].part);
		return STR("");
	}
	cut_address(part(line, "addr"), &host, &port);
	return host;
}

static double number_of(struct str line, const char *name)
{
	double v;

	return info_number(part(line, name), &v) ? v : 0;
}

/* The group of a line; behind max_client_groups all further ones are one, "other". */
static struct client_group *find_group(const struct redis_shown *sh, struct map *groups, struct str line)
{
	const struct conf_strs *fields = &sh->settings->client_groups;
	struct str values[REDIS_CLIENT_FIELDS], key = STR("");

	for (size_t i = 0; i < fields->n; i++) {
		values[i] = group_value(line, fields->v[i]);
		key = arena_printf(sh->arena, STR_FMT " " STR_FMT, STR_ARG(key), STR_ARG(values[i]));
	}
	struct client_group *g = map_get(groups, key);
	if (g == NULL && groups->n >= (size_t)sh->settings->max_client_groups) {
		key = STR("other");             /* a key of values begins with a space */
		for (size_t i = 0; i < fields->n; i++)
			values[i] = key;
		g = map_get(groups, key);
	}
	if (g != NULL)
		return g;
	g = ARENA_NEW(sh->arena, struct client_group);
	memcpy(g->values, values, fields->n * sizeof *values);
	map_put(groups, key, g);
	return g;
}

static void show_groups(const struct redis_shown *sh, const struct map *groups)
{
	const struct conf_strs *fields = &sh->settings->client_groups;

	for (struct map_slot *s = NULL; (s = map_next(groups, s)) != NULL;) {
		const struct client_group *g = s->value;
		struct label labels[REDIS_CLIENT_FIELDS];

		for (size_t i = 0; i < fields->n; i++)
			labels[i] = (struct label){ fields->v[i], g->values[i] };
		expo_emit(sh->set, &redis_families[RF_GROUP_CLIENTS], g->connections, labels, fields->n);
		expo_emit(sh->set, &redis_families[RF_GROUP_MEMORY], g->memory, labels, fields->n);
		expo_emit(sh->set, &redis_families[RF_GROUP_OUTPUT], g->output, labels, fields->n);
		expo_emit(sh->set, &redis_families[RF_GROUP_IDLE], g->idle, labels, fields->n);
	}
}

void redis_show_clients(struct redis_shown *sh, const struct resp_reply *reply)
{
	const struct redis_settings *s = sh->settings;
	struct str rest = reply->text, line;
	struct map groups = { 0 };
	int64_t n = 0;

	while (str_cut(&rest, '\n', &line)) {
		if (!str_starts(line, STR("id=")))
			continue;
		if (s->export_client_list && n++ < s->max_clients)
			show_client(sh, line);
		if (s->client_groups.n == 0)
			continue;
		struct client_group *g = find_group(sh, &groups, line);
		const double idle = number_of(line, "idle");
		g->connections++;
		g->memory += number_of(line, "tot-mem");
		g->output += number_of(line, "omem");
		g->idle = idle > g->idle ? idle : g->idle;
	}
	if (s->export_client_list)
		EXPO_EMIT0(sh->set, &redis_families[RF_CLIENTS_CUT], n > s->max_clients);
	show_groups(sh, &groups);
	map_fini(&groups);
}
