/* Target groups as text: JSON from URLs and *.json files, YAML from the others. An empty text is an error, not a list without targets:
 * whoever truncates a file before writing it anew takes no target away. */
#include <jansson.h>
#include <stdio.h>

#include "scrape/config.h"
#include "scrape/discovery.h"

struct scrape_static *sd_answer_group(struct sd_answer *a)
{
	a->groups = arena_grow(&a->arena, a->groups, a->n, &a->cap, a->n + 1, sizeof *a->groups);
	a->groups[a->n] = (struct scrape_static){ 0 };
	return &a->groups[a->n++];
}

static void add_meta(struct sd_answer *a, struct scrape_static *g, const char *meta, struct str name)
{
	struct label *v = ARENA_ARRAY(&a->arena, g->labels.n + 1, struct label);

	for (size_t i = 0; i < g->labels.n; i++)
		v[i] = g->labels.v[i];
	v[g->labels.n] = (struct label){ str_of(meta), arena_str(&a->arena, name) };
	g->labels = (struct conf_labels){ v, g->labels.n + 1 };
}

static bool count_targets(struct sd_answer *a, size_t n, struct err *e)
{
	a->targets += n;
	return a->targets <= SD_TARGETS_MAX || err_set(e, ERR_LIMIT, -1, "more than %d targets", SD_TARGETS_MAX);
}

/* ---- JSON ---- */

static struct str json_text(struct sd_answer *a, const json_t *v)
{
	return arena_str(&a->arena, (struct str){ json_string_value(v), json_string_length(v) });
}

static bool json_targets(struct sd_answer *a, struct scrape_static *g, const json_t *list, size_t at, struct err *e)
{
	struct str *v = ARENA_ARRAY(&a->arena, json_array_size(list), struct str);

	if (!json_is_null(list) && !json_is_array(list))
		return err_set(e, ERR_BAD_INPUT, -1, "group %zu: \"targets\" is no list", at);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!json_is_string(json_array_get(list, i)))
			return err_set(e, ERR_BAD_INPUT, -1, "group %zu: target %zu is no string", at, i);
		v[i] = json_text(a, json_array_get(list, i));
	}
	g->targets = (struct conf_strs){ v, json_array_size(list) };
	return count_targets(a, g->targets.n, e);
}

static bool json_labels(struct sd_answer *a, struct scrape_static *g, json_t *map, size_t at, struct err *e)
{
	struct label *v = ARENA_ARRAY(&a->arena, json_object_size(map), struct label);
	const char *name;
	json_t *value;
	size_t n = 0;

	if (!json_is_null(map) && !json_is_object(map))
		return err_set(e, ERR_BAD_INPUT, -1, "group %zu: \"labels\" is no object", at);
	json_object_foreach (map, name, value) {
		if (json_is_null(value))
			continue;
		if (!json_is_string(value))
			return err_set(e, ERR_BAD_INPUT, -1, "group %zu: label \"%.60s\" is no string", at, name);
		if (*name == '\0')
			return err_set(e, ERR_BAD_INPUT, -1, "group %zu: a label has no name", at);
		v[n++] = (struct label){ arena_str(&a->arena, str_of(name)), json_text(a, value) };
	}
	g->labels = (struct conf_labels){ v, n };
	return true;
}

/* Names are taken in any case, and null is nothing, as in Go: programs written in it say "labels": null. */
static bool json_group(struct sd_answer *a, struct scrape_static *g, json_t *group, size_t at, struct err *e)
{
	const char *name;
	json_t *value;

	json_object_foreach (group, name, value) {
		bool ok;

		if (str_eq_nocase(str_of(name), STR("targets")))
			ok = json_targets(a, g, value, at, e);
		else if (str_eq_nocase(str_of(name), STR("labels")))
			ok = json_labels(a, g, value, at, e);
		else
			ok = err_set(e, ERR_BAD_INPUT, -1, "group %zu: \"%.60s\" is neither targets nor labels", at, name);
		if (!ok)
			return false;
	}
	return true;
}

static bool json_groups(struct sd_answer *a, const json_t *root, const char *meta, struct str name, struct err *e)
{
	if (!json_is_array(root))
		return err_set(e, ERR_BAD_INPUT, -1, "this is no list of target groups: write [{\"targets\": [\"host:port\"]}]");
	for (size_t i = 0; i < json_array_size(root); i++) {
		json_t *item = json_array_get(root, i);
		struct scrape_static *g = sd_answer_group(a);

		if (!json_is_object(item))
			return err_set(e, ERR_BAD_INPUT, -1, "group %zu is no object", i);
		if (!json_group(a, g, item, i, e))
			return false;
		add_meta(a, g, meta, name);
	}
	return true;
}

bool sd_answer_json(struct sd_answer *a, struct str text, const char *meta, struct str name, struct err *e)
{
	json_error_t wrong;
	json_t *root = json_loadb(text.p != NULL ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &wrong);
	bool ok;

	if (root == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "%d:%d: %s", wrong.line, wrong.column, text.n == 0 ? "it is empty" : wrong.text);
	ok = json_groups(a, root, meta, name, e);
	json_decref(root);
	return ok;
}

/* ---- YAML ---- */

/* The first error, in one line. */
static bool first_error(const struct conf_report *r, struct err *e)
{
	const struct conf_diag *d = r->v;

	while (d->warning)
		d++;
	return err_set(e, ERR_BAD_INPUT, -1, "%d:%d: " STR_FMT, d->line, d->col, STR_ARG(d->message));
}

bool sd_answer_yaml(struct sd_answer *a, struct str text, const char *meta, struct str name, struct err *e)
{
	static const struct conf_key row = { "target groups", conf_sub_list, 0, NULL, 0, NULL, &scrape_static_table };
	struct conf_report report = { 0 };
	struct conf_reader rd = { .arena = &a->arena, .report = &report };
	const struct conf_node *root = conf_load_text(&a->arena, name, text, &report);
	struct conf_list list = { 0 };
	bool ok = true;

	if (report.n_errors == 0 && root->kind == CONF_NULL)
		ok = err_set(e, ERR_BAD_INPUT, -1, "it is empty: write [] for no targets");
	else if (report.n_errors == 0)
		(void)!conf_sub_list(&rd, &row, root, &list);
	if (report.n_errors > 0)
		ok = first_error(&report, e);
	a->groups = list.v;
	a->n = a->cap = list.n;
	for (size_t i = 0; ok && i < a->n; i++) {
		add_meta(a, &a->groups[i], meta, name);
		ok = count_targets(a, a->groups[i].targets.n, e);
	}
	conf_report_fini(&report);
	conf_release(rd.held);
	return ok;
}
