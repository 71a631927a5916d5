/* Addresses of Redis servers: cut at the separators first, percent-decoded after, so that an encoded '/', ':' or '@' in a
 * password is just a byte of it. */
#include "redis/url.h"

enum form { FORM_TCP, FORM_TLS, FORM_SOCKET };

static const struct {
	struct str prefix;
	enum form form;
} schemes[] = {
	{ { "redis://", 8 }, FORM_TCP },       { { "valkey://", 9 }, FORM_TCP },        { { "rediss://", 9 }, FORM_TLS },
	{ { "valkeys://", 10 }, FORM_TLS },    { { "redis+socket://", 15 }, FORM_SOCKET }, { { "unix://", 7 }, FORM_SOCKET },
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* NULL and <e> when a '%' is not followed by two hexadecimal digits or stands for a NUL. */
static const char *decode(struct arena *a, struct str s, const char *part, struct err *e)
{
	char *out = arena_alloc(a, s.n + 1), *to = out;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			*to++ = s.p[i];
			continue;
		}
		const int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0) {
			err_set(e, ERR_BAD_INPUT, -1, "%s of the address: %% must be followed by two hexadecimal digits, not 00", part);
			return NULL;
		}
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	return out;
}

static bool parse_db(struct arena *a, struct str s, int *out, struct err *e)
{
	const char *text = decode(a, s, "database", e);
	int64_t db = 0;

	if (text == NULL)
		return false;
	if (*text != '\0' && (!str_to_int64(str_of(text), &db) || db < 0 || db > 1 << 20))
		return err_set(e, ERR_BAD_INPUT, -1, "database in the address is not a number");
	*out = (int)db;
	return true;
}

static bool is_one_of(struct str s, const char *const words[])
{
	for (; *words != NULL; words++)
		if (str_eq_nocase(s, str_of(*words)))
			return true;
	return false;
}

static bool parse_cert_reqs(struct str value, struct redis_tls *tls, struct err *e)
{
	static const char *const none[] = { "none", "CERT_NONE", NULL };
	static const char *const some[] = { "required", "CERT_REQUIRED", "optional", "CERT_OPTIONAL", NULL };

	tls->no_verify = is_one_of(value, none);
	if (tls->no_verify || is_one_of(value, some))
		return true;
	return err_set(e, ERR_BAD_INPUT, -1, "ssl_cert_reqs in the address must be required, optional or none");
}

/* One name=value of the query. Names we have no use for (health_check_interval …) are left to others. */
static bool parse_query_pair(struct arena *a, struct str name, struct str raw, struct redis_url *u, struct err *e)
{
	static const char *const no[] = { "false", "0", "no", NULL };
	const struct {
		struct str name;
		const char **to;
	} files[] = {
		{ STR("ssl_ca_certs"), &u->tls.ca_file },
		{ STR("ssl_certfile"), &u->tls.cert_file },
		{ STR("ssl_keyfile"), &u->tls.key_file },
	};
	const char *value = decode(a, raw, "query", e);

	if (value == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (str_eq(name, files[i].name))
			*files[i].to = value;
	if (str_eq(name, STR("ssl_cert_reqs")))
		return parse_cert_reqs(str_of(value), &u->tls, e);
	if (str_eq(name, STR("ssl_check_hostname")))
		u->tls.no_name_check = is_one_of(str_of(value), no);
	if (str_eq(name, STR("db")) || str_eq(name, STR("virtual_host")))
		return parse_db(a, str_starts(raw, STR("/")) ? (struct str){ raw.p + 1, raw.n - 1 } : raw, &u->db, e);
	return true;
}

static bool parse_query(struct arena *a, struct str query, struct redis_url *u, struct err *e)
{
	struct str pair;

	while (str_cut(&query, '&', &pair)) {
		const size_t eq = str_chr(pair, '=');
		const struct str name = { pair.p, eq };
		const struct str value = eq == pair.n ? STR("") : (struct str){ pair.p + eq + 1, pair.n - eq - 1 };

		if (pair.n != 0 && !parse_query_pair(a, name, value, u, e))
			return false;
	}
	return true;
}

static bool parse_credentials(struct arena *a, struct str s, struct redis_url *u, struct err *e)
{
	const size_t colon = str_chr(s, ':');

	u->user = colon == 0 ? NULL : decode(a, (struct str){ s.p, colon }, "user", e);
	if (colon != 0 && u->user == NULL)
		return false;
	if (colon == s.n)
		return true;
	u->password = decode(a, (struct str){ s.p + colon + 1, s.n - colon - 1 }, "password", e);
	return u->password != NULL;
}

/* host, host:port, [v6], [v6]:port; what is missing has its default. */
static bool parse_host(struct arena *a, struct str s, struct redis_url *u, struct err *e)
{
	struct str host = s, port = STR("6379");
	int64_t number;

	if (str_starts(s, STR("["))) {
		const size_t close = str_chr(s, ']');
		if (close == s.n)
			return err_set(e, ERR_BAD_INPUT, -1, "host in the address: '[' without ']'");
		host = (struct str){ s.p + 1, close - 1 };
		s = (struct str){ s.p + close + 1, s.n - close - 1 };
		if (s.n != 0 && s.p[0] != ':')
			return err_set(e, ERR_BAD_INPUT, -1, "host in the address: only a port may follow ']'");
	} else {
		host.n = str_chr(s, ':');
		s = (struct str){ s.p + host.n, s.n - host.n };
	}
	if (s.n > 1)
		port = (struct str){ s.p + 1, s.n - 1 };
	if (!str_to_int64(port, &number) || number < 1 || number > 65535)
		return err_set(e, ERR_BAD_INPUT, -1, "port in the address is not a number from 1 to 65535");
	u->port = arena_strz(a, port);
	u->host = decode(a, host.n != 0 ? host : STR("localhost"), "host", e);
	return u->host != NULL;
}

static size_t last_at(struct str s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '@')
			return i - 1;
	return s.n;
}

