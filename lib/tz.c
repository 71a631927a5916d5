/* TZif files (RFC 8536): the 64-bit block's transitions, and behind the last one the rule in the footer. A file is read once and
 * checked as a whole; a zone never changes afterwards. */
#include "tocsin/tz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tocsin/buf.h"
#include "tocsin/mem.h"

#define MAX_FILE_BYTES (1u << 20)
#define DAY_S          86400

struct kind { /* of local time */
	int32_t offset_s;
	struct str abbreviation;
};

struct turn { /* of a rule: when in the year */
	enum { TURN_WEEKDAY, TURN_DAY, TURN_DAY_NO_LEAP } how;
	int month, week, day;
	int32_t time_s;
};

struct rule { /* the footer: EST5EDT,M3.2.0,M11.1.0 */
	bool present, has_dst;
	struct kind std, dst;
	struct turn begin, end; /* of daylight saving time */
};

struct tz {
	char *file;
	size_t n_turns, n_kinds;
	int64_t *turns;
	unsigned char *kind_of; /* behind each turn */
	struct kind *kinds;
	struct rule rule;
};

/* ---- The footer. ---- */

static int days_before(int year, int month)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return before[month] + (leap && month > 1);
}

/* Days from 1970-01-01 to the first of January of <year>. */
static int64_t days_of_year(int64_t year)
{
	int64_t y = year - 1;

	return 365 * (year - 1970) + (y / 4 - 492) - (y / 100 - 19) + (y / 400 - 4);
}

static bool number(const char **p, int *out)
{
	int v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p) && v < 10000; (*p)++)
		v = v * 10 + (**p - '0');
	*out = v;
	return true;
}

/* time := ['+'|'-'] hh [':' mm [':' ss]] */
static bool duration(const char **p, int32_t *out_s)
{
	int sign = **p == '-' ? -1 : 1, part[3] = {0};

	if (**p == '-' || **p == '+')
		(*p)++;
	for (size_t i = 0; i < 3; i++) {
		if (!number(p, &part[i]))
			return false;
		if (**p != ':')
			break;
		(*p)++;
	}
	*out_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

/* name := letters | '<' … '>' */
static bool name(const char **p, struct str *out)
{
	bool quoted = **p == '<';
	const char *beg = *p += quoted;

	while (quoted ? **p != '>' && **p != '\0' : isalpha((unsigned char)**p))
		(*p)++;
	*out = str_between(beg, *p);
	if (quoted && **p == '>')
		(*p)++;
	return out->n > 0;
}

/* date := 'M' month '.' week '.' weekday | 'J' day | day, each ['/' time] */
static bool read_turn(const char **p, struct turn *t)
{
	*t = (struct turn){.time_s = 2 * 3600};
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		(*p)++;
		if (!number(p, &t->month) || *(*p)++ != '.' || !number(p, &t->week) || *(*p)++ != '.' || !number(p, &t->day))
			return false;
		if (t->month < 1 || t->month > 12 || t->week < 1 || t->week > 5 || t->day > 6)
			return false;
	} else {
		t->how = **p == 'J' ? TURN_DAY_NO_LEAP : TURN_DAY;
		*p += **p == 'J';
		if (!number(p, &t->day))
			return false;
	}
	if (**p != '/')
		return true;
	(*p)++;
	return duration(p, &t->time_s);
}

static bool read_rule(const char *p, struct rule *r)
{
	if (!name(&p, &r->std.abbreviation) || !duration(&p, &r->std.offset_s))
		return false;
	r->present = true;
	r->std.offset_s = -r->std.offset_s;
	if (*p == '\0')
		return true;
	r->has_dst = name(&p, &r->dst.abbreviation);
	r->dst.offset_s = -(r->std.offset_s + 3600);
	if (r->has_dst && *p != ',' && !duration(&p, &r->dst.offset_s))
		return false;
	r->dst.offset_s = -r->dst.offset_s;
	return r->has_dst && read_turn(&p, &r->begin) && read_turn(&p, &r->end) && *p == '\0';
}

