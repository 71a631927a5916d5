/* Writing and reading packed samples. A sample that does not fit the lines and widths there are makes all of them be written anew,
 * with some room for those to come: a handful of times a chunk. */
#include "store/packed.h"

#include <assert.h>
#include <math.h>

#include "store/bits.h"
#include "tocsin/querier.h"

static const double tens[PACKED_DECIMALS + 1] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };

/* As many units as <v> is, exactly; below 2^50 differences of two, and of their residues, cannot overflow. */
static bool in_units(double v, unsigned decimals, int64_t *out)
{
	double units = v * tens[decimals];

	if (!(fabs(units) < 0x1p50))
		return false;
	*out = (int64_t)(units < 0 ? units - 0.5 : units + 0.5);
	return bits_of((double)*out / tens[decimals]) == bits_of(v);
}

/* The fewest decimals, <at_least> or more, that make <v> whole; PACKED_DECIMALS + 1: there are none. */
static unsigned decimals_for(double v, unsigned at_least, int64_t *units)
{
	while (at_least <= PACKED_DECIMALS && !in_units(v, at_least, units))
		at_least++;
	return at_least;
}

static void put_bits(unsigned char *rows, size_t at, uint64_t value, unsigned bits)
{
	unsigned shift = (unsigned)(at & 7);
	unsigned char *p = rows + (at >> 3);
	uint64_t word;

	if (bits == 0)
		return;
	memcpy(&word, p, sizeof word);
	word = (word & ((UINT64_C(1) << shift) - 1)) | value << shift;
	memcpy(p, &word, sizeof word);
	p[8] = (unsigned char)(shift + bits > 64 ? value >> (64 - shift) : 0);
}

static uint64_t most(unsigned bits)
{
	return bits == 0 ? 0 : ~UINT64_C(0) >> (64 - bits);
}

/* ---- Writing ---- */

/* All samples as whole numbers. */
struct whole {
	int64_t t[PACKED_MAX], v[PACKED_MAX];
	bool stale[PACKED_MAX];
};

static void unpack(const unsigned char *data, unsigned n, struct packed_head *h, struct whole *w)
{
	const unsigned char *rows = data + sizeof *h;

	memset(h, 0, sizeof *h);
	if (n > 0)
		memcpy(h, data, sizeof *h);
	for (unsigned i = 0; i < n; i++) {
		size_t at = (size_t)i * (h->t_bits + h->v_bits);
		uint64_t t = packed_get(rows, at, h->t_bits), v = packed_get(rows, at + h->t_bits, h->v_bits);

		w->t[i] = (int64_t)((uint64_t)packed_on_line(&h->t, i) + t);
		w->stale[i] = h->n_stale > 0 && v == most(h->v_bits);
		w->v[i] = w->stale[i] ? 0 : (int64_t)((uint64_t)packed_on_line(&h->v, i) + v);
	}
}

/* More decimals make larger numbers of those that are there: they must stay below what in_units() allows. */
static bool can_shrink_unit(const unsigned char *data, unsigned n, unsigned decimals)
{
	struct packed_head h;
	struct whole w;

	unpack(data, n, &h, &w);
	for (unsigned i = 0; i < n; i++)
		if (fabs((double)w.v[i]) * tens[decimals - h.decimals] >= 0x1p50)
			return false;
	return true;
}

bool packed_takes(const unsigned char *data, unsigned n, double v)
{
	struct packed_head h = { 0 };
	unsigned decimals;
	int64_t units;

	if (n > 0)
		memcpy(&h, data, sizeof h);
	decimals = decimals_for(v, h.decimals, &units);
	return decimals <= PACKED_DECIMALS && (n == 0 || decimals == h.decimals || can_shrink_unit(data, n, decimals));
}

static uint64_t above(const struct packed_line *l, unsigned i, int64_t x)
{
	return (uint64_t)x - (uint64_t)packed_on_line(l, i);
}

