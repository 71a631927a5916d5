/* Regular expressions with RE2's meaning over PCRE2: the language Prometheus files are written in.
 * What RE2 refuses (lookaround, backreferences, possessive and atomic groups, \h, repeats over 1000 …) is refused by our own pass,
 * with the reason. Match and depth limits are set; hitting one is an error, never "no match". */
#ifndef TOCSIN_REGEX_H
#define TOCSIN_REGEX_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/err.h"

struct regex;

enum regex_mode {
	REGEX_ANCHORED,         /* ^(?s:…)$: PromQL and Alertmanager matchers, relabelling; '.' matches newline */
	REGEX_MATCHER,          /* the same, for regex_match() alone: what its groups hold is not asked */
	REGEX_SEARCH,           /* anywhere: reReplaceAll */
	REGEX_SEARCH_PCRE,      /* anywhere; what RE2 refuses may be PCRE2's, as a whole and with its meaning: log patterns */
};

/* Heap; NULL and <e> (position in the pattern) when refused. Immutable once made: threads may share it. */
struct regex *regex_new(struct str pattern, enum regex_mode, struct err *e) MUST_CHECK;
void regex_free(struct regex *);
struct str regex_pattern(const struct regex *);
size_t regex_bytes(const struct regex *);               /* about what it holds */

/* REGEX_LIMIT: backtracking went on for more than REGEX_MATCH_LIMIT steps, or too deep, and the other way, all at once, knows no answer either: there
 * are groups to be told, too many ways or too long a text, or it may begin anywhere. REGEX_LIMIT_NAME is for the error. */
enum regex_verdict { REGEX_NO, REGEX_YES, REGEX_LIMIT };
#define REGEX_MATCH_LIMIT 5000000
#define REGEX_LIMIT_NAME "regex_steps=5000000"
enum regex_verdict regex_match(const struct regex *, struct str subject);

/* The literal strings an anchored pattern is equivalent to ("a|b|c" -> 3), at most <max>; 0 when it is not just literals. Borrowed
 * from the regex. Lets an index look them up instead of testing every value. */
size_t regex_literals(const struct regex *, const struct str **out);
/* A literal every match begins with; may be empty. */
struct str regex_prefix(const struct regex *);

struct regex_group {
	size_t beg, end;        /* SIZE_MAX: the group took no part */
};
size_t regex_group_count(const struct regex *);                         /* capture groups, without the whole match */
int regex_group_index(const struct regex *, struct str name);           /* of the first so named; -1 when there is none */
/* First match at or behind <from>; fills at most <n> groups, [0] the whole match. */
enum regex_verdict regex_find(const struct regex *, struct str subject, size_t from, struct regex_group *groups, size_t n);
/* Go's Regexp.Expand: $1, ${1}, $name, ${name}, $$; the longest name is taken, of several groups of one name the first that took part.
 * Of <n> groups; what lies beyond is empty. */
void regex_expand(const struct regex *, struct buf *out, struct str subject, const struct regex_group *groups, size_t n,
                  struct str replacement);

#endif
