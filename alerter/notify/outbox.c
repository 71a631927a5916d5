/* Messages on their way. A message is queued, in flight, of unknown outcome, delivered or dead; in flight is on disk before its
 * first byte goes out, so a crash finds out what may have arrived. Messages of one group to one integration go one after the other,
 * from episode to episode: a page never overtakes the end of the one before. A destination that hangs holds up only its own. */
#include "notify/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "notify/receivers/receiver.h"
#include "notify/text.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define SLOW_MS 60000                   /* wrong key or address: a person has to act */
#define GIVE_UP_AFTER_MS (24 * 3600000LL)
#define NOTE_BYTES 160                  /* of an answer, in history */
#define NO_RECEIVER "where it is to go is configured no more"

static const char *const state_names[] = { "queued", "in flight", "unknown", "delivered", "dead" };

const char *outbox_state_name(enum outbox_state s)
{
	assert((size_t)s < ARRAY_LEN(state_names));
	return state_names[s];
}

/* ---- Lanes: what goes one after the other. ---- */

struct lane {
	struct str key;                 /* integration, NUL, its place, group key */
	size_t messages;
	uint64_t pass;                  /* of the scheduler: one ahead was seen */
};

static struct lane *lane_of(struct core *c, struct message *m)
{
	struct str key;
	struct lane *lane;

	if (m->lane != NULL)
		return m->lane;
	key = arena_printf(&c->scratch, STR_FMT "%c%016llx" STR_FMT, STR_ARG(m->integration), 0, (unsigned long long)m->identity,
			   STR_ARG(m->group_key));
	lane = map_get(&c->lanes, key);
	if (lane == NULL) {
		lane = mem_alloc(sizeof *lane);
		lane->key = text_dup(key);
		map_put(&c->lanes, lane->key, lane);
	}
	lane->messages++;
	return m->lane = lane;
}

static void leave_lane(struct core *c, const struct message *m)
{
	struct lane *lane = m->lane;

	if (lane == NULL || --lane->messages > 0)
		return;
	map_del(&c->lanes, lane->key);
	text_free(lane->key);
	free(lane);
}

/* True when another message of its lane came before it in this pass. */
static bool is_behind(struct core *c, struct message *m)
{
	struct lane *lane = lane_of(c, m);
	bool behind = lane->pass == c->passes;

	lane->pass = c->passes;
	return behind;
}

bool outbox_is_followed(const struct message *m)
{
	return m->lane != NULL && m->lane->messages > 1;
}

/* ---- Messages. ---- */

struct message *outbox_new(struct core *c, int64_t id, struct episode *e, int64_t seq)
{
	struct message *m = mem_alloc(sizeof *m);
	char key[64];
	int n = snprintf(key, sizeof key, "%s-%lld", e->id, (long long)seq);

	m->id = id;
	m->seq = seq;
	m->episode = e;
	m->key = text_dup((struct str){ key, (size_t)n });
	m->last_error = text_dup(STR(""));
	e->unfinished++;
	m->prev = c->last;
	*(c->last != NULL ? &c->last->next : &c->first) = m;
	c->last = m;
	return m;
}

static void release(struct core *c, struct message *m)
{
	leave_lane(c, m);
	text_free(m->key);
	text_free(m->integration);
	text_free(m->group_key);
	text_free_labels(m->labels);
	text_free(m->payload);
	text_free(m->last_error);
	free(m);
}

void outbox_free(struct core *c, struct message *m)
{
	*(m->prev != NULL ? &m->prev->next : &c->first) = m->next;
	*(m->next != NULL ? &m->next->prev : &c->last) = m->prev;
	m->episode->unfinished--;
	episode_free_if_done(c, m->episode);
	release(c, m);
}

void outbox_free_all(struct core *c)
{
	for (struct message *m = c->first, *next; m != NULL; m = next) {
		next = m->next;
		release(c, m);
	}
	c->first = c->last = NULL;
	map_fini(&c->lanes);
}

