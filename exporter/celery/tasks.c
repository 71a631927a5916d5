/* Two structures. Series: one a label set, never freed but for the stalest when the limit is met. Entries: one a task under way,
 * in a slab with chains by hash and two lists (waiting, running) in order of touch; everything by index, so that the slab may
 * move. */
#include "celery/tasks.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "celery/families.h"
#include "tocsin/clock.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

#define NONE UINT32_MAX
#define LABEL_MAX 200           /* bytes of a name, host or queue */
#define EXCEPTIONS_MAX 32       /* of one series, and of all together as many as there may be series; the rest is "other" */
#define SECONDS_MAX 1e9         /* 31 years: what is longer is no time a task takes, and sums of it would be lost in each other */
#define TEXTS_PER_SERIES 4      /* so many new texts are interned until those nobody uses are looked for */
#define STALE_MS 3600000        /* a series untouched for so long may make room */

enum count { COUNT_SENT, COUNT_RECEIVED, COUNT_STARTED, COUNT_SUCCEEDED, COUNT_REJECTED, COUNT_REVOKED, COUNT_RETRIED, COUNT_N };
static const enum celery_family count_family[COUNT_N] = {
	[COUNT_SENT] = CF_SENT, [COUNT_RECEIVED] = CF_RECEIVED, [COUNT_STARTED] = CF_STARTED, [COUNT_SUCCEEDED] = CF_SUCCEEDED,
	[COUNT_REJECTED] = CF_REJECTED, [COUNT_REVOKED] = CF_REVOKED, [COUNT_RETRIED] = CF_RETRIED,
};

/* Of a series: when it was first shown. */
struct birth {
	bool shown, over;               /* over: it is new no more, whatever the clock says */
	int64_t at_ms;
};

struct failure {
	char *exception;
	double n;
	struct birth birth;
};

struct series {
	char *key;              /* name NUL host NUL queue: the texts below lie in it */
	struct str name, host, queue;
	double counts[COUNT_N];
	uint64_t *runtime, *wait;       /* by bucket, one more than bounds; one piece of memory */
	double runtime_sum, wait_sum;
	struct failure *failures;
	size_t n_failures, failures_cap;
	int64_t touched_ms, last_success_ms;
	struct birth birth;
	size_t running;         /* scratch of celery_tasks_show */
	int64_t oldest_ms;
};

struct text {
	char *p;
	size_t n;
	uint32_t index;
	uint32_t queue;         /* of a task name: the last queue told with it, or NONE */
	bool fresh;             /* asked for since the last sweep */
	bool held;              /* scratch of the sweep */
};

/* ENDED: its sending was not seen yet, whose event may come behind the worker's; or an answer said so, and the event may come
 * behind it. */
enum phase { ENDED, WAITING, RUNNING, PHASE_N };
#define ENDED_MAX 1000

struct entry {
	uint64_t id[2];
	uint32_t next_hash, prev, next; /* <next> also chains free entries */
	uint32_t name;                  /* index of a text, NONE: never told */
	uint32_t queue, worker;
	enum phase phase;
	double sent, eta, started;      /* senders' time; NaN: not known */
	double resent;                  /* of a retry: a pool process says so itself, its worker the rest and mostly behind it */
	int64_t started_ms;             /* ours */
	uint64_t seen;                  /* the last answer (celery_tasks.answers) that said it is running */
};

struct list {
	uint32_t first, last;           /* first: longest untouched */
};

struct celery_tasks {
	struct celery_tasks_options options;
	struct map series;              /* struct series * by key */
	size_t n_exceptions;            /* of all series, without those that are "other" */
	struct map texts;               /* struct text * by text: interned names, queues, workers */
	struct text **text_v;           /* NULL: free */
	size_t n_text_v, texts_cap;
	uint32_t *free_texts;
	size_t n_free_texts, free_texts_cap;
	size_t sweep_at;                /* so many texts */
	struct entry *entries;
	size_t n_entries, entries_cap, held, ended;     /* <held>: of all phases */
	uint32_t *chains, n_chains, free;
	struct list lists[PHASE_N];
	double evicted, unknown, refused;
	uint64_t answers;               /* of workers, as to what they run */
};

