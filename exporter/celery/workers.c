/* An array: there are few. <state> is written by set_state only. */
#include "celery/workers.h"

#include <math.h>
#include <stdlib.h>

#include "celery/families.h"
#include "tocsin/mem.h"

#define COUNT_MAX 9007199254740992.0    /* 2^53: what is beyond is no number of tasks, nor of a process */
#define SILENCE_MIN_MS 8000
#define UNCLEAR_MAX_MS 3600000  /* some of the silent are gone, and nothing tells which: then all that are silent for so long */
#define NAME_MAX_BYTES 200
#define ACCEPTED_MAX 200        /* task names of one worker */

enum worker_state { UNPROVEN, UP, DOWN, OFFLINE };

/* Of a solo pool nothing is heard while it runs a task. */
enum worker_pool { POOL_UNKNOWN, POOL_SOLO, POOL_OTHER };

struct accepted {
	char *task;
	double n;
};

struct worker {
	char *node;
	struct str host;
	enum worker_state state;
	int64_t since, last_seen;       /* of the state; of the last sign of life, or of when we learned the name */
	int64_t last_seen_wall_ms;      /* 0: never */
	double freq, active, processed, pid, skew, concurrency;         /* NaN: never told */
	double reserved, scheduled;     /* NaN: not told lately */
	enum worker_pool pool;
	bool has_mailbox;
	int64_t answered, spared;       /* when it last answered, when it was last found to be connected and silent; 0: never */
	/* Events lost: tasks accepted by the worker's count less starts seen, since the first heartbeat of this pid; by the heartbeat
	 * before the last, because starts may come a little behind. */
	double processed_first, processed_before, started, lost;
	struct accepted *accepted;
	size_t n_accepted, accepted_cap;
	double accepted_other;          /* of names beyond ACCEPTED_MAX; of the last answer */
};

struct celery_workers {
	struct celery_workers_options options;
	struct worker *v;
	size_t n, cap;
	double refused;
};

struct celery_workers *celery_workers_new(struct celery_workers_options options)
{
	struct celery_workers *w = mem_alloc(sizeof *w);

	w->options = options;
	return w;
}

static void forget_accepted(struct worker *it)
{
	for (size_t i = 0; i < it->n_accepted; i++)
		free(it->accepted[i].task);
	it->n_accepted = 0;
	it->accepted_other = 0;
}

static void worker_fini(struct worker *it)
{
	forget_accepted(it);
	free(it->accepted);
	free(it->node);
}

void celery_workers_free(struct celery_workers *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->n; i++)
		worker_fini(&w->v[i]);
	free(w->v);
	free(w);
}

static bool may_live(const struct worker *it)
{
	return it->state == UP || it->state == UNPROVEN;
}

static struct worker *find(const struct celery_workers *w, struct str node)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(str_of(w->v[i].node), node))
			return &w->v[i];
	return NULL;
}

/* The one that has been gone for longest makes room. */
static void evict_gone(struct celery_workers *w)
{
	struct worker *longest = NULL;

	for (size_t i = 0; i < w->n; i++)
		if (!may_live(&w->v[i]) && (longest == NULL || w->v[i].since < longest->since))
			longest = &w->v[i];
	if (longest == NULL)
		return;
	worker_fini(longest);
	*longest = w->v[--w->n];
}

/* NULL when there are too many, or the name is none. <lives>: it gave a sign of life, so that one that is gone makes room. */
static struct worker *find_or_add(struct celery_workers *w, struct str node, bool lives, int64_t mono_ms)
{
	struct worker *it = find(w, node);
	size_t at;

	if (it != NULL)
		return it;
	if (node.n == 0 || node.n > NAME_MAX_BYTES || memchr(node.p, '\0', node.n) != NULL)
		return NULL;
	if (w->n == WORKERS_MAX && lives)
		evict_gone(w);
	if (w->n == WORKERS_MAX) {
		w->refused++;
		return NULL;
	}
	w->v = mem_grow(w->v, &w->cap, w->n + 1, sizeof *w->v);
	it = &w->v[w->n++];
	*it = (struct worker){ .node = mem_strndup(node.p, node.n), .state = UNPROVEN, .since = mono_ms, .last_seen = mono_ms,
		.freq = NAN, .active = NAN, .processed = NAN, .pid = NAN, .skew = NAN, .concurrency = NAN, .processed_first = NAN,
		.processed_before = NAN, .reserved = NAN, .scheduled = NAN };
	at = str_chr(node, '@');
	it->host = str_of(it->node + (at < node.n ? at + 1 : 0));
	return it;
}

