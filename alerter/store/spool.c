/* A range of addresses is set aside, once; each file has a slot of it. So an address alone tells whether a chunk is in a file.
 * Invariant: a slot without references is mapped to nothing. */
#include "store/spool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define RANGE_BYTES ((uintptr_t)SPOOL_FILE_BYTES * SPOOL_FILES)
#define NOWHERE     (UINTPTR_MAX - RANGE_BYTES)

struct slot {
	_Atomic uint32_t refs;
	size_t bytes;
	int64_t oldest_ms;
};

static struct {
	pthread_mutex_t lock; /* to give out slots and to take them back */
	_Atomic uintptr_t base;
	struct slot v[SPOOL_FILES];
} spool = { .lock = PTHREAD_MUTEX_INITIALIZER, .base = NOWHERE };

static char *place_of(const struct slot *s)
{
	return (char *)(atomic_load_explicit(&spool.base, memory_order_relaxed) + (uintptr_t)(s - spool.v) * SPOOL_FILE_BYTES);
}

static struct slot *slot_of(const void *p)
{
	return &spool.v[((uintptr_t)p - atomic_load_explicit(&spool.base, memory_order_relaxed)) / SPOOL_FILE_BYTES];
}

bool spool_has(const void *p)
{
	return (uintptr_t)p - atomic_load_explicit(&spool.base, memory_order_relaxed) < RANGE_BYTES;
}

/* Under the lock. */
static bool set_aside(void)
{
	void *p;

	if (spool.base != NOWHERE)
		return true;
	p = mmap(NULL, RANGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	spool.base = (uintptr_t)p;
	return true;
}

static struct slot *find_unused(void)
{
	for (size_t i = 0; i < SPOOL_FILES; i++)
		if (spool.v[i].refs == 0)
			return &spool.v[i];
	return NULL;
}

char *spool_map(int fd, size_t n, uint32_t refs, int64_t oldest_ms)
{
	struct slot *s = NULL;

	assert(n > 0 && n <= SPOOL_FILE_BYTES && refs > 0);
	pthread_mutex_lock(&spool.lock);
	if (set_aside())
		s = find_unused();
	if (s != NULL && mmap(place_of(s), n, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		s = NULL;
	if (s != NULL) {
		s->bytes = n;
		s->oldest_ms = oldest_ms;
		s->refs = refs;
	}
	pthread_mutex_unlock(&spool.lock);
	return s != NULL ? place_of(s) : NULL;
}

void spool_ref(const void *p)
{
	atomic_fetch_add(&slot_of(p)->refs, 1);
}

void spool_unref(const void *p)
{
	struct slot *s = slot_of(p);
	uint32_t before = atomic_load(&s->refs);

	while (before > 1)
		if (atomic_compare_exchange_weak(&s->refs, &before, before - 1))
			return;
	pthread_mutex_lock(&spool.lock); /* nobody takes the slot before it is unmapped */
	(void)mmap(place_of(s), SPOOL_FILE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	atomic_store(&s->refs, 0);
	pthread_mutex_unlock(&spool.lock);
}

int64_t spool_oldest_ms(const void *p)
{
	return spool_has(p) ? slot_of(p)->oldest_ms : INT64_MIN;
}

size_t spool_files(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SPOOL_FILES; i++)
		n += atomic_load(&spool.v[i].refs) > 0;
	return n;
}

void spool_cool(void)
{
	pthread_mutex_lock(&spool.lock);
	for (size_t i = 0; i < SPOOL_FILES; i++)
		if (spool.v[i].refs > 0)
			(void)madvise(place_of(&spool.v[i]), spool.v[i].bytes, MADV_DONTNEED);
	pthread_mutex_unlock(&spool.lock);
}
