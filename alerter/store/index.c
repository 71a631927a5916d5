/* Finding series. A selection starts from the smallest set a matcher gives (equality, a list of literals, else the values a regex
 * matches), and tests the rest label by label; a regex is run once for each distinct value. */
#include "store/index.h"

#include <assert.h>
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"
#include "tocsin/regex.h"

struct posting {
	struct symbol_pair key;
	size_t at; /* place in its name's list */
	struct slot_set slots;
};

struct posting_name {
	uint32_t name;
	struct posting **v;
	size_t n, cap;
};

void index_init(struct index *x)
{
	*x = (struct index){ 0 };
	symbols_init(&x->symbols);
	symbols_init(&x->shapes);
}

void index_fini(struct index *x)
{
	for (struct map_slot *s = NULL; (s = map_next(&x->postings, s)) != NULL;) {
		slot_set_fini(&((struct posting *)s->value)->slots);
		free(s->value);
	}
	for (struct map_slot *s = NULL; (s = map_next(&x->names, s)) != NULL;) {
		free(((struct posting_name *)s->value)->v);
		free(s->value);
	}
	map_fini(&x->postings);
	map_fini(&x->names);
	symbols_fini(&x->symbols);
	symbols_fini(&x->shapes);
	free(x->series);
	free(x->free_slots.v);
	free(x->table);
}

static struct str key_of(const void *p, size_t n)
{
	return (struct str){ p, n };
}

/* ---- Pairs: numbers in as many bytes as they need, seven bits each. First that of the shape, which has the names: many series have the
 * same. Then those of the values. ---- */

