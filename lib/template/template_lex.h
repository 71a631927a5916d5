/* The lexer of templates and the parser's state. The first error wins; from then on everything reads as the end of the text.
 * Private to lib/template_*.c. */
#ifndef TOCSIN_TEMPLATE_LEX_H
#define TOCSIN_TEMPLATE_LEX_H

#include "template_ast.h"

enum token {
	TOKEN_END,              /* of the text, or an error */
	TOKEN_CLOSE,            /* }} */
	TOKEN_SPACE, TOKEN_WORD, TOKEN_FIELD, TOKEN_VARIABLE, TOKEN_DOT, TOKEN_NUMBER, TOKEN_CHAR, TOKEN_STRING, TOKEN_RAW,
	TOKEN_OPEN_PAREN, TOKEN_CLOSE_PAREN, TOKEN_PIPE, TOKEN_COMMA, TOKEN_DECLARE, TOKEN_ASSIGN,
};

struct scope {
	struct str names[64];
	size_t n;
};

struct parser {
	struct template *t;
	const char *p, *end;            /* next byte to look at */
	bool trim_next;                 /* the action that just closed ended with -}} */
	enum token token;
	struct str lexeme;
	struct scope scope;
	int depth, loops;
	struct err *e;
	bool failed;
};

static inline bool template_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next token inside an action. */
void template_next(struct parser *p);
/* <detail> follows the sentence when it is not empty. */
void template_fail(struct parser *p, const char *at, const char *what, struct str detail);
/* The current token, a number, character or string, as a constant. */
void template_constant(struct parser *p, struct operand *o);

#endif
