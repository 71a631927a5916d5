/* The Celery source kind, on a Redis broker: `celery:` in the configuration, or CELERY_BROKER_URL. */
#ifndef TOCSIN_CELERY_CELERY_H
#define TOCSIN_CELERY_CELERY_H

#include "source.h"

extern const struct source_kind celery_source_kind;
void celery_explain(struct buf *out, const void *settings);

#endif
