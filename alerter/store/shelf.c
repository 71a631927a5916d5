/* Shelves: made from blocks, read by their rows. See shelf.h. */
#include "store/shelf.h"

#include <stdlib.h>

#include "store/internal.h"
#include "store/packed.h"
#include "tocsin/mem.h"

enum { SHELVES_BYTES = 64 << 20, MISSES_BEFORE = 2, SHELF_ROWS = 64 };
#define NO_COLUMN UINT32_MAX

/* A series' chunk. NO_COLUMN: the shelf does not know. */
struct shelf_row {
	struct packed_line line;
	uint32_t at; /* of its values */
	uint32_t column;
	uint8_t v_bits, decimals;
	bool falls, ends; /* ends: with a stale marker */
};

/* Times that rows share: of windows within (from_ms, until_ms) a row has all there is. */
struct shelf_column {
	int64_t from_ms, until_ms, first_ms;
	const int64_t *t_ms;     /* NULL: they are those of the line, as mostly */
	struct packed_line line;
	double per_ms;           /* samples, on average */
	uint8_t n;               /* a stale marker too */
};

struct shelf {
	size_t refs;         /* under the lock of the shelves, as is used_ms */
	int64_t used_ms;
	uint64_t changes;    /* of the list of blocks it was made from */
	size_t n, n_columns, cap_columns, bytes;
	struct shelf_row *rows;
	struct shelf_column *columns;
	struct buf values;
	struct arena arena; /* columns */
};

/* What a window is of a column: samples [beg, end). */
struct shelf_cut {
	uint8_t beg, end;
	enum { CUT_UNSET, CUT_SET, CUT_OUTSIDE } kind : 8;
};

/* By column, of one window. */
struct shelf_cuts {
	int64_t min_ms, max_ms;
	struct shelf_cut v[];
};

void shelves_init(struct shelves *s)
{
	*s = (struct shelves){ .bytes = 0 };
	pthread_mutex_init(&s->lock, NULL);
}

void shelves_fini(struct shelves *s)
{
	pthread_mutex_destroy(&s->lock);
}

/* ---- Making one ---- */

/* The only chunk that has something of a window, and the window's farthest bounds for which that is so. */
struct found {
	struct block *block;
	uint32_t entry;
	size_t n;
	int64_t from_ms, until_ms;
};

static void look_in_block(struct found *f, struct block *b, uint32_t series, int64_t min_ms, int64_t max_ms)
{
	uint32_t first = block_first(b, series), n = block_n_entries(b, series);

	for (uint32_t i = first; i < first + n; i++) {
		struct block_entry c = block_entry(b, i);

		if (c.max_ms <= min_ms) {
			f->from_ms = c.max_ms > f->from_ms ? c.max_ms : f->from_ms;
		} else if (c.min_ms > max_ms) {
			f->until_ms = c.min_ms < f->until_ms ? c.min_ms : f->until_ms;
		} else {
			f->block = b;
			f->entry = i;
			f->n++;
		}
	}
}

static struct found look(const struct block_list *list, const struct store_series *s, struct labels labels, int64_t min_ms,
                         int64_t max_ms)
{
	struct found f = { .from_ms = INT64_MIN, .until_ms = INT64_MAX };

	for (size_t i = 0; i < list->n; i++) {
		struct block *b = list->v[i];
		uint32_t series;

		if (!series_is_at(s, b, &series))
			series = block_find(b, labels, series_hash(labels));
		if (series != BLOCK_NONE)
			look_in_block(&f, b, series, min_ms, max_ms);
	}
	return f;
}

struct maker {
	struct shelf *shelf;
	struct map columns; /* number + 1 of a column, by what tells it from others */
	struct arena keys;
};

static void set_times(struct shelf_column *c, const struct packed *p, struct arena *a)
{
	int64_t *t_ms = p->head.t_bits == 0 ? NULL : ARENA_ARRAY(a, p->n, int64_t);

	for (unsigned i = 0; i < p->n && t_ms != NULL; i++)
		t_ms[i] = packed_time(p, i);
	c->t_ms = t_ms;
	c->line = p->head.t;
	c->n = (uint8_t)p->n;
	c->first_ms = packed_time(p, 0);
	c->per_ms = p->n > 1 ? (p->n - 1) / (double)((uint64_t)packed_time(p, p->n - 1) - (uint64_t)c->first_ms) : 0;
}

