/* Signs of life, both ways. Ours go out while rules are evaluated and only then, so that whoever expects them learns when we are of no
 * use any more. Others' come in by HTTP; one that is later than its deadline is an alert, which ends with the next sign. Whoever was
 * expected while we were away may have come in vain: such a deadline begins anew. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "notify/core.h"
#include "notify/text.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/version.h"

#define MISSED "HeartbeatMissed"
#define CHECK_MS 1000           /* between two looks at whether rules are evaluated */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 30000

struct beat_call {                      /* a request under way */
	struct asker asker;             /* first */
	struct beat_out *beat;          /* NULL: a reload took it away */
	const struct notify_config *config;
	struct http_call call;
	struct label headers[1];
	struct str agent;
	struct beat_call *next;
};

struct beat_out {
	const struct heartbeat_out *conf;
	struct str name;
	int64_t due_mono_ms, last_ms;
	unsigned failures;              /* in a row */
	struct beat_call *call;
	uint64_t count;
	struct str last_error;
	struct complaint complaint;
};

struct beat_in {
	struct str name;
	const struct heartbeat_in *conf;
	int64_t since_ms, last_ms;      /* expected since; 0: never heard of */
	uint64_t count;                 /* of this run */
	bool missed;                    /* its alert fires */
};

struct heartbeats {
	struct beat_out *out;
	size_t n_out;
	struct beat_call *calls;        /* of this and earlier configurations */
	struct map in;                  /* struct beat_in by name */
	notify_evaluation *works;
	void *ctx;
	bool good;                      /* what <works> said last */
	int64_t check_mono_ms;
};

struct heartbeats *heartbeats_new(void)
{
	return mem_alloc(sizeof(struct heartbeats));
}

static void free_out(struct heartbeats *h)
{
	for (size_t i = 0; i < h->n_out; i++) {
		text_free(h->out[i].name);
		text_free(h->out[i].last_error);
	}
	free(h->out);
	h->out = NULL;
	h->n_out = 0;
}

static void free_call(struct beat_call *b)
{
	text_free(b->agent);
	free(b);
}

static void free_in(struct beat_in *b)
{
	text_free(b->name);
	free(b);
}

void heartbeats_free(struct heartbeats *h)
{
	for (struct beat_call *b = h->calls, *next; b != NULL; b = next) {
		next = b->next;
		free_call(b);
	}
	for (struct map_slot *s = NULL; (s = map_next(&h->in, s)) != NULL;)
		free_in(s->value);
	map_fini(&h->in);
	free_out(h);
	free(h);
}

bool heartbeats_uses(const struct core *c, const struct notify_config *config)
{
	for (const struct beat_call *b = c->heartbeats->calls; b != NULL; b = b->next)
		if (b->config == config)
			return true;
	return false;
}

bool heartbeats_are_asking(const struct core *c)
{
	return c->heartbeats->calls != NULL;
}

/* ---- Others'. ---- */

static int64_t deadline(const struct beat_in *b)
{
	int64_t base_ms = b->last_ms > b->since_ms ? b->last_ms : b->since_ms;

	return base_ms + b->conf->every_ms + b->conf->grace_ms;
}

static void save_in(struct core *c, const struct beat_in *b)
{
	DB_ADD(c->db, DB_PUT_HEARTBEAT, DB_T(b->name), DB_I(b->since_ms), DB_I(b->last_ms));
}

static struct beat_in *new_in(struct heartbeats *h, struct str name, int64_t since_ms, int64_t last_ms)
{
	struct beat_in *b = mem_alloc(sizeof *b);

	b->name = text_dup(name);
	b->since_ms = since_ms;
	b->last_ms = last_ms;
	map_put(&h->in, b->name, b);
	return b;
}

void heartbeats_load(struct core *c, struct str name, int64_t since_ms, int64_t last_ms)
{
	new_in(c->heartbeats, name, since_ms, last_ms);
}

static struct str span(struct arena *a, int64_t ms)
{
	char text[NUM_MAX];

	return arena_str(a, (struct str){ text, num_format_duration(text, ms / 1000 * 1000) });
}

