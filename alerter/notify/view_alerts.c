/* Firing alerts as Alertmanager's API shows them: by group, with what keeps each from being told. Reads only. */
#include "notify/core.h"

#include <stdlib.h>

#include "notify/matcher.h"
#include "notify/receivers/receiver.h"

#define MAX_SILENCES_SHOWN 16

struct filter {
	const struct notify_alert_query *query;
	struct matcher_list matchers;
	struct regex *receiver;
};

static bool fits(const struct filter *f, const struct page_alert *a)
{
	struct err e = {0};

	if (a->ends_ms != 0 || !pager_is_first(a))
		return false;
	return matchers_test(f->matchers.v, f->matchers.n, a->labels, &e) && e.code == ERR_NONE;
}

static const struct str *receivers_of(const struct page_alert *alert, struct arena *a, size_t *n)
{
	struct str *v = ARENA_ARRAY(a, alert->n_groups + 1, struct str);

	*n = 0;
	for (size_t i = 0; i < alert->n_groups; i++) {
		bool seen = alert->groups[i]->route == NULL;

		for (size_t k = 0; k < *n && !seen; k++)
			seen = str_eq(v[k], alert->groups[i]->receiver);
		if (!seen)
			v[(*n)++] = arena_str(a, alert->groups[i]->receiver);
	}
	return v;
}

static const struct str *one(struct arena *a, struct str s)
{
	struct str *v = ARENA_NEW(a, struct str);

	*v = arena_str(a, s);
	return v;
}

static struct notify_alert show(struct core *c, const struct mute_index *index, const struct group *g, const struct page_alert *p,
				struct arena *a)
{
	struct str ids[MAX_SILENCES_SHOWN], *silences = ARENA_ARRAY(a, MAX_SILENCES_SHOWN, struct str),
					    interval = mute_by_time(c, g->route);
	struct notify_alert v = {.labels = labels_copy(a, p->labels),
				 .annotations = labels_copy(a, p->annotations),
				 .generator_url = arena_str(a, p->generator_url),
				 .fingerprint = p->fingerprint,
				 .starts_ms = p->starts_ms,
				 .ends_ms = p->expires_ms};
	uint64_t by;

	v.receivers = receivers_of(p, a, &v.n_receivers);
	v.n_silenced_by = silence_matching(c, p->labels, ids, MAX_SILENCES_SHOWN);
	for (size_t i = 0; i < v.n_silenced_by; i++)
		silences[i] = arena_str(a, ids[i]);
	v.silenced_by = silences;
	if (mute_inhibitor(c, index, p, &by)) {
		v.inhibited_by = one(a, arena_printf(a, "%016llx", (unsigned long long)by));
		v.n_inhibited_by = 1;
	}
	if (interval.n > 0) {
		v.muted_by = one(a, interval);
		v.n_muted_by = 1;
	}
	return v;
}

static bool is_wanted(const struct notify_alert_query *q, const struct notify_alert *v)
{
	if (v->n_silenced_by + v->n_inhibited_by + v->n_muted_by == 0)
		return q->active;
	return (v->n_silenced_by == 0 || q->silenced) && (v->n_inhibited_by == 0 || q->inhibited) &&
	       (v->n_muted_by == 0 || q->muted);
}

static int by_labels(const void *x, const void *y)
{
	return order_labels_of_alerts(((const struct notify_alert *)x)->labels, ((const struct notify_alert *)y)->labels);
}

static struct labels route_labels(struct core *c, const struct filter *f, const struct group *g, struct arena *a)
{
	struct notice n = {.group = g, .receiver = g->receiver, .now_ms = core_now_ms(c), .reason = "none", .external_url = c->external_url, .arena = a};

	n.alerts = ARENA_ARRAY(a, g->n + 1, struct page_alert *);
	for (size_t i = 0; i < g->n; i++)
		if (fits(f, g->members[i]))
			n.alerts[n.n++] = g->members[i];
	n.n_firing = n.n;
	qsort(n.alerts, n.n, sizeof *n.alerts, order_alerts);
	return labels_copy(a, notice_route_labels(&n));
}

static struct notify_alert_group show_group(struct core *c, const struct filter *f, const struct mute_index *index,
					    const struct group *g, struct arena *a)
{
	struct notify_alert *v = ARENA_ARRAY(a, g->n + 1, struct notify_alert);
	struct notify_alert_group out = {.alerts = v};

	for (size_t i = 0; i < g->n; i++) {
		if (!fits(f, g->members[i]))
			continue;
		v[out.n] = show(c, index, g, g->members[i], a);
		out.n += is_wanted(f->query, &v[out.n]);
	}
	qsort(v, out.n, sizeof *v, by_labels);
	out.labels = labels_copy(a, g->labels);
	out.route_labels = route_labels(c, f, g, a);
	out.receiver = arena_str(a, g->receiver);
	return out;
}

static bool read_filter(struct filter *f, struct err *e)
{
	for (size_t i = 0; i < f->query->n_filters; i++)
		if (!matcher_parse_filter(&f->matchers, f->query->filters[i], e))
			return false;
	if (f->query->receiver.n > 0)
		f->receiver = regex_new(f->query->receiver, REGEX_ANCHORED, e);
	return f->query->receiver.n == 0 || f->receiver != NULL || err_context(e, "failed to parse receiver param");
}

static int by_group_labels(const void *x, const void *y)
{
	const struct notify_alert_group *a = x, *b = y;
	int order = order_labels(a->labels, b->labels);

	return order != 0 ? order : str_cmp(a->receiver, b->receiver);
}

bool view_alerts(struct core *c, const struct notify_alert_query *q, struct arena *a, const struct notify_alert_group **out,
		 size_t *n, struct err *e)
{
	struct filter f = {.query = q, .matchers = {.arena = a}};
	struct mute_index *index = mute_index_new(c);
	struct group **groups;
	size_t n_groups = group_list(c, &groups);
	struct notify_alert_group *v = ARENA_ARRAY(a, n_groups + 1, struct notify_alert_group);
	bool ok = read_filter(&f, e);

	*n = 0;
	for (size_t i = 0; ok && i < n_groups; i++) {
		if (f.receiver != NULL && regex_match(f.receiver, groups[i]->receiver) != REGEX_YES)
			continue;
		v[*n] = show_group(c, &f, index, groups[i], a);
		*n += v[*n].n > 0;
	}
	qsort(v, *n, sizeof *v, by_group_labels);
	regex_free(f.receiver);
	matcher_list_free_regexes(&f.matchers);
	mute_index_free(index);
	*out = v;
	return ok;
}
