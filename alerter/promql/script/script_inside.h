/* What the script's parts share. Private to script/. */
#ifndef TOCSIN_PROMQL_SCRIPT_INSIDE_H
#define TOCSIN_PROMQL_SCRIPT_INSIDE_H

#include "notation.h"
#include "ram.h"
#include "script.h"

enum note_rule { RULE_FAIL, RULE_WARN, RULE_INFO, N_NOTE_RULES };

struct expected_text {
	enum note_rule rule;
	struct str text;                /* empty: any */
	bool is_regex;
};

struct expected_series {
	struct labels labels;
	const struct notation_value *v;
	size_t n;
};

/* One eval command and what was written under it. */
struct eval_command {
	int line;
	bool range, ordered, no_warn, no_info, fails;
	int64_t start_ms, end_ms, step_ms;      /* instant: start */
	struct str expr;
	struct expected_text *texts;
	size_t n_texts, cap_texts;
	struct expected_series *series;
	size_t n_series, cap_series;
	bool scalar;                            /* a bare number is expected */
	bool string_set, matrix;
	struct str string;
	int64_t matrix_start_ms, matrix_step_ms;
};

/* load.c */
struct loaded {
	struct labels labels;
	const struct notation_value *v;
	size_t n;
};

struct load {
	struct ram *ram;
	struct arena *arena;
	int64_t step_ms;
	bool nhcb;                              /* classic histograms are also loaded as native ones with custom buckets */
	struct labels starts_of;                /* start times wait for the line with the samples */
	int64_t *starts;
	size_t n_starts;
	struct loaded *loaded;                  /* with <nhcb>: the block's series */
	size_t n_loaded, cap_loaded;
};
bool script_load_line(struct load *, struct str line, struct err *e);
/* At the end of the block. */
void script_load_nhcb(struct load *);

/* check.c: true when <r>, or the error of a query that gave none, is what the command expects; else the first difference in <why>. */
bool script_check(const struct eval_command *, const struct promql_result *r, const struct err *e, struct buf *why);
bool script_check_notes(const struct eval_command *, const struct promql_result *r, struct buf *why);
/* Of a range result, only the step at <t_ms>. */
struct promql_result *script_slice(struct arena *, const struct promql_result *, int64_t t_ms, enum promql_type type);

/* variants.c: runs the command in all its ways. */
bool script_eval(const struct eval_command *, struct querier *, const struct promql_options *, struct arena *, struct buf *why);

#endif