static void tell(struct core *c, struct beat_in *b, struct labels labels, bool missed, struct str reason)
{
	const struct heartbeat_in *conf = b->conf;
	int64_t silent_ms = core_now_ms(c) - (b->last_ms > b->since_ms ? b->last_ms : b->since_ms);
	struct str said = conf != NULL ? conf->summary : STR(""), more = conf != NULL ? conf->description : STR("");

	own_alert(c, &(struct own_alert){ .name = MISSED,
					  .severity = "critical",
					  .expr = "tocsin_heartbeat_missed > 0",
					  .firing = missed,
					  .labels = labels_with(&c->scratch, labels, STR("heartbeat"), b->name),
					  .summary = said.n > 0 ? said
								: arena_printf(&c->scratch, "No heartbeat of " STR_FMT " for " STR_FMT,
									       STR_ARG(b->name), STR_ARG(span(&c->scratch, silent_ms))),
					  .description = more,
					  .reason = reason });
	b->missed = missed;
}

static bool is_of(const struct page_alert *a, struct str name)
{
	return a->ends_ms == 0 && str_eq(a->rule, STR("tocsin")) && str_eq(labels_get(a->own, STR("alertname")), STR(MISSED))
		&& str_eq(labels_get(a->own, STR("heartbeat")), name);
}

/* The alert it raised, whatever its labels were then. */
static struct page_alert *raised(struct core *c, const struct beat_in *b)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->alerts, s)) != NULL;)
		if (is_of(s->value, b->name))
			return s->value;
	return NULL;
}

static void end(struct core *c, struct beat_in *b, struct str reason)
{
	const struct page_alert *a = raised(c, b);

	b->missed = false;
	if (a != NULL)
		tell(c, b, labels_copy(&c->scratch, a->own), false, reason);
}

bool core_heartbeat(struct core *c, struct str name, struct str token, struct err *e)
{
	struct beat_in *b = map_get(&c->heartbeats->in, name);

	if (b == NULL || token.n != b->conf->token.n || CRYPTO_memcmp(token.p, b->conf->token.p, token.n) != 0)
		return err_set(e, ERR_BAD_INPUT, -1, "no such heartbeat is expected, or its token is another");
	b->last_ms = core_now_ms(c);
	b->count++;
	save_in(c, b);
	if (b->missed)
		end(c, b, STR("it was heard of again"));
	return true;
}

/* ---- Configuration. ---- */

static void configure_out(struct core *c)
{
	struct heartbeats *h = c->heartbeats;

	for (struct beat_call *b = h->calls; b != NULL; b = b->next)
		b->beat = NULL;
	free_out(h);
	h->n_out = c->config->n_beats_out;
	h->out = mem_alloc((h->n_out + 1) * sizeof *h->out);
	for (size_t i = 0; i < h->n_out; i++)
		h->out[i] = (struct beat_out){ .conf = &c->config->beats_out[i],
					       .name = text_dup(c->config->beats_out[i].name),
					       .last_error = text_dup(STR("")),
					       .due_mono_ms = clock_mono_ms(c->clock) };
}

static const struct heartbeat_in *conf_of(const struct notify_config *config, struct str name)
{
	for (size_t i = 0; i < config->n_beats_in; i++)
		if (str_eq(config->beats_in[i].name, name))
			return &config->beats_in[i];
	return NULL;
}

/* Those that are expected no more end what they raised; one whose labels changed raises it again under the new ones. */
static void settle(struct core *c, struct beat_in *b)
{
	const struct page_alert *a = raised(c, b);
	const struct heartbeat_in *before = b->conf;

	b->conf = conf_of(c->config, b->name);
	b->missed = a != NULL;
	if (a != NULL && (b->conf == NULL || (before != NULL && !labels_eq(before->labels, b->conf->labels))))
		end(c, b, b->conf == NULL ? STR("it is expected no more") : STR("its labels changed"));
	if (b->conf != NULL)
		return;
	DB_ADD(c->db, DB_DEL_HEARTBEAT, DB_T(b->name));
	map_del(&c->heartbeats->in, b->name);
	free_in(b);
}

