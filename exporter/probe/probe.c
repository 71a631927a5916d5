/* A probe that fails is a measurement: it is shown with what is known of it. The source itself is up as long as it can probe. */
#include "probe/probe.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>

#include "document.h"
#include "explain.h"
#include "gauges/rows.h"
#include "pointer.h"
#include "probe/settings.h"
#include "probe/transfer.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"

#define ROW(id, name, help, unit) static const struct expo_family id = { name, EXPO_GAUGE, help, unit };
ROW(f_success, "probe_success", "Whether the answer was what it should be.", NULL)
ROW(f_duration, "probe_duration_seconds", "How long the probe took.", "seconds")
ROW(f_dns, "probe_dns_lookup_time_seconds", "How long looking up the name took.", "seconds")
ROW(f_ip, "probe_ip_protocol", "4 or 6.", NULL)
ROW(f_phase, "probe_http_duration_seconds", "How long each phase took, summed over redirects.", "seconds")
ROW(f_status, "probe_http_status_code", "Status of the answer; 0: none.", NULL)
ROW(f_length, "probe_http_uncompressed_body_length", "Bytes of the body, uncompressed.", NULL)
ROW(f_content_length, "probe_http_content_length", "Length the server announced; -1: none, 0: no answer.", NULL)
ROW(f_modified, "probe_http_last_modified_timestamp_seconds", "When the page last changed, as it says.", "seconds")
ROW(f_redirects, "probe_http_redirects", "Redirects followed.", NULL)
ROW(f_ssl, "probe_http_ssl", "Whether the answer came over TLS.", NULL)
ROW(f_version, "probe_http_version", "Version of HTTP.", NULL)
ROW(f_regex, "probe_failed_due_to_regex", "Whether the body matched what it must not, or did not what it must.", NULL)
ROW(f_expiry, "probe_ssl_earliest_cert_expiry", "When the first of the server's certificates expires, refused ones too.", NULL)
ROW(f_reason, "tocsin_probe_failed", "Why the probe failed: 1 for the reason, 0 for the others.", NULL)
ROW(f_field, "tocsin_probe_json_ok", "Whether the field of the JSON body is there and is as it should be.", NULL)
ROW(f_header, "tocsin_probe_header_ok", "Whether the header is there and is as it should be.", NULL)
static const struct expo_family f_tls = { "probe_tls_version_info", EXPO_INFO, "Version of TLS.", NULL };

static const char *const reasons[] = { "dns", "connect", "tls", "timeout", "protocol", "status", "header", "body", "json" };
static const char *const phases[PHASES] = { "resolve", "connect", "tls", "processing", "transfer" };

struct probe {
	const struct probe_settings *settings;
	const char *name;
	struct complaint complaint;
	struct gauge_query_state query;
};

static void *open_probe(const void *settings, const struct clock *clock)
{
	struct probe *p = mem_alloc(sizeof *p);

	(void)clock;
	p->settings = settings;
	p->name = p->settings->common.title;
	return p;
}

static void close_probe(void *state)
{
	struct probe *p = state;

	free(p);
}

/* ---- Is the answer what it should be? ---- */

static void fail(struct transfer *t, const char *reason, const char *fmt, ...) PRINTF(3, 4);
static void fail(struct transfer *t, const char *reason, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (t->reason != NULL)
		return;                         /* the first is the cause */
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	t->reason = reason;
	err_set(&t->e, ERR_UPSTREAM, -1, "%s", text);
}

static bool header_is_ok(const struct transfer *t, const struct probe_header *want)
{
	struct str rest = buf_str(&t->headers), line;

	while (str_cut(&rest, '\n', &line)) {
		size_t colon = str_chr(line, ':');
		struct str name = { line.p, colon };

		if (colon == line.n || !str_eq_nocase(str_trim(name), want->name))
			continue;
		if (want->re == NULL || regex_match(want->re, str_trim(str_between(line.p + colon + 1, line.p + line.n))) == REGEX_YES)
			return true;
	}
	return false;
}

static void check_headers(const struct probe_settings *s, struct transfer *t, struct expo_set *out)
{
	for (size_t i = 0; i < s->require_headers.n; i++) {
		const struct probe_header *h = &s->require_headers.v[i];
		bool ok = header_is_ok(t, h);

		EXPO_EMIT(out, &f_header, ok, { STR("header"), h->name });
		if (!ok)
			fail(t, "header", "header " STR_FMT " is missing or not as it should be", STR_ARG(h->name));
	}
}

