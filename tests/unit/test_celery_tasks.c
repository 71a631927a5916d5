/* What events do to the figures of tasks and workers: scripts of events, and the samples behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "celery/families.h"
#include "celery/tasks.h"
#include "celery/workers.h"

static const struct celery_tasks_options options = { .max_tasks = 100, .max_series = 100, .default_queue = { "celery", 6 },
	.runtime = &celery_usual_runtime, .wait = &celery_usual_wait };

static struct celery_event event(enum celery_event_type type, const char *uuid)
{
	return (struct celery_event){ .type = type, .uuid = str_of(uuid), .hostname = STR("celery@h"), .timestamp = NAN, .runtime = NAN,
		.freq = NAN, .active = NAN, .processed = NAN, .pid = NAN };
}

static void send(struct celery_tasks *t, enum celery_event_type type, const char *uuid, const char *name, int64_t now_ms)
{
	struct celery_event ev = event(type, uuid);

	ev.name = str_of(name);
	ev.timestamp = (double)now_ms * 1e-3;
	ev.runtime = type == EVENT_TASK_SUCCEEDED ? 0.3 : NAN;
	ev.exception = type == EVENT_TASK_FAILED ? STR("KeyError('k')") : STR("");
	celery_tasks_event(t, &ev, now_ms);
}

/* Whether it is as <wanted> that a page of the set holds the line. */
static bool set_holds(struct expo_set *set, const char *line, bool wanted)
{
	struct buf page = { 0 };
	bool found;

	buf_putc(&page, '\n');
	expo_write(&page, &(struct expo_part){ .set = set }, 1, EXPO_TEXT);
	struct buf needle = { 0 };
	buf_printf(&needle, "\n%s\n", line);
	found = str_find(buf_str(&page), buf_str(&needle)) < page.n;
	if (found != wanted)
		print_error("%s the page: %s\n" STR_FMT, found ? "on" : "not on", line, STR_ARG(buf_str(&page)));
	buf_fini(&needle);
	buf_fini(&page);
	return found == wanted;
}

static bool shows(struct celery_tasks *t, int64_t now_ms, const char *line)
{
	struct expo_set *set = expo_set_new();
	bool found;

	celery_tasks_show(t, set, now_ms);
	found = set_holds(set, line, true);
	expo_set_unref(set);
	return found;
}

#define ADD "{hostname=\"h\",name=\"add\",queue_name=\"celery\"}"

static void life_of_a_task(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);

	(void)state;
	send(t, EVENT_TASK_RECEIVED, "u1", "add", 1000);
	assert_true(shows(t, 1000, "celery_task_received_total" ADD " 0"));     /* born at 0 */
	assert_true(shows(t, 1000, "celery_task_received_total" ADD " 1"));
	send(t, EVENT_TASK_STARTED, "u1", "", 2000);
	assert_true(shows(t, 5000, "celery_task_longest_running_seconds" ADD " 3"));
	assert_true(shows(t, 5000, "celery_tasks_running" ADD " 1"));
	send(t, EVENT_TASK_SUCCEEDED, "u1", "", 6000);
	assert_true(shows(t, 9000, "celery_task_succeeded_total" ADD " 1"));
	assert_true(shows(t, 9000, "celery_task_runtime_bucket{hostname=\"h\",le=\"0.5\",name=\"add\",queue_name=\"celery\"} 1"));
	assert_true(shows(t, 9000, "celery_task_runtime_bucket{hostname=\"h\",le=\"0.25\",name=\"add\",queue_name=\"celery\"} 0"));
	assert_true(shows(t, 9000, "celery_task_last_success_timestamp_seconds" ADD " 6"));
	assert_true(shows(t, 9000, "celery_task_longest_running_seconds" ADD " 0"));
	assert_true(shows(t, 9000, "celery_tasks_held 0"));
	celery_tasks_free(t);
}

