/* A world in which days pass in seconds: the store, the rules, delivery and its database as they are, on one clock. Around them what is
 * simulated: machines that are well or not and can be read or not, and a receiver that is there or not.
 * Invariant: everything that is checked is checked against what a scrape could know, never against our own state. */
#ifndef DAYS_WORLD_H
#define DAYS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify/core.h"
#include "notify/text.h"
#include "rules/rules.h"
#include "store/store.h"
#include "tocsin/conf.h"
#include "tocsin/mem.h"

#define T0 1700000000000
#define SEC 1000LL
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define NEVER INT64_MAX

enum { MACHINES = 8, RULES = 5, RECEIVERS = 2, MAX_CALLS = 64 };
enum rule_of { BAD, SLOW, STICKY, COPIED, DOWN };
static const char *const rule_names[RULES] = { "Bad", "Slow", "Sticky", "Copied", "Down" };
static const int64_t for_of[RULES] = { [SLOW] = 5 * MIN, [DOWN] = 2 * MIN };

/* What is known of a machine: what its last good scrape said. NOTHING: there was none since the start. */
enum knowledge { NOTHING, WELL, ILL, GONE };

struct machine {
	char name[8];
	bool ill, cut, removed;                 /* the truth */
	int64_t ill_flip, cut_flip;             /* when that changes */
	struct known {
		enum knowledge what;            /* of <up>, ILL: it is cut */
		bool lost;                      /* it is what was, and may not be any more */
		int64_t since;
		bool was_ill;                   /* the last that was said, before or after a start */
		int64_t ill_since;
	} health, up;
	bool seen, attempted;                   /* since the start */
	struct store_series *series[2];         /* up, health; of the store there is */
};

struct ledger {                         /* of one alert: what rules told us to tell */
	unsigned fired, ended;
	int64_t since;                          /* of the last edge */
	int64_t silenced;                       /* until then it was not to be told */
	struct hearing {                        /* what one receiver heard of it */
		bool firing;
		unsigned begun, ended, again;   /* told again without news, since it fired */
	} heard[RECEIVERS];
};

struct call {                           /* a request under way */
	void *tag;
	struct str key, body;                   /* on the heap */
	size_t receiver;
	bool repeat, arrives, arrived, open;
	int64_t at;                             /* when its answer comes */
	struct http_answer answer;
};

struct known_key {                      /* an idempotency key that arrived */
	struct str key;
	bool sure;                              /* and we were told so */
};

enum outage { WORKS, REFUSES, SILENT, BUSY, BROKEN };

struct world {
	struct transport transport;             /* first */
	struct alert_sink sink;
	struct clock clock;                     /* mono is what really passed */
	uint64_t random;
	char dir[64];
	struct store *store;
	struct appender *in, *out;
	struct rules *rules;
	struct core *core;
	int64_t core_due, scrape_due;           /* wall, mono */
	struct machine machines[MACHINES];
	struct ledger ledgers[RULES][MACHINES];
	struct call calls[MAX_CALLS];
	struct map keys;                        /* struct known_key */
	enum outage outage;
	int pace;                               /* how often there is trouble */
	int64_t outage_until, trouble;          /* since <trouble> nothing out of the ordinary happened */
	size_t routes;                          /* which of the configurations is in use */
	bool rule_removed, group_renamed;
	bool stepped;                           /* the clock, and no scrape since: what was read a moment ago still counts */
	size_t messages, doubtful, restarts, steps, reloads, outages;
};

/* ---- chance ---- */

static inline uint64_t chance(struct world *w, uint64_t n)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

/* Between half and one and a half of it. */
static inline int64_t about(struct world *w, int64_t ms)
{
	return ms / 2 + (int64_t)chance(w, (uint64_t)ms + 1);
}

static inline void wrong(const struct world *w, const char *what, const char *rule, size_t machine)
{
	fail_msg("after %.3f h: %s: %s of %s", (double)(w->clock.mono - T0) / (double)HOUR, what, rule, w->machines[machine].name);
}

/* ---- what rules tell ---- */

static inline bool find_alert(struct labels l, size_t *rule, size_t *machine)
{
	for (*rule = 0; *rule < RULES; (*rule)++)
		for (*machine = 0; *machine < MACHINES; (*machine)++) {
			char name[8];

			snprintf(name, sizeof name, "m%zu", *machine);
			if (str_eq(labels_get(l, STR("alertname")), str_of(rule_names[*rule])) &&
			    str_eq(labels_get(l, STR("instance")), str_of(name)))
				return true;
		}
	return false;
}

static inline const struct known *known(const struct world *w, size_t rule, size_t machine)
{
	return rule == DOWN ? &w->machines[machine].up : &w->machines[machine].health;
}

