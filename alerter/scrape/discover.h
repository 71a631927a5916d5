/* From a configuration, and what its discoveries found, to the list of targets, before anything is scraped. No thread, no clock.
 * Private to scrape. */
#ifndef TOCSIN_SCRAPE_DISCOVER_H
#define TOCSIN_SCRAPE_DISCOVER_H

#include "scrape/discovery.h"

struct target_plan {
	const struct scrape_job *job;
	struct labels labels, discovered;
	struct str url, unix_socket, key; /* unix_socket empty: the network; key: what makes it the same target after a reload */
	int64_t interval_ms, timeout_ms;
	struct scrape_histograms histograms;
	bool dropped;      /* by relabelling: only job and discovered are set */
	const char *error; /* why it is not scraped: each of its scrapes fails with that; NULL: it is */
};

struct target_list {
	struct arena arena;
	const struct scrape_config *config;
	struct target_plan *v;
	size_t n, cap;
	const struct scrape_job **waiting; /* a discovery of theirs has never answered: there may be more */
	size_t n_waiting, waiting_cap;
};

/* When within its interval a target is scraped. A few of <n_targets> share a moment: whoever woke up for one finds in the caches what the next
 * one needs. Moments are powers of two apart, so half of them stay where a fleet outgrows its step. */
int64_t target_offset_ms(uint64_t hash, int64_t interval_ms, size_t n_targets);
/* What the store remembers of a target: its key, and in the upper bits which job. */
uint64_t target_owner(struct str job, struct str key);
/* True when the upper bits are this job's. */
bool target_owner_is_of(uint64_t owner, struct str job);

/* Heap; free with target_list_free. Under the discovery's lock. */
struct target_list *target_list_new(const struct scrape_config *, const struct discovery *);
void target_list_free(struct target_list *);

#endif
