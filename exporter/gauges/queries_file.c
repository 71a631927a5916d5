/* The file of postgres_exporter's --extend.query-path, taken as it is: of each namespace a query, of each column it names a label
 * or a metric called namespace_column. What cannot be taken over is named in a warning; the rest works. */
#include "gauges/gauges.h"

static const struct {
	const char *usage;
	bool is_label, is_value;
	enum expo_type type;
} usages[] = {
	{ "LABEL", true, false, EXPO_UNTYPED }, { "GAUGE", false, true, EXPO_GAUGE }, { "COUNTER", false, true, EXPO_COUNTER },
	{ "DISCARD", false, false, EXPO_UNTYPED },
};

struct file {
	struct conf_reader *rd;
	struct gauge_query *queries;
	const struct conf_node **nodes;
	size_t n;
};

static struct str text_of(const struct conf_node *map, const char *key)
{
	const struct conf_node *n = conf_get(map, key);

	return n != NULL && n->kind == CONF_SCALAR ? n->text : STR("");
}

/* Usage of a column, an index; -1 when it is none that is taken over. */
static int find_usage(struct conf_reader *rd, const struct conf_pair *column)
{
	struct str usage = text_of(column->value, "usage");

	for (size_t i = 0; i < ARRAY_LEN(usages); i++)
		if (str_eq(usage, str_of(usages[i].usage)))
			return (int)i;
	conf_warn(rd->report, column->key, "column \"" STR_FMT "\" is left out: usage \"" STR_FMT "\" is not taken over: GAUGE, "
	          "COUNTER, LABEL and DISCARD are", STR_ARG(column->key->text), STR_ARG(usage));
	return -1;
}

static bool add_metric(struct conf_reader *rd, struct gauge_query *q, const struct conf_pair *column, enum expo_type type)
{
	struct gauge_metric *m = (struct gauge_metric *)q->metrics.v + q->metrics.n;

	*m = (struct gauge_metric){ .name = arena_printf(rd->arena, STR_FMT "_" STR_FMT, STR_ARG(q->name), STR_ARG(column->key->text)),
	    .help = arena_str(rd->arena, text_of(column->value, "description")), .value = column->key->text, .scale = 1 };
	if (!labels_metric_is_plain(m->name))
		return conf_error(rd->report, column->key, "\"" STR_FMT "\" is no metric name: letters, digits, _ and :", STR_ARG(m->name));
	m->family = (struct expo_family){ m->name.p, type, m->help.p, NULL };
	q->metrics.n++;
	return true;
}

/* `metrics` is a list of maps, mostly of one column each. Every metric of the query has all its labels. */
static bool take_columns(struct conf_reader *rd, struct gauge_query *q, const struct conf_node *metrics)
{
	struct conf_labels labels = { 0 };
	size_t columns = 0;
	bool ok = true;

	for (size_t i = 0; i < metrics->n; i++)
		columns += metrics->items[i]->kind == CONF_MAP ? metrics->items[i]->n : 0;
	q->metrics.v = ARENA_ARRAY(rd->arena, columns, struct gauge_metric);
	labels.v = ARENA_ARRAY(rd->arena, columns, struct label);
	for (size_t i = 0; i < metrics->n; i++)
		for (size_t k = 0; metrics->items[i]->kind == CONF_MAP && k < metrics->items[i]->n; k++) {
			const struct conf_pair *column = &metrics->items[i]->pairs[k];
			int u = find_usage(rd, column);

			if (u >= 0 && usages[u].is_label)
				labels.v[labels.n++] = (struct label){ column->key->text, column->key->text };
			else if (u >= 0 && usages[u].is_value)
				ok &= add_metric(rd, q, column, usages[u].type);
		}
	for (size_t m = 0; m < q->metrics.n; m++)
		((struct gauge_metric *)q->metrics.v)[m].labels = labels;
	return ok;
}

static void warn_ignored(struct conf_reader *rd, const struct conf_node *map)
{
	if (conf_get(map, "cache_seconds") != NULL)
		conf_warn(rd->report, conf_get(map, "cache_seconds"),
		          "cache_seconds is not honoured: the source's interval says how often it is asked");
	if (conf_get(map, "runonserver") != NULL)
		conf_warn(rd->report, conf_get(map, "runonserver"), "runonserver is not honoured: the query is asked of every version");
}

static bool take_query(struct file *f, const struct conf_pair *space)
{
	const struct conf_node *metrics = conf_get(space->value, "metrics");
	struct gauge_query *q = &f->queries[f->n];

	*q = (struct gauge_query){ .name = space->key->text, .sql = text_of(space->value, "query") };
	if (q->sql.n == 0 || metrics == NULL || metrics->kind != CONF_SEQ)
		return conf_error(f->rd->report, space->key, "\"" STR_FMT "\" must have a query and a list of metrics", STR_ARG(q->name));
	warn_ignored(f->rd, space->value);
	if (!take_columns(f->rd, q, metrics))
		return false;
	if (q->metrics.n == 0) {
		conf_warn(f->rd->report, space->key, "\"" STR_FMT "\" is left out: no column of it is a metric", STR_ARG(q->name));
		return true;
	}
	f->nodes[f->n++] = space->key;
	return true;
}

bool gauge_queries_file(struct conf_reader *rd, struct str path, struct conf_list *queries)
{
	const struct conf_node *tree = conf_load(rd->arena, path.p, rd->report);
	struct file f = { .rd = rd };
	bool ok = true;

	if (tree == NULL)
		return false;
	if (tree->kind != CONF_MAP)
		return conf_error(rd->report, tree, "a map of namespaces is wanted, each with a query and a list of metrics");
	f.queries = ARENA_ARRAY(rd->arena, queries->n + tree->n, struct gauge_query);
	f.nodes = ARENA_ARRAY(rd->arena, queries->n + tree->n, const struct conf_node *);
	for (; f.n < queries->n; f.n++) {
		f.queries[f.n] = ((const struct gauge_query *)queries->v)[f.n];
		f.nodes[f.n] = queries->nodes[f.n];
	}
	for (size_t i = 0; i < tree->n; i++)
		ok &= take_query(&f, &tree->pairs[i]);
	*queries = (struct conf_list){ f.queries, f.n, f.nodes };
	return ok;
}
