/* The nodes of a Redis Cluster, for service discovery: CLUSTER NODES over a connection that ends with it. Failed nodes are told too: who
 * watches them wants to know that they are down. */
#include "redis/conn.h"
#include "redis/redis.h"
#include "redis/settings.h"

/* Up to the next space. */
static struct str next_word(struct str *line)
{
	struct str word;

	if (!str_cut(line, ' ', &word))
		return STR("");
	return word;
}

static bool has_flag(struct str flags, struct str flag)
{
	struct str word;

	while (str_cut(&flags, ',', &word))
		if (str_eq(word, flag))
			return true;
	return false;
}

/* "10.0.0.7:6379@16379,name" as "10.0.0.7:6379"; a node that knows no address of its own is where we found it. */
static struct str address_of(struct arena *a, struct str text, const struct redis_url *url, struct str *name)
{
	struct str port, host, rest = text;
	size_t colon;

	*name = STR("");
	text.n = str_chr(rest, ',');
	if (text.n < rest.n) {
		*name = str_between(rest.p + text.n + 1, rest.p + rest.n);
		name->n = str_chr(*name, ',');
	}
	text.n = str_chr(text, '@');
	for (colon = text.n; colon > 0 && text.p[colon - 1] != ':'; )
		colon--;
	if (colon == 0)
		return STR("");
	host = colon > 1 ? (struct str){ text.p, colon - 1 } : str_of(url->host != NULL ? url->host : "localhost");
	port = str_between(text.p + colon, text.p + text.n);
	return arena_printf(a, str_chr(host, ':') < host.n ? "[" STR_FMT "]:" STR_FMT : STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(port));
}

static void take_line(struct arena *a, struct str line, const struct redis_url *url, source_node *node, void *user)
{
	struct str id = next_word(&line), address = next_word(&line), flags = next_word(&line), name;
	const bool primary = has_flag(flags, STR("master"));

	if (has_flag(flags, STR("noaddr")) || has_flag(flags, STR("handshake")))
		return;
	address = address_of(a, address, url, &name);
	if (address.n == 0)
		return;
	node(user, address, (const struct label[]){ { STR("__meta_tocsin_node"), id }, { STR("__meta_tocsin_role"),
	    primary ? STR("master") : STR("slave") }, { STR("__meta_tocsin_failed"), has_flag(flags, STR("fail")) ? STR("1") : STR("0") },
	    { STR("__meta_tocsin_hostname"), name } }, 4);
}

bool redis_nodes(const void *settings, const struct source_ask *ask, source_node *node, void *user, struct err *e)
{
	const struct redis_settings *s = settings;
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	struct redis_conn *conn = redis_conn_new(&s->endpoint.url, REDIS_CONN_OPTIONS_DEFAULT);
	const struct resp_reply *reply;
	struct arena a = { 0 };
	struct str text, line;
	bool ok = redis_conn_open(conn, wait, e);

	if (ok) {
		redis_conn_sendz(conn, "CLUSTER", "NODES", NULL);
		ok = redis_conn_reply(conn, &a, wait, &reply, e);
	}
	if (ok && reply->type != RESP_STRING)
		ok = err_set(e, ERR_UPSTREAM, -1, "CLUSTER NODES: " STR_FMT, STR_ARG(reply->text));
	text = ok ? reply->text : STR("");
	while (str_cut(&text, '\n', &line))
		if (line.n > 0)
			take_line(&a, line, &s->endpoint.url, node, user);
	redis_conn_free(conn);
	arena_fini(&a);
	return ok;
}
