/* Range vectors: (time - range, time], a window a series and step. Each series is decoded once for all steps; the window
 * slides over it. */
#include "eval_range.h"

#include <stdio.h>

#include "eval_histogram.h"
#include "slide.h"

/* From here on only when a series has stale markers or histograms: otherwise the samples are used as they are. */
static bool is_plain(const struct samples *s)
{
	if (s->h != NULL)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (value_is_stale(s->v[i]))
			return false;
	return true;
}

void points_split(struct eval *ev, const struct samples *s, struct points *out)
{
	const int64_t *starts = eval_has_feature(ev, PROMQL_START_TIMESTAMPS) ? s->st_ms : NULL;

	*out = (struct points){ 0 };
	if (is_plain(s)) {
		out->f = (struct float_points){ s->n, s->t_ms, s->v, starts };
		return;
	}
	int64_t *t = ARENA_ARRAY(ev->scratch, s->n * 2, int64_t), *ht = t + s->n;
	int64_t *st = starts == NULL ? NULL : ARENA_ARRAY(ev->scratch, s->n * 2, int64_t), *hst = st == NULL ? NULL : st + s->n;
	double *v = ARENA_ARRAY(ev->scratch, s->n, double);
	const struct histogram **h = ARENA_ARRAY(ev->scratch, s->n, const struct histogram *);
	size_t nf = 0, nh = 0;

	for (size_t i = 0; i < s->n; i++) {
		bool is_histogram = s->h != NULL && s->h[i] != NULL;
		size_t at = is_histogram ? nh++ : nf;

		if (!is_histogram && value_is_stale(s->v[i]))
			continue;
		(is_histogram ? ht : t)[at] = s->t_ms[i];
		if (st != NULL)
			(is_histogram ? hst : st)[at] = starts[i];
		if (is_histogram)
			h[at] = s->h[i];
		else
			v[nf++] = s->v[i];
	}
	out->f = (struct float_points){ nf, t, v, st };
	out->h = (struct histogram_points){ nh, ht, h, hst };
}

