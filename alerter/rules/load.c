/* Rule files: YAML to <struct rule_file>. Two forms are read: Prometheus's `groups:`, and a bare list of rules, which is one group
 * named after the file. Reading goes on after a mistake, so that one run reports all of them. */
#include "rules/rule.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/map.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

#define DIRECTIVE "tocsin_"

struct rule_conf {
	const struct conf_node *alert, *record, *expr, *severity, *labels, *annotations;
	int64_t for_ms, keep_firing_for_ms;
};

static const struct conf_key rule_keys[] = {
	CONF_KEY(struct rule_conf, "alert", alert, conf_raw, NULL, 0, "Name of the alert."),
	CONF_KEY(struct rule_conf, "record", record, conf_raw, NULL, 0, "Name of the series that keeps the result."),
	CONF_KEY(struct rule_conf, "expr", expr, conf_raw, NULL, CONF_REQUIRED, "PromQL."),
	CONF_KEY(struct rule_conf, "for", for_ms, conf_duration_ms, NULL, 0, "How long it must hold before it fires."),
	CONF_KEY(struct rule_conf, "keep_firing_for", keep_firing_for_ms, conf_duration_ms, NULL, 0, "How long it fires on after that."),
	CONF_KEY(struct rule_conf, "severity", severity, conf_raw, NULL, 0, "Short for labels: {severity: …}."),
	CONF_KEY(struct rule_conf, "labels", labels, conf_raw, NULL, 0, "Labels added; templates."),
	CONF_KEY(struct rule_conf, "annotations", annotations, conf_raw, NULL, 0, "Texts for people; templates."),
};
static const struct conf_table rule_table = { rule_keys, ARRAY_LEN(rule_keys), sizeof(struct rule_conf), NULL, NULL };

struct group_conf {
	struct str name;
	int64_t interval_ms, query_offset_ms, limit;
	const struct conf_node *labels, *rules;
};

static void group_init(void *to)
{
	((struct group_conf *)to)->query_offset_ms = -1;
}

static const struct conf_key group_keys[] = {
	CONF_KEY(struct group_conf, "name", name, conf_str, NULL, CONF_REQUIRED, "Name of the group."),
	CONF_KEY(struct group_conf, "interval", interval_ms, conf_duration_ms, NULL, 0, "How often it is evaluated."),
	CONF_KEY(struct group_conf, "query_offset", query_offset_ms, conf_duration_ms, NULL, 0, "How far in the past it looks."),
	CONF_KEY(struct group_conf, "limit", limit, conf_int, NULL, 0, "Most alerts or series of a rule; 0 or less: no limit."),
	CONF_KEY(struct group_conf, "labels", labels, conf_raw, NULL, 0, "Labels of every rule."),
	CONF_KEY(struct group_conf, "rules", rules, conf_raw, NULL, 0, "The rules."),
};
static const struct conf_table group_table = { group_keys, ARRAY_LEN(group_keys), sizeof(struct group_conf), group_init, NULL };

struct file_conf {
	const struct conf_node *groups;
};

static const struct conf_key file_keys[] = {
	CONF_KEY(struct file_conf, "groups", groups, conf_raw, NULL, 0, "The groups."),
};
static const struct conf_table file_table = { file_keys, ARRAY_LEN(file_keys), sizeof(struct file_conf), NULL, NULL };

struct loader {
	struct rule_file *file;
	const struct rules_options *options;
	struct conf_report *report;
	struct conf_reader reader;
	struct map identities;          /* key -> the rule that has it */
	struct str template_name;       /* of the rule being read, as errors show it */
};

/* ---- labels and annotations ---- */

struct texts {
	struct rule_text *v;
	size_t n;
};

static bool check_text(struct loader *l, const struct conf_pair *p, bool labels)
{
	struct str name = p->key->text;

	if (p->value->kind != CONF_SCALAR && p->value->kind != CONF_NULL)
		return conf_error(l->report, p->value, "\"" STR_FMT "\" must be a string, not %s", STR_ARG(name), conf_kind_name(p->value->kind));
	if (name.n == 0 || !str_is_utf8(name) || (labels && str_eq(name, STR(LABEL_NAME))))
		return conf_error(l->report, p->key, "\"" STR_FMT "\" cannot be the name of %s", STR_ARG(name),
		                  labels ? "a label" : "an annotation");
	return true;
}

