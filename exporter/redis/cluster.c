/* <lock> guards the list of members and each member but for one thing: while <connecting> the thread has its node to itself,
 * without the lock. A member that is <ready> has a connection on which questions can be sent, or had one that the scrape under way
 * found <lost> and makes anew: one that hung up, or was cut, is not down. */
#include "redis/cluster.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "redis/families.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define CONNECT_MS 2000                 /* to one node, in the background */
#define RETRY_MS 1000                   /* between two tries to connect what was lost */
#define AGAIN_MS 2000                   /* of a scrape, for all that was lost */
#define MAX_AGE_MS 600000               /* of a connection; then another is made beside */

struct member {
	struct arena arena;             /* of the texts */
	struct redis_url url;
	struct str address, id, master_id, role;
	bool failed;                    /* say the others */
	bool is_master, has_slots;
	struct redis_key_specs keys, streams;   /* configured ones in its slots */
	struct redis_node node;
	bool ready, connecting, lost;
	int64_t connected_mono_ms;
	bool answered;                  /* in the scrape under way */
	bool kept;                      /* by the discovery under way */
};

struct cluster {
	const struct redis_settings *settings;
	pthread_t thread;
	int stop_fd, wake_fd;
	struct complaint complaint;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool discovered;                /* once at least, or tried */
	struct err e;                   /* of the last discovery */
	struct member *members[CLUSTER_NODES_MAX];
	size_t n;
};

/* ---- Members ---- */

static void member_free(struct member *m)
{
	redis_node_fini(&m->node);
	arena_fini(&m->arena);
	free(m);
}

static const char *host_of(const struct cluster *c, const struct cluster_line *line, struct arena *a)
{
	if (c->settings->cluster_hostnames && line->hostname.n > 0)
		return arena_strz(a, line->hostname);
	return line->host.n > 0 ? arena_strz(a, line->host) : c->settings->endpoint.url.host;  /* a node that was never met */
}

static struct member *member_new(const struct cluster *c, const struct cluster_line *line)
{
	struct redis_conn_options options = REDIS_CONN_OPTIONS_DEFAULT;
	struct member *m = mem_alloc(sizeof *m);

	m->url = c->settings->endpoint.url;
	m->url.socket_path = NULL;
	m->url.db = 0;
	m->url.host = host_of(c, line, &m->arena);
	m->url.port = arena_strz(&m->arena, line->port);
	m->address = cluster_address(&m->arena, str_of(m->url.host), line->port);
	m->id = arena_str(&m->arena, line->id);
	options.max_age_ms = 0;                 /* for all would be as old at once, in the midst of a scrape */
	redis_node_init(&m->node, c->settings, &m->url, options, &m->keys, &m->streams);
	return m;
}

static bool owns(const struct cluster_line *line, struct str key)
{
	const int slot = cluster_slot(key);

	for (size_t i = 0; i < line->n_slots; i++)
		if (slot >= line->slots[i].first && slot <= line->slots[i].last)
			return true;
	return false;
}

/* Those of <all> in the member's slots, in memory that is used again next time. */
static void take_specs(struct redis_key_specs *out, const struct redis_key_specs *all, const struct cluster_line *line,
    struct arena *a)
{
	if (out->v == NULL)
		out->v = ARENA_ARRAY(a, all->n, struct redis_key_spec);
	out->n = 0;
	for (size_t i = 0; i < all->n && line->is_master; i++)
		if (owns(line, all->v[i].key))
			out->v[out->n++] = all->v[i];
}

static struct member *find_member(const struct cluster *c, const struct cluster_line *line, struct arena *a)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->members[i]->id, line->id) && strcmp(c->members[i]->url.host, host_of(c, line, a)) == 0
		    && str_eq(str_of(c->members[i]->url.port), line->port))
			return c->members[i];
	return NULL;
}

/* Under the lock. */
static void take_line(struct cluster *c, const struct cluster_line *line, struct arena *a)
{
	struct member *m = find_member(c, line, a);

	if (m == NULL && c->n == CLUSTER_NODES_MAX)
		return;
	if (m == NULL)
		m = c->members[c->n++] = member_new(c, line);
	m->kept = true;
	m->failed = line->has_failed;
	m->is_master = line->is_master;
	m->has_slots = line->n_slots > 0;
	if (!str_eq(m->master_id, line->master_id))
		m->master_id = arena_str(&m->arena, line->master_id);
	take_specs(&m->keys, &c->settings->check_single_keys, line, &m->arena);
	take_specs(&m->streams, &c->settings->check_single_streams, line, &m->arena);
}

