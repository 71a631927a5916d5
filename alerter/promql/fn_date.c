/* Parts of a date, in UTC, of the timestamps in a vector, or of the evaluation time. */
#include "eval.h"
#include "functions_bodies.h"

struct date {
	int64_t year;
	int month, day, day_of_week, day_of_year, hour, minute;
};

enum { DAY_S = 86400, DAYS_400_YEARS = 146097 };

/* What Prometheus makes of NaN, infinities and all that no 64-bit time can hold: the last moment one can. */
static const struct date beyond = { 292277026596, 12, 4, 0, 339, 15, 30 };

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

static struct date date_of(double seconds)
{
	struct date d = { .month = 1 };
	int64_t s, days, day;

	if (!(fabs(seconds) < 9.2e18))
		return beyond;
	s = (int64_t)seconds;
	days = s / DAY_S - (s % DAY_S < 0);
	s -= days * DAY_S;
	d.hour = (int)(s / 3600);
	d.minute = (int)(s / 60 % 60);
	d.day_of_week = (int)(((days + 4) % 7 + 7) % 7);        /* 1970 began on a Thursday */
	days += 719528;                                         /* from 1970 to the year 0, when a cycle of 400 years begins */
	day = (days % DAYS_400_YEARS + DAYS_400_YEARS) % DAYS_400_YEARS;
	d.year = (days - day) / DAYS_400_YEARS * 400;
	while (day >= 365 + is_leap(d.year))
		day -= 365 + is_leap(d.year++);
	d.day_of_year = (int)day + 1;
	while (day >= month_days(d.year, d.month))
		day -= month_days(d.year, d.month++);
	d.day = (int)day + 1;
	return d;
}

typedef double (*part_fn)(const struct date *);

static double date_part(double seconds, part_fn part)
{
	struct date d = date_of(seconds);

	return part(&d);
}

static void dates(struct eval_call *c, part_fn part)
{
	struct value *x;

	if (c->n_args == 0) {
		c->result = x = value_scalar(c->ev);
		if (x == NULL)
			return;
		x->type = PROMQL_VECTOR;
		for (size_t step = 0; step < x->n_steps && eval_works(c->ev, 1); step++)
			x->v[step] = date_part((double)step_at(&c->ev->steps, step) / 1000, part);
		return;
	}
	x = c->args[0];
	for (size_t i = 0; i < value_cells(x) && eval_works(c->ev, 1); i++) {
		x->has[i] = value_is_float(x, i);
		if (x->has[i])
			x->v[i] = date_part(x->v[i], part);
	}
	c->result = value_drop_names(c->ev, c->node, x);
}

static double year(const struct date *d)
{
	return (double)d->year;
}

static double month(const struct date *d)
{
	return d->month;
}

static double day_of_month(const struct date *d)
{
	return d->day;
}

static double day_of_week(const struct date *d)
{
	return d->day_of_week;
}

static double day_of_year(const struct date *d)
{
	return d->day_of_year;
}

static double hour(const struct date *d)
{
	return d->hour;
}

static double minute(const struct date *d)
{
	return d->minute;
}

static double days_in_month(const struct date *d)
{
	return month_days(d->year, d->month);
}

#define BODY(name) \
	void fn_##name(struct eval_call *c) \
	{ \
		dates(c, name); \
	}

BODY(year)
BODY(month)
BODY(day_of_month)
BODY(day_of_week)
BODY(day_of_year)
BODY(days_in_month)
BODY(hour)
BODY(minute)
