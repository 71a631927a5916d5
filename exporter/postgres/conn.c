/* libpq without blocking. The PGconn is opened, polled and closed here only; c->pg is NULL or has its session set up. */
#include "postgres/conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "resolve.h"
#include "tocsin/log.h"
#include "tocsin/map.h"
#include "tocsin/mem.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 8000
#define PARAMS_MAX 64
#define REPLY_BYTES_MAX (32u << 20)     /* of one statement, as sent */

/* A statement the server knows by name. */
struct prepared {
	char name[32];
	bool ready;                     /* the server has said so */
};

struct pg_conn {
	struct pg_conn_options o;
	PGconn *pg;
	struct map prepared;            /* by SQL; keys and values in <memory>, for this PGconn */
	struct arena memory;
	uint64_t received, received_before;     /* bytes on this PGconn; when the statement under way began */
	uint64_t names;                 /* given so far: none is given twice */
	uint64_t generation;
	struct buf settings;            /* the statement that makes them */
	bool settings_changed;          /* since the session was told */
	bool pooled;                    /* the server's session is not ours alone */
	bool warned;                    /* the log has a warning of the server's */
	int64_t opened_mono_ms;
	bool was_kept, was_cut;                 /* as of the last pg_conn_open(), pg_conn_run() */
	int64_t retry_mono_ms, retry_ms;        /* not before; the wait after the next failure */
	struct err last;                        /* of the attempt that failed */
	char server[300];
	atomic_int *cancels;                    /* cancel requests under way; shared with their threads, counted as references */
};

/* ---- Addresses ---- */

static PQconninfoOption *parse_url(struct str url)
{
	char *z = mem_strndup(url.p, url.n), *message = NULL;
	PQconninfoOption *list = PQconninfoParse(z, &message);

	if (message != NULL)
		PQfreemem(message);             /* quotes the address */
	free(z);
	return list;
}

bool pg_url_check(struct str url, struct err *e)
{
	PQconninfoOption *list = parse_url(url);

	if (list == NULL)
		return err_set(e, ERR_BAD_INPUT, -1, "not an address of a Postgres server: postgres://user:password@host:5432/database");
	PQconninfoFree(list);
	return true;
}

static const char *option(const PQconninfoOption *list, const char *keyword)
{
	for (; list != NULL && list->keyword != NULL; list++)
		if (strcmp(list->keyword, keyword) == 0)
			return list->val != NULL ? list->val : "";
	return "";
}

struct str pg_url_describe(struct arena *a, struct str url)
{
	PQconninfoOption *list = parse_url(url);
	const char *host = option(list, "host"), *port = option(list, "port"), *db = option(list, "dbname");
	struct str s = arena_printf(a, "%s%s%s%s%s", *host ? host : "local", *port ? ":" : "", port, *db ? "/" : "", db);

	if (list != NULL)
		PQconninfoFree(list);
	return s;
}

/* ---- Connecting ---- */

/* libpq's words on one line, without its prefix of every address tried. */
static bool fail_libpq(const PGconn *pg, struct err *e)
{
	char text[400];
	size_t n = 0;

	for (const char *p = PQerrorMessage(pg); *p != '\0' && n < sizeof text - 1; p++)
		text[n++] = *p == '\n' || *p == '\t' ? ' ' : *p;
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return err_set(e, ERR_UPSTREAM, -1, "%s", n > 0 ? text : "connection lost");
}

/* Until the socket is ready for <events>. */
static bool wait_socket(PGconn *pg, short events, const struct source_ask *ask, struct err *e)
{
	struct pollfd p[] = { { .fd = PQsocket(pg), .events = events }, { .fd = ask->stop_fd, .events = POLLIN } };

	for (;;) {
		int64_t left = ask->deadline_mono_ms - clock_mono_ms(ask->clock);
		int n = left <= 0 ? 0 : poll(p, ARRAY_LEN(p), left > 60000 ? 60000 : (int)left);

		if (n > 0 && p[1].revents != 0)
			return err_set(e, ERR_CANCELED, -1, "stopped");
		if (n > 0)
			return true;
		if (n == 0 && left <= 60000)
			return err_set(e, ERR_TIMEOUT, -1, "no answer within the deadline");
		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_IO, -1, "poll: %s", strerror(errno));
	}
}

