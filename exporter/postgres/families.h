/* What is asked of a Postgres server: one row a statement, one row a column, gated by server version. The SQL text is put
 * together for the server at hand, so no statement names a column its version lacks. Names and labels are postgres_exporter's. */
#ifndef TOCSIN_POSTGRES_FAMILIES_H
#define TOCSIN_POSTGRES_FAMILIES_H

#include "tocsin/buf.h"
#include "tocsin/expo.h"

#define PG_LABELS_MAX 8

struct pg_label {
	const char *name;
	const char *expr;               /* NULL: the server's address, "host:port" */
};

/* A column that becomes a family. NULL in the result: absent. */
struct pg_value {
	const char *expr;
	struct expo_family family;
	int min, max;                   /* server_version_num, min <= v < max; 0: open */
};

enum pg_when {
	PG_SCRAPE,                      /* in the pipeline of every scrape */
	PG_SLOW,                        /* on the second connection, every `sizes_interval` */
};

struct pg_statement {
	const char *collector;          /* several statements may share one: they succeed or fail together */
	const struct pg_value *values;
	size_t n_values;
	const char *from;               /* everything behind the select list */
	struct pg_label labels[PG_LABELS_MAX];
	int min, max;
	enum pg_when when;
	const char *extension;          /* asked only where it is installed; `@` in the texts is its schema, quoted */
	bool off;                       /* unless `enable` lists the collector */
	bool settings;                  /* rows are name, setting, unit, vartype: families made at run time */
};

extern const struct pg_statement pg_statements[];
extern const size_t pg_n_statements;

/* Whether a server of that version has what the statement (the column) needs. */
bool pg_statement_fits(const struct pg_statement *s, int version);
bool pg_value_fits(const struct pg_value *v, int version);
/* The SQL for a server of that version; <schema> of the extension, unquoted, or empty. */
void pg_statement_sql(struct buf *out, const struct pg_statement *s, int version, struct str schema);
/* Labels that are columns of the result, in order, come before its values. */
bool pg_label_is_column(const struct pg_label *l);

/* postgres_exporter's rule for parameters: name and value of the gauge in base units. False when the row is none of ours (an
 * unknown unit, no number). */
bool pg_setting_convert(struct str name, struct str setting, struct str unit, struct str vartype, struct buf *family, double *v);

#endif
