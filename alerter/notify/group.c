/* Groups and what they told: Alertmanager's timing (group_wait, group_interval, repeat_interval) and its rules for when a group
 * has something new to say, with two differences: an end always follows a page, and a group that a reload dissolved lives on as
 * "retired" until what it told has ended, so nobody is paged again for it and nobody waits for its end for ever.
 *
 * A flush looks at a group's firing alerts, then at what each integration was told. Time intervals, inhibition and silences
 * may take alerts out of the first; never ends out of the second. */
#include "notify/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "notify/receiver.h"
#include "notify/route.h"
#include "notify/text.h"
#include "tocsin/mem.h"

#define RETIRED_INTERVAL_MS 30000

/* ---- Episodes. ---- */

static struct str told_key(const struct page_alert *a)
{
	return (struct str){ (const char *)&a->id, sizeof a->id };
}

bool episode_told(const struct episode *e, const struct page_alert *a)
{
	return map_get(&e->told, told_key(a)) != NULL;
}

void episode_add_told(struct episode *e, struct page_alert *a)
{
	map_put(&e->told, told_key(a), a);
	a->told_by++;
}

static void new_uuid(char out[37])
{
	unsigned char b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		abort();
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
	         b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

struct episode *episode_new(struct core *c, const char *id)
{
	struct episode *e = mem_alloc(sizeof *e);

	if (id != NULL)
		snprintf(e->id, sizeof e->id, "%s", id);
	else
		new_uuid(e->id);
	e->integration = text_dup(STR(""));
	e->remote = text_dup(STR(""));
	e->remote_status = text_dup(STR(""));
	map_put(&c->episodes, str_of(e->id), e);
	return e;
}

void episode_save(struct core *c, const struct episode *e)
{
	DB_ADD(c->db, DB_PUT_EPISODE, DB_T(str_of(e->id)), DB_I(e->group != NULL ? e->group->id : 0), DB_T(e->integration), DB_I(e->identity),
	       DB_I(e->seq), DB_I(e->started_ms), DB_I(e->last_sent_ms), DB_I(e->again), DB_I(e->closed), DB_T(e->remote),
	       DB_T(e->remote_status));
}

void episode_free(struct episode *e)
{
	map_fini(&e->told);
	text_free(e->integration);
	text_free(e->remote);
	text_free(e->remote_status);
	free(e);
}

void episode_free_if_done(struct core *c, struct episode *e)
{
	if (!e->closed || e->unfinished > 0)
		return;
	assert(e->told.n == 0);
	DB_ADD(c->db, DB_DEL_EPISODE, DB_T(str_of(e->id)));
	map_del(&c->episodes, str_of(e->id));
	episode_free(e);
}

void episode_attach(struct group *g, struct episode *e)
{
	g->episodes = mem_grow(g->episodes, &g->cap_episodes, g->n_episodes + 1, sizeof *g->episodes);
	g->episodes[g->n_episodes++] = e;
	e->group = g;
}

static struct episode *begin(struct core *c, struct group *g, const struct integration *in)
{
	struct episode *e = episode_new(c, NULL);

	text_set(&e->integration, in->name);
	e->identity = in->identity;
	e->started_ms = core_now_ms(c);
	episode_attach(g, e);
	return e;
}

static void close_episode(struct core *c, struct episode *e)
{
	struct group *g = e->group;

	for (size_t i = 0; i < g->n_episodes; i++)
		if (g->episodes[i] == e)
			g->episodes[i] = g->episodes[--g->n_episodes];
	e->group = NULL;
	e->closed = true;
	episode_save(c, e);
	episode_free_if_done(c, e);
}

static struct episode *open_episode(const struct group *g, struct str integration)
{
	for (size_t i = 0; i < g->n_episodes; i++)
		if (str_eq(g->episodes[i]->integration, integration))
			return g->episodes[i];
	return NULL;
}

/* ---- Groups. ---- */

struct group *group_new(struct core *c, int64_t id, struct str key, struct str receiver, struct labels labels)
{
	struct group *g = mem_alloc(sizeof *g);
	char *map_key = arena_alloc(&c->scratch, receiver.n + 1 + key.n);

	memcpy(map_key, receiver.p, receiver.n);
	memcpy(map_key + receiver.n + 1, key.p, key.n);
	g->id = id;
	g->map_key = text_dup((struct str){ map_key, receiver.n + 1 + key.n });
	g->key = text_dup(key);
	g->receiver = text_dup(receiver);
	g->labels = text_dup_labels(labels);
	return g;
}

static void save(struct core *c, const struct group *g)
{
	DB_ADD(c->db, DB_PUT_GROUP, DB_I(g->id), DB_T(g->key), DB_T(g->receiver), DB_T(db_labels_text(&c->scratch, g->labels)),
	       DB_I(g->next_flush_ms), DB_I(g->route == NULL));
}

void group_free(struct group *g)
{
	text_free(g->map_key);
	text_free(g->key);
	text_free(g->receiver);
	text_free_labels(g->labels);
	free(g->members);
	free(g->episodes);
	free(g);
}

void group_add_member(struct group *g, struct page_alert *a)
{
	g->members = mem_grow(g->members, &g->cap, g->n + 1, sizeof *g->members);
	g->members[g->n++] = a;
	a->groups = mem_grow(a->groups, &a->cap_groups, a->n_groups + 1, sizeof *a->groups);
	a->groups[a->n_groups++] = g;
}

static bool is_member(const struct group *g, const struct page_alert *a)
{
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i] == g)
			return true;
	return false;
}

