/* SQL: all queries of a source in one pipeline, each in a read-only transaction of its own. A query may take its share of the time
 * there is; one that takes more, or the connection with it, fails alone. An answer may be good for a while. */
#include <stdlib.h>
#include <string.h>

#include "gauges/columns.h"
#include "postgres/conn.h"
#include "postgres/postgres.h"
#include "tocsin/mem.h"

#define MAX_AGE_MS 600000
#define LOCK_TIMEOUT_MS 1000

/* The last answer to a query that is not asked each time. */
struct kept {
	PGresult *answer;               /* NULL: none */
	int64_t mono_ms;
};

struct sql {
	const struct gauges_settings *settings;
	struct pg_conn *conn;
	struct kept *kept;              /* by query */
};

static void *sql_open(const struct gauges_settings *s)
{
	struct sql *x = mem_alloc(sizeof *x);

	x->settings = s;
	x->kept = mem_alloc((s->queries.n + 1) * sizeof *x->kept);
	x->conn = pg_conn_new(&(struct pg_conn_options){ .title = s->common.title, .url = s->pg != NULL ? s->pg->url : s->url,
	    .statement_timeout_ms = s->common.timeout_ms,
	    .lock_timeout_ms = LOCK_TIMEOUT_MS, .max_age_ms = MAX_AGE_MS });
	return x;
}

static void sql_close(void *state)
{
	struct sql *x = state;

	pg_conn_free(x->conn);
	for (size_t i = 0; i < x->settings->queries.n; i++)
		PQclear(x->kept[i].answer);
	free(x->kept);
	free(x);
}

static const struct gauge_query *query(const struct sql *x, size_t i)
{
	return (const struct gauge_query *)x->settings->queries.v + i;
}

static bool is_fresh(const struct sql *x, size_t i, int64_t mono_ms)
{
	return x->kept[i].answer != NULL && mono_ms - x->kept[i].mono_ms < query(x, i)->columns->keep_ms;
}

static void keep(struct sql *x, size_t i, const PGresult *answer, int64_t mono_ms)
{
	if (query(x, i)->columns == NULL || query(x, i)->columns->keep_ms == 0)
		return;
	PQclear(x->kept[i].answer);
	x->kept[i] = (struct kept){ PQcopyResult(answer, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES), mono_ms };
}

struct asked {
	struct sql *sql;
	struct gauge_round *round;
	int64_t mono_ms;                /* when they were asked */
	const size_t *order;
	size_t answered;                /* of those in <order> */
};

static bool has_field(const PGresult *r, int field, const char *want)
{
	const char *had = PQresultErrorField(r, field);

	return had != NULL && strcmp(had, want) == 0;
}

static void on_reply(void *ctx, size_t k, const struct pg_reply *reply)
{
	struct asked *asked = ctx;
	struct gauge_round *round = asked->round;
	const size_t i = asked->order[k];
	struct err e = { 0 };

	if (has_field(reply->result, PG_DIAG_SEVERITY_NONLOCALIZED, "FATAL"))
		return;                         /* and that is the end of the connection */
	asked->answered = k + 1;
	if (PQresultStatus(reply->result) != PGRES_TUPLES_OK) {
		if (has_field(reply->result, PG_DIAG_SQLSTATE, "57014"))        /* cancelled: its time was up */
			gauge_round_suspect(round, i);
		if (PQresultStatus(reply->result) == PGRES_FATAL_ERROR)
			pg_result_error(reply->result, &e);
		else
			err_set(&e, ERR_BAD_INPUT, -1, "the statement returns no rows");
	} else {
		keep(asked->sql, i, reply->result, asked->mono_ms);
		gauge_columns_take(round, i, reply->result);
		return;
	}
	gauge_round_fail(round, i, &e);
}

/* What one query may take: half of the time, so that after a slow one the others have their turn; of a single one nearly all, so
 * that the server answers before we leave. Rounded, for the session is told when it changes. */
static int64_t share_ms(const struct source_ask *ask, size_t n)
{
	int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock), share = n > 1 ? left / 2 : left - left / 20;
	int64_t step = share >= 500 ? 50 : 10;

	return share >= step ? share / step * step : step;
}

static void ignore_reply(void *ctx, size_t k, const struct pg_reply *reply)
{
	(void)ctx;
	(void)k;
	(void)reply;
}

static bool run(struct sql *x, const struct source_ask *ask, const struct pg_query *sql, size_t n, pg_on_reply *take, void *ctx,
                struct err *e)
{
	if (pg_conn_run(x->conn, ask, sql, n, take, ctx, e))
		return true;
	if (!pg_conn_was_cut(x->conn))
		return false;
	*e = (struct err){ 0 };
	return pg_conn_open(x->conn, ask, e) && pg_conn_run(x->conn, ask, sql, n, take, ctx, e);
}

static bool ask_due(struct sql *x, const struct source_ask *ask, struct asked *asked, size_t n, struct err *e)
{
	struct gauge_round *round = asked->round;
	struct pg_query *sql = ARENA_ARRAY(expo_set_arena(round->out), n, struct pg_query);

	if (n == 0)                             /* whether the server answers is asked each time */
		return run(x, ask, &(struct pg_query){ "SELECT", .alone = true }, 1, ignore_reply, NULL, e);
	for (size_t i = 0; i < n; i++)
		sql[i] = (struct pg_query){ query(x, asked->order[i])->sql.p, .alone = true };
	if (run(x, ask, sql, n, on_reply, asked, e))
		return true;
	if (e->code == ERR_CANCELED || asked->answered == n)
		return e->code != ERR_CANCELED;
	if (e->code == ERR_LIMIT && asked->answered == 0)
		gauge_round_fail(round, asked->order[0], e);
	return gauge_round_break(round, asked->order, n, asked->answered, e);
}

static bool sql_ask(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e)
{
	struct sql *x = state;
	const size_t n = x->settings->queries.n;
	const int64_t now = clock_mono_ms(ask->clock);
	size_t *order = ARENA_ARRAY(expo_set_arena(round->out), n, size_t), due = 0;
	struct asked asked = { x, round, now, order, 0 };

	gauge_round_order(round, order);
	for (size_t i = 0; i < n; i++)
		if (!is_fresh(x, order[i], now))
			order[due++] = order[i];
	pg_conn_limit_statements(x->conn, share_ms(ask, due));
	if (!pg_conn_open(x->conn, ask, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_fresh(x, i, now))
			gauge_columns_take(round, i, x->kept[i].answer);
	return ask_due(x, ask, &asked, due, e);
}

const struct gauge_backend gauge_sql = { "sql", sql_open, sql_ask, sql_close };
