/* A set that cannot be read costs the others nothing: its figures are left out and its success is 0. A folder that is missing is
 * known to hold nothing: count 0, and folder_exists tells it from an empty one. */
#include "files/files.h"

#include <stdlib.h>

#include "explain.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"
#include "walk.h"

#define PRE "tocsin_files_"
static const struct expo_family f_success = {
	PRE "collector_success", EXPO_GAUGE, "Whether the set could be looked at; if not, its figures are left out.", NULL };
static const struct expo_family f_folder = { PRE "folder_exists", EXPO_GAUGE,
    "Whether the folder the pattern begins in is there.", NULL };
static const struct expo_family f_count = { PRE "count", EXPO_GAUGE, "Files that match.", NULL };
static const struct expo_family f_empty = { PRE "empty_count", EXPO_GAUGE, "Files that match and hold nothing.", NULL };
static const struct expo_family f_total = { PRE "size_bytes", EXPO_GAUGE, "Size of all files that match.", "bytes" };
static const struct expo_family f_newest = {
	PRE "newest_timestamp_seconds", EXPO_GAUGE, "When the newest file was last written.", "seconds" };
static const struct expo_family f_newest_age = { PRE "newest_age_seconds", EXPO_GAUGE, "Age of the newest file.", "seconds" };
static const struct expo_family f_newest_size = { PRE "newest_size_bytes", EXPO_GAUGE, "Size of the newest file.", "bytes" };
static const struct expo_family f_oldest = {
	PRE "oldest_timestamp_seconds", EXPO_GAUGE, "When the oldest file was last written.", "seconds" };
static const struct expo_family f_oldest_age = { PRE "oldest_age_seconds", EXPO_GAUGE, "Age of the oldest file.", "seconds" };

/* ---- Settings ---- */

static const struct conf_range entries_range = { 1, 10000000 };

static const struct conf_key set_keys[] = {
	CONF_KEY(struct files_set, "name", name, conf_str, "", CONF_RELOAD, "Value of the label `set`; the pattern unless given."),
	CONF_KEY(struct files_set, "glob", glob, conf_path, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	         "Which files: /backups/daily/*.sql.gz; ** stands for any number of folders."),
};

static bool check_set(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct files_set *s = to;
	struct err e = { 0 };

	if (s->name.n == 0)
		s->name = s->glob;
	return s->glob.n == 0 || walk_pattern_check(s->glob, &e) || conf_error(rd->report, conf_get(map, "glob"), "%s", e.msg);
}

static const struct conf_table set_table = { set_keys, ARRAY_LEN(set_keys), sizeof(struct files_set), NULL, check_set };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct files_settings),
	CONF_KEY_ARG(struct files_settings, "max_entries", max_entries, conf_int, "100000", CONF_RELOAD,
	             "Directory entries looked at for one set; beyond it the set fails.", &entries_range),
	CONF_KEY_ARG(struct files_settings, "sets", sets, conf_sub_list, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	    "Which files.",
	    &set_table),
};

static bool check_names(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	const struct files_settings *s = to;
	const struct files_set *v = s->sets.v;
	bool ok = true;

	(void)map;
	for (size_t i = 0; i < s->sets.n; i++)
		for (size_t j = 0; j < i; j++)
			if (v[i].name.n > 0 && str_eq(v[i].name, v[j].name))
				ok = conf_error(rd->report, s->sets.nodes[i], "a second set named \"" STR_FMT "\": give it a name of its own",
				    STR_ARG(v[i].name));
	return ok;
}

static const struct conf_table table = { keys, ARRAY_LEN(keys), sizeof(struct files_settings), NULL, check_names };

static struct str describe(struct arena *a, const void *settings)
{
	const struct files_settings *s = settings;
	const struct files_set *v = s->sets.v;

	if (s->sets.n == 0)
		return STR("");
	return s->sets.n == 1 ? v->glob : arena_printf(a, STR_FMT " and %zu more", STR_ARG(v->glob), s->sets.n - 1);
}

