/* The server over libmicrohttpd: one daemon an address, limits, replies, and requests that wait for another thread.
 *
 * A request has up to two holders: the connection, and from http_suspend to http_reply the thread that will answer. The last one
 * frees it. <lock> guards suspended requests: the list, <response>, <gone>. Only a suspended connection is resumed, once. */
#include "tocsin/http.h"

#include <assert.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"
#include "tocsin/clock.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

enum { DEFAULT_CONNECTIONS = 512, DEFAULT_IDLE_S = 60, MEMORY_PER_CONNECTION = 64 * 1024, GZIP_LEAST = 1024,
    STOP_WAIT_MS = 2000 };

struct listener {
	struct MHD_Daemon *daemon;
	int fd;
	char bound[80];
};

struct reply_header {
	struct reply_header *next;
	const char *name, *value;
};

struct request {
	struct http_request q;          /* first: handlers hold a pointer to it */
	struct arena arena;
	struct http_server *server;
	struct http_web_config *web;    /* counted; NULL: none. As it was when the request came */
	struct MHD_Connection *conn;
	const struct http_route *route;
	struct buf body;
	struct str uri;                 /* as it came */
	struct MHD_Response *response;
	int status;
	struct reply_header *headers;
	bool begun, in_handler, gzip_ok, too_large, only_head;
	bool suspended;                 /* on the list */
	bool was_suspended;             /* the connection's thread only: MHD calls again when it goes on */
	bool held;                      /* by the thread that will answer */
	bool gone;
	bool connected;                 /* held by the connection */
	struct request *prev, *next;    /* suspended ones */
};

struct http_server {
	struct http_routes routes;
	struct listener *listeners;
	size_t n_listeners;
	struct http_web_config *web;    /* under <lock> */
	struct http_hosts hosts;
	pthread_mutex_t lock;
	pthread_cond_t idle;            /* a request was completed */
	struct http_streams *streams;
	struct request *suspended;
	size_t active;
	bool serving, stopping;
	atomic_uint_fast64_t n_requests, n_rejected;
};

static struct request *request_of(const struct http_request *q)
{
	struct request *r;

	memcpy(&r, &q, sizeof r);
	return r;
}

/* ---- Requests. ---- */

static void request_free(struct request *r)
{
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	http_web_config_unref(r->web);
	buf_fini(&r->body);
	arena_fini(&r->arena);
	free(r);
}

struct str http_param(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_params; i++)
		if (str_eq(q->params[i].name, str_of(name)))
			return q->params[i].value;
	return STR_NULL;
}

struct str http_header(const struct http_request *q, const char *name)
{
	assert(request_of(q)->in_handler);
	return str_of(MHD_lookup_connection_value(request_of(q)->conn, MHD_HEADER_KIND, name));
}

struct header_count {
	struct str name;
	size_t n;
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct header_count *count = ctx;

	(void)kind;
	(void)value;
	count->n += str_eq_nocase(str_of(key), count->name);
	return MHD_YES;
}

size_t http_header_count(const struct http_request *q, const char *name)
{
	struct header_count count = { str_of(name), 0 };

	MHD_get_connection_values(request_of(q)->conn, MHD_HEADER_KIND, count_header, &count);
	return count.n;
}

/* While a connection is suspended the library does not look at it. */
static bool client_hung_up(const struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd peer = { .fd = info != NULL ? info->connect_fd : -1, .events = POLLRDHUP };

	return poll(&peer, 1, 0) > 0;
}

bool http_is_gone(const struct http_request *q)
{
	struct request *r = request_of(q);
	bool gone;

	pthread_mutex_lock(&r->server->lock);
	gone = r->gone || (r->suspended && client_hung_up(r));
	pthread_mutex_unlock(&r->server->lock);
	return gone;
}

/* ---- Replies. ---- */

void http_reply_header(struct http_request *q, const char *name, struct str value)
{
	struct request *r = request_of(q);
	struct reply_header *h = ARENA_NEW(&r->arena, struct reply_header);

	*h = (struct reply_header){ r->headers, arena_strz(&r->arena, str_of(name)), arena_strz(&r->arena, value) };
	r->headers = h;
}

/* What the web configuration says stands instead of ours. */
static bool is_configured(const struct request *r, const char *name)
{
	for (size_t i = 0; r->web != NULL && i < r->web->headers.n; i++)
		if (str_eq_nocase(r->web->headers.v[i].name, str_of(name)))
			return true;
	return false;
}

