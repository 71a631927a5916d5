/* Bytes to and from a server, over TCP, a unix socket or TLS: every call ends at its deadline or when the stop descriptor says
 * so, name resolution included. Knows nothing of Redis but its address. */
#ifndef TOCSIN_REDIS_STREAM_H
#define TOCSIN_REDIS_STREAM_H

#include "redis/url.h"

/* How long, and what ends it early. */
struct redis_wait {
	int64_t deadline_mono_ms;       /* by clock_system */
	int stop_fd;                    /* readable: fail with ERR_CANCELED; -1: none */
};

struct stream;

/* NULL and <e> when nobody answers, or the certificate is not good. */
struct stream *stream_open(const struct redis_url *url, struct redis_wait wait, struct err *e) MUST_CHECK;
void stream_close(struct stream *s);

int stream_fd(const struct stream *s);
/* At least one byte into <buf>. */
bool stream_read(struct stream *s, void *buf, size_t cap, size_t *n, struct redis_wait wait, struct err *e) MUST_CHECK;
/* All of it. */
bool stream_write(struct stream *s, const void *p, size_t n, struct redis_wait wait, struct err *e) MUST_CHECK;
/* As much of it as can be sent without waiting; how much. A failure shows when something is read. */
size_t stream_write_now(struct stream *s, const void *p, size_t n);
/* Something (an end, most likely) has come in that was not asked for. */
bool stream_has_input(const struct stream *s);

#endif
