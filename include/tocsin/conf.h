/* Configuration files: YAML read into a tree that remembers where everything stood, diagnostics that point there, and tables
 * that turn the tree into a struct. Nodes, strings and lists live in the caller's arena (the configuration's lifetime).
 *
 * Every function that reads goes on after an error, so that one run reports all of them; the report's n_errors is the verdict.
 * Limits: CONF_MAX_BYTES, CONF_MAX_DEPTH, CONF_MAX_NODES (aliases count as often as they are used). */
#ifndef TOCSIN_CONF_H
#define TOCSIN_CONF_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"

#define CONF_MAX_BYTES (10u << 20)
#define CONF_MAX_DEPTH 64
#define CONF_MAX_NODES 1000000
#define CONF_MAX_DIAGS 100

struct regex;
struct conf_node;
struct conf_reader;
struct conf_key;

enum conf_kind { CONF_NULL, CONF_SCALAR, CONF_SEQ, CONF_MAP };

struct conf_file {
	struct str name;                /* as messages show it */
	struct str dir;                 /* relative paths in the file start here; "" is the working directory */
	struct str text;
};

struct conf_pair {
	struct conf_node *key, *value;  /* key is a scalar */
};

struct conf_node {
	enum conf_kind kind;
	bool quoted;                    /* '…' or "…" */
	bool block;                     /* | or > */
	bool is_text;                   /* a text to YAML whatever it looks like: quoted, in a block, or !!str */
	int line, col;                  /* of the first byte in the file, from 1; col counts characters */
	size_t beg;                     /* the same as a byte offset */
	size_t weight;                  /* nodes below and with this one, aliases expanded */
	const struct conf_file *file;   /* NULL: a default text */
	struct str text;                /* CONF_SCALAR: after unquoting, UTF-8, NUL behind it */
	struct conf_node **items;       /* CONF_SEQ: <n> */
	struct conf_pair *pairs;        /* CONF_MAP: <n>, in file order; merge keys (<<) are already expanded */
	size_t n;
};

/* ---- Diagnostics: file:line:col: what is wrong: what would be right. ---- */

struct conf_diag {
	bool warning;
	struct str file;
	int line, col;                  /* 0: no position, then <source> is empty */
	struct str message;
	struct str source;              /* the line of the file, without what may be a secret; empty under CONF_SECRET */
	int source_col;                 /* column it begins at: of a long line only the part around the place is shown */
};

struct conf_report {                    /* {0} is an empty one */
	struct arena arena;
	struct conf_diag *v;            /* the first CONF_MAX_DIAGS */
	size_t n, cap;
	size_t n_errors, n_warnings;    /* all */
	int hide_source;                /* > 0 while secrets are read: diagnostics then show no source line */
};

void conf_report_fini(struct conf_report *r);
/* Each diagnostic as two or three lines (message, source line, caret), sorted by file and position; then how many more there were. */
void conf_report_print(const struct conf_report *r, struct buf *out);
/* The message is "what is wrong: what would be right". conf_error returns false. */
bool conf_error(struct conf_report *r, const struct conf_node *at, const char *fmt, ...) PRINTF(3, 4);
void conf_warn(struct conf_report *r, const struct conf_node *at, const char *fmt, ...) PRINTF(3, 4);
/* At byte <offset> of the text of a scalar: for errors inside an expression or a template, however the scalar is quoted or folded. */
bool conf_error_at(struct conf_report *r, const struct conf_node *scalar, size_t offset, const char *fmt, ...) PRINTF(4, 5);
void conf_warn_at(struct conf_report *r, const struct conf_node *scalar, size_t offset, const char *fmt, ...) PRINTF(4, 5);
/* Without a position in a file: flags, a file that cannot be opened. */
bool conf_error_in(struct conf_report *r, struct str file, const char *fmt, ...) PRINTF(3, 4);
/* Line and column (from 1, in characters) of byte <offset> of a scalar's text. */
void conf_position(const struct conf_node *scalar, size_t offset, int *line, int *col);

/* ---- Reading YAML. ---- */

/* The first document of the file. NULL when there is no tree to look at; errors and notes are in the report. An empty file is a
 * CONF_NULL node. Duplicate keys are errors. */
struct conf_node *conf_load(struct arena *a, const char *path, struct conf_report *r);
/* The same from memory; <name> is what messages call it, and says where relative paths start. <text> is copied. */
struct conf_node *conf_load_text(struct arena *a, struct str name, struct str text, struct conf_report *r);

/* The value under <name> in a map; NULL when it is absent or <map> is no map. */
const struct conf_node *conf_get(const struct conf_node *map, const char *name);
/* "a string", "a list", "a map", "nothing": for messages. */
const char *conf_kind_name(enum conf_kind);

/* ---- Tables: one row a key. ---- */

enum {
	CONF_SECRET = 1,        /* never shown, not even in errors; "<name>_file" is read too (trailing newline dropped); not both */
	CONF_REQUIRED = 2,      /* absent is an error */
	CONF_RELOAD = 4,        /* a reload may change it; others need a restart */
	CONF_ENV = 8,           /* ${NAME} in the text, or in a list's, is replaced from the environment; an unset NAME is an error */
	CONF_FILLED = 16,       /* an empty text or list, or one of empty texts, is an error */
	CONF_NULL_EMPTY = 32,   /* a key with nothing behind it is an empty text, not the default: so Prometheus reads it */
};

