/* Alertmanager's webhook, payload version "4". The bytes are made once and kept, so a repeat is the same to the byte; the
 * Idempotency-Key tells it is one. Source: Alertmanager documentation, "webhook_config". */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "notify/receivers/notifier.h"
#include "tocsin/json.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

#define KEY_HEADER "Idempotency-Key"
#define REPEAT_HEADER "X-Tocsin-Possible-Repeat"
#define REASON_ANNOTATION "tocsin_reason"       /* no rule can send one of this name: it would be a directive */

static void put_time(struct json_out *j, const char *key, int64_t ms)
{
	json_out_key(j, key);
	if (ms == 0)
		json_out_strz(j, "0001-01-01T00:00:00Z");
	else
		json_out_time(j, ms);
}

static void put_labels(struct json_out *j, const char *key, struct labels l)
{
	json_out_key(j, key);
	json_out_labels(j, l);
}

/* Why it ended, or that nothing is known of it any more, goes where people look. */
struct labels notice_annotations(struct arena *arena, const struct page_alert *a)
{
	if (a->ends_ms == 0 && a->no_data_since_ms == 0)
		return a->annotations;
	return labels_with(arena, a->annotations, STR(REASON_ANNOTATION), a->reason);
}

static void put_alert(struct json_out *j, struct arena *arena, const struct page_alert *a)
{
	char fingerprint[17];

	snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)a->fingerprint);
	json_out_open(j, '{');
	json_out_key(j, "status");
	json_out_strz(j, a->ends_ms == 0 ? "firing" : "resolved");
	put_labels(j, "labels", a->labels);
	put_labels(j, "annotations", notice_annotations(arena, a));
	put_time(j, "startsAt", a->starts_ms);
	put_time(j, "endsAt", a->ends_ms);
	json_out_key(j, "generatorURL");
	json_out_str(j, a->generator_url);
	json_out_key(j, "fingerprint");
	json_out_strz(j, fingerprint);
	json_out_close(j, '}');
}

/* Not Alertmanager's. */
static void put_alarm(struct json_out *j, const struct notice *n)
{
	const struct alarm *a = &n->group->alarm;

	if (n->n_firing > 0 && n->ack_url.n > 0) {
		json_out_key(j, "ackURL");
		json_out_str(j, n->ack_url);
	}
	if (a->ack_ms != 0) {
		json_out_key(j, "acknowledgedBy");
		json_out_str(j, a->ack_by);
		json_out_key(j, "acknowledgedAt");
		json_out_time(j, a->ack_ms);
	}
	if (a->steps > 0) {
		json_out_key(j, "escalationStep");
		json_out_int(j, a->steps);
	}
}

static void render(const struct notice *n, struct buf *out)
{
	struct json_out j = { out, false };

	if (n->integration->webhook.payload != NULL) {
		notifier_put_tree(&j, n, n->integration->webhook.payload);
		return;
	}
	json_out_open(&j, '{');
	json_out_key(&j, "receiver");
	json_out_str(&j, notice_quoted_receiver(n));
	json_out_key(&j, "status");
	json_out_strz(&j, n->n_firing > 0 ? "firing" : "resolved");
	json_out_key(&j, "alerts");
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n; i++)
		put_alert(&j, n->arena, n->alerts[i]);
	json_out_close(&j, ']');
	put_labels(&j, "groupLabels", n->group->labels);
	if (n->route_labels.n > 0)
		put_labels(&j, "routeLabels", n->route_labels);
	put_labels(&j, "commonLabels", notice_common(n->arena, n->alerts, n->n, false));
	put_labels(&j, "commonAnnotations", notice_common(n->arena, n->alerts, n->n, true));
	json_out_key(&j, "externalURL");
	json_out_str(&j, n->external_url);
	json_out_key(&j, "version");
	json_out_strz(&j, "4");
	json_out_key(&j, "groupKey");
	json_out_str(&j, n->group->key);
	json_out_key(&j, "notification_reason");
	json_out_strz(&j, n->reason);
	json_out_key(&j, "truncatedAlerts");
	json_out_int(&j, (int64_t)n->n_cut);
	put_alarm(&j, n);
	json_out_close(&j, '}');
	buf_putc(out, '\n');
}

/* Standard Webhooks, 1.0.0: over id, time of the attempt and body; one signature a key. */
static size_t sign(struct delivery *d, struct label *headers, size_t n)
{
	const struct webhook_settings *w = &d->integration->webhook;
	const struct message *m = d->message;
	struct str at = arena_printf(&d->arena, "%lld", (long long)(core_now_ms(d->core) / 1000));
	struct buf signed_text = { 0 }, signatures = { 0 };

	if (w->n_keys == 0)
		return n;
	buf_printf(&signed_text, STR_FMT "." STR_FMT ".", STR_ARG(m->key), STR_ARG(at));
	buf_puts(&signed_text, m->payload);
	for (size_t i = 0; i < w->n_keys; i++) {
		unsigned char mac[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
		unsigned bytes = 0;

		if (HMAC(EVP_sha256(), w->keys[i].p, (int)w->keys[i].n, (const unsigned char *)signed_text.p, signed_text.n, mac, &bytes) == NULL)
			mem_abort(0);
		EVP_EncodeBlock(text, mac, (int)bytes);
		buf_printf(&signatures, "%sv1,%s", i > 0 ? " " : "", (const char *)text);
	}
	headers[n++] = (struct label){ STR("webhook-id"), m->key };
	headers[n++] = (struct label){ STR("webhook-timestamp"), at };
	headers[n++] = (struct label){ STR("webhook-signature"), arena_str(&d->arena, buf_str(&signatures)) };
	buf_fini(&signed_text);
	buf_fini(&signatures);
	return n;
}

static void ask(struct delivery *d)
{
	const struct message *m = d->message;
	struct label *headers = ARENA_ARRAY(&d->arena, 7, struct label);
	size_t n = 0;

	headers[n++] = (struct label){ STR("Content-Type"), STR("application/json") };
	headers[n++] = (struct label){ STR("User-Agent"), arena_printf(&d->arena, "tocsin-alerter/%s", version_text()) };
	headers[n++] = (struct label){ STR(KEY_HEADER), m->key };
	if (m->doubtful)
		headers[n++] = (struct label){ STR(REPEAT_HEADER), STR("true") };
	n = sign(d, headers, n);
	d->call = (struct http_call){ .method = "POST",
				      .url = d->integration->webhook.url,
				      .headers = headers,
				      .n_headers = n,
				      .body = m->payload,
				      .http = &d->integration->http,
				      .timeout_ms = d->integration->timeout_ms };
	d->call_changes = true;
}

static enum deliver_next advance(struct delivery *d, const struct http_answer *answer)
{
	if (answer != NULL && answer->fate == HTTP_LOST && answer->status >= 200 && answer->status < 300)
		return DELIVER_DONE;    /* it took it, and then did not come to an end */
	if (answer != NULL)
		return receiver_judge(d, answer);
	ask(d);
	return DELIVER_ASK;
}

static void secrets(const struct integration *in, struct str *out, size_t *n)
{
	out[(*n)++] = in->webhook.url;
}

const struct receiver_kind receiver_webhook = {
	.name = "webhook",
	.repeats = true,
	.ends_by_default = true,
	.max_in_flight = 8,
	.render = render,
	.advance = advance,
	.secrets = secrets,
};
