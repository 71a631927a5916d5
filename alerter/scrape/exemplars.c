/* Exemplars of a reply, until it is known to be good. */
#include <stdlib.h>

#include "scrape/take.h"
#include "tocsin/mem.h"

struct exemplar_staged {
	struct store_series *series;
	struct store_exemplar value;
};

void take_stage_exemplar(struct take *k, struct store_series *series, int64_t t_ms, const struct textparse_exemplar *e)
{
	struct store_exemplar value = { .v = e->v, .t_ms = e->has_t ? e->t_ms : t_ms, .own_time = e->has_t };
	struct err bad = { 0 };

	if (!textparse_exemplar_labels(arena_str(&k->exemplar_arena, e->text), &k->exemplar_arena, &value.labels, &bad))
		return;
	k->exemplars = mem_grow(k->exemplars, &k->cap_exemplars, k->n_exemplars + 1, sizeof *k->exemplars);
	k->exemplars[k->n_exemplars++] = (struct exemplar_staged){ series, value };
}

void take_finish_exemplars(struct take *k, bool good)
{
	for (size_t i = 0; good && i < k->n_exemplars; i++)
		store_add_exemplar(k->env->store, k->exemplars[i].series, &k->exemplars[i].value);
	free(k->exemplars);
	arena_fini(&k->exemplar_arena);
}