static unsigned char *put_number(unsigned char *p, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

static const unsigned char *get_number(const unsigned char *p, uint32_t *v)
{
	*v = *p & 0x7f;
	for (unsigned shift = 7; (*p++ & 0x80) != 0; shift += 7)
		*v |= (uint32_t)(*p & 0x7f) << shift;
	return p;
}

/* The pairs that are left. */
struct pairs {
	const unsigned char *names, *values;
	uint32_t n;
};

static struct pairs pairs_of(const struct index *x, const struct store_series *s)
{
	uint32_t shape;
	struct pairs left = { .values = get_number(s->pairs, &shape) };

	left.names = get_number((const unsigned char *)symbols_text(&x->shapes, shape).p, &left.n);
	return left;
}

size_t index_n_pairs(const struct index *x, const struct store_series *s)
{
	return pairs_of(x, s).n;
}

static struct symbol_pair take_pair(struct pairs *left)
{
	struct symbol_pair pair;

	left->names = get_number(left->names, &pair.name);
	left->values = get_number(left->values, &pair.value);
	left->n--;
	return pair;
}

/* What the last series had there. */
static struct symbol_pair recent_pair(const struct index *x, size_t at)
{
	return at < INDEX_RECENT && x->recent[at] != NULL ? x->recent[at]->key : (struct symbol_pair){ SYMBOL_NONE, SYMBOL_NONE };
}

static uint32_t refer(struct index *x, struct str text, uint32_t perhaps)
{
	return symbols_ref_again(&x->symbols, perhaps, text) ? perhaps : symbols_ref(&x->symbols, text);
}

static uint32_t refer_shape(struct index *x, struct str names)
{
	if (!symbols_ref_again(&x->shapes, x->recent_shape, names))
		x->recent_shape = symbols_ref(&x->shapes, names);
	return x->recent_shape;
}

static size_t encode(struct index *x, const struct symbol_pair *v, size_t n, unsigned char *out)
{
	unsigned char names[INDEX_ENCODED_MOST], *end = put_number(names, (uint32_t)n), *p = out;

	assert(n <= STORE_MAX_LABELS);
	for (size_t i = 0; i < n; i++)
		end = put_number(end, v[i].name);
	p = put_number(p, refer_shape(x, key_of(names, (size_t)(end - names))));
	for (size_t i = 0; i < n; i++)
		p = put_number(p, v[i].value);
	return (size_t)(p - out);
}

size_t index_encode(struct index *x, struct labels labels, unsigned char out[INDEX_ENCODED_MOST])
{
	struct symbol_pair v[STORE_MAX_LABELS];

	assert(labels.n <= STORE_MAX_LABELS);
	for (size_t i = 0; i < labels.n; i++) {
		v[i].name = refer(x, labels.v[i].name, recent_pair(x, i).name);
		v[i].value = refer(x, labels.v[i].value, recent_pair(x, i).value);
	}
	return encode(x, v, labels.n, out);
}

size_t index_encode_pairs(struct index *x, const struct symbol_pair *v, size_t n, unsigned char out[INDEX_ENCODED_MOST])
{
	for (size_t i = 0; i < n; i++) {
		symbols_ref_number(&x->symbols, v[i].name);
		symbols_ref_number(&x->symbols, v[i].value);
	}
	return encode(x, v, n, out);
}

void index_pairs(const struct index *x, const struct store_series *s, struct symbol_pair *v)
{
	struct pairs left = pairs_of(x, s);

	while (left.n > 0)
		*v++ = take_pair(&left);
}

size_t index_pairs_bytes(const struct index *x, const struct store_series *s)
{
	struct pairs left = pairs_of(x, s);

	while (left.n > 0)
		(void)take_pair(&left);
	return (size_t)(left.values - s->pairs);
}

struct labels index_labels(const struct index *x, const struct store_series *s, struct label *v)
{
	struct pairs left = pairs_of(x, s);
	size_t n = left.n;

	for (size_t i = 0; i < n; i++) {
		struct symbol_pair pair = take_pair(&left);

		v[i] = (struct label){ symbols_text(&x->symbols, pair.name), symbols_text(&x->symbols, pair.value) };
	}
	return (struct labels){ v, n };
}

static bool has_labels(const struct index *x, const struct store_series *s, struct labels l)
{
	struct pairs left = pairs_of(x, s);

	if (left.n != l.n)
		return false;
	for (size_t i = 0; i < l.n; i++) {
		struct symbol_pair pair = take_pair(&left);

		if (!str_eq(symbols_text(&x->symbols, pair.name), l.v[i].name) ||
		    !str_eq(symbols_text(&x->symbols, pair.value), l.v[i].value))
			return false;
	}
	return true;
}

static bool has_pairs(const struct index *x, const struct store_series *s, const struct symbol_pair *v, size_t n)
{
	struct pairs left = pairs_of(x, s);
	bool same = left.n == n;

	for (size_t i = 0; same && i < n; i++) {
		struct symbol_pair pair = take_pair(&left);

		same = pair.name == v[i].name && pair.value == v[i].value;
	}
	return same;
}

/* ---- The table. Who looks for a series passes others in it, and should not have to look at them: bits of the hash say which it can be. ---- */

static size_t home_of(const struct index *x, uint32_t hash)
{
	return (size_t)((uint64_t)hash * x->table_cap >> INDEX_HASH_BITS);
}

static size_t behind(const struct index *x, size_t i)
{
	return i + 1 < x->table_cap ? i + 1 : 0;
}

static uint32_t slot_at(const struct index *x, size_t i)
{
	return (x->table[i] & ((UINT32_C(1) << x->slot_bits) - 1)) - 1;
}

/* Whether the entry can be of this hash. */
static bool can_be(const struct index *x, size_t i, uint32_t hash)
{
	return (x->table[i] ^ hash << x->slot_bits) >> x->slot_bits == 0;
}

/* The next series of this hash from the place <*i> on, which is moved behind it; NULL: there is none. */
static struct store_series *next_of(const struct index *x, uint32_t hash, size_t *i)
{
	while (x->table_cap > 0 && x->table[*i] != 0) {
		struct store_series *s = can_be(x, *i, hash) ? index_at(x, slot_at(x, *i)) : NULL;

		*i = behind(x, *i);
		if (s != NULL && s->hash == hash)
			return s;
	}
	return NULL;
}

struct store_series *index_find(const struct index *x, struct labels labels, uint64_t hash)
{
	size_t i = home_of(x, index_hash(hash));
	struct store_series *s;

	while ((s = next_of(x, index_hash(hash), &i)) != NULL && !has_labels(x, s, labels))
		;
	return s;
}

struct store_series *index_find_pairs(const struct index *x, const struct symbol_pair *v, size_t n, uint64_t hash)
{
	size_t i = home_of(x, index_hash(hash));
	struct store_series *s;

	while ((s = next_of(x, index_hash(hash), &i)) != NULL && !has_pairs(x, s, v, n))
		;
	return s;
}

bool index_may_have(const struct index *x, uint64_t hash)
{
	size_t i = home_of(x, index_hash(hash));

	return next_of(x, index_hash(hash), &i) != NULL;
}

/* The first entry that can be of this hash; of an empty one there is none. */
static size_t first_guess(const struct index *x, uint32_t hash)
{
	size_t i = home_of(x, hash);

	while (x->table[i] != 0 && !can_be(x, i, hash))
		i = behind(x, i);
	return i;
}

void index_warm(const struct index *x, const uint64_t *hashes, size_t n)
{
	if (x->table_cap == 0)
		return;
	for (size_t i = 0; i < n; i++)
		mem_warm(&x->table[home_of(x, index_hash(hashes[i]))]);
	for (size_t i = 0; i < n; i++) {
		size_t at = first_guess(x, index_hash(hashes[i]));

		if (x->table[at] != 0)
			mem_warm(&x->series[slot_at(x, at)]);
	}
	for (size_t i = 0; i < n; i++) {
		size_t guess = first_guess(x, index_hash(hashes[i]));
		const char *s = x->table[guess] != 0 ? (const char *)index_at(x, slot_at(x, guess)) : NULL;

		for (size_t at = 0; s != NULL && at <= sizeof(struct store_series); at += 64)
			mem_warm(s + at);
	}
}

static void table_put(struct index *x, uint32_t slot)
{
	uint32_t hash = index_at(x, slot)->hash;
	size_t i = home_of(x, hash);

	while (x->table[i] != 0)
		i = behind(x, i);
	x->table[i] = hash << x->slot_bits | (slot + 1);
}

/* Where in the table it is. */
static size_t place_of(const struct index *x, const struct store_series *s)
{
	size_t i = home_of(x, s->hash);

	while (!can_be(x, i, s->hash) || index_at(x, slot_at(x, i)) != s)
		i = behind(x, i);
	return i;
}

uint32_t index_slot(const struct index *x, const struct store_series *s)
{
	return slot_at(x, place_of(x, s));
}

/* Four fifths of it are used at most, and nearly two thirds at least. There are never more slots than entries, so a slot's number fits. */
void index_reserve(struct index *x, size_t n)
{
	if ((x->n_series + n) * 5 <= x->table_cap * 4)
		return;
	free(x->table);
	while ((x->n_series + n) * 5 > x->table_cap * 4)
		x->table_cap += x->table_cap / 4 + 64;
	x->slot_bits = 1;
	while (x->table_cap >> x->slot_bits != 0)
		x->slot_bits++;
	assert(x->slot_bits < 32);
	x->table = mem_alloc(x->table_cap * sizeof *x->table);
	for (size_t i = 0; i < x->n_slots; i++)
		if (index_at(x, i) != NULL)
			table_put(x, (uint32_t)i);
}

/* From place <from> to <to>, forwards. */
static size_t way(const struct index *x, size_t from, size_t to)
{
	return to >= from ? to - from : to + x->table_cap - from;
}

/* Later entries of the run move back, so there are no tombstones. */
static void table_del(struct index *x, const struct store_series *s)
{
	size_t hole = place_of(x, s);

	for (size_t i = behind(x, hole); x->table[i] != 0; i = behind(x, i)) {
		size_t home = home_of(x, index_at(x, slot_at(x, i))->hash);

		if (way(x, home, i) < way(x, hole, i))
			continue;
		x->table[hole] = x->table[i];
		hole = i;
	}
	x->table[hole] = 0;
}

static struct posting_name *name_of(struct index *x, uint32_t name)
{
	struct posting_name *n = map_get(&x->names, key_of(&name, sizeof name));

	if (n == NULL) {
		n = mem_alloc(sizeof *n);
		n->name = name;
		map_put(&x->names, key_of(&n->name, sizeof n->name), n);
	}
	return n;
}

static struct posting *posting_of(struct index *x, struct symbol_pair pair)
{
	struct posting *p = map_get(&x->postings, key_of(&pair, sizeof pair));
	struct posting_name *n;

	if (p != NULL)
		return p;
	n = name_of(x, pair.name);
	p = mem_alloc(sizeof *p);
	p->key = pair;
	p->at = n->n;
	n->v = mem_grow(n->v, &n->cap, n->n + 1, sizeof(struct posting *));
	n->v[n->n++] = p;
	map_put(&x->postings, key_of(&p->key, sizeof p->key), p);
	return p;
}

/* <at>: its place among the pairs of its series. */
static struct posting *posting_again(struct index *x, uint32_t at, struct symbol_pair pair)
{
	struct posting *p = at < INDEX_RECENT ? x->recent[at] : NULL;

	if (p == NULL || p->key.name != pair.name || p->key.value != pair.value)
		p = posting_of(x, pair);
	if (at < INDEX_RECENT)
		x->recent[at] = p;
	return p;
}

static void posting_drop(struct index *x, struct posting *p)
{
	struct posting_name *n = name_of(x, p->key.name);

	for (size_t i = 0; i < INDEX_RECENT; i++)
		if (x->recent[i] == p)
			x->recent[i] = NULL;
	n->v[p->at] = n->v[--n->n];
	n->v[p->at]->at = p->at;
	map_del(&x->postings, key_of(&p->key, sizeof p->key));
	slot_set_fini(&p->slots);
	free(p);
	if (n->n > 0)
		return;
	map_del(&x->names, key_of(&n->name, sizeof n->name));
	free(n->v);
	free(n);
}

void index_add(struct index *x, struct store_series *s)
{
	struct pairs left = pairs_of(x, s);
	uint32_t n = left.n, slot;

	index_reserve(x, 1);
	if (x->free_slots.n > 0) {
		slot = x->free_slots.v[--x->free_slots.n];
	} else {
		assert(x->n_slots < UINT32_MAX - 1);
		x->series = mem_grow_tight(x->series, &x->cap, x->n_slots + 1, sizeof *x->series);
		slot = (uint32_t)x->n_slots++;
	}
	x->series[slot] = near_to(s);
	for (uint32_t i = 0; i < n; i++)
		slot_set_add(&posting_again(x, i, take_pair(&left))->slots, slot);
	table_put(x, slot);
	x->n_series++;
}

static void unpost(struct index *x, const struct store_series *s, uint32_t slot)
{
	struct pairs left = pairs_of(x, s);

	while (left.n > 0) {
		struct symbol_pair pair = take_pair(&left);
		struct posting *p = map_get(&x->postings, key_of(&pair, sizeof pair));

		slot_set_remove(&p->slots, slot);
		if (p->slots.n == 0)
			posting_drop(x, p);
	}
}

void index_remove(struct index *x, const struct slots *dead)
{
	for (size_t i = 0; i < dead->n; i++) {
		struct store_series *s = index_at(x, dead->v[i]);

		unpost(x, s, dead->v[i]);
		table_del(x, s);
		x->series[dead->v[i]] = near_to(NULL);
		slots_push(&x->free_slots, dead->v[i]);
	}
	x->n_series -= dead->n;
}

void index_forget(struct index *x, struct store_series *s)
{
	struct pairs left = pairs_of(x, s);
	uint32_t shape;

	while (left.n > 0) {
		struct symbol_pair pair = take_pair(&left);

		symbols_unref(&x->symbols, pair.name);
		symbols_unref(&x->symbols, pair.value);
	}
	(void)get_number(s->pairs, &shape);
	symbols_unref(&x->shapes, shape);
}

/* ---- Matching ---- */

enum { UNTESTED, TESTED_NO, TESTED_YES };

struct filter { /* a matcher, with what it said about each value */
	const struct matcher *m;
	uint32_t name;
	bool takes_empty;
	unsigned char *said; /* by symbol; NULL until needed */
};

struct index_search {
	struct filter *filters;
	size_t n;
	uint64_t last_id;
	const struct filter *by; /* whose values are still to be looked at; NULL: none */
	uint32_t *values;
	size_t n_values, at_value;
	struct slots slots; /* of candidates: some may be empty by now, or have newer series */
	size_t at;
};

struct candidates {
	const struct slot_set *set; /* NULL: <slots> */
	struct slots slots;
	bool all;
};

static const struct posting *find_posting(const struct index *x, uint32_t name, struct str value)
{
	struct symbol_pair pair = { name, symbols_find(&x->symbols, value) };

	if (name == SYMBOL_NONE || pair.value == SYMBOL_NONE)
		return NULL;
	return map_get(&x->postings, key_of(&pair, sizeof pair));
}

/* A series has one value a name, so the parts of a union are disjoint. */
static void union_of_literals(const struct index *x, const struct filter *f, const struct str *texts, size_t n, struct slots *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct posting *p = find_posting(x, f->name, texts[i]);
		bool twice = false;

		for (size_t k = 0; k < i && !twice; k++)
			twice = str_eq(texts[i], texts[k]);
		if (p != NULL && !twice)
			slot_set_list(&p->slots, out);
	}
}

