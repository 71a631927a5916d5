/* JSON that others have written, more leniently than jansson takes it by itself: behind a byte order mark, any value at the top,
 * NUL in texts, integers of any length (those beyond 64 bits as reals, the others stay integers). */
#ifndef TOCSIN_EXPORTER_DOCUMENT_H
#define TOCSIN_EXPORTER_DOCUMENT_H

#include <jansson.h>

#include "tocsin/str.h"

/* NULL when it is none; then <*where>, which may be NULL, says what and where. Who calls drops the reference. */
json_t *document_read(struct str text, json_error_t *where) MUST_CHECK;

#endif
