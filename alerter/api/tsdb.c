/* /api/v1/status/tsdb: what makes the store large, as Prometheus tells it: series by metric, values by label. */
#include "internal.h"

#include <stdlib.h>

#include "tocsin/mem.h"

enum { TOP_ROWS = 10, TOP_ROWS_MAX = 1000 };

struct row {
	char *text;
	size_t n_text, value;
};

/* The largest so far, the largest first. */
struct top {
	struct row v[TOP_ROWS_MAX];
	size_t n, limit;
};

struct summary {
	struct top metrics, names, memory, pairs;
	size_t n_pairs;
	struct buf text; /* name of the pairs at hand */
	struct buf pair;
	size_t n_values, value_bytes; /* of that name */
};

static struct str text_of(const struct row *r)
{
	return (struct str){ r->text, r->n_text };
}

static bool comes_before(struct str text, size_t value, const struct row *r)
{
	return value != r->value ? value > r->value : str_cmp(text, text_of(r)) < 0;
}

static void top_add(struct top *t, struct str text, size_t value)
{
	size_t at = t->n;

	if (value == 0 || t->limit == 0 || (t->n == t->limit && !comes_before(text, value, &t->v[t->n - 1])))
		return;
	if (t->n == t->limit)
		free(t->v[--at].text);
	else
		t->n++;
	for (; at > 0 && comes_before(text, value, &t->v[at - 1]); at--)
		t->v[at] = t->v[at - 1];
	t->v[at] = (struct row){ mem_strndup(text.p, text.n), text.n, value };
}

static void end_name(struct summary *s)
{
	top_add(&s->names, buf_str(&s->text), s->n_values);
	top_add(&s->memory, buf_str(&s->text), s->value_bytes);
	s->n_values = s->value_bytes = 0;
}

static void take_pair(void *ctx, struct str name, struct str value, size_t n)
{
	struct summary *s = ctx;

	if (!str_eq(name, buf_str(&s->text))) {
		end_name(s);
		buf_reset(&s->text);
		buf_puts(&s->text, name);
	}
	s->n_pairs++;
	s->n_values++;
	s->value_bytes += value.n;
	if (str_eq(name, STR(LABEL_NAME)))
		top_add(&s->metrics, value, n);
	buf_reset(&s->pair);
	buf_puts(&s->pair, name);
	buf_putc(&s->pair, '=');
	buf_puts(&s->pair, value);
	top_add(&s->pairs, buf_str(&s->pair), n);
}

static void put_top(struct json_out *j, const char *key, struct top *t)
{
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < t->n; i++) {
		json_out_open(j, '{');
		json_out_key(j, "name");
		json_out_str(j, text_of(&t->v[i]));
		json_out_key(j, "value");
		json_out_int(j, (int64_t)t->v[i].value);
		json_out_close(j, '}');
		free(t->v[i].text);
	}
	json_out_close(j, ']');
}

static void put_head(struct json_out *j, const struct store_stats *st, size_t n_pairs, int64_t newest_ms)
{
	json_out_key(j, "headStats");
	json_out_open(j, '{');
	json_out_key(j, "numSeries");
	json_out_int(j, (int64_t)st->series);
	json_out_key(j, "numLabelPairs");
	json_out_int(j, (int64_t)n_pairs);
	json_out_key(j, "chunkCount");
	json_out_int(j, (int64_t)st->chunks);
	json_out_key(j, "minTime");
	json_out_int(j, st->oldest_ms);
	json_out_key(j, "maxTime");
	json_out_int(j, newest_ms);
	json_out_close(j, '}');
}

/* Series that only blocks know are counted too while they cost memory here: until they are at rest. */
void api_tsdb(struct http_request *q)
{
	struct api *api = q->ctx;
	struct store_stats stats;
	struct err e = { 0 };
	struct summary *s;
	struct json_out j;
	struct buf b = { 0 };
	int64_t newest_ms;
	size_t limit;

	if (!param_size(q, "limit", TOP_ROWS, &limit))
		return;
	if (limit == 0 || limit > TOP_ROWS_MAX) {
		err_set(&e, ERR_BAD_INPUT, -1, "invalid parameter \"limit\": write 1 to %d", TOP_ROWS_MAX);
		envelope_error(q, &e);
		return;
	}
	s = mem_alloc(sizeof *s);
	s->metrics.limit = s->names.limit = s->memory.limit = s->pairs.limit = limit;
	stats = store_stats(api->deps.store);
	newest_ms = store_each_pair(api->deps.store, take_pair, s);
	end_name(s);
	envelope_open(&j, &b);
	json_out_open(&j, '{');
	put_head(&j, &stats, s->n_pairs, newest_ms);
	put_top(&j, "seriesCountByMetricName", &s->metrics);
	put_top(&j, "labelValueCountByLabelName", &s->names);
	put_top(&j, "memoryInBytesByLabelName", &s->memory);
	put_top(&j, "seriesCountByLabelValuePair", &s->pairs);
	json_out_close(&j, '}');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&s->text);
	buf_fini(&s->pair);
	free(s);
	buf_fini(&b);
}