/* The caller takes <a> out of g->members. */
static void drop_member(struct core *c, struct group *g, struct page_alert *a)
{
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i] == g) {
			a->groups[i] = a->groups[--a->n_groups];
			break;
		}
	DB_ADD(c->db, DB_DEL_MEMBER, DB_I(g->id), DB_I(a->id));
	pager_free_if_done(c, a);
}

static struct group *find_retired(struct core *c, struct str map_key)
{
	for (size_t i = 0; i < c->n_retired; i++)
		if (str_eq(c->retired[i]->map_key, map_key)) {
			struct group *g = c->retired[i];

			c->retired[i] = c->retired[--c->n_retired];
			return g;
		}
	return NULL;
}

/* The group <a> falls into under <r>. Made when there is none and <a> fires; an ended alert only finds the one it is in. */
static struct group *group_of(struct core *c, const struct route *r, const struct page_alert *a)
{
	struct labels by = route_group_labels(r, a->labels, &c->scratch);
	struct group *made = group_new(c, c->next_group, route_group_key(r, by, &c->scratch), r->receiver->name, by);
	struct group *g = map_get(&c->groups, made->map_key);
	int64_t now_ms = core_now_ms(c);

	if (g == NULL && a->ends_ms == 0 && (g = find_retired(c, made->map_key)) != NULL) {
		g->route = r;
		map_put(&c->groups, g->map_key, g);
		save(c, g);
	}
	if (g != NULL || a->ends_ms != 0) {
		group_free(made);
		return g;
	}
	c->next_group++;
	made->route = r;
	made->next_flush_ms = a->starts_ms + r->group_wait_ms <= now_ms ? now_ms : now_ms + r->group_wait_ms;
	map_put(&c->groups, made->map_key, made);
	save(c, made);
	return made;
}

void group_add_alert(struct core *c, struct page_alert *a)
{
	const struct route *routes[ROUTE_MAX_MATCHES];
	size_t n = route_match(c->config->root, a->labels, routes);

	for (size_t i = 0; i < n; i++) {
		struct group *g = group_of(c, routes[i], a);
		bool member = g != NULL && is_member(g, a);

		if (member || (g != NULL && a->ends_ms == 0))
			g->route = routes[i];
		if (g == NULL || member || a->ends_ms != 0)
			continue;
		group_add_member(g, a);
		DB_ADD(c->db, DB_ADD_MEMBER, DB_I(g->id), DB_I(a->id));
	}
}

