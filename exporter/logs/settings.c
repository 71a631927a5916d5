/* Tables, and what concerns several keys of a rule: which groups its pattern has, where labels come from. */
#include "logs/settings.h"

#include "pointer.h"
#include "walk.h"

static const char *const type_names[] = { "counter", "histogram", NULL };
static const char *const first_names[] = { "end", "beginning", NULL };
static const struct conf_range top_range = { 1, 10000 }, interval_range = { 100, 60000 }, line_range = { 256, 1 << 20 },
    files_range = { 1, 10000 };

/* ---- Parsers of our own ---- */

static bool conf_conditions(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct logs_conditions *c = to;
	bool ok = true;

	if (n->kind != CONF_MAP)
		return conf_error(rd->report, n, "where is %s: write a map of JSON fields to regular expressions", conf_kind_name(n->kind));
	c->v = ARENA_ARRAY(rd->arena, n->n, struct logs_condition);
	for (c->n = 0; c->n < n->n; c->n++) {
		c->v[c->n].field = n->pairs[c->n].key->text;
		ok &= conf_regex(rd, key, n->pairs[c->n].value, &c->v[c->n].re);
	}
	return ok;
}

static bool conf_bounds(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct logs_bounds *b = to;

	if (n->kind != CONF_SEQ || n->n == 0)
		return conf_error(rd->report, n, "buckets is %s: write a list of rising numbers", conf_kind_name(n->kind));
	if (n->n > LOGS_BUCKETS_MAX)
		return conf_error(rd->report, n, "%zu buckets: at most %d (LOGS_BUCKETS_MAX)", n->n, LOGS_BUCKETS_MAX);
	for (b->n = 0; b->n < n->n; b->n++) {
		if (!conf_double(rd, key, n->items[b->n], &b->v[b->n]))
			return false;
		if (!(b->v[b->n] < (double)__builtin_inff()) || (b->n > 0 && !(b->v[b->n] > b->v[b->n - 1])))
			return conf_error(rd->report, n->items[b->n], "buckets must rise, and +Inf comes by itself");
	}
	return true;
}

/* ---- A rule ---- */

static const struct conf_key rule_keys[] = {
	CONF_KEY(struct logs_rule, "name", name, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "Name of the metric."),
	CONF_KEY(struct logs_rule, "help", help, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "What it says."),
	CONF_KEY_ARG(struct logs_rule, "type", type, conf_enum, "counter", CONF_RELOAD, "counter or histogram.", type_names),
	CONF_KEY(struct logs_rule, "unit", unit, conf_str, "", CONF_RELOAD, "Base unit; the name must end in it."),
	CONF_KEY(struct logs_rule, "match", match, conf_regex_pcre, NULL, CONF_RELOAD,
	         "Lines that match are counted: a regular expression (RE2's, else PCRE2's), anywhere in the line; any line unless given."),
	CONF_KEY(struct logs_rule, "field", field, conf_str, "", CONF_RELOAD,
	    "JSON field that match reads in place of the whole line."),
	CONF_KEY(struct logs_rule, "where", where, conf_conditions, NULL, CONF_RELOAD,
	         "JSON fields and the regular expressions they must match wholly: { level: ERROR|CRITICAL }."),
	CONF_KEY(struct logs_rule, "labels", label_texts, conf_labels, NULL, CONF_RELOAD,
	         "Labels: a text, a group of match ($1, ${name}) or a JSON field (/service)."),
	CONF_KEY(struct logs_rule, "value", value, conf_str, "", CONF_RELOAD,
	         "What is added or observed: a group ($1) or a JSON field (/duration_ms); 1 unless given."),
	CONF_KEY(struct logs_rule, "scale", scale, conf_double, "1", CONF_RELOAD,
	    "The value is multiplied by it: 0.001 for milliseconds."),
	CONF_KEY(struct logs_rule, "buckets", buckets, conf_bounds, NULL, CONF_RELOAD, "Upper bounds of a histogram's buckets."),
	CONF_KEY_ARG(struct logs_rule, "top", top, conf_int, "100", CONF_RELOAD,
	             "Label sets shown, the busiest; lines of all others are counted under \"other\".", &top_range),
};

