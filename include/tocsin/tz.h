/* Time zones by their IANA names, from the system's zoneinfo. Unlike the C library's there may be many at once, in any thread. */
#ifndef TOCSIN_TZ_H
#define TOCSIN_TZ_H

#include "tocsin/err.h"
#include "tocsin/str.h"

struct tz;

/* "Europe/Berlin", "UTC", "Local" (as TZ in the environment, or else /etc/localtime, says). Heap; NULL and <e> when there is no such zone. Immutable. */
struct tz *tz_load(struct str name, struct err *e) MUST_CHECK;
void tz_free(struct tz *);
/* Seconds east of UTC at <ms>; <abbreviation> (may be NULL) lives as long as the zone. */
int32_t tz_offset_s(const struct tz *, int64_t ms, struct str *abbreviation);

#endif
