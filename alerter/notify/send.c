/* One thread, one curl multi handle. A request belongs to whoever made it until <done> was called. Whether a request that failed may
 * have reached the other side is decided by whether any byte of it was sent. One that needs a token it does not have is two
 * requests, the first of which asks for the token. */
#include "notify/send.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "notify/receivers/mail_talk.h"
#include "tocsin/connection.h"
#include "tocsin/mem.h"

#define CONNECT_TIMEOUT_MS 10000
#define TOKEN_TIMEOUT_MS   10000
#define MAX_PARALLEL       4096 /* connections: far more than receivers hang at once, or one more would wait for them */

struct request {
	struct request *next;
	const struct http_call *call;
	void *tag;
	CURL *easy;
	struct connection_lists lists; /* headers of a mail: the recipients */
	struct connection_reuse reuse;
	bool for_token;             /* <easy> asks for a token first */
	size_t sent;                /* of a mail's body */
	struct mail_talk talk;
	struct buf body;
	bool body_cut, headed;      /* headed: its headers are all there */
	char error[CURL_ERROR_SIZE];
};

struct sender {
	struct transport transport; /* first */
	CURLM *multi;
	struct connection_ports ports;
	pthread_t thread;
	pthread_mutex_t lock;
	struct request *fresh; /* under <lock>: not yet begun */
	bool stop;             /* under <lock> */
	struct request *running;
	struct tokens *tokens;
	sender_done *done;
	void *ctx;
};

static size_t take_body(char *p, size_t size, size_t n, void *to)
{
	struct request *r = to;
	size_t bytes = size * n, room = HTTP_MAX_ANSWER - r->body.n;

	r->body_cut = r->body_cut || bytes > room;
	buf_put(&r->body, p, bytes < room ? bytes : room);
	return r->body_cut ? CURL_WRITEFUNC_ERROR : bytes;      /* what it says is said; the rest is a flood */
}

static void set_headers(struct sender *s, struct request *r)
{
	struct err e = { 0 };

	for (size_t i = 0; i < r->call->n_headers; i++)
		connection_add_header(&r->lists, r->call->headers[i].name, r->call->headers[i].value);
	/* Without its secret it is refused, and comes again. */
	(void)!connection_login(r->easy, r->call->http, s->tokens, &r->lists, &e);
	if (r->call->aws == NULL)       /* libcurl would sign the header that is not sent */
		r->lists.headers = curl_slist_append(r->lists.headers, "Expect:");
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->lists.headers);
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
		r->lists.headers = curl_slist_append(r->lists.headers, m->to[i].p);
	connection_set_text(r->easy, CURLOPT_USERNAME, m->user);
	connection_set_text(r->easy, CURLOPT_PASSWORD, m->password);
	connection_set_text(r->easy, CURLOPT_SASL_AUTHZID, m->identity);
	curl_easy_setopt(r->easy, CURLOPT_MAIL_FROM, m->from.p);
	curl_easy_setopt(r->easy, CURLOPT_MAIL_RCPT, r->lists.headers);
	mail_talk_begin(&r->talk, r->easy, m);
	curl_easy_setopt(r->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, give_mail);
	curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->call->body.n);
	curl_easy_setopt(r->easy, CURLOPT_USE_SSL, m->require_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void set_aws(struct request *r)
{
	const struct aws_settings *aws = r->call->aws;
	struct buf scope = {0};

	buf_printf(&scope, "aws:amz:" STR_FMT ":sns", STR_ARG(aws->region));
	curl_easy_setopt(r->easy, CURLOPT_AWS_SIGV4, buf_z(&scope));
	connection_set_text(r->easy, CURLOPT_USERNAME, aws->access_key);
	connection_set_text(r->easy, CURLOPT_PASSWORD, aws->secret_key);
	if (aws->session_token.n > 0)
		connection_add_header(&r->lists, STR("x-amz-security-token"), aws->session_token);
	buf_fini(&scope);
}

static void set_request(struct request *r)
{
	const struct http_call *call = r->call;
	bool reads = strcmp(call->method, "GET") == 0;

	if (call->aws != NULL)
		set_aws(r);
	curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, call->mail != NULL ? "smtp,smtps" : "http,https");
	curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	if (call->mail != NULL)
		set_mail(r);
	if (reads || call->mail != NULL)
		return;
	curl_easy_setopt(r->easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);        /* a GET there would tell nobody, and say 200 */
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, call->body.n > 0 ? call->body.p : "");
	if (strcmp(call->method, "POST") != 0)
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, call->method);
	/* On a kept connection that breaks curl sends again by itself: what may have been carried out must not be repeated unseen.
	 */
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void new_handle(struct sender *s, struct request *r)
{
	r->easy = curl_easy_init();
	if (r->easy == NULL)
		mem_abort(0);
	curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	connection_guard_reuse(r->easy, &s->ports, &r->reuse);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, connection_take_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, &r->headed);
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
}

