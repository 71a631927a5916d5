/* The step that holds delivery together: what is due happens in memory and in the log, the log goes to disk in one commit, and
 * only then do requests go out. When the disk refuses, they go out all the same and an alert says so: repeat rather than lose. */
#include "notify/core.h"

#include <assert.h>
#include <stdlib.h>

#include "notify/receivers/receiver.h"
#include "notify/text.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

#define LOG_MAX_BYTES (256u << 20)      /* of statements that wait for a disk that takes them */
#define COMMIT_RETRY_MS 2000
#define TRIM_EVERY_MS 3600000
#define MAX_EVENTS 1000000
#define MAX_DEAD 1000
#define MAX_DEAD_OF_ONE 100             /* integration: one that refuses again and again does not push out others' */
#define NO_DEAD_LETTER "no dead letter %lld: list them with their ids first"
#define DEFAULT_RETENTION_MS (30 * 86400000LL)

int64_t core_now_ms(const struct core *c)
{
	return clock_now_ms(c->clock);
}

/* splitmix64: jitter needs no more. */
uint64_t core_random(struct core *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* ---- Configurations. ---- */

static bool owns(const struct notify_config *config, const struct integration *in)
{
	for (size_t i = 0; i < config->n_receivers; i++)
		if (in >= config->receivers[i].integrations && in < config->receivers[i].integrations + config->receivers[i].n)
			return true;
	return false;
}

static bool is_needed(const struct core *c, const struct notify_config *config)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		const struct episode *e = s->value;
		const struct integration *in = core_integration(c, e);

		if (in != NULL && owns(config, in))
			return true;
	}
	for (const struct message *m = c->first; m != NULL; m = m->next)
		if (m->work != NULL && owns(config, m->work->integration))
			return true;
	return forward_uses(c, config) || heartbeats_uses(c, config) || points_uses(c, config);
}

static void drop_old_configs(struct core *c)
{
	for (size_t i = c->n_old; i-- > 0;) {
		if (is_needed(c, c->old[i]))
			continue;
		notify_config_free(c->old[i]);
		memmove(&c->old[i], &c->old[i + 1], (--c->n_old - i) * sizeof(struct notify_config *));
	}
}

void core_configure(struct core *c, struct notify_config *config)
{
	if (c->config != NULL) {
		c->old = mem_grow(c->old, &c->cap_old, c->n_old + 1, sizeof(struct notify_config *));
		memmove(c->old + 1, c->old, c->n_old++ * sizeof(struct notify_config *));
		c->old[0] = c->config;
	}
	c->config = config;
	place_follow(c);
	pager_relabel(c);
	forward_configure(c);
	heartbeats_configure(c);
	group_reroute(c);
	own_recheck_stranded(c);
	group_bound_waits(c);
	group_hurry_left_behind(c);
	group_hurry_found(c);
	outbox_hurry_found(c);
	statuspage_follow(c);
}

void core_answer(struct core *c, void *tag, const struct http_answer *answer)
{
	struct asker *asker = tag;

	asker->answered(c, asker, answer);
}

/* ---- Steps of the clock. ---- */

static void shift_group(struct core *c, struct group *g, int64_t step_ms)
{
	g->next_flush_ms += step_ms;
	g->next_phase_ms += g->next_phase_ms != INT64_MAX ? step_ms : 0;
	alarm_shift(g, step_ms);
	group_save(c, g);
}

/* A step of the wall clock is no time that passed: what was to happen in a minute still happens in a minute, also after a crash. */
static void follow_clock(struct core *c)
{
	int64_t step_ms = clock_step_ms(&c->skew, c->clock);

	if (step_ms == 0)
		return;
	log_printf(LOG_WARN, "the wall clock stepped by %lld ms; timers go on as if it had not", (long long)step_ms);
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;)
		shift_group(c, s->value, step_ms);
	for (size_t i = 0; i < c->n_retired; i++)
		shift_group(c, c->retired[i], step_ms);
	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		struct episode *e = s->value;

		e->started_ms += step_ms;
		e->last_sent_ms += step_ms;
		episode_save(c, e);
	}
	outbox_shift(c, step_ms);
	pager_shift(c, step_ms);
	heartbeats_shift(c, step_ms);
	c->next_expiry_ms = 0;
	c->next_commit_ms += step_ms;
	c->next_trim_ms += step_ms;
}

