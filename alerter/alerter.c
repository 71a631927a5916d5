/* Putting the parts together, in the order of the data: store, scrape, rules, notify, API. Nothing on the left waits for anything on the
 * right. A reload parses and checks everything first and only then swaps; <lock> keeps two reloads apart. */
#include "alerter.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "config.h"
#include "keeper.h"
#include "ordered_sink.h"
#include "page_metrics.h"
#include "settling.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

enum { RULE_WORKERS = 2 };

struct alerter {
	struct alerter_options options;
	struct arena arena;                     /* lives as long as the program */
	struct str external_url;
	int lock_fd;                            /* on the storage folder */
	struct config *config;
	_Atomic int64_t evaluation_interval_ms; /* of <config>, for whom must not wait for a reload */
	struct http_web_config *web;
	struct store *store;
	struct appender *appenders[RULE_WORKERS];
	struct notify *notify;
	struct ordered_sink sink;
	struct rules *rules;
	struct scrape_loop *scrape;
	struct api *api;
	struct http_server *http;
	atomic_int_least64_t rules_ms;          /* rules began, or were exchanged, then */
	struct clock_skew skew;                 /* of notify's thread, as the next two */
	int64_t looked_ms;
	struct settling settling;
	struct keeper *keeper;
	struct page_metrics *page_metrics;
	pthread_mutex_t lock;                   /* the rest */
	bool ready, reload_good;
	int64_t start_ms, reload_ms;
	struct str reload_problem;              /* in the arena */
};

/* ---- What the API asks of us. ---- */

static void get_state(void *ctx, struct api_state *out)
{
	struct alerter *al = ctx;

	pthread_mutex_lock(&al->lock);
	*out = (struct api_state){ al->ready, al->reload_good, al->reload_ms, al->start_ms, al->reload_problem };
	pthread_mutex_unlock(&al->lock);
}

static bool reload_for_api(void *ctx, struct buf *said)
{
	return alerter_reload(ctx, said);
}

static void get_config_text(void *ctx, struct buf *out)
{
	struct alerter *al = ctx;

	pthread_mutex_lock(&al->lock);
	buf_puts(out, buf_str(&al->config->redacted));
	pthread_mutex_unlock(&al->lock);
}

static struct labels get_external_labels(void *ctx, struct arena *a)
{
	struct alerter *al = ctx;
	struct labels copy;

	pthread_mutex_lock(&al->lock);
	copy = labels_copy(a, al->config->external_labels);
	pthread_mutex_unlock(&al->lock);
	return copy;
}

static void get_alertmanager_config_text(void *ctx, struct buf *out)
{
	struct alerter *al = ctx;

	pthread_mutex_lock(&al->lock);
	buf_puts(out, buf_str(&al->config->alertmanager_redacted));
	pthread_mutex_unlock(&al->lock);
}

/* ---- Loading. ---- */

static struct config *load_config(const struct alerter_options *o, struct conf_report *report)
{
	const struct config_options options = {
		.path = o->config_file.p,
		.alertmanager_path = o->alertmanager_config_file.n > 0 ? o->alertmanager_config_file.p : NULL,
	};

	return config_load(&options, report);
}

/* [5m:] goes in steps of the evaluation interval. */
static struct promql_options promql_options(const struct alerter *al, const struct config *c)
{
	struct promql_options o = al->options.promql;

	o.subquery_step_ms = c->global.evaluation_interval_ms;
	return o;
}

static struct rules_plan *load_rules(struct alerter *al, const struct config *c, struct conf_report *report)
{
	const struct rules_options options = {
		.interval_ms = c->global.evaluation_interval_ms,
		.query_offset_ms = c->global.rule_query_offset_ms,
		.settle_ms = settling_longest_ms(&c->scrape, c->global.evaluation_interval_ms),
		.defaults = c->rule_defaults,
		.external_labels = c->external_labels,
		.external_url = al->external_url,
		.promql = promql_options(al, c),
	};