void group_retire(struct core *c, struct group *g)
{
	g->route = NULL;
	c->retired = mem_grow(c->retired, &c->cap_retired, c->n_retired + 1, sizeof *c->retired);
	c->retired[c->n_retired++] = g;
}

static void empty_group(struct core *c, struct group *g)
{
	while (g->n > 0)
		drop_member(c, g, g->members[--g->n]);
}

static void delete_group(struct core *c, struct group *g)
{
	empty_group(c, g);
	DB_ADD(c->db, DB_DEL_GROUP, DB_I(g->id));
	group_free(g);
}

/* After a change of routes: a group that no alert formed again is retired, or forgotten when nobody was told of it. */
static void settle(struct core *c, struct group *g)
{
	if (g->route != NULL)
		return;
	map_del(&c->groups, g->map_key);
	empty_group(c, g);
	if (g->n_episodes == 0) {
		delete_group(c, g);
		return;
	}
	group_retire(c, g);
	g->next_flush_ms = core_now_ms(c);
	save(c, g);
}

static void leave_wrong_groups(struct core *c, struct page_alert *a)
{
	const struct route *routes[ROUTE_MAX_MATCHES];
	size_t n = route_match(c->config->root, a->labels, routes);

	for (size_t i = 0; i < a->n_groups; i++) {
		struct group *g = a->groups[i];
		bool stays = false;

		for (size_t k = 0; k < n && !stays; k++)
			stays = routes[k] == g->route;
		for (size_t m = 0; !stays && g->route != NULL && m < g->n; m++)
			if (g->members[m] == a) {
				g->members[m] = g->members[--g->n];
				drop_member(c, g, a);
				i--;
				break;
			}
	}
}

static size_t list_groups(struct core *c, struct group ***out)
{
	size_t n = 0;

	*out = ARENA_ARRAY(&c->scratch, c->groups.n + 1, struct group *);
	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;)
		(*out)[n++] = s->value;
	return n;
}

void group_reroute(struct core *c)
{
	struct group **groups;
	struct page_alert **alerts = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct page_alert *);
	size_t n_groups = list_groups(c, &groups), n = 0;

	for (size_t i = 0; i < n_groups; i++)
		groups[i]->route = NULL;
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;)
		alerts[n++] = s->value;
	for (size_t i = 0; i < n; i++)
		group_add_alert(c, alerts[i]);
	for (size_t i = 0; i < n; i++)
		if (alerts[i]->ends_ms == 0)
			leave_wrong_groups(c, alerts[i]);
	for (size_t i = 0; i < n_groups; i++)
		settle(c, groups[i]);
}

/* ---- Flush. ---- */

enum why { WHY_NOTHING, WHY_FIRST, WHY_NEW, WHY_AGAIN, WHY_SOME_ENDED, WHY_ALL_ENDED, WHY_REPEAT };

struct tally {
	size_t firing;          /* members */
	size_t untold;          /* firing ones this integration has not heard of */
	size_t ended;           /* told ones, and members it never heard of */
	size_t told_firing;     /* told and not ended, members or not */
	int64_t heard_ms;       /* when a retired group last told the same integration of one of ours */
};

/* A retired group that told the same integration of this alert. */
static const struct episode *covered(const struct core *c, const struct page_alert *a, struct str integration)
{
	for (size_t i = 0; i < c->n_retired; i++) {
		const struct episode *e = open_episode(c->retired[i], integration);

		if (e != NULL && episode_told(e, a))
			return e;
	}
	return NULL;
}

static struct tally count(const struct core *c, const struct group *g, const struct episode *e, struct str integration, size_t members)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < members; i++) {
		const struct page_alert *a = g->members[i];
		bool told = e != NULL && episode_told(e, a);
		const struct episode *other = told || a->ends_ms != 0 ? NULL : covered(c, a, integration);

		t.firing += a->ends_ms == 0;
		t.untold += a->ends_ms == 0 && !told && other == NULL;
		t.ended += a->ends_ms != 0 && !told && e != NULL;
		if (other != NULL && other->last_sent_ms > t.heard_ms)
			t.heard_ms = other->last_sent_ms;
	}
	for (struct map_slot *s = NULL; e != NULL && (s = map_next(&e->told, s)) != NULL;) {
		const struct page_alert *a = s->value;

		t.ended += a->ends_ms != 0;
		t.told_firing += a->ends_ms == 0;
	}
	return t;
}

