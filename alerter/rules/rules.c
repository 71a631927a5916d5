/* The running whole: groups on a clock, a few workers, reload, snapshots.
 *
 * <lock> guards the list of groups and who runs which; a worker owns the group whose <running> it set and touches it without
 * a lock.
 * rules_apply waits until nobody runs, so it owns everything. <view_lock> guards only the pointers to the latest views. */
#include "rules/rules.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "rules/plan.h"
#include "rules/run.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define LOOK_MS 500             /* a waiting worker looks at the clock this often: it may have stepped */
#define RAISE_EVERY_MS 900     /* about once a second: scrapes a second apart come a little early at times */

/* Deleted rules that still have to tell their end. */
struct ghost {
	struct rule_run run;
	struct rule_file *file;
	struct ghost *next;
};

struct worker {
	struct rules *rules;
	struct appender *appender;
	struct arena scratch;
	pthread_t thread;
};

struct rules {
	struct rules_deps deps;
	pthread_mutex_t lock, sink_lock, view_lock, inputs_lock;
	pthread_cond_t wake;
	struct rules_plan *plan;        /* in use; NULL before the first rules_apply */
	struct rules_plan *kept;        /* what was in use when the last run ended, until the first rules_apply; NULL: not known */
	struct group_run **groups;
	size_t n_groups, running;
	struct ghost *ghosts;
	struct worker *workers;
	size_t n_workers;               /* threads that run */
	bool stopping, applying;
	int64_t wall_ms;                /* at the last look */
	struct clock_skew skew;
	_Atomic int64_t began_mono_ms;  /* to run: after the start, or when we stood still */
};

struct rules *rules_new(const struct rules_deps *deps)
{
	struct rules *r = mem_alloc(sizeof *r);

	assert(deps->n_appenders > 0);
	r->deps = *deps;
	r->began_mono_ms = clock_mono_ms(deps->clock);
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->sink_lock, NULL);
	pthread_mutex_init(&r->view_lock, NULL);
	pthread_mutex_init(&r->inputs_lock, NULL);
	wait_cond_init(&r->wake);
	r->workers = mem_alloc(deps->n_appenders * sizeof *r->workers);
	for (size_t i = 0; i < deps->n_appenders; i++)
		r->workers[i] = (struct worker){ .rules = r, .appender = deps->appenders[i] };
	return r;
}

static struct eval_env env_of(struct worker *w)
{
	struct rules *r = w->rules;

	return (struct eval_env){ r->deps.querier, w->appender, r->deps.sink, &r->sink_lock, &r->plan->options, &w->scratch,
		                  &r->inputs_lock, r->groups, r->n_groups,
		                  clock_mono_ms(r->deps.clock) - r->began_mono_ms < r->plan->options.settle_ms };
}

/* ---- the clock ---- */

static uint64_t fnv1a(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	return h;
}

/* First slot at or behind <now_ms>: slots are aligned to absolute time, each group's with an offset that outlives restarts. */
static int64_t next_slot(const struct rule_group *g, int64_t now_ms)
{
	uint64_t h = fnv1a(fnv1a(fnv1a(0xcbf29ce484222325ULL, g->file), STR(";")), g->name);
	int64_t offset = (int64_t)(h % (uint64_t)g->interval_ms), past = (now_ms - offset) % g->interval_ms;

	if (past < 0)
		past += g->interval_ms;
	return past == 0 ? now_ms : now_ms - past + g->interval_ms;
}

/* The slot to evaluate now; those that passed meanwhile are missed. Under the lock. */
static int64_t take_slot(struct group_run *g, int64_t now_ms)
{
	int64_t interval = g->def->interval_ms, late = (now_ms - g->due_ms) / interval, slot = g->due_ms + late * interval;

	g->missed += (uint64_t)late;
	g->due_ms = slot + interval;
	return slot;
}

/* The wall clock went another way than the monotonic one: a step, or we were suspended. Under the lock. */
static void look_at_clock(struct rules *r)
{
	int64_t step = clock_step_ms(&r->skew, r->deps.clock);

	r->wall_ms = clock_now_ms(r->deps.clock);
	if (step != 0) {
		log_printf(LOG_WARN, "the wall clock stepped by %lld ms: alerts keep the time they had", (long long)step);
		for (size_t i = 0; i < r->n_groups; i++) {
			r->groups[i]->shift_ms += step;
			r->groups[i]->due_ms = next_slot(r->groups[i]->def, r->wall_ms);
		}
	}
}

