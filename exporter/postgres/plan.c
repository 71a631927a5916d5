/* From rows of the table to SQL, and from results back to samples. */
#include "postgres/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "tocsin/mem.h"

static const struct expo_family success_family = {
	"pg_scrape_collector_success", EXPO_GAUGE, "Whether the collector could read what it reads.", NULL };
static const struct expo_family duration_family = {
	"pg_scrape_collector_duration_seconds", EXPO_GAUGE, "How long the server took over the collector's statements.", "seconds" };
static const struct expo_family unsupported_family = {
	"tocsin_postgres_collector_unsupported", EXPO_GAUGE,
	    "1 for a collector the server refuses: a privilege, object or feature is missing.", NULL };
static const struct expo_family dropped_family = {
	"tocsin_postgres_collector_rows_dropped", EXPO_GAUGE, "Rows beyond the limit of 20000 a statement, which are not shown.", NULL };

/* ---- Making ---- */

static bool is_listed(struct conf_strs list, const char *collector)
{
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i], str_of(collector)))
			return true;
	return false;
}

static const struct pg_extension *find_extension(const char *name, const struct pg_extension *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, str_of(name)))
			return &v[i];
	return NULL;
}

bool pg_statement_wanted(const struct pg_statement *st, const struct pg_settings *s)
{
	return !is_listed(s->disable, st->collector) && (!st->off || is_listed(s->enable, st->collector));
}

/* What was complained of before the connection was made anew is not complained of again. */
static void keep_outage(struct pg_plan_item *item, const struct pg_plan *old)
{
	for (const struct pg_plan_item *i = old->items; i < old->items + old->n; i++) {
		if (i->statement != item->statement || i->unsupported[0] != '\0')
			continue;
		item->failed = i->failed;
		item->complaint = i->complaint;
	}
}

void pg_plan_make(struct pg_plan *p, const struct pg_settings *s, enum pg_when when, int version,
                  const struct pg_extension *extensions, size_t n)
{
	struct pg_plan old = *p;

	*p = (struct pg_plan){ .version = version };
	p->items = ARENA_ARRAY(&p->arena, pg_n_statements, struct pg_plan_item);
	for (const struct pg_statement *st = pg_statements; st < pg_statements + pg_n_statements; st++) {
		const struct pg_extension *x = st->extension != NULL ? find_extension(st->extension, extensions, n) : NULL;
		struct buf sql = { 0 };

		if (st->when != when || !pg_statement_wanted(st, s) || !pg_statement_fits(st, version) || (st->extension != NULL && x == NULL))
			continue;
		pg_statement_sql(&sql, st, version, x != NULL ? x->schema : STR_NULL);
		p->items[p->n] = (struct pg_plan_item){ .statement = st, .sql = arena_strz(&p->arena, buf_str(&sql)) };
		keep_outage(&p->items[p->n++], &old);
		buf_fini(&sql);
	}
	pg_plan_fini(&old);
}

void pg_plan_fini(struct pg_plan *p)
{
	arena_fini(&p->arena);
	*p = (struct pg_plan){ 0 };
}

/* ---- Taking results ---- */

static struct str field(const PGresult *r, int row, int column)
{
	return (struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
}

/* A number, or a boolean as Postgres prints it. */
static bool field_number(struct str s, double *v)
{
	if (str_eq(s, STR("t")) || str_eq(s, STR("f"))) {
		*v = s.p[0] == 't';
		return true;
	}
	return str_to_double(s, v);
}

static void emit_setting(const PGresult *r, int row, struct expo_set *out)
{
	struct buf name = { 0 }, help = { 0 };
	double v;

	if (pg_setting_convert(field(r, row, 0), field(r, row, 1), field(r, row, 2), field(r, row, 3), &name, &v)) {
		struct arena *a = expo_set_arena(out);
		struct expo_family *f = ARENA_NEW(a, struct expo_family);

		buf_printf(&help, "Server Parameter: %s", PQgetvalue(r, row, 0));
		*f = (struct expo_family){ .name = arena_strz(a, buf_str(&name)), .type = EXPO_GAUGE, .help = arena_strz(a, buf_str(&help)) };
		EXPO_EMIT0(out, f, v);
	}
	buf_fini(&name);
	buf_fini(&help);
}

/* The row's labels; returns how many, <*column> behind those that are columns. */
static size_t row_labels(const struct pg_statement *st, const PGresult *r, int row, struct str server, struct label *labels,
                         int *column)
{
	size_t n = 0;

	*column = 0;
	for (; n < PG_LABELS_MAX && st->labels[n].name != NULL; n++) {
		labels[n].name = str_of(st->labels[n].name);
		labels[n].value = pg_label_is_column(&st->labels[n]) ? field(r, row, (*column)++) : server;
	}
	return n;
}

static void emit_row(const struct pg_plan *p, const struct pg_statement *st, const PGresult *r, int row, struct str server,
                     struct expo_set *out)
{
	struct label labels[PG_LABELS_MAX];
	int column;
	size_t n = row_labels(st, r, row, server, labels, &column);
	const struct expo_labels *at = expo_labels(out, labels, n);
	double v;