static void add_headers(const struct request *r, struct MHD_Response *response, const char *type, bool packed)
{
	if (packed)
		MHD_add_response_header(response, "Content-Encoding", "gzip");
	if (type != NULL)
		MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Vary", "Accept-Encoding");
	for (const struct reply_header *h = r->headers; h != NULL; h = h->next)
		if (!is_configured(r, h->name))
			MHD_add_response_header(response, h->name, h->value);
	for (size_t i = 0; r->web != NULL && i < r->web->headers.n; i++)
		MHD_add_response_header(response, r->web->headers.v[i].name.p, r->web->headers.v[i].value.p);
}

static struct MHD_Response *response_new(const struct request *r, const char *type, struct http_body *body)
{
	bool packed = r->gzip_ok && http_body_size(body) > GZIP_LEAST;
	struct MHD_Response *response = http_body_response(body, packed);

	add_headers(r, response, type, packed);
	return response;
}

/* Takes a request off the list and lets its connection go on. The lock is held. */
static void resume(struct request *r)
{
	assert(r->suspended);
	*(r->prev ? &r->prev->next : &r->server->suspended) = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->suspended = false;
	MHD_resume_connection(r->conn);
}

/* Hands it over: to the connection, which goes on if it waited, or to nobody. */
static void hand_in(struct request *r, int status, struct MHD_Response *response)
{
	struct http_server *s = r->server;
	bool last;

	pthread_mutex_lock(&s->lock);
	assert(r->gone || r->response == NULL);
	if (r->gone) {
		MHD_destroy_response(response);
	} else {
		r->response = response;
		r->status = status;
		if (r->suspended)
			resume(r);
	}
	last = r->held && !r->connected;
	r->held = false;
	pthread_mutex_unlock(&s->lock);
	if (last)
		request_free(r);
}

void http_reply_body(struct http_request *q, int status, const char *type, struct http_body *body)
{
	struct request *r = request_of(q);

	hand_in(r, status, response_new(r, type, body));
}

void http_reply_stream(struct http_request *q, int status, const char *type, const struct http_stream *stream)
{
	struct request *r = request_of(q);
	struct MHD_Response *response;

	if (r->only_head) {     /* the library would send the end of a body that has no length */
		stream->end(stream->arg);
		http_reply(q, status, type, STR(""));
		return;
	}
	response = http_stream_response(r->server->streams, r->conn, stream, r->gzip_ok);
	add_headers(r, response, type, r->gzip_ok);
	hand_in(r, status, response);
}

void http_reply_buf(struct http_request *q, int status, const char *type, struct buf *b)
{
	struct http_body *body = http_body_new(b);

	http_reply_body(q, status, type, body);
	http_body_close(body);
}

void http_reply(struct http_request *q, int status, const char *type, struct str body)
{
	struct buf b = { 0 };

	buf_puts(&b, body);
	http_reply_buf(q, status, type, &b);
}

void http_reply_text(struct http_request *q, int status, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	http_reply(q, status, "text/plain; charset=utf-8", str_of(text));
}

static void reply_stopping(struct request *r)
{
	struct buf b = { 0 };
	struct http_body *body;

	buf_putz(&b, "the server is stopping\n");
	body = http_body_new(&b);
	r->response = response_new(r, "text/plain; charset=utf-8", body);
	http_body_close(body);
	r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	r->gone = true;
}

void http_suspend(struct http_request *q)
{
	struct request *r = request_of(q);
	struct http_server *s = r->server;

	assert(r->in_handler && !r->held && r->response == NULL);
	pthread_mutex_lock(&s->lock);
	r->held = true;
	if (s->stopping) {
		reply_stopping(r);
	} else {
		r->suspended = true;
		r->prev = NULL;
		r->next = s->suspended;
		if (r->next != NULL)
			r->next->prev = r;
		s->suspended = r;
		r->was_suspended = true;
		MHD_suspend_connection(r->conn);
	}
	pthread_mutex_unlock(&s->lock);
}

/* The server's own answers. */
static void reject(struct request *r, int status, const char *why)
{
	atomic_fetch_add(&r->server->n_rejected, 1);
	http_reply_text(&r->q, status, "%s\n", why);
}

/* ---- Before the handler: user, origin, limits. ---- */

static enum http_origin changes_from(const struct request *r)
{
	if ((r->route->flags & HTTP_CHANGES) == 0 || r->q.method == HTTP_GET)
		return HTTP_FROM_HERE;
	return http_origin_of(&r->q, &r->server->hosts);
}