static void exception_is_born_at_zero(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	static const char line[] = "celery_task_failed_total{exception=\"KeyError\",hostname=\"h\",name=\"add\",queue_name=\"celery\"}";
	char wanted[256];

	(void)state;
	send(t, EVENT_TASK_FAILED, "u1", "add", 1000);
	for (int i = 0; i < 3; i++) {
		snprintf(wanted, sizeof wanted, "%s %d", line, i > 0);
		assert_true(shows(t, 1000, wanted));
	}
	assert_true(shows(t, 1000, "celery_task_failed_total" ADD " 0"));
	celery_tasks_free(t);
}

/* Two look in turn, every 30 s: each sees 0 before it sees a count. */
static void both_of_two_see_zero(void **state)
{
	struct celery_tasks_options patient = options;
	static const char failed[] = "celery_task_failed_total{exception=\"KeyError\",hostname=\"h\",name=\"add\",queue_name=\"celery\"}";
	struct celery_tasks *t;
	char zero[256], one[256], two[256];

	(void)state;
	snprintf(zero, sizeof zero, "%s 0", failed);
	snprintf(one, sizeof one, "%s 1", failed);
	snprintf(two, sizeof two, "%s 2", failed);
	patient.zero_ms = 60000;
	t = celery_tasks_new(patient);
	send(t, EVENT_TASK_FAILED, "u1", "add", 1000);
	assert_true(shows(t, 100000, zero));
	send(t, EVENT_TASK_FAILED, "u2", "add", 110000);
	assert_true(shows(t, 130000, zero));
	assert_true(shows(t, 159999, zero));
	assert_true(shows(t, 159999, "celery_task_received_total" ADD " 0"));
	assert_true(shows(t, 160000, two));
	send(t, EVENT_TASK_RECEIVED, "u3", "add", 160000);
	assert_true(shows(t, 160000, "celery_task_received_total" ADD " 1"));
	assert_true(shows(t, 100000, two));             /* a clock that was set back makes nothing new again */
	celery_tasks_free(t);
	t = celery_tasks_new(patient);
	send(t, EVENT_TASK_FAILED, "u1", "add", 1000);
	assert_true(shows(t, 100000, zero));
	assert_true(shows(t, 90000, one));
	celery_tasks_free(t);
}

static void answers_settle_what_runs(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	const struct celery_running both[] = {
		{ STR("u1"), STR("add"), STR("celery"), 1000 }, { STR("u2"), STR("add"), STR("celery"), 2000 },
	};

	(void)state;
	shows(t, 1000, "celery_tasks_held 0");
	send(t, EVENT_TASK_STARTED, "lost", "add", 3000);       /* the event of its end never comes */
	celery_tasks_are_running(t, STR("celery@h"), both, 2, 5000);
	shows(t, 5000, "celery_tasks_running" ADD " 2");
	assert_true(shows(t, 6000, "celery_tasks_running" ADD " 2"));
	assert_true(shows(t, 6000, "celery_task_longest_running_seconds" ADD " 5"));
	send(t, EVENT_TASK_STARTED, "newer", "add", 8000);      /* behind the question: not in the answer, and running */
	celery_tasks_are_running(t, STR("celery@h"), both + 1, 1, 7000);
	assert_true(shows(t, 9000, "celery_tasks_running" ADD " 2"));
	assert_true(shows(t, 9000, "celery_task_longest_running_seconds" ADD " 7"));
	celery_tasks_are_running(t, STR("celery@other"), NULL, 0, 9000);
	assert_true(shows(t, 9000, "celery_tasks_running" ADD " 2"));
	celery_tasks_are_running(t, STR("celery@h"), NULL, 0, 9000);
	assert_true(shows(t, 9000, "celery_tasks_running" ADD " 0"));
	send(t, EVENT_TASK_SUCCEEDED, "newer", "", 9100);       /* its end overtook the answer's reader: it is still known by name */
	assert_true(shows(t, 9200, "celery_task_succeeded_total" ADD " 1"));
	assert_true(shows(t, 9200, "celery_events_unknown_task_total 0"));
	celery_tasks_free(t);
}

