/* What a series is called before relabelling. Private to scrape. */
#ifndef TOCSIN_SCRAPE_SERIES_LABELS_H
#define TOCSIN_SCRAPE_SERIES_LABELS_H

#include "scrape/target.h"

/* In <a>; texts may be borrowed from <scraped> and the target. <empty>: what was written with an empty value, which with honor_labels keeps
 * the target's label of that name away. <type_and_unit>: with what the target says of its family, at the time. */
struct labels series_labels(const struct target *, struct labels scraped, struct labels empty, bool type_and_unit, struct arena *a);

#endif
