/* tocsin-alerter: its command line, its signals. What runs is in alerter.c, what subcommands do in tool/. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "alerter.h"
#include "config.h"
#include "tocsin/http.h"
#include "tocsin/log.h"
#include "tocsin/process.h"
#include "tocsin/version.h"
#include "tool/tool.h"

enum {
	MAINTAIN_SECONDS = 30,
	MALLOC_ARENAS = 2,                      /* a storm of alerts goes from thread to thread; each would keep its own part of the memory */
	MALLOC_MMAP_BYTES = 256 * 1024,         /* larger pieces go back to the system when they are freed */
};

enum { MAX_CONCURRENCY = 64 };

struct settings {
	struct alerter_options alerter;
	struct str log_level, log_format;
	struct flag_list features;
	int64_t max_samples, max_concurrency;
	bool version, help;
};

static struct settings settings;

static const struct flag flags[] = {
	{ "config.file", FLAG_TEXT, &settings.alerter.config_file, "tocsin.yml", "FILE", "A tocsin.yml, or a prometheus.yml as it is." },
	{ "alertmanager.config.file", FLAG_TEXT, &settings.alerter.alertmanager_config_file, "", "FILE", "An alertmanager.yml to take route and receivers from." },
	{ "storage.path", FLAG_TEXT, &settings.alerter.storage_path, "data", "DIR", "Where alert state and the outbox are kept." },
	{ "storage.retention", FLAG_DURATION, &settings.alerter.retention_ms, "15d", "DURATION", "How long samples are kept." },
	{ "storage.retention.size", FLAG_BYTES, &settings.alerter.retention_bytes, "0B", "BYTES", "How much of the disk they may take; the oldest go first. 0B: no limit." },
	{ "rules.alert.resend-delay", FLAG_DURATION, &settings.alerter.resend_delay_ms, "1m", "DURATION", "How often Alertmanagers hear of an alert that fires on." },
	{ "web.listen-address", FLAG_LIST, &settings.alerter.listen, "127.0.0.1:9978", "ADDRESS", "Where to listen." },
	{ "web.config.file", FLAG_TEXT, &settings.alerter.web_config_file, "", "FILE", "TLS and users, as Prometheus's programs take them." },
	{ "web.enable-admin-api", FLAG_SWITCH, &settings.alerter.admin_api, NULL, NULL, "Lets samples be deleted over HTTP." },
	{ "web.external-url", FLAG_TEXT, &settings.alerter.external_url, "", "URL", "Where people reach this page; for links in messages." },
	{ "web.host", FLAG_LIST, &settings.alerter.hosts, NULL, "NAME", "Further name under which what changes something may be asked of us." },
	{ "query.lookback-delta", FLAG_DURATION, &settings.alerter.promql.lookback_ms, "5m", "DURATION", "How old the newest sample of a series may be." },
	{ "query.timeout", FLAG_DURATION, &settings.alerter.promql.limits.timeout_ms, "2m", "DURATION", "How long a query or a rule's evaluation may take." },
	{ "query.max-samples", FLAG_BYTES, &settings.max_samples, "50000000", "N", "How many samples one may hold at once." },
	{ "query.max-concurrency", FLAG_BYTES, &settings.max_concurrency, "4", "N", "How many queries that take longer than 50 ms of a core go on at once; short ones do not wait for them." },
	{ "enable-feature", FLAG_LIST, &settings.features, NULL, "NAME", "Experimental PromQL: promql-experimental-functions, "
	  "promql-extended-range-selectors, promql-binop-fill-modifiers, promql-delayed-name-removal; and type-and-unit-labels, "
	  "which gives scraped series __type__ and __unit__; several apart by commas." },
	{ "log.level", FLAG_TEXT, &settings.log_level, "info", "LEVEL", "debug, info, warn or error." },
	{ "log.format", FLAG_TEXT, &settings.log_format, "logfmt", "FORMAT", "logfmt or json." },
	{ "version", FLAG_SWITCH, &settings.version, NULL, NULL, "Prints the version." },
	{ "help", FLAG_SWITCH, &settings.help, NULL, NULL, "Prints this." },
};

static void print_functions(struct buf *out)
{
	const struct promql_function_info *f;
	size_t n = promql_functions(&f);

	buf_putz(out, "\nPromQL functions; those marked * are experimental (--enable-feature=promql-experimental-functions):\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%-52s %s\n", f[i].experimental ? "* " : "  ", f[i].signature, f[i].help);
}