/* Keywords for PQconnectStartParams. Hosts are expanded to one entry an address, so that libpq resolves nothing. */
struct params {
	const char *key[PARAMS_MAX + 1], *value[PARAMS_MAX + 1];
	size_t n;
	struct buf host, hostaddr, port;
};

static void params_fini(struct params *p)
{
	buf_fini(&p->host);
	buf_fini(&p->hostaddr);
	buf_fini(&p->port);
}

static void params_add(struct params *p, const char *key, const char *value)
{
	assert(p->n < PARAMS_MAX);
	p->key[p->n] = key;
	p->value[p->n++] = value;
}

static void add_address(struct params *p, struct str host, const char *address, struct str port)
{
	const char *sep = p->host.n + p->hostaddr.n > 0 ? "," : "";

	buf_printf(&p->host, "%s" STR_FMT, sep, STR_ARG(host));
	buf_printf(&p->hostaddr, "%s%s", sep, address);
	buf_printf(&p->port, "%s" STR_FMT, sep, STR_ARG(port));
}

/* "a,b" with ports "1,2" (or one for all) as one entry an address. A path is a unix socket: nothing to resolve. */
static bool add_hosts(struct params *p, const char *hosts, const char *ports, const struct source_ask *ask, struct err *e)
{
	struct str rest = str_of(hosts), ports_rest = str_of(ports), host, port = STR_NULL, one = STR_NULL;
	bool many = str_chr(ports_rest, ',') < ports_rest.n, any = false;
	struct err first = { 0 };

	if (!many)
		one = ports_rest;
	while (str_cut(&rest, ',', &host)) {
		struct resolved found = { .n = 1 };
		char name[256];

		if (!many || !str_cut(&ports_rest, ',', &port))
			port = one;
		snprintf(name, sizeof name, STR_FMT, STR_ARG(host));
		if (host.n > 0 && host.p[0] != '/' && host.p[0] != '@' && !resolve_host(name, ask->deadline_mono_ms, ask->stop_fd, &found,
		    &first))
			continue;
		for (size_t i = 0; i < found.n; i++)
			add_address(p, host, found.address[i], port);
		any = true;
	}
	if (!any)
		*e = first;
	return any;
}

static bool params_fill(struct params *p, const PQconninfoOption *list, const char *database, const struct source_ask *ask,
                        struct err *e)
{
	const char *hosts = option(list, "host");
	bool by_name = *hosts != '\0' && *option(list, "hostaddr") == '\0';

	params_add(p, "fallback_application_name", "tocsin-exporter");
	if (*option(list, "gssencmode") == '\0' && getenv("PGGSSENCMODE") == NULL)      /* looking for a ticket takes half a MB */
		params_add(p, "gssencmode", "disable");
	for (const PQconninfoOption *o = list; o->keyword != NULL; o++)
		if (o->val != NULL && !(by_name && (strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "port") == 0)))
			params_add(p, o->keyword, o->val);
	params_add(p, "client_encoding", "UTF8");
	if (database != NULL)
		params_add(p, "dbname", database);      /* the later one is taken */
	if (!by_name)
		return true;
	if (!add_hosts(p, hosts, option(list, "port"), ask, e))
		return false;
	params_add(p, "host", buf_z(&p->host));
	params_add(p, "hostaddr", buf_z(&p->hostaddr));
	params_add(p, "port", buf_z(&p->port));
	return true;
}