static bool user_may_enter(struct request *r)
{
	const struct http_web_config *w = r->web;
	char *user, *password = NULL;
	bool ok;

	if (w == NULL || w->users.n == 0)
		return true;
	user = MHD_basic_auth_get_username_password(r->conn, &password);
	ok = user != NULL && password != NULL && http_web_login(w, str_of(user), str_of(password));
	if (ok)
		r->q.user = arena_str(&r->arena, str_of(user));
	if (password != NULL)
		explicit_bzero(password, strlen(password));
	MHD_free(user);
	MHD_free(password);
	return ok;
}

static void reject_method(struct request *r)
{
	struct buf allow = { 0 };

	http_put_methods(&allow, r->route->methods);
	http_reply_header(&r->q, "Allow", buf_str(&allow));
	buf_fini(&allow);
	reject(r, MHD_HTTP_METHOD_NOT_ALLOWED, "this method is not allowed here");
}

static bool body_fits(const struct request *r)
{
	struct str length = http_header(&r->q, "Content-Length");
	int64_t n;

	return length.p == NULL || (str_to_int64(length, &n) && n >= 0 && (uint64_t)n <= r->route->body_limit);
}

static bool parse_target(struct request *r)
{
	size_t query = str_chr(r->uri, '?');

	r->q.query = query < r->uri.n ? (struct str){ r->uri.p + query + 1, r->uri.n - query - 1 } : STR("");
	return http_decode(&r->arena, (struct str){ r->uri.p, query }, false, &r->q.path) && str_chr(r->q.path, '\0') == r->q.path.n;
}

static void reject_origin(struct request *r, enum http_origin why)
{
	static const char *const said[] = {
		[HTTP_WITHOUT_HOST] = "what changes something says one Host, which is a host's name or address",
		[HTTP_FROM_ELSEWHERE] = "this request comes from a page of another site: none of its Host, --web.external-url, --web.host",
		[HTTP_BY_ANOTHER_NAME] = "its Host is a name not known as ours: an address, a name without a dot, or one of --web.host",
	};

	reject(r, why == HTTP_WITHOUT_HOST ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_FORBIDDEN, said[why]);
}

