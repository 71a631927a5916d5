/* From rows of the table to SQL, and from results back to samples. */
#include "postgres/plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

static const struct expo_family success_family = {
	"pg_scrape_collector_success", EXPO_GAUGE, "Whether the collector could read what it reads.", NULL };
static const struct expo_family duration_family = {
	"pg_scrape_collector_duration_seconds", EXPO_GAUGE, "How long the server took over the collector's statements.", "seconds" };
static const struct expo_family unsupported_family = {
	"tocsin_postgres_collector_unsupported", EXPO_GAUGE,
	    "1 for a collector the server refuses: a privilege, object or feature is missing.", NULL };
static const struct expo_family dropped_family = {
	"tocsin_postgres_collector_rows_dropped", EXPO_GAUGE, "Rows beyond the limit of 20000 a statement, which are not shown.",
	    NULL };

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

static bool is_wanted(const char *collector, const struct pg_statement *st, const struct pg_settings *s)
{
	return !is_listed(s->disable, collector) && (!st->off || is_listed(s->enable, collector));
}

bool pg_statement_wanted(const struct pg_statement *st, const struct pg_settings *s)
{
	return is_wanted(st->collector, st, s) || (st->also != NULL && is_wanted(st->also, st, s));
}

void pg_statement_cut(struct pg_cut *cut, const struct pg_statement *st, const struct pg_settings *s, int version,
                      struct str schema)
{
	*cut = (struct pg_cut){ .version = version, .schema = schema, .without_main = !is_wanted(st->collector, st, s),
	    .without_also = st->also == NULL || !is_wanted(st->also, st, s) };
}

/* What was complained of before the connection was made anew is not complained of again. */
static void keep_outage(struct pg_plan_item *item, const struct pg_plan *old)
{
	for (const struct pg_plan_item *i = old->items; i < old->items + old->n; i++) {
		if (i->statement != item->statement || i->unsupported[0] != '\0')
			continue;
		item->failed = i->failed;
	}
}

static void write_sql(struct pg_plan *p, struct pg_plan_item *item)
{
	struct buf sql = { 0 };

	pg_statement_sql(&sql, item->statement, &item->cut);
	item->sql = arena_strz(&p->arena, buf_str(&sql));
	buf_fini(&sql);
}

static size_t count_statements(void)
{
	size_t n = 0;

	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st))
		n++;
	return n;
}

void pg_plan_make(struct pg_plan *p, const struct pg_settings *s, const struct pg_scope *scope)
{
	struct pg_plan old = *p;

	*p = (struct pg_plan){ .ranking = old.ranking, .ranking_limit = (size_t)s->max_statements,
	    .told = old.told, .failing_since_ms = old.failing_since_ms };
	old.ranking = (struct ranking){ 0 };
	p->items = ARENA_ARRAY(&p->arena, count_statements(), struct pg_plan_item);
	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st)) {
		const struct pg_extension *x = NULL;
		struct pg_plan_item *item = &p->items[p->n];

		if (st->extension != NULL)
			x = find_extension(st->extension, scope->extensions, scope->n_extensions);
		if (st->when != scope->when || (scope->each_database && !st->each_database) || !pg_statement_wanted(st, s) ||
		    !pg_statement_fits(st, scope->version) || (st->extension != NULL && x == NULL))
			continue;
		*item = (struct pg_plan_item){ .statement = st };
		pg_statement_cut(&item->cut, st, s, scope->version, x != NULL ? arena_str(&p->arena, x->schema) : STR_NULL);
		write_sql(p, item);
		keep_outage(item, &old);
		p->n++;
	}
	pg_plan_fini(&old);
}

size_t pg_plan_queries(struct pg_plan *p, struct arena *a, struct pg_query **queries, struct pg_plan_item ***asked)
{
	size_t n = 0;

	*queries = ARENA_ARRAY(a, p->n, struct pg_query);
	*asked = ARENA_ARRAY(a, p->n, struct pg_plan_item *);
	for (struct pg_plan_item *i = p->items; i < p->items + p->n; i++) {
		if (i->unsupported[0] != '\0')
			continue;
		(*asked)[n] = i;
		(*queries)[n++] = (struct pg_query){ .sql = i->sql, .alone = i->failed };
	}
	return n;
}

