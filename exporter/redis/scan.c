/* Connections of its own, opened for each round and closed behind it. */
#include "redis/scanner.h"

#include <stdio.h>

#include "redis/cluster.h"
#include "redis/families.h"
#include "redis/keys.h"
#include "redis/streams.h"
#include "tocsin/map.h"

#define PORTION_TEXT "1000"
#define REPLY_MS 10000          /* one SCAN call of a portion takes a busy server milliseconds */

static struct redis_wait reply_wait(struct source_loop *loop)
{
	return (struct redis_wait){ clock_mono_ms(&clock_system) + REPLY_MS, source_loop_stop_fd(loop) };
}

struct str redis_pattern_of(struct arena *a, struct str text)
{
	char *out = arena_alloc(a, 2 * text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (strchr("*?[]\\", text.p[i]) != NULL)
			out[n++] = '\\';
		out[n++] = text.p[i];
	}
	return (struct str){ out, n };
}

bool redis_scan_portion(struct redis_conn *c, struct str pattern, struct redis_wait wait, struct arena *a, struct str *cursor,
                        const struct resp_reply **keys, struct err *e)
{
	const struct str argv[] = { STR("SCAN"), *cursor, STR("COUNT"), STR(PORTION_TEXT), STR("MATCH"), pattern };
	const struct resp_reply *reply;

	redis_conn_send(c, argv, pattern.n != 0 ? 6 : 4);
	if (!redis_conn_reply(c, a, wait, &reply, e))
		return err_context(e, "SCAN");
	if (reply->type == RESP_ERROR)
		return err_set(e, ERR_UPSTREAM, -1, "SCAN: " STR_FMT, STR_ARG(reply->text));
	if (reply->n_items != 2 || reply->items[0]->type != RESP_STRING)
		return err_set(e, ERR_UPSTREAM, -1, "SCAN: not a cursor and keys");
	*cursor = reply->items[0]->text;
	*keys = reply->items[1];
	return true;
}

bool redis_scan_pass(const struct redis_scan *s, redis_scan_each *each, void *user, struct err *e)
{
	const int64_t start_ms = clock_mono_ms(&clock_system);
	struct arena a = { 0 };
	char held[32] = "0";            /* the cursor, while the arena is reset */
	int64_t passed = 0;
	bool ok = true;

	do {
		struct str cursor = str_of(held);
		const struct resp_reply *keys;

		arena_reset(&a);
		ok = redis_scan_portion(s->conn, s->pattern, reply_wait(s->loop), &a, &cursor, &keys, e);
		if (ok && cursor.n >= sizeof held)
			ok = err_set(e, ERR_UPSTREAM, -1, "SCAN: cursor of more than %zu digits", sizeof held - 1);
		if (ok)
			snprintf(held, sizeof held, STR_FMT, STR_ARG(cursor));
		ok = ok && each(user, &a, keys, e);
		passed += REDIS_SCAN_PORTION;
		if (ok && strcmp(held, "0") != 0 && !source_loop_wait(s->loop, start_ms + passed * 1000 / s->keys_per_second))
			ok = err_set(e, ERR_CANCELED, -1, "stopped");
	} while (ok && strcmp(held, "0") != 0);
	arena_fini(&a);
	return ok;
}

/* ---- The task "keys" ---- */

struct redis_wait redis_scanner_wait(const struct redis_scanner *s)
{
	return reply_wait(s->loop);
}

bool redis_scanner_select(struct redis_scanner *s, int db, struct err *e)
{
	const struct resp_reply *reply;
	char text[16];

	snprintf(text, sizeof text, "%d", db);
	redis_conn_sendz(s->conn, "SELECT", text, NULL);
	if (!redis_conn_reply(s->conn, &s->arena, reply_wait(s->loop), &reply, e))
		return false;
	return reply->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, "SELECT %d: " STR_FMT, db, STR_ARG(reply->text));
}

/* A database the server lacks costs the others nothing: <*refused>, and the round goes on. */
static bool enter(struct redis_scanner *s, int db, bool *refused, struct err *e)
{
	struct err own = { 0 };

	*refused = false;
	if (redis_scanner_select(s, db, &own))
		return true;
	*refused = redis_conn_is_open(s->conn);
	*(*refused ? &s->refused : e) = own;
	return *refused;
}

static bool scan_spec(struct redis_scanner *s, const struct redis_key_spec *spec, redis_scan_each *each, void *user, bool *refused,
                      struct err *e)
{
	const struct redis_scan scan = { s->conn, s->loop, s->settings->scan_keys_per_second, spec->key };

	return enter(s, spec->db, refused, e) && (*refused || redis_scan_pass(&scan, each, user, e));
}

static bool count_portion(void *user, struct arena *a, const struct resp_reply *keys, struct err *e)
{
	size_t *count = user;

	(void)a;
	(void)e;
	*count += keys->n_items;
	return true;
}