struct celery_tasks *celery_tasks_new(struct celery_tasks_options options)
{
	struct celery_tasks *t = mem_alloc(sizeof *t);

	t->options = options;
	t->free = NONE;
	t->sweep_at = TEXTS_PER_SERIES * options.max_series;
	for (size_t i = 0; i < PHASE_N; i++)
		t->lists[i] = (struct list){ NONE, NONE };
	for (t->n_chains = 256; t->n_chains < options.max_tasks; t->n_chains *= 2)
		;
	t->chains = mem_alloc(t->n_chains * sizeof *t->chains);
	memset(t->chains, 0xff, t->n_chains * sizeof *t->chains);
	return t;
}

static void series_free(struct series *s)
{
	for (size_t i = 0; i < s->n_failures; i++)
		free(s->failures[i].exception);
	free(s->failures);
	free(s->runtime);
	free(s->key);
	free(s);
}

static void text_free(struct text *text)
{
	if (text != NULL)
		free(text->p);
	free(text);
}

void celery_tasks_free(struct celery_tasks *t)
{
	if (t == NULL)
		return;
	for (struct map_slot *s = NULL; (s = map_next(&t->series, s)) != NULL; )
		series_free(s->value);
	map_fini(&t->series);
	map_fini(&t->texts);
	for (size_t i = 0; i < t->n_text_v; i++)
		text_free(t->text_v[i]);
	free(t->text_v);
	free(t->free_texts);
	free(t->entries);
	free(t->chains);
	free(t);
}

/* ---- Texts ---- */

static void hold(struct celery_tasks *t, uint32_t i)
{
	if (i != NONE)
		t->text_v[i]->held = true;
}

static void hold_texts_of_entries(struct celery_tasks *t)
{
	for (enum phase phase = 0; phase < PHASE_N; phase++)
		for (uint32_t i = t->lists[phase].first; i != NONE; i = t->entries[i].next) {
			hold(t, t->entries[i].name);
			hold(t, t->entries[i].queue);
			hold(t, t->entries[i].worker);
		}
}

static void drop_text(struct celery_tasks *t, uint32_t i)
{
	map_del(&t->texts, (struct str){ t->text_v[i]->p, t->text_v[i]->n });
	text_free(t->text_v[i]);
	t->text_v[i] = NULL;
	t->free_texts = mem_grow(t->free_texts, &t->free_texts_cap, t->n_free_texts + 1, sizeof *t->free_texts);
	t->free_texts[t->n_free_texts++] = i;
}

/* Forgets texts that no task under way has, and nobody asked for since the last sweep. */
static void sweep_texts(struct celery_tasks *t)
{
	hold_texts_of_entries(t);
	for (uint32_t i = 0; i < t->n_text_v; i++)
		if (t->text_v[i] != NULL && !t->text_v[i]->held && !t->text_v[i]->fresh)
			drop_text(t, i);
	for (uint32_t i = 0; i < t->n_text_v; i++) {
		struct text *text = t->text_v[i];
		if (text == NULL)
			continue;
		text->held = text->fresh = false;
		if (text->queue != NONE && t->text_v[text->queue] == NULL)
			text->queue = NONE;
	}
	t->sweep_at = t->texts.n + TEXTS_PER_SERIES * t->options.max_series;
}

static uint32_t find_text(const struct celery_tasks *t, struct str s)
{
	const struct text *text = map_get(&t->texts, s);

	return text != NULL ? text->index : NONE;
}

static uint32_t new_text_index(struct celery_tasks *t)
{
	if (t->n_free_texts != 0)
		return t->free_texts[--t->n_free_texts];
	t->text_v = mem_grow(t->text_v, &t->texts_cap, t->n_text_v + 1, sizeof(struct text *));
	return (uint32_t)t->n_text_v++;
}

/* Valid until the next one but for texts that a task under way has. What is too long is NONE, and what it belongs to is "unknown".
 * */
