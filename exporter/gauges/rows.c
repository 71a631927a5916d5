/* One place decides what a cell is worth: maps, NULLs, booleans, scale, and the cap on series. */
#include "gauges/rows.h"

#include <assert.h>
#include <math.h>

#define EXACT_MAX 1000000000000000      /* integers up to here are written as such */

const struct expo_family gauge_success_family = {
	"tocsin_gauges_collector_success", EXPO_GAUGE, "Whether the query gave its figures last time.", NULL };

/* The number mapped to <text>; false when there is none. */
static bool map_text(const struct gauge_metric *m, struct str text, double *v)
{
	for (size_t i = 0; i < m->map.n; i++)
		if (str_eq(m->map.v[i].name, text))
			return str_to_double(m->map.v[i].value, v);
	for (size_t i = 0; i < m->map.n; i++)
		if (str_eq(m->map.v[i].name, STR("*")))
			return str_to_double(m->map.v[i].value, v);
	return false;
}

static bool text_number(const struct gauge_metric *m, struct str text, double *v, struct err *e)
{
	text = str_trim(text);
	if (map_text(m, text, v) || str_to_decimal(text, v))
		return true;
	if (str_eq(text, STR("true")) || str_eq(text, STR("t")) || str_eq(text, STR("false")) || str_eq(text, STR("f"))) {
		*v = text.p[0] == 't';
		return true;
	}
	return err_set(e, ERR_BAD_INPUT, -1, STR_FMT ": \"%.*s\" is no number%s", STR_ARG(m->name), text.n > 40 ? 40
	    : (int)text.n, text.p, m->odd != GAUGE_ODD_FAILS ? "" : m->map.n > 0 ? " and not in its map"
	    : ": a map says what texts mean");
}

enum worth { WORTH_VALUE, WORTH_NOTHING, WORTH_ERROR, WORTH_ODD };

static enum worth null_worth(const struct gauge_round *r, const struct gauge_metric *m, enum cell_kind kind, double *v,
                             struct err *e)
{
	*v = 0;
	switch ((enum gauge_null)(m->null != GAUGE_NULL_INHERIT ? m->null : r->settings->null)) {
	case GAUGE_NULL_INHERIT:
	case GAUGE_NULL_DROP:
		return WORTH_NOTHING;
	case GAUGE_NULL_ZERO:
		return WORTH_VALUE;
	case GAUGE_NULL_NAN:
		*v = (double)NAN;
		return WORTH_VALUE;
	case GAUGE_NULL_ERROR:
		break;
	}
	err_set(e, ERR_BAD_INPUT, -1, STR_FMT ": \"" STR_FMT "\" is %s", STR_ARG(m->name), STR_ARG(m->value),
	    kind == CELL_NULL ? "null" : "absent");
	return WORTH_ERROR;
}

static enum worth cell_worth(const struct gauge_round *r, const struct gauge_metric *m, const struct cell *c, double *v,
                             struct err *e)
{
	if (m->is_info) {
		*v = 1;
		return WORTH_VALUE;
	}
	if (c->kind == CELL_ABSENT || c->kind == CELL_NULL)
		return null_worth(r, m, c->kind, v, e);
	if (c->kind == CELL_LIST) {
		err_set(e, ERR_BAD_INPUT, -1, STR_FMT ": a list or an object is no number", STR_ARG(m->name));
		return WORTH_ERROR;
	}
	if (c->kind == CELL_TEXT && !text_number(m, c->text, v, e))
		return m->odd == GAUGE_ODD_FAILS ? WORTH_ERROR : WORTH_ODD;
	if (c->kind == CELL_NUMBER)
		*v = c->number;
	*v *= m->scale;
	return WORTH_VALUE;
}

struct cell cell_of_integer(int64_t v, struct arena *a)
{
	struct cell c = { .kind = CELL_NUMBER, .number = (double)v };

	if (v > EXACT_MAX || v < -EXACT_MAX)
		c.text = arena_printf(a, "%lld", (long long)v);
	return c;
}

/* A number as a label reads as it would in SQL. */
static struct str label_text(const struct cell *c, struct arena *a)
{
	struct buf b = { 0 };
	struct str s;

