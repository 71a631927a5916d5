/* Alerts of our own rules to Alertmanagers, each of which gets all of them: at once when one begins or ends, again every resend delay
 * while it fires, and for 15 minutes after its end. endsAt lies four delays ahead while an alert fires, also while nothing is known of
 * it, so it never passes by itself. Each Alertmanager is on its own: one request under way, what it missed is sent when it answers
 * again. What was sent is in memory only: after a start all is sent again, which Alertmanagers take for the same alerts.
 * Source: Prometheus's documentation of its alert generator, and of Alertmanager's clients. */
#include <stdlib.h>

#include "notify/core.h"
#include "notify/receivers/receiver.h"
#include "notify/text.h"
#include "tocsin/complain.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/relabel.h"
#include "tocsin/version.h"

#define RESEND_MS 60000
#define KEEP_ENDED_MS (15 * 60000)
#define BATCH 256
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 30000

struct sending {                        /* a request under way */
	struct asker asker;             /* first */
	struct peer *peer;              /* NULL: a reload took the Alertmanager away */
	const struct notify_config *config;     /* whose settings it uses */
	struct arena arena;
	struct http_call call;
	struct label headers[2];
	size_t n;                       /* alerts */
	struct sending *next;
};

struct peer {
	const struct manager *manager;
	struct str url;                 /* as shown: without user and password */
	size_t index;
	struct sending *sending;        /* NULL: none */
	unsigned failures;              /* in a row */
	int64_t not_before_mono_ms, due_mono_ms;
	struct complaint complaint;
	struct notify_manager stats;    /* texts on the heap */
};

#define MAX_FOUND 1000                  /* Alertmanagers that discoveries of one entry name */

struct found {                          /* what discoveries of an entry have named */
	struct found *next;
	const void *of;                 /* its configuration; only compared */
	size_t entry;
	struct arena arena;
	struct notify_found_group *v;
	size_t n;
};

struct forwarding {
	int64_t resend_ms;
	struct found *found;
	struct arena arena;             /* of <managers> */
	struct manager *managers;       /* one a peer */
	struct peer *peers;
	size_t n;
	uint64_t generation;            /* of the list of peers: marks of another are none */
	struct sending *all;            /* of this and earlier lists */
	int64_t sweep_mono_ms;          /* when alerts that ended are let go next */
};

struct forward_mark {                   /* what a peer was told of an alert */
	bool sent, ended;
	int64_t starts_ms, at_mono_ms;
};

struct forwarding *forward_new(int64_t resend_delay_ms)
{
	struct forwarding *f = mem_alloc(sizeof *f);

	f->resend_ms = resend_delay_ms > 0 ? resend_delay_ms : RESEND_MS;
	f->sweep_mono_ms = INT64_MAX;
	return f;
}

static void free_peers(struct forwarding *f)
{
	for (size_t i = 0; i < f->n; i++) {
		text_free(f->peers[i].url);
		text_free(f->peers[i].stats.last_error);
	}
	free(f->peers);
	f->peers = NULL;
	f->n = 0;
}

static void free_sending(struct sending *s)
{
	arena_fini(&s->arena);
	free(s);
}

static void free_found(struct found *f)
{
	arena_fini(&f->arena);
	free(f);
}

/* What was found for another configuration than this, and for this and the entry; SIZE_MAX: no entry's. */
static void drop_found(struct forwarding *f, const void *of, bool others, size_t entry)
{
	for (struct found **at = &f->found, *one; (one = *at) != NULL;) {
		if (one->of == of ? one->entry != entry : !others) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		free_found(one);
	}
}

void forward_free(struct forwarding *f)
{
	drop_found(f, NULL, true, SIZE_MAX);
	arena_fini(&f->arena);

	for (struct sending *s = f->all, *next; s != NULL; s = next) {
		next = s->next;
		free_sending(s);
	}
	free_peers(f);
	free(f);
}

static bool is_forwarded(const struct page_alert *a)
{
	return !str_eq(a->rule, STR("api"));
}

