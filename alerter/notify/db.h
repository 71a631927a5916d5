/* The database file, used by one thread. Writes are collected in a log of statements and go to disk together, in one
 * transaction with one sync; when that fails the log is kept and goes first the next time, so memory and disk never part for good.
 * Invariant: what memory says == what disk says + the log. */
#ifndef NOTIFY_DB_H
#define NOTIFY_DB_H

#include "tocsin/arena.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"

struct db;
struct db_rows;

#define DB_IN_MEMORY ":memory:"         /* a path that is no file */

#define DB_STATEMENTS(X)                                                                                                           \
	X(PUT_STATE, "INSERT OR REPLACE INTO alert_state VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)")                                       \
	X(DEL_STATE, "DELETE FROM alert_state WHERE rule=? AND labels=?")                                                          \
	X(DEL_RULE, "DELETE FROM alert_state WHERE rule=?")                                                                        \
	X(ADD_EVENT,                                                                                                               \
	  "INSERT INTO event(at,edge,file,grp,alertname,expr,labels,value,reason,integration,key) VALUES(?,?,?,?,?,?,?,?,?,?,?)")  \
	X(PUT_ALERT, "INSERT OR REPLACE INTO page_alert VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                                      \
	X(DEL_ALERT, "DELETE FROM page_alert WHERE id=?")                                                                          \
	X(PUT_GROUP, "INSERT OR REPLACE INTO page_group VALUES(?,?,?,?,?,?,?,?,?,?,?)")                                                \
	X(DEL_GROUP, "DELETE FROM page_group WHERE id=?")                                                                          \
	X(ADD_MEMBER, "INSERT OR REPLACE INTO page_member VALUES(?,?)")                                                            \
	X(DEL_MEMBER, "DELETE FROM page_member WHERE grp=? AND alert=?")                                                           \
	X(PUT_EPISODE, "INSERT OR REPLACE INTO episode VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)")                                           \
	X(DEL_EPISODE, "DELETE FROM episode WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM outbox WHERE episode=?1 AND state=4)")        \
	X(TRIM_EPISODES, "DELETE FROM episode WHERE closed=1 AND id NOT IN (SELECT episode FROM outbox WHERE state<>?)")           \
	X(ADD_TOLD, "INSERT OR REPLACE INTO told VALUES(?,?,?)")                                                                   \
	X(DEL_TOLD, "DELETE FROM told WHERE episode=? AND alert=?")                                                                \
	X(ADD_MESSAGE, "INSERT INTO outbox VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                                             \
	X(SET_MESSAGE,                                                                                                             \
	  "UPDATE outbox SET state=?1,next=?2,attempts=?3,doubtful=?4,last_status=?5,last_error=?6,finished=?7,created=?9,"                \
	  "payload=CASE ?1 WHEN 3 THEN '' ELSE payload END WHERE id=?8")                                                           \
	X(SET_PAYLOAD, "UPDATE outbox SET payload=? WHERE id=?")                                                                   \
	X(PUT_COMPONENT, "INSERT OR REPLACE INTO component VALUES(?,?,?)")                                                         \
	X(DEL_COMPONENT, "DELETE FROM component WHERE page=? AND component=?")                                                     \
	X(PUT_SILENCE, "INSERT OR REPLACE INTO silence VALUES(?,?,?,?,?,?,?)")                                                     \
	X(DEL_SILENCE, "DELETE FROM silence WHERE id=?")                                                                           \
	X(PUT_HEARTBEAT, "INSERT OR REPLACE INTO heartbeat VALUES(?,?,?)")                                                         \
	X(DEL_HEARTBEAT, "DELETE FROM heartbeat WHERE name=?")                                                                     \
	X(PUT_PAUSE, "INSERT OR REPLACE INTO pause VALUES(?,?,?)")                                                                 \
	X(SHIFT_PAUSES, "UPDATE pause SET until=until+?")                                                                          \
	X(TRIM_PAUSES, "DELETE FROM pause WHERE until<=?")                                                                         \
	X(TRIM_EVENTS, "DELETE FROM event WHERE at<?1 OR id<=(SELECT max(id) FROM event)-?2")                                      \
	X(TRIM_MESSAGES, "DELETE FROM outbox WHERE state=?1 AND finished<?2")                                                      \
	X(DEL_SAME_DEAD, "DELETE FROM outbox WHERE state=? AND episode=? AND resolved=? AND payload=? AND id<?")                   \
	X(TRIM_DEAD,                                                                                                               \
	  "DELETE FROM outbox WHERE state=?1 AND id NOT IN (SELECT id FROM (SELECT id, row_number() OVER"                  \
	  " (PARTITION BY integration ORDER BY id DESC) AS nth FROM outbox WHERE state=?1) WHERE nth<=?3"                  \
	  " ORDER BY id DESC LIMIT ?2)")

