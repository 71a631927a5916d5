/* The server over a real socket on a free port, a request a case; and the text of HTTP without one. */
#include "tests.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tocsin/gzip.h"
#include "tocsin/http.h"

static void echo(struct http_request *q)
{
	struct buf b = { 0 };

	buf_printf(&b, "%u " STR_FMT " rest=" STR_FMT " ctx=%s", q->method, STR_ARG(q->path), STR_ARG(q->rest), (const char *)q->ctx);
	for (size_t i = 0; i < q->n_params; i++)
		buf_printf(&b, " " STR_FMT "=" STR_FMT, STR_ARG(q->params[i].name), STR_ARG(q->params[i].value));
	if (q->body.n > 0)
		buf_printf(&b, " body=%zu", q->body.n);
	http_reply_buf(q, 200, "text/plain", &b);
}

static void large(struct http_request *q)
{
	struct buf b = { 0 };

	for (int i = 0; i < 1000; i++)
		buf_putz(&b, "0123456789");
	http_reply_buf(q, 200, "text/plain", &b);
}

/* A text in pieces, as long as ?n= says; 4,000 bytes a piece, each other than the one before. */
struct pieces {
	int64_t n, done;
};

static atomic_int pieces_under_way;

static bool more_pieces(void *arg, struct buf *out)
{
	struct pieces *p = arg;

	for (int i = 0; i < 500; i++)
		buf_printf(out, "%07" PRId64 "\n", p->done * 500 + i);
	return ++p->done < p->n;
}

static void end_pieces(void *arg)
{
	free(arg);
	atomic_fetch_sub(&pieces_under_way, 1);
}

static void stream(struct http_request *q)
{
	struct pieces *p = calloc(1, sizeof *p);
	int64_t deadline_ms = 60000;

	atomic_fetch_add(&pieces_under_way, 1);
	assert_true(str_to_int64(http_param(q, "n"), &p->n));
	if (http_param(q, "deadline").n > 0)
		assert_true(str_to_int64(http_param(q, "deadline"), &deadline_ms));
	http_reply_stream(q, 200, "text/plain", &(struct http_stream){ more_pieces, end_pieces, p, deadline_ms });
}

static void *answer(void *arg)
{
	struct http_request *q = arg;

	http_reply_text(q, 202, "later " STR_FMT, STR_ARG(http_param(q, "x")));
	return NULL;
}

static void later(struct http_request *q)
{
	pthread_t t;

	http_suspend(q);
	assert_int_equal(pthread_create(&t, NULL, answer, q), 0);
	pthread_detach(t);
}

struct parked {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_request *q;
};

static struct parked parked = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL };

static void park(struct http_request *q)
{
	http_suspend(q);
	pthread_mutex_lock(&parked.lock);
	parked.q = q;
	pthread_cond_signal(&parked.changed);
	pthread_mutex_unlock(&parked.lock);
}

static const struct http_route routes[] = {
	{ HTTP_GET | HTTP_POST, "/echo", echo, HTTP_FORM | HTTP_CHANGES, 100, "Says what it got." },
	{ HTTP_POST, "/json", echo, HTTP_JSON | HTTP_CHANGES, 100, NULL },
	{ HTTP_GET, "/open", echo, HTTP_OPEN, 0, NULL },
	{ HTTP_GET, "/tree/", echo, HTTP_PREFIX, 0, NULL },
	{ HTTP_GET, "/tree/exact", echo, 0, 0, NULL },
	{ HTTP_DELETE, "/tree/exact", echo, 0, 0, NULL },
	{ HTTP_GET, "/large", large, 0, 0, NULL },
	{ HTTP_GET, "/later", later, 0, 0, NULL },
	{ HTTP_GET, "/park", park, 0, 0, NULL },
	{ HTTP_GET, "/stream", stream, 0, 0, NULL },
};

