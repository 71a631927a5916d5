/* The nodes of a Redis Cluster, for service discovery: CLUSTER NODES over a connection that ends with it. Failed nodes are told
 * too: who watches them wants to know that they are down. */
#include "redis/cluster.h"
#include "redis/redis.h"

static void take_line(struct arena *a, struct str text, const struct redis_url *url, source_node *node, void *user)
{
	struct cluster_line line;

	if (!cluster_read_line(text, &line) || !line.has_address)
		return;
	if (line.host.n == 0)           /* it knows no address of its own: it is where we found it */
		line.host = str_of(url->host != NULL ? url->host : "localhost");
	node(user, cluster_address(a, line.host, line.port), (const struct label[]){ { STR("__meta_tocsin_node"), line.id },
	    { STR("__meta_tocsin_role"), line.is_master ? STR("master") : STR("slave") },
	    { STR("__meta_tocsin_failed"), line.has_failed ? STR("1")
	        : STR("0") }, { STR("__meta_tocsin_hostname"), line.hostname } }, 4);
}

static bool ask_url(const struct redis_url *url, const struct source_ask *ask, source_node *node, void *user, struct err *e)
{
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	struct redis_conn *conn = redis_conn_new(url, REDIS_CONN_OPTIONS_DEFAULT);
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
			take_line(&a, line, url, node, user);
	redis_conn_free(conn);
	arena_fini(&a);
	return ok;
}

/* Half of the time that is left: who is silent leaves some for the next. */
static struct source_ask part_of(const struct source_ask *ask)
{
	const int64_t now = clock_mono_ms(ask->clock);

	return (struct source_ask){ now + (ask->deadline_mono_ms - now) / 2, ask->stop_fd, ask->clock };
}

/* Any node knows all. Only one that answers calls <node>. */
bool redis_nodes(const void *settings, struct source_nodes known, const struct source_ask *ask, source_node *node, void *user,
                 struct err *e)
{
	const struct redis_settings *s = settings;
	struct source_ask part = part_of(ask);
	bool ok = ask_url(&s->endpoint.url, known.n > 0 ? &part : ask, node, user, e);

	for (size_t i = 0; !ok && e->code != ERR_CANCELED && i < known.n && clock_mono_ms(ask->clock) < ask->deadline_mono_ms; i++) {
		struct redis_url url = s->endpoint.url, place;
		struct arena a = { 0 };
		struct err ignored = { 0 };

		part = part_of(ask);
		if (redis_url_parse(&a, known.v[i], &place, &ignored)) {
			url.socket_path = NULL;
			url.host = place.host;
			url.port = place.port;
			ok = ask_url(&url, &part, node, user, &ignored);
		}
		if (ignored.code == ERR_CANCELED)
			*e = ignored;
		arena_fini(&a);
	}
	return ok;
}
