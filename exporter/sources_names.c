/* Metrics that the configuration names: none may be called as one the exporter has itself, and each name has one type on the page,
 * whichever sources it comes from. Checked when all sources are known. */
#include "sources_private.h"

#include <stdlib.h>

#include "tocsin/map.h"
#include "tocsin/mem.h"

/* Of families about the exporter itself, and of those whose names the kernel or the server makes, which nobody can list. */
static const struct str reserved[] = { { "tocsin_", 7 }, { "node_", 5 }, { "probe_", 6 }, { "process_", 8 },
	{ "pg_settings_", 12 }, { "pg_scrape_", 10 }, { "pg_exporter_", 12 } };

static const char *const type_names[] = { [EXPO_UNTYPED] = "untyped", [EXPO_GAUGE] = "gauge", [EXPO_COUNTER] = "counter",
	[EXPO_HISTOGRAM] = "histogram", [EXPO_SUMMARY] = "summary", [EXPO_INFO] = "info" };

struct names {
	struct conf_report *report;
	struct arena arena;
	struct map own;                 /* const struct expo_family * by name */
	struct map given;               /* struct given * by name */
	struct str source;              /* that is looked at */
};

struct given {
	enum expo_type type;
	struct str source;
};

static void put_own(void *user, const struct expo_family *family)
{
	struct names *n = user;
	union { const void *in; void *out; } value = { .in = family };

	map_put(&n->own, str_of(family->name), value.out);
}

static void list_own(struct names *n)
{
	for (size_t k = 0; source_kinds[k] != NULL; k++) {
		struct expo_family *up = ARENA_NEW(&n->arena, struct expo_family);

		*up = (struct expo_family){ source_kinds[k]->up_family, EXPO_GAUGE, "", NULL };
		put_own(n, up);
		if (source_kinds[k]->families != NULL)
			source_kinds[k]->families(put_own, n);
	}
}

/* Of a file written for another exporter a name that is ours too is its to have, as long as it is the same thing. */
static bool check_own(struct names *n, struct str name, enum expo_type type, const struct conf_node *at, bool lent)
{
	const struct expo_family *own = map_get(&n->own, name);

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (str_starts(name, reserved[i]))
			return conf_error(n->report, at, "\"" STR_FMT "\": names that begin with " STR_FMT " are the exporter's own",
			    STR_ARG(name),
			    STR_ARG(reserved[i]));
	if (own == NULL)
		return true;
	if (!lent || own->type != type)
		return conf_error(n->report, at, "\"" STR_FMT "\" is a metric of the exporter's own, of type %s: give it another name",
		    STR_ARG(name), type_names[own->type]);
	conf_warn(n->report, at, "\"" STR_FMT "\" is a metric of the exporter's own, too", STR_ARG(name));
	return true;
}

static void take_name(void *user, struct str name, enum expo_type type, const struct conf_node *at, bool lent)
{
	struct names *n = user;
	const struct given *before = map_get(&n->given, name);
	struct given *now;

	if (name.n == 0 || !check_own(n, name, type, at, lent))
		return;
	if (before != NULL && before->type != type)
		conf_error(n->report, at, "\"" STR_FMT "\" is of type %s, and of type %s in the source \"" STR_FMT "\": a name has one",
		    STR_ARG(name), type_names[type], type_names[before->type], STR_ARG(before->source));
	if (before != NULL)
		return;
	now = ARENA_NEW(&n->arena, struct given);
	*now = (struct given){ type, n->source };
	map_put(&n->given, name, now);
}

void sources_check_names(const struct sources *c, struct conf_report *r)
{
	struct names n = { .report = r };

	list_own(&n);
	for (const struct sources_entry *s = c->v; s < c->v + c->n; s++) {
		n.source = s->settings->name;
		if (s->kind->metrics != NULL)
			s->kind->metrics(s->settings, take_name, &n);
	}
	map_fini(&n.own);
	map_fini(&n.given);
	arena_fini(&n.arena);
}
