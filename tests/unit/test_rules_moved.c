/* Rules that stand elsewhere after a reload or a start, and a `for` that has become longer: who was told is told nothing again, and what has gone by
 * of `for` has gone by. */
#include "rules_world.h"

#define IN_GROUP(name, rules) "groups:\n- name: " name "\n  rules:\n" rules
#define SLOW  "  - {alert: Slow, expr: health == 0, for: 1m, labels: {severity: page}}\n"
#define DOWN  "  - {alert: Down, expr: health == 0}\n"
#define SICK  "  - {record: sick, expr: health == 0}\n"
#define READS "  - {alert: Reads, expr: sick == 0}\n"

static void read_again(struct world *w)
{
	struct conf_report report = { 0 };

	(void)!reload(w, &report);
	conf_report_fini(&report);
}

static void start_again(struct world *w)
{
	rules_free(w->rules);
	start_rules(w);
	read_again(w);
}

static void ticks(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		put(w, "health", 0, NULL);
		tick(w);
	}
}

/* Each group has a slot of its own: after two ticks all know. */
static void well(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		put(w, "health", 1, NULL);
		tick(w);
	}
}

/* The sink's records of an alert under keys that contain <where>. */
static size_t recorded(const struct world *w, const char *where)
{
	size_t n = 0;

	for (size_t i = 0; i < w->sink->n_records; i++)
		n += strstr(w->sink->records[i].key, where) != NULL;
	return n;
}

struct move {
	const char *name;
	const char *file, *text;        /* written; the one before is removed unless it is the same */
	bool start;                     /* else a reload */
};

static const struct move moves[] = {
	{ "a group renamed", "r.yml", IN_GROUP("new", SLOW DOWN), false },
	{ "a group renamed while we were away", "r.yml", IN_GROUP("new", SLOW DOWN), true },
	{ "a file renamed", "s.yml", IN_GROUP("old", SLOW DOWN), false },
	{ "a file renamed while we were away", "s.yml", IN_GROUP("old", SLOW DOWN), true },
	{ "a group in two", "r.yml", "groups:\n- name: one\n  rules:\n" SLOW "- name: two\n  rules:\n" DOWN, false },
};

static void begin(struct world *w, char kept[128], const char *text)
{
	world_init(w);
	path_of(w, "kept.json", kept);
	w->kept = kept;
	rules_free(w->rules);
	start_rules(w);
	load(w, text);
}

static void move(struct world *w, const struct move *m)
{
	if (strcmp(m->file, "r.yml") != 0)
		remove_file(w, "r.yml");
	write_file(w, m->file, str_of(m->text));
	if (m->start)
		start_again(w);
	else
		read_again(w);
}

/* Slow has fired, Down too. */
static void test_firing_goes_on(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		print_message("%s\n", moves[i].name);
		begin(&w, kept, IN_GROUP("old", SLOW DOWN));
		ticks(&w, 5);
		expect(&w, "Slow", "pending firing");
		move(&w, &moves[i]);
		ticks(&w, 1);
		expect(&w, NULL, "pending firing firing");
		read_again(&w);                 /* a file that vanished is gone now */
		ticks(&w, 2);
		expect(&w, NULL, "pending firing firing");
		assert_int_equal(w.sink->n_records, 2);
		well(&w);
		expect(&w, NULL, "pending firing firing resolved resolved");
		assert_int_equal(w.sink->n_records, 0);
		world_fini(&w);
	}
}

static void test_pending_goes_on(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		print_message("%s\n", moves[i].name);
		begin(&w, kept, IN_GROUP("old", SLOW DOWN));
		ticks(&w, 3);
		move(&w, &moves[i]);
		ticks(&w, 3);
		expect(&w, "Down", "firing");
		assert_string_equal(alert_edge_name(w.sink->events[w.sink->n_events - 1].edge), "firing");
		assert_string_equal(w.sink->events[w.sink->n_events - 1].name, "Slow");
		world_fini(&w);
	}
}