/* The map's pairs as templates behind those <out> has; a name that is there already is replaced. */
static void read_texts(struct loader *l, const struct conf_node *map, bool labels, struct texts *out)
{
	struct rule_text *v;

	if (map == NULL || map->kind == CONF_NULL)
		return;
	if (map->kind != CONF_MAP) {
		conf_error(l->report, map, "%s must be a map of names to texts, not %s", labels ? "labels" : "annotations",
		           conf_kind_name(map->kind));
		return;
	}
	v = ARENA_ARRAY(&l->file->arena, out->n + map->n, struct rule_text);
	if (out->n > 0)
		memcpy(v, out->v, out->n * sizeof *v);
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_pair *p = &map->pairs[i];
		struct err e = { 0 };
		size_t at = 0;

		if (!check_text(l, p, labels))
			continue;
		while (at < out->n && !str_eq(v[at].name, p->key->text))
			at++;
		out->n += at == out->n;
		v[at] = (struct rule_text){ p->key->text, p->value->text, NULL };
		v[at].text = template_new(l->template_name, p->value->text, &rule_template_env, NULL, &e);
		if (v[at].text == NULL)
			conf_error_at(l->report, p->value, e.pos > 0 ? (size_t)e.pos : 0, "template: %s", e.msg);
	}
	out->v = v;
}

static struct labels raw_labels(struct arena *a, const struct texts *t)
{
	struct label *v = ARENA_ARRAY(a, t->n, struct label);
	struct labels l = { NULL, 0 };
	bool unique;

	for (size_t i = 0; i < t->n; i++)
		v[i] = (struct label){ t->v[i].name, t->v[i].source };
	unique = labels_from(v, t->n, &l, NULL);
	assert(unique);
	return l;
}

/* ---- directives ---- */

static bool directive_policy(struct str value, void *to)
{
	return rule_policy_parse(value, to);
}

static bool directive_duration(struct str value, void *to)
{
	return num_parse_duration_ms(value, to);
}

/* Annotations for us. Others that begin with tocsin_ are kept for the page and are never sent; a misspelt directive would be one of them. */
static const struct directive {
	const char *name;
	bool (*parse)(struct str, void *);
	size_t offset;
	const char *what;
} directives[] = {
	{ "tocsin_on_no_data", directive_policy, offsetof(struct rule_defaults, on_no_data), "keep, fire or resolve" },
	{ "tocsin_on_error", directive_policy, offsetof(struct rule_defaults, on_error), "keep, fire or resolve" },
	{ "tocsin_no_data_after", directive_duration, offsetof(struct rule_defaults, no_data_after_ms), "a duration such as 15m" },
};

static const struct directive *find_directive(struct str name)
{
	for (size_t d = 0; d < ARRAY_LEN(directives); d++)
		if (str_eq(name, str_of(directives[d].name)))
			return &directives[d];
	return NULL;
}

/* No error: the file may be meant for a later version too, and a file that is refused takes all of its rules along. */
static void warn_unknown(struct loader *l, const struct conf_node *key)
{
	const char *names[ARRAY_LEN(directives)], *nearest;

	if (!str_starts(key->text, STR(DIRECTIVE)) || str_eq(key->text, STR(DIRECTIVE "runbook_graph")))
		return;
	for (size_t d = 0; d < ARRAY_LEN(directives); d++)
		names[d] = directives[d].name;
	nearest = conf_nearest(key->text, names, ARRAY_LEN(names));
	if (nearest != NULL)
		conf_warn(l->report, key, STR_FMT " is no directive and has no effect: did you mean %s?", STR_ARG(key->text), nearest);
	else
		conf_warn(l->report, key, STR_FMT " is no directive and has no effect: there are %s, %s and %s", STR_ARG(key->text), names[0], names[1],
		          names[2]);
}

static void read_directives(struct loader *l, const struct conf_node *annotations, struct rule_defaults *policy)
{
	for (size_t i = 0; annotations != NULL && annotations->kind == CONF_MAP && i < annotations->n; i++) {
		const struct conf_pair *p = &annotations->pairs[i];
		const struct directive *d = find_directive(p->key->text);

		if (d == NULL)
			warn_unknown(l, p->key);
		else if (!d->parse(p->value->text, (char *)policy + d->offset))
			conf_error(l->report, p->value, "\"" STR_FMT "\" is not what %s takes: %s", STR_ARG(p->value->text), d->name, d->what);
	}
}

