/* A group that runs: its alerts, the series it wrote, what it still has to tell the sink. Owned by struct rules; used by the one
 * worker that set <running>. Private to rules/. */
#ifndef TOCSIN_RULES_RUN_H
#define TOCSIN_RULES_RUN_H

#include <pthread.h>

#include "rules/alert_step.h"
#include "tocsin/map.h"

struct output {
	struct labels labels;
	bool ended;                     /* lost, and its stale marker is written */
};

/* The series a rule has after one evaluation: those it wrote, and those that are lost. */
struct outputs {
	struct arena arena;
	struct output *v;
	size_t n, cap;
	struct map keys;                /* key text -> itself */
};

struct rule_run {
	const struct rule *def;
	struct map alerts;              /* label key -> struct alert */
	size_t n_alerts;
	struct outputs outputs[2];      /* this evaluation's and the last one's */
	int current;
	struct arena told;              /* events and the records they show, until the sink has taken them */
	struct alert_event *events;
	size_t n_events, cap_events;
	struct sole_target {            /* the one target whose series the last evaluation of an alert rule read; job empty: none or several */
		uint64_t generation;    /* of the selections it was found in, and of how many series they had */
		struct str job, instance;       /* on the heap */
	} sole;
	bool loaded;                    /* the sink's records are here; before that nothing is evaluated */
	bool fresh;                     /* the last reload brought it: its place is a new one */
	bool left;                      /* it stands elsewhere now */
	int64_t unknown_since_ms;       /* the whole rule: nothing returned and we cannot know; 0: known */

	/* Of a recording rule, under the inputs' lock: what others must know of its outputs. */
	bool settled;                   /* evaluated since the start, and what it returned was no "cannot know" */
	bool incomplete;                /* the last evaluation read a window that begins before the data we hold */
	bool unasked;                   /* the last evaluation read what a target may have that was not asked yet */
	struct arena unseen_arena;
	struct labels *unseen;          /* targets the last evaluation did not see */
	size_t n_unseen;

	enum rule_health health;
	struct err last_error;
	bool unknown;
	int64_t last_evaluation_ms;
	double seconds;
	size_t samples, n_over_limit;
	struct arena notes_arena;
	struct promql_note *notes;
	size_t n_notes;
};

struct group_view {
	atomic_size_t refs;
	struct rule_file *file;
	struct arena arena;
	struct rule_group_view view;
};

struct group_run {
	const struct rule_group *def;
	struct rule_file *file;
	struct rule_run *rules;
	bool running;                   /* a worker has it; under the scheduler's lock, as are the next five */
	int64_t due_ms;
	int64_t shift_ms;               /* the wall clock stepped; applied by who runs it next */
	bool raise;                     /* a target it reads has just been scraped */
	int64_t raised_ms;
	struct arena raise_arena;
	struct labels raise_target;     /* in raise_arena */
	int64_t last_evaluation_ms;
	double seconds;
	uint64_t iterations, missed, evaluations, failures;
	struct group_view *view;        /* the latest; under the view lock */
};

struct eval_env {
	struct querier *querier;
	struct appender *appender;
	struct alert_sink *sink;
	pthread_mutex_t *sink_lock;
	const struct rules_options *options;
	struct arena *scratch;          /* reset before each rule */
	pthread_mutex_t *inputs_lock;
	struct group_run *const *groups; /* all of them; they stand still while one runs */
	size_t n_groups;
	bool settling;                  /* so soon after the start that targets may not have been asked */
};

/* One tick: every rule in order, each seeing what those before it recorded; then one commit to the sink. */
void rules_group_eval(struct group_run *, const struct eval_env *, int64_t now_ms);
/* Only raises: what the group's alert rules that read one target return right now (semantics, 2). */
void rules_group_raise(struct group_run *, const struct eval_env *, struct labels target, int64_t now_ms);
/* A rule of it would be raised by rules_group_raise. Only while no worker has the group. */
bool rules_group_reads(const struct group_run *, struct labels target);
/* Stale markers for all it wrote and <heir>, which may be NULL, does not: the rule is deleted. */
void rule_run_end_outputs(struct rule_run *, const struct rule_run *heir, struct appender *, struct arena *scratch, int64_t now_ms);

