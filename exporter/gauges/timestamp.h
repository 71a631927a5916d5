/* Times as Postgres writes them (DateStyle ISO), as seconds since 1970. */
#ifndef TOCSIN_GAUGES_TIMESTAMP_H
#define TOCSIN_GAUGES_TIMESTAMP_H

#include "tocsin/str.h"

/* A timestamptz, a timestamp, taken as UTC, or a date: its beginning. "infinity" is +Inf. False when <text> is none of these. */
bool pg_timestamp_seconds(struct str text, double *seconds) MUST_CHECK;

#endif
