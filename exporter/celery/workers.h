/* Which workers there are, and whether they live. A worker is known from its events or from its mailbox in the broker; it lives
 * while it gives signs of it. Silence alone makes it a suspect; asked and not answering, it is down. Down workers stay for
 * worker_retention, those that said goodbye for offline_retention; both make room where there are more than WORKERS_MAX.
 *
 * Times are monotonic but where a name says otherwise. Not thread-safe: who shares it locks. */
#ifndef TOCSIN_CELERY_WORKERS_H
#define TOCSIN_CELERY_WORKERS_H

#include "celery/event.h"
#include "tocsin/expo.h"

#define WORKERS_MAX 1000

struct celery_workers;

struct celery_workers_options {
	int64_t retention_ms, offline_retention_ms;
	int64_t spared_ms;              /* until one found to be connected and silent is a suspect again */
};

struct celery_workers *celery_workers_new(struct celery_workers_options options);
void celery_workers_free(struct celery_workers *w);

/* True when the worker is another than before: what ran on it is gone. */
bool celery_workers_event(struct celery_workers *w, const struct celery_event *ev, int64_t mono_ms, int64_t now_ms);
/* Its mailbox exists. Says nothing about life. */
void celery_workers_bound(struct celery_workers *w, struct str node, int64_t mono_ms);
/* It answered. */
void celery_workers_answered(struct celery_workers *w, struct str node, int64_t mono_ms, int64_t now_ms);
/* What stats say. True when the worker is another than before, as above. */
bool celery_workers_stats(struct celery_workers *w, struct str node, double concurrency, double pid, bool solo);
/* Tasks it holds: to be begun at once, and at their eta. */
void celery_workers_reserved(struct celery_workers *w, struct str node, double n);
void celery_workers_scheduled(struct celery_workers *w, struct str node, double n);
/* Nobody was asked for the two. */
void celery_workers_held_unknown(struct celery_workers *w);
/* For each name of an answer, behind celery_workers_stats(). */
void celery_workers_accepted(struct celery_workers *w, struct str node, struct str task, double n);

/* Nodes that have been silent too long, of which it is not settled yet whether they live; texts in <a>. <listening_since>: when
 * the event stream was (re)connected: silence before that is ours. */
size_t celery_workers_suspects(const struct celery_workers *w, int64_t mono_ms, int64_t listening_since, struct arena *a,
                               struct str **out);
/* The suspect did not answer, or cannot be asked. */
void celery_workers_condemn(struct celery_workers *w, struct str node, int64_t mono_ms);
/* Forgets those that were down for long enough. */
void celery_workers_expire(struct celery_workers *w, int64_t mono_ms);

/* A solo pool, or one nobody knows: it answers nothing while it runs a task. */
bool celery_workers_may_be_busy(const struct celery_workers *w, struct str node);
/* The suspect is connected to the broker: it is asked again later. */
void celery_workers_spare(struct celery_workers *w, struct str node, int64_t mono_ms);

/* What a question to all workers told where the broker tells only how many there are that received it (Redis). */
struct celery_census {
	int64_t asked_mono_ms;
	int64_t silent;                 /* workers that received it and did not answer; -1: not told */
	int64_t fell_mono_ms;           /* when there were last fewer than the time before; 0: never */
};
/* How many of those that live, as far as is known, did not answer. */
size_t celery_workers_unanswered(const struct celery_workers *w, int64_t asked_mono_ms);
/* Whether the suspect is gone: it must be one of those that are missing among the silent. Where it cannot be told which of several
 * are, none is for an hour. */
bool celery_workers_is_gone(const struct celery_workers *w, struct str node, const struct celery_census *c, int64_t mono_ms);

void celery_workers_show(const struct celery_workers *w, struct expo_set *set);

#endif
