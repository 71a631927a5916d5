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

	if (!(fabs(units) < PACKED_MOST))
		return false;
	if (decimals == 0) { /* most are; dividing takes long */
		*out = (int64_t)units;
		return bits_of((double)*out) == bits_of(v);
	}
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

void packed_put(unsigned char *rows, size_t at, uint64_t value, unsigned bits)
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

double packed_unit(unsigned decimals)
{
	return tens[decimals];
}

static uint64_t most(unsigned bits)
{
	return bits == 0 ? 0 : ~UINT64_C(0) >> (64 - bits);
}

/* ---- The head ---- */

enum { AT_T_BITS, AT_V_BITS, AT_UNITS, AT_STALE, AT_FALLS, AT_T_SIZES, AT_V_SIZES, AT_LINES = PACKED_HEAD_MIN };
/* Of the byte at AT_UNITS: decimals, and which slopes are whole numbers. */
enum { DECIMALS = 0x07, T_IS_WHOLE = 0x08, V_IS_WHOLE = 0x10, SLOPE_SHIFT = 8 };

/* How many bytes a signed number needs. */
static unsigned size_of(int64_t v)
{
	uint64_t magnitude = (uint64_t)(v ^ v >> 63);

	return v == 0 ? 0 : magnitude == 0 ? 1 : (unsigned)(64 - __builtin_clzll(magnitude)) / 8 + 1;
}

