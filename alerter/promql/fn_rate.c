/* Functions of counters and gauges over a range: rate, increase, delta (between the first and the last sample, stretched to
 * the whole range), irate, idelta (the last two samples). A counter that went down was reset: what it had is added.
 * Source: Prometheus documentation, "rate", "increase"; OpenMetrics, start timestamps. */
#include "fn_rate.h"

#include "eval_range.h"
#include "functions_bodies.h"
#include "memory.h"
#include "notes.h"

/* Within 110 % of the mean distance a sample is missing by chance: stretch to the edge. Farther, the series began or ended
 * within the range: stretch by half the distance. */
double extrapolation(const struct window *w, int64_t from_ms, int64_t first_ms, int64_t last_ms, size_t n, double zero_s)
{
	double seen = (double)(last_ms - from_ms) / 1000;
	double distance = n < 2 ? 0 : (double)(last_ms - first_ms) / 1000 / (double)(n - 1);
	double left = (double)(from_ms - w->beg_ms) / 1000, right = (double)(w->end_ms - last_ms) / 1000;

	if (from_ms < first_ms)
		left = 0;
	else if (left >= distance * 1.1)
		left = distance / 2;
	if (zero_s < left)
		left = zero_s;
	if (right >= distance * 1.1)
		right = distance / 2;
	return (seen + left + right) / seen;
}

static bool reset_between(const struct float_points *f, size_t i, size_t next)
{
	return f->v[next] < f->v[i] || start_is_reset(start_of(f->st_ms, i), f->t_ms[i], start_of(f->st_ms, next), f->t_ms[next]);
}

static double increase_seen(const struct float_points *f, bool counter)
{
	double sum = f->v[f->n - 1] - f->v[0];

	for (size_t i = 1; i < f->n && counter; i++)
		if (reset_between(f, i - 1, i))
			sum += f->v[i - 1];
	return sum;
}

/* A start that is neither that of the sample before nor behind it: two things count into one series. */
static bool overlaps(const int64_t *st_ms, const int64_t *t_ms, size_t n)
{
	for (size_t i = 1; i < n && st_ms != NULL; i++)
		if (st_ms[i] != 0 && st_ms[i] < t_ms[i - 1] && st_ms[i] != st_ms[i - 1])
			return true;
	return false;
}

static void note_overlap(struct eval_call *c, const struct window *w)
{
	if (overlaps(w->f.st_ms, w->f.t_ms, w->f.n) || overlaps(w->h.st_ms, w->h.t_ms, w->h.n))
		note_add(c->ev, NOTE_START_OVERLAP, w->labels, c->range_arg->beg);
}

/* How long before the first sample the counter can have been zero, if it always rose like that. */
static double since_zero(double first, double increase, int64_t seen_ms, bool counter)
{
	return counter && increase > 0 && first >= 0 ? (double)seen_ms / 1000 * (first / increase) : INFINITY;
}

static bool float_increase(const struct window *w, bool counter, double *out)
{
	const struct float_points *f = &w->f;
	double sum, zero_s = INFINITY;
	int64_t from, last;

	if (f->n == 0)
		return false;
	from = f->t_ms[0];
	last = f->t_ms[f->n - 1];
	sum = increase_seen(f, counter);
	if (counter && starts_within(w, start_of(f->st_ms, 0), from)) {
		from = f->st_ms[0];
		sum += f->v[0];
	} else if (f->n < 2) {
		return false;
	} else {
		zero_s = since_zero(f->v[0], sum, last - from, counter);
	}
	*out = sum * extrapolation(w, from, f->t_ms[0], last, f->n, zero_s);
	return true;
}

static bool is_counter_name(struct str name)
{
	return name.n == 0 || str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) || str_ends(name, STR("_count")) ||
	       str_ends(name, STR("_bucket"));
}

static void note_not_counter(struct eval_call *c, struct labels l)
{
	struct str name = labels_get(l, STR(LABEL_NAME)), type = labels_get(l, STR("__type__"));

	if (!eval_has_feature(c->ev, PROMQL_TYPE_AND_UNIT_LABELS)) {
		if (!is_counter_name(name))
			note_add(c->ev, NOTE_NOT_COUNTER_NAME, l, c->range_arg->beg);
	} else if (name.n > 0 && !str_eq(type, STR("counter")) && !str_eq(type, STR("histogram"))) {
		note_printf(c->ev, false, c->range_arg->beg,
		            "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got \"" STR_FMT
		            "\": \"" STR_FMT "\"", STR_ARG(type), STR_ARG(name));
	}
}