static void explain(struct buf *out, const void *settings)
{
	const struct files_settings *s = settings;
	const struct files_set *v = s->sets.v;

	explain_when(out, "in each scrape: number, size and age of files, not what they hold; at most %lld directory entries a set "
	    "(max_entries)", (long long)s->max_entries);
	for (size_t i = 0; i < s->sets.n; i++)
		explain_ask(out, STR_FMT ": " STR_FMT, STR_ARG(v[i].name), STR_ARG(v[i].glob));
	explain_note(out, "to list these folders");
}

/* ---- A source at work ---- */

struct files {
	const struct files_settings *settings;
	const char *name;
	struct complaint *complaints;   /* by set */
};

static void *open_files(const void *settings, const struct clock *clock)
{
	struct files *f = mem_alloc(sizeof *f);

	(void)clock;
	f->settings = settings;
	f->name = f->settings->common.title;
	f->complaints = mem_alloc((f->settings->sets.n + 1) * sizeof *f->complaints);
	return f;
}

static void close_files(void *state)
{
	struct files *f = state;

	free(f->complaints);
	free(f);
}

struct tally {
	size_t count, empty;
	double bytes, newest_bytes;
	double newest, oldest;          /* seconds since 1970 */
};

static bool add_file(void *ctx, const char *path, const struct stat *st, struct err *e)
{
	struct tally *t = ctx;
	double written = (double)st->st_mtim.tv_sec + (double)st->st_mtim.tv_nsec / 1e9;

	(void)path;
	(void)e;
	if (t->count == 0 || written > t->newest) {
		t->newest = written;
		t->newest_bytes = (double)st->st_size;
	}
	if (t->count == 0 || written < t->oldest)
		t->oldest = written;
	t->count++;
	t->empty += st->st_size == 0;
	t->bytes += (double)st->st_size;
	return true;
}

static void emit_tally(struct expo_set *out, struct str set, const struct tally *t, double now)
{
	const struct label label = { STR("set"), set };
	const struct {
		const struct expo_family *family;
		double value;
		bool needs_file;
	} figures[] = {
		{ &f_count, (double)t->count, false }, { &f_empty, (double)t->empty, false }, { &f_total, t->bytes, false },
		{ &f_newest, t->newest, true }, { &f_newest_age, now - t->newest, true }, { &f_newest_size, t->newest_bytes, true },
		{ &f_oldest, t->oldest, true }, { &f_oldest_age, now - t->oldest, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		if (t->count > 0 || !figures[i].needs_file)
			expo_emit(out, figures[i].family, figures[i].value, &label, 1);
}

static void collect_set(const struct files *f, size_t i, const struct source_ask *ask, struct expo_set *out)
{
	const struct files_set *set = (const struct files_set *)f->settings->sets.v + i;
	const struct walk_bounds bounds = { (size_t)f->settings->max_entries, ask->deadline_mono_ms, ask->clock };
	const int64_t now_ms = clock_now_ms(ask->clock);
	struct tally t = { 0 };
	struct err e = { 0 };
	enum walk_verdict v = walk_glob(set->glob, &bounds, add_file, &t, &e);

	EXPO_EMIT(out, &f_success, v != WALK_FAILED, { STR("set"), set->name });
	if (v == WALK_FAILED) {
		err_context(&e, "set " STR_FMT, STR_ARG(set->name));
		complain_failed(&f->complaints[i], "looking for files", f->name, &e, now_ms);
		return;
	}
	complain_works(&f->complaints[i], "looking for files", f->name, now_ms);
	EXPO_EMIT(out, &f_folder, v != WALK_MISSING, { STR("set"), set->name });
	emit_tally(out, set->name, &t, (double)now_ms / 1e3);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	const struct files *f = state;

	(void)e;
	for (size_t i = 0; i < f->settings->sets.n; i++)
		collect_set(f, i, ask, out);
	return true;
}

const struct source_kind files_source_kind = {
	.name = "files", .up_family = "tocsin_files_up",
	    .up_help = "Whether files were looked for; for each set see collector_success.",
	.parts = &f_success, .table = &table, .describe = describe, .explain = explain, .open = open_files, .collect = collect,
	    .close = close_files,
};
