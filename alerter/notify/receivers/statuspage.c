/* Statuspage: one incident an episode, and component statuses kept at what the worst open alert says. It is reconciled, not poked:
 * each delivery reads what the page shows, changes only what it left there itself, and leaves what a person opened or edited alone.
 * Creating is not idempotent there, so after a doubtful outcome the incident is looked for by its metadata, twice, before it is
 * made again. Source: developer.statuspage.io, "Incidents" and "Components"; 1 request a second a key, 420 and 429 above it. */
#include "notify/receivers/statuspage.h"

#include <stdlib.h>

#include "notify/receivers/markup.h"
#include "notify/text.h"
#include "tocsin/json.h"
#include "tocsin/log.h"
#include "tocsin/version.h"

#define GAP_MS 1050

const char statuspage_default_name[] = "{{ with .CommonAnnotations.title }}{{ . }}{{ else }}{{ with .CommonLabels.alertname }}{{ . "
				       "}}{{ else }}Service disruption{{ end }}{{ end }}";
const char statuspage_default_body[] =
	"{{ if eq .Status \"resolved\" }}This incident has been resolved.{{ else }}"
	"{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}We are investigating a problem.{{ end }}{{ end }}";

const char statuspage_default_identified[] = "The cause has been found and is being worked on.";
const char statuspage_default_monitoring[] = "It works again. We keep watching before we call it resolved.";

static const char *const phase_names[] = {
	[PHASE_INVESTIGATING] = "investigating", [PHASE_IDENTIFIED] = "identified", [PHASE_MONITORING] = "monitoring",
	[PHASE_RESOLVED] = "resolved",
};

enum step { STEP_COMPONENTS, STEP_FIND_OPEN, STEP_FIND_RECENT, STEP_READ, STEP_CREATE, STEP_UPDATE, STEP_COMPONENT };

struct change {                         /* a component to be set */
	struct str id, from, before;    /* <before>: what was ours before */
	int to;
	bool done;
};

struct work {                           /* one attempt */
	struct str name, body, impact, phase;
	bool resolved, only_components;
	struct change *changes;
	size_t n_changes, current;
	bool *on_page;                  /* of each configured component: the page has it */
	int page, looks;
	struct str move;                /* status to give; empty: leave it */
	bool set_impact;
};

/* ---- What alerts mean. ---- */

static size_t rank_of(const struct integration *in, const struct page_alert *a)
{
	struct str severity = labels_get(a->labels, in->statuspage.severity_label);
	size_t i = 0;

	while (i < in->statuspage.n_ranks && !str_eq(in->statuspage.ranks[i].severity, severity))
		i++;
	return i;
}

/* A severity nobody listed is a minor one: it was routed here, so it matters. */
static int impact_of(const struct integration *in, const struct page_alert *a)
{
	size_t rank = rank_of(in, a);

	return rank < in->statuspage.n_ranks ? in->statuspage.ranks[rank].impact : 2;
}

static int status_of(const struct integration *in, const struct component_rule *rule, const struct page_alert *a)
{
	size_t rank = rank_of(in, a);
	struct err e = { 0 };

	if (!matchers_test(rule->matchers, rule->n_matchers, a->labels, &e) && e.code == ERR_NONE)
		return 0;
	if (rule->status >= 0)
		return rule->status;
	return rank < in->statuspage.n_ranks ? in->statuspage.ranks[rank].status : 2;
}

static int worst_in_episode(const struct integration *in, const struct component_rule *rule, const struct episode *e, int64_t now_ms)
{
	int worst = 0;

	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;) {
		const struct page_alert *a = s->value;
		int status = phase_over(in, a, now_ms) ? 0 : status_of(in, rule, a);

		worst = status > worst ? status : worst;
	}
	return worst;
}

/* Over every open episode that concerns the page, whoever opened it. */
static int desired(const struct core *c, uint64_t identity, struct str id)
{
	int worst = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->episodes, s)) != NULL;) {
		const struct episode *e = s->value;
		const struct integration *in = e->closed ? NULL : core_integration(c, e);
		int status;

		if (in == NULL || in->kind != &receiver_statuspage || in->identity != identity)
			continue;
		for (size_t i = 0; i < in->statuspage.n_components; i++) {
			if (!str_eq(in->statuspage.components[i].id, id))
				continue;
			status = worst_in_episode(in, &in->statuspage.components[i], e, core_now_ms(c));
			worst = status > worst ? status : worst;
		}
	}
	return worst;
}

