/* Where a request comes from, and what its body says it is: pages of other sites must not change anything. Pure text. */
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

/* "Host: [::1]:9978" and listen addresses alike; an address in brackets keeps them. */
struct str http_host_name(struct str host)
{
	size_t colon = host.n;

	while (colon > 0 && host.p[colon - 1] >= '0' && host.p[colon - 1] <= '9')
		colon--;
	if (colon > 0 && host.p[colon - 1] == ':')
		host.n = colon - 1;
	return host;
}

/* Under these nobody can have a name that the world's DNS knows. */
static bool is_private(struct str host)
{
	static const char *const ends[] = { ".localhost", ".local", ".internal", ".home.arpa", ".svc" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (host.n > strlen(ends[i]) && str_eq_nocase((struct str){ host.p + host.n - strlen(ends[i]), strlen(ends[i]) },
		    str_of(ends[i])))
			return true;
	return false;
}

static bool is_ipv4(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (strchr("0123456789.", host.p[i]) == NULL)
			return false;
	return true;
}

/* Names nobody else can make point to us: addresses, names without a dot, our own, and those the caller says are ours. */
static bool is_our_name(struct str host, const struct str *hosts, size_t n_hosts)
{
	char own[256] = "";

	if (str_starts(host, STR("[")))
		return true;
	host = http_host_name(host);
	gethostname(own, sizeof own - 1);
	if (str_chr(host, '.') == host.n || str_eq_nocase(host, str_of(own)) || is_private(host))
		return true;
	for (size_t i = 0; i < n_hosts; i++)
		if (str_eq_nocase(host, hosts[i]))
			return true;
	return is_ipv4(host);
}

/* A page of another site must not change anything with its visitor's rights, be it under a name of its own that was made to
 * resolve to us. Programs send no Origin, and are asked for a name of ours all the same. */
enum http_origin http_origin_of(const struct http_request *q, const struct str *hosts, size_t n_hosts)
{
	struct str from = http_header(q, "Origin"), host = http_header(q, "Host");

	if (from.p == NULL)
		from = http_header(q, "Referer");
	if (from.p != NULL && (host.n == 0 || !str_eq_nocase(host_of(from), host)))
		return HTTP_FROM_ELSEWHERE;
	return host.n == 0 || is_our_name(host, hosts, n_hosts) ? HTTP_FROM_HERE : HTTP_BY_ANOTHER_NAME;
}

struct str http_content_type(const struct http_request *q)
{
	struct str type = http_header(q, "Content-Type");

	type.n = str_chr(type, ';');
	return str_trim(type);
}

static bool has_body(const struct http_request *q)
{
	struct str length = http_header(q, "Content-Length");

	return http_header(q, "Transfer-Encoding").p != NULL || (length.n > 0 && !str_eq(str_trim(length), STR("0")));
}

/* What changes something takes JSON where it says so, else a form: a page of another site can send neither unseen. */
bool http_takes_type(const struct http_request *q, unsigned flags)
{
	struct str type = http_content_type(q);

	if ((flags & HTTP_CHANGES) == 0 || q->method == HTTP_GET || q->method == HTTP_DELETE)
		return true;
	if (flags & HTTP_JSON)
		return str_eq_nocase(type, STR("application/json"));
	return (type.n == 0 && !has_body(q)) || str_eq_nocase(type, STR("application/x-www-form-urlencoded"));
}
