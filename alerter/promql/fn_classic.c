/* histogram_quantile(), histogram_quantiles() and histogram_fraction() over a vector: classic buckets are gathered by their
 * labels without "le"; native histograms stand for themselves. A label set that is both at one step is left out, with a
 * warning. Which row is which bucket of which histogram is remembered as long as the series stay. */
#include <stdlib.h>

#include "fn_histogram.h"
#include "functions_bodies.h"
#include "memory.h"
#include "notes.h"
#include "tocsin/num.h"

struct entry {
	uint32_t group, row;
	double bound;
};

struct layout {
	struct label_table table;       /* the histograms */
	struct entry *entries;          /* by group, then by bound */
	size_t n_entries, cap_entries;
	uint32_t *native;               /* group of each row, were it native; NULL: no row is */
	bool *bad;                      /* no usable "le" */
	size_t cap_native, cap_bad;
	bool any_bad;
	uint32_t *first;                /* entry a group begins at; n_groups + 1 of them */
	size_t cap_first;
};

static int by_group_and_bound(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->bound > y->bound) - (x->bound < y->bound);
}

/* Entries from <sorted> on are new. */
static void sort_entries(struct layout *l, size_t sorted, struct arena *scratch)
{
	size_t n_new = l->n_entries - sorted, to = l->n_entries;
	struct entry *added = ARENA_ARRAY(scratch, n_new, struct entry);

	if (n_new == 0)
		return;
	memcpy(added, l->entries + sorted, n_new * sizeof *added);
	qsort(added, n_new, sizeof *added, by_group_and_bound);
	while (n_new > 0) {
		bool old_last = sorted > 0 && by_group_and_bound(&l->entries[sorted - 1], &added[n_new - 1]) > 0;

		l->entries[--to] = old_last ? l->entries[--sorted] : added[--n_new];
	}
}

static void index_groups(struct layout *l, struct arena *a)
{
	size_t e = 0;

	l->first = arena_grow(a, l->first, 0, &l->cap_first, l->table.n + 1, sizeof *l->first);
	for (size_t g = 0; g <= l->table.n; g++) {
		while (e < l->n_entries && l->entries[e].group < g)
			e++;
		l->first[g] = (uint32_t)e;
	}
}

static struct labels without_le(struct label *room, struct labels in)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++)
		if (!str_eq(in.v[i].name, STR("le")))
			room[n++] = in.v[i];
	return (struct labels){ room, n };
}

static void layout_row(struct layout *l, const struct shape *in, size_t row, bool natives, struct label *room)
{
	struct entry *e = &l->entries[l->n_entries];

	if (natives)
		l->native[row] = (uint32_t)label_table_add(&l->table, in->labels[row], NULL);
	l->bad[row] = !str_to_decimal(labels_get(in->labels[row], STR("le")), &e->bound) || isnan(e->bound);
	l->any_bad |= l->bad[row];
	if (l->bad[row])
		return;
	e->row = (uint32_t)row;
	e->group = (uint32_t)label_table_add(&l->table, without_le(room, in->labels[row]), NULL);
	l->n_entries++;
}

/* The rows that are not in yet. */
static void layout_rows(struct eval *ev, struct memory_slot *slot, const struct shape *in, bool natives)
{
	struct arena *a = &slot->arena;
	struct layout *l = slot->extra;
	struct label *room = ARENA_ARRAY(ev->arena, shape_longest(in, slot->done[0]), struct label);
	size_t sorted;

	if (l == NULL) {
		slot->extra = l = ARENA_NEW(a, struct layout);
		label_table_init(&l->table, a, natives ? in->n : in->n / 4);
	}
	sorted = l->n_entries;
	l->entries = arena_grow(a, l->entries, sorted, &l->cap_entries, in->n, sizeof *l->entries);
	l->bad = arena_grow(a, l->bad, slot->done[0], &l->cap_bad, in->n, sizeof *l->bad);
	if (natives)
		l->native = arena_grow(a, l->native, slot->done[0], &l->cap_native, in->n, sizeof *l->native);
	for (size_t row = slot->done[0]; row < in->n; row++)
		layout_row(l, in, row, natives, room);
	sort_entries(l, sorted, ev->arena);
	index_groups(l, a);
	slot->shape.n = l->table.n;
	slot->shape.labels = l->table.v;
}

/* The histograms of a vector, step by step. */
struct gather {
	struct eval_call *c;
	const struct value *x;
	int pos;                /* of the vector in the query */
	const struct shape *shape;
	const struct layout *layout;
	struct bucket *buckets; /* of the group at hand */
	size_t n;
	const struct histogram **natives;       /* of the step at hand, by group */
};