static uint32_t add_column(struct maker *m, const struct found *f, const struct packed *p)
{
	struct {
		const unsigned char *times;
		int64_t from_ms, until_ms;
	} key = { p != NULL ? p->t_rows : NULL, f->from_ms, f->until_ms };
	const struct str text = { (const char *)&key, sizeof key };
	struct shelf *s = m->shelf;
	uintptr_t known = (uintptr_t)map_get(&m->columns, text);
	struct shelf_column c = { .from_ms = f->from_ms, .until_ms = f->until_ms };

	if (known != 0)
		return (uint32_t)known - 1;
	if (p != NULL)
		set_times(&c, p, &s->arena);
	s->columns = arena_grow(&s->arena, s->columns, s->n_columns, &s->cap_columns, s->n_columns + 1, sizeof *s->columns);
	s->columns[s->n_columns++] = c;
	map_put(&m->columns, arena_str(&m->keys, text), (void *)s->n_columns);
	return (uint32_t)s->n_columns - 1;
}

/* Values that lie apart from their times, which those of a block do. */
static bool can_be_kept(const struct packed *p)
{
	return (p->is_dense || p->v_first == 0) && packed_at_most_ended(p);
}

static struct shelf_row make_row(struct maker *m, const struct found *f)
{
	struct shelf_row row = { .column = NO_COLUMN };
	struct buf *values = &m->shelf->values;
	unsigned char wide[PACKED_MAX_BYTES];
	struct chunk_view c;
	struct packed p;

	if (f->n == 0)
		row.column = add_column(m, f, NULL);
	if (f->n != 1 || !block_chunk(f->block, f->entry, &c) || (c.kind != CHUNK_PACKED && c.kind != CHUNK_DENSE) || !chunk_open(&c, &p) ||
	    !can_be_kept(&p))
		return row;
	packed_widen(&p, wide);
	row = (struct shelf_row){ p.head.v, (uint32_t)values->n, add_column(m, f, &p), p.head.v_bits, p.head.decimals, p.head.n_falls > 0,
		                  p.head.n_stale > 0 };
	buf_put(values, p.v_rows, ((size_t)p.n * p.v_step + 7) / 8);
	return row;
}

static bool is_cut(const struct block_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (atomic_load(&list->v[i]->cut))
			return true;
	return false;
}

static void shelf_free(struct shelf *s)
{
	free(s->rows);
	buf_fini(&s->values);
	arena_fini(&s->arena);
	free(s);
}

/* NULL: it would take too much, or a block is not all there. */
static struct shelf *make(struct store *st, const struct view *view, int64_t min_ms, int64_t max_ms)
{
	static const char slack[PACKED_SLACK];
	struct shelf *s = mem_alloc(sizeof *s);
	struct maker m = { .shelf = s };
	struct block_list *list;
	bool good;

	s->changes = atomic_load(&st->history.changes);
	list = history_take(&st->history);
	s->rows = mem_alloc(view->n * sizeof *s->rows);
	for (good = list != NULL; s->n < view->n && good; s->n++) {
		struct found f = look(list, view->series[s->n], view->labels[s->n], min_ms, max_ms);

		s->rows[s->n] = make_row(&m, &f);
		s->bytes = s->n * sizeof *s->rows + s->values.n + s->arena.total_bytes;
		good = s->bytes <= SHELVES_BYTES;
	}
	buf_put(&s->values, slack, sizeof slack);
	s->values.p = mem_realloc(s->values.p, s->values.cap = s->values.n);    /* it grew by halves */
	good = good && !is_cut(list) && atomic_load(&st->history.changes) == s->changes;
	block_list_unref(list);
	map_fini(&m.columns);
	arena_fini(&m.keys);
	if (good)
		return s;
	shelf_free(s);
	return NULL;
}

