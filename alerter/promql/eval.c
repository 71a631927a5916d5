/* The evaluator's heart: an expression's value by its kind, the calls of functions, and the budget of cells and time that
 * every value is made against. */
#include "eval.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "eval_histogram.h"
#include "eval_range.h"
#include "functions_bodies.h"
#include "memory.h"
#include "notes.h"

static const struct labels no_labels[1];
const struct shape shape_one = { .n = 1, .labels = no_labels, .version = UINT64_MAX };
const struct shape shape_none = { .version = UINT64_MAX - 1 };

bool eval_fail(struct eval *ev, enum err_code code, int pos, const char *fmt, ...)
{
	char msg[sizeof ev->err->msg];
	va_list ap;

	if (ev->failed)
		return false;
	ev->failed = true;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	return err_set(ev->err, code, pos, "%s", msg);
}

bool eval_in_time(struct eval *ev)
{
	const struct promql_query *q = ev->query;

	if (!ev->failed && q->pace != NULL && !q->pace(q->pace_arg))
		eval_fail(ev, ERR_CANCELED, -1, "query was canceled: the program stops, or nobody waits for its answer");
	if (!ev->failed && clock_mono_ms(ev->clock) > ev->deadline_mono_ms)
		eval_fail(ev, ERR_TIMEOUT, -1, "query timed out after timeout=%lld ms", (long long)ev->query->options.limits.timeout_ms);
	return !ev->failed;
}

bool eval_has_feature(const struct eval *ev, enum promql_feature f)
{
	return (ev->query->options.features & (unsigned)f) != 0;
}

static void budget_add(struct eval *ev, size_t cells)
{
	ev->cells += cells;
	if (ev->cells > ev->peak_cells)
		ev->peak_cells = ev->cells;
}

/* Others under way hold memory, too. Little is not worth telling. */
static bool all_are_within(struct eval *ev, size_t bytes)
{
	enum { STEP_BYTES = 1 << 20 };
	struct promql_budget *b = ev->query->budget;
	size_t all, more = bytes > ev->charged ? bytes - ev->charged : 0;

	if (b == NULL || more < STEP_BYTES)
		return true;
	all = atomic_fetch_add(&b->bytes, more) + more;
	ev->charged += more;
	if (all <= b->most)
		return true;
	return eval_fail(ev, ERR_TIMEOUT, -1,
	                 "queries under way need more memory than max_samples=%zu samples may take: %zu MB all together; try again",
	                 ev->query->options.limits.max_samples, all >> 20);
}

/* Values stay in memory until the evaluation ends, and labels beyond it: what a very long expression adds up to is bounded, too. */
bool eval_memory_is_within(struct eval *ev, size_t more_bytes)
{
	size_t bytes = ev->arena->total_bytes - ev->bytes_before + ev->scratch->total_bytes + ev->lasting->total_bytes + ev->bytes_kept +
	               memory_bytes(ev->query) + more_bytes;

	if (bytes > ev->bytes_most)
		return eval_fail(ev, ERR_LIMIT, -1, "query needs more memory than max_samples=%zu samples may take: %zu MB",
		                 ev->query->options.limits.max_samples, bytes >> 20);
	return all_are_within(ev, bytes);
}

/* False and failed when <cells> more than are held go over the limit. */
static bool budget_take(struct eval *ev, size_t rows, size_t steps)
{
	size_t most = ev->query->options.limits.max_samples;

	if (rows > 0 && steps > (most - ev->cells) / rows)
		return eval_fail(ev, ERR_LIMIT, -1,
		                 "query needs more than max_samples=%zu samples: %zu series at %zu steps, and %zu before", most, rows,
		                 steps, ev->cells);
	budget_add(ev, rows * steps);
	return eval_memory_is_within(ev, 0);
}

static struct value *value_make(struct eval *ev, enum promql_type type, const struct shape *shape)
{
	struct value *x;

	if (!budget_take(ev, shape->n, ev->steps.n))
		return NULL;
	x = ARENA_NEW(ev->arena, struct value);
	x->type = type;
	x->shape = shape;
	x->n_steps = ev->steps.n;
	x->v = arena_alloc_raw(ev->arena, value_cells(x) * sizeof *x->v);
	x->has = arena_alloc(ev->arena, value_cells(x));
	return x;
}

struct value *value_new(struct eval *ev, const struct shape *shape)
{
	return value_make(ev, PROMQL_VECTOR, shape);
}

struct value *value_scalar(struct eval *ev)
{
	struct value *x = value_make(ev, PROMQL_SCALAR, &shape_one);

	if (x != NULL)
		memset(x->has, true, x->n_steps);
	return x;
}

void value_need_histograms(struct eval *ev, struct value *x)
{
	if (x->h == NULL)
		x->h = ARENA_ARRAY(ev->arena, value_cells(x), const struct histogram *);
}

void value_need_drops(struct eval *ev, struct value *x)
{
	if (x->drop == NULL)
		x->drop = ARENA_ARRAY(ev->arena, value_cells(x), bool);
}

bool value_put(struct eval *ev, struct value *out, size_t to, const struct value *x, size_t from)
{
	if (out->has[to])
		return eval_fail(ev, ERR_EXEC, -1, "vector cannot contain metrics with the same labelset");
	out->has[to] = true;
	out->v[to] = x->v[from];
	if (value_histogram(x, from) != NULL) {
		value_need_histograms(ev, out);
		out->h[to] = x->h[from];
	}
	if (value_drops(x, from)) {
		value_need_drops(ev, out);
		out->drop[to] = true;
	}
	return true;
}

