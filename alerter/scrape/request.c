/* The easy handle is set up anew for each call, or once for a call that is repeated; its connection stays with the multi handle. */
#include "scrape/request.h"

#include <assert.h>
#include <stdio.h>

#include "tocsin/mem.h"
#include "tocsin/version.h"

enum { TOKEN_LIMIT = 1 << 20, SPARE_MAX = 256 << 10, RECEIVE_BYTES = 64 << 10, KEEPALIVE_S = 15 }; /* RECEIVE_BYTES: at a time; curl has them only while it receives */

void request_init(struct request *r)
{
	*r = (struct request){ .easy = curl_easy_init() };
	if (r->easy == NULL)
		mem_abort(0);
}

void request_fini(struct request *r, CURLM *multi)
{
	if (r->busy) {
		connection_given_up(r->easy);
		curl_multi_remove_handle(multi, r->easy);
	}
	curl_easy_cleanup(r->easy);
	connection_lists_free(&r->lists);
	buf_fini(&r->body);
}

void request_spare_fini(struct request_spare *spare)
{
	while (spare->n > 0)
		buf_fini(&spare->v[--spare->n]);
}

static void take_spare(struct request *r)
{
	if (r->body.p != NULL || r->spare == NULL || r->spare->n == 0)
		return;
	r->body = r->spare->v[--r->spare->n];
	r->spare->bytes -= r->body.cap;
}

/* One byte past the limit is enough to know. */
static size_t receive(char *data, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	size_t room = (r->for_token ? TOKEN_LIMIT : r->call.limit) - r->body.n;

	n *= size;
	take_spare(r);
	if (n >= room) {
		buf_put(&r->body, data, room);
		r->over_limit = true;
		return 0;
	}
	buf_put(&r->body, data, n);
	return n;
}

static void set_up(struct request *r, void *owner)
{
	int64_t left_ms = r->call.timeout_ms - (clock_mono_us() - r->started_us) / 1000;
	char agent[80];

	curl_easy_reset(r->easy);
	connection_lists_free(&r->lists);
	r->repeatable = false;
	snprintf(agent, sizeof agent, "tocsin-alerter/%s", version_text());
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, owner);
	curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(r->easy, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, left_ms > 1 ? (long)left_ms : 1L);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(r->easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	/* As Go: a firewall forgets a connection that is idle from one scrape to the next, and tells nobody. */
	curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
	curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
	if (r->ports != NULL)
		connection_guard_reuse(r->easy, r->ports, &r->reuse);
	else
		curl_easy_setopt(r->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, connection_take_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, &r->headed);
}

static bool add(struct request *r, CURLM *multi, struct err *e)
{
	buf_reset(&r->body);
	r->over_limit = false;
	r->headed = false;
	r->reuse.tries = 0;
	r->error[0] = '\0';
	r->busy = curl_multi_add_handle(multi, r->easy) == CURLM_OK;
	return r->busy || err_set(e, ERR_UPSTREAM, -1, "curl refuses the request");
}

static bool begin(struct request *r, CURLM *multi, struct tokens *tokens, void *owner, struct err *e)
{
	const struct connection_settings *h = r->call.http;

	set_up(r, owner);
	r->for_token = h->oauth2 != NULL && tokens_get(tokens, h->oauth2).n == 0;
	if (r->for_token) {
		tokens_ask(r->easy, tokens, h->oauth2, &r->lists);
	} else {
		connection_apply(r->easy, r->call.url, h, &r->lists);
		connection_set_text(r->easy, CURLOPT_UNIX_SOCKET_PATH, r->call.unix_socket);
		for (size_t i = 0; i < ARRAY_LEN(r->call.headers) && r->call.headers[i].name.n > 0; i++)
			connection_add_header(&r->lists, r->call.headers[i].name, r->call.headers[i].value);
		if (!connection_login(r->easy, h, tokens, &r->lists, e))
			return false;
		curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->lists.headers);
		r->repeatable = !connection_login_changes(h);
	}
	return add(r, multi, e);
}

bool request_start(struct request *r, CURLM *multi, struct tokens *tokens, const struct request_call *call, void *owner, struct err *e)
{
	r->call = *call;
	r->started_us = clock_mono_us();
	return begin(r, multi, tokens, owner, e);
}

bool request_repeat(struct request *r, CURLM *multi, struct err *e)
{
	assert(r->repeatable);
	r->started_us = clock_mono_us();
	connection_watch_files(r->easy, r->call.http);
	return add(r, multi, e);
}

/* curl takes the last of several, and what only begins with digits: a part of the body would pass for all of it. */
static bool length_is_clear(CURL *easy)
{
	enum { DIGITS_MAX = 18 };
	struct curl_header *h = NULL;
	struct str length;
	size_t n;

	if (curl_easy_header(easy, "Content-Length", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return true;
	length = str_trim(str_of(h->value));
	n = h->amount;
	for (size_t i = 0; i < length.n; i++)
		if (length.p[i] < '0' || length.p[i] > '9' || i == DIGITS_MAX)
			return false;
	for (size_t i = 1; i < n; i++)
		if (curl_easy_header(easy, "Content-Length", i, CURLH_HEADER, -1, &h) != CURLHE_OK || !str_eq(str_trim(str_of(h->value)), length))
			return false;
	return true;
}

bool request_goes_on(struct request *r, CURLM *multi, struct tokens *tokens, CURLcode code, struct err *e)
{
	void *owner = NULL;
	bool token;

	connection_hang_up(r->easy, code);
	curl_multi_remove_handle(multi, r->easy);
	r->busy = false;
	if (r->reuse.tries > 1)
		r->repeatable = false;  /* a handle has five further tries until it is set up anew */
	if (code != CURLE_OK && !r->over_limit)
		err_set(e, ERR_UPSTREAM, -1, "%s%s", r->for_token ? "oauth2: no token: " : "", connection_failure(r->easy, code, r->error));
	if (code == CURLE_OK && !r->headed)
		err_set(e, ERR_UPSTREAM, -1, "the answer ends within its headers");
	else if (code == CURLE_OK && !length_is_clear(r->easy))
		err_set(e, ERR_UPSTREAM, -1, "its Content-Length is no number, or there are several that differ");
	if (!r->for_token) {
		if (r->call.http->oauth2 != NULL && request_status(r) == 401)
			tokens_drop(tokens, r->call.http->oauth2);
		return false;
	}
	token = e->code == ERR_NONE && tokens_take(tokens, r->call.http->oauth2, request_status(r), buf_str(&r->body), e);
	explicit_bzero(r->body.p, r->body.n);
	curl_easy_getinfo(r->easy, CURLINFO_PRIVATE, &owner);
	return token && begin(r, multi, tokens, owner, e);
}

void request_release_body(struct request *r)
{
	struct request_spare *spare = r->spare;

	if (spare != NULL && spare->n < ARRAY_LEN(spare->v) && spare->bytes + r->body.cap <= SPARE_MAX) {
		buf_reset(&r->body);
		spare->bytes += r->body.cap;
		spare->v[spare->n++] = r->body;
		r->body = (struct buf){ 0 };
	}
	buf_fini(&r->body);
}

int request_status(const struct request *r)
{
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

struct str request_content_type(const struct request *r)
{
	char *type = NULL;

	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	return str_of(type);
}

bool request_media_type_is(struct str type, const char *name)
{
	size_t n = str_chr(type, ';');

	return str_eq_nocase(str_trim((struct str){ type.p, n }), str_of(name));
}