/* Directives moved behind the others; returns how many are sent. */
static size_t split_directives(struct texts *t)
{
	size_t sent = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!str_starts(t->v[i].name, STR(DIRECTIVE))) {
			struct rule_text keep = t->v[i];

			t->v[i] = t->v[sent];
			t->v[sent++] = keep;
		}
	return sent;
}

/* ---- rules ---- */

static void read_expr(struct loader *l, const struct conf_node *expr, struct rule *rule)
{
	struct err e = { 0 };

	if (expr->kind != CONF_SCALAR) {
		conf_error(l->report, expr, "expr must be a string, not %s", conf_kind_name(expr->kind));
		return;
	}
	rule->query = promql_query_new(expr->text, &l->options->promql, &e);
	if (rule->query == NULL) {
		conf_error_at(l->report, expr, e.pos > 0 ? (size_t)e.pos : 0, "%s", e.msg);
		return;
	}
	if (promql_query_type(rule->query) == PROMQL_MATRIX || promql_query_type(rule->query) == PROMQL_STRING)
		conf_error(l->report, expr, "the expression yields a %s, which fails at every evaluation: a rule needs an instant vector or a scalar",
		           promql_query_type(rule->query) == PROMQL_MATRIX ? "range vector" : "string");
}

static struct str read_name(struct loader *l, const struct rule_conf *c, const struct conf_node *at)
{
	const struct conf_node *name = c->alert != NULL ? c->alert : c->record;

	if (c->alert != NULL && c->record != NULL)
		conf_error(l->report, c->record, "a rule is either an alert or a recording, not both");
	if (name == NULL) {
		conf_error(l->report, at, "the rule has no name: \"alert: NAME\" or \"record: NAME\" is missing");
		return STR("");
	}
	if (name->kind != CONF_SCALAR || name->text.n == 0) {
		conf_error(l->report, name, "the rule's name must be a string that is not empty");
		return STR("");
	}
	if (c->record != NULL && (!str_is_utf8(name->text) || str_chr(name->text, '{') < name->text.n))
		conf_error(l->report, name, "\"" STR_FMT "\" cannot be the name of a series", STR_ARG(name->text));
	return name->text;
}

static void refuse_for_recordings(struct loader *l, const struct conf_node *map)
{
	static const char *const alert_only[] = { "for", "keep_firing_for", "annotations" };

	for (size_t i = 0; i < ARRAY_LEN(alert_only); i++) {
		const struct conf_node *v = conf_get(map, alert_only[i]);

		if (v != NULL)
			conf_error(l->report, v, "a recording rule takes no \"%s\"", alert_only[i]);
	}
}

/* File, group, name and labels; the same a second time gets a number, so that both keep their state apart. */
static void name_rule(struct loader *l, const struct rule_group *g, struct rule *rule, struct str name, const struct conf_node *at)
{
	struct arena *a = &l->file->arena;
	struct buf b = { 0 };
	size_t base;

	rule->id.file = g->file;
	rule->id.group = g->name;
	rule->id.name = name;
	rule->id.expr = rule->query != NULL ? promql_query_text(rule->query) : STR("");
	buf_printf(&b, STR_FMT ";" STR_FMT ";" STR_FMT ";", STR_ARG(g->file), STR_ARG(g->name), STR_ARG(name));
	labels_print(&b, rule->raw_labels);
	base = b.n;
	for (int i = 2; map_get(&l->identities, buf_str(&b)) != NULL; i++) {
		if (i == 2)
			conf_warn(l->report, at, "duplicate rule: \"" STR_FMT "\" with the same labels stands in this group before: "
			          "give one of them another name or label", STR_ARG(name));
		b.n = base;
		buf_printf(&b, "#%d", i);
	}
	rule->id.key = arena_str(a, buf_str(&b));
	map_put(&l->identities, rule->id.key, rule);
	buf_reset(&b);
	buf_puts(&b, l->options->external_url);
	buf_putz(&b, "/graph?g0.expr=");
	for (size_t i = 0; i < rule->id.expr.n; i++) {
		char c = rule->id.expr.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '~')
			buf_putc(&b, c);
		else if (c == ' ')
			buf_putc(&b, '+');
		else
			buf_printf(&b, "%%%02X", (unsigned char)c);
	}
	buf_putz(&b, "&g0.tab=1");
	rule->id.generator_url = arena_str(a, buf_str(&b));
	buf_fini(&b);
}

