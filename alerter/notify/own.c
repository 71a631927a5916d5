/* Alerts about ourselves and about those who ought to have been heard of: raised here, without a rule, for what they tell of keeps rules
 * from telling it. They take the ordinary routes, and outlive a restart as all alerts do. */
#include "notify/core.h"

#include "notify/text.h"

#define OWN_RULE "tocsin"       /* where a rule's key would stand */

static struct labels texts(struct arena *a, const struct own_alert *o)
{
	struct labels summary = labels_with(a, (struct labels){ 0 }, STR("summary"), o->summary);

	return labels_with(a, summary, STR("description"), o->description);
}

void own_alert(struct core *c, const struct own_alert *o)
{
	struct labels l = labels_with(&c->scratch, o->labels, STR("alertname"), str_of(o->name));   /* sorted: labels_with keeps it so */
	const struct rule_identity rule = { .key = STR(OWN_RULE), .file = STR(OWN_RULE), .group = STR(OWN_RULE), .name = str_of(o->name),
					    .expr = str_of(o->expr) };
	const struct page_alert *a;
	struct labels notes;
	int64_t now_ms = core_now_ms(c);

	if (!labels_has(l, STR("severity")))
		l = labels_with(&c->scratch, l, STR("severity"), str_of(o->severity));
	a = pager_find(c, rule.key, l);
	if ((a != NULL && a->ends_ms == 0) == o->firing)
		return;
	notes = o->firing ? texts(&c->scratch, o) : labels_copy(&c->scratch, a->annotations);  /* the end says what has ended */
	pager_event(c, &rule,
		    &(struct alert_event){ o->firing ? EDGE_FIRING : EDGE_RESOLVED,
					   &(struct alert_record){ .labels = l,
								   .annotations = notes,
								   .state = o->firing ? ALERT_FIRING : ALERT_INACTIVE,
								   .active_at_ms = o->since_ms != 0 ? o->since_ms : now_ms,
								   .fired_at_ms = o->since_ms != 0 ? o->since_ms : now_ms,
								   .resolved_at_ms = now_ms,
								   .value = o->firing },
					   now_ms, o->reason });
}

/* ---- The disk. ---- */

#define NOT_DURABLE "TocsinStateNotDurable"

void own_durability(struct core *c, const struct err *problem)
{
	struct str why = problem != NULL ? str_of(problem->msg) : STR("");

	own_alert(c, &(struct own_alert){
			     .name = NOT_DURABLE,
			     .severity = "critical",
			     .expr = "tocsin_state_not_durable > 0",
			     .firing = problem != NULL,
			     .summary = STR("Tocsin cannot write its state to disk"),
			     .description = arena_printf(&c->scratch,
							 "Alerts and deliveries are kept in memory only: " STR_FMT
							 ". Pages still go out, but a restart may repeat them.",
							 STR_ARG(why)),
			     .reason = problem != NULL ? why : STR("the state is on disk again"),
		     });
}

void own_resume_durability(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		const struct page_alert *a = s->value;

		if (a->ends_ms == 0 && str_eq(a->rule, STR(OWN_RULE)) && str_eq(labels_get(a->own, STR("alertname")), STR(NOT_DURABLE)))
			c->not_durable_since_ms = a->starts_ms;
	}
}

static struct str damage_text(struct arena *a, struct str file, struct str problem)
{
	if (problem.n > 0)
		return arena_printf(a, "It cannot be replaced, so state is kept in memory only: " STR_FMT ". Mend that and start again: a restart repeats "
				    "pages and forgets ends.", STR_ARG(problem));
	return arena_printf(a, "It was moved to " STR_FMT ", and what could be read of it is in use. What fires may be told again, and ends, silences "
			    "and messages may be missing: compare with what receivers show. This ends within an hour of the file being moved elsewhere.",
			    STR_ARG(file));
}

void own_damage(struct core *c, struct str file, struct str problem)
{
	bool firing = file.n + problem.n > 0;

	own_alert(c, &(struct own_alert){
			     .name = "TocsinStateDamaged",
			     .severity = "critical",
			     .expr = "",
			     .firing = firing,
			     .summary = STR("The database of alerts was damaged"),
			     .description = damage_text(&c->scratch, file, problem),
			     .reason = firing ? (problem.n > 0 ? problem : file) : STR("the damaged file was taken away"),
		     });
}

/* ---- Dead letters: until something arrives there again. ---- */

#define GIVEN_UP "TocsinMessageGivenUp"

bool own_is_ours(const struct page_alert *a)
{
	return str_eq(a->rule, STR(OWN_RULE)) || str_eq(a->rule, STR(OWN_LEFT_BEHIND));
}

bool own_is_dead_letter(const struct page_alert *a, struct str integration)
{
	return own_is_ours(a) && str_eq(labels_get(a->own, STR("alertname")), STR(GIVEN_UP)) &&
	       str_eq(labels_get(a->own, STR("integration")), integration);
}

