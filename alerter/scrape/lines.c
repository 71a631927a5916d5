/* The memory of a target's replies: its lines, and the order in which they stood. What the target had before the start comes from the
 * store, as lines without a text until one is read for them: so its first reply is judged like any other. Lines keep their place while a reply is read,
 * and those of dropped ones are used again; behind a reply that was not as the one before they are put in its order. */
#include <assert.h>
#include <stdlib.h>

#include "scrape/take.h"
#include "tocsin/mem.h"

/* Sorted by series. */
struct known_line {
	const struct store_series *series;
	uint32_t place;
};

struct line *line_next(const struct target *t, const struct line *after)
{
	size_t i = after != NULL ? (size_t)(after - t->lines) + 1 : 0;

	while (i < t->n_places && !t->lines[i].used)
		i++;
	return i < t->n_places ? &t->lines[i] : NULL;
}

uint32_t line_place(const struct target *t, const struct line *l)
{
	return (uint32_t)(l - t->lines);
}

/* Of the <i>th line of the last reply. */
static uint32_t place_at(const struct target *t, size_t i)
{
	return t->order != NULL ? t->order[i] : (uint32_t)i;
}

static struct line *line_at(const struct target *t, size_t i)
{
	return &t->lines[place_at(t, i)];
}

/* ---- By text: only where a reply is not as the last one was ---- */

static void put_text(struct take *k, uint32_t place)
{
	struct line_texts *x = &k->env->texts;
	size_t mask = x->cap - 1, i = k->t->lines[place].hash & mask;

	while (x->v[i] != 0)
		i = (i + 1) & mask;
	x->v[i] = place + 1;
	x->n++;
}

/* Where in the last order each line stands. */
static void collect_places(struct take *k)
{
	struct line_texts *x = &k->env->texts;

	x->n_at = k->t->n_places;
	x->at = mem_grow(x->at, &x->at_cap, x->n_at + 1, sizeof *x->at);
	memset(x->at, 0, x->n_at * sizeof *x->at);
	for (size_t i = 0; i < k->t->n_order; i++)
		x->at[place_at(k->t, i)] = (uint32_t)i + 1;
}

/* Every line with a text, in a table with room for as many more. */
static void collect_texts(struct take *k)
{
	struct line_texts *x = &k->env->texts;
	size_t cap = 64;

	while (cap < 2 * (k->t->n_lines + 1))
		cap *= 2;
	if (cap != x->cap) {
		free(x->v);
		x->v = mem_alloc(cap * sizeof *x->v);
		x->cap = cap;
	} else {
		memset(x->v, 0, cap * sizeof *x->v);
	}
	x->n = 0;
	for (const struct line *l = NULL; (l = line_next(k->t, l)) != NULL;)
		if (!l->textless && !l->orphan)
			put_text(k, line_place(k->t, l));
	collect_places(k);
	k->has_texts = true;
}

void line_texts_fini(struct line_texts *x)
{
	free(x->v);
	free(x->at);
	free(x->next);
	*x = (struct line_texts){ 0 };
}

static void add_text(struct take *k, uint32_t place)
{
	if ((k->env->texts.n + 1) * 4 > k->env->texts.cap * 3)
		collect_texts(k);
	else
		put_text(k, place);
}

static uint16_t kept_length(struct str text)
{
	return text.n < LINE_LONG ? (uint16_t)text.n : LINE_LONG;
}

static struct line *find_text(struct take *k, struct str text, uint64_t hash)
{
	const struct line_texts *x = &k->env->texts;

	if (!k->has_texts)
		collect_texts(k);
	for (size_t i = hash & (x->cap - 1); x->v[i] != 0; i = (i + 1) & (x->cap - 1)) {
		struct line *l = &k->t->lines[x->v[i] - 1];

		if (l->hash == hash && l->n == kept_length(text))
			return l;
	}
	return NULL;
}

void target_forget_texts(struct target *t)
{
	t->n_order = 0;
	for (struct line *l = NULL; (l = line_next(t, l)) != NULL;)
		l->orphan = true;
}

/* ---- Lines ---- */

