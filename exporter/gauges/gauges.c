/* The gauges source: its settings, and when it asks. Without `interval` it asks in every scrape; with it on a thread of its own,
 * and a scrape shows what was found last. */
#include "gauges/gauges.h"

#include <assert.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pointer.h"
#include "gauges/rows.h"
#include "postgres/conn.h"
#include "postgres/postgres.h"
#include "redis/settings.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

/* ---- Settings ---- */

static const char *const type_names[] = { "gauge", "counter", "untyped", "info", NULL };
static const enum expo_type types[] = { EXPO_GAUGE, EXPO_COUNTER, EXPO_UNTYPED, EXPO_INFO };
static const char *const null_names[] = { "inherit", "drop", "zero", "nan", "error", NULL };
static const struct conf_range interval_range = { 0, 86400000 }, series_range = { 1, 100000 };

/* A list of columns, or a map of labels to columns. */
static bool conf_label_columns(struct conf_reader *rd, const struct conf_key *key, const struct conf_node *n, void *to)
{
	struct conf_labels *l = to;
	struct conf_strs names = { 0 };

	if (n->kind == CONF_MAP)
		return conf_labels(rd, key, n, to);
	if (!conf_str_list(rd, key, n, &names))
		return false;
	l->v = ARENA_ARRAY(rd->arena, names.n, struct label);
	for (l->n = 0; l->n < names.n; l->n++)
		l->v[l->n] = (struct label){ names.v[l->n], names.v[l->n] };
	return true;
}

static const struct conf_key metric_keys[] = {
	CONF_KEY(struct gauge_metric, "name", name, conf_str, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	    "Name of the metric."),
	CONF_KEY(struct gauge_metric, "help", help, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, "What it says."),
	CONF_KEY_ARG(struct gauge_metric, "type", type, conf_enum, "gauge", CONF_RELOAD, "gauge, counter, untyped or info (always 1).",
	    type_names),
	CONF_KEY(struct gauge_metric, "unit", unit, conf_str, "", CONF_RELOAD, "Base unit; the name must end in it."),
	CONF_KEY(struct gauge_metric, "value", value, conf_str, "value", CONF_RELOAD,
	    "Column, or JSON pointer in the row, of the number."),
	CONF_KEY(struct gauge_metric, "labels", labels, conf_label_columns, NULL, CONF_RELOAD,
	         "Columns that become labels, or a map of labels to columns or JSON pointers; @key is the row's name or position."),
	CONF_KEY(struct gauge_metric, "map", map, conf_labels, NULL, CONF_RELOAD,
	    "What texts are as numbers: { CLOSED: 0, OPEN: 1 }; '*' is any other text."),
	CONF_KEY(struct gauge_metric, "scale", scale, conf_double, "1", CONF_RELOAD, "Numbers are multiplied by it."),
	CONF_KEY_ARG(struct gauge_metric, "null", null, conf_enum, "inherit", CONF_RELOAD,
	    "What NULL or absent means: drop, zero, nan, error.", null_names),
};

static bool check_map(struct conf_reader *rd, const struct conf_node *map, const struct gauge_metric *m)
{
	bool ok = true;
	double v;

	for (size_t i = 0; i < m->map.n; i++)
		if (!str_to_decimal(m->map.v[i].value, &v))
			ok = conf_error(rd->report, conf_get(map, "map"), "map gives \"" STR_FMT "\" for \"" STR_FMT "\": write a number",
			                STR_ARG(m->map.v[i].value), STR_ARG(m->map.v[i].name));
	return ok;
}

