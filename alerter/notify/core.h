/* Delivery without threads: everything that decides, on one clock, over one database and one transport. The owner's thread
 * drives it; tests drive it by hand.
 *
 *	core_batch(c, …);  core_answer(c, …);      any number, in memory and in the log
 *	due = core_step(c);                        groups, outbox, one commit, then requests go out
 */
#ifndef NOTIFY_CORE_H
#define NOTIFY_CORE_H

#include "notify/db.h"
#include "notify/model.h"
#include "notify/transport.h"
#include "tocsin/complain.h"

struct destination {
	struct str key;
	unsigned in_flight;
	int64_t not_before_ms;          /* rate, and what Retry-After asked for */
};

struct integration_stats {
	struct str name;                /* of the integration */
	struct str receiver, kind;
	struct notify_integration_stats s;
	struct complaint complaint;
};

struct core {
	const struct clock *clock;
	struct db *db;
	struct transport *transport;
	struct arena scratch;           /* one step */
	struct notify_config *config;
	struct notify_config **old;     /* newest first: kept while something they sent is to be ended */
	size_t n_old, cap_old;
	struct str external_url, database_path;
	struct str damage;              /* why a damaged database could not be replaced: this one is in memory */
	bool paused;                    /* on the way out: nothing new is sent */
	uint64_t random;
	int64_t next_commit_ms;         /* after a failure */
	struct clock_skew skew;
	int64_t retention_ms, next_trim_ms, next_expiry_ms;
	struct map alerts;              /* struct page_alert by key */
	struct map by_labels;           /* one of each ring of twins, by the 8 bytes of its fingerprint */
	struct map groups;              /* struct group by map_key; those a route forms */
	struct group **retired;
	size_t n_retired, cap_retired;
	struct map episodes;            /* struct episode by id */
	struct message *first, *last;
	struct map lanes;               /* struct lane by integration and group */
	struct map destinations, stats, components;
	struct map points;              /* struct point_queue by integration */
	struct map silences;            /* struct silence by id */
	struct forwarding *forwarding;
	struct heartbeats *heartbeats;
	unsigned char link_key[32];             /* signs links */
	int64_t next_alert, next_group, next_message;
	bool doubting;                  /* doubt.c: asking which rules know */
	notify_settled *settled;        /* NULL: rules do not run yet */
	void *settled_ctx;
	int64_t doubt_ms, doubt_since_ms;       /* so long at most; from then on rules must have seen every target asked */
	int64_t doubt_until_mono_ms, ask_mono_ms;
	int64_t not_durable_since_ms;
	struct complaint commit_complaint;
	struct err commit_error;        /* of the last commit */
	uint64_t commits, commit_failures, finished[OUTBOX_STATES], passes;
	double commit_seconds;
};

struct core_options {
	const char *database_path;
	const struct clock *clock;
	struct transport *transport;
	struct str external_url;
	int64_t retention_ms;
	uint64_t seed;                  /* of the jitter */
	int64_t resend_delay_ms;        /* 0: 1 m */
	const unsigned char *link_key;  /* 32 bytes; NULL: zeros, for tests */
	bool rules_run;                 /* core_watch_rules() will say when they know of what fired before */
};

/* Takes <config> on success. */
struct core *core_open(const struct core_options *, struct notify_config *config, struct err *e);
void core_close(struct core *);
void core_configure(struct core *, struct notify_config *config);
/* False and <e>: the log is full (the disk has been, for long); nothing was taken. */
bool core_batch(struct core *, const struct alert_batch_rule *, size_t n, struct err *e);
/* As core_batch(), for alerts that others post. */
bool core_post(struct core *, const struct notify_posted *, size_t n, struct err *e);
void core_rules_known(struct core *, const struct notify_known *);
bool core_load(struct core *, struct str rule, struct arena *, struct alert_record **out, size_t *n, struct err *e);
bool core_history(struct core *, const struct notify_history_query *, struct arena *, struct notify_history_entry **out, size_t *n,
                  struct err *e);
