/* The lock guards workers, waiting scrapes and every worker's shared fields. Nothing is rendered or sent under it.
 * The thread that brings a scrape's last result answers it: a hand-over to another thread takes as long as rendering a page. The
 * publisher's own thread answers those whose deadline has come, and need not be woken for the others. */
#include "publish.h"

#include <assert.h>
#include <stdlib.h>

#include "render.h"
#include "self.h"
#include "targets.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define SCRAPE_DEFAULT_MS 10000
#define SCRAPE_MAX_MS 120000
#define SCRAPE_OFFSET_MS 500            /* of the scraper's timeout, for the way back; a tenth when that is less */

struct scrape {
	struct scrape *next;
	struct http_request *request;
	bool bare;                      /* one source, without the label */
	enum expo_format format;
	int64_t began_us, deadline_mono_ms;
	struct answer *answers;
	size_t n, pending;
	struct expo_set *core;          /* what the core says; NULL: not put together yet, and then it is not answered either */
};

struct publisher {
	const struct clock *clock;
	struct http_route routes[2];
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	struct worker **workers;
	size_t n;
	struct sources *config;         /* whose workers these are; NULL: none yet */
	struct targets *targets;
	struct scrape *waiting;
	int64_t wakes_mono_ms;          /* the publisher's own thread sleeps until then */
	size_t page_bytes;              /* of the last page: room for the next */
	struct expo_set *core;          /* of the last page that was not bare, for the next to be made like; NULL: none yet */
	bool left_behind;               /* workers that hang; of the thread that applies, sweeps and frees */
	struct self self;
};

/* ---- A scrape ---- */

/* The scraper's own timeout, less what the way back takes. */
static int64_t scrape_budget_ms(const struct http_request *q)
{
	double seconds, offset_ms;
	struct str text = http_header(q, "X-Prometheus-Scrape-Timeout-Seconds");

	if (text.p == NULL || !str_to_double(str_trim(text), &seconds) || !(seconds > 0))
		return SCRAPE_DEFAULT_MS - SCRAPE_OFFSET_MS;
	if (seconds > SCRAPE_MAX_MS / 1000)
		seconds = SCRAPE_MAX_MS / 1000;
	offset_ms = seconds * 100 < SCRAPE_OFFSET_MS ? seconds * 100 : SCRAPE_OFFSET_MS;
	return (int64_t)(seconds * 1000 - offset_ms);
}

static struct scrape *scrape_new(struct http_request *q, size_t n, const struct clock *clock)
{
	struct scrape *s = mem_alloc(sizeof *s);

	s->request = q;
	s->format = expo_negotiate(http_header(q, "Accept"));
	s->began_us = clock_mono_us();
	s->deadline_mono_ms = clock_mono_ms(clock) + scrape_budget_ms(q);
	s->answers = mem_alloc((n ? n : 1) * sizeof *s->answers);
	return s;
}

static void scrape_free(struct scrape *s)
{
	for (struct answer *a = s->answers; a < s->answers + s->n; a++)
		answer_fini(a);
	expo_set_unref(s->core);
	free(s->answers);
	free(s);
}

/* Under the lock. <*fresh>: the worker, counted, when its collection is to be begun, else NULL. */
static void scrape_ask(struct scrape *s, struct worker *w, struct worker **fresh)
{
	struct answer *a = &s->answers[s->n++];
	bool begin = false;

	a->worker = worker_ref(w);
	a->pending = worker_ask(w, s->deadline_mono_ms, &begin);
	s->pending += a->pending;
	*fresh = begin ? worker_ref(w) : NULL;
}

/* ---- A scrape ends ---- */

/* Under the lock, on a collector thread. */
static void on_result(void *ctx, struct worker *w, struct result *r)
{
	struct publisher *p = ctx;

	for (struct scrape *s = p->waiting; s != NULL; s = s->next) {
		for (struct answer *a = s->answers; a < s->answers + s->n; a++) {
			if (a->worker != w || !a->pending)
				continue;
			a->result = result_ref(r);
			a->pending = false;
			s->pending--;
		}
	}
}

/* Whether two scrapes that wait for nothing show the same. */
static bool is_same(const struct scrape *a, const struct scrape *b)
{
	if (b->core == NULL || b->pending > 0 || a->format != b->format || a->bare != b->bare || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->answers[i].worker != b->answers[i].worker || a->answers[i].result != b->answers[i].result)
			return false;
	return true;
}