void own_dead_letter(struct core *c, struct str integration, struct str why, bool dead)
{
	const struct label at[] = { { STR("integration"), integration } };

	own_alert(c, &(struct own_alert){
			     .name = GIVEN_UP,
			     .severity = "critical",
			     .expr = "tocsin_outbox_dead_letters > 0",
			     .firing = dead,
			     .labels = { at, 1 },
			     .summary = arena_printf(&c->scratch, "A message to " STR_FMT " was given up", STR_ARG(integration)),
			     .description = arena_printf(&c->scratch,
							 "It is kept and can be sent again or discarded, on the page or with "
							 "`tocsin-alerter resend`. Why: " STR_FMT,
							 STR_ARG(why)),
			     .reason = dead ? why : STR("a message arrived there again, or what was given up was discarded"),
		     });
}

/* ---- Ends that cannot be told: who was told was removed, or sent elsewhere, while we were away. ---- */

#define NOT_TOLD "TocsinEndNotTold"

void own_stranded(struct core *c, struct str integration, bool stranded)
{
	const struct label at[] = { { STR("integration"), integration } };

	own_alert(c, &(struct own_alert){
			     .name = NOT_TOLD,
			     .severity = "warning",
			     .expr = "tocsin_outbox_stranded_ends > 0",
			     .firing = stranded,
			     .labels = { at, 1 },
			     .summary = arena_printf(&c->scratch, STR_FMT " cannot be told that alerts have ended", STR_ARG(integration)),
			     .description = STR("It was told that they fire, and is configured no more, or sends elsewhere now. Configure it "
						"as it was, beside what is new, and the ends are sent; or end there by hand what it "
						"shows."),
			     .reason = stranded ? STR("where it was told is configured no more")
					       : STR("it is configured again, or given up"),
		     });
}

static bool has_stranded(const struct core *c, struct str integration)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		const struct episode *e = s->value;

		if (!e->closed && str_eq(e->integration, integration) && episode_ended(e) > 0 && core_integration(c, e) == NULL)
			return true;
	}
	return false;
}

/* The label <of> of each of our alerts of this name that fires. */
static struct str *own_firing(struct core *c, const char *name, struct str of, size_t *n)
{
	struct str *found = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct str);

	*n = 0;
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		const struct page_alert *a = s->value;

		if (a->ends_ms == 0 && str_eq(a->rule, STR(OWN_RULE)) && str_eq(labels_get(a->own, STR("alertname")), str_of(name)))
			found[(*n)++] = arena_str(&c->scratch, labels_get(a->own, of));
	}
	return found;
}

void own_recheck_stranded(struct core *c)
{
	size_t n;
	const struct str *found = own_firing(c, NOT_TOLD, STR("integration"), &n);

	for (size_t i = 0; i < n; i++)
		if (!has_stranded(c, found[i]))
			own_stranded(c, found[i], false);
}

/* ---- Rule files that are not in use as they are. ---- */

#define NOT_LOADED "TocsinRuleFileNotLoaded"

static void own_rule_file(struct core *c, struct str file, const struct notify_rule_problem *p)
{
	const struct label at[] = { { STR("file"), file } };
	const char *rest = p == NULL ? "" : p->loaded ? "Its last good version is in use." : "None of its rules is evaluated; what fired goes on.";

	own_alert(c, &(struct own_alert){
			     .name = NOT_LOADED,
			     .severity = "critical",
			     .expr = "prometheus_config_last_reload_successful == 0",
			     .firing = p != NULL,
			     .labels = { at, 1 },
			     .summary = arena_printf(&c->scratch, "The rule file " STR_FMT " is not in use as it is", STR_ARG(file)),
			     .description = p == NULL ? STR("") : arena_printf(&c->scratch, STR_FMT ". %s", STR_ARG(p->problem), rest),
			     .reason = p != NULL ? p->problem : STR("the file is in use as it is, or not named any more"),
		     });
}

void own_rule_files(struct core *c, const struct notify_known *known)
{
	size_t n;
	const struct str *found = own_firing(c, NOT_LOADED, STR("file"), &n);

	for (size_t i = 0; i < n; i++) {
		bool still = false;

		for (size_t k = 0; k < known->n_problems; k++)
			still |= str_eq(known->problems[k].file, found[i]);
		if (!still)
			own_rule_file(c, found[i], NULL);
	}
	for (size_t k = 0; k < known->n_problems; k++)
		own_rule_file(c, known->problems[k].file, &known->problems[k]);
}

/* ---- Rules that are not evaluated. ---- */

void own_evaluation(struct core *c, struct str problem)
{
	own_alert(c, &(struct own_alert){
			     .name = "TocsinRulesNotEvaluated",
			     .severity = "critical",
			     .expr = "time() - prometheus_rule_group_last_evaluation_timestamp_seconds",
			     .firing = problem.n > 0,
			     .summary = STR("Tocsin does not evaluate its rules"),
			     .description = arena_printf(&c->scratch, STR_FMT ". What begins or ends meanwhile is not noticed.", STR_ARG(problem)),
			     .reason = problem.n > 0 ? problem : STR("rules are evaluated again"),
		     });
}