/* A pattern that hits its limits says nothing, so it counts as the bad case. */
static bool body_is_ok(const struct probe_settings *s, const struct transfer *t)
{
	for (size_t i = 0; i < s->must_match.n; i++)
		if (regex_match(s->must_match.v[i], buf_str(&t->body)) != REGEX_YES)
			return false;
	for (size_t i = 0; i < s->must_not_match.n; i++)
		if (regex_match(s->must_not_match.v[i], buf_str(&t->body)) != REGEX_NO)
			return false;
	return true;
}

static void check_body(const struct probe_settings *s, struct transfer *t, struct expo_set *out)
{
	bool ok = body_is_ok(s, t);

	if (s->must_match.n + s->must_not_match.n > 0)
		EXPO_EMIT0(out, &f_regex, !ok);
	if (!ok)
		fail(t, "body", "the body does not match what it should, or matches what it should not");
}

/* Texts, numbers and truth values as JSON writes them. */
static bool field_is_ok(const json_t *document, const struct probe_field *want)
{
	const json_t *v = pointer_get(document, want->pointer);
	char *text;
	bool ok;

	if (json_is_string(v))
		return regex_match(want->re, (struct str){ json_string_value(v), json_string_length(v) }) == REGEX_YES;
	if (v == NULL || json_is_array(v) || json_is_object(v))
		return false;
	text = json_dumps(v, JSON_ENCODE_ANY);
	ok = text != NULL && regex_match(want->re, str_of(text)) == REGEX_YES;
	free(text);
	return ok;
}

static void check_fields(const struct probe_settings *s, const json_t *document, struct transfer *t, struct expo_set *out)
{
	for (size_t i = 0; i < s->require_json.n; i++) {
		const struct probe_field *f = &s->require_json.v[i];
		bool ok = document != NULL && field_is_ok(document, f);

		EXPO_EMIT(out, &f_field, ok, { STR("field"), f->pointer });
		if (!ok)
			fail(t, "json", "field " STR_FMT " is missing or not as it should be", STR_ARG(f->pointer));
	}
}

/* Also of an answer with another status: health pages say 503 and why. */
static void take_json(struct probe *p, const struct source_ask *ask, struct transfer *t, struct expo_set *out)
{
	const struct probe_settings *s = p->settings;
	struct gauge_round round = { &s->gauges, &p->query, p->name, clock_now_ms(ask->clock), 0, out, { 0 }, { 0 } };
	json_error_t where;
	json_t *document = document_read(buf_str(&t->body), &where);

	if (document == NULL)
		fail(t, "json", "the body is no JSON: %s at byte %d", where.text, where.position);
	check_fields(s, document, t, out);
	if (document == NULL)
		return;
	if (s->metrics.n > 0)
		gauge_json_take(&round, 0, document);
	gauge_round_fini(&round);
	if (s->metrics.n > 0 && p->query.failed)
		fail(t, "json", "the body lacks what metrics are made of");
	json_decref(document);
}

static void check_answer(struct probe *p, const struct source_ask *ask, struct transfer *t, struct expo_set *out)
{
	const struct probe_settings *s = p->settings;

	if (t->status <= 0 || t->status >= (long)ARRAY_LEN(s->status_ok) || !s->status_ok[t->status])
		fail(t, "status", "HTTP status %ld", t->status);
	check_headers(s, t, out);
	check_body(s, t, out);
	if (s->metrics.n + s->require_json.n > 0)
		take_json(p, ask, t, out);
}

/* ---- Showing ---- */

static double version_of(long curl_version)
{
	switch (curl_version) {
	case CURL_HTTP_VERSION_1_0:
		return 1;
	case CURL_HTTP_VERSION_1_1:
		return 1.1;
	case CURL_HTTP_VERSION_2_0:
		return 2;
	case CURL_HTTP_VERSION_3:
		return 3;
	default:
		return 0;
	}
}

static void emit_http(const struct transfer *t, struct expo_set *out)
{
	for (size_t i = 0; i < PHASES; i++)
		EXPO_EMIT(out, &f_phase, t->seconds[i], { STR("phase"), str_of(phases[i]) });
	EXPO_EMIT0(out, &f_status, (double)t->status);
	EXPO_EMIT0(out, &f_length, (double)t->body.n);
	EXPO_EMIT0(out, &f_content_length, t->content_length);
	if (t->modified_s > 0)
		EXPO_EMIT0(out, &f_modified, (double)t->modified_s);
	EXPO_EMIT0(out, &f_redirects, (double)t->redirects);
	EXPO_EMIT0(out, &f_ssl, t->tls_version[0] != '\0');
	EXPO_EMIT0(out, &f_version, version_of(t->http_version));
}

