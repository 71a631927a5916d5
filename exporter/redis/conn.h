/* A connection to a Redis server: TCP, unix socket or TLS, never blocking beyond the deadline of each call. Commands are queued
 * with redis_conn_send and leave together when the first reply is asked for: a pipeline is one round trip.
 *
 * One thread uses a connection. Whatever fails (refused, too slow, garbage, over a limit) closes it; the next redis_conn_open
 * makes a new one. SIGPIPE must be ignored by the program. */
#ifndef TOCSIN_REDIS_CONN_H
#define TOCSIN_REDIS_CONN_H

#include "redis/resp.h"
#include "redis/stream.h"

struct redis_conn;

struct redis_conn_options {
	struct resp_limits limits;
	const char *client_name;        /* CLIENT SETNAME */
	int64_t max_age_ms;             /* open() replaces an older connection; 0: never */
};
#define REDIS_CONN_OPTIONS_DEFAULT \
	((struct redis_conn_options){ .limits = RESP_LIMITS_DEFAULT, .client_name = "tocsin_exporter", .max_age_ms = 600000 })

/* Connects nothing. <url> and what the options name are borrowed for the connection's life. */
struct redis_conn *redis_conn_new(const struct redis_url *url, struct redis_conn_options options);
void redis_conn_free(struct redis_conn *c);

/* Makes sure of a connection that has answered AUTH, CLIENT SETNAME and SELECT. An open one is kept, unless it is too old, the
 * server has hung up, or replies were left unread. */
bool redis_conn_open(struct redis_conn *c, struct redis_wait wait, struct err *e) MUST_CHECK;
/* The same as far as it goes without waiting: false when there is no connection that could be kept. */
bool redis_conn_keep(struct redis_conn *c) MUST_CHECK;
void redis_conn_close(struct redis_conn *c);
bool redis_conn_is_open(const struct redis_conn *c);
/* To poll for input; -1: not open. */
int redis_conn_fd(const struct redis_conn *c);
/* True when the last redis_conn_open kept the connection it had. */
bool redis_conn_was_kept(const struct redis_conn *c);
/* True when the last failure was that a connection that had been kept ended before it answered anything: somebody cut it while it
 * was idle, and a new one may do. */
bool redis_conn_was_cut(const struct redis_conn *c);
/* Time the last connect and handshake took. */
int64_t redis_conn_connect_us(const struct redis_conn *c);

/* Queues a command. Dropped when the connection is not open: the reply then fails. */
void redis_conn_send(struct redis_conn *c, const struct str *argv, size_t n);
/* The same for words that are C strings, NULL behind the last: redis_conn_sendz(c, "INFO", "all", NULL). */
void redis_conn_sendz(struct redis_conn *c, const char *word, ...) __attribute__((sentinel));
/* SELECT <db> was refused: a server that lacks it need not be asked, and count an error, at every scrape. Kept for the
 * connection's life; redis_conn_refuses() says so of all that is sent, and read, from the next batch on. */
void redis_conn_note_refused(struct redis_conn *c, int db);
bool redis_conn_refuses(struct redis_conn *c, int db);
/* Sends what is queued as far as that goes without waiting; the rest leaves when a reply is asked for. */
void redis_conn_push(struct redis_conn *c);
/* The reply to the oldest unanswered command, in <a>. An error reply is a reply (RESP_ERROR): true. */
bool redis_conn_reply(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **out,
                      struct err *e) MUST_CHECK;

/* For subscriptions: what the server sends of its own accord. ERR_TIMEOUT leaves the connection open: a message may have come in
 * half, so call again with the same <a>, not reset. */
bool redis_conn_message(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **out,
                        struct err *e) MUST_CHECK;

/* Whether an error reply begins with the word <code>: "NOPERM", "LOADING". */
bool redis_reply_is_error(const struct resp_reply *reply, const char *code);

#endif