static void add_severity(struct loader *l, const struct conf_node *severity, struct texts *labels)
{
	struct conf_node key = { .kind = CONF_SCALAR, .text = STR("severity") };
	struct conf_node value;
	struct conf_pair pair = { &key, &value };
	struct conf_node map = { .kind = CONF_MAP, .pairs = &pair, .n = 1 };

	if (severity == NULL)
		return;
	value = *severity;
	read_texts(l, &map, true, labels);
}

static void read_rule(struct loader *l, const struct rule_group *g, const struct conf_node *group_labels,
                      const struct conf_node *node, struct rule *rule)
{
	struct texts labels = { 0 }, annotations = { 0 };
	struct rule_conf c = { 0 };
	struct str name;

	if (node->kind != CONF_MAP) {
		conf_error(l->report, node, "a rule must be a map, not %s", conf_kind_name(node->kind));
		return;
	}
	if (!conf_read(&l->reader, &rule_table, node, &c) && c.expr == NULL)
		return;
	name = read_name(l, &c, node);
	l->template_name = arena_printf(&l->file->arena, "__alert_" STR_FMT, STR_ARG(name));
	rule->recording = c.record != NULL;
	rule->for_ms = c.for_ms;
	rule->keep_firing_for_ms = c.keep_firing_for_ms;
	rule->policy = l->options->defaults;
	if (rule->policy.no_data_after_ms == 0)
		rule->policy.no_data_after_ms = RULE_NO_DATA_AFTER_MS;
	if (rule->recording)
		refuse_for_recordings(l, node);
	read_expr(l, c.expr, rule);
	read_texts(l, group_labels, true, &labels);
	add_severity(l, c.severity, &labels);
	read_texts(l, c.labels, true, &labels);
	read_texts(l, c.annotations, false, &annotations);
	read_directives(l, c.annotations, &rule->policy);
	rule->raw_labels = raw_labels(&l->file->arena, &labels);
	rule->raw_annotations = raw_labels(&l->file->arena, &annotations);
	rule->labels = labels.v;
	rule->n_labels = labels.n;
	rule->annotations = annotations.v;
	rule->n_annotations = split_directives(&annotations);
	rule->n_directives = annotations.n - rule->n_annotations;
	name_rule(l, g, rule, name, node);
	if (rule->query != NULL)
		rule_lint(rule, c.expr, c.severity, l->report);
}

static void read_rules(struct loader *l, struct rule_group *g, const struct conf_node *group_labels, const struct conf_node *list)
{
	if (list == NULL || list->kind == CONF_NULL)
		return;
	if (list->kind != CONF_SEQ) {
		conf_error(l->report, list, "rules must be a list, not %s", conf_kind_name(list->kind));
		return;
	}
	g->rules = ARENA_ARRAY(&l->file->arena, list->n, struct rule);
	g->n_rules = list->n;
	for (size_t i = 0; i < list->n; i++)
		read_rule(l, g, group_labels, list->items[i], &g->rules[i]);
}

static void read_group(struct loader *l, const struct conf_node *node, struct rule_group *g)
{
	struct group_conf c = { 0 };

	g->file = l->file->path;
	if (node->kind != CONF_MAP) {
		conf_error(l->report, node, "a group must be a map, not %s", conf_kind_name(node->kind));
		return;
	}
	if (conf_read(&l->reader, &group_table, node, &c) && c.name.n == 0)
		conf_error(l->report, conf_get(node, "name"), "the group's name is empty: each group of a file needs its own");
	g->name = c.name;
	g->interval_ms = c.interval_ms > 0 ? c.interval_ms : l->options->interval_ms > 0 ? l->options->interval_ms : RULE_INTERVAL_MS;
	g->query_offset_ms = c.query_offset_ms >= 0 ? c.query_offset_ms : l->options->query_offset_ms;
	g->limit = c.limit > 0 ? (size_t)c.limit : 0;
	for (const struct rule_group *o = l->file->groups; o < g; o++)
		if (str_eq(o->name, g->name))
			conf_error(l->report, node, "the group name \"" STR_FMT "\" is repeated in this file: each needs its own", STR_ARG(g->name));
	read_rules(l, g, c.labels, c.rules);
}