/* ---- What comes in. ---- */

static bool has_room(const struct core *c, struct err *e)
{
	return db_log_bytes(c->db) <= LOG_MAX_BYTES
		|| err_set(e, ERR_UNAVAILABLE, -1, "state that waits for the disk exceeds %u MB (limit LOG_MAX_BYTES): to be offered again later",
			   LOG_MAX_BYTES >> 20);
}

bool core_post(struct core *c, const struct notify_posted *v, size_t n, struct err *e)
{
	follow_clock(c);
	if (!has_room(c, e))
		return false;
	for (size_t i = 0; i < n; i++)
		pager_post(c, &v[i]);
	return true;
}

bool core_batch(struct core *c, const struct alert_batch_rule *rules, size_t n, struct err *e)
{
	follow_clock(c);
	if (!has_room(c, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < rules[i].n_events; k++) {
			pager_event(c, rules[i].rule, &rules[i].events[k]);
			arena_reset(&c->scratch);       /* a storm brings thousands, and nobody holds what one left there */
		}
		for (size_t k = 0; k < rules[i].n_records; k++) {
			pager_record(c, rules[i].rule, &rules[i].records[k]);
			arena_reset(&c->scratch);
		}
	}
	return true;
}

/* A key begins with its file and ';'. */
static bool is_of_file(struct str rule, struct str file)
{
	return rule.n > file.n && str_starts(rule, file) && rule.p[file.n] == ';';
}

/* Not there although its file was read; our own alerts and posted ones have no rule. */
static bool is_deleted(struct str rule, const struct notify_known *known)
{
	if (str_eq(rule, STR("tocsin")) || str_eq(rule, STR("api")))
		return false;
	for (size_t i = 0; i < known->n_keys; i++)
		if (str_eq(rule, known->keys[i]))
			return false;
	for (size_t i = 0; i < known->n_unread; i++)
		if (is_of_file(rule, known->unread[i]))
			return false;
	for (size_t i = 0; i < known->n_files && known->files != NULL; i++)
		if (is_of_file(rule, known->files[i]))
			return true;
	return known->files == NULL;
}

static void forget_states(struct core *c, const struct notify_known *known)
{
	struct err e = { 0 };
	struct db_rows *s = db_select(c->db, "SELECT DISTINCT rule FROM alert_state", NULL, 0, &e);

	while (db_next(s, &e))
		if (is_deleted(db_text(s, 0), known))
			DB_ADD(c->db, DB_DEL_RULE, DB_T(db_text(s, 0)));
	db_rows_free(s);
	if (e.code != ERR_NONE)
		log_event(LOG_ERROR, "the states of deleted rules stay on disk", "err", e.msg, NULL);
}

/* The rule that would tell it is gone, and with it its file, group and expression. */
static void end_orphan(struct core *c, struct page_alert *a)
{
	DB_ADD(c->db, DB_ADD_EVENT, DB_I(core_now_ms(c)), DB_T(str_of(alert_edge_name(EDGE_RESOLVED))), DB_T(STR("")), DB_T(STR("")),
	       DB_T(labels_get(a->labels, STR("alertname"))), DB_T(STR("")), DB_T(db_labels_text(&c->scratch, a->labels)),
	       DB_I(db_bits(a->value)), DB_T(STR("rule deleted")), DB_T(STR("")), DB_T(STR("")));
	pager_end(c, a, core_now_ms(c), STR("rule deleted"));
}

