/* Native histograms as the classic ones that stand for them. Private to tool/. */
#ifndef TOCSIN_TOOL_CLASSIC_H
#define TOCSIN_TOOL_CLASSIC_H

#include "tocsin/arena.h"
#include "tocsin/querier.h"

/* A sample of one of the series; <labels> is borrowed, and equal labels come one after the other. */
typedef void classic_sample(void *ctx, struct labels labels, int64_t t_ms, double v);
/* Of the series <l>, whose samples may be histograms (s->h): how many were. */
size_t classic_put(struct labels l, const struct samples *s, struct arena *a, classic_sample *put, void *ctx);

#endif
