/* Files by pattern, within bounds: how many directory entries are looked at, how deep, until when. Says apart that nothing matches,
 * that the folder where the wildcards begin is missing, and that it cannot be told. */
#ifndef TOCSIN_EXPORTER_WALK_H
#define TOCSIN_EXPORTER_WALK_H

#include <sys/stat.h>

#include "tocsin/clock.h"
#include "tocsin/err.h"
#include "tocsin/str.h"

#define WALK_MAX_DEPTH 32

struct walk_bounds {
	size_t max_entries;             /* directory entries looked at, all folders together */
	int64_t deadline_mono_ms;
	const struct clock *clock;
};

enum walk_verdict {
	WALK_DONE,
	WALK_MISSING,                   /* the folder the pattern begins in is not there */
	WALK_FAILED,                    /* <e>: a folder cannot be read, a bound was hit */
};

/* A regular file (or a link to one) that matches; false ends the walk with WALK_FAILED and what was put into <e>. */
typedef bool walk_found(void *ctx, const char *path, const struct stat *st, struct err *e);

/* <pattern>: a path whose parts may hold * ? […] as in a shell; a part ** stands for any number of folders. Names that
 * begin with a dot are only matched by a dot. Links to folders are followed, but not by **. Files that vanish meanwhile are no
 * error. */
enum walk_verdict walk_glob(struct str pattern, const struct walk_bounds *bounds, walk_found *found, void *ctx,
    struct err *e) MUST_CHECK;
/* Whether <pattern> is one: no part longer than a file name may be, at most WALK_MAX_DEPTH parts, each
 * bracket closed, and a file's name at the end. */
bool walk_pattern_check(struct str pattern, struct err *e);

#endif
