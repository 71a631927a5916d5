/* info(v, {…}): adds the data labels of info series (target_info, or those that the second argument's matchers for __name__
 * pick) which carry the same identifying labels, instance and job. Info series are read at the time the vector's own samples
 * are. Source: Prometheus documentation, "info". */
#include "eval_range.h"
#include "functions_bodies.h"
#include "memory.h"

static const struct str identifying[] = { { "instance", 8 }, { "job", 3 } };

static bool is_identifying(struct str name)
{
	return str_eq(name, identifying[0]) || str_eq(name, identifying[1]);
}

struct info {
	struct eval_call *c;
	struct matcher *matchers;       /* of the info series: those for __name__ first */
	size_t n_matchers, n_names;
	struct regex *any_info;
	bool all_labels;                /* no data label was named: all are added */
	bool may_miss;                  /* every matcher for a data label allows that there is none */
	const struct value *base, *info;
	const uint32_t *base_group, *info_group;        /* same number: same identifying labels */
	const uint32_t *info_key;       /* same number: the same name besides */
	uint32_t *newest;               /* by key, at the step at hand: row + 1 of the info series that counts; 0: none */
	size_t n_keys;
	uint32_t *first_of, *next_of;   /* info rows of a group as a chain: row + 1; 0: its end */
	bool *near;                     /* by info row: its identifying values are among those of the base; others do not matter */
};

static void add_default_name(struct info *in, bool any_negative)
{
	struct err e = { 0 };

	if (!any_negative) {
		in->matchers[in->n_matchers++] = (struct matcher){ MATCH_EQ, STR(LABEL_NAME), STR("target_info"), NULL };
		return;
	}
	in->any_info = regex_new(STR(".+_info"), REGEX_ANCHORED, &e);
	in->matchers[in->n_matchers++] = (struct matcher){ MATCH_RE, STR(LABEL_NAME), STR(".+_info"), in->any_info };
}

/* The second argument, taken apart: matchers of names, then of data labels. */
static bool read_matchers(struct info *in)
{
	const struct node_call *call = &in->c->node->call;
	const struct node *arg = call->n_args > 1 ? node_unwrap(call->args[1]) : NULL;
	size_t n = arg == NULL ? 0 : arg->selector.n_matchers;
	bool positive = false, negative = false;
	struct err e = { 0 };

	in->matchers = ARENA_ARRAY(in->c->ev->arena, n + 1, struct matcher);
	in->all_labels = in->may_miss = true;
	for (size_t i = 0; i < n; i++) {
		const struct matcher *m = &arg->selector.matchers[i];

		if (!str_eq(m->name, STR(LABEL_NAME)))
			continue;
		in->matchers[in->n_matchers++] = *m;
		if (m->op == MATCH_EQ || m->op == MATCH_RE)
			positive = true;
		else
			negative = true;
	}
	if (!positive)
		add_default_name(in, negative);
	in->n_names = in->n_matchers;
	for (size_t i = 0; i < n; i++) {
		const struct matcher *m = &arg->selector.matchers[i];

		if (str_eq(m->name, STR(LABEL_NAME)))
			continue;
		in->matchers[in->n_matchers++] = *m;
		in->all_labels = false;
		in->may_miss &= matcher_test(m, STR(""), &e);
	}
	return e.code == ERR_NONE || eval_fail(in->c->ev, e.code, -1, "%s", e.msg);
}

static bool time_of(struct eval *ev, const struct node *n, struct timing *out);

static bool time_of_chain(struct eval *ev, const struct node *n, struct timing *out)
{
	const struct node *op = node_chain_first(n);

	if (time_of(ev, op->binary.left, out))
		return true;
	for (;; op = op->binary.above) {
		if (time_of(ev, op->binary.right, out))
			return true;
		if (op == n)
			return false;
	}
}

/* When the samples of <n> are taken: as its first selector says, and the subqueries around that. */
static bool time_of(struct eval *ev, const struct node *n, struct timing *out)
{
	struct timing inner;

	switch (n->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
		return false;
	case NODE_SELECTOR:
		*out = timing_of(ev, n->selector.at, n->selector.at_ms, &n->selector.offset);
		return true;
	case NODE_SUBQUERY:
		*out = timing_of(ev, n->subquery.at, n->subquery.at_ms, &n->subquery.offset);
		if (!time_of(ev, n->subquery.child, &inner))
			return true;
		if (inner.fixed)
			*out = inner;
		else
			out->offset_ms += inner.offset_ms;
		return true;
	case NODE_PAREN:
		return time_of(ev, n->paren, out);
	case NODE_UNARY:
		return time_of(ev, n->unary.child, out);
	case NODE_BINARY:
		return time_of_chain(ev, n, out);
	case NODE_AGGREGATE:
		return time_of(ev, n->aggregate.child, out);
	case NODE_CALL:
		for (size_t i = 0; i < n->call.n_args; i++)
			if (time_of(ev, n->call.args[i], out))
				return true;
		return false;
	}
	return false;
}