static int connect_to(const struct http_server *s)
{
	struct str address = http_server_address(s, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(str_starts(address, STR("127.0.0.1:")));
	sa.sin_port = htons((uint16_t)atoi(address.p + 10));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static void read_all(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		buf_put(out, chunk, (size_t)n);
	close(fd);
}

static void ask(const struct http_server *s, const char *request, struct buf *out)
{
	int fd = connect_to(s);

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	read_all(fd, out);
}

static struct http_server *start(struct http_web_config *web)
{
	const struct str listen[] = { STR("127.0.0.1:0"), STR("[::1]:0") };
	static const struct str hosts[] = { { "tocsin.example", 14 }, { "proxy.example:8443", 18 } };
	const struct http_options o = { .listen = listen, .n_listen = access("/proc/net/if_inet6", R_OK) == 0 ? 2 : 1, .web = web,
		                        .hosts = hosts, .n_hosts = 2 };
	static char ctx[] = "c";
	struct http_server *s = http_server_new();
	struct err e = { 0 };

	http_server_add(s, routes, ARRAY_LEN(routes), ctx);
	if (!http_server_start(s, &o, &e))
		fail_msg("%s", e.msg);
	return s;
}

#define END " HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n"
#define PROGRAM(host) "POST /echo HTTP/1.1\r\nHost: " host "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define CHANGE(host, origin) PROGRAM(host "\r\nOrigin: " origin)
#define FORM "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"

static const struct {
	const char *name, *request, *status, *part;     /* <part> NULL: no body */
} cases[] = {
	{ "query", "GET /echo?a=1&b=x+y%2B&a=2&c" END "\r\n", "200", "1 /echo rest= ctx=c a=1 b=x y+ a=2 c=" },
	{ "escaped path", "GET /%65cho" END "\r\n", "200", "1 /echo" },
	{ "head", "HEAD /echo" END "\r\n", "200", NULL },
	{ "form: its values go before those of the URL", "POST /echo?q=0" END FORM "Content-Length: 9\r\n\r\na=1&b=%26", "200", "2 /echo rest= ctx=c a=1 b=& q=0 body=9" },
	{ "body that does not say what it is", "POST /echo" END "Content-Length: 3\r\n\r\na=1", "415", "urlencoded" },
	{ "pieces that do not say what they are", "POST /echo" END "Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n", "415", "urlencoded" },
	{ "prefix", "GET /tree/a/b" END "\r\n", "200", "rest=a/b" },
	{ "exact before prefix", "GET /tree/exact" END "\r\n", "200", "rest= " },
	{ "method of the other row", "DELETE /tree/exact" END "\r\n", "200", "8 /tree/exact" },
	{ "not found", "GET /nothing" END "\r\n", "404", "not found" },
	{ "method", "DELETE /echo" END "\r\n", "405", "not allowed" },
	{ "body too large", "POST /echo" END FORM "Content-Length: 101\r\n\r\n", "413", "larger" },
	{ "chunked body too large", "POST /echo" END FORM "Transfer-Encoding: chunked\r\n\r\n65\r\n"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n", "413", "larger" },
	{ "malformed query", "GET /echo?a=%zz" END "\r\n", "400", "%25" },
	{ "malformed path", "GET /echo%0" END "\r\n", "400", "path" },
	{ "NUL in the path", "GET /echo%00" END "\r\n", "400", "path" },
	{ "foreign origin", "POST /echo" END "Origin: http://evil\r\nContent-Length: 0\r\n\r\n", "403", "another site" },
	{ "null origin", "POST /echo" END "Origin: null\r\nContent-Length: 0\r\n\r\n", "403", "another site" },
	{ "foreign referer", "POST /echo" END "Referer: http://evil/h:1\r\nContent-Length: 0\r\n\r\n", "403", "another site" },
	{ "own origin", "POST /echo" END "Origin: https://H:1\r\nContent-Length: 0\r\n\r\n", "200", "2 /echo" },
	{ "a name made to resolve to us", "POST /echo HTTP/1.1\r\nHost: evil.example:1\r\nConnection: close\r\n"
	  "Origin: http://evil.example:1\r\nContent-Length: 0\r\n\r\n", "403", "not known as ours" },
	{ "a name that is ours", "POST /echo HTTP/1.1\r\nHost: tocsin.example:1\r\nConnection: close\r\n"
	  "Origin: http://tocsin.example:1\r\nContent-Length: 0\r\n\r\n", "200", "2 /echo" },
	{ "an address", "POST /echo HTTP/1.1\r\nHost: 10.0.0.1:1\r\nConnection: close\r\nOrigin: http://10.0.0.1:1\r\n"
	  "Content-Length: 0\r\n\r\n", "200", "2 /echo" },
	{ "a program by another's name", "POST /echo HTTP/1.1\r\nHost: any.example:1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	  "403", "not known as ours" },
	{ "a program by our name", "POST /echo HTTP/1.1\r\nHost: tocsin.example:1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	  "200", "2 /echo" },
	{ "a name that the world cannot have", "POST /echo HTTP/1.1\r\nHost: tocsin.monitoring.svc.Cluster.Local:1\r\nConnection: close\r\n"
	  "Content-Length: 0\r\n\r\n", "200", "2 /echo" },
	{ "an address of version 6", "POST /echo HTTP/1.1\r\nHost: [::1]:1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "200", "2 /echo" },
	{ "a proxy asks by an address", CHANGE("127.0.0.1:9090", "https://tocsin.example"), "200", "2 /echo" },
	{ "a proxy asks by a name of its own", CHANGE("upstream.example", "https://tocsin.example"), "200", "2 /echo" },
	{ "a proxy says its port", CHANGE("tocsin.example:443", "https://tocsin.example"), "200", "2 /echo" },
	{ "a page says its port", CHANGE("10.0.0.1", "http://10.0.0.1:80"), "200", "2 /echo" },
	{ "dots at the end", CHANGE("Tocsin.example.", "https://tocsin.example.:443/x?y"), "200", "2 /echo" },
	{ "a port of ours", CHANGE("10.0.0.1", "https://proxy.example:8443"), "200", "2 /echo" },
	{ "the name of ours, and a port of another", CHANGE("10.0.0.1", "https://proxy.example"), "403", "another site" },
	{ "a page of another port", CHANGE("10.0.0.1:1", "http://10.0.0.1:2"), "403", "another site" },
	{ "a page of another scheme's port", CHANGE("10.0.0.1:443", "http://10.0.0.1"), "403", "another site" },
	{ "a page where we listen, elsewhere", CHANGE("10.0.0.1", "http://127.0.0.1"), "403", "another site" },
	{ "another site behind our name", CHANGE("tocsin.example", "https://tocsin.example@evil.example"), "403", "another site" },
	{ "another site at our address", CHANGE("127.0.0.1:9090", "https://evil.example"), "403", "another site" },
	{ "no Host", "POST /echo HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "400", "" },
	{ "no Host of old", "POST /echo HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "400", "one Host" },
	{ "an empty Host", PROGRAM(""), "400", "one Host" },
	{ "two Hosts", PROGRAM("h:1\r\nHost: h:1"), "400", "one Host" },
	{ "a Host with a path", PROGRAM("evil.com/x.local"), "400", "one Host" },
	{ "a Host with a fragment", PROGRAM("evil.com#.local"), "400", "one Host" },
	{ "a Host with a user", PROGRAM("evil.com@h"), "400", "one Host" },
	{ "a Host with no end", PROGRAM("[::1"), "400", "one Host" },
	{ "a Host with a strange port", PROGRAM("h:1x"), "400", "one Host" },
	{ "a Host that is a dot", PROGRAM("."), "400", "one Host" },
	{ "text a page may send unseen", "POST /echo" END "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\na=1", "415", "urlencoded" },
	{ "JSON", "POST /json" END "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n[]", "200", "body=2" },
	{ "a form where JSON is wanted", "POST /json" END FORM "Content-Length: 2\r\n\r\n[]", "415", "application/json" },
	{ "JSON that does not say so", "POST /json" END "Content-Length: 2\r\n\r\n[]", "415", "application/json" },
	{ "a stream", "GET /stream?n=2" END "\r\n", "200", "0000999\n" },
	{ "a stream's head", "HEAD /stream?n=2" END "\r\n", "200", NULL },
	{ "answered by another thread", "GET /later?x=7" END "\r\n", "202", "later 7" },
};

static void answers(void **state)
{
	struct http_server *s = start(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf got = { 0 };
		const char *body;

		ask(s, cases[i].request, &got);
		body = strstr(buf_z(&got), "\r\n\r\n");
		if (got.n < 13 || memcmp(got.p + 9, cases[i].status, 3) != 0 || body == NULL ||
		    (cases[i].part ? strstr(body, cases[i].part) == NULL : body[4] != '\0'))
			fail_msg("%s: got\n%s", cases[i].name, got.p);
		buf_fini(&got);
	}
	assert_int_equal(http_server_stats(s).requests, ARRAY_LEN(cases));
	http_server_stop(s);
	http_server_free(s);
}

static void hosts_are_names_alone(void **state)
{
	static const struct {
		const char *host, *says;        /* NULL: it is one */
	} hosts[] = {
		{ "tocsin.example.com", NULL }, { "Tocsin_1.example.com.", NULL }, { "tocsin", NULL }, { "10.0.0.1", NULL }, { "[::1]", NULL },
		{ "", "--web.host=: no host can be called so" },
		{ "*.example.com", "such as tocsin.example.com" },
		{ "a b", "no host can be called so" },
		{ "::1", "no host can be called so" },
		{ "http://x.example.com", "with no scheme, port or path: write x.example.com" },
		{ "https://x.example.com:443/y", "write x.example.com" },
		{ "tocsin.example.com:443", "write tocsin.example.com" },
		{ "tocsin.example.com:", "write tocsin.example.com" },
		{ "tocsin.example.com/x", "write tocsin.example.com" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		const struct str two[] = { STR("ours.example"), str_of(hosts[i].host) };
		struct err e = { 0 };

		print_message("  %s\n", hosts[i].host);
		assert_int_equal(http_check_hosts(two, 2, &e), hosts[i].says == NULL);
		assert_true(hosts[i].says == NULL || strstr(e.msg, hosts[i].says) != NULL);
	}
}

static void compresses(void **state)
{
	struct http_server *s = start(NULL);
	struct buf got = { 0 }, plain = { 0 };
	struct err e = { 0 };
	size_t head;

	(void)state;
	ask(s, "GET /large" END "Accept-Encoding: br, gzip;q=0.5\r\n\r\n", &got);
	assert_non_null(strstr(buf_z(&got), "Content-Encoding: gzip"));
	head = str_find(buf_str(&got), STR("\r\n\r\n")) + 4;
	assert_true(gzip_read(&plain, (struct str){ got.p + head, got.n - head }, 10000, &e));
	assert_int_equal(plain.n, 10000);
	assert_false(gzip_read(&plain, (struct str){ got.p + head, got.n - head }, 9999, &e));
	assert_non_null(strstr(e.msg, "9999"));
	buf_reset(&got);
	ask(s, "GET /large" END "Accept-Encoding: gzip;q=0\r\n\r\n", &got);
	assert_null(strstr(buf_z(&got), "Content-Encoding"));
	buf_fini(&got);
	buf_fini(&plain);
	http_server_stop(s);
	http_server_free(s);
}

/* The body of a reply to HTTP/1.0, which ends with the connection. */
static struct str body_of(const struct buf *got)
{
	size_t head = str_find(buf_str(got), STR("\r\n\r\n")) + 4;

	assert_true(head <= got->n);
	return (struct str){ got->p + head, got->n - head };
}

static void streams_come_whole(void **state)
{
	struct http_server *s = start(NULL);
	struct buf got = { 0 }, packed = { 0 }, plain = { 0 };
	struct err e = { 0 };

	(void)state;
	ask(s, "GET /stream?n=500 HTTP/1.0\r\n\r\n", &got);
	assert_int_equal(body_of(&got).n, 2000000);
	assert_true(str_ends(body_of(&got), STR("0249999\n")));
	ask(s, "GET /stream?n=500 HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n", &packed);
	assert_non_null(strstr(buf_z(&packed), "Content-Encoding: gzip"));
	assert_true(packed.n < got.n / 2);
	assert_true(gzip_read(&plain, body_of(&packed), 2000000, &e));
	assert_true(str_eq(buf_str(&plain), body_of(&got)));
	buf_fini(&got);
	buf_fini(&packed);
	buf_fini(&plain);
	http_server_stop(s);
	http_server_free(s);
	assert_int_equal(atomic_load(&pieces_under_way), 0);
}

/* Who does not read is cut off when the next request comes behind the deadline; who is gone is gone at once. */
static void streams_end(void **state)
{
	static const char *const requests[] = { "GET /stream?n=100000&deadline=1 HTTP/1.0\r\n\r\n", "GET /stream?n=100000 HTTP/1.0\r\n\r\n" };
	struct http_server *s = start(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct buf got = { 0 }, other = { 0 };
		int fd = connect_to(s);
		char c;

		assert_int_equal(write(fd, requests[i], strlen(requests[i])), strlen(requests[i]));
		assert_int_equal(read(fd, &c, 1), 1);
		if (i == 1)
			close(fd);
		while (atomic_load(&pieces_under_way) > 0) {
			buf_reset(&other);
			ask(s, "GET /open" END "\r\n", &other);
		}
		if (i == 0)
			read_all(fd, &got);
		assert_true(got.n < 400000000);
		buf_fini(&got);
		buf_fini(&other);
	}
	http_server_stop(s);
	http_server_free(s);
}

static int park_one(struct http_server *s)
{
	const char request[] = "GET /park" END "\r\n";
	int fd = connect_to(s);

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	pthread_mutex_lock(&parked.lock);
	while (parked.q == NULL)
		pthread_cond_wait(&parked.changed, &parked.lock);
	pthread_mutex_unlock(&parked.lock);
	assert_false(http_is_gone(parked.q));
	return fd;
}

/* The library does not look at a connection that waits; we do when we are asked. */
static void who_hangs_up_is_gone(void **state)
{
	struct http_server *s = start(NULL);

	(void)state;
	close(park_one(s));
	while (!http_is_gone(parked.q))
		usleep(1000);
	http_reply_text(parked.q, 200, "too late");
	parked.q = NULL;
	http_server_stop(s);
	http_server_free(s);
}

static void stopping_answers_who_waits(void **state)
{
	struct http_server *s = start(NULL);
	struct buf got = { 0 };
	int fd = park_one(s);

	(void)state;
	http_server_stop(s);
	read_all(fd, &got);
	assert_non_null(strstr(buf_z(&got), "503"));
	assert_true(http_is_gone(parked.q));
	http_reply_text(parked.q, 200, "too late");
	buf_fini(&got);
	http_server_free(s);
}

static void users(void **state)
{
	char path[] = "/tmp/test_http_XXXXXX";
	/* bcrypt of "secret", cost 4 */
	const char yaml[] = "basic_auth_users:\n  bob: $2b$04$123456789012345678901u//h8y7tq3SNKU3W0iQ9NrkyT8n5fXPS\nhttp_server_config: {headers: {X-A: b}}\n";
	int fd = mkstemp(path);
	struct conf_report r = { 0 };
	struct http_web_config *w;
	struct http_server *s;
	struct buf got = { 0 };

	(void)state;
	assert_int_equal(write(fd, yaml, sizeof yaml - 1), sizeof yaml - 1);
	close(fd);
	w = http_web_config_load(path, &r);
	unlink(path);
	assert_non_null(w);
	s = start(w);
	http_web_config_unref(w);
	ask(s, "GET /echo" END "\r\n", &got);
	assert_non_null(strstr(buf_z(&got), "401"));
	assert_non_null(strstr(buf_z(&got), "X-A: b"));
	for (int i = 0; i < 2; i++) {
		buf_reset(&got);
		ask(s, "GET /echo" END "Authorization: Basic Ym9iOnNlY3JldA==\r\n\r\n", &got);
		if (strstr(buf_z(&got), "HTTP/1.1 200") == NULL)
			fail_msg("%s", buf_z(&got));
	}
	buf_reset(&got);
	ask(s, "GET /open" END "\r\n", &got);
	assert_non_null(strstr(buf_z(&got), "200"));
	buf_reset(&got);
	ask(s, "GET /nothing" END "\r\n", &got);
	assert_non_null(strstr(buf_z(&got), "401"));
	buf_reset(&got);
	ask(s, "GET /echo" END "Authorization: Basic Ym9iOndyb25n\r\n\r\n", &got);
	assert_non_null(strstr(buf_z(&got), "401"));
	http_server_stop(s);
	http_server_free(s);
	buf_fini(&got);
	conf_report_fini(&r);
}

static void an_address_that_is_taken(void **state)
{
	struct http_server *s = start(NULL), *t = http_server_new();
	const struct str taken[] = { http_server_address(s, 0) }, none[] = { STR("nonsense") };
	struct err e = { 0 };

	(void)state;
	assert_false(http_server_start(t, &(struct http_options){ .listen = taken, .n_listen = 1 }, &e));
	assert_non_null(strstr(e.msg, "in use"));
	http_server_free(t);
	t = http_server_new();
	e = (struct err){ 0 };
	assert_false(http_server_bind(t, &(struct http_options){ .listen = none, .n_listen = 1 }, &e));
	assert_non_null(strstr(e.msg, "host:port"));
	http_server_free(t);
	http_server_stop(s);
	http_server_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(hosts_are_names_alone),
		cmocka_unit_test(compresses),
		cmocka_unit_test(streams_come_whole),
		cmocka_unit_test(streams_end),
		cmocka_unit_test(who_hangs_up_is_gone),
		cmocka_unit_test(stopping_answers_who_waits),
		cmocka_unit_test(users),
		cmocka_unit_test(an_address_that_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
