/* A query from text to checked tree, and what others ask of it. */
#include "query.h"

#include <stdlib.h>

#include "duration.h"
#include "memory.h"
#include "parse.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

static struct promql_options with_defaults(const struct promql_options *given)
{
	struct promql_options o = given != NULL ? *given : (struct promql_options){ 0 };

	if (o.lookback_ms == 0)
		o.lookback_ms = PROMQL_LOOKBACK_MS;
	if (o.subquery_step_ms == 0)
		o.subquery_step_ms = 60000;
	if (o.features == 0)
		o.features = PROMQL_DURATION_EXPRESSIONS;
	if (o.limits.max_depth == 0)
		o.limits.max_depth = 200;
	if (o.limits.max_samples == 0)
		o.limits.max_samples = 50000000;
	if (o.limits.max_series == 0)
		o.limits.max_series = 1000000;
	if (o.limits.max_points == 0)
		o.limits.max_points = 11000;
	if (o.limits.timeout_ms == 0)
		o.limits.timeout_ms = 120000;
	return o;
}

#define ALWAYS_ON    "it is always on"
#define GOES_WITHOUT "this program works otherwise, and needs no such switch"

static const struct {
	const char *name;
	unsigned feature;       /* an enum promql_feature; 0: nothing to switch, <why> says so in the log */
	const char *why;
} known_features[] = {
	{ "promql-experimental-functions", PROMQL_EXPERIMENTAL_FUNCTIONS, NULL },
	{ "promql-extended-range-selectors", PROMQL_EXTENDED_RANGE_SELECTORS, NULL },
	{ "promql-binop-fill-modifiers", PROMQL_BINOP_FILL, NULL },
	{ "promql-delayed-name-removal", PROMQL_DELAYED_NAME_REMOVAL, NULL },
	{ "promql-duration-expr", PROMQL_DURATION_EXPRESSIONS, NULL },
	{ "type-and-unit-labels", PROMQL_TYPE_AND_UNIT_LABELS, NULL },
	{ "promql-at-modifier", 0, ALWAYS_ON },
	{ "promql-negative-offset", 0, ALWAYS_ON },
	{ "expand-external-labels", 0, ALWAYS_ON },
	{ "exemplar-storage", 0, ALWAYS_ON },
	{ "native-histograms", 0, "scrape_native_histograms of a job, or of global, switches them on" },
	{ "concurrent-rule-eval", 0, GOES_WITHOUT },
	{ "promql-per-step-stats", 0, "statistics of queries are not kept" },
	{ "memory-snapshot-on-shutdown", 0, GOES_WITHOUT },
	{ "use-uncached-io", 0, GOES_WITHOUT },
	{ "auto-gomaxprocs", 0, GOES_WITHOUT },
	{ "auto-gomemlimit", 0, GOES_WITHOUT },
	{ "new-service-discovery-manager", 0, GOES_WITHOUT },
};

bool promql_features_add(struct str names, unsigned *features, struct err *e)
{
	struct str name;

	while (str_cut(&names, ',', &name)) {
		size_t i = 0;

		while (i < ARRAY_LEN(known_features) && !str_eq(name, str_of(known_features[i].name)))
			i++;
		if (str_eq(name, STR("use-start-timestamps")))
			return err_set(e, ERR_BAD_INPUT, -1, "use-start-timestamps: start timestamps of samples are not kept, so nothing could use them");
		if (i == ARRAY_LEN(known_features))
			return err_set(e, ERR_BAD_INPUT, -1, "no such feature: %.*s (--help lists them)", (int)(name.n > 60 ? 60 : name.n), name.p);
		if (known_features[i].feature == 0)
			log_event(LOG_WARN, "a feature that changes nothing here", "feature", known_features[i].name, "why", known_features[i].why, NULL);
		*features |= known_features[i].feature | PROMQL_DURATION_EXPRESSIONS;
	}
	return true;
}

