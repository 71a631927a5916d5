/* SQLite behind a log of statements. The log lives in an arena of its own and is emptied only by a commit that succeeded. */
#include "notify/db.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tocsin/json.h"
#include "tocsin/mem.h"

#define BUSY_MS 1000    /* how long another program may hold the file before we send from memory */

struct db_rows {
	struct db *db;
	sqlite3_stmt *statement;
};

struct db_op {
	enum db_statement statement;
	size_t n;
	const struct db_arg *args;
};

struct db {
	sqlite3 *sql;
	sqlite3_stmt *prepared[DB_STATEMENT_COUNT];
	struct arena arena;             /* texts and arguments of the log */
	struct db_op *log;
	size_t n, cap, bytes;
};

/* One entry a version: what turns the version before into it. */
static const char *const migrations[] = {
	"CREATE TABLE alert_state(rule TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL, state INTEGER NOT NULL,"
	" active_at INTEGER NOT NULL, fired_at INTEGER NOT NULL, resolved_at INTEGER NOT NULL, keep_since INTEGER NOT NULL,"
	" unknown_since INTEGER NOT NULL, seen INTEGER NOT NULL, value INTEGER NOT NULL, is_histogram INTEGER NOT NULL,"
	" value_text TEXT NOT NULL, PRIMARY KEY(rule, labels)) WITHOUT ROWID;"
	"CREATE TABLE event(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, edge TEXT NOT NULL, file TEXT NOT NULL, grp "
	"TEXT NOT NULL,"
	" alertname TEXT NOT NULL, expr TEXT NOT NULL, labels TEXT NOT NULL, value INTEGER NOT NULL, reason TEXT NOT NULL,"
	" integration TEXT NOT NULL, key TEXT NOT NULL);"
	"CREATE INDEX event_at ON event(at);"
	"CREATE INDEX event_name ON event(alertname, id);"
	"CREATE TABLE page_alert(id INTEGER PRIMARY KEY, rule TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,"
	" generator_url TEXT NOT NULL, value INTEGER NOT NULL, value_text TEXT NOT NULL, reason TEXT NOT NULL, starts INTEGER NOT "
	"NULL,"
	" ends INTEGER NOT NULL, no_data_since INTEGER NOT NULL);"
	"CREATE TABLE page_group(id INTEGER PRIMARY KEY, key TEXT NOT NULL, receiver TEXT NOT NULL, labels TEXT NOT NULL,"
	" next_flush INTEGER NOT NULL, retired INTEGER NOT NULL);"
	"CREATE TABLE page_member(grp INTEGER NOT NULL, alert INTEGER NOT NULL, PRIMARY KEY(grp, alert)) WITHOUT ROWID;"
	"CREATE TABLE episode(id TEXT PRIMARY KEY, grp INTEGER NOT NULL, integration TEXT NOT NULL, identity INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, started INTEGER NOT NULL, last_sent INTEGER NOT NULL, again INTEGER NOT NULL, closed INTEGER NOT "
	"NULL,"
	" remote TEXT NOT NULL, remote_status TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE told(episode TEXT NOT NULL, alert INTEGER NOT NULL, PRIMARY KEY(episode, alert)) WITHOUT ROWID;"
	"CREATE TABLE outbox(id INTEGER PRIMARY KEY, episode TEXT NOT NULL, seq INTEGER NOT NULL, integration TEXT NOT NULL,"
	" identity INTEGER NOT NULL, group_key TEXT NOT NULL, labels TEXT NOT NULL, resolved INTEGER NOT NULL, payload TEXT NOT "
	"NULL,"
	" state INTEGER NOT NULL, created INTEGER NOT NULL, next INTEGER NOT NULL, attempts INTEGER NOT NULL, doubtful INTEGER NOT "
	"NULL,"
	" last_status INTEGER NOT NULL, last_error TEXT NOT NULL, finished INTEGER NOT NULL);"
	"CREATE INDEX outbox_state ON outbox(state, id);"
	"CREATE TABLE component(page TEXT NOT NULL, component TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY(page, component)) "
	"WITHOUT ROWID;",
	"ALTER TABLE page_alert ADD COLUMN external TEXT NOT NULL DEFAULT '{}';",
	"ALTER TABLE page_alert ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE silence(id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL,"
	" updated INTEGER NOT NULL, author TEXT NOT NULL, comment TEXT NOT NULL) WITHOUT ROWID;",
	"ALTER TABLE page_group ADD COLUMN alarm TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE page_group ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE page_group ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE page_group ADD COLUMN ack_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE page_group ADD COLUMN ack_by TEXT NOT NULL DEFAULT '';",
	"ALTER TABLE episode ADD COLUMN phase INTEGER NOT NULL DEFAULT 0;",
	"CREATE TABLE heartbeat(name TEXT PRIMARY KEY, since INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;",
	("ALTER TABLE episode ADD COLUMN heard INTEGER NOT NULL DEFAULT 1;"
	 "UPDATE episode SET identity=0;"),     /* they were found by name */
	"ALTER TABLE told ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;",
	"CREATE TABLE pause(integration TEXT NOT NULL, identity INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(integration, identity))"
	" WITHOUT ROWID;",
	("ALTER TABLE page_alert ADD COLUMN heard_end INTEGER NOT NULL DEFAULT 0;"
	 "UPDATE page_alert SET heard_end=ends;"),
	"CREATE INDEX outbox_dead ON outbox(episode) WHERE state=4;",
};

