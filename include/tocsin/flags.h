/* Command lines as Prometheus's programs take them: --name=value or --name value, --name and --no-name for switches. One row a flag
 * gives parsing, default and --help. */
#ifndef TOCSIN_FLAGS_H
#define TOCSIN_FLAGS_H

#include "tocsin/buf.h"
#include "tocsin/err.h"

enum flag_kind {
	FLAG_TEXT,              /* struct str */
	FLAG_LIST,              /* struct flag_list; may be given again and again */
	FLAG_SWITCH,            /* bool */
	FLAG_DURATION,          /* int64_t, milliseconds: 15d */
	FLAG_BYTES,             /* int64_t: 512MB */
};

enum { FLAG_LIST_MAX = 16 };

struct flag_list {
	struct str v[FLAG_LIST_MAX];
	size_t n;
};

struct flag {
	const char *name;       /* without the dashes: "config.file" */
	enum flag_kind kind;
	void *to;
	const char *fallback;   /* as one would write it; NULL: <*to> stays as it is */
	const char *shows;      /* what --help calls the value: "FILE"; NULL for a switch */
	const char *help;
};

/* Texts point into <argv>. Words without dashes go to <rest> (NULL: they are an error), everything behind "--" too. */
bool flags_parse(const struct flag *flags, size_t n, int argc, char **argv, struct flag_list *rest, struct err *e) MUST_CHECK;
/* What it is set to, as one would write it; of a list all, apart by commas. */
void flag_print_value(struct buf *out, const struct flag *flag);
void flags_print_help(struct buf *out, const struct flag *flags, size_t n);

#endif
