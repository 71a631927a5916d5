/* The function table: one row each, sorted by name; parser, checker, evaluator, --help and the page read the same row.
 * Private to promql/. */
#ifndef TOCSIN_PROMQL_FUNCTIONS_H
#define TOCSIN_PROMQL_FUNCTIONS_H

#include "ast.h"

enum { FUNCTION_ARGS = 5 };

struct eval_call;                       /* eval.h: what a body gets */

struct function {
	const char *name;
	enum promql_type returns;
	enum promql_type args[FUNCTION_ARGS];
	signed char n_args;             /* declared */
	signed char variadic;           /* 0: exactly n_args; k > 0: the last comes 0 to k times; -1: zero or more times */
	bool experimental;
	void (*body)(struct eval_call *);       /* NULL: the evaluator treats the node itself (info, absent's labels, time …) */
	const char *help;               /* one line */
};

extern const struct function functions[];
extern const size_t n_functions;

const struct function *function_find(struct str name);          /* exact; NULL when unknown */
const struct function *function_nearest(struct str name);       /* for "did you mean"; NULL when nothing is near */

#endif
