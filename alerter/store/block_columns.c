/* Columns by content: a hash finds them, bytes decide. */
#include "store/block_columns.h"

#include <assert.h>
#include <stdlib.h>

#include "store/bits.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void block_columns_fini(struct block_columns *c)
{
	free(c->v);
	free(c->table);
	buf_fini(&c->times);
}

static struct str times_of(const struct block_columns *c, size_t i)
{
	size_t end = i + 1 < c->n ? c->v[i + 1].at : c->times.n;

	return (struct str){ c->times.p + c->v[i].at, end - c->v[i].at };
}

static bool is_same(const struct block_columns *c, size_t i, const struct block_new_column *column, struct str times)
{
	const struct block_new_column *had = &c->v[i];

	return had->hash == column->hash && had->min_ms == column->min_ms && had->span_ms == column->span_ms && had->n == column->n &&
	       str_eq(times_of(c, i), times);
}

static void put(struct block_columns *c, uint32_t number)
{
	size_t i = c->v[number].hash & (c->table_cap - 1);

	while (c->table[i] != 0)
		i = (i + 1) & (c->table_cap - 1);
	c->table[i] = number + 1;
}

static void grow(struct block_columns *c)
{
	if ((c->n + 1) * 4 <= c->table_cap * 3)
		return;
	free(c->table);
	c->table_cap = c->table_cap > 0 ? c->table_cap * 2 : 64;
	c->table = mem_alloc(c->table_cap * sizeof *c->table);
	for (size_t i = 0; i < c->n; i++)
		put(c, (uint32_t)i);
}

bool block_columns_add(struct block_columns *c, struct block_new_column column, struct str times, uint32_t *number, struct err *e)
{
	grow(c);
	column.hash = (uint32_t)XXH64(times.p, times.n, (uint64_t)column.min_ms + ((uint64_t)column.span_ms << 8) + column.n);
	for (size_t i = column.hash & (c->table_cap - 1); c->table[i] != 0; i = (i + 1) & (c->table_cap - 1))
		if (is_same(c, c->table[i] - 1, &column, times)) {
			*number = c->table[i] - 1;
			return true;
		}
	if (c->n == UINT32_MAX - 1 || c->times.n + times.n > UINT32_MAX - BITS_SLACK)
		return err_set(e, ERR_LIMIT, -1, "a block holds less than 4 GiB of times");
	column.at = (uint32_t)c->times.n;
	buf_puts(&c->times, times);
	c->v = mem_grow_tight(c->v, &c->cap, c->n + 1, sizeof *c->v);
	c->v[c->n] = column;
	*number = (uint32_t)c->n++;
	put(c, *number);
	return true;
}

void block_columns_put(const struct block_columns *c, int64_t begin_ms, struct buf *out)
{
	struct block_column end = { .at = (uint32_t)c->times.n };

	for (size_t i = 0; i < c->n; i++) {
		const struct block_new_column *from = &c->v[i];
		uint64_t after = (uint64_t)from->min_ms - (uint64_t)begin_ms;
		const struct block_column to = { (uint32_t)after, from->span_ms, from->at, (uint16_t)(after >> 32), from->n, 0 };

		buf_put(out, &to, sizeof to);
	}
	buf_put(out, &end, sizeof end);
}

void block_columns_put_times(const struct block_columns *c, struct buf *out)
{
	static const char slack[BITS_SLACK];

	buf_puts(out, buf_str(&c->times));
	buf_put(out, slack, sizeof slack);
}