static bool check_names(struct conf_reader *rd, const struct conf_node *map, const struct gauge_metric *m)
{
	const struct conf_node *name = conf_get(map, "name"), *labels = conf_get(map, "labels");
	bool ok = true;

	if (!labels_metric_is_plain(m->name))
		ok = conf_error(rd->report, name, "\"" STR_FMT "\" is no metric name: letters, digits, _ and :", STR_ARG(m->name));
	else if (m->unit.n > 0 && !(str_ends(m->name, m->unit) || str_ends(m->name, STR("_total"))))
		ok = conf_error(rd->report, name, "\"" STR_FMT "\" does not end in its unit: name_" STR_FMT, STR_ARG(m->name),
		    STR_ARG(m->unit));
	for (size_t i = 0; i < m->labels.n; i++) {
		struct str l = m->labels.v[i].name;

		if (!labels_name_is_plain(l) || str_eq(l, STR("source")) || str_starts(l, STR("__")))
			ok = conf_error(rd->report, labels,
			    "\"" STR_FMT "\" cannot be a label here: letters, digits and _; not source, not __…",
			    STR_ARG(l));
		for (size_t before = 0; before < i; before++)
			if (str_eq(m->labels.v[before].name, l))
				ok = conf_error(rd->report, labels, "the label \"" STR_FMT "\" twice", STR_ARG(l));
	}
	return ok;
}

static bool check_metric(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct gauge_metric *m = to;
	bool ok;

	m->is_info = types[m->type] == EXPO_INFO;
	m->family = (struct expo_family){ m->name.p, types[m->type], m->help.p, m->unit.n > 0 ? m->unit.p : NULL };
	if (m->name.n == 0)
		return true;                    /* reported as missing */
	ok = check_names(rd, map, m);
	if (m->is_info && !str_ends(m->name, STR("_info")))
		ok = conf_error(rd->report, conf_get(map, "name"), "\"" STR_FMT "\" is of type info: name_info", STR_ARG(m->name));
	if (!isfinite(m->scale) || m->scale == 0)
		ok = conf_error(rd->report, conf_get(map, "scale"), "scale: a number other than 0");
	return check_map(rd, map, m) && ok;
}

const struct conf_table gauge_metric_table = { metric_keys, ARRAY_LEN(metric_keys), sizeof(struct gauge_metric),
	NULL, check_metric };

static const struct conf_key query_keys[] = {
	CONF_KEY(struct gauge_query, "name", name, conf_str, "", CONF_RELOAD,
	    "For messages and its success metric; the first metric's unless given."),
	CONF_KEY(struct gauge_query, "sql", sql, conf_str, "", CONF_RELOAD, "On Postgres: one statement; it runs read-only."),
	CONF_KEY(struct gauge_query, "command", command, conf_str_list, NULL, CONF_RELOAD,
	    "On Redis: a command, word by word: [LLEN, celery]."),
	CONF_KEY(struct gauge_query, "path", path, conf_str, "", CONF_RELOAD, "Over HTTP: what is put behind the URL."),
	CONF_KEY(struct gauge_query, "rows", rows, conf_str, NULL, CONF_RELOAD,
	         "JSON pointer to an array or object that gives a row each; '': the document is that. On Redis: pairs, "
	         "for replies such as HGETALL's."),
	CONF_KEY_ARG(struct gauge_query, "metrics", metrics, conf_sub_list, NULL, CONF_REQUIRED | CONF_FILLED | CONF_RELOAD,
	    "What becomes of the rows.", &gauge_metric_table),
};

static bool check_query(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct gauge_query *q = to;

	(void)rd;
	(void)map;
	if (q->name.n == 0 && q->metrics.n > 0)
		q->name = ((const struct gauge_metric *)q->metrics.v)[0].name;
	return true;
}

