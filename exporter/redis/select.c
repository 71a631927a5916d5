/* Databases, walked over twice. */
#include "redis/select.h"

#include <stdio.h>

struct db_walk db_walk_begin(struct redis_conn *c, int db)
{
	return (struct db_walk){ .conn = c, .db = db };
}

void db_walk_send(struct db_walk *w, int db)
{
	char text[16];

	if (db == w->db)
		return;
	w->db = db;
	if (redis_conn_refuses(w->conn, db))
		return;
	snprintf(text, sizeof text, "%d", db);
	redis_conn_sendz(w->conn, "SELECT", text, NULL);
}

bool db_walk_read(struct db_walk *w, int db, struct arena *a, struct redis_wait wait, struct err *e)
{
	const struct resp_reply *reply;

	if (db == w->db)
		return true;
	w->lost = redis_conn_refuses(w->conn, db);
	w->db = db;
	if (w->lost)
		return true;
	if (!redis_conn_reply(w->conn, a, wait, &reply, e))
		return false;
	w->lost = reply->type == RESP_ERROR;
	if (w->lost)
		redis_conn_note_refused(w->conn, db);
	return true;
}
