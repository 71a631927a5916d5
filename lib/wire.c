/* See wire.h. */
#include "tocsin/wire.h"

struct wire wire_of(struct str message)
{
	const unsigned char *p = (const unsigned char *)message.p;

	return (struct wire){ p, p + message.n, false };
}

static bool fail(struct wire *w)
{
	w->bad = true;
	w->p = w->end;
	return false;
}

bool wire_varint(struct wire *w, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; w->p < w->end && shift < 64; shift += 7) {
		unsigned char c = *w->p++;

		v |= (uint64_t)(c & 127) << shift;
		if (c < 128) {
			*out = v;
			return shift < 63 || c <= 1 || fail(w);
		}
	}
	return fail(w);
}

static bool fixed(struct wire *w, size_t n, uint64_t *out)
{
	if ((size_t)(w->end - w->p) < n)
		return fail(w);
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out |= (uint64_t)w->p[i] << (8 * i);
	w->p += n;
	return true;
}

bool wire_delimited(struct wire *w, struct str *message)
{
	uint64_t n;

	if (w->p == w->end || !wire_varint(w, &n))
		return false;
	if (n > (size_t)(w->end - w->p))
		return fail(w);
	*message = (struct str){ (const char *)w->p, (size_t)n };
	w->p += n;
	return true;
}

bool wire_next(struct wire *w, struct wire_field *f)
{
	uint64_t tag;

	if (w->p == w->end || !wire_varint(w, &tag))
		return false;
	if (tag >> 32 != 0 || tag >> 3 == 0)
		return fail(w);
	*f = (struct wire_field){ .number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7) };
	switch (f->type) {
	case WIRE_VARINT:
		return wire_varint(w, &f->bits);
	case WIRE_FIXED64:
		return fixed(w, 8, &f->bits);
	case WIRE_FIXED32:
		return fixed(w, 4, &f->bits);
	case WIRE_BYTES:
		return wire_delimited(w, &f->bytes) || fail(w);
	}
	return fail(w); /* groups, which nobody writes any more */
}

uint64_t wire_uint(struct wire *w, const struct wire_field *f)
{
	return f->type == WIRE_VARINT ? f->bits : fail(w);
}

static int64_t unzigzag(uint64_t bits)
{
	return (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
}

int64_t wire_sint(struct wire *w, const struct wire_field *f)
{
	return unzigzag(wire_uint(w, f));
}

static double to_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

double wire_double(struct wire *w, const struct wire_field *f)
{
	return f->type == WIRE_FIXED64 ? to_double(f->bits) : fail(w);
}

struct str wire_bytes(struct wire *w, const struct wire_field *f)
{
	return f->type == WIRE_BYTES || fail(w) ? f->bytes : STR("");
}

/* ---- Repeated numbers ---- */

struct wire_items wire_items(const struct wire_field *f)
{
	bool packed = f->type == WIRE_BYTES;

	return (struct wire_items){ packed ? wire_of(f->bytes) : wire_of(STR("")), *f, packed, false };
}

/* The only item of a list that is not packed. */
static bool only(struct wire *w, struct wire_items *l, enum wire_type type, uint64_t *bits)
{
	if (l->done)
		return false;
	l->done = true;
	*bits = l->one.bits;
	return l->one.type == type || fail(w);
}

static bool next(struct wire *w, struct wire_items *l, enum wire_type type, uint64_t *bits)
{
	if (!l->packed)
		return only(w, l, type, bits);
	if (l->of.p == l->of.end)
		return false;
	if (type == WIRE_VARINT ? wire_varint(&l->of, bits) : fixed(&l->of, 8, bits))
		return true;
	return fail(w);
}

bool wire_next_sint(struct wire *w, struct wire_items *l, int64_t *out)
{
	uint64_t bits;

	if (!next(w, l, WIRE_VARINT, &bits))
		return false;
	*out = unzigzag(bits);
	return true;
}

bool wire_next_double(struct wire *w, struct wire_items *l, double *out)
{
	uint64_t bits;

	if (!next(w, l, WIRE_FIXED64, &bits))
		return false;
	*out = to_double(bits);
	return true;
}
