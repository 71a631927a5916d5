/* Instant selectors: for each series and step the newest sample that is not older than the lookback, unless a stale marker
 * ended it; "smoothed" interpolates between the neighbours instead. */
#include "eval_range.h"

#include "eval_histogram.h"
#include "memory.h"
#include "notes.h"
#include "tocsin/map.h"

/* Without reading them: they are one piece of memory. */
static bool same_text(struct str a, struct str b)
{
	return a.p == b.p && a.n == b.n;
}

static struct str text_once(struct arena *a, struct map *texts, struct str s)
{
	struct str *known = map_get(texts, s);

	if (known == NULL) {
		known = ARENA_NEW(a, struct str);
		*known = arena_str(a, s);
		map_put(texts, *known, known);
	}
	return *known;
}

/* The selector's slot beside its shape. */
struct rows {
	struct labels *v;
	size_t cap;
};

/* Rows of one selection, and of the row before its copy: neighbours share most texts. */
static struct labels copy_row(struct arena *a, struct map *texts, struct labels l, struct labels before, struct labels copied)
{
	struct label *copy = ARENA_ARRAY(a, l.n, struct label);

	for (size_t k = 0; k < l.n; k++) {
		bool near = k < before.n;

		copy[k].name = near && same_text(l.v[k].name, before.v[k].name) ? copied.v[k].name : text_once(a, texts, l.v[k].name);
		copy[k].value = near && same_text(l.v[k].value, before.v[k].value) ? copied.v[k].value : text_once(a, texts, l.v[k].value);
	}
	return (struct labels){ copy, l.n };
}

/* Deep copies, each text once: the selection is released at the end of the evaluation, the shape stays. */
static void shape_copy(struct memory_slot *slot, const struct selection *sel)
{
	struct rows *rows = slot->extra;
	const struct labels none = { 0 };
	struct map texts = { 0 };

	if (rows == NULL)
		slot->extra = rows = ARENA_NEW(&slot->arena, struct rows);
	rows->v = arena_grow(&slot->arena, rows->v, slot->done[0], &rows->cap, sel->n, sizeof *rows->v);
	for (size_t i = slot->done[0]; i < sel->n; i++) {
		bool first = i == slot->done[0];

		rows->v[i] = copy_row(&slot->arena, &texts, sel->v[i].labels, first ? none : sel->v[i - 1].labels, first ? none : rows->v[i - 1]);
	}
	map_fini(&texts);
	slot->shape.n = sel->n;
	slot->shape.labels = rows->v;
}

static void add_unseen(struct eval *ev, struct labels l)
{
	ev->unseen = arena_grow(ev->lasting, ev->unseen, ev->n_unseen, &ev->unseen_cap, ev->n_unseen + 1, sizeof *ev->unseen);
	ev->unseen[ev->n_unseen++] = labels_copy(ev->lasting, l);
}

/* Whether windows that begin between <first_ms> and <last_ms> lack their beginning: nobody knew the series from <lost_ms> to <back_ms>. */
static bool begins_within(int64_t lost_ms, int64_t back_ms, int64_t first_ms, int64_t last_ms)
{
	return back_ms != 0 && first_ms < back_ms && last_ms > lost_ms;
}

/* The same of the time in which we did not run. A series' last sample may be a scrape older than the last of all. */
static bool begins_away(const struct selection *sel, int64_t first_ms, int64_t last_ms)
{
	enum { SCRAPE_MS = 60 * 1000 };
	int64_t away_ms = sel->began_ms - sel->stopped_ms;

	return sel->stopped_ms != 0 &&
	       begins_within(sel->stopped_ms - (away_ms < SCRAPE_MS ? away_ms : SCRAPE_MS), sel->began_ms, first_ms, last_ms);
}

/* What the caller must know to tell "no" from "cannot know" (semantics, "Not knowing"). What is read begins at <first_ms> for the first step,
 * at <last_ms> for the last. */