void outbox_add(struct core *c, struct episode *e, struct str group_key, struct labels labels, bool resolved, struct str payload)
{
	struct message *m = outbox_new(c, c->next_message++, e, e->seq);

	m->integration = text_dup(e->integration);
	m->identity = e->identity;
	m->group_key = text_dup(group_key);
	m->labels = text_dup_labels(labels);
	m->resolved = resolved;
	m->payload = text_dup(payload);
	m->created_ms = m->next_ms = core_now_ms(c);
	outbox_stats(c, m->integration)->s.notifications++;
	DB_ADD(c->db, DB_ADD_MESSAGE, DB_I(m->id), DB_T(str_of(e->id)), DB_I(m->seq), DB_T(m->integration), DB_I(m->identity),
	       DB_T(m->group_key), DB_T(db_labels_text(&c->scratch, m->labels)), DB_I(m->resolved), DB_T(m->payload),
	       DB_I(m->state), DB_I(m->created_ms), DB_I(m->next_ms), DB_I(0), DB_I(0), DB_I(0), DB_T(STR("")), DB_I(0));
}

static void save(struct core *c, const struct message *m, int64_t finished_ms)
{
	DB_ADD(c->db, DB_SET_MESSAGE, DB_I(m->state), DB_I(m->next_ms), DB_I(m->attempts), DB_I(m->doubtful), DB_I(m->last_status),
	       DB_T(m->last_error), DB_I(finished_ms), DB_I(m->id), DB_I(m->created_ms));
}

/* The one place that changes a message's state. */
static void set_state(struct core *c, struct message *m, enum outbox_state state)
{
	bool finished = state == OUTBOX_DELIVERED || state == OUTBOX_DEAD;

	m->state = state;
	save(c, m, finished ? core_now_ms(c) : 0);
	if (finished)
		c->finished[state]++;
}

void outbox_set_payload(struct core *c, struct message *m, struct str payload)
{
	text_set(&m->payload, payload);
	DB_ADD(c->db, DB_SET_PAYLOAD, DB_T(m->payload), DB_I(m->id));
}

void outbox_shift(struct core *c, int64_t step_ms)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->destinations, s)) != NULL;)
		((struct destination *)s->value)->not_before_ms += step_ms;
	DB_ADD(c->db, DB_SHIFT_PAUSES, DB_I(step_ms));
	for (struct message *m = c->first; m != NULL; m = m->next) {
		m->next_ms += step_ms;
		m->created_ms += step_ms;
		if (m->work != NULL)
			m->work->not_before_ms += step_ms;
		save(c, m, 0);
	}
}

/* ---- Who gets it, and how fast. ---- */

struct integration_stats *outbox_stats(struct core *c, struct str name)
{
	struct integration_stats *s = map_get(&c->stats, name);
	struct str receiver = name, kind = STR("");

	if (s != NULL)
		return s;
	s = mem_alloc(sizeof *s);
	s->name = text_dup(name);
	for (size_t i = name.n; i-- > 0;)
		if (name.p[i] == '/') {
			receiver = (struct str){ name.p, i };
			kind = (struct str){ name.p + i + 1, name.n - i - 1 };
			kind.n = str_chr(kind, '[');
			break;
		}
	s->receiver = text_dup(receiver);
	s->kind = text_dup(kind);
	s->s.receiver = s->receiver;
	s->s.kind = s->kind;
	s->s.integration = s->name;
	map_put(&c->stats, s->name, s);
	return s;
}

static struct destination *destination(struct core *c, struct str key)
{
	struct destination *d = map_get(&c->destinations, key);

	if (d == NULL) {
		d = mem_alloc(sizeof *d);
		d->key = text_dup(key);
		map_put(&c->destinations, d->key, d);
	}
	return d;
}

bool outbox_take(struct core *c, const struct integration *in)
{
	struct destination *d = destination(c, in->destination);

	if (d->in_flight >= in->kind->max_in_flight || d->not_before_ms > core_now_ms(c))
		return false;
	d->in_flight++;
	d->not_before_ms = core_now_ms(c) + in->kind->gap_ms;
	return true;
}

void outbox_release(struct core *c, struct str key)
{
	destination(c, key)->in_flight--;
}

void outbox_pause(struct core *c, const struct integration *in, int64_t wish_ms)
{
	struct destination *d = destination(c, in->destination);
	int64_t until_ms = core_now_ms(c) + (wish_ms < OUTBOX_WAIT_MAX_MS ? wish_ms : OUTBOX_WAIT_MAX_MS);

	if (until_ms <= d->not_before_ms)
		return;
	d->not_before_ms = until_ms;
	DB_ADD(c->db, DB_PUT_PAUSE, DB_T(in->name), DB_I(in->identity), DB_I(until_ms));
}

