/* Parameters of a request. What is malformed is answered here, so that handlers only return. */
#include "internal.h"

#include <math.h>
#include <string.h>

#include "tocsin/num.h"

static bool refuse(struct http_request *q, const char *name, struct str text, const char *wanted)
{
	struct err e = { 0 };

	err_set(&e, ERR_BAD_INPUT, -1, "invalid parameter \"%s\": cannot parse \"" STR_FMT "\" to a valid %s", name, STR_ARG(text), wanted);
	envelope_error(q, &e);
	return false;
}

static bool missing(struct http_request *q, const char *name)
{
	struct err e = { 0 };

	err_set(&e, ERR_BAD_INPUT, -1, "parameter \"%s\" is missing", name);
	envelope_error(q, &e);
	return false;
}

static bool seconds_to_ms(struct str text, int64_t *out_ms)
{
	double seconds;

	if (!str_to_decimal(text, &seconds) || !isfinite(seconds) || fabs(seconds) > 9e12)
		return false;
	*out_ms = llround(seconds * 1000);
	return true;
}

bool param_time(struct http_request *q, const char *name, int64_t fallback, int64_t *out_ms)
{
	struct str text = http_param(q, name);

	*out_ms = fallback;
	if (text.n == 0)
		return fallback != INT64_MIN || missing(q, name);
	if (seconds_to_ms(text, out_ms) || clock_parse_rfc3339(text.p, text.n, out_ms))
		return true;
	return refuse(q, name, text, "timestamp");
}

bool param_duration(struct http_request *q, const char *name, int64_t fallback, int64_t *out_ms)
{
	struct str text = http_param(q, name);

	*out_ms = fallback;
	if (text.n == 0)
		return fallback != INT64_MIN || missing(q, name);
	if (seconds_to_ms(text, out_ms) || num_parse_duration_ms(text, out_ms))
		return true;
	return refuse(q, name, text, "duration");
}

bool param_size(struct http_request *q, const char *name, size_t fallback, size_t *out)
{
	struct str text = http_param(q, name);
	int64_t v;

	*out = fallback;
	if (text.n == 0)
		return true;
	if (!str_to_int64(text, &v) || v < 0)
		return refuse(q, name, text, "whole number");
	*out = (size_t)v;
	return true;
}
