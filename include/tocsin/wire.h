/* Protocol buffers on the wire, read field by field without a schema: nothing is copied, nothing allocated. What is read may be hostile:
 * every length is held against the bytes that are there. Source: Protocol Buffers documentation, "Encoding". */
#ifndef TOCSIN_WIRE_H
#define TOCSIN_WIRE_H

#include "tocsin/str.h"

struct wire {
	const unsigned char *p, *end;
	bool bad; /* malformed, or a field of another type than was asked for; from then on there are no more fields */
};

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t bits;    /* of a number */
	struct str bytes; /* WIRE_BYTES */
};

struct wire wire_of(struct str message);
/* The next field of a message. False at its end, or when it is bad. */
bool wire_next(struct wire *, struct wire_field *);
/* A number without a field around it: the length before a message of a stream, an item of a packed list. */
bool wire_varint(struct wire *, uint64_t *);
/* The next message of a stream of them, each behind its length. */
bool wire_delimited(struct wire *, struct str *message);

/* A field's value. One of another type makes <w> bad and is 0. */
uint64_t wire_uint(struct wire *w, const struct wire_field *);
int64_t wire_sint(struct wire *w, const struct wire_field *); /* sint32, sint64: zigzag */
double wire_double(struct wire *w, const struct wire_field *);
struct str wire_bytes(struct wire *w, const struct wire_field *);

/* The items of a repeated number, packed or not: wire_items() of each such field, then until the first false. */
struct wire_items {
	struct wire of;
	struct wire_field one;
	bool packed, done;
};
struct wire_items wire_items(const struct wire_field *);
bool wire_next_sint(struct wire *w, struct wire_items *, int64_t *);
bool wire_next_double(struct wire *w, struct wire_items *, double *);

#endif
