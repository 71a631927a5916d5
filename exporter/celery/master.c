/* Sentinels are asked one after another, beginning with the one that answered last; what one says is believed only once it is
 * found to be reachable, by connecting. */
#include "celery/master.h"

#include <stdio.h>

#include "tocsin/clock.h"

#define ONE_SENTINEL_MS 1500

void celery_master_init(struct celery_master *m, const struct redis_url *url, struct redis_conn_options options)
{
	*m = (struct celery_master){ .url = *url };
	m->conn = redis_conn_new(&m->url, options);
}

void celery_master_init_broker(struct celery_master *m, const struct celery_settings *s, size_t *used,
    struct redis_conn_options options)
{
	celery_master_init(m, &s->broker.url, options);
	m->used = used;
	if (s->redises.n > 1)
		m->redises = &s->redises;
	if (s->sentinels.n == 0)
		return;
	m->sentinels = &s->sentinels;
	m->url.host = m->host;
	m->url.port = m->port;
}

void celery_master_fini(struct celery_master *m)
{
	redis_conn_free(m->conn);
	redis_conn_free(m->sentinel);
}

static bool read_address(struct celery_master *m, const struct resp_reply *reply, struct err *e)
{
	if (reply->type == RESP_ERROR)
		return err_set(e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG(reply->text));
	if (reply->n_items != 2)
		return err_set(e, ERR_UPSTREAM, -1, "no master \"" STR_FMT "\" (master_name) is known there",
		    STR_ARG(m->sentinels->master_name));
	const struct str host = reply->items[0]->text, port = reply->items[1]->text;
	if (host.n == 0 || host.n >= sizeof m->host || port.n == 0 || port.n >= sizeof m->port)
		return err_set(e, ERR_UPSTREAM, -1, "the master's address is none");
	if (!str_eq(host, str_of(m->host)) || !str_eq(port, str_of(m->port)))
		redis_conn_close(m->conn);
	snprintf(m->host, sizeof m->host, STR_FMT, STR_ARG(host));
	snprintf(m->port, sizeof m->port, STR_FMT, STR_ARG(port));
	return true;
}

static bool ask_sentinel(struct celery_master *m, struct redis_wait wait, struct err *e)
{
	const struct str question[] = { STR("SENTINEL"), STR("get-master-addr-by-name"), m->sentinels->master_name };
	struct arena a = { 0 };
	const struct resp_reply *reply;
	bool ok;

	if (m->sentinel == NULL)
		m->sentinel = redis_conn_new(&m->sentinels->urls[m->at], REDIS_CONN_OPTIONS_DEFAULT);
	ok = redis_conn_open(m->sentinel, wait, e);
	if (ok) {
		redis_conn_send(m->sentinel, question, ARRAY_LEN(question));
		ok = redis_conn_reply(m->sentinel, &a, wait, &reply, e) && read_address(m, reply, e);
	}
	if (!ok)
		err_context(e, "sentinel %s:%s", m->sentinels->urls[m->at].host, m->sentinels->urls[m->at].port);
	arena_fini(&a);
	return ok;
}

static bool find_master(struct celery_master *m, struct redis_wait wait, struct err *e)
{
	struct err one = { 0 };

	for (size_t i = 0; i < m->sentinels->n; i++) {
		const int64_t soon = clock_mono_ms(&clock_system) + ONE_SENTINEL_MS;
		const struct redis_wait brief = { soon < wait.deadline_mono_ms ? soon : wait.deadline_mono_ms, wait.stop_fd };

		one = (struct err){ 0 };
		if (ask_sentinel(m, brief, &one))
			return true;
		if (one.code == ERR_CANCELED)
			break;
		redis_conn_free(m->sentinel);
		m->sentinel = NULL;
		m->at = (m->at + 1) % m->sentinels->n;
	}
	return err_set(e, one.code, -1, "%s", one.msg);
}

bool celery_master_moved(struct celery_master *m, struct redis_wait wait)
{
	struct err ignored = { 0 };

	return m->sentinels != NULL && find_master(m, wait, &ignored) && !redis_conn_is_open(m->conn);
}

static void go_to(struct celery_master *m, size_t at)
{
	if (at == m->at)
		return;
	redis_conn_close(m->conn);
	m->url = m->redises->urls[at];
	m->at = at;
}

/* Each in turn, beginning with the one in use, each with an even share of the time left. Who finds it gone moves all on. */
static bool open_one(struct celery_master *m, struct redis_wait wait, struct err *e)
{
	const size_t n = m->redises->n;

	for (size_t i = 0; i < n; i++) {
		const int64_t now = clock_mono_ms(&clock_system);
		const struct redis_wait part = { now + (wait.deadline_mono_ms - now) / (int64_t)(n - i), wait.stop_fd };

		*e = (struct err){ 0 };
		go_to(m, __atomic_load_n(m->used, __ATOMIC_RELAXED));
		if (redis_conn_open(m->conn, part, e))
			return true;
		if (e->code == ERR_CANCELED)
			return false;
		size_t gone = m->at;
		__atomic_compare_exchange_n(m->used, &gone, (m->at + 1) % n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return false;
}

bool celery_master_open(struct celery_master *m, struct redis_wait wait, struct err *e)
{
	if (m->redises != NULL)
		return open_one(m, wait, e);
	return (m->sentinels == NULL || find_master(m, wait, e)) && redis_conn_open(m->conn, wait, e);
}
