/* The thread that owns delivery and its database, and the door to it: others hand in jobs and wait until the step that followed
 * has committed. Jobs that arrive together share that step, and its one sync. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "notify/core.h"
#include "notify/receivers/receiver.h"
#include "notify/send.h"
#include "notify/text.h"
#include "tocsin/expo.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define LOOK_UP_MS 1000         /* the longest sleep: the wall clock may step */
#define CLOSE_WAIT_MS 2000

struct job {                            /* on the stack of who waits for it */
	struct job *next;
	void (*run)(struct core *, void *arg);
	void *arg;
	bool done;
	struct err commit;              /* of the commit behind it; its code: ERR_NONE when all is on disk */
};

struct reply {                          /* an answer on its way from the sender's thread */
	struct reply *next;
	void *tag;
	struct http_answer answer;      /* texts on the heap */
};

struct notify {
	struct alert_sink sink;         /* first */
	struct core *core;
	struct sender *sender;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, finished;
	struct job *jobs, **last_job;           /* under <lock>, as all below */
	struct reply *replies, **last_reply;
	bool stop;
};

/* ---- The owner's thread. ---- */

static void sleep_until(struct notify *n, int64_t due_ms)
{
	int64_t wait_ms = due_ms - core_now_ms(n->core), until_ms;

	if (wait_ms <= 0)
		return;
	until_ms = clock_mono_ms(&clock_system) + (wait_ms < LOOK_UP_MS ? wait_ms : LOOK_UP_MS);
	while (n->jobs == NULL && n->replies == NULL && !n->stop)
		if (!wait_until(&n->wake, &n->lock, until_ms))
			return;
}

static void take_replies(struct core *c, struct reply *r)
{
	for (struct reply *next; r != NULL; r = next) {
		next = r->next;
		core_answer(c, r->tag, &r->answer);
		text_free(r->answer.body);
		text_free(r->answer.error);
		text_free(r->answer.later);
		free(r);
	}
}