static void tell_unknowns(struct eval *ev, const struct selection *sel, int64_t first_ms, int64_t last_ms)
{
	if (first_ms < sel->held_from_ms)
		ev->incomplete = true;
	ev->unasked |= sel->unasked;
	ev->behind |= sel->behind;
	for (size_t i = 0; i < sel->n_strangers; i++)
		add_unseen(ev, sel->unseen_targets[i]);
	ev->read_lost |= sel->n > 0 && begins_away(sel, first_ms, last_ms);
	for (size_t i = 0; i < sel->n && !ev->read_lost; i++) {
		const struct series *s = &sel->v[i];

		ev->read_lost = s->state == SERIES_LOST ||
		                (s->state == SERIES_FRESH && begins_within(s->lost_since_ms, s->back_ms, first_ms, last_ms));
	}
}

struct selection *select_series(struct eval *ev, int node_id, const struct matcher *matchers, size_t n, int64_t min_ms,
                                int64_t max_ms, const int64_t begins_ms[2], const struct shape **shape)
{
	struct select_hints hints = { min_ms, max_ms, ev->as_of };
	size_t most = ev->query->options.limits.max_series;
	struct err e = { 0 };
	struct selection *sel = ev->querier->ops->select(ev->querier, matchers, n, hints, &e);
	struct memory_slot *slot;

	if (sel == NULL) {
		eval_fail(ev, e.code, -1, "%s", e.msg);
		return NULL;
	}
	if (sel->n > most) {
		eval_fail(ev, ERR_LIMIT, -1, "query selects more than max_series=%zu series: %zu", most, sel->n);
		ev->querier->ops->release(ev->querier, sel);
		return NULL;
	}
	ev->as_of = sel->as_of;
	tell_unknowns(ev, sel, begins_ms[0], begins_ms[1]);
	slot = memory_slot(ev, node_id, MEMORY_SHAPE, (struct memory_input){ sel->generation, sel->n },
	                   (struct memory_input){ (uintptr_t)ev->querier, 0 });
	if (memory_is_due(slot)) {
		shape_copy(slot, sel);
		memory_keep(ev, slot);
	}
	*shape = &slot->shape;
	return sel;
}

static int64_t held_at(const struct eval *ev, const struct timing *t, int64_t lost_ms)
{
	return lost_ms - (ev->held == PROMQL_HOLD_STILL && !t->fixed && t->offset_ms > 0 ? t->offset_ms : 0);
}

int64_t select_anchor(const struct eval *ev, const struct selection *sel, size_t row, const struct timing *t, int64_t ref_ms, int64_t range_ms)
{
	const struct series *s = &sel->v[row];

	if (!ev->held || s->state == SERIES_GONE)
		return ref_ms;
	if (s->state == SERIES_LOST) /* INT64_MIN: there never was a good sample to hold */
		return s->lost_since_ms < ref_ms && s->lost_since_ms > INT64_MIN ? held_at(ev, t, s->lost_since_ms) : ref_ms;
	if (begins_within(s->lost_since_ms, s->back_ms, ref_ms - range_ms, ref_ms - range_ms))
		return held_at(ev, t, s->lost_since_ms);
	return begins_away(sel, ref_ms - range_ms, ref_ms - range_ms) ? held_at(ev, t, sel->stopped_ms) : ref_ms;
}

enum { UNSEEN_MAX = 1000 };

/* What these samples would have told nobody knows: as if the series' target had not been read. */
static void tell_missing(struct eval *ev, const struct series *s, const char *why)
{
	note_printf(ev, true, -1, "%s", why);
	if (ev->n_unseen >= UNSEEN_MAX)
		ev->incomplete = true;
	else
		add_unseen(ev, labels_without(ev->scratch, s->labels, STR(LABEL_NAME)));
}

bool select_samples(struct eval *ev, const struct selection *sel, size_t row, int64_t min_ms, int64_t max_ms, bool before,
                    struct samples *out)
{
	struct err e = { 0 };

	if ((row & 1023) == 1023 && !eval_in_time(ev))
		return false;
	if (!ev->querier->ops->samples(ev->querier, sel, row, min_ms, max_ms, before, ev->scratch, out, &e))
		return eval_fail(ev, e.code, -1, "%s", e.msg);
	if (out->missing != NULL)
		tell_missing(ev, &sel->v[row], out->missing);
	ev->samples_read += out->n;
	if (out->n > ev->query->options.limits.max_samples)
		return eval_fail(ev, ERR_LIMIT, -1, "query needs more than max_samples=%zu samples: one series has %zu",
		                 ev->query->options.limits.max_samples, out->n);
	return true;
}

