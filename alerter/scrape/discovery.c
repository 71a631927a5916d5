/* The thread: starts what is due, takes in what has come, tells the loop when the whole has changed. */
#include "scrape/discovery.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "tocsin/mem.h"

enum {
	IDLE_MS = 1000,
	BUSY_MS = 100,   /* while names are being resolved, whose timeouts c-ares keeps */
	SETTLE_MS = 100, /* a file that changes is read when it has been let alone so long … */
	STIRRED_MS = 1000, /* … or its folder, in which others may never rest, is stirred so long */
	RETRY_MS = 5000, /* of what never answered yet */
	FDS_MAX = 512,
};

struct discovery {
	struct discovery_options options;
	pthread_mutex_t lock;
	pthread_t thread;
	bool running, stop, changed;
	CURLM *multi;
	struct tokens *tokens;
	int inotify_fd;
	int64_t watch_mono_ms; /* folders are watched anew then */
	struct sd **v;
	size_t n, cap;
	uint64_t refreshes, failures;
};

struct discovery *discovery_new(const struct discovery_options *options)
{
	struct discovery *d = mem_alloc(sizeof *d);

	d->options = *options;
	d->multi = connection_multi_new();
	d->tokens = tokens_new();
	d->inotify_fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

static void cancel(struct sd *sd)
{
	if (sd->running != NULL && sd->config->kind == SCRAPE_SD_HTTP)
		sd_http_cancel(sd, sd->of->multi);
	else if (sd->running != NULL)
		sd_dns_cancel(sd);
}

static void source_free(struct sd_source *s)
{
	arena_fini(&s->arena);
	free((void *)(uintptr_t)s->name.p);
	free(s);
}

static void sd_free(struct sd *sd)
{
	for (size_t i = 0; i < sd->n; i++)
		source_free(sd->sources[i]);
	free(sd->sources);
	free(sd->key);
	free(sd);
}

void discovery_free(struct discovery *d)
{
	if (d == NULL)
		return;
	if (d->running) {
		discovery_lock(d);
		d->stop = true;
		discovery_unlock(d);
		curl_multi_wakeup(d->multi);
		pthread_join(d->thread, NULL);
	}
	for (size_t i = 0; i < d->n; i++) {
		cancel(d->v[i]);
		sd_free(d->v[i]);
	}
	free(d->v);
	if (d->inotify_fd >= 0)
		close(d->inotify_fd);
	curl_multi_cleanup(d->multi);
	tokens_free(d->tokens);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void discovery_lock(struct discovery *d)
{
	pthread_mutex_lock(&d->lock);
}

void discovery_unlock(struct discovery *d)
{
	pthread_mutex_unlock(&d->lock);
}

/* ---- Sources ---- */

struct sd_source *sd_source(struct sd *sd, struct str name)
{
	struct sd_source *s;

	for (size_t i = 0; i < sd->n; i++)
		if (str_eq(sd->sources[i]->name, name)) {
			sd->sources[i]->stays = true;
			return sd->sources[i];
		}
	s = mem_alloc(sizeof *s);
	s->name = (struct str){ mem_strndup(name.p, name.n), name.n };
	s->stays = true;
	sd->sources = mem_grow(sd->sources, &sd->cap, sd->n + 1, sizeof(struct sd_source *));
	sd->sources[sd->n++] = s;
	return s;
}

void sd_sources_begin(struct sd *sd)
{
	for (size_t i = 0; i < sd->n; i++)
		sd->sources[i]->stays = false;
}

void sd_sources_end(struct sd *sd)
{
	for (size_t i = sd->n; i-- > 0;) {
		if (sd->sources[i]->stays)
			continue;
		sd->of->changed |= sd->sources[i]->n > 0;
		source_free(sd->sources[i]);
		sd->sources[i] = sd->sources[--sd->n];
	}
}

static bool same_group(const struct scrape_static *a, const struct scrape_static *b)
{
	if (a->targets.n != b->targets.n || a->labels.n != b->labels.n)
		return false;
	for (size_t i = 0; i < a->targets.n; i++)
		if (!str_eq(a->targets.v[i], b->targets.v[i]))
			return false;
	for (size_t i = 0; i < a->labels.n; i++)
		if (!str_eq(a->labels.v[i].name, b->labels.v[i].name) || !str_eq(a->labels.v[i].value, b->labels.v[i].value))
			return false;
	return true;
}

static bool same_groups(const struct sd_source *s, const struct sd_answer *a)
{
	if (s->n != a->n)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (!same_group(&s->groups[i], &a->groups[i]))
			return false;
	return true;
}

static const char *const kind_names[] = {
	[SCRAPE_SD_FILE] = "file_sd", [SCRAPE_SD_HTTP] = "http_sd", [SCRAPE_SD_DNS] = "dns_sd"
};

void sd_source_found(struct sd *sd, struct sd_source *s, struct sd_answer *a)
{
	complain_works(&s->complaint, kind_names[sd->config->kind], s->name.p, clock_now_ms(sd->of->options.clock));
	sd->of->refreshes++;
	sd->of->changed |= !s->known || !same_groups(s, a);
	s->known = true;
	arena_fini(&s->arena);
	s->arena = a->arena;
	s->groups = a->groups;
	s->n = a->n;
	*a = (struct sd_answer){ 0 };
}

void sd_source_failed(struct sd *sd, struct sd_source *s, const struct err *e)
{
	sd->of->failures++;
	complain_failed(&s->complaint, kind_names[sd->config->kind], s->name.p, e, clock_now_ms(sd->of->options.clock));
}

/* ---- Refreshes ---- */

static bool all_known(const struct sd *sd)
{
	for (size_t i = 0; i < sd->n; i++)
		if (!sd->sources[i]->known)
			return false;
	return true;
}

static void refreshed(struct sd *sd)
{
	int64_t after_ms = sd->config->refresh_ms;

	if (!sd->known && all_known(sd))
		sd->known = sd->of->changed = true;
	if (!sd->known && after_ms > RETRY_MS)
		after_ms = RETRY_MS;
	sd->due_mono_ms = clock_mono_ms(sd->of->options.clock) + after_ms;
}

static void refresh(struct sd *sd)
{
	bool under_way = false;

	sd->stirred = false;
	switch (sd->config->kind) {
	case SCRAPE_SD_FILE:
		sd_file_refresh(sd);
		break;
	case SCRAPE_SD_HTTP:
		under_way = sd_http_start(sd, sd->of->multi, sd->of->tokens);
		break;
	case SCRAPE_SD_DNS:
		under_way = sd_dns_start(sd, sd->of->options.dns_servers);
		break;
	}
	if (!under_way)
		refreshed(sd);
}

/* ---- Configuration ---- */

static char *key_of(const struct scrape_job *job, const struct scrape_sd *c)
{
	struct buf b = { 0 };

	buf_printf(&b, STR_FMT "\n%d %d %lld " STR_FMT, STR_ARG(job->name), (int)c->kind, c->dns_type, (long long)c->port, STR_ARG(c->url));
	for (size_t i = 0; i < c->names.n; i++)
		buf_printf(&b, "\n" STR_FMT, STR_ARG(c->names.v[i]));
	(void)buf_z(&b);
	return b.p;
}

static struct sd *find(const struct discovery *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->v[i]->found && strcmp(d->v[i]->key, key) == 0)
			return d->v[i];
	return NULL;
}

static void add(struct discovery *d, const struct scrape_job *job, const struct scrape_sd *config)
{
	char *key = key_of(job, config);
	struct sd *sd = find(d, key);

	if (sd == NULL) {
		sd = mem_alloc(sizeof *sd);
		sd->of = d;
		sd->key = key;
		d->v = mem_grow(d->v, &d->cap, d->n + 1, sizeof(struct sd *));
		d->v[d->n++] = sd;
	} else {
		free(key);
	}
	sd->found = true;
	sd->job = job;
	sd->config = config;
	sd->due_mono_ms = 0;
	if (config->kind != SCRAPE_SD_FILE)
		return;
	sd->watch = sd_file_watch(config, d->inotify_fd);
	refresh(sd);
}

static void add_list(struct discovery *d, const struct scrape_job *job, const struct conf_list *list)
{
	const struct scrape_sd *v = list->v;

	for (size_t i = 0; i < list->n; i++)
		add(d, job, &v[i]);
}

static void add_job(struct discovery *d, const struct scrape_job *job)
{
	add_list(d, job, &job->file_sds);
	add_list(d, job, &job->http_sds);
	add_list(d, job, &job->dns_sds);
}

void discovery_configure(struct discovery *d, const struct scrape_config *config)
{
	if (d->inotify_fd >= 0)
		close(d->inotify_fd);
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (size_t i = 0; i < d->n; i++) {
		cancel(d->v[i]);
		d->v[i]->found = false;
	}
	for (size_t i = 0; i < config->n; i++)
		add_job(d, &config->jobs[i]);
	for (size_t i = 0; i < config->n_finders; i++)
		add_job(d, &config->finders[i]);
	for (size_t i = d->n; i-- > 0;) {
		if (d->v[i]->found)
			continue;
		sd_free(d->v[i]);
		d->v[i] = d->v[--d->n];
	}
	d->changed = false; /* the caller reads everything now */
	curl_multi_wakeup(d->multi);
}

bool discovery_groups(const struct discovery *d, const struct scrape_job *job,
                      void (*take)(void *ctx, const struct scrape_static *group), void *ctx)
{
	bool known = true;

	for (size_t i = 0; i < d->n; i++) {
		const struct sd *sd = d->v[i];

		if (sd->job != job)
			continue;
		known &= sd->known;
		for (size_t k = 0; k < sd->n; k++)
			for (size_t g = 0; g < sd->sources[k]->n; g++)
				take(ctx, &sd->sources[k]->groups[g]);
	}
	return known;
}

struct discovery_stats discovery_stats(struct discovery *d)
{
	struct discovery_stats out;