static void emit(const struct probe_settings *s, const struct transfer *t, struct expo_set *out)
{
	EXPO_EMIT0(out, &f_success, t->reason == NULL);
	EXPO_EMIT0(out, &f_duration, t->total);
	EXPO_EMIT0(out, &f_dns, t->seconds[PHASE_RESOLVE]);
	if (t->connected)
		EXPO_EMIT0(out, &f_ip, t->ipv6 ? 6 : 4);
	if (probe_speaks_http(s))
		emit_http(t, out);
	if (t->cert_expiry_s > 0)
		EXPO_EMIT0(out, &f_expiry, (double)t->cert_expiry_s);
	if (t->tls_version[0] != '\0')
		EXPO_EMIT(out, &f_tls, 1, { STR("version"), str_of(t->tls_version) });
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		EXPO_EMIT(out, &f_reason, t->reason != NULL && strcmp(t->reason, reasons[i]) == 0, { STR("reason"), str_of(reasons[i]) });
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct probe *p = state;
	struct transfer t;
	bool ok = transfer_run(p->settings, ask, &t, e);

	if (ok && t.reason == NULL && probe_speaks_http(p->settings))
		check_answer(p, ask, &t, out);
	if (ok) {
		emit(p->settings, &t, out);
		if (t.reason != NULL)
			complain_failed(&p->complaint, "probe", p->name, &t.e, clock_now_ms(ask->clock));
		else
			complain_works(&p->complaint, "probe", p->name, clock_now_ms(ask->clock));
	}
	transfer_fini(&t);
	return ok;
}

/* Scheme and host: what stands before and behind may be secret. */
static struct str describe(struct arena *a, const void *settings)
{
	const struct probe_settings *s = settings;
	size_t host = str_find(s->url, STR("://")) + 3, end = host, at = host;

	while (end < s->url.n && strchr("/?#", s->url.p[end]) == NULL)
		end++;
	for (size_t i = host; i < end; i++)
		if (s->url.p[i] == '@')
			at = i + 1;
	return arena_printf(a, "%.*s%.*s", (int)host, s->url.p, (int)(end - at), s->url.p + at);
}

static void explain(struct buf *out, const void *settings)
{
	const struct probe_settings *s = settings;
	const struct gauge_metric *metrics = s->metrics.v;

	explain_when(out, "in each scrape, over a connection of its own");
	if (!probe_speaks_http(s)) {
		if (s->starttls != STARTTLS_NONE)
			explain_ask(out, "connects, asks for TLS as %s does (starttls), shakes hands, and nothing more is sent",
			            probe_starttls_names[s->starttls]);
		else
			explain_ask(out, "%s, and nothing is sent", s->scheme == PROBE_TLS ? "connects, and shakes hands" : "connects");
		explain_note(out, "nothing but a way to it");
		return;
	}
	explain_ask(out, "%s, with %zu headers and %zu bytes of body; %s", probe_methods[s->method], s->headers.n, s->body.n,
	    s->follow_redirects ? "redirects are followed" : "a redirect is not followed");
	explain_when(out, "looks at the status, at %zu headers (require_headers), %zu JSON fields (require_json), for %zu "
	    "patterns in the body and %zu not in it", s->require_headers.n, s->require_json.n, s->must_match.n, s->must_not_match.n);
	for (size_t i = 0; i < s->metrics.n; i++)
		explain_ask(out, STR_FMT ", from the JSON body", STR_ARG(metrics[i].name));
	explain_note(out, "an answer of at most %lld bytes (max_body)", (long long)s->max_body);
}

static void name_metrics(const void *settings, source_metric *metric, void *user)
{
	const struct probe_settings *s = settings;

	gauge_metrics_name(&s->metrics, metric, user);
}

const struct source_kind probe_source_kind = {
	.name = "probe", .up_family = "tocsin_probe_up",
	    .up_help = "Whether the probe could be made at all; what it found is probe_success.",
	.table = &probe_settings_table, .metrics = name_metrics, .describe = describe, .explain = explain, .open = open_probe,
	    .collect = collect, .close = close_probe,
};