/* ---- running a group ---- */

static void publish(struct rules *r, struct group_run *g)
{
	struct group_view *fresh = group_view_new(g), *old;

	pthread_mutex_lock(&r->view_lock);
	old = g->view;
	g->view = fresh;
	pthread_mutex_unlock(&r->view_lock);
	group_view_unref(old);
}

static void free_ghost(struct ghost *ghost)
{
	rule_run_fini(&ghost->run);
	rule_file_unref(ghost->file);
	free(ghost);
}

/* Ends that are not told yet; those the sink refuses come back. */
static void tell_ghosts(struct rules *r, const struct eval_env *env, int64_t now_ms)
{
	struct ghost *list;

	pthread_mutex_lock(&r->lock);
	list = r->ghosts;
	r->ghosts = NULL;
	pthread_mutex_unlock(&r->lock);
	while (list != NULL) {
		struct ghost *ghost = list;

		list = ghost->next;
		if (rule_runs_commit(&ghost->run, 1, env, now_ms)) {
			free_ghost(ghost);
			continue;
		}
		pthread_mutex_lock(&r->lock);
		ghost->next = r->ghosts;
		r->ghosts = ghost;
		pthread_mutex_unlock(&r->lock);
	}
}

static void shift(struct group_run *g, int64_t by_ms)
{
	for (size_t i = 0; i < g->def->n_rules && by_ms != 0; i++)
		rule_run_shift(&g->rules[i], by_ms);
}

struct task {
	struct group_run *group;
	int64_t slot_ms, shift_ms;
	bool raise;
};

/* Who has waited longest. Under the lock; the group is the caller's until give_back. */
static bool take_task(struct rules *r, int64_t now_ms, struct task *out)
{
	struct group_run *best = NULL;

	*out = (struct task){ 0 };
	for (size_t i = 0; i < r->n_groups && !r->applying; i++) {
		struct group_run *g = r->groups[i];

		if (!g->running && g->due_ms <= now_ms && (best == NULL || g->due_ms < best->due_ms))
			best = g;
	}
	if (best != NULL)
		*out = (struct task){ best, take_slot(best, now_ms), best->shift_ms, false };
	for (size_t i = 0; i < r->n_groups && best == NULL && !r->applying; i++)
		if (r->groups[i]->raise && !r->groups[i]->running) {
			best = r->groups[i];
			*out = (struct task){ best, now_ms, best->shift_ms, true };
			best->raised_ms = now_ms;
		}
	if (best == NULL)
		return false;
	best->shift_ms = 0;
	best->running = true;
	r->running++;
	return true;
}

static void run_task(struct worker *w, const struct task *t)
{
	struct eval_env env = env_of(w);

	shift(t->group, t->shift_ms);
	if (t->raise)
		rules_group_raise(t->group, &env, t->group->raise_target, t->slot_ms);
	else
		rules_group_eval(t->group, &env, t->slot_ms);
	publish(w->rules, t->group);
	tell_ghosts(w->rules, &env, t->slot_ms);
}

static void give_back(struct rules *r, const struct task *t)
{
	t->group->running = false;
	if (t->raise)
		t->group->raise = false;
	r->running--;
	pthread_cond_broadcast(&r->wake);
}

static int64_t next_due(const struct rules *r)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < r->n_groups; i++)
		if (!r->groups[i]->running && r->groups[i]->due_ms < due)
			due = r->groups[i]->due_ms;
	return due;
}