static enum why decide(const struct group *g, const struct episode *e, const struct integration *in, const struct tally *t, int64_t now_ms)
{
	int64_t last_ms = e != NULL ? e->last_sent_ms : t->heard_ms;

	if (e == NULL && t->untold > 0)
		return WHY_FIRST;
	if (t->untold > 0)
		return WHY_NEW;
	if (e != NULL && t->told_firing == 0 && t->firing == 0)
		return WHY_ALL_ENDED;
	if (e != NULL && e->again && t->firing > 0)
		return WHY_AGAIN;
	if (e != NULL && t->ended > 0)
		return WHY_SOME_ENDED;
	if (in->kind->repeats && g->route != NULL && t->firing > 0 && now_ms - last_ms >= g->route->repeat_interval_ms
	    && (e == NULL || e->unfinished == 0))
		return WHY_REPEAT;
	return WHY_NOTHING;
}

static int compare_label(const struct page_alert *x, const struct page_alert *y, struct str name)
{
	return str_cmp(labels_get(x->labels, name), labels_get(y->labels, name));
}

static int compare_alerts(const void *a, const void *b)
{
	const struct page_alert *x = *(struct page_alert *const *)a, *y = *(struct page_alert *const *)b;
	int order = compare_label(x, y, STR("job"));

	if (order == 0)
		order = compare_label(x, y, STR("instance"));
	if (order == 0)
		order = labels_cmp(x->labels, y->labels);
	return order != 0 ? order : (x->ends_ms != 0) - (y->ends_ms != 0);
}

/* Two rules may raise the same labels: one line then, and it fires while one of them does. */
static size_t drop_twins(struct page_alert **v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !labels_eq(v[kept - 1]->labels, v[i]->labels))
			v[kept++] = v[i];
	return kept;
}

/* The group as the integration shall see it: all that fires, and what ended since it last heard. */
static struct notice make_notice(struct core *c, const struct group *g, const struct episode *e, const struct integration *in,
                                 size_t members)
{
	struct notice n = { .integration = in, .group = g, .episode = e, .receiver = g->receiver, .external_url = c->external_url, .arena = &c->scratch };

	n.alerts = ARENA_ARRAY(&c->scratch, members + e->told.n + 1, struct page_alert *);
	for (size_t i = 0; i < members; i++)
		if (!episode_told(e, g->members[i]) && (g->members[i]->ends_ms == 0 || in->send_resolved))
			n.alerts[n.n++] = g->members[i];
	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		if (((struct page_alert *)s->value)->ends_ms == 0 || in->send_resolved)
			n.alerts[n.n++] = s->value;
	qsort(n.alerts, n.n, sizeof *n.alerts, compare_alerts);
	n.n = drop_twins(n.alerts, n.n);
	for (size_t i = 0; i < n.n; i++)
		n.n_firing += n.alerts[i]->ends_ms == 0;
	return n;
}

