/* Regions of 64 slabs; a slab holds pieces of one size, movable or not, or pieces of any size that were kept one after the other
 * (then nothing in it is used again before all of it is free). An empty slab is anybody's. Large pieces are malloc's. All is under
 * one lock, held for some instructions: so whoever wants it waits awake for a while. */
#include "store/slab.h"

#include <assert.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tocsin/mem.h"

enum { SLAB_BYTES = 16 << 10, REGION_SLABS = 64 };
/* FIRST: a series of 128 bytes begins where a cache line does. */
enum { UNIT = 8, MOST = 1024, CLASSES = MOST / UNIT, FIRST = 64, WORTH_BYTES = 256 << 10 };

struct region {
	struct region *next;
	uint64_t empty, cold; /* a bit a slab; cold: its pages were given back */
	char *slabs;
};

struct slab { /* at its beginning */
	struct slab *next, *prev; /* of those with room, of one class */
	struct region *region;
	uint16_t n, piece;  /* pieces in use; bytes of each, 0: kept ones */
	uint16_t fresh;     /* behind the pieces that were ever used */
	uint16_t free;      /* the first freed one, in which the next is told; 0: none */
	bool listed;
	bool movable;        /* its pieces are */
	_Atomic bool sparse; /* to be emptied: not listed */
};

static struct {
	pthread_mutex_t lock;
	struct region *regions;
	struct slab *with_room[2][CLASSES]; /* of pieces that stay, of those that may be moved */
	struct slab *keeping; /* NULL: none */
	size_t n, expected; /* expected: bytes */
} pool = { .lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP };

_Static_assert(sizeof(struct slab) <= FIRST, "pieces are behind it");

static size_t in_units(size_t bytes)
{
	return (bytes + UNIT - 1) / UNIT * UNIT;
}

/* Those with room for one more piece of so many bytes. */
static struct slab **with_room(size_t piece, bool movable)
{
	return &pool.with_room[movable][piece / UNIT - 1];
}

static struct slab *slab_of(const void *p)
{
	return (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB_BYTES - 1));
}

/* ---- Slabs ---- */

static struct region *region_new(void)
{
	struct region *r = mem_alloc(sizeof *r);

	r->slabs = aligned_alloc(SLAB_BYTES, (size_t)SLAB_BYTES * REGION_SLABS);
	if (r->slabs == NULL)
		mem_abort((size_t)SLAB_BYTES * REGION_SLABS);
	r->empty = r->cold = UINT64_MAX;
	if (pool.expected >= (size_t)SLAB_BYTES * REGION_SLABS) {
		mem_populate(r->slabs, (size_t)SLAB_BYTES * REGION_SLABS);
		pool.expected -= (size_t)SLAB_BYTES * REGION_SLABS;
		r->cold = 0;
	}
	r->next = pool.regions;
	pool.regions = r;
	return r;
}

static struct slab *slab_new(size_t piece)
{
	struct region *r = pool.regions;
	struct slab *s;
	unsigned i;

	while (r != NULL && r->empty == 0)
		r = r->next;
	if (r == NULL)
		r = region_new();
	i = (unsigned)__builtin_ctzll(r->empty);
	r->empty &= r->empty - 1;
	r->cold &= ~(UINT64_C(1) << i);
	s = (struct slab *)(void *)(r->slabs + (size_t)i * SLAB_BYTES);
	ASAN_UNPOISON_MEMORY_REGION(s, sizeof *s);
	ASAN_POISON_MEMORY_REGION(s + 1, SLAB_BYTES - sizeof *s);
	*s = (struct slab){ .region = r, .piece = (uint16_t)piece, .fresh = FIRST };
	return s;
}

static void list(struct slab *s)
{
	struct slab **head = with_room(s->piece, s->movable);

	s->prev = NULL;
	s->next = *head;
	if (s->next != NULL)
		s->next->prev = s;
	*head = s;
	s->listed = true;
}

static void unlist(struct slab *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		*with_room(s->piece, s->movable) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->listed = false;
}

static void slab_drop(struct slab *s)
{
	if (s->listed)
		unlist(s);
	s->region->empty |= UINT64_C(1) << (size_t)((char *)s - s->region->slabs) / SLAB_BYTES;
}

/* ---- Pieces, under the lock ---- */

static void *take(size_t bytes, bool movable)
{
	size_t piece = in_units(bytes);
	struct slab *s = *with_room(piece, movable);
	uint16_t at;

	assert(bytes >= sizeof s->free);
	if (s == NULL) {
		s = slab_new(piece);
		s->movable = movable;
		list(s);
	}
	at = s->free > 0 ? s->free : s->fresh;
	ASAN_UNPOISON_MEMORY_REGION((char *)s + at, bytes);
	if (s->free > 0)
		memcpy(&s->free, (char *)s + at, sizeof s->free);
	else
		s->fresh = (uint16_t)(s->fresh + piece);
	s->n++;
	if (s->free == 0 && s->fresh + piece > SLAB_BYTES)
		unlist(s);
	return (char *)s + at;
}

