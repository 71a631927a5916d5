/* Reading the database back into memory at the start, in the order of who refers to whom: alerts, groups, members, episodes,
 * what they told, messages, components. A row that refers to what is gone is left out with a line in the log; a message is sent even then. */
#include "notify/core.h"

#include <stdio.h>

#include "notify/text.h"
#include "tocsin/log.h"

struct restore {
	struct core *c;
	struct map alerts, groups;      /* by id */
	size_t orphans;                 /* rows left out */
};

static struct str id_key(const int64_t *id)
{
	return (struct str){ (const char *)id, sizeof *id };
}

static void *by_id(const struct map *m, int64_t id)
{
	return map_get(m, id_key(&id));
}

static struct labels heap_labels(struct core *c, struct db_rows *s, int column)
{
	return text_dup_labels(db_labels(s, column, &c->scratch));
}

static int64_t beyond(int64_t next, int64_t id)
{
	return id >= next ? id + 1 : next;
}

/* When something happened, in the past even if the clock is behind what it showed then. */
static int64_t past(const struct core *c, int64_t at_ms)
{
	int64_t now_ms = core_now_ms(c);

	return at_ms < now_ms ? at_ms : now_ms;
}

static void alert_row(struct restore *r, struct db_rows *s)
{
	struct core *c = r->c;
	struct page_alert *a = pager_new(c, db_int(s, 0), db_text(s, 1), db_labels(s, 2, &c->scratch),
					 db_labels(s, 11, &c->scratch));

	text_free_labels(a->annotations);
	a->annotations = heap_labels(c, s, 3);
	text_set(&a->generator_url, db_text(s, 4));
	a->value = db_double(db_int(s, 5));
	text_set(&a->value_text, db_text(s, 6));
	text_set(&a->reason, db_text(s, 7));
	a->expires_ms = db_int(s, 12);
	a->starts_ms = a->expires_ms == 0 ? past(c, db_int(s, 8)) : db_int(s, 8);
	a->ends_ms = past(c, db_int(s, 9));
	a->no_data_since_ms = past(c, db_int(s, 10));
	a->heard_end_ms = past(c, db_int(s, 13));
	c->next_alert = beyond(c->next_alert, a->id);
	map_put(&r->alerts, id_key(&a->id), a);
}

static void group_row(struct restore *r, struct db_rows *s)
{
	struct core *c = r->c;
	struct group *g = group_new(c, db_int(s, 0), db_text(s, 1), db_text(s, 2), db_labels(s, 3, &c->scratch));

	g->next_flush_ms = g->next_phase_ms = db_int(s, 4);
	snprintf(g->alarm.id, sizeof g->alarm.id, STR_FMT, STR_ARG(db_text(s, 6)));
	g->alarm.since_ms = past(c, db_int(s, 7));
	if (g->alarm.since_ms != 0)     /* it has told, so status pages wait for nothing but their own time */
		g->next_phase_ms = core_now_ms(c);
	g->alarm.steps = (unsigned)db_int(s, 8);
	g->alarm.ack_ms = db_int(s, 9);
	text_set(&g->alarm.ack_by, db_text(s, 10));
	if (db_int(s, 5))
		group_retire(c, g);
	else
		map_put(&c->groups, g->map_key, g);
	c->next_group = beyond(c->next_group, g->id);
	map_put(&r->groups, id_key(&g->id), g);
}

static void member_row(struct restore *r, struct db_rows *s)
{
	struct group *g = by_id(&r->groups, db_int(s, 0));
	struct page_alert *a = by_id(&r->alerts, db_int(s, 1));

	if (g != NULL && a != NULL)
		group_add_member(g, a);
	else
		r->orphans++;
}

static void episode_row(struct restore *r, struct db_rows *s)
{
	char id[37];
	struct episode *e;
	struct group *g = by_id(&r->groups, db_int(s, 1));

	snprintf(id, sizeof id, STR_FMT, STR_ARG(db_text(s, 0)));
	e = episode_new(r->c, id);
	text_set(&e->integration, db_text(s, 2));
	e->identity = (uint64_t)db_int(s, 3);
	e->seq = db_int(s, 4);
	e->started_ms = past(r->c, db_int(s, 5));
	e->last_sent_ms = past(r->c, db_int(s, 6));
	e->again = db_int(s, 7) != 0;
	e->closed = db_int(s, 8) != 0 || g == NULL;
	text_set(&e->remote, db_text(s, 9));
	text_set(&e->remote_status, db_text(s, 10));
	e->phase = (enum phase)db_int(s, 11);
	e->heard = db_int(s, 12) != 0;
	if (!e->closed)
		episode_attach(g, e);
}

static void told_row(struct restore *r, struct db_rows *s)
{
	struct episode *e = map_get(&r->c->episodes, db_text(s, 0));
	struct page_alert *a = by_id(&r->alerts, db_int(s, 1));

	if (e != NULL && a != NULL && !e->closed)
		episode_add_told(e, a, db_int(s, 2) != 0);
	else
		r->orphans++;
}

#define MESSAGE_COLUMNS                                                                                                            \
	"id,episode,seq,group_key,labels,resolved,payload,state,created,next,attempts,doubtful,last_status,last_error," \
	"integration,identity"

/* Its message says enough of one that is no more to be sent. */
static struct episode *lost_episode(struct core *c, struct db_rows *s)
{
	struct episode *e = episode_new(c, arena_strz(&c->scratch, db_text(s, 1)));

	text_set(&e->integration, db_text(s, 14));
	e->identity = (uint64_t)db_int(s, 15);
	e->seq = db_int(s, 2);
	e->closed = e->heard = true;
	episode_save(c, e);
	return e;
}

