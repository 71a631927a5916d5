/* One thread, one curl multi handle. A request belongs to the delivery that made it until <done> was called. Whether a request that
 * failed may have reached the other side is decided by whether any byte of it was sent. */
#include "notify/send.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "tocsin/mem.h"

#define CONNECT_TIMEOUT_MS 10000
#define MAX_REDIRECTS      5
#define MAX_PARALLEL       256
#define ERROR_BYTES        CURL_ERROR_SIZE

struct request {
	struct request *next;
	const struct http_call *call;
	void *tag;
	CURL *easy;
	struct curl_slist *headers; /* of a mail: the recipients */
	size_t sent;                /* of a mail's body */
	struct buf body;
	bool body_cut;
	char error[ERROR_BYTES];
};

struct sender {
	struct transport transport; /* first */
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	struct request *fresh; /* under <lock>: not yet begun */
	bool stop;             /* under <lock> */
	struct request *running;
	sender_done *done;
	void *ctx;
};

static size_t take_body(char *p, size_t size, size_t n, void *to)
{
	struct request *r = to;
	size_t bytes = size * n, room = HTTP_MAX_ANSWER - r->body.n;

	r->body_cut = r->body_cut || bytes > room;
	buf_put(&r->body, p, bytes < room ? bytes : room);
	return bytes;
}

static void add_header(struct request *r, struct str name, struct str value)
{
	struct buf line = {0};

	buf_printf(&line, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(value));
	r->headers = curl_slist_append(r->headers, buf_z(&line));
	explicit_bzero(line.p, line.n);
	buf_fini(&line);
}

