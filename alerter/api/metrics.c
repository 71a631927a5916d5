/* /metrics of the alerter: names as Prometheus and Alertmanager have them where they exist, so their dashboards and mixins work;
 * ours begin with tocsin_. */
#include "internal.h"

#include <stdatomic.h>

#include "tocsin/expo.h"
#include "tocsin/process.h"
#include "tocsin/version.h"

#define GROUP_FAMILIES(X) /* field, name, type, help */ \
	X(iterations, "prometheus_rule_group_iterations_total", EXPO_COUNTER, "Evaluations of the group that were due.") \
	X(iterations_missed, "prometheus_rule_group_iterations_missed_total", EXPO_COUNTER, "Evaluations skipped because one before took too long.") \
	X(evaluations, "prometheus_rule_evaluations_total", EXPO_COUNTER, "Rule evaluations.") \
	X(failures, "prometheus_rule_evaluation_failures_total", EXPO_COUNTER, "Rule evaluations that failed.")

static const struct expo_family group_families[] = {
#define X(field, name, type, help) { name, type, help, NULL },
	GROUP_FAMILIES(X)
#undef X
};
static const struct expo_family group_interval = { "prometheus_rule_group_interval_seconds", EXPO_GAUGE, "Interval of the group.", "seconds" };
static const struct expo_family group_duration = { "prometheus_rule_group_last_duration_seconds", EXPO_GAUGE, "How long its last evaluation took.", "seconds" };
static const struct expo_family group_time = { "prometheus_rule_group_last_evaluation_timestamp_seconds", EXPO_GAUGE, "When it was last evaluated.", "seconds" };
static const struct expo_family group_rules = { "prometheus_rule_group_rules", EXPO_GAUGE, "Rules in the group.", NULL };
static const struct expo_family alerts_now = { "tocsin_alerts", EXPO_GAUGE, "Alerts by state; unknown ones are also counted as pending or firing.", NULL };

static void emit_group(struct expo_set *s, const struct rule_group_view *g)
{
	struct str key = arena_printf(expo_set_arena(s), STR_FMT ";" STR_FMT, STR_ARG(g->file), STR_ARG(g->name));
	const struct label l = { STR("rule_group"), key };
	size_t row = 0;

#define X(field, name, type, help) expo_emit(s, &group_families[row++], (double)g->field, &l, 1);
	GROUP_FAMILIES(X)
#undef X
	expo_emit(s, &group_interval, (double)g->interval_ms / 1000, &l, 1);
	expo_emit(s, &group_duration, g->evaluation_seconds, &l, 1);
	expo_emit(s, &group_time, (double)g->last_evaluation_ms / 1000, &l, 1);
	expo_emit(s, &group_rules, (double)g->n_rules, &l, 1);
}

static void emit_rules(struct api *api, struct expo_set *s)
{
	const struct rules_snapshot *r = rules_snapshot_get(api->deps.rules);
	size_t firing = 0, pending = 0, unknown = 0;

	for (size_t g = 0; g < r->n_groups; g++) {
		emit_group(s, r->groups[g]);
		for (size_t i = 0; i < r->groups[g]->n_rules; i++)
			for (size_t a = 0; a < r->groups[g]->rules[i].n_alerts; a++) {
				const struct alert_record *alert = &r->groups[g]->rules[i].alerts[a];

				firing += alert->state == ALERT_FIRING;
				pending += alert->state == ALERT_PENDING;
				unknown += alert->unknown_since_ms != 0;
			}
	}
	rules_snapshot_release(r);
	EXPO_EMIT(s, &alerts_now, (double)firing, { STR("state"), STR("firing") });
	EXPO_EMIT(s, &alerts_now, (double)pending, { STR("state"), STR("pending") });
	EXPO_EMIT(s, &alerts_now, (double)unknown, { STR("state"), STR("unknown") });
}

#define SCRAPE_FAMILY(name, help) { "tocsin_scrape_" #name "_total", EXPO_COUNTER, help, NULL },
#define STORE_FAMILY(name, help) { "tocsin_store_" #name "_total", EXPO_COUNTER, help, NULL },

static void emit_scrape(struct api *api, struct expo_set *s)
{
	static const struct expo_family counters[] = { SCRAPE_COUNTERS(SCRAPE_FAMILY) };
	static const struct expo_family targets = { "tocsin_scrape_targets", EXPO_GAUGE, "Targets that are scraped.", NULL };
	static const struct expo_family failing = { "tocsin_scrape_sd_failing", EXPO_GAUGE,
		                                    "Files, URLs and DNS names of targets that cannot be read now.", NULL };
	struct scrape_stats st = scrape_stats(api->deps.scrape);
	size_t row = 0;

#define X(name, help) EXPO_EMIT0(s, &counters[row++], (double)st.name);
	SCRAPE_COUNTERS(X)
#undef X
	EXPO_EMIT0(s, &targets, (double)st.targets);
	EXPO_EMIT0(s, &failing, (double)st.sd_failing);
}

