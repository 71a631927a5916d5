/* Reading: a selection is a shared snapshot of matching series plus their states of the moment; samples are collected under the
 * lock of their shard (references to sealed chunks, a copy of the open one) and decoded outside it. What blocks hold of the series is
 * collected after that, since a flush moves chunks from the head to blocks in the other order.
 *
 * A selection sees whole batches: it remembers the number of the last one that was in, and leaves out a series' last sample when
 * that came later. (Two later batches on one series lie at least a scrape interval behind the query's time; of a series that
 * brought several times of its own in one batch all but the last are seen a moment earlier.) */
#include <assert.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/run.h"
#include "tocsin/mem.h"

/* What rests and matches is woken first; should anything have been put to rest meanwhile, again. */
static bool find_awake(struct store *st, const struct matcher *m, size_t n, struct select_hints reach, struct view *out, struct err *e)
{
	struct gathering *g = NULL;
	bool same, found = false;
	struct err limit = { 0 };
	uint64_t no;

	COUNT(st, selections, 1);
	do {
		if (!rest_wake(st, m, n, reach, &no, e))
			return false;
		pthread_rwlock_rdlock(&st->index_lock);
		same = rest_no(st) == no;
		found = same && memory_find(st, m, n, reach.min_ms, out);
		if (same && !found)
			g = gather_begin(st, m, n, &limit);
		pthread_rwlock_unlock(&st->index_lock);
	} while (!same);
	COUNT(st, selections_remembered, found);
	if (limit.code != ERR_NONE)
		*e = limit;
	return found || (g != NULL && gather_all(st, g, &reach, no, out, e));
}

/* Far from now on either side (a clock that jumped back): nothing was accepted for so long. */
static bool is_stalled(int64_t good_ms, int64_t now_ms, int64_t lookback_ms)
{
	return good_ms != INT64_MIN && (good_ms < now_ms - lookback_ms || good_ms > now_ms + lookback_ms);
}

/* Whether a target that nobody has read since the start may have it. */
static bool may_be_carried(struct labels labels, struct store_selection *sel)
{
	if (sel->pub.n_unseen_targets == 0)
		return false;
	if (sel->carriers == NULL)
		sel->carriers = carriers_new(&sel->arena, sel->pub.unseen_targets, sel->pub.n_unseen_targets);
	return carriers_may_have(sel->carriers, labels);
}

/* Of a series that only blocks know: whether it may yet come back. */
static bool may_return(const struct store *st, struct labels labels, int64_t now_ms, struct store_selection *sel)
{
	return now_ms - st->born_ms <= st->options.lookback_ms || may_be_carried(labels, sel);
}

/* The metric the matchers name, or empty. */
static struct str named_metric(const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].op == MATCH_EQ && str_eq(m[i].name, STR(LABEL_NAME)))
			return m[i].value;
	return STR("");
}

/* True when the snapshot has a series of this part that was scraped since the start. */
static bool is_seen(const struct view *s, struct labels part)
{
	for (size_t i = 0; i < s->n; i++)
		if (atomic_load(&s->series[i]->state) == SERIES_FRESH && !atomic_load(&s->series[i]->from_history) &&
		    !carriers_is_of_another(s->labels[i], part))
			return true;
	return false;
}

static bool part_matters(const struct store_unseen *u, struct str metric, const struct view *s)
{
	return (metric.n == 0 || str_starts(metric, u->family)) && !is_seen(s, u->labels);
}

