/* Alertmanager's webhook, payload version "4". The bytes are made once and kept, so a repeat is the same to the byte; the
 * Idempotency-Key tells it is one. Source: Alertmanager documentation, "webhook_config". */
#include "notify/receiver.h"
#include "tocsin/json.h"
#include "tocsin/version.h"

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

static void put_alert(struct json_out *j, const struct page_alert *a)
{
	char fingerprint[17];

	snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)a->fingerprint);
	json_out_open(j, '{');
	json_out_key(j, "status");
	json_out_strz(j, a->ends_ms == 0 ? "firing" : "resolved");
	put_labels(j, "labels", a->labels);
	put_labels(j, "annotations", a->annotations);
	put_time(j, "startsAt", a->starts_ms);
	put_time(j, "endsAt", a->ends_ms);
	json_out_key(j, "generatorURL");
	json_out_str(j, a->generator_url);
	json_out_key(j, "fingerprint");
	json_out_strz(j, fingerprint);
	json_out_close(j, '}');
}