static bool count_keys(struct redis_scanner *s, struct err *e)
{
	for (size_t i = 0; i < s->settings->count_keys.n; i++) {
		const struct redis_key_spec *spec = &s->settings->count_keys.v[i];
		bool refused = false;
		size_t count = 0;

		for (size_t k = 0; redis_scanner_turn(s, k) && !refused; k++)
			if (!scan_spec(s, spec, count_portion, &count, &refused, e))
				return false;
		if (!refused)
			EXPO_EMIT(s->set, &redis_families[RF_KEYS_COUNT], (double)count, { STR("db"), str_of(spec->label) }, { STR("key"),
			    spec->key });
	}
	return true;
}

struct found_keys {
	struct redis_scanner *scanner;
	const struct redis_key_spec *spec;
	const struct redis_key_specs *single;   /* shown by each scrape: a page must not have them twice */
	struct map seen;                /* of this pattern */
	struct redis_key_spec *v;
	size_t n;
	bool cut;
};

static bool is_single(const struct found_keys *f, struct str key)
{
	for (size_t i = 0; i < f->single->n; i++)
		if (f->single->v[i].db == f->spec->db && str_eq(f->single->v[i].key, key))
			return true;
	return false;
}

static void keep_key(struct found_keys *f, struct str key)
{
	if (map_get(&f->seen, key) != NULL || is_single(f, key))
		return;
	if (f->n == (size_t)f->scanner->settings->max_keys) {
		f->cut = true;
		return;
	}
	f->v[f->n] = *f->spec;
	f->v[f->n].key = arena_str(&f->scanner->arena, key);
	map_put(&f->seen, f->v[f->n].key, &f->v[f->n]);
	f->n++;
}

static bool keep_portion(void *user, struct arena *a, const struct resp_reply *keys, struct err *e)
{
	(void)a;
	(void)e;
	for (size_t i = 0; i < keys->n_items; i++)
		keep_key(user, keys->items[i]->text);
	return true;
}

static bool find_keys(struct redis_scanner *s, const struct redis_key_specs *patterns, struct found_keys *f, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; ok && i < patterns->n; i++) {
		bool refused;

		f->spec = &patterns->v[i];
		ok = scan_spec(s, f->spec, keep_portion, f, &refused, e);
		map_fini(&f->seen);
		f->seen = (struct map){ 0 };
	}
	return ok && redis_scanner_select(s, s->settings->endpoint.url.db, e);
}

/* What was found on this server, <from> there on. */
static bool show_keys(struct redis_scanner *s, const struct found_keys *f, size_t from, struct err *e)
{
	struct key_round round = { .settings = s->settings, .specs = f->v + from, .n = f->n - from };

	key_round_ask_types(&round, s->conn, &s->arena);
	return key_round_read_types(&round, s->conn, &s->arena, redis_scanner_wait(s), e)
	    && key_round_finish(&round, s->conn, &s->arena, redis_scanner_wait(s), s->set, e);
}

static bool show_streams(struct redis_scanner *s, const struct found_keys *f, size_t from, struct err *e)
{
	struct stream_round round = { .settings = s->settings, .specs = f->v + from, .n = f->n - from };

	stream_round_ask(&round, s->conn, &s->arena);
	return stream_round_read(&round, s->conn, &s->arena, redis_scanner_wait(s), s->set, e)
	    && stream_round_finish(&round, s->conn, &s->arena, redis_scanner_wait(s), s->set, e);
}

static bool check(struct redis_scanner *s, const struct redis_key_specs *patterns, const struct redis_key_specs *single,
                  enum redis_family cut, bool (*show)(struct redis_scanner *, const struct found_keys *, size_t, struct err *),
                  struct err *e)
{
	struct found_keys found = { .scanner = s, .single = single };

	if (patterns->n == 0)
		return true;
	found.v = ARENA_ARRAY(&s->arena, (size_t)s->settings->max_keys, struct redis_key_spec);
	for (size_t i = 0; redis_scanner_turn(s, i); i++) {
		const size_t from = found.n;
		if (!find_keys(s, patterns, &found, e) || !show(s, &found, from, e))
			return false;
	}
	EXPO_EMIT0(s->set, &redis_families[cut], found.cut);
	return true;
}

/* ---- Databases of keys that each scrape reads ---- */

static bool has_other(const struct redis_settings *settings, const struct redis_key_specs *single)
{
	for (size_t i = 0; i < single->n; i++)
		if (single->v[i].db != settings->endpoint.url.db)
			return true;
	return false;
}

bool redis_scan_tries_databases(const struct redis_settings *settings)
{
	return has_other(settings, &settings->check_single_keys) || has_other(settings, &settings->check_single_streams);
}

