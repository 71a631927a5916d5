/* When a group has something to say, and what: Alertmanager's rules (group_interval, repeat_interval), but an end always
 * follows a page. What is muted (silence, inhibition, time interval) is no news and is not repeated; what was told before stays
 * told, so its end is told too. */
#include "notify/core.h"

#include <stdlib.h>

#include "notify/receivers/receiver.h"

#define RETIRED_INTERVAL_MS 30000

enum why { WHY_NOTHING, WHY_FIRST, WHY_NEW, WHY_AGAIN, WHY_SOME_ENDED, WHY_ALL_ENDED, WHY_PHASE, WHY_REPEAT };
static const char *const reason_texts[] = {
	[WHY_NOTHING] = "none",
	[WHY_FIRST] = "first notification",
	[WHY_NEW] = "new alerts added",
	[WHY_AGAIN] = "new alerts added",
	[WHY_SOME_ENDED] = "some alerts resolved",
	[WHY_ALL_ENDED] = "all alerts resolved",
	[WHY_PHASE] = "status changed",
	[WHY_REPEAT] = "repeat interval elapsed",
};

struct audience {               /* the members an integration is concerned with: those told, and those not muted */
	struct page_alert **v;
	size_t n, awake;        /* firing, neither muted nor in doubt */
};

struct tally {
	size_t firing;          /* of the audience */
	size_t untold;          /* firing ones this integration has not heard of */
	size_t ended;           /* told ones, and members it never heard of */
	size_t told_firing;     /* told and not over, members or not */
	int64_t heard_ms;       /* when a retired group last told the same integration of one of ours */
};

/* A retired group that told the same integration of this alert. */
static const struct episode *covered(const struct core *c, const struct page_alert *a, const struct integration *in)
{
	for (size_t i = 0; i < c->n_retired; i++) {
		const struct episode *e = episode_find(c->retired[i], in);

		if (e != NULL && episode_told(e, a))
			return e;
	}
	return NULL;
}

static struct tally count(const struct core *c, const struct audience *who, const struct episode *e, const struct integration *in)
{
	struct tally t = { 0 };
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < who->n; i++) {
		const struct page_alert *a = who->v[i];
		bool told = e != NULL && episode_told(e, a);
		const struct episode *other = told ? NULL : covered(c, a, in);

		t.firing += a->ends_ms == 0;
		t.untold += a->ends_ms == 0 && !told && other == NULL;
		t.ended += a->ends_ms != 0 && !told && other == NULL && e != NULL;
		if (other != NULL && other->last_sent_ms > t.heard_ms)
			t.heard_ms = other->last_sent_ms;
	}
	for (struct map_slot *s = NULL; e != NULL && (s = map_next(&e->told, s)) != NULL;) {
		const struct page_alert *a = s->value;

		t.ended += phase_over(in, a, now_ms) && !pager_is_left_behind(a);
		t.told_firing += !phase_over(in, a, now_ms);
	}
	return t;
}

static enum why decide(const struct group *g, const struct audience *who, const struct episode *e, const struct integration *in,
		       const struct tally *t, int64_t now_ms)
{
	int64_t last_ms = e != NULL ? e->last_sent_ms : t->heard_ms;

	if (e == NULL && t->untold > 0)
		return WHY_FIRST;
	if (t->untold > 0)
		return WHY_NEW;
	if (e != NULL && t->told_firing == 0 && t->firing == 0)
		return WHY_ALL_ENDED;
	if (e != NULL && e->again && who->awake > 0)
		return WHY_AGAIN;
	if (e != NULL && in->kind->has_phases && phase_of(g, e, in, now_ms) != e->phase)
		return WHY_PHASE;
	if (e != NULL && t->ended > 0)
		return WHY_SOME_ENDED;
	if (in->kind->repeats && g->route != NULL && who->awake > 0 && now_ms - last_ms >= g->route->repeat_interval_ms
	    && (e == NULL || e->unfinished == 0))
		return WHY_REPEAT;
	return WHY_NOTHING;
}