static void *take_to_keep(size_t bytes)
{
	size_t length = in_units(bytes);
	struct slab *s = pool.keeping;
	char *p;

	if (s == NULL || s->fresh + length > SLAB_BYTES) {
		if (s != NULL && s->n == 0)
			slab_drop(s);
		s = pool.keeping = slab_new(0);
	}
	p = (char *)s + s->fresh;
	ASAN_UNPOISON_MEMORY_REGION(p, bytes);
	s->fresh = (uint16_t)(s->fresh + length);
	s->n++;
	return p;
}

static void give(void *p, size_t bytes)
{
	struct slab *s = slab_of(p);

	s->n--;
	if (s->piece > 0) {
		memcpy(p, &s->free, sizeof s->free);
		s->free = (uint16_t)((char *)p - (char *)s);
		if (!s->listed && !s->sparse)
			list(s);
	}
	ASAN_POISON_MEMORY_REGION(p, bytes);
	if (s->n == 0 && s != pool.keeping)
		slab_drop(s);
}

/* ---- Moving, under the lock ---- */

static size_t pieces_of(const struct slab *s)
{
	return (SLAB_BYTES - FIRST) / s->piece;
}

static size_t holes_in(const struct slab *s)
{
	return (pieces_of(s) - s->n) * s->piece;
}

static size_t all_holes(const struct slab *s)
{
	size_t bytes = 0;

	for (; s != NULL; s = s->next)
		bytes += holes_in(s);
	return bytes;
}

/* Of one size. What is moved needs slabs of its own. */
static void mark_sparse(struct slab *s)
{
	if (all_holes(s) < 2 * SLAB_BYTES)
		return;
	for (struct slab *next; s != NULL; s = next) {
		next = s->next;
		if (holes_in(s) < SLAB_BYTES / 4)
			continue;
		unlist(s);
		s->sparse = true;
	}
}

static void unmark(struct slab *s)
{
	if (!s->sparse)
		return;
	s->sparse = false;
	list(s);
}

/* ---- For everybody ---- */

static void *allocate(size_t bytes, bool movable)
{
	void *p;

	if (bytes > MOST)
		return mem_alloc(bytes);
	pthread_mutex_lock(&pool.lock);
	p = take(bytes, movable);
	pool.n++;
	pthread_mutex_unlock(&pool.lock);
	return memset(p, 0, bytes);
}

void *slab_alloc(size_t bytes)
{
	return allocate(bytes, false);
}

void *slab_alloc_movable(size_t bytes)
{
	return allocate(bytes, true);
}

void slab_free(void *p, size_t bytes)
{
	if (bytes > MOST || p == NULL) {
		free(p);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	give(p, bytes);
	pool.n--;
	pthread_mutex_unlock(&pool.lock);
}

void *slab_grow(void *p, size_t bytes, size_t more)
{
	void *q;

	if (more > MOST) {
		q = memcpy(slab_alloc_movable(more), p, bytes);
		slab_free(p, bytes);
		return q;
	}
	pthread_mutex_lock(&pool.lock);
	q = memcpy(take(more, true), p, bytes);
	give(p, bytes);
	pthread_mutex_unlock(&pool.lock);
	memset((char *)q + bytes, 0, more - bytes);
	return q;
}

void *slab_keep(const void *p, size_t bytes)
{
	void *q;

	if (bytes > MOST)
		return memcpy(mem_alloc(bytes), p, bytes);
	pthread_mutex_lock(&pool.lock);
	q = take_to_keep(bytes);
	pool.n++;
	pthread_mutex_unlock(&pool.lock);
	return memcpy(q, p, bytes);
}

bool slab_begin_moving(void)
{
	size_t holes = 0;

	pthread_mutex_lock(&pool.lock);
	for (size_t i = 0; i < CLASSES; i++)
		holes += all_holes(pool.with_room[true][i]);
	for (size_t i = 0; i < CLASSES && holes >= WORTH_BYTES; i++)
		mark_sparse(pool.with_room[true][i]);
	pthread_mutex_unlock(&pool.lock);
	return holes >= WORTH_BYTES;
}

void slab_end_moving(void)
{
	pthread_mutex_lock(&pool.lock);
	for (struct region *r = pool.regions; r != NULL; r = r->next)
		for (uint64_t left = ~r->empty; left != 0; left &= left - 1)
			unmark((struct slab *)(void *)(r->slabs + (size_t)__builtin_ctzll(left) * SLAB_BYTES));
	pthread_mutex_unlock(&pool.lock);
}

bool slab_is_sparse(const void *p, size_t bytes)
{
	return bytes <= MOST && slab_of(p)->sparse;
}

void slab_expect(size_t bytes)
{
	pthread_mutex_lock(&pool.lock);
	pool.expected = bytes;
	pthread_mutex_unlock(&pool.lock);
}

void slab_trim(void)
{
	pthread_mutex_lock(&pool.lock);
	for (struct region *r = pool.regions; r != NULL; r = r->next)
		for (uint64_t left = r->empty & ~r->cold; left != 0; left &= left - 1)
			(void)madvise(r->slabs + (size_t)__builtin_ctzll(left) * SLAB_BYTES, SLAB_BYTES, MADV_DONTNEED);
	for (struct region *r = pool.regions; r != NULL; r = r->next)
		r->cold = r->empty;
	pthread_mutex_unlock(&pool.lock);
}

size_t slab_pieces(void)
{
	size_t n;

	pthread_mutex_lock(&pool.lock);
	n = pool.n;
	pthread_mutex_unlock(&pool.lock);
	return n;
}
