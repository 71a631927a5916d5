/* Alertmanager's time intervals: OR inside a field, AND between fields, a field left out holds always. */
#ifndef NOTIFY_TIME_INTERVAL_H
#define NOTIFY_TIME_INTERVAL_H

#include "tocsin/str.h"
#include "tocsin/tz.h"

struct time_range {
	int beg, end;                   /* both belong to it; of minutes in the day the end does not */
};

struct time_ranges {
	struct time_range *v;
	size_t n;
};

enum time_field { TIME_MINUTES, TIME_WEEKDAYS, TIME_DAYS, TIME_MONTHS, TIME_YEARS };
#define TIME_FIELDS 5

struct time_interval {
	struct time_ranges fields[TIME_FIELDS];         /* weekdays from Sunday 0; days from 1, or -1 for the last; months from 1 */
	struct tz *zone;                                /* NULL: UTC */
};

struct named_interval {
	struct str name;
	const struct time_interval *v;
	size_t n;
};

/* "9:30" as minutes; "monday:friday", "-3:-1", "may", "2025:2030" as a range of <field>. False and a sentence for the person. */
bool time_interval_minutes(struct str text, int *out);
bool time_interval_range(enum time_field, struct str text, struct time_range *out, const char **problem);
bool time_interval_holds(const struct named_interval *, int64_t now_ms);

#endif
