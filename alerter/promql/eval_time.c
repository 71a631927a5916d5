/* Time modifiers: @ pins the evaluation time, offset moves it, and durations may be expressions over the query's own step and
 * length. */
#include "duration.h"
#include "eval.h"

int64_t duration_ms(struct eval *ev, const struct duration *d, bool positive)
{
	struct err e = { 0 };
	int64_t ms = 0;

	if (d->set && !duration_resolve(d, ev->query_step_ms, ev->query_end_ms - ev->query_start_ms, positive, &ms, &e))
		eval_fail(ev, e.code, e.pos, "%s", e.msg);
	return ms;
}

struct timing timing_of(struct eval *ev, enum at_kind at, int64_t at_ms, const struct duration *offset)
{
	struct timing t = { .fixed = at != AT_NONE, .offset_ms = duration_ms(ev, offset, false) };

	switch (at) {
	case AT_NONE:
		break;
	case AT_TIME:
		t.fixed_ms = at_ms;
		break;
	case AT_START:
		t.fixed_ms = ev->query_start_ms;
		break;
	case AT_END:
		t.fixed_ms = ev->query_end_ms;
		break;
	}
	return t;
}

int64_t timing_at(const struct timing *t, const struct steps *steps, size_t step)
{
	return (t->fixed ? t->fixed_ms : step_at(steps, step)) - t->offset_ms;
}
