/* What the values of receivers' settings may be: a rule for each that is no text. A rule is a parser, which says what a single
 * value must look like and how it is used, or the shape of a list or a map. Rows of notifiers.c name theirs. */
#include "notify/config/config_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/num.h"

/* ---- Single values. Each parser of a rule fills a struct str: the value as it is used. ---- */

static bool no_list(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, const char *example)
{
	return node->kind == CONF_SCALAR ||
	       conf_error(rd->report, node, "%s is %s: write %s", key->name, conf_kind_name(node->kind), example);
}

static bool wrong(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, const char *what)
{
	if ((key->flags & CONF_SECRET) != 0)
		return conf_error(rd->report, node, "%s is no %s", key->name, what);
	return conf_error(rd->report, node, "%s is \"" STR_FMT "\", which is no %s", key->name, STR_ARG(node->text), what);
}

static bool bool_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	bool value = false, ok = conf_bool(rd, key, node, &value);

	*(struct str *)to = value ? STR("true") : STR("false");
	return ok;
}

/* A whole number as YAML writes them: 10, 1_000, 0x10, 0o7, 010, 0b11, 1e3, 1.0. */
static bool read_whole(struct str s, int64_t *out)
{
	double d;

	if (num_parse_yaml_int(s, out))
		return true;
	if (!str_to_decimal(s, &d) || !(d > -9e18 && d < 9e18) || d != (double)(int64_t)d)
		return false;
	*out = (int64_t)d;
	return true;
}

/* What may come from a file is a text. */
bool config_whole(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	const struct conf_range *range = key->arg;
	int64_t v;

	if (!no_list(rd, key, node, "a whole number"))
		return false;
	if (node->quoted && (key->flags & CONF_SECRET) == 0)
		return wrong(rd, key, node, "number but a text: write it without quotes");
	if (!read_whole(node->text, &v) || (range != NULL && (v < range->min || v > range->max)))
		return wrong(rd, key, node,
			     range != NULL && range->min >= 0 ? "whole number from 0 on: write one such as 10"
							      : "whole number: write one such as 10 or -100");
	*(int64_t *)to = v;
	return true;
}

static bool whole_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	int64_t v;

	if (!config_whole(rd, key, node, &v))
		return false;
	*(struct str *)to = arena_printf(rd->arena, "%lld", (long long)v);
	return true;
}

/* A duration as Go writes them, from nothing on: 1.5h, 1h30m, 90s, 5us. */
static bool read_go_duration(struct str s, int64_t *out_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"\xc2\xb5s", 1e-3}, {"\xce\xbcs", 1e-3},
		     {"ms", 1},    {"s", 1e3},   {"m", 6e4},          {"h", 3.6e6}};
	double ms = 0, one;
	size_t i = s.n > 0 && s.p[0] == '+', n, u;

	if (i == s.n)
		return false;
	while (i < s.n) {
		for (n = 0; i + n < s.n && strchr("0123456789.", s.p[i + n]) != NULL;)
			n++;
		if (!str_to_double((struct str){s.p + i, n}, &one))
			return false;
		i += n;
		for (n = 0; i + n < s.n && strchr("0123456789.", s.p[i + n]) == NULL;)
			n++;
		for (u = 0; u < ARRAY_LEN(units) && !str_eq((struct str){s.p + i, n}, str_of(units[u].name));)
			u++;
		if (u == ARRAY_LEN(units))
			return false;
		ms += one * units[u].ms;
		i += n;
	}
	*out_ms = ms < 9e15 ? (int64_t)ms : INT64_MAX;
	return ms < 9e15;
}

bool config_duration_ms(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct conf_node as_ours = *node;
	int64_t ms;

	if (node->kind == CONF_SCALAR && !num_parse_duration_ms(node->text, &ms) && read_go_duration(node->text, &ms))
		as_ours.text = arena_printf(rd->arena, "%lldms", (long long)ms);
	return conf_duration_ms(rd, key, &as_ours, to);
}

static bool seconds_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	int64_t ms = 0;
	bool ok = config_duration_ms(rd, key, node, &ms);

	*(struct str *)to = ms >= 1000 ? arena_printf(rd->arena, "%lld", (long long)(ms / 1000)) : STR("");
	return ok;
}

/* host:port, [::1]:port. */
static bool address_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	struct str host = node->text, port;
	size_t colon = host.n;
	int64_t number;

	if (!no_list(rd, key, node, "host:port"))
		return false;
	while (colon > 0 && host.p[colon - 1] != ':')
		colon--;
	port = (struct str){host.p + colon, host.n - colon};
	host.n = colon > 0 ? colon - 1 : 0;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	else if (str_chr(host, ':') < host.n)
		host.n = 0;
	if (host.n == 0 || strcspn(host.p, " /[]") < host.n || !str_to_int64(port, &number) || number < 1 || number > 65535)
		return wrong(rd, key, node, "host:port: write one such as mail.example.org:587");
	*(struct str *)to = arena_str(rd->arena, node->text);
	return true;
}

