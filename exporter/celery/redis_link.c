/* The row of the Redis broker. */
#include "celery/redis_link.h"

#include <stdlib.h>

#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define LEAVE_MS 500

bool redis_link_reply(struct redis_link *l, struct arena *a, struct redis_wait wait, const struct resp_reply **reply, struct err *e)
{
	if (!redis_conn_reply(l->master.conn, a, wait, reply, e))
		return false;
	return (*reply)->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG((*reply)->text));
}

static void *link_new(const struct celery_settings *settings, size_t *used)
{
	struct redis_link *l = mem_alloc(sizeof *l);

	l->settings = settings;
	celery_master_init_broker(&l->master, settings, used, REDIS_CONN_OPTIONS_DEFAULT);
	pidbox_oid(settings, l->oid);
	return l;
}

static void link_free(void *link)
{
	struct redis_link *l = link;

	redis_leave(l, (struct redis_wait){ clock_mono_ms(&clock_system) + LEAVE_MS, -1 });
	celery_master_fini(&l->master);
	free(l);
}

const struct celery_transport celery_redis = {
	.link_new = link_new, .link_free = link_free, .look = redis_look, .tell = redis_tell, .ask = redis_ask,
	.stream_new = redis_stream_new, .stream_free = redis_stream_free, .stream_open = redis_stream_open,
	.stream_close = redis_stream_close, .stream_next = redis_stream_next,
};
