/* Of the message that waits longest in each list (workers take from the tail) what it says of itself: who it is, and when it was
 * sent where the application put that into a header. A message may be large and is read whole, so a list is asked only while it is
 * known not to be empty, and no more once its head was over the limit of a reply. */
#include "celery/event.h"
#include "celery/redis_link.h"

#define HEADS_MAX 200           /* of one look */

size_t redis_heads_send(struct redis_link *l, const struct broker *b, struct arena *a, struct redis_head **heads)
{
	const struct celery_settings *s = l->settings;
	size_t n = 0;

	*heads = ARENA_ARRAY(a, HEADS_MAX, struct redis_head);
	for (size_t i = 0; i < b->n_queues && !l->heads_refused; i++) {
		const struct broker_queue *q = &b->queues[i];

		for (size_t k = 0; k < q->n_steps && !q->head_too_big; k++) {
			if (q->steps[k].length <= 0 || n == HEADS_MAX)
				continue;
			(*heads)[n++] = (struct redis_head){ i, k };
			redis_conn_send(l->master.conn, (struct str[]){ STR("LINDEX"), redis_list_key(s, a, q->name, s->priority_steps[k]),
			    STR("-1") }, 3);
		}
	}
	return n;
}

static void take_head(const struct celery_settings *s, struct broker_step *step, struct str message, struct arena *a)
{
	struct str id = STR("");

	celery_message_sent(a, message, s->sent_headers, &id, &step->sent_s);
	if (id.n <= TASK_ID_MAX) {
		memcpy(step->task_id, id.p, id.n);
		step->task_id[id.n] = '\0';
	}
}

bool redis_heads_read(struct redis_link *l, struct broker *b, const struct redis_head *heads, size_t n, struct redis_wait wait,
                      struct err *e)
{
	struct arena a = { 0 };
	struct err own = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct broker_queue *q = &b->queues[heads[i].queue];
		const struct resp_reply *reply;

		arena_reset(&a);
		if (!redis_conn_reply(l->master.conn, &a, wait, &reply, &own)) {
			q->head_too_big = own.code == ERR_LIMIT;
			break;
		}
		if (reply->type == RESP_STRING)
			take_head(l->settings, &q->steps[heads[i].step], reply->text, &a);
		l->heads_refused |= redis_reply_is_error(reply, "NOPERM");
	}
	arena_fini(&a);
	return own.code != ERR_CANCELED || err_set(e, ERR_CANCELED, -1, "stopped");
}
