/* A reply becomes samples. Lines are expected in the order of last time: then a line is one comparison, a number and an append by
 * reference. Other lines are looked up by text, and only new ones are parsed and relabelled. A reply goes in whole or not at all.
 *
 * A line is live while its series has samples and no end. What vanished is ended: gone, or lost when a health gauge that speaks for
 * it is 0 or vanished too; a failed scrape loses everything that was live. Lost lines are kept and judged again by each good
 * scrape. What the target had before the start comes from the store, as lines without a text until one is read for them: so its first
 * reply is judged like any other. */
#include "scrape/target.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "scrape/discover.h"
#include "scrape/glob.h"
#include "scrape/request.h"
#include "scrape/series_labels.h"
#include "scrape/textparse.h"
#include "tocsin/mem.h"

enum { FUTURE_MS = 600000 };

struct line {
	struct store_series *series; /* NULL: a comment, dropped by relabelling, or refused by the store */
	uint64_t seen, made;         /* numbers of scrapes */
	double value;                /* of a health gauge */
	size_t n;
	uint32_t at, place; /* in the last order; in target.lines */
	bool comment, dropped, health, live, lost, own_time, orphan, was_up, textless;
	char text[];
};

/* One reply on its way in. */
struct take {
	struct target *t;
	struct target_env *env;
	struct textparse parse;
	int64_t t_ms;
	size_t pos, n_next; /* in the old order, in the new one */
	bool reordered;
	size_t n_live_seen, n_blind;
	uint64_t scraped, kept, added;
	uint64_t duplicates, out_of_order, out_of_bounds, refused;
	bool over_samples, over_body, over_labels; /* limits */
	struct err err;
};

static struct str line_text(const struct line *l)
{
	return (struct str){ l->text, l->n };
}

struct target *target_new(const struct target_plan *p)
{
	struct target *t = mem_alloc(sizeof *t);

	t->job = p->job;
	t->labels = labels_copy(&t->arena, p->labels);
	t->discovered = labels_copy(&t->arena, p->discovered);
	t->job_name = arena_str(&t->arena, p->job->name);
	t->url = arena_str(&t->arena, p->url);
	t->unix_socket = arena_str(&t->arena, p->unix_socket);
	t->key = arena_str(&t->arena, p->key);
	t->owner = str_hash(p->key);
	t->interval_ms = p->interval_ms;
	t->timeout_ms = p->timeout_ms;
	return t;
}

static void meta_free(struct target_meta *m)
{
	free(m->metric);
	free(m->type);
	free(m->help);
	free(m->unit);
	free(m);
}

void target_free(struct target *t, struct store *store)
{
	for (size_t i = 0; i < t->n_lines; i++) {
		store_series_unref(store, t->lines[i]->series);
		free(t->lines[i]);
	}
	for (int i = 0; i < REPORTS; i++)
		store_series_unref(store, t->reports[i]);
	for (struct map_slot *s = NULL; (s = map_next(&t->meta, s)) != NULL;)
		meta_free(s->value);
	map_fini(&t->meta);
	map_fini(&t->known);
	map_fini(&t->by_text);
	free(t->lines);
	free(t->order);
	free(t->next_order);
	arena_fini(&t->blind_arena);
	arena_fini(&t->arena);
	free(t);
}

void target_forget_texts(struct target *t)
{
	map_fini(&t->by_text);
	t->n_order = 0;
	for (size_t i = 0; i < t->n_lines; i++)
		t->lines[i]->orphan = true;
}

/* ---- Lines ---- */

/* The key under which a line stands in target.known. */
static struct str series_key(const struct line *l)
{
	return (struct str){ (const char *)&l->series, sizeof l->series };
}

static struct line *line_make(struct target *t, struct str text)
{
	struct line *l = mem_alloc(sizeof *l + text.n + 1);

	memcpy(l->text, text.p, text.n);
	l->n = text.n;
	l->made = t->scrape_no;
	assert(t->n_lines < UINT32_MAX);
	l->place = (uint32_t)t->n_lines;
	t->lines = mem_grow(t->lines, &t->lines_cap, t->n_lines + 1, sizeof(struct line *));
	t->lines[t->n_lines++] = l;
	return l;
}

static struct line *line_new(struct target *t, struct str text)
{
	struct line *l = line_make(t, text);

	map_put(&t->by_text, line_text(l), l);
	return l;
}

