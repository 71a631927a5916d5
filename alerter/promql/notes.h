/* Annotations: what a query has to say beside its result. They never fail it. The wording is Prometheus's, which clients match
 * on; equal texts are told once, at the last place (but for note_falls). Private to promql/. */
#ifndef TOCSIN_PROMQL_NOTES_H
#define TOCSIN_PROMQL_NOTES_H

#include "eval.h"

/* X(id, warning, text): where %q stands, the metric name goes, quoted; "%?" becomes ` for metric name "…"` or nothing. */
#define NOTE_LIST(X) \
	X(NOTE_MIXED_FLOATS_HISTOGRAMS, true, "encountered a mix of histograms and floats for metric name %q") \
	X(NOTE_MIXED_IN_AGGREGATION, true, "encountered a mix of histograms and floats for aggregation") \
	X(NOTE_MIXED_CLASSIC_NATIVE, true, "vector contains a mix of classic and native histograms%?") \
	X(NOTE_NOT_COUNTER, true, "this native histogram metric is not a counter: %q") \
	X(NOTE_NOT_GAUGE, true, "this native histogram metric is not a gauge: %q") \
	X(NOTE_MIXED_SCHEMAS, true, \
	  "vector contains a mix of histograms with exponential and custom buckets schemas for metric name %q") \
	X(NOTE_START_OVERLAP, true, "sample has start time that overlaps with previous sample timestamp for metric %q") \
	X(NOTE_RESET_COLLISION_ADD, true, "conflicting counter resets during histogram addition") \
	X(NOTE_RESET_COLLISION_SUB, true, "conflicting counter resets during histogram subtraction") \
	X(NOTE_RESET_COLLISION_AGG, true, "conflicting counter resets during histogram aggregation") \
	X(NOTE_SORT_IN_RANGE, true, "sort is ineffective for range queries since results are always ordered by labels") \
	X(NOTE_NOT_COUNTER_NAME, false, "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: %q") \
	X(NOTE_FORCED_MONOTONIC, false, \
	  "input to histogram_quantile needed to be fixed for monotonicity (see " \
	  "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)%?") \
	X(NOTE_HISTOGRAM_IGNORED_IN_RANGE, false, \
	  "ignored histograms in a range containing both floats and histograms for metric name %q") \
	X(NOTE_QUANTILE_NAN, false, "input to histogram_quantile has NaN observations, result is NaN%?") \
	X(NOTE_QUANTILE_SKEWED, false, "input to histogram_quantile has NaN observations, result is skewed higher%?") \
	X(NOTE_FRACTION_NAN, false, "input to histogram_fraction has NaN observations, which are excluded from all fractions%?") \
	X(NOTE_RECONCILED_ADD, false, "mismatched custom buckets were reconciled during addition") \
	X(NOTE_RECONCILED_SUB, false, "mismatched custom buckets were reconciled during subtraction") \
	X(NOTE_RECONCILED_AGG, false, "mismatched custom buckets were reconciled during aggregation")

enum note_id {
#define X(id, warning, text) id,
	NOTE_LIST(X)
#undef X
};

/* Classic buckets that counted less than one below them, of one histogram or of several. */
struct falls {
	size_t n;                       /* histograms and steps; 0: the note is not about that */
	int64_t first_ms, last_ms;
	double low, high;               /* bounds of the lowest and the highest such bucket */
	double most;                    /* they fell by */
};

struct note {
	bool warning;
	int pos;
	struct str text;        /* without "PromQL warning: " and position */
	struct falls falls;
};

/* <labels>: of the series at fault; its metric name is put in where the text has one. */
void note_add(struct eval *, enum note_id, struct labels, int pos);
/* Texts with something else in them. */
void note_printf(struct eval *, bool warning, int pos, const char *fmt, ...) PRINTF(4, 5);
/* "le" of a classic bucket that is no number. */
void note_bad_bucket(struct eval *, struct labels, struct str le, int pos);
/* "needed to be fixed for monotonicity"; those of one metric are told as one, at the first place. */
void note_falls(struct eval *, struct labels, const struct falls *, int pos);
/* As one more, or as part of the one there is of that text. Its text is copied. */
void notes_join(struct notes *, struct arena *, const struct note *);
/* Whole texts, "PromQL warning: … (line:col)". */
const struct promql_note *notes_finish(const struct promql_query *, const struct notes *, struct arena *);

#endif
