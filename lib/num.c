/* Numbers as text, the way Go prints them, since that is what Prometheus's formats show. */
#include "tocsin/num.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Go switches to an exponent here when it prints the shortest form: 999999 but 1e+06. */
#define PLAIN_BELOW 1e6

static size_t put_integer(char *out, int64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
	                            "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
	                            "9899";
	char tmp[24];
	size_t at = sizeof tmp, n;
	uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;

	for (; u >= 100; u /= 100)
		memcpy(tmp + (at -= 2), pairs + u % 100 * 2, 2);
	tmp[--at] = (char)('0' + u % 10);
	if (u >= 10)
		tmp[--at] = (char)('0' + u / 10);
	if (v < 0)
		tmp[--at] = '-';
	n = sizeof tmp - at;
	memcpy(out, tmp + at, n);
	out[n] = '\0';
	return n;
}

/* A number that people wrote or that counts microseconds has a few decimals: <v> * 10^k is then whole for a small k, and dividing
 * it again (both exact below 2^53, one rounding) is what strtod does. At most 15 digits, so none shorter reads back as the same.
 * 0: there is no such k. */
static int shortest_decimal(double v, char digits[20], int *exp10)
{
	double power = 1;

	for (int k = 1; k <= 6; k++) {
		power *= 10;
		const double whole = nearbyint(v * power);
		if (whole >= 1e15)
			return 0;
		if (whole >= 1 && whole / power == v) {
			const int n = (int)put_integer(digits, (int64_t)whole);
			*exp10 = n - k;
			return n;
		}
	}
	return 0;
}

__extension__ typedef unsigned __int128 wide;

/* 17 digits tell all numbers apart: <v> = m * 2^e is scaled to 17 digits before the point, exactly, and so are the middles between
 * it and its neighbours. Of the whole numbers between these (1 to 22) all read back as <v>; the one with the most zeros at its end
 * is the shortest, of several the nearest. Only where the product fits 128 bits: from 1e-5 to 1e15. 0: elsewhere. */
static int shortest_scaled(double v, char digits[20], int *exp10)
{
	static const uint64_t tens[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
		                         100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
		                         10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u };
	enum { IMPLIED = DBL_MANT_DIG - 1, BIAS = 1023 };
	wide exact, low, high, power;
	uint64_t m, first, last, found, unit;
	int e, k, shift, zeros = 0, n;

	if (v < 1e-5 || v >= 1e15)
		return 0;
	memcpy(&m, &v, sizeof m);
	e = (int)(m >> IMPLIED) - BIAS;
	m = (m & ((UINT64_C(1) << IMPLIED) - 1)) | UINT64_C(1) << IMPLIED;
	shift = IMPLIED - e + 2;                        /* v = 4m / 2^shift */
	k = 17 - (int)floor(e * 0.30102999566398);
	do {
		k--;
		power = k > 19 ? (wide)tens[19] * tens[k - 19] : tens[k];
		exact = 4 * (wide)m * power;
	} while (exact >> shift >= tens[17]);
	low = exact - (m == UINT64_C(1) << IMPLIED ? power : 2 * power);
	high = exact + 2 * power;
	if (m % 2 != 0) {                               /* the middle reads as the even neighbour */
		low++;
		high--;
	}
	first = (uint64_t)((low + ((wide)1 << shift) - 1) >> shift);
	last = (uint64_t)(high >> shift);
	if (first > last || first < tens[16] || last >= tens[17])
		return 0;
	while (last - last % tens[zeros + 1] >= first)
		zeros++;
	unit = tens[zeros];
	found = (uint64_t)(exact >> shift);
	found -= found % unit;
	low = 2 * (exact - ((wide)found << shift));
	high = (wide)unit << shift;
	if (found < first || (found + unit <= last && (low > high || (low == high && found / unit % 2 != 0))))
		found += unit;
	n = (int)put_integer(digits, (int64_t)(found / unit));
	*exp10 = n + zeros - k;
	return n;
}

/* The shortest decimal digits that read back as <v> (> 0, finite): digits without point or sign in <digits>, and the
 * exponent of 0.d1d2d3… * 10^exp. Returns the number of digits. 15 digits suffice for most numbers people write. */
