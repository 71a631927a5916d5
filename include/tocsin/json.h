/* Writing JSON into a buf; reading is jansson's. Commas are put by the writer, nesting is the caller's to balance.
 * Malformed UTF-8 becomes U+FFFD, so what comes out is always JSON. */
#ifndef TOCSIN_JSON_H
#define TOCSIN_JSON_H

#include "tocsin/buf.h"
#include "tocsin/labels.h"

struct json_out {
	struct buf *to;
	bool comma;             /* the next value or key needs one before it */
};

void json_out_open(struct json_out *j, char bracket);           /* '{' or '[' */
void json_out_close(struct json_out *j, char bracket);          /* '}' or ']' */
void json_out_key_str(struct json_out *j, struct str key);
static inline void json_out_key(struct json_out *j, const char *key)
{
	json_out_key_str(j, str_of(key)); /* of a literal the compiler knows the length */
}
void json_out_str(struct json_out *j, struct str s);
void json_out_strz(struct json_out *j, const char *z);          /* NULL: null */
void json_out_int(struct json_out *j, int64_t v);
void json_out_num(struct json_out *j, double v);                /* a JSON number; NaN and infinities become null */
void json_out_num_text(struct json_out *j, double v);           /* "0.5", "NaN", "+Inf": as the Prometheus API sends samples */
void json_out_num_fixed(struct json_out *j, double v);          /* the same without exponents: as it sends scalars */
void json_out_seconds(struct json_out *j, int64_t ms);          /* 1700000000.123 */
void json_out_time(struct json_out *j, int64_t ms);             /* RFC 3339 */
void json_out_bool(struct json_out *j, bool v);
void json_out_null(struct json_out *j);
void json_out_raw(struct json_out *j, struct str json);         /* JSON made elsewhere */
void json_out_labels(struct json_out *j, struct labels l);      /* an object */

/* Only the text between the quotes. */
void json_escape(struct buf *to, struct str s);

#endif
