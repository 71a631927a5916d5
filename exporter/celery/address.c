/* Addresses of brokers as Celery has them: the scheme says the transport, ';' stands between several. Messages never hold a part of
 * the address: it may be the password. */
#include "celery/settings.h"
#include "celery/transport.h"

enum form { FORM_REDIS, FORM_SENTINEL, FORM_AMQP, FORM_AMQPS };

static const struct {
	struct str prefix;
	enum form form;
} schemes[] = {
	{ { "sentinel://", 11 }, FORM_SENTINEL }, { { "amqp://", 7 }, FORM_AMQP },   { { "pyamqp://", 9 }, FORM_AMQP },
	{ { "librabbitmq://", 14 }, FORM_AMQP },  { { "amqps://", 8 }, FORM_AMQPS },
};

static enum form form_of(struct str text, struct str *rest)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts(text, schemes[i].prefix))
			continue;
		*rest = (struct str){ text.p + schemes[i].prefix.n, text.n - schemes[i].prefix.n };
		return schemes[i].form;
	}
	*rest = text;
	return FORM_REDIS;
}

/* What follows the scheme, read as a Redis address: the parts are the same. <*path> is what follows the host, decoded by nobody. A
 * port that is not said is <port>. */
static bool parse_parts(struct arena *a, struct str rest, const char *port, struct redis_url *u, struct str *path, struct err *e)
{
	const size_t end = str_chr(rest, '/') < str_chr(rest, '?') ? str_chr(rest, '/') : str_chr(rest, '?');
	const struct str authority = { rest.p, end }, query = { rest.p + str_chr(rest, '?'), rest.n - str_chr(rest, '?') };
	size_t at = end, colon = end;

	for (size_t i = 0; i < end; i++)
		if (rest.p[i] == '@')
			at = i;
	for (size_t i = at == end ? 0 : at + 1; i < end; i++)
		colon = rest.p[i] == ':' ? i : rest.p[i] == ']' ? end : colon;
	*path = (struct str){ rest.p + end, str_chr(rest, '?') - end };
	if (path->n != 0)
		*path = (struct str){ path->p + 1, path->n - 1 };
	return redis_url_parse(a, arena_printf(a, "redis://" STR_FMT "%s%s" STR_FMT, STR_ARG(authority), colon == end ? ":" : "",
	                                       colon == end ? port : "", STR_ARG(query)), u, e);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *decode_vhost(struct arena *a, struct str s, struct err *e)
{
	char *out = arena_alloc(a, s.n + 1), *to = out;

	for (size_t i = 0; i < s.n; i++) {
		const int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
		if (s.p[i] == '%' && (high < 0 || low < 0 || high + low == 0)) {
			err_set(e, ERR_BAD_INPUT, -1, "virtual host in the address: %% must be followed by two hexadecimal digits, not 00");
			return NULL;
		}
		*to++ = s.p[i] == '%' ? (char)(high * 16 + low) : s.p[i];
		i += s.p[i] == '%' ? 2 : 0;
	}
	return out;
}

/* amqp://host is the virtual host "/", and so are amqp://host/ and amqp://host//. */
static bool parse_amqp(struct arena *a, struct str rest, enum form form, struct celery_settings *s, struct err *e)
{
	struct amqp_url *u = &s->amqp.urls[s->amqp.n++];
	struct redis_url parts;
	struct str vhost;
	int64_t port = 0;

	if (!parse_parts(a, rest, form == FORM_AMQPS || s->use_ssl ? "5671" : "5672", &parts, &vhost, e))
		return false;
	u->host = parts.host;
	u->port = str_to_int64(str_of(parts.port), &port) ? (int)port : 0;
	u->user = s->broker.user.n != 0 ? arena_strz(a, s->broker.user) : parts.user != NULL ? parts.user : "guest";
	u->password = s->broker.password.n != 0 ? arena_strz(a, s->broker.password) : parts.password != NULL ? parts.password : "guest";
	u->vhost = vhost.n == 0 || str_eq(vhost, STR("/")) ? "/" : decode_vhost(a, vhost, e);
	if (s->amqp.n == 1)
		s->amqp.tls = parts.tls;
	s->amqp.tls.on = s->use_ssl || form == FORM_AMQPS;
	return u->vhost != NULL;
}

/* As kombu has it, user, password and database are those of the first address, and for the master. */
static bool parse_sentinel(struct arena *a, struct str rest, struct celery_settings *s, struct err *e)
{
	struct redis_url *u = &s->sentinels.urls[s->sentinels.n++];
	struct str db;
	int64_t number = 0;

	if (!parse_parts(a, rest, "26379", u, &db, e))
		return false;
	if (s->sentinels.n == 1) {
		if (db.n != 0 && (!str_to_int64(db, &number) || number < 0 || number > 1 << 20))
			return err_set(e, ERR_BAD_INPUT, -1, "database in the address is not a number");
		s->broker.url = *u;
		s->broker.url.db = (int)number;
		s->broker.url.tls.on = s->use_ssl;
	}
	u->db = 0;
	u->user = s->sentinels.user.n != 0 ? arena_strz(a, s->sentinels.user) : NULL;
	u->password = s->sentinels.password.n != 0 ? arena_strz(a, s->sentinels.password) : NULL;
	return true;
}

/* What has none of the other schemes; without one it is host:port. */
static bool parse_redis(struct arena *a, struct str text, struct celery_settings *s, struct err *e)
{
	static const struct str ours[] = { { "redis://", 8 }, { "rediss://", 9 }, { "unix://", 7 }, { "redis+socket://", 15 } };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (str_starts(text, ours[i]) || str_find(text, STR("://")) == text.n)
			return redis_url_parse(a, text, &s->redises.urls[s->redises.n++], e);
	return err_set(e, ERR_BAD_INPUT, -1,
	    "address must begin with redis://, rediss://, unix://, redis+socket://, sentinel://, amqp:// or "
	               "amqps://");
}

static bool parse_one(struct conf_reader *rd, struct str text, struct celery_settings *s, struct err *e)
{
	struct str rest;
	const enum form form = form_of(text, &rest);

	if (s->amqp.n + s->sentinels.n + s->redises.n == CELERY_HOSTS_MAX)
		return err_set(e, ERR_LIMIT, -1, "more than %d addresses", CELERY_HOSTS_MAX);
	switch (form) {
	case FORM_REDIS:
		return parse_redis(rd->arena, text, s, e);
	case FORM_SENTINEL:
		return parse_sentinel(rd->arena, rest, s, e);
	case FORM_AMQP:
	case FORM_AMQPS:
		return parse_amqp(rd->arena, rest, form, s, e);
	}
	return false;
}

static bool parse_all(struct conf_reader *rd, struct celery_settings *s, struct err *e)
{
	struct str left = s->broker.text, one, ignored;
	const enum form form = form_of(left, &ignored);

	while (str_cut(&left, ';', &one)) {
		one = str_trim(one);
		if (form_of(one, &ignored) != form)
			return err_set(e, ERR_BAD_INPUT, -1, "several addresses: all of one kind");
		if (!parse_one(rd, one, s, e))
			return false;
	}
	s->transport = form == FORM_REDIS || form == FORM_SENTINEL ? &celery_redis : &celery_rabbitmq;
	return true;
}

static void take(struct arena *a, struct str from, const char **to)
{
	if (from.n != 0)
		*to = arena_strz(a, from);
}

static void take_tls(struct arena *a, const struct redis_endpoint_tls *from, struct redis_tls *to)
{
	take(a, from->ca_file, &to->ca_file);
	take(a, from->cert_file, &to->cert_file);
	take(a, from->key_file, &to->key_file);
	take(a, from->server_name, &to->server_name);
	to->no_verify |= from->insecure_skip_verify;
}

static void take_redis(struct arena *a, const struct celery_settings *s, struct redis_url *u)
{
	take(a, s->broker.user, &u->user);
	take(a, s->broker.password, &u->password);
	take_tls(a, &s->broker.tls, &u->tls);
}

/* ---- Settings that would do nothing ---- */

enum { USE_REDIS = 1, USE_SENTINEL = 2, USE_AMQP = 4, USE_RESULTS = 8, USE_TLS = 16 };

static const struct {
	const char *key;
	unsigned uses;                  /* one of them must be there */
	const char *needs;
} uses[] = {
	{ "master_name", USE_SENTINEL, "sentinel://" },
	{ "sentinel_user", USE_SENTINEL, "sentinel://" },
	{ "sentinel_password", USE_SENTINEL, "sentinel://" },
	{ "sentinel_password_file", USE_SENTINEL, "sentinel://" },
	{ "sentinel_use_ssl", USE_SENTINEL, "sentinel://" },
	{ "management_url", USE_AMQP, "amqp:// or amqps://" },
	{ "management_url_file", USE_AMQP, "amqp:// or amqps://" },
	{ "visibility_timeout", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "failed_list", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "priority_steps", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "sent_headers", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "separator", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "key_prefix", USE_REDIS | USE_SENTINEL, "a Redis broker" },
	{ "result_prefix", USE_REDIS | USE_SENTINEL | USE_RESULTS, "result_backend" },
	{ "results_interval", USE_REDIS | USE_SENTINEL | USE_RESULTS, "result_backend" },
	{ "scan_keys_per_second", USE_REDIS | USE_SENTINEL | USE_RESULTS, "result_backend" },
	{ "tls", USE_TLS, "TLS: rediss://, amqps://, use_ssl: true, sentinel_use_ssl: true, or an https:// management_url" },
};

static bool any_tls(const struct celery_settings *s)
{
	bool on = s->amqp.tls.on || s->broker.url.tls.on || s->sentinels.use_ssl || str_starts(s->amqp.management_url, STR("https://"));

	for (size_t i = 0; i < s->redises.n; i++)
		on |= s->redises.urls[i].tls.on;
	return on;
}

static bool check_uses(struct conf_reader *rd, const struct conf_node *at, const struct celery_settings *s)
{
	const unsigned have = (s->redises.n != 0 ? USE_REDIS : 0) | (s->sentinels.n != 0 ? USE_SENTINEL : 0)
	    | (s->amqp.n != 0 ? USE_AMQP : 0) | (s->result_backend_text.n != 0 ? USE_RESULTS : 0) | (any_tls(s) ? USE_TLS : 0);
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		const struct conf_node *node = conf_get(at, uses[i].key);
		if (node != NULL && node->kind != CONF_NULL && (uses[i].uses & have) == 0)
			ok = conf_error(rd->report, node, "%s does nothing here: it needs %s", uses[i].key, uses[i].needs);
	}
	return ok;
}

