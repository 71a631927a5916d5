/* The Postgres source: one pipeline a scrape on one connection, and a second connection for what is slow (sizes.c). Each
 * connection and plan belongs to one of the two threads; they share only the settings. */
#include "postgres/postgres.h"

#include <assert.h>
#include <stdlib.h>

#include "postgres/conn.h"
#include "postgres/plan.h"
#include "postgres/sizes.h"
#include "tocsin/mem.h"

static const struct expo_family scrapes_family = {
	"pg_exporter_scrapes_total", EXPO_COUNTER, "Times the server was asked for metrics.", NULL };
static const struct expo_family duration_family = {
	"pg_exporter_last_scrape_duration_seconds", EXPO_GAUGE, "How long that took last time.", "seconds" };
static const struct expo_family error_family = {
	"pg_exporter_last_scrape_error", EXPO_GAUGE, "1 when a collector failed then.", NULL };

/* ---- Settings ---- */

static const struct conf_range timeout_range = { 1, 600000 }, interval_range = { 1000, 86400000 }, tables_range = { 0, 20000 };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct pg_settings),
	CONF_KEY(struct pg_settings, "url", url, conf_str, NULL, CONF_REQUIRED | CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "postgres://user:password@host:5432/database?sslmode=require, or libpq's key=value form."),
	CONF_KEY(struct pg_settings, "enable", enable, conf_str_list, NULL, CONF_RELOAD, "Collectors to add to the default ones."),
	CONF_KEY(struct pg_settings, "disable", disable, conf_str_list, NULL, CONF_RELOAD, "Collectors to leave out."),
	CONF_KEY(struct pg_settings, "databases", databases, conf_str_list, NULL, CONF_RELOAD,
	         "Databases whose tables and indexes are read every slow_interval, one after the other, beside the "
	         "url's: names, or all."),
	CONF_KEY_ARG(struct pg_settings, "statement_timeout", statement_timeout_ms, conf_duration_ms, "2s", CONF_RELOAD,
	             "What one statement may take.", &timeout_range),
	CONF_KEY_ARG(struct pg_settings, "lock_timeout", lock_timeout_ms, conf_duration_ms, "100ms", CONF_RELOAD,
	             "How long a statement may wait for a lock.", &timeout_range),
	CONF_KEY_ARG(struct pg_settings, "connection_max_age", max_age_ms, conf_duration_ms, "10m", CONF_RELOAD,
	             "When a connection is replaced.", &interval_range),
	CONF_KEY_ARG(struct pg_settings, "slow_interval", slow_interval_ms, conf_duration_ms, "1m", CONF_RELOAD,
	             "How often sizes and statement statistics are read, beside the scrapes.", &interval_range),
	CONF_KEY_ARG(struct pg_settings, "max_tables", max_tables, conf_int, "500", CONF_RELOAD,
	             "Tables whose size is read, the largest ones; 0: none.", &tables_range),
	CONF_KEY_ARG(struct pg_settings, "max_statements", max_statements, conf_int, "100", CONF_RELOAD,
	             "Statements of pg_stat_statements with series of their own, by time, kept while among twice as many; "
	             "the others are one.",
	             &tables_range),
	CONF_KEY(struct pg_settings, "prepare", prepare, conf_bool, "true", CONF_RELOAD,
	         "Spare the server parsing and planning; not done behind a pooler, which shares sessions."),
};

