/* The Redis source: a server (node.c) or all of a cluster (cluster.c) asked in each scrape, and keys looked for beside (scan.c). */
#include "redis/redis.h"

#include <stdlib.h>

#include "redis/cluster.h"
#include "redis/families.h"
#include "redis/scan.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

struct redis_state {
	const struct redis_settings *settings;
	struct redis_node node;                 /* of no cluster */
	struct cluster *cluster;                /* NULL: it is one server */
	double scrapes, seconds;                /* of all scrapes */
};

static void *open_source(const void *settings, const struct clock *clock)
{
	struct redis_state *s = mem_alloc(sizeof *s);

	(void)clock;
	s->settings = settings;
	redis_node_init(&s->node, s->settings, &s->settings->endpoint.url, REDIS_CONN_OPTIONS_DEFAULT, &s->settings->check_single_keys,
	    &s->settings->check_single_streams);
	if (s->settings->cluster)
		s->cluster = cluster_new(s->settings);
	return s;
}

static void close_source(void *state)
{
	struct redis_state *s = state;

	cluster_free(s->cluster);
	redis_node_fini(&s->node);
	free(s);
}

static struct str describe(struct arena *a, const void *settings)
{
	const struct redis_settings *s = settings;

	return redis_url_describe(a, &s->endpoint.url);
}

static void run(void *state, struct source_loop *loop)
{
	const struct redis_state *s = state;

	redis_scan_run(s->settings, s->cluster, loop);
}

/* ---- One scrape ---- */

static void begin(void *state, const struct source_ask *ask)
{
	struct redis_state *s = state;

	(void)ask;
	if (s->cluster != NULL)
		cluster_begin(s->cluster);
	else
		redis_node_begin(&s->node);
}

static void show_self(struct redis_state *s, struct expo_set *set, int64_t took_us)
{
	const double seconds = (double)took_us * 1e-6;

	s->scrapes++;
	s->seconds += seconds;
	if (s->cluster == NULL)
		redis_node_show_allowed(&s->node, set);
	EXPO_EMIT0(set, &redis_families[RF_SCRAPE_ERROR], 0);
	EXPO_EMIT0(set, &redis_families[RF_SCRAPE_DURATION], seconds);
	EXPO_EMIT0(set, &redis_families[RF_CONNECT_TIME], (double)redis_conn_connect_us(s->node.conn) * 1e-6);
	if (s->settings->ping_on_connect)
		EXPO_EMIT0(set, &redis_families[RF_PING_TIME], s->node.ping_us * 1e-6);
	EXPO_EMIT0(set, &redis_families[RF_SCRAPES], s->scrapes);
	EXPO_EMIT0(set, &redis_families[RF_TARGET_ERRORS], 0);
	EXPO_EMIT0(set, &redis_families[RF_GROUPS_DURATION], 0);
	EXPO_EMIT(set, &redis_families[RF_EXPORTER_BUILD], 1, { STR("version"), str_of(version_text()) });
	expo_emit_summary(set, &redis_families[RF_SCRAPE_DURATIONS], NULL, NULL, 0, s->seconds, s->scrapes, NULL, 0);
}

static bool ask_server(struct redis_state *s, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	struct redis_shown shown = { .settings = s->settings, .set = out, .arena = &s->node.arena,
		.now_ms = clock_now_ms(ask->clock) };
	const bool ok = redis_node_ask(&s->node, wait, e) && redis_node_show(&s->node, wait, &shown, e)
	             && redis_node_show_further(&s->node, wait, &shown, e);

	info_fini(&shown.info);
	redis_node_end(&s->node);
	return ok;
}

static bool collect_server(struct redis_state *s, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	if (ask_server(s, ask, out, e))
		return true;
	if (!redis_conn_was_cut(s->node.conn))
		return false;
	*e = (struct err){ 0 };
	return ask_server(s, ask, out, e);
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct redis_state *s = state;
	const int64_t start_us = clock_mono_us();
	const bool ok = s->cluster != NULL ? cluster_collect(s->cluster, ask, out, e) : collect_server(s, ask, out, e);

	if (ok)
		show_self(s, out, clock_mono_us() - start_us);
	return ok;
}

static void families(source_family *family, void *user)
{
	for (size_t i = 0; i < RF_N; i++)
		family(user, &redis_families[i]);
	for (size_t i = 0; i < info_rows_n; i++)
		family(user, &info_rows[i].family);
	for (size_t i = 0; i < redis_tile38_rows_n; i++)
		family(user, &redis_tile38_rows[i].family);
	for (size_t i = 0; i < redis_search_rows_n; i++)
		family(user, &redis_search_rows[i].family);
}

const struct source_kind redis_source_kind = {
	.name = "redis",
	.up_family = "redis_up",
	.up_help = "1: the server answered the last scrape.",
	.env = "REDIS_URL",
	.table = &redis_settings_table,
	.families = families,
	.describe = describe,
	.explain = redis_explain,
	.nodes = redis_nodes,
	.open = open_source,
	.begin = begin,
	.collect = collect,
	.run = run,
	.close = close_source,
};
