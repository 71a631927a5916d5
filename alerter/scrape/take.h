/* One reply on its way into the store, and the memory of replies it is read against. Private to scrape; the loop thread's. */
#ifndef TOCSIN_SCRAPE_TAKE_H
#define TOCSIN_SCRAPE_TAKE_H

#include "scrape/target.h"
#include "scrape/textparse.h"
#include "tocsin/near.h"

enum { LINE_LONG = UINT16_MAX };

/* Of a text only its hash is kept, with a seed that nobody outside knows: 64 bits and the length stand for it. There are many: each bit counts. */
struct line {
	union {
		uint64_t hash;
		uint32_t next_unused; /* of an unused one: its place + 1 */
	};
	union {                     /* see line_series() */
		struct near series; /* NULL: a comment, dropped by relabelling, or refused by the store */
		uint16_t gauge;     /* of a health gauge: place in the target's gauges + 1; these have its series */
	};
	uint16_t n;    /* bytes of the text; LINE_LONG: so many or more, it is never expected */
	uint16_t seen; /* lower half of the number of the scrape; 0: none, or too long ago to tell */
	bool used : 1, comment : 1, dropped : 1, health : 1, live : 1, lost : 1, own_time : 1, orphan : 1, textless : 1, part : 1;
	bool was_up : 1, is_down : 1; /* of a health gauge: ever; in the last reply, so its value was 0 */
	bool fresh : 1;               /* no scrape before the one that saw it last */
} __attribute__((packed, aligned(4)));

_Static_assert(sizeof(struct line) == 20, "there is no gap");

/* One reply on its way in. */
struct take {
	struct target *t;
	struct target_env *env;
	enum scrape_format format;
	struct textparse parse; /* of a text */
	int64_t t_ms;
	size_t pos, n_next; /* in the old order, in the new one */
	size_t n_made;      /* lines that stand in no reply: of converted histograms */
	bool reordered, has_texts; /* has_texts: <env> has those of this target */
	size_t n_live_seen, n_blind;
	uint64_t scraped, kept, added;
	int64_t body_bytes; /* -1: more than the limit */
	uint64_t duplicates, out_of_order, out_of_bounds, refused;
	bool over_samples, over_body, over_labels; /* limits */
	struct exemplar_staged *exemplars; /* for when all of it is good */
	size_t n_exemplars, cap_exemplars;
	struct arena exemplar_arena;
	struct err err, refusal; /* why the scrape fails; why the store takes a series not */
};

/* ---- exemplars.c ---- */

/* One of a sample: kept if the whole reply is good. One that cannot be read fails nothing. */
void take_stage_exemplar(struct take *k, struct store_series *series, int64_t t_ms, const struct textparse_exemplar *e);
/* <good>: they go into the store. */
void take_finish_exemplars(struct take *k, bool good);

/* ---- meta.c ---- */

void take_begin_meta(struct take *k);
void take_keep_meta(struct take *k, const struct textparse_meta *c);
void take_finish_meta(struct take *k, bool good);
void target_meta_fini(struct target *t);

/* ---- lines.c ---- */

/* The line of <text>, a new one when there is none. It stays where it is until the next call. */
struct line *line_find(struct take *k, struct str text);
/* The same of a series, which is the one expected next mostly. */
struct line *line_of_series(struct take *k, struct str text);
/* The line that is expected next, if it is of that kind and the reply goes on with its text, which is passed then; else NULL. */
struct line *line_expected(struct take *k, bool comment, struct str *text);
/* NULL: none. */
static inline struct store_series *line_series(const struct target *t, const struct line *l)
{
	return l->health ? t->gauges[l->gauge - 1].series : near_get(l->series);
}

/* Its number, as long as it lives. */
uint32_t line_place(const struct target *t, const struct line *l);
void line_see(struct take *k, struct line *l);
/* In the reply that is read, or was read last. */
bool line_is_seen(const struct target *t, const struct line *l);
/* Another scrape begins. */
void target_count_scrape(struct target *t);
/* Nothing of it was known before this scrape. */
bool line_is_new(const struct target *t, const struct line *l);
/* for (struct line *l = NULL; (l = line_next(t, l)) != NULL; ): every line. */
struct line *line_next(const struct target *t, const struct line *after);
void line_drop(struct target *t, struct store *store, struct line *l);
/* <l> comes next in this reply. */
void take_set_next(struct take *k, struct line *l);
/* The reply was good: it is what the next one is expected to be like. Lines may have other places from now on. */
void take_finish_order(struct take *k);
/* It is up or scrape_* of the target. */
bool target_reports(const struct target *t, const struct store_series *s);
/* Makes lines of what the store says the target had before the start. */
void target_claim(struct target *t, struct target_env *env);
/* The line goes on where the one without a text is. */
void line_take_over_known(struct take *k, struct line *l);

/* ---- take.c ---- */

/* Every sample of a body. False and k->err: the scrape fails. */
bool take_text(struct take *k, struct str body);
bool take_protobuf(struct take *k, struct str body);
/* One sample of a line. */
bool take_sample(struct take *k, struct line *l, struct str text, const struct textparse_sample *s);

/* ---- nhcb.c: classic histograms that become native ones with custom buckets ---- */

/* True when a new line is part of such a histogram. */
bool nhcb_attach(struct target *t, struct line *l, struct labels scraped, struct arena *a);
void nhcb_detach(struct target *t, uint32_t place);
void nhcb_put(struct take *k, const struct line *l, const struct textparse_sample *s);
/* The reply is read: takes what its parts made. False and k->err: the scrape fails. */
bool nhcb_finish(struct take *k);
void nhcb_free(struct target *t);

/* ---- health.c: what health gauges say of series that vanished ---- */

/* A line whose labels are known now: is it a health gauge? */
void health_mark(struct target *t, const struct target_env *env, struct line *l, struct labels labels);
void health_unmark(struct target *t, struct line *l);
/* Its value in this reply. */
void health_put(struct take *k, struct line *l, double v);

struct bad_gauge {
	uint16_t gauge;
	struct labels labels; /* without the name */
	bool part, own, named; /* of something that may be taken away; of Tocsin's exporter; with labels that the target has not */
};
struct bad_gauges {
	struct bad_gauge *v;
	size_t n, cap;
};
/* Health gauges that are 0, or not there any more. Complete before the first line is dropped. */
struct bad_gauges health_find_bad(struct take *k, struct arena *a);
/* Whether one of them explains why a series is missing whose last good sample was at <good_ms>. */
bool health_explains(struct take *k, const struct bad_gauges *bad, struct labels series, int64_t good_ms);

/* ---- vanish.c ---- */

/* Ends what this good reply did not carry, and commits. */
void take_judge_vanished(struct take *k);
void line_end(struct target_env *env, struct target *t, struct line *l, int64_t t_ms, enum series_state why);
/* The health gauges of the last reply that were never up since the start: <n> of them. */
void target_find_blind(struct target *t, struct store *store, size_t n);

#endif
