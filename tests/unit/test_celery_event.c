/* Reading Celery's events: recorded ones of 5.2 and 5.6, and what must not be taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "celery/base64.h"
#include "celery/event.h"
#include "tocsin/buf.h"

static void show_event(void *user, const struct celery_event *ev)
{
	struct buf *b = user;

	buf_printf(b, "%d " STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT "%s", (int)ev->type, STR_ARG(ev->hostname), STR_ARG(ev->uuid),
	           STR_ARG(ev->name), STR_ARG(ev->exception), ev->requeue ? " requeue" : "");
	if (!isnan(ev->runtime))
		buf_printf(b, " runtime=%g", ev->runtime);
	if (!isnan(ev->processed))
		buf_printf(b, " active=%g processed=%g freq=%g", ev->active, ev->processed, ev->freq);
	buf_putz(b, ";");
}

/* What comes out of a message, or "!" and the error behind it. */
static void decode(struct buf *out, struct str message)
{
	struct arena a = { 0 };
	struct err e = { 0 };

	buf_reset(out);
	if (!celery_message_decode(&a, message, show_event, out, &e))
		buf_printf(out, "!%s", e.msg);
	arena_fini(&a);
}

/* The message whose body is <json>, as kombu would wrap it. */
static void wrap(struct buf *out, const char *json)
{
	buf_reset(out);
	buf_putz(out, "{\"body\": \"");
	base64_encode(out, str_of(json));
	buf_putz(out, "\", \"content-type\": \"application/json\", \"headers\": {}, \"properties\": {\"body_encoding\": \"base64\"}}");
}

