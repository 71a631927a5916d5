/* A reply becomes samples, whole or not at all (take.c, over the memory of lines.c).
 *
 * A line is live while its series has samples and no end. What vanished is ended (vanish.c); a failed scrape loses everything that was
 * live. */
#include "scrape/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "scrape/discover.h"
#include "scrape/request.h"
#include "scrape/take.h"
#include "tocsin/mem.h"

enum { TARGET_ARENA_BYTES = 1024, BLIND_ARENA_BYTES = 256 };

struct target *target_new(const struct target_plan *p)
{
	struct target *t = mem_alloc(sizeof *t);

	arena_init_small(&t->arena, TARGET_ARENA_BYTES);
	arena_init_small(&t->blind_arena, BLIND_ARENA_BYTES);
	t->job = p->job;
	t->labels = labels_copy(&t->arena, p->labels);
	t->discovered = labels_copy(&t->arena, p->discovered);
	t->job_name = arena_str(&t->arena, p->job->name);
	t->url = arena_str(&t->arena, p->url);
	t->unix_socket = arena_str(&t->arena, p->unix_socket);
	t->key = arena_str(&t->arena, p->key);
	t->owner = target_owner(p->job->name, p->key);
	t->interval_ms = p->interval_ms;
	t->timeout_ms = p->timeout_ms;
	t->histograms = p->histograms;
	t->tracks_own_times = p->job->track_timestamps_staleness;
	target_refuse(t, p->error);
	return t;
}

void target_refuse(struct target *t, const char *why)
{
	free(t->refused);
	t->refused = why != NULL ? mem_strndup(why, strlen(why)) : NULL;
}

void target_free(struct target *t, struct store *store)
{
	if (t == NULL)
		return;
	for (const struct line *l = NULL; (l = line_next(t, l)) != NULL;)
		store_series_unref(store, line_series(t, l));
	for (int i = 0; i < REPORTS; i++)
		store_series_unref(store, t->reports[i]);
	target_meta_fini(t);
	nhcb_free(t);
	free(t->refused);
	free(t->gauges);
	free(t->known);
	free(t->lines);
	free(t->order);
	arena_fini(&t->blind_arena);
	arena_fini(&t->arena);
	free(t);
}

/* ---- The whole reply ---- */

static bool pick_format(struct take *k, const struct scrape_reply *r)
{
	k->format = scrape_format_of(r->content_type);
	if (k->format == SCRAPE_FORMAT_UNKNOWN)
		k->format = (enum scrape_format)k->t->job->fallback_format;
	return k->format != SCRAPE_FORMAT_UNKNOWN ||
	       err_set(&k->err, ERR_BAD_INPUT, -1, "received unsupported Content-Type \"%.*s\" and no fallback_scrape_protocol is set",
	               (int)(r->content_type.n < 100 ? r->content_type.n : 100), r->content_type.n ? r->content_type.p : "");
}

static bool check_reply(struct take *k, const struct scrape_reply *r)
{
	int64_t limit = k->t->job->body_size_limit;

	if (k->t->refused != NULL)
		return err_set(&k->err, ERR_LIMIT, -1, "%s", k->t->refused);
	if (r->transport_error != NULL)
		return err_set(&k->err, ERR_UPSTREAM, -1, "%s", r->transport_error);
	if (r->http_status != 200)
		return err_set(&k->err, ERR_UPSTREAM, -1, "server returned HTTP status %d", r->http_status);
	k->body_bytes = (int64_t)r->body.n;
	if (limit > 0 && k->body_bytes >= limit) {
		k->over_body = true;
		k->body_bytes = -1;
		return err_set(&k->err, ERR_LIMIT, -1, "body_size_limit exceeded: %zu bytes (limit %lld)", r->body.n,
		               (long long)limit);
	}
	return pick_format(k, r);
}

/* Stages every sample. False: nothing of it may be committed. */
static bool read_reply(struct take *k, const struct scrape_reply *r)
{
	bool ok;

	if (!check_reply(k, r))
		return false;
	if (r->body.n == 0)
		return true;
	ok = k->format == SCRAPE_FORMAT_PROTOBUF ? take_protobuf(k, r->body) : take_text(k, r->body);
	ok = ok && nhcb_finish(k);
	if (ok && k->over_samples)
		ok = err_set(&k->err, ERR_LIMIT, -1, "sample_limit exceeded: %llu samples (limit %lld)",
		             (unsigned long long)k->kept, (long long)k->t->job->sample_limit);
	return ok;
}

/* NULL: it is not wanted, or the store is full. */
static struct store_series *report_series(struct target *t, struct target_env *env, enum report which)
{
	static const struct str names[REPORTS] = {
		[REPORT_UP] = { "up", 2 },
		[REPORT_DURATION] = { "scrape_duration_seconds", 23 },
		[REPORT_SCRAPED] = { "scrape_samples_scraped", 22 },
		[REPORT_POST_RELABEL] = { "scrape_samples_post_metric_relabeling", 37 },
		[REPORT_ADDED] = { "scrape_series_added", 19 },
		[REPORT_TIMEOUT] = { "scrape_timeout_seconds", 22 },
		[REPORT_LIMIT] = { "scrape_sample_limit", 19 },
		[REPORT_BODY] = { "scrape_body_size_bytes", 22 },
	};
	struct err full = { 0 };