bool forward_keeps(const struct core *c, const struct page_alert *a)
{
	return c->config->n_sources > 0 && is_forwarded(a) && core_now_ms(c) - a->ends_ms < KEEP_ENDED_MS;
}

/* Another rule gives the same labels: to an Alertmanager nothing has ended. */
static bool fires_on(const struct page_alert *a)
{
	for (const struct page_alert *t = a->twin; t != a; t = t->twin)
		if (t->ends_ms == 0 && is_forwarded(t))
			return true;
	return false;
}

bool forward_uses(const struct core *c, const struct notify_config *config)
{
	for (const struct sending *s = c->forwarding->all; s != NULL; s = s->next)
		if (s->config == config)
			return true;
	return false;
}

bool forward_is_asking(const struct core *c)
{
	return c->forwarding->all != NULL;
}

void forward_changed(struct core *c)
{
	for (size_t i = 0; i < c->forwarding->n; i++)
		c->forwarding->peers[i].due_mono_ms = INT64_MIN;
}

/* Alerts that ended and were kept for Alertmanagers alone. */
static void sweep(struct core *c)
{
	struct page_alert **ended = ARENA_ARRAY(&c->scratch, c->alerts.n + 1, struct page_alert *);
	size_t n = 0;

	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;)
		if (((struct page_alert *)s->value)->ends_ms != 0)
			ended[n++] = s->value;
	for (size_t i = 0; i < n; i++)
		pager_free_if_done(c, ended[i]);
	c->forwarding->sweep_mono_ms = c->config->n_sources > 0 ? clock_mono_ms(c->clock) + KEEP_ENDED_MS / 15 : INT64_MAX;
}

/* "http://user:word@host/": the middle is nobody's business. */
static struct str shown(struct arena *a, struct str url)
{
	size_t scheme = str_find(url, STR("://")) + 3, at = str_chr(url, '@');

	return at < url.n ? arena_printf(a, STR_FMT STR_FMT, (int)scheme, url.p, (int)(url.n - at - 1), url.p + at + 1) : url;
}

static void add_manager(struct forwarding *f, const struct manager_source *of, struct str url, size_t *cap)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->managers[i].url, url))
			return;
	f->managers = arena_grow(&f->arena, f->managers, f->n, cap, f->n + 1, sizeof *f->managers);
	f->managers[f->n++] = (struct manager){ url, of };
}

static void add_found(struct forwarding *f, const struct manager_source *of, const struct found *found, size_t *cap)
{
	struct str url;
	size_t n = 0;

	for (size_t g = 0; g < found->n; g++)
		for (size_t i = 0; i < found->v[g].n; i++) {
			struct str address = found->v[g].addresses[i];

			if (++n > MAX_FOUND) {
				log_printf(LOG_ERROR, "discovery names more than %d Alertmanagers (limit MAX_FOUND): not all are told",
					   MAX_FOUND);
				return;
			}
			if (!config_is_address(address))
				log_event(LOG_ERROR, "this is no host:port of an Alertmanager", "address", arena_strz(&f->arena, address), NULL);
			else if (config_manager_url(of, &f->arena, address, found->v[g].labels, found->v[g].n_labels, &url))
				add_manager(f, of, url, cap);
		}
}

/* Those that are written down, and those that were found. */
static void list_managers(struct core *c)
{
	const struct notify_config *config = c->config;
	struct forwarding *f = c->forwarding;
	size_t cap = 0;

	arena_reset(&f->arena);
	f->managers = NULL;
	f->n = 0;
	for (size_t i = 0; i < config->n_managers; i++)
		add_manager(f, config->managers[i].of, arena_str(&f->arena, config->managers[i].url), &cap);
	for (const struct found *found = f->found; found != NULL; found = found->next)
		if (found->of == config && found->entry < config->n_sources)
			add_found(f, &config->sources[found->entry], found, &cap);
}

