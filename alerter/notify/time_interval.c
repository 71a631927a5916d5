/* Source: Alertmanager documentation, "time_interval". */
#include "notify/time_interval.h"

#include <time.h>

#include "tocsin/base.h"

enum { LONGEST_MONTH = 31 };

static const char *const weekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
				     "july",    "august",   "september", "october", "november", "december"};

static const struct {
	const char *const *names;
	size_t n_names;
	int first; /* what the first name means */
	int min, max;
	const char *wanted;
} fields[TIME_FIELDS] = {
    [TIME_WEEKDAYS] = {weekdays, ARRAY_LEN(weekdays), 0, 1, 0, "a weekday such as monday, or a range such as monday:friday"},
    [TIME_DAYS] = {NULL, 0, 0, -31, 31, "a day from 1 to 31, or -1 for the last, or a range such as 1:5 or -3:-1"},
    [TIME_MONTHS] = {months, ARRAY_LEN(months), 1, 1, 12, "a month by name or number, or a range such as may:august"},
    [TIME_YEARS] = {NULL, 0, 0, 1970, 9999, "a year, or a range such as 2026:2028"},
};

bool time_interval_minutes(struct str text, int *out)
{
	struct str hours;
	int64_t h, m;

	if (!str_cut(&text, ':', &hours) || text.n != 2 || hours.n == 0 || hours.n > 2 || !str_to_int64(hours, &h) ||
	    !str_to_int64(text, &m))
		return false;
	*out = (int)(h * 60 + m);
	return h >= 0 && m >= 0 && m < 60 && *out <= 24 * 60;
}

static bool read_end(enum time_field field, struct str text, int *out)
{
	int64_t v;

	text = str_trim(text);
	for (size_t i = 0; i < fields[field].n_names; i++)
		if (str_eq_nocase(text, str_of(fields[field].names[i]))) {
			*out = fields[field].first + (int)i;
			return true;
		}
	if (!str_to_int64(text, &v) || v < fields[field].min || v > fields[field].max || v == 0)
		return false;
	*out = (int)v;
	return true;
}

/* Of a day counted from the end; what is behind what in no month is told, and day_holds() cuts the rest to its month. */
static int from_start(int day)
{
	return day < 0 ? LONGEST_MONTH + 1 + day : day;
}

bool time_interval_range(enum time_field field, struct str text, struct time_range *out, const char **problem)
{
	struct str first;

	*problem = fields[field].wanted;
	if (!str_cut(&text, ':', &first) || !read_end(field, first, &out->beg) ||
	    !read_end(field, text.p != NULL ? text : first, &out->end))
		return false;
	if (out->beg < 0 && out->end > 0) {
		*problem = "an end that counts as the beginning does: from the end of the month, or from its start";
		return false;
	}
	*problem = "a beginning that is not behind the end";
	return from_start(out->beg) <= from_start(out->end);
}

static int days_in_month(const struct tm *t)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = t->tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[t->tm_mon] + (leap && t->tm_mon == 1);
}

/* Days counted from the end become days of this month; what it does not have is cut off. */
static bool day_holds(struct time_range r, const struct tm *t)
{
	int last = days_in_month(t), beg = r.beg < 0 ? last + r.beg + 1 : r.beg, end = r.end < 0 ? last + r.end + 1 : r.end;

	return t->tm_mday >= beg && t->tm_mday <= end;
}

static bool range_holds(enum time_field field, struct time_range r, const struct tm *t)
{
	int minutes = t->tm_hour * 60 + t->tm_min;

	switch (field) {
	case TIME_MINUTES:
		return minutes >= r.beg && minutes < r.end;
	case TIME_WEEKDAYS:
		return t->tm_wday >= r.beg && t->tm_wday <= r.end;
	case TIME_DAYS:
		return day_holds(r, t);
	case TIME_MONTHS:
		return t->tm_mon + 1 >= r.beg && t->tm_mon + 1 <= r.end;
	case TIME_YEARS:
		return t->tm_year + 1900 >= r.beg && t->tm_year + 1900 <= r.end;
	}
	return false;
}

static bool interval_holds(const struct time_interval *v, int64_t now_ms)
{
	int32_t offset_s = v->zone != NULL ? tz_offset_s(v->zone, now_ms, NULL) : 0;
	time_t local = (time_t)(now_ms / 1000 + offset_s);
	struct tm t;

	gmtime_r(&local, &t);
	for (enum time_field f = 0; f < TIME_FIELDS; f++) {
		bool holds = v->fields[f].n == 0;

		for (size_t i = 0; i < v->fields[f].n && !holds; i++)
			holds = range_holds(f, v->fields[f].v[i], &t);
		if (!holds)
			return false;
	}
	return true;
}

bool time_interval_holds(const struct named_interval *named, int64_t now_ms)
{
	for (size_t i = 0; i < named->n; i++)
		if (interval_holds(&named->v[i], now_ms))
			return true;
	return false;
}