static bool try_databases(struct redis_scanner *s, struct err *e)
{
	const struct redis_key_specs *const single[] = { &s->settings->check_single_keys, &s->settings->check_single_streams };
	bool refused;

	for (size_t k = 0; k < ARRAY_LEN(single); k++)
		for (size_t i = 0; i < single[k]->n; i++)
			if (!enter(s, single[k]->v[i].db, &refused, e))
				return false;
	return true;
}

/* ---- A round ---- */

bool redis_scanner_turn(struct redis_scanner *s, size_t i)
{
	if (i >= s->n_conns)
		return false;
	s->conn = s->conns[i];
	return true;
}

/* Of a cluster, a shard without a master costs the others nothing: it is left out, and said to be. */
static bool open_all(struct redis_scanner *s, struct err *e)
{
	const struct redis_url *own = &s->settings->endpoint.url;
	struct redis_urls urls = { &own, 1, 0 };

	if (s->cluster != NULL)
		urls = cluster_masters(s->cluster, redis_scanner_wait(s), &s->arena);
	s->conns = ARENA_ARRAY(&s->arena, urls.n, struct redis_conn *);
	s->missing = urls.missing;
	for (size_t i = 0; i < urls.n; i++) {
		struct redis_conn *c = redis_conn_new(urls.v[i], REDIS_CONN_OPTIONS_DEFAULT);
		struct err failed = { 0 };

		if (redis_conn_open(c, redis_scanner_wait(s), &failed)) {
			s->conns[s->n_conns++] = c;
			continue;
		}
		redis_conn_free(c);
		*e = failed;
		s->missing++;
		if (failed.code == ERR_CANCELED)
			return false;
	}
	if (s->n_conns == 0)
		return e->code == ERR_NONE && err_set(e, ERR_UPSTREAM, -1, "no master of the cluster is known");
	*e = (struct err){ 0 };
	if (s->cluster != NULL)
		EXPO_EMIT0(s->set, &redis_families[RF_SHARDS_MISSING], (double)s->missing);
	return true;
}

static bool do_all(struct redis_scanner *s, struct err *e)
{
	const struct redis_settings *settings = s->settings;

	return open_all(s, e) && count_keys(s, e)
	    && check(s, &settings->check_keys, &settings->check_single_keys, RF_KEYS_CUT, show_keys, e)
	    && check(s, &settings->check_streams, &settings->check_single_streams, RF_STREAMS_CUT, show_streams, e)
	    && redis_scan_groups(s, e)
	    && redis_scanner_turn(s, 0) && redis_scan_search(s, e) && redis_scan_scripts(s, e)
	    && (!redis_scan_tries_databases(settings) || try_databases(s, e));
}

/* What of a round that went well could not be told. */
static void publish_part(struct redis_scanner *s, const char *part, const struct err *e)
{
	source_loop_publish(s->loop, part, s->settings->scan_interval_ms, e->code == ERR_NONE ? expo_set_new() : NULL, e);
}

static bool scan_once(struct redis_scanner *s)
{
	const int64_t start_us = clock_mono_us();
	struct err e = { 0 };

	s->set = expo_set_new();
	s->refused = s->no_search = e;
	if (do_all(s, &e)) {
		EXPO_EMIT0(s->set, &redis_families[RF_SCAN_DURATION], (double)(clock_mono_us() - start_us) * 1e-6);
	} else {
		expo_set_unref(s->set);
		s->set = NULL;
	}
	if (e.code != ERR_CANCELED)
		source_loop_publish(s->loop, "keys", s->settings->scan_interval_ms, s->set, &e);
	if (e.code == ERR_NONE)
		publish_part(s, "databases", &s->refused);
	if (e.code == ERR_NONE && s->settings->include_search_indexes_metrics)
		publish_part(s, "search", &s->no_search);
	for (size_t i = 0; i < s->n_conns; i++)
		redis_conn_free(s->conns[i]);
	s->n_conns = 0;
	arena_reset(&s->arena);
	return e.code == ERR_NONE;
}

void redis_scan_run(const struct redis_settings *settings, struct cluster *cluster, struct source_loop *loop)
{
	struct redis_scanner s = { .settings = settings, .cluster = cluster, .loop = loop };
	bool go_on = true;

	if (settings->count_keys.n + settings->check_keys.n + settings->check_streams.n + settings->scripts.n == 0
	    && settings->check_key_groups == NULL && !settings->include_search_indexes_metrics
	    && !redis_scan_tries_databases(settings))
		return;
	while (go_on) {
		const int64_t began_ms = clock_mono_ms(&clock_system);
		const bool ok = scan_once(&s);
		go_on = source_loop_wait(loop, source_loop_due(loop, began_ms, settings->scan_interval_ms, ok));
	}
	arena_fini(&s.arena);
}
