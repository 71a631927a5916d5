/* How histograms of different layout are made alike: exponential buckets by halving the resolution and widening the zero bucket
 * over whole buckets, custom ones by the bounds they have in common. Source: Prometheus native histogram specification. */
#include "histogram_tally.h"

#include <assert.h>

#include "histogram_buckets.h"

static void add(struct sum *to, double x, bool plain)
{
	if (plain)
		to->v += x;
	else
		sum_add(to, x);
}

static void add_sum(struct sum *to, const struct sum *x)
{
	sum_add(to, x->v);
	to->c += x->c;
}

/* ---- the buckets of one side ---- */

static void cells_reserve(struct arena *a, struct cells *c, size_t need)
{
	size_t cap = c->cap;

	if (need <= c->cap)
		return;
	c->index = arena_grow(a, c->index, c->n, &cap, need, sizeof *c->index);
	cap = c->cap;
	c->v = arena_grow(a, c->v, c->n, &cap, need, sizeof *c->v);
	c->cap = cap;
}

static void cells_load(struct arena *a, struct cells *c, const struct histogram_side *side)
{
	struct side_walk walk = side_walk_up(side);
	int64_t index;
	double count;

	c->n = 0;
	cells_reserve(a, c, side->n_buckets);
	while (side_next(&walk, &index, &count)) {
		if (c->n > 0 && index <= c->index[c->n - 1])
			continue;       /* spans that overlap: from outside, and nothing to rely on */
		c->index[c->n] = index;
		c->v[c->n++] = (struct sum){ count, 0 };
	}
}

/* How many cells of <from> have none of the same index in <to>. */
static size_t count_missing(const struct cells *to, const struct cells *from)
{
	size_t missing = 0;

	for (size_t i = 0, k = 0; k < from->n; k++) {
		while (i < to->n && to->index[i] < from->index[k])
			i++;
		missing += i == to->n || to->index[i] != from->index[k];
	}
	return missing;
}

static void cells_add(struct arena *a, struct cells *to, const struct cells *from, double factor, bool plain)
{
	size_t missing = count_missing(to, from), read = to->n, write = to->n + missing;

	cells_reserve(a, to, write);
	to->n = write;
	for (size_t k = from->n; k-- > 0;) {    /* from behind, so that it can be done in place */
		while (read > 0 && to->index[read - 1] >= from->index[k]) {
			to->index[--write] = to->index[--read];
			to->v[write] = to->v[read];
		}
		if (write == to->n || to->index[write] != from->index[k]) {
			to->index[--write] = from->index[k];
			to->v[write] = (struct sum){ 0 };
		}
		add(&to->v[write], factor * from->v[k].v, plain);
	}
	assert(read == write);
}

/* Cells become those of <target>, which does not fall as the index rises; cells of one target become one. */
static void cells_remap(struct cells *c, int64_t (*target)(const void *arg, int64_t index), const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		int64_t index = target(arg, c->index[i]);

		if (kept > 0 && c->index[kept - 1] == index) {
			add_sum(&c->v[kept - 1], &c->v[i]);
			continue;
		}
		c->index[kept] = index;
		c->v[kept++] = c->v[i];
	}
	c->n = kept;
}

/* ---- making two alike ---- */

static int64_t coarser_index(const void *arg, int64_t index)
{
	const int32_t *steps = arg;

	return ((index - 1) >> *steps) + 1;
}

static void reduce_resolution(struct tally_part *p, int32_t schema)
{
	int32_t steps = p->schema - schema;

	if (steps <= 0)
		return;
	cells_remap(&p->pos, coarser_index, &steps);
	cells_remap(&p->neg, coarser_index, &steps);
	p->schema = schema;
}

/* What lies below <*threshold>, which is moved to the end of a bucket that it would cut, unless that one is empty. */
static void add_below(const struct cells *c, int32_t schema, double *threshold, struct sum *count)
{
	for (size_t i = 0; i < c->n && exponential_bound(schema, c->index[i] - 1) < *threshold; i++) {
		double upper = exponential_bound(schema, c->index[i]);

		add_sum(count, &c->v[i]);
		if (upper > *threshold && c->v[i].v != 0)
			*threshold = upper;
	}
}

static void drop_below(struct cells *c, int32_t schema, double threshold)
{
	size_t gone = 0;

	while (gone < c->n && exponential_bound(schema, c->index[gone] - 1) < threshold)
		gone++;
	if (gone == 0)
		return;
	c->n -= gone;
	memmove(c->index, c->index + gone, c->n * sizeof *c->index);
	memmove(c->v, c->v + gone, c->n * sizeof *c->v);
}

