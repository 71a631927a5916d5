/* Reading the alerter's configuration. Files become trees, trees are laid over each other (config_merge.c), and the one tree that
 * results is read by its owners: scrape, notify, rules' defaults, and the few keys that are the program's own. */
#include "config.h"

#include "config_merge.h"

#include <ctype.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "tocsin/glob.h"
#include "tocsin/mem.h"

struct root {
	const struct conf_node *global, *scrape_configs;
	struct conf_strs rule_files, health_gauges;
	struct rule_defaults rule_defaults;
	struct config_storage storage;
	const struct conf_node *ignored;
};

/* `global:` belongs to several: scraping's rows are joined to these at run time. */
struct global {
	struct scrape_defaults scrape;
	struct config_global own;
	const struct conf_node *ignored;
};

static const struct conf_range positive = { 1, INT64_MAX }, not_negative = { 0, INT64_MAX };

enum { DEFAULT_EVALUATION_MS = 60000 };
static const char *const policy_names[] = { "keep", "fire", "resolve", NULL };

static const struct conf_key defaults_keys[] = {
	CONF_KEY_ARG(struct rule_defaults, "on_no_data", on_no_data, conf_enum, "keep", CONF_RELOAD, "What a firing alert does while nothing is known.", policy_names),
	CONF_KEY_ARG(struct rule_defaults, "on_error", on_error, conf_enum, "keep", CONF_RELOAD, "What it does while its rule fails.", policy_names),
	CONF_KEY_ARG(struct rule_defaults, "no_data_after", no_data_after_ms, conf_duration_ms, "15m", CONF_RELOAD, "After this long unknown, its messages say so.", &positive),
};
static const struct conf_table defaults_table = { defaults_keys, ARRAY_LEN(defaults_keys), sizeof(struct rule_defaults), NULL, NULL };

/* ---- storage ---- */

static const struct conf_range window = { 0, INT64_C(366) * 86400000 };

static bool warn_unused(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	(void)to;
	conf_warn(rd->report, node, "%s is not honoured: %s", key->name, (const char *)key->arg);
	return true;
}

static const struct conf_key tsdb_keys[] = {
	CONF_KEY_ARG(struct config_storage, "out_of_order_time_window", late_window_ms, conf_duration_ms, "0s", CONF_RELOAD,
	             "Samples older than the last one of their series are taken when they are no older than this.", &window),
	{ "retention", warn_unused, 0, NULL, CONF_RELOAD, NULL, "samples are kept as --storage.retention says" },
	{ "stale_series_compaction_threshold", warn_unused, 0, NULL, CONF_RELOAD, NULL, "series that ended leave memory by themselves" },
};
static const struct conf_table tsdb_table = { tsdb_keys, ARRAY_LEN(tsdb_keys), sizeof(struct config_storage), NULL, NULL };

static const struct conf_range exemplars = { INT64_MIN, 10000000 };

static const struct conf_key exemplar_keys[] = {
	CONF_KEY_ARG(struct config_storage, "max_exemplars", max_exemplars, conf_int, "10000", CONF_RELOAD,
	             "How many are kept, in memory, of all series; 0: none.", &exemplars),
};
static const struct conf_table exemplar_table = { exemplar_keys, ARRAY_LEN(exemplar_keys), sizeof(struct config_storage), NULL, NULL };

static const struct conf_key storage_keys[] = {
	{ "tsdb", conf_sub, 0, NULL, CONF_RELOAD, NULL, &tsdb_table },
	{ "exemplars", conf_sub, 0, NULL, CONF_RELOAD, "Exemplars of OpenMetrics.", &exemplar_table },
};
static const struct conf_table storage_table = { storage_keys, ARRAY_LEN(storage_keys), sizeof(struct config_storage), NULL, NULL };

static const struct conf_key global_keys[] = {
	CONF_KEY_ARG(struct global, "evaluation_interval", own.evaluation_interval_ms, conf_duration_ms, "1m", CONF_RELOAD, "How often rules are evaluated; 0s: the default.", &not_negative),
	CONF_KEY(struct global, "rule_query_offset", own.rule_query_offset_ms, conf_duration_ms, "0s", CONF_RELOAD, "How far in the past rules look."),
	CONF_KEY(struct global, "external_labels", own.external_labels, conf_labels, NULL, CONF_RELOAD, "Labels on everything that leaves."),
};

