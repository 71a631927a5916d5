/* The logs source. Its runner reads every second, so that files which come and go between scrapes are seen; a scrape reads what is
 * left, commits, and then shows. Both under one lock. When reading or committing fails, nothing is shown: what is not known is not
 * repeated. */
#include "logs/logs.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "explain.h"
#include "logs/state.h"
#include "sources.h"
#include "tocsin/mem.h"

#define COMMIT_EVERY_MS 5000            /* by the runner; a scrape always commits */
#define SLICE_MS 200                    /* the runner lets a scrape in at least so often */
#define LOCK_RETRY_MS 20

#define X(name, help) static const struct expo_family f_##name = { "tocsin_logs_" #name "_total", EXPO_COUNTER, help, NULL };
LINES_STATS(X)
#undef X
static const struct expo_family f_files = { "tocsin_logs_files", EXPO_GAUGE, "Files that are followed.", NULL };
static const struct expo_family f_written = { "tocsin_logs_last_write_timestamp_seconds", EXPO_GAUGE,
	"When one of the files was last written to.", "seconds" };

struct logs {
	const struct logs_settings *settings;
	const struct clock *clock;
	pthread_mutex_t lock;           /* guards what follows */
	struct state_file file;
	struct counts counts;
	struct lines_stats stats;
	struct tail tail;
	bool committed;                 /* ever, since the start */
	bool dry;                       /* the state file is read at most */
	int64_t commit_mono_ms;
};

static void init_work(struct logs *l)
{
	l->stats = (struct lines_stats){ 0 };
	counts_init(&l->counts, l->settings);
	tail_init(&l->tail, l->settings, l->clock, &l->counts, &l->stats);
}

static void fini_work(struct logs *l)
{
	tail_fini(&l->tail);
	counts_fini(&l->counts);
}

static void *open_logs(const void *settings, const struct clock *clock)
{
	struct logs *l = mem_alloc(sizeof *l);

	l->settings = settings;
	l->clock = clock;
	l->file = (struct state_file){ l->settings->state, -1, false };
	pthread_mutex_init(&l->lock, NULL);
	init_work(l);
	return l;
}

static void make_dry(void *state)
{
	struct logs *l = state;

	l->dry = true;
}

static bool commit(struct logs *l, struct err *e)
{
	if (l->dry || (l->committed && !l->tail.changed))
		return true;
	if (!state_file_save(&l->file, &l->tail, &l->counts, &l->stats, e))
		return false;
	l->committed = true;
	l->tail.changed = false;
	l->commit_mono_ms = clock_mono_ms(l->clock);
	return true;
}

static void close_logs(void *state)
{
	struct logs *l = state;
	struct err e = { 0 };

	if (l->file.loaded)
		commit(l, &e);                  /* if it fails, what was read since is read again */
	fini_work(l);
	state_file_unlock(&l->file);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* After a reload the source before this one lets go of the state file soon. */
static bool wait_for_lock(struct logs *l, const struct source_ask *ask, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = ask->stop_fd, .events = POLLIN };

		if (state_file_lock(&l->file, e))
			return true;
		if (e->code != ERR_UPSTREAM || clock_mono_ms(ask->clock) + LOCK_RETRY_MS >= ask->deadline_mono_ms)
			return false;
		*e = (struct err){ 0 };
		if (poll(&p, 1, LOCK_RETRY_MS) > 0)
			return err_set(e, ERR_CANCELED, -1, "stopped");
	}
}

static bool load(struct logs *l, struct err *e)
{
	if (l->file.loaded || state_file_load(&l->file, &l->tail, &l->counts, &l->stats, e))
		return true;
	fini_work(l);                           /* nothing half-loaded stays */
	init_work(l);
	return false;
}

/* Under the lock. What was read is committed also when there is more. */
static bool read_and_commit(struct logs *l, const struct source_ask *ask, struct err *e)
{
	struct err saving = { 0 };
	bool ok;

	if ((!l->dry && !wait_for_lock(l, ask, e)) || !load(l, e))
		return false;
	ok = tail_round(&l->tail, ask, e);
	if (commit(l, &saving))
		return ok;
	*e = saving;
	return false;
}

static void emit(const struct logs *l, struct expo_set *out)
{
	int64_t written_ms = 0;

#define X(name, help) EXPO_EMIT0(out, &f_##name, (double)l->stats.name);
	LINES_STATS(X)
#undef X
	EXPO_EMIT0(out, &f_files, (double)l->tail.n);
	for (size_t i = 0; i < l->tail.n; i++)
		if (l->tail.files[i]->written_ms > written_ms)
			written_ms = l->tail.files[i]->written_ms;
	if (written_ms > 0)
		EXPO_EMIT0(out, &f_written, (double)written_ms / 1e3);
	counts_emit(&l->counts, out);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct logs *l = state;
	bool ok;

	pthread_mutex_lock(&l->lock);
	ok = read_and_commit(l, ask, e);
	if (ok)
		emit(l, out);
	pthread_mutex_unlock(&l->lock);
	return ok;
}

