/* Vector matching: an operator between two vectors works on pairs of samples whose labels agree. One side of each pair must be
 * alone in its group (the "one" side); with group_left or group_right the other may have many. fill() lends a value to a
 * side that has none. Groups and the labels of the result are remembered as long as the series stay. */
#include <stdlib.h>

#include "binary.h"
#include "memory.h"

static bool is_listed(const struct node_binary *b, struct str name)
{
	for (size_t i = 0; i < b->n_labels; i++)
		if (str_eq(b->labels[i], name))
			return true;
	return false;
}

/* The labels two samples must have in common. */
static struct labels match_labels(const struct node_binary *b, struct label *room, struct labels l)
{
	size_t n = 0;

	for (size_t i = 0; i < l.n; i++) {
		bool listed = is_listed(b, l.v[i].name);

		if (b->on ? listed : !listed && !str_eq(l.v[i].name, STR(LABEL_NAME)))
			room[n++] = l.v[i];
	}
	return (struct labels){ room, n };
}

static void side_rows(struct eval *ev, struct label_table *t, const struct node_binary *b, struct side *side, const struct shape *s,
                      size_t done)
{
	struct label *room = ARENA_ARRAY(ev->arena, shape_longest(s, done), struct label);

	side->group = arena_grow(t->arena, side->group, done, &side->cap, s->n, sizeof *side->group);
	for (size_t i = done; i < s->n; i++)
		side->group[i] = (uint32_t)label_table_add(t, match_labels(b, room, s->labels[i]), NULL);
}

void match_rows(struct eval *ev, struct memory_slot *slot, struct matching *m, const struct node_binary *b, const struct shape *l,
                const struct shape *r)
{
	if (m->groups.buckets == NULL)
		label_table_init(&m->groups, &slot->arena, l->n + r->n);
	side_rows(ev, &m->groups, b, &m->left, l, slot->done[0]);
	side_rows(ev, &m->groups, b, &m->right, r, slot->done[1]);
}

/* What is remembered with the node: who belongs to whom, and where results go. */
struct plan {
	struct matching m;
	struct label_table results;
	bool routed;            /* each pair's result row is known beforehand, as below; else it is looked up by labels */
	uint32_t *by_many;      /* result row of each row of the "many" side */
	uint32_t *by_group;     /* the same where fill() stands for the "many" side */
	uint32_t *only;         /* the only row of the "one" side in each group, + 1; 0: none */
	size_t cap_many, cap_group, cap_only, n_groups;
	bool several;           /* some group has several, at one time or another */
};

/* Everything from the view of the "many" side: with group_right the sides change places. */
struct join {
	struct eval *ev;
	const struct node *node;
	const struct node_binary *b;
	bool swapped;
	struct value *many, *one;
	const uint32_t *many_group, *one_group;
	struct plan *plan;
	const double *fill_many, *fill_one;     /* NULL: no fill */
	uint32_t *one_row;      /* by group, at the step at hand: row + 1; 0: none */
	uint32_t *matched;      /* by group, at the step at hand: row of the "many" side that found a partner, + 1; 0: none */
	struct label_table *results;    /* the rows of the result */
	struct value *out;
};

/* Labels of a result: those of the "many" side, without what the matching leaves out. <one> gives the labels of group_left(…). */
static struct labels result_labels(const struct join *j, struct label *room, struct labels many, struct labels one)
{
	const struct node_binary *b = j->b;
	size_t n = 0;

	if (binop_changes_name(b->op))
		many = labels_without_metric(room, many);
	for (size_t i = 0; i < many.n; i++)
		if (b->card != CARD_ONE_TO_ONE || is_listed(b, many.v[i].name) == b->on)
			room[n++] = many.v[i];
	struct labels out = { room, n };

	for (size_t i = 0; i < b->n_include; i++)
		out = labels_with(j->results->arena, out, b->include[i], labels_get(one, b->include[i]));
	return out;
}

static size_t result_row(struct join *j, struct labels many, struct labels one)
{
	struct label *room = ARENA_ARRAY(j->ev->scratch, many.n + 1, struct label);
	struct labels l = result_labels(j, room, many, one);

	if (!eval_has_feature(j->ev, PROMQL_DELAYED_NAME_REMOVAL) && j->b->returns_bool)
		l = labels_without_metric(ARENA_ARRAY(j->ev->scratch, l.n + 1, struct label), l);
	return label_table_add(j->results, l, NULL);
}