/* The last good sample but one, or what is behind it where that is no longer in an open chunk. INT64_MIN: none, or it ended there. */
static int64_t good_before_ms(struct store *st, struct store_series *s)
{
	struct shard *shard = series_shard(st, s);
	int64_t t[CHUNK_SAMPLES], at_ms = INT64_MIN;
	double v[CHUNK_SAMPLES] = { 0 };
	const struct chunk *open;

	pthread_mutex_lock(&shard->lock);
	open = series_open(s);
	if (open == NULL || open->n < 2)
		at_ms = s->n_sealed > 0 ? chunk_max_ms(series_sealed(s, s->n_sealed - 1)) : atomic_load(&s->block_last_ms);
	else if (open->kind != CHUNK_HIST && chunk_decode(open, t, v, NULL, NULL) && !value_is_stale(v[open->n - 2]))
		at_ms = t[open->n - 2];
	pthread_mutex_unlock(&shard->lock);
	return at_ms;
}

/* Whether, as far as the batches up to <as_of> tell, it is still away. */
static bool is_still_away(struct store *st, struct store_series *s, uint64_t as_of, enum series_state said, int64_t now_ms, int64_t *since_ms)
{
	struct gap gap;

	if (gaps_find(&st->gaps, s->id, &gap) && gap.batch > as_of) {
		*since_ms = gap.lost_ms;
		return true;
	}
	/* What it had before the start is a question as long as that may be its last sample but one. */
	if (said != SERIES_FRESH || !series_is_later(s, as_of) || now_ms - st->born_ms > st->options.lookback_ms)
		return false;
	*since_ms = good_before_ms(st, s);
	return *since_ms != INT64_MIN && is_stalled(*since_ms, now_ms, st->options.lookback_ms);
}

/* Whether it was later before. The latest time is read first: what another thread saw meanwhile is no step. */
static bool is_behind(struct store *st, int64_t *now_ms)
{
	int64_t latest_ms = atomic_load(&st->latest_ms);

	*now_ms = clock_now_ms(st->options.clock);
	if (*now_ms < latest_ms)
		return true;
	while (latest_ms < *now_ms && !atomic_compare_exchange_weak(&st->latest_ms, &latest_ms, *now_ms))
		;
	return false;
}

static struct series describe(struct store *st, struct store_series *s, struct labels labels, int64_t now_ms,
                              struct store_selection *sel)
{
	struct gap gap;
	struct series out = { .id = s->id, .labels = labels, .state = atomic_load(&s->state) };
	int64_t good_ms = series_good_ms(s);

	unsigned char from = atomic_load(&s->from_history);

	out.unread = from == FROM_OWNER || (from != FROM_NOWHERE && may_be_carried(labels, sel));
	if (series_is_never_lost(s))
		out.state = out.state == SERIES_LOST || from != FROM_NOWHERE ? SERIES_GONE : out.state;
	else if (from == FROM_OWNER)
		out.state = SERIES_LOST;
	else if (from != FROM_NOWHERE && out.state != SERIES_GONE)
		out.state = may_return(st, labels, now_ms, sel) ? SERIES_LOST : SERIES_GONE;
	if ((out.state == SERIES_FRESH && is_stalled(good_ms, now_ms, st->options.lookback_ms)) ||
	    (out.state != SERIES_LOST && is_still_away(st, s, sel->pub.as_of, out.state, now_ms, &good_ms)))
		out.state = SERIES_LOST;
	if (out.state == SERIES_LOST) {
		out.lost_since_ms = good_ms;
	} else if (out.state == SERIES_FRESH && gaps_find(&st->gaps, s->id, &gap)) {
		out.lost_since_ms = gap.lost_ms;
		out.back_ms = gap.back_ms;
	}
	return out;
}

/* True when a label the target has keeps the selector from matching anything of it. */
static bool contradicts(const struct matcher *m, size_t n, struct labels target)
{
	for (size_t i = 0; i < n; i++) {
		struct err limit = { 0 };

		if (labels_has(target, m[i].name) && !matcher_test(&m[i], labels_get(target, m[i].name), &limit) &&
		    limit.code == ERR_NONE)
			return true;
	}
	return false;
}

static bool is_report(struct str metric)
{
	return str_eq(metric, STR("up")) || str_starts(metric, STR("scrape_"));
}

