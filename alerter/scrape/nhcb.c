/* Classic histograms put together: the lines x_bucket, x_sum and x_count of one label set become one native histogram x with custom buckets.
 * Each such line has a part, found by its place, that leads to its group; a group lives while it has parts. Source: Prometheus
 * documentation, "convert_classic_histograms_to_nhcb". */
#include <math.h>
#include <stdlib.h>

#include "scrape/native.h"
#include "scrape/take.h"
#include "tocsin/mem.h"

struct bucket {
	double bound, count; /* cumulative */
};

struct group {
	size_t refs;
	uint64_t seen; /* number of the scrape that the rest is of */
	struct bucket *v;
	size_t n, cap;
	double sum, count;
	bool has_count, rising, has_t;
	int64_t t_ms;
	size_t n_text;
	char text[]; /* of the series, as a line has it */
};

enum role { ROLE_BUCKET, ROLE_SUM, ROLE_COUNT };

struct part {
	uint32_t place; /* of its line */
	struct group *group;
	enum role role;
	double bound;
};

static struct str group_text(const struct group *g)
{
	return (struct str){ g->text, g->n_text };
}

/* The key in target.parts. */
static struct str place_key(const uint32_t *place)
{
	return (struct str){ (const char *)place, sizeof *place };
}

/* ---- Who belongs to what ---- */

static bool find_role(const struct target *t, struct labels l, struct part *p, struct str *base)
{
	static const struct {
		struct str suffix;
		enum role role;
	} roles[] = { { { "_bucket", 7 }, ROLE_BUCKET }, { { "_sum", 4 }, ROLE_SUM }, { { "_count", 6 }, ROLE_COUNT } };
	struct str metric = labels_get(l, STR(LABEL_NAME));

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		const struct target_meta *m;

		if (!str_ends(metric, roles[i].suffix))
			continue;
		p->role = roles[i].role;
		*base = (struct str){ metric.p, metric.n - roles[i].suffix.n };
		m = map_get(&t->meta, *base);
		if (m == NULL || m->type == NULL || !str_eq(str_of(m->type), STR("histogram")))
			return false;
		return p->role != ROLE_BUCKET || (str_to_decimal(labels_get(l, STR("le")), &p->bound) && !isnan(p->bound));
	}
	return false;
}

static struct group *find_group(struct target *t, struct labels l, struct str base, struct arena *a)
{
	struct buf text = { 0 };
	struct group *g;

	labels_print(&text, labels_with(a, labels_without(a, l, STR("le")), STR(LABEL_NAME), base));
	g = map_get(&t->groups, buf_str(&text));
	if (g == NULL) {
		g = mem_alloc(sizeof *g + text.n);
		g->n_text = text.n;
		memcpy(g->text, text.p, text.n);
		map_put(&t->groups, group_text(g), g);
	}
	buf_fini(&text);
	return g;
}

bool nhcb_attach(struct target *t, struct line *l, struct labels scraped, struct arena *a)
{
	struct part own = { .place = line_place(t, l) }, *p;
	struct str base;

	if (l->part || !find_role(t, scraped, &own, &base))
		return l->part;
	p = mem_alloc(sizeof *p);
	*p = own;
	p->group = find_group(t, scraped, base, a);
	p->group->refs++;
	map_put(&t->parts, place_key(&p->place), p);
	l->part = true;
	return true;
}

static void group_free(struct group *g)
{
	free(g->v);
	free(g);
}

void nhcb_detach(struct target *t, uint32_t place)
{
	struct part *p = map_del(&t->parts, place_key(&place));

	if (--p->group->refs == 0) {
		map_del(&t->groups, group_text(p->group));
		group_free(p->group);
	}
	free(p);
}

void nhcb_free(struct target *t)
{
	for (struct map_slot *s = NULL; (s = map_next(&t->parts, s)) != NULL;)
		free(s->value);
	for (struct map_slot *s = NULL; (s = map_next(&t->groups, s)) != NULL;)
		group_free(s->value);
	map_fini(&t->parts);
	map_fini(&t->groups);
}

/* ---- Samples ---- */