static void drop_handle(struct sender *s, struct request *r)
{
	if (r->easy != NULL) {
		curl_multi_remove_handle(s->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	r->easy = NULL;
	connection_lists_free(&r->lists);
	mail_talk_fini(&r->talk);
	buf_fini(&r->body);
	r->body_cut = r->headed = false;
}

/* The request itself, or the one for the token it needs first. */
static void begin(struct sender *s, struct request *r)
{
	const struct oauth2_settings *oauth2 = r->call->mail == NULL ? r->call->http->oauth2 : NULL;

	new_handle(s, r);
	r->for_token = oauth2 != NULL && tokens_get(s->tokens, oauth2).n == 0;
	if (r->for_token) {
		tokens_ask(r->easy, s->tokens, oauth2, &r->lists);
		curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)TOKEN_TIMEOUT_MS);
	} else {
		connection_apply(r->easy, r->call->url, r->call->http, &r->lists);
		set_request(r);
		if (r->call->mail == NULL)
			set_headers(s, r);
	}
	curl_multi_add_handle(s->multi, r->easy);
}

static void release(struct sender *s, struct request *r)
{
	for (struct request **at = &s->running; *at != NULL; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	drop_handle(s, r);
	free(r);
}

/* The token's answer: on to the request, or, without one, the end. */
static void take_token(struct sender *s, struct request *r, CURLcode code)
{
	struct http_answer a = {.fate = HTTP_NOT_SENT, .retry_after_ms = -1};
	struct err e = {0};
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		err_set(&e, ERR_UPSTREAM, -1, "oauth2: no token: %s", connection_failure(r->easy, code, r->error));
	if (code == CURLE_OK && tokens_take(s->tokens, r->call->http->oauth2, (int)status, buf_str(&r->body), &e)) {
		explicit_bzero(r->body.p, r->body.n);
		drop_handle(s, r);
		begin(s, r);
		return;
	}
	a.error = str_of(e.msg);
	s->done(s->ctx, r->tag, &a);
	release(s, r);
}

/* SMTP's last word as HTTP says it: 4xx passes, 5xx does not, unless it is about who we are. */
static int mail_status(const struct mail_talk *t, CURLcode code, long said)
{
	if (code == CURLE_OK)
		return 200;
	if (code == CURLE_LOGIN_DENIED || said == 530 || said == 534 || said == 535 || said == 538)
		return 401;
	if (!mail_talk_is_verdict(t))
		return 0;
	return said >= 500 && t->later.n == 0 ? 400 : said >= 400 ? 503 : 0;
}

static void judge_mail(const struct request *r, CURLcode code, int status, struct http_answer *a)
{
	const struct mail_talk *t = &r->talk;

	a->body = buf_str(code == CURLE_OK || t->is_rcpt ? &t->refusals : &t->said);
	if (code != CURLE_OK && a->body.n == 0)
		a->body = str_of(connection_failure(r->easy, code, r->error));
	if (status == 200)
		a->later = buf_str(&t->later);
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
		status = mail_status(&r->talk, code, status);
		judge_mail(r, code, (int)status, &a);
	}
	a.status = r->headed || r->call->mail != NULL ? (int)status : 0;
	if (a.status != 0 && (code == CURLE_OK || r->body_cut || r->call->mail != NULL)) {
		a.fate = HTTP_ANSWERED;
	} else {
		a.fate = sent > 0 ? HTTP_LOST : HTTP_NOT_SENT;
		a.error = str_of(code == CURLE_OK ? "the answer ends within its headers" : connection_failure(r->easy, code, r->error));
	}
	if (r->call->http->oauth2 != NULL && status == 401)
		tokens_drop(s->tokens, r->call->http->oauth2);
	if (retry_after > 0 && retry_after < 86400)
		a.retry_after_ms = (int64_t)retry_after * 1000;
	s->done(s->ctx, r->tag, &a);
	connection_hang_up(r->easy, code);
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
		fresh->next = s->running;
		s->running = fresh;
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
			if (r->for_token)
				take_token(s, r, code);
			else
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
	s->tokens = tokens_new();
	s->multi = connection_multi_new();
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
	connection_ports_fini(&s->ports);
	tokens_free(s->tokens);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