bool core_resend(struct core *, int64_t message_id, struct err *e);
bool core_discard(struct core *, int64_t message_id, struct err *e);
void core_answer(struct core *, void *tag, const struct http_answer *);
/* Returns the wall time of what is due next, INT64_MAX when nothing is. */
int64_t core_step(struct core *);
void core_was_away(struct core *);      /* we stood still for a while: as after a start, what is known is of before */
struct notify_snapshot *core_snapshot(struct core *, struct arena *);

/* Between the files of the core. */
int64_t core_now_ms(const struct core *);
uint64_t core_random(struct core *);
/* For what a person changes, who may rely on it once it is answered: all of the log goes to disk now. False and <e>: it does not, and what was added
 * behind its first <before> statements is taken back. */
bool core_commit_change(struct core *, size_t before, struct err *e);
/* Why something is in memory only; ERR_NONE: all is on disk. */
struct err core_not_durable(const struct core *);

/* place.c: the integration that sends to where an episode was told, as configured now or, when it is no more, as it was then; NULL:
 * its settings are lost. */
const struct integration *core_integration(const struct core *, const struct episode *);
void place_follow(struct core *);                               /* after c->config has changed */

/* pager.c: alerts. */
void pager_event(struct core *, const struct rule_identity *, const struct alert_event *);
void pager_record(struct core *, const struct rule_identity *, const struct alert_record *);
void pager_end(struct core *, struct page_alert *, int64_t at_ms, struct str reason);
struct page_alert *pager_new(struct core *, int64_t id, struct str rule, struct labels own, struct labels external);
void pager_free(struct page_alert *);
void pager_save(struct core *, const struct page_alert *);
void pager_free_if_done(struct core *, struct page_alert *);
struct page_alert *pager_find(struct core *, struct str rule, struct labels own);
struct page_alert *pager_firing_twin(const struct page_alert *);        /* NULL: none fires beside it */
bool pager_is_first(const struct page_alert *);                 /* the one that stands for its twins: firing ones before others */

/* own.c: alerts that no rule raises. One that fires already, or has ended already, stays as it is. */
struct own_alert {
	const char *name, *severity, *expr;     /* the severity unless <labels> have one */
	bool firing;
	int64_t since_ms;               /* 0: now */
	struct labels labels;
	struct str summary, description, reason;
};
void own_alert(struct core *, const struct own_alert *);
void own_durability(struct core *, const struct err *problem);          /* NULL: it is over */
/* <file>: a database that was moved aside; <problem>: why one that is damaged could not be. Both empty: all is well. */
void own_damage(struct core *, struct str file, struct str problem);
void own_resume_durability(struct core *);      /* after a start: it ends when something has been written */
void own_dead_letter(struct core *, struct str integration, struct str why, bool dead);
/* About ourselves, or what was and has ended because its external labels changed (OWN_LEFT_BEHIND stands for its rule). */
bool own_is_ours(const struct page_alert *);
#define OWN_LEFT_BEHIND "relabelled tocsin"
bool own_is_dead_letter(const struct page_alert *, struct str integration);  /* that one's alert */
void own_stranded(struct core *, struct str integration, bool stranded);
void own_recheck_stranded(struct core *);                               /* after c->config has changed */
void own_evaluation(struct core *, struct str problem);                 /* empty: all are evaluated */
void own_rule_files(struct core *, const struct notify_known *);