static void begin(struct group *g, uint64_t scrape_no)
{
	g->seen = scrape_no;
	g->n = 0;
	g->sum = g->count = 0;
	g->has_count = g->has_t = false;
	g->rising = true;
}

static void put_bucket(struct group *g, double bound, double count)
{
	g->v = mem_grow(g->v, &g->cap, g->n + 1, sizeof *g->v);
	g->v[g->n] = (struct bucket){ bound, count };
	g->rising &= g->n == 0 || bound > g->v[g->n - 1].bound;
	g->n++;
}

void nhcb_put(struct take *k, const struct line *l, const struct textparse_sample *s)
{
	uint32_t place = line_place(k->t, l);
	const struct part *p = map_get(&k->t->parts, place_key(&place));
	struct group *g = p->group;
	if (g->seen != k->t->scrape_no)
		begin(g, k->t->scrape_no);
	g->has_t = s->has_t;
	g->t_ms = s->t_ms;
	switch (p->role) {
	case ROLE_BUCKET:
		put_bucket(g, p->bound, s->v);
		break;
	case ROLE_SUM:
		g->sum = s->v;
		break;
	case ROLE_COUNT:
		g->count = s->v;
		g->has_count = true;
		break;
	}
}

static int by_bound(const void *a, const void *b)
{
	double x = ((const struct bucket *)a)->bound, y = ((const struct bucket *)b)->bound;

	return (x > y) - (x < y);
}

/* False when the buckets are no histogram: counts that fall, or another one in all. */
static bool complete(struct group *g)
{
	double before = 0;

	if (!g->rising)
		qsort(g->v, g->n, sizeof *g->v, by_bound);
	if (!g->has_count && g->n > 0)
		g->count = g->v[g->n - 1].count;
	if (g->n == 0 || !isinf(g->v[g->n - 1].bound))
		put_bucket(g, (double)INFINITY, g->count);
	for (size_t i = 0; i < g->n; i++) {
		if (!(g->v[i].count >= before) || (i > 0 && g->v[i].bound == g->v[i - 1].bound))
			return false;
		before = g->v[i].count;
	}
	return before == g->count;
}

static struct histogram *convert(const struct group *g, struct arena *a)
{
	const struct histogram_span all = { 0, (uint32_t)g->n };
	struct histogram *h = ARENA_NEW(a, struct histogram);
	double *counts = ARENA_ARRAY(a, g->n, double), *bounds = ARENA_ARRAY(a, g->n, double);

	for (size_t i = 0; i < g->n; i++) {
		bounds[i] = g->v[i].bound;
		counts[i] = g->v[i].count - (i > 0 ? g->v[i - 1].count : 0);
	}
	*h = (struct histogram){ .schema = HISTOGRAM_CUSTOM, .count = g->count, .sum = g->sum, .custom = bounds,
		                 .n_custom = (uint32_t)g->n - 1 };
	h->pos = native_without_empty(a, &(struct histogram_side){ &all, counts, 1, (uint32_t)g->n });
	return h;
}

static bool finish_group(struct take *k, struct group *g, struct arena *a)
{
	struct textparse_sample s = { .v = (double)NAN, .has_t = g->has_t, .t_ms = g->t_ms };
	int64_t limit = k->t->job->bucket_limit;

	if (!complete(g))
		return true;
	arena_reset(a);
	s.h = convert(g, a);
	if (limit > 0 && s.h->pos.n_buckets > limit)
		return err_set(&k->err, ERR_LIMIT, -1, "native_histogram_bucket_limit exceeded: %u custom buckets (limit %lld)", s.h->pos.n_buckets,
		               (long long)limit);
	k->n_made++;
	return take_sample(k, line_find(k, group_text(g)), group_text(g), &s);
}

bool nhcb_finish(struct take *k)
{
	struct arena a = { 0 };
	bool ok = true;

	for (struct map_slot *s = NULL; ok && (s = map_next(&k->t->groups, s)) != NULL;) {
		struct group *g = s->value;

		if (g->seen == k->t->scrape_no)
			ok = finish_group(k, g, &a);
	}
	arena_fini(&a);
	return ok;
}
