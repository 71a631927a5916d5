/* The Redis source: one pipelined round trip a scrape over a connection that stays. What the server refuses is asked again only
 * on the next connection, so that an ACL without CONFIG costs one entry of its log every ten minutes, not one a scrape. */
#include "redis/redis.h"

#include <stdlib.h>

#include "redis/conn.h"
#include "redis/families.h"
#include "redis/keys.h"
#include "redis/scan.h"
#include "redis/show.h"
#include "tocsin/mem.h"

enum ask { ASK_INFO, ASK_CONFIG, ASK_SLOWLOG_LEN, ASK_SLOWLOG_GET, ASK_LATENCY_LATEST, ASK_LATENCY_HISTOGRAM, ASK_CLUSTER_INFO,
          ASK_N };

struct redis_state {
	const struct redis_settings *settings;
	struct redis_conn *conn;
	struct arena arena;                     /* of one scrape */
	bool refused[ASK_N];                    /* on this connection */
	bool sent[ASK_N];                       /* of the scrape under way */
	bool begun;                             /* begin() has sent them */
	bool config_all;                        /* CONFIG GET takes one pattern only (before 7.0) */
	bool is_cluster;                        /* as of the last INFO */
	struct key_round keys;
	double scrapes, seconds;                /* of all scrapes */
};

static void *open_source(const void *settings, const struct clock *clock)
{
	struct redis_state *s = mem_alloc(sizeof *s);

	(void)clock;
	s->settings = settings;
	s->conn = redis_conn_new(&s->settings->endpoint.url, REDIS_CONN_OPTIONS_DEFAULT);
	return s;
}

static void close_source(void *state)
{
	struct redis_state *s = state;

	redis_conn_free(s->conn);
	arena_fini(&s->arena);
	free(s);
}

static struct str describe(struct arena *a, const void *settings)
{
	const struct redis_settings *s = settings;

	return redis_url_describe(a, &s->endpoint.url);
}

static void run(void *state, struct source_loop *loop)
{
	const struct redis_state *s = state;

	redis_scan_run(s->settings, loop);
}

/* ---- One scrape ---- */

static bool always(const struct redis_state *s)
{
	(void)s;
	return true;
}

static bool wants_config(const struct redis_state *s)
{
	return !str_eq(s->settings->config_command, STR("-"));
}

static bool wants_latency(const struct redis_state *s)
{
	return s->settings->latency_histograms;
}

static bool wants_cluster(const struct redis_state *s)
{
	return s->is_cluster;
}

static void send_info(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "INFO", s->settings->include_modules_metrics ? "everything" : "all", NULL);
}

static void send_config(struct redis_state *s)
{
	const struct str command = s->settings->config_command;
	const struct str some[] = { command, STR("GET"), STR("databases"), STR("maxclients"), STR("maxmemory"), STR("io-threads"),
		STR("repl-backlog-size"), STR("client-output-buffer-limit") };
	const struct str all[] = { command, STR("GET"), STR("*") };

	if (s->config_all || s->settings->include_config_metrics)
		redis_conn_send(s->conn, all, ARRAY_LEN(all));
	else
		redis_conn_send(s->conn, some, ARRAY_LEN(some));
}

static void send_slowlog_len(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "SLOWLOG", "LEN", NULL);
}

static void send_slowlog_get(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "SLOWLOG", "GET", "1", NULL);
}

static void send_latency_latest(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "LATENCY", "LATEST", NULL);
}

static void send_latency_histogram(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "LATENCY", "HISTOGRAM", NULL);
}

static void send_cluster_info(struct redis_state *s)
{
	redis_conn_sendz(s->conn, "CLUSTER", "INFO", NULL);
}

/* What a scrape asks, in this order; `name` as ACL rules have it. */
static const struct ask_row {
	const char *name;
	bool (*wanted)(const struct redis_state *);
	void (*send)(struct redis_state *);
	void (*show)(struct redis_shown *, const struct resp_reply *);
} asks[ASK_N] = {
	[ASK_INFO] = { "info", always, send_info, redis_show_info },
	[ASK_CONFIG] = { "config|get", wants_config, send_config, redis_show_config },
	[ASK_SLOWLOG_LEN] = { "slowlog|len", always, send_slowlog_len, redis_show_slowlog_length },
	[ASK_SLOWLOG_GET] = { "slowlog|get", always, send_slowlog_get, redis_show_slowlog_entry },
	[ASK_LATENCY_LATEST] = { "latency|latest", wants_latency, send_latency_latest, redis_show_latency_latest },
	[ASK_LATENCY_HISTOGRAM] = { "latency|histogram", wants_latency, send_latency_histogram, redis_show_latency_histogram },
	[ASK_CLUSTER_INFO] = { "cluster|info", wants_cluster, send_cluster_info, redis_show_cluster_info },
};

/* An error reply: INFO's means the source is down. CONFIG GET with several names is an error before 7.0: the next scrape asks
 * for all. */