/* Producers send their event behind the message: a quick worker comes before it. */
static void sent_comes_last(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	struct celery_event ev;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *uuid = i == 0 ? "running" : "ended";
		send(t, EVENT_TASK_RECEIVED, uuid, "add", 12000);
		send(t, EVENT_TASK_STARTED, uuid, "", 12000);
		if (i == 1)
			send(t, EVENT_TASK_SUCCEEDED, uuid, "", 12500);
		ev = event(EVENT_TASK_SENT, uuid);
		ev.name = STR("add");
		ev.timestamp = 10;
		ev.hostname = STR("gen1@producer");
		celery_tasks_event(t, &ev, 12600);
		celery_tasks_event(t, &ev, 12700);              /* again: waits are counted once */
	}
	shows(t, 13000, "celery_tasks_running" ADD " 1");
	assert_true(shows(t, 13000, "celery_task_queue_wait_time_count" ADD " 2"));
	assert_true(shows(t, 13000, "celery_task_queue_wait_time_sum" ADD " 4"));
	assert_true(shows(t, 13000, "celery_tasks_running" ADD " 1"));
	for (int i = 0; i < 5000; i++) {                        /* producers that send none: nothing is held for them */
		char uuid[16];
		snprintf(uuid, sizeof uuid, "%d", i);
		send(t, EVENT_TASK_STARTED, uuid, "add", 14000);
		send(t, EVENT_TASK_SUCCEEDED, uuid, "", 14000);
	}
	assert_true(shows(t, 14000, "celery_tasks_evicted_total 0"));
	celery_tasks_free(t);
}

static void queue_and_wait_come_from_what_was_sent(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	struct celery_event ev = event(EVENT_TASK_SENT, "u1");

	(void)state;
	ev.name = STR("add");
	ev.queue = STR("low");
	ev.timestamp = 10;
	ev.hostname = STR("gen1@h");
	celery_tasks_event(t, &ev, 10000);
	send(t, EVENT_TASK_STARTED, "u1", "", 12000);
	send(t, EVENT_TASK_STARTED, "other", "add", 12000);     /* never seen sent: the name's last queue, and no wait */
	shows(t, 12000, "celery_tasks_held 2");
	assert_true(shows(t, 12000, "celery_task_queue_wait_time_sum{hostname=\"h\",name=\"add\",queue_name=\"low\"} 2"));
	assert_true(shows(t, 12000, "celery_task_started_total{hostname=\"h\",name=\"add\",queue_name=\"low\"} 2"));
	celery_tasks_free(t);
}

static void ids_are_bounded(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	char uuid[64];

	(void)state;
	send(t, EVENT_TASK_STARTED, "running", "slow", 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(uuid, sizeof uuid, "13a03e73-7a4d-4133-a0f0-%012d", i);
		send(t, EVENT_TASK_RECEIVED, uuid, "add", 2000);
	}
	assert_true(shows(t, 3000, "celery_tasks_held 100"));
	assert_true(shows(t, 3000, "celery_tasks_evicted_total 901"));
	/* waiting ones go first */
	assert_true(shows(t, 3000, "celery_tasks_running{hostname=\"h\",name=\"slow\",queue_name=\"celery\"} 1"));
	celery_tasks_free(t);
}

/* Names of workers and tasks come and go: texts nobody uses any more make room. */
static void names_may_go_on_changing(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	struct celery_event ev = event(EVENT_TASK_STARTED, "");
	char uuid[64], worker[64];

	(void)state;
	ev.name = STR("add");
	for (int i = 0; i < 5000; i++) {
		snprintf(uuid, sizeof uuid, "%d", i);
		snprintf(worker, sizeof worker, "pod%d@h", i);
		ev.uuid = str_of(uuid);
		ev.hostname = str_of(worker);
		celery_tasks_event(t, &ev, 1000);
		if (i % 2 == 0)
			celery_tasks_forget_worker(t, str_of(worker));
	}
	send(t, EVENT_TASK_STARTED, "u", "late", 1000);
	assert_true(shows(t, 3000, "celery_events_unknown_task_total 0"));
	shows(t, 3000, "celery_tasks_running{hostname=\"h\",name=\"late\",queue_name=\"celery\"} 1");
	celery_tasks_forget_worker(t, STR("celery@h"));
	celery_tasks_forget_worker(t, STR("pod4999@h"));
	assert_true(shows(t, 3000, "celery_tasks_running{hostname=\"h\",name=\"late\",queue_name=\"celery\"} 0"));
	assert_true(shows(t, 3000, "celery_tasks_running{hostname=\"h\",name=\"add\",queue_name=\"celery\"} 98"));
	for (int i = 0; i < 5000; i++) {
		snprintf(worker, sizeof worker, "pod%d@h", i);
		celery_tasks_forget_worker(t, str_of(worker));
	}
	assert_true(shows(t, 3000, "celery_tasks_held 0"));
	celery_tasks_free(t);
}

