/* What requests of the scrape loop and of discovery have in common: how to log in, whom to trust. Private to scrape. */
#ifndef TOCSIN_SCRAPE_REQUEST_H
#define TOCSIN_SCRAPE_REQUEST_H

#include <curl/curl.h>

#include "scrape/scrape.h"

void request_add_header(struct curl_slist **, const char *line);
void request_set_text(CURL *, CURLoption option, struct str s); /* empty: not set */
void request_set_common(CURL *, struct str url, bool follow_redirects, int64_t timeout_ms);
void request_set_tls(CURL *, const struct scrape_tls *);
/* Files of secrets are read anew: who changes a password does not reload us. */
bool request_set_auth(CURL *, struct curl_slist **, const struct scrape_auth *, struct err *e);
/* Parameters behind it, and case, do not matter. */
bool request_media_type_is(struct str type, const char *name);

#endif