static int shortest(double v, char digits[20], int *exp10)
{
	char text[40];
	int n = 0;

	if (v < 1e15 && v == (double)(int64_t)v) {
		n = *exp10 = (int)put_integer(digits, (int64_t)v);
		while (n > 1 && digits[n - 1] == '0')
			n--;
		return n;
	}
	n = shortest_decimal(v, digits, exp10);
	if (n == 0)
		n = shortest_scaled(v, digits, exp10);
	if (n > 0)
		return n;
	/* Denormals have fewer digits than 15 to begin with. */
	for (int precision = v < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, v);
		if (precision == 16 || strtod(text, NULL) == v)
			break;
	}
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			digits[n++] = *p;
	*exp10 = atoi(strchr(text, 'e') + 1) + 1;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

static size_t put_special(char *out, double v)
{
	const char *z = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";

	return (size_t)sprintf(out, "%s", z);
}

/* Plain decimal: digits with the point after <exp10> of them. */
static size_t put_plain(char *out, const char *digits, int n, int exp10)
{
	char *p = out;

	if (exp10 <= 0) {
		*p++ = '0';
		*p++ = '.';
		for (int i = exp10; i < 0; i++)
			*p++ = '0';
		exp10 = 0;
		memcpy(p, digits, (size_t)n);
		p += n;
	} else {
		for (int i = 0; i < exp10 || i < n; i++) {
			if (i == exp10)
				*p++ = '.';
			*p++ = i < n ? digits[i] : '0';
		}
	}
	*p = '\0';
	return (size_t)(p - out);
}

static size_t put_exponent(char *out, const char *digits, int n, int exp10)
{
	char *p = out;
	int e = exp10 - 1;

	*p++ = digits[0];
	if (n > 1) {
		*p++ = '.';
		memcpy(p, digits + 1, (size_t)n - 1);
		p += n - 1;
	}
	*p++ = 'e';
	*p++ = e < 0 ? '-' : '+';
	if (abs(e) < 10)
		*p++ = '0';
	return (size_t)(p - out) + put_integer(p, abs(e));
}

static size_t format(char *out, double v, bool exponent_allowed)
{
	char digits[20];
	size_t sign = 0;
	int n, exp10;

	if (!isfinite(v))
		return put_special(out, v);
	if (fabs(v) < (exponent_allowed ? PLAIN_BELOW : 1e15) && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
		return put_integer(out, (int64_t)v);
	if (signbit(v)) {
		out[sign++] = '-';
		v = -v;
	}
	if (v == 0)
		return sign + (size_t)sprintf(out + sign, "0");
	n = shortest(v, digits, &exp10);
	if (exponent_allowed && (v < 1e-4 || v >= PLAIN_BELOW))
		return sign + put_exponent(out + sign, digits, n, exp10);
	return sign + put_plain(out + sign, digits, n, exp10);
}

size_t num_format(char out[NUM_MAX], double v)
{
	return format(out, v, true);
}

size_t num_format_fixed(char *out, double v)
{
	return format(out, v, false);
}

size_t num_format_js(char out[NUM_MAX], double v)
{
	return format(out, v, v != 0 && isfinite(v) && (fabs(v) < 1e-6 || fabs(v) >= 1e21));
}

size_t num_format_seconds(char out[NUM_MAX], int64_t ms)
{
	unsigned frac = (unsigned)llabs(ms % 1000);
	size_t n = 0;

	if (ms < 0 && ms > -1000)
		out[n++] = '-';
	n += put_integer(out + n, ms / 1000);
	if (frac == 0)
		return n;
	out[n++] = '.';
	for (unsigned unit = 100; frac > 0; frac %= unit, unit /= 10)
		out[n++] = (char)('0' + frac / unit);
	out[n] = '\0';
	return n;
}

static const struct {
	struct str name;
	int64_t ms;
} units[] = {
	{ { "y", 1 }, 365LL * 86400000 }, { { "w", 1 }, 7LL * 86400000 }, { { "d", 1 }, 86400000 }, { { "h", 1 }, 3600000 },
	{ { "m", 1 }, 60000 },           { { "s", 1 }, 1000 },           { { "ms", 2 }, 1 },
};

static size_t take_digits(struct str s, int64_t *out)
{
	size_t n = 0;

	*out = 0;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') {
		if (n == 18)
			return 0;
		*out = *out * 10 + (s.p[n++] - '0');
	}
	return n;
}