/* ---- The message as the outbox keeps it. ---- */

void statuspage_expand(const struct integration *in, const struct template *t, struct template_value data, struct str fallback,
		       size_t max, struct arena *a, struct json_out *j)
{
	struct buf text = { 0 };
	struct err e = { 0 };
	struct str shown;

	if (!template_expand(t, data, NULL, a, &text, &e)) {
		log_event(LOG_WARN, "a template for the status page failed", "integration", in->name.p, "err", e.msg, NULL);
		buf_reset(&text);
	}
	shown = markup_cut(a, str_trim(buf_str(&text)), &(struct markup_limit){ .max = max });
	json_out_str(j, shown.n > 0 ? shown : fallback);
	buf_fini(&text);
}

static void expand(const struct notice *n, const struct template *t, const char *fallback, size_t max, struct json_out *j)
{
	statuspage_expand(n->integration, t, notice_template_data(n), str_of(fallback), max, n->arena, j);
}

/* What is said of <phase>: the last of these that has been told is what people read. */
static const struct template *body_of(const struct notice *n)
{
	const struct statuspage_settings *s = &n->integration->statuspage;

	if (n->phase == PHASE_MONITORING)
		return s->monitoring_body;
	return n->phase == PHASE_IDENTIFIED && n->episode->phase != PHASE_IDENTIFIED ? s->identified_body : s->body;
}

static void render(const struct notice *n, struct buf *out)
{
	struct json_out j = { out, false };
	int impact = 0;

	for (size_t i = 0; i < n->n; i++) {
		int one = phase_over(n->integration, n->alerts[i], n->now_ms) ? 0 : impact_of(n->integration, n->alerts[i]);

		impact = one > impact ? one : impact;
	}
	json_out_open(&j, '{');
	json_out_key(&j, "name");
	expand(n, n->integration->statuspage.name, "Service disruption", STATUSPAGE_NAME_CHARS, &j);
	json_out_key(&j, "body");
	expand(n, body_of(n),
	       n->n_firing > 0 ? "We are investigating a problem." : "This incident has been resolved.", STATUSPAGE_BODY_CHARS, &j);
	json_out_key(&j, "impact");
	json_out_strz(&j, statuspage_impacts[impact]);
	json_out_key(&j, "phase");
	json_out_strz(&j, phase_names[n->phase]);
	json_out_close(&j, '}');
}

struct str statuspage_text(json_t *o, const char *key)
{
	json_t *s = json_object_get(o, key);

	return json_is_string(s) ? (struct str){ json_string_value(s), json_string_length(s) } : STR("");
}

static struct work *start_work(struct delivery *d, json_t *o)
{
	struct work *w = ARENA_NEW(&d->arena, struct work);

	w->name = arena_str(&d->arena, statuspage_text(o, "name"));
	w->body = arena_str(&d->arena, statuspage_text(o, "body"));
	w->impact = arena_str(&d->arena, statuspage_text(o, "impact"));
	w->phase = arena_str(&d->arena, statuspage_text(o, "phase"));
	w->resolved = str_eq(w->phase, STR("resolved"));
	w->only_components = json_is_true(json_object_get(o, "components"));
	w->changes = ARENA_ARRAY(&d->arena, d->integration->statuspage.n_components + d->core->components.n + 1, struct change);
	w->on_page = ARENA_ARRAY(&d->arena, d->integration->statuspage.n_components + 1, bool);
	return d->state = w;
}

/* ---- Asking. ---- */

enum deliver_next statuspage_ask(struct delivery *d, int step, bool changes, const char *method, struct str path, struct str body)
{
	const struct statuspage_settings *s = &d->integration->statuspage;
	struct label *headers = ARENA_ARRAY(&d->arena, 3, struct label);

	headers[0] = (struct label){ STR("Authorization"), arena_printf(&d->arena, "OAuth " STR_FMT, STR_ARG(s->api_key)) };
	headers[1] = (struct label){ STR("User-Agent"), arena_printf(&d->arena, "tocsin-alerter/%s", version_text()) };
	headers[2] = (struct label){ STR("Content-Type"), STR("application/json") };
	d->step = step;
	d->call_changes = changes;
	d->call = (struct http_call){ .method = method,
				      .url = arena_printf(&d->arena, STR_FMT "/pages/" STR_FMT STR_FMT, STR_ARG(s->api_url),
							  STR_ARG(s->page_id), STR_ARG(path)),
				      .headers = headers,
				      .n_headers = 3,
				      .body = body,
				      .http = &d->integration->http,
				      .timeout_ms = d->integration->timeout_ms };
	return DELIVER_ASK;
}

