/* A database that is damaged: no reason not to watch. It is moved aside, and row by row what can still be read of it is put into a new one; a table's
 * rows are read from its begin and, when that stops at the damage, from its end too. */
#include "notify/db.h"

#include <errno.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tocsin/buf.h"
#include "tocsin/log.h"

#define DAMAGED ".damaged-"
#define COPY    ".new"

struct salvage {
	sqlite3 *from, *to;
	int64_t rows, broken;           /* read; tables that could not be read to their end */
};

/* ---- Rows ---- */

/* INSERT OR IGNORE INTO "table"("a","b") VALUES(?,?), with the columns that <rows> has. */
static sqlite3_stmt *insert_like(sqlite3 *to, const char *table, sqlite3_stmt *rows)
{
	struct buf sql = { 0 };
	sqlite3_stmt *s = NULL;
	int n = sqlite3_column_count(rows);

	buf_printf(&sql, "INSERT OR IGNORE INTO \"%s\"(", table);
	for (int i = 0; i < n; i++)
		buf_printf(&sql, "%s\"%s\"", i > 0 ? "," : "", sqlite3_column_name(rows, i));
	buf_putz(&sql, ") VALUES(");
	for (int i = 0; i < n; i++)
		buf_putz(&sql, i > 0 ? ",?" : "?");
	buf_putc(&sql, ')');
	if (sqlite3_prepare_v2(to, buf_z(&sql), -1, &s, NULL) != SQLITE_OK)
		s = NULL;
	buf_fini(&sql);
	return s;
}

/* True: all that the statement yields was read. */
static bool copy_rows(struct salvage *v, const char *table, const char *order)
{
	struct buf sql = { 0 };
	sqlite3_stmt *rows = NULL, *put = NULL;
	int rc = SQLITE_ERROR;

	buf_printf(&sql, "SELECT * FROM \"%s\" %s", table, order);
	if (sqlite3_prepare_v2(v->from, buf_z(&sql), -1, &rows, NULL) == SQLITE_OK)
		put = insert_like(v->to, table, rows);
	while (put != NULL && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			sqlite3_bind_value(put, i + 1, sqlite3_column_value(rows, i));
		v->rows += sqlite3_step(put) == SQLITE_DONE && sqlite3_changes(v->to) > 0;
		sqlite3_reset(put);
	}
	sqlite3_finalize(put);
	sqlite3_finalize(rows);
	buf_fini(&sql);
	return rc == SQLITE_DONE;
}

static void copy_table(struct salvage *v, const char *table, const char *key)
{
	char backwards[256];

	snprintf(backwards, sizeof backwards, "ORDER BY %s DESC", key);
	if (!copy_rows(v, table, "")) {
		v->broken++;
		(void)copy_rows(v, table, backwards);
	}
}

/* The columns of the primary key, each backwards. */
#define TABLES                                                                                                                     \
	"SELECT m.name, (SELECT group_concat('\"' || p.name || '\"', ' DESC,') FROM pragma_table_info(m.name) p WHERE p.pk > 0) "        \
	"FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"

static bool copy_tables(struct salvage *v, struct err *e)
{
	sqlite3_stmt *tables = NULL;
	bool ok = sqlite3_exec(v->to, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_prepare_v2(v->to, TABLES, -1, &tables, NULL) == SQLITE_OK;

	while (ok && sqlite3_step(tables) == SQLITE_ROW)
		copy_table(v, (const char *)sqlite3_column_text(tables, 0), (const char *)sqlite3_column_text(tables, 1));
	sqlite3_finalize(tables);
	return (ok && sqlite3_exec(v->to, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) ||
	       err_set(e, ERR_IO, -1, "what can be read of the damaged database: %s", sqlite3_errmsg(v->to));
}

/* ---- Files ---- */

static const char *const ends[] = { "", "-wal", "-shm" };       /* without the first a salvage is done but for its names */

static bool move_aside(const char *path, const char *aside, struct err *e)
{
	char from[512], to[512];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(from, sizeof from, "%s%s", path, ends[i]);
		snprintf(to, sizeof to, "%s%s", aside, ends[i]);
		if (rename(from, to) != 0 && (errno != ENOENT || i == 0))
			return err_set(e, ERR_IO, -1, "database %s is damaged and cannot be moved aside: %s", path, strerror(errno));
	}
	return true;
}

/* The tables of this version, in an empty file. */
static bool make_new(const char *path, struct err *e)
{
	struct db *db;

	unlink(path);   /* of a salvage that was killed */
	db = db_open(path, e);
	if (db != NULL)
		db_close(db);
	return db != NULL;
}

/* Into the file <copy>, which is whole, in one file and synced when the last connection has closed. */
static bool copy_into(struct salvage *v, const char *path, const char *copy, struct err *e)
{
	bool ok = make_new(copy, e) && sqlite3_open(path, &v->from) == SQLITE_OK && sqlite3_open(copy, &v->to) == SQLITE_OK &&
		  /* else a file that was cut short is not read at all */
		  sqlite3_exec(v->from, "PRAGMA writable_schema=ON", NULL, NULL, NULL) == SQLITE_OK && copy_tables(v, e) &&
		  sqlite3_exec(v->to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_OK;

	sqlite3_close(v->from);
	sqlite3_close(v->to);
	return ok || err_set(e, ERR_IO, -1, "database %s: what can be read of it cannot be opened", path);
}

void db_finish_salvage(const char *path)
{
	char name[512];

	if (access(path, F_OK) == 0)
		return;
	for (size_t i = 1; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);   /* of the damaged one: it does not belong to the new one */
	}
	snprintf(name, sizeof name, "%s" COPY, path);
	(void)rename(name, path);
}

/* The damaged file stays where it is until the copy is whole: who is killed in between begins anew. */
bool db_salvage(const char *path, int64_t now_ms, struct err *e)
{
	struct salvage v = { 0 };
	char aside[480], copy[480], rows[32];

	if ((size_t)snprintf(aside, sizeof aside, "%s" DAMAGED "%lld", path, (long long)now_ms) >= sizeof aside)
		return err_set(e, ERR_IO, -1, "database %s is damaged, and its path too long to move it aside", path);
	snprintf(copy, sizeof copy, "%s" COPY, path);
	if (!copy_into(&v, path, copy, e) || !move_aside(path, aside, e))
		return false;
	db_finish_salvage(path);
	snprintf(rows, sizeof rows, "%lld", (long long)v.rows);
	log_event(LOG_ERROR, "the database of alerts is damaged: it was moved aside, and what could be read of it is in use", "file", aside, "rows", rows,
		  NULL);
	return true;
}

struct str db_damaged(const char *path, struct arena *a)
{
	glob_t found = { 0 };
	struct str name = STR("");

	if (glob(arena_printf(a, "%s" DAMAGED "*[0-9]", path).p, 0, NULL, &found) == 0)
		name = arena_str(a, str_of(found.gl_pathv[found.gl_pathc - 1]));
	globfree(&found);
	return name;
}
