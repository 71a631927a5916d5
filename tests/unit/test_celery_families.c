/* What a Celery source shows against the reference list of celery-exporter's families: names, types, labels and buckets, as they
 * stand on a page with everything on it. */
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "celery/broker.h"
#include "celery/families.h"
#include "celery/tasks.h"
#include "celery/workers.h"

#define REFERENCE "../shared/reference/celery_metrics.tsv"
#define EXCEPTIONS "tests/unit/celery_exceptions.tsv"

/* ---- A page with everything ---- */

static void put_tasks(struct expo_set *set)
{
	struct celery_tasks *t = celery_tasks_new((struct celery_tasks_options){ .max_tasks = 10, .max_series = 10,
		.default_queue = STR("celery"), .runtime = &celery_usual_runtime, .wait = &celery_usual_wait });

	for (enum celery_event_type type = EVENT_TASK_SENT; type <= EVENT_TASK_RETRIED; type++)
		celery_tasks_event(t, &(struct celery_event){ .type = type, .uuid = STR("u"), .name = STR("add"), .hostname = STR("w@h"),
			.timestamp = 1, .runtime = 1, .exception = STR("E()") }, 1000);
	celery_tasks_show(t, set, 2000);
	celery_tasks_free(t);
}

static void put_workers(struct expo_set *set)
{
	struct celery_workers *w = celery_workers_new((struct celery_workers_options){ .retention_ms = 1000 });
	const struct celery_event beat = { .type = EVENT_WORKER_HEARTBEAT, .hostname = STR("w@h"), .timestamp = 1, .freq = 2, .active = 1,
		.processed = 3, .pid = 4 };

	celery_workers_event(w, &beat, 1000, 1000);
	celery_workers_show(w, set);
	celery_workers_free(w);
}

static void put_queues(struct expo_set *set)
{
	struct celery_settings settings = { .default_queue = STR("celery"), .failed_list = STR("failed") };
	struct broker b;

	broker_init(&b, &settings);
	b.queues[0].consumers = b.queues[0].workers = b.queues[0].processes = b.queues[0].unacked = b.queues[0].head_s = 1;
	broker_queue_set_steps(&b.queues[0], 1);
	b.queues_told = true;
	b.unacked = b.delayed = b.failed = b.oldest_unacked_s = 1;
	broker_show(&b, set, 2000);
	broker_fini(&b);
}

static void write_page(struct buf *page)
{
	struct expo_set *set = expo_set_new();

	put_tasks(set);
	put_workers(set);
	put_queues(set);
	assert_int_equal(expo_set_stats(set).invalid, 0);
	expo_write(page, &(struct expo_part){ .set = set }, 1, EXPO_TEXT);
	buf_putz(page, "");
	expo_set_unref(set);
}

/* ---- Comparing ---- */

static bool has_type(const char *page, const char *family, const char *type)
{
	char line[256];

	snprintf(line, sizeof line, "# TYPE %s %s\n", family, type);
	return strstr(page, line) != NULL;
}

static bool line_has(const char *line, char before, const char *name)
{
	char wanted[64];

	snprintf(wanted, sizeof wanted, "%c%s=\"", before, name);
	const char *at = strstr(line, wanted);
	return at != NULL && at < strchr(line, '\n');
}

/* Whether a sample has exactly <wanted> ("name,hostname"), "le" aside. */
static bool sample_has_labels(const char *braces, char *wanted)
{
	size_t n = line_has(braces, '{', "le") || line_has(braces, ',', "le"), had = 0;

	for (char *name; (name = strsep(&wanted, ",")) != NULL; n++)
		if (!line_has(braces, '{', name) && !line_has(braces, ',', name))
			return false;
	for (const char *p = braces; *p != '\n'; p++)
		had += strncmp(p, "=\"", 2) == 0;
	return had == n;
}

