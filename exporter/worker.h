/* A source at work: its threads, the collection under way, what the last one brought. All workers of a publisher share its lock,
 * under which every field below `lock` is read and written; results are immutable and counted. */
#ifndef TOCSIN_EXPORTER_WORKER_H
#define TOCSIN_EXPORTER_WORKER_H

#include <pthread.h>

#include "sources.h"
#include "tocsin/complain.h"

#define WORKER_TASKS_MAX 8

struct worker;

/* What one collection brought. */
struct result {
	int refs;                       /* atomic */
	struct expo_set *set;           /* NULL: it failed with <e> */
	struct err e;
	int64_t took_us;
	int64_t done_mono_ms;
};

struct worker;

struct result *result_ref(struct result *r);
void result_unref(struct result *r);    /* NULL is fine */

struct worker_task {
	const char *name;
	struct result *good;            /* NULL: not yet, or too old */
	struct complaint complaint;
	struct err e;                   /* of the last try; ERR_NONE: it worked */
	int64_t interval_ms;
};

/* The functions are called on the worker's threads, under the lock unless they say otherwise. */
struct worker_owner {
	pthread_mutex_t *lock;
	void (*on_result)(void *ctx, struct worker *w, struct result *r);       /* a collection ended */
	void (*after_result)(void *ctx);        /* behind that, without the lock. NULL: nothing to do */
	/* Once, when what runs beside has done its first round, or ended. NULL: nobody wants to know. Else this is a dry run. */
	void (*on_rest)(void *ctx, struct worker *w);
	void *ctx;
};

struct worker {
	struct sources *config;
	const struct sources_entry *source;
	const char *name;               /* the settings' title */
	const struct clock *clock;
	void *state;
	int refs;                       /* atomic */
	int stop_fd;
	pthread_t collector, runner;
	struct worker_owner owner;

	pthread_mutex_t *lock;          /* the owner's */
	pthread_cond_t wake, ended;
	int threads;                    /* that have not ended */
	bool closed;
	bool stopping;
	bool asked, busy;               /* a collection is wanted; under way */
	bool beginning;                 /* worker_begin() is due or at work: the state is its own */
	int64_t deadline_mono_ms;       /* of that collection */
	struct result *last;            /* NULL: none yet */
	int64_t good_mono_ms;           /* when a collection last worked; 0: never */
	struct complaint complaint;     /* the collector thread's alone */
	struct worker_task tasks[WORKER_TASKS_MAX];
	size_t n_tasks;
	bool rested;
};

/* Opens the source and starts its threads. <source> belongs to <config>, of which a reference is taken. Aborts when no thread can
 * be had. */
struct worker *worker_start(struct sources *config, const struct sources_entry *source, const struct clock *clock,
                            const struct worker_owner *owner);
/* Ends the threads of <n> workers, NULLs among them; without the lock. All are told before the first is waited for; whoever waits
 * for a collection gets one that failed. Then drops the references of worker_start(). One that is not done after some seconds
 * (nothing interrupts who reads a file of a server that is gone) is left behind, with a line in the log: then false, and it, and
 * the lock, go on for ever. */
bool workers_stop(struct worker *const *v, size_t n);
struct worker *worker_ref(struct worker *w);
void worker_unref(struct worker *w);

/* Under the lock. Asks for a collection, or joins the one under way; <*begin>: it is new, and worker_begin() is due. False when the
 * one under way is beyond its deadline: not worth waiting for. */
bool worker_ask(struct worker *w, int64_t deadline_mono_ms, bool *begin) MUST_CHECK;
/* Without the lock: a thread woken under it would run into it at once and sleep again. Drops the caller's reference. */
void worker_begin(struct worker *w);
/* Under the lock: forgets results of tasks that are older than two intervals. */
void worker_expire_tasks(struct worker *w, int64_t now_mono_ms);

#endif
