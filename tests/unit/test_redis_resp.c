/* Replies of Redis: what is read, in any portions, and what is refused by the limit's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redis/resp.h"
#include "tocsin/buf.h"

static const struct resp_limits small = { .reply_bytes = 64, .reply_elements = 8 };

static const struct reply_case {
	const char *name, *bytes, *shown;       /* <shown>: all replies, or "!" and the error */
} cases[] = {
	{ "status", "+OK\r\n", "+OK " },
	{ "error", "-ERR no\r\n", "-ERR no " },
	{ "integer", ":-42\r\n", ":-42 " },
	{ "string", "$3\r\na\nb\r\n", "\"a\nb\" " },
	{ "empty string", "$0\r\n\r\n", "\"\" " },
	{ "nil string", "$-1\r\n", "nil " },
	{ "nil array", "*-1\r\n", "nil " },
	{ "empty array", "*0\r\n", "[] " },
	{ "nested", "*2\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n", "[:1 [\"a\" +b ] ] " },
	{ "pipeline", "+OK\r\n:1\r\n", "+OK :1 " },
	{ "half a reply", "$5\r\nab", "" },
	{ "garbage", "HTTP/1.1 400\r\n", "!not a Redis reply: Protocol error, got \"H\" as reply type byte" },
	{ "string of 1 GB", "$1000000000\r\n", "!reply announces more than reply_bytes (64)" },
	{ "string of 1 GB, length in pieces", "*2\r\n:1\r\n$1000000000", "!reply announces more than reply_bytes (64)" },
	{ "two billion elements", "*2000000000\r\n", "!reply has more than reply_elements (8)" },
	{ "too many elements in all", "*4\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n*4\r\n", "!reply has more than reply_elements (8)" },
	{ "too deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "!reply has more than reply_depth (6)" },
};

static void show(struct buf *b, const struct resp_reply *r)
{
	switch (r->type) {
	case RESP_STRING: buf_printf(b, "\"" STR_FMT "\" ", STR_ARG(r->text)); return;
	case RESP_STATUS: buf_printf(b, "+" STR_FMT " ", STR_ARG(r->text)); return;
	case RESP_ERROR: buf_printf(b, "-" STR_FMT " ", STR_ARG(r->text)); return;
	case RESP_INTEGER: buf_printf(b, ":%lld ", (long long)r->integer); return;
	case RESP_NIL: buf_putz(b, "nil "); return;
	case RESP_ARRAY: break;
	}
	buf_putc(b, '[');
	for (size_t i = 0; i < r->n_items; i++)
		show(b, r->items[i]);
	buf_putz(b, "] ");
}

/* Feeds <bytes> in portions of <portion> and shows what came out. */
static void read_all(struct buf *out, struct str bytes, size_t portion)
{
	struct resp *r = resp_new(small);
	struct arena a = { 0 };
	struct err e = { 0 };
	const struct resp_reply *reply;
	enum resp_status status = RESP_MORE;

	for (size_t at = 0; at < bytes.n && status != RESP_BROKEN; at += portion) {
		const size_t n = bytes.n - at < portion ? bytes.n - at : portion;
		if (!resp_feed(r, bytes.p + at, n, &e))
			break;
		while ((status = resp_next(r, &a, &reply, &e)) == RESP_DONE)
			show(out, reply);
	}
	if (e.code != ERR_NONE) {
		buf_reset(out);
		buf_printf(out, "!%s", e.msg);
	}
	resp_free(r);
	arena_fini(&a);
}

static void replies(void **state)
{
	static const size_t portions[] = { 1, 3, 1000 };
	struct buf out = { 0 };

	(void)state;
	for (const struct reply_case *c = cases; c < cases + ARRAY_LEN(cases); c++) {
		for (size_t i = 0; i < ARRAY_LEN(portions); i++) {
			buf_reset(&out);
			read_all(&out, str_of(c->bytes), portions[i]);
			if (!str_eq(buf_str(&out), str_of(c->shown)))
				fail_msg("%s, portions of %zu: got '%s', expected '%s'", c->name, portions[i], buf_z(&out), c->shown);
		}
	}
	buf_fini(&out);
}

static void endless_line_is_refused(void **state)
{
	struct resp *r = resp_new(small);
	struct arena a = { 0 };
	struct err e = { 0 };
	const struct resp_reply *reply;
	int fed = 0;

	(void)state;
	while (resp_feed(r, "+aaaaaaaaaaaaaaa", 16, &e) && fed++ < 100)
		assert_int_equal(resp_next(r, &a, &reply, &e), RESP_MORE);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.msg, "reply is more than reply_bytes (64)");
	assert_true(fed <= 6);
	resp_free(r);
	arena_fini(&a);
}

/* Each piece would be looked through from the line's beginning again: 32 MB of it cost half a minute. */
static void a_long_line_is_refused_early(void **state)
{
	struct resp *r = resp_new(RESP_LIMITS_DEFAULT);
	struct arena a = { 0 };
	const struct resp_reply *reply;
	struct err e = { 0 };
	char piece[16384];
	size_t fed = 0;

	(void)state;
	memset(piece, 'x', sizeof piece);
	piece[0] = '+';
	while (resp_feed(r, piece, sizeof piece, &e) && resp_next(r, &a, &reply, &e) == RESP_MORE) {
		fed += sizeof piece;
		piece[0] = 'x';
	}
	assert_string_equal(e.msg, "reply has a line of more than line_bytes (65536)");
	assert_true(fed <= 65536);
	resp_free(r);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(replies), cmocka_unit_test(endless_line_is_refused), cmocka_unit_test(a_long_line_is_refused_early) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
