/* http_config, wherever it stands. Rows' offsets are of the whole struct connection_settings, so a sub-map is read into its
 * beginning. */
#include "tocsin/connection.h"

#define HTTP(name, field, parse, fallback, flags, help)                                                                            \
	CONF_KEY(struct connection_settings, name, field, parse, fallback, (flags) | CONF_RELOAD, help)
#define HTTP_ARG(name, field, parse, fallback, arg, help)                                                                          \
	CONF_KEY_ARG(struct connection_settings, name, field, parse, fallback, CONF_RELOAD, help, arg)
#define WHOLE(keys) { keys, ARRAY_LEN(keys), sizeof(struct connection_settings), NULL, NULL }

static const char *const tls_versions[] = { "", "TLS10", "TLS11", "TLS12", "TLS13", NULL };

static bool is_one_line(struct str s)
{
	return str_chr(s, '\n') == s.n && str_chr(s, '\r') == s.n;
}

/* username_file is a key of Alertmanager's too: a name is read as a secret is. */
static const struct conf_key basic_keys[] = {
	HTTP("username", basic.user, conf_str, "", CONF_SECRET, "User of HTTP basic authentication."),
	HTTP("password", basic.password, conf_str, "", CONF_SECRET, "Its password."),
	HTTP("password_file", basic.password_file, conf_path, NULL, 0, "The file it is in, read for each request."),
};
static const struct conf_key auth_keys[] = {
	HTTP("type", auth.type, conf_str, "Bearer", 0, "Scheme of the Authorization header."),
	HTTP("credentials", auth.credentials, conf_str, "", CONF_SECRET, "What follows it."),
	HTTP("credentials_file", auth.credentials_file, conf_path, NULL, 0, "The file it is in, read for each request."),
};
static const struct conf_key tls_keys[] = {
	HTTP("ca_file", tls.ca_file, conf_path, NULL, 0, "Certificates of authorities to trust."),
	HTTP("ca", tls.ca, conf_str, NULL, 0, "The same as text."),
	HTTP("cert_file", tls.cert_file, conf_path, NULL, 0, "Our certificate."),
	HTTP("cert", tls.cert, conf_str, NULL, 0, "The same as text."),
	HTTP("key_file", tls.key_file, conf_path, NULL, 0, "Its key."),
	HTTP("key", tls.key, conf_str, NULL, 0, "The same as text."),
	HTTP("server_name", tls.server_name, conf_str, NULL, 0, "The name its certificate bears."),
	HTTP_ARG("min_version", tls.min_version, conf_enum, NULL, tls_versions, "TLS10, TLS11, TLS12 or TLS13."),
	HTTP_ARG("max_version", tls.max_version, conf_enum, NULL, tls_versions, "The same, at most."),
	HTTP("insecure_skip_verify", tls.insecure_skip_verify, conf_bool, "false", 0, "Do not check who answers."),
};

static bool check_tls(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct connection_settings *h = to;

	if (h->tls.ca.n > 0 && h->tls.ca_file.n > 0)
		return conf_error(rd->report, node, "ca and ca_file are both set: remove one");
	if ((h->tls.cert.n > 0 && h->tls.cert_file.n > 0) || (h->tls.key.n > 0 && h->tls.key_file.n > 0))
		return conf_error(rd->report, node, "a certificate or key is given as text and as a file: remove one");
	if ((h->tls.cert.n + h->tls.cert_file.n > 0) != (h->tls.key.n + h->tls.key_file.n > 0))
		return conf_error(rd->report, node, "a certificate and its key go together: set both or none");
	if (h->tls.max_version != 0 && h->tls.min_version > h->tls.max_version)
		return conf_error(rd->report, node, "min_version is above max_version: exchange them");
	return true;
}

/* A newline would begin another header. */
static bool check_auth(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct connection_settings *h = to;

	if (str_eq_nocase(h->auth.type, STR("basic")))
		return conf_error(rd->report, conf_get(node, "type"), "authorization type is Basic: use basic_auth");
	if (!is_one_line(h->auth.credentials) || !is_one_line(h->auth.type))
		return conf_error(rd->report, node, "authorization holds a newline: it must be one line");
	return true;
}

static const struct conf_table basic_table = WHOLE(basic_keys);
static const struct conf_table auth_table = { auth_keys, ARRAY_LEN(auth_keys), sizeof(struct connection_settings), NULL,
    check_auth };
const struct conf_table connection_tls_table = { tls_keys, ARRAY_LEN(tls_keys), sizeof(struct connection_settings), NULL,
    check_tls };

/* ---- Headers. ---- */

