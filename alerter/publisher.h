/* Values of queries for metrics of status pages. */
#ifndef TOCSIN_PUBLISHER_H
#define TOCSIN_PUBLISHER_H

#include "notify/notify.h"
#include "tocsin/querier.h"

struct publisher;

struct publisher *publisher_new(struct querier *, const struct clock *);
void publisher_start(struct publisher *, struct notify *);
/* What is published from now on; copied. */
void publisher_configure(struct publisher *, const struct notify_point_source *, size_t n);
void publisher_free(struct publisher *);        /* NULL is fine */

#endif