/* ---- Giving it out ---- */

/* Under the lock. */
static void unref(struct shelves *all, struct shelf *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	all->bytes -= s->bytes;
	shelf_free(s);
}

void shelf_drop(struct store *st, struct snapshot *s, int64_t unless_used_since_ms)
{
	struct shelves *all = &st->shelves;

	pthread_mutex_lock(&all->lock);
	if (s->shelf != NULL && (s->shelf->used_ms < unless_used_since_ms || s->shelf->changes != atomic_load(&st->history.changes))) {
		unref(all, s->shelf);
		s->shelf = NULL;
	}
	pthread_mutex_unlock(&all->lock);
}

static struct shelf *take(struct store *st, struct snapshot *s)
{
	struct shelf *found;

	pthread_mutex_lock(&st->shelves.lock);
	found = s->shelf;
	if (found != NULL && found->changes != atomic_load(&st->history.changes))
		found = NULL;
	if (found != NULL) {
		found->refs++;
		found->used_ms = clock_now_ms(st->options.clock);
	}
	pthread_mutex_unlock(&st->shelves.lock);
	return found;
}

/* Instead of the one there is. */
static void put(struct store *st, struct snapshot *s, struct shelf *new)
{
	struct shelves *all = &st->shelves;

	pthread_mutex_lock(&all->lock);
	unref(all, s->shelf);
	s->shelf = NULL;
	if (new->bytes <= SHELVES_BYTES - all->bytes) {
		all->bytes += new->bytes;
		new->refs = 1;
		s->shelf = new;
		new = NULL;
	}
	pthread_mutex_unlock(&all->lock);
	if (new != NULL)
		shelf_free(new);
}

void shelf_attach(struct store *st, struct store_selection *sel, int64_t min_ms, int64_t max_ms)
{
	struct snapshot *s = sel->view.snapshot;
	struct shelf *new = NULL;

	if (atomic_load(&s->missed) >= MISSES_BEFORE * sel->view.n && atomic_exchange(&s->missed, 0) > 0)
		new = make(st, &sel->view, min_ms, max_ms);
	if (new != NULL) {
		COUNT(st, shelves_made, 1);
		shelf_detach(st, sel);
		put(st, s, new);
	}
	if (sel->shelf == NULL)
		sel->shelf = take(st, s);
}

void shelf_detach(struct store *st, struct store_selection *sel)
{
	if (sel->shelf == NULL)
		return;
	pthread_mutex_lock(&st->shelves.lock);
	unref(&st->shelves, sel->shelf);
	pthread_mutex_unlock(&st->shelves.lock);
	sel->shelf = NULL;
	sel->cuts = NULL;
}

/* ---- Reading ---- */

static int64_t time_at(const struct shelf_column *c, unsigned i)
{
	return c->t_ms != NULL ? c->t_ms[i] : packed_on_line(&c->line, i);
}

/* Most scrapes are as far apart as the others, so this is off by little, and what a search would touch is not touched. */
static unsigned guess(const struct shelf_column *c, int64_t t_ms)
{
	double at = t_ms < c->first_ms ? 0 : (double)((uint64_t)t_ms - (uint64_t)c->first_ms) * c->per_ms;

	return at < c->n ? (unsigned)at : c->n;
}

static uint8_t until(const struct shelf_column *c, int64_t t_ms)
{
	unsigned i = guess(c, t_ms);

	while (i < c->n && time_at(c, i) <= t_ms)
		i++;
	while (i > 0 && time_at(c, i - 1) > t_ms)
		i--;
	return (uint8_t)i;
}

static const struct shelf_cut *cut_of(struct store_selection *sel, uint32_t column)
{
	static const struct shelf_cut outside = { .kind = CUT_OUTSIDE };
	int64_t min_ms = sel->cuts->min_ms, max_ms = sel->cuts->max_ms;
	const struct shelf_column *c;
	struct shelf_cut *cut;

	if (column == NO_COLUMN)
		return &outside;
	c = &sel->shelf->columns[column];
	cut = &sel->cuts->v[column];
	if (cut->kind == CUT_UNSET && min_ms >= c->from_ms && max_ms < c->until_ms)
		*cut = (struct shelf_cut){ until(c, min_ms), until(c, max_ms), CUT_SET };
	else if (cut->kind == CUT_UNSET)
		cut->kind = CUT_OUTSIDE;
	return cut;
}

