/* The loop over real sockets of 127.0.0.1: a good target beside one that never answers, one that refuses, one that is no exporter.
 * Waits for scrapes, not for time. */
#include "scrape/scrape.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"
#include "tocsin/http.h"

enum { INTERVAL_MS = 200, PATIENCE_S = 20 };

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int good, bad;
	char accept[300], timeout[40], authorization[60];
};

static void answer_metrics(struct http_request *q)
{
	struct seen *seen = q->ctx;
	struct buf b = { 0 };

	pthread_mutex_lock(&seen->lock);
	snprintf(seen->accept, sizeof seen->accept, "%.*s", STR_ARG(http_header(q, "Accept")));
	snprintf(seen->timeout, sizeof seen->timeout, "%.*s", STR_ARG(http_header(q, "X-Prometheus-Scrape-Timeout-Seconds")));
	snprintf(seen->authorization, sizeof seen->authorization, "%.*s", STR_ARG(http_header(q, "Authorization")));
	pthread_mutex_unlock(&seen->lock);
	for (int i = 0; i < 500; i++)
		buf_printf(&b, "m{i=\"%d\"} %d\n", i, i);
	http_reply_buf(q, 200, "text/plain; version=0.0.4", &b);
}

static void answer_page(struct http_request *q)
{
	http_reply_text(q, 200, "<p>hello");
}

static void on_scraped(void *ctx, struct labels target, bool up, int64_t t_ms)
{
	struct seen *seen = ctx;

	(void)target, (void)t_ms;
	pthread_mutex_lock(&seen->lock);
	seen->good += up;
	seen->bad += !up;
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->lock);
}

static void wait_for(struct seen *seen, int good, int bad)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&seen->lock);
	while (seen->good < good || seen->bad < bad)
		if (pthread_cond_timedwait(&seen->changed, &seen->lock, &until) != 0)
			fail_msg("only %d good and %d bad scrapes", seen->good, seen->bad);
	pthread_mutex_unlock(&seen->lock);
}

/* A port that takes connections and says nothing; <*fd> keeps it. */
static int silent_port(int *fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(*fd, 16), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &n), 0);
	return ntohs(address.sin_port);
}

static const struct scrape_target_info *by_path(const struct scrape_target_info *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (str_find(v[i].url, str_of(text)) < v[i].url.n)
			return &v[i];
	fail_msg("no target %s", text);
	return NULL;
}

static void check_targets(struct scrape_loop *loop, struct arena *a, const char *silent)
{
	const struct scrape_target_info *t;
	size_t n;
	struct scrape_target_info *v = scrape_targets(loop, a, &n);

	assert_int_equal(n, 4);
	t = by_path(v, n, "/metrics");
	assert_int_equal(t->health, SCRAPE_UP);
	assert_int_equal(t->series, 500);
	t = by_path(v, n, "/nothing");
	assert_true(str_eq(t->last_error, STR("server returned HTTP status 404")));
	t = by_path(v, n, "/page");
	assert_true(str_starts(t->last_error, STR("body_size_limit exceeded")));
	t = by_path(v, n, silent);
	assert_true(str_find(t->last_error, STR("timed out")) < t->last_error.n);
}

static void test_loop(void **state)
{
	struct seen seen = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, "", "", "" };
	const struct http_route routes[] = {
		{ HTTP_GET, "/metrics", answer_metrics, 0, 0, NULL },
		{ HTTP_GET, "/page", answer_page, 0, 0, NULL },
	};
	const struct str listen_at = STR("127.0.0.1:0");
	const struct http_options http_options = { .listen = &listen_at, .n_listen = 1 };
	struct http_server *server = http_server_new();
	struct scrape_options options = { .store = store_new(NULL), .scraped = on_scraped, .ctx = &seen };
	struct scrape_loop *loop = scrape_new(&options);
	struct scrape_job jobs[4] = { 0 };
	struct scrape_static statics[4] = { 0 };
	struct scrape_config config = { .jobs = jobs, .n = ARRAY_LEN(jobs) };
	static const char *const paths[] = { "/metrics", "/nothing", "/page", "/metrics" };
	struct arena a = { 0 };
	struct str addresses[4];
	struct err e = { 0 };
	char silent[40];
	int fd;

	(void)state;
	http_server_add(server, routes, ARRAY_LEN(routes), &seen);
	assert_true(http_server_start(server, &http_options, &e));
	snprintf(silent, sizeof silent, "127.0.0.1:%d", silent_port(&fd));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		addresses[i] = i == 3 ? str_of(silent) : http_server_address(server, 0);
		statics[i] = (struct scrape_static){ .targets = { &addresses[i], 1 } };
		jobs[i] = (struct scrape_job){ .name = arena_printf(&a, "j%zu", i),
			                       .metrics_path = str_of(paths[i]),
			                       .scheme = STR("http"),
			                       .interval_ms = INTERVAL_MS,
			                       .timeout_ms = INTERVAL_MS,
			                       .enable_compression = true,
			                       .http.auth = { .type = STR("Bearer"), .credentials = STR("token") },
			                       .statics = { &statics[i], 1, NULL } };
	}
	jobs[2].fallback_format = SCRAPE_FORMAT_TEXT;
	jobs[2].body_size_limit = 4;
	scrape_reload(loop, &config);
	assert_true(scrape_start(loop, &e));
	wait_for(&seen, 3, 9);
	check_targets(loop, &a, silent);
	scrape_reload(loop, &config);
	wait_for(&seen, 6, 18);
	assert_int_equal(scrape_stats(loop).reloads, 2);
	assert_true(store_stats(options.store).samples_duplicate == 0);
	scrape_free(loop);
	http_server_stop(server);
	http_server_free(server);
	assert_string_equal(seen.timeout, "0.2");
	assert_string_equal(seen.authorization, "Bearer token");
	assert_true(strncmp(seen.accept, "application/openmetrics-text;version=1.0.0", 42) == 0);
	close(fd);
	store_free(options.store);
	arena_fini(&a);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A file of credentials may change, vanish and come back without a reload. */
