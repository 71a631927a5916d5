/* Parameters and bodies of the Alertmanager API, read by type. Private to api/. */
#ifndef TOCSIN_API_V2_JSON_H
#define TOCSIN_API_V2_JSON_H

#include <jansson.h>

#include "internal.h"

/* Answers with <e>: a JSON string, as Alertmanager's errors. */
void v2_refuse(struct http_request *q, const struct err *e);

/* All values of the parameter filter. */
bool v2_filters(const struct http_request *q, const struct str **out, size_t *n, struct err *e) MUST_CHECK;
/* Absent or empty: true. The words Alertmanager knows; what it takes for false because it knows it not is refused. */
bool v2_query_flag(const struct http_request *q, const char *name, bool *out, struct err *e) MUST_CHECK;

/* Each reads <key> of the object <o>. null is the same as absent. False and <e>: another type (BAD_INPUT, 400), or required and absent (EXEC,
 * 422, which is Alertmanager's status for it). Texts go to <a>. */
bool v2_text(json_t *o, const char *key, bool required, struct arena *a, struct str *out, struct err *e) MUST_CHECK;
/* 0: empty, absent, or the year 1. */
bool v2_time(json_t *o, const char *key, bool required, int64_t *out_ms, struct err *e) MUST_CHECK;
/* <out> stays as it is when absent. */
bool v2_flag(json_t *o, const char *key, bool required, bool *out, struct err *e) MUST_CHECK;
bool v2_labels(json_t *o, const char *key, bool required, struct arena *a, struct labels *out, struct err *e) MUST_CHECK;

#endif
