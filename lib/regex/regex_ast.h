/* What regex_parse.c hands to regex.c: the tree of an RE2 pattern, with flags already applied to each node. Lives in an arena. */
#ifndef TOCSIN_REGEX_AST_H
#define TOCSIN_REGEX_AST_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/err.h"

enum re_kind {
	RE_EMPTY,
	RE_LITERAL,             /* <text>, UTF-8 */
	RE_ANY,                 /* any character */
	RE_ANY_IN_LINE,         /* any but newline */
	RE_CLASS,               /* <text>: a class as PCRE2 reads it, with brackets */
	RE_LINE_BEGIN, RE_LINE_END,
	RE_TEXT_BEGIN, RE_TEXT_END,
	RE_WORD_EDGE, RE_NO_WORD_EDGE,
	RE_CAPTURE,             /* <first>; <text> the name, may be empty */
	RE_CONCAT,              /* <first> and its siblings */
	RE_ALTERNATE,
	RE_REPEAT,              /* <first>, min … max times; max -1: no end */
};

struct re_node {
	enum re_kind kind;
	bool fold;              /* RE_LITERAL, RE_CLASS: letter case is ignored */
	bool lazy;
	bool nullable;          /* matches the empty text */
	int min, max;
	int height;
	int pos;                /* in the pattern */
	struct str text;
	struct re_node *first, *next;
};

enum { REGEX_MAX_BYTES = 256 * 1024, REGEX_MAX_REPEAT = 1000, REGEX_MAX_HEIGHT = 1000 };

/* NULL and <e> for what RE2 refuses. */
struct re_node *regex_parse(struct arena *a, struct str pattern, bool dot_all, struct err *e);
/* Whether \p{sc:<name>} is known. */
bool regex_script_exists(struct str name);
/* (?i)\p{Lu}, \p{Ll}, \p{Lt}, or with <negated> \P{Lu} and so on, as what stands in brackets; empty: another name. */
struct str regex_folded_category(struct str name, bool negated);

/* A pattern as PCRE2 reads it. It has more groups than the one that was read: each loop whose turn may be empty marks where it began
 * and, in the group of the next number, where its turn did. A callout of the first one's number then asks whether the turn may end. */
struct regex_out {
	struct buf text;
	bool wants_groups;      /* somebody will ask what the groups hold */
	size_t n_emitted;       /* groups in <text> */
	size_t *numbers;        /* of the groups that were read, in their order: theirs in <text>; heap */
	size_t n_read, cap_read;
};

void regex_emit(struct regex_out *out, const struct re_node *n);

#endif
