/* Addresses of brokers as applications write them, and what RabbitMQ's management API says of queues. */
#include "tests.h"

#include <math.h>
#include <stdio.h>

#include "celery/rabbit_link.h"
#include "sources.h"

/* ---- Addresses ---- */

static struct sources *load(const char *settings, struct buf *messages)
{
	struct conf_report r = { 0 };
	struct arena a = { 0 };
	const struct str yaml = arena_printf(&a, "celery: [{ name: x, %s }]\n", settings);
	struct sources *c = sources_load_text(STR("x.yml"), yaml, &r);

	conf_report_print(&r, messages);
	conf_report_fini(&r);
	arena_fini(&a);
	return c;
}

static void addresses(void **state)
{
	static const struct {
		const char *settings, *shown;
		const char *user, *password;    /* of the first, where it is RabbitMQ */
	} cases[] = {
		{ "url: 'redis://h:1/2'", "redis://h:1/2", NULL, NULL },
		{ "url: 'redis://h:1/2', use_ssl: true", "rediss://h:1/2", NULL, NULL },
		{ "url: amqp://", "amqp://localhost:5672//", "guest", "guest" },
		{ "url: 'amqp://h'", "amqp://h:5672//", "guest", "guest" },
		{ "url: 'amqp://h/'", "amqp://h:5672//", "guest", "guest" },
		{ "url: 'amqp://h//'", "amqp://h:5672//", "guest", "guest" },
		{ "url: 'pyamqp://u:p%40@h:1/v'", "amqp://h:1/v", "u", "p@" },
		{ "url: 'amqp://u@h/a%2Fb', password: s", "amqp://h:5672/a/b", "u", "s" },
		{ "url: 'amqps://u:p@[::1]/v'", "amqps://::1:5671/v", "u", "p" },
		{ "url: 'amqp://u:p@a/v;amqp://w:q@b/v'", "amqp://a:5672/v", "u", "p" },
		{ "url: 'amqp://h/v', management_url: 'https://h', tls: { ca_file: x }", "amqp://h:5672/v", "guest", "guest" },
		{ "url: 'redis://h', use_ssl: true, tls: { ca_file: x }", "rediss://h:6379/0", NULL, NULL },
		{ "url: 'amqp://h', result_backend: 'redis://h', result_prefix: x", "amqp://h:5672//", "guest", "guest" },
		{ "url: 'amqp://h/v', use_ssl: true", "amqps://h:5671/v", "guest", "guest" },
		{ "url: 'sentinel://:p@a:1;sentinel://b/3', master_name: m", "sentinel://a:1/0", NULL, NULL },
		{ "url: 'sentinel://a/2;sentinel://b', master_name: m", "sentinel://a:26379/2", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf messages = { 0 };
		struct arena a = { 0 };
		struct sources *c = load(cases[i].settings, &messages);

		print_message("  %s\n", cases[i].settings);
		if (c == NULL)
			fail_msg("%s", buf_z(&messages));
		union { const struct source_settings *in; const struct celery_settings *out; } s = { .in = c->v[0].settings };
		assert_string_equal(celery_address_describe(&a, s.out).p, cases[i].shown);
		if (cases[i].user != NULL) {
			assert_string_equal(s.out->amqp.urls[0].user, cases[i].user);
			assert_string_equal(s.out->amqp.urls[0].password, cases[i].password);
		}
		sources_unref(c);
		buf_fini(&messages);
		arena_fini(&a);
	}
}

static void wrong_settings(void **state)
{
	static const struct {
		const char *settings, *says;
	} cases[] = {
		{ "url: 'sqs://h'", "sentinel://, amqp:// or amqps://" },
		{ "url: redis://h, tls: { ca_file: x }", "tls does nothing here: it needs TLS: rediss://" },
		{ "url: amqp://h, tls: { insecure_skip_verify: true }", "tls does nothing here" },
		{ "url: 'sentinel://h', master_name: m, tls: { ca_file: x }", "tls does nothing here" },
		{ "url: amqp://h, visibility_timeout: 1h", "visibility_timeout does nothing here: it needs a Redis broker" },
		{ "url: amqp://h, failed_list: x", "failed_list does nothing here" },
		{ "url: amqp://h, priority_steps: [0]", "priority_steps does nothing here" },
		{ "url: amqp://h, results_interval: 1m", "results_interval does nothing here: it needs result_backend" },
		{ "url: redis://h, master_name: m", "master_name does nothing here: it needs sentinel://" },
		{ "url: redis://h, sentinel_password: hush", "sentinel_password does nothing here" },
		{ "url: redis://h, management_url: 'http://hush:hush@h'", "management_url does nothing here: it needs amqp://" },
		{ "url: 'amqp://a;redis://b'", "several addresses: all of one kind" },
		{ "url: 'amqp://hush:hush@h:x'", "port in the address is not a number" },
		{ "url: 'amqp://hush:hush@h/%zz'", "virtual host in the address" },
		{ "url: 'sentinel://h'", "sentinel:// needs master_name" },
		{ "url: 'sentinel://h/x', master_name: m", "database in the address is not a number" },
		{ "url: 'amqp://1;amqp://2;amqp://3;amqp://4;amqp://5;amqp://6;amqp://7;amqp://8;amqp://9'", "more than 8 addresses" },
		{ "url: amqp://h, management_url: 'h:15672'", "begins with http:// or https://" },
		{ "url: redis://h, runtime_buckets: [1, 1]", "bounds do not grow" },
		{ "url: redis://h, queue_wait_buckets: [x]", "a bound is no number" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf messages = { 0 };

		assert_null(load(cases[i].settings, &messages));
		if (strstr(buf_z(&messages), cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].settings, buf_z(&messages));
		assert_null(strstr(buf_z(&messages), "hush"));
		buf_fini(&messages);
	}
}

/* ---- Management ---- */

static void count_node(void *user, struct str node)
{
	int *n = user;

	*n += str_eq(node, STR("w@h"));
}

static const struct broker_queue *queue(const struct broker *b, const char *name)
{
	for (size_t i = 0; i < b->n_queues; i++)
		if (strcmp(b->queues[i].name, name) == 0)
			return &b->queues[i];
	return NULL;
}

static bool read(struct broker *b, const char *json, int *nodes)
{
	struct err e = { 0 };

	*nodes = 0;
	return management_read(b, str_of(json), count_node, nodes, &e);
}

static void queues_of_the_management_api(void **state)
{
	static const char json[] = "[{\"name\":\"celery\",\"messages_ready\":2,\"messages_unacknowledged\":3,\"consumers\":1,"
		"\"head_message_timestamp\":17,\"arguments\":{\"x-max-priority\":2}, \"backing_queue_status\":{\"delta\":[\"delta\",0],"
		"\"priority_lengths\":{\"1\":2,\"0\":0,\"x\":1}}},"
		"{\"name\":\"w@h.celery.pidbox\",\"messages_ready\":1},{\"name\":\"tocsin.reply.celery.pidbox\"},"
		"{\"name\":\"celery_delayed_3\",\"messages_ready\":4,\"messages_unacknowledged\":null},"
		"{\"name\":\"4de1bb09-9b68-4ae8-8b26-22aca1e779e9\",\"messages_ready\":9,\"durable\":false},"
		"{\"name\":\"mine\",\"exclusive\":true,\"messages_ready\":9}]";
	static const char fresh[] = "[{\"name\":\"celery\"},{\"name\":\"fresh\",\"head_message_timestamp\":null}]";
	struct celery_settings settings = { .default_queue = STR("celery") };
	struct broker b;
	int nodes;

	(void)state;
	broker_init(&b, &settings);
	assert_true(read(&b, json, &nodes));
	assert_int_equal(nodes, 1);
	assert_int_equal(b.n_queues, 1);
	assert_int_equal(queue(&b, "celery")->length, 2);
	assert_int_equal(queue(&b, "celery")->n_steps, 2);
	assert_int_equal(queue(&b, "celery")->steps[1].length, 2);
	assert_true(queue(&b, "celery")->head_s == 17 && queue(&b, "celery")->unacked == 3);
	assert_true(isnan(b.unacked) && b.delayed == 4);        /* one does not say */
	assert_true(read(&b, fresh, &nodes));
	assert_true(queue(&b, "fresh")->length == -1 && isnan(queue(&b, "fresh")->head_s) && isnan(queue(&b, "fresh")->consumers));
	assert_true(queue(&b, "celery")->length == -1 && queue(&b, "celery")->steps[1].length == -1);
	assert_true(read(&b, "[]", &nodes));
	assert_int_equal(queue(&b, "celery")->length, 0);
	assert_true(queue(&b, "celery")->steps[1].length == 0 && queue(&b, "celery")->steps[1].priority == 1);
	assert_false(read(&b, "{\"error\":\"not_authorised\"}", &nodes));
	assert_false(read(&b, "[{\"name\":\"celery\",\"messages_ready\":2", &nodes));
	assert_false(read(&b, "", &nodes));
	broker_fini(&b);
}

static bool shows(const struct broker *b, const char *line)
{
	struct expo_set *set = expo_set_new();
	struct buf page = { 0 };
	bool found;

	broker_show(b, set, 1000);
	expo_write(&page, &(struct expo_part){ .set = set }, 1, EXPO_TEXT);
	found = strstr(buf_z(&page), line) != NULL;
	buf_fini(&page);
	expo_set_unref(set);
	return found;
}

static void gone_queues_are_forgotten(void **state)
{
	struct celery_settings settings = { .default_queue = STR("celery") };
	struct broker b;
	int nodes;

	(void)state;
	broker_init(&b, &settings);
	assert_true(read(&b, "[{\"name\":\"celery\",\"messages_ready\":2},"
		"{\"name\":\"a\",\"messages_ready\":3},{\"name\":\"w\"}]", &nodes));
	broker_forget_gone(&b);
	assert_int_equal(b.n_queues, 3);
	for (size_t i = 0; i < b.n_queues; i++)
		b.queues[i].workers = strcmp(b.queues[i].name, "w") == 0;
	assert_true(read(&b, "[]", &nodes));
	broker_forget_gone(&b);
	assert_int_equal(b.n_queues, 2);
	assert_true(queue(&b, "celery")->length == 0 && queue(&b, "a") == NULL && queue(&b, "w") != NULL);
	broker_fini(&b);
}

#define LENGTH(priority) "celery_queue_priority_length{priority=\"" priority "\",queue_name=\"many\"}"

static void read_many(struct broker *b, int filled, int n)
{
	struct buf json = { 0 };
	int nodes;

	buf_putz(&json, "[{\"name\":\"many\",\"messages_ready\":2,\"backing_queue_status\":{\"priority_lengths\":{");
	for (int i = 0; i < 256; i++)
		buf_printf(&json, "%s\"%d\":%d", i != 0 ? "," : "", i, i >= filled && i < filled + n ? 2 : 0);
	buf_putz(&json, "}}}]");
	assert_true(read(b, buf_z(&json), &nodes));
	b->queues_told = true;
	buf_fini(&json);
}

static void many_priorities(void **state)
{
	struct celery_settings settings = { .default_queue = STR("celery") };
	struct broker b;

	(void)state;
	broker_init(&b, &settings);
	read_many(&b, 255, 1);
	assert_true(shows(&b, LENGTH("255") " 2\n") && shows(&b, LENGTH("other") " 0\n") && !shows(&b, LENGTH("254")));
	read_many(&b, 100, 40);
	assert_true(shows(&b, LENGTH("255") " 0\n") && shows(&b, LENGTH("130") " 2\n") && !shows(&b, LENGTH("131")));
	assert_true(shows(&b, LENGTH("other") " 18\n"));
	broker_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(wrong_settings), cmocka_unit_test(queues_of_the_management_api),
		cmocka_unit_test(gone_queues_are_forgotten), cmocka_unit_test(many_priorities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