static uint32_t intern(struct celery_tasks *t, struct str s)
{
	struct text *text = map_get(&t->texts, s);

	if (text == NULL) {
		if (s.n == 0 || s.n > LABEL_MAX)
			return NONE;
		if (t->texts.n >= t->sweep_at)
			sweep_texts(t);
		text = mem_alloc(sizeof *text);
		*text = (struct text){ .p = mem_strndup(s.p, s.n), .n = s.n, .index = new_text_index(t), .queue = NONE };
		map_put(&t->texts, (struct str){ text->p, s.n }, text);
		t->text_v[text->index] = text;
	}
	text->fresh = true;
	return text->index;
}

static struct str text_at(const struct celery_tasks *t, uint32_t i, struct str otherwise)
{
	return i == NONE ? otherwise : (struct str){ t->text_v[i]->p, t->text_v[i]->n };
}

/* ---- Entries ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The 128 bits of a canonical UUID; of any other text, two hashes of it. */
static void make_id(struct str s, uint64_t id[2])
{
	size_t digits = 0;

	id[0] = id[1] = 0;
	for (size_t i = 0; i < s.n && s.n == 36; i++) {
		const int d = hex(s.p[i]);
		if (d >= 0) {
			id[digits / 16 & 1] = id[digits / 16 & 1] << 4 | (uint64_t)d;
			digits++;
		}
	}
	if (digits == 32)
		return;
	id[0] = str_hash(s);
	id[1] = 14695981039346656037u;
	for (size_t i = 0; i < s.n; i++)
		id[1] = (id[1] ^ (unsigned char)s.p[i]) * 1099511628211u;
}

static uint32_t *chain_of(struct celery_tasks *t, const uint64_t id[2])
{
	return &t->chains[(id[0] ^ id[1] * 0x9e3779b97f4a7c15u) >> 17 & (t->n_chains - 1)];
}

static void unlink_entry(struct celery_tasks *t, uint32_t i)
{
	const struct entry *en = &t->entries[i];
	struct list *l = &t->lists[en->phase];

	t->ended -= en->phase == ENDED;
	*(en->prev != NONE ? &t->entries[en->prev].next : &l->first) = en->next;
	*(en->next != NONE ? &t->entries[en->next].prev : &l->last) = en->prev;
}

static void append_entry(struct celery_tasks *t, uint32_t i, enum phase phase)
{
	struct entry *en = &t->entries[i];
	struct list *l = &t->lists[phase];

	t->ended += phase == ENDED;
	en->phase = phase;
	en->prev = l->last;
	en->next = NONE;
	*(l->last != NONE ? &t->entries[l->last].next : &l->first) = i;
	l->last = i;
}

static void drop_entry(struct celery_tasks *t, uint32_t i)
{
	uint32_t *at = chain_of(t, t->entries[i].id);

	while (*at != i)
		at = &t->entries[*at].next_hash;
	*at = t->entries[i].next_hash;
	unlink_entry(t, i);
	t->entries[i].next = t->free;
	t->free = i;
	t->held--;
}

static uint32_t take_free_entry(struct celery_tasks *t)
{
	uint32_t i;

	if (t->held == t->options.max_tasks) {
		enum phase phase = ENDED;
		while (t->lists[phase].first == NONE)
			phase++;
		drop_entry(t, t->lists[phase].first);
		t->evicted += phase != ENDED;
	}
	i = t->free;
	if (i != NONE) {
		t->free = t->entries[i].next;
	} else {
		t->entries = mem_grow(t->entries, &t->entries_cap, t->n_entries + 1, sizeof *t->entries);
		i = (uint32_t)t->n_entries++;
	}
	t->held++;
	return i;
}

static uint32_t find_entry(struct celery_tasks *t, struct str uuid, bool make)
{
	uint64_t id[2];
	uint32_t i;

	make_id(uuid, id);
	for (i = *chain_of(t, id); i != NONE; i = t->entries[i].next_hash)
		if (t->entries[i].id[0] == id[0] && t->entries[i].id[1] == id[1])
			return i;
	if (!make)
		return NONE;
	i = take_free_entry(t);
	t->entries[i] = (struct entry){ .id = { id[0], id[1] }, .name = NONE, .queue = NONE, .worker = NONE, .sent = NAN, .eta = NAN,
		.started = NAN, .resent = NAN };
	t->entries[i].next_hash = *chain_of(t, id);
	*chain_of(t, id) = i;
	append_entry(t, i, WAITING);
	return i;
}

