/* Shared by the files of api/ only. */
#ifndef TOCSIN_API_INTERNAL_H
#define TOCSIN_API_INTERNAL_H

#include "api.h"
#include "tocsin/json.h"

struct pool;
struct answers;
struct kept;

struct api {
	struct api_deps deps;
	struct kept *kept;
	struct answers *answers;
	struct pool *pool;
	struct promql_budget budget;    /* of queries that are evaluated */
};

/* ---- envelope.c: {"status":"success","data":…} ---- */

void envelope_open(struct json_out *j, struct buf *b);
/* Closes it with what the query had to say. */
void envelope_close(struct json_out *j, const struct promql_note *notes, size_t n_notes);
/* What an answer says that <limit> made shorter. */
#define ENVELOPE_TRUNCATED "results truncated due to limit"
extern const struct promql_note envelope_truncated;
/* The same, and replies. */
void envelope_reply(struct http_request *q, struct json_out *j, const struct promql_note *notes, size_t n_notes);
/* null for 0. */
void envelope_put_time(struct json_out *j, const char *key, int64_t ms);
/* {"status":"error",…} with the status of <e>'s code. */
void envelope_error(struct http_request *q, const struct err *e);
/* The same with the place in <query>, its line and a caret below it, where <e> has one. A mistake in it is one of the parameter. */
void envelope_query_error(struct http_request *q, const char *param, struct str query, const struct err *e);

/* ---- params.c: false has replied already ---- */

/* Unix seconds with fraction, or RFC 3339; absent: <fallback>, or an error when that is INT64_MIN. */
bool param_time(struct http_request *q, const char *name, int64_t fallback, int64_t *out_ms);
/* Seconds with fraction, or a Prometheus duration. */
bool param_duration(struct http_request *q, const char *name, int64_t fallback, int64_t *out_ms);
bool param_size(struct http_request *q, const char *name, size_t fallback, size_t *out);

/* ---- answer.c: large answers under way are bounded all together ---- */

struct answers *answers_new(void);
void answers_free(struct answers *);    /* after the server has stopped */
/* Replies with a result; <limit> series of it, 0: all. Nothing of <r> is needed afterwards. */
void answer_reply(struct answers *, struct http_request *q, const struct promql_result *r);
/* Room for another long answer, among all that are under way. False and <e>. */
bool answers_take(struct answers *, size_t bytes, struct err *e);
void answers_give(struct answers *, size_t bytes);
/* What clients are reading. */
size_t answers_bytes(struct answers *);

/* ---- pool.c ---- */

/* How long a query may go on without others having to wait. */
struct turn;
/* Runs on a thread of the pool; replies to <q>, whose arena holds <job>. */
typedef void pool_work(struct api *, struct http_request *q, void *job);
typedef void pool_query(struct api *, struct http_request *q, void *job, struct turn *turn);
/* <turns>: how many long queries go on at once. */
struct pool *pool_new(struct api *, unsigned turns);
/* After the server has stopped: ends the queries under way, drops those that wait. */
void pool_free(struct pool *);
/* Suspends <q> and queues it; replies 503 itself when the queue is full. What changes or reads our own state: waits for no query. */
void pool_submit(struct pool *, struct http_request *q, pool_work *work, void *job);
/* The same for a query, which calls turn_pace(<turn>) now and then. <kind>, not 0: the same for those that take about as long. */
void pool_evaluate(struct pool *, struct http_request *q, pool_query *query, void *job, uint64_t kind);
/* Returns when the query may go on; false: it shall end, since the program stops or its client hung up. */
bool turn_pace(void *turn);
/* How long it was queued. NULL: not at all. */
int64_t turn_waited_ms(const struct turn *);

/* ---- kept.c: parsed queries between two evaluations ---- */

struct kept;
struct kept *kept_new(const struct clock *);
void kept_free(struct kept *);
/* A parsed query to use alone: one that was used before with the same text and options, with what it remembers, or a new one. */
struct promql_query *kept_take(struct kept *, struct str text, const struct promql_options *, struct err *e);
/* <took_ms>: its evaluation at one time, INT64_MAX unknown. */
void kept_give(struct kept *, struct promql_query *, int64_t took_ms);
/* Bytes of those that wait to be asked again. */
size_t kept_bytes(struct kept *);
/* Evaluated a moment ago in a millisecond or so: not worth the way to another thread and back. */
bool kept_is_quick(struct kept *, struct str text, const struct promql_options *);

/* ---- targets.c: "unknown", "up", "down" ---- */
const char *api_health_name(enum scrape_health);

/* ---- html.c ---- */

void html_text(struct buf *, struct str);       /* as text, or as an attribute's value in double quotes */
void html_labels(struct buf *, struct labels, const char *but);
void html_since(struct buf *, int64_t now_ms, int64_t ms);      /* "3 min 2 s": how long ago; "never" for 0 */
void html_reply(struct http_request *, int status, struct buf *);       /* a whole page */
/* Begins a table and says what its columns are called; a # before a name: they are numbers. */
void html_table(struct buf *, const char *const *heads, size_t n);
#define HTML_TABLE(b, ...) html_table((b), (const char *const[]){ __VA_ARGS__ }, ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

/* ---- heartbeats.c ---- */
void page_put_heartbeats(struct buf *, const struct notify_snapshot *, int64_t now_ms);

/* ---- alarms.c ---- */
void page_put_alarms(struct buf *, const struct notify_snapshot *, int64_t now_ms);

/* ---- handlers, by file ---- */

http_handler api_query, api_query_range, api_format_query, api_parse_query;             /* query.c */
http_handler api_series, api_labels, api_label_values;    /* series.c */
http_handler api_features;                                                              /* features.c */
http_handler api_delete_series, api_clean_tombstones;                                   /* admin.c */
http_handler api_rules, api_alerts;                                                     /* rules.c */
http_handler api_targets, api_metadata;                                                               /* targets.c */
http_handler api_history, api_outbox, api_resend, api_discard;                                       /* history.c */
http_handler api_alertmanagers;                                                         /* delivery.c */
http_handler api_v2_alerts, api_v2_groups, api_v2_receivers, api_v2_status;             /* v2.c */
http_handler api_v2_silences, api_v2_silence;                                           /* v2_silences.c */
http_handler api_groups, api_acknowledge, api_ack_page;                                 /* alarms.c */
http_handler api_heartbeats, api_heartbeat;                                             /* heartbeats.c */
http_handler api_metrics;                                                               /* metrics.c */
http_handler api_healthy, api_ready, api_reload, api_buildinfo, api_runtimeinfo, api_config, api_flags;    /* status.c */
http_handler api_federate;                                                              /* federate.c */
http_handler api_query_exemplars;                                                       /* exemplars.c */
http_handler api_tsdb;                                                                  /* tsdb.c */
http_handler api_functions;                                                             /* functions.c */
http_handler api_page, api_style;                                                       /* page.c */

#endif
