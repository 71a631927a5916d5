/* Tokens of PromQL. The lexer knows no grammar; it knows only whether it is inside [ ], where ':' stands alone, or { }, where
 * words hold no ':'. What a word means is for the parser: keywords are names too. Private to promql/. */
#ifndef TOCSIN_PROMQL_LEX_H
#define TOCSIN_PROMQL_LEX_H

#include "ast.h"

enum token_kind {
	TOK_END,
	TOK_NUMBER,             /* 1.5e3, 0x1f, 1_000 */
	TOK_DURATION,           /* 1h30m */
	TOK_STRING,             /* with its quotes */
	TOK_WORD,               /* name, keyword, operator in letters, Inf, NaN */
	TOK_OP,                 /* operator in signs: <op> */
	TOK_EQ,                 /* = */
	TOK_EQ_RE,              /* =~ */
	TOK_NE_RE,              /* !~ */
	TOK_AT,
	TOK_COMMA,
	TOK_COLON,
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_LBRACE,
	TOK_RBRACE,
	TOK_LBRACKET,
	TOK_RBRACKET,
};

struct token {
	enum token_kind kind;
	enum binop op;
	int beg, end;
	struct str text;        /* borrowed from the query */
};

struct lexer {
	struct str text;
	size_t pos;
	bool in_brackets, in_braces;
	struct err *err;        /* set at the first fault; from then on every token is TOK_END */
	bool failed;
};

struct token lex_next(struct lexer *);

/* The value of a TOK_NUMBER, and of a TOK_DURATION in milliseconds; false when the text is neither (lex_next has said so). */
bool literal_number(struct str text, double *out) MUST_CHECK;
bool literal_duration_ms(struct str text, int64_t *out) MUST_CHECK;
/* What a TOK_STRING says, in <a>. False and <e> at a bad escape. */
bool literal_string(struct arena *a, struct token tok, struct str *out, struct err *e) MUST_CHECK;

/* Line and column, from 1, of byte <pos>; columns count characters. */
struct text_place {
	int line, column;
};
struct text_place text_place(struct str text, int pos);

#endif
