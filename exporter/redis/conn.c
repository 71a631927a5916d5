/* RESP over a stream. Commands wait in <out> until a reply is asked for; <unanswered> counts those whose reply was not read, so
 * that a connection left in the middle of a pipeline is never mistaken for a fresh one. */
#include "redis/conn.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/buf.h"
#include "tocsin/clock.h"
#include "tocsin/conf.h"
#include "tocsin/mem.h"

#define MAX_WORDS 64            /* of one command */
#define READ_BYTES 65536
#define REFUSED_MAX 16

struct redis_conn {
	const struct redis_url *url;
	struct redis_conn_options options;
	struct stream *stream;          /* NULL: closed */
	struct resp *resp;              /* lives and dies with <stream> */
	struct buf out;
	size_t pushed;                  /* bytes of <out> that are sent */
	size_t unanswered;
	int64_t opened_mono_ms, connect_us;
	bool was_kept;
	bool answered, was_cut;         /* since it was opened, or kept */
	/* Databases whose SELECT was refused; those of replies still under way count from the next batch. */
	int refused[REFUSED_MAX];
	size_t n_refused, n_noted;
	char in[READ_BYTES];
};

struct redis_conn *redis_conn_new(const struct redis_url *url, struct redis_conn_options options)
{
	struct redis_conn *c = mem_alloc(sizeof *c);

	c->url = url;
	c->options = options;
	return c;
}

void redis_conn_close(struct redis_conn *c)
{
	stream_close(c->stream);
	resp_free(c->resp);
	c->stream = NULL;
	c->resp = NULL;
	c->unanswered = c->pushed = c->n_refused = c->n_noted = 0;
	buf_reset(&c->out);
}

void redis_conn_free(struct redis_conn *c)
{
	if (c == NULL)
		return;
	redis_conn_close(c);
	buf_fini(&c->out);
	free(c);
}

bool redis_conn_is_open(const struct redis_conn *c)
{
	return c->stream != NULL;
}

int redis_conn_fd(const struct redis_conn *c)
{
	return c->stream != NULL ? stream_fd(c->stream) : -1;
}

bool redis_conn_was_kept(const struct redis_conn *c)
{
	return c->was_kept;
}

bool redis_conn_was_cut(const struct redis_conn *c)
{
	return c->was_cut;
}

int64_t redis_conn_connect_us(const struct redis_conn *c)
{
	return c->connect_us;
}

/* What was sent is read as it was sent: what one learns meanwhile counts when nothing is under way any more. */
static void begin_batch(struct redis_conn *c)
{
	if (c->unanswered == 0)
		c->n_refused = c->n_noted;
}

void redis_conn_send(struct redis_conn *c, const struct str *argv, size_t n)
{
	const char *words[MAX_WORDS];
	size_t lengths[MAX_WORDS];
	char *command = NULL;
	int length;

	assert(n > 0 && n <= MAX_WORDS);
	if (c->stream == NULL)
		return;
	begin_batch(c);
	for (size_t i = 0; i < n; i++) {
		words[i] = argv[i].n != 0 ? argv[i].p : "";
		lengths[i] = argv[i].n;
	}
	length = (int)redisFormatCommandArgv(&command, (int)n, words, lengths);
	if (length < 0)
		mem_abort(READ_BYTES);
	buf_put(&c->out, command, (size_t)length);
	redisFreeCommand(command);
	c->unanswered++;
}

void redis_conn_note_refused(struct redis_conn *c, int db)
{
	for (size_t i = 0; i < c->n_noted; i++)
		if (c->refused[i] == db)
			return;
	if (c->n_noted < REFUSED_MAX)
		c->refused[c->n_noted++] = db;
}

bool redis_conn_refuses(struct redis_conn *c, int db)
{
	begin_batch(c);
	for (size_t i = 0; i < c->n_refused; i++)
		if (c->refused[i] == db)
			return true;
	return false;
}

void redis_conn_sendz(struct redis_conn *c, const char *word, ...)
{
	struct str argv[MAX_WORDS];
	size_t n = 0;
	va_list ap;

	va_start(ap, word);
	for (; word != NULL; word = va_arg(ap, const char *)) {
		assert(n < MAX_WORDS);
		argv[n++] = str_of(word);
	}
	va_end(ap);
	redis_conn_send(c, argv, n);
}

static bool flush(struct redis_conn *c, struct redis_wait wait, struct err *e)
{
	if (!stream_write(c->stream, c->out.p + c->pushed, c->out.n - c->pushed, wait, e))
		return false;
	buf_reset(&c->out);
	c->pushed = 0;
	return true;
}

void redis_conn_push(struct redis_conn *c)
{
	if (c->stream != NULL && c->pushed < c->out.n)
		c->pushed += stream_write_now(c->stream, c->out.p + c->pushed, c->out.n - c->pushed);
}

