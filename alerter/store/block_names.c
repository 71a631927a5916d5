/* Symbols of a block: first the names, then the values of each name in the order in which they came. */
#include "store/block_names.h"

#include <assert.h>
#include <stdlib.h>

#include "store/bits.h"
#include "store/block.h"
#include "store/varint.h"
#include "tocsin/mem.h"

void block_names_init(struct block_names *n)
{
	*n = (struct block_names){ 0 };
	symbols_init(&n->names);
	symbols_init(&n->shapes);
	symbols_init(&n->values);
}

void block_names_fini(struct block_names *n)
{
	symbols_fini(&n->names);
	symbols_fini(&n->shapes);
	symbols_fini(&n->values);
	free(n->number);
	free(n->count);
	buf_fini(&n->key);
}

static uint32_t name_number(struct block_names *n, struct str text)
{
	size_t before = n->names.n;
	uint32_t number = symbols_ref(&n->names, text);

	if (n->names.n == before)
		return number;
	n->count = mem_grow(n->count, &n->cap_counts, n->names.n, sizeof *n->count);
	n->count[number] = 0;
	return number;
}

/* Among those of its name. */
static uint32_t value_number(struct block_names *n, uint32_t name, struct str text)
{
	size_t before = n->values.n;
	uint32_t id;

	buf_reset(&n->key);
	buf_put(&n->key, &name, sizeof name);
	buf_puts(&n->key, text);
	id = symbols_ref(&n->values, buf_str(&n->key));
	if (n->values.n == before)
		return n->number[id];
	n->number = mem_grow(n->number, &n->cap_numbers, n->values.n, sizeof *n->number);
	n->number[id] = n->count[name]++;
	return n->number[id];
}

void block_names_add(struct block_names *n, struct labels labels, struct buf *out)
{
	uint32_t shape[STORE_MAX_LABELS];

	assert(labels.n <= STORE_MAX_LABELS);
	for (size_t i = 0; i < labels.n; i++)
		shape[i] = name_number(n, labels.v[i].name);
	varint_put(out, symbols_ref(&n->shapes, (struct str){ (const char *)shape, labels.n * sizeof *shape }));
	for (size_t i = 0; i < labels.n; i++)
		varint_put(out, value_number(n, shape[i], labels.v[i].value));
}

/* The symbol of the first value of each name, and one more. */
static struct block_name *tables(const struct block_names *n)
{
	struct block_name *v = mem_alloc((n->names.n + 1) * sizeof *v);
	uint32_t at = (uint32_t)n->names.n;

	for (uint32_t i = 0; i < n->names.n; i++) {
		v[i] = (struct block_name){ i, at };
		at += n->count[i];
	}
	v[n->names.n] = (struct block_name){ 0, at };
	return v;
}

void block_names_put_tables(const struct block_names *n, struct buf *out)
{
	struct block_names_head head = { .n_names = (uint32_t)n->names.n, .n_shapes = (uint32_t)n->shapes.n };
	struct block_name *names = tables(n);
	size_t at = out->n;

	buf_put(out, &head, sizeof head);
	buf_put(out, names, (n->names.n + 1) * sizeof *names);
	free(names);
	for (uint32_t i = 0; i < n->shapes.n; i++) {
		buf_put(out, &head.n_members, sizeof head.n_members);
		head.n_members += (uint32_t)(symbols_text(&n->shapes, i).n / sizeof(uint32_t));
	}
	buf_put(out, &head.n_members, sizeof head.n_members);
	for (uint32_t i = 0; i < n->shapes.n; i++)
		buf_puts(out, symbols_text(&n->shapes, i));
	memcpy(out->p + at, &head, sizeof head);
}

static unsigned value_bits(uint32_t count)
{
	return block_value_bits((const struct block_name[]){ { 0, 0 }, { 0, count } });
}

/* What block_names_add() said; it is our own. */
static uint64_t next(struct str *added)
{
	uint64_t v;
	bool good = varint_take(added, &v);

	assert(good);
	return v;
}

void block_names_put_record(const struct block_names *n, struct str added, uint64_t gap, struct buf *out)
{
	uint64_t shape = next(&added);
	struct str members = symbols_text(&n->shapes, (uint32_t)shape);
	unsigned char *bits;
	size_t at = 0;

	varint_put(out, shape << 1 | (gap != 0));
	if (gap != 0)
		varint_put(out, gap);
	bits = (unsigned char *)buf_reserve(out, members.n + BITS_SLACK); /* a value takes four bytes at most, like a member */
	memset(bits, 0, members.n + BITS_SLACK);
	for (; members.n > 0; members = (struct str){ members.p + sizeof(uint32_t), members.n - sizeof(uint32_t) }) {
		uint32_t name;

		memcpy(&name, members.p, sizeof name);
		packed_put(bits, at, next(&added), value_bits(n->count[name]));
		at += value_bits(n->count[name]);
	}
	out->n += (at + 7) / 8;
}

/* The values in the order of their symbols. */
static uint32_t *by_symbol(const struct block_names *n)
{
	struct block_name *names = tables(n);
	uint32_t *v = mem_alloc((n->values.n + 1) * sizeof *v);

	for (uint32_t i = 0; i < n->values.n; i++) {
		uint32_t name;

		memcpy(&name, symbols_text(&n->values, i).p, sizeof name);
		v[names[name].first_value - n->names.n + n->number[i]] = i;
	}
	free(names);
	return v;
}

static struct str value_text(const struct block_names *n, uint32_t value)
{
	struct str key = symbols_text(&n->values, value);

	return (struct str){ key.p + sizeof(uint32_t), key.n - sizeof(uint32_t) };
}

void block_names_put_ends(const struct block_names *n, struct buf *out)
{
	uint32_t *values = by_symbol(n);
	uint64_t end = 0;

	for (uint32_t i = 0; i < n->names.n + n->values.n; i++) {
		end += i < n->names.n ? symbols_text(&n->names, i).n : value_text(n, values[i - n->names.n]).n;
		buf_put(out, &end, sizeof end);
	}
	free(values);
}

void block_names_put_texts(const struct block_names *n, struct buf *out)
{
	uint32_t *values = by_symbol(n);

	for (uint32_t i = 0; i < n->names.n; i++)
		buf_puts(out, symbols_text(&n->names, i));
	for (uint32_t i = 0; i < n->values.n; i++)
		buf_puts(out, value_text(n, values[i]));
	free(values);
}
