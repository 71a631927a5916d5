/* Messages of the event stream: whatever they hold, every text handed on lies in the message or in the arena (ASan watches), and
 * the tables fed with them stay within their limits. A message that begins with '{' is taken as it is; anything else is wrapped
 * as a body. */
#include "celery/base64.h"
#include "celery/tasks.h"
#include "celery/workers.h"
#include "tocsin/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct tables {
	struct celery_tasks *tasks;
	struct celery_workers *workers;
};

static void feed(void *user, const struct celery_event *ev)
{
	struct tables *t = user;

	if (celery_workers_event(t->workers, ev, 1000, 1000))
		celery_tasks_forget_worker(t->tasks, ev->hostname);
	celery_tasks_event(t->tasks, ev, 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	union { const uint8_t *bytes; const char *text; } in = { .bytes = data };
	struct tables t = {
		celery_tasks_new((struct celery_tasks_options){ .max_tasks = 4, .max_series = 3, .default_queue = STR("celery"),
			.runtime = &celery_usual_runtime, .wait = &celery_usual_wait }),
		celery_workers_new((struct celery_workers_options){ .retention_ms = 1000, .offline_retention_ms = 1000, .spared_ms = 1000 }),
	};
	struct arena a = { 0 };
	struct buf message = { 0 };
	const struct str header = STR("enqueued_at");
	struct str id = STR("");
	double sent_s = 0;
	struct err e = { 0 };
	struct expo_set *set = expo_set_new();

	if (n > 0 && data[0] == '{') {
		buf_put(&message, data, n);
	} else {
		buf_putz(&message, "{\"body\":\"");
		base64_encode(&message, (struct str){ in.text, n });
		buf_putz(&message, "\",\"content-type\":\"application/json\",\"properties\":{\"body_encoding\":\"base64\"}}");
	}
	if (!celery_message_decode(&a, buf_str(&message), feed, &t, &e))
		(void)e.code;
	celery_message_sent(&a, buf_str(&message), (struct conf_strs){ &header, 1 }, &id, &sent_s);
	celery_tasks_sent_s(t.tasks, id);
	celery_tasks_show(t.tasks, set, 2000);
	celery_workers_show(t.workers, set);
	expo_set_unref(set);
	celery_tasks_free(t.tasks);
	celery_workers_free(t.workers);
	buf_fini(&message);
	arena_fini(&a);
	return 0;
}
