/* Host names to addresses without ever blocking the caller: getaddrinfo() runs on a thread of its own, which is left behind when
 * the deadline comes first and frees what it found by itself. */
#ifndef TOCSIN_EXPORTER_RESOLVE_H
#define TOCSIN_EXPORTER_RESOLVE_H

#include "tocsin/err.h"

#define RESOLVE_MAX 8

struct resolved {
	size_t n;                               /* at most RESOLVE_MAX, in the order getaddrinfo() prefers */
	char address[RESOLVE_MAX][64];          /* numeric, IPv4 or IPv6 */
};

/* <deadline_mono_ms> by clock_system; <stop_fd> readable ends the wait with ERR_CANCELED, -1: none. */
bool resolve_host(const char *host, int64_t deadline_mono_ms, int stop_fd, struct resolved *out, struct err *e) MUST_CHECK;

#endif