static bool poll_connect(PGconn *pg, const struct source_ask *ask, struct err *e)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	if (pg == NULL || PQstatus(pg) == CONNECTION_BAD)
		return fail_libpq(pg, e);
	while (s != PGRES_POLLING_OK) {
		if (!wait_socket(pg, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, ask, e))
			return false;
		s = PQconnectPoll(pg);
		if (s == PGRES_POLLING_FAILED)
			return fail_libpq(pg, e);
	}
	return PQsetnonblocking(pg, 1) == 0 || fail_libpq(pg, e);
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* Of what the server says while connecting, the first warning is for people: a collation version that differs, say. */
static void take_notice(void *arg, const PGresult *result)
{
	struct pg_conn *c = arg;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (c->o.title == NULL || c->warned || severity == NULL || strcmp(severity, "WARNING") != 0 || message == NULL)
		return;
	c->warned = true;
	log_event(LOG_WARN, "the server warns", "name", c->o.title, "warning", message, NULL);
}

static PGconn *connect_url(struct pg_conn *c, const struct source_ask *ask, struct err *e)
{
	const struct pg_conn_options *options = &c->o;
	PQconninfoOption *list = parse_url(options->url);
	struct params p = { 0 };
	PGconn *pg = NULL;

	if (list == NULL) {
		pg_url_check(options->url, e);
		return NULL;
	}
	if (params_fill(&p, list, options->database, ask, e)) {
		pg = PQconnectStartParams(p.key, p.value, 0);
		if (pg != NULL)
			PQsetNoticeReceiver(pg, take_notice, c);
		if (!poll_connect(pg, ask, e)) {
			PQfinish(pg);
			pg = NULL;
		} else {
			PQsetNoticeReceiver(pg, ignore_notice, NULL);
		}
	}
	params_fini(&p);
	PQconninfoFree(list);
	return pg;
}

/* ---- Cancelling: PQcancel() connects and waits, so it gets a thread; at most one a connection. ---- */

struct cancel {
	PGcancel *request;
	atomic_int *refs;
};

static void refs_drop(atomic_int *refs)
{
	if (atomic_fetch_sub(refs, 1) == 1)
		free(refs);
}

static void *cancel_thread(void *arg)
{
	struct cancel *c = arg;
	char message[256];

	PQcancel(c->request, message, sizeof message);
	PQfreeCancel(c->request);
	refs_drop(c->refs);
	free(c);
	return NULL;
}

static void cancel_running(struct pg_conn *c)
{
	PGcancel *request = atomic_load(c->cancels) == 1 ? PQgetCancel(c->pg) : NULL;
	struct cancel *x;
	pthread_attr_t attr;
	pthread_t thread;

	if (request == NULL)
		return;
	x = mem_alloc(sizeof *x);
	*x = (struct cancel){ request, c->cancels };
	atomic_fetch_add(c->cancels, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, cancel_thread, x) != 0) {
		PQfreeCancel(request);
		refs_drop(x->refs);
		free(x);
	}
	pthread_attr_destroy(&attr);
}

/* ---- One connection over its life ---- */

struct pg_conn *pg_conn_new(const struct pg_conn_options *o)
{
	struct pg_conn *c = mem_alloc(sizeof *c);

	c->o = *o;
	c->retry_ms = RETRY_MIN_MS;
	c->cancels = mem_alloc(sizeof *c->cancels);
	atomic_init(c->cancels, 1);
	return c;
}

static void conn_close(struct pg_conn *c)
{
	if (c->pg != NULL)
		PQfinish(c->pg);
	c->pg = NULL;
	c->received = c->received_before = 0;
	c->pooled = false;
	map_fini(&c->prepared);
	arena_reset(&c->memory);
}

void pg_conn_free(struct pg_conn *c)
{
	conn_close(c);
	buf_fini(&c->settings);
	arena_fini(&c->memory);
	refs_drop(c->cancels);
	free(c);
}

uint64_t pg_conn_generation(const struct pg_conn *c)
{
	return c->generation;
}

int pg_conn_version(const struct pg_conn *c)
{
	assert(c->pg != NULL);
	return PQserverVersion(c->pg);
}

struct str pg_conn_server(const struct pg_conn *c)
{
	return str_of(c->server);
}

/* False, always: closes, and puts the next attempt off. */
static bool conn_failed(struct pg_conn *c, const struct source_ask *ask, const struct err *e)
{
	conn_close(c);
	c->last = *e;
	if (e->code != ERR_CANCELED) {
		c->retry_mono_ms = clock_mono_ms(ask->clock) + c->retry_ms;
		c->retry_ms = c->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : c->retry_ms * 2;
	}
	return false;
}

