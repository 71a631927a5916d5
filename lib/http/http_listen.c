/* "host:port" into a listening socket. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"

/* Splits at the last colon; brackets around an IPv6 address go. */
static bool split(struct str address, char host[256], char port[16])
{
	size_t colon = address.n;
	struct str h;

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || address.n - colon >= 16 || address.n == colon || colon > 255)
		return false;
	h = (struct str){ address.p, colon - 1 };
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
		h = (struct str){ h.p + 1, h.n - 2 };
	snprintf(host, 256, STR_FMT, STR_ARG(h));
	snprintf(port, 16, "%.*s", (int)(address.n - colon), address.p + colon);
	return true;
}

static int open_socket(const struct addrinfo *ai, bool dual)
{
	const int yes = 1, no = 0;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &no : &yes, sizeof yes);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 128) == 0)
		return fd;
	close(fd);
	return -1;
}

static void name_socket(int fd, char bound[80])
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof ss;
	char host[64] = "?", port[8] = "?";

	getsockname(fd, (struct sockaddr *)&ss, &n);
	getnameinfo((struct sockaddr *)&ss, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(bound, 80, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int http_listen(struct str address, char bound[80], struct err *e)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *all = NULL;
	char host[256], port[16];
	int rc, fd = -1;

	if (!split(address, host, port)) {
		err_set(e, ERR_BAD_INPUT, -1, "\"" STR_FMT "\" is no address: write host:port, [IPv6]:port or :port", STR_ARG(address));
		return -1;
	}
	if (strtol(port, NULL, 10) > 65535) {
		err_set(e, ERR_BAD_INPUT, -1, "cannot listen on " STR_FMT ": a port is at most 65535", STR_ARG(address));
		return -1;
	}
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &all);
	if (rc != 0) {
		err_set(e, ERR_BAD_INPUT, -1, "cannot listen on " STR_FMT ": %s", STR_ARG(address), gai_strerror(rc));
		return -1;
	}
	/* Without a host the IPv6 wildcard takes IPv4 too; it is tried first. */
	for (int pass = *host ? 1 : 0; pass < 2 && fd < 0; pass++)
		for (const struct addrinfo *ai = all; ai != NULL && fd < 0; ai = ai->ai_next)
			if (pass == 1 || ai->ai_family == AF_INET6)
				fd = open_socket(ai, *host == '\0');
	if (fd < 0)
		err_set(e, ERR_IO, -1, "cannot listen on " STR_FMT ": %s", STR_ARG(address), strerror(errno));
	else
		name_socket(fd, bound);
	freeaddrinfo(all);
	return fd;
}
