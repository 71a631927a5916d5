/* Where a request comes from: pages of other sites must not change anything. Pure text. */
#include <string.h>
#include <unistd.h>

#include "http_private.h"

/* host[:port] of "https://host:port/…". */
static struct str host_of(struct str url)
{
	size_t scheme = str_find(url, STR("://"));
	struct str host = scheme < url.n ? (struct str){ url.p + scheme + 3, url.n - scheme - 3 } : STR_NULL;

	host.n = str_chr(host, '/');
	return host;
}

/* Names nobody else can make point to us: addresses, names without a dot, our own, and those the caller says are ours. */
static bool is_our_name(struct str host, const struct str *hosts, size_t n_hosts)
{
	size_t colon = host.n;
	char own[256] = "";

	if (str_starts(host, STR("[")))
		return true;
	while (colon > 0 && host.p[colon - 1] >= '0' && host.p[colon - 1] <= '9')
		colon--;
	if (colon > 0 && host.p[colon - 1] == ':')
		host.n = colon - 1;
	gethostname(own, sizeof own - 1);
	if (str_chr(host, '.') == host.n || str_eq_nocase(host, str_of(own)) || str_ends(host, STR(".localhost")))
		return true;
	for (size_t i = 0; i < n_hosts; i++)
		if (str_eq_nocase(host, hosts[i]))
			return true;
	for (size_t i = 0; i < host.n; i++)
		if (strchr("0123456789.", host.p[i]) == NULL)
			return false;
	return true;
}

/* A page of another site must not change anything with its visitor's rights, be it under a name of its own that was made to
 * resolve to us. Programs send no Origin. */
bool http_comes_from_here(const struct http_request *q, const struct str *hosts, size_t n_hosts)
{
	struct str from = http_header(q, "Origin"), host = http_header(q, "Host");

	if (from.p == NULL)
		from = http_header(q, "Referer");
	return from.p == NULL || (host.n > 0 && str_eq_nocase(host_of(from), host) && is_our_name(host, hosts, n_hosts));
}