/* group.c: groups and episodes. */
void group_add_alert(struct core *, struct page_alert *);
void group_reroute(struct core *);
void group_free(struct group *);
void episode_attach(struct group *, struct episode *);
struct group *group_new(struct core *, int64_t id, struct str key, struct str receiver, struct labels);
void group_add_member(struct group *, struct page_alert *);
void group_retire(struct core *, struct group *);
/* Groups with an episode where their route sends no more, and none where it sends instead, speak after group_wait. */
void group_hurry_left_behind(struct core *);
void group_bound_waits(struct core *);                          /* none waits longer than its route says now, whatever it said or the clock showed */
void group_hurry_found(struct core *);                          /* retired ones whose receiver is configured again */
void group_hurry_retired(struct core *, const struct page_alert *);     /* it ended: retired groups that told it say so now */
void core_new_uuid(char out[37]);
struct episode *episode_new(struct core *, const char *id);
void episode_save(struct core *, const struct episode *);
void episode_free(struct episode *);
void episode_free_if_done(struct core *, struct episode *);
void episode_add_told(struct episode *, struct page_alert *, bool cut);
void episode_tell(struct core *, struct episode *, struct page_alert *, bool cut);      /* the same, in the log too */
void episode_show(struct core *, struct episode *, struct page_alert *);        /* it stood in a message, or a twin: cut no more */
bool episode_cut(const struct episode *, const struct page_alert *);            /* itself */
void episode_drop_told(struct core *, struct episode *, struct page_alert *);
bool episode_told(const struct episode *, const struct page_alert *);   /* of it, or of a twin */
void episode_share(struct core *, const struct page_alert *from, struct page_alert *to);        /* who was told of <from> was told of <to> too */
/* What was told of <from> counts as told of its twin <to>. */
void episode_hand_over(struct core *, struct page_alert *from, struct page_alert *to);
struct episode *episode_begin(struct core *, struct group *, const struct integration *);
void episode_close(struct core *, struct episode *);
size_t episode_ended(const struct episode *);                   /* alerts it told of that have ended since */
struct episode *episode_find(const struct group *, const struct integration *);  /* the open one; NULL */
void group_save(struct core *, const struct group *);
void group_drop_member(struct core *, struct group *, struct page_alert *);     /* the caller takes it out of <members> */
bool group_speaks(const struct group *);                        /* something in it fires, is not muted and not in doubt */
void group_leave_all(struct core *, struct page_alert *);       /* a twin stands for it there */
void group_delete(struct core *, struct group *);
size_t group_list(struct core *, struct group ***out);                          /* those routes form; in scratch */

void pager_post(struct core *, const struct notify_posted *);
/* Ends what was posted and not again; returns when the next one ends so. */
int64_t pager_expire(struct core *);
void pager_shift(struct core *, int64_t step_ms);               /* the clock stepped */
/* After a start: who posts has had no chance while we were away. */
void pager_extend(struct core *);
/* What fires gets the external labels of c->config. Its old ones have ended: at once for Alertmanagers, for people with the next message, which they
 * get for something else. */
void pager_relabel(struct core *);
bool pager_is_left_behind(const struct page_alert *);

/* silence.c */
bool silence_set(struct core *, const struct notify_silence *, struct arena *, struct str *id, struct err *);
bool silence_expire(struct core *, struct str id, struct err *);
bool silence_list(struct core *, const struct str *filters, size_t n_filters, struct arena *, const struct notify_silence **out,
		  size_t *n, struct err *);
void silence_load(struct core *, const char *id, struct str matchers, const struct notify_silence *);
/* Ids of the active ones that fit; at most <max>. */
size_t silence_matching(struct core *, struct labels, struct str *ids, size_t max);
void silence_trim(struct core *);
void silence_free(struct silence *);

/* view_alerts.c */
bool view_alerts(struct core *, const struct notify_alert_query *, struct arena *, const struct notify_alert_group **out, size_t *n,
		 struct err *);

/* mute.c: what is nobody's news now. */
struct mute_index;                      /* who inhibits, for one moment */
struct mute_index *mute_index_new(struct core *);
void mute_index_free(struct mute_index *);
/* Sets <muted> of all that is in the group, or that one of its episodes told. */
void mute_mark(struct core *, const struct mute_index *, const struct group *);
/* The fingerprint of an alert that inhibits <a>, and whether there is one. */
bool mute_inhibitor(struct core *, const struct mute_index *, const struct page_alert *a, uint64_t *by);
/* The name of the time interval that mutes the route; empty when it may speak. */
struct str mute_by_time(const struct core *, const struct route *);

