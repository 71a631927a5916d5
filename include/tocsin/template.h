/* Templates as Go's text/template writes them: rules and notifications are full of them. Parse once, expand as often as you like.
 *
 * Everything a template can see is a <struct template_value>; functions come from the caller's table beside Go's builtins. A
 * missing map key is the map's zero (missingkey=zero); a missing field of a record is an error. Bounded in output, steps, memory and depth. What an expansion took of the arena it gives back. */
#ifndef TOCSIN_TEMPLATE_H
#define TOCSIN_TEMPLATE_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"

#define TEMPLATE_MAX_OUTPUT_BYTES (1u << 20)
#define TEMPLATE_MAX_STEPS 1000000
#define TEMPLATE_MAX_MEMORY_BYTES (32u << 20)   /* of what functions make, of one expansion */
#define TEMPLATE_MAX_DEPTH 100          /* nesting in the text, and of {{template}} calls */

enum template_kind {
	TEMPLATE_NIL, TEMPLATE_BOOL, TEMPLATE_INT, TEMPLATE_FLOAT, TEMPLATE_STRING, TEMPLATE_DURATION, TEMPLATE_TIME,
	TEMPLATE_LIST, TEMPLATE_MAP, TEMPLATE_RECORD,
};

#define TEMPLATE_ZERO_TIME_MS (-62135596800000) /* Go's zero time: the year 1 begins */

struct template_time {
	int64_t ms;             /* since 1970, UTC */
	int32_t offset_s;       /* of the zone it is shown in */
	struct str zone;        /* its abbreviation; empty: UTC */
};

struct template_value {
	enum template_kind kind;
	bool safe;              /* TEMPLATE_STRING: it is HTML already */
	union {
		bool b;
		struct {
			int64_t i;                      /* TEMPLATE_INT; TEMPLATE_DURATION: nanoseconds */
			const char *const *names;       /* of a TEMPLATE_INT that prints as names[i], as a weekday does; else NULL */
		};
		double f;
		struct str s;
		struct template_time t;
		const struct template_list *list;
		const struct template_map *map;         /* TEMPLATE_MAP, sorted by name; TEMPLATE_RECORD, in the order it prints */
	};
};

struct template_list {
	const struct template_value *v;
	size_t n;
	const struct template_type *type;       /* may be NULL */
};

struct template_field {
	struct str name;
	struct template_value value;
};

struct template_map {
	const struct template_field *v;
	size_t n;
	const struct template_type *type;       /* may be NULL */
};

struct template_call {
	struct template_value self;             /* of a method */
	const struct template_value *args;
	size_t n_args;
	struct template_value out;
	struct arena *arena;                    /* lives as long as the expansion */
	void *user;                             /* as template_expand got it */
	struct err *e;
};

/* False with <c->e> set (a sentence without the function's name). */
typedef bool template_body(struct template_call *c);
/* The text is the result, the buffer is freed. False and <c->e>: it met its limit, TEMPLATE_MAX_OUTPUT_BYTES. */
bool template_answer(struct template_call *c, struct buf *text);

struct template_func {
	const char *name;
	signed char min_args, max_args;         /* max -1: any number */
	template_body *call;
};

struct template_type {
	const char *name;                       /* Go's name for it: errors and %T show it */
	struct template_value missing;          /* of a map: what a key that is absent yields */
	const struct template_func *methods;
	size_t n_methods;
};

static inline struct template_value template_str(struct str s)
{
	return (struct template_value){ .kind = TEMPLATE_STRING, .s = s };
}

static inline struct template_value template_float(double f)
{
	return (struct template_value){ .kind = TEMPLATE_FLOAT, .f = f };
}

static inline struct template_value template_int(int64_t i)
{
	return (struct template_value){ .kind = TEMPLATE_INT, .i = i };
}

static inline struct template_value template_bool(bool b)
{
	return (struct template_value){ .kind = TEMPLATE_BOOL, .b = b };
}

static inline struct template_value template_time_utc(int64_t ms)
{
	return (struct template_value){ .kind = TEMPLATE_TIME, .t = { .ms = ms } };
}

extern const struct template_type template_string_map;  /* map[string]string: an absent key is "" */
extern const struct template_type template_string_list; /* []string */
/* A label set as a map; the array is new in <a>, texts are borrowed. <type> NULL: template_string_map. */
struct template_value template_labels(struct arena *a, struct labels l, const struct template_type *type);
struct template_value template_list_of(struct arena *a, const struct template_value *v, size_t n, const struct template_type *type);