/* Of twins one line, and it fires while one of them does. */
static size_t drop_twins(struct page_alert **v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !labels_eq(v[kept - 1]->labels, v[i]->labels))
			v[kept++] = v[i];
	return kept;
}

/* Told alerts that fire on but are muted are left out where others fire; alone they stay, or it would look as if all had ended. */
static bool is_listed(const struct page_alert *a, const struct audience *who, const struct integration *in)
{
	if (a->ends_ms != 0)
		return in->send_resolved;
	return !a->muted || who->awake == 0;
}

/* "team-a/webhook[0]" is of team-a. */
static struct str receiver_of(const struct integration *in)
{
	size_t n = in->name.n;

	while (n > 0 && in->name.p[n - 1] != '/')
		n--;
	return (struct str){ in->name.p, n > 0 ? n - 1 : 0 };
}

/* The group as the integration shall see it: all that fires, and what ended since it last heard. */
static struct notice make_notice(struct core *c, const struct group *g, const struct audience *who, const struct episode *e,
				 const struct integration *in, enum why why)
{
	struct notice n = { .integration = in,
			    .group = g,
			    .episode = e,
			    .receiver = receiver_of(in),
			    .ack_url = core_ack_link(c, g, &c->scratch),
			    .now_ms = core_now_ms(c),
			    .reason = reason_texts[why],
			    .external_url = c->external_url,
			    .arena = &c->scratch };

	n.alerts = ARENA_ARRAY(&c->scratch, who->n + e->told.n + 1, struct page_alert *);
	for (size_t i = 0; i < who->n; i++)
		if (!episode_told(e, who->v[i]) && is_listed(who->v[i], who, in))
			n.alerts[n.n++] = who->v[i];
	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		if (is_listed(s->value, who, in))
			n.alerts[n.n++] = s->value;
	qsort(n.alerts, n.n, sizeof *n.alerts, order_alerts);
	n.n = drop_twins(n.alerts, n.n);
	for (size_t i = 0; i < n.n; i++)
		n.n_firing += !phase_over(in, n.alerts[i], n.now_ms);
	n.route_labels = notice_route_labels(&n);
	n.phase = n.n_firing == 0 ? PHASE_RESOLVED : in->kind->has_phases ? phase_of(g, e, in, n.now_ms) : PHASE_INVESTIGATING;
	return n;
}

static bool group_told(const struct group *g, const struct page_alert *a)
{
	for (size_t i = 0; i < g->n_episodes; i++)
		if (episode_told(g->episodes[i], a))
			return true;
	return false;
}

/* A retired group tells its end: where routes put it meanwhile that is no news. */
static void leave_groups_that_never_told(struct core *c, struct page_alert *a)
{
	for (size_t i = a->n_groups; i-- > 0;) {
		struct group *g = a->groups[i];

		for (size_t m = 0; m < g->n && !group_told(g, a); m++)
			if (g->members[m] == a) {
				g->members[m] = g->members[--g->n];
				group_drop_member(c, g, a);
				break;
			}
	}
}

static void add_told(struct core *c, const struct audience *who, struct episode *e, const struct integration *in)
{
	for (size_t i = 0; i < who->n; i++)
		if (who->v[i]->ends_ms == 0 && !episode_told(e, who->v[i]))
			episode_tell(c, e, who->v[i], in->webhook.max_alerts > 0);
}

