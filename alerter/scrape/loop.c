/* The loop: every target on its own schedule, one thread, curl's multi interface. What takes long is handed over (heavy.h): the
 * target rests until it is handed back, and a reload waits for that; the others go on. A target's scrapes fall on wall-clock times
 * that are congruent to its offset modulo its interval, so they stay apart from others and survive a restart; waiting is done on the
 * monotonic clock, so a jump of the wall clock costs at most one interval.
 *
 * A removed target ends as in Prometheus: its series get their stale markers two ticks later, at the time of the first one, so that
 * a target that took them over meanwhile keeps them. */
#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "scrape/config.h"
#include "scrape/discover.h"
#include "scrape/fetch.h"
#include "scrape/heavy.h"
#include "scrape/orphans.h"
#include "scrape/target.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/regex.h"

enum { IDLE_MS = 1000, PLAIN_KEPT = 1 << 20 };
#define RETENTION_MS (INT64_C(15) * 86400000)

static const struct str default_gauges[] = { { "*_up", 4 }, { "probe_success", 13 }, { "*_collector_success", 19 } };
static const struct conf_strs default_health_gauges = { default_gauges, ARRAY_LEN(default_gauges) };

struct scheduled {
	struct target *target;
	struct fetch *fetch;
	bool handed_over;            /* to one of the heavy ones */
	bool was_heavy;              /* last time */
	int64_t offset_ms;
	int64_t due_ms, due_mono_ms; /* the next scrape */
	int64_t t_ms;                /* of the scrape on its way */
	int64_t end_ms;              /* removed: stale markers are written at this time … */
	int64_t ended_at_ms;         /* … bearing this one */
};

struct scheduled_list {
	struct scheduled **v;
	size_t n, cap;
};

struct scrape_loop {
	struct scrape_options options;
	struct target_env env;
	struct discovery *discovery;
	const struct scrape_config *config; /* under the discovery's lock */
	CURLM *multi;
	struct tokens *tokens; /* of OAuth 2 */
	struct fetch_room room;
	struct heavy *heavy;
	bool draining; /* a list waits until it is idle */
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* what looks on: lists below, targets' published part, stats */
	pthread_cond_t applied;
	struct target_list *pending; /* handed over by scrape_reload */
	bool stop;
	struct scheduled_list active, ended;
	int64_t next_due_mono_ms; /* no scrape can begin before; the loop's own */
	struct target_list *plan; /* what is in force */
	struct scrape_stats stats;
	struct orphans orphans;
};

static struct scrape_options with_defaults(const struct scrape_options *given)
{
	struct scrape_options o = *given;

	if (o.clock == NULL)
		o.clock = &clock_system;
	if (o.retention_ms == 0)
		o.retention_ms = RETENTION_MS;
	return o;
}

static void on_discovered(void *ctx);

static void wake(void *ctx)
{
	const struct scrape_loop *loop = ctx;

	curl_multi_wakeup(loop->multi);
}

struct scrape_loop *scrape_new(const struct scrape_options *options)
{
	struct scrape_loop *loop = mem_alloc(sizeof *loop);
	struct discovery_options discovery = { .changed = on_discovered, .ctx = loop, .dns_servers = options->dns_servers };

	loop->options = with_defaults(options);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	loop->multi = connection_multi_new();
	fetch_room_init(&loop->room, loop->multi);
	loop->tokens = tokens_new();
	discovery.clock = loop->options.clock;
	loop->discovery = discovery_new(&discovery);
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->applied, NULL);
	loop->env = (struct target_env){
		.store = options->store,
		.retention_ms = loop->options.retention_ms,
		.type_and_unit = loop->options.type_and_unit,
		.shared_lock = &loop->lock,
		.app = store_appender_new(options->store),
		.stats = &loop->stats,
	};
	if (getrandom(&loop->env.seed, sizeof loop->env.seed, 0) != (ssize_t)sizeof loop->env.seed)
		abort();
	loop->heavy = heavy_new(&loop->env, wake, loop);
	return loop;
}

