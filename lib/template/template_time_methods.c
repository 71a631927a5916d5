/* The methods that templates call on a time and on a duration. Source: Go's package time; what answers with two values, or wants a
 * Location, is not there. */
#include <stdlib.h>
#include <time.h>

#include "template_ast.h"
#include "tocsin/tz.h"

#define NS_PER_MS    1000000

/* ---- Of a time ---- */

static bool time_format(struct template_call *c)
{
	struct buf b = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct str layout;

	if (!template_arg_str(c, 0, &layout))
		return false;
	template_time_format(&b, c->self.t, layout);
	return template_answer(c, &b);
}

static bool time_string(struct template_call *c)
{
	struct buf b = { 0 };

	template_print_arg(&b, c->self);
	return template_answer(c, &b);
}

static bool time_utc(struct template_call *c)
{
	c->out = template_time_utc(c->self.t.ms);
	return true;
}

static bool time_unix(struct template_call *c)
{
	c->out = template_int(c->self.t.ms / 1000 - (c->self.t.ms % 1000 < 0));
	return true;
}

static bool time_unix_milli(struct template_call *c)
{
	c->out = template_int(c->self.t.ms);
	return true;
}

static bool time_unix_micro(struct template_call *c)
{
	c->out = template_int(c->self.t.ms * 1000);
	return true;
}

static bool time_unix_nano(struct template_call *c)
{
	c->out = template_int((int64_t)((uint64_t)c->self.t.ms * NS_PER_MS));   /* before 1678 it wraps, as in Go */
	return true;
}

static bool time_is_zero(struct template_call *c)
{
	c->out = template_bool(c->self.t.ms == TEMPLATE_ZERO_TIME_MS);
	return true;
}

/* The moment as its zone writes it. */
static struct tm fields(const struct template_call *c)
{
	int64_t local = c->self.t.ms + (int64_t)c->self.t.offset_s * 1000;
	time_t s = (time_t)(local / 1000 - (local % 1000 < 0));
	struct tm tm = { 0 };

	(void)gmtime_r(&s, &tm);
	return tm;
}

static struct template_value named(int64_t i, const char *const *names)
{
	return (struct template_value){ .kind = TEMPLATE_INT, .i = i, .names = names };
}

static bool time_year(struct template_call *c)
{
	c->out = template_int(fields(c).tm_year + 1900);
	return true;
}

static bool time_month(struct template_call *c)
{
	c->out = named(fields(c).tm_mon + 1, template_months);
	return true;
}

static bool time_weekday(struct template_call *c)
{
	c->out = named(fields(c).tm_wday, template_days);
	return true;
}

static bool time_day(struct template_call *c)
{
	c->out = template_int(fields(c).tm_mday);
	return true;
}

static bool time_year_day(struct template_call *c)
{
	c->out = template_int(fields(c).tm_yday + 1);
	return true;
}

static bool time_hour(struct template_call *c)
{
	c->out = template_int(fields(c).tm_hour);
	return true;
}

static bool time_minute(struct template_call *c)
{
	c->out = template_int(fields(c).tm_min);
	return true;
}

static bool time_second(struct template_call *c)
{
	c->out = template_int(fields(c).tm_sec);
	return true;
}

static bool time_nanosecond(struct template_call *c)
{
	c->out = template_int((c->self.t.ms % 1000 + 1000) % 1000 * NS_PER_MS);
	return true;
}

bool template_time_in(struct template_call *c, struct template_time *t, struct str zone)
{
	struct tz *z = tz_load(zone, c->e);
	struct str abbreviation;

	if (z == NULL)
		return false;
	t->offset_s = tz_offset_s(z, t->ms, &abbreviation);
	t->zone = arena_str(c->arena, abbreviation);
	tz_free(z);
	return true;
}

static bool time_local(struct template_call *c)
{
	c->out = c->self;
	return template_time_in(c, &c->out.t, STR("Local"));
}

static bool arg_time(struct template_call *c, int64_t *out_ms)
{
	*out_ms = c->args[0].t.ms;
	return c->args[0].kind == TEMPLATE_TIME ||
	       err_set(c->e, ERR_EXEC, -1, "wrong type for value; expected time.Time; got %s", template_type_name(c->args[0]));
}

static bool arg_duration(struct template_call *c, int64_t *out_ns)
{
	*out_ns = c->args[0].i;
	return c->args[0].kind == TEMPLATE_DURATION || c->args[0].kind == TEMPLATE_INT ||
	       err_set(c->e, ERR_EXEC, -1, "wrong type for value; expected time.Duration; got %s", template_type_name(c->args[0]));
}

static struct template_value duration(int64_t ns)
{
	return (struct template_value){ .kind = TEMPLATE_DURATION, .i = ns };
}

/* The most a duration can be where the moments lie further apart. */
int64_t template_time_between(int64_t from_ms, int64_t to_ms)
{
	int64_t ns;

	if (__builtin_mul_overflow(to_ms - from_ms, (int64_t)NS_PER_MS, &ns))
		return to_ms < from_ms ? INT64_MIN : INT64_MAX;
	return ns;
}

static bool time_sub(struct template_call *c)
{
	int64_t ms;

	if (!arg_time(c, &ms))
		return false;
	c->out = duration(template_time_between(ms, c->self.t.ms));
	return true;
}

static bool time_add(struct template_call *c)
{
	int64_t ns;

	if (!arg_duration(c, &ns))
		return false;
	c->out = c->self;
	c->out.t.ms += ns / NS_PER_MS;
	return true;
}

