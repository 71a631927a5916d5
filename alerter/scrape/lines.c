/* The memory of a target's replies: its lines, and the order in which they stood. What the target had before the start comes from the
 * store, as lines without a text until one is read for them: so its first reply is judged like any other. */
#include <assert.h>
#include <stdlib.h>

#include "scrape/take.h"
#include "tocsin/mem.h"

void target_forget_texts(struct target *t)
{
	map_fini(&t->by_text);
	t->n_order = 0;
	for (size_t i = 0; i < t->n_lines; i++)
		t->lines[i]->orphan = true;
}

/* The key under which a line stands in target.known. */
static struct str series_key(const struct line *l)
{
	return (struct str){ (const char *)&l->series, sizeof l->series };
}

static struct line *line_make(struct target *t, struct str text)
{
	struct line *l = mem_alloc(sizeof *l + text.n + 1);

	memcpy(l->text, text.p, text.n);
	l->n = text.n;
	l->made = t->scrape_no;
	assert(t->n_lines < UINT32_MAX);
	l->place = (uint32_t)t->n_lines;
	t->lines = mem_grow(t->lines, &t->lines_cap, t->n_lines + 1, sizeof(struct line *));
	t->lines[t->n_lines++] = l;
	return l;
}

static struct line *line_new(struct target *t, struct str text)
{
	struct line *l = line_make(t, text);

	map_put(&t->by_text, line_text(l), l);
	return l;
}

void line_drop(struct target *t, struct store *store, struct line *l)
{
	if (l->textless)
		map_del(&t->known, series_key(l));
	else if (!l->orphan)
		map_del(&t->by_text, line_text(l));
	t->lines[l->place] = t->lines[--t->n_lines];
	t->lines[l->place]->place = l->place;
	t->n_live -= l->live;
	t->n_lost -= l->lost;
	store_series_unref(store, l->series);
	free(l);
}

struct line *line_find(struct take *k, struct str text)
{
	struct line *l = map_get(&k->t->by_text, text);

	if (l == NULL)
		l = line_new(k->t, text);
	else if (l->at < k->t->n_order && k->t->order[l->at] == l)
		k->pos = (size_t)l->at + 1;
	return l;
}

/* The order of last time is kept until the first line that breaks it. */
void take_set_next(struct take *k, struct line *l)
{
	struct target *t = k->t;

	if (!k->reordered && k->pos > 0 && k->pos <= t->n_order && k->n_next == k->pos - 1 && t->order[k->pos - 1] == l) {
		k->n_next++;
		return;
	}
	t->next_order = mem_grow(t->next_order, &t->next_cap, k->n_next + 1, sizeof(struct line *));
	if (!k->reordered && k->n_next > 0)
		memcpy(t->next_order, t->order, k->n_next * sizeof(struct line *));
	k->reordered = true;
	l->at = (uint32_t)k->n_next;
	t->next_order[k->n_next++] = l;
}

void take_finish_order(struct take *k)
{
	struct target *t = k->t;

	if (k->reordered) {
		struct line **v = t->order;
		size_t cap = t->order_cap;

		t->order = t->next_order;
		t->order_cap = t->next_cap;
		t->next_order = v;
		t->next_cap = cap;
	}
	t->n_order = k->n_next;
}

/* ---- What the target had before the start ---- */

void target_claim(struct target *t, struct target_env *env)
{
	struct arena a = { 0 };
	size_t n;
	const struct store_claim *v = store_claim(env->store, t->owner, &a, &n);

	t->claimed = true;
	for (size_t i = 0; i < n; i++) {
		struct line *l = line_make(t, STR(""));

		l->series = v[i].series;
		l->textless = true;
		l->live = !v[i].lost;
		l->lost = v[i].lost;
		t->n_live += l->live;
		t->n_lost += l->lost;
		l->health = target_is_health_gauge(env, store_series_labels(env->store, l->series, &a));
		map_put(&t->known, series_key(l), l);
	}
	arena_fini(&a);
}

/* The line goes on where the one without a text is. */
void line_take_over_known(struct take *k, struct line *l)
{
	struct line *known = map_get(&k->t->known, series_key(l));

	if (known == NULL)
		return;
	l->made = known->made;
	l->live = known->live;
	l->lost = known->lost;
	k->t->n_live += l->live;
	k->t->n_lost += l->lost;
	line_drop(k->t, k->env->store, known);
}
