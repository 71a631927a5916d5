/* What the others have is added up from what each row grew by since the round before: so a row that gets a series of its own, or is
 * forgotten by the server, takes nothing away from them. */
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

/* A counter that fell began anew. */
static void add_growth(struct ranking *r, const struct ranking_entry *row, size_t n_values)
{
	const struct ranking_entry *before = find(r, row);

	for (size_t i = 0; i < n_values; i++)
		r->others[i] += before != NULL && before->values[i] <= row->values[i] ? row->values[i] - before->values[i] : row->values[i];
}

void ranking_take(struct ranking *r, struct ranking_entry *rows, size_t n, size_t n_values, size_t limit)
{
	assert(n_values <= RANKING_VALUES_MAX);
	choose(r, rows, n, limit);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].shown)
			continue;
		r->has_others = true;
		add_growth(r, &rows[i], n_values);
	}
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
