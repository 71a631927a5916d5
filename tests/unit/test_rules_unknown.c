/* "Not knowing", row by row: each sentence of the semantics is a case, a small story of samples and ticks, and what people hear. How a
 * series becomes lost is the scrape loop's (test_scrape.c); here it is what the rules make of it. */
#include "rules_world.h"

enum op { END, PUT, LOSE, GONE, TICK, HELD, UNSEEN, SEEN, AWAY, BACK };

struct move {
	enum op op;
	const char *series;
	double v;
};

#define P(series, v) { PUT, series, v }
#define T { TICK, NULL, 1 }
#define TICKS(n) { TICK, NULL, n }
#define BACK(seconds) { BACK, NULL, seconds }
#define DOWN "- {alert: Down, expr: health == 0}\n"
#define SLOW "- {alert: Down, expr: health == 0, for: 1m}\n"
#define ABSENT "- {alert: Down, expr: absent(health)}\n"
#define A "health{instance=\"a\"}"
#define B "health{instance=\"b\"}"

static const struct row {
	const char *name, *rules;
	struct move moves[24];
	const char *heard;
} rows[] = {
	{ "what the expression returns is a HIT, always: also while something it reads is lost", DOWN,
	  { P(B, 1), T, { LOSE, B, 0 }, P(A, 0), T }, "firing" },
	{ "gone, a good scrape no longer carried it: MISS", DOWN, { P(A, 0), T, { GONE, A, 0 }, T }, "firing resolved" },
	{ "lost, the scrape failed: UNKNOWN, firing stays firing", DOWN, { P(A, 0), T, { LOSE, A, 0 }, TICKS(20) }, "firing" },
	{ "lost and found well: MISS", DOWN, { P(A, 0), T, { LOSE, A, 0 }, T, P(A, 1), T }, "firing resolved" },
	{ "lost and then gone: MISS", DOWN, { P(A, 0), T, { LOSE, A, 0 }, T, P(A, 0), T, { GONE, A, 0 }, T }, "firing resolved" },
	{ "not scraped since the start: its own alert is held, another's is not", DOWN,
	  { P(A, 0), P(B, 0), T, { UNSEEN, "b", 0 }, P(A, 1), { GONE, B, 0 }, T, { SEEN, NULL, 0 }, T }, "firing firing resolved resolved" },
	{ "asked again with lost series held, it is not returned: MISS", "- {alert: Down, expr: health == 0 and on() switch == 1}\n",
	  { P(A, 0), P("switch", 1), T, { LOSE, A, 0 }, P("switch", 0), T }, "firing resolved" },
	{ "one dead host in two freezes its own alert and no other", DOWN,
	  { P(A, 0), P(B, 0), T, { LOSE, A, 0 }, P(B, 1), T, TICKS(3) }, "firing firing resolved" },
	{ "up == 0 on one resolves while another is down", "- {alert: Down, expr: up == 0}\n",
	  { P("up{instance=\"a\"}", 0), P("up{instance=\"b\"}", 0), T, P("up{instance=\"b\"}", 1), T }, "firing firing resolved" },
	{ "a window that begins before the data we hold: UNKNOWN until it is full", "- {alert: Down, expr: 'min_over_time(health[30s]) == 0'}\n",
	  { P(A, 0), T, { HELD, NULL, 0 }, P(A, 1), T, T, P(A, 1), T, P(A, 1), T }, "firing resolved" },
	{ "back after more than a window: UNKNOWN until the window is of the time since", "- {alert: Down, expr: 'rate(n[1m]) > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, { LOSE, "n", 0 }, TICKS(10), P("n", 3), T, P("n", 4), T, P("n", 5), T }, "firing" },
	{ "back, and the window is of the time since: MISS", "- {alert: Down, expr: 'rate(n[1m]) > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, { LOSE, "n", 0 }, TICKS(10), P("n", 3), T, P("n", 3), T, P("n", 3), T, P("n", 3), T, P("n", 3), T, P("n", 3), T },
	  "firing resolved" },
	{ "back after less than a window, which has what was before: MISS", "- {alert: Down, expr: 'changes(n[5m]) > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, { LOSE, "n", 0 }, TICKS(2), P("n", 2), TICKS(18), P("n", 2), T }, "firing resolved" },
	{ "compared with what it was before, lost for longer than that: UNKNOWN", "- {alert: Down, expr: 'n - n offset 1m > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, P("n", 3), T, P("n", 4), T, P("n", 5), T, P("n", 6), T, { LOSE, "n", 0 }, TICKS(10) }, "firing" },
	{ "the same of a subquery", "- {alert: Down, expr: 'max_over_time(rate(n[30s])[1m:15s]) > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, { LOSE, "n", 0 }, TICKS(10), P("n", 3), T, P("n", 4), T, P("n", 5), T }, "firing" },
	{ "lost, and never read with success: it holds nothing", "- {alert: Down, expr: 'rate(n[1m]) > 0'}\n",
	  { P("n", 1), T, P("n", 2), T, { GONE, "n{i=\"2\"}", 0 }, { LOSE, "n{i=\"2\"}", 0 }, { LOSE, "n", 0 }, TICKS(10) }, "firing" },
	{ "losses go through recording rules", "- {record: h, expr: health}\n- {alert: Down, expr: h == 0}\n",
	  { P(A, 0), T, { LOSE, A, 0 }, TICKS(20), P(A, 1), T }, "firing resolved" },
	{ "what is lost before a rule has recorded it after a start is not known through it", "- {record: h, expr: health}\n- {alert: Down, expr: h == 0}\n",
	  { P(A, 0), T, { AWAY, NULL, 40 }, { GONE, "h{instance=\"a\"}", 0 }, P(A, 0), { AWAY, NULL, 1 }, P(B, 1), { LOSE, A, 0 }, T }, "firing no data" },
	{ "an evaluation that fails is UNKNOWN for every alert of the rule",
	  "- {alert: Down, expr: 'label_replace(health == 0, \"instance\", \"x\", \"instance\", \".*\") unless on() two'}\n",
	  { P(A, 0), T, P(B, 0), TICKS(3), P(B, 1), P(A, 0), T, P(A, 1), T }, "firing resolved" },
	{ "pending stays pending, and for does not advance", SLOW,
	  { P(A, 0), T, { LOSE, A, 0 }, TICKS(20), P(A, 0), T, P(A, 0), T, P(A, 0), T }, "pending" },
	{ "pending and back, the rest of for is still to pass", SLOW,
	  { P(A, 0), T, P(A, 0), T, { LOSE, A, 0 }, TICKS(20), P(A, 0), T, P(A, 0), T, P(A, 0), T, P(A, 0), T }, "pending firing" },
	{ "our own time away counts as UNKNOWN: firing stays, and it says so", DOWN,
	  { P(A, 0), T, { AWAY, NULL, 40 }, { LOSE, A, 0 }, TICKS(2) }, "firing no data" },
	{ "our own time away does not fill for", SLOW, { P(A, 0), T, { AWAY, NULL, 40 }, P(A, 0), T }, "pending" },
	{ "after no_data_after it says so, still firing", "- {alert: Down, expr: health == 0, annotations: {tocsin_no_data_after: 1m}}\n",
	  { P(A, 0), T, { LOSE, A, 0 }, TICKS(10), P(A, 0), T }, "firing no data data back" },
	{ "on_no_data: resolve", "- {alert: Down, expr: health == 0, annotations: {tocsin_no_data_after: 1m, tocsin_on_no_data: resolve}}\n",
	  { P(A, 0), T, { LOSE, A, 0 }, TICKS(10) }, "firing resolved" },
	{ "on_no_data: resolve, and our own time away is none of the rule's",
	  "- {alert: Down, expr: health == 0, annotations: {tocsin_no_data_after: 1m, tocsin_on_no_data: resolve}}\n",
	  { P(A, 0), T, { AWAY, NULL, 40 }, { LOSE, A, 0 }, TICKS(2), P(A, 0), T, { LOSE, A, 0 }, TICKS(10) }, "firing resolved" },
	{ "on_no_data: fire, and an error in between: it stands", "- {alert: Down, expr: 'health == 0 or on() (one * on() two)', annotations: "
	  "{tocsin_no_data_after: 30s, tocsin_on_no_data: fire, tocsin_on_error: fire}}\n",
	  { P(A, 1), T, { LOSE, A, 0 }, TICKS(5), P("one{i=\"1\"}", 1), P("one{j=\"1\",i=\"1\"}", 1), P("two", 1), T, { GONE, "two", 0 }, T, T, P(A, 1), T },
	  "firing resolved" },
	{ "on_no_data: fire, and a start in between: it stands", "- {alert: Down, expr: health == 0, annotations: {tocsin_no_data_after: 30s, tocsin_on_no_data: fire}}\n",
	  { P(A, 1), T, { LOSE, A, 0 }, TICKS(5), { AWAY, NULL, 1 }, TICKS(2), P(A, 1), T }, "firing resolved" },
	{ "begins while a target it reads was not asked yet since the start: it waits", ABSENT, { { UNSEEN, "b", 0 }, T, { SEEN, NULL, 0 }, T }, "pending firing" },
	{ "and where it is not so, nobody hears of it", ABSENT, { { UNSEEN, "b", 0 }, T, { SEEN, NULL, 0 }, P(B, 1), T }, "pending dropped" },
	{ "it does not wait for ever", ABSENT, { { UNSEEN, "b", 0 }, TICKS(5) }, "pending firing" },
	{ "nor for a target that came later", ABSENT, { P(A, 1), TICKS(5), { UNSEEN, "b", 0 }, { GONE, A, 0 }, T }, "firing" },
	{ "nor where more series would only add", DOWN, { { UNSEEN, "b", 0 }, P(A, 0), T }, "firing" },
	{ "nor for one it does not read", "- {alert: Down, expr: 'absent(health{instance=\"a\"})'}\n", { { UNSEEN, "b", 0 }, T }, "firing" },
	{ "the same through a recording rule", "- {record: n, expr: sum(health)}\n- {alert: Down, expr: absent(n)}\n",
	  { { UNSEEN, "b", 0 }, T, { SEEN, NULL, 0 }, P(B, 1), T }, "pending dropped" },
	{ "the clock is set back, to where another was ill: nothing begins or ends until it is past what is known", DOWN,
	  { P(A, 1), P(B, 0), T, P(A, 0), P(B, 1), T, BACK(30), TICKS(2), P(A, 1), T }, "firing firing resolved resolved" },
	{ "the same of pending, which goes on", SLOW,
	  { P(A, 1), T, P(A, 0), T, P(A, 0), T, BACK(45), T, T, T, P(A, 0), T, P(A, 0), T, P(A, 0), T, P(A, 0), T }, "pending firing" },
	{ "of a window", "- {alert: Down, expr: 'rate(n[30s]) > 0'}\n",
	  { P("n", 1), T, P("n", 1), T, P("n", 1), T, P("n", 2), T, BACK(45), TICKS(2), T }, "firing" },
	{ "of what a rule has recorded", "- {record: h, expr: health}\n- {alert: Down, expr: h == 0}\n",
	  { P(A, 1), P(B, 0), T, P(A, 0), P(B, 1), T, BACK(30), TICKS(2), P(A, 1), T }, "firing firing resolved resolved" },
	{ "after an hour that was none, too", DOWN,
	  { P(A, 1), P(B, 0), T, BACK(-3600), P(A, 0), P(B, 1), T, BACK(3600), TICKS(120) }, "firing firing resolved no data" },
	{ "what has nothing of later goes on", "- {alert: Down, expr: 'health{instance=\"b\"} == 0'}\n", { P(A, 0), T, BACK(30), P(B, 0), T }, "firing" },
	{ "on_no_data: fire", "- {alert: Down, expr: health == 0, annotations: {tocsin_no_data_after: 30s, tocsin_on_no_data: fire}}\n",
	  { P(A, 1), T, { LOSE, A, 0 }, TICKS(5), P(A, 1), T }, "firing resolved" },
};

static void go(struct world *w, const struct move *m)
{
	static const struct label b[] = { { { "instance", 8 }, { "b", 1 } } };
	static const struct store_unseen unseen = { .labels = { b, 1 } };

	switch (m->op) {
	case PUT:
		put(w, m->series, m->v, NULL);
		return;
	case LOSE:
		lose(w, m->series);
		return;
	case GONE:
		put(w, m->series, value_stale(), NULL);
		return;
	case TICK:
		for (int i = 0; i < (int)m->v; i++)
			tick(w);
		return;
	case HELD:
		store_set_held_from(w->store, w->now_ms - SEC);
		return;
	case UNSEEN:
	case SEEN:
		store_set_unseen(w->store, &unseen, m->op == UNSEEN);
		return;
	case AWAY:
		rules_free(w->rules);
		w->now_ms += (int64_t)m->v * MIN;
		start_rules(w);
		return;
	case BACK:
		w->now_ms -= (int64_t)m->v * SEC;
		w->set_back_ms += (int64_t)m->v * SEC;
		return;
	case END:
		return;
	}
}

static void test_each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		print_message("  %s\n", rows[i].name);
		world_init(&w);
		load(&w, rows[i].rules);
		for (const struct move *m = rows[i].moves; m->op != END; m++) {
			go(&w, m);
			if (m->op == AWAY)
				load(&w, rows[i].rules);
		}
		expect(&w, NULL, rows[i].heard);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
