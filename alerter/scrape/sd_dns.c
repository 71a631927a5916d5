/* dns_sd: c-ares, which never waits. A channel a refresh, so that a changed resolv.conf counts. A name that does not exist has no
 * targets; a server that does not answer, or says that it failed, is a failure. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "scrape/discovery.h"
#include "tocsin/mem.h"

enum { TIMEOUT_MS = 3000, TRIES = 2, RECORD_BYTES = 16, NO_PORT = -1 }; /* RECORD_BYTES: no record with an address is shorter */

struct dns_query {
	struct sd *sd;
	struct str name; /* of the configuration */
};

struct dns_run {
	ares_channel channel;
	struct dns_query *queries;
	size_t left;
	bool cancelled;
};

static void run_free(struct dns_run *r)
{
	ares_destroy(r->channel);
	ares_library_cleanup();
	free(r->queries);
	free(r);
}

/* ---- Records ---- */

/* A target of its own, since each has its own labels. <meta> NULL: only the name that was asked for. What a record names is told in full, with
 * the dot at its end, as in Prometheus. */
static void add_target(struct sd_answer *a, struct str asked, struct str address, const char *meta, const char *record, int port)
{
	struct scrape_static *g = sd_answer_group(a);
	struct label *v = ARENA_ARRAY(&a->arena, 3, struct label);
	struct str *target = ARENA_ARRAY(&a->arena, 1, struct str);
	size_t n = 0;

	*target = address;
	g->targets = (struct conf_strs){ target, 1 };
	v[n++] = (struct label){ STR("__meta_dns_name"), arena_str(&a->arena, asked) };
	if (meta != NULL)
		v[n++] = (struct label){ str_of(meta), arena_printf(&a->arena, "%s.", record) };
	if (port != NO_PORT)
		v[n++] = (struct label){ STR("__meta_dns_srv_record_port"), arena_printf(&a->arena, "%d", port) };
	g->labels = (struct conf_labels){ v, n };
	a->targets++;
}

static int read_srv(struct sd_answer *a, const struct dns_query *q, const unsigned char *reply, int n)
{
	struct ares_srv_reply *all = NULL;
	int rc = ares_parse_srv_reply(reply, n, &all);

	for (const struct ares_srv_reply *r = all; r != NULL; r = r->next)
		add_target(a, q->name, arena_printf(&a->arena, "%s:%d", r->host, r->port), "__meta_dns_srv_record_target", r->host, r->port);
	ares_free_data(all);
	return rc;
}

static int read_mx(struct sd_answer *a, const struct dns_query *q, const unsigned char *reply, int n)
{
	struct ares_mx_reply *all = NULL;
	int rc = ares_parse_mx_reply(reply, n, &all);

	for (const struct ares_mx_reply *r = all; r != NULL; r = r->next)
		add_target(a, q->name, arena_printf(&a->arena, "%s:%lld", r->host, (long long)q->sd->config->port),
		           "__meta_dns_mx_record_target", r->host, NO_PORT);
	ares_free_data(all);
	return rc;
}

static int read_ns(struct sd_answer *a, const struct dns_query *q, const unsigned char *reply, int n)
{
	struct hostent *host = NULL;
	int rc = ares_parse_ns_reply(reply, n, &host);

	for (char **name = host != NULL ? host->h_aliases : NULL; name != NULL && *name != NULL; name++)
		add_target(a, q->name, arena_printf(&a->arena, "%s:%lld", *name, (long long)q->sd->config->port),
		           "__meta_dns_ns_record_target", *name, NO_PORT);
	if (host != NULL)
		ares_free_hostent(host);
	return rc;
}

static int read_a(struct sd_answer *a, const struct dns_query *q, const unsigned char *reply, int n)
{
	int count = n / RECORD_BYTES + 1, rc;
	struct ares_addrttl *all = mem_alloc((size_t)count * sizeof *all);
	char text[INET_ADDRSTRLEN];

	rc = ares_parse_a_reply(reply, n, NULL, all, &count);
	for (int i = 0; rc == ARES_SUCCESS && i < count; i++)
		add_target(a, q->name, arena_printf(&a->arena, "%s:%lld", inet_ntop(AF_INET, &all[i].ipaddr, text, sizeof text),
		                                    (long long)q->sd->config->port), NULL, NULL, NO_PORT);
	free(all);
	return rc;
}

static int read_aaaa(struct sd_answer *a, const struct dns_query *q, const unsigned char *reply, int n)
{
	int count = n / RECORD_BYTES + 1, rc;
	struct ares_addr6ttl *all = mem_alloc((size_t)count * sizeof *all);
	char text[INET6_ADDRSTRLEN];

	rc = ares_parse_aaaa_reply(reply, n, NULL, all, &count);
	for (int i = 0; rc == ARES_SUCCESS && i < count; i++)
		add_target(a, q->name, arena_printf(&a->arena, "[%s]:%lld", inet_ntop(AF_INET6, &all[i].ip6addr, text, sizeof text),
		                                    (long long)q->sd->config->port), NULL, NULL, NO_PORT);
	free(all);
	return rc;
}

