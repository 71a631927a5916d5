/* From rows to samples, whatever protocol they came by. A query's samples are shown all or not at all: its rows are first
 * checked, then emitted, so that a wrong one leaves no half of a figure behind. */
#ifndef TOCSIN_GAUGES_ROWS_H
#define TOCSIN_GAUGES_ROWS_H

#include "gauges/gauges.h"
#include "tocsin/complain.h"
#include "tocsin/map.h"

enum cell_kind { CELL_ABSENT, CELL_NULL, CELL_NUMBER, CELL_TEXT, CELL_LIST /* array or object: neither number nor text */ };

struct cell {
	enum cell_kind kind;
	double number;
	struct str text;                /* CELL_TEXT; of a number: as a label has it, where <number> is not exact */
};

/* An integer; as a label it has all its digits. Text in <a>. */
struct cell cell_of_integer(int64_t v, struct arena *a);

/* The rows of one answer. */
struct gauge_rows {
	size_t n;
	/* Value of <key> (a column, a JSON pointer) in row <i>. Text is borrowed from the rows or in <a>. */
	struct cell (*get)(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a);
	const void *data;
	const struct conf_list *metrics;        /* in place of the query's; NULL: those */
};

struct gauge_query_state {
	bool failed;
	int64_t disrupted_ms;           /* when it last kept others from being answered; 0: it does not */
	struct complaint complaint, odd_complaint;
};

struct gauge_round {
	const struct gauges_settings *settings;
	struct gauge_query_state *states;       /* by query */
	const char *name;               /* the source's, for the log */
	int64_t now_ms;
	size_t series;                  /* emitted so far, of max_series */
	struct expo_set *out;
	struct map seen;                /* series to the state of the query whose they are; gauge_round_fini() */
	struct err odd;                 /* the first thing left out of the answer under way, which does not fail for it */
};

/* By query: whether it gave its figures. */
extern const struct expo_family gauge_success_family;

/* The answer to query <i>. */
void gauge_round_take(struct gauge_round *r, size_t i, const struct gauge_rows *rows);
/* Sets <e> and returns it: there are too many series. */
const struct err *gauge_round_full(const struct gauge_round *r, struct err *e);
/* Notes in <r->odd> that a part of the answer is left out. */
void gauge_round_leave_out(struct gauge_round *r, const struct err *e);
/* Labels of metric <m> in a row, in <a>; NULL and <e> when there is one that no label can be. */
struct label *gauge_row_labels(const struct gauge_metric *m, const struct gauge_rows *rows, size_t row, struct arena *a,
                               struct err *e);
/* The same from a JSON document (jansson's json_t). */
struct json_t;
void gauge_json_take(struct gauge_round *r, size_t i, const struct json_t *document);
/* It was refused. */
void gauge_round_fail(struct gauge_round *r, size_t i, const struct err *e);

/* For servers that answer one query after the other over one connection. <order> gets the queries as they are to be asked: those
 * that kept others from being answered come last, who did so longest ago first. */
void gauge_round_order(const struct gauge_round *r, size_t *order);
/* Query <i> was slow enough, or bad enough, to be asked last. */
void gauge_round_suspect(struct gauge_round *r, size_t i);
/* The connection ended with <e> while order[answered] of <n> was asked: that one failed, and those behind it were not asked. False
 * when nothing was answered at all: that is the server's failure, and no query's. */
bool gauge_round_break(struct gauge_round *r, const size_t *order, size_t n, size_t answered, const struct err *e) MUST_CHECK;
/* After all: success of each query. */
void gauge_round_end(struct gauge_round *r);
void gauge_round_fini(struct gauge_round *r);

#endif
