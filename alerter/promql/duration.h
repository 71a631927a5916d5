/* Durations that may be expressions, such as [5m*2] and offset (1h/step()). Private to promql/. */
#ifndef TOCSIN_PROMQL_DURATION_H
#define TOCSIN_PROMQL_DURATION_H

#include "ast.h"

/* The value of <d> in a query of this step and this length (end - start); both 0 for an instant query. Ranges and steps of
 * subqueries must come out positive, offsets need not. False and <e> when it cannot be computed or is out of range. */
bool duration_resolve(const struct duration *d, int64_t step_ms, int64_t length_ms, bool positive, int64_t *out_ms,
		      struct err *e) MUST_CHECK;

#endif
