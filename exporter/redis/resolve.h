/* Names to addresses within a deadline. getaddrinfo has none, so a thread of libc's asks for us; one that does not come back in time is
 * left to finish by itself. */
#ifndef TOCSIN_REDIS_RESOLVE_H
#define TOCSIN_REDIS_RESOLVE_H

#include "redis/stream.h"

struct addrinfo;

/* NULL and <e> when the name has no address or nobody answered in time. freeaddrinfo() the result. */
struct addrinfo *resolve_host(const char *host, const char *port, struct redis_wait wait, struct err *e) MUST_CHECK;

#endif