static int print_help(void)
{
	struct buf b = { 0 };

	buf_putz(&b, "tocsin-alerter scrapes targets, evaluates Prometheus rules and delivers what fires.\n\n"
	             "  tocsin-alerter [flags]\n      runs\n");
	tool_print_help(&b);
	buf_putz(&b, "\nFlags:\n");
	flags_print_help(&b, flags, ARRAY_LEN(flags));
	buf_putz(&b, "\nThe configuration file; prometheus.yml and alertmanager.yml can be taken as they are:\n");
	config_print_help(&b);
	print_functions(&b);
	fputs(buf_z(&b), stdout);
	buf_fini(&b);
	return 0;
}

static bool set_up_promql(struct err *e)
{
	struct promql_options *o = &settings.alerter.promql;

	o->features = PROMQL_DURATION_EXPRESSIONS;
	o->limits.max_samples = (size_t)settings.max_samples;
	if (settings.max_concurrency < 1 || settings.max_concurrency > MAX_CONCURRENCY)
		return err_set(e, ERR_BAD_INPUT, -1, "--query.max-concurrency=%lld is out of range: write 1 to %d", (long long)settings.max_concurrency,
		               MAX_CONCURRENCY);
	settings.alerter.max_concurrency = (unsigned)settings.max_concurrency;
	settings.alerter.flags = flags;
	settings.alerter.n_flags = ARRAY_LEN(flags);
	for (size_t i = 0; i < settings.features.n; i++)
		if (!promql_features_add(settings.features.v[i], &o->features, e))
			return err_context(e, "--enable-feature");
	return true;
}

static bool set_up_log(struct err *e)
{
	enum log_level level;
	enum log_format format;

	if (!log_level_parse(settings.log_level, &level))
		return err_set(e, ERR_BAD_INPUT, -1, "--log.level=" STR_FMT ": debug, info, warn or error", STR_ARG(settings.log_level));
	if (!log_format_parse(settings.log_format, &format))
		return err_set(e, ERR_BAD_INPUT, -1, "--log.format=" STR_FMT ": logfmt or json", STR_ARG(settings.log_format));
	log_setup(level, format);
	return true;
}

static bool check_url(struct str url, struct err *e)
{
	bool good = str_starts(url, STR("http://")) || str_starts(url, STR("https://"));

	return url.n == 0 || (good && http_url_host(url).n > 0) ||
	       err_set(e, ERR_BAD_INPUT, -1, "--web.external-url=" STR_FMT ": write it like https://tocsin.example.org/alerts", STR_ARG(url));
}

static void trim_slashes(struct str *url)
{
	while (url->n > 0 && url->p[url->n - 1] == '/')
		url->n--;
}

static int run(void)
{
	struct timespec wait = { .tv_sec = MAINTAIN_SECONDS };
	struct alerter *al;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);         /* threads inherit it; only this one takes signals */
	signal(SIGPIPE, SIG_IGN);
	process_raise_file_limit();     /* every target and receiver that hangs holds one */
	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP_BYTES);
	al = alerter_start(&settings.alerter);
	if (al == NULL)
		return 1;
	process_forget_start();
	for (;;) {
		struct buf said = { 0 };

		sig = sigtimedwait(&set, NULL, &wait);
		if (sig == SIGHUP)
			(void)!alerter_reload(al, &said);
		else if (sig > 0)
			break;
		else if (errno == EAGAIN)
			alerter_maintain(al);
		buf_fini(&said);
	}
	log_event(LOG_INFO, "stopping; nothing is resolved by it", NULL);
	alerter_stop(al);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	if (argc > 1 && tool_is_command(argv[1]))
		return tool_main(argc - 1, argv + 1);
	if (!flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, &e) || !set_up_log(&e) || !set_up_promql(&e) ||
	    !http_check_hosts(settings.alerter.hosts.v, settings.alerter.hosts.n, &e) || !check_url(settings.alerter.external_url, &e)) {
		fprintf(stderr, "tocsin-alerter: %s\n", e.msg);
		return 2;
	}
	trim_slashes(&settings.alerter.external_url);
	if (settings.help)
		return print_help();
	if (settings.version) {
		printf("tocsin-alerter %s (%s)\n", version_text(), version_compiler());
		return 0;
	}
	return run();
}
