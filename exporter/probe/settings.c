/* The table, and what concerns several keys. */
#include "probe/settings.h"

#include "pointer.h"

const char *const probe_methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL };

static const struct conf_range body_range = { 1, 64 << 20 };

static bool conf_regexes(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct probe_regexes *out = to;
	bool ok = true;

	if (n->kind == CONF_MAP)
		return conf_error(rd->report, n, "%s is a map: write a list of regular expressions", key->name);
	out->v = ARENA_ARRAY(rd->arena, n->kind == CONF_SEQ ? n->n : 1, struct regex *);
	if (n->kind == CONF_SCALAR) {
		out->n = 1;
		return conf_regex_search(rd, key, n, &out->v[0]);
	}
	for (; out->n < n->n; out->n++)
		ok &= conf_regex_search(rd, key, n->items[out->n], &out->v[out->n]);
	return ok;
}

/* A list of names, or a map of names to expressions. */
static bool conf_required_headers(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct probe_headers *out = to;
	struct conf_strs names = { 0 };
	bool ok = true;

	if (n->kind == CONF_MAP) {
		out->v = ARENA_ARRAY(rd->arena, n->n, struct probe_header);
		for (; out->n < n->n; out->n++) {
			const struct conf_pair *p = &n->pairs[out->n];

			out->v[out->n].name = p->key->text;
			if (p->value->kind != CONF_NULL)
				ok &= conf_regex(rd, key, p->value, &out->v[out->n].re);
		}
		return ok;
	}
	if (!conf_str_list(rd, key, n, &names))
		return false;
	out->v = ARENA_ARRAY(rd->arena, names.n, struct probe_header);
	for (; out->n < names.n; out->n++)
		out->v[out->n].name = names.v[out->n];
	return true;
}

static bool conf_required_fields(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct probe_fields *out = to;
	bool ok = true;

	if (n->kind != CONF_MAP)
		return conf_error(rd->report, n, "%s is %s: write a map such as { /status: ok|healthy }", key->name,
		    conf_kind_name(n->kind));
	out->v = ARENA_ARRAY(rd->arena, n->n, struct probe_field);
	for (; out->n < n->n; out->n++) {
		const struct conf_pair *p = &n->pairs[out->n];

		out->v[out->n].pointer = p->key->text;
		if (!pointer_is_valid(p->key->text))
			ok = conf_error(rd->report, p->key, "not a JSON pointer: /status, /services/database/status");
		ok &= conf_regex(rd, key, p->value, &out->v[out->n].re);
	}
	return ok;
}

const char *const probe_starttls_names[] = { "none", "smtp", "imap", "pop3", "ftp", "postgres", NULL };

#define KEY(name, field, parse, fallback, help) CONF_KEY(struct probe_settings, name, field, parse, fallback, CONF_RELOAD, help)

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct probe_settings),
	CONF_KEY(struct probe_settings, "url", url, conf_str, NULL, CONF_REQUIRED | CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "http://…, https://…, tcp://host:port or tls://host:port."),
	CONF_KEY_ARG(struct probe_settings, "method", method, conf_enum, "GET", CONF_RELOAD, "HTTP method.", probe_methods),
	CONF_KEY(struct probe_settings, "headers", headers, conf_str_list, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	         "Sent along: [\"apikey: ${KEY}\"]."),
	CONF_KEY(struct probe_settings, "body", body, conf_str, "", CONF_SECRET | CONF_ENV | CONF_RELOAD,
	    "Sent along, as JSON unless a header says otherwise."),
	KEY("valid_status_codes", status_texts, conf_str_list, NULL, "Such as [200, 404]; 2xx unless given."),
	KEY("follow_redirects", follow_redirects, conf_bool, "false", "Whether the answer counts that redirects lead to."),
	CONF_KEY_ARG(struct probe_settings, "starttls", starttls, conf_enum, "none", CONF_RELOAD,
	             "With tls://: the server speaks this first, and TLS when asked to: smtp, imap, pop3, ftp, postgres.",
	                 probe_starttls_names),
	KEY("cert_file", cert_file, conf_path, "", "Certificate shown to the server, PEM."),
	KEY("key_file", key_file, conf_path, "", "Its key, PEM."),
	KEY("ca_file", ca_file, conf_path, "", "Certificates to trust in place of the system's."),
	KEY("insecure_skip_verify", insecure_skip_verify, conf_bool, "false",
	    "Take any certificate; its expiry is shown all the same."),
	KEY("require_headers", require_headers, conf_required_headers, NULL,
	    "Headers the answer must have: a list, or a map to what each must match wholly."),
	KEY("fail_if_body_not_matches_regexp", must_match, conf_regexes, NULL, "Each must be found in the body."),
	KEY("fail_if_body_matches_regexp", must_not_match, conf_regexes, NULL, "None may be found in the body."),
	KEY("require_json", require_json, conf_required_fields, NULL,
	    "JSON pointers, and what the text there must match wholly: { /status: ok|healthy }."),
	CONF_KEY_ARG(struct probe_settings, "max_body", max_body, conf_bytes, "1MiB", CONF_RELOAD, "A longer body fails the probe.",
	             &body_range),
	KEY("rows", rows, conf_str, NULL,
	    "JSON pointer to an array or object of the body that gives a row of metrics each; '': the body is that."),
	CONF_KEY_ARG(struct probe_settings, "metrics", metrics, conf_sub_list, NULL, CONF_RELOAD,
	             "Gauges from the JSON body, as under gauges.", &gauge_metric_table),
};

