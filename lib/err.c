/* See err.h: the one table of error kinds, and setting them. */
#include "tocsin/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int http;
	const char *type;
	bool retry;
} kinds[] = {
#define X(code, http, type, retry) { http, type, retry },
	ERR_LIST(X)
#undef X
};

bool err_set(struct err *e, enum err_code code, int pos, const char *fmt, ...)
{
	va_list ap;

	assert(code != ERR_NONE);
	if (e->code != ERR_NONE)
		return false;
	e->code = code;
	e->pos = pos;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return false;
}

bool err_context(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->msg];
	va_list ap;
	size_t n;

	assert(e->code != ERR_NONE);
	memcpy(old, e->msg, sizeof old);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	if (n + 3 > sizeof e->msg)
		return false;
	memcpy(e->msg + n, ": ", 3);
	n += 2;
	e->msg[n] = '\0';
	strncat(e->msg, old, sizeof e->msg - n - 1);
	return false;
}

int err_http_status(enum err_code code)
{
	assert((size_t)code < ARRAY_LEN(kinds));
	return kinds[code].http;
}

const char *err_api_type(enum err_code code)
{
	assert((size_t)code < ARRAY_LEN(kinds));
	return kinds[code].type;
}

bool err_is_retryable(enum err_code code)
{
	assert((size_t)code < ARRAY_LEN(kinds));
	return kinds[code].retry;
}