/* Its series has no hole in which what reads it would look well. */
static void test_recording_goes_on(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, IN_GROUP("old", SICK READS));
	ticks(&w, 2);
	write_file(&w, "r.yml", str_of(IN_GROUP("new", SICK) "- name: reads\n  rules:\n" READS));
	read_again(&w);
	assert_true(ask(&w, "sick") == 0);
	ticks(&w, 2);
	expect(&w, NULL, "firing");
	world_fini(&w);
}

static void test_another_expression_is_another_rule(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, IN_GROUP("old", DOWN));
	ticks(&w, 1);
	write_file(&w, "r.yml", str_of(IN_GROUP("new", "  - {alert: Down, expr: health < 1}\n")));
	read_again(&w);
	ticks(&w, 1);
	expect(&w, NULL, "firing resolved firing");
	world_fini(&w);
}

/* Two that are alike, of which one goes: the other is no new one. */
static void test_one_of_two_goes(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, "groups:\n- name: a\n  rules:\n" SLOW "- name: b\n  rules:\n" SLOW);
	ticks(&w, 6);
	expect(&w, NULL, "pending pending firing firing");
	write_file(&w, "r.yml", str_of(IN_GROUP("b", SLOW)));
	read_again(&w);
	ticks(&w, 1);
	expect(&w, NULL, "pending pending firing firing");
	assert_int_equal(recorded(&w, ";b;"), 1);
	assert_int_equal(w.sink->n_records, 1);
	world_fini(&w);
}

/* The sink takes nothing while the group is renamed. */
static void test_moved_while_nothing_is_taken(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, IN_GROUP("old", SLOW));
	ticks(&w, 5);
	w.sink->refuse = true;
	write_file(&w, "r.yml", str_of(IN_GROUP("new", SLOW)));
	read_again(&w);
	ticks(&w, 2);
	assert_int_equal(recorded(&w, ";old;"), 1);
	w.sink->refuse = false;
	ticks(&w, 2);
	expect(&w, NULL, "pending firing");
	assert_int_equal(recorded(&w, ";old;"), 0);
	assert_int_equal(recorded(&w, ";new;"), 1);
	world_fini(&w);
}

/* A file that no entry names any more is deleted, also while we are away; one that is only missing may be back. */
static void test_not_named_any_more(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, IN_GROUP("old", DOWN));
	ticks(&w, 1);
	remove_file(&w, "r.yml");
	start_again(&w);
	start_again(&w);
	ticks(&w, 1);
	expect(&w, NULL, "firing");
	write_file(&w, "r.yml", str_of(IN_GROUP("old", DOWN)));
	start_again(&w);
	ticks(&w, 1);
	expect(&w, NULL, "firing");
	w.pattern = "*.yaml";
	start_again(&w);
	expect(&w, NULL, "firing resolved");
	assert_string_equal(w.sink->events[1].reason, "rule deleted");
	assert_int_equal(w.sink->n_records, 0);
	world_fini(&w);
}

/* As in Prometheus: one that would not fire yet does not fire. */
static void test_longer_for(void **state)
{
	char kept[128];
	struct world w;

	(void)state;
	begin(&w, kept, "- {alert: Down, expr: health == 0}\n");
	ticks(&w, 2);
	load(&w, "- {alert: Down, expr: health == 0, for: 2m}\n");
	ticks(&w, 1);
	expect(&w, NULL, "firing pending");
	assert_string_equal(w.sink->events[1].reason, "for was raised to 2m, and it has not lasted so long: pending again");
	ticks(&w, 7);
	expect(&w, NULL, "firing pending firing");
	load(&w, "- {alert: Down, expr: health == 0, for: 2m15s}\n");
	ticks(&w, 2);
	expect(&w, NULL, "firing pending firing");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_firing_goes_on),
		cmocka_unit_test(test_pending_goes_on),
		cmocka_unit_test(test_recording_goes_on),
		cmocka_unit_test(test_another_expression_is_another_rule),
		cmocka_unit_test(test_one_of_two_goes),
		cmocka_unit_test(test_moved_while_nothing_is_taken),
		cmocka_unit_test(test_not_named_any_more),
		cmocka_unit_test(test_longer_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
