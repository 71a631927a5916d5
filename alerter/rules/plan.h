/* What a reload is going to do: the files as they will be. Private to rules/. */
#ifndef TOCSIN_RULES_PLAN_H
#define TOCSIN_RULES_PLAN_H

#include "rules/rule.h"

struct planned_file {
	struct rule_file *file;         /* counted; NULL: never read well */
	struct str path, problem;
	bool vanished;                  /* not on disk; kept until the next reload finds the same */
	bool gone;                      /* that one did; it is still named, so it is said */
};

struct rules_plan {
	struct arena arena;
	struct rules_options options;
	struct planned_file *files;
	size_t n_files, cap_files;
	bool good;
};

/* <before> (n of them) are the files in use, or at the start those that were kept. */
struct rules_plan *plan_make(const struct planned_file *before, size_t n, const struct rules_options *, const struct str *patterns,
                             size_t n_patterns, struct conf_report *report);

/* kept.c: the last good versions, in the file <kept_path>. */
struct rules_plan *kept_read(const char *kept_path, const struct rules_options *);
/* What cannot be written is logged: it is missed at the next start only. */
void kept_write(const char *kept_path, const struct rules_plan *);

#endif
