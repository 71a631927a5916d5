/* What RabbitMQ's management API says of queues, and answers of workers: whatever they hold, the table of queues stays within its
 * limits (ASan watches), and showing it is harmless. */
#include "celery/families.h"
#include "celery/pidbox.h"
#include "celery/rabbit_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void take_node(void *user, struct str node)
{
	size_t *bytes = user;

	*bytes += node.n;
}

static void take_answer(void *user, struct str node, const json_t *answer)
{
	size_t *bytes = user;

	*bytes += node.n + json_array_size(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	union { const uint8_t *bytes; const char *text; } in = { .bytes = data };
	struct celery_settings settings = { .default_queue = STR("celery") };
	struct expo_set *set = expo_set_new();
	struct broker b;
	struct err e = { 0 };
	size_t bytes = 0;

	broker_init(&b, &settings);
	for (int twice = 0; twice < 2; twice++) {
		b.queues_told = management_read(&b, (struct str){ in.text, n }, take_node, &bytes, &e);
		broker_show(&b, set, 1000);
	}
	(void)pidbox_take_answer((struct str){ in.text, n }, take_answer, &bytes);
	broker_fini(&b);
	expo_set_unref(set);
	return 0;
}