static void test_secret_file(void **state)
{
	struct seen seen = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, "", "", "" };
	const struct http_route route = { HTTP_GET, "/metrics", answer_metrics, 0, 0, NULL };
	const struct str listen_at = STR("127.0.0.1:0");
	const struct http_options http_options = { .listen = &listen_at, .n_listen = 1 };
	struct http_server *server = http_server_new();
	struct scrape_options options = { .store = store_new(NULL), .scraped = on_scraped, .ctx = &seen };
	struct scrape_loop *loop = scrape_new(&options);
	char path[] = "/tmp/test-secret-XXXXXX";
	struct str address;
	struct scrape_static at = { .targets = { &address, 1 } };
	struct scrape_job job = { .name = STR("j"),
		                  .metrics_path = STR("/metrics"),
		                  .scheme = STR("http"),
		                  .interval_ms = INTERVAL_MS,
		                  .timeout_ms = INTERVAL_MS,
		                  .http.auth = { .type = STR("Bearer"), .credentials_file = { path, sizeof path - 1 } },
		                  .statics = { &at, 1, NULL } };
	struct scrape_config config = { .jobs = &job, .n = 1 };
	struct arena a = { 0 };
	struct err e = { 0 };
	size_t n;

	(void)state;
	close(mkstemp(path));
	write_file(path, "first\n");
	http_server_add(server, &route, 1, &seen);
	assert_true(http_server_start(server, &http_options, &e));
	address = http_server_address(server, 0);
	scrape_reload(loop, &config);
	assert_true(scrape_start(loop, &e));
	wait_for(&seen, 1, 0);
	assert_string_equal(seen.authorization, "Bearer first");
	unlink(path);
	wait_for(&seen, 1, 1);
	assert_true(str_starts(scrape_targets(loop, &a, &n)[0].last_error, STR("cannot read the secret from")));
	write_file(path, "second\r\n");
	wait_for(&seen, seen.good + 2, 0);
	scrape_free(loop);
	http_server_stop(server);
	http_server_free(server);
	assert_string_equal(seen.authorization, "Bearer second");
	unlink(path);
	store_free(options.store);
	arena_fini(&a);
}

/* Many targets that hang take no file from the rest of the process, and it is said why some are not asked. */
static void test_few_files(void **state)
{
	enum { FILES = 64, HANGING = 100, PATIENCE_MS = 60000 };
	struct scrape_options options = { .store = store_new(NULL) };
	struct scrape_job jobs[HANGING];
	struct str address;
	struct scrape_static at = { .targets = { &address, 1 } };
	struct scrape_config config = { .jobs = jobs, .n = HANGING };
	struct scrape_loop *loop;
	struct rlimit before, few;
	struct arena a = { 0 };
	struct err e = { 0 };
	bool said = false;
	char silent[40];
	int fd, other;

	(void)state;
	snprintf(silent, sizeof silent, "127.0.0.1:%d", silent_port(&fd));
	address = str_of(silent);
	for (int i = 0; i < HANGING; i++)
		jobs[i] = (struct scrape_job){ .name = arena_printf(&a, "j%d", i),
			                       .metrics_path = STR("/metrics"),
			                       .scheme = STR("http"),
			                       .interval_ms = 2000,
			                       .timeout_ms = 2000,
			                       .statics = { &at, 1, NULL } };
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ FILES, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	loop = scrape_new(&options);
	scrape_reload(loop, &config);
	assert_true(scrape_start(loop, &e));
	for (int ms = 0; !said; ms += 10) {
		struct arena now = { 0 };
		size_t n;
		const struct scrape_target_info *t = scrape_targets(loop, &now, &n);

		for (size_t i = 0; i < n; i++)
			said |= str_starts(t[i].last_error, STR("not asked: 48 scrapes are under way"));
		arena_fini(&now);
		assert_true(ms < PATIENCE_MS);
		usleep(10000);
		other = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(other >= 0);
		close(other);
	}
	scrape_free(loop);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
	store_free(options.store);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_loop), cmocka_unit_test(test_secret_file), cmocka_unit_test(test_few_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
