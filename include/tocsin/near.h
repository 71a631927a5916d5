/* A pointer in six bytes, for what there are many of: more than 48 bits the kernel gives to nobody who did not ask for them, on the machines
 * there are. */
#ifndef TOCSIN_NEAR_H
#define TOCSIN_NEAR_H

#include <assert.h>
#include <stdint.h>

struct near {
	uint32_t low;
	uint16_t high;
} __attribute__((packed, aligned(2)));

static inline void *near_get(struct near p)
{
	return (void *)(uintptr_t)((uint64_t)p.high << 32 | p.low);
}

static inline struct near near_to(const void *p)
{
	uint64_t bits = (uintptr_t)p;

	assert(bits >> 48 == 0);
	return (struct near){ (uint32_t)bits, (uint16_t)(bits >> 32) };
}

#endif