void core_rules_known(struct core *c, const struct notify_known *known)
{
	struct page_alert **orphans = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct page_alert *);
	size_t n_orphans = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->ends_ms == 0 && is_deleted(a->rule, known))
			orphans[n_orphans++] = a;
	}
	for (size_t i = 0; i < n_orphans; i++)
		end_orphan(c, orphans[i]);
	forget_states(c, known);
	own_rule_files(c, known);
}

bool core_resend(struct core *c, int64_t message_id, struct err *e)
{
	struct db_rows *s = DB_SELECT(c->db, "UPDATE outbox SET state=?1, next=?2, created=?2 WHERE id=?3 AND state=?4 RETURNING id", e,
				      DB_I(OUTBOX_QUEUED), DB_I(core_now_ms(c)), DB_I(message_id), DB_I(OUTBOX_DEAD));
	bool found = db_next(s, e);

	db_rows_free(s);
	if (!found)
		return e->code == ERR_NONE && err_set(e, ERR_NOT_FOUND, -1, NO_DEAD_LETTER, (long long)message_id);
	return restore_message(c, message_id, e);
}

bool core_discard(struct core *c, int64_t message_id, struct err *e)
{
	struct db_rows *s = DB_SELECT(c->db,
				      "DELETE FROM outbox WHERE id=?1 AND state=?2 RETURNING integration, "
				      "(SELECT count(*) FROM outbox o WHERE o.integration=outbox.integration AND o.state=?2 AND o.id<>?1)",
				      e, DB_I(message_id), DB_I(OUTBOX_DEAD));
	struct str integration = STR("");
	bool found = db_next(s, e), last = false;

	if (found) {
		integration = db_text_copy(s, 0, &c->scratch);
		last = db_int(s, 1) == 0;
	}
	db_rows_free(s);
	if (!found)
		return e->code == ERR_NONE && err_set(e, ERR_NOT_FOUND, -1, NO_DEAD_LETTER, (long long)message_id);
	if (last)
		own_dead_letter(c, integration, STR(""), false);
	return true;
}

/* ---- Components of status pages. ---- */

struct component {
	struct str key, statuses;
};

static struct str component_key(struct arena *a, struct str page, struct str component)
{
	return arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(page), STR_ARG(component));
}

struct str core_component(struct core *c, struct str page, struct str component)
{
	struct component *found = map_get(&c->components, component_key(&c->scratch, page, component));

	return found != NULL ? found->statuses : STR("");
}

void core_component_load(struct core *c, struct str page, struct str component, struct str statuses)
{
	struct str key = component_key(&c->scratch, page, component);
	struct component *found = map_get(&c->components, key);

	if (found == NULL) {
		found = mem_alloc(sizeof *found);
		found->key = text_dup(key);
		map_put(&c->components, found->key, found);
	}
	text_set(&found->statuses, statuses);
}

void core_component_set(struct core *c, struct str page, struct str component, struct str statuses)
{
	if (str_eq(core_component(c, page, component), statuses))
		return;
	core_component_load(c, page, component, statuses);
	if (statuses.n == 0)
		DB_ADD(c->db, DB_DEL_COMPONENT, DB_T(page), DB_T(component));
	else
		DB_ADD(c->db, DB_PUT_COMPONENT, DB_T(page), DB_T(component), DB_T(statuses));
}

/* ---- The step. ---- */

static void note_commit(struct core *c, double seconds)
{
	c->commits++;
	c->commit_seconds += seconds;
	complain_works(&c->commit_complaint, "writing alert state", "database", core_now_ms(c));
	if (c->not_durable_since_ms != 0)
		own_durability(c, NULL);
	c->not_durable_since_ms = 0;
}

static void note_commit_failure(struct core *c)
{
	int64_t now_ms = core_now_ms(c);

	c->commit_failures++;
	c->next_commit_ms = now_ms + COMMIT_RETRY_MS;
	complain_failed(&c->commit_complaint, "writing alert state", "database", &c->commit_error, now_ms);
	if (c->not_durable_since_ms == 0) {
		c->not_durable_since_ms = now_ms;
		own_durability(c, &c->commit_error);
	}
}

