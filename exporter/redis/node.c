/* The table of questions, and one scrape of one server. */
#include "redis/node.h"

#include <stdlib.h>

#include "redis/clients.h"
#include "redis/families.h"

void redis_node_init(struct redis_node *n, const struct redis_settings *settings, const struct redis_url *url,
                     struct redis_conn_options options, const struct redis_key_specs *keys, const struct redis_key_specs *streams)
{
	*n = (struct redis_node){ .settings = settings, .own_keys = keys, .own_streams = streams,
		.conn = redis_conn_new(url, options) };
}

void redis_node_fini(struct redis_node *n)
{
	redis_conn_free(n->conn);
	sentinel_fini(&n->sentinel);
	arena_fini(&n->arena);
}

/* ---- What is asked ---- */

static bool always(const struct redis_node *n)
{
	(void)n;
	return true;
}

static bool of_data(const struct redis_node *n)
{
	return !n->facts.sentinel;
}

static bool wants_config(const struct redis_node *n)
{
	return of_data(n) && !str_eq(n->settings->config_command, STR("-"));
}

static bool wants_latency(const struct redis_node *n)
{
	return of_data(n) && n->settings->latency_histograms;
}

static bool wants_histogram(const struct redis_node *n)
{
	return wants_latency(n) && n->facts.histogram;
}

static bool wants_cluster(const struct redis_node *n)
{
	return n->facts.cluster;
}

static bool wants_commandlog(const struct redis_node *n)
{
	return of_data(n) && n->facts.commandlog;
}

static bool wants_clients(const struct redis_node *n)
{
	return of_data(n) && (n->settings->export_client_list || n->settings->client_groups.n > 0);
}

static bool wants_tile38(const struct redis_node *n)
{
	return n->settings->is_tile38;
}

static bool wants_sentinel_config(const struct redis_node *n)
{
	return n->facts.sentinel && n->settings->include_config_metrics;
}

static void send_info(struct redis_node *n)
{
	redis_conn_sendz(n->conn, "INFO", n->settings->include_modules_metrics ? "everything" : "all", NULL);
}

static void send_config(struct redis_node *n)
{
	const struct redis_settings *s = n->settings;
	struct str words[16] = { s->config_command, STR("GET"), STR("databases"), STR("maxclients"), STR("maxmemory"),
	    STR("io-threads"),
		STR("repl-backlog-size"), STR("client-output-buffer-limit") };
	size_t n_words = 8;

	if (n->facts.config_all || s->include_config_metrics) {
		words[2] = STR("*");
		redis_conn_send(n->conn, words, 3);
		return;
	}
	if (n->facts.commandlog)
		words[n_words++] = STR("commandlog-*");
	if (s->include_rdb_file_size) {
		words[n_words++] = STR("dir");
		words[n_words++] = STR("dbfilename");
	}
	redis_conn_send(n->conn, words, n_words);
}

/* What a scrape asks, in this order; `name` as ACL rules have it. The words are asked, unless there is a function. */
static const struct ask_row {
	const char *name;
	bool (*wanted)(const struct redis_node *);
	const char *words[3];
	void (*send)(struct redis_node *);
	void (*show)(struct redis_shown *, const struct resp_reply *);
} asks[ASK_N] = {
	[ASK_INFO] = { "info", always, { NULL }, send_info, redis_show_info },
	[ASK_CONFIG] = { "config|get", wants_config, { NULL }, send_config, redis_show_config },
	[ASK_SLOWLOG_LEN] = { "slowlog|len", of_data, { "SLOWLOG", "LEN" }, NULL, redis_show_slowlog_length },
	[ASK_SLOWLOG_GET] = { "slowlog|get", of_data, { "SLOWLOG", "GET", "1" }, NULL, redis_show_slowlog_entry },
	[ASK_LATENCY_LATEST] = { "latency|latest", wants_latency, { "LATENCY", "LATEST" }, NULL, redis_show_latency_latest },
	[ASK_LATENCY_HISTOGRAM] = { "latency|histogram", wants_histogram, { "LATENCY", "HISTOGRAM" }, NULL,
	    redis_show_latency_histogram },
	[ASK_CLUSTER_INFO] = { "cluster|info", wants_cluster, { "CLUSTER", "INFO" }, NULL, redis_show_cluster_info },
	[ASK_COMMANDLOG_SLOW] = { "commandlog|len", wants_commandlog, { "COMMANDLOG", "LEN", "slow" }, NULL,
	    redis_show_commandlog_slow },
	[ASK_COMMANDLOG_REQUEST] = { "commandlog|len", wants_commandlog, { "COMMANDLOG", "LEN", "large-request" }, NULL,
	                             redis_show_commandlog_request },
	[ASK_COMMANDLOG_REPLY] = { "commandlog|len", wants_commandlog, { "COMMANDLOG", "LEN", "large-reply" }, NULL,
	                           redis_show_commandlog_reply },
	[ASK_CLIENTS] = { "client|list", wants_clients, { "CLIENT", "LIST" }, NULL, redis_show_clients },
	[ASK_TILE38] = { "server", wants_tile38, { "SERVER", "EXT" }, NULL, redis_show_tile38 },
	[ASK_SENTINEL_CONFIG] = { "sentinel|config", wants_sentinel_config, { "SENTINEL", "CONFIG", "GET" }, sentinel_send_config,
	                          redis_show_sentinel_config },
};

