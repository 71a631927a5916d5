/* Series of blocks and the index. A block has its series by their hashes: they are looked up by these, some at a time, each half of them by a
 * thread; those that are new are made afterwards. */
#include "store/join.h"

#include <assert.h>
#include <stdlib.h>

#include "store/halves.h"
#include "store/internal.h"
#include "store/keyed.h"
#include "store/slab.h"
#include "tocsin/mem.h"

/* What the block knows of the end of a series counts while the head has nothing of it. A good sample is no later than the last one. */
static void note_good(struct store_series *s, const struct block *b, uint32_t i, int64_t last_ms)
{
	int64_t known_ms = series_good_ms(s), good_ms = last_ms >= known_ms ? block_good_ms(b, i) : INT64_MIN;

	if (good_ms < known_ms)
		return;
	series_set_good(s, good_ms);
	s->state = good_ms < last_ms ? SERIES_GONE : SERIES_FRESH;
}

/* Where to find the newest of a series. */
static void note_end(struct store *st, struct store_series *s, const struct block *b, uint32_t i)
{
	uint32_t n = block_n_entries(b, i);
	int64_t last_ms = block_entry(b, block_first(b, i) + (n > 0 ? n - 1 : 0)).max_ms;
	struct shard *shard = series_shard(st, s);

	pthread_mutex_lock(&shard->lock);
	if (s->left_out)
		memory_revive(st, s);
	if (series_place(s) == 0 || last_ms >= s->block_last_ms) {
		series_set_place(s, b, i);
		s->block_last_ms = last_ms;
	}
	if (s->from_history == FROM_BLOCKS)
		note_good(s, b, i, last_ms);
	pthread_mutex_unlock(&shard->lock);
}

void join_series(struct store *st, struct store_series *s, struct block *b, uint32_t i)
{
	b->joined[i / 8] |= (unsigned char)(1u << i % 8);
	b->n_joined++;
	assert(series_in_blocks(s) < BLOCKS_MOST); /* each block is a mapping, of which the kernel grants fewer */
	atomic_fetch_add(&s->blocks, BLOCKS_ONE);
	note_end(st, s, b, i);
}

/* Some series of a block; memory is asked for what they need together. Of their hashes the index needs the upper half. */
enum { JOIN_AT_ONCE = 64 };
struct joining {
	uint32_t n;
	uint32_t series[JOIN_AT_ONCE];
	uint64_t hash[JOIN_AT_ONCE];
};

static void read_hashes(const struct block *b, struct joining *j)
{
	for (uint32_t i = 0; i < j->n; i++)
		j->hash[i] = (uint64_t)block_hash(b, j->series[i]) << 32;
}

/* A block that is joined. */
struct join {
	struct store *st;
	struct block *b;
	uint32_t *numbers; /* of its symbols in the index; SYMBOL_NONE: not known. None changes: symbols go with what maintenance drops */
	struct resting resting;
	struct keyed *new; /* series that the index does not know, and that do not rest, by what brings them beside others like them */
	size_t n_new[2], second; /* those of the first half lie at the beginning, the others from <second> on */
};

static bool goes_on_resting(const struct join *x, uint32_t series)
{
	const struct resting *r = &x->resting;

	return r->all ||
	       (r->until_ms != INT64_MIN && rest_goes_on(x->st, r->later, r->n_later, x->b, series, r->until_ms));
}

/* Not all at once: who has a new series waits for the lock. A number stays its text's, for nobody else drops any meanwhile. */
static void find_numbers(struct join *x)
{
	enum { AT_ONCE = 4096 };

	x->numbers = mem_alloc(x->b->n_symbols * sizeof *x->numbers);
	for (size_t i = 0; i < x->b->n_symbols;) {
		size_t end = x->b->n_symbols - i < AT_ONCE ? x->b->n_symbols : i + AT_ONCE;

		pthread_rwlock_rdlock(&x->st->index_lock);
		for (; i < end; i++)
			x->numbers[i] = symbols_find(&x->st->index.symbols, block_symbol(x->b, i));
		pthread_rwlock_unlock(&x->st->index_lock);
	}
}