static void sent(struct celery_tasks *t, const char *uuid, int64_t now_ms)
{
	struct celery_event ev = event(EVENT_TASK_SENT, uuid);

	ev.name = STR("add");
	ev.timestamp = (double)now_ms * 1e-3;
	ev.hostname = STR("gen1@h");
	celery_tasks_event(t, &ev, now_ms);
}

/* Whichever comes first: that it is a retry, that it was sent, that it was started. */
static void waits_of_retries(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	struct celery_event late = event(EVENT_TASK_RETRIED, "c");

	(void)state;
	sent(t, "a", 1000);
	send(t, EVENT_TASK_STARTED, "a", "add", 2000);
	send(t, EVENT_TASK_RETRIED, "a", "", 3000);
	sent(t, "a", 3000);
	send(t, EVENT_TASK_STARTED, "a", "", 4000);
	shows(t, 4000, "celery_tasks_running" ADD " 1");
	assert_true(shows(t, 4000, "celery_task_queue_wait_time_sum" ADD " 2"));
	sent(t, "b", 1000);
	send(t, EVENT_TASK_STARTED, "b", "add", 2000);
	sent(t, "b", 3000);
	send(t, EVENT_TASK_RETRIED, "b", "", 3000);
	send(t, EVENT_TASK_STARTED, "b", "", 5000);
	assert_true(shows(t, 5000, "celery_task_queue_wait_time_sum" ADD " 5"));
	sent(t, "c", 1000);
	send(t, EVENT_TASK_STARTED, "c", "add", 2000);
	sent(t, "c", 3000);
	send(t, EVENT_TASK_STARTED, "c", "", 8000);
	late.timestamp = 3.1;
	celery_tasks_event(t, &late, 8100);
	sent(t, "d", 1000);
	send(t, EVENT_TASK_RECEIVED, "d", "add", 1000);
	sent(t, "d", 2100);
	send(t, EVENT_TASK_STARTED, "d", "", 2000);
	send(t, EVENT_TASK_RETRIED, "d", "", 2200);
	send(t, EVENT_TASK_RECEIVED, "d", "add", 2300);
	send(t, EVENT_TASK_STARTED, "d", "", 3100);
	assert_true(shows(t, 8100, "celery_task_queue_wait_time_sum" ADD " 13"));
	assert_true(shows(t, 8100, "celery_task_queue_wait_time_count" ADD " 8"));
	assert_true(shows(t, 8100, "celery_tasks_running" ADD " 4"));
	assert_true(shows(t, 8100, "celery_task_retried_total" ADD " 4"));
	celery_tasks_free(t);
}

static void label_sets_are_bounded(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	char name[64];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "task%d", i);
		send(t, EVENT_TASK_RECEIVED, name, name, 2000);
	}
	shows(t, 3000, "celery_tasks_held 100");
	assert_true(shows(t, 3000, "celery_task_received_total{hostname=\"other\",name=\"other\",queue_name=\"other\"} 900"));
	celery_tasks_free(t);
}

static void fail_with(struct celery_tasks *t, const char *name, const char *exception)
{
	struct celery_event ev = event(EVENT_TASK_FAILED, name);

	ev.name = str_of(name);
	ev.exception = str_of(exception);
	celery_tasks_event(t, &ev, 1000);
}