static bool check_collectors(struct conf_reader *rd, const struct conf_node *map, const char *key, struct conf_strs list)
{
	const struct conf_node *node = conf_get(map, key);
	bool ok = true;

	for (size_t i = 0; i < list.n; i++) {
		const char *near = pg_collector_nearest(list.v[i]);

		if (!pg_collector_exists(list.v[i]))
			ok = conf_error(rd->report, node->kind == CONF_SEQ ? node->items[i] : node, "no collector \"" STR_FMT "\"%s%s%s",
			    STR_ARG(list.v[i]),
			                near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return ok;
}

static bool check_both(struct conf_reader *rd, const struct conf_node *map, const struct pg_settings *s)
{
	const struct conf_node *node = conf_get(map, "disable");
	bool ok = true;

	for (size_t i = 0; i < s->disable.n; i++)
		for (size_t k = 0; k < s->enable.n; k++)
			if (str_eq(s->disable.v[i], s->enable.v[k]))
				ok = conf_error(rd->report, node->kind == CONF_SEQ ? node->items[i] : node,
				    "collector \"" STR_FMT "\" is under enable and under disable: leave it in one", STR_ARG(s->disable.v[i]));
	return ok;
}

static bool check_settings(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	const struct pg_settings *s = to;
	struct err e = { 0 };
	bool ok = check_collectors(rd, map, "enable", s->enable);

	ok &= check_collectors(rd, map, "disable", s->disable);
	ok &= check_both(rd, map, s);
	if (s->url.n > 0 && !pg_url_check(s->url, &e)) {
		rd->report->hide_source++;      /* the line may hold a password */
		ok = conf_error(rd->report, conf_get(map, "url") ? conf_get(map, "url") : map, "%s", e.msg);
		rd->report->hide_source--;
	}
	return ok;
}

static const struct conf_table table = { keys, ARRAY_LEN(keys), sizeof(struct pg_settings), NULL, check_settings };

static struct str describe(struct arena *a, const void *settings)
{
	return pg_url_describe(a, ((const struct pg_settings *)settings)->url);
}

/* ---- A source at work ---- */

struct pg_source {
	const struct pg_settings *settings;
	const struct clock *clock;
	struct pg_conn *conn;
	struct pg_plan plan;
	uint64_t generation;            /* of the connection the plan is for */
	const char *name;
	uint64_t scrapes;
};

static void *open_source(const void *settings, const struct clock *clock)
{
	struct pg_source *s = mem_alloc(sizeof *s);

	s->settings = settings;
	s->clock = clock;
	s->name = s->settings->common.title;
	s->conn = pg_conn_new(&(struct pg_conn_options){ .title = s->name, .url = s->settings->url,
	    .statement_timeout_ms = s->settings->statement_timeout_ms,
	    .lock_timeout_ms = s->settings->lock_timeout_ms, .max_age_ms = s->settings->max_age_ms, .search_path = "pg_catalog",
	    .prepare = s->settings->prepare });
	return s;
}

static void close_source(void *state)
{
	struct pg_source *s = state;

	pg_conn_free(s->conn);
	pg_plan_fini(&s->plan);
	free(s);
}

struct taking {
	struct pg_source *source;
	struct pg_plan_item **asked;    /* by position in the pipeline */
	struct expo_set *out;
};

static void on_reply(void *ctx, size_t i, const struct pg_reply *reply)
{
	const struct taking *t = ctx;

	pg_plan_take(&t->source->plan, t->asked[i], reply, pg_conn_server(t->source->conn), t->out);
}

static bool ask_all(struct pg_source *s, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct taking t = { .source = s, .out = out };
	struct pg_query *queries;
	size_t n = pg_plan_queries(&s->plan, expo_set_arena(out), &queries, &t.asked);

	if (!pg_conn_run(s->conn, ask, queries, n, on_reply, &t, e))
		return false;
	pg_plan_complain(&s->plan, s->name, clock_now_ms(s->clock));
	return true;
}

static void emit_self(struct pg_source *s, int64_t took_us, struct expo_set *out)
{
	bool failed = false;

	for (size_t i = 0; i < s->plan.n; i++)
		failed |= s->plan.items[i].failed && s->plan.items[i].unsupported[0] == '\0';
	EXPO_EMIT0(out, &scrapes_family, (double)s->scrapes);
	EXPO_EMIT0(out, &duration_family, (double)took_us / 1e6);
	EXPO_EMIT0(out, &error_family, failed ? 1 : 0);
}

static bool connect_and_ask(struct pg_source *s, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	if (!pg_conn_open(s->conn, ask, e))
		return false;
	if (s->generation != pg_conn_generation(s->conn)) {
		s->generation = pg_conn_generation(s->conn);
		pg_plan_make(&s->plan, s->settings, &(struct pg_scope){ .when = PG_SCRAPE, .version = pg_conn_version(s->conn) });
	}
	return ask_all(s, ask, out, e);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct pg_source *s = state;
	int64_t began_us = clock_mono_us();
	bool ok;

	s->scrapes++;
	ok = connect_and_ask(s, ask, out, e);
	if (!ok && pg_conn_was_cut(s->conn)) {
		*e = (struct err){ 0 };
		ok = connect_and_ask(s, ask, out, e);
	}
	if (!ok)
		return false;
	pg_plan_emit_state(&s->plan, out);
	emit_self(s, clock_mono_us() - began_us, out);
	return true;
}

static void run(void *state, struct source_loop *loop)
{
	const struct pg_source *s = state;

	pg_sizes_run(s->settings, s->name, loop);
}

static void families(source_family *family, void *user)
{
	for (const struct pg_statement *st = NULL; (st = pg_statement_next(st)) != NULL; ) {
		for (size_t i = 0; i < st->n_values; i++)
			family(user, &st->values[i].family);
		if (st->histogram != NULL)
			family(user, &st->histogram->family);
	}
	pg_sizes_families(family, user);
}

const struct source_kind postgres_source_kind = {
	.name = "postgres", .up_family = "pg_up", .up_help = "Whether the server answered.", .env = "DATABASE_URL", .table = &table,
	.families = families, .describe = describe, .explain = pg_explain, .open = open_source, .collect = collect, .run = run,
	    .close = close_source,
};