static void wait_for_work(struct rules *r, int64_t now_ms)
{
	int64_t due = next_due(r), wait_ms = due - now_ms < LOOK_MS ? due - now_ms : LOOK_MS;

	(void)wait_for_ms(&r->wake, &r->lock, wait_ms < 1 ? 1 : wait_ms);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct rules *r = w->rules;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		struct task t;

		if (clock_leapt(&r->wall_ms, r->deps.clock))
			r->began_mono_ms = clock_mono_ms(r->deps.clock);
		look_at_clock(r);
		if (!take_task(r, r->wall_ms, &t)) {
			wait_for_work(r, r->wall_ms);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		run_task(w, &t);
		pthread_mutex_lock(&r->lock);
		give_back(r, &t);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

void rules_start(struct rules *r)
{
	assert(r->n_workers == 0);
	r->stopping = false;
	for (; r->n_workers < r->deps.n_appenders; r->n_workers++)
		if (pthread_create(&r->workers[r->n_workers].thread, NULL, work, &r->workers[r->n_workers]) != 0)
			mem_abort(0);
}

void rules_stop(struct rules *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->lock);
	for (; r->n_workers > 0; r->n_workers--)
		pthread_join(r->workers[r->n_workers - 1].thread, NULL);
}

void rules_tick(struct rules *r, int64_t now_ms)
{
	struct task t;

	assert(r->n_workers == 0);
	pthread_mutex_lock(&r->lock);
	look_at_clock(r);
	while (take_task(r, now_ms, &t)) {
		pthread_mutex_unlock(&r->lock);
		run_task(&r->workers[0], &t);
		pthread_mutex_lock(&r->lock);
		give_back(r, &t);
	}
	pthread_mutex_unlock(&r->lock);
}

int64_t rules_next_due_ms(struct rules *r, int64_t now_ms)
{
	int64_t due;

	pthread_mutex_lock(&r->lock);
	due = next_due(r);
	pthread_mutex_unlock(&r->lock);
	return due < now_ms ? now_ms : due;
}

/* The scrape loop never waits for an evaluation: the target is noted, a worker looks at it. */
void rules_on_scrape(struct rules *r, struct labels target, int64_t now_ms)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_groups; i++) {
		struct group_run *g = r->groups[i];

		if (g->raise || g->running || now_ms - g->raised_ms < RAISE_EVERY_MS || !rules_group_reads(g, target))
			continue;
		arena_reset(&g->raise_arena);
		g->raise_target = labels_copy(&g->raise_arena, target);
		g->raise = true;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
}

/* ---- reload ---- */

struct rules_plan *rules_plan_new(struct rules *r, const struct rules_options *options, const struct str *patterns,
                                  size_t n_patterns, struct conf_report *report)
{
	const struct rules_plan *before = r != NULL ? r->plan : NULL;

	if (r != NULL && before == NULL && r->kept == NULL && r->deps.kept_path != NULL)
		r->kept = kept_read(r->deps.kept_path, options);
	if (r != NULL && before == NULL)
		before = r->kept;
	return plan_make(before != NULL ? before->files : NULL, before != NULL ? before->n_files : 0, options, patterns, n_patterns, report);
}

static void free_group(struct group_run *g)
{
	for (size_t i = 0; i < g->def->n_rules; i++)
		rule_run_fini(&g->rules[i]);
	free(g->rules);
	group_view_unref(g->view);
	rule_file_unref(g->file);
	arena_fini(&g->raise_arena);
	free(g);
}

static struct rule_run *find_run(struct group_run **groups, size_t n, struct str key)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < groups[i]->def->n_rules; j++)
			if (groups[i]->rules[j].def != NULL && str_eq(groups[i]->rules[j].def->id.key, key))
				return &groups[i]->rules[j];
	return NULL;
}

/* What the group before it (same file and name) counted goes on. */
static void inherit_counts(struct group_run *g, struct group_run **old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct group_run *o = old[i];

		if (!str_eq(o->def->file, g->def->file) || !str_eq(o->def->name, g->def->name))
			continue;
		g->last_evaluation_ms = o->last_evaluation_ms;
		g->seconds = o->seconds;
		g->iterations = o->iterations;
		g->missed = o->missed;
		g->evaluations = o->evaluations;
		g->failures = o->failures;
		g->shift_ms = o->shift_ms;
		if (o->def->interval_ms == g->def->interval_ms)
			g->due_ms = o->due_ms;
	}
}