/* It does not answer, and what it had before is in the journal: series of its own, or none. */
static bool is_known(const struct store *st, const struct store_unseen *u)
{
	return u->attempted && !u->part && atomic_load(&st->knows_past);
}

/* Targets that may carry what is selected and were never read, into the selection. */
static void note_unseen(struct store *st, const struct matcher *m, size_t n, struct store_selection *sel)
{
	struct str metric = named_metric(m, n);
	bool report = is_report(metric);
	struct labels *found;
	int64_t asking_ms;

	pthread_mutex_lock(&st->unseen_lock);
	asking_ms = st->asking_ms;
	sel->pub.unasked = clock_leapt(&asking_ms, st->options.clock);
	found = st->n_unseen > 0 ? ARENA_ARRAY(&sel->arena, st->n_unseen, struct labels) : NULL;
	for (size_t i = 0; i < st->n_unseen; i++) {
		const struct store_unseen *u = &st->unseen[i];

		if ((report && (u->attempted || u->part)) || contradicts(m, n, u->labels) || (u->part && !part_matters(u, metric, &sel->view)))
			continue;
		found[sel->pub.n_unseen_targets] = labels_copy(&sel->arena, u->labels);
		sel->pub.unasked |= !u->attempted && !u->part;
		if (!is_known(st, u)) {
			struct labels stranger = found[sel->pub.n_unseen_targets];

			found[sel->pub.n_unseen_targets] = found[sel->pub.n_strangers];
			found[sel->pub.n_strangers++] = stranger;
		}
		sel->pub.n_unseen_targets++;
	}
	pthread_mutex_unlock(&st->unseen_lock);
	sel->pub.unseen_targets = found;
	sel->pub.unseen = sel->pub.n_unseen_targets > 0;
}

/* Whether memory_leave_out would leave it out. */
static bool is_over(const struct store_series *s, enum series_state said, int64_t min_ms, const struct selection *sel)
{
	return said == SERIES_GONE && series_end_ms(s) < min_ms && !(sel->unseen && atomic_load(&s->from_history));
}

/* When so many ended before the time that is asked for, they are left out the next time. */
static bool many_are_over(size_t n, size_t n_over)
{
	return n_over > n / 8 + 64;
}

/* Nothing but this, so that many are on their way at once: what takes time is less the memory than finding its pages. */
static void warm(struct store_series *const *series, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mem_warm(series[i]);
}

static struct selection *store_select(struct querier *q, const struct matcher *m, size_t n, struct select_hints hints,
                                      struct err *e)
{
	enum { WARM_ROWS = 64, SMALL_ARENA = 512 };
	struct store *st = (struct store *)q;
	uint64_t batch = hints.as_of != 0 ? hints.as_of : atomic_load(&st->published);
	int64_t now_ms;
	bool behind = is_behind(st, &now_ms);
	struct store_selection *sel;
	struct view view;
	size_t n_over = 0;

	if (!find_awake(st, m, n, hints, &view, e))
		return NULL;
	sel = mem_realloc(NULL, sizeof *sel + view.n * sizeof *sel->v);
	*sel = (struct store_selection){ .view = view, .batch = batch };
	arena_init_small(&sel->arena, SMALL_ARENA);
	sel->pub = (struct selection){ .v = sel->v, .n = view.n, .as_of = batch, .generation = view.snapshot->generation,
		                       .held_from_ms = atomic_load(&st->held_from_ms), .began_ms = st->born_ms,
		                       .stopped_ms = st->stopped_ms };
	note_unseen(st, m, n, sel);
	for (size_t i = 0; i < view.n; i++) {
		if (i % WARM_ROWS == 0)
			warm(view.series + i, view.n - i < WARM_ROWS ? view.n - i : WARM_ROWS);
		sel->v[i] = describe(st, view.series[i], view.labels[i], now_ms, sel);
		sel->pub.behind |= behind && series_good_ms(view.series[i]) > now_ms;
		n_over += is_over(view.series[i], sel->v[i].state, hints.min_ms, &sel->pub);
	}
	if (many_are_over(view.n, n_over))
		memory_leave_out(st, m, n, sel, hints.min_ms);
	return &sel->pub;
}