/* ---- All of it ---- */

bool celery_address_check(struct conf_reader *rd, const struct conf_node *at, struct celery_settings *s)
{
	const struct conf_node *node = conf_get(at, "url");
	struct redis_url *u = &s->broker.url;
	struct err e = { 0 };

	if (s->broker.text.p == NULL)
		return true;                    /* reported as missing, or wrong */
	if (!parse_all(rd, s, &e))
		return conf_error(rd->report, node != NULL ? node : at, "%s", e.msg);
	take_redis(rd->arena, s, u);
	for (size_t i = 0; i < s->redises.n; i++) {
		take_redis(rd->arena, s, &s->redises.urls[i]);
		s->redises.urls[i].tls.on |= s->use_ssl;
	}
	if (s->redises.n > 0)
		*u = s->redises.urls[0];
	take_tls(rd->arena, &s->broker.tls, &s->amqp.tls);
	for (size_t i = 0; i < s->sentinels.n; i++) {
		s->sentinels.urls[i].tls = u->tls;
		s->sentinels.urls[i].tls.on = s->sentinels.use_ssl;
	}
	if (s->sentinels.n != 0 && s->sentinels.master_name.n == 0)
		return conf_error(rd->report, node != NULL ? node
		    : at, "sentinel:// needs master_name, the name Sentinel has for the master");
	return check_uses(rd, at, s);
}

struct str celery_address_describe(struct arena *a, const struct celery_settings *s)
{
	const struct redis_url *u = &s->sentinels.urls[0];
	const struct amqp_url *q = &s->amqp.urls[0];

	if (s->sentinels.n != 0)
		return arena_printf(a, "sentinel://%s:%s/%d", u->host, u->port, s->broker.url.db);
	if (s->amqp.n != 0)
		return arena_printf(a, "%s://%s:%d/%s", s->amqp.tls.on ? "amqps" : "amqp", q->host, q->port, q->vhost);
	if (s->redises.n > 1)
		return arena_printf(a, STR_FMT " and %zu more", STR_ARG(redis_url_describe(a, &s->broker.url)), s->redises.n - 1);
	return redis_url_describe(a, &s->broker.url);
}