	return rules_plan_new(al->rules, &options, c->rule_files.v, c->rule_files.n, report);
}

static void print_report(const struct conf_report *report)
{
	struct buf b = { 0 };

	conf_report_print(report, &b);
	fputs(buf_z(&b), stderr);
	buf_fini(&b);
}

static void log_report(const struct conf_report *report)
{
	char where[32];

	for (size_t i = 0; i < report->n; i++) {
		const struct conf_diag *d = &report->v[i];
		char *file = mem_strndup(d->file.p, d->file.n), *text = mem_strndup(d->message.p, d->message.n);

		snprintf(where, sizeof where, "%d:%d", d->line, d->col);
		log_event(d->warning ? LOG_WARN : LOG_ERROR, text, "file", file, "at", where, NULL);
		free(text);
		free(file);
	}
}

/* ---- Rules that are no more: their alerts end. ---- */

static struct str *rule_keys(struct arena *a, const struct rules_snapshot *s, size_t *n)
{
	struct str *keys;
	size_t total = 0;

	for (size_t g = 0; g < s->n_groups; g++)
		total += s->groups[g]->n_rules;
	keys = ARENA_ARRAY(a, total + 1, struct str);
	*n = 0;
	for (size_t g = 0; g < s->n_groups; g++)
		for (size_t r = 0; r < s->groups[g]->n_rules; r++)
			keys[(*n)++] = s->groups[g]->rules[r].id->key;
	return keys;
}

static void sort_files(struct arena *a, const struct rules_snapshot *s, bool starting, struct notify_known *known)
{
	struct str *files = ARENA_ARRAY(a, s->n_files + 1, struct str), *unread = ARENA_ARRAY(a, s->n_files + 1, struct str);
	struct notify_rule_problem *problems = ARENA_ARRAY(a, s->n_files + 1, struct notify_rule_problem);

	for (size_t i = 0; i < s->n_files; i++) {
		const struct rule_file_view *f = &s->files[i];

		if (f->loaded)
			files[known->n_files++] = f->path;
		else if (!f->gone)
			unread[known->n_unread++] = f->path;
		if (f->problem.n > 0)
			problems[known->n_problems++] = (struct notify_rule_problem){ f->path, f->problem, f->loaded };
	}
	known->files = starting ? files : NULL;
	known->unread = unread;
	known->problems = problems;
}

/* At the start a file that is missing may be back in a moment: only rules missing from files that were read are gone then. */
static void tell_known_rules(struct alerter *al, bool starting)
{
	const struct rules_snapshot *s = rules_snapshot_get(al->rules);
	struct notify_known known = { 0 };
	struct arena a = { 0 };

	known.keys = rule_keys(&a, s, &known.n_keys);
	sort_files(&a, s, starting, &known);
	notify_rules_known(al->notify, &known);
	rules_snapshot_release(s);
	arena_fini(&a);
}

/* ---- Whether rules are evaluated. ---- */

#define LATE_INTERVALS 3
#define LATE_LEAST_MS 5000

/* A group that is late by several intervals: evaluation hangs, or takes longer than it may. */
static const struct rule_group_view *late_group(struct alerter *al, const struct rules_snapshot *s)
{
	int64_t now_ms = clock_now_ms(&clock_system);

	/* What passed was no time, or not ours: it is counted anew from there. */
	if (clock_step_ms(&al->skew, &clock_system) != 0 || clock_leapt(&al->looked_ms, &clock_system))
		atomic_store(&al->rules_ms, now_ms);
	for (size_t i = 0; i < s->n_groups; i++) {
		const struct rule_group_view *g = s->groups[i];
		int64_t since_ms = atomic_load(&al->rules_ms), last_ms = g->last_evaluation_ms;
		int64_t most_ms = LATE_INTERVALS * g->interval_ms + LATE_LEAST_MS;

		if (last_ms < since_ms || last_ms > now_ms)     /* in the future: the clock has been set back since */
			last_ms = since_ms;
		if (now_ms - last_ms > most_ms)
			return g;
	}
	return NULL;
}

