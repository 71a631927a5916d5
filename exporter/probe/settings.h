/* Settings of one probe. */
#ifndef TOCSIN_PROBE_SETTINGS_H
#define TOCSIN_PROBE_SETTINGS_H

#include "gauges/gauges.h"
#include "tocsin/regex.h"

enum probe_scheme { PROBE_HTTP, PROBE_HTTPS, PROBE_TCP, PROBE_TLS };

struct probe_regexes {
	struct regex **v;
	size_t n;
};

/* The header must be there, and its value match wholly. */
struct probe_header {
	struct str name;
	struct regex *re;               /* NULL: any value */
};

struct probe_headers {
	struct probe_header *v;
	size_t n;
};

struct probe_settings {
	struct source_settings common;
	struct str url;
	int method;                     /* index into probe_methods */
	struct conf_strs headers;       /* "Name: value" */
	struct str body;
	struct conf_strs status_texts;
	bool follow_redirects;
	struct str ca_file;
	bool insecure_skip_verify;
	struct probe_headers require_headers;
	struct probe_regexes must_match, must_not_match;
	int64_t max_body;
	struct str rows;
	struct conf_list metrics;       /* struct gauge_metric */

	enum probe_scheme scheme;
	struct str curl_url;            /* as curl takes it */
	bool status_ok[600];            /* made of the texts */
	struct gauge_query query;       /* rows and metrics, as gauges know them */
	struct gauges_settings gauges;
};

extern const char *const probe_methods[];
extern const struct conf_table probe_settings_table;

static inline bool probe_speaks_http(const struct probe_settings *s)
{
	return s->scheme == PROBE_HTTP || s->scheme == PROBE_HTTPS;
}

#endif