static const uint32_t *groups_of(struct label_table *t, const struct shape *s, bool with_name)
{
	uint32_t *group = ARENA_ARRAY(t->arena, s->n, uint32_t);

	for (size_t row = 0; row < s->n; row++) {
		struct label room[ARRAY_LEN(identifying) + 1];
		struct labels l = s->labels[row];
		size_t n = 0;

		for (size_t i = 0; i < l.n; i++)
			if (is_identifying(l.v[i].name) || (with_name && str_eq(l.v[i].name, STR(LABEL_NAME))))
				room[n++] = l.v[i];
		group[row] = (uint32_t)label_table_add(t, (struct labels){ room, n }, NULL);
	}
	return group;
}

static bool has_sample(const struct value *x, size_t row)
{
	for (size_t i = row * x->n_steps; i < (row + 1) * x->n_steps; i++)
		if (x->has[i])
			return true;
	return false;
}

/* An info series itself is not enriched. */
static bool is_info(const struct info *in, struct labels l, struct err *e)
{
	struct str name = labels_get(l, STR(LABEL_NAME));

	for (size_t i = 0; i < in->n_names; i++)
		if (!matcher_test(&in->matchers[i], name, e))
			return false;
	return true;
}

/* The values of an identifying label in the base. */
static void collect_values(const struct info *in, struct str name, struct label_table *values)
{
	struct err e = { 0 };

	label_table_init(values, in->c->ev->arena, 16);
	for (size_t row = 0; row < in->base->shape->n; row++) {
		struct labels l = in->base->shape->labels[row];
		struct label one = { name, labels_get(l, name) };

		if (one.value.n > 0 && has_sample(in->base, row) && !is_info(in, l, &e))
			label_table_add(values, (struct labels){ &one, 1 }, NULL);
	}
}

/* As Prometheus reads info series: label by label, where the base has that label at all. */
static void find_near(struct info *in)
{
	struct label_table values[ARRAY_LEN(identifying)];

	for (size_t k = 0; k < ARRAY_LEN(identifying); k++)
		collect_values(in, identifying[k], &values[k]);
	in->near = ARENA_ARRAY(in->c->ev->arena, in->info->shape->n, bool);
	for (size_t row = 0; row < in->info->shape->n; row++) {
		in->near[row] = values[0].n > 0 || values[1].n > 0;
		for (size_t k = 0; k < ARRAY_LEN(identifying); k++) {
			struct label one = { identifying[k], labels_get(in->info->shape->labels[row], identifying[k]) };

			in->near[row] &= values[k].n == 0 || label_table_find(&values[k], (struct labels){ &one, 1 }) != SIZE_MAX;
		}
	}
}

/* Who belongs to whom. */
static void index_info(struct info *in)
{
	struct arena *a = in->c->ev->arena;
	struct label_table ids, keys;

	label_table_init(&ids, a, 16);
	label_table_init(&keys, a, 16);
	in->base_group = groups_of(&ids, in->base->shape, false);
	in->info_group = groups_of(&ids, in->info->shape, false);
	in->info_key = groups_of(&keys, in->info->shape, true);
	in->n_keys = keys.n;
	in->newest = ARENA_ARRAY(a, keys.n, uint32_t);
	in->first_of = ARENA_ARRAY(a, ids.n, uint32_t);
	in->next_of = ARENA_ARRAY(a, in->info->shape->n, uint32_t);
	find_near(in);
	for (size_t row = in->info->shape->n; row-- > 0;) {
		if (!in->near[row])
			continue;
		in->next_of[row] = in->first_of[in->info_group[row]];
		in->first_of[in->info_group[row]] = (uint32_t)row + 1;
	}
}

static bool found_twice(const struct info *in, size_t row, size_t other, int64_t ms)
{
	struct buf b = { 0 };

	buf_putz(&b, "found duplicate series for info metric: existing ");
	labels_print(&b, in->info->shape->labels[other]);
	buf_printf(&b, " @ %lld, new ", (long long)ms);
	labels_print(&b, in->info->shape->labels[row]);
	eval_fail(in->c->ev, ERR_EXEC, in->c->node->beg, "%s @ %lld", buf_z(&b), (long long)ms);
	buf_fini(&b);
	return false;
}