static const struct conf_key root_keys[] = {
	CONF_KEY(struct root, "global", global, conf_raw, NULL, CONF_RELOAD, "Defaults; see below."),
	CONF_KEY(struct root, "rule_files", rule_files, conf_path_seq, NULL, CONF_RELOAD, "Rule files; globs are allowed."),
	CONF_KEY(struct root, "scrape_configs", scrape_configs, conf_raw, NULL, CONF_RELOAD, "What is scraped, as in prometheus.yml."),
	CONF_KEY(struct root, "scrape_config_files", ignored, conf_raw, NULL, CONF_RELOAD, "Files with further scrape_configs; globs are allowed."),
	CONF_KEY(struct root, "health_gauges", health_gauges, conf_str_list, NULL, CONF_RELOAD, "Gauges that say whether a target knows: *_up, probe_success, *_collector_success."),
	CONF_KEY_ARG(struct root, "rule_defaults", rule_defaults, conf_sub, NULL, CONF_RELOAD, "What rules do that do not say.", &defaults_table),
	CONF_KEY_ARG(struct root, "storage", storage, conf_sub, NULL, CONF_RELOAD, "How samples are kept.", &storage_table),
	CONF_KEY(struct root, "prometheus_config", ignored, conf_raw, NULL, CONF_RELOAD, "A prometheus.yml to take as it is."),
	CONF_KEY(struct root, "alertmanager_config", ignored, conf_raw, NULL, CONF_RELOAD, "An alertmanager.yml to take as it is."),
};

/* Of prometheus.yml, and nothing to a program that stores and delivers itself. */
static const struct {
	const char *key, *why;
} ignored_keys[] = {
	{ "tracing", "there is no tracing" },
	{ "runtime", "there is nothing to tune" },
	{ "otlp", "OTLP is not received" },
	{ "remote_write", "samples are not sent on" },
	{ "remote_read", "samples are not read from elsewhere" },
};

enum { MAX_KEYS = 64 };

/* Rows of several owners as one table. */
struct joined {
	struct conf_key keys[MAX_KEYS];
	struct conf_table table;
};

static void join(struct joined *j, const struct conf_key *keys, size_t n, size_t offset)
{
	for (size_t i = 0; i < n && j->table.n < MAX_KEYS; i++) {
		j->keys[j->table.n] = keys[i];
		j->keys[j->table.n++].offset += offset;
	}
	j->table.keys = j->keys;
}

/* A key that others read from the same map; what it holds goes to <offset>, and nowhere else. */
static void join_raw(struct joined *j, const char *name, size_t offset)
{
	const struct conf_key key = { name, conf_raw, offset, NULL, CONF_RELOAD, NULL, NULL };

	join(j, &key, 1, 0);
}

static struct joined *root_table(struct arena *a)
{
	struct joined *j = ARENA_NEW(a, struct joined);

	j->table.bytes = sizeof(struct root);
	join(j, root_keys, ARRAY_LEN(root_keys), 0);
	for (size_t i = 0; i < notify_config_key_count; i++)
		if (!str_eq(str_of(notify_config_keys[i]), STR("global")))
			join_raw(j, notify_config_keys[i], offsetof(struct root, ignored));
	for (size_t i = 0; i < notify_own_key_count; i++)
		join_raw(j, notify_own_keys[i], offsetof(struct root, ignored));
	for (size_t i = 0; i < ARRAY_LEN(ignored_keys); i++)
		join_raw(j, ignored_keys[i].key, offsetof(struct root, ignored));
	return j;
}

static struct joined *global_table(struct arena *a)
{
	struct joined *j = ARENA_NEW(a, struct joined);

	_Static_assert(offsetof(struct global, scrape) == 0, "scraping checks its own part, which it finds at the beginning");
	j->table.check = scrape_global_table.check;
	j->table.bytes = sizeof(struct global);
	join(j, scrape_global_table.keys, scrape_global_table.n, offsetof(struct global, scrape));
	join(j, global_keys, ARRAY_LEN(global_keys), 0);
	for (size_t i = 0; i < notify_global_key_count; i++)
		join_raw(j, notify_global_keys[i], offsetof(struct global, ignored));
	return j;
}

