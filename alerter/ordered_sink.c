/* A sink that lets the store sync first when there are events. */
#include "ordered_sink.h"

static bool commit(struct alert_sink *sink, const struct alert_batch_rule *rules, size_t n, struct err *e)
{
	struct ordered_sink *s = (struct ordered_sink *)sink;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= rules[i].n_events > 0;
	if (any)
		store_sync(s->store);
	return s->next->ops->commit(s->next, rules, n, e);
}

static bool load(struct alert_sink *sink, struct str rule_key, struct arena *a, struct alert_record **out, size_t *n, struct err *e)
{
	struct ordered_sink *s = (struct ordered_sink *)sink;

	return s->next->ops->load(s->next, rule_key, a, out, n, e);
}

static const struct alert_sink_ops ops = { commit, load };

void ordered_sink_init(struct ordered_sink *s, struct alert_sink *next, struct store *store)
{
	*s = (struct ordered_sink){ { &ops }, next, store };
}
