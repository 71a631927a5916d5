/* A set of slots of the index, in two bytes each or less: those of one upper half are a sorted list of lower halves or, when there are
 * many, a bit each. Adding and removing touch one of these only. Private to the store, guarded by the index lock. */
#ifndef TOCSIN_STORE_SLOT_SET_H
#define TOCSIN_STORE_SLOT_SET_H

#include "tocsin/base.h"

struct slots { /* sorted */
	uint32_t *v;
	size_t n, cap;
};
void slots_push(struct slots *s, uint32_t slot);

struct slot_part;

struct slot_set { /* {0}: empty */
	struct slot_part *parts; /* by upper half; none is empty */
	uint32_t n_parts, n;
};

void slot_set_fini(struct slot_set *s);
/* It is not in there. */
void slot_set_add(struct slot_set *s, uint32_t slot);
/* It is in there. */
void slot_set_remove(struct slot_set *s, uint32_t slot);
/* Appends all of them, by rising number. */
void slot_set_list(const struct slot_set *s, struct slots *out);

#endif