/* In seconds since 1970 of local time. */
static int64_t turn_at(const struct turn *t, int year)
{
	int64_t first = days_of_year(year), day;

	if (t->how == TURN_DAY)
		return (first + t->day) * DAY_S + t->time_s;
	if (t->how == TURN_DAY_NO_LEAP)
		return (first + t->day - 1 + (t->day >= 60 && days_before(year, 2) == 60)) * DAY_S + t->time_s;
	first += days_before(year, t->month - 1);
	day = first + (t->day - (first + 4) % 7 + 7) % 7 + (t->week - 1) * 7; /* 1970-01-01 was a Thursday */
	if (day >= days_of_year(year) + days_before(year, t->month))
		day -= 7;
	return day * DAY_S + t->time_s;
}

static int year_of(int64_t s)
{
	int64_t days = s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S), year = 1970 + days / 365;

	while (days_of_year(year) > days)
		year--;
	while (days_of_year(year + 1) <= days)
		year++;
	return (int)year;
}

static const struct kind *by_rule(const struct rule *r, int64_t s)
{
	int year = year_of(s + r->std.offset_s);
	int64_t begin, end;

	if (!r->has_dst)
		return &r->std;
	begin = turn_at(&r->begin, year) - r->std.offset_s;
	end = turn_at(&r->end, year) - r->dst.offset_s;
	if (begin < end)
		return s >= begin && s < end ? &r->dst : &r->std;
	return s >= begin || s < end ? &r->dst : &r->std;
}

/* ---- The file. ---- */

static int64_t big_endian(const char *p, size_t bytes)
{
	uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)p[i];
	return (int64_t)v;
}

struct header {
	size_t utc, std, leap, turns, kinds, chars;
};

static bool read_header(struct str *rest, struct header *h)
{
	const char *p = rest->p;

	if (rest->n < 44 || memcmp(p, "TZif", 4) != 0)
		return false;
	*h = (struct header){(uint32_t)big_endian(p + 20, 4), (uint32_t)big_endian(p + 24, 4), (uint32_t)big_endian(p + 28, 4),
			     (uint32_t)big_endian(p + 32, 4), (uint32_t)big_endian(p + 36, 4), (uint32_t)big_endian(p + 40, 4)};
	*rest = (struct str){p + 44, rest->n - 44};
	return h->kinds > 0 && h->kinds <= 256;
}

static size_t body_bytes(const struct header *h, size_t time_bytes)
{
	return h->turns * (time_bytes + 1) + h->kinds * 6 + h->chars + h->leap * (time_bytes + 4) + h->std + h->utc;
}

static bool read_body(struct tz *z, struct str rest, const struct header *h)
{
	const char *types = rest.p + h->turns * 9, *names = types + h->kinds * 6;

	z->n_turns = h->turns;
	z->n_kinds = h->kinds;
	z->turns = mem_alloc(h->turns * sizeof *z->turns + 1);
	z->kind_of = mem_alloc(h->turns + 1);
	z->kinds = mem_alloc(h->kinds * sizeof *z->kinds);
	for (size_t i = 0; i < h->turns; i++) {
		z->turns[i] = big_endian(rest.p + i * 8, 8);
		z->kind_of[i] = (unsigned char)rest.p[h->turns * 8 + i];
		if (z->kind_of[i] >= h->kinds)
			return false;
	}
	for (size_t i = 0; i < h->kinds; i++) {
		size_t at = (unsigned char)types[i * 6 + 5];

		if (at >= h->chars)
			return false;
		z->kinds[i] =
		    (struct kind){(int32_t)big_endian(types + i * 6, 4), {names + at, strnlen(names + at, h->chars - at)}};
	}
	return true;
}