static void update_told(struct core *c, const struct group *g, struct episode *e, size_t members)
{
	struct page_alert **ended = ARENA_ARRAY(&c->scratch, e->told.n + 1, struct page_alert *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		if (((struct page_alert *)s->value)->ends_ms != 0)
			ended[n++] = s->value;
	for (size_t i = 0; i < n; i++) {
		DB_ADD(c->db, DB_DEL_TOLD, DB_T(str_of(e->id)), DB_I(ended[i]->id));
		map_del(&e->told, told_key(ended[i]));
		ended[i]->told_by--;
		pager_free_if_done(c, ended[i]);
	}
	for (size_t i = 0; i < members; i++) {
		struct page_alert *a = g->members[i];

		if (a->ends_ms != 0 || episode_told(e, a))
			continue;
		episode_add_told(e, a);
		DB_ADD(c->db, DB_ADD_TOLD, DB_T(str_of(e->id)), DB_I(a->id));
	}
}

static void tell(struct core *c, struct group *g, struct episode *e, const struct integration *in, size_t members)
{
	struct notice n = make_notice(c, g, e, in, members);
	struct buf payload = { 0 };

	if (n.n > 0) {
		e->seq++;
		e->last_sent_ms = core_now_ms(c);
		e->again = false;
		in->kind->render(&n, &payload);
		outbox_add(c, e, g, n.n_firing == 0, buf_str(&payload));
		buf_fini(&payload);
	}
	episode_save(c, e);
	update_told(c, g, e, members);
	if (e->told.n == 0)
		close_episode(c, e);
}

/* <members>: how many of the group's concern the integration, all or none. */
static void flush_to(struct core *c, struct group *g, const struct integration *in, size_t members)
{
	struct episode *e = open_episode(g, in->name);
	struct tally t = count(c, g, e, in->name, members);
	enum why why = decide(g, e, in, &t, core_now_ms(c));

	if (why == WHY_NOTHING)
		return;
	if ((why == WHY_ALL_ENDED || why == WHY_SOME_ENDED) && !in->send_resolved) {
		update_told(c, g, e, members);
		if (e->told.n == 0)
			close_episode(c, e);
		return;
	}
	tell(c, g, e != NULL ? e : begin(c, g, in), in, members);
}

static bool receiver_has(const struct group *g, struct str integration)
{
	for (size_t i = 0; g->route != NULL && i < g->route->receiver->n; i++)
		if (str_eq(g->route->receiver->integrations[i].name, integration))
			return true;
	return false;
}

/* Episodes of integrations the group's receiver no longer has: only their ends are told. An integration that is in no
 * configuration any more keeps its episode open: it may come back with the next reload. */
static void flush_leftovers(struct core *c, struct group *g)
{
	for (size_t i = g->n_episodes; i-- > 0;) {
		struct episode *e = g->episodes[i];
		const struct integration *in = receiver_has(g, e->integration) ? NULL : core_integration(c, e->integration, e->identity);

		if (in != NULL)
			flush_to(c, g, in, 0);
	}
}

static void drop_ended(struct core *c, struct group *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct page_alert *a = g->members[i];

		if (a->ends_ms != 0)
			drop_member(c, g, a);
		else
			g->members[kept++] = a;
	}
	g->n = kept;
}

static void flush(struct core *c, struct group *g)
{
	int64_t interval_ms = g->route != NULL ? g->route->group_interval_ms : RETIRED_INTERVAL_MS;

	for (size_t i = 0; g->route != NULL && i < g->route->receiver->n; i++)
		flush_to(c, g, &g->route->receiver->integrations[i], g->n);
	flush_leftovers(c, g);
	drop_ended(c, g);
	g->next_flush_ms = core_now_ms(c) + interval_ms;
	save(c, g);
}

void group_flush_due(struct core *c)
{
	struct group **groups;
	size_t n = list_groups(c, &groups);
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < n; i++) {
		struct group *g = groups[i];

		if (g->next_flush_ms > now_ms)
			continue;
		flush(c, g);
		if (g->n == 0 && g->n_episodes == 0) {
			map_del(&c->groups, g->map_key);
			delete_group(c, g);
		}
	}
	for (size_t i = c->n_retired; i-- > 0;) {
		struct group *g = c->retired[i];

		if (g->next_flush_ms <= now_ms)
			flush(c, g);
		if (g->n_episodes == 0) {
			c->retired[i] = c->retired[--c->n_retired];
			delete_group(c, g);
		}
	}
}

int64_t group_next_due_ms(const struct core *c)
{
	int64_t due = INT64_MAX;

	for (struct map_slot *s = NULL; (s = map_next(&c->groups, s)) != NULL;) {
		const struct group *g = s->value;

		due = g->next_flush_ms < due ? g->next_flush_ms : due;
	}
	for (size_t i = 0; i < c->n_retired; i++)
		due = c->retired[i]->next_flush_ms < due ? c->retired[i]->next_flush_ms : due;
	return due;
}