	for (const struct pg_value *c = st->values; c < st->values + st->n_values; c++) {
		if (!pg_value_fits(c, p->version))
			continue;
		if (!PQgetisnull(r, row, column) && field_number(field(r, row, column), &v))
			expo_emit_at(out, &c->family, v, at);
		column++;
	}
}

static int columns_expected(const struct pg_plan *p, const struct pg_statement *st)
{
	int n = st->settings ? 4 : 0;

	for (size_t i = 0; i < PG_LABELS_MAX && st->labels[i].name != NULL; i++)
		n += pg_label_is_column(&st->labels[i]);
	for (size_t i = 0; i < st->n_values; i++)
		n += pg_value_fits(&st->values[i], p->version);
	return n;
}

static void take_failure(struct pg_plan_item *item, const PGresult *r, const char *name, int64_t now_ms)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	struct buf what = { 0 };
	struct err e = { 0 };

	item->failed = true;
	if (pg_sqlstate_is_unsupported(state)) {
		snprintf(item->unsupported, sizeof item->unsupported, "%s", state);
		return;
	}
	pg_result_error(r, &e);
	buf_printf(&what, "collector %s", item->statement->collector);
	complain_failed(&item->complaint, buf_z(&what), name, &e, now_ms);
	buf_fini(&what);
}

void pg_plan_take(struct pg_plan *p, struct pg_plan_item *item, const struct pg_reply *reply, struct str server, const char *name,
                  int64_t now_ms, struct expo_set *out)
{
	const PGresult *r = reply->result;
	int rows = PQntuples(r);

	item->took_us = reply->took_us;
	item->rows_dropped = rows > PG_ROWS_MAX ? (size_t)(rows - PG_ROWS_MAX) : 0;
	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQnfields(r) != columns_expected(p, item->statement)) {
		take_failure(item, r, name, now_ms);
		return;
	}
	if (item->failed)
		complain_works(&item->complaint, item->statement->collector, name, now_ms);
	item->failed = false;
	for (int row = 0; row < rows && row < PG_ROWS_MAX; row++) {
		if (item->statement->settings)
			emit_setting(r, row, out);
		else
			emit_row(p, item->statement, r, row, server, out);
	}
}

/* ---- State ---- */

static void emit_collector(const struct pg_plan_item *beg, const struct pg_plan_item *end, struct expo_set *out)
{
	const struct label label = { STR("collector"), str_of(beg->statement->collector) };
	int64_t took_us = 0;
	bool failed = false, asked = false;
	size_t dropped = 0;

	for (const struct pg_plan_item *i = beg; i < end; i++) {
		if (i->unsupported[0] != '\0') {
			EXPO_EMIT(out, &unsupported_family, 1, label, { STR("sqlstate"), str_of(i->unsupported) });
			continue;
		}
		asked = true;
		failed |= i->failed;
		took_us += i->took_us;
		dropped += i->rows_dropped;
	}
	if (dropped > 0)
		EXPO_EMIT(out, &dropped_family, (double)dropped, label);
	if (!asked)
		return;
	EXPO_EMIT(out, &success_family, failed ? 0 : 1, label);
	EXPO_EMIT(out, &duration_family, (double)took_us / 1e6, label);
}

void pg_plan_emit_state(const struct pg_plan *p, struct expo_set *out)
{
	for (struct pg_plan_item *i = p->items, *end = i + p->n, *next; i < end; i = next) {
		for (next = i + 1; next < end && strcmp(next->statement->collector, i->statement->collector) == 0; next++)
			;
		emit_collector(i, next, out);
	}
}

/* ---- Names ---- */

bool pg_collector_exists(struct str collector)
{
	for (size_t i = 0; i < pg_n_statements; i++)
		if (str_eq(collector, str_of(pg_statements[i].collector)))
			return true;
	return false;
}

const char *pg_collector_nearest(struct str wrong)
{
	const char **names = mem_alloc(pg_n_statements * sizeof *names), *best;

	for (size_t i = 0; i < pg_n_statements; i++)
		names[i] = pg_statements[i].collector;
	best = conf_nearest(wrong, names, pg_n_statements);
	free(names);
	return best;
}
