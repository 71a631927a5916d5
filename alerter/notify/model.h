/* What delivery remembers: alerts people may hear of, the groups they form, the episodes a receiver was told of, and messages
 * under way. One thread owns all of it; db.h keeps the same on disk. Each is changed only through the functions of the file
 * that is named beside it, which also write the log. */
#ifndef NOTIFY_MODEL_H
#define NOTIFY_MODEL_H

#include "notify/config/config.h"
#include "notify/matcher.h"
#include "tocsin/map.h"

struct group;
struct delivery;
struct lane;

/* To people an alert is its labels, as in Alertmanager: those with the same ones, whoever raises them, are twins. They are told as one,
 * which fires while one of them does. */
struct page_alert {                     /* pager.c. Freed when it has ended, is in no group and no episode told it */
	int64_t id;
	struct str key;                 /* rule, NUL, own labels: its key in core.alerts */
	struct str rule;
	struct labels own, external;    /* what the rule gave; what global: external_labels added when it began */
	struct page_alert *twin;        /* the next in a ring; itself: it has none */
	struct labels labels;           /* both: what routes see and receivers hear, until its end; <own> where there are no others */
	struct labels annotations;
	struct str generator_url, value_text, reason;
	uint64_t fingerprint;
	double value;
	int64_t starts_ms, ends_ms;     /* 0: firing */
	int64_t heard_end_ms;           /* when we learned of the end; who posts one may date it years back */
	int64_t no_data_since_ms;       /* 0: there is data */
	int64_t expires_ms;             /* of one that was posted: it ends then unless posted again; 0: a rule says when */
	bool expiry_given;              /* by who posted it, not by resolve_timeout; forgotten at a restart */
	struct group **groups;
	size_t n_groups, cap_groups;
	size_t told_by;                 /* open episodes */
	bool muted;                     /* mute.c, for the flush under way */
	bool in_doubt;                  /* doubt.c: it fired before the start, and may be over */
	struct forward_mark *marks;     /* forward.c: of each Alertmanager */
	uint64_t marks_generation;
};

struct silence {                        /* silence.c */
	char id[37];                    /* the key in core.silences */
	struct arena arena;             /* of what follows */
	const struct notify_matcher *shown;
	struct matcher_list matchers;
	int64_t starts_ms, ends_ms, updated_ms;
	struct str author, comment;
};

enum phase { PHASE_INVESTIGATING, PHASE_IDENTIFIED, PHASE_MONITORING, PHASE_RESOLVED };        /* of an incident */

struct episode {                        /* group.c */
	char id[37];                    /* UUID: the key in core.episodes */
	struct group *group;            /* NULL: closed, or its group is gone */
	struct str integration;
	uint64_t identity;              /* of the place it is told at; 0: wherever its integration sends */
	int64_t seq;                    /* of its last message */
	int64_t started_ms, last_sent_ms;
	enum phase phase;               /* as last told */
	bool again;                     /* a message that told of firing alerts died: tell them again at the next flush */
	bool closed;                    /* all it told has ended and been told so; kept while messages are under way */
	bool heard;                     /* something of it arrived where it goes, or may have */
	unsigned in_flight;             /* of its messages */
	struct map told;                /* alert id (8 bytes) -> struct page_alert, told as firing and not yet as ended */
	struct map cut;                 /* of those the ones beyond max_alerts: told by their number only */
	struct str remote, remote_status;       /* receivers that keep an object of ours: its id there, the status we gave it */
	size_t unfinished;              /* messages */
};

struct alarm {                          /* escalate.c: from a group's first page to its last end */
	char id[17];
	int64_t since_ms;               /* 0: there is none */
	unsigned steps;                 /* of the route's, taken */
	int64_t wait_ms;                /* no step before this: all was muted, or in doubt */
	int64_t ack_ms;                 /* 0: nobody has acknowledged it */
	struct str ack_by;
};

struct group {                          /* group.c */
	int64_t id;
	struct str map_key;             /* receiver, NUL, key */
	struct str key, receiver;
	struct labels labels;
	const struct route *route;      /* NULL: retired */
	struct page_alert **members;
	size_t n, cap;
	int64_t next_flush_ms;
	int64_t next_phase_ms;          /* when status pages may have something to hear in between */
	struct episode **episodes;      /* open ones; one an integration */
	size_t n_episodes, cap_episodes;
	struct alarm alarm;
	bool left_out;                  /* doubt.c: the last flush would have told something that is in doubt */
};

struct message {                        /* outbox.c */
	struct message *next, *prev;    /* unfinished ones, oldest first */
	int64_t id;
	struct episode *episode;
	int64_t seq;
	struct str key;                 /* episode-seq: the idempotency key */
	struct str integration, group_key;
	uint64_t identity;              /* both as its episode's, once place_follow() is through */
	struct labels labels;           /* of the group */
	bool resolved;                  /* it tells an end of everything */
	struct str payload;
	enum outbox_state state;
	int64_t created_ms, next_ms;
	unsigned attempts;
	bool doubtful;                  /* an attempt's outcome is unknown: it may have arrived */
	int last_status;
	struct str last_error;
	struct lane *lane;              /* outbox.c */
	struct delivery *work;          /* OUTBOX_IN_FLIGHT */
};

#endif
