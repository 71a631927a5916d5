/* Where a request comes from, and what its body says it is: pages of other sites must not change anything. Pure text. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "http_private.h"

struct place {
	struct str name;                /* an address of version 6 keeps its brackets; the dot at the end of a name is gone */
	unsigned port;                  /* 0: none is said */
};

#define HEX "0123456789abcdefABCDEF"

static bool is_of(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
			return false;
	return s.n > 0;
}

static struct str from_byte(struct str s, size_t at)
{
	return (struct str){ s.p + at, s.n - at };
}

/* "", ":" or ":9978". */
static bool read_port(struct str s, unsigned *out)
{
	int64_t port = 0;

	*out = 0;
	if (s.n <= 1)
		return s.n == 0 || s.p[0] == ':';
	if (s.p[0] != ':' || s.n > 6 || !isdigit((unsigned char)s.p[1]) || !str_to_int64(from_byte(s, 1), &port) || port > 65535)
		return false;
	*out = (unsigned)port;
	return true;
}

/* host[:port]. False when a host cannot be written so. */
static bool read_place(struct str s, struct place *out)
{
	bool bracket = str_starts(s, STR("["));
	size_t end = str_chr(s, bracket ? ']' : ':');

	if (bracket && end == s.n)
		return false;
	end += bracket;
	out->name = (struct str){ s.p, end };
	if (!read_port(from_byte(s, end), &out->port))
		return false;
	if (bracket)
		return is_of((struct str){ s.p + 1, end - 2 }, HEX ":.");
	if (end > 1 && s.p[end - 1] == '.')
		out->name.n--;
	return is_of(out->name, HEX "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-._") && !(out->name.n == 1 && s.p[0] == '.');
}

struct str http_url_host(struct str url)
{
	size_t scheme = str_find(url, STR("://"));
	struct str host = scheme < url.n ? from_byte(url, scheme + 3) : STR_NULL;

	host.n = str_chr(host, '/');
	host.n = str_chr(host, '?');
	host.n = str_chr(host, '#');
	return host;
}

/* Where the page is that asks, with the port its scheme stands for. */
static bool read_page(struct str url, struct place *out, unsigned *scheme_port)
{
	*scheme_port = str_starts(url, STR("https://")) ? 443 : str_starts(url, STR("http://")) ? 80 : 0;
	if (*scheme_port == 0 || !read_place(http_url_host(url), out))
		return false;
	if (out->port == 0)
		out->port = *scheme_port;
	return true;
}

/* <place> may leave out the port of the page's scheme. */
static bool is_page_of(const struct place *page, unsigned scheme_port, struct str place)
{
	struct place p;

	return read_place(place, &p) && str_eq_nocase(p.name, page->name) && page->port == (p.port != 0 ? p.port : scheme_port);
}

bool http_check_hosts(const struct str *hosts, size_t n, struct err *e)
{
	struct place p;

	for (size_t i = 0; i < n; i++) {
		struct str url = str_find(hosts[i], STR("://")) < hosts[i].n ? http_url_host(hosts[i]) : hosts[i];

		if (read_place(hosts[i], &p) && str_chr(from_byte(hosts[i], p.name.n), ':') == hosts[i].n - p.name.n)
			continue;
		url.n = str_chr(url, '/');
		if (read_place(url, &p))
			return err_set(e, ERR_BAD_INPUT, -1, "--web.host=" STR_FMT ": a name alone, with no scheme, port or path: "
			               "write " STR_FMT, STR_ARG(hosts[i]), STR_ARG(p.name));
		return err_set(e, ERR_BAD_INPUT, -1, "--web.host=" STR_FMT ": no host can be called so: write one whole name of "
		               "letters, digits, '-', '_' and '.', such as tocsin.example.com, and give --web.host again for another",
		               STR_ARG(hosts[i]));
	}
	return true;
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
static bool is_our_name(struct str host, const struct http_hosts *ours)
{
	char own[256] = "";
	struct place p;

	if (str_starts(host, STR("[")))
		return true;
	gethostname(own, sizeof own - 1);
	if (str_chr(host, '.') == host.n || str_eq_nocase(host, str_of(own)) || is_private(host))
		return true;
	for (size_t i = 0; i < ours->n; i++)
		if (read_place(ours->v[i], &p) && str_eq_nocase(host, p.name))
			return true;
	return is_ipv4(host);
}

/* A proxy before us may ask by a name of its own for a page of ours. */
static bool is_our_page(const struct place *page, unsigned scheme_port, const struct http_hosts *ours)
{
	for (size_t i = 0; i < ours->n_sites; i++)
		if (is_page_of(page, scheme_port, ours->v[i]))
			return true;
	return false;
}

/* A page of another site must not change anything with its visitor's rights, be it under a name of its own that was made to
 * resolve to us. Programs send no Origin, and are asked for a name of ours all the same. */
enum http_origin http_origin_of(const struct http_request *q, const struct http_hosts *ours)
{
	struct str from = http_header(q, "Origin"), host = str_trim(http_header(q, "Host"));
	struct place named, page;
	unsigned scheme_port;
	bool known, ours_page;

	if (from.p == NULL)
		from = http_header(q, "Referer");
	if (http_header_count(q, "Host") != 1 || !read_place(host, &named))
		return HTTP_WITHOUT_HOST;
	known = from.p != NULL && read_page(from, &page, &scheme_port);
	ours_page = known && is_our_page(&page, scheme_port, ours);
	if (from.p != NULL && !ours_page && !(known && is_page_of(&page, scheme_port, host)))
		return HTTP_FROM_ELSEWHERE;
	return ours_page || is_our_name(named.name, ours) ? HTTP_FROM_HERE : HTTP_BY_ANOTHER_NAME;
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
