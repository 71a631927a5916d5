/* Targets of one job have the same label names, and a series that has them all is one target's at most: it is found by a hash of their values.
 * A series that lacks one of the names is compared with each of these targets. */
#include "store/carriers.h"

/* KINS: of more kinds the rest are compared one by one. */
enum { KINS = 8 };

/* Targets with the same label names. */
struct kin {
	struct labels names;   /* those of its first target */
	uint32_t n, first;     /* first: a target + 1; behind it come those of carriers.next */
	uint32_t *table, mask; /* targets + 1 by the hash of their values, open addressing; NULL: names differ */
};

struct carriers {
	const struct labels *targets;
	uint32_t *next; /* of each target: the next one of its kin + 1, 0: none */
	struct kin kin[KINS];
	size_t n_kin;
};

bool carriers_is_of_another(struct labels series, struct labels target)
{
	for (size_t i = 0; i < target.n; i++)
		if (labels_has(series, target.v[i].name) && !str_eq(labels_get(series, target.v[i].name), target.v[i].value))
			return true;
	return false;
}

/* Of the values that <l> has under <names>; false when it lacks one. Both are sorted. */
static bool hash_values(struct labels l, struct labels names, uint64_t *hash)
{
	size_t at = 0;

	*hash = 0;
	for (size_t i = 0; i < names.n; i++, at++) {
		while (at < l.n && !str_eq(l.v[at].name, names.v[i].name))
			at++;
		if (at == l.n)
			return false;
		*hash = str_hash_seeded(l.v[at].value, *hash);
	}
	return true;
}

static bool have_same_names(struct labels a, struct labels b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && str_eq(a.v[i].name, b.v[i].name))
		i++;
	return i == a.n && i == b.n;
}

static struct kin *kin_of(struct carriers *c, struct labels target)
{
	for (size_t i = 0; i < c->n_kin; i++)
		if (have_same_names(c->kin[i].names, target))
			return &c->kin[i];
	if (c->n_kin == KINS)
		return &c->kin[KINS - 1];
	c->kin[c->n_kin].names = target;
	return &c->kin[c->n_kin++];
}

static void make_table(const struct carriers *c, struct kin *k, struct arena *a)
{
	uint64_t hash;

	k->mask = 1;
	while (k->mask < 2 * k->n)
		k->mask = k->mask * 2 + 1;
	k->table = ARENA_ARRAY(a, (size_t)k->mask + 1, uint32_t);
	for (uint32_t t = k->first; t != 0; t = c->next[t - 1]) {
		uint32_t at;

		if (!hash_values(c->targets[t - 1], k->names, &hash) || c->targets[t - 1].n != k->names.n) {
			k->table = NULL;
			return;
		}
		for (at = (uint32_t)hash & k->mask; k->table[at] != 0;)
			at = (at + 1) & k->mask;
		k->table[at] = t;
	}
}

struct carriers *carriers_new(struct arena *a, const struct labels *targets, size_t n)
{
	struct carriers *c = ARENA_NEW(a, struct carriers);

	c->targets = targets;
	c->next = ARENA_ARRAY(a, n, uint32_t);
	for (size_t i = 0; i < n; i++) {
		struct kin *k = kin_of(c, targets[i]);

		c->next[i] = k->first;
		k->first = (uint32_t)i + 1;
		k->n++;
	}
	for (size_t i = 0; i < c->n_kin; i++)
		make_table(c, &c->kin[i], a);
	return c;
}

static bool one_by_one(const struct carriers *c, const struct kin *k, struct labels series)
{
	uint32_t t = k->first;

	while (t != 0 && carriers_is_of_another(series, c->targets[t - 1]))
		t = c->next[t - 1];
	return t != 0;
}

static bool kin_may_have(const struct carriers *c, const struct kin *k, struct labels series)
{
	uint64_t hash;
	uint32_t at;

	if (k->table == NULL || !hash_values(series, k->names, &hash))
		return one_by_one(c, k, series);
	for (at = (uint32_t)hash & k->mask; k->table[at] != 0; at = (at + 1) & k->mask)
		if (!carriers_is_of_another(series, c->targets[k->table[at] - 1]))
			return true;
	return false;
}

bool carriers_may_have(const struct carriers *c, struct labels series)
{
	for (size_t i = 0; i < c->n_kin; i++)
		if (kin_may_have(c, &c->kin[i], series))
			return true;
	return false;
}