/* First index with t > <ms>; from <at> on, where that is not too far. */
static size_t first_after(const int64_t *t_ms, size_t n, int64_t ms, size_t at)
{
	size_t low = 0, high = n;

	if (at > 0 && at <= n && t_ms[at - 1] <= ms) {
		while (at < n && t_ms[at] <= ms)
			at++;
		return at;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t_ms[mid] > ms)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Where the window before was. */
struct cut {
	size_t fb, fe, hb, he;
};

static void window_move(struct window *w, const struct points *p, int64_t beg_ms, int64_t end_ms, struct cut *at)
{
	*at = (struct cut){ first_after(p->f.t_ms, p->f.n, beg_ms, at->fb), first_after(p->f.t_ms, p->f.n, end_ms, at->fe),
		            first_after(p->h.t_ms, p->h.n, beg_ms, at->hb), first_after(p->h.t_ms, p->h.n, end_ms, at->he) };
	w->f = (struct float_points){ .n = at->fe > at->fb ? at->fe - at->fb : 0 };
	if (w->f.n > 0) {
		w->f.t_ms = p->f.t_ms + at->fb;
		w->f.v = p->f.v + at->fb;
		w->f.st_ms = p->f.st_ms == NULL ? NULL : p->f.st_ms + at->fb;
	}
	w->h = (struct histogram_points){ .n = at->he > at->hb ? at->he - at->hb : 0 };
	if (w->h.n > 0) {
		w->h.t_ms = p->h.t_ms + at->hb;
		w->h.h = p->h.h + at->hb;
		w->h.st_ms = p->h.st_ms == NULL ? NULL : p->h.st_ms + at->hb;
	}
}

void window_cut(struct window *w, const struct points *p, int64_t beg_ms, int64_t end_ms)
{
	window_move(w, p, beg_ms, end_ms, &(struct cut){ 0 });
}

static bool open_selector(struct range_vector *r)
{
	struct eval *ev = r->ev;
	const struct node_selector *s = &r->node->selector;
	int64_t lookback = ev->query->options.lookback_ms, first, last, begins[2];

	r->range_ms = duration_ms(ev, &s->range, true);
	r->before_ms = s->mode == RANGE_PLAIN ? 0 : lookback;
	r->after_ms = s->mode == RANGE_SMOOTHED ? lookback : 0;
	r->timing = timing_of(ev, s->at, s->at_ms, &s->offset);
	first = timing_at(&r->timing, &ev->steps, 0) - r->range_ms - r->before_ms;
	last = timing_at(&r->timing, &ev->steps, ev->steps.n - 1) + r->after_ms;
	begins[0] = first + r->before_ms;
	begins[1] = last - r->after_ms - r->range_ms;
	r->selection = select_series(ev, r->node->id, s->matchers, s->n_matchers, first, last, begins, &r->shape);
	return r->selection != NULL;
}

struct range_vector *range_open(struct eval *ev, const struct node *n)
{
	struct range_vector *r = ARENA_NEW(ev->arena, struct range_vector);

	r->ev = ev;
	r->node = n;
	if (n->kind == NODE_SELECTOR ? !open_selector(r) : !subquery_open(r))
		return NULL;
	return r;
}

void range_close(struct range_vector *r)
{
	if (r->selection != NULL)
		r->ev->querier->ops->release(r->ev->querier, r->selection);
	else
		subquery_close(r);
}

int64_t range_end(const struct range_vector *r, size_t row, size_t step)
{
	int64_t ref = timing_at(&r->timing, &r->ev->steps, step);

	return r->selection == NULL ? ref : select_anchor(r->ev, r->selection, row, &r->timing, ref, r->range_ms);
}

/* The first and the last end of a row's windows; a series that is held has them in any order. */
static void range_ends_within(const struct range_vector *r, size_t row, int64_t *first_ms, int64_t *last_ms)
{
	size_t n = r->ev->steps.n;

	*first_ms = range_end(r, row, 0);
	*last_ms = range_end(r, row, n - 1);
	for (size_t step = 1; r->ev->held && step + 1 < n; step++) {
		int64_t end = range_end(r, row, step);

		*first_ms = end < *first_ms ? end : *first_ms;
		*last_ms = end > *last_ms ? end : *last_ms;
	}
	if (*last_ms < *first_ms) {
		int64_t last = *last_ms;

		*last_ms = *first_ms;
		*first_ms = last;
	}
}

bool range_points(struct range_vector *r, size_t row, struct points *out)
{
	int64_t first, last;
	struct samples s;

	if (r->selection == NULL)
		return subquery_points(r, row, out);
	range_ends_within(r, row, &first, &last);
	if (!select_samples(r->ev, r->selection, row, first - r->range_ms - r->before_ms, last + r->after_ms, false, &s))
		return false;
	if (r->ev->tell_resets)
		histograms_tell_resets(r->ev->scratch, &s);
	points_split(r->ev, &s, out);
	return true;
}

bool range_ends(struct range_vector *r, size_t row, size_t n, struct window_ends *out)
{
	int64_t end;

	if (r->selection == NULL || r->ev->steps.n != 1 || r->before_ms > 0 || r->after_ms > 0)
		return false;
	end = timing_at(&r->timing, &r->ev->steps, 0);
	return select_ends(r->ev, r->selection, row, n, end - r->range_ms, end, false, out);
}

bool range_drops(const struct range_vector *r, size_t row, const struct window *w)
{
	return r->selection == NULL && subquery_drops(r, row, w);
}

/* Anchored and smoothed make sense for some functions only. */
static bool mode_fits(struct eval_call *c)
{
	static const struct {
		const char *word, *functions, *shown;
	} modes[] = {
		[RANGE_ANCHORED] = { "anchored", " changes delta increase rate resets ", "changes, delta, increase, rate, resets" },
		[RANGE_SMOOTHED] = { "smoothed", " delta increase rate ", "delta, increase, rate" },
	};
	const struct node *arg = c->range->node;
	const char *name = c->node->call.fn->name;
	char wanted[64];

	if (arg->kind != NODE_SELECTOR || arg->selector.mode == RANGE_PLAIN)
		return true;
	snprintf(wanted, sizeof wanted, " %s ", name);
	if (strstr(modes[arg->selector.mode].functions, wanted) != NULL)
		return true;
	return eval_fail(c->ev, ERR_EXEC, arg->beg, "%s modifier can only be used with: %s - not with %s", modes[arg->selector.mode].word,
	                 modes[arg->selector.mode].shown, name);
}

/* Floats alone, without start timestamps: their ends tell as much as those from storage. */
static bool float_ends(struct eval_call *c, const struct window *w, ends_fn fn, bool *has, double *v)
{
	size_t n = w->f.n;
	struct window_ends e = { .known = true, .n = (uint32_t)n };

	if (n == 0 || w->h.n > 0 || w->f.st_ms != NULL || c->range->before_ms > 0)
		return false;
	e.falls = slide_falls(w->slide, n);
	e.first_ms = w->f.t_ms[0];
	e.last_ms = w->f.t_ms[n - 1];
	e.first = w->f.v[0];
	e.last = w->f.v[n - 1];
	return fn(c, w, &e, has, v);
}

/* One series: its window at each step through <fn> into the result. <ends> (may be NULL) goes first. */
static void row_windows(struct eval_call *c, struct value *x, size_t row, const struct points *p, ends_fn ends, window_fn fn)
{
	struct range_vector *r = c->range;
	struct slide slide = { .ev = c->ev, .v = p->f.v, .n = p->f.n };
	struct window w = { .labels = r->shape->labels[row], .slide = x->n_steps > 1 ? &slide : NULL };
	struct cut at = { 0 };

	for (size_t step = 0; step < x->n_steps; step++) {
		size_t cell = row * x->n_steps + step;
		struct point out = { 0 };

		w.step = step;
		w.end_ms = range_end(r, row, step);
		w.beg_ms = w.end_ms - r->range_ms;
		window_move(&w, p, w.beg_ms - r->before_ms, w.end_ms + r->after_ms, &at);
		slide.beg = at.fb;
		if (!eval_works(c->ev, 2 + w.h.n + (w.slide != NULL ? w.f.n / 16 : w.f.n)))
			return;
		if (w.f.n + w.h.n == 0)
			continue;
		if (ends != NULL && w.slide != NULL && float_ends(c, &w, ends, &x->has[cell], &x->v[cell]))
			continue;
		if (!fn(c, &w, &out))
			continue;
		if (range_drops(r, row, &w)) {
			value_need_drops(c->ev, x);
			x->drop[cell] = true;
		}
		x->has[cell] = true;
		x->v[cell] = out.v;
		if (out.h != NULL)
			value_put_histogram(c->ev, x, cell, out.h);
	}
}

static void row_from_samples(struct eval_call *c, struct value *x, size_t row, ends_fn ends, window_fn fn)
{
	struct arena_mark mark = arena_mark(c->ev->scratch);
	struct points p;

	if (range_points(c->range, row, &p))
		row_windows(c, x, row, &p, ends, fn);
	arena_rewind(c->ev->scratch, mark);
}

static bool row_from_ends(struct eval_call *c, struct value *x, size_t row, const struct window_ends *e, ends_fn fn)
{
	struct window w = { .end_ms = range_end(c->range, row, 0), .labels = c->range->shape->labels[row] };

	w.beg_ms = w.end_ms - c->range->range_ms;
	return e->known && (e->n == 0 || fn(c, &w, e, &x->has[row], &x->v[row]));
}

static void rows_from_ends(struct eval_call *c, struct value *x, ends_fn ends, window_fn fn)
{
	struct window_ends e[ENDS_ROWS];
	size_t n;

	for (size_t row = 0; row < x->shape->n && !c->ev->failed; row += n) {
		n = x->shape->n - row < ENDS_ROWS ? x->shape->n - row : ENDS_ROWS;
		if (!range_ends(c->range, row, n, e))
			memset(e, 0, sizeof e);
		for (size_t i = 0; i < n && !c->ev->failed; i++)
			if (!row_from_ends(c, x, row + i, &e[i], ends))
				row_from_samples(c, x, row + i, ends, fn);
	}
}

static void finish_windows(struct eval_call *c, bool keep_names, struct value *x)
{
	if (!c->ev->failed)
		c->result = keep_names ? x : value_drop_names(c->ev, c->node, x);
}

void call_windows(struct eval_call *c, bool keep_names, window_fn fn)
{
	struct value *x = mode_fits(c) ? value_new(c->ev, c->range->shape) : NULL;

	if (x == NULL)
		return;
	for (size_t row = 0; row < x->shape->n && !c->ev->failed; row++)
		row_from_samples(c, x, row, NULL, fn);
	finish_windows(c, keep_names, x);
}

void call_window_ends(struct eval_call *c, bool keep_names, ends_fn ends, window_fn fn)
{
	struct value *x = mode_fits(c) ? value_new(c->ev, c->range->shape) : NULL;

	if (x == NULL)
		return;
	rows_from_ends(c, x, ends, fn);
	finish_windows(c, keep_names, x);
}