/* May free what has ended; closes the episode when nothing is left. */
static void drop_told(struct core *c, struct episode *e, const struct integration *in)
{
	struct page_alert **ended = ARENA_ARRAY(&c->scratch, e->told.n + 1, struct page_alert *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		if (phase_over(in, s->value, core_now_ms(c)))
			ended[n++] = s->value;
	for (size_t i = 0; i < n; i++) {
		if (e->group->route == NULL)
			leave_groups_that_never_told(c, ended[i]);
		episode_drop_told(c, e, ended[i]);
	}
	if (e->told.n == 0)
		episode_close(c, e);
}

static void put_message(struct core *c, const struct group *g, struct episode *e, const struct notice *n)
{
	struct buf payload = { 0 };

	e->seq++;
	n->integration->kind->render(n, &payload);
	outbox_add(c, e, g->key, g->labels, n->n_firing == 0, buf_str(&payload));
	buf_fini(&payload);
}

static void tell(struct core *c, struct group *g, const struct audience *who, struct episode *e, const struct integration *in,
		 enum why why)
{
	struct notice n = make_notice(c, g, who, e, in, why), *parts = NULL;
	size_t n_parts = 0;

	if (n.n > 0) {
		parts = parts_of(&n, &n_parts);
		e->last_sent_ms = core_now_ms(c);
		e->again = false;
	}
	for (size_t i = 0; i < n_parts; i++)
		put_message(c, g, e, &parts[i]);
	if (n.n > 0)
		e->phase = n.phase;
	episode_save(c, e);
	add_told(c, who, e, in);
	for (size_t i = 0; i < n_parts; i++)
		for (size_t k = 0; k < parts[i].n; k++)
			episode_show(c, e, parts[i].alerts[k]);
	drop_told(c, e, in);
}

static struct audience gather(struct core *c, const struct group *g, const struct integration *in)
{
	struct audience who = { .v = ARENA_ARRAY(&c->scratch, g->n + 1, struct page_alert *) };
	const struct episode *e = episode_find(g, in);
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < g->n; i++) {
		struct page_alert *a = g->members[i];
		bool told = e != NULL && episode_told(e, a);

		if (told || (!a->muted && !a->in_doubt && phase_ripe(in, a, now_ms)))
			who.v[who.n++] = a;
		who.awake += a->ends_ms == 0 && !a->muted && !a->in_doubt;
	}
	return who;
}

/* Without those a retired group told: it tells their ends too. */
static struct audience without_covered(struct core *c, const struct audience *who, const struct episode *e,
				       const struct integration *in)
{
	struct audience rest = { .v = ARENA_ARRAY(&c->scratch, who->n + 1, struct page_alert *), .awake = who->awake };

	for (size_t i = 0; i < who->n; i++)
		if ((e != NULL && episode_told(e, who->v[i])) || covered(c, who->v[i], in) == NULL)
			rest.v[rest.n++] = who->v[i];
	return rest;
}

/* All that was to be told was given up, and nothing of it arrived: nobody waits for its end. */
static bool was_refused(const struct episode *e)
{
	return !e->heard && e->unfinished == 0;
}

/* <e>: what is open there; NULL: nothing. */
static void flush_to(struct core *c, struct group *g, struct episode *e, const struct integration *in, const struct audience *all)
{
	struct tally t = count(c, all, e, in);
	enum why why = decide(g, all, e, in, &t, core_now_ms(c));
	const struct audience who = why == WHY_REPEAT ? *all : without_covered(c, all, e, in);

	if (why == WHY_NOTHING)
		return;
	if ((why == WHY_ALL_ENDED || why == WHY_SOME_ENDED) && (!in->send_resolved || was_refused(e))) {
		add_told(c, &who, e, in);
		drop_told(c, e, in);
		return;
	}
	tell(c, g, &who, e != NULL ? e : episode_begin(c, g, in), in, why);
}

/* The integrations the group tells: whether one is where <e> was told, and <*fresh> whether one has not been told yet. */
static bool receivers_have(const struct group *g, const struct episode *e, bool *fresh)
{
	const struct receiver *r[1 + ROUTE_MAX_STEPS];
	size_t n = alarm_receivers(g, r);
	bool found = false;

	*fresh = false;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < r[k]->n; i++) {
			const struct episode *open = episode_find(g, &r[k]->integrations[i]);

			found = found || open == e;
			*fresh = *fresh || open == NULL;
		}
	return found;
}