static void want_window(struct store_selection *sel, int64_t min_ms, int64_t max_ms)
{
	size_t bytes = sizeof *sel->cuts + sel->shelf->n_columns * sizeof *sel->cuts->v;

	if (sel->cuts == NULL)
		sel->cuts = arena_alloc(&sel->arena, bytes);
	else if (sel->cuts->min_ms == min_ms && sel->cuts->max_ms == max_ms)
		return;
	else
		memset(sel->cuts, 0, bytes);
	sel->cuts->min_ms = min_ms;
	sel->cuts->max_ms = max_ms;
}

static void warm(const struct shelf *s, const struct shelf_row *r, const struct shelf_cut *cut, bool last_only)
{
	const char *values = s->values.p + r->at;

	if (!last_only)
		mem_warm(values + cut->beg * r->v_bits / 8);
	mem_warm(values + cut->end * r->v_bits / 8);
}

static double value_at(const struct shelf *s, const struct shelf_row *r, unsigned i)
{
	const unsigned char *values = (const unsigned char *)s->values.p + r->at;
	double v = packed_above(&r->line, i, values, (size_t)i * r->v_bits, r->v_bits);

	return r->decimals == 0 ? v : v / packed_unit(r->decimals);
}

static void row_ends(const struct shelf *s, const struct shelf_row *r, const struct shelf_cut *cut, bool last_only, struct window_ends *out)
{
	const struct shelf_column *c = &s->columns[r->column];
	bool ended = r->ends && cut->end == c->n && cut->beg < cut->end;
	unsigned beg = cut->beg, end = cut->end - (unsigned)ended;

	out->known = true;
	out->falls = r->falls;
	out->ended = ended;
	out->n = end > beg ? end - beg : 0;
	if (out->n == 0)
		return;
	out->first_ms = time_at(c, beg);
	out->last_ms = time_at(c, end - 1);
	out->last = value_at(s, r, end - 1);
	out->first = last_only ? out->last : value_at(s, r, beg);
}

/* Returns how many rows another shelf might have told of. */
static size_t some_ends(struct store_selection *sel, size_t row, size_t n, bool last_only, struct window_ends *out)
{
	const struct shelf_row *rows = sel->shelf->rows + row;
	const struct shelf_cut *cuts[SHELF_ROWS];
	size_t missed = 0;

	for (size_t i = 0; i < n; i++) {
		cuts[i] = i > 0 && rows[i].column == rows[i - 1].column ? cuts[i - 1] : cut_of(sel, rows[i].column);
		if (cuts[i]->kind == CUT_SET)
			warm(sel->shelf, &rows[i], cuts[i], last_only);
	}
	for (size_t i = 0; i < n; i++) {
		out[i].known = false;
		if (cuts[i]->kind == CUT_SET)
			row_ends(sel->shelf, &rows[i], cuts[i], last_only, &out[i]);
		else
			missed += rows[i].column != NO_COLUMN;
	}
	return missed;
}

void shelf_ends(struct store_selection *sel, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only, struct window_ends *out)
{
	size_t have = sel->shelf == NULL || row >= sel->shelf->n ? 0 : sel->shelf->n - row, missed;

	have = n < have ? n : have;
	missed = n - have;
	if (have > 0)
		want_window(sel, min_ms, max_ms);
	for (size_t i = 0; i < have; i += SHELF_ROWS)
		missed += some_ends(sel, row + i, have - i < SHELF_ROWS ? have - i : SHELF_ROWS, last_only, out + i);
	for (size_t i = have; i < n; i++)
		out[i].known = false;
	if (missed > 0)
		atomic_fetch_add_explicit(&sel->view.snapshot->missed, missed, memory_order_relaxed);
}