/* A server that went away while nobody asked has said so, perhaps, and closed the socket: found out without a round trip. The end
 * shows only behind its last words, so what has come is read until nothing more is there. */
static bool is_alive(struct pg_conn *c)
{
	struct pollfd p = { .fd = PQsocket(c->pg), .events = POLLIN };

	for (int i = 0; i < 16; i++) {
		if (poll(&p, 1, 0) <= 0)
			return true;
		if (PQconsumeInput(c->pg) != 1 || PQstatus(c->pg) != CONNECTION_OK)
			return false;
	}
	return false;
}

/* Settings of the session; where a pooler stands between, which shares it with others, of one transaction: the process that is
 * asked then is not the one that the connection was told of. What a transaction has begun to be it stays: hence two for read-only.
 */
static void put_settings(struct pg_conn *c)
{
	const char *encoding = PQparameterStatus(c->pg, "server_encoding");
	struct buf shared = { 0 };

	buf_printf(&shared, "pg_backend_pid() <> %d", PQbackendPID(c->pg));
	buf_reset(&c->settings);
	buf_printf(&c->settings, "SELECT %s", buf_z(&shared));
	buf_printf(&c->settings, ", set_config('statement_timeout', '%lld', %s)", (long long)c->o.statement_timeout_ms, buf_z(&shared));
	buf_printf(&c->settings, ", set_config('lock_timeout', '%lld', %s)", (long long)c->o.lock_timeout_ms, buf_z(&shared));
	buf_printf(&c->settings, ", set_config('idle_in_transaction_session_timeout', '60s', %s)", buf_z(&shared));
	buf_printf(&c->settings, ", set_config('default_transaction_read_only', 'on', %s)", buf_z(&shared));
	buf_printf(&c->settings, ", set_config('transaction_read_only', 'on', true), set_config('jit', 'off', %s)", buf_z(&shared));
	buf_printf(&c->settings, ", set_config('datestyle', 'ISO', %s)", buf_z(&shared));
	buf_printf(&c->settings, ", set_config('default_transaction_isolation', 'read committed', %s)", buf_z(&shared));
	if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0)     /* names may be of any bytes, and are no error then */
		buf_printf(&c->settings, ", set_config('client_encoding', 'SQL_ASCII', %s)", buf_z(&shared));
	if (c->o.search_path != NULL)
		buf_printf(&c->settings, ", set_config('search_path', '%s', %s)", c->o.search_path, buf_z(&shared));
	buf_fini(&shared);
}

void pg_conn_limit_statements(struct pg_conn *c, int64_t timeout_ms)
{
	if (c->o.statement_timeout_ms == timeout_ms)
		return;
	c->o.statement_timeout_ms = timeout_ms;
	if (c->pg == NULL)
		return;
	put_settings(c);
	c->settings_changed = true;
}

struct set_up {
	struct err first, e;            /* of the first statement, which may be refused; of the settings */
	bool pooled;
};

static void take_settings(void *ctx, size_t i, const struct pg_reply *reply)
{
	struct set_up *s = ctx;

	if (PQresultStatus(reply->result) == PGRES_TUPLES_OK)
		s->pooled = PQgetvalue(reply->result, 0, 0)[0] == 't';
	else if (PQresultStatus(reply->result) != PGRES_COMMAND_OK)
		pg_result_error(reply->result, i == 0 ? &s->first : &s->e);
}

/* What is serializable by default cannot even be asked for anything on a standby. The first statement is of this transaction only. */
static bool set_up(struct pg_conn *c, const struct source_ask *ask, struct err *e)
{
	struct pg_query q[] = { { "SET transaction_isolation = 'read committed'", false }, { NULL, false } };
	struct set_up s = { 0 };
	bool ok;

	put_settings(c);
	c->settings_changed = false;
	q[1].sql = buf_z(&c->settings);
	ok = pg_conn_run(c, ask, q, ARRAY_LEN(q), take_settings, &s, e);
	c->pooled = s.pooled;
	if (ok && s.e.code == ERR_NONE)
		return true;
	if (s.e.code != ERR_NONE)
		*e = s.e;
	if (strstr(s.first.msg, "admin console") != NULL) {
		*e = (struct err){ 0 };
		return err_set(e, ERR_UPSTREAM, -1,
		    "this is the console of a PgBouncer, which answers no queries: name a database behind it");
	}
	return s.e.code != ERR_NONE ? err_context(e, "session settings") : false;
}

