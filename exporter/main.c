/* tocsin-exporter: reads its flags and configuration, serves HTTP, and waits for signals. The main thread alone loads
 * configurations; POST /-/reload hands its request over to it. Signals have a thread of their own, which also sees to it that the
 * end comes: a source may hang in a call that nothing interrupts, a file on a server that is gone. */
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "explain.h"
#include "once.h"
#include "page.h"
#include "publish.h"
#include "sd.h"
#include "sources.h"
#include "tocsin/flags.h"
#include "tocsin/log.h"
#include "tocsin/version.h"

#define DEFAULT_ADDRESS "127.0.0.1:9977"
#define RELOADS_MAX 16
#define ARENAS 2                        /* of malloc: by default each thread has its own, and keeps what it once needed */
#define SWEEP_MS 1000                   /* how often idle targets and new certificates are looked for */
#define STOP_MS 10000                   /* what an orderly end may take */

struct exporter {
	const char *config_path;                /* NULL: the environment */
	const char *telemetry_path;
	const char *web_config_path;            /* NULL: none */
	struct http_web_config *web;
	struct publisher *publisher;
	struct sd *sd;
	struct http_server *server;
	bool ready;                             /* atomic */

	bool stop;                              /* atomic: SIGTERM or SIGINT has come */
	int wake_fd;                            /* counts signals, and requests in <reloads> */
	pthread_mutex_t lock;
	struct http_request *reloads[RELOADS_MAX];
	size_t n_reloads;
};

struct options {
	struct str config_file, telemetry_path, web_config_file, log_level, log_format;
	struct flag_list listen, hosts;
	bool check_config, dry_run, explain, version, help;
};

/* ---- Configuration ---- */

/* Without the lines of the file: logs and pages are read by more people than the file is. */
static void put_brief(const struct conf_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct conf_diag *d = &report->v[i];

		buf_puts(out, d->file);
		if (d->line > 0)
			buf_printf(out, ":%d:%d", d->line, d->col);
		buf_printf(out, "%s%s" STR_FMT "\n", d->file.n > 0 ? ": " : "", d->warning ? "warning: " : "", STR_ARG(d->message));
	}
}

/* Both files; false when either is bad. <*web> is NULL without one. */
static bool load(const struct exporter *x, struct sources **c, struct http_web_config **web, struct conf_report *report)
{
	*c = x->config_path != NULL ? sources_load(x->config_path, report) : sources_load_environment(getenv, report);
	*web = x->web_config_path != NULL ? http_web_config_load(x->web_config_path, report) : NULL;
	return report->n_errors == 0;
}

/* Before the server is there, <web> waits in <x>. */
static bool use_web(struct exporter *x, struct http_web_config *web, struct conf_report *report)
{
	struct err e = { 0 };

	if (x->server != NULL && web != NULL && !http_server_set_web(x->server, web, &e))
		return conf_error_in(report, str_of(x->web_config_path), "%s", e.msg);
	http_web_config_unref(x->web);
	x->web = web;
	return true;
}

static void use_sources(struct exporter *x, struct sources *c)
{
	publisher_apply(x->publisher, c);
	sd_apply(x->sd, c);
	if (c->n == 0 && c->n_modules == 0)
		log_event(LOG_WARN, "nothing is watched: give --config.file, or set DATABASE_URL, REDIS_URL or CELERY_BROKER_URL", NULL);
	log_printf(LOG_INFO, "configuration loaded: %zu sources", c->n);
}

/* At the start and later. False when what is on disk is bad: then everything goes on as it was, and <messages> say why. */
static bool reload(struct exporter *x, struct buf *messages)
{
	struct conf_report report = { 0 };
	struct http_web_config *web;
	struct sources *c;
	bool ok = load(x, &c, &web, &report) && use_web(x, web, &report);

	put_brief(&report, messages);
	publisher_note_load(x->publisher, ok, buf_str(messages));
	if (ok) {
		if (report.n_warnings > 0)
			log_event(LOG_WARN, "configuration", "warnings", buf_z(messages), NULL);
		use_sources(x, c);
	} else {
		log_event(LOG_ERROR, x->server != NULL ? "configuration not loaded: what ran goes on" : "configuration not loaded", "err",
		    buf_z(messages), NULL);
		http_web_config_unref(web);
	}
	if (c != NULL)
		sources_unref(c);
	conf_report_fini(&report);
	return ok;
}

