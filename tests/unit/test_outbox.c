/* The real sender and the real threads, against a server in this process that behaves by path: what became of a request is told
 * apart, and a page comes out of the door it was pushed in at. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "notify_world.h"

#include "notify/send.h"
#include "tocsin/expo.h"

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t requests;                /* under <lock> */
	char last[8192];
};

static void serve_one(struct server *s, int fd)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const char busy[] = "HTTP/1.1 503 no\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nbusy\n";
	static const char moved[] = "HTTP/1.1 302 moved\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n";
	const struct linger hard = { 1, 0 };
	char later[128], date[64];
	time_t then = time(NULL) + 600;
	char text[8192];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
		const char *end, *length;

		n += (size_t)got;
		text[n] = '\0';
		end = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		if (end != NULL && (length == NULL || n >= (size_t)(end + 4 - text) + (size_t)atoi(length + 16)))
			break;
	}
	text[n] = '\0';
	if (strstr(text, "/reset") != NULL)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	else if (strstr(text, "/busy") != NULL)
		assert_int_equal(write(fd, busy, sizeof busy - 1), sizeof busy - 1);
	else if (strstr(text, "/date") != NULL) {
		struct tm t;

		strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &t));
		snprintf(later, sizeof later, "HTTP/1.1 429 no\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
		assert_int_equal(write(fd, later, strlen(later)), strlen(later));
	} else if (strstr(text, "/moved") != NULL)
		assert_int_equal(write(fd, moved, sizeof moved - 1), sizeof moved - 1);
	else if (strstr(text, "/hang") != NULL)
		assert_true(read(fd, text, 1) <= 0);    /* until the client has had enough */
	else
		assert_int_equal(write(fd, ok, sizeof ok - 1), sizeof ok - 1);
	pthread_mutex_lock(&s->lock);
	if (strstr(text, "/hang") == NULL)
		memcpy(s->last, text, n + 1);
	s->requests++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		serve_one(s, fd);
		close(fd);
	}
	return NULL;
}

static struct server *server_new(void)
{
	struct server *s = calloc(1, sizeof *s);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof at;

	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
	s->port = ntohs(at.sin_port);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return s;
}

static void server_free(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s);
}

static void wait_for_requests(struct server *s, size_t n)
{
	pthread_mutex_lock(&s->lock);
	while (s->requests < n)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* ---- The sender alone. ---- */

struct heard {
	pthread_mutex_t lock;
	pthread_cond_t came;
	bool done;
	struct http_answer answer;
	char body[256];
};

static void hear(void *ctx, void *tag, const struct http_answer *a)
{
	struct heard *h = ctx;

	assert_ptr_equal(tag, h);
	pthread_mutex_lock(&h->lock);
	h->answer = *a;
	snprintf(h->body, sizeof h->body, STR_FMT, STR_ARG(a->body));
	h->done = true;
	pthread_cond_signal(&h->came);
	pthread_mutex_unlock(&h->lock);
}

#define TEN_MINUTES 600000

static void what_became_of_it(void **state)
{
	static const struct {
		const char *name, *path;
		int64_t timeout_ms;
		enum http_fate fate;
		int status;
		int64_t retry_after_ms;
		const char *body;
	} cases[] = {
		{ "answered", "/ok", 5000, HTTP_ANSWERED, 200, -1, "ok" },
		{ "Retry-After", "/busy", 5000, HTTP_ANSWERED, 503, 7000, "busy\n" },
		{ "Retry-After, a date", "/date", 5000, HTTP_ANSWERED, 429, TEN_MINUTES, "" },
		{ "redirect followed", "/moved", 5000, HTTP_ANSWERED, 200, -1, "ok" },
		{ "reset", "/reset", 5000, HTTP_LOST, 0, -1, "" },
		{ "no answer in time", "/hang", 100, HTTP_LOST, 0, -1, "" },
		{ "nobody listens", NULL, 5000, HTTP_NOT_SENT, 0, -1, "" },
		{ "no such name", "http://no-such-host.invalid/", 5000, HTTP_NOT_SENT, 0, -1, "" },
		{ "not HTTP", "file:///etc/passwd", 5000, HTTP_NOT_SENT, 0, -1, "" },
	};
	struct server *server = server_new();
	struct connection_settings http = { .follow_redirects = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct heard h = { .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };
		struct sender *s = sender_new(hear, &h);
		char url[96];
		struct http_call call = { .method = "POST", .url = { url, 0 }, .body = STR("{}"), .http = &http,
					  .timeout_ms = cases[i].timeout_ms };

		print_message("  %s\n", cases[i].name);
		if (cases[i].path == NULL)
			snprintf(url, sizeof url, "http://127.0.0.1:1/");
		else if (cases[i].path[0] == '/')
			snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, cases[i].path);
		else
			snprintf(url, sizeof url, "%s", cases[i].path);
		call.url.n = strlen(url);
		sender_transport(s)->ops->start(sender_transport(s), &call, &h);
		pthread_mutex_lock(&h.lock);
		while (!h.done)
			pthread_cond_wait(&h.came, &h.lock);
		pthread_mutex_unlock(&h.lock);
		assert_int_equal(h.answer.fate, cases[i].fate);
		assert_int_equal(h.answer.status, cases[i].status);
		if (cases[i].retry_after_ms == TEN_MINUTES)
			assert_in_range(h.answer.retry_after_ms, 300000, 600000);       /* less what the way took */
		else
			assert_int_equal(h.answer.retry_after_ms, cases[i].retry_after_ms);
		assert_string_equal(h.body, cases[i].body);
		sender_free(s);
	}
	server_free(server);
}

