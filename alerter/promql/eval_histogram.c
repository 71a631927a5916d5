/* Native histograms as values of the evaluator. */
#include "eval_histogram.h"

#include "histogram_tally.h"
#include "notes.h"

const struct histogram *histogram_combined(struct eval *ev, const struct histogram *l, const struct histogram *r, bool subtract,
                                           int pos)
{
	struct arena_mark mark = arena_mark(ev->scratch);
	struct labels none = { 0 };
	struct histogram *out;
	struct tally t;

	tally_init(&t, ev->scratch, true);
	tally_add(&t, l, 1);
	if (tally_add(&t, r, subtract ? -1 : 1) == TALLY_UNLIKE) {
		note_printf(ev, true, pos, "incompatible bucket layout encountered for binary operator %s", subtract ? "-" : "+");
		arena_rewind(ev->scratch, mark);
		return NULL;
	}
	if (t.saw_reset && t.saw_no_reset)
		note_add(ev, subtract ? NOTE_RESET_COLLISION_SUB : NOTE_RESET_COLLISION_ADD, none, pos);
	if (t.reconciled)
		note_add(ev, subtract ? NOTE_RECONCILED_SUB : NOTE_RECONCILED_ADD, none, pos);
	out = tally_histogram(&t, ev->arena);
	if (subtract)
		out->reset = RESET_GAUGE;
	arena_rewind(ev->scratch, mark);
	return out;
}

static const struct histogram *with_hint(struct arena *a, const struct histogram *h, enum histogram_reset hint)
{
	struct histogram *out = ARENA_NEW(a, struct histogram);

	*out = *h;
	out->reset = hint;
	return out;
}

const struct histogram *histogram_unhinted(struct arena *a, const struct histogram *h)
{
	return h->reset == RESET_YES || h->reset == RESET_NO ? with_hint(a, h, RESET_UNKNOWN) : h;
}

void histograms_tell_resets(struct arena *a, struct samples *s)
{
	const struct histogram **h, *before = NULL;

	if (s->h == NULL)
		return;
	h = ARENA_ARRAY(a, s->n, const struct histogram *);
	for (size_t i = 0; i < s->n; i++) {
		h[i] = s->h[i];
		if (h[i] == NULL)
			continue;
		if (h[i]->reset == RESET_UNKNOWN && before != NULL)
			h[i] = with_hint(a, h[i], histogram_reset_since(a, before, h[i]) ? RESET_YES : RESET_NO);
		before = h[i];
	}
	s->h = h;
}

/* The sum divided by the number, as long as the sum is finite; from then on <all> is the mean itself, and moves step by step. */
struct histogram_mean {
	struct tally all;
	double n;
	bool mean, stepwise;
	bool unlike;            /* exponential and custom buckets: no result */
};

struct histogram_mean *histogram_mean_new(struct arena *a, bool mean)
{
	struct histogram_mean *m = ARENA_NEW(a, struct histogram_mean);

	tally_init(&m->all, a, false);
	m->all.careful = m->mean = mean;
	return m;
}

static enum tally_result step_mean(struct histogram_mean *m, const struct histogram *h)
{
	tally_scale(&m->all, (m->n - 1) / m->n);
	return tally_add(&m->all, histogram_divided(m->all.arena, h, m->n), 1);
}

static enum tally_result mean_add_one(struct histogram_mean *m, const struct histogram *h)
{
	enum tally_result result;

	m->n++;
	if (m->stepwise)
		return step_mean(m, h);
	result = tally_add(&m->all, h, 1);
	if (result != TALLY_OVERFLOW)
		return result;
	m->stepwise = true;
	m->all.careful = false;
	tally_divide(&m->all, m->n - 1);
	return step_mean(m, h);
}

void histogram_mean_add(struct eval *ev, struct histogram_mean *m, const struct histogram *h, struct labels labels, int pos)
{
	if (m->unlike || mean_add_one(m, h) != TALLY_UNLIKE)
		return;
	m->unlike = true;
	note_add(ev, NOTE_MIXED_SCHEMAS, labels, pos);
}

const struct histogram *histogram_mean_end(struct eval *ev, struct histogram_mean *m, int pos)
{
	struct labels none = { 0 };

	if (m->all.saw_reset && m->all.saw_no_reset)
		note_add(ev, NOTE_RESET_COLLISION_AGG, none, pos);
	if (m->all.reconciled)
		note_add(ev, NOTE_RECONCILED_AGG, none, pos);
	if (m->unlike)
		return NULL;
	if (m->mean && !m->stepwise)
		tally_divide(&m->all, m->n);
	return tally_histogram(&m->all, ev->arena);
}