bool num_parse_duration_ms(struct str s, int64_t *out_ms)
{
	int64_t total = 0;
	size_t row = 0;

	if (str_eq(s, STR("0"))) {
		*out_ms = 0;
		return true;
	}
	if (s.n == 0)
		return false;
	while (s.n > 0) {
		int64_t count, ms;
		size_t digits = take_digits(s, &count), letters = 0;
		struct str unit;

		if (digits == 0)
			return false;
		s = (struct str){ s.p + digits, s.n - digits };
		while (letters < s.n && s.p[letters] >= 'a' && s.p[letters] <= 'z')
			letters++;
		unit = (struct str){ s.p, letters };
		while (row < ARRAY_LEN(units) && !str_eq(units[row].name, unit))
			row++;
		if (row == ARRAY_LEN(units) || __builtin_mul_overflow(count, units[row].ms, &ms) ||
		    __builtin_add_overflow(total, ms, &total))
			return false;
		row++;
		s = (struct str){ s.p + letters, s.n - letters };
	}
	*out_ms = total;
	return total <= INT64_MAX / 1000000;
}

/* Prometheus prints years and weeks only where they divide the rest exactly. */
size_t num_format_duration(char out[NUM_MAX], int64_t ms)
{
	size_t n = 0;

	if (ms == 0)
		return (size_t)sprintf(out, "0s");
	if (ms < 0) {
		out[n++] = '-';
		ms = -ms;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (ms < units[i].ms || (i < 2 && ms % units[i].ms != 0))
			continue;
		n += (size_t)snprintf(out + n, NUM_MAX - n, "%lld%.*s", (long long)(ms / units[i].ms), STR_ARG(units[i].name));
		ms %= units[i].ms;
	}
	return n;
}

bool num_parse_yaml_int(struct str s, int64_t *out)
{
	char z[72], *digits, *end;
	size_t n = 0;
	int base = 0;

	if (s.n >= sizeof z)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_')
			z[n++] = s.p[i];
	z[n] = '\0';
	digits = z + (z[0] == '-' || z[0] == '+');
	if (digits[0] == '0' && (digits[1] == 'b' || digits[1] == 'o')) {
		base = digits[1] == 'b' ? 2 : 8;
		memmove(digits, digits + 2, strlen(digits + 2) + 1);
	}
	if (!isxdigit((unsigned char)digits[0]))
		return false;
	errno = 0;
	*out = strtoll(z, &end, base);
	return *end == '\0' && errno == 0;
}

bool num_parse_bytes(struct str s, int64_t *out)
{
	static const char prefixes[] = "KMGTPE";
	int64_t count;
	size_t digits = take_digits(s, &count), more;
	struct str unit = { s.p + digits, s.n - digits };
	double part = 0;
	int shift = 0;

	if (digits == 0)
		return false;
	if (unit.n > 0 && unit.p[0] == '.') {
		for (more = 1; more < unit.n && unit.p[more] >= '0' && unit.p[more] <= '9';)
			more++;
		if (more == unit.n || !str_to_decimal((struct str){ unit.p, more }, &part))
			return false;
		unit = (struct str){ unit.p + more, unit.n - more };
	}
	if (unit.n > 0) {
		const char *hit = memchr(prefixes, unit.p[0], sizeof prefixes - 1);

		if (hit != NULL) {
			shift = 10 * (int)(hit - prefixes + 1);
			unit = (struct str){ unit.p + 1, unit.n - 1 };
			if (unit.n > 0 && unit.p[0] == 'i')
				unit = (struct str){ unit.p + 1, unit.n - 1 };
		}
		if (!str_eq(unit, STR("B")))
			return false;
	}
	if (shift > 0 && count > (INT64_MAX >> shift))
		return false;
	*out = (count << shift) + (int64_t)(part * (double)((int64_t)1 << shift));
	return *out >= 0;
}
