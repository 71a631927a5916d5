/* Of many rows the first few as series, and the others as one: which rows have a series changes as little as can be. The series of
 * the others begins at 0 with the first round and has what no series of a row shows the growth of: so whatever a row grows by
 * shows in the rate of one series, once, whoever comes and goes; and it never falls. */
#ifndef TOCSIN_POSTGRES_RANKING_H
#define TOCSIN_POSTGRES_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANKING_VALUES_MAX 8

struct ranking_entry {
	uint64_t key;                   /* of the row's labels */
	double values[RANKING_VALUES_MAX];      /* counters */
	bool shown;
};

struct ranking {
	struct ranking_entry *last;     /* rows of the last round, by key */
	size_t n_last;
	double others[RANKING_VALUES_MAX];      /* added up since the first round */
	bool began;
	bool was_cut;                   /* there were more rows in the last round than it was given */
	double server_began_s, met_s;   /* of ranking_meet() in the last round */
};

/* Before each round: when the server that is asked began, and its time. One that is not the one of the last round, but ran then
 * already (a failover), counts as new: its counters are not what those of the other have grown to. */
void ranking_meet(struct ranking *r, double server_began_s, double now_s);
/* One round: <rows>, <n> of them, the first one first in rank, each with <n_values>. Sets `shown` of the first <limit>, and of
 * those shown last time that are among the first 2 * <limit>. <is_cut>: there are rows beyond these. */
void ranking_take(struct ranking *r, struct ranking_entry *rows, size_t n, bool is_cut, size_t n_values, size_t limit);
void ranking_fini(struct ranking *r);

#endif
