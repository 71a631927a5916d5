/* One server and what a scrape asks it: all questions leave in one pipeline over a connection that stays, all answers are read
 * before the first is shown, so a server that fails half-way shows nothing.
 *
 * What a connection was refused is not asked again on it: an ACL without CONFIG costs an entry of its log every ten minutes, not
 * one a scrape. What a server is (Sentinel, member of a cluster, its version) is asked when a connection is made. */
#ifndef TOCSIN_REDIS_NODE_H
#define TOCSIN_REDIS_NODE_H

#include "redis/conn.h"
#include "redis/keys.h"
#include "redis/sentinel.h"
#include "redis/show.h"
#include "redis/streams.h"

enum redis_ask {
	ASK_INFO,
	ASK_CONFIG,
	ASK_SLOWLOG_LEN,
	ASK_SLOWLOG_GET,
	ASK_LATENCY_LATEST,
	ASK_LATENCY_HISTOGRAM,
	ASK_CLUSTER_INFO,
	ASK_COMMANDLOG_SLOW,
	ASK_COMMANDLOG_REQUEST,
	ASK_COMMANDLOG_REPLY,
	ASK_CLIENTS,
	ASK_TILE38,
	ASK_SENTINEL_CONFIG,
	ASK_N,
};

/* What the server said when the connection was made. */
struct redis_facts {
	bool sentinel, cluster;
	bool commandlog;                /* Valkey from 8.1 on */
	bool histogram;                 /* LATENCY HISTOGRAM: from 7.0 on */
	bool config_all;                /* CONFIG GET takes one pattern only: before 7.0 */
};

struct redis_node {
	const struct redis_settings *settings;
	struct redis_conn *conn;
	struct arena arena;             /* of one scrape */
	struct redis_facts facts;
	struct info_guess guess;
	bool refused[ASK_N];            /* on this connection */
	bool sent[ASK_N];               /* in the scrape under way */
	bool begun;                     /* the questions of the scrape under way have left */
	const struct redis_key_specs *own_keys, *own_streams;   /* read in each scrape */
	const struct resp_reply *replies[ASK_N];
	struct key_round keys;
	struct stream_round streams;
	struct sentinel sentinel;
	double ping_us;                 /* 0: not asked */
};

/* Pointers are borrowed for the node's life; what they point to may change between scrapes. Connects nothing. */
void redis_node_init(struct redis_node *n, const struct redis_settings *settings, const struct redis_url *url,
                     struct redis_conn_options options, const struct redis_key_specs *keys, const struct redis_key_specs *streams);
void redis_node_fini(struct redis_node *n);

/* Sends the questions if that can be done without waiting. */
void redis_node_begin(struct redis_node *n);
/* Makes sure of a connection that knows what its server is. */
bool redis_node_connect(struct redis_node *n, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Sends the questions unless they have left already. */
bool redis_node_ask(struct redis_node *n, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Reads the answers and shows them. */
bool redis_node_show(struct redis_node *n, struct redis_wait wait, struct redis_shown *shown, struct err *e) MUST_CHECK;
/* Behind that: keys, streams, a Sentinel's masters. Some of it takes more than the one trip. */
bool redis_node_show_further(struct redis_node *n, struct redis_wait wait, struct redis_shown *shown, struct err *e) MUST_CHECK;
/* Behind a scrape, whatever became of it. */
void redis_node_end(struct redis_node *n);
/* redis_exporter_command_allowed of each command. */
void redis_node_show_allowed(const struct redis_node *n, struct expo_set *set);

/* Each command of a scrape with these settings, by the name ACL rules have for it. */
void redis_each_ask(const struct redis_settings *settings, void (*each)(void *user, const char *name), void *user);

#endif