static void begin_again(struct core *c)
{
	struct forwarding *f = c->forwarding;

	for (struct sending *s = f->all; s != NULL; s = s->next)
		s->peer = NULL;
	free_peers(f);
	f->generation++;
	list_managers(c);
	f->peers = mem_alloc((f->n + 1) * sizeof *f->peers);
	for (size_t i = 0; i < f->n; i++) {
		const struct manager *m = &f->managers[i];

		f->peers[i] = (struct peer){ .manager = m, .url = text_dup(shown(&c->scratch, m->url)), .index = i,
					     .due_mono_ms = INT64_MIN, .not_before_mono_ms = INT64_MIN };
		f->peers[i].stats.last_error = text_dup(STR(""));
	}
	sweep(c);
}

static bool same_group(const struct notify_found_group *a, const struct notify_found_group *b)
{
	if (a->n != b->n || a->n_labels != b->n_labels)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->addresses[i], b->addresses[i]))
			return false;
	for (size_t i = 0; i < a->n_labels; i++)
		if (!str_eq(a->labels[i].name, b->labels[i].name) || !str_eq(a->labels[i].value, b->labels[i].value))
			return false;
	return true;
}

static bool is_known(const struct forwarding *all, const void *of, size_t entry, const struct notify_found_group *v, size_t n)
{
	for (const struct found *f = all->found; f != NULL; f = f->next) {
		bool same = f->of == of && f->entry == entry && f->n == n;

		for (size_t i = 0; same && i < n; i++)
			same = same_group(&f->v[i], &v[i]);
		if (same)
			return true;
	}
	return false;
}

void forward_found(struct core *c, const void *of, size_t entry, const struct notify_found_group *v, size_t n)
{
	struct found *f;

	if (is_known(c->forwarding, of, entry, v, n))
		return;
	f = mem_alloc(sizeof *f);
	drop_found(c->forwarding, of, false, entry);
	f->of = of;
	f->entry = entry;
	f->v = ARENA_ARRAY(&f->arena, n + 1, struct notify_found_group);
	for (size_t g = 0; g < n; g++) {
		struct str *addresses = ARENA_ARRAY(&f->arena, v[g].n + 1, struct str);
		struct label *labels = ARENA_ARRAY(&f->arena, v[g].n_labels + 1, struct label);

		for (size_t i = 0; i < v[g].n; i++)
			addresses[i] = arena_str(&f->arena, v[g].addresses[i]);
		for (size_t i = 0; i < v[g].n_labels; i++)
			labels[i] = (struct label){ arena_str(&f->arena, v[g].labels[i].name),
						    arena_str(&f->arena, v[g].labels[i].value) };
		f->v[f->n++] = (struct notify_found_group){ addresses, v[g].n, labels, v[g].n_labels };
	}
	f->next = c->forwarding->found;
	c->forwarding->found = f;
	if (of == c->config)
		begin_again(c);
}

void forward_configure(struct core *c)
{
	drop_found(c->forwarding, c->config, true, SIZE_MAX);
	begin_again(c);
}

/* ---- What an Alertmanager has to hear. ---- */

static struct forward_mark *mark_of(const struct forwarding *f, struct page_alert *a, size_t peer)
{
	if (a->marks_generation != f->generation) {
		free(a->marks);
		a->marks = mem_alloc(f->n * sizeof *a->marks);
		a->marks_generation = f->generation;
	}
	return &a->marks[peer];
}

/* When it has to hear of <a> again; <now> or before: now. */
static int64_t due_of(const struct forwarding *f, const struct page_alert *a, const struct forward_mark *m)
{
	if (!m->sent || m->ended != (a->ends_ms != 0) || m->starts_ms != a->starts_ms)
		return INT64_MIN;
	return m->at_mono_ms + f->resend_ms;
}

/* False: a rule drops it. What a rule cannot tell it does not drop. */
static bool relabel(const struct core *c, const struct peer *p, struct arena *a, struct labels *l)
{
	return relabel_apply(c->config->alert_relabel.v, c->config->alert_relabel.n, l, a) != RELABEL_DROPPED
		&& relabel_apply(p->manager->of->alert_relabel.v, p->manager->of->alert_relabel.n, l, a) != RELABEL_DROPPED;
}