static void set_headers(struct request *r)
{
	const struct http_settings *h = r->call->http;

	for (size_t i = 0; i < r->call->n_headers; i++)
		add_header(r, r->call->headers[i].name, r->call->headers[i].value);
	for (size_t i = 0; i < h->n_headers; i++)
		add_header(r, h->headers[i].name, h->headers[i].value);
	if (h->auth.credentials.n > 0) {
		struct buf value = {0};

		buf_printf(&value, STR_FMT " " STR_FMT, STR_ARG(h->auth.type), STR_ARG(h->auth.credentials));
		add_header(r, STR("Authorization"), buf_str(&value));
		explicit_bzero(value.p, value.n);
		buf_fini(&value);
	}
	r->headers = curl_slist_append(r->headers, "Expect:");
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

static void set_text(CURL *easy, CURLoption option, struct str s)
{
	char *z;

	if (s.n == 0)
		return;
	z = mem_strndup(s.p, s.n);
	curl_easy_setopt(easy, option, z);
	explicit_bzero(z, s.n);
	free(z);
}

static void set_connection(CURL *easy, const struct http_settings *h)
{
	set_text(easy, CURLOPT_USERNAME, h->basic.user);
	set_text(easy, CURLOPT_PASSWORD, h->basic.password);
	set_text(easy, CURLOPT_CAINFO, h->tls.ca_file);
	set_text(easy, CURLOPT_SSLCERT, h->tls.cert_file);
	set_text(easy, CURLOPT_SSLKEY, h->tls.key_file);
	set_text(easy, CURLOPT_NOPROXY, h->no_proxy);
	if (!h->proxy_from_environment)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	set_text(easy, CURLOPT_PROXY, h->proxy_url);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, h->tls.insecure_skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, h->tls.insecure_skip_verify ? 0L : 2L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, h->follow_redirects ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, h->enable_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
}

static size_t give_mail(char *to, size_t size, size_t n, void *from)
{
	struct request *r = from;
	size_t left = r->call->body.n - r->sent, bytes = size * n < left ? size * n : left;

	memcpy(to, r->call->body.p + r->sent, bytes);
	r->sent += bytes;
	return bytes;
}

static void set_mail(struct request *r)
{
	const struct mail *m = r->call->mail;

	for (size_t i = 0; i < m->n_to; i++)
		r->headers = curl_slist_append(r->headers, m->to[i].p);
	set_text(r->easy, CURLOPT_USERNAME, m->user);
	set_text(r->easy, CURLOPT_PASSWORD, m->password);
	set_text(r->easy, CURLOPT_SASL_AUTHZID, m->identity);
	curl_easy_setopt(r->easy, CURLOPT_MAIL_FROM, m->from.p);
	curl_easy_setopt(r->easy, CURLOPT_MAIL_RCPT, r->headers);
	curl_easy_setopt(r->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, give_mail);
	curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->call->body.n);
	curl_easy_setopt(r->easy, CURLOPT_USE_SSL, m->require_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void set_request(struct request *r)
{
	const struct http_call *call = r->call;
	bool reads = strcmp(call->method, "GET") == 0;

	set_text(r->easy, CURLOPT_URL, call->url);
	curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, call->mail != NULL ? "smtp,smtps" : "http,https");
	curl_easy_setopt(r->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	if (call->mail != NULL)
		set_mail(r);
	if (reads || call->mail != NULL)
		return;
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, call->body.n > 0 ? call->body.p : "");
	if (strcmp(call->method, "POST") != 0)
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, call->method);
	/* On a kept connection that breaks curl sends again by itself: what may have been carried out must not be repeated unseen.
	 */
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void begin(struct sender *s, struct request *r)
{
	r->easy = curl_easy_init();
	if (r->easy == NULL)
		mem_abort(0);
	set_request(r);
	set_connection(r->easy, r->call->http);
	if (r->call->mail == NULL)
		set_headers(r);
	r->next = s->running;
	s->running = r;
	curl_multi_add_handle(s->multi, r->easy);
}

static void release(struct sender *s, struct request *r)
{
	for (struct request **at = &s->running; *at != NULL; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	if (r->easy != NULL) {
		curl_multi_remove_handle(s->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	buf_fini(&r->body);
	free(r);
}

/* SMTP's last word as HTTP says it: 4xx passes, 5xx does not, unless it is about who we are. */
static int mail_status(CURLcode code, long said)
{
	if (code == CURLE_OK)
		return 200;
	if (code == CURLE_LOGIN_DENIED || said == 530 || said == 534 || said == 535 || said == 538)
		return 401;
	return said >= 500 ? 400 : said >= 400 ? 503 : 0;
}

static void finish(struct sender *s, struct request *r, CURLcode code)
{
	struct http_answer a = {.retry_after_ms = -1, .body = buf_str(&r->body), .body_cut = r->body_cut};
	long status = 0, sent = 0;
	curl_off_t retry_after = 0, total_us = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after);
	curl_easy_getinfo(r->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	a.seconds = (double)total_us / 1e6;
	if (r->call->mail != NULL) {
		sent = (long)r->sent;
		status = mail_status(code, status);
		a.body = str_of(code == CURLE_OK ? "" : r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
	}
	if (code == CURLE_OK || (r->call->mail != NULL && status != 0)) {
		a.fate = HTTP_ANSWERED;
		a.status = (int)status;
	} else {
		a.fate = sent > 0 ? HTTP_LOST : HTTP_NOT_SENT;
		a.error = str_of(r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
	}
	if (retry_after > 0 && retry_after < 86400)
		a.retry_after_ms = (int64_t)retry_after * 1000;
	s->done(s->ctx, r->tag, &a);
	release(s, r);
}

static bool take_fresh(struct sender *s)
{
	struct request *fresh, *next;
	bool stop;

	pthread_mutex_lock(&s->lock);
	fresh = s->fresh;
	s->fresh = NULL;
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	for (; fresh != NULL; fresh = next) {
		next = fresh->next;
		begin(s, fresh);
	}
	return !stop;
}

static void *run(void *arg)
{
	struct sender *s = arg;
	int running, left;

	while (take_fresh(s)) {
		CURLMsg *m;

		curl_multi_perform(s->multi, &running);
		while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
			struct request *r = NULL;
			CURLcode code = m->data.result;

			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
			finish(s, r, code);
		}
		curl_multi_poll(s->multi, NULL, 0, 1000, NULL);
	}
	while (s->running != NULL)
		release(s, s->running);
	return NULL;
}

static void start(struct transport *t, const struct http_call *call, void *tag)
{
	struct sender *s = (struct sender *)t;
	struct request *r = mem_alloc(sizeof *r);

	r->call = call;
	r->tag = tag;
	pthread_mutex_lock(&s->lock);
	r->next = s->fresh;
	s->fresh = r;
	pthread_mutex_unlock(&s->lock);
	curl_multi_wakeup(s->multi);
}

static const struct transport_ops ops = {start};

struct sender *sender_new(sender_done *done, void *ctx)
{
	struct sender *s = mem_alloc(sizeof *s);

	s->transport.ops = &ops;
	s->done = done;
	s->ctx = ctx;
	s->multi = curl_multi_init();
	if (s->multi == NULL)
		mem_abort(0);
	curl_multi_setopt(s->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_PARALLEL);
	pthread_mutex_init(&s->lock, NULL);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		mem_abort(0);
	return s;
}

struct transport *sender_transport(struct sender *s)
{
	return &s->transport;
}

void sender_free(struct sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	curl_multi_wakeup(s->multi);
	pthread_join(s->thread, NULL);
	assert(s->running == NULL);
	curl_multi_cleanup(s->multi);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
