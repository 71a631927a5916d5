/* What a source is to the exporter, and what the exporter is to a source. A source is one thing that is watched (a Postgres server,
 * a Redis node, a broker, a set of gauges), under a configured name. Each has a thread of its own, which is asked to collect and
 * hands over an immutable expo_set; nobody waits for it beyond the deadline it was given.
 *
 * A kind (postgres/, redis/, celery/, gauges/) fills in one const struct source_kind and is listed in kinds.c; everything else
 * comes free: the *_up gauge, success, duration and age, one complaint an outage, label `source`, /probe, reload. */
#ifndef TOCSIN_EXPORTER_SOURCE_H
#define TOCSIN_EXPORTER_SOURCE_H

#include "tocsin/clock.h"
#include "tocsin/conf.h"
#include "tocsin/err.h"
#include "tocsin/expo.h"

struct sources;
struct source_loop;

/* The settings of every kind begin with these; its table begins with SOURCE_KEYS(struct its_settings), whose first field is
 * `struct source_settings common`. */
struct source_settings {
	struct str name;                /* unique among all sources; the label `source` */
	const char *title;              /* for the log: the name; of a module's target both: "module/target" */
	int64_t timeout_ms;             /* one collection takes at most this, and at most what the scrape leaves */
};

#define SOURCE_KEYS(type) \
	CONF_KEY(type, "name", common.name, conf_str, NULL, CONF_REQUIRED | CONF_RELOAD, \
	         "Name of this source: the label `source`, and the target of /probe."), \
	CONF_KEY_ARG(type, "timeout", common.timeout_ms, conf_duration_ms, "5s", CONF_RELOAD, "What one collection may take.", \
	             &source_timeout_range)

extern const struct conf_range source_timeout_range;

/* What a reader's `user` points to while a kind's settings are read. */
struct source_reading {
	/* The address is a module's target: what one scheme needs does nothing with another, and may stand there. */
	bool any_scheme;
};

/* One request to collect. */
struct source_ask {
	int64_t deadline_mono_ms;       /* return before it, come what may: poll with what is left */
	int stop_fd;                    /* readable when the source is to let go at once: put it into every poll */
	const struct clock *clock;
};

struct source_nodes {
	struct str *v;
	size_t n;
};

/* A node of a cluster: address as others reach it, "10.0.0.7:6379", and what discovery says of it beside. Borrowed for the call. */
typedef void source_node(void *user, struct str address, const struct label *labels, size_t n);

/* A name that the configuration gives a metric, and where. <lent>: the file was written for another exporter. */
typedef void source_metric(void *user, struct str name, enum expo_type type, const struct conf_node *at, bool lent);
/* A family that the kind always has. */
typedef void source_family(void *user, const struct expo_family *family);

/* The functions of one state run on the source's own thread, but run(), which has a second one: what both touch is the kind's to
 * lock. */
struct source_kind {
	const char *name;               /* list in the configuration file, value of the label `collector`: "postgres" */
	const char *up_family, *up_help;        /* "pg_up"; 1 when collect() returned true, else 0 */
	/* Optional: a gauge of its own that is 0 for a part that a person asked for and that could not be read: a dry run fails then.
	 */
	const struct expo_family *parts;
	const char *env;                /* address that makes one source without a file, as its key `url`: "DATABASE_URL"; NULL: none */
	const struct conf_table *table; /* of one source. Keys with secrets are CONF_SECRET | CONF_ENV */

	/* Optional; after all sources were read: finds settings of others by name. False after having reported. <at>: this source's
	 * node. */
	bool (*link)(void *settings, const struct sources *all, const struct conf_node *at, struct conf_report *r);
	/* The address for people, without secrets, for the page and the log. In <a>. */
	struct str (*describe)(struct arena *a, const void *settings);
	/* Optional: calls <metric> for each metric the settings name; <family> for each family of the kind's own, but those whose name
	 * is made of what the server sends. */
	void (*metrics)(const void *settings, source_metric *metric, void *user);
	void (*families)(source_family *family, void *user);
	/* What will be asked, when, under which limits, what it needs: with the functions of explain.h. */
	void (*explain)(struct buf *out, const void *settings);

	/* Optional: the nodes of the cluster the source is part of, for service discovery; over a connection of its own, on a thread of
	 * its own. Calls <node> for each. <known>: the addresses told last time, to be asked when the source's own does not answer. */
	bool (*nodes)(const void *settings, struct source_nodes known, const struct source_ask *ask, source_node *node, void *user,
	              struct err *e);

	/* Never fails and connects nothing. <settings> outlive the state. */
	void *(*open)(const void *settings, const struct clock *clock);
	/* Optional, for kinds that keep state on disk. Right behind open(): nothing may be written or locked, it is a dry run. */
	void (*make_dry)(void *state);
	/* Optional; before each collect(), on another thread, with the state to itself: sends what is to be asked, if that can be done
	 * without waiting at all, so that the server is at work while the collector's thread wakes up. collect() goes on from there. */
	void (*begin)(void *state, const struct source_ask *ask);
	/* Fills <out>. False and <e> when the source is down or too slow: what was put into <out> is then dropped. What part of the
	 * source cannot tell (a missing privilege) is left out and true returned. */
	bool (*collect)(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e);
	/* Optional. A thread for what must not be done in a scrape: event streams, SCAN, sizes. Returns when source_loop_wait() says so
	 * or source_loop_stop_fd() is readable. */
	void (*run)(void *state, struct source_loop *loop);
	/* After collect() and run() have returned for the last time. */
	void (*close)(void *state);
};

/* Ends with NULL. A test asserts that names are unique. */
extern const struct source_kind *const source_kinds[];

/* ---- For link() ---- */

/* Settings of the source of <kind> (its name in the file) called <name>; NULL when there is none. */
const void *sources_find(const struct sources *all, const char *kind, struct str name);

/* ---- For run() ---- */

/* Readable when run() is to return. */
int source_loop_stop_fd(const struct source_loop *loop);
/* Sleeps until <mono_ms>; false at once when run() is to return. */
bool source_loop_wait(struct source_loop *loop, int64_t mono_ms) MUST_CHECK;
const struct clock *source_loop_clock(const struct source_loop *loop);
/* When what is done every <interval_ms> and was begun last at <began_mono_ms> is due again: after a failure before that, for the
 * server may only have been about to start, but not so soon that it has no peace. */
int64_t source_loop_due(const struct source_loop *loop, int64_t began_mono_ms, int64_t interval_ms, bool ok);
/* Result of the slow task <task> (a literal), done every <interval_ms>: <set> is taken over and shown in each scrape, with its age,
 * until the interval has passed twice; a new one replaces it. NULL <set>: it failed with <e>; complained of once an outage. */
void source_loop_publish(struct source_loop *loop, const char *task, int64_t interval_ms, struct expo_set *set,
                         const struct err *e);

#endif
