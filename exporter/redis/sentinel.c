/* SENTINEL MASTERS, and for each master SENTINELS, SLAVES and CKQUORUM. Replies are flat lists of names and values. */
#include "redis/sentinel.h"

#include "redis/families.h"
#include "redis/node.h"

void sentinel_fini(struct sentinel *s)
{
	arena_fini(&s->arena);
}

static void ask_master(struct redis_conn *c, struct str name)
{
	redis_conn_send(c, (struct str[]){ STR("SENTINEL"), STR("SENTINELS"), name }, 3);
	redis_conn_send(c, (struct str[]){ STR("SENTINEL"), STR("SLAVES"), name }, 3);
	redis_conn_send(c, (struct str[]){ STR("SENTINEL"), STR("CKQUORUM"), name }, 3);
}

void sentinel_ask(const struct sentinel *s, struct redis_conn *c)
{
	redis_conn_sendz(c, "SENTINEL", "MASTERS", NULL);
	for (size_t i = 0; i < s->n; i++)
		ask_master(c, s->names[i]);
}

static struct str field(const struct resp_reply *pairs, const char *name)
{
	for (size_t i = 0; i + 1 < pairs->n_items; i += 2)
		if (str_eq(pairs->items[i]->text, str_of(name)))
			return pairs->items[i + 1]->text;
	return STR("");
}

/* ---- One master ---- */

struct master {
	struct str name;
	struct label labels[2];         /* name and address */
};

static struct master master_of(struct arena *a, const struct resp_reply *pairs)
{
	const struct str ip = field(pairs, "ip"), port = field(pairs, "port");
	struct master m = { .name = field(pairs, "name") };

	m.labels[0] = (struct label){ STR("master_name"), m.name };
	m.labels[1] = (struct label){ STR("master_address"), arena_printf(a, STR_FMT ":" STR_FMT, STR_ARG(ip), STR_ARG(port)) };
	return m;
}

static void show_settings(const struct redis_shown *sh, const struct master *m, const struct resp_reply *pairs)
{
	static const struct {
		const char *field;
		enum redis_family family;
		double divisor;
	} rows[] = {
		{ "quorum", RF_SENTINEL_QUORUM, 1 },
		{ "failover-timeout", RF_SENTINEL_FAILOVER_TIMEOUT, 1 },
		{ "parallel-syncs", RF_SENTINEL_PARALLEL_SYNCS, 1 },
		{ "down-after-milliseconds", RF_SENTINEL_DOWN_AFTER, 1 },
		{ "config-epoch", RF_SENTINEL_CONFIG_EPOCH, 1 },
		{ "last-ok-ping-reply", RF_SENTINEL_LAST_PING, 1e3 },
	};
	double v;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (info_number(field(pairs, rows[i].field), &v))
			expo_emit(sh->set, &redis_families[rows[i].family], v / rows[i].divisor, m->labels, 2);
}

static bool is_down(struct str flags)
{
	struct str flag;

	while (str_cut(&flags, ',', &flag))
		if (str_eq(flag, STR("s_down")) || str_eq(flag, STR("o_down")))
			return true;
	return false;
}

static void show_peer(const struct redis_shown *sh, const struct master *m, const struct resp_reply *pairs)
{
	const struct label labels[] = { m->labels[0], m->labels[1], { STR("name"), field(pairs, "name") }, { STR("ip"), field(pairs,
	    "ip") },
		{ STR("port"), field(pairs, "port") }, { STR("runid"), field(pairs, "runid") }, { STR("flags"), field(pairs, "flags") } };

	expo_emit(sh->set, &redis_families[RF_SENTINEL_PEER], 1, labels, ARRAY_LEN(labels));
}

/* How many of a list are not down; <self>: 1 counts the Sentinel that is asked. */
static void show_good(const struct redis_shown *sh, const struct master *m, const struct resp_reply *list, enum redis_family family,
                      double self)
{
	double good = self;

	if (list->type != RESP_ARRAY)
		return;
	for (size_t i = 0; i < list->n_items; i++)
		good += !is_down(field(list->items[i], "flags"));
	expo_emit(sh->set, &redis_families[family], good, m->labels, 2);
}

static bool show_master(struct redis_conn *c, struct redis_wait wait, struct redis_shown *sh, const struct resp_reply *pairs,
    struct err *e)
{
	const struct master m = master_of(sh->arena, pairs);
	const struct resp_reply *sentinels, *replicas, *quorum;