/* The line through the first and the last of <x>, low enough for all, and how many bits they need above it. <skip>: which do not
 * count. */
static struct packed_line fit(const int64_t *x, const bool *skip, unsigned n, bool reserve, bool spare, uint8_t *bits)
{
	unsigned first = 0, last = n;
	struct packed_line line = { 0 };
	int64_t low = INT64_MAX, high = INT64_MIN;
	uint64_t range, room;

	while (first < n && skip != NULL && skip[first])
		first++;
	while (last > first + 1 && skip != NULL && skip[last - 1])
		last--;
	if (last > first + 1 && x[last - 1] - x[first] < INT64_C(1) << 46 && x[last - 1] - x[first] > -(INT64_C(1) << 46))
		line.slope = (x[last - 1] - x[first]) * (1 << PACKED_FRACTION) / (int64_t)(last - 1 - first);
	for (unsigned i = first; i < last; i++) {
		int64_t off = (int64_t)above(&line, i, x[i]);

		if (skip != NULL && skip[i])
			continue;
		low = off < low ? off : low;
		high = off > high ? off : high;
	}
	if (low > high)
		low = high = 0;
	range = (uint64_t)high - (uint64_t)low + reserve;
	*bits = range == 0 ? 0 : (uint8_t)(64 - __builtin_clzll(range));
	if (spare && range > 0 && *bits < 64)
		++*bits;
	room = spare ? (most(*bits) - range) / 2 : 0;
	line.base = (int64_t)((uint64_t)low - room);
	return line;
}

static uint8_t count_falls(const struct whole *w, unsigned n)
{
	uint8_t falls = 0;
	unsigned before = 0;

	for (unsigned i = 1; i < n; i++) {
		if (w->stale[i])
			continue;
		falls = (uint8_t)(falls + (w->stale[before] || w->v[i] < w->v[before]));
		before = i;
	}
	return falls;
}

static void put_row(unsigned char *data, const struct packed_head *h, unsigned i, int64_t t, int64_t v, bool stale)
{
	unsigned char *rows = data + sizeof *h;
	size_t at = (size_t)i * (h->t_bits + h->v_bits);

	put_bits(rows, at, above(&h->t, i, t), h->t_bits);
	put_bits(rows, at + h->t_bits, stale ? most(h->v_bits) : above(&h->v, i, v), h->v_bits);
}

static void write_all(unsigned char *data, struct packed_head *h, const struct whole *w, unsigned n, bool spare)
{
	h->t = fit(w->t, NULL, n, false, spare, &h->t_bits);
	h->v = fit(w->v, w->stale, n, h->n_stale > 0, spare, &h->v_bits);
	h->n_falls = count_falls(w, n);
	memcpy(data, h, sizeof *h);
	for (unsigned i = 0; i < n; i++)
		put_row(data, h, i, w->t[i], w->v[i], w->stale[i]);
}

static bool fits(const struct packed_head *h, unsigned i, int64_t t_ms, int64_t v, bool stale)
{
	if (above(&h->t, i, t_ms) > most(h->t_bits))
		return false;
	if (h->n_stale == 0)
		return !stale && above(&h->v, i, v) <= most(h->v_bits);
	return stale || above(&h->v, i, v) < most(h->v_bits);
}

/* The sample before, were it no stale marker. */
static int64_t last_value(const unsigned char *data, const struct packed_head *h, unsigned n)
{
	size_t at = (size_t)(n - 1) * (h->t_bits + h->v_bits) + h->t_bits;

	return (int64_t)((uint64_t)packed_on_line(&h->v, n - 1) + packed_get(data + sizeof *h, at, h->v_bits));
}