	discovery_lock(d);
	out = (struct discovery_stats){ .refreshes = d->refreshes, .failures = d->failures };
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->v[i]->n; k++)
			out.failing += d->v[i]->sources[k]->complaint.failures > 0;
	discovery_unlock(d);
	return out;
}

/* ---- The thread ---- */

static void stir(struct sd *sd, int64_t now_ms)
{
	if (!sd->stirred)
		sd->stirred_mono_ms = now_ms;
	sd->stirred = true;
	sd->due_mono_ms = now_ms < sd->stirred_mono_ms + STIRRED_MS - SETTLE_MS ? now_ms + SETTLE_MS : sd->stirred_mono_ms + STIRRED_MS;
}

/* Which file changed does not matter: reading them all is cheap. */
static void drain_inotify(struct discovery *d)
{
	int64_t now_ms = clock_mono_ms(d->options.clock);
	char events[4096];
	bool any = false;

	while (d->inotify_fd >= 0 && read(d->inotify_fd, events, sizeof events) > 0)
		any = true;
	for (size_t i = 0; any && i < d->n; i++)
		if (d->v[i]->config->kind == SCRAPE_SD_FILE)
			stir(d->v[i], now_ms);
}

/* A folder that was taken away and made anew is another one to the kernel. */
static void watch_again(struct discovery *d, int64_t now_ms)
{
	if (now_ms < d->watch_mono_ms)
		return;
	d->watch_mono_ms = now_ms + IDLE_MS;
	for (size_t i = 0; i < d->n; i++) {
		struct sd *sd = d->v[i];
		int watch = sd->config->kind == SCRAPE_SD_FILE ? sd_file_watch(sd->config, d->inotify_fd) : 0;

		if (watch <= sd->watch)
			continue;
		sd->watch = watch;
		sd->due_mono_ms = now_ms + SETTLE_MS;
	}
}