/* Reads <node> into <to> (the field). False after having reported. A node of kind CONF_NULL counts as absent and is not handed in. */
typedef bool conf_parse(struct conf_reader *, const struct conf_key *, const struct conf_node *, void *to);

struct conf_key {
	const char *name;
	conf_parse *parse;
	size_t offset;          /* of the field in the caller's struct */
	const char *fallback;   /* default, as one would write the scalar; NULL: the field keeps what it holds */
	unsigned flags;
	const char *help;
	const void *arg;        /* for the parser: names of an enum, a struct conf_table … */
};

/* CONF_KEY(struct target, "scrape_interval", interval_ms, conf_duration_ms, "15s", CONF_RELOAD, "How often it is read.") */
#define CONF_KEY(type, name, field, parse, fallback, flags, help) { name, parse, offsetof(type, field), fallback, flags, help, NULL }
#define CONF_KEY_ARG(type, name, field, parse, fallback, flags, help, arg) \
	{ name, parse, offsetof(type, field), fallback, flags, help, arg }

struct conf_table {
	const struct conf_key *keys;
	size_t n;
	size_t bytes;                                   /* of the struct; for lists and pointers of them */
	void (*init)(void *to);                         /* may be NULL; runs before the keys on zeroed memory */
	/* May be NULL; runs after the keys, for what concerns several of them. False after having reported. */
	bool (*check)(struct conf_reader *, const struct conf_node *, void *to);
};

struct conf_reader {
	struct arena *arena;
	struct conf_report *report;
	void *user;                     /* for the caller's own parsers and checks */
	bool check_always;              /* run a table's check also when keys were wrong: those have their defaults, or nothing */
	struct conf_held *held;         /* regexes made by conf_regex; hand to conf_release with the arena's end */
};

/* Reads a map by a table. Defaults, unknown keys ("did you mean"), required keys. <map> NULL or CONF_NULL: only defaults
 * (and required keys reported, when there is a node). False when anything was reported as an error. */
bool conf_read(struct conf_reader *rd, const struct conf_table *t, const struct conf_node *map, void *to);
void conf_release(struct conf_held *held);
/* What the file of a secret holds, without the newlines at its end, appended to <out>; wipe it. */
bool conf_secret_read(const char *path, struct buf *out, struct err *e) MUST_CHECK;
void conf_secret_wipe(struct buf *secret);

/* "  name: <kind>   default   help", a line a row, sub-tables indented. */
void conf_print_help(struct buf *out, const struct conf_table *t);
/* The tree as YAML with secrets as <secret>, as /api/v1/status/config shows it. */
void conf_print_redacted(struct buf *out, const struct conf_table *t, const struct conf_node *node);
/* The nearest of <names> when it is near enough for "did you mean"; else NULL. */
const char *conf_nearest(struct str wrong, const char *const *names, size_t n);

/* Parsers, and the type of the field each fills. */
conf_parse conf_str;            /* struct str; any scalar */
conf_parse conf_bool;           /* bool: true false yes no on off y n, without quotes */
conf_parse conf_int;            /* int64_t, without quotes, as YAML 1.1 writes numbers (0x10, 010 is 8, 1_000; a fraction is cut off); arg: const struct conf_range * or NULL */
conf_parse conf_double;         /* double */
conf_parse conf_duration_ms;    /* int64_t: 1h30m; arg: const struct conf_range * (ms) or NULL */
conf_parse conf_bytes;          /* int64_t: 512MB; arg: const struct conf_range * or NULL */
conf_parse conf_size;           /* the same; without a unit only 0 */
conf_parse conf_enum;           /* int, index into arg: const char *const * ended by NULL */
conf_parse conf_enum_nocase;    /* the same in capitals or not */
conf_parse conf_url;            /* struct str: http or https, which is in small letters then, with a host */
conf_parse conf_proxy_url;      /* the same, or socks5, which is socks5h then; an empty text leaves the field */
conf_parse conf_path;           /* struct str: a path, relative ones joined to the file's folder */
conf_parse conf_path_list;      /* struct conf_strs */
conf_parse conf_regex;          /* struct regex *, REGEX_ANCHORED; owned by the reader (conf_release) */
conf_parse conf_regex_search;   /* the same, REGEX_SEARCH */
conf_parse conf_regex_pcre;     /* the same, REGEX_SEARCH_PCRE */
conf_parse conf_str_list;       /* struct conf_strs; a single scalar is a list of one */
conf_parse conf_str_seq, conf_path_seq; /* the same, but a scalar is a mistake, as in the files of those whose formats we read */
conf_parse conf_labels;         /* struct conf_labels: map of names to texts, in file order, empty values kept */
conf_parse conf_raw;            /* const struct conf_node *: as it is */
conf_parse conf_sub;            /* an embedded struct; arg: const struct conf_table *; absent: its defaults */
conf_parse conf_sub_ptr;        /* pointer to a struct in the arena; arg: const struct conf_table *; absent: NULL */
conf_parse conf_sub_list;       /* struct conf_list; arg: const struct conf_table * */

struct conf_range {
	int64_t min, max;
};

struct conf_strs {
	const struct str *v;
	size_t n;
};

struct conf_labels {
	struct label *v;        /* labels_from() sorts and drops the empty ones */
	size_t n;
};

struct conf_list {
	void *v;                /* array of the table's struct */
	size_t n;
	const struct conf_node *const *nodes;   /* where each item stood */
};

#endif