static void scheduled_free(struct scrape_loop *loop, struct scheduled *s)
{
	fetch_free(s->fetch, loop->multi);
	target_free(s->target, loop->options.store);
	free(s);
}

static void list_fini(struct scrape_loop *loop, struct scheduled_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		scheduled_free(loop, list->v[i]);
	free(list->v);
}

/* A target that ended is free already. */
static void stop_heavy(struct heavy *h)
{
	struct heavy_job *job;

	heavy_stop(h);
	while ((job = heavy_done(h)) != NULL) {
		struct scheduled *s = job->owner;

		s->target = job->target;
		free(job);
	}
	heavy_free(h);
}

void scrape_free(struct scrape_loop *loop)
{
	if (loop == NULL)
		return;
	discovery_free(loop->discovery);
	if (loop->running) {
		pthread_mutex_lock(&loop->lock);
		loop->stop = true;
		pthread_mutex_unlock(&loop->lock);
		curl_multi_wakeup(loop->multi);
		pthread_join(loop->thread, NULL);
	}
	stop_heavy(loop->heavy);
	list_fini(loop, &loop->active);
	list_fini(loop, &loop->ended);
	curl_multi_cleanup(loop->multi);
	tokens_free(loop->tokens);
	fetch_room_fini(&loop->room);
	store_appender_free(loop->env.app);
	arena_fini(&loop->env.scratch);
	line_texts_fini(&loop->env.texts);
	target_list_free(loop->pending);
	target_list_free(loop->plan);
	pthread_cond_destroy(&loop->applied);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

/* ---- Schedule ---- */

/* The first time after <after_ms> that is congruent to the offset. */
static void schedule_after(struct scrape_loop *loop, struct scheduled *s, int64_t after_ms)
{
	int64_t interval_ms = s->target->interval_ms, past = (after_ms - s->offset_ms) % interval_ms;

	s->due_ms = after_ms + interval_ms - (past < 0 ? past + interval_ms : past);
	s->due_mono_ms = clock_mono_ms(loop->options.clock) + s->due_ms - clock_now_ms(loop->options.clock);
}

static void due_at(struct scrape_loop *loop, const struct scheduled *s)
{
	if (s->due_mono_ms < loop->next_due_mono_ms)
		loop->next_due_mono_ms = s->due_mono_ms;
}

static void schedule(struct scrape_loop *loop, struct scheduled *s)
{
	schedule_after(loop, s, clock_now_ms(loop->options.clock));
}

/* What Prometheus allows, and a five-hundredth of the interval up to 20 ms: 2 ms are seldom kept by a machine with other work. */
static int64_t tolerance_ms(int64_t interval_ms)
{
	int64_t least_ms = interval_ms < 200 ? interval_ms / 100 : 2, part_ms = interval_ms / 500;

	return part_ms < least_ms ? least_ms : part_ms < 20 ? part_ms : 20;
}

/* A scrape that starts as planned bears the planned time: equal steps cost the store nothing, others up to a byte a sample. */
static int64_t aligned_time(const struct scheduled *s, int64_t now_ms)
{
	int64_t late_ms = now_ms - s->due_ms;

	return llabs(late_ms) <= tolerance_ms(s->target->interval_ms) ? s->due_ms : now_ms;
}

static void list_add(struct scheduled_list *list, struct scheduled *s)
{
	list->v = mem_grow(list->v, &list->cap, list->n + 1, sizeof(struct scheduled *));
	list->v[list->n++] = s;
}

static void set_offset(const struct scrape_loop *loop, struct scheduled *s, size_t n_targets)
{
	s->offset_ms = target_offset_ms(str_hash(s->target->key) ^ loop->options.offset_seed, s->target->interval_ms, n_targets);
}

static struct scheduled *scheduled_new(struct scrape_loop *loop, const struct target_plan *p, size_t n_targets)
{
	struct scheduled *s = mem_alloc(sizeof *s);

	s->target = target_new(p);
	s->fetch = fetch_new(s, &loop->room);
	set_offset(loop, s, n_targets);
	schedule(loop, s);
	return s;
}

/* ---- Unseen ---- */

static void end_orphans(struct scrape_loop *loop)
{
	struct target **active;

	if (loop->orphans.settled || loop->plan == NULL)
		return;
	active = mem_alloc(loop->active.n * sizeof(struct target *));
	for (size_t i = 0; i < loop->active.n; i++)
		active[i] = loop->active.v[i]->target;
	orphans_end(&loop->orphans, &loop->env, loop->plan, active, loop->active.n, loop->options.clock);
	free(active);
}

/* Of targets that a discovery has not named yet nothing is known but their job, and what they had before the start if the store knows that:
 * otherwise they may carry anything. */
static size_t unseen_jobs(const struct scrape_loop *loop, struct label *job, struct store_unseen *v)
{
	bool anything = !store_knows_past(loop->options.store);

	for (size_t i = 0; i < loop->plan->n_waiting; i++) {
		job[i] = (struct label){ STR("job"), loop->plan->waiting[i]->name };
		v[i] = (struct store_unseen){ .labels = { &job[i], !anything } };
	}
	return loop->plan->n_waiting;
}

static void tell_unseen(struct scrape_loop *loop)
{
	size_t n = loop->plan->n_waiting, cap = 0;
	struct store_unseen *v = mem_grow(NULL, &cap, n + 1, sizeof *v);
	struct label *jobs = mem_alloc(n * sizeof *jobs);
	struct arena a = { 0 };

	n = unseen_jobs(loop, jobs, v);
	for (size_t i = 0; i < loop->active.n; i++) {
		const struct target *t = loop->active.v[i]->target;

		v = mem_grow(v, &cap, n + 1 + t->n_blind, sizeof *v);
		if (!t->ever_good || t->away)
			v[n++] = (struct store_unseen){ .labels = target_kept_labels(t, &a), .attempted = t->attempted && !t->away };
		for (size_t b = 0; b < t->n_blind; b++)
			v[n++] = t->blind[b];
	}
	store_set_unseen(loop->options.store, v, n);
	arena_fini(&a);
	free(jobs);
	free(v);
	end_orphans(loop);
}

/* ---- Reload ---- */

static void renew_fetch(struct scrape_loop *loop, struct scheduled *s)
{
	fetch_free(s->fetch, loop->multi);
	s->fetch = fetch_new(s, &loop->room);
	s->target->asked_before = false;
}

/* Instead of the scrape that is on its way. */
static void scrape_anew(struct scrape_loop *loop, struct scheduled *s)
{
	renew_fetch(loop, s);
	s->due_ms = clock_now_ms(loop->options.clock);
	s->due_mono_ms = clock_mono_ms(loop->options.clock);
}

static void update(struct scrape_loop *loop, struct scheduled *s, const struct target_plan *p, size_t n_targets)
{
	bool rescheduled = s->target->interval_ms != p->interval_ms;

	if (!scrape_jobs_read_alike(s->target->job, p->job) || memcmp(&s->target->histograms, &p->histograms, sizeof p->histograms) != 0)
		target_forget_texts(s->target);
	s->target->job = p->job;
	if (!labels_eq(s->target->discovered, p->discovered))
		s->target->discovered = labels_copy(&s->target->arena, p->discovered);
	s->target->interval_ms = p->interval_ms;
	s->target->timeout_ms = p->timeout_ms;
	s->target->histograms = p->histograms;
	s->target->tracks_own_times = p->job->track_timestamps_staleness;
	target_refuse(s->target, p->error);
	if (!fetch_change(s->fetch, p->job))
		scrape_anew(loop, s);
	if (!rescheduled)
		return;
	set_offset(loop, s, n_targets);
	schedule(loop, s);
}

static void retire(struct scrape_loop *loop, struct scheduled *s)
{
	renew_fetch(loop, s);
	schedule(loop, s);
	s->ended_at_ms = s->due_ms;
	s->end_ms = s->due_ms + s->target->interval_ms + s->target->interval_ms / 10;
	s->target->job = NULL;
	list_add(&loop->ended, s);
}

/* Which lines are health gauges is remembered with their texts. */
static void set_health_gauges(struct scrape_loop *loop, struct conf_strs gauges)
{
	for (size_t i = 0; i < loop->active.n && !scrape_same_texts(loop->env.health_gauges, gauges); i++)
		target_forget_texts(loop->active.v[i]->target);
	loop->env.health_gauges = gauges;
	heavy_set_gauges(loop->heavy, gauges);
}

static void apply(struct scrape_loop *loop, struct target_list *list)
{
	struct map before = { 0 };
	struct scheduled_list now = { 0 };

	pthread_mutex_lock(&loop->lock);
	set_health_gauges(loop, list->config->health_gauges.n > 0 ? list->config->health_gauges : default_health_gauges);
	for (size_t i = 0; i < loop->active.n; i++)
		map_put(&before, loop->active.v[i]->target->key, loop->active.v[i]);
	for (size_t i = 0; i < list->n; i++) {
		const struct target_plan *p = &list->v[i];
		struct scheduled *s = p->dropped ? NULL : map_del(&before, p->key);

		if (p->dropped)
			continue;
		if (s != NULL)
			update(loop, s, p, list->n);
		list_add(&now, s != NULL ? s : scheduled_new(loop, p, list->n));
	}
	for (struct map_slot *m = NULL; (m = map_next(&before, m)) != NULL;)
		retire(loop, m->value);
	map_fini(&before);
	free(loop->active.v);
	loop->active = now;
	loop->next_due_mono_ms = 0;
	target_list_free(loop->plan);
	loop->plan = list;
	loop->stats.reloads++;
	pthread_mutex_unlock(&loop->lock);
	tell_unseen(loop);
}

/* Waits until the loop has taken it over. Under the discovery's lock, so that lists come one after the other. */
static void hand_over(struct scrape_loop *loop, struct target_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].error != NULL)
			log_event(LOG_ERROR, "target is not scraped", "url", arena_strz(&list->arena, list->v[i].url), "err",
			          list->v[i].error, NULL);
	if (!loop->running) {
		apply(loop, list);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	assert(loop->pending == NULL);
	loop->pending = list;
	curl_multi_wakeup(loop->multi);
	while (loop->pending != NULL)
		pthread_cond_wait(&loop->applied, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

struct found {
	struct arena arena;
	struct scrape_static *v;
	size_t n, cap;
};

static void add_found(void *ctx, const struct scrape_static *group)
{
	struct found *f = ctx;

	f->v = arena_grow(&f->arena, f->v, f->n, &f->cap, f->n + 1, sizeof *f->v);
	f->v[f->n++] = *group;
}

/* What a discovery that never answered would name nobody knows, and there is nothing to tell of it but that. */
static void tell_found(struct scrape_loop *loop)
{
	const struct scrape_config *c = loop->config;

	for (size_t i = 0; i < c->n_finders && loop->options.found != NULL; i++) {
		const struct scrape_job *one = &c->finders[i];
		struct found f = { 0 };

		if (one->file_sds.n + one->http_sds.n + one->dns_sds.n == 0)
			continue;
		(void)!discovery_groups(loop->discovery, one, add_found, &f);
		loop->options.found(loop->options.ctx, c->finders_of, i, f.v, f.n);
		arena_fini(&f.arena);
	}
}

void scrape_reload(struct scrape_loop *loop, const struct scrape_config *config)
{
	discovery_lock(loop->discovery);
	loop->config = config;
	discovery_configure(loop->discovery, config);
	hand_over(loop, target_list_new(config, loop->discovery));
	tell_found(loop);
	discovery_unlock(loop->discovery);
}

static void on_discovered(void *ctx)
{
	struct scrape_loop *loop = ctx;

	hand_over(loop, target_list_new(loop->config, loop->discovery));
	tell_found(loop);
}

/* ---- Scrapes ---- */

/* Its samples are in the store. */
static void settle(struct scrape_loop *loop, struct target *t, const struct target_taken *taken, int64_t t_ms)
{
	bool attempted = t->attempted, ever_good = t->ever_good, away = t->away;
	uint64_t blind_no = t->blind_no;

	target_settle(t, loop->options.store, taken);
	if (attempted != t->attempted || ever_good != t->ever_good || away != t->away || blind_no != t->blind_no)
		tell_unseen(loop);
	if (loop->options.scraped != NULL)
		loop->options.scraped(loop->options.ctx, t->labels, taken->up, t_ms);
}

static bool take(struct scrape_loop *loop, struct target *t, const struct scrape_reply *reply, int64_t t_ms)
{
	struct target_taken taken = target_take(t, &loop->env, reply, t_ms);

	settle(loop, t, &taken, t_ms);
	return taken.up;
}

bool scrape_ingest(struct scrape_loop *loop, size_t target, const struct scrape_reply *reply, int64_t t_ms)
{
	assert(!loop->running && target < loop->active.n);
	return take(loop, loop->active.v[target]->target, reply, t_ms);
}

static bool hand_over_job(struct scrape_loop *loop, struct scheduled *s, size_t reply_bytes, struct heavy_job job)
{
	job.owner = s;
	job.target = s->target;
	s->handed_over = heavy_push(loop->heavy, heavy_bytes(loop->heavy, s->target, reply_bytes), &job);
	s->was_heavy = s->handed_over;
	return s->handed_over;
}

static void fail_scrape(struct scrape_loop *loop, struct scheduled *s, const struct err *why)
{
	const struct scrape_reply failed = { .transport_error = why->msg };

	if (!hand_over_job(loop, s, 0, (struct heavy_job){ .why = *why, .t_ms = s->t_ms }))
		take(loop, s->target, &failed, s->t_ms);
}

static void release_reply(struct scrape_loop *loop, struct scheduled *s)
{
	fetch_release(s->fetch);
	if (loop->room.plain.cap > PLAIN_KEPT)
		buf_fini(&loop->room.plain);
	due_at(loop, s);
}

static void take_reply(struct scrape_loop *loop, struct scheduled *s, struct scrape_reply *reply)
{
	size_t bytes = fetch_plain_bytes(s->fetch, reply);

	if (hand_over_job(loop, s, bytes, (struct heavy_job){ .fetch = s->fetch, .reply = *reply, .t_ms = s->t_ms }))
		return;
	fetch_unpack(s->fetch, &loop->room.plain, reply);
	take(loop, s->target, reply, s->t_ms);
	release_reply(loop, s);
}

static void start_scrape(struct scrape_loop *loop, struct scheduled *s)
{
	struct err e = { 0 };

	s->t_ms = aligned_time(s, clock_now_ms(loop->options.clock));
	if (s->target->refused != NULL || !fetch_start(s->fetch, loop->multi, loop->tokens, s->target, &e))
		fail_scrape(loop, s, &e);
}

/* One whose scrape goes on is looked at again when that ends. While a list waits none is begun that would make it wait for long. */
static bool may_start(const struct scrape_loop *loop, const struct scheduled *s)
{
	return !fetch_is_busy(s->fetch) && !s->handed_over && !(loop->draining && s->was_heavy);
}

static void start_due(struct scrape_loop *loop)
{
	int64_t mono_ms = clock_mono_ms(loop->options.clock), now_ms;

	if (loop->next_due_mono_ms > mono_ms)
		return;
	loop->next_due_mono_ms = INT64_MAX;
	for (size_t i = 0; i < loop->active.n; i++) {
		struct scheduled *s = loop->active.v[i];

		if (s->due_mono_ms <= mono_ms && may_start(loop, s)) {
			start_scrape(loop, s);
			now_ms = clock_now_ms(loop->options.clock);
			/* One that began a moment early bears the time it was due: the next one is a whole interval later. */
			schedule_after(loop, s, s->t_ms > now_ms ? s->t_ms : now_ms);
		}
		if (s->due_mono_ms > mono_ms)
			due_at(loop, s);
	}
}

static void finish_done(struct scrape_loop *loop)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(loop->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		struct scrape_reply reply;
		struct scheduled *s = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
		if (fetch_finish(s->fetch, loop->multi, loop->tokens, code, &reply))
			take_reply(loop, s, &reply);
		else
			release_reply(loop, s);
	}
}

static void drop_ended(struct scrape_loop *loop, struct scheduled *s)
{
	size_t i = 0;

	while (loop->ended.v[i] != s)
		i++;
	loop->ended.v[i] = loop->ended.v[--loop->ended.n];
	scheduled_free(loop, s);
}

static void end_target(struct scrape_loop *loop, struct scheduled *s)
{
	target_end(s->target, &loop->env, s->ended_at_ms);
	drop_ended(loop, s);
}

static void finish_ended(struct scrape_loop *loop, int64_t now_ms)
{
	for (size_t i = loop->ended.n; i-- > 0;) {
		struct scheduled *s = loop->ended.v[i];
		if (s->handed_over || s->end_ms > now_ms)
			continue;
		if (!hand_over_job(loop, s, 0, (struct heavy_job){ .ends = true, .t_ms = s->ended_at_ms }))
			end_target(loop, s);
	}
}

void scrape_finish_ended(struct scrape_loop *loop, int64_t now_ms)
{
	for (size_t i = loop->ended.n; i-- > 0;)
		if (loop->ended.v[i]->end_ms <= now_ms)
			end_target(loop, loop->ended.v[i]);
}

static void finish_heavy(struct scrape_loop *loop)
{
	struct heavy_job *job;

	while ((job = heavy_done(loop->heavy)) != NULL) {
		struct scheduled *s = job->owner;

		s->handed_over = false;
		s->target = job->target;
		if (job->ends) {
			drop_ended(loop, s);
		} else {
			settle(loop, s->target, &job->taken, job->t_ms);
			release_reply(loop, s);
		}
		free(job);
	}
}

static int wait_ms(const struct scrape_loop *loop)
{
	int64_t until_ms = loop->next_due_mono_ms, wait;

	if (orphans_under_way(&loop->orphans) && loop->orphans.due_mono_ms < until_ms)
		until_ms = loop->orphans.due_mono_ms;
	wait = until_ms - clock_mono_ms(loop->options.clock);
	return wait <= 0 ? 0 : wait < IDLE_MS ? (int)wait : IDLE_MS;
}

/* What was scraped before we stood still tells nothing of now, until its target is asked again. */
static void look_at_clock(struct scrape_loop *loop, int64_t *looked_ms)
{
	if (clock_leapt(looked_ms, loop->options.clock)) {
		for (size_t i = 0; i < loop->active.n; i++) {
			struct scheduled *s = loop->active.v[i];

			s->target->away = true;
			s->target->asked_before = fetch_is_busy(s->fetch) || s->handed_over;
		}
		tell_unseen(loop);
	}
	store_note_asking(loop->options.store, *looked_ms);
}

/* True when the loop shall stop. What is handed over may need the targets and settings that a list replaces. */
static bool take_over(struct scrape_loop *loop)
{
	struct target_list *list;
	bool stop;

	pthread_mutex_lock(&loop->lock);
	list = loop->pending;
	stop = loop->stop;
	pthread_mutex_unlock(&loop->lock);
	loop->draining = list != NULL && !heavy_is_idle(loop->heavy);
	if (list == NULL || loop->draining)
		return stop;
	apply(loop, list);
	pthread_mutex_lock(&loop->lock);
	loop->pending = NULL;
	pthread_cond_broadcast(&loop->applied);
	pthread_mutex_unlock(&loop->lock);
	return stop;
}

static void *run(void *arg)
{
	struct scrape_loop *loop = arg;
	int64_t looked_ms = 0;
	int running;

	while (finish_heavy(loop), !take_over(loop)) {
		look_at_clock(loop, &looked_ms);
		start_due(loop);
		curl_multi_perform(loop->multi, &running);
		finish_done(loop);
		finish_ended(loop, clock_now_ms(loop->options.clock));
		end_orphans(loop);
		curl_multi_poll(loop->multi, NULL, 0, wait_ms(loop), NULL);
	}
	return NULL;
}

bool scrape_start(struct scrape_loop *loop, struct err *e)
{
	int rc;

	assert(!loop->running);
	rc = pthread_create(&loop->thread, NULL, run, loop);
	if (rc != 0)
		return err_set(e, ERR_IO, -1, "cannot start the scrape thread: %s", strerror(rc));
	loop->running = true;
	return discovery_start(loop->discovery, e);
}

/* ---- Looking on ---- */

static void describe(const struct target *t, struct scrape_target_info *out, struct arena *a)
{
	out->labels = labels_copy(a, t->labels);
	out->discovered = labels_copy(a, t->discovered);
	out->job = arena_str(a, t->job_name);
	out->url = arena_str(a, t->url);
	out->health = t->health;
	out->last_error = arena_str(a, str_of(t->last_error));
	out->last_scrape_ms = t->last_scrape_ms;
	out->last_duration_s = t->last_duration_s;
	out->interval_ms = t->interval_ms;
	out->timeout_ms = t->timeout_ms;
	out->samples = t->samples;
	out->series = t->series;
}

/* The active targets stand in the order of the plan's. */
struct scrape_target_info *scrape_targets(struct scrape_loop *loop, struct arena *a, size_t *n)
{
	struct scrape_target_info *v;
	size_t at = 0;

	pthread_mutex_lock(&loop->lock);
	*n = loop->plan != NULL ? loop->plan->n : 0;
	v = ARENA_ARRAY(a, *n, struct scrape_target_info);
	for (size_t i = 0; i < *n; i++) {
		const struct target_plan *p = &loop->plan->v[i];

		if (!p->dropped) {
			describe(loop->active.v[at++]->target, &v[i], a);
			continue;
		}
		v[i] = (struct scrape_target_info){ .discovered = labels_copy(a, p->discovered),
			                            .job = arena_str(a, p->job->name),
			                            .dropped = true };
	}
	pthread_mutex_unlock(&loop->lock);
	return v;
}

static void add_meta(const struct target *t, const struct target_meta *m, struct scrape_metadata *out, struct arena *a)
{
	out->target = labels_copy(a, t->labels);
	out->metric = arena_str(a, str_of(m->metric));
	out->type = m->type != NULL ? arena_str(a, str_of(m->type)) : STR("unknown");
	out->help = arena_str(a, str_of(m->help));
	out->unit = arena_str(a, str_of(m->unit));
}

struct scrape_metadata *scrape_metadata(struct scrape_loop *loop, struct str metric, struct arena *a, size_t *n)
{
	struct scrape_metadata *v = NULL;
	size_t cap = 0;

	*n = 0;
	pthread_mutex_lock(&loop->lock);
	for (size_t i = 0; i < loop->active.n; i++) {
		const struct target *t = loop->active.v[i]->target;

		for (struct map_slot *s = NULL; (s = map_next(&t->meta, s)) != NULL;) {
			if (metric.n > 0 && !str_eq(s->key, metric))
				continue;
			v = arena_grow(a, v, *n, &cap, *n + 1, sizeof *v);
			add_meta(t, s->value, &v[(*n)++], a);
		}
	}
	pthread_mutex_unlock(&loop->lock);
	return v;
}

struct scrape_stats scrape_stats(struct scrape_loop *loop)
{
	struct discovery_stats sd = discovery_stats(loop->discovery);
	struct scrape_stats out;

	pthread_mutex_lock(&loop->lock);
	out = loop->stats;
	out.targets = loop->active.n;
	for (size_t i = 0; loop->plan != NULL && i < loop->plan->n; i++)
		out.dropped += loop->plan->v[i].dropped;
	pthread_mutex_unlock(&loop->lock);
	out.sd_refreshes = sd.refreshes;
	out.sd_failures = sd.failures;
	out.sd_failing = sd.failing;
	return out;
}
