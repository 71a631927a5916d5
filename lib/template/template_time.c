/* Times and durations as templates print them: Go's layouts and its Duration.String. */
#include "tocsin/template.h"

#include <stdio.h>
#include <time.h>

#include "template_ast.h"

const char *const template_months[] = { NULL, "January", "February", "March", "April", "May", "June", "July", "August", "September",
                                      "October", "November", "December" };
const char *const template_days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

enum piece {
	PIECE_MONTH_LONG, PIECE_MONTH_SHORT, PIECE_MONTH, PIECE_MONTH_2, PIECE_DAY_LONG, PIECE_DAY_SHORT, PIECE_DAY, PIECE_DAY_SPACE,
	PIECE_DAY_2, PIECE_YEAR_DAY, PIECE_HOUR, PIECE_HOUR12, PIECE_HOUR12_2, PIECE_MINUTE, PIECE_MINUTE_2, PIECE_SECOND,
	PIECE_SECOND_2, PIECE_YEAR, PIECE_YEAR_2, PIECE_PM, PIECE_PM_SMALL, PIECE_ZONE, PIECE_Z_COLON, PIECE_Z, PIECE_OFFSET_COLON,
	PIECE_OFFSET, PIECE_OFFSET_HOUR,
};

/* Longer ones before those they begin with. */
static const struct { const char *text; enum piece piece; } pieces[] = {
	{ "January", PIECE_MONTH_LONG }, { "Jan", PIECE_MONTH_SHORT }, { "Monday", PIECE_DAY_LONG }, { "Mon", PIECE_DAY_SHORT },
	{ "MST", PIECE_ZONE }, { "2006", PIECE_YEAR }, { "Z07:00", PIECE_Z_COLON }, { "Z0700", PIECE_Z },
	{ "-07:00", PIECE_OFFSET_COLON }, { "-0700", PIECE_OFFSET }, { "-07", PIECE_OFFSET_HOUR }, { "002", PIECE_YEAR_DAY },
	{ "01", PIECE_MONTH_2 }, { "02", PIECE_DAY_2 }, { "03", PIECE_HOUR12_2 }, { "04", PIECE_MINUTE_2 }, { "05", PIECE_SECOND_2 },
	{ "06", PIECE_YEAR_2 }, { "15", PIECE_HOUR }, { "_2", PIECE_DAY_SPACE }, { "PM", PIECE_PM }, { "pm", PIECE_PM_SMALL },
	{ "1", PIECE_MONTH }, { "2", PIECE_DAY }, { "3", PIECE_HOUR12 }, { "4", PIECE_MINUTE }, { "5", PIECE_SECOND },
};

static void put_offset(struct buf *b, int32_t offset_s, const char *colon, bool minutes)
{
	int32_t minute = (offset_s < 0 ? -offset_s : offset_s) / 60;

	buf_printf(b, "%c%02d", offset_s < 0 ? '-' : '+', minute / 60);
	if (minutes)
		buf_printf(b, "%s%02d", colon, minute % 60);
}

static void put_zone(struct buf *b, struct template_time t)
{
	if (t.zone.n > 0)
		buf_puts(b, t.zone);
	else if (t.offset_s == 0)
		buf_putz(b, "UTC");
	else
		put_offset(b, t.offset_s, "", t.offset_s % 3600 != 0);
}

static void put_clock(struct buf *b, enum piece piece, const struct tm *tm)
{
	int hour12 = tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12;

	switch (piece) {
	case PIECE_HOUR:
		buf_printf(b, "%02d", tm->tm_hour);
		break;
	case PIECE_HOUR12:
		buf_printf(b, "%d", hour12);
		break;
	case PIECE_HOUR12_2:
		buf_printf(b, "%02d", hour12);
		break;
	case PIECE_MINUTE:
		buf_printf(b, "%d", tm->tm_min);
		break;
	case PIECE_MINUTE_2:
		buf_printf(b, "%02d", tm->tm_min);
		break;
	case PIECE_SECOND:
		buf_printf(b, "%d", tm->tm_sec);
		break;
	case PIECE_SECOND_2:
		buf_printf(b, "%02d", tm->tm_sec);
		break;
	default:
		buf_putz(b, piece == PIECE_PM ? (tm->tm_hour < 12 ? "AM" : "PM") : tm->tm_hour < 12 ? "am" : "pm");
	}
}