static void bound_wait(const struct core *c, struct group *g, int64_t most_ms)
{
	if (g->next_flush_ms > core_now_ms(c) + most_ms)
		g->next_flush_ms = core_now_ms(c) + most_ms;
}

void group_bound_waits(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;) {
		struct group *g = s->value;

		bound_wait(c, g, g->n_episodes > 0 ? g->route->group_interval_ms : g->route->group_wait_ms);
	}
	for (size_t i = 0; i < c->n_retired; i++)
		bound_wait(c, c->retired[i], RETIRED_INTERVAL_MS);
}

void group_hurry_left_behind(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;) {
		struct group *g = s->value;
		int64_t soon_ms = core_now_ms(c) + g->route->group_wait_ms;
		bool fresh;

		for (size_t i = 0; i < g->n_episodes && g->next_flush_ms > soon_ms; i++)
			if (!receivers_have(g, g->episodes[i], &fresh) && fresh)
				g->next_flush_ms = soon_ms;
	}
}

size_t episode_ended(const struct episode *e)
{
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		n += ((const struct page_alert *)s->value)->ends_ms != 0 && !pager_is_left_behind(s->value);
	return n;
}

/* The secrets of a receiver are on no disk, so one that was removed or edited while we were away cannot be told its ends: an alert says
 * so, and they are kept until it is configured again, or nobody can want them any more. */
static void strand(struct core *c, struct episode *e)
{
	int64_t last_ms = 0;

	if (episode_ended(e) == 0)
		return;
	own_stranded(c, e->integration, true);
	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;) {
		const struct page_alert *a = s->value;

		last_ms = a->ends_ms == 0 ? INT64_MAX : a->heard_end_ms > last_ms ? a->heard_end_ms : last_ms;
		if (last_ms == INT64_MAX)
			return;
	}
	if (core_now_ms(c) - last_ms <= c->retention_ms)
		return;
	while (e->told.n > 0)
		episode_drop_told(c, e, map_next(&e->told, NULL)->value);
	episode_close(c, e);
	own_recheck_stranded(c);
}

/* Episodes of integrations the group's receivers no longer have: only their ends are told. */
static void flush_leftovers(struct core *c, struct group *g)
{
	for (size_t i = g->n_episodes; i-- > 0;) {
		struct episode *e = g->episodes[i];
		const struct integration *in = core_integration(c, e);
		bool fresh;

		if (receivers_have(g, e, &fresh))
			continue;
		if (in != NULL)
			flush_to(c, g, e, in, &(struct audience){ 0 });
		else
			strand(c, e);
	}
}

static void drop_ended(struct core *c, struct group *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct page_alert *a = g->members[i];

		if (a->ends_ms != 0)
			group_drop_member(c, g, a);
		else
			g->members[kept++] = a;
	}
	g->n = kept;
}

static void wait_for_phase(struct group *g, const struct integration *in, int64_t now_ms)
{
	int64_t due_ms = in->kind->has_phases ? phase_due_ms(g, in, now_ms) : INT64_MAX;

	g->next_phase_ms = due_ms < g->next_phase_ms ? due_ms : g->next_phase_ms;
}

void group_wait_for_phases(const struct core *c, const struct page_alert *a)
{
	for (size_t i = 0; i < a->n_groups; i++) {
		const struct receiver *r[1 + ROUTE_MAX_STEPS];
		size_t n = a->groups[i]->alarm.since_ms != 0 ? alarm_receivers(a->groups[i], r) : 0;

		for (size_t k = 0; k < n; k++)
			for (size_t m = 0; m < r[k]->n; m++)
				wait_for_phase(a->groups[i], &r[k]->integrations[m], core_now_ms(c));
	}
}