static bool is_field(struct str text)
{
	return str_starts(text, STR("/"));
}

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Each $1, ${name} of <text> must be a group of the pattern. */
static bool check_groups(struct conf_reader *rd, const struct conf_node *at, const struct logs_rule *r, struct str text)
{
	for (size_t i = 0; i + 1 < text.n; i++) {
		size_t beg = i + 1, end;
		struct str group;
		int64_t number;

		if (text.p[i] != '$')
			continue;
		if (text.p[beg] == '$') {
			i++;
			continue;
		}
		beg += text.p[beg] == '{';
		end = beg;
		while (end < text.n && is_word(text.p[end]))
			end++;
		group = (struct str){ text.p + beg, end - beg };
		if (r->match != NULL && (str_to_int64(group, &number) ? number >= 0 && (size_t)number <= regex_group_count(r->match)
		    : regex_group_index(r->match, group) >= 0))
			continue;
		return conf_error(rd->report, at, "\"" STR_FMT "\" names no group of match: $1 is the first one, ${x} is (?P<x>…)",
		    STR_ARG(text));
	}
	return true;
}

static bool check_match(struct conf_reader *rd, const struct conf_node *map, const struct logs_rule *r)
{
	size_t n = r->match != NULL ? regex_group_count(r->match) : 0;

	return n <= LOGS_GROUPS_MAX || conf_error(rd->report, conf_get(map, "match"), "%zu groups: at most %d (LOGS_GROUPS_MAX); "
	    "(?:…) groups without counting", n, LOGS_GROUPS_MAX);
}

static bool check_text(struct conf_reader *rd, const struct conf_node *map, const struct conf_node *at, const struct logs_rule *r,
                       struct str text)
{
	if (is_field(text))
		return pointer_is_valid(text) || conf_error(rd->report, at, "\"" STR_FMT "\" is no JSON pointer", STR_ARG(text));
	if (r->match == NULL && conf_get(map, "match") != NULL)
		return true;                    /* it is wrong, and who knows which groups it should have had */
	return check_groups(rd, at, r, text);
}

static bool check_labels(struct conf_reader *rd, const struct conf_node *map, struct logs_rule *r)
{
	const struct conf_node *at = conf_get(map, "labels");
	bool ok = true;

	if (r->label_texts.n > LOGS_LABELS_MAX)
		return conf_error(rd->report, at, "%zu labels: at most %d (LOGS_LABELS_MAX)", r->label_texts.n, LOGS_LABELS_MAX);
	for (size_t i = 0; i < r->label_texts.n; i++) {
		struct logs_label *l = &r->labels[r->n_labels++];

		*l = (struct logs_label){ r->label_texts.v[i].name, r->label_texts.v[i].value, LOGS_CONSTANT };
		if (is_field(l->text))
			l->origin = LOGS_FIELD;
		else if (str_chr(l->text, '$') < l->text.n)
			l->origin = LOGS_GROUPS;
		r->has_variable_labels |= l->origin != LOGS_CONSTANT;
		r->reads_json |= l->origin == LOGS_FIELD;
		ok &= l->origin == LOGS_CONSTANT || check_text(rd, map, at, r, l->text);
		if (!labels_name_is_plain(l->name) || str_eq(l->name, STR("source")) || str_eq(l->name, STR("le")) ||
		    str_starts(l->name, STR("__")))
			ok = conf_error(rd->report, at, "\"" STR_FMT "\" cannot be a label here: letters, digits and _; not source, le, __…",
			    STR_ARG(l->name));
	}
	return ok;
}

static bool check_value(struct conf_reader *rd, const struct conf_node *map, struct logs_rule *r)
{
	const struct conf_node *at = conf_get(map, "value");
	static const double usual[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };

	if (logs_rule_is_histogram(r) && r->value.n == 0)
		return conf_error(rd->report, map, "a histogram needs a value: $1, or a JSON field such as /duration_ms");
	if (!logs_rule_is_histogram(r) && r->buckets.n > 0)
		return conf_error(rd->report, conf_get(map, "buckets"), "a counter has no buckets: type: histogram");
	if (logs_rule_is_histogram(r) && r->buckets.n == 0) {
		memcpy(r->buckets.v, usual, sizeof usual);
		r->buckets.n = ARRAY_LEN(usual);
	}
	r->value_is_group = r->value.n > 0 && r->value.p[0] == '$';
	r->reads_json |= r->value.n > 0 && !r->value_is_group;
	return r->value.n == 0 || check_text(rd, map, at, r, r->value);
}

