/* How rule texts see the world: $labels, $externalLabels, $externalURL, $value, and Prometheus's functions with a `query` that asks
 * the querier of the evaluation. */
#include "rules/expand.h"

#include <assert.h>


static const struct template_variable variables[] = {
	{ "$labels", "Labels" }, { "$externalLabels", "ExternalLabels" }, { "$externalURL", "ExternalURL" }, { "$value", "Value" },
};

const struct template_env rule_template_env = {
	.funcs = template_prometheus_funcs,
	.n_funcs = TEMPLATE_PROMETHEUS_FUNCS,
	.variables = variables,
	.n_variables = ARRAY_LEN(variables),
};

struct world {
	struct template_prometheus prometheus;  /* first: functions get a pointer to it */
	const struct expand_env *env;
};

static struct template_value list_of_samples(const struct promql_result *r, struct arena *a)
{
	struct template_value *v;

	if (r->type == PROMQL_SCALAR) {
		v = ARENA_NEW(a, struct template_value);
		*v = template_sample(a, (struct labels){ NULL, 0 }, r->scalar.v);
		return template_list_of(a, v, 1, &template_sample_list);
	}
	v = ARENA_ARRAY(a, r->n_vector, struct template_value);
	for (size_t i = 0; i < r->n_vector; i++)
		v[i] = template_sample(a, r->vector[i].labels, r->vector[i].v);
	return template_list_of(a, v, r->n_vector, &template_sample_list);
}

static bool query(struct template_prometheus *p, struct str expr, struct template_call *c)
{
	const struct expand_env *env = ((struct world *)p)->env;
	struct promql_query *q = promql_query_new(expr, &env->options->promql, c->e);
	struct promql_result *r = q != NULL ? promql_instant(q, c->arena, env->querier, env->query_ms, c->e) : NULL;
	bool ok = r != NULL;

	if (ok && r->type != PROMQL_VECTOR && r->type != PROMQL_SCALAR)
		ok = err_set(c->e, ERR_EXEC, -1, "query result is not a vector or scalar");
	if (ok)
		c->out = list_of_samples(r, c->arena);
	promql_query_free(q);
	return ok;
}

struct str rule_value_text(const struct promql_sample *s, struct arena *a)
{
	struct buf b = { 0 };
	struct str text;

	if (s->h == NULL)
		return STR_NULL;
	promql_histogram_print(&b, s->h);
	text = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

static struct template_value data(const struct promql_sample *s, const struct expand_env *env)
{
	struct template_field *f = ARENA_ARRAY(env->arena, ARRAY_LEN(variables), struct template_field);
	struct template_map *m = ARENA_NEW(env->arena, struct template_map);

	f[0] = (struct template_field){ STR("Labels"), template_labels(env->arena, s->labels, NULL) };
	f[1] = (struct template_field){ STR("ExternalLabels"), template_labels(env->arena, env->options->external_labels, NULL) };
	f[2] = (struct template_field){ STR("ExternalURL"), template_str(env->options->external_url) };
	f[3] = (struct template_field){ STR("Value"), s->h != NULL ? template_str(rule_value_text(s, env->arena)) : template_float(s->v) };
	*m = (struct template_map){ f, ARRAY_LEN(variables), NULL };
	return (struct template_value){ .kind = TEMPLATE_RECORD, .map = m };
}

struct str rule_expand_text(const struct rule *rule, const struct rule_text *text, const struct promql_sample *s,
                            const struct expand_env *env)
{
	struct world world = { { query, env->now_ms, env->options->external_url }, env };
	struct buf b = { 0 };
	struct err e = { 0 };
	struct str out;

	if (template_is_plain(text->text))
		return text->source;
	if (template_expand(text->text, data(s, env), &world.prometheus, env->arena, &b, &e))
		out = arena_str(env->arena, buf_str(&b));
	else
		out = arena_printf(env->arena, "<error expanding template: error executing template __alert_" STR_FMT ": %s>",
		                   STR_ARG(rule->id.name), e.msg);
	buf_fini(&b);
	return out;
}

struct labels rule_alert_labels(const struct rule *rule, const struct promql_sample *s, const struct expand_env *env)
{
	struct labels l = labels_without(env->arena, s->labels, STR(LABEL_NAME));

	for (size_t i = 0; i < rule->n_labels; i++)
		l = labels_with(env->arena, l, rule->labels[i].name, rule_expand_text(rule, &rule->labels[i], s, env));
	return labels_with(env->arena, l, STR("alertname"), rule->id.name);
}

struct labels rule_record_labels(const struct rule *rule, const struct promql_sample *s, struct arena *a)
{
	struct labels l = labels_with(a, s->labels, STR(LABEL_NAME), rule->id.name);

	for (size_t i = 0; i < rule->n_labels; i++)
		l = labels_with(a, l, rule->labels[i].name, rule->labels[i].source);
	return l;
}

struct labels rule_alert_annotations(const struct rule *rule, const struct promql_sample *s, const struct expand_env *env)
{
	struct label *v = ARENA_ARRAY(env->arena, rule->n_annotations, struct label);
	struct labels l = { NULL, 0 };
	bool unique;

	for (size_t i = 0; i < rule->n_annotations; i++)
		v[i] = (struct label){ rule->annotations[i].name, rule_expand_text(rule, &rule->annotations[i], s, env) };
	unique = labels_from(v, rule->n_annotations, &l, NULL);
	assert(unique);
	return l;
}
