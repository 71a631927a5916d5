/* What the engine can do, from the tables it works by, under the names Prometheus has for it (/api/v1/features). */
#include "parse.h"
#include "promql.h"

static const struct {
	const char *name;
	unsigned feature;               /* an enum promql_feature that switches it on; 0: it is always on */
} syntax[] = {
	{ "anchored", PROMQL_EXTENDED_RANGE_SELECTORS },
	{ "at_modifier", 0 },
	{ "bool", 0 },
	{ "by", 0 },
	{ "delayed_name_removal", PROMQL_DELAYED_NAME_REMOVAL },
	{ "duration_expr", PROMQL_DURATION_EXPRESSIONS },
	{ "fill", PROMQL_BINOP_FILL },
	{ "fill_left", PROMQL_BINOP_FILL },
	{ "fill_right", PROMQL_BINOP_FILL },
	{ "group_left", 0 },
	{ "group_right", 0 },
	{ "ignoring", 0 },
	{ "negative_offset", 0 },
	{ "offset", 0 },
	{ "on", 0 },
	{ "per_query_lookback_delta", 0 },
	{ "smoothed", PROMQL_EXTENDED_RANGE_SELECTORS },
	{ "subqueries", 0 },
	{ "type_and_unit_labels", PROMQL_TYPE_AND_UNIT_LABELS },
	{ "without", 0 },
};

void promql_each_ability(const struct promql_options *o, promql_ability_fn fn, void *ctx)
{
	static const char *const matchers[] = { "=~", "!~", "@" };      /* = and != are comparisons, too */
	unsigned on = o->features != 0 ? o->features : PROMQL_DURATION_EXPRESSIONS;
	bool experimental = (on & PROMQL_EXPERIMENTAL_FUNCTIONS) != 0;
	const struct promql_function_info *f;
	size_t n = promql_functions(&f);

	for (size_t i = 0; i < ARRAY_LEN(syntax); i++)
		fn(ctx, "promql", syntax[i].name, syntax[i].feature == 0 || (on & syntax[i].feature) != 0);
	for (size_t i = 0; i < n; i++)
		fn(ctx, "promql_functions", f[i].name, experimental || !f[i].experimental);
	for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
		fn(ctx, "promql_operators", matchers[i], true);
	for (size_t i = 0; i < N_BINOPS; i++)
		fn(ctx, "promql_operators", operators[i].text.p, true);
	for (size_t i = 0; i < N_AGGRS; i++)
		fn(ctx, "promql_operators", aggregators[i].text.p, experimental || !aggregators[i].experimental);
}
