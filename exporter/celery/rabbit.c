/* What the server sends is bounded twice: librabbitmq refuses frames over FRAME_MAX, and bodies are put together here, so that one
 * announced as huge is read past and not allocated. Calls are bounded by librabbitmq's timeouts, waiting for deliveries by ours. */
#include "celery/rabbit.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include "resolve.h"
#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define CHANNEL 1
#define FRAME_MAX 131072
#define CALL_MAX_MS 3000        /* librabbitmq does not see when we are told to stop */
#define SLICE_MS 4000           /* so that heartbeats are sent */
#define TICKET_MAX 64

void rabbit_init(struct rabbit *r, const struct celery_amqp *settings, size_t *used, int heartbeat_s)
{
	*r = (struct rabbit){ .settings = settings, .used = used, .heartbeat_s = heartbeat_s };
}

void rabbit_close(struct rabbit *r)
{
	if (r->state != NULL)
		amqp_destroy_connection(r->state);      /* no goodbye: it would wait for an answer */
	r->state = NULL;
}

void rabbit_fini(struct rabbit *r)
{
	rabbit_close(r);
	buf_fini(&r->body);
	buf_fini(&r->ticket);
}

bool rabbit_is_open(const struct rabbit *r)
{
	return r->state != NULL;
}

/* ---- What calls come to ---- */

static bool fail(struct rabbit *r, int status, const char *what, struct err *e)
{
	rabbit_close(r);
	return err_set(e, status == AMQP_STATUS_TIMEOUT ? ERR_TIMEOUT : ERR_UPSTREAM, -1, "%s: %s", what, amqp_error_string2(status));
}

static bool fail_text(struct rabbit *r, amqp_bytes_t text, const char *what, struct err *e)
{
	err_set(e, ERR_UPSTREAM, -1, "%s: %.*s", what, text.len > 200 ? 200 : (int)text.len, (const char *)text.bytes);
	rabbit_close(r);
	return false;
}

static bool check_status(struct rabbit *r, int status, const char *what, struct err *e)
{
	return status == AMQP_STATUS_OK || fail(r, status, what, e);
}

static bool open_channel(struct rabbit *r, struct err *e)
{
	r->channels++;
	if (amqp_channel_open(r->state, CHANNEL) != NULL)
		return true;
	return fail(r, amqp_get_rpc_reply(r->state).library_error, "channel", e);
}

/* The server ends a channel on which something was asked for that is not there: another one is opened in its place. */
static bool reopen_channel(struct rabbit *r, struct err *e)
{
	amqp_channel_close_ok_t ok = { 0 };

	return check_status(r, amqp_send_method(r->state, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok), "channel", e)
	    && open_channel(r, e);
}

/* <refused>: that what was asked for is not there (404), or another connection's alone (405), is no failure. */
static bool fail_exception(struct rabbit *r, const amqp_method_t *m, const char *what, int *refused, struct err *e)
{
	if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *close = m->decoded;
		if (refused == NULL || (close->reply_code != AMQP_NOT_FOUND && close->reply_code != AMQP_RESOURCE_LOCKED))
			return fail_text(r, close->reply_text, what, e);
		*refused = close->reply_code;
		return reopen_channel(r, e);
	}
	if (m->id == AMQP_CONNECTION_CLOSE_METHOD)
		return fail_text(r, ((const amqp_connection_close_t *)m->decoded)->reply_text, what, e);
	return fail(r, AMQP_STATUS_UNEXPECTED_STATE, what, e);
}

/* Of the last call. <refused> NULL: that is a failure too. */
static bool check_reply(struct rabbit *r, amqp_rpc_reply_t reply, const char *what, int *refused, struct err *e)
{
	bool ok = true;

	switch (reply.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		break;
	case AMQP_RESPONSE_NONE:
		ok = fail(r, AMQP_STATUS_UNEXPECTED_STATE, what, e);
		break;
	case AMQP_RESPONSE_LIBRARY_EXCEPTION:
		ok = fail(r, reply.library_error, what, e);
		break;
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		ok = fail_exception(r, &reply.reply, what, refused, e);
		break;
	}
	if (ok)
		amqp_maybe_release_buffers(r->state);
	return ok;
}

static bool check_call(struct rabbit *r, const char *what, int *refused, struct err *e)
{
	return check_reply(r, amqp_get_rpc_reply(r->state), what, refused, e);
}

/* ---- Opening ---- */

