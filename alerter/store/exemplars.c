/* The ring of exemplars. Source: Prometheus documentation, "Exemplars storage". */
#include "store/exemplars.h"

#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

enum { LABELS_MAX_CHARS = 128 }; /* OpenMetrics: of names and values together */

struct exemplar_series {
	uint64_t id;
	struct labels labels; /* in one piece with its texts */
	struct exemplar_entry *first, *last;
	size_t n;
};

struct exemplar_entry {
	struct exemplar_series *series; /* NULL: free */
	struct exemplar_entry *next;    /* of the same series */
	struct store_exemplar value;    /* labels in one piece with their texts */
};

void exemplars_init(struct exemplars *x)
{
	*x = (struct exemplars){ 0 };
	pthread_mutex_init(&x->lock, NULL);
}

static struct str copy_text(char **to, struct str s)
{
	struct str out = { *to, s.n };

	if (s.n > 0)
		memcpy(*to, s.p, s.n);
	*to += s.n;
	return out;
}

static struct labels copy_labels(struct labels l)
{
	size_t bytes = l.n * sizeof(struct label);
	struct label *v;
	char *text;

	for (size_t i = 0; i < l.n; i++)
		bytes += l.v[i].name.n + l.v[i].value.n;
	v = mem_alloc(bytes + 1);
	text = (char *)(v + l.n);
	for (size_t i = 0; i < l.n; i++) {
		v[i].name = copy_text(&text, l.v[i].name);
		v[i].value = copy_text(&text, l.v[i].value);
	}
	return (struct labels){ v, l.n };
}

static void labels_free(struct labels l)
{
	free((void *)(uintptr_t)l.v);
}

static struct str key_of(const uint64_t *id)
{
	return (struct str){ (const char *)id, sizeof *id };
}

static void drop_oldest(struct exemplars *x)
{
	struct exemplar_entry *e = &x->ring[(x->at + x->max - x->n) % x->max];
	struct exemplar_series *s = e->series;

	s->first = e->next;
	labels_free(e->value.labels);
	*e = (struct exemplar_entry){ 0 };
	x->n--;
	if (--s->n > 0)
		return;
	map_del(&x->series, key_of(&s->id));
	labels_free(s->labels);
	free(s);
}

void exemplars_fini(struct exemplars *x)
{
	while (x->n > 0)
		drop_oldest(x);
	map_fini(&x->series);
	free(x->ring);
	pthread_mutex_destroy(&x->lock);
}

static void chain(struct exemplar_series *s, struct exemplar_entry *e)
{
	if (s->last != NULL && s->n > 0)
		s->last->next = e;
	else
		s->first = e;
	s->last = e;
	s->n++;
}

/* The newest stay. */
void store_set_max_exemplars(struct store *st, size_t max)
{
	struct exemplars *x = &st->exemplars;
	struct exemplar_entry *ring = max > 0 ? mem_alloc(max * sizeof *ring) : NULL;
	size_t n = 0;

	pthread_mutex_lock(&x->lock);
	if (max == x->max) {
		pthread_mutex_unlock(&x->lock);
		free(ring);
		return;
	}
	while (x->n > max)
		drop_oldest(x);
	for (struct map_slot *s = NULL; (s = map_next(&x->series, s)) != NULL;)
		((struct exemplar_series *)s->value)->n = 0;
	for (; n < x->n; n++) {
		ring[n] = x->ring[(x->at + x->max - x->n + n) % x->max];
		ring[n].next = NULL;
		chain(ring[n].series, &ring[n]);
	}
	free(x->ring);
	x->ring = ring;
	x->max = max;
	x->at = max > 0 ? n % max : 0;
	pthread_mutex_unlock(&x->lock);
}

static size_t count_chars(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool is_too_long(struct labels l)
{
	size_t chars = 0;

	for (size_t i = 0; i < l.n; i++)
		chars += count_chars(l.v[i].name) + count_chars(l.v[i].value);
	return chars > LABELS_MAX_CHARS;
}

/* A scrape shows the same one again and again. */
static bool is_news(const struct exemplar_series *s, const struct store_exemplar *e)
{
	const struct store_exemplar *last = &s->last->value;

	if (e->own_time && last->own_time && e->t_ms < last->t_ms)
		return false;
	return e->v != last->v || !labels_eq(e->labels, last->labels) || e->own_time != last->own_time || (e->own_time && e->t_ms != last->t_ms);
}

static struct exemplar_series *series_new(struct exemplars *x, uint64_t id, struct labels labels)
{
	struct exemplar_series *s = mem_alloc(sizeof *s);

	*s = (struct exemplar_series){ .id = id, .labels = copy_labels(labels) };
	map_put(&x->series, key_of(&s->id), s);
	return s;
}

static void put(struct exemplars *x, struct exemplar_series *s, const struct store_exemplar *e)
{
	struct exemplar_entry *to = &x->ring[x->at];

	*to = (struct exemplar_entry){ .series = s, .value = *e };
	to->value.labels = copy_labels(e->labels);
	chain(s, to);
	x->n++;
	x->at = (x->at + 1) % x->max;
}

void store_add_exemplar(struct store *st, struct store_series *series, const struct store_exemplar *e)
{
	struct exemplars *x = &st->exemplars;
	struct arena a = { 0 };
	uint64_t id = series->id;
	struct labels labels;
	struct exemplar_series *s;

	if (is_too_long(e->labels))
		return;
	pthread_mutex_lock(&x->lock);
	s = map_get(&x->series, key_of(&id));
	if (x->max == 0 || (s != NULL && !is_news(s, e))) {
		pthread_mutex_unlock(&x->lock);
		return;
	}
	pthread_mutex_unlock(&x->lock);
	labels = store_series_labels(st, series, &a); /* takes the index's lock */
	pthread_mutex_lock(&x->lock);
	if (x->max > 0) {
		if (x->n == x->max)
			drop_oldest(x);
		s = map_get(&x->series, key_of(&id));
		put(x, s != NULL ? s : series_new(x, id, labels), e);
		COUNT(st, exemplars_appended, 1);
	}
	pthread_mutex_unlock(&x->lock);
	arena_fini(&a);
}

void store_each_exemplars(struct store *st, store_exemplars_fn *fn, void *ctx)
{
	struct exemplars *x = &st->exemplars;
	struct store_exemplar *v = NULL;
	size_t cap = 0;

	pthread_mutex_lock(&x->lock);
	for (struct map_slot *slot = NULL; (slot = map_next(&x->series, slot)) != NULL;) {
		const struct exemplar_series *s = slot->value;
		size_t n = 0;

		v = mem_grow(v, &cap, s->n, sizeof *v);
		for (const struct exemplar_entry *e = s->first; n < s->n; e = e->next)
			v[n++] = e->value;
		fn(ctx, s->labels, v, n);
	}
	pthread_mutex_unlock(&x->lock);
	free(v);
}
