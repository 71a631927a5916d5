/* changes() and resets(): what happens from sample to sample, floats and histograms mixed; a change of kind counts as one. */
#include "eval_histogram.h"
#include "eval_range.h"
#include "fn_rate.h"
#include "functions_bodies.h"

struct step_sample {
	double v;
	const struct histogram *h;
	int64_t t_ms, st_ms;
};

typedef bool (*differs_fn)(struct arena *scratch, const struct step_sample *before, const struct step_sample *now);

static bool changed(struct arena *scratch, const struct step_sample *before, const struct step_sample *now)
{
	(void)scratch;
	if (before->h != NULL || now->h != NULL)
		return before->h == NULL || now->h == NULL || !histogram_same(before->h, now->h);
	return now->v != before->v && !(isnan(now->v) && isnan(before->v));
}

static bool was_reset(struct arena *scratch, const struct step_sample *before, const struct step_sample *now)
{
	if ((before->h == NULL) != (now->h == NULL))
		return true;
	if (start_is_reset(before->st_ms, before->t_ms, now->st_ms, now->t_ms))
		return true;
	return now->h != NULL ? histogram_reset_since(scratch, before->h, now->h) : now->v < before->v;
}

static bool count_steps(struct eval_call *c, const struct window *w, differs_fn differs, struct point *out)
{
	struct float_points f = w->f;
	struct histogram_points h = w->h;
	struct step_sample before, now;

	if (c->range->before_ms > 0 && !anchored_from(w, &f, &h))
		return false;
	for (size_t i = 0, fi = 0, hi = 0; i < f.n + h.n; i++) {
		if (hi == h.n || (fi < f.n && f.t_ms[fi] < h.t_ms[hi])) {
			now = (struct step_sample){ f.v[fi], NULL, f.t_ms[fi], start_of(f.st_ms, fi) };
			fi++;
		} else {
			now = (struct step_sample){ 0, h.h[hi], h.t_ms[hi], start_of(h.st_ms, hi) };
			hi++;
		}
		if (i > 0 && differs(c->ev->scratch, &before, &now))
			out->v++;
		before = now;
	}
	return true;
}

static bool changes(struct eval_call *c, const struct window *w, struct point *out)
{
	return count_steps(c, w, changed, out);
}

static bool resets(struct eval_call *c, const struct window *w, struct point *out)
{
	return count_steps(c, w, was_reset, out);
}

void fn_changes(struct eval_call *c)
{
	call_windows(c, false, changes);
}

void fn_resets(struct eval_call *c)
{
	call_windows(c, false, resets);
}