static enum deliver_next ask(struct delivery *d, enum step step, const char *method, struct str path, struct str body)
{
	return statuspage_ask(d, (int)step, step == STEP_CREATE || step == STEP_UPDATE, method, path, body);
}

static enum deliver_next ask_list(struct delivery *d, enum step step, const char *what)
{
	struct work *w = d->state;

	return ask(d, step, "GET", arena_printf(&d->arena, "/%s?page=%d&per_page=%d", what, w->page, STATUSPAGE_PER_PAGE), STR(""));
}

static enum deliver_next find(struct delivery *d)
{
	struct work *w = d->state;

	w->page = 1;
	return ask_list(d, STEP_FIND_OPEN, "incidents/unresolved");
}

static void put_components(struct json_out *j, struct delivery *d, bool all)
{
	const struct work *w = d->state;
	const struct statuspage_settings *s = &d->integration->statuspage;

	json_out_key(j, "component_ids");
	json_out_open(j, '[');
	for (size_t i = 0; i < s->n_components; i++)
		if (all && w->on_page[i] && worst_in_episode(d->integration, &s->components[i], d->message->episode, core_now_ms(d->core)) > 0)
			json_out_str(j, s->components[i].id);
	json_out_close(j, ']');
	json_out_key(j, "components");
	json_out_open(j, '{');
	for (size_t i = 0; i < w->n_changes; i++) {
		json_out_key_str(j, w->changes[i].id);
		json_out_strz(j, statuspage_statuses[w->changes[i].to]);
	}
	json_out_close(j, '}');
}

static void put_metadata(struct json_out *j, const struct delivery *d)
{
	const struct work *w = d->state;

	json_out_key(j, "metadata");
	json_out_open(j, '{');
	json_out_key(j, "tocsin");
	json_out_open(j, '{');
	json_out_key(j, "episode");
	json_out_strz(j, d->message->episode->id);
	json_out_key(j, "message");
	json_out_str(j, d->message->key);
	json_out_key(j, "impact");
	json_out_str(j, w->impact);
	json_out_close(j, '}');
	json_out_close(j, '}');
}

/* Before the call goes out, what it would leave behind is on disk as ours. */
static void intend_changes(struct delivery *d)
{
	struct work *w = d->state;

	for (size_t i = 0; i < w->n_changes; i++)
		if (!w->changes[i].done)
			core_component_set(
				d->core, d->integration->statuspage.page_id, w->changes[i].id,
				arena_printf(&d->arena, STR_FMT ",%s", STR_ARG(w->changes[i].from), statuspage_statuses[w->changes[i].to]));
}

static enum deliver_next ask_write(struct delivery *d, enum step step)
{
	struct work *w = d->state;
	struct buf b = { 0 };
	struct json_out j = { &b, false };
	struct str status = step == STEP_CREATE ? w->phase : w->move;
	struct str body;

	json_out_open(&j, '{');
	json_out_key(&j, "incident");
	json_out_open(&j, '{');
	if (step == STEP_CREATE) {
		json_out_key(&j, "name");
		json_out_str(&j, w->name);
	}
	if (status.n > 0) {
		json_out_key(&j, "status");
		json_out_str(&j, status);
	}
	if (step == STEP_CREATE || w->set_impact) {
		json_out_key(&j, "impact_override");
		json_out_str(&j, w->impact);
	}
	json_out_key(&j, "body");
	json_out_str(&j, w->body);
	if (!w->resolved || w->n_changes > 0)
		put_components(&j, d, !w->resolved);
	put_metadata(&j, d);
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	body = arena_str(&d->arena, buf_str(&b));
	buf_fini(&b);
	intend_changes(d);
	if (step == STEP_CREATE)
		return ask(d, step, "POST", STR("/incidents"), body);
	return ask(d, step, "PATCH", arena_printf(&d->arena, "/incidents/" STR_FMT, STR_ARG(d->message->episode->remote)), body);
}

/* Components that no incident's call carried, one by one; then done. */
static enum deliver_next finish(struct delivery *d)
{
	struct work *w = d->state;

	for (w->current = 0; w->current < w->n_changes; w->current++) {
		struct change *c = &w->changes[w->current];

		if (c->done)
			continue;
		intend_changes(d);
		return ask(d, STEP_COMPONENT, "PATCH", arena_printf(&d->arena, "/components/" STR_FMT, STR_ARG(c->id)),
		           arena_printf(&d->arena, "{\"component\":{\"status\":\"%s\"}}", statuspage_statuses[c->to]));
	}
	return DELIVER_DONE;
}

