/* Log files as a source: lines become counters and histograms. No line is counted twice or lost, over rotation, truncation and
 * restarts: positions and counts are committed together in one state file before a scrape shows them. */
#ifndef TOCSIN_LOGS_H
#define TOCSIN_LOGS_H

#include "source.h"

extern const struct source_kind logs_source_kind;

#endif
