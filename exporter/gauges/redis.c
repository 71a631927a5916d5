/* Redis commands, pipelined. A reply that is one value is one row with the column "value"; of an array each element is a row, of
 * a flat list of pairs (`rows: pairs`, HGETALL) each pair; "@key" is the position or the name. */
#include <stdlib.h>

#include "gauges/rows.h"
#include "redis/conn.h"
#include "redis/settings.h"
#include "tocsin/mem.h"

/* Commands that end, change or hold up the connection all queries share; with a second word: anywhere behind it. */
static const struct {
	const char *command, *word;
} unfit[] = {
	{ "ASKING", NULL }, { "AUTH", NULL }, { "BLMOVE", NULL }, { "BLMPOP", NULL }, { "BLPOP", NULL }, { "BRPOP", NULL },
	{ "BRPOPLPUSH", NULL }, { "BZMPOP", NULL }, { "BZPOPMAX", NULL }, { "BZPOPMIN", NULL }, { "CLIENT", "CACHING" },
	{ "CLIENT", "NO-EVICT" }, { "CLIENT", "NO-TOUCH" }, { "CLIENT", "PAUSE" }, { "CLIENT", "REPLY" }, { "CLIENT", "SETNAME" },
	{ "CLIENT", "TRACKING" }, { "DEBUG", "SLEEP" }, { "DISCARD", NULL }, { "EXEC", NULL }, { "HELLO", NULL }, { "MONITOR", NULL },
	{ "MULTI", NULL }, { "PSUBSCRIBE", NULL }, { "PSYNC", NULL }, { "PUNSUBSCRIBE", NULL }, { "QUIT", NULL },
	{ "READONLY", NULL }, { "READWRITE", NULL }, { "REPLCONF", NULL }, { "RESET", NULL }, { "SELECT", NULL },
	{ "SHUTDOWN", NULL }, { "SSUBSCRIBE", NULL }, { "SUBSCRIBE", NULL }, { "SUNSUBSCRIBE", NULL }, { "SYNC", NULL },
	{ "UNSUBSCRIBE", NULL }, { "UNWATCH", NULL }, { "WAIT", NULL }, { "WAITAOF", NULL }, { "WATCH", NULL },
	{ "XREAD", "BLOCK" }, { "XREADGROUP", "BLOCK" },
};

static bool has_word(const struct conf_strs *command, const char *word)
{
	bool has = word == NULL;

	for (size_t i = 1; i < command->n; i++)
		has |= word != NULL && str_eq_nocase(command->v[i], str_of(word));
	return has;
}

bool gauge_command_check(const struct conf_strs *command, struct err *e)
{
	for (size_t i = 0; command->n > 0 && i < ARRAY_LEN(unfit); i++) {
		const char *word = unfit[i].word;

		if (str_eq_nocase(command->v[0], str_of(unfit[i].command)) && has_word(command, word))
			return err_set(e, ERR_BAD_INPUT, -1, "%s%s%s is no query: it would change, hold up or end the connection that the "
			               "other queries use (a database is chosen in the URL of the source under redis)", unfit[i].command,
			               word != NULL ? " " : "", word != NULL ? word : "");
	}
	return true;
}

struct commands {
	const struct gauges_settings *settings;
	struct redis_conn *conn;
};

static void *commands_open(const struct gauges_settings *s)
{
	struct commands *x = mem_alloc(sizeof *x);

	x->settings = s;
	x->conn = redis_conn_new(&s->redis_source->endpoint.url, REDIS_CONN_OPTIONS_DEFAULT);
	return x;
}

static void commands_close(void *state)
{
	struct commands *x = state;

	redis_conn_free(x->conn);
	free(x);
}

struct reply_rows {
	const struct resp_reply *reply;
	bool pairs;
};

static struct cell reply_cell(const struct resp_reply *reply, struct arena *a)
{
	switch (reply->type) {
	case RESP_INTEGER:
		return cell_of_integer(reply->integer, a);
	case RESP_STRING:
	case RESP_STATUS:
		return (struct cell){ .kind = CELL_TEXT, .text = reply->text };
	case RESP_NIL:
		return (struct cell){ .kind = CELL_NULL };
	case RESP_ARRAY:
	case RESP_ERROR:
		break;
	}
	return (struct cell){ .kind = CELL_LIST };
}

static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const struct reply_rows *x = rows->data;
	bool is_key = str_eq(key, STR("@key"));

	if (!is_key && !str_eq(key, STR("value")))
		return (struct cell){ .kind = CELL_ABSENT };
	if (x->pairs)
		return reply_cell(x->reply->items[2 * i + !is_key], a);
	if (is_key)
		return cell_of_integer((int64_t)i, a);
	return reply_cell(x->reply->type == RESP_ARRAY ? x->reply->items[i] : x->reply, a);
}

static void take(struct gauge_round *round, size_t i, const struct resp_reply *reply)
{
	const struct gauge_query *q = (const struct gauge_query *)round->settings->queries.v + i;
	const struct reply_rows x = { reply, str_eq(q->rows, STR("pairs")) };
	struct gauge_rows rows = { .n = 1, .get = get, .data = &x };
	struct err e = { 0 };

	if (reply->type == RESP_ARRAY)
		rows.n = x.pairs ? reply->n_items / 2 : reply->n_items;
	if (reply->type == RESP_ERROR)
		err_set(&e, ERR_UPSTREAM, -1, "%.*s", reply->text.n > 200 ? 200 : (int)reply->text.n, reply->text.p);
	else if (x.pairs && reply->type != RESP_ARRAY)
		err_set(&e, ERR_BAD_INPUT, -1, "the reply is no list: `rows: pairs` wants one");
	if (e.code != ERR_NONE)
		gauge_round_fail(round, i, &e);
	else
		gauge_round_take(round, i, &rows);
}

static bool ask_in(struct commands *x, struct redis_wait wait, struct gauge_round *round, const size_t *order, struct err *e)
{
	const size_t n = x->settings->queries.n;
	const struct gauge_query *queries = x->settings->queries.v;

	if (!redis_conn_open(x->conn, wait, e))
		return false;
	for (size_t i = 0; i < n; i++)
		redis_conn_send(x->conn, queries[order[i]].command.v, queries[order[i]].command.n);
	for (size_t i = 0; i < n; i++) {
		const struct resp_reply *reply;

		if (!redis_conn_reply(x->conn, expo_set_arena(round->out), wait, &reply, e))
			return !redis_conn_was_cut(x->conn) && e->code != ERR_CANCELED && gauge_round_break(round, order, n, i, e);
		take(round, order[i], reply);
	}
	return true;
}

static bool commands_ask(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e)
{
	struct commands *x = state;
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	size_t *order = ARENA_ARRAY(expo_set_arena(round->out), x->settings->queries.n, size_t);

	gauge_round_order(round, order);
	if (ask_in(x, wait, round, order, e))
		return true;
	if (!redis_conn_was_cut(x->conn))
		return false;
	*e = (struct err){ 0 };
	return ask_in(x, wait, round, order, e);
}

const struct gauge_backend gauge_redis = { "command", commands_open, commands_ask, commands_close };