/* Certificates are replaced without anybody saying so. */
static void follow_web(struct exporter *x)
{
	struct conf_report report = { 0 };
	struct buf messages = { 0 };

	if (http_server_follow_web(x->server, &report)) {
		put_brief(&report, &messages);
		if (report.n_errors > 0)
			log_event(LOG_ERROR, "web configuration has changed and is not loaded: the old one stays", "err",
			    buf_z(&messages), NULL);
		else
			log_event(LOG_INFO, "web configuration has changed and is loaded", NULL);
	}
	buf_fini(&messages);
	conf_report_fini(&report);
}

/* ---- What is done instead of running ---- */

static bool print_checked(const struct exporter *x, struct sources *c, struct buf *out)
{
	buf_printf(out, "%s: %zu sources, no errors\n", x->config_path != NULL ? x->config_path : "environment", c->n);
	return true;
}

static bool print_explained(const struct exporter *x, struct sources *c, struct buf *out)
{
	(void)x;
	explain_sources(out, c);
	return true;
}

static bool print_collected(const struct exporter *x, struct sources *c, struct buf *out)
{
	size_t failed = once_collect(c, &clock_system, out);

	(void)x;
	if (failed > 0)
		fprintf(stderr, "tocsin-exporter: %zu of %zu sources could not be read in full\n", failed, c->n);
	return failed == 0;
}

/* Says everything that is wrong with the configuration, then what <print> has to say. */
static int with_config(const struct exporter *x, bool (*print)(const struct exporter *, struct sources *, struct buf *))
{
	struct buf messages = { 0 }, out = { 0 };
	struct conf_report report = { 0 };
	struct http_web_config *web;
	struct sources *c;
	bool ok = load(x, &c, &web, &report);

	conf_report_print(&report, &messages);
	conf_report_fini(&report);
	fputs(buf_z(&messages), stderr);
	ok = ok && print(x, c, &out);
	fputs(buf_z(&out), stdout);
	buf_fini(&messages);
	buf_fini(&out);
	http_web_config_unref(web);
	if (c != NULL)
		sources_unref(c);
	return ok ? 0 : 1;
}

/* ---- HTTP ---- */

static void handle_index(struct http_request *q)
{
	const struct exporter *x = q->ctx;
	struct publisher_state s = publisher_state(x->publisher, q->arena);
	struct buf page = { 0 };

	page_put(&page, &s, x->telemetry_path);
	http_reply_buf(q, 200, "text/html; charset=utf-8", &page);
	buf_fini(&page);
}

static void handle_healthy(struct http_request *q)
{
	http_reply_text(q, 200, "healthy\n");
}

static void handle_ready(struct http_request *q)
{
	const struct exporter *x = q->ctx;
	bool ready = __atomic_load_n(&x->ready, __ATOMIC_ACQUIRE);

	http_reply_text(q, ready ? 200 : 503, ready ? "ready\n" : "starting\n");
}

static void handle_reload(struct http_request *q)
{
	struct exporter *x = q->ctx;
	const uint64_t one = 1;
	bool taken;

	pthread_mutex_lock(&x->lock);
	taken = x->n_reloads < RELOADS_MAX;
	if (taken) {
		http_suspend(q);
		x->reloads[x->n_reloads++] = q;
	}
	pthread_mutex_unlock(&x->lock);
	if (!taken)
		http_reply_text(q, 503, "%d reloads are waiting already\n", RELOADS_MAX);
	else if (write(x->wake_fd, &one, sizeof one) != sizeof one)
		abort();
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/", handle_index, 0, 0, NULL },
	{ HTTP_GET, "/-/healthy", handle_healthy, 0, 0, "200 while the exporter runs" },
	{ HTTP_GET, "/-/ready", handle_ready, 0, 0, "200 when the sources are known" },
	{ HTTP_POST | HTTP_PUT, "/-/reload", handle_reload, HTTP_CHANGES, 1 << 16, "reads the configuration again" },
};

static bool serve(struct exporter *x, const struct options *o, struct err *e)
{
	const struct str fallback = STR(DEFAULT_ADDRESS);
	struct http_options h = { .listen = o->listen.n ? o->listen.v : &fallback, .n_listen = o->listen.n ? o->listen.n : 1,
	    .web = x->web, .hosts = o->hosts.v, .n_hosts = o->hosts.n };

	x->server = http_server_new();
	sd_add_routes(x->sd, x->server);
	http_server_add(x->server, routes, ARRAY_LEN(routes), x);
	if (!publisher_add_routes(x->publisher, x->server, x->telemetry_path))
		return err_set(e, ERR_BAD_INPUT, -1, "--web.telemetry-path: %s is another page here", x->telemetry_path);
	if (!http_server_start(x->server, &h, e))
		return false;
	for (size_t i = 0; i < h.n_listen; i++)
		log_printf(LOG_INFO, "listening on " STR_FMT, STR_ARG(http_server_address(x->server, i)));
	return true;
}