static struct conf_node *load_named(struct config *c, const struct conf_node *root, const char *key, struct conf_report *report)
{
	const struct conf_node *at = conf_get(root, key);
	struct conf_node *node = NULL;
	struct str path;
	struct conf_reader rd = { .arena = &c->arena, .report = report };

	if (at == NULL || at->kind == CONF_NULL)
		return NULL;
	if (conf_path(&rd, NULL, at, &path))
		node = conf_load(&c->arena, path.p, report);
	return node;
}

/* A file of scrape_config_files holds jobs and nothing else. */
static struct conf_node *load_jobs(struct config *c, const char *path, struct conf_report *report)
{
	struct conf_node *root = conf_load(&c->arena, path, report);

	for (size_t i = 0; root != NULL && root->kind == CONF_MAP && i < root->n; i++)
		if (!str_eq(root->pairs[i].key->text, STR("scrape_configs")))
			conf_error(report, root->pairs[i].key, "a file of scrape_config_files holds scrape_configs alone: move \"" STR_FMT "\" to the main file",
			           STR_ARG(root->pairs[i].key->text));
	if (root != NULL && root->kind != CONF_MAP && root->kind != CONF_NULL)
		conf_error(report, root, "this is %s: write a map with scrape_configs: …", conf_kind_name(root->kind));
	return root;
}

/* The jobs of scrape_config_files stand behind those of the main file. */
static struct conf_node *with_scrape_files(struct config *c, struct conf_node *tree, struct conf_report *report)
{
	static const struct conf_key key = { .name = "scrape_config_files" };
	const struct conf_node *list = conf_get(tree, key.name);
	struct conf_reader rd = { .arena = &c->arena, .report = report };
	struct conf_strs patterns = { 0 };

	if (list == NULL || list->kind == CONF_NULL || !conf_path_seq(&rd, &key, list, &patterns))
		return tree;
	for (size_t i = 0; i < patterns.n; i++) {
		glob_t found;

		if (glob_files(patterns.v[i].p, &found) != 0 && glob_is_pattern(patterns.v[i].p))
			conf_warn(report, list->items[i], "no file fits: no job comes from here");
		else if (found.gl_pathc == 0)
			tree = config_merge(&c->arena, tree, load_jobs(c, patterns.v[i].p, report));
		for (size_t k = 0; k < found.gl_pathc; k++)
			tree = config_merge(&c->arena, tree, load_jobs(c, found.gl_pathv[k], report));
		globfree(&found);
	}
	return tree;
}

/* One tree out of all files. */
static struct conf_node *load_tree(struct config *c, const struct config_options *o, struct conf_report *report)
{
	struct conf_node *root = conf_load(&c->arena, o->path, report), *base;

	if (root == NULL)
		return NULL;
	if (root->kind == CONF_NULL) {
		conf_warn(report, root, "the configuration is empty: nothing is scraped");
		root->kind = CONF_MAP;
	}
	if (root->kind != CONF_MAP) {
		conf_error(report, root, "the configuration is %s: write a map, such as scrape_configs: …", conf_kind_name(root->kind));
		return NULL;
	}
	base = config_merge(&c->arena, load_named(c, root, "prometheus_config", report), load_named(c, root, "alertmanager_config", report));
	if (o->alertmanager_path != NULL)
		base = config_merge(&c->arena, base, conf_load(&c->arena, o->alertmanager_path, report));
	return with_scrape_files(c, config_merge(&c->arena, base, root), report);
}

static void warn_ignored(const struct conf_node *root, struct conf_report *report)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored_keys); i++) {
		const struct conf_node *at = conf_get(root, ignored_keys[i].key);

		if (at != NULL && at->kind != CONF_NULL)
			conf_warn(report, at, "%s is not honoured: %s", ignored_keys[i].key, ignored_keys[i].why);
	}
}