static void set_state(struct worker *it, enum worker_state state, int64_t mono_ms)
{
	if (it->state != state)
		it->since = mono_ms;
	it->state = state;
}

static void sign_of_life(struct worker *it, int64_t mono_ms, int64_t now_ms)
{
	it->last_seen = mono_ms;
	it->last_seen_wall_ms = now_ms;
	set_state(it, UP, mono_ms);
}

/* What counts something; NaN: that counts nothing. */
static double count_of(double v)
{
	return v >= 0 && v <= COUNT_MAX ? v : (double)NAN;
}

static void keep(double *to, double v)
{
	if (!isnan(v))
		*to = v;
}

static void count_lost(struct worker *it, double processed)
{
	if (isnan(processed))
		return;
	if (isnan(it->processed_first)) {
		it->processed_first = processed;
		it->started = 0;
	} else {
		it->lost = fmax(it->lost, it->processed_before - it->processed_first - it->started);
	}
	it->processed_before = processed;
}

/* Another process under the same name: its counts begin anew, and what it holds is not known yet. In containers all may have one
 * pid. */
static bool take_pid(struct worker *it, double pid, double processed)
{
	const bool other = (!isnan(pid) && !isnan(it->pid) && pid != it->pid) || processed < it->processed;

	if (other) {
		it->processed = it->processed_first = it->processed_before = NAN;
		it->lost = 0;
		it->reserved = it->scheduled = NAN;
		forget_accepted(it);
	}
	keep(&it->pid, pid);
	return other;
}

bool celery_workers_event(struct celery_workers *w, const struct celery_event *ev, int64_t mono_ms, int64_t now_ms)
{
	const double processed = count_of(ev->processed);
	struct worker *it;
	bool other = false;

	if (ev->type == EVENT_OTHER || ev->type == EVENT_TASK_SENT || (it = find_or_add(w, ev->hostname, true, mono_ms)) == NULL)
		return false;
	if (ev->type >= EVENT_WORKER_ONLINE)
		other = take_pid(it, count_of(ev->pid), processed);
	if (it->state != OFFLINE || ev->type >= EVENT_WORKER_ONLINE)            /* its last task events may come behind its goodbye */
		sign_of_life(it, mono_ms, now_ms);
	if (ev->type == EVENT_TASK_STARTED)
		it->started++;
	if (ev->type == EVENT_WORKER_HEARTBEAT || ev->type == EVENT_WORKER_ONLINE) {
		keep(&it->freq, ev->freq);
		keep(&it->active, count_of(ev->active));
		keep(&it->processed, processed);
		if (celery_is_time(ev->timestamp))
			it->skew = ev->timestamp - (double)now_ms * 1e-3;
		count_lost(it, processed);
	}
	if (ev->type == EVENT_WORKER_OFFLINE) {
		set_state(it, OFFLINE, mono_ms);
		it->active = 0;
	}
	return other || ev->type == EVENT_WORKER_OFFLINE;
}

void celery_workers_bound(struct celery_workers *w, struct str node, int64_t mono_ms)
{
	struct worker *it = find_or_add(w, node, false, mono_ms);

	if (it != NULL)
		it->has_mailbox = true;
}

void celery_workers_answered(struct celery_workers *w, struct str node, int64_t mono_ms, int64_t now_ms)
{
	struct worker *it = find_or_add(w, node, true, mono_ms);

	if (it == NULL)
		return;
	sign_of_life(it, mono_ms, now_ms);
	it->has_mailbox = true;
	it->answered = mono_ms;
}

bool celery_workers_stats(struct celery_workers *w, struct str node, double concurrency, double pid, bool solo)
{
	struct worker *it = find(w, node);
	bool other;

	if (it == NULL)
		return false;
	other = take_pid(it, count_of(pid), NAN);
	it->accepted_other = 0;
	keep(&it->concurrency, count_of(concurrency));
	it->pool = solo ? POOL_SOLO : POOL_OTHER;
	return other;
}

void celery_workers_reserved(struct celery_workers *w, struct str node, double n)
{
	struct worker *it = find(w, node);

	if (it != NULL)
		it->reserved = n;
}

void celery_workers_scheduled(struct celery_workers *w, struct str node, double n)
{
	struct worker *it = find(w, node);

	if (it != NULL)
		it->scheduled = n;
}

void celery_workers_held_unknown(struct celery_workers *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->v[i].reserved = w->v[i].scheduled = NAN;
}

