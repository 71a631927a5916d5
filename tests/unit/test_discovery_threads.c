/* Targets that DNS names, from a server of the test's own on 127.0.0.1, and what a failure leaves. Waits for lists, not for time. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "scrape/discover.h"
#include "tests.h"

enum { PATIENCE_S = 20 };

/* ---- A name server: _web._tcp.test has two SRV records, a.test two addresses, many.test 3000 for who asks by TCP, nothing.test does not
 * exist; <broken>: SERVFAIL. ---- */

enum { MANY = 3000 };

struct server {
	int fd, tcp_fd;
	uint16_t port;
	pthread_t thread, tcp_thread;
	atomic_bool broken;
};

static size_t put_record(unsigned char *p, int type, const unsigned char *data, size_t n)
{
	const unsigned char head[] = { 0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0, 0, 1, (unsigned char)(n >> 8), (unsigned char)n };

	memcpy(p, head, sizeof head);
	memcpy(p + sizeof head, data, n);
	return sizeof head + n;
}

static size_t answer(const struct server *s, unsigned char *p, size_t n)
{
	static const unsigned char srv_one[] = "\0\0\0\0\x23\x82\3one\4test", srv_two[] = "\0\0\0\0\x23\x83\3two\4test";
	static const unsigned char address_one[] = { 10, 0, 0, 1 }, address_two[] = { 10, 0, 0, 2 };
	int type = p[n - 3];

	p[2] = 0x85;
	p[3] = 0;
	p[6] = p[7] = p[8] = p[9] = p[10] = p[11] = 0;
	if (s->broken) {
		p[3] = 2;
	} else if (memcmp(p + 13, "nothing", 7) == 0) {
		p[3] = 3;
	} else if (memcmp(p + 13, "many", 4) == 0) {
		p[2] |= 2; /* cut off: ask by TCP */
	} else if (type == 33) {
		p[7] = 2;
		n += put_record(p + n, type, srv_one, sizeof srv_one);
		n += put_record(p + n, type, srv_two, sizeof srv_two);
	} else {
		p[7] = 2;
		n += put_record(p + n, 1, address_one, sizeof address_one);
		n += put_record(p + n, 1, address_two, sizeof address_two);
	}
	return n;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	unsigned char p[1024];
	struct sockaddr_in from;
	socklen_t from_n = sizeof from;
	ssize_t n;

	while ((n = recvfrom(s->fd, p, 512, 0, (struct sockaddr *)&from, &from_n)) > 12)
		(void)!sendto(s->fd, p, answer(s, p, (size_t)n), 0, (struct sockaddr *)&from, from_n);
	return NULL;
}

static size_t many_addresses(unsigned char *p, size_t n)
{
	p[2] = 0x85;
	p[3] = 0;
	p[6] = MANY >> 8;
	p[7] = MANY & 255;
	p[8] = p[9] = p[10] = p[11] = 0;
	for (int i = 0; i < MANY; i++)
		n += put_record(p + n, 1, (const unsigned char[]){ 10, 1, (unsigned char)(i >> 8), (unsigned char)i }, 4);
	return n;
}

static void *serve_tcp(void *arg)
{
	const struct server *s = arg;
	static unsigned char p[MANY * 16 + 512];
	int fd;

	while ((fd = accept(s->tcp_fd, NULL, NULL)) >= 0) {
		ssize_t got = recv(fd, p, 2, MSG_WAITALL);

		got = got == 2 ? recv(fd, p + 2, (size_t)(p[0] << 8 | p[1]), MSG_WAITALL) : 0;
		if (got > 12) {
			size_t n = many_addresses(p + 2, (size_t)got);

			p[0] = (unsigned char)(n >> 8);
			p[1] = (unsigned char)n;
			(void)!send(fd, p, n + 2, MSG_NOSIGNAL);
		}
		close(fd);
	}
	return NULL;
}

