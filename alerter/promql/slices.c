/* Range queries. An evaluation is a dense table, series by steps; where series come and go it may be over a limit though few of
 * its cells hold a sample. Then the steps are evaluated in slices, half as long whenever one is over a limit, and of a finished
 * slice its points alone are kept. They count against the limits of the slices to come: all together stay within them. */
#include <string.h>

#include "eval_run.h"
#include "histogram_ops.h"
#include "memory.h"

/* Points of one series, in order of time; the next piece when this one is full. */
struct piece {
	struct piece *next;
	size_t n, cap;
	int64_t *t_ms;
	double *v;
	const struct histogram **h;     /* NULL: floats only */
};

struct row {
	struct piece *first, *last;
	size_t n;
	bool has_histograms;
};

struct slices {
	struct arena *out;              /* labels, notes, and at the end the result */
	size_t out_before;
	struct arena work, kept;        /* of the slice at hand; of those that are done */
	struct label_table labels, unseen;
	struct row *rows;               /* one a label set of <labels> */
	size_t cap_rows, points;
	struct promql_note *notes;
	size_t cap_notes;
	struct promql_result *r;
};

static size_t slices_bytes(const struct slices *s)
{
	return s->kept.total_bytes + s->out->total_bytes - s->out_before;
}

/* The number of <l> in <t>; its texts are copied when it is new. */
static size_t number_of(struct slices *s, struct label_table *t, struct labels l)
{
	size_t i = label_table_find(t, l);

	return i != SIZE_MAX ? i : label_table_add_borrowed(t, labels_copy(s->out, l), NULL);
}

/* As long as what the row holds: a series of many slices is in few pieces. */
static struct piece *piece_add(struct slices *s, struct row *row, size_t need)
{
	struct piece *p = ARENA_NEW(&s->kept, struct piece);

	p->cap = row->n > need ? row->n : need;
	p->t_ms = arena_alloc_raw(&s->kept, p->cap * sizeof *p->t_ms);
	p->v = arena_alloc_raw(&s->kept, p->cap * sizeof *p->v);
	*(row->last == NULL ? &row->first : &row->last->next) = p;
	row->last = p;
	return p;
}

static void piece_put(struct slices *s, struct piece *p, const struct promql_series *x, size_t from, size_t n)
{
	memcpy(p->t_ms + p->n, x->t_ms + from, n * sizeof *p->t_ms);
	memcpy(p->v + p->n, x->v + from, n * sizeof *p->v);
	if (x->h != NULL && p->h == NULL)
		p->h = ARENA_ARRAY(&s->kept, p->cap, const struct histogram *);
	for (size_t i = 0; x->h != NULL && i < n; i++)
		p->h[p->n + i] = x->h[from + i] == NULL ? NULL : histogram_keep(&s->kept, x->h[from + i]);
	p->n += n;
}

static void keep_series(struct slices *s, const struct promql_series *x)
{
	size_t i = number_of(s, &s->labels, x->labels), n;
	struct row *row;

	s->rows = arena_grow(&s->kept, s->rows, i, &s->cap_rows, i + 1, sizeof *s->rows);
	row = &s->rows[i];
	row->has_histograms = row->has_histograms || x->h != NULL;
	for (size_t from = 0; from < x->n; from += n) {
		struct piece *p = row->last;

		if (p == NULL || p->n == p->cap)
			p = piece_add(s, row, x->n - from);
		n = p->cap - p->n < x->n - from ? p->cap - p->n : x->n - from;
		piece_put(s, p, x, from, n);
		row->n += n;
	}
	s->points += x->n;
}

/* Without the place, which stands in brackets at the end. */
static struct str note_text(const struct promql_note *note)
{
	size_t n = note->text.n;

	while (n > 0 && note->text.p[n - 1] != '(')
		n--;
	return (struct str){ note->text.p, n };
}

/* Equal texts are told once, at the first place. */
static bool is_told(const struct slices *s, const struct promql_note *note)
{
	for (size_t i = 0; i < s->r->n_notes; i++)
		if (s->notes[i].warning == note->warning && str_eq(note_text(&s->notes[i]), note_text(note)))
			return true;
	return false;
}

static void keep_note(struct slices *s, const struct promql_note *note)
{
	if (is_told(s, note))
		return;
	s->notes = arena_grow(s->out, s->notes, s->r->n_notes, &s->cap_notes, s->r->n_notes + 1, sizeof *s->notes);
	s->notes[s->r->n_notes++] = (struct promql_note){ note->warning, note->pos, arena_str(s->out, note->text) };
}