/* Mostly a target goes on with as many as its first reply had: so there is little room for more. */
static void make_room(struct target *t)
{
	enum { PART = 32, AT_LEAST = 8 };

	if (t->n_places < t->lines_cap)
		return;
	t->lines_cap += t->lines_cap / PART + AT_LEAST;
	t->lines = mem_realloc(t->lines, t->lines_cap * sizeof *t->lines);
}

static struct line *line_make(struct target *t)
{
	struct line *l;

	if (t->unused > 0) {
		l = &t->lines[t->unused - 1];
		t->unused = l->next_unused;
	} else {
		assert(t->n_places < UINT32_MAX);
		make_room(t);
		l = &t->lines[t->n_places++];
	}
	*l = (struct line){ .used = true };
	t->n_lines++;
	return l;
}

static struct line *line_new(struct take *k, struct str text, uint64_t hash)
{
	struct line *l = line_make(k->t);

	l->hash = hash;
	l->n = kept_length(text);
	l->fresh = true;
	add_text(k, line_place(k->t, l));
	return l;
}

static int by_series(const void *a, const void *b)
{
	uintptr_t l = (uintptr_t)((const struct known_line *)a)->series, r = (uintptr_t)((const struct known_line *)b)->series;

	return (l > r) - (l < r);
}

static struct known_line *find_known(const struct target *t, const struct store_series *series)
{
	const struct known_line key = { .series = series };

	return t->n_known_left > 0 ? bsearch(&key, t->known, t->n_known, sizeof key, by_series) : NULL;
}

void line_drop(struct target *t, struct store *store, struct line *l)
{
	if (l->part)
		nhcb_detach(t, line_place(t, l));
	if (l->textless && --t->n_known_left == 0) {
		free(t->known);
		t->known = NULL;
	}
	t->n_live -= l->live;
	t->n_lost -= l->lost;
	t->meta_ages |= l->comment;
	health_unmark(t, l);
	store_series_unref(store, near_get(l->series));
	*l = (struct line){ .next_unused = t->unused };
	t->unused = line_place(t, l) + 1;
	t->n_lines--;
}

static struct line *find(struct take *k, struct str text, uint64_t hash)
{
	struct line *l = find_text(k, text, hash);
	const struct line_texts *x = &k->env->texts;

	if (l == NULL)
		return line_new(k, text, hash);
	if (line_place(k->t, l) < x->n_at && x->at[line_place(k->t, l)] > 0)
		k->pos = x->at[line_place(k->t, l)];
	return l;
}

struct line *line_find(struct take *k, struct str text)
{
	return find(k, text, str_hash_seeded(text, k->env->seed));
}

struct line *line_of_series(struct take *k, struct str text)
{
	struct line *l = k->pos < k->t->n_order ? line_at(k->t, k->pos) : NULL;
	uint64_t hash = str_hash_seeded(text, k->env->seed);

	if (l == NULL || l->comment || l->hash != hash || l->n != kept_length(text))
		return find(k, text, hash);
	k->pos++;
	return l;
}

/* A target's series were last touched a scrape ago: what comes soon is asked for now. */
static void warm_ahead(const struct take *k)
{
	enum { AHEAD = 8 };

	if (k->pos + AHEAD < k->t->n_order)
		store_append_warm(line_series(k->t, line_at(k->t, k->pos + AHEAD)));
}

struct line *line_expected(struct take *k, bool comment, struct str *text)
{
	struct line *l = k->pos < k->t->n_order ? line_at(k->t, k->pos) : NULL;

	if (l == NULL || l->comment != comment || l->n == LINE_LONG || !textparse_reaches(&k->parse, l->n))
		return NULL;
	*text = (struct str){ k->parse.p, l->n };
	if (str_hash_seeded(*text, k->env->seed) != l->hash)
		return NULL;
	k->parse.p += l->n;
	k->pos++;
	warm_ahead(k);
	return l;
}

void line_see(struct take *k, struct line *l)
{
	l->fresh = l->fresh && l->seen == 0;
	l->seen = (uint16_t)k->t->scrape_no;
}

bool line_is_seen(const struct target *t, const struct line *l)
{
	return l->seen == (uint16_t)t->scrape_no;
}