static bool word_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	const char *const *words = key->arg;
	int i = 0;

	if (!conf_enum(rd, key, node, &i))
		return false;
	*(struct str *)to = str_of(words[i]);
	return true;
}

/* Of Opsgenie: a word in capitals or not, or a template that makes one. */
static bool responder_text(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *node, void *to)
{
	static const char *const types[] = {"team", "teams", "user", "escalation", "schedule", NULL};
	const struct conf_key words = {.name = key->name, .arg = types};
	int i = 0;

	if (node->kind == CONF_SCALAR && str_find(node->text, STR("{{")) < node->text.n)
		return conf_str(rd, key, node, to);
	if (!conf_enum_nocase(rd, &words, node, &i))
		return false;
	*(struct str *)to = str_of(types[i]);
	return true;
}

/* ---- Rules. ---- */

#define WORDS(...)                                                                                                                 \
	{                                                                                                                          \
		.text = word_text, .arg = (const char *const[])                                                                    \
		{                                                                                                                  \
			__VA_ARGS__, NULL                                                                                          \
		}                                                                                                                  \
	}
#define ENTRY(keys, must)                                                                                                          \
	{                                                                                                                          \
		.kind = CONF_MAP, .fields = keys, .n_fields = ARRAY_LEN(keys), .needs = must                                       \
	}
#define LIST_OF(rule)                                                                                                              \
	{                                                                                                                          \
		.kind = CONF_SEQ, .of = &(rule)                                                                                    \
	}
#define MAP_OF(rule)                                                                                                               \
	{                                                                                                                          \
		.kind = CONF_MAP, .of = &(rule)                                                                                    \
	}

static const struct conf_range from_zero = {0, INT64_MAX};
static const struct value_rule text = {.text = conf_str};
const struct value_rule value_bool = {.text = bool_text, .bare = true}, value_whole = {.text = whole_text, .bare = true},
			value_count = {.text = whole_text, .arg = &from_zero, .bare = true},
			value_seconds = {.text = seconds_text, .bare = true}, value_url = {.text = conf_url},
			value_address = {.text = address_text}, value_map = {.kind = CONF_MAP}, value_texts = LIST_OF(text),
			value_text_map = MAP_OF(text), value_maps = LIST_OF(value_map);

const struct value_rule value_parse_mode = WORDS("HTML", "Markdown", "MarkdownV2", ""),
			value_wechat_type = WORDS("text", "markdown", ""), value_strategy = WORDS("new", "update", "thread"),
			value_jira_api = WORDS("auto", "cloud", "datacenter");

static const struct value_field field_keys[] = {{"title", &text}, {"value", &text}, {"short", &value_bool}};
static const struct value_rule field = ENTRY(field_keys, "title value");
static const struct value_rule any_field = ENTRY(field_keys, NULL);
const struct value_rule value_fields = LIST_OF(field), value_any_fields = LIST_OF(any_field);

static const struct value_field confirm_keys[] = {{"text", &text}, {"title", &text}, {"ok_text", &text}, {"dismiss_text", &text}};
static const struct value_rule confirm = ENTRY(confirm_keys, "text");
static const struct value_field action_keys[] = {{"type", &text}, {"text", &text},  {"url", &text},       {"style", &text},
						 {"name", &text}, {"value", &text}, {"confirm", &confirm}};
static const struct value_rule action = ENTRY(action_keys, "type text url|name");
const struct value_rule value_actions = LIST_OF(action);

static const struct value_field header_keys[] = {{"resolve_color", &text}};
static const struct value_rule header = ENTRY(header_keys, NULL);
static const struct value_field thread_keys[] = {
    {"resolve_emoji", &text}, {"use_summary_header", &value_bool}, {"summary_header", &header}};
const struct value_rule value_thread = ENTRY(thread_keys, NULL);

static const struct value_field image_keys[] = {{"src", &text}, {"alt", &text}, {"href", &text}};
static const struct value_rule image = ENTRY(image_keys, NULL);
static const struct value_field link_keys[] = {{"href", &text}, {"text", &text}};
static const struct value_rule link_rule = ENTRY(link_keys, NULL);
const struct value_rule value_images = LIST_OF(image), value_links = LIST_OF(link_rule);

static const struct value_rule responder_type = {.text = responder_text};
static const struct value_field responder_keys[] = {{"id", &text}, {"name", &text}, {"username", &text}, {"type", &responder_type}};
static const struct value_rule responder = ENTRY(responder_keys, "id|name|username type");
const struct value_rule value_responders = LIST_OF(responder);

