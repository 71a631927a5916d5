/* Weeks of alerts in seconds: machines fall ill and get well, cannot be read, come and go; we are killed and away, the wall clock steps,
 * configuration and rules reload, the receiver is away, busy, silent or loses answers, all at random. Whatever happens:
 *	told once       nothing begins twice for a receiver, and no message comes without news before repeat_interval
 *	ended once      each beginning has one end, in time
 *	never falsely   nothing ends while nobody knows, nothing fires that no scrape said
 *	once            an idempotency key arrives again only when its first fate was unknown, and says so
 * TOCSIN_DAYS=N makes the days of each seed N, TOCSIN_SEED=N plays that one alone. */
#include <jansson.h>

#include "days_world.h"

#define REPEAT_MS (4 * HOUR)
#define CALM_MS (40 * MIN)      /* all that is late has arrived: Retry-After and backoff, a group_interval, for and keep_firing_for */

/* ---- the receiver ---- */

/* The alert an entry of a message is about. */
static struct ledger *ledger_of(struct world *w, json_t *alert, size_t *r, size_t *m)
{
	const char *name = json_string_value(json_object_get(json_object_get(alert, "labels"), "alertname"));
	const char *instance = json_string_value(json_object_get(json_object_get(alert, "labels"), "instance"));
	const struct label v[] = { { STR("alertname"), str_of(name) }, { STR("instance"), str_of(instance) } };

	assert_true(find_alert((struct labels){ v, 2 }, r, m));
	return &w->ledgers[*r][*m];
}

static void hear_alert(struct world *w, size_t to, json_t *alert, bool *news)
{
	size_t r, m;
	struct ledger *l = ledger_of(w, alert, &r, &m);
	struct hearing *h = &l->heard[to];
	bool firing = strcmp(json_string_value(json_object_get(alert, "status")), "firing") == 0;

	if (firing && h->firing)
		return;
	*news = true;
	h->firing = firing;
	h->again = 0;
	*(firing ? &h->begun : &h->ended) += 1;
	if (h->begun > l->fired)
		wrong(w, "begins for a receiver more often than it fired", rule_names[r], m);
	if (h->ended > l->ended)
		wrong(w, "ends for a receiver more often than it ended", rule_names[r], m);
}

/* A message without news comes once a repeat_interval, however late. */
static void hear_again(struct world *w, size_t to, json_t *alert)
{
	size_t r, m;
	struct ledger *l = ledger_of(w, alert, &r, &m);

	if (++l->heard[to].again * REPEAT_MS > w->clock.mono - l->since)
		wrong(w, "is told again without news", rule_names[r], m);
}

static void arrive(struct world *w, struct call *c)
{
	struct known_key *before = map_get(&w->keys, c->key);
	json_t *body, *alert;
	bool news = false;
	size_t i;

	c->arrived = true;
	if (before != NULL) {
		if (before->sure || !c->repeat)
			fail_msg("after %.3f h: a message whose fate was known comes again", (double)(w->clock.mono - T0) / (double)HOUR);
		w->doubtful++;
		return;
	}
	before = mem_alloc(sizeof *before);
	before->key = text_dup(c->key);
	map_put(&w->keys, before->key, before);
	w->messages++;
	body = json_loadb(c->body.p, c->body.n, 0, NULL);
	json_array_foreach(json_object_get(body, "alerts"), i, alert)
		hear_alert(w, c->receiver, alert, &news);
	if (!news)
		json_array_foreach(json_object_get(body, "alerts"), i, alert)
			hear_again(w, c->receiver, alert);
	json_decref(body);
}

static struct str header(const struct http_call *c, const char *name)
{
	for (size_t i = 0; i < c->n_headers; i++)
		if (str_eq_nocase(c->headers[i].name, str_of(name)))
			return c->headers[i].value;
	return STR("");
}

/* What becomes of it. */
static struct http_answer fate(struct world *w, bool *arrives)
{
	static const struct http_answer fates[] = {
		[WORKS] = { .fate = HTTP_ANSWERED, .status = 200, .retry_after_ms = -1 },
		[REFUSES] = { .fate = HTTP_NOT_SENT, .error = { "refused", 7 }, .retry_after_ms = -1 },
		[SILENT] = { .fate = HTTP_LOST, .error = { "timed out", 9 }, .retry_after_ms = -1 },
		[BUSY] = { .fate = HTTP_ANSWERED, .status = 429, .retry_after_ms = 90 * SEC },
		[BROKEN] = { .fate = HTTP_ANSWERED, .status = 503, .retry_after_ms = -1 },
	};
	enum outage what = w->outage != WORKS ? w->outage : chance(w, 20) == 0 ? 1 + chance(w, 4) : WORKS;