/* A hundred names with thirty exceptions each are no three thousand series. */
static void exceptions_are_bounded(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	char name[16], exception[16];
	struct expo_set *set = expo_set_new();

	(void)state;
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < 30; k++) {
			snprintf(name, sizeof name, "n%d", i);
			snprintf(exception, sizeof exception, "E%d()", k);
			fail_with(t, name, exception);
		}
	celery_tasks_show(t, set, 1000);
	expo_set_unref(set);
	assert_true(shows(t, 1000, "celery_task_failed_total{exception=\"other\",hostname=\"h\",name=\"n99\",queue_name=\"celery\"} 30"));
	assert_true(shows(t, 1000, "celery_task_failed_total{exception=\"E29\",hostname=\"h\",name=\"n0\",queue_name=\"celery\"} 1"));
	assert_true(shows(t, 1000, "celery_task_series_over_limit_total 2900"));
	celery_tasks_free(t);
}

/* What no clock can have measured would make sums infinite, for ever. */
static void times_that_cannot_be_are_not_counted(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);
	struct celery_event ev = event(EVENT_TASK_SUCCEEDED, "u");

	(void)state;
	ev.name = STR("add");
	for (int i = 0; i < 3; i++) {
		ev.runtime = i < 2 ? 1e308 : 2;
		celery_tasks_event(t, &ev, 1000);
	}
	send(t, EVENT_TASK_SENT, "v", "add", 1000);
	ev = event(EVENT_TASK_STARTED, "v");
	ev.timestamp = 1e308;
	celery_tasks_event(t, &ev, 1000);
	assert_true(shows(t, 1000, "celery_task_runtime_sum" ADD " 0"));
	assert_true(shows(t, 1000, "celery_task_runtime_sum" ADD " 2") && shows(t, 1000, "celery_task_runtime_count" ADD " 1"));
	assert_true(shows(t, 1000, "celery_task_succeeded_total" ADD " 3") && shows(t, 1000, "celery_task_queue_wait_time_sum" ADD " 0"));
	celery_tasks_free(t);
}

static void dead_worker_takes_its_tasks_along(void **state)
{
	struct celery_tasks *t = celery_tasks_new(options);

	(void)state;
	send(t, EVENT_TASK_STARTED, "u1", "add", 1000);
	celery_tasks_forget_worker(t, STR("celery@h"));
	assert_true(shows(t, 1000, "celery_tasks_held 0"));
	celery_tasks_free(t);
}

/* ---- Workers ---- */

static bool worker_page(struct celery_workers *w, const char *line, bool wanted)
{
	struct expo_set *set = expo_set_new();
	bool as_wanted;

	celery_workers_show(w, set);
	as_wanted = set_holds(set, line, wanted);
	expo_set_unref(set);
	return as_wanted;
}

static bool worker_shows(struct celery_workers *w, const char *line)
{
	return worker_page(w, line, true);
}

static bool worker_lacks(struct celery_workers *w, const char *line)
{
	return worker_page(w, line, false);
}

static bool heartbeat(struct celery_workers *w, const char *node, double pid, double processed, int64_t mono_ms)
{
	struct celery_event ev = event(EVENT_WORKER_HEARTBEAT, "");

	ev.hostname = str_of(node);
	ev.pid = pid;
	ev.freq = 2;
	ev.processed = processed;
	return celery_workers_event(w, &ev, mono_ms, mono_ms);
}

