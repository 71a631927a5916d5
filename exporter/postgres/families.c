/* From rows of the tables (table_*.c) to SQL for the server at hand. Size functions take locks on relations, so they are asked
 * elsewhere (sizes.c); what is in the tables waits for no user's lock. */
#include "postgres/families.h"

#include "postgres/table.h"

const struct pg_statement *pg_statement_next(const struct pg_statement *after)
{
	const struct pg_statement *s = after != NULL ? after + 1 : pg_server_table;

	return s->collector != NULL ? s : s->next;
}

static bool in_range(int version, int min, int max)
{
	return version >= min && (max == 0 || version < max);
}

bool pg_statement_fits(const struct pg_statement *s, int version)
{
	return in_range(version, s->min, s->max);
}

bool pg_value_fits(const struct pg_value *v, const struct pg_cut *cut)
{
	return in_range(cut->version, v->min, v->max) && !(v->also ? cut->without_also : cut->without_main);
}

bool pg_label_is_column(const struct pg_label *l)
{
	return l->name != NULL && l->expr != NULL;
}

/* <text> with each '@' replaced by the schema, quoted. */
static void put_with_schema(struct buf *out, const char *text, struct str schema)
{
	for (; *text != '\0'; text++) {
		if (*text != '@' || schema.n == 0) {
			buf_putc(out, *text);
			continue;
		}
		buf_putc(out, '"');
		for (size_t i = 0; i < schema.n; i++) {
			if (schema.p[i] == '"')
				buf_putc(out, '"');
			buf_putc(out, schema.p[i]);
		}
		buf_putc(out, '"');
	}
}

void pg_statement_sql(struct buf *out, const struct pg_statement *s, const struct pg_cut *cut)
{
	const char *sep = "SELECT ";

	if (s->settings) {
		pg_settings_sql(out, cut->settings_seen);
		return;
	}
	if (s->with != NULL)
		buf_putz(out, s->with);
	for (const struct pg_label *l = s->labels; l < s->labels + PG_LABELS_MAX && l->name != NULL; l++) {
		if (!pg_label_is_column(l))
			continue;
		buf_printf(out, "%s%s", sep, l->expr);
		sep = ", ";
	}
	for (const struct pg_value *v = s->values; v < s->values + s->n_values; v++) {
		if (!pg_value_fits(v, cut))
			continue;
		buf_printf(out, "%s%s", sep, v->expr);
		sep = ", ";
	}
	if (s->histogram != NULL)
		buf_printf(out, "%s%s", sep, s->histogram->columns);
	buf_putc(out, ' ');
	put_with_schema(out, s->from, cut->schema);
}