/* Under the lock: off the list with what shows the same as <s>: it is <s>'s next ones. */
static void take_same_ones(struct publisher *p, struct scrape *s)
{
	s->next = NULL;
	for (struct scrape **at = &p->waiting; s->pending == 0 && *at != NULL;) {
		struct scrape *x = *at;

		if (!is_same(s, x)) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		x->next = s->next;
		s->next = x;
	}
}

/* Under the lock: a scrape whose time has come, off the list, and those that show the same; else NULL and when to look again. */
static struct scrape *take_ready(struct publisher *p, int64_t now, int64_t *next_mono_ms)
{
	*next_mono_ms = INT64_MAX;
	for (struct scrape **at = &p->waiting; *at != NULL; at = &(*at)->next) {
		struct scrape *s = *at;

		if (s->core == NULL)
			continue;
		if (s->pending == 0 || s->deadline_mono_ms <= now || p->stopping) {
			*at = s->next;
			take_same_ones(p, s);
			for (struct answer *a = s->answers; a < s->answers + s->n; a++)
				answer_take_state(a, now);
			return s;
		}
		if (s->deadline_mono_ms < *next_mono_ms)
			*next_mono_ms = s->deadline_mono_ms;
	}
	return NULL;
}

static void keep_core(struct publisher *p, struct expo_set *core)
{
	struct expo_set *before;

	pthread_mutex_lock(&p->lock);
	before = p->core;
	p->core = expo_set_ref(core);
	pthread_mutex_unlock(&p->lock);
	expo_set_unref(before);
}

/* A hundred scrapes at once are answered with one page. */
static void answer_scrapes(struct publisher *p, struct scrape *s)
{
	struct http_body *body;
	struct buf page = { 0 };

	self_emit_sources(s->core, s->answers, s->n, s->bare, clock_mono_ms(p->clock));
	expo_set_close(s->core);
	buf_reserve(&page, __atomic_load_n(&p->page_bytes, __ATOMIC_RELAXED));
	render_answers(&page, s->answers, s->n, s->bare, s->core, s->format);
	__atomic_store_n(&p->page_bytes, page.n, __ATOMIC_RELAXED);
	body = http_body_new(&page);
	if (!s->bare)
		keep_core(p, s->core);
	while (s != NULL) {
		struct scrape *next = s->next;

		if (!s->bare)                   /* first: who has the answer finds it counted */
			self_note_scrape(&p->self, clock_mono_us() - s->began_us);
		http_reply_body(s->request, 200, expo_content_type(s->format), body);
		scrape_free(s);
		s = next;
	}
	http_body_close(body);
}

/* Without the lock: answers what is ready. */
static void answer_ready(void *ctx)
{
	struct publisher *p = ctx;
	struct scrape *s;
	int64_t next;

	do {
		pthread_mutex_lock(&p->lock);
		s = take_ready(p, clock_mono_ms(p->clock), &next);
		pthread_mutex_unlock(&p->lock);
		if (s != NULL)
			answer_scrapes(p, s);
	} while (s != NULL);
}

/* ---- A scrape begins ---- */

/* While the sources are asked: what the core says of itself. Until it is there nobody takes the scrape off the list. */
static void finish_beginning(struct publisher *p, struct scrape *s)
{
	struct expo_set *core;
	bool ready, sooner;

	pthread_mutex_lock(&p->lock);
	core = p->core != NULL && !s->bare ? expo_set_like(p->core) : expo_set_new();
	pthread_mutex_unlock(&p->lock);
	if (!s->bare)
		self_emit(&p->self, core);
	pthread_mutex_lock(&p->lock);
	if (!s->bare && p->config != NULL)
		targets_emit(p->targets, p->config, core);
	s->core = core;
	ready = s->pending == 0;
	sooner = s->deadline_mono_ms < p->wakes_mono_ms;
	pthread_mutex_unlock(&p->lock);
	if (ready)
		answer_ready(p);
	else if (sooner)
		pthread_cond_signal(&p->wake);
}

/* Under the lock, which it lets go. */
static void scrape_begin(struct publisher *p, struct http_request *q, struct worker *const *workers, size_t n, bool bare)
{
	struct worker **fresh = mem_alloc((n ? n : 1) * sizeof *fresh);
	struct scrape *s;

	http_suspend(q);
	s = scrape_new(q, n, p->clock);
	s->bare = bare;
	for (size_t i = 0; i < n; i++)
		scrape_ask(s, workers[i], &fresh[i]);
	s->next = p->waiting;
	p->waiting = s;
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < n; i++)
		if (fresh[i] != NULL)
			worker_begin(fresh[i]);
	free(fresh);
	finish_beginning(p, s);
}

static void handle_metrics(struct http_request *q)
{
	struct publisher *p = q->ctx;

	pthread_mutex_lock(&p->lock);
	scrape_begin(p, q, p->workers, p->n, false);
}

