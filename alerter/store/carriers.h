/* Targets that may have a series: none of their labels has another value in it. There may be thousands of both. Private to the store. */
#ifndef TOCSIN_STORE_CARRIERS_H
#define TOCSIN_STORE_CARRIERS_H

#include "tocsin/arena.h"
#include "tocsin/labels.h"

struct carriers;

/* In <a>; <targets> are borrowed. */
struct carriers *carriers_new(struct arena *a, const struct labels *targets, size_t n);
/* Whether one of them may have it. */
bool carriers_may_have(const struct carriers *c, struct labels series);
/* Whether this one may not. */
bool carriers_is_of_another(struct labels series, struct labels target);

#endif