/* Notes name the metric only where names go last: before, Prometheus has dropped it when it tells. */
static struct labels told_of(const struct gather *g, struct labels l)
{
	return eval_has_feature(g->c->ev, PROMQL_DELAYED_NAME_REMOVAL) ? l : (struct labels){ 0 };
}

static void gather_open(struct gather *g, struct eval_call *c, size_t arg)
{
	const struct value *x = c->args[arg];
	struct memory_slot *slot = memory_slot(c->ev, c->node->id, MEMORY_SHAPE, memory_of_shape(x->shape),
	                                       (struct memory_input){ x->h != NULL, 0 });

	if (memory_is_due(slot)) {
		layout_rows(c->ev, slot, x->shape, x->h != NULL);
		memory_keep(c->ev, slot);
	}
	*g = (struct gather){ c, x, call_arg_pos(c, arg), &slot->shape, slot->extra, NULL, 0, NULL };
	g->buckets = ARENA_ARRAY(c->ev->arena, g->layout->n_entries, struct bucket);
	if (g->layout->native != NULL)
		g->natives = ARENA_ARRAY(c->ev->arena, g->shape->n, const struct histogram *);
}

/* Warns of unusable buckets, and finds the native histograms of the step. */
static void gather_step(struct gather *g, size_t step)
{
	const struct value *x = g->x;

	if (g->natives != NULL)
		memset(g->natives, 0, g->shape->n * sizeof *g->natives);
	if (g->natives == NULL && !g->layout->any_bad)
		return;
	for (size_t row = 0; row < x->shape->n; row++) {
		size_t i = row * x->n_steps + step;

		if (!x->has[i])
			continue;
		if (value_histogram(x, i) != NULL)
			g->natives[g->layout->native[row]] = x->h[i];
		else if (g->layout->bad[row])
			note_bad_bucket(g->c->ev, told_of(g, x->shape->labels[row]), labels_get(x->shape->labels[row], STR("le")),
			                g->pos);
	}
}

enum { GROUP_CELLS = 32 };      /* a group takes as long as so many cells */

/* The buckets of <group> at <step> into g->buckets; false: neither buckets nor a native histogram, or both. */
static bool gather_group(struct gather *g, size_t group, size_t step)
{
	const struct histogram *native = g->natives == NULL ? NULL : g->natives[group];

	g->n = 0;
	for (size_t e = g->layout->first[group]; e < g->layout->first[group + 1]; e++) {
		size_t i = g->layout->entries[e].row * g->x->n_steps + step;

		if (value_is_float(g->x, i))
			g->buckets[g->n++] = (struct bucket){ g->layout->entries[e].bound, g->x->v[i] };
	}
	if (native != NULL && g->n > 0) {
		note_add(g->c->ev, NOTE_MIXED_CLASSIC_NATIVE, told_of(g, g->shape->labels[group]), g->pos);
		return false;
	}
	return native != NULL || g->n > 0;
}

static double group_quantile(struct gather *g, size_t group, double q, size_t step)
{
	struct labels told = told_of(g, g->shape->labels[group]);
	struct bucket *copy;
	struct falls falls;
	double v;

	if (g->n == 0)
		return native_quantile(g->c->ev, q, g->natives[group], told, g->pos);
	copy = ARENA_ARRAY(g->c->ev->scratch, g->n, struct bucket);
	memcpy(copy, g->buckets, g->n * sizeof *copy);
	v = buckets_quantile(q, copy, g->n, &falls);
	if (falls.n > 0) {
		falls.first_ms = falls.last_ms = step_at(&g->c->ev->steps, step);
		note_falls(g->c->ev, told, &falls, g->pos);
	}
	return v;
}

static double group_fraction(struct gather *g, size_t group, double lower, double upper)
{
	if (g->n == 0)
		return native_fraction(g->c->ev, lower, upper, g->natives[group], told_of(g, g->shape->labels[group]), g->pos);
	return buckets_fraction(lower, upper, g->buckets, g->n);
}

void fn_histogram_quantile(struct eval_call *c)
{
	struct gather g;
	struct value *out;

	gather_open(&g, c, 1);
	out = value_new(c->ev, g.shape);
	for (size_t step = 0; out != NULL && step < out->n_steps; step++) {
		double q = call_scalar(c, 0, step);
		struct arena_mark mark = arena_mark(c->ev->scratch);

		note_quantile(c->ev, q, call_arg_pos(c, 0));
		gather_step(&g, step);
		for (size_t group = 0; group < g.shape->n && eval_works(c->ev, GROUP_CELLS); group++) {
			size_t i = group * out->n_steps + step;

			out->has[i] = gather_group(&g, group, step);
			if (out->has[i])
				out->v[i] = group_quantile(&g, group, q, step);
		}
		arena_rewind(c->ev->scratch, mark);
	}
	if (out != NULL)
		c->result = value_drop_names(c->ev, c->node, out);
}

