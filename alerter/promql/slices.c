/* Range queries. An evaluation is a dense table, series by steps; where series come and go it may be over a limit though few of
 * its cells hold a sample. Then the steps are evaluated in slices, half as long whenever one is over a limit, and of a finished
 * slice its points alone are kept. They count against the limits of the slices to come: all together stay within them. */
#include <string.h>

#include "eval_run.h"
#include "notes.h"
#include "piles.h"

struct slices {
	struct arena *out;              /* labels, notes, and at the end the result */
	size_t out_before;
	struct arena work, kept;        /* of the slice at hand; of those that are done */
	struct piles piles;
	struct label_table unseen;
	struct notes notes;
	struct promql_result *r;
};

static size_t slices_bytes(const struct slices *s)
{
	return s->kept.total_bytes + s->out->total_bytes - s->out_before;
}

static void keep(struct slices *s, const struct promql_result *slice)
{
	for (size_t i = 0; i < slice->n_matrix; i++)
		piles_add(&s->piles, &slice->matrix[i]);
	for (size_t i = 0; i < slice->n_notes; i++)
		notes_join(&s->notes, s->out, &slice->told[i]);
	for (size_t i = 0; i < slice->n_unseen; i++)
		piles_number(&s->unseen, s->out, slice->unseen[i]);
	s->r->read_lost |= slice->read_lost;
	s->r->incomplete |= slice->incomplete;
	s->r->unasked |= slice->unasked;
	s->r->behind |= slice->behind;
	s->r->samples_read += slice->samples_read;
	if (slice->peak_samples > s->r->peak_samples)
		s->r->peak_samples = slice->peak_samples;
}

static void put_together(struct slices *s, const struct promql_query *q)
{
	struct labels *unseen = ARENA_ARRAY(s->out, s->unseen.n, struct labels);

	s->r->type = PROMQL_MATRIX;
	s->r->n_matrix = s->piles.labels.n;
	s->r->matrix = ARENA_ARRAY(s->out, s->piles.labels.n, struct promql_series);
	for (size_t i = 0; i < s->piles.labels.n; i++)
		s->r->matrix[i] = pile_whole(&s->piles, i, s->out, true);
	result_sort(s->r);
	for (size_t i = 0; i < s->unseen.n; i++)
		unseen[i] = s->unseen.v[i];
	s->r->unseen = unseen;
	s->r->n_unseen = s->unseen.n;
	s->r->notes = notes_finish(q, &s->notes, s->out);
	s->r->n_notes = s->notes.n;
}

/* <n> steps of <whole> from step <at> on. */
static struct promql_result *run_slice(struct slices *s, struct promql_query *q, struct querier *querier,
                                       const struct request *whole, size_t at, size_t n, struct err *e)
{
	struct request rq = *whole;

	rq.start_ms = whole->start_ms + (int64_t)at * whole->step_ms;
	rq.end_ms = rq.start_ms + (int64_t)(n - 1) * whole->step_ms;
	rq.kept_cells = s->piles.points;
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

	piles_init(&s.piles, a, &s.kept);
	label_table_init(&s.unseen, &s.kept, 0);
	ok = run_slices(&s, q, querier, whole, steps, e);
	if (ok)
		put_together(&s, q);
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