static const struct conf_table query_table = { query_keys, ARRAY_LEN(query_keys), sizeof(struct gauge_query), NULL, check_query };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct gauges_settings),
	CONF_KEY(struct gauges_settings, "url", url, conf_str, "", CONF_SECRET | CONF_ENV | CONF_RELOAD,
	    "postgres://…, http://… or https://…"),
	CONF_KEY(struct gauges_settings, "postgres", postgres, conf_str, "", CONF_RELOAD,
	    "In place of url: name of a source under postgres."),
	CONF_KEY(struct gauges_settings, "redis", redis, conf_str, "", CONF_RELOAD, "In place of url: name of a source under redis."),
	CONF_KEY(struct gauges_settings, "headers", headers, conf_str_list, NULL, CONF_SECRET | CONF_ENV | CONF_RELOAD,
	    "Over HTTP: [\"apikey: …\"]."),
	CONF_KEY(struct gauges_settings, "ca_file", ca_file, conf_path, "", CONF_RELOAD,
	    "Over HTTPS: certificates to trust in place of the system's."),
	CONF_KEY(struct gauges_settings, "cert_file", cert_file, conf_path, "", CONF_RELOAD,
	    "Over HTTPS: certificate shown to the server, PEM."),
	CONF_KEY(struct gauges_settings, "key_file", key_file, conf_path, "", CONF_RELOAD, "Its key, PEM."),
	CONF_KEY(struct gauges_settings, "insecure_skip_verify", insecure_skip_verify, conf_bool, "false", CONF_RELOAD,
	    "Over HTTPS: take any certificate."),
	CONF_KEY_ARG(struct gauges_settings, "interval", interval_ms, conf_duration_ms, "0s", CONF_RELOAD,
	             "How often the queries are asked, beside the scrapes; 0: in every scrape.", &interval_range),
	CONF_KEY_ARG(struct gauges_settings, "max_series", max_series, conf_int, "1000", CONF_RELOAD,
	    "A query that would go beyond fails; with queries_file 100000 unless given.", &series_range),
	CONF_KEY_ARG(struct gauges_settings, "null", null, conf_enum, "drop", CONF_RELOAD,
	    "What NULL or absent means: drop, zero, nan, error.", null_names),
	CONF_KEY_ARG(struct gauges_settings, "queries", queries, conf_sub_list, NULL, CONF_FILLED | CONF_RELOAD, "What is asked.",
	    &query_table),
	CONF_KEY(struct gauges_settings, "queries_file", queries_file, conf_path, "", CONF_RELOAD,
	    "On Postgres: queries in the file of postgres_exporter's --extend.query-path, besides those here."),
};

bool gauge_pointers_check(struct conf_reader *rd, const struct conf_node *at, const struct gauge_query *q)
{
	const struct gauge_metric *m = q->metrics.v;
	bool ok = pointer_is_valid(q->rows);

	for (size_t i = 0; i < q->metrics.n; i++) {
		ok &= pointer_is_valid(m[i].value);
		for (size_t l = 0; l < m[i].labels.n; l++)
			ok &= pointer_is_valid(m[i].labels.v[l].value);
	}
	return ok || conf_error(rd->report, at, "not a JSON pointer: '~' is written ~0, '/' in a name ~1");
}

static bool is_reply_column(struct str name)
{
	return str_eq(name, STR("value")) || str_eq(name, STR("@key"));
}

/* Of a reply there is nothing else. */
static bool check_reply_columns(struct conf_reader *rd, const struct conf_node *at, const struct gauge_query *q)
{
	const struct gauge_metric *m = q->metrics.v;
	bool ok = true;

	for (size_t i = 0; i < q->metrics.n; i++) {
		ok &= is_reply_column(m[i].value);
		for (size_t l = 0; l < m[i].labels.n; l++)
			ok &= is_reply_column(m[i].labels.v[l].value);
	}
	return ok || conf_error(rd->report, at, "on Redis a row has nothing but value and @key: labels: { name: '@key' }");
}

/* What would not be looked at. */
static bool check_unused(struct conf_reader *rd, const struct conf_node *at, const struct gauges_settings *s,
                         const struct gauge_query *q)
{
	bool ok = true;

	if (q->path.n > 0 && s->backend != &gauge_json)
		ok = conf_error(rd->report, at, "path is for http://");
	if (q->rows.p != NULL && s->backend == &gauge_sql)
		ok = conf_error(rd->report, at, "rows is for JSON and Redis");
	if (q->rows.n > 0 && s->backend == &gauge_redis && !str_eq(q->rows, STR("pairs")))
		ok = conf_error(rd->report, at, "rows is `pairs` on Redis");
	return ok;
}