/* The certificate's name is checked here and not by librabbitmq, since we connect to an address. */
static void check_name(amqp_socket_t *socket, const struct redis_tls *tls, const char *host)
{
	SSL_CTX *ctx = amqp_ssl_socket_get_context(socket);
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	const char *name = tls->server_name != NULL ? tls->server_name : host;
	unsigned char address[16];

	if (tls->ca_file == NULL)
		SSL_CTX_set_default_verify_paths(ctx);
	amqp_ssl_socket_set_verify_hostname(socket, 0);
	amqp_ssl_socket_set_verify_peer(socket, !tls->no_verify);
	if (tls->no_verify || tls->no_name_check)
		return;
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else
		X509_VERIFY_PARAM_set1_host(param, name, 0);
}

static amqp_socket_t *make_socket(struct rabbit *r, const char *host, struct err *e)
{
	const struct redis_tls *tls = &r->settings->tls;
	amqp_socket_t *socket = tls->on ? amqp_ssl_socket_new(r->state) : amqp_tcp_socket_new(r->state);
	int status = AMQP_STATUS_OK;

	if (socket == NULL)
		mem_abort(sizeof *tls);
	if (!tls->on)
		return socket;
	check_name(socket, tls, host);
	if (tls->ca_file != NULL)
		status = amqp_ssl_socket_set_cacert(socket, tls->ca_file);
	if (status == AMQP_STATUS_OK && tls->cert_file != NULL)
		status = amqp_ssl_socket_set_key(socket, tls->cert_file, tls->key_file != NULL ? tls->key_file : tls->cert_file);
	if (status == AMQP_STATUS_OK)
		return socket;
	err_set(e, ERR_IO, -1, "ca_file, cert_file or key_file cannot be used");
	return NULL;
}

static struct timeval time_left(struct redis_wait wait)
{
	int64_t ms = wait.deadline_mono_ms - clock_mono_ms(&clock_system);

