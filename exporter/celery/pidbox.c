/* The form is kombu's, as recorded from 5.2 and 5.6. */
#include "celery/pidbox.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "tocsin/json.h"

void pidbox_random_uuid(char out[PIDBOX_TICKET_BYTES])
{
	unsigned char b[16] = { 0 };

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		memset(b, 0x5a, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, PIDBOX_TICKET_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
	    b[3],
	         b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void pidbox_oid(const struct celery_settings *settings, char oid[PIDBOX_OID_BYTES])
{
	char host[256] = "";
	uint64_t hash = 1469598103934665603u;

	gethostname(host, sizeof host - 1);
	for (const char *c = host; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	for (size_t i = 0; i < settings->common.name.n; i++)
		hash = (hash ^ (unsigned char)settings->common.name.p[i]) * 1099511628211u;
	snprintf(oid, PIDBOX_OID_BYTES, "tocsin-%016llx", (unsigned long long)hash);
}

static void put_nodes(struct json_out *j, const struct pidbox_question *q)
{
	if (q->nodes == NULL) {
		json_out_null(j);
		return;
	}
	json_out_open(j, '[');
	for (size_t i = 0; i < q->n_nodes; i++)
		json_out_str(j, q->nodes[i]);
	json_out_close(j, ']');
}

void pidbox_put_question(struct buf *out, const struct pidbox_question *q, const char *oid, const char *ticket)
{
	struct json_out j = { .to = out };

	json_out_open(&j, '{');
	json_out_key(&j, "method");
	json_out_strz(&j, q->method);
	json_out_key(&j, "arguments");
	json_out_raw(&j, str_of(q->arguments));
	json_out_key(&j, "destination");
	put_nodes(&j, q);
	json_out_key(&j, "pattern");
	json_out_null(&j);
	json_out_key(&j, "matcher");
	json_out_null(&j);
	if (ticket != NULL) {
		json_out_key(&j, "ticket");
		json_out_strz(&j, ticket);
		json_out_key(&j, "reply_to");
		json_out_raw(&j, STR("{\"exchange\":\"reply.celery.pidbox\",\"routing_key\":\""));
		buf_printf(out, "%s\"}", oid);
	}
	json_out_close(&j, '}');
}

bool pidbox_take_answer(struct str body, pidbox_answer_fn *fn, void *user)
{
	json_t *root = json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL), *answer;
	const bool ok = json_is_object(root);
	const char *node;

	json_object_foreach(root, node, answer)
		fn(user, str_of(node), answer);
	json_decref(root);
	return ok;
}