static void keep(struct slices *s, const struct promql_result *slice)
{
	for (size_t i = 0; i < slice->n_matrix; i++)
		keep_series(s, &slice->matrix[i]);
	for (size_t i = 0; i < slice->n_notes; i++)
		keep_note(s, &slice->notes[i]);
	for (size_t i = 0; i < slice->n_unseen; i++)
		number_of(s, &s->unseen, slice->unseen[i]);
	s->r->read_lost |= slice->read_lost;
	s->r->incomplete |= slice->incomplete;
	s->r->samples_read += slice->samples_read;
	if (slice->peak_samples > s->r->peak_samples)
		s->r->peak_samples = slice->peak_samples;
}

static struct promql_series whole_series(struct slices *s, size_t i)
{
	const struct row *row = &s->rows[i];
	int64_t *t = arena_alloc_raw(s->out, row->n * sizeof *t);
	double *v = arena_alloc_raw(s->out, row->n * sizeof *v);
	const struct histogram **h = row->has_histograms ? ARENA_ARRAY(s->out, row->n, const struct histogram *) : NULL;
	size_t n = 0;

	for (const struct piece *p = row->first; p != NULL; n += p->n, p = p->next) {
		memcpy(t + n, p->t_ms, p->n * sizeof *t);
		memcpy(v + n, p->v, p->n * sizeof *v);
		for (size_t k = 0; p->h != NULL && k < p->n; k++)
			h[n + k] = p->h[k] == NULL ? NULL : histogram_keep(s->out, p->h[k]);
	}
	return (struct promql_series){ s->labels.v[i], n, t, v, h };
}

static void put_together(struct slices *s)
{
	struct labels *unseen = ARENA_ARRAY(s->out, s->unseen.n, struct labels);

	s->r->type = PROMQL_MATRIX;
	s->r->n_matrix = s->labels.n;
	s->r->matrix = ARENA_ARRAY(s->out, s->labels.n, struct promql_series);
	for (size_t i = 0; i < s->labels.n; i++)
		s->r->matrix[i] = whole_series(s, i);
	result_sort(s->r);
	for (size_t i = 0; i < s->unseen.n; i++)
		unseen[i] = s->unseen.v[i];
	s->r->unseen = unseen;
	s->r->n_unseen = s->unseen.n;
	s->r->notes = s->notes;
}

/* <n> steps of <whole> from step <at> on. */
static struct promql_result *run_slice(struct slices *s, struct promql_query *q, struct querier *querier,
                                       const struct request *whole, size_t at, size_t n, struct err *e)
{
	struct request rq = *whole;

	rq.start_ms = whole->start_ms + (int64_t)at * whole->step_ms;
	rq.end_ms = rq.start_ms + (int64_t)(n - 1) * whole->step_ms;
	rq.kept_cells = s->points;
	rq.kept_bytes = slices_bytes(s);
	return request_run(q, &s->work, querier, &rq, e);
}

static bool run_slices(struct slices *s, struct promql_query *q, struct querier *querier, const struct request *whole,
                       size_t steps, struct err *e)
{
	size_t most = (steps + 1) / 2;

	for (size_t at = 0; at < steps; arena_reset(&s->work)) {
		size_t n = steps - at < most ? steps - at : most;
		struct err failure = { 0 };
		const struct promql_result *slice = run_slice(s, q, querier, whole, at, n, &failure);

		if (slice != NULL) {
			keep(s, slice);
			at += n;
		} else if (failure.code == ERR_LIMIT && n > 1) {
			most = (n + 1) / 2;
		} else {
			*e = failure;
			return false;
		}
	}
	return true;
}

static struct promql_result *range_in_slices(struct promql_query *q, struct arena *a, struct querier *querier,
                                             const struct request *whole, size_t steps, struct err *e)
{
	struct slices s = { .out = a, .out_before = a->total_bytes, .r = ARENA_NEW(a, struct promql_result) };
	bool ok;

	label_table_init(&s.labels, &s.kept, 0);
	label_table_init(&s.unseen, &s.kept, 0);
	ok = run_slices(&s, q, querier, whole, steps, e);
	if (ok)
		put_together(&s);
	arena_fini(&s.work);
	arena_fini(&s.kept);
	return ok ? s.r : NULL;
}

struct promql_result *promql_range(struct promql_query *q, struct arena *a, struct querier *querier, int64_t start_ms,
                                   int64_t end_ms, int64_t step_ms, struct err *e)
{
	struct request whole = { start_ms, end_ms, step_ms, start_ms, end_ms, .deadline_mono_ms = request_deadline(q) };
	struct arena_mark before = arena_mark(a);
	struct err failure = { 0 };
	struct promql_result *r = request_run(q, a, querier, &whole, &failure);

	if (r != NULL)
		return r;
	if (failure.code != ERR_LIMIT || end_ms - start_ms < step_ms) {
		*e = failure;
		return NULL;
	}
	arena_rewind(a, before);
	return range_in_slices(q, a, querier, &whole, (size_t)((end_ms - start_ms) / step_ms) + 1, e);
}