void celery_workers_accepted(struct celery_workers *w, struct str node, struct str task, double n)
{
	struct worker *it = find(w, node);
	size_t i = 0;

	if (it == NULL || isnan(count_of(n)))
		return;
	while (i < it->n_accepted && !str_eq(str_of(it->accepted[i].task), task))
		i++;
	if (i == ACCEPTED_MAX || task.n > NAME_MAX_BYTES) {
		it->accepted_other += n;
		return;
	}
	if (i == it->n_accepted) {
		it->accepted = mem_grow(it->accepted, &it->accepted_cap, i + 1, sizeof *it->accepted);
		it->accepted[it->n_accepted++] = (struct accepted){ .task = mem_strndup(task.p, task.n) };
	}
	it->accepted[i].n = n;
}

/* Three heartbeats, but no less than SILENCE_MIN_MS. */
static bool is_silent(const struct worker *it, int64_t mono_ms, int64_t listening_since)
{
	const double freq_ms = isnan(it->freq) || it->freq > 3600 ? 0 : it->freq * 1000;
	const int64_t patience_ms = fmax(3 * freq_ms, SILENCE_MIN_MS) > SILENCE_MIN_MS ? (int64_t)(3 * freq_ms) : SILENCE_MIN_MS;
	const int64_t since = it->last_seen > listening_since ? it->last_seen : listening_since;

	return mono_ms - since > patience_ms;
}

/* Who may be busy is asked no more often: what it is asked waits in the broker for it. */
static bool is_spared(const struct celery_workers *w, const struct worker *it, int64_t mono_ms)
{
	return it->spared > it->last_seen && mono_ms - it->spared < w->options.spared_ms;
}

size_t celery_workers_suspects(const struct celery_workers *w, int64_t mono_ms, int64_t listening_since, struct arena *a,
                               struct str **out)
{
	size_t n = 0;

	*out = ARENA_ARRAY(a, w->n, struct str);
	for (size_t i = 0; i < w->n; i++)
		if (may_live(&w->v[i]) && is_silent(&w->v[i], mono_ms, listening_since) && !is_spared(w, &w->v[i], mono_ms))
			(*out)[n++] = arena_str(a, str_of(w->v[i].node));
	return n;
}

void celery_workers_condemn(struct celery_workers *w, struct str node, int64_t mono_ms)
{
	struct worker *it = find(w, node);

	if (it == NULL)
		return;
	set_state(it, DOWN, mono_ms);
	it->active = 0;
}

void celery_workers_expire(struct celery_workers *w, int64_t mono_ms)
{
	for (size_t i = 0; i < w->n; ) {
		struct worker *it = &w->v[i];
		const int64_t keep_ms = it->state == OFFLINE ? w->options.offline_retention_ms : w->options.retention_ms;

		if (it->state == UP || it->state == UNPROVEN || mono_ms - it->since < keep_ms) {
			i++;
			continue;
		}
		worker_fini(it);
		*it = w->v[--w->n];
	}
}

bool celery_workers_may_be_busy(const struct celery_workers *w, struct str node)
{
	const struct worker *it = find(w, node);

	return it != NULL && it->pool != POOL_OTHER;
}

void celery_workers_spare(struct celery_workers *w, struct str node, int64_t mono_ms)
{
	struct worker *it = find(w, node);

	if (it != NULL)
		it->spared = mono_ms;
}

/* ---- Who of the silent is gone ---- */

static bool is_unanswered(const struct worker *it, int64_t asked_mono_ms)
{
	return may_live(it) && it->has_mailbox && it->answered < asked_mono_ms;
}

/* Those that were silent already when connections were lost, and those that died before we came, if they did. */
static bool may_be_gone(const struct worker *it, const struct celery_census *c)
{
	return is_unanswered(it, c->asked_mono_ms) && (it->last_seen_wall_ms == 0 || it->last_seen < c->fell_mono_ms);
}

size_t celery_workers_unanswered(const struct celery_workers *w, int64_t asked_mono_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += is_unanswered(&w->v[i], asked_mono_ms);
	return n;
}

/* Of a pool that always answers silence is proof enough; so those that are missing are first of all its workers. Where more are
 * missing than connections were seen to be lost (one may have come as another went), each of the silent may be gone. */