static const char *const statement_sql[] = {
#define X(name, sql) [DB_##name] = sql,
	DB_STATEMENTS(X)
#undef X
};

static bool fail(struct db *db, const char *what, struct err *e)
{
	int code = sqlite3_errcode(db->sql);

	return err_set(e, code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_DAMAGED : ERR_IO, -1, "database: %s: %s", what,
		       sqlite3_errmsg(db->sql));
}

static bool run(struct db *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, sql, e);
}

static int user_version(struct db *db, struct err *e)
{
	struct db_rows *s = db_select(db, "PRAGMA user_version", NULL, 0, e);
	int version = db_next(s, e) ? (int)db_int(s, 0) : -1;

	db_rows_free(s);
	return version;
}

static bool migrate(struct db *db, struct err *e)
{
	int version = user_version(db, e), newest = (int)ARRAY_LEN(migrations);
	char set[64];

	if (version < 0)
		return false;
	if (version > newest)
		return err_set(e, ERR_BAD_INPUT, -1,
			       "database: version %d is newer than this program's %d: start the newer program", version, newest);
	for (; version < newest; version++) {
		snprintf(set, sizeof set, "PRAGMA user_version=%d", version + 1);
		if (!run(db, "BEGIN IMMEDIATE", e) || !run(db, migrations[version], e) || !run(db, set, e) || !run(db, "COMMIT", e))
			return false;
	}
	return true;
}

/* All of it is read: damage is to show now, not when something there is needed. A million events take half a second. */
static bool check(struct db *db, struct err *e)
{
	struct db_rows *s = db_select(db, "PRAGMA quick_check(1)", NULL, 0, e);

	if (db_next(s, e) && !str_eq(db_text(s, 0), STR("ok")))
		err_set(e, ERR_DAMAGED, -1, "database: " STR_FMT, STR_ARG(db_text(s, 0)));
	db_rows_free(s);
	return e->code == ERR_NONE;
}

static bool prepare(struct db *db, struct err *e)
{
	for (size_t i = 0; i < DB_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(db->sql, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->prepared[i], NULL)
		    != SQLITE_OK)
			return fail(db, statement_sql[i], e);
	return true;
}

static struct db *open_file(const char *path, int flags, struct err *e)
{
	struct db *db = mem_alloc(sizeof *db);

	if (sqlite3_open_v2(path, &db->sql, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		err_set(e, ERR_IO, -1, "database %s: %s", path, db->sql != NULL ? sqlite3_errmsg(db->sql) : "no memory");
		db_close(db);
		return NULL;
	}
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	return db;
}

struct db *db_open_to_read(const char *path, struct err *e)
{
	return open_file(path, SQLITE_OPEN_READONLY, e);
}

/* The tables in a file of another name: who is killed meanwhile leaves nothing that looks like a database that lost all it held. */
static bool create(const char *path, struct err *e)
{
	static const char *const ends[] = { "", "-journal" };
	char first[512], old[528];
	struct db *db;
	bool ok;

	if ((size_t)snprintf(first, sizeof first, "%s.first", path) >= sizeof first)
		return err_set(e, ERR_IO, -1, "database %s: the path is too long", path);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(old, sizeof old, "%s%s", first, ends[i]);
		unlink(old);
	}
	db = open_file(first, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e);
	ok = db != NULL && migrate(db, e);
	if (db != NULL)
		db_close(db);
	return ok && (rename(first, path) == 0 || err_set(e, ERR_IO, -1, "database %s: %s", path, strerror(errno)));
}

static bool is_there(const char *path, struct err *e)
{
	struct stat st;

	if (strcmp(path, DB_IN_MEMORY) == 0)
		return true;
	if (stat(path, &st) != 0)
		return create(path, e);
	return st.st_size > 0 || err_set(e, ERR_DAMAGED, -1, "database %s: the file is empty", path);
}

struct db *db_open(const char *path, struct err *e)
{
	struct db *db = is_there(path, e) ? open_file(path, SQLITE_OPEN_READWRITE, e) : NULL;

	if (db == NULL)
		return NULL;
	if (!run(db, "PRAGMA journal_mode=WAL", e) || !run(db, "PRAGMA synchronous=FULL", e) || !check(db, e) || !migrate(db, e)
	    || !prepare(db, e)) {
		err_context(e, "%s", path);
		db_close(db);
		return NULL;
	}
	return db;
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENT_COUNT; i++)
		sqlite3_finalize(db->prepared[i]);
	sqlite3_close(db->sql);
	arena_fini(&db->arena);
	free(db->log);
	free(db);
}

