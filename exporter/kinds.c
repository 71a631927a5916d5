/* Every kind of source. Adding one is one row. */
#include "celery/celery.h"
#include "files/files.h"
#include "gauges/gauges.h"
#include "host/host.h"
#include "logs/logs.h"
#include "postgres/postgres.h"
#include "probe/probe.h"
#include "redis/redis.h"
#include "source.h"

const struct conf_range source_timeout_range = { 10, 600000 };

const struct source_kind *const source_kinds[] = {
	&postgres_source_kind,
	&redis_source_kind,
	&celery_source_kind,
	&gauges_source_kind,
	&files_source_kind,
	&host_source_kind,
	&probe_source_kind,
	&logs_source_kind,
	NULL,
};
