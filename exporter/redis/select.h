/* Questions about keys in several databases, in one pipeline: SELECT goes in between where the database changes, and back at the
 * end, so that the connection is always left where its address says. Sending and reading each walk over the same keys in the same
 * order. */
#ifndef TOCSIN_REDIS_SELECT_H
#define TOCSIN_REDIS_SELECT_H

#include "redis/conn.h"

struct db_walk {
	struct redis_conn *conn;
	int db;
	bool lost;              /* SELECT was refused: what follows it is of another database */
};

/* <db>: the one of the connection's address. */
struct db_walk db_walk_begin(struct redis_conn *c, int db);
/* What is sent behind this is asked in <db>. */
void db_walk_send(struct db_walk *w, int db);
/* In the place where db_walk_send() was called. */
bool db_walk_read(struct db_walk *w, int db, struct arena *a, struct redis_wait wait, struct err *e) MUST_CHECK;

#endif
