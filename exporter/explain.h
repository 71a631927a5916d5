/* What --explain says: for each source what will be asked, when, how long it may take, and what it needs. Nothing is connected to,
 * and no secret shown. Each kind tells its own part by the functions below. */
#ifndef TOCSIN_EXPORTER_EXPLAIN_H
#define TOCSIN_EXPORTER_EXPLAIN_H

#include "sources.h"

/* Appends the whole text. */
void explain_sources(struct buf *out, const struct sources *c);

/* ---- For a kind's explain(), in this order ---- */

/* When something happens: "in each scrape, over one connection". What is asked then follows. */
void explain_when(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
/* One thing that is asked. Folded to the width of a page; line ends in it are spaces. */
void explain_ask(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
/* What a source needs, or does not do: a privilege, a file. */
void explain_note(struct buf *out, const char *fmt, ...) PRINTF(2, 3);

/* "1m30s", in one of a few places that are used in turn. */
struct explain_time {
	char text[32];
};
struct explain_time explain_time(int64_t ms);
#define EXPLAIN_MS(ms) (explain_time(ms).text)

#endif