static void store_release(struct querier *q, struct selection *pub)
{
	struct store_selection *sel = (struct store_selection *)pub;

	if (sel == NULL)
		return;
	shelf_detach((struct store *)q, sel);
	snapshot_unref((struct store *)q, sel->view.snapshot);
	arena_fini(&sel->arena);
	free(sel);
}

/* Chunks that may hold what is asked for, taken under the lock. */
struct collected {
	struct chunk **sealed;
	size_t n_sealed;
	struct chunk *open; /* a copy; NULL: none */
	int64_t *open_t;    /* CHUNK_HIST: decoded at once instead */
	double *open_v;
	const struct histogram **open_h;
	size_t n, n_open; /* samples in all of them */
	int64_t floor_ms; /* some chunk begins here, the latest that begins by min_ms; INT64_MIN: none does */
	bool hide_last, has_hist;
};

static void collect_open(struct collected *c, const struct store_series *s, struct arena *a)
{
	const struct chunk *open = series_open(s);

	if (open == NULL)
		return;
	c->n_open = open->n;
	c->n += open->n;
	if (open->kind != CHUNK_HIST) {
		c->open = chunk_copy(open, a);
		return;
	}
	c->has_hist = true;
	c->open_t = ARENA_ARRAY(a, open->n, int64_t);
	c->open_v = ARENA_ARRAY(a, open->n, double);
	c->open_h = ARENA_ARRAY(a, open->n, const struct histogram *);
	(void)!chunk_decode(open, c->open_t, c->open_v, c->open_h, a);
}

uint32_t store_first_chunk(const struct store_series *s, int64_t min_ms, bool before)
{
	uint32_t lo = 0, hi = s->n_sealed;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (chunk_max_ms(series_sealed(s, mid)) <= min_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return before && lo > 0 ? lo - 1 : lo;
}

static void collect(struct store *st, struct store_series *s, uint64_t batch, int64_t min_ms, int64_t max_ms, bool before,
                    struct arena *a, struct collected *c)
{
	struct shard *shard = series_shard(st, s);

	pthread_mutex_lock(&shard->lock);
	c->hide_last = series_is_later(s, batch);
	c->floor_ms = INT64_MIN;
	c->sealed = ARENA_ARRAY(a, s->n_sealed, struct chunk *);
	for (uint32_t i = store_first_chunk(s, min_ms, before); i < s->n_sealed && series_sealed(s, i)->min_ms <= max_ms; i++) {
		struct chunk *k = series_sealed(s, i);

		chunk_ref(k);
		c->sealed[c->n_sealed++] = k;
		c->n += k->n;
		c->has_hist |= k->kind == CHUNK_HIST;
		if (k->min_ms <= min_ms)
			c->floor_ms = k->min_ms;
	}
	if (series_open(s) != NULL && series_open(s)->min_ms <= min_ms)
		c->floor_ms = series_open(s)->min_ms;
	if (series_open(s) != NULL && series_open(s)->min_ms <= max_ms)
		collect_open(c, s, a);
	else
		c->hide_last = false;
	pthread_mutex_unlock(&shard->lock);
}

static bool decode_all(const struct collected *c, int64_t *t, double *v, const struct histogram **h, struct arena *a)
{
	size_t at = 0;

	for (size_t i = 0; i < c->n_sealed; at += c->sealed[i++]->n)
		if (!chunk_decode(c->sealed[i], t + at, v + at, h != NULL ? h + at : NULL, a))
			return false;
	if (c->open != NULL)
		return chunk_decode(c->open, t + at, v + at, NULL, a);
	if (c->n_open > 0) {
		memcpy(t + at, c->open_t, c->n_open * sizeof *t);
		memcpy(v + at, c->open_v, c->n_open * sizeof *v);
		memcpy(h + at, c->open_h, c->n_open * sizeof(struct histogram *));
	}
	return true;
}

/* How many of the rising <t> are <= <limit>. */
static size_t count_until(const int64_t *t, size_t n, int64_t limit)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t[mid] <= limit)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const char *told_missing(const struct block *b, struct arena *a)
{
	return arena_strz(a, arena_printf(a, "samples are missing: chunks of %s are damaged", b->path));
}

