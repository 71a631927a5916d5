/* The connection against servers that answer by a script: each fault ends within the deadline, with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/conn.h"
#include "tocsin/clock.h"

/* A server for one connection: says <greeting> when asked anything, then <answer> when asked again, then hangs up or stays
 * silent. */
struct script {
	const char *greeting, *answer;
	bool hang_up;
	int listen_fd, port;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct script *s = arg;
	const int fd = accept(s->listen_fd, NULL, NULL);
	const char *const says[] = { s->greeting, s->answer };
	char asked[4096];

	for (size_t i = 0; i < ARRAY_LEN(says) && recv(fd, asked, sizeof asked, 0) > 0; i++)
		if (says[i] != NULL && send(fd, says[i], strlen(says[i]), MSG_NOSIGNAL) < 0)
			break;
	while (!s->hang_up && recv(fd, asked, sizeof asked, 0) > 0)
		;
	close(fd);
	return NULL;
}

static void script_start(struct script *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	union { struct sockaddr_in *in; struct sockaddr *any; } address = { .in = &in };
	socklen_t n = sizeof in;

	s->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listen_fd, address.any, n), 0);
	assert_int_equal(listen(s->listen_fd, 1), 0);
	assert_int_equal(getsockname(s->listen_fd, address.any, &n), 0);
	s->port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static struct redis_wait soon(int64_t ms)
{
	return (struct redis_wait){ .deadline_mono_ms = clock_mono_ms(&clock_system) + ms, .stop_fd = -1 };
}

static const struct fault_case {
	const char *name, *before_host, *behind_port;
	struct script script;
	const char *outcome;
} cases[] = {
	{ "answers", "redis://", "", { .greeting = "+OK\r\n", .answer = "+PONG\r\n" }, "PONG" },
	{ "no CLIENT command", "redis://", "", { .greeting = "-ERR unknown\r\n", .answer = "+PONG\r\n" }, "PONG" },
	{ "user, password and database", "redis://u:p@", "/1", { .greeting = "+OK\r\n+OK\r\n+OK\r\n", .answer = "+PONG\r\n" }, "PONG" },
	{ "wrong password", "redis://:p@", "", { .greeting = "-WRONGPASS invalid\r\n+OK\r\n" }, "AUTH: WRONGPASS invalid" },
	{ "no such database", "redis://", "/99", { .greeting = "+OK\r\n-ERR DB index is out of range\r\n" },
	  "SELECT: ERR DB index is out of range" },
	{ "error as an answer", "redis://", "", { .greeting = "+OK\r\n", .answer = "-LOADING x\r\n" }, "LOADING x" },
	{ "silent from the start", "redis://", "", { .greeting = NULL }, "no answer within the deadline" },
	{ "silent later", "redis://", "", { .greeting = "+OK\r\n" }, "no answer within the deadline" },
	{ "half a reply", "redis://", "", { .greeting = "+OK\r\n", .answer = "$100\r\nabc" }, "no answer within the deadline" },
	{ "hangs up", "redis://", "", { .greeting = "+OK\r\n", .answer = "$100\r\nabc", .hang_up = true },
	  "the server closed the connection" },
	{ "garbage", "redis://", "", { .greeting = "+OK\r\n", .answer = "<html>\r\n" },
	  "not a Redis reply: Protocol error, got \"<\" as reply type byte" },
	{ "1 GB", "redis://", "", { .greeting = "+OK\r\n", .answer = "$1000000000\r\n" },
	  "reply announces more than reply_bytes (33554432)" },
	{ "no TLS there", "rediss://", "", { .greeting = "-ERR what\r\n" },
	 "TLS: handshake: error:0A00010B:SSL routines::wrong version number" },
};

/* Opens, pings, and returns what came of it. */
static void ping(const struct script *s, const struct fault_case *f, char *out, size_t size)
{
	struct arena a = { 0 };
	struct redis_url url;
	struct err e = { 0 };
	struct redis_conn *c;
	const struct resp_reply *reply;
	/* Short only where it is to pass: a busy machine takes its time for a handshake. */
	int64_t patience_ms = strstr(f->outcome, "deadline") != NULL ? 80 : 10000;
	char text[64];

	snprintf(text, sizeof text, "%s127.0.0.1:%d%s", f->before_host, s->port, f->behind_port);
	assert_true(redis_url_parse(&a, str_of(text), &url, &e));
	c = redis_conn_new(&url, REDIS_CONN_OPTIONS_DEFAULT);
	bool ok = redis_conn_open(c, soon(patience_ms), &e);
	redis_conn_sendz(c, "PING", NULL);
	ok = ok && redis_conn_reply(c, &a, soon(patience_ms), &reply, &e);
	snprintf(out, size, "%s", ok ? reply->text.p : e.msg);
	assert_int_equal(redis_conn_is_open(c), ok);
	redis_conn_free(c);
	arena_fini(&a);
}

static void faults(void **state)
{
	(void)state;
	for (const struct fault_case *c = cases; c < cases + ARRAY_LEN(cases); c++) {
		struct script s = c->script;
		char outcome[512];

		script_start(&s);
		ping(&s, c, outcome, sizeof outcome);
		if (strcmp(outcome, c->outcome) != 0)
			fail_msg("%s: got '%s', expected '%s'", c->name, outcome, c->outcome);
		pthread_join(s.thread, NULL);
		close(s.listen_fd);
	}
}

static void stop_descriptor_ends_a_wait(void **state)
{
	struct script s = { .greeting = NULL };
	struct arena a = { 0 };
	struct redis_url url;
	struct err e = { 0 };
	struct redis_wait wait = soon(60000);
	char text[64];

	(void)state;
	script_start(&s);
	snprintf(text, sizeof text, "redis://127.0.0.1:%d", s.port);
	assert_true(redis_url_parse(&a, str_of(text), &url, &e));
	struct redis_conn *c = redis_conn_new(&url, REDIS_CONN_OPTIONS_DEFAULT);
	wait.stop_fd = eventfd(1, 0);
	assert_false(redis_conn_open(c, wait, &e));
	assert_int_equal(e.code, ERR_CANCELED);
	redis_conn_free(c);
	pthread_join(s.thread, NULL);
	close(wait.stop_fd);
	close(s.listen_fd);
	arena_fini(&a);
}

static void connection_left_in_a_pipeline_is_replaced(void **state)
{
	struct script s = { .greeting = "+OK\r\n", .answer = ":1\r\n:2\r\n" };
	struct arena a = { 0 };
	struct redis_url url;
	struct err e = { 0 };
	const struct resp_reply *reply;
	char text[64];

	(void)state;
	script_start(&s);
	snprintf(text, sizeof text, "redis://127.0.0.1:%d", s.port);
	assert_true(redis_url_parse(&a, str_of(text), &url, &e));
	struct redis_conn *c = redis_conn_new(&url, REDIS_CONN_OPTIONS_DEFAULT);
	assert_true(redis_conn_open(c, soon(1000), &e));
	assert_true(redis_conn_open(c, soon(1000), &e));
	assert_true(redis_conn_was_kept(c));
	redis_conn_sendz(c, "LLEN", "a", NULL);
	redis_conn_sendz(c, "LLEN", "b", NULL);
	assert_true(redis_conn_reply(c, &a, soon(1000), &reply, &e));
	assert_int_equal(reply->integer, 1);
	assert_false(redis_conn_open(c, soon(50), &e));         /* the script serves one connection only */
	redis_conn_free(c);
	pthread_join(s.thread, NULL);
	close(s.listen_fd);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(stop_descriptor_ends_a_wait),
		cmocka_unit_test(connection_left_in_a_pipeline_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