static void finish_http(struct discovery *d)
{
	CURLMsg *m;
	int left;

	curl_multi_perform(d->multi, &left);
	while ((m = curl_multi_info_read(d->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		struct sd *sd = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &sd);
		if (sd_http_done(sd, d->multi, d->tokens, code))
			refreshed(sd);
	}
}

static void step(struct discovery *d)
{
	int64_t now_ms = clock_mono_ms(d->options.clock);

	drain_inotify(d);
	watch_again(d, now_ms);
	for (size_t i = 0; i < d->n; i++) {
		struct sd *sd = d->v[i];

		if (sd->running == NULL && sd->due_mono_ms <= now_ms)
			refresh(sd);
		if (sd->running != NULL && sd->config->kind == SCRAPE_SD_DNS && sd_dns_step(sd))
			refreshed(sd);
	}
	finish_http(d);
	if (d->changed)
		d->options.changed(d->options.ctx);
	d->changed = false;
}

struct waiting {
	struct curl_waitfd fds[FDS_MAX];
	unsigned n;
	int ms;
};

static void plan_wait(const struct discovery *d, struct waiting *w)
{
	int64_t now_ms = clock_mono_ms(d->options.clock), ms = IDLE_MS;

	w->n = 0;
	if (d->inotify_fd >= 0)
		w->fds[w->n++] = (struct curl_waitfd){ .fd = d->inotify_fd, .events = CURL_WAIT_POLLIN };
	for (size_t i = 0; i < d->n; i++) {
		const struct sd *sd = d->v[i];

		if (sd->running != NULL && sd->config->kind == SCRAPE_SD_DNS) {
			w->n += (unsigned)sd_dns_fds(sd, w->fds + w->n, FDS_MAX - w->n);
			ms = ms < BUSY_MS ? ms : BUSY_MS;
		} else if (sd->running == NULL && sd->due_mono_ms - now_ms < ms) {
			ms = sd->due_mono_ms - now_ms;
		}
	}
	w->ms = ms > 0 ? (int)ms : 0;
}

static void *run(void *arg)
{
	struct discovery *d = arg;
	struct waiting w;

	discovery_lock(d);
	while (!d->stop) {
		step(d);
		plan_wait(d, &w);
		discovery_unlock(d);
		curl_multi_poll(d->multi, w.fds, w.n, w.ms, NULL);
		discovery_lock(d);
	}
	discovery_unlock(d);
	return NULL;
}

bool discovery_start(struct discovery *d, struct err *e)
{
	int rc = pthread_create(&d->thread, NULL, run, d);

	if (rc != 0)
		return err_set(e, ERR_IO, -1, "cannot start the discovery thread: %s", strerror(rc));
	d->running = true;
	return true;
}