/* {a="1", b="2"}, the name among them: what people compare to find the label that differs. */
static void print_set(struct buf *b, struct labels l)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < l.n; i++) {
		buf_printf(b, "%s" STR_FMT "=\"", i == 0 ? "" : ", ", STR_ARG(l.v[i].name));
		labels_escape(b, l.v[i].value);
		buf_putc(b, '"');
	}
	buf_putc(b, '}');
}

/* What the author can do: match on the labels that tell the two apart, or make them one before; or what else <way> says. */
static void hint_at(struct buf *text, struct labels a, struct labels b, const char *way)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < a.n + b.n; i++) {
		struct str name = i < a.n ? a.v[i].name : b.v[i - a.n].name;

		if ((i < a.n || !labels_has(a, name)) && !str_eq(labels_get(a, name), labels_get(b, name)))
			buf_printf(&names, "%s" STR_FMT, names.n == 0 ? "" : ", ", STR_ARG(name));
	}
	buf_printf(text, "they differ in %s: add it to on() or take it out of ignoring(), %s, or aggregate first, as in max without (%s) (...))",
	           buf_z(&names), way, buf_z(&names));
	buf_fini(&names);
}

static bool many_to_many(struct join *j, size_t group, size_t row, size_t other)
{
	struct labels a = j->one->shape->labels[row], b = j->one->shape->labels[other];
	bool in_order = labels_cmp(a, b) < 0;
	const char *side = j->swapped ? "left" : "right";
	struct buf text = { 0 };

	buf_putz(&text, "found duplicate series for the match group ");
	print_set(&text, j->plan->m.groups.v[group]);
	buf_printf(&text, " on the %s hand-side of the operation: [", side);
	print_set(&text, in_order ? a : b);
	buf_putz(&text, ", ");
	print_set(&text, in_order ? b : a);
	buf_putz(&text, "];many-to-many matching not allowed: matching labels must be unique on one side (hint: ");
	hint_at(&text, a, b, "let group_left or group_right name the other side");
	eval_fail(j->ev, ERR_EXEC, j->node->beg, "%s", buf_z(&text));
	buf_fini(&text);
	return false;
}