const struct value_rule value_custom_fields = {
    .kind = CONF_MAP,
    .of = &text,
    .reserved = "routing_key message_type state_message entity_display_name monitoring_tool entity_id entity_state"};
const struct value_rule value_headers = {.kind = CONF_MAP, .of = &text, .once = true};

static const struct value_rule by_date = WORDS("daily", "none");
static const struct value_field threading_keys[] = {{"enabled", &value_bool}, {"thread_by_date", &by_date}};
const struct value_rule value_threading = ENTRY(threading_keys, NULL);

/* ---- Checks. ---- */

const struct value_rule *config_value_below(const struct value_rule *rule, struct str name)
{
	for (size_t i = 0; rule != NULL && i < rule->n_fields; i++)
		if (str_eq(str_of(rule->fields[i].name), name))
			return rule->fields[i].rule;
	return rule != NULL ? rule->of : NULL;
}

static bool is_filled(const struct conf_node *map, struct str name)
{
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->pairs[i].key->text, name))
			return map->pairs[i].value->kind == CONF_SCALAR && map->pairs[i].value->text.n > 0;
	return false;
}

bool config_next_missing(struct str *needs, bool (*is_set)(const void *user, struct str name), const void *user,
			 struct str *missing)
{
	struct str name;

	while (str_cut(needs, ' ', missing)) {
		struct str one = *missing;
		bool found = false;

		while (str_cut(&one, '|', &name))
			found = found || is_set(user, name);
		if (!found)
			return true;
	}
	return false;
}

static bool node_has(const void *user, struct str name)
{
	return is_filled(user, name);
}

static bool check_key(struct conf_reader *rd, const char *name, const struct value_rule *rule, const struct conf_node *map,
		      size_t at)
{
	const struct conf_node *key = map->pairs[at].key;
	struct str reserved = str_of(rule->reserved), one;
	bool known = rule->n_fields == 0;
	const char **names = ARENA_ARRAY(rd->arena, rule->n_fields, const char *), *nearest;

	for (size_t i = 0; i < rule->n_fields; i++) {
		names[i] = rule->fields[i].name;
		known = known || str_eq(str_of(names[i]), key->text);
	}
	nearest = known ? NULL : conf_nearest(key->text, names, rule->n_fields);
	if (nearest != NULL)
		return conf_error(rd->report, key, "%s knows no \"" STR_FMT "\": did you mean \"%s\"?", name, STR_ARG(key->text), nearest);
	if (!known)
		return conf_error(rd->report, key, "%s knows no \"" STR_FMT "\": remove it", name, STR_ARG(key->text));
	while (str_cut(&reserved, ' ', &one))
		if (str_eq(one, key->text))
			return conf_error(rd->report, key, "%s has \"" STR_FMT "\", which is sent already: give it another name",
					  name, STR_ARG(key->text));
	for (size_t i = 0; rule->once && i < at; i++)
		if (str_eq_nocase(map->pairs[i].key->text, key->text))
			return conf_error(rd->report, key, "%s has \"" STR_FMT "\" twice, in capitals or not: keep one", name,
					  STR_ARG(key->text));
	return true;
}

static bool check_map(struct conf_reader *rd, const char *name, const struct value_rule *rule, const struct conf_node *node)
{
	struct str needs = str_of(rule->needs), missing;
	bool ok = true;

	for (size_t i = 0; i < node->n; i++) {
		const struct conf_node *value = node->pairs[i].value;
		const char *key = node->pairs[i].key->text.p;
		const struct value_rule *below = config_value_below(rule, node->pairs[i].key->text);

		ok = check_key(rd, name, rule, node, i) && ok;
		ok = (below == NULL || value->kind == CONF_NULL || config_check_value(rd, key, below, value)) && ok;
	}
	while (config_next_missing(&needs, node_has, node, &missing))
		ok = conf_error(rd->report, node, "an entry of %s is missing " STR_FMT ": add it", name, STR_ARG(missing));
	return ok;
}

bool config_check_value(struct conf_reader *rd, const char *name, const struct value_rule *rule, const struct conf_node *node)
{
	const struct conf_key key = {.name = name, .arg = rule->arg};
	struct str ignored;
	bool ok = true;

	if (rule->text != NULL)
		return rule->text(rd, &key, node, &ignored);
	if (node->kind == CONF_NULL)
		return conf_error(rd->report, node, "%s has an empty item: fill it, or remove it", name);
	if (node->kind != rule->kind)
		return conf_error(rd->report, node, "%s is %s: write %s", name, conf_kind_name(node->kind),
				  rule->kind == CONF_SEQ ? "a list, each item behind \"- \"" : "a map, name: value");
	if (rule->kind == CONF_MAP)
		return check_map(rd, name, rule, node);
	for (size_t i = 0; i < node->n; i++)
		ok = (rule->of == NULL || config_check_value(rd, name, rule->of, node->items[i])) && ok;
	return ok;
}