/* ---- Components: compare before set. ---- */

static bool lists(struct str statuses, struct str status)
{
	struct str part;

	if (statuses.n == 0)
		return str_eq(status, STR("operational"));
	while (str_cut(&statuses, ',', &part))
		if (str_eq(part, status))
			return true;
	return false;
}

static void keep(struct delivery *d, struct str id, int status)
{
	core_component_set(d->core, d->integration->statuspage.page_id, id,
			   status == 0 ? STR("") : str_of(statuspage_statuses[status]));
}

static void compare(struct delivery *d, struct str id, struct str shown)
{
	struct work *w = d->state;
	struct str page = d->integration->statuspage.page_id, ours = arena_str(&d->arena, core_component(d->core, page, id));
	int want = desired(d->core, d->integration->identity, id);
	bool is_ours = lists(ours, shown);

	if (!is_ours && want == 0)
		keep(d, id, 0);         /* a person's; and we are not involved any more */
	if (!is_ours)
		return;
	if (str_eq(shown, str_of(statuspage_statuses[want])))
		keep(d, id, want);
	else
		w->changes[w->n_changes++] = (struct change){ arena_str(&d->arena, id), arena_str(&d->arena, shown), ours, want, false };
}

/* The call was refused: nothing of it is ours. */
static void withdraw_changes(struct delivery *d)
{
	const struct work *w = d->state;

	for (size_t i = 0; i < w->n_changes; i++)
		if (!w->changes[i].done)
			core_component_set(d->core, d->integration->statuspage.page_id, w->changes[i].id, w->changes[i].before);
}

static bool is_configured(const struct core *c, uint64_t identity, struct str id)
{
	for (size_t i = 0; i < c->config->n_receivers; i++)
		for (size_t k = 0; k < c->config->receivers[i].n; k++) {
			const struct integration *in = &c->config->receivers[i].integrations[k];

			for (size_t n = 0; in->identity == identity && n < in->statuspage.n_components; n++)
				if (str_eq(in->statuspage.components[n].id, id))
					return true;
		}
	return false;
}

static bool is_seen(const struct work *w, struct str id)
{
	for (size_t i = 0; i < w->n_changes; i++)
		if (str_eq(w->changes[i].id, id))
			return true;
	return false;
}

void statuspage_mark_present(const struct delivery *d, json_t *list, bool *on_page)
{
	const struct statuspage_settings *s = &d->integration->statuspage;
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one)
		for (size_t k = 0; k < s->n_components; k++)
			on_page[k] = on_page[k] || str_eq(statuspage_text(one, "id"), s->components[k].id);
}

/* Those of the configuration, and those that were of it when we set them. */
static void read_components(struct delivery *d, json_t *list)
{
	const struct statuspage_settings *s = &d->integration->statuspage;
	struct work *w = d->state;
	size_t i;
	json_t *one;

	statuspage_mark_present(d, list, w->on_page);
	json_array_foreach (list, i, one) {
		struct str id = statuspage_text(one, "id");
		bool mine = false;

		for (size_t k = 0; k < s->n_components; k++)
			mine = mine || str_eq(id, s->components[k].id);
		if (!mine && core_component(d->core, s->page_id, id).n > 0)
			mine = !is_configured(d->core, d->integration->identity, id);
		if (mine && !is_seen(w, id))
			compare(d, id, statuspage_text(one, "status"));
	}
}

void statuspage_note_missing(struct delivery *d, const bool *on_page)
{
	const struct statuspage_settings *s = &d->integration->statuspage;

	for (size_t i = 0; i < s->n_components; i++) {
		if (on_page[i])
			continue;
		d->note = arena_printf(&d->arena, "the page has no component " STR_FMT ": left out", STR_ARG(s->components[i].id)).p;
		log_event(LOG_WARN, "the status page has no such component; it is left out", "integration", d->integration->name.p,
			  "component", s->components[i].id.p, NULL);
	}
}