/* moved.c: a rule of these groups of the same kind, name, expression and labels as <def>, which is another one; NULL: none but such as have
 * left. */
struct rule_run *rule_run_like(struct group_run *const *groups, size_t n, const struct rule *def);
/* <to>, which has nothing yet, goes on with all <from> had. <from> is left with what is to be told under its name: that its records go. */
void rule_run_move(struct rule_run *to, struct rule_run *from, struct arena *scratch);
void rule_run_copy(struct rule_run *to, const struct rule_run *from, struct arena *scratch);        /* the alerts */

/* Records and events of these rules in one commit. What the sink took is forgotten, resolved alerts too. False: offered again. */
bool rule_runs_commit(struct rule_run *, size_t n, const struct eval_env *, int64_t now_ms);
/* The sink's records become alerts. False: to be tried again. */
bool rule_run_load(struct rule_run *, struct alert_sink *, pthread_mutex_t *sink_lock, int64_t interval_ms, int64_t now_ms);
/* The rule is deleted: firing ones resolve, pending ones are dropped; to be committed. <heir>: a rule that is like it, or NULL; of what fires there
 * on nothing is told. */
void rule_run_end(struct rule_run *, struct rule_run *heir, struct arena *scratch, int64_t now_ms);
/* sole.c: which one target the rule reads, looked for again when a series came or went. */
void rule_find_sole(struct rule_run *, struct querier *, int64_t query_ms, struct arena *scratch);
/* Every selector is an instant or range one that this target answers alone, by its matchers or as things are. */
bool rule_reads_only(const struct rule_run *, struct labels target);
/* The texts are copied; empty: none. */
void rule_run_set_sole(struct rule_run *, struct str job, struct str instance);
void rule_run_fini(struct rule_run *);
void rule_run_shift(struct rule_run *, int64_t by_ms);

/* What <reader> must add to its result for the recording rules it reads: targets they did not see, or that nothing is known. */
void rule_inputs_read(const struct rule_run *reader, const struct eval_env *, struct promql_result *);
/* A recording rule was evaluated. */
void rule_inputs_tell(struct rule_run *, const struct eval_env *, const struct promql_result *, bool settled);

struct alert *rule_run_find(struct rule_run *, struct labels, struct arena *scratch);
struct alert *rule_run_add(struct rule_run *, struct labels, struct arena *scratch);

/* What on_no_data: fire and on_error: fire raise bears this label, and has no value. */
#define SYNTHETIC_LABEL "reason"
#define SYNTHETIC_NO_DATA "no data"
#define SYNTHETIC_ERROR "error"
static inline bool rule_synthetic_by_error(struct labels l)
{
	return str_eq(labels_get(l, STR(SYNTHETIC_LABEL)), STR(SYNTHETIC_ERROR));
}
/* An edge people may hear of, with the record as it is now. EDGE_NONE is ignored. */
void rule_run_tell(struct rule_run *, struct alert *, enum alert_edge, int64_t now_ms, struct str reason);
/* One text for a label set: equal sets, equal texts. Lives in <a>. */
struct str labels_key(struct arena *a, struct labels l);

/* Writes the new set of outputs: begin, put each, end. What was there and is no more gets a stale marker, or is marked lost. */
struct outputs *outputs_begin(struct rule_run *);
/* False: this label set was put before. */
bool outputs_put(struct outputs *, struct labels, bool ended);
bool outputs_has(const struct outputs *, struct labels, struct arena *scratch);
void outputs_fini(struct outputs *);

struct group_view *group_view_new(const struct group_run *);
void group_view_unref(struct group_view *);

#endif
