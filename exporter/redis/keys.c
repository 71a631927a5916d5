/* When SELECT is refused, what follows it is of another database and is thrown away. */
#include "redis/keys.h"

#include <math.h>

#include "redis/families.h"
#include "redis/select.h"

#define VALUE_MAX 128           /* bytes of a value that are looked at */
#define VALUE_LAST "127"

struct key_type {
	const char *name, *size_command;
};

static const struct key_type types[] = {
	{ "string", "STRLEN" }, { "list", "LLEN" }, { "set", "SCARD" }, { "zset", "ZCARD" }, { "hash", "HLEN" }, { "stream", "XLEN" },
};

struct key_state {
	const struct key_type *type;    /* NULL: absent, refused, or of a module's type */
	bool absent;
	double memory;                  /* NaN: unknown */
};

static struct db_walk walk_begin(const struct key_round *r, struct redis_conn *c)
{
	return db_walk_begin(c, r->settings->endpoint.url.db);
}

void key_round_ask_types(struct key_round *r, struct redis_conn *c, struct arena *a)
{
	struct db_walk w = walk_begin(r, c);

	r->states = ARENA_ARRAY(a, r->n, struct key_state);
	for (size_t i = 0; i < r->n; i++) {
		db_walk_send(&w, r->specs[i].db);
		redis_conn_send(c, (struct str[]){ STR("TYPE"), r->specs[i].key }, 2);
		redis_conn_send(c, (struct str[]){ STR("MEMORY"), STR("USAGE"), r->specs[i].key }, 3);
	}
	db_walk_send(&w, r->settings->endpoint.url.db);
}

static void take_type(struct key_state *s, const struct resp_reply *type, const struct resp_reply *memory)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (type->type == RESP_STATUS && str_eq(type->text, str_of(types[i].name)))
			s->type = &types[i];
	s->absent = type->type == RESP_STATUS && str_eq(type->text, STR("none"));
	s->memory = memory->type == RESP_INTEGER ? (double)memory->integer : NAN;
}

bool key_round_read_types(struct key_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct err *e)
{
	struct db_walk w = walk_begin(r, c);

	for (size_t i = 0; i < r->n; i++) {
		const struct resp_reply *type, *memory;

		if (!db_walk_read(&w, r->specs[i].db, a, wait, e) || !redis_conn_reply(c, a, wait, &type, e)
		    || !redis_conn_reply(c, a, wait, &memory, e))
			return false;
		if (!w.lost)
			take_type(&r->states[i], type, memory);
	}
	return db_walk_read(&w, r->settings->endpoint.url.db, a, wait, e);
}

/* ---- The second trip ---- */

static bool wants_value(const struct key_round *r, const struct key_state *s)
{
	return s->type == &types[0] && (r->settings->key_values || r->settings->key_values_as_string);
}

static void ask_sizes(const struct key_round *r, struct redis_conn *c)
{
	struct db_walk w = walk_begin(r, c);

	for (size_t i = 0; i < r->n; i++) {
		const struct key_state *s = &r->states[i];
		if (s->type == NULL)
			continue;
		db_walk_send(&w, r->specs[i].db);
		redis_conn_send(c, (struct str[]){ str_of(s->type->size_command), r->specs[i].key }, 2);
		if (wants_value(r, s))
			redis_conn_send(c, (struct str[]){ STR("GETRANGE"), r->specs[i].key, STR("0"), STR(VALUE_LAST) }, 4);
	}
	db_walk_send(&w, r->settings->endpoint.url.db);
}

/* 0x10 is somebody's text. */
static bool is_number(struct str value, double *v)
{
	return str_chr(value, 'x') == value.n && str_chr(value, 'X') == value.n && str_to_double(value, v) && isfinite(*v);
}

/* Nothing of the value was cut off: the beginning of a number is another number. */
static bool is_whole(const struct resp_reply *size, struct str value)
{
	return size != NULL && size->type == RESP_INTEGER ? size->integer <= (int64_t)value.n : value.n < VALUE_MAX;
}

static void emit_value(const struct key_round *r, struct expo_set *set, struct str value, bool whole, const struct label *labels)
{
	const struct label with_value[] = { labels[0], labels[1], { STR("val"), value } };
	double v;

	if (whole && is_number(value, &v)) {
		if (r->settings->key_values)
			expo_emit(set, &redis_families[RF_KEY_VALUE], v, labels, 2);
	} else if (r->settings->key_values_as_string) {
		expo_emit(set, &redis_families[RF_KEY_VALUE_TEXT], 1, with_value, 3);
	}
}

static void emit_key(const struct key_round *r, size_t i, const struct resp_reply *size, const struct resp_reply *value,
                     struct expo_set *set)
{
	const struct key_state *s = &r->states[i];
	const struct label labels[] = { { STR("db"), str_of(r->specs[i].label) }, { STR("key"), r->specs[i].key } };

	if (size != NULL && size->type == RESP_INTEGER)
		expo_emit(set, &redis_families[RF_KEY_SIZE], (double)size->integer, labels, 2);
	else if (s->absent && r->zero_when_absent)
		expo_emit(set, &redis_families[RF_KEY_SIZE], 0, labels, 2);
	if (s->type != NULL && !isnan(s->memory))
		expo_emit(set, &redis_families[RF_KEY_MEMORY], s->memory, labels, 2);
	if (value != NULL && value->type == RESP_STRING)
		emit_value(r, set, value->text, is_whole(size, value->text), labels);
}

bool key_round_finish(struct key_round *r, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct expo_set *set,
                      struct err *e)
{
	struct db_walk w = walk_begin(r, c);

	ask_sizes(r, c);
	for (size_t i = 0; i < r->n; i++) {
		const struct resp_reply *size = NULL, *value = NULL;
		const struct key_state *s = &r->states[i];

		if (s->type != NULL && (!db_walk_read(&w, r->specs[i].db, a, wait, e) || !redis_conn_reply(c, a, wait, &size, e)))
			return false;
		if (wants_value(r, s) && !redis_conn_reply(c, a, wait, &value, e))
			return false;
		emit_key(r, i, w.lost ? NULL : size, w.lost ? NULL : value, set);
	}
	return db_walk_read(&w, r->settings->endpoint.url.db, a, wait, e);
}