/* heartbeat.c: signs of life, ours to others and others' to us. */
struct heartbeats *heartbeats_new(void);
void heartbeats_free(struct heartbeats *);
void heartbeats_configure(struct core *);                       /* after c->config has changed */
void heartbeats_load(struct core *, struct str name, int64_t since_ms, int64_t last_ms);
void heartbeats_started(struct core *);                         /* all is loaded and configured: the time away is not held against anybody */
void heartbeats_shift(struct core *, int64_t step_ms);
bool heartbeats_uses(const struct core *, const struct notify_config *);
bool heartbeats_are_asking(const struct core *);
void heartbeats_step(struct core *);
int64_t heartbeats_next_due_ms(const struct core *);
void heartbeats_view(struct core *, struct arena *, struct notify_snapshot *);
bool core_heartbeat(struct core *, struct str name, struct str token, struct err *);
void core_watch_evaluation(struct core *, notify_evaluation *, void *ctx);

/* escalate.c: the alarm of a group. */
void alarm_begin(struct core *, struct group *);                /* it is told for the first time; else nothing */
void alarm_end(struct group *);
/* After a change of routes: the groups that <a>, of which somebody was told, is in now go on with the alarm of <from>. */
void alarm_follow(struct core *, const struct group *from, const struct page_alert *a);
/* Who is told: the route's receiver and those of the steps taken, each once. */
size_t alarm_receivers(const struct group *, const struct receiver *out[1 + ROUTE_MAX_STEPS]);
int64_t alarm_next_step_ms(const struct group *);               /* INT64_MAX: none */
/* Takes the next step: who is to be told now. NULL: all is muted or in doubt, it waits. */
const struct receiver *alarm_step(struct core *, struct group *);
void alarm_shift(struct group *, int64_t step_ms);              /* the clock stepped */
bool core_acknowledge(struct core *, struct str id, struct str by, struct err *);
struct str core_ack_link(const struct core *, const struct group *, struct arena *);    /* empty: nothing to acknowledge */
bool core_check_link(const struct core *, struct str id, struct str until, struct str signature, struct err *);
bool core_alarm(struct core *, struct str id, struct arena *, struct notify_group *out);
struct notify_group view_group(const struct core *, const struct group *, struct arena *);      /* view.c */

/* points.c: numbers for status pages. */
void core_points(struct core *, const struct notify_point *, size_t n);
bool points_uses(const struct core *, const struct notify_config *);
void points_step(struct core *);
int64_t points_next_due_ms(const struct core *);
void points_free(struct core *);
/* outbox.c: the integration's destination for one request that is no message's; false: it is busy, or to be spared. */
bool outbox_take(struct core *, const struct integration *);
void outbox_release(struct core *, struct str destination);
/* It asked to be spared for so long (at most 15 m): nothing goes there meanwhile, also after a restart. */
void outbox_pause(struct core *, const struct integration *, int64_t wish_ms);
int64_t outbox_free_at_ms(const struct core *, const struct integration *);     /* INT64_MAX: when who has it lets go */

/* forward.c: alerts to Alertmanagers. */
struct forwarding *forward_new(int64_t resend_delay_ms);
void forward_free(struct forwarding *);
void forward_configure(struct core *);                          /* after c->config has changed */
void forward_found(struct core *, const void *of, size_t entry, const struct notify_found_group *, size_t n);
void forward_changed(struct core *);                            /* an alert began or ended */
bool forward_keeps(const struct core *, const struct page_alert *);      /* it ended, and Alertmanagers still hear of it */
bool forward_uses(const struct core *, const struct notify_config *);
void forward_step(struct core *);
int64_t forward_next_due_ms(const struct core *);
bool forward_is_asking(const struct core *);
void forward_view(struct core *, struct arena *, struct notify_snapshot *);

