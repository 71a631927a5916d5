/* sort(), sort_desc(), sort_by_label(), sort_by_label_desc(): the order of an instant query's result. A range query is always
 * ordered by labels, so there they change nothing. */
#include <stdlib.h>

#include "functions_bodies.h"
#include "memory.h"
#include "notes.h"

struct sorter {
	struct eval *ev;
	const struct value *x;
	const struct eval_call *c;
	bool descending;
};

/* NaN comes last both ways. Equals keep their order. */
static int by_value(const void *a, const void *b, void *arg)
{
	const struct sorter *s = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	double x = s->x->v[i], y = s->x->v[k];

	if (!eval_works(s->ev, 1))      /* whatever comes of it is thrown away */
		return 0;
	if (isnan(x) || isnan(y))
		return isnan(x) && isnan(y) ? (i > k) - (i < k) : isnan(x) - isnan(y);
	if (x == y)
		return (i > k) - (i < k);
	return (x < y) == s->descending ? 1 : -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits, or what is none, that <s> begins with. */
static struct str chunk_of(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_digit(s.p[n]) == is_digit(s.p[0]))
		n++;
	return (struct str){ s.p, n };
}

/* "a2" before "a10" and "web1" before "web-1": runs of digits compare as numbers, what is between them as whole texts. */
static int natural_cmp(struct str a, struct str b)
{
	struct str whole_a = a, whole_b = b;

	while (a.n > 0 && b.n > 0) {
		struct str x = chunk_of(a), y = chunk_of(b);
		int64_t m, n;
		int order;

		if (is_digit(x.p[0]) && is_digit(y.p[0]) && str_to_int64(x, &m) && str_to_int64(y, &n))
			order = m < n ? -1 : m > n;
		else
			order = str_cmp(x, y);
		if (order != 0)
			return order;
		a = str_between(a.p + x.n, a.p + a.n);
		b = str_between(b.p + y.n, b.p + b.n);
	}
	return a.n > 0 ? 1 : b.n > 0 ? -1 : str_cmp(whole_a, whole_b);
}

static int by_label(const void *a, const void *b, void *arg)
{
	const struct sorter *s = arg;
	struct labels x = s->x->shape->labels[*(const uint32_t *)a], y = s->x->shape->labels[*(const uint32_t *)b];
	int order = 0;

	if (!eval_works(s->ev, 4))      /* whatever comes of it is thrown away */
		return 0;
	for (size_t i = 1; i < s->c->n_args && order == 0; i++)
		order = natural_cmp(labels_get(x, s->c->args[i]->string), labels_get(y, s->c->args[i]->string));
	if (order == 0)
		order = labels_cmp(x, y);
	return s->descending ? -order : order;
}

static void sort_rows(struct eval_call *c, bool histograms, int (*order)(const void *, const void *, void *), bool descending)
{
	struct value *x = c->args[0];
	struct sorter s = { c->ev, x, c, descending };
	uint32_t *rows;
	size_t n = 0;

	c->result = x;
	if (x->n_steps > 1 || c->ev->query_end_ms > c->ev->query_start_ms) {     /* a slice of a range query may have one step */
		note_add(c->ev, NOTE_SORT_IN_RANGE, (struct labels){ 0 }, c->node->beg);
		return;
	}
	rows = ARENA_ARRAY(c->ev->arena, x->shape->n, uint32_t);
	for (size_t row = 0; row < x->shape->n; row++)
		if (x->has[row] && (histograms || value_histogram(x, row) == NULL))
			rows[n++] = (uint32_t)row;
	qsort_r(rows, n, sizeof *rows, order, &s);
	c->result = value_pick_rows(c->ev, c->node, x, rows, n);
}

static void sort_values(struct eval_call *c, bool descending)
{
	struct value *x = c->args[0];

	for (size_t i = 0; i < value_cells(x); i++)
		x->has[i] = value_is_float(x, i);
	sort_rows(c, false, by_value, descending);
}

void fn_sort(struct eval_call *c)
{
	sort_values(c, false);
}

void fn_sort_desc(struct eval_call *c)
{
	sort_values(c, true);
}

void fn_sort_by_label(struct eval_call *c)
{
	sort_rows(c, true, by_label, false);
}

void fn_sort_by_label_desc(struct eval_call *c)
{
	sort_rows(c, true, by_label, true);
}