/* ---- Waiting ---- */

static void answer_reloads(struct exporter *x)
{
	struct http_request *asked[RELOADS_MAX];
	struct buf messages = { 0 };
	size_t n;
	bool ok;

	pthread_mutex_lock(&x->lock);
	n = x->n_reloads;
	memcpy(asked, x->reloads, n * sizeof *asked);
	x->n_reloads = 0;
	pthread_mutex_unlock(&x->lock);
	ok = reload(x, &messages);
	for (size_t i = 0; i < n; i++)
		http_reply(asked[i], ok ? 200 : 500, "text/plain; charset=utf-8", ok ? STR("reloaded\n") : buf_str(&messages));
	buf_fini(&messages);
}

/* Until SIGTERM or SIGINT. */
static void wait_for_signals(struct exporter *x)
{
	struct pollfd p = { .fd = x->wake_fd, .events = POLLIN };
	uint64_t count;

	while (!__atomic_load_n(&x->stop, __ATOMIC_ACQUIRE)) {
		if (poll(&p, 1, SWEEP_MS) < 0) {
			assert(errno == EINTR);
			continue;
		}
		publisher_sweep(x->publisher);
		follow_web(x);
		if (p.revents != 0 && read(x->wake_fd, &count, sizeof count) == sizeof count && !__atomic_load_n(&x->stop,
		    __ATOMIC_ACQUIRE))
			answer_reloads(x);
	}
}

static sigset_t our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

static void leave_behind(void)
{
	int64_t end = clock_mono_ms(&clock_system) + STOP_MS;

	for (int64_t left = STOP_MS; left > 0; left = end - clock_mono_ms(&clock_system))
		poll(NULL, 0, (int)left);
	log_event(LOG_ERROR, "no orderly end within the time for one", NULL);
	_exit(1);
}

static void *signals_thread(void *arg)
{
	const sigset_t set = our_signals();
	struct exporter *x = arg;
	const uint64_t one = 1;
	ssize_t n;
	int got;

	do {
		got = sigwaitinfo(&set, NULL);
		if (got == SIGTERM || got == SIGINT) {
			log_printf(LOG_INFO, "stopping: %s", strsignal(got));
			__atomic_store_n(&x->stop, true, __ATOMIC_RELEASE);
		}
		n = got > 0 ? write(x->wake_fd, &one, sizeof one) : 0;
		(void)n;                                /* it counts to 2^64 */
	} while (got != SIGTERM && got != SIGINT);
	leave_behind();
	return NULL;
}

/* Blocked in every other thread. */
static void take_signals(struct exporter *x)
{
	const sigset_t set = our_signals();
	pthread_attr_t attr;
	pthread_t thread;
	int failed;

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &attr, signals_thread, x);
	pthread_attr_destroy(&attr);
	if (failed == 0)
		return;
	log_event(LOG_ERROR, "no thread for signals", "err", strerror(failed), NULL);
	abort();
}

/* False when a source hangs. */
static bool stop(struct exporter *x)
{
	bool all;

	if (x->server != NULL)
		http_server_stop(x->server);
	all = publisher_free(x->publisher);
	sd_free(x->sd);
	if (x->server != NULL)
		http_server_free(x->server);
	for (size_t i = 0; i < x->n_reloads; i++)
		http_reply_text(x->reloads[i], 503, "stopping\n");
	http_web_config_unref(x->web);
	pthread_mutex_destroy(&x->lock);
	return all;
}

static int run(struct exporter *x, const struct options *o)
{
	struct buf messages = { 0 };
	struct err e = { 0 };
	int status = 1;

	x->wake_fd = eventfd(0, EFD_CLOEXEC);
	assert(x->wake_fd >= 0);
	take_signals(x);
	pthread_mutex_init(&x->lock, NULL);
	x->publisher = publisher_new(&clock_system);
	x->sd = sd_new(&clock_system);
	if (!reload(x, &messages)) {
		fputs(buf_z(&messages), stderr);
	} else if (!serve(x, o, &e)) {
		log_event(LOG_ERROR, "cannot serve", "err", e.msg, NULL);
	} else {
		__atomic_store_n(&x->ready, true, __ATOMIC_RELEASE);
		wait_for_signals(x);
		status = 0;
	}
	buf_fini(&messages);
	if (!stop(x))
		_exit(1);               /* it could come back while what is global is taken down */
	return status;
}

