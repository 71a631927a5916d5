/* What happened, read back from the database: by the owner's thread for the API and the page, and from outside, by a connection of
 * its own that only reads, for the subcommand. Newest first. */
#include "notify/core.h"

#include <stdio.h>

#include "tocsin/json.h"

#define DEFAULT_LIMIT 100
#define MAX_LIMIT 1000

static struct notify_history_entry entry_of(struct db_rows *s, struct arena *a)
{
	return (struct notify_history_entry){
		.id = db_int(s, 0),
		.at_ms = db_int(s, 1),
		.edge = db_text_copy(s, 2, a),
		.rule_file = db_text_copy(s, 3, a),
		.rule_group = db_text_copy(s, 4, a),
		.alertname = db_text_copy(s, 5, a),
		.expr = db_text_copy(s, 6, a),
		.labels = db_labels(s, 7, a),
		.value = db_double(db_int(s, 8)),
		.reason = db_text_copy(s, 9, a),
		.integration = db_text_copy(s, 10, a),
		.key = db_text_copy(s, 11, a),
	};
}

/* What is not asked for is compared with ''. An integration's name begins with its receiver's. */
static struct db_rows *select_events(struct db *db, const struct notify_history_query *q, struct err *e)
{
	static const char base[] = "SELECT * FROM event WHERE id<?1 AND at>=?2 AND at<=?3 AND (?4='' OR edge=?4)"
				   " AND (?5='' OR integration=?5 OR substr(integration,1,length(?5)+1)=?5||'/')";
	char sql[sizeof base + 64];

	snprintf(sql, sizeof sql, "%s%s ORDER BY id DESC", base, q->alertname.n > 0 ? " AND alertname=?6" : "");
	return db_select(db, sql,
			 (const struct db_arg[]){ DB_I(q->before_id != 0 ? q->before_id : INT64_MAX), DB_I(q->from_ms),
						  DB_I(q->to_ms != 0 ? q->to_ms : INT64_MAX), DB_T(q->event), DB_T(q->receiver),
						  DB_T(q->alertname) },
			 q->alertname.n > 0 ? 6 : 5, e);
}

/* An attempt has the labels of its group only: there, what is not said does not contradict. */
static bool fits(const struct matcher_list *m, struct db_rows *s, struct arena *scratch, struct err *e)
{
	bool is_attempt = db_text(s, 10).n > 0;
	struct labels labels;

	arena_reset(scratch);
	labels = m->n > 0 ? db_labels(s, 7, scratch) : (struct labels){ 0 };
	for (size_t i = 0; i < m->n; i++)
		if ((!is_attempt || labels_has(labels, m->v[i].name)) && !matchers_test(&m->v[i], 1, labels, e))
			return false;
	return true;
}

static bool read_events(struct db *db, const struct notify_history_query *q, const struct matcher_list *m, struct arena *a,
			struct notify_history_entry **out, size_t *n, struct err *e)
{
	size_t limit = q->limit == 0 ? DEFAULT_LIMIT : q->limit > MAX_LIMIT ? MAX_LIMIT : q->limit;
	struct db_rows *s = select_events(db, q, e);
	struct arena scratch = { 0 };

	*n = 0;
	*out = ARENA_ARRAY(a, limit, struct notify_history_entry);
	while (*n < limit && db_next(s, e))
		if (fits(m, s, &scratch, e))
			(*out)[(*n)++] = entry_of(s, a);
	db_rows_free(s);
	arena_fini(&scratch);
	return e->code == ERR_NONE;
}

bool core_history(struct core *c, const struct notify_history_query *q, struct arena *a, struct notify_history_entry **out,
		  size_t *n, struct err *e)
{
	return read_events(c->db, q, &(struct matcher_list){ 0 }, a, out, n, e);
}

bool notify_history_read(const char *database_path, const struct notify_history_query *q, const struct str *matchers, size_t n_matchers,
			 struct arena *a, struct notify_history_entry **out, size_t *n, struct err *e)
{
	struct matcher_list m = { .arena = a };
	struct db *db = NULL;
	bool ok = true;

	for (size_t i = 0; ok && i < n_matchers; i++)
		ok = matcher_parse(&m, matchers[i], e) || err_context(e, "\"" STR_FMT "\" is no matcher", STR_ARG(matchers[i]));
	db = ok ? db_open_to_read(database_path, e) : NULL;
	ok = db != NULL && read_events(db, q, &m, a, out, n, e);
	if (db != NULL)
		db_close(db);
	matcher_list_free_regexes(&m);
	return ok;
}

void notify_history_put_json(struct json_out *j, const struct notify_history_entry *h)
{
	json_out_open(j, '{');
	json_out_key(j, "id");
	json_out_int(j, h->id);
	json_out_key(j, "at");
	json_out_time(j, h->at_ms);
	json_out_key(j, "event");
	json_out_str(j, h->edge);
	json_out_key(j, "labels");
	json_out_labels(j, h->labels);
	json_out_key(j, "reason");
	json_out_str(j, h->reason);
	if (h->integration.n > 0) {
		json_out_key(j, "integration");
		json_out_str(j, h->integration);
		json_out_key(j, "key");
		json_out_str(j, h->key);
	} else {
		json_out_key(j, "alertname");
		json_out_str(j, h->alertname);
		json_out_key(j, "group");
		json_out_str(j, h->rule_group);
		json_out_key(j, "file");
		json_out_str(j, h->rule_file);
		json_out_key(j, "query");
		json_out_str(j, h->expr);
		json_out_key(j, "value");
		json_out_num_text(j, h->value);
	}
	json_out_close(j, '}');
}
