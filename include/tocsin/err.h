/* The world's fault: a code, a position in the text at fault, and a sentence for the person who can mend it.
 * Lives on the caller's stack, so failing allocates nothing. Our own bugs are asserts; no memory aborts (mem_*). */
#ifndef TOCSIN_ERR_H
#define TOCSIN_ERR_H

#include "tocsin/base.h"

#define ERR_LIST(X) /* code      HTTP  API errorType  worth a retry */ \
	X(NONE,          200, "",          false) \
	X(SYNTAX,        400, "bad_data",  false) \
	X(BAD_INPUT,     400, "bad_data",  false) \
	X(NOT_FOUND,     404, "not_found", false) \
	X(EXEC,          422, "execution", false) \
	X(LIMIT,         422, "execution", false) \
	X(TIMEOUT,       503, "timeout",   true)  \
	X(CANCELED,      503, "canceled",  true)  \
	X(UNAVAILABLE,   503, "unavailable", true) \
	X(UPSTREAM,      502, "internal",  true)  \
	X(IO,            500, "internal",  true)  \
	X(DAMAGED,       500, "internal",  false)

enum err_code {
#define X(code, http, type, retry) ERR_##code,
	ERR_LIST(X)
#undef X
};

struct err {
	enum err_code code;
	int pos;                /* byte offset in the text at fault, -1 when there is none */
	char msg[480];
};

/* Both always return false, so that a failing function can end in `return err_set(...)`. The first error set wins. */
bool err_set(struct err *e, enum err_code code, int pos, const char *fmt, ...) PRINTF(4, 5);
/* Puts "<context>: " before the message of an error already set. */
bool err_context(struct err *e, const char *fmt, ...) PRINTF(2, 3);

int err_http_status(enum err_code code);
const char *err_api_type(enum err_code code);   /* Prometheus HTTP API, "errorType" */
bool err_is_retryable(enum err_code code);

#endif