enum db_statement {
#define X(name, sql) DB_##name,
	DB_STATEMENTS(X)
#undef X
	DB_STATEMENT_COUNT
};

struct db_arg {
	bool is_text;
	int64_t i;
	struct str t;
};
#define DB_I(v) ((struct db_arg){ .i = (int64_t)(v) })
#define DB_T(s) ((struct db_arg){ .is_text = true, .t = (s) })
#define DB_ARGS(...) (const struct db_arg[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct db_arg[]){ __VA_ARGS__ }))

/* Creates or migrates the file, which has its name only once it is whole: one that is empty was emptied. NULL and <e>: damaged (ERR_DAMAGED), of a
 * newer version, not writable. */
struct db *db_open(const char *path, struct err *e);
/* A file that is there, to read beside who owns it. */
struct db *db_open_to_read(const char *path, struct err *e);
void db_close(struct db *);     /* what is in the log is lost, as in a crash */

/* db_salvage.c: puts what can be read of a damaged file into a new one, and moves it aside, under <path>.damaged-<now_ms>. False and <e>: it stays
 * as it is. */
bool db_salvage(const char *path, int64_t now_ms, struct err *e) MUST_CHECK;
/* Before db_open(): a salvage that was killed when all was copied ends now. */
void db_finish_salvage(const char *path);
/* The name of a file that db_salvage() moved and nobody has taken away; empty: none. */
struct str db_damaged(const char *path, struct arena *);

/* Appends to the log; texts are copied. */
void db_add(struct db *, enum db_statement, const struct db_arg *args, size_t n);
#define DB_ADD(db, statement, ...) db_add((db), (statement), DB_ARGS(__VA_ARGS__))
size_t db_log_bytes(const struct db *);
size_t db_log_length(const struct db *);                /* statements */
void db_cut(struct db *, size_t length);                /* what was added since the log was so long is taken back */
bool db_log_is_empty(const struct db *);
/* One transaction for the whole log. False and <e>: nothing of it is on disk, the log stays. */
bool db_commit(struct db *, struct err *e);

/* Reading: what is on disk. Texts among the arguments are borrowed until db_rows_free(). NULL and <e>: it cannot be read. */
struct db_rows *db_select(struct db *, const char *sql, const struct db_arg *args, size_t n, struct err *e);
#define DB_SELECT(db, sql, e, ...) db_select((db), (sql), DB_ARGS(__VA_ARGS__), (e))
void db_rows_free(struct db_rows *);                                    /* NULL is allowed */
/* The next row; false at the end, of NULL, or with <e> set. */
bool db_next(struct db_rows *, struct err *e);
int64_t db_int(const struct db_rows *, int column);
struct str db_text(const struct db_rows *, int column);                 /* until the next row */
struct str db_text_copy(const struct db_rows *, int column, struct arena *);

/* Label sets are kept as JSON objects, sorted by name. */
struct str db_labels_text(struct arena *, struct labels);
struct labels db_labels(const struct db_rows *, int column, struct arena *);    /* damaged text reads as no labels */
/* Doubles are kept by their bits: SQLite has no NaN. */
int64_t db_bits(double);
double db_double(int64_t bits);

#endif
