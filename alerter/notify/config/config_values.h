/* Rules for the values of receivers' settings: see config_values.c. A setting without one is a text. */
#ifndef NOTIFY_CONFIG_VALUES_H
#define NOTIFY_CONFIG_VALUES_H

#include "tocsin/conf.h"

struct value_field;

struct value_rule {
	/* Of a single value: fills a struct str, the value as it is used. NULL: a list or a map. */
	conf_parse *text;
	const void *arg;                /* for <text> */
	bool bare;                      /* true, false or a number: stands without quotes in JSON, and is no template */
	enum conf_kind kind;            /* CONF_SEQ or CONF_MAP */
	const struct value_rule *of;    /* each item, or each value; NULL: anything */
	const struct value_field *fields;       /* of a map: the only names it may have; none: any */
	size_t n_fields;
	const char *needs;              /* of those, as in struct notifier */
	const char *reserved;           /* names it must not have, separated by spaces */
	bool once;                      /* names are the same in capitals or not */
};

struct value_field {
	const char *name;
	const struct value_rule *rule;
};

extern const struct value_rule value_bool, value_whole, value_count, value_seconds, value_url, value_address;
extern const struct value_rule value_map, value_maps, value_texts, value_text_map;
extern const struct value_rule value_parse_mode, value_wechat_type, value_strategy, value_jira_api;
extern const struct value_rule value_fields, value_any_fields, value_actions, value_thread, value_images, value_links;
extern const struct value_rule value_responders, value_custom_fields, value_headers, value_threading;

/* False after having reported what is wrong and what would be right. <name> is the setting's. */
bool config_check_value(struct conf_reader *, const char *name, const struct value_rule *, const struct conf_node *);
/* The rule of what stands under <name> in a map, or of an item; NULL: anything may. */
const struct value_rule *config_value_below(const struct value_rule *, struct str name);
/* Of <needs>, names separated by spaces, each must be set, of those divided by '|' one: the next of which that is not so, which is
 * cut off with all before it; false: none is left. */
bool config_next_missing(struct str *needs, bool (*is_set)(const void *user, struct str name), const void *user,
			 struct str *missing);

conf_parse config_whole;        /* int64_t, as YAML writes numbers; arg: const struct conf_range * or NULL */
conf_parse config_duration_ms;  /* int64_t; as conf_duration_ms, and 1.5h as Go has it */

#endif