static bool add_header(struct conf_reader *rd, struct label *to, struct str name, const struct conf_node *value, struct str text)
{
	if (value->kind != CONF_SCALAR)
		return conf_error(rd->report, value, "a header's value is %s: write a text", conf_kind_name(value->kind));
	if (!is_one_line(text) || !is_one_line(name))
		return conf_error(rd->report, value, "a header holds a line break: write it on one line");
	*to = (struct label){ arena_str(rd->arena, name), arena_str(rd->arena, text) };
	return true;
}

static bool add_header_file(struct conf_reader *rd, struct label *to, struct str name, const struct conf_node *value)
{
	const struct conf_key key = { .name = "files" };
	struct buf text = { 0 };
	struct err e = { 0 };
	struct str path;
	bool ok = conf_path(rd, &key, value, &path);

	if (ok && !conf_secret_read(path.p, &text, &e))
		ok = conf_error(rd->report, value, "%s", e.msg);
	ok = ok && add_header(rd, to, name, value, buf_str(&text));
	conf_secret_wipe(&text);
	return ok;
}

/* http_headers: { X-Name: { values: [..], secrets: [..], files: [..] } } */
static bool read_headers(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *map, void *to)
{
	struct connection_settings *h = to;
	bool ok = map->kind == CONF_MAP
		|| conf_error(rd->report, map, "%s is %s: write a map of names", key->name, conf_kind_name(map->kind));

	h->headers = ARENA_ARRAY(rd->arena, map->weight, struct label);
	for (size_t i = 0; ok && i < map->n; i++) {
		const struct conf_node *lists = map->pairs[i].value;

		for (size_t k = 0; k < lists->n; k++) {
			const struct conf_node *name = lists->kind == CONF_MAP ? lists->pairs[k].key : lists;
			const struct conf_node *values = lists->kind == CONF_MAP ? lists->pairs[k].value : NULL;
			bool files = str_eq(name->text, STR("files"));

			if (values == NULL || values->kind != CONF_SEQ
			    || !(files || str_eq(name->text, STR("values")) || str_eq(name->text, STR("secrets"))))
				return conf_error(rd->report, name,
						  "a header has lists named values, secrets and files: write { values: [ … ] }");
			for (size_t v = 0; v < values->n; v++) {
				struct str header = map->pairs[i].key->text;
				struct label *at = &h->headers[h->n_headers++];

				ok = (files ? add_header_file(rd, at, header, values->items[v])
					    : add_header(rd, at, header, values->items[v], values->items[v]->text))
					&& ok;
			}
		}
	}
	return ok;
}

/* proxy_connect_header: { Name: [ value, … ] } */
static bool read_proxy_headers(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *map, void *to)
{
	struct connection_settings *h = to;
	bool ok = map->kind == CONF_MAP
		|| conf_error(rd->report, map, "%s is %s: write a map of names to lists", key->name, conf_kind_name(map->kind));

	h->proxy_headers = ARENA_ARRAY(rd->arena, map->weight, struct label);
	for (size_t i = 0; ok && i < map->n; i++) {
		const struct conf_node *list = map->pairs[i].value;

		if (list->kind != CONF_SEQ)
			return conf_error(rd->report, list, "a header of %s is %s: write a list", key->name,
					  conf_kind_name(list->kind));
		for (size_t k = 0; k < list->n; k++)
			ok = add_header(rd, &h->proxy_headers[h->n_proxy_headers++], map->pairs[i].key->text, list->items[k],
					list->items[k]->text)
				&& ok;
	}
	return ok;
}

static bool read_bearer(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct connection_settings *h = to;

	h->auth.type = STR("Bearer");
	return conf_str(rd, key, node, &h->auth.credentials);
}

/* ---- OAuth 2. ---- */

#define PROXY_KEYS                                                                                                                 \
	HTTP("proxy_url", proxy_url, conf_proxy_url, NULL, 0, "Proxy to go through: http, https or socks5."),                                                   \
		HTTP("no_proxy", no_proxy, conf_str, NULL, 0, "Hosts to reach without it."),                                       \
		HTTP("proxy_from_environment", proxy_from_environment, conf_bool, "false", 0,                                      \
		     "Take the proxy from the environment."),                                                                      \
	{                                                                                                                          \
		"proxy_connect_header", read_proxy_headers, 0, NULL, CONF_RELOAD | CONF_SECRET, "Headers for the proxy.", NULL     \
	}

#define OAUTH2(name, field, parse, flags, help) \
	CONF_KEY(struct oauth2_settings, name, field, parse, NULL, (flags) | CONF_RELOAD, help)
