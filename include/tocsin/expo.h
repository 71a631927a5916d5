/* Writing metrics: what a source measured (a sample set), and pages made of such sets. Names, HELP/TYPE, escaping, number format,
 * order and the merging of families of several sources live here and nowhere else.
 *
 * A set is filled by one thread and then only read; it may be written to many pages at once. "Absent, not NaN": what is not
 * known is not emitted; a NaN that is emitted is a value. */
#ifndef TOCSIN_EXPO_H
#define TOCSIN_EXPO_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/labels.h"

enum expo_type {
	EXPO_UNTYPED,           /* OpenMetrics: unknown */
	EXPO_GAUGE,
	EXPO_COUNTER,           /* OpenMetrics: counter when the name ends in _total, else unknown */
	EXPO_HISTOGRAM,
	EXPO_SUMMARY,
	EXPO_INFO,              /* name ends in _info, value 1; text format: gauge */
};

/* A row of a source's table. Must live until the set it is emitted into is closed; sets know families by name. */
struct expo_family {
	const char *name;       /* of the samples, with _total or _info */
	enum expo_type type;
	const char *help;
	const char *unit;       /* NULL or the name's suffix, "seconds": OpenMetrics UNIT */
};

struct expo_set;

struct expo_set *expo_set_new(void);
/* One that will probably hold the samples of <before>, which is closed, in that order: emitting these again takes a fraction of the
 * time. It counts as a user of <before> until it is closed itself. */
struct expo_set *expo_set_like(struct expo_set *before);
/* Users are counted. NULL is fine. */
struct expo_set *expo_set_ref(struct expo_set *s);
void expo_set_unref(struct expo_set *s);
/* Memory with the set's lifetime: for families and label values made at run time. */
struct arena *expo_set_arena(struct expo_set *s);

/* Labels of every sample emitted from now on, besides its own; <n> 0: none. Borrowed until the next call. */
#define EXPO_BASE_MAX 4
void expo_set_base(struct expo_set *s, const struct label *labels, size_t n);

/* Filled: nothing is emitted into it any more. Gives back the memory that only emitting needs. */
void expo_set_close(struct expo_set *s);

struct expo_stats {
	size_t samples;
	size_t duplicates;      /* same name and labels emitted again: dropped */
	size_t invalid;         /* a name or label name that is none, a label twice: dropped */
};
struct expo_stats expo_set_stats(const struct expo_set *s);
/* Whether a sample of the family has this value. */
bool expo_set_has(const struct expo_set *s, const struct expo_family *f, double v);

/* One sample. Labels in any order, copied; empty values are left out; malformed UTF-8 becomes U+FFFD. Returns whether it was taken. */
bool expo_emit(struct expo_set *s, const struct expo_family *f, double v, const struct label *labels, size_t n);
/* EXPO_EMIT(set, &pg_locks, n, { STR("datname"), name }, { STR("mode"), mode }) */
#define EXPO_EMIT(set, family, v, ...) \
	expo_emit((set), (family), (v), (const struct label[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct label[]){ __VA_ARGS__ })))
#define EXPO_EMIT0(set, family, v) expo_emit((set), (family), (v), NULL, 0)

/* Labels of many samples, rendered once: for a row of a table that becomes a sample a column. They live as long as the set; NULL
 * when a name is none or comes twice. */
struct expo_labels;
const struct expo_labels *expo_labels(struct expo_set *s, const struct label *labels, size_t n);
/* expo_emit() with such labels; NULL is refused, and counted as invalid. */
bool expo_emit_at(struct expo_set *s, const struct expo_family *f, double v, const struct expo_labels *labels);

/* <counts> per bucket, not cumulated; n_bounds + 1 of them, the last is what lies above every bound. */
bool expo_emit_histogram(struct expo_set *s, const struct expo_family *f, const double *bounds, size_t n_bounds, const uint64_t *counts,
                         double sum, const struct label *labels, size_t n);
bool expo_emit_summary(struct expo_set *s, const struct expo_family *f, const double *quantiles, const double *values, size_t n_quantiles,
                       double sum, double count, const struct label *labels, size_t n);

enum expo_format { EXPO_TEXT, EXPO_OPENMETRICS };

/* What an Accept header asks for; text 0.0.4 when in doubt. */
enum expo_format expo_negotiate(struct str accept);
const char *expo_content_type(enum expo_format);

/* A set on a page, with labels put before each of its samples ({source="x"}). A sample's own label of such a name becomes
 * exported_<name>. Parts of one page must not share series: they differ in <extra>, or in their families. */
struct expo_part {
	const struct expo_set *set;
	const struct label *extra;
	size_t n_extra;
};

/* Appends a page: families sorted by name, each in one piece with one HELP and TYPE (those of the first part that has it). */
void expo_write(struct buf *out, const struct expo_part *parts, size_t n, enum expo_format format);

#endif