static bool has_labels(const char *page, const char *family, const char *type, const char *labels)
{
	const char *end = strstr(labels, " + ");
	char start[128], wanted[128];
	bool found = false;

	snprintf(start, sizeof start, "\n%s%s{", family, strcmp(type, "histogram") == 0 ? "_bucket" : "");
	for (const char *at = strstr(page, start); at != NULL && !found; at = strstr(at + 1, start)) {
		snprintf(wanted, sizeof wanted, "%.*s", end != NULL ? (int)(end - labels) : (int)strlen(labels), labels);
		found = sample_has_labels(at + strlen(start) - 1, wanted);
	}
	return found;
}

/* Every number of the peer's list is a bound of ours. */
static bool has_buckets(const char *page, const char *family, const char *buckets)
{
	char copy[256], *rest = copy, *word, start[128];

	snprintf(copy, sizeof copy, "%s", buckets);
	snprintf(start, sizeof start, "\n%s_bucket{", family);
	while ((word = strsep(&rest, " ")) != NULL) {
		char le[64];
		double v;
		if (!str_to_double(str_of(word), &v) || isinf(v))
			continue;
		snprintf(le, sizeof le, "le=\"%g\"", v);
		const char *at = strstr(page, start);
		if (at == NULL || strstr(at, le) == NULL)
			return false;
	}
	return true;
}

/* NULL: nothing. */
static const char *difference(const char *page, char *cell[9])
{
	const char *family = cell[1], *type = cell[2];
	char start[128];

	snprintf(start, sizeof start, "# TYPE %s ", family);
	if (strstr(page, start) == NULL)
		return "absent";
	if (!has_type(page, family, type))
		return "type";
	if (!has_labels(page, family, type, cell[3]))
		return "labels";
	return has_buckets(page, family, cell[4]) ? NULL : "buckets";
}

static bool split(char *line, char **cell, size_t want)
{
	char *rest = line;
	size_t n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (rest != NULL && n < want)
		cell[n++] = strsep(&rest, "\t");
	return n == want;
}

struct exceptions {
	char family[50][128], what[50][16];
	bool used[50];
	size_t n;
};

static void read_exceptions(struct exceptions *x)
{
	FILE *f = fopen(EXCEPTIONS, "r");
	char line[1024], *cell[3];

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (line[0] == '#')
			continue;
		assert_true(x->n < ARRAY_LEN(x->family) && split(line, cell, 3) && strlen(cell[2]) > 10);
		snprintf(x->family[x->n], sizeof x->family[0], "%s", cell[0]);
		snprintf(x->what[x->n++], sizeof x->what[0], "%s", cell[1]);
	}
	fclose(f);
}

static bool is_excepted(struct exceptions *x, const char *family, const char *what)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->family[i], family) == 0 && strcmp(x->what[i], what) == 0)
			return x->used[i] = true;
	return false;
}

static void as_the_peer(void **state)
{
	static struct exceptions x;
	struct buf page = { 0 };
	FILE *f = fopen(REFERENCE, "r");
	char line[8192], *cell[9];
	int seen = 0, wrong = 0;

	(void)state;
	if (f == NULL) {
		print_message("SKIPPED: %s is absent: our families were not compared with the reference\n", REFERENCE);
		skip();
	}
	write_page(&page);
	read_exceptions(&x);
	while (fgets(line, sizeof line, f) != NULL) {
		const char *what;
		if (!split(line, cell, 9) || strncmp(cell[0], "celery-exporter ", 16) != 0 || cell[1][0] == '(')
			continue;
		what = difference(buf_z(&page), cell);
		seen++;
		if (what == NULL || is_excepted(&x, cell[1], what))
			continue;
		wrong++;
		print_error("%s: differs in: %s (%s, %s)\n", cell[1], what, cell[2], cell[3]);
	}
	fclose(f);
	for (size_t i = 0; i < x.n; i++)
		if (!x.used[i])
			fail_msg(EXCEPTIONS ": %s is as there by now: no exception", x.family[i]);
	buf_fini(&page);
	assert_int_equal(wrong, 0);
	assert_int_equal(seen, 17);
}

static void names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < CF_N; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(celery_families[i].name, celery_families[j].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_peer), cmocka_unit_test(names_are_unique) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
