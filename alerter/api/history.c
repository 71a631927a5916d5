/* Our own endpoints: why something fired or did not, what was delivered and what still waits. */
#include "internal.h"

static void reply_history(struct http_request *q, const struct notify_history_entry *v, size_t n)
{
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '[');
	for (size_t i = 0; i < n; i++)
		notify_history_put_json(&j, &v[i]);
	json_out_close(&j, ']');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

/* On the pool: it waits for the database. */
static void run_history(struct api *api, struct http_request *q, void *job)
{
	struct notify_history_entry *v;
	struct err e = { 0 };
	size_t n;

	if (notify_history(api->deps.notify, job, q->arena, &v, &n, &e))
		reply_history(q, v, n);
	else
		envelope_error(q, &e);
}

void api_history(struct http_request *q)
{
	struct api *api = q->ctx;
	struct notify_history_query *job = ARENA_NEW(q->arena, struct notify_history_query);
	size_t before;

	job->alertname = http_param(q, "alertname");
	job->event = http_param(q, "event");
	job->receiver = http_param(q, "receiver");
	if (!param_time(q, "start", 0, &job->from_ms) || !param_time(q, "end", 0, &job->to_ms) || !param_size(q, "limit", 0, &job->limit) ||
	    !param_size(q, "before", 0, &before))
		return;
	job->before_id = (int64_t)before;
	pool_submit(api->pool, q, run_history, job);
}

static void put_message(struct json_out *j, const struct notify_message *m)
{
	json_out_open(j, '{');
	json_out_key(j, "id");
	json_out_int(j, m->id);
	json_out_key(j, "state");
	json_out_strz(j, outbox_state_name(m->state));
	json_out_key(j, "receiver");
	json_out_str(j, m->receiver);
	json_out_key(j, "integration");
	json_out_str(j, m->integration);
	json_out_key(j, "key");
	json_out_str(j, m->key);
	json_out_key(j, "resolved");
	json_out_bool(j, m->resolved);
	json_out_key(j, "attempts");
	json_out_int(j, m->attempts);
	json_out_key(j, "lastStatus");
	json_out_int(j, m->last_status);
	json_out_key(j, "lastError");
	json_out_str(j, m->last_error);
	json_out_key(j, "createdAt");
	json_out_time(j, m->created_ms);
	json_out_key(j, "nextAttemptAt");
	if (m->next_ms != 0)
		json_out_time(j, m->next_ms);
	else
		json_out_null(j);
	json_out_close(j, '}');
}

static void put_stranded(struct json_out *j, const struct notify_stranded *s)
{
	json_out_open(j, '{');
	json_out_key(j, "integration");
	json_out_str(j, s->integration);
	json_out_key(j, "episode");
	json_out_str(j, s->episode);
	json_out_key(j, "labels");
	json_out_labels(j, s->labels);
	json_out_key(j, "ended");
	json_out_int(j, (int64_t)s->n);
	json_out_close(j, '}');
}

void api_outbox(struct http_request *q)
{
	struct api *api = q->ctx;
	const struct notify_snapshot *n = notify_snapshot(api->deps.notify, q->arena);
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "waiting");
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_unfinished; i++)
		put_message(&j, &n->unfinished[i]);
	json_out_close(&j, ']');
	json_out_key(&j, "dead");
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_dead; i++)
		put_message(&j, &n->dead[i]);
	json_out_close(&j, ']');
	json_out_key(&j, "stranded");
	json_out_open(&j, '[');
	for (size_t i = 0; i < n->n_stranded; i++)
		put_stranded(&j, &n->stranded[i]);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

struct letter_job {                     /* what is done with a dead letter */
	int64_t id;
	bool (*run)(struct notify *, int64_t id, struct err *);
	const char *done;
};

static void run_letter(struct api *api, struct http_request *q, void *job)
{
	const struct letter_job *j = job;
	struct err e = { 0 };

	if (!j->run(api->deps.notify, j->id, &e))
		envelope_error(q, &e);
	else if (http_param(q, "page").n == 0)
		http_reply_text(q, 200, "%s", j->done);
	else {                                          /* the page's button: back to it */
		http_reply_header(q, "Location", STR("../../../"));
		http_reply_text(q, 303, "%s", j->done);
	}
}

static void do_letter(struct http_request *q, bool (*run)(struct notify *, int64_t, struct err *), const char *done)
{
	struct api *api = q->ctx;
	struct letter_job *j = ARENA_NEW(q->arena, struct letter_job);
	size_t n;

	if (!param_size(q, "id", 0, &n))
		return;
	*j = (struct letter_job){ (int64_t)n, run, done };
	pool_submit(api->pool, q, run_letter, j);
}

/* POST /api/v1/outbox/resend?id=: a dead letter once more, with the same key. */
void api_resend(struct http_request *q)
{
	do_letter(q, notify_resend, "queued again\n");
}

/* POST /api/v1/outbox/discard?id=: a dead letter that nobody wants any more. */
void api_discard(struct http_request *q)
{
	do_letter(q, notify_discard, "discarded\n");
}