	ms = ms < 1 ? 1 : ms > CALL_MAX_MS ? CALL_MAX_MS : ms;
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static bool connect_address(struct rabbit *r, const struct amqp_url *u, const char *address, struct redis_wait wait, struct err *e)
{
	struct timeval left = time_left(wait);
	amqp_socket_t *socket;
	int status;

	rabbit_close(r);
	r->state = amqp_new_connection();
	if (r->state == NULL)
		mem_abort(1);
	socket = make_socket(r, u->host, e);
	if (socket == NULL) {
		rabbit_close(r);
		return false;
	}
	status = amqp_socket_open_noblock(socket, address, u->port, &left);
	if (status != AMQP_STATUS_SOCKET_ERROR)
		return check_status(r, status, "connect", e);
	rabbit_close(r);                        /* which error it was librabbitmq does not tell */
	return err_set(e, ERR_UPSTREAM, -1, "connect: refused or not reachable");
}

static bool log_in(struct rabbit *r, const struct amqp_url *u, struct redis_wait wait, struct err *e)
{
	amqp_table_entry_t name = { .key = amqp_cstring_bytes("connection_name"), .value = { .kind = AMQP_FIELD_KIND_UTF8 } };
	const amqp_table_t properties = { 1, &name };
	const struct timeval left = time_left(wait);

	name.value.value.bytes = amqp_cstring_bytes("tocsin_exporter");
	amqp_set_handshake_timeout(r->state, &left);
	amqp_set_rpc_timeout(r->state, &(struct timeval){ .tv_sec = CALL_MAX_MS / 1000 });
	return check_reply(r, amqp_login_with_properties(r->state, u->vhost, 0, FRAME_MAX, r->heartbeat_s, &properties,
	                                                 AMQP_SASL_METHOD_PLAIN, u->user, u->password), "login", NULL, e)
	    && open_channel(r, e);
}

static bool open_url(struct rabbit *r, const struct amqp_url *u, struct redis_wait wait, struct err *e)
{
	struct resolved found;
	bool ok = false;

	if (!resolve_host(u->host, wait.deadline_mono_ms, wait.stop_fd, &found, e))
		return false;
	for (size_t i = 0; i < found.n && !ok; i++) {
		*e = (struct err){ 0 };
		ok = connect_address(r, u, found.address[i], wait, e);
	}
	return (ok && log_in(r, u, wait, e)) || err_context(e, "%s:%d", u->host, u->port);
}

bool rabbit_open(struct rabbit *r, struct redis_wait wait, struct err *e)
{
	size_t at = __atomic_load_n(r->used, __ATOMIC_RELAXED);

	if (r->state != NULL || open_url(r, &r->settings->urls[at], wait, e))
		return true;
	__atomic_compare_exchange_n(r->used, &at, (at + 1) % r->settings->n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return false;
}

/* ---- Calls ---- */

bool rabbit_has_exchange(struct rabbit *r, const char *name, bool *there, struct err *e)
{
	int refused = 0;

	amqp_exchange_declare(r->state, CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes("direct"), 1, 0, 0, 0, amqp_empty_table);
	if (!check_call(r, name, &refused, e))
		return false;
	*there = refused != AMQP_NOT_FOUND;
	return true;
}

bool rabbit_has_queue(struct rabbit *r, const char *name, bool *there, uint32_t *ready, uint32_t *consumers, struct err *e)
{
	int refused = 0;
	const amqp_queue_declare_ok_t *ok = amqp_queue_declare(r->state, CHANNEL, amqp_cstring_bytes(name), 1, 0, 0, 0,
	    amqp_empty_table);

	*ready = ok != NULL ? ok->message_count : 0;
	*consumers = ok != NULL ? ok->consumer_count : 0;
	if (!check_call(r, name, &refused, e))
		return false;
	*there = refused != AMQP_NOT_FOUND;
	if (refused == AMQP_RESOURCE_LOCKED)
		*consumers = 1;         /* who has it to itself does so to consume it */
	return true;
}

bool rabbit_make_exchange(struct rabbit *r, const char *name, const char *type, bool durable, struct err *e)
{
	bool there = false;

	if (!rabbit_has_exchange(r, name, &there, e))
		return false;
	if (there)
		return true;
	amqp_exchange_declare(r->state, CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0, durable, 0, 0,
	    amqp_empty_table);
	return check_call(r, name, NULL, e);
}

bool rabbit_consume(struct rabbit *r, const struct rabbit_mailbox *m, struct err *e)
{
	const amqp_bytes_t queue = amqp_cstring_bytes(m->queue);
	amqp_table_entry_t limits[] = {
		{ amqp_cstring_bytes("x-message-ttl"), { .kind = AMQP_FIELD_KIND_I32, .value.i32 = m->ttl_ms } },
		{ amqp_cstring_bytes("x-max-length"), { .kind = AMQP_FIELD_KIND_I32, .value.i32 = m->max_length } },
		{ amqp_cstring_bytes("x-max-length-bytes"), { .kind = AMQP_FIELD_KIND_I32, .value.i32 = m->max_bytes } },
	};

	amqp_queue_declare(r->state, CHANNEL, queue, 0, 0, 1, 1, (amqp_table_t){ ARRAY_LEN(limits), limits });
	if (!check_call(r, "declaring our queue", NULL, e))
		return false;
	amqp_queue_bind(r->state, CHANNEL, queue, amqp_cstring_bytes(m->exchange), amqp_cstring_bytes(m->routing_key),
	    amqp_empty_table);
	if (!check_call(r, "binding our queue", NULL, e))
		return false;
	amqp_basic_consume(r->state, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1, amqp_empty_table);
	return check_call(r, "consuming our queue", NULL, e);
}

/* The clock is 0: workers take the greatest they see, and ours must not push theirs. */
bool rabbit_publish(struct rabbit *r, const char *exchange, struct str json, int64_t expires_ms, struct err *e)
{
	union { const char *in; void *out; } bytes = { .in = json.p };
	amqp_table_entry_t headers[] = {
		{ amqp_cstring_bytes("clock"), { .kind = AMQP_FIELD_KIND_I32, .value.i32 = 0 } },
		{ amqp_cstring_bytes("expires"), { .kind = AMQP_FIELD_KIND_F64, .value.f64 = (double)expires_ms * 1e-3 } },
	};
	const amqp_basic_properties_t properties = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG
		        | AMQP_BASIC_HEADERS_FLAG,
		.content_type = amqp_cstring_bytes("application/json"), .content_encoding = amqp_cstring_bytes("utf-8"),
		.delivery_mode = AMQP_DELIVERY_NONPERSISTENT, .headers = { ARRAY_LEN(headers), headers },
	};

	return check_status(r, amqp_basic_publish(r->state, CHANNEL, amqp_cstring_bytes(exchange), amqp_empty_bytes, 0, 0, &properties,
	                                          (amqp_bytes_t){ json.n, bytes.out }), "publish", e);
}

/* ---- Deliveries ---- */

static bool wait_readable(struct rabbit *r, struct redis_wait wait, struct err *e)
{
	struct pollfd fds[] = { { .fd = amqp_get_sockfd(r->state), .events = POLLIN }, { .fd = wait.stop_fd, .events = POLLIN } };
	const int64_t left_ms = wait.deadline_mono_ms - clock_mono_ms(&clock_system);

	if (left_ms <= 0)
		return err_set(e, ERR_TIMEOUT, -1, "nothing came");
	poll(fds, wait.stop_fd >= 0 ? 2 : 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
	return (fds[1].revents & POLLIN) == 0 || err_set(e, ERR_CANCELED, -1, "stopped");
}

static bool next_frame(struct rabbit *r, struct redis_wait wait, amqp_frame_t *frame, struct err *e)
{
	for (;;) {
		const struct timeval now = { 0 };
		const int status = amqp_simple_wait_frame_noblock(r->state, frame, &now);

		if (status == AMQP_STATUS_OK)
			return true;
		if (status != AMQP_STATUS_TIMEOUT)
			return fail(r, status, "reading", e);
		if (!wait_readable(r, wait, e))
			return false;
	}
}

static bool is_text(amqp_bytes_t bytes, const char *text)
{
	return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static void take_properties(struct rabbit *r, const amqp_basic_properties_t *p, struct rabbit_delivery *out)
{
	const bool has_headers = (p->_flags & AMQP_BASIC_HEADERS_FLAG) != 0;

	out->json = (p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) != 0 && is_text(p->content_type, "application/json");
	buf_reset(&r->ticket);
	for (int i = 0; has_headers && i < p->headers.num_entries; i++) {
		const amqp_table_entry_t *h = &p->headers.entries[i];
		const bool is_string = h->value.kind == AMQP_FIELD_KIND_UTF8 || h->value.kind == AMQP_FIELD_KIND_BYTES;
		if (is_text(h->key, "compression"))
			out->json = false;
		if (is_text(h->key, "ticket") && is_string && h->value.value.bytes.len <= TICKET_MAX)
			buf_put(&r->ticket, h->value.value.bytes.bytes, h->value.value.bytes.len);
	}
	out->ticket = buf_str(&r->ticket);
}

/* Behind a delivery: one header frame, then the body in as many as it takes. */
static bool read_content(struct rabbit *r, size_t limit, struct redis_wait wait, struct rabbit_delivery *out, struct err *e)
{
	amqp_frame_t frame;
	uint64_t left;

	*out = (struct rabbit_delivery){ .body = STR("") };
	if (!next_frame(r, wait, &frame, e))
		return false;
	if (frame.frame_type != AMQP_FRAME_HEADER)
		return fail(r, AMQP_STATUS_UNEXPECTED_STATE, "delivery without a header", e);
	left = frame.payload.properties.body_size;
	out->too_big = left > limit;
	take_properties(r, frame.payload.properties.decoded, out);
	buf_reset(&r->body);
	while (left > 0) {
		if (!next_frame(r, wait, &frame, e))
			return false;
		const amqp_bytes_t part = frame.payload.body_fragment;
		if (frame.frame_type != AMQP_FRAME_BODY || part.len > left)
			return fail(r, AMQP_STATUS_UNEXPECTED_STATE, "delivery without its body", e);
		left -= part.len;
		if (!out->too_big)
			buf_put(&r->body, part.bytes, part.len);
		else
			amqp_maybe_release_buffers(r->state);
	}
	if (!out->too_big)
		out->body = buf_str(&r->body);
	return true;
}

/* Half a delivery cannot be gone on with later. */
static bool read_delivery(struct rabbit *r, size_t limit, struct redis_wait wait, struct rabbit_delivery *out, struct err *e)
{
	if (read_content(r, limit, wait, out, e))
		return true;
	rabbit_close(r);
	if (e->code == ERR_TIMEOUT)
		*e = (struct err){ .code = ERR_UPSTREAM, .pos = -1, .msg = "half a delivery came" };
	return false;
}

bool rabbit_next(struct rabbit *r, size_t limit, struct redis_wait wait, struct rabbit_delivery *out, struct err *e)
{
	amqp_frame_t frame;

	if (r->state == NULL)
		return err_set(e, ERR_UPSTREAM, -1, "not connected");
	for (;;) {
		amqp_maybe_release_buffers(r->state);
		if (!next_frame(r, wait, &frame, e))
			return false;
		if (frame.frame_type != AMQP_FRAME_METHOD)
			continue;
		if (frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD)
			return read_delivery(r, limit, wait, out, e);
		if (frame.payload.method.id == AMQP_BASIC_CANCEL_METHOD)
			return fail_text(r, amqp_cstring_bytes("the server ended it"), "our queue", e);
		if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD || frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
			return fail_exception(r, &frame.payload.method, "reading", NULL, e);
	}
}
