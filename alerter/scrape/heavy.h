/* What takes long is done by threads of its own, so that the loop goes on with its other targets: large replies, their first ones
 * above all, and the end of targets that had many series. Private to scrape.
 *
 * A job's target and fetch are a thread's from heavy_push until heavy_done hands the job back: the loop touches nothing of them but
 * what target.h says is under shared_lock, and what only target_settle and reloads change. */
#ifndef TOCSIN_SCRAPE_HEAVY_H
#define TOCSIN_SCRAPE_HEAVY_H

#include "scrape/fetch.h"
#include "scrape/target.h"

struct heavy;

struct heavy_job {
	struct heavy_job *next;
	void *owner;           /* the loop's */
	struct target *target;
	struct fetch *fetch;   /* whose body is still packed; NULL: it failed at once, because of <why> */
	struct scrape_reply reply;
	struct err why;
	int64_t t_ms;
	bool ends;             /* the target: its series end, and it is freed; then <target> is NULL */
	struct target_taken taken; /* what came of the reply */
};

/* <woken> is called on a thread whenever a job was done. */
struct heavy *heavy_new(const struct target_env *, void (*woken)(void *ctx), void *ctx);
/* Waits for the jobs that are under way; the others are not done any more. */
void heavy_stop(struct heavy *h);
void heavy_free(struct heavy *h); /* stopped */
/* How large what becomes of the target is, with a reply of so many bytes. */
size_t heavy_bytes(struct heavy *h, const struct target *t, size_t reply_bytes);
/* Takes the job over if it has enough of them. False, and it is still the caller's: it has not, or there can be no thread. */
bool heavy_push(struct heavy *h, size_t bytes, const struct heavy_job *job);
/* A job that was done, the caller's to free; NULL: none. */
struct heavy_job *heavy_done(struct heavy *h);
/* Every job was handed back. */
bool heavy_is_idle(struct heavy *h);
/* While it is idle. */
void heavy_set_gauges(struct heavy *h, struct conf_strs health_gauges);

#endif