static uint32_t number_of(const struct join *x, uint32_t symbol)
{
	return symbol < x->b->n_symbols ? x->numbers[symbol] : SYMBOL_NONE;
}

/* The labels of a series by the numbers of the index. Returns how many; 0: some are not known, or the block has texts only. */
static size_t read_pairs(const struct join *x, uint32_t series, struct symbol_pair *v)
{
	size_t n = block_pairs(x->b, series, v);

	for (size_t k = 0; k < n; k++) {
		v[k] = (struct symbol_pair){ number_of(x, v[k].name), number_of(x, v[k].value) };
		if (v[k].name == SYMBOL_NONE || v[k].value == SYMBOL_NONE)
			return 0;
	}
	return n;
}

/* What is not known by numbers is looked for by texts: its symbols may have come since. */
static struct store_series *find(const struct join *x, uint32_t series, uint64_t hash)
{
	const struct index *index = &x->st->index;
	struct symbol_pair pairs[STORE_MAX_LABELS];
	struct label v[STORE_MAX_LABELS];
	size_t n;

	if (!index_may_have(index, hash))
		return NULL;
	n = read_pairs(x, series, pairs);
	return n > 0 ? index_find_pairs(index, pairs, n, hash) : index_find(index, block_labels(x->b, series, v), hash);
}

/* Returns how many are behind the <n_new> of <new> now. */
static size_t join_known_ones(const struct join *x, struct joining *j, struct keyed *new, size_t n_new)
{
	struct store *st = x->st;

	read_hashes(x->b, j);
	pthread_rwlock_rdlock(&st->index_lock);
	index_warm(&st->index, j->hash, j->n);
	for (uint32_t i = 0; i < j->n; i++) {
		struct store_series *s = find(x, j->series[i], j->hash[i]);

		if (s != NULL)
			join_series(st, s, x->b, j->series[i]);
		else if (!goes_on_resting(x, j->series[i]))
			new[n_new++] = (struct keyed){ block_kinship(x->b, j->series[i]), j->series[i] };
	}
	pthread_rwlock_unlock(&st->index_lock);
	return n_new;
}

static void join_half(void *ctx, size_t beg, size_t end)
{
	struct join *x = ctx;
	struct keyed *new = x->new != NULL ? x->new + beg : NULL;
	struct joining j;
	size_t n_new = 0;

	for (size_t i = beg; i < end; i += j.n) {
		for (j.n = 0; j.n < JOIN_AT_ONCE && i + j.n < end; j.n++)
			j.series[j.n] = (uint32_t)(i + j.n);
		n_new = join_known_ones(x, &j, new, n_new);
	}
	x->n_new[beg > 0] = n_new;
	if (beg > 0)
		x->second = beg;
}

static void warm(struct store *st, const struct joining *j)
{
	pthread_rwlock_rdlock(&st->index_lock);
	index_warm(&st->index, j->hash, j->n);
	pthread_rwlock_unlock(&st->index_lock);
}

static void learn_number(struct join *x, uint32_t symbol, uint32_t number)
{
	if (symbol < x->b->n_symbols && str_eq(block_symbol(x->b, symbol), symbols_text(&x->st->index.symbols, number)))
		x->numbers[symbol] = number;
}

/* Of the symbols of a series that the index has got. */
static void learn_numbers(struct join *x, uint32_t series, const struct store_series *s)
{
	struct symbol_pair theirs[STORE_MAX_LABELS], ours[STORE_MAX_LABELS];
	size_t n = block_pairs(x->b, series, theirs);

	index_pairs(&x->st->index, s, ours);
	for (size_t k = 0; k < n && k < index_n_pairs(&x->st->index, s); k++) {
		learn_number(x, theirs[k].name, ours[k].name);
		learn_number(x, theirs[k].value, ours[k].value);
	}
}

