/* Groups, and the episodes in which they tell. Which alert is in which group follows from the routes alone; a group that a reload
 * dissolved lives on as "retired" until what it told has ended, so nobody is paged again for it and nobody waits for its end for
 * ever. Invariant: an alert lists exactly the groups whose member it is, and counts the open episodes that told it. */
#include "notify/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "notify/route.h"
#include "notify/text.h"
#include "tocsin/mem.h"

/* ---- Episodes. ---- */

static struct str told_key(const struct page_alert *a)
{
	return (struct str){ (const char *)&a->id, sizeof a->id };
}

static bool told_itself(const struct episode *e, const struct page_alert *a)
{
	return map_get(&e->told, told_key(a)) != NULL;
}

bool episode_told(const struct episode *e, const struct page_alert *a)
{
	const struct page_alert *one = a;

	do {
		if (told_itself(e, one))
			return true;
		one = one->twin;
	} while (one != a);
	return false;
}

bool episode_cut(const struct episode *e, const struct page_alert *a)
{
	return map_get(&e->cut, told_key(a)) != NULL;
}

void episode_add_told(struct episode *e, struct page_alert *a, bool cut)
{
	if (map_add(&e->told, told_key(a), a) == NULL)
		a->told_by++;
	if (cut)
		map_put(&e->cut, told_key(a), a);
	else
		map_del(&e->cut, told_key(a));
}

void episode_tell(struct core *c, struct episode *e, struct page_alert *a, bool cut)
{
	episode_add_told(e, a, cut);
	DB_ADD(c->db, DB_ADD_TOLD, DB_T(str_of(e->id)), DB_I(a->id), DB_I(cut));
}

void episode_show(struct core *c, struct episode *e, struct page_alert *a)
{
	struct page_alert *one = a;

	do {
		if (episode_cut(e, one))
			episode_tell(c, e, one, false);
		one = one->twin;
	} while (one != a);
}

void episode_drop_told(struct core *c, struct episode *e, struct page_alert *a)
{
	DB_ADD(c->db, DB_DEL_TOLD, DB_T(str_of(e->id)), DB_I(a->id));
	map_del(&e->told, told_key(a));
	map_del(&e->cut, told_key(a));
	a->told_by--;
	pager_free_if_done(c, a);
}

void episode_share(struct core *c, const struct page_alert *from, struct page_alert *to)
{
	for (struct map_slot *s = NULL; from->told_by > 0 && (s = map_next(&c->episodes, s)) != NULL;)
		if (told_itself(s->value, from))
			episode_tell(c, s->value, to, episode_cut(s->value, from));
}

void episode_hand_over(struct core *c, struct page_alert *from, struct page_alert *to)
{
	for (struct map_slot *s = NULL; from->told_by > 0 && (s = map_next(&c->episodes, s)) != NULL;) {
		struct episode *e = s->value;

		if (!told_itself(e, from))
			continue;
		episode_tell(c, e, to, episode_cut(e, from) && (!told_itself(e, to) || episode_cut(e, to)));
		DB_ADD(c->db, DB_DEL_TOLD, DB_T(str_of(e->id)), DB_I(from->id));
		map_del(&e->told, told_key(from));
		map_del(&e->cut, told_key(from));
		from->told_by--;
	}
}

void core_new_uuid(char out[37])
{
	unsigned char b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		abort();
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

struct episode *episode_new(struct core *c, const char *id)
{
	struct episode *e = mem_alloc(sizeof *e);

	if (id != NULL)
		snprintf(e->id, sizeof e->id, "%s", id);
	else
		core_new_uuid(e->id);
	e->integration = text_dup(STR(""));
	e->remote = text_dup(STR(""));
	e->remote_status = text_dup(STR(""));
	map_put(&c->episodes, str_of(e->id), e);
	return e;
}

void episode_save(struct core *c, const struct episode *e)
{
	DB_ADD(c->db, DB_PUT_EPISODE, DB_T(str_of(e->id)), DB_I(e->group != NULL ? e->group->id : 0), DB_T(e->integration),
	       DB_I(e->identity), DB_I(e->seq), DB_I(e->started_ms), DB_I(e->last_sent_ms), DB_I(e->again), DB_I(e->closed),
	       DB_T(e->remote), DB_T(e->remote_status), DB_I(e->phase), DB_I(e->heard));
}

void episode_free(struct episode *e)
{
	map_fini(&e->told);
	map_fini(&e->cut);
	text_free(e->integration);
	text_free(e->remote);
	text_free(e->remote_status);
	free(e);
}

/* On disk it stays while a dead letter names it, which may be asked for again. */
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

struct episode *episode_begin(struct core *c, struct group *g, const struct integration *in)
{
	struct episode *e = episode_new(c, NULL);

	text_set(&e->integration, in->name);
	e->identity = in->identity;
	e->started_ms = core_now_ms(c);
	episode_attach(g, e);
	return e;
}

void episode_close(struct core *c, struct episode *e)
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

struct episode *episode_find(const struct group *g, const struct integration *in)
{
	for (size_t i = 0; i < g->n_episodes; i++)
		if (str_eq(g->episodes[i]->integration, in->name) && g->episodes[i]->identity == in->identity)
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
	g->alarm.ack_by = text_dup(STR(""));
	g->next_phase_ms = INT64_MAX;
	return g;
}

void group_save(struct core *c, const struct group *g)
{
	DB_ADD(c->db, DB_PUT_GROUP, DB_I(g->id), DB_T(g->key), DB_T(g->receiver), DB_T(db_labels_text(&c->scratch, g->labels)),
	       DB_I(g->next_flush_ms), DB_I(g->route == NULL), DB_T(str_of(g->alarm.id)), DB_I(g->alarm.since_ms), DB_I(g->alarm.steps),
	       DB_I(g->alarm.ack_ms), DB_T(g->alarm.ack_by));
}

void group_free(struct group *g)
{
	text_free(g->map_key);
	text_free(g->key);
	text_free(g->receiver);
	text_free_labels(g->labels);
	text_free(g->alarm.ack_by);
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

static void forget_member(struct core *c, struct group *g, struct page_alert *a)
{
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i] == g) {
			a->groups[i] = a->groups[--a->n_groups];
			break;
		}
	DB_ADD(c->db, DB_DEL_MEMBER, DB_I(g->id), DB_I(a->id));
}