/* phase.c: the slower clock of status pages. <ripe>: it has fired long enough to be told; <over>: it has been well long enough. */
bool phase_ripe(const struct integration *, const struct page_alert *, int64_t now_ms);
bool phase_over(const struct integration *, const struct page_alert *, int64_t now_ms);
/* Of an open episode whose alerts are not all over. */
enum phase phase_of(const struct group *, const struct episode *, const struct integration *, int64_t now_ms);
/* When the passing of time alone changes something for <in>; INT64_MAX: never. */
int64_t phase_due_ms(const struct group *, const struct integration *, int64_t now_ms);

/* doubt.c: what fired before the start, or while we stood still, is not told of again before its rule knows of it. */
void doubt_begin(struct core *);
void doubt_step(struct core *);
void doubt_settle(struct core *, struct page_alert *);          /* it is known to fire */
int64_t doubt_next_due_ms(const struct core *);
bool doubt_holds(const struct group *);                         /* there is nothing in it but what is in doubt */
void core_watch_rules(struct core *, notify_settled *, void *ctx, int64_t longest_ms);

/* parts.c: max_alerts. Parts of what is to be told: an array in the notice's arena, one when all fits into it. */
struct notice;
struct notice *parts_of(const struct notice *, size_t *n);

/* flush.c: when a group speaks, and what it says. */
void group_wait_for_phases(const struct core *, const struct page_alert *);     /* it has just begun or ended */
void group_flush_due(struct core *);
int64_t group_next_due_ms(const struct core *);

/* statuspage_maintenance.c: a silence was made, changed (<was>, else NULL) or ended. */
void statuspage_announce(struct core *, const struct silence *, const struct silence *was);

/* statuspage.c: after c->config has changed, components are set back, or set. */
void statuspage_follow(struct core *);

/* order.c: how things stand in messages and lists. */
int order_labels(struct labels, struct labels);
int order_labels_of_alerts(struct labels, struct labels);       /* by job, instance, labels */
int order_alerts(const void *, const void *);                   /* struct page_alert *const *; what fires first */

/* outbox.c: messages. */
#define OUTBOX_WAIT_MAX_MS (15 * 60000)         /* for one that asks to be spared */
void outbox_add(struct core *, struct episode *, struct str group_key, struct labels of_group, bool resolved, struct str payload);
struct message *outbox_new(struct core *, int64_t id, struct episode *, int64_t seq);
void outbox_set_payload(struct core *, struct message *, struct str);   /* what is to go out next time */
bool outbox_is_followed(const struct message *);        /* another waits for it */
void outbox_schedule(struct core *);            /* marks what is to go out as in flight, in the log */
void outbox_start(struct core *);               /* after the commit: hands requests to the transport */
int64_t outbox_next_due_ms(struct core *);
void outbox_follow(struct core *);                       /* messages go where their episode is now */
void outbox_hurry_found(struct core *);                  /* those whose receiver is configured again */
void outbox_shift(struct core *, int64_t step_ms);      /* the clock stepped */
void outbox_free(struct core *, struct message *);
void outbox_free_all(struct core *);
/* "HTTP 503: try later", without anything that must not be shown. */
struct str outbox_describe(struct delivery *, const struct http_answer *);
struct integration_stats *outbox_stats(struct core *, struct str name);

/* restore.c: memory as the last run left it. Messages that were in flight are of unknown outcome. */
bool restore_all(struct core *, struct err *e);
bool restore_message(struct core *, int64_t id, struct err *e);
bool restore_pauses(struct core *, struct err *e);      /* of destinations; once there is a configuration */

/* What we last gave a component of a status page: the statuses that, when found there, are ours and not a person's; "" when we
 * are not involved (then only "operational" is ours). A list while an answer is outstanding: "operational,major_outage". */
struct str core_component(struct core *, struct str page, struct str component);
void core_component_load(struct core *, struct str page, struct str component, struct str statuses);
void core_component_set(struct core *, struct str page, struct str component, struct str statuses);

#endif
