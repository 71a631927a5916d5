/* SQL: all queries of a source in one pipeline, each in a read-only transaction of its own. Columns are found by name. */
#include <stdlib.h>

#include "gauges/rows.h"
#include "postgres/conn.h"
#include "postgres/postgres.h"
#include "tocsin/mem.h"

#define MAX_AGE_MS 600000
#define LOCK_TIMEOUT_MS 1000

struct sql {
	const struct gauges_settings *settings;
	struct pg_conn *conn;
};

static void *sql_open(const struct gauges_settings *s)
{
	struct sql *x = mem_alloc(sizeof *x);

	x->settings = s;
	x->conn = pg_conn_new(&(struct pg_conn_options){ .url = s->pg != NULL ? s->pg->url : s->url,
	    .statement_timeout_ms = s->common.timeout_ms,
	    .lock_timeout_ms = LOCK_TIMEOUT_MS, .max_age_ms = MAX_AGE_MS });
	return x;
}

static void sql_close(void *state)
{
	struct sql *x = state;

	pg_conn_free(x->conn);
	free(x);
}

static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const PGresult *r = rows->data;
	int row = (int)i, column = -1;

	(void)a;
	for (int c = 0; column < 0 && c < PQnfields(r); c++)
		if (str_eq(str_of(PQfname(r, c)), key))
			column = c;
	if (column < 0)
		return (struct cell){ .kind = CELL_ABSENT };
	if (PQgetisnull(r, row, column))
		return (struct cell){ .kind = CELL_NULL };
	return (struct cell){ .kind = CELL_TEXT, .text = { PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) } };
}

/* A column that is missing altogether is a mistake in the configuration, not a NULL. */
static bool has_columns(const PGresult *r, const struct gauge_query *q, struct err *e)
{
	const struct gauge_metric *metrics = q->metrics.v;

	for (size_t m = 0; m < q->metrics.n; m++)
		for (size_t l = metrics[m].is_info ? 1 : 0; l <= metrics[m].labels.n; l++) {
			struct str want = l == 0 ? metrics[m].value : metrics[m].labels.v[l - 1].value;
			bool found = false;

			for (int c = 0; c < PQnfields(r); c++)
				found |= str_eq(str_of(PQfname(r, c)), want);
			if (!found)
				return err_set(e, ERR_BAD_INPUT, -1, "no column \"" STR_FMT "\" in the result", STR_ARG(want));
		}
	return true;
}

struct asked {
	struct gauge_round *round;
	size_t next;                    /* behind the last that was answered */
};

static void on_reply(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct asked *asked = ctx;
	struct gauge_round *round = asked->round;
	const struct gauge_query *q = (const struct gauge_query *)round->settings->queries.v + i;
	struct gauge_rows rows = { .get = get, .data = reply->result };
	struct err e = { 0 };

	asked->next = i + 1;
	if (PQresultStatus(reply->result) != PGRES_TUPLES_OK) {
		if (PQresultStatus(reply->result) == PGRES_FATAL_ERROR)
			pg_result_error(reply->result, &e);
		else
			err_set(&e, ERR_BAD_INPUT, -1, "the statement returns no rows");
	} else if (has_columns(reply->result, q, &e)) {
		rows.n = (size_t)PQntuples(reply->result);
		gauge_round_take(round, i, &rows);
		return;
	}
	gauge_round_fail(round, i, &e);
}

static bool sql_ask(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e)
{
	struct sql *x = state;
	const struct gauge_query *queries = x->settings->queries.v;
	struct asked asked = { round, 0 };
	struct pg_query *sql = ARENA_ARRAY(expo_set_arena(round->out), x->settings->queries.n, struct pg_query);

	for (size_t i = 0; i < x->settings->queries.n; i++)
		sql[i] = (struct pg_query){ queries[i].sql.p, .alone = true };
	if (!pg_conn_open(x->conn, ask, e))
		return false;
	if (pg_conn_run(x->conn, ask, sql, x->settings->queries.n, on_reply, &asked, e))
		return true;
	if (e->code == ERR_LIMIT && asked.next < x->settings->queries.n)
		gauge_round_fail(round, asked.next, e);
	return false;
}

const struct gauge_backend gauge_sql = { "sql", sql_open, sql_ask, sql_close };
