/* The index: which series there are, and which match. Guarded by the store's index lock throughout.
 *
 * A series sits in a slot; slots of dropped series are used again. For every label pair there is a posting: the slots of the
 * series that carry it. */
#ifndef TOCSIN_STORE_INDEX_H
#define TOCSIN_STORE_INDEX_H

#include "store/slot_set.h"
#include "store/store.h"
#include "store/symbols.h"
#include "tocsin/near.h"
#include "tocsin/querier.h"

struct store_series;

enum { INDEX_RECENT = 16 };

/* As much of series_hash() as the index needs. */
enum { INDEX_HASH_BITS = 24, INDEX_HASH_MOST = (1 << INDEX_HASH_BITS) - 1 };
static inline uint32_t index_hash(uint64_t hash)
{
	return (uint32_t)(hash >> (64 - INDEX_HASH_BITS));
}

struct index {
	struct symbols symbols;
	struct symbols shapes; /* which names a series has: how many, and their numbers, encoded, as a text */
	uint32_t recent_shape; /* of the series that came last: the next one may have the same */
	struct near *series; /* by slot, see index_at() */
	size_t cap, n_slots, n_series;
	struct slots free_slots;
	uint32_t *table; /* index_hash() -> slot + 1, and above these as many of its low bits as there is room for; open addressing */
	size_t table_cap;
	unsigned slot_bits; /* of an entry */
	struct map postings; /* name and value numbers -> struct posting */
	struct map names;    /* name number -> struct posting_name */
	struct posting *recent[INDEX_RECENT]; /* of the series that came last, by the place of the pair: the next one may have the same; NULL: none */
};

/* NULL: the slot is free. */
static inline struct store_series *index_at(const struct index *x, size_t slot)
{
	return near_get(x->series[slot]);
}

void index_init(struct index *x);
void index_fini(struct index *x);
/* NULL when there is none. <hash> is series_hash(<labels>). */
struct store_series *index_find(const struct index *x, struct labels labels, uint64_t hash);
/* The same of labels whose numbers are known, in the order of their names. */
struct store_series *index_find_pairs(const struct index *x, const struct symbol_pair *v, size_t n, uint64_t hash);
/* False when there is none of this hash, whatever its labels. */
bool index_may_have(const struct index *x, uint64_t hash);
/* Asks memory for what index_find() needs for these hashes, in passes. */
void index_warm(const struct index *x, const uint64_t *hashes, size_t n);
/* Takes references to the symbols of STORE_MAX_LABELS <labels> at most and writes their numbers: what s->pairs is made of. Returns how many
 * bytes. */
enum { INDEX_NUMBER_BYTES = 5, INDEX_ENCODED_MOST = INDEX_NUMBER_BYTES * (STORE_MAX_LABELS + 2) };
size_t index_encode(struct index *x, struct labels labels, unsigned char out[INDEX_ENCODED_MOST]);
size_t index_encode_pairs(struct index *x, const struct symbol_pair *v, size_t n, unsigned char out[INDEX_ENCODED_MOST]);
/* The labels of a series as numbers; <v> has room for index_n_pairs(). */
void index_pairs(const struct index *x, const struct store_series *s, struct symbol_pair *v);
/* How many labels it has. */
size_t index_n_pairs(const struct index *x, const struct store_series *s);
/* How long they are in a series. Not after index_forget(). */
size_t index_pairs_bytes(const struct index *x, const struct store_series *s);
/* So many will come: then the table does not grow with them. */
void index_reserve(struct index *x, size_t n);
/* Gives it a slot. */
void index_add(struct index *x, struct store_series *s);
/* Which one it has. */
uint32_t index_slot(const struct index *x, const struct store_series *s);
/* Takes the slots out of table and postings; symbols stay referenced until index_forget. <dead> is sorted. */
void index_remove(struct index *x, const struct slots *dead);
void index_forget(struct index *x, struct store_series *s);

/* All matching series, in steps between which the index may change: each that is there all the while is found, once. Found are those with
 * ids up to <last_id>, which must be all there are when the search begins. */
struct index_search;
struct series_list {
	struct store_series **v;
	size_t n, cap;
};
/* NULL and <e> when a regex hit its limit. The matchers must live as long. */
struct index_search *index_search_new(const struct index *x, const struct matcher *m, size_t n, uint64_t last_id, struct err *e);
void index_search_free(struct index_search *q);
/* Looks at <most> series or values of labels, and appends what is found. False and <e> when a regex hit its limit. */
bool index_search_step(const struct index *x, struct index_search *q, size_t most, struct series_list *out, struct err *e);
bool index_search_is_over(const struct index_search *q);

/* The labels of a series; <v> has room for index_n_pairs(). Texts are borrowed from the symbols. */
struct labels index_labels(const struct index *x, const struct store_series *s, struct label *v);

/* Every pair, those of one name together, and how many series have it. */
void index_each_pair(const struct index *x, void (*fn)(void *ctx, struct str name, struct str value, size_t n), void *ctx);
/* The label names among <texts>: each once, in <a>. */
void index_add_names(const struct index *x, struct map *texts, struct arena *a);
/* Likewise <n> of the values of a label from the <from>th on. False: there are no more. A value that comes is behind the others; when a series
 * is removed their order changes. */
bool index_add_values(const struct index *x, struct str name, size_t from, size_t n, struct map *texts, struct arena *a);
void index_add_text(struct map *texts, struct str text, struct arena *a);

#endif