/* A port that is free for both. */
static bool bind_both(struct server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
	s->port = ntohs(address.sin_port);
	if (bind(s->tcp_fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	close(s->fd);
	close(s->tcp_fd);
	return false;
}

static void server_start(struct server *s)
{
	while (!bind_both(s))
		;
	assert_int_equal(listen(s->tcp_fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	assert_int_equal(pthread_create(&s->tcp_thread, NULL, serve_tcp, s), 0);
}

static void server_stop(struct server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->port) };

	assert_int_equal(sendto(s->fd, "", 0, 0, (struct sockaddr *)&address, sizeof address), 0);
	pthread_join(s->thread, NULL);
	close(s->fd);
	shutdown(s->tcp_fd, SHUT_RDWR);
	pthread_join(s->tcp_thread, NULL);
	close(s->tcp_fd);
}

/* ---- The discovery, and the list after each change. ---- */

struct fixture {
	struct server server;
	struct discovery *discovery;
	struct scrape_config config;
	struct conf_report report;
	struct arena arena;
	struct conf_reader rd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buf seen; /* "address label=value …\n" a target */
	bool incomplete;
};

static void note(struct fixture *f)
{
	struct target_list *list = target_list_new(&f->config, f->discovery);

	pthread_mutex_lock(&f->lock);
	buf_reset(&f->seen);
	for (size_t i = 0; i < list->n; i++) {
		labels_print(&f->seen, list->v[i].discovered);
		buf_putc(&f->seen, '\n');
	}
	f->incomplete = list->n_waiting > 0;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	target_list_free(list);
}

static void on_changed(void *ctx)
{
	note(ctx);
}

static void wait_for(struct fixture *f, const char *text, bool there)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&f->lock);
	while ((str_find(buf_str(&f->seen), str_of(text)) < f->seen.n) != there || f->incomplete)
		if (pthread_cond_timedwait(&f->changed, &f->lock, &until) != 0)
			fail_msg("%s is %s in:\n%s", text, there ? "not" : "still", buf_z(&f->seen));
	pthread_mutex_unlock(&f->lock);
}

static void configure(struct fixture *f, const char *yaml)
{
	const struct scrape_defaults defaults = { .interval_ms = 15000, .timeout_ms = 10000 };
	struct scrape_config config;

	assert_true(scrape_config_read(&f->rd, conf_load_text(&f->arena, STR("test.yml"), str_of(yaml), &f->report), &defaults, &config));
	discovery_lock(f->discovery);
	f->config = config;
	discovery_configure(f->discovery, &f->config);
	note(f);
	discovery_unlock(f->discovery);
}

