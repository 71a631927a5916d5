/* One collection of every source, for --dry-run: what a scrape would show, slow tasks included, and nothing kept of it. */
#ifndef TOCSIN_EXPORTER_ONCE_H
#define TOCSIN_EXPORTER_ONCE_H

#include "sources.h"

#define ONCE_MAX_MS 60000               /* what slow tasks are waited for at most; a collection has its source's timeout */

/* Appends the page. Returns how many sources, or slow tasks or parts of theirs, could not be read; each was complained of in the
 * log. */
size_t once_collect(struct sources *c, const struct clock *clock, struct buf *page);

#endif
