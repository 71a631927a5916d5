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

/* As PCRE2 reads it. */
void regex_emit(struct buf *out, const struct re_node *n);

#endif
