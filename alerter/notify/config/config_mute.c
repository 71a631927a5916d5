/* inhibit_rules and time_intervals (also by their old name mute_time_intervals): what keeps alerts from being told. */
#include <stdlib.h>

#include "notify/config/config.h"
#include "tocsin/mem.h"

/* ---- Time intervals. ---- */

struct times_file {
	struct str start, end;
};

struct interval_file {
	struct conf_list times;
	struct conf_strs lists[TIME_FIELDS];
	struct str location;
};

struct named_file {
	struct str name;
	struct conf_list intervals;
};

#define TIMES(name, field, help) CONF_KEY(struct times_file, name, field, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, help)
static const struct conf_key times_keys[] = {
    TIMES("start_time", start, "HH:MM."),
    TIMES("end_time", end, "HH:MM, not part of it; 24:00 for the end of the day."),
};
#undef TIMES
static const struct conf_table times_table = {times_keys, ARRAY_LEN(times_keys), sizeof(struct times_file), NULL, NULL};

#define LIST(name, field, help) CONF_KEY(struct interval_file, name, lists[field], conf_str_seq, NULL, CONF_RELOAD, help)
static const struct conf_key interval_keys[] = {
    CONF_KEY_ARG(struct interval_file, "times", times, conf_sub_list, NULL, CONF_RELOAD, "Times of the day.", &times_table),
    LIST("weekdays", TIME_WEEKDAYS, "monday, or monday:friday."),
    LIST("days_of_month", TIME_DAYS, "1:5, or -3:-1 for the last three."),
    LIST("months", TIME_MONTHS, "may, or 5:8."),
    LIST("years", TIME_YEARS, "2026, or 2026:2028."),
    CONF_KEY(struct interval_file, "location", location, conf_str, "UTC", CONF_RELOAD, "Time zone, such as Europe/Berlin; Local."),
};
#undef LIST
static const struct conf_table interval_table = {interval_keys, ARRAY_LEN(interval_keys), sizeof(struct interval_file), NULL, NULL};
static const struct conf_key named_keys[] = {
    CONF_KEY(struct named_file, "name", name, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "Routes name it."),
    CONF_KEY_ARG(struct named_file, "time_intervals", intervals, conf_sub_list, NULL, CONF_RELOAD,
		 "It holds while one of these does.", &interval_table),
};
static const struct conf_table named_table = {named_keys, ARRAY_LEN(named_keys), sizeof(struct named_file), NULL, NULL};

static void make_times(struct conf_reader *rd, const struct conf_list *files, struct time_ranges *out)
{
	const struct times_file *f = files->v;

	out->v = ARENA_ARRAY(rd->arena, files->n + 1, struct time_range);
	out->n = files->n;
	for (size_t i = 0; i < files->n; i++) {
		struct time_range *r = &out->v[i];

		if (!time_interval_minutes(f[i].start, &r->beg) || !time_interval_minutes(f[i].end, &r->end))
			conf_error(rd->report, files->nodes[i], "a time is not of the form HH:MM: write \"09:30\" in quotes");
		else if (r->beg >= r->end)
			conf_error(rd->report, files->nodes[i],
				   "start_time is not before end_time: write two ranges when it goes over midnight");
	}
}

static void make_ranges(struct conf_reader *rd, enum time_field field, const struct conf_strs *texts, const struct conf_node *node,
			struct time_ranges *out)
{
	out->v = ARENA_ARRAY(rd->arena, texts->n + 1, struct time_range);
	out->n = texts->n;
	for (size_t i = 0; i < texts->n; i++) {
		const char *wanted;

		if (!time_interval_range(field, texts->v[i], &out->v[i], &wanted))
			conf_error(rd->report, node, "\"" STR_FMT "\" is not understood: write %s", STR_ARG(texts->v[i]), wanted);
	}
}

static struct tz *make_zone(struct conf_reader *rd, struct str location, const struct conf_node *node)
{
	struct notify_config *c = rd->user;
	struct err e = {0};
	struct tz *zone = tz_load(location, &e);

	if (zone == NULL) {
		conf_error(rd->report, node, "%s", e.msg);
		return NULL;
	}
	c->zones = mem_grow(c->zones, &c->cap_zones, c->n_zones + 1, sizeof(struct tz *));
	return c->zones[c->n_zones++] = zone;
}

static void make_interval(struct conf_reader *rd, const struct interval_file *f, const struct conf_node *node,
			  struct time_interval *out)
{
	static const char *const names[] = {
	    [TIME_WEEKDAYS] = "weekdays", [TIME_DAYS] = "days_of_month", [TIME_MONTHS] = "months", [TIME_YEARS] = "years"};

