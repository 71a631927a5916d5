/* A silence whose comment begins as `maintenance: { prefix }` says is a scheduled maintenance on the status page. A message says only
 * "look at this silence": when it is delivered, the page is made what the silence is by then, so the order of retries does not
 * matter. Ours is known by its metadata; one that a person completed is left alone. */
#include "notify/core.h"
#include "notify/receivers/statuspage.h"
#include "notify/text.h"

#define LISTS 3

enum maintenance_step { STEP_FIND = STATUSPAGE_MAINTENANCE, STEP_COMPONENTS, STEP_CREATE, STEP_CHANGE };

struct maintenance_work {
	struct str silence, name, body;
	int list, page, looks;
	struct str id, status;          /* of the incident that is there; empty: none is */
	bool *on_page;                  /* of each configured component: the page has it; NULL: nobody has looked yet */
};

const char statuspage_default_maintenance_name[] = "{{ with .Comment }}{{ . }}{{ else }}Scheduled maintenance{{ end }}";
const char statuspage_default_maintenance_body[]
	= "From {{ date \"2006-01-02 15:04 MST\" .StartsAt }} to {{ date \"2006-01-02 15:04 MST\" .EndsAt }}.";

/* ---- What is told, when a silence changes. ---- */

static bool concerns(const struct silence *s, const struct component_rule *rule, struct arena *a)
{
	struct labels named = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < s->matchers.n; i++)
		if (s->shown[i].is_equal && !s->shown[i].is_regex)
			named = labels_with(a, named, s->shown[i].name, s->shown[i].value);
	return matchers_test(rule->matchers, rule->n_matchers, named, &e) && e.code == ERR_NONE;
}

static bool is_announced(const struct integration *in, const struct silence *s, struct arena *a)
{
	const struct statuspage_settings *page = &in->statuspage;

	if (in->kind != &receiver_statuspage || page->maintenance_prefix.n == 0 || !str_starts(s->comment, page->maintenance_prefix))
		return false;
	for (size_t i = 0; i < page->n_components; i++)
		if (concerns(s, &page->components[i], a))
			return true;
	return page->n_components == 0;
}

static const struct template_type maintenance_type = { "maintenance", { 0 }, NULL, 0 };

static struct template_value data_of(const struct integration *in, const struct silence *s, struct arena *a)
{
	size_t skip = str_starts(s->comment, in->statuspage.maintenance_prefix) ? in->statuspage.maintenance_prefix.n : 0;

	return notice_record(a, (const struct template_field[]){
		{ STR("Comment"), template_str(str_trim((struct str){ s->comment.p + skip, s->comment.n - skip })) },
		{ STR("Author"), template_str(s->author) },
		{ STR("StartsAt"), template_time_utc(s->starts_ms) },
		{ STR("EndsAt"), template_time_utc(s->ends_ms) },
	}, 4, &maintenance_type);
}

static void announce(struct core *c, const struct integration *in, const struct silence *s)
{
	struct template_value data = data_of(in, s, &c->scratch);
	const struct label about = { STR("silence"), str_of(s->id) };
	struct episode *e = episode_new(c, NULL);
	struct buf b = { 0 };
	struct json_out j = { &b, false };

	text_set(&e->integration, in->name);
	e->identity = in->identity;
	e->seq = 1;
	e->closed = true;
	e->started_ms = core_now_ms(c);
	json_out_open(&j, '{');
	json_out_key(&j, "maintenance");
	json_out_strz(&j, s->id);
	json_out_key(&j, "name");
	statuspage_expand(in, in->statuspage.maintenance_name, data, STR("Scheduled maintenance"), STATUSPAGE_NAME_CHARS, &c->scratch, &j);
	json_out_key(&j, "body");
	statuspage_expand(in, in->statuspage.maintenance_body, data, STR("Scheduled maintenance."), STATUSPAGE_BODY_CHARS, &c->scratch, &j);
	json_out_close(&j, '}');
	episode_save(c, e);
	outbox_add(c, e, str_of(s->id), (struct labels){ &about, 1 }, false, buf_str(&b));
	buf_fini(&b);
}

void statuspage_announce(struct core *c, const struct silence *s, const struct silence *was)
{
	for (size_t i = 0; i < c->config->n_receivers; i++)
		for (size_t k = 0; k < c->config->receivers[i].n; k++) {
			const struct integration *in = &c->config->receivers[i].integrations[k];

			if (is_announced(in, s, &c->scratch) || (was != NULL && is_announced(in, was, &c->scratch)))
				announce(c, in, s);
		}
}

/* ---- The conversation. ---- */

static enum deliver_next ask_list(struct delivery *d)
{
	static const char *const lists[LISTS] = { "/upcoming?per_page", "/active_maintenance?per_page", "?limit" };
	const struct maintenance_work *w = d->state;