/* ---- Command line ---- */

#define N_FLAGS 12

static void list_flags(struct options *o, struct flag f[N_FLAGS])
{
	const struct flag flags[N_FLAGS] = {
		{ "config.file", FLAG_TEXT, &o->config_file, NULL, "FILE",
		    "Sources to read. Without it DATABASE_URL, REDIS_URL and CELERY_BROKER_URL "
		  "name one each." },
		{ "web.listen-address", FLAG_LIST, &o->listen, NULL, "ADDRESS",
		    "Where to serve. (default: " DEFAULT_ADDRESS ")" },
		{ "web.host", FLAG_LIST, &o->hosts, NULL, "NAME", "Further name under which a reload may be asked for." },
		{ "web.telemetry-path", FLAG_TEXT, &o->telemetry_path, "/metrics", "PATH", "Where the metrics are." },
		{ "web.config.file", FLAG_TEXT, &o->web_config_file, NULL, "FILE",
		    "TLS and users, in the format of Prometheus's exporters." },
		{ "log.level", FLAG_TEXT, &o->log_level, "info", "LEVEL", "debug, info, warn or error." },
		{ "log.format", FLAG_TEXT, &o->log_format, "logfmt", "FORMAT", "logfmt or json." },
		{ "check-config", FLAG_SWITCH, &o->check_config, NULL, NULL, "Check the configuration and exit: 0 good, 1 bad." },
		{ "dry-run", FLAG_SWITCH, &o->dry_run, NULL, NULL,
		    "Read every source once, print the metrics and exit: 0 all well, 1 a source failed." },
		{ "explain", FLAG_SWITCH, &o->explain, NULL, NULL,
		    "Print what would be asked of each source, when, and what it needs; connects to nothing." },
		{ "version", FLAG_SWITCH, &o->version, NULL, NULL, "Print the version and exit." },
		{ "help", FLAG_SWITCH, &o->help, NULL, NULL, "Print this and exit." },
	};

	memcpy(f, flags, sizeof flags);
}

static int print_help(const struct flag *flags)
{
	struct buf out = { 0 };

	buf_putz(&out, "tocsin-exporter: metrics of Postgres, Redis, Celery, logs, files, the host, probes and business figures for "
	    "Prometheus\n\nFlags:\n");
	flags_print_help(&out, flags, N_FLAGS);
	buf_putz(&out, "\nConfiguration file (YAML; secrets may be ${VARIABLE}, or stand in a file named by KEY_file):\n");
	sources_print_help(&out);
	fputs(buf_z(&out), stdout);
	buf_fini(&out);
	return 0;
}

static bool set_up_log(const struct options *o, struct err *e)
{
	enum log_level level;
	enum log_format format;

	if (!log_level_parse(o->log_level, &level))
		return err_set(e, ERR_BAD_INPUT, -1, "--log.level " STR_FMT ": debug, info, warn or error", STR_ARG(o->log_level));
	if (!log_format_parse(o->log_format, &format))
		return err_set(e, ERR_BAD_INPUT, -1, "--log.format " STR_FMT ": logfmt or json", STR_ARG(o->log_format));
	log_setup(level, format);
	if (o->telemetry_path.n < 2 || o->telemetry_path.p[0] != '/' || strpbrk(o->telemetry_path.p, "?# ") != NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "--web.telemetry-path: a path such as /metrics");
	return true;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct exporter x = { 0 };
	struct flag flags[N_FLAGS];
	struct err e = { 0 };

	list_flags(&o, flags);
	if (!flags_parse(flags, N_FLAGS, argc, argv, NULL, &e) || !set_up_log(&o, &e) || !http_check_hosts(o.hosts.v, o.hosts.n, &e)) {
		fprintf(stderr, "tocsin-exporter: %s\n", e.msg);
		return 2;
	}
	if (o.help)
		return print_help(flags);
	if (o.version) {
		printf("tocsin-exporter %s (%s)\n", version_text(), version_compiler());
		return 0;
	}
	x.config_path = o.config_file.n > 0 ? o.config_file.p : NULL;
	x.telemetry_path = o.telemetry_path.p;
	x.web_config_path = o.web_config_file.n > 0 ? o.web_config_file.p : NULL;
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, ARENAS);
	if (o.check_config || o.explain || o.dry_run)
		return with_config(&x, o.check_config ? print_checked : o.explain ? print_explained : print_collected);
	return run(&x, &o);
}