void db_add(struct db *db, enum db_statement statement, const struct db_arg *args, size_t n)
{
	size_t bytes = n * sizeof *args;
	struct db_arg *copy;
	char *p;

	for (size_t i = 0; i < n; i++)
		bytes += args[i].t.n;
	copy = arena_alloc_raw(&db->arena, bytes);
	p = (char *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = args[i];
		if (args[i].t.n > 0)
			copy[i].t.p = memcpy(p, args[i].t.p, args[i].t.n);
		p += args[i].t.n;
	}
	db->log = mem_grow(db->log, &db->cap, db->n + 1, sizeof *db->log);
	db->log[db->n++] = (struct db_op){ statement, n, copy };
	db->bytes += bytes + sizeof *db->log;
}

size_t db_log_bytes(const struct db *db)
{
	return db->bytes;
}

size_t db_log_length(const struct db *db)
{
	return db->n;
}

void db_cut(struct db *db, size_t length)
{
	assert(length <= db->n);
	db->n = length;
	if (length > 0)
		return;         /* of the rest the texts stay until the next commit, and count */
	arena_reset(&db->arena);
	db->bytes = 0;
}

bool db_log_is_empty(const struct db *db)
{
	return db->n == 0;
}

static void bind(sqlite3_stmt *s, const struct db_arg *args, size_t n)
{
	assert(sqlite3_bind_parameter_count(s) == (int)n);
	for (size_t i = 0; i < n; i++)
		if (args[i].is_text)
			sqlite3_bind_text64(s, (int)i + 1, args[i].t.n != 0 ? args[i].t.p : "", args[i].t.n, SQLITE_STATIC, SQLITE_UTF8);
		else
			sqlite3_bind_int64(s, (int)i + 1, args[i].i);
}

static bool run_op(struct db *db, const struct db_op *op, struct err *e)
{
	sqlite3_stmt *s = db->prepared[op->statement];
	int rc;

	bind(s, op->args, op->n);
	rc = sqlite3_step(s);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE || fail(db, "write", e);
}

bool db_commit(struct db *db, struct err *e)
{
	bool ok = db->n == 0 || run(db, "BEGIN IMMEDIATE", e);

	if (db->n == 0)
		return true;
	for (size_t i = 0; ok && i < db->n; i++)
		ok = run_op(db, &db->log[i], e);
	ok = ok && run(db, "COMMIT", e);
	if (!ok) {
		if (!sqlite3_get_autocommit(db->sql))
			sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
		return false;
	}
	db_cut(db, 0);
	return true;
}

struct db_rows *db_select(struct db *db, const char *sql, const struct db_arg *args, size_t n, struct err *e)
{
	struct db_rows *rows = mem_alloc(sizeof *rows);

	rows->db = db;
	if (sqlite3_prepare_v2(db->sql, sql, -1, &rows->statement, NULL) != SQLITE_OK) {
		fail(db, "read", e);
		db_rows_free(rows);
		return NULL;
	}
	bind(rows->statement, args, n);
	return rows;
}

void db_rows_free(struct db_rows *rows)
{
	if (rows != NULL)
		sqlite3_finalize(rows->statement);
	free(rows);
}

bool db_next(struct db_rows *rows, struct err *e)
{
	int rc = rows != NULL ? sqlite3_step(rows->statement) : SQLITE_DONE;

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		fail(rows->db, "read", e);
	return rc == SQLITE_ROW;
}

int64_t db_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->statement, column);
}

struct str db_text(const struct db_rows *rows, int column)
{
	const void *p = sqlite3_column_blob(rows->statement, column);

	return (struct str){ p, (size_t)sqlite3_column_bytes(rows->statement, column) };
}

struct str db_text_copy(const struct db_rows *rows, int column, struct arena *a)
{
	return arena_str(a, db_text(rows, column));
}

struct str db_labels_text(struct arena *a, struct labels l)
{
	struct buf b = { 0 };
	struct json_out j = { &b, false };
	struct str text;

	json_out_labels(&j, l);
	text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

struct labels db_labels(const struct db_rows *rows, int column, struct arena *a)
{
	struct str text = db_text(rows, column);
	json_t *o = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);
	struct label *v = arena_array(a, json_object_size(o) + 1, sizeof *v);
	struct labels l = { 0 };
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(o, name, value) if (json_is_string(value)) v[n++]
		= (struct label){ arena_str(a, str_of(name)),
				  arena_str(a, (struct str){ json_string_value(value), json_string_length(value) }) };
	json_decref(o);
	return labels_from(v, n, &l, NULL) ? l : (struct labels){ 0 };
}

int64_t db_bits(double v)
{
	int64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

double db_double(int64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}