static void *run(void *arg)
{
	struct notify *n = arg;
	int64_t due_ms = 0, looked_ms = 0;

	pthread_mutex_lock(&n->lock);
	while (!n->stop) {
		struct job *jobs;
		struct reply *replies;

		sleep_until(n, due_ms);
		jobs = n->jobs;
		replies = n->replies;
		n->jobs = NULL;
		n->last_job = &n->jobs;
		n->replies = NULL;
		n->last_reply = &n->replies;
		pthread_mutex_unlock(&n->lock);
		if (clock_leapt(&looked_ms, &clock_system))
			core_was_away(n->core);
		take_replies(n->core, replies);
		for (struct job *j = jobs; j != NULL; j = j->next)
			j->run(n->core, j->arg);
		due_ms = core_step(n->core);
		pthread_mutex_lock(&n->lock);
		for (struct job *next; jobs != NULL; jobs = next) {
			next = jobs->next;
			jobs->commit = core_not_durable(n->core);
			jobs->done = true;
		}
		pthread_cond_broadcast(&n->finished);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

/* Runs <fn> on the owner's thread and waits for the commit behind it; what became of that. */
static struct err call(struct notify *n, void (*fn)(struct core *, void *), void *arg)
{
	struct job j = { .run = fn, .arg = arg };

	pthread_mutex_lock(&n->lock);
	*n->last_job = &j;
	n->last_job = &j.next;
	pthread_cond_signal(&n->wake);
	while (!j.done)
		pthread_cond_wait(&n->finished, &n->lock);
	pthread_mutex_unlock(&n->lock);
	return j.commit;
}

static void answered(void *ctx, void *tag, const struct http_answer *answer)
{
	struct notify *n = ctx;
	struct reply *r = mem_alloc(sizeof *r);

	r->tag = tag;
	r->answer = *answer;
	r->answer.body = text_dup(answer->body);
	r->answer.error = text_dup(answer->error);
	r->answer.later = text_dup(answer->later);
	pthread_mutex_lock(&n->lock);
	*n->last_reply = r;
	n->last_reply = &r->next;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
}

/* ---- The sink. ---- */

struct batch_job {
	const struct alert_batch_rule *rules;
	size_t n;
	struct err *e;
	bool ok;
};

static void run_batch(struct core *c, void *arg)
{
	struct batch_job *j = arg;

	j->ok = core_batch(c, j->rules, j->n, j->e);
}

static bool sink_commit(struct alert_sink *s, const struct alert_batch_rule *rules, size_t n, struct err *e)
{
	struct batch_job j = { rules, n, e, false };

	call((struct notify *)s, run_batch, &j);
	return j.ok;
}

struct load_job {
	struct str rule;
	struct arena *a;
	struct alert_record **out;
	size_t *n;
	struct err *e;
	bool ok;
};

static void run_load(struct core *c, void *arg)
{
	struct load_job *j = arg;

	j->ok = core_load(c, j->rule, j->a, j->out, j->n, j->e);
}

static bool sink_load(struct alert_sink *s, struct str rule_key, struct arena *a, struct alert_record **out, size_t *n,
		      struct err *e)
{
	struct load_job j = { rule_key, a, out, n, e, false };

	call((struct notify *)s, run_load, &j);
	return j.ok;
}

static const struct alert_sink_ops sink_ops = { sink_commit, sink_load };

struct alert_sink *notify_sink(struct notify *n)
{
	return &n->sink;
}

/* ---- What main and the API ask for. ---- */

static void run_configure(struct core *c, void *arg)
{
	core_configure(c, arg);
}

void notify_configure(struct notify *n, struct notify_config *config)
{
	call(n, run_configure, config);
}

struct found_job {
	const void *of;
	size_t i;
	const struct notify_found_group *v;
	size_t n;
};

static void run_found(struct core *c, void *arg)
{
	const struct found_job *j = arg;

	forward_found(c, j->of, j->i, j->v, j->n);
}

void notify_managers_found(struct notify *n, const void *of, size_t i, const struct notify_found_group *v, size_t n_groups)
{
	struct found_job j = { of, i, v, n_groups };

	call(n, run_found, &j);
}

static void run_known(struct core *c, void *arg)
{
	core_rules_known(c, *(const struct notify_known **)arg);
}

void notify_rules_known(struct notify *n, const struct notify_known *known)
{
	call(n, run_known, &known);
}

struct points_job {
	const struct notify_point *v;
	size_t n;
};

static void run_points(struct core *c, void *arg)
{
	const struct points_job *j = arg;

	core_points(c, j->v, j->n);
}

void notify_points(struct notify *n, const struct notify_point *v, size_t count)
{
	struct points_job j = { v, count };

	call(n, run_points, &j);
}

struct history_job {
	const struct notify_history_query *query;
	struct arena *a;
	struct notify_history_entry **out;
	size_t *n;
	struct err *e;
	bool ok;
};

static void run_history(struct core *c, void *arg)
{
	struct history_job *j = arg;

	j->ok = core_history(c, j->query, j->a, j->out, j->n, j->e);
}

bool notify_history(struct notify *n, const struct notify_history_query *query, struct arena *a, struct notify_history_entry **out,
                    size_t *count, struct err *e)
{
	struct history_job j = { query, a, out, count, e, false };

	call(n, run_history, &j);
	return j.ok;
}

struct snapshot_job {
	struct arena *a;
	struct notify_snapshot *out;
};

static void run_snapshot(struct core *c, void *arg)
{
	struct snapshot_job *j = arg;

	j->out = core_snapshot(c, j->a);
}

struct notify_snapshot *notify_snapshot(struct notify *n, struct arena *a)
{
	struct snapshot_job j = { a, NULL };

	call(n, run_snapshot, &j);
	return j.out;
}

struct letter_job {                     /* about a dead letter */
	int64_t id;
	bool (*run)(struct core *, int64_t, struct err *);
	struct err *e;
	bool ok;
};

static void run_letter(struct core *c, void *arg)
{
	struct letter_job *j = arg;

	j->ok = j->run(c, j->id, j->e);
}

bool notify_resend(struct notify *n, int64_t message_id, struct err *e)
{
	struct letter_job j = { message_id, core_resend, e, false };

	call(n, run_letter, &j);
	return j.ok;
}

bool notify_discard(struct notify *n, int64_t message_id, struct err *e)
{
	struct letter_job j = { message_id, core_discard, e, false };

	call(n, run_letter, &j);
	return j.ok;
}

struct heartbeat_job {
	struct str name, token;
	struct err *e;
	bool ok;
};

static void run_heartbeat(struct core *c, void *arg)
{
	struct heartbeat_job *j = arg;

	j->ok = core_heartbeat(c, j->name, j->token, j->e);
}

bool notify_heartbeat(struct notify *n, struct str name, struct str token, struct err *e)
{
	struct heartbeat_job j = { name, token, e, false };

	call(n, run_heartbeat, &j);
	return j.ok;
}

struct watch_job {
	notify_evaluation *works;
	void *ctx;
};

static void run_watch(struct core *c, void *arg)
{
	struct watch_job *j = arg;

	core_watch_evaluation(c, j->works, j->ctx);
}

void notify_watch_evaluation(struct notify *n, notify_evaluation *works, void *ctx)
{
	struct watch_job j = { works, ctx };

	call(n, run_watch, &j);
}

struct settled_job {
	notify_settled *settled;
	void *ctx;
	int64_t longest_ms;
};

static void run_watch_rules(struct core *c, void *arg)
{
	struct settled_job *j = arg;

	core_watch_rules(c, j->settled, j->ctx, j->longest_ms);
}

void notify_watch_rules(struct notify *n, notify_settled *settled, void *ctx, int64_t longest_ms)
{
	struct settled_job j = { settled, ctx, longest_ms };

	call(n, run_watch_rules, &j);
}

struct alarm_job {
	struct str id, by, until, signature;
	struct arena *a;
	struct notify_group *out;
	struct err *e;
	bool ok;
};

static void run_acknowledge(struct core *c, void *arg)
{
	struct alarm_job *j = arg;

	j->ok = core_acknowledge(c, j->id, j->by, j->e);
}

bool notify_acknowledge(struct notify *n, struct str id, struct str by, struct err *e)
{
	struct alarm_job j = { .id = id, .by = by, .e = e };

	call(n, run_acknowledge, &j);
	return j.ok;
}

static void run_check_link(struct core *c, void *arg)
{
	struct alarm_job *j = arg;

	j->ok = core_check_link(c, j->id, j->until, j->signature, j->e)
		&& (core_alarm(c, j->id, j->a, j->out) || err_set(j->e, ERR_NOT_FOUND, -1, "this alarm has ended"));
}

bool notify_check_link(struct notify *n, struct str id, struct str until, struct str signature, struct arena *a, struct notify_group *out,
		       struct err *e)
{
	struct alarm_job j = { .id = id, .until = until, .signature = signature, .a = a, .out = out, .e = e };

	call(n, run_check_link, &j);
	return j.ok;
}

struct silence_job {
	const struct notify_silence *in;
	struct str id;
	struct arena *a;
	struct str *out;
	struct err *e;
	bool ok;
};

static void run_silence_set(struct core *c, void *arg)
{
	struct silence_job *j = arg;

	j->ok = silence_set(c, j->in, j->a, j->out, j->e);
}

bool notify_silence_set(struct notify *n, const struct notify_silence *in, struct arena *a, struct str *id, struct err *e)
{
	struct silence_job j = { .in = in, .a = a, .out = id, .e = e };

	call(n, run_silence_set, &j);
	return j.ok;
}

static void run_silence_expire(struct core *c, void *arg)
{
	struct silence_job *j = arg;

	j->ok = silence_expire(c, j->id, j->e);
}

bool notify_silence_expire(struct notify *n, struct str id, struct err *e)
{
	struct silence_job j = { .id = id, .e = e };

	call(n, run_silence_expire, &j);
	return j.ok;
}

struct silences_job {
	const struct str *filters;
	size_t n_filters;
	struct arena *a;
	const struct notify_silence **out;
	size_t *n;
	struct err *e;
	bool ok;
};

static void run_silences(struct core *c, void *arg)
{
	struct silences_job *j = arg;

	j->ok = silence_list(c, j->filters, j->n_filters, j->a, j->out, j->n, j->e);
}

bool notify_silences(struct notify *n, const struct str *filters, size_t n_filters, struct arena *a, const struct notify_silence **out,
		     size_t *count, struct err *e)
{
	struct silences_job j = { filters, n_filters, a, out, count, e, false };

	call(n, run_silences, &j);
	return j.ok;
}

struct post_job {
	const struct notify_posted *v;
	size_t n;
	struct err *e;
	bool ok;
};

static void run_post(struct core *c, void *arg)
{
	struct post_job *j = arg;

	j->ok = core_post(c, j->v, j->n, j->e);
}

bool notify_post(struct notify *n, const struct notify_posted *v, size_t count, struct err *e)
{
	struct post_job j = { v, count, e, false };
	struct err commit = call(n, run_post, &j);

	if (j.ok && commit.code != ERR_NONE)
		return err_set(e, ERR_UNAVAILABLE, -1, "taken, and told from memory, but not on disk: send it again, it will count once (%.120s)",
			       commit.msg);
	return j.ok;
}

struct alerts_job {
	const struct notify_alert_query *query;
	struct arena *a;
	const struct notify_alert_group **out;
	size_t *n;
	struct err *e;
	bool ok;
};

static void run_alerts(struct core *c, void *arg)
{
	struct alerts_job *j = arg;

	j->ok = view_alerts(c, j->query, j->a, j->out, j->n, j->e);
}

bool notify_alerts(struct notify *n, const struct notify_alert_query *query, struct arena *a, const struct notify_alert_group **out,
		   size_t *count, struct err *e)
{
	struct alerts_job j = { query, a, out, count, e, false };

	call(n, run_alerts, &j);
	return j.ok;
}

struct receivers_job {
	struct arena *a;
	struct str *names;
	size_t n;
};

static void run_receivers(struct core *c, void *arg)
{
	struct receivers_job *j = arg;

	j->names = ARENA_ARRAY(j->a, c->config->n_receivers + 1, struct str);
	while (j->n < c->config->n_receivers) {
		j->names[j->n] = arena_str(j->a, c->config->receivers[j->n].name);
		j->n++;
	}
}

const struct str *notify_receivers(struct notify *n, struct arena *a, size_t *count)
{
	struct receivers_job j = { .a = a };

	call(n, run_receivers, &j);
	*count = j.n;
	return j.names;
}

/* ---- Opening and closing. ---- */

static void init_threads(struct notify *n)
{
	pthread_mutex_init(&n->lock, NULL);
	wait_cond_init(&n->wake);
	pthread_cond_init(&n->finished, NULL);
	n->last_job = &n->jobs;
	n->last_reply = &n->replies;
}

static void destroy(struct notify *n)
{
	sender_free(n->sender);
	for (struct reply *r = n->replies, *next; r != NULL; r = next) {
		next = r->next;
		text_free(r->answer.body);
		text_free(r->answer.error);
		text_free(r->answer.later);
		free(r);
	}
	if (n->core != NULL)
		core_close(n->core);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->wake);
	pthread_cond_destroy(&n->finished);
	free(n);
}

/* 32 random bytes in a file of their own, so that whoever may read the database cannot sign links. */
static bool link_key(const char *path, unsigned char key[32], struct err *e)
{
	int fd;
	bool ok;

	if (getrandom(key, 32, 0) != 32)
		abort();
	if (path == NULL)
		return true;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, -1, "cannot open %s: %s", path, strerror(errno));
	if (lseek(fd, 0, SEEK_END) == 32)
		ok = pread(fd, key, 32, 0) == 32;
	else
		ok = pwrite(fd, key, 32, 0) == 32 && fsync(fd) == 0;
	if (!ok)
		err_set(e, ERR_IO, -1, "cannot keep a key in %s: %s", path, strerror(errno));
	close(fd);
	return ok;
}

