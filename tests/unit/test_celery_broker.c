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
		{ "url: 'sqs://h'", "address must begin with" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(wrong_settings), cmocka_unit_test(queues_of_the_management_api),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