static void line_drop(struct target *t, struct store *store, struct line *l)
{
	if (l->textless)
		map_del(&t->known, series_key(l));
	else if (!l->orphan)
		map_del(&t->by_text, line_text(l));
	t->lines[l->place] = t->lines[--t->n_lines];
	t->lines[l->place]->place = l->place;
	t->n_live -= l->live;
	t->n_lost -= l->lost;
	store_series_unref(store, l->series);
	free(l);
}

/* The order of last time is kept until the first line that breaks it. */
static void set_next(struct take *k, struct line *l)
{
	struct target *t = k->t;

	if (!k->reordered && k->pos > 0 && k->pos <= t->n_order && k->n_next == k->pos - 1 && t->order[k->pos - 1] == l) {
		k->n_next++;
		return;
	}
	t->next_order = mem_grow(t->next_order, &t->next_cap, k->n_next + 1, sizeof(struct line *));
	if (!k->reordered && k->n_next > 0)
		memcpy(t->next_order, t->order, k->n_next * sizeof(struct line *));
	k->reordered = true;
	l->at = (uint32_t)k->n_next;
	t->next_order[k->n_next++] = l;
}

static void finish_order(struct take *k)
{
	struct target *t = k->t;

	if (k->reordered) {
		struct line **v = t->order;
		size_t cap = t->order_cap;

		t->order = t->next_order;
		t->order_cap = t->next_cap;
		t->next_order = v;
		t->next_cap = cap;
	}
	t->n_order = k->n_next;
}

/* ---- Labels of a new line ---- */

static bool check_limits(struct take *k, struct labels l)
{
	const struct scrape_job *job = k->t->job;
	bool over = job->label_limit > 0 && (int64_t)l.n > job->label_limit;

	if (over)
		err_set(&k->err, ERR_LIMIT, -1, "label_limit exceeded: %zu labels (limit %lld)", l.n, (long long)job->label_limit);
	for (size_t i = 0; i < l.n && !over; i++) {
		bool name = job->label_name_length_limit > 0 && (int64_t)l.v[i].name.n > job->label_name_length_limit;
		bool value = job->label_value_length_limit > 0 && (int64_t)l.v[i].value.n > job->label_value_length_limit;

		over = name || value;
		if (over)
			err_set(&k->err, ERR_LIMIT, -1, "%s exceeded by label %.*s",
			        name ? "label_name_length_limit" : "label_value_length_limit",
			        (int)(l.v[i].name.n < 100 ? l.v[i].name.n : 100), l.v[i].name.p);
	}
	k->over_labels |= over;
	return !over;
}

static bool is_health_gauge(const struct target_env *env, struct labels l)
{
	struct str metric = labels_get(l, STR(LABEL_NAME));

	for (size_t i = 0; i < env->n_health_gauges; i++)
		if (glob_match(env->health_gauges[i], metric))
			return true;
	return false;
}

/* ---- What the target had before the start ---- */

static void claim(struct target *t, struct target_env *env)
{
	struct arena a = { 0 };
	size_t n;
	const struct store_claim *v = store_claim(env->store, t->owner, &a, &n);

	t->claimed = true;
	for (size_t i = 0; i < n; i++) {
		struct line *l = line_make(t, STR(""));

		l->series = v[i].series;
		l->textless = true;
		l->live = !v[i].lost;
		l->lost = v[i].lost;
		t->n_live += l->live;
		t->n_lost += l->lost;
		l->health = is_health_gauge(env, store_series_labels(env->store, l->series, &a));
		map_put(&t->known, series_key(l), l);
	}
	arena_fini(&a);
}

/* The line goes on where the one without a text is. */
static void take_over_known(struct take *k, struct line *l)
{
	struct line *known = map_get(&k->t->known, series_key(l));

	if (known == NULL)
		return;
	l->made = known->made;
	l->live = known->live;
	l->lost = known->lost;
	k->t->n_live += l->live;
	k->t->n_lost += l->lost;
	line_drop(k->t, k->env->store, known);
}

/* Finds out what a text stands for. False: the scrape fails. A store that takes no more series leaves the line without one. */
static bool resolve(struct take *k, struct line *l)
{
	struct arena *a = &k->env->scratch;
	struct err full = { 0 };
	struct labels labels;

	arena_reset(a);
	if (!textparse_labels(line_text(l), a, &labels, &k->err))
		return false;
	labels = series_labels(k->t, labels, a);
	if (!relabel_apply(k->t->job->metric_relabel.v, k->t->job->metric_relabel.n, &labels, a)) {
		l->dropped = true;
		return true;
	}
	if (!labels_has(labels, STR(LABEL_NAME)))
		return err_set(&k->err, ERR_BAD_INPUT, -1, "no metric name after relabelling of %.*s",
		               (int)(l->n < 200 ? l->n : 200), l->text);
	if (!check_limits(k, labels))
		return false;
	l->health = is_health_gauge(k->env, labels);
	l->series = store_series_ref(k->env->store, labels, &full);
	if (l->series == NULL)
		return true;
	store_series_own(k->env->store, l->series, k->t->owner);
	take_over_known(k, l);
	return true;
}

