/* Sources are told from the configuration. A cluster is asked: that takes a while, so it is done on a thread that ends with the
 * answer, a few at most. */
#include "sd.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tocsin/json.h"
#include "tocsin/mem.h"

#define ASKING_MAX 8
#define KNOWN_MAX 1000                  /* nodes of one source that are remembered */

/* The nodes of a source as they were told last. */
struct known {
	struct known *next;
	struct arena arena;
	struct str name, fingerprint;   /* of the source */
	struct source_nodes nodes;
};

struct sd {
	const struct clock *clock;
	struct http_route route;
	int stop_fd;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct sources *config;         /* NULL: none yet */
	struct known *known;            /* one a source; under the lock */
	size_t asking;                  /* threads */
};

/* ---- Groups ---- */

static void open_group(struct json_out *j, struct str target)
{
	json_out_open(j, '{');
	json_out_key(j, "targets");
	json_out_open(j, '[');
	json_out_str(j, target);
	json_out_close(j, ']');
	json_out_key(j, "labels");
	json_out_open(j, '{');
}

static void put_label(struct json_out *j, const char *name, struct str value)
{
	json_out_key(j, name);
	json_out_str(j, value);
}

static void close_group(struct json_out *j)
{
	json_out_close(j, '}');
	json_out_close(j, '}');
}

static void put_source(struct json_out *j, struct arena *a, const struct sources_entry *s)
{
	open_group(j, s->settings->name);
	put_label(j, "__meta_tocsin_source", s->settings->name);
	put_label(j, "__meta_tocsin_kind", str_of(s->kind->name));
	put_label(j, "__meta_tocsin_address", s->kind->describe != NULL ? s->kind->describe(a, s->settings) : STR(""));
	close_group(j);
}

/* ---- What is known ---- */

static void known_free(struct known *k)
{
	arena_fini(&k->arena);
	free(k);
}

static bool is_of(const struct known *k, const struct sources_entry *s)
{
	return str_eq(k->name, s->settings->name) && str_eq(k->fingerprint, s->fingerprint);
}

static void copy_nodes(struct arena *a, struct source_nodes from, struct source_nodes *to)
{
	to->v = ARENA_ARRAY(a, from.n, struct str);
	for (to->n = 0; to->n < from.n; to->n++)
		to->v[to->n] = arena_str(a, from.v[to->n]);
}

/* Under the lock. In place of what was known of the source; none of <nodes>: only forgets. */
static void know(struct sd *sd, const struct sources_entry *s, struct source_nodes nodes)
{
	struct known *k, **at = &sd->known;

	while ((k = *at) != NULL) {
		if (is_of(k, s)) {
			*at = k->next;
			known_free(k);
		} else {
			at = &k->next;
		}
	}
	if (nodes.n == 0)
		return;
	k = mem_alloc(sizeof *k);
	k->name = arena_str(&k->arena, s->settings->name);
	k->fingerprint = arena_str(&k->arena, s->fingerprint);
	copy_nodes(&k->arena, nodes, &k->nodes);
	k->next = sd->known;
	sd->known = k;
}

/* Under the lock. */
static void forget_others(struct sd *sd, const struct sources *c)
{
	struct known *k, **at = &sd->known;

	while ((k = *at) != NULL) {
		bool stays = false;

		for (size_t i = 0; c != NULL && i < c->n; i++)
			stays |= is_of(k, &c->v[i]);
		if (stays) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		known_free(k);
	}
}

/* ---- Asking a cluster ---- */

struct asking {
	struct sd *sd;
	struct http_request *request;
	struct sources *config;         /* counted */
	const struct sources_entry *source;
	struct arena arena;
	struct source_nodes known, told;
	struct json_out json;
};

static void put_node(void *user, struct str address, const struct label *labels, size_t n)
{
	struct asking *k = user;

	if (k->told.n < KNOWN_MAX)
		k->told.v[k->told.n++] = arena_str(&k->arena, address);
	open_group(&k->json, address);
	put_label(&k->json, "__meta_tocsin_source", k->source->settings->name);
	for (size_t i = 0; i < n; i++) {
		json_out_key_str(&k->json, labels[i].name);
		json_out_str(&k->json, labels[i].value);
	}
	close_group(&k->json);
}

static void asking_free(struct asking *k)
{
	sources_unref(k->config);
	arena_fini(&k->arena);
	free(k);
}

/* A failure is an error of the request: Prometheus then keeps the targets it has. */
static void *asking_thread(void *arg)
{
	struct asking *k = arg;
	struct sd *sd = k->sd;
	const struct source_ask ask = { clock_mono_ms(sd->clock) + k->source->settings->timeout_ms, sd->stop_fd, sd->clock };
	struct buf page = { 0 };
	struct err e = { 0 };

	k->json = (struct json_out){ &page, false };
	json_out_open(&k->json, '[');
	k->told.v = ARENA_ARRAY(&k->arena, KNOWN_MAX, struct str);
	if (k->source->kind->nodes(k->source->settings, k->known, &ask, put_node, k, &e)) {
		pthread_mutex_lock(&sd->lock);
		know(sd, k->source, k->told);
		pthread_mutex_unlock(&sd->lock);
		json_out_close(&k->json, ']');
		http_reply_buf(k->request, 200, "application/json", &page);
	} else {
		http_reply_text(k->request, 502, STR_FMT ": %s\n", STR_ARG(k->source->settings->name), e.msg);
	}
	buf_fini(&page);
	asking_free(k);
	pthread_mutex_lock(&sd->lock);
	sd->asking--;
	pthread_cond_signal(&sd->idle);
	pthread_mutex_unlock(&sd->lock);
	return NULL;
}