static bool read_reply(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **out, struct err *e)
{
	for (;;) {
		size_t n;

		switch (resp_next(c->resp, a, out, e)) {
		case RESP_DONE:
			return true;
		case RESP_BROKEN:
			return false;
		case RESP_MORE:
			break;
		}
		if (!stream_read(c->stream, c->in, sizeof c->in, &n, wait, e) || !resp_feed(c->resp, c->in, n, e))
			return false;
	}
}

bool redis_conn_reply(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **out, struct err *e)
{
	if (c->stream == NULL)
		return err_set(e, ERR_UPSTREAM, -1, "not connected");
	assert(c->unanswered > 0);
	if (!flush(c, wait, e) || !read_reply(c, a, wait, out, e)) {
		c->was_cut = c->was_kept && !c->answered && e->code == ERR_UPSTREAM;
		redis_conn_close(c);
		return false;
	}
	c->answered = true;
	c->unanswered--;
	return true;
}

bool redis_conn_message(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **out, struct err *e)
{
	struct err own = { 0 };

	if (c->stream == NULL)
		return err_set(e, ERR_UPSTREAM, -1, "not connected");
	if (flush(c, wait, &own) && read_reply(c, a, wait, out, &own))
		return true;
	if (own.code != ERR_TIMEOUT || c->out.n != 0)
		redis_conn_close(c);
	return err_set(e, own.code, -1, "%s", own.msg);
}

/* ---- Opening ---- */

/* A password may have been changed since the configuration was read: a file is read again. */
static bool send_auth(struct redis_conn *c, struct err *e)
{
	const struct redis_url *u = c->url;
	struct str password = str_of(u->password);
	struct buf file = { 0 };
	const bool ok = u->password_file == NULL || conf_secret_read(u->password_file, &file, e);

	if (u->password_file != NULL)
		password = buf_str(&file);
	if (ok && u->user != NULL)
		redis_conn_send(c, (struct str[]){ STR("AUTH"), str_of(u->user), password }, 3);
	else if (ok)
		redis_conn_send(c, (struct str[]){ STR("AUTH"), password }, 2);
	conf_secret_wipe(&file);
	return ok;
}

static void send_greeting(struct redis_conn *c, char db[16])
{
	redis_conn_sendz(c, "CLIENT", "SETNAME", c->options.client_name, NULL);
	snprintf(db, 16, "%d", c->url->db);
	if (c->url->db != 0)
		redis_conn_sendz(c, "SELECT", db, NULL);
}

static bool expect_ok(struct redis_conn *c, struct arena *a, struct redis_wait wait, const char *what, struct err *e)
{
	const struct resp_reply *reply;

	if (!redis_conn_reply(c, a, wait, &reply, e))
		return err_context(e, "%s", what);
	if (reply->type != RESP_ERROR)
		return true;
	return err_set(e, ERR_UPSTREAM, -1, "%s: " STR_FMT, what, STR_ARG(reply->text));
}

/* A name that may not be set (old servers, ACL rules) is no reason to stay away; a server that is full says so to whatever comes
 * first. */
static bool greet(struct redis_conn *c, struct redis_wait wait, struct err *e)
{
	const bool with_auth = c->url->password != NULL;
	struct arena a = { 0 };
	const struct resp_reply *name;
	char db[16];
	bool ok = !with_auth || send_auth(c, e);

	if (ok) {
		send_greeting(c, db);
		ok = (!with_auth || expect_ok(c, &a, wait, "AUTH", e)) && redis_conn_reply(c, &a, wait, &name, e)
		  && (!str_starts(name->text, STR("ERR max number of clients")) || err_set(e, ERR_UPSTREAM, -1, STR_FMT,
		      STR_ARG(name->text)))
		  && (c->url->db == 0 || expect_ok(c, &a, wait, "SELECT", e));
	}
	arena_fini(&a);
	return ok;
}

static bool is_good(const struct redis_conn *c)
{
	const int64_t age_ms = clock_mono_ms(&clock_system) - c->opened_mono_ms;

	return c->stream != NULL && c->unanswered == 0 && (c->options.max_age_ms == 0 || age_ms < c->options.max_age_ms)
	    && !stream_has_input(c->stream);
}

bool redis_conn_keep(struct redis_conn *c)
{
	c->was_kept = is_good(c);
	c->answered = c->was_cut = false;
	return c->was_kept;
}

bool redis_conn_open(struct redis_conn *c, struct redis_wait wait, struct err *e)
{
	const int64_t start_us = clock_mono_us();

	if (redis_conn_keep(c))
		return true;
	redis_conn_close(c);
	c->stream = stream_open(c->url, wait, e);
	if (c->stream == NULL)
		return false;
	c->resp = resp_new(c->options.limits);
	if (!greet(c, wait, e)) {
		redis_conn_close(c);
		return false;
	}
	c->opened_mono_ms = clock_mono_ms(&clock_system);
	c->connect_us = clock_mono_us() - start_us;
	return true;
}

bool redis_reply_is_error(const struct resp_reply *reply, const char *code)
{
	const struct str word = str_of(code);

	return reply->type == RESP_ERROR && str_starts(reply->text, word) && (reply->text.n == word.n || reply->text.p[word.n] == ' ');
}
