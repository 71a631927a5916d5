/* The lookup owns copies of all it names, because it may outlive who asked: whoever lets go last (the asker or the resolver's
 * thread) frees it. */
#include "redis/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tocsin/clock.h"
#include "tocsin/mem.h"

struct lookup {
	atomic_int holders;
	char *host, *port;
	struct addrinfo *result;
	int status;             /* of getaddrinfo */
	int done_fd;
};

static const struct addrinfo stream_hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

static void lookup_let_go(struct lookup *l)
{
	if (atomic_fetch_sub(&l->holders, 1) > 1)
		return;
	if (l->result != NULL)
		freeaddrinfo(l->result);
	close(l->done_fd);
	free(l->host);
	free(l->port);
	free(l);
}

static void *lookup_run(void *arg)
{
	struct lookup *l = arg;

	l->status = getaddrinfo(l->host, l->port, &stream_hints, &l->result);
	eventfd_write(l->done_fd, 1);
	lookup_let_go(l);
	return NULL;
}

static struct lookup *lookup_start(const char *host, const char *port, struct err *e)
{
	struct lookup *l = mem_alloc(sizeof *l);
	pthread_t thread;

	l->done_fd = eventfd(0, EFD_CLOEXEC);
	l->host = mem_strndup(host, strlen(host));
	l->port = mem_strndup(port, strlen(port));
	atomic_store(&l->holders, 2);
	if (l->done_fd >= 0 && pthread_create(&thread, NULL, lookup_run, l) == 0) {
		pthread_detach(thread);
		return l;
	}
	err_set(e, ERR_IO, -1, "cannot start looking up %s", host);
	atomic_store(&l->holders, 1);
	lookup_let_go(l);
	return NULL;
}

static bool lookup_await(struct lookup *l, struct redis_wait wait, struct err *e)
{
	struct pollfd fds[] = { { .fd = l->done_fd, .events = POLLIN }, { .fd = wait.stop_fd, .events = POLLIN } };
	const int64_t left_ms = wait.deadline_mono_ms - clock_mono_ms(&clock_system);

	if (poll(fds, ARRAY_LEN(fds), left_ms < 0 ? 0 : (int)left_ms) > 0 && fds[0].revents != 0)
		return true;
	if (fds[1].revents != 0)
		return err_set(e, ERR_CANCELED, -1, "stopped while looking up %s", l->host);
	return err_set(e, ERR_TIMEOUT, -1, "looking up %s takes too long", l->host);
}

struct addrinfo *resolve_host(const char *host, const char *port, struct redis_wait wait, struct err *e)
{
	struct addrinfo numeric = stream_hints, *found = NULL;
	struct lookup *l;

	numeric.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(host, port, &numeric, &found) == 0)
		return found;
	if ((l = lookup_start(host, port, e)) == NULL)
		return NULL;
	if (lookup_await(l, wait, e)) {
		found = l->result;
		l->result = NULL;
		if (found == NULL)
			err_set(e, ERR_UPSTREAM, -1, "%s: %s", host, gai_strerror(l->status));
	}
	lookup_let_go(l);
	return found;
}
