/* The parser's inside. Pratt's method for expressions, one function a production for the rest.
 *
 * The first error wins: it is kept, the lexer yields TOK_END from then on, and productions return a placeholder, so they need not
 * check. Everything made lives in the query's arena, but compiled regular expressions, which are listed to be freed with it. */
#ifndef TOCSIN_PROMQL_PARSE_H
#define TOCSIN_PROMQL_PARSE_H

#include "lex.h"

enum {
	PARSE_TEXT_BYTES = 1 << 20,
	PARSE_NODES = 100000,
	PARSE_LABELS = 1000,            /* in one list */
	PARSE_MATCHERS = 1000,          /* in one selector */
	PARSE_REGEXES = 2000,           /* in all */
};

#define DEPTH_MESSAGE "the query is nested deeper than %zu levels (limit max_depth)"

/* OP_LIST and AGGR_LIST as tables. */
struct operator_row {
	struct str text;
	int left, right;                /* binding powers */
};
extern const struct operator_row operators[N_BINOPS];

struct aggregator_row {
	struct str text;
	int param;                      /* 0 none, 1 scalar, 2 string */
	bool experimental;
};
extern const struct aggregator_row aggregators[N_AGGRS];

struct regex_list {
	struct regex *regex;
	struct regex_list *next;
};

struct parser {
	struct arena *arena;
	const struct promql_options *options;
	struct err *err;
	struct lexer lex;
	struct token tok;               /* the one to look at */
	struct token last;              /* the one taken before it */
	size_t depth;
	int n_nodes;
	struct regex_list *regexes;
	size_t n_regexes;
};

void parser_init(struct parser *, struct arena *, struct str text, const struct promql_options *, struct err *);
bool parser_failed(const struct parser *);

/* Sets the error, once; the result is a placeholder to return. */
struct node *parser_fail(struct parser *, int pos, const char *fmt, ...) PRINTF(3, 4);
/* "unexpected <what is there>: <fmt…>" at the current token. */
struct node *parser_unexpected(struct parser *, const char *fmt, ...) PRINTF(2, 3);
/* False when productions nest too deep: then parser_leave all the same, and return parser_too_deep(). */
bool parser_enter(struct parser *);
struct node *parser_too_deep(struct parser *, int pos);
void parser_leave(struct parser *);

/* False and an error naming the limit when there are <limit> of <what> already. */
bool parser_bound(struct parser *, size_t n, size_t limit, const char *what);

struct token parser_take(struct parser *);
bool parser_accept(struct parser *, enum token_kind);
bool parser_at_word(const struct parser *, const char *word);   /* keywords know no case */
bool parser_accept_word(struct parser *, const char *word);
/* Takes the <kind> that closes <open>. */
void parser_close(struct parser *, enum token_kind kind, struct token open);
/* The whole text is used up. */
void parser_finish(struct parser *);
struct token parser_peek(const struct parser *);                /* the token behind the current one */

struct node *parser_node(struct parser *, enum node_kind, int beg);

/* parse.c: expr = … */
struct node *parse_expr(struct parser *);
/* The binary operator the current token is, in signs or letters; -1 when it is none. */
int parser_operator(const struct parser *);
/* labels = "(" [ label { "," label } [ "," ] ] ")" */
void parse_labels(struct parser *, const char *context, const struct str **out, size_t *n);
/* A number or duration, with an optional sign, as a number. */
bool parse_signed_number(struct parser *, const char *context, double *out);

/* selector.c */
struct node *parse_selector(struct parser *, struct token name);        /* name of kind TOK_WORD, or TOK_END when a "{" is there */
struct node *parse_postfix(struct parser *, struct node *);             /* ranges, subqueries, offset, @, anchored, smoothed */

/* duration.c */
void parse_range_duration(struct parser *, const char *context, struct duration *out);
void parse_offset_duration(struct parser *, struct duration *out);

/* check.c: types and rules; fills in node types. False and <e> at the first fault. */
bool check_query(const struct promql_options *, struct node *root, struct err *e) MUST_CHECK;

/* print.c: the canonical text, and parts of it. */
void print_node(struct buf *, const struct node *);
void print_left(struct buf *, const struct node_binary *);
void print_operator(struct buf *, const struct node_binary *);                  /* with modifiers */
void print_aggregator(struct buf *, const struct node_aggregate *);             /* what is before the parenthesis */
void print_subquery_range(struct buf *, const struct node_subquery *);          /* and all behind it */

/* print_lines.c: the same on several lines where it is long. */
void print_lines(struct buf *, const struct node *);
void print_string(struct buf *, struct str);

void regex_list_free(struct regex_list *);

#endif
