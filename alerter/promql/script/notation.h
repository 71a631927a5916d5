/* The series notation of Prometheus's test files, which promtool's unit tests share:
 *	metric{label="value"}  1+2x5 _ _x3 stale Inf {{schema:0 sum:3 count:2 buckets:[1 1]}}x2
 * "a+bxn" is n + 1 values a, a+b, a+2b …; "axn" is a, n + 1 times; "_" is no sample. Source: Prometheus documentation, "Unit testing". */
#ifndef TOCSIN_PROMQL_SCRIPT_NOTATION_H
#define TOCSIN_PROMQL_SCRIPT_NOTATION_H

#include "tocsin/err.h"
#include "tocsin/histogram.h"
#include "tocsin/labels.h"

enum notation_kind { NOTATION_NONE, NOTATION_FLOAT, NOTATION_HISTOGRAM };

struct notation_value {
	enum notation_kind kind;
	double v;                       /* stale is a float too: value_is_stale() */
	const struct histogram *h;
};

enum { NOTATION_MAX_VALUES = 100000 };          /* of one line */

/* Takes metric{…} off the front of <*text>. Everything lives in <a>. False and <e> with the position in <*text> as it was. */
bool notation_read_labels(struct arena *a, struct str *text, struct labels *out, struct err *e) MUST_CHECK;
/* The whole of <text>. */
bool notation_read_values(struct arena *a, struct str text, struct notation_value **out, size_t *n, struct err *e) MUST_CHECK;
/* Start times of the samples, relative to them: "_ -1m -30s-1mx2"; INT64_MIN for "_". */
bool notation_read_starts(struct arena *a, struct str text, int64_t **out, size_t *n, struct err *e) MUST_CHECK;

#endif
