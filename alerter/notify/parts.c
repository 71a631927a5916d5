/* max_alerts: what does not fit into one message. Whatever stood in a message as firing stands in a later one as ended, in as many as
 * that takes, and the last of them shows something that fires, if anything does. What was told by its number only ends by its number.
 * Beyond that new alerts come before those that are known. */
#include "notify/core.h"

#include <stdlib.h>

#include "notify/receiver.h"

static int compare_label(const struct page_alert *x, const struct page_alert *y, struct str name)
{
	return str_cmp(labels_get(x->labels, name), labels_get(y->labels, name));
}

int parts_compare_alerts(const void *a, const void *b)
{
	const struct page_alert *x = *(struct page_alert *const *)a, *y = *(struct page_alert *const *)b;
	int order = compare_label(x, y, STR("job"));

	if (order == 0)
		order = compare_label(x, y, STR("instance"));
	if (order == 0)
		order = labels_cmp(x->labels, y->labels);
	return order != 0 ? order : (x->ends_ms != 0) - (y->ends_ms != 0);
}

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

struct notice *parts_of(const struct notice *n, size_t *n_parts)
{
	size_t max = (size_t)n->integration->webhook.max_alerts, must = 0;
	struct notice *parts;
	struct page_alert **v;

	if (max == 0 || max >= n->n) {
		parts = ARENA_NEW(n->arena, struct notice);
		*parts = *n;
		*n_parts = 1;
		return parts;
	}
	v = by_rank(n, &must);
	*n_parts = must > max ? (must - 1) / max + 1 : 1;
	parts = ARENA_ARRAY(n->arena, *n_parts, struct notice);
	for (size_t i = 0; i < *n_parts; i++) {
		parts[i] = *n;
		parts[i].alerts = v + i * max;
		parts[i].n = n->n - i * max < max ? n->n - i * max : max;
		parts[i].n_cut = n->n - parts[i].n;
		qsort(parts[i].alerts, parts[i].n, sizeof(struct page_alert *), parts_compare_alerts);
	}
	return parts;
}
