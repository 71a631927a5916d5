/* Piles of points, in pieces that grow with their pile. */
#include "piles.h"

#include "histogram_ops.h"

/* Points in order of time; the next piece when this one is full. */
struct piece {
	struct piece *next;
	size_t n, cap;
	int64_t *t_ms;
	double *v;
	const struct histogram **h;     /* NULL: floats only */
};

struct pile {
	struct piece *first, *last;
	size_t n;
	bool has_histograms;
};

void piles_init(struct piles *p, struct arena *texts, struct arena *kept)
{
	*p = (struct piles){ .texts = texts, .kept = kept };
	label_table_init(&p->labels, kept, 0);
}

size_t piles_number(struct label_table *t, struct arena *a, struct labels l)
{
	size_t i = label_table_find(t, l);

	return i != SIZE_MAX ? i : label_table_add_borrowed(t, labels_copy(a, l), NULL);
}

/* As long as what the pile holds: a series of many slices is in few pieces. */
static struct piece *piece_add(struct arena *a, struct pile *pile, size_t need)
{
	struct piece *p = ARENA_NEW(a, struct piece);

	p->cap = pile->n > need ? pile->n : need;
	p->t_ms = arena_alloc_raw(a, p->cap * sizeof *p->t_ms);
	p->v = arena_alloc_raw(a, p->cap * sizeof *p->v);
	*(pile->last == NULL ? &pile->first : &pile->last->next) = p;
	pile->last = p;
	return p;
}

static void piece_put(struct arena *a, struct piece *p, const struct promql_series *x, size_t from, size_t n)
{
	memcpy(p->t_ms + p->n, x->t_ms + from, n * sizeof *p->t_ms);
	memcpy(p->v + p->n, x->v + from, n * sizeof *p->v);
	if (x->h != NULL && p->h == NULL)
		p->h = ARENA_ARRAY(a, p->cap, const struct histogram *);
	for (size_t i = 0; x->h != NULL && i < n; i++)
		p->h[p->n + i] = x->h[from + i] == NULL ? NULL : histogram_keep(a, x->h[from + i]);
	p->n += n;
}

void piles_add(struct piles *piles, const struct promql_series *x)
{
	size_t i = piles_number(&piles->labels, piles->texts, x->labels), n;
	struct pile *pile;

	piles->v = arena_grow(piles->kept, piles->v, i, &piles->cap, i + 1, sizeof *piles->v);
	pile = &piles->v[i];
	pile->has_histograms = pile->has_histograms || x->h != NULL;
	for (size_t from = 0; from < x->n; from += n) {
		struct piece *p = pile->last;

		if (p == NULL || p->n == p->cap)
			p = piece_add(piles->kept, pile, x->n - from);
		n = p->cap - p->n < x->n - from ? p->cap - p->n : x->n - from;
		piece_put(piles->kept, p, x, from, n);
		pile->n += n;
	}
	piles->points += x->n;
}

struct promql_series pile_whole(const struct piles *piles, size_t i, struct arena *a, bool copy)
{
	const struct pile *pile = &piles->v[i];
	int64_t *t = arena_alloc_raw(a, pile->n * sizeof *t);
	double *v = arena_alloc_raw(a, pile->n * sizeof *v);
	const struct histogram **h = pile->has_histograms ? ARENA_ARRAY(a, pile->n, const struct histogram *) : NULL;
	size_t n = 0;

	for (const struct piece *p = pile->first; p != NULL; n += p->n, p = p->next) {
		memcpy(t + n, p->t_ms, p->n * sizeof *t);
		memcpy(v + n, p->v, p->n * sizeof *v);
		for (size_t k = 0; p->h != NULL && k < p->n; k++)
			h[n + k] = p->h[k] == NULL || !copy ? p->h[k] : histogram_keep(a, p->h[k]);
	}
	return (struct promql_series){ piles->labels.v[i], n, t, v, h };
}