struct notify *notify_open(const struct notify_options *o, struct notify_config *config, struct err *e)
{
	struct notify *n = mem_alloc(sizeof *n);
	unsigned char key[32];
	struct core_options options = { .database_path = o->database_path,
					.clock = o->clock != NULL ? o->clock : &clock_system,
					.external_url = str_of(o->external_url),
					.retention_ms = o->history_retention_ms,
					.resend_delay_ms = o->resend_delay_ms,
					.link_key = key,
					.rules_run = o->rules_run };

	init_threads(n);
	n->sink.ops = &sink_ops;
	n->sender = sender_new(answered, n);
	options.transport = sender_transport(n->sender);
	if (getrandom(&options.seed, sizeof options.seed, 0) != (ssize_t)sizeof options.seed)
		abort();
	n->core = link_key(o->key_path, key, e) ? core_open(&options, config, e) : NULL;
	explicit_bzero(key, sizeof key);
	if (n->core == NULL) {
		destroy(n);
		return NULL;
	}
	if (pthread_create(&n->thread, NULL, run, n) != 0)
		mem_abort(0);
	return n;
}

static void run_pause(struct core *c, void *arg)
{
	bool *asking = arg;

	c->paused = true;
	*asking = forward_is_asking(c) || heartbeats_are_asking(c);
	for (const struct message *m = c->first; m != NULL; m = m->next)
		*asking = *asking || (m->work != NULL && m->work->asking);
}

