/* Workers as ever, asked once. A source is done when it has answered and its runner rests: then its slow tasks were tried. */
#include "once.h"

#include <pthread.h>
#include <stdlib.h>

#include "render.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

struct once {
	const struct clock *clock;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct answer *answers;
	size_t n, pending;              /* answers, and runners that do not rest yet */
};

/* Under the lock. */
static void on_result(void *ctx, struct worker *w, struct result *r)
{
	struct once *o = ctx;

	for (struct answer *a = o->answers; a < o->answers + o->n; a++) {
		if (a->worker != w || !a->pending)
			continue;
		a->result = result_ref(r);
		a->pending = false;
		o->pending--;
	}
	pthread_cond_signal(&o->wake);
}

/* Under the lock, once a worker. */
static void on_rest(void *ctx, struct worker *w)
{
	struct once *o = ctx;

	(void)w;
	o->pending--;
	pthread_cond_signal(&o->wake);
}

static void start(struct once *o, struct sources *c, int64_t deadline_mono_ms)
{
	const struct worker_owner owner = { .lock = &o->lock, .on_result = on_result, .on_rest = on_rest, .ctx = o };

	for (size_t i = 0; i < c->n; i++) {
		struct worker *w;
		bool begin = false;

		pthread_mutex_lock(&o->lock);
		o->pending += c->v[i].kind->run != NULL;
		pthread_mutex_unlock(&o->lock);
		w = worker_start(c, &c->v[i], o->clock, &owner);
		pthread_mutex_lock(&o->lock);
		o->answers[o->n].worker = worker_ref(w);
		o->answers[o->n++].pending = worker_ask(w, deadline_mono_ms, &begin);
		o->pending += o->answers[o->n - 1].pending;
		pthread_mutex_unlock(&o->lock);
		if (begin)
			worker_begin(worker_ref(w));
	}
}

static void wait(struct once *o)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + ONCE_MAX_MS;

	pthread_mutex_lock(&o->lock);
	while (o->pending > 0 && wait_until(&o->wake, &o->lock, until_ms))
		continue;
	for (size_t i = 0; i < o->n; i++)
		answer_take_state(&o->answers[i], clock_mono_ms(o->clock));
	pthread_mutex_unlock(&o->lock);
}

/* A part of a source says so itself. */
static bool is_whole(const struct source_kind *kind, const struct result *r)
{
	return r == NULL || r->set == NULL || kind->parts == NULL || !expo_set_has(r->set, kind->parts, 0);
}

static size_t count_failed(const struct once *o)
{
	size_t failed = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct answer *a = &o->answers[i];
		const struct source_kind *kind = a->worker->source->kind;
		bool ok = a->result != NULL && a->result->set != NULL && is_whole(kind, a->result);

		for (size_t t = 0; t < a->n_tasks; t++)
			ok &= !a->tasks[t].failed && is_whole(kind, a->tasks[t].good);
		failed += !ok;
	}
	return failed;
}

static void render(const struct once *o, struct buf *page)
{
	struct expo_set *core = expo_set_new();

	self_emit_sources(core, o->answers, o->n, false, clock_mono_ms(o->clock));
	render_answers(page, o->answers, o->n, false, core, EXPO_TEXT);
	expo_set_unref(core);
}

/* False when some were left behind that hang. */
static bool stop(struct once *o)
{
	struct worker **workers = mem_alloc((o->n ? o->n : 1) * sizeof *workers);
	bool all;

	for (size_t i = 0; i < o->n; i++)
		workers[i] = o->answers[i].worker;
	all = workers_stop(workers, o->n);
	for (size_t i = 0; i < o->n; i++)
		answer_fini(&o->answers[i]);
	free(workers);
	return all;
}

static struct once *once_new(const struct sources *c, const struct clock *clock)
{
	struct once *o = mem_alloc(sizeof *o);

	*o = (struct once){ .clock = clock, .answers = mem_alloc((c->n ? c->n : 1) * sizeof *o->answers) };
	pthread_mutex_init(&o->lock, NULL);
	wait_cond_init(&o->wake);
	return o;
}

static void once_free(struct once *o)
{
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o->answers);
	free(o);
}

size_t once_collect(struct sources *c, const struct clock *clock, struct buf *page)
{
	struct once *o = once_new(c, clock);
	size_t failed;

	start(o, c, clock_mono_ms(clock) + ONCE_MAX_MS);
	wait(o);
	failed = count_failed(o);
	render(o, page);
	if (stop(o))                    /* else somebody may come back to it */
		once_free(o);
	return failed;
}
