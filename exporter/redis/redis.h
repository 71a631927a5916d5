/* The Redis source kind: `redis:` in the configuration, or REDIS_URL. */
#ifndef TOCSIN_REDIS_REDIS_H
#define TOCSIN_REDIS_REDIS_H

#include "source.h"

extern const struct source_kind redis_source_kind;

#endif