static void setup(struct fixture *f)
{
	struct discovery_options options = { .clock = &clock_system, .changed = on_changed, .ctx = f };
	char servers[32];
	struct err e = { 0 };

	*f = (struct fixture){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	f->rd = (struct conf_reader){ .arena = &f->arena, .report = &f->report };
	server_start(&f->server);
	snprintf(servers, sizeof servers, "127.0.0.1:%d", f->server.port);
	options.dns_servers = arena_printf(&f->arena, "%s", servers).p;
	f->discovery = discovery_new(&options);
	assert_true(discovery_start(f->discovery, &e));
}

static void teardown(struct fixture *f)
{
	discovery_free(f->discovery);
	server_stop(&f->server);
	conf_release(f->rd.held);
	conf_report_fini(&f->report);
	buf_fini(&f->seen);
	arena_fini(&f->arena);
}

static void test_srv_records(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	configure(&f, "[{job_name: web, dns_sd_configs: [{names: [_web._tcp.test], refresh_interval: 1s}]}]");
	wait_for(&f, "__address__=\"one.test:9090\"", true);
	wait_for(&f, "__meta_dns_name=\"_web._tcp.test\", __meta_dns_srv_record_port=\"9091\", __meta_dns_srv_record_target=\"two.test.\"", true);
	teardown(&f);
}

static void test_addresses_and_failures(void **state)
{
	struct discovery_stats before;
	struct fixture f;

	(void)state;
	setup(&f);
	configure(&f, "[{job_name: web, dns_sd_configs: [{names: [a.test, nothing.test], type: A, port: 80, refresh_interval: 1s}]}]");
	wait_for(&f, "10.0.0.1:80", true);
	wait_for(&f, "10.0.0.2:80", true);
	f.server.broken = true;
	before = discovery_stats(f.discovery);
	while (discovery_stats(f.discovery).failures < before.failures + 2)
		usleep(20000);
	wait_for(&f, "10.0.0.2:80", true);
	while (discovery_stats(f.discovery).failing < 2)
		usleep(20000);
	f.server.broken = false;
	while (discovery_stats(f.discovery).failing > 0)
		usleep(20000);
	configure(&f, "[{job_name: web, dns_sd_configs: [{names: [nothing.test], type: A, port: 80}]}]");
	wait_for(&f, "10.0.0.2:80", false);
	teardown(&f);
}

static void test_many_addresses(void **state)
{
	struct fixture f;
	size_t n = 0;

	(void)state;
	setup(&f);
	configure(&f, "[{job_name: web, dns_sd_configs: [{names: [many.test], type: A, port: 80}]}]");
	wait_for(&f, "10.1.0.0:80", true);
	for (size_t i = 0; i < f.seen.n; i++)
		n += f.seen.p[i] == '\n';
	assert_int_equal(n, MANY);
	teardown(&f);
}

struct beside {
	char path[128];
	atomic_bool stop;
};

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void *write_beside(void *arg)
{
	struct beside *b = arg;

	while (!b->stop) {
		put_file(b->path, "a line\n");
		usleep(20000);
	}
	return NULL;
}

/* A folder in which others write all the time: what is said in it is heard all the same. */
static void test_a_folder_that_never_rests(void **state)
{
	char dir[] = "/tmp/tocsin-discovery-XXXXXX", path[128], yaml[256];
	struct beside beside = { .stop = false };
	pthread_t thread;
	struct fixture f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/targets.json", dir);
	snprintf(beside.path, sizeof beside.path, "%s/log", dir);
	snprintf(yaml, sizeof yaml, "[{job_name: web, file_sd_configs: [{files: ['%s']}]}]", path);
	put_file(path, "[{\"targets\": [\"one:1\"], \"labels\": null}]");
	setup(&f);
	configure(&f, yaml);
	wait_for(&f, "one:1", true);
	assert_int_equal(pthread_create(&thread, NULL, write_beside, &beside), 0);
	put_file(path, "[{\"Labels\": {\"a\": null, \"b\": \"1\"}, \"targets\": [\"two:1\"]}]");
	wait_for(&f, "__address__=\"two:1\", __meta_filepath", true);
	wait_for(&f, "__scrape_timeout__=\"10s\", b=\"1\", job", true);
	put_file(path, "[{\"target\": [\"three:1\"]}]"); /* no list of none, but a mistake */
	while (discovery_stats(f.discovery).failing == 0)
		usleep(20000);
	wait_for(&f, "two:1", true);
	beside.stop = true;
	pthread_join(thread, NULL);
	teardown(&f);
	unlink(path);
	unlink(beside.path);
	assert_int_equal(rmdir(dir), 0);
}

static void test_never_answered_is_incomplete(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.server.broken = true;
	configure(&f, "[{job_name: web, dns_sd_configs: [{names: [_web._tcp.test]}], static_configs: [{targets: ['s:1']}]}]");
	while (discovery_stats(f.discovery).failures == 0)
		usleep(20000);
	discovery_lock(f.discovery);
	note(&f);
	assert_true(f.incomplete);
	assert_true(str_find(buf_str(&f.seen), STR("s:1")) < f.seen.n);
	discovery_unlock(f.discovery);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_srv_records),
		cmocka_unit_test(test_addresses_and_failures),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_a_folder_that_never_rests),
		cmocka_unit_test(test_never_answered_is_incomplete),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
