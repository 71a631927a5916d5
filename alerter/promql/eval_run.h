/* One evaluation from start to end, for instant queries, range queries and their slices (slices.c). Private to promql/. */
#ifndef TOCSIN_PROMQL_EVAL_RUN_H
#define TOCSIN_PROMQL_EVAL_RUN_H

#include "query.h"

struct request {
	int64_t start_ms, end_ms, step_ms;              /* what is evaluated */
	int64_t query_start_ms, query_end_ms;           /* of the query it is a part of */
	int64_t deadline_mono_ms;
	size_t kept_cells, kept_bytes;                  /* what other parts of the query hold: it counts against the limits */
	bool instant;
	enum promql_hold held;
};

int64_t request_deadline(const struct promql_query *);
/* NULL and <e>: ERR_LIMIT where fewer steps may be within the limits. */
struct promql_result *request_run(struct promql_query *, struct arena *, struct querier *, const struct request *, struct err *e);
/* The matrix by labels. */
void result_sort(struct promql_result *);

#endif
