/* libcurl, set up when first needed: with the TLS library behind it that takes 2 MB, which sources that do not speak HTTP are
 * spared. */
#ifndef TOCSIN_EXPORTER_CURL_NEED_H
#define TOCSIN_EXPORTER_CURL_NEED_H

#include <curl/curl.h>

/* curl_multi_init(), behind curl_global_init() once a process. From any thread. Never NULL. */
CURLM *curl_multi_need(void);

#endif