/* Of numbers with the same lower half there is one at a time, since lines forget theirs when a round of halves is over. */
void target_count_scrape(struct target *t)
{
	if ((uint16_t)++t->scrape_no != 0)
		return;
	t->scrape_no++;
	for (struct line *l = NULL; (l = line_next(t, l)) != NULL;) {
		l->fresh = l->fresh && l->seen == 0;
		l->seen = 0;
	}
}

bool line_is_new(const struct target *t, const struct line *l)
{
	return l->fresh && (l->seen == 0 || line_is_seen(t, l));
}

/* The order of last time is kept until the first line that breaks it. */
void take_set_next(struct take *k, struct line *l)
{
	struct line_texts *x = &k->env->texts;
	const struct target *t = k->t;

	if (!k->reordered && k->pos > 0 && k->pos <= t->n_order && k->n_next == k->pos - 1 && line_at(t, k->pos - 1) == l) {
		k->n_next++;
		return;
	}
	x->next = mem_grow_tight(x->next, &x->next_cap, k->n_next + 1, sizeof *x->next);
	for (size_t i = 0; !k->reordered && i < k->n_next; i++)
		x->next[i] = place_at(t, i);
	k->reordered = true;
	x->next[k->n_next++] = line_place(t, l);
}

/* Whether lines can be put in the order of the reply: none stands there twice, and nobody knows them by their places. */
static bool can_sort(const struct take *k)
{
	const struct target *t = k->t;
	size_t n_seen = 0;

	for (const struct line *l = NULL; (l = line_next(t, l)) != NULL;)
		n_seen += line_is_seen(t, l);
	return n_seen == k->n_next && t->known == NULL && t->parts.n == 0;
}

/* Those that the reply has not are behind the others. */
static void sort_lines(struct take *k)
{
	struct target *t = k->t;
	struct line *sorted = mem_alloc(t->n_lines * sizeof *sorted);
	size_t n = k->n_next;

	for (size_t i = 0; i < k->n_next; i++)
		sorted[i] = t->lines[k->env->texts.next[i]];
	for (const struct line *l = NULL; (l = line_next(t, l)) != NULL;)
		if (!line_is_seen(t, l))
			sorted[n++] = *l;
	free(t->lines);
	t->lines = sorted;
	t->n_places = t->lines_cap = t->n_lines;
	t->unused = 0;
}

void take_finish_order(struct take *k)
{
	struct target *t = k->t;

	t->n_order = k->n_next;
	if (!k->reordered)
		return;
	free(t->order);
	t->order = NULL;
	if (can_sort(k))
		sort_lines(k);
	else
		t->order = memcpy(mem_alloc(k->n_next * sizeof *t->order), k->env->texts.next, k->n_next * sizeof *t->order);
}

/* ---- What the target had before the start ---- */

void target_claim(struct target *t, struct target_env *env)
{
	struct arena a = { 0 };
	size_t n;
	const struct store_claim *v = store_claim(env->store, t->owner, &a, &n);

	t->claimed = true;
	t->known = mem_alloc(n * sizeof *t->known);
	for (size_t i = 0; i < n; i++) {
		struct line *l;

		if (target_reports(t, v[i].series)) {
			store_series_unref(env->store, v[i].series);
			continue;
		}
		l = line_make(t);
		l->series = near_to(v[i].series);
		l->textless = true;
		l->live = !v[i].lost;
		l->lost = v[i].lost;
		t->n_live += l->live;
		t->n_lost += l->lost;
		health_mark(t, env, l, store_series_labels(env->store, v[i].series, &a));
		t->known[t->n_known++] = (struct known_line){ v[i].series, line_place(t, l) };
	}
	t->n_known_left = t->n_known;
	if (t->n_known > 1)
		qsort(t->known, t->n_known, sizeof *t->known, by_series);
	arena_fini(&a);
}

/* One that was dropped stays in the list: then its place is another's, or nobody's. */
void line_take_over_known(struct take *k, struct line *l)
{
	const struct known_line *found = find_known(k->t, line_series(k->t, l));
	struct line *known = found != NULL ? &k->t->lines[found->place] : NULL;

	if (known == NULL || !known->textless || line_series(k->t, known) != line_series(k->t, l))
		return;
	l->fresh = false;
	l->live = known->live;
	l->lost = known->lost;
	k->t->n_live += l->live;
	k->t->n_lost += l->lost;
	line_drop(k->t, k->env->store, known);
}