static inline void judge_edge(struct world *w, const struct alert_event *e)
{
	size_t r, m;
	const struct known *k;
	struct ledger *l;
	bool deleted = str_eq(e->reason, STR("rule deleted"));

	assert_true(find_alert(e->record->labels, &r, &m));
	l = &w->ledgers[r][m];
	k = known(w, r, m);
	if (e->edge == EDGE_FIRING) {
		if (l->fired != l->ended)
			wrong(w, "fires twice", rule_names[r], m);
		if (k->what != ILL || (k->lost && !w->stepped))
			wrong(w, "fires though nothing says so", rule_names[r], m);
		if (w->clock.mono - k->ill_since < for_of[r])
			wrong(w, "fires too early", rule_names[r], m);
		l->fired++;
	} else if (e->edge == EDGE_RESOLVED) {
		if (l->fired != l->ended + 1)
			wrong(w, "ends though it does not fire", rule_names[r], m);
		if (!deleted && k->what != WELL && k->what != GONE)
			wrong(w, "ends though nobody knows", rule_names[r], m);
		l->ended++;
	} else {
		return;
	}
	l->since = w->clock.mono;
}

static inline void step(struct world *w)
{
	for (int i = 0; i < 50; i++) {
		w->core_due = core_step(w->core);
		if (w->core_due > w->clock.wall)
			return;
	}
	fail_msg("delivery has something due for ever");
}

static inline bool sink_commit(struct alert_sink *s, const struct alert_batch_rule *v, size_t n, struct err *e)
{
	struct world *w = (struct world *)((char *)s - offsetof(struct world, sink));

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].n_events; k++)
			judge_edge(w, &v[i].events[k]);
	if (!core_batch(w->core, v, n, e))
		return false;
	step(w);
	return true;
}

static inline bool sink_load(struct alert_sink *s, struct str key, struct arena *a, struct alert_record **out, size_t *n, struct err *e)
{
	return core_load(((struct world *)((char *)s - offsetof(struct world, sink)))->core, key, a, out, n, e);
}

static const struct alert_sink_ops days_sink_ops = { sink_commit, sink_load };

/* ---- the parts, as a start makes them and a kill leaves them ---- */

static const char rules_text[] = "  interval: 30s\n  rules:\n"
				 "  - {record: 'copy:health', expr: health}\n"
				 "  - {alert: Bad, expr: health == 0, annotations: {summary: '{{ $labels.instance }} is ill'}}\n"
				 "  - {alert: Slow, expr: health == 0, for: 5m}\n"
				 "  - {alert: Copied, expr: 'copy:health == 0'}\n"
				 "  - {alert: Down, expr: up == 0, for: 2m}\n",
		  rule_that_goes[] = "  - {alert: Sticky, expr: health == 0, keep_firing_for: 10m}\n";

#define RECEIVER(name) "  - {name: " name ", webhook_configs: [{url: 'http://" name "/'}]}\n"
static const char *const configs[] = {
	"route: {receiver: team, group_by: [alertname]}\nreceivers:\n" RECEIVER("team") RECEIVER("ops"),
	"route: {receiver: team, group_by: [instance], group_wait: 10s}\nreceivers:\n" RECEIVER("team") RECEIVER("ops"),
	"route: {receiver: team, group_by: [alertname], routes: [{matchers: [alertname=Down], receiver: ops}]}\nreceivers:\n" RECEIVER("team")
		RECEIVER("ops"),
};

static inline struct notify_config *days_config(size_t which)
{
	struct arena a = { 0 };
	struct conf_report report = { 0 };
	struct notify_config *c = notify_config_parse(conf_load_text(&a, STR("tocsin.yml"), str_of(configs[which]), &report), &report);

	assert_non_null(c);
	conf_report_fini(&report);
	arena_fini(&a);
	return c;
}

static inline void load_rules(struct world *w)
{
	static const struct rules_options options = { .interval_ms = 30 * SEC, .external_url = { "http://t", 8 } };
	struct conf_report report = { 0 };
	struct rules_plan *plan;
	struct str pattern = STR("r.yml");      /* in the folder of the world, and of the same name in each: groups' slots hang on it */
	FILE *f = fopen("r.yml", "we");

	assert_non_null(f);
	fputs(w->group_renamed ? "groups:\n- name: h\n" : "groups:\n- name: g\n", f);
	fputs(rules_text, f);
	if (!w->rule_removed)
		fputs(rule_that_goes, f);
	assert_int_equal(fclose(f), 0);
	plan = rules_plan_new(w->rules, &options, &pattern, 1, &report);
	assert_true(rules_plan_is_good(plan));
	rules_apply(w->rules, plan);
	conf_report_fini(&report);
}