/* Whether all was read. What goes wrong here goes wrong in the next scrape too, and is told there. */
static bool read_ahead(struct logs *l, struct source_loop *loop)
{
	const int64_t now = clock_mono_ms(l->clock);
	const struct source_ask ask = { now + SLICE_MS, source_loop_stop_fd(loop), l->clock };
	struct err e = { 0 };
	bool ok = false;

	pthread_mutex_lock(&l->lock);
	if (state_file_lock(&l->file, &e) && load(l, &e))
		ok = tail_round(&l->tail, &ask, &e);
	if (l->file.loaded && now - l->commit_mono_ms >= COMMIT_EVERY_MS && !commit(l, &e))
		l->commit_mono_ms = now;
	pthread_mutex_unlock(&l->lock);
	return ok || e.code != ERR_TIMEOUT;
}

static void run(void *state, struct source_loop *loop)
{
	struct logs *l = state;
	int64_t next;

	if (l->dry)
		return;
	do {
		bool all = read_ahead(l, loop);

		next = clock_mono_ms(l->clock) + (all ? l->settings->interval_ms : 1);
	} while (source_loop_wait(loop, next));
}

static struct str describe(struct arena *a, const void *settings)
{
	const struct logs_settings *s = settings;

	if (s->files.n == 0)
		return STR("");
	return s->files.n == 1 ? s->files.v[0] : arena_printf(a, STR_FMT " and %zu more", STR_ARG(s->files.v[0]), s->files.n - 1);
}

static void explain(struct buf *out, const void *settings)
{
	const struct logs_settings *s = settings;
	const struct logs_rule *rules = logs_rules(s);

	explain_when(out, "every %s (interval), and to their end in each scrape: lines of", EXPLAIN_MS(s->interval_ms));
	for (size_t i = 0; i < s->files.n; i++)
		explain_ask(out, STR_FMT, STR_ARG(s->files.v[i]));
	explain_when(out, "each line is looked at for");
	for (size_t i = 0; i < s->metrics.n; i++)
		explain_ask(out, STR_FMT ": %s of %s%s", STR_ARG(rules[i].name), logs_rule_is_histogram(&rules[i]) ? "histogram"
		    : "counter",
		    rules[i].reads_json ? "JSON lines" : "lines", rules[i].match != NULL || rules[i].where.n > 0 ? " that match" : "");
	explain_note(out, "to read these files and their folders, and to write " STR_FMT " (state), where positions "
	    "and counts are kept",
	    STR_ARG(s->state));
}

/* One name of <path>, whatever links and dots are in it; what is not there yet is named by its folder. In <a>. */
static struct str one_name(struct arena *a, struct str path)
{
	char *z = arena_strz(a, path), *whole = realpath(z, NULL), *slash = strrchr(z, '/'), *folder = NULL;
	struct str name = path;

	if (whole == NULL && slash != NULL) {
		*slash = '\0';
		folder = realpath(slash == z ? "/" : z, NULL);
	}
	if (whole != NULL)
		name = arena_str(a, str_of(whole));
	else if (folder != NULL)
		name = arena_printf(a, "%s/%s", folder, slash + 1);
	free(whole);
	free(folder);
	return name;
}

static bool is_same_file(struct str x, struct str y)
{
	struct arena a = { 0 };
	bool same = str_eq(one_name(&a, x), one_name(&a, y));

	arena_fini(&a);
	return same;
}

/* Two sources with one state file would both wait for its lock. */
static bool link_settings(void *settings, const struct sources *all, const struct conf_node *at, struct conf_report *r)
{
	const struct logs_settings *s = settings;

	for (const struct sources_entry *x = all->v; s->state.n > 0 && (const void *)x->settings != settings; x++) {
		const struct logs_settings *before = (const void *)x->settings;

		if (x->kind == &logs_source_kind && is_same_file(before->state, s->state))
			return conf_error(r, conf_get(at, "state"), "state is that of \"" STR_FMT "\" too: a file for each source",
			                  STR_ARG(before->common.name));
	}
	return true;
}

static void name_rules(const void *settings, source_metric *metric, void *user)
{
	const struct logs_settings *s = settings;

	for (size_t i = 0; i < s->metrics.n; i++)
		metric(user, logs_rules(s)[i].name, logs_rules(s)[i].family.type, conf_get(s->metrics.nodes[i], "name"), false);
}

const struct source_kind logs_source_kind = {
	.name = "logs", .up_family = "tocsin_logs_up",
	    .up_help = "Whether all files could be read to their end, and the state file written.",
	.table = &logs_settings_table, .link = link_settings, .metrics = name_rules, .describe = describe, .explain = explain,
	    .open = open_logs,
	.make_dry = make_dry,
	.collect = collect, .run = run, .close = close_logs,
};
