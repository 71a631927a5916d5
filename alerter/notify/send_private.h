/* Between the files of the sender: a request under way, and how its connection is set up. */
#ifndef NOTIFY_SEND_PRIVATE_H
#define NOTIFY_SEND_PRIVATE_H

#include <curl/curl.h>

#include "notify/transport.h"

/* Lists a handle points to until it is cleaned up. */
struct connection_lists {
	struct curl_slist *headers, *proxy_headers, *connect_to;
};
void connection_lists_free(struct connection_lists *);
void connection_add_header(struct connection_lists *, struct str name, struct str value);

/* Where to, TLS, proxy, who we are; not what is asked. <url> is the address as it is written: where tls_config names another
 * server, that name is asked for at the same place. */
void connection_apply(CURL *, struct str url, const struct http_settings *, struct connection_lists *);
void connection_set_text(CURL *, CURLoption, struct str);       /* an empty one is not set */

/* oauth.c: tokens, kept by who asks for them. */
struct tokens;
struct tokens *tokens_new(void);
void tokens_free(struct tokens *);
/* A good one, or an empty text. Valid until the next call. */
struct str tokens_get(struct tokens *, const struct oauth2_settings *);
void tokens_drop(struct tokens *, const struct oauth2_settings *);
/* The request that fetches one, on a fresh handle whose answer's body the caller collects. */
void tokens_ask(CURL *, const struct oauth2_settings *, struct connection_lists *);
bool tokens_take(struct tokens *, const struct oauth2_settings *, int status, struct str body, struct err *);

#endif