/* Takes <slots>, or <set>, if they are fewer. */
static void take_if_fewer(struct candidates *c, const struct slot_set *set, struct slots slots)
{
	size_t had = c->set != NULL ? c->set->n : c->slots.n, has = set != NULL ? set->n : slots.n;

	if (!c->all && had <= has) {
		free(slots.v);
		return;
	}
	free(c->slots.v);
	*c = (struct candidates){ set, slots, false };
}

/* The smallest set that some matcher gives cheaply; <all> is left set when none does. */
static void pick_cheap(const struct index *x, const struct filter *f, size_t n, struct candidates *c)
{
	for (size_t i = 0; i < n; i++) {
		const struct matcher *m = f[i].m;
		const struct str *texts;
		size_t n_texts;

		if (f[i].takes_empty)
			continue;
		if (m->op == MATCH_EQ) {
			const struct posting *p = find_posting(x, f[i].name, m->value);

			take_if_fewer(c, p != NULL ? &p->slots : NULL, (struct slots){ 0 });
		} else if (m->op == MATCH_RE && (n_texts = regex_literals(m->re, &texts)) > 0) {
			struct slots some = { 0 };

			union_of_literals(x, &f[i], texts, n_texts, &some);
			take_if_fewer(c, NULL, some);
		}
	}
}

