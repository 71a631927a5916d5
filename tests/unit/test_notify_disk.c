/* A disk that takes nothing while people change things: what they were told holds, and what cannot be kept they are told. And a file that a full
 * disk has emptied is no first start. */
#include "notify_world.h"

#include <glob.h>
#include <sqlite3.h>

#define YAML                                                                                                                       \
	"route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"                                    \
	"receivers: [ { name: hook, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"

static sqlite3 *lock(const struct world *w)
{
	sqlite3 *other;

	assert_int_equal(sqlite3_open(w->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

/* The next attempt is not before two seconds have passed. */
static void unlock(struct world *w, sqlite3 *other)
{
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	world_pass(w, 2000);
}

static bool silence(struct world *w, struct str old, struct str value, struct str *id, struct err *e)
{
	const struct notify_matcher m = { STR("instance"), value, false, true };
	const struct notify_silence s = { .id = old, .matchers = &m, .n_matchers = 1, .starts_ms = w->clock.wall,
					  .ends_ms = w->clock.wall + 3600000 };
	bool ok;

	*e = (struct err){ 0 };
	ok = silence_set(w->core, &s, &w->arena, id, e);
	world_run(w);
	return ok;
}

/* Active ones. */
static size_t silences(struct world *w, struct str *value)
{
	const struct notify_silence *v;
	struct err e = { 0 };
	size_t n, active = 0;

	assert_true(silence_list(w->core, NULL, 0, &w->arena, &v, &n, &e));
	for (size_t i = 0; i < n; i++)
		if (v[i].state == SILENCE_ACTIVE) {
			*value = v[i].matchers[0].value;
			active++;
		}
	return active;
}

static void assert_refused(bool ok, const struct err *e)
{
	assert_false(ok);
	assert_int_equal(err_http_status(e->code), 503);
	assert_true(has(str_of(e->msg), "locked"));
}

static void a_silence_that_cannot_be_kept_is_refused(void **state)
{
	struct world *w = world_new(YAML);
	sqlite3 *other = lock(w);
	struct str id, value;
	struct err e;

	(void)state;
	assert_refused(silence(w, STR(""), STR("a"), &id, &e), &e);
	assert_refused(silence(w, STR(""), STR("a"), &id, &e), &e);      /* at once: the disk has just refused */
	assert_int_equal(silences(w, &value), 0);
	fire(w, "Down", "a");
	assert_true(has(LAST(w).body, "\"instance\":\"a\""));
	unlock(w, other);
	assert_true(silence(w, STR(""), STR("b"), &id, &e));
	world_crash(w);
	assert_int_equal(silences(w, &value), 1);
	assert_true(str_eq(value, STR("b")));
	world_free(w);
}

static void a_silence_stays_as_it_was_when_its_change_cannot_be_kept(void **state)
{
	struct world *w = world_new(YAML);
	struct str id, other_id, value;
	sqlite3 *other;
	struct err e;

	(void)state;
	assert_true(silence(w, STR(""), STR("a"), &id, &e));
	other = lock(w);
	assert_refused(silence(w, id, STR("b"), &other_id, &e), &e);
	e = (struct err){ 0 };
	assert_refused(silence_expire(w->core, id, &e), &e);
	assert_int_equal(silences(w, &value), 1);
	assert_true(str_eq(value, STR("a")));
	unlock(w, other);
	assert_true(silence(w, id, STR("b"), &other_id, &e));            /* ends one, makes another */
	world_crash(w);
	assert_int_equal(silences(w, &value), 1);
	assert_true(str_eq(value, STR("b")));
	assert_true(silence_expire(w->core, other_id, &e));
	world_crash(w);
	assert_int_equal(silences(w, &value), 0);
	world_free(w);
}

/* Of the alarm about Down. */
static struct notify_group alarm_of(struct world *w)
{
	const struct notify_snapshot *s = core_snapshot(w->core, &w->arena);

	for (size_t i = 0; i < s->n_groups; i++)
		if (str_eq(labels_get(s->groups[i].labels, STR("alertname")), STR("Down")))
			return s->groups[i];
	fail_msg("nobody was told");
	abort();
}

static void an_acknowledgement_that_cannot_be_kept_is_refused(void **state)
{
	struct world *w = world_new(YAML);
	struct err e = { 0 };
	sqlite3 *other;

	(void)state;
	fire(w, "Down", "a");
	answer(w, 200, "");
	other = lock(w);
	assert_refused(core_acknowledge(w->core, alarm_of(w).id, STR("ann"), &e), &e);
	assert_int_equal(alarm_of(w).ack_ms, 0);
	unlock(w, other);
	world_crash(w);
	assert_int_equal(alarm_of(w).ack_ms, 0);
	e = (struct err){ 0 };
	assert_true(core_acknowledge(w->core, alarm_of(w).id, STR("ann"), &e));
	world_crash(w);
	assert_true(str_eq(alarm_of(w).ack_by, STR("ann")));
	world_free(w);
}

static size_t damaged(const struct world *w, bool take_away)
{
	glob_t found = { 0 };
	char pattern[128];
	size_t n;

	snprintf(pattern, sizeof pattern, "%s.damaged-*", w->path);
	n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	for (size_t i = 0; i < n && take_away; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

static void an_emptied_file_is_damage(void **state)
{
	struct world *w = world_new(YAML);

	(void)state;
	assert_int_equal(damaged(w, false), 0);
	core_close(w->core);
	assert_int_equal(truncate(w->path, 0), 0);
	world_begin(w);
	world_run(w);
	assert_true(has(LAST(w).body, "TocsinStateDamaged"));
	assert_int_equal(damaged(w, true), 1);
	world_free(w);
}

/* As a kill at the first start leaves it. */
static void what_was_never_whole_is_no_damage(void **state)
{
	struct world *w = world_new(YAML);
	char first[128];

	(void)state;
	core_close(w->core);
	assert_int_equal(unlink(w->path), 0);
	snprintf(first, sizeof first, "%s.first", w->path);
	assert_int_equal(fclose(fopen(first, "w")), 0);
	world_begin(w);
	world_run(w);
	assert_int_equal(w->n, 0);
	assert_int_equal(damaged(w, false), 0);
	assert_int_not_equal(access(first, F_OK), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silence_that_cannot_be_kept_is_refused),
		cmocka_unit_test(a_silence_stays_as_it_was_when_its_change_cannot_be_kept),
		cmocka_unit_test(an_acknowledgement_that_cannot_be_kept_is_refused),
		cmocka_unit_test(an_emptied_file_is_damage),
		cmocka_unit_test(what_was_never_whole_is_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