static bool parse_tcp(struct arena *a, struct str authority, struct str path, struct redis_url *u, struct err *e)
{
	const size_t at = last_at(authority);

	if (at != authority.n) {
		if (!parse_credentials(a, (struct str){ authority.p, at }, u, e))
			return false;
		authority = (struct str){ authority.p + at + 1, authority.n - at - 1 };
	}
	return parse_host(a, authority, u, e) && parse_db(a, path, &u->db, e);
}

/* [user:password@]/path: the path begins at the first '/', and credentials, as redis-py has it, may stand before it. */
static bool parse_socket(struct arena *a, struct str authority, struct str path, struct redis_url *u, struct err *e)
{
	const size_t at = last_at(authority);

	if (at != authority.n && !parse_credentials(a, (struct str){ authority.p, at }, u, e))
		return false;
	if (path.n == 0)
		return err_set(e, ERR_BAD_INPUT, -1, "address of a socket has no path");
	path = arena_printf(a, "/" STR_FMT, STR_ARG(path));
	u->socket_path = decode(a, path, "path", e);
	return u->socket_path != NULL;
}

bool redis_url_parse(struct arena *a, struct str text, struct redis_url *out, struct err *e)
{
	enum form form = FORM_TCP;
	struct str rest = text, path = STR("");
	size_t scheme_end = str_find(text, STR("://"));
	bool known = scheme_end == text.n;

	*out = (struct redis_url){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts(text, schemes[i].prefix))
			continue;
		form = schemes[i].form;
		rest = (struct str){ text.p + schemes[i].prefix.n, text.n - schemes[i].prefix.n };
		known = true;
	}
	if (!known || text.n == 0)
		return err_set(e, ERR_BAD_INPUT, -1, "address must begin with redis://, rediss://, unix:// or redis+socket://");

	struct str before, query = rest;
	if (!str_cut(&query, '?', &before))
		return err_set(e, ERR_BAD_INPUT, -1, "address has no host");
	const size_t slash = str_chr(before, '/');
	if (slash < before.n)
		path = (struct str){ before.p + slash + 1, before.n - slash - 1 };
	before.n = slash;
	out->tls.on = form == FORM_TLS;
	if (!(form == FORM_SOCKET ? parse_socket : parse_tcp)(a, before, path, out, e))
		return false;
	return parse_query(a, query, out, e);
}

struct str redis_url_describe(struct arena *a, const struct redis_url *u)
{
	const char *scheme = u->tls.on ? "rediss" : "redis";

	if (u->socket_path != NULL)
		return u->db == 0 ? arena_printf(a, "unix://%s", u->socket_path)
		    : arena_printf(a, "unix://%s?db=%d", u->socket_path, u->db);
	if (strchr(u->host, ':') != NULL)
		return arena_printf(a, "%s://[%s]:%s/%d", scheme, u->host, u->port, u->db);
	return arena_printf(a, "%s://%s:%s/%d", scheme, u->host, u->port, u->db);
}