/* The zero bucket grows to <threshold>, or as far beyond it as it takes to hold whole buckets. */
static void widen_zero(struct tally_part *p, double threshold)
{
	struct sum count;
	double before;

	do {
		before = threshold;
		count = p->zero;
		add_below(&p->pos, p->schema, &threshold, &count);
		add_below(&p->neg, p->schema, &threshold, &count);
	} while (threshold > before);
	drop_below(&p->pos, p->schema, threshold);
	drop_below(&p->neg, p->schema, threshold);
	p->zero = count;
	p->zero_threshold = threshold;
}

struct rebound {
	const double *from, *to;
	uint32_t n_from, n_to;
};

static int64_t rebound_index(const void *arg, int64_t index)
{
	const struct rebound *r = arg;
	uint32_t low = 0, high = r->n_to;

	if (index >= r->n_from)
		return r->n_to;
	if (index < 0)
		return 0;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (r->to[mid] < r->from[index])
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void rebound(struct tally_part *p, const double *bounds, uint32_t n)
{
	struct rebound r = { p->custom, bounds, p->n_custom, n };

	cells_remap(&p->pos, rebound_index, &r);
	p->custom = bounds;
	p->n_custom = n;
}

/* Bounds rise, but for made-up histograms, which may repeat one. */
static void keep_common_bounds(struct arena *a, struct tally_part *p, struct tally_part *q)
{
	double *common = ARENA_ARRAY(a, p->n_custom < q->n_custom ? p->n_custom : q->n_custom, double);
	uint32_t n = 0;

	for (uint32_t i = 0, k = 0; i < p->n_custom && k < q->n_custom;) {
		double low = p->custom[i], high = q->custom[k];

		if (low == high)
			common[n++] = low;
		i += low <= high;
		k += !(low < high);
	}
	rebound(p, common, n);
	rebound(q, common, n);
}

/* True when custom bounds had to be reconciled. Both have the same kind of buckets. */
static bool make_alike(struct arena *a, struct tally_part *p, struct tally_part *q)
{
	if (p->schema == HISTOGRAM_CUSTOM) {
		if (bounds_same(p->custom, p->n_custom, q->custom, q->n_custom))
			return false;
		keep_common_bounds(a, p, q);
		return true;
	}
	while (p->zero_threshold != q->zero_threshold) {
		if (p->zero_threshold < q->zero_threshold)
			widen_zero(p, q->zero_threshold);
		else if (p->zero_threshold > q->zero_threshold)
			widen_zero(q, p->zero_threshold);
		else
			break;          /* not a number: from outside */
	}
	reduce_resolution(p, q->schema);
	reduce_resolution(q, p->schema);
	return false;
}

static void part_load(struct arena *a, struct tally_part *p, const struct histogram *h)
{
	cells_load(a, &p->pos, &h->pos);
	cells_load(a, &p->neg, &h->neg);
	p->schema = h->schema;
	p->zero_threshold = h->zero_threshold;
	p->zero = (struct sum){ h->zero_count, 0 };
	p->count = (struct sum){ h->count, 0 };
	p->sum = (struct sum){ h->sum, 0 };
	p->custom = h->custom;
	p->n_custom = h->n_custom;
}

/* ---- the sum ---- */

void tally_init(struct tally *t, struct arena *a, bool plain)
{
	*t = (struct tally){ .arena = a, .plain = plain };
}

/* A gauge makes a gauge; what is not known of one is not known of the sum; opposite hints are no knowledge. */
static enum histogram_reset joint_hint(enum histogram_reset a, enum histogram_reset b)
{
	if (a == b)
		return a;
	return a == RESET_GAUGE || b == RESET_GAUGE ? RESET_GAUGE : RESET_UNKNOWN;
}

static void take_hint(struct tally *t, enum histogram_reset hint)
{
	t->reset = t->n == 0 ? hint : joint_hint(t->reset, hint);
	t->saw_reset |= hint == RESET_YES;
	t->saw_no_reset |= hint == RESET_NO;
}

static void load_first(struct tally *t, const struct histogram *h, double factor)
{
	double *custom = ARENA_ARRAY(t->arena, h->n_custom, double);

	part_load(t->arena, &t->all, h);
	if (h->n_custom > 0)
		memcpy(custom, h->custom, h->n_custom * sizeof *custom);
	t->all.custom = custom;         /* the tally may outlive <h> */
	if (factor != 1)
		tally_scale(t, factor);
}

static bool cells_would_overflow(const struct cells *to, const struct cells *from)
{
	for (size_t i = 0, k = 0; k < from->n; k++) {
		while (i < to->n && to->index[i] < from->index[k])
			i++;
		if (isinf(from->v[k].v + (i < to->n && to->index[i] == from->index[k] ? to->v[i].v : 0)))
			return true;
	}
	return false;
}

static bool would_overflow(const struct tally_part *p, const struct tally_part *q)
{
	return isinf(p->zero.v + q->zero.v) || isinf(p->count.v + q->count.v) || isinf(p->sum.v + q->sum.v) ||
	       cells_would_overflow(&p->pos, &q->pos) || cells_would_overflow(&p->neg, &q->neg);
}

enum tally_result tally_add(struct tally *t, const struct histogram *h, double factor)
{
	struct tally_part *p = &t->all, *q = &t->operand;

	if (t->n == 0) {
		load_first(t, h, factor);
	} else {
		if ((p->schema == HISTOGRAM_CUSTOM) != histogram_is_custom(h))
			return TALLY_UNLIKE;
		part_load(t->arena, q, h);
		t->reconciled |= make_alike(t->arena, p, q);
		if (t->careful && would_overflow(p, q))
			return TALLY_OVERFLOW;
		add(&p->zero, factor * q->zero.v, t->plain);
		add(&p->count, factor * q->count.v, t->plain);
		add(&p->sum, factor * q->sum.v, t->plain);
		cells_add(t->arena, &p->pos, &q->pos, factor, t->plain);
		cells_add(t->arena, &p->neg, &q->neg, factor, t->plain);
	}
	take_hint(t, h->reset);
	t->n++;
	return TALLY_ADDED;
}

typedef void (*change_fn)(struct sum *, double by);

static void change_all(struct tally_part *p, change_fn change, double by)
{
	change(&p->zero, by);
	change(&p->count, by);
	change(&p->sum, by);
	for (size_t i = 0; i < p->pos.n; i++)
		change(&p->pos.v[i], by);
	for (size_t i = 0; i < p->neg.n; i++)
		change(&p->neg.v[i], by);
}

static void scale(struct sum *s, double by)
{
	s->v *= by;
	s->c *= by;
}

static void divide(struct sum *s, double by)
{
	s->v /= by;
	s->c /= by;
}

void tally_scale(struct tally *t, double factor)
{
	change_all(&t->all, scale, factor);
}

void tally_divide(struct tally *t, double by)
{
	change_all(&t->all, divide, by);
}

static struct histogram_side cells_side(struct arena *a, const struct cells *c)
{
	struct side_maker m = side_maker_new(a, c->n);

	for (size_t i = 0; i < c->n; i++)
		side_put(&m, c->index[i], sum_value(&c->v[i]));
	return side_made(&m);
}

struct histogram *tally_histogram(const struct tally *t, struct arena *a)
{
	const struct tally_part *p = &t->all;
	struct histogram *h = ARENA_NEW(a, struct histogram);
	double *custom = ARENA_ARRAY(a, p->n_custom, double);

	if (p->n_custom > 0)
		memcpy(custom, p->custom, p->n_custom * sizeof *custom);
	*h = (struct histogram){ .schema = p->schema, .reset = t->reset, .zero_threshold = p->zero_threshold,
	                         .zero_count = sum_value(&p->zero), .count = sum_value(&p->count), .sum = sum_value(&p->sum),
	                         .pos = cells_side(a, &p->pos), .neg = cells_side(a, &p->neg),
	                         .custom = custom, .n_custom = p->n_custom };
	return h;
}

/* ---- resets ---- */

/* Some cell of <before> holds more than that of <now>. */
static bool went_down(const struct cells *before, const struct cells *now)
{
	for (size_t i = 0, k = 0; i < before->n; i++) {
		double have = 0;

		while (k < now->n && now->index[k] < before->index[i])
			k++;
		if (k < now->n && now->index[k] == before->index[i])
			have = now->v[k].v;
		else if (before->v[i].v != 0)
			return true;
		if (have < before->v[i].v)
			return true;
	}
	return false;
}

/* Resolution rises and the zero bucket shrinks only when a counter begins anew. */
static bool is_finer(const struct tally_part *now, const struct tally_part *before)
{
	return now->schema > before->schema || now->zero_threshold < before->zero_threshold;
}

static bool buckets_went_down(struct arena *scratch, struct tally_part *was, struct tally_part *is)
{
	if (is->schema == HISTOGRAM_CUSTOM) {
		make_alike(scratch, was, is);
	} else {
		if (is_finer(is, was))
			return true;
		if (was->zero_threshold < is->zero_threshold)
			widen_zero(was, is->zero_threshold);
		if (was->zero_threshold != is->zero_threshold || is->zero.v < was->zero.v)
			return true;
		reduce_resolution(was, is->schema);
	}
	return went_down(&was->pos, &is->pos) || went_down(&was->neg, &is->neg);
}

bool tally_shows_reset(struct arena *scratch, const struct histogram *before, const struct histogram *now)
{
	struct arena_mark mark = arena_mark(scratch);
	struct tally_part was = { 0 }, is = { 0 };
	bool reset;

	if (now->count < before->count || histogram_is_custom(now) != histogram_is_custom(before))
		return true;
	part_load(scratch, &was, before);
	part_load(scratch, &is, now);
	reset = buckets_went_down(scratch, &was, &is);
	arena_rewind(scratch, mark);
	return reset;
}