bool pg_conn_open(struct pg_conn *c, const struct source_ask *ask, struct err *e)
{
	int64_t now = clock_mono_ms(ask->clock);

	if (c->pg != NULL && (now - c->opened_mono_ms >= c->o.max_age_ms || !is_alive(c)))
		conn_close(c);
	c->was_kept = c->pg != NULL;
	c->was_cut = false;
	if (c->was_kept)
		return true;
	if (now < c->retry_mono_ms) {
		*e = c->last;
		return false;
	}
	c->pg = connect_url(c, ask, e);
	if (c->pg == NULL || !set_up(c, ask, e))
		return conn_failed(c, ask, e);
	c->generation++;
	c->opened_mono_ms = clock_mono_ms(ask->clock);
	c->retry_ms = RETRY_MIN_MS;
	snprintf(c->server, sizeof c->server, "%s:%s", PQhost(c->pg), PQport(c->pg));
	return true;
}

/* ---- Statements ---- */

/* A name that was given in a shared session may be unknown in the next. */
static bool is_prepared(const struct pg_conn *c)
{
	return c->o.prepare && !c->pooled;
}

/* The first time preparing goes along, before the same sync: no round trip of its own. */
static bool send_prepared(struct pg_conn *c, const char *sql)
{
	struct prepared *s = map_get(&c->prepared, str_of(sql));

	if (s == NULL) {
		s = ARENA_NEW(&c->memory, struct prepared);
		snprintf(s->name, sizeof s->name, "tocsin_%llu", (unsigned long long)c->names++);
		map_put(&c->prepared, arena_str(&c->memory, str_of(sql)), s);
		if (PQsendPrepare(c->pg, s->name, sql, 0, NULL) != 1)
			return false;
	}
	return PQsendQueryPrepared(c->pg, s->name, 0, NULL, NULL, NULL, 0) == 1;
}

