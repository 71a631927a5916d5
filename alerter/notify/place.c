/* Where what was told lives on. An episode belongs to the place it was told at (a URL, a routing key, a channel), not to a name in
 * the configuration: it follows its place through the lists of receivers, and keeps to the old settings when that is configured no
 * more. Only one that nobody can have heard of goes to where its integration sends now. */
#include "notify/core.h"

#include "notify/text.h"

const struct integration *core_integration(const struct core *c, const struct episode *e)
{
	const struct integration *in = notify_config_find_place(c->config, e->integration, e->identity, false);

	for (size_t i = 0; in == NULL && i < c->n_old; i++)
		in = notify_config_find_place(c->old[i], e->integration, e->identity, false);
	return in != NULL ? in : notify_config_find_place(c->config, e->integration, e->identity, true);
}

/* Its group has an episode there, which stays. */
static bool is_taken(const struct core *c, const struct episode *e, const struct integration *in)
{
	for (size_t i = 0; e->group != NULL && i < e->group->n_episodes; i++) {
		const struct episode *other = e->group->episodes[i];

		if (other != e && str_eq(other->integration, in->name)
		    && notify_config_find_place(c->config, other->integration, other->identity, false) == in)
			return true;
	}
	return false;
}

/* A place of 0 is one that an older version wrote, which went by names. */
static const struct integration *place_now(const struct core *c, const struct episode *e)
{
	const struct integration *in = notify_config_find_place(c->config, e->integration, e->identity, false);

	if (in != NULL || (e->identity != 0 && (e->heard || e->in_flight > 0)))
		return in;
	return notify_config_find(c->config, e->integration);
}

void place_follow(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		struct episode *e = s->value;
		const struct integration *in = place_now(c, e);

		if (in == NULL || (in->identity == e->identity && str_eq(in->name, e->integration)) || is_taken(c, e, in))
			continue;
		text_set(&e->integration, in->name);
		e->identity = in->identity;
		episode_save(c, e);
	}
	outbox_follow(c);
}