struct health {
	size_t n, unknown, failing;     /* rules */
	const struct rule_view *one;    /* that fails */
};

/* A rule that returned more than its group's limit was evaluated all the same. */
static struct health health_of(const struct rules_snapshot *s)
{
	struct health h = { 0 };

	for (size_t i = 0; i < s->n_groups; i++)
		for (size_t k = 0; k < s->groups[i]->n_rules; k++) {
			const struct rule_view *r = &s->groups[i]->rules[k];

			h.n++;
			h.unknown += r->health == RULE_HEALTH_UNKNOWN;
			if (r->health != RULE_HEALTH_ERR || r->n_over_limit > 0)
				continue;
			h.failing++;
			h.one = r;
		}
	return h;
}

static enum notify_evaluates rules_are_evaluated(void *ctx, struct err *why)
{
	struct alerter *al = ctx;
	const struct rules_snapshot *s = rules_snapshot_get(al->rules);
	const struct rule_group_view *late = late_group(al, s);
	const struct health h = health_of(s);
	enum notify_evaluates now = h.unknown == 0 ? EVALUATION_WORKS : h.failing + h.unknown < h.n ? EVALUATION_BEGINS : EVALUATION_UNKNOWN;

	if (late != NULL)
		err_set(why, ERR_TIMEOUT, -1, "group " STR_FMT " of " STR_FMT " was not evaluated for more than %d intervals",
		        STR_ARG(late->name), STR_ARG(late->file), LATE_INTERVALS);
	else if (h.n > 0 && h.failing == h.n)
		err_set(why, ERR_EXEC, -1, "every rule fails; " STR_FMT ": " STR_FMT, STR_ARG(h.one->id->name), STR_ARG(h.one->last_error));
	rules_snapshot_release(s);
	return why->code == ERR_NONE ? now : EVALUATION_FAILS;
}

/* ---- What a reload has to say: true, and the same everywhere. ---- */

enum { SAID_MAX = 20 };

static void put_mistakes(struct buf *out, const struct conf_report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->n; i++) {
		const struct conf_diag *d = &report->v[i];

		if (d->warning || n++ >= SAID_MAX)
			continue;
		buf_puts(out, d->file);
		if (d->line > 0)
			buf_printf(out, ":%d:%d", d->line, d->col);
		buf_printf(out, ": " STR_FMT "\n", STR_ARG(d->message));
	}
	if (n > SAID_MAX)
		buf_printf(out, "and %zu more\n", n - SAID_MAX);
}

/* Which files are not in use as they are, then which are. False when there is one of the former. */
static bool say_rules(struct alerter *al, const struct conf_report *report, struct buf *out)
{
	const struct rules_snapshot *s = rules_snapshot_get(al->rules);
	size_t n_taken = 0;

	buf_printf(out, "%zu mistake(s) in rule files\n", report->n_errors);
	put_mistakes(out, report);
	for (size_t i = 0; i < s->n_files; i++) {
		if (s->files[i].problem.n > 0)
			buf_printf(out, STR_FMT ": %s\n", STR_ARG(s->files[i].path), s->files[i].loaded ? "its last good version is in use" : "none of its rules is in use");
		n_taken += s->files[i].problem.n == 0;
	}
	buf_printf(out, "In use as they are: " STR_FMT, STR_ARG(al->options.config_file));
	for (size_t i = 0, n = 0; i < s->n_files && n < SAID_MAX; i++)
		if (s->files[i].problem.n == 0 && n++ < SAID_MAX)
			buf_printf(out, ", " STR_FMT, STR_ARG(s->files[i].path));
	if (n_taken > SAID_MAX)
		buf_printf(out, " and %zu rule files more", n_taken - SAID_MAX);
	buf_putz(out, "\n");
	rules_snapshot_release(s);
	return report->n_errors == 0;
}