/* Without a cheap one: the values that one regex matches; else every series. */
static void pick_by_regex(const struct index *x, struct index_search *q)
{
	for (size_t i = 0; i < q->n && q->by == NULL; i++)
		if (!q->filters[i].takes_empty && q->filters[i].m->op == MATCH_RE)
			q->by = &q->filters[i];
	if (q->by != NULL) {
		const struct posting_name *n = q->by->name == SYMBOL_NONE ? NULL : map_get(&x->names, key_of(&q->by->name, sizeof q->by->name));

		q->n_values = n != NULL ? n->n : 0;
		q->values = mem_alloc(q->n_values * sizeof *q->values);
		for (size_t i = 0; i < q->n_values; i++)
			q->values[i] = n->v[i]->key.value;
		return;
	}
	for (uint32_t slot = 0; slot < x->n_slots; slot++)
		if (index_at(x, slot) != NULL)
			slots_push(&q->slots, slot);
}

static uint32_t value_of(const struct index *x, const struct store_series *s, uint32_t name)
{
	struct pairs left = pairs_of(x, s);

	while (left.n > 0) {
		struct symbol_pair pair = take_pair(&left);

		if (pair.name == name)
			return pair.value;
	}
	return SYMBOL_NONE;
}

static bool passes(const struct index *x, struct filter *f, const struct store_series *s, struct err *e)
{
	uint32_t value = f->name == SYMBOL_NONE ? SYMBOL_NONE : value_of(x, s, f->name);
	bool yes;

	if (value == SYMBOL_NONE)
		return f->takes_empty;
	if (f->said == NULL)
		f->said = mem_alloc(x->symbols.n);
	if (f->said[value] != UNTESTED)
		return f->said[value] == TESTED_YES;
	yes = matcher_test(f->m, symbols_text(&x->symbols, value), e);
	f->said[value] = yes ? TESTED_YES : TESTED_NO;
	return yes;
}

