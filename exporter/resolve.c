/* A lookup is shared by two threads, the caller and the one that asks: whoever is last frees it. */
#include "resolve.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tocsin/clock.h"
#include "tocsin/mem.h"

struct lookup {
	atomic_int refs;
	int done_fd;
	int gai;                        /* written before done_fd becomes readable */
	struct resolved found;
	char host[];
};

static void lookup_drop(struct lookup *l)
{
	if (atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	close(l->done_fd);
	free(l);
}

static int find(const char *host, int flags, struct resolved *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list = NULL;
	int gai = getaddrinfo(host, NULL, &hints, &list);

	out->n = 0;
	for (struct addrinfo *i = list; gai == 0 && i != NULL && out->n < RESOLVE_MAX; i = i->ai_next)
		if (getnameinfo(i->ai_addr, i->ai_addrlen, out->address[out->n], sizeof out->address[0], NULL, 0, NI_NUMERICHOST) == 0)
			out->n++;
	if (list != NULL)
		freeaddrinfo(list);
	return gai == 0 && out->n == 0 ? EAI_NONAME : gai;
}

static void *lookup_thread(void *arg)
{
	struct lookup *l = arg;
	const uint64_t one = 1;
	ssize_t n;

	l->gai = find(l->host, AI_ADDRCONFIG, &l->found);
	n = write(l->done_fd, &one, sizeof one);
	assert(n == sizeof one);
	(void)n;
	lookup_drop(l);
	return NULL;
}

static bool wait_done(const struct lookup *l, int64_t deadline_mono_ms, int stop_fd, struct err *e)
{
	struct pollfd p[] = { { .fd = l->done_fd, .events = POLLIN }, { .fd = stop_fd, .events = POLLIN } };
	uint64_t done;

	for (;;) {
		int64_t left = deadline_mono_ms - clock_mono_ms(&clock_system);
		int n = left <= 0 ? 0 : poll(p, ARRAY_LEN(p), left > 60000 ? 60000 : (int)left);

		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_IO, -1, "poll: %s", strerror(errno));
		if (n > 0 && p[0].revents != 0)
			return read(l->done_fd, &done, sizeof done) == sizeof done || err_set(e, ERR_IO, -1, "eventfd: %s", strerror(errno));
		if (n > 0)
			return err_set(e, ERR_CANCELED, -1, "stopped");
		if (n == 0 && left <= 60000)
			return err_set(e, ERR_TIMEOUT, -1, "host \"%s\" was not resolved in time", l->host);
	}
}

static struct lookup *lookup_start(const char *host, struct err *e)
{
	struct lookup *l = mem_alloc(sizeof *l + strlen(host) + 1);
	pthread_attr_t attr;
	pthread_t thread;
	int failed;

	memcpy(l->host, host, strlen(host) + 1);
	atomic_init(&l->refs, 2);
	l->done_fd = eventfd(0, EFD_CLOEXEC);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	failed = l->done_fd < 0 ? errno : pthread_create(&thread, &attr, lookup_thread, l);
	pthread_attr_destroy(&attr);
	if (failed == 0)
		return l;
	err_set(e, ERR_IO, -1, "cannot look up \"%s\": %s", host, strerror(failed));
	if (l->done_fd >= 0)
		close(l->done_fd);
	free(l);
	return NULL;
}

bool resolve_host(const char *host, int64_t deadline_mono_ms, int stop_fd, struct resolved *out, struct err *e)
{
	struct lookup *l;
	bool ok;

	if (find(host, AI_NUMERICHOST, out) == 0)
		return true;
	l = lookup_start(host, e);
	if (l == NULL)
		return false;
	ok = wait_done(l, deadline_mono_ms, stop_fd, e);
	if (ok && l->gai != 0)
		ok = err_set(e, ERR_UPSTREAM, -1, "host \"%s\": %s", host, gai_strerror(l->gai));
	if (ok)
		*out = l->found;
	lookup_drop(l);
	return ok;
}