/* The address is a secret: it is not told. */
static bool check_path(struct conf_reader *rd, const struct conf_node *at, const struct gauges_settings *s,
                       const struct gauge_query *q)
{
	const size_t scheme = str_find(s->url, STR("://")) + 3;
	const struct str behind = { s->url.p + scheme, s->url.n - scheme };

	if (q->path.n == 0 || q->path.p[0] == '/' || q->path.p[0] == '?' || str_chr(behind, '/') < behind.n)
		return true;
	return conf_error(rd->report, at, "path is put behind the host of url as it is: begin it with /");
}

static bool check_queries(struct conf_reader *rd, const struct gauges_settings *s)
{
	const struct gauge_query *q = s->queries.v;
	bool ok = true;

	for (size_t i = 0; i < s->queries.n; i++) {
		struct err e = { 0 };

		if (!gauge_command_check(&q[i].command, &e))
			ok = conf_error(rd->report, s->queries.nodes[i], "%s", e.msg);
		if ((s->backend == &gauge_sql) != (q[i].sql.n > 0) || (s->backend == &gauge_redis) != (q[i].command.n > 0))
			ok = conf_error(rd->report, s->queries.nodes[i],
			    "a query of this source must have %s: sql is for Postgres, command for Redis",
			                s->backend == &gauge_json ? "neither sql nor command" : s->backend->wants);
		ok &= check_unused(rd, s->queries.nodes[i], s, &q[i]);
		if (s->backend == &gauge_redis)
			ok &= check_reply_columns(rd, s->queries.nodes[i], &q[i]);
		if (s->backend == &gauge_json)
			ok &= gauge_pointers_check(rd, s->queries.nodes[i], &q[i]) && check_path(rd, s->queries.nodes[i], s, &q[i]);
	}
	return ok;
}

static const char *type_name(const struct gauge_metric *m)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i] == m->family.type)
			return type_names[i];
	return "histogram";                     /* from a queries_file only */
}

/* Families are known by name: one type each, and no series twice. */
static bool check_same_name(struct conf_reader *rd, const struct conf_node *at, const struct gauge_metric *a,
    const struct gauge_metric *b)
{
	if (a->family.type != b->family.type)
		return conf_error(rd->report, at, "\"" STR_FMT "\" is of type %s and of type %s: a name has one", STR_ARG(a->name),
		    type_name(a),
		                  type_name(b));
	return a->labels.n + b->labels.n > 0 ||
	    conf_error(rd->report, at, "\"" STR_FMT "\" twice: tell them apart by a label", STR_ARG(a->name));
}

static bool check_families(struct conf_reader *rd, const struct gauges_settings *s)
{
	const struct gauge_query *q = s->queries.v;
	struct map by_name = { 0 };
	bool ok = true;

	for (size_t i = 0; i < s->queries.n; i++)
		for (size_t k = 0; k < q[i].metrics.n; k++) {
			struct gauge_metric *m = (struct gauge_metric *)q[i].metrics.v + k;
			const struct gauge_metric *before = m->name.n > 0 ? map_put(&by_name, m->name, m) : NULL;

			if (before != NULL)
				ok &= check_same_name(rd, q[i].metrics.nodes != NULL ? q[i].metrics.nodes[k] : s->queries.nodes[i], before, m);
		}
	map_fini(&by_name);
	return ok;
}

static bool check_server(struct conf_reader *rd, const struct conf_node *map, struct gauges_settings *s)
{
	struct err e = { 0 };

	if (s->redis.n > 0)
		s->backend = &gauge_redis;
	else if (str_starts(s->url, STR("http://")) || str_starts(s->url, STR("https://")))
		s->backend = &gauge_json;
	else
		s->backend = &gauge_sql;
	if ((conf_get(map, "url") != NULL || conf_get(map, "url_file") != NULL) + (s->postgres.n > 0) + (s->redis.n > 0) != 1)
		return conf_error(rd->report, map, "which server is to be asked: write one of url, postgres, redis");
	return s->backend != &gauge_sql || s->url.n == 0 || pg_url_check(s->url, &e)
	    || conf_error(rd->report, map, "url: none of postgres://…, http://…, https://…");
}