void fn_histogram_fraction(struct eval_call *c)
{
	struct gather g;
	struct value *out;

	gather_open(&g, c, 2);
	out = value_new(c->ev, g.shape);
	for (size_t step = 0; out != NULL && step < out->n_steps; step++) {
		gather_step(&g, step);
		for (size_t group = 0; group < g.shape->n && eval_works(c->ev, GROUP_CELLS); group++) {
			size_t i = group * out->n_steps + step;

			out->has[i] = gather_group(&g, group, step);
			if (out->has[i])
				out->v[i] = group_fraction(&g, group, call_scalar(c, 0, step), call_scalar(c, 1, step));
		}
	}
	if (out != NULL)
		c->result = value_drop_names(c->ev, c->node, out);
}

/* The value of the quantile label, as OpenMetrics writes numbers: always with a point or an exponent. */
static struct str quantile_text(struct arena *a, double q)
{
	char text[NUM_MAX + 2];
	size_t n = num_format(text, q);

	if (strpbrk(text, ".eNI") == NULL) {
		memcpy(text + n, ".0", 3);
		n += 2;
	}
	return arena_str(a, (struct str){ text, n });
}

/* Rows of the result: each histogram for each different quantile any step asks for. */
struct quantiles {
	struct gather g;
	double *q;
	size_t n, cap;
};

static size_t quantile_index(struct quantiles *qs, double q)
{
	for (size_t i = 0; i < qs->n; i++)
		if (qs->q[i] == q || (isnan(qs->q[i]) && isnan(q)))
			return i;
	qs->q = arena_grow(qs->g.c->ev->arena, qs->q, qs->n, &qs->cap, qs->n + 1, sizeof *qs->q);
	qs->q[qs->n] = q;
	return qs->n++;
}

static const struct shape *quantiles_shape(struct quantiles *qs, struct str label)
{
	struct eval_call *c = qs->g.c;
	struct memory_slot *slot = memory_slot_anew(c->ev, c->node->id, MEMORY_NAMES);
	size_t n = qs->g.shape->n;
	struct labels *labels = ARENA_ARRAY(&slot->arena, n * qs->n, struct labels);

	for (size_t k = 0; k < qs->n; k++) {
		struct str text = quantile_text(&slot->arena, qs->q[k]);

		for (size_t group = 0; group < n; group++) {
			struct label *room = ARENA_ARRAY(&slot->arena, qs->g.shape->labels[group].n + 1, struct label);
			struct labels l = qs->g.shape->labels[group];

			if (!eval_has_feature(c->ev, PROMQL_DELAYED_NAME_REMOVAL))
				l = labels_without_metric(room, l);
			labels[k * n + group] = labels_with(&slot->arena, l, label, text);
		}
	}
	slot->shape = (struct shape){ .n = n * qs->n, .labels = labels };
	memory_keep(c->ev, slot);
	return &slot->shape;
}

void fn_histogram_quantiles(struct eval_call *c)
{
	struct quantiles qs = { 0 };
	struct value *out;

	gather_open(&qs.g, c, 0);
	for (size_t i = 2; i < c->n_args; i++)
		for (size_t step = 0; step < c->ev->steps.n; step++) {
			note_quantile(c->ev, call_scalar(c, i, step), call_arg_pos(c, i));
			quantile_index(&qs, call_scalar(c, i, step));
		}
	out = value_new(c->ev, quantiles_shape(&qs, c->args[1]->string));
	for (size_t step = 0; out != NULL && step < out->n_steps; step++) {
		gather_step(&qs.g, step);
		for (size_t group = 0; group < qs.g.shape->n && eval_works(c->ev, GROUP_CELLS); group++) {
			if (!gather_group(&qs.g, group, step))
				continue;
			for (size_t i = 2; i < c->n_args; i++) {
				double q = call_scalar(c, i, step);
				size_t cell = (quantile_index(&qs, q) * qs.g.shape->n + group) * out->n_steps + step;

				out->has[cell] = true;
				out->v[cell] = group_quantile(&qs.g, group, q, step);
			}
		}
	}
	c->result = out != NULL && eval_has_feature(c->ev, PROMQL_DELAYED_NAME_REMOVAL) ? value_drop_names(c->ev, c->node, out) : out;
}