bool celery_workers_is_gone(const struct celery_workers *w, struct str node, const struct celery_census *c, int64_t mono_ms)
{
	const struct worker *it = find(w, node);
	int64_t missing = (int64_t)celery_workers_unanswered(w, c->asked_mono_ms) - c->silent, candidates = 0;

	if (it == NULL || it->pool == POOL_OTHER || c->silent <= 0)
		return true;
	for (size_t i = 0; i < w->n; i++) {
		const bool busy = w->v[i].pool != POOL_OTHER;
		missing -= !busy && is_unanswered(&w->v[i], c->asked_mono_ms);
		candidates += busy && may_be_gone(&w->v[i], c);
	}
	if (missing <= 0 || (candidates >= missing && !may_be_gone(it, c)))
		return false;
	return candidates == missing || mono_ms - it->last_seen > UNCLEAR_MAX_MS;
}

/* ---- Showing ---- */

struct host {
	struct str name;
	bool down, up;
	double active;
};

static struct host *host_of(struct host *hosts, size_t *n, struct str name)
{
	for (size_t i = 0; i < *n; i++)
		if (str_eq(hosts[i].name, name))
			return &hosts[i];
	hosts[*n] = (struct host){ .name = name };
	return &hosts[(*n)++];
}

/* A lost worker shows even beside living ones of its host; one that said goodbye only when nothing of its host is left. */
static void show_hosts(const struct celery_workers *w, struct expo_set *set)
{
	struct host *hosts = mem_alloc((w->n + 1) * sizeof *hosts);
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct worker *it = &w->v[i];
		if (it->state == UNPROVEN)
			continue;
		struct host *h = host_of(hosts, &n, it->host);
		h->down |= it->state == DOWN;
		h->up |= it->state == UP;
		h->active += isnan(it->active) ? 0 : it->active;
	}
	for (size_t i = 0; i < n; i++) {
		EXPO_EMIT(set, &celery_families[CF_WORKER_UP], hosts[i].up && !hosts[i].down, { STR("hostname"), hosts[i].name });
		EXPO_EMIT(set, &celery_families[CF_WORKER_ACTIVE], hosts[i].active, { STR("hostname"), hosts[i].name });
	}
	free(hosts);
}

static void emit_known(struct expo_set *set, enum celery_family f, double v, const struct label *labels)
{
	if (!isnan(v))
		expo_emit(set, &celery_families[f], v, labels, 2);
}

static void show_accepted(const struct worker *it, struct expo_set *set, const struct label *labels)
{
	for (size_t i = 0; i < it->n_accepted; i++) {
		const struct label with_name[] = { labels[0], labels[1], { STR("name"), str_of(it->accepted[i].task) } };
		expo_emit(set, &celery_families[CF_WORKER_ACCEPTED], it->accepted[i].n, with_name, 3);
	}
	if (it->accepted_other > 0)
		expo_emit(set, &celery_families[CF_WORKER_ACCEPTED], it->accepted_other,
		          (const struct label[]){ labels[0], labels[1], { STR("name"), STR("other") } }, 3);
}

static void show_worker(const struct worker *it, struct expo_set *set)
{
	const struct label labels[] = { { STR("worker"), str_of(it->node) }, { STR("hostname"), it->host } };

	expo_emit(set, &celery_families[CF_NODE_UP], it->state == UP, labels, 2);
	expo_emit(set, &celery_families[CF_WORKER_LOST], it->state == DOWN, labels, 2);
	expo_emit(set, &celery_families[CF_WORKER_SILENT], it->state == UP && it->spared > it->last_seen, labels, 2);
	if (it->last_seen_wall_ms != 0)
		expo_emit(set, &celery_families[CF_WORKER_LAST_SEEN], (double)it->last_seen_wall_ms * 1e-3, labels, 2);
	if (it->state != UP)
		return;
	emit_known(set, CF_WORKER_PROCESSED, it->processed, labels);
	emit_known(set, CF_WORKER_CONCURRENCY, it->concurrency, labels);
	emit_known(set, CF_WORKER_SKEW, it->skew, labels);
	emit_known(set, CF_WORKER_RESERVED, it->reserved, labels);
	emit_known(set, CF_WORKER_SCHEDULED, it->scheduled, labels);
	expo_emit(set, &celery_families[CF_WORKER_EVENTS_LOST], it->lost, labels, 2);
	show_accepted(it, set, labels);
}

void celery_workers_show(const struct celery_workers *w, struct expo_set *set)
{
	show_hosts(w, set);
	EXPO_EMIT0(set, &celery_families[CF_WORKERS_REFUSED], w->refused);
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].state != UNPROVEN)
			show_worker(&w->v[i], set);
}
