/* Which statements one connection is asked, and what became of each: the table of families cut to a server's version, its
 * extensions and the settings. Made anew with each connection. */
#ifndef TOCSIN_POSTGRES_PLAN_H
#define TOCSIN_POSTGRES_PLAN_H

#include "postgres/conn.h"
#include "postgres/families.h"
#include "postgres/postgres.h"
#include "postgres/ranking.h"

#define PG_ROWS_MAX 20000               /* of one statement; more are counted, not shown */

struct pg_plan_item {
	const struct pg_statement *statement;
	struct pg_cut cut;
	const char *sql;
	char unsupported[6];            /* SQLSTATE: not asked again on this connection; "": it works */
	bool failed;                    /* last time */
	int64_t took_us;
	size_t rows_dropped;
};

/* The parameters as they were last read. */
struct pg_known_settings {
	struct arena arena;
	struct pg_known_setting { const char *name, *help; double v; } *v;
	size_t n;
};

struct pg_plan {
	struct arena arena;
	struct pg_plan_item *items;
	size_t n;
	struct pg_known_settings settings;
	struct ranking ranking;         /* outlives the making anew */
	size_t ranking_limit;
	struct err failure;             /* the first of this round */
	uint64_t told;                  /* of which failing collectors the log has told; 0: of none */
	int64_t failing_since_ms;
};

struct pg_extension {
	struct str name, schema;
};

/* Which statements to plan for. */
struct pg_scope {
	enum pg_when when;
	bool each_database;             /* of these, those that see one database, and no others */
	int version;
	const struct pg_extension *extensions;  /* of the database; statements of others are left out */
	size_t n_extensions;
};

/* Over a {0} or an older one, whose outages are kept. */
void pg_plan_make(struct pg_plan *p, const struct pg_settings *s, const struct pg_scope *scope);
void pg_plan_fini(struct pg_plan *p);

/* The statements to be asked now, in <a>; <asked>: the item of each. */
size_t pg_plan_queries(struct pg_plan *p, struct arena *a, struct pg_query **queries, struct pg_plan_item ***asked);
/* Takes the reply to an item's statement: samples into <out>, the verdict into the item. */
void pg_plan_take(struct pg_plan *p, struct pg_plan_item *item, const struct pg_reply *reply, struct str server,
    struct expo_set *out);
/* Behind the last: one line in the log when other collectors fail than before, or none does any more. <name> is the source's. */
void pg_plan_complain(struct pg_plan *p, const char *name, int64_t now_ms);
/* Success and duration of each collector, and what is unsupported. */
void pg_plan_emit_state(const struct pg_plan *p, struct expo_set *out);

/* Whether the settings leave the statement in. */
bool pg_statement_wanted(const struct pg_statement *st, const struct pg_settings *s);
/* For whom it is then written. */
void pg_statement_cut(struct pg_cut *cut, const struct pg_statement *st, const struct pg_settings *s, int version,
                      struct str schema);
/* Whether <collector> is one; for checking `enable` and `disable`. */
bool pg_collector_exists(struct str collector);
const char *pg_collector_nearest(struct str wrong);

#endif