static struct node *parse_text(struct parser *p, struct arena *a, struct str text, const struct promql_options *o, struct err *e)
{
	struct node *root;

	if (text.n > PARSE_TEXT_BYTES) {
		err_set(e, ERR_LIMIT, 0, "the query is longer than %d bytes (limit text)", PARSE_TEXT_BYTES);
		return NULL;
	}
	parser_init(p, a, text, o, e);
	root = parse_expr(p);
	parser_finish(p);
	return parser_failed(p) ? NULL : root;
}

/* What encloses a selector: the windows and offsets of the subqueries around it. */
struct reach {
	int64_t range_ms, offset_ms;
};

static int64_t constant_ms(const struct duration *d)
{
	struct err e = { 0 };
	int64_t ms;

	return d->set && duration_resolve(d, 0, 0, false, &ms, &e) ? ms : 0;
}

struct selector_list {
	struct arena *arena;
	struct promql_selector *v;
	size_t n, cap;
};

static void collect(struct selector_list *out, const struct node *n, struct reach around);

static void collect_chain(struct selector_list *out, const struct node *n, struct reach around)
{
	const struct node *op = node_chain_first(n);

	collect(out, op->binary.left, around);
	for (;; op = op->binary.above) {
		collect(out, op->binary.right, around);
		if (op == n)
			return;
	}
}

static void collect(struct selector_list *out, const struct node *n, struct reach around)
{
	switch (n->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
		return;
	case NODE_SELECTOR:
		out->v = arena_grow(out->arena, out->v, out->n, &out->cap, out->n + 1, sizeof *out->v);
		out->v[out->n++] = (struct promql_selector){
			.matchers = n->selector.matchers,
			.n_matchers = n->selector.n_matchers,
			.range_ms = around.range_ms + constant_ms(&n->selector.range),
			.offset_ms = around.offset_ms + constant_ms(&n->selector.offset),
		};
		return;
	case NODE_SUBQUERY:
		around.range_ms += constant_ms(&n->subquery.range);
		around.offset_ms += constant_ms(&n->subquery.offset);
		collect(out, n->subquery.child, around);
		return;
	case NODE_PAREN:
		collect(out, n->paren, around);
		return;
	case NODE_UNARY:
		collect(out, n->unary.child, around);
		return;
	case NODE_BINARY:
		collect_chain(out, n, around);
		return;
	case NODE_AGGREGATE:
		if (n->aggregate.param != NULL)
			collect(out, n->aggregate.param, around);
		collect(out, n->aggregate.child, around);
		return;
	case NODE_CALL:
		for (size_t i = 0; i < n->call.n_args; i++)
			collect(out, n->call.args[i], around);
		return;
	}
	abort();
}

struct promql_query *promql_query_new(struct str text, const struct promql_options *options, struct err *e)
{
	struct promql_query *q = mem_alloc(sizeof *q);
	struct selector_list selectors = { .arena = &q->arena };
	struct parser p = { 0 };
	struct node *root;
	struct buf b = { 0 };

	arena_init_small(&q->arena, 1024);
	q->options = with_defaults(options);
	if (text.n <= PARSE_TEXT_BYTES)
		q->text = arena_str(&q->arena, text);
	root = parse_text(&p, &q->arena, text.n <= PARSE_TEXT_BYTES ? q->text : text, &q->options, e);
	q->regexes = p.regexes;
	if (root == NULL || !check_query(&q->options, root, e)) {
		promql_query_free(q);
		return NULL;
	}
	q->root = root;
	q->n_nodes = p.n_nodes;
	collect(&selectors, root, (struct reach){ 0 });
	q->selectors = selectors.v;
	q->n_selectors = selectors.n;
	print_node(&b, root);
	q->canonical = arena_str(&q->arena, buf_str(&b));
	buf_fini(&b);
	return q;
}

void promql_query_free(struct promql_query *q)
{
	if (q == NULL)
		return;
	eval_memory_free(q->memory);
	regex_list_free(q->regexes);
	arena_fini(&q->arena);
	free(q);
}