/* Figures that no worker can have are not told; what it said before stands. */
static void worker_figures(void **state)
{
	static const struct celery_workers_options options_of_workers = { .retention_ms = 100000, .offline_retention_ms = 20000 };
	static const double none[] = { -3, 1e300, INFINITY, NAN };
	struct celery_workers *w = celery_workers_new(options_of_workers);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		for (int told = 0; told < 2; told++) {
			struct celery_event ev = event(EVENT_WORKER_HEARTBEAT, "");

			ev.pid = told ? 7 : none[i];
			ev.active = told ? 2 : none[i];
			ev.processed = told ? 40 : none[i];
			ev.timestamp = told ? 1 : none[i];
			celery_workers_event(w, &ev, 1000, 1000);
			if (i == 0 && !told) {
				assert_true(worker_lacks(w, "celery_worker_processed_total{hostname=\"h\",worker=\"celery@h\"} -3"));
				assert_true(worker_shows(w, "celery_worker_tasks_active{hostname=\"h\"} 0"));
				continue;
			}
			assert_true(worker_shows(w, "celery_worker_tasks_active{hostname=\"h\"} 2"));
			assert_true(worker_shows(w, "celery_worker_processed_total{hostname=\"h\",worker=\"celery@h\"} 40"));
		}
	celery_workers_stats(w, STR("celery@h"), -1, 1e300, false);
	assert_true(worker_lacks(w, "celery_worker_concurrency{hostname=\"h\",worker=\"celery@h\"} -1"));
	celery_workers_free(w);
}

static size_t suspects(struct celery_workers *w, int64_t mono_ms, int64_t listening_since)
{
	struct arena a = { 0 };
	struct str *nodes;
	const size_t n = celery_workers_suspects(w, mono_ms, listening_since, &a, &nodes);

	arena_fini(&a);
	return n;
}

static const struct celery_workers_options keep = { .retention_ms = 100000, .offline_retention_ms = 20000 };

static void silence_is_suspected_and_settled(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);

	(void)state;
	heartbeat(w, "a@h", 1, 0, 1000);
	assert_int_equal(suspects(w, 9000, 0), 0);
	assert_int_equal(suspects(w, 9001, 0), 1);
	assert_int_equal(suspects(w, 9001, 5000), 0);           /* nobody listened before 5000 */
	celery_workers_answered(w, STR("a@h"), 9500, 9500);
	assert_int_equal(suspects(w, 9600, 0), 0);
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 1"));
	celery_workers_condemn(w, STR("a@h"), 20000);
	assert_int_equal(suspects(w, 50000, 0), 0);             /* settled: not asked again */
	celery_workers_expire(w, 119999);
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 0"));
	celery_workers_expire(w, 120000);
	assert_true(worker_lacks(w, "celery_worker_up{hostname=\"h\"} 0"));
	celery_workers_free(w);
}

static void answered(struct celery_workers *w, const char *node, bool solo, int64_t mono_ms)
{
	celery_workers_answered(w, str_of(node), mono_ms, mono_ms);
	celery_workers_stats(w, str_of(node), 1, NAN, solo);
}

static bool is_gone(struct celery_workers *w, const char *node, int64_t silent, int64_t fell_mono_ms, int64_t mono_ms)
{
	const struct celery_census c = { .asked_mono_ms = 20000, .silent = silent, .fell_mono_ms = fell_mono_ms };

	return celery_workers_is_gone(w, str_of(node), &c, mono_ms);
}

static void silent_is_not_gone(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);
	const int64_t hour = 3600000;

	(void)state;
	answered(w, "a@h", true, 1000);
	assert_false(is_gone(w, "a@h", 1, 0, 20100));           /* as many are connected and silent as there are silent ones */
	assert_false(is_gone(w, "a@h", 1, 0, 2 * hour));
	assert_true(is_gone(w, "a@h", 0, 5000, 20100));
	assert_true(is_gone(w, "a@h", -1, 0, 20100));
	answered(w, "b@h", true, 5000);
	assert_true(is_gone(w, "a@h", 1, 3000, 20100));         /* one is missing since 3000, and b lived after that */
	assert_false(is_gone(w, "b@h", 1, 3000, 20100));
	assert_false(is_gone(w, "a@h", 1, 6000, 20100) || is_gone(w, "b@h", 1, 6000, 20100));          /* either */
	assert_false(is_gone(w, "a@h", 1, 0, 20100) || is_gone(w, "b@h", 1, 0, 20100));
	assert_true(is_gone(w, "a@h", 1, 6000, 1001 + hour) && !is_gone(w, "b@h", 1, 6000, 1001 + hour));
	assert_true(is_gone(w, "a@h", 0, 6000, 20100) && is_gone(w, "b@h", 0, 6000, 20100));
	celery_workers_condemn(w, STR("a@h"), 20100);
	answered(w, "c@h", false, 5000);
	assert_true(is_gone(w, "c@h", 1, 6000, 20100));         /* such a pool answers, if it can */
	assert_false(is_gone(w, "b@h", 1, 6000, 20100));
	celery_workers_condemn(w, STR("c@h"), 20100);
	celery_workers_bound(w, STR("d@h"), 6000);
	assert_false(is_gone(w, "d@h", 2, 0, 20100));           /* busy since before we came? */
	assert_true(is_gone(w, "d@h", 1, 0, 20100));
	assert_false(is_gone(w, "b@h", 1, 0, 20100));
	celery_workers_free(w);
}

