/* How far a misspelt name is from one we know, for "did you mean". Private to promql/. */
#ifndef TOCSIN_PROMQL_NEAR_H
#define TOCSIN_PROMQL_NEAR_H

#include "tocsin/str.h"

/* Letters to insert, delete, replace or swap with their neighbour to turn one into the other; case is ignored. Names over 40
 * bytes are never near: SIZE_MAX. */
size_t near_distance(struct str a, struct str b);
/* How many of those a name of this length may take and still be meant: one in three, at most 3. */
size_t near_limit(struct str name);

#endif