/* ---- Samples ---- */

static void put_sample(struct take *k, struct line *l, const struct textparse_sample *s)
{
	int64_t t_ms = s->has_t && k->t->job->honor_timestamps ? s->t_ms : k->t_ms;

	l->own_time = s->has_t && k->t->job->honor_timestamps;
	if (l->health) {
		l->value = s->v;
		l->was_up |= s->v != 0;
		k->n_blind += !l->was_up;
	}
	if (!l->live) {
		l->live = true;
		k->t->n_live++;
		k->added++;
	}
	k->t->n_lost -= l->lost;
	l->lost = false;
	k->n_live_seen++;
	if (t_ms > k->t_ms + FUTURE_MS) {
		k->out_of_bounds++;
		return;
	}
	switch (store_append_ref(k->env->app, l->series, t_ms, s->v, NULL)) {
	case STORE_OK:
	case STORE_SAME:
		break;
	case STORE_DUPLICATE:
		k->duplicates++;
		break;
	case STORE_OUT_OF_ORDER:
		k->out_of_order++;
		break;
	case STORE_TOO_OLD:
		k->out_of_bounds++;
		break;
	}
}

static bool take_sample(struct take *k, struct line *l)
{
	struct textparse_sample s;

	if (!textparse_value(&k->parse, &s))
		return err_set(&k->err, k->parse.err.code, k->parse.err.pos, "%s", k->parse.err.msg);
	k->scraped++;
	if (l->seen == k->t->scrape_no) {
		k->kept += !l->dropped;
		k->duplicates += !l->dropped;
		return true;
	}
	l->seen = k->t->scrape_no;
	if (l->series == NULL && !l->dropped && !resolve(k, l))
		return false;
	if (l->dropped)
		return true;
	k->kept++;
	if (k->t->job->sample_limit > 0 && (int64_t)k->kept > k->t->job->sample_limit)
		k->over_samples = true;
	else if (l->series == NULL)
		k->refused++;
	else
		put_sample(k, l, &s);
	return true;
}

static void replace_text(char **to, struct str s)
{
	if (s.p == NULL)
		return;
	free(*to);
	*to = mem_strndup(s.p, s.n);
}

static void keep_meta(struct take *k, const struct textparse_meta *c)
{
	struct target_meta *m;

	if (c->metric.n == 0)
		return;
	pthread_mutex_lock(k->env->shared_lock);
	m = map_get(&k->t->meta, c->metric);
	if (m == NULL) {
		m = mem_alloc(sizeof *m);
		m->metric = mem_strndup(c->metric.p, c->metric.n);
		map_put(&k->t->meta, (struct str){ m->metric, c->metric.n }, m);
	}
	replace_text(&m->type, c->type);
	replace_text(&m->help, c->help);
	replace_text(&m->unit, c->unit);
	pthread_mutex_unlock(k->env->shared_lock);
}

static struct line *find_line(struct take *k, struct str text)
{
	struct line *l = map_get(&k->t->by_text, text);

	if (l == NULL)
		l = line_new(k->t, text);
	else if (l->at < k->t->n_order && k->t->order[l->at] == l)
		k->pos = (size_t)l->at + 1;
	return l;
}

static bool take_comment(struct take *k)
{
	struct textparse_meta c;
	struct line *l;

	arena_reset(&k->env->scratch);
	if (!textparse_comment(&k->parse, &k->env->scratch, &c))
		return err_set(&k->err, k->parse.err.code, k->parse.err.pos, "%s", k->parse.err.msg);
	if (k->parse.saw_eof || c.line.p[c.line.n - 1] != '\n')
		return true;
	keep_meta(k, &c);
	l = find_line(k, c.line);
	l->comment = true;
	l->seen = k->t->scrape_no;
	set_next(k, l);
	return true;
}