/* ---- Series ---- */

static void evict_stalest(struct celery_tasks *t, int64_t now_ms)
{
	struct series *stalest = NULL;

	for (struct map_slot *s = NULL; (s = map_next(&t->series, s)) != NULL; ) {
		struct series *it = s->value;
		if (stalest == NULL || it->touched_ms < stalest->touched_ms)
			stalest = it;
	}
	if (stalest == NULL || now_ms - stalest->touched_ms < STALE_MS)
		return;
	for (size_t i = 0; i < stalest->n_failures; i++)
		t->n_exceptions -= !str_eq(str_of(stalest->failures[i].exception), STR("other"));
	map_del(&t->series, (struct str){ stalest->key, stalest->name.n + stalest->host.n + stalest->queue.n + 2 });
	series_free(stalest);
}

static char *put(char *to, struct str s)
{
	if (s.n != 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return to + s.n + 1;
}

static struct series *find_series(struct celery_tasks *t, struct str name, struct str host, struct str queue, int64_t now_ms)
{
	char key[3 * LABEL_MAX + 4];
	struct series *s;
	const struct str whole = { key, name.n + host.n + queue.n + 2 };

	assert(name.n <= LABEL_MAX && host.n <= LABEL_MAX && queue.n <= LABEL_MAX);
	*put(put(put(key, name), host), queue) = '\0';
	s = map_get(&t->series, whole);
	if (s == NULL && t->series.n >= t->options.max_series)
		evict_stalest(t, now_ms);
	if (s == NULL && t->series.n >= t->options.max_series && !str_eq(name, STR("other"))) {
		t->refused++;
		return find_series(t, STR("other"), STR("other"), STR("other"), now_ms);
	}
	if (s == NULL) {
		s = mem_alloc(sizeof *s);
		s->runtime = mem_alloc((t->options.runtime->n + t->options.wait->n + 2) * sizeof *s->runtime);
		s->wait = s->runtime + t->options.runtime->n + 1;
		s->key = mem_strndup(key, whole.n);
		s->name = (struct str){ s->key, name.n };
		s->host = (struct str){ s->key + name.n + 1, host.n };
		s->queue = (struct str){ s->key + name.n + host.n + 2, queue.n };
		map_put(&t->series, (struct str){ s->key, whole.n }, s);
	}
	s->touched_ms = now_ms;
	return s;
}

/* "host" of "celery@host" and "gen123@host". */
static struct str host_of(const struct celery_tasks *t, struct str node)
{
	const size_t at = str_chr(node, '@');

	if (t->options.generic_hostname)
		return STR("generic");
	if (node.n == 0)
		return STR("unknown");
	if (at < node.n)
		node = (struct str){ node.p + at + 1, node.n - at - 1 };
	return node.n <= LABEL_MAX ? node : (struct str){ node.p, LABEL_MAX };
}

static struct series *series_of(struct celery_tasks *t, const struct entry *en, struct str node, int64_t now_ms)
{
	const struct str name = text_at(t, en->name, STR("unknown"));
	const uint32_t queue = en->queue != NONE || en->name == NONE ? en->queue : t->text_v[en->name]->queue;
	const struct str fallback = t->options.default_queue.n <= LABEL_MAX ? t->options.default_queue : STR("other");

	if (en->name == NONE)
		t->unknown++;
	return find_series(t, name, host_of(t, node), text_at(t, queue, fallback), now_ms);
}

static void observe(uint64_t *counts, const struct celery_buckets *bounds, double v)
{
	size_t i = 0;

	while (i < bounds->n && v > bounds->v[i])
		i++;
	counts[i]++;
}

static struct failure *find_failure(const struct series *s, struct str exception)
{
	for (size_t i = 0; i < s->n_failures; i++)
		if (str_eq(str_of(s->failures[i].exception), exception))
			return &s->failures[i];
	return NULL;
}

static void count_failure(struct celery_tasks *t, struct series *s, struct str exception)
{
	struct failure *f = find_failure(s, exception);

	if (f == NULL && (s->n_failures >= EXCEPTIONS_MAX || t->n_exceptions >= t->options.max_series)) {
		t->refused += s->n_failures < EXCEPTIONS_MAX;
		exception = STR("other");
		f = find_failure(s, exception);
	}
	if (f == NULL) {
		s->failures = mem_grow(s->failures, &s->failures_cap, s->n_failures + 1, sizeof *s->failures);
		f = &s->failures[s->n_failures++];
		*f = (struct failure){ .exception = mem_strndup(exception.p, exception.n) };
		t->n_exceptions += !str_eq(exception, STR("other"));
	}
	f->n++;
}

/* ---- Events ---- */

static double parse_eta(struct str eta)
{
	int64_t ms;
	char text[64];

	if (eta.n < 19 || eta.n > 40)
		return NAN;
	memcpy(text, eta.p, eta.n);
	text[eta.n] = '\0';
	return clock_parse_rfc3339(text, eta.n, &ms) ? (double)ms * 1e-3 : NAN;
}

static void learn(struct celery_tasks *t, struct entry *en, const struct celery_event *ev)
{
	if (ev->name.n != 0)
		en->name = intern(t, ev->name);
	if (ev->queue.n != 0)
		en->queue = intern(t, ev->queue);
	if (ev->eta.n != 0)
		en->eta = parse_eta(ev->eta);
	if (en->name != NONE && en->queue != NONE)
		t->text_v[en->name]->queue = en->queue;
}

static void move_entry(struct celery_tasks *t, uint32_t i, enum phase phase)
{
	unlink_entry(t, i);
	append_entry(t, i, phase);
}

/* Once, when it is known both when it was sent and when it was started. */
static void observe_wait(const struct celery_tasks *t, struct series *s, const struct entry *en)
{
	const double waited = fmax(0, en->started - fmax(en->sent, en->eta));   /* fmax of one that is NaN: the other */

	if (isnan(en->sent) || isnan(en->started) || waited > SECONDS_MAX)
		return;
	observe(s->wait, t->options.wait, waited);
	s->wait_sum += waited;
}

static void send_task(struct celery_tasks *t, uint32_t i, struct series *s, const struct celery_event *ev, int64_t now_ms)
{
	struct entry *en = &t->entries[i];

	s->counts[COUNT_SENT]++;
	if (!isnan(en->sent)) {
		en->resent = ev->timestamp;
		return;
	}
	en->sent = ev->timestamp;
	if (en->phase != WAITING)
		observe_wait(t, series_of(t, en, text_at(t, en->worker, STR("unknown")), now_ms), en);
	if (en->phase == ENDED)
		drop_entry(t, i);
}

/* It is sent once more, or was already. */
static void begin_again(struct entry *en)
{
	en->sent = en->resent;
	en->resent = en->started = NAN;
}

/* The word may come after the retry was started, by another worker. */
static void retry_task(struct celery_tasks *t, uint32_t i, struct series *s, const struct celery_event *ev)
{
	struct entry *en = &t->entries[i];

	s->counts[COUNT_RETRIED]++;
	if (en->phase == RUNNING && ev->timestamp < en->started)
		return;
	begin_again(en);
	move_entry(t, i, WAITING);
}

static void keep_ended(struct celery_tasks *t, uint32_t i)
{
	move_entry(t, i, ENDED);
	if (t->ended > ENDED_MAX)
		drop_entry(t, t->lists[ENDED].first);
}

static void end_task(struct celery_tasks *t, uint32_t i)
{
	const struct entry *en = &t->entries[i];

	if (!isnan(en->sent) || isnan(en->started))
		drop_entry(t, i);
	else
		keep_ended(t, i);
}

static void start_task(struct celery_tasks *t, uint32_t i, struct series *s, const struct celery_event *ev, int64_t now_ms)
{
	struct entry *en = &t->entries[i];

	s->counts[COUNT_STARTED]++;
	if (!isnan(en->resent) && en->phase != WAITING)         /* else it is the run before the retry */
		begin_again(en);
	en->started = ev->timestamp;
	observe_wait(t, s, en);
	en->started_ms = now_ms;
	en->worker = intern(t, ev->hostname);
	move_entry(t, i, RUNNING);
}

static void succeed_task(struct celery_tasks *t, uint32_t i, struct series *s, const struct celery_event *ev, int64_t now_ms)
{
	s->counts[COUNT_SUCCEEDED]++;
	s->last_success_ms = now_ms;
	if (ev->runtime >= 0 && ev->runtime <= SECONDS_MAX) {
		observe(s->runtime, t->options.runtime, ev->runtime);
		s->runtime_sum += ev->runtime;
	}
	end_task(t, i);
}

void celery_tasks_event(struct celery_tasks *t, const struct celery_event *ev, int64_t now_ms)
{
	uint32_t i;
	struct series *s;

	if (ev->type < EVENT_TASK_SENT || ev->type > EVENT_TASK_RETRIED || ev->uuid.n == 0)
		return;
	i = find_entry(t, ev->uuid, true);
	learn(t, &t->entries[i], ev);
	s = series_of(t, &t->entries[i], ev->hostname, now_ms);
	switch (ev->type) {
	case EVENT_TASK_SENT:
		send_task(t, i, s, ev, now_ms);
		return;
	case EVENT_TASK_RECEIVED:
		s->counts[COUNT_RECEIVED]++;
		if (t->entries[i].phase != RUNNING)
			move_entry(t, i, WAITING);
		return;
	case EVENT_TASK_STARTED:
		start_task(t, i, s, ev, now_ms);
		return;
	case EVENT_TASK_SUCCEEDED:
		succeed_task(t, i, s, ev, now_ms);
		return;
	case EVENT_TASK_FAILED:
		count_failure(t, s, celery_exception_class(ev->exception));
		end_task(t, i);
		return;
	case EVENT_TASK_REJECTED:
		s->counts[COUNT_REJECTED]++;
		if (ev->requeue)
			move_entry(t, i, WAITING);
		else
			drop_entry(t, i);
		return;
	case EVENT_TASK_REVOKED:
		s->counts[COUNT_REVOKED]++;
		drop_entry(t, i);
		return;
	case EVENT_TASK_RETRIED:
		retry_task(t, i, s, ev);
		return;
	case EVENT_OTHER:
	case EVENT_WORKER_ONLINE:
	case EVENT_WORKER_HEARTBEAT:
	case EVENT_WORKER_OFFLINE:
		break;
	}
	abort();
}

static void see_running(struct celery_tasks *t, const struct celery_running *r, struct str worker)
{
	const struct celery_event told = { .name = r->name, .queue = r->queue };
	const uint32_t i = find_entry(t, r->uuid, true);
	struct entry *en = &t->entries[i];

	en->seen = t->answers;
	if (en->phase == RUNNING)
		return;
	learn(t, en, &told);
	en->started_ms = r->since_ms;
	en->worker = intern(t, worker);
	move_entry(t, i, RUNNING);
}

void celery_tasks_are_running(struct celery_tasks *t, struct str worker, const struct celery_running *v, size_t n, int64_t asked_ms)
{
	uint32_t index, next;

	t->answers++;
	for (size_t i = 0; i < n; i++)
		if (v[i].uuid.n != 0)
			see_running(t, &v[i], worker);
	index = find_text(t, worker);
	for (uint32_t i = t->lists[RUNNING].first; i != NONE && index != NONE; i = next) {
		const struct entry *en = &t->entries[i];
		next = en->next;
		if (en->worker == index && en->seen != t->answers && en->started_ms < asked_ms)
			keep_ended(t, i);       /* the event of its end is lost, or on another connection and not read yet */
	}
}

void celery_tasks_forget_worker(struct celery_tasks *t, struct str worker)
{
	const uint32_t gone = find_text(t, worker);
	uint32_t next;

	for (uint32_t i = t->lists[RUNNING].first; i != NONE && gone != NONE; i = next) {
		next = t->entries[i].next;
		if (t->entries[i].worker == gone)
			drop_entry(t, i);
	}
}

double celery_tasks_sent_s(struct celery_tasks *t, struct str uuid)
{
	const uint32_t i = find_entry(t, uuid, false);

	if (i == NONE)
		return NAN;
	return isnan(t->entries[i].resent) ? t->entries[i].sent : t->entries[i].resent;
}

/* ---- Showing ---- */

static void sum_running(struct celery_tasks *t, int64_t now_ms)
{
	for (struct map_slot *slot = NULL; (slot = map_next(&t->series, slot)) != NULL; ) {
		struct series *s = slot->value;
		s->running = 0;
		s->oldest_ms = now_ms;
	}
	for (uint32_t i = t->lists[RUNNING].first; i != NONE; i = t->entries[i].next) {
		const double unknown = t->unknown;
		struct series *s = series_of(t, &t->entries[i], text_at(t, t->entries[i].worker, STR("unknown")), now_ms);
		t->unknown = unknown;           /* counts events, and this is none */
		if (s->running++ == 0 || t->entries[i].started_ms < s->oldest_ms)
			s->oldest_ms = t->entries[i].started_ms;
	}
}

/* Whether a series is shown as 0: to each who looks within the time there is for that, and at least once. */
static bool is_new(struct birth *b, int64_t zero_ms, int64_t now_ms)
{
	if (b->shown)
		b->over |= now_ms < b->at_ms || now_ms - b->at_ms >= zero_ms;
	else
		*b = (struct birth){ .shown = true, .at_ms = now_ms };
	return !b->over;
}

static void show_failures(const struct celery_tasks *t, struct series *s, struct expo_set *set, const struct label *labels,
                          int64_t now_ms)
{
	const struct label none[] = { labels[0], labels[1], labels[2], { STR("exception"), STR("") } };

	expo_emit(set, &celery_families[CF_FAILED], 0, none, 4);
	for (size_t i = 0; i < s->n_failures; i++) {
		struct failure *f = &s->failures[i];
		const struct label with[] = { labels[0], labels[1], labels[2], { STR("exception"), str_of(f->exception) } };
		expo_emit(set, &celery_families[CF_FAILED], is_new(&f->birth, t->options.zero_ms, now_ms) ? 0 : f->n, with, 4);
	}
}

static void show_series(const struct celery_tasks *t, struct series *s, struct expo_set *set, int64_t now_ms)
{
	static const uint64_t none[CELERY_BUCKETS_MAX + 1];
	const struct celery_buckets *runtime = t->options.runtime, *wait = t->options.wait;
	const struct label labels[] = { { STR("name"), s->name }, { STR("hostname"), s->host }, { STR("queue_name"), s->queue } };

	const bool zero = is_new(&s->birth, t->options.zero_ms, now_ms);

	for (enum count c = 0; c < COUNT_N; c++)
		expo_emit(set, &celery_families[count_family[c]], zero ? 0 : s->counts[c], labels, 3);
	show_failures(t, s, set, labels, now_ms);
	expo_emit_histogram(set, &celery_families[CF_RUNTIME], runtime->v, runtime->n, zero ? none : s->runtime,
	                    zero ? 0 : s->runtime_sum, labels, 3);
	expo_emit_histogram(set, &celery_families[CF_QUEUE_WAIT], wait->v, wait->n, zero ? none : s->wait,
	                    zero ? 0 : s->wait_sum, labels, 3);
	expo_emit(set, &celery_families[CF_RUNNING], (double)s->running, labels, 3);
	expo_emit(set, &celery_families[CF_LONGEST], fmax(0, (double)(now_ms - s->oldest_ms) * 1e-3), labels, 3);
	if (s->last_success_ms != 0)
		expo_emit(set, &celery_families[CF_LAST_SUCCESS], (double)s->last_success_ms * 1e-3, labels, 3);
}

void celery_tasks_show(struct celery_tasks *t, struct expo_set *set, int64_t now_ms)
{
	sum_running(t, now_ms);
	for (struct map_slot *slot = NULL; (slot = map_next(&t->series, slot)) != NULL; )
		show_series(t, slot->value, set, now_ms);
	EXPO_EMIT0(set, &celery_families[CF_TASKS_HELD], (double)(t->held - t->ended));
	EXPO_EMIT0(set, &celery_families[CF_TASKS_EVICTED], t->evicted);
	EXPO_EMIT0(set, &celery_families[CF_EVENTS_UNKNOWN], t->unknown);
	EXPO_EMIT0(set, &celery_families[CF_SERIES_REFUSED], t->refused);
}
