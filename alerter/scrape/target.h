/* One target: what it is, what it said last time, and what becomes of a reply. Private to scrape; owned by the loop thread, except
 * what <shared_lock> guards for those who look on. */
#ifndef TOCSIN_SCRAPE_TARGET_H
#define TOCSIN_SCRAPE_TARGET_H

#include <pthread.h>

#include "scrape/scrape.h"
#include "store/store.h"
#include "tocsin/map.h"

/* The lines of the target whose reply is being read, by text: hash -> place + 1; open addressing, power of two. */
struct line_texts {
	uint32_t *v;
	size_t n, cap;
	uint32_t *at; /* by place: where in the last order, + 1; 0: nowhere */
	size_t n_at, at_cap;
	uint32_t *next; /* places as they stand in this reply, once it is not as the last one was */
	size_t next_cap;
};
void line_texts_fini(struct line_texts *x);

/* What all targets of a loop have in common. */
struct target_env {
	struct store *store;
	struct conf_strs health_gauges;
	int64_t retention_ms; /* a lost series is forgotten after so long */
	bool type_and_unit;   /* are labels of every series */
	pthread_mutex_t *shared_lock;
	struct appender *app;
	struct arena scratch;       /* reset for every line that is new */
	uint64_t seed;              /* of the hashes of texts */
	struct line_texts texts;
	struct scrape_stats *stats; /* under <shared_lock> when read elsewhere */
};

struct line;
struct known_line;

/* When a health gauge was last not 0. What it was before the start is in the store, and looked up when it matters. */
struct gauge {
	int64_t up_ms;         /* INT64_MIN: not since <looked_ms> */
	int64_t looked_ms;     /* INT64_MAX: nobody looked yet */
	struct store_series *series; /* the line's; NULL: unused, and <next> is the next unused one + 1 */
	uint16_t next;
};

enum report { REPORT_UP, REPORT_DURATION, REPORT_SCRAPED, REPORT_POST_RELABEL, REPORT_ADDED, REPORT_EXTRA, REPORT_TIMEOUT = REPORT_EXTRA, REPORT_LIMIT, REPORT_BODY, REPORTS };

struct target {
	struct arena arena;           /* of the texts and label sets below */
	const struct scrape_job *job; /* replaced by a reload; NULL: removed */
	struct labels labels, discovered;
	struct str job_name, url, unix_socket, key;
	uint64_t owner; /* the key as the store remembers it */
	int64_t interval_ms, timeout_ms;
	struct scrape_histograms histograms;
	bool tracks_own_times; /* track_timestamps_staleness, also of one that is removed */
	char *refused; /* why it is not scraped: then each scrape fails; NULL: it is */

	/* The memory of replies. */
	struct line *lines; /* every one, and unused ones between */
	size_t n_lines, n_places, lines_cap;
	uint32_t unused;    /* the first unused one + 1 */
	uint32_t *order;    /* places, as they stood in the last reply; NULL, as mostly: from the first on */
	size_t n_order;
	struct known_line *known; /* without text, by series: had before the start, not read since */
	size_t n_known, n_known_left;
	struct gauge *gauges;
	size_t n_gauges, gauges_cap;
	uint16_t unused_gauge; /* + 1 */
	struct map parts, groups; /* of classic histograms that are converted: nhcb.c */
	bool claimed;
	uint32_t scrape_no;
	bool meta_ages, meta_anew; /* something in <meta> may not be said any more; this scrape reads every comment */
	uint32_t meta_read_no;     /* of the last scrape that did */
	size_t n_live, n_lost;
	struct store_series *reports[REPORTS];
	bool attempted, ever_good; /* since the start */
	bool away;                 /* not attempted since we stood still */
	bool asked_before;         /* what is under way was asked before that */
	struct arena blind_arena;
	struct store_unseen *blind; /* health gauges that were never up since the start; set by a good scrape */
	size_t n_blind, n_blind_seen;
	uint64_t blind_no; /* counts changes of them */

	/* Under shared_lock. */
	struct map meta; /* metric -> struct target_meta */
	enum scrape_health health;
	char last_error[512];
	int64_t last_scrape_ms;
	double last_duration_s;
	size_t samples, series;
};

struct target_meta {
	uint32_t made, seen; /* numbers of scrapes; <seen>: of the last one that read it */
	char *metric, *type, *help, *unit; /* NULL: not told */
};

struct target_plan;
/* Copies all of it but the job. */
struct target *target_new(const struct target_plan *);
void target_free(struct target *t, struct store *store);
void target_refuse(struct target *t, const char *why); /* copied; NULL: not any more */
/* The job's settings changed in a way that makes what was remembered of series texts wrong. */
void target_forget_texts(struct target *t);
struct target_taken {
	bool up;         /* the scrape was good */
	bool blind_anew; /* health gauges that were never up are others than before, or may be … */
	size_t n_blind;  /* … and there are so many */
};
/* Takes a reply in; everything is committed. */
struct target_taken target_take(struct target *t, struct target_env *env, const struct scrape_reply *reply, int64_t t_ms);
/* What it says of the target, for tell_unseen: the loop's own. */
void target_settle(struct target *t, struct store *store, const struct target_taken *taken);
/* Its series bear this label of the target's as it is: a reply with honor_labels says itself whose they are, metric_relabel_configs may rewrite it. */
bool target_keeps_label(const struct target *t, struct str name);
/* Those labels of what it may carry. */
struct labels target_kept_labels(const struct target *t, struct arena *a);
/* The target left the configuration: its series end at <t_ms>. */
void target_end(struct target *t, struct target_env *env, int64_t t_ms);

#endif
