/* PromQL as Prometheus 3.14 speaks it: the one public header of the engine. It knows a <struct querier>, nothing of storage.
 *
 *	struct promql_query *q = promql_query_new(text, &options, &e);          parse and check once
 *	struct promql_result *r = promql_instant(q, &arena, querier, now, &e);  evaluate as often as you like
 *
 * A query owns its syntax tree and what it remembers between evaluations (matched series, label groupings); it is used by one
 * thread at a time. Results live in the arena that was passed in. Source: Prometheus documentation, "Querying". */
#ifndef TOCSIN_PROMQL_H
#define TOCSIN_PROMQL_H

#include "tocsin/clock.h"
#include "tocsin/querier.h"

#define PROMQL_LOOKBACK_MS 300000

enum promql_feature {                                   /* experimental syntax and rules, off in Prometheus by default */
	PROMQL_EXPERIMENTAL_FUNCTIONS = 1 << 0,         /* info(), limitk, mad_over_time, sort_by_label … */
	PROMQL_EXTENDED_RANGE_SELECTORS = 1 << 1,       /* anchored, smoothed */
	PROMQL_BINOP_FILL = 1 << 2,                     /* fill(), fill_left(), fill_right() */
	PROMQL_DELAYED_NAME_REMOVAL = 1 << 3,
	PROMQL_TYPE_AND_UNIT_LABELS = 1 << 4,
	PROMQL_START_TIMESTAMPS = 1 << 5,
	PROMQL_DURATION_EXPRESSIONS = 1 << 6,           /* on by default */
	PROMQL_ALL_FEATURES = (1 << 7) - 1,
};

/* Adds features, apart by commas, called as by Prometheus's --enable-feature: those that are about the language and what it reads. False:
 * <e> names the one that is none. */
bool promql_features_add(struct str names, unsigned *features, struct err *e) MUST_CHECK;

struct promql_limits {                                  /* 0: the default; a query over one stops with its name in the error */
	size_t max_depth;               /* of the syntax tree; 200. A chain such as a + b + c is no deeper than its operands */
	size_t max_samples;             /* held at once; 50,000,000. All values and labels: 32 bytes for each, and 64 MB. A range
	                                 * query that would hold more goes on in slices of its steps, and holds the points of those */
	size_t max_series;              /* selected by one selector; 1,000,000 */
	size_t max_points;              /* steps of a range query, but the first; 11,000, as Prometheus counts */
	int64_t timeout_ms;             /* 120,000 */
};

struct promql_options {
	int64_t lookback_ms;            /* 0: PROMQL_LOOKBACK_MS */
	int64_t subquery_step_ms;       /* default step of [5m:]; 0: 60,000 */
	unsigned features;              /* promql_feature bits; 0: PROMQL_DURATION_EXPRESSIONS */
	bool shows_past;                /* what an earlier run read is a value until its target is read again, as in Prometheus: for
	                                 * people to look at. Rules decide by what this run has read */
	struct promql_limits limits;
	const struct clock *clock;      /* for the timeout only; NULL: the system's */
};

struct promql_query;

/* Parses and checks <text> (copied). NULL and <e> (position in bytes, and a hint where we know one) when it is not PromQL. */
struct promql_query *promql_query_new(struct str text, const struct promql_options *, struct err *e) MUST_CHECK;
void promql_query_free(struct promql_query *);
/* Whether promql_query_new() with these would make the same query. */
bool promql_query_is(const struct promql_query *, struct str text, const struct promql_options *);
/* From here on <pace> (NULL: nothing) is called now and then during an evaluation, by who evaluates. It may wait; when it returns false
 * the query ends with ERR_CANCELED. What it waited counts as time of the query. */
void promql_query_pace(struct promql_query *, bool (*pace)(void *arg), void *arg);
/* What queries of several threads hold while they are evaluated, all together. */
struct promql_budget {
	_Atomic size_t bytes;
	size_t most;
};
/* As much as one query alone may. */
size_t promql_most_bytes(const struct promql_options *);
/* From here on its evaluations count there (NULL: nowhere). One that would go over <most> ends with ERR_TIMEOUT: it may be tried again. */
void promql_query_budget(struct promql_query *, struct promql_budget *);
/* About what it holds between evaluations: itself and what it remembers. */
size_t promql_query_bytes(const struct promql_query *);
/* The canonical text of the query, on one line. */
struct str promql_query_text(const struct promql_query *);
/* The same on several lines where it is long, as promtool formats it. */
void promql_query_lines(const struct promql_query *, struct buf *);
/* Its syntax tree as JSON, as Prometheus's parse_query answers. */
struct json_out;
void promql_query_tree(const struct promql_query *, struct json_out *);
/* "file-less" diagnosis for people: the line at fault, a caret under it, the message. <e> as promql_query_new set it. */
void promql_error_show(struct buf *, struct str text, const struct err *e);

enum promql_type { PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };
/* A histogram as the HTTP API sends it: {"count":"…","sum":"…","buckets":[…]}; buckets only when there are any. */
void promql_histogram_json(struct buf *, const struct histogram *);
/* "{count:3, sum:4.5, (1,2]:3}", as templates and count_values show it. */
void promql_histogram_print(struct buf *, const struct histogram *);