static const struct conf_key oauth2_keys[] = {
	OAUTH2("client_id", client_id, conf_str, CONF_REQUIRED | CONF_FILLED, "Who asks for a token."),
	OAUTH2("client_secret", client_secret, conf_str, CONF_SECRET, "Its secret."),
	OAUTH2("token_url", token_url, conf_url, CONF_REQUIRED, "Who gives tokens."),
	OAUTH2("scopes", scopes, conf_str_seq, 0, "What the token is to allow."),
	OAUTH2("endpoint_params", params, conf_labels, 0, "Further fields of the request for it."),
	{ "tls_config", conf_sub, 0, NULL, CONF_RELOAD, "TLS to the token's giver.", &connection_tls_table },
	PROXY_KEYS,
};

/* Which of the proxy's settings go together, as in Prometheus. */
static bool check_proxy(struct conf_reader *rd, const struct conf_node *node, const struct connection_settings *h)
{
	if (h->proxy_from_environment && h->proxy_url.n > 0)
		return conf_error(rd->report, conf_get(node, "proxy_url"), "proxy_url and proxy_from_environment are both set: remove one");
	if (h->proxy_from_environment && h->no_proxy.n > 0)
		return conf_error(rd->report, conf_get(node, "no_proxy"), "with proxy_from_environment, NO_PROXY is the environment's: remove no_proxy");
	if (h->no_proxy.n > 0 && h->proxy_url.n == 0)
		return conf_error(rd->report, conf_get(node, "no_proxy"), "no_proxy is set without a proxy_url: remove it");
	if (h->n_proxy_headers > 0 && !h->proxy_from_environment && h->proxy_url.n == 0)
		return conf_error(rd->report, conf_get(node, "proxy_connect_header"), "proxy_connect_header is set without a proxy: remove it");
	return true;
}

static bool check_oauth2(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct oauth2_settings *o = to;

	return check_proxy(rd, node, &o->http);
}

static const struct conf_table oauth2_table = { oauth2_keys, ARRAY_LEN(oauth2_keys), sizeof(struct oauth2_settings), NULL, check_oauth2 };

/* ---- All of it. ---- */

bool connection_check(struct conf_reader *rd, const struct conf_node *node, void *to)
{
	const struct connection_settings *h = to;
	bool bearer = conf_get(node, "bearer_token") != NULL || conf_get(node, "bearer_token_file") != NULL;
	int ways = (h->basic.user.n > 0) + (h->auth.credentials.n > 0) + (h->oauth2 != NULL);

	if (!check_proxy(rd, node, h))
		return false;
	return (ways <= 1 && !(bearer && conf_get(node, "authorization") != NULL))
		|| conf_error(rd->report, node, "more than one of basic_auth, authorization, bearer_token and oauth2: keep one");
}

const struct conf_key connection_keys[] = {
	{ "basic_auth", conf_sub, 0, NULL, CONF_RELOAD, "HTTP basic authentication.", &basic_table },
	{ "authorization", conf_sub, 0, NULL, CONF_RELOAD, "The Authorization header.", &auth_table },
	{ "bearer_token", read_bearer, 0, NULL, CONF_RELOAD | CONF_SECRET, "Short for authorization.", NULL },
	HTTP_ARG("oauth2", oauth2, conf_sub_ptr, NULL, &oauth2_table, "A token of OAuth 2, client credentials."),
	{ "tls_config", conf_sub, 0, NULL, CONF_RELOAD, "TLS.", &connection_tls_table },
	{ "http_headers", read_headers, 0, NULL, CONF_RELOAD | CONF_SECRET, "Further headers.", NULL },
	PROXY_KEYS,
	HTTP("follow_redirects", follow_redirects, conf_bool, "true", 0, "Follow redirects."),
	HTTP("enable_http2", enable_http2, conf_bool, "true", 0, "Use HTTP/2 where the server can."),
};
const size_t connection_key_count = ARRAY_LEN(connection_keys);
const struct conf_table connection_table
	= { connection_keys, ARRAY_LEN(connection_keys), sizeof(struct connection_settings), NULL, connection_check };

struct conf_table connection_table_with(struct conf_reader *rd, const struct conf_table *more)
{
	struct conf_key *keys = ARENA_ARRAY(rd->arena, connection_key_count + more->n, struct conf_key);
	struct conf_table t = *more;

	memcpy(keys, connection_keys, connection_key_count * sizeof *keys);
	memcpy(keys + connection_key_count, more->keys, more->n * sizeof *keys);
	t.keys = keys;
	t.n = connection_key_count + more->n;
	return t;
}