static int64_t get_signed(const unsigned char *p, unsigned bytes)
{
	uint64_t word;

	if (bytes == 0)
		return 0;
	memcpy(&word, p, sizeof word);
	return (int64_t)(word << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static unsigned slope_shift(int64_t slope)
{
	return (slope & ((1 << PACKED_FRACTION) - 1)) == 0 ? PACKED_FRACTION : SLOPE_SHIFT;
}

/* The two numbers of a line at <to>; they may touch eight bytes each. Returns their sizes, as the head has them. */
static unsigned char put_line(unsigned char *to, const struct packed_line *l, uint8_t *bytes)
{
	int64_t slope = l->slope >> slope_shift(l->slope);
	unsigned base_size = size_of(l->base), slope_size = size_of(slope);

	memcpy(to + *bytes, &l->base, sizeof l->base);
	memcpy(to + *bytes + base_size, &slope, sizeof slope);
	*bytes = (uint8_t)(*bytes + base_size + slope_size);
	return (unsigned char)(base_size | slope_size << 4);
}

/* There are PACKED_HEAD_MAX + 8 bytes of room. */
static void put_head(unsigned char *data, struct packed_head *h)
{
	data[AT_T_BITS] = h->t_bits;
	data[AT_V_BITS] = h->v_bits;
	data[AT_UNITS] = (unsigned char)(h->decimals | (slope_shift(h->t.slope) == PACKED_FRACTION ? T_IS_WHOLE : 0) |
	                                 (slope_shift(h->v.slope) == PACKED_FRACTION ? V_IS_WHOLE : 0));
	data[AT_STALE] = h->n_stale;
	data[AT_FALLS] = h->n_falls;
	h->bytes = AT_LINES;
	data[AT_T_SIZES] = put_line(data, &h->t, &h->bytes);
	data[AT_V_SIZES] = put_line(data, &h->v, &h->bytes);
}

static bool get_line(const unsigned char *data, unsigned sizes, bool whole, struct packed_head *h, struct packed_line *l)
{
	unsigned base_size = sizes & 0x0f, slope_size = sizes >> 4;

	if (base_size > 8 || slope_size > 8)
		return false;
	l->base = get_signed(data + h->bytes, base_size);
	l->slope = (int64_t)((uint64_t)get_signed(data + h->bytes + base_size, slope_size) << (whole ? PACKED_FRACTION : SLOPE_SHIFT));
	h->bytes = (uint8_t)(h->bytes + base_size + slope_size);
	return true;
}

/* At least PACKED_HEAD_MIN bytes are there, and PACKED_SLACK behind what there is of the rest. */
static bool get_head(const unsigned char *data, size_t n, struct packed_head *h)
{
	unsigned t_sizes = data[AT_T_SIZES], v_sizes = data[AT_V_SIZES];
	size_t bytes = PACKED_HEAD_MIN + (t_sizes & 0x0f) + (t_sizes >> 4) + (v_sizes & 0x0f) + (v_sizes >> 4);

	if (bytes > n || data[AT_T_BITS] > 64 || data[AT_V_BITS] > 64 || (data[AT_UNITS] & DECIMALS) > PACKED_DECIMALS)
		return false;
	*h = (struct packed_head){ .t_bits = data[AT_T_BITS],
		                   .v_bits = data[AT_V_BITS],
		                   .decimals = data[AT_UNITS] & DECIMALS,
		                   .n_stale = data[AT_STALE],
		                   .n_falls = data[AT_FALLS],
		                   .bytes = AT_LINES };
	return get_line(data, t_sizes, (data[AT_UNITS] & T_IS_WHOLE) != 0, h, &h->t) &&
	       get_line(data, v_sizes, (data[AT_UNITS] & V_IS_WHOLE) != 0, h, &h->v);
}

/* Of what we wrote ourselves; <n> 0: of nothing. */
static struct packed_head own_head(const unsigned char *data, unsigned n)
{
	struct packed_head h = { 0 };

	if (n > 0) {
		bool good = get_head(data, PACKED_HEAD_MAX, &h);

		assert(good);
	}
	return h;
}

/* ---- Writing ---- */

enum { AT_ONCE = 56 }; /* bits that lie in a word wherever they begin */

/* All samples as whole numbers. */
struct whole {
	int64_t t[PACKED_MAX], v[PACKED_MAX];
	bool stale[PACKED_MAX];
};

/* How far both numbers of sample <i> lie above their lines. */
static inline void get_row(const unsigned char *rows, const struct packed_head *h, unsigned i, uint64_t *t, uint64_t *v)
{
	unsigned bits = (unsigned)h->t_bits + h->v_bits;
	size_t at = (size_t)i * bits;
	uint64_t both;

	if (bits > AT_ONCE) {
		*t = packed_get(rows, at, h->t_bits);
		*v = packed_get(rows, at + h->t_bits, h->v_bits);
		return;
	}
	memcpy(&both, rows + (at >> 3), sizeof both);
	both >>= at & 7;
	*t = both & ((UINT64_C(1) << h->t_bits) - 1);
	*v = both >> h->t_bits & ((UINT64_C(1) << h->v_bits) - 1);
}

static void unpack(const unsigned char *data, unsigned n, struct packed_head *h, struct whole *w)
{
	const unsigned char *rows;

	*h = own_head(data, n);
	rows = data + h->bytes;
	for (unsigned i = 0; i < n; i++) {
		uint64_t t, v;

		get_row(rows, h, i, &t, &v);
		w->t[i] = (int64_t)((uint64_t)packed_on_line(&h->t, i) + t);
		w->stale[i] = h->n_stale > 0 && v == most(h->v_bits);
		w->v[i] = w->stale[i] ? 0 : (int64_t)((uint64_t)packed_on_line(&h->v, i) + v);
	}
}

static uint64_t above(const struct packed_line *l, unsigned i, int64_t x)
{
	return (uint64_t)x - (uint64_t)packed_on_line(l, i);
}

struct packed_line packed_fit(const int64_t *x, const bool *skip, unsigned n, bool level, uint64_t *range)
{
	unsigned first = 0, last = n;
	struct packed_line line = { 0 };
	int64_t low = INT64_MAX, high = INT64_MIN;

	while (first < n && skip != NULL && skip[first])
		first++;
	while (last > first + 1 && skip != NULL && skip[last - 1])
		last--;
	if (!level && last > first + 1 && x[last - 1] - x[first] < INT64_C(1) << 46 && x[last - 1] - x[first] > -(INT64_C(1) << 46))
		line.slope = (x[last - 1] - x[first]) * (1 << PACKED_FRACTION) / (int64_t)(last - 1 - first) / (1 << SLOPE_SHIFT) *
		             (1 << SLOPE_SHIFT);
	for (unsigned i = first; i < last; i++) {
		int64_t off = (int64_t)above(&line, i, x[i]);

		if (skip != NULL && skip[i])
			continue;
		low = off < low ? off : low;
		high = off > high ? off : high;
	}
	if (low > high)
		low = high = 0;
	*range = (uint64_t)high - (uint64_t)low;
	line.base = low;
	return line;
}

/* The same in rows of bits. <reserve>: of one more; <spare>: with room for what may come. */
static struct packed_line fit(const int64_t *x, const bool *skip, unsigned n, bool reserve, bool spare, uint8_t *bits)
{
	uint64_t range;
	struct packed_line line = packed_fit(x, skip, n, false, &range);

	range += reserve;
	*bits = range == 0 ? 0 : (uint8_t)(64 - __builtin_clzll(range));
	if (spare && range > 0 && *bits < 64)
		++*bits;
	if (spare)
		line.base = (int64_t)((uint64_t)line.base - (most(*bits) - range) / 2);
	return line;
}

static uint8_t count_falls(const struct whole *w, unsigned n, unsigned n_stale)
{
	uint8_t falls = 0;
	unsigned before = 0;

	for (unsigned i = 1; i < n && n_stale == 0; i++)
		falls = (uint8_t)(falls + (w->v[i] < w->v[i - 1]));
	for (unsigned i = 1; i < n && n_stale > 0; i++) {
		if (w->stale[i])
			continue;
		falls = (uint8_t)(falls + (w->stale[before] || w->v[i] < w->v[before]));
		before = i;
	}
	return falls;
}

/* Rows one behind the other. What was written is not read again: a processor waits for bytes that it has only just stored. */
struct rows {
	unsigned char *p;
	uint64_t word; /* from <p> on: the <used> bits that are there */
	unsigned used; /* below 8 */
};

static struct rows rows_behind(unsigned char *data, const struct packed_head *h, unsigned n)
{
	size_t at = (size_t)n * (h->t_bits + h->v_bits);
	unsigned char *p = data + h->bytes + (at >> 3);

	return (struct rows){ p, *p & ((1u << (at & 7)) - 1), (unsigned)(at & 7) };
}

/* Up to AT_ONCE bits; what lies behind them is made zero. */
static inline void put_bits(struct rows *r, uint64_t value, unsigned bits)
{
	r->word |= value << r->used;
	memcpy(r->p, &r->word, sizeof r->word);
	r->used += bits;
	r->p += r->used >> 3;
	r->word >>= r->used & ~7u;
	r->used &= 7;
}

static inline void put_long(struct rows *r, uint64_t value, unsigned bits)
{
	unsigned first = bits < 32 ? bits : 32;

	put_bits(r, value & most(first), first);
	put_bits(r, first < 32 ? 0 : value >> 32, bits - first);
}

/* Of sample <i>; every one that comes in passes here. */
static inline void put_row(struct rows *r, const struct packed_head *h, unsigned i, int64_t t, int64_t v, bool stale)
{
	uint64_t first = above(&h->t, i, t), second = stale ? most(h->v_bits) : above(&h->v, i, v);
	unsigned bits = (unsigned)h->t_bits + h->v_bits;

	if (bits <= AT_ONCE) {
		put_bits(r, first | second << h->t_bits, bits);
		return;
	}
	put_long(r, first, h->t_bits);
	put_long(r, second, h->v_bits);
}

static void write_all(unsigned char *data, struct packed_head *h, const struct whole *w, unsigned n, bool spare)
{
	struct rows rows;

	h->t = fit(w->t, NULL, n, false, spare, &h->t_bits);
	h->v = fit(w->v, h->n_stale > 0 ? w->stale : NULL, n, h->n_stale > 0, spare, &h->v_bits);
	h->n_falls = count_falls(w, n, h->n_stale);
	put_head(data, h);
	rows = rows_behind(data, h, 0);
	for (unsigned i = 0; i < n; i++)
		put_row(&rows, h, i, w->t[i], w->v[i], w->stale[i]);
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

	return (int64_t)((uint64_t)packed_on_line(&h->v, n - 1) + packed_get(data + h->bytes, at, h->v_bits));
}

unsigned packed_append(unsigned char *data, unsigned n, int64_t first_ms, const int64_t *t_ms, const double *v, unsigned more)
{
	struct packed_head h = own_head(data, n);
	struct rows rows;
	int64_t last;
	unsigned i;

	assert(n + more <= PACKED_MAX);
	if (n == 0)
		return 0;
	last = last_value(data, &h, n);
	rows = rows_behind(data, &h, n);
	for (i = 0; i < more; i++) {
		int64_t after_ms = (int64_t)((uint64_t)t_ms[i] - (uint64_t)first_ms), units = 0;
		bool stale = value_is_stale(v[i]);

		if ((!stale && !in_units(v[i], h.decimals, &units)) || !fits(&h, n + i, after_ms, units, stale))
			break;
		h.n_stale = (uint8_t)(h.n_stale + stale);
		h.n_falls = (uint8_t)(h.n_falls + (!stale && units < last));
		put_row(&rows, &h, n + i, after_ms, units, stale);
		last = stale ? INT64_MAX : units;
	}
	data[AT_STALE] = h.n_stale;
	data[AT_FALLS] = h.n_falls;
	return i;
}

/* In units of ten of which <decimals> more make one: false and nothing done when some number would be too large. */
static bool shrink_unit(struct whole *w, unsigned n, unsigned decimals)
{
	for (unsigned i = 0; i < n; i++)
		if (fabs((double)w->v[i]) * tens[decimals] >= PACKED_MOST)
			return false;
	for (unsigned i = 0; i < n; i++)
		w->v[i] *= (int64_t)tens[decimals];
	return true;
}

bool packed_takes(const unsigned char *data, unsigned n, double v)
{
	unsigned before = n > 0 ? data[AT_UNITS] & DECIMALS : 0, decimals;
	struct packed_head h;
	struct whole w;
	int64_t units;

	decimals = decimals_for(v, before, &units);
	if (decimals > PACKED_DECIMALS || n == 0 || decimals == before)
		return decimals <= PACKED_DECIMALS;
	unpack(data, n, &h, &w);
	return shrink_unit(&w, n, decimals - before);
}

/* Behind the <n> there are; false when it is none of the numbers there can be. */
static bool put_whole(struct whole *w, unsigned n, struct packed_head *h, int64_t after_ms, double v)
{
	unsigned decimals = h->decimals;

	w->t[n] = after_ms;
	w->v[n] = 0;
	w->stale[n] = value_is_stale(v);
	if (!w->stale[n])
		decimals = decimals_for(v, decimals, &w->v[n]);
	if (decimals > PACKED_DECIMALS || (decimals > h->decimals && !shrink_unit(w, n, decimals - h->decimals)))
		return false;
	h->decimals = (uint8_t)decimals;
	h->n_stale = (uint8_t)(h->n_stale + w->stale[n]);
	return true;
}

unsigned packed_rewrite(const unsigned char *data, unsigned n, int64_t first_ms, const int64_t *t_ms, const double *v,
                        unsigned more, unsigned char out[PACKED_MAX_BYTES])
{
	struct packed_head h;
	struct whole w;
	unsigned i = 0;

	assert(n + more <= PACKED_MAX);
	unpack(data, n, &h, &w);
	while (i < more && put_whole(&w, n + i, &h, (int64_t)((uint64_t)t_ms[i] - (uint64_t)first_ms), v[i]))
		i++;
	if (i > 0)
		write_all(out, &h, &w, n + i, true);
	return i;
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
	return (uint32_t)data[AT_T_BITS] + data[AT_V_BITS];
}

uint32_t packed_bits(const unsigned char *data, unsigned n)
{
	return 8u * own_head(data, 1).bytes + n * packed_row_bits(data);
}

/* ---- Two parts ---- */

enum { FLAG = 0x80, PART_BITS = 0x7f };
enum { TIMES_HEAD = 2, VALUES_HEAD = 3, VALUES_COUNTS = 2 };

static size_t put_times(unsigned char *to, const int64_t *t, unsigned n)
{
	uint8_t at = TIMES_HEAD, bits;
	struct packed_line l = fit(t, NULL, n, false, false, &bits);

	to[0] = (unsigned char)(bits | (slope_shift(l.slope) == PACKED_FRACTION ? FLAG : 0));
	to[1] = put_line(to, &l, &at);
	memset(to + at, 0, ((size_t)n * bits + 7) / 8 + PACKED_SLACK);
	for (unsigned i = 0; i < n; i++)
		packed_put(to + at, (size_t)i * bits, above(&l, i, t[i]), bits);
	return at + ((size_t)n * bits + 7) / 8;
}

void packed_split(const unsigned char *data, unsigned n, struct packed_parts *out)
{
	struct packed_head h;
	struct whole w;

	unpack(data, n, &h, &w);
	out->n_times = put_times(out->times, w.t, n);
	out->n_values = dense_write(&(struct dense_values){ .v = w.v,
	                                                    .stale = w.stale,
	                                                    .n = n,
	                                                    .n_stale = h.n_stale,
	                                                    .decimals = h.decimals,
	                                                    .falls = count_falls(&w, n, h.n_stale) > 0 },
	                            out->values);
}

/* A line at <*at> of a part, which it passes; false when it is longer than that. */
static bool open_part(struct str part, unsigned sizes, bool whole, uint8_t *at, struct packed_line *l)
{
	struct packed_head h = { .bytes = *at };

	if (*at + (sizes & 0x0f) + (sizes >> 4) > part.n || !get_line((const unsigned char *)part.p, sizes, whole, &h, l))
		return false;
	*at = h.bytes;
	return true;
}

static bool open_times(struct packed *p, struct str part)
{
	const unsigned char *data = (const unsigned char *)part.p;
	uint8_t at = TIMES_HEAD;

	if (part.n < TIMES_HEAD || (data[0] & PART_BITS) > 64 || !open_part(part, data[1], (data[0] & FLAG) != 0, &at, &p->head.t))
		return false;
	p->head.t_bits = data[0] & PART_BITS;
	p->t_step = p->head.t_bits;
	p->t_rows = data + at;
	return ((size_t)p->n * p->t_step + 7) / 8 <= part.n - at;
}

static bool open_values(struct packed *p, struct str part)
{
	const unsigned char *data = (const unsigned char *)part.p;
	bool counts = part.n > 0 && (data[0] & FLAG) != 0;
	uint8_t at = (uint8_t)(counts ? VALUES_HEAD + VALUES_COUNTS : VALUES_HEAD);

	if (part.n < at || (data[0] & PART_BITS) > 64 || (data[1] & DECIMALS) > PACKED_DECIMALS ||
	    !open_part(part, data[2], (data[1] & V_IS_WHOLE) != 0, &at, &p->head.v))
		return false;
	p->head.v_bits = data[0] & PART_BITS;
	p->head.decimals = data[1] & DECIMALS;
	p->head.n_stale = counts ? data[VALUES_HEAD] : 0;
	p->head.n_falls = counts ? data[VALUES_HEAD + 1] : 0;
	p->v_step = p->head.v_bits;
	p->v_first = 0;
	p->v_rows = data + at;
	p->unit = tens[p->head.decimals];
	return ((size_t)p->n * p->v_step + 7) / 8 <= part.n - at;
}

/* ---- Reading ---- */

static void begin_at(struct packed *p, int64_t first_ms)
{
	p->head.t.base = (int64_t)((uint64_t)p->head.t.base + (uint64_t)first_ms);
}

static bool open_dense(struct packed *p, struct str part)
{
	if (!dense_open(&p->dense, part, p->n))
		return false;
	p->head.n_stale = p->dense.some_stale ? 2 : p->dense.ended;
	p->head.n_falls = p->dense.falls;
	p->head.decimals = p->dense.decimals;
	return true;
}

bool packed_open_parts(struct packed *p, struct str times, struct str values, bool is_dense, unsigned n, int64_t first_ms)
{
	p->n = n;
	p->is_dense = is_dense;
	if (n > PACKED_MAX || !open_times(p, times) || !(is_dense ? open_dense(p, values) : open_values(p, values)))
		return false;
	begin_at(p, first_ms);
	return true;
}

bool packed_open(struct packed *p, const unsigned char *data, uint32_t bits, unsigned n, int64_t first_ms)
{
	if (bits < 8 * PACKED_HEAD_MIN || n > PACKED_MAX || !get_head(data, bits / 8, &p->head))
		return false;
	begin_at(p, first_ms);
	p->is_dense = false;
	p->t_rows = p->v_rows = data + p->head.bytes;
	p->n = n;
	p->t_step = p->v_step = (unsigned)p->head.t_bits + p->head.v_bits;
	p->v_first = p->head.t_bits;
	p->unit = tens[p->head.decimals];
	return n * p->t_step <= bits - 8u * p->head.bytes;
}

void packed_widen(struct packed *p, unsigned char rows[PACKED_MAX_BYTES])
{
	int64_t x[PACKED_MAX];
	bool stale[PACKED_MAX] = { false };

	if (!p->is_dense)
		return;
	dense_units(&p->dense, x);
	if (p->dense.ended)
		stale[p->n - 1] = true;
	p->head.v = fit(x, stale, p->n, p->dense.ended, false, &p->head.v_bits);
	for (unsigned i = 0; i < p->n; i++)
		packed_put(rows, (size_t)i * p->head.v_bits, stale[i] ? most(p->head.v_bits) : above(&p->head.v, i, x[i]), p->head.v_bits);
	p->is_dense = false;
	p->v_rows = rows;
	p->v_step = p->head.v_bits;
	p->v_first = 0;
	p->unit = p->dense.unit;
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

/* Both numbers of each sample lie side by side. */
static void decode_rows(const struct packed *p, int64_t *t_ms, double *v)
{
	for (unsigned i = 0; i < p->n; i++) {
		uint64_t t, units;

		get_row(p->t_rows, &p->head, i, &t, &units);
		t_ms[i] = (int64_t)((uint64_t)packed_on_line(&p->head.t, i) + t);
		if (p->head.n_stale > 0 && units == most(p->head.v_bits))
			v[i] = value_stale();
		else
			v[i] = (double)(int64_t)((uint64_t)packed_on_line(&p->head.v, i) + units);
	}
	for (unsigned i = 0; i < p->n && p->head.decimals > 0; i++)
		v[i] = value_is_stale(v[i]) ? v[i] : v[i] / p->unit;
}

void packed_decode(const struct packed *p, int64_t *t_ms, double *v)
{
	if (!p->is_dense && p->t_rows == p->v_rows) {
		decode_rows(p, t_ms, v);
		return;
	}
	for (unsigned i = 0; i < p->n; i++)
		t_ms[i] = packed_time(p, i);
	if (p->is_dense) {
		dense_decode(&p->dense, v);
		return;
	}
	for (unsigned i = 0; i < p->n; i++)
		v[i] = packed_value(p, i);
	for (unsigned i = 0; p->head.n_stale > 0 && i < p->n; i++)
		if (packed_is_stale(p, i))
			v[i] = value_stale();
}