/* The first line: the others have been logged with their places. */
static void log_said(const char *what, const struct buf *said)
{
	char *line = mem_strndup(said->p, str_chr(buf_str(said), '\n'));

	log_event(LOG_ERROR, what, "err", line, NULL);
	free(line);
}

/* <said> after <how>, then each mistake with its line. */
static void note_reload(struct alerter *al, bool good, const char *how, const struct buf *said, const struct conf_report *report)
{
	struct buf b = { 0 };

	if (!good) {
		buf_printf(&b, "%s" STR_FMT, how, STR_ARG(buf_str(said)));
		conf_report_print(report, &b);
	}
	al->reload_good = good;
	if (good)
		al->reload_ms = clock_now_ms(&clock_system);
	if (!str_eq(al->reload_problem, buf_str(&b)))   /* the page may be reading the one before: it is not freed */
		al->reload_problem = arena_str(&al->arena, buf_str(&b));
	buf_fini(&b);
}

/* ---- Start. ---- */

static struct str default_url(struct arena *a, struct str address, bool tls)
{
	size_t colon = address.n;
	char host[256] = "localhost";

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	gethostname(host, sizeof host - 1);
	return arena_printf(a, "http%s://%s:" STR_FMT, tls ? "s" : "", host, (int)(address.n - colon), address.p + colon);
}

static bool make_folder(struct str path, struct err *e)
{
	if (mkdir(path.p, 0750) == 0 || errno == EEXIST)
		return true;
	return err_set(e, ERR_IO, -1, "cannot make the folder " STR_FMT ": %s", STR_ARG(path), strerror(errno));
}