static void put_alert(struct json_out *j, struct core *c, struct arena *arena, const struct page_alert *a, struct labels l)
{
	json_out_open(j, '{');
	json_out_key(j, "labels");
	json_out_labels(j, l);
	json_out_key(j, "annotations");
	json_out_labels(j, notice_annotations(arena, a));
	json_out_key(j, "startsAt");
	json_out_time(j, a->starts_ms);
	json_out_key(j, "endsAt");
	json_out_time(j, a->ends_ms != 0 ? a->ends_ms : core_now_ms(c) + 4 * c->forwarding->resend_ms);
	json_out_key(j, "generatorURL");
	json_out_str(j, a->generator_url);
	json_out_close(j, '}');
}

/* Up to BATCH alerts as JSON into <out>, marked as sent; the rest is due right after. */
static size_t gather(struct core *c, struct peer *p, struct sending *s, struct buf *out)
{
	int64_t now_mono_ms = clock_mono_ms(c->clock), next_ms = INT64_MAX;
	struct json_out j = { out, false };
	size_t n = 0;

	p->stats.waiting = 0;
	json_out_open(&j, '[');
	for (struct map_slot *slot = NULL; (slot = map_next(&c->alerts, slot)) != NULL;) {
		struct page_alert *a = slot->value;
		struct labels l = a->labels;
		struct forward_mark *m;
		int64_t due_ms;

		if (!is_forwarded(a) || (a->ends_ms != 0 && (!forward_keeps(c, a) || fires_on(a))))
			continue;
		m = mark_of(c->forwarding, a, p->index);
		due_ms = due_of(c->forwarding, a, m);
		if (due_ms <= now_mono_ms && n == BATCH) {
			p->stats.waiting++;
			next_ms = INT64_MIN;
		} else if (due_ms <= now_mono_ms) {
			*m = (struct forward_mark){ true, a->ends_ms != 0, a->starts_ms, now_mono_ms };
			if (relabel(c, p, &s->arena, &l)) {
				put_alert(&j, c, &s->arena, a, l);
				n++;
			}
			due_ms = now_mono_ms + c->forwarding->resend_ms;
		}
		next_ms = due_ms < next_ms ? due_ms : next_ms;
	}
	json_out_close(&j, ']');
	p->due_mono_ms = next_ms;
	return n;
}

/* All that was marked lately was not taken after all. */
static void unmark(struct core *c, const struct peer *p)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;) {
		struct page_alert *a = s->value;

		if (a->marks_generation == c->forwarding->generation)
			a->marks[p->index].sent = false;
	}
}

/* ---- Requests. ---- */

static void note_failure(struct core *c, struct peer *p, const struct http_answer *answer, size_t n)
{
	int64_t wait_ms = BACKOFF_FIRST_MS, most_ms = c->forwarding->resend_ms < BACKOFF_MAX_MS ? c->forwarding->resend_ms : BACKOFF_MAX_MS;
	struct err e = { 0 };

	if (answer->fate == HTTP_ANSWERED)
		err_set(&e, ERR_UPSTREAM, -1, "HTTP %d: " STR_FMT, answer->status, STR_ARG(text_clean(&c->scratch, answer->body, 160)));
	else
		err_set(&e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG(text_clean(&c->scratch, answer->error, 200)));
	for (unsigned i = 0; i < p->failures && wait_ms < most_ms; i++)
		wait_ms *= 2;
	wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
	p->failures++;
	p->stats.errors += n;
	p->stats.waiting += n;
	p->stats.requests_failed++;
	p->not_before_mono_ms = clock_mono_ms(c->clock) + wait_ms / 2 + (int64_t)(core_random(c) % (uint64_t)(wait_ms / 2 + 1));
	text_set(&p->stats.last_error, str_of(e.msg));
	complain_failed(&p->complaint, "sending alerts", p->url.p, &e, core_now_ms(c));
}