static const struct {
	int record;
	int (*read)(struct sd_answer *, const struct dns_query *, const unsigned char *reply, int n);
} types[] = {
	[SCRAPE_DNS_SRV] = { ns_t_srv, read_srv }, [SCRAPE_DNS_A] = { ns_t_a, read_a },    [SCRAPE_DNS_AAAA] = { ns_t_aaaa, read_aaaa },
	[SCRAPE_DNS_MX] = { ns_t_mx, read_mx },    [SCRAPE_DNS_NS] = { ns_t_ns, read_ns },
};

/* ---- A refresh ---- */

static void on_reply(void *arg, int status, int timeouts, unsigned char *reply, int n)
{
	struct dns_query *q = arg;
	struct dns_run *r = q->sd->running;
	struct sd_source *s;
	struct sd_answer answer = { 0 };
	struct err e = { 0 };

	(void)timeouts;
	if (r->cancelled)
		return;
	r->left--;
	s = sd_source(q->sd, q->name);
	if (status == ARES_SUCCESS)
		status = types[q->sd->config->dns_type].read(&answer, q, reply, n);
	if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA) {
		sd_source_found(q->sd, s, &answer);
	} else {
		err_set(&e, ERR_UPSTREAM, -1, "%s", ares_strerror(status));
		sd_source_failed(q->sd, s, &e);
	}
	arena_fini(&answer.arena);
}

static int open_channel(struct dns_run *r, const char *servers)
{
	struct ares_options options = { .timeout = TIMEOUT_MS, .tries = TRIES };
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	if (rc == ARES_SUCCESS)
		rc = ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (rc == ARES_SUCCESS && servers != NULL)
		rc = ares_set_servers_ports_csv(r->channel, servers);
	return rc;
}

bool sd_dns_start(struct sd *sd, const char *servers)
{
	struct dns_run *r = mem_alloc(sizeof *r);
	size_t n = sd->config->names.n;
	struct err e = { 0 };
	int rc = open_channel(r, servers);

	if (rc != ARES_SUCCESS) {
		err_set(&e, ERR_UPSTREAM, -1, "%s", ares_strerror(rc));
		for (size_t i = 0; i < n; i++)
			sd_source_failed(sd, sd_source(sd, sd->config->names.v[i]), &e);
		run_free(r);
		return false;
	}
	sd->running = r;
	r->left = n;
	r->queries = mem_alloc((n + 1) * sizeof *r->queries);
	for (size_t i = 0; i < n; i++) {
		r->queries[i] = (struct dns_query){ sd, sd->config->names.v[i] };
		ares_search(r->channel, sd->config->names.v[i].p, ns_c_in, types[sd->config->dns_type].record, on_reply, &r->queries[i]);
	}
	return true;
}

size_t sd_dns_fds(const struct sd *sd, struct curl_waitfd *fds, size_t room)
{
	const struct dns_run *r = sd->running;
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	unsigned mask = (unsigned)ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM); /* its macros shift into the sign */
	size_t n = 0;

	for (int i = 0; i < ARES_GETSOCK_MAXNUM && n < room; i++) {
		short events = (short)((mask >> i & 1 ? CURL_WAIT_POLLIN : 0) | (mask >> (i + ARES_GETSOCK_MAXNUM) & 1 ? CURL_WAIT_POLLOUT : 0));

		if (events != 0)
			fds[n++] = (struct curl_waitfd){ .fd = sockets[i], .events = events };
	}
	return n;
}

bool sd_dns_step(struct sd *sd)
{
	struct dns_run *r = sd->running;
	struct curl_waitfd wanted[ARES_GETSOCK_MAXNUM];
	size_t n = sd_dns_fds(sd, wanted, ARES_GETSOCK_MAXNUM);

	for (size_t i = 0; i < n; i++) {
		struct pollfd p = { .fd = wanted[i].fd };

		p.events = (short)((wanted[i].events & CURL_WAIT_POLLIN ? POLLIN : 0) | (wanted[i].events & CURL_WAIT_POLLOUT ? POLLOUT : 0));
		if (poll(&p, 1, 0) > 0)
			ares_process_fd(r->channel, p.revents & (POLLIN | POLLERR | POLLHUP) ? p.fd : ARES_SOCKET_BAD,
			                p.revents & POLLOUT ? p.fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (r->left > 0)
		return false;
	run_free(r);
	sd->running = NULL;
	return true;
}

void sd_dns_cancel(struct sd *sd)
{
	struct dns_run *r = sd->running;

	r->cancelled = true;
	run_free(r);
	sd->running = NULL;
}
