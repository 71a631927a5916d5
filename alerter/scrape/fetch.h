/* One HTTP request after another to one target, through a curl multi handle. Private to scrape; belongs to the loop thread. */
#ifndef TOCSIN_SCRAPE_FETCH_H
#define TOCSIN_SCRAPE_FETCH_H

#include <curl/curl.h>

#include "scrape/target.h"

struct fetch;

struct fetch *fetch_new(void *owner); /* <owner>: what CURLINFO_PRIVATE answers */
/* Aborts what is on its way. */
void fetch_free(struct fetch *f, CURLM *multi);
/* False and <e> when it cannot even begin. */
bool fetch_start(struct fetch *f, CURLM *multi, const struct target *t, struct err *e);
bool fetch_is_busy(const struct fetch *f);
/* After CURLMSG_DONE. The reply's texts stay until the next start. */
struct scrape_reply fetch_finish(struct fetch *f, CURLM *multi, CURLcode code);

#endif