void redis_each_ask(const struct redis_settings *settings, void (*each)(void *user, const char *name), void *user)
{
	const struct redis_node n = { .settings = settings, .facts = { .histogram = true } };

	for (enum redis_ask ask = 0; ask < ASK_N; ask++)
		if (asks[ask].wanted(&n))
			each(user, asks[ask].name);
}

static void send_row(struct redis_node *n, const struct ask_row *row)
{
	struct str words[3];
	size_t n_words = 0;

	if (row->send != NULL) {
		row->send(n);
		return;
	}
	while (n_words < ARRAY_LEN(words) && row->words[n_words] != NULL) {
		words[n_words] = str_of(row->words[n_words]);
		n_words++;
	}
	redis_conn_send(n->conn, words, n_words);
}

static void ask_all(struct redis_node *n)
{
	const struct redis_settings *s = n->settings;

	for (enum redis_ask ask = 0; ask < ASK_N; ask++)
		if ((n->sent[ask] = !n->refused[ask] && asks[ask].wanted(n)))
			send_row(n, &asks[ask]);
	n->keys = (struct key_round){ .settings = s, .zero_when_absent = true };
	n->streams = (struct stream_round){ .settings = s };
	if (!n->facts.sentinel) {
		n->keys.specs = n->own_keys->v;
		n->keys.n = n->own_keys->n;
		n->streams.specs = n->own_streams->v;
		n->streams.n = n->own_streams->n;
	}
	if (n->keys.n != 0)
		key_round_ask_types(&n->keys, n->conn, &n->arena);
	if (n->streams.n != 0)
		stream_round_ask(&n->streams, n->conn, &n->arena);
	if (n->facts.sentinel)
		sentinel_ask(&n->sentinel, n->conn);
}

/* ---- Connecting ---- */

static int major_version(struct str version)
{
	int64_t major;

	return str_to_int64((struct str){ version.p, str_chr(version, '.') }, &major) && major > 0 && major < 1000 ? (int)major : 0;
}

static bool at_least_8_1(struct str version)
{
	const int major = major_version(version);

	return major > 8 || (major == 8 && !str_starts(version, STR("8.0.")));
}

/* <text>: INFO server. Valkey has server_mode in place of redis_mode, unless it is told to be like Redis. */
static struct redis_facts find_facts(struct arena *a, struct str text)
{
	struct redis_facts facts = { 0 };
	struct info info;

	info_parse(a, text, &info);
	const struct str redis_mode = info_get(&info, "redis_mode");
	const struct str mode = redis_mode.n > 0 ? redis_mode : info_get(&info, "server_mode");
	facts.sentinel = str_eq(mode, STR("sentinel"));
	facts.cluster = str_eq(mode, STR("cluster"));
	facts.commandlog = at_least_8_1(info_get(&info, "valkey_version"));
	facts.histogram = major_version(info_get(&info, "redis_version")) >= 7;
	facts.config_all = !facts.histogram;
	info_fini(&info);
	return facts;
}

static bool ping(struct redis_node *n, struct redis_wait wait, struct err *e)
{
	const int64_t start_us = clock_mono_us();
	const struct resp_reply *reply;

	redis_conn_sendz(n->conn, "PING", NULL);
	if (!redis_conn_reply(n->conn, &n->arena, wait, &reply, e))
		return err_context(e, "PING");
	n->ping_us = (double)(clock_mono_us() - start_us);
	return true;
}

