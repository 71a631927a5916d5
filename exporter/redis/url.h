/* Where a Redis server is and how to speak to it, out of an address as redis-cli, redis-py and Celery write it:
 *	redis://[user[:password]@]host[:port][/db][?query]      plain TCP
 *	rediss://…                                              TLS; certificate and name are verified unless the query says otherwise
 *	unix:///path[?db=N]   redis+socket:///path[?virtual_host=N]
 * Every part is percent-decoded. A bare host[:port] is redis://. */
#ifndef TOCSIN_REDIS_URL_H
#define TOCSIN_REDIS_URL_H

#include "tocsin/arena.h"
#include "tocsin/err.h"

struct redis_tls {
	bool on;
	bool no_verify;                 /* ssl_cert_reqs=none: anybody may answer */
	bool no_name_check;             /* ssl_check_hostname=false: the chain is verified, the name is not */
	const char *ca_file;            /* NULL: the system's */
	const char *cert_file, *key_file;       /* NULL: no client certificate */
	const char *server_name;        /* NULL: the host */
};

/* Plain data; texts are NUL-terminated and live where it was parsed into. */
struct redis_url {
	const char *socket_path;        /* NULL: TCP */
	const char *host, *port;
	const char *user, *password;    /* NULL: none; a user without password is not sent */
	const char *password_file;      /* NULL: none; else read at each connect, and what it holds is sent in place of <password> */
	int db;
	struct redis_tls tls;
};

/* False and <e> when it is none of the forms above. The address never appears in <e>: it may hold a password. */
bool redis_url_parse(struct arena *a, struct str text, struct redis_url *out, struct err *e) MUST_CHECK;
/* The address for people: without user, password and query. In <a>. */
struct str redis_url_describe(struct arena *a, const struct redis_url *url);

#endif