	*arrives = what == WORKS || (what == SILENT && chance(w, 2) == 0);
	return fates[what];
}

static void start_call(struct transport *t, const struct http_call *http, void *tag)
{
	struct world *w = (struct world *)t;
	struct call *c = w->calls;

	while (c < w->calls + MAX_CALLS && c->open)
		c++;
	assert_true(c < w->calls + MAX_CALLS);
	*c = (struct call){ .tag = tag, .open = true, .key = text_dup(header(http, "Idempotency-Key")), .body = text_dup(http->body),
			    .repeat = header(http, "X-Tocsin-Possible-Repeat").n > 0 };
	c->receiver = str_starts(http->url, STR("http://ops")) ? 1 : 0;
	c->answer = fate(w, &c->arrives);
	c->at = w->clock.mono + (c->answer.fate == HTTP_LOST ? 30 * SEC : 20 + (int64_t)chance(w, 2000));
}

static void forget_call(struct call *c)
{
	text_free(c->key);
	text_free(c->body);
	c->open = false;
}

static void answer_call(struct world *w, struct call *c)
{
	if (c->arrives && !c->arrived)
		arrive(w, c);
	core_answer(w->core, c->tag, &c->answer);
	step(w);
	if (c->arrived && c->answer.fate == HTTP_ANSWERED)
		((struct known_key *)map_get(&w->keys, c->key))->sure = true;
	forget_call(c);
}

static const struct transport_ops days_transport_ops = { start_call };

/* ---- trouble ---- */

static void kill_and_stay_away(struct world *w)
{
	int64_t away = chance(w, 3) == 0 ? about(w, 2 * HOUR / w->pace) : about(w, 20 * SEC);

	for (struct call *c = w->calls; c < w->calls + MAX_CALLS; c++) {
		if (c->open && c->arrives && !c->arrived && chance(w, 2) == 0)
			arrive(w, c);
		if (c->open)
			forget_call(c);
	}
	end(w);
	w->clock.wall += away;
	w->clock.mono += away;
	for (size_t i = 0; i < MACHINES; i++) {
		struct machine *m = &w->machines[i];

		m->seen = m->attempted = false;
		if (m->removed)
			continue;
		know(w, &m->up, NOTHING, true);
		know(w, &m->health, NOTHING, true);
	}
	w->group_renamed ^= chance(w, 4) == 0;
	begin(w);
	w->restarts++;
}

static void step_clock(struct world *w)
{
	int64_t by = chance(w, 2) == 0 ? about(w, 2 * HOUR) - HOUR : about(w, 20 * SEC) - 20 * SEC;

	w->clock.wall += by + (by < 0 ? -3 * SEC : 3 * SEC);     /* less is taken for time that passed */
	w->stepped = true;
	for (size_t i = 0; i < MACHINES; i++)
		if (!w->machines[i].removed) {
			know(w, &w->machines[i].up, w->machines[i].up.what, true);
			know(w, &w->machines[i].health, w->machines[i].health.what, true);
		}
	rules_tick(w->rules, w->clock.wall);
	step(w);
	w->steps++;
}

/* Messages of one group come in their order; those of the groups that alerts leave and enter may overtake each other. */
static void change_routes(struct world *w)
{
	if (w->core->first != NULL)
		return;
	w->routes = (w->routes + 1 + chance(w, 2)) % ARRAY_LEN(configs);
	core_configure(w->core, days_config(w->routes));
	step(w);
	w->reloads++;
}

static void change_rules(struct world *w)
{
	if (chance(w, 2) == 0)
		w->rule_removed = !w->rule_removed;
	else
		w->group_renamed = !w->group_renamed;
	load_rules(w);
	w->reloads++;
}

static void begin_outage(struct world *w)
{
	w->outage = 1 + chance(w, 4);
	w->outage_until = w->clock.mono + about(w, 2 * HOUR / w->pace);
	w->outages++;
}