/* Under the lock. None is connecting: that is done by this thread. */
static void take_lines(struct cluster *c, struct str text, struct arena *a)
{
	struct cluster_line line;
	struct str one;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		c->members[i]->kept = false;
	while (str_cut(&text, '\n', &one))
		if (cluster_read_line(one, &line) && line.has_address)
			take_line(c, &line, a);
	for (size_t i = 0; i < c->n; i++) {
		if (c->members[i]->kept)
			c->members[n++] = c->members[i];
		else
			member_free(c->members[i]);
	}
	c->n = n;
}

/* ---- The thread ---- */

static struct redis_wait soon(const struct cluster *c)
{
	return (struct redis_wait){ clock_mono_ms(&clock_system) + CONNECT_MS, c->stop_fd };
}

static bool ask_nodes(const struct cluster *c, const struct redis_url *url, struct arena *a, struct str *text, struct err *e)
{
	struct redis_url own = *url;
	const struct resp_reply *reply;
	struct redis_conn *conn;
	bool ok;

	own.db = 0;
	conn = redis_conn_new(&own, REDIS_CONN_OPTIONS_DEFAULT);
	ok = redis_conn_open(conn, soon(c), e);
	redis_conn_sendz(conn, "CLUSTER", "NODES", NULL);
	ok = ok && redis_conn_reply(conn, a, soon(c), &reply, e);
	if (ok && reply->type != RESP_STRING)
		ok = err_set(e, ERR_UPSTREAM, -1, "CLUSTER NODES: " STR_FMT, STR_ARG(reply->text));
	if (ok)
		*text = reply->text;
	redis_conn_free(conn);
	return ok;
}

/* Any node knows all: the configured one first, then those known. Only this thread changes the list, so it may be read without the
 * lock. */
static bool ask_any(const struct cluster *c, struct arena *a, struct str *text, struct err *e)
{
	struct err first = { 0 };

	if (ask_nodes(c, &c->settings->endpoint.url, a, text, &first))
		return true;
	for (size_t i = 0; i < c->n && first.code != ERR_CANCELED; i++) {
		*e = (struct err){ 0 };
		if (!c->members[i]->failed && ask_nodes(c, &c->members[i]->url, a, text, e))
			return true;
	}
	*e = first;
	return false;
}

static void discover(struct cluster *c)
{
	struct arena a = { 0 };
	struct err e = { 0 };
	struct str text;
	const bool ok = ask_any(c, &a, &text, &e);

	pthread_mutex_lock(&c->lock);
	if (ok)
		take_lines(c, text, &a);
	c->e = e;
	pthread_mutex_unlock(&c->lock);
	if (ok)
		complain_works(&c->complaint, "cluster", c->settings->common.title, clock_now_ms(&clock_system));
	else if (e.code != ERR_CANCELED)
		complain_failed(&c->complaint, "cluster", c->settings->common.title, &e, clock_now_ms(&clock_system));
	arena_fini(&a);
}

/* True when all stand. */
static bool connect_members(struct cluster *c)
{
	bool all = true;

	for (size_t i = 0; i < c->n; i++) {
		struct member *m = c->members[i];
		struct err e = { 0 };

		pthread_mutex_lock(&c->lock);
		m->connecting = !m->ready;
		pthread_mutex_unlock(&c->lock);
		if (!m->connecting)
			continue;
		const bool ok = redis_node_connect(&m->node, soon(c), &e);
		redis_node_end(&m->node);
		pthread_mutex_lock(&c->lock);
		m->connecting = false;
		m->ready = ok;
		m->connected_mono_ms = clock_mono_ms(&clock_system);
		pthread_mutex_unlock(&c->lock);
		all &= ok;
	}
	return all;
}

