/* SQL: all queries of a source in one pipeline, each in a read-only transaction of its own. Columns are found by name. A query may
 * take its share of the time there is; one that takes more, or the connection with it, fails alone. */
#include <stdlib.h>
#include <string.h>

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
	const struct gauge_query *q = (const struct gauge_query *)round->settings->queries.v + i;
	struct gauge_rows rows = { .get = get, .data = reply->result };
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
	} else if (has_columns(reply->result, q, &e)) {
		rows.n = (size_t)PQntuples(reply->result);
		gauge_round_take(round, i, &rows);
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

static bool sql_ask(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e)
{
	struct sql *x = state;
	const size_t n = x->settings->queries.n;
	const struct gauge_query *queries = x->settings->queries.v;
	struct arena *a = expo_set_arena(round->out);
	size_t *order = ARENA_ARRAY(a, n, size_t);
	struct pg_query *sql = ARENA_ARRAY(a, n, struct pg_query);
	struct asked asked = { round, order, 0 };

	gauge_round_order(round, order);
	for (size_t i = 0; i < n; i++)
		sql[i] = (struct pg_query){ queries[order[i]].sql.p, .alone = true };
	pg_conn_limit_statements(x->conn, share_ms(ask, n));
	if (!pg_conn_open(x->conn, ask, e))
		return false;
	if (pg_conn_run(x->conn, ask, sql, n, on_reply, &asked, e))
		return true;
	if (e->code == ERR_CANCELED || asked.answered == n)
		return e->code != ERR_CANCELED;
	if (e->code == ERR_LIMIT && asked.answered == 0)
		gauge_round_fail(round, order[0], e);
	return gauge_round_break(round, order, asked.answered, e);
}

const struct gauge_backend gauge_sql = { "sql", sql_open, sql_ask, sql_close };
