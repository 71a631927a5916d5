/* What a kind of receiver is: how a message reads, and the conversation that delivers it. One file a kind, one row in config_receiver.c.
 * Kinds are pure: they see a delivery and an answer, and say what to ask next. */
#ifndef NOTIFY_RECEIVER_H
#define NOTIFY_RECEIVER_H

#include "notify/core.h"
#include "notify/model.h"
#include "notify/transport.h"
#include "tocsin/json.h"
#include "tocsin/template.h"

struct notice {                         /* what is to be told, when it is decided */
	const struct integration *integration;
	const struct group *group;
	const struct episode *episode;
	struct str receiver;
	int64_t now_ms;
	const char *reason;             /* why it is told now, in Alertmanager's words */
	struct page_alert **alerts;     /* by job, instance, labels */
	size_t n, n_cut;                /* <n_cut>: left out beyond max_alerts */
	size_t n_firing;                /* of all, those that are not over (phase.c) */
	enum phase phase;
	struct str external_url;
	struct str ack_url;             /* a signed link; empty: there is nothing to acknowledge */
	struct labels route_labels;
	struct arena *arena;
};

#define RECEIVER_MAX_SECRETS 4

enum deliver_next {
	DELIVER_ASK,                    /* <call> is to be made, not before <not_before_ms> */
	DELIVER_DONE,
	DELIVER_RETRY,                  /* later, from the start */
	DELIVER_DEAD,                   /* never: it would be refused again */
};

struct delivery {                       /* one attempt, in memory only */
	struct asker asker;             /* first */
	struct message *message;
	const struct integration *integration;
	struct core *core;
	struct arena arena;             /* of the attempt */
	struct http_call call;
	int64_t not_before_ms;
	bool asking;                    /* the transport has <call> */
	bool call_changes;              /* <call> is not safe to repeat blindly: a lost answer leaves doubt */
	int step;                       /* the kind's */
	void *state;                    /* the kind's, in <arena> */
	/* The verdict. */
	bool unknown;                   /* DELIVER_RETRY: it may have arrived */
	int64_t retry_after_ms;         /* the receiver's wish; -1: none */
	bool slow;                      /* DELIVER_RETRY: wrong key or address; a person has to act */
	const char *note;               /* beside the status, for history; NULL: none */
};

struct receiver_kind {
	const char *name;
	bool repeats;                   /* told again after repeat_interval */
	bool ends_by_default;           /* send_resolved's default */
	bool has_phases;                /* phase.c */
	unsigned max_in_flight;         /* per destination */
	int64_t gap_ms;                 /* between requests to a destination */
	/* The message as it is kept in the outbox. */
	void (*render)(const struct notice *, struct buf *out);
	/* <answer> NULL: a new attempt. */
	enum deliver_next (*advance)(struct delivery *, const struct http_answer *answer);
	/* Appends texts that must not be shown; at most RECEIVER_MAX_SECRETS. */
	void (*secrets)(const struct integration *, struct str *out, size_t *n);
};

/* Labels (or annotations) that all of <v> share. */
struct labels notice_common(struct arena *, struct page_alert *const *v, size_t n, bool annotations);
/* The receiver's name as Alertmanager sends it: with regular expression characters escaped. */
struct str notice_quoted_receiver(const struct notice *);

/* The notice as Alertmanager's templates see it: .Status .Receiver .Alerts .GroupLabels .CommonLabels .CommonAnnotations .ExternalURL */
struct template_value notice_template_data(const struct notice *);
struct template_value notice_record(struct arena *, const struct template_field *, size_t n, const struct template_type *);
/* The labels of the group's route, as templates make them of the notice; one whose template fails is left out. */
struct labels notice_route_labels(const struct notice *);
/* Its functions take the notice as <user> of the expansion; NULL: there is none. */
extern const struct template_env notice_template_env;
extern const struct template_type notice_kv_type;       /* label sets, with SortedPairs, Remove, Names, Values */
/* The templates everybody's settings may use, and which their defaults do; ended by NULL. */
extern const char *const notice_default_templates[];
/* Those of the alert, and why it ended, or that nothing is known of it any more. */
struct labels notice_annotations(struct arena *, const struct page_alert *);
/* What <v> is as JSON. */
void notice_put_json(struct json_out *, struct template_value v);
bool notice_to_json(struct template_call *);
extern const char statuspage_default_name[], statuspage_default_body[], statuspage_default_identified[], statuspage_default_monitoring[],
	statuspage_default_maintenance_name[], statuspage_default_maintenance_body[];

extern const struct receiver_kind receiver_webhook, receiver_statuspage;

/* What most kinds make of an answer. */
enum deliver_next receiver_judge(struct delivery *, const struct http_answer *);
/* notify_reason_names index of a failed answer. */
size_t receiver_reason(const struct http_answer *);

#endif