static void *cluster_thread(void *arg)
{
	struct cluster *c = arg;
	struct pollfd fds[] = { { .fd = c->stop_fd, .events = POLLIN }, { .fd = c->wake_fd, .events = POLLIN } };
	int64_t due_ms = 0, discovered_ms = 0;

	do {
		const int64_t now = clock_mono_ms(&clock_system);
		uint64_t n;

		if (fds[1].revents != 0 && read(c->wake_fd, &n, sizeof n) > 0 && due_ms > discovered_ms + RETRY_MS)
			due_ms = discovered_ms + RETRY_MS;      /* a node is lost: perhaps it was replaced */
		if (now >= due_ms) {
			discover(c);
			discovered_ms = now;
			due_ms = now + c->settings->discover_interval_ms;
		}
		const bool all = connect_members(c);
		pthread_mutex_lock(&c->lock);
		c->discovered = true;
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
		int64_t left = due_ms - clock_mono_ms(&clock_system);
		left = !all && left > RETRY_MS ? RETRY_MS : left;
		fds[0].revents = fds[1].revents = 0;
		if (poll(fds, ARRAY_LEN(fds), left < 0 ? 0 : (int)left) < 0)
			fds[0].revents = 0;
	} while (fds[0].revents == 0);
	return NULL;
}

struct cluster *cluster_new(const struct redis_settings *settings)
{
	struct cluster *c = mem_alloc(sizeof *c);
	int failed;

	c->settings = settings;
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(c->stop_fd >= 0 && c->wake_fd >= 0);
	pthread_mutex_init(&c->lock, NULL);
	wait_cond_init(&c->changed);
	failed = pthread_create(&c->thread, NULL, cluster_thread, c);
	assert(failed == 0);
	(void)failed;
	return c;
}

static void ring(int fd)
{
	const uint64_t one = 1;
	const ssize_t n = write(fd, &one, sizeof one);

	(void)n;        /* full: it rings already */
}

void cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	ring(c->stop_fd);
	pthread_join(c->thread, NULL);
	for (size_t i = 0; i < c->n; i++)
		member_free(c->members[i]);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	close(c->stop_fd);
	close(c->wake_fd);
	free(c);
}

/* ---- A scrape ---- */

/* Under the lock. */
static void ask_members(struct cluster *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct member *m = c->members[i];

		if (!m->ready || m->answered || m->lost || m->node.begun)
			continue;
		redis_node_begin(&m->node);
		m->lost = !m->node.begun;
	}
}

/* Under the lock. */
static void forget_answers(struct cluster *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->members[i]->answered = false;
}

void cluster_begin(struct cluster *c)
{
	if (pthread_mutex_trylock(&c->lock) != 0)
		return;
	forget_answers(c);
	ask_members(c);
	pthread_mutex_unlock(&c->lock);
}

static bool show_member(struct member *m, struct redis_wait wait, int64_t now_ms, struct expo_set *out)
{
	const struct label node = { STR("node"), m->address };
	struct redis_shown shown = { .settings = m->node.settings, .set = out, .arena = &m->node.arena, .now_ms = now_ms };
	struct err e = { 0 };
	bool ok;

	expo_set_base(out, &node, 1);
	ok = redis_node_show(&m->node, wait, &shown, &e);
	if (ok)
		redis_node_show_allowed(&m->node, out);
	expo_set_base(out, NULL, 0);
	ok = ok && redis_node_show_further(&m->node, wait, &shown, &e);
	info_fini(&shown.info);
	redis_node_end(&m->node);
	m->lost = !ok && redis_conn_was_cut(m->node.conn);
	m->ready = m->lost || (ok && clock_mono_ms(&clock_system) - m->connected_mono_ms < MAX_AGE_MS);
	if (!m->ready)
		redis_conn_close(m->node.conn);
	return ok;
}

/* Under the lock. Whoever answers is shown at once. */
static size_t read_members(struct cluster *c, struct redis_wait wait, int64_t now_ms, struct expo_set *out)
{
	struct pollfd fds[CLUSTER_NODES_MAX + 1];
	struct member *asked[CLUSTER_NODES_MAX];
	size_t n = 0, good = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->members[i]->ready && c->members[i]->node.begun)
			asked[n++] = c->members[i];
	while (n > 0) {
		const int64_t left = wait.deadline_mono_ms - clock_mono_ms(&clock_system);

		for (size_t i = 0; i < n; i++)
			fds[i] = (struct pollfd){ .fd = redis_conn_fd(asked[i]->node.conn), .events = POLLIN };
		fds[n] = (struct pollfd){ .fd = wait.stop_fd, .events = POLLIN };
		if (poll(fds, n + 1, left < 0 ? 0 : (int)left) <= 0 || fds[n].revents != 0)
			break;
		for (size_t i = n; i-- > 0;) {
			struct member *m = asked[i];
			if (fds[i].revents == 0)
				continue;
			m->answered = show_member(m, wait, now_ms, out);
			good += m->answered;
			asked[i] = asked[--n];
			fds[i] = fds[n];
		}
	}
	for (size_t i = 0; i < n; i++) {
		redis_conn_close(asked[i]->node.conn);
		redis_node_end(&asked[i]->node);
		asked[i]->ready = false;
	}
	return good;
}