	return statuspage_ask(d, STEP_FIND, false, "GET",
			      arena_printf(&d->arena, "/incidents%s=%d&page=%d", lists[w->list], STATUSPAGE_PER_PAGE, w->page), STR(""));
}

bool statuspage_maintenance_begin(struct delivery *d, json_t *message, enum deliver_next *next)
{
	struct str silence = statuspage_text(message, "maintenance");
	struct maintenance_work *w;

	if (silence.n == 0)
		return false;
	w = d->state = ARENA_NEW(&d->arena, struct maintenance_work);
	w->silence = arena_str(&d->arena, silence);
	w->name = arena_str(&d->arena, statuspage_text(message, "name"));
	w->body = arena_str(&d->arena, statuspage_text(message, "body"));
	w->page = 1;
	*next = ask_list(d);
	return true;
}

static const struct silence *silence_now(const struct delivery *d)
{
	return map_get(&d->core->silences, ((const struct maintenance_work *)d->state)->silence);
}

/* It has ended, or its comment announces it no more. */
static bool is_over(struct delivery *d, const struct silence *s)
{
	return s->ends_ms <= core_now_ms(d->core) || !is_announced(d->integration, s, &d->arena);
}

static void put_metadata(struct json_out *j, const struct silence *s)
{
	json_out_key(j, "metadata");
	json_out_open(j, '{');
	json_out_key(j, "tocsin");
	json_out_open(j, '{');
	json_out_key(j, "silence");
	json_out_strz(j, s->id);
	json_out_key(j, "from");
	json_out_time(j, s->starts_ms);
	json_out_key(j, "until");
	json_out_time(j, s->ends_ms);
	json_out_close(j, '}');
	json_out_close(j, '}');
}

static void put_times(struct json_out *j, const struct silence *s)
{
	json_out_key(j, "scheduled_for");
	json_out_time(j, s->starts_ms);
	json_out_key(j, "scheduled_until");
	json_out_time(j, s->ends_ms);
}

/* The page itself begins and ends it, and sets its components meanwhile. */
static void put_switches(struct json_out *j)
{
	static const char *const on[] = { "scheduled_auto_in_progress", "scheduled_auto_completed", "auto_transition_to_maintenance_state",
					  "auto_transition_to_operational_state" };

	for (size_t i = 0; i < ARRAY_LEN(on); i++) {
		json_out_key(j, on[i]);
		json_out_bool(j, true);
	}
}

/* The page would refuse the whole call for one it has not. */
static bool is_part(struct delivery *d, const struct silence *s, size_t i)
{
	const struct maintenance_work *w = d->state;

	return w->on_page[i] && concerns(s, &d->integration->statuspage.components[i], &d->arena);
}

static void put_components(struct json_out *j, struct delivery *d, const struct silence *s, const char *status)
{
	const struct statuspage_settings *page = &d->integration->statuspage;

	json_out_key(j, "component_ids");
	json_out_open(j, '[');
	for (size_t i = 0; i < page->n_components; i++)
		if (is_part(d, s, i))
			json_out_str(j, page->components[i].id);
	json_out_close(j, ']');
	if (status == NULL)
		return;
	json_out_key(j, "components");
	json_out_open(j, '{');
	for (size_t i = 0; i < page->n_components; i++)
		if (is_part(d, s, i)) {
			json_out_key_str(j, page->components[i].id);
			json_out_strz(j, status);
		}
	json_out_close(j, '}');
}

static enum deliver_next write_it(struct delivery *d, enum maintenance_step step, const char *method, struct str path, struct buf *b)
{
	struct str body = arena_str(&d->arena, buf_str(b));

	buf_fini(b);
	return statuspage_ask(d, (int)step, true, method, path, body);
}

static enum deliver_next create(struct delivery *d, const struct silence *s)
{
	const struct maintenance_work *w = d->state;
	bool begun = s->starts_ms <= core_now_ms(d->core);
	struct buf b = { 0 };
	struct json_out j = { &b, false };

	json_out_open(&j, '{');
	json_out_key(&j, "incident");
	json_out_open(&j, '{');
	json_out_key(&j, "name");
	json_out_str(&j, w->name);
	json_out_key(&j, "status");
	json_out_strz(&j, begun ? "in_progress" : "scheduled");
	json_out_key(&j, "body");
	json_out_str(&j, w->body);
	put_times(&j, s);
	put_switches(&j);
	put_components(&j, d, s, begun ? "under_maintenance" : NULL);
	put_metadata(&j, s);
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	return write_it(d, STEP_CREATE, "POST", STR("/incidents"), &b);
}

/* Who only waits has set no component yet. */
static bool sets_components(struct delivery *d, const struct silence *s)
{
	const struct maintenance_work *w = d->state;

	return w->id.n == 0 || (is_over(d, s) && !str_eq(w->status, STR("scheduled")));
}