static bool take_refusal(struct redis_state *s, enum ask ask, const struct resp_reply *reply, struct err *e)
{
	if (ask == ASK_INFO)
		return err_set(e, ERR_UPSTREAM, -1, "INFO: " STR_FMT, STR_ARG(reply->text));
	if (ask == ASK_CONFIG && !s->config_all && !redis_reply_is_error(reply, "NOPERM"))
		s->config_all = true;
	else if (!redis_reply_is_error(reply, "LOADING") && !redis_reply_is_error(reply, "BUSY"))
		s->refused[ask] = true;
	return true;
}

static bool read_replies(struct redis_state *s, struct redis_wait wait, struct redis_shown *shown, struct err *e)
{
	const struct resp_reply *config = NULL, *reply;

	for (enum ask ask = 0; ask < ASK_N; ask++) {
		if (!s->sent[ask])
			continue;
		if (!redis_conn_reply(s->conn, &s->arena, wait, &reply, e))
			return err_context(e, "%s", asks[ask].name);
		if (reply->type == RESP_ERROR) {
			if (!take_refusal(s, ask, reply, e))
				return false;
			continue;
		}
		if (ask == ASK_CONFIG)
			config = reply;
		asks[ask].show(shown, reply);
	}
	redis_show_keyspace(shown, config);
	s->is_cluster = str_eq(info_get(&shown->info, "cluster_enabled"), STR("1"));
	return true;
}

static void ask_all(struct redis_state *s)
{
	for (enum ask ask = 0; ask < ASK_N; ask++)
		if ((s->sent[ask] = !s->refused[ask] && asks[ask].wanted(s)))
			asks[ask].send(s);
	s->keys = (struct key_round){ .settings = s->settings, .specs = s->settings->check_single_keys.v,
		.n = s->settings->check_single_keys.n, .zero_when_absent = true };
	if (s->keys.n != 0)
		key_round_ask_types(&s->keys, s->conn, &s->arena);
}

/* Where a connection stands, the questions leave at once; else collect() connects. */
static void begin(void *state, const struct source_ask *ask)
{
	struct redis_state *s = state;

	(void)ask;
	s->begun = redis_conn_keep(s->conn);
	if (!s->begun)
		return;
	ask_all(s);
	redis_conn_push(s->conn);
}

static bool scrape(struct redis_state *s, struct redis_wait wait, struct redis_shown *shown, struct err *e)
{
	if (!s->begun) {
		if (!redis_conn_open(s->conn, wait, e))
			return false;
		if (!redis_conn_was_kept(s->conn))
			memset(s->refused, 0, sizeof s->refused);
		ask_all(s);
	}
	return read_replies(s, wait, shown, e)
	    && (s->keys.n == 0 || (key_round_read_types(&s->keys, s->conn, &s->arena, wait, e)
	                           && key_round_finish(&s->keys, s->conn, &s->arena, wait, shown->set, e)));
}

static void show_self(struct redis_state *s, struct expo_set *set, int64_t took_us)
{
	const double seconds = (double)took_us * 1e-6;

	s->scrapes++;
	s->seconds += seconds;
	for (enum ask ask = 0; ask < ASK_N; ask++)
		if (asks[ask].wanted(s))
			EXPO_EMIT(set, &redis_families[RF_COMMAND_ALLOWED], !s->refused[ask], { STR("command"), str_of(asks[ask].name) });
	EXPO_EMIT0(set, &redis_families[RF_SCRAPE_ERROR], 0);
	EXPO_EMIT0(set, &redis_families[RF_SCRAPE_DURATION], seconds);
	EXPO_EMIT0(set, &redis_families[RF_CONNECT_TIME], (double)redis_conn_connect_us(s->conn) * 1e-6);
	EXPO_EMIT0(set, &redis_families[RF_SCRAPES], s->scrapes);
	expo_emit_summary(set, &redis_families[RF_SCRAPE_DURATIONS], NULL, NULL, 0, s->seconds, s->scrapes, NULL, 0);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct redis_state *s = state;
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	struct redis_shown shown = { .settings = s->settings, .set = out, .arena = &s->arena,
		.now_ms = clock_now_ms(ask->clock) };
	const int64_t start_us = clock_mono_us();
	const bool ok = scrape(s, wait, &shown, e);

	s->begun = false;
	if (ok)
		show_self(s, out, clock_mono_us() - start_us);
	info_fini(&shown.info);
	arena_reset(&s->arena);
	return ok;
}

void redis_each_ask(const struct redis_settings *settings, void (*each)(void *user, const char *name), void *user)
{
	const struct redis_state s = { .settings = settings, .is_cluster = true };

	for (enum ask ask = 0; ask < ASK_N; ask++)
		if (asks[ask].wanted(&s))
			each(user, asks[ask].name);
}

const struct source_kind redis_source_kind = {
	.name = "redis",
	.up_family = "redis_up",
	.up_help = "1: the server answered the last scrape.",
	.env = "REDIS_URL",
	.table = &redis_settings_table,
	.describe = describe,
	.explain = redis_explain,
	.nodes = redis_nodes,
	.open = open_source,
	.begin = begin,
	.collect = collect,
	.run = run,
	.close = close_source,
};