static bool passes_all(const struct index *x, struct filter *f, size_t n, const struct store_series *s, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!passes(x, &f[i], s, e))
			return false;
	return true;
}

struct index_search *index_search_new(const struct index *x, const struct matcher *m, size_t n, uint64_t last_id, struct err *e)
{
	struct index_search *q = mem_alloc(sizeof *q);
	struct candidates c = { .all = true };
	struct err limit = { 0 };

	q->filters = mem_alloc(n * sizeof *q->filters);
	q->last_id = last_id;
	for (q->n = 0; q->n < n && limit.code == ERR_NONE; q->n++)
		q->filters[q->n] = (struct filter){ &m[q->n], symbols_find(&x->symbols, m[q->n].name), matcher_test(&m[q->n], STR(""), &limit), NULL };
	if (limit.code != ERR_NONE) {
		*e = limit;
		index_search_free(q);
		return NULL;
	}
	pick_cheap(x, q->filters, n, &c);
	q->slots = c.slots;
	if (c.set != NULL)
		slot_set_list(c.set, &q->slots);
	else if (c.all)
		pick_by_regex(x, q);
	return q;
}

void index_search_free(struct index_search *q)
{
	for (size_t i = 0; i < q->n; i++)
		free(q->filters[i].said);
	free(q->filters);
	free(q->values);
	free(q->slots.v);
	free(q);
}

