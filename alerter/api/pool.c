/* Threads that work for people, so that rules never wait for them and handlers never wait. Few for what changes or reads our own state;
 * for queries as many as are asked, up to QUERY_THREADS. The queues are bounded.
 *
 * A query starts as soon as there is a thread. One that needs more than TRIAL_MS of a core takes a turn, of which there are few, in the
 * order they come; until then it waits where it is. What took one lately waits for its turn before it starts. So the short ones wait for
 * no long one, and the long ones do not stand in each other's memory and time. Invariant: turns taken and not ended are at most
 * <turns>. */
#include "internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tocsin/mem.h"

enum { QUEUE_MAX = 256, CHORE_THREADS = 2, QUERY_THREADS = 64, IDLE_THREADS = 4, TRIAL_MS = 50, LONG_NICE = 5, LONG_KINDS = 256 };

struct task {
	struct http_request *q;
	pool_work *work;
	pool_query *query;                              /* of a query, else NULL */
	void *job;
	uint64_t kind;
	int64_t asked_mono_ms;
};

struct queue {
	struct task v[QUEUE_MAX];                       /* ring */
	size_t first, n;
};

struct crew {
	pthread_cond_t more;
	unsigned n_threads, n_idle;
};

struct pool {
	struct api *api;
	pthread_mutex_t lock;
	pthread_cond_t ended;                           /* a turn, or a thread */
	bool stopping;
	struct queue chores, queries, longs;            /* <longs>: queries that begin with a turn */
	struct crew servants, evaluators;
	unsigned turns;
	uint64_t turns_asked, turns_ended;
	uint64_t long_kinds[LONG_KINDS];                /* what took a turn lately; ring */
	size_t last_kind;
};

struct turn {
	struct pool *pool;
	const struct http_request *q;
	int64_t begun_mono_ms, asked_mono_ms;
	int64_t begun_cpu_ms;           /* what the thread had needed before */
	uint64_t kind;
	bool taken;
};

static int64_t mono_ms(const struct pool *p)
{
	return clock_mono_ms(p->api->deps.clock);
}

/* What this thread has needed of a core: a short query that had to wait for one is still short. */
static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- Under the lock. ---- */

static bool put_task(struct queue *w, struct task t)
{
	if (w->n == QUEUE_MAX)
		return false;
	w->v[(w->first + w->n++) % QUEUE_MAX] = t;
	return true;
}

static struct task take_task(struct queue *w)
{
	struct task t = w->v[w->first];

	w->first = (w->first + 1) % QUEUE_MAX;
	w->n--;
	return t;
}

static size_t find_kind(const struct pool *p, uint64_t kind)
{
	size_t i = 0;

	while (i < LONG_KINDS && p->long_kinds[i] != kind)
		i++;
	return i;
}

static void note_kind(struct pool *p, uint64_t kind, bool is_long)
{
	size_t i = find_kind(p, kind);

	if (i < LONG_KINDS && !is_long)
		p->long_kinds[i] = 0;
	else if (i == LONG_KINDS && is_long)
		p->long_kinds[p->last_kind++ % LONG_KINDS] = kind;
}

static bool a_turn_is_free(const struct pool *p)
{
	return p->turns_asked < p->turns_ended + p->turns;
}

static size_t n_startable(const struct pool *p)
{
	return p->queries.n + (p->longs.n > 0 && a_turn_is_free(p));
}

static bool start_thread(struct pool *p, struct crew *crew, void *(*body)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, p) != 0)
		return false;
	pthread_detach(thread);
	crew->n_threads++;
	return true;
}

static void *do_queries(void *arg);

/* There may be something to do for another thread. */
static void wake_evaluator(struct pool *p)
{
	struct crew *crew = &p->evaluators;

	pthread_cond_signal(&crew->more);
	if (!p->stopping && n_startable(p) > crew->n_idle && crew->n_threads < QUERY_THREADS)
		start_thread(p, crew, do_queries);
}

/* False: the thread shall end. */
static bool wait_for(struct pool *p, struct crew *crew, bool ready)
{
	if (ready || p->stopping)
		return false;
	crew->n_idle++;
	pthread_cond_wait(&crew->more, &p->lock);
	crew->n_idle--;
	return true;
}

/* The lock is let go: the thread ends, and touches nothing afterwards. */
static void leave(struct pool *p, struct crew *crew)
{
	crew->n_threads--;
	pthread_cond_broadcast(&p->ended);
	pthread_mutex_unlock(&p->lock);
}

/* ---- Threads. ---- */

static void *do_chores(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct task t;

		while (wait_for(p, &p->servants, p->chores.n > 0))
			continue;
		if (p->stopping)
			break;
		t = take_task(&p->chores);
		pthread_mutex_unlock(&p->lock);
		t.work(p->api, t.q, t.job);
		pthread_mutex_lock(&p->lock);
	}
	leave(p, &p->servants);
	return NULL;
}

/* The thread's priority is low from here on, for good: it ends with this query. */
static void lower_priority(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), LONG_NICE);   /* may fail: it is a favour to others */
}

