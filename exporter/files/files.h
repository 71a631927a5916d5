/* Files by pattern as a source: how many there are, how old the newest is, how big. For backups, exports, spools. */
#ifndef TOCSIN_FILES_H
#define TOCSIN_FILES_H

#include "source.h"

struct files_set {
	struct str name;                /* label `set` */
	struct str glob;
};

struct files_settings {
	struct source_settings common;
	int64_t max_entries;
	struct conf_list sets;          /* struct files_set */
};

extern const struct source_kind files_source_kind;

#endif
