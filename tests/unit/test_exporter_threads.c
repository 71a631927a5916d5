/* Scrapes, probes of targets and discovery, all at once, while the configuration is changed under them: above all for the thread
 * sanitizer (MODE=tsan). */
#include "tests.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "publish.h"
#include "sd.h"

enum { CLIENTS = 3, RELOADS = 200 };

/* Sources that answer at once, that refuse, that have a thread beside, and that come and go. */
#define SAME "files: [{ name: backups, sets: [{ glob: '/nowhere/*' }] }]\n" \
	"redis: [{ name: refused, url: 'redis://127.0.0.1:1', count_keys: ['x*'] }]\n" \
	"host: [{ name: here, disable: [netclass, diskstats, filesystem, vmstat, meminfo] }]\n"
static const char *const configs[] = {
	SAME "modules: [{ name: m, allow: ['127[.]0[.]0[.]1:[0-9]'], max_targets: 3, idle: 1s, probe: { url: 'http://{target}' } }]\n",
	SAME "celery: [{ name: jobs, url: 'redis://127.0.0.1:1' }]\n"
	    "modules: [{ name: m, allow: ['127.*'], max_targets: 3, idle: 1s, redis: { url: 'redis://{target}' } }]\n",
};

static const char *const paths[] = { "/metrics", "/probe?target=backups", "/probe?module=m&target=127.0.0.1:1", "/sd", "/probe?target=jobs",
	"/probe?module=m&target=127.0.0.1:2", "/sd?nodes_of=refused", "/probe?module=m&target=127.0.0.1:3", "/probe?module=m&target=127.0.0.1:4" };

struct world {
	struct publisher *publisher;
	struct sd *sd;
	struct http_server *server;
	atomic_bool done;
	atomic_int answered, strange;
};

static struct sources *load(const char *yaml)
{
	struct conf_report r = { 0 };
	struct sources *c = sources_load_text(STR("x.yml"), str_of(yaml), &r);
	struct buf messages = { 0 };

	conf_report_print(&r, &messages);
	assert_string_equal(buf_z(&messages), "");
	buf_fini(&messages);
	conf_report_fini(&r);
	return c;
}

/* The status of the answer; 0: none. */
static int ask(const struct world *w, const char *path)
{
	struct str address = http_server_address(w->server, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	struct buf request = { 0 };
	char chunk[4096] = "";
	size_t got = 0;
	ssize_t n;

	sa.sin_port = htons((uint16_t)atoi(address.p + 10));
	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Prometheus-Scrape-Timeout-Seconds: 5\r\n\r\n", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && write(fd, request.p, request.n) == (ssize_t)request.n)
		while ((n = read(fd, got == 0 ? chunk : request.p, got == 0 ? sizeof chunk - 1 : request.n)) > 0)
			got += (size_t)n;
	if (got > 12)
		status = atoi(chunk + 9);
	close(fd);
	buf_fini(&request);
	return status;
}

static void *client(void *arg)
{
	struct world *w = arg;

	for (size_t i = 0; !atomic_load(&w->done); i++) {
		int status = ask(w, paths[i % ARRAY_LEN(paths)]);

		atomic_fetch_add(&w->answered, 1);
		if (status != 200 && status != 404 && status != 403 && status != 503 && status != 502)
			atomic_fetch_add(&w->strange, 1);
	}
	return NULL;
}

static void apply(struct world *w, const char *yaml)
{
	struct sources *c = load(yaml);

	publisher_apply(w->publisher, c);
	sd_apply(w->sd, c);
	publisher_note_load(w->publisher, true, STR(""));
	sources_unref(c);
}

static void reload_while_scraping(void **state)
{
	static const struct str listen_at = { "127.0.0.1:0", 11 };
	const struct http_options options = { .listen = &listen_at, .n_listen = 1 };
	struct world w = { .publisher = publisher_new(&clock_system), .sd = sd_new(&clock_system), .server = http_server_new() };
	struct arena a = { 0 };
	struct err e = { 0 };
	pthread_t threads[CLIENTS];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	apply(&w, configs[0]);
	assert_true(publisher_add_routes(w.publisher, w.server, "/metrics"));
	sd_add_routes(w.sd, w.server);
	assert_true(http_server_start(w.server, &options, &e));
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, client, &w), 0);
	for (int i = 1; i <= RELOADS; i++) {
		int before = atomic_load(&w.answered);

		apply(&w, configs[i % (int)ARRAY_LEN(configs)]);
		publisher_sweep(w.publisher);
		assert_true(publisher_state(w.publisher, &a).n >= 3);
		while (atomic_load(&w.answered) < before + 2)
			usleep(500);
	}
	atomic_store(&w.done, true);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ask(&w, "/metrics"), 200);
	assert_int_equal(atomic_load(&w.strange), 0);
	http_server_stop(w.server);
	publisher_free(w.publisher);
	sd_free(w.sd);
	http_server_free(w.server);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reload_while_scraping) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