/* ops/fairedge.yml -> fairedge */
static struct str base_name(struct str path)
{
	size_t beg = path.n, end;

	while (beg > 0 && path.p[beg - 1] != '/')
		beg--;
	for (end = path.n; end > beg + 1 && path.p[end - 1] != '.'; end--)
		;
	return (struct str){ path.p + beg, (end > beg + 1 ? end - 1 : path.n) - beg };
}

static void read_flat(struct loader *l, const struct conf_node *root)
{
	struct rule_group *g = ARENA_NEW(&l->file->arena, struct rule_group);

	g->file = l->file->path;
	g->name = arena_str(&l->file->arena, base_name(l->file->path));
	g->interval_ms = l->options->interval_ms > 0 ? l->options->interval_ms : RULE_INTERVAL_MS;
	g->query_offset_ms = l->options->query_offset_ms;
	l->file->groups = g;
	l->file->n_groups = 1;
	read_rules(l, g, NULL, root);
}

static void read_groups(struct loader *l, const struct conf_node *root)
{
	struct file_conf c = { 0 };

	if (root->kind != CONF_MAP && root->kind != CONF_NULL) {
		conf_error(l->report, root, "a rule file is a map with \"groups:\", or a list of rules; this is %s", conf_kind_name(root->kind));
		return;
	}
	conf_read(&l->reader, &file_table, root, &c);
	if (c.groups == NULL)
		return;
	if (c.groups->kind != CONF_SEQ) {
		conf_error(l->report, c.groups, "groups must be a list, not %s", conf_kind_name(c.groups->kind));
		return;
	}
	l->file->groups = ARENA_ARRAY(&l->file->arena, c.groups->n, struct rule_group);
	l->file->n_groups = c.groups->n;
	for (size_t i = 0; i < c.groups->n; i++)
		read_group(l, c.groups->items[i], &l->file->groups[i]);
}

static struct rule_file *new_file(struct str path)
{
	struct rule_file *f = mem_alloc(sizeof *f);

	atomic_init(&f->refs, 1);
	f->path = arena_str(&f->arena, path);
	return f;
}

static struct rule_file *finish(struct rule_file *f, const struct conf_node *root, const struct rules_options *options,
                                struct conf_report *report, size_t errors_before)
{
	struct loader l = { .file = f, .options = options, .report = report };

	l.reader.arena = &f->arena;
	l.reader.report = report;
	f->text = root != NULL && root->file != NULL ? root->file->text : STR("");
	if (root != NULL && root->kind == CONF_SEQ)
		read_flat(&l, root);
	else if (root != NULL)
		read_groups(&l, root);
	map_fini(&l.identities);
	conf_release(l.reader.held);
	if (root != NULL && report->n_errors == errors_before)
		return f;
	rule_file_unref(f);
	return NULL;
}

struct rule_file *rule_file_load(const char *path, const struct rules_options *options, struct conf_report *report)
{
	struct rule_file *f = new_file(str_of(path));
	size_t before = report->n_errors;

	return finish(f, conf_load(&f->arena, path, report), options, report, before);
}

struct rule_file *rule_file_load_text(struct str path, struct str text, const struct rules_options *options,
                                      struct conf_report *report)
{
	struct rule_file *f = new_file(path);
	size_t before = report->n_errors;

	return finish(f, conf_load_text(&f->arena, path, text, report), options, report, before);
}

struct rule_file *rule_file_ref(struct rule_file *f)
{
	atomic_fetch_add(&f->refs, 1);
	return f;
}

static void free_texts(const struct rule_text *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		template_free(v[i].text);
}

void rule_file_unref(struct rule_file *f)
{
	if (atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	for (size_t g = 0; g < f->n_groups; g++)
		for (size_t i = 0; i < f->groups[g].n_rules; i++) {
			struct rule *r = &f->groups[g].rules[i];

			promql_query_free(r->query);
			free_texts(r->labels, r->n_labels);
			free_texts(r->annotations, r->n_annotations + r->n_directives);
		}
	arena_fini(&f->arena);
	free(f);
}