static void message_row(struct restore *r, struct db_rows *s)
{
	struct core *c = r->c;
	struct episode *e = map_get(&c->episodes, db_text(s, 1));
	struct message *m;

	e = e != NULL ? e : lost_episode(c, s);
	m = outbox_new(c, db_int(s, 0), e, db_int(s, 2));
	m->integration = text_dup(e->integration);
	m->identity = e->identity;
	m->group_key = text_dup(db_text(s, 3));
	m->labels = heap_labels(c, s, 4);
	m->resolved = db_int(s, 5) != 0;
	m->payload = text_dup(db_text(s, 6));
	m->state = db_int(s, 7) == OUTBOX_QUEUED ? OUTBOX_QUEUED : OUTBOX_UNKNOWN;
	m->created_ms = past(c, db_int(s, 8));
	m->next_ms = past(c, db_int(s, 9) - OUTBOX_WAIT_MAX_MS) + OUTBOX_WAIT_MAX_MS;
	m->attempts = (unsigned)db_int(s, 10);
	m->doubtful = db_int(s, 11) != 0 || m->state == OUTBOX_UNKNOWN;
	m->last_status = (int)db_int(s, 12);
	text_set(&m->last_error, db_text(s, 13));
	if (m->doubtful && !e->heard) {
		e->heard = true;
		episode_save(c, e);
	}
}

static void component_row(struct restore *r, struct db_rows *s)
{
	core_component_load(r->c, db_text(s, 0), db_text(s, 1), db_text(s, 2));
}

static void silence_row(struct restore *r, struct db_rows *s)
{
	struct core *c = r->c;
	const struct notify_silence silence = {
		.starts_ms = db_int(s, 2),
		.ends_ms = db_int(s, 3),
		.updated_ms = db_int(s, 4),
		.author = db_text_copy(s, 5, &c->scratch),
		.comment = db_text_copy(s, 6, &c->scratch),
	};

	silence_load(c, arena_strz(&c->scratch, db_text(s, 0)), db_text(s, 1), &silence);
}

static void heartbeat_row(struct restore *r, struct db_rows *s)
{
	heartbeats_load(r->c, db_text(s, 0), past(r->c, db_int(s, 1)), past(r->c, db_int(s, 2)));
}

static bool each(struct restore *r, const char *sql, void (*row)(struct restore *, struct db_rows *), struct err *e)
{
	struct db_rows *s = db_select(r->c->db, sql, NULL, 0, e);

	while (db_next(s, e))
		row(r, s);
	db_rows_free(s);
	return e->code == ERR_NONE;
}

static bool last_message_id(struct core *c, struct err *e)
{
	struct db_rows *s = db_select(c->db, "SELECT coalesce(max(id),0) FROM outbox", NULL, 0, e);

	if (db_next(s, e))
		c->next_message = beyond(c->next_message, db_int(s, 0));
	db_rows_free(s);
	return e->code == ERR_NONE;
}

static void free_leftovers(struct core *c)
{
	struct episode **done = ARENA_ARRAY(&c->scratch, c->episodes.n + 1, struct episode *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;)
		done[n++] = s->value;
	for (size_t i = 0; i < n; i++)
		episode_free_if_done(c, done[i]);
}

bool restore_all(struct core *c, struct err *e)
{
	struct restore r = { .c = c };
	bool ok = each(&r, "SELECT * FROM page_alert", alert_row, e) && each(&r, "SELECT * FROM page_group", group_row, e)
	          && each(&r, "SELECT * FROM page_member", member_row, e) && each(&r, "SELECT * FROM episode", episode_row, e)
	          && each(&r, "SELECT * FROM told", told_row, e)
	          && each(&r, "SELECT " MESSAGE_COLUMNS " FROM outbox WHERE state IN (0,1,2) ORDER BY id", message_row, e)
	          && each(&r, "SELECT * FROM component", component_row, e)
	          && each(&r, "SELECT * FROM silence", silence_row, e)
	          && each(&r, "SELECT * FROM heartbeat", heartbeat_row, e) && last_message_id(c, e);

	if (r.orphans > 0)
		log_printf(LOG_WARN, "the database holds %zu rows that refer to nothing; they are ignored", r.orphans);
	if (ok)
		free_leftovers(c);
	map_fini(&r.alerts);
	map_fini(&r.groups);
	return ok;
}

static void pause_row(struct restore *r, struct db_rows *s)
{
	const struct integration *in
		= notify_config_find_place(r->c->config, db_text(s, 0), (uint64_t)db_int(s, 1), false);
	int64_t left_ms = db_int(s, 2) - core_now_ms(r->c);

	if (in != NULL && left_ms > 0)
		outbox_pause(r->c, in, left_ms);
}

bool restore_pauses(struct core *c, struct err *e)
{
	struct restore r = { .c = c };

	return each(&r, "SELECT * FROM pause", pause_row, e);
}

static bool find_row(struct restore *r, const char *sql, int64_t id, void (*row)(struct restore *, struct db_rows *), struct err *e)
{
	struct db_rows *s = DB_SELECT(r->c->db, sql, e, DB_I(id));

	if (db_next(s, e))
		row(r, s);
	db_rows_free(s);
	return e->code == ERR_NONE;
}

static void closed_episode_row(struct restore *r, struct db_rows *s)
{
	if (map_get(&r->c->episodes, db_text(s, 0)) == NULL)
		episode_row(r, s);
}

bool restore_message(struct core *c, int64_t id, struct err *e)
{
	struct restore r = { .c = c };

	return find_row(&r, "SELECT * FROM episode WHERE id=(SELECT episode FROM outbox WHERE id=?)", id, closed_episode_row, e)
	       && find_row(&r, "SELECT " MESSAGE_COLUMNS " FROM outbox WHERE id=?", id, message_row, e);
}