/* False: all stays in the log but what is behind its first <keep> statements. */
static bool commit_log(struct core *c, size_t keep)
{
	int64_t begin_us = clock_mono_us();
	bool due = c->next_commit_ms <= core_now_ms(c);

	if (due)
		c->commit_error = (struct err){ 0 };
	if (due && db_commit(c->db, &c->commit_error)) {
		note_commit(c, (double)(clock_mono_us() - begin_us) / 1e6);
		return true;
	}
	db_cut(c->db, keep);
	if (due)
		note_commit_failure(c);
	return false;
}

bool core_commit_change(struct core *c, size_t before, struct err *e)
{
	return commit_log(c, before)
		|| err_set(e, ERR_UNAVAILABLE, -1, "nothing is changed, for it would not outlive a restart: %s", c->commit_error.msg);
}

struct err core_not_durable(const struct core *c)
{
	return c->not_durable_since_ms != 0 ? c->commit_error : (struct err){ 0 };
}

static void commit(struct core *c)
{
	if (!db_log_is_empty(c->db))
		(void)commit_log(c, db_log_length(c->db));
}

static void trim(struct core *c)
{
	int64_t now_ms = core_now_ms(c);

	if (now_ms < c->next_trim_ms)
		return;
	c->next_trim_ms = now_ms + TRIM_EVERY_MS;
	DB_ADD(c->db, DB_TRIM_EVENTS, DB_I(now_ms - c->retention_ms), DB_I(MAX_EVENTS));
	DB_ADD(c->db, DB_TRIM_MESSAGES, DB_I(OUTBOX_DELIVERED), DB_I(now_ms - c->retention_ms));
	silence_trim(c);
	DB_ADD(c->db, DB_TRIM_PAUSES, DB_I(now_ms));
	DB_ADD(c->db, DB_TRIM_DEAD, DB_I(OUTBOX_DEAD), DB_I(MAX_DEAD), DB_I(MAX_DEAD_OF_ONE));
	DB_ADD(c->db, DB_TRIM_EPISODES, DB_I(OUTBOX_DELIVERED));
	own_damage(c, db_damaged(c->database_path.p, &c->scratch), c->damage);
}

/* What was due or expected meanwhile may be over, or have come in vain. */
static void doubt_all(struct core *c, bool rules_run)
{
	if (rules_run)
		doubt_begin(c);
	pager_extend(c);
	heartbeats_started(c);
}

