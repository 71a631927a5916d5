/* Settings of one probe. */
#ifndef TOCSIN_PROBE_SETTINGS_H
#define TOCSIN_PROBE_SETTINGS_H

#include "gauges/gauges.h"
#include "tocsin/regex.h"

/* What is said before a TLS handshake; postgres by us, the others by curl. */
enum probe_starttls { STARTTLS_NONE, STARTTLS_SMTP, STARTTLS_IMAP, STARTTLS_POP3, STARTTLS_FTP, STARTTLS_POSTGRES };

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

/* The field of the JSON body must be there, and its text match wholly. */
struct probe_field {
	struct str pointer;
	struct regex *re;
};

struct probe_fields {
	struct probe_field *v;
	size_t n;
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
	int starttls;                   /* enum probe_starttls */
	struct str ca_file, cert_file, key_file;
	bool insecure_skip_verify;
	struct probe_headers require_headers;
	struct probe_regexes must_match, must_not_match;
	struct probe_fields require_json;
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
extern const char *const probe_starttls_names[];        /* by enum probe_starttls */
extern const struct conf_table probe_settings_table;

static inline bool probe_speaks_http(const struct probe_settings *s)
{
	return s->scheme == PROBE_HTTP || s->scheme == PROBE_HTTPS;
}

#endif