/* A damaged chunk is passed over, and <*missing> says so. */
static bool read_blocks(struct run *r, const struct history_parts *parts, struct arena *a, const char **missing, struct err *e)
{
	for (size_t i = parts->n; i-- > 0;) {
		const struct history_part *p = &parts->v[i];
		size_t seam = r->n;

		for (uint32_t k = p->first; k < p->first + p->n; k++)
			if (block_read(p->block, k, r->t + r->n, r->v + r->n, r->h != NULL ? r->h + r->n : NULL, a))
				r->n += block_entry(p->block, k).n;
			else
				*missing = told_missing(p->block, a);
		run_mend(r, seam, a);
	}
	if (parts->cut != NULL)
		return err_set(e, ERR_IO, -1, "%s was cut short: it will be set aside", parts->cut->path);
	return true;
}

static bool read_head(struct run *r, const struct collected *c, struct arena *a, struct err *e)
{
	size_t seam = r->n;

	if (!decode_all(c, r->t + seam, r->v + seam, r->h != NULL ? r->h + seam : NULL, a))
		return err_set(e, ERR_IO, -1, "a chunk of the store is damaged");
	r->n += c->n - (c->hide_last && c->n > 0);
	run_mend(r, seam, a);
	return true;
}

/* What batches up to <batch> brought. */
static bool read_samples(struct store *st, struct store_series *s, struct labels labels, uint64_t batch, int64_t min_ms, int64_t max_ms,
                         bool before, struct arena *a, struct samples *out, struct err *e)
{
	struct collected c = { 0 };
	struct history_parts parts;
	const char *missing = NULL;
	struct run r;
	size_t beg, end;
	bool ok;

	collect(st, s, batch, min_ms, max_ms, before, a, &c);
	history_collect(st, labels, min_ms, max_ms, before, c.floor_ms, a, &parts);
	r = run_new(c.n + parts.n_samples, c.has_hist || parts.has_hist, a);
	ok = read_blocks(&r, &parts, a, &missing, e) && read_head(&r, &c, a, e);
	for (size_t k = 0; k < c.n_sealed; k++)
		chunk_unref(c.sealed[k]);
	block_list_unref(parts.list);
	if (!ok)
		return false;
	end = count_until(r.t, r.n, max_ms);
	beg = count_until(r.t, end, min_ms);
	if (before && beg > 0)
		beg--;
	*out = (struct samples){ end - beg, r.t + beg, r.v + beg, r.h != NULL ? r.h + beg : NULL, NULL, missing };
	return true;
}

static bool store_samples(struct querier *q, const struct selection *pub, size_t i, int64_t min_ms, int64_t max_ms, bool before,
                          struct arena *a, struct samples *out, struct err *e)
{
	const struct store_selection *sel = (const struct store_selection *)pub;

	assert(i < pub->n);
	return read_samples((struct store *)q, sel->view.series[i], sel->view.labels[i], sel->batch, min_ms, max_ms, before, a, out, e);
}

bool store_series_samples(struct store *st, struct store_series *s, int64_t min_ms, int64_t max_ms, struct arena *a, struct samples *out,
                          struct err *e)
{
	return read_samples(st, s, store_series_labels(st, s, a), UINT64_MAX, min_ms, max_ms, false, a, out, e);
}

const struct querier_ops store_querier_ops = { store_select, store_samples, store_release, store_ends };