static bool take_line(struct take *k, enum textparse_kind kind)
{
	struct line *l = k->pos < k->t->n_order ? k->t->order[k->pos] : NULL;
	struct str text;

	if (l != NULL && l->comment == (kind == TEXTPARSE_COMMENT) && textparse_known(&k->parse, line_text(l))) {
		k->pos++;
	} else {
		if (kind == TEXTPARSE_COMMENT)
			return take_comment(k);
		if (!textparse_series(&k->parse, &text))
			return err_set(&k->err, k->parse.err.code, k->parse.err.pos, "%s", k->parse.err.msg);
		l = find_line(k, text);
	}
	set_next(k, l);
	if (kind == TEXTPARSE_SERIES)
		return take_sample(k, l);
	l->seen = k->t->scrape_no;
	return true;
}

/* ---- What vanished ---- */

struct bad_gauges {
	struct labels *v;
	size_t n, cap;
};

/* Health gauges that are 0 or not there any more. (Orphans were taken away by a reload, not by the exporter.) */
static struct bad_gauges find_bad_gauges(struct take *k, struct arena *a)
{
	struct bad_gauges bad = { 0 };

	for (size_t i = 0; i < k->t->n_lines; i++) {
		const struct line *l = k->t->lines[i];

		if (!l->health || l->series == NULL || l->orphan || (l->seen == k->t->scrape_no && l->value != 0))
			continue;
		bad.v = arena_grow(a, bad.v, bad.n, &bad.cap, bad.n + 1, sizeof *bad.v);
		bad.v[bad.n++] = store_series_labels(k->env->store, l->series, a);
	}
	return bad;
}

/* A gauge speaks for the series whose labels do not contradict its own. */
static bool speaks_for(struct labels gauge, struct labels series)
{
	for (size_t i = 0; i < gauge.n; i++) {
		struct str value;

		if (str_eq(gauge.v[i].name, STR(LABEL_NAME)))
			continue;
		value = labels_get(series, gauge.v[i].name);
		if (value.n > 0 && !str_eq(value, gauge.v[i].value))
			return false;
	}
	return true;
}

static bool is_lost(struct take *k, const struct line *l, const struct bad_gauges *bad, struct arena *a)
{
	struct labels labels;

	if (bad->n == 0)
		return false;
	labels = store_series_labels(k->env->store, l->series, a);
	for (size_t i = 0; i < bad->n; i++)
		if (speaks_for(bad->v[i], labels))
			return true;
	return false;
}

static void end_line(struct target_env *env, struct target *t, struct line *l, int64_t t_ms, enum series_state why)
{
	if (!l->live)
		store_append_state(env->app, l->series, why);
	else if (l->own_time && (t->job == NULL || !t->job->track_timestamps_staleness))
		store_append_state(env->app, l->series, why);
	else
		store_append_end(env->app, l->series, t_ms, why);
	t->n_live -= l->live;
	l->live = false;
	t->n_lost -= l->lost;
	l->lost = why == SERIES_LOST;
	t->n_lost += l->lost;
}

static bool is_forgotten(const struct target_env *env, struct line *l, int64_t t_ms)
{
	int64_t good_ms = store_series_last_ms(env->store, l->series);

	return good_ms == INT64_MIN || good_ms < t_ms - env->retention_ms;
}

/* A series written under another text of this reply has a sample at this time already: then ending it does nothing. */
static void judge_vanished(struct take *k)
{
	struct arena a = { 0 };
	struct bad_gauges bad = find_bad_gauges(k, &a);
	struct line **gone = ARENA_ARRAY(&a, k->t->n_lines, struct line *);
	size_t n_gone = 0;

	for (size_t i = 0; i < k->t->n_lines; i++) {
		struct line *l = k->t->lines[i];

		if (l->seen == k->t->scrape_no)
			continue;
		if (l->series != NULL && (l->live || l->lost)) {
			bool lost = is_lost(k, l, &bad, &a) && !is_forgotten(k->env, l, k->t_ms);

			if (l->live || !lost)
				end_line(k->env, k->t, l, k->t_ms, lost ? SERIES_LOST : SERIES_GONE);
			if (lost)
				continue;
		}
		gone[n_gone++] = l;
	}
	/* The references go only after the batch is in. */
	(void)!k->env->app->ops->commit(k->env->app, &k->err);
	for (size_t i = 0; i < n_gone; i++)
		line_drop(k->t, k->env->store, gone[i]);
	arena_fini(&a);
}

/* ---- The whole reply ---- */

