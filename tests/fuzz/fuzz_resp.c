/* Replies of Redis in portions: the first byte says how long they are. Nothing may crash, and no reply may be over the limits. */
#include <assert.h>

#include "redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t count(const struct resp_reply *r)
{
	size_t sum = 1;

	for (size_t i = 0; i < r->n_items; i++)
		sum += count(r->items[i]);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct resp_limits limits = { .reply_bytes = 4096, .reply_elements = 64 };
	struct resp *r = resp_new(limits);
	struct arena a = { 0 };
	struct err e = { 0 };
	enum resp_status status = RESP_MORE;
	const size_t portion = n > 0 ? 1u + data[0] : 1;

	for (size_t at = 1; at < n && status != RESP_BROKEN; at += portion) {
		const struct resp_reply *reply;

		if (!resp_feed(r, data + at, n - at < portion ? n - at : portion, &e))
			break;
		while ((status = resp_next(r, &a, &reply, &e)) == RESP_DONE)
			assert(count(reply) <= limits.reply_elements);
	}
	resp_free(r);
	arena_fini(&a);
	return 0;
}
