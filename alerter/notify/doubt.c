/* After a start, or when we stood still: what fired before it may be over. No step of an escalation, no repeat and no first page of it goes out before its rule was
 * evaluated once with data, or the time for that is over; its end goes out at once, and so does what begins now. Nothing of this is on
 * disk: each start doubts again. What others posted is in doubt where its endsAt passed while we were away, until it is posted again or ends. */
#include "notify/core.h"

#define ASK_EVERY_MS 200

static void begin_asking(struct core *c)
{
	c->doubt_until_mono_ms = clock_mono_ms(c->clock) + c->doubt_ms;
	c->ask_mono_ms = 0;
}

void doubt_begin(struct core *c)
{
	int64_t now_ms = core_now_ms(c);

	c->doubting = true;
	c->doubt_since_ms = now_ms;
	begin_asking(c);
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		a->in_doubt = a->ends_ms == 0 && (a->expires_ms == 0 || a->expires_ms <= now_ms);
	}
}

void core_watch_rules(struct core *c, notify_settled *settled, void *ctx, int64_t longest_ms)
{
	c->settled = settled;
	c->settled_ctx = ctx;
	c->doubt_ms = longest_ms;
	begin_asking(c);
}

void doubt_settle(struct core *c, struct page_alert *a)
{
	if (!a->in_doubt)
		return;
	a->in_doubt = false;
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i]->left_out)
			a->groups[i]->next_flush_ms = core_now_ms(c);
}

/* Those of the rules in <keys>; NULL: of all. */
static void settle_rules(struct core *c, const struct map *keys)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->expires_ms == 0 && (keys == NULL || map_get(keys, a->rule) != NULL))
			doubt_settle(c, a);
	}
}

void doubt_step(struct core *c)
{
	int64_t now_mono_ms = clock_mono_ms(c->clock);
	struct map known = { 0 };
	struct str *keys = NULL;
	size_t n = 0;

	if (!c->doubting || c->settled == NULL || now_mono_ms < c->ask_mono_ms)
		return;
	c->ask_mono_ms = now_mono_ms + ASK_EVERY_MS;
	c->doubting = now_mono_ms < c->doubt_until_mono_ms && !c->settled(c->settled_ctx, c->doubt_since_ms, &c->scratch, &keys, &n);
	for (size_t i = 0; c->doubting && i < n; i++)
		map_put(&known, keys[i], &keys[i]);
	settle_rules(c, c->doubting ? &known : NULL);
	map_fini(&known);
}

int64_t doubt_next_due_ms(const struct core *c)
{
	if (!c->doubting || c->settled == NULL)
		return INT64_MAX;
	return core_now_ms(c) + c->ask_mono_ms - clock_mono_ms(c->clock);
}

bool doubt_holds(const struct group *g)
{
	bool held = false;

	for (size_t i = 0; i < g->n; i++) {
		if (!g->members[i]->in_doubt)
			return false;
		held = true;
	}
	return held;
}