bool redis_node_connect(struct redis_node *n, struct redis_wait wait, struct err *e)
{
	const struct resp_reply *reply;

	if (!redis_conn_open(n->conn, wait, e))
		return false;
	if (redis_conn_was_kept(n->conn))
		return true;
	memset(n->refused, 0, sizeof n->refused);
	redis_conn_sendz(n->conn, "INFO", "server", NULL);
	if (!redis_conn_reply(n->conn, &n->arena, wait, &reply, e))
		return err_context(e, "info");
	if (reply->type == RESP_ERROR) {
		redis_conn_close(n->conn);
		return err_set(e, ERR_UPSTREAM, -1, "INFO: " STR_FMT, STR_ARG(reply->text));
	}
	n->facts = find_facts(&n->arena, reply->text);
	return true;
}

/* ---- One scrape ---- */

void redis_node_begin(struct redis_node *n)
{
	n->begun = !n->settings->ping_on_connect && redis_conn_keep(n->conn);
	if (!n->begun)
		return;
	ask_all(n);
	redis_conn_push(n->conn);
}

bool redis_node_ask(struct redis_node *n, struct redis_wait wait, struct err *e)
{
	if (n->begun)
		return true;
	if (!redis_node_connect(n, wait, e) || (n->settings->ping_on_connect && !ping(n, wait, e)))
		return false;
	ask_all(n);
	redis_conn_push(n->conn);
	n->begun = true;
	return true;
}

/* An error reply: INFO's means the source is down. CONFIG GET with several names is an error before 7.0: the next scrape asks
 * for all. */
static bool take_refusal(struct redis_node *n, enum redis_ask ask, const struct resp_reply *reply, struct err *e)
{
	if (ask == ASK_INFO)
		return err_set(e, ERR_UPSTREAM, -1, "INFO: " STR_FMT, STR_ARG(reply->text));
	if (ask == ASK_CONFIG && !n->facts.config_all && !redis_reply_is_error(reply, "NOPERM"))
		n->facts.config_all = true;
	else if (!redis_reply_is_error(reply, "LOADING") && !redis_reply_is_error(reply, "BUSY"))
		n->refused[ask] = true;
	return true;
}

static bool read_replies(struct redis_node *n, struct redis_wait wait, struct err *e)
{
	for (enum redis_ask ask = 0; ask < ASK_N; ask++) {
		const struct resp_reply *reply;

		n->replies[ask] = NULL;
		if (!n->sent[ask])
			continue;
		if (!redis_conn_reply(n->conn, &n->arena, wait, &reply, e))
			return err_context(e, "%s", asks[ask].name);
		if (reply->type != RESP_ERROR)
			n->replies[ask] = reply;
		else if (!take_refusal(n, ask, reply, e))
			return false;
	}
	return true;
}

bool redis_node_show(struct redis_node *n, struct redis_wait wait, struct redis_shown *shown, struct err *e)
{
	shown->guess = &n->guess;
	if (!read_replies(n, wait, e))
		return false;
	for (enum redis_ask ask = 0; ask < ASK_N; ask++)
		if (n->replies[ask] != NULL)
			asks[ask].show(shown, n->replies[ask]);
	if (!n->facts.sentinel)
		redis_show_keyspace(shown, n->replies[ASK_CONFIG]);
	return true;
}

bool redis_node_show_further(struct redis_node *n, struct redis_wait wait, struct redis_shown *shown, struct err *e)
{
	return (n->keys.n == 0 || (key_round_read_types(&n->keys, n->conn, &n->arena, wait, e)))
	    && (n->streams.n == 0 || stream_round_read(&n->streams, n->conn, &n->arena, wait, shown->set, e))
	    && (!n->facts.sentinel || sentinel_show(&n->sentinel, n->conn, wait, shown, e))
	    && (n->keys.n == 0 || key_round_finish(&n->keys, n->conn, &n->arena, wait, shown->set, e))
	    && (n->streams.n == 0 || stream_round_finish(&n->streams, n->conn, &n->arena, wait, shown->set, e));
}

void redis_node_end(struct redis_node *n)
{
	n->begun = false;
	arena_reset(&n->arena);
}

void redis_node_show_allowed(const struct redis_node *n, struct expo_set *set)
{
	for (enum redis_ask ask = 0; ask < ASK_N; ask++)
		if (asks[ask].wanted(n) && (ask == 0 || strcmp(asks[ask].name, asks[ask - 1].name) != 0))
			EXPO_EMIT(set, &redis_families[RF_COMMAND_ALLOWED], !n->refused[ask], { STR("command"), str_of(asks[ask].name) });
}