/* The caller takes <a> out of g->members. */
void group_drop_member(struct core *c, struct group *g, struct page_alert *a)
{
	forget_member(c, g, a);
	pager_free_if_done(c, a);
}

bool group_speaks(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->members[i]->ends_ms == 0 && !g->members[i]->muted && !g->members[i]->in_doubt)
			return true;
	return false;
}

void group_leave_all(struct core *c, struct page_alert *a)
{
	while (a->n_groups > 0) {
		struct group *g = a->groups[0];
		size_t m = 0;

		while (g->members[m] != a)
			m++;
		g->members[m] = g->members[--g->n];
		forget_member(c, g, a);
	}
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
		if (g->next_flush_ms > now_ms + r->group_interval_ms)   /* it waited as a retired one does */
			g->next_flush_ms = now_ms + r->group_interval_ms;
		map_put(&c->groups, g->map_key, g);
		group_save(c, g);
	}
	if (g != NULL || a->ends_ms != 0) {
		group_free(made);
		return g;
	}
	c->next_group++;
	made->route = r;
	made->next_flush_ms = a->starts_ms + r->group_wait_ms <= now_ms ? now_ms : now_ms + r->group_wait_ms;
	map_put(&c->groups, made->map_key, made);
	group_save(c, made);
	return made;
}

void group_add_alert(struct core *c, struct page_alert *a)
{
	struct route_list routes = route_match(c->config->root, a->labels);

	for (size_t i = 0; i < routes.n; i++) {
		struct group *g = group_of(c, routes.v[i], a);
		bool member = g != NULL && is_member(g, a);

		if (member || (g != NULL && a->ends_ms == 0))
			g->route = routes.v[i];
		if (g == NULL || member || a->ends_ms != 0)
			continue;
		group_add_member(g, a);
		DB_ADD(c->db, DB_ADD_MEMBER, DB_I(g->id), DB_I(a->id));
	}
	free(routes.v);
}

void group_retire(struct core *c, struct group *g)
{
	g->route = NULL;
	c->retired = mem_grow(c->retired, &c->cap_retired, c->n_retired + 1, sizeof *c->retired);
	c->retired[c->n_retired++] = g;
}

/* Nobody else looks after it any more, so it waits for no interval. */
void group_hurry_retired(struct core *c, const struct page_alert *a)
{
	for (size_t i = 0; i < c->n_retired; i++)
		for (size_t k = 0; a->told_by > 0 && k < c->retired[i]->n_episodes; k++)
			if (episode_told(c->retired[i]->episodes[k], a))
				c->retired[i]->next_flush_ms = core_now_ms(c);
}

void group_hurry_found(struct core *c)
{
	for (size_t i = 0; i < c->n_retired; i++)
		for (size_t k = 0; k < c->retired[i]->n_episodes; k++) {
			const struct episode *e = c->retired[i]->episodes[k];

			if (episode_ended(e) > 0 && core_integration(c, e) != NULL)
				c->retired[i]->next_flush_ms = core_now_ms(c);
		}
}

static void empty_group(struct core *c, struct group *g)
{
	while (g->n > 0)
		group_drop_member(c, g, g->members[--g->n]);
}

void group_delete(struct core *c, struct group *g)
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
	for (size_t i = 0; i < g->n; i++)
		alarm_follow(c, g, g->members[i]);
	empty_group(c, g);
	if (g->n_episodes == 0) {
		group_delete(c, g);
		return;
	}
	group_retire(c, g);
	g->next_flush_ms = core_now_ms(c);
	group_save(c, g);
}

static void leave_wrong_groups(struct core *c, struct page_alert *a)
{
	struct route_list routes = route_match(c->config->root, a->labels);

	for (size_t i = 0; i < a->n_groups; i++) {
		struct group *g = a->groups[i];
		bool stays = false;

		for (size_t k = 0; k < routes.n && !stays; k++)
			stays = routes.v[k] == g->route && labels_eq(route_group_labels(g->route, a->labels, &c->scratch), g->labels);
		for (size_t m = 0; !stays && g->route != NULL && m < g->n; m++)
			if (g->members[m] == a) {
				alarm_follow(c, g, a);
				g->members[m] = g->members[--g->n];
				group_drop_member(c, g, a);
				i--;
				break;
			}
	}
	free(routes.v);
}

size_t group_list(struct core *c, struct group ***out)
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
	size_t n_groups = group_list(c, &groups), n = 0;

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
