/* The files of a source, and how far each was read. A file is its device and inode, not its name: renamed, it is read to its end
 * beside the one that took its place. What a position stands for is checked by the bytes before it, so that a file truncated and
 * written anew, or an inode used again, is noticed, and a copy made before a truncation is known as one.
 *
 * Positions stand behind whole lines only; a line without an end is read again until it has one. */
#ifndef TOCSIN_LOGS_TAIL_H
#define TOCSIN_LOGS_TAIL_H

#include "logs/lines.h"
#include "walk.h"

#define TAIL_HEAD_BYTES 256
#define TAIL_TAIL_BYTES 64
#define TAIL_KEEP_MS 60000              /* a file that was moved is followed until nobody wrote to it for so long */

/* The bytes at a place of a file; n 0: none. */
struct tail_print {
	uint32_t n;
	uint64_t hash;
};

struct tail_file {
	char *path;
	char *left_path;                /* the name it had until it was found under another one, free or not seen since; NULL: none */
	dev_t dev;
	ino_t ino;
	int64_t offset;
	struct tail_print head, tail;   /* first bytes, and those before <offset> */
	bool skipping;                  /* <offset> is inside a line that was cut: the rest of it is not looked at */
	bool moved;                     /* no longer what <path> was when it was found */
	bool unreplaced;                /* moved, and nobody was seen at <path> since */
	bool copy;                      /* of another file that is still written, and did not grow by itself: nothing of it counts */
	bool binary;                    /* compressed: nothing of it counts */
	int fd;                         /* -1: not open */
	int64_t grew_mono_ms;           /* when it last had more, 0: not since the start */
	int64_t written_ms, size;       /* its time of last change and its size then */
	bool found;                     /* by a pattern, this round */
};

struct tail {
	const struct logs_settings *settings;
	const struct clock *clock;
	struct counts *counts;
	struct lines_stats *stats;
	struct tail_file **files;
	size_t n, cap;
	bool began;                     /* a first round was done, perhaps in another life */
	bool verified;                  /* files of another life are still what they were */
	bool folder_missing;            /* this round: what is not found may come back with its folder */
	bool changed;                   /* since it was last cleared: something to commit */
	char *chunk;                    /* room for a line and more */
	size_t chunk_bytes;
};

void tail_init(struct tail *t, const struct logs_settings *s, const struct clock *clock, struct counts *counts,
               struct lines_stats *stats);
void tail_fini(struct tail *t);

/* Reads all files to where they ended when it began. False and <e> when that did not work: a file that cannot be read, a bound,
 * ERR_TIMEOUT when time ran out (what was read counts, and the next round goes on), ERR_CANCELED. */
bool tail_round(struct tail *t, const struct source_ask *ask, struct err *e) MUST_CHECK;

void tail_save(const struct tail *t, struct json_out *to);
bool tail_load(struct tail *t, const json_t *from, struct err *e) MUST_CHECK;

/* ---- Between tail.c and find.c ---- */

/* Finds files: new ones, moved ones, copies. */
bool tail_find_files(struct tail *t, const struct source_ask *ask, struct err *e) MUST_CHECK;
/* Opens <f>, by its inode where it was moved. False: it is nowhere, or <e>. */
bool tail_open(struct tail *t, struct tail_file *f, struct err *e) MUST_CHECK;
/* Whether <f>, which is open, is what its path leads to. */
bool tail_is_at_path(const struct tail_file *f);
/* <f> was truncated: finds the copy made before, if any, to be read from where <f> was. */
bool tail_find_copy(struct tail *t, const struct tail_file *f, struct err *e) MUST_CHECK;
struct tail_file *tail_add(struct tail *t, const char *path, const struct stat *st);
void tail_drop(struct tail *t, struct tail_file *f);
/* Whether <st>, found at <path> and open as <fd>, is as yet a copy of a file that is still written. */
bool tail_is_copy(const struct tail *t, const char *path, const struct stat *st, int fd);
/* Whether the bytes <f> remembers are what <fd> holds. */
bool tail_prints_match(const struct tail_file *f, int fd);

#endif