static bool check_tls(struct conf_reader *rd, const struct conf_node *map, const struct gauges_settings *s)
{
	bool ok = true;

	if (s->backend != &gauge_json && (s->headers.n > 0 || s->insecure_skip_verify))
		ok = conf_error(rd->report, map, "headers and insecure_skip_verify are for http:// and https://");
	if (s->ca_file.n + s->cert_file.n + s->key_file.n > 0 && !str_starts(s->url, STR("https://")))
		ok = conf_error(rd->report, map, "ca_file, cert_file and key_file are for https://");
	if ((s->cert_file.n > 0) != (s->key_file.n > 0))
		ok = conf_error(rd->report, map, "cert_file and key_file belong together: give both");
	return ok;
}

static bool check_settings(struct conf_reader *rd, const struct conf_node *map, void *to)
{
	struct gauges_settings *s = to;
	const bool known = check_server(rd, map, s);
	bool ok = check_tls(rd, map, s) && known;

	if (s->queries_file.n > 0 && s->backend != &gauge_sql)
		ok = conf_error(rd->report, conf_get(map, "queries_file"), "queries_file is for Postgres: write queries");
	else if (s->queries_file.n > 0)
		ok &= gauge_queries_file(rd, s->queries_file, &s->queries);
	if (s->queries_file.n > 0 && conf_get(map, "max_series") == NULL)
		s->max_series = series_range.max;
	if (conf_get(map, "queries") == NULL && s->queries_file.n == 0)
		ok = conf_error(rd->report, map, "what is to be asked: write queries or queries_file");
	ok &= check_families(rd, s);
	return (!known || check_queries(rd, s)) && ok;
}

static const struct conf_table table = { keys, ARRAY_LEN(keys), sizeof(struct gauges_settings), NULL, check_settings };

static bool find(const void **out, const struct sources *all, const char *kind, struct str name, const struct conf_node *at,
                 struct conf_report *r)
{
	if (name.n == 0)
		return true;
	*out = sources_find(all, kind, name);
	return *out != NULL || conf_error(r, conf_get(at, kind), "no source \"" STR_FMT "\" under %s", STR_ARG(name), kind);
}

static bool link_settings(void *settings, const struct sources *all, const struct conf_node *at, struct conf_report *r)
{
	struct gauges_settings *s = settings;
	const void *pg = NULL, *redis = NULL;
	bool ok = find(&pg, all, "postgres", s->postgres, at, r) && find(&redis, all, "redis", s->redis, at, r);

	s->pg = pg;
	s->redis_source = redis;
	return ok;
}

/* A name's place in the configuration; the query's where it was written in another form. */
static void name_metrics(const struct conf_list *metrics, const struct conf_node *query, source_metric *metric, void *user)
{
	const struct gauge_metric *m = metrics->v;

	for (size_t i = 0; i < metrics->n; i++) {
		bool lent = metrics->nodes == NULL;

		metric(user, m[i].name, m[i].family.type, lent ? query : conf_get(metrics->nodes[i], "name"), lent);
	}
}

void gauge_metrics_name(const struct conf_list *metrics, source_metric *metric, void *user)
{
	name_metrics(metrics, NULL, metric, user);
}

static void name_queries(const void *settings, source_metric *metric, void *user)
{
	const struct gauges_settings *s = settings;
	const struct gauge_query *q = s->queries.v;

	for (size_t i = 0; i < s->queries.n; i++)
		name_metrics(&q[i].metrics, s->queries.nodes[i], metric, user);
}

/* Of a URL, scheme and host: what stands before and behind may be secret. */
static struct str describe_http(struct arena *a, struct str url)
{
	size_t host = str_find(url, STR("://")) + 3, end = host, at = host;

	while (end < url.n && strchr("/?#", url.p[end]) == NULL)
		end++;
	for (size_t i = host; i < end; i++)
		if (url.p[i] == '@')
			at = i + 1;
	return arena_printf(a, "%.*s%.*s", (int)host, url.p, (int)(end - at), url.p + at);
}

static struct str describe(struct arena *a, const void *settings)
{
	const struct gauges_settings *s = settings;

	if (s->pg != NULL || s->backend == &gauge_sql)
		return pg_url_describe(a, s->pg != NULL ? s->pg->url : s->url);
	if (s->redis_source != NULL)
		return redis_url_describe(a, &s->redis_source->endpoint.url);
	return describe_http(a, s->url);
}

