/* Values of queries for metrics of status pages. */
#ifndef TOCSIN_PUBLISHER_H
#define TOCSIN_PUBLISHER_H

#include "notify/notify.h"
#include "tocsin/querier.h"

struct page_metrics;

struct page_metrics *page_metrics_new(struct querier *, const struct clock *);
void page_metrics_start(struct page_metrics *, struct notify *);
/* What is published from now on; copied. */
void page_metrics_configure(struct page_metrics *, const struct notify_point_source *, size_t n);
void page_metrics_free(struct page_metrics *);        /* NULL is fine */

#endif