bool select_ends(struct eval *ev, const struct selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only,
                 struct window_ends *out)
{
	const struct querier_ops *ops = ev->querier->ops;

	if (ops->ends == NULL || ev->held || eval_has_feature(ev, PROMQL_START_TIMESTAMPS))
		return false;
	if (row % 1024 == 0 && !eval_in_time(ev))
		return false;
	ops->ends(ev->querier, sel, row, n, min_ms, max_ms, last_only, out);
	for (size_t i = 0; i < n; i++)
		ev->samples_read += out[i].known ? out[i].n : 0;
	return true;
}

static void set_cell(struct eval *ev, struct value *x, size_t cell, const struct samples *s, size_t i)
{
	x->has[cell] = true;
	x->v[cell] = s->v[i];
	if (s->h != NULL && s->h[i] != NULL)
		value_put_histogram(ev, x, cell, histogram_keep(ev->arena, s->h[i]));
	if (x->t_ms != NULL)
		x->t_ms[cell] = s->t_ms[i];
	if (x->st_ms != NULL)
		x->st_ms[cell] = s->st_ms == NULL ? 0 : s->st_ms[i];
}

/* No stale marker ends what the last run left behind; all the same it is no value of now. */
static bool is_past(const struct eval *ev, const struct selection *sel, size_t row, int64_t ref_ms)
{
	const struct series *s = &sel->v[row];

	return s->unread && !ev->query->options.shows_past && ref_ms >= sel->began_ms && !(ev->held && s->state == SERIES_LOST);
}

struct lookup {
	struct eval *ev;
	const struct selection *sel;
	struct timing timing;
	struct value *x;
	int64_t lookback_ms;
	bool smoothed;
	int pos;                /* of the selector in the query */
};

static void lookup_row(struct lookup *l, size_t row, const struct samples *s)
{
	size_t next = 0;        /* first sample behind the reference time */
	int64_t before_ms = INT64_MIN;

	for (size_t step = 0; step < l->x->n_steps && eval_works(l->ev, 1); step++) {
		int64_t ref = select_anchor(l->ev, l->sel, row, &l->timing, timing_at(&l->timing, &l->ev->steps, step), 0);

		if (ref < before_ms)
			next = 0;
		before_ms = ref;
		while (next < s->n && s->t_ms[next] <= ref)
			next++;
		if (next == 0 || s->t_ms[next - 1] <= ref - l->lookback_ms || value_is_stale(s->v[next - 1])
		    || is_past(l->ev, l->sel, row, ref))
			continue;
		set_cell(l->ev, l->x, row * l->x->n_steps + step, s, next - 1);
	}
}

/* The samples around <ref>: those not older than the lookback before it, and not newer than the lookback behind it. */
static void smooth_cell(struct lookup *l, size_t row, size_t step, const struct points *p)
{
	int64_t ref = select_anchor(l->ev, l->sel, row, &l->timing, timing_at(&l->timing, &l->ev->steps, step), 0);
	size_t cell = row * l->x->n_steps + step;
	struct window w = { .beg_ms = ref - l->lookback_ms, .end_ms = ref + l->lookback_ms, .labels = l->x->shape->labels[row] };
	struct point out;

	window_cut(&w, p, w.beg_ms, w.end_ms);
	if (!smooth_at(l->ev, &w, ref, l->pos, &out))
		return;
	l->x->has[cell] = true;
	l->x->v[cell] = out.v;
	if (out.h != NULL)
		value_put_histogram(l->ev, l->x, cell, out.h);
}

