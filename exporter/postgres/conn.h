/* A connection to a Postgres server over libpq that never blocks: names are resolved aside, connecting and reading are polled
 * with the caller's deadline, statements go out in one pipeline. One thread uses a connection.
 *
 * It is kept between calls and replaced by age; after a failure it is closed and the next attempt waits (1 s, 2 s, … 8 s; meanwhile
 * the last failure is answered at once). A statement under way when the deadline passes is cancelled on the server. */
#ifndef TOCSIN_POSTGRES_CONN_H
#define TOCSIN_POSTGRES_CONN_H

#include <libpq-fe.h>

#include "source.h"

struct pg_conn;

struct pg_conn_options {
	const char *title;              /* under which the log has, once, what the server warns of; NULL: nowhere */
	struct str url;                 /* URI or "key=value …"; borrowed for the connection's life */
	const char *database;           /* in place of the url's; NULL: that; borrowed */
	int64_t statement_timeout_ms, lock_timeout_ms;
	int64_t max_age_ms;
	const char *search_path;        /* NULL: the role's own */
	bool prepare;                   /* statements are prepared when first run and parsed no more: for a fixed set of them */
};

/* Whether libpq can read <url>. The message holds nothing of it, for it may hold a password. */
bool pg_url_check(struct str url, struct err *e);
/* "host:port/database" of <url>, without user and password. In <a>. */
struct str pg_url_describe(struct arena *a, struct str url);

struct pg_conn *pg_conn_new(const struct pg_conn_options *o);
void pg_conn_free(struct pg_conn *c);

/* Makes sure of a connection whose session is set up. <ask->clock> must be clock_system. */
bool pg_conn_open(struct pg_conn *c, const struct source_ask *ask, struct err *e) MUST_CHECK;
/* What one statement may take, from the next pg_conn_run() on. */
void pg_conn_limit_statements(struct pg_conn *c, int64_t timeout_ms);
/* Ordinal of the connection in use: changes when it was made anew. */
uint64_t pg_conn_generation(const struct pg_conn *c);
int pg_conn_version(const struct pg_conn *c);           /* server_version_num */
struct str pg_conn_server(const struct pg_conn *c);     /* "host:port" */

struct pg_query {
	const char *sql;
	bool alone;                     /* in a transaction of its own: what is known to fail, what is not ours */
};

/* Result of statement <i>, each once; valid during the call. An error result is a result (PQresultStatus). <took_us> since the
 * one before. */
struct pg_reply {
	const PGresult *result;
	int64_t took_us;
};
typedef void pg_on_reply(void *ctx, size_t i, const struct pg_reply *reply);

/* Runs <n> statements in one round trip, neighbours in one transaction, which spares the server a good part of the work. When one
 * fails, those behind it in its transaction are asked again in a second round trip, each alone. False and <e> when the connection
 * failed, a reply was too long, a statement was a COPY or the deadline passed; it is closed then. */
bool pg_conn_run(struct pg_conn *c, const struct source_ask *ask, const struct pg_query *q, size_t n, pg_on_reply *on_reply,
                 void *ctx, struct err *e) MUST_CHECK;

/* True when the last pg_conn_run() failed because a connection that had been kept ended before it answered anything: somebody cut it
 * while it was idle, and a new one, which need not be waited for, may do. */
bool pg_conn_was_cut(const struct pg_conn *c);

/* SQLSTATEs that say the server cannot do this at all (privilege, missing object or feature), as opposed to not now. */
bool pg_sqlstate_is_unsupported(const char *sqlstate);
/* Puts the primary message of an error result into <e>. */
bool pg_result_error(const PGresult *result, struct err *e);

#endif