/* Two alerters on one state would tell everything twice. The kernel lets go of the lock however we end. */
static bool lock_folder(struct alerter *al, struct err *e)
{
	struct str path = arena_printf(&al->arena, STR_FMT "/lock", STR_ARG(al->options.storage_path));

	al->lock_fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (al->lock_fd < 0)
		return err_set(e, ERR_IO, -1, "cannot open " STR_FMT ": %s", STR_ARG(path), strerror(errno));
	if (flock(al->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	return err_set(e, ERR_IO, -1, STR_FMT " is locked: another tocsin-alerter uses this --storage.path", STR_ARG(path));
}

static const char *database_path(struct alerter *al)
{
	return arena_printf(&al->arena, STR_FMT "/alerts.db", STR_ARG(al->options.storage_path)).p;
}

static bool open_state(struct alerter *al, struct err *e)
{
	const struct notify_point_source *points;
	size_t n_points;
	struct notify_options options = { .clock = &clock_system, .external_url = arena_strz(&al->arena, al->external_url),
		                          .resend_delay_ms = al->options.resend_delay_ms, .rules_run = true };

	if (!make_folder(al->options.storage_path, e) || !lock_folder(al, e))
		return false;
	options.key_path = arena_printf(&al->arena, STR_FMT "/links.key", STR_ARG(al->options.storage_path)).p;
	options.database_path = database_path(al);
	al->page_metrics = page_metrics_new(store_querier(al->store), &clock_system);
	n_points = notify_config_points(al->config->notify, &points);
	page_metrics_configure(al->page_metrics, points, n_points);
	al->notify = notify_open(&options, config_take_notify(al->config), e);
	if (al->notify != NULL)
		page_metrics_start(al->page_metrics, al->notify);
	return al->notify != NULL;
}

static void make_rules(struct alerter *al)
{
	struct rules_deps deps = {
		.querier = store_querier(al->store),
		.appenders = al->appenders,
		.n_appenders = RULE_WORKERS,
		.sink = &al->sink.sink,
		.clock = &clock_system,
		.kept_path = arena_printf(&al->arena, STR_FMT "/rules.json", STR_ARG(al->options.storage_path)).p,
	};

	ordered_sink_init(&al->sink, notify_sink(al->notify), al->store);
	for (size_t i = 0; i < RULE_WORKERS; i++)
		al->appenders[i] = store_appender_new(al->store);
	al->rules = rules_new(&deps);
}

static uint64_t offset_seed(const struct config *c)
{
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	return str_hash(str_of(host)) ^ labels_hash(c->external_labels);
}

static void on_scraped(void *ctx, struct labels target, bool up, int64_t t_ms)
{
	struct alerter *al = ctx;

	if (up)
		rules_on_scrape(al->rules, target, t_ms);
}

/* Alertmanagers that alerts are sent to. */
static void on_found(void *ctx, const void *finders_of, size_t i, const struct scrape_static *groups, size_t n)
{
	struct alerter *al = ctx;
	struct arena a = { 0 };
	struct notify_found_group *v = ARENA_ARRAY(&a, n + 1, struct notify_found_group);

	for (size_t k = 0; k < n; k++)
		v[k] = (struct notify_found_group){ groups[k].targets.v, groups[k].targets.n, groups[k].labels.v, groups[k].labels.n };
	notify_managers_found(al->notify, finders_of, i, v, n);
	arena_fini(&a);
}

static bool start_scraping(struct alerter *al, struct err *e)
{
	const struct scrape_options options = {
		.store = al->store,
		.clock = &clock_system,
		.offset_seed = offset_seed(al->config),
		.type_and_unit = (al->options.promql.features & PROMQL_TYPE_AND_UNIT_LABELS) != 0,
		.scraped = on_scraped,
		.found = on_found,
		.ctx = al,
	};

	al->scrape = scrape_new(&options);
	scrape_reload(al->scrape, &al->config->scrape);
	return scrape_start(al->scrape, e);
}

static struct http_options http_options(struct alerter *al)
{
	struct str *hosts = ARENA_ARRAY(&al->arena, al->options.hosts.n + 1, struct str);

	hosts[0] = http_url_host(al->external_url);     /* browsers may find us there */
	for (size_t i = 0; i < al->options.hosts.n; i++)
		hosts[i + 1] = al->options.hosts.v[i];
	return (struct http_options){ .listen = al->options.listen.v, .n_listen = al->options.listen.n, .web = al->web,
		                      .hosts = hosts, .n_hosts = al->options.hosts.n + 1 };
}

/* Before anything is sent: a second alerter that finds the port taken must have told nobody. */
static bool bind_http(struct alerter *al, struct err *e)
{
	const struct http_options options = http_options(al);

	al->http = http_server_new();
	return http_server_bind(al->http, &options, e);
}

static bool start_http(struct alerter *al, struct err *e)
{
	const struct api_deps deps = {
		.store = al->store,
		.scrape = al->scrape,
		.rules = al->rules,
		.notify = al->notify,
		.clock = &clock_system,
		.promql = al->options.promql,
		.evaluation_interval_ms = &al->evaluation_interval_ms,
		.external_url = al->external_url,
		.flags = al->options.flags,
		.n_flags = al->options.n_flags,
		.max_concurrency = al->options.max_concurrency,
		.admin = al->options.admin_api,
		.state = get_state,
		.reload = reload_for_api,
		.config_text = get_config_text,
		.external_labels = get_external_labels,
		.alertmanager_config_text = get_alertmanager_config_text,
		.ctx = al,
	};
	const struct http_options options = http_options(al);

	al->api = api_new(&deps);
	api_attach(al->api, al->http);
	return http_server_start(al->http, &options, e);
}

/* What is wrong in the configuration is found before anything is opened. Rule files come later: one that is bad keeps nobody from starting. */
static bool read_files(struct alerter *al)
{
	struct conf_report report = { 0 };
	bool good;

	if (al->options.web_config_file.n > 0)
		al->web = http_web_config_load(al->options.web_config_file.p, &report);
	al->config = load_config(&al->options, &report);
	if (al->config != NULL)
		atomic_store(&al->evaluation_interval_ms, al->config->global.evaluation_interval_ms);
	good = report.n_errors == 0;
	print_report(&report);
	conf_report_fini(&report);
	return good;
}

static void start_rules(struct alerter *al)
{
	struct conf_report report = { 0 };
	struct buf said = { 0 };

	make_rules(al);
	rules_apply(al->rules, load_rules(al, al->config, &report));
	tell_known_rules(al, true);
	log_report(&report);
	if (!say_rules(al, &report, &said)) {
		note_reload(al, false, "Started without all rules: ", &said, &report);
		log_said("started without all rules", &said);
	}
	buf_fini(&said);
	conf_report_fini(&report);
}

static bool start_parts(struct alerter *al, struct err *e)
{
	const struct store_options store_options = { .retention_ms = al->options.retention_ms,
		                                     .lookback_ms = al->options.promql.lookback_ms,
		                                     .has_no_past = access(database_path(al), F_OK) != 0,
		                                     .retention_bytes = (size_t)al->options.retention_bytes,
		                                     .clock = &clock_system };

	if (!bind_http(al, e))
		return false;
	al->store = store_new(&store_options);
	store_set_late_window(al->store, al->config->storage.late_window_ms);
	store_set_max_exemplars(al->store, (size_t)al->config->storage.max_exemplars);
	if (!open_state(al, e) || !store_open_history(al->store, al->options.storage_path.p, e) ||
	    !store_open_journal(al->store, al->options.storage_path.p, e))
		return false;
	start_rules(al);
	if (!start_scraping(al, e) || !start_http(al, e))
		return false;
	atomic_store(&al->rules_ms, clock_now_ms(&clock_system));
	rules_start(al->rules);
	notify_watch_evaluation(al->notify, rules_are_evaluated, al);
	al->settling = (struct settling){ .scrape = al->scrape, .rules = al->rules };
	notify_watch_rules(al->notify, settling_is_over, &al->settling,
	                   settling_longest_ms(&al->config->scrape, al->config->global.evaluation_interval_ms));
	al->keeper = keeper_start(al->store, e);
	return al->keeper != NULL;
}

struct alerter *alerter_start(const struct alerter_options *o)
{
	struct alerter *al = mem_alloc(sizeof *al);
	struct err e = { 0 };
	bool good;

	al->options = *o;
	al->lock_fd = -1;
	al->start_ms = al->reload_ms = clock_now_ms(&clock_system);
	al->reload_good = true;
	pthread_mutex_init(&al->lock, NULL);
	good = read_files(al);
	al->external_url = o->external_url.n > 0 ? arena_str(&al->arena, o->external_url)
						 : default_url(&al->arena, o->listen.v[0], http_web_config_has_tls(al->web));
	if (good && !start_parts(al, &e)) {
		fprintf(stderr, "tocsin-alerter: %s\n", e.msg);
		good = false;
	}
	if (!good) {
		alerter_stop(al);
		return NULL;
	}
	for (size_t i = 0; i < o->listen.n; i++)
		log_event(LOG_INFO, "listening", "address", http_server_address(al->http, i).p, NULL);
	pthread_mutex_lock(&al->lock);
	al->ready = true;
	pthread_mutex_unlock(&al->lock);
	return al;
}

/* ---- Reload. ---- */

static void swap(struct alerter *al, struct config *c, struct rules_plan *plan)
{
	struct config *old = al->config;

	const struct notify_point_source *points;
	size_t n_points = notify_config_points(c->notify, &points);

	store_set_late_window(al->store, c->storage.late_window_ms);
	store_set_max_exemplars(al->store, (size_t)c->storage.max_exemplars);
	scrape_reload(al->scrape, &c->scrape);
	page_metrics_configure(al->page_metrics, points, n_points);
	notify_configure(al->notify, config_take_notify(c));
	rules_apply(al->rules, plan);
	atomic_store(&al->rules_ms, clock_now_ms(&clock_system));
	al->config = c;
	atomic_store(&al->evaluation_interval_ms, c->global.evaluation_interval_ms);
	config_free(old);
	tell_known_rules(al, false);
}

/* Certificates and users: their own file, which fails or not by itself. */
static bool reload_web(struct alerter *al, struct conf_report *report, struct buf *said)
{
	struct http_web_config *web;
	struct err e = { 0 };
	bool ok;

	if (al->options.web_config_file.n == 0)
		return true;
	web = http_web_config_load(al->options.web_config_file.p, report);
	if (web == NULL) {
		buf_printf(said, "%zu mistake(s) in the web configuration; everything is unchanged\n", report->n_errors);
		put_mistakes(said, report);
		return false;
	}
	ok = http_server_set_web(al->http, web, &e);
	http_web_config_unref(web);
	if (!ok)
		buf_printf(said, "%s; everything is unchanged\n", e.msg);
	return ok;
}

static bool reload_locked(struct alerter *al, struct conf_report *report, struct buf *said)
{
	struct config *c = load_config(&al->options, report);

	if (c == NULL) {
		buf_printf(said, "%zu mistake(s) in the configuration; everything is unchanged\n", report->n_errors);
		put_mistakes(said, report);
		return false;
	}
	if (!reload_web(al, report, said)) {
		config_free(c);
		return false;
	}
	swap(al, c, load_rules(al, c, report));
	return say_rules(al, report, said);
}

bool alerter_reload(struct alerter *al, struct buf *said)
{
	struct conf_report report = { 0 };
	bool good;

	pthread_mutex_lock(&al->lock);
	good = reload_locked(al, &report, said);
	note_reload(al, good, "The last reload failed: ", said, &report);
	pthread_mutex_unlock(&al->lock);
	log_report(&report);
	if (good)
		log_event(LOG_INFO, "configuration reloaded", "file", al->options.config_file.p, NULL);
	else
		log_said("reload failed", said);
	conf_report_fini(&report);
	return good;
}

/* Certificates are replaced without anybody saying so. */
static void follow_web(struct alerter *al)
{
	struct conf_report report = { 0 };

	pthread_mutex_lock(&al->lock);
	if (http_server_follow_web(al->http, &report))
		log_event(report.n_errors > 0 ? LOG_ERROR : LOG_INFO, report.n_errors > 0 ?
		          "web configuration has changed and is not loaded: the old one stays" : "web configuration has changed and is loaded", NULL);
	pthread_mutex_unlock(&al->lock);
	log_report(&report);
	conf_report_fini(&report);
}

void alerter_maintain(struct alerter *al)
{
	follow_web(al);
}

/* ---- Stop: from the right to the left, so that nobody talks to a part that is gone. ---- */

void alerter_stop(struct alerter *al)
{
	struct err e = { 0 };

	keeper_stop(al->keeper);
	if (al->notify != NULL) {       /* it asks what goes next */
		notify_watch_rules(al->notify, NULL, NULL, 0);
		notify_watch_evaluation(al->notify, NULL, NULL);
	}
	if (al->http != NULL)
		http_server_stop(al->http);
	page_metrics_free(al->page_metrics);
	if (al->api != NULL)
		api_free(al->api);
	if (al->http != NULL)
		http_server_free(al->http);
	http_web_config_unref(al->web);
	if (al->scrape != NULL)
		scrape_free(al->scrape);
	if (al->rules != NULL)
		rules_free(al->rules);
	if (al->notify != NULL)
		notify_close(al->notify);
	for (size_t i = 0; i < RULE_WORKERS; i++)
		if (al->appenders[i] != NULL)
			store_appender_free(al->appenders[i]);
	if (al->store != NULL && !store_flush(al->store, &e))
		log_event(LOG_ERROR, "samples of the last hours are lost with this stop", "err", e.msg, NULL);
	store_free(al->store);
	config_free(al->config);
	if (al->lock_fd >= 0)
		close(al->lock_fd);
	pthread_mutex_destroy(&al->lock);
	arena_fini(&al->arena);
	free(al);
}