/* A new configuration names other components than those that are set for what is told. */
static bool has_to_look(struct core *c, const struct integration *in)
{
	const struct statuspage_settings *s = &in->statuspage;
	struct str page = arena_printf(&c->scratch, STR_FMT "/", STR_ARG(s->page_id));

	for (struct map_slot *slot = NULL; (slot = map_next(&c->components, slot)) != NULL;) {
		struct str id = { slot->key.p + page.n, slot->key.n - page.n };

		if (str_starts(slot->key, page) && core_component(c, s->page_id, id).n > 0 && !is_configured(c, in->identity, id))
			return true;
	}
	for (size_t i = 0; i < s->n_components; i++)
		if (core_component(c, s->page_id, s->components[i].id).n == 0 && desired(c, in->identity, s->components[i].id) > 0)
			return true;
	return false;
}

/* The message says only "look": it is made true when it is delivered. */
static void look_at(struct core *c, const struct integration *in)
{
	struct episode *e = episode_new(c, NULL);

	text_set(&e->integration, in->name);
	e->identity = in->identity;
	e->seq = 1;
	e->closed = true;
	e->started_ms = core_now_ms(c);
	episode_save(c, e);
	outbox_add(c, e, arena_printf(&c->scratch, "components of " STR_FMT, STR_ARG(in->statuspage.page_id)), (struct labels){ 0 }, false,
		   STR("{\"components\":true}"));
}

void statuspage_follow(struct core *c)
{
	for (size_t i = 0; i < c->config->n_receivers; i++)
		for (size_t k = 0; k < c->config->receivers[i].n; k++) {
			const struct integration *in = &c->config->receivers[i].integrations[k];

			if (in->kind == &receiver_statuspage && has_to_look(c, in))
				look_at(c, in);
		}
}

/* ---- Answers. ---- */

static enum deliver_next incident_turn(struct delivery *d)
{
	const struct message *m = d->message;
	struct work *w = d->state;

	if (m->episode->remote.n > 0)
		return ask(d, STEP_READ, "GET", arena_printf(&d->arena, "/incidents/" STR_FMT, STR_ARG(m->episode->remote)),
			   STR(""));
	if (m->doubtful || m->seq > 1)
		return find(d);
	if (!w->resolved)
		return ask_write(d, STEP_CREATE);
	d->note = "there is no incident to resolve";
	return finish(d);
}

static void remember(struct delivery *d, struct str id, struct str status)
{
	struct episode *e = d->message->episode;

	text_set(&e->remote, id);
	text_set(&e->remote_status, status);
	episode_save(d->core, e);
}

static bool is_open(struct str status)
{
	return !str_eq(status, STR("resolved")) && !str_eq(status, STR("postmortem")) && !str_eq(status, STR("completed"));
}

/* The incident as it is now: is it still the one we left? */
static enum deliver_next meet(struct delivery *d, json_t *incident)
{
	struct work *w = d->state;
	const struct episode *e = d->message->episode;
	json_t *ours = json_object_get(json_object_get(incident, "metadata"), "tocsin");
	struct str status = statuspage_text(incident, "status");

	if (str_eq(statuspage_text(ours, "message"), d->message->key)) {
		remember(d, statuspage_text(incident, "id"), status);
		d->note = "it had arrived";
		return finish(d); /* components may be meant to be otherwise by now */
	}
	if (!is_open(status) || !str_eq(status, e->remote_status)) {
		d->note = "a person moved the incident on: left alone";
		return finish(d);
	}
	w->move = str_eq(w->phase, status) ? STR("") : w->phase;
	w->set_impact = !w->resolved && str_eq(statuspage_text(incident, "impact_override"), statuspage_text(ours, "impact"))
	                && !str_eq(statuspage_text(ours, "impact"), w->impact);
	return ask_write(d, STEP_UPDATE);
}

static json_t *find_ours(const struct delivery *d, json_t *list)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one) if (str_eq(statuspage_text(json_object_get(json_object_get(one, "metadata"), "tocsin"), "episode"),
						    str_of(d->message->episode->id))) return one;
	return NULL;
}

static enum deliver_next not_found(struct delivery *d)
{
	struct work *w = d->state;

	if (d->message->doubtful && ++w->looks < 2) {
		d->not_before_ms = core_now_ms(d->core) + STATUSPAGE_LOOK_AGAIN_MS;
		return find(d);
	}
	if (!w->resolved)
		return ask_write(d, STEP_CREATE);
	d->note = "there is no incident to resolve";
	return finish(d);
}

static enum deliver_next found_list(struct delivery *d, json_t *list)
{
	struct work *w = d->state;
	json_t *ours = find_ours(d, list);