enum { MANY = 300 };

static void wait_for_backlog(int fd, unsigned n)
{
	const struct timespec a_little = { 0, 1000000 };
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	while (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_unacked < n)
		nanosleep(&a_little, NULL);
}

/* They are accepted by the kernel and by nobody else. */
static void hundreds_that_hang_stop_no_other(void **state)
{
	struct server *server = server_new();
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof at;
	int deaf = socket(AF_INET, SOCK_STREAM, 0);
	struct heard *h = calloc(1, sizeof *h);
	struct connection_settings http = { 0 };
	struct http_call *calls = calloc(MANY + 1, sizeof *calls);
	char url[64], good[64];
	struct sender *s;

	(void)state;
	assert_int_equal(bind(deaf, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(deaf, 2 * MANY), 0);
	assert_int_equal(getsockname(deaf, (struct sockaddr *)&at, &n), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(at.sin_port));
	snprintf(good, sizeof good, "http://127.0.0.1:%u/ok", server->port);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->came, NULL);
	s = sender_new(hear, h);
	for (size_t i = 0; i <= MANY; i++) {
		if (i == MANY)
			wait_for_backlog(deaf, 256);    /* which was once as many as there could be */
		calls[i] = (struct http_call){ .method = "POST", .url = str_of(i < MANY ? url : good), .body = STR("{}"), .http = &http,
					       .timeout_ms = 600000 };
		sender_transport(s)->ops->start(sender_transport(s), &calls[i], h);
	}
	pthread_mutex_lock(&h->lock);
	while (!h->done)
		pthread_cond_wait(&h->came, &h->lock);
	pthread_mutex_unlock(&h->lock);
	assert_int_equal(h->answer.status, 200);
	sender_free(s);
	close(deaf);
	server_free(server);
	free(calls);
	free(h);
}

/* ---- The whole. ---- */

static struct notify *open_at(const char *path, const char *url)
{
	struct notify_options o = { .database_path = path, .external_url = "http://tocsin" };
	struct err e = { 0 };
	char yaml[512];
	struct notify *n;

	snprintf(yaml, sizeof yaml,
		 "route: { receiver: t, group_wait: 0s, group_interval: 1ms, group_by: [alertname] }\n"
		 "receivers: [ { name: t, webhook_configs: [ { url: '%s', http_config: { authorization: { credentials: sesame } } "
		 "} ] } ]\n",
		 url);
	n = notify_open(&o, world_config(yaml), &e);
	if (n == NULL)
		fail_msg("%s", e.msg);
	return n;
}

static void commit_edge(struct notify *n, enum alert_edge edge)
{
	struct label labels[] = { { STR("alertname"), STR("Down") } };
	bool firing = edge == EDGE_FIRING;
	struct alert_record r = {
		.labels = { labels, 1 }, .state = firing ? ALERT_FIRING : ALERT_INACTIVE, .fired_at_ms = 1, .resolved_at_ms = 2
	};
	struct alert_event ev = { edge, &r, 1, STR("because") };
	struct rule_identity rule = { .key = STR("k"), .name = STR("Down") };
	struct alert_batch_rule batch = { &rule, &r, 1, &ev, 1 };
	struct alert_sink *sink = notify_sink(n);
	struct err e = { 0 };

	assert_true(sink->ops->commit(sink, &batch, 1, &e));
}

static void from_the_sink_to_the_wire(void **state)
{
	struct server *server = server_new();
	char dir[] = "/tmp/tocsin-unit-XXXXXX", path[64], url[64];
	struct notify *n;
	struct arena a = { 0 };
	struct notify_snapshot *v;
	struct expo_set *set = expo_set_new();
	struct alert_record *records;
	size_t n_records;
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/state.db", dir);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", server->port);
	n = open_at(path, url);
	commit_edge(n, EDGE_FIRING);
	wait_for_requests(server, 1);
	assert_non_null(strstr(server->last, "Authorization: Bearer sesame"));
	assert_non_null(strstr(server->last, "Idempotency-Key: "));
	assert_non_null(strstr(server->last, "Content-Type: application/json"));
	assert_non_null(strstr(server->last, "\"status\":\"firing\""));
	notify_close(n);
	n = open_at(path, url);
	assert_true(notify_sink(n)->ops->load(notify_sink(n), STR("k"), &a, &records, &n_records, &e));
	assert_int_equal(n_records, 1);
	v = notify_snapshot(n, &a);
	assert_int_equal(v->n_unfinished, 0);           /* it was recorded as delivered */
	commit_edge(n, EDGE_RESOLVED);
	wait_for_requests(server, 2);
	assert_non_null(strstr(server->last, "\"status\":\"resolved\",\"alerts\""));
	notify_metrics(n, set);
	assert_true(expo_set_stats(set).samples > 10);
	assert_int_equal(expo_set_stats(set).duplicates + expo_set_stats(set).invalid, 0);
	notify_close(n);
	expo_set_unref(set);
	arena_fini(&a);
	server_free(server);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_became_of_it),
		cmocka_unit_test(hundreds_that_hang_stop_no_other),
		cmocka_unit_test(from_the_sink_to_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
