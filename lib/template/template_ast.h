/* The syntax tree of a template and what parser, evaluator and printer share. Private to lib/template_*.c. */
#ifndef TOCSIN_TEMPLATE_AST_H
#define TOCSIN_TEMPLATE_AST_H

#include "tocsin/template.h"

enum operand_kind {
	OPERAND_DOT, OPERAND_NIL, OPERAND_CONSTANT, OPERAND_VARIABLE, OPERAND_FUNCTION, OPERAND_PIPELINE,
};

struct operand {
	enum operand_kind kind;
	struct str source;                      /* for messages: the text it was made from */
	struct template_value constant;
	struct str name;                        /* variable (with $) or function */
	const struct template_func *func;
	struct pipeline *pipeline;              /* in parentheses */
	struct str *fields;                     /* .A.B behind it */
	size_t n_fields;
};

struct command {
	struct operand *args;                   /* at least one */
	size_t n;
	struct str source;
	struct command *next;
};

struct pipeline {
	struct str vars[2];
	size_t n_vars;
	bool assign;                            /* = instead of := */
	struct command *first;
	struct str source;
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_TEMPLATE, NODE_BREAK, NODE_CONTINUE };

struct node {
	enum node_kind kind;
	struct str text;                        /* NODE_TEXT; NODE_TEMPLATE: its name */
	struct str source;
	struct pipeline *pipeline;              /* NULL: {{template "x"}} */
	struct node *body, *otherwise;
	struct node *next;
};

struct definition {
	struct str name;
	struct node *body;
	struct definition *next;
};

struct template {
	struct arena arena;
	struct str name, text;
	const struct template_env *env;
	const struct template *base;
	struct node *body;
	struct definition *definitions;
};

/* "and" and "or" are evaluated only as far as needed; the evaluator knows them by these bodies. */
template_body template_go_and, template_go_or;
extern const struct template_func template_go_funcs[];
extern const size_t template_n_go_funcs;
extern const struct template_type template_time_type, template_duration_type;
extern const char *const template_months[13], *const template_days[7]; /* months from 1 */

/* Line and column, from 1, of a piece of <t>'s text. */
void template_position(const struct template *t, struct str source, int *line, int *col);
/* UTF-8; U+FFFD for what is no character. */
void template_put_rune(struct buf *b, int64_t rune);
/* As print does: `nil` is "<nil>". */
void template_print_arg(struct buf *b, struct template_value v);

#endif
