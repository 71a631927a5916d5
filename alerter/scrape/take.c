/* Samples on their way into the store. Lines are expected in the order of last time: then a line is one comparison, a number and an
 * append by reference. Other lines are looked up by text, and only new ones are parsed and relabelled. */
#include "scrape/take.h"

#include "scrape/protoparse.h"
#include "scrape/series_labels.h"

enum { FUTURE_MS = 600000 };

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

/* Finds out what a text stands for. False: the scrape fails. A store that takes no more series leaves the line without one. */
static bool resolve(struct take *k, struct line *l, struct str text)
{
	struct arena *a = &k->env->scratch;
	struct store_series *series;
	struct labels labels, empty;

	arena_reset(a);
	if (!textparse_labels(text, a, &labels, &empty, &k->err))
		return false;
	if (k->t->histograms.convert && nhcb_attach(k->t, l, labels, a) && !k->t->histograms.classic_too) {
		l->dropped = true;
		return true;
	}
	labels = series_labels(k->t, labels, empty, k->env->type_and_unit, a);
	switch (relabel_apply(k->t->job->metric_relabel.v, k->t->job->metric_relabel.n, &labels, a)) {
	case RELABEL_KEPT:
		break;
	case RELABEL_DROPPED:
		l->dropped = true;
		return true;
	case RELABEL_TOO_LONG:
		return err_set(&k->err, ERR_LIMIT, -1, "metric_relabel_configs: " RELABEL_TOO_LONG_TEXT);
	}
	if (!labels_has(labels, STR(LABEL_NAME)))
		return err_set(&k->err, ERR_BAD_INPUT, -1, "no metric name after relabelling of %.*s",
		               (int)(text.n < 200 ? text.n : 200), text.p);
	if (!check_limits(k, labels))
		return false;
	series = store_series_ref_scraped(k->env->store, labels, &k->refusal);
	if (series == NULL)
		return true;
	l->series = near_to(series);
	health_mark(k->t, k->env, l, labels);
	store_series_own(k->env->store, series, k->t->owner);
	line_take_over_known(k, l);
	return true;
}

/* ---- Samples ---- */

static void see_live(struct take *k, struct line *l, const struct textparse_sample *s)
{
	if (l->health)
		health_put(k, l, s->v);
	if (!l->live) {
		l->live = true;
		k->t->n_live++;
		k->added++;
	}
	k->t->n_lost -= l->lost;
	l->lost = false;
	k->n_live_seen++;
}

static void put_sample(struct take *k, const struct line *l, struct store_series *series, const struct textparse_sample *s)
{
	int64_t t_ms = l->own_time ? s->t_ms : k->t_ms;

	for (size_t i = 0; i < s->n_exemplars; i++)
		take_stage_exemplar(k, series, t_ms, &s->exemplars[i]);
	if (t_ms > k->t_ms + FUTURE_MS) {
		k->out_of_bounds++;
		return;
	}
	switch (store_append_ref(k->env->app, series, t_ms, s->v, s->h)) {
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

/* The first one of its line in this reply. False: the scrape fails. */
static bool see(struct take *k, struct line *l, struct str text, const struct textparse_sample *s)
{
	line_see(k, l);
	if (!l->live && line_series(k->t, l) == NULL && !l->dropped && !resolve(k, l, text))
		return false;
	if (l->part && !s->beside_native)
		nhcb_put(k, l, s);
	if (l->live || (line_series(k->t, l) != NULL && !l->dropped))
		see_live(k, l, s);
	return true;
}

/* A series may have several, each with a time of its own. */
bool take_sample(struct take *k, struct line *l, struct str text, const struct textparse_sample *s)
{
	bool again = line_is_seen(k->t, l);
	struct store_series *series;

	k->scraped++;
	if (!again && !see(k, l, text, s))
		return false;
	if (l->dropped) {
		k->scraped -= l->part && !again;
		return true;
	}
	series = line_series(k->t, l);
	k->kept++;
	l->own_time = s->has_t && k->t->job->honor_timestamps;
	if (k->t->job->sample_limit > 0 && (int64_t)k->kept > k->t->job->sample_limit)
		k->over_samples = true;
	else if (series == NULL)
		k->refused++;
	else if (again && !l->own_time)
		k->duplicates++;
	else
		put_sample(k, l, series, s);
	return true;
}

/* ---- Texts ---- */

static bool malformed(struct take *k)
{
	return err_set(&k->err, k->parse.err.code, k->parse.err.pos, "%s", k->parse.err.msg);
}

static bool take_comment(struct take *k)
{
	struct textparse_meta c;
	struct line *l;

	arena_reset(&k->env->scratch);
	if (!textparse_comment(&k->parse, &k->env->scratch, &c))
		return malformed(k);
	if (k->parse.saw_eof || c.line.p[c.line.n - 1] != '\n')
		return true;
	take_keep_meta(k, &c);
	l = line_find(k, c.line);
	l->comment = true;
	line_see(k, l);
	take_set_next(k, l);
	return true;
}

/* As Prometheus has it: counters and buckets have them. */
static bool may_have_exemplar(struct take *k, struct str series)
{
	struct str name = { series.p, str_chr(series, '{') };

	return name.n == 0 || str_ends(name, STR("_total")) || str_ends(name, STR("_bucket")) ||
	       err_set(&k->err, ERR_SYNTAX, -1, "an exemplar of %.*s, which is no _total and no _bucket",
	               (int)(name.n < 200 ? name.n : 200), name.p);
}

static bool take_line(struct take *k, enum textparse_kind kind)
{
	struct textparse_sample sample;
	struct str text;
	struct line *l = kind == TEXTPARSE_COMMENT && k->t->meta_anew ? NULL : line_expected(k, kind == TEXTPARSE_COMMENT, &text);

	if (l == NULL) {
		if (kind == TEXTPARSE_COMMENT)
			return take_comment(k);
		if (!textparse_series(&k->parse, &text))
			return malformed(k);
		l = line_find(k, text);
	}
	take_set_next(k, l);
	if (kind == TEXTPARSE_SERIES && !textparse_value(&k->parse, &sample))
		return malformed(k);
	if (kind == TEXTPARSE_SERIES)
		return (sample.n_exemplars == 0 || may_have_exemplar(k, text)) && take_sample(k, l, text, &sample);
	line_see(k, l);
	return true;
}

bool take_text(struct take *k, struct str body)
{
	enum textparse_kind kind;

	textparse_init(&k->parse, body, k->format == SCRAPE_FORMAT_OPENMETRICS);
	while ((kind = textparse_next(&k->parse)) != TEXTPARSE_END)
		if (!take_line(k, kind))
			return false;
	return k->parse.err.code == ERR_NONE || malformed(k);
}

/* ---- Protobuf ---- */

static void take_family(void *ctx, const struct textparse_meta *meta)
{
	struct take *k = ctx;

	take_keep_meta(k, meta);
	k->t->meta_ages = true;
}

static bool take_written(void *ctx, struct str series, const struct textparse_sample *sample)
{
	struct take *k = ctx;
	struct line *l = line_of_series(k, series);

	take_set_next(k, l);
	return take_sample(k, l, series, sample);
}

bool take_protobuf(struct take *k, struct str body)
{
	const struct scrape_job *job = k->t->job;
	const struct protoparse_options options = { .native = k->t->histograms.native,
		                                    .classic_too = k->t->histograms.classic_too,
		                                    .limits = { job->bucket_limit, native_schema_for(job->bucket_factor) } };
	const struct protoparse_sink sink = { take_family, take_written, k };

	return protoparse_read(body, &options, &sink, &k->err);
}
