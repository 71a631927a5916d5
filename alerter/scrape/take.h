/* One reply on its way into the store, and the memory of replies it is read against. Private to scrape; the loop thread's. */
#ifndef TOCSIN_SCRAPE_TAKE_H
#define TOCSIN_SCRAPE_TAKE_H

#include "scrape/target.h"
#include "scrape/textparse.h"

/* Of a text only its hash is kept, with a seed that nobody outside knows: 64 bits and the length stand for it. */
struct line {
	struct store_series *series; /* NULL: a comment, dropped by relabelling, or refused by the store */
	uint64_t hash;
	uint32_t n;    /* bytes of the text */
	uint32_t seen; /* number of the scrape */
	uint32_t at;   /* in the last order; of an unused one: the next that is unused */
	bool used : 1, comment : 1, dropped : 1, health : 1, live : 1, lost : 1, own_time : 1, orphan : 1, textless : 1;
	bool was_up : 1, is_down : 1; /* of a health gauge: ever; in the last reply, so its value was 0 */
	bool fresh : 1;               /* no scrape before the one that saw it last */
};

/* One reply on its way in. */
struct take {
	struct target *t;
	struct target_env *env;
	struct textparse parse;
	int64_t t_ms;
	size_t pos, n_next; /* in the old order, in the new one */
	bool reordered;
	size_t n_live_seen, n_blind;
	uint64_t scraped, kept, added;
	uint64_t duplicates, out_of_order, out_of_bounds, refused;
	bool over_samples, over_body, over_labels; /* limits */
	struct err err;
};

/* ---- lines.c ---- */

/* The line of <text>, a new one when there is none. It stays where it is until the next call. */
struct line *line_find(struct take *k, struct str text);
/* The line that is expected next, if it is of that kind and the reply goes on with its text, which is passed then; else NULL. */
struct line *line_expected(struct take *k, bool comment, struct str *text);
void line_see(struct take *k, struct line *l);
/* Nothing of it was known before this scrape. */
bool line_is_new(const struct target *t, const struct line *l);
/* for (struct line *l = NULL; (l = line_next(t, l)) != NULL; ): every line. */
struct line *line_next(const struct target *t, const struct line *after);
void line_drop(struct target *t, struct store *store, struct line *l);
/* <l> comes next in this reply. */
void take_set_next(struct take *k, struct line *l);
void take_finish_order(struct take *k);
/* Makes lines of what the store says the target had before the start. */
void target_claim(struct target *t, struct target_env *env);
/* The line goes on where the one without a text is. */
void line_take_over_known(struct take *k, struct line *l);

/* ---- take.c ---- */

/* One line of a text; false and k->err: the scrape fails. */
bool take_line(struct take *k, enum textparse_kind kind);
bool target_is_health_gauge(const struct target_env *env, struct labels l);

/* ---- vanish.c ---- */

/* Ends what this good reply did not carry, and commits. */
void take_judge_vanished(struct take *k);
void line_end(struct target_env *env, struct target *t, struct line *l, int64_t t_ms, enum series_state why);
/* The health gauges that were never up since the start. */
void take_find_blind(struct take *k);

#endif