static struct group_run *new_group(struct rules *r, struct rule_file *file, const struct rule_group *def, struct group_run **old,
                                   size_t n_old, int64_t now_ms)
{
	struct group_run *g = mem_alloc(sizeof *g);

	g->def = def;
	g->file = rule_file_ref(file);
	g->rules = mem_alloc((def->n_rules + 1) * sizeof *g->rules);
	g->due_ms = next_slot(def, now_ms);
	inherit_counts(g, old, n_old);
	for (size_t i = 0; i < def->n_rules; i++) {
		struct rule_run *was = find_run(old, n_old, def->rules[i].id.key);

		if (was != NULL) {
			g->rules[i] = *was;
			*was = (struct rule_run){ 0 };          /* def NULL: moved */
		}
		g->rules[i].def = &def->rules[i];
		g->rules[i].fresh = was == NULL;
		if (!g->rules[i].loaded)
			rule_run_load(&g->rules[i], r->deps.sink, &r->sink_lock, def->interval_ms, now_ms);
	}
	g->view = group_view_new(g);
	return g;
}

/* Rules nobody took over: their series end now, their alerts as soon as the sink takes it. */
static void bury(struct rules *r, struct group_run *g, int64_t now_ms)
{
	for (size_t i = 0; i < g->def->n_rules; i++) {
		struct rule_run *run = &g->rules[i], *heir;
		struct ghost *ghost;

		if (run->def == NULL)
			continue;
		heir = run->left ? NULL : rule_run_like(r->groups, r->n_groups, run->def);
		rule_run_end(run, heir, &r->workers[0].scratch, now_ms);
		rule_run_end_outputs(run, heir, r->workers[0].appender, &r->workers[0].scratch, now_ms - g->def->query_offset_ms);
		ghost = mem_alloc(sizeof *ghost);
		ghost->run = *run;
		ghost->file = rule_file_ref(g->file);
		ghost->next = r->ghosts;
		r->ghosts = ghost;
		*run = (struct rule_run){ 0 };
	}
	free_group(g);
}

static size_t count_groups(const struct rules_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_files; i++)
		n += p->files[i].file != NULL ? p->files[i].file->n_groups : 0;
	return n;
}

static struct rule_run *like_in_file(struct rules *r, const struct rule_file *file, const struct rule *def)
{
	struct rule_run *found = NULL;

	for (size_t i = 0; i < r->n_groups && found == NULL; i++)
		if (r->groups[i]->file == file)
			found = rule_run_like(&r->groups[i], 1, def);
	return found;
}

/* A rule in a new place that is like one whose place is gone, or will be. */
static void adopt(struct rules *r, const struct rules_plan *p, struct rule_run *run, struct group_run **old, size_t n_old)
{
	struct arena *scratch = &r->workers[0].scratch;
	struct rule_run *from = rule_run_like(old, n_old, run->def);

	if (from != NULL)
		rule_run_move(run, from, scratch);
	for (size_t i = 0; i < p->n_files && from == NULL; i++) {
		from = p->files[i].vanished ? like_in_file(r, p->files[i].file, run->def) : NULL;
		if (from != NULL)
			rule_run_copy(run, from, scratch);
	}
}

/* Nobody runs. */
static void swap_groups(struct rules *r, struct rules_plan *p, int64_t now_ms)
{
	struct group_run **old = r->groups, **groups = mem_alloc((count_groups(p) + 1) * sizeof(struct group_run *));
	size_t n_old = r->n_groups, n = 0;

	for (size_t i = 0; i < p->n_files; i++)
		for (size_t g = 0; p->files[i].file != NULL && g < p->files[i].file->n_groups; g++)
			groups[n++] = new_group(r, p->files[i].file, &p->files[i].file->groups[g], old, n_old, now_ms);
	pthread_mutex_lock(&r->view_lock);
	r->groups = groups;
	r->n_groups = n;
	pthread_mutex_unlock(&r->view_lock);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < groups[i]->def->n_rules; k++)
			if (groups[i]->rules[k].fresh && groups[i]->rules[k].alerts.n == 0)
				adopt(r, p, &groups[i]->rules[k], old, n_old);
	for (size_t i = 0; i < n_old; i++)
		bury(r, old[i], now_ms);
	free(old);
}

