/* Families of a Celery source. The first part has celery-exporter's names, labels and types (dashboards 17508 and 17509); the
 * rest is ours alone. */
#ifndef TOCSIN_CELERY_FAMILIES_H
#define TOCSIN_CELERY_FAMILIES_H

#include "tocsin/expo.h"

#define CELERY_FAMILIES(X) \
	X(SENT, "celery_task_sent_total", COUNTER, "Tasks sent; only by producers with task_send_sent_event.") \
	X(RECEIVED, "celery_task_received_total", COUNTER, "Tasks a worker has taken off the broker.") \
	X(STARTED, "celery_task_started_total", COUNTER, "Tasks started.") \
	X(SUCCEEDED, "celery_task_succeeded_total", COUNTER, "Tasks that succeeded.") \
	X(FAILED, "celery_task_failed_total", COUNTER, "Tasks that failed, by exception; each is shown as 0 before it counts.") \
	X(REJECTED, "celery_task_rejected_total", COUNTER, "Tasks rejected.") \
	X(REVOKED, "celery_task_revoked_total", COUNTER, "Tasks revoked.") \
	X(RETRIED, "celery_task_retried_total", COUNTER, "Retries.") \
	X(RUNTIME, "celery_task_runtime", HISTOGRAM, "Run time of tasks that succeeded, in seconds.") \
	X(QUEUE_WAIT, "celery_task_queue_wait_time", HISTOGRAM, "Time from being sent (or the eta) to the start, in seconds.") \
	X(WORKER_UP, "celery_worker_up", GAUGE, "1: all workers of this host are alive; a lost one stays at 0 for worker_retention.") \
	X(WORKER_ACTIVE, "celery_worker_tasks_active", GAUGE, "Tasks running at the last heartbeat.") \
	X(QUEUE_LENGTH, "celery_queue_length", GAUGE, "Messages ready in the queue, all priorities.") \
	X(CONSUMERS, "celery_active_consumer_count", GAUGE, "Consumers of the queue; RabbitMQ only.") \
	X(ACTIVE_WORKERS, "celery_active_worker_count", GAUGE, "Workers that consume the queue.") \
	X(ACTIVE_PROCESSES, "celery_active_process_count", GAUGE, "Tasks the workers of the queue can run at once.") \
	/* Ours alone. */ \
	X(NODE_UP, "celery_worker_node_up", GAUGE, "1: the worker is alive; for hosts with several workers.") \
	X(WORKER_LOST, "celery_worker_lost", GAUGE, "1: the worker is gone without a goodbye; 0: it is alive, or was stopped.") \
	X(WORKER_SILENT, "celery_worker_silent", GAUGE, \
	  "1: the worker is connected and does not answer, as a solo pool while it runs a task; it counts as alive.") \
	X(WORKER_PROCESSED, "celery_worker_processed_total", COUNTER, \
	  "Tasks the worker has accepted since it started, by its own count.") \
	X(WORKER_CONCURRENCY, "celery_worker_concurrency", GAUGE, "Tasks the worker can run at once.") \
	X(WORKER_RESERVED, "celery_worker_tasks_reserved", GAUGE, \
	  "Tasks the worker holds and has not begun, without those that wait for their eta.") \
	X(WORKER_SCHEDULED, "celery_worker_tasks_scheduled", GAUGE, "Tasks the worker holds until their eta.") \
	X(WORKER_EVENTS_LOST, "celery_worker_events_lost_total", COUNTER, "Tasks the worker has accepted of which no event came.") \
	X(WORKER_LAST_SEEN, "celery_worker_last_seen_timestamp_seconds", GAUGE, "When the worker last gave a sign of life.") \
	X(WORKER_SKEW, "celery_worker_clock_skew_seconds", GAUGE, "The worker's clock less ours, at its last heartbeat.") \
	X(WORKER_ACCEPTED, "celery_worker_task_accepted_total", COUNTER, \
	  "Tasks of each name the worker has accepted since it started.") \
	X(WORKERS_REFUSED, "celery_workers_over_limit_total", COUNTER, \
	  "Signs of life of workers that are not shown, because there are more than 1000.") \
	X(RUNNING, "celery_tasks_running", GAUGE, "Tasks running now.") \
	X(LONGEST, "celery_task_longest_running_seconds", GAUGE, "How long the task has run that runs longest; 0: none runs.") \
	X(LAST_SUCCESS, "celery_task_last_success_timestamp_seconds", GAUGE, "When a task of this name last succeeded.") \
	X(PRIORITY_LENGTH, "celery_queue_priority_length", GAUGE, "Messages ready in the queue, by priority step.") \
	X(QUEUES_REFUSED, "celery_queues_over_limit", GAUGE, "Queues that are not shown, because there are more than 1000.") \
	X(UNACKED, "celery_unacked_messages", GAUGE, \
	  "Messages delivered to workers and not acknowledged: prefetched, with an eta, or running late-acknowledged.") \
	X(UNACKED_AGE, "celery_oldest_unacked_age_seconds", GAUGE, \
	  "Age of the oldest delivery that is not acknowledged; 0: there is none.") \
	X(QUEUE_UNACKED, "celery_queue_unacked_messages", GAUGE, \
	  "Messages of the queue delivered and not acknowledged; RabbitMQ only.") \
	X(QUEUE_AGE, "celery_queue_head_age_seconds", GAUGE, \
	  "Age of the message at the head of the queue, where it, or the event of its sending, tells the time.") \
	X(DELAYED, "celery_delayed_messages", GAUGE, "Messages in RabbitMQ's queues for tasks with an eta.") \
	X(VISIBILITY, "celery_visibility_timeout_seconds", GAUGE, \
	  "Age at which a delivery that is not acknowledged is handed out again; as configured, for rules.") \
	X(FAILED_LIST, "celery_failed_list_length", GAUGE, "Length of the application's list of failed tasks.") \
	X(RESULTS, "celery_results_kept", GAUGE, "Task results in the result backend.") \
	X(WORKERS_CONNECTED, "celery_workers_connected", GAUGE, "Workers that received the last question.") \
	X(WORKERS_SILENT, "celery_workers_silent", GAUGE, "Workers that received the last question and did not answer it.") \
	X(EVENTS, "celery_events_total", COUNTER, "Events read.") \
	X(EVENTS_BAD, "celery_events_unreadable_total", COUNTER, "Messages that are no events we can read.") \
	X(EVENTS_UNKNOWN, "celery_events_unknown_task_total", COUNTER, "Events of tasks whose name was never seen.") \
	X(EVENTS_CONNECTED, "celery_events_connected", GAUGE, "1: the event stream is being read.") \
	X(EVENTS_RECONNECTS, "celery_events_reconnects_total", COUNTER, \
	  "Times the event stream was lost; events in between are, too.") \
	X(TASKS_HELD, "celery_tasks_held", GAUGE, "Tasks remembered by id.") \
	X(TASKS_EVICTED, "celery_tasks_evicted_total", COUNTER, "Tasks forgotten before they ended, because of max_tasks.") \
	X(SERIES_REFUSED, "celery_task_series_over_limit_total", COUNTER, \
	  "Events counted under the name or exception 'other', because of max_series.") \
	X(POLL_DURATION, "celery_poll_duration_seconds", GAUGE, "Time the last look at the broker took.") \
	X(POLL_AGE, "celery_poll_age_seconds", GAUGE, "Since the broker was last looked at.")

enum celery_family {
#define X(id, name, type, help) CF_##id,
	CELERY_FAMILIES(X)
#undef X
	CF_N,
};

extern const struct expo_family celery_families[CF_N];

#endif
