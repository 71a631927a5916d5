/* Base64 (RFC 4648, section 4), as kombu wraps message bodies. */
#ifndef TOCSIN_CELERY_BASE64_H
#define TOCSIN_CELERY_BASE64_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"

/* False when it is none: a foreign byte, a length that cannot be. Padding may be missing. In <a>. */
bool base64_decode(struct arena *a, struct str text, struct str *out) MUST_CHECK;
void base64_encode(struct buf *out, struct str bytes);

#endif
