/* What is asked of a Postgres server: one row a statement, one row a column, gated by server version. The SQL text is put
 * together for the server at hand, so no statement names a column its version lacks. Names and labels are postgres_exporter's. */
#ifndef TOCSIN_POSTGRES_FAMILIES_H
#define TOCSIN_POSTGRES_FAMILIES_H

#include "tocsin/buf.h"
#include "tocsin/expo.h"

#define PG_LABELS_MAX 8
#define PG_BOUNDS_MAX 16

struct pg_label {
	const char *name;
	const char *expr;               /* NULL: the server's address, "host:port" */
};

/* A column that becomes a family. NULL in the result: absent. */
struct pg_value {
	const char *expr;
	struct expo_family family;
	int min, max;                   /* server_version_num, min <= v < max; 0: open */
	bool also;                      /* belongs to the statement's second collector */
};

/* Rows that become one histogram each: behind the labels a count a bucket, not cumulated, the one above all bounds last, then the
 * sum. */
struct pg_histogram {
	struct expo_family family;
	const double *bounds;
	size_t n_bounds;
	const char *columns;            /* as SQL */
};

enum pg_when {
	PG_SCRAPE,                      /* in the pipeline of every scrape */
	PG_SLOW,                        /* on the second connection, every `slow_interval` */
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
	const char *with;               /* before SELECT */
	const char *also;               /* a second collector that is asked along: what both read is read once */
	const struct pg_histogram *histogram;   /* in place of values */
	bool off;                       /* unless `enable` lists the collector */
	bool each_database;             /* sees one database: asked in each that is to be read */
	bool ranked;                    /* rows come by rank: the first have series, the others one together */
	bool settings;                  /* rows are name, setting, unit, vartype, stamp: families made at run time */
	const struct pg_statement *next;        /* in a row without collector: where the table goes on */
};

/* All statements, one after the other: NULL gives the first, the last gives NULL. */
const struct pg_statement *pg_statement_next(const struct pg_statement *after);

/* For whom a statement is written. */
struct pg_cut {
	int version;                    /* server_version_num */
	struct str schema;              /* of the extension, unquoted, or empty */
	bool without_main, without_also;        /* the collector that is not wanted */
	const char *settings_seen;      /* stamp of the parameters that are known; NULL: none are */
};

/* Whether a server of that version has what the statement (the column) needs. */
bool pg_statement_fits(const struct pg_statement *s, int version);
bool pg_value_fits(const struct pg_value *v, const struct pg_cut *cut);
void pg_statement_sql(struct buf *out, const struct pg_statement *s, const struct pg_cut *cut);
/* Labels that are columns of the result, in order, come before its values. */
bool pg_label_is_column(const struct pg_label *l);

/* ---- Parameters (settings.c) ---- */

#define PG_SETTINGS_COLUMNS 5

/* postgres_exporter's rule for parameters: name and value of the gauge in base units. False when the row is none of ours (an
 * unknown unit, no number). */
bool pg_setting_convert(struct str name, struct str setting, struct str unit, struct str vartype, struct buf *family, double *v);
void pg_settings_sql(struct buf *out, const char *seen);

#endif
