/* Writing, reading and checking dense values. What is read may be hostile: sums are modulo 2^64, and every count is held against the bytes. */
#include "store/dense.h"

#include "store/bits.h"
#include "store/packed.h"
#include "store/varint.h"
#include "tocsin/querier.h"

enum { LINE, STEPS, CHANGES, PLAIN, WAY_SHIFT = 6, WIDTH = 0x3f };
enum { DECIMALS = 0x07, ENDED = 0x08, SOME_STALE = 0x10, FALLS = 0x20, WHOLE = 0x40 };
enum { FRACTION = 8, WORD_BITS = 57 };

_Static_assert((int)DENSE_MAX_BYTES <= (int)PACKED_MAX_BYTES, "values fit where packed_split() puts them");

/* ---- Digits ---- */

__extension__ typedef unsigned __int128 wide;

/* Of so many. */
static unsigned word_bits(uint64_t base, unsigned digits)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < digits; i++)
		most = most * base + base - 1;
	return bits_needed(most);
}

/* How many digits a word takes: a quotient is found by a multiplication, which is exact while word times base stays below 2^64. */
static unsigned digits_in(uint64_t base, unsigned width)
{
	unsigned n = 0;

	if (base < 2)
		return 0;
	if (width + bits_needed(base - 1) > 64 || width > WORD_BITS)
		return bits_needed(base - 1) <= width ? 1 : 0;
	for (uint64_t most = base - 1; most >> width == 0; most = most * base + base - 1)
		n++;
	return n;
}

static size_t digits_bits(const struct digits *d)
{
	return d->per_word == 0 ? 0 : (size_t)(d->n / d->per_word) * d->width + word_bits(d->base, d->n % d->per_word);
}

/* The width at which they take least. */
static struct digits fit(uint64_t base, unsigned n)
{
	struct digits best = { .n = n, .base = base };
	unsigned width[WORD_BITS + 1] = { 0 }, one = bits_needed(base - 1);
	size_t least = SIZE_MAX;
	uint64_t most = 0;

	for (unsigned k = 1; base > 1 && k <= WORD_BITS && (k == 1 || k <= n); k++) {
		most = most * base + base - 1;
		width[k] = bits_needed(most);
		if (k > 1 && (width[k] > WORD_BITS || width[k] + one > 64))
			break;
		if ((size_t)(n / k) * width[k] + width[n % k] >= least)
			continue;
		least = (size_t)(n / k) * width[k] + width[n % k];
		best.width = width[k];
		best.per_word = k;
	}
	return best;
}

static uint64_t word_at(const struct digits *d, unsigned word)
{
	unsigned left = d->n - word * d->per_word;
	unsigned bits = left >= d->per_word ? d->width : word_bits(d->base, left);

	return packed_get(d->words, (size_t)word * d->width, bits);
}

/* The lowest digit, which it takes from the word. */
static uint64_t take_digit(const struct digits *d, uint64_t *word)
{
	uint64_t all = *word;

	if (d->per_word == 1)
		return all;
	*word = (uint64_t)((wide)all * d->inverse >> 64);
	return all - *word * d->base;
}

static void read_digits(const struct digits *d, uint64_t *out)
{
	for (unsigned i = 0; i < d->n && d->per_word == 0; i++)
		out[i] = 0;
	for (unsigned i = 0, word = 0; i < d->n && d->per_word > 0; word++) {
		uint64_t rest = word_at(d, word);

		for (unsigned k = 0; k < d->per_word && i < d->n; k++)
			out[i++] = take_digit(d, &rest);
	}
}

/* Of digits [beg, end). */
static uint64_t sum_digits(const struct digits *d, unsigned beg, unsigned end)
{
	uint64_t sum = 0;

	for (unsigned i = beg; i < end && d->per_word > 0;) {
		unsigned word = i / d->per_word, k = i % d->per_word;
		uint64_t rest = word_at(d, word);

		for (unsigned skip = 0; skip < k; skip++)
			(void)take_digit(d, &rest);
		for (; k < d->per_word && i < end; k++, i++)
			sum += take_digit(d, &rest);
	}
	return sum;
}

static size_t write_digits(const struct digits *d, const uint64_t *v, unsigned char *out)
{
	for (unsigned beg = 0; beg < d->n && d->per_word > 0; beg += d->per_word) {
		unsigned left = d->n - beg, k = left < d->per_word ? left : d->per_word;
		unsigned bits = k == d->per_word ? d->width : word_bits(d->base, k);
		uint64_t word = 0;

		while (k-- > 0)
			word = word * d->base + v[beg + k];
		packed_put(out, (size_t)(beg / d->per_word) * d->width, word, bits);
	}
	return (digits_bits(d) + 7) / 8;
}

/* ---- Writing ---- */

