/* How to reach an HTTP server, as Prometheus's and Alertmanager's http_config say it, and the same onto a handle of libcurl: who we are,
 * TLS, proxy, headers, tokens of OAuth 2. Source: Prometheus documentation, "http_config". */
#ifndef TOCSIN_CONNECTION_H
#define TOCSIN_CONNECTION_H

#include <curl/curl.h>

#include "tocsin/conf.h"

/* ---- Settings. ---- */

struct connection_settings {
	struct {
		struct str user, password;
		struct str password_file;       /* read again for each request, as the next one */
	} basic;
	struct {
		struct str type, credentials;   /* Authorization: <type> <credentials> */
		struct str credentials_file;
	} auth;
	const struct oauth2_settings *oauth2;   /* NULL: none */
	struct label *headers;                  /* http_headers */
	size_t n_headers;
	struct {
		struct str ca_file, cert_file, key_file, server_name;
		struct str ca, cert, key;       /* PEM, instead of files */
		bool insecure_skip_verify;
		int min_version, max_version;   /* 0: the library's; from 1: TLS 1.0 to 1.3 */
	} tls;
	struct str proxy_url, no_proxy;
	struct label *proxy_headers;            /* proxy_connect_header */
	size_t n_proxy_headers;
	bool proxy_from_environment, follow_redirects, enable_http2;
};

struct oauth2_settings {                        /* client credentials; a token is fetched when there is none that is good */
	struct connection_settings http;        /* first: of the token's endpoint; tls_config and the proxy only */
	struct str client_id, client_secret, token_url;
	struct conf_strs scopes;
	struct conf_labels params;              /* endpoint_params */
};

/* Rows' offsets are of the whole struct connection_settings: who has them beside rows of his own puts it first in his struct. */
extern const struct conf_table connection_table, connection_tls_table;
extern const struct conf_key connection_keys[];
extern const size_t connection_key_count;
bool connection_check(struct conf_reader *, const struct conf_node *, void *connection_settings);
/* The keys of <more> beside those; in the reader's arena. Its check must call connection_check. */
struct conf_table connection_table_with(struct conf_reader *, const struct conf_table *more);

/* ---- A handle. ---- */

/* Lists a handle points to until it is cleaned up. */
struct connection_lists {
	struct curl_slist *headers, *proxy_headers, *connect_to;
};
void connection_lists_free(struct connection_lists *);
void connection_add_header(struct connection_lists *, struct str name, struct str value);
void connection_set_text(CURL *, CURLoption, struct str);       /* an empty one is not set */

/* One request at a time on each connection, over HTTP/2 too. Ends the process without memory. */
CURLM *connection_multi_new(void);
/* How a transfer of such a one ended, before its handle is removed. After an answer that did not come in time libcurl keeps a connection of
 * HTTP/2, and the next request would go where nobody hears it, for as long as TCP does not give up. */
void connection_hang_up(CURL *, CURLcode);

/* By socket of a CURLM: its port on our side. {0} is empty; for the CURLM's thread, and goes after it. */
struct connection_ports {
	uint16_t *of;
	size_t n, cap;
};
void connection_ports_fini(struct connection_ports *);

/* {0}; lives as long as its handle. */
struct connection_reuse {
	CURL *easy;
	struct connection_ports *ports;
	curl_socket_t last;             /* where it went the last time */
	unsigned tries;                 /* on how many connections a request went out; the caller sets it back */
};
/* What a server says on a kept connection before it is asked (408 because that took too long, a second answer) is no answer to the next
 * request: that goes out on another connection. Not on unix sockets. */
void connection_guard_reuse(CURL *, struct connection_ports *, struct connection_reuse *);

/* CURLOPT_HEADERFUNCTION; <ended> is a bool: whether the headers of the last answer came to their end. libcurl takes headers that
 * break off for an answer without a body (CURLE_OK): who sees CURLE_OK and this false has no answer. */
size_t connection_take_header(char *line, size_t size, size_t n, void *ended);
/* Why a transfer failed, for people, when it has just done so; <detail> is its CURLOPT_ERRORBUFFER, which names host and port. */
const char *connection_failure(CURL *, CURLcode, const char *detail);

/* A name server that does not answer holds nobody up: set on every handle, by connection_apply too. connection_failure remembers who got no
 * answer, and for 5 s (a minute, when many got none) the name is not looked up again. From any thread. */
void connection_guard_lookup(CURL *);
const char *connection_lookup_failed(CURL *, CURLcode, const char *detail);     /* NULL: it failed by something else */
/* For a transfer that is under way and that its owner ends, before the handle is removed: a lookup it may be in is remembered too. */
void connection_given_up(CURL *);
size_t connection_lookups_hanging(void);        /* at most; of this process */

/* What all of them share, for tests. A name is its hash; 0 is none. */
enum { CONNECTION_LOOKUPS_MAX = 256 };
struct connection_lookups {
	struct connection_lookup {
		uint64_t name;
		int64_t since_mono_ms;
	} v[1024];
	size_t next;
};
void connection_lookups_add(struct connection_lookups *, uint64_t name, int64_t now_mono_ms);
size_t connection_lookups_hang(const struct connection_lookups *, int64_t now_mono_ms);
/* Why the name is not looked up now; NULL: it may be. */
const char *connection_lookups_refuse(const struct connection_lookups *, uint64_t name, int64_t now_mono_ms);

/* Where to, TLS, proxy; not what is asked, nor by whom. <url> is the address as it is written: where tls_config names another server,
 * that name is asked for at the same place. */
void connection_apply(CURL *, struct str url, const struct connection_settings *, struct connection_lists *);

/* For a handle that is used again as it was set up: roots that changed since are read again, and connections from before they, or the
 * client's certificate, did are not used. */
void connection_watch_files(CURL *, const struct connection_settings *);

struct tokens;
/* Who asks: basic_auth, authorization, a token, http_headers. Files of secrets are read anew; when one cannot be read what it held when the
 * configuration was read counts. False and <e> when it held nothing then. */
bool connection_login(CURL *, const struct connection_settings *, struct tokens *, struct connection_lists *, struct err *e);

/* Whether connection_login may set something else the next time. */
bool connection_login_changes(const struct connection_settings *);

/* ---- Tokens of OAuth 2, kept by who asks for them. For one thread. ---- */

struct tokens *tokens_new(void);
void tokens_free(struct tokens *);
/* A good one, or an empty text. Valid until the next call. */
struct str tokens_get(struct tokens *, const struct oauth2_settings *);
void tokens_drop(struct tokens *, const struct oauth2_settings *);
/* The request that fetches one, on a fresh handle whose answer's body the caller collects. */
void tokens_ask(CURL *, const struct tokens *, const struct oauth2_settings *, struct connection_lists *);
/* True: tokens_get() has one now, or it is to be asked for once more, another way. */
bool tokens_take(struct tokens *, const struct oauth2_settings *, int status, struct str body, struct err *);

#endif
