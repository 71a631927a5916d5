/* A parsed query: what the parser made once, and what the evaluator remembers between evaluations. Private to promql/.
 * query.c owns everything but <memory>, which is the evaluator's (eval_memory.c) and made at the first evaluation. */
#ifndef TOCSIN_PROMQL_QUERY_H
#define TOCSIN_PROMQL_QUERY_H

#include "ast.h"

struct eval_memory;
struct regex_list;

struct promql_query {
	struct arena arena;             /* the text, the tree */
	struct promql_options options;  /* defaults filled in */
	struct str text;                /* as given; positions count in it */
	const struct node *root;
	int n_nodes;
	struct str canonical;
	const struct promql_selector *selectors;
	size_t n_selectors;
	struct regex_list *regexes;     /* of the matchers; parse.h */
	bool (*pace)(void *arg);        /* may be NULL */
	void *pace_arg;
	struct promql_budget *budget;   /* may be NULL */
	struct eval_memory *memory;     /* NULL before the first evaluation */
};

void eval_memory_free(struct eval_memory *);    /* NULL is fine */

#endif