static void flush_receiver(struct core *c, struct group *g, const struct receiver *r, bool phases_only)
{
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < r->n; i++) {
		const struct integration *in = &r->integrations[i];
		const struct audience who = gather(c, g, in);

		if (!phases_only || in->kind->has_phases)
			flush_to(c, g, episode_find(g, in), in, &who);
		wait_for_phase(g, in, now_ms);
	}
}

static void flush_receivers(struct core *c, struct group *g, bool phases_only)
{
	const struct receiver *receivers[1 + ROUTE_MAX_STEPS];
	size_t n = alarm_receivers(g, receivers);

	g->next_phase_ms = INT64_MAX;
	for (size_t i = 0; i < n; i++)
		flush_receiver(c, g, receivers[i], phases_only);
}

static bool has_doubt(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->members[i]->in_doubt)
			return true;
	return false;
}

static void flush(struct core *c, const struct mute_index *inhibition, struct group *g)
{
	int64_t interval_ms = g->route != NULL ? g->route->group_interval_ms : RETIRED_INTERVAL_MS;

	mute_mark(c, inhibition, g);
	if (g->route != NULL && group_speaks(g))
		alarm_begin(c, g);
	flush_receivers(c, g, false);
	flush_leftovers(c, g);
	drop_ended(c, g);
	if (g->n == 0)
		alarm_end(g);
	g->left_out = has_doubt(g);
	g->next_flush_ms = core_now_ms(c) + interval_ms;
	group_save(c, g);
}

/* The next step's receiver hears of it now; the others when it is their time. */
static void escalate(struct core *c, const struct mute_index *inhibition, struct group *g)
{
	const struct receiver *next;

	mute_mark(c, inhibition, g);
	next = alarm_step(c, g);
	if (next != NULL)
		flush_receiver(c, g, next, false);
}

static bool is_due(const struct group *g, int64_t at_ms, int64_t now_ms)
{
	return at_ms <= now_ms && !doubt_holds(g);
}

void group_flush_due(struct core *c)
{
	struct mute_index *inhibition = NULL;
	struct group **groups;
	size_t n = group_list(c, &groups);
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < n; i++) {
		struct group *g = groups[i];

		if (!is_due(g, g->next_flush_ms, now_ms) && !is_due(g, g->next_phase_ms, now_ms) && alarm_next_step_ms(g) > now_ms)
			continue;
		if (inhibition == NULL)
			inhibition = mute_index_new(c);
		if (is_due(g, g->next_flush_ms, now_ms))
			flush(c, inhibition, g);
		if (is_due(g, g->next_phase_ms, now_ms)) {
			mute_mark(c, inhibition, g);
			flush_receivers(c, g, true);
		}
		if (alarm_next_step_ms(g) <= now_ms)
			escalate(c, inhibition, g);
		if (g->n == 0 && g->n_episodes == 0) {
			map_del(&c->groups, g->map_key);
			group_delete(c, g);
		}
	}
	for (size_t i = c->n_retired; i-- > 0;) {
		struct group *g = c->retired[i];

		if (g->next_flush_ms <= now_ms)
			flush(c, NULL, g);
		if (g->n_episodes == 0) {
			c->retired[i] = c->retired[--c->n_retired];
			group_delete(c, g);
		}
	}
	mute_index_free(inhibition);
}

int64_t group_next_due_ms(const struct core *c)
{
	int64_t due = INT64_MAX;

	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;) {
		const struct group *g = s->value;

		due = alarm_next_step_ms(g) < due ? alarm_next_step_ms(g) : due;
		if (doubt_holds(g))
			continue;
		due = g->next_flush_ms < due ? g->next_flush_ms : due;
		due = g->next_phase_ms < due ? g->next_phase_ms : due;
	}
	for (size_t i = 0; i < c->n_retired; i++)
		due = c->retired[i]->next_flush_ms < due ? c->retired[i]->next_flush_ms : due;
	return due;
}