bool value_put_histogram(struct eval *ev, struct value *x, size_t cell, const struct histogram *h)
{
	enum { SAMPLE_BYTES = 16 };
	size_t numbers = (size_t)h->pos.n_buckets + h->pos.n_spans + h->neg.n_buckets + h->neg.n_spans + h->n_custom;
	size_t samples = (sizeof *h + numbers * sizeof(double)) / SAMPLE_BYTES, most = ev->query->options.limits.max_samples;

	if (samples > most - ev->cells)
		return eval_fail(ev, ERR_LIMIT, -1, "query needs more than max_samples=%zu samples: a native histogram counts by its size",
		                 most);
	budget_add(ev, samples);
	value_need_histograms(ev, x);
	x->h[cell] = h;
	return true;
}

static struct value *eval_number(struct eval *ev, double v)
{
	struct value *x = value_scalar(ev);

	for (size_t i = 0; x != NULL && i < x->n_steps && eval_works(ev, 1); i++)
		x->v[i] = v;
	return x;
}

static struct value *eval_string(struct eval *ev, struct str s)
{
	struct value *x = ARENA_NEW(ev->arena, struct value);

	*x = (struct value){ .type = PROMQL_STRING, .shape = &shape_none, .n_steps = ev->steps.n, .string = s };
	return x;
}

static struct value *eval_unary(struct eval *ev, const struct node *n)
{
	struct value *x = eval_node(ev, n->unary.child);

	if (x == NULL || !n->unary.minus)
		return x;
	for (size_t i = 0; i < value_cells(x) && eval_works(ev, 1); i++) {
		if (value_histogram(x, i) != NULL)
			x->h[i] = histogram_times(ev->arena, x->h[i], -1);
		else
			x->v[i] = -x->v[i];
	}
	return x->type == PROMQL_VECTOR ? value_drop_names(ev, n, x) : x;
}

/* timestamp() and start_timestamp() of a bare selector tell about its samples; of anything else about the step. */
static bool wants_times(const struct node *call)
{
	return call->call.fn->body == fn_timestamp || call->call.fn->body == fn_start_timestamp;
}

/* Where only count and sum of histograms are used, Prometheus does not keep their buckets, and compares samples while it reads them:
 * aggregations then know of resets that storage does not tell, and warn. */
static bool tells_resets(const struct node *call, bool outer)
{
	void (*body)(struct eval_call *) = call->call.fn->body;

	if (body == fn_histogram_count || body == fn_histogram_sum || body == fn_histogram_avg)
		return true;
	return outer && body != fn_histogram_quantile && body != fn_histogram_quantiles && body != fn_histogram_fraction;
}

static bool eval_args(struct eval_call *c)
{
	struct eval *ev = c->ev;

	for (size_t i = 0; i < c->n_args; i++) {
		const struct node *arg = c->node->call.args[i];

		if (arg->type == PROMQL_MATRIX) {
			c->range_arg = node_unwrap(arg);
			c->range = range_open(ev, c->range_arg);
			if (c->range == NULL)
				return false;
			continue;
		}
		ev->want_times = wants_times(c->node) && node_unwrap(arg)->kind == NODE_SELECTOR;
		c->args[i] = eval_node(ev, arg);
		ev->want_times = false;
		if (c->args[i] == NULL)
			return false;
	}
	return true;
}

static struct value *eval_call(struct eval *ev, const struct node *n)
{
	struct eval_call c = { .ev = ev, .node = n, .n_args = n->call.n_args };
	bool outer = ev->tell_resets;

	c.args = ARENA_ARRAY(ev->arena, c.n_args, struct value *);
	/* info() reads its second argument as matchers, not as a vector */
	ev->tell_resets = tells_resets(n, outer);
	if (n->call.fn->body == fn_info || eval_args(&c))
		n->call.fn->body(&c);
	ev->tell_resets = outer;
	if (c.range != NULL)
		range_close(c.range);
	if (!ev->failed && c.result == NULL)
		c.result = value_new(ev, &shape_none);
	return c.result;
}

static struct value *eval_kind(struct eval *ev, const struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
		return eval_number(ev, n->number.value);
	case NODE_STRING:
		return eval_string(ev, n->string);
	case NODE_SELECTOR:
		return eval_selector(ev, n);
	case NODE_PAREN:
		return eval_node(ev, n->paren);
	case NODE_UNARY:
		return eval_unary(ev, n);
	case NODE_BINARY:
		return eval_binary(ev, n);
	case NODE_AGGREGATE:
		return eval_aggregate(ev, n);
	case NODE_CALL:
		return eval_call(ev, n);
	case NODE_SUBQUERY:
		break;
	}
	assert(!"range vectors are read through range_open()");
	return NULL;
}

struct value *eval_node(struct eval *ev, const struct node *n)
{
	size_t held = ev->cells;
	struct value *x;

	if (!eval_in_time(ev))
		return NULL;
	x = eval_kind(ev, n);
	if (ev->failed || !eval_works(ev, value_cells(x)))
		return NULL;
	ev->cells = held + value_cells(x);      /* what the operands held is free again for the budget */
	return x;
}