/* ---- A source at work ---- */

struct gauges {
	const struct gauges_settings *settings;
	const struct clock *clock;
	const char *name;
	void *backend;                  /* of the one thread that asks */
	struct gauge_query_state *states;
	/* With an interval: what the asking thread found, for the collecting one. */
	int first_fd;                   /* readable when there is something */
	pthread_mutex_t lock;
	struct err last;
};

static void *open_gauges(const void *settings, const struct clock *clock)
{
	struct gauges *g = mem_alloc(sizeof *g);

	g->settings = settings;
	g->clock = clock;
	g->name = g->settings->common.title;
	g->backend = g->settings->backend->open(g->settings);
	g->states = mem_alloc((g->settings->queries.n + 1) * sizeof *g->states);
	g->first_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(g->first_fd >= 0);
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

static void close_gauges(void *state)
{
	struct gauges *g = state;

	g->settings->backend->close(g->backend);
	pthread_mutex_destroy(&g->lock);
	close(g->first_fd);
	free(g->states);
	free(g);
}

static bool ask_queries(struct gauges *g, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct gauge_round round = { g->settings, g->states, g->name, clock_now_ms(g->clock), 0, out, { 0 }, { 0 } };
	bool ok = g->settings->backend->ask(g->backend, ask, &round, e);

	if (ok)
		gauge_round_end(&round);
	gauge_round_fini(&round);
	return ok;
}

/* With an interval: whether the last round worked; the first one is waited for. */
static bool collect_verdict(struct gauges *g, const struct source_ask *ask, struct err *e)
{
	struct pollfd p[] = { { .fd = g->first_fd, .events = POLLIN }, { .fd = ask->stop_fd, .events = POLLIN } };
	int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock);
	int n = poll(p, ARRAY_LEN(p), left > 0 ? (int)left : 0);

	if (n > 0 && p[1].revents != 0)
		return err_set(e, ERR_CANCELED, -1, "stopped");
	if (n <= 0)
		return err_set(e, ERR_TIMEOUT, -1, "not read yet");
	pthread_mutex_lock(&g->lock);
	*e = g->last;
	pthread_mutex_unlock(&g->lock);
	return e->code == ERR_NONE;
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct gauges *g = state;

	return g->settings->interval_ms > 0 ? collect_verdict(g, ask, e) : ask_queries(g, ask, out, e);
}

static void note_round(struct gauges *g, const struct err *e)
{
	const uint64_t one = 1;
	ssize_t n;

	pthread_mutex_lock(&g->lock);
	g->last = *e;
	pthread_mutex_unlock(&g->lock);
	n = write(g->first_fd, &one, sizeof one);
	(void)n;                                /* readable it is already */
}

static void run(void *state, struct source_loop *loop)
{
	struct gauges *g = state;
	int64_t began;
	bool ok;

	if (g->settings->interval_ms == 0)
		return;
	do {
		struct expo_set *out = expo_set_new();
		struct err e = { 0 };
		struct source_ask ask = { 0, source_loop_stop_fd(loop), g->clock };

		began = clock_mono_ms(g->clock);
		ask.deadline_mono_ms = began + g->settings->common.timeout_ms;
		ok = ask_queries(g, &ask, out, &e);
		if (!ok)
			expo_set_unref(out);
		if (ok || e.code != ERR_CANCELED)
			source_loop_publish(loop, "queries", g->settings->interval_ms, ok ? out : NULL, ok ? NULL : &e);
		note_round(g, &e);
	} while (source_loop_wait(loop, source_loop_due(loop, began, g->settings->interval_ms, ok)));
}

const struct source_kind gauges_source_kind = {
	.name = "gauges", .up_family = "tocsin_gauges_up", .up_help = "Whether the server with the figures answered.", .table = &table,
	.parts = &gauge_success_family, .link = link_settings, .metrics = name_queries, .describe = describe, .explain = gauges_explain,
	.open = open_gauges, .collect = collect, .run = run, .close = close_gauges,
};
