/* Texts for services that take so much and no more: what is cut stays valid in its markup, and says that it was cut. */
#ifndef NOTIFY_MARKUP_H
#define NOTIFY_MARKUP_H

#include "tocsin/arena.h"
#include "tocsin/str.h"

enum markup {
	MARKUP_NONE,
	MARKUP_HTML,
	MARKUP_MARKDOWN,                /* Telegram's: entities that are left open are an error there */
	MARKUP_SLACK,                   /* <links> and &entities; */
};

struct markup_limit {
	enum markup markup;
	size_t max;                     /* of <text> and <tail> together */
	bool bytes;                     /* <max> counts bytes, not characters */
	bool ascii;                     /* the mark is, too */
	struct str tail;                /* behind the text, whatever is cut */
};

/* <text> and the tail: as they are where they fit, else as much of the text as does, what it leaves open closed, and a mark. */
struct str markup_cut(struct arena *, struct str text, const struct markup_limit *);
/* HTML as one would read it: without tags and entities. */
struct str markup_plain(struct arena *, struct str html);

#endif
