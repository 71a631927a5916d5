/* 2026-11-23 13:37:56.091667+00, 0044-03-15 BC, 2026-11-23, infinity. */
#include "gauges/timestamp.h"

#include <math.h>
#include <time.h>

/* Takes a number of <min> to <max> digits off the front. */
static bool take_number(struct str *s, size_t min, size_t max, int *v)
{
	size_t n = 0;

	for (*v = 0; n < max && n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*v = *v * 10 + (s->p[n] - '0');
	*s = (struct str){ s->p + n, s->n - n };
	return n >= min;
}

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

/* -mm-dd, behind the year */
static bool take_day(struct str *s, struct tm *tm)
{
	if (!take_char(s, '-') || !take_number(s, 2, 2, &tm->tm_mon) || !take_char(s, '-') || !take_number(s, 2, 2, &tm->tm_mday))
		return false;
	tm->tm_mon--;
	return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31;
}

/* " hh:mm:ss[.f…]", of which a date has nothing. */
static bool take_time(struct str *s, struct tm *tm, double *fraction)
{
	double scale = 0.1;
	int digit;

	if (s->n < 2 || s->p[0] != ' ' || s->p[1] == 'B')
		return true;
	if (!take_char(s, ' ') || !take_number(s, 2, 2, &tm->tm_hour) || !take_char(s, ':') || !take_number(s, 2, 2, &tm->tm_min)
	 || !take_char(s, ':') || !take_number(s, 2, 2, &tm->tm_sec))
		return false;
	if (take_char(s, '.'))
		for (; take_number(s, 1, 1, &digit); scale /= 10)
			*fraction += digit * scale;
	return tm->tm_hour <= 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* [+-]hh[:mm[:ss]] */
static bool take_offset(struct str *s, int *seconds)
{
	const bool west = s->n > 0 && s->p[0] == '-';
	int hours, minutes = 0, rest = 0;

	*seconds = 0;
	if (!take_char(s, '-') && !take_char(s, '+'))
		return true;
	if (!take_number(s, 2, 2, &hours) || (take_char(s, ':') && !take_number(s, 2, 2, &minutes))
	 || (take_char(s, ':') && !take_number(s, 2, 2, &rest)))
		return false;
	*seconds = (hours * 3600 + minutes * 60 + rest) * (west ? -1 : 1);
	return true;
}

bool pg_timestamp_seconds(struct str text, double *seconds)
{
	struct tm tm = { 0 };
	double fraction = 0;
	int offset;

	if (str_eq(text, STR("infinity")) || str_eq(text, STR("-infinity"))) {
		*seconds = text.p[0] == '-' ? -(double)INFINITY : (double)INFINITY;
		return true;
	}
	if (!take_number(&text, 4, 7, &tm.tm_year) || !take_day(&text, &tm) || !take_time(&text, &tm, &fraction)
	 || !take_offset(&text, &offset))
		return false;
	if (str_eq(text, STR(" BC"))) {
		tm.tm_year = 1 - tm.tm_year;            /* 1 BC is the year 0 */
		text.n = 0;
	}
	tm.tm_year -= 1900;
	*seconds = (double)timegm(&tm) - offset + fraction;
	return text.n == 0;
}
