/* Every `slow_interval`. Other databases than the url's are read one after the other, each over a connection that lasts as long: so
 * a source never holds more than three. A size function waits for whoever holds (or is waiting for) an exclusive lock on its
 * relation, and makes others wait behind it: so each table is a statement of its own under lock_timeout, and one that is locked is
 * left out alone. */
#include "postgres/sizes.h"

#include "postgres/conn.h"
#include "postgres/plan.h"

#define ROUND_MS 60000                  /* what one round may take */
#define STATEMENT_MS 20000
#define DATABASES_MAX 200

static const struct expo_family table_size_family = {
	"pg_stat_user_tables_table_size_bytes", EXPO_GAUGE, "Disk space of the table, TOAST included, indexes not.", "bytes" };
static const struct expo_family index_size_family = {
	"pg_stat_user_tables_index_size_bytes", EXPO_GAUGE, "Disk space of the table's indexes.", "bytes" };

static const struct expo_family database_family = {
	"tocsin_postgres_database_read", EXPO_GAUGE, "Whether a database besides the url's could be read last time.", NULL };
static const struct expo_family left_out_family = {
	"tocsin_postgres_databases_left_out", EXPO_GAUGE, "Databases beyond the limit of 200 besides the url's, not read.", NULL };

void pg_sizes_families(source_family *family, void *user)
{
	family(user, &table_size_family);
	family(user, &index_size_family);
}

struct round {
	const struct pg_settings *settings;
	const char *name;               /* NULL: no complaints; a metric says what failed */
	struct pg_conn *conn;
	struct pg_plan plan;
	struct pg_plan_item **asked;
	const struct source_ask *ask;
	struct expo_set *out;           /* its arena holds what lives for the round */
	int64_t now_ms;
	struct err refused;             /* an error result where one is an outage */
	struct pg_extension *extensions;
	size_t n_extensions;
	struct pg_query *tables;
	size_t n_tables;
	const char **databases;         /* besides the url's */
	size_t n_databases;
};

static struct str copy_field(struct arena *a, const PGresult *r, int row, int column)
{
	return arena_str(a, (struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) });
}

static bool is_rows(struct round *x, const struct pg_reply *reply)
{
	return PQresultStatus(reply->result) == PGRES_TUPLES_OK || pg_result_error(reply->result, &x->refused);
}

static void on_extensions(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct round *x = ctx;
	struct arena *a = expo_set_arena(x->out);
	int n = PQntuples(reply->result);

	(void)i;
	if (!is_rows(x, reply))
		return;
	x->n_extensions = (size_t)n;
	x->extensions = ARENA_ARRAY(a, x->n_extensions, struct pg_extension);
	for (int row = 0; row < n; row++)
		x->extensions[row] = (struct pg_extension){ copy_field(a, reply->result, row, 0), copy_field(a, reply->result, row, 1) };
}

static void on_server(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct round *x = ctx;
	double began_s, now_s;

	(void)i;
	if (is_rows(x, reply) && str_to_double(str_of(PQgetvalue(reply->result, 0, 0)), &began_s)
	    && str_to_double(str_of(PQgetvalue(reply->result, 0, 1)), &now_s))
		ranking_meet(&x->plan.ranking, began_s, now_s);
}

static void on_slow(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct round *x = ctx;

	pg_plan_take(&x->plan, x->asked[i], reply, pg_conn_server(x->conn), x->out);
}

static void on_tables(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct round *x = ctx;
	int n = PQntuples(reply->result);

	(void)i;
	if (!is_rows(x, reply))
		return;
	x->tables = ARENA_ARRAY(expo_set_arena(x->out), (size_t)n, struct pg_query);
	for (int row = 0; row < n; row++)
		x->tables[x->n_tables++] = (struct pg_query){ copy_field(expo_set_arena(x->out), reply->result, row, 0).p, .alone = true };
}

static void on_table(void *ctx, size_t i, const struct pg_reply *reply)
{
	const PGresult *r = reply->result;
	const struct round *x = ctx;
	struct label labels[3] = { { STR("datname"), STR_NULL }, { STR("schemaname"), STR_NULL }, { STR("relname"), STR_NULL } };
	const struct expo_family *families[] = { &table_size_family, &index_size_family };

	(void)i;
	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
		return;                         /* locked, or dropped meanwhile */
	for (int c = 0; c < 3; c++)
		labels[c].value = (struct str){ PQgetvalue(r, 0, c), (size_t)PQgetlength(r, 0, c) };
	for (int c = 0; c < 2; c++) {
		double v;

		if (!PQgetisnull(r, 0, 3 + c) && str_to_double(str_of(PQgetvalue(r, 0, 3 + c)), &v))
			expo_emit(x->out, families[c], v, labels, 3);
	}
}

