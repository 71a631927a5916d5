/* What a compiled regular expression is: between regex.c, which makes and runs it, and regex_expand.c. */
#ifndef TOCSIN_REGEX_PRIVATE_H
#define TOCSIN_REGEX_PRIVATE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <stdatomic.h>
#include <pcre2.h>

#include "tocsin/regex.h"

/* What may stand on a side of the literal in FAST_AROUND. */
enum wild { WILD_NONE, WILD_ANY, WILD_SOME };

enum fast { FAST_NONE, FAST_LITERALS, FAST_AROUND };

/* A pattern, or some of the alternatives it is made of. */
struct program {
	pcre2_code *code;
	bool jit;
	size_t n_skipped;               /* groups of the alternatives before them */
	size_t *numbers;                /* heap: what PCRE2 calls its own groups, in their order */
	size_t n_groups;                /* of these */
	_Atomic bool explodes;          /* a text took too many steps */
};

struct regex {
	struct str pattern;             /* this and all texts here: heap, NUL behind them */
	enum regex_mode mode;
	enum fast fast;
	enum wild left, right;          /* FAST_AROUND: <literal> between them, maybe empty */
	struct str literal;
	struct str prefix;
	struct str *literals;           /* FAST_LITERALS: sorted, unique; their text in <literal> */
	size_t n_literals;
	struct str *names;              /* of the groups, [0] unused; they point into <pattern> */
	size_t n_groups;
	struct program *programs;       /* none where the fast way does everything; several: the first that matches */
	size_t n_programs, cap_programs;
	size_t n_outer;                 /* groups around the alternatives: they are in every program */
	pcre2_match_context *limits;
};

/* What PCRE2 makes of <pattern>, with the options every pattern here has; NULL with its <code>. */
pcre2_code *regex_program(struct str pattern, int *code);

#endif