static struct worker *find_worker(const struct publisher *p, struct str name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->workers[i]->source->settings->name, name))
			return p->workers[i];
	return NULL;
}

/* Under the lock: the source called <target>, or with a module, the one it makes of it. */
static struct worker *find_probed(struct publisher *p, struct str module, struct str target, struct err *e)
{
	const struct sources_module *m = module.n > 0 && p->config != NULL ? sources_find_module(p->config, module) : NULL;
	struct worker *w;

	if (m != NULL)
		return targets_get(p->targets, p->config, m, target, e);
	w = module.n > 0 ? NULL : find_worker(p, target);
	if (w == NULL)
		err_set(e, ERR_NOT_FOUND, -1, "no %s of that name is configured", module.n > 0 ? "module" : "source");
	return w;
}

static void handle_probe(struct http_request *q)
{
	struct publisher *p = q->ctx;
	struct str target = http_param(q, "target"), module = http_param(q, "module");
	struct err e = { 0 };
	struct worker *w;

	if (target.n == 0) {
		http_reply_text(q, 400, "parameter target is missing: /probe?target=NAME, NAME being that of a configured source, or "
		    "/probe?module=MODULE&target=TARGET\n");
		return;
	}
	pthread_mutex_lock(&p->lock);
	w = find_probed(p, module, target, &e);
	if (w != NULL) {
		scrape_begin(p, q, &w, 1, true);
		return;
	}
	pthread_mutex_unlock(&p->lock);
	http_reply_text(q, e.code == ERR_NOT_FOUND ? 404 : e.code == ERR_LIMIT ? 503 : 403, "%s\n", e.msg);
}

bool publisher_add_routes(struct publisher *p, struct http_server *server, const char *telemetry_path)
{
	p->routes[0] = (struct http_route){ .methods = HTTP_GET, .path = "/probe", .handle = handle_probe,
	    .help = "one source: ?target=NAME; one of a module's targets: ?module=MODULE&target=TARGET" };
	http_server_add(server, &p->routes[0], 1, p);
	if (http_server_has(server, str_of(telemetry_path)))
		return false;
	p->routes[1] = (struct http_route){ .methods = HTTP_GET, .path = telemetry_path, .handle = handle_metrics,
	    .help = "all sources" };
	http_server_add(server, &p->routes[1], 1, p);
	return true;
}

/* ---- The publisher's own thread ---- */

static void wait_for_due(struct publisher *p, int64_t mono_ms)
{
	if (mono_ms == INT64_MAX)
		pthread_cond_wait(&p->wake, &p->lock);
	else
		(void)wait_for_ms(&p->wake, &p->lock, mono_ms - clock_mono_ms(p->clock));
}

