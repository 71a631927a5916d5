/* What takes long or may wait for a lock: sizes of databases and tables, statement statistics. On a connection and thread of its
 * own. */
#ifndef TOCSIN_POSTGRES_SIZES_H
#define TOCSIN_POSTGRES_SIZES_H

#include "postgres/postgres.h"

/* Until the loop says stop. <name> is the source's. */
void pg_sizes_run(const struct pg_settings *s, const char *name, struct source_loop *loop);

/* Families that are in no table of statements. */
void pg_sizes_families(source_family *family, void *user);

#endif