/* The name behind a '$', as a shell has it: word, {word}, or one sign such as $. */
static struct str cut_variable(struct str *rest)
{
	struct str name = { rest->p, 0 };
	size_t used;

	if (rest->n > 0 && rest->p[0] == '{') {
		size_t end = str_chr(*rest, '}');

		used = end < rest->n ? end + 1 : 1;
		name = (struct str){ rest->p + 1, used > 1 ? end - 1 : 0 };
	} else {
		while (name.n < rest->n && (isalnum((unsigned char)name.p[name.n]) || name.p[name.n] == '_'))
			name.n++;
		name.n += name.n == 0 && rest->n > 0 && rest->p[0] == '$';
		used = name.n;
	}
	*rest = (struct str){ rest->p + used, rest->n - used };
	return name;
}

/* $NAME and ${NAME} of the environment, $$ a dollar, as in Prometheus 3; one that is not set is empty, with a warning. */
static struct str expand_environment(struct arena *a, struct str text, const struct conf_node *node, struct conf_report *report)
{
	struct buf b = { 0 };
	struct str out;

	for (size_t at; (at = str_chr(text, '$')) < text.n;) {
		struct str rest = { text.p + at + 1, text.n - at - 1 }, name;
		const char *value;

		buf_puts(&b, (struct str){ text.p, at });
		name = cut_variable(&rest);
		value = str_eq(name, STR("$")) || (name.n == 0 && rest.p == text.p + at + 1) ? "$" : getenv(arena_strz(a, name));
		if (value == NULL)
			conf_warn(report, node, "environment variable \"" STR_FMT "\" is not set: it stands for nothing ($$ is a dollar)", STR_ARG(name));
		buf_putz(&b, value != NULL ? value : "");
		text = rest;
	}
	buf_puts(&b, text);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static void take_external_labels(struct config *c, const struct conf_node *global, struct conf_report *report)
{
	struct str dup;

	for (size_t i = 0; i < c->global.external_labels.n; i++) {
		struct label *l = &c->global.external_labels.v[i];

		l->value = expand_environment(&c->arena, l->value, conf_get(global, "external_labels"), report);
		if (l->name.n == 0)
			conf_error(report, conf_get(global, "external_labels"), "a label has no name: write one");
	}

	if (!labels_from(c->global.external_labels.v, c->global.external_labels.n, &c->external_labels, &dup))
		conf_error(report, conf_get(global, "external_labels"), "label " STR_FMT " is given twice: keep one", STR_ARG(dup));
}

/* Without what is ours, wherever routes and receivers may have it. */
static struct conf_node *without_ours(struct arena *a, struct conf_node *node)
{
	static const char *const ours[] = { "statuspage_configs", "escalation", "signing_secret", "signing_secret_file" };
	static const char *const inside[] = { "route", "routes", "receivers", "webhook_configs" };
	struct conf_node *out = config_pick(a, node, ours, ARRAY_LEN(ours), false);

	if (node->kind == CONF_SEQ) {
		out->items = ARENA_ARRAY(a, node->n + 1, struct conf_node *);
		for (size_t i = 0; i < node->n; i++)
			out->items[i] = without_ours(a, node->items[i]);
	}
	for (size_t i = 0; out->kind == CONF_MAP && i < out->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(inside); k++)
			if (str_eq(out->pairs[i].key->text, str_of(inside[k])))
				out->pairs[i].value = without_ours(a, out->pairs[i].value);
	return out;
}

/* What an Alertmanager, or amtool, reads without complaint. */
static struct conf_node *alertmanager_part(struct arena *a, const struct conf_node *root)
{
	struct conf_node *out = config_pick(a, root, notify_config_keys, notify_config_key_count, true);
	const struct conf_node *global = conf_get(root, "global");

	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->pairs[i].key->text, STR("route")) || str_eq(out->pairs[i].key->text, STR("receivers")))
			out->pairs[i].value = without_ours(a, out->pairs[i].value);
	for (size_t i = 0; i < root->n && global != NULL; i++)
		if (root->pairs[i].value == global && out->n < root->n)
			out->pairs[out->n++] = (struct conf_pair){
				root->pairs[i].key, config_pick(a, global, notify_global_keys, notify_global_key_count, true) };
	return out;
}

