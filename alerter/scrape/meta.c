/* What a target says of its metrics: type, help, unit. As in Prometheus what was not said for ten scrapes is forgotten: a
 * comment that stays the same is not read again, so when some are gone all are read anew after ten scrapes, and what that one
 * does not say goes. A scrape that fails leaves nothing behind. */
#include <stdlib.h>

#include "scrape/take.h"
#include "tocsin/mem.h"

enum { ANEW_SCRAPES = 10 };

static void replace_text(char **to, struct str s)
{
	if (s.p == NULL || (*to != NULL && str_eq(str_of(*to), s)))
		return;
	free(*to);
	*to = mem_strndup(s.p, s.n);
}

void take_keep_meta(struct take *k, const struct textparse_meta *c)
{
	struct target_meta *m;

	if (c->metric.n == 0)
		return;
	pthread_mutex_lock(k->env->shared_lock);
	m = map_get(&k->t->meta, c->metric);
	if (m == NULL) {
		m = mem_alloc(sizeof *m);
		m->metric = mem_strndup(c->metric.p, c->metric.n);
		m->made = k->t->scrape_no;
		map_put(&k->t->meta, (struct str){ m->metric, c->metric.n }, m);
	}
	m->seen = k->t->scrape_no;
	replace_text(&m->type, c->type);
	replace_text(&m->help, c->help);
	replace_text(&m->unit, c->unit);
	pthread_mutex_unlock(k->env->shared_lock);
}

static void meta_free(struct target_meta *m)
{
	free(m->metric);
	free(m->type);
	free(m->help);
	free(m->unit);
	free(m);
}

void take_begin_meta(struct take *k)
{
	struct target *t = k->t;

	t->meta_anew = t->meta_ages && t->scrape_no - t->meta_read_no >= ANEW_SCRAPES;
}

static void sweep(struct target *t, bool good)
{
	struct map kept = { 0 };

	for (struct map_slot *s = NULL; (s = map_next(&t->meta, s)) != NULL;) {
		struct target_meta *m = s->value;

		if (good ? m->seen == t->scrape_no : m->made != t->scrape_no)
			map_put(&kept, s->key, m);
		else
			meta_free(m);
	}
	map_fini(&t->meta);
	t->meta = kept;
}

void take_finish_meta(struct take *k, bool good)
{
	struct target *t = k->t;

	if (good && !t->meta_anew)
		return;
	pthread_mutex_lock(k->env->shared_lock);
	sweep(t, good);
	pthread_mutex_unlock(k->env->shared_lock);
	if (!good)
		return;
	t->meta_ages = false;
	t->meta_read_no = t->scrape_no;
}

void target_meta_fini(struct target *t)
{
	for (struct map_slot *s = NULL; (s = map_next(&t->meta, s)) != NULL;)
		meta_free(s->value);
	map_fini(&t->meta);
}