static struct store_series *make(struct join *x, uint32_t series, uint64_t hash)
{
	struct symbol_pair pairs[STORE_MAX_LABELS];
	struct label v[STORE_MAX_LABELS];
	size_t n = read_pairs(x, series, pairs);
	struct store_series *s;

	if (n > 0) {
		s = store_series_make_pairs(x->st, pairs, n, hash);
	} else {
		s = store_series_make(x->st, block_labels(x->b, series, v), hash);
		learn_numbers(x, series, s);
	}
	s->from_history = FROM_BLOCKS;
	return s;
}

/* Returns how many the store does not take. */
static size_t join_new_ones(struct join *x, struct joining *j)
{
	struct store *st = x->st;
	size_t refused = 0;

	read_hashes(x->b, j);
	block_warm_labels(x->b, j->series, j->n);
	warm(st, j);
	for (uint32_t i = 0; i < j->n; i++) {
		struct store_series *s;

		pthread_rwlock_wrlock(&st->index_lock);
		s = find(x, j->series[i], j->hash[i]);
		if (s == NULL && st->index.n_series < st->options.max_series)
			s = make(x, j->series[i], j->hash[i]);
		if (s != NULL)
			join_series(st, s, x->b, j->series[i]);
		pthread_rwlock_unlock(&st->index_lock);
		refused += s == NULL;
	}
	return refused;
}

/* A block has its series by their hashes. New ones are made beside those like them, which are asked for together: then they lie in few
 * pages. */
static size_t join_families(struct join *x)
{
	size_t refused = 0, n_new = x->n_new[0] + x->n_new[1];
	struct joining j;

	if (x->n_new[1] > 0)
		memmove(x->new + x->n_new[0], x->new + x->second, x->n_new[1] * sizeof *x->new);
	keyed_sort(x->new, n_new);
	pthread_rwlock_wrlock(&x->st->index_lock);
	index_reserve(&x->st->index, n_new);
	slab_expect(n_new * sizeof(struct store_series));
	pthread_rwlock_unlock(&x->st->index_lock);
	for (size_t i = 0; i < n_new; i += j.n) {
		for (j.n = 0; j.n < JOIN_AT_ONCE && i + j.n < n_new; j.n++)
			j.series[j.n] = (uint32_t)x->new[i + j.n].value;
		refused += join_new_ones(x, &j);
	}
	return refused;
}

/* Halves share no byte of what is joined. */
size_t join_block(struct store *st, struct block *b, struct resting resting)
{
	struct join x = { .st = st, .b = b, .resting = resting, .new = resting.all ? NULL : mem_alloc((b->n_series + 1) * sizeof *x.new) };
	size_t refused;

	b->serial = ++st->history.last_serial;
	b->count_bad = &st->count.chunks_damaged;
	b->joined = mem_alloc(b->n_series / 8 + 1);
	find_numbers(&x);
	halves_do(b->n_series, JOIN_AT_ONCE, join_half, &x);
	refused = join_families(&x);
	block_drop_hashes(b);
	free(x.new);
	free(x.numbers);
	return refused;
}

void join_undo(struct store *st, const struct block *b)
{
	struct label v[STORE_MAX_LABELS];

	pthread_rwlock_wrlock(&st->index_lock);
	rest_count(st);
	pthread_rwlock_unlock(&st->index_lock);
	for (uint32_t i = 0; i < b->n_series; i++) {
		struct store_series *s;
		struct labels labels;

		if (!block_is_joined(b, i))
			continue;
		labels = block_labels(b, i, v);
		pthread_rwlock_rdlock(&st->index_lock);
		s = index_find(&st->index, labels, series_hash(labels));
		if (s != NULL)
			atomic_fetch_sub(&s->blocks, BLOCKS_ONE);
		pthread_rwlock_unlock(&st->index_lock);
	}
}