void heartbeats_configure(struct core *c)
{
	struct heartbeats *h = c->heartbeats;
	struct beat_in **all = ARENA_ARRAY(&c->scratch, h->in.n + 1, struct beat_in *);
	size_t n = 0;

	configure_out(c);
	for (struct map_slot *s = NULL; (s = map_next(&h->in, s)) != NULL;)
		all[n++] = s->value;
	for (size_t i = 0; i < n; i++)
		settle(c, all[i]);
	for (size_t i = 0; i < c->config->n_beats_in; i++) {
		const struct heartbeat_in *conf = &c->config->beats_in[i];

		if (map_get(&h->in, conf->name) != NULL)
			continue;
		new_in(h, conf->name, core_now_ms(c), 0)->conf = conf;
		save_in(c, map_get(&h->in, conf->name));
	}
}

void heartbeats_started(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->heartbeats->in, s)) != NULL;) {
		struct beat_in *b = s->value;

		if (b->missed || deadline(b) > core_now_ms(c))
			continue;
		b->since_ms = core_now_ms(c);
		save_in(c, b);
	}
}

void heartbeats_shift(struct core *c, int64_t step_ms)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->heartbeats->in, s)) != NULL;) {
		struct beat_in *b = s->value;

		b->since_ms += step_ms;
		b->last_ms += b->last_ms != 0 ? step_ms : 0;
		save_in(c, b);
	}
}

/* ---- Ours. ---- */

static void unlink_call(struct heartbeats *h, const struct beat_call *b)
{
	for (struct beat_call **at = &h->calls; *at != NULL; at = &(*at)->next)
		if (*at == b) {
			*at = b->next;
			return;
		}
}

static void note_answer(struct core *c, struct beat_out *o, const struct http_answer *answer)
{
	int64_t wait_ms = BACKOFF_FIRST_MS, most_ms = o->conf->interval_ms < BACKOFF_MAX_MS ? o->conf->interval_ms : BACKOFF_MAX_MS;
	struct err e = { 0 };

	if (answer->fate == HTTP_ANSWERED && answer->status >= 200 && answer->status < 300) {
		o->failures = 0;
		o->count++;
		o->last_ms = core_now_ms(c);
		text_set(&o->last_error, STR(""));
		complain_works(&o->complaint, "sending the heartbeat", o->name.p, core_now_ms(c));
		return;
	}
	if (answer->fate == HTTP_ANSWERED)
		err_set(&e, ERR_UPSTREAM, -1, "HTTP %d", answer->status);
	else
		err_set(&e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG(text_clean(&c->scratch, answer->error, 200)));
	for (unsigned i = 0; i < o->failures && wait_ms < most_ms; i++)
		wait_ms *= 2;
	o->failures++;
	o->due_mono_ms = clock_mono_ms(c->clock) + (wait_ms < most_ms ? wait_ms : most_ms);
	text_set(&o->last_error, str_of(e.msg));
	complain_failed(&o->complaint, "sending the heartbeat", o->name.p, &e, core_now_ms(c));
}

static void answered(struct core *c, struct asker *asker, const struct http_answer *answer)
{
	struct beat_call *b = (struct beat_call *)asker;

	unlink_call(c->heartbeats, b);
	if (b->beat != NULL) {
		b->beat->call = NULL;
		note_answer(c, b->beat, answer);
	}
	free_call(b);
}

static void send_beat(struct core *c, struct beat_out *o)
{
	struct beat_call *b = mem_alloc(sizeof *b);

	b->asker.answered = answered;
	b->beat = o;
	b->config = c->config;
	b->agent = text_dup(arena_printf(&c->scratch, "tocsin-alerter/%s", version_text()));
	b->headers[0] = (struct label){ STR("User-Agent"), b->agent };
	b->call = (struct http_call){ .method = o->conf->post ? "POST" : "GET",
				      .url = o->conf->url,
				      .headers = b->headers,
				      .n_headers = 1,
				      .http = &o->conf->http,
				      .timeout_ms = o->conf->timeout_ms };
	o->call = b;
	o->due_mono_ms = clock_mono_ms(c->clock) + o->conf->interval_ms;
	b->next = c->heartbeats->calls;
	c->heartbeats->calls = b;
	c->transport->ops->start(c->transport, &b->call, b);
}

