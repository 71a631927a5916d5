/* load_with_nhcb: classic histograms also become native ones with custom buckets: name_bucket, name_count and name_sum with the
 * same labels become name. */
#include <stdlib.h>

#include "../memory.h"
#include "script_inside.h"

enum part { PART_NONE, PART_BUCKET, PART_COUNT, PART_SUM };

/* One classic series of the block. */
struct classic {
	size_t group;
	enum part part;
	double bound;
	const struct loaded *from;
};

static enum part part_of(struct arena *a, struct labels l, struct labels *base, double *bound)
{
	static const struct {
		struct str suffix;
		enum part part;
	} parts[] = { { { "_bucket", 7 }, PART_BUCKET }, { { "_count", 6 }, PART_COUNT }, { { "_sum", 4 }, PART_SUM } };
	struct str name = labels_get(l, STR(LABEL_NAME));

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!str_ends(name, parts[i].suffix))
			continue;
		if (parts[i].part == PART_BUCKET && !str_to_double(labels_get(l, STR("le")), bound))
			return PART_NONE;
		*base = labels_with(a, l, STR(LABEL_NAME), (struct str){ name.p, name.n - parts[i].suffix.n });
		if (parts[i].part == PART_BUCKET)
			*base = labels_without(a, *base, STR("le"));
		return parts[i].part;
	}
	return PART_NONE;
}

static int by_group_and_bound(const void *a, const void *b)
{
	const struct classic *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return (x->bound > y->bound) - (x->bound < y->bound);
}

static bool value_at(const struct classic *c, size_t i, double *v)
{
	if (i >= c->from->n || c->from->v[i].kind != NOTATION_FLOAT)
		return false;
	*v = c->from->v[i].v;
	return true;
}

/* The native histogram of <n> classic series of one group at sample <i>. False: nothing there, or its counts go down. */
static bool convert(struct arena *a, const struct classic *c, size_t n, size_t i, struct histogram *h)
{
	double *counts = ARENA_ARRAY(a, n + 1, double), *bounds = ARENA_ARRAY(a, n + 1, double), v, below = 0;
	struct histogram_span *span = ARENA_NEW(a, struct histogram_span);
	uint32_t used = 0, n_custom = 0;
	bool counted = false;

	*h = (struct histogram){ .schema = HISTOGRAM_CUSTOM };
	for (size_t k = 0; k < n; k++) {
		if (!value_at(&c[k], i, &v))
			continue;
		if (c[k].part == PART_SUM) {
			h->sum = v;
		} else if (c[k].part == PART_COUNT) {
			h->count = v;
			counted = true;
		} else if (n_custom == 0 || c[k].bound != bounds[n_custom - 1]) {  /* le="1" and le="1.0" are one: the first counts */
			if (v < below)
				return false;
			counts[used++] = v - below;
			if (c[k].bound < INFINITY)
				bounds[n_custom++] = c[k].bound;
			below = v;
		}
	}
	if (used == 0)
		return false;
	if (!counted)
		h->count = below;
	if (used == n_custom)           /* no bucket for +Inf: it holds the rest */
		counts[used++] = h->count - below;
	*span = (struct histogram_span){ 0, used };
	h->pos = (struct histogram_side){ span, counts, 1, used };
	h->custom = bounds;
	h->n_custom = n_custom;
	return true;
}

static void convert_group(struct load *l, struct labels labels, const struct classic *c, size_t n)
{
	size_t most = 0;

	for (size_t k = 0; k < n; k++)
		most = c[k].from->n > most ? c[k].from->n : most;
	for (size_t i = 0; i < most; i++) {
		struct histogram h;

		if (convert(l->arena, c, n, i, &h))
			ram_append(l->ram, labels, (int64_t)i * l->step_ms, 0, &h, 0);
	}
}

void script_load_nhcb(struct load *l)
{
	struct classic *all = ARENA_ARRAY(l->arena, l->n_loaded, struct classic);
	struct label_table groups;
	size_t n = 0;

	label_table_init(&groups, l->arena, 16);
	for (size_t i = 0; i < l->n_loaded; i++) {
		struct labels base;

		all[n] = (struct classic){ .from = &l->loaded[i] };
		all[n].part = part_of(l->arena, l->loaded[i].labels, &base, &all[n].bound);
		if (all[n].part != PART_NONE)
			all[n++].group = label_table_add(&groups, base, NULL);
	}
	if (n > 0)
		qsort(all, n, sizeof *all, by_group_and_bound);
	for (size_t beg = 0, end; beg < n; beg = end) {
		for (end = beg; end < n && all[end].group == all[beg].group; end++)
			;
		convert_group(l, groups.v[all[beg].group], all + beg, end - beg);
	}
}
