/* Putting samples of one series together. */
#include "store/run.h"

struct run run_new(size_t n, bool has_hist, struct arena *a)
{
	return (struct run){ arena_alloc_raw(a, n * sizeof(int64_t)), arena_alloc_raw(a, n * sizeof(double)),
		             has_hist ? ARENA_ARRAY(a, n, const struct histogram *) : NULL, 0 };
}

void run_set(struct run *to, size_t i, const struct run *from, size_t k)
{
	to->t[i] = from->t[k];
	to->v[i] = from->v[k];
	if (to->h != NULL)
		to->h[i] = from->h[k];
}

void run_mend(struct run *r, size_t seam, struct arena *a)
{
	struct run old;
	size_t beg, i, k = seam, n;

	if (seam == 0 || seam == r->n || r->t[seam - 1] < r->t[seam])
		return;
	for (beg = seam; beg > 0 && r->t[beg - 1] >= r->t[seam];)
		beg--;
	n = i = beg;
	old = run_new(r->n, r->h != NULL, a);
	for (size_t j = beg; j < r->n; j++)
		run_set(&old, j, r, j);
	while (i < seam || k < r->n) {
		bool first = k == r->n || (i < seam && old.t[i] < old.t[k]);

		if (!first && i < seam && old.t[i] == old.t[k])
			i++;
		run_set(r, n++, &old, first ? i++ : k++);
	}
	r->n = n;
}
