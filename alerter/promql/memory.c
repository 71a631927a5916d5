/* Slots by node, and the table that numbers label sets. A slot's arena is rewound when the slot is made anew; whatever was
 * made from its shape is made anew too, because the shape's version changes. A shape that grew keeps its version. */
#include "memory.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum { SLOT_FIRST = 256 };

struct eval_memory {
	struct memory_slot *slots;
	size_t n;
	uint64_t last_version;
	size_t bytes;           /* of the slots' arenas */
};

void eval_memory_free(struct eval_memory *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		arena_fini(&m->slots[i].arena);
	free(m->slots);
	free(m);
}

static struct eval_memory *memory_of(struct promql_query *q)
{
	if (q->memory == NULL) {
		q->memory = mem_alloc(sizeof *q->memory);
		q->memory->n = ((size_t)q->n_nodes + 2) * MEMORY_KINDS;
		q->memory->slots = mem_alloc(q->memory->n * sizeof *q->memory->slots);
		for (size_t i = 0; i < q->memory->n; i++)       /* most hold little, and rules have them by the thousand */
			arena_init_small(&q->memory->slots[i].arena, SLOT_FIRST);
	}
	return q->memory;
}

size_t memory_bytes(const struct promql_query *q)
{
	const struct eval_memory *m = q->memory;

	return m == NULL ? 0 : m->bytes + m->n * sizeof *m->slots;
}

static bool is_same(const struct memory_slot *slot, int i, struct memory_input from)
{
	return slot->from[i].id == from.id && slot->done[i] <= from.n;
}

static bool holds(const struct memory_slot *slot, struct memory_input a, struct memory_input b)
{
	return slot->valid && is_same(slot, 0, a) && is_same(slot, 1, b);
}

static struct memory_slot *slot_of(struct eval *ev, int node_id, enum memory_kind kind)
{
	assert(node_id >= 0 && node_id <= ev->query->n_nodes + 1);
	return &memory_of(ev->query)->slots[(size_t)node_id * MEMORY_KINDS + kind];
}

bool memory_holds(struct eval *ev, int node_id, enum memory_kind kind, struct memory_input a, struct memory_input b)
{
	const struct memory_slot *slot = slot_of(ev, node_id, kind);

	return holds(slot, a, b) && slot->done[0] == a.n && slot->done[1] == b.n;
}

void memory_restart(struct memory_slot *slot)
{
	arena_reset(&slot->arena);
	slot->valid = false;
	slot->done[0] = slot->done[1] = 0;
	slot->shape = (struct shape){ 0 };
	slot->extra = NULL;
}

void memory_discard(struct eval *ev, struct memory_slot *slot)
{
	memory_restart(slot);
	arena_fini(&slot->arena);
	ev->query->memory->bytes -= slot->counted_bytes;
	slot->counted_bytes = 0;
}

struct memory_slot *memory_slot(struct eval *ev, int node_id, enum memory_kind kind, struct memory_input a, struct memory_input b)
{
	struct memory_slot *slot = slot_of(ev, node_id, kind);

	if (!holds(slot, a, b))
		memory_restart(slot);
	slot->from[0] = a;
	slot->from[1] = b;
	return slot;
}

struct memory_slot *memory_slot_anew(struct eval *ev, int node_id, enum memory_kind kind)
{
	struct memory_slot *slot = slot_of(ev, node_id, kind);

	memory_restart(slot);
	slot->from[0] = slot->from[1] = (struct memory_input){ 0 };
	return slot;
}

void memory_keep(struct eval *ev, struct memory_slot *slot)
{
	if (!slot->valid)
		slot->shape.version = ++ev->query->memory->last_version;
	slot->valid = true;
	slot->done[0] = slot->from[0].n;
	slot->done[1] = slot->from[1].n;
	ev->query->memory->bytes += slot->arena.total_bytes - slot->counted_bytes;
	slot->counted_bytes = slot->arena.total_bytes;
}

size_t shape_longest(const struct shape *s, size_t row)
{
	size_t most = 1;

	for (; row < s->n; row++)
		most = s->labels[row].n > most ? s->labels[row].n : most;
	return most;
}

void label_table_init(struct label_table *t, struct arena *a, size_t expected)
{
	size_t buckets = 16;

	while (buckets < expected * 2)
		buckets *= 2;
	*t = (struct label_table){ .arena = a, .n_buckets = buckets, .buckets = ARENA_ARRAY(a, buckets, uint32_t) };
}

static void table_rehash(struct label_table *t)
{
	t->n_buckets *= 2;
	t->buckets = ARENA_ARRAY(t->arena, t->n_buckets, uint32_t);
	for (size_t i = 0; i < t->n; i++) {
		size_t at = t->hashes[i] & (t->n_buckets - 1);

		while (t->buckets[at] != 0)
			at = (at + 1) & (t->n_buckets - 1);
		t->buckets[at] = (uint32_t)i + 1;
	}
}

/* Where <l> is, or where it would go. */
static size_t table_probe(const struct label_table *t, struct labels l, uint64_t hash)
{
	size_t at = hash & (t->n_buckets - 1);

	for (; t->buckets[at] != 0; at = (at + 1) & (t->n_buckets - 1)) {
		size_t i = t->buckets[at] - 1;

		if (t->hashes[i] == hash && labels_eq(t->v[i], l))
			break;
	}
	return at;
}

size_t label_table_find(const struct label_table *t, struct labels l)
{
	return (size_t)t->buckets[table_probe(t, l, labels_hash(l))] - 1;
}

static struct label *copy_labels(struct arena *a, struct labels l)
{
	struct label *copy = ARENA_ARRAY(a, l.n, struct label);

	if (l.n > 0)
		memcpy(copy, l.v, l.n * sizeof *copy);
	return copy;
}

static size_t table_add(struct label_table *t, struct labels l, bool borrow, bool *added)
{
	uint64_t hash = labels_hash(l);
	size_t at = table_probe(t, l, hash);

	if (added != NULL)
		*added = t->buckets[at] == 0;
	if (t->buckets[at] != 0)
		return t->buckets[at] - 1;
	t->v = arena_grow(t->arena, t->v, t->n, &t->cap_v, t->n + 1, sizeof *t->v);
	t->hashes = arena_grow(t->arena, t->hashes, t->n, &t->cap_hashes, t->n + 1, sizeof *t->hashes);
	t->v[t->n] = (struct labels){ borrow ? l.v : copy_labels(t->arena, l), l.n };
	t->hashes[t->n] = hash;
	t->buckets[at] = (uint32_t)++t->n;
	if (t->n * 2 > t->n_buckets)
		table_rehash(t);
	return t->n - 1;
}

size_t label_table_add(struct label_table *t, struct labels l, bool *added)
{
	return table_add(t, l, false, added);
}

size_t label_table_add_borrowed(struct label_table *t, struct labels l, bool *added)
{
	return table_add(t, l, true, added);
}

struct labels labels_without_metric(struct label *out, struct labels l)
{
	size_t n = 0;

	for (size_t i = 0; i < l.n; i++)
		if (!str_eq(l.v[i].name, STR(LABEL_NAME)) && !str_eq(l.v[i].name, STR("__type__")) &&
		    !str_eq(l.v[i].name, STR("__unit__")))
			out[n++] = l.v[i];
	return (struct labels){ out, n };
}