	if (c->kind != CELL_NUMBER)
		return c->kind == CELL_TEXT ? c->text : STR_NULL;
	if (c->text.n > 0)
		return c->text;
	if (c->number == floor(c->number) && fabs(c->number) <= EXACT_MAX)
		return arena_printf(a, "%.0f", c->number);
	buf_printf(&b, "%.17g", c->number);
	s = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return s;
}

struct label *gauge_row_labels(const struct gauge_metric *m, const struct gauge_rows *rows, size_t row, struct arena *a,
                               struct err *e)
{
	struct label *labels = ARENA_ARRAY(a, m->labels.n + 1, struct label);

	for (size_t i = 0; i < m->labels.n; i++) {
		struct cell c = rows->get(rows, row, m->labels.v[i].value, a);

		if (c.kind == CELL_LIST) {
			err_set(e, ERR_BAD_INPUT, -1, STR_FMT ": a list or an object is no label \"" STR_FMT "\"", STR_ARG(m->name),
			        STR_ARG(m->labels.v[i].name));
			return NULL;
		}
		labels[i] = (struct label){ m->labels.v[i].name, label_text(&c, a) };
	}
	return labels;
}

/* name{label="value",…}; a label without a value is none. */
static struct str series_text(const struct gauge_metric *m, const struct label *labels, struct arena *a)
{
	struct buf b = { 0 };
	const char *between = "{";
	struct str s;

	buf_puts(&b, m->name);
	for (size_t i = 0; labels != NULL && i < m->labels.n; i++) {
		if (labels[i].value.n == 0)
			continue;
		buf_printf(&b, "%s" STR_FMT "=\"" STR_FMT "\"", between, STR_ARG(labels[i].name), STR_ARG(labels[i].value));
		between = ",";
	}
	buf_putz(&b, *between == ',' ? "}" : "");
	s = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return s;
}

/* Of two values for one series nobody knows which is meant. A query that failed has shown none of its own. */
static bool check_once(struct gauge_round *r, struct gauge_query_state *state, const struct gauge_metric *m,
                       const struct label *labels, struct err *e)
{
	const struct str text = series_text(m, labels, expo_set_arena(r->out));
	const struct gauge_query_state *before = map_put(&r->seen, text, state);

	if (before == NULL || (before != state && before->failed))
		return true;
	return err_set(e, ERR_BAD_INPUT, -1, STR_FMT " comes twice%s: rows must differ in their labels", STR_ARG(text),
	    before == state ? "" : ", from another query too");
}

static const struct gauge_query *query(const struct gauge_round *r, size_t i)
{
	return (const struct gauge_query *)r->settings->queries.v + i;
}

static const struct conf_list *metrics_of(const struct gauge_round *r, size_t i, const struct gauge_rows *rows)
{
	return rows->metrics != NULL ? rows->metrics : &query(r, i)->metrics;
}

void gauge_round_leave_out(struct gauge_round *r, const struct err *e)
{
	if (r->odd.code == ERR_NONE)
		r->odd = *e;
}

const struct err *gauge_round_full(const struct gauge_round *r, struct err *e)
{
	err_set(e, ERR_LIMIT, -1, "more than %lld series (max_series)", (long long)r->settings->max_series);
	return e;
}

static void leave_out(struct gauge_round *r, const struct gauge_metric *m, struct err *e)
{
	if (m->odd == GAUGE_ODD_SAID)
		gauge_round_leave_out(r, e);
	*e = (struct err){ 0 };
}

/* All rows through all metrics. <show>: emits them; else only counts and checks. */
static bool walk(struct gauge_round *r, size_t i, const struct gauge_rows *rows, bool show, size_t *series, struct err *e)
{
	const struct conf_list *list = metrics_of(r, i, rows);
	const struct gauge_metric *metrics = list->v;
	struct arena *a = expo_set_arena(r->out);

	for (size_t row = 0; row < rows->n; row++) {
		for (const struct gauge_metric *m = metrics; m < metrics + list->n; m++) {
			struct cell c = rows->get(rows, row, m->value, a);
			const struct label *labels;
			double v;
			enum worth w = cell_worth(r, m, &c, &v, e);

			if (w == WORTH_ERROR)
				return false;
			if (w == WORTH_ODD)
				leave_out(r, m, e);
			if (w != WORTH_VALUE)
				continue;
			if (++*series > (size_t)r->settings->max_series)
				return gauge_round_full(r, e) == NULL;
			labels = gauge_row_labels(m, rows, row, a, e);
			if (labels == NULL)
				return false;
			if (show)
				expo_emit(r->out, &m->family, v, labels, m->labels.n);
			else if (!check_once(r, &r->states[i], m, labels, e))
				return false;
		}
	}
	return true;
}

