/* From a line to counts: each rule looks whether it is about the line, and what its labels and value are. */
#ifndef TOCSIN_LOGS_LINES_H
#define TOCSIN_LOGS_LINES_H

#include "logs/counts.h"

/* What became of lines, all since the state file began. */
#define LINES_STATS(X) \
	X(lines, "Lines read.") \
	X(lines_cut, "Lines longer than max_line, of which only the beginning was looked at.") \
	X(lines_not_json, "Lines that are no JSON object although a metric reads its fields.") \
	X(values_bad, "Lines that a metric matched but whose value is no number, or negative.") \
	X(regex_limits, "Lines given up by a regular expression that took too long.") \
	X(rotations, "Files moved or removed, that others took the place of.") \
	X(truncations, "Files that were truncated, or written anew.") \
	X(files_lost, "Files that were gone when they were looked for again: lines behind the last position may not be counted.")

struct lines_stats {
#define X(name, help) uint64_t name;
	LINES_STATS(X)
#undef X
};

/* <line> without its newline. */
void lines_take(const struct logs_settings *s, struct counts *c, struct lines_stats *stats, struct str line, int64_t now_ms);

#endif
