/* The plain page at /: sources and their state, and where to go from here. */
#ifndef TOCSIN_EXPORTER_PAGE_H
#define TOCSIN_EXPORTER_PAGE_H

#include "publish.h"

/* Appends the page. <telemetry_path> as configured. */
void page_put(struct buf *out, const struct publisher_state *s, const char *telemetry_path);

#endif