/* The headers are here. Replies when the request goes no further. */
static void admit(struct request *r, const char *method)
{
	struct http_request *q = &r->q;
	enum http_origin origin;

	q->method = http_method_of(method);
	r->only_head = strcmp(method, "HEAD") == 0;
	r->gzip_ok = http_accept_q(http_header(q, "Accept-Encoding"), STR("gzip")) > 0;
	if (!parse_target(r)) {
		reject(r, MHD_HTTP_BAD_REQUEST, "malformed path");
	} else if (!http_tls_client_is_good(r->web, r->conn)) {
		reject(r, MHD_HTTP_FORBIDDEN, "a client certificate is wanted");
	} else if (((r->route = http_routes_find(&r->server->routes, q->path, q->method, &q->ctx)) == NULL ||
	            !(r->route->flags & HTTP_OPEN)) && !user_may_enter(r)) {
		http_reply_header(q, "WWW-Authenticate", STR("Basic"));
		reject(r, MHD_HTTP_UNAUTHORIZED, "Unauthorized");
	} else if (r->route == NULL) {
		reject(r, MHD_HTTP_NOT_FOUND, "404 page not found");
	} else if ((r->route->methods & q->method) == 0) {
		reject_method(r);
	} else if ((origin = changes_from(r)) != HTTP_FROM_HERE) {
		reject_origin(r, origin);
	} else if (!http_takes_type(q, r->route->flags)) {
		reject(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, (r->route->flags & HTTP_JSON) != 0 ? "send Content-Type: application/json"
		                                           : "send Content-Type: application/x-www-form-urlencoded");
	} else if (!body_fits(r)) {
		reject(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than the limit of this path");
	}
}

/* ---- libmicrohttpd calls. ---- */

static bool has_form(const struct request *r)
{
	return (r->route->flags & HTTP_FORM) != 0 && str_eq_nocase(http_content_type(&r->q), STR("application/x-www-form-urlencoded"));
}

static void dispatch(struct request *r)
{
	struct http_request *q = &r->q;
	struct http_param *params = NULL;
	struct err e = { 0 };

	q->body = buf_str(&r->body);
	if ((r->route->flags & HTTP_PREFIX) != 0)
		q->rest = (struct str){ q->path.p + strlen(r->route->path), q->path.n - strlen(r->route->path) };
	if (r->too_large) {
		reject(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than the limit of this path");
	} else if ((has_form(r) && !http_parse_form(&r->arena, q->body, &params, &q->n_params, &e)) ||
	           !http_parse_form(&r->arena, q->query, &params, &q->n_params, &e)) {
		q->n_params = 0;
		reject(r, MHD_HTTP_BAD_REQUEST, e.msg);
	} else {
		q->params = params;
		r->route->handle(q);
	}
}

static enum MHD_Result take_body(struct request *r, const char *data, size_t *n)
{
	if (*n > r->route->body_limit - r->body.n)
		r->too_large = true;
	/* One that goes on for ever is cut off; a reply is only possible behind the body. */
	if (r->too_large && *n + r->body.n > 2 * r->route->body_limit + MEMORY_PER_CONNECTION)
		return MHD_NO;
	if (!r->too_large)
		buf_put(&r->body, data, *n);
	*n = 0;
	return MHD_YES;
}

static enum MHD_Result send_reply(struct request *r)
{
	enum MHD_Result ok = MHD_queue_response(r->conn, (unsigned)r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

/* Called when the headers are here, for each piece of the body, behind it, and when a suspended request was answered. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
                                  const char *data, size_t *data_n, void **req)
{
	struct request *r = *req;

	(void)cls;
	(void)url;
	(void)version;
	r->conn = conn;
	if (r->begun && *data_n > 0)
		return take_body(r, data, data_n);
	if (r->was_suspended)
		return send_reply(r);
	r->in_handler = true;
	if (!r->begun)
		admit(r, method);
	else
		dispatch(r);
	r->in_handler = false;
	if (r->was_suspended)
		return MHD_YES;
	assert(!r->begun || r->response != NULL);
	r->begun = true;
	return r->response != NULL ? send_reply(r) : MHD_YES;
}

/* The first call for a request; what it returns is the request's context. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct http_server *s = cls;
	struct request *r = mem_alloc(sizeof *r);

	r->server = s;
	r->conn = conn;
	r->connected = true;
	r->q.arena = &r->arena;
	r->uri = arena_str(&r->arena, str_of(uri));
	atomic_fetch_add(&s->n_requests, 1);
	http_streams_expire(s->streams);
	pthread_mutex_lock(&s->lock);
	s->active++;
	r->web = s->web != NULL ? http_web_config_ref(s->web) : NULL;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **req, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = cls;
	struct request *r = *req;
	bool last;

	(void)conn;
	(void)why;
	if (r == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	assert(!r->suspended);
	r->connected = false;
	r->gone = true;
	last = !r->held;
	s->active--;
	pthread_cond_signal(&s->idle);
	pthread_mutex_unlock(&s->lock);
	if (last)
		request_free(r);
	*req = NULL;
}

/* A connection keeps the certificates it began with. */
static void on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_web_config_unref(*context);
		return;
	}
	pthread_mutex_lock(&s->lock);
	*context = s->web != NULL ? http_web_config_ref(s->web) : NULL;
	pthread_mutex_unlock(&s->lock);
	if (*context != NULL)
		http_tls_begin(*context, conn);
}

/* Paths are decoded by us, query and path apart. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *text)
{
	(void)cls;
	(void)conn;
	return strlen(text);
}

static void ignore_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap;
}

/* ---- The server. ---- */

struct http_server *http_server_new(void)
{
	struct http_server *s = mem_alloc(sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	wait_cond_init(&s->idle);
	s->streams = http_streams_new();
	return s;
}

void http_server_add(struct http_server *s, const struct http_route *routes, size_t n, void *ctx)
{
	assert(!s->serving);
	http_routes_add(&s->routes, routes, n, ctx);
}

static void *text_value(struct str s)
{
	void *p;

	memcpy(&p, &s.p, sizeof p);
	return p;
}

static bool start_listener(struct http_server *s, struct listener *l, const struct http_options *o, struct err *e)
{
	const struct http_web_config *w = o->web;
	bool tls = w != NULL && w->cert.n > 0;
	struct MHD_OptionItem options[12];
	size_t n = 0;

	options[n++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, l->fd, NULL };
	options[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_LIMIT, o->max_connections ? o->max_connections
	    : DEFAULT_CONNECTIONS, NULL };
	options[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s ? o->idle_timeout_s
	    : DEFAULT_IDLE_S, NULL };
	options[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION, NULL };
	if (o->threads > 1)
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, o->threads, NULL };
	if (tls) {
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, text_value(w->cert) };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, text_value(w->key) };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, text_value(w->priority) };
	}
	options[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG
	    | (tls ? MHD_USE_TLS : 0u), 0,
	                             NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL,
	                                 MHD_OPTION_URI_LOG_CALLBACK,
	                             on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
	                                 on_connection, s,
	                             MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	return l->daemon != NULL || err_set(e, ERR_IO, -1, "cannot serve on %s: %s", l->bound,
	    tls ? "certificate and key are not accepted" : "no thread or epoll");
}