static const struct body_case {
	const char *name, *body, *shown;
} bodies[] = {
	{ "one event", "{\"type\":\"task-started\",\"uuid\":\"u\",\"hostname\":\"w@h\"}", "3 w@h u  ;" },
	{ "a list", "[{\"type\":\"task-started\",\"uuid\":\"a\"},{\"type\":\"task-sent\",\"uuid\":\"b\",\"name\":\"n\"}]",
	 "3  a  ;1  b n ;" },
	{ "an empty list", "[]", "" },
	{ "unknown type", "{\"type\":\"worker-elect\",\"uuid\":\"u\"}", "0  u  ;" },
	{ "values to step over",
	 "{\"args\":[1,{\"a\":\"}]\\\"\"},[[]]],\"uuid\":\"u\",\"kwargs\":null,\"retries\":0,\"type\":\"task-failed\"}", "5  u  ;" },
	{ "escapes", "{\"type\":\"task-received\",\"name\":\"a\\\"b\\\\c\\u00e9\\ud83d\\ude00\\n\"}",
	 "2   a\"b\\c\xc3\xa9\xf0\x9f\x98\x80\n ;" },
	{ "half a pair", "{\"type\":\"task-received\",\"name\":\"\\ud83dx\"}", "2   \xef\xbf\xbdx ;" },
	{ "broken escapes", "{\"type\":\"task-received\",\"name\":\"\\u\\u\\u12\\q\"}",
	 "2   \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "12q ;" },
	{ "null name", "{\"type\":\"task-received\",\"name\":null}", "2    ;" },
	{ "name of another type", "{\"type\":\"task-received\",\"name\":{\"a\":[1]},\"uuid\":\"u\"}", "2  u  ;" },
	{ "runtime as text", "{\"type\":\"task-succeeded\",\"runtime\":\"1\"}", "4    ;" },
	{ "runtime", "{\"type\":\"task-succeeded\",\"runtime\":1.5e-1}", "4     runtime=0.15;" },
	{ "requeue", "{\"type\":\"task-rejected\",\"requeue\":true}", "6     requeue;" },
	{ "cut short", "{\"type\":\"task-started\",\"uuid\":\"u\"", "!event is not JSON" },
	{ "string cut short", "{\"type\":\"task-sta", "!event is not JSON" },
	{ "list cut short", "[{\"type\":\"task-started\"}", "3    ;!events are not JSON" },
	{ "no object", "42", "!event is not JSON" },
	{ "list of no objects", "[1]", "!events are not JSON" },
	{ "nothing", "", "!event is not JSON" },
};

static void events(void **state)
{
	struct buf message = { 0 }, out = { 0 };

	(void)state;
	for (const struct body_case *c = bodies; c < bodies + ARRAY_LEN(bodies); c++) {
		wrap(&message, c->body);
		decode(&out, buf_str(&message));
		if (!str_eq(buf_str(&out), str_of(c->shown)))
			fail_msg("%s: got '%s', expected '%s'", c->name, buf_z(&out), c->shown);
	}
	buf_fini(&message);
	buf_fini(&out);
}

static const struct body_case envelopes[] = {
	{ "not JSON", "hello", "!message is not JSON" },
	{ "too deep", "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "!message is not JSON" },
	{ "pickle", "{\"body\":\"gAI=\",\"content-type\":\"application/x-python-serialize\"}",
	 "!content-type of the message is not application/json" },
	{ "compressed", "{\"body\":\"\",\"content-type\":\"application/json\",\"headers\":{\"compression\":\"application/x-gzip\"}}",
	 "!message is compressed" },
	{ "broken base64", "{\"body\":\"e30*\",\"content-type\":\"application/json\",\"properties\":{\"body_encoding\":\"base64\"}}",
	  "!body of the message is not base64" },
	{ "plain body", "{\"content-type\":\"application/json\",\"body\":\"{\\\"type\\\":\\\"task-started\\\"}\"}", "3    ;" },
	{ "properties first", "{\"properties\":{\"body_encoding\":\"base64\"},\"content-type\":\"application/json\",\"body\":\"e30=\"}",
	 "0    ;" },
};

static void messages(void **state)
{
	struct buf out = { 0 };

	(void)state;
	for (const struct body_case *c = envelopes; c < envelopes + ARRAY_LEN(envelopes); c++) {
		decode(&out, str_of(c->body));
		if (!str_eq(buf_str(&out), str_of(c->shown)))
			fail_msg("%s: got '%s', expected '%s'", c->name, buf_z(&out), c->shown);
	}
	buf_fini(&out);
}

static void recorded(void **state)
{
	static const char *const files[] = { "../shared/reference/celery_samples/events_5.2.4.json",
	                                    "../shared/reference/celery_samples/events_5.6.2.json" };
	static const char *const shown[] = {
		"9 celery@host1    active=0 processed=0 freq=2;", "10 celery@host1    active=1 processed=42 freq=2;",
		"2 celery@host1 u1 proj.tasks.add ;3 celery@host1 u1  ;4 celery@host1 u1   runtime=0.0123;",
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		json_t *calls = json_load_file(files[i], 0, NULL);
		if (calls == NULL) {
			print_message("skipped: %s is not there, so recorded events are not read\n", files[i]);
			skip();
		}
		assert_int_equal(json_array_size(calls), ARRAY_LEN(shown));
		for (size_t k = 0; k < ARRAY_LEN(shown); k++) {
			decode(&out, str_of(json_string_value(json_array_get(json_array_get(calls, k), 2))));
			assert_string_equal(buf_z(&out), shown[k]);
		}
		json_decref(calls);
	}
	buf_fini(&out);
}

static void exception_classes(void **state)
{
	static const char *const pairs[][2] = {
		{ "ValueError('x')", "ValueError" }, { "app.errors.Gone(1, 2)", "Gone" }, { "KeyError", "KeyError" }, { "", "UnknownException" },
		{ "<weird>", "UnknownException" }, { "Two words(1)", "UnknownException" }, { "Retry in 180s", "UnknownException" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_true(str_eq(celery_exception_class(str_of(pairs[i][0])), str_of(pairs[i][1])));
}

static void base64_round_trip(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	                                       { "\xff\xfe", "//4=" } };
	struct arena a = { 0 };
	struct str back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct buf b = { 0 };
		base64_encode(&b, str_of(pairs[i][0]));
		assert_string_equal(buf_z(&b), pairs[i][1]);
		assert_true(base64_decode(&a, str_of(pairs[i][1]), &back));
		assert_true(str_eq(back, str_of(pairs[i][0])));
		buf_fini(&b);
	}
	assert_false(base64_decode(&a, STR("Zm9vY"), &back));
	assert_false(base64_decode(&a, STR("Zm=v"), &back));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events), cmocka_unit_test(messages), cmocka_unit_test(recorded),
		cmocka_unit_test(exception_classes), cmocka_unit_test(base64_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