/* At one step: of the info series with the same name and identifying labels the one with the newest sample counts. */
static bool find_newest(const struct info *in, size_t step)
{
	const struct value *x = in->info;
	struct eval *ev = in->c->ev;

	memset(in->newest, 0, in->n_keys * sizeof *in->newest);
	for (size_t row = 0; row < x->shape->n; row++) {
		size_t i = row * x->n_steps + step;
		struct str name = labels_get(x->shape->labels[row], STR(LABEL_NAME));
		uint32_t *best = &in->newest[in->info_key[row]];
		int64_t best_ms = *best == 0 ? INT64_MIN : x->t_ms[(*best - 1) * x->n_steps + step];

		if (!x->has[i] || !in->near[row])
			continue;
		if (value_histogram(x, i) != NULL)
			return eval_fail(ev, ERR_EXEC, in->c->node->beg, "info(): " STR_FMT " should be an info metric, with float samples",
			                 STR_ARG(name));
		if (x->t_ms[i] == best_ms)
			return found_twice(in, row, *best - 1, best_ms);
		if (x->t_ms[i] > best_ms)
			*best = (uint32_t)row + 1;
	}
	return true;
}

static bool is_wanted(const struct info *in, struct str name)
{
	if (str_eq(name, STR(LABEL_NAME)) || is_identifying(name))
		return false;
	for (size_t i = in->n_names; i < in->n_matchers; i++)
		if (str_eq(in->matchers[i].name, name))
			return true;
	return in->all_labels;
}

/* The labels of base row <row> with those of its info series. False: none is there and one must be; or failed. */
static bool enrich(const struct info *in, size_t row, struct labels *out)
{
	struct eval *ev = in->c->ev;
	struct labels base = in->base->shape->labels[row], added = { 0 };
	bool found = false;

	for (uint32_t i = in->first_of[in->base_group[row]]; i != 0; i = in->next_of[i - 1]) {
		struct labels l = in->info->shape->labels[i - 1];

		if (in->newest[in->info_key[i - 1]] != i)
			continue;
		found = true;
		for (size_t k = 0; k < l.n; k++) {
			struct str before = labels_get(added, l.v[k].name);

			if (!is_wanted(in, l.v[k].name) || labels_has(base, l.v[k].name))
				continue;
			if (before.n > 0 && !str_eq(before, l.v[k].value))
				return eval_fail(ev, ERR_EXEC, in->c->node->beg, "conflicting label: " STR_FMT, STR_ARG(l.v[k].name));
			added = labels_with(ev->scratch, added, l.v[k].name, l.v[k].value);
		}
	}
	*out = base;
	for (size_t k = 0; k < added.n; k++)
		*out = labels_with(ev->scratch, *out, added.v[k].name, added.v[k].value);
	return found || in->may_miss;
}

struct routes {
	struct label_table table;
	uint32_t *to;           /* by cell: row of the result + 1; 0: none */
};

static bool route_step(const struct info *in, struct routes *r, size_t step)
{
	const struct value *base = in->base;
	struct err e = { 0 };

	if (!find_newest(in, step))
		return false;
	for (size_t row = 0; row < base->shape->n; row++) {
		size_t i = row * base->n_steps + step;
		struct labels l = base->shape->labels[row];

		if (!base->has[i] || (!is_info(in, l, &e) && !enrich(in, row, &l)))
			continue;
		r->to[i] = (uint32_t)label_table_add(&r->table, l, NULL) + 1;
	}
	return !in->c->ev->failed;
}

static struct value *routed(struct eval *ev, const struct value *base, const struct shape *shape, const uint32_t *to)
{
	struct value *out = value_new(ev, shape);

	for (size_t i = 0; out != NULL && i < value_cells(base); i++)
		if (to[i] != 0 && !value_put(ev, out, (to[i] - 1) * base->n_steps + i % base->n_steps, base, i))
			return NULL;
	return out;
}

static struct value *join_info(struct info *in)
{
	struct eval *ev = in->c->ev;
	struct memory_slot *slot = memory_slot_anew(ev, in->c->node->id, MEMORY_NAMES);
	struct routes r = { .to = ARENA_ARRAY(ev->arena, value_cells(in->base), uint32_t) };

	index_info(in);
	label_table_init(&r.table, &slot->arena, in->base->shape->n);
	for (size_t step = 0; step < in->base->n_steps; step++) {
		struct arena_mark mark = arena_mark(ev->scratch);

		if (!route_step(in, &r, step))
			return NULL;
		arena_rewind(ev->scratch, mark);
	}
	slot->shape = (struct shape){ .n = r.table.n, .labels = r.table.v };
	memory_keep(ev, slot);
	return routed(ev, in->base, &slot->shape, r.to);
}

void fn_info(struct eval_call *c)
{
	struct info in = { .c = c };
	struct select_request rq = { .node_id = c->node->id, .pos = c->node->beg, .want_times = true };

	in.base = eval_node(c->ev, c->node->call.args[0]);
	if (in.base == NULL || !read_matchers(&in))
		goto out;
	rq.matchers = in.matchers;
	rq.n_matchers = in.n_matchers;
	time_of(c->ev, c->node->call.args[0], &rq.timing);
	in.info = c->ev->failed ? NULL : select_instant(c->ev, &rq);
	if (in.info != NULL)
		c->result = join_info(&in);
out:
	regex_free(in.any_info);
}
