/* label_replace() and label_join(): labels made from labels. Values are not looked at, so the outcome is remembered as long as
 * the series stay. */
#include "eval.h"
#include "functions_bodies.h"

enum { VALUE_MAX = 1 << 20 };  /* bytes; a label that is joined of itself doubles each time */

struct replacement {
	struct str dst, src, template;
	struct regex *re;
	struct regex_group *groups;
	size_t n_groups;
	bool limit;             /* the regex gave up on some value */
	bool too_long;
};

/* The metric name that was set by hand stays. */
static bool set_label(struct arena *a, struct labels in, struct str name, struct str value, struct labels *out, bool *named)
{
	if (value.n > VALUE_MAX)
		return false;
	*out = labels_with(a, in, name, arena_str(a, value));
	*named = str_eq(name, STR(LABEL_NAME));
	return true;
}

static void value_too_long(struct eval_call *c, const char *function)
{
	eval_fail(c->ev, ERR_LIMIT, -1, "%s() makes a label value of more than %d bytes", function, VALUE_MAX);
}

static void replace(void *arg, struct arena *a, struct labels in, struct labels *out, bool *named)
{
	struct replacement *r = arg;
	struct str src = labels_get(in, r->src);
	struct buf text = { 0 };

	*out = in;
	switch (regex_find(r->re, src, 0, r->groups, r->n_groups)) {
	case REGEX_LIMIT:
		r->limit = true;
		return;
	case REGEX_NO:
		return;
	case REGEX_YES:
		break;
	}
	regex_expand(r->re, &text, src, r->groups, r->n_groups, r->template);
	r->too_long |= !set_label(a, in, r->dst, buf_str(&text), out, named);
	buf_fini(&text);
}

static bool check_label(struct eval_call *c, struct str name, const char *which, const char *function)
{
	if (name.n > 0 && str_is_utf8(name))
		return true;
	return eval_fail(c->ev, ERR_EXEC, -1, "invalid %s label name in %s(): " STR_FMT, which, function, STR_ARG(name));
}

void fn_label_replace(struct eval_call *c)
{
	struct replacement r = { .dst = c->args[1]->string, .template = c->args[2]->string, .src = c->args[3]->string };
	struct err e = { 0 };

	if (!check_label(c, r.dst, "destination", "label_replace"))
		return;
	/* compiled only when some series is new; a bad one is never remembered */
	if (!value_relabel_is_known(c->ev, c->node->id, c->args[0]))
		r.re = regex_new(c->args[4]->string, REGEX_ANCHORED, &e);
	if (e.code != ERR_NONE) {
		eval_fail(c->ev, ERR_EXEC, call_arg_pos(c, 4), "invalid regular expression in label_replace(): " STR_FMT ": %s",
		          STR_ARG(c->args[4]->string), e.msg);
		return;
	}
	r.n_groups = r.re == NULL ? 0 : regex_group_count(r.re) + 1;
	r.groups = ARENA_ARRAY(c->ev->arena, r.n_groups, struct regex_group);
	c->result = value_relabel(c->ev, c->node->id, c->args[0], replace, &r);
	regex_free(r.re);
	if (r.limit)
		eval_fail(c->ev, ERR_LIMIT, call_arg_pos(c, 4), "the regular expression of label_replace() needs more than " REGEX_LIMIT_NAME " of backtracking");
	if (r.too_long)
		value_too_long(c, "label_replace");
}

struct join {
	const struct eval_call *c;
	struct str dst, separator;
	bool too_long;
};

static void join(void *arg, struct arena *a, struct labels in, struct labels *out, bool *named)
{
	struct join *j = arg;
	struct buf text = { 0 };

	*out = in;
	for (size_t i = 3; i < j->c->n_args && text.n <= VALUE_MAX; i++) {
		if (i > 3)
			buf_puts(&text, j->separator);
		buf_puts(&text, labels_get(in, j->c->args[i]->string));
	}
	j->too_long |= !set_label(a, in, j->dst, buf_str(&text), out, named);
	buf_fini(&text);
}

void fn_label_join(struct eval_call *c)
{
	struct join j = { .c = c, .dst = c->args[1]->string, .separator = c->args[2]->string };

	for (size_t i = 3; i < c->n_args; i++)
		if (!check_label(c, c->args[i]->string, "source", "label_join"))
			return;
	if (check_label(c, j.dst, "destination", "label_join"))
		c->result = value_relabel(c->ev, c->node->id, c->args[0], join, &j);
	if (j.too_long)
		value_too_long(c, "label_join");
}
