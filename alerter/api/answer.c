/* What a query found as JSON. The first ANSWER_FIRST bytes are made at once and are mostly all; a longer answer is made piece by
 * piece as its client reads, from a copy of the samples, which is far smaller. Invariant: <bytes> is the sum of the copies under
 * way and never over ANSWERS_BYTES. */
#include "internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum {
	ANSWER_FIRST = 256 << 10,
	ANSWER_PIECE = 64 << 10,
	SAMPLE_BYTES = 192,             /* about what one takes, and what is around all */
	ANSWERS_BYTES = 256 << 20,
	ANSWER_DEADLINE_MS = 300000,
};

struct answers {
	pthread_mutex_t lock;
	size_t bytes;
};

/* How far an answer is. */
struct place {
	bool begun, ended;
	size_t item;                    /* sample of a vector, series of a matrix */
	enum part { PART_NEXT, PART_FLOATS, PART_HISTOGRAMS } part;
	bool any;                       /* of this part's points */
	size_t point;
	bool comma;
};

struct answer {
	struct answers *all;
	struct arena arena;
	size_t bytes;
	struct buf first;               /* made already, not given out */
	const struct promql_result *r;
	struct place at;
};

static void put_point(struct json_out *j, int64_t t_ms, double v)
{
	json_out_open(j, '[');
	json_out_seconds(j, t_ms);
	json_out_num_text(j, v);
	json_out_close(j, ']');
}

static void put_histogram_point(struct json_out *j, int64_t t_ms, const struct histogram *h)
{
	json_out_open(j, '[');
	json_out_seconds(j, t_ms);
	buf_putc(j->to, ',');
	promql_histogram_json(j->to, h);
	j->comma = true;
	json_out_close(j, ']');
}

static void put_sample(struct json_out *j, const struct promql_sample *s)
{
	json_out_open(j, '{');
	json_out_key(j, "metric");
	json_out_labels(j, s->labels);
	json_out_key(j, s->h ? "histogram" : "value");
	if (s->h != NULL)
		put_histogram_point(j, s->t_ms, s->h);
	else
		put_point(j, s->t_ms, s->v);
	json_out_close(j, '}');
}

/* Float points, or histogram points, of one series, as many as go in; nothing when there are none. True: these are all. */
static bool put_points(struct json_out *j, const struct promql_series *s, struct place *at, size_t most)
{
	bool histograms = at->part == PART_HISTOGRAMS;

	for (; at->point < s->n && (s->h != NULL || !histograms); at->point++) {
		const struct histogram *h = s->h ? s->h[at->point] : NULL;

		if (j->to->n >= most)
			return false;
		if ((h != NULL) != histograms)
			continue;
		if (!at->any) {
			json_out_key(j, histograms ? "histograms" : "values");
			json_out_open(j, '[');
			at->any = true;
		}
		if (h != NULL)
			put_histogram_point(j, s->t_ms[at->point], h);
		else
			put_point(j, s->t_ms[at->point], s->v[at->point]);
	}
	if (at->any)
		json_out_close(j, ']');
	at->any = false;
	at->point = 0;
	return true;
}

static bool put_series(struct json_out *j, const struct promql_series *s, struct place *at, size_t most)
{
	if (at->part == PART_NEXT) {
		json_out_open(j, '{');
		json_out_key(j, "metric");
		json_out_labels(j, s->labels);
		at->part = PART_FLOATS;
	}
	if (at->part == PART_FLOATS) {
		if (!put_points(j, s, at, most))
			return false;
		at->part = PART_HISTOGRAMS;
	}
	if (!put_points(j, s, at, most))
		return false;
	json_out_close(j, '}');
	at->part = PART_NEXT;
	return true;
}

static void put_single(struct json_out *j, const struct promql_result *r)
{
	json_out_open(j, '[');
	json_out_seconds(j, r->scalar.t_ms);
	if (r->type == PROMQL_SCALAR)
		json_out_num_fixed(j, r->scalar.v);
	else
		json_out_str(j, r->string);
	json_out_close(j, ']');
}

static void begin(struct json_out *j, const struct promql_result *r)
{
	envelope_open(j, j->to);
	json_out_open(j, '{');
	json_out_key(j, "resultType");
	json_out_strz(j, promql_type_name(r->type));
	json_out_key(j, "result");
	if (r->type == PROMQL_SCALAR || r->type == PROMQL_STRING)
		put_single(j, r);
	else
		json_out_open(j, '[');
}