void notify_close(struct notify *n)
{
	int64_t until = clock_mono_ms(&clock_system) + CLOSE_WAIT_MS;
	bool asking = true;

	for (;;) {
		call(n, run_pause, &asking);
		if (!asking || clock_mono_ms(&clock_system) >= until)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	destroy(n);
}

/* ---- Metrics. ---- */

static const struct expo_family f_notifications
	= { "alertmanager_notifications_total", EXPO_COUNTER, "Messages handed to the outbox.", NULL },
	f_failed = { "alertmanager_notifications_failed_total", EXPO_COUNTER, "Requests that failed, by reason.", NULL },
	f_requests = { "alertmanager_notification_requests_total", EXPO_COUNTER, "Requests made.", NULL },
	f_requests_failed = { "alertmanager_notification_requests_failed_total", EXPO_COUNTER, "Requests that failed.", NULL },
	f_latency_sum
	= { "tocsin_notification_request_seconds_sum_total", EXPO_COUNTER, "Time requests took, all together.", NULL },
	f_success
	= { "tocsin_notification_last_success_timestamp_seconds", EXPO_GAUGE, "When a message was last delivered.", NULL },
	f_waiting = { "tocsin_notification_waiting", EXPO_GAUGE, "Messages neither delivered nor dead.", NULL },
	f_messages = { "tocsin_outbox_messages", EXPO_GAUGE, "Messages under way, by state.", NULL },
	f_finished
	= { "tocsin_outbox_finished_total", EXPO_COUNTER, "Messages that came to an end since the start, by state.", NULL },
	f_dead = { "tocsin_outbox_dead_letters", EXPO_GAUGE, "Dead letters kept.", NULL },
	f_stranded = { "tocsin_outbox_stranded_ends", EXPO_GAUGE, "Ends that cannot be sent: their receiver is configured no more.", NULL },
	f_oldest = { "tocsin_outbox_oldest_timestamp_seconds", EXPO_GAUGE, "When the oldest message under way was made.", NULL },
	f_not_durable
	= { "tocsin_state_not_durable", EXPO_GAUGE, "1 while state is in memory only: the disk takes nothing.", NULL },
	f_commits = { "tocsin_state_commits_total", EXPO_COUNTER, "Transactions committed.", NULL },
	f_commit_failures = { "tocsin_state_commit_failures_total", EXPO_COUNTER, "Transactions that failed.", NULL },
	f_commit_seconds = { "tocsin_state_commit_seconds_total", EXPO_COUNTER, "Time commits took, all together.", NULL };

static const struct expo_family f_sent = { "prometheus_notifications_sent_total", EXPO_COUNTER, "Alerts an Alertmanager took.", NULL },
	f_errors = { "prometheus_notifications_errors_total", EXPO_COUNTER, "Alerts an Alertmanager did not take.", NULL },
	f_queue = { "prometheus_notifications_queue_length", EXPO_GAUGE, "Alerts that wait for an Alertmanager.", NULL },
	f_managers = { "prometheus_notifications_alertmanagers_discovered", EXPO_GAUGE, "Alertmanagers alerts are sent to.", NULL };

static void emit_managers(struct expo_set *out, const struct notify_snapshot *s)
{
	EXPO_EMIT0(out, &f_managers, (double)s->n_managers);
	for (size_t i = 0; i < s->n_managers; i++) {
		const struct label at[] = { { STR("alertmanager"), s->managers[i].url } };

		expo_emit(out, &f_sent, (double)s->managers[i].sent, at, 1);
		expo_emit(out, &f_errors, (double)s->managers[i].errors, at, 1);
		expo_emit(out, &f_queue, (double)s->managers[i].waiting, at, 1);
	}
}

static const struct expo_family f_beats = { "tocsin_heartbeat_total", EXPO_COUNTER, "Heartbeats since the start: sent, or come in.", NULL },
	f_beat_last = { "tocsin_heartbeat_last_timestamp_seconds", EXPO_GAUGE, "When one was last sent, or came in.", NULL },
	f_beat_missed = { "tocsin_heartbeat_missed", EXPO_GAUGE, "1 while one is overdue, or the last attempt to send failed.", NULL };

static void emit_heartbeats(struct expo_set *out, const struct notify_snapshot *s)
{
	for (size_t i = 0; i < s->n_heartbeats; i++) {
		const struct notify_heartbeat *h = &s->heartbeats[i];
		const struct label at[] = { { STR("direction"), h->expected ? STR("in") : STR("out") }, { STR("name"), h->name } };

		expo_emit(out, &f_beats, (double)h->count, at, ARRAY_LEN(at));
		expo_emit(out, &f_beat_missed, h->missed, at, ARRAY_LEN(at));
		if (h->last_ms != 0)
			expo_emit(out, &f_beat_last, (double)h->last_ms / 1e3, at, ARRAY_LEN(at));
	}
}

static void emit_integration(struct expo_set *out, const struct notify_integration_stats *s)
{
	const struct label at[]
		= { { STR("integration"), s->kind }, { STR("receiver_name"), s->receiver }, { STR("name"), s->integration } };

	expo_emit(out, &f_notifications, (double)s->notifications, at, ARRAY_LEN(at));
	expo_emit(out, &f_requests, (double)s->requests, at, ARRAY_LEN(at));
	expo_emit(out, &f_requests_failed, (double)s->requests_failed, at, ARRAY_LEN(at));
	expo_emit(out, &f_latency_sum, s->latency_seconds_sum, at, ARRAY_LEN(at));
	expo_emit(out, &f_waiting, (double)s->waiting, at, ARRAY_LEN(at));
	if (s->last_success_ms != 0)
		expo_emit(out, &f_success, (double)s->last_success_ms / 1e3, at, ARRAY_LEN(at));
	for (size_t i = 0; i < ARRAY_LEN(notify_reason_names); i++) {
		struct label with[] = { at[0], at[1], at[2], { STR("reason"), str_of(notify_reason_names[i]) } };

		expo_emit(out, &f_failed, (double)s->failed[i], with, ARRAY_LEN(with));
	}
}

void notify_metrics(struct notify *n, struct expo_set *out)
{
	struct arena a = { 0 };
	const struct notify_snapshot *s = notify_snapshot(n, &a);

	for (size_t i = 0; i < s->n_integrations; i++)
		emit_integration(out, &s->integrations[i]);
	emit_managers(out, s);
	emit_heartbeats(out, s);
	for (int state = 0; state < OUTBOX_STATES; state++)
		EXPO_EMIT(out, state < OUTBOX_DELIVERED ? &f_messages : &f_finished, (double)s->by_state[state],
		          { STR("state"), str_of(outbox_state_name((enum outbox_state)state)) });
	EXPO_EMIT0(out, &f_dead, (double)s->dead_kept);
	EXPO_EMIT0(out, &f_stranded, (double)s->n_stranded);
	if (s->oldest_unfinished_ms != 0)
		EXPO_EMIT0(out, &f_oldest, (double)s->oldest_unfinished_ms / 1e3);
	EXPO_EMIT0(out, &f_not_durable, s->not_durable_since_ms != 0);
	EXPO_EMIT0(out, &f_commits, (double)s->commits);
	EXPO_EMIT0(out, &f_commit_failures, (double)s->commit_failures);
	EXPO_EMIT0(out, &f_commit_seconds, s->commit_seconds_sum);
	arena_fini(&a);
}