/* One way to tell the values. */
struct told {
	unsigned way;
	int64_t first, step;
	uint64_t digit[PACKED_MAX];
	unsigned char place[PACKED_MAX];
	struct digits digits;
	size_t bits;
};

static unsigned char *put_number(unsigned char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

static unsigned char *put_signed(unsigned char *p, int64_t v)
{
	return put_number(p, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static bool is_whole(int64_t slope)
{
	return (slope & ((1 << PACKED_FRACTION) - 1)) == 0;
}

static void by_line(const struct dense_values *from, unsigned n, bool level, struct told *to)
{
	bool skip = from->n_stale > 0 && n == from->n;
	uint64_t range;
	struct packed_line line = packed_fit(from->v, skip ? from->stale : NULL, n, level, &range);

	to->way = LINE;
	to->first = line.base;
	to->step = line.slope;
	to->digits = fit(range + 1 + skip, n);
	to->bits = 8 + digits_bits(&to->digits);
	for (unsigned i = 0; i < n; i++)
		to->digit[i] = skip && from->stale[i] ? range + 1 : (uint64_t)from->v[i] - (uint64_t)packed_on_line(&line, i);
}

/* <all>: steps of zero too. */
static void by_steps(const struct dense_values *from, unsigned n, bool all, bool plain, struct told *to)
{
	int64_t least = INT64_MAX, most = INT64_MIN;
	unsigned count = 0;

	for (unsigned i = 1; i < n; i++) {
		int64_t step = from->v[i] - from->v[i - 1];

		if (step == 0 && !all)
			continue;
		to->place[count] = (unsigned char)i;
		to->digit[count++] = (uint64_t)step;
		least = step < least ? step : least;
		most = step > most ? step : most;
	}
	to->way = all ? STEPS : CHANGES;
	to->first = from->v[0];
	to->step = count > 0 ? least : 0;
	to->digits = fit(count > 0 ? (uint64_t)most - (uint64_t)least + 1 : 1, count);
	to->bits = digits_bits(&to->digits) + (all ? 0 : 8 + 8 * (size_t)count) + (all && plain ? 0 : 8);
	for (unsigned i = 0; i < count; i++)
		to->digit[i] -= (uint64_t)to->step;
}

static size_t put_told(const struct told *t, unsigned flags, unsigned char *out)
{
	bool plain = t->way == STEPS && flags == 0;
	unsigned char *p = out;

	memset(out, 0, DENSE_MAX_BYTES);
	*p++ = (unsigned char)((plain ? (unsigned)PLAIN : t->way) << WAY_SHIFT | t->digits.width);
	if (!plain)
		*p++ = (unsigned char)flags;
	p = put_signed(p, t->first);
	p = put_signed(p, t->way != LINE ? t->step : t->step >> ((flags & WHOLE) != 0 ? PACKED_FRACTION : FRACTION));
	p = put_number(p, t->digits.base - 1);
	if (t->way == CHANGES) {
		*p++ = (unsigned char)t->digits.n;
		memcpy(p, t->place, t->digits.n);
		p += t->digits.n;
	}
	return (size_t)(p - out) + write_digits(&t->digits, t->digit, p);
}

size_t dense_write(const struct dense_values *from, unsigned char out[DENSE_MAX_BYTES])
{
	bool ended = from->n_stale == 1 && from->stale[from->n - 1], some_stale = from->n_stale > ended;
	unsigned flags = from->decimals | (ended ? ENDED : 0u) | (some_stale ? SOME_STALE : 0u) | (from->falls ? FALLS : 0u);
	unsigned n = from->n - ended;
	struct told told[4];
	unsigned ways = some_stale || n == 0 ? 2 : 4;
	const struct told *best = &told[0];

	for (unsigned i = 0; i < ways; i++) {
		if (i < 2)
			by_line(from, n, i == 1, &told[i]);
		else
			by_steps(from, n, i == 2, flags == 0, &told[i]);
		if (told[i].bits < best->bits)
			best = &told[i];
	}
	return put_told(best, flags | (best->way == LINE && is_whole(best->step) ? WHOLE : 0u), out);
}

/* ---- Opening ---- */

static bool take_byte(struct str *rest, unsigned char *out)
{
	if (rest->n == 0)
		return false;
	*out = (unsigned char)*rest->p;
	*rest = (struct str){ rest->p + 1, rest->n - 1 };
	return true;
}

static bool take_places(struct dense *d, struct str *rest, unsigned n)
{
	unsigned char count;

	if (!take_byte(rest, &count) || count > rest->n || count >= n)
		return false;
	d->places = (const unsigned char *)rest->p;
	for (unsigned i = 0; i < count; i++)
		if (d->places[i] >= n || d->places[i] <= (i > 0 ? d->places[i - 1] : 0))
			return false;
	*rest = (struct str){ rest->p + count, rest->n - count };
	d->digits.n = count;
	return true;
}

static bool open_digits(struct digits *g, unsigned width, uint64_t highest, struct str rest)
{
	if (highest == UINT64_MAX)
		return false;
	g->base = highest + 1;
	g->width = width;
	g->per_word = digits_in(g->base, width);
	g->inverse = g->base > 1 ? UINT64_MAX / g->base + 1 : 0;
	g->words = (const unsigned char *)rest.p;
	return (g->base == 1 || g->per_word > 0) && (digits_bits(g) + 7) / 8 == rest.n;
}

bool dense_open(struct dense *d, struct str bytes, unsigned n)
{
	unsigned char head, flags = 0;
	uint64_t highest;

	*d = (struct dense){ 0 };
	if (n == 0 || n > PACKED_MAX || !take_byte(&bytes, &head))
		return false;
	d->way = head >> WAY_SHIFT;
	if (d->way != PLAIN && !take_byte(&bytes, &flags))
		return false;
	d->way = d->way == PLAIN ? STEPS : d->way;
	d->decimals = flags & DECIMALS;
	d->ended = (flags & ENDED) != 0;
	d->some_stale = (flags & SOME_STALE) != 0;
	d->falls = (flags & FALLS) != 0;
	d->n = n - d->ended;
	if (d->decimals > PACKED_DECIMALS || (d->some_stale && (d->ended || d->way != LINE)) || (d->n == 0 && d->way != LINE) ||
	    !varint_take_signed(&bytes, &d->first) || !varint_take_signed(&bytes, &d->step) || !varint_take(&bytes, &highest))
		return false;
	if (d->way == LINE)
		d->step = (int64_t)((uint64_t)d->step << ((flags & WHOLE) != 0 ? PACKED_FRACTION : FRACTION));
	d->unit = packed_unit(d->decimals);
	d->digits.n = d->way == LINE ? d->n : d->n - 1;
	return (d->way != CHANGES || take_places(d, &bytes, d->n)) && open_digits(&d->digits, head & WIDTH, highest, bytes);
}

/* ---- Reading ---- */

static double value_of(const struct dense *d, uint64_t units)
{
	double v = (double)(int64_t)units;

	return d->decimals == 0 ? v : v / d->unit;
}

static void units_of(const struct dense *d, const uint64_t *digit, int64_t *x)
{
	const struct packed_line line = { d->first, d->step };
	uint64_t sum = (uint64_t)d->first;

	for (unsigned i = 0; i < d->n && d->way == LINE; i++)
		x[i] = (int64_t)((uint64_t)packed_on_line(&line, i) + digit[i]);
	for (unsigned i = 0; i < d->n && d->way == STEPS; i++) {
		sum += i > 0 ? (uint64_t)d->step + digit[i - 1] : 0;
		x[i] = (int64_t)sum;
	}
	for (unsigned i = 0, k = 0; i < d->n && d->way == CHANGES; i++) {
		if (k < d->digits.n && d->places[k] == i)
			sum += (uint64_t)d->step + digit[k++];
		x[i] = (int64_t)sum;
	}
}

void dense_units(const struct dense *d, int64_t *units)
{
	uint64_t digit[PACKED_MAX];

	read_digits(&d->digits, digit);
	units_of(d, digit, units);
}

void dense_decode(const struct dense *d, double *v)
{
	uint64_t digit[PACKED_MAX];
	int64_t x[PACKED_MAX];

	read_digits(&d->digits, digit);
	units_of(d, digit, x);
	for (unsigned i = 0; i < d->n; i++)
		v[i] = value_of(d, (uint64_t)x[i]);
	for (unsigned i = 0; i < d->n && d->some_stale; i++)
		if (digit[i] == d->digits.base - 1)
			v[i] = value_stale();
	if (d->ended)
		v[d->n] = value_stale();
}

/* How many of the digits tell of samples up to <sample>. */
static unsigned digits_until(const struct dense *d, unsigned sample)
{
	unsigned k = 0;

	if (d->way == STEPS)
		return sample;
	while (k < d->digits.n && d->places[k] <= sample)
		k++;
	return k;
}

void dense_ends(const struct dense *d, unsigned first, unsigned last, double v[2])
{
	const struct packed_line line = { d->first, d->step };
	unsigned beg, end;
	uint64_t x;

	if (d->way == LINE) {
		v[0] = value_of(d, (uint64_t)packed_on_line(&line, first) + sum_digits(&d->digits, first, first + 1));
		v[1] = value_of(d, (uint64_t)packed_on_line(&line, last) + sum_digits(&d->digits, last, last + 1));
		return;
	}
	beg = digits_until(d, first);
	end = digits_until(d, last);
	x = (uint64_t)d->first + beg * (uint64_t)d->step + sum_digits(&d->digits, 0, beg);
	v[0] = value_of(d, x);
	v[1] = value_of(d, x + (end - beg) * (uint64_t)d->step + sum_digits(&d->digits, beg, end));
}
