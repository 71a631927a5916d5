/* The syntax tree. Plain data in the query's arena, read-only once checked; the evaluator keeps what it remembers beside it, by
 * <id>. Private to promql/. Positions are byte offsets into the query text: [beg, end). */
#ifndef TOCSIN_PROMQL_AST_H
#define TOCSIN_PROMQL_AST_H

#include "promql.h"
#include "tocsin/regex.h"

enum node_kind {
	NODE_NUMBER,            /* 1, 5m, 0x1f, Inf */
	NODE_STRING,            /* "text" */
	NODE_SELECTOR,          /* up{job="a"} offset 5m @ end() — an instant vector; with <range> set a range vector */
	NODE_SUBQUERY,          /* <child>[1h:5m] */
	NODE_PAREN,             /* ( <child> ) */
	NODE_UNARY,             /* -<child>, +<child> */
	NODE_BINARY,            /* <left> op <right> */
	NODE_AGGREGATE,         /* sum by (job) (<child>) */
	NODE_CALL,              /* rate(<args>) */
};

/* X(enum, text, left binding power, right binding power): low to high; left < right associates to the left. */
#define OP_LIST(X) \
	X(OP_OR,       "or",     1, 2) \
	X(OP_AND,      "and",    3, 4) \
	X(OP_UNLESS,   "unless", 3, 4) \
	X(OP_EQL,      "==",     5, 6) \
	X(OP_NEQ,      "!=",     5, 6) \
	X(OP_LTE,      "<=",     5, 6) \
	X(OP_LSS,      "<",      5, 6) \
	X(OP_GTE,      ">=",     5, 6) \
	X(OP_GTR,      ">",      5, 6) \
	X(OP_TRIM_UPPER, "</",   5, 6) \
	X(OP_TRIM_LOWER, ">/",   5, 6) \
	X(OP_ADD,      "+",      7, 8) \
	X(OP_SUB,      "-",      7, 8) \
	X(OP_MUL,      "*",      9, 10) \
	X(OP_DIV,      "/",      9, 10) \
	X(OP_MOD,      "%",      9, 10) \
	X(OP_ATAN2,    "atan2",  9, 10) \
	X(OP_POW,      "^",      12, 11)

enum binop {
#define X(id, text, left, right) id,
	OP_LIST(X)
#undef X
	N_BINOPS
};

static inline bool binop_is_set(enum binop op)
{
	return op <= OP_UNLESS;
}

static inline bool binop_is_comparison(enum binop op)
{
	return op >= OP_EQL && op <= OP_GTR;
}

/* X(enum, text, takes a parameter: 0 none, 1 scalar, 2 string, experimental) */
#define AGGR_LIST(X) \
	X(AGGR_SUM,          "sum",          0, false) \
	X(AGGR_AVG,          "avg",          0, false) \
	X(AGGR_MIN,          "min",          0, false) \
	X(AGGR_MAX,          "max",          0, false) \
	X(AGGR_COUNT,        "count",        0, false) \
	X(AGGR_GROUP,        "group",        0, false) \
	X(AGGR_STDDEV,       "stddev",       0, false) \
	X(AGGR_STDVAR,       "stdvar",       0, false) \
	X(AGGR_TOPK,         "topk",         1, false) \
	X(AGGR_BOTTOMK,      "bottomk",      1, false) \
	X(AGGR_QUANTILE,     "quantile",     1, false) \
	X(AGGR_COUNT_VALUES, "count_values", 2, false) \
	X(AGGR_LIMITK,       "limitk",       1, true) \
	X(AGGR_LIMIT_RATIO,  "limit_ratio",  1, true)

enum aggr {
#define X(id, text, param, experimental) id,
	AGGR_LIST(X)
#undef X
	N_AGGRS
};

struct node;

/* A duration that may be an expression: [5m*2], offset (1h/step()). Constant ones are folded by the parser: <expr> NULL.
 * In <expr> only numbers, unary, paren, + - * / % ^ and the calls step() range() min_of() max_of() occur; evaluated in seconds
 * once a query, since step() and range() are the query's. */
struct duration {
	bool set;
	int64_t ms;                     /* of a constant; offsets may be negative */
	const struct node *expr;        /* NULL: a constant */
	const struct node *written;     /* for the printer: the expression, folded or not; NULL: a plain number or duration */
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };
enum range_mode { RANGE_PLAIN, RANGE_ANCHORED, RANGE_SMOOTHED };

struct node_selector {
	struct str metric;              /* as written before the brace; empty when only matchers */
	const struct matcher *matchers; /* with the one for __name__ */
	size_t n_matchers;
	struct duration range;          /* set: a range vector selector */
	struct duration offset;
	enum at_kind at;
	int64_t at_ms;
	enum range_mode mode;
};

struct node_subquery {
	struct node *child;
	struct duration range, step, offset;    /* step not set: the default */
	enum at_kind at;
	int64_t at_ms;
};

enum match_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

struct node_binary {
	enum binop op;
	int op_beg;                     /* where the operator stands */
	struct node *left, *right;
	struct node *above;             /* the operator whose left side this is; NULL: none. See node_chain_first() */
	bool returns_bool;
	enum match_card card;           /* MANY_TO_ONE: group_left; MANY_TO_MANY: set operators */
	bool on;                        /* on(…); else ignoring(…), which may be empty */
	bool explicit_matching;         /* on or ignoring was written */
	const struct str *labels;       /* of on / ignoring */
	size_t n_labels;
	const struct str *include;      /* of group_left / group_right */
	size_t n_include;
	bool fill_left_set, fill_right_set;
	double fill_left, fill_right;
};

struct node_aggregate {
	enum aggr op;
	struct node *param;             /* topk(5, …), quantile(0.9, …), count_values("v", …); else NULL */
	struct node *child;
	bool without;
	bool grouped;                   /* by or without was written */
	const struct str *labels;
	size_t n_labels;
};

struct function;                        /* functions.h: one row */

struct node_call {
	const struct function *fn;
	struct node **args;
	size_t n_args;
};

struct node {
	enum node_kind kind;
	enum promql_type type;          /* set by the checker */
	int id;                         /* 0 … promql_query's n_nodes - 1 */
	int beg, end;
	union {
		struct {
			double value;
			bool is_duration;       /* written 5m: printed so */
		} number;
		struct str string;
		struct node_selector selector;
		struct node_subquery subquery;
		struct node *paren;
		struct {
			bool minus;
			struct node *child;
		} unary;
		struct node_binary binary;
		struct node_aggregate aggregate;
		struct node_call call;
	};
};

/* a + b + c … is ((a + b) + c) …: a tree as deep as the chain is long. Who walks trees walks a chain in a loop, from its first
 * operator up to the last, <n>, so that length is not depth:
 *
 *	for (op = node_chain_first(n);; op = op->binary.above) { … op->binary.left only at the first … if (op == n) break; } */
static inline const struct node *node_chain_first(const struct node *n)
{
	while (n->binary.left->kind == NODE_BINARY)
		n = n->binary.left;
	return n;
}

#endif