static const struct str schemes[] = { [PROBE_HTTP] = { "http://", 7 }, [PROBE_HTTPS] = { "https://", 8 },
    [PROBE_TCP] = { "tcp://", 6 },
	[PROBE_TLS] = { "tls://", 6 } };

/* What curl is told, so that it connects and shakes hands as it should. */
static const char *curl_prefix(const struct probe_settings *s)
{
	static const char *const before_tls[] = { [STARTTLS_NONE] = "https://", [STARTTLS_SMTP] = "smtp://",
	    [STARTTLS_IMAP] = "imap://",
		[STARTTLS_POP3] = "pop3://", [STARTTLS_FTP] = "ftp://", [STARTTLS_POSTGRES] = "https://" };

	if (s->scheme == PROBE_TLS)
		return before_tls[s->starttls];
	return s->scheme == PROBE_HTTPS ? "https://" : "http://";
}

static bool take_url(struct conf_reader *rd, const struct conf_node *map, struct probe_settings *s)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct str rest;

		if (!str_starts(s->url, schemes[i]) || s->url.n == schemes[i].n)
			continue;
		rest = str_between(s->url.p + schemes[i].n, s->url.p + s->url.n);
		s->scheme = (enum probe_scheme)i;
		s->curl_url = arena_printf(rd->arena, "%s" STR_FMT, curl_prefix(s), STR_ARG(rest));
		if (!probe_speaks_http(s) && str_chr(rest, ':') == rest.n)
			return conf_error(rd->report, map, "url: no port: tcp://host:port, tls://host:port");
		return true;
	}
	return conf_error(rd->report, map, "url: none of http://…, https://…, tcp://host:port, tls://host:port");
}

static bool take_status(struct conf_reader *rd, const struct conf_node *map, struct probe_settings *s)
{
	bool ok = true;

	for (int i = 200; s->status_texts.n == 0 && i < 300; i++)
		s->status_ok[i] = true;
	for (size_t i = 0; i < s->status_texts.n; i++) {
		int64_t code;

		if (str_to_int64(s->status_texts.v[i], &code) && code >= 100 && code < (int64_t)ARRAY_LEN(s->status_ok))
			s->status_ok[code] = true;
		else
			ok = conf_error(rd->report, conf_get(map, "valid_status_codes"),
			    "\"" STR_FMT "\" is no status: a number from 100 to 599",
			    STR_ARG(s->status_texts.v[i]));
	}
	return ok;
}

static bool check_headers(struct conf_reader *rd, const struct conf_node *map, const struct probe_settings *s)
{
	for (size_t i = 0; i < s->headers.n; i++)
		if (str_chr(s->headers.v[i], ':') == s->headers.v[i].n || str_chr(s->headers.v[i], '\n') < s->headers.v[i].n)
			return conf_error(rd->report, map, "headers: header %zu is none: Name: value", i + 1);
	if (s->follow_redirects && s->headers.n + s->body.n > 0)
		return conf_error(rd->report, map, "follow_redirects would send the %s to other hosts: probe where they lead to",
		    s->headers.n > 0 ? "headers" : "body");
	return true;
}

/* What TLS alone heeds. Behind a redirect there may be TLS. */
static bool check_tls(struct conf_reader *rd, const struct conf_node *map, const struct probe_settings *s)
{
	const struct source_reading *reading = rd->user;
	const char *given = s->ca_file.n > 0 ? "ca_file" : s->cert_file.n > 0 ? "cert_file"
	    : s->insecure_skip_verify ? "insecure_skip_verify" :
	    NULL;

	if (s->starttls != STARTTLS_NONE && s->scheme != PROBE_TLS)
		return conf_error(rd->report, conf_get(map, "starttls"), "starttls goes with tls://host:port");
	if ((s->cert_file.n > 0) != (s->key_file.n > 0))
		return conf_error(rd->report, map, "cert_file and key_file belong together: give both");
	if (given != NULL && (s->scheme == PROBE_HTTP || s->scheme == PROBE_TCP) && !s->follow_redirects && !reading->any_scheme)
		return conf_error(rd->report, conf_get(map, given), "%s is TLS's, and the url begins with %s: write https:// or tls://, or "
		    "follow_redirects: true", given, s->scheme == PROBE_HTTP ? "http://" : "tcp://");
	return true;
}

static bool has_body_checks(const struct probe_settings *s)
{
	return s->must_match.n + s->must_not_match.n + s->require_json.n + s->metrics.n > 0;
}

static bool check(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct probe_settings *s = to;
	bool ok;

	rd->report->hide_source++;              /* a probe in one line holds its secrets there */
	ok = s->url.n == 0 || take_url(rd, map, s);
	ok &= take_status(rd, map, s);
	ok &= check_headers(rd, map, s);
	s->query = (struct gauge_query){ .name = s->common.name, .rows = s->rows, .metrics = s->metrics };
	s->gauges = (struct gauges_settings){ .common = s->common, .max_series = 1000, .null = GAUGE_NULL_DROP,
	    .queries = { &s->query, 1, NULL } };
	ok &= gauge_pointers_check(rd, map, &s->query);
	if (!probe_speaks_http(s) && (has_body_checks(s) || s->require_headers.n > 0))
		ok = conf_error(rd->report, map, "only http and https have headers and a body");
	if (strcmp(probe_methods[s->method], "HEAD") == 0 && has_body_checks(s))
		ok = conf_error(rd->report, conf_get(map, "method"), "HEAD gets no body, and what is checked or read is in one: write GET");
	ok &= check_tls(rd, map, s);
	rd->report->hide_source--;
	return ok;
}

const struct conf_table probe_settings_table = { keys, ARRAY_LEN(keys), sizeof(struct probe_settings), NULL, check };