static bool send_one(struct pg_conn *c, const char *sql)
{
	return is_prepared(c) ? send_prepared(c, sql) : PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static bool begins_transaction(const struct pg_query *q, size_t i)
{
	return i == 0 || q[i].alone || q[i - 1].alone;
}

/* A transaction ends behind statement <i>. */
static bool ends_transaction(const struct pg_query *q, size_t n, size_t i)
{
	return i + 1 == n || q[i].alone || q[i + 1].alone;
}

/* New settings of a session of our own: in a transaction of their own, or a statement that fails would undo them. */
static bool sends_settings_first(const struct pg_conn *c)
{
	return c->settings_changed && !c->pooled;
}

static bool send_all(struct pg_conn *c, const struct pg_query *q, size_t n, struct err *e)
{
	if (PQenterPipelineMode(c->pg) != 1)
		return fail_libpq(c->pg, e);
	if (sends_settings_first(c)
	 && (PQsendQueryParams(c->pg, buf_z(&c->settings), 0, NULL, NULL, NULL, NULL, 0) != 1 || PQpipelineSync(c->pg) != 1))
		return fail_libpq(c->pg, e);
	for (size_t i = 0; i < n; i++) {
		if (c->pooled && begins_transaction(q, i) && !send_one(c, buf_z(&c->settings)))
			return fail_libpq(c->pg, e);
		if (!send_one(c, q[i].sql) || (ends_transaction(q, n, i) && PQpipelineSync(c->pg) != 1))
			return fail_libpq(c->pg, e);
	}
	return true;
}

/* What has come on a connection since it was made. On a unix socket the kernel does not count: then <before> and what waits, which
 * is less than libpq will read. */
static uint64_t bytes_received(PGconn *pg, uint64_t before)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;
	int waiting = 0;

	if (getsockopt(PQsocket(pg), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_bytes_received != 0)
		return info.tcpi_bytes_received;
	return ioctl(PQsocket(pg), FIONREAD, &waiting) == 0 ? before + (uint64_t)waiting : before;
}

/* libpq keeps a result whole, and does not say how much it has read. */
static bool check_bytes(struct pg_conn *c, struct err *e)
{
	c->received = bytes_received(c->pg, c->received);
	return c->received - c->received_before <= REPLY_BYTES_MAX
	    || err_set(e, ERR_LIMIT, -1, "a reply of more than %u bytes (reply_bytes)", REPLY_BYTES_MAX);
}

/* Until PQgetResult() would not wait; what is still to be sent goes out meanwhile. */
static bool wait_result(struct pg_conn *c, const struct source_ask *ask, struct err *e)
{
	PGconn *pg = c->pg;

	for (;;) {
		int unsent = PQflush(pg);

		if (unsent < 0)
			return fail_libpq(pg, e);
		if (PQisBusy(pg) == 0)
			return true;
		if (!wait_socket(pg, unsent ? POLLIN | POLLOUT : POLLIN, ask, e))
			return false;
		if (!check_bytes(c, e))         /* before it is read: of a unix socket only what waits can be seen */
			return false;
		if (PQconsumeInput(pg) != 1)
			return fail_libpq(pg, e);
	}
}

/* One round trip: a list of statements, and what became of each. */
struct run {
	struct pg_conn *c;
	const struct source_ask *ask;
	const struct pg_query *q;
	size_t n;
	const size_t *index;            /* of each in the caller's list */
	pg_on_reply *on_reply;
	void *ctx;
	size_t *passed_over;            /* indexes of those behind a failure in its transaction */
	size_t n_passed_over;
	bool answered;                  /* some statement was */
};

/* The next result; NULL behind the last of one message sent. */
static bool next_result(struct run *r, PGresult **result, struct err *e)
{
	PGconn *pg = r->c->pg;

	if (!wait_result(r->c, r->ask, e))
		return false;
	*result = PQgetResult(pg);
	if (PQstatus(pg) == CONNECTION_OK)
		return true;
	if (*result != NULL)
		pg_result_error(*result, e);
	PQclear(*result);
	return fail_libpq(pg, e);
}

/* A COPY has one result that comes again and again; of anything else a second one would be a server out of step. What is fatal ends
 * the session, and need not be the statement's doing. */
static bool check_result(const PGresult *result, bool told, struct err *e)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const ExecStatusType s = PQresultStatus(result);

	if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		return pg_result_error(result, e);
	if (s == PGRES_COPY_OUT || s == PGRES_COPY_IN || s == PGRES_COPY_BOTH)
		return err_set(e, ERR_BAD_INPUT, -1, "the statement is a COPY: write a SELECT");
	return !told || err_set(e, ERR_UPSTREAM, -1, "the server's answers are out of step");
}

/* The results of preparing the statement, if that went along, and of itself. Of a failure in preparing it is told once. */
static bool read_statement(struct run *r, size_t i, struct err *e)
{
	struct prepared *s = is_prepared(r->c) ? map_get(&r->c->prepared, str_of(r->q[i].sql)) : NULL;
	int ends = s != NULL && !s->ready ? 2 : 1;
	int64_t began_us = clock_mono_us();
	bool told = false;

	r->c->received_before = r->c->received;
	while (ends > 0) {
		PGresult *result;

		if (!next_result(r, &result, e))
			return false;
		if (result == NULL) {
			ends--;
		} else if (ends == 2 && PQresultStatus(result) == PGRES_COMMAND_OK) {
			s->ready = true;
		} else if (PQresultStatus(result) != PGRES_PIPELINE_ABORTED) {
			if (!check_result(result, told, e)) {
				PQclear(result);
				return false;
			}
			told = r->answered = true;
			r->on_reply(r->ctx, r->index[i], &(struct pg_reply){ result, clock_mono_us() - began_us });
		}
		PQclear(result);
	}
	if (!told)
		r->passed_over[r->n_passed_over++] = r->index[i];
	if (s != NULL && !s->ready)
		map_del(&r->c->prepared, str_of(r->q[i].sql));
	return true;
}