/* Whether no row needs that note; asked for each, so it is remembered with the selector's series. */
static bool all_counters(struct eval_call *c)
{
	const struct shape *shape = c->range->shape;
	struct memory_slot *slot;
	bool *all;

	if (eval_has_feature(c->ev, PROMQL_TYPE_AND_UNIT_LABELS))
		return false;
	slot = memory_slot(c->ev, c->range->node->id, MEMORY_NAMES, memory_of_shape(shape), (struct memory_input){ 0 });
	if (memory_is_due(slot)) {
		all = slot->extra;
		if (all == NULL) {
			slot->extra = all = ARENA_NEW(&slot->arena, bool);
			*all = true;
		}
		for (size_t i = slot->done[0]; i < shape->n && *all; i++)
			*all = is_counter_name(labels_get(shape->labels[i], STR(LABEL_NAME)));
		memory_keep(c->ev, slot);
	}
	return *(const bool *)slot->extra;
}

static bool rate_window(struct eval_call *c, const struct window *w, struct rate_kind kind, struct point *out)
{
	double range_s = (double)(w->end_ms - w->beg_ms) / 1000;
	bool done;

	if (c->range->before_ms > 0) {
		done = extended_rate(c, w, kind, out);
	} else if (w->f.n > 0 && w->h.n > 0) {
		note_add(c->ev, NOTE_MIXED_FLOATS_HISTOGRAMS, w->labels, c->range_arg->beg);
		return false;
	} else if (w->h.n > 0) {
		if (kind.counter)
			note_overlap(c, w);
		return histogram_increase(c, w, kind, range_s, out);
	} else {
		if (kind.counter)
			note_overlap(c, w);
		done = float_increase(w, kind.counter, &out->v);
		if (kind.per_second)
			out->v /= range_s;
	}
	if (done && out->h == NULL && kind.counter)
		note_not_counter(c, w->labels);
	return done;
}

/* The same from the ends alone; a counter that may have been reset needs all samples. */
static bool rate_by_ends(struct eval_call *c, const struct window *w, const struct window_ends *e, struct rate_kind kind, bool *has,
                         double *v)
{
	double sum = e->last - e->first, zero_s = since_zero(e->first, sum, e->last_ms - e->first_ms, kind.counter);

	if (kind.counter && e->falls)
		return false;
	if (e->n < 2)
		return true;
	*has = true;
	*v = sum * extrapolation(w, e->first_ms, e->first_ms, e->last_ms, e->n, zero_s);
	if (kind.per_second)
		*v /= (double)(w->end_ms - w->beg_ms) / 1000;
	if (kind.counter && !all_counters(c))
		note_not_counter(c, w->labels);
	return true;
}

static const struct rate_kind rate_is = { true, true }, increase_is = { true, false }, delta_is = { false, false };

#define KIND(name) \
	static bool name(struct eval_call *c, const struct window *w, struct point *out) \
	{ \
		return rate_window(c, w, name##_is, out); \
	} \
	static bool name##_ends(struct eval_call *c, const struct window *w, const struct window_ends *e, bool *has, double *v) \
	{ \
		return rate_by_ends(c, w, e, name##_is, has, v); \
	} \
	void fn_##name(struct eval_call *c) \
	{ \
		call_window_ends(c, false, name##_ends, name); \
	}

KIND(rate)
KIND(increase)
KIND(delta)

/* The last two samples, whatever their kinds: how many of them are floats. */
static size_t floats_in_last_two(const struct window *w)
{
	size_t f = w->f.n, h = w->h.n, floats = 0;

	for (int i = 0; i < 2; i++) {
		if (h == 0 || (f > 0 && w->f.t_ms[f - 1] > w->h.t_ms[h - 1])) {
			f--;
			floats++;
		} else {
			h--;
		}
	}
	return floats;
}

static bool float_last_step(const struct window *w, struct rate_kind kind, struct point *out)
{
	const struct float_points *f = &w->f;
	size_t last = f->n - 1;

	if (f->t_ms[last] == f->t_ms[last - 1])
		return false;
	out->v = f->v[last];
	if (!kind.counter || !reset_between(f, last - 1, last))
		out->v -= f->v[last - 1];
	if (kind.per_second)
		out->v /= (double)(f->t_ms[last] - f->t_ms[last - 1]) / 1000;
	return true;
}

static bool last_step(struct eval_call *c, const struct window *w, struct rate_kind kind, struct point *out)
{
	if (w->f.n + w->h.n < 2)
		return false;
	switch (floats_in_last_two(w)) {
	case 2:
		return float_last_step(w, kind, out);
	case 0:
		return histogram_last_step(c, w, kind, out);
	default:
		note_add(c->ev, NOTE_MIXED_FLOATS_HISTOGRAMS, w->labels, c->range_arg->beg);
		return false;
	}
}

static bool irate(struct eval_call *c, const struct window *w, struct point *out)
{
	return last_step(c, w, (struct rate_kind){ true, true }, out);
}

static bool idelta(struct eval_call *c, const struct window *w, struct point *out)
{
	return last_step(c, w, (struct rate_kind){ false, false }, out);
}

#define BODY(name) \
	void fn_##name(struct eval_call *c) \
	{ \
		call_windows(c, false, name); \
	}

BODY(irate)
BODY(idelta)
