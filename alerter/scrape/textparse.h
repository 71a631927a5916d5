/* Reading the Prometheus text format 0.0.4 and OpenMetrics 1.0, line by line. The caller drives, so that a line whose series it
 *knows from last time costs one comparison and a number:
 *
 *	while ((kind = textparse_next(&p)) != TEXTPARSE_END)
 *		kind == TEXTPARSE_SERIES: textparse_reaches() or textparse_series(), then textparse_value()
 *		kind == TEXTPARSE_COMMENT: textparse_reaches() or textparse_comment()
 *
 * After an error everything returns END or false; p.err says why, with the line number. Nothing is copied: texts point into the
 * reply. Source: Prometheus "Exposition formats"; OpenMetrics 1.0 specification. */
#ifndef TOCSIN_SCRAPE_TEXTPARSE_H
#define TOCSIN_SCRAPE_TEXTPARSE_H

#include "tocsin/err.h"
#include "tocsin/histogram.h"
#include "tocsin/labels.h"

enum { TEXTPARSE_MAX_LABELS = 1024 };

struct textparse {
	const char *p, *end; /* the byte behind <end> is readable and 0 */
	const char *begin;
	bool openmetrics, saw_eof;
	struct err err;
	const char *problem; /* err without the line */
	struct textparse_exemplar {
		struct str text; /* its braces; for textparse_exemplar_labels() */
		double v;
		bool has_t;
		int64_t t_ms;
	} exemplar; /* of the last sample that had one */
};

enum textparse_kind { TEXTPARSE_END, TEXTPARSE_SERIES, TEXTPARSE_COMMENT };

/* Borrows <text>, which must have a 0 behind it. */
void textparse_init(struct textparse *p, struct str text, bool openmetrics);
enum textparse_kind textparse_next(struct textparse *p);
/* Whether the line may begin with a text of <n> bytes that is known: a series', or a comment's line with its newline. Whoever knows it by its bytes
 * goes past it. */
static inline bool textparse_reaches(const struct textparse *p, size_t n)
{
	return (size_t)(p->end - p->p) >= n && (p->p[n] == ' ' || p->p[n] == '\t' || p->p[n - 1] == '\n');
}
/* The series' text, as it stands: name and braces. */
bool textparse_series(struct textparse *p, struct str *series);

struct textparse_sample {
	double v;
	bool has_t;
	uint32_t n_exemplars; /* of a text: one at most */
	int64_t t_ms;
	const struct textparse_exemplar *exemplars;
	/* Of protobuf only: */
	const struct histogram *h; /* NULL: <v> */
	bool beside_native;        /* one of the classic buckets of a native histogram that came before */
};
/* What follows a series: value, timestamp, exemplar, end of line. */
bool textparse_value(struct textparse *p, struct textparse_sample *out);

/* The same for an exemplar's. */
bool textparse_exemplar_labels(struct str text, struct arena *a, struct labels *out, struct err *e);

struct textparse_meta {  /* all empty: a comment of no meaning */
	struct str line; /* whole, with its newline */
	struct str metric;
	struct str type, help, unit; /* one of them has p != NULL */
};
bool textparse_comment(struct textparse *p, struct arena *a, struct textparse_meta *out);

/* Labels of a series text, unescaped, with __name__; in <a>. <empty>, if not NULL, gets those written with an empty value, which are none.
 * False and <e> when it is malformed. */
bool textparse_labels(struct str series, struct arena *a, struct labels *out, struct labels *empty, struct err *e);

#endif