/* A multiple of <unit>: the one below, or, <half> of it later, the nearest. */
static bool cut_time(struct template_call *c, bool nearest)
{
	int64_t unit, ms = c->self.t.ms - TEMPLATE_ZERO_TIME_MS;   /* Go truncates from there */

	if (!arg_duration(c, &unit))
		return false;
	unit /= NS_PER_MS;
	c->out = c->self;
	if (unit > 0)
		c->out.t.ms += (nearest && ms % unit >= unit - ms % unit ? unit : 0) - ms % unit;
	return true;
}

static bool time_truncate(struct template_call *c)
{
	return cut_time(c, false);
}

static bool time_round(struct template_call *c)
{
	return cut_time(c, true);
}

static bool compare_times(struct template_call *c, int64_t *order)
{
	int64_t ms;

	if (!arg_time(c, &ms))
		return false;
	*order = (c->self.t.ms > ms) - (c->self.t.ms < ms);
	return true;
}

static bool time_before(struct template_call *c)
{
	int64_t order;

	if (!compare_times(c, &order))
		return false;
	c->out = template_bool(order < 0);
	return true;
}

static bool time_after(struct template_call *c)
{
	int64_t order;

	if (!compare_times(c, &order))
		return false;
	c->out = template_bool(order > 0);
	return true;
}

static bool time_equal(struct template_call *c)
{
	int64_t order;

	if (!compare_times(c, &order))
		return false;
	c->out = template_bool(order == 0);
	return true;
}

static bool time_compare(struct template_call *c)
{
	int64_t order;

	if (!compare_times(c, &order))
		return false;
	c->out = template_int(order);
	return true;
}

static const struct template_func time_methods[] = {
	{ "Add", 1, 1, time_add },
	{ "After", 1, 1, time_after },
	{ "Before", 1, 1, time_before },
	{ "Compare", 1, 1, time_compare },
	{ "Day", 0, 0, time_day },
	{ "Equal", 1, 1, time_equal },
	{ "Format", 1, 1, time_format },
	{ "Hour", 0, 0, time_hour },
	{ "IsZero", 0, 0, time_is_zero },
	{ "Local", 0, 0, time_local },
	{ "Minute", 0, 0, time_minute },
	{ "Month", 0, 0, time_month },
	{ "Nanosecond", 0, 0, time_nanosecond },
	{ "Round", 1, 1, time_round },
	{ "Second", 0, 0, time_second },
	{ "String", 0, 0, time_string },
	{ "Sub", 1, 1, time_sub },
	{ "Truncate", 1, 1, time_truncate },
	{ "UTC", 0, 0, time_utc },
	{ "Unix", 0, 0, time_unix },
	{ "UnixMicro", 0, 0, time_unix_micro },
	{ "UnixMilli", 0, 0, time_unix_milli },
	{ "UnixNano", 0, 0, time_unix_nano },
	{ "Weekday", 0, 0, time_weekday },
	{ "Year", 0, 0, time_year },
	{ "YearDay", 0, 0, time_year_day },
};

const struct template_type template_time_type = {
	.name = "time.Time", .methods = time_methods, .n_methods = ARRAY_LEN(time_methods)
};

/* ---- Of a duration ---- */

static bool duration_hours(struct template_call *c)
{
	c->out = template_float((double)c->self.i / 3600e9);
	return true;
}

static bool duration_minutes(struct template_call *c)
{
	c->out = template_float((double)c->self.i / 60e9);
	return true;
}

static bool duration_seconds(struct template_call *c)
{
	c->out = template_float((double)c->self.i / 1e9);
	return true;
}

static bool duration_milliseconds(struct template_call *c)
{
	c->out = template_int(c->self.i / NS_PER_MS);
	return true;
}

static bool duration_microseconds(struct template_call *c)
{
	c->out = template_int(c->self.i / 1000);
	return true;
}

static bool duration_nanoseconds(struct template_call *c)
{
	c->out = template_int(c->self.i);
	return true;
}

static bool duration_truncate(struct template_call *c)
{
	int64_t unit;

	if (!arg_duration(c, &unit))
		return false;
	c->out = duration(unit > 0 ? c->self.i - c->self.i % unit : c->self.i);
	return true;
}

/* Halves go away from zero. */
static bool duration_round(struct template_call *c)
{
	int64_t unit, rest, ns = c->self.i;

	if (!arg_duration(c, &unit))
		return false;
	rest = unit > 0 ? llabs(ns % unit) : 0;
	ns -= unit > 0 ? ns % unit : 0;
	if (unit > 0 && rest >= unit - rest && llabs(ns) <= INT64_MAX - unit)
		ns += c->self.i < 0 ? -unit : unit;
	c->out = duration(ns);
	return true;
}

static bool duration_abs(struct template_call *c)
{
	c->out = duration(c->self.i == INT64_MIN ? INT64_MAX : llabs(c->self.i));
	return true;
}

static const struct template_func duration_methods[] = {
	{ "Abs", 0, 0, duration_abs },
	{ "Hours", 0, 0, duration_hours },
	{ "Microseconds", 0, 0, duration_microseconds },
	{ "Milliseconds", 0, 0, duration_milliseconds },
	{ "Minutes", 0, 0, duration_minutes },
	{ "Nanoseconds", 0, 0, duration_nanoseconds },
	{ "Round", 1, 1, duration_round },
	{ "Seconds", 0, 0, duration_seconds },
	{ "String", 0, 0, time_string },
	{ "Truncate", 1, 1, duration_truncate },
};

const struct template_type template_duration_type = {
	.name = "time.Duration", .methods = duration_methods, .n_methods = ARRAY_LEN(duration_methods)
};