/* A query without rows says nothing: absent, as the NULL rule has it. */
static bool take_nothing(struct gauge_round *r, size_t i, const struct gauge_rows *rows, bool show, size_t *series, struct err *e)
{
	const struct conf_list *list = metrics_of(r, i, rows);
	const struct gauge_metric *metrics = list->v;

	for (const struct gauge_metric *m = metrics; m < metrics + list->n; m++) {
		double v;
		enum worth w = null_worth(r, m, CELL_ABSENT, &v, e);

		if (w == WORTH_ERROR)
			return false;
		if (w == WORTH_NOTHING || m->labels.n > 0 || m->is_info)
			continue;
		++*series;
		if (show)
			EXPO_EMIT0(r->out, &m->family, v);
		else if (!check_once(r, &r->states[i], m, NULL, e))
			return false;
	}
	return true;
}

/* Said once, until an answer is whole again. */
static void say_odd(struct gauge_round *r, size_t i)
{
	static const char what[] = "column of a gauge query";

	if (r->odd.code == ERR_NONE) {
		complain_works(&r->states[i].odd_complaint, what, r->name, r->now_ms);
		return;
	}
	err_context(&r->odd, "query " STR_FMT, STR_ARG(query(r, i)->name));
	complain_failed(&r->states[i].odd_complaint, what, r->name, &r->odd, r->now_ms);
	r->odd = (struct err){ 0 };
}

void gauge_round_take(struct gauge_round *r, size_t i, const struct gauge_rows *rows)
{
	size_t series = r->series, again = r->series;
	struct err e = { 0 };
	bool ok = rows->n > 0 ? walk(r, i, rows, false, &series, &e) : take_nothing(r, i, rows, false, &series, &e);

	if (!ok) {
		gauge_round_fail(r, i, &e);
		return;
	}
	if (rows->n > 0)
		ok = walk(r, i, rows, true, &again, &e);
	else
		ok = take_nothing(r, i, rows, true, &again, &e);
	(void)ok;                               /* checked above */
	r->series = series;
	r->states[i].failed = false;
	r->states[i].disrupted_ms = 0;
	complain_works(&r->states[i].complaint, "gauge query", r->name, r->now_ms);
	say_odd(r, i);
}

void gauge_round_fail(struct gauge_round *r, size_t i, const struct err *e)
{
	struct err named = *e;

	err_context(&named, "query " STR_FMT, STR_ARG(query(r, i)->name));
	r->states[i].failed = true;
	r->odd = (struct err){ 0 };
	complain_failed(&r->states[i].complaint, "gauge query", r->name, &named, r->now_ms);
}

void gauge_round_order(const struct gauge_round *r, size_t *order)
{
	for (size_t n = 0; n < r->settings->queries.n; n++) {
		size_t at = n;

		for (; at > 0 && r->states[order[at - 1]].disrupted_ms > r->states[n].disrupted_ms; at--)
			order[at] = order[at - 1];
		order[at] = n;
	}
}

void gauge_round_suspect(struct gauge_round *r, size_t i)
{
	r->states[i].disrupted_ms = r->now_ms;
}

bool gauge_round_break(struct gauge_round *r, const size_t *order, size_t n, size_t answered, const struct err *e)
{
	assert(answered < n);
	gauge_round_suspect(r, order[answered]);
	if (answered == 0)
		return false;
	gauge_round_fail(r, order[answered], e);
	for (size_t i = answered + 1; i < n; i++)
		r->states[order[i]].failed = true;
	return true;
}

void gauge_round_end(struct gauge_round *r)
{
	for (size_t i = 0; i < r->settings->queries.n; i++)
		EXPO_EMIT(r->out, &gauge_success_family, r->states[i].failed ? 0 : 1, { STR("query"), query(r, i)->name });
}

void gauge_round_fini(struct gauge_round *r)
{
	map_fini(&r->seen);
}