enum promql_type promql_query_type(const struct promql_query *);
const char *promql_type_name(enum promql_type);         /* "scalar", "vector", "matrix", "string" */

struct promql_sample {
	struct labels labels;
	int64_t t_ms;
	double v;
	const struct histogram *h;      /* not NULL: a native histogram, v is unused */
};

struct promql_series {
	struct labels labels;
	size_t n;
	const int64_t *t_ms;
	const double *v;
	const struct histogram *const *h;       /* NULL: floats only; else per point NULL or a histogram */
};

struct promql_note {                    /* an annotation: it never fails the query */
	bool warning;                   /* else info */
	int pos;                        /* byte offset in the query, -1: none */
	struct str text;                /* with " (line:col)" behind, as the API sends it */
};

struct promql_result {
	enum promql_type type;
	struct promql_sample scalar;            /* PROMQL_SCALAR: v and t_ms; PROMQL_STRING: t_ms */
	struct str string;                      /* PROMQL_STRING */
	struct promql_sample *vector;           /* PROMQL_VECTOR, instant queries */
	size_t n_vector;
	struct promql_series *matrix;           /* PROMQL_MATRIX, and every range query; sorted by labels */
	size_t n_matrix;
	const struct promql_note *notes;
	size_t n_notes;
	const struct note *told;        /* as many: what the notes are made from (notes.h); NULL in a copy */
	bool read_lost;                 /* a selector matched series that are lost */
	bool incomplete;                /* a window began, or a lookup was made, before the data held */
	bool behind;                    /* the clock was set back to before the newest samples of what is read: what is returned is of long ago */
	bool unasked;                   /* a target that may carry what the query reads has not been asked yet since the start */
	const struct labels *unseen;    /* targets not read since the start that may carry what the query reads, and series that lack samples */
	size_t n_unseen;
	size_t samples_read, peak_samples;
};

/* About what a copy of it takes, from sample or series <from> on. */
size_t promql_result_bytes(const struct promql_result *, size_t from);
/* A copy that needs nothing of the arena it was made in; what is before <from> is left out (and zeroed). */
struct promql_result *promql_result_copy(struct arena *, const struct promql_result *, size_t from);

struct promql_result *promql_instant(struct promql_query *, struct arena *, struct querier *, int64_t t_ms, struct err *e) MUST_CHECK;
/* The same with every lost series held: its windows and lookups are taken at lost_since instead of <t_ms> (semantics, 1). With an offset
 * PROMQL_HOLD_STILL takes them that much earlier, so that x - x offset 5m stays what it was. */
enum promql_hold { PROMQL_HOLD_NONE, PROMQL_HOLD_LAST, PROMQL_HOLD_STILL };
struct promql_result *promql_instant_held(struct promql_query *, struct arena *, struct querier *, int64_t t_ms, enum promql_hold,
                                          struct err *e) MUST_CHECK;
struct promql_result *promql_range(struct promql_query *, struct arena *, struct querier *, int64_t start_ms, int64_t end_ms,
                                   int64_t step_ms, struct err *e) MUST_CHECK;

/* Matchers of a bare selector such as up{job="a"} (series API, silences of rules …); they live in <a>, their regexes
 * on the heap until promql_free_matchers. */
bool promql_parse_matchers(struct arena *a, struct str text, struct matcher **out, size_t *n, struct err *e) MUST_CHECK;
void promql_free_matchers(struct matcher *, size_t n);

/* What a rule's expression reads: one row a vector selector in it. For evaluation on arrival, the doctor and lint. */
struct promql_selector {
	const struct matcher *matchers;
	size_t n_matchers;
	int64_t range_ms, offset_ms;    /* range 0: instant */
};
size_t promql_query_selectors(const struct promql_query *, const struct promql_selector **out);
/* True when every label of a result is a label of the series it was made of: no on() or ignoring(), no label_replace(), absent() or
 * the like. Then a target whose labels contradict those of a result had no part in it. */
bool promql_query_keeps_labels(const struct promql_query *);
/* True when series that come only add to what it returns: no aggregation, absent(), unless or the like. */
bool promql_query_only_adds(const struct promql_query *);

/* What the query's comparison filters: of `rate(x[5m]) > 3 and on() y` it is `rate(x[5m])`. Evaluated, it tells how it stands with
 * what a rule no longer returns. Empty when there is no such part. */
struct str promql_query_measured(const struct promql_query *, struct arena *);

/* The function table, for --help and the page; a signature names what each argument is, one in brackets may be left out. */
struct promql_function_info {
	const char *name, *signature, *help;
	bool experimental;
};
size_t promql_functions(const struct promql_function_info **out);
/* What the engine can do and whether these options let it, by Prometheus's names for it. Categories come one after the other. */
typedef void (*promql_ability_fn)(void *ctx, const char *category, const char *name, bool on);
void promql_each_ability(const struct promql_options *, promql_ability_fn, void *ctx);

#endif
