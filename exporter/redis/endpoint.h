/* Where a Redis server is, as the configuration says it: an address, and beside it what does not belong into an address
 * (passwords in files, certificates). Shared by the kinds that speak to a Redis. */
#ifndef TOCSIN_REDIS_ENDPOINT_H
#define TOCSIN_REDIS_ENDPOINT_H

#include "redis/url.h"
#include "tocsin/conf.h"

struct redis_endpoint_tls {
	struct str ca_file, cert_file, key_file, server_name;
	bool insecure_skip_verify;
};

struct redis_endpoint {
	struct str text;                /* the address as configured: secret */
	struct str user, password;      /* stronger than those of the address */
	struct redis_endpoint_tls tls;
	struct redis_url url;           /* made of the above by redis_endpoint_check */
};

extern const struct conf_table redis_endpoint_tls_table;

#define REDIS_ENDPOINT_KEYS(type, field) \
	CONF_KEY(type, "url", field.text, conf_str, NULL, CONF_REQUIRED | CONF_SECRET | CONF_ENV | CONF_RELOAD, \
	         "redis://user:password@host:port/db, rediss:// with TLS, unix:///path."), \
	CONF_KEY(type, "user", field.user, conf_str, NULL, CONF_RELOAD, "ACL user, in place of the one in the address."), \
	CONF_KEY(type, "password", field.password, conf_str, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD, \
	         "In place of the one in the address."), \
	CONF_KEY_ARG(type, "tls", field.tls, conf_sub, NULL, CONF_RELOAD, "Certificates, for rediss:// addresses.", \
	             &redis_endpoint_tls_table)

/* For a table's check: reads the address and puts the rest over it. */
bool redis_endpoint_check(struct conf_reader *rd, const struct conf_node *at, struct redis_endpoint *e);

#endif