int64_t outbox_free_at_ms(const struct core *c, const struct integration *in)
{
	const struct destination *d = map_get(&c->destinations, in->destination);

	if (d == NULL)
		return core_now_ms(c);
	return d->in_flight >= in->kind->max_in_flight ? INT64_MAX : d->not_before_ms;
}

/* ---- Verdicts. ---- */

static struct str hide(struct arena *a, struct str text, struct str secret)
{
	struct buf b = { 0 };
	size_t at;

	if (secret.n < 4)
		return text;
	while ((at = str_find(text, secret)) < text.n) {
		buf_puts(&b, (struct str){ text.p, at });
		buf_putz(&b, "<secret>");
		text = (struct str){ text.p + at + secret.n, text.n - at - secret.n };
	}
	buf_puts(&b, text);
	text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

struct str outbox_describe(struct delivery *d, const struct http_answer *answer)
{
	const struct connection_settings *h = &d->integration->http;
	struct str secrets[RECEIVER_MAX_SECRETS + 3]
		= { h->basic.password, h->auth.credentials, h->oauth2 != NULL ? h->oauth2->client_secret : STR("") };
	struct str text = answer->fate == HTTP_ANSWERED ? answer->body : answer->error;
	size_t n = 3;

	d->integration->kind->secrets(d->integration, secrets, &n);
	if (text.n > 4096)
		text.n = 4096;
	for (size_t i = 0; i < n; i++)
		text = hide(&d->arena, text, secrets[i]);
	text = text_clean(&d->arena, text, NOTE_BYTES);
	if (answer->fate == HTTP_ANSWERED && d->call.mail == NULL)
		text = arena_printf(&d->arena, "HTTP %d%s" STR_FMT, answer->status, text.n > 0 ? ": " : "", STR_ARG(text));
	if (d->note != NULL)
		text = arena_printf(&d->arena, "%s (" STR_FMT ")", d->note, STR_ARG(text));
	return text;
}

static void record_attempt(struct core *c, const struct message *m, const char *edge, struct str reason)
{
	DB_ADD(c->db, DB_ADD_EVENT, DB_I(core_now_ms(c)), DB_T(str_of(edge)), DB_T(STR("")), DB_T(STR("")),
	       DB_T(labels_get(m->labels, STR("alertname"))), DB_T(STR("")), DB_T(db_labels_text(&c->scratch, m->labels)),
	       DB_I(db_bits(0)), DB_T(reason), DB_T(m->integration), DB_T(m->key));
}

/* Exponential with full jitter in its upper half. */
static int64_t backoff_ms(struct core *c, const struct message *m)
{
	int64_t ms = BACKOFF_FIRST_MS;

	for (unsigned i = 1; i < m->attempts && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	return ms / 2 + (int64_t)(core_random(c) % (uint64_t)(ms / 2 + 1));
}

static void deliver_later(struct core *c, struct message *m, const struct delivery *d)
{
	int64_t now_ms = core_now_ms(c), wait_ms = backoff_ms(c, m), wish_ms = d->retry_after_ms;

	wish_ms = wish_ms < OUTBOX_WAIT_MAX_MS ? wish_ms : OUTBOX_WAIT_MAX_MS;
	if (d->slow && wait_ms < SLOW_MS)
		wait_ms = SLOW_MS;
	if (wish_ms > 0)
		outbox_pause(c, d->integration, wish_ms);
	m->next_ms = now_ms + (wait_ms > wish_ms ? wait_ms : wish_ms);
	m->doubtful = m->doubtful || d->unknown;
	set_state(c, m, d->unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED);
}

/* Nothing but "a message to you was given up", which it has just refused to hear. */
static bool tells_of_itself_alone(const struct message *m)
{
	bool alone = m->episode->told.n > 0;

	for (struct map_slot *s = NULL; alone && (s = map_next(&m->episode->told, s)) != NULL;)
		alone = own_is_dead_letter(s->value, m->integration);
	return alone;
}

/* As long as nothing changes, the last refusal stands for those before it. */
static void bury(struct core *c, struct message *m)
{
	set_state(c, m, OUTBOX_DEAD);
	DB_ADD(c->db, DB_DEL_SAME_DEAD, DB_I(OUTBOX_DEAD), DB_T(str_of(m->episode->id)), DB_I(m->resolved), DB_T(m->payload), DB_I(m->id));
	if (!m->resolved && !m->episode->closed && !tells_of_itself_alone(m)) {
		m->episode->again = true;
		episode_save(c, m->episode);
	}
	log_event(LOG_ERROR, "a notification could not be delivered", "integration", m->integration.p, "key", m->key.p, "err",
		  m->last_error.p, NULL);
	own_dead_letter(c, m->integration, m->last_error, true);
	outbox_free(c, m);
}

static void end_work(struct core *c, struct message *m)
{
	struct delivery *d = m->work;

	destination(c, d->integration->destination)->in_flight--;
	m->episode->in_flight--;
	m->work = NULL;
	arena_fini(&d->arena);
	free(d);
}

/* That it says "a message was given up" is no sign that others arrive. */
static bool tells_of_us_alone(const struct episode *e)
{
	bool alone = e->told.n > 0;

	for (struct map_slot *s = NULL; alone && (s = map_next(&e->told, s)) != NULL;)
		alone = own_is_ours(s->value);
	return alone;
}

static void complain(struct core *c, const struct message *m, bool works)
{
	struct complaint *complaint = &outbox_stats(c, m->integration)->complaint;
	struct err e = { 0 };

	if (works) {
		complain_works(complaint, "delivery", m->integration.p, core_now_ms(c));
		return;
	}
	err_set(&e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG(m->last_error));
	complain_failed(complaint, "delivery", m->integration.p, &e, core_now_ms(c));
}

static void conclude(struct core *c, struct delivery *d, enum deliver_next next, struct str reason)
{
	struct message *m = d->message;
	bool gives_up = next == DELIVER_RETRY && core_now_ms(c) - m->created_ms > GIVE_UP_AFTER_MS;

	if (gives_up || next == DELIVER_DEAD)
		next = DELIVER_DEAD;
	record_attempt(c, m,
		       next == DELIVER_DONE           ? "delivered"
			       : next == DELIVER_DEAD ? "dead"
			       : d->unknown           ? "unknown"
						      : "retry",
		       reason);
	text_set(&m->last_error, next == DELIVER_DONE ? STR("") : reason);
	if (next != DELIVER_DEAD)       /* that has a line of its own */
		complain(c, m, next == DELIVER_DONE);
	if (next == DELIVER_RETRY)
		deliver_later(c, m, d);
	end_work(c, m);
	if (next == DELIVER_DONE) {
		outbox_stats(c, m->integration)->s.last_success_ms = core_now_ms(c);
		set_state(c, m, OUTBOX_DELIVERED);
		if (!tells_of_us_alone(m->episode))
			own_dead_letter(c, m->integration, STR(""), false);
		outbox_free(c, m);
	} else if (next == DELIVER_DEAD) {
		bury(c, m);
	}
}

static void count_answer(struct core *c, const struct message *m, const struct http_answer *answer)
{
	struct notify_integration_stats *s = &outbox_stats(c, m->integration)->s;
	bool good = answer->fate == HTTP_ANSWERED && answer->status >= 200 && answer->status < 300;

	s->requests++;
	s->requests_failed += !good;
	if (!good)
		s->failed[receiver_reason(answer)]++;
	s->latency_seconds_sum += answer->seconds;
	s->latency_count++;
}

static void note_heard(struct core *c, struct episode *e, const struct http_answer *answer)
{
	if (e->heard || answer->fate == HTTP_NOT_SENT || (answer->fate == HTTP_ANSWERED && answer->status >= 300))
		return;
	e->heard = true;
	episode_save(c, e);
}

static void answered(struct core *c, struct asker *asker, const struct http_answer *answer)
{
	struct delivery *d = (struct delivery *)asker;
	enum deliver_next next;

	d->asking = false;
	d->message->last_status = answer->fate == HTTP_ANSWERED ? answer->status : 0;
	d->retry_after_ms = -1;
	d->unknown = false;
	count_answer(c, d->message, answer);
	note_heard(c, d->message->episode, answer);
	next = d->integration->kind->advance(d, answer);
	if (next != DELIVER_ASK)
		conclude(c, d, next, outbox_describe(d, answer));
}

/* ---- What goes out now. ---- */

static void begin(struct core *c, struct message *m, const struct integration *in)
{
	struct delivery *d = mem_alloc(sizeof *d);
	enum deliver_next next;

	d->asker.answered = answered;
	d->message = m;
	d->integration = in;
	d->core = c;
	d->retry_after_ms = -1;
	m->work = d;
	m->attempts++;
	destination(c, in->destination)->in_flight++;
	m->episode->in_flight++;
	set_state(c, m, OUTBOX_IN_FLIGHT);
	next = in->kind->advance(d, NULL);
	if (next != DELIVER_ASK)
		conclude(c, d, next, str_of(d->note != NULL ? d->note : "nothing to do"));
}

static void without_receiver(struct core *c, struct message *m)
{
	int64_t now_ms = core_now_ms(c);

	text_set(&m->last_error, STR(NO_RECEIVER));
	m->next_ms = now_ms + SLOW_MS;
	if (now_ms - m->created_ms <= GIVE_UP_AFTER_MS)
		return;
	record_attempt(c, m, "dead", m->last_error);
	bury(c, m);
}

void outbox_follow(struct core *c)
{
	for (struct message *m = c->first; m != NULL; m = m->next) {
		const struct episode *e = m->episode;

		if (m->identity == e->identity && str_eq(m->integration, e->integration))
			continue;
		leave_lane(c, m);
		m->lane = NULL;
		if (m->identity != e->identity && m->work == NULL)
			m->next_ms = core_now_ms(c);    /* what kept it waiting was the old place */
		m->identity = e->identity;
		text_set(&m->integration, e->integration);
	}
}

void outbox_hurry_found(struct core *c)
{
	for (struct message *m = c->first; m != NULL; m = m->next)
		if (str_eq(m->last_error, STR(NO_RECEIVER)) && core_integration(c, m->episode) != NULL)
			m->next_ms = core_now_ms(c);
}

void outbox_schedule(struct core *c)
{
	int64_t now_ms = core_now_ms(c);

	c->passes++;
	for (struct message *m = c->paused ? NULL : c->first, *next; m != NULL; m = next) {
		const struct integration *in;
		const struct destination *to;

		next = m->next;
		if (is_behind(c, m) || m->work != NULL || m->next_ms > now_ms)
			continue;
		in = core_integration(c, m->episode);
		if (in == NULL) {
			without_receiver(c, m);
			continue;
		}
		to = destination(c, in->destination);
		if (to->in_flight < in->kind->max_in_flight && to->not_before_ms <= now_ms)
			begin(c, m, in);
	}
}

void outbox_start(struct core *c)
{
	int64_t now_ms = core_now_ms(c);

	for (struct message *m = c->paused ? NULL : c->first; m != NULL; m = m->next) {
		struct delivery *d = m->work;
		struct destination *to = d != NULL && !d->asking ? destination(c, d->integration->destination) : NULL;

		if (to == NULL || d->not_before_ms > now_ms || to->not_before_ms > now_ms)
			continue;
		d->asking = true;
		if (d->integration->kind->gap_ms > 0)
			to->not_before_ms = now_ms + d->integration->kind->gap_ms;
		c->transport->ops->start(c->transport, &d->call, d);
	}
}

int64_t outbox_next_due_ms(struct core *c)
{
	int64_t due = INT64_MAX;

	c->passes++;
	for (struct message *m = c->first; m != NULL; m = m->next) {
		const struct delivery *d = m->work;
		const struct integration *in = d == NULL ? core_integration(c, m->episode) : d->integration;
		const struct destination *to = in != NULL ? map_get(&c->destinations, in->destination) : NULL;
		int64_t at = d != NULL ? d->not_before_ms : m->next_ms;

		if (is_behind(c, m) || (d != NULL ? d->asking : to != NULL && to->in_flight >= in->kind->max_in_flight))
			continue;
		if (to != NULL && to->not_before_ms > at)
			at = to->not_before_ms;
		due = at < due ? at : due;
	}
	return due;
}