static void put_redacted(struct config *c, const struct conf_node *root)
{
	static const struct conf_table nothing = { 0 };
	struct arena a = { 0 };

	conf_print_redacted(&c->redacted, &nothing, config_redact(&a, root));
	conf_print_redacted(&c->alertmanager_redacted, &nothing, config_redact(&a, alertmanager_part(&a, root)));
	arena_fini(&a);
}

/* Queries for metrics of status pages. */
static void check_points(const struct notify_config *notify, struct conf_report *report)
{
	const struct notify_point_source *v = NULL;
	size_t n = notify != NULL ? notify_config_points(notify, &v) : 0;

	for (size_t i = 0; i < n; i++) {
		struct err e = { 0 };
		struct promql_query *query = promql_query_new(v[i].query, NULL, &e);

		if (query == NULL)
			conf_error(report, v[i].at, "%s", e.msg);
		promql_query_free(query);
	}
}

/* A list of globs of which one fits nothing looks as if all were well. */
static void warn_empty_globs(const struct config *c, const struct conf_node *list, struct conf_report *report)
{
	for (size_t i = 0; i < c->rule_files.n; i++) {
		const struct conf_node *node = list != NULL && list->kind == CONF_SEQ && i < list->n ? list->items[i] : list;
		glob_t found;

		if (glob_files(c->rule_files.v[i].p, &found) == GLOB_NOMATCH && glob_is_pattern(c->rule_files.v[i].p))
			conf_warn(report, node, "no file fits: no rule comes from here");
		globfree(&found);
	}
}

static void read_tree(struct config *c, const struct conf_node *tree, struct conf_report *report)
{
	struct conf_reader rd = { .arena = &c->arena, .report = report };
	struct root root = { 0 };
	struct global global = { 0 };

	conf_read(&rd, &root_table(&c->arena)->table, tree, &root);
	conf_read(&rd, &global_table(&c->arena)->table, root.global, &global);
	if (global.own.evaluation_interval_ms == 0)
		global.own.evaluation_interval_ms = DEFAULT_EVALUATION_MS;
	warn_ignored(tree, report);
	scrape_config_read(&rd, root.scrape_configs, &global.scrape, &c->scrape);
	scrape_config_read_finders(&rd, conf_get(conf_get(tree, "alerting"), "alertmanagers"), &c->scrape);
	c->notify = notify_config_parse(tree, report);
	c->scrape.finders_of = c->notify;
	check_points(c->notify, report);
	c->held = rd.held;
	c->global = global.own;
	c->rule_files = root.rule_files;
	warn_empty_globs(c, conf_get(tree, "rule_files"), report);
	c->scrape.health_gauges = root.health_gauges;
	c->rule_defaults = root.rule_defaults;
	c->storage = root.storage;
	if (c->storage.max_exemplars < 0)
		c->storage.max_exemplars = 0;
	take_external_labels(c, root.global, report);
	if (c->notify != NULL)
		notify_config_set_external_labels(c->notify, c->external_labels);
	put_redacted(c, tree);
}

struct config *config_load(const struct config_options *o, struct conf_report *report)
{
	struct config *c = mem_alloc(sizeof *c);
	struct conf_node *tree;

	c->path = arena_str(&c->arena, str_of(o->path));
	tree = load_tree(c, o, report);
	if (tree != NULL)
		read_tree(c, tree, report);
	if (tree != NULL && report->n_errors == 0)
		return c;
	config_free(c);
	return NULL;
}

struct notify_config *config_take_notify(struct config *c)
{
	struct notify_config *n = c->notify;

	c->notify = NULL;
	return n;
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	if (c->notify != NULL)
		notify_config_free(c->notify);
	conf_release(c->held);
	buf_fini(&c->redacted);
	buf_fini(&c->alertmanager_redacted);
	arena_fini(&c->arena);
	free(c);
}

void config_print_help(struct buf *out)
{
	struct arena a = { 0 };

	conf_print_help(out, &root_table(&a)->table);
	buf_putz(out, "\nglobal:\n");
	conf_print_help(out, &global_table(&a)->table);
	arena_fini(&a);
}