	if (which >= REPORT_EXTRA && !t->job->extra_metrics)
		return NULL;
	if (t->reports[which] != NULL)
		return t->reports[which];
	arena_reset(&env->scratch);
	t->reports[which] =
		store_series_ref(env->store, labels_with(&env->scratch, t->labels, STR(LABEL_NAME), names[which]), &full);
	if (t->reports[which] != NULL) {
		store_series_never_lost(env->store, t->reports[which]);
		store_series_own(env->store, t->reports[which], t->owner);
	}
	return t->reports[which];
}

bool target_reports(const struct target *t, const struct store_series *s)
{
	for (int i = 0; i < REPORTS; i++)
		if (t->reports[i] == s)
			return true;
	return false;
}

/* Those that were wanted once end; they are forgotten only after the batch is in. */
static void end_extra_reports(struct target *t, struct target_env *env, int64_t t_ms)
{
	for (int i = REPORT_EXTRA; i < REPORTS && !t->job->extra_metrics; i++)
		if (t->reports[i] != NULL)
			store_append_end(env->app, t->reports[i], t_ms, SERIES_GONE);
}

static void forget_extra_reports(struct target *t, struct store *store)
{
	for (int i = REPORT_EXTRA; i < REPORTS && !t->job->extra_metrics; i++) {
		store_series_unref(store, t->reports[i]);
		t->reports[i] = NULL;
	}
}

static void put_reports(struct take *k, bool up, double duration_s)
{
	const double values[REPORTS] = { [REPORT_UP] = up,
		                         [REPORT_DURATION] = duration_s,
		                         [REPORT_SCRAPED] = (double)k->scraped,
		                         [REPORT_POST_RELABEL] = (double)k->kept,
		                         [REPORT_ADDED] = up ? (double)k->added : 0,
		                         [REPORT_TIMEOUT] = (double)k->t->timeout_ms / 1000,
		                         [REPORT_LIMIT] = (double)k->t->job->sample_limit,
		                         [REPORT_BODY] = (double)k->body_bytes };

	end_extra_reports(k->t, k->env, k->t_ms);

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
	for (struct line *l = NULL; (l = line_next(t, l)) != NULL;) {
		if (line_is_new(t, l))
			line_drop(t, k->env->store, l);
		else if (l->live)
			line_end(k->env, t, l, k->t_ms, SERIES_LOST);
	}
}

/* A reply that was read may still bring nothing: who looks at the target must see why its alerts are unknown. */
static void say_problem(const struct take *k, bool up)
{
	struct target *t = k->t;

	if (!up)
		snprintf(t->last_error, sizeof t->last_error, "%s", k->err.msg);
	else if (k->out_of_order > 0)
		snprintf(t->last_error, sizeof t->last_error, "%" PRIu64 " of %" PRIu64 " samples were refused: they are older than those held; did a clock go back?",
		         k->out_of_order, k->kept);
	else if (k->refused > 0)
		snprintf(t->last_error, sizeof t->last_error, "%" PRIu64 " of %" PRIu64 " samples were refused: %.400s", k->refused, k->kept,
		         k->refusal.msg);
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

struct target_taken target_take(struct target *t, struct target_env *env, const struct scrape_reply *reply, int64_t t_ms)
{
	struct take k = { .t = t, .env = env, .t_ms = t_ms };
	struct target_taken out;

	if (!t->claimed) {
		for (int i = 0; i < REPORTS; i++)
			(void)!report_series(t, env, (enum report)i);
		target_claim(t, env);
	}
	target_count_scrape(t);
	take_begin_meta(&k);
	out.up = read_reply(&k, reply);
	take_finish_meta(&k, out.up);
	take_finish_exemplars(&k, out.up); /* while lines hold their series */
	if (!out.up)
		lose_all(&k);
	put_reports(&k, out.up, reply->duration_s);
	if (out.up && (k.reordered || k.n_live_seen != t->n_live || t->n_lost > 0 || k.n_next + k.n_made != t->n_lines))
		take_judge_vanished(&k);
	else
		(void)!env->app->ops->commit(env->app, &k.err);
	forget_extra_reports(t, env->store);
	if (out.up)
		take_finish_order(&k); /* whoever vanished is no line any more */
	out.n_blind = k.n_blind;
	out.blind_anew = out.up && !store_knows_past(env->store) && (k.n_blind != t->n_blind_seen || k.reordered);
	publish(&k, out.up, reply);
	return out;
}

void target_settle(struct target *t, struct store *store, const struct target_taken *taken)
{
	if (taken->blind_anew)
		target_find_blind(t, store, taken->n_blind);
	t->attempted = true;
	t->away = t->away && t->asked_before;
	t->asked_before = false;
	t->ever_good |= taken->up;
}

bool target_keeps_label(const struct target *t, struct str name)
{
	const struct conf_list *rules = &t->job->metric_relabel;

	return !t->job->honor_labels && !relabel_may_change(rules->v, rules->n, name);
}

struct labels target_kept_labels(const struct target *t, struct arena *a)
{
	struct label *v = ARENA_ARRAY(a, t->labels.n, struct label);
	size_t n = 0;

	for (size_t i = 0; i < t->labels.n; i++)
		if (target_keeps_label(t, t->labels.v[i].name))
			v[n++] = t->labels.v[i];
	return (struct labels){ v, n };
}

void target_end(struct target *t, struct target_env *env, int64_t t_ms)
{
	struct err e = { 0 };

	for (struct line *l = NULL; (l = line_next(t, l)) != NULL;)
		if (l->live || l->lost)
			line_end(env, t, l, t_ms, SERIES_GONE);
	for (int i = 0; i < REPORTS; i++)
		if (t->reports[i] != NULL)
			store_append_end(env->app, t->reports[i], t_ms, SERIES_GONE);
	(void)!env->app->ops->commit(env->app, &e);
}