	if (ours != NULL) {
		remember(d, statuspage_text(ours, "id"), statuspage_text(ours, "status"));
		return meet(d, ours);
	}
	if (d->step == STEP_FIND_RECENT)
		return not_found(d);
	if (json_array_size(list) >= STATUSPAGE_PER_PAGE && w->page < STATUSPAGE_MAX_PAGES) {
		w->page++;
		return ask_list(d, STEP_FIND_OPEN, "incidents/unresolved");
	}
	return ask(d, STEP_FIND_RECENT, "GET", STR("/incidents?limit=100&page=1"), STR(""));
}

static enum deliver_next components_listed(struct delivery *d, json_t *list)
{
	struct work *w = d->state;

	read_components(d, list);
	if (json_array_size(list) < STATUSPAGE_PER_PAGE || w->page >= STATUSPAGE_MAX_PAGES) {
		statuspage_note_missing(d, w->on_page);
		return w->only_components ? finish(d) : incident_turn(d);
	}
	w->page++;
	return ask_list(d, STEP_COMPONENTS, "components");
}

static enum deliver_next written(struct delivery *d, json_t *incident)
{
	struct work *w = d->state;

	if (statuspage_text(incident, "id").n > 0)
		remember(d, statuspage_text(incident, "id"), statuspage_text(incident, "status"));
	for (size_t i = 0; i < w->n_changes; i++)
		keep(d, w->changes[i].id, w->changes[i].to);
	return DELIVER_DONE;
}

static enum deliver_next good(struct delivery *d, json_t *answer)
{
	struct work *w = d->state;

	switch ((enum step)d->step) {
	case STEP_COMPONENTS:
		return components_listed(d, answer);
	case STEP_FIND_OPEN:
	case STEP_FIND_RECENT:
		return found_list(d, answer);
	case STEP_READ:
		return meet(d, answer);
	case STEP_CREATE:
	case STEP_UPDATE:
		return written(d, answer);
	case STEP_COMPONENT:
		keep(d, w->changes[w->current].id, w->changes[w->current].to);
		w->changes[w->current].done = true;
		return finish(d);
	}
	abort();
}

/* A create or update that a server error answered may have been carried out. */
static enum deliver_next bad(struct delivery *d, const struct http_answer *answer)
{
	enum deliver_next next = receiver_judge(d, answer);

	if (d->step == STEP_READ && answer->status == 404) {
		d->note = "the incident is gone: left alone";
		return finish(d);
	}
	d->unknown = d->unknown || (d->call_changes && answer->fate == HTTP_ANSWERED && answer->status >= 500);
	if (d->step < STATUSPAGE_MAINTENANCE && (d->call_changes || d->step == STEP_COMPONENT) && !d->unknown && answer->fate != HTTP_LOST)
		withdraw_changes(d);
	return next;
}

static bool reads_components(struct delivery *d)
{
	return d->integration->statuspage.n_components > 0 || has_to_look(d->core, d->integration);
}

static enum deliver_next begin(struct delivery *d)
{
	json_t *o = json_loadb(d->message->payload.p, d->message->payload.n, 0, NULL);
	enum deliver_next next;

	if (!statuspage_maintenance_begin(d, o, &next)) {
		start_work(d, o)->page = 1;
		next = ((struct work *)d->state)->only_components || reads_components(d) ? ask_list(d, STEP_COMPONENTS, "components")
											 : incident_turn(d);
	}
	json_decref(o);
	return next;
}

static enum deliver_next advance(struct delivery *d, const struct http_answer *answer)
{
	enum deliver_next next;
	json_t *o;

	if (answer == NULL)
		return begin(d);
	if (answer->fate != HTTP_ANSWERED || answer->status < 200 || answer->status >= 300)
		return bad(d, answer);
	o = json_loadb(answer->body.p, answer->body.n, 0, NULL);
	if (o == NULL) {
		d->unknown = d->call_changes;
		d->note = "the answer is no JSON";
		return DELIVER_RETRY;
	}
	next = d->step >= STATUSPAGE_MAINTENANCE ? statuspage_maintenance_answer(d, o) : good(d, o);
	json_decref(o);
	return next;
}

static void secrets(const struct integration *in, struct str *out, size_t *n)
{
	out[(*n)++] = in->statuspage.api_key;
}

const struct receiver_kind receiver_statuspage = {
	.name = "statuspage",
	.repeats = false,
	.ends_by_default = true,
	.has_phases = true,
	.max_in_flight = 1,
	.gap_ms = GAP_MS,
	.render = render,
	.advance = advance,
	.secrets = secrets,
};