static void evaluate(struct pool *p, const struct task *t, struct turn *turn)
{
	bool assumed = turn->taken;

	turn->pool = p;
	turn->q = t->q;
	turn->kind = t->kind;
	turn->begun_mono_ms = mono_ms(p);
	turn->asked_mono_ms = t->asked_mono_ms;
	turn->begun_cpu_ms = cpu_ms();
	if (assumed)
		lower_priority();
	t->query(p->api, t->q, t->job, turn);
	pthread_mutex_lock(&p->lock);
	if (!turn->taken)
		return;
	if (assumed && cpu_ms() - turn->begun_cpu_ms < TRIAL_MS)
		note_kind(p, t->kind, false);
	p->turns_ended++;
	pthread_cond_broadcast(&p->ended);
}

static void *do_queries(void *arg)
{
	struct pool *p = arg;
	struct turn turn = { 0 };

	pthread_mutex_lock(&p->lock);
	while (!turn.taken && p->evaluators.n_idle < IDLE_THREADS) {
		struct task t;

		while (wait_for(p, &p->evaluators, n_startable(p) > 0))
			continue;
		if (p->stopping)
			break;
		turn.taken = p->queries.n == 0;
		p->turns_asked += turn.taken;
		t = take_task(turn.taken ? &p->longs : &p->queries);
		pthread_mutex_unlock(&p->lock);
		evaluate(p, &t, &turn);
	}
	p->evaluators.n_threads--;      /* its place is free for another */
	wake_evaluator(p);
	p->evaluators.n_threads++;
	leave(p, &p->evaluators);
	return NULL;
}

int64_t turn_waited_ms(const struct turn *turn)
{
	return turn == NULL ? 0 : turn->begun_mono_ms - turn->asked_mono_ms;
}

bool turn_pace(void *arg)
{
	struct turn *turn = arg;
	struct pool *p = turn->pool;
	uint64_t mine;
	bool go_on;

	if (!turn->taken && cpu_ms() - turn->begun_cpu_ms < TRIAL_MS)
		return true;
	if (http_is_gone(turn->q))
		return false;
	if (turn->taken)
		return true;
	lower_priority();
	pthread_mutex_lock(&p->lock);
	turn->taken = true;
	note_kind(p, turn->kind, true);
	mine = p->turns_asked++;
	while (mine >= p->turns_ended + p->turns && !p->stopping)
		pthread_cond_wait(&p->ended, &p->lock);
	go_on = !p->stopping;
	pthread_mutex_unlock(&p->lock);
	return go_on && !http_is_gone(turn->q);
}

struct pool *pool_new(struct api *api, unsigned turns)
{
	struct pool *p = mem_alloc(sizeof *p);

	p->api = api;
	p->turns = turns;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->ended, NULL);
	pthread_cond_init(&p->servants.more, NULL);
	pthread_cond_init(&p->evaluators.more, NULL);
	for (unsigned i = 0; i < CHORE_THREADS; i++)
		if (!start_thread(p, &p->servants, do_chores))
			mem_abort(0);
	return p;
}

/* Nobody waits for these any more: the server has stopped, and answered them. */
static void drop_queue(struct queue *w)
{
	while (w->n > 0)
		http_reply_text(take_task(w).q, 503, "the program is stopping\n");
}

void pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->servants.more);
	pthread_cond_broadcast(&p->evaluators.more);
	pthread_cond_broadcast(&p->ended);
	while (p->servants.n_threads + p->evaluators.n_threads > 0)
		pthread_cond_wait(&p->ended, &p->lock);
	pthread_mutex_unlock(&p->lock);
	drop_queue(&p->chores);
	drop_queue(&p->queries);
	drop_queue(&p->longs);
	pthread_cond_destroy(&p->servants.more);
	pthread_cond_destroy(&p->evaluators.more);
	pthread_cond_destroy(&p->ended);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void refuse(struct http_request *q, const char *what)
{
	struct err e = { 0 };

	err_set(&e, ERR_TIMEOUT, -1, "too many %s are waiting (limit %d): try again", what, QUEUE_MAX);
	envelope_error(q, &e);
}

void pool_submit(struct pool *p, struct http_request *q, pool_work *work, void *job)
{
	bool taken;

	http_suspend(q);
	pthread_mutex_lock(&p->lock);
	taken = put_task(&p->chores, (struct task){ .q = q, .work = work, .job = job });
	pthread_cond_signal(&p->servants.more);
	pthread_mutex_unlock(&p->lock);
	if (!taken)
		refuse(q, "requests");
}

void pool_evaluate(struct pool *p, struct http_request *q, pool_query *query, void *job, uint64_t kind)
{
	struct task t = { .q = q, .query = query, .job = job, .kind = kind, .asked_mono_ms = mono_ms(p) };
	bool taken;

	http_suspend(q);
	pthread_mutex_lock(&p->lock);
	taken = put_task(find_kind(p, kind) < LONG_KINDS ? &p->longs : &p->queries, t);
	wake_evaluator(p);
	pthread_mutex_unlock(&p->lock);
	if (!taken)
		refuse(q, "queries");
}