/* Names known in the main text: {{ $labels }} stands for field Labels of the data. */
struct template_variable {
	const char *name, *field;
};

struct template_env {                           /* must outlive the templates made with it */
	const struct template_func *funcs;      /* beside and before Go's builtins */
	size_t n_funcs;
	const struct template_variable *variables;
	size_t n_variables;
};

struct template;

/* Parses <text> (copied). <base> (may be NULL; must outlive it) offers its {{define}}d templates too; what <text> defines again counts
 * for the base's templates as well. NULL and <e>, with the byte at
 * fault, when it is no template. Immutable once made: threads may share it. */
struct template *template_new(struct str name, struct str text, const struct template_env *, const struct template *base,
                              struct err *e) MUST_CHECK;
void template_free(struct template *);
/* True when <t>, or what it defines, names a template that neither <root> nor its bases define: <*name> is the first such, <*pos> the byte
 * of <t>'s text where it is named. */
bool template_missing(const struct template *t, const struct template *root, struct str *name, size_t *pos);
/* Whether <t>'s own text has {{define "name"}}. */
bool template_defines(const struct template *t, struct str name);
/* No action in it: the text stands for itself. */
bool template_is_plain(const struct template *);
/* Appends the expansion. On failure <out> is as it was, and <e> says what Go would: template: name:line:col: executing … */
bool template_expand(const struct template *, struct template_value data, void *user, struct arena *, struct buf *out,
                     struct err *e) MUST_CHECK;
/* The same for HTML: what actions print is escaped, unless it is <safe>. */
bool template_expand_html(const struct template *, struct template_value data, void *user, struct arena *, struct buf *out,
                          struct err *e) MUST_CHECK;
/* The same for a {{define}}d template of <t> or its base. ERR_NOT_FOUND when there is none. */
bool template_expand_named(const struct template *t, struct str name, struct template_value data, void *user, struct arena *,
                           struct buf *out, struct err *e) MUST_CHECK;

/* For function bodies. The argument as this type, or false with <c->e> set. */
bool template_arg_str(struct template_call *c, size_t i, struct str *out) MUST_CHECK;
bool template_arg_int(struct template_call *c, size_t i, int64_t *out) MUST_CHECK;
bool template_arg_list(struct template_call *c, size_t i, const struct template_list **out) MUST_CHECK;
/* Numbers, durations (seconds) and texts that are numbers. */
bool template_arg_number(struct template_call *c, size_t i, double *out) MUST_CHECK;
bool template_truth(struct template_value v);
const char *template_type_name(struct template_value v);
/* With & < > " ' as entities. */
void template_escape_html(struct buf *b, struct str s);
/* As {{ . }} prints it. */
void template_print(struct buf *b, struct template_value v);
/* Go's fmt.Sprintf, verbs, flags and its complaints (%!d(string=x)). */
void template_printf(struct buf *b, struct str format, const struct template_value *args, size_t n);
/* In nanoseconds, as Go's Time.Sub: what lies too far apart is as far as a duration goes. */
int64_t template_time_between(int64_t from_ms, int64_t to_ms);
/* Go's Time.Format: the layout is how 2006-01-02 15:04:05.999 -0700 MST would be written. */
void template_time_format(struct buf *b, struct template_time t, struct str layout);
/* The same moment in another zone (tocsin/tz.h); its abbreviation is in the call's arena. False with <c->e> set. */
bool template_time_in(struct template_call *c, struct template_time *t, struct str zone) MUST_CHECK;
/* Go's Duration.String: "1h2m3.5s". */
void template_duration_format(struct buf *b, int64_t ns);

/* The functions of Prometheus's templates; <user> points to this. */
struct template_prometheus {
	/* Evaluates PromQL for `query`: a list of records with Labels and Value. NULL: the function fails. */
	bool (*query)(struct template_prometheus *, struct str expr, struct template_call *c);
	int64_t now_ms;
	struct str external_url;
};
enum { TEMPLATE_PROMETHEUS_FUNCS = 29 };
extern const struct template_func template_prometheus_funcs[TEMPLATE_PROMETHEUS_FUNCS];
extern const struct template_type template_sample_list;
/* A row of what <query> yields. */
struct template_value template_sample(struct arena *a, struct labels labels, double value);

/* Bodies that other function tables share. */
template_body template_fn_to_upper, template_fn_to_lower, template_fn_match, template_fn_replace_all, template_fn_safe_html,
	template_fn_title, template_fn_humanize_duration, template_fn_query_escape;

#endif