/* ---- The step. ---- */

void core_watch_evaluation(struct core *c, notify_evaluation *works, void *ctx)
{
	struct heartbeats *h = c->heartbeats;

	h->works = works;
	h->ctx = ctx;
	h->good = false;
	h->check_mono_ms = clock_mono_ms(c->clock);
}

static void check(struct core *c)
{
	struct heartbeats *h = c->heartbeats;
	int64_t now_mono_ms = clock_mono_ms(c->clock);
	enum notify_evaluates now;
	struct err e = { 0 };

	if (h->works == NULL || h->check_mono_ms > now_mono_ms)
		return;
	h->check_mono_ms = now_mono_ms + CHECK_MS;
	now = h->works(h->ctx, &e);
	h->good = now == EVALUATION_WORKS || now == EVALUATION_BEGINS;
	if (now == EVALUATION_WORKS || now == EVALUATION_FAILS)
		own_evaluation(c, h->good ? STR("") : str_of(e.msg));
}

void heartbeats_step(struct core *c)
{
	struct heartbeats *h = c->heartbeats;
	int64_t now_ms = core_now_ms(c), now_mono_ms = clock_mono_ms(c->clock);

	check(c);
	for (struct map_slot *s = NULL; (s = map_next(&h->in, s)) != NULL;) {
		struct beat_in *b = s->value;

		if (!b->missed && deadline(b) <= now_ms)
			tell(c, b, b->conf->labels, true, STR("the deadline has passed"));
	}
	for (size_t i = 0; i < h->n_out && h->good && !c->paused; i++)
		if (h->out[i].call == NULL && h->out[i].due_mono_ms <= now_mono_ms)
			send_beat(c, &h->out[i]);
}

int64_t heartbeats_next_due_ms(const struct core *c)
{
	const struct heartbeats *h = c->heartbeats;
	int64_t now_ms = core_now_ms(c), now_mono_ms = clock_mono_ms(c->clock), due = INT64_MAX;

	for (size_t i = 0; i < h->n_out && h->good && !c->paused; i++)
		if (h->out[i].call == NULL && h->out[i].due_mono_ms < due)
			due = h->out[i].due_mono_ms;
	if (h->works != NULL && h->check_mono_ms < due)
		due = h->check_mono_ms;
	if (due != INT64_MAX)
		due = due > now_mono_ms ? now_ms + (due - now_mono_ms) : now_ms;
	for (const struct map_slot *s = NULL; (s = map_next(&h->in, s)) != NULL;) {
		const struct beat_in *b = s->value;

		if (!b->missed && deadline(b) < due)
			due = deadline(b);
	}
	return due;
}

void heartbeats_view(struct core *c, struct arena *a, struct notify_snapshot *v)
{
	struct heartbeats *h = c->heartbeats;
	struct notify_heartbeat *list = ARENA_ARRAY(a, h->n_out + h->in.n + 1, struct notify_heartbeat);
	size_t n = 0;

	for (size_t i = 0; i < c->config->n_beats_in; i++) {
		const struct beat_in *b = map_get(&h->in, c->config->beats_in[i].name);

		list[n++] = (struct notify_heartbeat){ .name = arena_str(a, b->name), .expected = true, .missed = b->missed,
						       .last_ms = b->last_ms, .due_ms = deadline(b), .count = b->count };
	}
	for (size_t i = 0; i < h->n_out; i++) {
		const struct beat_out *o = &h->out[i];

		list[n++] = (struct notify_heartbeat){ .name = arena_str(a, o->name), .missed = o->failures > 0, .last_ms = o->last_ms,
						       .last_error = arena_str(a, o->last_error), .count = o->count,
						       .due_ms = h->good ? core_now_ms(c) + o->due_mono_ms - clock_mono_ms(c->clock) : 0 };
	}
	v->heartbeats = list;
	v->n_heartbeats = n;
}
