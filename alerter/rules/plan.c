/* Planning a reload: which files the patterns name, which of them are good, and which old version stays where one is not. */
#include "rules/plan.h"

#include <stdlib.h>

#include "tocsin/file.h"
#include "tocsin/glob.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

static struct rules_options copy_options(struct arena *a, const struct rules_options *o)
{
	struct rules_options copy = *o;

	copy.external_labels = labels_copy(a, o->external_labels);
	copy.external_url = arena_str(a, o->external_url);
	return copy;
}

static const struct planned_file *find_file(const struct planned_file *v, size_t n, struct str path)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].path, path))
			return &v[i];
	return NULL;
}

static struct planned_file *add_file(struct rules_plan *p, struct str path)
{
	struct planned_file *f;

	p->files = arena_grow(&p->arena, p->files, p->n_files, &p->cap_files, p->n_files + 1, sizeof *p->files);
	f = &p->files[p->n_files++];
	*f = (struct planned_file){ .path = arena_str(&p->arena, path) };
	return f;
}

static void keep_old(struct planned_file *f, const struct planned_file *old)
{
	if (old != NULL && old->file != NULL)
		f->file = rule_file_ref(old->file);
}

/* <found>: by a wildcard. */
static void read_file(struct rules_plan *p, const char *path, bool found, const struct planned_file *before, size_t n,
                      struct conf_report *report)
{
	const struct planned_file *old = find_file(before, n, str_of(path));
	size_t first = report->n;
	struct planned_file *f;

	if (find_file(p->files, p->n_files, str_of(path)) != NULL)
		return;
	f = add_file(p, str_of(path));
	if (!found || file_is_regular(path))
		f->file = rule_file_load(path, &p->options, report);
	else
		conf_error_in(report, str_of(path), FILE_NOT_REGULAR);
	if (f->file != NULL)
		return;
	p->good = false;
	keep_old(f, old);
	for (size_t i = first; i < report->n && f->problem.n == 0; i++)
		if (!report->v[i].warning && report->v[i].line > 0)
			f->problem = arena_printf(&p->arena, "%d:%d: " STR_FMT, report->v[i].line, report->v[i].col, STR_ARG(report->v[i].message));
		else if (!report->v[i].warning)
			f->problem = arena_str(&p->arena, report->v[i].message);
	if (f->problem.n == 0)
		f->problem = STR("it could not be read");
}

/* A file that is named and missing is an error, unless it was there before: then it vanished. */
static void read_pattern(struct rules_plan *p, struct str pattern, const struct planned_file *before, size_t n, struct conf_report *report)
{
	const struct planned_file *old = find_file(before, n, pattern);
	char *z = mem_strndup(pattern.p, pattern.n);
	glob_t found;

	if (glob_files(z, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(p, found.gl_pathv[i], glob_is_pattern(z), before, n, report);
	else if (!glob_is_pattern(z) && (old == NULL || (old->file == NULL && !old->gone)))
		read_file(p, z, false, before, n, report);
	globfree(&found);
	free(z);
}

/* <by_name>: not only by a glob. */
static bool still_named(struct str path, const struct str *patterns, size_t n, bool by_name)
{
	bool hit = false;
	char *file = mem_strndup(path.p, path.n);

	for (size_t i = 0; i < n && !hit; i++) {
		char *z = mem_strndup(patterns[i].p, patterns[i].n);

		hit = by_name ? str_eq(path, patterns[i]) : glob_matches(z, file);
		free(z);
	}
	free(file);
	return hit;
}

static void keep_vanished_file(struct rules_plan *p, const struct planned_file *old, bool by_name)
{
	bool confirmed = old->vanished || old->gone;
	struct planned_file *f;

	if (!old->gone)
		log_event(LOG_WARN, confirmed ? "rule file is gone, its rules are dropped" :
		          "rule file vanished, its rules are kept until another reload confirms it", "file", old->file->path.p, NULL);
	if (confirmed && !by_name)
		return;
	f = add_file(p, old->path);
	f->vanished = !confirmed;
	f->gone = confirmed;
	f->problem = confirmed ? STR("the file is gone, and its rules with it") :
	                         STR("the file vanished; its rules are kept until another reload confirms it");
	if (!confirmed)
		keep_old(f, old);
}

/* Files a pattern still names but the disk has no more: a mount that is away looks just like that, so it takes two reloads. */
static void keep_vanished(struct rules_plan *p, const struct planned_file *before, size_t n, const struct str *patterns,
                          size_t n_patterns)
{
	for (size_t i = 0; i < n; i++) {
		const struct planned_file *old = &before[i];

		if (find_file(p->files, p->n_files, old->path) == NULL && (old->file != NULL || old->gone) &&
		    still_named(old->path, patterns, n_patterns, false))
			keep_vanished_file(p, old, still_named(old->path, patterns, n_patterns, true));
	}
}

struct rules_plan *plan_make(const struct planned_file *before, size_t n, const struct rules_options *options, const struct str *patterns,
                             size_t n_patterns, struct conf_report *report)
{
	struct rules_plan *p = mem_alloc(sizeof *p);

	p->good = true;
	p->options = copy_options(&p->arena, options);
	for (size_t i = 0; i < n_patterns; i++)
		read_pattern(p, patterns[i], before, n, report);
	keep_vanished(p, before, n, patterns, n_patterns);
	return p;
}

void rules_plan_free(struct rules_plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].file != NULL)
			rule_file_unref(p->files[i].file);
	arena_fini(&p->arena);
	free(p);
}

bool rules_plan_is_good(const struct rules_plan *p)
{
	return p->good;
}

size_t rules_plan_rule_count(const struct rules_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_files; i++)
		for (size_t g = 0; p->files[i].file != NULL && g < p->files[i].file->n_groups; g++)
			n += p->files[i].file->groups[g].n_rules;
	return n;
}