static void spared_for_a_while(void **state)
{
	struct celery_workers_options spare = keep;
	struct celery_workers *w;

	(void)state;
	spare.spared_ms = 15000;
	w = celery_workers_new(spare);
	answered(w, "a@h", true, 1000);
	assert_true(worker_shows(w, "celery_worker_silent{hostname=\"h\",worker=\"a@h\"} 0"));
	assert_int_equal(suspects(w, 20000, 0), 1);
	celery_workers_spare(w, STR("a@h"), 20000);
	assert_int_equal(suspects(w, 34999, 0), 0);
	assert_int_equal(suspects(w, 35000, 0), 1);
	assert_true(worker_shows(w, "celery_worker_silent{hostname=\"h\",worker=\"a@h\"} 1"));
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 1"));
	heartbeat(w, "a@h", 1, 0, 36000);
	assert_true(worker_shows(w, "celery_worker_silent{hostname=\"h\",worker=\"a@h\"} 0"));
	celery_workers_free(w);
}

static void hosts_with_several_workers(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);
	struct celery_event bye = event(EVENT_WORKER_OFFLINE, ""), late = event(EVENT_TASK_SUCCEEDED, "u");

	(void)state;
	heartbeat(w, "a@h", 1, 0, 1000);
	heartbeat(w, "b@h", 2, 0, 1000);
	bye.hostname = late.hostname = STR("a@h");
	assert_true(celery_workers_event(w, &bye, 2000, 2000));
	celery_workers_event(w, &late, 2001, 2001);             /* flushed behind the goodbye: no sign of life */
	assert_true(worker_shows(w, "celery_worker_node_up{hostname=\"h\",worker=\"a@h\"} 0"));
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 1"));             /* it left in good order, another is here */
	celery_workers_condemn(w, STR("b@h"), 3000);
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 0"));
	celery_workers_free(w);
}

static void lost_events_are_counted(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);
	struct celery_event started = event(EVENT_TASK_STARTED, "u");

	(void)state;
	started.hostname = STR("a@h");
	heartbeat(w, "a@h", 1, 10, 1000);
	for (int i = 0; i < 3; i++)
		celery_workers_event(w, &started, 1500, 1500);
	heartbeat(w, "a@h", 1, 15, 2000);
	assert_true(worker_shows(w, "celery_worker_events_lost_total{hostname=\"h\",worker=\"a@h\"} 0"));       /* they may still come */
	heartbeat(w, "a@h", 1, 15, 4000);
	assert_true(worker_shows(w, "celery_worker_events_lost_total{hostname=\"h\",worker=\"a@h\"} 2"));
	assert_true(heartbeat(w, "a@h", 99, 0, 6000));          /* another process */
	assert_true(worker_shows(w, "celery_worker_events_lost_total{hostname=\"h\",worker=\"a@h\"} 0"));
	celery_workers_free(w);
}

