/* What a kept connection brings unasked. libcurl would take it for the answer to the next request, and be one behind from then on. */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tocsin/connection.h"
#include "tocsin/mem.h"

enum { NONE = 0, NOT_KNOWN = 1 };

void connection_ports_fini(struct connection_ports *p)
{
	free(p->of);
	*p = (struct connection_ports){ 0 };
}

/* CURLOPT_SOCKOPTFUNCTION. It has no port before it is connected. */
static int note_socket(void *ports, curl_socket_t s, curlsocktype purpose)
{
	struct connection_ports *p = ports;

	(void)purpose;
	if ((size_t)s >= p->n) {
		p->of = mem_grow(p->of, &p->cap, (size_t)s + 1, sizeof *p->of);
		p->n = (size_t)s + 1;
	}
	p->of[s] = NOT_KNOWN;
	return CURL_SOCKOPT_OK;
}

static in_port_t port_of(curl_socket_t s)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t n = sizeof a;

	if (getsockname(s, &a.any, &n) != 0)
		return NONE;
	return a.any.sa_family == AF_INET ? ntohs(a.v4.sin_port) : a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : NONE;
}

/* CURL_SOCKET_BAD: nobody knows. */
static curl_socket_t find_socket(struct connection_ports *p, curl_socket_t likely, in_port_t port)
{
	if ((size_t)likely < p->n && p->of[likely] == port)
		return likely;
	for (size_t s = 0; s < p->n; s++) {
		if (p->of[s] == NOT_KNOWN)
			p->of[s] = port_of((curl_socket_t)s);
		if (p->of[s] == port && port_of((curl_socket_t)s) == port)
			return (curl_socket_t)s;
	}
	return CURL_SOCKET_BAD;
}

static bool has_input(curl_socket_t s)
{
	char c;

	return recv(s, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* There the server may speak at any time. */
static bool speaks_http2(CURL *easy)
{
	const struct curl_tlssessioninfo *tls = NULL;
	const unsigned char *name = NULL;
	unsigned n = 0;

	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls->internals != NULL && tls->backend == CURLSSLBACKEND_OPENSSL)
		SSL_get0_alpn_selected(tls->internals, &name, &n);
	return str_eq((struct str){ (const char *)name, n }, STR("h2"));
}

/* CURLOPT_PREREQFUNCTION. When a kept connection breaks while a request is written libcurl makes another one by itself. */
static int look_before_reuse(void *reuse, char *ip, char *local_ip, int port, int local_port)
{
	struct connection_reuse *u = reuse;
	long made = 0;

	(void)ip, (void)local_ip, (void)port;
	u->tries++;
	if (curl_easy_getinfo(u->easy, CURLINFO_NUM_CONNECTS, &made) != CURLE_OK || made > 0 || local_port <= NOT_KNOWN)
		return CURL_PREREQFUNC_OK;
	u->last = find_socket(u->ports, u->last, (in_port_t)local_port);
	if (u->last != CURL_SOCKET_BAD && has_input(u->last) && port_of(u->last) == local_port && !speaks_http2(u->easy))
		shutdown(u->last, SHUT_RDWR);
	return CURL_PREREQFUNC_OK;
}

void connection_guard_reuse(CURL *easy, struct connection_ports *ports, struct connection_reuse *u)
{
	u->easy = easy;
	u->ports = ports;
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, note_socket);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, ports);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, look_before_reuse);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, u);
}