static void change_targets(struct world *w)
{
	struct machine *m = &w->machines[chance(w, MACHINES)];

	if (!m->removed)
		remove_machine(w, m);
	else
		m->removed = false;
}

static void set_silence(struct world *w)
{
	size_t m = chance(w, MACHINES);
	const struct notify_matcher matcher = { STR("instance"), str_of(w->machines[m].name), false, true };
	const struct notify_silence s = { .matchers = &matcher, .n_matchers = 1, .starts_ms = w->clock.wall,
					  .ends_ms = w->clock.wall + about(w, HOUR), .author = STR("Ann"), .comment = STR("later") };
	struct arena a = { 0 };
	struct str id;
	struct err e = { 0 };

	assert_true(silence_set(w->core, &s, &a, &id, &e));
	for (size_t r = 0; r < RULES; r++)
		w->ledgers[r][m].silenced = w->clock.mono + 5 * HOUR;   /* the clock may step meanwhile */
	arena_fini(&a);
	step(w);
}

static const struct trouble {
	void (*make)(struct world *);
	int64_t every;
	bool harmless;          /* delivery goes on as it was */
} troubles[] = {
	{ kill_and_stay_away, 10 * HOUR, false }, { step_clock, 18 * HOUR, false },   { change_routes, 14 * HOUR, false },
	{ change_rules, 16 * HOUR, false },       { begin_outage, 12 * HOUR, false }, { change_targets, 6 * HOUR, true },
	{ set_silence, 12 * HOUR, true },
};
static const int paces[] = { 1, 3, 30 };       /* of the seeds in turn: time to judge who was told, and hardly any time between two troubles */

/* ---- time ---- */

/* In quiet times who has been told is who should have been, and nobody waits. */
static void judge_ledger(struct world *w, size_t r, size_t m)
{
	const struct ledger *l = &w->ledgers[r][m];
	const struct known *k = known(w, r, m);
	int64_t now = w->clock.mono;
	bool firing = l->fired != l->ended, heard = false;

	for (size_t i = 0; i < RECEIVERS; i++)
		heard = heard || l->heard[i].firing;
	if (now - k->since > CALM_MS && k->what == ILL && !k->lost && !firing && !(r == STICKY && w->rule_removed))
		wrong(w, "does not fire", rule_names[r], m);
	if (now - k->since > CALM_MS && (k->what == GONE || (k->what == WELL && !k->lost)) && firing)
		wrong(w, "does not end", rule_names[r], m);
	if (now - l->since < CALM_MS)
		return;
	if (firing && !heard && l->silenced < now - CALM_MS)
		wrong(w, "nobody was told", rule_names[r], m);
	if (!firing && heard)
		wrong(w, "nobody was told the end", rule_names[r], m);
}

static void judge(struct world *w)
{
	if (w->core->finished[OUTBOX_DEAD] > 0)
		fail_msg("a message was given up");
	if (w->outage != WORKS)
		w->trouble = w->clock.mono;
	for (size_t r = 0; r < RULES && w->clock.mono - w->trouble > CALM_MS; r++)
		for (size_t m = 0; m < MACHINES; m++)
			judge_ledger(w, r, m);
}

