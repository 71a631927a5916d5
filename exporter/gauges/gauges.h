/* Business figures as sources: SQL on a Postgres server, commands on a Redis, JSON over HTTP. A source asks one server a list of
 * queries; each query yields rows; each row is turned into samples by the query's metrics (rows.h). */
#ifndef TOCSIN_GAUGES_H
#define TOCSIN_GAUGES_H

#include "source.h"

enum gauge_null { GAUGE_NULL_INHERIT, GAUGE_NULL_DROP, GAUGE_NULL_ZERO, GAUGE_NULL_NAN, GAUGE_NULL_ERROR };

/* What a text that is no number does. */
enum gauge_odd { GAUGE_ODD_FAILS, GAUGE_ODD_SAID, GAUGE_ODD_IGNORED };

struct gauge_metric {
	struct str name, help, unit;
	int type;                       /* index into gauge_type_names */
	struct str value;               /* column, or JSON pointer */
	struct conf_labels labels;      /* label -> column or JSON pointer */
	struct conf_labels map;         /* text -> number */
	double scale;
	int null;                       /* enum gauge_null */
	int odd;                        /* enum gauge_odd */
	bool is_info;                   /* its value is 1 */
	struct expo_family family;      /* made of the above */
};

/* Of a query in a file of postgres_exporter's: every column of the answer is a metric, but those whose usage says otherwise. */
struct gauge_columns {
	struct conf_labels labels;      /* of each metric */
	struct conf_strs listed;        /* columns with a usage */
	int64_t keep_ms;                /* for how long an answer is good */
};

struct gauge_query {
	struct str name;                /* the first metric's unless given */
	struct str sql;
	struct conf_strs command;       /* a Redis command, word by word */
	struct str path;                /* put behind the URL */
	struct str rows;                /* JSON pointer to an array or object: a row each; p NULL: the document is the row */
	struct conf_list metrics;       /* struct gauge_metric */
	const struct gauge_columns *columns;    /* NULL: the metrics say all */
};

/* Appends the queries of a file of postgres_exporter's. False after having reported. */
bool gauge_queries_file(struct conf_reader *rd, struct str path, struct conf_list *queries);

extern const struct conf_table gauge_metric_table;
/* Whether what names a place in JSON does so rightly; reports at <at>. */
bool gauge_pointers_check(struct conf_reader *rd, const struct conf_node *at, const struct gauge_query *q);

/* Calls <metric> for each of a list of gauge_metric_table's. */
void gauge_metrics_name(const struct conf_list *metrics, source_metric *metric, void *user);

/* False and <e> when a Redis command would change what the other queries over its connection read, or keep them waiting. */
bool gauge_command_check(const struct conf_strs *command, struct err *e) MUST_CHECK;

struct pg_settings;
struct redis_settings;

struct gauges_settings {
	struct source_settings common;
	struct str url;                 /* postgres://, http://, https:// */
	struct str postgres, redis;     /* or the name of a source of that kind */
	struct conf_strs headers;       /* "Name: value" */
	struct str ca_file, cert_file, key_file;        /* over HTTPS; empty: none */
	bool insecure_skip_verify;
	int64_t interval_ms;            /* 0: in every scrape */
	int64_t max_series;
	int null;
	struct conf_list queries;       /* struct gauge_query; those of the file behind them */
	struct str queries_file;

	const struct pg_settings *pg;           /* what <postgres>, <redis> name */
	const struct redis_settings *redis_source;
	const struct gauge_backend *backend;
};

/* How queries of one protocol are asked. */
struct gauge_round;
struct gauge_backend {
	const char *wants;              /* what a query for it must have: "sql" */
	void *(*open)(const struct gauges_settings *s);
	/* Asks all queries, hands their rows to gauge_round_*(). False and <e> when the server did not answer. */
	bool (*ask)(void *state, const struct source_ask *ask, struct gauge_round *round, struct err *e);
	void (*close)(void *state);
};

extern const struct gauge_backend gauge_sql, gauge_redis, gauge_json;

extern const struct source_kind gauges_source_kind;
void gauges_explain(struct buf *out, const void *settings);

#endif