static void put_date(struct buf *b, enum piece piece, const struct tm *tm)
{
	switch (piece) {
	case PIECE_MONTH_LONG:
		buf_putz(b, template_months[tm->tm_mon + 1]);
		break;
	case PIECE_MONTH_SHORT:
		buf_printf(b, "%.3s", template_months[tm->tm_mon + 1]);
		break;
	case PIECE_MONTH:
		buf_printf(b, "%d", tm->tm_mon + 1);
		break;
	case PIECE_MONTH_2:
		buf_printf(b, "%02d", tm->tm_mon + 1);
		break;
	case PIECE_DAY_LONG:
		buf_putz(b, template_days[tm->tm_wday]);
		break;
	case PIECE_DAY_SHORT:
		buf_printf(b, "%.3s", template_days[tm->tm_wday]);
		break;
	case PIECE_DAY:
		buf_printf(b, "%d", tm->tm_mday);
		break;
	case PIECE_DAY_SPACE:
		buf_printf(b, "%2d", tm->tm_mday);
		break;
	case PIECE_DAY_2:
		buf_printf(b, "%02d", tm->tm_mday);
		break;
	case PIECE_YEAR_DAY:
		buf_printf(b, "%03d", tm->tm_yday + 1);
		break;
	case PIECE_YEAR:
		buf_printf(b, "%04d", tm->tm_year + 1900);
		break;
	default:
		buf_printf(b, "%02d", (tm->tm_year + 1900) % 100);
	}
}

static void put_piece(struct buf *b, enum piece piece, const struct tm *tm, struct template_time t)
{
	switch (piece) {
	case PIECE_ZONE:
		put_zone(b, t);
		break;
	case PIECE_Z_COLON:
	case PIECE_Z:
		if (t.offset_s == 0)
			buf_putc(b, 'Z');
		else
			put_offset(b, t.offset_s, piece == PIECE_Z ? "" : ":", true);
		break;
	case PIECE_OFFSET_COLON:
		put_offset(b, t.offset_s, ":", true);
		break;
	case PIECE_OFFSET:
		put_offset(b, t.offset_s, "", true);
		break;
	case PIECE_OFFSET_HOUR:
		put_offset(b, t.offset_s, "", false);
		break;
	default:
		if (piece >= PIECE_HOUR && piece <= PIECE_SECOND_2)
			put_clock(b, piece, tm);
		else if (piece == PIECE_PM || piece == PIECE_PM_SMALL)
			put_clock(b, piece, tm);
		else
			put_date(b, piece, tm);
	}
}

/* .000 keeps zeros, .999 drops those at the end; only where no further digit follows. Returns how much of the layout it used. */
static size_t put_fraction(struct buf *b, struct str layout, int64_t ms)
{
	char digits[16];
	size_t n = 1;

	if (layout.n < 2 || (layout.p[0] != '.' && layout.p[0] != ',') || (layout.p[1] != '0' && layout.p[1] != '9'))
		return 0;
	while (n < layout.n && layout.p[n] == layout.p[1])
		n++;
	if (n > 10 || (n < layout.n && layout.p[n] >= '0' && layout.p[n] <= '9'))
		return 0;
	snprintf(digits, sizeof digits, "%03d000000", (int)ms);
	digits[n - 1] = '\0';
	if (layout.p[1] == '9')
		for (size_t i = n - 1; i > 0 && digits[i - 1] == '0'; i--)
			digits[i - 1] = '\0';
	if (digits[0] != '\0')
		buf_printf(b, "%c%s", layout.p[0], digits);
	return n;
}

void template_time_format(struct buf *b, struct template_time t, struct str layout)
{
	int64_t local = t.ms + (int64_t)t.offset_s * 1000, ms = ((local % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((local - ms) / 1000);
	struct tm tm = { 0 };

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	while (layout.n > 0) {
		size_t used = put_fraction(b, layout, ms);

		for (size_t i = 0; i < ARRAY_LEN(pieces) && used == 0; i++)
			if (str_starts(layout, str_of(pieces[i].text))) {
				put_piece(b, pieces[i].piece, &tm, t);
				used = strlen(pieces[i].text);
			}
		if (used == 0) {
			buf_putc(b, layout.p[0]);
			used = 1;
		}
		layout = (struct str){ layout.p + used, layout.n - used };
	}
}

static void put_trimmed(struct buf *b, uint64_t whole, uint64_t fraction, int digits, const char *unit)
{
	char text[24];
	int n = digits;

	buf_printf(b, "%llu", (unsigned long long)whole);
	if (fraction > 0) {
		snprintf(text, sizeof text, "%0*llu", digits, (unsigned long long)fraction);
		while (n > 0 && text[n - 1] == '0')
			n--;
		buf_printf(b, ".%.*s", n, text);
	}
	buf_putz(b, unit);
}

void template_duration_format(struct buf *b, int64_t ns)
{
	uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, seconds = u / 1000000000;

	if (ns < 0)
		buf_putc(b, '-');
	if (u == 0)
		buf_putz(b, "0s");
	else if (u < 1000)
		put_trimmed(b, u, 0, 0, "ns");
	else if (u < 1000000)
		put_trimmed(b, u / 1000, u % 1000, 3, "\xc2\xb5s");
	else if (u < 1000000000)
		put_trimmed(b, u / 1000000, u % 1000000, 6, "ms");
	else {
		if (seconds >= 3600)
			buf_printf(b, "%lluh", (unsigned long long)(seconds / 3600));
		if (seconds >= 60)
			buf_printf(b, "%llum", (unsigned long long)(seconds / 60 % 60));
		put_trimmed(b, seconds % 60, u % 1000000000, 9, "s");
	}
}
