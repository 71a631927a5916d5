/* Alertmanager's matchers as text: name op value, values bare or quoted, lists in braces. */
#ifndef NOTIFY_MATCHER_H
#define NOTIFY_MATCHER_H

#include "tocsin/querier.h"
#include "tocsin/regex.h"

struct matcher_list {
	struct arena *arena;
	struct matcher *v;
	size_t n, cap;
	struct regex **regexes;         /* heap; the caller frees each and the array */
	size_t n_regexes, cap_regexes;
};

/* Frees the regexes and their array. */
void matcher_list_free_regexes(struct matcher_list *);
/* Appends what <text> says: [ '{' ] matcher { ',' matcher } [ ',' ] [ '}' ], in the classic form or else the newer one. False and <e> with the
 * position in <text>. */
bool matcher_parse(struct matcher_list *, struct str text, struct err *e) MUST_CHECK;
/* As Alertmanager's API takes them: <text> is one matcher. */
bool matcher_parse_filter(struct matcher_list *, struct str text, struct err *e) MUST_CHECK;
/* The classic form alone. False: the list may hold some of them, and <e> is set only by a regex that is none. */
bool matcher_parse_classic(struct matcher_list *, struct str text, struct err *e) MUST_CHECK;
/* One of name, value, with or without a regex; for match and match_re. */
bool matcher_add(struct matcher_list *, enum match_op, struct str name, struct str value, struct err *e) MUST_CHECK;
/* Sorted by name, then op, then value, as Alertmanager prints and keys them. */
void matcher_sort(struct matcher_list *);
/* {a="b",c=~"d"} */
void matcher_print(struct buf *, const struct matcher *, size_t n);

#endif