static bool lookup_series(struct lookup *l, size_t row, int64_t min_ms, int64_t max_ms)
{
	bool one = l->x->n_steps == 1 || l->timing.fixed;
	struct samples s;

	if (l->smoothed) {
		struct points p;

		if (!select_samples(l->ev, l->sel, row, min_ms, max_ms, false, &s))
			return false;
		points_split(l->ev, &s, &p);
		for (size_t step = 0; step < l->x->n_steps; step++)
			smooth_cell(l, row, step, &p);
		return true;
	}
	if (one && !l->ev->tell_resets) {       /* only the last sample counts: no need to decode a lookback of them */
		min_ms = max_ms = select_anchor(l->ev, l->sel, row, &l->timing, max_ms, 0);
	} else {
		min_ms = select_anchor(l->ev, l->sel, row, &l->timing, min_ms + l->lookback_ms, 0) - l->lookback_ms;
	}
	if (!select_samples(l->ev, l->sel, row, min_ms, max_ms, one && !l->ev->tell_resets, &s))
		return false;
	if (l->ev->tell_resets)
		histograms_tell_resets(l->ev->scratch, &s);
	lookup_row(l, row, &s);
	return true;
}

/* Of the only step, where nothing but the value is wanted. */
static size_t lookup_ends(struct lookup *l, size_t row, int64_t ref_ms)
{
	size_t n = l->sel->n - row < ENDS_ROWS ? l->sel->n - row : ENDS_ROWS;
	struct window_ends e[ENDS_ROWS];
	struct arena_mark mark = arena_mark(l->ev->scratch);

	if (!select_ends(l->ev, l->sel, row, n, ref_ms - l->lookback_ms, ref_ms, true, e))
		memset(e, 0, sizeof e);
	for (size_t i = 0; i < n; i++) {
		if (!e[i].known) {
			if (!lookup_series(l, row + i, ref_ms - l->lookback_ms, ref_ms))
				break;
			arena_rewind(l->ev->scratch, mark);
		} else if (e[i].n > 0 && !e[i].ended && !is_past(l->ev, l->sel, row + i, ref_ms)) {
			l->x->has[row + i] = true;
			l->x->v[row + i] = e[i].last;
		}
	}
	return n;
}

static size_t lookup_samples(struct lookup *l, size_t row, int64_t first_ms, int64_t last_ms)
{
	struct arena_mark mark = arena_mark(l->ev->scratch);

	(void)!lookup_series(l, row, first_ms, last_ms);
	arena_rewind(l->ev->scratch, mark);
	return 1;
}

struct value *select_instant(struct eval *ev, const struct select_request *rq)
{
	struct lookup l = { .ev = ev, .timing = rq->timing, .lookback_ms = ev->query->options.lookback_ms, .smoothed = rq->smoothed,
	                    .pos = rq->pos };
	int64_t first = timing_at(&l.timing, &ev->steps, 0) - l.lookback_ms;
	int64_t last = timing_at(&l.timing, &ev->steps, ev->steps.n - 1) + (rq->smoothed ? l.lookback_ms : 0);
	bool by_ends = ev->steps.n == 1 && !rq->smoothed && !rq->want_times;
	const struct shape *shape;
	const int64_t begins[] = { first + l.lookback_ms, timing_at(&l.timing, &ev->steps, ev->steps.n - 1) };
	struct selection *sel = select_series(ev, rq->node_id, rq->matchers, rq->n_matchers, first, last, begins, &shape);

	if (sel == NULL)
		return NULL;
	l.sel = sel;
	l.x = value_new(ev, shape);
	if (l.x != NULL && rq->want_times) {
		l.x->t_ms = ARENA_ARRAY(ev->arena, value_cells(l.x), int64_t);
		l.x->st_ms = ARENA_ARRAY(ev->arena, value_cells(l.x), int64_t);
	}
	for (size_t row = 0; l.x != NULL && row < sel->n && !ev->failed;)
		row += by_ends ? lookup_ends(&l, row, last) : lookup_samples(&l, row, first, last);
	ev->querier->ops->release(ev->querier, sel);
	return ev->failed ? NULL : l.x;
}

struct value *eval_selector(struct eval *ev, const struct node *n)
{
	const struct node_selector *s = &n->selector;
	struct select_request rq = { .node_id = n->id, .pos = n->beg, .matchers = s->matchers, .n_matchers = s->n_matchers,
	                             .timing = timing_of(ev, s->at, s->at_ms, &s->offset), .smoothed = s->mode == RANGE_SMOOTHED,
	                             .want_times = ev->want_times };

	ev->want_times = false;
	return ev->failed ? NULL : select_instant(ev, &rq);
}