bool index_search_is_over(const struct index_search *q)
{
	return q->at_value == q->n_values && q->at == q->slots.n;
}

/* One that is there no more had only series that are not either. */
static void look_at_value(const struct index *x, struct index_search *q, uint32_t value, struct err *e)
{
	const struct symbol_pair pair = { q->by->name, value };
	const struct posting *p = map_get(&x->postings, key_of(&pair, sizeof pair));
	struct str text = p != NULL ? symbols_text(&x->symbols, value) : STR("");

	if (p != NULL && str_starts(text, regex_prefix(q->by->m->re)) && matcher_test(q->by->m, text, e))
		slot_set_list(&p->slots, &q->slots);
}

/* What is newer is the caller's to know. So no symbol of a series that is looked at has become another text since the search began. */
static void look_at_slot(const struct index *x, struct index_search *q, uint32_t slot, struct series_list *out, struct err *e)
{
	struct store_series *s = index_at(x, slot);

	if (s == NULL || s->id > q->last_id || !passes_all(x, q->filters, q->n, s, e) || e->code != ERR_NONE)
		return;
	out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof(struct store_series *));
	out->v[out->n++] = s;
}

bool index_search_step(const struct index *x, struct index_search *q, size_t most, struct series_list *out, struct err *e)
{
	struct err limit = { 0 };

	for (; most > 0 && limit.code == ERR_NONE && q->at_value < q->n_values; most--)
		look_at_value(x, q, q->values[q->at_value++], &limit);
	for (; most > 0 && limit.code == ERR_NONE && q->at < q->slots.n; most--)
		look_at_slot(x, q, q->slots.v[q->at++], out, &limit);
	if (limit.code != ERR_NONE)
		*e = limit;
	return limit.code == ERR_NONE;
}

/* ---- Looking around ---- */

void index_add_text(struct map *texts, struct str text, struct arena *a)
{
	if (text.n == 0 || map_get(texts, text) != NULL)
		return;
	text = arena_str(a, text);
	map_put(texts, text, (void *)(uintptr_t)text.p);
}

void index_add_names(const struct index *x, struct map *texts, struct arena *a)
{
	for (struct map_slot *s = NULL; (s = map_next(&x->names, s)) != NULL;)
		index_add_text(texts, symbols_text(&x->symbols, ((struct posting_name *)s->value)->name), a);
}

bool index_add_values(const struct index *x, struct str name, size_t from, size_t n, struct map *texts, struct arena *a)
{
	uint32_t id = symbols_find(&x->symbols, name);
	const struct posting_name *p = id == SYMBOL_NONE ? NULL : map_get(&x->names, key_of(&id, sizeof id));
	size_t i = from;

	for (; p != NULL && i < p->n && i < from + n; i++)
		index_add_text(texts, symbols_text(&x->symbols, p->v[i]->key.value), a);
	return p != NULL && i < p->n;
}

void index_each_pair(const struct index *x, void (*fn)(void *ctx, struct str name, struct str value, size_t n), void *ctx)
{
	for (struct map_slot *s = NULL; (s = map_next(&x->names, s)) != NULL;) {
		const struct posting_name *name = s->value;

		for (size_t i = 0; i < name->n; i++)
			fn(ctx, symbols_text(&x->symbols, name->name), symbols_text(&x->symbols, name->v[i]->key.value), name->v[i]->slots.n);
	}
}
