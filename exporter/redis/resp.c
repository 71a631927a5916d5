/* hiredis's reader builds a reply through callbacks; ours allocate in an arena and refuse what is over the limits. The reader
 * keeps bytes that are not parsed yet, so its buffer is bounded here too: by what came since the last whole reply. */
#include "redis/resp.h"

#include <assert.h>
#include <hiredis/read.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum { LINE_BYTES_MAX = 65536 };
#define MAX_DEPTH 6     /* arrays in arrays; hiredis itself ends at 7 */

struct resp {
	redisReader *reader;
	struct resp_limits limits;
	struct arena *arena;            /* of the reply under way */
	size_t unparsed_bytes;          /* fed since the last whole reply */
	size_t elements;                /* of the reply under way */
	const char *broken_limit;       /* name and value of the limit a callback refused for */
	size_t broken_limit_value;
};

static const enum resp_type type_of[] = {
	[REDIS_REPLY_STRING] = RESP_STRING, [REDIS_REPLY_ARRAY] = RESP_ARRAY, [REDIS_REPLY_INTEGER] = RESP_INTEGER,
	[REDIS_REPLY_STATUS] = RESP_STATUS, [REDIS_REPLY_ERROR] = RESP_ERROR,
};

static void *refuse(struct resp *r, const char *limit, size_t value)
{
	r->broken_limit = limit;
	r->broken_limit_value = value;
	return NULL;
}

static struct resp_reply *add_reply(const redisReadTask *task)
{
	struct resp *r = task->privdata;
	struct resp_reply *reply;

	if (++r->elements > r->limits.reply_elements)
		return refuse(r, "reply_elements", r->limits.reply_elements);
	reply = ARENA_NEW(r->arena, struct resp_reply);
	reply->type = type_of[task->type];
	if (task->parent != NULL) {
		struct resp_reply *parent = task->parent->obj;
		assert(task->idx >= 0 && (size_t)task->idx < parent->n_items);
		parent->items[task->idx] = reply;
	}
	return reply;
}

static void *make_text(const redisReadTask *task, char *p, size_t n)
{
	struct resp *r = task->privdata;
	struct resp_reply *reply = add_reply(task);

	if (reply != NULL)
		reply->text = arena_str(r->arena, (struct str){ p, n });
	return reply;
}

static void *make_array(const redisReadTask *task, int n)
{
	struct resp *r = task->privdata;
	struct resp_reply *reply = add_reply(task);
	int depth = 1;

	if (reply == NULL)
		return NULL;
	for (const redisReadTask *outer = task->parent; outer != NULL; outer = outer->parent)
		depth++;
	if (depth > MAX_DEPTH)
		return refuse(r, "reply_depth", MAX_DEPTH);
	assert(n >= 0);
	if ((size_t)n > r->limits.reply_elements - r->elements)
		return refuse(r, "reply_elements", r->limits.reply_elements);
	reply->items = ARENA_ARRAY(r->arena, (size_t)n, struct resp_reply *);
	reply->n_items = (size_t)n;
	return reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
	struct resp_reply *reply = add_reply(task);

	if (reply != NULL)
		reply->integer = value;
	return reply;
}

static void *make_nil(const redisReadTask *task)
{
	struct resp_reply *reply = add_reply(task);

	if (reply != NULL)
		reply->type = RESP_NIL;         /* the task's type is of what is missing: string or array */
	return reply;
}

static void leave_to_arena(void *reply)
{
	(void)reply;
}

struct resp *resp_new(struct resp_limits limits)
{
	static redisReplyObjectFunctions makers = { make_text, make_array, make_integer, make_nil, leave_to_arena };
	struct resp *r = mem_alloc(sizeof *r);

	r->limits = limits;
	r->reader = redisReaderCreateWithFunctions(&makers);
	if (r->reader == NULL)
		mem_abort(sizeof *r->reader);
	r->reader->privdata = r;
	return r;
}

void resp_free(struct resp *r)
{
	if (r == NULL)
		return;
	redisReaderFree(r->reader);
	free(r);
}

static bool fail_bytes(const struct resp *r, struct err *e, const char *what)
{
	return err_set(e, ERR_LIMIT, -1, "reply %s more than reply_bytes (%zu)", what, r->limits.reply_bytes);
}

/* What has come of a reply that is not whole. A bulk string's length comes first: refuse it before its bytes are collected. A line
 * is looked through from its beginning with each piece. */
static bool check_unfinished(const struct resp *r, struct err *e)
{
	const redisReader *reader = r->reader;
	size_t announced = 0;

	if (reader->ridx < 0)
		return true;
	if (reader->rstack[reader->ridx].type != REDIS_REPLY_STRING) {
		if (reader->len - reader->pos > LINE_BYTES_MAX)
			return err_set(e, ERR_LIMIT, -1, "reply has a line of more than line_bytes (%d)", LINE_BYTES_MAX);
		return true;
	}
	for (size_t i = reader->pos; i < reader->len && reader->buf[i] >= '0' && reader->buf[i] <= '9'; i++) {
		announced = announced * 10 + (size_t)(reader->buf[i] - '0');
		if (announced > r->limits.reply_bytes)
			return fail_bytes(r, e, "announces");
	}
	return true;
}

bool resp_feed(struct resp *r, const void *p, size_t n, struct err *e)
{
	if (r->unparsed_bytes > r->limits.reply_bytes)
		return fail_bytes(r, e, "is");
	r->unparsed_bytes += n;
	if (redisReaderFeed(r->reader, p, n) != REDIS_OK)
		return err_set(e, ERR_UPSTREAM, -1, "reply: %s", r->reader->errstr);
	return true;
}

static enum resp_status explain_failure(struct resp *r, struct err *e)
{
	if (r->broken_limit != NULL)
		err_set(e, ERR_LIMIT, -1, "reply has more than %s (%zu)", r->broken_limit, r->broken_limit_value);
	else
		err_set(e, ERR_UPSTREAM, -1, "not a Redis reply: %s", r->reader->errstr);
	return RESP_BROKEN;
}

enum resp_status resp_next(struct resp *r, struct arena *a, const struct resp_reply **out, struct err *e)
{
	void *reply = NULL;

	assert(r->reader->ridx < 0 || r->arena == a);
	r->arena = a;
	if (r->reader->ridx < 0)
		r->elements = 0;
	if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
		return explain_failure(r, e);
	if (reply == NULL)
		return check_unfinished(r, e) ? RESP_MORE : RESP_BROKEN;
	r->unparsed_bytes = r->reader->len - r->reader->pos;
	*out = reply;
	return RESP_DONE;
}