	if (!redis_conn_reply(c, sh->arena, wait, &sentinels, e) || !redis_conn_reply(c, sh->arena, wait, &replicas, e)
	    || !redis_conn_reply(c, sh->arena, wait, &quorum, e))
		return err_context(e, "sentinel");
	show_settings(sh, &m, pairs);
	show_good(sh, &m, sentinels, RF_SENTINEL_OK_SENTINELS, 1);
	show_good(sh, &m, replicas, RF_SENTINEL_OK_SLAVES, 0);
	for (size_t i = 0; sh->settings->include_sentinel_peer_info && i < sentinels->n_items; i++)
		show_peer(sh, &m, sentinels->items[i]);
	if (redis_reply_is_error(quorum, "NOPERM"))
		return true;
	EXPO_EMIT(sh->set, &redis_families[RF_SENTINEL_CKQUORUM], quorum->type != RESP_ERROR, m.labels[0], { STR("message"),
	    quorum->text });
	expo_emit(sh->set, &redis_families[RF_SENTINEL_QUORUM_OK], quorum->type != RESP_ERROR, m.labels, 1);
	return true;
}

/* ---- All of them ---- */

static const struct resp_reply *find_master(const struct resp_reply *masters, struct str name)
{
	for (size_t i = 0; i < masters->n_items; i++)
		if (str_eq(field(masters->items[i], "name"), name))
			return masters->items[i];
	return NULL;
}

static bool is_known(const struct sentinel *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->names[i], name))
			return true;
	return false;
}

/* Answers about a master that is gone meanwhile are read and dropped. */
static bool skip_master(struct redis_conn *c, struct redis_wait wait, struct arena *a, struct err *e)
{
	const struct resp_reply *reply;

	for (int i = 0; i < 3; i++)
		if (!redis_conn_reply(c, a, wait, &reply, e))
			return err_context(e, "sentinel");
	return true;
}

static bool show_new(struct sentinel *s, struct redis_conn *c, struct redis_wait wait, struct redis_shown *sh,
                     const struct resp_reply *masters, struct err *e)
{
	size_t n = masters->n_items < SENTINEL_MASTERS_MAX ? masters->n_items : SENTINEL_MASTERS_MAX;

	for (size_t i = 0; i < n; i++)
		if (!is_known(s, field(masters->items[i], "name")))
			ask_master(c, field(masters->items[i], "name"));
	for (size_t i = 0; i < n; i++)
		if (!is_known(s, field(masters->items[i], "name")) && !show_master(c, wait, sh, masters->items[i], e))
			return false;
	arena_reset(&s->arena);
	s->names = ARENA_ARRAY(&s->arena, n, struct str);
	for (s->n = 0; s->n < n; s->n++)
		s->names[s->n] = arena_str(&s->arena, field(masters->items[s->n], "name"));
	return true;
}

bool sentinel_show(struct sentinel *s, struct redis_conn *c, struct redis_wait wait, struct redis_shown *sh, struct err *e)
{
	const struct resp_reply *masters;

	if (!redis_conn_reply(c, sh->arena, wait, &masters, e))
		return err_context(e, "sentinel|masters");
	for (size_t i = 0; i < s->n; i++) {
		const struct resp_reply *pairs = find_master(masters, s->names[i]);
		if (pairs != NULL ? !show_master(c, wait, sh, pairs, e) : !skip_master(c, wait, sh->arena, e))
			return false;
	}
	return show_new(s, c, wait, sh, masters, e);
}

void sentinel_show_master_line(const struct redis_shown *sh, struct str line)
{
	struct label labels[] = { { STR("master_name"), STR("") }, { STR("master_address"), STR("") }, { STR("master_status"),
	    STR("") } };
	double v;

	if (!info_part(line, "name", &labels[0].value) || !info_part(line, "address", &labels[1].value)
	    || !info_part(line, "status", &labels[2].value))
		return;
	const bool ok = str_eq(labels[2].value, STR("ok"));
	expo_emit(sh->set, &redis_families[RF_SENTINEL_STATUS], ok, labels, 3);
	expo_emit(sh->set, &redis_families[RF_SENTINEL_MASTER_OK], ok, labels, 1);
	if (info_part_number(line, "slaves", &v))
		expo_emit(sh->set, &redis_families[RF_SENTINEL_SLAVES], v, labels, 2);
	if (info_part_number(line, "sentinels", &v))
		expo_emit(sh->set, &redis_families[RF_SENTINEL_SENTINELS], v, labels, 2);
}

/* ---- Its own parameters ---- */

void sentinel_send_config(struct redis_node *n)
{
	redis_conn_sendz(n->conn, "SENTINEL", "CONFIG", "GET", "*", NULL);
}

void redis_show_sentinel_config(struct redis_shown *sh, const struct resp_reply *reply)
{
	double v;

	for (size_t i = 0; i + 1 < reply->n_items; i += 2) {
		const struct label labels[] = { { STR("key"), reply->items[i]->text }, { STR("value"), reply->items[i + 1]->text } };
		if (redis_is_secret_parameter(labels[0].value))
			continue;
		expo_emit(sh->set, &redis_families[RF_SENTINEL_CONFIG_KEY_VALUE], 1, labels, 2);
		if (info_number(labels[1].value, &v))
			expo_emit(sh->set, &redis_families[RF_SENTINEL_CONFIG_VALUE], v, labels, 1);
	}
}
