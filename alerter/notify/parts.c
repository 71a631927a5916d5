/* max_alerts: what does not fit into one message. Whatever stood in a message as firing stands in a later one as ended, in as many as
 * that takes, and the last of them shows something that fires, if anything does. What was told by its number only ends by its number.
 * Beyond that new alerts come before those that are known. What a receiver cannot take at once goes in several messages, whole. */
#include "notify/core.h"

#include <stdlib.h>

#include "notify/receivers/notifier.h"
#include "notify/receivers/receiver.h"

enum rank { END_OF_SHOWN, NEW, SHOWN, CUT, END_OF_CUT, RANKS };

static enum rank rank_of(const struct notice *n, const struct page_alert *a)
{
	bool told = episode_told(n->episode, a), cut = told && episode_cut(n->episode, a);

	if (a->ends_ms != 0)
		return told && !cut ? END_OF_SHOWN : END_OF_CUT;
	return !told ? NEW : cut ? CUT : SHOWN;
}

/* All of them by rank, and <*must> how many of the first are to be told. */
static struct page_alert **by_rank(const struct notice *n, size_t *must)
{
	struct page_alert **v = ARENA_ARRAY(n->arena, n->n + 1, struct page_alert *);
	size_t at = 0;

	for (enum rank r = END_OF_SHOWN; r < RANKS; r++) {
		for (size_t i = 0; i < n->n; i++)
			if (rank_of(n, n->alerts[i]) == r)
				v[at++] = n->alerts[i];
		if (r == END_OF_SHOWN)
			*must = at + (n->n_firing > 0);
	}
	return v;
}

/* About what an alert takes in a message. */
static size_t alert_bytes(const struct page_alert *a)
{
	const struct labels parts[] = {a->labels, a->annotations};
	size_t bytes = 400 + a->generator_url.n;

	for (size_t p = 0; p < ARRAY_LEN(parts); p++)
		for (size_t i = 0; i < parts[p].n; i++)
			bytes += parts[p].v[i].name.n + parts[p].v[i].value.n + 8;
	return bytes;
}

static size_t max_bytes(const struct integration *in)
{
	return in->notifier != NULL ? in->notifier->notifier->max_bytes : 0;
}

/* 0: all. */
static size_t most_alerts(const struct notice *n)
{
	size_t most = (size_t)n->integration->webhook.max_alerts, limit = max_bytes(n->integration), all = 0, largest = 1;

	for (size_t i = 0; limit > 0 && i < n->n; i++) {
		size_t bytes = alert_bytes(n->alerts[i]);

		all += bytes;
		largest = bytes > largest ? bytes : largest;
	}
	if (all <= limit)
		return most;
	limit = limit / largest > 0 ? limit / largest : 1;
	return most == 0 || limit < most ? limit : most;
}

struct notice *parts_of(const struct notice *n, size_t *n_parts)
{
	size_t max = most_alerts(n), must = 0;
	bool cuts = n->integration->webhook.max_alerts > 0;
	struct notice *parts;
	struct page_alert **v;

	if (max == 0 || max >= n->n) {
		parts = ARENA_NEW(n->arena, struct notice);
		*parts = *n;
		*n_parts = 1;
		return parts;
	}
	v = by_rank(n, &must);
	if (!cuts)
		must = n->n;
	*n_parts = must > max ? (must - 1) / max + 1 : 1;
	parts = ARENA_ARRAY(n->arena, *n_parts, struct notice);
	for (size_t i = 0; i < *n_parts; i++) {
		parts[i] = *n;
		parts[i].alerts = v + i * max;
		parts[i].n = n->n - i * max < max ? n->n - i * max : max;
		parts[i].n_cut = cuts ? n->n - parts[i].n : 0;
		qsort(parts[i].alerts, parts[i].n, sizeof(struct page_alert *), order_alerts);
	}
	return parts;
}
