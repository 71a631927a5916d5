/* XINFO replies are flat lists of names and values. What a server does not know (the lag of a group that was moved by hand) is
 * left out: a zero would look healthy. */
#include "redis/streams.h"

#include "redis/families.h"
#include "redis/info.h"
#include "redis/select.h"

#define GROUPS_MAX 1000         /* of one stream */

static struct db_walk walk_begin(const struct stream_round *r, struct redis_conn *c)
{
	return db_walk_begin(c, r->settings->endpoint.url.db);
}

void stream_round_ask(struct stream_round *r, struct redis_conn *c, struct arena *a)
{
	struct db_walk w = walk_begin(r, c);

	r->is_stream = ARENA_ARRAY(a, r->n, bool);
	for (size_t i = 0; i < r->n; i++) {
		db_walk_send(&w, r->specs[i].db);
		redis_conn_send(c, (struct str[]){ STR("TYPE"), r->specs[i].key }, 2);
	}
	db_walk_send(&w, r->settings->endpoint.url.db);
}

bool stream_round_read(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct expo_set *set,
                       struct err *e)
{
	struct db_walk w = walk_begin(r, c);

	for (size_t i = 0; i < r->n; i++) {
		const struct resp_reply *type;

		if (!db_walk_read(&w, r->specs[i].db, a, wait, e) || !redis_conn_reply(c, a, wait, &type, e))
			return false;
		if (w.lost || type->type != RESP_STATUS)
			continue;
		r->is_stream[i] = str_eq(type->text, STR("stream"));
		if (str_eq(type->text, STR("none")))
			EXPO_EMIT(set, &redis_families[RF_STREAM_LENGTH], 0, { STR("db"), str_of(r->specs[i].label) },
			          { STR("stream"), r->specs[i].key });
	}
	return db_walk_read(&w, r->settings->endpoint.url.db, a, wait, e);
}

/* ---- Reading ---- */

static const struct resp_reply *field(const struct resp_reply *pairs, const char *name)
{
	for (size_t i = 0; i + 1 < pairs->n_items; i += 2)
		if (str_eq(pairs->items[i]->text, str_of(name)))
			return pairs->items[i + 1];
	return NULL;
}

/* An id is "<milliseconds>-<number>"; an entry is [id, fields]. */
static bool number_of(const struct resp_reply *v, double *out)
{
	if (v == NULL)
		return false;
	if (v->type == RESP_ARRAY)
		return v->n_items > 0 && number_of(v->items[0], out);
	if (v->type == RESP_INTEGER) {
		*out = (double)v->integer;
		return true;
	}
	return v->type == RESP_STRING && info_number((struct str){ v->text.p, str_chr(v->text, '-') }, out);
}

struct row {
	const char *field;
	enum redis_family family;
	double divisor;
	bool or_zero;           /* an empty stream has no first entry */
};

static void show_rows(struct expo_set *set, const struct row *rows, size_t n_rows, const struct resp_reply *pairs,
    const struct label *labels,
                      size_t n)
{
	for (size_t i = 0; i < n_rows; i++) {
		const struct resp_reply *value = field(pairs, rows[i].field);
		double v = 0;

		if (number_of(value, &v) || (value != NULL && rows[i].or_zero))
			expo_emit(set, &redis_families[rows[i].family], v / rows[i].divisor, labels, n);
	}
}

static void show_stream(struct expo_set *set, const struct resp_reply *pairs, const struct label *labels)
{
	static const struct row rows[] = {
		{ "length", RF_STREAM_LENGTH, 1, false }, { "radix-tree-keys", RF_STREAM_RADIX_KEYS, 1, false },
		{ "radix-tree-nodes", RF_STREAM_RADIX_NODES, 1, false }, { "groups", RF_STREAM_GROUPS, 1, false },
		{ "last-generated-id", RF_STREAM_LAST_GENERATED, 1, false }, { "max-deleted-entry-id", RF_STREAM_MAX_DELETED, 1, false },
		{ "first-entry", RF_STREAM_FIRST_ENTRY, 1, true }, { "last-entry", RF_STREAM_LAST_ENTRY, 1, true },
		{ "entries-added", RF_STREAM_ENTRIES_ADDED, 1, false },
	};

	show_rows(set, rows, ARRAY_LEN(rows), pairs, labels, 2);
}