bool packed_append(unsigned char *data, unsigned n, int64_t t_ms, double v)
{
	struct packed_head h;
	bool stale = value_is_stale(v);
	int64_t units = 0;

	assert(n < PACKED_MAX);
	if (n == 0)
		return false;
	memcpy(&h, data, sizeof h);
	if ((!stale && !in_units(v, h.decimals, &units)) || !fits(&h, n, t_ms, units, stale))
		return false;
	h.n_stale = (uint8_t)(h.n_stale + stale);
	h.n_falls = (uint8_t)(h.n_falls + (!stale && units < last_value(data, &h, n)));
	memcpy(data, &h, sizeof h);
	put_row(data, &h, n, t_ms, units, stale);
	return true;
}

void packed_rewrite(const unsigned char *data, unsigned n, int64_t t_ms, double v, unsigned char out[PACKED_MAX_BYTES])
{
	struct packed_head h;
	struct whole w;
	unsigned decimals;

	assert(n < PACKED_MAX);
	unpack(data, n, &h, &w);
	w.t[n] = t_ms;
	w.v[n] = 0;
	w.stale[n] = value_is_stale(v);
	decimals = w.stale[n] ? h.decimals : decimals_for(v, h.decimals, &w.v[n]);
	assert(decimals <= PACKED_DECIMALS);
	for (unsigned i = 0; i < n; i++)
		w.v[i] *= (int64_t)tens[decimals - h.decimals];
	h.decimals = (uint8_t)decimals;
	h.n_stale = (uint8_t)(h.n_stale + w.stale[n]);
	write_all(out, &h, &w, n + 1, true);
}

void packed_tighten(const unsigned char *data, unsigned n, unsigned char out[PACKED_MAX_BYTES])
{
	struct packed_head h;
	struct whole w;

	unpack(data, n, &h, &w);
	write_all(out, &h, &w, n, false);
}

uint32_t packed_row_bits(const unsigned char *data)
{
	struct packed_head h;

	memcpy(&h, data, sizeof h);
	return (uint32_t)h.t_bits + h.v_bits;
}

uint32_t packed_bits(const unsigned char *data, unsigned n)
{
	return (uint32_t)(8 * sizeof(struct packed_head) + n * packed_row_bits(data));
}

/* ---- Reading ---- */

bool packed_open(struct packed *p, const unsigned char *data, uint32_t bits, unsigned n)
{
	if (bits < 8 * sizeof p->head || n > PACKED_MAX)
		return false;
	memcpy(&p->head, data, sizeof p->head);
	p->rows = data + sizeof p->head;
	p->n = n;
	p->row_bits = (unsigned)p->head.t_bits + p->head.v_bits;
	if (p->head.t_bits > 64 || p->head.v_bits > 64 || p->head.decimals > PACKED_DECIMALS)
		return false;
	p->unit = tens[p->head.decimals];
	return n * p->row_bits <= bits - 8 * sizeof p->head;
}

/* The line gives a first guess; samples that came late or early are passed one by one. */
unsigned packed_until(const struct packed *p, int64_t t_ms)
{
	const struct packed_line *l = &p->head.t;
	unsigned i = 0;

	if (t_ms > l->base && l->slope > 0) {
		uint64_t off = (uint64_t)t_ms - (uint64_t)l->base, guess = p->n;

		if (off < UINT64_C(1) << 47)
			guess = (off << PACKED_FRACTION) / (uint64_t)l->slope;
		i = guess < p->n ? (unsigned)guess : p->n;
	}
	while (i < p->n && packed_time(p, i) <= t_ms)
		i++;
	while (i > 0 && packed_time(p, i - 1) > t_ms)
		i--;
	return i;
}

void packed_decode(const struct packed *p, unsigned beg, unsigned end, int64_t *t_ms, double *v)
{
	for (unsigned i = beg; i < end; i++)
		t_ms[i - beg] = packed_time(p, i);
	for (unsigned i = beg; i < end; i++)
		v[i - beg] = packed_value(p, i);
	for (unsigned i = beg; p->head.n_stale > 0 && i < end; i++)
		if (packed_is_stale(p, i))
			v[i - beg] = value_stale();
}