static bool ask_one(struct round *x, const char *sql, pg_on_reply *on_reply, struct err *e)
{
	if (!pg_conn_run(x->conn, x->ask, &(struct pg_query){ sql, .alone = true }, 1, on_reply, x, e))
		return false;
	if (x->refused.code != ERR_NONE)
		*e = x->refused;
	return x->refused.code == ERR_NONE;
}

/* Extensions come and go without a new connection, so the plan is made each round. */
static bool ask_slow(struct round *x, struct err *e)
{
	struct pg_query *queries;
	size_t n;

	if (!ask_one(x, "SELECT extract(epoch FROM pg_postmaster_start_time()), extract(epoch FROM statement_timestamp())",
	             on_server, e)
	    || !ask_one(x, "SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace",
	                on_extensions, e))
		return false;
	pg_plan_make(&x->plan, x->settings, &(struct pg_scope){ .when = PG_SLOW, .version = pg_conn_version(x->conn),
	    .extensions = x->extensions, .n_extensions = x->n_extensions });
	n = pg_plan_queries(&x->plan, expo_set_arena(x->out), &queries, &x->asked);
	if (!pg_conn_run(x->conn, x->ask, queries, n, on_slow, x, e))
		return false;
	if (x->name != NULL)
		pg_plan_complain(&x->plan, x->name, x->now_ms);
	pg_plan_emit_state(&x->plan, x->out);
	return true;
}

/* The server writes the statements: names are quoted by it, and a table that is gone gives no row. */
static bool ask_tables(struct round *x, struct err *e)
{
	struct str sql;

	if (x->settings->max_tables == 0)
		return true;
	sql = arena_printf(expo_set_arena(x->out),
	    "SELECT format('SELECT current_database(), n.nspname, c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid) "
	    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %%s', relid) "
	    "FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid "
	    "ORDER BY c.relpages DESC, s.relid LIMIT %lld", (long long)x->settings->max_tables);
	return ask_one(x, sql.p, on_tables, e) && pg_conn_run(x->conn, x->ask, x->tables, x->n_tables, on_table, x, e);
}

/* ---- Other databases ---- */

static bool is_wanted(const struct pg_settings *s, struct str database)
{
	for (size_t i = 0; i < s->databases.n; i++)
		if (str_eq(s->databases.v[i], STR("all")) || str_eq(s->databases.v[i], database))
			return true;
	return false;
}

static bool is_there(const PGresult *r, struct str database)
{
	for (int row = 0; row < PQntuples(r); row++)
		if (str_eq(str_of(PQgetvalue(r, row, 0)), database))
			return true;
	return false;
}

static void emit_not_read(struct round *x, struct str database)
{
	EXPO_EMIT(x->out, &database_family, 0, { STR("datname"), database });
}

/* A name in the list that is none. */
static void emit_missing(struct round *x, const PGresult *r)
{
	const struct conf_strs list = x->settings->databases;

	for (size_t i = 0; i < list.n; i++)
		if (!str_eq(list.v[i], STR("all")) && !is_there(r, list.v[i]))
			emit_not_read(x, list.v[i]);
}

/* Rows: name, whether it is the url's, whether it lets us in. */
static void on_databases(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct round *x = ctx;
	int n = PQntuples(reply->result), left_out = 0;

	(void)i;
	if (!is_rows(x, reply))
		return;
	x->databases = ARENA_ARRAY(expo_set_arena(x->out), DATABASES_MAX, const char *);
	for (int row = 0; row < n; row++) {
		if (*PQgetvalue(reply->result, row, 1) == 't' || !is_wanted(x->settings, str_of(PQgetvalue(reply->result, row, 0))))
			continue;
		if (*PQgetvalue(reply->result, row, 2) != 't')
			emit_not_read(x, copy_field(expo_set_arena(x->out), reply->result, row, 0));
		else if (x->n_databases < DATABASES_MAX)
			x->databases[x->n_databases++] = copy_field(expo_set_arena(x->out), reply->result, row, 0).p;
		else
			left_out++;
	}
	EXPO_EMIT0(x->out, &left_out_family, left_out);
	emit_missing(x, reply->result);
}

