/* A querier over samples that a test wrote down: plain arrays, nothing compressed, nothing lost unless the test says so. */
#ifndef TOCSIN_PROMQL_SCRIPT_RAM_H
#define TOCSIN_PROMQL_SCRIPT_RAM_H

#include "tocsin/querier.h"

struct ram;

struct ram *ram_new(void);
void ram_free(struct ram *);
void ram_clear(struct ram *);
struct querier *ram_querier(struct ram *);
/* Copies labels and histogram. A sample of the same series and time is replaced. <st_ms> 0: start unknown. */
void ram_append(struct ram *, struct labels, int64_t t_ms, double v, const struct histogram *h, int64_t st_ms);
/* From now on the series counts as lost since then. */
void ram_set_lost(struct ram *, struct labels, int64_t since_ms);

#endif
