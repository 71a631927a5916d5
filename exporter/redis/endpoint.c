/* The address is parsed once, when the configuration is read; what stands beside it wins. */
#include "redis/endpoint.h"

static const struct conf_key tls_keys[] = {
	CONF_KEY(struct redis_endpoint_tls, "ca_file", ca_file, conf_path, NULL, CONF_RELOAD,
	         "Authorities to trust; the system's when absent."),
	CONF_KEY(struct redis_endpoint_tls, "cert_file", cert_file, conf_path, NULL, CONF_RELOAD, "Client certificate."),
	CONF_KEY(struct redis_endpoint_tls, "key_file", key_file, conf_path, NULL, CONF_RELOAD,
	         "Its key, when it is in a file of its own."),
	CONF_KEY(struct redis_endpoint_tls, "server_name", server_name, conf_str, NULL, CONF_RELOAD,
	         "Name the certificate must carry; the host of the address when absent."),
	CONF_KEY(struct redis_endpoint_tls, "insecure_skip_verify", insecure_skip_verify, conf_bool, "false", CONF_RELOAD,
	         "Take any certificate."),
};
const struct conf_table redis_endpoint_tls_table = {
	.keys = tls_keys, .n = ARRAY_LEN(tls_keys), .bytes = sizeof(struct redis_endpoint_tls),
};

static void take(struct arena *a, struct str from, const char **to)
{
	if (from.n != 0)
		*to = arena_strz(a, from);
}

/* Certificates that nobody would look at: whoever wrote them believes the connection to be safe. */
static bool check_tls(struct conf_reader *rd, const struct conf_node *at, const struct redis_endpoint *ep)
{
	const struct redis_endpoint_tls *t = &ep->tls;

	if (ep->url.tls.on || (t->ca_file.n + t->cert_file.n + t->key_file.n + t->server_name.n == 0 && !t->insecure_skip_verify))
		return true;
	return conf_error(rd->report, conf_get(at, "tls"), "tls has settings, and the url has no TLS: write rediss://");
}

bool redis_endpoint_check(struct conf_reader *rd, const struct conf_node *at, struct redis_endpoint *ep)
{
	const struct conf_node *node = conf_get(at, "url"), *file = conf_get(at, "password_file");
	const struct conf_key file_key = { .name = "password_file" };
	struct err e = { 0 };
	struct str path;

	if (ep->text.p == NULL)
		return true;                    /* reported as missing, or wrong */
	if (!redis_url_parse(rd->arena, ep->text, &ep->url, &e))
		return conf_error(rd->report, node != NULL ? node : at, "%s", e.msg);
	take(rd->arena, ep->user, &ep->url.user);
	take(rd->arena, ep->password, &ep->url.password);
	if (ep->password.n != 0 && file != NULL && file->kind == CONF_SCALAR && conf_path(rd, &file_key, file, &path))
		take(rd->arena, path, &ep->url.password_file);
	take(rd->arena, ep->tls.ca_file, &ep->url.tls.ca_file);
	take(rd->arena, ep->tls.cert_file, &ep->url.tls.cert_file);
	take(rd->arena, ep->tls.key_file, &ep->url.tls.key_file);
	take(rd->arena, ep->tls.server_name, &ep->url.tls.server_name);
	if (ep->tls.insecure_skip_verify)
		ep->url.tls.no_verify = true;
	return check_tls(rd, at, ep);
}
