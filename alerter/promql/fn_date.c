/* Parts of a date, in UTC, of the timestamps in a vector, or of the evaluation time. */
#include <time.h>

#include "eval.h"
#include "functions_bodies.h"

/* Beyond what gmtime_r can hold the date of the farthest year is taken. */
#define DATE_MAX_S 6e16

static double date_part(double seconds, double (*part)(const struct tm *))
{
	struct tm tm = { 0 };
	time_t t;

	if (isnan(seconds))
		seconds = -DATE_MAX_S;
	t = (time_t)fmin(fmax(trunc(seconds), -DATE_MAX_S), DATE_MAX_S);
	return gmtime_r(&t, &tm) == NULL ? NAN : part(&tm);
}

static void dates(struct eval_call *c, double (*part)(const struct tm *))
{
	struct value *x;

	if (c->n_args == 0) {
		c->result = x = value_scalar(c->ev);
		if (x == NULL)
			return;
		x->type = PROMQL_VECTOR;
		for (size_t step = 0; step < x->n_steps; step++)
			x->v[step] = date_part((double)step_at(&c->ev->steps, step) / 1000, part);
		return;
	}
	x = c->args[0];
	for (size_t i = 0; i < value_cells(x); i++) {
		x->has[i] = value_is_float(x, i);
		if (x->has[i])
			x->v[i] = date_part(x->v[i], part);
	}
	c->result = value_drop_names(c->ev, c->node, x);
}

static double year(const struct tm *t)
{
	return (double)t->tm_year + 1900;
}

static double month(const struct tm *t)
{
	return t->tm_mon + 1;
}

static double day_of_month(const struct tm *t)
{
	return t->tm_mday;
}

static double day_of_week(const struct tm *t)
{
	return t->tm_wday;
}

static double day_of_year(const struct tm *t)
{
	return t->tm_yday + 1;
}

static double hour(const struct tm *t)
{
	return t->tm_hour;
}

static double minute(const struct tm *t)
{
	return t->tm_min;
}

static double days_in_month(const struct tm *t)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y = t->tm_year + 1900;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[t->tm_mon] + (leap && t->tm_mon == 1);
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