static void *publisher_thread(void *arg)
{
	struct publisher *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct scrape *s;
		int64_t next;

		s = take_ready(p, clock_mono_ms(p->clock), &next);
		if (s != NULL) {
			pthread_mutex_unlock(&p->lock);
			answer_scrapes(p, s);
			pthread_mutex_lock(&p->lock);
		} else if (p->stopping && p->waiting == NULL) {
			break;
		} else {
			p->wakes_mono_ms = next;
			wait_for_due(p, next);
			p->wakes_mono_ms = 0;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- Life, and changes of the configuration ---- */

static struct worker_owner owner_of(struct publisher *p)
{
	return (struct worker_owner){ .lock = &p->lock, .on_result = on_result, .after_result = answer_ready, .ctx = p };
}

struct publisher *publisher_new(const struct clock *clock)
{
	struct publisher *p = mem_alloc(sizeof *p);
	const struct worker_owner owner = owner_of(p);
	int failed;

	p->clock = clock;
	p->targets = targets_new(&owner, clock);
	self_init(&p->self, clock);
	pthread_mutex_init(&p->lock, NULL);
	wait_cond_init(&p->wake);
	failed = pthread_create(&p->thread, NULL, publisher_thread, p);
	assert(failed == 0);
	(void)failed;
	return p;
}

/* Takes the worker that does the same out of the old ones. */
static struct worker *take_same(struct worker **old, size_t n, const struct sources_entry *source)
{
	for (size_t i = 0; i < n; i++) {
		struct worker *w = old[i];

		if (w == NULL || !str_eq(w->source->fingerprint, source->fingerprint))
			continue;
		old[i] = NULL;
		return w;
	}
	return NULL;
}

static bool is_among(struct worker *const *v, size_t n, const struct worker *w)
{
	size_t i = 0;

	while (i < n && v[i] != w)
		i++;
	return i < n;
}

/* Under the lock: who waits for one of <old> waits for the source that has its name now. What is then to be begun goes into <fresh>,
 * which has room for all. */
static size_t move_waiting(struct publisher *p, struct worker *const *old, size_t n_old, struct worker **fresh)
{
	size_t n = 0;

	for (struct scrape *s = p->waiting; s != NULL; s = s->next) {
		for (struct answer *a = s->answers; a < s->answers + s->n; a++) {
			struct worker *before = a->worker, *now;
			bool begin = false;

			if (!a->pending || !is_among(old, n_old, before))
				continue;
			now = find_worker(p, before->source->settings->name);
			if (now == NULL || !worker_ask(now, s->deadline_mono_ms, &begin))
				continue;
			a->worker = worker_ref(now);
			worker_unref(before);
			if (begin)
				fresh[n++] = worker_ref(now);
		}
	}
	return n;
}

void publisher_apply(struct publisher *p, struct sources *c)
{
	struct worker **workers = mem_alloc((c->n ? c->n : 1) * sizeof *workers);
	struct worker **fresh = mem_alloc((c->n ? c->n : 1) * sizeof *fresh);
	struct worker **old = mem_alloc((p->n ? p->n : 1) * sizeof *old), **replaced = p->workers;
	const struct worker_owner owner = owner_of(p);
	struct sources *config = p->config;
	size_t n_old = p->n, n_fresh;

	for (size_t i = 0; i < n_old; i++)      /* scrapes go on reading p->workers meanwhile */
		old[i] = replaced[i];
	for (size_t i = 0; i < c->n; i++) {
		workers[i] = take_same(old, n_old, &c->v[i]);
		if (workers[i] == NULL)
			workers[i] = worker_start(c, &c->v[i], p->clock, &owner);
	}
	pthread_mutex_lock(&p->lock);
	p->workers = workers;
	p->n = c->n;
	p->config = sources_ref(c);
	n_fresh = move_waiting(p, old, n_old, fresh);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < n_fresh; i++)
		worker_begin(fresh[i]);
	p->left_behind |= !workers_stop(old, n_old);    /* before others that may take long: what was theirs is wanted */
	p->left_behind |= !targets_sweep(p->targets, c);
	if (config != NULL)
		sources_unref(config);
	free(fresh);
	free(old);
	free(replaced);
}

void publisher_sweep(struct publisher *p)
{
	p->left_behind |= !targets_sweep(p->targets, p->config);
}

void publisher_note_load(struct publisher *p, bool ok, struct str message)
{
	self_note_load(&p->self, ok, message);
}

bool publisher_free(struct publisher *p)
{
	p->left_behind |= !workers_stop(p->workers, p->n);
	p->left_behind |= !targets_free(p->targets);
	pthread_mutex_lock(&p->lock);
	p->n = 0;
	p->stopping = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	if (p->left_behind)
		return false;
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	self_fini(&p->self);
	expo_set_unref(p->core);
	if (p->config != NULL)
		sources_unref(p->config);
	free(p->workers);
	free(p);
	return true;
}

/* ---- How things stand ---- */

static struct source_state source_state(const struct worker *w, int64_t now, struct arena *a)
{
	struct source_state s = { arena_str(a, w->source->settings->name), str_of(w->source->kind->name), .good_age_ms = -1 };

	if (w->source->kind->describe != NULL)
		s.address = w->source->kind->describe(a, w->source->settings);
	for (size_t i = 0; i < w->n_tasks; i++)
		if (w->tasks[i].e.code != ERR_NONE)
			s.error = arena_printf(a, "%s: %s", w->tasks[i].name, w->tasks[i].e.msg);
	if (w->good_mono_ms != 0)
		s.good_age_ms = now - w->good_mono_ms;
	if (w->last == NULL)
		return s;
	s.asked = true;
	s.up = w->last->set != NULL;
	s.took_us = w->last->took_us;
	if (s.up)
		s.samples = expo_set_stats(w->last->set).samples;
	else
		s.error = arena_str(a, str_of(w->last->e.msg));
	return s;
}

struct publisher_state publisher_state(struct publisher *p, struct arena *a)
{
	struct publisher_state s = { 0 };
	int64_t now = clock_mono_ms(p->clock);

	pthread_mutex_lock(&p->lock);
	s.sources = ARENA_ARRAY(a, p->n, struct source_state);
	for (s.n = 0; s.n < p->n; s.n++)
		s.sources[s.n] = source_state(p->workers[s.n], now, a);
	pthread_mutex_unlock(&p->lock);
	s.load_failed = !self_load_state(&p->self, a, &s.load_message);
	return s;
}
