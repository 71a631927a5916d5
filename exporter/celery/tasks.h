/* What the event stream tells of tasks: counters and histograms by (name, hostname, queue), and a bounded table of the tasks
 * under way, since only some events carry a name. Memory is bounded whatever arrives: ids by max_tasks (the longest untouched is
 * forgotten first, waiting before running), label sets, and exceptions, by max_series each (the rest is counted as "other").
 *
 * Not thread-safe: who shares it locks. */
#ifndef TOCSIN_CELERY_TASKS_H
#define TOCSIN_CELERY_TASKS_H

#include "celery/event.h"
#include "celery/settings.h"
#include "tocsin/expo.h"

struct celery_tasks;

struct celery_tasks_options {
	size_t max_tasks, max_series;
	bool generic_hostname;
	int64_t zero_ms;                /* how long a new series is 0, from the first look at it on */
	struct str default_queue;       /* borrowed */
	const struct celery_buckets *runtime, *wait;    /* borrowed */
};

struct celery_tasks *celery_tasks_new(struct celery_tasks_options options);
void celery_tasks_free(struct celery_tasks *t);

/* <now_ms>: wall time of receipt; ages are by it, not by the senders' clocks. */
void celery_tasks_event(struct celery_tasks *t, const struct celery_event *ev, int64_t now_ms);
/* What a worker answered to a question asked at <asked_ms>: these tasks it runs, and no others of those that were running by then
 * (the event of their end was lost). Counts nothing. */
struct celery_running {
	struct str uuid, name, queue;
	int64_t since_ms;
};
void celery_tasks_are_running(struct celery_tasks *t, struct str worker, const struct celery_running *v, size_t n,
                              int64_t asked_ms);
/* The worker is gone, and what it ran with it. */
void celery_tasks_forget_worker(struct celery_tasks *t, struct str worker);

/* When the task was sent, by the sender's clock, in unix time; NaN when no event said so. */
double celery_tasks_sent_s(struct celery_tasks *t, struct str uuid);

/* A label set, and an exception, is shown as 0 the first time and for <zero_ms>, so that increase() sees its first event, whoever
 * of several looks first. */
void celery_tasks_show(struct celery_tasks *t, struct expo_set *set, int64_t now_ms);

#endif