void core_was_away(struct core *c)
{
	follow_clock(c);
	doubt_all(c, c->settled != NULL);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t core_step(struct core *c)
{
	int64_t due, expiry_ms;

	follow_clock(c);
	expiry_ms = pager_expire(c);
	heartbeats_step(c);
	doubt_step(c);
	group_flush_due(c);
	outbox_schedule(c);
	trim(c);
	commit(c);
	outbox_start(c);
	forward_step(c);
	points_step(c);
	drop_old_configs(c);
	due = least(least(group_next_due_ms(c), outbox_next_due_ms(c)), least(forward_next_due_ms(c), expiry_ms));
	due = least(least(due, doubt_next_due_ms(c)), least(heartbeats_next_due_ms(c), points_next_due_ms(c)));
	if (!db_log_is_empty(c->db))
		due = least(due, c->next_commit_ms);
	arena_reset(&c->scratch);
	return least(due, c->next_trim_ms);
}

/* ---- Opening and closing. ---- */

static struct core *try_open(const struct core_options *o, struct notify_config *config, struct err *e)
{
	struct core *c = mem_alloc(sizeof *c);

	c->clock = o->clock;
	c->transport = o->transport;
	c->external_url = text_dup(o->external_url);
	if (o->link_key != NULL)
		memcpy(c->link_key, o->link_key, sizeof c->link_key);
	c->retention_ms = o->retention_ms != 0 ? o->retention_ms : DEFAULT_RETENTION_MS;
	c->random = o->seed;
	(void)clock_step_ms(&c->skew, c->clock);
	c->next_alert = c->next_group = c->next_message = 1;
	c->heartbeats = heartbeats_new();
	c->forwarding = forward_new(o->resend_delay_ms);
	c->database_path = text_dup(str_of(o->database_path));
	c->db = db_open(o->database_path, e);
	if (c->db == NULL || !restore_all(c, e)) {
		core_close(c);
		return NULL;
	}
	core_configure(c, config);
	if (!restore_pauses(c, e)) {
		c->config = NULL;       /* the caller's still */
		core_close(c);
		return NULL;
	}
	doubt_all(c, o->rules_run);
	own_resume_durability(c);
	return c;
}

/* Rather watch, with what nobody remembers, than not. */
static struct core *open_without_disk(const struct core_options *o, struct notify_config *config, const struct err *why, struct err *e)
{
	struct core_options in_memory = *o;
	struct core *c;

	in_memory.database_path = DB_IN_MEMORY;
	c = try_open(&in_memory, config, e);
	log_event(LOG_ERROR, "the database of alerts is damaged and cannot be replaced: state is in memory only", "err", why->msg, NULL);
	if (c != NULL)
		c->damage = text_dup(str_of(why->msg));
	return c;
}

struct core *core_open(const struct core_options *o, struct notify_config *config, struct err *e)
{
	struct err first = { 0 }, why = { 0 };
	struct core *c;

	db_finish_salvage(o->database_path);
	c = try_open(o, config, &first);
	if (c != NULL)
		return c;
	if (first.code != ERR_DAMAGED) {
		*e = first;
		return NULL;
	}
	if (!db_salvage(o->database_path, clock_now_ms(o->clock), &why))
		return open_without_disk(o, config, &why, e);
	return try_open(o, config, e);
}

static void free_deliveries(struct core *c)
{
	for (struct message *m = c->first; m != NULL; m = m->next) {
		if (m->work == NULL)
			continue;
		arena_fini(&m->work->arena);
		free(m->work);
	}
}

static void free_map(struct map *m, void (*release)(void *))
{
	for (struct map_slot *s = NULL; (s = map_next(m, s)) != NULL;)
		release(s->value);
	map_fini(m);
}

static void free_alert(void *p)
{
	pager_free(p);
}

static void free_group(void *p)
{
	group_free(p);
}

static void free_episode(void *p)
{
	episode_free(p);
}

static void free_destination(void *p)
{
	text_free(((struct destination *)p)->key);
	free(p);
}

static void free_stats(void *p)
{
	struct integration_stats *s = p;

	text_free(s->name);
	text_free(s->receiver);
	text_free(s->kind);
	free(s);
}

static void free_component(void *p)
{
	struct component *k = p;

	text_free(k->key);
	text_free(k->statuses);
	free(k);
}

static void free_silence(void *p)
{
	silence_free(p);
}

void core_close(struct core *c)
{
	free_deliveries(c);
	outbox_free_all(c);
	forward_free(c->forwarding);
	heartbeats_free(c->heartbeats);
	points_free(c);
	for (size_t i = 0; i < c->n_retired; i++)
		group_free(c->retired[i]);
	free_map(&c->groups, free_group);
	free_map(&c->episodes, free_episode);
	free_map(&c->alerts, free_alert);
	map_fini(&c->by_labels);
	free_map(&c->destinations, free_destination);
	free_map(&c->stats, free_stats);
	free_map(&c->components, free_component);
	free_map(&c->silences, free_silence);
	for (size_t i = 0; i < c->n_old; i++)
		notify_config_free(c->old[i]);
	notify_config_free(c->config);
	if (c->db != NULL)
		db_close(c->db);
	text_free(c->external_url);
	text_free(c->database_path);
	text_free(c->damage);
	free(c->old);
	free(c->retired);
	arena_fini(&c->scratch);
	free(c);
}