static void show_group(struct expo_set *set, const struct resp_reply *pairs, const struct label *labels)
{
	static const struct row rows[] = {
		{ "consumers", RF_GROUP_CONSUMERS, 1, false }, { "pending", RF_GROUP_PENDING, 1, false },
		{ "last-delivered-id", RF_GROUP_LAST_DELIVERED, 1, false }, { "entries-read", RF_GROUP_ENTRIES_READ, 1, false },
		{ "lag", RF_GROUP_LAG, 1, false },
	};

	show_rows(set, rows, ARRAY_LEN(rows), pairs, labels, 3);
}

static void show_consumers(struct stream_round *r, struct expo_set *set, const struct resp_reply *list, struct label *labels)
{
	static const struct row rows[] = {
		{ "pending", RF_CONSUMER_PENDING, 1, false }, { "idle", RF_CONSUMER_IDLE, 1e3, false },
	};

	for (size_t i = 0; i < list->n_items && r->n_consumers < (size_t)r->settings->max_stream_consumers; i++) {
		const struct resp_reply *name = field(list->items[i], "name");

		if (name == NULL)
			continue;
		labels[3] = (struct label){ STR("consumer"), name->text };
		show_rows(set, rows, ARRAY_LEN(rows), list->items[i], labels, 4);
		r->n_consumers++;
	}
}

/* ---- The trips ---- */

struct group {
	size_t stream;
	struct str name;
};

static bool read_streams(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait,
    struct expo_set *set,
                         struct group **groups, size_t *n_groups, struct err *e)
{
	struct db_walk w = walk_begin(r, c);
	size_t cap = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct label stream[] = { { STR("db"), str_of(r->specs[i].label) }, { STR("stream"), r->specs[i].key } };
		const struct resp_reply *info, *list;

		if (!r->is_stream[i])
			continue;
		if (!db_walk_read(&w, r->specs[i].db, a, wait, e) || !redis_conn_reply(c, a, wait, &info, e)
		    || !redis_conn_reply(c, a, wait, &list, e))
			return false;
		if (w.lost)
			continue;
		show_stream(set, info, stream);
		for (size_t k = 0; k < list->n_items && k < GROUPS_MAX; k++) {
			const struct resp_reply *name = field(list->items[k], "name");
			if (name == NULL)
				continue;
			show_group(set, list->items[k], (struct label[]){ stream[0], stream[1], { STR("group"), name->text } });
			*groups = arena_grow(a, *groups, *n_groups, &cap, *n_groups + 1, sizeof **groups);
			(*groups)[(*n_groups)++] = (struct group){ i, name->text };
		}
	}
	return db_walk_read(&w, r->settings->endpoint.url.db, a, wait, e);
}

static bool trip_consumers(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait,
    struct expo_set *set,
                           const struct group *groups, size_t n, struct err *e)
{
	struct db_walk w = walk_begin(r, c);
	const struct resp_reply *list;

	for (size_t i = 0; i < n; i++) {
		const struct redis_key_spec *spec = &r->specs[groups[i].stream];
		db_walk_send(&w, spec->db);
		redis_conn_send(c, (struct str[]){ STR("XINFO"), STR("CONSUMERS"), spec->key, groups[i].name }, 4);
	}
	db_walk_send(&w, r->settings->endpoint.url.db);
	w = walk_begin(r, c);
	for (size_t i = 0; i < n; i++) {
		const struct redis_key_spec *spec = &r->specs[groups[i].stream];
		struct label labels[4] = { { STR("db"), str_of(spec->label) }, { STR("stream"), spec->key }, { STR("group"),
		    groups[i].name } };

		if (!db_walk_read(&w, spec->db, a, wait, e) || !redis_conn_reply(c, a, wait, &list, e))
			return false;
		if (!w.lost)
			show_consumers(r, set, list, labels);
	}
	return db_walk_read(&w, r->settings->endpoint.url.db, a, wait, e);
}

bool stream_round_finish(struct stream_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait,
    struct expo_set *set,
                         struct err *e)
{
	struct db_walk w = walk_begin(r, c);
	struct group *groups = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!r->is_stream[i])
			continue;
		db_walk_send(&w, r->specs[i].db);
		redis_conn_send(c, (struct str[]){ STR("XINFO"), STR("STREAM"), r->specs[i].key }, 3);
		redis_conn_send(c, (struct str[]){ STR("XINFO"), STR("GROUPS"), r->specs[i].key }, 3);
	}
	db_walk_send(&w, r->settings->endpoint.url.db);
	if (!read_streams(r, c, a, wait, set, &groups, &n, e))
		return false;
	return r->settings->streams_exclude_consumer_metrics || trip_consumers(r, c, a, wait, set, groups, n, e);
}
