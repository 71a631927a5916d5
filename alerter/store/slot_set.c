/* Lists become bits when they would take as much, and bits become lists when they are half of that. */
#include "store/slot_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/mem.h"

enum { HALF = 1 << 16, WORD_BITS = 16, WORDS = HALF / WORD_BITS, LIST_MAX = WORDS, BACK_TO_LIST = LIST_MAX / 2 };

struct slot_part {
	uint16_t *v; /* cap > 0: <n> sorted lower halves; 0: WORDS of bits */
	uint32_t n;
	uint16_t cap, high;
};

void slots_push(struct slots *s, uint32_t slot)
{
	s->v = mem_grow_tight(s->v, &s->cap, s->n + 1, sizeof *s->v);
	s->v[s->n++] = slot;
}

void slot_set_fini(struct slot_set *s)
{
	for (uint32_t i = 0; i < s->n_parts; i++)
		free(s->parts[i].v);
	free(s->parts);
	*s = (struct slot_set){ 0 };
}

/* The first part whose upper half is <high> or more. */
static uint32_t find_part(const struct slot_set *s, uint32_t high)
{
	uint32_t i = s->n_parts;

	while (i > 0 && s->parts[i - 1].high >= high)
		i--;
	return i;
}

/* The place of the first lower half that is <low> or more; mostly what comes is behind all. */
static uint32_t find_low(const struct slot_part *p, uint16_t low)
{
	uint32_t lo = 0, hi = p->n;

	if (p->n > 0 && p->v[p->n - 1] < low)
		return p->n;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (p->v[mid] < low)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct slot_part *part_make(struct slot_set *s, uint16_t high)
{
	uint32_t at = find_part(s, high);

	if (at < s->n_parts && s->parts[at].high == high)
		return &s->parts[at];
	s->parts = mem_realloc(s->parts, (s->n_parts + 1) * sizeof *s->parts);
	memmove(s->parts + at + 1, s->parts + at, (s->n_parts - at) * sizeof *s->parts);
	s->n_parts++;
	s->parts[at] = (struct slot_part){ .v = mem_alloc(sizeof(uint16_t)), .cap = 1, .high = high };
	return &s->parts[at];
}

static void to_bits(struct slot_part *p)
{
	uint16_t *bits = mem_alloc(WORDS * sizeof *bits);

	for (uint32_t i = 0; i < p->n; i++)
		bits[p->v[i] / WORD_BITS] |= (uint16_t)(1u << p->v[i] % WORD_BITS);
	free(p->v);
	p->v = bits;
	p->cap = 0;
}

/* Appends <base> and the place of each bit, by rising number. */
static void list_bits(const uint16_t *bits, uint32_t base, struct slots *out)
{
	for (uint32_t w = 0; w < WORDS; w++)
		for (unsigned left = bits[w]; left != 0; left &= left - 1)
			slots_push(out, base + w * WORD_BITS + (unsigned)__builtin_ctz(left));
}

static void to_list(struct slot_part *p)
{
	struct slots all = { 0 };

	list_bits(p->v, 0, &all);
	p->v = mem_realloc(p->v, all.n * sizeof *p->v);
	p->cap = (uint16_t)all.n;
	for (size_t i = 0; i < all.n; i++)
		p->v[i] = (uint16_t)all.v[i];
	free(all.v);
}

static void add_to_list(struct slot_part *p, uint16_t low)
{
	uint32_t at = find_low(p, low);
	size_t cap = p->cap;

	p->v = mem_grow_tight(p->v, &cap, p->n + 1, sizeof *p->v);
	p->cap = (uint16_t)cap;
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof *p->v);
	p->v[at] = low;
}

void slot_set_add(struct slot_set *s, uint32_t slot)
{
	struct slot_part *p = part_make(s, (uint16_t)(slot / HALF));
	uint16_t low = (uint16_t)(slot % HALF);

	if (p->cap > 0 && p->n == LIST_MAX)
		to_bits(p);
	if (p->cap > 0)
		add_to_list(p, low);
	else
		p->v[low / WORD_BITS] |= (uint16_t)(1u << low % WORD_BITS);
	p->n++;
	s->n++;
}

void slot_set_remove(struct slot_set *s, uint32_t slot)
{
	uint32_t i = find_part(s, slot / HALF);
	struct slot_part *p = &s->parts[i];
	uint16_t low = (uint16_t)(slot % HALF);

	assert(i < s->n_parts && p->high == slot / HALF);
	s->n--;
	p->n--;
	if (p->cap > 0) {
		uint32_t at = find_low(p, low);

		assert(p->v[at] == low);
		memmove(p->v + at, p->v + at + 1, (p->n - at) * sizeof *p->v);
	} else {
		p->v[low / WORD_BITS] &= (uint16_t)~(1u << low % WORD_BITS);
		if (p->n == BACK_TO_LIST)
			to_list(p);
	}
	if (p->n > 0)
		return;
	free(p->v);
	memmove(p, p + 1, (--s->n_parts - i) * sizeof *p);
}

void slot_set_list(const struct slot_set *s, struct slots *out)
{
	for (uint32_t i = 0; i < s->n_parts; i++) {
		const struct slot_part *p = &s->parts[i];
		uint32_t base = (uint32_t)p->high * HALF;

		if (p->cap == 0)
			list_bits(p->v, base, out);
		for (uint32_t k = 0; p->cap > 0 && k < p->n; k++)
			slots_push(out, base + p->v[k]);
	}
}
