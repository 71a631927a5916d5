/* The only door to the time of day. Everything that needs time takes a <struct clock *>, so tests own time. */
#ifndef TOCSIN_CLOCK_H
#define TOCSIN_CLOCK_H

#include "tocsin/base.h"

struct clock {
	int64_t (*now_ms)(const struct clock *);        /* wall time since 1970 */
	int64_t (*mono_ms)(const struct clock *);       /* never steps; origin unspecified */
	int64_t wall, mono;                             /* what clock_manual() answers */
};

extern const struct clock clock_system;
/* A clock that stands still until <wall> and <mono> are changed. */
struct clock clock_manual(int64_t now_ms);

static inline int64_t clock_now_ms(const struct clock *c)
{
	return c->now_ms(c);
}

static inline int64_t clock_mono_ms(const struct clock *c)
{
	return c->mono_ms(c);
}

/* Tells steps of the wall clock; zeros before the first look. */
struct clock_skew {
	int64_t ms;                                     /* wall time - monotonic time at the last look */
	bool known;
};

/* By how much the wall clock stepped since the last look; 0: it did not, or by less than a second (it is slewed by that). */
int64_t clock_step_ms(struct clock_skew *, const struct clock *);
/* For a thread that looks once a second at least: whether it stood still for five seconds or more since the last look, as it does while the process is
 * stopped or the machine suspended, or the wall clock was put forward by as much. <*looked_ms>: wall time of the last look; 0: none yet. */
bool clock_leapt(int64_t *looked_ms, const struct clock *);

int64_t clock_mono_us(void);    /* for durations in self metrics */
/* "2026-11-22T20:00:00.000Z" (RFC 3339, UTC, milliseconds); returns the length (24). */
size_t clock_format_rfc3339(char out[32], int64_t ms);
bool clock_parse_rfc3339(const char *text, size_t n, int64_t *out_ms) MUST_CHECK;

#endif