	make_times(rd, &f->times, &out->fields[TIME_MINUTES]);
	for (enum time_field i = TIME_WEEKDAYS; i < TIME_FIELDS; i++)
		make_ranges(rd, i, &f->lists[i], conf_get(node, names[i]), &out->fields[i]);
	out->zone = make_zone(rd, f->location, conf_get(node, "location") != NULL ? conf_get(node, "location") : node);
}

static void add_named(struct conf_reader *rd, struct notify_config *c, const struct named_file *f, const struct conf_node *node)
{
	const struct interval_file *files = f->intervals.v;
	struct time_interval *v = ARENA_ARRAY(rd->arena, f->intervals.n + 1, struct time_interval);

	for (size_t i = 0; i < f->intervals.n; i++)
		make_interval(rd, &files[i], f->intervals.nodes[i], &v[i]);
	if (config_find_interval(c, f->name) != NULL)
		conf_error(rd->report, node, "time interval \"" STR_FMT "\" is defined twice: give it another name",
			   STR_ARG(f->name));
	c->intervals[c->n_intervals++] = (struct named_interval){f->name, v, f->intervals.n};
}

const struct named_interval *config_find_interval(const struct notify_config *c, struct str name)
{
	for (size_t i = 0; i < c->n_intervals; i++)
		if (str_eq(c->intervals[i].name, name))
			return &c->intervals[i];
	return NULL;
}

void config_read_intervals(struct conf_reader *rd, const struct conf_node *root)
{
	static const char *const names[] = {"time_intervals", "mute_time_intervals"};
	struct notify_config *c = rd->user;
	struct conf_list files[ARRAY_LEN(names)] = {0};

	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		const struct conf_key key = {names[k], conf_sub_list, 0, NULL, 0, NULL, &named_table};
		const struct conf_node *node = conf_get(root, names[k]);

		if (node != NULL && node->kind != CONF_NULL && !conf_sub_list(rd, &key, node, &files[k]))
			files[k].n = 0;
	}
	c->intervals = ARENA_ARRAY(rd->arena, files[0].n + files[1].n + 1, struct named_interval);
	for (size_t k = 0; k < ARRAY_LEN(names); k++)
		for (size_t i = 0; i < files[k].n; i++)
			add_named(rd, c, (const struct named_file *)files[k].v + i, files[k].nodes[i]);
}

/* ---- Inhibition. ---- */

struct inhibit_file {
	const struct conf_node *source[3], *target[3]; /* as map, as map of regular expressions, as list */
	struct conf_strs equal;
	struct str name;
};

#define RAW(name, field, help) CONF_KEY(struct inhibit_file, name, field, conf_raw, NULL, CONF_RELOAD, help)
static const struct conf_key inhibit_keys[] = {
    CONF_KEY(struct inhibit_file, "name", name, conf_str, NULL, CONF_RELOAD, "For people."),
    RAW("source_match", source[0], "Labels of the alert that inhibits (old form)."),
    RAW("source_match_re", source[1], "The same with regular expressions."),
    RAW("source_matchers", source[2], "Which alerts inhibit."),
    RAW("target_match", target[0], "Labels of the alert that is inhibited (old form)."),
    RAW("target_match_re", target[1], "The same with regular expressions."),
    RAW("target_matchers", target[2], "Which alerts are inhibited."),
    CONF_KEY(struct inhibit_file, "equal", equal, conf_str_seq, NULL, CONF_RELOAD, "Labels both must share; absent is as empty."),
};
#undef RAW
static const struct conf_table inhibit_table = {inhibit_keys, ARRAY_LEN(inhibit_keys), sizeof(struct inhibit_file), NULL, NULL};

void config_read_inhibition(struct conf_reader *rd, const struct conf_node *list)
{
	const struct conf_key key = {"inhibit_rules", conf_sub_list, 0, NULL, 0, NULL, &inhibit_table};
	struct notify_config *c = rd->user;
	struct conf_list files = {0};
	struct inhibit_rule *v;

	if (list == NULL || list->kind == CONF_NULL || !conf_sub_list(rd, &key, list, &files))
		return;
	c->inhibit_rules = v = ARENA_ARRAY(rd->arena, files.n + 1, struct inhibit_rule);
	c->n_inhibit_rules = files.n;
	for (size_t i = 0; i < files.n; i++) {
		const struct inhibit_file *f = (const struct inhibit_file *)files.v + i;

		config_read_match(rd, f->source, &v[i].source);
		config_read_match(rd, f->target, &v[i].target);
		v[i].equal = f->equal;
	}
}
