/* The caller does one half, a thread that lives so long the other. */
#include "store/halves.h"

#include <pthread.h>

enum { FEW = 4096 };

struct half {
	void (*fn)(void *ctx, size_t beg, size_t end);
	void *ctx;
	size_t beg, end;
};

static void *run_half(void *arg)
{
	struct half *h = arg;

	h->fn(h->ctx, h->beg, h->end);
	return NULL;
}

void halves_do(size_t n, size_t group, void (*fn)(void *ctx, size_t beg, size_t end), void *ctx)
{
	struct half second = { fn, ctx, n / 2 / group * group, n };
	pthread_t thread;

	if (n < FEW || pthread_create(&thread, NULL, run_half, &second) != 0) {
		fn(ctx, 0, n);
		return;
	}
	fn(ctx, 0, second.beg);
	pthread_join(thread, NULL);
}
