/* A cursor over one line of a test file. Private to script/. */
#ifndef TOCSIN_PROMQL_SCRIPT_SCAN_H
#define TOCSIN_PROMQL_SCRIPT_SCAN_H

#include "notation.h"

struct scan {
	struct str text;
	size_t pos;
};

bool scan_end(const struct scan *);
void scan_space(struct scan *);
bool scan_at(const struct scan *, const char *literal);
bool scan_take(struct scan *, const char *literal);
/* A decimal number, Inf or NaN, with sign and exponent; never hexadecimal: 0x3 is 0, four times. */
bool scan_number(struct scan *, double *out) MUST_CHECK;
bool scan_count(struct scan *, size_t *out) MUST_CHECK;
/* "…", '…' or `…` with Go's escapes. */
bool scan_quoted(struct scan *, struct arena *a, struct str *out) MUST_CHECK;
/* [a-zA-Z_:][a-zA-Z0-9_:.]*; empty when there is none. */
struct str scan_word(struct scan *);
bool scan_fail(const struct scan *, struct err *e, const char *what);

/* {{schema:1 sum:3 count:22 buckets:[5 10 7] offset:1 …}}; histogram.c */
bool scan_histogram(struct scan *, struct arena *a, struct histogram **out, struct err *e) MUST_CHECK;

#endif
