/* How recording rules, ALERTS series, scrapes and imports write samples. A batch is begun, filled and committed; readers see
 * a sample when commit has returned. One appender is used by one thread. */
#ifndef TOCSIN_APPENDER_H
#define TOCSIN_APPENDER_H

#include "tocsin/err.h"
#include "tocsin/histogram.h"
#include "tocsin/labels.h"

struct appender {
	const struct appender_ops *ops;
};

struct appender_ops {
	/* Copies what it keeps. <h> NULL: the float <v>. Stale markers are values (querier.h). False and <e> when the sample is
	 * refused (out of order, too old, duplicate with another value, limit); the batch goes on. */
	bool (*append)(struct appender *, struct labels, int64_t t_ms, double v, const struct histogram *h, struct err *e);
	/* The output of a rule whose inputs were lost, or whose evaluation failed: its series become LOST until appended again. */
	void (*mark_lost)(struct appender *, struct labels, int64_t t_ms);
	bool (*commit)(struct appender *, struct err *e);
};

#endif
