/* Native histograms on their way in: from a protobuf message, and made to fit the job's limits. Private to scrape. */
#ifndef TOCSIN_SCRAPE_NATIVE_H
#define TOCSIN_SCRAPE_NATIVE_H

#include "tocsin/arena.h"
#include "tocsin/err.h"
#include "tocsin/histogram.h"

struct native_limits {
	int64_t buckets;    /* both sides together; 0: no limit */
	int32_t max_schema; /* finer ones are made coarser */
};

/* The schema whose buckets grow by at least <factor>; 0: the finest. */
int32_t native_schema_for(double factor);
/* Of an io.prometheus.client.Histogram; lives in <a>. NULL and <e>: it is malformed (SYNTAX), or no schema makes it fit (LIMIT). */
struct histogram *native_read(struct str message, bool gauge, const struct native_limits *, struct arena *a, struct err *e);
/* Spans and buckets of <in> but the empty ones. */
struct histogram_side native_without_empty(struct arena *a, const struct histogram_side *in);

#endif
