/* What the files that read a pattern share: where the reader stands, and how it takes characters. */
#ifndef TOCSIN_REGEX_READ_H
#define TOCSIN_REGEX_READ_H

#include "regex_ast.h"
#include "tocsin/buf.h"

enum { RE_FLAG_I = 1, RE_FLAG_M = 2, RE_FLAG_S = 4, RE_FLAG_U = 8 };

struct re_parser {
	struct arena *arena;
	struct err *e;
	struct str s;
	size_t at;
	unsigned flags;
	int depth;
	bool wrapped;           /* it is going to stand in ^(?s:…)$ */
};

/* Reading ends with it: everything after sees the end of the pattern. Returns false. */
bool re_fail(struct re_parser *p, size_t at, const char *what);
bool re_failed(const struct re_parser *p);

/* The byte <ahead> of the position; NUL behind the end. */
char re_peek(const struct re_parser *p, size_t ahead);
bool re_looking_at(const struct re_parser *p, const char *z);
/* Steps over <z> if that is what follows. */
bool re_accept(struct re_parser *p, const char *z);
/* One UTF-8 character; there must be one. */
struct str re_take_char(struct re_parser *p);
/* An escape that stands for one character, in and outside of classes; the position is at the backslash. */
uint32_t re_parse_escape(struct re_parser *p);

bool re_is_alnum(char c);
struct re_node *re_node_new(struct re_parser *p, enum re_kind kind, size_t pos);

/* "[…]"; the position is at the bracket. */
struct re_node *re_parse_class(struct re_parser *p);
/* "\d", "\pL" and so on outside of brackets; the position is at the backslash. NULL when no class stands there. */
struct re_node *re_parse_class_escape(struct re_parser *p);
/* A class that nothing matches. */
struct re_node *re_empty_class(struct re_parser *p, size_t pos);

#endif
