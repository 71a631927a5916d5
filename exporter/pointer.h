/* JSON pointers (RFC 6901) over jansson's values. */
#ifndef TOCSIN_EXPORTER_POINTER_H
#define TOCSIN_EXPORTER_POINTER_H

#include <jansson.h>

#include "tocsin/str.h"

/* What <pointer> names below <root>; NULL when there is nothing. "" is <root>; without a leading '/' it is the name of a member. */
const json_t *pointer_get(const json_t *root, struct str pointer);
/* Whether it is well-formed: "" or starts with '/', '~' followed by 0 or 1; or a member's name. */
bool pointer_is_valid(struct str pointer);

#endif