static void emit_store(struct api *api, struct expo_set *s)
{
	static const struct expo_family counters[] = { STORE_COUNTERS(STORE_FAMILY) };
	static const struct expo_family series = { "prometheus_tsdb_head_series", EXPO_GAUGE, "Series in memory.", NULL };
	static const struct expo_family chunks = { "prometheus_tsdb_head_chunks", EXPO_GAUGE, "Chunks in memory.", NULL };
	static const struct expo_family bytes = { "tocsin_store_bytes", EXPO_GAUGE, "Bytes of the chunks in memory.", "bytes" };
	static const struct expo_family blocks = { "prometheus_tsdb_blocks_loaded", EXPO_GAUGE, "Blocks of history that are served.", NULL };
	static const struct expo_family disk = { "prometheus_tsdb_storage_blocks_bytes", EXPO_GAUGE, "Bytes of the blocks of history on disk.", "bytes" };
	static const struct expo_family journal = { "tocsin_store_journal_bytes", EXPO_GAUGE, "Bytes of the journal on disk.", "bytes" };
	static const struct expo_family works = { "tocsin_store_journal_up", EXPO_GAUGE, "1 while the journal is written, 0 when a crash would lose what is in memory.", NULL };
	struct store_stats st = store_stats(api->deps.store);
	size_t row = 0;

#define X(name, help) EXPO_EMIT0(s, &counters[row++], (double)st.name);
	STORE_COUNTERS(X)
#undef X
	EXPO_EMIT0(s, &series, (double)st.series);
	EXPO_EMIT0(s, &chunks, (double)st.chunks);
	EXPO_EMIT0(s, &bytes, (double)st.bytes);
	EXPO_EMIT0(s, &blocks, (double)st.blocks);
	EXPO_EMIT0(s, &disk, (double)st.block_bytes);
	EXPO_EMIT0(s, &journal, (double)st.journal_bytes);
	EXPO_EMIT0(s, &works, st.journal_works);
}

static void emit_program(struct api *api, struct expo_set *s)
{
	static const struct expo_family build = { "tocsin_alerter_build_info", EXPO_INFO, "Which build this is.", NULL };
	static const struct expo_family good = { "prometheus_config_last_reload_successful", EXPO_GAUGE, "1 when the last reload was taken over.", NULL };
	static const struct expo_family when = { "prometheus_config_last_reload_success_timestamp_seconds", EXPO_GAUGE, "When a configuration was last taken over.", "seconds" };
	static const struct expo_family kept = { "tocsin_api_query_bytes", EXPO_GAUGE, "What queries of people keep, to answer sooner when they are asked again.", "bytes" };
	static const struct expo_family answers = { "tocsin_api_answer_bytes", EXPO_GAUGE, "What long answers hold that clients are reading.", "bytes" };
	static const struct expo_family running = { "tocsin_api_evaluation_bytes", EXPO_GAUGE, "What queries of people hold while they are evaluated, all together.", "bytes" };
	struct api_state state = { 0 };

	api->deps.state(api->deps.ctx, &state);
	EXPO_EMIT(s, &build, 1, { STR("version"), str_of(version_text()) }, { STR("compiler"), str_of(version_compiler()) });
	EXPO_EMIT0(s, &good, state.reload_good);
	EXPO_EMIT0(s, &when, (double)state.reload_ms / 1000);
	EXPO_EMIT0(s, &kept, (double)kept_bytes(api->kept));
	EXPO_EMIT0(s, &answers, (double)answers_bytes(api->answers));
	EXPO_EMIT0(s, &running, (double)atomic_load(&api->budget.bytes));
	process_emit(s, process_start_seconds());
}

void api_metrics(struct http_request *q)
{
	struct api *api = q->ctx;
	struct expo_set *s = expo_set_new();
	enum expo_format format = expo_negotiate(http_header(q, "Accept"));
	struct buf b = { 0 };

	emit_program(api, s);
	emit_rules(api, s);
	emit_scrape(api, s);
	emit_store(api, s);
	notify_metrics(api->deps.notify, s);
	expo_write(&b, &(struct expo_part){ .set = s }, 1, format);
	expo_set_unref(s);
	http_reply_buf(q, 200, expo_content_type(format), &b);
	buf_fini(&b);
}
