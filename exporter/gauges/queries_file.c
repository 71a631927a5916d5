/* The file of postgres_exporter's --extend.query-path, taken as it is: of each namespace a query, of each column it names a label
 * or a metric called namespace_column; what becomes of the other columns is columns.c's. What cannot be taken over is named in a
 * warning; the rest works. */
#include "gauges/gauges.h"

enum role { ROLE_NONE, ROLE_LABEL, ROLE_METRIC, ROLE_HISTOGRAM };

/* The peer reads a MAPPEDMETRIC without its mapping, and a DURATION as a number. */
static const struct {
	const char *usage;
	enum role role;
	enum expo_type type;
	const char *suffix;
} usages[] = {
	{ "LABEL", ROLE_LABEL, EXPO_UNTYPED, "" }, { "GAUGE", ROLE_METRIC, EXPO_GAUGE, "" }, { "COUNTER", ROLE_METRIC, EXPO_COUNTER, "" },
	{ "HISTOGRAM", ROLE_HISTOGRAM, EXPO_HISTOGRAM, "" }, { "DISCARD", ROLE_NONE, EXPO_UNTYPED, "" },
	{ "MAPPEDMETRIC", ROLE_METRIC, EXPO_GAUGE, "" }, { "DURATION", ROLE_METRIC, EXPO_GAUGE, "_milliseconds" },
};

#define KEEP_MAX_S (30 * 86400)

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
	conf_warn(rd->report, column->key, "column \"" STR_FMT "\" is left out: \"" STR_FMT "\" is no usage: GAUGE, COUNTER, LABEL, "
	          "HISTOGRAM, DISCARD, MAPPEDMETRIC and DURATION are", STR_ARG(column->key->text), STR_ARG(usage));
	return -1;
}

static bool add_metric(struct conf_reader *rd, struct gauge_query *q, const struct conf_pair *column, int usage)
{
	struct gauge_metric *m = (struct gauge_metric *)q->metrics.v + q->metrics.n;

	*m = (struct gauge_metric){ .name = arena_printf(rd->arena, STR_FMT "_" STR_FMT "%s", STR_ARG(q->name), STR_ARG(column->key->text),
	    usages[usage].suffix), .help = arena_str(rd->arena, text_of(column->value, "description")), .value = column->key->text,
	    .scale = 1, .odd = GAUGE_ODD_SAID };
	if (!labels_metric_is_plain(m->name))
		return conf_error(rd->report, column->key, "\"" STR_FMT "\" is no metric name: letters, digits, _ and :", STR_ARG(m->name));
	m->family = (struct expo_family){ m->name.p, usages[usage].type, m->help.p, NULL };
	q->metrics.n++;
	return true;
}

/* What is known of a query's columns while they are read. */
struct columns {
	struct gauge_columns out;
	struct str *listed;
};

static void list_column(struct conf_reader *rd, struct columns *c, struct str name, int usage)
{
	static const char *const parts[] = { "_bucket", "_sum", "_count" };

	c->listed[c->out.listed.n++] = name;
	for (size_t i = 0; usage >= 0 && usages[usage].role == ROLE_HISTOGRAM && i < ARRAY_LEN(parts); i++)
		c->listed[c->out.listed.n++] = arena_printf(rd->arena, STR_FMT "%s", STR_ARG(name), parts[i]);
}

static bool take_column(struct conf_reader *rd, struct gauge_query *q, struct columns *c, const struct conf_pair *column)
{
	const int usage = find_usage(rd, column);

	list_column(rd, c, column->key->text, usage);
	if (usage < 0 || usages[usage].role == ROLE_NONE)
		return true;
	if (usages[usage].role != ROLE_LABEL)
		return add_metric(rd, q, column, usage);
	c->out.labels.v[c->out.labels.n++] = (struct label){ column->key->text, column->key->text };
	return true;
}

/* `metrics` is a list of maps, mostly of one column each. Every metric of the query has all its labels. */
static bool take_columns(struct conf_reader *rd, struct gauge_query *q, struct columns *c, const struct conf_node *metrics)
{
	size_t columns = 0;
	bool ok = true;

	for (size_t i = 0; i < metrics->n; i++)
		columns += metrics->items[i]->kind == CONF_MAP ? metrics->items[i]->n : 0;
	q->metrics.v = ARENA_ARRAY(rd->arena, columns, struct gauge_metric);
	c->out.labels.v = ARENA_ARRAY(rd->arena, columns, struct label);
	c->listed = ARENA_ARRAY(rd->arena, columns * 4, struct str);
	c->out.listed.v = c->listed;
	for (size_t i = 0; i < metrics->n; i++)
		for (size_t k = 0; metrics->items[i]->kind == CONF_MAP && k < metrics->items[i]->n; k++)
			ok &= take_column(rd, q, c, &metrics->items[i]->pairs[k]);
	for (size_t m = 0; m < q->metrics.n; m++)
		((struct gauge_metric *)q->metrics.v)[m].labels = c->out.labels;
	return ok;
}

static bool take_keep(struct conf_reader *rd, const struct conf_node *map, int64_t *ms)
{
	const struct conf_node *at = conf_get(map, "cache_seconds");
	int64_t seconds = 0;

	if (at != NULL && (!str_to_int64(text_of(map, "cache_seconds"), &seconds) || seconds < 0 || seconds > KEEP_MAX_S))
		return conf_error(rd->report, at, "cache_seconds is a whole number of seconds, at most %d", KEEP_MAX_S);
	*ms = seconds * 1000;
	return true;
}

static bool take_query(struct file *f, const struct conf_pair *space)
{
	const struct conf_node *metrics = conf_get(space->value, "metrics");
	struct gauge_query *q = &f->queries[f->n];
	struct columns *c = ARENA_NEW(f->rd->arena, struct columns);

	*q = (struct gauge_query){ .name = space->key->text, .sql = text_of(space->value, "query"), .columns = &c->out };
	if (q->sql.n == 0 || metrics == NULL || metrics->kind != CONF_SEQ)
		return conf_error(f->rd->report, space->key, "\"" STR_FMT "\" must have a query and a list of metrics", STR_ARG(q->name));
	if (!take_columns(f->rd, q, c, metrics) || !take_keep(f->rd, space->value, &c->out.keep_ms))
		return false;
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