/* Under the lock. Whether some are there again. One that cannot be had, or not soon, is connected beside and not waited for again. */
static bool connect_lost(struct cluster *c, struct redis_wait wait)
{
	const int64_t until = clock_mono_ms(&clock_system) + AGAIN_MS;
	bool any = false;

	if (until < wait.deadline_mono_ms)
		wait.deadline_mono_ms = until;
	for (size_t i = 0; i < c->n; i++) {
		struct member *m = c->members[i];
		struct err e = { 0 };

		if (!m->lost)
			continue;
		m->lost = false;
		m->ready = redis_node_connect(&m->node, wait, &e);
		m->connected_mono_ms = clock_mono_ms(&clock_system);
		redis_node_end(&m->node);
		any |= m->ready;
	}
	return any;
}

static bool all_ready(const struct cluster *c)
{
	size_t i = 0;

	while (i < c->n && c->members[i]->ready)
		i++;
	return i == c->n;
}

static void show_list(const struct cluster *c, struct expo_set *out)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct member *m = c->members[i];
		const struct label node = { STR("node"), m->address };

		EXPO_EMIT(out, &redis_families[RF_CLUSTER_NODE], 1, node, { STR("node_id"), m->id },
		          { STR("role"), m->is_master ? STR("master") : STR("slave") },
		          { STR("master_id"), str_eq(m->master_id, STR("-")) ? STR("") : m->master_id });
		expo_emit(out, &redis_families[RF_CLUSTER_NODE_FAILED], m->failed, &node, 1);
		expo_emit(out, &redis_families[RF_NODE_UP], m->answered, &node, 1);
	}
}

static void wait_discovered(struct cluster *c, struct redis_wait wait)
{
	while (!c->discovered && wait_until(&c->changed, &c->lock, wait.deadline_mono_ms))
		continue;
}

bool cluster_collect(struct cluster *c, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	const struct redis_wait wait = { ask->deadline_mono_ms, ask->stop_fd };
	size_t good, n;
	bool beside;

	pthread_mutex_lock(&c->lock);
	wait_discovered(c, wait);
	forget_answers(c);
	ask_members(c);
	good = read_members(c, wait, clock_now_ms(ask->clock), out);
	if (connect_lost(c, wait)) {
		ask_members(c);
		good += read_members(c, wait, clock_now_ms(ask->clock), out);
	}
	n = c->n;
	show_list(c, out);
	if (good == 0 && c->e.code != ERR_NONE)
		err_set(e, c->e.code, -1, "%s", c->e.msg);
	else if (good == 0)
		err_set(e, ERR_UPSTREAM, -1, "none of %zu nodes answered", n);
	beside = !all_ready(c);
	pthread_mutex_unlock(&c->lock);
	if (beside)
		ring(c->wake_fd);
	return good > 0;
}

/* ---- For others ---- */

struct redis_urls cluster_masters(struct cluster *c, struct redis_wait wait, struct arena *a)
{
	struct redis_urls urls = { 0 };

	pthread_mutex_lock(&c->lock);
	wait_discovered(c, wait);
	urls.v = ARENA_ARRAY(a, c->n, const struct redis_url *);
	for (size_t i = 0; i < c->n; i++) {
		struct redis_url *url;

		if (!c->members[i]->is_master || c->members[i]->failed) {
			urls.missing += c->members[i]->is_master && c->members[i]->has_slots;
			continue;
		}
		url = ARENA_NEW(a, struct redis_url);
		*url = c->members[i]->url;
		url->host = arena_strz(a, str_of(url->host));
		url->port = arena_strz(a, str_of(url->port));
		urls.v[urls.n++] = url;
	}
	pthread_mutex_unlock(&c->lock);
	return urls;
}
