/* Log lines, and complaints: what reaches stderr, byte for byte but the time. */
#include "tests.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tocsin/complain.h"
#include "tocsin/log.h"

/* stderr goes into a file between the two. */
struct capture {
	FILE *file;
	int saved;
	char text[4096];
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	assert_true(dup2(fileno(c->file), STDERR_FILENO) >= 0);
}

/* What was written, each time replaced by T. */
static const char *capture_end(struct capture *c)
{
	static const char *const before[] = { "time=", "\"time\":\"" };
	size_t n;

	assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
	close(c->saved);
	rewind(c->file);
	n = fread(c->text, 1, sizeof c->text - 1, c->file);
	c->text[n] = '\0';
	fclose(c->file);
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		for (char *at = c->text; (at = strstr(at, before[i])) != NULL;) {
			size_t length;

			at += strlen(before[i]);
			length = strcspn(at, " \"");
			assert_true(length >= strlen("2026-01-01T00:00:00Z"));
			*at = 'T';
			memmove(at + 1, at + length, strlen(at + length) + 1);
		}
	return c->text;
}

static const struct {
	const char *name;
	enum log_format format;
	enum log_level level;
	const char *msg, *value;
	const char *line;
} lines[] = {
	{ "bare words", LOG_LOGFMT, LOG_INFO, "ready", "db-1", "time=T level=info msg=ready k=db-1\n" },
	{ "spaces and quotes", LOG_LOGFMT, LOG_WARN, "is down", "say \"no\"", "time=T level=warn msg=\"is down\" k=\"say \\\"no\\\"\"\n" },
	{ "a second line stays in the first", LOG_LOGFMT, LOG_ERROR, "a\nlevel=info", "\x1b[2J", "time=T level=error msg=\"a\\nlevel=info\" k=\"\\u001b[2J\"\n" },
	{ "an equal sign", LOG_LOGFMT, LOG_INFO, "m", "a=b", "time=T level=info msg=m k=\"a=b\"\n" },
	{ "nothing", LOG_LOGFMT, LOG_INFO, "m", "", "time=T level=info msg=m k=\"\"\n" },
	{ "wide characters", LOG_LOGFMT, LOG_INFO, "m", "é", "time=T level=info msg=m k=\"é\"\n" },
	{ "JSON", LOG_JSON, LOG_WARN, "is \"down\"", "a\\b\n", "{\"time\":\"T\",\"level\":\"warn\",\"msg\":\"is \\\"down\\\"\",\"k\":\"a\\\\b\\n\"}\n" },
	{ "below the level", LOG_LOGFMT, LOG_DEBUG, "m", "v", "" },
};

static void writes_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct capture c;

		print_message("  %s\n", lines[i].name);
		log_setup(LOG_INFO, lines[i].format);
		capture_begin(&c);
		log_event(lines[i].level, lines[i].msg, "k", lines[i].value, NULL);
		assert_string_equal(capture_end(&c), lines[i].line);
	}
}

static void formats(void **state)
{
	struct capture c;

	(void)state;
	log_setup(LOG_DEBUG, LOG_LOGFMT);
	capture_begin(&c);
	log_printf(LOG_DEBUG, "%d of %d", 1, 2);
	assert_string_equal(capture_end(&c), "time=T level=debug msg=\"1 of 2\"\n");
}

static void parses_names(void **state)
{
	enum log_level level;
	enum log_format format;

	(void)state;
	assert_true(log_level_parse(STR("warn"), &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_parse(STR("WARN"), &level));
	assert_false(log_level_parse(STR(""), &level));
	assert_true(log_format_parse(STR("json"), &format));
	assert_int_equal(format, LOG_JSON);
	assert_false(log_format_parse(STR("yaml"), &format));
}

/* An outage is two lines, however long it lasts. */
static void complains_once(void **state)
{
	struct complaint complaint = { 0 };
	struct err e = { .msg = "connection refused" };
	struct capture c;

	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	capture_begin(&c);
	complain_works(&complaint, "scrape", "db", 500);
	complain_failed(&complaint, "scrape", "db", &e, 1000);
	complain_failed(&complaint, "scrape", "db", &e, 31000);
	complain_failed(&complaint, "scrape", "db", &e, 61000);
	complain_works(&complaint, "scrape", "db", 91000);
	complain_works(&complaint, "scrape", "db", 92000);
	assert_string_equal(capture_end(&c), "time=T level=warn msg=\"scrape failed\" name=db err=\"connection refused\"\n"
	                                     "time=T level=info msg=\"scrape works again\" name=db after=1m30s failures=3\n");
	capture_begin(&c);
	complain_failed(&complaint, "scrape", "db", &e, 93000);
	assert_string_equal(capture_end(&c), "time=T level=warn msg=\"scrape failed\" name=db err=\"connection refused\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_lines),
		cmocka_unit_test(formats),
		cmocka_unit_test(parses_names),
		cmocka_unit_test(complains_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
