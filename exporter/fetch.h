/* Documents over HTTP, fetched together on curl's multi interface; connections are kept. Redirects are not followed: headers and
 * passwords go where they were meant to go. Each body is bounded. One thread uses a fetcher. */
#ifndef TOCSIN_EXPORTER_FETCH_H
#define TOCSIN_EXPORTER_FETCH_H

#include "tocsin/conf.h"
#include "tocsin/err.h"

struct fetcher;

struct fetch_options {
	struct conf_strs headers;       /* "Name: value" */
	const char *user, *password;    /* NULL: none but what the URL holds */
	const char *ca_file, *cert_file, *key_file;     /* NULL: the system's authorities, no certificate */
	bool no_verify;
	size_t body_max;
};

/* Nothing of what is handed in is kept. */
struct fetcher *fetcher_new(const char *const *urls, size_t n, const struct fetch_options *options);
void fetcher_free(struct fetcher *f);
/* Until all are there or the deadline has come. False when <stop_fd> was readable (ERR_CANCELED). */
bool fetcher_run(struct fetcher *f, int64_t deadline_mono_ms, int stop_fd, struct err *e) MUST_CHECK;
/* Document <i> of the last run: its body, until the next. False and <e> when it is none or not HTTP 200; <*status> is 0 when the
 * server did not answer at all. */
bool fetcher_body(const struct fetcher *f, size_t i, struct str *body, long *status, struct err *e) MUST_CHECK;

#endif