/* Before what they were is told to have ended. */
static bool tell_moved(struct rules *r, const struct eval_env *env, int64_t now_ms)
{
	bool ok = true;

	for (size_t i = 0; i < r->n_groups; i++)
		for (size_t k = 0; k < r->groups[i]->def->n_rules; k++)
			if (r->groups[i]->rules[k].fresh && r->groups[i]->rules[k].alerts.n > 0)
				ok = rule_runs_commit(&r->groups[i]->rules[k], 1, env, now_ms) && ok;
	return ok;
}

void rules_apply(struct rules *r, struct rules_plan *p)
{
	int64_t now_ms = clock_now_ms(r->deps.clock);
	struct rules_plan *old;
	struct eval_env env;

	pthread_mutex_lock(&r->lock);
	r->applying = true;
	while (r->running > 0)
		pthread_cond_wait(&r->wake, &r->lock);
	if (r->plan == NULL && r->kept != NULL)         /* a start goes on from there as a reload does */
		swap_groups(r, r->kept, now_ms);
	swap_groups(r, p, now_ms);
	pthread_mutex_lock(&r->view_lock);
	old = r->plan;
	r->plan = p;
	pthread_mutex_unlock(&r->view_lock);
	pthread_mutex_unlock(&r->lock);
	env = env_of(&r->workers[0]);
	if (tell_moved(r, &env, now_ms))
		tell_ghosts(r, &env, now_ms);
	rules_plan_free(old);
	rules_plan_free(r->kept);
	r->kept = NULL;
	pthread_mutex_lock(&r->lock);
	r->applying = false;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->deps.kept_path != NULL)          /* a slow disk keeps nobody from evaluating */
		kept_write(r->deps.kept_path, p);
}

void rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	rules_stop(r);
	for (size_t i = 0; i < r->n_groups; i++)
		free_group(r->groups[i]);
	free(r->groups);
	while (r->ghosts != NULL) {
		struct ghost *ghost = r->ghosts;

		r->ghosts = ghost->next;
		free_ghost(ghost);
	}
	for (size_t i = 0; i < r->deps.n_appenders; i++)
		arena_fini(&r->workers[i].scratch);
	free(r->workers);
	rules_plan_free(r->plan);
	rules_plan_free(r->kept);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->sink_lock);
	pthread_mutex_destroy(&r->view_lock);
	pthread_mutex_destroy(&r->inputs_lock);
	free(r);
}

/* ---- snapshots ---- */

struct snapshot {
	struct rules_snapshot seen;     /* first: what callers hold */
	struct arena arena;
	struct group_view **views;
};

const struct rules_snapshot *rules_snapshot_get(struct rules *r)
{
	struct snapshot *s = mem_alloc(sizeof *s);
	const struct rule_group_view **groups;
	struct rule_file_view *files;
	size_t n_files;

	pthread_mutex_lock(&r->view_lock);
	n_files = r->plan != NULL ? r->plan->n_files : 0;
	groups = ARENA_ARRAY(&s->arena, r->n_groups, const struct rule_group_view *);
	s->views = ARENA_ARRAY(&s->arena, r->n_groups, struct group_view *);
	files = ARENA_ARRAY(&s->arena, n_files, struct rule_file_view);
	for (size_t i = 0; i < r->n_groups; i++) {
		s->views[i] = r->groups[i]->view;
		atomic_fetch_add(&s->views[i]->refs, 1);
		groups[i] = &s->views[i]->view;
	}
	for (size_t i = 0; i < n_files; i++) {
		files[i].path = arena_str(&s->arena, r->plan->files[i].path);
		files[i].problem = arena_str(&s->arena, r->plan->files[i].problem);
		files[i].loaded = r->plan->files[i].file != NULL;
		files[i].gone = r->plan->files[i].gone;
	}
	s->seen = (struct rules_snapshot){ groups, r->n_groups, files, n_files };
	pthread_mutex_unlock(&r->view_lock);
	return &s->seen;
}

void rules_snapshot_release(const struct rules_snapshot *seen)
{
	struct snapshot *s = (struct snapshot *)(uintptr_t)seen;

	if (s == NULL)
		return;
	for (size_t i = 0; i < seen->n_groups; i++)
		group_view_unref(s->views[i]);
	arena_fini(&s->arena);
	free(s);
}