static bool check_name(struct conf_reader *rd, const struct conf_node *map, const struct logs_rule *r)
{
	const struct conf_node *at = conf_get(map, "name");

	if (!labels_metric_is_plain(r->name))
		return conf_error(rd->report, at, "\"" STR_FMT "\" is no metric name: letters, digits, _ and :", STR_ARG(r->name));
	if (r->unit.n > 0 && !(str_ends(r->name, r->unit) || str_ends(r->name, STR("_total"))))
		return conf_error(rd->report, at, "\"" STR_FMT "\" does not end in its unit: name_" STR_FMT, STR_ARG(r->name),
		    STR_ARG(r->unit));
	return true;
}

/* What the state file calls the rule: changed labels make it another one, that begins at 0. */
static struct str rule_key(struct arena *a, const struct logs_rule *r)
{
	struct buf b = { 0 };
	struct str key;

	buf_puts(&b, r->name);
	for (size_t i = 0; i < r->n_labels; i++)
		buf_printf(&b, "%c" STR_FMT "=" STR_FMT, i == 0 ? '{' : ',', STR_ARG(r->labels[i].name), STR_ARG(r->labels[i].text));
	for (size_t i = 0; i < r->buckets.n; i++)
		buf_printf(&b, "%s%.17g", i == 0 ? " le " : " ", r->buckets.v[i]);
	key = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return key;
}

static bool check_rule(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct logs_rule *r = to;
	bool ok = r->name.n == 0 || check_name(rd, map, r);

	ok &= check_match(rd, map, r);
	ok &= check_labels(rd, map, r);
	ok &= check_value(rd, map, r);
	r->reads_json |= r->where.n > 0 || r->field.n > 0;
	r->family = (struct expo_family){ r->name.p, logs_rule_is_histogram(r) ? EXPO_HISTOGRAM : EXPO_COUNTER, r->help.p,
	    r->unit.n > 0 ? r->unit.p : NULL };
	r->key = rule_key(rd->arena, r);
	return ok;
}

static const struct conf_table rule_table = { rule_keys, ARRAY_LEN(rule_keys), sizeof(struct logs_rule), NULL, check_rule };

/* ---- The source ---- */

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct logs_settings),
	CONF_KEY(struct logs_settings, "files", files, conf_path_list, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	         "Patterns of files to follow: /var/log/app/*.log."),
	CONF_KEY(struct logs_settings, "state", state, conf_path, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	         "File where positions and counts are kept; its folder must be there and writable."),
	CONF_KEY_ARG(struct logs_settings, "first", first, conf_enum, "end", CONF_RELOAD,
	             "Where to begin in files found when there is no state yet: end or beginning. Files found later are read whole.",
	             first_names),
	CONF_KEY_ARG(struct logs_settings, "interval", interval_ms, conf_duration_ms, "1s", CONF_RELOAD,
	             "How often files are read between scrapes.", &interval_range),
	CONF_KEY_ARG(struct logs_settings, "max_line", max_line, conf_bytes, "64KiB", CONF_RELOAD, "Longer lines are cut.",
	    &line_range),
	CONF_KEY_ARG(struct logs_settings, "max_files", max_files, conf_int, "500", CONF_RELOAD,
	             "Files followed at once; beyond it the source fails.", &files_range),
	CONF_KEY_ARG(struct logs_settings, "metrics", metrics, conf_sub_list, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	             "What lines become.",
	             &rule_table),
};

static bool check_pair(struct conf_reader *rd, const struct conf_node *at, const struct logs_rule *a, const struct logs_rule *b)
{
	if (!str_eq(a->name, b->name))
		return true;
	if (a->type != b->type)
		return conf_error(rd->report, at, "\"" STR_FMT "\" is a counter and a histogram", STR_ARG(a->name));
	return !str_eq(a->key, b->key) ||
	    conf_error(rd->report, at, "\"" STR_FMT "\" twice: tell them apart by a label", STR_ARG(a->name));
}

static bool check(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	const struct logs_settings *s = to;
	const struct logs_rule *r = s->metrics.v;
	bool ok = true;

	for (size_t i = 0; i < s->files.n; i++) {
		struct err e = { 0 };

		if (!walk_pattern_check(s->files.v[i], &e))
			ok = conf_error(rd->report, conf_get(map, "files"), "%s", e.msg);
	}
	for (size_t i = 0; i < s->metrics.n; i++)
		for (size_t j = 0; j < i; j++)
			ok &= check_pair(rd, s->metrics.nodes[i], &r[i], &r[j]);
	return ok;
}

const struct conf_table logs_settings_table = { keys, ARRAY_LEN(keys), sizeof(struct logs_settings), NULL, check };
