/* Reads JSON by walking over it: takes the few members that are wanted and steps over the rest, without building anything.
 * Bounded in depth; the text is borrowed. A scanner that met something that is not JSON is bad, and stays where it is. */
#ifndef TOCSIN_CELERY_JSCAN_H
#define TOCSIN_CELERY_JSCAN_H

#include "tocsin/arena.h"

struct jscan {
	const char *p, *end;
	bool bad;
};

static inline struct jscan jscan_of(struct str text)
{
	return (struct jscan){ .p = text.p, .end = text.p + text.n };
}

/* The next byte that is not space, without taking it; 0 at the end. */
char jscan_peek(struct jscan *j);
/* Takes '{' or '['. */
bool jscan_open(struct jscan *j, char bracket);
/* Takes the '{' of an object; steps over a value of another kind, and is false. */
bool jscan_enter(struct jscan *j);
/* Inside an object: the next member's key (as written, escapes and all); its value must be taken before the next call. False
 * behind the last one, '}' taken. <first> is true for the first call. */
bool jscan_member(struct jscan *j, bool first, struct str *key);
/* Inside an array: whether there is another item; false behind the last one, ']' taken. */
bool jscan_item(struct jscan *j, bool first);

/* Each takes one value. The last three leave <*out> alone, and step over the value, when it is of another type. */
void jscan_skip(struct jscan *j);
/* unescaped: borrowed where there is nothing to unescape, else in <a> */
void jscan_text(struct jscan *j, struct arena *a, struct str *out);
void jscan_number(struct jscan *j, double *out);
void jscan_bool(struct jscan *j, bool *out);

#endif
