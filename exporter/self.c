/* Self metrics. */
#include "self.h"

#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/process.h"
#include "tocsin/version.h"

static const struct expo_family build_info = { "tocsin_exporter_build_info", EXPO_INFO, "Which Tocsin this is.", NULL };
static const struct expo_family load_ok = {
	"tocsin_exporter_config_last_reload_successful", EXPO_GAUGE, "Whether the configuration on disk could be read last time.",
	    NULL };
static const struct expo_family load_time = { "tocsin_exporter_config_last_reload_success_timestamp_seconds", EXPO_GAUGE,
	"When the configuration was last read successfully.", "seconds" };
static const struct expo_family scrape_seconds = {
	"tocsin_exporter_scrape_duration_seconds", EXPO_HISTOGRAM, "How long answering /metrics took.", "seconds" };
static const struct expo_family success = {
	"tocsin_exporter_collector_success", EXPO_GAUGE, "Whether the source (or its slow task) could be read last time.", NULL };
static const struct expo_family duration = {
	"tocsin_exporter_collector_duration_seconds", EXPO_GAUGE, "How long the last collection took.", "seconds" };
static const struct expo_family age = {
	"tocsin_exporter_collector_age_seconds", EXPO_GAUGE, "How old the values shown are.", "seconds" };
static const struct expo_family samples = {
	"tocsin_exporter_collector_samples", EXPO_GAUGE, "Samples the last collection brought.", NULL };
static const struct expo_family dropped = {
	"tocsin_exporter_collector_dropped_samples", EXPO_GAUGE, "Samples left out: given twice, or with an impossible name.", NULL };

static const double scrape_bounds[SELF_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 10 };

/* ---- Answers ---- */

void answer_take_state(struct answer *a, int64_t now_mono_ms)
{
	struct worker *w = a->worker;

	worker_expire_tasks(w, now_mono_ms);
	a->good_mono_ms = w->good_mono_ms;
	for (a->n_tasks = 0; a->n_tasks < w->n_tasks; a->n_tasks++) {
		const struct worker_task *t = &w->tasks[a->n_tasks];

		a->tasks[a->n_tasks].name = t->name;
		a->tasks[a->n_tasks].failed = t->e.code != ERR_NONE;
		a->tasks[a->n_tasks].good = t->good != NULL ? result_ref(t->good) : NULL;
	}
}

void answer_fini(struct answer *a)
{
	result_unref(a->result);
	for (size_t i = 0; i < a->n_tasks; i++)
		result_unref(a->tasks[i].good);
	worker_unref(a->worker);
}

/* ---- Sources ---- */

static void emit_stats(struct expo_set *out, const struct result *r, const struct label *labels, size_t n)
{
	struct expo_stats s = expo_set_stats(r->set);

	expo_emit(out, &samples, (double)s.samples, labels, n);
	expo_emit(out, &dropped, (double)(s.duplicates + s.invalid), labels, n);
}

static void emit_tasks(struct expo_set *out, const struct answer *a, int64_t now)
{
	for (size_t i = 0; i < a->n_tasks; i++) {
		const struct label labels[] = { { STR("source"), a->worker->source->settings->name }, { STR("collector"),
		    str_of(a->tasks[i].name) } };
		const struct result *good = a->tasks[i].good;

		expo_emit(out, &success, a->tasks[i].failed ? 0 : 1, labels, ARRAY_LEN(labels));
		if (good == NULL)
			continue;
		expo_emit(out, &age, (double)(now - good->done_mono_ms) / 1e3, labels, ARRAY_LEN(labels));
		emit_stats(out, good, labels, ARRAY_LEN(labels));
	}
}

static void emit_up(struct expo_set *out, const struct answer *a, bool bare)
{
	const struct source_kind *kind = a->worker->source->kind;
	struct expo_family *f = ARENA_NEW(expo_set_arena(out), struct expo_family);
	const struct label label = { STR("source"), a->worker->source->settings->name };

	*f = (struct expo_family){ .name = kind->up_family, .type = EXPO_GAUGE, .help = kind->up_help };
	expo_emit(out, f, a->result != NULL && a->result->set != NULL ? 1 : 0, &label, bare ? 0 : 1);
}

static void emit_source(struct expo_set *out, const struct answer *a, int64_t now)
{
	const struct label labels[] = {
		{ STR("source"), a->worker->source->settings->name }, { STR("collector"), str_of(a->worker->source->kind->name) } };
	const struct result *r = a->result;

	expo_emit(out, &success, r != NULL && r->set != NULL ? 1 : 0, labels, ARRAY_LEN(labels));
	if (r != NULL)
		expo_emit(out, &duration, (double)r->took_us / 1e6, labels, ARRAY_LEN(labels));
	if (r != NULL && r->set != NULL)
		emit_stats(out, r, labels, ARRAY_LEN(labels));
	if (a->good_mono_ms != 0)
		expo_emit(out, &age, (double)(now - a->good_mono_ms) / 1e3, labels, ARRAY_LEN(labels));
	emit_tasks(out, a, now);
}

void self_emit_sources(struct expo_set *out, const struct answer *answers, size_t n, bool bare, int64_t now_mono_ms)
{
	for (size_t i = 0; i < n; i++) {
		emit_up(out, &answers[i], bare);
		if (!bare)
			emit_source(out, &answers[i], now_mono_ms);
	}
}

/* ---- The exporter ---- */

void self_init(struct self *s, const struct clock *clock)
{
	*s = (struct self){ .clock = clock, .start_seconds = process_start_seconds() };
	pthread_mutex_init(&s->lock, NULL);
}

void self_fini(struct self *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->load_message);
}

void self_note_load(struct self *s, bool ok, struct str message)
{
	pthread_mutex_lock(&s->lock);
	s->load_ok = ok;
	if (ok)
		s->load_good_ms = clock_now_ms(s->clock);
	free(s->load_message);
	s->load_message = mem_strndup(message.p, message.n);
	pthread_mutex_unlock(&s->lock);
}

void self_note_scrape(struct self *s, int64_t took_us)
{
	double seconds = (double)took_us / 1e6;
	size_t i = 0;

	while (i < SELF_BUCKETS && seconds > scrape_bounds[i])
		i++;
	pthread_mutex_lock(&s->lock);
	s->scrapes[i]++;
	s->scrape_seconds += seconds;
	pthread_mutex_unlock(&s->lock);
}

bool self_load_state(struct self *s, struct arena *a, struct str *message)
{
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = s->load_ok;
	*message = arena_str(a, str_of(s->load_message));
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void self_emit(struct self *s, struct expo_set *out)
{
	pthread_mutex_lock(&s->lock);
	EXPO_EMIT(out, &build_info, 1, { STR("version"), str_of(version_text()) }, { STR("compiler"), str_of(version_compiler()) });
	EXPO_EMIT0(out, &load_ok, s->load_ok ? 1 : 0);
	if (s->load_good_ms != 0)
		EXPO_EMIT0(out, &load_time, (double)s->load_good_ms / 1e3);
	expo_emit_histogram(out, &scrape_seconds, scrape_bounds, SELF_BUCKETS, s->scrapes, s->scrape_seconds, NULL, 0);
	pthread_mutex_unlock(&s->lock);
	process_emit(out, s->start_seconds);
}