static bool read_sync(struct run *r, struct err *e)
{
	PGresult *result;
	bool ok;

	if (!next_result(r, &result, e))
		return false;
	ok = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	PQclear(result);
	return ok || err_set(e, ERR_UPSTREAM, -1, "the server's answers are out of step");
}

/* What the transaction's settings came to. */
static bool read_settings(struct run *r, struct err *e)
{
	PGresult *result;
	bool refused = false;

	do {
		if (!next_result(r, &result, e))
			return false;
		if (result != NULL && PQresultStatus(result) != PGRES_TUPLES_OK) {
			refused = true;
			pg_result_error(result, e);
		}
		PQclear(result);
	} while (result != NULL);
	return !refused || err_context(e, "settings of a transaction");
}

static bool run_once(struct run *r, struct err *e)
{
	bool ok = send_all(r->c, r->q, r->n, e);

	if (sends_settings_first(r->c))
		ok = ok && read_settings(r, e) && read_sync(r, e);
	r->c->settings_changed = false;
	for (size_t i = 0; ok && i < r->n; i++)
		ok = (!r->c->pooled || !begins_transaction(r->q, i) || read_settings(r, e))
		  && read_statement(r, i, e) && (!ends_transaction(r->q, r->n, i) || read_sync(r, e));
	if (ok && PQexitPipelineMode(r->c->pg) != 1)
		return fail_libpq(r->c->pg, e);
	return ok;
}

bool pg_conn_run(struct pg_conn *c, const struct source_ask *ask, const struct pg_query *q, size_t n, pg_on_reply *on_reply,
                 void *ctx, struct err *e)
{
	struct arena a = { 0 };
	size_t *index = ARENA_ARRAY(&a, n, size_t), *again = ARENA_ARRAY(&a, n, size_t), *never = ARENA_ARRAY(&a, n, size_t);
	struct pg_query *alone = ARENA_ARRAY(&a, n, struct pg_query);
	struct run first = { c, ask, q, n, index, on_reply, ctx, again, 0, false };
	struct run second = { c, ask, alone, 0, again, on_reply, ctx, never, 0, false };
	bool ok;

	for (size_t i = 0; i < n; i++)
		index[i] = i;
	ok = run_once(&first, e);
	for (size_t i = 0; i < first.n_passed_over; i++)
		alone[second.n++] = (struct pg_query){ q[again[i]].sql, .alone = true };
	ok = ok && (second.n == 0 || run_once(&second, e));
	arena_fini(&a);
	if (ok) {
		c->was_kept = false;            /* what fails from now on was not cut before */
		return true;
	}
	if (e->code == ERR_TIMEOUT || e->code == ERR_CANCELED || e->code == ERR_LIMIT)
		cancel_running(c);
	conn_failed(c, ask, e);
	c->was_cut = c->was_kept && !first.answered && e->code == ERR_UPSTREAM;
	if (first.answered || c->was_cut)
		c->retry_mono_ms = 0;           /* it is there: what ended the connection was a statement, or happened before */
	return false;
}

bool pg_conn_was_cut(const struct pg_conn *c)
{
	return c->was_cut;
}

bool pg_sqlstate_is_unsupported(const char *sqlstate)
{
	static const char *const states[] = { "42501", "0A000", "42883", "42P01", "42703", "3F000", "55000", "42704" };

	for (size_t i = 0; sqlstate != NULL && i < ARRAY_LEN(states); i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

bool pg_result_error(const PGresult *result, struct err *e)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), *state = PQresultErrorField(result,
	    PG_DIAG_SQLSTATE);

	return err_set(e, ERR_UPSTREAM, -1, "%s%s%s%s", message != NULL ? message : "the server sent no error text",
	               state != NULL ? " (SQLSTATE " : "", state != NULL ? state : "", state != NULL ? ")" : "");
}