bool http_server_bind(struct http_server *s, const struct http_options *o, struct err *e)
{
	assert(s->n_listeners == 0);
	s->listeners = mem_alloc(o->n_listen * sizeof *s->listeners);
	for (size_t i = 0; i < o->n_listen; i++) {
		s->listeners[i].fd = http_listen(o->listen[i], s->listeners[i].bound, e);
		if (s->listeners[i].fd < 0) {
			http_server_stop(s);
			return false;
		}
		s->n_listeners++;
	}
	return true;
}

static void know_hosts(struct http_server *s, const struct http_options *o)
{
	s->hosts.v = mem_alloc((o->n_hosts + o->n_listen + 1) * sizeof *s->hosts.v);
	for (size_t i = 0; i < o->n_hosts; i++)
		s->hosts.v[s->hosts.n++] = o->hosts[i];
	s->hosts.n_sites = s->hosts.n;
	for (size_t i = 0; i < o->n_listen; i++)
		s->hosts.v[s->hosts.n++] = o->listen[i];
}

bool http_server_start(struct http_server *s, const struct http_options *o, struct err *e)
{
	s->serving = true;
	s->web = o->web != NULL ? http_web_config_ref(o->web) : NULL;
	know_hosts(s, o);
	if (s->n_listeners == 0 && !http_server_bind(s, o, e))
		return false;
	for (size_t i = 0; i < s->n_listeners; i++)
		if (!start_listener(s, &s->listeners[i], o, e)) {
			http_server_stop(s);
			return false;
		}
	return true;
}

bool http_server_set_web(struct http_server *s, struct http_web_config *web, struct err *e)
{
	struct http_web_config *old;

	assert(web != NULL);
	pthread_mutex_lock(&s->lock);
	old = s->web;
	if (old == NULL || (old->cert.n > 0) != (web->cert.n > 0)) {
		pthread_mutex_unlock(&s->lock);
		return err_set(e, ERR_BAD_INPUT, -1, "TLS is switched on or off: that needs a restart");
	}
	s->web = http_web_config_ref(web);
	pthread_mutex_unlock(&s->lock);
	http_web_config_unref(old);
	return true;
}

bool http_server_follow_web(struct http_server *s, struct conf_report *r)
{
	struct http_web_config *now, *new;
	struct err e = { 0 };
	bool changed;

	pthread_mutex_lock(&s->lock);
	now = s->web != NULL ? http_web_config_ref(s->web) : NULL;
	pthread_mutex_unlock(&s->lock);
	changed = now != NULL && http_web_config_has_changed(now);
	if (changed) {
		new = http_web_config_load(now->files[0].path, r);
		if (new != NULL && !http_server_set_web(s, new, &e))
			conf_error_in(r, str_of(now->files[0].path), "%s", e.msg);
		http_web_config_unref(new);
	}
	http_web_config_unref(now);
	return changed;
}

struct str http_server_address(const struct http_server *s, size_t i)
{
	assert(i < s->n_listeners);
	return str_of(s->listeners[i].bound);
}

/* Gives answers that are ready a moment to leave. */
static void wait_idle(struct http_server *s)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + STOP_WAIT_MS;

	while (s->active > 0 && wait_until(&s->idle, &s->lock, until_ms))
		continue;
}

void http_server_stop(struct http_server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].daemon != NULL)
			MHD_quiesce_daemon(s->listeners[i].daemon);
		shutdown(s->listeners[i].fd, SHUT_RDWR);        /* the daemon's thread may have it in hand yet */
	}
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	while (s->suspended != NULL) {
		struct request *r = s->suspended;

		reply_stopping(r);
		resume(r);
	}
	wait_idle(s);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].daemon != NULL)
			MHD_stop_daemon(s->listeners[i].daemon);
		close(s->listeners[i].fd);
	}
	s->n_listeners = 0;
}

void http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	assert(s->n_listeners == 0);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->idle);
	http_web_config_unref(s->web);
	http_streams_free(s->streams);
	free(s->listeners);
	free(s->hosts.v);
	http_routes_fini(&s->routes);
	free(s);
}

bool http_server_has(const struct http_server *s, struct str path)
{
	void *ctx;

	return http_routes_find(&s->routes, path, HTTP_GET, &ctx) != NULL;
}

void http_server_print_routes(const struct http_server *s, struct buf *out)
{
	http_routes_print(&s->routes, out);
}

struct http_stats http_server_stats(const struct http_server *s)
{
	struct http_stats st = { .requests = atomic_load(&s->n_requests), .rejected = atomic_load(&s->n_rejected) };

	for (size_t i = 0; i < s->n_listeners; i++)
		st.connections += MHD_get_daemon_info(s->listeners[i].daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
	return st;
}
