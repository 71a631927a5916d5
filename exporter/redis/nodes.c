/* The nodes of a Redis Cluster, for service discovery: CLUSTER NODES over a connection that ends with it. Failed nodes are told too: who
 * watches them wants to know that they are down. */
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
	    { STR("__meta_tocsin_failed"), line.has_failed ? STR("1") : STR("0") }, { STR("__meta_tocsin_hostname"), line.hostname } }, 4);
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