/* <row> of the left found a partner that <other> of its group has found before. */
static bool many_to_one(struct join *j, size_t other, size_t row)
{
	struct buf text = { 0 };

	buf_putz(&text, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
	buf_putz(&text, " (hint: on the left, ");
	print_set(&text, j->many->shape->labels[other]);
	buf_putz(&text, " and ");
	print_set(&text, j->many->shape->labels[row]);
	buf_putz(&text, " match the same; ");
	hint_at(&text, j->many->shape->labels[other], j->many->shape->labels[row], "let group_left say that many on the left are meant");
	eval_fail(j->ev, ERR_EXEC, j->node->beg, "%s", buf_z(&text));
	buf_fini(&text);
	return false;
}

/* The "one" side at <step>, by group. */
static bool index_one_side(struct join *j, size_t step)
{
	memset(j->one_row, 0, j->plan->m.groups.n * sizeof *j->one_row);
	memset(j->matched, 0, j->plan->m.groups.n * sizeof *j->matched);
	for (size_t row = 0; row < j->one->shape->n; row++) {
		uint32_t group = j->one_group[row];

		if (!j->one->has[row * j->one->n_steps + step])
			continue;
		if (j->one_row[group] != 0)
			return many_to_many(j, group, row, j->one_row[group] - 1u);
		j->one_row[group] = (uint32_t)row + 1;
	}
	return true;
}

static struct point point_at(const struct value *x, size_t row, size_t step)
{
	size_t i = row * x->n_steps + step;

	return (struct point){ x->v[i], value_histogram(x, i) };
}

/* A pair's outcome into row <to> of the result. <seen>: rows that this step has filled, also with what was dropped. */
static bool put_outcome(struct join *j, size_t step, size_t to, enum outcome outcome, struct point out, uint8_t *seen)
{
	size_t i = to * j->out->n_steps + step;

	if (seen[to])
		return eval_fail(j->ev, ERR_EXEC, j->node->beg, "multiple matches for labels: grouping labels must ensure unique matches");
	seen[to] = true;
	if (j->b->returns_bool)
		out = (struct point){ outcome == OUTCOME_KEEP, NULL };
	else if (outcome == OUTCOME_FALSE)
		return true;
	j->out->has[i] = true;
	j->out->v[i] = out.v;
	if (out.h != NULL) {
		value_need_histograms(j->ev, j->out);
		j->out->h[i] = out.h;
	}
	return true;
}

/* Calls <fn> for each pair at <step>: rows, SIZE_MAX where the value is lent by fill(). */
typedef bool (*pair_fn)(struct join *, size_t step, size_t many_row, size_t one_row, uint32_t group, uint8_t *seen);

static bool is_empty(const struct value *x, size_t step)
{
	for (size_t row = 0; row < x->shape->n; row++)
		if (x->has[row * x->n_steps + step])
			return false;
	return true;
}

static bool each_pair(struct join *j, size_t step, pair_fn fn, uint8_t *seen)
{
	/* beside nothing, duplicates do not matter either */
	if (j->fill_many == NULL && j->fill_one == NULL && (is_empty(j->many, step) || is_empty(j->one, step)))
		return true;
	if (!eval_works(j->ev, j->many->shape->n + j->one->shape->n) || !index_one_side(j, step))
		return false;
	for (size_t row = 0; row < j->many->shape->n; row++) {
		uint32_t group = j->many_group[row];

		if (!j->many->has[row * j->many->n_steps + step] || (j->one_row[group] == 0 && j->fill_one == NULL))
			continue;
		if (!fn(j, step, row, j->one_row[group] == 0 ? SIZE_MAX : j->one_row[group] - 1u, group, seen))
			return false;
	}
	for (size_t row = 0; j->fill_many != NULL && row < j->one->shape->n; row++) {
		uint32_t group = j->one_group[row];

		if (j->one_row[group] == row + 1 && j->matched[group] == 0 && !fn(j, step, SIZE_MAX, row, group, seen))
			return false;
	}
	return true;
}

/* The result row of a pair, looked up by its labels. */
static size_t route_pair(struct join *j, size_t many_row, size_t one_row, uint32_t group)
{
	struct labels lent = j->plan->m.groups.v[group];
	struct labels many = many_row == SIZE_MAX ? lent : j->many->shape->labels[many_row];
	struct labels one = one_row == SIZE_MAX ? lent : j->one->shape->labels[one_row];
	struct arena_mark mark = arena_mark(j->ev->scratch);
	size_t row = result_row(j, many, one);

	arena_rewind(j->ev->scratch, mark);
	return row;
}

static bool collect_pair(struct join *j, size_t step, size_t many_row, size_t one_row, uint32_t group, uint8_t *seen)
{
	(void)step, (void)seen;
	route_pair(j, many_row, one_row, group);
	return true;
}

static bool compute_pair(struct join *j, size_t step, size_t many_row, size_t one_row, uint32_t group, uint8_t *seen)
{
	struct point many = many_row == SIZE_MAX ? (struct point){ *j->fill_many, NULL } : point_at(j->many, many_row, step);
	struct point one = one_row == SIZE_MAX ? (struct point){ *j->fill_one, NULL } : point_at(j->one, one_row, step);
	struct point out;
	enum outcome outcome = j->swapped ? binop_points(j->ev, j->node, one, many, &out) : binop_points(j->ev, j->node, many, one, &out);
	size_t to;

	if (outcome == OUTCOME_NONE)    /* not for each other: as if they had not met */
		return true;
	if (many_row != SIZE_MAX && j->b->card == CARD_ONE_TO_ONE && j->matched[group] > 0)
		return many_to_one(j, j->matched[group] - 1u, many_row);
	if (many_row != SIZE_MAX)
		j->matched[group] = (uint32_t)many_row + 1;
	if (!j->plan->routed)
		to = route_pair(j, many_row, one_row, group);
	else
		to = many_row == SIZE_MAX ? j->plan->by_group[group] : j->plan->by_many[many_row];
	/* as Prometheus has it: what only filters forgets that the name was to go, and arithmetic has taken it away already */
	if (j->b->returns_bool && eval_has_feature(j->ev, PROMQL_DELAYED_NAME_REMOVAL)) {
		value_need_drops(j->ev, j->out);
		j->out->drop[to * j->out->n_steps + step] = true;
	}
	return put_outcome(j, step, to, outcome, out, seen);
}

/* The "one" rows from <done> on. */
static void note_ones(struct join *j, struct plan *p, size_t done)
{
	for (size_t row = done; row < j->one->shape->n; row++) {
		uint32_t *only = &p->only[j->one_group[row]];

		p->several |= *only != 0;
		*only = (uint32_t)row + 1;
	}
}

/* With group_left(…) the labels of a result come from both sides: a "one" row that came later makes others of them. */
static bool comes_late(const struct join *j, const struct plan *p, size_t many_row, size_t ones_done)
{
	return j->b->n_include > 0 && p->only[j->many_group[many_row]] > ones_done;
}

static void route_rows(struct join *j, struct plan *p, size_t many_done, size_t one_done)
{
	for (size_t row = 0; row < j->many->shape->n; row++)
		if (row >= many_done || comes_late(j, p, row, one_done))
			p->by_many[row] = (uint32_t)route_pair(j, row, p->only[j->many_group[row]] - (size_t)1, j->many_group[row]);
	for (size_t row = one_done; j->fill_many != NULL && row < j->one->shape->n; row++)
		p->by_group[j->one_group[row]] = (uint32_t)route_pair(j, SIZE_MAX, row, j->one_group[row]);
}

static void take_groups(struct join *j, struct plan *p)
{
	j->plan = p;
	j->results = &p->results;
	j->many_group = j->swapped ? p->m.right.group : p->m.left.group;
	j->one_group = j->swapped ? p->m.left.group : p->m.right.group;
}

/* Results of all pairs there can be, for the rows that are not in yet. Not when group_left(…) takes labels from one of several:
 * then only time will tell. */
static void plan_rows(struct join *j, struct memory_slot *slot, const struct shape *l, const struct shape *r)
{
	struct arena *a = &slot->arena;
	struct plan *p = slot->extra;
	size_t many_done = slot->done[j->swapped], one_done = slot->done[!j->swapped];

	if (p == NULL) {
		slot->extra = p = ARENA_NEW(a, struct plan);
		label_table_init(&p->results, a, j->many->shape->n);
	}
	match_rows(j->ev, slot, &p->m, j->b, l, r);
	take_groups(j, p);
	p->only = arena_grow(a, p->only, p->n_groups, &p->cap_only, p->m.groups.n, sizeof *p->only);
	p->by_group = arena_grow(a, p->by_group, p->n_groups, &p->cap_group, p->m.groups.n, sizeof *p->by_group);
	p->by_many = arena_grow(a, p->by_many, many_done, &p->cap_many, j->many->shape->n, sizeof *p->by_many);
	p->n_groups = p->m.groups.n;
	note_ones(j, p, one_done);
	p->routed = !p->several || j->b->n_include == 0;
	if (p->routed)
		route_rows(j, p, many_done, one_done);
	slot->shape.n = p->results.n;
	slot->shape.labels = p->results.v;
}

static const struct shape *join_open(struct join *j, const struct shape *l, const struct shape *r)
{
	struct memory_slot *slot = memory_slot(j->ev, j->node->id, MEMORY_SHAPE, memory_of_shape(l), memory_of_shape(r));

	if (memory_is_due(slot)) {
		plan_rows(j, slot, l, r);
		memory_keep(j->ev, slot);
	}
	take_groups(j, slot->extra);
	j->one_row = ARENA_ARRAY(j->ev->arena, j->plan->m.groups.n, uint32_t);
	j->matched = ARENA_ARRAY(j->ev->arena, j->plan->m.groups.n, uint32_t);
	return &slot->shape;
}

/* The result rows of the pairs there are, where no plan could tell. */
static const struct shape *collect_results(struct join *j)
{
	struct memory_slot *slot = memory_slot_anew(j->ev, j->node->id, MEMORY_NAMES);

	j->results = ARENA_NEW(&slot->arena, struct label_table);
	label_table_init(j->results, &slot->arena, j->many->shape->n);
	for (size_t step = 0; step < j->many->n_steps; step++)
		if (!each_pair(j, step, collect_pair, NULL))
			return NULL;
	slot->shape.n = j->results->n;
	slot->shape.labels = j->results->v;
	memory_keep(j->ev, slot);
	return &slot->shape;
}

struct value *binary_match(struct eval *ev, const struct node *n, struct value *l, struct value *r)
{
	const struct node_binary *b = &n->binary;
	struct join j = { .ev = ev, .node = n, .b = b, .swapped = b->card == CARD_ONE_TO_MANY };
	const struct shape *shape;
	uint8_t *seen;

	j.many = j.swapped ? r : l;
	j.one = j.swapped ? l : r;
	/* as Prometheus has it: with group_right, fill_left still means the "many" side, which is then the right one */
	j.fill_many = b->fill_left_set ? &b->fill_left : NULL;
	j.fill_one = b->fill_right_set ? &b->fill_right : NULL;
	shape = join_open(&j, l->shape, r->shape);
	if (!j.plan->routed)
		shape = collect_results(&j);
	j.out = shape == NULL ? NULL : value_new(ev, shape);
	if (j.out == NULL)
		return NULL;
	seen = ARENA_ARRAY(ev->arena, shape->n, uint8_t);
	for (size_t step = 0; step < l->n_steps; step++) {
		memset(seen, 0, shape->n);
		if (!each_pair(&j, step, compute_pair, seen))
			return NULL;
	}
	return j.out;
}