/* As the scrape loop tells it: of what nothing was read since the start anything may be true. */
static inline void tell_unseen(struct world *w)
{
	struct label labels[MACHINES][2];
	struct store_unseen v[MACHINES];
	size_t n = 0;

	for (size_t i = 0; i < MACHINES; i++) {
		const struct machine *m = &w->machines[i];

		labels[i][0] = (struct label){ STR("instance"), str_of(m->name) };
		labels[i][1] = (struct label){ STR("job"), STR("j") };
		if (!m->removed && !m->seen)
			v[n++] = (struct store_unseen){ .labels = { labels[i], 2 }, .attempted = m->attempted };
	}
	store_set_unseen(w->store, v, n);
}

static inline struct store_series *series_of(struct world *w, const char *metric, const char *instance)
{
	const struct label v[] = { { STR(LABEL_NAME), str_of(metric) }, { STR("instance"), str_of(instance) }, { STR("job"), STR("j") } };
	struct err e = { 0 };
	struct store_series *s = store_series_ref(w->store, (struct labels){ v, 3 }, &e);

	assert_non_null(s);
	return s;
}

static inline void begin(struct world *w)
{
	const struct store_options store = { .clock = &w->clock };
	struct core_options core = { .database_path = "state.db", .clock = &w->clock, .transport = &w->transport,
				     .external_url = STR("http://t"), .seed = chance(w, UINT32_MAX) };
	struct err e = { 0 };

	w->store = store_new(&store);
	w->in = store_appender_new(w->store);
	w->out = store_appender_new(w->store);
	w->core = core_open(&core, days_config(w->routes), &e);
	if (w->core == NULL)
		fail_msg("%s", e.msg);
	w->rules = rules_new(&(struct rules_deps){ store_querier(w->store), &w->out, 1, &w->sink, &w->clock, "kept.json" });
	tell_unseen(w);
	load_rules(w);
	w->scrape_due = w->clock.mono + 5 * SEC;
	step(w);
}

static inline void end(struct world *w)
{
	for (size_t i = 0; i < MACHINES; i++)
		for (size_t k = 0; k < 2; k++) {
			if (w->machines[i].series[k] != NULL)
				store_series_unref(w->store, w->machines[i].series[k]);
			w->machines[i].series[k] = NULL;
		}
	rules_free(w->rules);
	core_close(w->core);
	store_appender_free(w->in);
	store_appender_free(w->out);
	store_free(w->store);
}

/* ---- scrapes ---- */

static inline void know(struct world *w, struct known *k, enum knowledge what, bool lost)
{
	if (k->what != what || k->lost != lost)
		k->since = w->clock.mono;
	if (what == ILL && !k->was_ill)
		k->ill_since = w->clock.mono;
	if (what != NOTHING)
		k->was_ill = what == ILL;
	k->what = what;
	k->lost = lost;
}

static inline void scrape(struct world *w, struct machine *m)
{
	int64_t now = w->clock.wall;
	bool taken;

	if (m->removed)
		return;
	if (m->series[0] == NULL) {
		m->series[0] = series_of(w, "up", m->name);
		m->series[1] = series_of(w, "health", m->name);
		store_series_never_lost(w->store, m->series[0]);
	}
	taken = store_append_ref(w->in, m->series[0], now, !m->cut, NULL) == STORE_OK;
	m->attempted = true;
	if (m->cut && m->seen)
		store_append_end(w->in, m->series[1], now, SERIES_LOST);
	if (!m->cut) {
		taken = store_append_ref(w->in, m->series[1], now, !m->ill, NULL) == STORE_OK && taken;
		m->seen = true;
	}
	know(w, &m->up, taken ? (m->cut ? ILL : WELL) : m->up.what, !taken);
	know(w, &m->health, taken && !m->cut ? (m->ill ? ILL : WELL) : m->health.what, !taken || m->cut);
}

static inline void scrape_all(struct world *w)
{
	struct err e = { 0 };

	for (size_t i = 0; i < MACHINES; i++)
		scrape(w, &w->machines[i]);
	assert_true(w->in->ops->commit(w->in, &e));
	tell_unseen(w);
	w->stepped = false;
	w->scrape_due = w->clock.mono + 30 * SEC;
}

static inline void remove_machine(struct world *w, struct machine *m)
{
	struct err e = { 0 };

	m->removed = true;
	for (size_t k = 0; k < 2 && m->series[k] != NULL; k++) {
		store_append_end(w->in, m->series[k], w->clock.wall + 1, SERIES_GONE);
		store_series_unref(w->store, m->series[k]);
		m->series[k] = NULL;
	}
	assert_true(w->in->ops->commit(w->in, &e));
	m->seen = m->attempted = false;
	tell_unseen(w);
	know(w, &m->up, GONE, false);
	know(w, &m->health, GONE, false);
}

#endif