static void note_success(struct core *c, struct peer *p, size_t n)
{
	p->failures = 0;
	p->stats.sent += n;
	p->stats.last_success_ms = core_now_ms(c);
	text_set(&p->stats.last_error, STR(""));
	complain_works(&p->complaint, "sending alerts", p->url.p, core_now_ms(c));
}

static void unlink_sending(struct forwarding *f, const struct sending *s)
{
	for (struct sending **at = &f->all; *at != NULL; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			return;
		}
}

/* One that answers 400 has kept what it could read: to send that again at once would change nothing. */
static void answered(struct core *c, struct asker *asker, const struct http_answer *answer)
{
	struct sending *s = (struct sending *)asker;
	struct peer *p = s->peer;
	bool took = answer->fate == HTTP_ANSWERED && answer->status >= 200 && answer->status < 300;

	unlink_sending(c->forwarding, s);
	if (p != NULL) {
		p->sending = NULL;
		p->stats.requests++;
		if (took)
			note_success(c, p, s->n);
		else
			note_failure(c, p, answer, s->n);
		if (!took && !(answer->fate == HTTP_ANSWERED && answer->status == 400)) {
			unmark(c, p);
			p->due_mono_ms = INT64_MIN;
		}
	}
	free_sending(s);
}

static void post(struct core *c, struct peer *p)
{
	struct sending *s = mem_alloc(sizeof *s);
	struct buf body = { 0 };

	s->n = gather(c, p, s, &body);
	if (s->n == 0) {
		buf_fini(&body);
		free_sending(s);
		return;
	}
	s->asker.answered = answered;
	s->peer = p;
	s->config = c->config;
	s->headers[0] = (struct label){ STR("Content-Type"), STR("application/json") };
	s->headers[1] = (struct label){ STR("User-Agent"), arena_printf(&s->arena, "tocsin-alerter/%s", version_text()) };
	s->call = (struct http_call){ .method = "POST",
				      .url = arena_str(&s->arena, p->manager->url),
				      .headers = s->headers,
				      .n_headers = 2,
				      .body = arena_str(&s->arena, buf_str(&body)),
				      .http = &p->manager->of->http,
				      .timeout_ms = p->manager->of->timeout_ms };
	buf_fini(&body);
	p->sending = s;
	s->next = c->forwarding->all;
	c->forwarding->all = s;
	c->transport->ops->start(c->transport, &s->call, s);
}

static int64_t peer_due(const struct peer *p)
{
	if (p->sending != NULL)
		return INT64_MAX;
	return p->due_mono_ms > p->not_before_mono_ms ? p->due_mono_ms : p->not_before_mono_ms;
}

void forward_step(struct core *c)
{
	struct forwarding *f = c->forwarding;
	int64_t now_mono_ms = clock_mono_ms(c->clock);

	if (f->sweep_mono_ms <= now_mono_ms)
		sweep(c);
	for (size_t i = 0; i < f->n && !c->paused; i++)
		if (peer_due(&f->peers[i]) <= now_mono_ms)
			post(c, &f->peers[i]);
}

int64_t forward_next_due_ms(const struct core *c)
{
	const struct forwarding *f = c->forwarding;
	int64_t due = f->sweep_mono_ms, now_mono_ms = clock_mono_ms(c->clock);

	for (size_t i = 0; i < f->n && !c->paused; i++)
		due = peer_due(&f->peers[i]) < due ? peer_due(&f->peers[i]) : due;
	if (due == INT64_MAX)
		return due;
	return core_now_ms(c) + (due > now_mono_ms ? due - now_mono_ms : 0);
}

void forward_view(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct notify_manager *list = ARENA_ARRAY(a, c->forwarding->n + 1, struct notify_manager);

	for (size_t i = 0; i < c->forwarding->n; i++) {
		list[i] = c->forwarding->peers[i].stats;
		list[i].url = arena_str(a, c->forwarding->peers[i].url);
		list[i].last_error = arena_str(a, list[i].last_error);
	}
	v->managers = list;
	v->n_managers = c->forwarding->n;
}
