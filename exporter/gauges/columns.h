/* Answers of Postgres as rows of gauges, column by column; and what postgres_exporter makes of an answer to a query in its file. */
#ifndef TOCSIN_GAUGES_COLUMNS_H
#define TOCSIN_GAUGES_COLUMNS_H

#include <libpq-fe.h>

#include "gauges/rows.h"

#define GAUGE_BUCKETS_MAX 1000

/* The answer to query <i>, whose metrics name its columns. */
void gauge_columns_take(struct gauge_round *r, size_t i, const PGresult *answer);

#endif
