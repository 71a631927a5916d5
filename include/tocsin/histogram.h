/* A native histogram sample, always with float counts, absolute per bucket (never deltas). Immutable once made; lives in
 * the lifetime of who made it. Source: the Prometheus native histogram specification, and its float histogram.
 *
 * Exponential schemas -4..8: bucket index i covers (base^(i-1), base^i], base = 2^(2^-schema); zero bucket
 * [-zero_threshold, zero_threshold]. Custom buckets (schema HISTOGRAM_CUSTOM): upper bounds in <custom>, the +Inf bucket
 * implied; positive spans only. Spans: the first offset is the index of the first bucket, each further offset the gap
 * behind the span before it. */
#ifndef TOCSIN_HISTOGRAM_H
#define TOCSIN_HISTOGRAM_H

#include "tocsin/base.h"

#define HISTOGRAM_CUSTOM (-53)
#define HISTOGRAM_SCHEMA_MIN (-4)
#define HISTOGRAM_SCHEMA_MAX 8

enum histogram_reset { RESET_UNKNOWN, RESET_YES, RESET_NO, RESET_GAUGE };

struct histogram_span {
	int32_t offset;
	uint32_t length;
};

struct histogram_side {                 /* the positive or the negative buckets */
	const struct histogram_span *spans;
	const double *buckets;          /* n_buckets == sum of span lengths */
	uint32_t n_spans, n_buckets;
};

struct histogram {
	int32_t schema;
	enum histogram_reset reset;
	double zero_threshold, zero_count, count, sum;
	struct histogram_side pos, neg;
	const double *custom;           /* HISTOGRAM_CUSTOM only: upper bounds, rising */
	uint32_t n_custom;
};

#endif