static bool pick_format(struct take *k, const struct scrape_reply *r)
{
	bool openmetrics = request_media_type_is(r->content_type, "application/openmetrics-text");

	if (!openmetrics && !request_media_type_is(r->content_type, "text/plain")) {
		if (k->t->job->fallback_protocol == SCRAPE_PROTOCOL_NONE)
			return err_set(&k->err, ERR_BAD_INPUT, -1,
			               "received unsupported Content-Type \"%.*s\" and no fallback_scrape_protocol is set",
			               (int)(r->content_type.n < 100 ? r->content_type.n : 100),
			               r->content_type.n ? r->content_type.p : "");
		openmetrics = k->t->job->fallback_protocol == SCRAPE_PROTOCOL_OPENMETRICS;
	}
	textparse_init(&k->parse, r->body, openmetrics);
	return true;
}

static bool check_reply(struct take *k, const struct scrape_reply *r)
{
	int64_t limit = k->t->job->body_size_limit;

	if (r->transport_error != NULL)
		return err_set(&k->err, ERR_UPSTREAM, -1, "%s", r->transport_error);
	if (r->http_status != 200)
		return err_set(&k->err, ERR_UPSTREAM, -1, "server returned HTTP status %d", r->http_status);
	if (limit > 0 && (int64_t)r->body.n >= limit) {
		k->over_body = true;
		return err_set(&k->err, ERR_LIMIT, -1, "body_size_limit exceeded: %zu bytes (limit %lld)", r->body.n,
		               (long long)limit);
	}
	return pick_format(k, r);
}

/* Stages every sample. False: nothing of it may be committed. */
static bool read_reply(struct take *k, const struct scrape_reply *r)
{
	enum textparse_kind kind;
	bool ok = true;

	if (!check_reply(k, r))
		return false;
	if (r->body.n == 0)
		return true;
	while (ok && (kind = textparse_next(&k->parse)) != TEXTPARSE_END)
		ok = take_line(k, kind);
	if (ok && k->parse.err.code != ERR_NONE)
		ok = err_set(&k->err, k->parse.err.code, k->parse.err.pos, "%s", k->parse.err.msg);
	if (ok && k->over_samples)
		ok = err_set(&k->err, ERR_LIMIT, -1, "sample_limit exceeded: %llu samples (limit %lld)",
		             (unsigned long long)k->kept, (long long)k->t->job->sample_limit);
	return ok;
}

static struct store_series *report_series(struct target *t, struct target_env *env, enum report which)
{
	static const struct str names[REPORTS] = {
		[REPORT_UP] = { "up", 2 },
		[REPORT_DURATION] = { "scrape_duration_seconds", 23 },
		[REPORT_SCRAPED] = { "scrape_samples_scraped", 22 },
		[REPORT_POST_RELABEL] = { "scrape_samples_post_metric_relabeling", 37 },
		[REPORT_ADDED] = { "scrape_series_added", 19 },
	};
	struct err full = { 0 };

	if (t->reports[which] != NULL)
		return t->reports[which];
	arena_reset(&env->scratch);
	t->reports[which] =
		store_series_ref(env->store, labels_with(&env->scratch, t->labels, STR(LABEL_NAME), names[which]), &full);
	if (t->reports[which] != NULL)
		store_series_never_lost(env->store, t->reports[which]);
	return t->reports[which];
}

static void put_reports(struct take *k, bool up, double duration_s)
{
	const double values[REPORTS] = { [REPORT_UP] = up,
		                         [REPORT_DURATION] = duration_s,
		                         [REPORT_SCRAPED] = (double)k->scraped,
		                         [REPORT_POST_RELABEL] = (double)k->kept,
		                         [REPORT_ADDED] = up ? (double)k->added : 0 };

	for (int i = 0; i < REPORTS; i++) {
		struct store_series *s = report_series(k->t, k->env, (enum report)i);

		if (s != NULL)
			(void)store_append_ref(k->env->app, s, k->t_ms, values[i], NULL);
	}
}

/* Everything that was live is lost; what this reply brought first is forgotten. */
static void lose_all(struct take *k)
{
	struct target *t = k->t;

	store_appender_rollback(k->env->app);
	t->n_order = 0;
	for (size_t i = t->n_lines; i-- > 0;) {
		struct line *l = t->lines[i];

		if (l->made == t->scrape_no)
			line_drop(t, k->env->store, l);
		else if (l->live)
			end_line(k->env, t, l, k->t_ms, SERIES_LOST);
	}
}

