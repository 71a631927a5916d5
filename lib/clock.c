/* The system's clocks, and one that tests wind by hand. */
#include "tocsin/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_now(const struct clock *c)
{
	(void)c;
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono(const struct clock *c)
{
	(void)c;
	return read_ms(CLOCK_MONOTONIC);
}

const struct clock clock_system = { .now_ms = system_now, .mono_ms = system_mono };

static int64_t manual_now(const struct clock *c)
{
	return c->wall;
}

static int64_t manual_mono(const struct clock *c)
{
	return c->mono;
}

struct clock clock_manual(int64_t now_ms)
{
	return (struct clock){ .now_ms = manual_now, .mono_ms = manual_mono, .wall = now_ms, .mono = now_ms };
}

int64_t clock_step_ms(struct clock_skew *s, const struct clock *c)
{
	enum { LEAST_MS = 1000 };
	int64_t skew_ms = clock_now_ms(c) - clock_mono_ms(c), step_ms = s->known ? skew_ms - s->ms : 0;

	*s = (struct clock_skew){ skew_ms, true };
	return step_ms > -LEAST_MS && step_ms < LEAST_MS ? 0 : step_ms;
}

bool clock_leapt(int64_t *looked_ms, const struct clock *c)
{
	enum { LEAP_MS = 5000 };
	int64_t last_ms = *looked_ms;

	*looked_ms = clock_now_ms(c);
	return last_ms != 0 && *looked_ms - last_ms >= LEAP_MS;
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

size_t clock_format_rfc3339(char out[32], int64_t ms)
{
	int64_t frac = ((ms % 1000) + 1000) % 1000;
	time_t s = (time_t)((ms - frac) / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	return (size_t)snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	                        tm.tm_hour, tm.tm_min, tm.tm_sec, (int)frac);
}

/* Digits of the fraction beyond milliseconds are dropped. Returns how many characters it took. */
static size_t take_fraction(const char *p, int *ms)
{
	size_t n = 0;
	int scale = 100;

	*ms = 0;
	if (p[0] != '.')
		return 0;
	for (n = 1; p[n] >= '0' && p[n] <= '9'; n++) {
		*ms += (p[n] - '0') * scale;
		scale /= 10;
	}
	return n;
}

/* <shape>: 0 a digit, + a sign, the rest as it is; what lies behind it does not matter. */
static bool has_shape(const char *z, const char *shape)
{
	for (; *shape != '\0'; shape++, z++)
		if (*shape == '0' ? *z < '0' || *z > '9' : *shape == '+' ? *z != '+' && *z != '-' : *z != *shape)
			return false;
	return true;
}

bool clock_parse_rfc3339(const char *text, size_t n, int64_t *out_ms)
{
	char z[48];
	struct tm tm = { 0 };
	int ms, day, oh = 0, om = 0;
	time_t seconds;
	const char *p;

	if (n >= sizeof z)
		return false;
	memcpy(z, text, n);
	z[n] = '\0';
	if (!has_shape(z, "0000-00-00T00:00:00") ||
	    sscanf(z, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return false;
	p = z + strlen("0000-00-00T00:00:00");
	p += take_fraction(p, &ms);
	if (strcmp(p, "Z") != 0 && (!has_shape(p, "+00:00") || strlen(p) != 6 || sscanf(p + 1, "%2d:%2d", &oh, &om) != 2 || oh > 24 || om > 59))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	day = tm.tm_mday;
	seconds = timegm(&tm);
	*out_ms = (int64_t)seconds * 1000 + ms - (*p == '-' ? -1 : 1) * (int64_t)(oh * 60 + om) * 60000;
	return tm.tm_mday == day;       /* the month has such a day */
}