static void start_asking(struct sd *sd, struct http_request *q, const struct sources_entry *source)
{
	struct asking *k = mem_alloc(sizeof *k);
	pthread_attr_t attr;
	pthread_t thread;
	int failed;

	*k = (struct asking){ .sd = sd, .request = q, .config = sources_ref(sd->config), .source = source };
	for (const struct known *known = sd->known; known != NULL; known = known->next)
		if (is_of(known, source))
			copy_nodes(&k->arena, known->nodes, &k->known);
	http_suspend(q);
	sd->asking++;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &attr, asking_thread, k);
	pthread_attr_destroy(&attr);
	if (failed == 0)
		return;
	sd->asking--;
	http_reply_text(q, 503, "no thread to ask with\n");
	asking_free(k);
}

/* Under the lock. */
static const struct sources_entry *find_source(const struct sd *sd, struct str name)
{
	for (size_t i = 0; sd->config != NULL && i < sd->config->n; i++)
		if (str_eq(sd->config->v[i].settings->name, name))
			return &sd->config->v[i];
	return NULL;
}

static void handle_nodes(struct sd *sd, struct http_request *q, struct str name)
{
	const struct sources_entry *s;

	pthread_mutex_lock(&sd->lock);
	s = find_source(sd, name);
	if (s == NULL)
		http_reply_text(q, 404, "no source of that name is configured\n");
	else if (s->kind->nodes == NULL)
		http_reply_text(q, 400, "a source of kind %s knows no nodes\n", s->kind->name);
	else if (sd->asking == ASKING_MAX)
		http_reply_text(q, 503, "%d requests of this sort are under way (ASKING_MAX)\n", ASKING_MAX);
	else
		start_asking(sd, q, s);
	pthread_mutex_unlock(&sd->lock);
}

/* ---- The route ---- */

static bool is_kind(struct str name)
{
	const struct source_kind *const *kind = source_kinds;

	while (*kind != NULL && !str_eq(name, str_of((*kind)->name)))
		kind++;
	return *kind != NULL;
}

static void handle_sd(struct http_request *q)
{
	struct sd *sd = q->ctx;
	const struct str kind = http_param(q, "kind"), nodes_of = http_param(q, "nodes_of");
	struct buf page = { 0 };
	struct json_out j = { &page, false };

	if (nodes_of.n > 0) {
		handle_nodes(sd, q, nodes_of);
		return;
	}
	if (kind.n > 0 && !is_kind(kind)) {     /* an empty list would be taken for an answer, and nothing scraped any more */
		http_reply_text(q, 400, "no kind of source has that name\n");
		return;
	}
	json_out_open(&j, '[');
	pthread_mutex_lock(&sd->lock);
	for (size_t i = 0; sd->config != NULL && i < sd->config->n; i++)
		if (kind.n == 0 || str_eq(kind, str_of(sd->config->v[i].kind->name)))
			put_source(&j, q->arena, &sd->config->v[i]);
	pthread_mutex_unlock(&sd->lock);
	json_out_close(&j, ']');
	http_reply_buf(q, 200, "application/json", &page);
	buf_fini(&page);
}

struct sd *sd_new(const struct clock *clock)
{
	struct sd *sd = mem_alloc(sizeof *sd);

	sd->clock = clock;
	sd->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert(sd->stop_fd >= 0);
	pthread_mutex_init(&sd->lock, NULL);
	pthread_cond_init(&sd->idle, NULL);
	return sd;
}

void sd_apply(struct sd *sd, struct sources *c)
{
	struct sources *old;

	pthread_mutex_lock(&sd->lock);
	old = sd->config;
	sd->config = sources_ref(c);
	forget_others(sd, c);
	pthread_mutex_unlock(&sd->lock);
	if (old != NULL)
		sources_unref(old);
}

void sd_add_routes(struct sd *sd, struct http_server *server)
{
	sd->route = (struct http_route){ .methods = HTTP_GET, .path = "/sd", .handle = handle_sd,
	    .help = "the sources as targets, for Prometheus's http_sd: ?kind=KIND; the nodes of a cluster: ?nodes_of=SOURCE" };
	http_server_add(server, &sd->route, 1, sd);
}

void sd_free(struct sd *sd)
{
	const uint64_t one = 1;
	ssize_t n = write(sd->stop_fd, &one, sizeof one);

	assert(n == sizeof one);
	(void)n;
	pthread_mutex_lock(&sd->lock);
	while (sd->asking > 0)
		pthread_cond_wait(&sd->idle, &sd->lock);
	pthread_mutex_unlock(&sd->lock);
	if (sd->config != NULL)
		sources_unref(sd->config);
	forget_others(sd, NULL);
	pthread_cond_destroy(&sd->idle);
	pthread_mutex_destroy(&sd->lock);
	close(sd->stop_fd);
	free(sd);
}