/* A reply that was read may still bring nothing: who looks at the target must see why its alerts are unknown. */
static void say_problem(const struct take *k, bool up)
{
	struct target *t = k->t;

	if (!up)
		snprintf(t->last_error, sizeof t->last_error, "%s", k->err.msg);
	else if (k->out_of_order > 0)
		snprintf(t->last_error, sizeof t->last_error, "%llu of %zu samples were refused: they are older than those held; did a clock go back?",
		         (unsigned long long)k->out_of_order, k->kept);
	else
		t->last_error[0] = '\0';
}

static void publish(struct take *k, bool up, const struct scrape_reply *r)
{
	struct scrape_stats *st = k->env->stats;
	struct target *t = k->t;

	pthread_mutex_lock(k->env->shared_lock);
	t->health = up ? SCRAPE_UP : SCRAPE_DOWN;
	say_problem(k, up);
	t->last_scrape_ms = k->t_ms;
	t->last_duration_s = r->duration_s;
	if (up) {
		t->samples = k->scraped;
		t->series = t->n_live;
	}
	st->scrapes++;
	st->failures += !up;
	st->samples_parsed += k->scraped;
	st->body_bytes += r->body.n;
	st->duplicate_timestamp += k->duplicates;
	st->out_of_order += k->out_of_order;
	st->out_of_bounds += k->out_of_bounds;
	st->series_refused += k->refused;
	st->exceeded_sample_limit += k->over_samples;
	st->exceeded_body_size_limit += k->over_body;
	st->exceeded_label_limits += k->over_labels;
	pthread_mutex_unlock(k->env->shared_lock);
}

/* What was before the start is not known: the journal was lost or damaged. Gauges of a whole source, redis_up or probe_success, that are 0
 * since the start then stand for what nobody saw yet. One with a
 * longer name (node_network_up) may be 0 for ever, except our own (tocsin_gauges_up), whose metrics have any name. */
static bool blind_family(struct str gauge, struct str *family)
{
	size_t word = str_chr(gauge, '_') + 1;
	struct str rest;

	if (word > gauge.n)
		return false;
	*family = str_starts(gauge, STR("tocsin_")) ? STR("") : (struct str){ gauge.p, word };
	rest = (struct str){ gauge.p + word, gauge.n - word };
	return family->n == 0 || str_chr(rest, '_') >= rest.n;
}

static void find_blind(struct take *k)
{
	struct target *t = k->t;

	arena_reset(&t->blind_arena);
	t->blind = ARENA_ARRAY(&t->blind_arena, k->n_blind, struct store_unseen);
	t->n_blind = 0;
	for (size_t i = 0; i < t->n_lines && t->n_blind < k->n_blind; i++) {
		const struct line *l = t->lines[i];
		struct store_unseen *u = &t->blind[t->n_blind];
		struct labels all;

		if (!l->health || l->was_up || l->seen != t->scrape_no || l->series == NULL)
			continue;
		all = store_series_labels(k->env->store, l->series, &t->blind_arena);
		*u = (struct store_unseen){ .labels = labels_without(&t->blind_arena, all, STR(LABEL_NAME)), .part = true };
		t->n_blind += blind_family(labels_get(all, STR(LABEL_NAME)), &u->family);
	}
	t->n_blind_seen = k->n_blind;
	t->blind_no++;
}

bool target_take(struct target *t, struct target_env *env, const struct scrape_reply *reply, int64_t t_ms)
{
	struct take k = { .t = t, .env = env, .t_ms = t_ms };
	bool up;

	if (!t->claimed)
		claim(t, env);
	t->scrape_no++;
	up = read_reply(&k, reply);
	if (up)
		finish_order(&k);
	else
		lose_all(&k);
	put_reports(&k, up, reply->duration_s);
	if (up && (k.reordered || k.n_live_seen != t->n_live || t->n_lost > 0 || k.n_next != t->n_lines))
		judge_vanished(&k);
	else
		(void)!env->app->ops->commit(env->app, &k.err);
	if (up && !store_knows_past(env->store) && (k.n_blind != t->n_blind_seen || k.reordered))
		find_blind(&k);
	t->attempted = true;
	t->ever_good |= up;
	publish(&k, up, reply);
	return up;
}

void target_end(struct target *t, struct target_env *env, int64_t t_ms)
{
	struct err e = { 0 };

	for (size_t i = 0; i < t->n_lines; i++)
		if (t->lines[i]->live || t->lines[i]->lost)
			end_line(env, t, t->lines[i], t_ms, SERIES_GONE);
	for (int i = 0; i < REPORTS; i++)
		if (t->reports[i] != NULL)
			store_append_end(env->app, t->reports[i], t_ms, SERIES_GONE);
	(void)!env->app->ops->commit(env->app, &e);
}