static bool read_zone(struct tz *z, struct str rest)
{
	struct header h;
	char *end;

	if (!read_header(&rest, &h) || body_bytes(&h, 4) > rest.n)
		return false;
	rest = (struct str){rest.p + body_bytes(&h, 4), rest.n - body_bytes(&h, 4)};
	if (!read_header(&rest, &h) || body_bytes(&h, 8) > rest.n || !read_body(z, rest, &h))
		return false;
	rest = (struct str){rest.p + body_bytes(&h, 8), rest.n - body_bytes(&h, 8)};
	if (rest.n < 2 || rest.p[0] != '\n')
		return false;
	end = z->file + (rest.p - z->file) + 1;
	end[strcspn(end, "\n")] = '\0';
	return *end == '\0' || read_rule(end, &z->rule);
}

static bool is_plain_name(struct str s)
{
	bool plain = s.n > 0 && s.n < 100 && s.p[0] != '/' && str_find(s, STR("..")) == s.n;

	for (size_t i = 0; i < s.n; i++)
		plain = plain && s.p[i] != '\0' && (isalnum((unsigned char)s.p[i]) || strchr("/_+-", s.p[i]) != NULL);
	return plain;
}

static char *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rbe");
	char *text = f != NULL ? mem_alloc(MAX_FILE_BYTES + 1) : NULL;

	if (f == NULL)
		return NULL;
	*n = fread(text, 1, MAX_FILE_BYTES, f);
	fclose(f);
	return text;
}

static bool load(struct tz *z, const char *path)
{
	size_t n = 0;

	z->file = read_file(path, &n);
	return z->file != NULL && read_zone(z, (struct str){z->file, n});
}

static bool load_named(struct tz *z, struct str zone)
{
	char path[160];

	snprintf(path, sizeof path, "/usr/share/zoneinfo/" STR_FMT, STR_ARG(zone));
	return is_plain_name(zone) && load(z, path);
}

/* As the environment says, then /etc/localtime, then UTC: what a system without that file has. */
static bool load_local(struct tz *z)
{
	const char *tz = getenv("TZ");

	if (tz == NULL)
		return access("/etc/localtime", F_OK) != 0 || load(z, "/etc/localtime");
	if (*tz == ':')
		tz++;
	return *tz == '\0' || (*tz == '/' ? load(z, tz) : str_eq(str_of(tz), STR("UTC")) || load_named(z, str_of(tz)));
}

struct tz *tz_load(struct str zone, struct err *e)
{
	struct tz *z = mem_alloc(sizeof *z);

	if (zone.n == 0 || str_eq(zone, STR("UTC")) || (str_eq(zone, STR("Local")) ? load_local(z) : load_named(z, zone)))
		return z;
	err_set(e, ERR_NOT_FOUND, -1,
		"\"" STR_FMT "\" is no time zone this system knows%s: write one such as Europe/Berlin (package tzdata)", STR_ARG(zone),
		str_eq(zone, STR("Local")) ? " (TZ and /etc/localtime)" : "");
	tz_free(z);
	return NULL;
}

void tz_free(struct tz *z)
{
	if (z == NULL)
		return;
	free(z->file);
	free(z->turns);
	free(z->kind_of);
	free(z->kinds);
	free(z);
}

static const struct kind *kind_at(const struct tz *z, int64_t s)
{
	size_t lo = 0, hi = z->n_turns;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (z->turns[mid] <= s)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == z->n_turns && z->rule.present)
		return by_rule(&z->rule, s);
	return lo > 0 ? &z->kinds[z->kind_of[lo - 1]] : &z->kinds[0];
}

int32_t tz_offset_s(const struct tz *z, int64_t ms, struct str *abbreviation)
{
	static const struct kind utc = {0, {"UTC", 3}};
	int64_t s = ms / 1000 - (ms % 1000 < 0);
	const struct kind *k = z->file != NULL ? kind_at(z, s) : &utc;

	if (abbreviation != NULL)
		*abbreviation = k->abbreviation;
	return k->offset_s;
}