/* What sees one database only: the same as a scrape shows of the url's, and sizes of tables. */
static bool ask_database(struct round *x, struct err *e)
{
	struct pg_query *queries;
	size_t n;

	if (!pg_conn_open(x->conn, x->ask, e))
		return false;
	pg_plan_make(&x->plan, x->settings,
	             &(struct pg_scope){ .when = PG_SCRAPE, .each_database = true, .version = pg_conn_version(x->conn) });
	n = pg_plan_queries(&x->plan, expo_set_arena(x->out), &queries, &x->asked);
	if (!pg_conn_run(x->conn, x->ask, queries, n, on_slow, x, e))
		return false;
	for (size_t i = 0; i < x->plan.n; i++)
		if (x->plan.items[i].failed)
			return err_set(e, ERR_UPSTREAM, -1, "%s failed", x->plan.items[i].statement->collector);
	return ask_tables(x, e);
}

static bool read_database(const struct round *main, const char *database, struct err *e)
{
	const struct pg_settings *s = main->settings;
	struct source_ask ask = { clock_mono_ms(main->ask->clock) + ROUND_MS, main->ask->stop_fd, main->ask->clock };
	struct round x = { .settings = s, .ask = &ask, .out = main->out, .now_ms = main->now_ms };
	bool ok;

	x.conn = pg_conn_new(&(struct pg_conn_options){ .url = s->url, .database = database, .statement_timeout_ms = STATEMENT_MS,
	    .lock_timeout_ms = s->lock_timeout_ms, .max_age_ms = s->max_age_ms, .search_path = "pg_catalog" });
	ok = ask_database(&x, e);
	pg_plan_fini(&x.plan);
	pg_conn_free(x.conn);
	EXPO_EMIT(main->out, &database_family, ok ? 1 : 0, { STR("datname"), str_of(database) });
	return ok;
}

/* One that cannot be read costs the others nothing. */
static bool ask_databases(struct round *x, struct err *e)
{
	if (x->settings->databases.n == 0)
		return true;
	if (!ask_one(x, "SELECT datname, datname = current_database(), datallowconn AND has_database_privilege(oid, 'CONNECT') "
	             "FROM pg_database WHERE NOT datistemplate AND datconnlimit <> -2 ORDER BY datname", on_databases, e))
		return false;
	for (size_t i = 0; i < x->n_databases; i++) {
		struct err failed = { 0 };

		if (!read_database(x, x->databases[i], &failed) && failed.code == ERR_CANCELED) {
			*e = failed;
			return false;
		}
	}
	return true;
}

static bool try_round(struct round *x, struct err *e)
{
	if (!pg_conn_open(x->conn, x->ask, e))
		return false;
	return ask_slow(x, e) && ask_tables(x, e) && ask_databases(x, e);
}

static bool do_round(struct round *x, struct err *e)
{
	if (try_round(x, e))
		return true;
	if (!pg_conn_was_cut(x->conn))
		return false;
	*e = (struct err){ 0 };
	return try_round(x, e);
}

void pg_sizes_run(const struct pg_settings *s, const char *name, struct source_loop *loop)
{
	const struct clock *clock = source_loop_clock(loop);
	struct pg_plan plan = { 0 };
	struct pg_conn *conn = pg_conn_new(&(struct pg_conn_options){ .url = s->url, .statement_timeout_ms = STATEMENT_MS,
	    .lock_timeout_ms = s->lock_timeout_ms, .max_age_ms = s->max_age_ms, .search_path = "pg_catalog" });
	int64_t began;
	bool ok;

	do {
		struct expo_set *out = expo_set_new();
		struct source_ask ask = { clock_mono_ms(clock) + ROUND_MS, source_loop_stop_fd(loop), clock };
		struct round x = { .settings = s, .name = name, .conn = conn, .plan = plan, .ask = &ask, .out = out,
		    .now_ms = clock_now_ms(clock) };
		struct err e = { 0 };

		began = clock_mono_ms(clock);
		ok = do_round(&x, &e);
		plan = x.plan;
		if (!ok)
			expo_set_unref(out);
		if (ok || e.code != ERR_CANCELED)
			source_loop_publish(loop, "sizes", s->slow_interval_ms, ok ? out : NULL, ok ? NULL : &e);
	} while (source_loop_wait(loop, source_loop_due(loop, began, s->slow_interval_ms, ok)));
	pg_plan_fini(&plan);
	pg_conn_free(conn);
}