static size_t n_items(const struct promql_result *r)
{
	return r->type == PROMQL_VECTOR ? r->n_vector : r->type == PROMQL_MATRIX ? r->n_matrix : 0;
}

/* Goes on until <out> holds <most> bytes or a little more. */
static void put_more(const struct promql_result *r, struct place *at, struct buf *out, size_t most)
{
	struct json_out j = { .to = out, .comma = at->comma };

	if (!at->begun)
		begin(&j, r);
	at->begun = true;
	while (at->item < n_items(r) && out->n < most) {
		if (r->type == PROMQL_VECTOR)
			put_sample(&j, &r->vector[at->item]);
		else if (!put_series(&j, &r->matrix[at->item], at, most))
			break;
		at->item++;
	}
	at->ended = at->item == n_items(r);
	at->comma = j.comma;
	if (!at->ended)
		return;
	if (r->type == PROMQL_VECTOR || r->type == PROMQL_MATRIX)
		json_out_close(&j, ']');
	json_out_close(&j, '}');
	envelope_close(&j, r->notes, r->n_notes);
}

bool answers_take(struct answers *all, size_t bytes, struct err *e)
{
	bool fits;

	if (bytes > ANSWERS_BYTES)
		return err_set(e, ERR_LIMIT, -1,
		               "the answer holds %zu MB, more than answer_bytes=%d: ask for fewer series or a larger step, or set limit=",
		               bytes >> 20, ANSWERS_BYTES);
	pthread_mutex_lock(&all->lock);
	fits = bytes <= ANSWERS_BYTES - all->bytes;
	if (fits)
		all->bytes += bytes;
	pthread_mutex_unlock(&all->lock);
	return fits || err_set(e, ERR_TIMEOUT, -1,
	                       "answers that others are reading and this one, %zu MB, hold more than answer_bytes=%d: try again",
	                       bytes >> 20, ANSWERS_BYTES);
}

void answers_give(struct answers *all, size_t bytes)
{
	pthread_mutex_lock(&all->lock);
	all->bytes -= bytes;
	pthread_mutex_unlock(&all->lock);
}

static bool answer_more(void *arg, struct buf *out)
{
	struct answer *a = arg;

	if (a->first.n > 0) {
		buf_puts(out, buf_str(&a->first));
		buf_fini(&a->first);
	} else {
		put_more(a->r, &a->at, out, out->n + ANSWER_PIECE);
	}
	return !a->at.ended;
}

static void answer_end(void *arg)
{
	struct answer *a = arg;

	answers_give(a->all, a->bytes);
	buf_fini(&a->first);
	arena_fini(&a->arena);
	free(a);
}

static void reply_in_pieces(struct answers *all, struct http_request *q, const struct promql_result *r,
                            const struct place *at, struct buf *first)
{
	struct answer *a;
	struct err e = { 0 };
	size_t bytes = promql_result_bytes(r, at->item);

	if (!answers_take(all, bytes, &e)) {
		envelope_error(q, &e);
		return;
	}
	a = mem_alloc(sizeof *a);
	*a = (struct answer){ .all = all, .bytes = bytes, .first = *first, .at = *at };
	*first = (struct buf){ 0 };
	a->r = promql_result_copy(&a->arena, r, at->item);
	http_reply_stream(q, 200, "application/json", &(struct http_stream){ answer_more, answer_end, a, ANSWER_DEADLINE_MS });
}

void answer_reply(struct answers *all, struct http_request *q, const struct promql_result *r)
{
	struct buf first = { 0 };
	struct place at = { 0 };
	size_t n = n_items(r);

	(void)buf_reserve(&first, n < ANSWER_FIRST / SAMPLE_BYTES ? (n + 1) * SAMPLE_BYTES : ANSWER_FIRST);
	put_more(r, &at, &first, ANSWER_FIRST);
	if (at.ended)
		http_reply_buf(q, 200, "application/json", &first);
	else
		reply_in_pieces(all, q, r, &at, &first);
	buf_fini(&first);
}

struct answers *answers_new(void)
{
	struct answers *all = mem_alloc(sizeof *all);

	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void answers_free(struct answers *all)
{
	assert(all->bytes == 0);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

size_t answers_bytes(struct answers *all)
{
	size_t bytes;

	pthread_mutex_lock(&all->lock);
	bytes = all->bytes;
	pthread_mutex_unlock(&all->lock);
	return bytes;
}