void pg_plan_fini(struct pg_plan *p)
{
	arena_fini(&p->arena);
	arena_fini(&p->settings.arena);
	ranking_fini(&p->ranking);
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

static void know_setting(struct pg_known_settings *known, const PGresult *r, int row)
{
	struct pg_known_setting *k = &known->v[known->n];
	struct buf name = { 0 };

	if (pg_setting_convert(field(r, row, 0), field(r, row, 1), field(r, row, 2), field(r, row, 3), &name, &k->v)) {
		k->name = arena_strz(&known->arena, buf_str(&name));
		k->help = arena_printf(&known->arena, "Server Parameter: %s", PQgetvalue(r, row, 0)).p;
		known->n++;
	}
	buf_fini(&name);
}

/* No rows: they are as they were. Rows: these are all, and their stamp goes into the next statement. */
static void take_settings(struct pg_plan *p, struct pg_plan_item *item, const PGresult *r)
{
	struct pg_known_settings *known = &p->settings;
	int rows = PQntuples(r);

	if (rows == 0 || rows > PG_ROWS_MAX)
		return;
	arena_reset(&known->arena);
	known->n = 0;
	known->v = ARENA_ARRAY(&known->arena, (size_t)rows, struct pg_known_setting);
	for (int row = 0; row < rows; row++)
		know_setting(known, r, row);
	item->cut.settings_seen = arena_strz(&known->arena, field(r, 0, PG_SETTINGS_COLUMNS - 1));
	write_sql(p, item);
}

/* Sets outlive what is known. */
static void emit_settings(const struct pg_known_settings *known, struct expo_set *out)
{
	struct arena *a = expo_set_arena(out);
	struct expo_family *f = ARENA_ARRAY(a, known->n, struct expo_family);

	for (const struct pg_known_setting *k = known->v; k < known->v + known->n; k++, f++) {
		*f = (struct expo_family){ .name = arena_strz(a, str_of(k->name)), .type = EXPO_GAUGE, .help = arena_strz(a,
		    str_of(k->help)) };
		EXPO_EMIT0(out, f, k->v);
	}
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

static void emit_row(const struct pg_plan_item *item, const PGresult *r, int row, struct str server, struct expo_set *out)
{
	const struct pg_statement *st = item->statement;
	struct label labels[PG_LABELS_MAX];
	int column;
	size_t n = row_labels(st, r, row, server, labels, &column);
	const struct expo_labels *at = expo_labels(out, labels, n);
	double v;

	for (const struct pg_value *c = st->values; c < st->values + st->n_values; c++) {
		if (!pg_value_fits(c, &item->cut))
			continue;
		if (!PQgetisnull(r, row, column) && field_number(field(r, row, column), &v))
			expo_emit_at(out, &c->family, v, at);
		column++;
	}
}

static void emit_histogram(const struct pg_plan_item *item, const PGresult *r, int row, struct str server, struct expo_set *out)
{
	const struct pg_histogram *h = item->statement->histogram;
	struct label labels[PG_LABELS_MAX];
	uint64_t counts[PG_BOUNDS_MAX + 1];
	double v = 0;
	int column;
	size_t n = row_labels(item->statement, r, row, server, labels, &column);

	assert(h->n_bounds <= PG_BOUNDS_MAX);
	for (size_t i = 0; i <= h->n_bounds; i++)
		counts[i] = field_number(field(r, row, column++), &v) ? (uint64_t)v : 0;
	field_number(field(r, row, column), &v);
	expo_emit_histogram(out, &h->family, h->bounds, h->n_bounds, counts, v, labels, n);
}

static size_t count_values(const struct pg_plan_item *item)
{
	const struct pg_statement *st = item->statement;
	size_t n = 0;

	for (size_t i = 0; i < st->n_values; i++)
		n += pg_value_fits(&st->values[i], &item->cut);
	return n;
}

static int columns_expected(const struct pg_plan_item *item)
{
	const struct pg_statement *st = item->statement;
	int n = st->settings ? PG_SETTINGS_COLUMNS : st->histogram != NULL ? (int)st->histogram->n_bounds + 2 : 0;

	for (size_t i = 0; i < PG_LABELS_MAX && st->labels[i].name != NULL; i++)
		n += pg_label_is_column(&st->labels[i]);
	return n + (int)count_values(item);
}

/* The counters of a row, and a key of its labels. */
static struct ranking_entry ranking_entry(const struct pg_plan_item *item, const PGresult *r, int row, struct buf *scratch)
{
	struct ranking_entry e = { 0 };
	struct label labels[PG_LABELS_MAX];
	size_t n_values = count_values(item), n;
	int column;

	n = row_labels(item->statement, r, row, STR_NULL, labels, &column);

	buf_reset(scratch);
	for (size_t i = 0; i < n; i++) {
		buf_puts(scratch, labels[i].value);
		buf_putc(scratch, '\0');
	}
	e.key = str_hash(buf_str(scratch));
	for (size_t i = 0; i < n_values; i++)
		if (!field_number(field(r, row, column++), &e.values[i]))
			e.values[i] = 0;
	return e;
}

static void emit_others(const struct pg_plan *p, const struct pg_plan_item *item, struct expo_set *out)
{
	const struct pg_statement *st = item->statement;
	size_t n = 0, at = 0;

	while (n < PG_LABELS_MAX && st->labels[n].name != NULL)
		n++;
	for (const struct pg_value *c = st->values; c < st->values + st->n_values; c++)
		if (pg_value_fits(c, &item->cut))
			expo_emit(out, &c->family, p->ranking.others[at++], &(struct label){ str_of(st->labels[n - 1].name), STR("other") }, 1);
}

static void emit_ranked(struct pg_plan *p, const struct pg_plan_item *item, const PGresult *r, int rows, struct expo_set *out)
{
	struct ranking_entry *entries = ARENA_ARRAY(expo_set_arena(out), (size_t)rows, struct ranking_entry);
	struct buf scratch = { 0 };

	for (int row = 0; row < rows; row++)
		entries[row] = ranking_entry(item, r, row, &scratch);
	buf_fini(&scratch);
	ranking_take(&p->ranking, entries, (size_t)rows, item->rows_dropped > 0, count_values(item), p->ranking_limit);
	for (int row = 0; row < rows; row++)
		if (entries[row].shown)
			emit_row(item, r, row, STR_NULL, out);
	emit_others(p, item, out);
}

static void take_failure(struct pg_plan *p, struct pg_plan_item *item, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	item->failed = true;
	if (pg_sqlstate_is_unsupported(state)) {
		snprintf(item->unsupported, sizeof item->unsupported, "%s", state);
		return;
	}
	if (p->failure.code == ERR_NONE)
		pg_result_error(r, &p->failure);
}

/* Names of the collectors that fail; their number. */
static size_t list_failing(const struct pg_plan *p, struct buf *names)
{
	const char *last = "";
	size_t n = 0;

	for (const struct pg_plan_item *i = p->items; i < p->items + p->n; i++) {
		if (!i->failed || i->unsupported[0] != '\0' || strcmp(i->statement->collector, last) == 0)
			continue;
		last = i->statement->collector;
		buf_printf(names, "%s%s", n++ > 0 ? ", " : "", last);
	}
	return n;
}

void pg_plan_complain(struct pg_plan *p, const char *name, int64_t now_ms)
{
	struct buf names = { 0 };
	const size_t n = list_failing(p, &names);
	const uint64_t failing = n > 0 ? str_hash(buf_str(&names)) | 1 : 0;
	char after[NUM_MAX];

	if (failing != 0 && p->told == 0)
		p->failing_since_ms = now_ms;
	if (failing != 0 && failing != p->told)
		log_event(LOG_WARN, "collectors failed", "name", name, "collectors", buf_z(&names), "err", p->failure.msg, NULL);
	if (failing == 0 && p->told != 0) {
		num_format_duration(after, now_ms - p->failing_since_ms);
		log_event(LOG_INFO, "collectors work again", "name", name, "after", after, NULL);
	}
	p->told = failing;
	p->failure = (struct err){ 0 };
	buf_fini(&names);
}

void pg_plan_take(struct pg_plan *p, struct pg_plan_item *item, const struct pg_reply *reply, struct str server,
    struct expo_set *out)
{
	const PGresult *r = reply->result;
	int rows = PQntuples(r);

	item->took_us = reply->took_us;
	item->rows_dropped = rows > PG_ROWS_MAX ? (size_t)(rows - PG_ROWS_MAX) : 0;
	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQnfields(r) != columns_expected(item)) {
		take_failure(p, item, r);
		return;
	}
	item->failed = false;
	if (item->statement->settings) {
		take_settings(p, item, r);
		emit_settings(&p->settings, out);
		return;
	}
	if (rows > PG_ROWS_MAX)
		rows = PG_ROWS_MAX;
	if (item->statement->ranked) {
		emit_ranked(p, item, r, rows, out);
		return;
	}
	for (int row = 0; row < rows; row++) {
		if (item->statement->histogram != NULL)
			emit_histogram(item, r, row, server, out);
		else
			emit_row(item, r, row, server, out);
	}
}

/* ---- State ---- */

/* The items of one collector, neighbours. */
static void emit_collector(const char *collector, const struct pg_plan_item *beg, const struct pg_plan_item *end,
                           struct expo_set *out)
{
	const struct label label = { STR("collector"), str_of(collector) };
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
		if (!i->cut.without_main)
			emit_collector(i->statement->collector, i, next, out);
		if (!i->cut.without_also)
			emit_collector(i->statement->also, i, next, out);
	}
}

/* ---- Names ---- */

bool pg_collector_exists(struct str collector)
{
	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st))
		if (str_eq(collector, str_of(st->collector)) || (st->also != NULL && str_eq(collector, str_of(st->also))))
			return true;
	return false;
}

const char *pg_collector_nearest(struct str wrong)
{
	const char **names = mem_alloc(2 * count_statements() * sizeof *names), *best;
	size_t n = 0;

	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st)) {
		names[n++] = st->collector;
		if (st->also != NULL)
			names[n++] = st->also;
	}
	best = conf_nearest(wrong, names, n);
	free(names);
	return best;
}