bool promql_query_is(const struct promql_query *q, struct str text, const struct promql_options *options)
{
	const struct promql_options a = q->options, b = with_defaults(options);

	return str_eq(q->text, text) && a.lookback_ms == b.lookback_ms && a.subquery_step_ms == b.subquery_step_ms &&
	       a.features == b.features && a.shows_past == b.shows_past && a.clock == b.clock &&
	       memcmp(&a.limits, &b.limits, sizeof a.limits) == 0;
}

void promql_query_pace(struct promql_query *q, bool (*pace)(void *arg), void *arg)
{
	q->pace = pace;
	q->pace_arg = arg;
}

void promql_query_budget(struct promql_query *q, struct promql_budget *budget)
{
	q->budget = budget;
}

enum { BYTES_A_SAMPLE = 32, BYTES_ANYWAY = 64 << 20 };

size_t promql_most_bytes(const struct promql_options *options)
{
	size_t most = with_defaults(options).limits.max_samples;

	return most > (SIZE_MAX - BYTES_ANYWAY) / BYTES_A_SAMPLE ? SIZE_MAX : BYTES_ANYWAY + most * BYTES_A_SAMPLE;
}

size_t promql_query_bytes(const struct promql_query *q)
{
	size_t bytes = sizeof *q + q->arena.total_bytes + memory_bytes(q);

	for (const struct regex_list *r = q->regexes; r != NULL; r = r->next)
		bytes += regex_bytes(r->regex);
	return bytes;
}

struct str promql_query_text(const struct promql_query *q)
{
	return q->canonical;
}

enum promql_type promql_query_type(const struct promql_query *q)
{
	return q->root->type;
}

size_t promql_query_selectors(const struct promql_query *q, const struct promql_selector **out)
{
	*out = q->selectors;
	return q->n_selectors;
}

static const struct node *measured(const struct node *n)
{
	const struct node_binary *b = &n->binary;

	if (n->kind == NODE_PAREN)
		return measured(n->paren);
	if (n->kind != NODE_BINARY)
		return NULL;
	if (b->op == OP_AND || b->op == OP_UNLESS)
		return measured(b->left);
	if (!binop_is_comparison(b->op) || b->returns_bool)
		return NULL;
	return b->left->type == PROMQL_VECTOR ? b->left : b->right;
}

void promql_query_lines(const struct promql_query *q, struct buf *b)
{
	print_lines(b, q->root);
}

struct str promql_query_measured(const struct promql_query *q, struct arena *a)
{
	const struct node *n = measured(q->root);
	struct buf b = { 0 };
	struct str text;

	if (n == NULL || n->type != PROMQL_VECTOR)
		return STR("");
	print_node(&b, n);
	text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

bool promql_parse_matchers(struct arena *a, struct str text, struct matcher **out, size_t *n, struct err *e)
{
	struct promql_options o = with_defaults(NULL);
	struct parser p = { 0 };
	struct node *root = parse_text(&p, a, arena_str(a, text), &o, e);
	bool ok = root != NULL && check_query(&o, root, e);

	if (ok &&
	    (root->kind != NODE_SELECTOR || root->selector.range.set || root->selector.offset.set || root->selector.at != AT_NONE))
		ok = err_set(e, ERR_SYNTAX, root->beg, "expected a selector alone, such as up{job=\"api\"}");
	if (!ok) {
		regex_list_free(p.regexes);
		return false;
	}
	*n = root->selector.n_matchers;
	*out = ARENA_ARRAY(a, *n, struct matcher);
	memcpy(*out, root->selector.matchers, *n * sizeof **out);
	return true;
}

void promql_free_matchers(struct matcher *v, size_t n)
{
	const struct regex *re;

	for (size_t i = 0; i < n; i++) {
		re = v[i].re;
		v[i].re = NULL;
		regex_free((struct regex *)(uintptr_t)re);
	}
}