/* Names that were lost and never come back keep nobody out; those that are alive do. */
static void the_living_come_first(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);
	char node[32];

	(void)state;
	for (int i = 0; i < WORKERS_MAX; i++) {
		snprintf(node, sizeof node, "w@dead%d", i);
		heartbeat(w, node, 1, 0, 1000);
	}
	heartbeat(w, "w@late", 1, 0, 2000);
	assert_true(worker_lacks(w, "celery_worker_up{hostname=\"late\"} 1"));
	assert_true(worker_shows(w, "celery_workers_over_limit_total 1"));
	celery_workers_condemn(w, STR("w@dead7"), 30000);
	celery_workers_condemn(w, STR("w@dead8"), 20000);
	celery_workers_bound(w, STR("w@mailbox"), 40000);       /* that it lives nobody said */
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"dead8\"} 0"));
	heartbeat(w, "w@late", 1, 0, 40000);
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"late\"} 1"));
	assert_true(worker_lacks(w, "celery_worker_up{hostname=\"dead8\"} 0"));
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"dead7\"} 0"));
	assert_true(worker_shows(w, "celery_workers_over_limit_total 2"));
	celery_workers_free(w);
}

#define ACCEPTED(name) "celery_worker_task_accepted_total{hostname=\"h\",name=\"" name "\",worker=\"a@h\"}"

static void accepted_is_of_one_process(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);
	char name[32];

	(void)state;
	heartbeat(w, "a@h", 1, 7, 1000);
	celery_workers_accepted(w, STR("a@h"), STR("add"), 7);
	assert_true(worker_shows(w, ACCEPTED("add") " 7"));
	assert_true(heartbeat(w, "a@h", 2, 0, 2000));
	assert_true(worker_lacks(w, ACCEPTED("add") " 7"));
	heartbeat(w, "a@h", 2, 5, 2000);
	celery_workers_accepted(w, STR("a@h"), STR("add"), 5);
	assert_true(heartbeat(w, "a@h", 2, 1, 2000));           /* in a container all have one pid */
	assert_true(worker_lacks(w, ACCEPTED("add") " 5"));
	for (int round = 0; round < 2; round++) {
		celery_workers_stats(w, STR("a@h"), 1, 2, false);
		for (int i = 0; i < 203; i++) {
			snprintf(name, sizeof name, "n%d", i);
			celery_workers_accepted(w, STR("a@h"), str_of(name), 2);
		}
	}
	assert_true(worker_shows(w, ACCEPTED("n199") " 2"));
	assert_true(worker_shows(w, ACCEPTED("other") " 6"));
	assert_true(celery_workers_stats(w, STR("a@h"), 1, 3, false));
	assert_true(worker_lacks(w, ACCEPTED("n199") " 2"));
	celery_workers_free(w);
}

static void mailbox_alone_proves_nothing(void **state)
{
	struct celery_workers *w = celery_workers_new(keep);

	(void)state;
	celery_workers_bound(w, STR("a@h"), 1000);
	assert_true(worker_lacks(w, "celery_worker_up{hostname=\"h\"} 0"));
	assert_int_equal(suspects(w, 9001, 0), 1);
	celery_workers_condemn(w, STR("a@h"), 9001);
	assert_true(worker_shows(w, "celery_worker_up{hostname=\"h\"} 0"));
	celery_workers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_a_task), cmocka_unit_test(exception_is_born_at_zero), cmocka_unit_test(worker_figures), cmocka_unit_test(both_of_two_see_zero),
		cmocka_unit_test(answers_settle_what_runs), cmocka_unit_test(sent_comes_last),
		cmocka_unit_test(queue_and_wait_come_from_what_was_sent), cmocka_unit_test(ids_are_bounded),
		cmocka_unit_test(label_sets_are_bounded), cmocka_unit_test(names_may_go_on_changing),
		cmocka_unit_test(waits_of_retries), cmocka_unit_test(exceptions_are_bounded),
		cmocka_unit_test(times_that_cannot_be_are_not_counted), cmocka_unit_test(dead_worker_takes_its_tasks_along),
		cmocka_unit_test(silence_is_suspected_and_settled), cmocka_unit_test(silent_is_not_gone),
		cmocka_unit_test(spared_for_a_while), cmocka_unit_test(hosts_with_several_workers),
		cmocka_unit_test(lost_events_are_counted), cmocka_unit_test(the_living_come_first),
		cmocka_unit_test(accepted_is_of_one_process), cmocka_unit_test(mailbox_alone_proves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