static enum deliver_next change(struct delivery *d, const struct silence *s)
{
	const struct maintenance_work *w = d->state;
	bool over = is_over(d, s);
	struct buf b = { 0 };
	struct json_out j = { &b, false };

	json_out_open(&j, '{');
	json_out_key(&j, "incident");
	json_out_open(&j, '{');
	if (over) {
		json_out_key(&j, "status");
		json_out_strz(&j, "completed");
		if (sets_components(d, s))
			put_components(&j, d, s, "operational");
	} else {
		json_out_key(&j, "name");
		json_out_str(&j, w->name);
		put_times(&j, s);
	}
	put_metadata(&j, s);
	json_out_close(&j, '}');
	json_out_close(&j, '}');
	return write_it(d, STEP_CHANGE, "PATCH", arena_printf(&d->arena, "/incidents/" STR_FMT, STR_ARG(w->id)), &b);
}

static enum deliver_next ask_components(struct delivery *d)
{
	const struct maintenance_work *w = d->state;

	return statuspage_ask(d, STEP_COMPONENTS, false, "GET",
			      arena_printf(&d->arena, "/components?page=%d&per_page=%d", w->page, STATUSPAGE_PER_PAGE), STR(""));
}

/* Makes the page what the silence is: <w->id> is changed, or one is made. */
static enum deliver_next write_silence(struct delivery *d, const struct silence *s)
{
	struct maintenance_work *w = d->state;

	if (w->on_page == NULL && sets_components(d, s)) {
		w->on_page = ARENA_ARRAY(&d->arena, d->integration->statuspage.n_components + 1, bool);
		w->page = 1;
		if (d->integration->statuspage.n_components > 0)
			return ask_components(d);
	}
	return w->id.n > 0 ? change(d, s) : create(d, s);
}

static enum deliver_next components_listed(struct delivery *d, json_t *list)
{
	struct maintenance_work *w = d->state;

	statuspage_mark_present(d, list, w->on_page);
	if (json_array_size(list) >= STATUSPAGE_PER_PAGE && w->page < STATUSPAGE_MAX_PAGES) {
		w->page++;
		return ask_components(d);
	}
	statuspage_note_missing(d, w->on_page);
	return write_silence(d, silence_now(d));
}

static enum deliver_next done(struct delivery *d, const char *note)
{
	d->note = note;
	return DELIVER_DONE;
}

static bool same_time(json_t *ours, const char *key, int64_t ms)
{
	char text[32];

	return str_eq(statuspage_text(ours, key), (struct str){ text, clock_format_rfc3339(text, ms) });
}

static enum deliver_next meet(struct delivery *d, json_t *incident)
{
	struct maintenance_work *w = d->state;
	const struct silence *s = silence_now(d);
	struct str status = statuspage_text(incident, "status");
	json_t *ours = json_object_get(json_object_get(incident, "metadata"), "tocsin");

	if (str_eq(status, STR("completed")))
		return done(d, "it is completed");
	if (!is_over(d, s) && same_time(ours, "from", s->starts_ms) && same_time(ours, "until", s->ends_ms) &&
	    str_eq(statuspage_text(incident, "name"), w->name))
		return done(d, "it is there");
	w->id = arena_str(&d->arena, statuspage_text(incident, "id"));
	w->status = arena_str(&d->arena, status);
	return write_silence(d, s);
}

static enum deliver_next not_found(struct delivery *d)
{
	struct maintenance_work *w = d->state;
	const struct silence *s = silence_now(d);

	if (d->message->doubtful && ++w->looks < 2) {
		d->not_before_ms = core_now_ms(d->core) + STATUSPAGE_LOOK_AGAIN_MS;
		w->list = 0;
		return ask_list(d);
	}
	if (is_over(d, s))
		return done(d, "there is no maintenance to complete");
	return write_silence(d, s);
}

static enum deliver_next found_list(struct delivery *d, json_t *list)
{
	struct maintenance_work *w = d->state;
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one) if (str_eq(statuspage_text(json_object_get(json_object_get(one, "metadata"), "tocsin"), "silence"),
						    w->silence)) return meet(d, one);
	if (w->list < LISTS - 1 && json_array_size(list) >= STATUSPAGE_PER_PAGE && w->page < STATUSPAGE_MAX_PAGES) {
		w->page++;
		return ask_list(d);
	}
	w->page = 1;
	return ++w->list < LISTS ? ask_list(d) : not_found(d);
}

enum deliver_next statuspage_maintenance_answer(struct delivery *d, json_t *answer)
{
	if (d->step != STEP_FIND && d->step != STEP_COMPONENTS)
		return DELIVER_DONE;
	if (silence_now(d) == NULL)
		return done(d, "the silence is long over");
	return d->step == STEP_FIND ? found_list(d, answer) : components_listed(d, answer);
}
