/* Whatever the text: it is refused with a place in it, or taken, and then its canonical text is taken too and stays as it is,
 * on several lines as well. The first byte chooses the features. */
#include <assert.h>

#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void refused(struct str text, const struct err *e)
{
	struct buf b = { 0 };

	assert(e->code == ERR_SYNTAX || e->code == ERR_LIMIT);
	assert(e->msg[0] != '\0' && e->pos >= 0 && (size_t)e->pos <= text.n);
	promql_error_show(&b, text, e);
	assert(b.n > 0);
	buf_fini(&b);
}

static void stays(const struct promql_query *q, struct str text, const struct promql_options *o)
{
	struct err e = { 0 };
	struct promql_query *again = promql_query_new(text, o, &e);

	assert(again != NULL);
	assert(str_eq(promql_query_text(q), promql_query_text(again)));
	assert(promql_query_type(q) == promql_query_type(again));
	promql_query_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct promql_options o = { .features = n > 0 && data[0] == '~' ? PROMQL_DURATION_EXPRESSIONS : PROMQL_ALL_FEATURES };
	struct str text = { (const char *)data, n };
	struct err e = { 0 };
	struct promql_query *q;
	struct buf lines = { 0 };
	const struct promql_selector *selectors;

	if (n > 0 && data[0] == '~')
		text = (struct str){ text.p + 1, n - 1 };
	q = promql_query_new(text, &o, &e);
	if (q == NULL) {
		refused(text, &e);
		return 0;
	}
	assert(e.code == ERR_NONE);
	promql_query_selectors(q, &selectors);
	stays(q, promql_query_text(q), &o);
	promql_query_lines(q, &lines);
	stays(q, buf_str(&lines), &o);
	buf_fini(&lines);
	promql_query_free(q);
	return 0;
}
