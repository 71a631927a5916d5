/* An entry is on the list or, for the moment in which its worker ends, its sweeper's alone. */
#include "targets.h"

#include <stdlib.h>

#include "tocsin/mem.h"

static const struct expo_family f_targets = { "tocsin_exporter_module_targets", EXPO_GAUGE,
	"Targets of the module that have a connection.", NULL };
static const struct expo_family f_refused = { "tocsin_exporter_targets_refused_total", EXPO_COUNTER,
	"Targets that scrapers named and that were not asked: no pattern allows them, or max_targets was reached.", NULL };

struct target {
	struct worker *worker;
	const struct sources_module *module;    /* of the worker's configuration's parent */
	int64_t asked_mono_ms;
};

struct targets {
	struct worker_owner owner;
	const struct clock *clock;
	struct target *v;               /* under the lock */
	size_t n, cap;
	uint64_t not_allowed, too_many;
};

struct targets *targets_new(const struct worker_owner *owner, const struct clock *clock)
{
	struct targets *t = mem_alloc(sizeof *t);

	*t = (struct targets){ .owner = *owner, .clock = clock };
	return t;
}

static bool is_of(const struct target *t, const struct sources_module *m)
{
	return str_eq(t->module->name, m->name) && str_eq(t->module->fingerprint, m->fingerprint);
}

static struct worker *make(struct targets *t, struct sources *c, const struct sources_module *m, struct str target, struct err *e)
{
	struct sources *own = sources_for_target(c, m, target, e);
	struct worker *w;

	if (own == NULL)
		return NULL;
	w = worker_start(own, &own->v[0], t->clock, &t->owner);
	sources_unref(own);
	t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof *t->v);
	t->v[t->n++] = (struct target){ w, m, clock_mono_ms(t->clock) };
	return w;
}

struct worker *targets_get(struct targets *t, struct sources *c, const struct sources_module *m, struct str target, struct err *e)
{
	size_t of_module = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (!is_of(&t->v[i], m))
			continue;
		of_module++;
		if (!str_eq(t->v[i].worker->source->settings->name, target))
			continue;
		t->v[i].asked_mono_ms = clock_mono_ms(t->clock);
		return t->v[i].worker;
	}
	if (!sources_module_allows(m, target, e)) {
		t->not_allowed++;
		return NULL;
	}
	if (of_module < (size_t)m->max_targets)
		return make(t, c, m, target, e);
	t->too_many++;
	err_set(e, ERR_LIMIT, -1, "module " STR_FMT " has %zu targets at work: at most %lld (max_targets); one is let go after %lld s "
	    "(idle)", STR_ARG(m->name), of_module, (long long)m->max_targets, (long long)m->idle_ms / 1000);
	return NULL;
}

static bool stays(const struct target *t, const struct sources *c, int64_t now)
{
	const struct sources_module *m = sources_find_module(c, t->module->name);

	return t->worker->busy || (m != NULL && is_of(t, m) && now - t->asked_mono_ms < m->idle_ms);
}

bool targets_sweep(struct targets *t, const struct sources *c)
{
	struct worker **gone;
	size_t n = 0, kept = 0;
	bool all;

	pthread_mutex_lock(t->owner.lock);
	gone = mem_alloc((t->n ? t->n : 1) * sizeof *gone);
	for (size_t i = 0; i < t->n; i++) {
		if (stays(&t->v[i], c, clock_mono_ms(t->clock)))
			t->v[kept++] = t->v[i];
		else
			gone[n++] = t->v[i].worker;
	}
	t->n = kept;
	pthread_mutex_unlock(t->owner.lock);
	all = workers_stop(gone, n);
	free(gone);
	return all;
}

void targets_emit(const struct targets *t, const struct sources *c, struct expo_set *out)
{
	for (size_t m = 0; m < c->n_modules; m++) {
		const struct label label = { STR("module"), c->modules[m].name };
		size_t n = 0;

		for (size_t i = 0; i < t->n; i++)
			n += is_of(&t->v[i], &c->modules[m]);
		expo_emit(out, &f_targets, (double)n, &label, 1);
	}
	if (c->n_modules == 0)
		return;
	EXPO_EMIT(out, &f_refused, (double)t->not_allowed, { STR("reason"), STR("not_allowed") });
	EXPO_EMIT(out, &f_refused, (double)t->too_many, { STR("reason"), STR("too_many") });
}

bool targets_free(struct targets *t)
{
	struct worker **v = mem_alloc((t->n ? t->n : 1) * sizeof *v);
	bool all;

	for (size_t i = 0; i < t->n; i++)
		v[i] = t->v[i].worker;
	all = workers_stop(v, t->n);
	free(v);
	free(t->v);
	free(t);
	return all;
}
