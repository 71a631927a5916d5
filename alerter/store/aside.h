/* A thread that does one thing after the other, while its caller goes on. Private to the store. */
#ifndef TOCSIN_STORE_ASIDE_H
#define TOCSIN_STORE_ASIDE_H

struct aside;
/* The thread comes with the first thing there is to do. */
struct aside *aside_new(void);
/* <fn> is done after what it was given before. Returns while that is still being done, or at once: there is one more to do at the most, so that
 * the thread need not sleep until its caller has woken up. By the caller, when there can be no thread. */
void aside_do(struct aside *, void (*fn)(void *ctx), void *ctx);
/* Returns when all is done. */
void aside_wait(struct aside *);
void aside_free(struct aside *); /* as that */

#endif
