/* A database that is damaged while we are away: it is moved aside and told of, what can be read of it goes on, and the alerter watches. */
#include "notify_world.h"

#include <glob.h>
#include <sys/stat.h>

#define YAML                                                                                                                       \
	"route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1m }\n"                                    \
	"receivers: [ { name: hook, webhook_configs: [ { url: 'http://hook/' } ] } ]\n"

static long size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

static void overwrite(const char *path, long at, long n)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	for (long i = 0; i < n; i++)
		fputc('x', f);
	fclose(f);
}

/* Everything is in the file itself when the last connection has closed. */
static void stop(struct world *w)
{
	core_close(w->core);
	for (size_t i = 0; i < w->n; i++)
		w->asked[i].answered = true;
}

static void remove_damaged(struct world *w)
{
	glob_t found = { 0 };
	char pattern[128];

	snprintf(pattern, sizeof pattern, "%s.damaged-*", w->path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

static size_t times_told(const struct world *w, const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += has(w->asked[i].body, what) ? 1 : 0;
	return n;
}

static void answer_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->asked[i].answered) {
			w->asked[i].answered = true;
			core_answer(w->core, w->asked[i].tag, &(struct http_answer){ .status = 200 });
		}
	world_run(w);
}

static void garbage_is_moved_aside(void **state)
{
	struct world *w = world_new(YAML);

	(void)state;
	fire(w, "Down", "a");
	answer_all(w);
	stop(w);
	overwrite(w->path, 0, size_of(w->path));
	world_begin(w);
	world_run(w);
	answer_all(w);
	assert_int_equal(times_told(w, "TocsinStateDamaged"), 1);
	fire(w, "Down", "a");                   /* who was told is not known: rather again than never */
	answer_all(w);
	assert_int_equal(times_told(w, "\"instance\":\"a\""), 2);
	remove_damaged(w);
	world_pass(w, 3600001);
	answer_all(w);
	world_pass(w, 60000);
	answer_all(w);
	assert_true(has(LAST(w).body, "the damaged file was taken away"));
	world_free(w);
}

/* Rows of history, and one of its pages overwritten: who was told of what is read, so nobody is told twice. */
static void what_can_be_read_goes_on(void **state)
{
	struct world *w = world_new(YAML);
	long bytes, page = 4096, damaged = 0;

	(void)state;
	fire(w, "Down", "a");
	answer_all(w);
	for (int i = 0; i < 150; i++) {
		fire(w, "Noise", "b");
		answer_all(w);
		resolve(w, "Noise", "b");
		world_pass(w, 60000);
		answer_all(w);
	}
	stop(w);
	bytes = size_of(w->path);
	for (long at = bytes - page; at > bytes / 2 && damaged < 3; at -= page, damaged++)
		overwrite(w->path, at, page);
	w->n = 0;
	world_begin(w);
	world_run(w);
	answer_all(w);
	assert_int_equal(times_told(w, "TocsinStateDamaged"), 1);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(times_told(w, "\"instance\":\"a\""), 1);
	assert_int_equal(times_told(w, "\"status\":\"resolved\",\"alerts\""), 1);
	remove_damaged(w);
	world_free(w);
}

static void half_a_file_is_damaged_too(void **state)
{
	struct world *w = world_new(YAML);

	(void)state;
	fire(w, "Down", "a");
	answer_all(w);
	stop(w);
	assert_int_equal(truncate(w->path, size_of(w->path) / 2), 0);
	world_begin(w);
	world_run(w);
	answer_all(w);
	assert_int_equal(times_told(w, "TocsinStateDamaged"), 1);
	remove_damaged(w);
	world_free(w);
}

/* As a kill leaves it: all is copied, the damaged file has been moved, the copy has not its name yet. Or: the copy is not whole. */
static void a_kill_in_between_loses_nothing(void **state)
{
	struct world *w = world_new(YAML);
	char copy[128], wal[128], aside[128];

	(void)state;
	fire(w, "Down", "a");
	answer_all(w);
	stop(w);
	snprintf(copy, sizeof copy, "%s.new", w->path);
	snprintf(wal, sizeof wal, "%s-wal", w->path);
	snprintf(aside, sizeof aside, "%s.damaged-1", w->path);
	assert_int_equal(rename(w->path, copy), 0);
	assert_non_null(fclose(fopen(wal, "w")) == 0 ? w : NULL);
	assert_non_null(fclose(fopen(aside, "w")) == 0 ? w : NULL);
	w->n = 0;
	world_begin(w);
	world_run(w);
	answer_all(w);
	assert_int_equal(times_told(w, "TocsinStateDamaged"), 1);
	resolve(w, "Down", "a");
	world_pass(w, 60000);
	answer_all(w);
	assert_int_equal(times_told(w, "\"instance\":\"a\""), 1);
	remove_damaged(w);
	world_free(w);
}

static void what_cannot_be_replaced_is_not_in_the_way(void **state)
{
	struct world *w = world_new(YAML);
	char copy[128];

	(void)state;
	stop(w);
	overwrite(w->path, 0, size_of(w->path));
	snprintf(copy, sizeof copy, "%s.new", w->path);
	assert_int_equal(mkdir(copy, 0700), 0);         /* as good as a full disk */
	world_begin(w);
	world_run(w);
	answer_all(w);
	assert_int_equal(times_told(w, "in memory only"), 1);
	fire(w, "Down", "a");
	answer_all(w);
	assert_int_equal(times_told(w, "\"instance\":\"a\""), 1);
	assert_int_equal(rmdir(copy), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_is_moved_aside),
		cmocka_unit_test(what_can_be_read_goes_on),
		cmocka_unit_test(half_a_file_is_damaged_too),
		cmocka_unit_test(a_kill_in_between_loses_nothing),
		cmocka_unit_test(what_cannot_be_replaced_is_not_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
