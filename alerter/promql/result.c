/* A result that outlives its evaluation: its samples and labels alone, without what they were computed from. */
#include "histogram_ops.h"
#include "promql.h"

static size_t labels_bytes(struct labels l)
{
	size_t bytes = l.n * sizeof *l.v;

	for (size_t i = 0; i < l.n; i++)
		bytes += l.v[i].name.n + l.v[i].value.n + 2;
	return bytes;
}

static size_t histogram_bytes(const struct histogram *h)
{
	size_t numbers = (size_t)h->pos.n_buckets + h->pos.n_spans + h->neg.n_buckets + h->neg.n_spans + h->n_custom;

	return sizeof *h + numbers * sizeof(double);
}

static size_t series_bytes(const struct promql_series *s, const int64_t *t_before)
{
	size_t bytes = sizeof *s + labels_bytes(s->labels) + s->n * sizeof *s->v;

	if (s->t_ms != t_before)
		bytes += s->n * sizeof *s->t_ms;
	for (size_t i = 0; s->h != NULL && i < s->n; i++)
		bytes += sizeof *s->h + (s->h[i] != NULL ? histogram_bytes(s->h[i]) : 0);
	return bytes;
}

size_t promql_result_bytes(const struct promql_result *r, size_t from)
{
	const int64_t *t = NULL;
	size_t bytes = sizeof *r;

	for (size_t i = from; i < r->n_vector; i++)
		bytes += sizeof *r->vector + labels_bytes(r->vector[i].labels) +
		         (r->vector[i].h != NULL ? histogram_bytes(r->vector[i].h) : 0);
	for (size_t i = from; i < r->n_matrix; i++) {
		bytes += series_bytes(&r->matrix[i], t);
		t = r->matrix[i].t_ms;
	}
	for (size_t i = 0; i < r->n_notes; i++)
		bytes += sizeof *r->notes + r->notes[i].text.n + 1;
	return bytes;
}

static void *copy_of(struct arena *a, const void *p, size_t bytes)
{
	void *copy = arena_alloc_raw(a, bytes);

	if (bytes > 0)
		memcpy(copy, p, bytes);
	return copy;
}

/* Series with the same times share them in the copy, too. */
static struct promql_series series_copy(struct arena *a, const struct promql_series *s, const struct promql_series *before,
                                        const struct promql_series *before_copy)
{
	struct promql_series c = *s;
	const struct histogram **h = s->h == NULL ? NULL : ARENA_ARRAY(a, s->n, const struct histogram *);

	c.labels = labels_copy(a, s->labels);
	c.t_ms = before != NULL && before->t_ms == s->t_ms ? before_copy->t_ms : copy_of(a, s->t_ms, s->n * sizeof *s->t_ms);
	c.v = copy_of(a, s->v, s->n * sizeof *s->v);
	c.h = h;
	for (size_t i = 0; h != NULL && i < s->n; i++)
		h[i] = s->h[i] == NULL ? NULL : histogram_keep(a, s->h[i]);
	return c;
}

static void copy_notes(struct arena *a, struct promql_result *c)
{
	struct promql_note *notes = copy_of(a, c->notes, c->n_notes * sizeof *notes);

	for (size_t i = 0; i < c->n_notes; i++)
		notes[i].text = arena_str(a, notes[i].text);
	c->notes = notes;
}

struct promql_result *promql_result_copy(struct arena *a, const struct promql_result *r, size_t from)
{
	struct promql_result *c = copy_of(a, r, sizeof *r);

	c->string = arena_str(a, r->string);
	c->vector = ARENA_ARRAY(a, r->n_vector, struct promql_sample);
	for (size_t i = from; i < r->n_vector; i++) {
		c->vector[i] = r->vector[i];
		c->vector[i].labels = labels_copy(a, r->vector[i].labels);
		if (r->vector[i].h != NULL)
			c->vector[i].h = histogram_keep(a, r->vector[i].h);
	}
	c->matrix = ARENA_ARRAY(a, r->n_matrix, struct promql_series);
	for (size_t i = from; i < r->n_matrix; i++)
		c->matrix[i] = series_copy(a, &r->matrix[i], i > from ? &r->matrix[i - 1] : NULL, i > from ? &c->matrix[i - 1] : NULL);
	copy_notes(a, c);
	c->told = NULL;
	c->unseen = NULL;
	c->n_unseen = 0;
	return c;
}