static void flip(struct world *w, struct machine *m)
{
	int64_t now = w->clock.mono;

	if (m->ill_flip <= now) {
		m->ill = !m->ill;
		m->ill_flip = now + (m->ill ? about(w, chance(w, 2) ? MIN : 90 * MIN) : about(w, 3 * HOUR));
	}
	if (m->cut_flip <= now) {
		m->cut = !m->cut;
		m->cut_flip = now + (m->cut ? about(w, chance(w, 2) ? MIN : HOUR) : about(w, 5 * HOUR));
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct call *next_call(struct world *w)
{
	struct call *first = NULL;

	for (struct call *c = w->calls; c < w->calls + MAX_CALLS; c++)
		if (c->open && (first == NULL || c->at < first->at))
			first = c;
	return first;
}

/* To the next thing that happens, which happens. */
static void pass(struct world *w, int64_t until)
{
	int64_t skew = w->clock.wall - w->clock.mono, rules = rules_next_due_ms(w->rules, w->clock.wall) - skew;
	int64_t core = w->core_due == INT64_MAX ? NEVER : w->core_due - skew, at = least(until, least(w->scrape_due, least(rules, core)));
	struct call *c = next_call(w);

	at = c != NULL ? least(at, c->at) : at;
	if (at > w->clock.mono) {
		w->clock.mono = at;
		w->clock.wall = at + skew;
	}
	if (c != NULL && c->at <= at)
		answer_call(w, c);
	else if (w->scrape_due <= at)
		scrape_all(w);
	else if (rules <= at)
		rules_tick(w->rules, w->clock.wall);
	else
		step(w);
	judge(w);
}

static void live(struct world *w, int64_t ms, bool troubled)
{
	int64_t until = w->clock.mono + ms, due[ARRAY_LEN(troubles)];

	for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
		due[i] = w->clock.mono + about(w, troubles[i].every / w->pace);
	while (w->clock.mono < until) {
		pass(w, until);
		if (w->outage != WORKS && w->outage_until <= w->clock.mono)
			w->outage = WORKS;
		for (size_t i = 0; i < MACHINES && troubled; i++)
			flip(w, &w->machines[i]);
		for (size_t i = 0; i < ARRAY_LEN(troubles) && troubled; i++) {
			if (due[i] > w->clock.mono)
				continue;
			troubles[i].make(w);
			due[i] = w->clock.mono + about(w, troubles[i].every / w->pace);
			if (!troubles[i].harmless)
				w->trouble = w->clock.mono;
		}
	}
}

static void all_well(struct world *w)
{
	w->outage = WORKS;
	for (size_t i = 0; i < MACHINES; i++)
		w->machines[i].ill = w->machines[i].cut = w->machines[i].removed = false;
	w->trouble = w->clock.mono;
	live(w, 6 * HOUR, false);
	assert_null(w->core->first);
	for (size_t r = 0; r < RULES; r++)
		for (size_t m = 0; m < MACHINES; m++)
			assert_int_equal(w->ledgers[r][m].fired, w->ledgers[r][m].ended);
}

static void play(uint64_t seed, int64_t days)
{
	struct world *w = mem_alloc(sizeof *w);
	char command[128];
	unsigned fired = 0;

	*w = (struct world){ .transport = { &days_transport_ops }, .sink = { &days_sink_ops }, .clock = clock_manual(T0), .random = seed,
			     .trouble = T0, .pace = paces[seed % ARRAY_LEN(paces)] };
	/* Days of commits: a disk would make hours of them, and what a sync is worth is the crash test's. */
	snprintf(w->dir, sizeof w->dir, "%s/tocsin-unit-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chdir(w->dir), 0);
	for (size_t i = 0; i < MACHINES; i++) {
		snprintf(w->machines[i].name, sizeof w->machines[i].name, "m%zu", i);
		w->machines[i].ill_flip = T0 + about(w, HOUR);
		w->machines[i].cut_flip = T0 + about(w, 2 * HOUR);
	}
	begin(w);
	live(w, days * 24 * HOUR, true);
	all_well(w);
	for (size_t r = 0; r < RULES; r++)
		for (size_t m = 0; m < MACHINES; m++)
			fired += w->ledgers[r][m].fired;
	print_message("seed %llu: %lld days, %u alerts fired and ended, %zu messages, %zu came again after an unknown fate, %zu kills, "
		      "%zu clock steps, %zu reloads, %zu outages\n", (unsigned long long)seed, (long long)days, fired, w->messages, w->doubtful,
		      w->restarts, w->steps, w->reloads, w->outages);
	assert_true(fired > (unsigned)days);
	end(w);
	for (struct map_slot *s = NULL; (s = map_next(&w->keys, s)) != NULL;) {
		text_free(((struct known_key *)s->value)->key);
		free(s->value);
	}
	map_fini(&w->keys);
	snprintf(command, sizeof command, "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
}

static int64_t number_of(const char *variable, int64_t fallback)
{
	const char *text = getenv(variable);

	return text != NULL ? atoll(text) : fallback;
}

static void test_days(void **state)
{
	int64_t days = number_of("TOCSIN_DAYS", 3), only = number_of("TOCSIN_SEED", 0);

	(void)state;
	for (int64_t seed = 1; seed <= 3; seed++)
		if (only == 0 || seed == 1)
			play((uint64_t)(only != 0 ? only : seed), days);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
