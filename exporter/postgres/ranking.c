/* What the others have is added up from what each row grew by since the round before: so a row that gets a series of its own, or is
 * forgotten by the server, takes nothing away from them. Totals of the server's are never in it: they would come again with each
 * start of ours, and look like growth. */
#include "postgres/ranking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/mem.h"

static int by_key(const void *a, const void *b)
{
	const struct ranking_entry *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static const struct ranking_entry *find(const struct ranking *r, const struct ranking_entry *row)
{
	return r->n_last > 0 ? bsearch(row, r->last, r->n_last, sizeof *row, by_key) : NULL;
}

static void choose(const struct ranking *r, struct ranking_entry *rows, size_t n, size_t limit)
{
	for (size_t i = 0; i < n && i < 2 * limit; i++) {
		const struct ranking_entry *before = find(r, &rows[i]);

		rows[i].shown = i < limit || (before != NULL && before->shown);
	}
}

/* What the row grew by since the last round; a counter that fell began anew. The first round tells nothing of what was before it,
 * and of a row that was beyond the cut nothing is known. */
static void add_growth(struct ranking *r, const struct ranking_entry *row, const struct ranking_entry *before, size_t n_values)
{
	if (!r->began || (before == NULL && r->was_cut))
		return;
	for (size_t i = 0; i < n_values; i++)
		r->others[i] += before != NULL && before->values[i] <= row->values[i] ? row->values[i] - before->values[i] : row->values[i];
}

/* The first value of a series is no growth to who reads it: a row that gets its series now grew among the others until now. */
static bool is_growth_shown(const struct ranking_entry *row, const struct ranking_entry *before)
{
	return row->shown && (before == NULL || before->shown);
}

void ranking_meet(struct ranking *r, double server_began_s, double now_s)
{
	if (server_began_s != r->server_began_s && server_began_s < r->met_s)
		r->began = false;
	r->server_began_s = server_began_s;
	r->met_s = now_s;
}

void ranking_take(struct ranking *r, struct ranking_entry *rows, size_t n, bool is_cut, size_t n_values, size_t limit)
{
	assert(n_values <= RANKING_VALUES_MAX);
	choose(r, rows, n, limit);
	for (size_t i = 0; i < n; i++) {
		const struct ranking_entry *before = find(r, &rows[i]);

		if (!is_growth_shown(&rows[i], before))
			add_growth(r, &rows[i], before, n_values);
	}
	r->began = true;
	r->was_cut = is_cut;
	free(r->last);
	r->last = mem_alloc((n ? n : 1) * sizeof *r->last);
	r->n_last = n;
	if (n == 0)
		return;
	memcpy(r->last, rows, n * sizeof *rows);
	qsort(r->last, n, sizeof *rows, by_key);
}

void ranking_fini(struct ranking *r)
{
	free(r->last);
	*r = (struct ranking){ 0 };
}
