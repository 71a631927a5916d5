/* Zones of the system's zoneinfo: around the turns of the year, behind the last transition of a file, and names that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tocsin/clock.h"
#include "tocsin/tz.h"

static void offsets_at(void **state)
{
	static const struct {
		const char *zone, *at;
		int32_t offset_s;
		const char *abbreviation;
	} cases[] = {
		{ "UTC", "2026-07-01T00:00:00Z", 0, "UTC" },
		{ "Europe/Berlin", "2026-01-15T12:00:00Z", 3600, "CET" },
		{ "Europe/Berlin", "2026-03-29T00:59:59Z", 3600, "CET" },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z", 7200, "CEST" },
		{ "Europe/Berlin", "2026-10-25T00:59:59Z", 7200, "CEST" },
		{ "Europe/Berlin", "2026-10-25T01:00:00Z", 3600, "CET" },
		{ "Europe/Berlin", "2090-07-01T00:00:00Z", 7200, "CEST" },
		{ "Europe/Berlin", "2090-03-26T00:59:59Z", 3600, "CET" },
		{ "Europe/Berlin", "2090-03-26T01:00:00Z", 7200, "CEST" },
		{ "America/New_York", "2026-11-01T05:59:59Z", -14400, "EDT" },
		{ "America/New_York", "2026-11-01T06:00:00Z", -18000, "EST" },
		{ "America/New_York", "2080-11-03T05:59:59Z", -14400, "EDT" },
		{ "America/New_York", "2080-11-03T06:00:00Z", -18000, "EST" },
		{ "Australia/Sydney", "2090-01-01T00:00:00Z", 39600, "AEDT" },
		{ "Australia/Sydney", "2090-07-01T00:00:00Z", 36000, "AEST" },
		{ "Asia/Kolkata", "2026-07-01T00:00:00Z", 19800, "IST" },
		{ "Asia/Kathmandu", "2095-07-01T00:00:00Z", 20700, "+0545" },
	};

	(void)state;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
		print_message("SKIP: there is no /usr/share/zoneinfo (package tzdata)\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct tz *z = tz_load(str_of(cases[i].zone), &e);
		struct str abbreviation;
		int64_t ms;

		print_message("  %s %s\n", cases[i].zone, cases[i].at);
		assert_non_null(z);
		assert_true(clock_parse_rfc3339(cases[i].at, strlen(cases[i].at), &ms));
		assert_int_equal(tz_offset_s(z, ms, &abbreviation), cases[i].offset_s);
		assert_true(str_eq(abbreviation, str_of(cases[i].abbreviation)));
		tz_free(z);
	}
}

static void no_such_zone(void **state)
{
	static const char *const names[] = { "Europe/Atlantis", "../../../etc/passwd", "/etc/localtime", "zone.tab", "Europe" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct err e = { 0 };

		print_message("  %s\n", names[i]);
		assert_null(tz_load(str_of(names[i]), &e));
		assert_int_equal(e.code, ERR_NOT_FOUND);
	}
}

static void local_is_what_the_environment_says(void **state)
{
	static const struct {
		const char *tz;
		int32_t offset_s;
	} cases[] = { { "Asia/Kolkata", 19800 }, { ":Asia/Kolkata", 19800 }, { "/usr/share/zoneinfo/Asia/Kolkata", 19800 }, { "", 0 }, { "UTC", 0 } };

	(void)state;
	if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) != 0) {
		print_message("SKIP: there is no /usr/share/zoneinfo (package tzdata)\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct tz *z;

		print_message("  TZ=%s\n", cases[i].tz);
		setenv("TZ", cases[i].tz, 1);
		z = tz_load(STR("Local"), &e);
		assert_non_null(z);
		assert_int_equal(tz_offset_s(z, 1800000000000, NULL), cases[i].offset_s);
		tz_free(z);
	}
	setenv("TZ", "Mars/Olympus", 1);
	assert_null(tz_load(STR("Local"), &(struct err){ 0 }));
	unsetenv("TZ");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(offsets_at), cmocka_unit_test(local_is_what_the_environment_says),
		                            cmocka_unit_test(no_such_zone) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
