/* quantile() over a group's values, and count_values(), whose groups are the values themselves. */
#include "aggregate.h"
#include "eval_histogram.h"
#include "fn_histogram.h"
#include "piles.h"
#include "tocsin/num.h"
#include "numeric.h"

/* Rows by group: those of group g are rows[first[g]] … rows[first[g + 1]]. */
struct members {
	uint32_t *first, *rows;
};

static struct members members_of(struct arena *a, const struct grouping *g, size_t n_rows)
{
	struct members m = { ARENA_ARRAY(a, g->shape->n + 1, uint32_t), ARENA_ARRAY(a, n_rows, uint32_t) };
	uint32_t *next = ARENA_ARRAY(a, g->shape->n + 1, uint32_t);

	for (size_t row = 0; row < n_rows; row++)
		m.first[g->of[row] + 1]++;
	for (size_t i = 0; i < g->shape->n; i++)
		m.first[i + 1] += m.first[i];
	memcpy(next, m.first, (g->shape->n + 1) * sizeof *next);
	for (size_t row = 0; row < n_rows; row++)
		m.rows[next[g->of[row]]++] = (uint32_t)row;
	return m;
}

/* Of all that are no quantiles the ends are told. */
static void note_quantiles(struct eval *ev, const struct node *n, const struct value *param)
{
	struct param_range r = aggregate_param_range(param);

	if (r.has_nan || r.most > 1)
		note_quantile(ev, r.most, aggregate_param_pos(n));
	if (r.least < 0)
		note_quantile(ev, r.least, aggregate_param_pos(n));
}

struct value *aggregate_quantile(struct eval *ev, const struct node *n, const struct value *x, const struct value *param)
{
	struct grouping g = aggregate_grouping(ev, n, x->shape);
	struct members m = members_of(ev->arena, &g, x->shape->n);
	double *sorted = ARENA_ARRAY(ev->arena, x->shape->n, double);
	struct value *out = value_new(ev, g.shape);

	note_quantiles(ev, n, param);
	for (size_t step = 0; out != NULL && step < out->n_steps; step++) {
		for (size_t group = 0; group < g.shape->n && eval_works(ev, m.first[group + 1] - m.first[group]); group++) {
			size_t count = 0, to = group * out->n_steps + step;

			for (size_t k = m.first[group]; k < m.first[group + 1]; k++) {
				size_t i = m.rows[k] * x->n_steps + step;

				if (value_is_float(x, i))
					sorted[count++] = x->v[i];
				else if (x->has[i])
					aggregate_note_ignored(ev, n, aggregate_operand_pos(n));
			}
			sort_doubles(sorted, count);
			out->has[to] = count > 0;
			out->v[to] = quantile_of_sorted(param->v[step], sorted, count);
		}
	}
	aggregate_drops(ev, &g, x, out);
	return out;
}

enum { LABEL_CELLS = 32 };      /* making a label set takes as long as so many cells */

/* The label set of one member: what by() or without() leaves of its labels with the value among them. Its number in <t>. */
static uint32_t value_group(struct eval *ev, struct label_table *t, const struct node *n, const struct value *x, size_t cell, struct str label)
{
	struct arena_mark mark = arena_mark(ev->scratch);
	struct buf text = { 0 };
	char fixed[344];
	struct labels with;
	size_t group;

	if (value_histogram(x, cell) != NULL)
		promql_histogram_print(&text, x->h[cell]);
	else
		buf_put(&text, fixed, num_format_fixed(fixed, x->v[cell]));
	with = labels_with(ev->scratch, x->shape->labels[cell / x->n_steps], label, buf_str(&text));
	group = piles_number(t, t->arena, aggregate_labels(&n->aggregate, ARENA_ARRAY(ev->scratch, with.n, struct label), with));
	buf_fini(&text);
	arena_rewind(ev->scratch, mark);
	return (uint32_t)group;
}

static void bad_label(struct eval *ev, int pos, struct str label)
{
	struct buf shown = { .limit = 200 };

	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		buf_printf(&shown, c < 0x20 || c > 0x7e ? "\\x%02x" : "%c", c);
	}
	eval_fail(ev, ERR_EXEC, pos, "invalid label name \"%s\"", buf_z(&shown));
	buf_fini(&shown);
}

struct value *aggregate_count_values(struct eval *ev, const struct node *n, const struct value *x, struct str label)
{
	struct memory_slot *slot = memory_slot_anew(ev, n->id, MEMORY_SHAPE);
	uint32_t *to = ARENA_ARRAY(ev->arena, value_cells(x), uint32_t);
	struct label_table table;
	struct node by = *n;
	struct value *out;

	if (label.n == 0 || !str_is_utf8(label)) {
		bad_label(ev, aggregate_param_pos(n), label);
		return NULL;
	}
	if (!n->aggregate.without) {    /* the value's label is always one of the group's */
		struct str *names = ARENA_ARRAY(ev->arena, n->aggregate.n_labels + 1, struct str);

		for (size_t i = 0; i < n->aggregate.n_labels; i++)
			names[i] = n->aggregate.labels[i];
		names[n->aggregate.n_labels] = label;
		by.aggregate.labels = names;
		by.aggregate.n_labels++;
	}
	label_table_init(&table, &slot->arena, 16);
	for (size_t i = 0; i < value_cells(x) && eval_works(ev, LABEL_CELLS); i++)
		if (x->has[i])
			to[i] = value_group(ev, &table, &by, x, i, label);
	slot->shape = (struct shape){ .n = table.n, .labels = table.v };
	memory_keep(ev, slot);
	out = ev->failed ? NULL : value_new(ev, &slot->shape);
	for (size_t i = 0; out != NULL && i < value_cells(x); i++) {
		size_t at = to[i] * out->n_steps + i % x->n_steps;

		if (!x->has[i])
			continue;
		out->v[at] = out->has[at] ? out->v[at] + 1 : 1;
		out->has[at] = true;
	}
	return out;
}
